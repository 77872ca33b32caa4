/* SPDX-License-Identifier: GPL-2.0-only */
/* The pure parts of the PV personality: descriptors and instructions. */
#include <string.h>

#include "pvkern/decode.h"
#include "pvkern/descriptor.h"
#include "unit.h"

/* ---- descriptors ---- */

#define CODE64 0x00af9b000000ffffull
#define DATA 0x00cf93000000ffffull
#define DPL3 (3ull << 45)

START_TEST(code_and_data_get_dpl_3)
{
    uint64_t d = CODE64;

    ck_assert(descriptor_fix(&d));
    ck_assert_uint_eq(d, CODE64 | DPL3);
    d = DATA;
    ck_assert(descriptor_fix(&d));
    ck_assert_uint_eq(d, DATA | DPL3);
    d = DATA | 1ull << 45;
    ck_assert(descriptor_fix(&d));
    ck_assert_uint_eq(d, DATA | DPL3);
}
END_TEST

START_TEST(what_is_not_present_stays)
{
    uint64_t d = CODE64 & ~(1ull << 47);
    uint64_t was = d;

    ck_assert(descriptor_fix(&d));
    ck_assert_uint_eq(d, was);
    d = 0;
    ck_assert(descriptor_fix(&d));
    ck_assert_uint_eq(d, 0);
}
END_TEST

/* A gate or a TSS would lead user mode around its kernel. */
START_TEST(system_descriptors_are_refused)
{
    for (uint64_t type = 0; type < 16; type++) {
        uint64_t d = 1ull << 47 | type << 40 | DPL3;

        /* One of no kind is as good as none. */
        ck_assert_int_eq(descriptor_fix(&d), type == 0);
    }
}
END_TEST

START_TEST(conforming_code_and_l_with_d_are_refused)
{
    uint64_t d = CODE64 | 1ull << 42;

    ck_assert(!descriptor_fix(&d));
    d = CODE64 | 1ull << 54;
    ck_assert(!descriptor_fix(&d));
    d = DATA | 1ull << 42;          /* grows down: harmless */
    ck_assert(descriptor_fix(&d));
}
END_TEST

/* ---- instructions ---- */

struct sample {
    const char *bytes;
    size_t count;
    struct decode_insn want;
};

#define SAMPLE(text, ...) { text, sizeof(text) - 1, { __VA_ARGS__ } }

static const struct sample samples[] = {
    SAMPLE("\x0f\x20\xc0", .kind = DECODE_READ_CR, .reg = 0, .number = 0,
           .length = 3),
    SAMPLE("\x0f\x20\xd8", .kind = DECODE_READ_CR, .reg = 0, .number = 3,
           .length = 3),
    SAMPLE("\x41\x0f\x22\xe7", .kind = DECODE_WRITE_CR, .reg = 15,
           .number = 4, .length = 4),
    SAMPLE("\x44\x0f\x20\xc0", .kind = DECODE_READ_CR, .reg = 0, .number = 8,
           .length = 4),
    SAMPLE("\x0f\x21\xf8", .kind = DECODE_READ_DR, .reg = 0, .number = 7,
           .length = 3),
    SAMPLE("\x0f\x23\xf9", .kind = DECODE_WRITE_DR, .reg = 1, .number = 7,
           .length = 3),
    SAMPLE("\x0f\x06", .kind = DECODE_CLTS, .length = 2),
    SAMPLE("\x0f\x30", .kind = DECODE_WRMSR, .length = 2),
    SAMPLE("\x0f\x32", .kind = DECODE_RDMSR, .length = 2),
    SAMPLE("\x0f\x33", .kind = DECODE_RDPMC, .length = 2),
    SAMPLE("\x0f\x09", .kind = DECODE_NOTHING, .length = 2),
    SAMPLE("\xfa", .kind = DECODE_FLAG, .length = 1),
    SAMPLE("\xf4", .kind = DECODE_HLT, .length = 1),
    SAMPLE("\xec", .kind = DECODE_IN, .size = 1, .length = 1),
    SAMPLE("\x66\xef", .kind = DECODE_OUT, .size = 2, .length = 2),
    SAMPLE("\xe6\x80", .kind = DECODE_OUT, .size = 1, .has_port = true,
           .port = 0x80, .length = 2),
    SAMPLE("\xed", .kind = DECODE_IN, .size = 4, .length = 1),
    SAMPLE("\x0f\x01\xd1", .kind = DECODE_XSETBV, .length = 3),
    SAMPLE("\x0f\x31", .kind = DECODE_RDTSC, .length = 2),
    SAMPLE("\x0f\x0bxen\x0f\xa2", .kind = DECODE_CPUID, .is_forced = true,
           .length = 7),
    SAMPLE("\x0f\xa2", .kind = DECODE_CPUID, .length = 2),
};

START_TEST(privileged_instructions_are_read)
{
    const struct sample *s = &samples[_i];
    struct decode_insn got;

    ck_assert(decode((const uint8_t *)s->bytes, s->count, &got));
    ck_assert_int_eq(got.kind, s->want.kind);
    ck_assert_uint_eq(got.reg, s->want.reg);
    ck_assert_uint_eq(got.number, s->want.number);
    ck_assert_uint_eq(got.size, s->want.size);
    ck_assert_uint_eq(got.has_port, s->want.has_port);
    ck_assert_uint_eq(got.port, s->want.port);
    ck_assert_uint_eq(got.is_forced, s->want.is_forced);
    ck_assert_uint_eq(got.length, s->want.length);
}
END_TEST

START_TEST(a_cut_instruction_is_none)
{
    const struct sample *s = &samples[_i];
    struct decode_insn got;

    for (size_t count = 0; count < s->count; count++) {
        ck_assert(!decode((const uint8_t *)s->bytes, count, &got));
    }
}
END_TEST

START_TEST(other_instructions_are_none)
{
    static const char *const other[] = {
        "\x90\x90\x90", "\x0f\x05\x90", "\x0f\x0b\x90\x90\x90\x90",
        "\x0f\x01\xd9", "\x0f\x01\x3b", "\x0f\x08", "\x0f\x0bxen\x0f\x06",
        "\x0f\x0bxen\x66\x0f\xa2", "\x0f\x01\x1b", "\x48\x89\xc3",
        "\xcd\x80\x90",
    };
    struct decode_insn got;

    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        ck_assert(!decode((const uint8_t *)other[i], strlen(other[i]),
                          &got));
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("pvkern");
    int count = sizeof(samples) / sizeof(samples[0]);
    TCase *t = unit_case(s, "descriptors");

    tcase_add_test(t, code_and_data_get_dpl_3);
    tcase_add_test(t, what_is_not_present_stays);
    tcase_add_test(t, system_descriptors_are_refused);
    tcase_add_test(t, conforming_code_and_l_with_d_are_refused);
    t = unit_case(s, "instructions");
    tcase_add_loop_test(t, privileged_instructions_are_read, 0, count);
    tcase_add_loop_test(t, a_cut_instruction_is_none, 0, count);
    tcase_add_test(t, other_instructions_are_none);
    return s;
}

int main(void)
{
    return unit_run(suite());
}
