/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PV guest's view of the ABI, in ways that Linux does not use it: traps and
 * their frames, user mode and what it may not, page tables written by every
 * way there is, descriptors, events, multicall, emulated instructions.
 */
#include "pv/pv.h"

#define SYSCALL "\x0f\x05"
#define FLAG_DF 0x400ul
#define HOLE 0xffff808000000000ul

extern const char trap_stack_top[];

static uint64_t cr2(void)
{
    return shared_info->vcpu_info[0].arch.cr2;
}

/* ---- start of day ---- */

static void test_start(void)
{
    struct xen_feature_info f = { 0 };
    struct xen_machphys_mapping m;
    const uint64_t *m2p;

    pv_case(memcmp(start_info->magic, "xen-", 4) == 0, "start-magic", "%s",
            start_info->magic);
    pv_equal("features", hypercall(__HYPERVISOR_xen_version,
                                   XENVER_get_features, PTR(&f), 0), 0);
    pv_case(!(f.submap & 1u << XENFEAT_auto_translated_physmap),
            "feature-not-translated", "%x", f.submap);
    /* Asked once, then remembered by the personality. */
    for (unsigned int i = 0; i < 2; i++) {
        pv_equal("version", hypercall(__HYPERVISOR_xen_version,
                                      XENVER_version, 0, 0), 4 << 16 | 17);
    }
    pv_equal("machphys", hypercall(__HYPERVISOR_memory_op,
                                   XENMEM_machphys_mapping, PTR(&m), 0), 0);
    m2p = (const uint64_t *)m.v_start;
    pv_case(m2p[5] == 5 && m2p[start_info->nr_pages - 1]
                           == start_info->nr_pages - 1,
            "m2p-identity", "%lx", m2p[5]);
    pv_equal("iopl", hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl,
                               PTR(&(struct physdev_set_iopl){ 1 }), 0), 0);
}

/* What stays the same the personality answers from what it was told. */
static void test_version(void)
{
    static struct {
        union {
            xen_extraversion_t extra;
            xen_capabilities_info_t caps;
            xen_changeset_info_t changes;
            struct xen_compile_info compile;
            struct xen_platform_parameters platform;
        };
        uint8_t behind;
    } a;
    static const struct {
        unsigned int cmd;
        uint32_t size;
        const void *start;
        uint32_t start_size;
    } wanted[] = {
        { XENVER_extraversion, sizeof(a.extra), ".5-gantry", 10 },
        { XENVER_capabilities, sizeof(a.caps), "xen-3.0-x86_64 ", 15 },
        { XENVER_changeset, sizeof(a.changes), "gantry", 7 },
        { XENVER_compile_info, sizeof(a.compile), "cc ", 3 },
        { XENVER_platform_parameters, sizeof(a.platform),
          "\0\0\0\0\0\200\377\377", 8 },
    };

    for (unsigned int i = 0; i < ARRAY_SIZE(wanted); i++) {
        uint8_t *bytes = (uint8_t *)&a;
        uint32_t size = wanted[i].size;

        memset(&a, 0x5a, sizeof(a));
        pv_equal("version-constant",
                 hypercall(__HYPERVISOR_xen_version, wanted[i].cmd, PTR(&a),
                           0), 0);
        pv_case(memcmp(&a, wanted[i].start, wanted[i].start_size) == 0,
                "version-content", "%u", wanted[i].cmd);
        pv_case(bytes[size] == 0x5a
                && (bytes[size - 1] == 0
                    || wanted[i].cmd == XENVER_platform_parameters),
                "version-size", "%u", wanted[i].cmd);
        pv_equal("version-pointer",
                 hypercall(__HYPERVISOR_xen_version, wanted[i].cmd, HOLE, 0),
                 -EFAULT);
    }
}

/* What is asked of the hypervisor each time, by way of the personality. */
static void test_handle(void)
{
    uint8_t handle[17], again[17];

    memset(handle, 0x5a, sizeof(handle));
    memset(again, 0xa5, sizeof(again));
    pv_equal("handle", hypercall(__HYPERVISOR_xen_version,
                                 XENVER_guest_handle, PTR(handle), 0), 0);
    pv_equal("handle-again", hypercall(__HYPERVISOR_xen_version,
                                       XENVER_guest_handle, PTR(again), 0),
             0);
    pv_case(memcmp(handle, again, 16) == 0 && handle[16] == 0x5a
            && again[16] == 0xa5, "handle-content", "%x", handle[16]);
    pv_equal("handle-pointer", hypercall(__HYPERVISOR_xen_version,
                                         XENVER_guest_handle, HOLE, 0),
             -EFAULT);
    pv_equal("features-pointer", hypercall(__HYPERVISOR_xen_version,
                                           XENVER_get_features, HOLE, 0),
             -EFAULT);
}

/* ---- traps of the kernel ---- */

static void do_ud(void *arg)
{
    (void)arg;
    __asm__ volatile("ud2");
}

