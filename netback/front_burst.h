/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bursts of mbufs over one ring pair of a frontend, behind the gates that
 * burst.h describes.
 */
#ifndef NETBACK_FRONT_BURST_H
#define NETBACK_FRONT_BURST_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_mbuf.h>

#include "burst.h"
#include "from_backend.h"
#include "front_link.h"
#include "to_backend.h"

struct front_rx_stats {
    uint64_t packets;
    uint64_t bytes;
    uint64_t drops[FROM_BACKEND_DROPS];
    uint64_t headers;           /* dropped: not what the flags say */
    uint64_t too_large;         /* dropped: more than one mbuf holds */
    uint64_t no_mbuf;           /* times; the packets wait in the ring */
    uint64_t completed;         /* checksums completed here */
    uint64_t events;            /* sent */
    uint64_t ring_errors;
};

struct front_tx_stats {
    uint64_t packets;
    uint64_t bytes;
    uint64_t refused;           /* requests answered with an error */
    uint64_t size;              /* dropped: too large for the backend */
    uint64_t scattered;         /* dropped: over BURST_SEGMENTS */
    uint64_t offload;           /* dropped: the backend cannot */
    uint64_t closed;            /* dropped: not connected */
    uint64_t no_room;           /* packets that found the ring full */
    uint64_t completed;         /* checksums completed here */
    uint64_t events;
    uint64_t ring_errors;
};

/* Backend -> mbufs.  Members under the gate, but for stats. */
struct front_rx {
    struct burst_gate gate;
    struct from_backend ring;
    struct from_backend_burst *burst;
    struct front_link *link;
    uint16_t queue;
    bool starved;               /* packets wait in the ring for mbufs */
    bool scatter;               /* the application takes chained mbufs */
    bool lro;
    void (*broken)(void *front, const char *why);   /* any thread */
    void *front;
    struct front_rx_stats stats;
} __rte_cache_aligned;

/* Mbufs -> backend. */
struct front_tx {
    struct burst_gate gate;
    struct to_backend ring;
    struct front_link *link;
    uint16_t queue;
    struct burst_takes takes;
    void (*broken)(void *front, const char *why);
    void *front;
    struct front_tx_stats stats;
} __rte_cache_aligned;

/* Up to count mbufs from pool, filled with packets; returns how many. */
unsigned int front_rx_burst(struct front_rx *rx, struct rte_mempool *pool,
                            struct rte_mbuf **mbufs, unsigned int count);

/*
 * Send mbufs; returns how many were consumed (sent, or dropped for a cause
 * that is counted).  The others found no room in the ring.
 */
unsigned int front_tx_burst(struct front_tx *tx, struct rte_mbuf **mbufs,
                            unsigned int count);

/*
 * Take the events that have come and ask for one at the next packet.  True:
 * there are packets already, or some that found no mbufs.
 */
bool front_rx_arm(struct front_rx *rx);

#endif
