/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The pages that a frontend had mapped, found by reference, and the access
 * that copies to and from them.  Talks to access.h and to the mapper that it
 * is given.
 *
 *   ref -> directory[ref / 64] -> leaf -> words[ref % 64]: page | read only
 *
 * Two loads find a page, whatever references the guest chose: there is
 * nothing to collide.  A leaf lives while one of its entries does.
 *
 *   absent --add: map, then store the word--> present
 *   present --del: clear the word, quiesce, unmap--> absent
 *
 * Invariants:
 *  1. A packet thread loads a word once and uses what it loaded within the
 *     same burst; so after clear and quiesce nobody uses the page.
 *  2. A page is mapped before its word is stored, and a leaf is filled with
 *     zeros before the directory has it.
 *  3. Tables hold at most GREF_TABLE_SIZE entries each, and the process at
 *     most GREF_TOTAL_MAX; a frontend that is refused still has its grants,
 *     which the access below serves.
 *  4. What is mapped read only is never written to: the access below answers
 *     for such a reference, as for one that is not mapped.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "gref.h"
#include "prefetch.h"

#define LEAF_SIZE 64u
#define DIRECTORY_SIZE (GREF_REFS_MAX / LEAF_SIZE)
#define READONLY UINT64_C(1)            /* in a word; pages are aligned */
#define MISSES_MAX 1024u                /* as many as a burst has copies */
#define STATUS_MISS INT16_MAX           /* no GNTST_* */

struct leaf {
    uint64_t words[LEAF_SIZE];          /* [a] 0: absent */
    uint32_t count;                     /* [c] */
};

struct gref_table {
    struct gref_config config;          /* [I] */
    uint32_t count;                     /* [a] written by [c] */
    struct leaf *directory[DIRECTORY_SIZE]; /* [a] */
};

struct wrapped {
    struct access access;               /* first: an access is a wrapped */
    struct access_ops ops;
    struct access *below;
    const struct gref_table *table;     /* borrowed */
    uint64_t *hits;                     /* borrowed, written by its thread */
    struct access_copy misses[MISSES_MAX];
};

/* What is taken out of a table and still mapped. */
struct removed {
    void *pages[GREF_TABLE_SIZE];
    struct leaf *leaves[GREF_TABLE_SIZE];
    uint32_t page_count;
    uint32_t leaf_count;
};

static uint32_t total;                  /* [c] mappings of all tables */

struct gref_table *gref_create(const struct gref_config *config)
{
    struct gref_table *table = calloc(1, sizeof(*table));

    if (table != NULL) {
        table->config = *config;
    }
    return table;
}

uint32_t gref_count(const struct gref_table *table)
{
    return __atomic_load_n(&table->count, __ATOMIC_RELAXED);
}

static void set_count(struct gref_table *table, uint32_t count)
{
    total += count - table->count;
    __atomic_store_n(&table->count, count, __ATOMIC_RELAXED);
}

/* A word, or 0; any thread.  The masks hold for wrong guesses too. */
static uint64_t find(const struct gref_table *table, grant_ref_t ref)
{
    const struct leaf *leaf;

    if (ref >= GREF_REFS_MAX) {
        return 0;
    }
    leaf = __atomic_load_n(&table->directory[ref / LEAF_SIZE %
                                             DIRECTORY_SIZE],
                           __ATOMIC_ACQUIRE);
    return leaf == NULL ? 0 : __atomic_load_n(&leaf->words[ref % LEAF_SIZE],
                                              __ATOMIC_ACQUIRE);
}

/* The leaf of a reference, made if need be. */
static struct leaf *need_leaf(struct gref_table *table, grant_ref_t ref)
{
    struct leaf **place = &table->directory[ref / LEAF_SIZE];
    struct leaf *leaf = *place;

    if (leaf == NULL) {
        leaf = calloc(1, sizeof(*leaf));
        if (leaf != NULL) {
            __atomic_store_n(place, leaf, __ATOMIC_RELEASE);
        }
    }
    return leaf;
}

static void drop_empty_leaf(struct gref_table *table, grant_ref_t ref,
                            struct removed *removed)
{
    struct leaf **place = &table->directory[ref / LEAF_SIZE];

