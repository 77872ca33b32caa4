/* SPDX-License-Identifier: GPL-2.0-only */
/* Link state of a port, for both drivers. */
#ifndef NETBACK_PMD_LINK_H
#define NETBACK_PMD_LINK_H

#include <stdbool.h>
#include <stdint.h>

struct rte_eth_dev;

/* A port of that number is new. */
void pmd_link_begin(uint16_t port);

void pmd_link_set(struct rte_eth_dev *dev, bool up);

/*
 * From a control thread: tell the application of a change, and to reset the
 * port if its queues changed; the latter later, if it was told so just before.
 * False: it could not be told.
 */
bool pmd_link_tell(uint16_t port, bool up, bool queues_changed);

#endif
