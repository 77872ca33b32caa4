/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * XEN_SYSCTL: what the toolstack asks about the host.
 *
 * One table, one function per operation on a local copy, copied back when it
 * succeeded.  What we lack answers -ENOSYS or -EOPNOTSUPP as Xen built
 * without it would, so that xl goes on.
 *
 *  1. Lists are bounded by what exists, not by what the caller asks for.
 *  2. There is one CPU pool (0) with every CPU, and one scheduler, which
 *     takes the credit scheduler's parameters.
 */
#include "core/arch.h"
#include "core/console.h"
#include "core/cpu_policy.h"
#include "core/domain.h"
#include "core/domctl.h"
#include "core/hypercall.h"
#include "core/kmem.h"
#include "core/page_alloc.h"
#include "core/perfc.h"
#include "core/sched.h"
#include "core/vcpu.h"
#include "core/xsm.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/string.h"

#define CONSOLE_CHUNK 256u
#define AFFINITY_WORDS (sizeof(((struct sched_vcpu *)0)->hard_affinity) / 8)

struct sysctl_entry {
    uint32_t cmd;
    int (*fn)(struct xen_sysctl *op);
};

static int read_console(struct xen_sysctl *op)
{
    struct xen_sysctl_readconsole *r = &op->u.readconsole;
    struct guest_ptr to = guest_ptr_of(r->buffer.p);
    uint32_t index = r->incremental ? r->index : 0;
    uint32_t done = 0;
    char chunk[CONSOLE_CHUNK];

    while (done < r->count) {
        size_t size = min(r->count - done, CONSOLE_CHUNK);

        size = console_ring_read(chunk, size, &index, false);
        if (size == 0) {
            break;
        }
        if (guest_write(guest_ptr_add(to, done), chunk, size) != 0) {
            return -EFAULT;
        }
        done += (uint32_t)size;
    }
    if (r->clear) {
        console_ring_read(chunk, 0, &index, true);
    }
    r->count = done;
    r->index = index;
    return 0;
}

/* The featureset of a policy; 'words' is filled. */
static int featureset_of(enum cpu_policy_kind kind,
                         uint32_t words[CPU_FEATURESET_WORDS])
{
    xen_cpuid_leaf_t *leaf =
        kmem_alloc_array(CPU_POLICY_MAX_LEAVES, sizeof(*leaf));

    if (leaf == NULL) {
        return -ENOMEM;
    }
    cpu_policy_featureset(leaf, arch_cpu_policy(kind, leaf), words);
    kmem_free(leaf);
    return 0;
}

static int phys_info(struct xen_sysctl *op)
{
    struct xen_sysctl_physinfo *p = &op->u.physinfo;
    uint32_t words[CPU_FEATURESET_WORDS];
    int rc = featureset_of(CPU_POLICY_HOST, words);

    if (rc != 0) {
        return rc;
    }
    memset(p, 0, sizeof(*p));
    p->threads_per_core = 1;
    p->cores_per_socket = arch_cpu_count();
    p->nr_cpus = arch_cpu_count();
    p->max_cpu_id = arch_cpu_count() - 1;
    p->nr_nodes = 1;
    p->max_node_id = 0;
    p->cpu_khz = (uint32_t)arch_tsc_khz();
    p->capabilities = XEN_SYSCTL_PHYSCAP_hvm | XEN_SYSCTL_PHYSCAP_pv |
                      XEN_SYSCTL_PHYSCAP_hap |
                      XEN_SYSCTL_PHYSCAP_gnttab_v1;
    p->total_pages = page_alloc_total();
    p->outstanding_pages = page_alloc_claimed();
    p->free_pages = page_alloc_free();
    p->max_mfn = arch_max_mfn();
    memcpy(p->hw_cap, words, sizeof(p->hw_cap));
    return 0;
}

static int sched_id(struct xen_sysctl *op)
{
    op->u.sched_id.sched_id = XEN_SCHEDULER_CREDIT;
    return 0;
}

