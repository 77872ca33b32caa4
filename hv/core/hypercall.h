/* SPDX-License-Identifier: GPL-2.0-only */
/* Dispatch of hypercalls: the table is hypercall_table.h. */
#ifndef CORE_HYPERCALL_H
#define CORE_HYPERCALL_H

#include "core/types.h"

/*
 * Runs the hypercall 'nr' of the current vcpu with its register arguments.
 * Returns true if the instruction is done, with the value for rax in '*ret';
 * false if it must be executed again (preempted: -ERESTART inside).
 */
bool hypercall(struct vcpu *v, uint64_t nr, uint64_t *ret);

/*
 * For an operation that returns -ERESTART: argument 'n' (0-5) of the hypercall
 * in progress has this value when it is executed again.  Also right inside a
 * multicall, so an operation never writes the registers itself.
 */
void hypercall_set_arg(unsigned int n, uint64_t val);

/* One entry: the raw register arguments, of the current vcpu. */
typedef long (*hypercall_fn)(uint64_t a, uint64_t b, uint64_t c, uint64_t d);

long memory_op(unsigned long cmd, struct guest_ptr arg);    /* physmap_op.c */
long sched_op(unsigned int cmd, struct guest_ptr arg);
long vcpu_op(unsigned int cmd, unsigned int vcpuid, struct guest_ptr arg);
long version_op(unsigned int cmd, struct guest_ptr arg);
/*
 * What XENVER_'cmd' writes, if that is the same as long as 'd' lives: its
 * size, and where it is; 0 if not.
 */
size_t version_constant(struct domain *d, unsigned int cmd, const void **data);
/* XENVER_get_features of 'd'. */
uint32_t version_features(const struct domain *d);
long console_op(unsigned int cmd, unsigned int count, struct guest_ptr buf);
long hvm_op(unsigned long cmd, struct guest_ptr arg);
long domctl(struct guest_ptr arg);
long sysctl(struct guest_ptr arg);
long platform_op(struct guest_ptr arg);
long physdev_op(unsigned int cmd, struct guest_ptr arg);
long vm_assist(unsigned int cmd, unsigned int type);
/* The types that 'd' may enable, as bits. */
uint64_t vm_assist_valid(const struct domain *d);
long xsm_op(struct guest_ptr arg);
/* Of another domain, by who builds it: pv_op.c */
long mmu_update(struct guest_ptr list, unsigned int count,
                struct guest_ptr done, unsigned int domid);
long mmuext_op(struct guest_ptr list, unsigned int count,
               struct guest_ptr done, unsigned int domid);
long mca_op(struct guest_ptr arg);
/* HYPERVISOR_set_timer_op: absolute ns, 0 stops.  vcpu_op.c */
long vcpu_op_set_timer(uint64_t deadline);

#endif
