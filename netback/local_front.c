/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A netfront in a process: its rings, grants and buffers.  Talks to
 * local_listen.c, which made the memory and holds the socket.
 *
 *   slot n of a ring <-> its own grant reference, for the front's life:
 *
 *   free --send/give: grant--> in the ring --response: end grant--> free
 *
 * What is received lies in the slot's own page; what is sent in the TX pages
 * in turn, as many as were asked for, as a guest's packets do.
 *
 * Invariants:
 *  1. An RX page's gfn is its grant reference; a TX page may be granted by
 *     any slot's, and by several when there are fewer pages than slots.
 *  2. An entry is written before the producer index that publishes it.
 *  3. The backend is trusted no more than a guest trusts its backend:
 *     indices are checked, ids are checked, statuses are signed.
 */
#include <errno.h>
#include <string.h>

#include "local_private.h"

/* Barriers are in the atomics: an entry is in place before the index is. */
static void grant_page(struct local_front *front, grant_ref_t ref,
                       uint32_t gfn, bool readonly)
{
    union grant_v1 *grant = local_front_grant(front, ref);

    if (front->is_static) {
        return;
    }
    grant->entry.frame = gfn;
    __atomic_store_n(&grant->word.head, (uint32_t)GTF_permit_access |
                     (readonly ? GTF_readonly : 0) |
                     (uint32_t)LOCAL_BACKEND << 16, __ATOMIC_RELEASE);
}

