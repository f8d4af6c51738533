/* SPDX-License-Identifier: BSD-3-Clause */
/* The blocked engine's results must have the same bits however many rows are a task, and wherever tasks are left off.

       groups M... */
#include "call.h"

static double number(int m, int i, int j, int part, bool hermitian, uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    const double x = (double)(*state >> 40) * 0x1p-24 - .5;
    return i != j ? x : hermitian && part ? 0 : m + x;
}

/* A well-conditioned matrix, for general methods with its rows backwards, so that pivots count. */
static void fill(char *a, const struct call *c, enum structure structure)
{
    uint64_t state = c->m;
    for (int i = 0; i < c->m; i++)
        for (int j = 0; j < c->m; j++)
            for (int part = 0; part < parts(c); part++) {
                const int row = structure == GENERAL ? c->m - 1 - i : i;
                const double x =
                    number(c->m, row, j, part, structure == HERMITIAN || structure == POSITIVE_DEFINITE, &state);
                const size_t at = ((size_t)i * c->m + j) * parts(c) + part;
                if (c->a_single)
                    ((float *)a)[at] = (float)x;
                else
                    ((double *)a)[at] = x;
            }
}

static int check(int type, enum structure structure, int m)
{
    static const struct tuning tunings[] = {
        {1e9, 24, 128}, {0, 24, 128}, {0, 3, 1 << 20}, {0, 1, 1 << 20}, {0, 1000000, 128}};
    struct call c = {.type = type, .m = m, .threads = 1, .garbage = 0xff};
    int failures = 0;
    set_structure(&c, structure);
    c.a_single = c.out_single = type % 2 == 0;
    const size_t element = (c.a_single ? 4 : 8) * parts(&c), size = element * m * m;
    c.a_row = c.out_row = c.transposed ? (ptrdiff_t)element : (ptrdiff_t)element * m;
    c.a_column = c.out_column = c.transposed ? (ptrdiff_t)element * m : (ptrdiff_t)element;
    const struct memory a = take_memory(size, 64), expected = take_memory(size, 64), result = take_memory(size, 64);
    fill(a.at, &c, structure);
    for (int k = 0; k < (int)(sizeof tunings / sizeof *tunings); k++) {
        const struct tuning before = stackinv_tuning;
        int info;
        double rcond, expected_rcond;
        stackinv_tuning = tunings[k];
        c.threads = 1 + k % 3; /* with more than one, tasks are left off at every piece */
        invert(&c, 1, &a.at, &result.at, &info, &rcond);
        stackinv_tuning = before;
        if (k == 0) {
            memcpy(expected.at, result.at, size);
            expected_rcond = rcond;
        }
        if (info || memcmp(expected.at, result.at, size) || rcond != expected_rcond) {
            failures++;
            printf("structure %d, type %d, M = %d, tuning %d: info %d, rcond %g\n", structure, type, m, k, info, rcond);
        }
    }
    give_memory(a), give_memory(expected), give_memory(result);
    return failures;
}

int main(int argc, char **argv)
{
    int failures = 0;
    for (int k = 0; k < stackinv_build_count; k++)
        if (stackinv_builds[k].runs_here()) {
            kernels = stackinv_builds[k].kernels;
            for (int type = 0; type < 4; type++)
                for (int structure = 0; structure < STRUCTURES; structure++)
                    for (int n = 1; n < argc; n++)
                        failures += check(type, structure, atoi(argv[n]));
            printf("%s: %d failures\n", stackinv_builds[k].name, failures);
        }
    return failures != 0;
}
