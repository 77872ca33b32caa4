/* SPDX-License-Identifier: GPL-2.0-only */
/* Pure: the privileged instructions of PV kernels.  Tested on the host. */
#ifndef PVKERN_DECODE_H
#define PVKERN_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum decode_kind {
    DECODE_READ_CR,             /* gpr[reg] <- CR[number] */
    DECODE_WRITE_CR,
    DECODE_READ_DR,
    DECODE_WRITE_DR,
    DECODE_CLTS,
    DECODE_RDMSR,
    DECODE_WRMSR,
    DECODE_RDPMC,
    DECODE_CPUID,
    DECODE_XSETBV,
    DECODE_FLAG,                /* CLI, STI */
    DECODE_NOTHING,             /* WBINVD */
    DECODE_HLT,
    DECODE_IN,                  /* rax <- port, 'size' bytes */
    DECODE_OUT,
    DECODE_INS,                 /* es:[rdi] <- port dx, 'size' bytes */
    DECODE_OUTS,                /* port dx <- 'segment':[rsi] */
    DECODE_RDTSC,
    DECODE_RDTSCP,
};

/* Of the code segment: its default size of addresses, in bytes. */
enum decode_mode { DECODE_16 = 2, DECODE_32 = 4, DECODE_64 = 8 };

/* As encoded (APM vol. 2, 1.2.2: sreg). */
enum decode_segment { DECODE_ES, DECODE_CS, DECODE_SS, DECODE_DS, DECODE_FS,
                      DECODE_GS };

struct decode_insn {
    uint8_t kind;               /* enum decode_kind */
    uint8_t reg;                /* general register 0-15, as encoded */
    uint8_t number;             /* of the control or debug register */
    uint8_t size;               /* IN, OUT, INS, OUTS: 1, 2, 4 */
    bool has_port;              /* IN, OUT: 'port', else dx */
    uint8_t port;
    uint8_t address_size;       /* 2, 4, 8: of rdi, rsi, and of REP's rcx */
    uint8_t segment;            /* enum decode_segment, of OUTS */
    bool is_repeated;           /* INS, OUTS: 'rcx' times */
    bool is_forced;             /* had the forced emulation prefix */
    uint8_t length;             /* with the prefix */
};

#define DECODE_BYTES 15u
/* The prefix of xen.h: XEN_EMULATE_PREFIX, ud2 "xen". */
#define DECODE_FORCE_SIZE 5u

/* False: none of these, or 'count' bytes do not hold all of it. */
bool decode(const uint8_t *bytes, size_t count, enum decode_mode mode,
            struct decode_insn *out);

#endif
