/* SPDX-License-Identifier: BSD-3-Clause */
/* The numbers that were found by measuring, and that another machine might want otherwise: what each is, and which script
   found it. "By hand" is none, see CONTRIBUTING.md, What has been learnt. A new instruction set starts with those of the one
   most like it. */
#ifndef STACKINV_TUNING_H
#define STACKINV_TUNING_H

/* 1. The kernels. They depend on the type and the instruction set, and on WIDTH, PARTS and VECTOR_BYTES where they are used:
   in files that include vocabulary-inl.h. */

/* Up to this order the compiler makes a function of its own for each, while it fits the instruction cache. By hand; whether
   the order that follows is a cliff is shown by bench/cliffs.py. */
#define SMALL                                                                                                          \
    (VECTOR_BYTES == 64 ? (PARTS == 1 ? 14 : 8) : VECTOR_BYTES == 32 ? (PARTS == 1 ? 12 : 8) : PARTS == 1 ? 8 : 6)

/* Up to this order the inverse of U is found column by column, for the sake of the residuals. By hand; tests/test_accuracy.py
   notices one that is far off. */
#define MEDIUM 20

/* Up to this order the tile is meant to stay in registers. By hand. */
#define IN_REGISTERS 4

/* Up to so many rows are exchanged row by row, more of them lane by lane, as is faster. By hand. */
#define FEW_ROWS (VECTOR_BYTES == 64 ? 2 * WIDTH : VECTOR_BYTES == 32 ? WIDTH : 0)

/* The order of the blocks of sums that the lanes engine holds in registers: its square of elements, with a row and a column of
   factors, fills them. By hand. */
#define BLOCK (VECTOR_BYTES == 64 ? (PARTS == 1 ? 4 : 3) : PARTS == 1 ? 3 : 2)

/* The same of the blocked engine: so many strips of so many columns. By hand. */
#define TILE_STRIPS (PARTS == 1 || VECTOR_BYTES == 64 ? 3 : 2)
#define TILE_COLUMNS (VECTOR_BYTES == 64 ? (PARTS == 1 ? 8 : 4) : PARTS == 1 ? 4 : 2)

/* Columns that the blocked engine factors one by one: whole vectors. By hand. */
#define PANEL_COLUMNS (WIDTH > 8 ? WIDTH : 8)

/* 2. The choice of the engine, in builds.c. */

/* Few matrices up to this order are inverted by the lanes engine too. By hand. */
#define ALWAYS_LANES_M 16
/* A matrix of a full tile is faster than one in the next engine by (most_m / m) to this power, roughly: with AVX-512, else. By hand. */
#define GAIN_AVX512 0.75
#define GAIN 0.5
/* Up to these orders the lanes engine is the fastest, by method (general, symmetric, positive definite,
   triangular) and type (s, d, c, z). By bench/engines.py. */
#define MOST_M_AVX512 {80, 56, 72, 64}, {56, 48, 64, 64}, {128, 128, 128, 104}, {80, 80, 72, 56}
#define MOST_M_AVX2 {96, 72, 88, 88}, {72, 56, 80, 80}, {144, 112, 112, 104}, {96, 88, 88, 96}
#define MOST_M_BASELINE {256, 256, 256, 192}, {256, 256, 256, 192}, {256, 256, 256, 256}, {256, 256, 80, 256}
/* Without vectors, where LAPACK comes next. */
#define MOST_M_SCALAR {192, 96, 112, 48}, {12, 12, 24, 24}, {96, 112, 40, 64}, {192, 256, 24, 256}

/* 3. The loop over the stack. */

/* Bytes of results that are taken at a time: a large page of memory, which threads would wait for each other to fill, or
   less where that takes long. By hand: CONTRIBUTING, what has been learnt. */
#define CHUNK_BYTES (2 << 20)
/* After so long all threads leave off, to look at signals and to call the callback: soon enough for who waits (0.2 s), and rarely enough
   to cost nothing. bench/interrupting.py. */
#define TURN_SECONDS 0.03
/* Below this much work a team of threads costs more than it brings. bench/sharing.py. */
#define LEAST_SHARED_SECONDS 300e-6
/* Matrices that take longer, roughly, are inverted by all threads together, since each thread would need as much memory. */
#define MOST_ALONE_SECONDS 0.5
/* One matrix by several threads: as if these rows of it were one thread's work. bench/sharing.py. */
#define SERIAL_ROWS 60
/* The last memory is kept for the next call, unless it is larger: what the system takes to give and clear the memory of a
   matrix of M = 256 is as long as its inversion. By hand. */
#define MOST_SPARE_BYTES (16 << 20)

/* A tile that takes no more memory is calculated in the thread's stack, which one of these orders always does. By hand: M = 16 of
   AVX2 fits, and any stack has as much. */
#define MOST_FEW_BYTES (24 << 10)
#define ALWAYS_FEW_M 8

/* Memory of so many bytes is asked for in large pages, where the system gives them if asked. NumPy's limit. */
#define LEAST_LARGE_PAGES_BYTES (4 << 20)

/* 4. Results past the caches. */

/* Results of more bytes than this do not stay in the caches anyway, and go past them, but on Intel's processors, which store slowly
   so, ... */
#define LEAST_STREAMED_BYTES (32 << 20)
/* ... by way of a copy, which should be worth it (twice as large where little arithmetic hides it), and stay in the
   cache of a core. By hand. */
#define LEAST_STAGED_BYTES (1 << 10)
#define MOST_STAGED_BYTES (256 << 10)
/* Diagonal matrices: results that follow each other are copied, so many bytes at a time, from a template whose zeros are written
   once, ... */
#define TEMPLATE_BYTES (4 << 10)
/* ... unless one is larger: then its zeros are written where they go. */
#define MOST_TEMPLATE_BYTES (1 << 20)

/* 5. Matrices side by side. */

/* From this order on the lanes engine has them gathered, so many bytes of each of their numbers at a time: with less, memory is slow.
   By hand. */
#define LEAST_GATHERED_M 5
#define GATHERED_RUN_BYTES (1 << 10)

/* 6. Matrices of the blocked engine. */

/* Smaller matrices take little time, and are not left off in the midst of a task. bench/interrupting.py. */
#define LEAST_LEFT_OFF_M 512
/* Matrices that lie across each other, so that neighbours share each cache line, are gathered: so many at a time, or as
   many as these bytes hold. By hand. */
#define MOST_GATHERED 16
#define MOST_GATHERED_BYTES (16 << 20)
/* What a task on rows of a large matrix costs beyond its products, since it reads the factors: in the time of a tile. By hand. */
#define TASK_COST 0.2
/* Rows of a task, half as many of complex numbers: beyond, little is left to gain. By hand, cachegrind. */
#define MOST_TASK_ROWS 96
/* A core's second cache, before caches.c says what the machine has. */
#define USUAL_SECOND_CACHE (512 << 10)
/* Rows of a symmetric result that are one task. By hand. */
#define RESULT_ROWS 64

/* 7. The LAPACK engine, in _lapack.pyx. */

/* Below this order OpenBLAS's lock makes two threads slower than one. bench/sharing.py. */
#define LEAST_LAPACK_SHARED_M 16
/* Up to this order OpenBLAS's getrf and getri use one thread anyway, so that one thread need not pin them. */
#define LEAST_BLAS_THREADS_M 65
/* OpenBLAS's threaded getrf keeps large arrays on the stack of the thread that calls it. */
#define LEAST_STACK_FOR_BLAS_THREADS (4 << 20)

#endif
