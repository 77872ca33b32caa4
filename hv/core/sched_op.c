/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HYPERVISOR_sched_op: a vcpu yields, blocks, or waits for ports; a domain
 * stops, or has a watchdog that stops it.
 *
 *   poll: poll_port and the poll mask say that we wait, then is_blocked, then
 *   the ports are looked at.  A sender sets the port's bit, then looks at
 *   the mask (evtchn_check_pollers).  So one of the two sees the other.
 *   A sender that is slow may end a poll that is not the one that it saw,
 *   and before is_blocked is set: so we look at the mask, too.  Who wakes the
 *   vcpu for another reason leaves the mask alone; such a poll ends there
 *   when the vcpu polls or blocks the next time.
 *
 *  1. Nothing waits inside the hypervisor: a vcpu that blocks returns from
 *     its hypercall and is not picked until something unblocks it.
 */
#include "core/arch.h"
#include "core/domain.h"
#include "core/evtchn_table.h"
#include "core/hypercall.h"
#include "core/kmem.h"
#include "core/lock.h"
#include "core/sched_op.h"
#include "core/vcpu.h"
#include "core/xsm.h"
#include "lib/atomic.h"
#include "lib/errno.h"
#include "lib/nospec.h"

/* As Xen has it. */
#define POLL_PORTS_MAX 128u
#define WATCHDOGS 2u
#define SECOND_NS 1000000000ull

struct domain_watchdog {
    spinlock_t lock;                /* LOCK_RANK_VIRQ: below timers */
    struct timer timer[WATCHDOGS];
    bool in_use[WATCHDOGS];         /* [lock] */
};

/* ---- block and poll ---- */

static void block(struct vcpu *v)
{
    __atomic_store_n(&v->info->evtchn_upcall_mask, 0, __ATOMIC_SEQ_CST);
    vcpu_block(v);
}

static bool is_any_pending(struct vcpu *v, const evtchn_port_t *ports,
                           unsigned int count)
{
    unsigned int i;

    /* Linux polls for its spinlocks with interrupts off, too. */
    if (arch_vcpu_has_pending(v) && arch_vcpu_is_interruptible(v)) {
        return true;
    }
    for (i = 0; i < count; i++) {
        if (evtchn_is_pending(v->domain, ports[i])) {
            return true;
        }
    }
    return false;
}

static long poll_ports(struct vcpu *v, const evtchn_port_t *ports,
                       unsigned int count, uint64_t timeout)
{
    timer_stop(&v->poll_timer);
    evtchn_poll_start(v, count == 1 ? (int)ports[0] : -1);
    __atomic_store_n(&v->is_blocked, true, __ATOMIC_SEQ_CST);
    if (!evtchn_is_polling(v) || is_any_pending(v, ports, count)) {
        (void)evtchn_poll_end(v);
        vcpu_unblock(v);
        return 0;
    }
    if (timeout != 0) {
        timer_set(&v->poll_timer, timeout);
    }
    sched_sleep_nosync(v);
    return 0;
}

static long op_poll(struct vcpu *v, struct guest_ptr arg)
{
    evtchn_port_t ports[POLL_PORTS_MAX];
    struct sched_poll op;
    unsigned int i;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    if (op.nr_ports > POLL_PORTS_MAX) {
        return -EINVAL;
    }
    if (op.nr_ports > 0 && guest_read(ports, guest_ptr_of(op.ports.p),
                                      op.nr_ports * sizeof(*ports)) != 0) {
        return -EFAULT;
    }
    for (i = 0; i < op.nr_ports; i++) {
        if (ports[i] == 0 || evtchn_find(v->domain, ports[i]) == NULL) {
            return -EINVAL;
        }
    }
    return poll_ports(v, ports, op.nr_ports, op.timeout);
}

/* ---- a domain stops ---- */

static long op_shutdown(struct domain *d, struct guest_ptr arg)
{
    struct sched_shutdown op;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    domain_shutdown(d, op.reason);
    return 0;
}

static long op_shutdown_code(struct domain *d, struct guest_ptr arg)
{
    struct sched_shutdown op;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    spin_lock(&d->lock);
    if (d->shutdown_code == DOMAIN_NO_SHUTDOWN_CODE) {
        d->shutdown_code = op.reason;
    }
    spin_unlock(&d->lock);
    return 0;
}

