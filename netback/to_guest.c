/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets to a guest: the buffers a guest gives on its netif RX ring, the
 * copies into them, and the responses.  Talks to ring.h only; the copies
 * are made by an access.
 *
 * Invariants:
 *  1. A request is read from the ring only in take, each word once.
 *  2. req_cons moves only in respond, and a consumed slot has one response.
 *  3. A packet is planned whole or not at all; nothing is kept between
 *     bursts, so a stalled guest holds no memory of ours.
 *  4. Every word of a response is written from a zeroed slot, and into a
 *     granted page go the packet's bytes and nothing else.
 *  5. rsp_prod is stored once a burst, always at a packet's end.
 *  6. Responses lie over their requests: from the first one written until
 *     rsp_prod is stored, the journal has them all.
 */
#include <errno.h>

#include "prefetch.h"
#include "ring.h"
#include "to_guest.h"

_Static_assert(sizeof(union netif_rx_sring_entry) == 8, "netif RX slot");
_Static_assert(sizeof(union to_guest_slot) == 8, "private RX slot");
_Static_assert(TO_GUEST_RING_SIZE == JOURNAL_SLOTS, "a journal's slots");

static union netif_rx_sring_entry *ring_entry(const struct to_guest *q,
                                              RING_IDX index)
{
    /* The ABI declares ring[1]; the array has TO_GUEST_RING_SIZE. */
    union netif_rx_sring_entry *entries = q->ring->ring;

    return entries + (index & (TO_GUEST_RING_SIZE - 1));
}

int to_guest_init(struct to_guest *q, netif_rx_sring_t *ring)
{
    RING_IDX rsp_prod = ring_load(&ring->rsp_prod);
    RING_IDX req_prod = ring_load(&ring->req_prod);

    *q = (struct to_guest){ .ring = ring, .req_cons = rsp_prod };
    if ((RING_IDX)(req_prod - rsp_prod) > TO_GUEST_RING_SIZE) {
        q->fault = TO_GUEST_INDEX;
        return -EPROTO;
    }
    return 0;
}

void to_guest_finish(netif_rx_sring_t *ring, struct journal_half *journal)
{
    const struct journal_ring at = {
        .slots = (uint8_t *)ring->ring,
        .slot_size = sizeof(ring->ring[0]),
        .words = sizeof(netif_rx_response_t) / sizeof(uint32_t),
        .rsp_prod = &ring->rsp_prod,
    };

    (void)journal_finish(journal, &at);
}

int to_guest_room(struct to_guest *q)
{
    RING_IDX ready = ring_load(&q->ring->req_prod) - q->req_cons;

    if (ready > TO_GUEST_RING_SIZE) {
        q->fault = TO_GUEST_INDEX;
    }
    return q->fault == TO_GUEST_OK ? (int)ready : -EPROTO;
}

/* Bytes of a packet, saturated above what any guest takes. */
static uint32_t packet_size(const struct to_guest_packet *packet)
{
    uint32_t size = 0;

    for (unsigned int i = 0; i < packet->span_count; i++) {
        uint32_t part = packet->spans[i].size;

        if (part > TO_GUEST_SIZE_MAX - size) {
            return TO_GUEST_SIZE_MAX + 1;
        }
        size += part;
    }
    return size;
}

/* Take one request; its id goes to the response, its grant is returned. */
static inline grant_ref_t take_slot(const struct to_guest *q,
                             struct to_guest_burst *burst,
                             union to_guest_slot **slot)
{
    union to_guest_slot request;

    ring_copy_out(request.word, ring_entry(q, q->req_cons +
                                           burst->slot_count),
                  sizeof(request) / sizeof(uint32_t));
    *slot = &burst->slots[burst->slot_count++];
    **slot = (union to_guest_slot){ .word = { 0, 0 } };
    (*slot)->response.id = request.request.id;
    return request.request.gref;
}

/* Slots for what the guest is told beside the data. */
static unsigned int extra_count(const struct to_guest_packet *packet)
{
    return (packet->gso_size != 0 ? 1u : 0u) + (packet->has_hash ? 1u : 0u);
}

static union to_guest_slot *take_extra(const struct to_guest *q,
                                       struct to_guest_burst *burst,
                                       uint8_t type)
{
    union to_guest_slot *slot;

    take_slot(q, burst, &slot);
    *slot = (union to_guest_slot){ .word = { 0, 0 } };
    slot->extra.type = type;
    return slot;
}

