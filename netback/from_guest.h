/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets from a guest: the backend's half of a netif TX ring, in pure C.
 *
 *   count = from_guest_take(q, burst, budget)   slots copied, once
 *   count = from_guest_parse(burst)             slots -> packets
 *   each packet: from_guest_plan(burst, i, spans, n)     -> copies
 *   access_copy(access, ACCESS_FROM_GUEST, burst->copies, ...)
 *   from_guest_settle(burst)                    copy statuses -> packets
 *   kick = from_guest_respond(q, burst)         responses, one index store
 *
 * take and parse return a negative errno when the ring is broken for good
 * (-EPROTO); q->fault or burst->fault says why.  The caller then stops
 * using the ring and tells the person.  Nothing has been consumed.
 */
#ifndef NETBACK_FROM_GUEST_H
#define NETBACK_FROM_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/io/netif.h>

#include "access.h"
#include "journal.h"

#define FROM_GUEST_RING_SIZE 256u   /* slots of a one-page ring */
#define FROM_GUEST_BURST 64u        /* packets in one take, at most */
#define FROM_GUEST_COPIES 1024u     /* see from_guest_plan */
#define FROM_GUEST_HEADER 256u      /* L2-L4 headers: bytes in span 0 */
#define FROM_GUEST_SIZE_MIN 14u     /* an Ethernet header */

/*
 * Slots chained to the first one: with more than CHAIN_MAX the packet is
 * dropped, with more than CHAIN_FATAL the ring is broken.  The limits are
 * those of Linux's netback, so frontends know them.
 */
#define FROM_GUEST_CHAIN_MAX XEN_NETIF_NR_SLOTS_MIN
#define FROM_GUEST_CHAIN_FATAL 20u
#define FROM_GUEST_EXTRAS_MAX (XEN_NETIF_EXTRA_TYPE_MAX - 1)

/* The slots of a packet that is not fatal, at most. */
#define FROM_GUEST_PACKET_SLOTS \
    (1 + FROM_GUEST_EXTRAS_MAX + FROM_GUEST_CHAIN_FATAL)

enum from_guest_fault {
    FROM_GUEST_OK,
    FROM_GUEST_INDEX,           /* more requests than the ring has slots */
    FROM_GUEST_TRUNCATED,       /* a chain runs past the producer index */
    FROM_GUEST_TOO_LONG,        /* over 20 slots chained to one */
    FROM_GUEST_CROSS_PAGE,      /* offset + size passes the page's end */
    FROM_GUEST_EXTRA_TYPE,      /* unknown or repeated extra info */
    FROM_GUEST_GSO,             /* size 0 or a type not offered */
};

enum from_guest_kind {
    FROM_GUEST_DATA,
    FROM_GUEST_MCAST_ADD,       /* no data, mcast[] is valid */
    FROM_GUEST_MCAST_DEL,
};

/* Why a packet carries an error status; for the counters. */
enum from_guest_drop {
    FROM_GUEST_KEEP,
    FROM_GUEST_DROP_SLOTS,      /* 19 or 20 slots chained to one */
    FROM_GUEST_DROP_SIZE,       /* fragments and total disagree */
    FROM_GUEST_DROP_RUNT,       /* under 14 bytes */
    FROM_GUEST_DROP_COPY,       /* the guest's grant failed */
    FROM_GUEST_DROP_OFFLOAD,    /* headers do not fit the flags */
    FROM_GUEST_DROP_BUFFER,     /* the caller had no room for it */
    FROM_GUEST_DROP_MTU,        /* the caller takes none so large */
    FROM_GUEST_DROP_SHARE,      /* the caller keeps too many so large */
    FROM_GUEST_DROPS            /* count of reasons */
};

/* A private copy of one ring slot. */
union from_guest_slot {
    uint32_t word[3];
    netif_tx_request_t request;
    netif_extra_info_t extra;
};

/* A response on its way to the ring. */
union from_guest_answer {
    uint32_t word;
    netif_tx_response_t response;
};

struct from_guest_fragment {
    grant_ref_t ref;
    uint16_t offset;            /* offset + size <= 4096, size > 0 */
    uint16_t size;
};

/* Two to a cache line, in an order in which few stores fill it. */
struct from_guest_packet {
    uint32_t size;              /* bytes of data, all fragments */
    uint16_t slot;              /* first slot in burst->slots */
    uint16_t fragment;          /* first in burst->fragments */
    uint8_t slot_count;         /* with extra infos */
    uint8_t fragment_count;     /* zero-length ones are left out */
    uint8_t extra_count;        /* they follow the first slot */
    uint8_t kind;               /* enum from_guest_kind */
    uint16_t flags;             /* NETTXF_* of the first slot */
    uint16_t gso_size;          /* 0: not GSO */
    int16_t status;             /* NETIF_RSP_OKAY unless dropped */
    uint8_t drop;               /* enum from_guest_drop */
    uint8_t gso_type;           /* XEN_NETIF_GSO_TYPE_* */
    uint8_t mcast[6];           /* if kind is not FROM_GUEST_DATA */
    bool has_hash;
    uint8_t hash_type;          /* _XEN_NETIF_CTRL_HASH_TYPE_*, if has_hash */
    uint32_t hash;              /* if has_hash */
};

