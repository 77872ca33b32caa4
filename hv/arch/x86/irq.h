/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Host interrupt vectors.  The dispatcher acknowledges the local APIC after
 * the handler returned; a level-triggered source must be masked by then.
 */
#ifndef X86_IRQ_H
#define X86_IRQ_H

#include <stdint.h>

typedef void irq_handler(void *arg);

/*
 * A device vector (the same on every CPU) that calls 'fn' with interrupts
 * off, on the CPU that took it.  The vector, or -ENOSPC.
 */
int irq_vector_alloc(irq_handler *fn, void *arg);
/* 'fn' does not run after it returns. */
void irq_vector_free(unsigned int vector);

#endif
