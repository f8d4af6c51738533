/* SPDX-License-Identifier: BSD-3-Clause */
/* Many callers at once, of every engine, while others change the settings: for ThreadSanitizer, and for any system's threads.

       load [SECONDS [CALLERS]] */
#include "callers.h"
#include "stack.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static double until;
static _Atomic(ptrdiff_t) calls, wrong, by_engine[STACKINV_LAPACK];

static unsigned draw(uint64_t *state, unsigned below)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(*state >> 33) % below;
}

/* Well-conditioned, of any structure: the larger of two indices says all but the sign. */
static double number(enum structure structure, int m, int i, int j)
{
    const int low = i < j ? i : j, high = i < j ? j : i;
    if ((structure == STACKINV_IS_UPPER_TRIANGULAR && j < i) || (structure == STACKINV_IS_LOWER_TRIANGULAR && j > i) ||
        (structure == STACKINV_IS_DIAGONAL && i != j))
        return 0;
    return i == j ? m + 1 : ((low * 7 + high * 5) % 13 - 6) / 8.0;
}

static double get(const char *at, bool single, size_t k)
{
    return single ? ((const float *)at)[k] : ((const double *)at)[k];
}

/* The largest element of A X - I in its middle row. */
static double residual(enum structure structure, int m, const char *x, bool single, int parts)
{
    const int i = m / 2;
    double worst = 0;
    for (int j = 0; j < m; j++) {
        double sum = i == j ? -1 : 0;
        for (int l = 0; l < m; l++)
            sum += number(structure, m, i, l) * get(x, single, ((size_t)l * m + j) * parts);
        worst = sum == sum ? fmax(worst, fabs(sum)) : INFINITY;
    }
    return worst;
}

/* A stack of any kind, whole. Whether all of its inverses are right. */
static bool call_once(uint64_t *state)
{
    static const int orders[] = {1, 2, 3, 4, 5, 8, 13, 16, 24, 40, 100, 200};
    const enum type type = draw(state, STACKINV_TYPES);
    const enum structure structure = draw(state, STACKINV_STRUCTURES);
    const int m = orders[draw(state, sizeof orders / sizeof *orders)], threads = 1 + (int)draw(state, 3);
    const int parts = parts_of(type);
    const bool single = is_single(type);
    const ptrdiff_t n = 1 + draw(state, 3) * (20000 / (m * m)), size = element_bytes(type), matrix = size * m * m;
    char *a = malloc(n * matrix), *x = malloc(n * matrix);
    int *info = calloc(n, sizeof *info);
    if (!a || !x || !info)
        abort();
    for (ptrdiff_t k = 0; k < n * m * m; k++)
        for (int part = 0; part < parts; part++) {
            const double value = part ? 0 : number(structure, m, (int)(k / m % m), (int)(k % m));
            if (single)
                ((float *)a)[k * parts + part] = (float)value;
            else
                ((double *)a)[k * parts + part] = value;
        }
    char *const at[STACKINV_ARRAYS] = {a, x, (char *)info};
    const ptrdiff_t strides[STACKINV_ARRAYS] = {matrix, matrix, sizeof *info};
    const struct layout layout = {single, size * m, size};
    struct stack s;
    stackinv_describe(&s, type, structure, m, layout, layout, at);
    stackinv_add_axis(&s, n, strides);
    const struct choice choice = stackinv_choose(&s, false);
    ptrdiff_t singular = -1;
    if (draw(state, 8) == 0)
        singular = stackinv_invert_few(&s);
    else {
        struct call *call = stackinv_begin(&s, choice, threads);
        if (!call)
            abort();
        while (stackinv_turn(call))
            ;
        singular = stackinv_end(call);
    }
    take(&by_engine[choice.engine], 1);
    bool right = singular == 0;
    for (ptrdiff_t k = 0; k < n && right; k += 1 + n / 7)
        right = info[k] == 0 && residual(structure, m, x + k * matrix, single, parts) < (single ? 1e-4 : 1e-12);
    if (!right)
        printf("type %d, structure %d, M = %d, %td matrices: %td singular\n", type, structure, m, n, singular);
    free(a), free(x), free(info);
    return right;
}

/* The last one changes settings instead. */
static int last;

static void call(int caller)
{
    uint64_t state = caller;
    do {
        if (caller < last) {
            take(&wrong, !call_once(&state));
            take(&calls, 1);
            continue;
        }
        const struct build *build = &stackinv_builds[draw(&state, stackinv_build_count)];
        if (build->runs_here() && build->blocked)
            stackinv_use_build(build);
        stackinv_use_engine((int)draw(&state, 3) - 1); /* the best, lanes, blocked */
        stackinv_override_turn(draw(&state, 2) ? 0 : .03);
        stackinv_override_sharing(draw(&state, 2) ? 0 : 1e-4);
        for (int k = 0; k < 100; k++)
            give_way();
    } while (read_clock() < until);
}

int main(int argc, char **argv)
{
    const double seconds = argc > 1 ? atof(argv[1]) : 5;
    const int callers = argc > 2 ? atoi(argv[2]) : 16;
    stackinv_prepare();
    until = read_clock() + seconds;
    last = callers;
    run_callers(callers + 1, call);
    printf("%d callers, %td calls, %td wrong; lanes %td, blocked %td, diagonal %td\n", callers, calls, wrong,
           by_engine[STACKINV_LANES], by_engine[STACKINV_BLOCKED], by_engine[STACKINV_DIAGONALS]);
    return wrong != 0;
}
