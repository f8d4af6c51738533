/* SPDX-License-Identifier: BSD-3-Clause */
/* What this x86-64 processor is, asked of itself: the compilers' own functions want a library of theirs, which Clang lacks where it
   takes the place of Microsoft's. */
#ifndef STACKINV_PROCESSOR_H
#define STACKINV_PROCESSOR_H

#include <cpuid.h>
#include <stdbool.h>

/* Whether it has FMA and such extensions (leaf 7, EBX), and the system keeps such registers (XCR0). */
static inline bool stackinv_has(unsigned extensions, unsigned registers)
{
    unsigned a, b, c, d, kept, high;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_OSXSAVE) || !(c & bit_FMA))
        return false;
    __asm__("xgetbv" : "=a"(kept), "=d"(high) : "c"(0));
    return (kept & registers) == registers && __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & extensions) == extensions;
}

static inline bool stackinv_has_avx2(void)
{
    return stackinv_has(bit_AVX2, 0x06);
}

static inline bool stackinv_has_avx512(void)
{
    const unsigned extensions = bit_AVX512F | bit_AVX512DQ | bit_AVX512BW | bit_AVX512VL;
    return stackinv_has(bit_AVX2 | extensions, 0xe6);
}

static inline bool stackinv_is_intel(void)
{
    unsigned a, b, c, d;
    return __get_cpuid(0, &a, &b, &c, &d) && b == signature_INTEL_ebx && d == signature_INTEL_edx &&
           c == signature_INTEL_ecx;
}

#endif
