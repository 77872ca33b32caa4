/* SPDX-License-Identifier: GPL-2.0-only */
/* The scheduler's face: see sched.c for policy and bounds. */
#ifndef CORE_SCHED_H
#define CORE_SCHED_H

#include "core/types.h"
#include "lib/list.h"

/* Bounds of the policy; the reasons are at the top of sched.c. */
#define SCHED_SLICE_NS 5000000ULL       /* longest run while others wait */
#define SCHED_MIN_RUN_NS 200000ULL      /* no preemption by a wake before */
#define SCHED_WAKE_CREDIT_NS 3000000ULL /* a sleeper's lead, at weight 256 */
#define SCHED_LAG_NS 30000000ULL        /* most that anybody trails behind */

#define SCHED_DEFAULT_WEIGHT 256u
#define SCHED_AFFINITY_WORDS 64u        /* 4096 CPUs */

struct sched_vcpu {
    struct list_node rq_link;       /* run queue lock */
    unsigned int cpu;               /* run queue it belongs to: its lock */
    bool is_queued;                 /* run queue lock */
    bool is_running;                /* [a] written under the lock of 'cpu' */
    uint64_t vruntime;              /* weighted ns consumed; run queue lock */
    uint64_t ran_since;             /* ns: accounted up to here */
    uint64_t slice_start;           /* ns */
    uint64_t hard_affinity[SCHED_AFFINITY_WORDS]; /* [a] words; bit per CPU */
};

struct sched_domain {
    uint16_t weight;                /* [a] 1 .. 65535, default 256 */
    uint16_t cap;                   /* [a] percent of a CPU, 0: none */
};

/* Boot, once the count of CPUs is known.  0 or -ENOMEM. */
int sched_init(unsigned int cpus);
/*
 * Boot, before the first vcpu: only CPUs first to last run vcpus; the others
 * see to interrupts.  0, or -EINVAL if there are none of them.
 */
int sched_restrict(unsigned int first, unsigned int last);
/* CPUs that run vcpus. */
unsigned int sched_cpu_count(void);
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
 * runstates and arms the slice timer.  No lock is held.
 *
 * Whoever makes this CPU's answer change kicks it (arch_cpu_kick), itself
 * too, or is a timer: until then the loop need not call again, and after NULL
 * it may wait for an interrupt if it came here with interrupts off.
 */
struct vcpu *sched_pick(void);

/* Would sched_pick() on this CPU look at more than who runs? */
bool sched_must_look(void);

/* SCHEDOP_yield: the current vcpu goes behind its equals. */
void sched_give_way(struct vcpu *v);

/* weight 0: unchanged.  0 or -EINVAL. */
int sched_set_params(struct domain *d, uint16_t weight, uint16_t cap);
/* SCHED_AFFINITY_WORDS words: 0, or -EINVAL if no usable CPU is in it. */
int sched_set_affinity(struct vcpu *v, const uint64_t *mask);
/* Runstate as of now: for VCPUOP_get_runstate_info and domctl. */
struct vcpu_runstate_info;
void sched_runstate(struct vcpu *v, struct vcpu_runstate_info *out);
/* ns that 'cpu' idled since boot. */
uint64_t sched_idle_time(unsigned int cpu);

#endif
