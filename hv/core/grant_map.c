/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mapping grants into a domain: its p2m gets an entry at a gfn of its choice
 * or, for PV, of ours; a handle remembers what to undo.  Called by grant_op.c
 * and, at a domain's end, by grant.c.
 *
 *  1. A handle in use holds a pin on the entry and a reference on the
 *     owner.  Its p2m entry holds its own reference on the frame.
 *  2. If the mapper loses the p2m entry otherwise, the pin stays until it
 *     unmaps or dies: the owner's frame is not given back before.  An unmap
 *     is only of the place that was mapped: another one may have other rights.
 *  3. A handle is taken apart by one caller: is_unmapping.
 *  4. Handles change under the map lock, which is held while nothing else is
 *     done.
 *  5. For PV a handle may stand for a device's mapping, too.  No domain has a
 *     device: it is a second name for the first, and the handle lives until
 *     both are unmapped.
 */
#include "core/arch.h"
#include "core/budget.h"
#include "core/grant_table.h"
#include "core/kmem.h"
#include "core/p2m.h"
#include "core/perfc.h"
#include "core/xsm.h"
#include "lib/bug.h"
#include "lib/errno.h"
#include "lib/nospec.h"

#define UNMAPS_PER_CALL 256u
#define PARTS (GNTMAP_device_map | GNTMAP_host_map)

/* ---- handles ---- */

/* The map lock is held. */
static struct grant_mapping *mapping_of(struct grant_table *gt,
                                        uint32_t handle)
{
    uint64_t limit = (uint64_t)gt->track_count * GRANT_HANDLES_PER_FRAME;

    if (handle >= limit) {
        return NULL;
    }
    handle = index_nospec(handle, limit);
    return &gt->track[handle / GRANT_HANDLES_PER_FRAME]
                     [handle % GRANT_HANDLES_PER_FRAME];
}

/* Adds a frame of free handles; the map lock is held. */
static bool grow(struct grant_table *gt)
{
    struct grant_mapping *page;
    uint32_t i, first = gt->track_count * GRANT_HANDLES_PER_FRAME;

    if (gt->track_count >= gt->max_track) {
        return false;
    }
    page = kmem_alloc_array(GRANT_HANDLES_PER_FRAME, sizeof(*page));
    if (page == NULL) {
        return false;
    }
    for (i = 0; i < GRANT_HANDLES_PER_FRAME; i++) {
        page[i].ref = first + i + 1;
    }
    page[GRANT_HANDLES_PER_FRAME - 1].ref = GRANT_HANDLE_NONE;
    gt->track[gt->track_count++] = page;
    gt->free_handle = first;
    return true;
}

/* A new handle with 'owner's reference moved into it, or none. */
static uint32_t new_handle(struct grant_table *gt, struct domain *owner,
                           struct grant_mapping **out)
{
    uint32_t handle = GRANT_HANDLE_NONE;

    spin_lock(&gt->map_lock);
    if (gt->free_handle != GRANT_HANDLE_NONE || grow(gt)) {
        handle = gt->free_handle;
        *out = mapping_of(gt, handle);
        gt->free_handle = (*out)->ref;
        (*out)->owner = owner;
        (*out)->is_unmapping = true;    /* not ready for others */
    }
    spin_unlock(&gt->map_lock);
    return handle;
}

static void free_handle(struct grant_table *gt, uint32_t handle)
{
    struct grant_mapping *m;

    spin_lock(&gt->map_lock);
    m = mapping_of(gt, handle);
    m->owner = NULL;
    m->is_unmapping = false;
    m->ref = gt->free_handle;
    gt->free_handle = handle;
    spin_unlock(&gt->map_lock);
}

static void set_ready(struct grant_table *gt, struct grant_mapping *m)
{
    spin_lock(&gt->map_lock);
    m->is_unmapping = false;
    spin_unlock(&gt->map_lock);
}

/* Reserves a handle in use for the caller: its copy, or false. */
static bool take_handle(struct grant_table *gt, uint32_t handle,
                        struct grant_mapping *copy)
{
    struct grant_mapping *m;
    bool taken = false;

