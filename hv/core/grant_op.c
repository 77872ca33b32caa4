/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HYPERVISOR_grant_table_op: copies the elements in, calls grant.c,
 * grant_map.c or grant_copy.c for each, copies them out.
 *
 *  1. An element is read once, with its neighbours; a status is written for
 *     each one that was read.
 *  2. After OPS_PER_CALL elements the call restarts behind them.
 *  3. Version 2 is refused, so no other table format exists.
 */
#include "core/arch.h"
#include "core/budget.h"
#include "core/grant_table.h"
#include "core/hypercall.h"
#include "core/physmap.h"
#include "core/vcpu.h"
#include "core/xsm.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/nospec.h"

#define OPS_PER_CALL 256u
#define CHUNK_SIZE 1024u

_Static_assert(CHUNK_SIZE / sizeof(struct gnttab_unmap_grant_ref) <=
               GRANT_UNMAPS_MAX, "a chunk is one batch of unmaps");

struct batch {
    struct domain *cur;
    struct grant_copy_batch copy;
};

/* 'count' elements at 'ops', which lie behind each other. */
typedef void (*chunk_fn)(struct batch *b, void *ops, unsigned int count);

static void do_maps(struct batch *b, void *ops, unsigned int count)
{
    struct gnttab_map_grant_ref *op = ops;
    unsigned int i;

    for (i = 0; i < count; i++) {
        grant_map(b->cur, &op[i]);
    }
}

static void do_unmaps(struct batch *b, void *ops, unsigned int count)
{
    grant_unmap(b->cur, ops, count);
}

static void do_copies(struct batch *b, void *ops, unsigned int count)
{
    struct gnttab_copy *op = ops;
    unsigned int i;

    for (i = 0; i < count; i++) {
        grant_copy(b->cur, &b->copy, &op[i]);
    }
}

/*
 * Nested paging has no mapping to put in the place of another.  A PV guest's
 * personality has done that; what is left is to unmap.
 */
static void do_replaces(struct batch *b, void *ops, unsigned int count)
{
    struct gnttab_unmap_and_replace *op = ops;
    struct gnttab_unmap_grant_ref u;
    unsigned int i;

    for (i = 0; i < count; i++) {
        u = (struct gnttab_unmap_grant_ref){ .host_addr = op[i].host_addr,
                                             .handle = op[i].handle,
                                             .status = GNTST_general_error };
        if (b->cur->is_pv) {
            grant_unmap(b->cur, &u, 1);
        }
        op[i].status = u.status;
    }
}

static void do_swaps(struct batch *b, void *ops, unsigned int count)
{
    struct gnttab_swap_grant_ref *op = ops;
    unsigned int i;

    for (i = 0; i < count; i++) {
        op[i].status = grant_swap(b->cur, op[i].ref_a, op[i].ref_b);
    }
}

static long run_chunk(struct batch *b, struct guest_ptr at, size_t size,
                      unsigned int count, chunk_fn fn)
{
    char chunk[CHUNK_SIZE] __attribute__((aligned(8)));

    if (guest_read(chunk, at, count * size) != 0) {
        return -EFAULT;
    }
    fn(b, chunk, count);
    return guest_write(at, chunk, count * size);
}

/* Elements of 'size' bytes at 'uop', by chunks. */
static long run(struct guest_ptr uop, unsigned int count, size_t size,
                chunk_fn fn)
{
    struct batch b = { .cur = vcpu_current()->domain };
    struct budget budget = budget_start();
    unsigned int done = 0, step;
    long error = 0;

    while (count > 0 && error == 0) {
        if (done >= OPS_PER_CALL
            || (done > 0 && budget_is_spent(&budget))) {
            hypercall_set_arg(1, uop.va);
            hypercall_set_arg(2, count);
            error = -ERESTART;
            break;
        }
        step = min(count, (unsigned int)(CHUNK_SIZE / size));
        error = run_chunk(&b, uop, size, step, fn);
        uop = guest_ptr_add(uop, step * size);
        count -= step;
        done += step;
    }
    grant_copy_end(&b.copy);
    return error;
}

/* ---- one element ---- */

/* Frame numbers where the table's frames are mapped, for setup_table. */
static int16_t write_frames(struct domain *d, struct guest_ptr to,
                            uint32_t count)
{
    xen_pfn_t number;
    uint32_t i;

    for (i = 0; i < count; i++) {
        number = d->grant->frame[i]->gfn;
        if (guest_write(guest_ptr_add(to, i * sizeof(number)), &number,
                        sizeof(number)) != 0) {
            return GNTST_bad_virt_addr;
        }
    }
    return GNTST_okay;
}

static int16_t setup_table(struct domain *cur,
                           const struct gnttab_setup_table *op)
{
    struct domain *d = domain_get_any(op->dom);
    int16_t status;

    if (d == NULL) {
        return GNTST_bad_domain;
    }
    if (xsm_grant_setup(cur, d) != 0) {
        status = GNTST_permission_denied;
    } else if (op->nr_frames > d->grant->max_frames ||
               grant_grow(d, op->nr_frames) != 0 ||
               (d->is_pv && physmap_place_grants(d, op->nr_frames) != 0)) {
        status = GNTST_general_error;
    } else {
        status = write_frames(d, guest_ptr_of(op->frame_list.p),
                              op->nr_frames);
    }
    domain_put(d);
    return status;
}

