/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a PV guest is answered by Xen, each case as it is there: the run on
 * stock Xen is the oracle.  Frames are machine frames, and nothing is pinned
 * that is mapped writable.
 */
#include "pv/pv.h"

#include <xen/nmi.h>
#include <xen/version.h>

#define SPINS 200000000u
#define NOWHERE 0x8000000000000000ul
#define NO_FRAME (1ul << 38)
#define HOLE 0xffff808000000000ul

extern const char trap_stack_top[];

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

static long nmi_op_of_1;

static void __attribute__((noreturn)) start_1(void)
{
    struct xennmi_callback op = { .handler_address = PTR(stub_nmi) };

    nmi_op_of_1 = hypercall(__HYPERVISOR_nmi_op, XENNMI_register_callback,
                            PTR(&op), 0);
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

/* What DR7 vcpu 2 started with. */
static volatile long dr7_of_2;

void start_2(const uint64_t *frame)
{
    memcpy(bad[0], frame + 2, sizeof(bad[0]));
    dr7_of_2 = hypercall(__HYPERVISOR_get_debugreg, 7, 0, 0);
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
    context.ctrlreg[4] = 8;             /* DE: a breakpoint at a port */
    context.debugreg[0] = 0x99;
    context.debugreg[7] = 0x20001;
    pv_equal("bad-cs", vcpu_op(VCPUOP_initialise, 2, &context), 0);
    pv_equal("bad-cs-up", vcpu_op(VCPUOP_up, 2, NULL), 0);
    pv_case(goes_down(2) && bad[0][0] == 0x1230 && bad[0][1] == PTR(start_1)
            && (bad[0][2] & 0xffff) == 0x1230, "bad-cs-traps",
            "error %lx rip %lx cs %lx", bad[0][0], bad[0][1], bad[0][2]);
    pv_equal("context-of-port", dr7_of_2, 0x20401);
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
    pv_equal("nmi-op-of-other-vcpu", nmi_op_of_1, 0);
    start_badly();
}

/* ---- tables of traps, callbacks, debug registers, segment bases ---- */

#define CALL(name, want, nr, ...) \
    { name, want, __HYPERVISOR_##nr, { __VA_ARGS__ } }

struct call {
    const char *name;
    long want;
    unsigned int nr;
    uint64_t arg[5];
};

static void make_calls(const struct call *c, unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        pv_equal(c[i].name, hypercall6(c[i].nr, c[i].arg[0], c[i].arg[1],
                                       c[i].arg[2], c[i].arg[3],
                                       c[i].arg[4]), c[i].want);
    }
}

#define MAKE(calls) make_calls(calls, ARRAY_SIZE(calls))

static void test_entries(void)
{
    const struct trap_info wild[] = {
        { .vector = 0x90, .cs = FLAT_KERNEL_CS, .address = NOWHERE }, { 0 },
    };
    const struct call calls[] = {
        CALL("traps-non-canonical", -EINVAL, set_trap_table, PTR(wild)),
        CALL("traps-unreadable", -EFAULT, set_trap_table, 0x1000),
        CALL("traps-in-hole", -EFAULT, set_trap_table, HOLE),
        CALL("callback-unreadable", -EFAULT, callback_op, 0, 0x1000),
        CALL("callback-unknown", -ENOSYS, callback_op, 77, 0x1000),
        CALL("nmi-op-unreadable", -EFAULT, nmi_op, 0, 0x1000),
        CALL("nmi-op-unknown", -ENOSYS, nmi_op, 77, 0x1000),
        CALL("base-fs", 0, set_segment_base, SEGBASE_FS, 0x12345000),
        CALL("base-fs-non-canonical", -EINVAL, set_segment_base, SEGBASE_FS,
             NOWHERE),
        CALL("base-user", 0, set_segment_base, SEGBASE_GS_USER, 0x2345000),
        CALL("base-user-non-canonical", -EINVAL, set_segment_base,
             SEGBASE_GS_USER, NOWHERE),
        CALL("base-kernel-non-canonical", -EINVAL, set_segment_base,
             SEGBASE_GS_KERNEL, NOWHERE),
        CALL("base-user-selector", 0, set_segment_base, SEGBASE_GS_USER_SEL,
             0),
        CALL("base-user-bad-selector", 0, set_segment_base,
             SEGBASE_GS_USER_SEL, 0x1233),
        CALL("base-unknown", -EINVAL, set_segment_base, 7, 0),
        CALL("debug-0", 0, set_debugreg, 0, USER_CODE),
        CALL("debug-0-is", USER_CODE, get_debugreg, 0),
        CALL("debug-0-in-hole", -EPERM, set_debugreg, 0, HOLE),
        CALL("debug-0-non-canonical", -EPERM, set_debugreg, 0, NOWHERE),
        CALL("debug-7-high", -EINVAL, set_debugreg, 7, 1ul << 32),
        CALL("debug-7-off", 0, set_debugreg, 7, 0),
        CALL("debug-7-is", 0x400, get_debugreg, 7),
        CALL("debug-9", -ENODEV, set_debugreg, 9, 0),
        CALL("debug-6-high", -EINVAL, set_debugreg, 6, 1ul << 32),
        CALL("debug-6-is", 0xffff0ff0, get_debugreg, 6),
        CALL("debug-6-reserved", 0, set_debugreg, 6, 0xffff),
        CALL("debug-6-allowed", 0xffffefff, get_debugreg, 6),
        CALL("debug-6-clear", 0, set_debugreg, 6, 0),
        CALL("debug-5-is", 0x400, get_debugreg, 5),
        CALL("debug-7-general", -EPERM, set_debugreg, 7, 0x2000),
        CALL("debug-7-general-is", 0x400, get_debugreg, 7),
        CALL("debug-7-io", -EPERM, set_debugreg, 7, 0x20001),
        CALL("debug-9-is", -ENODEV, get_debugreg, 9),
        CALL("debug-0-off", 0, set_debugreg, 0, 0),
        CALL("switch-off", 0, fpu_taskswitch, 0),
    };

    MAKE(calls);
}

/* ---- what a guest is told that it has not ---- */

static void test_absent(void)
{
    static uint8_t zero[256] __attribute__((aligned(256)));
    struct physdev_set_iopl high = { 4 };
    struct physdev_set_iobitmap map = { 0 };
    const struct call calls[] = {
        CALL("xenpmu", -EOPNOTSUPP, xenpmu_op, 0, PTR(zero)),
        CALL("tmem", -ENOSYS, tmem_op, 0, PTR(zero)),
        CALL("call-55", -ENOSYS, arch_7, 1),
        CALL("call-63", -ENOSYS, arch_7 + 8, 1),
        CALL("iopl-4", -EINVAL, physdev_op, PHYSDEVOP_set_iopl, PTR(&high)),
        CALL("iopl-unreadable", -EFAULT, physdev_op, PHYSDEVOP_set_iopl,
             0x1000),
        CALL("iobitmap-none", 0, physdev_op, PHYSDEVOP_set_iobitmap,
             PTR(&map)),
        CALL("assist-unknown", -EINVAL, vm_assist, VMASST_CMD_enable, 63),
        CALL("assist-segments", 0, vm_assist, VMASST_CMD_enable,
             VMASST_TYPE_4gb_segments),
        CALL("assist-tables", 0, vm_assist, VMASST_CMD_enable,
             VMASST_TYPE_writable_pagetables),
        CALL("assist-notify", 0, vm_assist, VMASST_CMD_enable,
             VMASST_TYPE_4gb_segments_notify),
        CALL("assist-notify-off", 0, vm_assist, VMASST_CMD_disable,
             VMASST_TYPE_4gb_segments_notify),
        CALL("assist-segments-off", 0, vm_assist, VMASST_CMD_disable,
             VMASST_TYPE_4gb_segments),
        CALL("assist-pae", 0, vm_assist, VMASST_CMD_enable,
             VMASST_TYPE_pae_extended_cr3),
        CALL("assist-iopl", 0, vm_assist, VMASST_CMD_enable,
             VMASST_TYPE_architectural_iopl),
        CALL("assist-iopl-off", 0, vm_assist, VMASST_CMD_disable,
             VMASST_TYPE_architectural_iopl),
        CALL("assist-strict", 0, vm_assist, VMASST_CMD_enable,
             VMASST_TYPE_m2p_strict),
        CALL("assist-6", -EINVAL, vm_assist, VMASST_CMD_enable, 6),
        CALL("assist-runstate", 0, vm_assist, VMASST_CMD_enable,
             VMASST_TYPE_runstate_update_flag),
        CALL("assist-runstate-off", 0, vm_assist, VMASST_CMD_disable,
             VMASST_TYPE_runstate_update_flag),
        CALL("assist-command", -ENOSYS, vm_assist, 7,
             VMASST_TYPE_runstate_update_flag),
        CALL("vcpu-op-unknown", -ENOSYS, vcpu_op, 77, 0, 0),
        CALL("vcpu-op-no-vcpu", -ENOENT, vcpu_op, VCPUOP_is_up, 77, 0),
        CALL("sched-op-unknown", -ENOSYS, sched_op, 77, 0),
        CALL("other-domain", -EPERM, update_va_mapping_otherdomain,
             PTR(zero), 0, 0, 0),
    };

    MAKE(calls);
}

/* ---- page tables ---- */

static long extend(unsigned int cmd, uint64_t arg1, uint64_t arg2)
{
    struct mmuext_op op = { .cmd = cmd, .arg1.mfn = arg1 };

    op.arg2.src_mfn = arg2;
    return hypercall6(__HYPERVISOR_mmuext_op, PTR(&op), 1, 0, DOMID_SELF, 0);
}

static void test_extended(void)
{
    static uint64_t vcpus[1] = { ~0ul };
    uint64_t *a = pv_pages(1), *b = pv_pages(1), *l1 = pv_pages(1);

    a[3] = 4711;
    protect(l1);
    pv_equal("copy", extend(MMUEXT_COPY_PAGE, mfn_of(b), mfn_of(a)), 0);
    pv_equal("copied", (long)b[3], 4711);
    pv_equal("clear", extend(MMUEXT_CLEAR_PAGE, mfn_of(b), 0), 0);
    pv_equal("cleared", (long)b[3], 0);
    pv_equal("copy-beyond", extend(MMUEXT_COPY_PAGE, mfn_of(b), NO_FRAME),
             -EINVAL);
    pv_equal("clear-beyond", extend(MMUEXT_CLEAR_PAGE, NO_FRAME, 0),
             -EINVAL);
    pv_equal("pin", extend(MMUEXT_PIN_L1_TABLE, mfn_of(l1), 0), 0);
    pv_equal("pin-again", extend(MMUEXT_PIN_L1_TABLE, mfn_of(l1), 0),
             -EINVAL);
    pv_equal("pin-as-l2", extend(MMUEXT_PIN_L2_TABLE, mfn_of(l1), 0),
             -EINVAL);
    pv_equal("clear-table", extend(MMUEXT_CLEAR_PAGE, mfn_of(l1), 0),
             -EINVAL);
    pv_equal("base-is-l1", extend(MMUEXT_NEW_BASEPTR, mfn_of(l1), 0),
             -EINVAL);
    pv_equal("unpin", extend(MMUEXT_UNPIN_TABLE, mfn_of(l1), 0), 0);
    pv_equal("unpin-again", extend(MMUEXT_UNPIN_TABLE, mfn_of(l1), 0),
             -EINVAL);
    pv_equal("pin-beyond", extend(MMUEXT_PIN_L1_TABLE, NO_FRAME, 0), -EINVAL);
    pv_equal("flush-local", extend(MMUEXT_TLB_FLUSH_LOCAL, 0, 0), 0);
    pv_equal("page-local", extend(MMUEXT_INVLPG_LOCAL, PTR(a), 0), 0);
    pv_equal("flush-multi", extend(MMUEXT_TLB_FLUSH_MULTI, 0, PTR(vcpus)),
             0);
    pv_equal("page-multi", extend(MMUEXT_INVLPG_MULTI, PTR(a), PTR(vcpus)),
             0);
    pv_equal("flush-unreadable", extend(MMUEXT_TLB_FLUSH_MULTI, 0, 0x1000),
             -EINVAL);
    pv_equal("flush-all", extend(MMUEXT_TLB_FLUSH_ALL, 0, 0), 0);
    pv_equal("page-all", extend(MMUEXT_INVLPG_ALL, PTR(a), 0), 0);
    pv_equal("cache-global", extend(MMUEXT_FLUSH_CACHE_GLOBAL, 0, 0),
             -EINVAL);
    pv_equal("cache", extend(MMUEXT_FLUSH_CACHE, 0, 0), -EACCES);
    pv_equal("mark-super", extend(MMUEXT_MARK_SUPER, mfn_of(a), 0),
             -EOPNOTSUPP);
    pv_equal("extended-unknown", extend(77, 0, 0), -ENOSYS);
    pv_equal("ldt-too-long", extend(MMUEXT_SET_LDT, PTR(a), 8193), -EINVAL);
    pv_equal("ldt-in-hole", extend(MMUEXT_SET_LDT, HOLE, 8), -EINVAL);
    pv_equal("ldt-not-aligned", extend(MMUEXT_SET_LDT, PTR(a) + 8, 8),
             -EINVAL);
    pv_equal("ldt-none", extend(MMUEXT_SET_LDT, 0, 0), 0);
}

static uint64_t entry_address(const void *page)
{
    const uint64_t *entry = pv_entry_of(page);

    return mfn_of(entry) << PAGE_SHIFT | (PTR(entry) & 0xfff);
}

static void test_updates(void)
{
    uint64_t *a = pv_pages(1), *b = pv_pages(1);
    uint64_t at = entry_address(a), old = *pv_entry_of(a);
    uint64_t other = mfn_of(b) << PAGE_SHIFT | PTE_RW;
    const uint64_t dirty = 0x60;
    struct mmu_update list[3] = {
        { .ptr = at, .val = other }, { .ptr = at | 7, .val = 0 },
        { .ptr = at, .val = old },
    };
    uint32_t done = 77;

    a[0] = 1;
    b[0] = 2;
    pv_equal("update", mmu_write(at, other), 0);
    (void)extend(MMUEXT_INVLPG_LOCAL, PTR(a), 0);
    pv_equal("updated", (long)READ_ONCE(a[0]), 2);
    a[1] = 3;                           /* accessed and dirty */
    pv_equal("update-keeps", mmu_write(at | MMU_PT_UPDATE_PRESERVE_AD,
                                       other & ~dirty), 0);
    pv_case((*pv_entry_of(a) & dirty) == dirty, "kept", "%lx",
            *pv_entry_of(a));
    pv_equal("update-plain", mmu_write(at, other & ~dirty), 0);
    pv_case((*pv_entry_of(a) & dirty) == 0, "plain", "%lx",
            *pv_entry_of(a));
    pv_equal("update-list", hypercall6(__HYPERVISOR_mmu_update, PTR(list), 3,
                                       PTR(&done), DOMID_SELF, 0), -ENOSYS);
    pv_equal("updates-done", done, 1);
    pv_equal("update-beyond", mmu_write(NO_FRAME << PAGE_SHIFT, 0), -EINVAL);
    pv_equal("update-unreadable", hypercall6(__HYPERVISOR_mmu_update, 0x1000,
                                             1, 0, DOMID_SELF, 0), -EFAULT);
    pv_equal("update-of-nobody", hypercall6(__HYPERVISOR_mmu_update,
                                            PTR(list), 1, 0, 0x7000, 0),
             -ESRCH);
    pv_equal("update-of-other", hypercall6(__HYPERVISOR_mmu_update, PTR(list),
                                           1, 0, 0, 0), -EPERM);
    pv_equal("update-back", mmu_write(at, old), 0);
    (void)extend(MMUEXT_INVLPG_LOCAL, PTR(a), 0);
    pv_equal("updated-back", (long)READ_ONCE(a[0]), 1);
    pv_equal("va-in-hole", hypercall(__HYPERVISOR_update_va_mapping, HOLE, 0,
                                     0), -EINVAL);
    pv_equal("va-without-table", hypercall(__HYPERVISOR_update_va_mapping,
                                           0x123456789000, 0, 0), -EINVAL);
    pv_equal("va-other", hypercall6(__HYPERVISOR_update_va_mapping_otherdomain,
                                    PTR(a), old, UVMF_INVLPG, DOMID_SELF, 0),
             0);
    pv_equal("va-of-nobody",
             hypercall6(__HYPERVISOR_update_va_mapping_otherdomain, PTR(a),
                        old, UVMF_INVLPG, 0x7000, 0), -ESRCH);
    pv_equal("extended-of-nobody", hypercall6(__HYPERVISOR_mmuext_op,
                                              PTR(list), 1, 0, 0x7000, 0),
             -ESRCH);
}

/* Entries that no table may have. */
static void test_bad_entries(void)
{
    const uint64_t none = NO_FRAME << PAGE_SHIFT;
    uint64_t *a = pv_pages(1), *l1 = pv_pages(1), *l2 = pv_pages(1);
    uint64_t at = entry_address(a), old = *pv_entry_of(a);
    uint64_t table, mine = mfn_of(a) << PAGE_SHIFT;

    pv_equal("leaf-of-no-frame", mmu_write(at, none | PTE_RW), -EPERM);
    pv_equal("leaf-all-ones", mmu_write(at, PTE_ADDRESS | PTE_RW), -EINVAL);
    pv_equal("leaf-keeping-no-frame",
             mmu_write(at | MMU_PT_UPDATE_PRESERVE_AD, none | PTE_RW),
             -EPERM);
    pv_equal("va-of-no-frame", update_va(a, none | PTE_RW), -EPERM);
    pv_equal("leaf-not-present", mmu_write(at, none), 0);
    pv_equal("leaf-pwt", mmu_write(at, mine | PTE_RW | 0x8), -EINVAL);
    pv_equal("leaf-pcd", mmu_write(at, mine | PTE_RW | 0x10), -EINVAL);
    pv_equal("leaf-pat", mmu_write(at, mine | PTE_RW | 0x80), -EINVAL);
    pv_equal("leaf-pcd-no-frame", mmu_write(at, none | PTE_RW | 0x10),
             -EINVAL);
    pv_equal("leaf-global", mmu_write(at, mine | PTE_RW | 0x100), 0);
    pv_equal("leaf-available", mmu_write(at, mine | PTE_RW | 0xe00
                                             | 1ul << 52 | 1ul << 62), 0);
    pv_equal("leaf-nx", mmu_write(at, mine | PTE_RW | PTE_NX), 0);
    pv_equal("leaf-back", mmu_write(at, old), 0);
    protect(l1);
    protect(l2);
    pv_equal("l2-pin", mmuext(MMUEXT_PIN_L2_TABLE, mfn_of(l2)), 0);
    table = mfn_of(l1) << PAGE_SHIFT | PTE_RW;
    at = mfn_of(l2) << PAGE_SHIFT;
    pv_equal("l2-of-no-frame", mmu_write(at, none | PTE_RW), -EINVAL);
    pv_equal("l2-large", mmu_write(at, table | 0x80), -EINVAL);
    pv_equal("l2-pcd", mmu_write(at, table | 0x10), -EINVAL);
    pv_equal("l2-pwt", mmu_write(at, table | 0x8), -EINVAL);
    pv_equal("l2-global", mmu_write(at, table | 0x100), -EINVAL);
    pv_equal("l2-writable-linear", mmu_write(at, at | PTE_RW), -EINVAL);
    pv_equal("l2-linear", mmu_write(at, at | PTE_RO), 0);
    pv_equal("l2-no-longer", mmu_write(at, 0), 0);
    pv_equal("l2-entry", mmu_write(at, table), 0);
    pv_equal("l2-entry-is-table", mmuext(MMUEXT_PIN_L2_TABLE, mfn_of(l1)),
             -EINVAL);
    pv_equal("l4-slot-of-xen", mmu_write((mfn_of(pv_root()) << PAGE_SHIFT)
                                         + 256 * 8, 0), -EINVAL);
    pv_equal("l2-unpin", mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l2)), 0);
}

