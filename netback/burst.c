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
 *  4. Without an mbuf for a packet, its request stays in the ring.  A large
 *     buffer is not waited for: they are all guests', and what is behind the
 *     packet may be what makes the switch give one back.
 */
#include <errno.h>

#include "netback/burst.h"
#include "netback/burst_mbuf.h"
#include "netback/burst_offload.h"

_Static_assert(FROM_GUEST_BURST <= BURST_MBUFS &&
               TO_GUEST_BURST <= BURST_MBUFS, "mbufs of a burst");
_Static_assert(TO_GUEST_BURST <= BURST_SPANS - BURST_SEGMENTS,
               "a burst of mbufs of one segment always has spans");

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
 * Plan a packet of several pieces, or one that its mbuf has no room for: it
 * gets a large buffer then.  Without one, or if it has more than max bytes, it
 * is dropped.
 */
static __attribute__((noinline))
void plan_large(struct burst_from *b, unsigned int i, struct rte_mbuf *mbuf,
                uint32_t max)
{
    const struct from_guest_packet *packet = &b->burst->packets[i];
    struct from_guest_span span;
    int error = 0;

    if (packet->size > max) {
        from_guest_drop(b->burst, i, FROM_GUEST_DROP_MTU);
        return;
    }
    if (packet->size > rte_pktmbuf_tailroom(mbuf)) {
        error = b->offload ? burst_offload_grow(mbuf, packet->size, b->owner)
                           : -EMSGSIZE;
    }
    if (error != 0) {
        from_guest_drop(b->burst, i, error == -ENOMEM
                        ? FROM_GUEST_DROP_SHARE : FROM_GUEST_DROP_BUFFER);
        return;
    }
    span.data = rte_pktmbuf_mtod(mbuf, uint8_t *);
    span.size = rte_pktmbuf_tailroom(mbuf);
    (void)from_guest_plan(b->burst, i, &span, 1);
}

/* Plan every good packet's copies into its mbuf. */
static void plan(struct burst_from *b, struct rte_mbuf **mbufs)
{
    struct from_guest_burst *burst = b->burst;
    const unsigned int count = burst->packet_count;
    const uint32_t max = __atomic_load_n(&b->frame_max, __ATOMIC_RELAXED);

    burst->copy_count = 0;
    for (unsigned int i = 0; i < count; i++) {
        struct rte_mbuf *mbuf = mbufs[i];

        if (from_guest_has_data(&burst->packets[i]) &&
            !from_guest_plan_single(burst, i,
                                    rte_pktmbuf_mtod(mbuf, uint8_t *),
                                    RTE_MIN(rte_pktmbuf_tailroom(mbuf),
                                            max))) {
            plan_large(b, i, mbuf, max);
        }
    }
}

static inline void set_size(struct rte_mbuf *mbuf, uint32_t size)
{
    mbuf->data_len = (uint16_t)size;
    mbuf->pkt_len = size;
}

/* Packet i's mbuf is what the packet says; false: the packet was dropped. */
static bool complete(struct burst_from *b, unsigned int i,
                     struct rte_mbuf *mbuf)
{
    const struct from_guest_packet *packet = &b->burst->packets[i];

    if (!from_guest_has_data(packet)) {
        return false;
    }
    set_size(mbuf, packet->size);
    if (burst_offload_from_is_plain(packet) ||
        burst_offload_from(b, mbuf, packet) == 0) {
        return true;
    }
    from_guest_drop(b->burst, i, FROM_GUEST_DROP_OFFLOAD);
    return false;
}

/* Packets from i on; returns how many are good, with those before. */
static __attribute__((noinline))
unsigned int collect_rest(struct burst_from *b, struct rte_mbuf **mbufs,
                          unsigned int i, uint64_t *bytes)
{
    const struct from_guest_burst *burst = b->burst;
    struct rte_mbuf *spare[FROM_GUEST_BURST];
    unsigned int good = i;
    unsigned int bad = 0;

    for (; i < burst->packet_count; i++) {
        const struct from_guest_packet *packet = &burst->packets[i];
        struct rte_mbuf *mbuf = mbufs[i];

        if (complete(b, i, mbuf)) {
            *bytes += packet->size;
            mbufs[good++] = mbuf;
        } else {
            b->stats.drops[packet->drop] += packet->drop != FROM_GUEST_KEEP;
            spare[bad++] = mbuf;
        }
    }
    if (bad != 0) {
        rte_pktmbuf_free_bulk(spare, bad);
    }
    return good;
}