    if (*place != NULL && (*place)->count == 0) {
        removed->leaves[removed->leaf_count++] = *place;
        __atomic_store_n(place, NULL, __ATOMIC_RELAXED);
    }
}

static int add_one(struct gref_table *table, const struct xen_netif_gref *gref)
{
    bool readonly = (gref->flags & XEN_NETIF_CTRLF_GREF_readonly) != 0;
    struct leaf *leaf;
    void *page;

    if ((gref->flags & ~XEN_NETIF_CTRLF_GREF_readonly) != 0 ||
        gref->ref >= GREF_REFS_MAX || find(table, gref->ref) != 0) {
        return -EINVAL;
    }
    leaf = need_leaf(table, gref->ref);
    if (leaf == NULL) {
        return -ENOMEM;
    }
    page = table->config.map(table->config.self, gref->ref, readonly);
    if (page == NULL) {
        return -EINVAL;
    }
    leaf->count++;
    __atomic_store_n(&leaf->words[gref->ref % LEAF_SIZE],
                     (uint64_t)(uintptr_t)page |
                     (readonly ? READONLY : 0), __ATOMIC_RELEASE);
    set_count(table, table->count + 1);
    return 0;
}

/* Hide an entry from packet threads; false: it is not there. */
static bool hide(struct gref_table *table, grant_ref_t ref,
                 struct removed *removed)
{
    uint64_t word = find(table, ref);
    struct leaf *leaf;

    if (word == 0) {
        return false;
    }
    leaf = table->directory[ref / LEAF_SIZE];
    __atomic_store_n(&leaf->words[ref % LEAF_SIZE], 0, __ATOMIC_RELAXED);
    leaf->count--;
    removed->pages[removed->page_count++] =
        (void *)(uintptr_t)(word & ~READONLY);
    set_count(table, table->count - 1);
    drop_empty_leaf(table, ref, removed);
    return true;
}

/* What was hidden goes, once nobody can be using it. */
static void release(struct gref_table *table, const struct removed *removed)
{
    if (removed->page_count != 0 || removed->leaf_count != 0) {
        table->config.quiesce(table->config.self);
    }
    for (uint32_t i = 0; i < removed->page_count; i++) {
        table->config.unmap(table->config.self, removed->pages[i]);
    }
    for (uint32_t i = 0; i < removed->leaf_count; i++) {
        free(removed->leaves[i]);
    }
}

int gref_add(struct gref_table *table, const struct xen_netif_gref *list,
             uint32_t count)
{
    struct removed removed = { .page_count = 0 };
    uint32_t done;
    int error = 0;

    if (count > GREF_TABLE_SIZE - table->count ||
        count > GREF_TOTAL_MAX - total) {
        return -ENOSPC;
    }
    for (done = 0; done < count; done++) {
        error = add_one(table, &list[done]);
        if (error != 0) {
            break;
        }
    }
    if (error == 0) {
        return 0;
    }
    /* The leaf that the refused one would have been in may be empty. */
    if (list[done].ref < GREF_REFS_MAX) {
        drop_empty_leaf(table, list[done].ref, &removed);
    }
    while (done-- > 0) {
        (void)hide(table, list[done].ref, &removed);
    }
    release(table, &removed);
    return error;
}

uint32_t gref_del(struct gref_table *table, struct xen_netif_gref *list,
                  uint32_t count)
{
    struct removed removed = { .page_count = 0 };

    for (uint32_t i = 0; i < count; i++) {
        list[i].status = hide(table, list[i].ref, &removed)
                             ? XEN_NETIF_CTRL_STATUS_SUCCESS
                             : XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
    }
    release(table, &removed);
    return removed.page_count;
}

void gref_destroy(struct gref_table *table)
{
    struct removed removed;

    for (uint32_t i = 0; i < DIRECTORY_SIZE && table->count != 0; i++) {
        removed.page_count = removed.leaf_count = 0;
        for (uint32_t n = 0; n < LEAF_SIZE; n++) {
            (void)hide(table, i * LEAF_SIZE + n, &removed);
        }
        release(table, &removed);
    }
    free(table);
}

