/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of domctl share: domctl.c dispatches, the others act. */
#ifndef CORE_DOMCTL_H
#define CORE_DOMCTL_H

#include "core/types.h"
#include "core/xen_abi.h"

/* Fills 'info' for domctl and sysctl getdomaininfo; any caller, no lock. */
void domctl_info(struct domain *d, struct xen_domctl_getdomaininfo *info);

/*
 * A bitmap in the ABI's form, to and from the caller's memory.  'bits' is
 * how many the hypervisor has.  0 or -EFAULT.
 */
int domctl_bitmap_write(const struct xenctl_bitmap *to, const uint64_t *from,
                        unsigned int bits);
int domctl_bitmap_read(uint64_t *to, const struct xenctl_bitmap *from,
                       unsigned int bits);

/* A number from the caller's operation: the vcpu, or NULL. */
struct vcpu *domctl_vcpu(struct domain *d, uint32_t id);

/* Operations on vcpus: domctl_vcpu.c.  'd' is referenced by the caller. */
int domctl_max_vcpus(struct domain *d, struct xen_domctl *op);
int domctl_set_context(struct domain *d, struct xen_domctl *op);
int domctl_get_context(struct domain *d, struct xen_domctl *op);
int domctl_set_ext_context(struct domain *d, struct xen_domctl *op);
int domctl_get_ext_context(struct domain *d, struct xen_domctl *op);
int domctl_get_ext_state(struct domain *d, struct xen_domctl *op);
int domctl_set_ext_state(struct domain *d, struct xen_domctl *op);
int domctl_get_vcpu_msrs(struct domain *d, struct xen_domctl *op);
int domctl_vcpu_info(struct domain *d, struct xen_domctl *op);
int domctl_set_affinity(struct domain *d, struct xen_domctl *op);
int domctl_get_affinity(struct domain *d, struct xen_domctl *op);

/* The CPU policy and the HVM records: domctl_policy.c. */
int domctl_get_policy(struct domain *d, struct xen_domctl *op);
int domctl_set_policy(struct domain *d, struct xen_domctl *op);
int domctl_get_hvm_context(struct domain *d, struct xen_domctl *op);
int domctl_set_hvm_context(struct domain *d, struct xen_domctl *op);
int domctl_get_hvm_record(struct domain *d, struct xen_domctl *op);

#endif