static void put_extras(const struct to_guest *q, struct to_guest_burst *burst,
                       const struct to_guest_packet *packet)
{
    union to_guest_slot *slot;

    if (packet->gso_size != 0) {
        slot = take_extra(q, burst, XEN_NETIF_EXTRA_TYPE_GSO);
        slot->extra.u.gso.type = packet->gso_type;
        slot->extra.u.gso.size = packet->gso_size;
        slot->extra.flags = packet->has_hash ? XEN_NETIF_EXTRA_FLAG_MORE : 0;
    }
    if (packet->has_hash) {
        slot = take_extra(q, burst, XEN_NETIF_EXTRA_TYPE_HASH);
        slot->extra.u.hash.type = packet->hash.type;
        slot->extra.u.hash.algorithm = XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ;
        for (unsigned int i = 0; i < 4; i++) {
            slot->extra.u.hash.value[i] =
                (uint8_t)(packet->hash.value >> i * 8);
        }
    }
}

/* Where the source of a packet's copies stands. */
struct cursor {
    const struct to_guest_span *span;
    uint32_t used;              /* bytes of *span */
};

/* Plan size bytes into one granted page. */
static void plan_page(struct to_guest_burst *burst, struct cursor *from,
                      grant_ref_t ref, uint32_t size)
{
    uint32_t done = 0;

    while (done < size) {
        uint32_t part = from->span->size - from->used;

        if (part == 0) {
            from->span++;
            from->used = 0;
            continue;
        }
        if (part > size - done) {
            part = size - done;
        }
        burst->copies[burst->copy_count++] = (struct access_copy){
            .ref = ref,
            .offset = done,
            .size = part,
            .status = GNTST_general_error,
            .owner = burst->packet_count,
            .host = from->span->data + from->used,
        };
        done += part;
        from->used += part;
    }
}

/* The caller has made sure of slots and copies. */
static void plan_packet(const struct to_guest *q,
                        struct to_guest_burst *burst,
                        const struct to_guest_packet *packet, uint32_t size)
{
    struct cursor from = { .span = packet->spans };
    uint16_t flags = packet->flags &
                     (NETRXF_csum_blank | NETRXF_data_validated);
    bool has_extra = extra_count(packet) != 0;

    if (has_extra) {
        flags |= NETRXF_extra_info;
    }
    while (size != 0) {
        uint32_t part = size < ACCESS_PAGE_SIZE ? size : ACCESS_PAGE_SIZE;
        union to_guest_slot *slot;
        grant_ref_t ref = take_slot(q, burst, &slot);

        size -= part;
        if (size != 0) {
            flags |= NETRXF_more_data;
        }
        slot->response.flags = flags;
        slot->response.status = part;
        plan_page(burst, &from, ref, part);
        if (has_extra) {
            put_extras(q, burst, packet);
            has_extra = false;
        }
        flags = 0;
    }
}

/* The guest wrote them, and we shall write responses over them. */
static void prefetch_slots(const struct to_guest *q, unsigned int count)
{
    for (unsigned int i = 0; i < count;
         i += PREFETCH_LINE / sizeof(union netif_rx_sring_entry)) {
        prefetch_to_write(ring_entry(q, q->req_cons + i));
    }
}

/* Where a packet of one slot is in the burst's arrays. */
struct single {
    unsigned int packet, slot, copy;
};

/*
 * What most packets are: one span that fits one page, nothing special; the
 * caller has made sure of a slot and a copy.  False: look closer.  What it
 * takes is what plan_packet would make of it.
 */
static inline bool take_single(const struct to_guest *q,
                               struct to_guest_burst *burst,
                               struct single at)
{
    struct to_guest_packet *packet = &burst->packets[at.packet];
    struct access_copy *copy = &burst->copies[at.copy];
    const struct to_guest_span *span = packet->spans;
    union to_guest_slot request;

    if (packet->span_count != 1 || extra_count(packet) != 0 ||
        span->size - 1 >= ACCESS_PAGE_SIZE) {
        return false;
    }
    packet->drop = TO_GUEST_KEEP;
    ring_copy_out(request.word, ring_entry(q, q->req_cons + at.slot),
                  sizeof(request) / sizeof(uint32_t));
    burst->first[at.packet] = (uint16_t)at.slot;
    burst->slots[at.slot].response = (netif_rx_response_t){
        .id = request.request.id,
        .flags = packet->flags & (NETRXF_csum_blank | NETRXF_data_validated),
        .status = (int16_t)span->size,
    };
    copy->ref = request.request.gref;
    copy->offset = 0;
    copy->size = (uint16_t)span->size;
    copy->status = GNTST_general_error;
    copy->owner = (uint16_t)at.packet;
    copy->host = span->data;
    return true;
}

/* The leading such packets: all the arrays go in step. */
static void take_singles(const struct to_guest *q,
                         struct to_guest_burst *burst, unsigned int count)
{
    unsigned int i;

    for (i = 0; i < count; i++) {
        if (!take_single(q, burst, (struct single){ i, i, i })) {
            break;
        }
    }
    burst->slot_count = burst->packet_count = burst->copy_count = (uint16_t)i;
}

