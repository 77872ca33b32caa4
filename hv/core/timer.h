/* SPDX-License-Identifier: GPL-2.0-only */
/* One-shot timers, a heap per CPU; functions run on that CPU, no lock held. */
#ifndef CORE_TIMER_H
#define CORE_TIMER_H

#include "core/types.h"

struct timer {
    uint64_t expires;               /* ns of arch_time_now() */
    void (*fn)(void *arg);          /* [I] */
    void *arg;                      /* [I] */
    unsigned int cpu;               /* heap it is in, or was in last */
    bool is_armed;                  /* heap lock */
    /* The pairing heap of timer.c: first child, siblings; heap lock. */
    struct timer *child, *next;
    struct timer **back;            /* what points here */
};

void timer_init(struct timer *t, void (*fn)(void *), void *arg);
/*
 * Arms 't' on this CPU, moving it from another that is not running it.  Past
 * times fire soon.
 */
void timer_set(struct timer *t, uint64_t expires);
/*
 * After it returns 'fn' does not run and will not; may spin for it, unless
 * called by 'fn' itself.  Nobody but 'fn' may arm it meanwhile.
 */
void timer_stop(struct timer *t);
bool timer_is_armed(const struct timer *t);
/* Runs what is due on this CPU and programs the next: from the CPU loop. */
void timer_run(void);

/* Boot, once the count of CPUs is known: from core_init().  0 or -ENOMEM. */
int timer_init_cpus(unsigned int cpus);

#endif
