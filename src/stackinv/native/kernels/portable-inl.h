/* SPDX-License-Identifier: BSD-3-Clause */
/* Processors of which nothing is known but what the compiler makes of its vector extensions: vectors of 16 bytes.

   Also what such a file is made of: a new one starts as a copy of this. Then a line in meson.build beside it, which chooses
   the file; how to see whether it runs, and a row, in builds.c; the numbers in tuning.h; a run of tests/native/vocabulary.c, which meson
   does by itself.

   Exactly one is included, by vocabulary-inl.h, before all that depends on it. It knows SINGLE; V and VI, in its macros, are
   the vectors of vector-inl.h.

   These it must define:
     VECTOR_BYTES  the length of a vector: 64, 32 or 16; 0 for vectors of one number
     APART         whether OpenBLAS's kernels for these processors round products before they add them

   and these it may, all for one type as SINGLE says; else vector-inl.h does without:
     LEAVE()              ends the use of vectors whose registers have more bits than those of the baseline
     ROUNDED(x)           hides the vector x from the compiler; needed where it has fused multiply-add
     SQUARE_ROOTS(x)      the instruction for roots
     LARGER(x, y)         the one for x > y ? x : y, also for NaN and zeros of both signs
     ANY_SIGN(x)          whether any number of x, a vector of integers, is negative
     PERMUTE(x, from, y)  in each lane the number from[lane] of x followed by y; its other bits do not count
     MASK                 a mask register with a bit for each lane, and with it all of
     MASK_GREATER(x, y), MASK_EQUAL(x, y), MASK_SAME(x, y)            its bits where that holds; the last one of VI
     MASK_SELECT(mask, yes, no), MASK_SELECT_INTEGER(mask, yes, no)   numbers by its bits; the last one of VI */
#define VECTOR_BYTES 16
#define APART true
