/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PV guest that does what its host tells it (pv/mail.h), with vcpus that
 * count while they spin, block, or work: change page tables, look through
 * them, go to user mode and back.  What is not as it must be they count too.
 */
#include "pv/pv.h"
#include "pv/mail.h"

#include <xen/version.h>

#define UPDATES 64u

static struct mail *mail;
static uint64_t *pages[2], *view, *window;

static void __attribute__((noreturn)) spin(void)
{
    for (;;) {
        mail->counter[1]++;
        barrier();
    }
}

static void __attribute__((noreturn)) block(void)
{
    mail->counter[2]++;
    for (;;) {
        (void)hypercall(__HYPERVISOR_sched_op, SCHEDOP_block, 0, 0);
        mail->counter[2] += 1ul << 32;
    }
}

/* The entry of 'view', as often as the list is long; then the other page. */
static void change(unsigned int to)
{
    static struct mmu_update list[UPDATES];
    const uint64_t *entry = pv_entry_of(view);
    uint64_t at = mfn_of(entry) << PAGE_SHIFT | (PTR(entry) & 0xfff);
    uint32_t done = 0;
    long rc;

    for (unsigned int i = 0; i < UPDATES; i++) {
        list[i].ptr = at;
        list[i].val = mfn_of(pages[(to + i + 1) % 2]) << PAGE_SHIFT | PTE_RO;
    }
    rc = hypercall6(__HYPERVISOR_mmu_update, PTR(list), UPDATES, PTR(&done),
                    DOMID_SELF, 0);
    mail->wrong[3] += rc != 0;
    rc = mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0);
    mail->wrong[3] += rc != 0 || READ_ONCE(*view) != to;
}

/* Its bytes are the same, whatever the host makes them. */
static bool has_whole_handle(void)
{
    uint64_t handle[2];

    return hypercall(__HYPERVISOR_xen_version, XENVER_guest_handle,
                     PTR(handle), 0) == 0
           && handle[0] == handle[1]
           && handle[0] == (handle[0] & 0xff) * 0x0101010101010101ul;
}

static void __attribute__((noreturn)) work(void)
{
    uint64_t i = 0;

    mail->wrong[3] += pv_load_user() != 0;
    mail->wrong[3] += hypercall(__HYPERVISOR_stack_switch, FLAT_KERNEL_SS,
                                mail->traps, 0) != 0;
    for (;;) {
        change(i++ % 2);
        pv_user_code("\x0f\x05", 2, 0);
        mail->wrong[3] += trap_last.vector != ON_SYSCALL;
        mail->wrong[3] += hypercall(__HYPERVISOR_xen_version, XENVER_version,
                                    0, 0) != (4 << 16 | 17);
        mail->wrong[3] += READ_ONCE(mail->wants_handle)
                          && !has_whole_handle();
        mail->counter[3]++;
    }
}

static long start(unsigned int vcpu, void (*fn)(void))
{
    static struct vcpu_guest_context c;
    long rc;

    pv_make_context(&c, fn);
    c.syscall_callback_eip = PTR(stub_syscall);
    c.ctrlreg[4] = 8;                   /* DE: a breakpoint at a port */
    c.debugreg[0] = 0x99;
    c.debugreg[7] = 0x20001;
    mail->stack[vcpu] = c.kernel_sp;
    shared_info->vcpu_info[vcpu].evtchn_upcall_mask = 1;
    rc = hypercall(__HYPERVISOR_vcpu_op, VCPUOP_initialise, vcpu, PTR(&c));
    return rc != 0 ? rc : hypercall(__HYPERVISOR_vcpu_op, VCPUOP_up, vcpu, 0);
}

/* ---- memory that it did not have at first ---- */

static long populate(xen_pfn_t frame[2])
{
    struct xen_memory_reservation r = { .nr_extents = 2,
                                        .domid = DOMID_SELF };

    set_xen_guest_handle(r.extent_start, frame);
    return hypercall(__HYPERVISOR_memory_op, XENMEM_populate_physmap, PTR(&r),
                     0);
}

