/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gfn -> mfn of one domain.  Tables come from page_alloc.c; the entry format
 * is the machine's (core/arch.h); callers are physmap_op.c, grant maps, the
 * dom0 builder, the nested fault handler, and window.c, whose entries in a
 * mapper's p2m follow this domain's.
 *
 *  1. Tables are freed only with the domain, so lookups take no lock.  A
 *     table never gives way to a leaf: a superpage set where a table stands
 *     is written into the table as small entries.  So a table that was found
 *     once is right for ever (near[]), as is the place of an entry.
 *  2. Each present leaf of a counted type holds one reference on its frame
 *     (ram: the allocation reference; foreign, grant: a frame_get()).
 *  3. An entry that is removed or narrowed is flushed (arch_p2m_flush)
 *     before the reference is dropped.
 *  4. frame->gfn of owned RAM and of core's shared frames is where this
 *     domain maps them.
 *  5. A dying domain gets no new entries, so p2m_relinquish() ends.
 *  6. Tables are bounded by the domain's memory limit: scattered mappings
 *     cannot eat the host's memory.
 *  7. d->window is set for good while nobody has p2m->lock (p2m_watch), so
 *     one look at it under the lock says whether windows are to be told.
 *  8. A P2M_WINDOW entry is at level 1.  window.c changes its frame without
 *     our lock; its type and its end are ours.
 *
 * Lock order: p2m->lock, then the window lock, then page_alloc's.
 */
#include "core/p2m.h"

#include "core/arch.h"
#include "core/budget.h"
#include "core/domain.h"
#include "core/kmem.h"
#include "core/lock.h"
#include "core/page_alloc.h"
#include "core/perfc.h"
#include "core/window.h"
#include "lib/atomic.h"
#include "lib/bug.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/spinlock.h"
#include "lib/string.h"

#define ENTRIES 512u
#define LEVELS 4u
#define BATCH 64u                   /* removed leaves per flush */
#define BLOCK_ORDER 6u              /* of a large leaf given up at once */
#define RELINQUISH_BATCH 16u        /* entries per look at the clock */
#define RELINQUISH_STEPS 1024u      /* entries looked at per call, at most */
#define DESTROY_TABLES 64u          /* tables freed per call */
#define TABLES_BASE 1024u           /* tables any domain may have */
#define TABLES_SHARE 64u            /* and one more per this many pages */
/*
 * The control domain sees others' memory: for each table full of it its
 * kernel keeps page records of 8 pages' size, so this is no limit to it.
 */
#define TABLES_SHARE_CONTROL 8u
#define GET_TRIES 16u
#define PEEK_MAX 128u               /* bytes read before the look again */
/*
 * Tables that lookups start from, by gfn: of level 2, so one for each GiB. A
 * word has the table's frame, the gfn's high bits, and a 1.
 */
#define NEAR_LEVEL 2u
#define NEAR_COUNT 64u
#define NEAR_MFN_SHIFT 20
#define NEAR_KEY_MASK ((1ul << NEAR_MFN_SHIFT) - 1)

_Static_assert(P2M_GFN_LIMIT >> 18 >> 6 << 1 <= NEAR_KEY_MASK, "keys fit");

struct p2m {
    spinlock_t lock;
    uint64_t *root;                 /* [I] */
    uint64_t generation;            /* [a] of flushes; never wraps */
    uint64_t max_gfn;               /* [a] written under lock */
    uint64_t tables;                /* lock: count */
    struct list_node table_list;    /* lock: frames of the tables */
    uint64_t cursor;                /* lock: p2m_relinquish() came so far */
    uint64_t near[NEAR_COUNT];      /* [a] 0: none */
};

/* Leaves taken out, whose references wait for the flush. */
struct batch {
    struct domain *d;
    unsigned int count;
    struct {
        uint64_t entry, g;
        uint64_t *slot;
        unsigned int level;
    } old[BATCH];
};

static unsigned int span_shift(unsigned int level)
{
    return 9 * (level - 1);
}

