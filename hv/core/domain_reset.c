/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * XEN_DOMCTL_soft_reset: a guest that kexecs.  It shuts down with
 * SHUTDOWN_soft_reset, its next kernel ready in its memory; the toolstack
 * takes its devices away, pauses it, calls this, and gives it new channels
 * and devices.  It then goes on behind its hypercall and jumps to that kernel,
 * which asks for all that a kernel asks for at boot.
 *
 *  1. The domain is shut down and held by the toolstack's pause, which waited
 *     for its vcpus; domctl.c lets nobody end that meanwhile.  So what is a
 *     vcpu's own may be changed here.
 *  2. It is done in stages.  -ERESTART and an error leave a domain that is
 *     shut down, and can be reset or destroyed; if it is let go on by other
 *     means, domain_resume() forgets how far this was.
 *  3. Gone are: ports and FIFO, each vcpu's record, areas and timers, and
 *     shared_info from where it was mapped, where zeroed RAM stands again.
 *  4. All else stays, as with Xen: memory, registers, which vcpus are up, HVM
 *     parameters, upcall vectors, watchdogs; and grants: the table with its
 *     entries, what others map of it, and what the domain maps of others.
 *     Whoever has a frame mapped keeps it until he unmaps it.
 */
#include "core/budget.h"
#include "core/console.h"
#include "core/domain.h"
#include "core/evtchn.h"
#include "core/physmap.h"
#include "core/vcpu.h"
#include "core/vcpu_op.h"
#include "lib/errno.h"

#define STAGES 3u

static bool may_be_reset(struct domain *d)
{
    bool may;

    spin_lock(&d->lock);
    may = !d->is_pv && !domain_is_dying(d) && d->is_shut_down &&
          d->controller_pauses > 0;
    spin_unlock(&d->lock);
    return may;
}

static void reset_vcpus(struct domain *d)
{
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        if (d->vcpu[i] != NULL) {
            vcpu_op_reset(d->vcpu[i]);
        }
    }
}

/* 0 when it is done, or -E. */
static int run_stage(struct domain *d, unsigned int stage)
{
    switch (stage) {
    case 0:
        return evtchn_soft_reset(d);
    case 1:
        return physmap_unplace_shared_info(d);
    default:
        reset_vcpus(d);
        return 0;
    }
}

static int run_stages(struct domain *d)
{
    struct budget b = budget_start();

    while (d->reset_stage < STAGES) {
        int rc = budget_is_spent(&b) ? -ERESTART
                                     : run_stage(d, d->reset_stage);

        if (rc != 0) {
            return rc;
        }
        d->reset_stage++;
    }
    return 0;
}

int domain_soft_reset(struct domain *d)
{
    int rc;

    if (!may_be_reset(d)) {
        return -EINVAL;
    }
    rc = run_stages(d);
    if (rc == 0) {
        domain_resume(d);
    } else if (rc != -ERESTART) {
        d->reset_stage = 0;
        console_guest_log(LOG_WARNING, d, "soft reset: error %d", -rc);
    }
    return rc;
}
