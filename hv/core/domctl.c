/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * XEN_DOMCTL: what the toolstack does to domains.
 *
 * One table says for each operation its function and whether it names an
 * existing domain.  The operation is copied once, checked against the
 * interface version and core/xsm, run, and copied back.  domctl_vcpu.c and
 * domctl_policy.c hold the parts about vcpus and CPU policies.
 *
 *  1. Each function gets a local copy of the operation; the caller's memory
 *     is not read again, except for the arrays that the operation names.
 *  2. An operation that we lack answers -ENOSYS, as Xen does for one that it
 *     was built without, so that a tool goes on.
 *  3. -ERESTART leaves the caller's copy untouched and is run again.
 *  4. One operation at a time on a domain, as the functions expect.  It is no
 *     lock, for they copy from and to their caller: who comes second gets
 *     -ERESTART, and the first is done soon, for every call is bounded.
 */
#include "core/domctl.h"

#include "core/arch.h"
#include "core/console.h"
#include "core/domain.h"
#include "core/hypercall.h"
#include "core/page_alloc.h"
#include "core/pv_op.h"
#include "core/sched.h"
#include "core/vcpu.h"
#include "core/wallclock.h"
#include "core/xsm.h"
#include "lib/atomic.h"
#include "lib/bug.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/string.h"

#define TSC_TOLERANCE 1000u         /* one part in as many */
#define KB_PER_PAGE (PAGE_SIZE / 1024)

/* What an operation needs and what happens to its copy. */
#define NEEDS_DOMAIN 1u             /* op->domain exists, else -ESRCH */
#define COPY_BACK 2u                /* on success */

struct domctl_entry {
    uint32_t cmd;
    uint32_t flags;
    int (*fn)(struct domain *d, struct xen_domctl *op);
};

static uint32_t vcpu_state_flags(const struct domain *d, uint32_t *online,
                                 uint32_t *max_id, uint64_t *cpu_time)
{
    bool all_blocked = true;
    bool any_running = false;

    *online = 0;
    *max_id = XEN_INVALID_MAX_VCPU_ID;
    *cpu_time = 0;
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = d->vcpu[i];
        struct vcpu_runstate_info rs;

        if (v == NULL) {
            continue;
        }
        sched_runstate(v, &rs);
        *cpu_time += rs.time[RUNSTATE_running];
        *max_id = v->id;
        if (v->is_down) {
            continue;
        }
        (*online)++;
        all_blocked = all_blocked && v->is_blocked;
        any_running = any_running || v->sched.is_running;
    }
    return (all_blocked ? XEN_DOMINF_blocked : 0) |
           (any_running ? XEN_DOMINF_running : 0);
}

/*
 * Has the domain shut down?  One that has may be saved next, page by page: of
 * its vcpus, which have been told to stop, none runs on for a moment.
 */
static bool is_at_rest(struct domain *d)
{
    if (!READ_ONCE(d->is_shut_down)) {
        return false;
    }
    if (d != vcpu_current()->domain) {
        domain_pause(d);
        domain_unpause(d);
    }
    return true;
}

void domctl_info(struct domain *d, struct xen_domctl_getdomaininfo *info)
{
    uint32_t flags;
    uint32_t online;
    uint32_t max_id;
    uint64_t cpu_time;

    memset(info, 0, sizeof(*info));
    flags = is_at_rest(d) ? XEN_DOMINF_shutdown : 0;
    flags |= vcpu_state_flags(d, &online, &max_id, &cpu_time);
    spin_lock(&d->lock);
    flags |= domain_is_dying(d) ? XEN_DOMINF_dying : 0;
    flags |= d->controller_pauses > 0 || d->controller_paused ?
             XEN_DOMINF_paused : 0;
    flags |= (uint32_t)d->shutdown_code << XEN_DOMINF_shutdownshift;
    flags |= d->is_pv ? 0 : XEN_DOMINF_hvm_guest | XEN_DOMINF_hap;
    flags |= (d->create_flags & XEN_DOMCTL_CDF_xs_domain) ?
             XEN_DOMINF_xs_domain : 0;
    info->max_pages = d->max_pages;
    info->ssidref = d->ssidref;
    memcpy(info->handle, d->handle, sizeof(info->handle));
    spin_unlock(&d->lock);

    info->domain = d->id;
    info->flags = flags;
    info->tot_pages = __atomic_load_n(&d->tot_pages, __ATOMIC_RELAXED);
    info->outstanding_pages =
        __atomic_load_n(&d->outstanding_pages, __ATOMIC_RELAXED);
    info->shared_info_frame = d->is_pv ?
        arch_pv_gfn(d, PV_SHARED_INFO, 0).v :
        arch_virt_to_mfn(d->shared_info).v;
    info->cpu_time = cpu_time;
    info->nr_online_vcpus = online;
    info->max_vcpu_id = max_id;
    info->gpaddr_bits = 40;
    info->arch_config = d->config.arch;
}