static int domain_list(struct xen_sysctl *op)
{
    struct xen_sysctl_getdomaininfolist *l = &op->u.getdomaininfolist;
    struct guest_ptr to = guest_ptr_of(l->buffer.p);
    uint32_t next = l->first_domain;
    uint32_t count = 0;

    while (count < l->max_domains && next < DOMID_FIRST_RESERVED) {
        struct domain *d = domain_get_next((domid_t)next);
        struct xen_domctl_getdomaininfo info;

        if (d == NULL) {
            break;
        }
        domctl_info(d, &info);
        next = d->id + 1u;
        domain_put(d);
        if (guest_write(guest_ptr_add(to, count * sizeof(info)), &info,
                        sizeof(info)) != 0) {
            return -EFAULT;
        }
        count++;
    }
    l->num_domains = count;
    return 0;
}

/* Keys are for the serial console's own handler, of which there is none. */
static int debug_keys(struct xen_sysctl *op)
{
    char key = 0;

    if (op->u.debug_keys.nr_keys > 0 &&
        guest_read(&key, guest_ptr_of(op->u.debug_keys.keys.p), 1) != 0) {
        return -EFAULT;
    }
    return 0;
}

static int cpu_info(struct xen_sysctl *op)
{
    struct xen_sysctl_getcpuinfo *c = &op->u.getcpuinfo;
    struct guest_ptr to = guest_ptr_of(c->info.p);
    uint32_t count = min(c->max_cpus, arch_cpu_count());

    for (uint32_t i = 0; i < count; i++) {
        struct xen_sysctl_cpuinfo info = { .idletime = sched_idle_time(i) };

        if (guest_write(guest_ptr_add(to, i * sizeof(info)), &info,
                        sizeof(info)) != 0) {
            return -EFAULT;
        }
    }
    c->nr_cpus = count;
    return 0;
}

static int avail_heap(struct xen_sysctl *op)
{
    op->u.availheap.avail_bytes = page_alloc_free() * PAGE_SIZE;
    return 0;
}

static int cpu_topology(struct xen_sysctl *op)
{
    struct xen_sysctl_cputopoinfo *t = &op->u.cputopoinfo;
    struct guest_ptr to = guest_ptr_of(t->cputopo.p);
    uint32_t count = arch_cpu_count();

    if (guest_ptr_is_null(to)) {
        t->num_cpus = count;
        return 0;
    }
    for (uint32_t i = 0; i < min(count, t->num_cpus); i++) {
        struct xen_sysctl_cputopo cpu = { .core = i };

        if (guest_write(guest_ptr_add(to, i * sizeof(cpu)), &cpu,
                        sizeof(cpu)) != 0) {
            return -EFAULT;
        }
    }
    t->num_cpus = count;
    return 0;
}

static int numa_info(struct xen_sysctl *op)
{
    struct xen_sysctl_numainfo *n = &op->u.numainfo;
    struct xen_sysctl_meminfo mem = {
        .memsize = page_alloc_total() * PAGE_SIZE,
        .memfree = page_alloc_free() * PAGE_SIZE,
    };
    const uint32_t distance = 10;

    if (n->num_nodes > 0 && n->meminfo.p != NULL &&
        guest_write(guest_ptr_of(n->meminfo.p), &mem, sizeof(mem)) != 0) {
        return -EFAULT;
    }
    if (n->num_nodes > 0 && n->distance.p != NULL &&
        guest_write(guest_ptr_of(n->distance.p), &distance,
                    sizeof(distance)) != 0) {
        return -EFAULT;
    }
    n->num_nodes = 1;
    return 0;
}

static uint32_t domain_count(void)
{
    uint32_t count = 0;
    uint32_t next = 0;

    while (next < DOMID_FIRST_RESERVED) {
        struct domain *d = domain_get_next((domid_t)next);

        if (d == NULL) {
            break;
        }
        next = d->id + 1u;
        domain_put(d);
        count++;
    }
    return count;
}

