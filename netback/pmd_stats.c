/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters of a port: one table, each with its cause as its name.  OVS shows
 * those whose names end in _dropped or _errors.
 *
 * Counters live in the queues, written by packet threads alone; here they
 * are read and added up.  A reset remembers a base instead of writing them.
 * Talks to vif.h and burst.h.
 */
#include <stdio.h>

#include <ethdev_driver.h>

#include "netback/direct.h"
#include "netback/pmd.h"

#define FROM(member) offsetof(struct vif_queue, from.stats.member)
#define TO(member) offsetof(struct vif_queue, to.stats.member)

/* The place of a counter in struct vif_queue. */
static const struct counter {
    const char *name;
    size_t offset;
} counters[] = {
    { "from_guest_packets", FROM(packets) },
    { "from_guest_bytes", FROM(bytes) },
    { "from_guest_slots_dropped", FROM(drops[FROM_GUEST_DROP_SLOTS]) },
    { "from_guest_size_dropped", FROM(drops[FROM_GUEST_DROP_SIZE]) },
    { "from_guest_runt_dropped", FROM(drops[FROM_GUEST_DROP_RUNT]) },
    { "from_guest_copy_dropped", FROM(drops[FROM_GUEST_DROP_COPY]) },
    { "from_guest_headers_dropped", FROM(drops[FROM_GUEST_DROP_OFFLOAD]) },
    { "from_guest_too_large_dropped", FROM(drops[FROM_GUEST_DROP_BUFFER]) },
    { "from_guest_no_mbuf_errors", FROM(no_mbuf) },
    { "from_guest_ring_errors", FROM(ring_errors) },
    { "from_guest_checksums_completed", FROM(completed) },
    { "from_guest_static_copies", FROM(static_copies) },
    { "from_guest_events", FROM(events) },
    { "from_guest_restart_dropped", FROM(restart_lost) },
    { "from_guest_window_copies", FROM(window.hits) },
    { "from_guest_window_misses", FROM(window.misses) },
    { "from_guest_window_foreign", FROM(window.foreign) },
    { "from_guest_window_revoked", FROM(window.redone) },
    { "to_guest_packets", TO(packets) },
    { "to_guest_bytes", TO(bytes) },
    { "to_guest_size_dropped", TO(drops[TO_GUEST_DROP_SIZE]) },
    { "to_guest_copy_dropped", TO(drops[TO_GUEST_DROP_COPY]) },
    { "to_guest_scattered_dropped", TO(scattered) },
    { "to_guest_offload_dropped", TO(offload) },
    { "to_guest_not_connected_dropped", TO(closed) },
    { "to_guest_no_buffer_errors", TO(no_buffer) },
    { "to_guest_ring_errors", TO(ring_errors) },
    { "to_guest_checksums_completed", TO(completed) },
    { "to_guest_static_copies", TO(static_copies) },
    { "to_guest_hashed_packets", TO(hashed) },
    { "to_guest_events", TO(events) },
    { "to_guest_window_copies", TO(window.hits) },
    { "to_guest_window_misses", TO(window.misses) },
    { "to_guest_window_foreign", TO(window.foreign) },
    { "to_guest_window_revoked", TO(window.redone) },
};

enum { COUNTERS = RTE_DIM(counters) };

_Static_assert(COUNTERS <= PMD_COUNTERS_MAX, "PMD_COUNTERS_MAX");

/* What is not counted but is so now; a reset does not change it. */
static const char *const levels[] = {
    "window_bytes",             /* of the guest's memory mapped here */
    "window_cost_bytes",        /* of this domain's memory, for that */
};

enum { LEVELS = RTE_DIM(levels), XSTATS = COUNTERS + LEVELS };

/* Linux has a struct page for each page that it maps from another domain. */
#define PAGE_COST 64u

static void read_levels(const struct pmd *pmd, uint64_t values[LEVELS])
{
    uint64_t pages = direct_window_pages(pmd->domid);

    values[0] = pages * ACCESS_PAGE_SIZE;
    values[1] = pages * PAGE_COST;
}

static uint64_t total(const struct pmd *pmd, unsigned int counter)
{
    uint64_t sum = 0;

    for (unsigned int i = 0; i < VIF_QUEUES_MAX; i++) {
        const char *queue = (const char *)&pmd->vif->queues[i];

        sum += __atomic_load_n(
            (const uint64_t *)(queue + counters[counter].offset),
            __ATOMIC_RELAXED);
    }
    return sum - pmd->base[counter];
}

/* The sum of the counters whose place is from first to last. */
static uint64_t sum_of(const struct pmd *pmd, size_t first, size_t last)
{
    uint64_t sum = 0;

    for (unsigned int i = 0; i < COUNTERS; i++) {
        if (counters[i].offset >= first && counters[i].offset <= last) {
            sum += total(pmd, i);
        }
    }
    return sum;
}

static uint64_t one(const struct pmd *pmd, size_t offset)
{
    return sum_of(pmd, offset, offset);
}

int pmd_stats_get(struct rte_eth_dev *dev, struct rte_eth_stats *stats)
{
    const struct pmd *pmd = dev->data->dev_private;

    stats->ipackets = one(pmd, FROM(packets));
    stats->ibytes = one(pmd, FROM(bytes));
    stats->ierrors = sum_of(pmd, FROM(drops[0]),
                            FROM(drops[FROM_GUEST_DROPS - 1]));
    stats->rx_nombuf = one(pmd, FROM(no_mbuf));
    stats->opackets = one(pmd, TO(packets));
    stats->obytes = one(pmd, TO(bytes));
    stats->oerrors = sum_of(pmd, TO(drops[0]),
                            TO(drops[TO_GUEST_DROPS - 1])) +
                     one(pmd, TO(closed)) + one(pmd, TO(scattered)) +
                     one(pmd, TO(offload));
    return 0;
}

int pmd_stats_reset(struct rte_eth_dev *dev)
{
    struct pmd *pmd = dev->data->dev_private;

    for (unsigned int i = 0; i < COUNTERS; i++) {
        pmd->base[i] += total(pmd, i);
    }
    return 0;
}

int pmd_xstats_get(struct rte_eth_dev *dev, struct rte_eth_xstat *xstats,
                   unsigned int count)
{
    const struct pmd *pmd = dev->data->dev_private;
    uint64_t now[LEVELS];

    if (count < XSTATS || xstats == NULL) {
        return XSTATS;
    }
    read_levels(pmd, now);
    for (unsigned int i = 0; i < XSTATS; i++) {
        xstats[i].id = i;
        xstats[i].value = i < COUNTERS ? total(pmd, i) : now[i - COUNTERS];
    }
    return XSTATS;
}

int pmd_xstats_get_names(struct rte_eth_dev *dev,
                         struct rte_eth_xstat_name *names,
                         unsigned int count)
{
    (void)dev;
    if (names == NULL || count < XSTATS) {
        return XSTATS;
    }
    for (unsigned int i = 0; i < XSTATS; i++) {
        snprintf(names[i].name, sizeof(names[i].name), "%s",
                 i < COUNTERS ? counters[i].name : levels[i - COUNTERS]);
    }
    return XSTATS;
}
