/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters of a port: one table, each with its cause as its name.
 *
 * Counters live in the queues, written by packet threads alone; here they
 * are read and added up.  A reset remembers a base instead of writing them.
 * Talks to front.h.
 */
#include <stdio.h>

#include <ethdev_driver.h>

#include "netback/front_pmd.h"

#define RX(member) offsetof(struct front_queue, rx.stats.member)
#define TX(member) offsetof(struct front_queue, tx.stats.member)

/* What a counter adds to in struct rte_eth_stats. */
enum sum { NONE, IPACKETS, IBYTES, IERRORS, NOMBUF, OPACKETS, OBYTES,
           OERRORS, SUMS };

static const struct counter {
    const char *name;
    size_t offset;              /* in struct front_queue */
    enum sum sum;
} counters[] = {
    { "from_backend_packets", RX(packets), IPACKETS },
    { "from_backend_bytes", RX(bytes), IBYTES },
    { "from_backend_status_dropped", RX(drops[FROM_BACKEND_DROP_STATUS]),
      IERRORS },
    { "from_backend_bounds_dropped", RX(drops[FROM_BACKEND_DROP_BOUNDS]),
      IERRORS },
    { "from_backend_size_dropped", RX(drops[FROM_BACKEND_DROP_SIZE]),
      IERRORS },
    { "from_backend_gso_dropped", RX(drops[FROM_BACKEND_DROP_GSO]),
      IERRORS },
    { "from_backend_headers_dropped", RX(headers), IERRORS },
    { "from_backend_too_large_dropped", RX(too_large), IERRORS },
    { "from_backend_no_mbuf_errors", RX(no_mbuf), NOMBUF },
    { "from_backend_ring_errors", RX(ring_errors), NONE },
    { "from_backend_checksums_completed", RX(completed), NONE },
    { "from_backend_events", RX(events), NONE },
    { "to_backend_packets", TX(packets), OPACKETS },
    { "to_backend_bytes", TX(bytes), OBYTES },
    { "to_backend_refused_errors", TX(refused), NONE },
    { "to_backend_size_dropped", TX(size), OERRORS },
    { "to_backend_scattered_dropped", TX(scattered), OERRORS },
    { "to_backend_offload_dropped", TX(offload), OERRORS },
    { "to_backend_not_connected_dropped", TX(closed), OERRORS },
    { "to_backend_no_room_errors", TX(no_room), NONE },
    { "to_backend_ring_errors", TX(ring_errors), NONE },
    { "to_backend_checksums_completed", TX(completed), NONE },
    { "to_backend_events", TX(events), NONE },
};

enum { COUNTERS = RTE_DIM(counters) };

_Static_assert(COUNTERS <= FRONT_COUNTERS_MAX, "FRONT_COUNTERS_MAX");

static uint64_t total(const struct front_pmd *pmd, unsigned int counter)
{
    uint64_t sum = 0;

    for (unsigned int i = 0; i < FRONT_QUEUES_MAX; i++) {
        const char *queue = (const char *)&pmd->front->queues[i];

        sum += __atomic_load_n(
            (const uint64_t *)(queue + counters[counter].offset),
            __ATOMIC_RELAXED);
    }
    return sum - pmd->base[counter];
}

int front_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats)
{
    const struct front_pmd *pmd = dev->data->dev_private;
    uint64_t sums[SUMS] = { 0 };

    for (unsigned int i = 0; i < COUNTERS; i++) {
        sums[counters[i].sum] += total(pmd, i);
    }
    stats->ipackets = sums[IPACKETS];
    stats->ibytes = sums[IBYTES];
    stats->ierrors = sums[IERRORS];
    stats->rx_nombuf = sums[NOMBUF];
    stats->opackets = sums[OPACKETS];
    stats->obytes = sums[OBYTES];
    stats->oerrors = sums[OERRORS];
    return 0;
}

int front_stats_reset(struct rte_eth_dev *dev)
{
    struct front_pmd *pmd = dev->data->dev_private;

    for (unsigned int i = 0; i < COUNTERS; i++) {
        pmd->base[i] += total(pmd, i);
    }
    return 0;
}

int front_xstats_get(struct rte_eth_dev *dev, struct rte_eth_xstat *xstats,
                     unsigned int count)
{
    const struct front_pmd *pmd = dev->data->dev_private;

    if (count < COUNTERS || xstats == NULL) {
        return COUNTERS;
    }
    for (unsigned int i = 0; i < COUNTERS; i++) {
        xstats[i].id = i;
        xstats[i].value = total(pmd, i);
    }
    return COUNTERS;
}

int front_xstats_get_names(struct rte_eth_dev *dev,
                           struct rte_eth_xstat_name *names,
                           unsigned int count)
{
    (void)dev;
    if (names == NULL || count < COUNTERS) {
        return COUNTERS;
    }
    for (unsigned int i = 0; i < COUNTERS; i++) {
        snprintf(names[i].name, sizeof(names[i].name), "%s",
                 counters[i].name);
    }
    return COUNTERS;
}
