/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory before the allocator: RAM from the loader's map, less what is
 * reserved, handed out from the top. Talks to core/page_alloc at the end.
 * 1. reserved[] is never handed out, neither here nor to page_alloc.
 * 2. Single-threaded: the boot CPU only.
 */
#include "boot/boot.h"
#include "core/console.h"
#include "core/page_alloc.h"
#include "lib/minmax.h"
#include "lib/string.h"
#include "mmu.h"

#define RESERVED_MAX 128

static struct {
    uint64_t start, end;
} reserved[RESERVED_MAX];
static unsigned int reserved_count;
/* Entries from here on are allocations, which may be merged. */
static unsigned int allocated_first;

void boot_memory_reserve(uint64_t start, uint64_t size)
{
    if (reserved_count == RESERVED_MAX) {
        panic("too many reserved memory ranges");
    }
    reserved[reserved_count].start = start & PAGE_MASK;
    reserved[reserved_count++].end = ALIGN_UP(start + size, PAGE_SIZE);
}

/* Like boot_memory_reserve(), but grows a neighbour where it can. */
static void reserve_allocated(uint64_t start, uint64_t size)
{
    for (unsigned int i = allocated_first; i < reserved_count; i++) {
        if (reserved[i].start == start + size) {
            reserved[i].start = start;
            return;
        }
    }
    boot_memory_reserve(start, size);
}

/* Something reserved that overlaps [start, end), or -1. */
static int find_overlap(uint64_t start, uint64_t end)
{
    for (unsigned int i = 0; i < reserved_count; i++) {
        if (start < reserved[i].end && reserved[i].start < end) {
            return (int)i;
        }
    }
    return -1;
}

bool boot_memory_next_free(uint64_t *start, uint64_t *end)
{
    uint64_t at = ALIGN_UP(*start, PAGE_SIZE);

    for (unsigned int i = 0; i < boot_info.range_count; i++) {
        const struct boot_range *range = &boot_info.range[i];
        uint64_t stop = (range->start + range->size) & PAGE_MASK;
        uint64_t from = max(at, ALIGN_UP(range->start, PAGE_SIZE));
        int overlap;

        if (range->type != BOOT_RAM || from >= stop) {
            continue;
        }
        while (from < stop
               && (overlap = find_overlap(from, from + PAGE_SIZE)) >= 0) {
            from = reserved[overlap].end;
        }
        for (unsigned int j = 0; j < reserved_count; j++) {
            if (reserved[j].start >= from) {
                stop = min(stop, reserved[j].start);
            }
        }
        if (from < stop) {
            *start = from;
            *end = stop;
            return true;
        }
    }
    return false;
}

/* The highest free place of size bytes in [start, end); 0 if none. */
static uint64_t find_place(uint64_t start, uint64_t end, uint64_t size)
{
    start = ALIGN_UP(start, PAGE_SIZE);
    end &= PAGE_MASK;
    while (end > start && end - start >= size) {
        int i = find_overlap(end - size, end);

        if (i < 0) {
            return end - size;
        }
        end = reserved[i].start;
    }
    return 0;
}

uint64_t boot_memory_alloc(uint64_t pages, uint64_t limit)
{
    uint64_t best = 0;

    for (unsigned int i = 0; i < boot_info.range_count; i++) {
        const struct boot_range *range = &boot_info.range[i];
        uint64_t end = range->start + range->size;

        if (range->type != BOOT_RAM) {
            continue;
        }
        if (limit != 0 && end > limit) {
            end = limit;
        }
        best = max(best, find_place(range->start, end, pages * PAGE_SIZE));
    }
    if (best == 0) {
        panic("no room for %lu KiB of boot memory", pages * 4);
    }
    reserve_allocated(best, pages * PAGE_SIZE);
    memset(mmu_direct(best), 0, pages * PAGE_SIZE);
    return best;
}

uint64_t boot_memory_end(void)
{
    uint64_t end = 0;

    for (unsigned int i = 0; i < boot_info.range_count; i++) {
        const struct boot_range *range = &boot_info.range[i];

        if (range->type == BOOT_RAM) {
            end = max(end, range->start + range->size);
        }
    }
    return end & PAGE_MASK;
}

void boot_memory_reserve_modules(void)
{
    for (unsigned int i = 0; i < boot_info.module_count; i++) {
        boot_memory_reserve(boot_info.module[i].start,
                            boot_info.module[i].size);
    }
    allocated_first = reserved_count;
}

void boot_memory_move_modules(void)
{
    for (unsigned int i = 0; i < boot_info.module_count; i++) {
        struct boot_module *module = &boot_info.module[i];
        uint64_t pages = DIV_ROUND_UP(module->size, PAGE_SIZE);
        uint64_t to = boot_memory_alloc(pages, 0);

        memcpy(mmu_direct(to), mmu_direct(module->start), module->size);
        for (unsigned int j = 0; j < allocated_first; j++) {
            if (reserved[j].start == (module->start & PAGE_MASK)) {
                reserved[j].start = UINT64_MAX; /* matches nothing */
                reserved[j].end = UINT64_MAX;
            }
        }
        module->start = to;
    }
}

/* Gives [start, end) but what is reserved in it. */
static void give(uint64_t start, uint64_t end)
{
    while (start < end) {
        uint64_t stop = end;
        uint64_t next = end;

        for (unsigned int i = 0; i < reserved_count; i++) {
            if (reserved[i].end <= start || reserved[i].start >= stop) {
                continue;
            }
            stop = max(reserved[i].start, start);
            next = reserved[i].end;
        }
        if (stop > start) {
            page_alloc_add(mfn(start >> PAGE_SHIFT),
                           (stop - start) >> PAGE_SHIFT, 0);
        }
        start = max(next, stop);
    }
}

void boot_memory_give(void)
{
    uint64_t limit = boot_memory_end() >> PAGE_SHIFT;
    size_t size = page_alloc_table_size(limit);
    uint64_t table = boot_memory_alloc(DIV_ROUND_UP(size, PAGE_SIZE), 0);

    page_alloc_init(mmu_direct(table), limit);
    for (unsigned int i = 0; i < boot_info.range_count; i++) {
        const struct boot_range *range = &boot_info.range[i];

        if (range->type == BOOT_RAM) {
            give(ALIGN_UP(range->start, PAGE_SIZE),
                 (range->start + range->size) & PAGE_MASK);
        }
    }
}

void boot_memory_free_modules(void)
{
    for (unsigned int i = 0; i < boot_info.module_count; i++) {
        const struct boot_module *module = &boot_info.module[i];

        page_alloc_add(mfn(module->start >> PAGE_SHIFT),
                       DIV_ROUND_UP(module->size, PAGE_SIZE), 0);
    }
    boot_info.module_count = 0;
}
