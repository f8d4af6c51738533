/* SPDX-License-Identifier: BSD-3-Clause */
#include "threads.h"

#include <stdlib.h>
#include <string.h>
#ifdef __linux__
#include <sys/syscall.h>
#include <unistd.h>
#endif

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

bool wait_until(const _Atomic(int) *what, int value, time_limit *limit)
{
    int spins = 0;
    while (look(what) < value) {
        if (++spins < 10000)
            relax();
        else
            give_way();
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
EXPORTED extern const char stackinv_threads[];
const char stackinv_threads[] = "stackinv";

static mutex pool_lock = MUTEX_START; /* for all that follows, and the counts of a team */
static condition pool_called = CONDITION_START;
static _Atomic(team *) pool_open; /* teams that want helpers */
static helper *pool_helpers;
static int pool_size; /* how many there are: as many as one caller may want, however many callers there are */

static void pool_leave(team *t)
{
    _Atomic(team *) *place = &pool_open;
    while (*place != t)
        place = &(*place)->next;
    *place = t->next;
}

static thread_result THREAD help(void *argument)
{
    helper *self = argument;
    int member;
    team *t;
    lock(&pool_lock);
#ifdef __linux__
    self->thread = (pid_t)syscall(SYS_gettid);
#endif
    self->next = pool_helpers;
    pool_helpers = self;
    for (;;) {
        if (!pool_open) { /* the next call often comes at once */
            unlock(&pool_lock);
            for (int spins = 0; spins < 1000 && !atomic_load_explicit(&pool_open, memory_order_relaxed); spins++)
                relax();
            lock(&pool_lock);
        }
        while (!pool_open)
            wait_for(&pool_called, &pool_lock);
        t = pool_open;
        if (--t->wanted == 0)
            pool_leave(t);
        self->at_work = 1;
        t->active++;
        member = t->started + 1;
        announce(&t->started, member);
        unlock(&pool_lock);
        fesetenv(&t->environment);
#ifdef __linux__
        if (memcmp(&self->allowed, &t->allowed, sizeof t->allowed)) {
            self->allowed = t->allowed;
            sched_setaffinity(0, sizeof t->allowed, &t->allowed);
        }
#endif
        t->work(t->argument, member);
        lock(&pool_lock);
        self->at_work = 0;
        if (--t->active == 0)
            wake_one(&t->done);
    }
    return 0;
}

static void pool_before_fork(void)
{
    lock(&pool_lock);
}

static void pool_after_fork(void)
{
    unlock(&pool_lock);
}

static void pool_after_fork_in_child(void)
{
    begin_mutex(&pool_lock);
    begin_condition(&pool_called);
    pool_open = NULL; /* the threads that opened teams, and those that helped them, are not here */
    pool_helpers = NULL;
    pool_size = 0;
}

/* At import, which may fail and be tried again. */
void pool_prepare(void)
{
    static int prepared;
    if (!prepared++)
        at_fork(pool_before_fork, pool_after_fork, pool_after_fork_in_child);
}

/* One more helper; whether there is one. */
static bool pool_grow(void)
{
    helper *new = calloc(1, sizeof *new);
    const bool started = new && start_thread(help, new);
    if (started)
        pool_size++;
    else
        free(new);
    return started;
}

int pool_allowed_cpus(void)
{
    int count = 0;
#ifdef _WIN32
    DWORD_PTR allowed, all;
    /* In a machine with more than 64 the masks are empty, or of one group of them. */
    if (GetActiveProcessorGroupCount() == 1 && GetProcessAffinityMask(GetCurrentProcess(), &allowed, &all))
        for (; allowed; allowed &= allowed - 1)
            count++;
#endif
    return count;
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
    begin_condition(&t->done);
    t->opened = read_clock();
#ifdef __linux__
    CPU_ZERO(&t->allowed);
    sched_getaffinity(0, sizeof t->allowed, &t->allowed);
#endif

    lock(&pool_lock);
    while (pool_size < size - 1 && pool_grow())
        ;
    t->next = pool_open;
    pool_open = t;
    for (int k = 1; k < size; k++)
        wake_one(&pool_called);
    unlock(&pool_lock);

    work(argument, 0);

    lock(&pool_lock);
    if (t->wanted)
        pool_leave(t);
    unlock(&pool_lock);
    for (spins = 0; spins < 1000 && look(&t->active); spins++)
        relax();
    lock(&pool_lock); /* whoever was last has let go of the team once it has let go of this */
    while (t->active)
        wait_for(&t->done, &pool_lock);
    unlock(&pool_lock);
    end_condition(&t->done);
}

/* Linux may wake a thread on the processor of the one that calls it, although another is idle (in virtual machines it
   takes a sleeping processor for a busy one); there it cannot start before a tick or three, 4 to 12 ms away. If helpers
   have not started after 100 microseconds, send those that wait on this processor to others. */
void team_make_room(team *t)
{
#ifdef __linux__
    cpu_set_t others = t->allowed;
    if (t->moved || look(&t->started) >= t->size - 1)
        return;
    if (read_clock() - t->opened < 100e-6)
        return;
    t->moved = 1;
    CPU_CLR(sched_getcpu(), &others);
    if (CPU_COUNT(&others) == 0)
        return;
    lock(&pool_lock);
    for (helper *h = pool_helpers; h; h = h->next)
        if (!h->at_work && sched_setaffinity(h->thread, sizeof others, &others) == 0) {
            sched_setaffinity(h->thread, sizeof t->allowed, &t->allowed);
            h->allowed = t->allowed;
        }
    unlock(&pool_lock);
#else
    (void)t;
#endif
}
