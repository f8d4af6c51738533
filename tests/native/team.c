/* SPDX-License-Identifier: BSD-3-Clause */
/* The threads of threads.h, called from several threads at once, for ThreadSanitizer.

       team [CALLS] */
#include "callers.h"

#include <stdint.h>
#include <stdio.h>

enum { CALLERS = 4, ITEMS = 300 };

struct work {
    _Atomic(ptrdiff_t) next;
    int results[ITEMS];
    _Atomic(int) done;
    team members;
};

static int calls = 1000;
static _Atomic(ptrdiff_t) by_helpers; /* items */
static _Atomic(ptrdiff_t) wrong;      /* calls */

static void take_part(void *argument, int member)
{
    struct work *work = argument;
    for (ptrdiff_t k; (k = take(&work->next, 1)) < ITEMS;) {
        int sum = 0;
        for (int n = 0; n < 3000 * (k % 7); n++)
            sum += n ^ (int)k;
        work->results[k] = sum + 1;
        take(&by_helpers, member > 0);
        count_one(&work->done);
        if (member == 0)
            team_make_room(&work->members);
        if (k == ITEMS - 1) {
            wait_until(&work->done, ITEMS,
                       &(time_limit){1e300, 0}); /* as the tasks of one matrix wait for each other */
            work->results[0] += work->results[1];
        }
    }
}

static void call(int caller)
{
    int64_t first = 0;
    for (int k = 0; k < calls; k++) {
        struct work work = {0};
        int64_t sum = 0;
        team_run(&work.members, 2 + (k + caller) % 3, take_part, &work);
        for (int n = 0; n < ITEMS; n++)
            sum += work.results[n];
        first = k ? first : sum;
        take(&wrong, sum != first);
    }
}

int main(int argc, char **argv)
{
    if (argc > 1)
        calls = atoi(argv[1]);
    pool_prepare();
    run_callers(CALLERS, call);
    printf("%d calls, %td wrong, %td of %td items by helpers\n", CALLERS * calls, wrong, by_helpers,
           (ptrdiff_t)CALLERS * calls * ITEMS);
    return wrong != 0;
}
