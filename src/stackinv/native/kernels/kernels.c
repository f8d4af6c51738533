/* SPDX-License-Identifier: BSD-3-Clause */
/* The kernels of both engines for one type and one instruction set. Compiled once for each, with KERNELS, the name of the
   table that this file defines; TYPE, what the names of its functions begin with; SINGLE and COMPLEX, 1 or 0; VECTOR_BYTES,
   0 for a compiler without vector extensions; and STACKINV_SHUFFLEVECTOR if it has __builtin_shufflevector. */
#include "kernels.h"

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#if defined(__AVX512F__) || defined(__AVX__) || defined(__SSE2__)
#include <immintrin.h>
#endif

#if defined(__GNUC__)
#define INLINE static inline __attribute__((always_inline, unused))
#if defined(__clang__)
#define NOINLINE static __attribute__((noinline))
#else
#define NOINLINE static __attribute__((noinline, noclone))
#endif
#else
#define INLINE static inline
#define NOINLINE static
#endif

/* GCC 9 takes vectors that may alias others for another type than their sums. -fno-strict-aliasing does for both. */
#if defined(__GNUC__) && !defined(__clang__) && __GNUC__ < 10
#define may_alias
#endif

/* Loops whose bounds are constants wherever they stand, to be unrolled whole. */
#if defined(__clang__)
#define UNROLL _Pragma("clang loop unroll(full)")
#elif defined(__GNUC__)
#define UNROLL _Pragma("GCC unroll 16")
#else
#define UNROLL
#endif
#define UNROLLED(i, first, end) UNROLL for (int i = first; i < (end); i++)
#define UNROLLED_DOWN(i, first, last) UNROLL for (int i = first; i >= (last); i--)

/* Up to this order the compiler makes a function of its own for each. */
#if VECTOR_BYTES == 64
#define SMALL (PARTS == 1 ? 9 : 8)
#elif VECTOR_BYTES == 32
#define SMALL 8
#else
#define SMALL (PARTS == 1 ? 5 : 4)
#endif
/* Up to this one factors are rounded as by OpenBLAS's kernels for the same processors, so that NumPy finds the same
   matrices singular. Those for x86 before AVX-512 round products before they add them. */
#define AS_OPENBLAS 5
#if VECTOR_BYTES == 64 || defined(__aarch64__)
#define APART false
#else
#define APART true
#endif
/* Up to this one the inverse of U is found column by column. */
#define MEDIUM 20
/* Up to this one the tile is meant to stay in registers. */
#define IN_REGISTERS 4

/* Up to so many rows are exchanged row by row, more of them lane by lane, as is faster. */
#if VECTOR_BYTES == 64
#define FEW_ROWS (2 * WIDTH)
#elif VECTOR_BYTES == 32
#define FEW_ROWS WIDTH
#else
#define FEW_ROWS 0
#endif

/* Columns that the blocked engine factors one by one: whole vectors. */
#define PANEL_COLUMNS (WIDTH > 8 ? WIDTH : 8)

#define JOIN_NAMES_(x, y) x##y
#define JOIN_NAMES(x, y) JOIN_NAMES_(x, y)