static uint64_t span(unsigned int level)
{
    return 1UL << span_shift(level);
}

static unsigned int index_of(uint64_t g, unsigned int level)
{
    return (unsigned int)(g >> span_shift(level)) % ENTRIES;
}

static bool is_leaf(uint64_t e, unsigned int level)
{
    return level == 1 || arch_p2m_is_leaf(e, level);
}

static uint64_t *table_of(uint64_t e)
{
    return arch_frame_map(arch_p2m_mfn(e));
}

static bool is_ram(unsigned int type)
{
    return type == P2M_RAM_RW || type == P2M_RAM_RO;
}

static bool is_writable(unsigned int type)
{
    return type == P2M_RAM_RW || type == P2M_SHARED || type == P2M_FOREIGN
           || type == P2M_GRANT_RW || type == P2M_WINDOW;
}

static bool is_counted(unsigned int type)
{
    return type >= P2M_FOREIGN && type <= P2M_GRANT_RO;
}

/* ---- flushing and references ---- */

/* A leaf of many frames: is it RAM whose frames are all records? */
static bool drop_block(struct domain *d, uint64_t g, mfn_t m,
                       unsigned int type)
{
    struct frame *f = frame_of(m);

    if (!is_ram(type) || f == NULL
        || frame_of(mfn_add(m, (1UL << BLOCK_ORDER) - 1)) == NULL) {
        return false;
    }
    for (uint64_t i = 0; i < 1UL << BLOCK_ORDER; i++) {
        if (f[i].gfn == g + i) {
            f[i].gfn = INVALID_FRAME;
        }
    }
    frame_release_block(f, BLOCK_ORDER, d);
    return true;
}

static void drop_reference(uint64_t g, mfn_t m, unsigned int type)
{
    struct frame *f = frame_of(m);

    if (f == NULL || type == P2M_MMIO) {
        return;
    }
    if (is_counted(type)) {
        frame_put(f);
        return;
    }
    if (f->gfn == g) {
        f->gfn = INVALID_FRAME;
    }
    if (is_ram(type)) {
        frame_release(f);
    }
}

void p2m_flush(struct domain *d)
{
    __atomic_add_fetch(&d->p2m->generation, 1, __ATOMIC_SEQ_CST);
    arch_p2m_flush(d);
}

/* No window shows any more what the batch took out. */
static void batch_follow(const struct batch *b)
{
    struct window *w = READ_ONCE(b->d->window);

    window_begin(w);
    for (unsigned int i = 0; i < b->count; i++) {
        unsigned int type = arch_p2m_type(b->old[i].entry);

        if (is_ram(type) || type == P2M_MMIO) {     /* or narrowed RAM */
            window_follow(w, b->old[i].g, span(b->old[i].level));
        }
    }
    window_end(w, true);
}

static void batch_end(struct batch *b)
{
    if (b->count == 0) {
        return;
    }
    if (READ_ONCE(b->d->window) != NULL) {
        batch_follow(b);
    }
    p2m_flush(b->d);
    for (unsigned int i = 0; i < b->count; i++) {
        unsigned int type = arch_p2m_type(b->old[i].entry);
        mfn_t m = arch_p2m_mfn(b->old[i].entry);

        if (type == P2M_WINDOW) {
            window_forget(b->d, b->old[i].g, b->old[i].slot);
            continue;
        }
        for (uint64_t j = 0; j < span(b->old[i].level); ) {
            if (b->old[i].level > 1
                && drop_block(b->d, b->old[i].g + j, mfn_add(m, j), type)) {
                j += 1UL << BLOCK_ORDER;
                continue;
            }
            drop_reference(b->old[i].g + j, mfn_add(m, j), type);
            j++;
        }
    }
    b->count = 0;
}

/* 'entry' stood in '*slot' for 'g'. */
static void batch_add(struct batch *b, uint64_t entry, uint64_t *slot,
                      uint64_t g, unsigned int level)
{
    if (b->count == BATCH) {
        batch_end(b);
    }
    b->old[b->count].entry = entry;
    b->old[b->count].slot = slot;
    b->old[b->count].g = g;
    b->old[b->count++].level = level;
}

