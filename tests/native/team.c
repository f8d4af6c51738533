/* SPDX-License-Identifier: BSD-3-Clause */
/* The threads of threads.h, called from several threads at once, for ThreadSanitizer.

       team [CALLS] */
#include "threads.h"

#include <stdio.h>

enum { CALLERS = 4, ITEMS = 300 };

struct work {
    ptrdiff_t next;
    long results[ITEMS];
    int done;
    team members;
};

static ptrdiff_t by_helpers; /* items */

static void take_part(void *argument, int member)
{
    struct work *work = argument;
    for (ptrdiff_t k; (k = take(&work->next, 1)) < ITEMS;) {
        long sum = 0;
        for (int n = 0; n < 3000 * (k % 7); n++)
            sum += n ^ k;
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

static void *call(void *argument)
{
    const int calls = *(int *)argument;
    long wrong = 0, first = 0;
    for (int k = 0; k < calls; k++) {
        struct work work = {0};
        team_run(&work.members, 2 + k % 3, take_part, &work);
        long sum = 0;
        for (int n = 0; n < ITEMS; n++)
            sum += work.results[n];
        first = k ? first : sum;
        wrong += sum != first;
    }
    return (void *)wrong;
}

int main(int argc, char **argv)
{
    int calls = argc > 1 ? atoi(argv[1]) : 1000;
    long wrong = 0;
    pthread_t callers[CALLERS];
    pool_prepare();
    for (int k = 0; k < CALLERS; k++)
        if (pthread_create(&callers[k], NULL, call, &calls))
            return 2;
    for (int k = 0; k < CALLERS; k++) {
        void *result;
        pthread_join(callers[k], &result);
        wrong += (long)result;
    }
    printf("%d calls, %ld wrong, %ld of %ld items by helpers\n", CALLERS * calls, wrong, (long)by_helpers,
           (long)CALLERS * calls * ITEMS);
    return wrong != 0;
}
