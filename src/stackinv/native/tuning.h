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
#define SMALL (VECTOR_BYTES == 64 ? (PARTS == 1 ? 9 : 8) : VECTOR_BYTES == 32 ? 8 : PARTS == 1 ? 5 : 4)

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

/* Up to these orders the lanes engine is the fastest, by method (general, symmetric, positive definite,
   triangular) and type (s, d, c, z). By bench/engines.py. */
#define MOST_M_AVX512 {112, 80, 96, 80}, {112, 80, 96, 80}, {160, 144, 192, 160}, {80, 64, 112, 96}
#define MOST_M_AVX2 {96, 96, 96, 96}, {96, 96, 96, 96}, {128, 160, 256, 192}, {112, 96, 192, 112}
#define MOST_M_BASELINE {256, 256, 256, 192}, {256, 256, 256, 192}, {256, 256, 256, 256}, {256, 256, 80, 256}
/* Without vectors, where LAPACK comes next. */
#define MOST_M_SCALAR {192, 96, 112, 48}, {12, 12, 24, 24}, {96, 112, 40, 64}, {192, 256, 24, 256}

#endif