/* ---- tables: p->lock is held ---- */

static uint64_t *table_make(struct domain *d)
{
    uint64_t share = d->is_privileged ? TABLES_SHARE_CONTROL : TABLES_SHARE;
    struct p2m *p = d->p2m;
    uint64_t *t;

    if (p->tables >= TABLES_BASE + READ_ONCE(d->max_pages) / share) {
        return NULL;
    }
    t = page_alloc_core(0);
    if (t != NULL) {
        list_add(&frame_of(arch_virt_to_mfn(t))->link, &p->table_list);
        p->tables++;
        perfc_count(PERFC_TABLE_FRAME);
    }
    return t;
}

static void entry_write(uint64_t *slot, uint64_t e)
{
    __atomic_store_n(slot, e, __ATOMIC_RELEASE);
}

/* The leaf in '*slot' becomes a table that says the same. */
static uint64_t *split(struct domain *d, uint64_t *slot, unsigned int level)
{
    uint64_t e = *slot;
    uint64_t *t = table_make(d);

    if (t == NULL) {
        return NULL;
    }
    for (unsigned int i = 0; i < ENTRIES; i++) {
        mfn_t m = mfn_add(arch_p2m_mfn(e), i * span(level - 1));

        t[i] = arch_p2m_leaf(m, level - 1, arch_p2m_type(e));
    }
    entry_write(slot, arch_p2m_table(arch_virt_to_mfn(t)));
    return t;
}

/* The table of 'level' that holds g's entry, made if it is not there. */
static uint64_t *descend(struct domain *d, uint64_t g, unsigned int level)
{
    uint64_t *t = d->p2m->root;

    for (unsigned int l = LEVELS; l > level; l--) {
        uint64_t *slot = &t[index_of(g, l)];

        if (!arch_p2m_is_present(*slot)) {
            t = table_make(d);
            if (t == NULL) {
                return NULL;
            }
            entry_write(slot, arch_p2m_table(arch_virt_to_mfn(t)));
        } else if (is_leaf(*slot, l)) {
            t = split(d, slot, l);
            if (t == NULL) {
                return NULL;
            }
        } else {
            t = table_of(*slot);
        }
    }
    return t;
}

/* ---- life cycle ---- */

int p2m_create(struct domain *d)
{
    struct p2m *p = kmem_alloc(sizeof(*p));

    if (p == NULL) {
        return -ENOMEM;
    }
    spin_lock_init(&p->lock, LOCK_RANK_P2M);
    list_init(&p->table_list);
    d->p2m = p;
    p->root = table_make(d);
    if (p->root == NULL) {
        d->p2m = NULL;
        kmem_free(p);
        return -ENOMEM;
    }
    return 0;
}

int p2m_destroy(struct domain *d)
{
    struct p2m *p = d->p2m;

    if (p == NULL) {
        return 0;
    }
    for (unsigned int i = 0; i < DESTROY_TABLES; i++) {
        struct frame *f;

        if (list_is_empty(&p->table_list)) {
            d->p2m = NULL;
            kmem_free(p);
            return 0;
        }
        f = list_first(&p->table_list, struct frame, link);
        list_del(&f->link);
        page_free_core(arch_frame_map(frame_mfn(f)), 0);
        perfc_count(PERFC_TABLE_FRAME_BACK);
    }
    return -ERESTART;
}

mfn_t p2m_root(const struct domain *d)
{
    return arch_virt_to_mfn(d->p2m->root);
}

uint64_t p2m_flush_generation(const struct domain *d)
{
    return __atomic_load_n(&d->p2m->generation, __ATOMIC_SEQ_CST);
}

uint64_t p2m_max_gfn(const struct domain *d)
{
    return READ_ONCE(d->p2m->max_gfn);
}

/* ---- lookups: no lock ---- */

/* A leaf as it was read. */
struct leaf {
    const uint64_t *slot;
    uint64_t entry;                 /* 0: there is none */
    unsigned int level;
};

