/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guests that send and take as fast as they can, each the far end of a DPDK
 * port: what vif_load is to net_xenvif, for the paths that it is compared
 * with.  The frames, the bursts and the memory that they come from are the
 * same.
 *
 * usage: dpdk_load EAL-OPTIONS -- [-p BUFFERS] [-m BYTES] [-r QUEUES]
 *                  send|take|both
 *
 * Every port that EAL made is a guest, at most 2.  BUFFERS, of 4 KiB, are
 * sent from in turn [4096]; -m makes all buffers large enough for frames of
 * BYTES; -r: queues to take from [1].  load_commands.h says how it is told
 * what to send.
 */
#include <rte_eal.h>
#include <rte_ethdev.h>
#include <rte_mbuf.h>

#include "load_commands.h"

#define RING 256u
#define ROOM (4096u - 256u)     /* with mbuf and mempool headers: 4 KiB */
#define RX_BUFFERS 1023u
#define MORE 64u                /* bytes that virtio has before a frame */

struct options {
    unsigned int buffers;
    unsigned int largest;
    uint16_t rx_queues;
    bool sends, takes;
};

struct guest {
    uint16_t port;
    struct rte_mempool *pool;   /* to send from; first in, first out */
    struct rte_mbuf *ready[TRAFFIC_BURST];
    unsigned int first;         /* in ready, of those not sent yet */
};

static struct rte_mempool *make_pool(const char *what, unsigned int port,
                                     unsigned int count, unsigned int cache,
                                     const struct options *o)
{
    unsigned int room = o->largest + RTE_PKTMBUF_HEADROOM + MORE;
    char name[32];
    struct rte_mempool *pool;

    snprintf(name, sizeof(name), "%s%u", what, port);
    pool = rte_pktmbuf_pool_create(name, count, cache, 0,
                                   (uint16_t)(room > ROOM ? room : ROOM),
                                   SOCKET_ID_ANY);
    if (pool == NULL) {
        rte_exit(1, "dpdk_load: no memory for %u buffers\n", count);
    }
    return pool;
}

static void make_guest(struct guest *guest, uint16_t port,
                       const struct options *o)
{
    struct rte_eth_conf conf = { .rxmode = { .mtu = RTE_ETHER_MTU } };
    struct rte_mempool *pool;
    bool good;

    if (o->largest > RTE_ETHER_MAX_LEN) {
        conf.rxmode.mtu = o->largest - RTE_ETHER_HDR_LEN;
    }
    guest->port = port;
    guest->first = TRAFFIC_BURST;
    guest->pool = make_pool("tx", port, o->buffers, 0, o);
    pool = make_pool("rx", port, RX_BUFFERS, 64, o);
    good = rte_eth_dev_configure(port, o->rx_queues, 1, &conf) == 0 &&
           rte_eth_tx_queue_setup(port, 0, RING, SOCKET_ID_ANY, NULL) == 0;
    for (uint16_t i = 0; i < o->rx_queues && good; i++) {
        good = rte_eth_rx_queue_setup(port, i, RING, SOCKET_ID_ANY, NULL,
                                      pool) == 0;
    }
    if (!good || rte_eth_dev_start(port) != 0) {
        rte_exit(1, "dpdk_load: port %u cannot be used\n", port);
    }
}

static bool make_burst(struct guest *guest, struct traffic *t)
{
    if (rte_pktmbuf_alloc_bulk(guest->pool, guest->ready,
                               TRAFFIC_BURST) != 0) {
        return false;
    }
    for (unsigned int i = 0; i < TRAFFIC_BURST; i++) {
        struct rte_mbuf *mbuf = guest->ready[i];
        uint32_t size = traffic_size(t);

        mbuf->data_len = (uint16_t)size;
        mbuf->pkt_len = size;
        traffic_write(t, rte_pktmbuf_mtod(mbuf, uint8_t *), size, size);
    }
    guest->first = 0;
    return true;
}

static unsigned int send_burst(struct guest *guest, struct traffic *t)
{
    unsigned int sent;

    if (guest->first == TRAFFIC_BURST && !make_burst(guest, t)) {
        return 0;
    }
    sent = rte_eth_tx_burst(guest->port, 0, guest->ready + guest->first,
                            (uint16_t)(TRAFFIC_BURST - guest->first));
    guest->first += sent;
    return sent;
}

static unsigned int take_bursts(struct guest *guest, uint16_t queue)
{
    struct rte_mbuf *mbufs[2 * TRAFFIC_BURST];
    unsigned int got = rte_eth_rx_burst(guest->port, queue, mbufs,
                                        2 * TRAFFIC_BURST);

    for (unsigned int i = 0; i < got; i++) {
        for (struct rte_mbuf *m = mbufs[i]; m != NULL; m = m->next) {
            traffic_read(rte_pktmbuf_mtod(m, uint8_t *), m->data_len);
        }
    }
    rte_pktmbuf_free_bulk(mbufs, got);
    return got;
}

static void run(struct guest *guests, unsigned int count,
                const struct options *o)
{
    struct load load = { .sent = 0 };

    load_init(&load);
    while (load_obey(&load)) {
        load_rest(&load);
        for (unsigned int n = 0; n < 1000; n++) {
            for (unsigned int i = 0; i < count; i++) {
                if (o->sends && load.traffic[i].flows != 0) {
                    load.sent += send_burst(&guests[i], &load.traffic[i]);
                }
                for (uint16_t q = 0; o->takes && q < o->rx_queues; q++) {
                    load.received += take_bursts(&guests[i], q);
                }
            }
        }
    }
}

static struct options parse(int argc, char **argv)
{
    struct options o = { .buffers = 4096, .largest = 1514, .rx_queues = 1 };
    const char *what;
    int c;

    optind = 1;
    while ((c = getopt(argc, argv, "p:m:r:")) != -1) {
        switch (c) {
        case 'p': o.buffers = (unsigned int)strtoul(optarg, NULL, 0); break;
        case 'm': o.largest = (unsigned int)strtoul(optarg, NULL, 0); break;
        case 'r': o.rx_queues = (uint16_t)strtoul(optarg, NULL, 0); break;
        default: optind = argc; break;
        }
    }
    what = optind + 1 == argc ? argv[optind] : "";
    o.sends = strcmp(what, "send") == 0 || strcmp(what, "both") == 0;
    o.takes = strcmp(what, "take") == 0 || strcmp(what, "both") == 0;
    if (!o.sends && !o.takes) {
        rte_exit(2, "usage: dpdk_load EAL-OPTIONS -- [-p BUFFERS] "
                 "[-m BYTES] [-r QUEUES] send|take|both\n");
    }
    return o;
}

int main(int argc, char **argv)
{
    struct guest guests[LOAD_GUESTS_MAX];
    unsigned int count = 0;
    int used = rte_eal_init(argc, argv);
    struct options o;
    uint16_t port;

    if (used < 0) {
        rte_exit(1, "dpdk_load: no DPDK\n");
    }
    o = parse(argc - used, argv + used);
    RTE_ETH_FOREACH_DEV(port) {
        if (count < LOAD_GUESTS_MAX) {
            make_guest(&guests[count++], port, &o);
        }
    }
    printf("listening\n");
    fflush(stdout);
    run(guests, count, &o);
    for (unsigned int i = 0; i < count; i++) {
        rte_eth_dev_stop(guests[i].port);
        rte_eth_dev_close(guests[i].port);
    }
    rte_eal_cleanup();
    return 0;
}
