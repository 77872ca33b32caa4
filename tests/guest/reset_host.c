/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As a PVH dom0 it runs a guest that kexecs (pvh_reset), does for it what a
 * toolstack does, and in the end takes it down.  A guest that has not stopped,
 * or that is not held, is not reset.
 */
#include "host/child.h"

static long control(const struct child *c, uint32_t cmd)
{
    struct xen_domctl op = { 0 };

    return child_domctl(c, cmd, &op);
}

static uint64_t pages_of(const struct child *c)
{
    struct xen_domctl op = { 0 };

    child_must("info", child_domctl(c, XEN_DOMCTL_getdomaininfo, &op));
    return op.u.getdomaininfo.tot_pages;
}

static void reset(struct child *c, unsigned int round)
{
    uint64_t before = pages_of(c);

    guest_equal("reset-not-held", control(c, XEN_DOMCTL_soft_reset), -EINVAL);
    child_must("pause", control(c, XEN_DOMCTL_pausedomain));
    guest_equal("reset", control(c, XEN_DOMCTL_soft_reset), 0);
    guest_equal("reset-once", control(c, XEN_DOMCTL_soft_reset), -EINVAL);
    guest_case(pages_of(c) == before + 1, "reset-pages", "round %u: %lu, "
               "were %lu", round, pages_of(c), before);
    child_must("unpause", control(c, XEN_DOMCTL_unpausedomain));
}

void guest_main(void)
{
    const struct bundle *b = child_bundle();
    struct child c = {
        .pages = b->pages, .vcpus = b->vcpus, .line = b->line,
        .kernel = (const char *)(b + 1),
    };
    unsigned int rounds = 0;
    uint32_t code;

    child_create(&c, XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap);
    child_build_pvh(&c);
    guest_equal("reset-running", control(&c, XEN_DOMCTL_soft_reset), -EINVAL);
    while ((code = child_watch(&c, 0)) == SHUTDOWN_soft_reset) {
        reset(&c, ++rounds);
    }
    guest_equal("reset-end", code, SHUTDOWN_poweroff);
    guest_case(rounds > 1, "reset-rounds", "%u", rounds);
    guest_equal("reset-destroy", child_destroy(&c), 0);
}