static long op_setup_table(struct domain *cur, struct guest_ptr uop)
{
    struct gnttab_setup_table op;

    if (guest_read(&op, uop, sizeof(op)) != 0) {
        return -EFAULT;
    }
    op.status = setup_table(cur, &op);
    return guest_write(uop, &op, sizeof(op));
}

static void query_size(struct domain *cur, struct gnttab_query_size *op)
{
    struct domain *d = domain_get_any(op->dom);

    if (d == NULL) {
        op->status = GNTST_bad_domain;
        return;
    }
    if (xsm_grant_query(cur, d) != 0) {
        op->status = GNTST_permission_denied;
    } else {
        op->nr_frames = grant_frame_count(d);
        op->max_nr_frames = d->grant->max_frames;
        op->status = GNTST_okay;
    }
    domain_put(d);
}

static long op_query_size(struct domain *cur, struct guest_ptr uop)
{
    struct gnttab_query_size op;

    if (guest_read(&op, uop, sizeof(op)) != 0) {
        return -EFAULT;
    }
    query_size(cur, &op);
    return guest_write(uop, &op, sizeof(op));
}

static long op_set_version(struct guest_ptr uop)
{
    struct gnttab_set_version op;
    long error = 0;

    if (guest_read(&op, uop, sizeof(op)) != 0) {
        return -EFAULT;
    }
    if (op.version == 2) {
        error = -ENOSYS;
    } else if (op.version != 1) {
        return -EINVAL;
    }
    op.version = 1;
    if (guest_write(uop, &op, sizeof(op)) != 0) {
        return -EFAULT;
    }
    return error;
}

static long op_get_version(struct domain *cur, struct guest_ptr uop)
{
    struct gnttab_get_version op;
    struct domain *d;
    long error;

    if (guest_read(&op, uop, sizeof(op)) != 0) {
        return -EFAULT;
    }
    d = domain_get_any(op.dom);
    if (d == NULL) {
        return -ESRCH;
    }
    error = xsm_grant_query(cur, d);
    domain_put(d);
    if (error == 0) {
        op.version = 1;
        error = guest_write(uop, &op, sizeof(op));
    }
    return error;
}

static long op_get_status_frames(struct guest_ptr uop)
{
    struct gnttab_get_status_frames op;

    if (guest_read(&op, uop, sizeof(op)) != 0) {
        return -EFAULT;
    }
    /* Only a table of version 2 has them. */
    op.status = GNTST_general_error;
    return guest_write(uop, &op, sizeof(op));
}

static long op_dump_table(struct domain *cur, struct guest_ptr uop)
{
    struct gnttab_dump_table op;
    struct domain *d;

    if (guest_read(&op, uop, sizeof(op)) != 0) {
        return -EFAULT;
    }
    d = domain_get_any(op.dom);
    op.status = GNTST_okay;
    if (d == NULL) {
        op.status = GNTST_bad_domain;
    } else if (xsm_grant_setup(cur, d) != 0) {
        op.status = GNTST_permission_denied;
    }
    domain_put(d);
    return guest_write(uop, &op, sizeof(op));
}

/* Operations on one element only. */
static long run_single(unsigned int cmd, struct guest_ptr uop,
                       unsigned int count)
{
    struct domain *cur = vcpu_current()->domain;

    switch (cmd) {
    case GNTTABOP_set_version:
        return count != 1 ? -EINVAL : op_set_version(uop);
    case GNTTABOP_get_version:
        return count != 1 ? -EINVAL : op_get_version(cur, uop);
    case GNTTABOP_setup_table:
        return count != 1 ? -EINVAL : op_setup_table(cur, uop);
    case GNTTABOP_query_size:
        return count != 1 ? -EINVAL : op_query_size(cur, uop);
    case GNTTABOP_get_status_frames:
        return count != 1 ? -EINVAL : op_get_status_frames(uop);
    case GNTTABOP_dump_table:
        return count != 1 ? -EINVAL : op_dump_table(cur, uop);
    case GNTTABOP_cache_flush:
        return -EOPNOTSUPP;
    default:
        return -ENOSYS;
    }
}

long grant_op(unsigned int cmd, struct guest_ptr uop, unsigned int count)
{
    if (count > INT32_MAX) {
        return -EINVAL;
    }
    switch (cmd) {
    case GNTTABOP_map_grant_ref:
        return run(uop, count, sizeof(struct gnttab_map_grant_ref), do_maps);
    case GNTTABOP_unmap_grant_ref:
        return run(uop, count, sizeof(struct gnttab_unmap_grant_ref),
                   do_unmaps);
    case GNTTABOP_copy:
        return run(uop, count, sizeof(struct gnttab_copy), do_copies);
    case GNTTABOP_unmap_and_replace:
        return run(uop, count, sizeof(struct gnttab_unmap_and_replace),
                   do_replaces);
    case GNTTABOP_swap_grant_ref:
        return run(uop, count, sizeof(struct gnttab_swap_grant_ref), do_swaps);
    default:
        return run_single(cmd, uop, count);
    }
}
