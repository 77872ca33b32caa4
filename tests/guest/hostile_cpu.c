/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A domain that executes everything: model-specific registers, ports,
 * control registers, privileged and virtualisation instructions, and
 * accesses to the emulated APIC pages by every kind of instruction.  Each
 * either works or faults inside the domain; the hypervisor goes on.
 *
 * Code in the APIC's page takes #GP, and so does what is not emulated there:
 * a kernel can survive what a process of its own made it do.  With the
 * argument "triple" it ends in a triple fault: only that domain ends.
 */
#include "lib/guest.h"

#define LAPIC 0xfee00000ul
#define IOAPIC 0xfec00000ul
#define VERSION (4 << 16 | 17)
#define PORT_HIDDEN 0x4d1       /* ELCR, which dom0 does not reach */

static void alive(const char *name, unsigned int faults)
{
    long rc = version_op(XENVER_version, NULL);

    guest_case(rc == VERSION, name, "%u faults", faults);
}

/* ---- MSRs ---- */

struct msr_range {
    const char *name;
    uint32_t first, last;
};

static const struct msr_range msr_ranges[] = {
    { "low", 0, 0x1fff },
    { "xen", 0x40000000, 0x400003ff },
    { "extended", 0xc0000000, 0xc00003ff },
    { "amd", 0xc0010000, 0xc00103ff },
    { "amd-more", 0xc0011000, 0xc001103f },
    { "last", 0xffffffc0, 0xfffffffe },
};

/* What the kernel itself stands on, or what would interrupt it. */
static bool is_needed(uint32_t msr)
{
    switch (msr) {
    case 0x10:                  /* TSC */
    case 0x1b:                  /* APIC base */
    case 0x3b:                  /* TSC adjust */
    case 0x830:                 /* ICR */
    case 0x83f:                 /* self IPI */
    case 0xc0000080:            /* EFER */
        return true;
    default:
        return false;
    }
}

static void test_msrs(const struct msr_range *r)
{
    static const uint64_t values[] = {
        0, 1, 0xdeadbeef, 0x8000000000000000, 0x800000000000, ~0ull,
    };
    unsigned int faults = 0;
    char name[40];
    uint64_t old;

    for (uint32_t msr = r->first; msr <= r->last; msr++) {
        bool there = rdmsr_safe(msr, &old);

        faults += !there;
        if (is_needed(msr)) {
            continue;
        }
        for (unsigned int i = 0; i < (there ? ARRAY_SIZE(values) : 1u);
             i++) {
            faults += !wrmsr_safe(msr, values[i]);
        }
        if (there) {
            (void)wrmsr_safe(msr, old);
        }
    }
    snprintf(name, sizeof(name), "msr-%s", r->name);
    alive(name, faults);
}

/* ---- instructions ---- */

#define INSTRUCTION(id, text)                                           \
    static void do_##id(void *arg)                                      \
    {                                                                   \
        __asm__ volatile(text : : "D"(arg)                              \
                         : "rax", "rbx", "rcx", "rdx", "rsi", "memory", \
                           "cc");                                       \
    }

INSTRUCTION(vmcall, "movl $17, %%eax; vmcall")
INSTRUCTION(vmrun, "movq %%rdi, %%rax; vmrun %%rax")
INSTRUCTION(vmload, "movq %%rdi, %%rax; vmload %%rax")
INSTRUCTION(vmsave, "movq %%rdi, %%rax; vmsave %%rax")
INSTRUCTION(stgi, "stgi")
INSTRUCTION(clgi, "clgi")
INSTRUCTION(skinit, "xorl %%eax, %%eax; skinit %%eax")
INSTRUCTION(invlpga, "xorl %%eax, %%eax; xorl %%ecx, %%ecx; "
                     "invlpga %%rax, %%ecx")
INSTRUCTION(monitor, "movq %%rdi, %%rax; xorl %%ecx, %%ecx; "
                     "xorl %%edx, %%edx; monitor")
