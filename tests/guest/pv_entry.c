/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The ways of a PV guest's user mode into its kernel that Linux's 64-bit
 * programs do not take: 32-bit system calls, SYSENTER; NMIs, by all the ways
 * to name their handler; and what comes in the instant between SYSCALL and the
 * switch of stacks: NMIs and events that another vcpu sends all the time,
 * while the user's stack pointer is one that nothing may be pushed at.  And
 * FPU state, over switches between vcpus that do not tell of it.
 */
#include "pv/pv.h"

#include <xen/nmi.h>

#define CALLS 20000u
#define RAX 0x77u
#define DF 0x400u
#define FLAGS (0x4000u | DF)        /* NT, DF: SYSENTER leaves DF alone */

static evtchn_port_t port;
static volatile bool is_over;
static volatile unsigned int sent;

static long set_callback(uint16_t type, const char *to)
{
    struct callback_register op = { .type = type, .address = PTR(to) };

    return hypercall(__HYPERVISOR_callback_op, CALLBACKOP_register, PTR(&op),
                     0);
}

/* ---- 32-bit user code ---- */

static void user32(const char *name, const char *code, size_t size,
                   uint64_t vector, uint64_t rip)
{
    pv_user_code32(code, size);
    pv_case(trap_last.vector == vector && trap_last.rip == rip
            && (trap_last.cs & 0xffff) == FLAT_USER_CS32, name,
            "vector %lx rip %lx cs %lx", trap_last.vector, trap_last.rip,
            trap_last.cs);
}

static void test_32_bit(void)
{
    const struct pv_start sysret = {
        .rip = USER_CODE, .rsp = USER_STACK + PAGE_SIZE, .rflags = 0x202,
        .cs = FLAT_USER_CS32, .ss = FLAT_USER_SS, .flags = VGCF_in_syscall,
    };

    user32("int80-32", "\xcd\x80", 2, 0x80, USER_CODE + 2);
    /* mov $0x7f, %al; add $1, %al; into */
    user32("into-32", "\xb0\x7f\x04\x01\xce", 5, 4, USER_CODE + 5);
    user32("syscall32-without-callback", "\x0f\x05", 2, 6, USER_CODE);
    pv_equal("set-syscall32", set_callback(CALLBACKTYPE_syscall32,
                                           stub_syscall32), 0);
    user32("syscall32", "\x90\x0f\x05", 3, ON_SYSCALL32, USER_CODE + 3);
    /* And back to it as by SYSRETL: the code is there still. */
    pv_user(&sysret);
    pv_case(trap_last.vector == ON_SYSCALL32
            && trap_last.rip == USER_CODE + 3
            && (trap_last.cs & 0xffff) == FLAT_USER_CS32, "sysret-to-32",
            "vector %lx rip %lx cs %lx", trap_last.vector, trap_last.rip,
            trap_last.cs);
    /* And the one for 64 bits is as it was. */
    pv_user_code("\x0f\x05", 2, 0);
    pv_equal("syscall-64", (long)trap_last.vector, ON_SYSCALL);
}

/* AMD's have no SYSENTER in long mode, Intel's do: a trap, or the callback. */
static void test_sysenter(void)
{
    pv_user_code32("\x0f\x34", 2);
    pv_case((trap_last.vector == 13 && trap_last.rip == 0)
            || (trap_last.vector == 6 && trap_last.rip == USER_CODE),
            "sysenter-without-callback", "vector %lx rip %lx",
            trap_last.vector, trap_last.rip);
    pv_equal("set-sysenter", set_callback(CALLBACKTYPE_sysenter,
                                          stub_sysenter), 0);
    pv_user_code32("\x0f\x34", 2);
    pv_case(trap_last.vector == ON_SYSENTER
            || (trap_last.vector == 6 && trap_last.rip == USER_CODE),
            "sysenter", "vector %lx rip %lx", trap_last.vector,
            trap_last.rip);
    /* pushf; orl $DF | NT, (%esp); popf; sysenter */
    pv_user_code32("\x9c\x81\x0c\x24\0\x44\0\0\x9d\x0f\x34", 11);
    pv_case((trap_last.vector == ON_SYSENTER && (trap_last.cs & 3) == 3
             && (trap_last.rflags & FLAGS) == FLAGS
             && (handler_flags & FLAGS) == DF)
            || (trap_last.vector == 6 && trap_last.rip == USER_CODE + 9),
            "sysenter-with-flags", "vector %lx cs %lx flags %lx handler's "
            "%lx", trap_last.vector, trap_last.cs, trap_last.rflags,
            handler_flags);
}

