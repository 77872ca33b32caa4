/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Decoder of the few instruction forms that kernels use on device registers
 * (MOV, MOVZX, MOVSX, the ALU group, TEST, XCHG, STOS, MOVS).  Pure: bytes in,
 * description out.  The memory operand's address is not computed: the nested
 * page fault has told it.
 *
 *  1. Never reads beyond 'count', which is at most MMIO_INSN_MAX.
 *  2. A form with a register operand instead of memory is refused: it cannot
 *     have faulted, so the guest changed the bytes under us.
 */
#include "hvm/mmio_decode.h"
#include "lib/errno.h"

#define REX_B 1u
#define REX_X 2u
#define REX_R 4u
#define REX_W 8u

#define FLAG_CF (1ull << 0)
#define FLAG_PF (1ull << 2)
#define FLAG_AF (1ull << 4)
#define FLAG_ZF (1ull << 6)
#define FLAG_SF (1ull << 7)
#define FLAG_OF (1ull << 11)
#define FLAGS_ALL (FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

struct cursor {
    const uint8_t *bytes;
    size_t count, at;
    bool is_short;              /* ran out of bytes */
    enum mmio_mode mode;
    uint8_t rex;
    bool is_operand16;          /* 0x66 */
    bool is_address_other;      /* 0x67 */
};

static uint8_t next(struct cursor *c)
{
    if (c->at >= c->count) {
        c->is_short = true;
        return 0;
    }
    return c->bytes[c->at++];
}

static int64_t next_signed(struct cursor *c, unsigned int size)
{
    uint64_t value = 0;

    for (unsigned int i = 0; i < size; i++) {
        value |= (uint64_t)next(c) << (i * 8);
    }
    if (size < 8 && (value >> (size * 8 - 1)) != 0) {
        value |= ~0ull << (size * 8);
    }
    return (int64_t)value;
}

/* Prefixes; the first byte that is none. */
static uint8_t read_prefixes(struct cursor *c, bool *has_rep)
{
    for (;;) {
        uint8_t byte = next(c);

        switch (byte) {
        case 0x66:
            c->is_operand16 = true;
            break;
        case 0x67:
            c->is_address_other = true;
            break;
        case 0xf2:
        case 0xf3:
            *has_rep = true;
            break;
        case 0x26:
        case 0x2e:
        case 0x36:
        case 0x3e:
        case 0x64:
        case 0x65:
        case 0xf0:
            break;
        default:
            if (c->mode == MMIO_MODE64 && (byte & 0xf0) == 0x40) {
                /* REX counts only right before the opcode. */
                c->rex = byte;
                return next(c);
            }
            return byte;
        }
        if (c->is_short) {
            return 0;
        }
    }
}

static unsigned int operand_size(const struct cursor *c)
{
    if (c->mode == MMIO_MODE64 && (c->rex & REX_W)) {
        return 8;
    }
    return (c->mode == MMIO_MODE16) != c->is_operand16 ? 2 : 4;
}

static unsigned int address_size(const struct cursor *c)
{
    if (c->mode == MMIO_MODE64) {
        return c->is_address_other ? 4 : 8;
    }
    return (c->mode == MMIO_MODE16) != c->is_address_other ? 2 : 4;
}

/* Skips SIB and displacement; the reg field, or -1 for a register operand. */
static int read_modrm(struct cursor *c)
{
    uint8_t modrm = next(c);
    unsigned int mod = modrm >> 6, rm = modrm & 7;
    unsigned int skip = mod == 1 ? 1 : 0;

    if (mod == 3) {
        return -1;
    }
    if (address_size(c) == 2) {
        skip = mod == 2 || (mod == 0 && rm == 6) ? 2 : skip;
    } else {
        unsigned int base = rm;

        if (rm == 4) {
            base = next(c) & 7;
        }
        skip = mod == 2 || (mod == 0 && base == 5) ? 4 : skip;
    }
    while (skip-- > 0) {
        (void)next(c);
    }
    return (modrm >> 3) & 7;
}

static void set_register(const struct cursor *c, struct mmio_insn *out,
                         unsigned int reg, unsigned int size)
{
    out->reg = (uint8_t)(reg | ((c->rex & REX_R) ? 8 : 0));
    if (size == 1 && c->rex == 0 && reg >= 4) {
        out->reg = (uint8_t)(reg - 4);
        out->is_high_byte = true;
    }
}

/* Forms with a memory operand and a register. */
static int decode_modrm(struct cursor *c, struct mmio_insn *out,
                        enum mmio_kind kind, unsigned int size)
{
    int reg = read_modrm(c);

    if (reg < 0) {
        return -EINVAL;
    }
    out->kind = (uint8_t)kind;
    out->size = (uint8_t)size;
    out->reg_size = (uint8_t)size;
    set_register(c, out, (unsigned int)reg, size);
    return 0;
}

