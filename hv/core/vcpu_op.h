/* SPDX-License-Identifier: GPL-2.0-only */
/* The timers and memory areas of a vcpu, beyond the hypercall. */
#ifndef CORE_VCPU_OP_H
#define CORE_VCPU_OP_H

#include "core/types.h"

/* Inits the guest's timers: from vcpu_create(). */
void vcpu_op_timers_init(struct vcpu *v);
/* 'v' comes on this CPU: what rested while it was held goes on. */
void vcpu_op_timers_continue(struct vcpu *v);
/* Stops them for good: the vcpu does not run.  May be called again. */
void vcpu_op_timers_stop(struct vcpu *v);
/*
 * What the guest registered and set for 'v', which does not run, ends: areas,
 * and the timers that tell it something.  A poll still ends by its own.
 */
void vcpu_op_reset(struct vcpu *v);
/*
 * Writes the runstate of the current vcpu where the guest registered it: to
 * be called before entry after a switch.  No lock is held.
 */
void vcpu_op_show_runstate(struct vcpu *v);

/*
 * 'v' goes down for good (VCPUOP_down, HLT with interrupts off).  The last
 * one that is up takes the domain with it: SHUTDOWN_poweroff.  0.
 */
long vcpu_op_down(struct vcpu *v);

#endif
