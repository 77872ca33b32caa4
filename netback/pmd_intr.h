/* SPDX-License-Identifier: GPL-2.0-only */
/* DPDK's rx interrupts, for both drivers. */
#ifndef NETBACK_PMD_INTR_H
#define NETBACK_PMD_INTR_H

#include "wake.h"

struct rte_eth_dev;

/*
 * At the port's start: give rx queues their descriptors, if the application
 * configured rx interrupts.  A negative errno: it cannot have them.
 */
int pmd_intr_start(struct rte_eth_dev *dev, struct wake *wake);

/* At the port's close. */
void pmd_intr_close(struct rte_eth_dev *dev);

#endif
