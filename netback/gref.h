/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Static grants (xen/io/netif.h): pages that a frontend has had mapped for
 * good, so that packets in them are plain memory copies.
 *
 * A table belongs to a queue.  An access that is wrapped around another one
 * serves the references that are in the table and hands all others on.
 *
 * Threads: the control thread creates, adds, deletes and destroys; packet
 * threads look up, through the wrapped accesses.
 */
#ifndef NETBACK_GREF_H
#define NETBACK_GREF_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/io/netif.h>

#include "access.h"

#define GREF_TABLE_SIZE 512u        /* entries: a TX and an RX ring's pages */
#define GREF_REFS_MAX (1u << 20)    /* references of the largest table */

/*
 * Mappings in this process.  Each takes an address range of the kernel's,
 * of which a process may have 65530 and the switch needs some too.
 */
#define GREF_TOTAL_MAX 32768u

struct gref_table;

struct gref_config {
    /* Map until unmap; NULL: it is not granted so. */
    void *(*map)(void *self, grant_ref_t ref, bool readonly);
    void (*unmap)(void *self, void *page);
    /*
     * Returns when no packet thread is in a copy that began before the
     * call; waits for at most a burst of each.
     */
    void (*quiesce)(void *self);
    void *self;
};

/* NULL: no memory. */
struct gref_table *gref_create(const struct gref_config *config);

/* Unmaps all; no packet thread may use the table any more. */
void gref_destroy(struct gref_table *table);

/*
 * Map all entries of a list, or none: -EINVAL: an unknown flag, a reference
 * that is too large, in the table already or twice in the list, or that
 * cannot be mapped; -ENOSPC: the table or the process has no room.
 */
int gref_add(struct gref_table *table, const struct xen_netif_gref *list,
             uint32_t count);

/* Unmap those in the table, setting all statuses; returns how many. */
uint32_t gref_del(struct gref_table *table, struct xen_netif_gref *list,
                  uint32_t count);

/* Entries of the table now; any thread. */
uint32_t gref_count(const struct gref_table *table);

/*
 * An access that serves what the table has and leaves the rest to below,
 * which it owns.  The table is borrowed, and *hits, which counts the pieces
 * that were served here.  NULL: no memory, below is as it was.
 */
struct access *gref_wrap(struct access *below,
                         const struct gref_table *table, uint64_t *hits);

#endif
