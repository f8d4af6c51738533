/* SPDX-License-Identifier: BSD-3-Clause */
/* How large the caches of the machine are, by which sizes of blocks and copies are chosen. */
#ifndef STACKINV_CACHES_H
#define STACKINV_CACHES_H

#include <stddef.h>

/* Bytes of data that the cache of this level holds, 1 to 3; of a usual processor where the system does not say. */
ptrdiff_t cache_bytes(int level);

#endif
