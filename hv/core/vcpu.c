/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Vcpus: creation, and the reasons why one may not run.  The state diagram
 * is in vcpu.h; sched.c runs what vcpu_is_runnable() allows.
 *
 *  1. Each reason is changed first, then the scheduler is told: it looks at
 *     vcpu_is_runnable() under its lock.
 *  2. Blocking is two steps, is_blocked and then a look for events; a sender
 *     sets the event and then calls vcpu_unblock().  One of the two sees the
 *     other (both sequentially consistent).
 *  3. One that settles runs though its domain is paused.  Who asks for that
 *     and who needs the domain to stand still is one at a time (domctl.c), or
 *     the domain dies.  Whoever waits for it to stop ends it.  One that defers
 *     its domain's shutdown settles, too, but not while it is paused.
 */
#include "core/vcpu.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/evtchn.h"
#include "core/frame.h"
#include "core/kmem.h"
#include "core/vcpu_op.h"
#include "core/wallclock.h"
#include "lib/atomic.h"
#include "lib/bug.h"
#include "lib/errno.h"
#include "lib/string.h"

/* The record until the guest registers one. */
static vcpu_info_t *first_info(struct vcpu *v)
{
    return v->info_private != NULL ? v->info_private :
           &v->domain->shared_info->vcpu_info[v->id];
}

static int init_info(struct vcpu *v)
{
    if (v->id >= XEN_LEGACY_MAX_VCPUS) {
        /* One that only we see. */
        v->info_private = kmem_alloc(sizeof(*v->info_private));
        if (v->info_private == NULL) {
            return -ENOMEM;
        }
        /* What becomes of it starts with events masked, as from Xen. */
        v->info_private->evtchn_upcall_mask = 1;
    }
    v->info = first_info(v);
    return 0;
}

void vcpu_release_info(struct vcpu *v)
{
    struct frame *f = v->info_frame;

    __atomic_store_n(&v->info, first_info(v), __ATOMIC_SEQ_CST);
    v->info_frame = NULL;
    if (f != NULL) {
        frame_put(f);
    }
}

void vcpu_reset_info(struct vcpu *v)
{
    vcpu_release_info(v);
    memset(v->info, 0, sizeof(*v->info));
    v->info->evtchn_upcall_mask = v->info_private != NULL;
    wallclock_update_vcpu(v);
}

int vcpu_create(struct domain *d, unsigned int id)
{
    struct vcpu *v;
    int rc;

    if (id >= d->max_vcpus) {
        return -EINVAL;
    }
    if (d->vcpu[id] != NULL) {
        return -EEXIST;
    }
    v = kmem_alloc(sizeof(*v));
    if (v == NULL) {
        return -ENOMEM;
    }
    v->id = id;
    v->domain = d;
    v->is_down = true;
    vcpu_op_timers_init(v);
    sched_vcpu_create(v);
    rc = init_info(v);
    if (rc == 0) {
        rc = evtchn_vcpu_create(v);
    }
    if (rc == 0) {
        rc = arch_vcpu_create(v);
    }
    if (rc != 0) {
        vcpu_destroy(v);
        return rc;
    }
    wallclock_update_vcpu(v);
    __atomic_store_n(&d->vcpu[id], v, __ATOMIC_RELEASE);
    return 0;
}

void vcpu_destroy(struct vcpu *v)
{
    if (v == NULL) {
        return;
    }
    vcpu_op_timers_stop(v);
    arch_vcpu_destroy(v);
    evtchn_vcpu_destroy(v);
    sched_vcpu_destroy(v);
    if (v->info_frame != NULL) {
        frame_put(v->info_frame);
    }
    kmem_free(v->info_private);
    kmem_free(v);
}

static bool is_paused(const struct vcpu *v)
{
    return __atomic_load_n(&v->pause_count, __ATOMIC_SEQ_CST) != 0 ||
           __atomic_load_n(&v->domain->pause_count, __ATOMIC_SEQ_CST) != 0;
}

/* A domain that dies never runs again. */
static bool runs_on(const struct vcpu *v)
{
    return (READ_ONCE(v->is_settling)
            || (READ_ONCE(v->defers_shutdown) && !is_paused(v)))
           && __atomic_load_n(&v->domain->state, __ATOMIC_SEQ_CST)
              == DOMAIN_RUNNING;
}

