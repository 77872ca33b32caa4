/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters of a backend's port: each with its cause as its name.
 * Talks to vif.h, direct.h and pmd_counters.h.
 */
#include <ethdev_driver.h>

#include "netback/direct.h"
#include "netback/pmd.h"

#define FROM(member) offsetof(struct vif_queue, from.stats.member)
#define TO(member) offsetof(struct vif_queue, to.stats.member)

static const struct pmd_counter counters[] = {
    { "from_guest_packets", FROM(packets), PMD_IPACKETS },
    { "from_guest_bytes", FROM(bytes), PMD_IBYTES },
    { "from_guest_slots_dropped", FROM(drops[FROM_GUEST_DROP_SLOTS]),
      PMD_IERRORS },
    { "from_guest_size_dropped", FROM(drops[FROM_GUEST_DROP_SIZE]),
      PMD_IERRORS },
    { "from_guest_runt_dropped", FROM(drops[FROM_GUEST_DROP_RUNT]),
      PMD_IERRORS },
    { "from_guest_copy_dropped", FROM(drops[FROM_GUEST_DROP_COPY]),
      PMD_IERRORS },
    { "from_guest_headers_dropped", FROM(drops[FROM_GUEST_DROP_OFFLOAD]),
      PMD_IERRORS },
    { "from_guest_too_large_dropped", FROM(drops[FROM_GUEST_DROP_BUFFER]),
      PMD_IERRORS },
    { "from_guest_mtu_dropped", FROM(drops[FROM_GUEST_DROP_MTU]),
      PMD_IERRORS },
    { "from_guest_share_dropped", FROM(drops[FROM_GUEST_DROP_SHARE]),
      PMD_IERRORS },
    { "from_guest_no_mbuf_errors", FROM(no_mbuf), PMD_NOMBUF },
    { "from_guest_ring_errors", FROM(ring_errors), PMD_NONE },
    { "from_guest_checksums_completed", FROM(completed), PMD_NONE },
    { "from_guest_static_copies", FROM(static_copies), PMD_NONE },
    { "from_guest_events", FROM(events), PMD_NONE },
    { "from_guest_restart_dropped", FROM(restart_lost), PMD_NONE },
    { "from_guest_window_copies", FROM(window.hits), PMD_NONE },
    { "from_guest_window_misses", FROM(window.misses), PMD_NONE },
    { "from_guest_window_foreign", FROM(window.foreign), PMD_NONE },
    { "from_guest_window_revoked", FROM(window.redone), PMD_NONE },
    { "to_guest_packets", TO(packets), PMD_OPACKETS },
    { "to_guest_bytes", TO(bytes), PMD_OBYTES },
    { "to_guest_size_dropped", TO(drops[TO_GUEST_DROP_SIZE]), PMD_OERRORS },
    { "to_guest_copy_dropped", TO(drops[TO_GUEST_DROP_COPY]), PMD_OERRORS },
    { "to_guest_scattered_dropped", TO(scattered), PMD_OERRORS },
    { "to_guest_offload_dropped", TO(offload), PMD_OERRORS },
    { "to_guest_not_connected_dropped", TO(closed), PMD_OERRORS },
    { "to_guest_no_buffer_errors", TO(no_buffer), PMD_NONE },
    { "to_guest_ring_errors", TO(ring_errors), PMD_NONE },
    { "to_guest_checksums_completed", TO(completed), PMD_NONE },
    { "to_guest_static_copies", TO(static_copies), PMD_NONE },
    { "to_guest_hashed_packets", TO(hashed), PMD_NONE },
    { "to_guest_events", TO(events), PMD_NONE },
    { "to_guest_window_copies", TO(window.hits), PMD_NONE },
    { "to_guest_window_misses", TO(window.misses), PMD_NONE },
    { "to_guest_window_foreign", TO(window.foreign), PMD_NONE },
    { "to_guest_window_revoked", TO(window.redone), PMD_NONE },
};

_Static_assert(RTE_DIM(counters) <= PMD_COUNTERS_MAX, "PMD_COUNTERS_MAX");

/* Linux has a struct page for each page that it maps from another domain. */
#define PAGE_COST 64u

static uint64_t window_pages(const struct rte_eth_dev *dev)
{
    const struct pmd *pmd = dev->data->dev_private;

    return direct_window_pages(pmd->domid);
}

/* Of the guest's memory, mapped here. */
static uint64_t window_bytes(const struct rte_eth_dev *dev)
{
    return window_pages(dev) * ACCESS_PAGE_SIZE;
}

/* Of this domain's memory, for that. */
static uint64_t window_cost(const struct rte_eth_dev *dev)
{
    return window_pages(dev) * PAGE_COST;
}

static const struct pmd_level levels[] = {
    { "window_bytes", window_bytes },
    { "window_cost_bytes", window_cost },
};

const struct pmd_counter_table pmd_stats_table = {
    .counters = counters, .counter_count = RTE_DIM(counters),
    .levels = levels, .level_count = RTE_DIM(levels),
    .queue_count = VIF_QUEUES_MAX,
    .queue_size = sizeof(struct vif_queue),
};