    spin_lock(&gt->map_lock);
    m = mapping_of(gt, handle);
    if (m != NULL && m->owner != NULL && !m->is_unmapping) {
        m->is_unmapping = true;
        *copy = *m;
        taken = true;
    }
    spin_unlock(&gt->map_lock);
    return taken;
}

/* With what is left of it. */
static void give_back(struct grant_table *gt, uint32_t handle, uint8_t parts)
{
    struct grant_mapping *m;

    spin_lock(&gt->map_lock);
    m = mapping_of(gt, handle);
    m->parts = parts;
    m->is_unmapping = false;
    spin_unlock(&gt->map_lock);
}

/* ---- map ---- */

/*
 * Where the mapping stands: where a PVH guest wants it.  A PV guest's is at a
 * container gfn of the handle's own, and its personality makes the entry of
 * the page table that host_addr tells of.
 */
static gfn_t place_of(const struct domain *cur, uint32_t handle,
                      uint64_t host_addr)
{
    return cur->is_pv ? arch_pv_gfn(cur, PV_MAPPED_GRANT, handle)
                      : gfn(host_addr >> PAGE_SHIFT);
}

static int16_t check_flags(const struct domain *cur, uint32_t flags)
{
    uint32_t for_pv = GNTMAP_device_map | GNTMAP_application_map
                      | GNTMAP_contains_pte;

    if ((flags & PARTS) == 0) {
        return GNTST_bad_gntref;
    }
    return !cur->is_pv && (flags & for_pv) ? GNTST_general_error : GNTST_okay;
}

/* Pins and enters into the p2m: GNTST_*. */
static int16_t enter(struct domain *cur, gfn_t at, struct grant_mapping *m,
                     struct gnttab_map_grant_ref *op)
{
    bool write = !(op->flags & GNTMAP_readonly);
    struct grant_pin pin;
    int16_t status = grant_pin(m->owner, op->ref, cur->id, write, &pin);
    mfn_t frame;

    if (status != GNTST_okay) {
        return status;
    }
    frame = frame_mfn(pin.frame);
    if (!frame_get(pin.frame, m->owner)) {
        grant_unpin(&pin);
        return GNTST_general_error;
    }
    if (p2m_set(cur, at, frame, 0, write ? P2M_GRANT_RW
                                         : P2M_GRANT_RO) != 0) {
        frame_put(pin.frame);
        grant_unpin(&pin);
        return GNTST_general_error;
    }
    m->gfn = at.v;
    m->ref = op->ref;
    m->is_writable = write;
    m->parts = op->flags & PARTS;
    op->dev_bus_addr = (cur->is_pv ? at.v : frame.v) << PAGE_SHIFT;
    return GNTST_okay;
}

void grant_map(struct domain *cur, struct gnttab_map_grant_ref *op)
{
    struct grant_table *gt = cur->grant;
    struct grant_mapping *m = NULL;
    struct domain *owner;
    uint32_t handle;

    perfc_count(PERFC_GRANT_MAP);
    op->status = check_flags(cur, op->flags);
    if (op->status != GNTST_okay) {
        return;
    }
    owner = domain_get_by_id(op->dom);
    if (owner == NULL) {
        op->status = GNTST_bad_domain;
        return;
    }
    if (xsm_grant_map(cur, owner) != 0) {
        op->status = GNTST_permission_denied;
        goto put;
    }
    handle = new_handle(gt, owner, &m);
    if (handle == GRANT_HANDLE_NONE) {
        op->status = GNTST_no_space;
        goto put;
    }
    op->status = enter(cur, place_of(cur, handle, op->host_addr), m, op);
    if (op->status == GNTST_okay) {
        op->handle = handle;
        set_ready(gt, m);
        return;
    }
    free_handle(gt, handle);
put:
    domain_put(owner);
}

/* ---- unmap ---- */

/* The frame that a mapping's pin holds. */
static struct frame *frame_of_pin(const struct grant_mapping *m)
{
    struct grant_table *gt = m->owner->grant;
    uint32_t index = m->ref / GRANT_REFS_PER_FRAME;

