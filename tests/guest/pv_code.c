/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Privileged instructions of a PV guest in 16 and 32-bit code of segments of
 * its own, in its user mode and in its kernel: sizes, bases, limits, and how
 * INS and OUTS take their operand.  Each case is as it is on Xen: the run
 * there is the oracle.
 */
#include "pv/pv.h"

/* Descriptors, by their base and limit in bytes. */
#define DATA 0x0040f30000000000ul
#define DATA_READ_ONLY 0x0040f10000000000ul
#define CODE32 0x0040fb0000000000ul
#define CODE32_CLOSED 0x0040f90000000000ul      /* cannot be read */
#define CODE16 0x0000fb0000000000ul
#define IN_PAGES 0x0080000000000000ul

#define DATA_BASE USER_STACK
#define WRAP_BASE (USER_STACK - 0xf000)

enum { NONE, FLAT_CODE16, BASED_CODE32, BASED_CODE16, CLOSED_CODE32,
       SHORT_DATA, FIXED_DATA, WRAP_DATA, ABSENT_DATA, BIG_DATA };

#define SELECTOR(index) ((index) << 3 | 3)
#define LOCAL(index) (SELECTOR(index) | 4)

static uint64_t segment(uint64_t kind, uint64_t base, uint64_t limit)
{
    return kind | (base & 0xffffff) << 16 | (base >> 24) << 56
           | (limit & 0xffff) | (limit & 0xf0000) << 32;
}

static void set_iopl(uint32_t iopl)
{
    struct physdev_set_iopl op = { .iopl = iopl };

    (void)hypercall(__HYPERVISOR_physdev_op, PHYSDEVOP_set_iopl, PTR(&op), 0);
}

static void make_tables(void)
{
    uint64_t *table = pv_pages(1);
    xen_ulong_t frame = mfn_of(table);
    struct mmuext_op op = { .cmd = MMUEXT_SET_LDT, .arg1.linear_addr =
                            PTR(table), .arg2.nr_ents = 512 };

    table[FLAT_CODE16] = segment(CODE16 | IN_PAGES, 0, 0xfffff);
    table[BASED_CODE32] = segment(CODE32, USER_CODE, 0xfff);
    table[BASED_CODE16] = segment(CODE16, USER_CODE, 0xfff);
    table[CLOSED_CODE32] = segment(CODE32_CLOSED, USER_CODE, 0xfff);
    table[SHORT_DATA] = segment(DATA, DATA_BASE, 0xff);
    table[FIXED_DATA] = segment(DATA_READ_ONLY, DATA_BASE, 0xfff);
    table[WRAP_DATA] = segment(DATA, WRAP_BASE, 0xffff);
    table[ABSENT_DATA] = segment(DATA & ~(1ul << 47), DATA_BASE, 0xfff);
    table[BIG_DATA] = segment(DATA | IN_PAGES, DATA_BASE, 0xff);
    (void)update_va(table, mfn_of(table) << PAGE_SHIFT | PTE_RO);
    pv_equal("gdt", hypercall(__HYPERVISOR_set_gdt, PTR(&frame), 512, 0), 0);
    pv_equal("ldt", hypercall6(__HYPERVISOR_mmuext_op, PTR(&op), 1, 0,
                               DOMID_SELF, 0), 0);
}

/* ---- code, of which INT 0x80, or a trap before it, is the end ---- */

struct code {
    uint8_t bytes[64];
    unsigned int size;
};

static void emit(struct code *c, const char *bytes, unsigned int size)
{
    memcpy(c->bytes + c->size, bytes, size);
    c->size += size;
}

#define EMIT(c, text) emit(c, text, sizeof(text) - 1)

/* MOV of 32 bits to a register by its number. */
static void set(struct code *c, bool is_16, unsigned int reg, uint32_t value)
{
    char bytes[6] = { 0x66, (char)(0xb8 + reg) };

    memcpy(bytes + 2, &value, sizeof(value));
    emit(c, bytes + !is_16, 5u + is_16);
}

#define DF 0x400ul

#define EAX 0
#define ECX 1
#define EDX 2
#define ESI 6
#define EDI 7

/* What is run: its code segment and what it finds in registers. */
struct run {
    uint64_t cs;                /* RPL 0: in kernel mode */
    uint32_t sreg;              /* selector for 'load', if there is one */
    const char *load;           /* mov %eax, %sreg */
    uint32_t ecx, edx, esi, edi;
    uint64_t flags;             /* besides those that are always set */
    const char *insn;
    unsigned int size;
};