/* Immediate forms: 'imm' bytes, at most 4, sign-extended. */
static int decode_immediate(struct cursor *c, struct mmio_insn *out,
                            enum mmio_kind kind, unsigned int imm)
{
    out->kind = (uint8_t)kind;
    out->is_immediate = true;
    out->immediate = (uint64_t)next_signed(c, imm);
    return 0;
}

/* 80, 81, 83: the ALU group with an immediate. */
static int decode_group1(struct cursor *c, struct mmio_insn *out,
                         uint8_t opcode)
{
    unsigned int size = opcode == 0x80 ? 1 : operand_size(c);
    unsigned int imm = opcode == 0x81 ? (size == 2 ? 2 : 4) : 1;
    int op = read_modrm(c);

    if (op < 0) {
        return -EINVAL;
    }
    out->size = (uint8_t)size;
    out->op = (uint8_t)op;
    return decode_immediate(c, out,
                            op == MMIO_CMP ? MMIO_COMPARE : MMIO_MODIFY, imm);
}

/* F6 /0, F7 /0: TEST with an immediate. */
static int decode_group3(struct cursor *c, struct mmio_insn *out,
                         uint8_t opcode)
{
    unsigned int size = opcode == 0xf6 ? 1 : operand_size(c);
    int op = read_modrm(c);

    if (op != 0 && op != 1) {
        return -EINVAL;
    }
    out->size = (uint8_t)size;
    out->op = MMIO_TEST;
    return decode_immediate(c, out, MMIO_COMPARE,
                            size == 8 ? 4 : size);
}

/* C6 /0, C7 /0: MOV with an immediate. */
static int decode_move_immediate(struct cursor *c, struct mmio_insn *out,
                                 uint8_t opcode)
{
    unsigned int size = opcode == 0xc6 ? 1 : operand_size(c);

    if (read_modrm(c) != 0) {
        return -EINVAL;
    }
    out->size = (uint8_t)size;
    return decode_immediate(c, out, MMIO_WRITE, size == 8 ? 4 : size);
}

/* 00-3B: op rm,reg (low bit 1 clear) and op reg,rm. */
static int decode_alu(struct cursor *c, struct mmio_insn *out,
                      uint8_t opcode)
{
    unsigned int size = (opcode & 1) ? operand_size(c) : 1;
    unsigned int op = opcode >> 3;
    bool to_register = (opcode & 2) != 0;

    out->op = (uint8_t)op;
    out->to_register = to_register;
    return decode_modrm(c, out, op == MMIO_CMP || to_register
                        ? MMIO_COMPARE : MMIO_MODIFY, size);
}

/* A0-A3: MOV between the accumulator and an absolute address. */
static int decode_absolute(struct cursor *c, struct mmio_insn *out,
                           uint8_t opcode)
{
    unsigned int skip = address_size(c);

    while (skip-- > 0) {
        (void)next(c);
    }
    out->kind = (opcode & 2) ? MMIO_WRITE : MMIO_READ;
    out->size = (uint8_t)((opcode & 1) ? operand_size(c) : 1);
    out->reg_size = out->size;
    return 0;
}

static int decode_string(struct cursor *c, struct mmio_insn *out,
                         enum mmio_kind kind, uint8_t opcode)
{
    out->kind = (uint8_t)kind;
    out->size = (uint8_t)((opcode & 1) ? operand_size(c) : 1);
    out->reg_size = out->size;
    out->is_address32 = address_size(c) == 4;
    return address_size(c) == 2 ? -EINVAL : 0;
}

static int decode_two_byte(struct cursor *c, struct mmio_insn *out)
{
    uint8_t opcode = next(c);
    int rc;

    switch (opcode) {
    case 0xb6:
    case 0xb7:
    case 0xbe:
    case 0xbf:
        /* The register is never a high byte: it is wider than memory. */
        rc = decode_modrm(c, out, MMIO_READ, 4);
        out->size = (opcode & 1) ? 2 : 1;
        out->reg_size = (uint8_t)operand_size(c);
        out->extend = opcode < 0xb8 ? MMIO_ZERO_EXTEND : MMIO_SIGN_EXTEND;
        return rc;
    case 0xc3:                  /* MOVNTI */
        return decode_modrm(c, out, MMIO_WRITE, operand_size(c));
    default:
        return -EINVAL;
    }
}

