/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a PV kernel executes as if it were in ring 0: control and debug
 * registers, MSRs, CPUID, and ports (port.c).  decode.c reads the instruction.
 *
 *  1. Only for the guest's kernel mode; for its user mode as well CPUID with
 *     the forced prefix, and by its IOPL ports, CLI and STI.
 *  2. CPUID, and MSRs that are not ours (msr.c), are executed here and so
 *     answered by the hypervisor, by the domain's policy.
 */
#include "lib/errno.h"
#include "pvkern/guest.h"
#include "pvkern/privileged.h"

/* PAE, MCE, OSFXSR, OSXMMEXCPT */
#define CR4_SHOWN 0x660ul

#define DR6_STEP 0x4000ul

#define MSR_TSC_AUX 0xc0000103u

/* For the guest to choose; what the CPU does with them is the same for us. */
#define CR4_LOADED (CR4_TSD | CR4_FSGSBASE | CR4_OSXSAVE)

#define CPUID_7_EBX_FSGSBASE (1u << 0)
#define CPUID_1_ECX_XSAVE (1u << 26)
#define CPUID_1_ECX_OSXSAVE (1u << 27)

/* By number in an instruction. */
static uint64_t *gpr(struct pvk_regs *r, unsigned int number)
{
    switch (number) {
    case 0:
        return &r->rax;
    case 1:
        return &r->rcx;
    case 2:
        return &r->rdx;
    case 3:
        return &r->rbx;
    case 4:
        return &r->rsp;
    case 5:
        return &r->rbp;
    case 6:
        return &r->rsi;
    case 7:
        return &r->rdi;
    case 8:
        return &r->r8;
    case 9:
        return &r->r9;
    case 10:
        return &r->r10;
    case 11:
        return &r->r11;
    case 12:
        return &r->r12;
    case 13:
        return &r->r13;
    case 14:
        return &r->r14;
    default:
        return &r->r15;
    }
}

/* What it shows of the processor's, and what is for the guest to choose. */
void privileged_set_cr4(struct pvk_vcpu *v, uint64_t value)
{
    uint64_t now, changed;

    if ((value & CR4_OSXSAVE) && !(cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE)) {
        value &= ~CR4_OSXSAVE;
    }
    if ((value & CR4_FSGSBASE) && !(cpuid(7, 0).ebx & CPUID_7_EBX_FSGSBASE)) {
        value &= ~CR4_FSGSBASE;
    }
    v->cr4 = (value & (CR4_DE | CR4_LOADED)) | CR4_SHOWN;
    __asm__ volatile("mov %%cr4, %0" : "=r" (now));
    changed = (now ^ v->cr4) & CR4_LOADED;
    if (changed) {
        __asm__ volatile("mov %0, %%cr4" :: "r" (now ^ changed) : "memory");
    }
}

static bool read_cr(struct pvk_vcpu *v, unsigned int number, uint64_t *value)
{
    switch (number) {
    case 0:
        *value = read_cr0();
        return true;
    case 2:
        *value = pvk_info(v)->arch.cr2;
        return true;
    case 3:
        *value = v->kernel_cr3;
        return true;
    case 4:
        *value = v->cr4;
        return true;
    default:
        return false;
    }
}

static bool write_cr(struct pvk_vcpu *v, unsigned int number, uint64_t value)
{
    switch (number) {
    case 0:
        if (((value ^ read_cr0()) & ~CR0_TS) != 0) {
            return false;
        }
        write_cr0(value);
        return true;
    case 2:
        pvk_info(v)->arch.cr2 = value;
        return true;
    case 3:
        return mmu_load_kernel(v, value);
    case 4:
        privileged_set_cr4(v, value);
        return true;
    default:
        return false;
    }
}

/*
 * Linux asks with the prefix before it sets CR4.OSXSAVE, and does without
 * XSAVE if that is not shown as set: Xen shows its own.
 */
