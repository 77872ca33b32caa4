/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that is suspended, and goes on in a new domain: as Linux does, with
 * another vcpu that spins in its kernel, one in user mode, and one that never
 * was up.  What it had of its vcpu 0 must be there: registers, tables of
 * descriptors, bases, breakpoints, FPU, callbacks; page tables and their pins.
 * Then it is suspended again, and resumed where it is.
 */
#include "lib/vector.h"
#include "pv/pv.h"

#include <xen/nmi.h>

#define KERNEL_RBX 0x1122334455667788ul
#define KERNEL_R12 0x99aabbccddeeff01ul
#define FS_BASE 0x12345000ul
#define GS_USER 0x00007ffffffff000ul
#define GS_KERNEL 0xffffffff81234000ul
#define XMM3 0x0123456789abcdeful
#define SPINS 1000000000u
#define CR0_TS 8ul
#define USER_COUNTER 64             /* in the user's stack page */
#define DATA 0x00cf93000000fffful

static volatile uint64_t kernel_counter;
static volatile bool may_end, has_ended, other_ran;
static volatile uint64_t kernel_rbx, kernel_r12;
static uint64_t *pinned, *gdt, *ldt;
static struct ymm vectors;
static bool has_vectors;

static volatile uint64_t *user_counter(void)
{
    return (uint64_t *)((uint8_t *)pv_user_stack() + USER_COUNTER);
}

/* ---- the other vcpus ---- */

static void __attribute__((noreturn)) stop(unsigned int vcpu)
{
    for (;;) {
        (void)hypercall(__HYPERVISOR_vcpu_op, VCPUOP_down, vcpu, 0);
    }
}

static void __attribute__((noreturn)) spin_in_kernel(void)
{
    uint64_t rbx = KERNEL_RBX, r12 = KERNEL_R12;

    __asm__ volatile("mov %0, %%rbx\n\tmov %1, %%r12\n"
                     "1: incq %2\n\tpause\n\tcmpb $0, %3\n\tje 1b\n\t"
                     "mov %%rbx, %0\n\tmov %%r12, %1"
                     : "+r" (rbx), "+r" (r12), "+m" (kernel_counter)
                     : "m" (may_end) : "rbx", "r12", "cc", "memory");
    kernel_rbx = rbx;
    kernel_r12 = r12;
    has_ended = true;
    stop(1);
}

/* incq USER_STACK + USER_COUNTER; jmp to it */
static const char user_spin[] = "\x48\xff\x04\x25\x40\0\x50\0\xeb\xf6";

static void __attribute__((noreturn)) spin_in_user(void)
{
    const struct pv_start s = {
        .rip = USER_STACK, .rsp = USER_STACK + 1024, .rflags = 0x202,
        .cs = FLAT_USER_CS, .ss = FLAT_USER_SS,
    };

    (void)pv_load_user();
    pv_user(&s);
    stop(2);
}

static void __attribute__((noreturn)) run_once(void)
{
    other_ran = true;
    stop(3);
}

static bool counts(volatile uint64_t *counter)
{
    uint64_t before = *counter;

    for (unsigned int i = 0; i < SPINS && *counter == before; i++) {
        (void)hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
    }
    return *counter != before;
}

static void start_others(void)
{
    memcpy(pv_user_stack(), user_spin, sizeof(user_spin));
    pv_start_vcpu(1, spin_in_kernel);
    pv_start_vcpu(2, spin_in_user);
    pv_case(counts(&kernel_counter) && counts(user_counter()), "others-run",
            "%lu %lu", kernel_counter, *user_counter());
}

/* ---- what vcpu 0 has ---- */

static long set_callback(uint16_t type, const char *to, uint16_t flags)
{
    struct callback_register op = { .type = type, .flags = flags,
                                    .address = PTR(to) };

    return hypercall(__HYPERVISOR_callback_op, CALLBACKOP_register, PTR(&op),
                     0);
}

static void load_segments(void)
{
    struct mmuext_op op = { .cmd = MMUEXT_SET_LDT };
    xen_ulong_t frame;

    gdt = pv_pages(1);
    ldt = pv_pages(1);
    gdt[2] = DATA;
    ldt[1] = DATA;
    frame = mfn_of(gdt);
    (void)update_va(gdt, frame << PAGE_SHIFT | PTE_RO);
    (void)update_va(ldt, mfn_of(ldt) << PAGE_SHIFT | PTE_RO);
    pv_equal("set-gdt", hypercall(__HYPERVISOR_set_gdt, PTR(&frame), 512, 0),
             0);
    op.arg1.linear_addr = PTR(ldt);
    op.arg2.nr_ents = 512;
    pv_equal("set-ldt", hypercall6(__HYPERVISOR_mmuext_op, PTR(&op), 1, 0,
                                   DOMID_SELF, 0), 0);
    __asm__ volatile("mov %0, %%ds; mov %1, %%es" :: "r" (0x13), "r" (0xf));
    (void)hypercall(__HYPERVISOR_set_segment_base, SEGBASE_FS, FS_BASE, 0);
    (void)hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER, GS_USER,
                    0);
    (void)hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_KERNEL,
                    GS_KERNEL, 0);
}

