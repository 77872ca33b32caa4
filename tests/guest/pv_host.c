/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As a PVH dom0 it builds one PV guest from its initrd (host/child.h), runs
 * it, and shows what the guest writes to its console.  The result lines of a
 * guest that is a test kernel are the run's results, so this one adds how the
 * guest ended, which is by a crash if its argument says "crash".  If it says
 * "restore", the guest suspends itself twice before: it is restored in a
 * new domain, and then let go on.  With "still" it does so often, and is
 * looked at each time.  With "loader" the guest changes its M2P, which is
 * shown to this one before, as to who saves a guest whose loader still runs.
 */
#include "host/child.h"

static void suspend_twice(struct child *c)
{
    guest_equal("suspended", child_watch(c, 0), SHUTDOWN_suspend);
    child_restore_pv(c);
    guest_equal("suspended-again", child_watch(c, 0), SHUTDOWN_suspend);
    child_resume_pv(c);
}

static uint32_t look_often(struct child *c)
{
    uint32_t code;

    while ((code = child_watch(c, 0)) == SHUTDOWN_suspend) {
        child_look_pv(c);
        child_resume_pv(c);
    }
    return code;
}

/* What libxc does to see the M2P of the guest that it saves. */
static void look_at_m2p(const struct child *c)
{
    struct xen_machphys_mfn_list list = { .max_extents = 1 };
    struct xen_domctl op = { 0 };
    xen_pfn_t start = 0;

    child_must("width", child_domctl(c, XEN_DOMCTL_get_address_size, &op));
    set_xen_guest_handle(list.extent_start, &start);
    child_must("m2p", memory_op(XENMEM_machphys_mfn_list, &list));
}

static long ask_for_type(const struct child *c)
{
    struct xen_domctl op = { 0 };
    xen_pfn_t frame = 1;

    op.u.getpageframeinfo3.num = 1;
    set_xen_guest_handle(op.u.getpageframeinfo3.array, &frame);
    return child_domctl(c, XEN_DOMCTL_getpageframeinfo3, &op);
}

/* By a former M2P nothing is saved. */
static void test_m2p(const struct child *c)
{
    guest_equal("former-m2p", ask_for_type(c), -EAGAIN);
    look_at_m2p(c);
    guest_equal("m2p-of-now", ask_for_type(c), 0);
}

void guest_main(void)
{
    const struct bundle *b = child_bundle();
    struct child c = {
        .pages = b->pages, .vcpus = b->vcpus, .line = b->line,
        .kernel = (const char *)(b + 1), .ramdisk_size = b->ramdisk_size,
        .ramdisk = (const char *)(b + 1) + b->kernel_size,
    };
    uint32_t code;

    child_create(&c, 0);
    if (guest_has_arg("loader")) {
        look_at_m2p(&c);
        guest_equal("m2p-at-first", ask_for_type(&c), 0);
    }
    child_build_pv(&c);
    if (guest_has_arg("restore")) {
        suspend_twice(&c);
    }
    code = guest_has_arg("still") ? look_often(&c) : child_watch(&c, 0);
    guest_case(code == (guest_has_arg("crash") ? SHUTDOWN_crash
                                               : SHUTDOWN_poweroff),
               "pv-end", "shutdown code %u", code);
    if (guest_has_arg("loader")) {
        test_m2p(&c);
    }
    guest_equal("pv-destroy", child_destroy(&c), 0);
}
