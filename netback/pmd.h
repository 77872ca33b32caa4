/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the DPDK driver share. */
#ifndef NETBACK_PMD_H
#define NETBACK_PMD_H

#include <stdint.h>
#include <sys/queue.h>

#include <rte_ether.h>
#include <rte_mbuf.h>

#include "pmd_counters.h"
#include "vif.h"

/* A port; DPDK's dev_private. */
struct pmd {
    struct pmd_counters counters;   /* first */
    struct vif *vif;
    uint16_t domid;
    uint16_t handle;
    bool tso;                   /* offer large packets to the switch */
    struct rte_ether_addr mac;
    LIST_ENTRY(pmd) link;
};

struct pmd_rx_queue {
    struct vif *vif;
    struct rte_mempool *pool;
    uint16_t first;             /* guest queues first, first + step, ... */
    uint16_t step;
    uint16_t next;              /* where the next burst begins */
} __rte_cache_aligned;

struct pmd_tx_queue {
    struct vif *vif;
    uint16_t id;
} __rte_cache_aligned;

/* pmd_stats.c */
extern const struct pmd_counter_table pmd_stats_table;

/*
 * pmd_memory.c.  Prepare: read where DPDK's hugetlb memory lies, once; false
 * (with one warning) when there is none.  Gfn: the frame under an address in
 * it, or 0.
 */
bool pmd_memory_prepare(void);
uint64_t pmd_memory_gfn(const void *host);

/* pmd_args.c: what a device's name and arguments ask for. */
struct pmd_args {
    uint16_t domid;
    uint16_t handle;
    uint16_t queues;
    bool tso;
    enum vif_access access;     /* LOCAL if and only if local is there */
    char local[VIF_LOCAL_MAX];  /* "": by Xen */
};

/*
 * Parse "net_xenvif<domid>_<handle>" and "domid=,handle=,queues=,tso=,
 * access=,local=".
 * -EINVAL, after one log line that says what is wrong and what is right.
 */
int pmd_args_parse(const char *name, const char *text,
                   struct pmd_args *args);

#endif