/* The page for a copy, or NULL: the access below answers for it. */
static uint8_t *copy_page(const struct gref_table *table, grant_ref_t ref,
                          bool writes)
{
    uint64_t word = find(table, ref);

    if (word == 0 || (writes && (word & READONLY) != 0)) {
        return NULL;
    }
    return (uint8_t *)(uintptr_t)(word & ~READONLY);
}

static void prefetch(const struct gref_table *table,
                     const struct access_copy *copy, bool writes)
{
    const uint8_t *page = copy_page(table, copy->ref, writes);

    if (page != NULL) {
        prefetch_copy(page + copy->offset, copy->size, writes);
    }
}

/* Serve what the table has; returns how many pieces are left. */
static uint32_t copy_hits(const struct gref_table *table, bool writes,
                          struct access_copy *copies, unsigned int count)
{
    uint32_t misses = 0;

    for (unsigned int i = 0; i < count; i++) {
        struct access_copy *copy = &copies[i];
        uint8_t *page = copy_page(table, copy->ref, writes);

        if (i + PREFETCH_COPIES < count) {
            prefetch(table, &copies[i + PREFETCH_COPIES], writes);
        }
        copy->status = page != NULL ? GNTST_okay : STATUS_MISS;
        if (page == NULL) {
            misses++;
        } else if (writes) {
            memcpy(page + copy->offset, copy->host, copy->size);
        } else {
            memcpy(copy->host, page + copy->offset, copy->size);
        }
    }
    return misses;
}

/* Hand on the pieces that are left, together, and note their statuses. */
static void copy_misses(struct wrapped *w, enum access_direction direction,
                        struct access_copy *copies, unsigned int count)
{
    unsigned int from = 0;

    while (from < count) {
        unsigned int misses = 0, at = from;

        for (; at < count && misses < MISSES_MAX; at++) {
            if (copies[at].status == STATUS_MISS) {
                w->misses[misses++] = copies[at];
            }
        }
        access_copy(w->below, direction, w->misses, misses);
        for (unsigned int i = 0; from < at; from++) {
            if (copies[from].status == STATUS_MISS) {
                copies[from].status = w->misses[i++].status;
            }
        }
    }
}

static void wrapped_copy(struct access *access,
                         enum access_direction direction,
                         struct access_copy *copies, unsigned int count)
{
    struct wrapped *w = (struct wrapped *)access;
    uint32_t misses = count;

    if (gref_count(w->table) != 0) {
        misses = copy_hits(w->table, direction == ACCESS_TO_GUEST, copies,
                           count);
        *w->hits += count - misses;
    }
    if (misses == count) {
        access_copy(w->below, direction, copies, count);
    } else if (misses != 0) {
        copy_misses(w, direction, copies, count);
    }
}

static void *wrapped_map(struct access *access, grant_ref_t ref)
{
    struct access *below = ((struct wrapped *)access)->below;

    return below->ops->map(below, ref);
}

static void wrapped_unmap(struct access *access, void *page)
{
    struct access *below = ((struct wrapped *)access)->below;

    below->ops->unmap(below, page);
}

static void wrapped_notify(struct access *access, int port)
{
    struct access *below = ((struct wrapped *)access)->below;

    below->ops->notify(below, port);
}

static void wrapped_destroy(struct access *access)
{
    struct access *below = ((struct wrapped *)access)->below;

    below->ops->destroy(below);
    free(access);
}

struct access *gref_wrap(struct access *below,
                         const struct gref_table *table, uint64_t *hits)
{
    struct wrapped *w = calloc(1, sizeof(*w));

    if (w == NULL) {
        return NULL;
    }
    w->ops = (struct access_ops){
        .name = below->ops->name,
        .copy = wrapped_copy,
        .map = wrapped_map,
        .unmap = wrapped_unmap,
        .notify = wrapped_notify,
        .destroy = wrapped_destroy,
    };
    w->access.ops = &w->ops;
    w->below = below;
    w->table = table;
    w->hits = hits;
    return &w->access;
}