static void do_divide(void *arg)
{
    (void)arg;
    __asm__ volatile("xor %%ecx, %%ecx; mov $1, %%eax; xor %%edx, %%edx; "
                     "div %%ecx" ::: "eax", "ecx", "edx");
}

static void do_read(void *arg)
{
    (void)*(volatile uint8_t *)arg;
}

static void do_write(void *arg)
{
    *(volatile uint64_t *)arg = 0x1122334455667788ul;
}

static void do_int(void *arg)
{
    (void)arg;
    __asm__ volatile("int $0x20");
}

static void do_vmmcall(void *arg)
{
    (void)arg;
    __asm__ volatile("vmmcall" :: "a" (17) : "memory");
}

static void do_load_ds(void *arg)
{
    __asm__ volatile("mov %w0, %%ds" :: "r" ((uint32_t)PTR(arg)));
}

static void expect(const char *name, void (*fn)(void *), uint64_t arg,
                   uint64_t vector, uint64_t error)
{
    bool ok = pv_try(fn, (void *)arg);

    pv_case(!ok && trap_last.vector == vector && trap_last.error == error,
            name, "vector %lx error %lx", trap_last.vector, trap_last.error);
}

static void test_traps(void)
{
    static uint8_t page[2 * PAGE_SIZE] __attribute__((aligned(4096)));

    expect("trap-ud", do_ud, 0, 6, 0);
    expect("trap-de", do_divide, 0, 0, 0);
    expect("trap-pf-absent", do_read, 0x12345000, 14, 0);
    pv_case(cr2() == 0x12345000, "trap-cr2", "%lx", cr2());
    expect("trap-gp-non-canonical", do_read, 0x8000000000000000ul, 13, 0);
    (void)update_va(page, mfn_of(page) << PAGE_SHIFT | PTE_RO);
    expect("trap-pf-read-only", do_write, PTR(page), 14, 3);
    (void)update_va(page, mfn_of(page) << PAGE_SHIFT | PTE_RW);
    pv_case(pv_try(do_write, page), "write-after-allowed", "ok");
    /* No handler: as if the gate were not there. */
    expect("trap-int-without-gate", do_int, 0, 13, 0x20 << 3 | 2);
    expect("vmmcall-of-kernel", do_vmmcall, 0, 6, 0);
    expect("hole-of-kernel", do_read, HOLE, 14, 0 | 1);
    expect("null-descriptor", do_load_ds, 0x1233, 13, 0x1230);
}

/* ---- user mode ---- */

static void user(const char *name, const char *code, size_t size,
                 uint64_t vector)
{
    pv_user_code(code, size, 0);
    pv_case(trap_last.vector == vector && (trap_last.cs & 3) == 3, name,
            "vector %lx error %lx rip %lx", trap_last.vector,
            trap_last.error, trap_last.rip);
}

#define USER(name, code, vector) user(name, code, sizeof(code) - 1, vector)

static void test_user(void)
{
    /* mov $0x77, %eax; syscall */
    USER("user-syscall", "\xb8\x77\0\0\0" SYSCALL, ON_SYSCALL);
    /* The kernel's IOPL (test_start()) is nothing that frames tell. */
    pv_case(!(trap_last.rflags & 0x3000), "user-frame-iopl", "%lx",
            trap_last.rflags);
    pv_case(trap_last.rax == 0x77 && trap_last.rip == USER_CODE + 7,
            "user-syscall-frame", "rax %lx rip %lx", trap_last.rax,
            trap_last.rip);
    /* std; the kernel's own string instructions shall not go downwards. */
    USER("user-std-syscall", "\xfd" SYSCALL, ON_SYSCALL);
    pv_case((trap_last.rflags & FLAG_DF) && !(handler_flags & FLAG_DF),
            "user-std-flags", "frame %lx handler %lx", trap_last.rflags,
            handler_flags);
    /* A hypercall number is nothing special there. */
    USER("user-is-no-hypercall", "\xb8\x11\0\0\0" SYSCALL, ON_SYSCALL);
    USER("user-vmmcall", "\x0f\x01\xd9", 6);
    USER("user-hlt", "\xf4", 13);
    USER("user-cli", "\xfa", 13);
    USER("user-wrmsr", "\x0f\x30", 13);
    USER("user-read-cr3", "\x0f\x20\xd8", 13);
    USER("user-out", "\xe6\x80", 13);
    USER("user-swapgs", "\x0f\x01\xf8", 13);
    USER("user-int80", "\xcd\x80", 0x80);
    pv_case(trap_last.rip == USER_CODE + 2, "user-int80-frame", "%lx",
            trap_last.rip);
    USER("user-int81-needs-dpl", "\xcd\x81", 13);
    pv_case(trap_last.error == (0x81 << 3 | 2)
            && trap_last.rip == USER_CODE, "user-int81-frame", "%lx %lx",
            trap_last.error, trap_last.rip);
    USER("user-int14", "\xcd\x0e", 13);
    USER("user-int-event", "\xcd\x1f", 13);
    USER("user-int3", "\xcc", 3);
    USER("user-forced-cpuid", "\x31\xc0\x0f\x0bxen\x0f\xa2" SYSCALL,
         ON_SYSCALL);
    pv_case(trap_last.rax != 0 && trap_last.rip == USER_CODE + 11,
            "user-cpuid-answer", "%lx %lx", trap_last.rax, trap_last.rip);
    /* movabs hole / kernel, %rax; mov (%rax), %rax */
    USER("user-reads-hole", "\x48\xb8\0\0\0\0\x80\x80\xff\xff\x48\x8b\0", 14);
    pv_case((trap_last.error & 5) == 5 && cr2() == HOLE, "user-hole-error",
            "%lx %lx", trap_last.error, cr2());
    USER("user-reads-kernel",
         "\x48\xb8\0\0\x10\x80\xff\xff\xff\xff\x48\x8b\0", 14);
    pv_case(trap_last.error == 4, "user-kernel-error", "%lx",
            trap_last.error);
    /* mov %rsp, (USER_CODE): read-only */
    USER("user-write-read-only", "\x48\x89\x24\x25\0\0\x40\0", 14);
    pv_case(trap_last.error == 7, "user-write-error", "%lx",
            trap_last.error);
}

