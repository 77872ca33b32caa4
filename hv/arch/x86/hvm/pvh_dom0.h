/* SPDX-License-Identifier: GPL-2.0-only */
/* The boot domain. */
#ifndef HVM_PVH_DOM0_H
#define HVM_PVH_DOM0_H

#include "core/types.h"

struct e820;

/*
 * Before page_alloc_add(): 'free' is the RAM without the image and the
 * hypervisor's own boot allocations; takes dom0's memory (from 0 upwards)
 * and, moved to its end, the modules out of it.  What is left in 'free' is
 * for page_alloc_add().  Needs the direct map; reads and updates boot_info.
 */
void pvh_dom0_reserve(struct e820 *free);
/*
 * Makes dom0 from boot_info's modules: memory, kernel, initrd, ACPI, vcpus.
 * Vcpu 0 is ready to run, the domain not yet unpaused.  Panics with one line that says what is wrong.
 */
struct domain *pvh_dom0_create(void);

#endif
