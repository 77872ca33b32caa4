/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HYPERVISOR_memory_op: reservations (memory that a domain gains and gives
 * up) and limits here, the physical address space in physmap.c.
 *
 *  1. Reservations and batches are done in bounded parts.  Progress is kept
 *     where Xen keeps it, above MEMOP_EXTENT_SHIFT of the command.
 *  2. An operation on extents returns how many it did; the first that fails
 *     ends it, and what was done stays.
 *  3. A direct-mapped domain gets for a gfn the frame of that number, which
 *     was reserved for it when it released it.
 */
#include "core/arch.h"
#include "core/budget.h"
#include "core/console.h"
#include "core/domain.h"
#include "core/frame.h"
#include "core/hypercall.h"
#include "core/p2m.h"
#include "core/page_alloc.h"
#include "core/physmap.h"
#include "core/pv_op.h"
#include "core/vcpu.h"
#include "core/window.h"
#include "core/xsm.h"
#include "lib/atomic.h"
#include "lib/errno.h"
#include "lib/minmax.h"

#define MEMOP_EXTENT_SHIFT 6
#define MEMOP_CMD_MASK ((1u << MEMOP_EXTENT_SHIFT) - 1)

/* Frames zeroed or unmapped before other work gets its turn. */
#define FRAMES_PER_RUN 512u
#define EXTENTS_PER_FLUSH 64ul
#define CONTROL_MAX_ORDER PAGE_ORDER_2M
#define GUEST_MAX_ORDER PAGE_ORDER_2M
/* Frames that libxl may want beside those on demand: its special pages. */
#define ON_DEMAND_SLACK 512u

/* Leaves progress 'done' in the command and asks to be run again. */
static long run_again(unsigned long cmd, uint64_t done)
{
    hypercall_set_arg(0, (cmd & MEMOP_CMD_MASK) | done << MEMOP_EXTENT_SHIFT);
    return -ERESTART;
}

/* ---- reservations ---- */

static void release(mfn_t m, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        (void)frame_release(frame_of(mfn_add(m, i)));
    }
}

/* Takes back what 'd' released of [m, m + count): all of it, or nothing. */
static bool take_reserved(struct domain *d, mfn_t m, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (!page_alloc_reserved(d, mfn_add(m, i))) {
            release(m, i);
            return false;
        }
    }
    return true;
}

static bool is_free_extent(struct domain *d, gfn_t g, uint64_t count)
{
    enum p2m_type type = P2M_INVALID;

    for (uint64_t i = 0; type == P2M_INVALID && i < count; i++) {
        (void)p2m_lookup(d, gfn_add(g, i), &type);
    }
    return type == P2M_INVALID;
}

static int populate_direct(struct domain *d, gfn_t g, unsigned int order)
{
    uint64_t count = 1UL << order;
    int rc;

    if (!is_free_extent(d, g, count) || !take_reserved(d, mfn(g.v), count)) {
        return -EINVAL;
    }
    rc = p2m_populate(d, g, mfn(g.v), order);
    if (rc != 0) {
        release(mfn(g.v), count);
    }
    return rc;
}

static int populate(struct domain *d, gfn_t g, unsigned int order)
{
    struct frame *f;
    int rc;

    if (d->is_direct_mapped) {
        return populate_direct(d, g, order);
    }
    rc = page_alloc_extent(d, order, &f);
    if (rc != 0) {
        return rc;
    }
    rc = p2m_populate(d, g, frame_mfn(f), order);
    if (rc != 0) {
        release(frame_mfn(f), 1UL << order);
    }
    return rc;
}

/*
 * The toolstack wants these frames on demand, below a limit that counts only
 * what the guest shall have at first (maxmem above memory).  They are given
 * at once, the limit follows, and the guest's balloon gives back the rest.
 */
static void raise_limit(struct domain *d, unsigned int order)
{
    uint64_t need = __atomic_load_n(&d->tot_pages, __ATOMIC_RELAXED) +
                    (1UL << order) + ON_DEMAND_SLACK;

    spin_lock(&d->lock);
    if (d->max_pages < need) {
        d->max_pages = need;
    }
    spin_unlock(&d->lock);
}

static bool extent_is_valid(const struct xen_memory_reservation *r,
                            xen_pfn_t g)
{
    uint64_t size = 1UL << r->extent_order;

    return (g & (size - 1)) == 0 && g < P2M_GFN_LIMIT &&
           size <= P2M_GFN_LIMIT - g;
}

static struct guest_ptr extent_at(const struct xen_memory_reservation *r,
                                  uint64_t i)
{
    return guest_ptr_add(guest_ptr_of(r->extent_start.p),
                         i * sizeof(xen_pfn_t));
}

