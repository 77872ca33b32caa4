/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The frame allocator.  Users: kmem.c, p2m.c, physmap_op.c, grant tables,
 * the machine; frame.c hands in frames without references.
 *
 *  1. A free block of 2^order frames is aligned to its size; its first frame
 *     has FRAME_FREE, its order and a link in the node's list of that order.
 *     Two free buddies never stand side by side: they are one block.
 *  2. account.free is the number of frames in lists and caches, or about to
 *     be put there: it rises after a frame is in, falls before one is
 *     taken.  Who lowered it by n has a right to n frames; an order above 0
 *     may still fail to fragmentation and then raises it again.
 *  3. account.claimed is the sum of all d->outstanding_pages and never
 *     above account.free.  An allocation for d pays with d's claim first.
 *  4. Frames are zeroed when they are handed out unless known to be zero
 *     (no FRAME_DIRTY), so nobody ever sees another's data.  Dom0's first
 *     memory is not: there were no others yet.
 *  5. d->tot_pages counts frames whose owner is d, without FRAME_CORE and
 *     FRAME_RESERVED.  While it is above 0 it holds one reference on d.
 *
 * Locks, all of one rank: account alone; a cache's, in it a node's.
 */
#include "core/page_alloc.h"

#include "core/arch.h"
#include "core/budget.h"
#include "core/domain.h"
#include "core/lock.h"
#include "lib/atomic.h"
#include "lib/bug.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/spinlock.h"
#include "lib/string.h"

#define MAX_ORDER PAGE_ORDER_1G
#define MAX_NODES 64u
#define CACHE_SIZE 32u              /* frames a CPU keeps at most */
#define CACHE_BATCH 16u             /* frames moved at once */
#define FRAME_KEPT 128u             /* never in a record */

struct node {
    spinlock_t lock;
    struct list_node list[MAX_ORDER + 1];
    uint64_t count[MAX_ORDER + 1];  /* blocks in each list */
};

struct cache {
    spinlock_t lock;                /* its CPU; draining */
    unsigned int count;
    struct frame *frame[CACHE_SIZE];
} __attribute__((aligned(64)));

static struct frame *table;         /* [I] */
static uint64_t table_limit;        /* [I] */
static struct node nodes[MAX_NODES];
static unsigned int node_count;     /* [I] after boot */
static struct cache *caches;        /* [I] NULL: not yet */
static unsigned int cache_count;    /* [I] */

static struct {
    spinlock_t lock;
    uint64_t free, claimed, total;
} account = { .lock = SPINLOCK_INIT(LOCK_RANK_PAGE_ALLOC) };

void (*page_alloc_watch)(mfn_t m, unsigned int order, bool is_free);

struct frame *frame_of(mfn_t m)
{
    if (m.v >= table_limit
        || !(READ_ONCE(table[m.v].flags) & FRAME_MANAGED)) {
        return NULL;
    }
    return &table[m.v];
}

mfn_t frame_mfn(const struct frame *f)
{
    return mfn((uint64_t)(f - table));
}

static void flags_set(struct frame *f, uint8_t flags)
{
    __atomic_fetch_or(&f->flags, flags, __ATOMIC_RELAXED);
}

static void flags_clear(struct frame *f, uint8_t flags)
{
    __atomic_fetch_and(&f->flags, (uint8_t)~flags, __ATOMIC_RELAXED);
}

size_t page_alloc_table_size(uint64_t limit)
{
    return limit * sizeof(struct frame);
}

void page_alloc_init(void *at, uint64_t limit)
{
    table = at;
    table_limit = limit;
    node_count = 0;
    caches = NULL;
    account.free = 0;
    account.claimed = 0;
    account.total = 0;
    for (unsigned int i = 0; i < MAX_NODES; i++) {
        spin_lock_init(&nodes[i].lock, LOCK_RANK_PAGE_ALLOC);
        for (unsigned int o = 0; o <= MAX_ORDER; o++) {
            list_init(&nodes[i].list[o]);
            nodes[i].count[o] = 0;
        }
    }
}

