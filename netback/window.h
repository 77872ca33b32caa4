/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest's grant table and memory as this process has them mapped: the
 * copies of GNTTABOP_copy without the hypercall.  Used by direct.c (a live
 * window that the hypervisor keeps) and local.c (memory shared by two
 * processes).
 *
 * Threads: copies by any number of threads at once, each with its own records
 * and counters.  Chunks appear while they run; none goes before all end.
 */
#ifndef NETBACK_WINDOW_H
#define NETBACK_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "access.h"
#include "grant_pin.h"
#include "journal.h"

#define WINDOW_CHUNK_PAGES 512u     /* a chunk is 2 MiB of guest memory */
#define WINDOW_CHUNK_SIZE (WINDOW_CHUNK_PAGES * ACCESS_PAGE_SIZE)
#define WINDOW_CHUNK_SHIFT 9
#define WINDOW_LEAF_CHUNKS 512u
#define WINDOW_LEAF_SHIFT 18        /* of a frame number */
#define WINDOW_LEAVES (1u << (32 - WINDOW_LEAF_SHIFT))

/* Statuses above 0: not by this window, try another way. */
#define WINDOW_FOREIGN GRANT_PIN_FOREIGN    /* somebody uses the entry */
#define WINDOW_MISS 2                       /* its frame is not here */

/* Places where no pointer is: nobody asked, it is asked for, it is refused. */
#define WINDOW_ASKED ((void *)1)
#define WINDOW_REFUSED ((void *)2)

static inline bool window_is_there(const void *pointer)
{
    return (uintptr_t)pointer > (uintptr_t)WINDOW_REFUSED;
}

/* The chunks of 1 GiB. */
struct window_leaf {
    uint8_t *chunk[WINDOW_LEAF_CHUNKS]; /* [a] */
};

/*
 * Where the chunks are.  Every frame number has its place in the arrays, so
 * a CPU that guesses past page_count stays in them; and a chunk is 2 MiB of
 * addresses, also where less is there.
 */
struct window_map {
    uint32_t page_count;            /* frames below it may be there */
    struct window_leaf *leaf[WINDOW_LEAVES];    /* [a] */
};

struct window {
    union grant_v1 *grants;      /* the guest writes them */
    uint32_t grant_count;
    domid_t user;                   /* whom grants must name: us */
    struct window_map *map;
    /* The chunk of a good grant's frame is not here; any copying thread. */
    void (*miss)(struct window *window, uint32_t frame);
};

/* Written by one copying thread. */
struct window_counts {
    uint64_t hits;                  /* copies done here */
    uint64_t misses;                /* the chunk is not here */
    uint64_t foreign;               /* somebody else uses the grant */
    uint64_t redone;                /* bursts copied anew: revoked */
};

/* What a copying thread brings. */
struct window_user {
    uint64_t *records;              /* JOURNAL_COPIES, of pins it holds */
    struct window_counts *counts;
};

/*
 * Carry out count copies.  Each gets a status: GNTST_*, WINDOW_FOREIGN or
 * WINDOW_MISS.  Returns how many got one of the latter two.
 */
unsigned int window_copy(struct window *window,
                         const struct window_user *user, bool writes,
                         struct access_copy *copies, unsigned int count);

/* The entry, or NULL if the table ends before it. */
static inline union grant_v1 *window_grant(const struct window *window,
                                              grant_ref_t ref)
{
    if (ref >= window->grant_count) {
        return NULL;
    }
    return &window->grants[grant_index(ref, window->grant_count)];
}

static inline unsigned int window_chunk_index(uint32_t frame)
{
    return frame >> WINDOW_CHUNK_SHIFT & (WINDOW_LEAF_CHUNKS - 1);
}

/* The page of a frame number as a guest gave it, or NULL. */
static inline uint8_t *window_page(const struct window *window,
                                   uint32_t frame)
{
    const struct window_map *map = window->map;
    const struct window_leaf *leaf;
    uint8_t *chunk;

    if (frame >= map->page_count) {
        return NULL;
    }
    leaf = __atomic_load_n(&map->leaf[frame >> WINDOW_LEAF_SHIFT],
                           __ATOMIC_ACQUIRE);
    if (!window_is_there(leaf)) {
        return NULL;
    }
    chunk = __atomic_load_n(&leaf->chunk[window_chunk_index(frame)],
                            __ATOMIC_ACQUIRE);
    if (!window_is_there(chunk)) {
        return NULL;
    }
    return chunk + (size_t)(frame % WINDOW_CHUNK_PAGES) * ACCESS_PAGE_SIZE;
}

/* A map for page_count frames, all absent; NULL: no memory. */
struct window_map *window_map_create(uint32_t page_count);

/* Frees the map and its leaves; the chunks are the caller's. */
void window_map_destroy(struct window_map *map);

#endif
