/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Access to a guest whose memory and grant table a Linux process shares with
 * us: a window (window.h) that is complete from the start.  Talks to
 * local_link.c, which made the mapping.
 *
 * Invariants:
 *  1. All of window.c's, which does the copies.
 *  2. The memory cannot shrink, so every frame below page_count is there.
 *  3. There is no hypervisor to ask: what the window refuses is an error.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "local.h"

#define MAPS_MAX (JOURNAL_PINS - JOURNAL_COPIES)    /* ring pages */

struct mapping {
    void *page;
    union grant_v1 *entry;
    uint16_t flags;                 /* grant_pin()'s, to unpin */
};

struct local {
    struct access access;           /* first: an access is a local */
    struct local_link *link;        /* borrowed */
    struct window window;
    struct window_user user;
    uint64_t *records;              /* in the journal, or own_records */
    uint64_t own_records[JOURNAL_PINS];
    struct mapping mappings[MAPS_MAX];  /* their records are the last */
};

static void miss(struct window *window, uint32_t frame)
{
    (void)window;               /* it is past the guest's memory */
    (void)frame;
}

static void copy_batch(struct access *access, enum access_direction direction,
                       struct access_copy *copies, unsigned int count)
{
    struct local *local = (struct local *)access;

    if (window_copy(&local->window, &local->user,
                    direction == ACCESS_TO_GUEST, copies, count) == 0) {
        return;
    }
    for (unsigned int i = 0; i < count; i++) {
        if (copies[i].status == WINDOW_FOREIGN) {
            copies[i].status = GNTST_eagain;
        } else if (copies[i].status == WINDOW_MISS) {
            copies[i].status = GNTST_bad_page;
        }
    }
}

static struct mapping *find_mapping(struct local *local, const void *page)
{
    for (unsigned int i = 0; i < MAPS_MAX; i++) {
        if (local->mappings[i].page == page) {
            return &local->mappings[i];
        }
    }
    return NULL;
}

static uint64_t *record_of(const struct local *local,
                           const struct mapping *mapping)
{
    return &local->records[JOURNAL_COPIES + (mapping - local->mappings)];
}

static void *map_page(struct access *access, grant_ref_t ref)
{
    struct local *local = (struct local *)access;
    struct mapping *mapping = find_mapping(local, NULL);
    union grant_v1 *entry = window_grant(&local->window, ref);
    uint8_t *page;
    uint16_t flags;

    if (mapping == NULL) {
        errno = ENOSPC;
        return NULL;
    }
    if (entry == NULL || grant_pin(entry, ref, LOCAL_BACKEND, true,
                                   record_of(local, mapping),
                                   &flags) != GNTST_okay) {
        errno = EINVAL;
        return NULL;
    }
    page = window_page(&local->window, grant_frame(entry));
    if (page == NULL) {
        grant_unpin(entry, flags, record_of(local, mapping));
        errno = EINVAL;
        return NULL;
    }
    *mapping = (struct mapping){ page, entry, flags };
    return page;
}

static void unmap_page(struct access *access, void *page)
{
    struct local *local = (struct local *)access;
    struct mapping *mapping = find_mapping(local, page);

    if (page != NULL && mapping != NULL) {
        grant_unpin(mapping->entry, mapping->flags, record_of(local, mapping));
        mapping->page = NULL;
    }
}

void *local_page(struct access *access, grant_ref_t ref, bool readonly)
{
    const struct local *local = (const struct local *)access;
    const union grant_v1 *entry = window_grant(&local->window, ref);
    uint32_t head;

    if (entry == NULL) {
        return NULL;
    }
    head = __atomic_load_n(&entry->word.head, __ATOMIC_ACQUIRE);
    if ((head & grant_head(GTF_type_mask, 0xffff)) !=
        grant_head(GTF_permit_access, LOCAL_BACKEND) ||
        (!readonly && (head & GTF_readonly) != 0)) {
        return NULL;
    }
    return window_page(&local->window, grant_frame(entry));
}

/* A full socket has events pending already; a closed one needs none. */
static void notify(struct access *access, int port)
{
    static const char event = 1;

    (void)access;
    (void)!send(port, &event, sizeof(event), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void destroy(struct access *access)
{
    struct local *local = (struct local *)access;

    for (unsigned int i = 0; i < MAPS_MAX; i++) {
        unmap_page(access, local->mappings[i].page);
    }
    window_map_destroy(local->window.map);
    free(local);
}

static const struct access_ops local_ops = {
    .name = "memory shared with a process",
    .copy = copy_batch,
    .map = map_page,
    .unmap = unmap_page,
    .notify = notify,
    .destroy = destroy,
};

/* NULL: no memory. */
static struct window_map *map_all(const struct local_link *link)
{
    struct window_map *map = window_map_create(link->page_count);

    for (uint32_t at = 0; map != NULL && at < link->page_count;
         at += WINDOW_CHUNK_PAGES) {
        struct window_leaf **leaf = &map->leaf[at >> WINDOW_LEAF_SHIFT];

        if (*leaf == NULL) {
            *leaf = calloc(1, sizeof(**leaf));
        }
        if (*leaf == NULL) {
            window_map_destroy(map);
            return NULL;
        }
        (*leaf)->chunk[window_chunk_index(at)] =
            link->memory + (size_t)at * ACCESS_PAGE_SIZE;
    }
    return map;
}

void local_undo(struct local_link *link, struct journal_half *half)
{
    union grant_v1 *grants = (union grant_v1 *)link->memory;
    const uint32_t use = grant_use(true);

    for (unsigned int i = 0; half != NULL && i < JOURNAL_PINS; i++) {
        grant_record_clear(grants, link->grant_count, LOCAL_BACKEND,
                           &half->pins[i]);
    }
    for (uint32_t i = 0; half == NULL && i < link->grant_count; i++) {
        if ((__atomic_load_n(&grants[i].word.head, __ATOMIC_RELAXED) & use)
            != 0) {
            __atomic_fetch_and(&grants[i].word.head, ~use, __ATOMIC_RELAXED);
        }
    }
}

struct access *local_create(struct local_link *link,
                            struct journal_half *journal,
                            struct window_counts *counts)
{
    struct local *local = calloc(1, sizeof(*local));

    if (local == NULL) {
        return NULL;
    }
    local->access.ops = &local_ops;
    local->link = link;
    local->records = journal != NULL ? journal->pins : local->own_records;
    local->user = (struct window_user){ &local->records[0], counts };
    local->window = (struct window){
        .grants = (union grant_v1 *)link->memory,
        .grant_count = link->grant_count,
        .user = LOCAL_BACKEND,
        .map = map_all(link),
        .miss = miss,
    };
    if (local->window.map == NULL) {
        free(local);
        return NULL;
    }
    return &local->access;
}
