/* SPDX-License-Identifier: GPL-2.0-only */
/* An instruction on its way from privileged.c to those who execute it. */
#ifndef PVKERN_PRIVILEGED_H
#define PVKERN_PRIVILEGED_H

#include "pvkern/decode.h"
#include "pvkern/pvkern.h"

struct privileged_op {
    struct pvk_vcpu *v;
    struct pvk_regs *r;
    struct decode_insn insn;
    enum decode_mode mode;
    unsigned int breakpoints;   /* that the port access met: for DR6 */
    unsigned int vector, error; /* of PRIVILEGED_TRAP */
    uint64_t cr2;
};

enum privileged_end {
    PRIVILEGED_REFUSED,         /* the trap that it was goes to the guest */
    PRIVILEGED_DONE,            /* on behind it */
    PRIVILEGED_AGAIN,           /* a part of its REP is done: once more */
    PRIVILEGED_TRAP,            /* another one, at the instruction */
};

/* What ends in a trap of its own; that of #UD has no error. */
enum privileged_end privileged_trap(struct privileged_op *op,
                                    unsigned int vector, unsigned int error);

/* ---- port.c ---- */

/* IN, OUT. */
enum privileged_end port_move(struct privileged_op *op);
/* INS, OUTS; bounded, whatever the count of their REP. */
enum privileged_end port_string(struct privileged_op *op);

#endif
