/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * XSAVE and AVX in a PVH guest: what CPUID says of it, what XCR0 can be, and
 * YMM registers of two vcpus that take turns on a CPU.
 */
#include "lib/guest.h"
#include "lib/vector.h"

#include <xen/hvm/hvm_vcpu.h>

#define ROUNDS 2000u
#define WAIT_MS 20000u

static volatile uint32_t other_rounds, other_lost, other_saw, is_over;

static void set_osxsave(void)
{
    uint64_t cr4;

    __asm__ volatile("mov %%cr4, %0" : "=r" (cr4));
    __asm__ volatile("mov %0, %%cr4" :: "r" (cr4 | CR4_OSXSAVE));
}

static void expect_trap(const char *name, uint32_t index, uint64_t value,
                        uint64_t vector)
{
    struct xcr x = { index, value };
    bool ran = try_run(do_xsetbv, &x);

    guest_case(ran ? vector == 0 : trap_last.vector == vector, name,
               "ran %u vector %lu, not %lu", ran, trap_last.vector, vector);
}

static void test_xcr0(void)
{
    /* QEMU intercepts before it looks, and stock Xen does not look after. */
    if (guest_on_gantry()) {
        expect_trap("without-osxsave", 0, XCR0_X87, 6);
    }
    guest_case(!(cpuid(1, 0).c & CPUID_OSXSAVE), "osxsave-off", "%x",
               cpuid(1, 0).c);
    set_osxsave();
    guest_case(cpuid(1, 0).c & CPUID_OSXSAVE, "osxsave-on", "%x",
               cpuid(1, 0).c);
    guest_equal("starts-as-x87", (long)xgetbv(0), XCR0_X87);
    expect_trap("index-1", 1, XCR0_AVX, 13);
    expect_trap("nothing", 0, 0, 13);
    expect_trap("no-x87", 0, XCR0_SSE | XCR0_YMM, 13);
    expect_trap("ymm-without-sse", 0, XCR0_X87 | XCR0_YMM, 13);
    expect_trap("pkru", 0, XCR0_AVX | XCR0_PKRU, 13);
    expect_trap("high", 0, XCR0_AVX | 1ul << 62, 13);
    guest_equal("as-before", (long)xgetbv(0), XCR0_X87);
    guest_equal("size-sse", cpuid(0xd, 0).b, 576);
    expect_trap("avx", 0, XCR0_AVX, 0);
    guest_equal("is-avx", (long)xgetbv(0), XCR0_AVX);
    guest_equal("size-avx", cpuid(0xd, 0).b, XSAVE_BYTES);
}

static void test_cpuid(void)
{
    struct cpuid_regs r = cpuid(0xd, 0);

    guest_case((cpuid(1, 0).c & (CPUID_XSAVE | CPUID_AVX))
               == (CPUID_XSAVE | CPUID_AVX), "offered", "%x",
               cpuid(1, 0).c);
    guest_case(cpuid(7, 0).b & 0x20, "avx2", "%x", cpuid(7, 0).b);
    guest_case((r.a & ~0xe7u) == 0 && r.d == 0, "components", "%x %x", r.a,
               r.d);
    guest_case(r.c >= r.b && r.c >= XSAVE_BYTES, "size-max", "%u %u", r.b,
               r.c);
    guest_equal("subleaf1-no-xsaves", cpuid(0xd, 1).a & ~7u, 0);
    guest_equal("ymm-size", cpuid(0xd, 2).a, 256);
    guest_equal("ymm-offset", cpuid(0xd, 2).b, 576);
    guest_equal("no-pkru", cpuid(0xd, 9).a, 0);
}

/* The image of one state comes back after another one. */
static void test_image(void)
{
    struct ymm first, second, got;
    char *image = guest_pages(1);

    ymm_fill(&first, 1);
    ymm_fill(&second, 2);
    ymm_load(&first);
    xsave(image);
    ymm_load(&second);
    xrstor(image);
    ymm_save(&got);
    guest_case(memcmp(&got, &first, sizeof(got)) == 0, "image", "%lx",
               got.word[3][3]);
}

static uint32_t take_turn(uint64_t seed)
{
    struct ymm mine, got;

    ymm_fill(&mine, seed);
    ymm_load(&mine);
    (void)sched_op(SCHEDOP_yield, NULL);
    ymm_save(&got);
    return memcmp(&mine, &got, sizeof(got)) != 0;
}

static void other(void)
{
    struct xcr x = { 0, XCR0_AVX };
    struct ymm got;

    set_osxsave();
    do_xsetbv(&x);
    ymm_save(&got);
    for (unsigned int i = 0; i < 64; i++) {
        other_saw |= got.word[i / 4][i % 4] != 0;
    }
    while (!is_over) {
        other_lost += take_turn((uint64_t)1 << 32 | other_rounds);
        other_rounds++;
    }
    (void)vcpu_op(VCPUOP_down, 1, NULL);
}

static void test_turns(void)
{
    struct vcpu_hvm_context *c = guest_pages(1);
    uint32_t lost = 0;

    ap_fill_context(c);
    ap_stack_top = PTR((char *)guest_pages(2) + 2 * PAGE_SIZE);
    ap_entry = other;
    guest_equal("initialise", vcpu_op(VCPUOP_initialise, 1, c), 0);
    guest_equal("up", vcpu_op(VCPUOP_up, 1, NULL), 0);
    for (unsigned int i = 0; i < ROUNDS; i++) {
        lost += take_turn(i);
    }
    guest_case(wait_for(&other_rounds, WAIT_MS), "in-turn", "%u",
               other_rounds);
    is_over = 1;
    guest_equal("other-starts-empty", other_saw, 0);
    guest_equal("mine-stays", lost, 0);
    guest_equal("others-stays", other_lost, 0);
}

void guest_main(void)
{
    test_cpuid();
    test_xcr0();
    test_image();
    test_turns();
}
