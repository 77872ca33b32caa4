/* SPDX-License-Identifier: GPL-2.0-only */
/* The time, for what waits and is paced. */
#ifndef NETBACK_CLOCK_H
#define NETBACK_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds on a clock that only goes on. */
static inline uint64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

#endif
