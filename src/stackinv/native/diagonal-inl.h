/* SPDX-License-Identifier: BSD-3-Clause */
/* Diagonals of numbers of the type NUMBER, with MODULUS of a number times NORM_UNIT. Included for each type, with
   DIAGONAL(name), which makes a name of its own for it. */

static double DIAGONAL(largest)(const NUMBER *x, ptrdiff_t m)
{
    double result = 0;
    for (ptrdiff_t i = 0; i < m; i++) {
        const double size = MODULUS(x[i]);
        if (size > result || isnan(size))
            result = size;
        if (isnan(size))
            break;
    }
    return result;
}

/* Whether one of the numbers is zero. */
static bool DIAGONAL(take_reciprocals)(NUMBER *x, ptrdiff_t count)
{
    bool zero = false;
    for (ptrdiff_t i = 0; i < count; i++) {
        zero |= x[i] == 0;
        x[i] = (NUMBER)1 / x[i];
    }
    return zero;
}

/* LAPACK's info: the number of the first zero from 1 on, or 0 if there is none. */
static int DIAGONAL(first_zero)(const NUMBER *x, ptrdiff_t m)
{
    for (ptrdiff_t i = 0; i < m; i++)
        if (x[i] == 0)
            return (int)i + 1;
    return 0;
}

/* The determinants of n matrices from their diagonals. */
static void DIAGONAL(note_determinants)(const struct call *call, const NUMBER *x, ptrdiff_t first, ptrdiff_t n)
{
    const struct stack *s = call->stack;
    const int m = s->m;
    struct determinants determinants;
    want_determinants(s, &determinants);
    for (ptrdiff_t k = 0; k < n; k += call->kernels->lanes, x += (ptrdiff_t)call->kernels->lanes * m) {
        const int count = n - k < call->kernels->lanes ? (int)(n - k) : call->kernels->lanes;
        call->kernels->multiply(x, m, count, false, &determinants);
        for (int lane = 0; lane < count; lane++)
            if (DIAGONAL(first_zero)(x + (ptrdiff_t)lane * m, m))
                make_singular(&determinants, lane);
        write_determinants(s, first + k, count, &determinants);
    }
}

/* Note the outcome of n matrices whose inverses nobody asked for; how many are singular. */
static ptrdiff_t DIAGONAL(note_all)(const struct stack *s, const NUMBER *x, ptrdiff_t first, ptrdiff_t n)
{
    ptrdiff_t singular = 0;
    for (ptrdiff_t k = 0; k < n; k++) {
        const struct place place = locate(s, first + k);
        if (note(s, &place, DIAGONAL(first_zero)(x + k * s->m, s->m), 0)) {
            write_singular(s, &place);
            singular++;
        }
    }
    return singular;
}

/* The solutions of n systems, column by column by way of y. */
static void DIAGONAL(solve)(const struct stack *s, const NUMBER *x, NUMBER *y, ptrdiff_t first, ptrdiff_t n)
{
    for (ptrdiff_t k = 0; k < n; k++, x += s->m) {
        const struct place place = locate(s, first + k);
        for (int j = 0; j < s->columns; j++) {
            read_column(s, place.at[STACKINV_RIGHT] + j * s->right.column, y);
            for (int i = 0; i < s->m; i++)
                y[i] /= x[i];
            write_column(s, place.at[STACKINV_SOLUTION] + j * s->solution.column, y);
        }
    }
}

/* Invert matrices first to last - 1; how many of them are singular.

   As many of them as a template has, or one, have their diagonals read, then inverted, then written. */
static ptrdiff_t DIAGONAL(invert)(struct call *call, struct slot *slot)
{
    const struct stack *s = call->stack;
    const int unit = call->plan.unit;
    const ptrdiff_t m = s->m, size = result_bytes(s);
    char *template = piece_of(call, slot, TEMPLATE);
    NUMBER *x = (NUMBER *)piece_of(call, slot, NUMBERS), *y = x + unit * m;
    ptrdiff_t singular = 0;
    memset(template, 0, call->plan.staged);
    for (ptrdiff_t first = slot->first, n; first < slot->last; first += n) {
        n = slot->last - first < unit ? slot->last - first : unit;
        for (ptrdiff_t k = 0; k < n; k++) {
            const struct place place = locate(s, first + k);
            read_diagonal(s, place.at[STACKINV_A], x + k * m);
            if (s->at[STACKINV_RCOND])
                *(double *)place.at[STACKINV_RCOND] = DIAGONAL(largest)(x + k * m, m);
        }
        if (wants_determinant(s))
            DIAGONAL(note_determinants)(call, x, first, n);
        if (wants_solution(s))
            DIAGONAL(solve)(s, x, y, first, n);
        if (!wants_inverse(s)) {
            singular += DIAGONAL(note_all)(s, x, first, n);
            continue;
        }
        const bool any_zero = DIAGONAL(take_reciprocals)(x, n * m);
        for (ptrdiff_t k = 0; k < n; k++) {
            char *inverse = template + k * size;
            if (s->at[STACKINV_RCOND] || any_zero || !call->plan.staged) {
                const struct place place = locate(s, first + k);
                int info = 0;
                double rcond = 0;
                if (any_zero) {
                    read_diagonal(s, place.at[STACKINV_A], y);
                    info = DIAGONAL(first_zero)(y, m);
                }
                if (s->at[STACKINV_RCOND])
                    rcond =
                        stackinv_rcond(*(double *)place.at[STACKINV_RCOND], DIAGONAL(largest)(x + k * m, m), NORM_UNIT);
                if (!call->plan.staged)
                    inverse = place.at[STACKINV_INVERSE];
                if (info || !call->plan.staged)
                    write_all(s, inverse, info ? NAN : 0);
                if (note(s, &place, info, rcond)) {
                    singular++;
                    continue;
                }
            }
            write_diagonal(s, inverse, x + k * m);
        }
        if (call->plan.staged) {
            char *inverses = locate(s, first).at[STACKINV_INVERSE];
            if (call->plan.streamed)
                stream(inverses, template, n * size);
            else
                memcpy(inverses, template, n * size);
            if (any_zero)
                memset(template, 0, call->plan.staged);
        }
    }
    return singular;
}