void page_alloc_init_caches(unsigned int cpus)
{
    unsigned int order = 0;
    struct cache *made;

    while ((PAGE_SIZE << order) < cpus * sizeof(struct cache)) {
        order++;
    }
    made = page_alloc_core(order);
    if (made == NULL) {
        return;                     /* slower, but right */
    }
    for (unsigned int i = 0; i < cpus; i++) {
        spin_lock_init(&made[i].lock, LOCK_RANK_PAGE_ALLOC);
    }
    cache_count = cpus;
    caches = made;
}

/* ---- the buddy lists: node->lock is held ---- */

static void list_put(struct node *n, struct frame *f, unsigned int order)
{
    f->order = (uint8_t)order;
    flags_set(f, FRAME_FREE);
    list_add(&f->link, &n->list[order]);
    n->count[order]++;
}

static void list_take(struct node *n, struct frame *f)
{
    list_del(&f->link);
    flags_clear(f, FRAME_FREE);
    n->count[f->order]--;
}

/* The free block of just 'order' that is the other half, or NULL. */
static struct frame *find_buddy(struct frame *f, unsigned int order)
{
    struct frame *b = frame_of(mfn(frame_mfn(f).v ^ (1UL << order)));

    if (b == NULL || !(b->flags & FRAME_FREE) || b->order != order
        || b->node != f->node) {
        return NULL;
    }
    return b;
}

static void buddy_put(struct node *n, struct frame *f, unsigned int order)
{
    struct frame *b;

    while (order < MAX_ORDER && (b = find_buddy(f, order)) != NULL) {
        list_take(n, b);
        f = min(f, b);
        order++;
    }
    list_put(n, f, order);
}

/* Halves 'f', a block of 'have', down to 'order'; the upper halves stay. */
static void split(struct node *n, struct frame *f, unsigned int have,
                  unsigned int order)
{
    while (have > order) {
        have--;
        list_put(n, f + (1UL << have), have);
    }
    f->order = (uint8_t)order;
}

static struct frame *buddy_get(struct node *n, unsigned int order)
{
    for (unsigned int have = order; have <= MAX_ORDER; have++) {
        if (!list_is_empty(&n->list[have])) {
            struct frame *f = list_first(&n->list[have], struct frame, link);

            list_take(n, f);
            split(n, f, have, order);
            return f;
        }
    }
    return NULL;
}

/* A cache's lock may be held: order cache, node. */
static struct frame *nodes_get(unsigned int order)
{
    for (unsigned int i = 0; i < node_count; i++) {
        struct frame *f;

        spin_lock_nested(&nodes[i].lock);
        f = buddy_get(&nodes[i], order);
        spin_unlock(&nodes[i].lock);
        if (f != NULL) {
            return f;
        }
    }
    return NULL;
}

static void nodes_put(struct frame *f, unsigned int order)
{
    struct node *n = &nodes[f->node];

    spin_lock_nested(&n->lock);
    buddy_put(n, f, order);
    spin_unlock(&n->lock);
}

/* ---- the caches: order 0 only ---- */

static void cache_shrink(struct cache *c, unsigned int count)
{
    while (count-- > 0) {
        nodes_put(c->frame[--c->count], 0);
    }
}

static struct frame *cache_get(void)
{
    struct cache *c = &caches[arch_cpu_id()];
    struct frame *f = NULL;

    spin_lock(&c->lock);
    if (c->count == 0) {
        while (c->count < CACHE_BATCH && (f = nodes_get(0)) != NULL) {
            c->frame[c->count++] = f;
        }
    }
    f = c->count > 0 ? c->frame[--c->count] : NULL;
    spin_unlock(&c->lock);
    return f;
}

static void cache_put(struct frame *f)
{
    struct cache *c = &caches[arch_cpu_id()];

    spin_lock(&c->lock);
    if (c->count == CACHE_SIZE) {
        cache_shrink(c, CACHE_BATCH);
    }
    c->frame[c->count++] = f;
    spin_unlock(&c->lock);
}

