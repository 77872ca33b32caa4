/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Adding up the counters of a port's queues.  Talks to DPDK only.
 * Invariant: no counter is written here; a reset remembers a base instead.
 */
#include <stdio.h>

#include <ethdev_driver.h>

#include "netback/pmd_counters.h"

static uint64_t total(const struct pmd_counters *port, unsigned int counter)
{
    const struct pmd_counter_table *table = port->table;
    const char *place = (const char *)port->queues +
                        table->counters[counter].offset;
    uint64_t sum = 0;

    for (unsigned int i = 0; i < table->queue_count; i++) {
        sum += __atomic_load_n(
            (const uint64_t *)(place + i * table->queue_size),
            __ATOMIC_RELAXED);
    }
    return sum - port->base[counter];
}

int pmd_counters_stats_get(struct rte_eth_dev *dev,
                           struct rte_eth_stats *stats)
{
    const struct pmd_counters *port = dev->data->dev_private;
    uint64_t sums[PMD_SUMS] = { 0 };

    for (unsigned int i = 0; i < port->table->counter_count; i++) {
        sums[port->table->counters[i].sum] += total(port, i);
    }
    stats->ipackets = sums[PMD_IPACKETS];
    stats->ibytes = sums[PMD_IBYTES];
    stats->ierrors = sums[PMD_IERRORS];
    stats->rx_nombuf = sums[PMD_NOMBUF];
    stats->opackets = sums[PMD_OPACKETS];
    stats->obytes = sums[PMD_OBYTES];
    stats->oerrors = sums[PMD_OERRORS];
    return 0;
}

int pmd_counters_reset(struct rte_eth_dev *dev)
{
    struct pmd_counters *port = dev->data->dev_private;

    for (unsigned int i = 0; i < port->table->counter_count; i++) {
        port->base[i] += total(port, i);
    }
    return 0;
}

int pmd_counters_xstats_get(struct rte_eth_dev *dev,
                            struct rte_eth_xstat *xstats,
                            unsigned int count)
{
    const struct pmd_counters *port = dev->data->dev_private;
    const struct pmd_counter_table *table = port->table;
    unsigned int all = table->counter_count + table->level_count;

    if (count < all || xstats == NULL) {
        return (int)all;
    }
    for (unsigned int i = 0; i < all; i++) {
        xstats[i].id = i;
        xstats[i].value = i < table->counter_count
            ? total(port, i)
            : table->levels[i - table->counter_count].read(dev);
    }
    return (int)all;
}

int pmd_counters_xstats_get_names(struct rte_eth_dev *dev,
                                  struct rte_eth_xstat_name *names,
                                  unsigned int count)
{
    const struct pmd_counters *port = dev->data->dev_private;
    const struct pmd_counter_table *table = port->table;
    unsigned int all = table->counter_count + table->level_count;

    if (count < all || names == NULL) {
        return (int)all;
    }
    for (unsigned int i = 0; i < all; i++) {
        snprintf(names[i].name, sizeof(names[i].name), "%s",
                 i < table->counter_count
                     ? table->counters[i].name
                     : table->levels[i - table->counter_count].name);
    }
    return (int)all;
}
