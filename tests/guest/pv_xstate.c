/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a PV kernel switches on by CR4 where the CPU has it.  XSAVE and AVX:
 * OSXSAVE as its kernel and its user mode see it, what XCR0 can be, who may
 * set it, and YMM registers of vcpus that take turns on CPUs.  FSGSBASE: bases
 * that go with their mode.
 */
#include "lib/vector.h"
#include "pv/pv.h"

#define TURNS 3000u

static volatile bool turns_over;
static volatile unsigned int turns[4], lost[4], full[4];

static uint32_t leaf1(bool is_forced)
{
    uint32_t a = 1, b, c = 0, d;

    if (is_forced) {
        __asm__ volatile(".byte 0x0f, 0x0b, 'x', 'e', 'n'\n\tcpuid"
                         : "+a" (a), "=b" (b), "+c" (c), "=d" (d));
    } else {
        __asm__ volatile("cpuid" : "+a" (a), "=b" (b), "+c" (c), "=d" (d));
    }
    return c;
}

static void leaf_d(uint32_t subleaf, uint32_t *r)
{
    r[0] = 0xd;
    r[2] = subleaf;
    __asm__ volatile(".byte 0x0f, 0x0b, 'x', 'e', 'n'\n\tcpuid"
                     : "+a" (r[0]), "=b" (r[1]), "+c" (r[2]), "=d" (r[3]));
}

static uint64_t get_cr4(void)
{
    uint64_t value;

    __asm__ volatile("mov %%cr4, %0" : "=r" (value));
    return value;
}

static void set_cr4(uint64_t value)
{
    __asm__ volatile("mov %0, %%cr4" :: "r" (value));
}

static void expect(const char *name, uint32_t index, uint64_t value,
                   uint64_t vector)
{
    struct xcr x = { index, value };

    pv_traps(name, do_xsetbv, &x, vector);
}

static void test_xcr0(void)
{
    uint32_t r[4];

    expect("without-osxsave", 0, XCR0_X87, 6);
    set_cr4(get_cr4() | CR4_OSXSAVE);
    pv_case(get_cr4() & CR4_OSXSAVE, "cr4", "%lx", get_cr4());
    expect("index-1", 1, XCR0_AVX, 13);
    expect("nothing", 0, 0, 13);
    expect("no-x87", 0, XCR0_SSE | XCR0_YMM, 13);
    expect("ymm-without-sse", 0, XCR0_X87 | XCR0_YMM, 13);
    expect("pkru", 0, XCR0_AVX | XCR0_PKRU, 13);
    expect("high", 0, XCR0_AVX | 1ul << 62, 13);
    expect("avx", 0, XCR0_AVX, NO_TRAP);
    pv_equal("is-avx", (long)xgetbv(0), XCR0_AVX);
    leaf_d(0, r);
    pv_case(r[1] == XSAVE_BYTES && r[2] >= r[1] && (r[0] & ~0xe7u) == 0,
            "leaf-d", "%x: %u of %u", r[0], r[1], r[2]);
}

/* Linux asks with the prefix before it sets CR4.OSXSAVE. */
static void test_cpuid(void)
{
    pv_case((leaf1(true) & (CPUID_XSAVE | CPUID_OSXSAVE | CPUID_AVX))
            == (CPUID_XSAVE | CPUID_OSXSAVE | CPUID_AVX), "prefix-shows-it",
            "%x", leaf1(true));
    pv_case(!(get_cr4() & CR4_OSXSAVE), "cr4-at-start", "%lx", get_cr4());
}

static void test_user(void)
{
    /* mov $1, %eax; ud2; "xen"; cpuid; syscall */
    static const char forced[] = "\xb8\1\0\0\0\x0f\x0bxen\x0f\xa2\x0f\x05";
    /* xor %ecx, %ecx; mov $7, %eax; xor %edx, %edx; xsetbv */
    static const char set[] = "\x31\xc9\xb8\7\0\0\0\x31\xd2\x0f\x01\xd1";
    /* xor %ecx, %ecx; xgetbv; syscall */
    static const char get[] = "\x31\xc9\x0f\x01\xd0\x0f\x05";

    pv_user_code(set, sizeof(set) - 1, 0);
    pv_case(trap_last.vector == 13 && trap_last.rip == USER_CODE + 9,
            "user-xsetbv", "vector %lu rip %lx", trap_last.vector,
            trap_last.rip);
    pv_user_code(get, sizeof(get) - 1, 0);
    pv_case(trap_last.vector == ON_SYSCALL && (uint32_t)trap_last.rax
            == XCR0_AVX, "user-xgetbv", "vector %lx rax %lx",
            trap_last.vector, trap_last.rax);
    pv_user_code(forced, sizeof(forced) - 1, 0);
    pv_case(trap_last.vector == ON_SYSCALL, "user-prefix", "vector %lx",
            trap_last.vector);
}

