/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernels are compiled once for each instruction set; what there is, and what this machine can run. */
#include "kernels.h"

#include "../tuning.h"

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
static bool avx2_runs(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
#endif

#ifdef STACKINV_AVX512
DECLARE(avx512);
static bool avx512_runs(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw") &&
           __builtin_cpu_supports("avx512vl");
}
#endif

struct tuning stackinv_tuning = {USUAL_SECOND_CACHE, TASK_COST, MOST_TASK_ROWS, LEAST_STREAMED_BYTES};

const struct build stackinv_builds[] = {
#ifdef STACKINV_AVX512
    {"AVX512",
     "AVX512 AVX512F AVX512DQ AVX512BW AVX512VL AVX512_SKX X86_V4 AVX2 FMA3 X86_V3",
     avx512_runs,
     KERNELS(avx512),
     {MOST_M_AVX512},
     GAIN_AVX512,
     true},
#endif
#ifdef STACKINV_AVX2
    {"AVX2", "AVX2 FMA3 X86_V3", avx2_runs, KERNELS(avx2), {MOST_M_AVX2}, GAIN, true},
#endif
#ifdef STACKINV_VECTORS
    {"baseline", "", baseline_runs, KERNELS(baseline), {MOST_M_BASELINE}, GAIN, true},
#else
    {"baseline", "", baseline_runs, KERNELS(baseline), {MOST_M_SCALAR}, GAIN, false},
#endif
};
const int stackinv_build_count = sizeof stackinv_builds / sizeof *stackinv_builds;
