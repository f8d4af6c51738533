/* SPDX-License-Identifier: BSD-3-Clause */
/* The surface of the C: a stack of matrices, and the way of a call that inverts them.

       struct choice choice = stackinv_choose(&stack, false);
       struct call *call = stackinv_begin(&stack, choice, threads);
       while (stackinv_turn(call)) {
           ... whatever cannot wait for the end: signals, a bar of progress
       }
       singular = stackinv_end(call);
*/
#ifndef STACKINV_LOOP_H
#define STACKINV_LOOP_H

#include "kernels.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

#define STACKINV_MOST_AXES 62

/* Of the calculation. */
enum type { STACKINV_SINGLE, STACKINV_DOUBLE, STACKINV_COMPLEX_SINGLE, STACKINV_COMPLEX_DOUBLE, STACKINV_TYPES };

/* What is known of the matrices. Lower triangular ones are described as upper triangular ones, by their transposes. */
enum structure {
    STACKINV_IS_GENERAL,
    STACKINV_IS_SYMMETRIC,
    STACKINV_IS_HERMITIAN,
    STACKINV_IS_POSITIVE_DEFINITE,
    STACKINV_IS_UPPER_TRIANGULAR,
    STACKINV_IS_LOWER_TRIANGULAR,
    STACKINV_IS_DIAGONAL,
    STACKINV_STRUCTURES,
    /* Two that are none: the matrices are inverses, and there are these derivatives in the place of solutions, of M columns. */
    STACKINV_IS_FOR_DERIVATIVE = STACKINV_STRUCTURES,
    STACKINV_IS_FOR_GRADIENT,
    STACKINV_KNOWN
};

/* By structure: SciPy's name, and how the kernels invert it. */
extern const struct knowledge {
    const char *name;
    enum method method;
    enum symmetry symmetry;
    double cost; /* of the method, as a multiple of the general one's */
} stackinv_structures[STACKINV_KNOWN];

/* What there is of each matrix: itself, and what is asked of it. A new output is one more of these. */
enum array {
    STACKINV_A,
    STACKINV_INVERSE,
    STACKINV_INFO,        /* int: LAPACK's, written where it is not 0 */
    STACKINV_RCOND,       /* double; only with the inverse */
    STACKINV_SIGN,        /* of the determinant, of modulus 1, or 0: double, two of them for complex matrices */
    STACKINV_LOGARITHM,   /* of its modulus: double */
    STACKINV_DETERMINANT, /* as the sign */
    STACKINV_RIGHT,       /* right-hand sides B, */
    STACKINV_SOLUTION,    /* and X from A X = B; not with the inverse */
    STACKINV_ARRAYS
};

/* How the numbers of a matrix lie in the user's memory; strides are in bytes. */
struct layout {
    bool single;
    ptrdiff_t row, column;
};

struct stack {
    enum type type;
    enum structure structure;
    bool transposed; /* it describes the transposes of the matrices */
    ptrdiff_t n;     /* matrices */
    int m;           /* the order of each */
    struct layout a, inverse;
    int columns; /* of the right-hand sides */
    struct layout right, solution;
    /* The axes of the stack, the last one first to be counted through. */
    int ndim;
    ptrdiff_t shape[STACKINV_MOST_AXES];
    ptrdiff_t strides[STACKINV_ARRAYS][STACKINV_MOST_AXES];
    char *at[STACKINV_ARRAYS]; /* of the first matrix; NULL if nobody asked */
};

/* Describe a stack of one matrix of order m, whose arrays are at `at`; axes are then added, the first one first. */
void stackinv_describe(struct stack *, enum type, enum structure, int m, struct layout a, struct layout inverse,
                       char *const at[STACKINV_ARRAYS]);
/* Of systems to be solved, before axes are added: the right-hand sides, of so many columns, and where the solutions go. */
void stackinv_add_systems(struct stack *, int columns, struct layout right, struct layout solution);
void stackinv_add_axis(struct stack *, ptrdiff_t length, const ptrdiff_t strides[STACKINV_ARRAYS]);

/* The engines, in the order of the table in loop.c. LAPACK's is not here but in _lapack.pyx. */
enum engine_name { STACKINV_LANES, STACKINV_BLOCKED, STACKINV_TOGETHER, STACKINV_DIAGONALS, STACKINV_LAPACK };

/* What holds for calls that begin from now on. Tests and scripts in bench/ change it, at any time and from any thread. */
struct settings {
    const struct build *build;
    int engine; /* of matrices that are not diagonal, or -1 for the best */
    double turn_seconds;
    double least_shared_seconds; /* below this much work one thread does it */
};
extern struct atomic_settings {
    _Atomic(const struct build *) build;
    _Atomic(int) engine;
    _Atomic(double) turn_seconds, least_shared_seconds;
} stackinv_now;
static inline struct settings stackinv_settings(void)
{
    return (struct settings){atomic_load_explicit(&stackinv_now.build, memory_order_relaxed),
                             atomic_load_explicit(&stackinv_now.engine, memory_order_relaxed),
                             atomic_load_explicit(&stackinv_now.turn_seconds, memory_order_relaxed),
                             atomic_load_explicit(&stackinv_now.least_shared_seconds, memory_order_relaxed)};
}
void stackinv_use_build(const struct build *);
void stackinv_use_engine(int engine);
/* What it was before. */
double stackinv_override_turn(double seconds);
double stackinv_override_sharing(double least_seconds);

/* How a stack is to be inverted. */
struct choice {
    const struct build *build;
    enum engine_name engine;
    double seconds; /* of one matrix on one thread, roughly */
    bool shared;    /* whether threads pay */
};

/* Once in a process, before all else. */
void stackinv_prepare(void);

/* The fastest. Only if `lapack`, it may be LAPACK's, which stackinv_begin does not know. */
struct choice stackinv_choose(const struct stack *, bool lapack);
/* The order up to which the lanes engine is chosen for long stacks. */
int stackinv_most_lanes_m(const struct build *, enum type, enum structure);

/* A call, with all the memory that it needs, or NULL if there is not so much. The stack must outlive it. */
struct call *stackinv_begin(const struct stack *, struct choice, int threads);
/* The same in memory of the caller's, at a multiple of 16, of at least so many bytes; 0 if none is enough. */
struct call *stackinv_begin_in(void *memory, const struct stack *, struct choice, int threads);
size_t stackinv_memory(const struct stack *, struct choice, int threads);
/* Go on for a moment; whether there is work left. */
bool stackinv_turn(struct call *);
/* How many matrices are inverted so far. */
ptrdiff_t stackinv_finished(const struct call *);
/* Give the memory back; how many of the matrices are singular. */
ptrdiff_t stackinv_end(struct call *);

/* All of that at once on this thread, for work that is done in no time: how many are singular, or -1 if there is no memory or it
   is LAPACK's. */
ptrdiff_t stackinv_invert_few(const struct stack *);

/* Ask for large pages where there are whole ones, as NumPy does for its arrays: fewer faults, and fewer addresses to look up. */
void stackinv_use_large_pages(void *memory, size_t size);

#endif
