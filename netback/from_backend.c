/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets from a backend: netif RX responses to packet descriptors, and the
 * buffers given again.  Talks to ring.h only.
 *
 * A slot's buffer follows from its index alone: index modulo the number of
 * buffers.  It holds because responses come in the order of their requests
 * (netif.h; an extra info has no id at all) and because a consumed buffer is
 * given again at once, in the same order.
 *
 * Invariants:
 *  1. A response is read from the ring once, in take, into burst->slots;
 *     everything after sees only that copy.
 *  2. No number of the backend's chooses a buffer; its id is only compared.
 *  3. rsp_cons moves only in give, so a burst that is given up has not
 *     happened; the requests out are always buffers.count.
 *  4. Every fragment lies in its page: offset + size <= 4096, size > 0.
 *  5. req_prod is stored once a burst.
 */
#include <errno.h>
#include <string.h>

#include "from_backend.h"
#include "ring.h"

/* The longest packet that is no fault, so one always fits a take. */
#define CHAIN_SLOTS (FROM_BACKEND_CHAIN_MAX + FROM_BACKEND_EXTRAS_MAX + 1)

_Static_assert(sizeof(union netif_rx_sring_entry) == 8, "netif RX slot");
_Static_assert(sizeof(union from_backend_slot) == 8, "private RX slot");

static union netif_rx_sring_entry *ring_entry(const struct from_backend *q,
                                              RING_IDX index)
{
    /* The ABI declares ring[1]; the array has FROM_BACKEND_RING_SIZE. */
    union netif_rx_sring_entry *entries = q->ring->ring;

    return entries + (index & (FROM_BACKEND_RING_SIZE - 1));
}

static uint16_t buffer_id(const struct from_backend *q, RING_IDX index)
{
    return (uint16_t)(index & (q->buffers.count - 1u));
}

static void write_request(struct from_backend *q, RING_IDX index)
{
    uint16_t id = buffer_id(q, index);

    ring_entry(q, index)->req = (netif_rx_request_t){
        .id = id,
        .gref = q->buffers.refs[id],
    };
}

void from_backend_init(struct from_backend *q, netif_rx_sring_t *ring,
                       const struct backend_buffers *buffers)
{
    *q = (struct from_backend){ .ring = ring, .buffers = *buffers };
    memset(ring, 0, ACCESS_PAGE_SIZE);
    ring->req_event = ring->rsp_event = 1;
    for (RING_IDX i = 0; i < buffers->count; i++) {
        write_request(q, i);
    }
    ring_publish(&ring->req_prod, buffers->count);
}

/* Where parse stands in the burst's slots. */
struct cursor {
    const union from_backend_slot *slots;
    unsigned int next;
    unsigned int end;
    RING_IDX base;              /* ring index of slots[0] */
};

static void mark_drop(struct from_backend_packet *packet,
                      enum from_backend_drop why)
{
    if (packet->drop == FROM_BACKEND_KEEP) {
        packet->drop = why;
    }
}

static void parse_gso(struct from_backend_packet *packet,
                      const netif_extra_info_t *extra)
{
    uint8_t type = extra->u.gso.type;

    if (extra->u.gso.size == 0 || (type != XEN_NETIF_GSO_TYPE_TCPV4 &&
                                   type != XEN_NETIF_GSO_TYPE_TCPV6)) {
        mark_drop(packet, FROM_BACKEND_DROP_GSO);
        return;
    }
    packet->gso_size = extra->u.gso.size;
    packet->gso_type = type;
}

/* 1: all there; 0: not yet; -EPROTO with q->fault set. */
static int parse_extras(struct from_backend *q,
                        struct from_backend_packet *packet,
                        struct cursor *at)
{
    const netif_extra_info_t *extra;
    unsigned int seen = 0;

    /* Each type once: so at most FROM_BACKEND_EXTRAS_MAX rounds. */
    do {
        if (at->next == at->end) {
            return 0;
        }
        extra = &at->slots[at->next++].extra;
        if (extra->type == XEN_NETIF_EXTRA_TYPE_NONE ||
            extra->type >= XEN_NETIF_EXTRA_TYPE_MAX ||
            (seen & (1u << extra->type)) != 0) {
            q->fault = FROM_BACKEND_EXTRA_TYPE;
            return -EPROTO;
        }
        seen |= 1u << extra->type;
        if (extra->type == XEN_NETIF_EXTRA_TYPE_GSO) {
            parse_gso(packet, extra);
        } else if (extra->type == XEN_NETIF_EXTRA_TYPE_HASH) {
            packet->has_hash = true;
            memcpy(&packet->hash, extra->u.hash.value, sizeof(packet->hash));
        }
    } while ((extra->flags & XEN_NETIF_EXTRA_FLAG_MORE) != 0);
    return 1;
}

static void add_fragment(struct from_backend_burst *burst,
                         struct from_backend_packet *packet, uint16_t id,
                         const netif_rx_response_t *response)
{
    struct from_backend_fragment *fragment;

    if (response->status < 0) {
        mark_drop(packet, FROM_BACKEND_DROP_STATUS);
        return;
    }
    if (response->offset > ACCESS_PAGE_SIZE ||
        (uint32_t)response->status > ACCESS_PAGE_SIZE - response->offset) {
        mark_drop(packet, FROM_BACKEND_DROP_BOUNDS);
        return;
    }
    if (response->status == 0) {
        return;
    }
    fragment = &burst->fragments[burst->fragment_count++];
    fragment->id = id;
    fragment->offset = response->offset;
    fragment->size = (uint16_t)response->status;
    packet->size += fragment->size;
    packet->fragment_count++;
}