/* A #DB that waits behind MOV SS comes in the system call's first step. */
static void test_debug(void)
{
    static const char step[] = "\x90\x90" SYSCALL;
    /* mov %ss, %eax; push $0x302; popf; mov %eax, %ss; syscall */
    static const char mov_ss[] = "\x8c\xd0\x68\x02\x03\0\0\x9d\x8e\xd0"
                                 SYSCALL;

    pv_user_code(step, sizeof(step), 0x100);
    pv_case(trap_last.vector == 1 && trap_last.rip == USER_CODE + 1,
            "user-single-step", "vector %lx rip %lx", trap_last.vector,
            trap_last.rip);
    pv_equal("breakpoint", hypercall(__HYPERVISOR_set_debugreg, 0,
                                     USER_CODE + 1, 0), 0);
    pv_equal("breakpoint-on", hypercall(__HYPERVISOR_set_debugreg, 7, 1, 0),
             0);
    pv_user_code(step, sizeof(step), 0);
    pv_case(trap_last.vector == 1 && trap_last.rip == USER_CODE + 1,
            "user-breakpoint", "vector %lx rip %lx", trap_last.vector,
            trap_last.rip);
    /* Where its frame goes: an 8-byte watchpoint on writes. */
    (void)hypercall(__HYPERVISOR_set_debugreg, 0, PTR(trap_stack_top) - 8, 0);
    (void)hypercall(__HYPERVISOR_set_debugreg, 7, 0x90001, 0);
    pv_user_code(step, sizeof(step), 0x100);
    (void)hypercall(__HYPERVISOR_set_debugreg, 7, 0, 0);
    pv_case(trap_last.vector == 1 && trap_last.rip == USER_CODE + 1,
            "watchpoint-on-its-frame", "vector %lx rip %lx",
            trap_last.vector, trap_last.rip);
    pv_case(hypercall(__HYPERVISOR_set_debugreg, 0, HOLE, 0) < 0,
            "breakpoint-in-hole", "ok");
    /* Single step into it: whichever comes, we are still here. */
    pv_user_code(mov_ss, sizeof(mov_ss), 0);
    pv_case(trap_last.vector == 1 || trap_last.vector == ON_SYSCALL,
            "mov-ss-then-syscall", "vector %lx", trap_last.vector);
}

/* An IOPL in the frame for user mode; frames that it cannot have: pv_same. */
static void test_iret(void)
{
    pv_user_code(SYSCALL, 2, 0x3000);
    pv_case(trap_last.vector == ON_SYSCALL, "iret-drops-iopl", "%lx",
            trap_last.rflags);
    pv_user_code("\xfa", 1, 0x3000);
    pv_case(trap_last.vector == 13, "user-cli-with-iopl", "%lx",
            trap_last.vector);
}

/* ---- page tables ---- */

