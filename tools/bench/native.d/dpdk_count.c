/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A backend that polls one DPDK port, for counting the instructions of its
 * driver under callgrind: bursts are taken in count_from_guest() and sent in
 * count_to_guest() and nowhere else, so that what is inclusive of them
 * (--toggle-collect) is the driver's work for these packets, whatever the
 * driver.  The guest is a process of its own, at full speed.
 *
 * usage: dpdk_count EAL-OPTIONS -- SIZE BURSTS
 *
 * At the end it prints a line "count PACKETS PACKETS", from the guest and to
 * it, of those that were counted: of full bursts, but for the rare one after
 * which the guest was found to be behind.  It gets time to catch up then.
 */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "traffic.h"

#define BURST TRAFFIC_BURST
#define RING 256u
#define BUFFERS 2047u
#define CACHE 256u
#define REST_US 1000u           /* after a burst */
#define WAIT_US 5000u           /* after one that was not full */
#define TRIES 8000u             /* such waits: 40 s */

/* One direction. */
struct tally {
    uint64_t packets;           /* counted */
    bool steady;                /* the last burst was full: count the next */
};

static __attribute__((noinline))
uint16_t count_from_guest(uint16_t port, struct rte_mbuf **mbufs)
{
    return rte_eth_rx_burst(port, 0, mbufs, BURST);
}

static __attribute__((noinline))
uint16_t count_to_guest(uint16_t port, struct rte_mbuf **mbufs)
{
    return rte_eth_tx_burst(port, 0, mbufs, BURST);
}

static void start_port(uint16_t port, struct rte_mempool *pool)
{
    const struct rte_eth_conf conf = { .rxmode = { .mtu = RTE_ETHER_MTU } };

    if (rte_eth_dev_configure(port, 1, 1, &conf) != 0 ||
        rte_eth_rx_queue_setup(port, 0, RING, SOCKET_ID_ANY, NULL,
                               pool) != 0 ||
        rte_eth_tx_queue_setup(port, 0, RING, SOCKET_ID_ANY, NULL) != 0 ||
        rte_eth_dev_start(port) != 0) {
        rte_exit(1, "dpdk_count: the port cannot be used\n");
    }
}

static void note(struct tally *tally, uint16_t count)
{
    if (tally->steady) {
        tally->packets += count;
    }
    tally->steady = count == BURST;
}

static void take_burst(uint16_t port, struct tally *tally)
{
    struct rte_mbuf *mbufs[BURST];
    uint16_t got = tally->steady ? count_from_guest(port, mbufs)
                                 : rte_eth_rx_burst(port, 0, mbufs, BURST);

    note(tally, got);
    rte_pktmbuf_free_bulk(mbufs, got);
}

static void send_burst(uint16_t port, struct rte_mempool *pool,
                       struct traffic *traffic, struct tally *tally)
{
    struct rte_mbuf *mbufs[BURST];
    uint16_t sent;

    if (rte_pktmbuf_alloc_bulk(pool, mbufs, BURST) != 0) {
        rte_exit(1, "dpdk_count: mbufs are lost\n");
    }
    for (unsigned int i = 0; i < BURST; i++) {
        uint32_t size = traffic_size(traffic);

        mbufs[i]->data_len = (uint16_t)size;
        mbufs[i]->pkt_len = size;
        traffic_write(traffic, rte_pktmbuf_mtod(mbufs[i], uint8_t *), size,
                      size);
    }
    sent = tally->steady ? count_to_guest(port, mbufs)
                         : rte_eth_tx_burst(port, 0, mbufs, BURST);
    note(tally, sent);
    rte_pktmbuf_free_bulk(mbufs + sent, BURST - sent);
}

/* Until each direction has had so many bursts. */
static void count(uint16_t port, struct rte_mempool *pool, uint32_t size,
                  uint64_t bursts)
{
    struct traffic traffic = { .size = size, .flows = 1 };
    struct tally from = { .packets = 0 }, to = { .packets = 0 };
    unsigned int waits = 0;

    while (from.packets < bursts * BURST || to.packets < bursts * BURST) {
        take_burst(port, &from);
        /* A port without a guest may take packets too, to drop them. */
        to.steady &= from.steady;
        send_burst(port, pool, &traffic, &to);
        if (from.steady && to.steady) {
            usleep(REST_US);
            continue;
        }
        if (++waits == TRIES) {
            rte_exit(1, "dpdk_count: no packets\n");
        }
        usleep(WAIT_US);
    }
    printf("count %lu %lu\n", (unsigned long)from.packets,
           (unsigned long)to.packets);
}

int main(int argc, char **argv)
{
    int used = rte_eal_init(argc, argv);
    uint16_t port = rte_eth_find_next(0);
    struct rte_mempool *pool;

    if (used < 0 || argc - used != 3 || port == RTE_MAX_ETHPORTS) {
        rte_exit(2, "usage: dpdk_count EAL-OPTIONS -- SIZE BURSTS\n");
    }
    pool = rte_pktmbuf_pool_create("pool", BUFFERS, CACHE, 0,
                                   RTE_MBUF_DEFAULT_BUF_SIZE,
                                   SOCKET_ID_ANY);
    if (pool == NULL) {
        rte_exit(1, "dpdk_count: no memory\n");
    }
    start_port(port, pool);
    count(port, pool, (uint32_t)strtoul(argv[used + 1], NULL, 0),
          strtoul(argv[used + 2], NULL, 0));
    rte_eth_dev_stop(port);
    rte_eth_dev_close(port);
    rte_eal_cleanup();
    return 0;
}
