/* SPDX-License-Identifier: GPL-2.0-only */
/* Grant tables, version 1. */
#ifndef CORE_GRANT_H
#define CORE_GRANT_H

#include "core/types.h"
#include "core/xen_abi.h"

int grant_create(struct domain *d, uint32_t max_frames,
                 uint32_t max_maptrack);
/* Undoes every mapping that 'd' holds; bounded: 0 or -ERESTART. */
int grant_relinquish(struct domain *d);
void grant_destroy(struct domain *d);

/* The hypercall: grant_op.c.  'count' elements at 'uop'. */
long grant_op(unsigned int cmd, struct guest_ptr uop, unsigned int count);

/*
 * Frame 'idx' of d's shared table, grown if it must be, for
 * XENMAPSPACE_grant_table and XENMEM_resource_grant_table.  0 or -EINVAL.
 */
int grant_shared_frame(struct domain *d, uint32_t idx, mfn_t *out);
/* The toolstack's seed (xenstore, console entries are set by libxl itself). */
uint32_t grant_frame_count(struct domain *d);

#endif
