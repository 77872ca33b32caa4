/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PV vcpu's state as the ABI's vcpu_guest_context: for who looks at a
 * guest, dumps it or takes it elsewhere.
 *
 *   not started yet             all is as it was set
 *   in the guest (CPL 3)        registers are the machine's
 *   waiting in the personality  they are the frame at its stack's top, rax
 *                               the result of its hypercall
 *
 * Elsewhere in the personality a vcpu is let run on before (domain_settle()),
 * for as long as an honest one can need: then it has what it left there.
 *
 *  1. The vcpu is paused.  What the personality keeps is read as the guest's
 *     word: it is shown, nothing depends on it.
 *  2. A vcpu that has run keeps all but its registers: what else there is may
 *     be changed by the guest alone.
 */
#include "core/arch.h"
#include "hvm/pv.h"
#include "lib/atomic.h"
#include "lib/errno.h"
#include "lib/string.h"

#define IOPL_SHIFT 12

static void from_machine(struct cpu_user_regs *u, const struct hvm_regs *r,
                         const struct hvm_state *s)
{
    hvm_regs_to_user(r, u);
    u->cs = s->segment[HVM_CS].selector;
    u->ss = s->segment[HVM_SS].selector;
}

static void from_frame(struct cpu_user_regs *u, const struct pvk_regs *f)
{
    u->rax = f->rax;
    u->rbx = f->rbx;
    u->rcx = f->rcx;
    u->rdx = f->rdx;
    u->rsi = f->rsi;
    u->rdi = f->rdi;
    u->rbp = f->rbp;
    u->rsp = f->rsp;
    u->r8 = f->r8;
    u->r9 = f->r9;
    u->r10 = f->r10;
    u->r11 = f->r11;
    u->r12 = f->r12;
    u->r13 = f->r13;
    u->r14 = f->r14;
    u->r15 = f->r15;
    u->rip = f->rip;
    u->rflags = f->rflags;
    u->cs = (uint16_t)f->cs;
    u->ss = (uint16_t)f->ss;
}

static void registers(struct vcpu *v, const struct hvm_state *s,
                      struct cpu_user_regs *u)
{
    struct pvk_regs frame;

    if ((s->segment[HVM_SS].attr >> CPL_SHIFT & 3) == 3) {
        from_machine(u, &v->arch->regs, s);
    } else {
        memcpy(&frame, v->arch->pv->stack_top_page + PAGE_SIZE
                       - sizeof(frame), sizeof(frame));
        from_frame(u, &frame);
        u->rax = v->arch->regs.gpr[HVM_RAX];
    }
    u->ds = s->segment[HVM_DS].selector;
    u->es = s->segment[HVM_ES].selector;
    u->fs = s->segment[HVM_FS].selector;
    u->gs = s->segment[HVM_GS].selector;
}

static void callbacks(const struct pvk_vcpu *p, struct vcpu_guest_context *c)
{
    c->event_callback_eip = p->callback[PVK_ON_EVENT].address;
    c->failsafe_callback_eip = p->callback[PVK_ON_FAILSAFE].address;
    c->syscall_callback_eip = p->callback[PVK_ON_SYSCALL].address;
    if (p->callback[PVK_ON_FAILSAFE].masks_events) {
        c->flags |= VGCF_failsafe_disables_events;
    }
    if (p->callback[PVK_ON_SYSCALL].masks_events) {
        c->flags |= VGCF_syscall_disables_events;
    }
}

static void segments(const struct pvk_vcpu *p, const struct hvm_state *s,
                     struct vcpu_guest_context *c)
{
    uint64_t active = s->segment[HVM_GS].base;
    bool in_kernel = p->in_kernel;

    c->fs_base = s->segment[HVM_FS].base;
    c->gs_base_kernel = in_kernel ? active : s->kernel_gs_base;
    c->gs_base_user = in_kernel ? s->kernel_gs_base : active;
    c->gdt_ents = p->gdt_count;
    for (unsigned int i = 0; i < PVK_GDT_FRAMES; i++) {
        c->gdt_frames[i] = p->gdt_frame[i];
    }
    c->ldt_base = p->ldt_base;
    c->ldt_ents = p->ldt_count;
}

/* The context that the personality starts from; see set_context(). */
static void as_set(struct vcpu *v, struct vcpu_guest_context *c)
{
    memcpy(c, v->arch->pv->context[0], PAGE_SIZE);
    memcpy((char *)c + PAGE_SIZE, v->arch->pv->context[1],
           sizeof(*c) - PAGE_SIZE);
    c->flags = (c->flags & ~(uint64_t)VGCF_online)
               | (READ_ONCE(v->is_down) ? 0 : VGCF_online);
}