static void run_cpuid(const struct pvk_vcpu *v, struct pvk_regs *r,
                      bool is_forced)
{
    uint32_t leaf = (uint32_t)r->rax;
    struct cpuid out = cpuid(leaf, (uint32_t)r->rcx);

    if (leaf == 1 && is_forced && v->in_kernel
        && (out.ecx & CPUID_1_ECX_XSAVE)) {
        out.ecx |= CPUID_1_ECX_OSXSAVE;
    }
    r->rax = out.eax;
    r->rbx = out.ebx;
    r->rcx = out.ecx;
    r->rdx = out.edx;
}

enum privileged_end privileged_trap(struct privileged_op *op,
                                    unsigned int vector, unsigned int error)
{
    op->vector = vector;
    op->error = error;
    return PRIVILEGED_TRAP;
}

/* The whole of a register, which is less in other than 64-bit code. */
static uint64_t whole(const struct privileged_op *op, uint64_t value)
{
    return op->mode == DECODE_64 ? value : (uint32_t)value;
}

static bool run_move_cr(struct privileged_op *op)
{
    const struct decode_insn *i = &op->insn;
    uint64_t *reg = gpr(op->r, i->reg);

    if (i->kind == DECODE_WRITE_CR) {
        return write_cr(op->v, i->number, whole(op, *reg));
    }
    if (!read_cr(op->v, i->number, reg)) {
        return false;
    }
    *reg = whole(op, *reg);
    return true;
}

/* Of one that is not there: #UD. */
static enum privileged_end run_move_dr(struct privileged_op *op)
{
    const struct decode_insn *i = &op->insn;
    uint64_t *reg = gpr(op->r, i->reg);
    long result;

    if (i->kind == DECODE_WRITE_DR) {
        result = hypercall_set_debugreg(op->v, i->number, whole(op, *reg));
    } else {
        result = hypercall_get_debugreg(op->v, i->number);
        /* An address of 0 to 3 may look like it. */
        if (i->number < 4 || result != -ENODEV) {
            *reg = whole(op, (uint64_t)result);
            return PRIVILEGED_DONE;
        }
    }
    return result == -ENODEV ? privileged_trap(op, VECTOR_UD, 0)
           : result == 0 ? PRIVILEGED_DONE : PRIVILEGED_REFUSED;
}

static void set_edx_eax(struct pvk_regs *r, uint64_t value)
{
    r->rax = (uint32_t)value;
    r->rdx = value >> 32;
}

static bool run_rdmsr(struct pvk_regs *r)
{
    uint64_t value;

    if (!msr_of_guest((uint32_t)r->rcx, &value)) {
        return false;
    }
    set_edx_eax(r, value);
    return true;
}

static bool run_rdtscp(struct pvk_regs *r)
{
    uint64_t aux;

    if (!msr_of_guest(MSR_TSC_AUX, &aux)) {
        return false;
    }
    r->rcx = (uint32_t)aux;
    set_edx_eax(r, rdtsc());
    return true;
}

/* It is done, or it is not. */
static bool run_simple(struct privileged_op *op)
{
    struct pvk_regs *r = op->r;

    switch (op->insn.kind) {
    case DECODE_READ_CR:
    case DECODE_WRITE_CR:
        return run_move_cr(op);
    case DECODE_CLTS:
        __asm__ volatile("clts");
        return true;
    case DECODE_RDMSR:
        return run_rdmsr(r);
    case DECODE_WRMSR:
        return msr_by_guest((uint32_t)r->rcx,
                            r->rdx << 32 | (uint32_t)r->rax);
    case DECODE_XSETBV:
        return xcr_set((uint32_t)r->rcx, r->rdx << 32 | (uint32_t)r->rax);
    case DECODE_CPUID:
        run_cpuid(op->v, r, op->insn.is_forced);
        return true;
    case DECODE_FLAG:
        return port_has_iopl(op->v);    /* and has no effect */
    case DECODE_NOTHING:
        return true;
    case DECODE_RDTSC:          /* by CR4.TSD: the kernel may all the same */
        set_edx_eax(r, rdtsc());
        return true;
    case DECODE_RDTSCP:
        return run_rdtscp(r);
    default:
        return false;
    }
}