INSTRUCTION(mwait, "xorl %%eax, %%eax; xorl %%ecx, %%ecx; mwait")
INSTRUCTION(rdpmc, "xorl %%ecx, %%ecx; rdpmc")
INSTRUCTION(xsetbv, "xorl %%ecx, %%ecx; movl $7, %%eax; xorl %%edx, %%edx; "
                    "xsetbv")
INSTRUCTION(xgetbv, "xorl %%ecx, %%ecx; xgetbv")
INSTRUCTION(rsm, "rsm")
INSTRUCTION(ud2, "ud2")
INSTRUCTION(int3, "int3")
INSTRUCTION(icebp, ".byte 0xf1")
INSTRUCTION(invd, "invd")
INSTRUCTION(wbinvd, "wbinvd")
INSTRUCTION(cr0_bad, "movq %%cr0, %%rax; andq $~1, %%rax; movq %%rax, %%cr0")
INSTRUCTION(cr0_high, "movq $-1, %%rax; movq %%rax, %%cr0")
INSTRUCTION(cr0_nw, "movq %%cr0, %%rax; orl $0x20000000, %%eax; "
                    "movq %%rax, %%cr0")
INSTRUCTION(cr4_bad, "movq $-1, %%rax; movq %%rax, %%cr4")
INSTRUCTION(cr4_pae, "movq %%cr4, %%rax; andq $~0x20, %%rax; "
                     "movq %%rax, %%cr4")
INSTRUCTION(cr4_vmxe, "movq %%cr4, %%rax; orq $0x2000, %%rax; "
                      "movq %%rax, %%cr4")
INSTRUCTION(cr3_high, "movq %%cr3, %%rax; btsq $63, %%rax; "
                      "movq %%rax, %%cr3")
INSTRUCTION(cr8, "movl $5, %%eax; movq %%rax, %%cr8; movq %%cr8, %%rbx; "
                 "xorl %%eax, %%eax; movq %%rax, %%cr8")
INSTRUCTION(cr8_bad, "movq $-1, %%rax; movq %%rax, %%cr8")
INSTRUCTION(dr7_bad, "movq $-1, %%rax; movq %%rax, %%db7")
INSTRUCTION(dr, "movq %%db0, %%rax; movq %%rax, %%db0; movq %%db6, %%rax; "
                "movq %%rax, %%db6")
INSTRUCTION(ltr_bad, "movw $0xfff8, %%ax; ltr %%ax")
INSTRUCTION(noncanonical, "movq $0xdead, %%rax; shlq $48, %%rax; "
                          "movq (%%rax), %%rax")
INSTRUCTION(unmapped, "movq $0x7f, %%rax; shlq $40, %%rax; "
                      "movq (%%rax), %%rax")
INSTRUCTION(divide, "xorl %%ecx, %%ecx; xorl %%edx, %%edx; divl %%ecx")

static void do_efer(void *arg)
{
    (void)arg;
    wrmsr(0xc0000080, rdmsr(0xc0000080) & ~0x100ull);
}

static void do_svme(void *arg)
{
    (void)arg;
    wrmsr(0xc0000080, rdmsr(0xc0000080) | 0x1000);
}

/*
 * Bad values of CR0, CR3 and CR4 are refused by a CPU; QEMU's (7.2) takes
 * some, the state is then one that VMRUN refuses, and both gantry and Xen
 * end the domain.  So these need the argument "cr", and real hardware.
 */
#define ANY 0xff                /* may or may not fault */
#define NONE 0xfe