/*
 * Up to 'count' extents from 'done' on, as far as they are readable and
 * valid: how many.
 */
static unsigned int read_extents(const struct xen_memory_reservation *r,
                                 uint64_t done, unsigned int count,
                                 xen_pfn_t *list)
{
    struct guest_ptr at = extent_at(r, done);
    unsigned int valid = 0;

    if (guest_read(list, at, count * sizeof(*list)) != 0) {
        count = guest_read(list, at, sizeof(*list)) == 0 ? 1 : 0;
    }
    while (valid < count && extent_is_valid(r, list[valid])) {
        valid++;
    }
    return valid;
}

/*
 * A PV guest names what it wants by its own numbers, and is told which frames
 * that became.  What it has there stays: to others it would be a loss.
 */
static int populate_own(struct domain *d, xen_pfn_t pfn, unsigned int order,
                        struct guest_ptr at)
{
    gfn_t g = gfn(pfn);
    int rc;

    if ((order == 0 && !arch_pv_frame(d, pfn, &g)) ||
        !is_free_extent(d, g, 1UL << order)) {
        return -EBUSY;
    }
    rc = populate(d, g, order);
    if (rc == 0 && g.v != pfn) {
        (void)guest_write(at, &g.v, sizeof(g.v));
    }
    return rc;
}

/*
 * Gives the extents, which stand at 'at', frames: how many.  '*is_late':
 * others get their turn.
 */
static unsigned int populate_list(struct domain *d, const xen_pfn_t *list,
                                  unsigned int count, struct guest_ptr at,
                                  const struct xen_memory_reservation *r,
                                  bool *is_late)
{
    bool is_own = d->is_pv && d == vcpu_current()->domain;
    struct budget b = budget_start();
    bool on_demand = vcpu_current()->domain->is_privileged &&
                     (r->mem_flags & XENMEMF_populate_on_demand) != 0;
    unsigned int done = 0;
    int rc = 0;

    while (done < count && !*is_late) {
        if (on_demand) {
            raise_limit(d, r->extent_order);
        }
        rc = is_own ? populate_own(d, list[done], r->extent_order,
                                   guest_ptr_add(at, done * sizeof(*list)))
                    : populate(d, gfn(list[done]), r->extent_order);
        if (rc != 0 && rc != -ERESTART) {
            break;
        }
        done += rc == 0;
        *is_late = rc == -ERESTART || budget_is_spent(&b);
    }
    window_settle(d);
    return done;
}

/* Extents from 'done' on; the number done, or -ERESTART by run_again(). */
static long run_extents(struct domain *d, unsigned long cmd, uint64_t done,
                        const struct xen_memory_reservation *r)
{
    uint64_t budget = max(FRAMES_PER_RUN >> r->extent_order, 1u);
    bool gives = (cmd & MEMOP_CMD_MASK) == XENMEM_populate_physmap;
    struct budget b = budget_start();
    xen_pfn_t list[EXTENTS_PER_FLUSH];
    bool is_late = false;

    while (done < r->nr_extents) {
        uint64_t left = min(r->nr_extents - done, budget);
        unsigned int count = (unsigned int)min(left, EXTENTS_PER_FLUSH);
        unsigned int got;

        if (budget == 0 || is_late) {
            return run_again(cmd, done);
        }
        count = read_extents(r, done, count, list);
        /* Gives up RAM only: what else stands there is no reservation. */
        got = gives ? populate_list(d, list, count, extent_at(r, done), r,
                                    &is_late) :
                      p2m_remove_ram(d, list, count, r->extent_order);
        done += got;
        budget -= got;
        if (!is_late && (got == 0 || got < count)) {
            break;
        }
        is_late = is_late || budget_is_spent(&b);
    }
    return (long)done;
}

static long reservation(unsigned long cmd, struct guest_ptr arg)
{
    struct domain *cur = vcpu_current()->domain;
    uint64_t done = cmd >> MEMOP_EXTENT_SHIFT;
    struct xen_memory_reservation r;
    struct domain *d;
    long rc;

    if (guest_read(&r, arg, sizeof(r)) != 0) {
        return (long)done;
    }
    if (done >= r.nr_extents ||
        r.nr_extents > ~0UL >> MEMOP_EXTENT_SHIFT ||
        /* NOLINTNEXTLINE(bugprone-branch-clone): equal by their values */
        r.extent_order > (cur->is_privileged ? CONTROL_MAX_ORDER :
                                               GUEST_MAX_ORDER)) {
        return (long)done;
    }
    d = domain_get_any(r.domid);
    if (d == NULL) {
        return (long)done;
    }
    /* Who may not has done none, as from Xen. */
    rc = xsm_memory_adjust(cur, d) != 0 ? (long)done
                                        : run_extents(d, cmd, done, &r);
    domain_put(d);
    return rc;
}