#define INSN(text) .insn = text, .size = sizeof(text) - 1
#define TO_ES "\x8e\xc0"
#define TO_SS "\x8e\xd0"
#define TO_DS "\x8e\xd8"
#define TO_FS "\x8e\xe0"
#define TO_NONE "\x90\x90"

static bool is_16(const struct run *r)
{
    return r->cs >> 3 == FLAT_CODE16 || r->cs >> 3 == BASED_CODE16;
}

static bool is_based(const struct run *r)
{
    uint64_t index = r->cs >> 3;

    return index == BASED_CODE32 || index == BASED_CODE16
           || index == CLOSED_CODE32;
}

/* Where the instruction is, from the start of the code. */
static unsigned int prepare(struct code *c, const struct run *r)
{
    unsigned int at;
    bool size = is_16(r);

    set(c, size, EAX, r->sreg);
    emit(c, r->load, 2);
    set(c, size, ECX, r->ecx);
    set(c, size, EDX, r->edx);
    set(c, size, ESI, r->esi);
    set(c, size, EDI, r->edi);
    set(c, size, EAX, 0x12345678);
    at = c->size;
    emit(c, r->insn, r->size);
    EMIT(c, "\xcd\x80");
    return at;
}

struct start {
    const struct code *code;
    struct pv_start at;
};

static void do_start(void *arg)
{
    const struct start *s = arg;

    pv_user_code_at(s->code->bytes, s->code->size, &s->at);
}

/* To its end, or to its trap; '*done' if it came to that end. */
static void run(const struct run *r, bool *done)
{
    struct code c = { .size = 0 };
    unsigned int at = prepare(&c, r);
    const struct start s = {
        .code = &c,
        .at = { .rip = is_based(r) ? 0 : USER_CODE,
                .rsp = USER_STACK + PAGE_SIZE, .rflags = r->flags | 0x202,
                .cs = r->cs, .ss = FLAT_USER_SS },
    };

    shared_info->vcpu_info[0].arch.cr2 = 0;
    (void)pv_try(do_start, (void *)PTR(&s));
    *done = trap_last.vector == 0x80
            && trap_last.rip == s.at.rip + at + r->size + 2;
}

#define DONE 0x80

struct want {
    uint64_t vector;            /* DONE, or its trap */
    uint64_t cr2, rcx, index;
};

/* INS or OUTS, of which one of esi and edi is 0. */
static void string(const char *name, struct run r, struct want w)
{
    uint64_t index, cr2;
    bool done;

    run(&r, &done);
    index = r.edi != 0 ? trap_last.rdi : trap_last.rsi;
    cr2 = shared_info->vcpu_info[0].arch.cr2;
    pv_case(trap_last.vector == w.vector && done == (w.vector == DONE)
            && cr2 == w.cr2 && trap_last.rcx == w.rcx && index == w.index,
            name, "vector %lx error %lx cr2 %lx rip %lx rcx %lx index %lx",
            trap_last.vector, trap_last.error, cr2, trap_last.rip,
            trap_last.rcx, index);
}

/* One that changes eax. */
static void value(const char *name, struct run r, uint64_t want)
{
    bool done;

    r.load = TO_NONE;
    run(&r, &done);
    pv_case(done && trap_last.rax == want, name, "vector %lx rip %lx rax %lx",
            trap_last.vector, trap_last.rip, trap_last.rax);
}

/* ---- IN, OUT and others ---- */

static void test_sizes(uint64_t rpl)
{
    const uint64_t code16 = (SELECTOR(FLAT_CODE16) & ~3) | rpl;
    const uint64_t based16 = (SELECTOR(BASED_CODE16) & ~3) | rpl;
    const uint64_t based32 = (SELECTOR(BASED_CODE32) & ~3) | rpl;
    const uint64_t flat32 = (FLAT_USER_CS32 & ~3) | rpl;

    value("in-32", (struct run){ .cs = flat32, INSN("\xe5\x80") },
          0xffffffff);
    value("in-32-prefix", (struct run){ .cs = flat32, INSN("\x66\xe5\x80") },
          0x1234ffff);
    value("in-32-byte", (struct run){ .cs = flat32, INSN("\xe4\x80") },
          0x123456ff);
    value("in-based-32", (struct run){ .cs = based32, INSN("\xe5\x80") },
          0xffffffff);
    value("in-local", (struct run){ .cs = based32 | 4, INSN("\xe5\x80") },
          0xffffffff);
    value("in-16", (struct run){ .cs = code16, INSN("\xe5\x80") },
          0x1234ffff);
    value("in-16-prefix", (struct run){ .cs = code16, INSN("\x66\xe5\x80") },
          0xffffffff);
    value("in-based-16", (struct run){ .cs = based16, INSN("\xe5\x80") },
          0x1234ffff);
    /* inc %eax, which is a REX in 64-bit code */
    value("in-behind-inc", (struct run){ .cs = flat32, INSN("\x40\xe5\x80") },
          0xffffffff);
    value("cli-32", (struct run){ .cs = based32, INSN("\xfa") }, 0x12345678);
    value("sti-16", (struct run){ .cs = based16, INSN("\xfb") }, 0x12345678);
}