static void do_store(void *arg)
{
    *(volatile uint64_t *)arg = 0;
}

/* What a kernel stores into a table itself, read-only as it is mapped. */
static void test_stores(void)
{
    uint64_t *l1 = pv_pages(1), *l2 = pv_pages(1), *page = pv_pages(1);

    protect(l1);
    protect(l2);
    protect(page);
    pv_traps("store-to-page", do_store, page, 14);
    pv_equal("store-pin-1", mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(l1)), 0);
    pv_equal("store-pin-2", mmuext(MMUEXT_PIN_L2_TABLE, mfn_of(l2)), 0);
    pv_traps("store-to-l1", do_store, l1, NO_TRAP);
    pv_traps("store-to-l2", do_store, l2, 14);
    pv_equal("store-unpin-1", mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l1)), 0);
    pv_equal("store-unpin-2", mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l2)), 0);
    pv_traps("store-to-former-l2", do_store, l2, 14);
}

/* ---- descriptors ---- */

#define DATA 0x00cf93000000fffful
#define GATE 0x0000ec00e0080000ul

static void do_load_ds(void *arg)
{
    __asm__ volatile("mov %w0, %%ds" :: "r" ((uint32_t)PTR(arg)));
}

static long set_gdt(uint64_t frame, unsigned int count)
{
    xen_ulong_t list[14] = { frame };

    return hypercall(__HYPERVISOR_set_gdt, PTR(list), count, 0);
}

