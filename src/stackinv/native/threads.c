/* SPDX-License-Identifier: BSD-3-Clause */
#include "threads.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

double read_clock(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec + 1e-9 * now.tv_nsec;
}

bool time_is_up(void *limit)
{
    time_limit *l = limit;
    if (look(&l->up))
        return true;
    if (read_clock() < l->until)
        return false;
    announce(&l->up, 1);
    return true;
}

bool wait_until(const int *what, int value, time_limit *limit)
{
    int spins = 0;
    while (look(what) < value) {
        if (++spins < 10000)
            relax();
        else
            sched_yield();
        if ((spins % 1000 == 0 || spins > 10000) && time_is_up(limit)) /* others may take milliseconds of each yield */
            return look(what) >= value;
    }
    return true;
}

typedef struct helper {
    struct helper *next;
    int at_work;
#ifdef __linux__
    pid_t thread;
    cpu_set_t allowed;
#endif
} helper;

/* The mark by which threadpoolctl knows this library. */
__attribute__((visibility("default"))) extern const char stackinv_threads[];
const char stackinv_threads[] = "stackinv";

static pthread_mutex_t pool_lock = PTHREAD_MUTEX_INITIALIZER; /* for all that follows, and the counts of a team */
static pthread_cond_t pool_called = PTHREAD_COND_INITIALIZER;
static team *pool_open; /* teams that want helpers */
static helper *pool_helpers;
static int pool_size; /* how many there are: as many as one caller may want, however many callers there are */

static void pool_leave(team *t)
{
    team **place = &pool_open;
    while (*place != t)
        place = &(*place)->next;
    __atomic_store_n(place, t->next, __ATOMIC_RELAXED);
}

static void *help(void *argument)
{
    helper *self = argument;
    int member;
    team *t;
    pthread_mutex_lock(&pool_lock);
#ifdef __linux__
    self->thread = (pid_t)syscall(SYS_gettid);
#endif
    self->next = pool_helpers;
    pool_helpers = self;
    for (;;) {
        if (!pool_open) { /* the next call often comes at once */
            pthread_mutex_unlock(&pool_lock);
            for (int spins = 0; spins < 1000 && !__atomic_load_n(&pool_open, __ATOMIC_RELAXED); spins++)
                relax();
            pthread_mutex_lock(&pool_lock);
        }
        while (!pool_open)
            pthread_cond_wait(&pool_called, &pool_lock);
        t = pool_open;
        if (--t->wanted == 0)
            pool_leave(t);
        self->at_work = 1;
        t->active++;
        member = t->started + 1;
        __atomic_store_n(&t->started, member, __ATOMIC_RELEASE);
        pthread_mutex_unlock(&pool_lock);
        fesetenv(&t->environment);
#ifdef __linux__
        if (memcmp(&self->allowed, &t->allowed, sizeof t->allowed)) {
            self->allowed = t->allowed;
            sched_setaffinity(0, sizeof t->allowed, &t->allowed);
        }
#endif
        t->work(t->argument, member);
        pthread_mutex_lock(&pool_lock);
        self->at_work = 0;
        __atomic_store_n(&t->active, t->active - 1, __ATOMIC_RELEASE);
        if (t->active == 0)
            pthread_cond_signal(&t->done);
    }
    return NULL;
}

static void pool_before_fork(void)
{
    pthread_mutex_lock(&pool_lock);
}

static void pool_after_fork(void)
{
    pthread_mutex_unlock(&pool_lock);
}

static void pool_after_fork_in_child(void)
{
    pthread_mutex_init(&pool_lock, NULL);
    pthread_cond_init(&pool_called, NULL);
    pool_open = NULL; /* the threads that opened teams, and those that helped them, are not here */
    pool_helpers = NULL;
    pool_size = 0;
}

/* At import, which may fail and be tried again. */
void pool_prepare(void)
{
    static int prepared;
    if (!prepared++)
        pthread_atfork(pool_before_fork, pool_after_fork, pool_after_fork_in_child);
}

/* One more helper, or 0 if the system has none to give. Signals are for the threads of Python, except for a thread's own
   faults, which faulthandler and the like want to know of. */
static int pool_grow(void)
{
    static const int faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGTRAP, SIGSYS};
    pthread_t thread;
    pthread_attr_t attributes;
    sigset_t all, before;
    int failed;
    helper *new = calloc(1, sizeof *new);
    if (!new)
        return 0;
    sigfillset(&all);
    for (size_t k = 0; k < sizeof faults / sizeof *faults; k++)
        sigdelset(&all, faults[k]);
    pthread_attr_init(&attributes);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attributes, 4 << 20);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    failed = pthread_create(&thread, &attributes, help, new);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attributes);
    if (failed)
        free(new);
    else
        pool_size++;
    return !failed;
}

void team_run(team *t, int size, void (*work)(void *argument, int member), void *argument)
{
    int spins;
    t->work = work;
    t->argument = argument;
    t->size = size;
    t->wanted = size - 1;
    t->started = t->active = t->moved = 0;
    fegetenv(&t->environment);
    pthread_cond_init(&t->done, NULL);
    clock_gettime(CLOCK_MONOTONIC, &t->opened);
#ifdef __linux__
    CPU_ZERO(&t->allowed);
    sched_getaffinity(0, sizeof t->allowed, &t->allowed);
#endif

    pthread_mutex_lock(&pool_lock);
    while (pool_size < size - 1 && pool_grow())
        ;
    t->next = pool_open;
    __atomic_store_n(&pool_open, t, __ATOMIC_RELAXED);
    for (int k = 1; k < size; k++)
        pthread_cond_signal(&pool_called);
    pthread_mutex_unlock(&pool_lock);

    work(argument, 0);

    pthread_mutex_lock(&pool_lock);
    if (t->wanted)
        pool_leave(t);
    pthread_mutex_unlock(&pool_lock);
    for (spins = 0; spins < 1000 && __atomic_load_n(&t->active, __ATOMIC_ACQUIRE); spins++)
        relax();
    pthread_mutex_lock(&pool_lock); /* whoever was last has let go of the team once it has let go of this */
    while (t->active)
        pthread_cond_wait(&t->done, &pool_lock);
    pthread_mutex_unlock(&pool_lock);
    pthread_cond_destroy(&t->done);
}

/* Linux may wake a thread on the processor of the one that calls it, although another is idle (in virtual machines it
   takes a sleeping processor for a busy one); there it cannot start before a tick or three, 4 to 12 ms away. If helpers
   have not started after 100 microseconds, send those that wait on this processor to others. */
void team_make_room(team *t)
{
#ifdef __linux__
    struct timespec now;
    cpu_set_t others = t->allowed;
    if (t->moved || __atomic_load_n(&t->started, __ATOMIC_ACQUIRE) >= t->size - 1)
        return;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if ((now.tv_sec - t->opened.tv_sec) * 1000000000L + now.tv_nsec - t->opened.tv_nsec < 100000L)
        return;
    t->moved = 1;
    CPU_CLR(sched_getcpu(), &others);
    if (CPU_COUNT(&others) == 0)
        return;
    pthread_mutex_lock(&pool_lock);
    for (helper *h = pool_helpers; h; h = h->next)
        if (!h->at_work && sched_setaffinity(h->thread, sizeof others, &others) == 0) {
            sched_setaffinity(h->thread, sizeof t->allowed, &t->allowed);
            h->allowed = t->allowed;
        }
    pthread_mutex_unlock(&pool_lock);
#else
    (void)t;
#endif
}
