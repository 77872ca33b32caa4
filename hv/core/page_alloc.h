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

/* Hypervisor memory: zeroed, or NULL. */
void *page_alloc_core(unsigned int order);
void page_free_core(void *p, unsigned int order);

/*
 * 2^order frames for 'd', zeroed, allocation reference held on each,
 * counted in d->tot_pages; NULL when memory or d->max_pages is out.
 */
struct frame *page_alloc_domain(struct domain *d, unsigned int order);
/*
 * Takes the given frames out of the free lists for direct-mapped dom0 at
 * boot; false if one is not free.
 */
bool page_alloc_at(struct domain *d, mfn_t start, uint64_t count);
/* A core frame that 'd' may map (FRAME_CORE): grant table, shared_info. */
struct frame *page_alloc_shared(struct domain *d);

uint64_t page_alloc_total(void);    /* frames managed */
uint64_t page_alloc_free(void);     /* free, cached ones included */
uint64_t page_alloc_claimed(void);  /* outstanding claims */
/* XENMEM_claim_pages: 0, -ENOMEM, -EINVAL. */
int page_alloc_claim(struct domain *d, uint64_t pages);

#endif
