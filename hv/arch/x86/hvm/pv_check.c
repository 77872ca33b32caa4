/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What of a vcpu_guest_context Xen refuses, and so do we, before anything is
 * changed: the personality could only end the domain for it.  Selectors are
 * not looked at: they are forced to RPL 3, and the guest hears of those that
 * cannot be loaded, by a trap of its own (cs, ss) or its failsafe callback.
 * Debug registers that it may not have so are left as they are.
 *
 *  1. No more is read than the context: pv.c looks at the frames.
 */
#include "hvm/pv.h"

#define LOW_HALF_END (1ull << 47)
#define LDT_ENTRIES 8192u
#define GDT_ENTRIES (PVK_GDT_FRAMES * (PAGE_SIZE / sizeof(uint64_t)))

/* The guest's half of the address space, or above what is ours. */
static bool is_guest_address(uint64_t va)
{
    return va < LOW_HALF_END || va >= PVK_HOLE_END;
}

static bool are_entries_canonical(const struct vcpu_guest_context *c)
{
    uint32_t wrong = 0;

    for (unsigned int i = 0; i < 256; i++) {
        wrong += !hvm_is_canonical(c->trap_ctxt[i].address);
    }
    return wrong == 0 && hvm_is_canonical(c->event_callback_eip)
           && hvm_is_canonical(c->failsafe_callback_eip)
           && hvm_is_canonical(c->syscall_callback_eip);
}

static bool are_registers_valid(const struct vcpu_guest_context *c)
{
    return hvm_is_canonical(c->user_regs.rip)
           && hvm_is_canonical(c->user_regs.rsp)
           && hvm_is_canonical(c->kernel_sp) && hvm_is_canonical(c->fs_base)
           && hvm_is_canonical(c->gs_base_kernel)
           && hvm_is_canonical(c->gs_base_user);
}

bool pv_context_is_valid(const struct vcpu_guest_context *c)
{
    return are_registers_valid(c) && are_entries_canonical(c)
           && is_guest_address(c->ldt_base)
           && (c->ldt_base & (PAGE_SIZE - 1)) == 0
           && c->ldt_ents <= LDT_ENTRIES && c->gdt_ents <= GDT_ENTRIES;
}
