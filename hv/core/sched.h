/* SPDX-License-Identifier: GPL-2.0-only */
/* The scheduler's face: see sched.c for policy and bounds. */
#ifndef CORE_SCHED_H
#define CORE_SCHED_H

#include "core/types.h"
#include "lib/list.h"

struct sched_vcpu {
    struct list_node rq_link;       /* run queue lock */
    unsigned int cpu;               /* run queue it belongs to */
    bool is_queued;                 /* run queue lock */
    bool is_running;                /* run queue lock: on 'cpu' now */
    uint64_t vruntime;              /* weighted ns consumed */
    uint64_t ran_since;             /* ns: start of this slice */
    uint64_t slice_end;             /* ns */
    uint64_t hard_affinity[64];     /* bit per CPU, [d] */
};

struct sched_domain {
    uint16_t weight;                /* 1 .. 65535, default 256 */
    uint16_t cap;                   /* percent of a CPU, 0: none */
};

void sched_init(void);
int sched_domain_create(struct domain *d);
void sched_domain_destroy(struct domain *d);
void sched_vcpu_create(struct vcpu *v);
void sched_vcpu_destroy(struct vcpu *v);

/* 'v' became runnable: queue it and kick a CPU if it should run now. */
void sched_wake(struct vcpu *v);
/* 'v' stopped being runnable: make its CPU look (does not wait). */
void sched_sleep_nosync(struct vcpu *v);
/* Waits until 'v' is not running anywhere. 'v' is not the caller's. */
void sched_sleep_sync(struct vcpu *v);

/*
 * Chooses what this CPU runs next and switches machine state to it
 * (arch_vcpu_switch_from/to).  NULL: nothing to do, idle.  Called from the
 * CPU loop only; it also accounts the time of the vcpu that ran, updates
 * runstates and arms the slice timer.
 */
struct vcpu *sched_pick(void);

/* SCHEDOP_yield: the current vcpu goes behind its equals. */
void sched_yield(struct vcpu *v);

int sched_set_params(struct domain *d, uint16_t weight, uint16_t cap);
int sched_set_affinity(struct vcpu *v, const uint64_t *mask);
/* Runstate as of now: for VCPUOP_get_runstate_info and domctl. */
struct vcpu_runstate_info;
void sched_runstate(struct vcpu *v, struct vcpu_runstate_info *out);
/* ns that 'cpu' idled since boot. */
uint64_t sched_idle_time(unsigned int cpu);

#endif
