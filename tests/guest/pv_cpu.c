/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The processor that a PV guest finds on Xen: flags, MSRs, CR4, privileged
 * instructions, INT n, ports.  Each case is as it is there: the run on stock
 * Xen is the oracle.
 */
#include "pv/pv.h"

#define HOLE 0xffff808000000000ul

extern const char stub_80[], stub_81[];

/* ---- flags that handlers start with ---- */

#define DF 0x400ul
#define RF 0x10000ul
#define TF 0x100ul
#define NT_AC 0x44000ul
#define ID 0x200000ul
#define FLAGS (DF | TF | NT_AC | ID)

static void flags(const char *name, uint64_t frame, uint64_t in_frame,
                  uint64_t handler, uint64_t in_handler)
{
    pv_case((frame & FLAGS) == in_frame && (handler & FLAGS) == in_handler,
            name, "%lx in the frame, %lx in the handler", frame, handler);
}

static void user_flags(const char *name, const char *code, uint64_t set,
                       uint64_t vector, uint64_t in_handler)
{
    pv_user_code(code, 2, set);
    if (trap_last.vector != vector) {
        pv_equal(name, (long)trap_last.vector, (long)vector);
        return;
    }
    flags(name, trap_last.rflags, set & FLAGS, handler_flags, in_handler);
}

static void do_undefined(void *arg)
{
    __asm__ volatile("push %0\n\tpopf\n\tud2" :: "r" (PTR(arg)) : "cc");
}

static void test_flags(void)
{
    const uint64_t set = DF | NT_AC | ID;
    struct evtchn_bind_ipi bind = { .vcpu = 0 };
    vcpu_info_t *info = &shared_info->vcpu_info[0];
    struct evtchn_send send;
    unsigned int before = events;

    /* Xen 4.17 clears the others by chance: by its frame's address. */
    pv_user_code("\x0f\x05", 2, set);
    pv_equal("flags-on-syscall", (long)trap_last.vector, ON_SYSCALL);
    flags("flags-syscall", trap_last.rflags, set, handler_flags & ~(DF | ID),
          0);
    user_flags("flags-syscall-tf", "\x0f\x05", TF, ON_SYSCALL, 0);
    user_flags("flags-int80", "\xcd\x80", set, 0x80, DF | ID);
    user_flags("flags-undefined", "\x0f\x0b", set, 6, DF | ID);
    user_flags("flags-undefined-rf", "\x0f\x0b", set | RF, 6, DF | ID);
    user_flags("flags-step", "\x90\x90", set | TF, 1, DF | ID);
    pv_traps("flags-of-kernel", do_undefined, (void *)(0x2 | set), 6);
    flags("flags-undefined-kernel", trap_last.rflags, set, handler_flags,
          DF | ID);
    pv_equal("flags-bind", hypercall(__HYPERVISOR_event_channel_op,
                                     EVTCHNOP_bind_ipi, PTR(&bind), 0), 0);
    send.port = bind.port;
    info->evtchn_upcall_mask = 1;
    pv_equal("flags-send", hypercall(__HYPERVISOR_event_channel_op,
                                     EVTCHNOP_send, PTR(&send), 0), 0);
    user_flags("flags-behind-event", "\xcd\x80", set, 0x80, DF | ID);
    pv_equal("flags-events", (long)(events - before), 1);
    flags("flags-event", event_last.rflags, set, event_flags, DF | ID);
    info->evtchn_upcall_mask = 1;
}

/* ---- MSRs ---- */

struct msr {
    uint32_t index;
    uint64_t value;
};

static void do_rdmsr(void *arg)
{
    struct msr *m = arg;
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a" (low), "=d" (high) : "c" (m->index));
    m->value = (uint64_t)high << 32 | low;
}

static void do_wrmsr(void *arg)
{
    const struct msr *m = arg;

    __asm__ volatile("wrmsr" :: "a" ((uint32_t)m->value),
                     "d" ((uint32_t)(m->value >> 32)), "c" (m->index));
}