static int decode_opcode(struct cursor *c, struct mmio_insn *out,
                         uint8_t opcode)
{
    if (opcode < 0x40 && (opcode & 7) < 4) {
        return decode_alu(c, out, opcode);
    }
    switch (opcode) {
    case 0x0f:
        return decode_two_byte(c, out);
    case 0x63:                  /* MOVSXD */
        out->extend = MMIO_SIGN_EXTEND;
        if (c->mode != MMIO_MODE64 || decode_modrm(c, out, MMIO_READ, 4)) {
            return -EINVAL;
        }
        out->reg_size = (uint8_t)operand_size(c);
        return 0;
    case 0x80:
    case 0x81:
    case 0x83:
        return decode_group1(c, out, opcode);
    case 0x84:
    case 0x85:
        out->op = MMIO_TEST;
        return decode_modrm(c, out, MMIO_COMPARE,
                            (opcode & 1) ? operand_size(c) : 1);
    case 0x86:
    case 0x87:
        return decode_modrm(c, out, MMIO_EXCHANGE,
                            (opcode & 1) ? operand_size(c) : 1);
    case 0x88:
    case 0x89:
        return decode_modrm(c, out, MMIO_WRITE,
                            (opcode & 1) ? operand_size(c) : 1);
    case 0x8a:
    case 0x8b:
        return decode_modrm(c, out, MMIO_READ,
                            (opcode & 1) ? operand_size(c) : 1);
    case 0xa0 ... 0xa3:
        return decode_absolute(c, out, opcode);
    case 0xa4:
    case 0xa5:
        return decode_string(c, out, MMIO_MOVE_STRING, opcode);
    case 0xaa:
    case 0xab:
        return decode_string(c, out, MMIO_STORE_STRING, opcode);
    case 0xc6:
    case 0xc7:
        return decode_move_immediate(c, out, opcode);
    case 0xf6:
    case 0xf7:
        return decode_group3(c, out, opcode);
    default:
        return -EINVAL;
    }
}

int mmio_decode(const uint8_t *bytes, size_t count, enum mmio_mode mode,
                struct mmio_insn *out)
{
    struct cursor c = {
        .bytes = bytes, .mode = mode,
        .count = count > MMIO_INSN_MAX ? MMIO_INSN_MAX : count,
    };
    bool has_rep = false;
    uint8_t opcode;
    int rc;

    *out = (struct mmio_insn){ 0 };
    opcode = read_prefixes(&c, &has_rep);
    rc = c.is_short ? 0 : decode_opcode(&c, out, opcode);
    if (c.is_short) {
        return count < MMIO_INSN_MAX ? -ENODATA : -EINVAL;
    }
    if (rc != 0) {
        return -EINVAL;
    }
    out->has_rep = has_rep;
    out->length = (uint8_t)c.at;
    return 0;
}

/* ---- arithmetic ---- */

static uint64_t size_mask(unsigned int size)
{
    return size >= 8 ? ~0ull : (1ull << (size * 8)) - 1;
}

static uint64_t result_flags(uint64_t result, unsigned int size)
{
    uint64_t flags = 0;

    if ((result & size_mask(size)) == 0) {
        flags |= FLAG_ZF;
    }
    if ((result >> (size * 8 - 1)) & 1) {
        flags |= FLAG_SF;
    }
    if (__builtin_parityll(result & 0xff) == 0) {
        flags |= FLAG_PF;
    }
    return flags;
}

static uint64_t add_flags(uint64_t a, uint64_t b, unsigned int carry,
                          unsigned int size)
{
    unsigned __int128 wide = (unsigned __int128)a + b + carry;
    uint64_t sum = (uint64_t)wide;
    uint64_t flags = result_flags(sum, size);

    flags |= (uint64_t)(wide >> (size * 8)) & 1 ? FLAG_CF : 0;
    flags |= (a ^ b ^ sum) & 0x10 ? FLAG_AF : 0;
    flags |= ((a ^ sum) & (b ^ sum)) >> (size * 8 - 1) & 1 ? FLAG_OF : 0;
    return flags;
}

static uint64_t sub_flags(uint64_t a, uint64_t b, unsigned int borrow,
                          unsigned int size)
{
    uint64_t diff = (a - b - borrow) & size_mask(size);
    uint64_t flags = result_flags(diff, size);

    flags |= (unsigned __int128)a < (unsigned __int128)b + borrow
             ? FLAG_CF : 0;
    flags |= (a ^ b ^ diff) & 0x10 ? FLAG_AF : 0;
    flags |= ((a ^ b) & (a ^ diff)) >> (size * 8 - 1) & 1 ? FLAG_OF : 0;
    return flags;
}

uint64_t mmio_compute(enum mmio_op op, unsigned int size, uint64_t dst,
                      uint64_t src, uint64_t *rflags)
{
    unsigned int carry = (op == MMIO_ADC || op == MMIO_SBB)
                         && (*rflags & FLAG_CF) ? 1 : 0;
    uint64_t mask = size_mask(size), result, flags;

    dst &= mask;
    src &= mask;
    switch (op) {
    case MMIO_ADD:
    case MMIO_ADC:
        result = (dst + src + carry) & mask;
        flags = add_flags(dst, src, carry, size);
        break;
    case MMIO_SUB:
    case MMIO_SBB:
    case MMIO_CMP:
        result = (dst - src - carry) & mask;
        flags = sub_flags(dst, src, carry, size);
        break;
    case MMIO_OR:
        result = dst | src;
        flags = result_flags(result, size);
        break;
    case MMIO_XOR:
        result = dst ^ src;
        flags = result_flags(result, size);
        break;
    default:
        result = dst & src;
        flags = result_flags(result, size);
        break;
    }
    *rflags = (*rflags & ~FLAGS_ALL) | flags;
    return op == MMIO_CMP || op == MMIO_TEST ? dst : result;
}