/* ---- life cycle ---- */

static int create_domain(struct domain *none, struct xen_domctl *op)
{
    const struct xen_domctl_createdomain *c = &op->u.createdomain;
    struct domain *d;
    int rc;

    (void)none;
    if ((c->flags & ~(uint32_t)(XEN_DOMCTL_CDF_MAX * 2 - 1)) != 0) {
        return -EINVAL;
    }
    if ((c->flags & (XEN_DOMCTL_CDF_nested_virt | XEN_DOMCTL_CDF_vpmu |
                     XEN_DOMCTL_CDF_s3_integrity)) != 0 ||
        c->vmtrace_size != 0) {
        return -EOPNOTSUPP;
    }
    if ((c->flags & XEN_DOMCTL_CDF_hvm) == 0 &&
        (c->flags & XEN_DOMCTL_CDF_hap) != 0) {
        return -EINVAL;
    }
    if (c->max_vcpus == 0 || c->max_vcpus > XEN_LEGACY_MAX_VCPUS * 4 ||
        c->cpupool_id != 0 ||
        XEN_DOMCTL_GRANT_version(c->grant_opts) > 2) {
        return -EINVAL;
    }
    rc = domain_create(op->domain >= 1 && op->domain < DOMID_FIRST_RESERVED ?
                       op->domain : DOMID_INVALID, c, false, &d);
    if (rc != 0) {
        return rc;
    }
    op->domain = d->id;
    domain_put(d);
    return 0;
}

static int destroy_domain(struct domain *d, struct xen_domctl *op)
{
    (void)op;
    return domain_kill(d);
}

static int pause_domain(struct domain *d, struct xen_domctl *op)
{
    (void)op;
    return d == vcpu_current()->domain ? -EINVAL :
           domain_pause_by_controller(d);
}

static int unpause_domain(struct domain *d, struct xen_domctl *op)
{
    (void)op;
    return domain_unpause_by_controller(d);
}

/* A domid in use, or the next above it: xl list walks with it. */
static int get_info(struct domain *none, struct xen_domctl *op)
{
    struct domain *d = domain_get_next(op->domain);

    (void)none;
    if (d == NULL) {
        return -ESRCH;
    }
    domctl_info(d, &op->u.getdomaininfo);
    op->domain = d->id;
    domain_put(d);
    return 0;
}

static int resume_domain(struct domain *d, struct xen_domctl *op)
{
    (void)op;
    if (d == vcpu_current()->domain) {
        return -EINVAL;
    }
    domain_resume(d);
    return 0;
}

/* A domain that does it to itself would wait for its own vcpus. */
static int soft_reset(struct domain *d, struct xen_domctl *op)
{
    (void)op;
    return d == vcpu_current()->domain ? -EINVAL : domain_soft_reset(d);
}

/* ---- limits and identity ---- */

static int set_max_mem(struct domain *d, struct xen_domctl *op)
{
    uint64_t pages = min(op->u.max_mem.max_memkb / KB_PER_PAGE,
                         (uint64_t)UINT32_MAX);
    int rc = d->is_pv ? arch_pv_grow(d, pages) : 0;

    if (rc != 0) {
        return rc;
    }
    spin_lock(&d->lock);
    d->max_pages = pages;
    spin_unlock(&d->lock);
    return 0;
}

static int set_handle(struct domain *d, struct xen_domctl *op)
{
    spin_lock(&d->lock);
    memcpy(d->handle, op->u.setdomainhandle.handle, sizeof(d->handle));
    if (d->is_pv) {
        arch_pv_tell_handle(d);
    }
    spin_unlock(&d->lock);
    return 0;
}

static int set_time_offset(struct domain *d, struct xen_domctl *op)
{
    spin_lock(&d->lock);
    d->time_offset_seconds = op->u.settimeoffset.time_offset_seconds;
    spin_unlock(&d->lock);
    wallclock_update(d);
    return 0;
}

static int scheduler_op(struct domain *d, struct xen_domctl *op)
{
    struct xen_domctl_scheduler_op *s = &op->u.scheduler_op;

    if (s->sched_id != XEN_SCHEDULER_CREDIT) {
        return -EINVAL;
    }
    switch (s->cmd) {
    case XEN_DOMCTL_SCHEDOP_putinfo:
        return sched_set_params(d, s->u.credit.weight, s->u.credit.cap);
    case XEN_DOMCTL_SCHEDOP_getinfo:
        s->u.credit.weight = d->sched->weight;
        s->u.credit.cap = d->sched->cap;
        return 0;
    default:
        return -EINVAL;
    }
}

