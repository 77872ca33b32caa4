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

/* A TSS would lead user mode around its kernel, as would other gates. */
START_TEST(system_descriptors_are_refused)
{
    for (uint64_t type = 0; type < 16; type++) {
        uint64_t d = 1ull << 47 | type << 40 | DPL3;
        uint64_t was = d;

        /* One of no kind is as good as none. */
        ck_assert_int_eq(descriptor_fix(&d), type == 0 || type == 12);
        ck_assert(type == 12 || d == was);
    }
}
END_TEST

#define GATE(selector) (0x0000ec0000000000ull | (uint64_t)(selector) << 16)

struct gate {
    uint16_t selector;
    bool is_good;
};

static const struct gate gates[] = {
    { 0, true }, { 0x10, true }, { 0xdff8, true }, { 0xdffb, true },
    { 0xe000, false }, { 0xe008, false }, { 0xe00b, false }, { 0xe023, false },
    { 0xe02b, false }, { 0xe030, false }, { 0xe033, true }, { 0xfff8, false },
    { 0x14, true }, { 0xe00c, true }, { 0xffff, true },
};

/* Nobody is at a CPL that gets through. */
START_TEST(call_gates_get_dpl_0)
{
    const struct gate *g = &gates[_i];
    uint64_t offset = 0x8123000000004567ull, d = GATE(g->selector) | offset;
    uint64_t was = d;

    ck_assert_int_eq(descriptor_fix(&d), g->is_good);
    ck_assert_uint_eq(d, g->is_good ? (was & ~DPL3) | 3ull << 16 : was);
    for (unsigned int bit = 32; bit < 40; bit++) {
        d = GATE(0x10) | 1ull << bit;
        ck_assert(!descriptor_fix(&d));
    }
}
END_TEST

/* What cannot be loaded needs no refusal. */
START_TEST(any_code_and_data_is_taken)
{
    for (uint64_t type = 0; type < 16; type++) {
        for (uint64_t high = 0; high < 16; high++) {
            uint64_t d = 0x0012900034567890ull | type << 40 | high << 52;
            uint64_t was = d;

            ck_assert(descriptor_fix(&d));
            ck_assert_uint_eq(d, was | DPL3);
        }
    }
}
END_TEST

START_TEST(segments_are_read)
{
    struct descriptor_view view;

    descriptor_read(0x12cffa3456789abcull, &view);
    ck_assert_uint_eq(view.base, 0x12345678);
    ck_assert_uint_eq(view.limit, 0xf9abcfff);
    ck_assert(view.is_present && !view.is_system && view.is_code
              && view.is_open && !view.is_long && view.is_32);
    descriptor_read(0x000f70000000ffffull, &view);
    ck_assert_uint_eq(view.base, 0);
    ck_assert_uint_eq(view.limit, 0xfffff);
    ck_assert(!view.is_present && !view.is_code && !view.is_open
              && !view.is_32);
    descriptor_read(CODE64, &view);
    ck_assert(view.is_long && !view.is_32);
    descriptor_read(0, &view);
    ck_assert(!view.is_present && view.is_system && view.limit == 0);
}
END_TEST

/* ---- instructions ---- */

struct sample {
    const char *bytes;
    size_t count;
    enum decode_mode mode;
    struct decode_insn want;
};

#define SAMPLE_OF(mode, text, ...) \
    { text, sizeof(text) - 1, mode, { __VA_ARGS__ } }
#define SAMPLE(text, ...) SAMPLE_OF(DECODE_64, text, __VA_ARGS__)

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
    SAMPLE("\x0f\x01\xf9", .kind = DECODE_RDTSCP, .length = 3),
    SAMPLE("\x0f\x0bxen\x0f\xa2", .kind = DECODE_CPUID, .is_forced = true,
           .length = 7),
    SAMPLE("\x0f\xa2", .kind = DECODE_CPUID, .length = 2),
    /* A REX counts only before the opcode, and the last one. */
    SAMPLE("\x41\x66\x0f\x22\xc0", .kind = DECODE_WRITE_CR, .length = 5),
    SAMPLE("\x48\x41\x0f\x22\xc0", .kind = DECODE_WRITE_CR, .reg = 8,
           .length = 5),
    SAMPLE("\x66\x48\xed", .kind = DECODE_IN, .size = 4, .length = 3),
    SAMPLE_OF(DECODE_16, "\xed", .kind = DECODE_IN, .size = 2, .length = 1),
    SAMPLE_OF(DECODE_16, "\x66\xed", .kind = DECODE_IN, .size = 4,
              .length = 2),
    SAMPLE_OF(DECODE_32, "\x66\xed", .kind = DECODE_IN, .size = 2,
              .length = 2),
    SAMPLE_OF(DECODE_32, "\x0f\x22\xc1", .kind = DECODE_WRITE_CR, .reg = 1,
              .length = 3),
};

