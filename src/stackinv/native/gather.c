/* SPDX-License-Identifier: BSD-3-Clause */
#include "gather.h"
#include "tuning.h"

#include <string.h>

static bool side_by_side(const struct stack *s, enum array array)
{
    const ptrdiff_t element = array == STACKINV_A ? a_bytes(s) : inverse_bytes(s);
    return s->ndim > 0 && s->at[array] && s->strides[array][s->ndim - 1] == element && lies_across(s, array);
}

int choose_gathered(const struct stack *s, int unit)
{
    if (unit == 1 || s->m < LEAST_GATHERED_M || s->n < 2 * unit ||
        !(side_by_side(s, STACKINV_A) || side_by_side(s, STACKINV_INVERSE)))
        return 0;
    const double element = element_bytes(s->type), matrix = element * s->m * s->m;
    const double room = stackinv_tuning.second_cache / 2 / matrix, run = GATHERED_RUN_BYTES / element;
    const int length = (int)(room < run ? room : run) / unit * unit;
    return length > 0 ? length : unit;
}

/* From number to number, so many elements and a line more, so that they do not fall into the same sets of the cache. */
static struct layout layout_of(const struct stack *s, int length, ptrdiff_t element, bool single)
{
    const ptrdiff_t line = 64, column = length * element + line;
    return (struct layout){single, s->m * column, column};
}

static struct gathered describe(const struct stack *s, int length)
{
    return (struct gathered){
        .stack = s,
        .length = length,
        .a = layout_of(s, length, a_bytes(s), s->a.single),
        .inverse = layout_of(s, length, inverse_bytes(s), s->inverse.single),
    };
}

/* Bytes of all numbers in such a layout. */
static size_t bytes_of(const struct stack *s, struct layout layout)
{
    return (size_t)s->m * layout.row;
}

size_t gathered_bytes(const struct stack *s, int length)
{
    if (length == 0)
        return 0;
    const struct gathered g = describe(s, length);
    return bytes_of(s, g.a) + (s->at[STACKINV_INVERSE] ? bytes_of(s, g.inverse) : 0);
}

struct gathered prepare_gathered(const struct stack *s, int length, char *memory, ptrdiff_t first)
{
    if (length == 0)
        return (struct gathered){.last = -1};
    struct gathered g = describe(s, length);
    g.first = g.last = first;
    if (side_by_side(s, STACKINV_A))
        g.a_at = memory;
    if (side_by_side(s, STACKINV_INVERSE))
        g.inverse_at = g.a_at && g.a.column == g.inverse.column ? memory : memory + bytes_of(s, g.a);
    return g;
}

/* Runs are short where the last axis of the stack is: a loop of words is then faster than a call. */
static void copy_run(char *to, const char *from, ptrdiff_t bytes)
{
    ptrdiff_t byte = 0;
    if (bytes >= 128) {
        memcpy(to, from, bytes);
        return;
    }
    for (; byte + 8 <= bytes; byte += 8)
        memcpy(to + byte, from + byte, 8);
    if (byte < bytes)
        memcpy(to + byte, from + byte, 4);
}

/* What there is of each stream: where its runs are in the user's memory, as far as the first number tells, and their bytes. */
struct run {
    char *at;
    ptrdiff_t bytes;
};

static void move_runs(const struct gathered *g, const bool out)
{
    enum { MOST = GATHERED_RUN_BYTES / sizeof(float) }; /* and more than lanes */
    const struct stack *s = g->stack;
    const struct layout theirs = out ? s->inverse : s->a, ours = out ? g->inverse : g->a;
    const ptrdiff_t element = out ? inverse_bytes(s) : a_bytes(s), length = s->shape[s->ndim - 1];
    struct run runs[MOST];
    int count = 0;
    for (ptrdiff_t i = g->first, n; i < g->last; i += n) {
        n = length - i % length < g->last - i ? length - i % length : g->last - i;
        runs[count++] = (struct run){locate(s, i).at[out ? STACKINV_INVERSE : STACKINV_A], n * element};
    }
    for (int i = 0; i < s->m; i++)
        for (int j = 0; j < s->m; j++) {
            const ptrdiff_t offset = i * theirs.row + j * theirs.column;
            char *own = (out ? g->inverse_at : g->a_at) + i * ours.row + j * ours.column;
            for (int k = 0; k < count; own += runs[k++].bytes)
                if (out)
                    copy_run(runs[k].at + offset, own, runs[k].bytes);
                else
                    copy_run(own, runs[k].at + offset, runs[k].bytes);
        }
}

void gather_next(struct gathered *g, ptrdiff_t last)
{
    g->first = g->last;
    g->last = last - g->first < g->length ? last : g->first + g->length;
    if (g->a_at)
        move_runs(g, false);
}

void scatter_gathered(const struct gathered *g)
{
    if (g->inverse_at)
        move_runs(g, true);
}
