/* SPDX-License-Identifier: GPL-2.0-only */
/* CPU policies in the toolstack's forms: leaves, and the featureset words. */
#ifndef CORE_CPU_POLICY_H
#define CORE_CPU_POLICY_H

#include "core/types.h"
#include "core/xen_abi.h"

/* Words of a featureset, in the order of xen/arch-x86/cpufeatureset.h. */
#define CPU_FEATURESET_WORDS 13u

/* The featureset that 'count' leaves stand for. */
void cpu_policy_featureset(const xen_cpuid_leaf_t *leaf, unsigned int count,
                           uint32_t words[CPU_FEATURESET_WORDS]);

/*
 * Writes 'count' leaves to 'to', which has room for '*room' of them (NULL:
 * the count only), and two MSR entries in the same way.  '*room' becomes the
 * count.  0, -EFAULT, or -ENOBUFS.
 */
int cpu_policy_write_leaves(struct guest_ptr to, uint32_t *room,
                            const xen_cpuid_leaf_t *leaf, unsigned int count);
int cpu_policy_write_msrs(struct guest_ptr to, uint32_t *room);

#define CPU_POLICY_MSRS 2u

#endif
