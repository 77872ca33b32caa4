/* SPDX-License-Identifier: GPL-2.0-only */
/* The start of core. */
#ifndef CORE_MAIN_H
#define CORE_MAIN_H

/*
 * Once, on the boot CPU, after page_alloc_add() and before any domain.
 * Panics when memory is out.
 */
void core_init(unsigned int cpus);

#endif
