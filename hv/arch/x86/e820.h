/* SPDX-License-Identifier: GPL-2.0-only */
/* Physical memory maps: sorted, without overlap; types as in E820_*. */
#ifndef X86_E820_H
#define X86_E820_H

#include "core/arch.h"

#define E820_RAM 1u
#define E820_RESERVED 2u
#define E820_ACPI 3u
#define E820_NVS 4u
#define E820_UNUSABLE 5u

#define E820_MAX 128

struct e820 {
    unsigned int count;
    struct e820_entry_abi entry[E820_MAX];
};

/*
 * [start, end) becomes 'type' whatever it was; type 0 takes it out of the
 * map.  Adjacent entries of one type are merged.  0 or -ENOSPC (unchanged).
 */
int e820_set(struct e820 *map, uint64_t start, uint64_t end, uint32_t type);
/* The type at 'addr', 0 if it is in no entry. */
uint32_t e820_type_at(const struct e820 *map, uint64_t addr);
/* True if all of [start, end) has 'type'. */
bool e820_is_all(const struct e820 *map, uint64_t start, uint64_t end,
                 uint32_t type);
/* True if any of [start, end) has 'type'. */
bool e820_has(const struct e820 *map, uint64_t start, uint64_t end,
              uint32_t type);
/* Takes over what a loader says: any order, overlaps (higher type wins). */
void e820_sanitise(struct e820 *map, const struct e820_entry_abi *raw,
                   unsigned int count);

#endif