/* What is written back as it was read, and then 0x1234. */
static void msr(const char *name, uint32_t index, bool is_read, bool is_same,
                bool is_other)
{
    struct msr m = { .index = index }, other = { index, 0x1234 };
    bool read = pv_try(do_rdmsr, &m);
    bool same = pv_try(do_wrmsr, &m);
    bool written = pv_try(do_wrmsr, &other);

    pv_case(read == is_read && same == is_same && written == is_other, name,
            "read %u (%lx), written as it was %u, another %u", read, m.value,
            same, written);
    (void)pv_try(do_wrmsr, &m);
}

/* Reads as 'want', before and after something else is written. */
static void msr_is(const char *name, uint32_t index, uint64_t want)
{
    struct msr m = { .index = index }, other = { index, 0x1234 };

    (void)pv_try(do_rdmsr, &m);
    (void)pv_try(do_wrmsr, &other);
    (void)pv_try(do_rdmsr, &other);
    pv_case(m.value == want && other.value == want, name, "%lx and %lx",
            m.value, other.value);
}

static void test_msrs(void)
{
    struct msr user = { .index = 0xc0000102 };

    msr("msr-tsc", 0x10, true, false, false);
    msr("msr-pat", 0x277, true, false, false);
    msr_is("msr-pat-is", 0x277, 0x50100070406);
    msr("msr-platform-id", 0x17, false, false, false);
    msr("msr-patchlevel", 0x8b, true, false, false);
    msr("msr-mtrr-cap", 0xfe, false, false, false);
    msr("msr-mtrr", 0x200, false, false, false);
    msr("msr-mtrr-default", 0x2ff, false, false, false);
    msr("msr-debugctl", 0x1d9, false, false, false);
    msr("msr-branch", 0x1db, false, false, false);
    msr("msr-perf-capabilities", 0x345, true, false, false);
    msr_is("msr-perf-capabilities-is", 0x345, 0);
    msr("msr-hypervisor", 0x40000000, true, false, false);
    msr("msr-sysenter", 0x176, false, false, false);
    msr("msr-lstar", 0xc0000082, false, false, false);
    msr("msr-efer", 0xc0000080, true, true, false);
    msr("msr-syscfg", 0xc0010010, false, false, false);
    msr("msr-top-mem", 0xc001001a, false, false, false);
    msr("msr-hwcr", 0xc0010015, true, true, true);
    msr_is("msr-hwcr-is", 0xc0010015, 0);
    msr("msr-counter", 0xc0010004, true, true, true);
    msr_is("msr-counter-is", 0xc0010004, 0);
    msr("msr-counter-15h", 0xc0010200, true, true, true);
    msr("msr-pstate", 0xc0010064, true, true, true);
    msr("msr-mmio-config", 0xc0010058, false, false, false);
    msr("msr-svm", 0xc0010114, false, false, false);
    msr("msr-unknown", 0x12345678, false, false, false);
    msr("msr-fs-base", 0xc0000100, true, true, true);
    /* A null selector's base is 0. */
    (void)hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER, 0x2345000,
                    0);
    (void)pv_try(do_rdmsr, &user);
    pv_equal("msr-gs-user", (long)user.value, 0x2345000);
    (void)hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_USER_SEL, 0, 0);
    (void)pv_try(do_rdmsr, &user);
    pv_equal("msr-gs-user-null", (long)user.value, 0);
}

/* ---- CR4 ---- */

#define CR4_TSD 4ul
#define CR4_DE 8ul

static void user(const char *name, const char *code, size_t size,
                 uint64_t vector)
{
    pv_user_code(code, size, 0);
    pv_case(trap_last.vector == vector, name, "vector %lx rip %lx flags %lx",
            trap_last.vector, trap_last.rip, trap_last.rflags);
}

static uint64_t in_cr4(void)
{
    uint64_t value;

    __asm__ volatile("mov %%cr4, %0" : "=r" (value));
    return value;
}

