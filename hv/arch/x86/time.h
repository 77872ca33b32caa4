/* SPDX-License-Identifier: GPL-2.0-only */
/* Time from the TSC; the local APIC's one-shot timer. */
#ifndef X86_TIME_H
#define X86_TIME_H

#include <stdint.h>

/* Measures the TSC and the APIC timer; on the boot CPU, once. */
void time_init(void);
/* Busy-waits; before and after time_init(). */
void time_delay_us(uint32_t us);
/* ns = ((tsc shifted by shift) * mul) >> 32, as the Xen ABI has it. */
void time_scale(uint32_t *mul, int8_t *shift);
/* The TSC at which arch_time_now() is 0. */
uint64_t time_tsc_base(void);

#endif