/* Gives all caches back to the lists: memory is short or in pieces. */
static void caches_drain(void)
{
    for (unsigned int i = 0; caches != NULL && i < cache_count; i++) {
        spin_lock(&caches[i].lock);
        cache_shrink(&caches[i], caches[i].count);
        spin_unlock(&caches[i].lock);
    }
}

/* ---- accounting ---- */

/* The right to 'count' frames; 'd' may be NULL.  '*paid': from its claim. */
static bool account_take(struct domain *d, uint64_t count, uint64_t *paid)
{
    uint64_t own, others;
    bool ok;

    spin_lock(&account.lock);
    own = d != NULL ? d->outstanding_pages : 0;
    others = account.claimed - own;
    ok = account.free >= others && account.free - others >= count;
    *paid = 0;
    if (ok) {
        account.free -= count;
        *paid = min(own, count);
        account.claimed -= *paid;
        if (d != NULL) {
            d->outstanding_pages -= *paid;
        }
    }
    spin_unlock(&account.lock);
    return ok;
}

/* A dying domain's claim, which its kill ends once, does not come back. */
static void account_give(struct domain *d, uint64_t count, uint64_t paid)
{
    spin_lock(&account.lock);
    account.free += count;
    if (paid != 0 && !domain_is_dying(d)) {
        account.claimed += paid;
        d->outstanding_pages += paid;
    }
    spin_unlock(&account.lock);
}

/* Frames of 'd' that may be there but are not yet: a limit, then a count. */
static bool pages_charge(struct domain *d, uint64_t count)
{
    uint64_t have = __atomic_load_n(&d->tot_pages, __ATOMIC_RELAXED);

    do {
        uint64_t limit = READ_ONCE(d->max_pages);

        if (have > limit || limit - have < count) {
            return false;
        }
    } while (!__atomic_compare_exchange_n(&d->tot_pages, &have, have + count,
                                          true, __ATOMIC_RELAXED,
                                          __ATOMIC_RELAXED));
    if (have == 0) {
        domain_get(d);
    }
    return true;
}

static void pages_uncharge(struct domain *d, uint64_t count)
{
    if (__atomic_sub_fetch(&d->tot_pages, count, __ATOMIC_ACQ_REL) == 0) {
        domain_put(d);
    }
}

/* ---- allocation ---- */

/*
 * The caller has the right to 2^order frames.  So a single one is always
 * there, at worst on its way between another CPU's cache and the lists.
 */
static struct frame *find_frames(unsigned int order)
{
    struct frame *f = order == 0 && caches != NULL ? cache_get()
                                                   : nodes_get(order);

    while (f == NULL) {
        caches_drain();
        f = nodes_get(order);
        if (order > 0) {
            break;
        }
    }
    if (f != NULL) {
        f->order = (uint8_t)order;
    }
    return f;
}

static struct frame *take_frames(unsigned int order)
{
    struct frame *f = find_frames(order);

    if (f != NULL && page_alloc_watch != NULL) {
        page_alloc_watch(frame_mfn(f), order, false);
    }
    return f;
}

static void put_frames(struct frame *f, unsigned int order)
{
    if (page_alloc_watch != NULL) {
        page_alloc_watch(frame_mfn(f), order, true);
    }
    if (order == 0 && caches != NULL) {
        cache_put(f);
    } else {
        nodes_put(f, order);
    }
    account_give(NULL, 1UL << order, 0);
}

/*
 * Sets up the records; refs last: see frame.c, invariant 1.  With FRAME_KEPT
 * what is in the frames stays there.
 */
