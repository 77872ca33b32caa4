/* SPDX-License-Identifier: GPL-2.0-only */
/* The boot domain. */
#ifndef HVM_PVH_DOM0_H
#define HVM_PVH_DOM0_H

#include "core/types.h"

/*
 * After boot_memory_move_modules(), before boot_memory_give(): chooses
 * dom0's memory (from 0 upwards, boot_options.dom0_mem of it) and
 * boot_memory_reserve()s it, so that no hypervisor allocation lies in it.
 */
void pvh_dom0_reserve(void);
/*
 * Makes dom0 from boot_info's modules, which it copies: memory, kernel,
 * initrd, ACPI, vcpus.  Vcpu 0 is ready to run, the domain not yet unpaused.
 * Panics with one line that says what is wrong.
 */
struct domain *pvh_dom0_create(void);
/*
 * May dom0 have an identity mapping of the page at 'gpa'?  Not of RAM, nor
 * of what we emulate or keep for ourselves.
 */
bool pvh_dom0_is_device(uint64_t gpa);

#endif
