/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The DPDK driver net_xenvif: a port for each vif of a guest.
 *
 * Talks to DPDK on one side and to vif.h and burst.h on the other; the
 * control thread (vif_control.c) does what takes time.  Invariants:
 *  1. Probing, configuring and removing never wait for XenStore, a guest or
 *     the hypervisor.
 *  2. A poll of rx queue r serves guest queues r, r + n, r + 2n ...: every
 *     guest queue is polled by one rx queue, however many there are.
 *  3. What the control thread has to say (link, queue count) goes through
 *     pmd_link.c, never straight into the switch.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>

#include <ethdev_driver.h>
#include <ethdev_vdev.h>
#include <bus_vdev_driver.h>

#include "netback/burst_offload.h"
#include "netback/pmd.h"
#include "netback/pmd_intr.h"
#include "netback/pmd_link.h"
#include "netback/pmd_port.h"
#include "netback/steer.h"
#include "netback/vif_log.h"
#include "tools/libdom0/dom0.h"
#include "tools/libdom0/xenbus.h"

#define TSO_OFFLOADS (RTE_ETH_TX_OFFLOAD_TCP_TSO | \
                      RTE_ETH_TX_OFFLOAD_TCP_CKSUM | \
                      RTE_ETH_TX_OFFLOAD_UDP_CKSUM | \
                      RTE_ETH_TX_OFFLOAD_IPV4_CKSUM)

static pthread_mutex_t ports_lock = PTHREAD_MUTEX_INITIALIZER;
static LIST_HEAD(, pmd) ports = LIST_HEAD_INITIALIZER(ports);

static uint16_t rx_burst(void *queue, struct rte_mbuf **mbufs,
                         uint16_t count)
{
    struct pmd_rx_queue *q = queue;
    uint16_t last = __atomic_load_n(&q->vif->queue_count, __ATOMIC_ACQUIRE);
    unsigned int got = 0;
    uint16_t i = q->next;

    if (q->first >= last) {
        return 0;
    }
    if (i >= last) {
        i = q->first;
    }
    for (uint16_t n = 0; n < last && got < count; n += q->step) {
        got += burst_from_guest(&q->vif->queues[i].from, q->pool,
                                mbufs + got, count - got);
        i += q->step;
        if (i >= last) {
            i = q->first;
        }
    }
    q->next = i;
    return (uint16_t)got;
}

static uint16_t tx_burst(void *queue, struct rte_mbuf **mbufs,
                         uint16_t count)
{
    struct pmd_tx_queue *q = queue;
    uint16_t last = __atomic_load_n(&q->vif->queue_count, __ATOMIC_ACQUIRE);
    uint16_t i = last > 1 ? q->id % last : 0;

    if (last != 0 && hash_is_on(&q->vif->hash_table)) {
        return steer_to_guest(q->vif, last, mbufs, count);
    }
    return (uint16_t)burst_to_guest(&q->vif->queues[i].to, mbufs, count);
}

/*
 * The largest frame of a port with a large MTU, for which a guest has to
 * chain slots.  Each is put together in one mbuf: a switch that does not
 * take large packets looks at the first segment only.
 */
static uint32_t frame_max(const struct rte_eth_dev *dev)
{
    uint32_t size = dev->data->mtu + PMD_PORT_FRAME_OVERHEAD;

    if (dev->data->mtu <= RTE_ETHER_MTU) {
        return VIF_FRAME_ANY;
    }
    for (uint16_t i = 0; i < dev->data->nb_rx_queues; i++) {
        const struct pmd_rx_queue *q = dev->data->rx_queues[i];
        uint32_t room = rte_pktmbuf_data_room_size(q->pool);

        room -= RTE_MIN(room, (uint32_t)RTE_PKTMBUF_HEADROOM);
        if (room < size) {
            VIF_LOG(WARNING, dev->data->name, "an MTU of %u takes mbufs of "
                    "%u bytes, these have %u: it is not offered",
                    dev->data->mtu, size, room);
            return VIF_FRAME_ANY;
        }
    }
    return size;
}

/*
 * The first start hands the vif to the control thread, not the probe: what
 * is offered to the guest depends on what the switch configured.
 */
static int dev_start(struct rte_eth_dev *dev)
{
    struct pmd *pmd = dev->data->dev_private;
    bool tso = (dev->data->dev_conf.txmode.offloads &
                RTE_ETH_TX_OFFLOAD_TCP_TSO) != 0;
    int error = pmd_intr_start(dev, &pmd->vif->wake);

    if (error != 0) {
        VIF_LOG(ERR, dev->data->name, "no rx interrupts: %s",
                strerror(-error));
        return error;
    }
    for (uint16_t i = 0; i < dev->data->nb_rx_queues; i++) {
        struct pmd_rx_queue *q = dev->data->rx_queues[i];

        q->first = q->next = i;
        q->step = dev->data->nb_rx_queues;
    }
    pmd_port_started(dev);
    if (tso && !burst_offload_prepare()) {
        VIF_LOG(WARNING, dev->data->name, "no 16 MiB of hugepages left for "
                "large packets from guests: they are not offered");
        tso = false;
    }
    return vif_start(pmd->vif, tso, tso ? VIF_FRAME_ANY : frame_max(dev));
}

