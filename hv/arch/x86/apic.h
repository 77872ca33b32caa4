/* SPDX-License-Identifier: GPL-2.0-only */
/* The local APIC of the running CPU, xAPIC or x2APIC. */
#ifndef X86_APIC_H
#define X86_APIC_H

#include <stdint.h>

/* Finds the mode, maps it and enables the boot CPU's. */
void apic_init(void);
/* Enables a further CPU's. */
void apic_init_cpu(void);
uint32_t apic_id(void);
void apic_eoi(void);
/* Reads and clears the error register. */
uint32_t apic_error(void);
void apic_send_ipi(uint32_t apic_id, unsigned int vector);
void apic_send_init(uint32_t apic_id);
/* The CPU starts in real mode at page << 12. */
void apic_send_startup(uint32_t apic_id, unsigned int page);
/* Interrupt after count ticks; 0 stops the timer. */
void apic_timer_set(uint32_t count);
uint32_t apic_timer_count(void);

#endif
