/* SPDX-License-Identifier: GPL-2.0-only */
/* What the ports of both drivers have in common. */
#ifndef NETBACK_PMD_PORT_H
#define NETBACK_PMD_PORT_H

#include <stddef.h>
#include <stdint.h>

#include <rte_config.h>

struct rte_eth_dev;
struct rte_eth_dev_info;
struct rte_ether_addr;
struct rte_vdev_device;

#define PMD_PORT_MTU_MAX 65500u
#define PMD_PORT_FRAME_OVERHEAD 22u /* Ethernet header and two VLAN tags */
#define PMD_PORT_TX_QUEUES_MAX (RTE_MAX_LCORE + 1)

/* A new port's MAC, which lies in its dev_private. */
void pmd_port_set_mac(struct rte_eth_dev *dev, struct rte_ether_addr *mac);

/* Give back a port, whose dev_private is empty; returns error. */
int pmd_port_release(struct rte_eth_dev *dev, int error);

/* The driver's remove: close the port, if there is one, and release it. */
int pmd_port_remove(struct rte_vdev_device *vdev);

/* What is said of every port; offloads and rx queues are the driver's. */
void pmd_port_info(struct rte_eth_dev_info *info);

/*
 * Zeroed memory of a queue, to be rx_queues[id] or tx_queues[id]; NULL: none.
 * Release: DPDK's rx_queue_release and tx_queue_release.
 */
void *pmd_port_make_queue(const char *type, size_t size, unsigned int socket);
void pmd_port_release_rx(struct rte_eth_dev *dev, uint16_t id);
void pmd_port_release_tx(struct rte_eth_dev *dev, uint16_t id);

/* All queues' state, once the port has started; DPDK's dev_stop. */
void pmd_port_started(struct rte_eth_dev *dev);
int pmd_port_stop(struct rte_eth_dev *dev);

/*
 * DPDK's functions for what needs nothing done.  Allow: there is no address
 * filter, and no link to set up or down.  An event is asked for one at a
 * time: nothing is to be taken back when rx interrupts are disabled.
 */
int pmd_port_allow(struct rte_eth_dev *dev);
int pmd_port_intr_disable(struct rte_eth_dev *dev, uint16_t id);

#endif
