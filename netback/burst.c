/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One burst in each direction: the ring code's steps with mbufs around them.
 *
 * Talks to from_guest, to_guest, burst_offload, and access.h for the copies.
 * Invariants:
 *  1. Everything between burst_gate_enter and _leave is bounded by one ring.
 *  2. A broken ring shuts its own gate and tells its vif, once.
 *  3. An mbuf is handed over only when its packet is complete: copied,
 *     headers contiguous, checksum valid or marked by an offload flag.
 *  4. Without memory for a packet, its request stays in the ring.
 */
#include <errno.h>

#include "netback/burst.h"
#include "netback/burst_offload.h"

static void from_broken(struct burst_from *b)
{
    enum from_guest_fault fault = b->ring.fault != FROM_GUEST_OK
                                      ? b->ring.fault
                                      : b->burst->fault;

    burst_gate_shut(&b->gate);
    b->stats.ring_errors++;
    b->broken(b->vif, from_guest_fault_text(fault));
}

/*
 * Room for packet i: in its mbuf, or in a large buffer.  False: not now, the
 * packet has to wait.  A packet that will never fit is dropped.
 */
static bool find_room(struct burst_from *b, unsigned int i,
                      struct rte_mbuf *mbuf)
{
    const struct from_guest_packet *packet = &b->burst->packets[i];
    int error = -EMSGSIZE;

    if (packet->size <= rte_pktmbuf_tailroom(mbuf)) {
        return true;
    }
    if (b->offload) {
        error = burst_offload_grow(mbuf, packet->size);
    }
    if (error == -EMSGSIZE) {
        from_guest_drop(b->burst, i, FROM_GUEST_DROP_BUFFER);
    }
    return error != -ENOMEM;
}

/*
 * Plan every good packet's copies into its mbuf.  Packets from the first on
 * that finds no memory stay in the ring, and their mbufs are freed.
 */
static void plan(struct burst_from *b, struct rte_mbuf **mbufs)
{
    struct from_guest_burst *burst = b->burst;

    burst->copy_count = 0;
    for (unsigned int i = 0; i < burst->packet_count; i++) {
        const struct from_guest_packet *packet = &burst->packets[i];
        struct from_guest_span span;

        if (packet->kind != FROM_GUEST_DATA ||
            packet->status != NETIF_RSP_OKAY) {
            continue;
        }
        if (!find_room(b, i, mbufs[i])) {
            b->stats.no_mbuf++;
            rte_pktmbuf_free_bulk(mbufs + i, burst->packet_count - i);
            from_guest_trim(burst, i);
            return;
        }
        if (packet->status == NETIF_RSP_OKAY) {
            span.data = rte_pktmbuf_mtod(mbufs[i], uint8_t *);
            span.size = rte_pktmbuf_tailroom(mbufs[i]);
            (void)from_guest_plan(burst, i, &span, 1);
        }
    }
}

/* After the copies: good packets become mbufs at the front of the array. */
static unsigned int collect(struct burst_from *b, struct rte_mbuf **mbufs)
{
    struct from_guest_burst *burst = b->burst;
    struct rte_mbuf *spare[FROM_GUEST_BURST];
    unsigned int good = 0;
    unsigned int bad = 0;
    uint64_t bytes = 0;

    for (unsigned int i = 0; i < burst->packet_count; i++) {
        const struct from_guest_packet *packet = &burst->packets[i];
        struct rte_mbuf *mbuf = mbufs[i];

        if (packet->kind == FROM_GUEST_DATA &&
            packet->status == NETIF_RSP_OKAY) {
            mbuf->data_len = (uint16_t)packet->size;
            mbuf->pkt_len = packet->size;
            if (!burst_offload_from_is_plain(packet) &&
                burst_offload_from(b, mbuf, packet) != 0) {
                from_guest_drop(burst, i, FROM_GUEST_DROP_OFFLOAD);
            }
        }
        if (packet->kind != FROM_GUEST_DATA ||
            packet->status != NETIF_RSP_OKAY) {
            b->stats.drops[packet->drop] += packet->drop != FROM_GUEST_KEEP;
            spare[bad++] = mbuf;
            continue;
        }
        bytes += packet->size;
        mbufs[good++] = mbuf;
    }
    b->stats.packets += good;
    b->stats.bytes += bytes;
    if (bad != 0) {
        rte_pktmbuf_free_bulk(spare, bad);
    }
    return good;
}

static unsigned int from_burst(struct burst_from *b,
                               struct rte_mempool *pool,
                               struct rte_mbuf **mbufs, unsigned int count)
{
    unsigned int good;
    int slots = from_guest_take(&b->ring, b->burst, count);
    int packets;

    if (slots == 0) {
        return 0;
    }
    packets = slots < 0 ? slots : from_guest_parse(b->burst);
    if (packets < 0) {
        from_broken(b);
        return 0;
    }
    if (rte_pktmbuf_alloc_bulk(pool, mbufs, (unsigned int)packets) != 0) {
        b->stats.no_mbuf++;
        return 0;
    }
    plan(b, mbufs);
    if (b->burst->packet_count == 0) {
        return 0;
    }
    access_copy(b->access, ACCESS_FROM_GUEST, b->burst->copies,
                b->burst->copy_count);
    from_guest_settle(b->burst);
    good = collect(b, mbufs);
    if (from_guest_respond(&b->ring, b->burst)) {
        b->access->ops->notify(b->access, b->port);
        b->stats.events++;
    }
    return good;
}

unsigned int burst_from_guest(struct burst_from *b, struct rte_mempool *pool,
                              struct rte_mbuf **mbufs, unsigned int count)
{
    unsigned int good;

