/* SPDX-License-Identifier: BSD-3-Clause */
/* Mutexes, conditions, new threads and the clock: Windows' own, or POSIX's. */
#ifndef STACKINV_PRIMITIVES_H
#define STACKINV_PRIMITIVES_H

#include <stdbool.h>

#define THREAD_STACK_BYTES (4 << 20)

#ifdef _WIN32

#define WIN32_LEAN_AND_MEAN
#define NOMINMAX
#include <windows.h>

#define EXPORTED __declspec(dllexport)

typedef SRWLOCK mutex;
typedef CONDITION_VARIABLE condition;
#define MUTEX_START SRWLOCK_INIT
#define CONDITION_START CONDITION_VARIABLE_INIT

static inline void lock(mutex *m)
{
    AcquireSRWLockExclusive(m);
}

static inline void unlock(mutex *m)
{
    ReleaseSRWLockExclusive(m);
}

static inline void begin_mutex(mutex *m)
{
    InitializeSRWLock(m);
}

static inline void begin_condition(condition *c)
{
    InitializeConditionVariable(c);
}

static inline void end_condition(condition *c)
{
    (void)c;
}

static inline void wake_one(condition *c)
{
    WakeConditionVariable(c);
}

/* Sleep until woken, or for no reason less; others may have the mutex meanwhile. */
static inline void wait_for(condition *c, mutex *m)
{
    SleepConditionVariableSRW(c, m, INFINITE, 0);
}

/* Let another thread have this processor. */
static inline void give_way(void)
{
    SwitchToThread();
}

/* A moment of waiting for another thread. */
static inline void relax(void)
{
    YieldProcessor();
}

/* Seconds since some moment. */
static inline double read_clock(void)
{
    LARGE_INTEGER now, frequency;
    QueryPerformanceCounter(&now);
    QueryPerformanceFrequency(&frequency);
    return (double)now.QuadPart / (double)frequency.QuadPart;
}

/* What a thread does: thread_result THREAD name(void *argument). */
typedef DWORD thread_result;
#define THREAD WINAPI

/* A thread that nobody waits for; whether the system had one to give. */
static inline bool start_thread(thread_result(THREAD *work)(void *), void *argument)
{
    HANDLE thread = CreateThread(NULL, THREAD_STACK_BYTES, work, argument, STACK_SIZE_PARAM_IS_A_RESERVATION, NULL);
    return thread && CloseHandle(thread); /* which does not end it */
}

/* There is no fork. */
static inline void at_fork(void (*before)(void), void (*after)(void), void (*in_child)(void))
{
    (void)before, (void)after, (void)in_child;
}

#else

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <time.h>

#define EXPORTED __attribute__((visibility("default")))

typedef pthread_mutex_t mutex;
typedef pthread_cond_t condition;
#define MUTEX_START PTHREAD_MUTEX_INITIALIZER
#define CONDITION_START PTHREAD_COND_INITIALIZER

static inline void lock(mutex *m)
{
    pthread_mutex_lock(m);
}

static inline void unlock(mutex *m)
{
    pthread_mutex_unlock(m);
}

static inline void begin_mutex(mutex *m)
{
    pthread_mutex_init(m, NULL);
}

static inline void begin_condition(condition *c)
{
    pthread_cond_init(c, NULL);
}

static inline void end_condition(condition *c)
{
    pthread_cond_destroy(c);
}

static inline void wake_one(condition *c)
{
    pthread_cond_signal(c);
}

/* Sleep until woken, or for no reason less; others may have the mutex meanwhile. */
static inline void wait_for(condition *c, mutex *m)
{
    pthread_cond_wait(c, m);
}

/* Let another thread have this processor. */
static inline void give_way(void)
{
    sched_yield();
}

/* A moment of waiting for another thread. */
static inline void relax(void)
{
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("yield");
#endif
}

/* Seconds since some moment. */
static inline double read_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* What a thread does: thread_result THREAD name(void *argument). */
typedef void *thread_result;
#define THREAD

/* A thread that nobody waits for; whether the system had one to give. Signals are for the threads of Python, except for a
   thread's own faults, which faulthandler and the like want to know of. */
static inline bool start_thread(thread_result(THREAD *work)(void *), void *argument)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    int failed;
    sigfillset(&all);
    for (size_t k = 0; k < sizeof faults / sizeof *faults; k++)
        sigdelset(&all, faults[k]);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, THREAD_STACK_BYTES);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&thread, &attributes, work, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    return !failed;
}

static inline void at_fork(void (*before)(void), void (*after)(void), void (*in_child)(void))
{
    pthread_atfork(before, after, in_child);
}

#endif
#endif
