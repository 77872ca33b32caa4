/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Port accesses of a PV guest whose operand is in memory, INS and OUTS: what
 * they leave in registers and memory, where they trap, and that a REP can be
 * interrupted.  Each case is as it is on Xen: the run there is the oracle.
 */
#include "pv/pv.h"

#define HOLE 0xffff808000000000ul
#define NOWHERE 0x8000000000000000ul
#define NOBODYS 0x99u           /* a port */
#define PCI 0xcf8u
#define CMOS 0x70u
#define DF 0x400ul
#define TF 0x100ul

/* Machine code that returns, by a name. */
#define CODE(name, text)                                                \
    extern const char name[];                                           \
    __asm__(".text\n" #name ": " text "\n\tret\n")

CODE(ins_b, "insb");
CODE(ins_w, "insw");
CODE(ins_l, "insl");
CODE(ins_l_rex, ".byte 0x48, 0x6d");
CODE(ins_b_32, "addr32 insb");
CODE(ins_b_fs, ".byte 0x64, 0x6c");
CODE(ins_b_down, "std; insb; cld");
CODE(rep_ins_b, "rep insb");
CODE(rep_ins_l, "rep insl");
CODE(repne_ins_b, ".byte 0xf2, 0x6c");
CODE(rep_ins_b_32, "addr32 rep insb");
CODE(rep_ins_w_down, "std; rep insw; cld");
CODE(outs_b, "outsb");
CODE(outs_l, "outsl");
CODE(outs_l_fs, "fs outsl");
CODE(outs_l_gs, "gs outsl");
CODE(outs_l_es, ".byte 0x26, 0x6f");
CODE(rep_outs_l, "rep outsl");
CODE(rep_outs_b, "rep outsb");
CODE(rep_outs_b_32, "addr32 rep outsb");
CODE(in_w_98, "mov $0x98, %edx; inw %dx, %ax");
CODE(in_b_98, "mov $0x98, %edx; inb %dx, %al");
CODE(in_b_99, "inb $0x99, %al");
CODE(out_b_99, "outb %al, $0x99");
CODE(in_b_99_step, "pushf; orl $0x100, (%rsp); popf; inb $0x99, %al");
CODE(rep_ins_b_step, "pushf; orl $0x100, (%rsp); popf; rep insb");

struct regs {
    uint64_t rax, rcx, rdx, rsi, rdi;
    const char *code;
};

static void do_code(void *arg)
{
    struct regs *r = arg;

    __asm__ volatile("call *%5"
                     : "+a" (r->rax), "+c" (r->rcx), "+d" (r->rdx),
                       "+S" (r->rsi), "+D" (r->rdi)
                     : "r" (r->code) : "memory", "cc");
}

static uint64_t cr2(void)
{
    return shared_info->vcpu_info[0].arch.cr2;
}

/* To its end or its trap: the vector; 'r' is as it is then. */
static uint64_t run(struct regs *r)
{
    const struct pv_frame *f = &trap_last;

    shared_info->vcpu_info[0].arch.cr2 = 0;
    if (pv_try(do_code, r)) {
        return NO_TRAP;
    }
    r->rax = f->rax;
    r->rcx = f->rcx;
    r->rdx = f->rdx;
    r->rsi = f->rsi;
    r->rdi = f->rdi;
    return f->vector;
}

struct want {
    uint64_t vector, error, cr2;
    uint64_t rcx, index;        /* rdi or rsi */
};

/* 'r' has one of rdi and rsi. */
static void string(const char *name, struct regs r, struct want w)
{
    bool is_ins = r.rdi != 0;
    uint64_t vector = run(&r);
    uint64_t index = is_ins ? r.rdi : r.rsi;
    uint64_t error = vector == NO_TRAP ? 0 : trap_last.error;

    pv_case(vector == w.vector && error == w.error && cr2() == w.cr2
            && r.rcx == w.rcx && index == w.index, name,
            "vector %lx error %lx cr2 %lx rcx %lx index %lx", vector, error,
            cr2(), r.rcx, index);
}

static void set_iopl(uint32_t iopl)
{
    struct physdev_set_iopl op = { .iopl = iopl };

    (void)hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, PTR(&op), 0);
}

