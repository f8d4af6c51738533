/* SPDX-License-Identifier: BSD-3-Clause */
/* Compilers without vector extensions, on any processor: a vector is one number. What there is to define: portable-inl.h. */
#define VECTOR_BYTES 0

#if defined(__aarch64__)
#define APART false
#else
#define APART true
#endif

#if (defined(__GNUC__) || defined(__clang__)) && defined(__FMA__)
#define ROUNDED(x) __asm__("" : "+v"(x))
#elif (defined(__GNUC__) || defined(__clang__)) && defined(__aarch64__)
#define ROUNDED(x) __asm__("" : "+w"(x))
#endif