static void test_tables(void)
{
    uint64_t *root = pv_root();
    uint64_t *leaf = pv_entry_of(pv_pages(1));
    uint8_t *page = pv_pages(1);
    uint64_t *l1 = pv_pages(1);
    const uint64_t here = mfn_of(page) << PAGE_SHIFT;
    const uint64_t slot = (mfn_of(root) << PAGE_SHIFT) + 257 * 8;
    uint64_t was = *leaf;

    pv_equal("pin-l1", mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(l1)), 0);
    pv_equal("pin-again", mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(l1)), -EINVAL);
    pv_equal("unpin-l1", mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l1)), 0);
    pv_equal("unpin-again", mmuext(MMUEXT_UNPIN_TABLE, mfn_of(l1)), -EINVAL);
    pv_equal("pin-beyond", mmuext(MMUEXT_PIN_L1_TABLE, 1ul << 30), -EINVAL);
    pv_equal("our-slot", mmu_write(slot, 0), -EINVAL);
    pv_case(root[257] != 0, "our-slot-stays", "%lx", root[257]);
    pv_equal("our-slot-of-user", mmu_write((pv_user_root() << PAGE_SHIFT)
                                           + 271 * 8, 0), -EINVAL);
    pv_equal("write-beyond", mmu_write(1ul << 45, 0), -EINVAL);
    /* The boot tables' leaves had no USER: they work, and now they do. */
    pv_case(was & PTE_USER, "user-set", "%lx", was);
    /* A store straight into a pinned table that is mapped read-only. */
    page[0] = 42;
    pv_case(!(*pv_entry_of(leaf) & PTE_WRITE), "table-is-read-only", "%lx",
            *pv_entry_of(leaf));
    *leaf = here | PTE_PRESENT | PTE_WRITE;
    (void)mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0);
    pv_case(*(volatile uint8_t *)(VIRT_BASE + (PTR(leaf) * 0)
                                  + (was & PTE_ADDRESS)) == 42,
            "direct-store", "%lx", *leaf);
    __asm__ volatile("lock andq %1, %0" : "+m" (*leaf) : "er" (~2l));
    (void)mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0);
    expect("direct-locked-and", do_write, VIRT_BASE + (was & PTE_ADDRESS),
           14, 3);
    *leaf = was;
    (void)mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0);
}

/* As pvgrub does for the next kernel: two frames change their numbers. */
static void test_m2p(void)
{
    const uint64_t last = start_info->nr_pages - 1;

    pv_equal("machphys-same", mmu_write(5ul << 12 | MMU_MACHPHYS_UPDATE, 5),
             0);
    pv_equal("machphys-swap", mmu_write(5ul << 12 | MMU_MACHPHYS_UPDATE,
                                        last), 0);
    pv_equal("machphys-swap-other", mmu_write(last << 12
                                              | MMU_MACHPHYS_UPDATE, 5), 0);
    pv_case(pv_m2p(5) == last && pv_m2p(last) == 5 && pv_m2p(4) == 4
            && pv_m2p(6) == 6 && pv_m2p(last - 1) == last - 1,
            "machphys-swapped", "%lx %lx", pv_m2p(5), pv_m2p(last));
    expect("m2p-still-read-only", do_write, HYPERVISOR_VIRT_START + 5 * 8,
           14, 3);
    pv_equal("machphys-back", mmu_write(5ul << 12 | MMU_MACHPHYS_UPDATE, 5),
             0);
    pv_case(pv_m2p(5) == 5, "machphys-is-back", "%lx", pv_m2p(5));
    pv_equal("machphys-beyond", mmu_write(1ul << 45 | MMU_MACHPHYS_UPDATE,
                                          5), -EINVAL);
}

static long reserve(unsigned int op, xen_pfn_t *frame)
{
    struct xen_memory_reservation r = { .nr_extents = 1,
                                        .domid = DOMID_SELF };

    set_xen_guest_handle(r.extent_start, frame);
    return hypercall(__HYPERVISOR_memory_op, op, PTR(&r), 0);
}

/* A balloon of a guest whose frames have changed places. */
static void test_moved_balloon(void)
{
    uint64_t *kept = pv_pages(1), *page = pv_pages(1);
    const uint64_t a = mfn_of(kept), b = mfn_of(page);
    xen_pfn_t frame = b;

    kept[0] = 4711;
    (void)mmu_write(a << 12 | MMU_MACHPHYS_UPDATE, b);
    (void)mmu_write(b << 12 | MMU_MACHPHYS_UPDATE, a);
    (void)update_va(page, 0);
    pv_equal("moved-out", reserve(XENMEM_decrease_reservation, &frame), 1);
    frame = b;                          /* the number of 'kept' */
    pv_equal("moved-occupied", reserve(XENMEM_populate_physmap, &frame), 0);
    frame = a;
    pv_equal("moved-in", reserve(XENMEM_populate_physmap, &frame), 1);
    pv_case(frame == b && kept[0] == 4711, "moved-frame", "%lx is %lx",
            frame, a);
    (void)mmu_write(a << 12 | MMU_MACHPHYS_UPDATE, a);
    (void)mmu_write(b << 12 | MMU_MACHPHYS_UPDATE, b);
    (void)update_va(page, b << PAGE_SHIFT | PTE_RW);
    pv_case(page[0] == 0, "moved-zeroed", "%lx", page[0]);
}