static const struct {
    const char *name;
    void (*run)(void *);
    uint8_t vector;
} instructions[] = {
    { "vmcall", do_vmcall, ANY },
    { "vmrun", do_vmrun, 6 },
    { "vmload", do_vmload, 6 },
    { "vmsave", do_vmsave, 6 },
    { "stgi", do_stgi, 6 },
    { "clgi", do_clgi, 6 },
    { "skinit", do_skinit, 6 },
    { "invlpga", do_invlpga, 6 },
    { "monitor", do_monitor, ANY },
    { "mwait", do_mwait, ANY },
    { "rdpmc", do_rdpmc, ANY },
    { "xsetbv", do_xsetbv, ANY },
    { "xgetbv", do_xgetbv, ANY },
    { "rsm", do_rsm, ANY },
    { "ud2", do_ud2, 6 },
    { "int3", do_int3, 3 },
    { "icebp", do_icebp, ANY },
    { "invd", do_invd, ANY },
    { "wbinvd", do_wbinvd, NONE },
    { "cr0-pe", do_cr0_bad, 13 },
    { "cr0-high", do_cr0_high, 13 },
    { "cr0-nw", do_cr0_nw, 13 },
    { "cr4-reserved", do_cr4_bad, 13 },
    { "cr4-pae", do_cr4_pae, 13 },
    { "cr4-vmxe", do_cr4_vmxe, 13 },
    { "cr3-high", do_cr3_high, 13 },
    { "cr8", do_cr8, NONE },
    { "cr8-bad", do_cr8_bad, 13 },
    { "dr7-bad", do_dr7_bad, ANY },
    { "dr", do_dr, NONE },
    { "ltr-bad", do_ltr_bad, 13 },
    { "noncanonical", do_noncanonical, 13 },
    { "unmapped", do_unmapped, 14 },
    { "divide", do_divide, 0 },
    { "efer-lme", do_efer, 13 },
    { "efer-svme", do_svme, 13 },
};

static void test_instructions(void)
{
    void *page = guest_pages(1);
    uint64_t cr0, cr3, cr4;

    __asm__ volatile("mov %%cr0, %0; mov %%cr3, %1; mov %%cr4, %2"
                     : "=r"(cr0), "=r"(cr3), "=r"(cr4));
    for (unsigned int i = 0; i < ARRAY_SIZE(instructions); i++) {
        bool ran;
        unsigned int got;
        char name[40];

        if (instructions[i].name[0] == 'c' && instructions[i].vector == 13
            && !guest_has_arg("cr")) {
            continue;
        }
        ran = try_run(instructions[i].run, page);
        got = ran ? NONE : (unsigned int)trap_last.vector;
        __asm__ volatile("mov %0, %%cr0; mov %1, %%cr3; mov %2, %%cr4"
                         : : "r"(cr0), "r"(cr3), "r"(cr4) : "memory");
        snprintf(name, sizeof(name), "cpu-%s", instructions[i].name);
        guest_case(instructions[i].vector == ANY
                   || got == instructions[i].vector, name,
                   "%s %u", ran ? "ran" : "vector", ran ? 0 : got);
    }
}

/* ---- the APIC pages ---- */

INSTRUCTION(mov8, "movb (%%rdi), %%al")
INSTRUCTION(mov16, "movw (%%rdi), %%ax")
INSTRUCTION(mov64, "movq (%%rdi), %%rax")
INSTRUCTION(movzx, "movzbl (%%rdi), %%eax; movzwl 2(%%rdi), %%eax; "
                   "movsbq (%%rdi), %%rax; movslq (%%rdi), %%rax")
INSTRUCTION(odd, "movl 3(%%rdi), %%eax")
INSTRUCTION(cross, "movl 0xffe(%%rdi), %%eax")
INSTRUCTION(store8, "movb %%al, 0xd0(%%rdi)")
INSTRUCTION(store64, "movq %%rax, 0xd0(%%rdi)")
INSTRUCTION(store_imm, "movl $0, 0xd0(%%rdi); movq $0, 0xd0(%%rdi)")
INSTRUCTION(alu, "addl $0, (%%rdi); orl %%eax, (%%rdi); "
                 "testl $1, (%%rdi); cmpl %%eax, (%%rdi); andl $-1, (%%rdi)")
INSTRUCTION(inc, "incl 0xd0(%%rdi); negl 0xd0(%%rdi); notl 0xd0(%%rdi)")
INSTRUCTION(xchg, "xchgl %%eax, 0xd0(%%rdi)")
INSTRUCTION(cmpxchg, "lock; cmpxchgl %%ecx, 0xd0(%%rdi)")
INSTRUCTION(cmpxchg16, "lock; cmpxchg16b (%%rdi)")
INSTRUCTION(xadd, "lock; xaddl %%eax, 0xd0(%%rdi)")
INSTRUCTION(bts, "btl $3, (%%rdi); btsl $3, 0xd0(%%rdi); "
                 "lock; btrl $3, 0xd0(%%rdi)")
