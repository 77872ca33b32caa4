/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counters of a frontend's port: each with its cause as its name.
 * Talks to front.h and pmd_counters.h.
 */
#include <rte_common.h>

#include "netback/front_pmd.h"

#define RX(member) offsetof(struct front_queue, rx.stats.member)
#define TX(member) offsetof(struct front_queue, tx.stats.member)

static const struct pmd_counter counters[] = {
    { "from_backend_packets", RX(packets), PMD_IPACKETS },
    { "from_backend_bytes", RX(bytes), PMD_IBYTES },
    { "from_backend_status_dropped", RX(drops[FROM_BACKEND_DROP_STATUS]),
      PMD_IERRORS },
    { "from_backend_bounds_dropped", RX(drops[FROM_BACKEND_DROP_BOUNDS]),
      PMD_IERRORS },
    { "from_backend_size_dropped", RX(drops[FROM_BACKEND_DROP_SIZE]),
      PMD_IERRORS },
    { "from_backend_gso_dropped", RX(drops[FROM_BACKEND_DROP_GSO]),
      PMD_IERRORS },
    { "from_backend_headers_dropped", RX(headers), PMD_IERRORS },
    { "from_backend_too_large_dropped", RX(too_large), PMD_IERRORS },
    { "from_backend_no_mbuf_errors", RX(no_mbuf), PMD_NOMBUF },
    { "from_backend_ring_errors", RX(ring_errors), PMD_NONE },
    { "from_backend_checksums_completed", RX(completed), PMD_NONE },
    { "from_backend_events", RX(events), PMD_NONE },
    { "to_backend_packets", TX(packets), PMD_OPACKETS },
    { "to_backend_bytes", TX(bytes), PMD_OBYTES },
    { "to_backend_refused_errors", TX(refused), PMD_NONE },
    { "to_backend_size_dropped", TX(size), PMD_OERRORS },
    { "to_backend_scattered_dropped", TX(scattered), PMD_OERRORS },
    { "to_backend_offload_dropped", TX(offload), PMD_OERRORS },
    { "to_backend_not_connected_dropped", TX(closed), PMD_OERRORS },
    { "to_backend_no_room_errors", TX(no_room), PMD_NONE },
    { "to_backend_ring_errors", TX(ring_errors), PMD_NONE },
    { "to_backend_checksums_completed", TX(completed), PMD_NONE },
    { "to_backend_events", TX(events), PMD_NONE },
};

_Static_assert(RTE_DIM(counters) <= PMD_COUNTERS_MAX, "PMD_COUNTERS_MAX");

const struct pmd_counter_table front_stats_table = {
    .counters = counters, .counter_count = RTE_DIM(counters),
    .queue_count = FRONT_QUEUES_MAX,
    .queue_size = sizeof(struct front_queue),
};