static long update_descriptor(const uint64_t *at, uint64_t value)
{
    return hypercall(__HYPERVISOR_update_descriptor,
                     mfn_of(at) << PAGE_SHIFT | (PTR(at) & 0xfff), value, 0);
}

/* To offset 0, or wherever a gate leads. */
static void do_far_call(void *arg)
{
    const struct {
        uint32_t offset;
        uint16_t selector;
    } __attribute__((packed)) to = { 0, (uint16_t)PTR(arg) };

    __asm__ volatile("lcall *%0" :: "m" (to) : "memory");
}

static void put(const char *name, uint64_t *at, uint64_t value, uint64_t want)
{
    pv_equal(name, update_descriptor(at, value), 0);
    pv_case(READ_ONCE(*at) == want, name, "%lx", *at);
}

/* Call gates are taken, and lead nowhere. */
static void test_gates(uint64_t *gdt)
{
    pv_equal("gate-to-xen", update_descriptor(&gdt[4], GATE), -EINVAL);
    pv_equal("gate-to-user-32", update_descriptor(&gdt[4],
                                                  0x0000ec00e0230000),
             -EINVAL);
    pv_equal("gate-to-rpl-0", update_descriptor(&gdt[4], 0x0000ec00e0300000),
             -EINVAL);
    pv_equal("gate-with-count", update_descriptor(&gdt[4],
                                                  0x0000ec0100100000),
             -EINVAL);
    pv_equal("gate-of-interrupt", update_descriptor(&gdt[4],
                                                    0x0000ee0000100000),
             -EINVAL);
    pv_equal("gate-of-16", update_descriptor(&gdt[4], 0x0000e40000100000),
             -EINVAL);
    pv_equal("tss", update_descriptor(&gdt[4], 0x0000e90000100000), -EINVAL);
    put("gate-to-kernel", &gdt[4], 0x8000ec00e0331234, 0x80008c00e0331234);
    put("gate-to-local", &gdt[4], 0x0000cc00e0040000, 0x00008c00e0070000);
    put("gate-to-own", &gdt[4], 0x8000ac0000111234, 0x80008c0000131234);
    put("gate-behind", &gdt[5], 0xffffffff, 0xffffffff);
    pv_traps("gate-call", do_far_call, (void *)0x23, 13);
    pv_equal("gate-call-error", (long)trap_last.error, 0x20);
    pv_traps("gate-call-0", do_far_call, (void *)0x20, 13);
    pv_traps("gate-load", do_load_ds, (void *)0x23, 13);
}

