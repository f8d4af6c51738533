/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernels are compiled once for each instruction set; what there is, and what this machine can run. */
#include "kernels.h"

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
    return avx2_runs() && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
}
#endif

struct tuning stackinv_tuning = {.second_cache = 512 << 10, .least_tasks = 24, .most_task_rows = 128};

const struct build stackinv_builds[] = {
#ifdef STACKINV_AVX512
    {"AVX512",
     "AVX512 AVX512F AVX512DQ AVX512BW AVX512VL AVX512_SKX X86_V4 AVX2 FMA3 X86_V3",
     avx512_runs,
     KERNELS(avx512),
     {{112, 80, 96, 80}, {112, 80, 96, 80}, {160, 144, 192, 160}, {80, 64, 112, 96}},
     true},
#endif
#ifdef STACKINV_AVX2
    {"AVX2",
     "AVX2 FMA3 X86_V3",
     avx2_runs,
     KERNELS(avx2),
     {{96, 96, 96, 96}, {96, 96, 96, 96}, {128, 160, 256, 192}, {112, 96, 192, 112}},
     true},
#endif
#ifdef STACKINV_VECTORS
    {"baseline",
     "",
     baseline_runs,
     KERNELS(baseline),
     {{256, 256, 256, 192}, {256, 256, 256, 192}, {256, 256, 256, 256}, {256, 256, 80, 256}},
     true},
#else
    {"baseline",
     "",
     baseline_runs,
     KERNELS(baseline),
     {{192, 96, 112, 48}, {12, 12, 24, 24}, {96, 112, 40, 64}, {192, 256, 24, 256}},
     false},
#endif
};
const int stackinv_build_count = sizeof stackinv_builds / sizeof *stackinv_builds;
