/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Checksum and segmentation flags of mbufs, from and to netif's.
 *
 * Talks to offload for the headers.  Invariants:
 *  1. No length of a header is believed before offload_parse has seen it.
 *  2. A packet leaves here with a right checksum, or with the pseudo
 *     header's sum in the field and the flag that says so.
 *  3. A large packet is contiguous and has an mbuf's headroom.
 *  4. What is marked for the switch is what the switch and the hardware
 *     behind it understand: one VLAN tag, headers whose lengths fit an
 *     mbuf's fields, and more than one segment if it is to be cut.
 */
#include <errno.h>

#include <rte_ip.h>
#include <rte_malloc.h>
#include <rte_mempool.h>

#include "netback/burst_offload.h"
#include "netback/offload.h"

/* A buffer: its head, then what the mbuf is attached to. */
struct large_head {
    struct rte_mbuf_ext_shared_info info;
    uint32_t *held;             /* its owner's count */
    bool pooled;
};

#define LARGE_HEAD RTE_CACHE_LINE_SIZE
#define LARGE_ROOM 65472u       /* bytes; an mbuf's lengths have 16 bits */
#define LARGE_SIZE (LARGE_HEAD + LARGE_ROOM)
#define LARGE_COUNT 255u        /* in the pool, 16 MiB */
#define LARGE_MORE 1280u        /* beside the pool, 80 MiB */
#define LARGE_ALL (LARGE_COUNT + LARGE_MORE)
#define LARGE_CACHE 16u         /* for each thread */
#define LARGE_LEAST 8u          /* each owner's, whatever others have */
#define LARGE_SHARED (LARGE_ALL - LARGE_LEAST * RTE_MAX_ETHPORTS)
#define LARGE_TIMES 4u          /* an owner's, by what is left of those */

_Static_assert(sizeof(struct large_head) <= LARGE_HEAD, "a buffer's head");
_Static_assert(LARGE_SIZE == 65536, "a power of two, to be aligned to");
_Static_assert(LARGE_LEAST * RTE_MAX_ETHPORTS < LARGE_ALL,
               "some are left to share when all ports have their least");

/*
 * Headers of a packet that is marked.  The lengths have few bits in an mbuf;
 * and OVS looks behind no more tags than vlan-limit, which is 1, then gives
 * hardware lengths that it has not found.
 */
#define MARK_L2_MAX 18u         /* bytes: one VLAN tag */
#define MARK_HEADERS_MAX FROM_GUEST_HEADER

#define TX_MASK (RTE_MBUF_F_TX_L4_MASK | RTE_MBUF_F_TX_TCP_SEG)

/*
 * One pool for all ports: a large packet lives for a burst, or until a
 * hardware port has sent it.  Some hardware's drivers keep what they have
 * sent until the ring's slot is used again, so a ring may hold more than the
 * pool; then rte_malloc helps, which is second choice as it may map and
 * unmap whole hugepages for each packet.
 *
 * A guest can make the switch keep its packets: in such a ring, or as
 * fragments, for which conntrack waits 15 s.  So LARGE_LEAST are kept for
 * each, and of the rest, as of the pool, nobody may hold more than LARGE_TIMES
 * what is free.  Who holds all that it can has 1023, which fills a ring of
 * 2048 slots with packets of two; another beside it can have 204.
 *
 * An owner is a port's number: buffers may live longer than their port.
 */
static struct rte_mempool *large_pool;
static uint32_t large_pooled;   /* [a] buffers of the pool in use */
static uint32_t large_used;     /* [a] buffers in use */
static uint32_t large_held[RTE_MAX_ETHPORTS];   /* [a] of them, by owner */

bool burst_offload_prepare(void)
{
    if (large_pool == NULL) {
        large_pool = rte_mempool_create(
            "xenvif_large", LARGE_COUNT, LARGE_SIZE,
            LARGE_CACHE, 0, NULL, NULL, NULL, NULL, SOCKET_ID_ANY,
            RTE_MEMPOOL_F_NO_SPREAD);
    }
    return large_pool != NULL;
}

/* Is it fair that who holds so many has one more of all? */
static bool is_fair(uint32_t held, uint32_t used, uint32_t all)
{
    return used < all && held < LARGE_TIMES * (all - used);
}

static void give_back(uint32_t *held)
{
    __atomic_fetch_sub(&large_used, 1, __ATOMIC_RELAXED);
    __atomic_fetch_sub(held, 1, __ATOMIC_RELAXED);
}

static void free_block(void *address, void *block)
{
    const struct large_head *head = block;
    uint32_t *held = head->held;

    (void)address;
    if (head->pooled) {
        rte_mempool_put(large_pool, block);
        __atomic_fetch_sub(&large_pooled, 1, __ATOMIC_RELAXED);
    } else {
        rte_free(block);
    }
    give_back(held);
}

/* A block of the pool for who holds so many, or NULL. */
static struct large_head *take_pooled(uint32_t held)
{
    void *block = NULL;