static void set_cr4(uint64_t value)
{
    __asm__ volatile("mov %0, %%cr4" :: "r" (value));
}

static void do_rdtsc(void *arg)
{
    (void)arg;
    __asm__ volatile("rdtsc" ::: "eax", "edx");
}

static void do_rdtscp(void *arg)
{
    uint32_t aux;

    __asm__ volatile("rdtscp" : "=c" (aux) :: "eax", "edx");
    *(uint64_t *)arg = aux;
}

static bool has_rdtscp(void)
{
    uint32_t a = 0x80000001, b = 0, c = 0, d = 0;

    __asm__ volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2"
                     : "+a" (a), "+b" (b), "+c" (c), "+d" (d));
    return (d >> 27 & 1) != 0;
}

/* Without it in the CPU all of this is #UD. */
static void test_rdtscp(void)
{
    static const char rdtscp[] = "\x0f\x01\xf9\x0f\x05";
    struct msr aux = { 0xc0000103, 0x12345 };
    bool has = has_rdtscp();
    uint64_t value = 0;

    pv_traps("tsc-aux", do_wrmsr, &aux, has ? NO_TRAP : 13);
    set_cr4(CR4_TSD);
    pv_traps("rdtscp-of-kernel", do_rdtscp, &value, has ? NO_TRAP : 6);
    pv_equal("rdtscp-aux", (long)value, has ? 0x12345 : 0);
    user("rdtscp-of-user", rdtscp, 5, has ? 13 : 6);
    set_cr4(0);
    user("rdtscp-of-user-again", rdtscp, 5, has ? ON_SYSCALL : 6);
}

static void do_read_dr4(void *arg)
{
    (void)arg;
    __asm__ volatile("mov %%db4, %%rax" ::: "rax");
}

static void do_write_dr5(void *arg)
{
    __asm__ volatile("mov %0, %%db5" :: "r" (PTR(arg)));
}

static void do_write_dr7(void *arg)
{
    __asm__ volatile("mov %0, %%db7" :: "r" (PTR(arg)));
}

static void do_read_dr0(void *arg)
{
    __asm__ volatile("mov %%db0, %0" : "=r" (*(uint64_t *)arg));
}

/* DR4 and DR5 are DR6 and DR7, or none. */
static void test_debug_moves(void)
{
    uint64_t value = 0;

    (void)hypercall(__HYPERVISOR_set_debugreg, 0, (uint64_t)-ENODEV, 0);
    pv_traps("read-dr0", do_read_dr0, &value, NO_TRAP);
    pv_equal("dr0-is", (long)value, -ENODEV);
    (void)hypercall(__HYPERVISOR_set_debugreg, 0, 0, 0);
    set_cr4(CR4_DE);
    pv_traps("read-dr4-lacks", do_read_dr4, NULL, 6);
    pv_traps("write-dr5-lacks", do_write_dr5, NULL, 6);
    user("user-dr4-lacks", "\x0f\x21\xe0", 3, 13);
    pv_traps("dr7-of-port", do_write_dr7, (void *)0x20001, NO_TRAP);
    pv_traps("dr7-general", do_write_dr7, (void *)0x2000, 13);
    pv_traps("dr7-off", do_write_dr7, NULL, NO_TRAP);
    set_cr4(0);
    pv_traps("read-dr4", do_read_dr4, NULL, NO_TRAP);
    pv_traps("write-dr5", do_write_dr5, NULL, NO_TRAP);
    pv_traps("dr7-of-port-without-de", do_write_dr7, (void *)0x20001, 13);
}

