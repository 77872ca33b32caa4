/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Checksums and large packets between the netif flags and mbuf flags.
 *
 * When the switch takes partial checksums and TCP segmentation (it
 * configured the port's TCP_TSO offload), packets cross unfinished, as Linux
 * leaves them: the checksum field holds the pseudo header's sum, length
 * included.  When not, they are finished here.
 */
#ifndef NETBACK_BURST_OFFLOAD_H
#define NETBACK_BURST_OFFLOAD_H

#include <stdbool.h>

#include "burst.h"

/*
 * Make the buffers for large packets; false: no memory for them.  Called
 * once, before a queue that takes large packets is opened.
 */
bool burst_offload_prepare(void);

/*
 * Give a packet of more bytes than an mbuf's room one contiguous buffer,
 * with an mbuf's headroom: OVS needs both.  The owner, a port's number, may
 * have a share of all such buffers.  -ENOMEM: it has it, or there is no
 * memory; -EMSGSIZE.
 */
int burst_offload_grow(struct rte_mbuf *mbuf, uint32_t size, uint16_t owner);

/* Is there nothing for burst_offload_from, or _to, to do? */
static inline bool burst_offload_from_is_plain(
    const struct from_guest_packet *packet)
{
    return (packet->flags & (NETTXF_csum_blank | NETTXF_data_validated)) ==
           0 && packet->gso_size == 0;
}

static inline bool burst_offload_to_is_plain(const struct rte_mbuf *mbuf)
{
    return (mbuf->ol_flags &
            (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG |
             RTE_MBUF_F_RX_L4_CKSUM_MASK)) == 0;
}

/*
 * A copied packet's mbuf: set its flags and header lengths, or complete its
 * checksum.  -EBADMSG and others: the headers are not what the flags say.
 */
int burst_offload_from(struct burst_from *b, struct rte_mbuf *mbuf,
                       const struct from_guest_packet *packet);

/* What an mbuf that is sent asks of who receives it. */
struct burst_ask {
    bool blank;                 /* complete the checksum */
    bool validated;             /* no need to verify it */
    bool completed;             /* it was completed here */
    uint8_t gso_type;           /* XEN_NETIF_GSO_TYPE_* */
    uint16_t gso_size;          /* 0: not large */
};

/*
 * Read an mbuf's flags; what takes lacks is completed here.  -EOPNOTSUPP: a
 * large packet of a kind that it does not take; others: the headers are not
 * what the flags say.
 */
int burst_offload_ask(const struct burst_takes *takes, struct rte_mbuf *mbuf,
                      struct burst_ask *ask);

/* Complete the checksum of a TCP or UDP packet, whatever its field holds. */
int burst_offload_complete(struct rte_mbuf *mbuf);

/* Is a large packet what its GSO info says? */
int burst_offload_check_gso(const struct rte_mbuf *mbuf, uint8_t gso_type,
                            uint16_t gso_size);

/*
 * The other way: what the guest is told.  What it cannot take is completed
 * here.  -EOPNOTSUPP: it does not take large packets of this kind.
 */
int burst_offload_to(struct burst_to *b, struct to_guest_packet *packet,
                     struct rte_mbuf *mbuf);

#endif
