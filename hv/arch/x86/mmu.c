/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hypervisor's page tables (APM vol. 2, 5.3). Talks to boot/memory.c.
 * 1. Nothing is writable and executable; text is mapped once, read-only
 *    and executable, at IMAGE_BASE. (The direct map sees it writable: it
 *    is the hypervisor's own frame, which no guest can reach.)
 * 2. After boot only the device area changes, under device_lock.
 */
#include "boot/boot.h"
#include "core/arch.h"
#include "core/console.h"
#include "core/lock.h"
#include "insn.h"
#include "layout.h"
#include "lib/minmax.h"
#include "lib/spinlock.h"
#include "mmu.h"

#define PTE_PRESENT 0x001ull
#define PTE_WRITE 0x002ull
#define PTE_UNCACHED 0x018ull   /* PCD, PWT: UC in the reset PAT */
#define PTE_LARGE 0x080ull
#define PTE_GLOBAL 0x100ull
#define PTE_NX (1ull << 63)
#define PTE_ADDRESS 0x000ffffffffff000ull

#define SHIFT_2M 21
#define SIZE_2M 0x200000ull
#define SIZE_1G 0x40000000ull
#define BOOT_MAP_END 0x100000000ull
#define SMALL_TABLES 16u        /* level 1 tables of the device area */

extern char image_start[], image_text_end[], image_rodata_end[], image_end[];

static uint64_t root;
static bool has_1g;
static uint64_t *device_l2;     /* one GiB of the device area */

/* Its parts: what is left of the small and of the large pages. */
struct area {
    uint64_t next, end;
    unsigned int shift;         /* of a page */
};
#define SMALL_END (DEVICE_BASE + SMALL_TABLES * SIZE_2M)
static struct area small_area = { DEVICE_BASE, SMALL_END, PAGE_SHIFT };
static struct area large_area = { SMALL_END, DEVICE_BASE + DEVICE_SIZE,
                                  SHIFT_2M };
static spinlock_t device_lock = SPINLOCK_INIT(LOCK_RANK_NONE);

void *mmu_direct(uint64_t phys)
{
    return (void *)(DIRECT_BASE + phys);
}

uint64_t mmu_phys(const void *va)
{
    uintptr_t address = (uintptr_t)va;

    return address >= IMAGE_BASE ? address - IMAGE_BASE
                                 : address - DIRECT_BASE;
}

void *arch_frame_map(mfn_t m)
{
    return mmu_direct(m.v << PAGE_SHIFT);
}

mfn_t arch_virt_to_mfn(const void *va)
{
    return mfn(mmu_phys(va) >> PAGE_SHIFT);
}

/* The table that entry points at, made when absent. */
static uint64_t *table_of(uint64_t *entry)
{
    if (!(*entry & PTE_PRESENT)) {
        *entry = boot_memory_alloc(1, BOOT_MAP_END) | PTE_PRESENT
                 | PTE_WRITE;
    }
    return mmu_direct(*entry & PTE_ADDRESS);
}

/*
 * Maps one page of 1 << shift bytes (12, 21 or 30); what is mapped already
 * stays.  False: smaller pages are there, which may be part of it only.
 */
static bool map_page(uint64_t va, uint64_t phys, unsigned int shift,
                     uint64_t flags)
{
    uint64_t *table = mmu_direct(root);
    uint64_t *entry;

    for (unsigned int at = 39; at > shift; at -= 9) {
        entry = &table[va >> at & 511];
        if ((*entry & PTE_PRESENT) && (*entry & PTE_LARGE)) {
            return true;
        }
        table = table_of(entry);
    }
    entry = &table[va >> shift & 511];
    if (!(*entry & PTE_PRESENT)) {
        *entry = phys | flags | PTE_PRESENT | (shift > 12 ? PTE_LARGE : 0);
    }
    return shift == 12 || (*entry & PTE_LARGE);
}

/*
 * Maps RAM into the direct map, in the largest pages that fit.  Ranges are
 * not aligned: two may meet in one page, of either size.
 */
static void map_direct(uint64_t start, uint64_t end)
{
    const uint64_t flags = PTE_WRITE | PTE_GLOBAL | PTE_NX;

    start &= ~(SIZE_2M - 1);
    end = ALIGN_UP(end, SIZE_2M);
    while (start < end) {
        if (has_1g && start % SIZE_1G == 0 && end - start >= SIZE_1G
            && map_page(DIRECT_BASE + start, start, 30, flags)) {
            start += SIZE_1G;
        } else {
            (void)map_page(DIRECT_BASE + start, start, 21, flags);
            start += SIZE_2M;
        }
    }
}

static void map_image(const char *from, const char *to, uint64_t flags)
{
    for (uint64_t va = (uintptr_t)from; va < (uintptr_t)to; va += PAGE_SIZE) {
        (void)map_page(va, va - IMAGE_BASE, PAGE_SHIFT, flags | PTE_GLOBAL);
    }
}

void mmu_init(void)
{
    has_1g = cpuid(0x80000001, 0).edx >> 26 & 1;
    root = boot_memory_alloc(1, BOOT_MAP_END);
    for (unsigned int i = 0; i < boot_info.range_count; i++) {
        const struct boot_range *range = &boot_info.range[i];

        if (range->type == BOOT_RAM || range->type == BOOT_ACPI
            || range->type == BOOT_NVS) {
            map_direct(range->start, range->start + range->size);
        }
    }
    map_image(image_start, image_text_end, 0);
    map_image(image_text_end, image_rodata_end, PTE_NX);
    map_image(image_rodata_end, image_end, PTE_WRITE | PTE_NX);
    /* Other CPUs turn paging on at low addresses. */
    (void)map_page(0, 0, 21, PTE_WRITE);
    (void)map_page(SIZE_2M, SIZE_2M, 21, PTE_WRITE);
    device_l2 = table_of(&((uint64_t *)mmu_direct(root))[DEVICE_BASE >> 39
                                                         & 511]);
    device_l2 = table_of(&device_l2[0]);
    for (unsigned int i = 0; i < SMALL_TABLES; i++) {
        (void)table_of(&device_l2[i]);
    }
    write_cr3(root);
}

void mmu_drop_identity(void)
{
    ((uint64_t *)mmu_direct(root))[0] = 0;
    write_cr3(root);
}

uint64_t mmu_root(void)
{
    return root;
}

static void *map_in(struct area *area, uint64_t phys, size_t size,
                    uint64_t flags)
{
    uint64_t page = 1ull << area->shift;
    uint64_t offset = phys & (page - 1);
    uint64_t pages = DIV_ROUND_UP(offset + size, page);
    uint64_t va;

    spin_lock(&device_lock);
    va = area->next;
    area->next += pages * page;
    if (area->next > area->end) {
        panic("no room to map %lu KiB of devices", pages * page / 1024);
    }
    for (uint64_t i = 0; i < pages; i++) {
        (void)map_page(va + i * page, phys - offset + i * page, area->shift,
                       flags | PTE_NX);
    }
    spin_unlock(&device_lock);
    return (void *)(va + offset);
}

void *mmu_map_device(uint64_t phys, size_t size)
{
    return map_in(size < SIZE_2M ? &small_area : &large_area, phys, size,
                  PTE_WRITE | PTE_UNCACHED);
}

const void *mmu_map_firmware(uint64_t phys, size_t size)
{
    return map_in(&small_area, phys, size, 0);
}