static int dev_close(struct rte_eth_dev *dev)
{
    struct pmd *pmd = dev->data->dev_private;

    if (rte_eal_process_type() != RTE_PROC_PRIMARY || pmd == NULL) {
        return 0;
    }
    pmd_intr_close(dev);
    pthread_mutex_lock(&ports_lock);
    if (pmd->vif != NULL) {
        LIST_REMOVE(pmd, link);
        vif_destroy(pmd->vif);
        pmd->vif = NULL;
    }
    pthread_mutex_unlock(&ports_lock);
    dev->data->mac_addrs = NULL;    /* it lies in dev_private */
    return 0;
}

static int dev_infos_get(struct rte_eth_dev *dev,
                         struct rte_eth_dev_info *info)
{
    const struct pmd *pmd = dev->data->dev_private;
    const struct vif *vif = pmd->vif;
    uint16_t queues = __atomic_load_n(&vif->queue_count, __ATOMIC_ACQUIRE);

    pmd_port_info(info);
    info->max_rx_queues = queues != 0 ? queues : 1;
    info->rx_offload_capa = RTE_ETH_RX_OFFLOAD_CHECKSUM;
    info->tx_offload_capa = RTE_ETH_TX_OFFLOAD_MULTI_SEGS |
                            (pmd->tso ? TSO_OFFLOADS : 0);
    return 0;
}

static int rx_queue_setup(struct rte_eth_dev *dev, uint16_t id,
                          uint16_t descriptors, unsigned int socket,
                          const struct rte_eth_rxconf *conf,
                          struct rte_mempool *pool)
{
    struct pmd *pmd = dev->data->dev_private;
    struct pmd_rx_queue *q;

    (void)descriptors;
    (void)conf;
    q = pmd_port_make_queue("xenvif_rx", sizeof(*q), socket);
    if (q == NULL) {
        return -ENOMEM;
    }
    q->vif = pmd->vif;
    q->pool = pool;
    q->first = q->next = id;
    q->step = 1;
    dev->data->rx_queues[id] = q;
    return 0;
}

static int tx_queue_setup(struct rte_eth_dev *dev, uint16_t id,
                          uint16_t descriptors, unsigned int socket,
                          const struct rte_eth_txconf *conf)
{
    struct pmd *pmd = dev->data->dev_private;
    struct pmd_tx_queue *q;

    (void)descriptors;
    (void)conf;
    q = pmd_port_make_queue("xenvif_tx", sizeof(*q), socket);
    if (q == NULL) {
        return -ENOMEM;
    }
    q->vif = pmd->vif;
    q->id = id;
    dev->data->tx_queues[id] = q;
    return 0;
}

static int rx_intr_enable(struct rte_eth_dev *dev, uint16_t id)
{
    const struct pmd *pmd = dev->data->dev_private;
    struct vif *vif = pmd->vif;
    bool ready = false;

    wake_clear(&vif->wake, id);
    for (unsigned int i = id; i < VIF_QUEUES_MAX;
         i += dev->data->nb_rx_queues) {
        ready |= vif_wake_arm(vif, i);
    }
    if (ready) {
        wake_up(&vif->wake, id);
    }
    return 0;
}

static int link_update(struct rte_eth_dev *dev, int wait)
{
    const struct pmd *pmd = dev->data->dev_private;

    (void)wait;
    pmd_link_set(dev, __atomic_load_n(&pmd->vif->link, __ATOMIC_ACQUIRE));
    return 0;
}

static int mtu_set(struct rte_eth_dev *dev, uint16_t mtu)
{
    (void)dev;
    (void)mtu;      /* looked at when the port starts */
    return 0;
}

static int mac_addr_set(struct rte_eth_dev *dev, struct rte_ether_addr *mac)
{
    (void)dev;
    (void)mac;
    return 0;
}

static const struct eth_dev_ops pmd_ops = {
    .dev_configure = pmd_port_allow,
    .dev_start = dev_start,
    .dev_stop = pmd_port_stop,
    .dev_reset = pmd_port_allow,
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
    .mac_addr_set = mac_addr_set,
    .stats_get = pmd_counters_stats_get,
    .stats_reset = pmd_counters_reset,
    .xstats_get = pmd_counters_xstats_get,
    .xstats_get_names = pmd_counters_xstats_get_names,
    .xstats_reset = pmd_counters_reset,
};

