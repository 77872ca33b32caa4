/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The first steps of a vcpu: what its vcpu_guest_context says becomes the
 * registers, tables and callbacks that the guest starts with.
 *
 *  1. The context is what the toolstack or the guest wrote; what is wrong in
 *     it ends the domain.
 *  2. The page table until the guest's is loaded is the hypervisor's, with
 *     our slots only.
 */
#include "pvkern/guest.h"
#include "pvkern/table.h"

#define CONTEXT_FLAGS 0x254dd5ul    /* what user mode may set */

static void load_callbacks(struct pvk_vcpu *v,
                           const struct vcpu_guest_context *c)
{
    struct trap_info *table = pvk_gate(pvk_area(), 0);

    hypercall_set_callback(v, PVK_ON_EVENT, c->event_callback_eip, true);
    hypercall_set_callback(v, PVK_ON_FAILSAFE, c->failsafe_callback_eip,
                           (c->flags & VGCF_failsafe_disables_events) != 0);
    hypercall_set_callback(v, PVK_ON_SYSCALL, c->syscall_callback_eip,
                           (c->flags & VGCF_syscall_disables_events) != 0);
    for (unsigned int i = 0; i < 256; i++) {
        table[i] = c->trap_ctxt[i];
    }
}

static void load_tables(struct pvk_vcpu *v,
                        const struct vcpu_guest_context *c)
{
    if ((c->gdt_ents | v->gdt_count) != 0
        && segment_load_gdt(v, c->gdt_frames, c->gdt_ents) != 0) {
        pvk_crash(PVK_CRASH_FAULT, VECTOR_GP, c->gdt_ents);
    }
    if ((c->ldt_ents | v->ldt_count) != 0) {
        (void)segment_set_ldt(v, c->ldt_base, c->ldt_ents);
    }
}

/* After 'r': selectors that cannot be loaded change where it begins. */
static void load_segments(struct pvk_vcpu *v, struct pvk_regs *r,
                          const struct vcpu_guest_context *c)
{
    const uint16_t selector[] = {
        [PVK_DS] = c->user_regs.ds, [PVK_ES] = c->user_regs.es,
        [PVK_FS] = c->user_regs.fs, [PVK_GS] = c->user_regs.gs,
    };
    bool ok = true;

    for (unsigned int i = PVK_DS; i <= PVK_GS; i++) {
        ok = segment_load((enum pvk_segment)i, selector[i]) && ok;
    }
    (void)segment_set_base(v, SEGBASE_FS, c->fs_base);
    (void)segment_set_base(v, SEGBASE_GS_KERNEL, c->gs_base_kernel);
    (void)segment_set_base(v, SEGBASE_GS_USER, c->gs_base_user);
    /* Restored in the middle of its user mode. */
    if (!(c->flags & VGCF_in_kernel) && !bounce_to_user(v)) {
        pvk_crash(PVK_CRASH_CR3, 0, r->rip);
    }
    if (!ok) {
        bounce_failsafe(v, r, selector);
    }
}

static void load_registers(struct pvk_regs *r, const struct cpu_user_regs *u)
{
    r->r15 = u->r15;
    r->r14 = u->r14;
    r->r13 = u->r13;
    r->r12 = u->r12;
    r->rbp = u->rbp;
    r->rbx = u->rbx;
    r->r11 = u->r11;
    r->r10 = u->r10;
    r->r9 = u->r9;
    r->r8 = u->r8;
    r->rax = u->rax;
    r->rcx = u->rcx;
    r->rdx = u->rdx;
    r->rsi = u->rsi;
    r->rdi = u->rdi;
    r->vector = 0;
    r->error = 0;
    r->rip = u->rip;
    r->cs = u->cs | 3;
    r->rflags = (u->rflags & CONTEXT_FLAGS & ~FLAG_IOPL) | FLAG_IF | 2;
    r->rsp = u->rsp;
    r->ss = u->ss | 3;
}

/* A vcpu without breakpoints never touches a debug register. */
static void load_breakpoints(struct pvk_vcpu *v,
                             const struct vcpu_guest_context *c)
{
    if ((c->debugreg[7] & 0xff) == 0) {
        return;
    }
    for (unsigned int i = 0; i < 4; i++) {
        (void)hypercall_set_debugreg(v, i, c->debugreg[i]);
    }
    (void)hypercall_set_debugreg(v, 7, c->debugreg[7]);
}

/* Of a vcpu that ran, was reset, and starts anew. */
static void leave_tables(struct pvk_vcpu *v)
{
    for (unsigned int i = 0; i < 2; i++) {
        if (v->left_cr3[i] != 0) {
            table_put(pte_frame(v->left_cr3[i]), 4);
            v->left_cr3[i] = 0;
        }
    }
}

/* entry.S: the first C of a vcpu, on its own stack. */
struct pvk_regs *boot_vcpu(void)
{
    struct pvk_vcpu *v = pvk_this();
    const struct vcpu_guest_context *c =
        (const struct vcpu_guest_context *)(pvk_area() + PVK_AREA_CONTEXT);
    struct pvk_regs *r = pvk_top_regs(pvk_area());

    trap_init();
    table_replay();
    v->in_kernel = 1;
    v->kernel_sp = c->kernel_sp;
    privileged_set_cr4(v, c->ctrlreg[4]);
    if (!mmu_load_kernel(v, c->ctrlreg[3] & PTE_ADDRESS)
        || (c->ctrlreg[1] != 0
            && !mmu_load_user(v, c->ctrlreg[1] & PTE_ADDRESS))) {
        pvk_crash(PVK_CRASH_CR3, c->ctrlreg[3], c->ctrlreg[1]);
    }
    leave_tables(v);
    if (v->id == 0) {
        hypercall_follow_assists(c->vm_assist);
    }
    v->iopl = (uint32_t)(c->user_regs.rflags & FLAG_IOPL) >> 12;
    load_callbacks(v, c);
    load_tables(v, c);
    load_registers(r, &c->user_regs);
    load_segments(v, r, c);
    load_breakpoints(v, c);
    v->stage = PVK_MOVING;
    if (c->ctrlreg[0] & CR0_TS) {
        write_cr0(read_cr0() | CR0_TS);
    }
    return trap_finish(v, r);
}
