/* SPDX-License-Identifier: BSD-3-Clause */
/* AVX2 with FMA. What there is to define: portable-inl.h. */
#include <immintrin.h>

#define VECTOR_BYTES 32
#define APART true

#if SINGLE
#define REALS __m256
#define INTRINSIC(name) _mm256_##name##_ps
#else
#define REALS __m256d
#define INTRINSIC(name) _mm256_##name##_pd
#endif

#define LEAVE() _mm256_zeroupper()
#define ROUNDED(x) __asm__("" : "+v"(x))
#define SQUARE_ROOTS(x) (V) INTRINSIC(sqrt)((REALS)(x))
#define ANY_SIGN(x) (INTRINSIC(movemask)((REALS)(x)) != 0)
#define LARGER(x, y) (V) INTRINSIC(max)((REALS)(x), (REALS)(y))