static void set_fs(uint64_t base)
{
    (void)hypercall(__HYPERVISOR_set_segment_base, SEGBASE_FS, base, 0);
}

static uint32_t in_l(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %w1, %0" : "=a" (value) : "d" (port));
    return value;
}

/* A page that can be written, one that is not there, one for reading. */
static uint8_t *page[3];

static void make_pages(void)
{
    for (unsigned int i = 0; i < 3; i++) {
        page[i] = pv_pages(1);
    }
    pv_equal("unmap", update_va(page[1], 0), 0);
    pv_equal("read-only", update_va(page[2], mfn_of(page[2]) << PAGE_SHIFT
                                             | PTE_RO), 0);
}

/* ---- permission ---- */

static void test_permission(void)
{
    const struct regs ins = { .rcx = 3, .rdx = NOBODYS, .rdi = PTR(page[0]),
                              .code = ins_b };
    struct regs none = ins;

    string("ins-without-iopl", ins, (struct want){ 13, .rcx = 3,
                                                   .index = ins.rdi });
    none.code = rep_ins_b;
    string("rep-without-iopl", none, (struct want){ 13, .rcx = 3,
                                                    .index = ins.rdi });
    set_iopl(1);
    string("ins-with-iopl", ins, (struct want){ NO_TRAP, .rcx = 3,
                                                .index = ins.rdi + 1 });
    /* The pages are looked at behind the port. */
    set_iopl(0);
    none.rdi = PTR(page[1]);
    string("port-before-page", none, (struct want){ 13, .rcx = 3,
                                                    .index = none.rdi });
}

static long set_iobitmap(const void *bitmap, unsigned int ports)
{
    struct physdev_set_iobitmap map = { .nr_ports = ports };

    set_xen_guest_handle(map.bitmap, (uint8_t *)PTR(bitmap));
    return hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iobitmap,
                     PTR(&map), 0);
}

static void test_bitmap(void)
{
    uint8_t *bitmap = pv_pages(2);
    const struct regs r = { .rcx = 3, .rdx = 0x87, .rdi = PTR(page[0]),
                            .code = ins_w };

    memset(bitmap, 0xff, 2 * PAGE_SIZE);
    bitmap[0x80 / 8] = 0x7f;
    bitmap[0x88 / 8] = 0xfe;
    pv_equal("bitmap", set_iobitmap(bitmap, 65536), 0);
    string("ins-by-bitmap", r, (struct want){ NO_TRAP, .rcx = 3,
                                              .index = r.rdi + 2 });
    bitmap[0x88 / 8] = 0xff;
    string("ins-beside-bitmap", r, (struct want){ 13, .rcx = 3,
                                                  .index = r.rdi });
    pv_equal("bitmap-off", set_iobitmap(NULL, 0), 0);
}

/* ---- what goes where ---- */

static void is_filled(const char *name, const uint8_t *at, size_t before,
                      size_t size)
{
    bool ok = true;

    for (size_t i = 0; i < before + size + 8; i++) {
        ok = ok && at[i] == (i >= before && i < before + size ? 0xff : 0x11);
    }
    pv_case(ok, name, "%x %x %x %x", at[0], at[before], at[before + size - 1],
            at[before + size]);
}

/* Fills the page by 0x11, of which 'size' bytes at offset 8 become 0xff. */
static void ins(const char *name, const char *code, uint64_t count,
                size_t size)
{
    struct regs r = { .rcx = count, .rdx = NOBODYS, .rdi = PTR(page[0]) + 8,
                      .code = code };

    memset(page[0], 0x11, PAGE_SIZE);
    string(name, r, (struct want){ NO_TRAP, .index = r.rdi + size });
    is_filled(name, page[0], 8, size);
}

