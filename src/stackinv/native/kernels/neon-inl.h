/* SPDX-License-Identifier: BSD-3-Clause */
/* NEON, the baseline of 64-bit ARM. What there is to define: portable-inl.h. */
#define VECTOR_BYTES 16
#define APART false

#define ROUNDED(x) __asm__("" : "+w"(x))
