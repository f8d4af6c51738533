/* SPDX-License-Identifier: BSD-3-Clause */
/* Every number that was found by trying, and by what. */
#ifndef STACKINV_TUNING_H
#define STACKINV_TUNING_H

/* ---- The loop over the stack ---- */

/* Bytes of results that are taken at a time: a large page of memory, which threads would wait for each other to fill, or
   less where that takes long. By hand: CONTRIBUTING, what has been learnt. */
#define CHUNK_BYTES (2 << 20)
/* After so long all threads leave off, to look at signals and to call the callback: soon enough for who waits (0.2 s), and rarely enough
   to cost nothing. bench/interrupting.py. */
#define TURN_SECONDS 0.03
/* Below this much work a team of threads costs more than it brings. bench/sharing.py. */
#define LEAST_SHARED_SECONDS 300e-6
/* Matrices that take longer, roughly, are inverted by all threads together, since each thread would need as much memory. */
#define MOST_ALONE_SECONDS 0.5
/* One matrix by several threads: as if these rows of it were one thread's work. bench/sharing.py. */
#define SERIAL_ROWS 60
/* The last memory is kept for the next call, unless it is larger: what the system takes to give and clear the memory of a
   matrix of M = 256 is as long as its inversion. By hand. */
#define MOST_SPARE_BYTES (16 << 20)

/* ---- Results past the caches ---- */

/* Results of more bytes than this do not stay in the caches anyway, and go past them, ... */
#define LEAST_STREAMED_BYTES (32 << 20)
/* ... by way of a copy, which should be worth it (twice as large where little arithmetic hides it), and stay in the
   cache of a core. bench/layouts.py. */
#define LEAST_STAGED_BYTES (1 << 10)
#define MOST_STAGED_BYTES (256 << 10)
/* Diagonal matrices: results that follow each other are copied, so many bytes at a time, from a template whose zeros are written
   once, ... */
#define TEMPLATE_BYTES (4 << 10)
/* ... unless one is larger: then its zeros are written where they go. */
#define MOST_TEMPLATE_BYTES (1 << 20)

/* ---- The blocked engine ---- */

/* The next matrix is fetched early if the cache of a core has room for it beside the present one. */
#define MOST_FETCHED_BYTES (256 << 10)
/* Smaller matrices take little time, and are not left off in the midst of a task. bench/interrupting.py. */
#define LEAST_LEFT_OFF_M 512
/* Matrices that lie across each other, so that neighbours share each cache line, are gathered: so many at a time, or as
   many as these bytes hold. By hand. */
#define MOST_GATHERED 16
#define MOST_GATHERED_BYTES (16 << 20)
/* Rows of a symmetric result that are one task. By hand. */
#define RESULT_ROWS 64

#endif
