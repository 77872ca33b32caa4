/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decodes the instructions that a PV kernel may execute at CPL 3 although
 * they need CPL 0 (APM vol. 3), with or without Xen's forced emulation
 * prefix.  64-bit code only.
 *
 *  1. Never looks behind bytes[count - 1].
 */
#include "pvkern/decode.h"

#define PREFIX_SIZE16 0x66
#define PREFIX_REP 0xf3
#define PREFIX_REPNE 0xf2
#define REX_W 8u
#define REX_R 4u
#define REX_B 1u

struct cursor {
    const uint8_t *at, *end;
};

static bool next(struct cursor *c, uint8_t *byte)
{
    if (c->at == c->end) {
        return false;
    }
    *byte = *c->at++;
    return true;
}

static bool is_force_prefix(const uint8_t *bytes, size_t count)
{
    static const uint8_t prefix[DECODE_FORCE_SIZE] = { 0x0f, 0x0b, 'x', 'e',
                                                       'n' };

    for (size_t i = 0; i < sizeof(prefix); i++) {
        if (i >= count || bytes[i] != prefix[i]) {
            return false;
        }
    }
    return true;
}

/* MOV to and from control and debug registers: mod is ignored. */
static bool move(struct cursor *c, uint8_t opcode, uint8_t rex,
                 struct decode_insn *out)
{
    static const uint8_t kinds[] = { DECODE_READ_CR, DECODE_READ_DR,
                                     DECODE_WRITE_CR, DECODE_WRITE_DR };
    uint8_t modrm;

    if (!next(c, &modrm)) {
        return false;
    }
    out->kind = kinds[opcode & 3];
    out->reg = (uint8_t)((modrm & 7) | (rex & REX_B ? 8 : 0));
    out->number = (uint8_t)((modrm >> 3 & 7) | (rex & REX_R ? 8 : 0));
    return true;
}

/* 0F 01: XSETBV. */
static bool group7(struct cursor *c, struct decode_insn *out)
{
    uint8_t modrm;

    if (!next(c, &modrm) || modrm != 0xd1) {
        return false;
    }
    out->kind = DECODE_XSETBV;
    return true;
}

static bool two_byte(struct cursor *c, uint8_t rex, struct decode_insn *out)
{
    uint8_t opcode;

    if (!next(c, &opcode)) {
        return false;
    }
    switch (opcode) {
    case 0x01:
        return group7(c, out);
    case 0x06:
        out->kind = DECODE_CLTS;
        return true;
    case 0x09:
        out->kind = DECODE_NOTHING;
        return true;
    case 0x20 ... 0x23:
        return move(c, opcode, rex, out);
    case 0x30:
        out->kind = DECODE_WRMSR;
        return true;
    case 0x31:
        out->kind = DECODE_RDTSC;
        return true;
    case 0x32:
        out->kind = DECODE_RDMSR;
        return true;
    case 0x33:
        out->kind = DECODE_RDPMC;
        return true;
    case 0xa2:
        out->kind = DECODE_CPUID;
        return true;
    default:
        return false;
    }
}

static bool input_output(struct cursor *c, uint8_t opcode, bool size16,
                         struct decode_insn *out)
{
    out->kind = opcode & 2 ? DECODE_OUT : DECODE_IN;
    out->size = !(opcode & 1) ? 1 : size16 ? 2 : 4;
    out->has_port = !(opcode & 8);
    return !out->has_port || next(c, &out->port);
}

static bool one_byte(struct cursor *c, uint8_t opcode, bool size16,
                     struct decode_insn *out)
{
    switch (opcode) {
    case 0xe4 ... 0xe7:
    case 0xec ... 0xef:
        return input_output(c, opcode, size16, out);
    case 0xf4:
        out->kind = DECODE_HLT;
        return true;
    case 0xfa:
    case 0xfb:
        out->kind = DECODE_FLAG;
        return true;
    default:
        return false;
    }
}

bool decode(const uint8_t *bytes, size_t count, struct decode_insn *out)
{
    struct cursor c = { bytes, bytes + count };
    bool size16 = false;
    uint8_t byte, rex = 0;
    bool known;

    *out = (struct decode_insn){ 0 };
    if (is_force_prefix(bytes, count)) {
        out->is_forced = true;
        c.at += DECODE_FORCE_SIZE;
    }
    do {
        if (!next(&c, &byte)) {
            return false;
        }
        size16 = size16 || byte == PREFIX_SIZE16;
    } while (byte == PREFIX_SIZE16 || byte == PREFIX_REP
             || byte == PREFIX_REPNE);
    if ((byte & 0xf0) == 0x40) {
        rex = byte;
        if (!next(&c, &byte)) {
            return false;
        }
    }
    known = byte == 0x0f ? two_byte(&c, rex, out)
                         : one_byte(&c, byte, size16 && !(rex & REX_W), out);
    out->length = (uint8_t)(c.at - bytes);
    /* The prefix is for CPUID, with no other between. */
    return known && (!out->is_forced
                     || (out->kind == DECODE_CPUID
                         && out->length == DECODE_FORCE_SIZE + 2));
}
