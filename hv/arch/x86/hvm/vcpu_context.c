/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * DOMCTL_getvcpucontext and setvcpucontext: a vcpu in the ABI's PV form.  A
 * PVH guest's vcpu has of it what means something there: general, debug and
 * FPU registers, and whether it is up.  pv.c and pv_context.c have the PV
 * guests'.
 *
 *  1. The vcpu is paused.
 *  2. Segments and control registers of a PVH vcpu are shown as far as this
 *     form can; setting leaves them: the records of save.c are for them.
 */
#include "core/arch.h"
#include "hvm/hvm.h"
#include "hvm/pv.h"
#include "hvm/save.h"
#include "lib/atomic.h"
#include "lib/errno.h"
#include "lib/string.h"

#define DEBUG_STATUS 6
#define DEBUG_CONTROL 7

void hvm_regs_to_user(const struct hvm_regs *r, struct cpu_user_regs *u)
{
    u->rax = r->gpr[HVM_RAX];
    u->rbx = r->gpr[HVM_RBX];
    u->rcx = r->gpr[HVM_RCX];
    u->rdx = r->gpr[HVM_RDX];
    u->rsi = r->gpr[HVM_RSI];
    u->rdi = r->gpr[HVM_RDI];
    u->rbp = r->gpr[HVM_RBP];
    u->rsp = r->gpr[HVM_RSP];
    u->r8 = r->gpr[HVM_R8];
    u->r9 = r->gpr[HVM_R9];
    u->r10 = r->gpr[HVM_R10];
    u->r11 = r->gpr[HVM_R11];
    u->r12 = r->gpr[HVM_R12];
    u->r13 = r->gpr[HVM_R13];
    u->r14 = r->gpr[HVM_R14];
    u->r15 = r->gpr[HVM_R15];
    u->rip = r->rip;
    u->rflags = r->rflags;
}

void hvm_regs_from_user(const struct cpu_user_regs *u, struct hvm_regs *r)
{
    r->gpr[HVM_RAX] = u->rax;
    r->gpr[HVM_RBX] = u->rbx;
    r->gpr[HVM_RCX] = u->rcx;
    r->gpr[HVM_RDX] = u->rdx;
    r->gpr[HVM_RSI] = u->rsi;
    r->gpr[HVM_RDI] = u->rdi;
    r->gpr[HVM_RBP] = u->rbp;
    r->gpr[HVM_RSP] = u->rsp;
    r->gpr[HVM_R8] = u->r8;
    r->gpr[HVM_R9] = u->r9;
    r->gpr[HVM_R10] = u->r10;
    r->gpr[HVM_R11] = u->r11;
    r->gpr[HVM_R12] = u->r12;
    r->gpr[HVM_R13] = u->r13;
    r->gpr[HVM_R14] = u->r14;
    r->gpr[HVM_R15] = u->r15;
    r->rip = u->rip;
    r->rflags = (u->rflags & RFLAGS_ALLOWED) | 2;
}

static void segments_to_context(const struct hvm_state *s,
                                struct vcpu_guest_context *c)
{
    uint64_t active = s->segment[HVM_GS].base;
    bool in_kernel = (s->segment[HVM_SS].attr >> CPL_SHIFT & 3) == 0;

    c->user_regs.cs = s->segment[HVM_CS].selector;
    c->user_regs.ss = s->segment[HVM_SS].selector;
    c->user_regs.ds = s->segment[HVM_DS].selector;
    c->user_regs.es = s->segment[HVM_ES].selector;
    c->user_regs.fs = s->segment[HVM_FS].selector;
    c->user_regs.gs = s->segment[HVM_GS].selector;
    c->fs_base = s->segment[HVM_FS].base;
    c->gs_base_kernel = in_kernel ? active : s->kernel_gs_base;
    c->gs_base_user = in_kernel ? s->kernel_gs_base : active;
}

static void get_pvh_context(struct vcpu *v, struct vcpu_guest_context *c)
{
    struct hvm_state s;

    hvm_ops->get_state(v, &s);
    hvm_ops->get_fpu(v, &c->fpu_ctxt);
    c->flags = VGCF_i387_valid | (READ_ONCE(v->is_down) ? 0 : VGCF_online);
    hvm_regs_to_user(&v->arch->regs, &c->user_regs);
    segments_to_context(&s, c);
    c->ctrlreg[0] = s.cr0;
    c->ctrlreg[2] = s.cr2;
    c->ctrlreg[3] = s.cr3;
    c->ctrlreg[4] = s.cr4;
    for (unsigned int i = 0; i < 4; i++) {
        c->debugreg[i] = v->arch->dr[i];
    }
    c->debugreg[DEBUG_STATUS] = s.dr6;
    c->debugreg[DEBUG_CONTROL] = s.dr7;
}

void arch_vcpu_get_context(struct vcpu *v, struct vcpu_guest_context *c)
{
    memset(c, 0, sizeof(*c));
    if (is_pv(v->domain)) {
        pv_get_context(v, c);
    } else {
        get_pvh_context(v, c);
    }
}

/*
 * As who lets a guest go on after a suspension does: it sets rax in what it
 * has got from us.
 */
static int set_pvh_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct hvm_state s;

    if ((c->debugreg[DEBUG_STATUS] | c->debugreg[DEBUG_CONTROL])
            > UINT32_MAX
        || ((c->flags & VGCF_online) && !v->is_initialised)) {
        return -EINVAL;
    }
    hvm_ops->get_state(v, &s);
    s.dr6 = c->debugreg[DEBUG_STATUS];
    s.dr7 = c->debugreg[DEBUG_CONTROL];
    hvm_ops->set_state(v, &s);
    for (unsigned int i = 0; i < 4; i++) {
        v->arch->dr[i] = c->debugreg[i];
    }
    hvm_regs_from_user(&c->user_regs, &v->arch->regs);
    if (c->flags & VGCF_i387_valid) {
        hvm_ops->set_fpu(v, &c->fpu_ctxt);
    }
    if (c->flags & VGCF_online) {
        return vcpu_up(v);
    }
    vcpu_down(v);
    return 0;
}

int arch_vcpu_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    return is_pv(v->domain) ? pv_set_context(v, c) : set_pvh_context(v, c);
}
