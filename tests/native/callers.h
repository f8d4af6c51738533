/* SPDX-License-Identifier: BSD-3-Clause */
/* Threads of the user's, that call at once. */
#ifndef STACKINV_TESTS_CALLERS_H
#define STACKINV_TESTS_CALLERS_H

#include "threads.h"

#include <stdlib.h>

struct callers {
    mutex lock;
    condition done;
    int begun, left;
    void (*call)(int caller);
};

static thread_result THREAD one_caller(void *argument)
{
    struct callers *all = argument;
    lock(&all->lock);
    const int number = all->begun++;
    unlock(&all->lock);
    all->call(number);
    lock(&all->lock);
    if (--all->left == 0)
        wake_one(&all->done);
    unlock(&all->lock);
    return 0;
}

/* call(0) to call(count - 1), each in a thread of its own, at once. */
static void run_callers(int count, void (*call)(int caller))
{
    struct callers all = {.left = count, .call = call};
    begin_mutex(&all.lock);
    begin_condition(&all.done);
    for (int k = 0; k < count; k++)
        if (!start_thread(one_caller, &all))
            abort();
    lock(&all.lock);
    while (all.left)
        wait_for(&all.done, &all.lock);
    unlock(&all.lock);
    end_condition(&all.done);
}

#endif
