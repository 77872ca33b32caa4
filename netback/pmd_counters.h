/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters of a port, for both drivers: a table in which each cause has its
 * name.  OVS shows those whose names end in _dropped or _errors.
 *
 * Counters lie in the port's queues and are written by packet threads alone;
 * here they are read and added up.
 */
#ifndef NETBACK_PMD_COUNTERS_H
#define NETBACK_PMD_COUNTERS_H

#include <stddef.h>
#include <stdint.h>

struct rte_eth_dev;
struct rte_eth_stats;
struct rte_eth_xstat;
struct rte_eth_xstat_name;

#define PMD_COUNTERS_MAX 64u

/* What a counter adds to in struct rte_eth_stats. */
enum pmd_sum {
    PMD_NONE, PMD_IPACKETS, PMD_IBYTES, PMD_IERRORS, PMD_NOMBUF,
    PMD_OPACKETS, PMD_OBYTES, PMD_OERRORS, PMD_SUMS
};

struct pmd_counter {
    const char *name;
    size_t offset;              /* of a uint64_t in a queue */
    enum pmd_sum sum;
};

/* What is not counted but is so now; a reset does not change it. */
struct pmd_level {
    const char *name;
    uint64_t (*read)(const struct rte_eth_dev *dev);
};

struct pmd_counter_table {
    const struct pmd_counter *counters;
    const struct pmd_level *levels;
    unsigned int counter_count; /* up to PMD_COUNTERS_MAX */
    unsigned int level_count;
    unsigned int queue_count;
    size_t queue_size;
};

/* A port's; the first member of its dev_private. */
struct pmd_counters {
    const struct pmd_counter_table *table;
    const void *queues;         /* borrowed */
    uint64_t base[PMD_COUNTERS_MAX];    /* counters at the last reset */
};

/* DPDK's stats_get, stats_reset (xstats_reset too), and so on. */
int pmd_counters_stats_get(struct rte_eth_dev *dev,
                           struct rte_eth_stats *stats);
int pmd_counters_reset(struct rte_eth_dev *dev);
int pmd_counters_xstats_get(struct rte_eth_dev *dev,
                            struct rte_eth_xstat *xstats,
                            unsigned int count);
int pmd_counters_xstats_get_names(struct rte_eth_dev *dev,
                                  struct rte_eth_xstat_name *names,
                                  unsigned int count);

#endif
