/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the CPU reports while the guest or we run.
 *
 *  1. Faults of ours go on at their fixup (guest.h); one without ends the
 *     domain.  An IRETQ that faults becomes the guest's own trap, at the
 *     place where it would have gone, as from Xen.
 *  2. Gates 32..255 have DPL 3: INT n gets here at once, and the guest's own
 *     table says whether its user mode may.  Gates below have DPL 0 but
 *     for INT3 and INTO: INT n there is #GP, which reads n from the code.
 *  3. #DB and #DF have a stack of their own: #DB may come in the first
 *     instruction of a system call, on the guest's stack.  It is dropped
 *     in ring 0; the guest's is handled on the stack of all others.
 */
#include "pvkern/guest.h"
#include "pvkern/table.h"

#define GATE_PRESENT (1ull << 47)
#define GATE_INTERRUPT (14ull << 40)
#define STUB_SIZE 16u
#define IST 1ull

#define ERROR_IDT 2u
#define INT_N 0xcd
#define VECTOR_LINUX 0x80

/* Hidden: clang goes by a table of addresses otherwise, and we have none. */
#pragma GCC visibility push(hidden)
extern const char entry_traps[], entry_iretq[];
extern const uint64_t fixup_start[][2], fixup_end[][2];
#pragma GCC visibility pop

uint64_t trap_idt[256][2] __attribute__((aligned(4096)));

_Noreturn void pvk_crash(enum pvk_crash why, uint64_t a, uint64_t b)
{
    for (;;) {
        (void)pvk_call(PVK_CALL_CRASH, why, a, b);
    }
}

void trap_init(void)
{
    for (unsigned int i = 0; i < 256; i++) {
        uint64_t to = (uint64_t)entry_traps + i * STUB_SIZE;
        bool any = i >= 32 || i == VECTOR_BP || i == VECTOR_OF;
        uint64_t ist = i == VECTOR_DB || i == VECTOR_DF ? IST : 0;

        trap_idt[i][0] = (to & 0xffff) | (uint64_t)PVK_CS << 16 | ist << 32
                         | GATE_INTERRUPT | (any ? 3ull : 0) << 45
                         | GATE_PRESENT | (to >> 16 & 0xffff) << 48;
        trap_idt[i][1] = to >> 32;
    }
}

/* ---- in ring 0 ---- */

static bool fix_up(struct pvk_regs *r)
{
    for (unsigned int i = 0; &fixup_start[i] < fixup_end; i++) {
        if (fixup_start[i][0] == r->rip) {
            r->rip = fixup_start[i][1];
            return true;
        }
    }
    return false;
}

/* The IRETQ's own frame is still there; the registers are in 'r'. */
static struct pvk_regs *iret_failed(struct pvk_vcpu *v, struct pvk_regs *r,
                                    uint64_t cr2)
{
    struct pvk_regs *top = pvk_top_regs((uint64_t)v);
    unsigned int vector = (unsigned int)r->vector;
    unsigned int error = (unsigned int)r->error;

    __builtin_memmove(top, r, offsetof(struct pvk_regs, vector));
    top->vector = 0;
    if (vector == VECTOR_PF && !segment_is_table(cr2, &error)) {
        bounce_page_fault(v, top, cr2, error);
    } else {
        bounce_trap(v, top, vector == VECTOR_PF ? VECTOR_GP : vector,
                    (int)error);
    }
    return trap_finish(v, top);
}

static struct pvk_regs *ring0_trap(struct pvk_vcpu *v, struct pvk_regs *r,
                                   uint64_t cr2)
{
    if (r->vector == VECTOR_DB) {
        r->rflags &= ~FLAG_TF;
        return r;
    }
    if (r->rip == (uint64_t)entry_iretq
        && (r->vector == VECTOR_GP || r->vector == VECTOR_NP
            || r->vector == VECTOR_SS || r->vector == VECTOR_PF)) {
        return iret_failed(v, r, cr2);
    }
    if (!fix_up(r)) {
        pvk_crash(PVK_CRASH_FAULT, r->vector, r->rip);
    }
    return r;
}

/* ---- in the guest ---- */

static void page_fault(struct pvk_vcpu *v, struct pvk_regs *r, uint64_t cr2)
{
    unsigned int selector;

    if (mmu_mend_fault(v, cr2, (unsigned int)r->error)) {
        return;
    }
    if (segment_is_table(cr2, &selector)) {
        bounce_trap(v, r, VECTOR_GP, (int)selector);
        return;
    }
    bounce_page_fault(v, r, cr2, (unsigned int)r->error);
}

/*
 * The guest's own gate decides, for its kernel as for one in ring 1; INT 0x80
 * was made fast by Xen, which does not look.
 */
static bool may_interrupt(const struct pvk_vcpu *v, unsigned int vector,
                          const struct trap_info *t)
{
    return t->address != 0
           && (vector == VECTOR_LINUX
               || TI_GET_DPL(t) >= (v->in_kernel ? 1 : 3));
}

/* INT n, or the like, of the guest. */
static void software_interrupt(struct pvk_vcpu *v, struct pvk_regs *r,
                               unsigned int vector, unsigned int length)
{
    const struct trap_info *t = pvk_gate((uint64_t)v, vector);

    if (!may_interrupt(v, vector, t)) {
        /* As if the instruction had not been executed. */
        r->rip -= length;
        bounce_trap(v, r, VECTOR_GP, (int)(vector << 3 | ERROR_IDT));
        return;
    }
    bounce_trap(v, r, vector, NO_ERROR_CODE);
}