INSTRUCTION(push, "pushq (%%rdi); popq %%rax")
INSTRUCTION(pop, "pushq $0; popq 0xd0(%%rdi)")
INSTRUCTION(lods, "movq %%rdi, %%rsi; lodsl; lodsb; lodsq")
INSTRUCTION(sse, "movups (%%rdi), %%xmm0; movd (%%rdi), %%xmm0; "
                 "movups %%xmm0, 0xd0(%%rdi)")
INSTRUCTION(fxsave, "fxsave (%%rdi)")
INSTRUCTION(fld, "fldt (%%rdi)")
INSTRUCTION(lidt, "sidt -16(%%rsp); lidt (%%rdi); lidt -16(%%rsp)")
INSTRUCTION(callm, "movq (%%rdi), %%rax; addq $0x30, %%rdi; "
                   "cmpq (%%rdi), %%rax; lock; incb (%%rdi)")
INSTRUCTION(prefixes, ".byte 0x66, 0xf3, 0xf2, 0x2e, 0x67, 0x48; "
                      "movl (%%rdi), %%eax")
INSTRUCTION(rip, "leaq 0x1000(%%rdi), %%rbx; movq $-0x400, %%rcx; "
                 "movl (%%rbx,%%rcx,4), %%eax")
INSTRUCTION(mul, "mull (%%rdi); imull $3, (%%rdi), %%eax; shll $1, (%%rdi)")
INSTRUCTION(setcc, "sete 0xd0(%%rdi); cmovel (%%rdi), %%eax")
INSTRUCTION(movbe, "movbe (%%rdi), %%eax; crc32l (%%rdi), %%eax; "
                   "popcntl (%%rdi), %%eax")
INSTRUCTION(enter, "xlatb")

static void do_movs(void *arg)
{
    uint64_t to = PTR(arg) + 0xf00, from = PTR(arg), count = 512;

    __asm__ volatile("rep; movsl" : "+D"(to), "+S"(from), "+c"(count)
                     : : "memory");
}

static void do_stos(void *arg)
{
    uint64_t to = PTR(arg) + 0xd0, count = 3;

    __asm__ volatile("std; rep; stosl; cld" : "+D"(to), "+c"(count)
                     : "a"(0) : "memory");
}

static void (*const mmio[])(void *) = {
    do_mov8, do_mov16, do_mov64, do_movzx, do_odd, do_cross, do_store8,
    do_store64, do_store_imm, do_alu, do_inc, do_xchg, do_cmpxchg,
    do_cmpxchg16, do_xadd, do_bts, do_push, do_pop, do_lods, do_sse,
    do_fxsave, do_fld, do_lidt, do_callm, do_prefixes, do_rip, do_mul,
    do_setcc, do_movbe, do_enter, do_movs, do_stos,
};

static void test_mmio(const char *name, uint64_t base)
{
    unsigned int faults = 0;

    for (unsigned int i = 0; i < ARRAY_SIZE(mmio); i++) {
        for (uint64_t at = 0; at < 0x400; at += 0x100) {
            faults += !try_run(mmio[i], (void *)(base + at));
        }
    }
    alive(name, faults);
}

static void do_fetch(void *arg)
{
    (void)arg;
    ((void (*)(void))LAPIC)();
}

static void test_fetch(void)
{
    bool ran = try_run(do_fetch, NULL);

    guest_case(!ran && trap_last.vector == 13 && trap_last.rip == LAPIC,
               "mmio-fetch", "vector %lu at %lx", trap_last.vector,
               trap_last.rip);
}