/* A level 1 table in frame[0], of frame[1] and one of ours. */
static long make_table(const xen_pfn_t frame[2])
{
    long rc = update_va(window, frame[0] << PAGE_SHIFT | PTE_RW);

    if (rc != 0) {
        return rc;
    }
    memset(window, 0, PAGE_SIZE);
    window[0] = frame[1] << PAGE_SHIFT | PTE_RW;
    window[1] = mfn_of(pages[1]) << PAGE_SHIFT | PTE_RO;
    rc = update_va(window, frame[0] << PAGE_SHIFT | PTE_RO);
    return rc != 0 ? rc : mmuext(MMUEXT_PIN_L1_TABLE, frame[0]);
}

/* 'table' is the one of level 1 at VIRT_BASE + 'slot' * 2 MiB from now on. */
static long place_table(uint64_t table, uint64_t slot)
{
    const uint64_t *t = pv_root();

    for (unsigned int shift = 39; shift > 21; shift -= 9) {
        t = page_of(t[VIRT_BASE >> shift & 511]);
    }
    return mmu_write(mfn_of(t) << PAGE_SHIFT | slot * sizeof(*t),
                     table << PAGE_SHIFT | PTE_RW);
}

/* 0, or the step that failed. */
static long use_new(uint64_t pfn, uint64_t slot)
{
    volatile uint64_t *there = (uint64_t *)(VIRT_BASE + (slot << 21));
    xen_pfn_t frame[2] = { pfn, pfn + 1 };

    if (populate(frame) != 2) {
        return 1;
    }
    if (pv_m2p(frame[0]) != pfn || pv_m2p(frame[1]) != pfn + 1) {
        return 2;
    }
    mail->table = frame[0];
    if (make_table(frame) != 0) {
        return 3;
    }
    if (place_table(frame[0], slot) != 0) {
        return 4;
    }
    there[5] = pfn;
    if (there[5] != pfn || there[512] != 1) {
        return 5;
    }
    if (mmu_write((frame[0] << PAGE_SHIFT) + sizeof(*there),
                  mfn_of(pages[0]) << PAGE_SHIFT | PTE_RO) != 0
        || mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0) != 0) {
        return 6;
    }
    return there[512] == 0 ? 0 : 7;
}

static long obey(uint32_t ask)
{
    switch ((enum mail_ask)(ask & 0xff)) {
    case MAIL_CALL:
        return hypercall6((unsigned int)mail->nr, mail->arg[0], mail->arg[1],
                          mail->arg[2], mail->arg[3], mail->arg[4]);
    case MAIL_SPIN:
        return start(1, spin);
    case MAIL_BLOCK:
        return start(2, block);
    case MAIL_WORK:
        return start(3, work);
    case MAIL_GROW:
        return use_new(mail->arg[0], mail->arg[1]);
    case MAIL_END:
        pv_end(SHUTDOWN_poweroff);
    default:
        return -ENOSYS;
    }
}

void pv_main(void)
{
    uint32_t ask;

    mail = (void *)(VIRT_BASE + (pv_m2p(start_info->store_mfn)
                                 << PAGE_SHIFT));
    for (unsigned int i = 0; i < 2; i++) {
        pages[i] = pv_pages(1);
        pages[i][0] = i;
    }
    view = pv_pages(1);
    window = pv_pages(1);
    mail->here = PTR(mail);
    mail->image = PTR(image_start);
    mail->image_end = PTR(image_end);
    mail->traps = PTR(pv_pages(1)) + PAGE_SIZE;
    mail->user = USER_CODE;
    mail->user_rsp = USER_STACK + PAGE_SIZE;
    for (;;) {
        ask = READ_ONCE(mail->ask);
        barrier();
        if (ask != mail->done) {
            mail->answer = obey(ask);
            barrier();
            *(volatile uint32_t *)&mail->done = ask;
        }
        (void)hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
    }
}
