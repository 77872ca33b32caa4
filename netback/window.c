/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copies between granted pages and our memory by memcpy: lookup, pin, copy,
 * clear.  Talks to grant_pin.h; it knows nothing of how the memory came here.
 *
 * Invariants:
 *  1. A thread pins for a group of copies, makes them, and then ends the pins,
 *     each of which has a record of its own.  One after the other, the swap
 *     of each pin would wait until the stores of the copy before it have
 *     reached the guest's CPU.
 *  2. What the guest can write is used once: the head by the swap that pins
 *     the entry, the frame by the one read after it.  The reads for a
 *     prefetch choose what comes closer, and spare a lookup if they were of
 *     that frame.
 *  3. A copy touches one page of one chunk that is mapped: the offset and the
 *     size are the caller's, and in the page; the frame is below page_count.
 *  4. Attempts at a pin are bounded: a guest that keeps writing its entry
 *     gets GNTST_eagain.
 */
#include <stdlib.h>
#include <string.h>

#include "prefetch.h"
#include "window.h"

#define BATCH 64u               /* copies that are looked up at once */
/* A group's copies, and their bytes but for the last one's. */
#define GROUP JOURNAL_COPIES
#define GROUP_BYTES 1024u

/* What a copy is to touch, as far as it is known before its pin. */
struct target {
    union grant_v1 *entry;      /* NULL: the table ends before it */
    uint32_t frame;             /* a guess */
    uint16_t flags;             /* once it is pinned: its flags before */
    uint8_t *page;              /* the guess's, or NULL */
};

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

/* Guess what a copy will touch, and bring it closer. */
static inline void look_ahead(const struct window *window, bool writes,
                              const struct access_copy *copy,
                              struct target *target)
{
    target->frame = 0;
    target->page = NULL;
    if (target->entry == NULL) {
        return;
    }
    target->frame = grant_frame(target->entry);
    target->page = window_page(window, target->frame);
    if (target->page != NULL) {
        prefetch_copy(target->page + copy->offset, copy->size, writes);
    }
}

/* Pins an entry and finds its page.  A frame not here is target->frame. */
static inline __attribute__((always_inline))
int16_t pin_one(const struct window *window, uint64_t *record, bool writes,
                const struct access_copy *copy, struct target *target)
{
    int16_t status;
    uint32_t frame;

    if (target->entry == NULL) {
        return GNTST_bad_gntref;
    }
    status = grant_pin(target->entry, copy->ref, window->user, writes,
                       record, &target->flags);
    if (status != GNTST_okay) {
        return status;
    }
    frame = grant_frame(target->entry);
    if (frame != target->frame) {
        target->page = window_page(window, frame);
    }
    if (target->page == NULL) {
        target->frame = frame;
        grant_unpin(target->entry, target->flags, record);
        return WINDOW_MISS;
    }
    return GNTST_okay;
}

static inline __attribute__((always_inline))
void copy_one(bool writes, const struct access_copy *copy,
              const struct target *target)
{
    uint8_t *at = target->page + copy->offset;

    if (writes) {
        copy_bytes(at, copy->host, copy->size);
    } else {
        copy_bytes(copy->host, at, copy->size);
    }
    kill_point(KILL_COPIED);
}

/* A copy that is a group of its own. */
static inline __attribute__((always_inline))
int16_t copy_alone(const struct window *window, uint64_t *record, bool writes,
                   const struct access_copy *copy, struct target *target)
{
    int16_t status = pin_one(window, record, writes, copy, target);

    if (status == GNTST_okay) {
        copy_one(writes, copy, target);
        grant_unpin(target->entry, target->flags, record);
    }
    return status;
}

/* What the copies that were not made count as. */
struct failures {
    unsigned int misses, foreign, errors;
};

static __attribute__((noinline))
void note_failure(struct window *window, int16_t status, uint32_t frame,
                  struct failures *failures)
{
    if (status == WINDOW_MISS) {
        failures->misses++;
        window->miss(window, frame);
    } else if (status == WINDOW_FOREIGN) {
        failures->foreign++;
    } else {
        failures->errors++;
    }
}

/* The end of the group that begins with copy 'first'. */
static inline unsigned int group_end(const struct access_copy *copies,
                                     unsigned int first, unsigned int count)
{
    unsigned int most = count - first < GROUP ? count : first + GROUP;
    uint32_t bytes = copies[first].size;
    unsigned int end = first + 1;

    while (end < most && bytes < GROUP_BYTES) {
        bytes += copies[end++].size;
    }
    return end;
}