static void check_size(struct from_backend_packet *packet)
{
    if (packet->size < FROM_BACKEND_SIZE_MIN ||
        packet->size > FROM_BACKEND_SIZE_MAX) {
        mark_drop(packet, FROM_BACKEND_DROP_SIZE);
    }
}

/* As parse_extras. */
static int parse_packet(struct from_backend *q,
                        struct from_backend_burst *burst,
                        struct from_backend_packet *packet,
                        struct cursor *at)
{
    unsigned int first = at->next, chained = 0;
    const netif_rx_response_t *response;

    *packet = (struct from_backend_packet){
        .fragment = burst->fragment_count,
        .flags = at->slots[first].response.flags,
    };
    do {
        uint16_t id = buffer_id(q, at->base + at->next);
        int found = 1;

        if (at->next == at->end) {
            return 0;
        }
        response = &at->slots[at->next++].response;
        if (++chained > FROM_BACKEND_CHAIN_MAX) {
            q->fault = FROM_BACKEND_TOO_LONG;
            return -EPROTO;
        }
        if (response->id != id) {
            q->fault = FROM_BACKEND_ID;
            return -EPROTO;
        }
        add_fragment(burst, packet, id, response);
        if (chained == 1 && (packet->flags & NETRXF_extra_info) != 0) {
            found = parse_extras(q, packet, at);
        }
        if (found <= 0) {
            return found;
        }
    } while ((response->flags & NETRXF_more_data) != 0);
    packet->slot_count = (uint16_t)(at->next - first);
    check_size(packet);
    return 1;
}

/* Copy the slots of up to budget packets; false: the index is a lie. */
static bool copy_slots(struct from_backend *q,
                       struct from_backend_burst *burst, unsigned int budget)
{
    RING_IDX ready;
    unsigned int limit = budget + CHAIN_SLOTS;

    q->seen = ring_load(&q->ring->rsp_prod);
    ready = q->seen - q->rsp_cons;
    if (ready > q->buffers.count) {
        q->fault = FROM_BACKEND_INDEX;
        return false;
    }
    burst->slot_count = (uint16_t)(ready < limit ? ready : limit);
    for (unsigned int i = 0; i < burst->slot_count; i++) {
        ring_copy_out(burst->slots[i].word, ring_entry(q, q->rsp_cons + i),
                      sizeof(burst->slots[i]) / sizeof(uint32_t));
    }
    return true;
}

int from_backend_take(struct from_backend *q,
                      struct from_backend_burst *burst, unsigned int budget)
{
    struct cursor at = { .slots = burst->slots, .base = q->rsp_cons };

    burst->slot_count = 0;
    burst->packet_count = 0;
    burst->fragment_count = 0;
    if (budget > FROM_BACKEND_BURST) {
        budget = FROM_BACKEND_BURST;
    }
    if (q->fault != FROM_BACKEND_OK || !copy_slots(q, burst, budget)) {
        return -EPROTO;
    }
    at.end = burst->slot_count;
    while (burst->packet_count < budget && at.next < at.end) {
        struct from_backend_packet *packet =
            &burst->packets[burst->packet_count];
        int found = parse_packet(q, burst, packet, &at);

        if (found < 0) {
            burst->packet_count = 0;
            return found;
        }
        if (found == 0) {
            break;
        }
        burst->packet_count++;
    }
    return burst->packet_count;
}

const uint8_t *from_backend_data(const struct from_backend *q,
                                 const struct from_backend_fragment *part)
{
    return q->buffers.pages + (size_t)part->id * ACCESS_PAGE_SIZE +
           part->offset;
}

bool from_backend_give(struct from_backend *q,
                       const struct from_backend_burst *burst,
                       unsigned int count)
{
    RING_IDX old = q->rsp_cons + q->buffers.count;
    RING_IDX slots = 0;

    for (unsigned int i = 0; i < count; i++) {
        slots += burst->packets[i].slot_count;
    }
    if (slots == 0) {
        return false;
    }
    for (RING_IDX i = 0; i < slots; i++) {
        write_request(q, old + i);
    }
    q->rsp_cons += slots;
    return ring_push(&q->ring->req_prod, &q->ring->req_event, old,
                     old + slots);
}

bool from_backend_arm(struct from_backend *q)
{
    ring_publish(&q->ring->rsp_event, q->seen + 1);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return ring_load(&q->ring->rsp_prod) != q->seen;
}

const char *from_backend_fault_text(enum from_backend_fault fault)
{
    switch (fault) {
    case FROM_BACKEND_OK:
        return "no fault";
    case FROM_BACKEND_INDEX:
        return "the backend answers more RX requests than there are";
    case FROM_BACKEND_ID:
        return "the backend answers an RX request by another's id";
    case FROM_BACKEND_TOO_LONG:
        return "the backend chains more than 20 slots to a packet";
    case FROM_BACKEND_EXTRA_TYPE:
        return "the backend sends an unknown or repeated extra info";
    }
    return "unknown fault";
}