static void test_cr4(void)
{
    static const char rdtsc[] = "\x0f\x31\x0f\x05";
    const uint64_t shown = 0x660;

    pv_equal("cr4", (long)in_cr4(), (long)shown);
    set_cr4(0);
    pv_equal("cr4-clear", (long)in_cr4(), (long)shown);
    set_cr4(shown | 0x93);          /* VME, PVI, PSE, PGE */
    pv_equal("cr4-set", (long)in_cr4(), (long)shown);
    set_cr4(CR4_TSD);
    pv_equal("cr4-tsd", (long)in_cr4(), (long)(shown | CR4_TSD));
    pv_traps("rdtsc-of-kernel", do_rdtsc, NULL, NO_TRAP);
    user("rdtsc-of-user", rdtsc, 4, 13);
    set_cr4(CR4_DE);
    user("rdtsc-of-user-again", rdtsc, 4, ON_SYSCALL);
    pv_equal("cr4-de", (long)in_cr4(), (long)(shown | CR4_DE));
    pv_equal("debug-4-lacks", hypercall(__HYPERVISOR_get_debugreg, 4, 0, 0),
             -ENODEV);
    pv_equal("debug-5-lacks", hypercall(__HYPERVISOR_set_debugreg, 5, 0, 0),
             -ENODEV);
    set_cr4(0);
    pv_equal("debug-5-again", hypercall(__HYPERVISOR_get_debugreg, 5, 0, 0),
             0x400);
}

/* ---- instructions of the kernel ---- */

static uint64_t in_cr0(void)
{
    uint64_t value;

    __asm__ volatile("mov %%cr0, %0" : "=r" (value));
    return value;
}

static void do_sse(void *arg)
{
    (void)arg;
    __asm__ volatile("pxor %%xmm0, %%xmm0" ::: "memory");
}

static void do_clts(void *arg)
{
    (void)arg;
    __asm__ volatile("clts");
}

static void do_set_ts(void *arg)
{
    (void)arg;
    __asm__ volatile("mov %0, %%cr0" :: "r" (in_cr0() | 8));
}

static void do_clear_pg(void *arg)
{
    (void)arg;
    __asm__ volatile("mov %0, %%cr0" :: "r" (in_cr0() & ~(1ul << 31)));
}

static void do_in(void *arg)
{
    uint32_t value = 0;

    __asm__ volatile("inl $0x80, %%eax" : "+a" (value));
    *(uint64_t *)arg = value;
}

static void do_in_pci(void *arg)
{
    uint32_t value;

    __asm__ volatile("inl %w1, %0" : "=a" (value) : "d" (0xcf8));
    *(uint64_t *)arg = value;
}

static void do_out_pci(void *arg)
{
    (void)arg;
    __asm__ volatile("outl %0, %w1" :: "a" (0x80001230), "d" (0xcf8));
}

static void do_cli(void *arg)
{
    (void)arg;
    __asm__ volatile("cli");
}

static void do_hlt(void *arg)
{
    (void)arg;
    __asm__ volatile("hlt");
}

static void do_lgdt(void *arg)
{
    __asm__ volatile("lgdt (%0)" :: "r" (arg));
}

static void do_wbinvd(void *arg)
{
    (void)arg;
    __asm__ volatile("wbinvd");
}

static void do_invd(void *arg)
{
    (void)arg;
    __asm__ volatile("invd");
}

static void do_invlpg(void *arg)
{
    __asm__ volatile("invlpg (%0)" :: "r" (arg));
}

static void do_forced_clts(void *arg)
{
    (void)arg;
    __asm__ volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0x06");
}

static void do_int_80(void *arg)
{
    (void)arg;
    __asm__ volatile("int $0x80");
}

static void do_int_90(void *arg)
{
    (void)arg;
    __asm__ volatile("int $0x90");
}

static void do_int_14(void *arg)
{
    (void)arg;
    __asm__ volatile("int $14");
}

/* QEMU's error code of INT n names 2n, by which Xen goes: that gate, too. */
static void set_gate(unsigned int vector, unsigned int dpl, const char *to)
{
    const struct trap_info gate[] = {
        { .vector = (uint8_t)vector, .flags = (uint8_t)dpl,
          .cs = FLAT_KERNEL_CS, .address = PTR(to) },
        { .vector = (uint8_t)(2 * vector), .flags = (uint8_t)dpl,
          .cs = FLAT_KERNEL_CS, .address = PTR(to) }, { 0 },
    };

    (void)hypercall(__HYPERVISOR_set_trap_table, PTR(gate), 0, 0);
}

