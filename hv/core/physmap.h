/* SPDX-License-Identifier: GPL-2.0-only */
/* A domain's physical address space: what stands where, and its map. */
#ifndef CORE_PHYSMAP_H
#define CORE_PHYSMAP_H

#include "core/arch.h"
#include "core/types.h"
#include "core/xen_abi.h"

#define PHYSMAP_E820_MAX 128u
/*
 * DOMID_XEN's frame that is the first page of the M2P as PV domain 'id' has
 * it; 0: as all have it who changed nothing in it.
 */
uint64_t physmap_m2p_frame(domid_t id);

/* The domain's memory map is 'count' entries from now on: 0, -E. */
int physmap_set_e820(struct domain *d, const struct e820_entry_abi *entry,
                     unsigned int count);

/*
 * RAM stands where 'd' has shared_info, if it has it anywhere: as before it
 * was mapped there.  0, -ENOMEM.
 */
int physmap_unplace_shared_info(struct domain *d);
/* A PV guest's first grant frames get their gfns: 0 or -E. */
int physmap_place_grants(struct domain *d, uint32_t count);
/* XENMEM_add_to_physmap on a local copy: 0 or -E. */
int physmap_add(struct domain *d, const struct xen_add_to_physmap *op);
/*
 * XENMEM_add_to_physmap_batch from element '*done': 0 or -E, errors of each
 * in the caller's array; -ERESTART with '*done' moved on.
 */
int physmap_add_batch(struct domain *d,
                      const struct xen_add_to_physmap_batch *op,
                      uint64_t *done);
int physmap_remove(struct domain *d, gfn_t g);
/* The first byte above that map; 0 without one. */
uint64_t physmap_memory_end(struct domain *d);
/* XENMEM_memory_map: writes the map to the caller.  0 or -E. */
int physmap_memory_map(struct domain *d, struct guest_ptr arg);
int physmap_set_memory_map(struct domain *cur, struct guest_ptr arg);
/* XENMEM_acquire_resource from frame '*done'; -ERESTART as above. */
int physmap_acquire(struct domain *cur, struct guest_ptr arg, uint64_t *done);

#endif