/* Segments that can be used by few, or by nobody. */
static void test_segments(uint64_t *gdt)
{
    const struct pv_start s = {
        .rip = USER_CODE, .rsp = USER_STACK + PAGE_SIZE,
        .rflags = 0x202, .cs = 0x23, .ss = FLAT_USER_SS,
    };

    put("conforming", &gdt[4], 0x00af9f000000ffff, 0x00afff000000ffff);
    pv_user_code_at("\xcd\x80", 2, &s);
    pv_case(trap_last.vector == 0x80 && (trap_last.cs & 0xffff) == 0x23,
            "conforming-runs", "vector %lx cs %lx", trap_last.vector,
            trap_last.cs);
    /* Which QEMU would run, and a CPU not. */
    put("long-and-32", &gdt[4], 0x00ef9b000000ffff, 0x00effb000000ffff);
    put("no-kind", &gdt[4], 0x0000800012345678, 0x0000800012345678);
    put("not-present", &gdt[4], 0x00000900e0080000, 0x00000900e0080000);
}

static void test_gdt(void)
{
    uint64_t *gdt = pv_pages(1), *l1 = pv_pages(1), *ldt = pv_pages(1);

    gdt[2] = DATA;
    gdt[6] = 0x0000ec00e0330000;        /* a gate */
    ldt[1] = DATA;
    protect(gdt);
    protect(ldt);
    protect(l1);
    pv_equal("gdt-unreadable", hypercall(__HYPERVISOR_set_gdt, 0x1000, 8, 0),
             -EFAULT);
    pv_equal("gdt-too-long", set_gdt(mfn_of(gdt), 7169), -EINVAL);
    pv_equal("gdt-beyond", set_gdt(NO_FRAME, 512), -EINVAL);
    pv_equal("gdt", set_gdt(mfn_of(gdt), 512), 0);
    pv_equal("gdt-is-data", pv_try(do_load_ds, (void *)0x13), true);
    pv_equal("gdt-dpl", (long)(gdt[2] >> 45 & 3), 3);
    pv_equal("gdt-gate-dpl", (long)(gdt[6] >> 45 & 3), 0);
    pv_equal("gdt-gate", update_descriptor(&gdt[3], GATE), -EINVAL);
    pv_equal("gdt-none", update_descriptor(&gdt[3], 1ul << 47), 0);
    pv_equal("gdt-data", update_descriptor(&gdt[3], DATA), 0);
    pv_equal("gdt-more-data", pv_try(do_load_ds, (void *)0x1b), true);
    test_gates(gdt);
    test_segments(gdt);
    pv_equal("descriptor-beyond",
             hypercall(__HYPERVISOR_update_descriptor, NO_FRAME << PAGE_SHIFT,
                       0, 0), -EINVAL);
    pv_equal("descriptor-not-aligned",
             hypercall(__HYPERVISOR_update_descriptor,
                       (mfn_of(gdt) << PAGE_SHIFT) + 4, 0, 0), -EINVAL);
    pv_equal("ldt", extend(MMUEXT_SET_LDT, PTR(ldt), 512), 0);
    pv_equal("ldt-is-data", pv_try(do_load_ds, (void *)0xf), true);
    (void)pv_try(do_load_ds, NULL);
    pv_equal("ldt-off", extend(MMUEXT_SET_LDT, 0, 0), 0);
    pv_traps("ldt-is-off", do_load_ds, (void *)0xf, 13);
    pv_equal("gdt-off", set_gdt(0, 0), 0);
    pv_traps("gdt-is-off", do_load_ds, (void *)0x13, 13);
    pv_equal("gdt-free", update_va(gdt, mfn_of(gdt) << PAGE_SHIFT | PTE_RW),
             0);
    pv_equal("table-pin", extend(MMUEXT_PIN_L1_TABLE, mfn_of(l1), 0), 0);
    pv_equal("gdt-is-table", set_gdt(mfn_of(l1), 512), -EINVAL);
    pv_equal("descriptor-in-table", update_descriptor(&l1[3], 0), -EINVAL);
    pv_equal("table-unpin", extend(MMUEXT_UNPIN_TABLE, mfn_of(l1), 0), 0);
}

