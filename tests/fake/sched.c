/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stands in for core/sched.c where a test decides who runs: vcpu_current() is
 * what machine_run() was told, waking and sleeping only look at the state.
 */
#include "core/sched.h"
#include "fake/machine.h"
#include "lib/atomic.h"
#include "lib/errno.h"

static _Thread_local struct vcpu *current;

void machine_run(struct vcpu *v)
{
    current = v;
}

struct vcpu *vcpu_current(void)
{
    return current;
}

int sched_init(unsigned int cpus)
{
    (void)cpus;
    return 0;
}

int sched_domain_create(struct domain *d)
{
    (void)d;
    return 0;
}

void sched_domain_destroy(struct domain *d)
{
    (void)d;
}

void sched_vcpu_create(struct vcpu *v)
{
    (void)v;
}

void sched_vcpu_destroy(struct vcpu *v)
{
    (void)v;
}

void (*machine_on_wake)(struct vcpu *v);

void sched_wake(struct vcpu *v)
{
    if (machine_on_wake != NULL) {
        machine_on_wake(v);
    }
}

void sched_sleep_nosync(struct vcpu *v)
{
    (void)v;
}

/* What runs elsewhere is what the test says: it also says when it ends. */
void sched_sleep_sync(struct vcpu *v)
{
    WRITE_ONCE(v->is_settling, false);
    while (__atomic_load_n(&v->sched.is_running, __ATOMIC_ACQUIRE)) {
        arch_pause();
    }
}

struct vcpu *sched_pick(void)
{
    return current;
}

void sched_give_way(struct vcpu *v)
{
    (void)v;
}

int sched_set_params(struct domain *d, uint16_t weight, uint16_t cap)
{
    (void)d;
    (void)cap;
    return weight == 0 ? -EINVAL : 0;
}

int sched_set_affinity(struct vcpu *v, const uint64_t *mask)
{
    (void)v;
    return mask[0] == 0 ? -EINVAL : 0;
}

void sched_runstate(struct vcpu *v, struct vcpu_runstate_info *out)
{
    *out = v->runstate;             /* as the test says */
    out->state_entry_time = arch_time_now();
}

uint64_t sched_idle_time(unsigned int cpu)
{
    (void)cpu;
    return 0;
}