static bool may_run(const struct vcpu *v)
{
    return !__atomic_load_n(&v->is_down, __ATOMIC_SEQ_CST) &&
           !__atomic_load_n(&v->is_blocked, __ATOMIC_SEQ_CST) &&
           !is_paused(v) &&
           !READ_ONCE(v->domain->is_shutting_down);
}

bool vcpu_is_runnable(const struct vcpu *v)
{
    return may_run(v) || runs_on(v);
}

void vcpu_wake(struct vcpu *v)
{
    if (vcpu_is_runnable(v)) {
        sched_wake(v);
    }
}

void vcpu_unblock(struct vcpu *v)
{
    if (!__atomic_exchange_n(&v->is_blocked, false, __ATOMIC_SEQ_CST)) {
        return;
    }
    vcpu_wake(v);
}

void vcpu_block(struct vcpu *v)
{
    (void)evtchn_poll_end(v);       /* of a wait that ended otherwise */
    __atomic_store_n(&v->is_blocked, true, __ATOMIC_SEQ_CST);
    if (evtchn_is_upcall_pending(v) || arch_vcpu_has_pending(v)) {
        __atomic_store_n(&v->is_blocked, false, __ATOMIC_SEQ_CST);
        return;
    }
    sched_sleep_nosync(v);
}

int vcpu_up(struct vcpu *v)
{
    if (!READ_ONCE(v->is_initialised)) {
        return -EINVAL;
    }
    __atomic_store_n(&v->is_down, false, __ATOMIC_SEQ_CST);
    vcpu_wake(v);
    return 0;
}

void vcpu_down(struct vcpu *v)
{
    __atomic_store_n(&v->is_down, true, __ATOMIC_SEQ_CST);
    sched_sleep_nosync(v);
}

void vcpu_reset(struct vcpu *v)
{
    struct domain *d = v->domain;

    vcpu_pause(v);
    spin_lock(&d->lock);
    __atomic_store_n(&v->is_down, true, __ATOMIC_SEQ_CST);
    (void)evtchn_poll_end(v);
    __atomic_store_n(&v->is_blocked, false, __ATOMIC_SEQ_CST);
    v->is_initialised = false;
    arch_vcpu_reset(v);
    spin_unlock(&d->lock);
    if (READ_ONCE(v->defers_shutdown)) {
        domain_vcpu_rests(v);
    }
    vcpu_unpause(v);
}

void vcpu_pause_nosync(struct vcpu *v)
{
    __atomic_fetch_add(&v->pause_count, 1, __ATOMIC_SEQ_CST);
    sched_sleep_nosync(v);
}

void vcpu_pause(struct vcpu *v)
{
    __atomic_fetch_add(&v->pause_count, 1, __ATOMIC_SEQ_CST);
    sched_sleep_sync(v);
}

void vcpu_unpause(struct vcpu *v)
{
    uint32_t before = __atomic_fetch_sub(&v->pause_count, 1,
                                         __ATOMIC_SEQ_CST);

    BUG_ON(before == 0);
    if (before == 1) {
        vcpu_wake(v);
    }
}

/* ---- settling ---- */

uint64_t vcpu_run_time(struct vcpu *v)
{
    struct vcpu_runstate_info r;

    sched_runstate(v, &r);
    return r.time[RUNSTATE_running];
}

bool vcpu_settle(struct vcpu *v)
{
    uint64_t ran;

    if (READ_ONCE(v->is_settling)) {
        return false;
    }
    sched_sleep_sync(v);            /* it may just be leaving its CPU */
    if (!arch_vcpu_is_between(v)) {
        v->settle_from = 0;
        return true;
    }
    ran = vcpu_run_time(v) + 1;     /* 0: not begun */
    if (v->settle_from == 0) {
        v->settle_from = ran;
    }
    if (ran - v->settle_from > VCPU_SETTLE_NS) {
        return true;
    }
    /* In the midst of more than a wait: that ends early, as any may. */
    __atomic_store_n(&v->is_blocked, false, __ATOMIC_SEQ_CST);
    WRITE_ONCE(v->is_settling, true);
    vcpu_wake(v);
    return false;
}

void vcpu_settles(struct vcpu *v)
{
    __atomic_store_n(&v->is_blocked, false, __ATOMIC_SEQ_CST);
}

void vcpu_settled(struct vcpu *v)
{
    WRITE_ONCE(v->is_settling, false);
    if (READ_ONCE(v->defers_shutdown)) {
        domain_vcpu_rests(v);
    }
    sched_sleep_nosync(v);
}
