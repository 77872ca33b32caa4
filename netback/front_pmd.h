/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of net_xenfront share. */
#ifndef NETBACK_FRONT_PMD_H
#define NETBACK_FRONT_PMD_H

#include <stdbool.h>
#include <stdint.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "front.h"
#include "pmd_counters.h"

/* A port; DPDK's dev_private. */
struct front_pmd {
    struct pmd_counters counters;   /* first */
    struct front *front;
    uint16_t queues;            /* ring pairs, at most */
    uint16_t mtu_max;
    struct rte_ether_addr mac;
};

struct front_rx_queue {
    struct front *front;
    struct rte_mempool *pool;
    uint16_t id;                /* its ring pair */
    uint16_t buffers;
} __rte_cache_aligned;

struct front_tx_queue {
    struct front *front;
    uint16_t id;                /* its ring pair: id modulo their number */
    uint16_t buffers;
} __rte_cache_aligned;

/* front_stats.c */
extern const struct pmd_counter_table front_stats_table;

/* front_args.c: what a device's name and arguments ask for. */
struct front_args {
    uint16_t handle;            /* device/vif/<handle> */
    uint16_t queues;
    bool has_mac;
    struct rte_ether_addr mac;
    char local[FRONT_LOCAL_MAX];    /* "": by Xen */
};

/*
 * Parse "net_xenfront<handle>" and "device=,queues=,local=,mac=".  -EINVAL,
 * after one log line that says what is wrong and what is right.
 */
int front_args_parse(const char *name, const char *text,
                     struct front_args *args);

#endif