static void test_ins(void)
{
    struct regs down = { .rcx = 3, .rdx = NOBODYS, .rdi = PTR(page[0]) + 12,
                         .code = rep_ins_w_down };

    ins("ins-b", ins_b, 0, 1);
    ins("ins-w", ins_w, 0, 2);
    ins("ins-l", ins_l, 0, 4);
    ins("ins-l-rex", ins_l_rex, 0, 4);
    ins("rep-ins-b", rep_ins_b, 5, 5);
    ins("repne-ins-b", repne_ins_b, 5, 5);
    ins("rep-ins-l", rep_ins_l, 1000, 4000);
    set_fs(0x1000);
    ins("ins-knows-no-fs", ins_b_fs, 0, 1);
    memset(page[0], 0x11, PAGE_SIZE);
    string("rep-ins-w-down", down, (struct want){ NO_TRAP,
                                                  .index = down.rdi - 6 });
    is_filled("ins-w-down", page[0], 8, 6);
    down.code = ins_b_down;
    string("ins-b-down", down, (struct want){ NO_TRAP, .rcx = 3,
                                              .index = down.rdi - 1 });
    down.rcx = 0;
    down.code = rep_ins_b;
    string("rep-zero", down, (struct want){ NO_TRAP, .index = down.rdi });
    down.rcx = 0x500000000;
    down.code = rep_ins_b_32;
    string("rep-zero-32", down, (struct want){ NO_TRAP,
                                               .index = (uint32_t)down.rdi });
}

/* What is written to 0xcf8 can be read there. */
static void outs(const char *name, const char *code, uint64_t rsi,
                 uint32_t want)
{
    const struct regs r = { .rcx = 0x22, .rdx = PCI, .rsi = rsi,
                            .code = code };

    string(name, r, (struct want){ NO_TRAP, .rcx = 0x22, .index = rsi + 4 });
    pv_equal(name, in_l(PCI), want);
}

static void test_outs(void)
{
    static uint32_t data[4] = { 0x80001100, 0x80002200, 0x80003300,
                                0x80004400 };
    const struct regs bytes = { .rdx = PCI, .rsi = PTR(data), .rcx = 4,
                                .code = rep_outs_b };
    const struct regs rep = { .rdx = PCI, .rsi = PTR(data), .rcx = 3,
                              .code = rep_outs_l };
    uint64_t gs;

    outs("outs-l", outs_l, PTR(data), 0x80001100);
    set_fs(PTR(data) + 4);
    outs("outs-l-fs", outs_l_fs, 4, 0x80003300);
    outs("outs-l-es", outs_l_es, PTR(data), 0x80001100);
    gs = PTR(data) + 8;
    (void)hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_KERNEL, gs, 0);
    outs("outs-l-gs", outs_l_gs, 4, 0x80004400);
    (void)hypercall(__HYPERVISOR_set_segment_base, SEGBASE_GS_KERNEL, 0, 0);
    string("rep-outs-b", bytes, (struct want){ NO_TRAP,
                                               .index = PTR(data) + 4 });
    pv_equal("not-by-bytes", in_l(PCI), 0x80004400);
    string("rep-outs-l", rep, (struct want){ NO_TRAP,
                                             .index = PTR(data) + 12 });
    pv_equal("the-last", in_l(PCI), 0x80003300);
}

static uint8_t in_b(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %w1, %0" : "=a" (value) : "d" (port));
    return value;
}

static void out_w(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %w1" :: "a" (value), "d" (port));
}

/* The index is kept for all, what it names is nobody's. */
static void test_cmos(void)
{
    pv_equal("cmos-index", in_b(CMOS), 0);
    out_w(CMOS, 0x3291);
    pv_equal("cmos-index-set", in_b(CMOS), 0x91);
    pv_equal("cmos-data", in_b(CMOS + 1), 0xff);
    pv_equal("cmos-within", in_l(CMOS - 2), 0xff91ffff);
    out_w(CMOS - 1, 0x2277);
    pv_equal("cmos-index-behind", in_b(CMOS), 0x22);
}

/* ---- traps ---- */

