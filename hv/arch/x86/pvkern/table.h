/* SPDX-License-Identifier: GPL-2.0-only */
/* Which frames are the guest's page tables: records at PVK_RECORDS. */
#ifndef PVKERN_TABLE_H
#define PVKERN_TABLE_H

#include "pvkern/pvkern.h"

#define PTE_PRESENT 0x001ul
#define PTE_WRITE 0x002ul
#define PTE_USER 0x004ul
#define PTE_PWT 0x008ul
#define PTE_PCD 0x010ul
#define PTE_ACCESSED 0x020ul
#define PTE_DIRTY 0x040ul
#define PTE_LARGE 0x080ul
#define PTE_GLOBAL 0x100ul
#define PTE_AVAILABLE 0x7ff0000000000e00ul
#define PTE_NX (1ul << 63)
#define PTE_ADDRESS 0x000ffffffffff000ul

static inline uint64_t pte_frame(uint64_t entry)
{
    return (entry & PTE_ADDRESS) >> 12;
}

/* Only for frames below table_frames(). */
static inline uint64_t *table_of(uint64_t frame)
{
    return (uint64_t *)(PVK_DIRECT + (frame << 12));
}

/* They may become more meanwhile, but never fewer. */
static inline uint64_t table_frames(void)
{
    return __atomic_load_n(&pvk_domain()->frames, __ATOMIC_ACQUIRE);
}

static inline bool table_has_frame(uint64_t frame)
{
    return frame < table_frames();
}

/* Level of a frame as a page table, 1-4; 0: it is none. */
unsigned int table_level(uint64_t frame);
/* One more use of 'frame' as a table: false if it cannot be one. */
bool table_get(uint64_t frame, unsigned int level);
void table_put(uint64_t frame, unsigned int level);
/* MMUEXT_PIN_*_TABLE, MMUEXT_UNPIN_TABLE: 0 or -EINVAL. */
long table_pin(uint64_t frame, unsigned int level);
long table_unpin(uint64_t frame);
/*
 * Writes an entry by the rules of its table's level; of a frame that is
 * no table, just writes.  'keep' holds the bits taken over from the old
 * entry.  0, or as Xen says: -EINVAL, or -EPERM of no frame of the guest's.
 */
long table_write(uint64_t frame, unsigned int index, uint64_t value,
                 uint64_t keep);
/* Our entries are in level 4 table 'frame' from now on. */
bool table_install(uint64_t frame);
/* Pins that the toolstack recorded, once a domain. */
void table_replay(void);

#endif