/* INT n, by the gate's DPL: a kernel's ring is 1. */
static void test_interrupts(void)
{
    pv_traps("int-80-of-kernel", do_int_80, NULL, 0x80);
    pv_traps("int-14-of-kernel", do_int_14, NULL, 13);
    set_gate(0x90, 0, stub_81);
    pv_traps("int-90-dpl-0", do_int_90, NULL, 13);
    set_gate(0x90, 1, stub_81);
    pv_traps("int-90-dpl-1", do_int_90, NULL, 0x81);
    user("user-int-90-dpl-1", "\xcd\x90", 2, 13);
    set_gate(0x90, 3, stub_81);
    user("user-int-90-dpl-3", "\xcd\x90", 2, 0x81);
    set_gate(0x80, 0, stub_80);
    user("user-int-80-dpl-0", "\xcd\x80", 2, 0x80);
    pv_traps("int-80-dpl-0", do_int_80, NULL, 0x80);
    set_gate(0x80, 3, stub_80);
}

static void test_fpu(void)
{
    pv_equal("switch-on", hypercall(__HYPERVISOR_fpu_taskswitch, 1, 0, 0), 0);
    pv_case(in_cr0() & 8, "ts-on", "%lx", in_cr0());
    pv_traps("ts-traps", do_sse, NULL, 7);
    pv_case(!(in_cr0() & 8), "ts-off-by-trap", "%lx", in_cr0());
    pv_traps("ts-traps-once", do_sse, NULL, NO_TRAP);
    pv_traps("set-ts", do_set_ts, NULL, NO_TRAP);
    pv_traps("set-ts-traps", do_sse, NULL, 7);
    (void)hypercall(__HYPERVISOR_fpu_taskswitch, 1, 0, 0);
    pv_traps("clts", do_clts, NULL, NO_TRAP);
    pv_traps("clts-no-trap", do_sse, NULL, NO_TRAP);
    pv_traps("clear-paging", do_clear_pg, NULL, 13);
}

static void test_instructions(void)
{
    struct physdev_set_iopl iopl = { 0 };
    static uint8_t gdtr[16];
    uint64_t value = 0;

    pv_traps("in-without-iopl", do_in, &value, 13);
    pv_traps("cli-without-iopl", do_cli, NULL, 13);
    iopl.iopl = 1;
    (void)hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, PTR(&iopl),
                    0);
    pv_traps("in-with-iopl", do_in, &value, NO_TRAP);
    pv_case(value == 0xffffffff, "in-finds-nothing", "%lx", value);
    pv_traps("cli", do_cli, NULL, NO_TRAP);
    pv_traps("wbinvd", do_wbinvd, NULL, NO_TRAP);
    pv_traps("lgdt", do_lgdt, gdtr, 13);
    pv_traps("hlt", do_hlt, NULL, 13);
    pv_traps("invd", do_invd, NULL, 13);
    pv_traps("invlpg", do_invlpg, gdtr, 13);
    pv_traps("forced-clts", do_forced_clts, NULL, 6);
    pv_traps("pci-address", do_in_pci, &value, NO_TRAP);
    pv_equal("pci-address-is", (long)value, 0);
    pv_traps("pci-address-set", do_out_pci, NULL, NO_TRAP);
    pv_traps("pci-address-again", do_in_pci, &value, NO_TRAP);
    pv_equal("pci-address-is-set", (long)value, 0x80001230);
    iopl.iopl = 0;
    (void)hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, PTR(&iopl),
                    0);
}

