/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fake guest reached by the direct way.  Linked beside guest.c, it gives
 * each guest a grant table and a live window on its pages, so that what is
 * tested on guest.c's own copies is tested on direct.c's and window.c's too.
 *
 * Invariants, by abort():
 *  1. After a batch every grant entry is what it was, and no pin is noted.
 *  2. The hypervisor is asked only for a page that the window does not show.
 *  3. A copy keeps to guest.c's contract.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netback/direct.h"
#include "guest.h"

#define GRANTS (FAKE_GUEST_REF + FAKE_GUEST_PAGES)
#define US 5u                       /* whom grants name */

/* One guest at a time is reached so. */
static struct {
    union grant_v1 grants[GRANTS], before[GRANTS];
    struct gantry_window_status status;
    struct direct_view view;
    struct window_counts counts;
    uint64_t records[JOURNAL_COPIES];
    struct access hypervisor;
    struct access *direct;
    struct fake_guest *guest;
} reach;

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "fake guest's window: %s\n", what);
        abort();
    }
}

/* Can the table itself say that a copy is refused? */
static bool is_for_the_table(int16_t status)
{
    return status == GNTST_okay || status == GNTST_bad_gntref;
}

static void write_grants(const struct fake_guest *guest)
{
    for (uint32_t page = 0; page < FAKE_GUEST_PAGES; page++) {
        bool shown = is_for_the_table(guest->refuse[page]);
        uint16_t flags = GTF_permit_access;

        if (guest->read_only[page]) {
            flags |= GTF_readonly;
        }
        if (shown && guest->refuse[page] != GNTST_okay) {
            flags = GTF_invalid;
        }
        reach.grants[FAKE_GUEST_REF + page].entry = (grant_entry_v1_t){
            .flags = flags, .domid = US,
            .frame = shown ? page : FAKE_GUEST_PAGES + page,
        };
    }
}

static void hypervisor_copy(struct access *access,
                            enum access_direction direction,
                            struct access_copy *copies, unsigned int count)
{
    (void)access;
    (void)direction;
    for (unsigned int i = 0; i < count; i++) {
        uint32_t page = copies[i].ref - FAKE_GUEST_REF;

        require(page < FAKE_GUEST_PAGES &&
                !is_for_the_table(reach.guest->refuse[page]),
                "a hypercall for what is in the window");
        copies[i].status = reach.guest->refuse[page];
    }
}

static void hypervisor_destroy(struct access *access)
{
    (void)access;
}

static const struct access_ops hypervisor_ops = {
    .name = "hypervisor", .copy = hypervisor_copy,
    .destroy = hypervisor_destroy,
};

static void miss(struct window *window, uint32_t frame)
{
    (void)window;
    require(frame >= FAKE_GUEST_PAGES, "a miss of a page that is shown");
}

static void copy(struct access *access, enum access_direction direction,
                 struct access_copy *copies, unsigned int count)
{
    struct fake_guest *guest = (struct fake_guest *)access;

    require(count != 0, "an empty batch");
    require(guest == reach.guest, "two guests at a time");
    guest->batches++;
    guest->copies += count;
    for (unsigned int i = 0; i < count; i++) {
        require(copies[i].size != 0 && copies[i].host != NULL &&
                copies[i].offset <= ACCESS_PAGE_SIZE &&
                copies[i].size <= ACCESS_PAGE_SIZE - copies[i].offset,
                "a copy that cannot be");
    }
    write_grants(guest);
    memcpy(reach.before, reach.grants, sizeof(reach.before));
    access_copy(reach.direct, direction, copies, count);
    require(memcmp(reach.before, reach.grants, sizeof(reach.before)) == 0,
            "an entry has changed");
    for (unsigned int i = 0; i < JOURNAL_COPIES; i++) {
        require(reach.records[i] == 0, "a pin stays");
    }
}

static void notify(struct access *access, int port)
{
    (void)port;
    ((struct fake_guest *)access)->notifies++;
}

static void destroy(struct access *access)
{
    fake_guest_destroy((struct fake_guest *)access);
}

static const struct access_ops ops = {
    .name = "fake by window", .copy = copy, .notify = notify,
    .destroy = destroy,
};

/* The frames beyond its pages are no memory of the guest. */
static void show_pages(const struct fake_guest *guest)
{
    static struct window_map *map;
    struct window_leaf *leaf = calloc(1, sizeof(*leaf));

    if (map != NULL) {
        window_map_destroy(map);
    }
    map = window_map_create(FAKE_GUEST_PAGES);
    require(map != NULL && leaf != NULL, "no memory");
    leaf->chunk[0] = (uint8_t *)guest->pages;
    map->leaf[0] = leaf;
    reach.view.window.map = map;
}

void fake_guest_made(struct fake_guest *guest)
{
    memset(&reach, 0, sizeof(reach));
    reach.guest = guest;
    reach.hypervisor.ops = &hypervisor_ops;
    reach.view.status = &reach.status;
    reach.view.window = (struct window){
        .grants = reach.grants, .grant_count = GRANTS, .user = US,
        .miss = miss,
    };
    show_pages(guest);
    reach.direct = direct_create(&reach.view, &reach.hypervisor,
                                 reach.records, &reach.counts);
    require(reach.direct != NULL, "no memory");
    guest->access.ops = &ops;
}

void fake_guest_ends(struct fake_guest *guest)
{
    require(guest == reach.guest, "two guests at a time");
    reach.direct->ops->destroy(reach.direct);
    reach.guest = NULL;
}
