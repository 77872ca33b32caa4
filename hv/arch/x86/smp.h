/* SPDX-License-Identifier: GPL-2.0-only */
/* Starting the other CPUs. */
#ifndef X86_SMP_H
#define X86_SMP_H

/* Starts every CPU of the MADT; returns when they are online and wait. */
void smp_start(void);
/* Core is up: lets them into their loops. */
void smp_release(void);

#endif
