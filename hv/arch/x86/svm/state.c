/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest registers in the control block: as one set for start-up, save and
 * emulation, and by MSR number. Called for the current vcpu or one that
 * does not run.
 */
#include "lib/errno.h"
#include "lib/string.h"
#include "svm/svm.h"

#define EFER_SCE 0x001ull
#define EFER_LME 0x100ull
#define EFER_LMA 0x400ull
#define EFER_NXE 0x800ull
#define EFER_SVME 0x1000ull
#define EFER_FFXSR 0x4000ull
#define EFER_GUEST (EFER_SCE | EFER_LME | EFER_NXE | EFER_FFXSR)
#define CR0_PG (1ull << 31)

#define MSR_SYSENTER_CS 0x174
#define MSR_SYSENTER_ESP 0x175
#define MSR_SYSENTER_EIP 0x176
#define MSR_DEBUGCTL 0x1d9
#define MSR_PAT 0x277
#define MSR_EFER 0xc0000080
#define MSR_STAR 0xc0000081
#define MSR_LSTAR 0xc0000082
#define MSR_CSTAR 0xc0000083
#define MSR_SFMASK 0xc0000084
#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

static struct vmcb_segment *segment_of(struct vmcb *vmcb,
                                       enum hvm_segment_name name)
{
    /* The save area has them in the enum's order. */
    _Static_assert(sizeof(struct vmcb_segment) == sizeof(struct hvm_segment),
                   "segment");
    return &vmcb->es + name;
}

/*
 * Of an interrupt that the guest did not take yet and a fault that came up
 * meanwhile, the fault comes again by itself.
 */
static void get_event(const struct svm_vcpu *svm, struct hvm_state *s)
{
    if (svm->interrupt & VMCB_EVENT_VALID) {
        s->event = svm->interrupt;
    } else if (svm->requeued & VMCB_EVENT_VALID) {
        s->event = svm->requeued;
        s->event_error = svm->requeued_error;
    } else if (svm->vmcb->event_inject & VMCB_EVENT_VALID) {
        s->event = svm->vmcb->event_inject;
        s->event_error = svm->vmcb->event_error;
    }
}

static void set_event(struct svm_vcpu *svm, const struct hvm_state *s)
{
    bool is_interrupt = (s->event & VMCB_EVENT_TYPE) == VMCB_EVENT_INTERRUPT;

    svm->vmcb->event_inject = 0;
    svm->interrupt = is_interrupt ? s->event : 0;
    svm->requeued = is_interrupt ? 0 : s->event;
    svm->requeued_error = s->event_error;
}

void svm_get_state(struct vcpu *v, struct hvm_state *s)
{
    struct vmcb *vmcb = v->arch->svm->vmcb;

    memset(s, 0, sizeof(*s));
    memcpy(s->segment, &vmcb->es, sizeof(s->segment));
    /* SS.DPL is the CPL only here. */
    s->segment[HVM_SS].attr = (uint16_t)((s->segment[HVM_SS].attr & ~0x60)
                                         | vmcb->cpl << 5);
    s->cr0 = vmcb->cr0;
    s->cr2 = vmcb->cr2;
    s->cr3 = vmcb->cr3;
    s->cr4 = vmcb->cr4;
    s->dr6 = vmcb->dr6;
    s->dr7 = vmcb->dr7;
    s->efer = vmcb->efer & ~EFER_SVME;
    s->star = vmcb->star;
    s->lstar = vmcb->lstar;
    s->cstar = vmcb->cstar;
    s->sfmask = vmcb->sfmask;
    s->kernel_gs_base = vmcb->kernel_gs_base;
    s->sysenter_cs = vmcb->sysenter_cs;
    s->sysenter_esp = vmcb->sysenter_esp;
    s->sysenter_eip = vmcb->sysenter_eip;
    s->pat = vmcb->pat;
    get_event(v->arch->svm, s);
}