/* Frames come and go; one that went and came back may be a table. */
static void test_balloon(void)
{
    uint64_t *page = pv_pages(1);
    xen_pfn_t frame = mfn_of(page);
    struct xen_memory_reservation r = { .nr_extents = 1,
                                        .domid = DOMID_SELF };

    set_xen_guest_handle(r.extent_start, &frame);
    (void)update_va(page, 0);
    pv_equal("balloon-out", hypercall(__HYPERVISOR_memory_op,
                                      XENMEM_decrease_reservation, PTR(&r),
                                      0), 1);
    pv_equal("pin-absent", mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(page)),
             -EINVAL);
    pv_equal("clear-absent", mmuext(MMUEXT_CLEAR_PAGE, mfn_of(page)),
             -EINVAL);
    pv_equal("base-absent", mmuext(MMUEXT_NEW_USER_BASEPTR, mfn_of(page)),
             -EINVAL);
    (void)update_va(page, mfn_of(page) << PAGE_SHIFT | PTE_RW);
    expect("touch-absent", do_read, PTR(page), 13, 0);
    (void)update_va(page, 0);
    pv_equal("balloon-in", hypercall(__HYPERVISOR_memory_op,
                                     XENMEM_populate_physmap, PTR(&r), 0),
             1);
    pv_equal("balloon-same-frame", (long)frame, (long)mfn_of(page));
    (void)update_va(page, mfn_of(page) << PAGE_SHIFT | PTE_RO);
    pv_case(page[7] == 0, "balloon-zeroed", "%lx", page[7]);
    pv_equal("balloon-pin", mmuext(MMUEXT_PIN_L1_TABLE, mfn_of(page)), 0);
    pv_equal("balloon-unpin", mmuext(MMUEXT_UNPIN_TABLE, mfn_of(page)), 0);
    /* The highest that the toolstack said there is: as of a restored guest. */
    frame = shared_info->arch.max_pfn - 1;
    pv_equal("balloon-highest", hypercall(__HYPERVISOR_memory_op,
                                          XENMEM_populate_physmap, PTR(&r),
                                          0), 1);
    pv_equal("highest-pin", mmuext(MMUEXT_PIN_L1_TABLE, frame), 0);
    pv_equal("highest-unpin", mmuext(MMUEXT_UNPIN_TABLE, frame), 0);
    pv_case(pv_m2p(frame) == frame, "highest-m2p", "%lx", pv_m2p(frame));
}

/* ---- descriptors ---- */

static void test_descriptors(void)
{
    uint64_t *gdt = pv_pages(1), *ldt = pv_pages(1);
    xen_ulong_t frame = mfn_of(gdt);
    const uint64_t gate = 0x0000ec00e0080000ul, data = 0x00cf93000000fffful;
    const uint64_t at = mfn_of(gdt) << PAGE_SHIFT;
    struct mmuext_op op = { .cmd = MMUEXT_SET_LDT };

    gdt[2] = data;
    (void)update_va(gdt, at | PTE_RO);
    pv_equal("set-gdt", hypercall(__HYPERVISOR_set_gdt, PTR(&frame), 512, 0),
             0);
    pv_case((gdt[2] >> 45 & 3) == 3, "gdt-dpl-fixed", "%lx", gdt[2]);
    pv_case(pv_try(do_load_ds, (void *)0x13ul), "gdt-load", "ok");
    pv_case(pv_try(do_load_ds, (void *)0ul), "gdt-null", "ok");
    pv_equal("descriptor-gate", hypercall(__HYPERVISOR_update_descriptor,
                                          at + 24, gate, 0), -EINVAL);
    pv_equal("descriptor-data", hypercall(__HYPERVISOR_update_descriptor,
                                          at + 24, data, 0), 0);
    pv_case(pv_try(do_load_ds, (void *)0x1bul), "descriptor-load", "ok");
    (void)pv_try(do_load_ds, (void *)0ul);
    pv_equal("gdt-too-long", hypercall(__HYPERVISOR_set_gdt, PTR(&frame),
                                       8000, 0), -EINVAL);
    (void)update_va(gdt, at | PTE_RW);
    gdt[4] = gate;
    pv_equal("gdt-with-gate", hypercall(__HYPERVISOR_set_gdt, PTR(&frame),
                                        512, 0), -EINVAL);
    /* What the count leaves out can be loaded all the same. */
    pv_equal("gdt-with-gate-behind", hypercall(__HYPERVISOR_set_gdt,
                                               PTR(&frame), 4, 0), -EINVAL);
    gdt[4] = 0;
    ldt[1] = data;
    (void)update_va(ldt, mfn_of(ldt) << PAGE_SHIFT | PTE_RO);
    op.arg1.linear_addr = PTR(ldt);
    op.arg2.nr_ents = 512;
    pv_equal("set-ldt", hypercall6(__HYPERVISOR_mmuext_op, PTR(&op), 1, 0,
                                   DOMID_SELF, 0), 0);
    pv_case(pv_try(do_load_ds, (void *)0xful), "ldt-load", "ok");
    (void)pv_try(do_load_ds, (void *)0ul);
    op.arg2.nr_ents = 0;
    pv_equal("clear-ldt", hypercall6(__HYPERVISOR_mmuext_op, PTR(&op), 1, 0,
                                     DOMID_SELF, 0), 0);
    expect("ldt-gone", do_load_ds, 0xf, 13, 0xc);
}

