/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Grant tables, version 1: a table's frames, and pins on its entries.
 * grant_map.c and grant_copy.c use the pins, grant_op.c decodes.
 *
 *   entry:  not pinned --grant_pin--> pinned n --grant_unpin--> not pinned
 *           (GTF_reading / GTF_writing set)          (cleared again)
 *
 *  1. The shared entry is the guest's memory: flags and domid are read and
 *     changed together by compare-and-swap, then the frame number is read
 *     once.  Nothing else is read of it.
 *  2. While an entry is pinned its frame is referenced, whatever the guest
 *     writes there; a second pin is of the same frame and user.
 *  3. We clear only the flags that we set: a backend that pins from outside
 *     (the direct way) keeps its own.
 *  4. GTF_writing is ours while writers > 0, GTF_reading while any pin is.
 *  5. The table only grows; frame_count is written last.  So whoever holds a
 *     reference on the domain looks entries up without the table lock.
 *  6. A pin's holder has a reference on the owner, so the shared frames and
 *     the active entries, which go with the domain, outlive every pin.
 */
#include "core/arch.h"
#include "core/console.h"
#include "core/grant_table.h"
#include "core/kmem.h"
#include "core/lock.h"
#include "core/p2m.h"
#include "core/page_alloc.h"
#include "lib/atomic.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/nospec.h"

/* A guest can change its entry for ever; we stop. */
#define FLAG_TRIES 5

#define ACTIVE_ORDER 2

_Static_assert(GRANT_REFS_PER_FRAME * sizeof(struct active) ==
               PAGE_SIZE << ACTIVE_ORDER, "order of the active entries");

/* ---- entries ---- */

static struct active *active_of(struct domain *d, uint32_t ref,
                                grant_entry_v1_t **shared)
{
    struct grant_table *gt = d->grant;
    uint64_t refs = __atomic_load_n(&gt->frame_count, __ATOMIC_ACQUIRE) *
                    GRANT_REFS_PER_FRAME;
    uint32_t index;

    if (ref >= refs) {
        return NULL;
    }
    ref = index_nospec(ref, refs);
    index = ref / GRANT_REFS_PER_FRAME;
    *shared = &gt->shared[index][ref % GRANT_REFS_PER_FRAME];
    return &gt->active[index][ref % GRANT_REFS_PER_FRAME];
}

/*
 * Sets the flags of a use in the shared entry if it grants that to 'user';
 * '*set' are those that were not set before.
 */
static int16_t set_flags(grant_entry_v1_t *shared, domid_t user, bool write,
                         uint8_t *set)
{
    uint32_t *word = (uint32_t *)(void *)shared;
    uint16_t want = GTF_reading | (write ? GTF_writing : 0);
    uint32_t old = __atomic_load_n(word, __ATOMIC_ACQUIRE);
    int tries;

    for (tries = 0; tries < FLAG_TRIES; tries++) {
        uint16_t flags = old;

        if ((flags & GTF_type_mask) != GTF_permit_access ||
            (domid_t)(old >> 16) != user ||
            (write && (flags & GTF_readonly))) {
            return GNTST_general_error;
        }
        if (__atomic_compare_exchange_n(word, &old, old | want, false,
                                        __ATOMIC_SEQ_CST,
                                        __ATOMIC_ACQUIRE)) {
            *set = want & ~flags;
            return GNTST_okay;
        }
    }
    return GNTST_general_error;
}

static void clear_flags(grant_entry_v1_t *shared, uint8_t flags)
{
    if (flags != 0) {
        (void)__atomic_fetch_and(&shared->flags, (uint16_t)~flags,
                                 __ATOMIC_SEQ_CST);
    }
}

/* First pin: the entry's lock is held. */
static int16_t pin_first(struct domain *owner, struct active *act,
                         grant_entry_v1_t *shared, domid_t user, bool write)
{
    uint8_t set;
    int16_t status = set_flags(shared, user, write, &set);
    uint64_t number;

    if (status != GNTST_okay) {
        return status;
    }
    number = __atomic_load_n(&shared->frame, __ATOMIC_RELAXED);
    act->frame = p2m_get_ram(owner, gfn(number), write);
    if (act->frame == NULL) {
        clear_flags(shared, set);
        return GNTST_bad_page;
    }
    act->user = user;
    act->flags_set = set;
    return GNTST_okay;
}

