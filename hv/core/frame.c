/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * References on machine frames.  The table of records and what happens to a
 * frame without references belong to page_alloc.c.
 *
 *  1. refs goes 0 -> 1 only in page_alloc.c, after owner and flags are set
 *     (release); so who raised it from above 0 reads a settled owner.
 *  2. owner changes only while refs is 0, but for frame_disown(): then the
 *     owner is past its last reference and nobody passes it here.
 */
#include "core/frame.h"
#include "core/domain.h"
#include "core/page_alloc.h"
#include "lib/atomic.h"
#include "lib/bug.h"

bool frame_get_any(struct frame *f)
{
    uint32_t refs = __atomic_load_n(&f->refs, __ATOMIC_RELAXED);

    do {
        if (refs == 0 || refs == UINT32_MAX) {
            return false;
        }
    } while (!__atomic_compare_exchange_n(&f->refs, &refs, refs + 1, true,
                                          __ATOMIC_ACQUIRE,
                                          __ATOMIC_RELAXED));
    return true;
}

bool frame_get(struct frame *f, struct domain *d)
{
    if (!frame_get_any(f)) {
        return false;
    }
    if (__atomic_load_n(&f->owner, __ATOMIC_RELAXED) != d) {
        frame_put(f);
        return false;
    }
    return true;
}

void frame_put(struct frame *f)
{
    uint32_t refs = __atomic_fetch_sub(&f->refs, 1, __ATOMIC_ACQ_REL);

    BUG_ON(refs == 0);
    if (refs == 1) {
        page_alloc_give_back(f);
    }
}

bool frame_release(struct frame *f)
{
    uint8_t flags = __atomic_fetch_and(&f->flags,
                                       (uint8_t)~FRAME_ALLOCATED,
                                       __ATOMIC_ACQ_REL);

    if (!(flags & FRAME_ALLOCATED)) {
        return false;
    }
    frame_put(f);
    return true;
}

/* What page_alloc_give_back() would do to each, at once. */
static bool is_idle_block(const struct frame *f, uint64_t count,
                          const struct domain *d)
{
    for (uint64_t i = 0; i < count; i++) {
        if (READ_ONCE(f[i].refs) != 1 || f[i].owner != d
            || (READ_ONCE(f[i].flags) & (FRAME_ALLOCATED | FRAME_CORE))
               != FRAME_ALLOCATED) {
            return false;
        }
    }
    return true;
}

/* Takes the last reference, the allocation's, if it is the last. */
static bool end_frame(struct frame *f)
{
    uint32_t last = 1;

    if (!(__atomic_fetch_and(&f->flags, (uint8_t)~FRAME_ALLOCATED,
                             __ATOMIC_ACQ_REL) & FRAME_ALLOCATED)) {
        return false;
    }
    if (!__atomic_compare_exchange_n(&f->refs, &last, 0, false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
        frame_put(f);
        return false;
    }
    return true;
}

void frame_release_block(struct frame *f, unsigned int order,
                         struct domain *d)
{
    uint64_t count = 1UL << order, ended = 0, i;

    if (!d->is_direct_mapped && is_idle_block(f, count, d)) {
        while (ended < count && end_frame(&f[ended])) {
            ended++;
        }
        if (ended == count) {
            page_alloc_give_back_block(f, order);
            return;
        }
        /* Somebody had a look at one meanwhile: each by itself. */
        for (i = 0; i < ended; i++) {
            page_alloc_give_back(&f[i]);
        }
        ended++;
    }
    for (i = ended; i < count; i++) {
        (void)frame_release(&f[i]);
    }
}

bool frame_keep(struct frame *f)
{
    return !(__atomic_fetch_or(&f->flags, FRAME_ALLOCATED, __ATOMIC_ACQ_REL)
             & FRAME_ALLOCATED);
}

void frame_disown(struct frame *f)
{
    BUG_ON(!(f->flags & FRAME_CORE));
    __atomic_store_n(&f->owner, (struct domain *)NULL, __ATOMIC_RELAXED);
    frame_release(f);
}