/* Is there something to be copied, and nothing wrong so far? */
static inline bool from_guest_has_data(const struct from_guest_packet *packet)
{
    return packet->kind == FROM_GUEST_DATA && packet->drop == FROM_GUEST_KEEP;
}

/* The caller's memory for a packet, or a part of it. */
struct from_guest_span {
    uint8_t *data;
    uint32_t size;
};

/* One queue's state between bursts. */
struct from_guest {
    netif_tx_sring_t *ring;     /* borrowed, the guest writes it */
    RING_IDX req_cons;          /* == rsp_prod between bursts */
    struct journal_half *journal;   /* borrowed; NULL: none is kept */
    enum from_guest_fault fault;
};

/*
 * What we know of one burst; all of it private memory.  One per queue, made
 * once; offered_gso is set by the caller, the rest by the functions here.
 */
struct from_guest_burst {
    uint8_t offered_gso;        /* bit n: XEN_NETIF_GSO_TYPE n is offered */
    enum from_guest_fault fault;
    bool more;                  /* the ring held more than we took */
    uint16_t budget;            /* packets */
    uint16_t slot_count;
    uint16_t single_count;      /* leading slots, each a packet by itself */
    uint16_t packet_count;
    uint16_t fragment_count;
    uint16_t copy_count;
    struct from_guest_packet packets[FROM_GUEST_BURST];
    union from_guest_slot slots[FROM_GUEST_RING_SIZE];
    union from_guest_answer answers[FROM_GUEST_RING_SIZE];
    struct from_guest_fragment fragments[FROM_GUEST_RING_SIZE];
    struct access_copy copies[FROM_GUEST_COPIES];
};

/*
 * Attach to a mapped one-page ring, going on where the ring's indices stand
 * (so also after a restart).  -EPROTO when they contradict each other.
 */
int from_guest_init(struct from_guest *q, netif_tx_sring_t *ring);

/*
 * Before from_guest_init, if a killed process kept this journal of the ring:
 * finish its answers.  Returns how many packets it took and did not hand on.
 */
unsigned int from_guest_finish(netif_tx_sring_t *ring,
                               struct journal_half *journal);

/*
 * Copy slots for up to budget packets (at most FROM_GUEST_BURST).  Those of
 * a packet that the budget cuts are left to the next take.  Returns the
 * number of slots, 0 when idle, or -EPROTO.
 */
int from_guest_take(struct from_guest *q, struct from_guest_burst *burst,
                    unsigned int budget);

/*
 * Turn the slots into packets.  Packets that must not be used have a status
 * other than NETIF_RSP_OKAY; they still need their response.  Returns the
 * number of packets or -EPROTO.
 */
int from_guest_parse(struct from_guest_burst *burst);

/* from_guest_plan in general. */
int from_guest_plan_packet(struct from_guest_burst *burst, unsigned int i,
                           const struct from_guest_span *spans,
                           unsigned int count);

/* The same for one span and one copy; false: it takes from_guest_plan. */
static inline bool from_guest_plan_single(struct from_guest_burst *burst,
                                          unsigned int i, uint8_t *data,
                                          uint32_t size)
{
    const struct from_guest_packet *packet = &burst->packets[i];
    const struct from_guest_fragment *fragment =
        &burst->fragments[packet->fragment];

    if (packet->fragment_count != 1 || packet->size > size ||
        burst->copy_count == FROM_GUEST_COPIES) {
        return false;
    }
    burst->copies[burst->copy_count++] = (struct access_copy){
        .ref = fragment->ref,
        .offset = fragment->offset,
        .size = fragment->size,
        .status = GNTST_general_error,
        .owner = (uint16_t)i,
        .host = data,
    };
    return true;
}

/*
 * Plan the copies of packet i into count spans.  The spans together hold
 * the packet, and the first holds FROM_GUEST_HEADER bytes or all of it, so
 * headers are contiguous however the guest cut them.  With spans of 2 KiB
 * or more the copies always fit.  -ENOSPC: the spans do not do; the packet
 * is marked dropped.  Only for FROM_GUEST_DATA packets whose status is OKAY.
 */
static inline int from_guest_plan(struct from_guest_burst *burst,
                                  unsigned int i,
                                  const struct from_guest_span *spans,
                                  unsigned int count)
{
    if (count != 0 &&
        from_guest_plan_single(burst, i, spans[0].data, spans[0].size)) {
        return 0;
    }
    return from_guest_plan_packet(burst, i, spans, count);
}

/* Mark a packet as dropped for a reason. */
void from_guest_drop(struct from_guest_burst *burst, unsigned int i,
                     enum from_guest_drop why);

/* Fold the copies' statuses into their packets'. */
void from_guest_settle(struct from_guest_burst *burst);

/*
 * Write the responses of all packets in the burst and publish them in one
 * store.  True: the guest wants an event.
 */
bool from_guest_respond(struct from_guest *q, struct from_guest_burst *burst);

/*
 * Ask the guest for an event at its next request.  True: there is work
 * already.  A polling thread never calls this, so the guest sends none.
 */
bool from_guest_arm(struct from_guest *q);

/* One line for a person. */
const char *from_guest_fault_text(enum from_guest_fault fault);

#endif