static bool exchange_is_sane(const struct xen_memory_exchange *e)
{
    return e->nr_exchanged <= e->in.nr_extents &&
           e->in.domid == e->out.domid &&
           ~0UL >> e->in.extent_order >= e->in.nr_extents &&
           ~0UL >> e->out.extent_order >= e->out.nr_extents &&
           e->in.nr_extents << e->in.extent_order ==
           e->out.nr_extents << e->out.extent_order;
}

/*
 * A translated guest's frames are not what it would exchange; a PV guest's
 * are its container's, and none is beside those that it has.  So nobody gets
 * any, with the reference's answer to each.
 */
static int exchange_refusal(const struct xen_memory_exchange *e,
                            unsigned int max_order)
{
    struct domain *cur = vcpu_current()->domain;
    struct domain *d;
    int rc;

    if (max(e->in.extent_order, e->out.extent_order) > max_order) {
        return -EPERM;
    }
    if (!exchange_is_sane(e)) {
        return -EINVAL;
    }
    d = domain_get_any(e->in.domid);
    if (d == NULL) {
        return -ESRCH;
    }
    rc = xsm_memory_adjust(cur, d);
    if (rc == 0 && d->is_pv) {
        console_guest_log(LOG_DEBUG, d, "exchange of %lu frames refused",
                          e->in.nr_extents << e->in.extent_order);
    }
    rc = rc != 0 ? rc : d->is_pv ? -ENOMEM : -EOPNOTSUPP;
    domain_put(d);
    return rc;
}

static long exchange(unsigned long cmd, struct guest_ptr arg)
{
    const struct domain *cur = vcpu_current()->domain;
    struct xen_memory_exchange e;

    if (cmd >> MEMOP_EXTENT_SHIFT != 0) {
        return -EINVAL;
    }
    if (guest_read(&e, arg, sizeof(e)) != 0) {
        return -EFAULT;
    }
    /* NOLINTNEXTLINE(bugprone-branch-clone): equal by their values */
    return exchange_refusal(&e, cur->is_privileged ? CONTROL_MAX_ORDER :
                                                     GUEST_MAX_ORDER);
}

static long claim(struct guest_ptr arg)
{
    struct xen_memory_reservation r;
    struct domain *d;
    long rc;

    if (guest_read(&r, arg, sizeof(r)) != 0) {
        return -EFAULT;
    }
    if (!guest_ptr_is_null(guest_ptr_of(r.extent_start.p)) ||
        r.extent_order != 0 || r.mem_flags != 0) {
        return -EINVAL;
    }
    d = domain_get_by_id(r.domid);
    if (d == NULL) {
        return -ESRCH;
    }
    rc = xsm_memory_claim(vcpu_current()->domain, d);
    if (rc == 0) {
        rc = page_alloc_claim(d, r.nr_extents);
    }
    domain_put(d);
    return rc;
}

/* ---- limits ---- */

/*
 * What stands above a PV guest's frames is not its memory, so that its own
 * word counts, unless that would be an error to who asks.  One that has not
 * said it yet, as it is being restored, has frame 0.
 */
static long pv_max_gfn(const struct domain *d)
{
    uint64_t count = READ_ONCE(d->shared_info->arch.max_pfn);

    return count == 0 ? 0 : (long)(min(count, P2M_GFN_LIMIT) - 1);
}

static long limit(unsigned int op, struct guest_ptr arg)
{
    struct domain *d;
    domid_t id;
    long rc;

    if (guest_read(&id, arg, sizeof(id)) != 0) {
        return -EFAULT;
    }
    d = domain_get_any(id);
    if (d == NULL) {
        return -ESRCH;
    }
    rc = xsm_memory_adjust(vcpu_current()->domain, d);
    if (rc == 0) {
        switch (op) {
        case XENMEM_current_reservation:
            rc = (long)__atomic_load_n(&d->tot_pages, __ATOMIC_RELAXED);
            break;
        case XENMEM_maximum_reservation:
            rc = (long)__atomic_load_n(&d->max_pages, __ATOMIC_RELAXED);
            break;
        default:
            rc = d->is_pv ? pv_max_gfn(d) : (long)p2m_max_gfn(d);
            break;
        }
    }
    domain_put(d);
    return rc;
}

/*
 * Populate-on-demand gives frames at once (raise_limit()), so a target is
 * what the domain has and setting one changes nothing.
 */
