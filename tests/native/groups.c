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
static void fill(char *a, const struct given *g)
{
    const bool hermitian = g->structure == STACKINV_IS_HERMITIAN || g->structure == STACKINV_IS_POSITIVE_DEFINITE;
    const int m = g->m, parts = parts_of(g->type);
    uint64_t state = m;
    for (int i = 0; i < m; i++)
        for (int j = 0; j < m; j++)
            for (int part = 0; part < parts; part++) {
                const int row = g->structure == STACKINV_IS_GENERAL ? m - 1 - i : i;
                const double x = number(m, row, j, part, hermitian, &state);
                const size_t at = ((size_t)i * m + j) * parts + part;
                if (g->a.single)
                    ((float *)a)[at] = (float)x;
                else
                    ((double *)a)[at] = x;
            }
}

static int check(enum type type, enum structure structure, int m)
{
    static const struct tuning tunings[] = {{1e9, .3, 128}, {0, .3, 128}, {0, 100, 1 << 20}, {0, .3, 1}, {0, 0, 256}};
    const struct tuning before = stackinv_tuning;
    struct given g = {
        .engine = STACKINV_BLOCKED, .type = type, .structure = structure, .m = m, .n = 1, .garbage = 0xff};
    const ptrdiff_t element = element_bytes(type), size = element * m * m;
    int failures = 0;
    g.a = g.inverse = (struct layout){is_single(type), element * m, element};
    const struct memory a = take_pieces(1, size, 64), expected = take_pieces(1, size, 64),
                        result = take_pieces(1, size, 64);
    fill(a.at, &g);
    for (int k = 0; k < (int)(sizeof tunings / sizeof *tunings); k++) {
        int info;
        double rcond, expected_rcond;
        stackinv_tuning = tunings[k];
        g.threads = 1 + k % 3;
        invert(&g, a.at, result.at, &info, &rcond); /* which leaves off at every piece */
        if (k == 0) {
            memcpy(expected.at, result.at, size);
            expected_rcond = rcond;
        }
        if (info || memcmp(expected.at, result.at, size) || rcond != expected_rcond) {
            failures++;
            printf("structure %d, type %d, M = %d, tuning %d: info %d, rcond %g\n", structure, type, m, k, info, rcond);
        }
    }
    stackinv_tuning = before;
    give_pieces(a), give_pieces(expected), give_pieces(result);
    return failures;
}

int main(int argc, char **argv)
{
    int failures = 0;
    stackinv_prepare();
    for (int k = 0; k < stackinv_build_count; k++)
        if (stackinv_builds[k].runs_here()) {
            stackinv_use_build(&stackinv_builds[k]);
            for (int type = 0; type < STACKINV_TYPES; type++)
                for (int structure = 0; structure < STACKINV_IS_DIAGONAL; structure++)
                    for (int n = 1; n < argc; n++)
                        failures += check(type, structure, atoi(argv[n]));
            printf("%s: %d failures\n", stackinv_builds[k].name, failures);
        }
    return failures != 0;
}
