/* SPDX-License-Identifier: BSD-3-Clause */
/* What XLA, JAX's compiler, calls, and as much of its interface for that as is needed here: version 0.1 of what it calls its FFI, in
   plain C, whose structures only grow at their ends. */
#ifndef STACKINV_XLA_H
#define STACKINV_XLA_H

#include <stddef.h>
#include <stdint.h>

enum { XLA_FFI_MAJOR = 0, XLA_FFI_MINOR = 1 };

struct xla_extension {
    size_t struct_size;
    int type; /* 1: metadata */
    struct xla_extension *next;
};

struct xla_version {
    size_t struct_size;
    struct xla_extension *extensions;
    int major, minor;
};

struct xla_metadata {
    size_t struct_size;
    struct xla_version version;
    uint32_t traits;
};

struct xla_metadata_extension {
    struct xla_extension base;
    struct xla_metadata *metadata;
};

enum xla_type { XLA_S32 = 4, XLA_F32 = 11, XLA_F64 = 12, XLA_C64 = 15, XLA_C128 = 18 };

struct xla_buffer {
    size_t struct_size;
    struct xla_extension *extensions;
    int type; /* enum xla_type */
    void *data;
    int64_t rank;
    int64_t *dims;
};

struct xla_scalar {
    int type;
    void *value;
};

struct xla_text {
    const char *at;
    size_t length;
};

struct xla_error;

struct xla_error_arguments {
    size_t struct_size;
    struct xla_extension *extensions;
    const char *message;
    int code; /* 3: invalid argument; 8: resource exhausted */
};

struct xla_api {
    size_t struct_size;
    struct xla_extension *extensions;
    struct xla_version version;
    const void *internal;
    struct xla_error *(*create_error)(struct xla_error_arguments *);
};

struct xla_call {
    size_t struct_size;
    struct xla_extension *extensions;
    const struct xla_api *api;
    void *context;
    int stage;
    struct {
        size_t struct_size;
        struct xla_extension *extensions;
        int64_t size;
        int *types; /* 1: a buffer */
        struct xla_buffer **at;
    } arguments, results;
    struct {
        size_t struct_size;
        struct xla_extension *extensions;
        int64_t size;
        int *types; /* 3: a scalar */
        struct xla_text **names;
        void **at;
    } attributes;
};

/* By what it is given: of a the inverse, of a and b the solution, of a into two results the sign and the logarithm of the determinant. The
   attribute `structure` is an int32, enum stackinv_structure. */
struct xla_error *stackinv_xla(struct xla_call *);

#endif