    if (!is_fair(held,
                 __atomic_fetch_add(&large_pooled, 1, __ATOMIC_RELAXED),
                 LARGE_COUNT) ||
        rte_mempool_get(large_pool, &block) != 0) {
        __atomic_fetch_sub(&large_pooled, 1, __ATOMIC_RELAXED);
        return NULL;
    }
    return block;
}

/* A block, with its head but for the callback, or NULL. */
static struct large_head *make_block(uint16_t owner)
{
    uint32_t *held = &large_held[owner % RTE_MAX_ETHPORTS];
    uint32_t had = __atomic_fetch_add(held, 1, __ATOMIC_RELAXED);
    uint32_t used = __atomic_fetch_add(&large_used, 1, __ATOMIC_RELAXED);
    struct large_head *head = NULL;
    bool pooled = false;

    if (had < LARGE_LEAST ? used < LARGE_ALL
                          : is_fair(had, used, LARGE_SHARED)) {
        head = take_pooled(had);
        pooled = head != NULL;
        if (head == NULL) {
            /* Aligned to its size: in one hugepage, for hardware. */
            head = rte_malloc("xenvif_large", LARGE_SIZE, LARGE_SIZE);
        }
    }
    if (head == NULL) {
        give_back(held);
        return NULL;
    }
    head->held = held;
    head->pooled = pooled;
    return head;
}

int burst_offload_grow(struct rte_mbuf *mbuf, uint32_t size, uint16_t owner)
{
    struct large_head *head;
    rte_iova_t iova;

    if (size > LARGE_ROOM - RTE_PKTMBUF_HEADROOM) {
        return -EMSGSIZE;
    }
    head = make_block(owner);
    if (head == NULL) {
        return -ENOMEM;
    }
    iova = head->pooled ? rte_mempool_virt2iova(head)
                        : rte_malloc_virt2iova(head);
    head->info.free_cb = free_block;
    head->info.fcb_opaque = head;
    rte_mbuf_ext_refcnt_set(&head->info, 1);
    rte_pktmbuf_attach_extbuf(mbuf, (uint8_t *)head + LARGE_HEAD,
                              iova + LARGE_HEAD, LARGE_ROOM, &head->info);
    rte_pktmbuf_reset_headroom(mbuf);
    return 0;
}

static int parse(const struct rte_mbuf *mbuf,
                 struct offload_headers *headers)
{
    return offload_parse(rte_pktmbuf_mtod(mbuf, const uint8_t *),
                         mbuf->data_len, mbuf->pkt_len, headers);
}

/* Leave the rest to the switch and whoever it sends to; 0: not to be cut. */
static void mark(struct rte_mbuf *mbuf, const struct offload_headers *headers,
                 uint16_t gso_size)
{
    offload_pseudo(rte_pktmbuf_mtod(mbuf, uint8_t *), headers, true);
    mbuf->l2_len = headers->l2_len;
    mbuf->l3_len = headers->l3_len;
    mbuf->l4_len = headers->l4_len;
    mbuf->ol_flags |= headers->l4 == OFFLOAD_L4_TCP
                          ? RTE_MBUF_F_TX_TCP_CKSUM
                          : RTE_MBUF_F_TX_UDP_CKSUM;
    mbuf->ol_flags |= headers->l3 == OFFLOAD_L3_IPV4 ? RTE_MBUF_F_TX_IPV4
                                                     : RTE_MBUF_F_TX_IPV6;
    if (gso_size != 0) {
        mbuf->ol_flags |= RTE_MBUF_F_TX_TCP_SEG;
        mbuf->tso_segsz = gso_size;
    }
}

static int complete(struct rte_mbuf *mbuf,
                    const struct offload_headers *headers)
{
    struct offload_span spans[BURST_SEGMENTS];
    unsigned int count = 0;

    for (struct rte_mbuf *m = mbuf; m != NULL; m = m->next) {
        if (count == BURST_SEGMENTS) {
            return -EMSGSIZE;
        }
        spans[count].data = rte_pktmbuf_mtod(m, uint8_t *);
        spans[count++].size = m->data_len;
    }
    return offload_complete(spans, count, headers);
}

/*
 * Mark a packet whose headers are right.  1: it has to be completed here;
 * -EMSGSIZE: it is large, and has headers that nobody could cut it by.
 */
static int try_mark(struct rte_mbuf *mbuf,
                    const struct offload_headers *headers, uint16_t gso_size)
{
    uint32_t size = (uint32_t)headers->l2_len + headers->l3_len +
                    headers->l4_len;
    /* One segment is none to cut off: hardware hangs on one without data. */
    bool large = gso_size != 0 &&
                 headers->l4_size - headers->l4_len > gso_size;

    if (size > MARK_HEADERS_MAX) {
        return large ? -EMSGSIZE : 1;
    }
    if (!large && headers->l2_len > MARK_L2_MAX) {
        return 1;
    }
    mark(mbuf, headers, large ? gso_size : 0);
    return 0;
}

