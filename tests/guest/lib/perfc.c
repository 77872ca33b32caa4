/* SPDX-License-Identifier: GPL-2.0-only */
/* The hypervisor's performance counters, as dom0 reads them. */
#include "guest.h"

#define COUNTERS 64u
#define VALUES 4096u

unsigned int guest_perfc(const char *name, uint32_t *values,
                         unsigned int max)
{
    static struct xen_sysctl_perfc_desc desc[COUNTERS];
    static xen_sysctl_perfc_val_t all[VALUES];
    struct xen_sysctl op = {
        .cmd = XEN_SYSCTL_perfc_op,
        .interface_version = XEN_SYSCTL_INTERFACE_VERSION,
        .u.perfc_op.cmd = XEN_SYSCTL_PERFCOP_query,
    };
    unsigned int at = 0;

    if (hypercall(__HYPERVISOR_sysctl, PTR(&op), 0, 0) != 0
        || op.u.perfc_op.nr_counters > COUNTERS
        || op.u.perfc_op.nr_vals > VALUES) {
        return 0;
    }
    set_xen_guest_handle(op.u.perfc_op.desc, desc);
    set_xen_guest_handle(op.u.perfc_op.val, all);
    if (hypercall(__HYPERVISOR_sysctl, PTR(&op), 0, 0) != 0) {
        return 0;
    }
    for (unsigned int i = 0; i < op.u.perfc_op.nr_counters; i++) {
        unsigned int count = min(desc[i].nr_vals, max);

        if (strcmp(desc[i].name, name) == 0) {
            memcpy(values, &all[at], count * sizeof(*values));
            return count;
        }
        at += desc[i].nr_vals;
    }
    return 0;
}
