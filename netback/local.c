/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Access to a guest whose memory and grant table are mapped here: an entry
 * is pinned by compare-and-swap, the bytes copied, the entry released.
 * Talks to local_link.c, which made the mapping.
 *
 * Invariants:
 *  1. An entry's flags and domid are changed in one 32-bit compare-and-swap;
 *     the frame is read once, after it (xen/grant_table.h's rule).
 *  2. Only the bits that our own swap set are cleared again.
 *  3. A copy touches one page below page_count; the memory cannot shrink.
 *  4. Attempts at a swap are bounded: a guest that keeps writing its entry
 *     gets GNTST_eagain.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "local.h"

#define SWAPS_MAX 8u
#define MAPS_MAX 4u                 /* ring pages of a queue, and spare */
#define AHEAD 4u                    /* copies to prefetch for */

/* Bits of union local_grant's head. */
#define HEAD(flags, domid) ((uint32_t)(flags) | (uint32_t)(domid) << 16)

struct mapping {
    void *page;
    union local_grant *grant;
    uint32_t pinned;
};

struct local {
    struct access access;           /* first: an access is a local */
    struct local_link *link;        /* borrowed */
    union local_grant *grants;      /* in the link's memory */
    struct mapping mappings[MAPS_MAX];
};

/* index below count, also when the CPU guesses wrongly. */
static inline uint32_t index_nospec(uint32_t index, uint32_t count)
{
    uint64_t mask = (uint64_t)((int64_t)((uint64_t)index - count) >> 63);

    __asm__ volatile ("" : "+r" (mask));
    return index & (uint32_t)mask;
}

/* Pin an entry for reading, or writing too; *pinned: bits that we set. */
static int16_t pin(union local_grant *grant, bool writes, uint32_t *pinned)
{
    uint32_t use = GTF_reading | (writes ? GTF_writing : 0);
    uint32_t head = __atomic_load_n(&grant->word.head, __ATOMIC_RELAXED);

    for (unsigned int i = 0; i < SWAPS_MAX; i++) {
        if ((head & HEAD(GTF_type_mask, 0xffff)) !=
            HEAD(GTF_permit_access, LOCAL_BACKEND)) {
            return GNTST_bad_gntref;
        }
        if (writes && (head & GTF_readonly) != 0) {
            return GNTST_general_error;
        }
        *pinned = use & ~head;
        if (__atomic_compare_exchange_n(&grant->word.head, &head, head | use,
                                        false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED)) {
            return GNTST_okay;
        }
    }
    return GNTST_eagain;
}

/* The release orders the copy before it. */
static void unpin(union local_grant *grant, uint32_t pinned)
{
    __atomic_fetch_and(&grant->word.head, ~pinned, __ATOMIC_RELEASE);
}

/* The page of a pinned entry, or NULL. */
static uint8_t *grant_page(const struct local *local,
                           const union local_grant *grant)
{
    const struct local_link *link = local->link;
    uint32_t frame = __atomic_load_n(&grant->word.frame, __ATOMIC_RELAXED);

    if (frame >= link->page_count) {
        return NULL;
    }
    frame = index_nospec(frame, link->page_count);
    return link->memory + (size_t)frame * ACCESS_PAGE_SIZE;
}

static union local_grant *find_grant(const struct local *local,
                                     grant_ref_t ref)
{
    if (ref >= local->link->grant_count) {
        return NULL;
    }
    return &local->grants[index_nospec(ref, local->link->grant_count)];
}

static int16_t copy_one(const struct local *local, bool writes,
                        const struct access_copy *copy)
{
    union local_grant *grant = find_grant(local, copy->ref);
    int16_t status;
    uint32_t pinned;
    uint8_t *page;

    if (grant == NULL) {
        return GNTST_bad_gntref;
    }
    status = pin(grant, writes, &pinned);
    if (status != GNTST_okay) {
        return status;
    }
    page = grant_page(local, grant);
    if (page == NULL) {
        status = GNTST_bad_page;
    } else if (writes) {
        memcpy(page + copy->offset, copy->host, copy->size);
    } else {
        memcpy(copy->host, page + copy->offset, copy->size);
    }
    unpin(grant, pinned);
    return status;
}

/* Bring an entry and, if it is as it should be, the data's start closer. */
static void prefetch(const struct local *local, const struct access_copy *copy)
{
    const union local_grant *grant = find_grant(local, copy->ref);
    const uint8_t *page;

    if (grant != NULL) {
        page = grant_page(local, grant);
        if (page != NULL) {
            __builtin_prefetch(page + copy->offset);
        }
    }
}

static void copy_batch(struct access *access, enum access_direction direction,
                       struct access_copy *copies, unsigned int count)
{
    const struct local *local = (const struct local *)access;
    bool writes = direction == ACCESS_TO_GUEST;

    for (unsigned int i = 0; i < count; i++) {
        if (i + AHEAD < count) {
            prefetch(local, &copies[i + AHEAD]);
        }
        copies[i].status = copy_one(local, writes, &copies[i]);
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

static void *map_page(struct access *access, grant_ref_t ref)
{
    struct local *local = (struct local *)access;
    struct mapping *mapping = find_mapping(local, NULL);
    union local_grant *grant = find_grant(local, ref);
    uint32_t pinned;
    uint8_t *page;

    if (mapping == NULL) {
        errno = ENOSPC;
        return NULL;
    }
    if (grant == NULL || pin(grant, true, &pinned) != GNTST_okay) {
        errno = EINVAL;
        return NULL;
    }
    page = grant_page(local, grant);
    if (page == NULL) {
        unpin(grant, pinned);
        errno = EINVAL;
        return NULL;
    }
    *mapping = (struct mapping){ page, grant, pinned };
    return page;
}

static void unmap_page(struct access *access, void *page)
{
    struct mapping *mapping = find_mapping((struct local *)access, page);

    if (page != NULL && mapping != NULL) {
        unpin(mapping->grant, mapping->pinned);
        mapping->page = NULL;
    }
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
    free(local);
}

static const struct access_ops local_ops = {
    .name = "local",
    .copy = copy_batch,
    .map = map_page,
    .unmap = unmap_page,
    .notify = notify,
    .destroy = destroy,
};

struct access *local_create(struct local_link *link)
{
    struct local *local = calloc(1, sizeof(*local));

    if (local == NULL) {
        return NULL;
    }
    local->access.ops = &local_ops;
    local->link = link;
    local->grants = (union local_grant *)link->memory;
    return &local->access;
}
