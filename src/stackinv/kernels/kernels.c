/* The kernels of both engines for one instruction set, for all types. Compiled once for each, with KERNELS, the name of
   the table that this file defines, VECTOR_BYTES, 0 for a compiler without vector extensions, and STACKINV_SHUFFLEVECTOR if
   it has __builtin_shufflevector. */
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
#include "vector.h"

#define PARTS 1
#define BLOCK (VECTOR_BYTES == 64 ? 4 : 3)
#define TILE_STRIPS 3
#define TILE_COLUMNS (VECTOR_BYTES == 64 ? 8 : 4)
#define NAME(name) JOIN_NAMES(d_, name)
#include "engines.h"
#undef PARTS
#undef BLOCK
#undef TILE_STRIPS
#undef TILE_COLUMNS
#undef NAME

#define PARTS 2
#define BLOCK (VECTOR_BYTES == 64 ? 3 : 2)
#define TILE_STRIPS (VECTOR_BYTES == 64 ? 3 : 2)
#define TILE_COLUMNS (VECTOR_BYTES == 64 ? 4 : 2)
#define NAME(name) JOIN_NAMES(z_, name)
#include "engines.h"
#undef PARTS
#undef BLOCK
#undef TILE_STRIPS
#undef TILE_COLUMNS
#undef NAME

#undef REAL
#undef OTHER
#undef INTEGER
#undef SAFE_MINIMUM
#undef NORM_UNIT
#undef SQUARE_ROOT
#undef TYPED
#undef WIDTH
#undef MASK
#undef MASK_COMPARE
#undef MASK_SAME
#undef MASK_SELECT
#undef MASK_SELECT_INTEGER
#undef LARGER
#undef SQUARE_ROOTS
#undef PERMUTE

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
#include "vector.h"

#define PARTS 1
#define BLOCK (VECTOR_BYTES == 64 ? 4 : 3)
#define TILE_STRIPS 3
#define TILE_COLUMNS (VECTOR_BYTES == 64 ? 8 : 4)
#define NAME(name) JOIN_NAMES(s_, name)
#include "engines.h"
#undef PARTS
#undef BLOCK
#undef TILE_STRIPS
#undef TILE_COLUMNS
#undef NAME

#define PARTS 2
#define BLOCK (VECTOR_BYTES == 64 ? 3 : 2)
#define TILE_STRIPS (VECTOR_BYTES == 64 ? 3 : 2)
#define TILE_COLUMNS (VECTOR_BYTES == 64 ? 4 : 2)
#define NAME(name) JOIN_NAMES(c_, name)
#include "engines.h"
#undef PARTS
#undef BLOCK
#undef TILE_STRIPS
#undef TILE_COLUMNS
#undef NAME

/* By type. */
#define EACH(name) {s_##name, d_##name, c_##name, z_##name}
#define LU_STEPS(type)                                                                                                 \
    {type##one_factor_size,        type##rows_size,       type##count_tasks,                                           \
     type##lu_read_block,          type##lu_update_block, type##lu_factor_block,                                       \
     {type##lu_invert_rows, NULL}, type##blocked_rcond}
#define SYMMETRIC_STEPS(type)                                                                                          \
    {type##two_factors_size,                                                                                           \
     type##rows_size,                                                                                                  \
     type##count_tasks,                                                                                                \
     type##symmetric_read_block,                                                                                       \
     type##lu_update_block,                                                                                            \
     type##lu_factor_block,                                                                                            \
     {type##symmetric_invert_columns, type##symmetric_solve_rows},                                                     \
     type##blocked_rcond}
#define CHOLESKY_STEPS(type)                                                                                           \
    {type##two_factors_size,                                                                                           \
     type##rows_size,                                                                                                  \
     type##count_tasks,                                                                                                \
     type##cholesky_read_block,                                                                                        \
     type##cholesky_update_block,                                                                                      \
     type##cholesky_factor_block,                                                                                      \
     {type##cholesky_invert_rows, type##cholesky_multiply_rows},                                                       \
     type##blocked_rcond}
#define TRIANGLE_STEPS(type)                                                                                           \
    {type##one_factor_size,                                                                                            \
     type##rows_size,                                                                                                  \
     type##count_tasks,                                                                                                \
     type##triangle_read_block,                                                                                        \
     type##triangle_update_block,                                                                                      \
     type##triangle_factor_block,                                                                                      \
     {type##triangle_invert, NULL},                                                                                    \
     type##blocked_rcond}

const struct kernels KERNELS = {
    {sizeof(float_vector) / sizeof(float), sizeof(double_vector) / sizeof(double), sizeof(float_vector) / sizeof(float),
     sizeof(double_vector) / sizeof(double)},
    {EACH(lu_work_size), EACH(lu_work_size), EACH(cholesky_work_size), EACH(triangle_work_size)},
    {EACH(invert_lu), EACH(invert_lu), EACH(invert_cholesky), EACH(invert_triangle)},
    {{LU_STEPS(s_), LU_STEPS(d_), LU_STEPS(c_), LU_STEPS(z_)},
     {SYMMETRIC_STEPS(s_), SYMMETRIC_STEPS(d_), SYMMETRIC_STEPS(c_), SYMMETRIC_STEPS(z_)},
     {CHOLESKY_STEPS(s_), CHOLESKY_STEPS(d_), CHOLESKY_STEPS(c_), CHOLESKY_STEPS(z_)},
     {TRIANGLE_STEPS(s_), TRIANGLE_STEPS(d_), TRIANGLE_STEPS(c_), TRIANGLE_STEPS(z_)}},
};
