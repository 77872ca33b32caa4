/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * MSRs as a PV kernel sees them.
 *
 *   in the list below    as it says, which is as Xen does
 *   EFER                 may be written as it is
 *   others               executed here: the hypervisor answers, by the
 *                        domain's policy
 *
 *  1. In the guest's kernel mode the inactive GS base is the user's.
 *  2. Before a kernel has a handler of #GP it reads what it may not read as
 *     0: Linux does so early.
 */
#include "pvkern/guest.h"

#define MSR_HYPERVISOR 0x40000000u
#define MSR_EFER 0xc0000080u
#define MSR_FS_BASE 0xc0000100u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX 0xc0000103u

#define CPUID_RDTSCP (1u << 27)

enum how {
    AS_IT_IS,
    NONE,                       /* neither read nor written */
    ZERO,                       /* read as 0; what is written is lost */
    ONLY_ZERO,                  /* read as 0, not written */
    READ_ONLY,
};

static enum how how_is(uint32_t index)
{
    switch (index) {
    case 0x10:                          /* TSC */
    case 0x8b:                          /* PATCHLEVEL */
    case 0x277:                         /* PAT */
        return READ_ONLY;
    case 0x17:                          /* PLATFORM_ID */
    case 0xfe:                          /* MTRRs */
    case 0x174 ... 0x176:               /* SYSENTER_* */
    case 0x1d9:                         /* DEBUGCTL */
    case 0x1db ... 0x1de:
    case 0x200 ... 0x276:
    case 0x2ff:
    case 0xc0000081 ... 0xc0000084:     /* STAR .. SFMASK */
    case 0xc0010010:                    /* SYSCFG, IORRs, TOPs of memory */
    case 0xc0010016 ... 0xc001001d:
    case 0xc0010055:                    /* INT_PENDING, MMIO_CONF_BASE */
    case 0xc0010058:
    case 0xc0010114 ... 0xc0010117:     /* SVM's */
        return NONE;
    case 0x345:                         /* PERF_CAPABILITIES */
    case MSR_HYPERVISOR:                /* its page of hypercalls */
        return ONLY_ZERO;
    case 0xc0010000 ... 0xc0010007:     /* counters */
    case 0xc0010200 ... 0xc001020b:
    case 0xc0010015:                    /* HWCR */
    case 0xc0010041 ... 0xc0010042:     /* power states */
    case 0xc0010061 ... 0xc001006b:
        return ZERO;
    case MSR_TSC_AUX:
        return cpuid(0x80000001, 0).edx & CPUID_RDTSCP ? AS_IT_IS : NONE;
    default:
        return AS_IT_IS;
    }
}

static bool may_be_anything(uint32_t index)
{
    return index >> 16 != MSR_HYPERVISOR >> 16
           && pvk_gate(pvk_area(), VECTOR_GP)->address == 0;
}

bool msr_of_guest(uint32_t index, uint64_t *value)
{
    enum how how = how_is(index);

    if (how == AS_IT_IS || how == READ_ONLY) {
        return msr_get(index, value);
    }
    if (how == NONE && !(may_be_anything(index) && msr_get(index, value))) {
        return false;
    }
    *value = 0;
    return true;
}

bool msr_by_guest(uint32_t index, uint64_t value)
{
    enum how how = how_is(index);
    uint64_t now;

    if (how != AS_IT_IS) {
        return how == ZERO;
    }
    if (index == MSR_EFER) {
        return msr_get(index, &now) && now == value;
    }
    if (index >= MSR_FS_BASE && index <= MSR_KERNEL_GS_BASE
        && !pvk_is_canonical(value)) {
        return false;
    }
    return msr_set(index, value);
}
