/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One burst in each direction of a frontend's ring pair.
 *
 * Talks to from_backend, to_backend, burst_offload, and to the link for
 * events.  Invariants:
 *  1. Everything between burst_gate_enter and _leave is bounded by one ring.
 *  2. A broken ring shuts its own gate and tells its front, once.
 *  3. An mbuf handed over holds a private copy of its packet, complete, with
 *     its checksum right; a large one has the flags that say what it lacks.
 *  4. Headers are looked at in that copy, never in a shared page.
 *  5. Without memory for a packet, its response stays in the ring.
 */
#include <errno.h>
#include <string.h>

#include "netback/burst_offload.h"
#include "netback/front_burst.h"

static void rx_broken(struct front_rx *rx)
{
    burst_gate_shut(&rx->gate);
    rx->stats.ring_errors++;
    rx->broken(rx->front, from_backend_fault_text(rx->ring.fault));
}

/* Packets stay in the ring, and no event will tell of them again. */
static void starve(struct front_rx *rx)
{
    rx->starved = true;
    rx->stats.no_mbuf++;
}

/* Copy one fragment to the end of a chain; -ENOMEM. */
static int append(struct rte_mempool *pool, struct rte_mbuf *head,
                  struct rte_mbuf **last, const uint8_t *data, uint32_t size)
{
    while (size != 0) {
        uint32_t room = rte_pktmbuf_tailroom(*last);

        if (room == 0) {
            struct rte_mbuf *next = rte_pktmbuf_alloc(pool);

            if (next == NULL) {
                return -ENOMEM;
            }
            next->data_off = 0;
            (*last)->next = next;
            *last = next;
            head->nb_segs++;
            continue;
        }
        room = RTE_MIN(room, size);
        memcpy(rte_pktmbuf_mtod_offset(*last, uint8_t *, (*last)->data_len),
               data, room);
        (*last)->data_len = (uint16_t)((*last)->data_len + room);
        data += room;
        size -= room;
    }
    return 0;
}

/* A packet's bytes into its mbuf.  -EMSGSIZE: it takes no chain; -ENOMEM. */
static int fill(const struct front_rx *rx, struct rte_mempool *pool,
                const struct from_backend_packet *packet,
                struct rte_mbuf *mbuf)
{
    const struct from_backend_fragment *part =
        &rx->burst->fragments[packet->fragment];
    struct rte_mbuf *last = mbuf;

    if (!rx->scatter && packet->size > rte_pktmbuf_tailroom(mbuf)) {
        return -EMSGSIZE;
    }
    mbuf->pkt_len = packet->size;
    for (unsigned int i = 0; i < packet->fragment_count; i++, part++) {
        int error = append(pool, mbuf, &last,
                           from_backend_data(&rx->ring, part), part->size);

        if (error != 0) {
            return error;
        }
    }
    return 0;
}

/* Flags of a filled mbuf; an error: the headers are not what was said. */
static int describe(struct front_rx *rx,
                    const struct from_backend_packet *packet,
                    struct rte_mbuf *mbuf)
{
    int error = 0;

    if (packet->has_hash) {
        mbuf->hash.rss = packet->hash;
        mbuf->ol_flags |= RTE_MBUF_F_RX_RSS_HASH;
    }
    if (packet->gso_size != 0) {
        error = rx->lro ? burst_offload_check_gso(mbuf, packet->gso_type,
                                                  packet->gso_size)
                        : -EOPNOTSUPP;
        mbuf->ol_flags |= RTE_MBUF_F_RX_LRO | RTE_MBUF_F_RX_L4_CKSUM_NONE;
        mbuf->tso_segsz = packet->gso_size;
        return error;
    }
    if ((packet->flags & NETRXF_csum_blank) != 0) {
        error = burst_offload_complete(mbuf);
        rx->stats.completed += error == 0;
    }
    if ((packet->flags & (NETRXF_csum_blank | NETRXF_data_validated)) != 0) {
        mbuf->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    }
    return error;
}

/* Packet i into its mbuf.  1: it is good; 0: dropped; -ENOMEM: not now. */
static int receive(struct front_rx *rx, struct rte_mempool *pool,
                   unsigned int i, struct rte_mbuf *mbuf)
{
    const struct from_backend_packet *packet = &rx->burst->packets[i];
    int error;

    if (packet->drop != FROM_BACKEND_KEEP) {
        rx->stats.drops[packet->drop]++;
        return 0;
    }
    error = fill(rx, pool, packet, mbuf);
    if (error == -ENOMEM) {
        return error;
    }
    if (error != 0) {
        rx->stats.too_large++;
        return 0;
    }
    if (describe(rx, packet, mbuf) != 0) {
        rx->stats.headers++;
        return 0;
    }
    rx->stats.bytes += packet->size;
    return 1;
}

/* Bring the start of a packet closer. */
static void prefetch(const struct front_rx *rx, unsigned int i)
{
    if (i < rx->burst->packet_count &&
        rx->burst->packets[i].fragment_count != 0) {
        __builtin_prefetch(from_backend_data(
            &rx->ring, &rx->burst->fragments[rx->burst->packets[i].fragment]));
    }
}

/* All packets of the burst; good mbufs go to the front of the array. */
static unsigned int receive_all(struct front_rx *rx, struct rte_mempool *pool,
                                struct rte_mbuf **mbufs, unsigned int *done)
{
    struct rte_mbuf *spare[FROM_BACKEND_BURST];
    unsigned int count = rx->burst->packet_count;
    unsigned int good = 0, bad = 0, i;

