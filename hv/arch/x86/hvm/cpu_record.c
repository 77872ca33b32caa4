/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vcpu's registers as the record CPU of public hvm/save.h.  save.c calls
 * it, for who builds, saves, restores or looks at a domain.
 *
 *  1. A record is checked whole before any of it is applied, and as strictly
 *     as the domain's CPU policy: VMRUN would end a guest that it cannot run.
 *  2. An event whose delivery an exit cut short goes with its vcpu.  Software
 *     interrupts do not: their instruction is executed again.
 *  3. The vcpu is paused: what the machine keeps of it is in memory.
 */
#include "hvm/cpuid.h"
#include "hvm/hvm.h"
#include "hvm/save.h"
#include "lib/atomic.h"
#include "lib/errno.h"
#include "lib/string.h"

#define CR0_PE (1ull << 0)
#define CR0_ET (1ull << 4)
#define CR0_NW (1ull << 29)
#define CR0_CD (1ull << 30)
#define CR0_PG (1ull << 31)
#define CR0_ALLOWED 0xe005003full
#define CR4_PAE (1ull << 5)
/* VME to PCE, OSFXSR, OSXMMEXCPT: every 64-bit CPU has these. */
#define CR4_ALWAYS 0x7ffull
#define EFER_SCE (1ull << 0)
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)
#define EFER_NX (1ull << 11)
#define EFER_FFXSR (1ull << 14)
#define ATTR_ALLOWED 0xfffu

#define TYPE_INTERRUPT 0
#define TYPE_NMI 2
#define TYPE_EXCEPTION 3
#define TYPE_MAX 4
#define VECTOR_BREAKPOINT 3
#define VECTOR_OVERFLOW 4

/* ---- from a vcpu ---- */