/* The guest's user mode, and what frames show, by its kernel's IOPL. */
static void test_iopl(void)
{
    static const char in[] = "\xe5\x80\x0f\x05", cli[] = "\xfa\x0f\x05";
    struct physdev_set_iopl iopl = { 3 };
    uint64_t value = 0;

    user("user-in-iopl-0", in, 4, 13);
    user("user-cli-iopl-0", cli, 3, 13);
    (void)hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, PTR(&iopl),
                    0);
    user("user-in-iopl-3", in, 4, ON_SYSCALL);
    pv_case((uint32_t)trap_last.rax == 0xffffffff
            && !(trap_last.rflags & 0x3000), "user-in-finds-nothing",
            "%lx flags %lx", trap_last.rax, trap_last.rflags);
    user("user-cli-iopl-3", cli, 3, ON_SYSCALL);
    (void)hypercall(__HYPERVISOR_vm_assist, VMASST_CMD_enable,
                    VMASST_TYPE_architectural_iopl, 0);
    user("user-iopl-by-iret", cli, 3, 13);
    pv_case(!(trap_last.rflags & 0x3000), "iopl-0-shown", "%lx",
            trap_last.rflags);
    pv_user_code(in, 4, 0x3000);
    pv_case(trap_last.vector == ON_SYSCALL
            && (trap_last.rflags & 0x3000) == 0x3000, "iopl-3-shown",
            "vector %lx flags %lx", trap_last.vector, trap_last.rflags);
    user("iopl-back", "\x0f\x05", 2, ON_SYSCALL);
    pv_traps("in-of-ring-0", do_in, &value, NO_TRAP);
    (void)hypercall(__HYPERVISOR_vm_assist, VMASST_CMD_disable,
                    VMASST_TYPE_architectural_iopl, 0);
    pv_traps("in-of-ring-1", do_in, &value, 13);
}

static long set_iobitmap(const void *bitmap, unsigned int ports)
{
    struct physdev_set_iobitmap map = { .nr_ports = ports };

    set_xen_guest_handle(map.bitmap, (uint8_t *)PTR(bitmap));
    return hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iobitmap,
                     PTR(&map), 0);
}

/* in $0x80 and $0x7f, of 4 bytes. */
static void test_iobitmap(void)
{
    static const char in[] = "\xe5\x80\x0f\x05", low[] = "\xe5\x7f\x0f\x05";
    uint8_t *bitmap = pv_pages(2);

    memset(bitmap, 0xff, 2 * PAGE_SIZE);
    bitmap[0x80 / 8] = 0xf0;
    pv_equal("iobitmap-too-long", set_iobitmap(bitmap, 65537), -EINVAL);
    pv_equal("iobitmap-in-hole", set_iobitmap((void *)HOLE, 65536), -EINVAL);
    pv_equal("iobitmap", set_iobitmap(bitmap, 65536), 0);
    user("iobitmap-in", in, 4, ON_SYSCALL);
    user("iobitmap-in-low", low, 4, 13);
    bitmap[0x80 / 8] = 0xf4;
    user("iobitmap-in-third", in, 4, 13);
    bitmap[0x80 / 8] = 0;
    pv_equal("iobitmap-short", set_iobitmap(bitmap, 0x83), 0);
    user("iobitmap-in-short", in, 4, 13);
    pv_equal("iobitmap-off", set_iobitmap(NULL, 0), 0);
    user("iobitmap-in-off", in, 4, 13);
}

/* The hypervisor's leaves, by the forced prefix. */
static void test_cpuid(void)
{
    uint32_t a = 0x40000000, b = 0, c = 0, d = 0;

    __asm__ volatile(".byte 0x0f, 0x0b, 0x78, 0x65, 0x6e, 0x0f, 0xa2"
                     : "+a" (a), "+b" (b), "+c" (c), "+d" (d));
    pv_case(b == 0x566e6558 && c == 0x65584d4d && d == 0x4d4d566e
            && a >= 0x40000002, "cpuid-signature", "%x %x %x %x", a, b, c, d);
}

void pv_main(void)
{
    test_flags();
    test_fpu();
    test_instructions();
    test_interrupts();
    test_msrs();
    test_cr4();
    test_debug_moves();
    test_rdtscp();
    test_iopl();
    test_iobitmap();
    test_cpuid();
}