static void own_frames(struct frame *f, uint64_t count, struct domain *owner,
                       uint8_t flags)
{
    for (uint64_t i = 0; i < count; i++, f++) {
        if ((f->flags & FRAME_DIRTY) && !(flags & FRAME_KEPT)) {
            memset(arch_frame_map(frame_mfn(f)), 0, PAGE_SIZE);
        }
        f->owner = owner;
        f->gfn = INVALID_FRAME;
        list_init(&f->link);
        __atomic_store_n(&f->flags, FRAME_MANAGED | FRAME_DIRTY
                         | FRAME_ALLOCATED | (flags & FRAME_CORE),
                         __ATOMIC_RELAXED);
        __atomic_store_n(&f->refs, 1, __ATOMIC_RELEASE);
    }
}

/*
 * Zeroes what is to be zeroed in a block that nobody has, until the budget
 * is spent: true if all is.
 */
static bool clean_block(struct frame *f, uint64_t count)
{
    struct budget b = budget_start();

    for (uint64_t i = 0; i < count; i++) {
        if (!(f[i].flags & FRAME_DIRTY)) {
            continue;
        }
        memset(arch_frame_map(frame_mfn(&f[i])), 0, PAGE_SIZE);
        flags_clear(&f[i], FRAME_DIRTY);
        if (i + 1 < count && budget_is_spent(&b)) {
            return false;
        }
    }
    return true;
}

static struct frame *alloc_frames(struct domain *payer, struct domain *owner,
                                  unsigned int order, uint8_t flags)
{
    uint64_t paid;
    struct frame *f;

    if (order > MAX_ORDER || !account_take(payer, 1UL << order, &paid)) {
        return NULL;
    }
    f = take_frames(order);
    if (f == NULL) {
        account_give(payer, 1UL << order, paid);
        return NULL;
    }
    own_frames(f, 1UL << order, owner, flags);
    return f;
}

void *page_alloc_core(unsigned int order)
{
    struct frame *f = alloc_frames(NULL, NULL, order, FRAME_CORE);

    return f != NULL ? arch_frame_map(frame_mfn(f)) : NULL;
}

/*
 * Drops the allocation's reference: false if it is not the last one.  Who
 * looks a frame up by a p2m entry that was just removed may hold it for a
 * moment, whatever it is by now.
 */
static bool end_core(struct frame *f)
{
    uint8_t flags = __atomic_fetch_and(&f->flags, (uint8_t)~FRAME_ALLOCATED,
                                       __ATOMIC_ACQ_REL);
    uint32_t last = 1;

    BUG_ON(!(flags & FRAME_CORE) || !(flags & FRAME_ALLOCATED)
           || f->owner != NULL);
    if (!__atomic_compare_exchange_n(&f->refs, &last, 0, false,
                                     __ATOMIC_ACQ_REL, __ATOMIC_RELAXED)) {
        frame_put(f);
        return false;
    }
    flags_clear(f, FRAME_CORE);
    return true;
}

void page_free_core(void *p, unsigned int order)
{
    uint64_t count = 1UL << order, ended = 0, i;
    struct frame *f;

    if (p == NULL) {
        return;
    }
    f = frame_of(arch_virt_to_mfn(p));
    BUG_ON(f == NULL || f->order != order);
    while (ended < count && end_core(&f[ended])) {
        ended++;
    }
    if (ended == count) {
        put_frames(f, order);
        return;
    }
    /* Each by itself: that one goes with its last reference. */
    for (i = 0; i < ended; i++) {
        put_frames(&f[i], 0);
    }
    for (i = ended + 1; i < count; i++) {
        if (end_core(&f[i])) {
            put_frames(&f[i], 0);
        }
    }
}

struct frame *page_alloc_shared(struct domain *d)
{
    return alloc_frames(NULL, d, 0, FRAME_CORE);
}

struct frame *page_alloc_domain(struct domain *d, unsigned int order)
{
    struct frame *f;

    if (order > MAX_ORDER || !pages_charge(d, 1UL << order)) {
        return NULL;
    }
    f = alloc_frames(d, d, order, 0);
    if (f == NULL) {
        pages_uncharge(d, 1UL << order);
    }
    return f;
}