/* ---- NMIs ---- */

static unsigned int nmi_depth, nmi_nested, nmi_again;
static bool nmi_masked;

static void send_nmi(void)
{
    (void)hypercall(__HYPERVISOR_vcpu_op, VCPUOP_send_nmi, 0, 0);
}

/* The next one comes only when this handler is done. */
void pv_on_nmi(void)
{
    nmi_nested += nmi_depth++ > 0;
    nmi_masked = shared_info->vcpu_info[0].evtchn_upcall_mask != 0;
    if (nmi_again > 0) {
        nmi_again--;
        send_nmi();
    }
    nmi_depth--;
}

static void expect_nmis(const char *name, unsigned int again,
                        unsigned int want)
{
    vcpu_info_t *info = &shared_info->vcpu_info[0];

    nmis = nmi_nested = 0;
    nmi_again = again;
    nmi_masked = false;
    info->evtchn_upcall_mask = 0;
    send_nmi();
    pv_case(nmis == want && nmi_nested == 0 && nmi_masked == (want > 0)
            && info->evtchn_upcall_mask == 0, name,
            "%u NMIs, %u nested, masked in it %u, after it %u", nmis,
            nmi_nested, nmi_masked, info->evtchn_upcall_mask);
    info->evtchn_upcall_mask = 1;
}

static void test_nmi(void)
{
    const struct trap_info gate[] = {
        { .vector = 2, .flags = 1 << 2, .cs = FLAT_KERNEL_CS,
          .address = PTR(stub_nmi) }, { 0 },
    };
    struct xennmi_callback cb = { .handler_address = PTR(stub_nmi) };
    struct callback_unregister gone = { .type = CALLBACKTYPE_nmi };
    const char *nowhere = (const char *)0x8000000000000000ul;

    expect_nmis("nmi-without-gate", 0, 0);
    pv_equal("nmi-gate", hypercall(__HYPERVISOR_set_trap_table, PTR(gate), 0,
                                   0), 0);
    expect_nmis("nmi-by-gate", 0, 1);
    expect_nmis("nmi-in-nmi", 1, 2);
    pv_equal("nmi-unregister", hypercall(__HYPERVISOR_callback_op,
                                         CALLBACKOP_unregister, PTR(&gone),
                                         0), 0);
    expect_nmis("nmi-unregistered", 0, 0);
    pv_equal("nmi-callback", set_callback(CALLBACKTYPE_nmi, stub_nmi), 0);
    expect_nmis("nmi-by-callback", 1, 2);
    pv_equal("nmi-op", hypercall(__HYPERVISOR_nmi_op,
                                 XENNMI_register_callback, PTR(&cb), 0), 0);
    expect_nmis("nmi-by-nmi-op", 0, 1);
    pv_equal("callback-non-canonical", set_callback(CALLBACKTYPE_nmi,
                                                    nowhere), -EINVAL);
    pv_equal("callback-unknown", set_callback(99, stub_nmi), -ENOSYS);
    gone.type = CALLBACKTYPE_event;
    pv_equal("unregister-event", hypercall(__HYPERVISOR_callback_op,
                                           CALLBACKOP_unregister, PTR(&gone),
                                           0), -EINVAL);
}

/* ---- the window of a system call ---- */

/* On the other vcpu. */
static void __attribute__((noreturn)) disturb(void)
{
    struct evtchn_send send = { port };

    while (!is_over) {
        (void)hypercall(__HYPERVISOR_vcpu_op, VCPUOP_send_nmi, 0, 0);
        (void)hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send,
                        PTR(&send), 0);
        sent++;
    }
    for (;;) {
        (void)hypercall(__HYPERVISOR_vcpu_op, VCPUOP_down, 1, 0);
    }
}

