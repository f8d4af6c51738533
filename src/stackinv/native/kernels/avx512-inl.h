/* SPDX-License-Identifier: BSD-3-Clause */
/* AVX-512 (F, DQ, BW, VL): mask registers, and permutations of two vectors. What there is to define: portable-inl.h. */
#include <immintrin.h>

#define VECTOR_BYTES 64
#define APART false

#if SINGLE
#define REALS __m512
#define MASK __mmask16
#define INTRINSIC(name, ...) _mm512_##name##_ps##__VA_ARGS__
#define INTEGER_INTRINSIC(name, ...) _mm512_##name##_epi32##__VA_ARGS__
#else
#define REALS __m512d
#define MASK __mmask8
#define INTRINSIC(name, ...) _mm512_##name##_pd##__VA_ARGS__
#define INTEGER_INTRINSIC(name, ...) _mm512_##name##_epi64##__VA_ARGS__
#endif

#define LEAVE() _mm256_zeroupper()
#define ROUNDED(x) __asm__("" : "+v"(x))
#define SQUARE_ROOTS(x) (V) INTRINSIC(sqrt)((REALS)(x))
#define LARGER(x, y) (V) INTRINSIC(max)((REALS)(x), (REALS)(y))
#define PERMUTE(x, from, y) (V) INTRINSIC(permutex2var)((REALS)(x), (__m512i)(from), (REALS)(y))

#define MASK_GREATER(x, y) INTRINSIC(cmp, _mask)((REALS)(x), (REALS)(y), _CMP_GT_OQ)
#define MASK_EQUAL(x, y) INTRINSIC(cmp, _mask)((REALS)(x), (REALS)(y), _CMP_EQ_OQ)
#define MASK_SAME(x, y) INTEGER_INTRINSIC(cmpeq, _mask)((__m512i)(x), (__m512i)(y))
#define MASK_SELECT(mask, yes, no) (V) INTRINSIC(mask_blend)(mask, (REALS)(no), (REALS)(yes))
#define MASK_SELECT_INTEGER(mask, yes, no) (VI) INTEGER_INTRINSIC(mask_blend)(mask, (__m512i)(no), (__m512i)(yes))
