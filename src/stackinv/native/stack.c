/* SPDX-License-Identifier: BSD-3-Clause */
#include "stack.h"
#include "transpose.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

const struct knowledge stackinv_structures[STACKINV_KNOWN] = {
    [STACKINV_IS_GENERAL] = {"gen", STACKINV_LU, STACKINV_NOT_SYMMETRIC, 1},
    [STACKINV_IS_SYMMETRIC] = {"sym", STACKINV_SYMMETRIC_LU, STACKINV_SELF_TRANSPOSE, 1},
    [STACKINV_IS_HERMITIAN] = {"her", STACKINV_SYMMETRIC_LU, STACKINV_SELF_ADJOINT, 1},
    [STACKINV_IS_POSITIVE_DEFINITE] = {"pos", STACKINV_CHOLESKY, STACKINV_NOT_SYMMETRIC, 0.5},
    [STACKINV_IS_UPPER_TRIANGULAR] = {"upper triangular", STACKINV_TRIANGLE, STACKINV_NOT_SYMMETRIC, 0.25},
    [STACKINV_IS_LOWER_TRIANGULAR] = {"lower triangular", STACKINV_TRIANGLE, STACKINV_NOT_SYMMETRIC, 0.25},
    [STACKINV_IS_DIAGONAL] = {"diagonal", STACKINV_TRIANGLE, STACKINV_NOT_SYMMETRIC, 0.25},
    [STACKINV_IS_FOR_DERIVATIVE] = {"derivative", STACKINV_DERIVATIVE, STACKINV_NOT_SYMMETRIC, 1},
    [STACKINV_IS_FOR_GRADIENT] = {"gradient", STACKINV_GRADIENT, STACKINV_NOT_SYMMETRIC, 1},
};

void stackinv_describe(struct stack *s, enum type type, enum structure structure, int m, struct layout a,
                       struct layout inverse, char *const at[STACKINV_ARRAYS])
{
    s->type = type;
    s->structure = structure;
    s->transposed = structure == STACKINV_IS_LOWER_TRIANGULAR;
    if (s->transposed) {
        s->structure = STACKINV_IS_UPPER_TRIANGULAR;
        a = (struct layout){a.single, a.column, a.row};
        inverse = (struct layout){inverse.single, inverse.column, inverse.row};
    }
    s->n = 1;
    s->m = m;
    s->a = a;
    s->inverse = inverse;
    s->columns = 0;
    s->right = s->solution = (struct layout){false, 0, 0};
    s->ndim = 0;
    for (int k = 0; k < STACKINV_ARRAYS; k++) {
        s->at[k] = at[k];
        s->strides[k][0] = 0;
    }
}

void stackinv_add_systems(struct stack *s, int columns, struct layout right, struct layout solution)
{
    s->columns = columns;
    s->right = right;
    s->solution = solution;
}

/* Whether all arrays step evenly through the last axis and one of this length and strides behind it. */
static bool is_one_axis(const struct stack *s, ptrdiff_t length, const ptrdiff_t strides[STACKINV_ARRAYS])
{
    if (s->ndim == 0)
        return false;
    for (int k = 0; k < STACKINV_ARRAYS; k++)
        if (s->at[k] && s->strides[k][s->ndim - 1] != length * strides[k])
            return false;
    return true;
}

void stackinv_add_axis(struct stack *s, ptrdiff_t length, const ptrdiff_t strides[STACKINV_ARRAYS])
{
    int d = s->ndim;
    if (length == 1)
        return;
    s->n *= length;
    if (is_one_axis(s, length, strides))
        length *= s->shape[--d];
    s->shape[d] = length;
    for (int k = 0; k < STACKINV_ARRAYS; k++)
        s->strides[k][d] = s->at[k] ? strides[k] : 0;
    s->ndim = d + 1;
}

struct place locate(const struct stack *s, ptrdiff_t i)
{
    struct place place;
    memcpy(place.at, s->at, sizeof place.at);
    for (int d = s->ndim - 1; d >= 0; d--) {
        const ptrdiff_t k = d ? i % s->shape[d] : i;
        if (d)
            i /= s->shape[d];
        for (int array = 0; array < STACKINV_ARRAYS; array++)
            if (place.at[array])
                place.at[array] += k * s->strides[array][d];
    }
    return place;
}

#define FROM float
#define TO float
#define COPY(name) copy_single_##name
#include "copy-inl.h"
#undef TO
#undef COPY
#define TO double
#define COPY(name) widen_##name
#include "copy-inl.h"
#undef FROM
#undef COPY
#define FROM double
#define COPY(name) copy_double_##name
#include "copy-inl.h"
#undef TO
#undef COPY
#define TO float
#define COPY(name) narrow_##name
#include "copy-inl.h"

void copy_matrix(char *to, struct layout t, const char *from, struct layout f, ptrdiff_t height, ptrdiff_t width,
                 int parts)
{
    if (t.single && f.single)
        copy_single_matrix((float *)to, t.row, t.column, (const float *)from, f.row, f.column, height, width, parts);
    else if (t.single)
        narrow_matrix((float *)to, t.row, t.column, (const double *)from, f.row, f.column, height, width, parts);
    else if (f.single)
        widen_matrix((double *)to, t.row, t.column, (const float *)from, f.row, f.column, height, width, parts);
    else
        copy_double_matrix((double *)to, t.row, t.column, (const double *)from, f.row, f.column, height, width, parts);
}

bool lies_across(const struct stack *s, enum array array)
{
    if (!s->at[array])
        return false;
    const ptrdiff_t line = 64, step = s->ndim > 0 ? llabs(s->strides[array][s->ndim - 1]) : line;
    const struct layout layout = array == STACKINV_A ? s->a : s->inverse;
    return step < line && step < llabs(layout.row) && step < llabs(layout.column);
}