/* ---- FSGSBASE ---- */

#define CR4_FSGSBASE 0x10000ul
#define KERNEL_BASE 0xffffffff81234000ul
#define USER_BASE 0x00007ffffffff000ul

static void do_rdgsbase(void *arg)
{
    __asm__ volatile("rdgsbase %0" : "=r" (*(uint64_t *)arg));
}

static void do_wrgsbase(void *arg)
{
    __asm__ volatile("wrgsbase %0" :: "r" (*(uint64_t *)arg));
}

static void test_fsgsbase(void)
{
    /* mov USER_STACK, %eax; wrgsbase %rax; syscall */
    static const char set[] = "\xb8\0\0\x50\0\xf3\x48\x0f\xae\xd8\x0f\x05";
    /* rdgsbase %rax; syscall */
    static const char get[] = "\xf3\x48\x0f\xae\xc8\x0f\x05";
    uint64_t base = KERNEL_BASE;

    pv_traps("gsbase-off", do_rdgsbase, &base, 6);
    pv_user_code(get, sizeof(get) - 1, 0);
    pv_equal("user-gsbase-off", (long)trap_last.vector, 6);
    set_cr4(get_cr4() | CR4_FSGSBASE);
    pv_case(get_cr4() & CR4_FSGSBASE, "cr4-fsgsbase", "%lx", get_cr4());
    pv_traps("gsbase-set", do_wrgsbase, &base, NO_TRAP);
    (void)hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER,
                    USER_BASE, 0);
    pv_user_code(get, sizeof(get) - 1, 0);
    pv_case(trap_last.rax == USER_BASE, "gsbase-of-user", "%lx",
            trap_last.rax);
    pv_user_code(set, sizeof(set) - 1, 0);
    base = 0;
    pv_traps("gsbase-get", do_rdgsbase, &base, NO_TRAP);
    pv_case(base == KERNEL_BASE, "gsbase-of-kernel", "%lx", base);
    pv_user_code(get, sizeof(get) - 1, 0);
    pv_case(trap_last.rax == USER_STACK, "gsbase-users-own", "%lx",
            trap_last.rax);
}

/* ---- registers ---- */

static void take_turn(unsigned int vcpu)
{
    struct ymm mine, got;

    ymm_fill(&mine, (uint64_t)vcpu << 56 | turns[vcpu]);
    ymm_load(&mine);
    (void)hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
    ymm_save(&got);
    lost[vcpu] += memcmp(&mine, &got, sizeof(mine)) != 0;
    turns[vcpu]++;
}

static void __attribute__((noreturn)) take_turns(unsigned int vcpu)
{
    struct xcr x = { 0, XCR0_AVX };
    struct ymm got;

    set_cr4(get_cr4() | CR4_OSXSAVE);
    do_xsetbv(&x);
    ymm_save(&got);
    for (unsigned int i = 0; i < 64; i++) {
        full[vcpu] += got.word[i / 4][i % 4] != 0;
    }
    while (!turns_over) {
        take_turn(vcpu);
    }
    for (;;) {
        (void)hypercall(__HYPERVISOR_vcpu_op, VCPUOP_down, vcpu, 0);
    }
}

static void __attribute__((noreturn)) second(void)
{
    take_turns(1);
}

static void __attribute__((noreturn)) third(void)
{
    take_turns(2);
}

static void test_turns(void)
{
    pv_start_vcpu(1, second);
    pv_start_vcpu(2, third);
    while (turns[0] < TURNS) {
        take_turn(0);
    }
    turns_over = true;
    pv_case(turns[1] > TURNS / 100 && turns[2] > TURNS / 100, "turns",
            "%u, %u and %u", turns[0], turns[1], turns[2]);
    pv_case(lost[0] + lost[1] + lost[2] == 0, "kept",
            "lost %u, %u and %u times", lost[0], lost[1], lost[2]);
    pv_case(full[1] + full[2] == 0, "start-empty", "%u and %u words",
            full[1], full[2]);
}

/* A trap into the kernel and back leaves them alone. */
static void test_trap(void)
{
    struct ymm mine, got;
    uint64_t cr0;

    ymm_fill(&mine, 77);
    ymm_load(&mine);
    __asm__ volatile("mov %%cr0, %0" : "=r" (cr0));
    ymm_save(&got);
    pv_case(memcmp(&mine, &got, sizeof(mine)) == 0, "over-a-trap", "%lx",
            got.word[1][3]);
}

void pv_main(void)
{
    test_cpuid();
    test_xcr0();
    test_user();
    test_fsgsbase();
    test_trap();
    test_turns();
}
