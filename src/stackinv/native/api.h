/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of the functions that other compiled code calls, for the capsule that holds it. */
#ifndef STACKINV_API_H
#define STACKINV_API_H

#include "../include/stackinv/stackinv.h"

extern const stackinv_functions stackinv_api;

/* As `calculate` in the table, of those structures too that are none (loop.h): derivatives in the place of solutions. */
ptrdiff_t stackinv_calculate_derivatives(const stackinv_stack *);

/* How many threads STACKINV_ALL_THREADS are from now on. */
void stackinv_set_default_threads(int threads);

#endif
