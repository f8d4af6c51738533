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

static void require(bool right, const char *what, const struct call *c)
{
    if (right)
        return;
    fprintf(stderr, "%s: %s, method %d, type %d, M = %d\n", what, c->lanes ? "lanes" : "blocked", c->method, c->type,
            c->m);
    abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { HEADER = 5 };
    if (size < HEADER + 8)
        return 0;
    const struct build *build = &stackinv_builds[data[4] % stackinv_build_count];
    if (!build->runs_here())
        return 0;
    kernels = build->kernels;
    struct call c = {.type = data[0] % 4, .lanes = data[0] / 4 % 2, .threads = 1, .garbage = 0xff};
    const bool chosen = data[0] / 8 % 2, by_columns = data[0] / 16 % 2;
    c.a_single = data[0] / 32 % 2;
    c.out_single = data[0] / 64 % 2;
    set_structure(&c, data[1] % STRUCTURES);
    c.m = data[2] < 192 ? 1 + data[2] % 12 : 1 + data[2] % 70;
    const int n = c.lanes ? 1 + data[3] % kernels[c.type]->lanes : 1;
    const ptrdiff_t element = (c.a_single ? 4 : 8) * parts(&c), out_element = (c.out_single ? 4 : 8) * parts(&c);
    const bool turned = by_columns != c.transposed;
    c.a_row = turned ? element : element * c.m;
    c.a_column = turned ? element * c.m : element;
    c.out_row = turned ? out_element : out_element * c.m;
    c.out_column = turned ? out_element * c.m : out_element;
    data += HEADER, size -= HEADER;

    const size_t numbers = (size_t)c.m * c.m * parts(&c), number = c.a_single ? 4 : 8;
    struct memory a[STACKINV_MOST_LANES], out[STACKINV_MOST_LANES], again = take_memory(c.m * c.m * out_element, 8);
    char *as[STACKINV_MOST_LANES], *outs[STACKINV_MOST_LANES];
    int info[STACKINV_MOST_LANES], info_again;
    double rcond[STACKINV_MOST_LANES], rcond_again;
    for (int k = 0; k < n; k++) {
        a[k] = take_memory(c.m * c.m * element, 8);
        out[k] = take_memory(c.m * c.m * out_element, 8);
        as[k] = a[k].at, outs[k] = out[k].at;
        for (size_t l = 0; l < numbers; l++)
            put(as[k] + l * number, c.a_single, chosen, data, size, (l + k * numbers) * (chosen ? 1 : number));
    }
    invert(&c, n, as, outs, info, rcond);
    c.garbage = 0x55;
    for (int k = 0; k < n; k++) {
        require(info[k] >= 0 && info[k] <= c.m, "info is no row", &c);
        require(!(rcond[k] < 0), "rcond is negative", &c);
        invert(&c, 1, as + k, &again.at, &info_again, &rcond_again);
        require(info[k] == info_again, "info depends on neighbours or garbage", &c);
        if (!info[k]) {
            require(same(outs[k], again.at, c.out_single, numbers), "result depends on neighbours or garbage", &c);
            require(same((char *)(rcond + k), (char *)&rcond_again, false, 1), "rcond depends on neighbours or garbage",
                    &c);
        }
    }
    for (int k = 0; k < n; k++) {
        give_memory(a[k]);
        give_memory(out[k]);
    }
    give_memory(again);
    return 0;
}
