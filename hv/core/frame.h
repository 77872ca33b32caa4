/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who owns a machine frame.
 *
 *   FREE --page_alloc--> OWNED(d) --last frame_put--> FREE
 *                          |                (dom0 direct-mapped: RESERVED,
 *                          '- populated again for the same gfn -> OWNED)
 *
 *  1. refs > 0 as long as anything (p2m entry, grant map, core) uses it.
 *  2. frame_get(f, d) succeeds only while refs > 0 and owner == d.
 *  3. The allocation itself is one reference, dropped once by
 *     frame_release() when the frame leaves its owner's p2m.
 */
#ifndef CORE_FRAME_H
#define CORE_FRAME_H

#include "core/types.h"
#include "lib/list.h"

#define FRAME_ALLOCATED 1u          /* the allocation reference is held */
#define FRAME_CORE 2u               /* core's own: shared_info, grant table */
#define FRAME_RESERVED 4u           /* dom0 released it: kept for its gfn */
#define FRAME_DIRTY 8u              /* zero it before anybody sees it */
#define FRAME_FREE 16u              /* heads a block of a free list */
#define FRAME_MANAGED 32u           /* RAM that page_alloc was given */

struct frame {
    struct list_node link;          /* free list, cache; an owner may use it */
    struct domain *owner;           /* NULL: the hypervisor or free */
    uint64_t gfn;                   /* M2P: INVALID_FRAME if not mapped */
    uint32_t refs;                  /* [a] */
    uint8_t order;                  /* of the block that it heads */
    uint8_t flags;                  /* [a] FRAME_* */
    uint16_t node;                  /* [I] NUMA node */
};

/* The record of 'm', or NULL if it is not RAM that we manage. */
struct frame *frame_of(mfn_t m);
mfn_t frame_mfn(const struct frame *f);
/* Takes a reference if 'd' owns it; false otherwise. */
bool frame_get(struct frame *f, struct domain *d);
/* Takes a reference whoever owns it; false if nobody does. */
bool frame_get_any(struct frame *f);
/*
 * Drops one; the last one gives the frame back.  Any lock of a rank below
 * PAGE_ALLOC may be held.
 */
void frame_put(struct frame *f);
/* Drops the allocation reference once; false if it was dropped before. */
bool frame_release(struct frame *f);
/*
 * The same for each of 2^order frames of 'd', aligned to that: much cheaper
 * when nobody else has a reference to any of them.
 */
void frame_release_block(struct frame *f, unsigned int order,
                         struct domain *d);
/*
 * The caller's reference becomes the allocation reference of a frame that
 * was released; false (the caller keeps its own) if it was not.
 */
bool frame_keep(struct frame *f);
/*
 * A FRAME_CORE frame whose owner is going away: drops core's reference.  If
 * somebody still maps the frame, nobody owns it from now on.
 */
void frame_disown(struct frame *f);

#endif
