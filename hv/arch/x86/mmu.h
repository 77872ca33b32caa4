/* SPDX-License-Identifier: GPL-2.0-only */
/* The hypervisor's own page tables. */
#ifndef X86_MMU_H
#define X86_MMU_H

#include "core/types.h"

/*
 * Replaces the boot tables: the direct map of all RAM and firmware tables,
 * the image with text read-only, rodata and data not executable. Uses
 * boot_memory.
 */
void mmu_init(void);
/* Drops the mapping at 0 that CPUs need only while they start. */
void mmu_drop_identity(void);
/* Physical address of the tables, for other CPUs. */
uint64_t mmu_root(void);
/*
 * Maps size bytes at physical address phys, uncached. Panics when the
 * device area is full: boot only, or bounded use.
 */
void *mmu_map_device(uint64_t phys, size_t size);
/* The same, cached and read-only: firmware tables. */
const void *mmu_map_firmware(uint64_t phys, size_t size);

/* A pointer into the direct map; valid for RAM. */
void *mmu_direct(uint64_t phys);
/* The physical address behind a direct map or image pointer. */
uint64_t mmu_phys(const void *va);

#endif
