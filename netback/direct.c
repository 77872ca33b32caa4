/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Access to a guest's memory through a live window (behind access.h): what
 * GNTTABOP_copy does, done here.  Talks to window.c, which copies, and to
 * another access (gcopy.c) for all that does not go through the window.
 *
 * Invariants:
 *  1. All of window.c's.
 *  2. Every copy of a burst has either gone through a window that was in
 *     force from before the burst until after its last copy, or been made by
 *     the hypervisor after that.
 *  3. A response is written only after its copies and the clearing of their
 *     pins: access_copy() returns after both.
 *  4. A packet thread never maps, waits, or makes a system call here, but
 *     for one wake-up of the mapping thread for each chunk, once.
 *
 * Why this is safe, interleaving by interleaving.  "Here" is a packet thread
 * between its swap on an entry and the clear; the guest may be hostile.
 *
 * Balloon out, remap: the frame leaves the guest's memory map while we are
 *    here.  The hypervisor points our entry at the domain's scratch frame
 *    and flushes our TLB before the frame is free, so from then on we touch
 *    scratch.  A guest that gives a granted page away gets rubbish for its
 *    own packet; nobody else's memory is reached, as scratch belongs to that
 *    domain alone.
 * Balloon in: a gfn gets memory.  The hypervisor has the entry follow before
 *    the guest's hypercall returns, so before the guest can grant the page
 *    and name the grant in a ring.
 * The guest rewrites the entry: the swap saw the head that it replaced, the
 *    frame is read once after it, so we use one frame that stood in an entry
 *    that was granted to us.  A guest that changes it under the flags breaks
 *    its own rule and harms its own packet; every frame below page_count is
 *    that guest's own or scratch.  The flags that end the pin are those from
 *    before it (grant_pin.h): the guest may find in force again what it took
 *    back or changed under the pin, for the frame and the domain that its
 *    entry names by then.
 * Revocation (log-dirty): revoked is set and the generation is raised, then
 *    the entries go to scratch and TLBs are flushed.  We look at both before
 *    the first copy and after the last, with a full barrier before the second
 *    look: a store that went to scratch was translated after the entry
 *    changed, so after the status did, and the second look sees that.  The
 *    burst is then copied again by the hypervisor, which marks pages dirty;
 *    what went into the guest's frame before the flush is in the first pass
 *    that follows.  Revoked and restored between the looks: the generation
 *    differs.
 * Destroy: as balloon out for every frame.  The grant table's pages and the
 *    rings are mapped with references, and stay until we unmap them; nobody
 *    waits for us, so we may be stopped here for ever.
 * Two users of one entry (two threads of ours, a mapping of another
 *    process, a grant given twice): who comes second finds a flag and does
 *    not touch it; the hypervisor, which counts uses, makes that copy.
 * The hypervisor's use of the entry, a copy or a mapping, begins while we are
 *    here: it finds our flags or adds GTF_writing, may run on after our clear,
 *    and at its end clears what may be clear already.  The hypervisor holds a
 *    reference on the frame meanwhile, so what a guest that uses a grant
 *    twice at once can lose is its own protection from this domain for the
 *    one page.
 * Killed here: the record of the pin is in the journal; see journal.h.
 */
#include <stdlib.h>

#include "netback/direct.h"

#define LATER_MAX 256u              /* one hypercall's copies */

struct direct {
    struct access access;           /* first: an access is a direct */
    struct direct_view *view;
    struct access *copy;            /* by the hypervisor */
    struct window_user user;
    unsigned int later_count;
    uint16_t index[LATER_MAX];      /* which copies those are */
    struct access_copy later[LATER_MAX];
};

/* What the status page said at one time. */
struct look {
    uint64_t generation;
    uint32_t revoked;
};

static struct look look_at(const struct gantry_window_status *status)
{
    struct look look;

    look.generation = __atomic_load_n(&status->generation, __ATOMIC_ACQUIRE);
    look.revoked = __atomic_load_n(&status->revoked, __ATOMIC_ACQUIRE);
    return look;
}

static void flush_later(struct direct *d, enum access_direction direction,
                        struct access_copy *copies)
{
    access_copy(d->copy, direction, d->later, d->later_count);
    for (unsigned int i = 0; i < d->later_count; i++) {
        copies[d->index[i]].status = d->later[i].status;
    }
    d->later_count = 0;
}

/* Have the hypervisor make the copies that the window did not. */
static void copy_later(struct direct *d, enum access_direction direction,
                       struct access_copy *copies, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        if (copies[i].status <= 0) {
            continue;
        }
        if (d->later_count == LATER_MAX) {
            flush_later(d, direction, copies);
        }
        d->index[d->later_count] = (uint16_t)i;
        d->later[d->later_count++] = copies[i];
    }
    flush_later(d, direction, copies);
}

static void copy_batch(struct access *access, enum access_direction direction,
                       struct access_copy *copies, unsigned int count)
{
    struct direct *d = (struct direct *)access;
    struct look before = look_at(d->view->status);
    struct look after;
    unsigned int later;

    if (before.revoked != 0) {
        d->user.counts->redone++;
        access_copy(d->copy, direction, copies, count);
        return;
    }
    later = window_copy(&d->view->window, &d->user,
                        direction == ACCESS_TO_GUEST, copies, count);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    after = look_at(d->view->status);
    if (after.revoked != 0 || after.generation != before.generation) {
        d->user.counts->redone++;
        access_copy(d->copy, direction, copies, count);
    } else if (later != 0) {
        copy_later(d, direction, copies, count);
    }
}

static void *map(struct access *access, grant_ref_t ref)
{
    struct access *copy = ((struct direct *)access)->copy;

    return copy->ops->map(copy, ref);
}

static void unmap(struct access *access, void *page)
{
    struct access *copy = ((struct direct *)access)->copy;

    copy->ops->unmap(copy, page);
}

static void notify(struct access *access, int port)
{
    struct access *copy = ((struct direct *)access)->copy;

    copy->ops->notify(copy, port);
}

static void destroy(struct access *access)
{
    struct direct *d = (struct direct *)access;

    d->copy->ops->destroy(d->copy);
    free(d);
}

static const struct access_ops direct_ops = {
    .name = "a live window",
    .copy = copy_batch,
    .map = map,
    .unmap = unmap,
    .notify = notify,
    .destroy = destroy,
};

struct access *direct_create(struct direct_view *view, struct access *copy,
                             uint64_t *records, struct window_counts *counts)
{
    struct direct *d = calloc(1, sizeof(*d));

    if (d == NULL) {
        copy->ops->destroy(copy);
        return NULL;
    }
    d->access.ops = &direct_ops;
    d->view = view;
    d->copy = copy;
    d->user = (struct window_user){ records, counts };
    return &d->access;
}