static void test_kernel(void)
{
    const uint64_t code16 = SELECTOR(BASED_CODE16) & ~3;
    const uint64_t code32 = SELECTOR(BASED_CODE32) & ~3;
    uint32_t cr0;

    __asm__ volatile("mov %%cr0, %%rax\n\tmov %%eax, %0" : "=r" (cr0)
                     :: "rax");
    value("cr0", (struct run){ .cs = code32, INSN("\x0f\x20\xc0") }, cr0);
    value("cr0-16", (struct run){ .cs = code16, INSN("\x0f\x20\xc0") }, cr0);
    value("cr4", (struct run){ .cs = code32, INSN("\x0f\x20\xe0") }, 0x660);
    value("dr7", (struct run){ .cs = code32, INSN("\x0f\x21\xf8") }, 0x400);
    value("set-dr6", (struct run){ .cs = code16, INSN("\x0f\x23\xf0\x0f\x21"
                                                      "\xf0") }, 0xffff4ff8);
    value("wbinvd", (struct run){ .cs = code16, INSN("\x0f\x09") },
          0x12345678);
    value("rdmsr", (struct run){ .cs = code32, .ecx = 0x277,
                                 INSN("\x0f\x32") }, 0x70406);
    (void)hypercall(__HYPERVISOR_set_debugreg, 6, 0, 0);
}

/* INT n of the first vectors is #GP to the hypervisor. */
static void test_int(uint64_t rpl)
{
    const struct run r = { .cs = (SELECTOR(BASED_CODE32) & ~3) | rpl,
                           .load = TO_NONE, INSN("\xcd\x0e") };
    bool done;

    run(&r, &done);
    pv_case(trap_last.vector == 13, "int-14-32", "vector %lx error %lx",
            trap_last.vector, trap_last.error);
}

/* ---- INS ---- */

static void test_ins(uint64_t rpl)
{
    uint32_t *stack = pv_user_stack();
    struct run r = { .cs = (FLAT_USER_CS32 & ~3) | rpl, .sreg = FLAT_USER_SS,
                     .load = TO_ES, .ecx = 3, .edx = 0x99, .edi = USER_STACK,
                     INSN("\xf3\x6d") };

    stack[0] = stack[2] = stack[3] = 0;
    string("ins-flat", r, (struct want){ DONE, 0, 0, r.edi + 12 });
    pv_case(stack[0] == ~0u && stack[2] == ~0u && stack[3] == 0, "ins-data",
            "%x %x %x", stack[0], stack[2], stack[3]);
    r.edi = USER_CODE + 0x800;
    string("ins-cannot-write", r, (struct want){ 14, r.edi, 3, r.edi });
    r.sreg = SELECTOR(SHORT_DATA);
    r.edi = 0x80;
    stack[0x20] = stack[0x23] = 0;
    string("ins-based", r, (struct want){ DONE, 0, 0, 0x8c });
    pv_case(stack[0x20] == ~0u && stack[0x23] == 0, "ins-based-data", "%x %x",
            stack[0x20], stack[0x23]);
    r.edi = 0xf8;
    string("ins-over-limit", r, (struct want){ 13, 0, 1, 0x100 });
    r.edi = 0xfd;
    string("ins-across-limit", r, (struct want){ 13, 0, 3, 0xfd });
    r.sreg = LOCAL(SHORT_DATA);
    r.edi = 0x80;
    string("ins-local", r, (struct want){ DONE, 0, 0, 0x8c });
    r.sreg = SELECTOR(FIXED_DATA);
    string("ins-read-only", r, (struct want){ 13, 0, 3, 0x80 });
    r.sreg = 0;
    string("ins-null", r, (struct want){ 13, 0, 3, 0x80 });
    r.sreg = SELECTOR(BASED_CODE32);
    string("ins-code", r, (struct want){ 13, 0, 3, 0x80 });
    r.sreg = SELECTOR(BIG_DATA);
    r.edi = 0x1000;
    string("ins-behind-page", r, (struct want){ 14, USER_STACK + 0x1000, 3,
                                                0x1000 });
}

