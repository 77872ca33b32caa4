/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Placing frames in a domain's physical address space: shared_info and
 * grant frames, another domain's frames (foreign) and resources; and the
 * map that XENMEM_memory_map tells.  memory_op (physmap_op.c) decodes;
 * p2m.c holds the entries and their references; window.c has the resource
 * that is another domain's RAM.
 *
 *  1. Only RAM of another domain (and a PV guest's shared_info) can be
 *     mapped as foreign, with a reference that the p2m entry keeps, so the
 *     owner may die meanwhile.
 *  2. A core frame (shared_info, grant table) stands at one gfn of its
 *     owner: mapping it again takes it away from the old one.
 *  3. At most BATCH elements are done at once.
 *  4. DOMID_XEN's frames are those of the M2P: for each domid as many as it
 *     has pages.  The shared ones are the identity and tell nobody anything;
 *     a domain's own one is shown to who may map that domain's memory.
 */
#include "core/physmap.h"

#include "core/budget.h"
#include "core/domain.h"
#include "core/frame.h"
#include "core/grant_table.h"
#include "core/kmem.h"
#include "core/p2m.h"
#include "core/page_alloc.h"
#include "core/vcpu.h"
#include "core/window.h"
#include "core/xsm.h"
#include "lib/atomic.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/string.h"
#include "public/window.h"

#define BATCH 64u

struct e820_map {
    unsigned int count;
    struct e820_entry_abi entry[];
};

/* ---- one frame at a gfn ---- */

/* A frame that core shares with its owner 'd', at 'g' and nowhere else. */
static int place_shared(struct domain *d, mfn_t m, gfn_t g)
{
    struct frame *f = frame_of(m);
    uint64_t old = f->gfn;

    if (old != INVALID_FRAME && old != g.v) {
        (void)p2m_remove_if(d, gfn(old), m);
    }
    return p2m_set(d, g, m, 0, P2M_SHARED);
}

int physmap_unplace_shared_info(struct domain *d)
{
    mfn_t m = arch_virt_to_mfn(d->shared_info);
    gfn_t g = gfn(READ_ONCE(frame_of(m)->gfn));
    enum p2m_type type;
    struct frame *ram;
    int rc;

    if (g.v == INVALID_FRAME || !mfn_eq(p2m_lookup(d, g, &type), m)) {
        return 0;
    }
    ram = page_alloc_domain(d, PAGE_ORDER_4K);
    if (ram == NULL) {
        return -ENOMEM;
    }
    rc = p2m_set(d, g, frame_mfn(ram), PAGE_ORDER_4K, P2M_RAM_RW);
    if (rc != 0) {
        (void)frame_release(ram);
    }
    return rc;
}

/* The builder of a PV guest fills this one, which is core's. */
static bool is_pv_shared_info(const struct domain *d, gfn_t g)
{
    return d->is_pv && gfn_eq(g, arch_pv_gfn(d, PV_SHARED_INFO, 0));
}

static int place_foreign(struct domain *d, struct domain *owner, gfn_t from,
                         gfn_t to)
{
    enum p2m_type type;
    struct frame *f = p2m_get_frame(owner, from, &type);
    int rc;

    if (f == NULL) {
        return -EINVAL;
    }
    if ((type != P2M_RAM_RW && type != P2M_RAM_RO &&
         !is_pv_shared_info(owner, from)) || d == owner) {
        frame_put(f);
        return -EINVAL;
    }
    rc = p2m_set(d, to, frame_mfn(f), 0,
                 type == P2M_RAM_RO ? P2M_FOREIGN_RO : P2M_FOREIGN);
    if (rc != 0) {
        frame_put(f);
    }
    return rc;
}

/* Frame 0 would be a gap in the list of a toolstack. */
#define M2P_FRAME 512u

uint64_t physmap_m2p_frame(domid_t id)
{
    return M2P_FRAME + id * arch_pv_m2p_pages();
}

/* In '*out', referenced, page 'i' of the M2P if it is id's own: 0, -E. */
static int get_own_m2p(domid_t id, uint64_t i, struct frame **out)
{
    struct domain *owner = domain_get_by_id(id);
    int rc;

    if (owner == NULL) {
        return -ESRCH;
    }
    rc = xsm_memory_foreign(vcpu_current()->domain, owner);
    if (rc == 0 && !owner->is_pv) {
        rc = -EINVAL;
    }
    if (rc == 0) {
        *out = arch_pv_get_own_m2p(owner, i);
    }
    domain_put(owner);
    return rc;
}

static struct frame *get_shared_m2p(uint64_t i)
{
    mfn_t m = arch_pv_m2p_page(i);
    struct frame *f = mfn_eq(m, mfn_invalid()) ? NULL : frame_of(m);

    return f != NULL && frame_get_any(f) ? f : NULL;
}

/*
 * What the toolstack may see of DOMID_XEN: the M2P, read-only, at the frame
 * numbers that XENMEM_machphys_mfn_list tells.  The entry keeps a reference on
 * a domain's own page, which so outlives it; one that took the number of a
 * former has what is its own.
 */
static int place_m2p(struct domain *d, uint64_t idx, gfn_t to)
{
    uint64_t pages = arch_pv_m2p_pages();
    uint64_t id = (idx - M2P_FRAME) / pages;
    uint64_t i = (idx - M2P_FRAME) % pages; /* so under speculation, too */
    struct frame *f = NULL;
    int rc;

    if (to.v >= P2M_GFN_LIMIT || id >= DOMID_FIRST_RESERVED) {
        return -EINVAL;
    }
    rc = id == 0 ? 0 : get_own_m2p((domid_t)id, i, &f);
    if (rc != 0) {
        return rc;
    }
    if (f == NULL) {
        f = get_shared_m2p(i);
    }
    if (f == NULL) {
        return -ENOMEM;
    }
    rc = p2m_set(d, to, frame_mfn(f), 0, P2M_FOREIGN_RO);
    if (rc != 0) {
        frame_put(f);
    }
    return rc;
}

static int place_grant_frame(struct domain *d, uint64_t idx, gfn_t g)
{
    mfn_t m;
    int rc;

    if (idx >= XENMAPIDX_grant_table_status) {
        return -EINVAL;
    }
    rc = grant_shared_frame(d, (uint32_t)idx, &m);
    return rc != 0 ? rc : place_shared(d, m, g);
}

/* One element of add_to_physmap; 'owner' only for gmfn_foreign. */
static int place(struct domain *d, unsigned int space, uint64_t idx, gfn_t g,
                 struct domain *owner)
{
    if (g.v >= P2M_GFN_LIMIT) {
        return -EINVAL;
    }
    switch (space) {
    case XENMAPSPACE_shared_info:
        return idx != 0 ? -EINVAL :
               place_shared(d, arch_virt_to_mfn(d->shared_info), g);
    case XENMAPSPACE_grant_table:
        return place_grant_frame(d, idx, g);
    case XENMAPSPACE_gmfn_foreign:
        return owner == NULL || idx >= P2M_GFN_LIMIT ? -EINVAL :
               place_foreign(d, owner, gfn(idx), g);
    case XENMAPSPACE_gmfn:
    case XENMAPSPACE_gmfn_range:
    case XENMAPSPACE_dev_mmio:
        /* For device models and passthrough, which we do not have. */
        return -EOPNOTSUPP;
    default:
        return -EINVAL;
    }
}

int physmap_place_grants(struct domain *d, uint32_t count)
{
    int rc = 0;

    for (uint32_t i = 0; rc == 0 && i < count; i++) {
        rc = place_grant_frame(d, i, arch_pv_gfn(d, PV_GRANT_FRAME, i));
    }
    return rc;
}

/* ---- add and remove ---- */

int physmap_add(struct domain *d, const struct xen_add_to_physmap *op)
{
    if (op->space == XENMAPSPACE_gmfn_foreign) {
        return -ENOSYS;
    }
    if (d->is_pv) {
        return -EACCES;         /* it has no map of its own to change */
    }
    return place(d, op->space, op->idx, gfn(op->gpfn), NULL);
}

static bool is_of_xen(const struct xen_add_to_physmap_batch *op)
{
    return op->space == XENMAPSPACE_gmfn_foreign &&
           op->u.foreign_domid == DOMID_XEN;
}

static int add_element(struct domain *d,
                       const struct xen_add_to_physmap_batch *op, uint64_t i,
                       struct domain *owner)
{
    xen_ulong_t idx;
    xen_pfn_t g;
    int error;

    if (guest_read(&idx, guest_ptr_add(guest_ptr_of(op->idxs.p),
                                       i * sizeof(idx)), sizeof(idx)) != 0 ||
        guest_read(&g, guest_ptr_add(guest_ptr_of(op->gpfns.p),
                                     i * sizeof(g)), sizeof(g)) != 0) {
        return -EFAULT;
    }
    error = is_of_xen(op) ? place_m2p(d, idx, gfn(g))
                          : place(d, op->space, idx, gfn(g), owner);
    return guest_write(guest_ptr_add(guest_ptr_of(op->errs.p),
                                     i * sizeof(error)),
                       &error, sizeof(error));
}

int physmap_add_batch(struct domain *d,
                      const struct xen_add_to_physmap_batch *op,
                      uint64_t *done)
{
    struct budget b = budget_start();
    struct domain *owner = NULL;
    uint64_t end = min(*done + BATCH, (uint64_t)op->size);
    int rc = 0;

    if (op->space == XENMAPSPACE_gmfn_range) {
        return -EOPNOTSUPP;
    }
    if (d->is_pv) {
        return -EACCES;
    }
    if (is_of_xen(op)) {
        rc = xsm_memory_m2p(vcpu_current()->domain);
    } else if (op->space == XENMAPSPACE_gmfn_foreign) {
        owner = domain_get_by_id(op->u.foreign_domid);
        if (owner == NULL) {
            return -ESRCH;
        }
        rc = xsm_memory_foreign(vcpu_current()->domain, owner);
    }
    while (rc == 0 && *done < end) {
        rc = add_element(d, op, *done, owner);
        if (rc == 0) {
            (*done)++;
        }
        if (budget_is_spent(&b)) {
            break;
        }
    }
    domain_put(owner);
    if (rc == 0 && *done < op->size) {
        rc = -ERESTART;
    }
    return rc;
}

int physmap_remove(struct domain *d, gfn_t g)
{
    enum p2m_type type;
    mfn_t m;

    if (d->is_pv) {
        return -EACCES;
    }
    if (g.v >= P2M_GFN_LIMIT) {
        return -EINVAL;
    }
    m = p2m_lookup(d, g, &type);
    switch (type) {
    case P2M_INVALID:
        return -ENOENT;
    case P2M_GRANT_RW:
    case P2M_GRANT_RO:
        /* Its handle says when it goes: GNTTABOP_unmap_grant_ref. */
        return -EBUSY;
    case P2M_WINDOW:
        return p2m_remove_window(d, g);
    default:
        return p2m_remove_if(d, g, m);
    }
}

/* ---- the memory map ---- */

int physmap_set_e820(struct domain *d, const struct e820_entry_abi *entry,
                     unsigned int count)
{
    struct e820_map *map;
    struct e820_map *old;

    if (count > PHYSMAP_E820_MAX) {
        return -EINVAL;
    }
    map = kmem_alloc(sizeof(*map) + count * sizeof(map->entry[0]));
    if (map == NULL) {
        return -ENOMEM;
    }
    map->count = count;
    memcpy(map->entry, entry, count * sizeof(map->entry[0]));
    spin_lock(&d->lock);
    old = d->e820;
    d->e820 = map;
    spin_unlock(&d->lock);
    kmem_free(old);
    return 0;
}

uint64_t physmap_memory_end(struct domain *d)
{
    uint64_t end = 0;

    spin_lock(&d->lock);
    for (unsigned int i = 0; d->e820 != NULL && i < d->e820->count; i++) {
        const struct e820_entry_abi *e = &d->e820->entry[i];

        if (e->size <= UINT64_MAX - e->addr) {
            end = max(end, e->addr + e->size);
        }
    }
    spin_unlock(&d->lock);
    return end;
}

/* A copy of d's map that the caller frees, or NULL. */
static struct e820_map *copy_map(struct domain *d)
{
    size_t size = sizeof(struct e820_map) +
                  PHYSMAP_E820_MAX * sizeof(struct e820_entry_abi);
    struct e820_map *copy = kmem_alloc(size);

    if (copy == NULL) {
        return NULL;
    }
    spin_lock(&d->lock);
    if (d->e820 != NULL) {
        copy->count = d->e820->count;
        memcpy(copy->entry, d->e820->entry,
               copy->count * sizeof(copy->entry[0]));
    }
    spin_unlock(&d->lock);
    return copy;
}

int physmap_memory_map(struct domain *d, struct guest_ptr arg)
{
    struct xen_memory_map op;
    struct e820_map *map;
    int rc;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    map = copy_map(d);
    if (map == NULL) {
        return -ENOMEM;
    }
    if (map->count == 0) {
        rc = -ENOSYS;
    } else if (guest_ptr_is_null(guest_ptr_of(op.buffer.p))) {
        rc = 0;
        op.nr_entries = map->count;
    } else {
        /* A short buffer gets what fits, as from the reference. */
        op.nr_entries = min(op.nr_entries, map->count);
        rc = guest_write(guest_ptr_of(op.buffer.p), map->entry,
                         op.nr_entries * sizeof(map->entry[0]));
    }
    if (rc == 0) {
        rc = guest_write(arg, &op, sizeof(op));
    }
    kmem_free(map);
    return rc;
}

int physmap_set_memory_map(struct domain *cur, struct guest_ptr arg)
{
    struct xen_foreign_memory_map op;
    struct e820_entry_abi *entry;
    struct domain *d;
    size_t size;
    int rc;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    if (op.map.nr_entries > PHYSMAP_E820_MAX) {
        return -EINVAL;
    }
    d = domain_get_any(op.domid);
    if (d == NULL) {
        return -ESRCH;
    }
    size = op.map.nr_entries * sizeof(*entry);
    entry = kmem_alloc(size + 1);
    rc = entry == NULL ? -ENOMEM : xsm_memory_foreign(cur, d);
    if (rc == 0) {
        rc = guest_read(entry, guest_ptr_of(op.map.buffer.p), size);
    }
    if (rc == 0) {
        rc = physmap_set_e820(d, entry, op.map.nr_entries);
    }
    kmem_free(entry);
    domain_put(d);
    return rc;
}

/* ---- resources ---- */

/* Maps frame 'index' of d's grant table at 'g' of 'cur'. */
static int place_resource(struct domain *cur, struct domain *d,
                          uint64_t index, gfn_t g)
{
    struct frame *f;
    mfn_t m;
    int rc;

    if (index > UINT32_MAX || g.v >= P2M_GFN_LIMIT) {
        return -EINVAL;
    }
    rc = grant_shared_frame(d, (uint32_t)index, &m);
    if (rc != 0) {
        return rc;
    }
    f = frame_of(m);
    if (!frame_get_any(f)) {
        return -EINVAL;
    }
    rc = p2m_set(cur, g, m, 0, P2M_FOREIGN);
    if (rc != 0) {
        frame_put(f);
    }
    return rc;
}

static int acquire_frames(struct domain *cur, struct domain *d,
                          const struct xen_mem_acquire_resource *op,
                          uint64_t *done)
{
    uint64_t end = min(*done + BATCH, (uint64_t)op->nr_frames);
    struct budget b = budget_start();

    while (*done < end) {
        xen_pfn_t g;
        int rc = guest_read(&g, guest_ptr_add(guest_ptr_of(op->frame_list.p),
                                              *done * sizeof(g)), sizeof(g));

        if (rc == 0) {
            rc = place_resource(cur, d, op->frame + *done, gfn(g));
        }
        if (rc != 0) {
            return rc;
        }
        (*done)++;
        if (budget_is_spent(&b)) {
            break;
        }
    }
    return *done < op->nr_frames ? -ERESTART : 0;
}

static int acquire_window(struct domain *cur, struct domain *d,
                          struct xen_mem_acquire_resource *op,
                          struct guest_ptr arg)
{
    bool asks = guest_ptr_is_null(guest_ptr_of(op->frame_list.p));
    int rc = window_acquire(cur, d, op);

    return rc == 0 && asks ? guest_write(arg, op, sizeof(*op)) : rc;
}

static int acquire(struct domain *cur, struct domain *d,
                   struct xen_mem_acquire_resource *op, struct guest_ptr arg,
                   uint64_t *done)
{
    int rc;

    if (op->type == GANTRY_RESOURCE_WINDOW) {
        return acquire_window(cur, d, op, arg);
    }
    rc = xsm_memory_resource(cur, d);
    if (rc != 0) {
        return rc;
    }
    if (op->type != XENMEM_resource_grant_table) {
        return -EOPNOTSUPP;
    }
    if (op->id != XENMEM_resource_grant_table_id_shared) {
        return -EINVAL;
    }
    if (guest_ptr_is_null(guest_ptr_of(op->frame_list.p))) {
        if (op->nr_frames != 0) {
            return -EINVAL;
        }
        op->nr_frames = d->grant->max_frames;
        return guest_write(arg, op, sizeof(*op));
    }
    if (op->frame + op->nr_frames < op->frame) {
        return -EINVAL;
    }
    return acquire_frames(cur, d, op, done);
}

int physmap_acquire(struct domain *cur, struct guest_ptr arg, uint64_t *done)
{
    struct xen_mem_acquire_resource op;
    struct domain *d;
    int rc;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    if (op.pad != 0 || op.domid == DOMID_SELF) {
        return -EINVAL;
    }
    d = domain_get_by_id(op.domid);
    if (d == NULL) {
        return -ESRCH;
    }
    rc = d == cur ? -EINVAL : acquire(cur, d, &op, arg, done);
    domain_put(d);
    return rc;
}
