/* SPDX-License-Identifier: GPL-2.0-only */
/* Reads a 64-bit ELF kernel: what to load where, and its Xen notes. */
#ifndef LIB_ELF_H
#define LIB_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ELF_SEGMENTS 16

struct elf_segment {
    uint64_t address;           /* physical */
    uint64_t offset;            /* in the image */
    uint64_t file_size, size;   /* bytes: from the image, in memory */
};

struct elf_image {
    unsigned int count;
    struct elf_segment segment[ELF_SEGMENTS];
    bool has_entry;
    uint64_t entry;             /* XEN_ELFNOTE_PHYS32_ENTRY */
};

/*
 * 0; -ENOEXEC (no x86-64 ELF executable), -EINVAL (damaged), -E2BIG (more
 * segments than we take).
 */
int elf_parse(const void *data, size_t size, struct elf_image *out);
/* Is it a Linux bzImage? */
bool elf_is_bzimage(const void *data, size_t size);

#endif
