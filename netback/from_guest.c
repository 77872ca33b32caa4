/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets from a guest: netif TX requests to packet descriptors and back to
 * responses.  Talks to ring.h only; the copies are made by an access.
 *
 * Invariants:
 *  1. A slot is read from the ring only in take, each word once, into
 *     burst->slots; parse and everything after sees only that copy.
 *  2. req_cons moves only in respond, so a burst that is given up has not
 *     happened, and every consumed slot has exactly one response.
 *  3. Every fragment lies in one page: offset + size <= 4096, size > 0.
 *  4. The sizes of a packet's fragments add up to its size.
 *  5. rsp_prod is stored once a burst, always at a packet's end.
 *  6. Responses lie over their requests: from the first one written until
 *     rsp_prod is stored, the journal has them all.
 */
#include <errno.h>
#include <string.h>

#include "from_guest.h"
#include "prefetch.h"
#include "ring.h"

/* The longest chain that is not fatal, so one packet always fits a take. */
#define CHAIN_SLOTS (FROM_GUEST_PACKET_SLOTS + 1)

_Static_assert(sizeof(union netif_tx_sring_entry) == 12, "netif TX slot");
_Static_assert(sizeof(union from_guest_slot) == 12, "private TX slot");
_Static_assert(sizeof(union from_guest_answer) == 4, "TX response");
_Static_assert(sizeof(struct from_guest_packet) == 32, "half a cache line");
_Static_assert(FROM_GUEST_PACKET_SLOTS <= UINT8_MAX, "counts in a packet");
_Static_assert(FROM_GUEST_RING_SIZE == JOURNAL_SLOTS, "a journal's slots");

static union netif_tx_sring_entry *ring_entry(const struct from_guest *q,
                                              RING_IDX index)
{
    /* The ABI declares ring[1]; the array has FROM_GUEST_RING_SIZE. */
    union netif_tx_sring_entry *entries = q->ring->ring;

    return entries + (index & (FROM_GUEST_RING_SIZE - 1));
}

int from_guest_init(struct from_guest *q, netif_tx_sring_t *ring)
{
    RING_IDX rsp_prod = ring_load(&ring->rsp_prod);
    RING_IDX req_prod = ring_load(&ring->req_prod);

    *q = (struct from_guest){ .ring = ring, .req_cons = rsp_prod };
    if ((RING_IDX)(req_prod - rsp_prod) > FROM_GUEST_RING_SIZE) {
        q->fault = FROM_GUEST_INDEX;
        return -EPROTO;
    }
    return 0;
}

unsigned int from_guest_finish(netif_tx_sring_t *ring,
                               struct journal_half *journal)
{
    const struct journal_ring at = {
        .slots = (uint8_t *)ring->ring,
        .slot_size = sizeof(ring->ring[0]),
        .words = sizeof(netif_tx_response_t) / sizeof(uint32_t),
        .rsp_prod = &ring->rsp_prod,
    };

    return journal_finish(journal, &at);
}

/* Where in a packet the next slot is; for the count of packets only. */
struct place {
    enum { PLACE_FIRST, PLACE_EXTRA, PLACE_CHAIN } in;
    bool has_chain;
};

/* Is it the last slot of a packet? */
static inline bool ends_packet(struct place *place,
                               const union from_guest_slot *slot)
{
    const uint16_t flags = slot->request.flags;

    switch (place->in) {
    case PLACE_FIRST:
        if ((flags & (NETTXF_extra_info | NETTXF_more_data)) == 0) {
            return true;
        }
        place->has_chain = (flags & NETTXF_more_data) != 0;
        place->in = (flags & NETTXF_extra_info) != 0 ? PLACE_EXTRA
                                                     : PLACE_CHAIN;
        return false;
    case PLACE_EXTRA:
        if ((slot->extra.flags & XEN_NETIF_EXTRA_FLAG_MORE) != 0) {
            return false;
        }
        place->in = place->has_chain ? PLACE_CHAIN : PLACE_FIRST;
        return place->in == PLACE_FIRST;
    default:
        if ((flags & NETTXF_more_data) != 0) {
            return false;
        }
        place->in = PLACE_FIRST;
        return true;
    }
}

