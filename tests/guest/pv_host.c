/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As a PVH dom0 it builds one PV guest from its initrd (host/child.h), runs
 * it, and shows what the guest writes to its console.  The result lines of a
 * guest that is a test kernel are the run's results, so this one adds how the
 * guest ended, which is by a crash if its argument says "crash".
 */
#include "host/child.h"

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
    code = child_watch(&c, 0);
    guest_case(code == (guest_has_arg("crash") ? SHUTDOWN_crash
                                               : SHUTDOWN_poweroff),
               "pv-end", "shutdown code %u", code);
    guest_equal("pv-destroy", child_destroy(&c), 0);
}
