/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The DPDK driver net_xenfront: a guest's own network interface, or a local
 * peer of net_xenvif, as a port.
 *
 * Talks to DPDK on one side and to front.h and front_burst.h on the other;
 * the control thread (front_control.c) does what takes time.  Invariants:
 *  1. Configuring, starting and removing never wait for XenStore, a backend
 *     or the hypervisor; probing reads a few nodes once.
 *  2. Rx queue r is ring pair r; tx queues share the pairs, one after the
 *     other, and the gate where two threads meet.
 *  3. What the control thread has to say goes through pmd_link.c.
 */
#include <errno.h>
#include <string.h>

#include <ethdev_driver.h>
#include <ethdev_vdev.h>
#include <bus_vdev_driver.h>

#include "netback/front_log.h"
#include "netback/front_pmd.h"
#include "netback/front_xen.h"
#include "netback/pmd_intr.h"
#include "netback/pmd_link.h"
#include "netback/pmd_port.h"
#include "tools/libdom0/xenbus.h"

#define BUFFERS_MIN TO_BACKEND_BUFFERS_MIN
#define BUFFERS_MAX FROM_BACKEND_RING_SIZE
#define RX_OFFLOADS (RTE_ETH_RX_OFFLOAD_CHECKSUM | \
                     RTE_ETH_RX_OFFLOAD_SCATTER | \
                     RTE_ETH_RX_OFFLOAD_TCP_LRO)
#define TX_OFFLOADS (RTE_ETH_TX_OFFLOAD_MULTI_SEGS | \
                     RTE_ETH_TX_OFFLOAD_TCP_CKSUM | \
                     RTE_ETH_TX_OFFLOAD_UDP_CKSUM | \
                     RTE_ETH_TX_OFFLOAD_IPV4_CKSUM)

static uint16_t rx_burst(void *queue, struct rte_mbuf **mbufs,
                         uint16_t count)
{
    struct front_rx_queue *q = queue;

    return (uint16_t)front_rx_burst(&q->front->queues[q->id].rx, q->pool,
                                    mbufs, count);
}

static uint16_t tx_burst(void *queue, struct rte_mbuf **mbufs,
                         uint16_t count)
{
    struct front_tx_queue *q = queue;
    uint16_t pairs = __atomic_load_n(&q->front->queue_count,
                                     __ATOMIC_ACQUIRE);
    uint16_t i = pairs > 1 ? q->id % pairs : 0;

    return (uint16_t)front_tx_burst(&q->front->queues[i].tx, mbufs, count);
}

/* A power of two that is not more than what was asked for, within limits. */
static uint16_t buffer_count(uint16_t descriptors)
{
    uint16_t count = RTE_MIN(RTE_MAX(descriptors, BUFFERS_MIN), BUFFERS_MAX);

    return (uint16_t)rte_align32prevpow2(count);
}

static void make_wish(struct rte_eth_dev *dev, struct front_wish *wish)
{
    const struct front_pmd *pmd = dev->data->dev_private;
    uint64_t offloads = dev->data->dev_conf.rxmode.offloads;

    *wish = (struct front_wish){
        .queues = RTE_MAX(dev->data->nb_rx_queues, 1),
        .rx_buffers = BUFFERS_MIN,
        .tx_buffers = BUFFERS_MIN,
        .scatter = (offloads & RTE_ETH_RX_OFFLOAD_SCATTER) != 0,
        .lro = (offloads & RTE_ETH_RX_OFFLOAD_TCP_LRO) != 0,
    };
    memcpy(wish->mac, &pmd->mac, sizeof(wish->mac));
    for (uint16_t i = 0; i < dev->data->nb_rx_queues; i++) {
        const struct front_rx_queue *q = dev->data->rx_queues[i];

        wish->rx_buffers = RTE_MAX(wish->rx_buffers, q->buffers);
    }
    for (uint16_t i = 0; i < dev->data->nb_tx_queues; i++) {
        const struct front_tx_queue *q = dev->data->tx_queues[i];

        wish->tx_buffers = RTE_MAX(wish->tx_buffers, q->buffers);
    }
}

static int dev_start(struct rte_eth_dev *dev)
{
    struct front_pmd *pmd = dev->data->dev_private;
    struct front_wish wish;
    int error = pmd_intr_start(dev, &pmd->front->wake);

    if (error != 0) {
        FRONT_LOG(ERR, dev->data->name, "no rx interrupts: %s",
                  strerror(-error));
        return error;
    }
    make_wish(dev, &wish);
    error = front_start(pmd->front, &wish);
    if (error == 0) {
        pmd_port_started(dev);
    }
    return error;
}

