/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * VCPUOP_initialise of HVM guests: public hvm/hvm_vcpu.h.
 *
 *  1. Everything is checked before anything is set.
 */
#include "hvm/hvm.h"
#include "lib/errno.h"

#include <xen/hvm/hvm_vcpu.h>

#define CR0_PE (1ull << 0)
#define CR0_ET (1ull << 4)
#define CR0_PG (1ull << 31)
#define CR4_PAE (1ull << 5)
#define CR4_ALLOWED 0x00370fffull
#define EFER_LME (1ull << 8)
#define EFER_LMA (1ull << 10)
#define EFER_ALLOWED 0x4d01ull
#define AR_WRITABLE 0x2         /* or, of code: readable */
#define AR_CODE 0x8
#define AR_MEMORY 0x10
#define AR_PRESENT 0x80
#define AR_LONG 0x200
#define AR_CODE64 0xa9b
#define AR_DATA 0xc93
#define AR_TSS 0x8b

static bool is_paging_valid(uint64_t cr0, uint64_t cr4, uint64_t efer)
{
    if ((cr0 >> 32) != 0 || (cr4 & ~CR4_ALLOWED) != 0
        || (efer & ~EFER_ALLOWED) != 0) {
        return false;
    }
    return !(cr0 & CR0_PG) || (cr0 & CR0_PE);
}

static void set_segment(struct hvm_state *s, enum hvm_segment_name name,
                        uint32_t base, uint32_t limit, uint16_t attr)
{
    s->segment[name] = (struct hvm_segment){
        .base = base, .limit = limit, .attr = attr,
    };
}

/* Can a vcpu start with these?  APM 15.5.1 refuses others, or they fault. */
static bool are_segments_valid(const struct vcpu_hvm_x86_32 *c)
{
    uint32_t all = c->cs_ar | c->ds_ar | c->ss_ar | c->es_ar | c->tr_ar;
    bool present = c->cs_ar & c->ss_ar & c->tr_ar & AR_PRESENT;

    return (all & 0xf000) == 0 && present
           && (c->cs_ar & (AR_MEMORY | AR_CODE)) == (AR_MEMORY | AR_CODE)
           && (c->ss_ar & (AR_MEMORY | AR_CODE | AR_WRITABLE))
              == (AR_MEMORY | AR_WRITABLE)
           /* 64-bit code segments are what the other form is for. */
           && (c->cs_ar & AR_LONG) == 0;
}

static int set_32(struct vcpu *v, const struct vcpu_hvm_x86_32 *c,
                  struct hvm_state *s)
{
    uint64_t *gpr = v->arch->regs.gpr;

    if (!is_paging_valid(c->cr0, c->cr4, c->efer)
        || !are_segments_valid(c)) {
        return -EINVAL;
    }
    set_segment(s, HVM_CS, c->cs_base, c->cs_limit, c->cs_ar);
    set_segment(s, HVM_DS, c->ds_base, c->ds_limit, c->ds_ar);
    set_segment(s, HVM_SS, c->ss_base, c->ss_limit, c->ss_ar);
    set_segment(s, HVM_ES, c->es_base, c->es_limit, c->es_ar);
    set_segment(s, HVM_TR, c->tr_base, c->tr_limit, c->tr_ar);
    s->cr0 = c->cr0 | CR0_ET;
    s->cr3 = c->cr3;
    s->cr4 = c->cr4;
    s->efer = c->efer;
    gpr[HVM_RAX] = c->eax;
    gpr[HVM_RCX] = c->ecx;
    gpr[HVM_RDX] = c->edx;
    gpr[HVM_RBX] = c->ebx;
    gpr[HVM_RSP] = c->esp;
    gpr[HVM_RBP] = c->ebp;
    gpr[HVM_RSI] = c->esi;
    gpr[HVM_RDI] = c->edi;
    v->arch->regs.rip = c->eip;
    v->arch->regs.rflags = c->eflags | 2;
    return 0;
}

static int set_64(struct vcpu *v, const struct vcpu_hvm_x86_64 *c,
                  struct hvm_state *s)
{
    uint64_t *gpr = v->arch->regs.gpr;

    if (!is_paging_valid(c->cr0, c->cr4, c->efer) || !(c->cr0 & CR0_PG)
        || !(c->cr4 & CR4_PAE) || !(c->efer & EFER_LME)
        || !(c->efer & EFER_LMA)) {
        return -EINVAL;
    }
    set_segment(s, HVM_CS, 0, 0xffffffff, AR_CODE64);
    set_segment(s, HVM_DS, 0, 0xffffffff, AR_DATA);
    set_segment(s, HVM_SS, 0, 0xffffffff, AR_DATA);
    set_segment(s, HVM_ES, 0, 0xffffffff, AR_DATA);
    set_segment(s, HVM_TR, 0, 0x67, AR_TSS);
    s->cr0 = c->cr0 | CR0_ET;
    s->cr3 = c->cr3;
    s->cr4 = c->cr4;
    s->efer = c->efer;
    gpr[HVM_RAX] = c->rax;
    gpr[HVM_RCX] = c->rcx;
    gpr[HVM_RDX] = c->rdx;
    gpr[HVM_RBX] = c->rbx;
    gpr[HVM_RSP] = c->rsp;
    gpr[HVM_RBP] = c->rbp;
    gpr[HVM_RSI] = c->rsi;
    gpr[HVM_RDI] = c->rdi;
    v->arch->regs.rip = c->rip;
    v->arch->regs.rflags = c->rflags | 2;
    return 0;
}

int arch_vcpu_set_hvm_context(struct vcpu *v,
                              const struct vcpu_hvm_context *c)
{
    struct hvm_state s;
    int rc;

    if (c->pad != 0) {
        return -EINVAL;
    }
    hvm_vcpu_reset(v, 0);
    hvm_ops->get_state(v, &s);
    switch (c->mode) {
    case VCPU_HVM_MODE_32B:
        rc = set_32(v, &c->cpu_regs.x86_32, &s);
        break;
    case VCPU_HVM_MODE_64B:
        rc = set_64(v, &c->cpu_regs.x86_64, &s);
        break;
    default:
        rc = -EINVAL;
        break;
    }
    if (rc == 0) {
        hvm_ops->set_state(v, &s);
    }
    return rc;
}