/* One node: every affinity that includes it is the same. */
static int set_node_affinity(struct domain *d, struct xen_domctl *op)
{
    uint64_t nodes = 0;
    int rc = domctl_bitmap_read(&nodes, &op->u.nodeaffinity.nodemap, 64);

    (void)d;
    if (rc != 0) {
        return rc;
    }
    return (nodes & 1) != 0 ? 0 : -EINVAL;
}

static int get_node_affinity(struct domain *d, struct xen_domctl *op)
{
    const uint64_t nodes = 1;

    (void)d;
    return domctl_bitmap_write(&op->u.nodeaffinity.nodemap, &nodes, 1);
}

/* ---- what has only one answer here ---- */

/*
 * The TSC ticks as the host's for everybody: mode 0 and 2 (native) mean that.
 * A guest that was saved where it ticked at another rate would count time
 * wrongly; what two boots measure of one machine may differ a little.
 */
static int set_tsc_info(struct domain *d, struct xen_domctl *op)
{
    uint64_t ours = arch_tsc_khz(), theirs = op->u.tsc_info.gtsc_khz;
    uint64_t apart = ours < theirs ? theirs - ours : ours - theirs;

    if (d == vcpu_current()->domain) {
        return -EINVAL;
    }
    if (op->u.tsc_info.tsc_mode != 0 && op->u.tsc_info.tsc_mode != 2) {
        return -EOPNOTSUPP;
    }
    if (theirs != 0 && apart > ours / TSC_TOLERANCE) {
        console_guest_log(LOG_WARNING, d, "its TSC ran at %lu kHz, here it "
                          "would at %lu: refused", theirs, ours);
        return -EOPNOTSUPP;
    }
    return 0;
}

static int get_tsc_info(struct domain *d, struct xen_domctl *op)
{
    (void)d;
    memset(&op->u.tsc_info, 0, sizeof(op->u.tsc_info));
    op->u.tsc_info.gtsc_khz = (uint32_t)arch_tsc_khz();
    return 0;
}

/* Nested tables come from the heap, so there is no pool to size. */
static int set_mempool(struct domain *d, struct xen_domctl *op)
{
    (void)d;
    return (op->u.paging_mempool.size & (PAGE_SIZE - 1)) != 0 ? -EINVAL : 0;
}

static int get_mempool(struct domain *d, struct xen_domctl *op)
{
    (void)d;
    op->u.paging_mempool.size = 0;
    return 0;
}

static int shadow_op(struct domain *d, struct xen_domctl *op)
{
    (void)d;
    switch (op->u.shadow_op.op) {
    case XEN_DOMCTL_SHADOW_OP_SET_ALLOCATION:
    case XEN_DOMCTL_SHADOW_OP_OFF:
        return 0;
    case XEN_DOMCTL_SHADOW_OP_GET_ALLOCATION:
        op->u.shadow_op.mb = 0;
        return 0;
    default:
        return -EOPNOTSUPP;
    }
}

static int set_address_size(struct domain *d, struct xen_domctl *op)
{
    (void)d;
    return op->u.address_size.size == 64 ? 0 : -EOPNOTSUPP;
}

/* Guests have no device of the host: nothing to permit or to take back. */
static int refuse_passthrough(struct domain *d, struct xen_domctl *op)
{
    (void)d;
    (void)op;
    return -EOPNOTSUPP;
}

static int accept_nothing(struct domain *d, struct xen_domctl *op)
{
    (void)d;
    (void)op;
    return 0;
}

#define D NEEDS_DOMAIN
#define DC (NEEDS_DOMAIN | COPY_BACK)