static int take_clean(struct domain *d, unsigned int order,
                      struct frame **out)
{
    uint64_t count = 1UL << order;
    uint64_t paid;
    int rc = 0;

    if (!account_take(d, count, &paid)) {
        return -ENOMEM;
    }
    *out = find_frames(order);
    if (*out == NULL) {
        rc = -ENOMEM;
    } else if (!clean_block(*out, count)) {
        nodes_put(*out, order);
        rc = -ERESTART;
    } else {
        if (page_alloc_watch != NULL) {
            page_alloc_watch(frame_mfn(*out), order, false);
        }
        own_frames(*out, count, d, 0);
    }
    if (rc != 0) {
        account_give(d, count, paid);
    }
    return rc;
}

int page_alloc_extent(struct domain *d, unsigned int order,
                      struct frame **out)
{
    int rc;

    if (order == 0) {
        *out = page_alloc_domain(d, 0);
        return *out == NULL ? -ENOMEM : 0;
    }
    if (order > MAX_ORDER || !pages_charge(d, 1UL << order)) {
        return -ENOMEM;
    }
    rc = take_clean(d, order, out);
    if (rc != 0) {
        pages_uncharge(d, 1UL << order);
    }
    return rc;
}

void page_alloc_give_back_block(struct frame *f, unsigned int order)
{
    struct domain *d = f->owner;

    for (uint64_t i = 0; i < 1UL << order; i++) {
        f[i].owner = NULL;
    }
    put_frames(f, order);
    pages_uncharge(d, 1UL << order);
}

void page_alloc_give_back(struct frame *f)
{
    struct domain *d = f->owner;

    BUG_ON(f->flags & FRAME_ALLOCATED);
    if (f->flags & FRAME_CORE) {
        flags_clear(f, FRAME_CORE);
        f->owner = NULL;
        put_frames(f, 0);
        return;
    }
    if (d->is_direct_mapped) {
        /* Release: page_alloc_reserved() takes it from here. */
        __atomic_fetch_or(&f->flags, FRAME_RESERVED, __ATOMIC_RELEASE);
    } else {
        f->owner = NULL;
        put_frames(f, 0);
    }
    pages_uncharge(d, 1);
}

bool page_alloc_reserved(struct domain *d, mfn_t m)
{
    struct frame *f = frame_of(m);

    if (f == NULL || f->owner != d || !d->is_direct_mapped
        || !pages_charge(d, 1)) {
        return false;
    }
    if (!(__atomic_fetch_and(&f->flags, (uint8_t)~FRAME_RESERVED,
                             __ATOMIC_ACQUIRE) & FRAME_RESERVED)) {
        pages_uncharge(d, 1);
        return false;
    }
    own_frames(f, 1, d, 0);
    return true;
}

/* ---- boot ---- */

/* The largest block at 'm' that is aligned and within 'count' frames. */
static unsigned int fitting_order(uint64_t m, uint64_t count)
{
    unsigned int order = 0;

    while (order < MAX_ORDER && (m & ((2UL << order) - 1)) == 0
           && (2UL << order) <= count) {
        order++;
    }
    return order;
}

static void manage(mfn_t start, uint64_t count, unsigned int node)
{
    BUG_ON(start.v >= table_limit || table_limit - start.v < count);
    BUG_ON(node >= MAX_NODES);
    node_count = max(node_count, node + 1);
    for (uint64_t i = 0; i < count; i++) {
        struct frame *f = &table[start.v + i];

        BUG_ON(f->flags != 0);
        f->flags = FRAME_MANAGED | FRAME_DIRTY;
        f->node = (uint16_t)node;
        f->gfn = INVALID_FRAME;
    }
    spin_lock(&account.lock);
    account.total += count;
    spin_unlock(&account.lock);
}

