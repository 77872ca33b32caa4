/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bursts of mbufs over one guest queue, and the gate between the threads
 * that poll and the thread that connects.
 */
#ifndef NETBACK_BURST_H
#define NETBACK_BURST_H

#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include <rte_common.h>
#include <rte_mbuf.h>
#include <rte_pause.h>

#include "access.h"
#include "from_guest.h"
#include "to_guest.h"
#include "window.h"

#define BURST_SPANS 256u        /* mbuf segments of one burst, at most */
#define BURST_SEGMENTS 64u      /* mbuf segments of one packet, at most */

/*
 * The gate of one direction of a queue.  A packet thread enters for a burst;
 * the control thread opens it after everything behind it is ready, and
 * closes it before anything behind it goes.
 *
 * enter: busy = 1 (full barrier), then reads open.
 * close: open = 0 (full barrier), then waits for busy == 0.
 * So either enter sees the gate closed, or close sees the thread inside.
 * A packet thread waits only for another packet thread's burst, and only
 * when they share the queue; never for the control thread.
 *
 * What a packet thread may only see within a burst goes without closing the
 * gate: hide it, burst_gate_quiesce(), release it.
 */
struct burst_gate {
    uint32_t open;              /* [a] */
    uint32_t busy;              /* [a] */
    uint32_t turns;             /* [a] bursts that have ended */
};

static inline bool burst_gate_enter(struct burst_gate *gate)
{
    if (__atomic_load_n(&gate->open, __ATOMIC_RELAXED) == 0) {
        return false;
    }
    while (__atomic_exchange_n(&gate->busy, 1, __ATOMIC_SEQ_CST) != 0) {
        rte_pause();
    }
    if (__atomic_load_n(&gate->open, __ATOMIC_SEQ_CST) == 0) {
        __atomic_store_n(&gate->busy, 0, __ATOMIC_RELEASE);
        return false;
    }
    return true;
}

static inline void burst_gate_leave(struct burst_gate *gate)
{
    __atomic_store_n(&gate->turns, gate->turns + 1, __ATOMIC_RELEASE);
    __atomic_store_n(&gate->busy, 0, __ATOMIC_RELEASE);
}

/* From inside: nobody comes in after us. */
static inline void burst_gate_shut(struct burst_gate *gate)
{
    __atomic_store_n(&gate->open, 0, __ATOMIC_SEQ_CST);
}

static inline void burst_gate_open(struct burst_gate *gate)
{
    __atomic_store_n(&gate->open, 1, __ATOMIC_SEQ_CST);
}

/* Returns when no thread is inside; waits at most a burst. */
static inline void burst_gate_close(struct burst_gate *gate)
{
    burst_gate_shut(gate);
    while (__atomic_load_n(&gate->busy, __ATOMIC_SEQ_CST) != 0) {
        sched_yield();
    }
}

/*
 * Returns when no thread is inside that was inside at the call; waits at
 * most a burst, however busy the gate is.  One that enters later sees what
 * was stored before the call: its exchange of busy and our fence are full
 * barriers.
 */
static inline void burst_gate_quiesce(const struct burst_gate *gate)
{
    uint32_t turns;

    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    turns = __atomic_load_n(&gate->turns, __ATOMIC_ACQUIRE);
    while (__atomic_load_n(&gate->busy, __ATOMIC_ACQUIRE) != 0 &&
           __atomic_load_n(&gate->turns, __ATOMIC_ACQUIRE) == turns) {
        sched_yield();
    }
}

struct burst_from_stats {
    uint64_t packets;
    uint64_t bytes;
    uint64_t drops[FROM_GUEST_DROPS];
    uint64_t no_mbuf;           /* times; the packets wait in the ring */
    uint64_t completed;         /* checksums completed here */
    uint64_t static_copies;     /* pieces of static grants */
    uint64_t events;            /* sent */
    uint64_t ring_errors;
    uint64_t restart_lost;      /* packets taken by a process killed then */
    struct window_counts window;
};

struct burst_to_stats {
    uint64_t packets;
    uint64_t bytes;
    uint64_t drops[TO_GUEST_DROPS];
    uint64_t no_buffer;         /* packets refused: the guest gave none */
    uint64_t closed;            /* packets dropped: not connected */
    uint64_t scattered;         /* packets dropped: over BURST_SEGMENTS */
    uint64_t offload;           /* packets dropped: the guest cannot */
    uint64_t completed;         /* checksums completed here */
    uint64_t static_copies;
    uint64_t hashed;            /* packets steered by the guest's hash */
    uint64_t events;
    uint64_t ring_errors;
    struct window_counts window;
};

/* Guest -> mbufs.  Members under the gate, but for stats. */
struct burst_from {
    struct burst_gate gate;
    struct from_guest ring;
    struct from_guest_burst *burst;
    struct access *access;
    int port;                   /* event channel */
    uint16_t owner;             /* of large buffers: the port's number */
    bool offload;               /* the switch takes partial checksums */
    uint32_t frame_max;         /* [a] bytes that the switch takes of a packet;
                                 * UINT32_MAX: what its mbufs hold */
    void (*broken)(void *vif, const char *why);     /* any thread */
    void *vif;
    struct burst_from_stats stats;
} __rte_cache_aligned;

/* What a frontend said that it takes. */
struct burst_takes {
    bool csum_ipv4;             /* packets without their L4 checksum */
    bool csum_ipv6;
    bool gso_tcpv4;
    bool gso_tcpv6;
};

/* Mbufs -> guest. */
struct burst_to {
    struct burst_gate gate;
    struct to_guest ring;
    struct to_guest_burst *burst;
    struct access *access;
    int port;
    struct burst_takes takes;
    void (*broken)(void *vif, const char *why);
    void *vif;
    struct burst_to_stats stats;
    struct to_guest_packet packets[TO_GUEST_BURST];
    struct to_guest_span spans[BURST_SPANS];
} __rte_cache_aligned;

/* Up to count mbufs from pool, filled with packets; returns how many. */
unsigned int burst_from_guest(struct burst_from *b, struct rte_mempool *pool,
                              struct rte_mbuf **mbufs, unsigned int count);

/*
 * Send mbufs; returns how many were consumed (sent, or dropped for a cause
 * that is counted).  The others found no buffers in the guest.
 */
unsigned int burst_to_guest(struct burst_to *b, struct rte_mbuf **mbufs,
                            unsigned int count);

/* The same, and tell the guest hashes[i] of mbufs[i] if it has a type. */
unsigned int burst_to_guest_hashed(struct burst_to *b,
                                   struct rte_mbuf **mbufs,
                                   const struct hash_value *hashes,
                                   unsigned int count);

#endif