static void test_window(void)
{
    /* mov $RAX, %eax; syscall */
    static const char code[] = "\xb8\x77\0\0\0\x0f\x05";
    static const uint64_t stacks[] = {
        0, 0x8000000000000000ul, 0xffff808000100ff8ul, VIRT_BASE + 8,
        0xfffffffffffffff8ul, USER_STACK,
    };
    struct evtchn_bind_ipi bind = { .vcpu = 0 };
    struct xennmi_callback nmi = { .handler_address = PTR(stub_nmi) };
    struct pv_start s = { .rip = USER_CODE, .rflags = 0x202,
                          .cs = FLAT_USER_CS, .ss = FLAT_USER_SS };
    unsigned int right = 0;

    pv_equal("bind-ipi", hypercall(__HYPERVISOR_event_channel_op,
                                   EVTCHNOP_bind_ipi, PTR(&bind), 0), 0);
    port = bind.port;
    pv_equal("nmi-callback", hypercall(__HYPERVISOR_nmi_op,
                                       XENNMI_register_callback, PTR(&nmi),
                                       0), 0);
    events = 0;
    pv_user_code(code, sizeof(code) - 1, 0);
    pv_start_vcpu(1, disturb);
    for (unsigned int i = 0; i < CALLS; i++) {
        s.rsp = stacks[i % ARRAY_SIZE(stacks)];
        pv_user(&s);
        right += trap_last.vector == ON_SYSCALL && trap_last.rax == RAX
                 && trap_last.rsp == s.rsp && trap_last.rip == USER_CODE + 7;
    }
    is_over = true;
    pv_equal("window-calls", right, CALLS);
    pv_case(nmis > 0 && events > 0, "window-disturbed",
            "%u NMIs and %u events of %u sent", nmis, events, sent);
}

/* ---- FPU state of vcpus that take turns on a CPU ---- */

#define TURNS 5000u

static volatile bool turns_over;
static volatile unsigned int turns[4], lost[4];

struct fpu {
    uint64_t xmm[16][2];
    uint64_t st;
    uint32_t mxcsr;
    uint32_t control;           /* in the low half */
};

#define ALL_XMM(instruction)                                            \
    ".irp n,0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15\n"                    \
    instruction "\n.endr\n"

static void load_fpu(const struct fpu *f)
{
    __asm__ volatile(ALL_XMM("movdqu \\n*16(%0), %%xmm\\n")
                     "ldmxcsr %1\n\tfninit\n\tfldcw %2\n\tfildll %3"
                     :: "r" (f->xmm), "m" (f->mxcsr), "m" (f->control),
                        "m" (f->st) : "memory");
}

static void save_fpu(struct fpu *f)
{
    __asm__ volatile(ALL_XMM("movdqu %%xmm\\n, \\n*16(%0)")
                     "stmxcsr %1\n\tfnstcw %2\n\tfistpll %3"
                     :: "r" (f->xmm), "m" (f->mxcsr), "m" (f->control),
                        "m" (f->st) : "memory");
}

/* C code leaves the FPU alone: each vcpu's has its own values all the time. */
static void take_turn(unsigned int vcpu)
{
    struct fpu mine = { .mxcsr = 0x1f80 | vcpu << 13,
                        .control = 0x37f | vcpu << 10 };
    struct fpu got = { .st = 0 };
    uint64_t seed = (uint64_t)vcpu << 56 | (uint64_t)turns[vcpu] << 8;

    for (unsigned int i = 0; i < 16; i++) {
        mine.xmm[i][0] = seed + i;
        mine.xmm[i][1] = ~seed - i;
    }
    mine.st = seed;
    load_fpu(&mine);
    (void)hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
    save_fpu(&got);
    lost[vcpu] += memcmp(&mine, &got, sizeof(mine)) != 0;
    turns[vcpu]++;
}

static void __attribute__((noreturn)) take_turns(unsigned int vcpu)
{
    while (!turns_over) {
        take_turn(vcpu);
    }
    for (;;) {
        (void)hypercall(__HYPERVISOR_vcpu_op, VCPUOP_down, vcpu, 0);
    }
}

static void __attribute__((noreturn)) second(void)
{
    take_turns(2);
}

static void __attribute__((noreturn)) third(void)
{
    take_turns(3);
}

/* Three vcpus on two CPUs: they switch without anybody's fpu_taskswitch. */
static void test_fpu(void)
{
    pv_start_vcpu(2, second);
    pv_start_vcpu(3, third);
    while (turns[0] < TURNS) {
        take_turn(0);
    }
    turns_over = true;
    pv_case(turns[2] > TURNS / 100 && turns[3] > TURNS / 100, "fpu-turns",
            "%u, %u and %u", turns[0], turns[2], turns[3]);
    pv_case(lost[0] + lost[2] + lost[3] == 0, "fpu-kept",
            "lost %u, %u and %u times", lost[0], lost[2], lost[3]);
}

void pv_main(void)
{
    test_32_bit();
    test_sysenter();
    test_nmi();
    test_window();
    test_fpu();
}
