/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a PV guest is answered by Xen, each case as it is there: the run on
 * stock Xen is the oracle.  Frames are machine frames, and nothing is pinned
 * that is mapped writable.
 */
#include "pv/pv.h"

#define SPINS 200000000u
#define NOWHERE 0x8000000000000000ul
#define NO_FRAME (1ul << 38)
#define HOLE 0xffff808000000000ul

static struct vcpu_guest_context context;

static long vcpu_op(unsigned int op, unsigned int vcpu, void *arg)
{
    return hypercall(__HYPERVISOR_vcpu_op, op, vcpu, PTR(arg));
}

static void protect(const void *page)
{
    (void)update_va(page, mfn_of(page) << PAGE_SHIFT | PTE_RO);
}

/* ---- VCPUOP_initialise ---- */

static volatile unsigned int started;

static void __attribute__((noreturn)) stop(unsigned int vcpu)
{
    for (;;) {
        (void)vcpu_op(VCPUOP_down, vcpu, NULL);
    }
}

static void __attribute__((noreturn)) start_1(void)
{
    started++;
    stop(1);
}

/* What vcpus 2 and 3 found on their stacks behind rcx and r11. */
static uint64_t bad[2][9];

extern const char on_gp[], on_failsafe[];
__asm__(".text\n"
        "on_gp: mov %rsp, %rdi; and $-16, %rsp; call start_2\n"
        "on_failsafe: mov %rsp, %rdi; and $-16, %rsp; call start_3\n");
void start_2(const uint64_t *frame) __attribute__((noreturn));
void start_3(const uint64_t *frame) __attribute__((noreturn));

void start_2(const uint64_t *frame)
{
    memcpy(bad[0], frame + 2, sizeof(bad[0]));
    stop(2);
}

void start_3(const uint64_t *frame)
{
    memcpy(bad[1], frame + 2, sizeof(bad[1]));
    stop(3);
}

static bool goes_down(unsigned int vcpu)
{
    for (unsigned int i = 0; i < SPINS; i++) {
        if (vcpu_op(VCPUOP_is_up, vcpu, NULL) == 0) {
            return true;
        }
        (void)hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
    }
    return false;
}

/* One word of the context made bad, and good again after it. */
static void refuse(const char *name, void *at, uint64_t value)
{
    uint64_t was = *(uint64_t *)at;

    *(uint64_t *)at = value;
    pv_equal(name, vcpu_op(VCPUOP_initialise, 1, &context), -EINVAL);
    *(uint64_t *)at = was;
}

static void refuse_addresses(void)
{
    struct vcpu_guest_context *c = &context;

    refuse("context-rip", &c->user_regs.rip, NOWHERE);
    refuse("context-rsp", &c->user_regs.rsp, NOWHERE);
    refuse("context-kernel-sp", &c->kernel_sp, NOWHERE);
    refuse("context-fs-base", &c->fs_base, NOWHERE);
    refuse("context-gs-kernel", &c->gs_base_kernel, NOWHERE);
    refuse("context-gs-user", &c->gs_base_user, NOWHERE);
    refuse("context-event", &c->event_callback_eip, NOWHERE);
    refuse("context-failsafe", &c->failsafe_callback_eip, NOWHERE);
    refuse("context-syscall", &c->syscall_callback_eip, NOWHERE);
    refuse("context-trap", &c->trap_ctxt[200].address, NOWHERE);
}

static void refuse_tables(void)
{
    struct vcpu_guest_context *c = &context;
    uint64_t *l1 = pv_pages(1), *gdt = pv_pages(1);

    protect(l1);
    pv_equal("context-pin", mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(l1)), 0);
    refuse("context-cr3-beyond", &c->ctrlreg[3], NO_FRAME << PAGE_SHIFT);
    refuse("context-cr3-level", &c->ctrlreg[3], mfn_of(l1) << PAGE_SHIFT);
    refuse("context-user-beyond", &c->ctrlreg[1], NO_FRAME << PAGE_SHIFT);
    refuse("context-user-level", &c->ctrlreg[1], mfn_of(l1) << PAGE_SHIFT);
    refuse("context-without-user", &c->flags, 0);
    refuse("context-ldt-aligned", &c->ldt_base, PTR(gdt) + 8);
    refuse("context-ldt-count", &c->ldt_ents, 8193);
    refuse("context-ldt-in-hole", &c->ldt_base, HOLE);
    refuse("context-gdt-count", &c->gdt_ents, 7169);
    c->gdt_ents = 512;
    refuse("context-gdt-beyond", &c->gdt_frames[0], NO_FRAME);
    refuse("context-gdt-table", &c->gdt_frames[0], mfn_of(l1));
    gdt[5] = 0x0000ec00e0080000ul;      /* a call gate */
    protect(gdt);
    refuse("context-gdt-gate", &c->gdt_frames[0], mfn_of(gdt));
    c->gdt_ents = 0;
    pv_equal("context-unpin", mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l1)), 0);
}

