/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets from a backend: the frontend's half of a netif RX ring, in pure C.
 *
 *   count = from_backend_take(q, burst, budget)    responses -> packets
 *   each packet: from_backend_data() of each of its fragments, copied
 *   kick = from_backend_give(q, burst, count)      buffers again, one store
 *
 * Buffers are pages that stay granted as long as the ring lives, so a
 * backend may write into one at any time.  Therefore a packet's bytes are
 * copied once, and only the copy is looked at or handed on.
 *
 * A negative errno (-EPROTO) says that the backend broke the ring; q->fault
 * says how.  The caller then stops using the ring.
 */
#ifndef NETBACK_FROM_BACKEND_H
#define NETBACK_FROM_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/io/netif.h>

#include "access.h"
#include "to_backend.h"

#define FROM_BACKEND_RING_SIZE 256u /* slots of a one-page ring */
#define FROM_BACKEND_BURST 64u      /* packets in one take, at most */
#define FROM_BACKEND_CHAIN_MAX 20u  /* data slots of a packet */
#define FROM_BACKEND_EXTRAS_MAX (XEN_NETIF_EXTRA_TYPE_MAX - 1)
#define FROM_BACKEND_SIZE_MIN 14u   /* an Ethernet header */
#define FROM_BACKEND_SIZE_MAX 65535u

enum from_backend_fault {
    FROM_BACKEND_OK,
    FROM_BACKEND_INDEX,         /* more responses than requests */
    FROM_BACKEND_ID,            /* not the id of the slot's request */
    FROM_BACKEND_TOO_LONG,      /* over 20 slots in a packet */
    FROM_BACKEND_EXTRA_TYPE,    /* unknown or repeated extra info */
};

/* Why a packet is not to be used; for the counters. */
enum from_backend_drop {
    FROM_BACKEND_KEEP,
    FROM_BACKEND_DROP_STATUS,   /* the backend reports an error */
    FROM_BACKEND_DROP_BOUNDS,   /* bytes outside the page */
    FROM_BACKEND_DROP_SIZE,     /* a runt, or over 65535 bytes */
    FROM_BACKEND_DROP_GSO,      /* size 0 or an unknown type */
    FROM_BACKEND_DROPS          /* count of reasons */
};

/* A private copy of one ring slot. */
union from_backend_slot {
    uint32_t word[2];
    netif_rx_response_t response;
    netif_extra_info_t extra;
};

struct from_backend_fragment {
    uint16_t id;                /* the buffer's number */
    uint16_t offset;            /* offset + size <= 4096, size > 0 */
    uint16_t size;
};

struct from_backend_packet {
    uint32_t size;
    uint16_t slot_count;        /* with extra infos */
    uint16_t fragment;          /* first in burst->fragments */
    uint16_t fragment_count;
    uint16_t flags;             /* NETRXF_* of the first slot */
    uint16_t gso_size;          /* 0: not GSO */
    uint8_t gso_type;           /* XEN_NETIF_GSO_TYPE_* */
    uint8_t drop;               /* enum from_backend_drop */
    bool has_hash;
    uint32_t hash;
};

/* One queue's state between bursts. */
struct from_backend {
    netif_rx_sring_t *ring;     /* borrowed, the backend writes it */
    struct backend_buffers buffers;     /* count: a power of two */
    RING_IDX rsp_cons;          /* requests: rsp_cons + buffers.count */
    RING_IDX seen;              /* the backend's index at the last take */
    enum from_backend_fault fault;
};

/* What we know of one burst; all of it private memory. */
struct from_backend_burst {
    uint16_t slot_count;
    uint16_t packet_count;
    uint16_t fragment_count;
    struct from_backend_packet packets[FROM_BACKEND_BURST];
    union from_backend_slot slots[FROM_BACKEND_RING_SIZE];
    struct from_backend_fragment fragments[FROM_BACKEND_RING_SIZE];
};

/*
 * Make a new ring and give all buffers, whose count is a power of two up to
 * FROM_BACKEND_RING_SIZE; nobody else has the ring's page yet.
 */
void from_backend_init(struct from_backend *q, netif_rx_sring_t *ring,
                       const struct backend_buffers *buffers);

/*
 * Look at up to budget packets (at most FROM_BACKEND_BURST); nothing is
 * consumed.  A packet whose slots are not all there yet waits.  Returns the
 * number of packets, some of which have drop set, or -EPROTO.
 */
int from_backend_take(struct from_backend *q,
                      struct from_backend_burst *burst, unsigned int budget);

/* A fragment's bytes, which the backend may be changing. */
const uint8_t *from_backend_data(const struct from_backend *q,
                                 const struct from_backend_fragment *part);

/*
 * Consume the first count packets of the burst: their buffers are the
 * backend's again.  True: the backend wants an event.
 */
bool from_backend_give(struct from_backend *q,
                       const struct from_backend_burst *burst,
                       unsigned int count);

/*
 * Ask the backend for an event at its next response.  True: there are more
 * already than the last take saw.
 */
bool from_backend_arm(struct from_backend *q);

/* One line for a person. */
const char *from_backend_fault_text(enum from_backend_fault fault);

#endif