/* Every register of the APIC, read and written back. */
static void test_lapic_registers(void)
{
    volatile uint32_t *id = (volatile uint32_t *)(LAPIC + 0x20);
    volatile uint32_t *version = (volatile uint32_t *)(LAPIC + 0x30);

    guest_case((rdmsr(0x1b) & 0xc00) == 0x800, "lapic-mode", "%lx",
               rdmsr(0x1b));
    guest_case(*id >> 24 == cpuid(1, 0).b >> 24, "lapic-id", "%x", *id);
    guest_case((*version & 0xf0) == 0x10, "lapic-version", "%x", *version);
    for (uint64_t at = 0; at < 0x1000; at += 4) {
        volatile uint32_t *reg = (volatile uint32_t *)(LAPIC + at);
        uint32_t value = *reg;

        if (at < 0x300 || at > 0x310) {
            *reg = value;
        }
    }
    alive("lapic-registers", 0);
}

static void test_ioapic_registers(void)
{
    volatile uint32_t *select = (volatile uint32_t *)IOAPIC;
    volatile uint32_t *data = (volatile uint32_t *)(IOAPIC + 0x10);
    uint32_t version;

    *select = 1;
    version = *data;
    guest_case((version >> 16 & 0xff) >= 23 && version != 0xffffffff,
               "ioapic-version", "%x", version);
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value;

        *select = i;
        value = *data;
        /* Masked, and with odd delivery modes. */
        *data = i >= 0x10 && i % 2 == 0 ? 0x10000 | i << 8 : value;
    }
    alive("ioapic-registers", 0);
}

/* ---- ports ---- */

struct port {
    uint16_t port;
    uint8_t size;
    bool out;
};

static void do_port(void *arg)
{
    const struct port *p = arg;
    uint32_t value = 0xffffffff;

    if (p->out && p->size == 1) {
        __asm__ volatile("outb %b0, %w1" : : "a"(value), "d"(p->port));
    } else if (p->out && p->size == 2) {
        __asm__ volatile("outw %w0, %w1" : : "a"(value), "d"(p->port));
    } else if (p->out) {
        __asm__ volatile("outl %0, %w1" : : "a"(value), "d"(p->port));
    } else if (p->size == 1) {
        __asm__ volatile("inb %w1, %b0" : "=a"(value) : "d"(p->port));
    } else if (p->size == 2) {
        __asm__ volatile("inw %w1, %w0" : "=a"(value) : "d"(p->port));
    } else {
        __asm__ volatile("inl %w1, %0" : "=a"(value) : "d"(p->port));
    }
}

static void do_string(void *arg)
{
    const struct port *p = arg;
    static uint8_t buffer[64];
    uint64_t at = PTR(buffer), count = 4;

    if (p->out) {
        __asm__ volatile("rep; outsb" : "+S"(at), "+c"(count)
                         : "d"(p->port) : "memory");
    } else {
        __asm__ volatile("rep; insb" : "+D"(at), "+c"(count)
                         : "d"(p->port) : "memory");
    }
}

static void test_ports(void)
{
    /* Interrupt controllers, timer, PCI address and data. */
    static const uint16_t hidden[] = {
        0x20, 0x21, 0xa0, 0xa1, 0x40, 0x41, 0x42, 0x43, 0xcf8, 0xcfa,
        0xcfc, 0xcfd, 0xcfe, 0xcff, 0x4d0, 0x4d1, 0xffff, 0xfffe,
    };
    unsigned int faults = 0;
    struct port p;

    for (uint32_t port = 0; port < 0x10000; port++) {
        p = (struct port){ (uint16_t)port, (uint8_t)(1u << port % 3), false };
        faults += !try_run(do_port, &p);
    }
    alive("port-in", faults);
    faults = 0;
    for (unsigned int i = 0; i < ARRAY_SIZE(hidden); i++) {
        for (uint8_t size = 1; size <= 4; size *= 2) {
            p = (struct port){ hidden[i], size, false };
            faults += !try_run(do_port, &p);
            p.out = true;
            faults += !try_run(do_port, &p);
        }
        /* Strings only where nothing real is behind. */
        if (hidden[i] < 0xc00) {
            faults += !try_run(do_string, &p);
            p.out = false;
            faults += !try_run(do_string, &p);
        }
    }
    alive("port-hidden", faults);
}