static void test_faults(void)
{
    uint64_t hole = PTR(page[1]);
    struct regs r = { .rcx = 5, .rdx = NOBODYS, .rdi = hole, .code = ins_l };

    string("ins-absent", r, (struct want){ 14, 2, hole, 5, hole });
    r.code = rep_ins_l;
    string("rep-absent", r, (struct want){ 14, 2, hole, 5, hole });
    r.rdi = hole - 4;
    string("rep-one-then-absent", r, (struct want){ 14, 2, hole, 4, hole });
    r.rdi = hole - 6;
    page[0][PAGE_SIZE - 2] = page[0][PAGE_SIZE - 1] = 0;
    string("rep-into-absent", r, (struct want){ 14, 2, hole, 4, hole - 2 });
    pv_case(page[0][PAGE_SIZE - 1] == 0xff, "half-written", "%x",
            page[0][PAGE_SIZE - 1]);
    r.rdi = hole - 3;
    r.code = ins_l;
    string("ins-into-absent", r, (struct want){ 14, 2, hole, 5, hole - 3 });
    r.rdi = PTR(page[2]) + 2;
    r.code = rep_ins_w_down;
    string("rep-down-read-only", r, (struct want){ 14, 2, r.rdi, 5, r.rdi });
    r.rdi = PTR(pv_root());
    r.code = ins_b;
    string("ins-page-table", r, (struct want){ 14, 2, r.rdi, 5, r.rdi });
    r.rdi = HOLE;
    string("ins-hole", r, (struct want){ 13, .rcx = 5, .index = HOLE });
    r.rdi = NOWHERE;
    string("ins-non-canonical", r, (struct want){ 13, .rcx = 5,
                                                  .index = NOWHERE });
    r.rdi = 0x7ffffffffffe;
    r.code = ins_l;
    string("ins-to-the-end", r, (struct want){ 14, 2, r.rdi, 5, r.rdi });
}

static void test_outs_faults(void)
{
    uint64_t absent = PTR(page[1]);
    struct regs r = { .rcx = 5, .rdx = PCI, .rsi = absent, .code = outs_b };

    string("outs-absent", r, (struct want){ 14, 0, absent, 5, absent });
    r.rsi = absent - 3;
    r.code = rep_outs_b;
    string("rep-outs-absent", r, (struct want){ 14, 0, absent, 2, absent });
    r.rsi = HOLE;
    string("outs-hole", r, (struct want){ 13, .rcx = 5, .index = HOLE });
    r.rsi = PTR(page[2]);
    string("outs-read-only", r, (struct want){ NO_TRAP, .index = r.rsi + 5 });
    set_fs(0x10000);
    r.rsi = HOLE - 0x10000;
    r.code = outs_l_fs;
    string("outs-fs-hole", r, (struct want){ 13, .rcx = 5, .index = r.rsi });
}

/* Of an address only 32 bits count, and a REP leaves no more of it. */
static void test_address_32(void)
{
    const uint64_t high = 0x1200000000, at = 0x70000000;
    struct regs r = { .rcx = high | 5, .rdx = NOBODYS, .rdi = high | at,
                      .code = ins_b_32 };

    string("ins-32", r, (struct want){ 14, 2, at, high | 5, high | at });
    r.code = rep_ins_b_32;
    string("rep-ins-32", r, (struct want){ 14, 2, at, 5, at });
    r.rsi = r.rdi;
    r.rdi = 0;
    r.code = rep_outs_b_32;
    string("rep-outs-32", r, (struct want){ 14, 0, at, 5, at });
}

/* Each repetition is a step. */
static void test_step(void)
{
    const struct regs r = { .rcx = 3, .rdx = NOBODYS, .rdi = PTR(page[0]),
                            .code = rep_ins_b_step };
    const struct regs last = { .rcx = 1, .rdx = NOBODYS, .rdi = PTR(page[0]),
                               .code = rep_ins_b_step };

    (void)hypercall(__HYPERVISOR_set_debugreg, 6, 0, 0);
    string("step", r, (struct want){ 1, .rcx = 2, .index = r.rdi + 1 });
    pv_equal("step-dr6", hypercall(__HYPERVISOR_get_debugreg, 6, 0, 0),
             0xffff4ff0);
    pv_case(*(const uint16_t *)trap_last.rip == 0x6cf3, "step-rip", "%lx",
            trap_last.rip);
    string("last-step", last, (struct want){ 1, .index = r.rdi + 1 });
    pv_case(*(const uint16_t *)(trap_last.rip - 2) == 0x6cf3,
            "last-step-rip", "%lx", trap_last.rip);
    (void)hypercall(__HYPERVISOR_set_debugreg, 6, 0, 0);
}

/* ---- breakpoints at ports ---- */

