/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The hypervisor's address space (level 4 slots):
 *   256..383  all host RAM, writable, not executable (the direct map)
 *   384       devices and firmware tables, mapped on request
 *   511       the image, at -2 GiB + its physical address
 */
#ifndef X86_LAYOUT_H
#define X86_LAYOUT_H

#define IMAGE_BASE 0xffffffff80000000
#define DIRECT_BASE 0xffff800000000000
#define DEVICE_BASE 0xffffc00000000000
#define DEVICE_SIZE 0x0000000040000000

#define SELECTOR_CODE 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_TSS 0x18

/* Where CPUs start in real mode: a page below 1 MiB. */
#define TRAMPOLINE_BASE 0x8000

#define CPU_STACK_SIZE 32768

#endif
