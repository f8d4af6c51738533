/* What the loop over the stack needs of threads beyond cython.parallel: works without OpenMP and outside Linux too. */
#ifndef STACKINV_THREADS_H
#define STACKINV_THREADS_H

#include <Python.h>

#ifdef _OPENMP
#include <omp.h>
#define STACKINV_OPENMP _OPENMP
#else
#define STACKINV_OPENMP 0
#define omp_get_max_threads() 1
#define omp_get_num_threads() 1
#endif

#if defined(__linux__) || defined(__APPLE__)
#include <pthread.h>
#include <sched.h>
#include <time.h>
#endif
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
#endif
    return size;
}

/* Add to a counter that several threads share; its value before. */
static Py_ssize_t take(Py_ssize_t *counter, Py_ssize_t amount)
{
    return __atomic_fetch_add(counter, amount, __ATOMIC_RELAXED);
}

/* What one thread tells the others, together with all that it wrote before. */
static void announce(int *what, int value)
{
    __atomic_store_n(what, value, __ATOMIC_RELEASE);
}

static int look(const int *what)
{
    return __atomic_load_n(what, __ATOMIC_ACQUIRE);
}

/* Add one to a counter, and tell the others all that was written before. */
static void count_one(int *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_RELEASE);
}

/* Until it is at least `value`: mostly a matter of microseconds, so that sleeping would take longer. */
static void wait_until(const int *what, int value)
{
    int spins = 0;
    while (look(what) < value) {
        if (++spins < 10000) {
#if defined(__x86_64__) || defined(__i386__)
            __builtin_ia32_pause();
#endif
        } else {
#if defined(__linux__) || defined(__APPLE__)
            sched_yield();
#endif
        }
    }
}

/* A team of threads whose first member looks after the others. Linux may wake a thread on the processor of the one
   that calls it, although another is idle (in virtual machines it takes a sleeping processor for a busy one);
   there it cannot start before a tick or three, 4 to 12 ms away, and OpenMP's barrier spins all that time. */
typedef struct {
    int started;
    int moved;
#ifdef __linux__
    struct timespec opened;
#endif
} team;

static void team_open(team *t)
{
    t->started = t->moved = 0;
#ifdef __linux__
    clock_gettime(CLOCK_MONOTONIC, &t->opened);
#endif
}

static void team_start(team *t)
{
    __atomic_fetch_add(&t->started, 1, __ATOMIC_RELEASE);
}

/* If a member has not started after 100 microseconds, leave this processor to it and go to another. */
static void team_make_room(team *t, int size)
{
#ifdef __linux__
    struct timespec now;
    cpu_set_t all, others;
    if (t->moved || __atomic_load_n(&t->started, __ATOMIC_ACQUIRE) >= size)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if ((now.tv_sec - t->opened.tv_sec) * 1000000000L + now.tv_nsec - t->opened.tv_nsec < 100000L)
        return;
    t->moved = 1;
    if (sched_getaffinity(0, sizeof all, &all) == 0 && CPU_COUNT(&all) > 1) {
        others = all;
        CPU_CLR(sched_getcpu(), &others);
        if (sched_setaffinity(0, sizeof others, &others) == 0)
            sched_setaffinity(0, sizeof all, &all);
    }
#endif
}

static void team_wait_for_start(team *t, int size)
{
#ifdef __linux__
    while (!t->moved && __atomic_load_n(&t->started, __ATOMIC_ACQUIRE) < size)
        team_make_room(t, size);
#endif
}

#endif
