/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * MSRs of guests: those that have meaning for a guest are kept per vcpu, a
 * few that kernels read without asking first give the quiet answer, all
 * others are #GP (kernels probe with a safe read).  MSRs of the control block
 * go to the vendor's half; the APIC's to vlapic.c.
 *
 *  1. No guest value reaches a host MSR, except commands without memory
 *     (PRED_CMD) and TSC_AUX, which the context switch owns.
 */
#include "core/console.h"
#include "core/p2m.h"
#include "hvm/cpuid.h"
#include "hvm/msr.h"
#include "hvm/vlapic.h"
#include "lib/errno.h"
#include "lib/nospec.h"
#include "lib/string.h"
#include "trap.h"

#define MSR_P5_MC_ADDR 0x00u
#define MSR_P5_MC_TYPE 0x01u
#define MSR_PLATFORM_ID 0x17u
#define MSR_PRED_CMD 0x49u
#define MSR_PATCH_LEVEL 0x8bu
#define MSR_PLATFORM_INFO 0xceu
#define MSR_MTRR_CAP 0xfeu
#define MSR_MISC_FEATURES 0x140u
#define MSR_MCG_CAP 0x179u
#define MSR_MCG_STATUS 0x17au
#define MSR_MISC_ENABLE 0x1a0u
#define MSR_DEBUGCTL 0x1d9u
#define MSR_MTRR_VAR 0x200u
#define MSR_MTRR_DEF 0x2ffu
#define MSR_TSC_DEADLINE 0x6e0u
#define MSR_SYSCFG 0xc0010010u
#define MSR_HWCR 0xc0010015u
#define MSR_TOP_MEM 0xc001001au
#define MSR_TOP_MEM2 0xc001001du
#define MSR_NB_CFG 0xc001001fu
#define MSR_PATCH_LOADER 0xc0010020u
#define MSR_INT_PENDING 0xc0010055u
#define MSR_MMCONF 0xc0010058u
#define MSR_VM_CR 0xc0010114u
#define MSR_CFG_FIRST 0xc0011020u   /* LS_CFG, IC_CFG, DC_CFG ... */
#define MSR_CFG_LAST 0xc001102fu
#define MSR_DE_CFG 0xc0011029u

#define EFER_SCE (1u << 0)
#define EFER_LME (1u << 8)
#define EFER_LMA (1u << 10)
#define EFER_NX (1u << 11)
#define EFER_FFXSR (1u << 14)

#define HWCR_TSC_FREQ_SEL (1u << 24)
#define DE_CFG_LFENCE (1u << 1)
#define MTRR_CAP 0x508u             /* 8 variable, fixed, WC */
#define MTRR_DEF_RESET 0xc06u       /* on, fixed on, write-back */
#define MTRR_WB 0x0606060606060606ull

void msr_vcpu_reset(struct vcpu *v)
{
    struct arch_vcpu *a = v->arch;

    a->mtrr_def_type = MTRR_DEF_RESET;
    for (unsigned int i = 0; i < 11; i++) {
        a->mtrr_fixed[i] = MTRR_WB;
    }
    memset(a->mtrr_var, 0, sizeof(a->mtrr_var));
    a->misc_enable = 1;             /* fast strings */
    a->debugctl = 0;
    a->tsc_aux = 0;
}

/* The slot of a fixed-range MTRR, or -1. */
static int fixed_slot(uint32_t index)
{
    switch (index) {
    case 0x250:
        return 0;
    case 0x258:
        return 1;
    case 0x259:
        return 2;
    case 0x268 ... 0x26f:
        return (int)(index - 0x268) + 3;
    default:
        return -1;
    }
}

static bool is_mtrr_type(uint32_t type)
{
    return type < 7 && type != 2 && type != 3;
}

static int mtrr_read(struct vcpu *v, uint32_t index, uint64_t *value)
{
    int slot = fixed_slot(index);

    if (slot >= 0) {
        *value = v->arch->mtrr_fixed[slot];
    } else if (index == MSR_MTRR_CAP) {
        *value = MTRR_CAP;
    } else if (index == MSR_MTRR_DEF) {
        *value = v->arch->mtrr_def_type;
    } else if (index - MSR_MTRR_VAR < 16) {
        *value = v->arch->mtrr_var[index_nospec(index - MSR_MTRR_VAR, 16)];
    } else {
        return -EINVAL;
    }
    return 0;
}

