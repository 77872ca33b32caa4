/* SPDX-License-Identifier: GPL-2.0-only */
/* lib/elf.c: a small kernel made here, then damaged. */
#include <elf.h>
#include <errno.h>
#include <string.h>

#include "hv/lib/elf.h"
#include "unit.h"

static struct {
    Elf64_Ehdr header;
    Elf64_Phdr segment[2];
    struct {
        Elf64_Nhdr head;
        char name[4];
        uint32_t value;
    } note;
    char code[64];
} file;

static struct elf_image image;

static int parse(size_t size)
{
    return elf_parse(&file, size, &image);
}

static void setup(void)
{
    memset(&file, 0, sizeof(file));
    memcpy(file.header.e_ident, "\x7f" "ELF\2\1\1", 7);
    file.header.e_machine = EM_X86_64;
    file.header.e_phoff = sizeof(file.header);
    file.header.e_phentsize = sizeof(file.segment[0]);
    file.header.e_phnum = 2;
    file.segment[0] = (Elf64_Phdr){
        .p_type = PT_LOAD, .p_paddr = 0x1000000, .p_memsz = 4096,
        .p_offset = (char *)file.code - (char *)&file,
        .p_filesz = sizeof(file.code),
    };
    file.segment[1] = (Elf64_Phdr){
        .p_type = PT_NOTE, .p_filesz = sizeof(file.note),
        .p_offset = (char *)&file.note - (char *)&file,
    };
    file.note.head = (Elf64_Nhdr){ 4, 4, 18 };
    memcpy(file.note.name, "Xen", 4);
    file.note.value = 0x1000100;
}

START_TEST(small_kernel)
{
    ck_assert_int_eq(parse(sizeof(file)), 0);
    ck_assert_uint_eq(image.count, 1);
    ck_assert_uint_eq(image.segment[0].address, 0x1000000);
    ck_assert_uint_eq(image.segment[0].file_size, 64);
    ck_assert(image.has_entry);
    ck_assert_uint_eq(image.entry, 0x1000100);
}
END_TEST

START_TEST(truncated)
{
    size_t end = (size_t)(file.code - (char *)&file) + sizeof(file.code);

    for (size_t size = 0; size < end; size++) {
        ck_assert_int_ne(parse(size), 0);
    }
}
END_TEST

START_TEST(segments_outside)
{
    file.segment[0].p_offset = ~0ull;
    ck_assert_int_eq(parse(sizeof(file)), -EINVAL);
    setup();
    file.segment[0].p_filesz = 4097;
    ck_assert_int_eq(parse(sizeof(file)), -EINVAL);
    setup();
    file.segment[0].p_paddr = ~0ull;
    ck_assert_int_eq(parse(sizeof(file)), -EINVAL);
}
END_TEST

START_TEST(other_notes)
{
    file.note.head.n_descsz = 0xffffffff;
    ck_assert_int_eq(parse(sizeof(file)), 0);
    ck_assert(!image.has_entry);
    setup();
    file.note.name[0] = 'G';
    ck_assert_int_eq(parse(sizeof(file)), 0);
    ck_assert(!image.has_entry);
}
END_TEST

START_TEST(not_a_kernel)
{
    file.header.e_machine = EM_386;
    ck_assert_int_eq(parse(sizeof(file)), -ENOEXEC);
    setup();
    file.header.e_phnum = 0xffff;
    ck_assert_int_eq(parse(sizeof(file)), -ENOEXEC);
    ck_assert(!elf_is_bzimage(&file, sizeof(file)));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("elf");
    TCase *tcase = unit_case(suite, "elf");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, small_kernel);
    tcase_add_test(tcase, truncated);
    tcase_add_test(tcase, segments_outside);
    tcase_add_test(tcase, other_notes);
    tcase_add_test(tcase, not_a_kernel);
    return unit_run(suite);
}
