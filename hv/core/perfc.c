/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Performance counters and XEN_SYSCTL_perfc_op, which the stock tool
 * xenperf reads: a list of descriptions, and the values of all in order.
 * Each counter has one value a CPU; hypercalls have one value a number:
 * counts, summed over the CPUs, and the longest times, with their arguments.
 */
#include "core/perfc.h"

#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/string.h"

/* Arrays by hypercall number: their names for xenperf. */
#define ARRAYS 3u

struct perfc_cpu perfc_cpu[PERFC_MAX_CPUS];
bool perfc_takes_times;

static const char *const names[PERFC_COUNT] = {
#define PERFC_NAME(id, name) name,
    PERFC_LIST(PERFC_NAME)
#undef PERFC_NAME
};

static const char *const array_names[ARRAYS] = {
    "hypercalls by number", "longest hypercall by number, ns",
    "its first argument",
};

struct arrays {
    uint32_t value[ARRAYS][PERFC_HYPERCALLS];
};

void perfc_end(uint64_t begin, uint64_t nr, uint64_t arg)
{
    struct perfc_cpu *c = &perfc_cpu[arch_cpu_id()];
    uint64_t took = min(arch_time_now() - begin, (uint64_t)UINT32_MAX);

    if (nr < PERFC_HYPERCALLS && took > c->longest[nr]) {
        c->longest[nr] = (uint32_t)took;
        c->longest_arg[nr] = (uint32_t)arg;
    }
}

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
    for (uint32_t i = 0; i < ARRAYS; i++) {
        if (write_desc(to, PERFC_COUNT + i, array_names[i],
                       PERFC_HYPERCALLS) != 0) {
            return -EFAULT;
        }
    }
    return 0;
}

static void add_arrays(struct arrays *sum, const struct perfc_cpu *c)
{
    for (uint32_t nr = 0; nr < PERFC_HYPERCALLS; nr++) {
        sum->value[0][nr] += c->hypercall[nr];
        if (c->longest[nr] > sum->value[1][nr]) {
            sum->value[1][nr] = c->longest[nr];
            sum->value[2][nr] = c->longest_arg[nr];
        }
    }
}

static int write_values(struct guest_ptr to)
{
    unsigned int cpus = arch_cpu_count();
    struct arrays sum;

    for (uint32_t i = 0; i < PERFC_COUNT; i++) {
        for (unsigned int cpu = 0; cpu < cpus; cpu++) {
            uint32_t value = perfc_cpu[cpu].counter[i];

            if (guest_write(to, &value, sizeof(value)) != 0) {
                return -EFAULT;
            }
            to = guest_ptr_add(to, sizeof(value));
        }
    }
    memset(&sum, 0, sizeof(sum));
    for (unsigned int cpu = 0; cpu < cpus; cpu++) {
        add_arrays(&sum, &perfc_cpu[cpu]);
    }
    return guest_write(to, &sum, sizeof(sum));
}

int perfc_op(struct xen_sysctl_perfc_op *op)
{
    struct guest_ptr desc = guest_ptr_of(op->desc.p);
    struct guest_ptr val = guest_ptr_of(op->val.p);
    int rc = 0;

    switch (op->cmd) {
    case XEN_SYSCTL_PERFCOP_reset:
        memset(perfc_cpu, 0, arch_cpu_count() * sizeof(perfc_cpu[0]));
        __atomic_store_n(&perfc_takes_times, true, __ATOMIC_RELAXED);
        break;
    case XEN_SYSCTL_PERFCOP_query:
        break;
    default:
        return -EINVAL;
    }
    op->nr_counters = PERFC_COUNT + ARRAYS;
    op->nr_vals = PERFC_COUNT * arch_cpu_count() + ARRAYS * PERFC_HYPERCALLS;
    if (!guest_ptr_is_null(desc)) {
        rc = write_descs(desc);
    }
    if (rc == 0 && !guest_ptr_is_null(val)) {
        rc = write_values(val);
    }
    return rc;
}
