/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As a PVH dom0 it builds one PV guest from its initrd (host/child.h), runs
 * it, and shows what the guest writes to its console.  The result lines of a
 * guest that is a test kernel are the run's results, so this one adds how the
 * guest ended, which is by a crash if its argument says "crash".  If it says
 * "restore", the guest suspends itself twice before: it is restored in a
 * new domain, and then let go on.  With "still" it does so often, and is
 * looked at each time.
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
    child_build_pv(&c);
    if (guest_has_arg("restore")) {
        suspend_twice(&c);
    }
    code = guest_has_arg("still") ? look_often(&c) : child_watch(&c, 0);
    guest_case(code == (guest_has_arg("crash") ? SHUTDOWN_crash
                                               : SHUTDOWN_poweroff),
               "pv-end", "shutdown code %u", code);
    guest_equal("pv-destroy", child_destroy(&c), 0);
}