/* ---- multicall ---- */

#define IRET_MARK 0x1234

static void test_multicall(void)
{
    multicall_entry_t list[] = {
        { .op = __HYPERVISOR_xen_version, .args = { XENVER_version } },
        { .op = __HYPERVISOR_multicall },
        { .op = 62 },
        { .op = __HYPERVISOR_stack_switch,
          .args = { FLAT_KERNEL_SS, PTR(trap_stack_top) } },
        { .op = __HYPERVISOR_mmuext_op, .args = { 0x1000, 1, 0, DOMID_SELF } },
    };

    pv_equal("multicall", hypercall(__HYPERVISOR_multicall, PTR(list),
                                    ARRAY_SIZE(list), 0), 0);
    pv_equal("multicall-version", (long)list[0].result, 4 << 16 | 17);
    pv_equal("multicall-nested", (long)list[1].result, -EINVAL);
    pv_equal("multicall-unknown", (long)list[2].result, -ENOSYS);
    pv_equal("multicall-stack", (long)list[3].result, 0);
    pv_equal("multicall-unreadable", (long)list[4].result, -EFAULT);
    pv_equal("multicall-no-list", hypercall(__HYPERVISOR_multicall, 0x1000,
                                            1, 0), -EFAULT);
    pv_equal("multicall-in-hole", hypercall(__HYPERVISOR_multicall, HOLE, 1,
                                            0), -EFAULT);
    pv_equal("multicall-empty", hypercall(__HYPERVISOR_multicall, 0x1000, 0,
                                          0), 0);
}

