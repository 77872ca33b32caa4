/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that suspends itself while its other vcpus are in long hypercalls,
 * lists of changes of a page table; Linux stops them first, but nothing says
 * that all must.
 *
 * A PV vcpu stops anywhere on Gantry, within the personality's part of a
 * hypercall as well, and who asks for its registers lets it run on to where
 * they are its guest's.  The domain was shown as shut down before that, so
 * who saved it copied its memory in the middle of a list, and registers from
 * after its end.  Its host looks at it as who saves it does, and again once
 * it has the registers: nothing may have changed.  Then it lets it go on.
 */
#include "pv/pv.h"

#define ROUNDS 12u
#define WORKERS 3u
#define ENTRIES (PAGE_SIZE / sizeof(uint64_t))
#define SPINS 1000000000u

static struct mmu_update list[WORKERS][ENTRIES];
static uint64_t *table[WORKERS];
static volatile uint64_t turns[WORKERS], wrong[WORKERS];
static uint64_t page[2];            /* as an entry has it */

/* All entries of its table to one page, then all to the other. */
static void __attribute__((noreturn)) work(unsigned int i)
{
    for (;;) {
        uint32_t done = 0;
        long rc;

        for (unsigned int n = 0; n < ENTRIES; n++) {
            list[i][n].val = page[turns[i] % 2];
        }
        rc = hypercall6(__HYPERVISOR_mmu_update, PTR(list[i]), ENTRIES,
                        PTR(&done), DOMID_SELF, 0);
        wrong[i] += rc != 0 || done != ENTRIES
                    || *(volatile uint64_t *)&table[i][ENTRIES - 1]
                       != page[turns[i] % 2];
        turns[i]++;
    }
}

static void __attribute__((noreturn)) work_0(void)
{
    work(0);
}

static void __attribute__((noreturn)) work_1(void)
{
    work(1);
}

static void __attribute__((noreturn)) work_2(void)
{
    work(2);
}

static void make_table(unsigned int i)
{
    table[i] = pv_pages(1);
    for (unsigned int n = 0; n < ENTRIES; n++) {
        list[i][n].ptr = (mfn_of(table[i]) << PAGE_SHIFT)
                         + n * sizeof(uint64_t);
    }
    pv_equal("read-only", update_va(table[i], mfn_of(table[i]) << PAGE_SHIFT
                                              | PTE_RO), 0);
    pv_equal("pin", mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(table[i])), 0);
}

/* Each of them has made some more. */
static bool all_work(void)
{
    for (unsigned int i = 0; i < WORKERS; i++) {
        uint64_t before = turns[i];
        unsigned int spins = 0;

        while (turns[i] - before < 2) {
            if (spins++ == SPINS) {
                return false;
            }
            (void)hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
        }
    }
    return wrong[0] + wrong[1] + wrong[2] == 0;
}

static long suspend(void)
{
    struct sched_shutdown s = { SHUTDOWN_suspend };

    return hypercall(__HYPERVISOR_sched_op, SCHEDOP_shutdown, PTR(&s),
                     mfn_of(start_info));
}

void pv_main(void)
{
    static void (*const fn[])(void) = { work_0, work_1, work_2 };

    for (unsigned int i = 0; i < 2; i++) {
        page[i] = mfn_of(pv_pages(1)) << PAGE_SHIFT | PTE_RO;
    }
    for (unsigned int i = 0; i < WORKERS; i++) {
        make_table(i);
        pv_start_vcpu(i + 1, fn[i]);
    }
    for (unsigned int i = 0; i < ROUNDS; i++) {
        pv_case(all_work(), "works", "%lu %lu %lu, wrong %lu", turns[0],
                turns[1], turns[2], wrong[0] + wrong[1] + wrong[2]);
        pv_equal("cancelled", suspend(), 1);
    }
    pv_case(all_work(), "works-on", "%lu %lu %lu", turns[0], turns[1],
            turns[2]);
}
