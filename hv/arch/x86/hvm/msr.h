/* SPDX-License-Identifier: GPL-2.0-only */
/* Model-specific registers of guests. */
#ifndef HVM_MSR_H
#define HVM_MSR_H

#include "hvm/hvm.h"

#define MSR_TSC 0x10u
#define MSR_APIC_BASE 0x1bu
#define MSR_EFER 0xc0000080u
#define MSR_PAT 0x277u
#define MSR_TSC_AUX 0xc0000103u

/* As after reset: fixed and variable ranges off, default write-back. */
void msr_vcpu_reset(struct vcpu *v);
/* 0, or -EINVAL: inject #GP(0). */
int msr_read(struct vcpu *v, uint32_t index, uint64_t *value);
int msr_write(struct vcpu *v, uint32_t index, uint64_t value);

#endif
