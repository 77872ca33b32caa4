/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live windows: P2M_WINDOW entries of a mapper (a backend's domain) that show
 * RAM of a target (a guest) and follow the target's p2m.  memory_op
 * (physmap.c) asks for them; p2m.c tells of each change, the target's and
 * the mapper's; domain.c of a target's end.
 *
 *   target --window--> struct window: scratch, status, maps
 *                        '- chunks: gfn / 512 -> its window_maps (a chain)
 *   window_map: one chunk as one mapper sees it: 512 pointers to entries
 *   mapper --views--> its gfn -> the window_map that has it
 *
 *  1. An entry of a live map is what the target's p2m says: the frame where
 *     it has P2M_RAM_RW, else the target's scratch frame.  An entry of a map
 *     that is not live (revoked) is scratch.
 *  2. Entries hold no reference.  A frame that leaves the target's p2m keeps
 *     the reference that it had there until the entries show something else
 *     and the mappers are flushed: p2m.c's batch_end().
 *  3. The window lock is held to change an entry that is attached, and from
 *     the look at the target's p2m until the entry is written.  The target
 *     writes its own entry before it takes the lock.  So whoever comes second
 *     sees what the first did: an entry follows, or was right already.
 *  4. A mapper takes an entry out in this order, under its own p2m lock:
 *     write the slot, flush itself, window_forget().  Until that a change of
 *     the target's finds the slot and, as its content is not a window's,
 *     flushes the mapper and leaves the slot alone.  An entry is put only
 *     where there is none, so a slot belongs to one map at a time.
 *  5. Nobody who is gone is needed.  A struct window lives until the last
 *     map has gone, its target or not; then scratch goes.  A mapper's last
 *     entry goes with its p2m, before the mapper can be freed.
 *  6. Work is bounded: a chunk has at most GANTRY_WINDOW_MAPS_MAX maps; what
 *     touches all maps does MAPS_PER_CALL at a time.
 *
 * Who can see a frame F of target T, at gfn g, through a window:
 *
 *  - Balloon out (remove, replace, RW -> RO): T's p2m entry is written;
 *    entries -> scratch, or the new frame; mappers flushed; T flushed; then
 *    F's reference drops, and F can be anybody's.  A store of a backend's
 *    goes to F before its flush, F being T's still, else to scratch.
 *  - Balloon in: the new frame was zeroed before p2m_set(), entries follow,
 *    mappers are flushed (window_settle) before the hypercall returns to T,
 *    so what T puts there afterwards is what a backend sees.  Until then it
 *    sees scratch or the frame: both T's.
 *  - Out and in again at once, by two of T's vcpus: each under T's p2m lock.
 *  - A map made beside any of these: rule 3.  An entry is put in the place
 *    of none, which no TLB has kept.
 *  - Revoke (log-dirty): status first, so that a backend whose copy went to
 *    scratch finds the generation changed afterwards; then entries, flush.
 *    From its return on no write passes T's p2m by.  Follow skips maps that
 *    are not live.  Restore makes them live one by one, by rule 3, and tells
 *    status last.
 *  - T dies: entries -> scratch in bounded steps, flushed (window_kill);
 *    its frames then go without any look at mappers.  A map that came in
 *    beside it follows until the p2m is empty.
 *  - T's domid is used again: another struct window, another scratch.
 *  - Two mappers, or one that maps twice: each has entries; all follow
 *    before the first frame goes.
 *  - The mapper puts a grant, RAM, another frame or nothing there: rule 4.
 *  - The hypervisor copies through the mapper's entry, or to the same frame
 *    by GNTTABOP_copy: p2m_get_frame() holds F and looks again; F stays,
 *    with nobody's data but T's, until that copy has ended.
 *  - Scratch is one a target, zeroed first, so what one guest's backend
 *    lost there is never seen through another guest's window.
 *
 * Lock order: the target's or the mapper's p2m lock (never both), then the
 * window lock, then the allocators'.
 */
#include "core/window.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/frame.h"
#include "core/kmem.h"
#include "core/lock.h"
#include "core/p2m.h"
#include "core/page_alloc.h"
#include "core/perfc.h"
#include "core/radix.h"
#include "core/xsm.h"
#include "lib/atomic.h"
#include "lib/bug.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/spinlock.h"
#include "public/window.h"

#define FRAMES GANTRY_WINDOW_FRAMES
#define MAPPERS 8u                  /* domains with windows on one */
#define MAPS_PER_CALL 8u            /* revoked or restored at once */
/* Chunks beyond those that a domain's memory fills: RAM with holes. */
#define SPARE_CHUNKS 64u
#define LIST_SIZE (FRAMES * sizeof(xen_pfn_t))

struct window_mapper {
    struct domain *d;               /* [w] borrowed: rule 5 */
    uint64_t maps;                  /* [w] 0: the record is free */
    bool is_stale;                  /* [w] changed since it was flushed */
};

/* Tags: [w] the window lock  [p] the mapper's p2m lock */
struct window_map {
    struct list_node link;          /* [w] in live or idle once attached */
    struct window_map *next;        /* [w] of the same chunk */
    struct window *window;          /* [I] */
    struct window_mapper *mapper;   /* [I] a record of window's */
    struct radix *views;            /* [p] the mapper's */
    uint64_t chunk;                 /* [I] gfn / FRAMES */
    uint64_t **slot;                /* [w] FRAMES places; NULL: none */
    unsigned int count;             /* [w] those that are not NULL */
    unsigned int hint;              /* [w] the next to be forgotten, maybe */
    bool is_live;                   /* [w] attached, and follows */
};

struct window {
    spinlock_t lock;                /* LOCK_RANK_WINDOW */
    uint32_t refs;                  /* [a] the target's, and each map's */
    struct domain *d;               /* [I] borrowed, from who calls for it */
    struct frame *scratch;          /* [I] */
    struct frame *status_frame;     /* [I] */
    struct gantry_window_status *status; /* [I]; words by [w], [a] */
    struct radix chunks;            /* [w] */
    struct list_node live;          /* [w] maps that follow */
    struct list_node idle;          /* [w] maps that show scratch */
    struct window_mapper mapper[MAPPERS]; /* [w] */
    bool is_watched;                /* [a] all updates of the p2m tell us */
    bool is_revoked;                /* [w] new maps show scratch */
    bool is_dead;                   /* [w] for ever */
};

/* ---- life ---- */

static void put(struct window *w)
{
    if (__atomic_fetch_sub(&w->refs, 1, __ATOMIC_ACQ_REL) == 1) {
        frame_disown(w->scratch);
        frame_disown(w->status_frame);
        kmem_free(w);
    }
}

static struct window *create(struct domain *d)
{
    struct window *w = kmem_alloc(sizeof(*w));

    if (w == NULL) {
        return NULL;
    }
    w->scratch = page_alloc_shared(NULL);
    w->status_frame = page_alloc_shared(NULL);
    if (w->scratch == NULL || w->status_frame == NULL) {
        if (w->scratch != NULL) {
            frame_disown(w->scratch);
        }
        kmem_free(w);
        return NULL;
    }
    spin_lock_init(&w->lock, LOCK_RANK_WINDOW);
    w->refs = 1;
    w->d = d;
    radix_init(&w->chunks);
    list_init(&w->live);
    list_init(&w->idle);
    w->status = arch_frame_map(frame_mfn(w->status_frame));
    w->status->version = GANTRY_WINDOW_VERSION;
    return w;
}

/* The windows on 'd', made if there are none; NULL without memory. */
static struct window *get(struct domain *d)
{
    struct window *w = __atomic_load_n(&d->window, __ATOMIC_ACQUIRE);
    struct window *made;

    if (w == NULL) {
        made = create(d);
        if (made == NULL) {
            return NULL;
        }
        if (__atomic_compare_exchange_n(&d->window, &w, made, false,
                                        __ATOMIC_ACQ_REL,
                                        __ATOMIC_ACQUIRE)) {
            w = made;
        } else {
            put(made);
        }
    }
    if (!__atomic_load_n(&w->is_watched, __ATOMIC_ACQUIRE)) {
        p2m_watch(d);
        __atomic_store_n(&w->is_watched, true, __ATOMIC_RELEASE);
    }
    return w;
}

int window_destroy(struct domain *d)
{
    struct window *w = d->window;
    int rc = 0;

    if (d->views != NULL) {
        rc = radix_destroy(d->views);
        if (rc != 0) {
            return rc;
        }
        kmem_free(d->views);
        d->views = NULL;
    }
    if (w != NULL) {
        spin_lock(&w->lock);
        rc = radix_destroy(&w->chunks);
        spin_unlock(&w->lock);
        if (rc == 0) {
            d->window = NULL;
            put(w);
        }
    }
    return rc;
}

/* ---- entries: the window lock is held ---- */

static mfn_t ram_at(const struct window *w, uint64_t g)
{
    enum p2m_type type;
    mfn_t m = p2m_lookup(w->d, gfn(g), &type);

    return type == P2M_RAM_RW ? m : frame_mfn(w->scratch);
}

static void repoint(struct window_map *m, uint64_t *slot, mfn_t to)
{
    uint64_t entry = arch_p2m_leaf(to, 1, P2M_WINDOW);
    uint64_t old = __atomic_load_n(slot, __ATOMIC_ACQUIRE);

    if (old == entry) {
        return;
    }
    m->mapper->is_stale = true;
    /* Who takes it out meanwhile has written the slot: rule 4. */
    if (arch_p2m_type(old) == P2M_WINDOW &&
        __atomic_compare_exchange_n(slot, &old, entry, false,
                                    __ATOMIC_SEQ_CST, __ATOMIC_RELAXED)) {
        perfc_count(PERFC_WINDOW_REPOINT);
    }
}

static void flush_stale(struct window *w)
{
    for (unsigned int i = 0; i < MAPPERS; i++) {
        struct window_mapper *mapper = &w->mapper[i];

        if (mapper->maps > 0 && mapper->is_stale) {
            mapper->is_stale = false;
            p2m_flush(mapper->d);
        }
    }
}

static void follow_chunk(struct window *w, struct window_map *m,
                         uint64_t from, uint64_t end)
{
    for (uint64_t g = from; g < end; g++) {
        uint64_t *slot = m->slot[g % FRAMES];

        if (slot != NULL) {
            repoint(m, slot, ram_at(w, g));
        }
    }
}

void window_begin(struct window *w)
{
    spin_lock(&w->lock);
}

void window_follow(struct window *w, uint64_t g, uint64_t count)
{
    uint64_t end = g + count;

    while (g < end) {
        uint64_t next = min((g / FRAMES + 1) * FRAMES, end);
        struct window_map *m = radix_get(&w->chunks, g / FRAMES);

        for (; m != NULL; m = m->next) {
            if (m->is_live) {
                follow_chunk(w, m, g, next);
            }
        }
        g = next;
    }
}

void window_end(struct window *w, bool flush)
{
    if (flush) {
        flush_stale(w);
    }
    spin_unlock(&w->lock);
}

void window_settle(struct domain *d)
{
    struct window *w = __atomic_load_n(&d->window, __ATOMIC_ACQUIRE);

    if (w != NULL) {
        window_begin(w);
        window_end(w, true);
    }
}

static uint64_t limit_for(uint64_t max_gfn)
{
    return ALIGN_UP(max_gfn + 1, (uint64_t)FRAMES);
}

void window_note_limit(struct window *w, uint64_t max)
{
    uint64_t limit = limit_for(max);

    if (w->status->gfn_count < limit) {
        __atomic_store_n(&w->status->gfn_count, limit, __ATOMIC_RELEASE);
    }
}

/* ---- revoking ---- */

static void tell(struct window *w, bool is_revoked)
{
    __atomic_store_n(&w->status->revoked, is_revoked, __ATOMIC_SEQ_CST);
    __atomic_add_fetch(&w->status->generation, 1, __ATOMIC_SEQ_CST);
}

/* The maps of 'from' become live or not: 0 when none is left there. */
static int move_maps(struct window *w, struct list_node *from, bool live)
{
    for (unsigned int n = 0; n < MAPS_PER_CALL && !list_is_empty(from); n++) {
        struct window_map *m = list_first(from, struct window_map, link);

        list_del(&m->link);
        list_add_tail(&m->link, live ? &w->live : &w->idle);
        m->is_live = live;
        for (unsigned int i = 0; i < FRAMES; i++) {
            if (m->slot[i] != NULL) {
                repoint(m, m->slot[i],
                        live ? ram_at(w, m->chunk * FRAMES + i) :
                               frame_mfn(w->scratch));
            }
        }
    }
    flush_stale(w);
    return list_is_empty(from) ? 0 : -ERESTART;
}

static int revoke(struct window *w, bool for_ever)
{
    int rc;

    spin_lock(&w->lock);
    w->is_dead |= for_ever;
    if (!w->is_revoked) {
        w->is_revoked = true;
        tell(w, true);
    }
    rc = move_maps(w, &w->live, false);
    spin_unlock(&w->lock);
    return rc;
}

int window_revoke(struct domain *d)
{
    struct window *w = get(d);

    return w == NULL ? -ENOMEM : revoke(w, false);
}

int window_kill(struct domain *d)
{
    struct window *w = __atomic_load_n(&d->window, __ATOMIC_ACQUIRE);

    return w == NULL ? 0 : revoke(w, true);
}

int window_restore(struct domain *d)
{
    struct window *w = __atomic_load_n(&d->window, __ATOMIC_ACQUIRE);
    int rc = 0;

    if (w == NULL) {
        return 0;
    }
    spin_lock(&w->lock);
    if (w->is_dead) {
        rc = -EINVAL;
    } else if (w->is_revoked) {
        rc = move_maps(w, &w->idle, true);
        if (rc == 0) {
            w->is_revoked = false;
            tell(w, false);
        }
    }
    spin_unlock(&w->lock);
    return rc;
}

/* ---- making a map ---- */

static void free_map(struct window_map *m)
{
    if (m != NULL) {
        kmem_free(m->slot);
        kmem_free(m);
    }
}

static struct window_map *new_map(struct domain *cur, struct window *w,
                                  uint64_t chunk)
{
    struct window_map *m = kmem_alloc(sizeof(*m));

    if (m == NULL) {
        return NULL;
    }
    list_init(&m->link);
    m->window = w;
    m->views = cur->views;
    m->chunk = chunk;
    m->slot = kmem_alloc_array(FRAMES, sizeof(m->slot[0]));
    if (m->slot == NULL) {
        free_map(m);
        return NULL;
    }
    return m;
}

/* The record of 'd', or a free one for it, or NULL. */
static struct window_mapper *mapper_of(struct window *w, struct domain *d)
{
    struct window_mapper *found = NULL;

    for (unsigned int i = 0; i < MAPPERS; i++) {
        struct window_mapper *mapper = &w->mapper[i];

        if (mapper->maps > 0 && mapper->d == d) {
            return mapper;
        }
        if (mapper->maps == 0 && found == NULL) {
            found = mapper;
        }
    }
    if (found != NULL) {
        found->d = d;
        found->is_stale = false;
    }
    return found;
}

/* How many maps one mapper may have of the target. */
static uint64_t map_quota(const struct window *w)
{
    uint64_t chunks = READ_ONCE(w->d->max_pages) / FRAMES + SPARE_CHUNKS;

    return chunks * GANTRY_WINDOW_MAPS_MAX;
}

/* 'm' becomes one of its chunk's, without entries yet: 0, -E. */
static int link_map(struct domain *cur, struct window_map *m)
{
    struct window *w = m->window;
    struct window_map *other;
    unsigned int count = 0;
    void **chunk;

    if (w->is_dead) {
        return -EINVAL;
    }
    chunk = radix_slot(&w->chunks, m->chunk);
    m->mapper = mapper_of(w, cur);
    if (chunk == NULL || m->mapper == NULL
        || m->mapper->maps >= map_quota(w)) {
        return -ENOMEM;
    }
    for (other = *chunk; other != NULL; other = other->next) {
        count++;
    }
    if (count >= GANTRY_WINDOW_MAPS_MAX) {
        return -EBUSY;
    }
    m->next = *chunk;
    *chunk = m;
    m->mapper->maps++;
    __atomic_fetch_add(&w->refs, 1, __ATOMIC_RELAXED);
    return 0;
}

/* Takes 'm' out of its chunk, if the target still knows chunks. */
static void unlink_map(struct window_map *m)
{
    struct window *w = m->window;
    struct window_map **at;

    if (w->chunks.root != NULL) {
        at = (struct window_map **)(void *)radix_slot(&w->chunks, m->chunk);
        while (*at != m) {
            at = &(*at)->next;
        }
        *at = m->next;
    }
    list_del(&m->link);
    m->mapper->maps--;
}

static void drop_map(struct window_map *m)
{
    struct window *w = m->window;

    free_map(m);
    put(w);
}

/* ---- the mapper's entries: its p2m lock is held ---- */

int window_reserve(struct window_map *m, unsigned int i, uint64_t g,
                   uint64_t *slot)
{
    void **view = radix_slot(m->views, g);

    if (view == NULL) {
        return -ENOMEM;
    }
    if (*view != NULL) {
        return -EBUSY;
    }
    *view = m;
    m->slot[i] = slot;              /* not live: nobody else looks */
    return 0;
}

void window_unreserve(struct window_map *m, const uint64_t *g)
{
    for (unsigned int i = 0; i < FRAMES; i++) {
        if (radix_get(m->views, g[i]) == m) {
            *radix_slot(m->views, g[i]) = NULL;
        }
    }
}

void window_attach(struct window_map *m)
{
    struct window *w = m->window;

    spin_lock(&w->lock);
    m->is_live = !w->is_revoked;
    for (unsigned int i = 0; i < FRAMES; i++) {
        mfn_t to = m->is_live ? ram_at(w, m->chunk * FRAMES + i) :
                                frame_mfn(w->scratch);

        __atomic_store_n(m->slot[i], arch_p2m_leaf(to, 1, P2M_WINDOW),
                         __ATOMIC_RELEASE);
    }
    m->count = FRAMES;
    list_add_tail(&m->link, m->is_live ? &w->live : &w->idle);
    spin_unlock(&w->lock);
}

/* Which of m's entries is at 'slot'?  A mapper mostly goes in order. */
static unsigned int index_of(const struct window_map *m, const uint64_t *slot)
{
    unsigned int i = m->hint, looks = 0;

    while (m->slot[i] != slot) {
        BUG_ON(++looks == FRAMES);
        i = (i + 1) % FRAMES;
    }
    return i;
}

void window_forget(struct domain *d, uint64_t g, const uint64_t *slot)
{
    void **view = radix_slot(d->views, g);
    struct window_map *m = *view;
    struct window *w = m->window;
    unsigned int i;
    bool is_last;

    *view = NULL;
    spin_lock(&w->lock);
    i = index_of(m, slot);
    m->slot[i] = NULL;
    m->hint = (i + 1) % FRAMES;
    is_last = --m->count == 0;
    if (is_last) {
        unlink_map(m);
    }
    spin_unlock(&w->lock);
    if (is_last) {
        perfc_count(PERFC_WINDOW_UNMAP);
        drop_map(m);
    }
}

/* ---- XENMEM_acquire_resource ---- */

/* The index of what 'cur' sees by windows, made once: 0, -ENOMEM. */
static int make_views(struct domain *cur)
{
    struct radix *none = NULL, *made;

    if (__atomic_load_n(&cur->views, __ATOMIC_ACQUIRE) != NULL) {
        return 0;
    }
    made = kmem_alloc(sizeof(*made));
    if (made == NULL) {
        return -ENOMEM;
    }
    radix_init(made);
    if (!__atomic_compare_exchange_n(&cur->views, &none, made, false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        kmem_free(made);
    }
    return 0;
}

static int enter(struct domain *cur, struct window *w, uint64_t chunk,
                 const uint64_t *list)
{
    struct window_map *m = new_map(cur, w, chunk);
    int rc;

    if (m == NULL) {
        return -ENOMEM;
    }
    spin_lock(&w->lock);
    rc = link_map(cur, m);
    spin_unlock(&w->lock);
    if (rc != 0) {
        free_map(m);
        return rc;
    }
    rc = p2m_enter_window(cur, list, m);
    if (rc != 0) {
        spin_lock(&w->lock);
        unlink_map(m);
        spin_unlock(&w->lock);
        drop_map(m);
        return rc;
    }
    perfc_count(PERFC_WINDOW_MAP);
    return 0;
}

static int map_chunk(struct domain *cur, struct domain *d, struct window *w,
                     const struct xen_mem_acquire_resource *op)
{
    uint64_t *list;
    int rc;

    if (op->nr_frames != FRAMES || op->frame % FRAMES != 0
        || op->frame >= limit_for(p2m_max_gfn(d))) {
        return -EINVAL;
    }
    list = kmem_alloc(LIST_SIZE);
    if (list == NULL || make_views(cur) != 0) {
        kmem_free(list);
        return -ENOMEM;
    }
    rc = guest_read(list, guest_ptr_of(op->frame_list.p), LIST_SIZE);
    for (unsigned int i = 0; rc == 0 && i < FRAMES; i++) {
        rc = list[i] < P2M_GFN_LIMIT ? 0 : -EINVAL;
    }
    if (rc == 0) {
        rc = enter(cur, w, op->frame / FRAMES, list);
    }
    kmem_free(list);
    return rc;
}

static int map_status(struct domain *cur, struct window *w,
                      const struct xen_mem_acquire_resource *op)
{
    struct frame *f = w->status_frame;
    xen_pfn_t g;
    int rc;

    if (op->nr_frames != 1 || op->frame != 0) {
        return -EINVAL;
    }
    rc = guest_read(&g, guest_ptr_of(op->frame_list.p), sizeof(g));
    if (rc != 0 || !frame_get_any(f)) {
        return -EFAULT;
    }
    rc = p2m_set(cur, gfn(g), frame_mfn(f), 0, P2M_FOREIGN_RO);
    if (rc != 0) {
        frame_put(f);
    }
    return rc;
}

static int size_of(struct domain *d, struct xen_mem_acquire_resource *op)
{
    uint64_t limit = limit_for(p2m_max_gfn(d));

    if (op->nr_frames != 0) {
        return -EINVAL;
    }
    op->nr_frames = op->id == GANTRY_WINDOW_STATUS ? 1 :
                    (uint32_t)min(limit, (uint64_t)UINT32_MAX / FRAMES
                                         * FRAMES);
    return 0;
}

int window_acquire(struct domain *cur, struct domain *d,
                   struct xen_mem_acquire_resource *op)
{
    int rc = xsm_memory_window(cur, d);
    struct window *w;

    if (rc != 0) {
        return rc;
    }
    if (op->id > GANTRY_WINDOW_STATUS) {
        return -EINVAL;
    }
    if (guest_ptr_is_null(guest_ptr_of(op->frame_list.p))) {
        return size_of(d, op);
    }
    if (domain_is_dying(d)) {
        return -EINVAL;
    }
    w = get(d);
    if (w == NULL) {
        return -ENOMEM;
    }
    return op->id == GANTRY_WINDOW_STATUS ? map_status(cur, w, op) :
                                            map_chunk(cur, d, w, op);
}
