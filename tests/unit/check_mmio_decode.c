/* SPDX-License-Identifier: GPL-2.0-only */
/* hvm/mmio_decode.c: forms, lengths, short input, arithmetic flags. */
#include <errno.h>

#include "hvm/mmio_decode.h"
#include "unit.h"

struct form {
    const char *bytes;
    uint8_t length, kind, size, reg;
};

/* From the assembler, as compilers emit them for readl, writel and so on. */
static const struct form forms[] = {
    { "\x8b\x07", 2, MMIO_READ, 4, 0 },             /* mov (%rdi),%eax */
    { "\x8b\x80\xb0\x00\x00\x00", 6, MMIO_READ, 4, 0 },
    { "\x44\x8b\x24\x25\x20\xd0\x5f\xff", 8, MMIO_READ, 4, 12 },
    { "\x89\x04\x25\xb0\xd0\x5f\xff", 7, MMIO_WRITE, 4, 0 },
    { "\x89\xb7\x00\xd0\x5f\xff", 6, MMIO_WRITE, 4, 6 },
    { "\x48\x8b\x07", 3, MMIO_READ, 8, 0 },
    { "\x66\x89\x11", 3, MMIO_WRITE, 2, 2 },
    { "\x88\x11", 2, MMIO_WRITE, 1, 2 },
    { "\x40\x88\x31", 3, MMIO_WRITE, 1, 6 },        /* sil */
    { "\x0f\xb6\x07", 3, MMIO_READ, 1, 0 },         /* movzbl */
    { "\x0f\xb7\x07", 3, MMIO_READ, 2, 0 },
    { "\x48\x0f\xbf\x07", 4, MMIO_READ, 2, 0 },
    { "\xc7\x04\x25\xb0\xd0\x5f\xff\x00\x00\x00\x00", 11, MMIO_WRITE, 4, 0 },
    { "\x87\x07", 2, MMIO_EXCHANGE, 4, 0 },
    { "\x83\x0f\x01", 3, MMIO_MODIFY, 4, 0 },       /* orl $1,(%rdi) */
    { "\x81\x27\xff\xff\xfe\xff", 6, MMIO_MODIFY, 4, 0 },
    { "\x09\x07", 2, MMIO_MODIFY, 4, 0 },
    { "\x23\x07", 2, MMIO_COMPARE, 4, 0 },          /* and (%rdi),%eax */
    { "\xf7\x07\x00\x10\x00\x00", 6, MMIO_COMPARE, 4, 0 },
    { "\xf6\x47\x01\x10", 4, MMIO_COMPARE, 1, 0 },
    { "\x85\x07", 2, MMIO_COMPARE, 4, 0 },
    { "\xf3\xab", 2, MMIO_STORE_STRING, 4, 0 },
    { "\xf3\x48\xa5", 3, MMIO_MOVE_STRING, 8, 0 },
    { "\x0f\xc3\x07", 3, MMIO_WRITE, 4, 0 },        /* movnti */
};

START_TEST(forms_of_kernels)
{
    const struct form *f = &forms[_i];
    struct mmio_insn insn;

    ck_assert_int_eq(mmio_decode((const uint8_t *)f->bytes, f->length,
                                 MMIO_MODE64, &insn), 0);
    ck_assert_uint_eq(insn.length, f->length);
    ck_assert_uint_eq(insn.kind, f->kind);
    ck_assert_uint_eq(insn.size, f->size);
    ck_assert_uint_eq(insn.reg, f->reg);
    for (size_t count = 0; count < f->length; count++) {
        ck_assert_int_eq(mmio_decode((const uint8_t *)f->bytes, count,
                                     MMIO_MODE64, &insn), -ENODATA);
    }
}
END_TEST

START_TEST(immediates_are_sign_extended)
{
    struct mmio_insn insn;

    ck_assert_int_eq(mmio_decode((const uint8_t *)"\x48\xc7\x07\xff\xff\xff"
                                 "\xff", 7, MMIO_MODE64, &insn), 0);
    ck_assert_uint_eq(insn.size, 8);
    ck_assert_uint_eq(insn.immediate, ~0ull);
    ck_assert_int_eq(mmio_decode((const uint8_t *)"\x83\x27\xfe", 3,
                                 MMIO_MODE64, &insn), 0);
    ck_assert_uint_eq(insn.immediate, ~1ull);
    ck_assert_uint_eq(insn.op, MMIO_AND);
}
END_TEST

