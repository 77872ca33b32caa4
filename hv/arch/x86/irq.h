/* SPDX-License-Identifier: GPL-2.0-only */
/* Interrupts of the machine: vectors and who handles them. */
#ifndef X86_IRQ_H
#define X86_IRQ_H

#include <stdint.h>

#define VECTOR_DEVICE_FIRST 0x30u
#define VECTOR_DEVICE_LAST 0xefu
#define VECTOR_TIMER 0xf0u
#define VECTOR_KICK 0xf1u
#define VECTOR_APIC_ERROR 0xfeu
#define VECTOR_SPURIOUS 0xffu

struct irq_action {
    void (*handler)(void *arg);
    void *arg;
};

/*
 * Reserves a vector, the same on every CPU, and has it call the handler
 * before the local APIC's EOI. Returns the vector or -ENOSPC. Any CPU.
 * '*action' stays for ever: one more interrupt may be under way to it when
 * the vector is given back.
 */
int irq_alloc_vector(const struct irq_action *action);
/* The caller has made sure that the device sends it no more. */
void irq_free_vector(unsigned int vector);
/*
 * The APIC id to which a device sends what 'cpu' is to take.  IO-APICs and
 * messages have 8 bits for it; the boot CPU takes what is for those beyond.
 */
uint32_t irq_target(unsigned int cpu);
/* From trap.c, with IF clear. */
void irq_dispatch(unsigned int vector);
/* Runs what is pending now: opens IF for one moment. IF clear on return. */
void irq_window(void);

#endif