/* False: the backend has not let go of it. */
static bool end_grant(struct local_front *front, grant_ref_t ref)
{
    union grant_v1 *grant = local_front_grant(front, ref);
    uint32_t head = __atomic_load_n(&grant->word.head, __ATOMIC_RELAXED);

    if (front->is_static) {
        return true;
    }
    if ((head & (GTF_reading | GTF_writing)) != 0) {
        return false;
    }
    return __atomic_compare_exchange_n(&grant->word.head, &head, 0, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

void local_front_grant_all(struct local_front *front)
{
    for (unsigned int i = 0; i < front->queue_count && !front->is_static;
         i++) {
        for (uint32_t slot = 0; slot < LOCAL_FRONT_SLOTS; slot++) {
            uint32_t tx = front->queues[i].tx_page + slot;
            uint32_t rx = front->queues[i].rx_page + slot;

            grant_page(front, tx, tx, true);
            grant_page(front, rx, rx, false);
        }
    }
    front->is_static = true;
}

static union netif_tx_sring_entry *tx_entry(struct front_queue *q,
                                            RING_IDX index)
{
    union netif_tx_sring_entry *entries = q->tx->ring;

    return entries + index % LOCAL_FRONT_SLOTS;
}

static union netif_rx_sring_entry *rx_entry(struct front_queue *q,
                                            RING_IDX index)
{
    union netif_rx_sring_entry *entries = q->rx->ring;

    return entries + index % LOCAL_FRONT_SLOTS;
}

/* Take back the slots that the backend has answered. */
static void reap(struct local_front *front, struct front_queue *q)
{
    RING_IDX prod = ring_load(&q->tx->rsp_prod);

    if (prod - q->tx_cons > q->tx_prod - q->tx_cons) {
        q->stats.sent_errors++;
        return;
    }
    for (; q->tx_cons != prod; q->tx_cons++) {
        netif_tx_response_t rsp = tx_entry(q, q->tx_cons)->rsp;

        if (rsp.status == NETIF_RSP_NULL) {
            continue;           /* an extra info: it had no grant */
        }
        if (rsp.id >= LOCAL_FRONT_SLOTS) {
            q->stats.sent_errors++;
            continue;
        }
        q->stats.sent_errors += rsp.status != NETIF_RSP_OKAY;
        q->stats.grants_in_use += !end_grant(front, q->tx_page + rsp.id);
    }
}

static unsigned int tx_room(const struct front_queue *q)
{
    return LOCAL_FRONT_SLOTS - (q->tx_prod - q->tx_cons);
}

/* One request; the id is the slot's number, and so its grant. */
static uint8_t *put_request(struct local_front *front, struct front_queue *q,
                            uint32_t size, uint16_t flags)
{
    uint32_t id = q->tx_prod % LOCAL_FRONT_SLOTS;
    /* A static grant is of its own page, for good. */
    uint32_t gfn = front->is_static ? q->tx_page + id
                                    : q->tx_first + q->tx_next;

    q->tx_next = q->tx_next + 1 == q->tx_pages ? 0 : q->tx_next + 1;
    grant_page(front, q->tx_page + id, gfn, true);
    tx_entry(q, q->tx_prod++)->req = (netif_tx_request_t){
        .gref = q->tx_page + id,
        .flags = flags,
        .id = (uint16_t)id,
        .size = (uint16_t)size,
    };
    return local_front_page(front, gfn);
}

static void put_gso(struct front_queue *q, const struct local_packet *packet)
{
    netif_extra_info_t extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO };

    extra.u.gso.size = packet->gso_size;
    extra.u.gso.type = packet->gso_type;
    memcpy(tx_entry(q, q->tx_prod++), &extra, sizeof(extra));
}

static uint32_t piece_size(const struct local_packet *packet)
{
    return packet->piece != 0 ? packet->piece : ACCESS_PAGE_SIZE;
}

/* The caller has made sure of room. */
static void put_packet(struct local_front *front, struct front_queue *q,
                       const struct local_packet *packet)
{
    uint16_t first = packet->flags |
                     (packet->gso_size != 0 ? NETTXF_extra_info : 0);
    uint32_t piece = piece_size(packet);
    uint32_t done = 0;

    while (done < packet->size) {
        uint32_t part = packet->size - done;
        uint16_t flags = done == 0 ? first : 0;
        uint8_t *page;

        if (part > piece) {
            part = piece;
            flags |= NETTXF_more_data;
        }
        page = put_request(front, q, done == 0 ? packet->size : part, flags);
        memcpy(page, packet->data + done, part);
        if (done == 0 && packet->gso_size != 0) {
            put_gso(q, packet);
        }
        done += part;
    }
}

unsigned int local_front_begin(struct local_front *front, unsigned int queue)
{
    struct front_queue *q = &front->queues[queue];

    reap(front, q);
    return tx_room(q);
}

uint8_t *local_front_next(struct local_front *front, unsigned int queue,
                          uint32_t size, uint16_t flags)
{
    return put_request(front, &front->queues[queue], size, flags);
}

void local_front_push(struct local_front *front, unsigned int queue)
{
    struct front_queue *q = &front->queues[queue];
    RING_IDX old = q->tx_pushed;

    q->tx_pushed = q->tx_prod;
    if (q->tx_prod != old &&
        ring_push(&q->tx->req_prod, &q->tx->req_event, old, q->tx_prod)) {
        local_front_kick(front, q);
    }
}

unsigned int local_front_send(struct local_front *front, unsigned int queue,
                              const struct local_packet *packets,
                              unsigned int count)
{
    struct front_queue *q = &front->queues[queue];
    unsigned int room = local_front_begin(front, queue);
    unsigned int sent;

    for (sent = 0; sent < count; sent++) {
        const struct local_packet *packet = &packets[sent];
        unsigned int slots =
            (packet->size + piece_size(packet) - 1) / piece_size(packet) +
            (packet->gso_size != 0);

        if (packet->size > 65535 || slots > room) {
            break;
        }
        put_packet(front, q, packet);
        room -= slots;
    }
    q->stats.sent += sent;
    local_front_push(front, queue);
    return sent;
}

static void give(struct local_front *front, struct front_queue *q,
                 uint16_t id)
{
    grant_page(front, q->rx_page + id, q->rx_page + id, false);
    rx_entry(q, q->rx_prod++)->req = (netif_rx_request_t){
        .id = id,
        .gref = q->rx_page + id,
    };
}

void local_front_fill(struct local_front *front, struct front_queue *q)
{
    for (uint16_t id = 0; id < LOCAL_FRONT_SLOTS; id++) {
        give(front, q, id);
    }
    ring_publish(&q->rx->req_prod, q->rx_prod);
}

/*
 * One response, and its buffer again.  The page's bytes are the caller's
 * only until the next push.  NULL: the backend lies, or an extra info.
 */
static uint8_t *take_slot(struct local_front *front, struct front_queue *q,
                          netif_rx_response_t *rsp, bool is_extra)
{
    uint32_t index = q->rx_cons % LOCAL_FRONT_SLOTS;
    uint16_t id = q->rx_ids[index];

    *rsp = rx_entry(q, q->rx_cons++)->rsp;
    if (!is_extra && rsp->id != id) {
        q->stats.received_errors++;
    }
    q->stats.grants_in_use += !end_grant(front, q->rx_page + id);
    q->rx_ids[q->rx_prod % LOCAL_FRONT_SLOTS] = id;
    give(front, q, id);
    return local_front_page(front, q->rx_page + id);
}

/* True: another extra info follows. */
static bool take_extra(struct local_packet *packet,
                       const netif_rx_response_t *rsp)
{
    netif_extra_info_t extra;

    memcpy(&extra, rsp, sizeof(extra));
    if (extra.type == XEN_NETIF_EXTRA_TYPE_GSO) {
        packet->gso_size = extra.u.gso.size;
        packet->gso_type = extra.u.gso.type;
    } else if (extra.type == XEN_NETIF_EXTRA_TYPE_HASH) {
        packet->has_hash = true;
        packet->hash_type = extra.u.hash.type;
        memcpy(&packet->hash, extra.u.hash.value, sizeof(packet->hash));
    }
    return (extra.flags & XEN_NETIF_EXTRA_FLAG_MORE) != 0;
}

/* All slots of one packet; end is the backend's producer index. */
static void take_packet(struct local_front *front, struct front_queue *q,
                        struct local_packet *packet, RING_IDX end)
{
    uint32_t room = packet->size, size = 0;
    bool has_extra = false;
    netif_rx_response_t rsp;

    packet->status = 0;
    packet->gso_size = 0;
    packet->has_hash = false;
    for (bool first = true, more = true; more && q->rx_cons != end;
         first = false) {
        uint8_t *page = take_slot(front, q, &rsp, false);

        more = (rsp.flags & NETRXF_more_data) != 0;
        if (first) {
            packet->flags = rsp.flags;
            has_extra = (rsp.flags & NETRXF_extra_info) != 0;
        }
        if (rsp.status <= 0 || rsp.status > (int)ACCESS_PAGE_SIZE ||
            rsp.offset > (int)ACCESS_PAGE_SIZE - rsp.status ||
            (uint32_t)rsp.status > room - size) {
            packet->status = NETIF_RSP_ERROR;
        } else {
            memcpy(packet->data + size, page + rsp.offset,
                   (uint32_t)rsp.status);
            size += (uint32_t)rsp.status;
        }
        while (has_extra && q->rx_cons != end) {
            take_slot(front, q, &rsp, true);
            has_extra = take_extra(packet, &rsp);
        }
    }
    packet->size = size;
}

/* The backend's producer index, or our own consumer's if it lies. */
static RING_IDX rx_end(struct front_queue *q)
{
    RING_IDX end = ring_load(&q->rx->rsp_prod);

    if (end - q->rx_cons > q->rx_prod - q->rx_cons) {
        q->stats.received_errors++;
        return q->rx_cons;
    }
    return end;
}

static void push_rx(struct local_front *front, struct front_queue *q,
                    RING_IDX old)
{
    if (q->rx_prod != old &&
        ring_push(&q->rx->req_prod, &q->rx->req_event, old, q->rx_prod)) {
        local_front_kick(front, q);
    }
}

unsigned int local_front_receive(struct local_front *front,
                                 unsigned int queue,
                                 struct local_packet *packets,
                                 unsigned int count)
{
    struct front_queue *q = &front->queues[queue];
    RING_IDX end = rx_end(q);
    RING_IDX old = q->rx_prod;
    unsigned int got;

    for (got = 0; got < count && q->rx_cons != end; got++) {
        take_packet(front, q, &packets[got], end);
        q->stats.received_errors += packets[got].status != 0;
    }
    q->stats.received += got;
    push_rx(front, q, old);
    return got;
}

unsigned int local_front_discard(struct local_front *front,
                                 unsigned int queue, unsigned int count,
                                 local_front_look *look)
{
    struct front_queue *q = &front->queues[queue];
    RING_IDX end = rx_end(q);
    RING_IDX old = q->rx_prod;
    unsigned int got = 0;

    while (got < count && q->rx_cons != end) {
        netif_rx_response_t rsp;
        const uint8_t *page = take_slot(front, q, &rsp, false);

        if (rsp.status > 0 && rsp.offset == 0 &&
            rsp.status <= (int)ACCESS_PAGE_SIZE) {
            look(page, (uint32_t)rsp.status);
        } else {
            q->stats.received_errors++;
        }
        got += (rsp.flags & NETRXF_more_data) == 0;
    }
    q->stats.received += got;
    push_rx(front, q, old);
    return got;
}

bool local_front_arm(struct local_front *front, unsigned int queue)
{
    struct front_queue *q = &front->queues[queue];

    ring_publish(&q->rx->rsp_event, q->rx_cons + 1);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return ring_load(&q->rx->rsp_prod) != q->rx_cons;
}
