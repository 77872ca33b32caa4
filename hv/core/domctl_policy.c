/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * XEN_DOMCTL on what a guest's CPUs look like: the CPU policy and the HVM
 * save records.  domctl.c calls it; cpu_policy.c writes the leaves; the
 * machine keeps and checks them.
 *
 *  1. Counts from the caller are bounded before anything is allocated.
 *  2. A whole set of leaves or records is copied, then applied.
 *  3. A guest's registers are read while the vcpu is paused.
 */
#include "core/arch.h"
#include "core/cpu_policy.h"
#include "core/domain.h"
#include "core/domctl.h"
#include "core/kmem.h"
#include "core/vcpu.h"
#include "lib/atomic.h"
#include "lib/errno.h"
#include "lib/minmax.h"

int domctl_get_policy(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_cpu_policy *p = &op->u.cpu_policy;
    xen_cpuid_leaf_t *leaf;
    unsigned int count;
    int rc;

    leaf = kmem_alloc_array(CPU_POLICY_MAX_LEAVES, sizeof(*leaf));
    if (leaf == NULL) {
        return -ENOMEM;
    }
    count = arch_domain_cpu_policy(d, leaf);
    rc = cpu_policy_write_leaves(guest_ptr_of(p->leaves.p), &p->nr_leaves,
                                 leaf, count);
    if (rc == 0) {
        rc = cpu_policy_write_msrs(guest_ptr_of(p->msrs.p), &p->nr_msrs);
    }
    kmem_free(leaf);
    return rc;
}

int domctl_set_policy(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_cpu_policy *p = &op->u.cpu_policy;
    xen_cpuid_leaf_t *leaf;
    int rc;

    p->err_leaf = p->err_subleaf = p->err_msr = ~0u;
    if (d == vcpu_current()->domain) {
        return -EINVAL;
    }
    if (p->nr_leaves > CPU_POLICY_MAX_LEAVES || p->nr_msrs > CPU_POLICY_MSRS) {
        return -E2BIG;
    }
    if (p->nr_leaves == 0) {
        return 0;
    }
    leaf = kmem_alloc_array(p->nr_leaves, sizeof(*leaf));
    if (leaf == NULL) {
        return -ENOMEM;
    }
    rc = guest_read(leaf, guest_ptr_of(p->leaves.p),
                    p->nr_leaves * sizeof(*leaf));
    if (rc == 0) {
        rc = arch_domain_set_cpu_policy(d, leaf, p->nr_leaves);
    }
    kmem_free(leaf);
    return rc;
}

int domctl_get_hvm_context(struct domain *d, struct xen_domctl *op)
{
    struct guest_ptr to = guest_ptr_of(op->u.hvmcontext.buffer.p);
    size_t size = arch_hvm_context_size(d);
    size_t used;
    void *buf;
    int rc;

    if (d == vcpu_current()->domain || d->is_pv) {
        return -EINVAL;
    }
    if (guest_ptr_is_null(to)) {
        op->u.hvmcontext.size = (uint32_t)size;
        return 0;
    }
    size = min(size, (size_t)op->u.hvmcontext.size);
    buf = kmem_alloc(size);
    if (buf == NULL) {
        return -ENOMEM;
    }
    domain_pause(d);
    rc = arch_hvm_context_save(d, buf, size, &used);
    domain_unpause(d);
    if (rc == 0) {
        op->u.hvmcontext.size = (uint32_t)used;
        rc = guest_write(to, buf, used);
    }
    kmem_free(buf);
    return rc;
}

int domctl_set_hvm_context(struct domain *d, struct xen_domctl *op)
{
    size_t size = op->u.hvmcontext.size;
    void *buf;
    int rc;

    if (d == vcpu_current()->domain || d->is_pv || size == 0 ||
        size > arch_hvm_context_size(d)) {
        return -EINVAL;
    }
    buf = kmem_alloc(size);
    if (buf == NULL) {
        return -ENOMEM;
    }
    rc = guest_read(buf, guest_ptr_of(op->u.hvmcontext.buffer.p), size);
    if (rc == 0) {
        domain_pause(d);
        rc = arch_hvm_context_load(d, buf, size);
        domain_unpause(d);
    }
    kmem_free(buf);
    return rc;
}

/* 'record' from vcpu 'v': 0, or -ENODATA as a vcpu that is down has none. */
static int read_record(struct vcpu *v, uint32_t type, void *record)
{
    int rc = 0;

    vcpu_pause(v);
    if (READ_ONCE(v->is_down) && !arch_hvm_record_is_of_down(type)) {
        rc = -ENODATA;
    } else {
        arch_hvm_record_save(v, type, record);
    }
    vcpu_unpause(v);
    return rc;
}

int domctl_get_hvm_record(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_hvmcontext_partial *p = &op->u.hvmcontext_partial;
    struct guest_ptr to = guest_ptr_of(p->buffer.p);
    size_t size = arch_hvm_record_size(p->type);
    struct vcpu *v;
    void *record;
    int rc;

    if (d == vcpu_current()->domain || d->is_pv || domain_is_dying(d) ||
        size == 0) {
        return -EINVAL;
    }
    v = domctl_vcpu(d, p->instance);
    if (v == NULL) {
        return -ENOENT;
    }
    record = kmem_alloc(size);
    if (record == NULL) {
        return -ENOMEM;
    }
    rc = read_record(v, p->type, record);
    if (rc == 0 && !guest_ptr_is_null(to)) {
        rc = p->bufsz < size ? -ENOBUFS : guest_write(to, record, size);
    }
    if (rc == 0) {
        p->bufsz = size;
    }
    kmem_free(record);
    return rc;
}
