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
#include "tools/libdom0/xenbus.h"

#define TX_QUEUES_MAX (RTE_MAX_LCORE + 1)
#define BUFFERS_MIN TO_BACKEND_BUFFERS_MIN
#define BUFFERS_MAX FROM_BACKEND_RING_SIZE
#define MTU_MAX 65500u
#define FRAME_OVERHEAD 18u      /* Ethernet header and a VLAN tag */
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

static int dev_configure(struct rte_eth_dev *dev)
{
    (void)dev;
    return 0;
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

static void set_queue_states(struct rte_eth_dev *dev, uint8_t state)
{
    for (uint16_t i = 0; i < dev->data->nb_rx_queues; i++) {
        dev->data->rx_queue_state[i] = state;
    }
    for (uint16_t i = 0; i < dev->data->nb_tx_queues; i++) {
        dev->data->tx_queue_state[i] = state;
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
        set_queue_states(dev, RTE_ETH_QUEUE_STATE_STARTED);
    }
    return error;
}

static int dev_stop(struct rte_eth_dev *dev)
{
    set_queue_states(dev, RTE_ETH_QUEUE_STATE_STOPPED);
    return 0;
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

    info->max_mac_addrs = 1;
    info->min_mtu = RTE_ETHER_MIN_MTU;
    info->max_mtu = pmd->mtu_max;
    info->max_rx_pktlen = MTU_MAX + FRAME_OVERHEAD;
    info->max_lro_pkt_size = FROM_BACKEND_SIZE_MAX;
    info->min_rx_bufsize = 0;
    info->max_rx_queues = pmd->queues;
    info->max_tx_queues = TX_QUEUES_MAX;
    info->rx_offload_capa = RX_OFFLOADS;
    info->tx_offload_capa = TX_OFFLOADS | tso_offload(pmd->front);
    info->default_rxportconf.ring_size = BUFFERS_MAX;
    info->default_txportconf.ring_size = BUFFERS_MAX;
    info->speed_capa = RTE_ETH_LINK_SPEED_10G;
    return 0;
}

static int rx_queue_setup(struct rte_eth_dev *dev, uint16_t id,
                          uint16_t descriptors, unsigned int socket,
                          const struct rte_eth_rxconf *conf,
                          struct rte_mempool *pool)
{
    const struct front_pmd *pmd = dev->data->dev_private;
    struct front_rx_queue *q =
        rte_zmalloc_socket("xenfront_rx", sizeof(*q), RTE_CACHE_LINE_SIZE,
                           (int)socket);

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
        rte_zmalloc_socket("xenfront_tx", sizeof(*q), RTE_CACHE_LINE_SIZE,
                           (int)socket);

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

static void rx_queue_release(struct rte_eth_dev *dev, uint16_t id)
{
    rte_free(dev->data->rx_queues[id]);
    dev->data->rx_queues[id] = NULL;
}

static void tx_queue_release(struct rte_eth_dev *dev, uint16_t id)
{
    rte_free(dev->data->tx_queues[id]);
    dev->data->tx_queues[id] = NULL;
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

/* An event is asked for one at a time: there is nothing to take back. */
static int rx_intr_disable(struct rte_eth_dev *dev, uint16_t id)
{
    (void)dev;
    (void)id;
    return 0;
}

static int link_update(struct rte_eth_dev *dev, int wait)
{
    const struct front_pmd *pmd = dev->data->dev_private;

    (void)wait;
    pmd_link_set(dev, __atomic_load_n(&pmd->front->up, __ATOMIC_ACQUIRE));
    return 0;
}

/* The backend filters no addresses: all that is for the vif comes. */
static int allow(struct rte_eth_dev *dev)
{
    (void)dev;
    return 0;
}

static int mtu_set(struct rte_eth_dev *dev, uint16_t mtu)
{
    const struct front_pmd *pmd = dev->data->dev_private;

    return mtu > pmd->mtu_max ? -EINVAL : 0;
}

static const struct eth_dev_ops front_ops = {
    .dev_configure = dev_configure,
    .dev_start = dev_start,
    .dev_stop = dev_stop,
    .dev_close = dev_close,
    .dev_set_link_up = allow,
    .dev_set_link_down = allow,
    .dev_infos_get = dev_infos_get,
    .rx_queue_setup = rx_queue_setup,
    .tx_queue_setup = tx_queue_setup,
    .rx_queue_release = rx_queue_release,
    .tx_queue_release = tx_queue_release,
    .rx_queue_intr_enable = rx_intr_enable,
    .rx_queue_intr_disable = rx_intr_disable,
    .link_update = link_update,
    .promiscuous_enable = allow,
    .promiscuous_disable = allow,
    .allmulticast_enable = allow,
    .allmulticast_disable = allow,
    .mtu_set = mtu_set,
    .stats_get = front_stats_get,
    .stats_reset = front_stats_reset,
    .xstats_get = front_xstats_get,
    .xstats_get_names = front_xstats_get_names,
    .xstats_reset = front_stats_reset,
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
    (void)xenbus_read_number(xs, dir, "mtu", MTU_MAX, mtu);
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
    pmd->queues = args->queues;
    pmd->mtu_max = mtu;
    pmd->mac = args->mac;
    dev->data->mac_addrs = &pmd->mac;
    dev->data->mtu = RTE_MIN(mtu, RTE_ETHER_MTU);
    dev->data->dev_flags = RTE_ETH_DEV_INTR_LSC;
    dev->dev_ops = &front_ops;
    dev->rx_pkt_burst = rx_burst;
    dev->tx_pkt_burst = tx_burst;
    config.owner = dev->data->port_id;
    pmd->front = front_create(&config);
    if (pmd->front == NULL) {
        int error = -errno;

        dev->data->mac_addrs = NULL;
        rte_eth_dev_release_port(dev);
        return error;
    }
    rte_eth_dev_probing_finish(dev);
    return 0;
}

static int probe(struct rte_vdev_device *vdev)
{
    const char *name = rte_vdev_device_name(vdev);
    unsigned long mtu = MTU_MAX;
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

static int remove_port(struct rte_vdev_device *vdev)
{
    struct rte_eth_dev *dev =
        rte_eth_dev_allocated(rte_vdev_device_name(vdev));

    if (dev == NULL) {
        return 0;
    }
    dev_close(dev);
    return rte_eth_dev_release_port(dev);
}

static struct rte_vdev_driver xenfront_driver = {
    .probe = probe,
    .remove = remove_port,
};

RTE_PMD_REGISTER_VDEV(net_xenfront, xenfront_driver);
RTE_PMD_REGISTER_PARAM_STRING(net_xenfront,
    "device=<int> local=<path> queues=<int> mac=<address>");
