/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads ELF-64 kernels (System V ABI, chapters 4 and 5): loadable segments
 * and the notes named "Xen" (elfnote.h).  Pure.
 *
 *  1. Every offset and size is checked against the image before use; nothing
 *     is read beyond 'size'.
 */
#include "lib/elf.h"
#include "lib/errno.h"
#include "lib/string.h"

#define TYPE_LOAD 1u
#define TYPE_NOTE 4u
#define MACHINE_X86_64 62u
#define NOTE_PHYS32_ENTRY 18u   /* elfnote.h: XEN_ELFNOTE_PHYS32_ENTRY */
#define NOTES_MAX 256

struct header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, ph_offset, sh_offset;
    uint32_t flags;
    uint16_t size, ph_size, ph_count, sh_size, sh_count, sh_names;
};

struct program_header {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, file_size, size, align;
};

struct note {
    uint32_t name_size, size, type;
};

static bool fits(uint64_t offset, uint64_t length, size_t size)
{
    return offset <= size && length <= size - offset;
}

static int add_segment(struct elf_image *out,
                       const struct program_header *ph, size_t size)
{
    if (ph->size == 0) {
        return 0;
    }
    if (!fits(ph->offset, ph->file_size, size) || ph->file_size > ph->size
        || ph->paddr + ph->size < ph->paddr) {
        return -EINVAL;
    }
    if (out->count == ELF_SEGMENTS) {
        return -E2BIG;
    }
    out->segment[out->count++] = (struct elf_segment){
        .address = ph->paddr, .offset = ph->offset,
        .file_size = ph->file_size, .size = ph->size,
    };
    return 0;
}

static uint64_t align4(uint64_t x)
{
    return (x + 3) & ~3ull;
}

static void take_note(struct elf_image *out, const struct note *n,
                      const uint8_t *name, const uint8_t *value)
{
    if (n->type != NOTE_PHYS32_ENTRY || n->name_size != 4
        || memcmp(name, "Xen", 4) != 0) {
        return;
    }
    if (n->size == 4 || n->size == 8) {
        out->entry = 0;
        memcpy(&out->entry, value, n->size);
        out->has_entry = true;
    }
}

static void read_notes(struct elf_image *out, const uint8_t *at,
                       uint64_t size)
{
    for (int i = 0; i < NOTES_MAX && size >= sizeof(struct note); i++) {
        struct note n;
        uint64_t length;

        memcpy(&n, at, sizeof(n));
        length = sizeof(n) + align4(n.name_size) + align4(n.size);
        if (length > size) {
            return;
        }
        take_note(out, &n, at + sizeof(n),
                  at + sizeof(n) + align4(n.name_size));
        at += length;
        size -= length;
    }
}

static bool is_kernel(const struct header *h, size_t size)
{
    static const uint8_t magic[6] = { 0x7f, 'E', 'L', 'F', 2, 1 };

    return memcmp(h->ident, magic, sizeof(magic)) == 0
           && h->machine == MACHINE_X86_64
           && h->ph_size == sizeof(struct program_header)
           && fits(h->ph_offset, (uint64_t)h->ph_count * h->ph_size, size);
}

int elf_parse(const void *data, size_t size, struct elf_image *out)
{
    const uint8_t *bytes = data;
    struct header h;

    *out = (struct elf_image){ 0 };
    if (size < sizeof(h)) {
        return -ENOEXEC;
    }
    memcpy(&h, bytes, sizeof(h));
    if (!is_kernel(&h, size)) {
        return -ENOEXEC;
    }
    for (unsigned int i = 0; i < h.ph_count; i++) {
        struct program_header ph;
        int rc = 0;

        memcpy(&ph, bytes + h.ph_offset + i * sizeof(ph), sizeof(ph));
        if (ph.type == TYPE_LOAD) {
            rc = add_segment(out, &ph, size);
        } else if (ph.type == TYPE_NOTE
                   && fits(ph.offset, ph.file_size, size)) {
            read_notes(out, bytes + ph.offset, ph.file_size);
        }
        if (rc != 0) {
            return rc;
        }
    }
    return out->count == 0 ? -ENOEXEC : 0;
}

/* The setup header's magic: Linux, Documentation/x86/boot. */
bool elf_is_bzimage(const void *data, size_t size)
{
    return size > 0x206 && memcmp((const char *)data + 0x202, "HdrS", 4) == 0;
}