/* Remembered only: nested paging and the host's MTRRs decide. */
static int mtrr_write(struct vcpu *v, uint32_t index, uint64_t value)
{
    int slot = fixed_slot(index);

    if (slot >= 0) {
        for (unsigned int i = 0; i < 64; i += 8) {
            if (!is_mtrr_type((value >> i) & 0xff)) {
                return -EINVAL;
            }
        }
        v->arch->mtrr_fixed[slot] = value;
    } else if (index == MSR_MTRR_DEF) {
        if ((value & ~0xcffull) != 0 || !is_mtrr_type(value & 0xff)) {
            return -EINVAL;
        }
        v->arch->mtrr_def_type = (uint32_t)value;
    } else if (index - MSR_MTRR_VAR < 16) {
        if ((index & 1) == 0 && !is_mtrr_type(value & 0xff)) {
            return -EINVAL;
        }
        v->arch->mtrr_var[index_nospec(index - MSR_MTRR_VAR, 16)] = value;
    } else {
        return -EINVAL;
    }
    return 0;
}

static bool is_mtrr(uint32_t index)
{
    return index - MSR_MTRR_VAR < 16 || index == MSR_MTRR_CAP
           || index == MSR_MTRR_DEF || fixed_slot(index) >= 0;
}

/* Those that kernels read unasked: the answer, or -EINVAL. */
static int quiet_read(uint32_t index, uint64_t *value)
{
    switch (index) {
    case MSR_HWCR:
        *value = HWCR_TSC_FREQ_SEL;
        return 0;
    case MSR_DE_CFG:
        *value = DE_CFG_LFENCE;
        return 0;
    case MSR_P5_MC_ADDR:
    case MSR_P5_MC_TYPE:
    case MSR_PLATFORM_ID:
    case MSR_PATCH_LEVEL:
    case MSR_PLATFORM_INFO:
    case MSR_MISC_FEATURES:
    case MSR_MCG_CAP:
    case MSR_MCG_STATUS:
    case MSR_SYSCFG:
    case MSR_TOP_MEM:
    case MSR_TOP_MEM2:
    case MSR_NB_CFG:
    case MSR_INT_PENDING:
    case MSR_MMCONF:
    case MSR_VM_CR:
    case MSR_CFG_FIRST ... MSR_DE_CFG - 1:
    case MSR_DE_CFG + 1 ... MSR_CFG_LAST:
        *value = 0;
        return 0;
    default:
        return -EINVAL;
    }
}

int msr_read(struct vcpu *v, uint32_t index, uint64_t *value)
{
    struct arch_vcpu *a = v->arch;

    if (index - 0x800 < 0x100) {
        return vlapic_rdmsr(a->vlapic, index, value);
    }
    if (is_mtrr(index)) {
        return mtrr_read(v, index, value);
    }
    switch (index) {
    case MSR_TSC:
        *value = hvm_guest_tsc(v);
        return 0;
    case MSR_APIC_BASE:
        *value = a->vlapic->base_msr;
        return 0;
    case MSR_TSC_DEADLINE:
        *value = vlapic_tsc_deadline(a->vlapic);
        return 0;
    case MSR_MISC_ENABLE:
        *value = a->misc_enable;
        return 0;
    case MSR_DEBUGCTL:
        *value = a->debugctl;
        return 0;
    case MSR_TSC_AUX:
        *value = a->tsc_aux;
        return 0;
    default:
        if (hvm_ops->get_msr(v, index, value) == 0) {
            return 0;
        }
        return quiet_read(index, value);
    }
}

static int write_efer(struct vcpu *v, uint64_t value)
{
    uint64_t allowed = EFER_SCE | EFER_LME | EFER_LMA;
    struct hvm_paging p;

    hvm_ops->get_paging(v, &p);
    if (cpuid_has(v->domain, 0x80000001, 3, 20)) {
        allowed |= EFER_NX;
    }
    if (cpuid_has(v->domain, 0x80000001, 3, 25)) {
        allowed |= EFER_FFXSR;
    }
    if ((value & ~allowed) != 0) {
        return -EINVAL;
    }
    /* LME cannot change while paging is on; LMA is not writable. */
    if ((p.cr0 >> 31) && ((value ^ p.efer) & EFER_LME) != 0) {
        return -EINVAL;
    }
    value = (value & ~(uint64_t)EFER_LMA) | (p.efer & EFER_LMA);
    return hvm_ops->set_msr(v, MSR_EFER, value);
}

