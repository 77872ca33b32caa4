/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * GNTTABOP_copy: bytes from a page to a page, each either granted to the
 * caller or its own.
 *
 *  1. Both sides are held (pinned or referenced) while bytes move, and no
 *     lock is.
 *  2. A batch keeps the last page of each side held for the next element, as
 *     rings name the same page many times; grant_copy_end() lets go.
 */
#include "core/arch.h"
#include "core/grant_table.h"
#include "core/p2m.h"
#include "core/perfc.h"
#include "core/xsm.h"
#include "lib/string.h"

static void release(struct grant_copy_side *side)
{
    if (!side->is_held) {
        return;
    }
    if (side->is_ref) {
        grant_unpin(&side->pin);
    } else {
        frame_put(side->frame);
    }
    side->is_held = false;
}

/* Makes side->d the domain that 'domid' names; a batch mostly keeps it. */
static bool find_domain(struct grant_copy_side *side, domid_t domid)
{
    if (side->d != NULL && side->domid == domid) {
        return true;
    }
    domain_put(side->d);
    side->d = domain_get_any(domid);
    side->domid = domid;
    return side->d != NULL;
}

/* A page of the caller's own, by frame number. */
static int16_t hold_own(struct domain *cur, struct grant_copy_side *side,
                        bool write)
{
    side->frame = p2m_get_ram(cur, gfn(side->name), write);
    return side->frame == NULL ? GNTST_bad_page : GNTST_okay;
}

static int16_t hold_granted(struct domain *cur, struct grant_copy_side *side,
                            domid_t domid, bool write)
{
    int16_t status;

    if (!find_domain(side, domid)) {
        return GNTST_bad_domain;
    }
    if (xsm_grant_copy(cur, side->d) != 0) {
        return GNTST_permission_denied;
    }
    status = grant_pin(side->d, side->name, cur->id, write, &side->pin);
    side->frame = side->pin.frame;
    return status;
}

/* Makes 'side' hold what 'p' names: GNTST_*. */
static int16_t hold(struct domain *cur, struct grant_copy_side *side,
                    const struct gnttab_copy_ptr *p, bool is_ref, bool write)
{
    uint64_t name = is_ref ? p->u.ref : p->u.gmfn;
    int16_t status;

    if (!is_ref && p->domid != DOMID_SELF) {
        return GNTST_permission_denied;
    }
    if (side->is_held && side->is_ref == is_ref && side->name == name &&
        (!is_ref || side->domid == p->domid)) {
        return GNTST_okay;
    }
    release(side);
    side->is_ref = is_ref;
    side->name = name;
    status = is_ref ? hold_granted(cur, side, p->domid, write)
                    : hold_own(cur, side, write);
    side->is_held = status == GNTST_okay;
    return status;
}

static bool is_inside_page(uint16_t offset, uint16_t size)
{
    return offset <= PAGE_SIZE && size <= PAGE_SIZE - offset;
}

void grant_copy(struct domain *cur, struct grant_copy_batch *batch,
                struct gnttab_copy *op)
{
    char *to, *from;

    perfc_count(PERFC_GRANT_COPY);
    if (!is_inside_page(op->source.offset, op->len) ||
        !is_inside_page(op->dest.offset, op->len)) {
        op->status = GNTST_bad_copy_arg;
        return;
    }
    op->status = hold(cur, &batch->source, &op->source,
                      op->flags & GNTCOPY_source_gref, false);
    if (op->status != GNTST_okay) {
        return;
    }
    op->status = hold(cur, &batch->dest, &op->dest,
                      op->flags & GNTCOPY_dest_gref, true);
    if (op->status != GNTST_okay) {
        return;
    }
    to = arch_frame_map(frame_mfn(batch->dest.frame));
    from = arch_frame_map(frame_mfn(batch->source.frame));
    if (to == from) {
        memmove(to + op->dest.offset, from + op->source.offset, op->len);
    } else {
        memcpy(to + op->dest.offset, from + op->source.offset, op->len);
    }
}

void grant_copy_end(struct grant_copy_batch *batch)
{
    release(&batch->source);
    release(&batch->dest);
    domain_put(batch->source.d);
    domain_put(batch->dest.d);
}
