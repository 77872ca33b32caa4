/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a PV kernel executes as if it were in ring 0: control and debug
 * registers, MSRs, ports, CPUID.  decode.c reads the instruction.
 *
 *  1. Only for the guest's kernel mode; for its user mode as well CPUID with
 *     the forced prefix, and by its IOPL ports, CLI and STI.
 *  2. CPUID, and MSRs that are not ours (msr.c), are executed here and so
 *     answered by the hypervisor, by the domain's policy.
 */
#include "lib/errno.h"
#include "pvkern/decode.h"
#include "pvkern/guest.h"

/* PAE, MCE, OSFXSR, OSXMMEXCPT */
#define CR4_SHOWN 0x660ul

#define PORT_PCI 0xcf8u         /* a configuration address */

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

/* Its kernel is in ring 1 by its IOPL, or in ring 0 if it asked for that. */
static bool has_iopl(const struct pvk_vcpu *v)
{
    if (!v->in_kernel) {
        return v->iopl == 3;
    }
    return v->iopl >= 1 || pvk_domain()->shows_iopl;
}

/* Does the bitmap that the guest's kernel named let its user mode do that? */
static bool is_in_bitmap(const struct pvk_vcpu *v, unsigned int port,
                         unsigned int size)
{
    uint8_t byte[2] = { 0xff, 0xff };
    uint64_t at = v->io_bitmap + port / 8;

    if (port + size > v->io_ports) {
        return false;
    }
    if (!v->in_kernel) {
        write_cr3(v->kernel_cr3);
    }
    if (!guest_get(byte, at, 2) && !guest_get(byte, at, 1)) {
        byte[0] = 0xff;
    }
    if (!v->in_kernel) {
        write_cr3(v->user_cr3);
    }
    return ((unsigned int)(byte[1] << 8 | byte[0])
            & ((1u << size) - 1) << port % 8) == 0;
}

/* No port is ours to give: reads find nothing, but in that which has state. */
static bool port(struct pvk_vcpu *v, struct pvk_regs *r,
                 const struct decode_insn *i)
{
    uint64_t mask = i->size == 4 ? 0xffffffff : (1ull << (i->size * 8)) - 1;
    unsigned int number = i->has_port ? i->port : (uint16_t)r->rdx;
    bool is_pci = number == PORT_PCI && i->size == 4;

    if (!has_iopl(v) && !is_in_bitmap(v, number, i->size)) {
        return false;
    }
    if (i->kind == DECODE_IN) {
        r->rax = is_pci ? pvk_domain()->pci_address
                 : i->size == 4 ? mask : r->rax | mask;
    } else if (is_pci) {
        pvk_domain()->pci_address = (uint32_t)r->rax;
    }
    return true;
}

static bool run_move(struct pvk_vcpu *v, struct pvk_regs *r,
                     const struct decode_insn *i)
{
    uint64_t *to = gpr(r, i->reg);
    long value;

    switch (i->kind) {
    case DECODE_READ_CR:
        return read_cr(v, i->number, to);
    case DECODE_WRITE_CR:
        return write_cr(v, i->number, *to);
    case DECODE_READ_DR:
        value = hypercall_get_debugreg(v, i->number);
        if (value == -ENODEV) {
            return false;
        }
        *to = (uint64_t)value;
        return true;
    default:
        return hypercall_set_debugreg(v, i->number, *to) == 0;
    }
}

static bool run(struct pvk_vcpu *v, struct pvk_regs *r,
                const struct decode_insn *i)
{
    uint64_t value;

    switch (i->kind) {
    case DECODE_READ_CR:
    case DECODE_WRITE_CR:
    case DECODE_READ_DR:
    case DECODE_WRITE_DR:
        return run_move(v, r, i);
    case DECODE_CLTS:
        __asm__ volatile("clts");
        return true;
    case DECODE_RDMSR:
        if (!msr_of_guest((uint32_t)r->rcx, &value)) {
            return false;
        }
        r->rax = (uint32_t)value;
        r->rdx = value >> 32;
        return true;
    case DECODE_WRMSR:
        return msr_by_guest((uint32_t)r->rcx,
                            r->rdx << 32 | (uint32_t)r->rax);
    case DECODE_XSETBV:
        return xcr_set((uint32_t)r->rcx, r->rdx << 32 | (uint32_t)r->rax);
    case DECODE_CPUID:
        run_cpuid(v, r, i->is_forced);
        return true;
    case DECODE_FLAG:
        return has_iopl(v);     /* and has no effect */
    case DECODE_NOTHING:
        return true;
    case DECODE_IN:
    case DECODE_OUT:
        return port(v, r, i);
    case DECODE_RDTSC:          /* by CR4.TSD: the kernel may all the same */
        value = rdtsc();
        r->rax = (uint32_t)value;
        r->rdx = value >> 32;
        return true;
    default:
        return false;
    }
}

/* As many bytes as can be read at 'rip'. */
static size_t fetch(uint64_t rip, uint8_t *bytes)
{
    size_t first = PAGE_BYTES - (rip & (PAGE_BYTES - 1));

    if (first > DECODE_BYTES) {
        first = DECODE_BYTES;
    }
    if (!guest_get(bytes, rip, first)) {
        return 0;
    }
    if (first < DECODE_BYTES
        && guest_get(bytes + first, rip + first, DECODE_BYTES - first)) {
        return DECODE_BYTES;
    }
    return first;
}

static bool is_for_user(unsigned int kind)
{
    return kind == DECODE_CPUID || kind == DECODE_IN || kind == DECODE_OUT
           || kind == DECODE_FLAG;
}

bool privileged_emulate(struct pvk_vcpu *v, struct pvk_regs *r,
                        unsigned int vector)
{
    uint8_t bytes[DECODE_BYTES];
    struct decode_insn insn;
    size_t count = fetch(r->rip, bytes);

    if (!decode(bytes, count, &insn)) {
        return false;
    }
    /* #UD is for the prefix only. */
    if (insn.is_forced != (vector == VECTOR_UD)) {
        return false;
    }
    if (!v->in_kernel && !is_for_user(insn.kind)) {
        return false;
    }
    if (!run(v, r, &insn)) {
        return false;
    }
    r->rip += insn.length;
    return true;
}
