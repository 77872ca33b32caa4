/* SPDX-License-Identifier: GPL-2.0-only */
/* What the boot loader told us, copied before its memory is reused. */
#ifndef X86_BOOT_INFO_H
#define X86_BOOT_INFO_H

#include "core/types.h"
#include "e820.h"

#define BOOT_MODULES 4
#define BOOT_CMDLINE 2048

struct boot_module {
    uint64_t start, size;           /* bytes */
    char cmdline[BOOT_CMDLINE];     /* without the file's name */
};

struct boot_info {
    char cmdline[BOOT_CMDLINE];     /* without the image's name */
    unsigned int module_count;
    struct boot_module module[BOOT_MODULES];    /* kernel, initrd */
    struct e820 e820;               /* through e820_sanitise() */
    /* Physical memory that the hypervisor keeps: image and heap at boot. */
    uint64_t image_start, image_end;
    /* Options, parsed: 0 means not given. */
    uint64_t dom0_mem;              /* bytes */
    unsigned int dom0_max_vcpus;
    uint16_t uart_port;             /* the console's, 0: none */
};

extern struct boot_info boot_info;

#endif
