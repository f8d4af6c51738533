/* SPDX-License-Identifier: BSD-3-Clause */
/* Checks the vocabulary for one type and one instruction set, if this machine has it. Compiled for any machine.

       vocabulary_SET_TYPE SET */
#include "kernels.h"
#include "vocabulary.h"

#include <stdio.h>
#include <strings.h>

enum { SKIPPED = 77 }; /* for meson */

int main(int argc, char **argv)
{
    for (int k = 0; argc == 2 && k < stackinv_build_count; k++)
        if (!strcasecmp(stackinv_builds[k].name, argv[1])) {
            if (!stackinv_builds[k].runs_here()) {
                printf("%s does not run here\n", argv[1]);
                return SKIPPED;
            }
            const int failures = check_vocabulary();
            printf("%d failures\n", failures);
            return failures != 0;
        }
    fprintf(stderr, "usage: %s SET\n", argv[0]);
    return 2;
}