static int dev_close(struct rte_eth_dev *dev)
{
    struct front_pmd *pmd = dev->data->dev_private;

    if (rte_eal_process_type() != RTE_PROC_PRIMARY || pmd == NULL) {
        return 0;
    }
    pmd_intr_close(dev);
    if (pmd->front != NULL) {
        front_destroy(pmd->front);
        pmd->front = NULL;
    }
    dev->data->mac_addrs = NULL;    /* it lies in dev_private */
    return 0;
}

/* What the backend takes; unless connected, what one may take. */
static uint64_t tso_offload(const struct front *front)
{
    bool connected = __atomic_load_n(&front->queue_count,
                                     __ATOMIC_ACQUIRE) != 0;

    return !connected || front->takes.gso_tcpv4 || front->takes.gso_tcpv6 ?
           RTE_ETH_TX_OFFLOAD_TCP_TSO : 0;
}

static int dev_infos_get(struct rte_eth_dev *dev,
                         struct rte_eth_dev_info *info)
{
    const struct front_pmd *pmd = dev->data->dev_private;

    pmd_port_info(info);
    info->max_mtu = pmd->mtu_max;
    info->max_lro_pkt_size = FROM_BACKEND_SIZE_MAX;
    info->max_rx_queues = pmd->queues;
    info->rx_offload_capa = RX_OFFLOADS;
    info->tx_offload_capa = TX_OFFLOADS | tso_offload(pmd->front);
    info->default_rxportconf.ring_size = BUFFERS_MAX;
    info->default_txportconf.ring_size = BUFFERS_MAX;
    return 0;
}

static int rx_queue_setup(struct rte_eth_dev *dev, uint16_t id,
                          uint16_t descriptors, unsigned int socket,
                          const struct rte_eth_rxconf *conf,
                          struct rte_mempool *pool)
{
    const struct front_pmd *pmd = dev->data->dev_private;
    struct front_rx_queue *q =
        pmd_port_make_queue("xenfront_rx", sizeof(*q), socket);

    (void)conf;
    if (q == NULL) {
        return -ENOMEM;
    }
    q->front = pmd->front;
    q->pool = pool;
    q->id = id;
    q->buffers = buffer_count(descriptors);
    dev->data->rx_queues[id] = q;
    return 0;
}

static int tx_queue_setup(struct rte_eth_dev *dev, uint16_t id,
                          uint16_t descriptors, unsigned int socket,
                          const struct rte_eth_txconf *conf)
{
    const struct front_pmd *pmd = dev->data->dev_private;
    struct front_tx_queue *q =
        pmd_port_make_queue("xenfront_tx", sizeof(*q), socket);

    (void)conf;
    if (q == NULL) {
        return -ENOMEM;
    }
    q->front = pmd->front;
    q->id = id;
    q->buffers = buffer_count(descriptors);
    dev->data->tx_queues[id] = q;
    return 0;
}

static int rx_intr_enable(struct rte_eth_dev *dev, uint16_t id)
{
    struct front_pmd *pmd = dev->data->dev_private;

    wake_clear(&pmd->front->wake, id);
    if (front_rx_arm(&pmd->front->queues[id].rx)) {
        wake_up(&pmd->front->wake, id);
    }
    return 0;
}

static int link_update(struct rte_eth_dev *dev, int wait)
{
    const struct front_pmd *pmd = dev->data->dev_private;

    (void)wait;
    pmd_link_set(dev, __atomic_load_n(&pmd->front->up, __ATOMIC_ACQUIRE));
    return 0;
}

static int mtu_set(struct rte_eth_dev *dev, uint16_t mtu)
{
    const struct front_pmd *pmd = dev->data->dev_private;

    return mtu > pmd->mtu_max ? -EINVAL : 0;
}

static const struct eth_dev_ops front_ops = {
    .dev_configure = pmd_port_allow,
    .dev_start = dev_start,
    .dev_stop = pmd_port_stop,
    .dev_close = dev_close,
    .dev_set_link_up = pmd_port_allow,
    .dev_set_link_down = pmd_port_allow,
    .dev_infos_get = dev_infos_get,
    .rx_queue_setup = rx_queue_setup,
    .tx_queue_setup = tx_queue_setup,
    .rx_queue_release = pmd_port_release_rx,
    .tx_queue_release = pmd_port_release_tx,
    .rx_queue_intr_enable = rx_intr_enable,
    .rx_queue_intr_disable = pmd_port_intr_disable,
    .link_update = link_update,
    .promiscuous_enable = pmd_port_allow,
    .promiscuous_disable = pmd_port_allow,
    .allmulticast_enable = pmd_port_allow,
    .allmulticast_disable = pmd_port_allow,
    .mtu_set = mtu_set,
    .stats_get = pmd_counters_stats_get,
    .stats_reset = pmd_counters_reset,
    .xstats_get = pmd_counters_xstats_get,
    .xstats_get_names = pmd_counters_xstats_get_names,
    .xstats_reset = pmd_counters_reset,
};