#define CR4_DE 8ul
#define ON(i) (1ul << (2 * (i)))
#define AT_PORT(i) (2ul << (16 + 4 * (i)))
#define LENGTH(i, code) ((uint64_t)(code) << (18 + 4 * (i)))
#define DR6_NONE 0xffff0ff0

static long set_dr(unsigned int reg, uint64_t value)
{
    return hypercall(__HYPERVISOR_set_debugreg, reg, value, 0);
}

static long get_dr(unsigned int reg)
{
    return hypercall(__HYPERVISOR_get_debugreg, reg, 0, 0);
}

static void set_de(bool on)
{
    __asm__ volatile("mov %0, %%cr4" :: "r" (on ? CR4_DE : 0ul));
}

/* What DR6 says in the end; of a #DB the instruction is done. */
static void meets(const char *name, const char *code, uint64_t dr6)
{
    struct regs r = { .rcx = 3, .rdx = NOBODYS, .rdi = PTR(page[0]),
                      .code = code };
    uint64_t vector;
    long got;

    (void)set_dr(6, 0);
    vector = run(&r);
    got = get_dr(6);
    pv_case(vector == (dr6 == DR6_NONE ? NO_TRAP : 1) && got == (long)dr6,
            name, "vector %lx dr6 %lx", vector, got);
}

static void test_breakpoint_set(void)
{
    pv_equal("dr7-without-de", set_dr(7, ON(0) | AT_PORT(0)), -EPERM);
    pv_equal("dr7-of-other", set_dr(7, ON(1) | AT_PORT(0)), -EPERM);
    pv_equal("dr7-of-none", set_dr(7, AT_PORT(0)), 0);
    pv_equal("dr7-of-none-is", get_dr(7), AT_PORT(0) | 0x400);
    set_de(true);
    pv_equal("dr7-off", set_dr(7, 0), 0);
    meets("no-breakpoint", in_b_99, DR6_NONE);
    pv_equal("dr0", set_dr(0, 0x99), 0);
    pv_equal("dr7", set_dr(7, ON(0) | AT_PORT(0)), 0);
    pv_equal("dr7-is", get_dr(7), ON(0) | AT_PORT(0) | 0x400);
}

static void test_breakpoints(void)
{
    struct regs r = { .rcx = 3, .rdx = NOBODYS, .rdi = PTR(page[0]),
                      .code = rep_ins_b };

    test_breakpoint_set();
    meets("meets-in", in_b_99, DR6_NONE | 1);
    pv_case(*(const uint16_t *)(trap_last.rip - 2) == 0x99e4
            && (uint8_t)trap_last.rax == 0xff, "in-is-done", "rip %lx rax %lx",
            trap_last.rip, trap_last.rax);
    meets("meets-out", out_b_99, DR6_NONE | 1);
    meets("meets-ins", ins_b, DR6_NONE | 1);
    meets("meets-upper-half", in_w_98, DR6_NONE | 1);
    meets("meets-not-beside", in_b_98, DR6_NONE);
    meets("meets-step", in_b_99_step, DR6_NONE | 0x4001);
    string("rep-stops", r, (struct want){ 1, .rcx = 2, .index = r.rdi + 1 });
    pv_case(*(const uint16_t *)trap_last.rip == 0x6cf3, "rep-stops-rip", "%lx",
            trap_last.rip);
    (void)set_dr(6, 0);
    r.rdi = PTR(page[1]);
    string("fault-first", r, (struct want){ 14, 2, r.rdi, 3, r.rdi });
    pv_equal("fault-first-dr6", get_dr(6), DR6_NONE);
    pv_equal("dr3", set_dr(3, 0x9f), 0);
    pv_equal("dr7-eight", set_dr(7, ON(0) | AT_PORT(0) | ON(3) | AT_PORT(3)
                                    | LENGTH(3, 2)), 0);
    meets("meets-two", in_b_99, DR6_NONE | 9);
    meets("meets-eight", in_b_98, DR6_NONE | 8);
    pv_equal("dr7-four", set_dr(7, ON(3) << 1 | AT_PORT(3) | LENGTH(3, 3)),
             0);
    meets("meets-not-four", in_b_99, DR6_NONE);
    pv_equal("dr7-two", set_dr(7, AT_PORT(0) | ON(1) | AT_PORT(1)
                                  | LENGTH(1, 1)), 0);
    pv_equal("dr1", set_dr(1, 0x99), 0);
    meets("meets-lower-half", in_b_98, DR6_NONE | 2);
    set_de(false);
    meets("meets-not-without-de", in_b_98, DR6_NONE);
    set_de(true);
    meets("meets-again", in_b_98, DR6_NONE | 2);
    (void)set_dr(7, 0);
    (void)set_dr(6, 0);
    set_de(false);
}