static long pod_target(struct guest_ptr arg)
{
    struct xen_pod_target op;
    struct domain *d;
    long rc;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    d = domain_get_any(op.domid);
    if (d == NULL) {
        return -ESRCH;
    }
    rc = xsm_memory_adjust(vcpu_current()->domain, d);
    if (rc == 0) {
        op.tot_pages = __atomic_load_n(&d->tot_pages, __ATOMIC_RELAXED);
        op.pod_cache_pages = 0;
        op.pod_entries = 0;
        rc = guest_write(arg, &op, sizeof(op));
    }
    domain_put(d);
    return rc;
}

/* ---- the physical address space ---- */

static long add_to_physmap(struct guest_ptr arg)
{
    struct xen_add_to_physmap op;
    struct domain *d;
    long rc;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    d = domain_get_any(op.domid);
    if (d == NULL) {
        return -ESRCH;
    }
    rc = xsm_memory_adjust(vcpu_current()->domain, d);
    rc = rc != 0 ? rc : physmap_add(d, &op);
    domain_put(d);
    return rc;
}

static long add_batch(unsigned long cmd, struct guest_ptr arg)
{
    uint64_t done = cmd >> MEMOP_EXTENT_SHIFT;
    struct xen_add_to_physmap_batch op;
    struct domain *d;
    long rc;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    if (done > op.size) {
        return -EINVAL;
    }
    d = domain_get_any(op.domid);
    if (d == NULL) {
        return -ESRCH;
    }
    rc = xsm_memory_adjust(vcpu_current()->domain, d);
    rc = rc != 0 ? rc : physmap_add_batch(d, &op, &done);
    domain_put(d);
    return rc == -ERESTART ? run_again(cmd, done) : rc;
}

static long remove_from(struct guest_ptr arg)
{
    struct xen_remove_from_physmap op;
    struct domain *d;
    long rc;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    d = domain_get_any(op.domid);
    if (d == NULL) {
        return -ESRCH;
    }
    rc = xsm_memory_adjust(vcpu_current()->domain, d);
    rc = rc != 0 ? rc : physmap_remove(d, gfn(op.gpfn));
    domain_put(d);
    return rc;
}

static long acquire_resource(unsigned long cmd, struct guest_ptr arg)
{
    uint64_t done = cmd >> MEMOP_EXTENT_SHIFT;
    long rc = physmap_acquire(vcpu_current()->domain, arg, &done);

    return rc == -ERESTART ? run_again(cmd, done) : rc;
}

/* No region is reserved for devices that a guest could be given. */
static long reserved_regions(struct guest_ptr arg)
{
    struct xen_reserved_device_memory_map op;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    op.nr_entries = 0;
    return guest_write(arg, &op, sizeof(op));
}

long memory_op(unsigned long cmd, struct guest_ptr arg)
{
    struct domain *cur = vcpu_current()->domain;
    unsigned int op = cmd & MEMOP_CMD_MASK;

    switch (op) {
    case XENMEM_populate_physmap:
    case XENMEM_decrease_reservation:
        return reservation(cmd, arg);
    case XENMEM_claim_pages:
        return claim(arg);
    case XENMEM_current_reservation:
    case XENMEM_maximum_reservation:
    case XENMEM_maximum_gpfn:
        return limit(op, arg);
    case XENMEM_maximum_ram_page:
        return (long)arch_max_mfn() - 1;
    case XENMEM_set_pod_target:
    case XENMEM_get_pod_target:
        return pod_target(arg);
    case XENMEM_add_to_physmap:
        return add_to_physmap(arg);
    case XENMEM_add_to_physmap_batch:
        return add_batch(cmd, arg);
    case XENMEM_remove_from_physmap:
        return remove_from(arg);
    case XENMEM_memory_map:
        return physmap_memory_map(cur, arg);
    case XENMEM_set_memory_map:
        return physmap_set_memory_map(cur, arg);
    case XENMEM_machphys_mapping:
        return pv_op_m2p_mapping(cur, arg);
    case XENMEM_machphys_mfn_list:
        return pv_op_m2p_list(cur, arg);
    case XENMEM_acquire_resource:
        return acquire_resource(cmd, arg);
    case XENMEM_reserved_device_memory_map:
        return reserved_regions(arg);
    case XENMEM_increase_reservation:
        /* Frames without a gfn have no meaning for a translated guest. */
        return (long)(cmd >> MEMOP_EXTENT_SHIFT);
    case XENMEM_exchange:
        return exchange(cmd, arg);
    case XENMEM_get_vnumainfo:
        return -EOPNOTSUPP;
    default:
        return -ENOSYS;
    }
}