/* After the copies: good packets become mbufs at the front of the array. */
static unsigned int collect(struct burst_from *b, struct rte_mbuf **mbufs)
{
    const struct from_guest_packet *packet = b->burst->packets;
    const unsigned int count = b->burst->packet_count;
    unsigned int good;
    uint64_t bytes = 0;

    for (good = 0; good < count; good++, packet++) {
        if (!from_guest_has_data(packet) ||
            !burst_offload_from_is_plain(packet)) {
            break;
        }
        set_size(mbufs[good], packet->size);
        bytes += packet->size;
    }
    if (good != count) {
        good = collect_rest(b, mbufs, good, &bytes);
    }
    b->stats.packets += good;
    b->stats.bytes += bytes;
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
    if (burst_mbuf_alloc(pool, mbufs, (unsigned int)packets) != 0) {
        b->stats.no_mbuf++;
        return 0;
    }
    plan(b, mbufs);
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
static inline bool to_describe_single(struct to_guest_packet *packet,
                                      struct to_guest_span *span,
                                      const struct rte_mbuf *mbuf)
{
    if (mbuf->nb_segs != 1 || !burst_offload_to_is_plain(mbuf)) {
        return false;
    }
    *packet = (struct to_guest_packet){ .spans = span, .span_count = 1 };
    span->data = rte_pktmbuf_mtod(mbuf, uint8_t *);
    span->size = mbuf->data_len;
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
 * Describe mbufs from i on as packets until one does not do, or the spans,
 * of which i are used, run out.  Returns how many are described; *bad: the
 * next one is to be dropped.
 */
static __attribute__((noinline))
unsigned int to_fill_rest(struct burst_to *b, struct rte_mbuf **mbufs,
                          unsigned int i, unsigned int count, bool *bad)
{
    unsigned int used = i;

    for (; i < count && used <= BURST_SPANS - BURST_SEGMENTS; i++) {
        if (!to_describe_single(&b->packets[i], &b->spans[used], mbufs[i]) &&
            !to_describe(b, &b->packets[i], mbufs[i], used)) {
            *bad = true;
            break;
        }
        used += mbufs[i]->nb_segs;
    }
    return i;
}

/* The same of all; most are of one segment. */
static unsigned int to_fill(struct burst_to *b, struct rte_mbuf **mbufs,
                            unsigned int count, bool *bad)
{
    *bad = false;
    for (unsigned int i = 0; i < count; i++) {
        if (!to_describe_single(&b->packets[i], &b->spans[i], mbufs[i])) {
            return to_fill_rest(b, mbufs, i, count, bad);
        }
    }
    return count;
}

static void to_count(struct burst_to *b, struct rte_mbuf **mbufs,
                     unsigned int sent)
{
    uint64_t packets = sent;
    uint64_t bytes = 0;

    for (unsigned int i = 0; i < sent; i++) {
        if (b->packets[i].drop == TO_GUEST_KEEP) {
            bytes += mbufs[i]->pkt_len;
            continue;
        }
        b->stats.drops[b->packets[i].drop]++;
        packets--;
    }
    b->stats.packets += packets;
    b->stats.bytes += bytes;
}

/* What the guest is to be told of each packet. */
static void to_hash(struct burst_to *b, const struct hash_value *hashes,
                    unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        b->packets[i].has_hash = hashes[i].type != HASH_TYPE_NONE;
        b->packets[i].hash = hashes[i];
    }
}

static void to_count_hashed(struct burst_to *b, unsigned int sent)
{
    for (unsigned int i = 0; i < sent; i++) {
        b->stats.hashed += b->packets[i].drop == TO_GUEST_KEEP &&
                           b->packets[i].has_hash;
    }
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
    if (hashes != NULL) {
        to_hash(b, hashes, filled);
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
    if (hashes != NULL) {
        to_count_hashed(b, (unsigned int)sent);
    }
    burst_mbuf_free(mbufs, (unsigned int)sent);
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
