/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mbufs of a burst: DPDK's bulk functions, for what most of them are.
 */
#ifndef NETBACK_BURST_MBUF_H
#define NETBACK_BURST_MBUF_H

#include <stdint.h>
#include <string.h>

#include <rte_mbuf.h>

#define BURST_MBUFS 64u         /* of a burst, at most */

/* Four members of an mbuf that lie in one word. */
union burst_mbuf_rearm {
    uint64_t word;
    struct {
        uint16_t data_off;
        uint16_t refcnt;
        uint16_t nb_segs;
        uint16_t port;
    } member;
};

_Static_assert(offsetof(struct rte_mbuf, data_off) + 2 ==
                   offsetof(struct rte_mbuf, refcnt) &&
               offsetof(struct rte_mbuf, data_off) + 4 ==
                   offsetof(struct rte_mbuf, nb_segs) &&
               offsetof(struct rte_mbuf, data_off) + 6 ==
                   offsetof(struct rte_mbuf, port), "rearm_data");
_Static_assert(offsetof(struct rte_mbuf, packet_type) + 4 ==
                   offsetof(struct rte_mbuf, pkt_len) &&
               offsetof(struct rte_mbuf, packet_type) + 8 ==
                   offsetof(struct rte_mbuf, data_len) &&
               offsetof(struct rte_mbuf, packet_type) + 10 ==
                   offsetof(struct rte_mbuf, vlan_tci) &&
               offsetof(struct rte_mbuf, packet_type) + 12 ==
                   offsetof(struct rte_mbuf, hash), "rx_descriptor_fields1");

/* As rte_pktmbuf_alloc_bulk, with fewer stores. */
static inline int burst_mbuf_alloc(struct rte_mempool *pool,
                                   struct rte_mbuf **mbufs,
                                   unsigned int count)
{
    const union burst_mbuf_rearm rearm = { .member = {
        .data_off = RTE_MIN(RTE_PKTMBUF_HEADROOM,
                            rte_pktmbuf_data_room_size(pool)),
        .refcnt = 1, .nb_segs = 1, .port = RTE_MBUF_PORT_INVALID,
    } };
    int error = rte_mempool_get_bulk(pool, (void **)mbufs, count);

    if (error != 0) {
        return error;
    }
    /* One that lies in a pool has neither a next nor another reference. */
    for (unsigned int i = 0; i < count; i++) {
        struct rte_mbuf *mbuf = mbufs[i];

        memcpy(&mbuf->rearm_data, &rearm.word, sizeof(rearm.word));
        mbuf->ol_flags &= RTE_MBUF_F_EXTERNAL;
        memset(&mbuf->rx_descriptor_fields1, 0, 16);
        mbuf->vlan_tci_outer = 0;
        mbuf->tx_offload = 0;
    }
    return 0;
}

/* As rte_pktmbuf_free_bulk, for at most BURST_MBUFS. */
static inline void burst_mbuf_free(struct rte_mbuf **mbufs,
                                   unsigned int count)
{
    struct rte_mempool *pool = count != 0 ? mbufs[0]->pool : NULL;
    void *whole[BURST_MBUFS];
    unsigned int n = 0;

    for (unsigned int i = 0; i < count; i++) {
        struct rte_mbuf *mbuf = mbufs[i];

        if (unlikely(mbuf->nb_segs != 1 || mbuf->pool != pool)) {
            rte_pktmbuf_free(mbuf);
            continue;
        }
        whole[n] = rte_pktmbuf_prefree_seg(mbuf);
        n += whole[n] != NULL;
    }
    if (n != 0) {
        rte_mempool_put_bulk(pool, whole, n);
    }
}

#endif
