/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets to a guest: the backend's half of a netif RX ring, in pure C.
 *
 *   fill packets[0..count) and their spans
 *   sent = to_guest_take(q, burst, packets, count)   what fits, planned
 *   access_copy(access, ACCESS_TO_GUEST, burst->copies, burst->copy_count)
 *   kick = to_guest_respond(q, burst)
 *
 * Packets beyond sent found no buffers: the caller drops them.  Nothing is
 * ever queued here, so a guest that stops giving buffers costs no memory.
 */
#ifndef NETBACK_TO_GUEST_H
#define NETBACK_TO_GUEST_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/io/netif.h>

#include "access.h"
#include "hash.h"
#include "journal.h"

#define TO_GUEST_RING_SIZE 256u     /* slots of a one-page ring */
#define TO_GUEST_BURST 64u          /* packets in one take, at most */
#define TO_GUEST_COPIES 1024u
#define TO_GUEST_SIZE_MAX 65535u    /* bytes of a packet */

enum to_guest_fault {
    TO_GUEST_OK,
    TO_GUEST_INDEX,             /* more requests than the ring has slots */
};

/* Why a packet was not delivered; for the counters. */
enum to_guest_drop {
    TO_GUEST_KEEP,
    TO_GUEST_DROP_SIZE,         /* empty, or too large for this guest */
    TO_GUEST_DROP_COPY,         /* the guest's grant failed */
    TO_GUEST_DROPS              /* count of reasons */
};

/* A piece of a packet in the caller's memory. */
struct to_guest_span {
    uint8_t *data;              /* read only; gcopy takes no const */
    uint32_t size;
};

struct to_guest_packet {
    const struct to_guest_span *spans;
    uint16_t span_count;
    uint16_t flags;             /* NETRXF_csum_blank, _data_validated */
    uint16_t gso_size;          /* 0: not GSO */
    uint8_t gso_type;           /* XEN_NETIF_GSO_TYPE_* */
    bool has_hash;              /* tell the guest of it */
    struct hash_value hash;
    uint8_t drop;               /* out: enum to_guest_drop */
};

/* A response or an extra info on its way to the ring. */
union to_guest_slot {
    uint32_t word[2];
    netif_rx_request_t request;
    netif_rx_response_t response;
    netif_extra_info_t extra;
};

/* One queue's state between bursts. */
struct to_guest {
    netif_rx_sring_t *ring;     /* borrowed, the guest writes it */
    RING_IDX req_cons;          /* == rsp_prod between bursts */
    struct journal_half *journal;   /* borrowed; NULL: none is kept */
    bool linear;                /* guest has no feature-sg: one slot each */
    enum to_guest_fault fault;
};

struct to_guest_burst {
    uint16_t slot_count;        /* responses to write */
    uint16_t packet_count;
    uint16_t copy_count;
    uint16_t first[TO_GUEST_BURST + 1]; /* packet -> its first slot */
    struct to_guest_packet *packets;    /* borrowed until respond */
    union to_guest_slot slots[TO_GUEST_RING_SIZE];
    struct access_copy copies[TO_GUEST_COPIES];
};

/* As from_guest_init. */
int to_guest_init(struct to_guest *q, netif_rx_sring_t *ring);

/*
 * As from_guest_finish; the packets are with the guest already, and how many
 * they are is of no interest.
 */
void to_guest_finish(netif_rx_sring_t *ring, struct journal_half *journal);

/*
 * Take buffers for as many of the packets as fit and plan their copies.
 * Returns how many packets were dealt with: they are delivered, or have
 * drop set (too large, empty).  The rest found no buffers.  -EPROTO: the
 * ring is broken, q->fault says why.
 */
int to_guest_take(struct to_guest *q, struct to_guest_burst *burst,
                  struct to_guest_packet *packets, unsigned int count);

/*
 * Write the responses and publish them in one store.  A packet with a failed
 * copy is answered by NETIF_RSP_ERROR in each data slot and has drop set.
 * True: the guest wants an event.
 */
bool to_guest_respond(struct to_guest *q, struct to_guest_burst *burst);

/* Buffers that the guest offers now, or -EPROTO. */
int to_guest_room(struct to_guest *q);

/* Ask the guest for an event when it gives buffers; true: it has already. */
bool to_guest_arm(struct to_guest *q);

/* One line for a person. */
const char *to_guest_fault_text(enum to_guest_fault fault);

#endif