/* INS and OUTS: .address_size, .segment and .is_repeated are looked at. */
static const struct sample strings[] = {
    SAMPLE("\x6c", .kind = DECODE_INS, .size = 1, .address_size = 8,
           .segment = DECODE_DS, .length = 1),
    SAMPLE("\xf3\x66\x6d", .kind = DECODE_INS, .size = 2, .address_size = 8,
           .segment = DECODE_DS, .is_repeated = true, .length = 3),
    SAMPLE("\xf2\x67\x6f", .kind = DECODE_OUTS, .size = 4,
           .address_size = 4, .segment = DECODE_DS, .is_repeated = true,
           .length = 3),
    SAMPLE("\x64\x6e", .kind = DECODE_OUTS, .size = 1, .address_size = 8,
           .segment = DECODE_FS, .length = 2),
    SAMPLE("\x65\x2e\x6e", .kind = DECODE_OUTS, .size = 1,
           .address_size = 8, .segment = DECODE_GS, .length = 3),
    SAMPLE("\x26\x48\x6f", .kind = DECODE_OUTS, .size = 4,
           .address_size = 8, .segment = DECODE_DS, .length = 3),
    SAMPLE_OF(DECODE_32, "\x36\x67\x6f", .kind = DECODE_OUTS, .size = 4,
              .address_size = 2, .segment = DECODE_SS, .length = 3),
    SAMPLE_OF(DECODE_32, "\x65\x26\x6e", .kind = DECODE_OUTS, .size = 1,
              .address_size = 4, .segment = DECODE_ES, .length = 3),
    SAMPLE_OF(DECODE_16, "\x2e\x67\xf3\x6f", .kind = DECODE_OUTS,
              .size = 2, .address_size = 4, .segment = DECODE_CS,
              .is_repeated = true, .length = 4),
    SAMPLE_OF(DECODE_16, "\x6d", .kind = DECODE_INS, .size = 2,
              .address_size = 2, .segment = DECODE_DS, .length = 1),
};

START_TEST(privileged_instructions_are_read)
{
    const struct sample *s = &samples[_i];
    struct decode_insn got;

    ck_assert(decode((const uint8_t *)s->bytes, s->count, s->mode, &got));
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

START_TEST(string_instructions_are_read)
{
    const struct sample *s = &strings[_i];
    struct decode_insn got;

    ck_assert(decode((const uint8_t *)s->bytes, s->count, s->mode, &got));
    ck_assert_int_eq(got.kind, s->want.kind);
    ck_assert_uint_eq(got.size, s->want.size);
    ck_assert_uint_eq(got.address_size, s->want.address_size);
    ck_assert_uint_eq(got.segment, s->want.segment);
    ck_assert_uint_eq(got.is_repeated, s->want.is_repeated);
    ck_assert_uint_eq(got.length, s->want.length);
}
END_TEST

static void check_cut(const struct sample *s)
{
    struct decode_insn got;

    for (size_t count = 0; count < s->count; count++) {
        ck_assert(!decode((const uint8_t *)s->bytes, count, s->mode, &got));
    }
}

START_TEST(a_cut_instruction_is_none)
{
    check_cut(&samples[_i]);
}
END_TEST

START_TEST(a_cut_string_instruction_is_none)
{
    check_cut(&strings[_i]);
}
END_TEST

/* There are 15 bytes at most, prefixes or not. */
START_TEST(only_prefixes_are_none)
{
    static const uint8_t prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
                                        0x66, 0x67, 0xf2, 0xf3, 0x48 };
    uint8_t bytes[DECODE_BYTES];
    struct decode_insn got;

    memset(bytes, prefixes[_i], sizeof(bytes));
    ck_assert(!decode(bytes, sizeof(bytes), DECODE_64, &got));
    bytes[DECODE_BYTES - 1] = 0x6c;
    ck_assert(decode(bytes, sizeof(bytes), DECODE_64, &got));
    ck_assert_uint_eq(got.length, DECODE_BYTES);
}
END_TEST

/* 40..4F are INC and DEC there. */
START_TEST(rex_is_of_64_bit_code_only)
{
    static const uint8_t bytes[] = { 0x48, 0x6c };
    struct decode_insn got;

    ck_assert(decode(bytes, sizeof(bytes), DECODE_64, &got));
    ck_assert(!decode(bytes, sizeof(bytes), DECODE_32, &got));
    ck_assert(!decode(bytes, sizeof(bytes), DECODE_16, &got));
}
END_TEST

START_TEST(other_instructions_are_none)
{
    static const char *const other[] = {
        "\x90\x90\x90", "\x0f\x05\x90", "\x0f\x0b\x90\x90\x90\x90",
        "\x0f\x01\xd9", "\x0f\x01\x3b", "\x0f\x08", "\x0f\x0bxen\x0f\x06",
        "\x0f\x0bxen\x66\x0f\xa2", "\x0f\x01\x1b", "\x48\x89\xc3",
        "\xcd\x80\x90", "\xf0\x6c", "\x6b\x6c",
    };
    struct decode_insn got;

    for (size_t i = 0; i < sizeof(other) / sizeof(other[0]); i++) {
        ck_assert(!decode((const uint8_t *)other[i], strlen(other[i]),
                          DECODE_64, &got));
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("pvkern");
    int count = sizeof(samples) / sizeof(samples[0]);
    int string_count = sizeof(strings) / sizeof(strings[0]);
    TCase *t = unit_case(s, "descriptors");

    tcase_add_test(t, code_and_data_get_dpl_3);
    tcase_add_test(t, what_is_not_present_stays);
    tcase_add_test(t, system_descriptors_are_refused);
    tcase_add_loop_test(t, call_gates_get_dpl_0, 0,
                        sizeof(gates) / sizeof(gates[0]));
    tcase_add_test(t, any_code_and_data_is_taken);
    tcase_add_test(t, segments_are_read);
    t = unit_case(s, "instructions");
    tcase_add_loop_test(t, privileged_instructions_are_read, 0, count);
    tcase_add_loop_test(t, a_cut_instruction_is_none, 0, count);
    tcase_add_loop_test(t, string_instructions_are_read, 0, string_count);
    tcase_add_loop_test(t, a_cut_string_instruction_is_none, 0, string_count);
    tcase_add_test(t, other_instructions_are_none);
    tcase_add_loop_test(t, only_prefixes_are_none, 0, 11);
    tcase_add_test(t, rex_is_of_64_bit_code_only);
    return s;
}

int main(void)
{
    return unit_run(suite());
}
