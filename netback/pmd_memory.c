/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The frame numbers under DPDK's hugetlb memory, so that grant copies can go
 * straight into mbufs.
 *
 * Talks to EAL's memory lists and libdom0's pagemap.  Invariants:
 *  1. Only hugetlb pages are in the table: the kernel does not move them by
 *     compaction, and each is asked of /proc/kpageflags once.
 *  2. A page enters after EAL has mapped it and leaves before EAL unmaps it
 *     (memory events), so what mbufs lie in is either right or absent.
 *  3. Absent is always safe: the copy takes the bounce area.
 */
#include <errno.h>
#include <stdlib.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_memory.h>

#include "netback/pmd.h"
#include "netback/vif_log.h"
#include "tools/libdom0/dom0.h"
#include "tools/libdom0/pagemap.h"

#define REGIONS_MAX 32u
#define HUGE_MIN (UINT64_C(1) << 21)

/* One of EAL's memory lists: a range of addresses with one page size. */
struct region {
    uintptr_t start;
    size_t size;                /* bytes */
    unsigned int shift;         /* log2 of the page size */
    uint64_t *gfns;             /* [a] of each page; 0: do not use */
};

static struct {
    bool ready;
    unsigned int count;
    unsigned int pages;         /* entered so far */
    struct region regions[REGIONS_MAX];
} memory;

uint64_t pmd_memory_gfn(const void *host)
{
    uintptr_t address = (uintptr_t)host;

    for (unsigned int i = 0; i < memory.count; i++) {
        const struct region *r = &memory.regions[i];
        uintptr_t at = address - r->start;

        if (at < r->size) {
            uint64_t gfn = __atomic_load_n(&r->gfns[at >> r->shift],
                                           __ATOMIC_RELAXED);
            uint64_t in_page = at & ((UINT64_C(1) << r->shift) - 1);

            return gfn == 0 ? 0 : gfn + in_page / PAGEMAP_PAGE_SIZE;
        }
    }
    return 0;
}

/* The first gfn of a hugetlb page, or 0 if it cannot be vouched for. */
static uint64_t page_gfn(const struct region *r, uintptr_t address)
{
    uint64_t mask = (UINT64_C(1) << r->shift) / PAGEMAP_PAGE_SIZE - 1;
    uint64_t gfn;

    if (pagemap_read((const void *)address, 1, &gfn) != 0 ||
        (gfn & mask) != 0 || !pagemap_is_hugetlb(gfn)) {
        return 0;
    }
    return gfn;
}

static void set_pages(const void *start, size_t size, bool mapped)
{
    uintptr_t address = (uintptr_t)start;

    for (unsigned int i = 0; i < memory.count; i++) {
        struct region *r = &memory.regions[i];

        if (address - r->start >= r->size) {
            continue;
        }
        for (size_t at = 0; at < size; at += (size_t)1 << r->shift) {
            uint64_t gfn = mapped ? page_gfn(r, address + at) : 0;

            memory.pages += gfn != 0;
            __atomic_store_n(
                &r->gfns[(address + at - r->start) >> r->shift], gfn,
                __ATOMIC_RELAXED);
        }
        return;
    }
}

static void memory_event(enum rte_mem_event event, const void *address,
                         size_t size, void *unused)
{
    (void)unused;
    set_pages(address, size, event == RTE_MEM_EVENT_ALLOC);
}

static int add_region(const struct rte_memseg_list *list, void *unused)
{
    struct region *r = &memory.regions[memory.count];

    (void)unused;
    if (list->external || list->page_sz < HUGE_MIN || list->len == 0 ||
        memory.count == REGIONS_MAX) {
        return 0;
    }
    r->gfns = calloc(list->len / list->page_sz, sizeof(*r->gfns));
    if (r->gfns == NULL) {
        return 0;
    }
    r->start = (uintptr_t)list->base_va;
    r->size = list->len;
    r->shift = (unsigned int)__builtin_ctzll(list->page_sz);
    memory.count++;
    return 0;
}

static int add_segment(const struct rte_memseg_list *list,
                       const struct rte_memseg *segment, void *unused)
{
    (void)list;
    (void)unused;
    set_pages(segment->addr, segment->len, true);
    return 0;
}

bool pmd_memory_prepare(void)
{
    if (memory.ready) {
        return memory.pages != 0;
    }
    memory.ready = true;
    if (!dom0_is_translated()) {
        return false;
    }
    if (rte_eal_has_hugepages()) {
        rte_memseg_list_walk(add_region, NULL);
        /* Not there with --legacy-mem, where nothing ever changes. */
        if (rte_mem_event_callback_register("net_xenvif", memory_event,
                                            NULL) != 0 &&
            rte_errno != ENOTSUP) {
            memory.count = 0;
        }
        rte_memseg_walk(add_segment, NULL);
    }
    if (memory.pages == 0) {
        VIF_LOG(WARNING, "memory", "no hugepages: every packet is copied "
                "twice, the second time through a bounce area of 480 KiB a "
                "queue and direction; give DPDK hugepages to save that");
    }
    return memory.pages != 0;
}
