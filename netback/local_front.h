/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The frontend of a local vif (local.h): a netfront in a process, for tests,
 * benchmarks and containers.  It behaves as Linux's does: a grant is given
 * for each request and ended at its response, and a grant that is still in
 * use then is an error of the backend.
 *
 * Threads: accept, is_closed and destroy belong to one thread; send, receive
 * and the like of one queue and direction to one thread at a time.
 */
#ifndef NETBACK_LOCAL_FRONT_H
#define NETBACK_LOCAL_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/io/netif.h>

#include "local.h"

#define LOCAL_FRONT_SLOTS 256u

struct local_front;

/* A packet in the caller's memory, or to be filled by receive. */
struct local_packet {
    uint8_t *data;
    uint32_t size;              /* bytes; for receive: in room, out size */
    uint16_t flags;             /* NETTXF_* or NETRXF_* of the first slot */
    uint16_t gso_size;
    uint8_t gso_type;
    uint16_t piece;             /* send: bytes of a slot; 0: a page */
    int16_t status;             /* receive: 0, or a negative NETIF_RSP_* */
    bool has_hash;              /* receive */
    uint8_t hash_type;          /* _XEN_NETIF_CTRL_HASH_TYPE_* */
    uint32_t hash;
};

struct local_front_stats {
    uint64_t sent;              /* packets put in the rings */
    uint64_t sent_errors;       /* slots answered with an error */
    uint64_t received;
    uint64_t received_errors;
    uint64_t grants_in_use;     /* ended grants that the backend still used */
};

struct local_front_config {
    const char *path;           /* of the socket */
    uint16_t queue_count;
    uint32_t features;          /* LOCAL_* */
    uint32_t tx_pages;          /* from which a queue sends, in turn */
    uint8_t mac[6];
};

/* Make the memory and listen; NULL with errno set. */
struct local_front *local_front_create_with(
    const struct local_front_config *config);

/* With a page for each slot. */
struct local_front *local_front_create(const char *path,
                                       uint16_t queue_count,
                                       uint32_t features,
                                       const uint8_t mac[6]);
void local_front_destroy(struct local_front *front);

/*
 * Wait for a backend and shake hands.  After a backend has gone the rings
 * stay as they are, and the next one goes on with them.  0, -ETIMEDOUT, or
 * the backend's refusal.
 */
int local_front_accept(struct local_front *front, int timeout_ms);
bool local_front_is_closed(const struct local_front *front);

/* Features that both sides have, after accept. */
uint32_t local_front_features(const struct local_front *front);

/* Queue packets to the backend; returns how many found room. */
unsigned int local_front_send(struct local_front *front, unsigned int queue,
                              const struct local_packet *packets,
                              unsigned int count);

/*
 * As send, but without a copy.  begin takes back what was answered and
 * returns the slots that are free; next puts a request for size bytes in
 * one, and returns the page that the bytes are to be in before push.  A
 * packet's first request has the size of all of it (netif.h).
 */
unsigned int local_front_begin(struct local_front *front, unsigned int queue);
uint8_t *local_front_next(struct local_front *front, unsigned int queue,
                          uint32_t size, uint16_t flags);
void local_front_push(struct local_front *front, unsigned int queue);

/* Packets from the backend; give their buffers again; returns how many. */
unsigned int local_front_receive(struct local_front *front,
                                 unsigned int queue,
                                 struct local_packet *packets,
                                 unsigned int count);

/*
 * As receive, but without a copy: each slot's bytes are shown to look,
 * and the page is the backend's again when it returns.  Returns packets.
 */
typedef void local_front_look(const uint8_t *data, uint32_t size);
unsigned int local_front_discard(struct local_front *front,
                                 unsigned int queue, unsigned int count,
                                 local_front_look *look);

/* The socket on which the backend's events for a queue arrive. */
int local_front_event_fd(const struct local_front *front,
                         unsigned int queue);

/* Ask for an event at the next packet; true: there is one already. */
bool local_front_arm(struct local_front *front, unsigned int queue);

#define LOCAL_FRONT_CTRL_MS 10000   /* the longest wait for an answer */

/*
 * Ask over the control ring and wait for the answer; the feature LOCAL_CTRL
 * is needed.  -ETIMEDOUT; -EPROTO: an answer to something else.
 */
int local_front_ctrl(struct local_front *front, uint16_t type,
                     const uint32_t data[3],
                     struct xen_netif_ctrl_response *response,
                     int timeout_ms);

/* The page that requests may point to, and its grant. */
void *local_front_ctrl_page(struct local_front *front, grant_ref_t *ref);

/* Have all pages of all queues mapped by the backend, for good. */
int local_front_use_static(struct local_front *front);

/* Take a queue's pages back; it goes on by grants that never end. */
int local_front_drop_static(struct local_front *front, unsigned int queue);

/* How received packets are to be spread over the queues. */
struct local_hash {
    uint32_t flags;             /* XEN_NETIF_CTRL_HASH_TYPE_* */
    uint32_t key_size;          /* bytes */
    uint32_t mapping_size;      /* entries */
    const uint8_t *key;
    const uint32_t *mapping;
};

int local_front_use_hash(struct local_front *front,
                         const struct local_hash *hash);

struct local_front_stats local_front_stats(const struct local_front *front,
                                           unsigned int queue);

/* For tests that want to misbehave: the shared memory as it is. */
void *local_front_page(struct local_front *front, uint32_t gfn);
union grant_v1 *local_front_grant(struct local_front *front,
                                     grant_ref_t ref);
/* The grant of slot 0's TX page; the other slots', then RX's follow. */
grant_ref_t local_front_first_ref(const struct local_front *front,
                                  unsigned int queue);
xen_netif_ctrl_sring_t *local_front_ctrl_ring(struct local_front *front);
void local_front_ctrl_kick(struct local_front *front);
netif_tx_sring_t *local_front_tx(struct local_front *front,
                                 unsigned int queue);
netif_rx_sring_t *local_front_rx(struct local_front *front,
                                 unsigned int queue);

#endif
