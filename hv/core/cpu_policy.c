/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CPU policies in the forms that domctl and sysctl speak.  The machine keeps
 * policies as CPUID leaves (arch_cpu_policy()); this file writes them to the
 * toolstack and derives the featureset words from them.
 */
#include "core/cpu_policy.h"

#include "core/arch.h"
#include "lib/errno.h"
#include "lib/string.h"

/* The MSRs of a policy, both zero: no CPUID faulting, no ARCH_CAPS. */
#define MSR_INTEL_PLATFORM_INFO 0xceu
#define MSR_ARCH_CAPABILITIES 0x10au

enum reg { EAX, EBX, ECX, EDX };

/* Where each word of a featureset comes from. */
static const struct {
    uint32_t leaf;
    uint32_t subleaf;
    enum reg reg;
} word_source[CPU_FEATURESET_WORDS] = {
    { 0x00000001, XEN_CPUID_NO_SUBLEAF, EDX },
    { 0x00000001, XEN_CPUID_NO_SUBLEAF, ECX },
    { 0x80000001, XEN_CPUID_NO_SUBLEAF, EDX },
    { 0x80000001, XEN_CPUID_NO_SUBLEAF, ECX },
    { 0x0000000d, 1, EAX },
    { 0x00000007, 0, EBX },
    { 0x00000007, 0, ECX },
    { 0x80000007, XEN_CPUID_NO_SUBLEAF, EDX },
    { 0x80000008, XEN_CPUID_NO_SUBLEAF, EBX },
    { 0x00000007, 0, EDX },
    { 0x00000007, 1, EAX },
    { 0x80000021, XEN_CPUID_NO_SUBLEAF, EAX },
    { 0x00000007, 1, EBX },
};

static uint32_t leaf_reg(const xen_cpuid_leaf_t *l, enum reg reg)
{
    switch (reg) {
    case EAX:
        return l->a;
    case EBX:
        return l->b;
    case ECX:
        return l->c;
    default:
        return l->d;
    }
}

void cpu_policy_featureset(const xen_cpuid_leaf_t *leaf, unsigned int count,
                           uint32_t words[CPU_FEATURESET_WORDS])
{
    memset(words, 0, CPU_FEATURESET_WORDS * sizeof(words[0]));
    for (unsigned int w = 0; w < CPU_FEATURESET_WORDS; w++) {
        for (unsigned int i = 0; i < count; i++) {
            if (leaf[i].leaf == word_source[w].leaf &&
                leaf[i].subleaf == word_source[w].subleaf) {
                words[w] = leaf_reg(&leaf[i], word_source[w].reg);
                break;
            }
        }
    }
}

int cpu_policy_write_leaves(struct guest_ptr to, uint32_t *room,
                            const xen_cpuid_leaf_t *leaf, unsigned int count)
{
    uint32_t given = *room;

    *room = count;
    if (guest_ptr_is_null(to)) {
        return 0;
    }
    if (given < count) {
        return -ENOBUFS;
    }
    return guest_write(to, leaf, count * sizeof(leaf[0]));
}

int cpu_policy_write_msrs(struct guest_ptr to, uint32_t *room)
{
    static const xen_msr_entry_t msr[CPU_POLICY_MSRS] = {
        { .idx = MSR_INTEL_PLATFORM_INFO },
        { .idx = MSR_ARCH_CAPABILITIES },
    };
    uint32_t given = *room;

    *room = CPU_POLICY_MSRS;
    if (guest_ptr_is_null(to)) {
        return 0;
    }
    if (given < CPU_POLICY_MSRS) {
        return -ENOBUFS;
    }
    return guest_write(to, msr, sizeof(msr));
}