#define SEGMENT_OUT(c, s, name, index)                                  \
    ((c)->name##_sel = (s)->segment[index].selector,                    \
     (c)->name##_limit = (s)->segment[index].limit,                     \
     (c)->name##_base = (s)->segment[index].base,                       \
     (c)->name##_arbytes = (s)->segment[index].attr & ATTR_ALLOWED)

static void segments_out(struct hvm_hw_cpu *c, const struct hvm_state *s)
{
    SEGMENT_OUT(c, s, cs, HVM_CS);
    SEGMENT_OUT(c, s, ds, HVM_DS);
    SEGMENT_OUT(c, s, es, HVM_ES);
    SEGMENT_OUT(c, s, fs, HVM_FS);
    SEGMENT_OUT(c, s, gs, HVM_GS);
    SEGMENT_OUT(c, s, ss, HVM_SS);
    SEGMENT_OUT(c, s, tr, HVM_TR);
    SEGMENT_OUT(c, s, ldtr, HVM_LDTR);
    c->idtr_base = s->segment[HVM_IDTR].base;
    c->idtr_limit = s->segment[HVM_IDTR].limit;
    c->gdtr_base = s->segment[HVM_GDTR].base;
    c->gdtr_limit = s->segment[HVM_GDTR].limit;
}

static void registers_out(struct hvm_hw_cpu *c, const struct hvm_regs *r)
{
    c->rax = r->gpr[HVM_RAX];
    c->rbx = r->gpr[HVM_RBX];
    c->rcx = r->gpr[HVM_RCX];
    c->rdx = r->gpr[HVM_RDX];
    c->rbp = r->gpr[HVM_RBP];
    c->rsi = r->gpr[HVM_RSI];
    c->rdi = r->gpr[HVM_RDI];
    c->rsp = r->gpr[HVM_RSP];
    c->r8 = r->gpr[HVM_R8];
    c->r9 = r->gpr[HVM_R9];
    c->r10 = r->gpr[HVM_R10];
    c->r11 = r->gpr[HVM_R11];
    c->r12 = r->gpr[HVM_R12];
    c->r13 = r->gpr[HVM_R13];
    c->r14 = r->gpr[HVM_R14];
    c->r15 = r->gpr[HVM_R15];
    c->rip = r->rip;
    c->rflags = r->rflags;
}

/* What is to be delivered first; an NMI that nobody took yet counts. */
static void event_out(struct vcpu *v, const struct hvm_state *s,
                      struct hvm_hw_cpu *c)
{
    c->pending_event = s->event;
    c->error_code = s->event_error;
    if (!c->pending_valid
        && __atomic_load_n(&v->arch->nmi_pending, __ATOMIC_ACQUIRE)) {
        c->pending_event = 0;
        c->error_code = 0;
        c->pending_vector = HVM_VECTOR_NMI;
        c->pending_type = TYPE_NMI;
        c->pending_valid = 1;
    }
}

void cpu_record_save(struct vcpu *v, uint64_t host_tsc, struct hvm_hw_cpu *c)
{
    struct hvm_state s;

    memset(c, 0, sizeof(*c));
    hvm_ops->get_state(v, &s);
    hvm_ops->get_fpu(v, c->fpu_regs);
    c->flags = XEN_X86_FPU_INITIALISED;
    registers_out(c, &v->arch->regs);
    segments_out(c, &s);
    c->cr0 = s.cr0;
    c->cr2 = s.cr2;
    c->cr3 = s.cr3;
    c->cr4 = s.cr4;
    c->dr0 = v->arch->dr[0];
    c->dr1 = v->arch->dr[1];
    c->dr2 = v->arch->dr[2];
    c->dr3 = v->arch->dr[3];
    c->dr6 = s.dr6;
    c->dr7 = s.dr7;
    c->sysenter_cs = s.sysenter_cs;
    c->sysenter_esp = s.sysenter_esp;
    c->sysenter_eip = s.sysenter_eip;
    c->shadow_gs = s.kernel_gs_base;
    c->msr_lstar = s.lstar;
    c->msr_star = s.star;
    c->msr_cstar = s.cstar;
    c->msr_syscall_mask = s.sfmask;
    c->msr_efer = s.efer;
    c->msr_tsc_aux = v->arch->tsc_aux;
    c->tsc = host_tsc + v->arch->tsc_offset;
    event_out(v, &s, c);
}

/* ---- is it one that the domain's CPUs can be in? ---- */

static bool is_cr0_valid(uint64_t cr0)
{
    return (cr0 & ~CR0_ALLOWED) == 0 && (cr0 & CR0_ET) != 0
           && (cr0 & (CR0_PG | CR0_PE)) != CR0_PG
           && (cr0 & (CR0_NW | CR0_CD)) != CR0_NW;
}

static bool is_cr4_valid(const struct domain *d, uint64_t cr4)
{
    static const struct { uint32_t leaf; uint8_t reg, bit, cr4; } of[] = {
        { 7, 2, 2, 11 },            /* UMIP */
        { 7, 1, 0, 16 },            /* FSGSBASE */
        { 1, 2, 17, 17 },           /* PCIDE */
        { 1, 2, 26, 18 },           /* OSXSAVE */
        { 7, 1, 7, 20 },            /* SMEP */
        { 7, 1, 20, 21 },           /* SMAP */
    };
    uint64_t allowed = CR4_ALWAYS;

    for (unsigned int i = 0; i < ARRAY_SIZE(of); i++) {
        if (cpuid_has(d, of[i].leaf, of[i].reg, of[i].bit)) {
            allowed |= 1ull << of[i].cr4;
        }
    }
    return (cr4 & ~allowed) == 0;
}

/* Long mode is active when it is enabled and paging is on, with PAE. */
static bool is_efer_valid(const struct domain *d, const struct hvm_hw_cpu *c)
{
    uint64_t allowed = EFER_SCE | EFER_LME | EFER_LMA;
    bool active = (c->msr_efer & EFER_LME) && (c->cr0 & CR0_PG);

    if (cpuid_has(d, 0x80000001, 3, 20)) {
        allowed |= EFER_NX;
    }
    if (cpuid_has(d, 0x80000001, 3, 25)) {
        allowed |= EFER_FFXSR;
    }
    return (c->msr_efer & ~allowed) == 0
           && ((c->msr_efer & EFER_LMA) != 0) == active
           && (!active || (c->cr4 & CR4_PAE) != 0);
}

static bool is_cr3_valid(struct vcpu *v, uint64_t cr3)
{
    uint32_t sizes[4];

    cpuid_read(v, 0x80000008, 0, sizes);
    return cr3 >> (sizes[0] & 0x3f) == 0;
}

static bool is_event_valid(const struct hvm_hw_cpu *c)
{
    if (!c->pending_valid) {
        return true;
    }
    if (c->pending_reserved != 0 || c->pending_type == 1
        || c->pending_type > TYPE_MAX
        || (c->pending_error_valid && c->error_code > 0xffff)) {
        return false;
    }
    return c->pending_type != TYPE_EXCEPTION
           || (c->pending_vector < 32 && c->pending_vector != HVM_VECTOR_NMI);
}

static bool are_segments_valid(const struct hvm_hw_cpu *c)
{
    uint32_t sel = c->cs_sel | c->ds_sel | c->es_sel | c->fs_sel | c->gs_sel
                   | c->ss_sel | c->tr_sel | c->ldtr_sel;
    uint32_t attr = c->cs_arbytes | c->ds_arbytes | c->es_arbytes
                    | c->fs_arbytes | c->gs_arbytes | c->ss_arbytes
                    | c->tr_arbytes | c->ldtr_arbytes;

    return sel <= UINT16_MAX && (attr & ~ATTR_ALLOWED) == 0;
}

static bool is_valid(struct vcpu *v, const struct hvm_hw_cpu *c)
{
    const struct domain *d = v->domain;

    return is_cr0_valid(c->cr0) && is_cr4_valid(d, c->cr4)
           && is_efer_valid(d, c) && is_cr3_valid(v, c->cr3)
           && (c->flags & ~XEN_X86_FPU_INITIALISED) == 0 && c->pad0 == 0
           && c->msr_tsc_aux <= UINT32_MAX && (c->dr6 | c->dr7) <= UINT32_MAX
           && is_event_valid(c) && are_segments_valid(c);
}

/* ---- into a vcpu ---- */

#define SEGMENT_IN(c, s, name, index)                                   \
    ((s)->segment[index] = (struct hvm_segment){                        \
        .selector = (uint16_t)(c)->name##_sel,                          \
        .attr = (uint16_t)(c)->name##_arbytes,                          \
        .limit = (c)->name##_limit, .base = (c)->name##_base })

static void segments_in(const struct hvm_hw_cpu *c, struct hvm_state *s)
{
    SEGMENT_IN(c, s, cs, HVM_CS);
    SEGMENT_IN(c, s, ds, HVM_DS);
    SEGMENT_IN(c, s, es, HVM_ES);
    SEGMENT_IN(c, s, fs, HVM_FS);
    SEGMENT_IN(c, s, gs, HVM_GS);
    SEGMENT_IN(c, s, ss, HVM_SS);
    SEGMENT_IN(c, s, tr, HVM_TR);
    SEGMENT_IN(c, s, ldtr, HVM_LDTR);
    s->segment[HVM_IDTR].base = c->idtr_base;
    s->segment[HVM_IDTR].limit = c->idtr_limit;
    s->segment[HVM_GDTR].base = c->gdtr_base;
    s->segment[HVM_GDTR].limit = c->gdtr_limit;
}

static void registers_in(const struct hvm_hw_cpu *c, struct hvm_regs *r)
{
    r->gpr[HVM_RAX] = c->rax;
    r->gpr[HVM_RBX] = c->rbx;
    r->gpr[HVM_RCX] = c->rcx;
    r->gpr[HVM_RDX] = c->rdx;
    r->gpr[HVM_RBP] = c->rbp;
    r->gpr[HVM_RSI] = c->rsi;
    r->gpr[HVM_RDI] = c->rdi;
    r->gpr[HVM_RSP] = c->rsp;
    r->gpr[HVM_R8] = c->r8;
    r->gpr[HVM_R9] = c->r9;
    r->gpr[HVM_R10] = c->r10;
    r->gpr[HVM_R11] = c->r11;
    r->gpr[HVM_R12] = c->r12;
    r->gpr[HVM_R13] = c->r13;
    r->gpr[HVM_R14] = c->r14;
    r->gpr[HVM_R15] = c->r15;
    r->rip = c->rip;
    r->rflags = (c->rflags & RFLAGS_ALLOWED) | 2;
}

/* Only what its instruction does not bring about once more. */
static void event_in(const struct hvm_hw_cpu *c, struct hvm_state *s)
{
    bool again = c->pending_type == TYPE_INTERRUPT
                 || c->pending_type == TYPE_NMI
                 || (c->pending_type == TYPE_EXCEPTION
                     && c->pending_vector != VECTOR_BREAKPOINT
                     && c->pending_vector != VECTOR_OVERFLOW);

    s->event = c->pending_valid && again ? c->pending_event : 0;
    s->event_error = c->error_code;
}

static void state_in(const struct hvm_hw_cpu *c, struct hvm_state *s)
{
    segments_in(c, s);
    event_in(c, s);
    s->cr0 = c->cr0;
    s->cr2 = c->cr2;
    s->cr3 = c->cr3;
    s->cr4 = c->cr4;
    s->dr6 = c->dr6;
    s->dr7 = c->dr7;
    s->sysenter_cs = c->sysenter_cs;
    s->sysenter_esp = c->sysenter_esp;
    s->sysenter_eip = c->sysenter_eip;
    s->kernel_gs_base = c->shadow_gs;
    s->lstar = c->msr_lstar;
    s->star = c->msr_star;
    s->cstar = c->msr_cstar;
    s->sfmask = c->msr_syscall_mask;
    s->efer = c->msr_efer;
}

int cpu_record_load(struct vcpu *v, const struct hvm_hw_cpu *c)
{
    struct arch_vcpu *a = v->arch;
    struct hvm_state s;

    if (!is_valid(v, c)) {
        return -EINVAL;
    }
    hvm_ops->get_state(v, &s);
    state_in(c, &s);
    hvm_ops->set_state(v, &s);
    registers_in(c, &a->regs);
    a->dr[0] = c->dr0;
    a->dr[1] = c->dr1;
    a->dr[2] = c->dr2;
    a->dr[3] = c->dr3;
    a->tsc_aux = c->msr_tsc_aux;
    if (c->flags & XEN_X86_FPU_INITIALISED) {
        hvm_ops->set_fpu(v, c->fpu_regs);
    }
    v->is_initialised = true;
    return vcpu_up(v);
}
