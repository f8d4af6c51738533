/* SPDX-License-Identifier: BSD-3-Clause */
/* The words in which the kernels are written, for one type and one instruction set: vectors, elements, and ways between the
   user's memory and a tile.

   Included once a file that is compiled with TYPE, what the names of its functions begin with; SINGLE and COMPLEX, 1 or 0;
   INSTRUCTIONS, the file of the instruction set; and STACKINV_SHUFFLEVECTOR if the compiler has __builtin_shufflevector.

   Names are put together: d_invert_lu, as debuggers and profiles show it, is written NAME(invert_lu), and double_select is
   TYPED(select). Search for the words without the type. A function for each small order, d_lu_4, comes from DEFINE_LU. */
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* IS_CONSTANT: whether the compiler knows the value. PREFETCH: for writing or not, and how near, from 0 to 3. Clang in the place of
   Microsoft's compiler has all this, but not GCC's name. */
#if defined(__GNUC__) || defined(__clang__)
#define INLINE static inline __attribute__((always_inline, unused))
#if defined(__clang__)
#define NOINLINE static __attribute__((noinline))
#else
#define NOINLINE static __attribute__((noinline, noclone))
#endif
#define IS_CONSTANT(x) __builtin_constant_p(x)
#define PREFETCH(at, for_writing, near) __builtin_prefetch(at, for_writing, near)
#else
#define INLINE static inline
#define NOINLINE static
#define IS_CONSTANT(x) false
#define PREFETCH(at, for_writing, near) ((void)(at))
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

#define JOIN_NAMES_(x, y) x##y
#define JOIN_NAMES(x, y) JOIN_NAMES_(x, y)
#define NAME(name) JOIN_NAMES(TYPE, name)

#if SINGLE
#define REAL float
#define OTHER double
#define INTEGER int32_t
#define SAFE_MINIMUM 0x1p-126f
#define NORM_UNIT 0x1p-16f
#define SQUARE_ROOT sqrtf
#define TYPED(name) JOIN_NAMES(float_, name)
#else
#define REAL double
#define OTHER float
#define INTEGER int64_t
#define SAFE_MINIMUM 0x1p-1022
#define NORM_UNIT 0x1p-20
#define SQUARE_ROOT sqrt
#define TYPED(name) JOIN_NAMES(double_, name)
#endif
#if COMPLEX
#define PARTS 2
#else
#define PARTS 1
#endif

/* What the instruction set has beyond the compiler's vector extensions. */
#include INSTRUCTIONS

/* Numbers in a vector. */
#if VECTOR_BYTES == (SINGLE ? 64 : 128)
#define WIDTH 16
#elif VECTOR_BYTES == (SINGLE ? 32 : 64)
#define WIDTH 8
#elif VECTOR_BYTES == (SINGLE ? 16 : 32)
#define WIDTH 4
#elif VECTOR_BYTES == (SINGLE ? 8 : 16)
#define WIDTH 2
#else
#define WIDTH 1
#endif

#include "../tuning.h"

#include "vector-inl.h"
#include "element-inl.h"
#include "move-inl.h"