/*
 * With an iret frame on the stack that goes on behind the system call: what
 * the frame has for rax.
 */
static long multicall_on_frame(multicall_entry_t *list, unsigned long count)
{
    long result;

    __asm__ volatile("mov %%rsp, %%rbx\n"
                     "push %[ss]\n"
                     "push %%rbx\n"
                     "pushf\n"
                     "andl $~0x200, (%%rsp)\n"
                     "push %[cs]\n"
                     "lea 1f(%%rip), %%rcx\n"
                     "push %%rcx\n"
                     "push $0\n"           /* flags */
                     "push $0\n"           /* rcx */
                     "push $0\n"           /* r11 */
                     "push %[mark]\n"      /* rax */
                     "syscall\n"
                     "ud2\n"
                     "1:\n"
                     : "=a" (result), "+D" (list), "+S" (count)
                     : "0" (__HYPERVISOR_multicall), [mark] "i" (IRET_MARK),
                       [ss] "i" (FLAT_KERNEL_SS),
                       [cs] "i" (FLAT_KERNEL_CS & ~3)   /* not of user mode */
                     : "rbx", "rcx", "rdx", "r11", "memory");
    return result;
}

/* Nothing of the list follows an iret: it may go to user mode. */
static void test_multicall_iret(void)
{
    multicall_entry_t list[] = {
        { .op = __HYPERVISOR_xen_version, .args = { XENVER_version } },
        { .op = __HYPERVISOR_iret },
        { .op = __HYPERVISOR_xen_version, .args = { XENVER_version } },
    };

    pv_equal("multicall-iret", multicall_on_frame(list, ARRAY_SIZE(list)),
             IRET_MARK);
    pv_equal("multicall-before-iret", (long)list[0].result, 4 << 16 | 17);
    pv_equal("multicall-after-iret", (long)list[2].result, 0);
}