static uint64_t near_key(uint64_t g)
{
    return (g / span(NEAR_LEVEL + 1) / NEAR_COUNT) << 1 | 1;
}

/* The table of NEAR_LEVEL for 'g' if it was walked to lately, or NULL. */
static const uint64_t *near_get(const struct p2m *p, uint64_t g)
{
    uint64_t word = __atomic_load_n(&p->near[g / span(NEAR_LEVEL + 1)
                                             % NEAR_COUNT], __ATOMIC_ACQUIRE);

    return (word & NEAR_KEY_MASK) != near_key(g) ? NULL :
           arch_frame_map(mfn(word >> NEAR_MFN_SHIFT));
}

static void near_put(struct p2m *p, uint64_t g, mfn_t table)
{
    if (table.v >> (64 - NEAR_MFN_SHIFT) == 0) {
        __atomic_store_n(&p->near[g / span(NEAR_LEVEL + 1) % NEAR_COUNT],
                         table.v << NEAR_MFN_SHIFT | near_key(g),
                         __ATOMIC_RELEASE);
    }
}

/* The leaf at 'g', which is below P2M_GFN_LIMIT. */
static struct leaf walk(struct p2m *p, uint64_t g)
{
    const uint64_t *t = near_get(p, g);
    unsigned int l = t != NULL ? NEAR_LEVEL : LEVELS;

    t = t != NULL ? t : p->root;
    for (;; l--) {
        const uint64_t *slot = &t[index_of(g, l)];
        uint64_t e = __atomic_load_n(slot, __ATOMIC_ACQUIRE);

        if (!arch_p2m_is_present(e)) {
            return (struct leaf){ slot, 0, l };
        }
        if (is_leaf(e, l)) {
            return (struct leaf){ slot, e, l };
        }
        t = table_of(e);
        if (l == NEAR_LEVEL + 1) {
            near_put(p, g, arch_p2m_mfn(e));
        }
    }
}

static mfn_t leaf_mfn(const struct leaf *leaf, uint64_t g)
{
    return mfn_add(arch_p2m_mfn(leaf->entry), g & (span(leaf->level) - 1));
}

mfn_t p2m_lookup(struct domain *d, gfn_t g, enum p2m_type *type)
{
    struct leaf leaf = { .entry = 0 };

    if (g.v < P2M_GFN_LIMIT) {
        leaf = walk(d->p2m, g.v);
    }
    if (leaf.entry == 0) {
        *type = P2M_INVALID;
        return mfn_invalid();
    }
    *type = arch_p2m_type(leaf.entry);
    return leaf_mfn(&leaf, g.v);
}

/*
 * The entry may change between the look and the reference, and the frame
 * then be somebody else's: so look again while holding it.  Where the entry
 * was it still is, or something else stands there: invariant 1.
 */
struct frame *p2m_get_frame(struct domain *d, gfn_t g, enum p2m_type *type)
{
    *type = P2M_INVALID;
    if (g.v >= P2M_GFN_LIMIT) {
        return NULL;
    }
    for (unsigned int i = 0; i < GET_TRIES; i++) {
        struct leaf leaf = walk(d->p2m, g.v);
        struct frame *f;

        if (leaf.entry == 0) {
            *type = P2M_INVALID;
            return NULL;
        }
        *type = arch_p2m_type(leaf.entry);
        f = frame_of(leaf_mfn(&leaf, g.v));
        if (f == NULL || *type == P2M_MMIO) {
            return NULL;
        }
        if (!frame_get_any(f)) {
            continue;
        }
        if (__atomic_load_n(leaf.slot, __ATOMIC_SEQ_CST) == leaf.entry) {
            return f;
        }
        frame_put(f);
    }
    return NULL;
}

struct frame *p2m_get_ram(struct domain *d, gfn_t g, bool write)
{
    enum p2m_type type;
    struct frame *f = p2m_get_frame(d, g, &type);

