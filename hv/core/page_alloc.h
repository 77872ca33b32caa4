/* SPDX-License-Identifier: GPL-2.0-only */
/* The frame allocator: buddy lists per node, caches per CPU. */
#ifndef CORE_PAGE_ALLOC_H
#define CORE_PAGE_ALLOC_H

#include "core/frame.h"

#define PAGE_ORDER_4K 0
#define PAGE_ORDER_2M 9
#define PAGE_ORDER_1G 18

/*
 * Boot: frame records live at 'table' for mfns 0 .. 'limit' - 1 (zeroed,
 * page_alloc_table_size(limit) bytes); then each usable range is given.
 */
size_t page_alloc_table_size(uint64_t limit);
void page_alloc_init(void *table, uint64_t limit);
void page_alloc_add(mfn_t start, uint64_t count, unsigned int node);
/* Makes the caches of this many CPUs: from core_init(). */
void page_alloc_init_caches(unsigned int cpus);

/* Hypervisor memory: zeroed, or NULL. */
void *page_alloc_core(unsigned int order);
/* Accepts NULL. */
void page_free_core(void *p, unsigned int order);

/*
 * 2^order frames for 'd', zeroed, allocation reference held on each,
 * counted in d->tot_pages; NULL when memory or d->max_pages is out.
 */
struct frame *page_alloc_domain(struct domain *d, unsigned int order);
/*
 * The same, zeroing no longer than a budget (budget.h) allows: 0, -ENOMEM, or
 * -ERESTART: ask again, a block of the heap is cleaner by now.
 */
int page_alloc_extent(struct domain *d, unsigned int order,
                      struct frame **out);
/*
 * Direct-mapped dom0 at boot: takes the given frames out of the free lists,
 * or in if page_alloc_add() never saw them (RAM that was kept for dom0).
 * Counted as by page_alloc_domain(), but not zeroed: only at boot, for dom0,
 * to whom what the firmware left is no secret.  False if one is in use or
 * d->max_pages is out; then nothing changed.
 */
bool page_alloc_at(struct domain *d, mfn_t start, uint64_t count);
/* A frame that direct-mapped 'd' released, again; false if it is not. */
bool page_alloc_reserved(struct domain *d, mfn_t m);
/*
 * A core frame that 'd' may map (FRAME_CORE): grant table, shared_info.
 * Given back by frame_disown().
 */
struct frame *page_alloc_shared(struct domain *d);

uint64_t page_alloc_total(void);    /* frames managed */
uint64_t page_alloc_free(void);     /* free, cached ones included */
uint64_t page_alloc_claimed(void);  /* outstanding claims */
/* XENMEM_claim_pages: 0, -ENOMEM, -EINVAL.  'pages' 0 ends the claim. */
int page_alloc_claim(struct domain *d, uint64_t pages);

/* frame.c: 'f' lost its last reference. */
void page_alloc_give_back(struct frame *f);
/* The same for 2^order aligned frames of one domain, not direct-mapped. */
void page_alloc_give_back_block(struct frame *f, unsigned int order);

/* Tests: told of each block that becomes free (true) or used.  Else NULL. */
extern void (*page_alloc_watch)(mfn_t m, unsigned int order, bool is_free);

#endif
