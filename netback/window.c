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

#include "window.h"

#define AHEAD 4u                /* copies to prefetch for */

static int16_t copy_one(struct window *window,
                        const struct window_user *user, bool writes,
                        const struct access_copy *copy)
{
    union grant_v1 *entry = window_grant(window, copy->ref);
    int16_t status;
    uint32_t frame;
    uint8_t *page;

    if (entry == NULL) {
        return GNTST_bad_gntref;
    }
    status = grant_pin(entry, copy->ref, window->user, writes, user->record);
    if (status == GRANT_PIN_FOREIGN) {
        user->counts->foreign++;
    }
    if (status != GNTST_okay) {
        return status;
    }
    frame = grant_frame(entry);
    page = window_page(window, frame);
    if (page == NULL) {
        status = WINDOW_MISS;
    } else if (writes) {
        memcpy(page + copy->offset, copy->host, copy->size);
    } else {
        memcpy(copy->host, page + copy->offset, copy->size);
    }
    kill_point(KILL_COPIED);
    grant_unpin(entry, writes, user->record);
    if (page == NULL) {
        user->counts->misses++;
        window->miss(window, frame);
    }
    return status;
}

/* Bring an entry and, if it is as it should be, the data's start closer. */
static inline void prefetch(const struct window *window, grant_ref_t ref,
                            uint16_t offset)
{
    const union grant_v1 *entry = window_grant(window, ref);
    const uint8_t *page;

    if (entry != NULL) {
        page = window_page(window, grant_frame(entry));
        if (page != NULL) {
            __builtin_prefetch(page + offset);
        }
    }
}

unsigned int window_copy(struct window *window,
                         const struct window_user *user, bool writes,
                         struct access_copy *copies, unsigned int count)
{
    unsigned int later = 0;
    unsigned int hits = 0;

    for (unsigned int i = 0; i < count; i++) {
        if (i + AHEAD < count) {
            prefetch(window, copies[i + AHEAD].ref, copies[i + AHEAD].offset);
        }
        copies[i].status = copy_one(window, user, writes, &copies[i]);
        later += copies[i].status > 0;
        hits += copies[i].status == GNTST_okay;
    }
    user->counts->hits += hits;
    return later;
}

struct window_map *window_map_create(uint32_t page_count)
{
    const struct window_map size = { .page_count = page_count };
    struct window_map *map =
        calloc(1, sizeof(*map) +
                  window_leaf_count(&size) * sizeof(map->leaf[0]));

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
    for (size_t i = 0; i < window_leaf_count(map); i++) {
        if (window_is_there(map->leaf[i])) {
            free(map->leaf[i]);
        }
    }
    free(map);
}
