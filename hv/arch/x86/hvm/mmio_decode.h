/* SPDX-License-Identifier: GPL-2.0-only */
/* Decodes the instructions that kernels use on device registers. */
#ifndef HVM_MMIO_DECODE_H
#define HVM_MMIO_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum mmio_kind {
    MMIO_READ,          /* register <- memory, as 'extend' says */
    MMIO_WRITE,         /* memory <- register or immediate */
    MMIO_MODIFY,        /* memory <- memory op source; flags */
    MMIO_COMPARE,       /* flags of memory op source (TEST, CMP, BT) */
    MMIO_EXCHANGE,      /* XCHG */
    MMIO_STORE_STRING,  /* STOS */
    MMIO_MOVE_STRING,   /* MOVS: one side is the device */
};

enum mmio_op { MMIO_ADD, MMIO_OR, MMIO_ADC, MMIO_SBB, MMIO_AND, MMIO_SUB,
               MMIO_XOR, MMIO_CMP, MMIO_TEST };

enum mmio_extend { MMIO_NO_EXTEND, MMIO_ZERO_EXTEND, MMIO_SIGN_EXTEND };

struct mmio_insn {
    uint8_t kind;               /* enum mmio_kind */
    uint8_t op;                 /* enum mmio_op, for MODIFY and COMPARE */
    uint8_t extend;             /* enum mmio_extend, for READ */
    uint8_t size;               /* of the memory operand: 1, 2, 4, 8 */
    uint8_t reg_size;           /* of the register, for READ */
    uint8_t reg;                /* 0-15 as encoded; high byte registers: */
    bool is_high_byte;          /* AH CH DH BH: byte 1 of 'reg' */
    bool is_immediate;          /* the source is 'immediate' */
    bool to_register;           /* op with the register as destination */
    bool has_rep;
    bool is_address32;          /* address-size prefix (string forms) */
    uint64_t immediate;         /* sign-extended */
    uint8_t length;             /* bytes of the instruction */
};

/* Longest instruction. */
#define MMIO_INSN_MAX 15

enum mmio_mode { MMIO_MODE16, MMIO_MODE32, MMIO_MODE64 };

/*
 * Decodes the instruction in 'bytes' ('count' of them, at most 15 count).
 * 0, -EINVAL (not one of ours), -ENODATA (needs more bytes).
 */
int mmio_decode(const uint8_t *bytes, size_t count, enum mmio_mode mode,
                struct mmio_insn *out);

/*
 * 'dst' op 'src' of 'size' bytes, with the arithmetic flags of the result
 * put into '*rflags'.  The result (CMP, TEST: 'dst' unchanged).
 */
uint64_t mmio_compute(enum mmio_op op, unsigned int size, uint64_t dst,
                      uint64_t src, uint64_t *rflags);

#endif
