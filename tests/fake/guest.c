/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest in the test's own memory.  Talks to netback/access.h, whose
 * contract it enforces by abort().
 *
 * Invariants:
 *  1. Reference FAKE_GUEST_REF + n grants page n; any other is unknown.
 *  2. A request's id is the number of its page; extra infos have none.
 *  3. Whoever is linked beside may change the way to a guest's pages:
 *     guest_window.c.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "guest.h"

#define RING_SLOTS 256u

__attribute__((weak)) void fake_guest_made(struct fake_guest *guest)
{
    (void)guest;
}

__attribute__((weak)) void fake_guest_ends(struct fake_guest *guest)
{
    (void)guest;
}

static void require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "fake guest: %s\n", what);
        abort();
    }
}

static int16_t copy_one(struct fake_guest *guest,
                        enum access_direction direction,
                        const struct access_copy *copy)
{
    uint32_t page = copy->ref - FAKE_GUEST_REF;
    uint8_t *there;

    require(copy->size != 0, "a copy of no bytes");
    require(copy->offset <= ACCESS_PAGE_SIZE &&
            copy->size <= ACCESS_PAGE_SIZE - copy->offset,
            "a copy leaves its page");
    require(copy->host != NULL, "a copy without host memory");
    if (page >= FAKE_GUEST_PAGES) {
        return GNTST_bad_gntref;
    }
    if (guest->refuse[page] != GNTST_okay) {
        return guest->refuse[page];
    }
    there = guest->pages[page] + copy->offset;
    if (direction == ACCESS_FROM_GUEST) {
        memcpy(copy->host, there, copy->size);
        return GNTST_okay;
    }
    if (guest->read_only[page]) {
        return GNTST_general_error;
    }
    memcpy(there, copy->host, copy->size);
    return GNTST_okay;
}

static void copy(struct access *access, enum access_direction direction,
                 struct access_copy *copies, unsigned int count)
{
    struct fake_guest *guest = (struct fake_guest *)access;

    require(count != 0, "an empty batch");
    guest->batches++;
    guest->copies += count;
    for (unsigned int i = 0; i < count; i++) {
        copies[i].status = copy_one(guest, direction, &copies[i]);
    }
}

static void *map(struct access *access, grant_ref_t ref)
{
    struct fake_guest *guest = (struct fake_guest *)access;
    uint32_t page = ref - FAKE_GUEST_REF;

    return page < FAKE_GUEST_PAGES ? guest->pages[page] : NULL;
}

static void unmap(struct access *access, void *page)
{
    (void)access;
    (void)page;
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

static const struct access_ops fake_ops = {
    .name = "fake",
    .copy = copy,
    .map = map,
    .unmap = unmap,
    .notify = notify,
    .destroy = destroy,
};

static void *new_pages(size_t count)
{
    void *pages = aligned_alloc(ACCESS_PAGE_SIZE, count * ACCESS_PAGE_SIZE);

    require(pages != NULL, "out of memory");
    memset(pages, 0, count * ACCESS_PAGE_SIZE);
    return pages;
}

struct fake_guest *fake_guest_create(void)
{
    struct fake_guest *guest = calloc(1, sizeof(*guest));

    require(guest != NULL, "out of memory");
    guest->access.ops = &fake_ops;
    guest->tx = new_pages(1);
    guest->rx = new_pages(1);
    guest->pages = new_pages(FAKE_GUEST_PAGES);
    /* As SHARED_RING_INIT leaves them. */
    guest->tx->req_event = guest->tx->rsp_event = 1;
    guest->rx->req_event = guest->rx->rsp_event = 1;
    fake_guest_made(guest);
    return guest;
}

void fake_guest_destroy(struct fake_guest *guest)
{
    fake_guest_ends(guest);
    free(guest->tx);
    free(guest->rx);
    free(guest->pages);
    free(guest);
}

static union netif_tx_sring_entry *tx_entry(struct fake_guest *guest,
                                            RING_IDX index)
{
    union netif_tx_sring_entry *entries = guest->tx->ring;

    return entries + index % RING_SLOTS;
}

static union netif_rx_sring_entry *rx_entry(struct fake_guest *guest,
                                            RING_IDX index)
{
    union netif_rx_sring_entry *entries = guest->rx->ring;

    return entries + index % RING_SLOTS;
}

void fake_guest_send(struct fake_guest *guest, unsigned int page,
                     uint16_t offset, uint16_t size, uint16_t flags)
{
    tx_entry(guest, guest->tx_prod++)->req = (netif_tx_request_t){
        .gref = FAKE_GUEST_REF + page,
        .offset = offset,
        .flags = flags,
        .id = page,
        .size = size,
    };
}

void fake_guest_send_extra(struct fake_guest *guest,
                           const netif_extra_info_t *extra)
{
    memcpy(tx_entry(guest, guest->tx_prod++), extra, sizeof(*extra));
}

void fake_guest_push_tx(struct fake_guest *guest)
{
    __atomic_store_n(&guest->tx->req_prod, guest->tx_prod,
                     __ATOMIC_RELEASE);
}

void fake_guest_give(struct fake_guest *guest, unsigned int page)
{
    rx_entry(guest, guest->rx_prod++)->req = (netif_rx_request_t){
        .id = page,
        .gref = FAKE_GUEST_REF + page,
    };
}

void fake_guest_push_rx(struct fake_guest *guest)
{
    __atomic_store_n(&guest->rx->req_prod, guest->rx_prod,
                     __ATOMIC_RELEASE);
}

bool fake_guest_get_tx(struct fake_guest *guest,
                       netif_tx_response_t *response)
{
    if (guest->tx_cons ==
        __atomic_load_n(&guest->tx->rsp_prod, __ATOMIC_ACQUIRE)) {
        return false;
    }
    *response = tx_entry(guest, guest->tx_cons++)->rsp;
    return true;
}

bool fake_guest_get_rx(struct fake_guest *guest,
                       netif_rx_response_t *response)
{
    if (guest->rx_cons ==
        __atomic_load_n(&guest->rx->rsp_prod, __ATOMIC_ACQUIRE)) {
        return false;
    }
    *response = rx_entry(guest, guest->rx_cons++)->rsp;
    return true;
}
