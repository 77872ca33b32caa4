/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * XEN_DOMCTL on vcpus: creation, registers, information, affinity.  Called
 * by domctl.c with a referenced domain and a local copy of the operation.
 *
 *  1. A vcpu number is checked against max_vcpus and clamped before use.
 *  2. Bitmaps of the ABI are bytes of any length: missing bits are zero,
 *     bits that we do not have are dropped.
 *  3. No domain pauses itself: of two vcpus that do, none would stop.
 */
#include "core/domctl.h"

#include "core/arch.h"
#include "core/budget.h"
#include "core/domain.h"
#include "core/hypercall.h"
#include "core/kmem.h"
#include "core/sched.h"
#include "core/vcpu.h"
#include "lib/atomic.h"
#include "lib/errno.h"
#include "lib/nospec.h"
#include "lib/string.h"

#define AFFINITY_WORDS (sizeof(((struct sched_vcpu *)0)->hard_affinity) / 8)

struct vcpu *domctl_vcpu(struct domain *d, uint32_t id)
{
    if (id >= d->max_vcpus) {
        return NULL;
    }
    return d->vcpu[index_nospec(id, d->max_vcpus)];
}

int domctl_bitmap_write(const struct xenctl_bitmap *to, const uint64_t *from,
                        unsigned int bits)
{
    struct guest_ptr p = guest_ptr_of(to->bitmap.p);
    unsigned int bytes = (to->nr_bits < bits ? to->nr_bits : bits) + 7;

    bytes /= 8;
    for (unsigned int i = 0; i < bytes; i++) {
        unsigned int first = i * 8;
        uint8_t byte = (uint8_t)(from[first / 64] >> (first % 64));

        if (to->nr_bits - first < 8) {
            byte &= (uint8_t)((1u << (to->nr_bits - first)) - 1);
        }
        if (bits - first < 8) {
            byte &= (uint8_t)((1u << (bits - first)) - 1);
        }
        if (guest_write(guest_ptr_add(p, i), &byte, 1) != 0) {
            return -EFAULT;
        }
    }
    return 0;
}

int domctl_bitmap_read(uint64_t *to, const struct xenctl_bitmap *from,
                       unsigned int bits)
{
    struct guest_ptr p = guest_ptr_of(from->bitmap.p);
    unsigned int count = from->nr_bits < bits ? from->nr_bits : bits;

    memset(to, 0, (bits + 63) / 64 * 8);
    for (unsigned int first = 0; first < count; first += 8) {
        uint8_t byte;

        if (guest_read(&byte, guest_ptr_add(p, first / 8), 1) != 0) {
            return -EFAULT;
        }
        if (count - first < 8) {
            byte &= (uint8_t)((1u << (count - first)) - 1);
        }
        to[first / 64] |= (uint64_t)byte << (first % 64);
    }
    return 0;
}

int domctl_max_vcpus(struct domain *d, struct xen_domctl *op)
{
    struct budget b = budget_start();

    if (op->u.max_vcpus.max != d->max_vcpus) {
        return -EINVAL;
    }
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        int rc;

        if (d->vcpu[i] != NULL) {
            continue;
        }
        rc = vcpu_create(d, i);
        if (rc == 0 && i + 1 < d->max_vcpus && budget_is_spent(&b)) {
            rc = -ERESTART;     /* those that exist are not made again */
        }
        if (rc != 0) {
            return rc;
        }
    }
    return 0;
}

/* With vcpu 0 comes what the domain's kernel has asked for, once if PV. */
static int set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct domain *d = v->domain;
    bool is_first = v->id == 0 && !(d->is_pv && v->is_initialised);
    int rc;

    if (v->id == 0 && (c->vm_assist & ~vm_assist_valid(d)) != 0) {
        return -EINVAL;
    }
    rc = arch_vcpu_set_context(v, c);
    if (rc == 0 && is_first) {
        __atomic_store_n(&d->vm_assist, c->vm_assist, __ATOMIC_RELAXED);
    }
    return rc;
}

/* 'c', or none.  What the vcpu is at comes to its end before. */
static int set_settled(struct vcpu *v, const struct vcpu_guest_context *c)
{
    int rc;

    domain_pause(v->domain);
    rc = domain_settle(v->domain);
    if (rc == 0 && c == NULL) {
        vcpu_reset(v);
    } else if (rc == 0) {
        rc = set_context(v, c);
    }
    domain_unpause(v->domain);
    return rc;
}