static struct layout turned(struct layout layout)
{
    return (struct layout){layout.single, layout.column, layout.row};
}

static struct layout by_columns(const struct stack *s, ptrdiff_t ld)
{
    const ptrdiff_t size = element_bytes(s->type);
    return (struct layout){is_single(s->type), size, ld * size};
}

/* What is far apart in the user's memory, whose layout is `theirs`, is the outer loop. */
static void copy_theirs(char *to, struct layout t, const char *from, struct layout f, struct layout theirs,
                        const struct stack *s, ptrdiff_t columns)
{
    if (llabs(theirs.column) > llabs(theirs.row))
        copy_matrix(to, turned(t), from, turned(f), columns, s->m, parts_of(s->type));
    else
        copy_matrix(to, t, from, f, s->m, columns, parts_of(s->type));
}

void read_matrix(const struct stack *s, const char *at, void *to, ptrdiff_t ld)
{
    copy_theirs(to, by_columns(s, ld), at, s->a, s->a, s, s->m);
}

void write_matrix(const struct stack *s, char *at, const void *from, ptrdiff_t ld)
{
    copy_theirs(at, s->inverse, from, by_columns(s, ld), s->inverse, s, s->m);
}

void read_right(const struct stack *s, const char *at, void *to, ptrdiff_t ld)
{
    copy_theirs(to, by_columns(s, ld), at, s->right, s->right, s, s->columns);
}

void write_solution(const struct stack *s, char *at, const void *from, ptrdiff_t ld)
{
    copy_theirs(at, s->solution, from, by_columns(s, ld), s->solution, s, s->columns);
}

/* The same number everywhere. */
static void fill(char *at, struct layout layout, ptrdiff_t height, ptrdiff_t width, int parts, double value)
{
    const double number[] = {value, value};
    copy_matrix(at, layout, (const char *)number, (struct layout){false, 0, 0}, height, width, parts);
}

void write_rows(const struct stack *s, char *at, ptrdiff_t first, ptrdiff_t last, double value)
{
    fill(at + first * s->inverse.row, s->inverse, last - first, s->m, parts_of(s->type), value);
}

void write_all(const struct stack *s, char *at, double value)
{
    const ptrdiff_t dense = dense_bytes(s->m, s->inverse, inverse_bytes(s));
    if (value == 0 && dense)
        memset(at, 0, dense);
    else
        write_rows(s, at, 0, s->m, value);
}

void write_singular(const struct stack *s, const struct place *place)
{
    if (wants_inverse(s))
        write_all(s, place->at[STACKINV_INVERSE], NAN);
    if (wants_solution(s))
        fill(place->at[STACKINV_SOLUTION], s->solution, s->m, s->columns, parts_of(s->type), NAN);
}

#define REAL float
#define MIRROR(name) single_##name
#include "mirror-inl.h"
#undef REAL
#undef MIRROR
#define REAL double
#define MIRROR(name) double_##name
#include "mirror-inl.h"

void make_symmetric(const struct stack *s, char *at, ptrdiff_t first, ptrdiff_t last)
{
    const enum symmetry symmetry = stackinv_structures[s->structure].symmetry;
    const bool conjugate = symmetry == STACKINV_SELF_ADJOINT;
    if (symmetry == STACKINV_NOT_SYMMETRIC)
        return;
    if (s->inverse.single)
        single_average(at, s->inverse.row, s->inverse.column, first, last, parts_of(s->type), conjugate);
    else
        double_average(at, s->inverse.row, s->inverse.column, first, last, parts_of(s->type), conjugate);
}

void make_singular(struct determinants *d, int lane)
{
    for (int part = 0; part < 2; part++)
        d->sign[part][lane] = d->number[part][lane] = 0;
    d->logarithm[lane] = -INFINITY;
}

/* Numbers that are `step` bytes from each other, of one or two parts. */
static void write_numbers(char *at, ptrdiff_t step, const double values[][STACKINV_MOST_LANES], int lane, int n,
                          int parts)
{
    for (const int last = lane + n; lane < last; lane++, at += step)
        for (int part = 0; part < parts; part++)
            ((double *)at)[part] = values[part][lane];
}

/* Those of a run along the last axis. */
static void write_run(const struct stack *s, ptrdiff_t i, int n, const struct determinants *d, int lane)
{
    const struct place place = locate(s, i);
    const int parts = parts_of(s->type), axis = s->ndim > 0 ? s->ndim - 1 : 0;
    if (s->at[STACKINV_SIGN])
        write_numbers(place.at[STACKINV_SIGN], s->strides[STACKINV_SIGN][axis], d->sign, lane, n, parts);
    if (s->at[STACKINV_LOGARITHM])
        write_numbers(place.at[STACKINV_LOGARITHM], s->strides[STACKINV_LOGARITHM][axis], &d->logarithm, lane, n, 1);
    if (s->at[STACKINV_DETERMINANT])
        write_numbers(place.at[STACKINV_DETERMINANT], s->strides[STACKINV_DETERMINANT][axis], d->number, lane, n,
                      parts);
}

void write_determinants(const struct stack *s, ptrdiff_t i, int n, const struct determinants *d)
{
    const ptrdiff_t length = s->ndim > 1 ? s->shape[s->ndim - 1] : s->n;
    for (int lane = 0, count; lane < n; lane += count) {
        const ptrdiff_t rest = length - (s->ndim > 1 ? (i + lane) % length : i + lane);
        count = rest < n - lane ? (int)rest : n - lane;
        write_run(s, i + lane, count, d, lane);
    }
}