/* Is a packet's first slot all of it? */
static inline bool is_single(const union from_guest_slot *slot)
{
    return (slot->request.flags & (NETTXF_extra_info | NETTXF_more_data)) ==
           0;
}

static inline void take_slot(const struct from_guest *q,
                             struct from_guest_burst *burst,
                             unsigned int i)
{
    ring_copy_out(burst->slots[i].word, ring_entry(q, q->req_cons + i),
                  sizeof(burst->slots[i]) / sizeof(uint32_t));
}

/* The guest wrote them, and we shall write responses over them. */
static void prefetch_slots(const struct from_guest *q, unsigned int count)
{
    for (unsigned int i = 0; i < count;
         i += PREFETCH_LINE / sizeof(union netif_tx_sring_entry)) {
        prefetch_to_write(ring_entry(q, q->req_cons + i));
    }
}

/* From slot count on, which is taken and begins a packet of several. */
static __attribute__((noinline))
unsigned int take_rest(const struct from_guest *q,
                       struct from_guest_burst *burst, unsigned int count,
                       unsigned int limit)
{
    struct place place = { .in = PLACE_FIRST };
    unsigned int packets = count;

    for (;;) {
        packets += ends_packet(&place, &burst->slots[count++]);
        if (count == limit || packets == burst->budget) {
            return count;
        }
        take_slot(q, burst, count);
    }
}

/* The slots of budget packets, or limit slots; returns how many. */
static unsigned int take_slots(const struct from_guest *q,
                               struct from_guest_burst *burst,
                               unsigned int limit)
{
    unsigned int budget = burst->budget;
    unsigned int singles = limit < budget ? limit : budget;

    prefetch_slots(q, singles);
    for (unsigned int i = 0; i < singles; i++) {
        take_slot(q, burst, i);
        if (!is_single(&burst->slots[i])) {
            burst->single_count = i;
            return take_rest(q, burst, i, limit);
        }
    }
    burst->single_count = singles;
    return singles;
}

int from_guest_take(struct from_guest *q, struct from_guest_burst *burst,
                    unsigned int budget)
{
    RING_IDX ready = ring_load(&q->ring->req_prod) - q->req_cons;
    unsigned int count, limit;

    burst->fault = FROM_GUEST_OK;
    burst->slot_count = 0;
    burst->packet_count = 0;
    burst->fragment_count = 0;
    burst->copy_count = 0;

    if (q->fault == FROM_GUEST_OK && ready > FROM_GUEST_RING_SIZE) {
        q->fault = FROM_GUEST_INDEX;
    }
    if (q->fault != FROM_GUEST_OK) {
        return -EPROTO;
    }
    burst->budget = budget < FROM_GUEST_BURST ? budget : FROM_GUEST_BURST;
    limit = burst->budget + CHAIN_SLOTS;
    limit = ready < limit ? ready : limit;
    count = take_slots(q, burst, limit);
    burst->more = count < ready;
    burst->slot_count = count;
    return count;
}

/* Where parse stands in the burst's slots. */
struct cursor {
    const union from_guest_slot *slots;
    unsigned int next;
    unsigned int end;
};

static const union from_guest_slot *next_slot(struct cursor *at)
{
    return at->next < at->end ? &at->slots[at->next++] : NULL;
}

static enum from_guest_fault parse_gso(const struct from_guest_burst *burst,
                                       struct from_guest_packet *packet,
                                       const netif_extra_info_t *extra)
{
    uint8_t type = extra->u.gso.type;

    if (extra->u.gso.size == 0 || type == XEN_NETIF_GSO_TYPE_NONE ||
        type > XEN_NETIF_GSO_TYPE_TCPV6 ||
        (burst->offered_gso & (1u << type)) == 0) {
        return FROM_GUEST_GSO;
    }
    packet->gso_type = type;
    packet->gso_size = extra->u.gso.size;
    return FROM_GUEST_OK;
}

