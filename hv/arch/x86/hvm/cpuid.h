/* SPDX-License-Identifier: GPL-2.0-only */
/* What guests learn about their CPU, and policies for the toolstack. */
#ifndef HVM_CPUID_H
#define HVM_CPUID_H

#include "hvm/hvm.h"

/* The hypervisor's first MSR: writing a page address fills that page. */
#define CPUID_HYPERCALL_MSR 0x40000000u

/* Gives 'd' the default policy: 0 or -ENOMEM. */
int cpuid_domain_create(struct domain *d);
void cpuid_domain_destroy(struct domain *d);
/* The leaf as 'v' sees it now. */
void cpuid_read(struct vcpu *v, uint32_t leaf, uint32_t subleaf,
                uint32_t out[4]);
/* The feature: bit of a leaf's register (0 eax .. 3 edx) in the policy. */
bool cpuid_has(const struct domain *d, uint32_t leaf, unsigned int reg,
               unsigned int bit);

#endif
