/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a CPU's branch predictor learned of one domain must not steer another:
 * a barrier (IBPB: APM vol. 2, 3.2.9) where a CPU comes to a vcpu of another
 * domain than it ran last. Talks to fpu.c (the switch) and svm.c.
 * 1. predictor_domain is whose vcpus ran here since the last barrier. It is
 *    forgotten with the domain, whose memory may become another one's.
 */
#include "insn.h"
#include "svm/svm.h"

#define MSR_PRED_CMD 0x49
#define PRED_CMD_IBPB 1

void svm_predictor_switch(struct cpu *cpu, const struct domain *d)
{
    if (!svm_features.has_ibpb
        || __atomic_load_n(&cpu->predictor_domain, __ATOMIC_RELAXED) == d) {
        return;
    }
    wrmsr(MSR_PRED_CMD, PRED_CMD_IBPB);
    __atomic_store_n(&cpu->predictor_domain, d, __ATOMIC_RELAXED);
}

void svm_predictor_forget(struct cpu *cpu, const struct domain *d)
{
    const struct domain *expected = d;

    __atomic_compare_exchange_n(&cpu->predictor_domain, &expected, NULL,
                                false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}