static enum from_guest_fault parse_extra(const struct from_guest_burst *burst,
                                         struct from_guest_packet *packet,
                                         const netif_extra_info_t *extra)
{
    switch (extra->type) {
    case XEN_NETIF_EXTRA_TYPE_GSO:
        return parse_gso(burst, packet, extra);
    case XEN_NETIF_EXTRA_TYPE_MCAST_ADD:
    case XEN_NETIF_EXTRA_TYPE_MCAST_DEL:
        packet->kind = extra->type == XEN_NETIF_EXTRA_TYPE_MCAST_ADD ?
                       FROM_GUEST_MCAST_ADD : FROM_GUEST_MCAST_DEL;
        memcpy(packet->mcast, extra->u.mcast.addr, sizeof(packet->mcast));
        return FROM_GUEST_OK;
    case XEN_NETIF_EXTRA_TYPE_HASH:
        packet->has_hash = true;
        packet->hash_type = extra->u.hash.type;
        memcpy(&packet->hash, extra->u.hash.value, sizeof(packet->hash));
        return FROM_GUEST_OK;
    default:
        return FROM_GUEST_EXTRA_TYPE;
    }
}

static enum from_guest_fault parse_extras(const struct from_guest_burst *burst,
                                          struct from_guest_packet *packet,
                                          struct cursor *at)
{
    unsigned int seen = 0;
    const union from_guest_slot *slot;

    /* Each type once: so at most FROM_GUEST_EXTRAS_MAX rounds. */
    do {
        enum from_guest_fault fault;

        slot = next_slot(at);
        if (slot == NULL) {
            return FROM_GUEST_TRUNCATED;
        }
        if (slot->extra.type >= XEN_NETIF_EXTRA_TYPE_MAX ||
            (seen & (1u << slot->extra.type)) != 0) {
            return FROM_GUEST_EXTRA_TYPE;
        }
        seen |= 1u << slot->extra.type;
        fault = parse_extra(burst, packet, &slot->extra);
        if (fault != FROM_GUEST_OK) {
            return fault;
        }
        packet->extra_count++;
    } while ((slot->extra.flags & XEN_NETIF_EXTRA_FLAG_MORE) != 0);
    return FROM_GUEST_OK;
}

static void mark_drop(struct from_guest_packet *packet,
                      enum from_guest_drop why)
{
    if (packet->drop == FROM_GUEST_KEEP) {
        packet->drop = why;
        packet->status = NETIF_RSP_ERROR;
    }
}

/* The caller has checked that it lies in its page. */
static void add_fragment(struct from_guest_burst *burst,
                         struct from_guest_packet *packet,
                         const netif_tx_request_t *request, uint32_t size)
{
    struct from_guest_fragment *fragment;

    if (size == 0) {
        return;
    }
    fragment = &burst->fragments[burst->fragment_count++];
    fragment->ref = request->gref;
    fragment->offset = request->offset;
    fragment->size = size;
    packet->fragment_count++;
}

/*
 * The slots chained to the first one.  *rest starts as the packet's size
 * and ends as what is left for the first slot, whose fragment has been
 * reserved in front of the others.
 */
static enum from_guest_fault parse_chain(struct from_guest_burst *burst,
                                         struct from_guest_packet *packet,
                                         struct cursor *at, uint32_t *rest)
{
    const union from_guest_slot *slot;
    unsigned int chained = 0;