static long op_remote_shutdown(struct domain *cur, struct guest_ptr arg)
{
    struct sched_remote_shutdown op;
    struct domain *d;
    long error;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    d = domain_get_by_id(op.domain_id);
    if (d == NULL) {
        return -ESRCH;
    }
    error = xsm_sched_remote_shutdown(cur, d);
    if (error == 0) {
        domain_shutdown(d, op.reason);
    }
    domain_put(d);
    return error;
}

/* ---- watchdogs ---- */

static void watchdog_fired(void *arg)
{
    domain_shutdown(arg, SHUTDOWN_watchdog);
}

static struct domain_watchdog *watchdog_of(struct domain *d)
{
    struct domain_watchdog *w = __atomic_load_n(&d->watchdog,
                                                __ATOMIC_ACQUIRE);
    struct domain_watchdog *expected = NULL;
    unsigned int i;

    if (w != NULL) {
        return w;
    }
    w = kmem_alloc(sizeof(*w));
    if (w == NULL) {
        return NULL;
    }
    spin_lock_init(&w->lock, LOCK_RANK_VIRQ);
    for (i = 0; i < WATCHDOGS; i++) {
        timer_init(&w->timer[i], watchdog_fired, d);
    }
    if (!__atomic_compare_exchange_n(&d->watchdog, &expected, w, false,
                                     __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)) {
        kmem_free(w);
        w = expected;
    }
    return w;
}

/* Arms a free one: its id (from 1), or -ENOSPC. */
static long watchdog_new(struct domain_watchdog *w, uint64_t deadline)
{
    unsigned int i;

    for (i = 0; i < WATCHDOGS; i++) {
        if (!w->in_use[i]) {
            w->in_use[i] = true;
            timer_set(&w->timer[i], deadline);
            return i + 1;
        }
    }
    return -ENOSPC;
}

static long op_watchdog(struct domain *d, struct guest_ptr arg)
{
    struct sched_watchdog op;
    struct domain_watchdog *w;
    uint64_t deadline;
    unsigned int i;
    long result = 0;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    if (op.id > WATCHDOGS || (op.id == 0 && op.timeout == 0)) {
        return -EINVAL;
    }
    w = watchdog_of(d);
    if (w == NULL) {
        return -ENOMEM;
    }
    deadline = arch_time_now() + op.timeout * SECOND_NS;
    if (op.id == 0) {
        spin_lock(&w->lock);
        result = watchdog_new(w, deadline);
        spin_unlock(&w->lock);
        return result;
    }
    i = index_nospec(op.id - 1, WATCHDOGS);
    spin_lock(&w->lock);
    if (op.timeout == 0) {
        w->in_use[i] = false;
        timer_stop(&w->timer[i]);
    } else if (w->in_use[i]) {
        timer_set(&w->timer[i], deadline);
    } else {
        result = -EINVAL;
    }
    spin_unlock(&w->lock);
    return result;
}

void sched_op_stop_watchdogs(struct domain *d)
{
    struct domain_watchdog *w = __atomic_exchange_n(&d->watchdog, NULL,
                                                    __ATOMIC_SEQ_CST);
    unsigned int i;

    if (w == NULL) {
        return;
    }
    for (i = 0; i < WATCHDOGS; i++) {
        timer_stop(&w->timer[i]);
    }
    kmem_free(w);
}

long sched_op(unsigned int cmd, struct guest_ptr arg)
{
    struct vcpu *v = vcpu_current();

    switch (cmd) {
    case SCHEDOP_yield:
        sched_give_way(v);
        return 0;
    case SCHEDOP_block:
        block(v);
        return 0;
    case SCHEDOP_shutdown:
        return op_shutdown(v->domain, arg);
    case SCHEDOP_poll:
        return op_poll(v, arg);
    case SCHEDOP_remote_shutdown:
        return op_remote_shutdown(v->domain, arg);
    case SCHEDOP_shutdown_code:
        return op_shutdown_code(v->domain, arg);
    case SCHEDOP_watchdog:
        return op_watchdog(v->domain, arg);
    case SCHEDOP_pin_override:
        /* Of dom0's firmware drivers; ours are not pinned. */
        return v->domain->is_privileged ? -EBUSY : -EPERM;
    default:
        return -ENOSYS;
    }
}
