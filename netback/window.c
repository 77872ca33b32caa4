/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copies between granted pages and our memory by memcpy: lookup, pin, copy,
 * clear.  Talks to grant_pin.h; it knows nothing of how the memory came here.
 *
 * Invariants:
 *  1. A copy holds one pin, and the pin is over before the next copy begins:
 *     one record for each copying thread is enough.
 *  2. What the guest can write is used once: the head by the swap that pins
 *     the entry, the frame by the one read after it.  The reads for a
 *     prefetch choose nothing but what comes closer.
 *  3. A copy touches one page of one chunk that is mapped: the offset and the
 *     size are the caller's, and in the page; the frame is below page_count.
 *  4. Attempts at a pin are bounded: a guest that keeps writing its entry
 *     gets GNTST_eagain.
 */
#include <stdlib.h>
#include <string.h>

#include "prefetch.h"
#include "window.h"

#define AHEAD 6u                /* copies to prefetch for */
#define LINES_AHEAD 2u          /* of a copy: the CPU sees the rest coming */

/* Without a call for the sizes of most packets; the pieces may overlap. */
static inline void copy_bytes(uint8_t *to, const uint8_t *from,
                              uint32_t size)
{
    if (size - 32u > 32u) {
        memcpy(to, from, size);
        return;
    }
    memcpy(to, from, 16);
    memcpy(to + 16, from + 16, 16);
    memcpy(to + size - 32, from + size - 32, 16);
    memcpy(to + size - 16, from + size - 16, 16);
}

/* A frame that is not here is left in *missed. */
static inline int16_t copy_one(const struct window *window,
                               const struct window_user *user, bool writes,
                               const struct access_copy *copy,
                               uint32_t *missed)
{
    union grant_v1 *entry = window_grant(window, copy->ref);
    int16_t status;
    uint32_t frame;
    uint8_t *page;

    if (entry == NULL) {
        return GNTST_bad_gntref;
    }
    status = grant_pin(entry, copy->ref, window->user, writes, user->record);
    if (status != GNTST_okay) {
        return status;
    }
    frame = grant_frame(entry);
    page = window_page(window, frame);
    if (page == NULL) {
        status = WINDOW_MISS;
    } else if (writes) {
        copy_bytes(page + copy->offset, copy->host, copy->size);
    } else {
        copy_bytes(copy->host, page + copy->offset, copy->size);
    }
    kill_point(KILL_COPIED);
    grant_unpin(entry, writes, user->record);
    *missed = frame;
    return status;
}

/* Bring a page's bytes closer, if the entry is as it should be. */
static inline void prefetch(const struct window *window, bool writes,
                            const struct access_copy *copy)
{
    const union grant_v1 *entry = window_grant(window, copy->ref);
    const uint8_t *page;

    if (entry == NULL) {
        return;
    }
    page = window_page(window, grant_frame(entry));
    if (page == NULL) {
        return;
    }
    page += copy->offset;
    for (uint32_t at = 0;
         at < LINES_AHEAD * PREFETCH_LINE && at < copy->size;
         at += PREFETCH_LINE) {
        if (writes) {
            prefetch_to_write(page + at);
        } else {
            prefetch_to_read(page + at);
        }
    }
}

unsigned int window_copy(struct window *window,
                         const struct window_user *user, bool writes,
                         struct access_copy *copies, unsigned int count)
{
    /* Copies on the stack, which no barrier makes the compiler reload. */
    const struct window w = *window;
    const struct window_user u = *user;
    unsigned int misses = 0, foreign = 0, hits = 0;

    for (unsigned int i = 0; i < count; i++) {
        prefetch_to_write(window_grant(&w, copies[i].ref));
    }
    for (unsigned int i = 0; i < count; i++) {
        uint32_t missed = 0;
        int16_t status;

        if (i + AHEAD < count) {
            prefetch(&w, writes, &copies[i + AHEAD]);
        }
        status = copy_one(&w, &u, writes, &copies[i], &missed);
        copies[i].status = status;
        if (status == GNTST_okay) {
            hits++;
        } else if (status == WINDOW_MISS) {
            misses++;
            w.miss(window, missed);
        } else if (status == WINDOW_FOREIGN) {
            foreign++;
        }
    }
    u.counts->hits += hits;
    u.counts->misses += misses;
    u.counts->foreign += foreign;
    return misses + foreign;
}

struct window_map *window_map_create(uint32_t page_count)
{
    struct window_map *map = calloc(1, sizeof(*map));

    if (map != NULL) {
        map->page_count = page_count;
    }
    return map;
}

void window_map_destroy(struct window_map *map)
{
    if (map == NULL) {
        return;
    }
    for (unsigned int i = 0; i < WINDOW_LEAVES; i++) {
        if (window_is_there(map->leaf[i])) {
            free(map->leaf[i]);
        }
    }
    free(map);
}