void pv_get_context(struct vcpu *v, struct vcpu_guest_context *c)
{
    const struct pvk_vcpu *p = v->arch->pv->shared;
    struct hvm_state s;

    if (READ_ONCE(p->stage) == PVK_STARTING) {
        as_set(v, c);
        return;
    }
    hvm_ops->get_state(v, &s);
    hvm_ops->get_fpu(v, &c->fpu_ctxt);
    registers(v, &s, &c->user_regs);
    c->user_regs.rflags |= (uint64_t)(p->iopl & 3) << IOPL_SHIFT;
    c->flags = VGCF_i387_valid | (p->in_kernel ? VGCF_in_kernel : 0)
               | (READ_ONCE(v->is_down) ? 0 : VGCF_online);
    callbacks(p, c);
    segments(p, &s, c);
    memcpy(c->trap_ctxt, v->arch->pv->traps, sizeof(c->trap_ctxt));
    c->kernel_ss = PVK_GUEST_SS;
    c->kernel_sp = p->kernel_sp;
    c->ctrlreg[0] = s.cr0;
    c->ctrlreg[1] = p->user_cr3;
    c->ctrlreg[2] = v->info->arch.cr2;
    c->ctrlreg[3] = p->kernel_cr3;
    c->ctrlreg[4] = p->cr4;
    for (unsigned int i = 0; i < 4; i++) {
        c->debugreg[i] = v->arch->dr[i];
    }
    c->debugreg[6] = s.dr6;
    c->debugreg[7] = s.dr7 | (uint32_t)p->dr7;
}

/* ---- back into a vcpu that has run ---- */

#define FLAG_IF 0x200ull
/* What user mode may set: pvkern/boot.c has the same. */
#define CONTEXT_FLAGS 0x254dd5ull
#define FLAG_IOPL 0x3000ull

static uint64_t flags_of(const struct cpu_user_regs *u)
{
    return (u->rflags & CONTEXT_FLAGS & ~FLAG_IOPL) | FLAG_IF | 2;
}

static void to_machine(const struct cpu_user_regs *u, struct hvm_regs *r)
{
    hvm_regs_from_user(u, r);
    r->rflags = flags_of(u);
}

static void to_frame(const struct cpu_user_regs *u, struct pvk_regs *f)
{
    f->rax = u->rax;
    f->rbx = u->rbx;
    f->rcx = u->rcx;
    f->rdx = u->rdx;
    f->rsi = u->rsi;
    f->rdi = u->rdi;
    f->rbp = u->rbp;
    f->rsp = u->rsp;
    f->r8 = u->r8;
    f->r9 = u->r9;
    f->r10 = u->r10;
    f->r11 = u->r11;
    f->r12 = u->r12;
    f->r13 = u->r13;
    f->r14 = u->r14;
    f->r15 = u->r15;
    f->rip = u->rip;
    f->rflags = flags_of(u);
    f->vector = 0;
}

/* What it was at is not gone on with: it goes to its guest by 'u'. */
static void leave_by(struct vcpu *v, const struct cpu_user_regs *u)
{
    const uint64_t below = sizeof(struct pvk_regs);
    char *at = v->arch->pv->stack_top_page + PAGE_SIZE - below;
    struct hvm_regs *r = &v->arch->regs;
    struct pvk_regs frame;

    memcpy(&frame, at, sizeof(frame));
    to_frame(u, &frame);
    memcpy(at, &frame, sizeof(frame));
    r->gpr[HVM_RAX] = PVK_AREA(v->id) + PVK_AREA_STACK_TOP - below;
    r->rip = pv_image()->leave;
    r->rflags = 2;
    pv_abandon(v);
}

static bool has_same_tables(const struct pvk_vcpu *p,
                            const struct vcpu_guest_context *c)
{
    unsigned int frames = (p->gdt_count + 511) / 512;
    bool same = c->ctrlreg[3] == p->kernel_cr3 && c->ctrlreg[1] == p->user_cr3
                && c->gdt_ents == p->gdt_count && c->ldt_ents == p->ldt_count
                && (p->ldt_count == 0 || c->ldt_base == p->ldt_base);

    for (unsigned int i = 0; i < frames && i < PVK_GDT_FRAMES; i++) {
        same = same && c->gdt_frames[i] == p->gdt_frame[i];
    }
    return same;
}

int pv_set_registers(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct hvm_state s;

    if (!has_same_tables(v->arch->pv->shared, c)) {
        return -EOPNOTSUPP;
    }
    hvm_ops->get_state(v, &s);
    if ((s.segment[HVM_SS].attr >> CPL_SHIFT & 3) == 3) {
        to_machine(&c->user_regs, &v->arch->regs);
    } else {
        leave_by(v, &c->user_regs);
    }
    if (c->flags & VGCF_i387_valid) {
        hvm_ops->set_fpu(v, &c->fpu_ctxt);
    }
    return 0;
}

/* ---- the ways in that only 32-bit user mode has ---- */

void arch_pv_get_ext_context(struct vcpu *v,
                             struct xen_domctl_ext_vcpucontext *e)
{
    const struct pvk_callback *on = v->arch->pv->shared->callback;

    e->syscall32_callback_eip = on[PVK_ON_SYSCALL32].address;
    e->syscall32_disables_events = on[PVK_ON_SYSCALL32].masks_events != 0;
    e->sysenter_callback_eip = on[PVK_ON_SYSENTER].address;
    e->sysenter_disables_events = on[PVK_ON_SYSENTER].masks_events != 0;
}

void arch_pv_set_ext_context(struct vcpu *v,
                             const struct xen_domctl_ext_vcpucontext *e)
{
    struct pvk_callback *on = v->arch->pv->shared->callback;

    on[PVK_ON_SYSCALL32] = (struct pvk_callback){
        .address = e->syscall32_callback_eip,
        .masks_events = e->syscall32_disables_events != 0,
    };
    on[PVK_ON_SYSENTER] = (struct pvk_callback){
        .address = e->sysenter_callback_eip,
        .masks_events = e->sysenter_disables_events != 0,
    };
}
