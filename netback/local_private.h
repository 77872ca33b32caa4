/* SPDX-License-Identifier: GPL-2.0-only */
/* What local_front.c and local_listen.c share: the frontend's state. */
#ifndef NETBACK_LOCAL_PRIVATE_H
#define NETBACK_LOCAL_PRIVATE_H

#include "local_front.h"
#include "ring.h"

struct front_queue {
    netif_tx_sring_t *tx;       /* the backend writes them too */
    netif_rx_sring_t *rx;
    uint32_t tx_ring, rx_ring;  /* their gfns, and grant references */
    uint32_t tx_page, rx_page;  /* slot 0's grant, and rx's gfn */
    uint32_t tx_first;          /* gfn of the first page to send from */
    uint32_t tx_pages, tx_next;
    RING_IDX tx_prod, tx_cons;
    RING_IDX tx_pushed;         /* what the backend knows of tx_prod */
    RING_IDX rx_prod, rx_cons;
    uint16_t rx_ids[LOCAL_FRONT_SLOTS]; /* slot -> id of its request */
    int event;                  /* our end of the socket pair */
    int backend_event;          /* the backend's, sent at accept */
    struct local_front_stats stats;
};

struct local_front {
    uint8_t *memory;
    uint32_t page_count;
    uint32_t grant_frames;
    int memory_fd;
    int listen_fd;
    int fd;                     /* the backend's connection, or -1 */
    char *path;
    uint16_t queue_count;
    uint32_t tx_pages;          /* of a queue */
    uint32_t wanted;            /* features asked for */
    uint32_t features;          /* both sides have them */
    uint8_t mac[6];
    bool is_static;             /* grants are given once, for good */
    xen_netif_ctrl_sring_t *ctrl;
    uint32_t ctrl_ring;         /* gfns, and grant references */
    uint32_t ctrl_page;         /* what requests point to */
    RING_IDX ctrl_prod;         /* == responses taken, between requests */
    int ctrl_event;             /* our end of the socket pair */
    int backend_ctrl_event;
    struct front_queue queues[LOCAL_QUEUES_MAX];
};

/* local_front.c: give all RX buffers of a new queue. */
void local_front_fill(struct local_front *front, struct front_queue *q);

/* local_front.c: grant all slots' pages, and never end a grant again. */
void local_front_grant_all(struct local_front *front);

/* local_listen.c: send the backend an event. */
void local_front_kick(struct local_front *front, struct front_queue *q);

#endif