int domctl_set_context(struct domain *d, struct xen_domctl *op)
{
    struct vcpu *v = domctl_vcpu(d, op->u.vcpucontext.vcpu);
    struct guest_ptr from = guest_ptr_of(op->u.vcpucontext.ctxt.p);
    struct vcpu_guest_context *c;
    int rc;

    if (v == NULL || d == vcpu_current()->domain) {
        return -EINVAL;
    }
    if (guest_ptr_is_null(from)) {
        return set_settled(v, NULL);
    }
    c = kmem_alloc(sizeof(*c));
    if (c == NULL) {
        return -ENOMEM;
    }
    rc = guest_read(c, from, sizeof(*c));
    if (rc == 0) {
        rc = set_settled(v, c);
    }
    kmem_free(c);
    return rc;
}

int domctl_get_context(struct domain *d, struct xen_domctl *op)
{
    struct vcpu *v = domctl_vcpu(d, op->u.vcpucontext.vcpu);
    struct guest_ptr to = guest_ptr_of(op->u.vcpucontext.ctxt.p);
    struct vcpu_guest_context *c;
    int rc;

    if (v == NULL || d == vcpu_current()->domain) {
        return -EINVAL;
    }
    if (!v->is_initialised) {
        return -ENODATA;
    }
    c = kmem_alloc(sizeof(*c));
    if (c == NULL) {
        return -ENOMEM;
    }
    domain_pause(d);
    rc = domain_settle(d);
    if (rc == 0) {
        arch_vcpu_get_context(v, c);
        c->vm_assist = READ_ONCE(d->vm_assist);
    }
    domain_unpause(d);
    if (rc == 0) {
        rc = guest_write(to, c, sizeof(*c));
    }
    kmem_free(c);
    return rc;
}

/* ---- what only who saves a PV domain asks for ---- */

static bool is_canonical(uint64_t address)
{
    return (uint64_t)((int64_t)(address << 16) >> 16) == address;
}

int domctl_get_ext_context(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_ext_vcpucontext *e = &op->u.ext_vcpucontext;
    struct vcpu *v = domctl_vcpu(d, e->vcpu);

    if (v == NULL) {
        return -ESRCH;
    }
    if (v == vcpu_current()) {
        return -EINVAL;
    }
    *e = (struct xen_domctl_ext_vcpucontext){ .vcpu = v->id,
                                              .size = sizeof(*e) };
    if (d->is_pv) {
        vcpu_pause(v);
        arch_pv_get_ext_context(v, e);
        vcpu_unpause(v);
    }
    return 0;
}

/* Guests have no machine checks, so that their masks may only be zero. */
int domctl_set_ext_context(struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_ext_vcpucontext *e = &op->u.ext_vcpucontext;
    struct vcpu *v = domctl_vcpu(d, e->vcpu);

    if (v == NULL) {
        return -ESRCH;
    }
    if (v == vcpu_current() ||
        e->size < offsetof(struct xen_domctl_ext_vcpucontext, mcg_cap)) {
        return -EINVAL;
    }
    if (e->size >= sizeof(*e) &&
        (e->vmce.caps | e->vmce.mci_ctl2_bank0 | e->vmce.mci_ctl2_bank1)) {
        return -EPERM;
    }
    if (!d->is_pv) {
        return (e->syscall32_callback_eip | e->sysenter_callback_eip) != 0 ?
               -EINVAL : 0;
    }
    if (!is_canonical(e->syscall32_callback_eip) ||
        !is_canonical(e->sysenter_callback_eip)) {
        return -EINVAL;
    }
    if (__atomic_load_n(&d->state, __ATOMIC_ACQUIRE) != DOMAIN_BUILDING) {
        return -EBUSY;
    }
    arch_pv_set_ext_context(v, e);
    return 0;
}

/* All of a vcpu's FPU state, for 'e', which has room for 'size' bytes. */
static int get_ext_state(struct vcpu *v, struct xen_domctl_vcpuextstate *e)
{
    size_t size;
    void *buf;
    int rc;

    vcpu_pause(v);
    size = arch_xstate_size(v);
    buf = e->size < size ? NULL : kmem_alloc(size);
    if (buf != NULL) {
        arch_xstate_save(v, buf);
    }
    vcpu_unpause(v);
    if (buf == NULL) {
        return e->size < size ? -EINVAL : -ENOMEM;
    }
    rc = guest_write(guest_ptr_of(e->buffer.p), buf, size);
    kmem_free(buf);
    e->size = size;
    return rc;
}