/* Indexes of 16 bits, which wrap and leave what is above them. */
static void test_ins_16(uint64_t rpl)
{
    struct run r = { .cs = (SELECTOR(BASED_CODE16) & ~3) | rpl,
                     .sreg = SELECTOR(WRAP_DATA), .load = TO_ES,
                     .ecx = 0x70003, .edx = 0x99, .edi = 0xabcdf000,
                     INSN("\xf3\x6d") };

    string("ins-16", r, (struct want){ DONE, 0, 0x70000, 0xabcdf006 });
    r.edi = 0xabcdfffe;
    string("ins-16-wraps", r, (struct want){ 14, WRAP_BASE, 0x70002,
                                             0xabcd0000 });
    r.edi = 0xabcdffff;
    string("ins-16-limit", r, (struct want){ 13, 0, 0x70003, 0xabcdffff });
    r.edi = 0xfffc;
    r.ecx = 3;
    r.insn = "\xf3\x67\x66\x6d";
    r.size = 4;
    string("ins-16-by-32", r, (struct want){ 13, 0, 2, 0x10000 });
    r.cs = (SELECTOR(BASED_CODE32) & ~3) | rpl;
    r.edi = 0xabcdfffc;
    r.ecx = 0x70001;
    r.insn = "\xf3\x67\x6d";
    r.size = 3;
    string("ins-32-by-16", r, (struct want){ DONE, 0, 0x70000, 0xabcd0000 });
}

/* ---- OUTS ---- */

static void test_outs(uint64_t rpl)
{
    uint32_t *stack = pv_user_stack();
    struct run r = { .cs = (SELECTOR(BASED_CODE32) & ~3) | rpl,
                     .sreg = SELECTOR(SHORT_DATA), .load = TO_DS, .ecx = 3,
                     .edx = 0xcf8, .esi = 0x40, INSN("\x6f") };
    const struct run in = { .cs = r.cs, .edx = 0xcf8, INSN("\xed") };

    for (unsigned int i = 0; i < 64; i++) {
        stack[i] = 0x80000000 | i << 8;
    }
    string("outs", r, (struct want){ DONE, 0, 3, 0x44 });
    value("outs-data", in, 0x80001000);
    r.sreg = SELECTOR(FIXED_DATA);
    r.load = TO_FS;
    r.insn = "\x64\x6f";
    r.size = 2;
    r.esi = 0x80;
    string("outs-fs", r, (struct want){ DONE, 0, 3, 0x84 });
    value("outs-fs-data", in, 0x80002000);
    r.sreg = SELECTOR(SHORT_DATA);
    r.load = TO_ES;
    r.insn = "\x26\x6f";
    r.esi = 0x24;
    string("outs-es", r, (struct want){ DONE, 0, 3, 0x28 });
    value("outs-es-data", in, 0x80000900);
    r.esi = 0x100;
    string("outs-es-limit", r, (struct want){ 13, 0, 3, 0x100 });
    r.insn = "\x2e\x6f";
    r.esi = 0x20;
    string("outs-cs", r, (struct want){ DONE, 0, 3, 0x24 });
    r.cs = (SELECTOR(CLOSED_CODE32) & ~3) | rpl;
    string("outs-cs-closed", r, (struct want){ 13, 0, 3, 0x20 });
    r.load = TO_SS;
    r.insn = "\x36\x6f";
    string("outs-ss", r, (struct want){ DONE, 0, 3, 0x24 });
    value("outs-ss-data", in, 0x80000800);
    r.esi = 0xfe;
    string("outs-ss-limit", r, (struct want){ 12, 0, 3, 0xfe });
}

/* ---- at random ---- */

#define RANDOM_RUNS 3000u

static uint32_t seed = 1;

/* Below 'count'; the same row in each run. */
static uint32_t pick(uint32_t count)
{
    seed = seed * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(seed >> 8) * count >> 24);
}

#define PICK(list) ((list)[pick(ARRAY_SIZE(list))])

