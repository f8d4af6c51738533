/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernels are compiled once for each instruction set; what there is, and what this machine can run. */
#include "kernels.h"

#include "../tuning.h"
#if defined(STACKINV_AVX2) || defined(STACKINV_AVX512)
#include "processor.h"
#endif

#define DECLARE(set)                                                                                                   \
    extern const struct kernels stackinv_kernels_##set##_s, stackinv_kernels_##set##_d, stackinv_kernels_##set##_c,    \
        stackinv_kernels_##set##_z
#define KERNELS(set)                                                                                                   \
    {&stackinv_kernels_##set##_s, &stackinv_kernels_##set##_d, &stackinv_kernels_##set##_c, &stackinv_kernels_##set##_z}

DECLARE(baseline);
static bool baseline_runs(void)
{
    return true;
}

#ifdef STACKINV_AVX2
DECLARE(avx2);
#endif

#ifdef STACKINV_AVX512
DECLARE(avx512);
#endif

struct tuning stackinv_tuning = {USUAL_SECOND_CACHE, TASK_COST, MOST_TASK_ROWS, LEAST_STREAMED_BYTES};

const struct build stackinv_builds[] = {
#ifdef STACKINV_AVX512
    {"AVX512",
     "AVX512 AVX512F AVX512DQ AVX512BW AVX512VL AVX512_SKX X86_V4 AVX2 FMA3 X86_V3",
     stackinv_has_avx512,
     KERNELS(avx512),
     {MOST_M_AVX512},
     GAIN_AVX512,
     true},
#endif
#ifdef STACKINV_AVX2
    {"AVX2", "AVX2 FMA3 X86_V3", stackinv_has_avx2, KERNELS(avx2), {MOST_M_AVX2}, GAIN, true},
#endif
#ifdef STACKINV_VECTORS
    {"baseline", "", baseline_runs, KERNELS(baseline), {MOST_M_BASELINE}, GAIN, true},
#else
    {"baseline", "", baseline_runs, KERNELS(baseline), {MOST_M_SCALAR}, GAIN, false},
#endif
};
const int stackinv_build_count = sizeof stackinv_builds / sizeof *stackinv_builds;