/* OUTS to a port where nothing listens moves the registers as any other. */
struct outs {
    uint64_t si, count;
};

static void outs_repeated(void *arg)
{
    struct outs *o = arg;

    __asm__ volatile("rep; outsw" : "+S"(o->si), "+c"(o->count)
                     : "d"(PORT_HIDDEN) : "memory");
}

static void outs_once(void *arg)
{
    struct outs *o = arg;

    __asm__ volatile("outsl" : "+S"(o->si), "+c"(o->count)
                     : "d"(PORT_HIDDEN) : "memory");
}

static void outs_backwards(void *arg)
{
    struct outs *o = arg;

    __asm__ volatile("std; rep; outsb; cld" : "+S"(o->si), "+c"(o->count)
                     : "d"(PORT_HIDDEN) : "memory", "cc");
}

static void test_outs(void)
{
    static const struct {
        void (*run)(void *);
        uint64_t count, count_after;
        int64_t moved;
    } t[] = {
        { outs_repeated, 8, 0, 16 }, { outs_once, 8, 8, 4 },
        { outs_backwards, 8, 0, -8 },
    };
    static uint8_t buffer[64];

    for (unsigned int i = 0; i < ARRAY_SIZE(t); i++) {
        struct outs o = { PTR(buffer) + 32, t[i].count };
        bool ran = try_run(t[i].run, &o);

        guest_case(ran && o.count == t[i].count_after &&
                       o.si == PTR(buffer) + 32 + (uint64_t)t[i].moved,
                   "outs", "%u: %u, count %lx, moved %ld", i, ran, o.count,
                   (int64_t)(o.si - PTR(buffer) - 32));
    }
}

static void test_pci(void)
{
    unsigned int devices = 0;

    for (uint32_t at = 0; at < 0x10000; at += 4) {
        uint32_t value;

        __asm__ volatile("outl %0, %w1" : : "a"(0x80000000 | at),
                         "d"(0xcf8));
        __asm__ volatile("inl %w1, %0" : "=a"(value) : "d"(0xcfc));
        devices += (at & 0xff) == 0 && value != 0xffffffff;
    }
    guest_case(!guest_is_dom0 || devices > 0, "pci-config", "%u functions",
               devices);
}

/* ---- NMIs ---- */

#define NMI_WAIT 1000u

static volatile unsigned int nmis, nmi_depth, nmi_deepest;

static void exit_once(void)
{
    (void)sched_op(SCHEDOP_yield, NULL);
}

/* The first one asks for the next. */
static void take_nmi(struct trap_frame *frame)
{
    (void)frame;
    nmi_depth++;
    nmi_deepest = max(nmi_deepest, nmi_depth);
    if (nmis++ == 0) {
        (void)vcpu_op(VCPUOP_send_nmi, 0, NULL);
        exit_once();
        exit_once();
    }
    nmi_depth--;
}

static void test_nmi(void)
{
    trap_set_handler(2, take_nmi);
    guest_equal("nmi-send", vcpu_op(VCPUOP_send_nmi, 0, NULL), 0);
    for (unsigned int i = 0; i < NMI_WAIT && nmis < 2; i++) {
        exit_once();
    }
    guest_equal("nmi-in-nmi", nmis, 2);
    guest_equal("nmi-waits-for-iret", nmi_deepest, 1);
    trap_set_handler(2, NULL);
}

/* ---- ends ---- */

static void end_triple(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) none = { 0, 0 };

    guest_log("now a triple fault");
    __asm__ volatile("lidt %0; ud2" : : "m"(none));
}

void guest_main(void)
{
    if (guest_has_arg("triple")) {
        end_triple();
    }
    test_instructions();
    test_lapic_registers();
    test_ioapic_registers();
    test_mmio("mmio-lapic", LAPIC);
    test_mmio("mmio-ioapic", IOAPIC);
    test_fetch();
    test_ports();
    test_outs();
    test_pci();
    test_nmi();
    for (unsigned int i = 0; i < ARRAY_SIZE(msr_ranges); i++) {
        test_msrs(&msr_ranges[i]);
    }
}