/* ---- user mode ---- */

static void user(const char *name, const char *code, size_t size,
                 struct want w)
{
    shared_info->vcpu_info[0].arch.cr2 = 0;
    pv_user_code(code, size, 0);
    pv_case(trap_last.vector == w.vector && trap_last.error == w.error
            && cr2() == w.cr2, name, "vector %lx error %lx cr2 %lx",
            trap_last.vector, trap_last.error, cr2());
}

static void test_user(void)
{
    /* mov $USER_STACK, %edi; mov $0x99, %edx; insl; syscall */
    static const char ins[] = "\xbf\x00\x00\x50\x00\xba\x99\x00\x00\x00\x6d"
                              "\x0f\x05";
    /* The same with USER_CODE, which cannot be written. */
    static const char bad[] = "\xbf\x00\x00\x40\x00\xba\x99\x00\x00\x00\x6d"
                              "\x0f\x05";
    uint32_t *stack = pv_user_stack();

    stack[0] = 0;
    user("user-without-iopl", ins, 13, (struct want){ .vector = 13 });
    set_iopl(3);
    user("user-ins", ins, 13, (struct want){ .vector = ON_SYSCALL });
    pv_equal("user-ins-data", stack[0], 0xffffffff);
    user("user-ins-read-only", bad, 13,
         (struct want){ 14, 6, USER_CODE, 0, 0 });
    set_iopl(1);
}

/* ---- interruption ---- */

static uint64_t now(void)
{
    const volatile vcpu_time_info_t *t = &shared_info->vcpu_info[0].time;
    uint32_t version;
    uint64_t ns;

    do {
        uint64_t delta;

        version = t->version;
        barrier();
        delta = __builtin_ia32_rdtsc() - t->tsc_timestamp;
        delta = t->tsc_shift < 0 ? delta >> -t->tsc_shift
                                 : delta << t->tsc_shift;
        ns = t->system_time
             + (uint64_t)(((__uint128_t)delta * t->tsc_to_system_mul) >> 32);
        barrier();
    } while ((version & 1) != 0 || version != t->version);
    return ns;
}

/* A timer that ends in the middle of a REP, at the first or a later try. */
static void test_events(void)
{
    struct evtchn_bind_virq bind = { .virq = VIRQ_TIMER };
    struct vcpu_set_singleshot_timer timer = { 0 };
    vcpu_info_t *info = &shared_info->vcpu_info[0];
    struct regs r = { .rcx = 4096, .rdx = NOBODYS, .rsi = PTR(page[2]),
                      .code = rep_outs_b };
    unsigned int tries = 0;
    bool is_within = false;

    pv_equal("bind-timer", hypercall(__HYPERVISOR_event_channel_op,
                                     EVTCHNOP_bind_virq, PTR(&bind), 0), 0);
    while (!is_within && tries++ < 2000) {
        struct regs again = r;

        info->evtchn_upcall_mask = 0;
        timer.timeout_abs_ns = now() + 10000 + tries * 500;
        (void)hypercall(__HYPERVISOR_vcpu_op, VCPUOP_set_singleshot_timer, 0,
                        PTR(&timer));
        (void)run(&again);
        is_within = event_last.rip == PTR(rep_outs_b) && event_last.rcx != 0
                    && event_last.rcx < 4096;
    }
    info->evtchn_upcall_mask = 1;
    pv_case(is_within, "event-within", "rcx %lx at try %u", event_last.rcx,
            tries);
}

void pv_main(void)
{
    make_pages();
    test_permission();
    test_bitmap();
    set_iopl(1);
    test_ins();
    test_outs();
    test_cmos();
    test_faults();
    test_outs_faults();
    test_address_32();
    test_step();
    test_breakpoints();
    test_user();
    test_events();
}