/* Prefixes, and an instruction that is not #UD in any code. */
static unsigned int make_insn(char *bytes, bool is_user)
{
    static const uint8_t prefixes[] = { 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65,
                                        0x66, 0x67, 0xf2, 0xf3, 0xf3, 0x41,
                                        0x48 };
    static const uint8_t opcodes[] = { 0x6c, 0x6d, 0x6e, 0x6f, 0x6c, 0x6d,
                                       0x6e, 0x6f, 0xe4, 0xe5, 0xe6, 0xe7,
                                       0xec, 0xed, 0xee, 0xef, 0xfa, 0xfb };
    unsigned int n = 0;

    for (unsigned int i = pick(5); i > 0; i--) {
        bytes[n++] = (char)PICK(prefixes);
    }
    if (is_user && pick(8) == 0) {
        bytes[n++] = 0x0f;
        bytes[n++] = (char)(0x20 + pick(4));
        bytes[n++] = (char)(0xc0 + (pick(2) * 4 << 3) + pick(8));
        return n;
    }
    bytes[n] = (char)PICK(opcodes);
    if ((uint8_t)bytes[n] >> 2 == 0xe4 >> 2) {
        bytes[++n] = (char)pick(256);
    }
    return n + 1;
}

/* Of the places for the operand some are good, and some are not. */
static struct run make_run(uint64_t rpl)
{
    static const uint32_t counts[] = { 0, 1, 3, 700, 0x10000, 0x80000005 };
    static const uint32_t ports[] = { 0x99, 0xcf8, 0x70, 0x6f, 0xcf6,
                                      0xffff };
    static const uint32_t places[] = {
        0, 1, 0x80, 0xfd, 0xfe, 0x100, 0xffff, 0xf000, 0xfffe, 0xabcdf100,
        0xfffffffe, USER_STACK, USER_STACK + 0x100, USER_STACK + 0xffd,
        USER_STACK - 2, USER_CODE, USER_CODE + 0x100 };
    static const uint32_t sregs[] = {
        0, FLAT_USER_SS, FLAT_USER_SS, SELECTOR(SHORT_DATA),
        LOCAL(SHORT_DATA), SELECTOR(FIXED_DATA), SELECTOR(WRAP_DATA),
        SELECTOR(BIG_DATA), SELECTOR(BASED_CODE32) };
    static const char *const loads[] = { TO_ES, TO_DS, TO_FS, "\x8e\xe8" };
    static const uint64_t codes[] = {
        FLAT_USER_CS, FLAT_USER_CS32, SELECTOR(FLAT_CODE16),
        SELECTOR(BASED_CODE32), SELECTOR(BASED_CODE16),
        SELECTOR(CLOSED_CODE32) };

    return (struct run){
        .cs = (PICK(codes) & ~3ul) | rpl, .sreg = PICK(sregs),
        .load = PICK(loads), .ecx = PICK(counts), .edx = PICK(ports),
        .esi = PICK(places), .edi = PICK(places),
        .flags = pick(3) == 0 ? DF : 0,
    };
}

static void mix(uint64_t *hash, uint64_t value)
{
    *hash = (*hash ^ value) * 0x100000001b3;
}

/* What all of it comes to: on stock Xen it is the same. */
static void test_random(const char *name, uint64_t rpl, uint64_t want)
{
    uint64_t hash = 0xcbf29ce484222325;
    unsigned int ends = 0;

    for (unsigned int i = 0; i < RANDOM_RUNS; i++) {
        struct run r = make_run(rpl);
        char bytes[16];
        bool done;

        r.size = make_insn(bytes, rpl == 3);
        r.insn = bytes;
        run(&r, &done);
        ends += done;
        mix(&hash, trap_last.vector);
        mix(&hash, trap_last.error);
        mix(&hash, shared_info->vcpu_info[0].arch.cr2);
        mix(&hash, trap_last.rip);
        mix(&hash, trap_last.rax);
        mix(&hash, trap_last.rcx);
        mix(&hash, trap_last.rsi);
        mix(&hash, trap_last.rdi);
    }
    pv_case(hash == want, name, "%u of %u done, hash %lx", ends, RANDOM_RUNS,
            hash);
}

/* ---- both modes ---- */

/* The kernel's table gets the user's lowest slot. */
static void map_low(void)
{
    const uint64_t *user = page_of(pv_user_root() << PAGE_SHIFT);

    pv_equal("low-slot", mmu_write(mfn_of(pv_root()) << PAGE_SHIFT, user[0]),
             0);
}

void pv_main(void)
{
    make_tables();
    set_iopl(3);
    test_sizes(3);
    test_int(3);
    test_ins(3);
    test_ins_16(3);
    test_outs(3);
    test_random("random-of-user", 3, 0xa83095da7213a9d0);
    map_low();
    set_iopl(1);
    test_sizes(0);
    test_int(0);
    test_ins(0);
    test_ins_16(0);
    test_outs(0);
    test_kernel();
    test_random("random-of-kernel", 0, 0x4e641a5d4d501f66);
}