/* ---- version ---- */

static long features(void)
{
    struct xen_feature_info info = { .submap_idx = 0 };

    return hypercall(__HYPERVISOR_xen_version, XENVER_get_features,
                     PTR(&info), 0) == 0 ? (long)info.submap : -1;
}

static long set_assist(unsigned int cmd, unsigned int type)
{
    return hypercall(__HYPERVISOR_vm_assist, cmd, type, 0);
}

#define FEATURES (1u << XENFEAT_memory_op_vnode_supported               \
                  | 1u << XENFEAT_mmu_pt_update_preserve_ad             \
                  | 1u << XENFEAT_highmem_assist                        \
                  | 1u << XENFEAT_gnttab_map_avail_bits                 \
                  | 1u << XENFEAT_direct_mapped)

static void test_version(void)
{
    struct xen_feature_info second = { .submap_idx = 1 };
    const struct call calls[] = {
        CALL("features-unreadable", -EFAULT, xen_version, XENVER_get_features,
             0x1000),
        CALL("features-in-hole", -EFAULT, xen_version, XENVER_get_features,
             HOLE),
        CALL("features-no-map", -EINVAL, xen_version, XENVER_get_features,
             PTR(&second)),
        CALL("handle-unreadable", -EFAULT, xen_version, XENVER_guest_handle,
             0x1000),
        CALL("handle-in-hole", -EFAULT, xen_version, XENVER_guest_handle,
             HOLE),
        CALL("page-size", 4096, xen_version, XENVER_pagesize, 0),
        CALL("build-id", -EPERM, xen_version, XENVER_build_id, 0),
        CALL("version-unknown", -ENOSYS, xen_version, 99, 0),
    };

    MAKE(calls);
    (void)set_assist(VMASST_CMD_disable, VMASST_TYPE_pae_extended_cr3);
    pv_equal("features", features(), FEATURES);
    (void)set_assist(VMASST_CMD_enable, VMASST_TYPE_pae_extended_cr3);
    pv_equal("features-by-assist", features(),
             FEATURES | 1u << XENFEAT_pae_pgdir_above_4gb);
}