static void general_protection(struct pvk_vcpu *v, struct pvk_regs *r)
{
    struct descriptor_view segment;
    uint8_t code[2];

    if ((r->error & ERROR_IDT) && segment_read_code(v, r, &segment)
        && guest_get(code, segment_linear(&segment, r->rip), sizeof(code))
        && code[0] == INT_N) {
        r->rip += sizeof(code);
        software_interrupt(v, r, code[1], sizeof(code));
        return;
    }
    if (r->error == 0 && privileged_emulate(v, r, VECTOR_GP)) {
        return;
    }
    bounce_trap(v, r, VECTOR_GP, (int)r->error);
}

static void debug_trap(struct pvk_vcpu *v, struct pvk_regs *r)
{
    (void)v;
    bounce_trap(v, r, VECTOR_DB, NO_ERROR_CODE);
}

static bool has_error(uint64_t vector)
{
    return vector == VECTOR_DF || (vector >= 10 && vector <= 14)
           || vector == 17;
}

static void guest_trap(struct pvk_vcpu *v, struct pvk_regs *r, uint64_t cr2)
{
    switch (r->vector) {
    case VECTOR_PF:
        page_fault(v, r, cr2);
        break;
    case VECTOR_GP:
        general_protection(v, r);
        break;
    case VECTOR_UD:
        if (!privileged_emulate(v, r, VECTOR_UD)) {
            bounce_trap(v, r, VECTOR_UD, NO_ERROR_CODE);
        }
        break;
    case VECTOR_NM:
        __asm__ volatile("clts");
        bounce_trap(v, r, VECTOR_NM, NO_ERROR_CODE);
        break;
    case VECTOR_DB:
        debug_trap(v, r);
        break;
    case PVK_EVENT_VECTOR:
        break;
    case 32 ... 255:
        software_interrupt(v, r, (unsigned int)r->vector, 2);
        break;
    default:
        bounce_trap(v, r, (unsigned int)r->vector,
                    has_error(r->vector) ? (int)r->error : NO_ERROR_CODE);
        break;
    }
}

static bool can_sysret(const struct pvk_regs *r)
{
    return r->cs == PVK_GUEST_CS && r->ss == PVK_GUEST_SS
           && pvk_is_canonical(r->rip)
           && !(r->rflags & (FLAG_RF | FLAG_VM));
}

static void tell(struct pvk_vcpu *v, struct pvk_regs *r)
{
    const vcpu_info_t *info = pvk_info(v);

    if (v->nmi_pending && !v->in_nmi
        && __atomic_exchange_n(&v->nmi_pending, 0, __ATOMIC_ACQUIRE)) {
        bounce_nmi(v, r);
    }
    if (__atomic_load_n(&info->evtchn_upcall_pending, __ATOMIC_ACQUIRE)
        && !__atomic_load_n(&info->evtchn_upcall_mask, __ATOMIC_RELAXED)
        && v->callback[PVK_ON_EVENT].address != 0) {
        bounce_event(v, r);
    }
}

struct pvk_regs *trap_finish(struct pvk_vcpu *v, struct pvk_regs *r)
{
    if (trap_has_news(v)) {
        tell(v, r);
    }
    if (r->vector >= PVK_FROM_SYSCALL) {
        r->vector = can_sysret(r) ? PVK_FROM_SYSCALL : 0;
    }
    return r;
}

/* entry.S; only of VECTOR_DB and VECTOR_DF 'r' is on another stack. */
struct pvk_regs *pvk_trap(struct pvk_regs *r)
{
    struct pvk_vcpu *v = pvk_this();
    struct pvk_regs *top = pvk_top_regs((uint64_t)v);
    uint64_t cr2 = r->vector == VECTOR_PF ? read_cr2() : 0;

    if (!(r->cs & 3)) {
        return ring0_trap(v, r, cr2);
    }
    if (r != top) {
        *top = *r;
    }
    guest_trap(v, top, cr2);
    return trap_finish(v, top);
}

/* SYSCALL: a hypercall of the kernel, or user mode's system call. */
struct pvk_regs *pvk_syscall(struct pvk_regs *r)
{
    struct pvk_vcpu *v = pvk_this();

    if (v->in_kernel) {
        return pvk_hypercall(v, r);
    }
    bounce_syscall(v, r, PVK_ON_SYSCALL);
    return trap_finish(v, r);
}

/* SYSENTER, and SYSCALL of 32-bit code. */
struct pvk_regs *pvk_compat_syscall(struct pvk_regs *r)
{
    struct pvk_vcpu *v = pvk_this();

    if (r->vector == PVK_FROM_SYSENTER) {
        bounce_syscall(v, r, PVK_ON_SYSENTER);
    } else if (!v->in_kernel) {
        bounce_syscall(v, r, PVK_ON_SYSCALL32);
    } else {
        r->vector = VECTOR_UD;
        bounce_trap(v, r, VECTOR_UD, NO_ERROR_CODE);
    }
    return trap_finish(v, r);
}