/* In the control thread. */
static void front_changed(uint16_t port, bool link)
{
    if (!pmd_link_tell(port, link, false)) {
        FRONT_LOG(WARNING, "port", "%u: the application was not told of a "
                  "change", port);
    }
}

/* One line for what a person can do something about. */
static int check_machine(const char *name, const struct front_args *args)
{
    const char *missing = front_xen_missing();
    char driver[FRONT_NAME_MAX];

    if (missing != NULL) {
        FRONT_LOG(ERR, name, "%s is missing: this needs a guest of Xen's ABI "
                  "with xen-gntalloc and xen-evtchn loaded (modprobe)",
                  missing);
        return -ENODEV;
    }
    if (front_xen_kernel_has(args->handle, driver, sizeof(driver))) {
        FRONT_LOG(ERR, name, "the kernel's driver holds it: " FRONT_XEN_UNBIND,
                  args->handle, driver);
        return -EBUSY;
    }
    return 0;
}

/* What the toolstack wrote of the device: MAC and MTU. */
static int read_device(const char *name, struct front_args *args,
                       unsigned long *mtu)
{
    struct xs_handle *xs = xs_open(0);
    char dir[FRONT_PATH_MAX], text[XENBUS_TEXT_MAX];
    int error;

    if (xs == NULL) {
        FRONT_LOG(ERR, name, "no way to XenStore");
        return -ENODEV;
    }
    snprintf(dir, sizeof(dir), "device/vif/%u", args->handle);
    error = xenbus_read(xs, dir, "mac", text, sizeof(text));
    if (error != 0) {
        FRONT_LOG(ERR, name, "there is no %s in XenStore: see xl "
                  "network-list in dom0", dir);
    } else if (!args->has_mac &&
               rte_ether_unformat_addr(text, &args->mac) != 0) {
        FRONT_LOG(ERR, name, "XenStore's mac \"%s\" is none", text);
        error = -EINVAL;
    }
    (void)xenbus_read_number(xs, dir, "mtu", PMD_PORT_MTU_MAX, mtu);
    xs_close(xs);
    return error;
}

static int create_port(struct rte_vdev_device *vdev,
                       const struct front_args *args, uint16_t mtu)
{
    struct rte_eth_dev *dev = rte_eth_vdev_allocate(vdev,
                                                    sizeof(struct front_pmd));
    struct front_config config = {
        .handle = args->handle,
        .changed = front_changed,
    };
    struct front_pmd *pmd;

    if (dev == NULL) {
        return -ENOMEM;
    }
    memcpy(config.local, args->local, sizeof(config.local));
    pmd = dev->data->dev_private;
    pmd->counters.table = &front_stats_table;
    pmd->queues = args->queues;
    pmd->mtu_max = mtu;
    pmd->mac = args->mac;
    pmd_port_set_mac(dev, &pmd->mac);
    dev->data->mtu = RTE_MIN(mtu, RTE_ETHER_MTU);
    dev->dev_ops = &front_ops;
    dev->rx_pkt_burst = rx_burst;
    dev->tx_pkt_burst = tx_burst;
    config.owner = dev->data->port_id;
    pmd->front = front_create(&config);
    if (pmd->front == NULL) {
        return pmd_port_release(dev, -errno);
    }
    pmd->counters.queues = pmd->front->queues;
    rte_eth_dev_probing_finish(dev);
    return 0;
}

static int probe(struct rte_vdev_device *vdev)
{
    const char *name = rte_vdev_device_name(vdev);
    unsigned long mtu = PMD_PORT_MTU_MAX;
    struct front_args args;
    int error;

    if (rte_eal_process_type() != RTE_PROC_PRIMARY) {
        FRONT_LOG(ERR, name, "only a primary process can have a vif");
        return -ENOTSUP;
    }
    error = front_args_parse(name, rte_vdev_device_args(vdev), &args);
    if (error == 0 && args.local[0] == '\0') {
        error = check_machine(name, &args);
        if (error == 0) {
            error = read_device(name, &args, &mtu);
        }
    } else if (error == 0 && !args.has_mac) {
        rte_eth_random_addr(args.mac.addr_bytes);
    }
    return error != 0 ? error : create_port(vdev, &args, (uint16_t)mtu);
}

static struct rte_vdev_driver xenfront_driver = {
    .probe = probe,
    .remove = pmd_port_remove,
};

RTE_PMD_REGISTER_VDEV(net_xenfront, xenfront_driver);
RTE_PMD_REGISTER_PARAM_STRING(net_xenfront,
    "device=<int> local=<path> queues=<int> mac=<address>");