static bool cpu_has_vectors(void)
{
    uint32_t a = 1, b, c = 0, d;

    __asm__ volatile("cpuid" : "+a" (a), "=b" (b), "+c" (c), "=d" (d));
    return (c & (CPUID_XSAVE | CPUID_AVX)) == (CPUID_XSAVE | CPUID_AVX);
}

static uint64_t get_cr4(void)
{
    uint64_t value;

    __asm__ volatile("mov %%cr4, %0" : "=r" (value));
    return value;
}

static void load_vectors(void)
{
    struct xcr x = { 0, XCR0_AVX };

    has_vectors = cpu_has_vectors();
    if (has_vectors) {
        __asm__ volatile("mov %0, %%cr4" :: "r" (get_cr4() | CR4_OSXSAVE));
        do_xsetbv(&x);
        ymm_fill(&vectors, 5);
        ymm_load(&vectors);
    }
}

/* XMM3 is another's. */
static void check_vectors(const char *name)
{
    struct ymm got;

    if (!has_vectors) {
        return;
    }
    pv_case(get_cr4() & CR4_OSXSAVE, "osxsave", "%lx", get_cr4());
    pv_equal("xcr0", (long)xgetbv(0), XCR0_AVX);
    ymm_save(&got);
    memcpy(&got.word[3], &vectors.word[3], 16);
    pv_case(memcmp(&got, &vectors, sizeof(got)) == 0, name, "%lx %lx",
            got.word[3][2], got.word[15][3]);
}

static void load_state(void)
{
    struct xennmi_callback nmi = { .handler_address = PTR(stub_nmi) };

    load_segments();
    pinned = pv_pages(1);
    (void)update_va(pinned, mfn_of(pinned) << PAGE_SHIFT | PTE_RO);
    pv_equal("pin", mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(pinned)), 0);
    pv_equal("nmi-op", hypercall(__HYPERVISOR_nmi_op,
                                 XENNMI_register_callback, PTR(&nmi), 0), 0);
    (void)set_callback(CALLBACKTYPE_syscall32, stub_syscall32, 0);
    (void)hypercall(__HYPERVISOR_set_debugreg, 0, USER_CODE + 1, 0);
    (void)hypercall(__HYPERVISOR_set_debugreg, 7, 1, 0);
    load_vectors();
    __asm__ volatile("movq %0, %%xmm3" :: "r" (XMM3));
    (void)hypercall(__HYPERVISOR_fpu_taskswitch, 1, 0, 0);
}

static uint64_t msr(uint32_t index)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a" (low), "=d" (high) : "c" (index));
    return (uint64_t)high << 32 | low;
}

static void check_segments(void)
{
    uint16_t ds, es;

    __asm__ volatile("mov %%ds, %0; mov %%es, %1" : "=r" (ds), "=r" (es));
    pv_case(ds == 0x13 && es == 0xf, "selectors", "ds %x es %x", ds, es);
    pv_case(msr(0xc0000100) == FS_BASE && msr(0xc0000102) == GS_USER
            && msr(0xc0000101) == GS_KERNEL, "bases", "%lx %lx %lx",
            msr(0xc0000100), msr(0xc0000102), msr(0xc0000101));
    /* They can be loaded anew, not only be there. */
    __asm__ volatile("mov %0, %%ds; mov %1, %%es" :: "r" (0x13), "r" (0xf));
}

static void check_fpu(void)
{
    uint64_t cr0, xmm3;

    __asm__ volatile("mov %%cr0, %0" : "=r" (cr0));
    pv_case(cr0 & CR0_TS, "task-switched", "cr0 %lx", cr0);
    (void)hypercall(__HYPERVISOR_fpu_taskswitch, 0, 0, 0);
    __asm__ volatile("movq %%xmm3, %0" : "=r" (xmm3));
    pv_case(xmm3 == XMM3, "xmm3", "%lx", xmm3);
    check_vectors("ymm");
}

