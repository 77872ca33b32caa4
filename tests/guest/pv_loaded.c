/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A kernel that a loader in the guest started: pvgrub gives it a p2m where the
 * frames of console and store have other numbers than the toolstack gave them,
 * and an M2P that says the same.  All that the library does before pv_main()
 * is part of the test: console, shared_info, a user space.
 */
#include "pv/pv.h"

static void do_write(void *arg)
{
    *(volatile uint64_t *)arg = 4711;
}

/* The page of 'pfn', where the loader mapped it, is the frame of its p2m. */
static bool is_mapped(uint64_t pfn, uint64_t frame)
{
    return (*pv_entry_of((void *)(VIRT_BASE + (pfn << PAGE_SHIFT)))
            & PTE_ADDRESS)
           == frame << PAGE_SHIFT;
}

void pv_main(void)
{
    const uint64_t *p2m = (const uint64_t *)start_info->mfn_list;
    uint64_t console = pv_m2p(start_info->console.domU.mfn);
    uint64_t store = pv_m2p(start_info->store_mfn);
    unsigned int moved = 0, wrong = 0;

    for (uint64_t i = 0; i < start_info->nr_pages; i++) {
        moved += p2m[i] != i;
        wrong += pv_m2p(p2m[i]) != i;
    }
    pv_case(wrong == 0, "m2p-of-p2m", "%u of %lu frames are wrong", wrong,
            start_info->nr_pages);
    pv_case((moved != 0) == pv_has_arg("moved"), "moved", "%u frames", moved);
    pv_case(is_mapped(console, start_info->console.domU.mfn)
            && is_mapped(store, start_info->store_mfn), "mapped",
            "console %lx is %lx, store %lx is %lx", console,
            start_info->console.domU.mfn, store, start_info->store_mfn);
    pv_case(pv_try(do_write, pv_pages(1)), "writes", "ok");
    pv_user_code("\x0f\x05", 2, 0);
    pv_equal("syscall", (long)trap_last.vector, ON_SYSCALL);
}
