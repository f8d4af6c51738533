/* SPDX-License-Identifier: BSD-3-Clause */
/* Results larger than the caches go to memory past them: it need not be read first, which is a third of the traffic. */
#ifndef STACKINV_STREAM_H
#define STACKINV_STREAM_H

#include <stddef.h>
#include <string.h>

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#define STACKINV_STREAMS 1
#else
#define STACKINV_STREAMS 0
#endif

/* Copy so that `to` does not enter the caches, in whole cache lines; what is left at both ends is copied as usual. */
static void stream(char *to, const char *from, ptrdiff_t bytes)
{
#if STACKINV_STREAMS
    ptrdiff_t head = -(size_t)to & 63;
    if (head > bytes)
        head = bytes;
    memcpy(to, from, head);
    to += head, from += head, bytes -= head;
    for (; bytes >= 64; to += 64, from += 64, bytes -= 64)
        for (int part = 0; part < 64; part += 16)
            _mm_stream_si128((__m128i *)(to + part), _mm_loadu_si128((const __m128i *)(from + part)));
#endif
    memcpy(to, from, bytes);
}

/* Make what was streamed visible to other threads. */
static void stream_end(void)
{
#if STACKINV_STREAMS
    _mm_sfence();
#endif
}

#endif