/* A further pin; the first write pin asks for GTF_writing. */
static int16_t pin_again(struct domain *owner, struct active *act,
                         grant_entry_v1_t *shared, domid_t user, bool write)
{
    struct frame *f;
    uint8_t set;
    int16_t status;

    if (act->user != user) {
        return GNTST_general_error;
    }
    if (!write || act->writers > 0) {
        return GNTST_okay;
    }
    status = set_flags(shared, user, true, &set);
    if (status != GNTST_okay) {
        return status;
    }
    /* The frame was got for reading: may it be written, and is it there? */
    f = p2m_get_ram(owner, gfn(act->frame->gfn), true);
    if (f != NULL) {
        frame_put(f);
    }
    if (f != act->frame) {
        clear_flags(shared, set);
        return GNTST_general_error;
    }
    act->flags_set |= set;
    return GNTST_okay;
}

int16_t grant_pin(struct domain *owner, uint32_t ref, domid_t user,
                  bool write, struct grant_pin *out)
{
    grant_entry_v1_t *shared;
    struct active *act = active_of(owner, ref, &shared);
    int16_t status;

    if (act == NULL) {
        return GNTST_bad_gntref;
    }
    spin_lock(&act->lock);
    if (domain_is_dying(owner)) {
        status = GNTST_bad_domain;
    } else if (act->readers + act->writers == 0) {
        status = pin_first(owner, act, shared, user, write);
    } else if (act->readers == UINT32_MAX / 4 ||
               act->writers == UINT32_MAX / 4) {
        status = GNTST_no_space;
    } else {
        status = pin_again(owner, act, shared, user, write);
    }
    if (status == GNTST_okay) {
        *(write ? &act->writers : &act->readers) += 1;
        *out = (struct grant_pin){ owner, act->frame, ref, write };
    }
    spin_unlock(&act->lock);
    return status;
}

void grant_unpin(const struct grant_pin *pin)
{
    grant_entry_v1_t *shared;
    struct active *act = active_of(pin->owner, pin->ref, &shared);
    struct frame *f = NULL;
    uint8_t clear = 0;

    spin_lock(&act->lock);
    *(pin->is_writable ? &act->writers : &act->readers) -= 1;
    if (act->writers == 0) {
        clear = act->flags_set & GTF_writing;
        if (act->readers == 0) {
            clear = act->flags_set;
            f = act->frame;
            act->frame = NULL;
        }
    }
    act->flags_set &= ~clear;
    clear_flags(shared, clear);
    spin_unlock(&act->lock);
    if (f != NULL) {
        frame_put(f);
    }
}

int16_t grant_swap(struct domain *d, uint32_t a, uint32_t b)
{
    grant_entry_v1_t *shared_a, *shared_b, copy;
    struct active *act_a = active_of(d, a, &shared_a);
    struct active *act_b = active_of(d, b, &shared_b);
    int16_t status = GNTST_okay;

    if (act_a == NULL || act_b == NULL) {
        return GNTST_bad_gntref;
    }
    if (a == b) {
        return GNTST_okay;
    }
    spin_lock(a < b ? &act_a->lock : &act_b->lock);
    spin_lock_nested(a < b ? &act_b->lock : &act_a->lock);
    if (act_a->readers + act_a->writers > 0 ||
        act_b->readers + act_b->writers > 0) {
        status = GNTST_eagain;
    } else {
        copy = *shared_a;
        *shared_a = *shared_b;
        *shared_b = copy;
    }
    spin_unlock(&act_a->lock);
    spin_unlock(&act_b->lock);
    return status;
}

/* ---- the table ---- */

/* Adds frame 'index'; the table lock is held. */
static int add_frame(struct domain *d, uint32_t index)
{
    struct grant_table *gt = d->grant;
    struct active *active = page_alloc_core(ACTIVE_ORDER);
    struct frame *f;
    uint32_t i;

    if (active == NULL) {
        return -ENOMEM;
    }
    f = page_alloc_shared(d);
    if (f == NULL) {
        page_free_core(active, ACTIVE_ORDER);
        return -ENOMEM;
    }
    for (i = 0; i < GRANT_REFS_PER_FRAME; i++) {
        spin_lock_init(&active[i].lock, LOCK_RANK_GRANT);
    }
    gt->frame[index] = f;
    gt->shared[index] = arch_frame_map(frame_mfn(f));
    gt->active[index] = active;
    __atomic_store_n(&gt->frame_count, index + 1, __ATOMIC_RELEASE);
    return 0;
}

