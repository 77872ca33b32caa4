/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decodes the instructions that a PV kernel may execute at CPL 3 although
 * they need CPL 0 (APM vol. 3), with or without Xen's forced emulation
 * prefix, in code of 16, 32 and 64 bits.
 *
 *  1. Never looks behind bytes[count - 1].
 *  2. A prefix behind a REX takes its effect, as in the CPU (APM vol. 3,
 *     1.2.7): the last one before the opcode counts.
 */
#include "pvkern/decode.h"

#define REX_W 8u
#define REX_R 4u
#define REX_B 1u

struct cursor {
    const uint8_t *at, *end;
    enum decode_mode mode;
    uint8_t rex;
    bool other_size;            /* 66 */
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
static bool move(struct cursor *c, uint8_t opcode, struct decode_insn *out)
{
    static const uint8_t kinds[] = { DECODE_READ_CR, DECODE_READ_DR,
                                     DECODE_WRITE_CR, DECODE_WRITE_DR };
    uint8_t modrm;

    if (!next(c, &modrm)) {
        return false;
    }
    out->kind = kinds[opcode & 3];
    out->reg = (uint8_t)((modrm & 7) | (c->rex & REX_B ? 8 : 0));
    out->number = (uint8_t)((modrm >> 3 & 7) | (c->rex & REX_R ? 8 : 0));
    return true;
}

/* 0F 01: XSETBV, RDTSCP. */
static bool group7(struct cursor *c, struct decode_insn *out)
{
    uint8_t modrm;

    if (!next(c, &modrm)) {
        return false;
    }
    switch (modrm) {
    case 0xd1:
        out->kind = DECODE_XSETBV;
        return true;
    case 0xf9:
        out->kind = DECODE_RDTSCP;
        return true;
    default:
        return false;
    }
}

static bool two_byte(struct cursor *c, struct decode_insn *out)
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
        return move(c, opcode, out);
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

/* Of a port access: there is none of 8 bytes. */
static uint8_t port_size(const struct cursor *c, uint8_t opcode)
{
    bool is_16 = c->other_size != (c->mode == DECODE_16);

    return !(opcode & 1) ? 1 : is_16 && !(c->rex & REX_W) ? 2 : 4;
}

static bool one_byte(struct cursor *c, uint8_t opcode, struct decode_insn *out)
{
    switch (opcode) {
    case 0x6c ... 0x6f:
        out->kind = opcode & 2 ? DECODE_OUTS : DECODE_INS;
        out->size = port_size(c, opcode);
        return true;
    case 0xe4 ... 0xe7:
    case 0xec ... 0xef:
        out->kind = opcode & 2 ? DECODE_OUT : DECODE_IN;
        out->size = port_size(c, opcode);
        out->has_port = !(opcode & 8);
        return !out->has_port || next(c, &out->port);
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

static bool is_rex(const struct cursor *c, uint8_t byte)
{
    return c->mode == DECODE_64 && (byte & 0xf0) == 0x40;
}

/* Of a segment other than DS; 64-bit code has only FS and GS. */
static void override(const struct cursor *c, unsigned int segment,
                     struct decode_insn *out)
{
    if (c->mode != DECODE_64 || segment >= DECODE_FS) {
        out->segment = (uint8_t)segment;
    }
}

/* Other than REX.  False: 'byte' is none. */
static bool prefix(struct cursor *c, uint8_t byte, struct decode_insn *out)
{
    switch (byte) {
    case 0x26:                          /* ES, CS, SS, DS */
    case 0x2e:
    case 0x36:
    case 0x3e:
        override(c, byte >> 3 & 3, out);
        return true;
    case 0x64:
    case 0x65:
        override(c, byte == 0x64 ? DECODE_FS : DECODE_GS, out);
        return true;
    case 0x66:
        c->other_size = true;
        return true;
    case 0x67:
        out->address_size = c->mode == DECODE_32 ? 2 : 4;
        return true;
    case 0xf2:
    case 0xf3:
        out->is_repeated = true;
        return true;
    default:
        return false;
    }
}

/* All of them; '*opcode' is the byte behind. */
static bool prefixes(struct cursor *c, uint8_t *opcode,
                     struct decode_insn *out)
{
    while (next(c, opcode)) {
        if (is_rex(c, *opcode)) {
            c->rex = *opcode;
        } else if (prefix(c, *opcode, out)) {
            c->rex = 0;
        } else {
            return true;
        }
    }
    return false;
}

bool decode(const uint8_t *bytes, size_t count, enum decode_mode mode,
            struct decode_insn *out)
{
    struct cursor c = { .at = bytes, .end = bytes + count, .mode = mode };
    uint8_t opcode;
    bool known;

    *out = (struct decode_insn){ .segment = DECODE_DS,
                                 .address_size = (uint8_t)mode };
    if (is_force_prefix(bytes, count)) {
        out->is_forced = true;
        c.at += DECODE_FORCE_SIZE;
    }
    if (!prefixes(&c, &opcode, out)) {
        return false;
    }
    known = opcode == 0x0f ? two_byte(&c, out) : one_byte(&c, opcode, out);
    out->length = (uint8_t)(c.at - bytes);
    /* The prefix is for CPUID, with no other between. */
    return known && (!out->is_forced
                     || (out->kind == DECODE_CPUID
                         && out->length == DECODE_FORCE_SIZE + 2));
}
