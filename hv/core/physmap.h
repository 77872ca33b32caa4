/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest's memory map and the operations on its physical space. */
#ifndef CORE_PHYSMAP_H
#define CORE_PHYSMAP_H

#include "core/arch.h"

/*
 * Sets what XENMEM_memory_map tells 'd' (replaces a former map); the entries
 * are copied.  0, -ENOMEM, -EINVAL (too many).
 */
int physmap_set_e820(struct domain *d, const struct e820_entry_abi *entry,
                     unsigned int count);

#endif
