/* SPDX-License-Identifier: BSD-3-Clause */
/* What vocabulary.c, compiled as the kernels are, and its main program tell each other. */

/* How many checks have failed. Each says what it was. */
int check_vocabulary(void);
