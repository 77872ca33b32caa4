/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest's side of a vif for tests: pages, rings, and an access to them
 * that is stricter than any real one (a copy outside its page, of no bytes
 * or without host memory aborts).
 */
#ifndef TESTS_FAKE_GUEST_H
#define TESTS_FAKE_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/io/netif.h>

#include "netback/access.h"

#define FAKE_GUEST_PAGES 320u
#define FAKE_GUEST_REF 8u           /* the grant reference of page 0 */

struct fake_guest {
    struct access access;           /* first: an access is a fake_guest */
    netif_tx_sring_t *tx;
    netif_rx_sring_t *rx;
    uint8_t (*pages)[ACCESS_PAGE_SIZE];
    int16_t refuse[FAKE_GUEST_PAGES];   /* status of copies, 0: they work */
    bool read_only[FAKE_GUEST_PAGES];
    unsigned int copies;            /* pieces copied so far */
    unsigned int batches;           /* calls of copy so far */
    unsigned int notifies;
    RING_IDX tx_prod, tx_cons;      /* the guest's private indices */
    RING_IDX rx_prod, rx_cons;
};

struct fake_guest *fake_guest_create(void);
void fake_guest_destroy(struct fake_guest *guest);

/* guest_window.c, if it is linked: another way to the pages. */
void fake_guest_made(struct fake_guest *guest);
void fake_guest_ends(struct fake_guest *guest);

/* Put a request or an extra info in the TX ring; publish with _push. */
void fake_guest_send(struct fake_guest *guest, unsigned int page,
                     uint16_t offset, uint16_t size, uint16_t flags);
void fake_guest_send_extra(struct fake_guest *guest,
                           const netif_extra_info_t *extra);
void fake_guest_push_tx(struct fake_guest *guest);

/* Give page as an RX buffer; the id is the page's number. */
void fake_guest_give(struct fake_guest *guest, unsigned int page);
void fake_guest_push_rx(struct fake_guest *guest);

/* The next response; false when there is none. */
bool fake_guest_get_tx(struct fake_guest *guest,
                       netif_tx_response_t *response);
bool fake_guest_get_rx(struct fake_guest *guest,
                       netif_rx_response_t *response);

#endif
