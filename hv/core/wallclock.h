/* SPDX-License-Identifier: GPL-2.0-only */
/* PV time: the wall clock in shared_info, the record in each vcpu_info. */
#ifndef CORE_WALLCLOCK_H
#define CORE_WALLCLOCK_H

#include "core/types.h"

/* Writes the wall clock of 'd' (its time offset included). */
void wallclock_update(struct domain *d);
/* Dom0 set the time: 'sec', 'nsec' at 'system_time' ns since boot. */
void wallclock_set(uint64_t sec, uint32_t nsec, uint64_t system_time);
/*
 * Sees that v's time record is right, as is the copy that the guest registered
 * if 'v' is current, or else when it is next.
 */
void wallclock_update_vcpu(struct vcpu *v);
/*
 * The same for the copy that the guest registered, if any; 'v' is current.
 * False: the guest's address cannot be written.
 */
bool wallclock_show_vcpu(struct vcpu *v);

#endif
