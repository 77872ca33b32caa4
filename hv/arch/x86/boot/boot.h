/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the loader gave us: memory map, modules, options; and memory before
 * the allocator lives. Everything is copied out of the loader's structures.
 */
#ifndef BOOT_BOOT_H
#define BOOT_BOOT_H

#include "core/types.h"

#define BOOT_RANGES 128
#define BOOT_MODULES 2
#define BOOT_TEXT 2048

#define BOOT_RAM 1u             /* e820 types */
#define BOOT_RESERVED 2u
#define BOOT_ACPI 3u
#define BOOT_NVS 4u

struct boot_range {
    uint64_t start, size;
    uint32_t type;
};

struct boot_module {
    uint64_t start;             /* physical, page aligned */
    size_t size;
    char args[BOOT_TEXT];       /* without the file's name */
};

struct boot_info {
    char command_line[BOOT_TEXT]; /* without the image's name */
    unsigned int range_count;
    struct boot_range range[BOOT_RANGES]; /* as the loader gave them */
    unsigned int module_count;  /* 0 dom0's kernel, 1 its initrd */
    struct boot_module module[BOOT_MODULES];
};

struct boot_options {
    uint64_t dom0_mem;          /* bytes, 0: not given */
    unsigned int dom0_max_vcpus; /* 0: not given */
    bool has_sched_cpus;
    uint32_t sched_first, sched_last; /* CPUs that run vcpus */
    bool noreboot;
    bool has_com1;
    uint32_t com1_baud;
    bool console_com1;
};

/* [I] after boot */
extern struct boot_info boot_info;
extern struct boot_options boot_options;

/* Copies the Multiboot information at physical address info. */
void boot_multiboot_parse(uint64_t info);
/* Reads boot_info.command_line; complaints wait for boot_options_report. */
void boot_options_parse(void);
/* Names the options that are unknown or wrong on the console. */
void boot_options_report(void);

/* Keeps [start, start + size) from boot_memory_alloc and the allocator. */
void boot_memory_reserve(uint64_t start, uint64_t size);
/*
 * Zeroed pages from the top of RAM that lies below limit (0: anywhere);
 * panics when there is none. Physical address.
 */
uint64_t boot_memory_alloc(uint64_t pages, uint64_t limit);
/*
 * The first RAM at or above *start (in the loader's order, which is by
 * address) that is not reserved, whole pages; false when there is none.
 */
bool boot_memory_next_free(uint64_t *start, uint64_t *end);
/* End of the highest RAM range. */
uint64_t boot_memory_end(void);
/* Reserves where the loader put the modules; before any allocation. */
void boot_memory_reserve_modules(void);
/* Moves the modules to the top of memory, so that low RAM is dom0's. */
void boot_memory_move_modules(void);
/* Starts page_alloc with all that is not reserved. */
void boot_memory_give(void);
/* Gives the modules' pages to page_alloc; after dom0 was built. */
void boot_memory_free_modules(void);

#endif
