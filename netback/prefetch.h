/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bringing cache lines closer before they are needed.  A line that another
 * core wrote, and that we shall read and then write, is asked for once, to
 * be written.  Any address will do, also one that nothing is at.
 */
#ifndef NETBACK_PREFETCH_H
#define NETBACK_PREFETCH_H

#include <stddef.h>

#define PREFETCH_LINE 64u

static inline void prefetch_to_read(const void *at)
{
    __builtin_prefetch(at);
}

static inline void prefetch_to_write(const void *at)
{
    __asm__ volatile ("prefetchw %0" : : "m" (*(const char *)at));
}

#endif