/* ---- memory ---- */

static long reserve(unsigned int op, xen_pfn_t *list, unsigned int count,
                    unsigned int order, domid_t id)
{
    struct xen_memory_reservation r = { .nr_extents = count, .domid = id,
                                        .extent_order = order };

    set_xen_guest_handle(r.extent_start, list);
    return hypercall(__HYPERVISOR_memory_op, op, PTR(&r), 0);
}

static long ask(unsigned int op)
{
    domid_t self = DOMID_SELF;

    return hypercall(__HYPERVISOR_memory_op, op, PTR(&self), 0);
}

#define ROOM 256u                   /* pages that pv_host leaves */

static void test_memory(void)
{
    static xen_pfn_t list[ROOM + 8];
    long now = ask(XENMEM_current_reservation), got;

    pv_equal("memory-limit", ask(XENMEM_maximum_reservation),
             (long)start_info->nr_pages + ROOM);
    pv_case(now <= (long)start_info->nr_pages + 16, "memory-now", "%ld", now);
    for (unsigned int i = 0; i < ARRAY_SIZE(list); i++) {
        list[i] = start_info->nr_pages + i;
    }
    got = reserve(XENMEM_populate_physmap, list, ARRAY_SIZE(list), 0,
                  DOMID_SELF);
    pv_equal("memory-to-its-limit", got,
             (long)start_info->nr_pages + ROOM - now);
    pv_equal("memory-all", ask(XENMEM_current_reservation),
             (long)start_info->nr_pages + ROOM);
    pv_equal("memory-m2p", (long)pv_m2p(list[3]),
             (long)start_info->nr_pages + 3);
    pv_equal("memory-back", reserve(XENMEM_decrease_reservation, list,
                                    (unsigned int)got, 0, DOMID_SELF), got);
    pv_equal("memory-less", ask(XENMEM_current_reservation), now);
    pv_equal("memory-twice", reserve(XENMEM_decrease_reservation, list, 1, 0,
                                     DOMID_SELF), 0);
    pv_equal("memory-huge", reserve(XENMEM_populate_physmap, list, 1, 20,
                                    DOMID_SELF), 0);
    pv_equal("memory-of-other", reserve(XENMEM_populate_physmap, list, 1, 0,
                                        0), 0);
    pv_equal("memory-unreadable", hypercall(__HYPERVISOR_memory_op,
                                            XENMEM_populate_physmap, 0x1000,
                                            0), 0);
}

void pv_main(void)
{
    test_initialise();
    test_iret();
    test_entries();
    test_absent();
    test_extended();
    test_updates();
    test_bad_entries();
    test_stores();
    test_gdt();
    test_multicall();
    test_multicall_iret();
    test_version();
    test_memory();
}
