/* SPDX-License-Identifier: GPL-2.0-only */
/* The parts of save.c: the record CPU of public hvm/save.h. */
#ifndef HVM_SAVE_H
#define HVM_SAVE_H

#include "hvm/hvm.h"

/* Fills 'c' from 'v', which is paused; its TSC as if read at 'host_tsc'. */
void cpu_record_save(struct vcpu *v, uint64_t host_tsc, struct hvm_hw_cpu *c);
/*
 * Sets 'v', which is paused, and brings it up; not its TSC, which all vcpus
 * share.  -EINVAL: the record says what no CPU of this domain can be in, and
 * nothing changed.
 */
int cpu_record_load(struct vcpu *v, const struct hvm_hw_cpu *c);

/* Bits that a guest's RFLAGS may have; bit 1 always is. */
#define RFLAGS_ALLOWED 0x3f7fd7ull

#endif