    if (!burst_gate_enter(&b->gate)) {
        return 0;
    }
    good = from_burst(b, pool, mbufs, RTE_MIN(count, FROM_GUEST_BURST));
    burst_gate_leave(&b->gate);
    return good;
}

static void to_broken(struct burst_to *b)
{
    burst_gate_shut(&b->gate);
    b->stats.ring_errors++;
    b->broken(b->vif, to_guest_fault_text(b->ring.fault));
}

/* What most mbufs are: one segment, nothing special.  False: look closer. */
static inline bool to_describe_single(struct burst_to *b,
                                      struct to_guest_packet *packet,
                                      const struct rte_mbuf *mbuf,
                                      unsigned int used)
{
    if (mbuf->nb_segs != 1 || !burst_offload_to_is_plain(mbuf)) {
        return false;
    }
    *packet = (struct to_guest_packet){
        .spans = &b->spans[used], .span_count = 1,
    };
    b->spans[used] = (struct to_guest_span){
        .data = rte_pktmbuf_mtod(mbuf, uint8_t *), .size = mbuf->data_len,
    };
    return true;
}

/*
 * Describe one mbuf, whose segments take spans from used on.  False: it was
 * dropped, and counted.
 */
static bool to_describe(struct burst_to *b, struct to_guest_packet *packet,
                        struct rte_mbuf *mbuf, unsigned int used)
{
    *packet = (struct to_guest_packet){
        .spans = &b->spans[used], .span_count = mbuf->nb_segs,
    };
    if (mbuf->nb_segs > BURST_SEGMENTS) {
        b->stats.scattered++;
        return false;
    }
    if (burst_offload_to(b, packet, mbuf) != 0) {
        b->stats.offload++;
        return false;
    }
    for (struct rte_mbuf *m = mbuf; m != NULL; m = m->next) {
        b->spans[used++] = (struct to_guest_span){
            .data = rte_pktmbuf_mtod(m, uint8_t *),
            .size = m->data_len,
        };
    }
    return true;
}

/*
 * Describe mbufs as packets until one does not do, or the spans run out.
 * Returns how many are described; *bad: the next one is to be dropped.
 */
static unsigned int to_fill(struct burst_to *b, struct rte_mbuf **mbufs,
                            unsigned int count, bool *bad)
{
    unsigned int used = 0;
    unsigned int i;

    *bad = false;
    for (i = 0; i < count && used <= BURST_SPANS - BURST_SEGMENTS; i++) {
        if (!to_describe_single(b, &b->packets[i], mbufs[i], used) &&
            !to_describe(b, &b->packets[i], mbufs[i], used)) {
            *bad = true;
            break;
        }
        used += mbufs[i]->nb_segs;
    }
    return i;
}

static void to_count(struct burst_to *b, struct rte_mbuf **mbufs,
                     unsigned int sent)
{
    uint64_t packets = 0;
    uint64_t bytes = 0;

    for (unsigned int i = 0; i < sent; i++) {
        if (b->packets[i].drop != TO_GUEST_KEEP) {
            b->stats.drops[b->packets[i].drop]++;
            continue;
        }
        packets++;
        bytes += mbufs[i]->pkt_len;
        b->stats.hashed += b->packets[i].has_hash;
    }
    b->stats.packets += packets;
    b->stats.bytes += bytes;
}

/* One ring burst; returns how many were consumed, or -EPROTO. */
static int to_burst(struct burst_to *b, struct rte_mbuf **mbufs,
                    const struct hash_value *hashes, unsigned int count)
{
    bool bad;
    unsigned int filled = to_fill(b, mbufs, count, &bad);
    int sent;

    if (filled == 0) {
        rte_pktmbuf_free(mbufs[0]);     /* bad, for count is not 0 */
        return 1;
    }
    for (unsigned int i = 0; hashes != NULL && i < filled; i++) {
        b->packets[i].has_hash = hashes[i].type != HASH_TYPE_NONE;
        b->packets[i].hash = hashes[i];
    }
    sent = to_guest_take(&b->ring, b->burst, b->packets, filled);
    if (sent <= 0) {
        return sent;
    }
    access_copy(b->access, ACCESS_TO_GUEST, b->burst->copies,
                b->burst->copy_count);
    if (to_guest_respond(&b->ring, b->burst)) {
        b->access->ops->notify(b->access, b->port);
        b->stats.events++;
    }
    to_count(b, mbufs, (unsigned int)sent);
    rte_pktmbuf_free_bulk(mbufs, (unsigned int)sent);
    return sent;
}

unsigned int burst_to_guest_hashed(struct burst_to *b,
                                   struct rte_mbuf **mbufs,
                                   const struct hash_value *hashes,
                                   unsigned int count)
{
    unsigned int done = 0;

    if (!burst_gate_enter(&b->gate)) {
        rte_pktmbuf_free_bulk(mbufs, count);
        __atomic_fetch_add(&b->stats.closed, count, __ATOMIC_RELAXED);
        return count;
    }
    while (done < count) {
        int sent = to_burst(b, mbufs + done,
                            hashes != NULL ? hashes + done : NULL,
                            RTE_MIN(count - done, TO_GUEST_BURST));

        if (sent < 0) {
            to_broken(b);
            break;
        }
        if (sent == 0) {
            b->stats.no_buffer += count - done;
            break;
        }
        done += (unsigned int)sent;
    }
    burst_gate_leave(&b->gate);
    return done;
}

unsigned int burst_to_guest(struct burst_to *b, struct rte_mbuf **mbufs,
                            unsigned int count)
{
    return burst_to_guest_hashed(b, mbufs, NULL, count);
}