/* ---- events, multicall, emulation ---- */

static void test_events(void)
{
    struct evtchn_bind_ipi bind = { .vcpu = 0 };
    struct evtchn_send send;
    vcpu_info_t *info = &shared_info->vcpu_info[0];

    pv_equal("bind-ipi", hypercall(__HYPERVISOR_event_channel_op,
                                   EVTCHNOP_bind_ipi, PTR(&bind), 0), 0);
    send.port = bind.port;
    info->evtchn_upcall_mask = 1;
    events = 0;
    (void)hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, PTR(&send),
                    0);
    pv_equal("event-masked", events, 0);
    pv_case(info->evtchn_upcall_pending != 0, "event-pending", "ok");
    info->evtchn_upcall_mask = 0;
    barrier();
    (void)hypercall(__HYPERVISOR_xen_version, 0, 0, 0);
    pv_equal("event-after-unmask", events, 1);
    (void)hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, PTR(&send),
                    0);
    pv_equal("event-at-once", events, 2);
    pv_case(info->evtchn_upcall_mask == 0, "event-iret-unmasks", "%u",
            info->evtchn_upcall_mask);
    info->evtchn_upcall_mask = 1;
}

static void test_multicall(void)
{
    uint64_t *page = pv_pages(1);
    multicall_entry_t list[] = {
        { .op = __HYPERVISOR_xen_version, .args = { XENVER_version } },
        { .op = __HYPERVISOR_update_va_mapping,
          .args = { PTR(page), mfn_of(page) << PAGE_SHIFT | PTE_RO,
                    UVMF_INVLPG } },
        { .op = __HYPERVISOR_multicall },
        { .op = 63 },
        { .op = 55, .args = { 1 } },
        { .op = 1ul << 32 | 55, .args = { 2 } },
    };

    pv_equal("multicall", hypercall(__HYPERVISOR_multicall, PTR(list), 6, 0),
             0);
    pv_equal("multicall-version", (long)list[0].result, 4 << 16 | 17);
    pv_equal("multicall-mapping", (long)list[1].result, 0);
    pv_equal("multicall-nested", (long)list[2].result, -EINVAL);
    pv_equal("multicall-unknown", (long)list[3].result, -ENOSYS);
    pv_equal("multicall-private", (long)list[4].result, -ENOSYS);
    pv_equal("multicall-private-64-bit", (long)list[5].result, -ENOSYS);
    expect("multicall-mapped", do_write, PTR(page), 14, 3);
    pv_equal("private-call", hypercall(55, 1, 0, 0), -ENOSYS);
    pv_equal("bad-pointer", hypercall(__HYPERVISOR_multicall, HOLE, 1, 0),
             -EFAULT);
    pv_equal("bad-pointer-below", hypercall(__HYPERVISOR_xen_version,
                                            XENVER_extraversion, HOLE, 0),
             -EFAULT);
}

/* ---- grants ---- */

#define OUR_DOMID 1                 /* the first that pv_host makes */
#define GREF 8u

static long map_grant(struct gnttab_map_grant_ref *op)
{
    op->ref = GREF;
    op->dom = OUR_DOMID;
    op->flags |= GNTMAP_host_map;
    return hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_map_grant_ref,
                     PTR(op), 1);
}

static int16_t unmap_grant(const struct gnttab_map_grant_ref *op)
{
    struct gnttab_unmap_grant_ref u = { .host_addr = op->host_addr,
                                        .handle = op->handle };

    return hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref,
                     PTR(&u), 1) == 0 ? u.status : -99;
}

