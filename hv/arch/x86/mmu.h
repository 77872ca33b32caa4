/* SPDX-License-Identifier: GPL-2.0-only */
/* The hypervisor's own mappings beyond the direct map of RAM. */
#ifndef X86_MMU_H
#define X86_MMU_H

#include <stddef.h>
#include <stdint.h>

/*
 * A mapping of [pa, pa + size), never undone, page-aligned inside: uncached
 * for devices; the second form write-back for firmware tables (an address in
 * the direct map is returned as it stands).  NULL when space is out.
 */
void *mmu_map_device(uint64_t pa, size_t size);
void *mmu_map_firmware(uint64_t pa, size_t size);

#endif
