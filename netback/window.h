/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest's grant table and memory as this process has them mapped: the
 * copies of GNTTABOP_copy without the hypercall.  Used by direct.c (a live
 * window that the hypervisor keeps) and local.c (memory shared by two
 * processes).
 *
 * Threads: copies by any number of threads at once, each with its own record
 * and counters.  Chunks appear while they run; none goes before all end.
 */
#ifndef NETBACK_WINDOW_H
#define NETBACK_WINDOW_H

#include <stdbool.h>
#include <stdint.h>

#include "access.h"
#include "grant_pin.h"

#define WINDOW_CHUNK_PAGES 512u     /* a chunk is 2 MiB of guest memory */
#define WINDOW_CHUNK_SIZE (WINDOW_CHUNK_PAGES * ACCESS_PAGE_SIZE)
#define WINDOW_CHUNK_SHIFT 9

/* Statuses above 0: not by this window, try another way. */
#define WINDOW_FOREIGN GRANT_PIN_FOREIGN    /* somebody uses the entry */
#define WINDOW_MISS 2                       /* its frame is not here */

/* Where the chunks are; replaced by a larger one when the guest grows. */
struct window_chunks {
    struct window_chunks *older;    /* freed with this one, no earlier */
    uint32_t page_count;            /* frames below it may be there */
    uint8_t *at[];                  /* [a] by frame / 512; NULL: not here */
};

struct window {
    union grant_v1 *grants;      /* the guest writes them */
    uint32_t grant_count;
    domid_t user;                   /* whom grants must name: us */
    struct window_chunks *chunks;   /* [a] */
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
    uint64_t *record;               /* of the pin that it holds */
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

/* The page of a frame number as a guest gave it, or NULL. */
static inline uint8_t *window_page(const struct window *window,
                                   uint32_t frame)
{
    const struct window_chunks *chunks =
        __atomic_load_n(&window->chunks, __ATOMIC_ACQUIRE);
    uint8_t *chunk;

    if (frame >= chunks->page_count) {
        return NULL;
    }
    frame = grant_index(frame, chunks->page_count);
    chunk = __atomic_load_n(&chunks->at[frame >> WINDOW_CHUNK_SHIFT],
                            __ATOMIC_ACQUIRE);
    if (chunk == NULL) {
        return NULL;
    }
    return chunk + (size_t)(frame % WINDOW_CHUNK_PAGES) * ACCESS_PAGE_SIZE;
}

/* A table for page_count frames, all absent; NULL: no memory. */
struct window_chunks *window_chunks_create(uint32_t page_count);

/* Free the table and its predecessors. */
void window_chunks_destroy(struct window_chunks *chunks);

#endif