int grant_grow(struct domain *d, uint32_t count)
{
    struct grant_table *gt = d->grant;
    int error = 0;

    if (count > gt->max_frames) {
        return -EINVAL;
    }
    if (__atomic_load_n(&gt->frame_count, __ATOMIC_ACQUIRE) >= count) {
        return 0;
    }
    spin_lock(&gt->lock);
    if (domain_is_dying(d)) {
        error = -EINVAL;
    }
    while (error == 0 && gt->frame_count < count) {
        error = add_frame(d, gt->frame_count);
    }
    spin_unlock(&gt->lock);
    return error;
}

int grant_shared_frame(struct domain *d, uint32_t idx, mfn_t *out)
{
    struct grant_table *gt = d->grant;
    int error;

    if (idx >= gt->max_frames || domain_is_dying(d)) {
        return -EINVAL;
    }
    idx = index_nospec(idx, gt->max_frames);
    error = grant_grow(d, idx + 1);
    if (error == 0) {
        *out = frame_mfn(gt->frame[idx]);
    }
    return error;
}

uint32_t grant_frame_count(struct domain *d)
{
    return __atomic_load_n(&d->grant->frame_count, __ATOMIC_ACQUIRE);
}

/* ---- life ---- */

int grant_create(struct domain *d, uint32_t max_frames, uint32_t max_maptrack)
{
    struct grant_table *gt;

    max_frames = max_frames == UINT32_MAX ? GRANT_FRAMES_DEFAULT
                                          : max_frames;
    max_maptrack = max_maptrack == UINT32_MAX ? MAPTRACK_FRAMES_DEFAULT
                                              : max_maptrack;
    if (max_frames == 0 || max_frames > GRANT_FRAMES_LIMIT ||
        max_maptrack > MAPTRACK_FRAMES_LIMIT) {
        return -EINVAL;
    }
    gt = kmem_alloc(sizeof(*gt));
    if (gt == NULL) {
        return -ENOMEM;
    }
    d->grant = gt;
    spin_lock_init(&gt->lock, LOCK_RANK_GRANT);
    spin_lock_init(&gt->map_lock, LOCK_RANK_GRANT_MAP);
    gt->max_frames = max_frames;
    gt->max_track = max_maptrack;
    gt->free_handle = GRANT_HANDLE_NONE;
    gt->frame = kmem_alloc_array(max_frames, sizeof(*gt->frame));
    gt->shared = kmem_alloc_array(max_frames, sizeof(*gt->shared));
    gt->active = kmem_alloc_array(max_frames, sizeof(*gt->active));
    gt->track = kmem_alloc_array(max(max_maptrack, 1u), sizeof(*gt->track));
    if (gt->frame == NULL || gt->shared == NULL || gt->active == NULL ||
        gt->track == NULL || grant_grow(d, 1) != 0) {
        grant_destroy(d);
        return -ENOMEM;
    }
    return 0;
}

int grant_relinquish(struct domain *d)
{
    return d->grant == NULL ? 0 : grant_map_relinquish(d);
}

void grant_destroy(struct domain *d)
{
    struct grant_table *gt = d->grant;
    uint32_t i;

    if (gt == NULL) {
        return;
    }
    /* What misses an array has counts of 0, which the analyzer cannot know. */
    /* NOLINTBEGIN(clang-analyzer-core.NullDereference) */
    for (i = 0; i < gt->frame_count; i++) {
        frame_disown(gt->frame[i]);
        page_free_core(gt->active[i], ACTIVE_ORDER);
    }
    for (i = 0; i < gt->track_count; i++) {
        kmem_free(gt->track[i]);
    }
    /* NOLINTEND(clang-analyzer-core.NullDereference) */
    kmem_free(gt->frame);
    kmem_free(gt->shared);
    kmem_free(gt->active);
    kmem_free(gt->track);
    kmem_free(gt);
    d->grant = NULL;
}
