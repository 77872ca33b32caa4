/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PV guest that ruins itself, each run in the way that its command line
 * names.  The domain must end alone: pv_host sees SHUTDOWN_crash and takes it
 * down, the hypervisor goes on.
 */
#include "pv/pv.h"

#define SLOT_IMAGE 257u
#define PTE_LARGE 0x80ul
#define HOLE 0xffff808000000000ul

static uint64_t *alias;             /* a page that we point at any frame */

/* Our view of any container frame, whoever thinks that it is his. */
static uint64_t *look_at(uint64_t frame)
{
    (void)update_va(alias, frame << PAGE_SHIFT | PTE_RW);
    return alias;
}

static void flush(void)
{
    (void)mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0);
}

/* The table that 'index' of the table in 'frame' names. */
static uint64_t follow(uint64_t frame, unsigned int index)
{
    return (look_at(frame)[index] & PTE_ADDRESS) >> PAGE_SHIFT;
}

/* ---- ways to die ---- */

static void die_base(void)
{
    uint64_t *l4 = pv_pages(1);

    (void)update_va(l4, mfn_of(l4) << PAGE_SHIFT | PTE_RO);
    (void)mmuext(MMUEXT_NEW_BASEPTR, mfn_of(l4));
}

static void die_garbage(void)
{
    uint64_t *l4 = pv_pages(1);

    for (unsigned int i = 0; i < 512; i++) {
        l4[i] = 0x9e3779b97f4a7c15ul * (i + 1);
    }
    (void)mmuext(MMUEXT_NEW_BASEPTR, mfn_of(l4));
}

/* Our own slots, in the table that is loaded. */
static void die_slots(void)
{
    uint64_t *root = pv_root();

    (void)update_va(root, mfn_of(root) << PAGE_SHIFT | PTE_RW);
    memset(&root[SLOT_IMAGE], 0, 8 * sizeof(*root));
    flush();
}

static void die_stack(void)
{
    (void)hypercall(__HYPERVISOR_stack_switch, FLAT_KERNEL_SS, 0x1000, 0);
    pv_user_code("\x0f\x0b", 2, 0);
}

static void die_hole_stack(void)
{
    (void)hypercall(__HYPERVISOR_stack_switch, FLAT_KERNEL_SS,
                    0xffff808000100000ul, 0);
    pv_user_code("\x0f\x0b", 2, 0);
}

static void die_trap(void)
{
    (void)hypercall(__HYPERVISOR_set_trap_table, 0, 0, 0);
    __asm__ volatile("ud2");
}

/* Each handler faults at once, the next one's frame below its own. */
static void die_handler(void)
{
    const struct trap_info t[] = {
        { .vector = 6, .cs = FLAT_KERNEL_CS, .address = HOLE },
        { .vector = 13, .cs = FLAT_KERNEL_CS, .address = HOLE },
        { .vector = 14, .cs = FLAT_KERNEL_CS, .address = HOLE },
        { .vector = 0 },
    };

    (void)hypercall(__HYPERVISOR_set_trap_table, PTR(t), 0, 0);
    (void)hypercall(__HYPERVISOR_set_callbacks, HOLE, HOLE, HOLE);
    __asm__ volatile("ud2");
}

/* Everything that the personality keeps about this vcpu. */
static void die_area(void)
{
    uint64_t l3 = (pv_root()[SLOT_IMAGE] & PTE_ADDRESS) >> PAGE_SHIFT;
    uint64_t l2 = follow(l3, 1), l1 = follow(l2, 0);

    for (unsigned int i = 0; i < 64; i++) {
        uint64_t entry = look_at(l1)[i];

        if (entry != 0) {
            memset(look_at((entry & PTE_ADDRESS) >> PAGE_SHIFT), 0x5a,
                   PAGE_SIZE);
        }
    }
    flush();
}

/* The image's pages and the tables that show them. */
static void die_image(void)
{
    uint64_t l3 = (pv_root()[SLOT_IMAGE] & PTE_ADDRESS) >> PAGE_SHIFT;
    uint64_t l2 = follow(l3, 0), l1 = follow(l2, 0);

    memset(look_at(l1), 0, PAGE_SIZE);
    flush();
}

/* Wrong records refuse a table at most; then it dies in another way. */
static void die_records(void)
{
    uint64_t l3 = (pv_root()[258] & PTE_ADDRESS) >> PAGE_SHIFT;
    uint64_t l2 = follow(l3, 0), l1 = follow(l2, 0);

    memset(look_at(follow(l1, 0)), 0xff, PAGE_SIZE);
    flush();
    (void)mmuext(MMUEXT_NEW_BASEPTR, mfn_of(pv_pages(1)));
    die_trap();
}

/* The frame of a loaded table goes away under it. */
static void die_balloon(void)
{
    xen_pfn_t frame = mfn_of(pv_root());
    struct xen_memory_reservation r = { .nr_extents = 1,
                                        .domid = DOMID_SELF };

    set_xen_guest_handle(r.extent_start, &frame);
    (void)hypercall(__HYPERVISOR_memory_op, XENMEM_decrease_reservation,
                    PTR(&r), 0);
    flush();
    die_base();
}

static void do_nothing(void)
{
}

/* The other vcpu's page table, checked when it was named, goes before it. */
static void die_context(void)
{
    static struct vcpu_guest_context c;
    uint64_t *l4 = pv_pages(1);
    xen_pfn_t frame = mfn_of(l4);
    struct xen_memory_reservation r = { .nr_extents = 1,
                                        .domid = DOMID_SELF };

    pv_make_context(&c, do_nothing);
    c.ctrlreg[3] = frame << PAGE_SHIFT;
    if (hypercall(__HYPERVISOR_vcpu_op, VCPUOP_initialise, 1, PTR(&c)) != 0) {
        return;
    }
    (void)update_va(l4, 0);
    set_xen_guest_handle(r.extent_start, &frame);
    (void)hypercall(__HYPERVISOR_memory_op, XENMEM_decrease_reservation,
                    PTR(&r), 0);
    (void)hypercall(__HYPERVISOR_vcpu_op, VCPUOP_up, 1, 0);
    for (;;) {
        (void)hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
    }
}

static void die_iret(void)
{
    const struct pv_start s = { .rip = 0x8000000000000000ul, .cs = 3 };

    (void)hypercall(__HYPERVISOR_set_trap_table, 0, 0, 0);
    pv_user(&s);
}

static const struct {
    const char *name;
    void (*die)(void);
} ways[] = {
    { "base", die_base }, { "garbage", die_garbage },
    { "slots", die_slots }, { "kernel-stack", die_stack },
    { "hole-stack", die_hole_stack }, { "trap", die_trap },
    { "handler", die_handler }, { "area", die_area },
    { "image", die_image }, { "records", die_records },
    { "balloon", die_balloon }, { "context", die_context },
    { "iret", die_iret },
};

void pv_main(void)
{
    alias = pv_pages(1);
    for (unsigned int i = 0; i < ARRAY_SIZE(ways); i++) {
        if (pv_has_arg(ways[i].name)) {
            pv_log("now by %s", ways[i].name);
            ways[i].die();
        }
    }
    pv_case(false, "died", "not by \"%s\"",
            (const char *)start_info->cmd_line);
}