    if (f == NULL) {
        return NULL;
    }
    if (!is_ram(type) || (write && type != P2M_RAM_RW)
        || __atomic_load_n(&f->owner, __ATOMIC_RELAXED) != d) {
        frame_put(f);
        return NULL;
    }
    return f;
}

/* ---- setting ---- */

/* One entry of table 't' at 'level', or all below it where a table is. */
static void set_entry(struct batch *b, uint64_t *slot, unsigned int level,
                      uint64_t g, mfn_t m, unsigned int type)
{
    uint64_t old = *slot;

    if (arch_p2m_is_present(old) && !is_leaf(old, level)) {
        uint64_t *t = table_of(old);
        uint64_t step = span(level - 1);

        for (unsigned int i = 0; i < ENTRIES; i++) {
            set_entry(b, &t[i], level - 1, g + i * step,
                      mfn_add(m, i * step), type);
        }
        return;
    }
    entry_write(slot, arch_p2m_leaf(m, level, type));
    if (!arch_p2m_is_present(old)) {
        return;
    }
    if (is_ram(type) && is_ram(arch_p2m_type(old))
        && mfn_eq(arch_p2m_mfn(old), m)) {
        /* The reference stays with the entry; only the rights changed. */
        old = arch_p2m_leaf(m, level, P2M_MMIO);
    }
    batch_add(b, old, slot, g, level);
}

static void note_gfns(struct p2m *p, gfn_t g, mfn_t m, uint64_t count,
                      enum p2m_type type)
{
    WRITE_ONCE(p->max_gfn, max(p->max_gfn, g.v + count - 1));
    if (!is_ram(type) && type != P2M_SHARED) {
        return;
    }
    for (uint64_t i = 0; i < count; i++) {
        struct frame *f = frame_of(mfn_add(m, i));

        if (f != NULL) {
            f->gfn = g.v + i;
        }
    }
}

static unsigned int level_for(unsigned int order)
{
    unsigned int most = arch_p2m_max_leaf();

    return order >= 18 && most >= 3 ? 3 : order >= 9 && most >= 2 ? 2 : 1;
}

/* Windows show what stands there now; mappers are not flushed for it. */
static void tell_windows(struct domain *d, gfn_t g, uint64_t count)
{
    struct window *w = READ_ONCE(d->window);

    if (w != NULL) {
        window_note_limit(w, d->p2m->max_gfn);
        window_begin(w);
        window_follow(w, g.v, count);
        window_end(w, false);
    }
}

static int set(struct domain *d, gfn_t g, mfn_t m, unsigned int order,
               enum p2m_type type)
{
    unsigned int level = level_for(order);
    uint64_t low = (1UL << order) - 1;
    struct batch b = { .d = d };
    uint64_t *t;

    if (order > 9 * level || type <= P2M_INVALID || type >= P2M_TYPE_COUNT
        || g.v >= P2M_GFN_LIMIT || ((g.v | m.v) & low) != 0) {
        return -EINVAL;
    }
    spin_lock(&d->p2m->lock);
    if (domain_is_dying(d)) {
        spin_unlock(&d->p2m->lock);
        return -EINVAL;
    }
    t = descend(d, g.v, level);
    if (t != NULL) {
        uint64_t *slot = &t[index_of(g.v, level)];

        for (uint64_t i = 0; i <= low; i += span(level)) {
            set_entry(&b, slot++, level, g.v + i, mfn_add(m, i), type);
        }
        batch_end(&b);
        note_gfns(d->p2m, g, m, low + 1, type);
        tell_windows(d, g, low + 1);
    }
    spin_unlock(&d->p2m->lock);
    return t != NULL ? 0 : -ENOMEM;
}

int p2m_set(struct domain *d, gfn_t g, mfn_t m, unsigned int order,
            enum p2m_type type)
{
    int rc = set(d, g, m, order, type);

    window_settle(d);
    return rc;
}

int p2m_populate(struct domain *d, gfn_t g, mfn_t m, unsigned int order)
{
    return set(d, g, m, order, P2M_RAM_RW);
}

/* ---- removing: p->lock is held ---- */

