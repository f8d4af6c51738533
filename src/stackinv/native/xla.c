/* SPDX-License-Identifier: BSD-3-Clause */
/* JAX's way in: arrays as XLA has them, to the functions that other compiled code calls. Nothing is an error that is one of a
   matrix: functions of JAX cannot raise, and return NaN. */
#include "xla.h"
#include "api.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

static struct xla_error *fail(const struct xla_call *call, const char *message, int code)
{
    struct xla_error_arguments arguments = {sizeof arguments, NULL, message, code};
    return call->api->create_error(&arguments);
}

static bool tells_of_itself(const struct xla_call *call)
{
    if (!call->extensions || call->extensions->type != 1)
        return false;
    struct xla_metadata *metadata = ((struct xla_metadata_extension *)call->extensions)->metadata;
    metadata->version.major = XLA_FFI_MAJOR;
    metadata->version.minor = XLA_FFI_MINOR;
    metadata->traits = 0;
    return true;
}

/* enum stackinv_type, or -1. */
static int type_of(const struct xla_buffer *buffer)
{
    switch (buffer->type) {
    case XLA_F32:
        return STACKINV_FLOAT32;
    case XLA_F64:
        return STACKINV_FLOAT64;
    case XLA_C64:
        return STACKINV_COMPLEX64;
    case XLA_C128:
        return STACKINV_COMPLEX128;
    default:
        return -1;
    }
}

static int structure_of(const struct xla_call *call)
{
    for (int64_t k = 0; k < call->attributes.size; k++) {
        const struct xla_text *name = call->attributes.names[k];
        const struct xla_scalar *scalar = call->attributes.at[k];
        if (name->length == 9 && memcmp(name->at, "structure", 9) == 0 && call->attributes.types[k] == 3 &&
            scalar->type == XLA_S32)
            return *(const int32_t *)scalar->value;
    }
    return -1;
}

/* Numbers of double precision to where XLA wants single. */
static void narrow(const struct xla_buffer *to, const double *from, ptrdiff_t count)
{
    for (ptrdiff_t i = 0; i < count; i++)
        ((float *)to->data)[i] = (float)from[i];
}

struct xla_error *stackinv_xla(struct xla_call *call)
{
    if (tells_of_itself(call))
        return NULL;
    struct xla_buffer **given = call->arguments.at, **results = call->results.at;
    const int64_t n_given = call->arguments.size, n_results = call->results.size;
    if (n_given < 1 || n_given > 2 || n_results < 1 || n_given + n_results > 3 || given[0]->rank < 2 ||
        given[n_given - 1]->rank != given[0]->rank)
        return fail(call, "stackinv takes a, or a and b of as many axes, at least two", 3);
    const struct xla_buffer *a = given[0];
    const ptrdiff_t order = (ptrdiff_t)a->dims[a->rank - 1];
    ptrdiff_t shape[64], n = 1;
    stackinv_stack s = {.type = type_of(a),
                        .structure = structure_of(call),
                        .threads = STACKINV_ALL_THREADS,
                        .ndim = (int)a->rank - 2,
                        .shape = shape,
                        .order = order,
                        .a = {.data = a->data}};
    if (s.ndim > 62)
        return fail(call, "stackinv takes arrays of at most 64 axes", 3);
    for (int d = 0; d < s.ndim; d++)
        n *= shape[d] = (ptrdiff_t)a->dims[d];
    const bool is_complex = s.type >= STACKINV_COMPLEX64,
               is_single = s.type == STACKINV_FLOAT32 || s.type == STACKINV_COMPLEX64;
    double *wide = NULL;
    if (n_results == 2) {
        s.sign.data = results[0]->data;
        s.logabsdet.data = results[1]->data;
        if (is_single && n) {
            wide = malloc(n * (is_complex ? 3 : 2) * sizeof *wide);
            if (!wide)
                return fail(call, "there is no memory for determinants", 8);
            s.logabsdet.data = wide;
            s.sign.data = wide + n;
        }
    } else if (n_given == 2) {
        s.columns = (ptrdiff_t)given[1]->dims[given[1]->rank - 1];
        s.b.data = given[1]->data;
        s.solution.data = results[0]->data;
    } else
        s.inverse.data = results[0]->data;
    const ptrdiff_t done = n ? stackinv_calculate_derivatives(&s) : 0;
    if (wide && done >= 0) {
        narrow(results[0], s.sign.data, is_complex ? 2 * n : n);
        narrow(results[1], s.logabsdet.data, n);
    }
    free(wide);
    return done < 0 ? fail(call, stackinv_api.describe_error(done), done == STACKINV_NO_MEMORY ? 8 : 3) : NULL;
}