START_TEST(high_byte_registers)
{
    struct mmio_insn insn;

    ck_assert_int_eq(mmio_decode((const uint8_t *)"\x88\x21", 2, MMIO_MODE64,
                                 &insn), 0);            /* mov %ah,(%rcx) */
    ck_assert(insn.is_high_byte);
    ck_assert_uint_eq(insn.reg, 0);
}
END_TEST

START_TEST(other_modes)
{
    struct mmio_insn insn;

    /* 16-bit addressing has no SIB: mov 0x10(%si),%ax. */
    ck_assert_int_eq(mmio_decode((const uint8_t *)"\x8b\x44\x10", 3,
                                 MMIO_MODE16, &insn), 0);
    ck_assert_uint_eq(insn.length, 3);
    ck_assert_uint_eq(insn.size, 2);
    /* In 32-bit code 0x48 is DEC, not REX. */
    ck_assert_int_eq(mmio_decode((const uint8_t *)"\x48\x8b\x07", 3,
                                 MMIO_MODE32, &insn), -EINVAL);
}
END_TEST

START_TEST(refuses_what_cannot_fault)
{
    struct mmio_insn insn;

    ck_assert_int_eq(mmio_decode((const uint8_t *)"\x8b\xc3", 2, MMIO_MODE64,
                                 &insn), -EINVAL);      /* mov %ebx,%eax */
    ck_assert_int_eq(mmio_decode((const uint8_t *)"\x90", 1, MMIO_MODE64,
                                 &insn), -EINVAL);
    ck_assert_int_eq(mmio_decode((const uint8_t *)"\x66\x66\x66\x66\x66\x66"
                                 "\x66\x66\x66\x66\x66\x66\x66\x66\x66", 15,
                                 MMIO_MODE64, &insn), -EINVAL);
}
END_TEST

/* The same on the CPU that runs the test. */
static uint64_t real_flags(unsigned int op, uint32_t dst, uint32_t src,
                           uint32_t *result)
{
    uint64_t flags;

    switch (op) {
    case MMIO_ADD:
        __asm__("addl %3, %1; pushf; pop %0"
                : "=r" (flags), "=r" (*result) : "1" (dst), "r" (src));
        break;
    case MMIO_SUB:
        __asm__("subl %3, %1; pushf; pop %0"
                : "=r" (flags), "=r" (*result) : "1" (dst), "r" (src));
        break;
    case MMIO_AND:
        __asm__("andl %3, %1; pushf; pop %0"
                : "=r" (flags), "=r" (*result) : "1" (dst), "r" (src));
        break;
    default:
        __asm__("xorl %3, %1; pushf; pop %0"
                : "=r" (flags), "=r" (*result) : "1" (dst), "r" (src));
        break;
    }
    return flags;
}

START_TEST(flags_are_the_cpus)
{
    static const uint32_t value[] = { 0, 1, 0xf, 0x10, 0x7fffffff,
                                      0x80000000, 0xffffffff, 0x12345678 };
    static const unsigned int ops[] = { MMIO_ADD, MMIO_SUB, MMIO_AND,
                                        MMIO_XOR };

    for (unsigned int o = 0; o < 4; o++) {
        for (unsigned int i = 0; i < 64; i++) {
            uint32_t dst = value[i / 8], src = value[i % 8], expected;
            uint64_t mask = o < 2 ? 0x8d5 : 0x8c5;  /* AF undefined */
            uint64_t want = real_flags(ops[o], dst, src, &expected);
            uint64_t flags = 0;

            ck_assert_uint_eq(mmio_compute(ops[o], 4, dst, src, &flags),
                              expected);
            ck_assert_uint_eq(flags & mask, want & mask);
        }
    }
}
END_TEST

START_TEST(carry_is_used_and_compare_keeps)
{
    uint64_t flags = 1;

    ck_assert_uint_eq(mmio_compute(MMIO_ADC, 1, 0xff, 0, &flags), 0);
    ck_assert_uint_eq(flags & 0x41, 0x41);
    ck_assert_uint_eq(mmio_compute(MMIO_CMP, 2, 5, 5, &flags), 5);
    ck_assert_uint_eq(flags & 0x41, 0x40);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("mmio_decode");
    TCase *tcase = unit_case(suite, "decode");

    tcase_add_loop_test(tcase, forms_of_kernels, 0,
                        sizeof(forms) / sizeof(forms[0]));
    tcase_add_test(tcase, immediates_are_sign_extended);
    tcase_add_test(tcase, high_byte_registers);
    tcase_add_test(tcase, other_modes);
    tcase_add_test(tcase, refuses_what_cannot_fault);
    tcase_add_test(tcase, flags_are_the_cpus);
    tcase_add_test(tcase, carry_is_used_and_compare_keeps);
    return unit_run(suite);
}