static int write_pat(struct vcpu *v, uint64_t value)
{
    for (unsigned int i = 0; i < 64; i += 8) {
        uint32_t type = (value >> i) & 0xff;

        if (type > 7 || type == 2 || type == 3) {
            return -EINVAL;
        }
    }
    return hvm_ops->set_msr(v, MSR_PAT, value);
}

/* VMMCALL stubs, 32 bytes each, as the ABI lays them out. */
static int write_hypercall_page(struct vcpu *v, uint64_t value)
{
    uint64_t gpa = value & PAGE_MASK;

    if ((value & ~PAGE_MASK) != 0) {
        return -EINVAL;             /* there is only page 0 */
    }
    for (unsigned int nr = 0; nr < PAGE_SIZE / 32; nr++) {
        uint8_t stub[32];

        memset(stub, 0xcc, sizeof(stub));
        stub[0] = 0xb8;             /* mov $nr, %eax */
        stub[1] = (uint8_t)nr;
        memset(&stub[2], 0, 3);
        memcpy(&stub[5], hvm_ops->hypercall_insn, 3);
        stub[8] = 0xc3;             /* ret */
        if (nr == __HYPERVISOR_iret) {
            stub[0] = 0x0f;         /* ud2: PV only */
            stub[1] = 0x0b;
        }
        if (p2m_write(v->domain, gpa + nr * 32, stub, sizeof(stub)) != 0) {
            return -EINVAL;
        }
    }
    return 0;
}

static int write_command(struct vcpu *v, uint64_t value)
{
    if (!cpuid_has(v->domain, 0x80000008, 1, 12) || (value & ~1ull) != 0) {
        return -EINVAL;
    }
    return trap_wrmsr(MSR_PRED_CMD, value) == 0 ? 0 : -EINVAL;
}

/* Written by kernels for errata; nothing to do. */
static bool is_ignored_write(uint32_t index)
{
    switch (index) {
    case MSR_P5_MC_ADDR:
    case MSR_P5_MC_TYPE:
    case MSR_MISC_ENABLE:
    case MSR_MISC_FEATURES:
    case MSR_MCG_STATUS:
    case MSR_SYSCFG:
    case MSR_HWCR:
    case MSR_NB_CFG:
    case MSR_PATCH_LEVEL:
    case MSR_PATCH_LOADER:
    case MSR_INT_PENDING:
    case MSR_VM_CR:
    case MSR_TSC:
    case MSR_CFG_FIRST ... MSR_CFG_LAST:
        return true;
    default:
        return false;
    }
}

int msr_write(struct vcpu *v, uint32_t index, uint64_t value)
{
    struct arch_vcpu *a = v->arch;

    if (index - 0x800 < 0x100) {
        return vlapic_wrmsr(a->vlapic, index, value);
    }
    if (is_mtrr(index)) {
        return mtrr_write(v, index, value);
    }
    switch (index) {
    case CPUID_HYPERCALL_MSR:
        return write_hypercall_page(v, value);
    case MSR_APIC_BASE:
        /* A PV guest's APIC stays as it is: hidden, and out of x2APIC mode. */
        return a->pv != NULL ? -EINVAL : vlapic_set_base(a->vlapic, value);
    case MSR_TSC_DEADLINE:
        vlapic_set_tsc_deadline(a->vlapic, value);
        return 0;
    case MSR_EFER:
        return write_efer(v, value);
    case MSR_PAT:
        return write_pat(v, value);
    case MSR_PRED_CMD:
        return write_command(v, value);
    case MSR_DEBUGCTL:
        a->debugctl = value & 3;
        return 0;
    case MSR_TSC_AUX:
        if (value >> 32 != 0) {
            return -EINVAL;
        }
        a->tsc_aux = value;
        return trap_wrmsr(MSR_TSC_AUX, value) == 0 ? 0 : -EINVAL;
    default:
        if (hvm_ops->set_msr(v, index, value) == 0) {
            return 0;
        }
        return is_ignored_write(index) ? 0 : -EINVAL;
    }
}