/* A grant of ours to ourselves, mapped by address and by entry. */
static void test_grants(void)
{
    grant_entry_v1_t *table = pv_pages(1);
    uint64_t *granted = pv_pages(1), *view = pv_pages(1);
    uint64_t *entry = pv_entry_of(view);
    xen_pfn_t frame = 0;
    struct gnttab_setup_table setup = { .dom = DOMID_SELF, .nr_frames = 1 };
    struct gnttab_map_grant_ref op = { .host_addr = PTR(view) };

    set_xen_guest_handle(setup.frame_list, &frame);
    pv_equal("grant-table", hypercall(__HYPERVISOR_grant_table_op,
                                      GNTTABOP_setup_table, PTR(&setup), 1),
             0);
    (void)update_va(table, frame << PAGE_SHIFT | PTE_RW);
    table[GREF].frame = (uint32_t)mfn_of(granted);
    table[GREF].domid = OUR_DOMID;
    barrier();
    table[GREF].flags = GTF_permit_access;
    granted[3] = 4711;
    pv_equal("grant-map", map_grant(&op), 0);
    pv_equal("grant-status", op.status, GNTST_okay);
    pv_case(view[3] == 4711, "grant-read", "%lu", view[3]);
    view[4] = 1147;
    pv_case(granted[4] == 1147, "grant-write", "%lu", granted[4]);
    pv_equal("grant-unmap", unmap_grant(&op), GNTST_okay);
    expect("grant-gone", do_read, PTR(view), 14, 0);
    pv_equal("grant-unmap-again", unmap_grant(&op), GNTST_bad_handle);
    memset(&op, 0, sizeof(op));
    op.host_addr = (mfn_of(entry) << PAGE_SHIFT) | (PTR(entry) & 0xfff);
    op.flags = GNTMAP_contains_pte | GNTMAP_readonly;
    pv_equal("grant-map-entry", map_grant(&op), 0);
    pv_equal("grant-entry-status", op.status, GNTST_okay);
    pv_case(view[3] == 4711, "grant-entry-read", "%lu", view[3]);
    expect("grant-read-only", do_write, PTR(view), 14, 3);
    pv_equal("grant-unmap-entry", unmap_grant(&op), GNTST_okay);
    expect("grant-entry-gone", do_read, PTR(view), 14, 0);
    memset(&op, 0, sizeof(op));
    op.host_addr = HOLE;
    pv_equal("grant-into-hole", map_grant(&op), 0);
    pv_equal("grant-hole-status", op.status, GNTST_general_error);
    pv_equal("grant-flags-clear", table[GREF].flags, GTF_permit_access);
}

static int16_t unmap_parts(grant_handle_t handle, uint64_t host, uint64_t bus)
{
    struct gnttab_unmap_grant_ref u = { .host_addr = host,
                                        .dev_bus_addr = bus,
                                        .handle = handle };

    return hypercall(__HYPERVISOR_grant_table_op, GNTTABOP_unmap_grant_ref,
                     PTR(&u), 1) == 0 ? u.status : -99;
}

/* A device's mapping beside the CPU's: the handle ends with the second. */
static void test_device_grants(void)
{
    uint64_t *view = pv_pages(1);
    struct gnttab_map_grant_ref op = { .host_addr = PTR(view),
                                       .flags = GNTMAP_device_map };
    uint64_t bus;

    pv_equal("device-map", map_grant(&op), 0);
    pv_equal("device-status", op.status, GNTST_okay);
    pv_case(view[3] == 4711, "device-read", "%lu", view[3]);
    bus = op.dev_bus_addr;
    pv_equal("device-elsewhere", unmap_parts(op.handle, 0,
                                             mfn_of(view) << PAGE_SHIFT),
             GNTST_bad_dev_addr);
    pv_equal("device-unmap-host", unmap_parts(op.handle, PTR(view), 0),
             GNTST_okay);
    expect("device-host-gone", do_read, PTR(view), 14, 0);
    pv_equal("device-unmap", unmap_parts(op.handle, 0, bus), GNTST_okay);
    pv_equal("device-unmap-again", unmap_parts(op.handle, 0, bus),
             GNTST_bad_handle);
    op.flags = GNTMAP_device_map;
    pv_equal("device-map-2", map_grant(&op), 0);
    pv_equal("device-unmap-both", unmap_parts(op.handle, PTR(view),
                                              op.dev_bus_addr), GNTST_okay);
    memset(&op, 0, sizeof(op));
    op.flags = GNTMAP_device_map;
    op.host_addr = HOLE;
    pv_equal("device-into-hole", map_grant(&op), 0);
    pv_equal("device-hole-status", op.status, GNTST_general_error);
}

/* Another page's entry comes where the grant was. */
static void test_grant_replaced(void)
{
    uint64_t *view = pv_pages(1), *other = pv_pages(1);
    struct gnttab_map_grant_ref op = { .host_addr = PTR(view) };
    struct gnttab_unmap_and_replace r = { .host_addr = HOLE };

    other[3] = 815;
    pv_equal("replace-map", map_grant(&op), 0);
    pv_equal("replace-status", op.status, GNTST_okay);
    pv_case(view[3] == 4711, "replace-read", "%lu", view[3]);
    r.handle = op.handle;
    r.new_addr = PTR(other);
    pv_equal("replace-elsewhere", hypercall(__HYPERVISOR_grant_table_op,
                                            GNTTABOP_unmap_and_replace,
                                            PTR(&r), 1), 0);
    pv_equal("replace-elsewhere-status", r.status, GNTST_general_error);
    r.host_addr = PTR(view);
    r.new_addr = HOLE;
    pv_equal("replace-by-none", hypercall(__HYPERVISOR_grant_table_op,
                                          GNTTABOP_unmap_and_replace,
                                          PTR(&r), 1), 0);
    pv_equal("replace-by-none-status", r.status, GNTST_general_error);
    pv_case(view[3] == 4711, "replace-not-yet", "%lu", view[3]);
    r.new_addr = PTR(other);
    (void)update_va(other, mfn_of(other) << PAGE_SHIFT | PTE_RW);
    pv_equal("replace", hypercall(__HYPERVISOR_grant_table_op,
                                  GNTTABOP_unmap_and_replace, PTR(&r), 1), 0);
    pv_equal("replace-done", r.status, GNTST_okay);
    pv_case(view[3] == 815, "replace-shown", "%lu", view[3]);
    expect("replace-taken", do_read, PTR(other), 14, 0);
    pv_equal("replace-unmapped", unmap_grant(&op), GNTST_bad_handle);
}

