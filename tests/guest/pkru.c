/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PKRU, where the CPU has protection keys.  A guest's CPUID does not tell of
 * them, but nothing keeps a guest from setting CR4.PKE.  The register then was
 * one for all vcpus of a CPU: each saw what another, of any guest, had put
 * there.  Two vcpus on one CPU, in turn.
 */
#include "lib/guest.h"

#include <xen/hvm/hvm_vcpu.h>

#define CR4_PKE (1ul << 22)
#define ROUNDS 2000u
#define WAIT_MS 20000u
#define MINE 0x5554u            /* keys 1 to 7: no access */
#define OTHERS 0xaaa8u          /* keys 1 to 7: no writes */

static volatile uint32_t first_seen = ~0u, wrong, other_rounds, is_over;

static uint32_t read_pkru(void)
{
    uint32_t value, high;

    __asm__ volatile(".byte 0x0f, 0x01, 0xee" : "=a"(value), "=d"(high)
                     : "c"(0));
    return value;
}

static void write_pkru(uint32_t value)
{
    __asm__ volatile(".byte 0x0f, 0x01, 0xef" : : "a"(value), "c"(0), "d"(0)
                     : "memory");
}

static void use_keys(void *unused)
{
    uint64_t cr4;

    (void)unused;
    __asm__ volatile("mov %%cr4, %0" : "=r"(cr4));
    __asm__ volatile("mov %0, %%cr4" : : "r"(cr4 | CR4_PKE));
}

static void give_way(void)
{
    (void)sched_op(SCHEDOP_yield, NULL);
}

static void other(void)
{
    use_keys(NULL);
    first_seen = read_pkru();
    write_pkru(OTHERS);
    while (!is_over) {
        give_way();
        if (read_pkru() != OTHERS) {
            wrong++;
            write_pkru(OTHERS);
        }
        other_rounds++;
    }
    (void)vcpu_op(VCPUOP_down, 1, NULL);
}

static void start_other(void)
{
    struct vcpu_hvm_context *c = guest_pages(1);

    ap_fill_context(c);
    ap_stack_top = PTR((char *)guest_pages(2) + 2 * PAGE_SIZE);
    ap_entry = other;
    guest_equal("initialise", vcpu_op(VCPUOP_initialise, 1, c), 0);
    guest_equal("up", vcpu_op(VCPUOP_up, 1, NULL), 0);
}

void guest_main(void)
{
    uint32_t mine_wrong = 0;

    guest_case(!(cpuid(7, 0).c & 8), "not-offered", "%x", cpuid(7, 0).c);
    if (!try_run(use_keys, NULL)) {
        guest_case(true, "no-keys", "the CPU has none");
        return;
    }
    guest_equal("starts-at-0", (long)read_pkru(), 0);
    write_pkru(MINE);
    start_other();
    for (unsigned int i = 0; i < ROUNDS; i++) {
        give_way();
        if (read_pkru() != MINE) {
            mine_wrong++;
            write_pkru(MINE);
        }
    }
    guest_case(wait_for(&other_rounds, WAIT_MS), "in-turn", "%u",
               other_rounds);
    is_over = 1;
    guest_equal("other-starts-at-0", (long)first_seen, 0);
    guest_equal("mine-stays", mine_wrong, 0);
    guest_equal("others-stays", wrong, 0);
}