    do {
        const netif_tx_request_t *request;

        slot = next_slot(at);
        if (slot == NULL) {
            return FROM_GUEST_TRUNCATED;
        }
        if (++chained > FROM_GUEST_CHAIN_FATAL) {
            return FROM_GUEST_TOO_LONG;
        }
        if (chained > FROM_GUEST_CHAIN_MAX) {
            mark_drop(packet, FROM_GUEST_DROP_SLOTS);
        }
        request = &slot->request;
        if (request->offset > ACCESS_PAGE_SIZE ||
            request->size > ACCESS_PAGE_SIZE - request->offset) {
            return FROM_GUEST_CROSS_PAGE;
        }
        /* A guest's packet of 64 KiB and more wraps here: not fatal. */
        if (request->size > *rest) {
            mark_drop(packet, FROM_GUEST_DROP_SIZE);
        }
        if (packet->drop == FROM_GUEST_KEEP) {
            *rest -= request->size;
            add_fragment(burst, packet, request, request->size);
        }
    } while ((slot->request.flags & NETTXF_more_data) != 0);
    return FROM_GUEST_OK;
}

/* The first slot's fragment, once the others' sizes are known. */
static enum from_guest_fault finish_first(struct from_guest_burst *burst,
                                          struct from_guest_packet *packet,
                                          const netif_tx_request_t *request,
                                          uint32_t size)
{
    struct from_guest_fragment *first = &burst->fragments[packet->fragment];

    if (packet->drop != FROM_GUEST_KEEP) {
        return FROM_GUEST_OK;
    }
    if (request->offset > ACCESS_PAGE_SIZE ||
        size > ACCESS_PAGE_SIZE - request->offset) {
        return FROM_GUEST_CROSS_PAGE;
    }
    if (packet->size < FROM_GUEST_SIZE_MIN &&
        packet->kind == FROM_GUEST_DATA) {
        mark_drop(packet, FROM_GUEST_DROP_RUNT);
    }
    if (size == 0) {
        packet->fragment++;
        return FROM_GUEST_OK;
    }
    first->ref = request->gref;
    first->offset = request->offset;
    first->size = size;
    packet->fragment_count++;
    return FROM_GUEST_OK;
}

static enum from_guest_fault parse_packet(struct from_guest_burst *burst,
                                          struct from_guest_packet *packet,
                                          struct cursor *at)
{
    const netif_tx_request_t *request = &at->slots[at->next].request;
    enum from_guest_fault fault = FROM_GUEST_OK;
    uint32_t rest = request->size;

    *packet = (struct from_guest_packet){
        .size = request->size,
        .slot = at->next++,
        .fragment = burst->fragment_count++,
        .flags = request->flags,
        .status = NETIF_RSP_OKAY,
    };
    if ((request->flags & NETTXF_extra_info) != 0) {
        fault = parse_extras(burst, packet, at);
    }
    if (fault == FROM_GUEST_OK && (request->flags & NETTXF_more_data) != 0) {
        fault = parse_chain(burst, packet, at, &rest);
    }
    if (fault == FROM_GUEST_OK) {
        fault = finish_first(burst, packet, request, rest);
    }
    packet->slot_count = at->next - packet->slot;
    return fault;
}

static const struct from_guest_packet single_packet = {
    .slot_count = 1, .fragment_count = 1, .status = NETIF_RSP_OKAY,
};

/* Where a packet of one slot is in the burst's arrays. */
struct single {
    unsigned int packet, slot, fragment;
};

/*
 * What most packets are: one slot, nothing special.  False: look closer.
 * What it takes is what parse_packet would make of it.
 */
static inline bool parse_single(struct from_guest_burst *burst,
                                struct single at)
{
    const netif_tx_request_t *request = &burst->slots[at.slot].request;
    struct from_guest_packet *packet = &burst->packets[at.packet];
    struct from_guest_fragment *fragment = &burst->fragments[at.fragment];
    const uint32_t size = request->size;
    const uint32_t offset = request->offset;

    if (size < FROM_GUEST_SIZE_MIN || offset > ACCESS_PAGE_SIZE ||
        size > ACCESS_PAGE_SIZE - offset) {
        return false;
    }
    *packet = single_packet;
    packet->size = size;
    packet->slot = (uint16_t)at.slot;
    packet->fragment = (uint16_t)at.fragment;
    packet->flags = request->flags;
    fragment->ref = request->gref;
    fragment->offset = (uint16_t)offset;
    fragment->size = (uint16_t)size;
    return true;
}

