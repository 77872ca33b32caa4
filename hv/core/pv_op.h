/* SPDX-License-Identifier: GPL-2.0-only */
/* What the toolstack does to a PV domain that it builds or saves. */
#ifndef CORE_PV_OP_H
#define CORE_PV_OP_H

#include "core/types.h"
#include "core/xen_abi.h"

/* XEN_DOMCTL_hypercall_init: the page of stubs.  0, -EINVAL. */
int pv_op_hypercall_page(struct domain *d, struct xen_domctl *op);
/*
 * XEN_DOMCTL_getpageframeinfo3, for any domain.  0; -E2BIG, -EFAULT; -EAGAIN:
 * the M2P that the current process was shown is not the domain's any more.
 */
int pv_op_frame_info(struct domain *d, struct xen_domctl *op);
/* XEN_DOMCTL_get_address_size, for any domain; see pv_op_m2p_list().  0. */
int pv_op_address_size(struct domain *d, struct xen_domctl *op);
/* XENMEM_machphys_mapping of 'd' itself. */
long pv_op_m2p_mapping(struct domain *d, struct guest_ptr arg);
/*
 * XENMEM_machphys_mfn_list, for who saves: where DOMID_XEN has the M2P of the
 * PV domain whose address size the current process of 'cur' asked last; once.
 * 0, -EPERM, -EFAULT.
 */
long pv_op_m2p_list(struct domain *cur, struct guest_ptr arg);

#endif