static void do_cr3(void *arg)
{
    __asm__ volatile("mov %%cr3, %0" : "=r" (*(uint64_t *)arg));
}

static void do_step(void *arg)
{
    (void)arg;
    __asm__ volatile("pushf; orl $0x100, (%%rsp); popf; mov %%cr3, %%rax; "
                     "nop" ::: "rax", "cc");
}

/* An instruction that is emulated is a step as any. */
static void test_step(void)
{
    static const char cpuid[] = "\x0f\x0bxen\x0f\xa2\x90" SYSCALL;
    const uint8_t *at;

    (void)hypercall(__HYPERVISOR_set_debugreg, 6, 0, 0);
    pv_case(!pv_try(do_step, NULL) && trap_last.vector == 1, "step-of-kernel",
            "vector %lx rip %lx", trap_last.vector, trap_last.rip);
    at = (const uint8_t *)trap_last.rip;
    pv_case(at[-3] == 0x0f && at[-2] == 0x20 && at[0] == 0x90,
            "step-is-behind-it", "%x %x %x", at[-3], at[-2], at[0]);
    pv_case(hypercall(__HYPERVISOR_get_debugreg, 6, 0, 0) & 0x4000,
            "step-in-dr6", "ok");
    pv_user_code(cpuid, sizeof(cpuid), 0x100);
    pv_case(trap_last.vector == 1 && trap_last.rip == USER_CODE + 7,
            "step-of-user", "vector %lx rip %lx", trap_last.vector,
            trap_last.rip);
}

static void do_rdmsr(void *arg)
{
    __asm__ volatile("rdmsr" :: "c" ((uint32_t)PTR(arg)) : "eax", "edx");
}

static void do_wrmsr(void *arg)
{
    __asm__ volatile("wrmsr" :: "c" ((uint32_t)PTR(arg)), "a" (0), "d" (0));
}

static void test_emulation(void)
{
    uint64_t value = 0;

    pv_case(pv_try(do_cr3, &value)
            && value == mfn_of(pv_root()) << PAGE_SHIFT, "read-cr3", "%lx",
            value);
    pv_case(pv_try(do_rdmsr, (void *)0xc0000080ul), "rdmsr-efer", "ok");
    expect("rdmsr-unknown", do_rdmsr, 0xdead, 13, 0);
    expect("rdmsr-lstar", do_rdmsr, 0xc0000082, 13, 0);
    expect("wrmsr-lstar", do_wrmsr, 0xc0000082, 13, 0);
    expect("wrmsr-efer", do_wrmsr, 0xc0000080, 13, 0);
    expect("wrmsr-hypercall-page", do_wrmsr, 0x40000000, 13, 0);
}

/*
 * The personality's text is everybody's: whoever maps it, the nested table
 * lets nobody write.  Its frames are found by our own level 4 table.
 */
static void test_text(void)
{
    uint64_t *alias = pv_pages(1);
    uint64_t frame = (pv_root()[257] & PTE_ADDRESS) >> PAGE_SHIFT;
    uint64_t was;

    for (unsigned int level = 3; level > 0; level--) {
        (void)update_va(alias, frame << PAGE_SHIFT | PTE_RW);
        frame = (alias[0] & PTE_ADDRESS) >> PAGE_SHIFT;
    }
    (void)update_va(alias, frame << PAGE_SHIFT | PTE_RW);
    was = alias[0];
    pv_case((uint32_t)was == 0x6b767067, "text-seen", "%lx", was);
    expect("text-write", do_write, PTR(alias), 13, 0);
    pv_case(alias[0] == was, "text-stays", "%lx", alias[0]);
    pv_equal("text-by-hypercall",
             hypercall(__HYPERVISOR_xen_version, XENVER_extraversion,
                       PTR(alias), 0), -EFAULT);
    pv_case(alias[0] == was, "text-still-stays", "%lx", alias[0]);
    pv_equal("text-as-table", mmuext(MMUEXT_PIN_L1_TABLE, frame), -EINVAL);
    alias = (uint64_t *)0xffff800000000000ul;
    expect("m2p-write", do_write, PTR(alias), 14, 3);
}

void pv_main(void)
{
    test_text();
    test_start();
    test_version();
    test_handle();
    test_traps();
    test_user();
    test_debug();
    test_iret();
    test_tables();
    test_m2p();
    test_moved_balloon();
    test_balloon();
    test_descriptors();
    test_events();
    test_grants();
    test_device_grants();
    test_grant_replaced();
    test_multicall();
    test_emulation();
    test_step();
}
