/* SPDX-License-Identifier: GPL-2.0-only */
/* Starting the other CPUs. */
#ifndef X86_SMP_H
#define X86_SMP_H

/* Starts every CPU of the MADT; returns when they are online. */
void smp_start(void);

#endif
