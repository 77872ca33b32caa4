/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How a guest stops itself or is stopped, and how it goes on.
 *
 *   runs --domain_shutdown()--> is_shutting_down --finish()--> is_shut_down
 *    ^                                 |                            |
 *    '---------domain_resume()---------+----------------------------'
 *
 * Who sees is_shut_down may save the domain, so nothing of it runs on.  A PV
 * guest's vcpu stops anywhere, in the middle of a hypercall too: such a one
 * defers the shutdown and runs on to where its registers are its guest's
 * (arch_vcpu_is_between()).  Others defer nothing, nor does who crashes: then
 * finish() follows at once.
 *
 *  1. While is_shutting_down vcpus run only if they defer the shutdown, or
 *     settle for a tool (domain_settle()).
 *  2. defers_shutdown is set by domain_shutdown() alone, of those that run or
 *     are in the midst; it is cleared by the vcpu when it is there
 *     (vcpu_settled()), when it loses its registers, when the domain crashes
 *     or is resumed, and by look_for_ill().  One that is paused meanwhile goes
 *     on once it is not.
 *  3. is_shut_down means that none defers: the last one to stop doing so, or
 *     who came to see that, calls finish().
 *  4. rest_timer is armed with the domain's lock held, and not if it dies: so
 *     domain_kill() may stop it.  After a resume it finds nothing to do.
 */
#include "core/arch.h"
#include "core/console.h"
#include "core/domain.h"
#include "core/evtchn.h"
#include "core/sched.h"
#include "core/vcpu.h"
#include "lib/atomic.h"

#define LOOK_NS 250000000u

static struct vcpu *vcpu_of(struct domain *d, unsigned int i)
{
    return __atomic_load_n(&d->vcpu[i], __ATOMIC_ACQUIRE);
}

/* Is it shut down from now on?  d->lock is held. */
static bool finish(struct domain *d)
{
    if (!d->is_shutting_down || d->is_shut_down) {
        return false;
    }
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        const struct vcpu *v = vcpu_of(d, i);

        if (v != NULL && v->defers_shutdown) {
            return false;
        }
    }
    WRITE_ONCE(d->is_shut_down, true);
    return true;
}

static void defer_nothing(struct domain *d)
{
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = vcpu_of(d, i);

        if (v != NULL && v->defers_shutdown) {
            WRITE_ONCE(v->defers_shutdown, false);
            sched_sleep_nosync(v);
        }
    }
}

void domain_vcpu_rests(struct vcpu *v)
{
    struct domain *d = v->domain;
    bool is_finished;

    spin_lock(&d->lock);
    WRITE_ONCE(v->defers_shutdown, false);
    is_finished = finish(d);
    spin_unlock(&d->lock);
    if (is_finished) {
        evtchn_virq_global(VIRQ_DOM_EXC);
    }
}

/* ---- who means ill, and never rests ---- */

static void look_for_ill(void *arg)
{
    struct domain *d = arg;
    bool is_finished;

    spin_lock(&d->lock);
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = vcpu_of(d, i);

        if (v != NULL && v->defers_shutdown
            && vcpu_run_time(v) - v->defers_from > VCPU_SETTLE_NS) {
            WRITE_ONCE(v->defers_shutdown, false);
            sched_sleep_nosync(v);
        }
    }
    is_finished = finish(d);
    if (d->is_shutting_down && !d->is_shut_down && !domain_is_dying(d)) {
        timer_set(&d->rest_timer, arch_time_now() + LOOK_NS);
    }
    spin_unlock(&d->lock);
    if (is_finished) {
        evtchn_virq_global(VIRQ_DOM_EXC);
    }
}

void domain_shutdown_init(struct domain *d)
{
    timer_init(&d->rest_timer, look_for_ill, d);
}

/* ---- shutdown ---- */

/*
 * May more of what it is at be seen?  It has been told to stop and cannot
 * start any more: if it does not run, it stays where it is.
 */
static bool is_in_the_midst(struct vcpu *v)
{
    return v->is_initialised
           && (__atomic_load_n(&v->sched.is_running, __ATOMIC_ACQUIRE)
               || arch_vcpu_is_between(v));
}

/* Stops all vcpus; those of a PV guest where they are their guest's. */
static void stop_vcpus(struct domain *d)
{
    bool may_defer = d->is_pv && d->shutdown_code != SHUTDOWN_crash
                     && !domain_is_dying(d);
    bool is_deferred = false;

    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = vcpu_of(d, i);

        if (v == NULL) {
            continue;
        }
        sched_sleep_nosync(v);
        if (may_defer && is_in_the_midst(v)) {
            v->defers_from = vcpu_run_time(v);
            WRITE_ONCE(v->defers_shutdown, true);
            is_deferred = true;
            vcpu_wake(v);           /* if it just left its CPU */
        }
    }
    if (is_deferred) {
        timer_set(&d->rest_timer, arch_time_now() + LOOK_NS);
    }
}

void domain_shutdown(struct domain *d, uint8_t code)
{
    bool is_finished;

    if (d->is_privileged) {
        arch_machine_shutdown(code);
    }
    spin_lock(&d->lock);
    if (!d->is_shutting_down) {
        if (d->shutdown_code == DOMAIN_NO_SHUTDOWN_CODE) {
            d->shutdown_code = code;
        }
        WRITE_ONCE(d->is_shutting_down, true);
        stop_vcpus(d);
    } else if (!d->is_shut_down && code == SHUTDOWN_crash) {
        d->shutdown_code = code;    /* it did not get as far as it said */
        defer_nothing(d);
    }
    is_finished = finish(d);
    spin_unlock(&d->lock);
    if (is_finished) {
        evtchn_virq_global(VIRQ_DOM_EXC);
    }
}

void domain_crash(struct domain *d, const char *why)
{
    if (!READ_ONCE(d->is_shut_down)) {
        console_log(LOG_WARNING, "domain %u crashed: %s", d->id, why);
    }
    domain_shutdown(d, SHUTDOWN_crash);
}

void domain_resume(struct domain *d)
{
    domain_pause(d);
    spin_lock(&d->lock);
    defer_nothing(d);
    WRITE_ONCE(d->is_shut_down, false);
    WRITE_ONCE(d->is_shutting_down, false);
    d->shutdown_code = DOMAIN_NO_SHUTDOWN_CODE;
    d->reset_stage = 0;
    spin_unlock(&d->lock);
    domain_unpause(d);
}