    return gt->active[index][m->ref % GRANT_REFS_PER_FRAME].frame;
}

static void release(struct grant_table *gt, uint32_t handle,
                    const struct grant_mapping *m)
{
    struct grant_pin pin = { m->owner, NULL, m->ref, m->is_writable };

    grant_unpin(&pin);
    free_handle(gt, handle);
    domain_put(m->owner);
}

/* Is 'address' that of a page of the mapper which is the granted one? */
static bool is_bus_address(struct domain *cur, uint64_t address,
                           const struct grant_mapping *m)
{
    enum p2m_type type;
    mfn_t frame = p2m_lookup(cur, gfn(address >> PAGE_SHIFT), &type);

    return type != P2M_INVALID && frame.v == frame_mfn(frame_of_pin(m)).v;
}

/* What of the reserved handle 'm' stays, if 'op' names the rest rightly. */
static int16_t check_unmap(struct domain *cur,
                           const struct gnttab_unmap_grant_ref *op,
                           const struct grant_mapping *m, uint8_t *parts)
{
    *parts = m->parts;
    if (op->host_addr != 0) {
        if (place_of(cur, op->handle, op->host_addr).v != m->gfn) {
            return GNTST_general_error;
        }
        *parts &= ~GNTMAP_host_map;
    }
    if (op->dev_bus_addr != 0 && (*parts & GNTMAP_device_map)) {
        if (!is_bus_address(cur, op->dev_bus_addr, m)) {
            return GNTST_bad_dev_addr;
        }
        *parts &= ~GNTMAP_device_map;
    }
    return GNTST_okay;
}

/*
 * Reserves the handle of 'op' and says what is to leave the p2m.  False: the
 * status is set and there is nothing to do.
 */
static bool prepare(struct domain *cur, struct gnttab_unmap_grant_ref *op,
                    struct grant_mapping *m, struct p2m_grant_entry *e)
{
    struct grant_table *gt = cur->grant;
    uint8_t parts;

    if (!take_handle(gt, op->handle, m)) {
        op->status = GNTST_bad_handle;
        return false;
    }
    op->status = check_unmap(cur, op, m, &parts);
    if (op->status != GNTST_okay) {
        parts = m->parts;
    }
    if (parts != 0) {
        give_back(gt, op->handle, parts);
        return false;
    }
    e->g = gfn(m->gfn);
    e->m = frame_mfn(frame_of_pin(m));
    return true;
}

void grant_unmap(struct domain *cur, struct gnttab_unmap_grant_ref *op,
                 unsigned int count)
{
    struct grant_table *gt = cur->grant;
    struct p2m_grant_entry entry[GRANT_UNMAPS_MAX];
    struct grant_mapping m[GRANT_UNMAPS_MAX];
    unsigned int which[GRANT_UNMAPS_MAX];
    unsigned int i, used = 0;

    BUG_ON(count > GRANT_UNMAPS_MAX);
    for (i = 0; i < count; i++) {
        if (prepare(cur, &op[i], &m[used], &entry[used])) {
            which[used++] = i;
        }
    }
    p2m_remove_grants(cur, entry, used);
    for (i = 0; i < used; i++) {
        if (entry[i].error != 0) {
            op[which[i]].status = GNTST_general_error;
            give_back(gt, op[which[i]].handle, m[i].parts);
        } else {
            release(gt, op[which[i]].handle, &m[i]);
        }
    }
}

int grant_map_relinquish(struct domain *d)
{
    struct grant_table *gt = d->grant;
    uint64_t limit = (uint64_t)gt->track_count * GRANT_HANDLES_PER_FRAME;
    struct budget time = budget_start();
    uint32_t budget = UNMAPS_PER_CALL;
    struct grant_mapping m;

    while (gt->unmap_next < limit) {
        if (budget == 0 || budget_is_spent(&time)) {
            return -ERESTART;
        }
        if (take_handle(gt, gt->unmap_next, &m)) {
            /* The p2m entry goes with the p2m. */
            release(gt, gt->unmap_next, &m);
            budget--;
        }
        gt->unmap_next++;
    }
    return 0;
}
