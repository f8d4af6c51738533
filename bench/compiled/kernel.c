/* SPDX-License-Identifier: BSD-3-Clause */
/* What the kernel itself takes for one matrix, in nanoseconds, for bench/compiled.py:

       kernel ORDER */
#include "engines.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { N = 1000000, ROUNDS = 7 };

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + 1e-9 * t.tv_nsec;
}

int main(int argc, char **argv)
{
    const int m = argc > 1 ? atoi(argv[1]) : 4;
    const size_t size = sizeof(double) * m * m;
    char *a = malloc(N * size), *x = malloc(N * size), work[1 << 16], *aligned = work + (-(size_t)work & 63);
    double best = 1;
    stackinv_prepare();
    const struct kernels *kernels = stackinv_settings().build->kernels[STACKINV_DOUBLE];
    for (size_t i = 0; i < (size_t)N * m * m; i++) {
        ((double *)a)[i] = (double)((i * 7919) % 101) / 10 - 5 + (i % (m * m) % (m + 1) == 0 ? 10 : 0);
        ((double *)x)[i] = 0;
    }
    for (int round = 0; round < ROUNDS; round++) {
        struct tile t = {
            .m = m, .inverse = true, .a_row = sizeof(double) * m, .a_column = sizeof(double), .work = aligned};
        t.out_row = t.a_row;
        t.out_column = t.a_column;
        const double start = now();
        for (size_t i = 0; i < N; i++) {
            for (int lane = 0; lane < kernels->lanes; lane++) {
                t.a[lane] = a + i * size;
                t.out[lane] = x + i * size;
            }
            kernels->invert[STACKINV_LU](&t);
        }
        const double time = (now() - start) / N;
        best = time < best ? time : best;
    }
    printf("%g\n", 1e9 * best);
    return 0;
}