/* The next packet in general; false: there is no room for it. */
static bool take_packet(const struct to_guest *q,
                        struct to_guest_burst *burst, unsigned int room)
{
    struct to_guest_packet *packet = &burst->packets[burst->packet_count];
    uint32_t size = packet_size(packet);
    unsigned int pages = (size + ACCESS_PAGE_SIZE - 1) / ACCESS_PAGE_SIZE;
    unsigned int slots = pages + extra_count(packet);
    /* Each span's end and each page's end cuts one copy. */
    unsigned int copies = pages + packet->span_count;

    packet->drop = TO_GUEST_KEEP;
    burst->first[burst->packet_count] = burst->slot_count;
    if (size == 0 || size > TO_GUEST_SIZE_MAX || copies > TO_GUEST_COPIES ||
        (q->linear && (pages > 1 || packet->gso_size != 0))) {
        packet->drop = TO_GUEST_DROP_SIZE;
    } else if (slots > room - burst->slot_count ||
               copies > TO_GUEST_COPIES - burst->copy_count) {
        return false;
    } else {
        plan_packet(q, burst, packet, size);
    }
    burst->packet_count++;
    return true;
}

/* The next packet; false: there is no room for it. */
static bool take_next(const struct to_guest *q, struct to_guest_burst *burst,
                      unsigned int room)
{
    const struct single at = {
        burst->packet_count, burst->slot_count, burst->copy_count,
    };

    if (at.slot == room || at.copy == TO_GUEST_COPIES ||
        !take_single(q, burst, at)) {
        return take_packet(q, burst, room);
    }
    burst->packet_count++;
    burst->slot_count++;
    burst->copy_count++;
    return true;
}

int to_guest_take(struct to_guest *q, struct to_guest_burst *burst,
                  struct to_guest_packet *packets, unsigned int count)
{
    int ready = to_guest_room(q);
    unsigned int room, singles;

    burst->slot_count = 0;
    burst->packet_count = 0;
    burst->copy_count = 0;
    burst->packets = packets;
    if (ready < 0) {
        return ready;
    }
    if (count > TO_GUEST_BURST) {
        count = TO_GUEST_BURST;
    }
    room = (unsigned int)ready;
    singles = room < count ? room : count;
    prefetch_slots(q, singles);
    take_singles(q, burst, singles);
    while (burst->packet_count < count && take_next(q, burst, room)) {
        continue;
    }
    burst->first[burst->packet_count] = burst->slot_count;
    return burst->packet_count;
}

/* Turn a packet's data slots into errors, keeping its chain together. */
static void fail_packet(struct to_guest_burst *burst, unsigned int i)
{
    unsigned int first = burst->first[i];
    unsigned int extras = extra_count(&burst->packets[i]);

    burst->packets[i].drop = TO_GUEST_DROP_COPY;
    for (unsigned int s = first; s < burst->first[i + 1]; s++) {
        if (s == first || s - first > extras) {
            burst->slots[s].response.status = NETIF_RSP_ERROR;
        }
    }
}

/* All responses of the burst to its journal, then to the ring. */
static void put_answers(struct to_guest *q,
                        const struct to_guest_burst *burst)
{
    const struct journal_answers answers = {
        .responses = burst->slots[0].word, .words = 2,
        .old = q->req_cons, .end = q->req_cons + burst->slot_count,
        .packets = 0,
    };

    journal_answer(q->journal, &answers);
    for (unsigned int s = 0; s < burst->slot_count; s++) {
        ring_entry(q, q->req_cons + s)->rsp = burst->slots[s].response;
        kill_point(KILL_ANSWERED_PART);
    }
    kill_point(KILL_ANSWERED);
}

bool to_guest_respond(struct to_guest *q, struct to_guest_burst *burst)
{
    RING_IDX old = q->req_cons;
    bool wanted;

    for (unsigned int i = 0; i < burst->copy_count; i++) {
        const struct access_copy *copy = &burst->copies[i];

        if (copy->status != GNTST_okay &&
            burst->packets[copy->owner].drop == TO_GUEST_KEEP) {
            fail_packet(burst, copy->owner);
        }
    }
    if (burst->slot_count == 0) {
        return false;
    }
    put_answers(q, burst);
    q->req_cons = old + burst->slot_count;
    burst->slot_count = 0;
    wanted = ring_push(&q->ring->rsp_prod, &q->ring->rsp_event, old,
                       q->req_cons);
    kill_point(KILL_PUSHED);
    journal_answered(q->journal);
    return wanted;
}

bool to_guest_arm(struct to_guest *q)
{
    ring_publish(&q->ring->req_event, q->req_cons + 1);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return ring_load(&q->ring->req_prod) != q->req_cons;
}

const char *to_guest_fault_text(enum to_guest_fault fault)
{
    switch (fault) {
    case TO_GUEST_OK:
        return "no fault";
    case TO_GUEST_INDEX:
        return "the producer index is more than the ring's size ahead";
    }
    return "unknown fault";
}
