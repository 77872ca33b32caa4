/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Multiboot 1 information (the GNU Multiboot specification 0.6.96, 3.3) to
 * struct boot_info. Runs on the boot tables, before everything else.
 * 1. Counts and strings are bounded here; the rest trusts them.
 */
#include "boot/boot.h"
#include "core/console.h"
#include "lib/minmax.h"
#include "lib/string.h"
#include "mmu.h"

#define FLAG_COMMAND_LINE (1u << 2)
#define FLAG_MODULES (1u << 3)
#define FLAG_MEMORY_MAP (1u << 6)

struct multiboot {
    uint32_t flags, mem_lower, mem_upper, boot_device, command_line;
    uint32_t modules_count, modules, symbols[4];
    uint32_t map_length, map;
};

struct multiboot_module {
    uint32_t start, end, text, reserved;
};

struct multiboot_range {
    uint32_t size;              /* of what follows */
    uint64_t start, length;
    uint32_t type;
} __attribute__((packed));

struct boot_info boot_info;

/* The text after the first word (the file's name). */
static void copy_arguments(char *to, uint32_t text)
{
    const char *s = mmu_direct(text);

    while (*s != '\0' && *s != ' ') {
        s++;
    }
    while (*s == ' ') {
        s++;
    }
    string_copy(to, s, BOOT_TEXT);
}

static void copy_map(const struct multiboot *info)
{
    uint32_t offset = 0;

    while (offset + sizeof(struct multiboot_range) <= info->map_length
           && boot_info.range_count < BOOT_RANGES) {
        const struct multiboot_range *range
            = mmu_direct((uint64_t)info->map + offset);

        boot_info.range[boot_info.range_count++] = (struct boot_range){
            .start = range->start, .size = range->length,
            .type = range->type,
        };
        offset += range->size + sizeof(range->size);
    }
}

static void copy_modules(const struct multiboot *info)
{
    const struct multiboot_module *module = mmu_direct(info->modules);

    boot_info.module_count = min(info->modules_count, (uint32_t)BOOT_MODULES);
    for (unsigned int i = 0; i < boot_info.module_count; i++) {
        boot_info.module[i].start = module[i].start;
        boot_info.module[i].size = module[i].end - module[i].start;
        copy_arguments(boot_info.module[i].args, module[i].text);
    }
}

void boot_multiboot_parse(uint64_t address)
{
    const struct multiboot *info = mmu_direct(address);

    if (info->flags & FLAG_COMMAND_LINE) {
        copy_arguments(boot_info.command_line, info->command_line);
    }
    if (info->flags & FLAG_MEMORY_MAP) {
        copy_map(info);
    }
    if (info->flags & FLAG_MODULES) {
        copy_modules(info);
    }
}