/* That one is met is not to be seen: QEMU's VMRUN does not arm it. */
static void check_breakpoint(void)
{
    long dr0 = hypercall(__HYPERVISOR_get_debugreg, 0, 0, 0);
    long dr7 = hypercall(__HYPERVISOR_get_debugreg, 7, 0, 0);

    pv_case(dr0 == (long)USER_CODE + 1 && (dr7 & 0xff) == 1, "breakpoint",
            "dr0 %lx dr7 %lx", (uint64_t)dr0, (uint64_t)dr7);
    (void)hypercall(__HYPERVISOR_set_debugreg, 7, 0, 0);
}

static void check_user(void)
{
    pv_user_code("\x0f\x05", 2, 0);
    pv_equal("syscall", (long)trap_last.vector, ON_SYSCALL);
    pv_user_code32("\x0f\x05", 2);
    pv_equal("syscall32", (long)trap_last.vector, ON_SYSCALL32);
    pv_user_code("\xcd\x80", 2, 0);
    pv_equal("int80", (long)trap_last.vector, 0x80);
}

static void check_state(void)
{
    check_segments();
    check_fpu();
    check_breakpoint();
    check_user();
    nmis = 0;
    (void)hypercall(__HYPERVISOR_vcpu_op, VCPUOP_send_nmi, 0, 0);
    pv_equal("nmi", nmis, 1);
    pv_equal("unpin", mmuext(MMUEXT_UNPIN_TABLE, mfn_of(pinned)), 0);
    pv_equal("unpin-again", mmuext(MMUEXT_UNPIN_TABLE, mfn_of(pinned)),
             -EINVAL);
    pv_equal("pin-root", mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(pv_root())),
             -EINVAL);
}

/* ---- suspended ---- */

static long suspend(void)
{
    struct sched_shutdown s = { SHUTDOWN_suspend };
    long rc;

    (void)update_va(shared_info, 0);
    rc = hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, PTR(&s),
                   mfn_of(start_info));
    (void)update_va(shared_info, start_info->shared_info | PTE_RW);
    return rc;
}

static void check_events(void)
{
    struct evtchn_bind_ipi bind = { .vcpu = 0 };
    struct evtchn_unmask unmask;
    struct evtchn_send send;

    pv_equal("bind-ipi", hypercall(__HYPERVISOR_event_channel_op,
                                   EVTCHNOP_bind_ipi, PTR(&bind), 0), 0);
    unmask.port = send.port = bind.port;
    (void)hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_unmask,
                    PTR(&unmask), 0);
    events = 0;
    shared_info->vcpu_info[0].evtchn_upcall_mask = 0;
    (void)hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, PTR(&send),
                    0);
    shared_info->vcpu_info[0].evtchn_upcall_mask = 1;
    pv_case(events > 0, "event", "%u", events);
}

/* As Linux does with each other vcpu. */
static void move_info(unsigned int vcpu)
{
    vcpu_info_t *info = pv_pages(1);
    struct vcpu_register_vcpu_info op = { .mfn = mfn_of(info) };

    pv_equal("is-up", hypercall(__HYPERVISOR_vcpu_op, VCPUOP_is_up, vcpu, 0),
             1);
    pv_equal("down", hypercall(__HYPERVISOR_vcpu_op, VCPUOP_down, vcpu, 0),
             0);
    pv_equal("register-info", hypercall(__HYPERVISOR_vcpu_op,
                                        VCPUOP_register_vcpu_info, vcpu,
                                        PTR(&op)), 0);
    pv_equal("info-mask", info->evtchn_upcall_mask, 1);
    pv_equal("up", hypercall(__HYPERVISOR_vcpu_op, VCPUOP_up, vcpu, 0), 0);
}

static void check_others(const char *name)
{
    pv_case(counts(&kernel_counter) && counts(user_counter()), name,
            "%lu %lu", kernel_counter, *user_counter());
}

static void end_others(void)
{
    unsigned int i;

    may_end = true;
    for (i = 0; i < SPINS && !has_ended; i++) {
        (void)hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
    }
    pv_case(kernel_rbx == KERNEL_RBX && kernel_r12 == KERNEL_R12,
            "other-registers", "%lx %lx", kernel_rbx, kernel_r12);
    pv_start_vcpu(3, run_once);
    for (i = 0; i < SPINS && !other_ran; i++) {
        (void)hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
    }
    pv_case(other_ran, "new-vcpu", "ok");
}

void pv_main(void)
{
    start_others();
    load_state();
    pv_equal("restored", suspend(), 0);
    check_others("others-go-on");
    check_state();
    check_events();
    move_info(1);
    check_others("others-go-on-moved");
    pv_equal("cancelled", suspend(), 1);
    /* Who resumed it set its registers as it had read them, without these. */
    check_vectors("ymm-resumed");
    check_others("others-go-on-resumed");
    check_events();
    end_others();
}