/*
 * Removes the leaf that covers 'g' if it lies in [g, end); else splits it
 * until it does.  '*next' is where to go on.  0 or -ENOMEM.
 */
static int remove_at(struct batch *b, uint64_t g, uint64_t end,
                     uint64_t *next)
{
    uint64_t *t = b->d->p2m->root;

    for (unsigned int l = LEVELS; l > 0; l--) {
        uint64_t *slot = &t[index_of(g, l)];
        uint64_t e = *slot;

        *next = (g & ~(span(l) - 1)) + span(l);
        if (!arch_p2m_is_present(e)) {
            return 0;
        }
        if (!is_leaf(e, l)) {
            t = table_of(e);
        } else if ((g & (span(l) - 1)) == 0 && *next <= end) {
            entry_write(slot, 0);
            batch_add(b, e, slot, g, l);
            return 0;
        } else {
            t = split(b->d, slot, l);
            if (t == NULL) {
                return -ENOMEM;
            }
        }
    }
    return 0;
}

int p2m_remove(struct domain *d, gfn_t g, unsigned int order)
{
    struct batch b = { .d = d };
    uint64_t end = g.v + (1UL << order);
    uint64_t at = g.v;
    int rc = 0;

    if (g.v >= P2M_GFN_LIMIT || order > PAGE_ORDER_1G) {
        return -EINVAL;
    }
    spin_lock(&d->p2m->lock);
    while (rc == 0 && at < end && at < P2M_GFN_LIMIT) {
        rc = remove_at(&b, at, end, &at);
    }
    batch_end(&b);
    spin_unlock(&d->p2m->lock);
    return rc;
}

/* Removes what is at 'g' if 'm' is there, with a type the caller accepts. */
static int remove_matching(struct domain *d, gfn_t g, mfn_t m,
                           bool (*accepts)(unsigned int type))
{
    struct batch b = { .d = d };
    enum p2m_type type;
    uint64_t next;
    int rc = -ENOENT;

    spin_lock(&d->p2m->lock);
    if (mfn_eq(p2m_lookup(d, g, &type), m) && accepts(type)) {
        rc = remove_at(&b, g.v, g.v + 1, &next);
    }
    batch_end(&b);
    spin_unlock(&d->p2m->lock);
    return rc;
}

/* What is owned, writable RAM in the extent at 'g': 0, -EINVAL, -ENOMEM. */
static int remove_extent(struct batch *b, uint64_t g, uint64_t count)
{
    uint64_t end = g + count;
    enum p2m_type type;
    int rc = 0;

    while (rc == 0 && g < end) {
        (void)p2m_lookup(b->d, gfn(g), &type);
        rc = type == P2M_RAM_RW ? remove_at(b, g, end, &g) : -EINVAL;
    }
    return rc;
}

unsigned int p2m_remove_ram(struct domain *d, const uint64_t *g,
                            unsigned int count, unsigned int order)
{
    struct batch b = { .d = d };
    unsigned int done = 0;

    spin_lock(&d->p2m->lock);
    while (done < count && remove_extent(&b, g[done], 1UL << order) == 0) {
        done++;
    }
    batch_end(&b);
    spin_unlock(&d->p2m->lock);
    return done;
}

int p2m_remove_window(struct domain *d, gfn_t g)
{
    struct batch b = { .d = d };
    enum p2m_type type;
    uint64_t next;
    int rc = -ENOENT;

    spin_lock(&d->p2m->lock);
    (void)p2m_lookup(d, g, &type);
    if (type == P2M_WINDOW) {
        rc = remove_at(&b, g.v, g.v + 1, &next);
    }
    batch_end(&b);
    spin_unlock(&d->p2m->lock);
    return rc;
}

static bool is_grant(unsigned int type)
{
    return type == P2M_GRANT_RW || type == P2M_GRANT_RO;
}

static bool is_present(unsigned int type)
{
    return type != P2M_INVALID;
}

int p2m_remove_if(struct domain *d, gfn_t g, mfn_t m)
{
    return remove_matching(d, g, m, is_present);
}