/* Selectors that cannot be loaded: a trap, or the failsafe callback. */
static void start_badly(void)
{
    pv_make_context(&context, start_1);
    context.user_regs.cs = 0x1230;
    context.trap_ctxt[13].cs = FLAT_KERNEL_CS;
    context.trap_ctxt[13].address = PTR(on_gp);
    pv_equal("bad-cs", vcpu_op(VCPUOP_initialise, 2, &context), 0);
    pv_equal("bad-cs-up", vcpu_op(VCPUOP_up, 2, NULL), 0);
    pv_case(goes_down(2) && bad[0][0] == 0x1230 && bad[0][1] == PTR(start_1)
            && (bad[0][2] & 0xffff) == 0x1230, "bad-cs-traps",
            "error %lx rip %lx cs %lx", bad[0][0], bad[0][1], bad[0][2]);
    pv_make_context(&context, start_1);
    context.user_regs.ds = 0x1233;
    context.failsafe_callback_eip = PTR(on_failsafe);
    pv_equal("bad-ds", vcpu_op(VCPUOP_initialise, 3, &context), 0);
    pv_equal("bad-ds-up", vcpu_op(VCPUOP_up, 3, NULL), 0);
    pv_case(goes_down(3) && bad[1][0] == 0x1233 && bad[1][4] == PTR(start_1)
            && (bad[1][5] & 0xffff) == (FLAT_KERNEL_CS & ~3u),
            "bad-ds-fails-safe", "ds %lx rip %lx cs %lx", bad[1][0],
            bad[1][4], bad[1][5]);
    pv_equal("bad-never-started", started, 1);
}

/* Frames that no user mode can run on. */
static void test_iret(void)
{
    struct pv_start s = {
        .rip = NOWHERE, .rsp = USER_STACK + PAGE_SIZE,
        .rflags = 0x202, .cs = FLAT_USER_CS, .ss = FLAT_USER_SS,
    };

    pv_user(&s);
    pv_case(trap_last.vector == 13 && trap_last.error == 0
            && trap_last.rip == s.rip, "iret-non-canonical",
            "vector %lx error %lx rip %lx", trap_last.vector, trap_last.error,
            trap_last.rip);
    s.flags = VGCF_in_syscall;
    pv_user(&s);
    pv_case(trap_last.vector == 13 && trap_last.rip == s.rip,
            "sysret-non-canonical", "vector %lx rip %lx", trap_last.vector,
            trap_last.rip);
    s.flags = 0;
    s.rip = USER_CODE;
    s.cs = 0x1233;
    pv_user(&s);
    pv_case(trap_last.vector == 13 && trap_last.error == 0x1230
            && trap_last.rip == s.rip && (trap_last.cs & 0xffff) == s.cs,
            "iret-bad-cs", "vector %lx error %lx cs %lx", trap_last.vector,
            trap_last.error, trap_last.cs);
    s.cs = FLAT_USER_CS;
    s.ss = 0xe009;                      /* the hypervisor's */
    pv_user(&s);
    pv_case(trap_last.vector == 13 && trap_last.error == 0xe008,
            "iret-bad-ss", "vector %lx error %lx", trap_last.vector,
            trap_last.error);
}

static void test_initialise(void)
{
    pv_make_context(&context, start_1);
    context.debugreg[2] = HOLE;         /* these are left out */
    context.debugreg[7] = 1ul << 32;
    pv_equal("context-unreadable", vcpu_op(VCPUOP_initialise, 1,
                                           (void *)0x1000), -EFAULT);
    refuse_addresses();
    refuse_tables();
    pv_equal("up-before", vcpu_op(VCPUOP_up, 1, NULL), -EINVAL);
    pv_equal("initialise", vcpu_op(VCPUOP_initialise, 1, &context), 0);
    pv_equal("initialise-again", vcpu_op(VCPUOP_initialise, 1, &context),
             -EEXIST);
    pv_equal("up", vcpu_op(VCPUOP_up, 1, NULL), 0);
    pv_case(goes_down(1) && started == 1, "runs", "%u", started);
    start_badly();
}

void pv_main(void)
{
    test_initialise();
    test_iret();
}
