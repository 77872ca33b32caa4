/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Grants that a PV guest maps.  The hypervisor puts the granted frame at a
 * container frame that the handle names; the entry of the guest's page table
 * that shows it is made here, at a virtual address or where host_addr points.
 *
 *  1. An entry is taken away before its handle is given back, and only if
 *     it shows that handle's frame.
 *  2. The guest's list is used where it is: what it changes meanwhile
 *     changes its own page tables only.
 */
#include "lib/errno.h"
#include "pvkern/guest.h"
#include "pvkern/table.h"

#define AVAILABLE_SHIFT 9           /* bits 9-11 of an entry */

static uint64_t frame_of(grant_handle_t handle)
{
    return pvk_domain()->mapped_grants + handle;
}

/* The entry that 'address' means: of the page there, or the word itself. */
static bool find(struct pvk_vcpu *v, uint64_t address, bool is_entry,
                 uint64_t *table, unsigned int *index)
{
    if (!is_entry) {
        return mmu_leaf_of(v, address, table, index);
    }
    *table = address >> 12;
    *index = (address & 0xfff) / sizeof(uint64_t);
    return (address & 7) == 0 && table_has_frame(*table)
           && table_level(*table) <= 1;
}

static bool show(struct pvk_vcpu *v, const struct gnttab_map_grant_ref *op)
{
    uint64_t entry = frame_of(op->handle) << 12 | PTE_PRESENT | PTE_USER
                     | PTE_ACCESSED | PTE_DIRTY
                     | (uint64_t)(op->flags >> _GNTMAP_guest_avail0 & 7)
                       << AVAILABLE_SHIFT;
    unsigned int index;
    uint64_t table;

    if (!(op->flags & GNTMAP_readonly)) {
        entry |= PTE_WRITE;
    }
    return find(v, op->host_addr, op->flags & GNTMAP_contains_pte, &table,
                &index)
           && table_write(table, index, entry, 0) == 0;
}

/* Gives a mapping back that cannot be shown; uses the list's own memory. */
static void undo(uint64_t at, grant_handle_t handle)
{
    const struct gnttab_unmap_grant_ref op = {
        .host_addr = PAGE_BYTES,
        .dev_bus_addr = frame_of(handle) << 12,
        .handle = handle,
    };
    const uint64_t a[6] = { GNTTABOP_unmap_grant_ref, at, 1 };

    if (guest_put(at, &op, sizeof(op))) {
        (void)vmmcall(__HYPERVISOR_grant_table_op, a);
    }
}

static bool map_one(struct pvk_vcpu *v, uint64_t at)
{
    struct gnttab_map_grant_ref op;

    if (!guest_get(&op, at, sizeof(op))) {
        return false;
    }
    if (op.status != GNTST_okay || !(op.flags & GNTMAP_host_map)
        || show(v, &op)) {
        return true;
    }
    undo(at, op.handle);
    op.status = GNTST_general_error;
    return guest_put(at, &op, sizeof(op));
}

static long map(struct pvk_vcpu *v, const uint64_t a[6])
{
    long error = vmmcall(__HYPERVISOR_grant_table_op, a);

    for (uint32_t i = 0; error == 0 && i < (uint32_t)a[2]; i++) {
        if (!map_one(v, a[1] + i * sizeof(struct gnttab_map_grant_ref))) {
            error = -EFAULT;
        }
    }
    return error;
}

/* Does the entry at 'address' show 'frame'? */
static bool shows(struct pvk_vcpu *v, uint64_t address, bool is_entry,
                  uint64_t frame, uint64_t *table, unsigned int *index)
{
    uint64_t entry;

    return find(v, address, is_entry, table, index)
           && word_read(table_of(*table) + *index, &entry)
           && (entry & PTE_PRESENT) && pte_frame(entry) == frame;
}

/* Takes the entry away if it shows 'frame'. */
static bool hide(struct pvk_vcpu *v, uint64_t address, bool is_entry,
                 uint64_t frame)
{
    unsigned int index;
    uint64_t table;

    return shows(v, address, is_entry, frame, &table, &index)
           && table_write(table, index, 0, 0) == 0;
}

static long unmap(struct pvk_vcpu *v, const uint64_t a[6])
{
    for (uint32_t i = 0; i < (uint32_t)a[2]; i++) {
        struct gnttab_unmap_grant_ref op;

        if (!guest_get(&op, a[1] + i * sizeof(op), sizeof(op))) {
            return -EFAULT;
        }
        if (op.host_addr != 0
            && !hide(v, op.host_addr, false, frame_of(op.handle))) {
            (void)hide(v, op.host_addr, true, frame_of(op.handle));
        }
    }
    mmu_flush_local();
    return vmmcall(__HYPERVISOR_grant_table_op, a);
}

/* Moves the entry of another address to where the grant was mapped. */
static bool replace_entry(struct pvk_vcpu *v,
                          const struct gnttab_unmap_and_replace *op)
{
    unsigned int index, from_index;
    uint64_t table, from, entry = 0;

    if (!shows(v, op->host_addr, false, frame_of(op->handle), &table,
               &index)) {
        return false;
    }
    if (op->new_addr != 0
        && !(find(v, op->new_addr, false, &from, &from_index)
             && word_read(table_of(from) + from_index, &entry)
             && table_write(from, from_index, 0, 0) == 0)) {
        return false;
    }
    return table_write(table, index, entry, 0) == 0;
}

/* One at a time: what cannot be replaced is not unmapped. */
static long replace(struct pvk_vcpu *v, const uint64_t a[6])
{
    for (uint32_t i = 0; i < (uint32_t)a[2]; i++) {
        struct gnttab_unmap_and_replace op;
        const uint64_t one[6] = { a[0], a[1] + i * sizeof(op), 1 };
        long error = 0;

        if (!guest_get(&op, one[1], sizeof(op))) {
            return -EFAULT;
        }
        if (replace_entry(v, &op)) {
            mmu_flush_local();
            error = vmmcall(__HYPERVISOR_grant_table_op, one);
        } else {
            op.status = GNTST_general_error;
            error = guest_put(one[1], &op, sizeof(op)) ? 0 : -EFAULT;
        }
        if (error != 0) {
            return error;
        }
    }
    return 0;
}

long grant_table_op(struct pvk_vcpu *v, const uint64_t a[6])
{
    switch (a[0]) {
    case GNTTABOP_map_grant_ref:
        return map(v, a);
    case GNTTABOP_unmap_grant_ref:
        return unmap(v, a);
    case GNTTABOP_unmap_and_replace:
        return replace(v, a);
    default:
        return vmmcall(__HYPERVISOR_grant_table_op, a);
    }
}
