/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Frames on the guest kernel's stack: how traps, events, system calls and
 * callbacks reach its handlers, and HYPERVISOR_iret, the way back.
 *
 *   rcx r11 [ds es fs gs] [error] rip cs|mask<<32 rflags rsp ss
 *
 *  1. A frame goes to kernel_sp if the guest was in user mode, else below
 *     its stack pointer, and starts 16-byte aligned.
 *  2. The guest's interrupt flag is shown as rflags.IF and kept in
 *     evtchn_upcall_mask; RPL 0 in a frame's cs means kernel mode.  Its IOPL
 *     is in frames only for those with the assist for that.
 *  3. What goes back into the registers is forced to CPL 3, IF set, IOPL 0.
 */
#include "pvkern/guest.h"

#define FRAME_WORDS 12u
#define IOPL_SHIFT 12

#define NOT_IN_HANDLERS (FLAG_TF | FLAG_VM | FLAG_RF | FLAG_NT | FLAG_IOPL \
                         | FLAG_AC)
/* What HYPERVISOR_iret may set: all of user mode's flags. */
#define IRET_FLAGS 0x254dd5ul

static bool is_masked(const struct pvk_vcpu *v)
{
    return __atomic_load_n(&pvk_info(v)->evtchn_upcall_mask,
                           __ATOMIC_RELAXED) != 0;
}

static void set_mask(struct pvk_vcpu *v, bool masked)
{
    __atomic_store_n(&pvk_info(v)->evtchn_upcall_mask, masked,
                     __ATOMIC_SEQ_CST);
}

void bounce_to_kernel(struct pvk_vcpu *v)
{
    v->in_kernel = 1;
    entry_swap_gs();
    write_cr3(v->kernel_cr3);
}

bool bounce_to_user(struct pvk_vcpu *v)
{
    if (v->user_cr3 == 0) {
        return false;
    }
    v->in_kernel = 0;
    entry_swap_gs();
    write_cr3(v->user_cr3);
    return true;
}

/* What a frame has beyond the usual. */
struct extra {
    uint64_t word[5];           /* lowest address first */
    unsigned int count;
};

static uint64_t shown_iopl(const struct pvk_vcpu *v)
{
    return pvk_domain()->shows_iopl ? (uint64_t)(v->iopl & 3) << IOPL_SHIFT
                                    : 0;
}

static void make_frame(struct pvk_vcpu *v, struct pvk_regs *r,
                       const struct pvk_callback *to,
                       const struct extra *extra)
{
    bool was_kernel = v->in_kernel;
    bool masked = is_masked(v);
    uint64_t frame[FRAME_WORDS];
    unsigned int n = 0;
    uint64_t sp;

    frame[n++] = r->rcx;
    frame[n++] = r->r11;
    for (unsigned int i = 0; i < extra->count; i++) {
        frame[n++] = extra->word[i];
    }
    frame[n++] = r->rip;
    frame[n++] = (r->cs & (was_kernel ? 0xfffc : 0xffff))
                 | (uint64_t)masked << 32;
    frame[n++] = (r->rflags & ~(FLAG_IF | FLAG_IOPL))
                 | (masked ? 0 : FLAG_IF) | shown_iopl(v);
    frame[n++] = r->rsp;
    frame[n++] = r->ss;
    if (!was_kernel) {
        bounce_to_kernel(v);
    }
    sp = ((was_kernel ? r->rsp : v->kernel_sp) & ~15ul) - n * 8;
    if (!guest_put(sp, frame, n * 8)) {
        pvk_crash(PVK_CRASH_STACK, sp, r->rip);
    }
    if (to->masks_events) {
        set_mask(v, true);
    }
    r->rip = to->address;
    r->cs = PVK_GUEST_CS;
    r->ss = PVK_GUEST_SS;
    r->rsp = sp;
    r->rflags = (r->rflags & ~NOT_IN_HANDLERS) | FLAG_IF;
    r->vector = PVK_FROM_SYSCALL;   /* rcx and r11 are in the frame */
}

void bounce_trap(struct pvk_vcpu *v, struct pvk_regs *r, unsigned int vector,
                 int error)
{
    const struct trap_info *t = pvk_gate(pvk_area(), vector);
    struct pvk_callback to = { .address = t->address,
                               .masks_events = TI_GET_IF(t) };
    struct extra extra = { .word = { (uint32_t)error } };

    if (to.address == 0) {
        pvk_crash(PVK_CRASH_TRAP, vector, r->rip);
    }
    extra.count = error != NO_ERROR_CODE;
    make_frame(v, r, &to, &extra);
}