/* Where the host has no XSAVE it is 0 bytes: see vcpu_guest_context. */
int domctl_get_ext_state(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_vcpuextstate *e = &op->u.vcpuextstate;
    struct vcpu *v = domctl_vcpu(d, e->vcpu);
    size_t max;
    uint64_t mask = arch_xstate_max(&max);

    if (v == NULL) {
        return -ESRCH;
    }
    if (v == vcpu_current()) {
        return -EINVAL;
    }
    if (mask == 0 || (e->size == 0 && e->xfeature_mask == 0) ||
        guest_ptr_is_null(guest_ptr_of(e->buffer.p))) {
        e->xfeature_mask = mask;
        e->size = mask == 0 ? 0 : max;
        return 0;
    }
    return e->xfeature_mask != mask ? -EINVAL : get_ext_state(v, e);
}

int domctl_set_ext_state(struct domain *d, struct xen_domctl *op)
{
    const struct xen_domctl_vcpuextstate *e = &op->u.vcpuextstate;
    struct vcpu *v = domctl_vcpu(d, e->vcpu);
    size_t max;
    void *buf;
    int rc;

    (void)arch_xstate_max(&max);
    if (v == NULL) {
        return -ESRCH;
    }
    if (v == vcpu_current() || e->size == 0 || e->size > max) {
        return -EINVAL;
    }
    buf = kmem_alloc(e->size);
    if (buf == NULL) {
        return -ENOMEM;
    }
    rc = guest_read(buf, guest_ptr_of(e->buffer.p), e->size);
    if (rc == 0) {
        vcpu_pause(v);
        rc = arch_xstate_load(v, buf, e->size);
        vcpu_unpause(v);
    }
    kmem_free(buf);
    return rc;
}

/* No MSR of a PV guest outlives what vcpu_guest_context has of it. */
int domctl_get_vcpu_msrs(struct domain *d, struct xen_domctl *op)
{
    if (domctl_vcpu(d, op->u.vcpu_msrs.vcpu) == NULL) {
        return -ESRCH;
    }
    op->u.vcpu_msrs.msr_count = 0;
    return 0;
}

/* ---- */

int domctl_vcpu_info(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_getvcpuinfo *info = &op->u.getvcpuinfo;
    struct vcpu *v = domctl_vcpu(d, info->vcpu);
    struct vcpu_runstate_info rs;

    if (v == NULL) {
        return -ESRCH;
    }
    sched_runstate(v, &rs);
    info->online = !v->is_down;
    info->blocked = v->is_blocked;
    info->running = v->sched.is_running;
    info->cpu_time = rs.time[RUNSTATE_running];
    info->cpu = v->sched.cpu;
    return 0;
}

int domctl_set_affinity(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    struct vcpu *v = domctl_vcpu(d, a->vcpu);
    unsigned int cpus = arch_cpu_count();
    uint64_t mask[AFFINITY_WORDS];
    int rc;

    if (v == NULL) {
        return -ESRCH;
    }
    if ((a->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)) == 0) {
        return -EINVAL;
    }
    memset(mask, 0, sizeof(mask));
    if ((a->flags & XEN_VCPUAFFINITY_HARD) != 0) {
        rc = domctl_bitmap_read(mask, &a->cpumap_hard, cpus);
        if (rc == 0) {
            rc = sched_set_affinity(v, mask);
        }
        if (rc == 0) {
            rc = domctl_bitmap_write(&a->cpumap_hard, mask, cpus);
        }
        if (rc != 0) {
            return rc;
        }
    }
    /* A soft affinity is a wish; it is kept as the hard one. */
    if ((a->flags & XEN_VCPUAFFINITY_SOFT) != 0) {
        return domctl_bitmap_write(&a->cpumap_soft, v->sched.hard_affinity,
                                   cpus);
    }
    return 0;
}

int domctl_get_affinity(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_vcpuaffinity *a = &op->u.vcpuaffinity;
    struct vcpu *v = domctl_vcpu(d, a->vcpu);
    uint64_t soft[AFFINITY_WORDS];
    int rc = 0;

    if (v == NULL) {
        return -ESRCH;
    }
    if ((a->flags & (XEN_VCPUAFFINITY_HARD | XEN_VCPUAFFINITY_SOFT)) == 0) {
        return -EINVAL;
    }
    if ((a->flags & XEN_VCPUAFFINITY_HARD) != 0) {
        rc = domctl_bitmap_write(&a->cpumap_hard, v->sched.hard_affinity,
                                 arch_cpu_count());
    }
    if (rc == 0 && (a->flags & XEN_VCPUAFFINITY_SOFT) != 0) {
        memset(soft, 0xff, sizeof(soft));
        rc = domctl_bitmap_write(&a->cpumap_soft, soft, arch_cpu_count());
    }
    return rc;
}
