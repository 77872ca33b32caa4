/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One burst of mbufs from the switch, sorted by the hash that the frontend
 * configured into a burst for each of its queues.  Talks to hash and burst;
 * runs in a packet thread.
 *
 * Invariants:
 *  1. Packets of one queue keep their order, also those that are refused.
 *  2. The hashes of a part of a burst are of one table: if the control
 *     thread publishes another one meanwhile they are computed again, a few
 *     times; then the packets go without a hash, by any queue.
 */
#include "netback/steer.h"

#define PART 32u                /* mbufs sorted at once */
#define TRIES 4u

struct part {
    unsigned int count;
    uint16_t queues[PART];
    struct hash_value hashes[PART];
};

static bool try_hash(const struct vif *vif, uint16_t queue_count,
                     struct rte_mbuf *const *mbufs, struct part *part)
{
    const struct hash_table *table = &vif->hash_table;
    uint32_t sequence = hash_begin(table);

    for (unsigned int i = 0; i < part->count; i++) {
        struct hash_value *hash = &part->hashes[i];

        *hash = hash_packet(table, rte_pktmbuf_mtod(mbufs[i], uint8_t *),
                            mbufs[i]->data_len);
        part->queues[i] = hash_queue(table, hash->value, queue_count);
    }
    return hash_end(table, sequence);
}

static void hash_part(const struct vif *vif, uint16_t queue_count,
                      struct rte_mbuf *const *mbufs, struct part *part)
{
    for (unsigned int i = 0; i < TRIES; i++) {
        if (try_hash(vif, queue_count, mbufs, part)) {
            return;
        }
    }
    for (unsigned int i = 0; i < part->count; i++) {
        part->hashes[i] = (struct hash_value){ .type = HASH_TYPE_NONE };
    }
}

/* Send one queue's packets; those refused go to rest[], which grows. */
static void send_queue(struct vif *vif, uint16_t queue,
                       struct rte_mbuf *const *mbufs,
                       const struct part *part, struct rte_mbuf **rest,
                       unsigned int *rest_count)
{
    struct rte_mbuf *own[PART];
    struct hash_value hashes[PART];
    unsigned int count = 0;
    unsigned int sent;

    for (unsigned int i = 0; i < part->count; i++) {
        if (part->queues[i] == queue) {
            own[count] = mbufs[i];
            hashes[count++] = part->hashes[i];
        }
    }
    if (count == 0) {
        return;
    }
    sent = burst_to_guest_hashed(&vif->queues[queue].to, own, hashes, count);
    while (sent < count) {
        rest[(*rest_count)++] = own[sent++];
    }
}

/* Returns how many of the part were consumed; the others are at its end. */
static unsigned int send_part(struct vif *vif, uint16_t queue_count,
                              struct rte_mbuf **mbufs, unsigned int count)
{
    struct part part = { .count = count };
    struct rte_mbuf *rest[PART];
    unsigned int rest_count = 0;

    hash_part(vif, queue_count, mbufs, &part);
    for (uint16_t queue = 0; queue < queue_count; queue++) {
        send_queue(vif, queue, mbufs, &part, rest, &rest_count);
    }
    for (unsigned int i = 0; i < rest_count; i++) {
        mbufs[count - rest_count + i] = rest[i];
    }
    return count - rest_count;
}

uint16_t steer_to_guest(struct vif *vif, uint16_t queue_count,
                        struct rte_mbuf **mbufs, uint16_t count)
{
    unsigned int done = 0;

    while (done < count) {
        unsigned int part = RTE_MIN(count - done, PART);
        unsigned int sent = send_part(vif, queue_count, mbufs + done, part);

        done += sent;
        if (sent < part) {
            break;
        }
    }
    return (uint16_t)done;
}