void bounce_page_fault(struct pvk_vcpu *v, struct pvk_regs *r, uint64_t cr2,
                       unsigned int error)
{
    const unsigned int user = 4;

    pvk_info(v)->arch.cr2 = cr2;
    bounce_trap(v, r, VECTOR_PF,
                (int)(v->in_kernel ? error & ~user : error | user));
}

static void call_back(struct pvk_vcpu *v, struct pvk_regs *r,
                      enum pvk_callback_name name, const struct extra *extra)
{
    const struct pvk_callback *to = &v->callback[name];

    if (to->address == 0) {
        pvk_crash(PVK_CRASH_TRAP, 0x100u + name, r->rip);
    }
    make_frame(v, r, to, extra);
}

void bounce_event(struct pvk_vcpu *v, struct pvk_regs *r)
{
    const struct extra none = { .count = 0 };

    call_back(v, r, PVK_ON_EVENT, &none);
}

void bounce_nmi(struct pvk_vcpu *v, struct pvk_regs *r)
{
    if (pvk_gate(pvk_area(), VECTOR_NMI)->address != 0) {
        v->in_nmi = 1;
        bounce_trap(v, r, VECTOR_NMI, NO_ERROR_CODE);
    }
}

void bounce_syscall(struct pvk_vcpu *v, struct pvk_regs *r,
                    enum pvk_callback_name name)
{
    const struct extra none = { .count = 0 };

    if (v->callback[name].address == 0 && name == PVK_ON_SYSENTER) {
        /* The CPU kept no rip to go back to: #GP(0) at 0, as from Xen. */
        r->vector = VECTOR_GP;
        bounce_trap(v, r, VECTOR_GP, 0);
        return;
    }
    if (v->callback[name].address == 0) {
        /* As a CPU without the instruction. */
        r->rip -= 2;
        r->vector = VECTOR_UD;
        bounce_trap(v, r, VECTOR_UD, NO_ERROR_CODE);
        return;
    }
    call_back(v, r, name, &none);
    /* As by SFMASK, which SYSENTER has not. */
    if (name != PVK_ON_SYSENTER) {
        r->rflags &= ~FLAG_DF;
    }
}

void bounce_failsafe(struct pvk_vcpu *v, struct pvk_regs *r,
                     const uint16_t selector[4])
{
    const struct extra segments = {
        .word = { selector[PVK_DS], selector[PVK_ES], selector[PVK_FS],
                  selector[PVK_GS] },
        .count = 4,
    };

    call_back(v, r, PVK_ON_FAILSAFE, &segments);
}

void bounce_iret(struct pvk_vcpu *v, struct pvk_regs *r)
{
    struct iret_context c;

    if (!guest_get(&c, r->rsp, sizeof(c))) {
        pvk_crash(PVK_CRASH_IRET, r->rsp, r->rip);
    }
    set_mask(v, !(c.rflags & FLAG_IF));
    if (pvk_domain()->shows_iopl) {
        v->iopl = (uint32_t)(c.rflags & FLAG_IOPL) >> IOPL_SHIFT;
    }
    v->in_nmi = 0;
    r->rax = c.rax;
    r->rip = c.rip;
    r->rsp = c.rsp;
    r->cs = (c.cs & 0xffff) | 3;
    r->ss = (c.ss & 0xffff) | 3;
    r->rflags = (c.rflags & IRET_FLAGS & ~FLAG_IOPL) | FLAG_IF | 2;
    if (c.flags & VGCF_in_syscall) {
        /* As by SYSRET, with either size of operand. */
        r->cs = (c.cs & 0xffff) == PVK_GUEST_CS32 ? PVK_GUEST_CS32
                                                  : PVK_GUEST_CS;
        r->ss = PVK_GUEST_SS;
        r->rcx = r->rip;
        r->r11 = r->rflags;
        r->vector = PVK_FROM_SYSCALL;
    } else {
        r->rcx = c.rcx;
        r->r11 = c.r11;
        r->vector = 0;
    }
    if ((c.cs & 3) == 3 && !bounce_to_user(v)) {
        pvk_crash(PVK_CRASH_CR3, 0, c.rip);
    }
}