static int cpupool_op(struct xen_sysctl *op)
{
    struct xen_sysctl_cpupool_op *p = &op->u.cpupool_op;
    unsigned int cpus = arch_cpu_count();
    uint64_t map[AFFINITY_WORDS];

    memset(map, 0, sizeof(map));
    switch (p->op) {
    case XEN_SYSCTL_CPUPOOL_OP_INFO:
        if (p->cpupool_id != 0 &&
            p->cpupool_id != XEN_SYSCTL_CPUPOOL_PAR_ANY) {
            return -ENOENT;
        }
        for (unsigned int i = 0; i < cpus; i++) {
            map[i / 64] |= 1UL << (i % 64);
        }
        p->cpupool_id = 0;
        p->sched_id = XEN_SCHEDULER_CREDIT;
        p->n_dom = domain_count();
        return domctl_bitmap_write(&p->cpumap, map, cpus);
    case XEN_SYSCTL_CPUPOOL_OP_FREEINFO:
        return domctl_bitmap_write(&p->cpumap, map, cpus);
    case XEN_SYSCTL_CPUPOOL_OP_MOVEDOMAIN:
        return p->cpupool_id == 0 ? 0 : -ENOENT;
    default:
        return -EOPNOTSUPP;
    }
}

static int scheduler_op(struct xen_sysctl *op)
{
    struct xen_sysctl_scheduler_op *s = &op->u.scheduler_op;

    if (s->sched_id != XEN_SCHEDULER_CREDIT || s->cpupool_id != 0) {
        return -EINVAL;
    }
    if (s->cmd != XEN_SYSCTL_SCHEDOP_getinfo) {
        return -EOPNOTSUPP;
    }
    memset(&s->u, 0, sizeof(s->u));
    s->u.sched_credit.tslice_ms = SCHED_SLICE_NS / 1000000;
    s->u.sched_credit.ratelimit_us = SCHED_MIN_RUN_NS / 1000;
    return 0;
}

static int perf_counters(struct xen_sysctl *op)
{
    return perfc_op(&op->u.perfc_op);
}

static int levelling_caps(struct xen_sysctl *op)
{
    op->u.cpu_levelling_caps.caps = 0;
    return 0;
}

/* The policy kind of a featureset or policy index. */
static int kind_of(uint32_t index, const int8_t *kinds, size_t count,
                   enum cpu_policy_kind *out)
{
    if (index >= count) {
        return -EINVAL;
    }
    *out = (enum cpu_policy_kind)kinds[index];
    return 0;
}

static int cpu_featureset(struct xen_sysctl *op)
{
    static const int8_t kinds[] = {
        [XEN_SYSCTL_cpu_featureset_raw] = CPU_POLICY_HOST,
        [XEN_SYSCTL_cpu_featureset_host] = CPU_POLICY_HOST,
        [XEN_SYSCTL_cpu_featureset_pv] = CPU_POLICY_PV_DEFAULT,
        [XEN_SYSCTL_cpu_featureset_hvm] = CPU_POLICY_HVM_DEFAULT,
        [XEN_SYSCTL_cpu_featureset_pv_max] = CPU_POLICY_PV_MAX,
        [XEN_SYSCTL_cpu_featureset_hvm_max] = CPU_POLICY_HVM_MAX,
    };
    struct xen_sysctl_cpu_featureset *f = &op->u.cpu_featureset;
    struct guest_ptr to = guest_ptr_of(f->features.p);
    uint32_t words[CPU_FEATURESET_WORDS];
    uint32_t given = f->nr_features;
    enum cpu_policy_kind kind;
    int rc;

    f->nr_features = CPU_FEATURESET_WORDS;
    if (guest_ptr_is_null(to)) {
        return 0;
    }
    rc = kind_of(f->index, kinds, sizeof(kinds), &kind);
    if (rc == 0) {
        rc = featureset_of(kind, words);
    }
    if (rc == 0) {
        rc = guest_write(to, words, min(given, CPU_FEATURESET_WORDS) *
                                    sizeof(words[0]));
    }
    if (rc == 0 && given < CPU_FEATURESET_WORDS) {
        rc = -ENOBUFS;
    }
    return rc;
}

