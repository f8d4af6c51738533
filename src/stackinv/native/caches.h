/* SPDX-License-Identifier: BSD-3-Clause */
/* How large the caches of the machine are, by which sizes of blocks and copies are chosen. */
#ifndef STACKINV_CACHES_H
#define STACKINV_CACHES_H

#include <stdbool.h>
#include <stddef.h>

/* Bytes of data that the cache of this level holds, 1 to 3; of a usual processor where the system does not say. */
ptrdiff_t cache_bytes(int level);

/* Whether results of small matrices are faster written past the caches: they are on AMD's EPYC, by up to a third of the time, and as
   much slower on Intel's Xeon. */
bool storing_past_caches_pays(void);

#endif