#if SINGLE
#define REAL float
#define OTHER double
#define INTEGER int32_t
#define SAFE_MINIMUM 0x1p-126f
#define NORM_UNIT 0x1p-16f
#define SQUARE_ROOT sqrtf
#define TYPED(name) JOIN_NAMES(float_, name)
#if VECTOR_BYTES == 64
#define WIDTH 16
#elif VECTOR_BYTES == 32
#define WIDTH 8
#elif VECTOR_BYTES == 16
#define WIDTH 4
#else
#define WIDTH 1
#endif
#if VECTOR_BYTES == 64 && defined(__AVX512F__)
#define MASK __mmask16
#define MASK_COMPARE(x, y, how) _mm512_cmp_ps_mask((__m512)(x), (__m512)(y), how)
#define MASK_SAME(x, y) _mm512_cmpeq_epi32_mask((__m512i)(x), (__m512i)(y))
#define MASK_SELECT(mask, yes, no) (V) _mm512_mask_blend_ps(mask, (__m512)(no), (__m512)(yes))
#define MASK_SELECT_INTEGER(mask, yes, no) (VI) _mm512_mask_blend_epi32(mask, (__m512i)(no), (__m512i)(yes))
#define LARGER(x, y) (V) _mm512_max_ps((__m512)(x), (__m512)(y))
#define SQUARE_ROOTS(x) (V) _mm512_sqrt_ps((__m512)(x))
#define PERMUTE(x, from, y) (V) _mm512_permutex2var_ps((__m512)(x), (__m512i)(from), (__m512)(y))
#elif VECTOR_BYTES == 32 && defined(__AVX__)
#define LARGER(x, y) (V) _mm256_max_ps((__m256)(x), (__m256)(y))
#define SQUARE_ROOTS(x) (V) _mm256_sqrt_ps((__m256)(x))
#elif VECTOR_BYTES == 16 && defined(__SSE2__)
#define LARGER(x, y) (V) _mm_max_ps((__m128)(x), (__m128)(y))
#define SQUARE_ROOTS(x) (V) _mm_sqrt_ps((__m128)(x))
#endif
#else
#define REAL double
#define OTHER float
#define INTEGER int64_t
#define SAFE_MINIMUM 0x1p-1022
#define NORM_UNIT 0x1p-20
#define SQUARE_ROOT sqrt
#define TYPED(name) JOIN_NAMES(double_, name)
#if VECTOR_BYTES == 64
#define WIDTH 8
#elif VECTOR_BYTES == 32
#define WIDTH 4
#elif VECTOR_BYTES == 16
#define WIDTH 2
#else
#define WIDTH 1
#endif
#if VECTOR_BYTES == 64 && defined(__AVX512F__)
#define MASK __mmask8
#define MASK_COMPARE(x, y, how) _mm512_cmp_pd_mask((__m512d)(x), (__m512d)(y), how)
#define MASK_SAME(x, y) _mm512_cmpeq_epi64_mask((__m512i)(x), (__m512i)(y))
#define MASK_SELECT(mask, yes, no) (V) _mm512_mask_blend_pd(mask, (__m512d)(no), (__m512d)(yes))
#define MASK_SELECT_INTEGER(mask, yes, no) (VI) _mm512_mask_blend_epi64(mask, (__m512i)(no), (__m512i)(yes))
#define LARGER(x, y) (V) _mm512_max_pd((__m512d)(x), (__m512d)(y))
#define SQUARE_ROOTS(x) (V) _mm512_sqrt_pd((__m512d)(x))
#define PERMUTE(x, from, y) (V) _mm512_permutex2var_pd((__m512d)(x), (__m512i)(from), (__m512d)(y))
#elif VECTOR_BYTES == 32 && defined(__AVX__)
#define LARGER(x, y) (V) _mm256_max_pd((__m256d)(x), (__m256d)(y))
#define SQUARE_ROOTS(x) (V) _mm256_sqrt_pd((__m256d)(x))
#elif VECTOR_BYTES == 16 && defined(__SSE2__)
#define LARGER(x, y) (V) _mm_max_pd((__m128d)(x), (__m128d)(y))
#define SQUARE_ROOTS(x) (V) _mm_sqrt_pd((__m128d)(x))
#endif
#endif
#include "vector-inl.h"

#if COMPLEX
#define PARTS 2
#define BLOCK (VECTOR_BYTES == 64 ? 3 : 2)
#define TILE_STRIPS (VECTOR_BYTES == 64 ? 3 : 2)
#define TILE_COLUMNS (VECTOR_BYTES == 64 ? 4 : 2)
#else
#define PARTS 1
#define BLOCK (VECTOR_BYTES == 64 ? 4 : 3)
#define TILE_STRIPS 3
#define TILE_COLUMNS (VECTOR_BYTES == 64 ? 8 : 4)
#endif
#define NAME(name) JOIN_NAMES(TYPE, name)
#include "lanes-inl.h"
#include "lanes_triangle-inl.h"
#include "lanes_cholesky-inl.h"
#include "lanes_lu-inl.h"
#include "blocked-inl.h"
#include "blocked_rows-inl.h"
#include "blocked_triangle-inl.h"
#include "blocked_cholesky-inl.h"
#include "blocked_lu-inl.h"
#include "blocked_symmetric-inl.h"

const struct kernels KERNELS = {
    WIDTH,
    {NAME(lu_work_size), NAME(lu_work_size), NAME(cholesky_work_size), NAME(triangle_work_size)},
    {NAME(invert_lu), NAME(invert_lu), NAME(invert_cholesky), NAME(invert_triangle)},
    {
        {NAME(one_factor_size),
         NAME(rows_size),
         NAME(count_tasks),
         NAME(lu_read_block),
         NAME(lu_update_block),
         NAME(lu_factor_block),
         {NAME(lu_invert_rows), NULL},
         NAME(blocked_rcond)},
        {NAME(two_factors_size),
         NAME(rows_size),
         NAME(count_tasks),
         NAME(symmetric_read_block),
         NAME(lu_update_block),
         NAME(lu_factor_block),
         {NAME(symmetric_invert_columns), NAME(symmetric_solve_rows)},
         NAME(blocked_rcond)},
        {NAME(two_factors_size),
         NAME(rows_size),
         NAME(count_tasks),
         NAME(cholesky_read_block),
         NAME(cholesky_update_block),
         NAME(cholesky_factor_block),
         {NAME(cholesky_invert_rows), NAME(cholesky_multiply_rows)},
         NAME(blocked_rcond)},
        {NAME(one_factor_size),
         NAME(rows_size),
         NAME(count_tasks),
         NAME(triangle_read_block),
         NAME(triangle_update_block),
         NAME(triangle_factor_block),
         {NAME(triangle_invert), NULL},
         NAME(blocked_rcond)},
    },
};