    for (i = 0; i < count; i++) {
        int result;

        prefetch(rx, i + 4);
        result = receive(rx, pool, i, mbufs[i]);
        if (result < 0) {
            starve(rx);
            break;
        }
        if (result == 0) {
            spare[bad++] = mbufs[i];
        } else {
            mbufs[good++] = mbufs[i];
        }
    }
    *done = i;
    if (i < count) {
        rte_pktmbuf_free_bulk(mbufs + i, count - i);
    }
    if (bad != 0) {
        rte_pktmbuf_free_bulk(spare, bad);
    }
    return good;
}

static unsigned int rx_burst(struct front_rx *rx, struct rte_mempool *pool,
                             struct rte_mbuf **mbufs, unsigned int count)
{
    unsigned int good, done;
    int packets = from_backend_take(&rx->ring, rx->burst, count);

    rx->starved = false;
    if (packets == 0) {
        return 0;
    }
    if (packets < 0) {
        rx_broken(rx);
        return 0;
    }
    if (rte_pktmbuf_alloc_bulk(pool, mbufs, (unsigned int)packets) != 0) {
        starve(rx);
        return 0;
    }
    good = receive_all(rx, pool, mbufs, &done);
    rx->stats.packets += good;
    if (from_backend_give(&rx->ring, rx->burst, done)) {
        rx->link->ops->notify(rx->link, rx->queue, false);
        rx->stats.events++;
    }
    return good;
}

unsigned int front_rx_burst(struct front_rx *rx, struct rte_mempool *pool,
                            struct rte_mbuf **mbufs, unsigned int count)
{
    unsigned int good;

    if (!burst_gate_enter(&rx->gate)) {
        return 0;
    }
    good = rx_burst(rx, pool, mbufs, RTE_MIN(count, FROM_BACKEND_BURST));
    burst_gate_leave(&rx->gate);
    return good;
}

bool front_rx_arm(struct front_rx *rx)
{
    bool ready;

    if (!burst_gate_enter(&rx->gate)) {
        return false;           /* who opens the gate wakes the sleeper */
    }
    rx->link->ops->drain(rx->link, rx->queue);
    ready = from_backend_arm(&rx->ring) || rx->starved;
    burst_gate_leave(&rx->gate);
    return ready;
}

static void tx_broken(struct front_tx *tx)
{
    burst_gate_shut(&tx->gate);
    tx->stats.ring_errors++;
    tx->broken(tx->front, to_backend_fault_text(tx->ring.fault));
}

/* One mbuf.  0: it is done with, and counted; -ENOBUFS: no room now. */
static int send_one(struct front_tx *tx, struct rte_mbuf *mbuf)
{
    struct to_backend_span spans[BURST_SEGMENTS];
    struct to_backend_packet packet = { .spans = spans };
    struct burst_ask ask;
    int error;

    if (mbuf->nb_segs > BURST_SEGMENTS) {
        tx->stats.scattered++;
        return 0;
    }
    if (burst_offload_ask(&tx->takes, mbuf, &ask) != 0) {
        tx->stats.offload++;
        return 0;
    }
    for (struct rte_mbuf *m = mbuf; m != NULL; m = m->next) {
        spans[packet.span_count].data = rte_pktmbuf_mtod(m, const uint8_t *);
        spans[packet.span_count++].size = m->data_len;
    }
    packet.flags = (ask.blank ? NETTXF_csum_blank : 0) |
                   (ask.validated ? NETTXF_data_validated : 0);
    packet.gso_size = ask.gso_size;
    packet.gso_type = ask.gso_type;
    error = to_backend_put(&tx->ring, &packet);
    if (error == -ENOBUFS) {
        return error;
    }
    if (error != 0) {
        tx->stats.size++;
        return 0;
    }
    tx->stats.completed += ask.completed;
    tx->stats.packets++;
    tx->stats.bytes += mbuf->pkt_len;
    return 0;
}

static unsigned int tx_burst(struct front_tx *tx, struct rte_mbuf **mbufs,
                             unsigned int count)
{
    uint64_t refused = tx->ring.errors;
    unsigned int done;

    if (to_backend_reap(&tx->ring) != 0) {
        tx_broken(tx);
        return 0;
    }
    tx->stats.refused += tx->ring.errors - refused;
    for (done = 0; done < count; done++) {
        if (send_one(tx, mbufs[done]) != 0) {
            tx->stats.no_room += count - done;
            break;
        }
    }
    if (to_backend_push(&tx->ring)) {
        tx->link->ops->notify(tx->link, tx->queue, true);
        tx->stats.events++;
    }
    return done;
}

unsigned int front_tx_burst(struct front_tx *tx, struct rte_mbuf **mbufs,
                            unsigned int count)
{
    unsigned int done;

    if (!burst_gate_enter(&tx->gate)) {
        __atomic_fetch_add(&tx->stats.closed, count, __ATOMIC_RELAXED);
        rte_pktmbuf_free_bulk(mbufs, count);
        return count;
    }
    done = tx_burst(tx, mbufs, count);
    burst_gate_leave(&tx->gate);
    rte_pktmbuf_free_bulk(mbufs, done);
    return done;
}
