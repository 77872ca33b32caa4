/* SPDX-License-Identifier: GPL-2.0-only */
/* What the ports of both drivers have in common.  Talks to DPDK only. */
#include <ethdev_driver.h>
#include <ethdev_vdev.h>
#include <bus_vdev_driver.h>

#include "netback/pmd_port.h"

void pmd_port_set_mac(struct rte_eth_dev *dev, struct rte_ether_addr *mac)
{
    dev->data->mac_addrs = mac;
    dev->data->dev_flags = RTE_ETH_DEV_INTR_LSC;
}

int pmd_port_release(struct rte_eth_dev *dev, int error)
{
    dev->data->mac_addrs = NULL;    /* it lies in dev_private */
    rte_eth_dev_release_port(dev);
    return error;
}

int pmd_port_remove(struct rte_vdev_device *vdev)
{
    struct rte_eth_dev *dev =
        rte_eth_dev_allocated(rte_vdev_device_name(vdev));

    if (dev == NULL) {
        return 0;
    }
    dev->dev_ops->dev_close(dev);
    return rte_eth_dev_release_port(dev);
}

void pmd_port_info(struct rte_eth_dev_info *info)
{
    info->max_mac_addrs = 1;
    info->min_mtu = RTE_ETHER_MIN_MTU;
    info->max_mtu = PMD_PORT_MTU_MAX;
    info->max_rx_pktlen = PMD_PORT_MTU_MAX + PMD_PORT_FRAME_OVERHEAD;
    info->min_rx_bufsize = 0;
    info->max_tx_queues = PMD_PORT_TX_QUEUES_MAX;
    info->speed_capa = RTE_ETH_LINK_SPEED_10G;
}

void *pmd_port_make_queue(const char *type, size_t size, unsigned int socket)
{
    return rte_zmalloc_socket(type, size, RTE_CACHE_LINE_SIZE, (int)socket);
}

void pmd_port_release_rx(struct rte_eth_dev *dev, uint16_t id)
{
    rte_free(dev->data->rx_queues[id]);
    dev->data->rx_queues[id] = NULL;
}

void pmd_port_release_tx(struct rte_eth_dev *dev, uint16_t id)
{
    rte_free(dev->data->tx_queues[id]);
    dev->data->tx_queues[id] = NULL;
}

static void set_states(struct rte_eth_dev *dev, uint8_t state)
{
    for (uint16_t i = 0; i < dev->data->nb_rx_queues; i++) {
        dev->data->rx_queue_state[i] = state;
    }
    for (uint16_t i = 0; i < dev->data->nb_tx_queues; i++) {
        dev->data->tx_queue_state[i] = state;
    }
}

void pmd_port_started(struct rte_eth_dev *dev)
{
    set_states(dev, RTE_ETH_QUEUE_STATE_STARTED);
}

int pmd_port_stop(struct rte_eth_dev *dev)
{
    set_states(dev, RTE_ETH_QUEUE_STATE_STOPPED);
    return 0;
}

int pmd_port_allow(struct rte_eth_dev *dev)
{
    (void)dev;
    return 0;
}

int pmd_port_intr_disable(struct rte_eth_dev *dev, uint16_t id)
{
    (void)dev;
    (void)id;
    return 0;
}
