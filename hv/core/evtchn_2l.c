/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The 2-level event channel ABI (xen.h: shared_info): pending and mask bits
 * in shared_info, a selector word in vcpu_info.  Called by evtchn.c.
 *
 *  1. pending 0 -> 1 on an unmasked port sets the selector bit, then the
 *     upcall flag, in this order; the guest clears in the reverse order.
 *  2. Nothing that the guest writes there is trusted: bits only.
 */
#include "core/evtchn_table.h"
#include "lib/atomic.h"
#include "lib/errno.h"

static unsigned long *pending_map(struct domain *d)
{
    return d->shared_info->evtchn_pending;
}

static unsigned long *mask_map(struct domain *d)
{
    return d->shared_info->evtchn_mask;
}

static void select_word(struct vcpu *v, uint32_t port)
{
    vcpu_info_t *info = __atomic_load_n(&v->info, __ATOMIC_ACQUIRE);
    unsigned long bit = 1ul << (port / BITS_PER_WORD);

    if (!(__atomic_fetch_or(&info->evtchn_pending_sel, bit,
                            __ATOMIC_SEQ_CST) & bit)) {
        evtchn_mark_pending(v);
    }
}

static void set_pending(struct vcpu *v, struct evtchn *ch)
{
    struct domain *d = v->domain;

    if (ch->port >= EVTCHN_2L_PORTS ||
        bitmap_test_and_set(pending_map(d), ch->port)) {
        return;
    }
    if (!bitmap_test(mask_map(d), ch->port)) {
        select_word(v, ch->port);
    }
    evtchn_check_pollers(d, ch->port);
}

static void clear_pending(struct domain *d, struct evtchn *ch)
{
    if (ch->port < EVTCHN_2L_PORTS) {
        (void)bitmap_test_and_clear(pending_map(d), ch->port);
    }
}

static void unmask(struct vcpu *v, struct evtchn *ch)
{
    struct domain *d = v->domain;

    if (ch->port < EVTCHN_2L_PORTS &&
        bitmap_test_and_clear(mask_map(d), ch->port) &&
        bitmap_test(pending_map(d), ch->port)) {
        select_word(v, ch->port);
    }
}

static bool is_pending(struct domain *d, const struct evtchn *ch)
{
    return ch->port < EVTCHN_2L_PORTS &&
           bitmap_test(pending_map(d), ch->port);
}

static bool is_masked(struct domain *d, const struct evtchn *ch)
{
    return ch->port >= EVTCHN_2L_PORTS || bitmap_test(mask_map(d), ch->port);
}

static bool is_busy(struct domain *d, const struct evtchn *ch)
{
    (void)d;
    (void)ch;
    return false;
}

const struct evtchn_ops evtchn_2l_ops = {
    .set_pending = set_pending,
    .clear_pending = clear_pending,
    .unmask = unmask,
    .is_pending = is_pending,
    .is_masked = is_masked,
    .is_busy = is_busy,
    .max_ports = EVTCHN_2L_PORTS,
};