/* The leading packets of one slot: all the arrays go in step. */
static void parse_singles(struct from_guest_burst *burst)
{
    unsigned int count = burst->single_count;
    unsigned int i;

    for (i = 0; i < count; i++) {
        if (!parse_single(burst, (struct single){ i, i, i })) {
            break;
        }
    }
    burst->packet_count = burst->fragment_count = (uint16_t)i;
}

/* The next packet; at its slot. */
static enum from_guest_fault parse_next(struct from_guest_burst *burst,
                                        struct cursor *at)
{
    const struct single single = {
        burst->packet_count, at->next, burst->fragment_count,
    };

    if (is_single(&burst->slots[at->next]) && parse_single(burst, single)) {
        burst->fragment_count++;
        at->next++;
        return FROM_GUEST_OK;
    }
    return parse_packet(burst, &burst->packets[burst->packet_count], at);
}

int from_guest_parse(struct from_guest_burst *burst)
{
    struct cursor at = { .slots = burst->slots, .end = burst->slot_count };

    parse_singles(burst);
    at.next = burst->packet_count;
    while (burst->packet_count < burst->budget && at.next < at.end) {
        const unsigned int fragment_count = burst->fragment_count;
        enum from_guest_fault fault = parse_next(burst, &at);

        if (fault == FROM_GUEST_TRUNCATED && burst->more &&
            burst->packet_count != 0) {
            burst->fragment_count = (uint16_t)fragment_count;
            break;
        }
        if (fault != FROM_GUEST_OK) {
            burst->fault = fault;
            burst->packet_count = 0;
            return -EPROTO;
        }
        burst->packet_count++;
    }
    return burst->packet_count;
}

/* Copies of one packet into spans whose total has been checked. */
static int plan_copies(struct from_guest_burst *burst, unsigned int i,
                       const struct from_guest_span *span)
{
    const struct from_guest_packet *packet = &burst->packets[i];
    const struct from_guest_fragment *fragment =
        &burst->fragments[packet->fragment];
    uint32_t filled = 0;

    for (unsigned int f = 0; f < packet->fragment_count; f++, fragment++) {
        uint32_t done = 0;

        while (done < fragment->size) {
            uint32_t part = fragment->size - done;

            if (filled == span->size) {
                span++;
                filled = 0;
                continue;
            }
            if (part > span->size - filled) {
                part = span->size - filled;
            }
            if (burst->copy_count == FROM_GUEST_COPIES) {
                return -ENOSPC;
            }
            burst->copies[burst->copy_count++] = (struct access_copy){
                .ref = fragment->ref,
                .offset = fragment->offset + done,
                .size = part,
                .status = GNTST_general_error,
                .owner = i,
                .host = span->data + filled,
            };
            done += part;
            filled += part;
        }
    }
    return 0;
}

int from_guest_plan_packet(struct from_guest_burst *burst, unsigned int i,
                           const struct from_guest_span *spans,
                           unsigned int count)
{
    uint32_t size = burst->packets[i].size;
    uint32_t head = size < FROM_GUEST_HEADER ? size : FROM_GUEST_HEADER;
    uint16_t copy_count = burst->copy_count;
    uint32_t room = 0;

    for (unsigned int s = 0; s < count && room < size; s++) {
        room += spans[s].size < size ? spans[s].size : size;
    }
    if (room < size || spans[0].size < head ||
        plan_copies(burst, i, spans) != 0) {
        burst->copy_count = copy_count;
        mark_drop(&burst->packets[i], FROM_GUEST_DROP_BUFFER);
        return -ENOSPC;
    }
    return 0;
}

void from_guest_drop(struct from_guest_burst *burst, unsigned int i,
                     enum from_guest_drop why)
{
    mark_drop(&burst->packets[i], why);
}

