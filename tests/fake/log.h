/* SPDX-License-Identifier: GPL-2.0-only */
/* DPDK's log in a test: how many lines a person would see, and the last. */
#ifndef TESTS_FAKE_LOG_H
#define TESTS_FAKE_LOG_H

#include <stdbool.h>

extern unsigned int fake_log_lines;     /* down to NOTICE; a test may reset */

/* Is this in the last such line? */
bool fake_log_says(const char *text);

/* The last line, to show it. */
const char *fake_log_last(void);

#endif