static enum privileged_end run(struct privileged_op *op)
{
    switch (op->insn.kind) {
    case DECODE_IN:
    case DECODE_OUT:
        return port_move(op);
    case DECODE_INS:
    case DECODE_OUTS:
        return port_string(op);
    case DECODE_READ_DR:
    case DECODE_WRITE_DR:
        return run_move_dr(op);
    default:
        return run_simple(op) ? PRIVILEGED_DONE : PRIVILEGED_REFUSED;
    }
}

/* Of the code segment's bytes at 'rip' as many as can be read. */
static size_t fetch(const struct descriptor_view *code, uint64_t rip,
                    uint8_t *bytes)
{
    uint64_t at = segment_linear(code, rip);
    size_t first = PAGE_BYTES - (at & (PAGE_BYTES - 1));
    size_t count = DECODE_BYTES;

    if (!code->is_long) {
        count = rip > code->limit ? 0
                : code->limit - rip < count - 1 ? code->limit - rip + 1
                                                : count;
    }
    if (first > count) {
        first = count;
    }
    if (!guest_get(bytes, at, first)) {
        return 0;
    }
    at = segment_linear(code, rip + first);
    return guest_get(bytes + first, at, count - first) ? count : first;
}

static enum decode_mode mode_of(const struct descriptor_view *code)
{
    return code->is_long ? DECODE_64 : code->is_32 ? DECODE_32 : DECODE_16;
}

/* Reads the instruction that trapped; false: it is none of these. */
static bool read_insn(struct privileged_op *op, unsigned int vector)
{
    struct descriptor_view code = { .is_long = true };
    uint8_t bytes[DECODE_BYTES];
    size_t count;

    /* Xen takes the forced prefix by rip alone. */
    if (vector != VECTOR_UD && !segment_read_code(op->v, op->r, &code)) {
        return false;
    }
    op->mode = mode_of(&code);
    count = fetch(&code, op->r->rip, bytes);
    /* #UD is for the prefix only. */
    return decode(bytes, count, op->mode, &op->insn)
           && op->insn.is_forced == (vector == VECTOR_UD);
}

static bool is_for_user(unsigned int kind)
{
    switch (kind) {
    case DECODE_CPUID:
    case DECODE_FLAG:
    case DECODE_IN:
    case DECODE_OUT:
    case DECODE_INS:
    case DECODE_OUTS:
        return true;
    default:
        return false;
    }
}

/* As the CPU ends an instruction, or one repetition of it. */
static void retire(const struct privileged_op *op)
{
    struct pvk_vcpu *v = op->v;
    struct pvk_regs *r = op->r;
    uint64_t status = op->breakpoints | (r->rflags & FLAG_TF ? DR6_STEP : 0);

    r->rflags &= ~FLAG_RF;
    if (status) {
        (void)hypercall_set_debugreg(v, 6, status
                                     | (uint64_t)hypercall_get_debugreg(v, 6));
        bounce_trap(v, r, VECTOR_DB, NO_ERROR_CODE);
    }
}

/* Only #UD has no error code. */
static void deliver(const struct privileged_op *op)
{
    if (op->insn.is_repeated) {
        op->r->rflags &= ~FLAG_RF;
    }
    if (op->vector == VECTOR_PF) {
        bounce_page_fault(op->v, op->r, op->cr2, op->error);
    } else {
        bounce_trap(op->v, op->r, op->vector,
                    op->vector == VECTOR_UD ? NO_ERROR_CODE : (int)op->error);
    }
}

bool privileged_emulate(struct pvk_vcpu *v, struct pvk_regs *r,
                        unsigned int vector)
{
    struct privileged_op op = { .v = v, .r = r };

    if (!read_insn(&op, vector)
        || (!v->in_kernel && !is_for_user(op.insn.kind))) {
        return false;
    }
    switch (run(&op)) {
    case PRIVILEGED_REFUSED:
        return false;
    case PRIVILEGED_TRAP:
        deliver(&op);
        return true;
    case PRIVILEGED_DONE:
        r->rip = whole(&op, r->rip + op.insn.length);
        break;
    case PRIVILEGED_AGAIN:
        break;
    }
    retire(&op);
    return true;
}
