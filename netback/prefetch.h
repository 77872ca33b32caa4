/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bringing cache lines closer before they are needed.  A line that another
 * core wrote, and that we shall read and then write, is asked for once, to
 * be written.  Any address will do, also one that nothing is at.
 */
#ifndef NETBACK_PREFETCH_H
#define NETBACK_PREFETCH_H

#include <stdbool.h>
#include <stdint.h>

#define PREFETCH_LINE 64u
#define PREFETCH_COPIES 3u      /* ahead of the one that is being made */

static inline void prefetch_to_read(const void *at)
{
    __builtin_prefetch(at);
}

static inline void prefetch_to_write(const void *at)
{
    __asm__ volatile ("prefetchw %0" : : "m" (*(const char *)at));
}

/*
 * Memory of a guest that a copy will touch.  Of what is read, the first two
 * lines: the CPU sees a longer rest coming.  Of what is written, all: it does
 * not see that where another CPU has the lines.
 */
static inline void prefetch_copy(const uint8_t *at, uint32_t size,
                                 bool writes)
{
    if (writes) {
        for (uint32_t i = 0; i < size; i += PREFETCH_LINE) {
            prefetch_to_write(at + i);
        }
        return;
    }
    prefetch_to_read(at);
    if (size > PREFETCH_LINE) {
        prefetch_to_read(at + PREFETCH_LINE);
    }
}

#endif
