/* SPDX-License-Identifier: BSD-3-Clause */
/* SSE2, the baseline of x86. What there is to define: portable-inl.h. */
#include <immintrin.h>

#define VECTOR_BYTES 16
#define APART true

#if SINGLE
#define REALS __m128
#define INTRINSIC(name) _mm_##name##_ps
#else
#define REALS __m128d
#define INTRINSIC(name) _mm_##name##_pd
#endif

#define ANY_SIGN(x) (INTRINSIC(movemask)((REALS)(x)) != 0)
#define SQUARE_ROOTS(x) (V) INTRINSIC(sqrt)((REALS)(x))
#define LARGER(x, y) (V) INTRINSIC(max)((REALS)(x), (REALS)(y))

#if defined(__FMA__) /* of somebody who compiles all for a newer processor */
#define ROUNDED(x) __asm__("" : "+v"(x))
#endif
