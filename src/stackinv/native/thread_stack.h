/* SPDX-License-Identifier: BSD-3-Clause */
/* How much stack a thread has. */
#ifndef STACKINV_THREAD_STACK_H
#define STACKINV_THREAD_STACK_H

#include "primitives.h"

#include <stddef.h>
#ifdef __linux__
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

/* Bytes of stack of the calling thread, 0 if unknown. */
static size_t thread_stack_size(void)
{
    size_t size = 0;
#if defined(__linux__)
    pthread_attr_t attr;
    struct rlimit limit;
    if (syscall(SYS_gettid) == getpid()) { /* for the first thread, glibc would read all of /proc/self/maps */
        if (getrlimit(RLIMIT_STACK, &limit) == 0)
            size = limit.rlim_cur;
    } else if (pthread_getattr_np(pthread_self(), &attr) == 0) {
        pthread_attr_getstacksize(&attr, &size);
        pthread_attr_destroy(&attr);
    }
#elif defined(__APPLE__)
    size = pthread_get_stacksize_np(pthread_self());
#elif defined(_WIN32)
    ULONG_PTR low, high;
    GetCurrentThreadStackLimits(&low, &high);
    size = high - low;
#endif
    return size;
}

#endif