/* In the control thread. */
static void vif_changed(uint16_t port, bool link, bool queues_changed)
{
    if (!pmd_link_tell(port, link, queues_changed)) {
        VIF_LOG(WARNING, "port", "%u: the switch was not told of a change",
                port);
    }
}

/* One line for what a person can do something about. */
static int check_machine(const char *name, const struct pmd_args *args)
{
    const char *missing = dom0_missing_device();
    char driver[VIF_NAME_MAX];

    if (missing != NULL) {
        VIF_LOG(ERR, name, "%s is missing: this needs Linux on Xen's ABI, "
                "in dom0 or a driver domain", missing);
        return -ENODEV;
    }
    if (!xenbus_is_possible()) {
        VIF_LOG(ERR, name, "no way to XenStore: is xenstored running?");
        return -ENODEV;
    }
    if (dom0_kernel_has_vif(args->domid, args->handle, driver,
                            sizeof(driver))) {
        VIF_LOG(ERR, name, "the kernel's driver %s holds vif%u.%u: "
                "unload it, and keep it from loading by a line \"install "
                "xen-netback /bin/false\" in modprobe.d", driver,
                args->domid, args->handle);
        return -EBUSY;
    }
    return 0;
}

/* Under ports_lock. */
static bool port_exists(const struct pmd_args *args)
{
    const struct pmd *pmd;

    LIST_FOREACH(pmd, &ports, link) {
        if (pmd->domid == args->domid && pmd->handle == args->handle) {
            return true;
        }
    }
    return false;
}

/* Under ports_lock. */
static int create_port(struct rte_vdev_device *vdev,
                       const struct pmd_args *args)
{
    struct rte_eth_dev *dev = rte_eth_vdev_allocate(vdev,
                                                    sizeof(struct pmd));
    struct vif_config config = {
        .domid = args->domid, .handle = args->handle,
        .queues = args->queues, .access = args->access,
        .changed = vif_changed,
    };
    struct pmd *pmd;

    if (dev == NULL) {
        VIF_LOG(ERR, rte_vdev_device_name(vdev), "there is no room for "
                "another port: this DPDK has %d in a process",
                RTE_MAX_ETHPORTS);
        return -ENOMEM;
    }
    memcpy(config.local, args->local, sizeof(config.local));
    if (!vif_config_is_local(&config) && pmd_memory_prepare()) {
        config.host_gfn = pmd_memory_gfn;
    }
    pmd = dev->data->dev_private;
    pmd->counters.table = &pmd_stats_table;
    pmd->domid = args->domid;
    pmd->handle = args->handle;
    pmd->tso = args->tso;
    /*
     * As Linux's netback has it: a bridge takes the lowest address of its
     * ports for its own, and it must not take the guest's.
     */
    memset(pmd->mac.addr_bytes, 0xff, sizeof(pmd->mac.addr_bytes));
    pmd->mac.addr_bytes[0] = 0xfe;
    pmd_port_set_mac(dev, &pmd->mac);
    dev->dev_ops = &pmd_ops;
    dev->rx_pkt_burst = rx_burst;
    dev->tx_pkt_burst = tx_burst;
    config.owner = dev->data->port_id;
    pmd_link_begin(config.owner);
    pmd->vif = vif_create(&config);
    if (pmd->vif == NULL) {
        return pmd_port_release(dev, -errno);
    }
    pmd->counters.queues = pmd->vif->queues;
    LIST_INSERT_HEAD(&ports, pmd, link);
    rte_eth_dev_probing_finish(dev);
    return 0;
}

static int probe(struct rte_vdev_device *vdev)
{
    const char *name = rte_vdev_device_name(vdev);
    struct pmd_args args;
    int error;

    if (rte_eal_process_type() != RTE_PROC_PRIMARY) {
        VIF_LOG(ERR, name, "only a primary process can have a vif");
        return -ENOTSUP;
    }
    error = pmd_args_parse(name, rte_vdev_device_args(vdev), &args);
    if (error == 0 && args.local[0] == '\0') {
        error = check_machine(name, &args);
    }
    if (error != 0) {
        return error;
    }
    pthread_mutex_lock(&ports_lock);
    if (port_exists(&args)) {
        VIF_LOG(ERR, name, "vif%u.%u has a port already", args.domid,
                args.handle);
        error = -EEXIST;
    } else {
        error = create_port(vdev, &args);
    }
    pthread_mutex_unlock(&ports_lock);
    return error;
}

static struct rte_vdev_driver xenvif_driver = {
    .probe = probe,
    .remove = pmd_port_remove,
};

RTE_PMD_REGISTER_VDEV(net_xenvif, xenvif_driver);
RTE_PMD_REGISTER_PARAM_STRING(net_xenvif,
    "domid=<int> handle=<int> queues=<int> tso=<0|1> "
    "access=auto|direct|copy|local local=<path>");
