/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Performance counters and XEN_SYSCTL_perfc_op, which the stock tool
 * xenperf reads: a list of descriptions, and the values of all in order.
 * Each counter has one value a CPU; hypercalls have one value a number,
 * summed over the CPUs.
 */
#include "core/perfc.h"

#include "lib/errno.h"
#include "lib/string.h"

struct perfc_cpu perfc_cpu[PERFC_MAX_CPUS];

static const char *const names[PERFC_COUNT] = {
#define PERFC_NAME(id, name) name,
    PERFC_LIST(PERFC_NAME)
#undef PERFC_NAME
};

#define HYPERCALLS_NAME "hypercalls by number"

static int write_desc(struct guest_ptr to, uint32_t index, const char *name,
                      uint32_t values)
{
    struct xen_sysctl_perfc_desc desc;
    size_t length = strlen(name);

    memset(&desc, 0, sizeof(desc));
    if (length >= sizeof(desc.name)) {
        length = sizeof(desc.name) - 1;
    }
    memcpy(desc.name, name, length);
    desc.nr_vals = values;
    return guest_write(guest_ptr_add(to, index * sizeof(desc)), &desc,
                       sizeof(desc));
}

static int write_descs(struct guest_ptr to)
{
    for (uint32_t i = 0; i < PERFC_COUNT; i++) {
        if (write_desc(to, i, names[i], arch_cpu_count()) != 0) {
            return -EFAULT;
        }
    }
    return write_desc(to, PERFC_COUNT, HYPERCALLS_NAME, PERFC_HYPERCALLS);
}

static int write_values(struct guest_ptr to)
{
    unsigned int cpus = arch_cpu_count();
    uint32_t sum[PERFC_HYPERCALLS];

    for (uint32_t i = 0; i < PERFC_COUNT; i++) {
        for (unsigned int cpu = 0; cpu < cpus; cpu++) {
            uint32_t value = perfc_cpu[cpu].counter[i];

            if (guest_write(to, &value, sizeof(value)) != 0) {
                return -EFAULT;
            }
            to = guest_ptr_add(to, sizeof(value));
        }
    }
    memset(sum, 0, sizeof(sum));
    for (unsigned int cpu = 0; cpu < cpus; cpu++) {
        for (uint32_t nr = 0; nr < PERFC_HYPERCALLS; nr++) {
            sum[nr] += perfc_cpu[cpu].hypercall[nr];
        }
    }
    return guest_write(to, sum, sizeof(sum));
}

int perfc_op(struct xen_sysctl_perfc_op *op)
{
    struct guest_ptr desc = guest_ptr_of(op->desc.p);
    struct guest_ptr val = guest_ptr_of(op->val.p);
    int rc = 0;

    switch (op->cmd) {
    case XEN_SYSCTL_PERFCOP_reset:
        memset(perfc_cpu, 0, sizeof(perfc_cpu));
        break;
    case XEN_SYSCTL_PERFCOP_query:
        break;
    default:
        return -EINVAL;
    }
    op->nr_counters = PERFC_COUNT + 1;
    op->nr_vals = PERFC_COUNT * arch_cpu_count() + PERFC_HYPERCALLS;
    if (!guest_ptr_is_null(desc)) {
        rc = write_descs(desc);
    }
    if (rc == 0 && !guest_ptr_is_null(val)) {
        rc = write_values(val);
    }
    return rc;
}