void page_alloc_add(mfn_t start, uint64_t count, unsigned int node)
{
    manage(start, count, node);
    while (count > 0) {
        unsigned int order = fitting_order(start.v, count);

        nodes_put(&table[start.v], order);
        account_give(NULL, 1UL << order, 0);
        if (page_alloc_watch != NULL) {
            page_alloc_watch(start, order, true);
        }
        start = mfn_add(start, 1UL << order);
        count -= 1UL << order;
    }
}

/* The free block that has 'f' in it, or NULL.  The node's lock is held. */
static struct frame *find_block(struct frame *f)
{
    for (unsigned int order = 0; order <= MAX_ORDER; order++) {
        struct frame *head = frame_of(mfn(frame_mfn(f).v
                                          & ~((1UL << order) - 1)));

        if (head != NULL && (head->flags & FRAME_FREE)
            && head->order >= order) {
            return head;
        }
    }
    return NULL;
}

/* Takes the one free frame 'f' out of its block. */
static bool take_one(struct node *n, struct frame *f)
{
    struct frame *head = find_block(f);

    if (head == NULL) {
        return false;
    }
    list_take(n, head);
    for (unsigned int order = head->order; order > 0;) {
        struct frame *upper = head + (1UL << --order);

        if (f >= upper) {
            list_put(n, head, order);
            head = upper;
        } else {
            list_put(n, upper, order);
        }
    }
    f->order = 0;
    return true;
}

/*
 * Takes what is free at mfn 'm', at most 'count' frames: how many were taken
 * (and accounted), 0 if 'm' is in use.
 */
static uint64_t take_at(uint64_t m, uint64_t count)
{
    struct frame *f = &table[m];
    struct node *n = &nodes[f->node];
    uint64_t got = 0;

    if (!(f->flags & FRAME_MANAGED)) {
        manage(mfn(m), 1, 0);
        return 1;
    }
    spin_lock(&n->lock);
    if ((f->flags & FRAME_FREE) && 1UL << f->order <= count) {
        got = 1UL << f->order;
        list_take(n, f);
    } else if (take_one(n, f)) {
        got = 1;
    }
    spin_unlock(&n->lock);
    spin_lock(&account.lock);
    account.free -= got;
    spin_unlock(&account.lock);
    for (uint64_t i = 0; page_alloc_watch != NULL && i < got; i++) {
        page_alloc_watch(mfn(m + i), 0, false);
    }
    return got;
}

bool page_alloc_at(struct domain *d, mfn_t start, uint64_t count)
{
    uint64_t done = 0;

    if (start.v >= table_limit || table_limit - start.v < count
        || !pages_charge(d, count)) {
        return false;
    }
    caches_drain();
    while (done < count) {
        uint64_t got = take_at(start.v + done, count - done);

        if (got == 0) {
            while (done-- > 0) {
                put_frames(&table[start.v + done], 0);
            }
            pages_uncharge(d, count);
            return false;
        }
        done += got;
    }
    own_frames(&table[start.v], count, d, FRAME_KEPT);
    return true;
}

/* ---- claims and figures ---- */

int page_alloc_claim(struct domain *d, uint64_t pages)
{
    uint64_t have = __atomic_load_n(&d->tot_pages, __ATOMIC_RELAXED);
    int rc = 0;

    spin_lock(&account.lock);
    if (pages == 0) {
        account.claimed -= d->outstanding_pages;
        d->outstanding_pages = 0;
    } else if (domain_is_dying(d) || d->outstanding_pages != 0
               || pages <= have || pages > READ_ONCE(d->max_pages)) {
        rc = -EINVAL;
    } else if (account.free - account.claimed < pages - have) {
        rc = -ENOMEM;
    } else {
        d->outstanding_pages = pages - have;
        account.claimed += pages - have;
    }
    spin_unlock(&account.lock);
    return rc;
}

uint64_t page_alloc_total(void)
{
    return READ_ONCE(account.total);
}

uint64_t page_alloc_free(void)
{
    return READ_ONCE(account.free);
}

uint64_t page_alloc_claimed(void)
{
    return READ_ONCE(account.claimed);
}