int p2m_remove_grant(struct domain *d, gfn_t g, mfn_t m)
{
    return remove_matching(d, g, m, is_grant);
}

void p2m_remove_grants(struct domain *d, struct p2m_grant_entry *list,
                       unsigned int count)
{
    struct batch b = { .d = d };
    enum p2m_type type;
    uint64_t next;

    spin_lock(&d->p2m->lock);
    for (unsigned int i = 0; i < count; i++) {
        list[i].error = -ENOENT;
        if (mfn_eq(p2m_lookup(d, list[i].g, &type), list[i].m)
            && is_grant(type)) {
            list[i].error = remove_at(&b, list[i].g.v, list[i].g.v + 1,
                                      &next);
        }
    }
    batch_end(&b);
    spin_unlock(&d->p2m->lock);
}

/*
 * A large leaf with frames that others use, too: each goes by itself, which
 * takes long for all, so that they shall be small leaves first.
 */
static bool is_busy_leaf(const struct leaf *leaf)
{
    const struct frame *f = frame_of(arch_p2m_mfn(leaf->entry));
    bool busy = false;

    if (leaf->level == 1 || leaf->entry == 0 || f == NULL) {
        return false;
    }
    for (uint64_t i = 0; i < span(leaf->level) && !busy; i++) {
        busy = READ_ONCE(f[i].refs) > 1;
    }
    return busy;
}

/* Takes out the leaf at the cursor, or goes over what is not there. */
static void relinquish_one(struct batch *b, struct p2m *p)
{
    uint64_t from = p->cursor;
    struct leaf leaf = walk(p, from);

    if (is_busy_leaf(&leaf)
        && remove_at(b, from, from + 1, &p->cursor) == 0) {
        return;
    }
    (void)remove_at(b, from, P2M_GFN_LIMIT, &p->cursor);
}

int p2m_relinquish(struct domain *d)
{
    struct batch b = { .d = d };
    struct budget budget = budget_start();
    struct p2m *p = d->p2m;
    unsigned int steps;
    bool is_done;

    spin_lock(&p->lock);
    for (steps = 0; p->cursor < P2M_GFN_LIMIT && steps < RELINQUISH_STEPS;
         steps++) {
        uint64_t from = p->cursor;

        relinquish_one(&b, p);
        /* A large leaf's end is a piece of work; so are a few small ones. */
        if (b.count >= RELINQUISH_BATCH
            || (b.count > 0 && p->cursor - from > 1)) {
            batch_end(&b);
            if (budget_is_spent(&budget)) {
                break;
            }
        } else if (steps % RELINQUISH_BATCH == 0
                   && budget_is_spent(&budget)) {
            break;
        }
    }
    batch_end(&b);
    is_done = p->cursor >= P2M_GFN_LIMIT;
    spin_unlock(&p->lock);
    return is_done ? 0 : -ERESTART;
}

/* ---- windows on others: p->lock is held ---- */

/* The level 1 entry at 'g', its table made if need be; NULL: no memory. */
static uint64_t *slot_at(struct domain *d, uint64_t g)
{
    uint64_t *t = descend(d, g, 1);

    return t == NULL ? NULL : &t[index_of(g, 1)];
}

/* All of m's places are there and may be used: 0, -EBUSY, -ENOMEM. */
static int reserve_window(struct domain *d, const uint64_t *g,
                          struct window_map *m)
{
    int rc = 0;

    for (unsigned int i = 0; rc == 0 && i < ENTRIES; i++) {
        uint64_t *slot = slot_at(d, g[i]);

        rc = slot == NULL ? -ENOMEM : window_reserve(m, i, g[i], slot);
    }
    return rc;
}

/* What stood in the places goes, by the rules of a removal. */
static void clear_window(struct domain *d, const uint64_t *g)
{
    struct batch b = { .d = d };

    for (unsigned int i = 0; i < ENTRIES; i++) {
        uint64_t *slot = slot_at(d, g[i]);
        uint64_t old = *slot;

        if (arch_p2m_is_present(old)) {
            entry_write(slot, 0);
            batch_add(&b, old, slot, g[i], 1);
        }
        WRITE_ONCE(d->p2m->max_gfn, max(d->p2m->max_gfn, g[i]));
    }
    batch_end(&b);
}

