/* SPDX-License-Identifier: GPL-2.0-only */
/* Any bytes behind a plausible header as a kernel: nothing read outside. */
#include <elf.h>

#include "fuzz.h"
#include "hv/lib/elf.h"

static void make_plausible(uint8_t *bytes, size_t size)
{
    Elf64_Ehdr h;

    if (size < sizeof(h)) {
        return;
    }
    memcpy(&h, bytes, sizeof(h));
    memcpy(h.e_ident, "\x7f" "ELF\2\1", 6);
    h.e_machine = EM_X86_64;
    h.e_phentsize = sizeof(Elf64_Phdr);
    h.e_phoff %= size;
    h.e_phnum %= 8;
    memcpy(bytes, &h, sizeof(h));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint8_t *bytes = malloc(size == 0 ? 1 : size);
    struct elf_image image;

    fuzz_require(bytes != NULL, "memory");
    memcpy(bytes, data, size);
    if (size > 0 && (data[size - 1] & 7) != 0) {
        make_plausible(bytes, size);
    }
    if (elf_parse(bytes, size, &image) == 0) {
        fuzz_require(image.count > 0 && image.count <= ELF_SEGMENTS,
                     "count");
        for (unsigned int i = 0; i < image.count; i++) {
            const struct elf_segment *s = &image.segment[i];

            fuzz_require(s->offset <= size
                         && s->file_size <= size - s->offset
                         && s->file_size <= s->size, "segment");
        }
    }
    (void)elf_is_bzimage(bytes, size);
    free(bytes);
    return 0;
}