static const struct domctl_entry table[] = {
    { XEN_DOMCTL_createdomain, COPY_BACK, create_domain },
    { XEN_DOMCTL_destroydomain, D, destroy_domain },
    { XEN_DOMCTL_pausedomain, D, pause_domain },
    { XEN_DOMCTL_unpausedomain, D, unpause_domain },
    { XEN_DOMCTL_getdomaininfo, COPY_BACK, get_info },
    { XEN_DOMCTL_resumedomain, D, resume_domain },
    { XEN_DOMCTL_soft_reset, D, soft_reset },
    { XEN_DOMCTL_max_mem, D, set_max_mem },
    { XEN_DOMCTL_setdomainhandle, D, set_handle },
    { XEN_DOMCTL_settimeoffset, D, set_time_offset },
    { XEN_DOMCTL_scheduler_op, DC, scheduler_op },
    { XEN_DOMCTL_setnodeaffinity, D, set_node_affinity },
    { XEN_DOMCTL_getnodeaffinity, D, get_node_affinity },
    { XEN_DOMCTL_settscinfo, D, set_tsc_info },
    { XEN_DOMCTL_gettscinfo, DC, get_tsc_info },
    { XEN_DOMCTL_set_paging_mempool_size, D, set_mempool },
    { XEN_DOMCTL_get_paging_mempool_size, DC, get_mempool },
    { XEN_DOMCTL_shadow_op, DC, shadow_op },
    { XEN_DOMCTL_get_address_size, DC, pv_op_address_size },
    { XEN_DOMCTL_set_address_size, D, set_address_size },
    { XEN_DOMCTL_max_vcpus, D, domctl_max_vcpus },
    { XEN_DOMCTL_hypercall_init, D, pv_op_hypercall_page },
    { XEN_DOMCTL_getpageframeinfo3, D, pv_op_frame_info },
    { XEN_DOMCTL_setvcpucontext, D, domctl_set_context },
    { XEN_DOMCTL_getvcpucontext, D, domctl_get_context },
    { XEN_DOMCTL_set_ext_vcpucontext, D, domctl_set_ext_context },
    { XEN_DOMCTL_get_ext_vcpucontext, DC, domctl_get_ext_context },
    { XEN_DOMCTL_setvcpuextstate, D, domctl_set_ext_state },
    { XEN_DOMCTL_getvcpuextstate, DC, domctl_get_ext_state },
    { XEN_DOMCTL_get_vcpu_msrs, DC, domctl_get_vcpu_msrs },
    { XEN_DOMCTL_getvcpuinfo, DC, domctl_vcpu_info },
    { XEN_DOMCTL_setvcpuaffinity, DC, domctl_set_affinity },
    { XEN_DOMCTL_getvcpuaffinity, DC, domctl_get_affinity },
    { XEN_DOMCTL_get_cpu_policy, DC, domctl_get_policy },
    { XEN_DOMCTL_set_cpu_policy, DC, domctl_set_policy },
    { XEN_DOMCTL_gethvmcontext, DC, domctl_get_hvm_context },
    { XEN_DOMCTL_gethvmcontext_partial, DC, domctl_get_hvm_record },
    { XEN_DOMCTL_sethvmcontext, D, domctl_set_hvm_context },
    { XEN_DOMCTL_irq_permission, D, refuse_passthrough },
    { XEN_DOMCTL_iomem_permission, D, accept_nothing },
    { XEN_DOMCTL_ioport_permission, D, accept_nothing },
    { XEN_DOMCTL_assign_device, D, refuse_passthrough },
    { XEN_DOMCTL_deassign_device, D, refuse_passthrough },
    { XEN_DOMCTL_memory_mapping, D, refuse_passthrough },
    { XEN_DOMCTL_ioport_mapping, D, refuse_passthrough },
};

#undef D
#undef DC

static const struct domctl_entry *find_entry(uint32_t cmd)
{
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        if (table[i].cmd == cmd) {
            return &table[i];
        }
    }
    return NULL;
}

/* On 'd', or on none. */
static int run(const struct domctl_entry *entry, struct domain *d,
               struct xen_domctl *op)
{
    int rc;

    if (d == NULL) {
        return entry->fn(NULL, op);
    }
    if (__atomic_exchange_n(&d->is_controlled, true, __ATOMIC_ACQUIRE)) {
        return -ERESTART;
    }
    rc = entry->fn(d, op);
    __atomic_store_n(&d->is_controlled, false, __ATOMIC_RELEASE);
    return rc;
}

long domctl(struct guest_ptr arg)
{
    const struct domctl_entry *entry;
    struct domain *d = NULL;
    struct xen_domctl op;
    int rc;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    if (op.interface_version != XEN_DOMCTL_INTERFACE_VERSION) {
        return -EACCES;
    }
    entry = find_entry(op.cmd);
    if (entry == NULL) {
        rc = xsm_domctl(vcpu_current()->domain, NULL, op.cmd);
        return rc != 0 ? rc : -ENOSYS;
    }
    if ((entry->flags & NEEDS_DOMAIN) != 0) {
        d = domain_get_any(op.domain);
    }
    rc = xsm_domctl(vcpu_current()->domain, d, op.cmd);
    if (rc == 0 && d == NULL && (entry->flags & NEEDS_DOMAIN) != 0) {
        rc = -ESRCH;
    }
    if (rc == 0) {
        rc = run(entry, d, &op);
    }
    if (rc != -ERESTART && (entry->flags & COPY_BACK) != 0 &&
        guest_write(arg, &op, sizeof(op)) != 0) {
        rc = -EFAULT;
    }
    domain_put(d);
    return rc;
}