static int cpu_policy(struct xen_sysctl *op)
{
    static const int8_t kinds[] = {
        [XEN_SYSCTL_cpu_policy_raw] = CPU_POLICY_HOST,
        [XEN_SYSCTL_cpu_policy_host] = CPU_POLICY_HOST,
        [XEN_SYSCTL_cpu_policy_pv_max] = CPU_POLICY_PV_MAX,
        [XEN_SYSCTL_cpu_policy_hvm_max] = CPU_POLICY_HVM_MAX,
        [XEN_SYSCTL_cpu_policy_pv_default] = CPU_POLICY_PV_DEFAULT,
        [XEN_SYSCTL_cpu_policy_hvm_default] = CPU_POLICY_HVM_DEFAULT,
    };
    struct xen_sysctl_cpu_policy *p = &op->u.cpu_policy;
    enum cpu_policy_kind kind;
    xen_cpuid_leaf_t *leaf;
    int rc;

    /* Without buffers: the sizes that a caller should bring. */
    if (p->leaves.p == NULL && p->msrs.p == NULL) {
        p->nr_leaves = CPU_POLICY_MAX_LEAVES;
        p->nr_msrs = CPU_POLICY_MSRS;
        return 0;
    }
    rc = kind_of(p->index, kinds, sizeof(kinds), &kind);
    if (rc != 0) {
        return rc;
    }
    leaf = kmem_alloc_array(CPU_POLICY_MAX_LEAVES, sizeof(*leaf));
    if (leaf == NULL) {
        return -ENOMEM;
    }
    rc = cpu_policy_write_leaves(guest_ptr_of(p->leaves.p), &p->nr_leaves,
                                 leaf, arch_cpu_policy(kind, leaf));
    if (rc == 0) {
        rc = cpu_policy_write_msrs(guest_ptr_of(p->msrs.p), &p->nr_msrs);
    }
    kmem_free(leaf);
    return rc;
}

static const struct sysctl_entry table[] = {
    { XEN_SYSCTL_readconsole, read_console },
    { XEN_SYSCTL_physinfo, phys_info },
    { XEN_SYSCTL_sched_id, sched_id },
    { XEN_SYSCTL_perfc_op, perf_counters },
    { XEN_SYSCTL_getdomaininfolist, domain_list },
    { XEN_SYSCTL_debug_keys, debug_keys },
    { XEN_SYSCTL_getcpuinfo, cpu_info },
    { XEN_SYSCTL_availheap, avail_heap },
    { XEN_SYSCTL_cputopoinfo, cpu_topology },
    { XEN_SYSCTL_numainfo, numa_info },
    { XEN_SYSCTL_cpupool_op, cpupool_op },
    { XEN_SYSCTL_scheduler_op, scheduler_op },
    { XEN_SYSCTL_get_cpu_levelling_caps, levelling_caps },
    { XEN_SYSCTL_get_cpu_featureset, cpu_featureset },
    { XEN_SYSCTL_get_cpu_policy, cpu_policy },
};

static int absent_op(uint32_t cmd)
{
    switch (cmd) {
    case XEN_SYSCTL_psr_cmt_op:
        return -ENODEV;
    case XEN_SYSCTL_psr_alloc:
    case XEN_SYSCTL_cpu_hotplug:
        return -EOPNOTSUPP;
    default:
        return -ENOSYS;
    }
}

static int run(struct xen_sysctl *op)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].cmd == op->cmd) {
            return table[i].fn(op);
        }
    }
    return absent_op(op->cmd);
}

long sysctl(struct guest_ptr arg)
{
    struct xen_sysctl op;
    int rc;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    if (op.interface_version != XEN_SYSCTL_INTERFACE_VERSION) {
        return -EACCES;
    }
    rc = xsm_sysctl(vcpu_current()->domain, op.cmd);
    if (rc != 0) {
        return rc;
    }
    rc = run(&op);
    /* A featureset or policy that did not fit tells the size it needs. */
    if ((rc == 0 || rc == -ENOBUFS) &&
        guest_write(arg, &op, sizeof(op)) != 0) {
        rc = -EFAULT;
    }
    return rc;
}