void svm_set_state(struct vcpu *v, const struct hvm_state *s)
{
    struct svm_vcpu *svm = v->arch->svm;
    struct vmcb *vmcb = svm->vmcb;

    for (int name = 0; name < HVM_SEGMENT_COUNT; name++) {
        memcpy(segment_of(vmcb, (enum hvm_segment_name)name),
               &s->segment[name], sizeof(struct vmcb_segment));
    }
    vmcb->cpl = s->segment[HVM_SS].attr >> 5 & 3;
    vmcb->cr0 = s->cr0 | 0x10;
    vmcb->cr2 = s->cr2;
    vmcb->cr3 = s->cr3;
    vmcb->cr4 = s->cr4;
    vmcb->dr6 = s->dr6 | 0xffff0ff0;
    vmcb->dr7 = (s->dr7 & 0xffffffff) | 0x400;
    vmcb->efer = (s->efer & (EFER_GUEST | EFER_LMA)) | EFER_SVME;
    vmcb->star = s->star;
    vmcb->lstar = s->lstar;
    vmcb->cstar = s->cstar;
    vmcb->sfmask = s->sfmask;
    vmcb->kernel_gs_base = s->kernel_gs_base;
    vmcb->sysenter_cs = s->sysenter_cs;
    vmcb->sysenter_esp = s->sysenter_esp;
    vmcb->sysenter_eip = s->sysenter_eip;
    vmcb->pat = s->pat;
    vmcb->interrupt_shadow = 0;
    svm->nmi_blocked = false;
    svm->nmi_iret = 0;
    set_event(svm, s);
    svm->asid_cpu = NULL;
}

void svm_get_paging(struct vcpu *v, struct hvm_paging *p)
{
    const struct vmcb *vmcb = v->arch->svm->vmcb;

    p->cr0 = vmcb->cr0;
    p->cr3 = vmcb->cr3;
    p->cr4 = vmcb->cr4;
    p->efer = vmcb->efer & ~EFER_SVME;
    p->cpl = vmcb->cpl;
    p->is_code64 = vmcb->cs.attr >> 9 & 1;
}

/* Where the value of a plain MSR is; NULL if it is not one of ours. */
static uint64_t *msr_of(struct vmcb *vmcb, uint32_t index)
{
    switch (index) {
    case MSR_SYSENTER_CS:
        return &vmcb->sysenter_cs;
    case MSR_SYSENTER_ESP:
        return &vmcb->sysenter_esp;
    case MSR_SYSENTER_EIP:
        return &vmcb->sysenter_eip;
    case MSR_DEBUGCTL:
        return &vmcb->debugctl;
    case MSR_PAT:
        return &vmcb->pat;
    case MSR_STAR:
        return &vmcb->star;
    case MSR_LSTAR:
        return &vmcb->lstar;
    case MSR_CSTAR:
        return &vmcb->cstar;
    case MSR_SFMASK:
        return &vmcb->sfmask;
    case MSR_FS_BASE:
        return &vmcb->fs.base;
    case MSR_GS_BASE:
        return &vmcb->gs.base;
    case MSR_KERNEL_GS_BASE:
        return &vmcb->kernel_gs_base;
    default:
        return NULL;
    }
}

int svm_get_msr(struct vcpu *v, uint32_t index, uint64_t *value)
{
    struct vmcb *vmcb = v->arch->svm->vmcb;
    uint64_t *at = msr_of(vmcb, index);

    if (index == MSR_EFER) {
        *value = vmcb->efer & ~EFER_SVME;
        return 0;
    }
    if (at == NULL) {
        return -EINVAL;
    }
    *value = *at;
    return 0;
}

/* LMA follows LME and paging; LME cannot change under paging. */
static int set_efer(struct vmcb *vmcb, uint64_t value)
{
    uint64_t lma = vmcb->efer & EFER_LMA;

    if (value & ~(EFER_GUEST | EFER_LMA)) {
        return -EINVAL;
    }
    if ((vmcb->cr0 & CR0_PG) && ((value ^ vmcb->efer) & EFER_LME)) {
        return -EINVAL;
    }
    vmcb->efer = (value & EFER_GUEST) | lma | EFER_SVME;
    return 0;
}

static bool pat_is_valid(uint64_t pat)
{
    for (int i = 0; i < 8; i++) {
        uint8_t type = (uint8_t)(pat >> (8 * i));

        if (type > 7 || type == 2 || type == 3) {
            return false;
        }
    }
    return true;
}

int svm_set_msr(struct vcpu *v, uint32_t index, uint64_t value)
{
    struct vmcb *vmcb = v->arch->svm->vmcb;
    uint64_t *at = msr_of(vmcb, index);

    if (index == MSR_EFER) {
        return set_efer(vmcb, value);
    }
    if (at == NULL || (index == MSR_PAT && !pat_is_valid(value))) {
        return -EINVAL;
    }
    if ((index == MSR_LSTAR || index == MSR_CSTAR || index == MSR_FS_BASE
         || index == MSR_GS_BASE || index == MSR_KERNEL_GS_BASE
         || index == MSR_SYSENTER_ESP || index == MSR_SYSENTER_EIP)
        && !hvm_is_canonical(value)) {
        return -EINVAL;
    }
    *at = value;
    return 0;
}