void from_guest_settle(struct from_guest_burst *burst)
{
    for (unsigned int i = 0; i < burst->copy_count; i++) {
        const struct access_copy *copy = &burst->copies[i];

        if (copy->status != GNTST_okay) {
            mark_drop(&burst->packets[copy->owner], FROM_GUEST_DROP_COPY);
        }
    }
}

/* Responses of one packet of several slots, from answer on. */
static void answer_packet(const struct from_guest_burst *burst,
                          const struct from_guest_packet *packet,
                          union from_guest_answer *answer)
{
    const union from_guest_slot *slot = &burst->slots[packet->slot];

    for (unsigned int s = 0; s < packet->slot_count; s++, slot++, answer++) {
        bool is_extra = s != 0 && s <= packet->extra_count;

        answer->response.id = is_extra ? 0 : slot->request.id;
        answer->response.status = is_extra ? NETIF_RSP_NULL : packet->status;
    }
}

/* The burst's responses; returns how many. *good: packets handed on. */
static unsigned int make_answers(struct from_guest_burst *burst,
                                 unsigned int *good)
{
    union from_guest_answer *answer = burst->answers;

    *good = 0;
    for (unsigned int i = 0; i < burst->packet_count; i++) {
        const struct from_guest_packet *packet = &burst->packets[i];

        if (packet->slot_count == 1) {
            answer->response = (netif_tx_response_t){
                burst->slots[packet->slot].request.id, packet->status,
            };
        } else {
            answer_packet(burst, packet, answer);
        }
        answer += packet->slot_count;
        *good += from_guest_has_data(packet);
    }
    return (unsigned int)(answer - burst->answers);
}

/* All responses of the burst to its journal, then to the ring. */
static void put_answers(struct from_guest *q, struct from_guest_burst *burst,
                        RING_IDX end, unsigned int packets)
{
    const struct journal_answers answers = {
        .responses = &burst->answers[0].word, .words = 1,
        .old = q->req_cons, .end = end, .packets = packets,
    };

    journal_answer(q->journal, &answers);
    for (RING_IDX i = 0; q->req_cons + i != end; i++) {
        ring_entry(q, q->req_cons + i)->rsp = burst->answers[i].response;
        kill_point(KILL_ANSWERED_PART);
    }
    kill_point(KILL_ANSWERED);
}

bool from_guest_respond(struct from_guest *q, struct from_guest_burst *burst)
{
    RING_IDX old = q->req_cons;
    unsigned int good;
    unsigned int count = make_answers(burst, &good);
    bool wanted;

    burst->packet_count = 0;
    if (count == 0) {
        return false;
    }
    put_answers(q, burst, old + count, good);
    q->req_cons = old + count;
    wanted = ring_push(&q->ring->rsp_prod, &q->ring->rsp_event, old,
                       q->req_cons);
    kill_point(KILL_PUSHED);
    journal_answered(q->journal);
    return wanted;
}

bool from_guest_arm(struct from_guest *q)
{
    ring_publish(&q->ring->req_event, q->req_cons + 1);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return ring_load(&q->ring->req_prod) != q->req_cons;
}

const char *from_guest_fault_text(enum from_guest_fault fault)
{
    switch (fault) {
    case FROM_GUEST_OK:
        return "no fault";
    case FROM_GUEST_INDEX:
        return "the producer index is more than the ring's size ahead";
    case FROM_GUEST_TRUNCATED:
        return "a packet's slots run past the producer index";
    case FROM_GUEST_TOO_LONG:
        return "a packet has more than 20 chained slots";
    case FROM_GUEST_CROSS_PAGE:
        return "a fragment crosses the end of its page";
    case FROM_GUEST_EXTRA_TYPE:
        return "an extra info is unknown or repeated";
    case FROM_GUEST_GSO:
        return "a segmentation size is 0 or its type was not offered";
    }
    return "unknown fault";
}