int p2m_enter_window(struct domain *d, const uint64_t *g,
                     struct window_map *m)
{
    int rc;

    spin_lock(&d->p2m->lock);
    rc = domain_is_dying(d) ? -EINVAL : reserve_window(d, g, m);
    if (rc == 0) {
        clear_window(d, g);
        window_attach(m);
    } else {
        window_unreserve(m, g);
    }
    spin_unlock(&d->p2m->lock);
    return rc;
}

void p2m_watch(struct domain *d)
{
    spin_lock(&d->p2m->lock);
    window_note_limit(READ_ONCE(d->window), d->p2m->max_gfn);
    spin_unlock(&d->p2m->lock);
}

/* ---- access to guest-physical memory ---- */

/* Where 'gpa' is, without a reference; NULL: nothing to read there. */
static const void *look(struct domain *d, uint64_t gpa)
{
    uint64_t g = gpa >> PAGE_SHIFT;
    struct leaf leaf;
    mfn_t m;

    if (g >= P2M_GFN_LIMIT) {
        return NULL;
    }
    leaf = walk(d->p2m, g);
    if (leaf.entry == 0 || arch_p2m_type(leaf.entry) == P2M_MMIO) {
        return NULL;
    }
    m = leaf_mfn(&leaf, g);
    return frame_of(m) == NULL ? NULL :
           (const char *)arch_frame_map(m) + (gpa & (PAGE_SIZE - 1));
}

/*
 * What was read where look() said is the domain's if no flush began since
 * before that look: a frame goes only after the flush that follows its
 * entry's end (invariant 3).
 */
static bool is_still(struct domain *d, uint64_t generation)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return p2m_flush_generation(d) == generation;
}

/* Reads within one page without a reference; false: unknown. */
static bool peek(struct domain *d, uint64_t gpa, void *dst, size_t size)
{
    uint64_t generation = p2m_flush_generation(d);
    const void *at = look(d, gpa);

    if (at == NULL) {
        return false;
    }
    memcpy(dst, at, size);
    return is_still(d, generation);
}

static int copy(struct domain *d, uint64_t gpa, void *buf, size_t size,
                bool write)
{
    char *p = buf;

    while (size > 0) {
        size_t off = gpa & (PAGE_SIZE - 1);
        size_t part = min(size, PAGE_SIZE - off);
        enum p2m_type type;
        struct frame *f = p2m_get_frame(d, gfn(gpa >> PAGE_SHIFT), &type);
        char *at;

        if (f == NULL) {
            return -EFAULT;
        }
        if (write && !is_writable(type)) {
            frame_put(f);
            return -EFAULT;
        }
        at = (char *)arch_frame_map(frame_mfn(f)) + off;
        memcpy(write ? at : p, write ? p : at, part);
        frame_put(f);
        p += part;
        gpa += part;
        size -= part;
    }
    return 0;
}

int p2m_read(struct domain *d, void *dst, uint64_t gpa, size_t size)
{
    if (size <= PEEK_MAX && (gpa & (PAGE_SIZE - 1)) + size <= PAGE_SIZE
        && peek(d, gpa, dst, size)) {
        return 0;
    }
    return copy(d, gpa, dst, size, false);
}

int p2m_read_word(struct domain *d, uint64_t *word, uint64_t gpa)
{
    uint64_t generation = p2m_flush_generation(d);
    const uint64_t *at = look(d, gpa);

    if (at != NULL) {
        *word = READ_ONCE(*at);
        if (is_still(d, generation)) {
            return 0;
        }
    }
    return copy(d, gpa, word, sizeof(*word), false);
}

int p2m_write(struct domain *d, uint64_t gpa, const void *src, size_t size)
{
    return copy(d, gpa, (void *)(uintptr_t)src, size, true);
}