int burst_offload_from(struct burst_from *b, struct rte_mbuf *mbuf,
                       const struct from_guest_packet *packet)
{
    struct offload_headers headers;
    int error;

    if ((packet->flags & NETTXF_csum_blank) == 0 && packet->gso_size == 0) {
        if ((packet->flags & NETTXF_data_validated) != 0) {
            mbuf->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
        }
        return 0;
    }
    error = parse(mbuf, &headers);
    if (error == 0 && packet->gso_size != 0) {
        error = b->offload ? offload_check_gso(&headers, packet->gso_type,
                                               packet->gso_size)
                           : -EOPNOTSUPP;
    }
    if (error == 0) {
        error = b->offload ? try_mark(mbuf, &headers, packet->gso_size) : 1;
    }
    if (error != 1) {
        return error;
    }
    error = complete(mbuf, &headers);
    if (error == 0) {
        b->stats.completed++;
        mbuf->ol_flags |= RTE_MBUF_F_RX_L4_CKSUM_GOOD;
    }
    return error;
}

/* The IPv4 header's own sum, which the sender left to us. */
static int complete_ipv4(struct rte_mbuf *mbuf)
{
    struct rte_ipv4_hdr *ip = rte_pktmbuf_mtod_offset(
        mbuf, struct rte_ipv4_hdr *, mbuf->l2_len);

    if (mbuf->data_len < mbuf->l2_len + sizeof(*ip) ||
        ip->version_ihl >> 4 != IPVERSION ||
        rte_ipv4_hdr_len(ip) < sizeof(*ip) ||
        mbuf->data_len < mbuf->l2_len + rte_ipv4_hdr_len(ip)) {
        return -EBADMSG;
    }
    ip->hdr_checksum = 0;
    ip->hdr_checksum = rte_ipv4_cksum(ip);
    return 0;
}

static bool takes_blank(const struct burst_takes *takes,
                        const struct offload_headers *headers)
{
    return headers->l3 == OFFLOAD_L3_IPV4 ? takes->csum_ipv4
                                          : takes->csum_ipv6;
}

static int ask_large(const struct burst_takes *takes,
                     const struct rte_mbuf *mbuf,
                     const struct offload_headers *headers,
                     struct burst_ask *ask)
{
    bool ipv4 = headers->l3 == OFFLOAD_L3_IPV4;

    ask->gso_size = mbuf->tso_segsz;
    ask->gso_type = ipv4 ? XEN_NETIF_GSO_TYPE_TCPV4
                         : XEN_NETIF_GSO_TYPE_TCPV6;
    if (!(ipv4 ? takes->gso_tcpv4 : takes->gso_tcpv6)) {
        return -EOPNOTSUPP;
    }
    return offload_check_gso(headers, ask->gso_type, ask->gso_size);
}

int burst_offload_ask(const struct burst_takes *takes, struct rte_mbuf *mbuf,
                      struct burst_ask *ask)
{
    bool large = (mbuf->ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0;
    struct offload_headers headers;
    int error = 0;

    *ask = (struct burst_ask){ .blank = false };
    if ((mbuf->ol_flags & RTE_MBUF_F_TX_IP_CKSUM) != 0) {
        error = complete_ipv4(mbuf);
    }
    if (error != 0) {
        return error;
    }
    if ((mbuf->ol_flags & TX_MASK) == 0) {
        ask->validated = (mbuf->ol_flags & RTE_MBUF_F_RX_L4_CKSUM_MASK) ==
                         RTE_MBUF_F_RX_L4_CKSUM_GOOD;
        return 0;
    }
    error = parse(mbuf, &headers);
    if (error == 0 && large) {
        error = ask_large(takes, mbuf, &headers, ask);
    }
    if (error != 0) {
        return error;
    }
    if (!large && !takes_blank(takes, &headers)) {
        ask->completed = true;
        return complete(mbuf, &headers);
    }
    offload_pseudo(rte_pktmbuf_mtod(mbuf, uint8_t *), &headers, true);
    ask->blank = ask->validated = true;
    return 0;
}

int burst_offload_complete(struct rte_mbuf *mbuf)
{
    struct offload_headers headers;
    int error = parse(mbuf, &headers);

    return error != 0 ? error : complete(mbuf, &headers);
}

int burst_offload_check_gso(const struct rte_mbuf *mbuf, uint8_t gso_type,
                            uint16_t gso_size)
{
    struct offload_headers headers;
    int error = parse(mbuf, &headers);

    return error != 0 ? error
                      : offload_check_gso(&headers, gso_type, gso_size);
}

int burst_offload_to(struct burst_to *b, struct to_guest_packet *packet,
                     struct rte_mbuf *mbuf)
{
    struct burst_ask ask;
    int error = burst_offload_ask(&b->takes, mbuf, &ask);

    packet->flags = (ask.blank ? NETRXF_csum_blank : 0) |
                    (ask.validated ? NETRXF_data_validated : 0);
    packet->gso_size = ask.gso_size;
    packet->gso_type = ask.gso_type;
    b->stats.completed += ask.completed;
    return error;
}