/*
 * Once more what was in use: maybe by another copy of its group, which is
 * over.
 */
static __attribute__((noinline))
int16_t copy_again(const struct window *window, uint64_t *record, bool writes,
                   const struct access_copy *copy, struct target *target)
{
    return copy_alone(window, record, writes, copy, target);
}

/* Ends a group's pins, and says of its copies what became of them. */
static inline __attribute__((always_inline))
void end_group(struct window *window, const struct window *w,
               uint64_t *records, bool writes, struct access_copy *copies,
               struct target *targets, unsigned int count,
               struct failures *failures)
{
    bool has_failures = false;

    for (unsigned int i = 0; i < count; i++) {
        if (copies[i].status == GNTST_okay) {
            grant_unpin(targets[i].entry, targets[i].flags, &records[i]);
        } else {
            has_failures = true;
        }
    }
    for (unsigned int i = 0; has_failures && i < count; i++) {
        if (copies[i].status == WINDOW_FOREIGN) {
            copies[i].status = copy_again(w, records, writes, &copies[i],
                                          &targets[i]);
        }
        if (copies[i].status != GNTST_okay) {
            note_failure(window, copies[i].status, targets[i].frame,
                         failures);
        }
    }
}

/* Larger copies wait for their own stores anyway. */
static inline __attribute__((always_inline))
void group_of_one(struct window *window, const struct window *w,
                  uint64_t *record, bool writes, struct access_copy *copy,
                  struct target *target, struct failures *failures)
{
    int16_t status = copy_alone(w, record, writes, copy, target);

    copy->status = status;
    if (status != GNTST_okay) {
        note_failure(window, status, target->frame, failures);
    }
}

static inline __attribute__((always_inline))
void group_of_more(struct window *window, const struct window *w,
                   uint64_t *records, bool writes, struct access_copy *copies,
                   struct target *targets, unsigned int count,
                   struct failures *failures)
{
    for (unsigned int i = 0; i < count; i++) {
        copies[i].status = pin_one(w, &records[i], writes, &copies[i],
                                   &targets[i]);
    }
    for (unsigned int i = 0; i < count; i++) {
        if (copies[i].status == GNTST_okay) {
            copy_one(writes, &copies[i], &targets[i]);
        }
    }
    end_group(window, w, records, writes, copies, targets, count, failures);
}

/* At most BATCH copies; once for each direction, which is a constant here. */
static inline __attribute__((always_inline))
void copy_some(struct window *window, const struct window_user *user,
               bool writes, struct access_copy *copies, unsigned int count,
               struct failures *failures)
{
    /* A copy on the stack, which no barrier makes the compiler reload. */
    const struct window w = *window;
    uint64_t *const records = user->records;
    struct target targets[BATCH];
    unsigned int seen = 0, first, end;

    for (unsigned int i = 0; i < count; i++) {
        targets[i].entry = window_grant(&w, copies[i].ref);
        prefetch_to_write(targets[i].entry);
    }
    for (first = 0; first < count; first = end) {
        end = group_end(copies, first, count);
        for (; seen < count && seen < end + PREFETCH_COPIES; seen++) {
            look_ahead(&w, writes, &copies[seen], &targets[seen]);
        }
        if (end == first + 1) {
            group_of_one(window, &w, records, writes, &copies[first],
                         &targets[first], failures);
        } else {
            group_of_more(window, &w, records, writes, &copies[first],
                          &targets[first], end - first, failures);
        }
    }
}

static void copy_from(struct window *window, const struct window_user *user,
                      struct access_copy *copies, unsigned int count,
                      struct failures *failures)
{
    copy_some(window, user, false, copies, count, failures);
}

static void copy_to(struct window *window, const struct window_user *user,
                    struct access_copy *copies, unsigned int count,
                    struct failures *failures)
{
    copy_some(window, user, true, copies, count, failures);
}

unsigned int window_copy(struct window *window,
                         const struct window_user *user, bool writes,
                         struct access_copy *copies, unsigned int count)
{
    struct window_counts *counts = user->counts;
    struct failures failures = { 0, 0, 0 };

    for (unsigned int done = 0; done < count; done += BATCH) {
        unsigned int part = count - done < BATCH ? count - done : BATCH;

        if (writes) {
            copy_to(window, user, copies + done, part, &failures);
        } else {
            copy_from(window, user, copies + done, part, &failures);
        }
    }
    counts->hits += count - failures.misses - failures.foreign -
                    failures.errors;
    counts->misses += failures.misses;
    counts->foreign += failures.foreign;
    return failures.misses + failures.foreign;
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
