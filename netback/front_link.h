/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What connects a frontend to its backend: rings and buffers in granted
 * pages, and events.  Made by front_local.c (another process on this
 * machine) or front_xen.c (another domain).
 *
 * A link is made anew for each connection: what an earlier backend had
 * mapped, it may go on writing, but nobody reads that any more.
 */
#ifndef NETBACK_FRONT_LINK_H
#define NETBACK_FRONT_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "burst.h"
#include "from_backend.h"
#include "to_backend.h"

#define FRONT_QUEUES_MAX 16u

struct front_link_queue {
    netif_tx_sring_t *tx;
    netif_rx_sring_t *rx;
    struct backend_buffers tx_buffers;  /* granted for reading */
    struct backend_buffers rx_buffers;  /* granted for writing */
    int fd;                     /* readable when an event has come */
};

/* A control ring, and a page that its requests may point to. */
struct front_link_ctrl {
    xen_netif_ctrl_sring_t *ring;   /* NULL: there is none */
    void *page;                 /* granted for writing, as the ring is */
    grant_ref_t page_ref;
    int fd;                     /* readable when an event has come */
};

struct front_link;

struct front_link_ops {
    const char *name;           /* "local", "xen" */

    /* Wake the backend: it has requests in queue's TX or RX ring. */
    void (*notify)(struct front_link *link, unsigned int queue, bool tx);

    /* Take the events that have come, so that fd is quiet until the next. */
    void (*drain)(struct front_link *link, unsigned int queue);

    /* The same of the control ring, if there is one; true: one had come. */
    void (*notify_ctrl)(struct front_link *link);
    bool (*drain_ctrl)(struct front_link *link);

    /*
     * Give all back.  A page that the backend still has is never used
     * again: the kernel keeps it until the backend has let go.
     */
    void (*destroy)(struct front_link *link);
};

/* The first member of every implementation's structure. */
struct front_link {
    const struct front_link_ops *ops;
    uint16_t queue_count;
    struct burst_takes takes;   /* what the backend takes */
    bool linear;                /* it takes one slot a packet */
    struct front_link_queue queues[FRONT_QUEUES_MAX];
    struct front_link_ctrl ctrl;
};

/* What a frontend wants; a link has at most that. */
struct front_wish {
    uint16_t queues;
    uint16_t rx_buffers;        /* of a queue: a power of two */
    uint16_t tx_buffers;
    bool scatter;               /* takes packets of several slots */
    bool lro;                   /* takes large TCP packets */
    uint8_t mac[6];
    /* Make the rings: their pages are ready and nobody else's yet. */
    void (*prepare)(void *front, struct front_link *link);
    void *front;
};

static inline bool front_wish_is_same(const struct front_wish *a,
                                      const struct front_wish *b)
{
    return a->queues == b->queues && a->rx_buffers == b->rx_buffers &&
           a->tx_buffers == b->tx_buffers && a->scatter == b->scatter &&
           a->lro == b->lro &&
           memcmp(a->mac, b->mac, sizeof(a->mac)) == 0 &&
           a->prepare == b->prepare && a->front == b->front;
}

/*
 * front_local.c; nothing here waits.  Listen at path: a descriptor or a
 * negative errno.  Accept: a link for the backend that connects, or NULL when
 * it went away first; a negative errno and *why: it cannot be.  Step: shake
 * hands with it; 0: its rings run.  -EAGAIN: not yet, ask again when the
 * link's descriptor is readable, or in a while, for it has not for ever;
 * -EPIPE: it has left, or says nothing; others, and *why: it is no good.
 */
int front_local_listen(const char *path);
int front_local_accept(int listen_fd, const struct front_wish *wish,
                       struct front_link **link, const char **why);
int front_local_step(struct front_link *link, const char **why);

/* The connection: at its end the backend has gone. */
int front_local_fd(const struct front_link *link);
bool front_local_is_closed(const struct front_link *link);

#endif
