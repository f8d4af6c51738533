/* SPDX-License-Identifier: BSD-3-Clause */
/* Any bytes for matrices: subnormal numbers, NaN with any payload, infinities, zeros and ties of pivots. For libFuzzer.

   Nothing may crash, loop or touch other memory; and what comes out is a matter of the matrix alone, to the last bit:
   neither of its neighbours in the tile nor of what was in the workspace. */
#include "call.h"

#include <math.h>

static const double specials[] = {0.0,  -0.0,     1.0,       -1.0,     2.0,        0.5,     INFINITY, -INFINITY,
                                  NAN,  0x1p-149, 0x1p-1074, 0x1p-126, 0x1p-1022,  0x1p127, 0x1p1023, 3.0,
                                  -2.0, 0x1p-64,  0x1p64,    1e30,     0x1.8p-127, 1 / 3.0};

/* A number from the bytes at `at`: their bits, or what they choose among the specials. */
static void put(char *number, bool single, bool chosen, const uint8_t *data, size_t size, size_t at)
{
    uint8_t bytes[8];
    for (size_t k = 0; k < 8; k++)
        bytes[k] = data[(at + k) % size];
    if (!chosen)
        memcpy(number, bytes, single ? 4 : 8);
    else if (single) {
        const float x = (float)specials[bytes[0] % (sizeof specials / sizeof *specials)];
        memcpy(number, &x, 4);
    } else
        memcpy(number, &specials[bytes[0] % (sizeof specials / sizeof *specials)], 8);
}

static bool same(const char *x, const char *y, bool single, size_t count)
{
    for (size_t k = 0; k < count; k++) {
        const double u = single ? ((const float *)x)[k] : ((const double *)x)[k];
        const double v = single ? ((const float *)y)[k] : ((const double *)y)[k];
        if (!(isnan(u) && isnan(v)) && (u != v || signbit(u) != signbit(v)))
            return false;
    }
    return true;
}

static void require(bool right, const char *what, const struct given *g)
{
    if (right)
        return;
    fprintf(stderr, "%s: %s, structure %d, type %d, M = %d\n", what, g->engine == STACKINV_LANES ? "lanes" : "blocked",
            g->structure, g->type, g->m);
    abort();
}

static struct layout dense(int m, bool single, int parts, bool by_columns)
{
    const ptrdiff_t element = (single ? 4 : 8) * parts;
    return (struct layout){single, by_columns ? element : element * m, by_columns ? element * m : element};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { HEADER = 5, MOST = STACKINV_MOST_LANES };
    if (size < HEADER + 8)
        return 0;
    const struct build *build = &stackinv_builds[data[4] % stackinv_build_count];
    if (!build->runs_here())
        return 0;
    stackinv_use_build(build);
    struct given g = {.type = data[0] % 4, .structure = data[1] % STACKINV_STRUCTURES, .threads = 1, .garbage = 0xff};
    const bool chosen = data[0] / 8 % 2, by_columns = data[0] / 16 % 2;
    const int parts = parts_of(g.type), lanes = build->kernels[g.type]->lanes;
    g.engine = data[0] / 4 % 2 ? STACKINV_LANES : STACKINV_BLOCKED;
    g.m = data[2] < 192 ? 1 + data[2] % 12 : 1 + data[2] % 70;
    g.n = 1 + data[3] % (g.engine == STACKINV_LANES ? lanes : 2);
    g.a = dense(g.m, data[0] / 32 % 2, parts, by_columns);
    g.inverse = dense(g.m, data[0] / 64 % 2, parts, by_columns);
    data += HEADER, size -= HEADER;

    const size_t numbers = (size_t)g.m * g.m * parts;
    const size_t number = g.a.single ? 4 : 8, inverse_number = g.inverse.single ? 4 : 8;
    struct memory a = take_pieces(g.n, numbers * number, 8), x = take_pieces(g.n, numbers * inverse_number, 8);
    struct memory again = take_pieces(1, numbers * inverse_number, 8);
    int info[MOST], info_again;
    double rcond[MOST], rcond_again;
    g.a_step = a.step;
    g.inverse_step = x.step;
    for (ptrdiff_t k = 0; k < g.n; k++)
        for (size_t l = 0; l < numbers; l++)
            put(a.at + k * a.step + l * number, g.a.single, chosen, data, size,
                (l + k * numbers) * (chosen ? 1 : number));
    const ptrdiff_t singular = invert(&g, a.at, x.at, info, rcond);
    struct given alone = g;
    alone.n = 1;
    alone.garbage = 0x55;
    ptrdiff_t counted = 0;
    for (ptrdiff_t k = 0; k < g.n; k++) {
        require(info[k] >= 0 && info[k] <= g.m, "info is no row", &g);
        require(!(rcond[k] < 0), "rcond is negative", &g);
        invert(&alone, a.at + k * a.step, again.at, &info_again, &rcond_again);
        require(info[k] == info_again, "info depends on neighbours or garbage", &g);
        require(same(x.at + k * x.step, again.at, g.inverse.single, numbers), "result depends on neighbours or garbage",
                &g);
        require(same((char *)(rcond + k), (char *)&rcond_again, false, 1), "rcond depends on neighbours or garbage",
                &g);
        counted += info[k] != 0;
    }
    require(singular == counted, "the singular ones are miscounted", &g);
    give_pieces(a);
    give_pieces(x);
    give_pieces(again);
    return 0;
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    stackinv_prepare();
    return 0;
}
