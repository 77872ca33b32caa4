/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a guest's exits mean, whatever the vendor: called by the vendor's
 * decoder, see hvm.h for the rules.  Talks to cpuid.c, msr.c, mmio.c, vpci.c,
 * core's hypercall table and the p2m.
 *
 *  1. Dom0 sees the host's devices by identity: a nested page fault on
 *     device memory maps its page, once.
 *  2. A domain that does what cannot be answered crashes alone.
 */
#include "core/console.h"
#include "core/hypercall.h"
#include "core/p2m.h"
#include "core/perfc.h"
#include "core/sched.h"
#include "core/vcpu_op.h"
#include "cpu.h"
#include "hvm/cpuid.h"
#include "hvm/mmio.h"
#include "hvm/msr.h"
#include "hvm/pv.h"
#include "hvm/pvh_dom0.h"
#include "hvm/vioapic.h"
#include "hvm/vlapic.h"
#include "hvm/vpci.h"
#include "hvm/xstate.h"
#include "insn.h"
#include "irq.h"
#include "lib/errno.h"

#include <xen/hvm/ioreq.h>

#define FLAG_IF (1ull << 9)
#define FLAG_DF (1ull << 10)

#define PORT_PIT 0x40u
#define PIT_COUNTERS 3u
#define PORT_GPE ((uint32_t)ACPI_GPE0_BLK_ADDRESS_V1)
#define GPE_PORTS ((uint32_t)ACPI_GPE0_BLK_LEN_V1)

bool hvm_inject_gp(struct vcpu *v)
{
    hvm_ops->inject_exception(v, HVM_VECTOR_GP, 0, 0);
    return false;
}

bool hvm_inject_ud(struct vcpu *v)
{
    hvm_ops->inject_exception(v, HVM_VECTOR_UD, HVM_NO_ERROR, 0);
    return false;
}

bool hvm_exit_cpuid(struct vcpu *v)
{
    uint64_t *gpr = v->arch->regs.gpr;
    uint32_t out[4];

    perfc_count(PERFC_EXIT_CPUID);
    cpuid_read(v, (uint32_t)gpr[HVM_RAX], (uint32_t)gpr[HVM_RCX], out);
    gpr[HVM_RAX] = out[0];
    gpr[HVM_RBX] = out[1];
    gpr[HVM_RCX] = out[2];
    gpr[HVM_RDX] = out[3];
    return true;
}

bool hvm_exit_rdmsr(struct vcpu *v)
{
    uint64_t *gpr = v->arch->regs.gpr;
    uint64_t value = 0;

    perfc_count(PERFC_EXIT_MSR);
    if (msr_read(v, (uint32_t)gpr[HVM_RCX], &value) != 0) {
        console_guest_log(LOG_DEBUG, v->domain, "v%u: rdmsr %lx: #GP",
                          v->id, gpr[HVM_RCX] & 0xffffffff);
        return hvm_inject_gp(v);
    }
    gpr[HVM_RAX] = (uint32_t)value;
    gpr[HVM_RDX] = value >> 32;
    return true;
}

bool hvm_exit_wrmsr(struct vcpu *v)
{
    uint64_t *gpr = v->arch->regs.gpr;
    uint64_t value = gpr[HVM_RDX] << 32 | (uint32_t)gpr[HVM_RAX];

    perfc_count(PERFC_EXIT_MSR);
    if (msr_write(v, (uint32_t)gpr[HVM_RCX], value) != 0) {
        console_guest_log(LOG_DEBUG, v->domain, "v%u: wrmsr %lx = %lx: #GP",
                          v->id, gpr[HVM_RCX] & 0xffffffff, value);
        return hvm_inject_gp(v);
    }
    return true;
}

/* The part of 'reg' that an instruction with 'size' bytes of address sets. */
static void set_address(uint64_t *reg, unsigned int size, uint64_t value)
{
    if (size == 2) {
        *reg = (*reg & ~0xffffull) | (value & 0xffff);
    } else {
        *reg = size == 4 ? (uint32_t)value : value;
    }
}

/*
 * OUTS to a port that nothing listens to: the registers move, nothing is read.
 * A kernel that was not entered as PVH (after kexec) logs so to port 0xe9.
 */
static void skip_outs(struct vcpu *v, const struct hvm_port_access *a)
{
    uint64_t *gpr = v->arch->regs.gpr;
    uint64_t count = 1, bytes;

    if (a->is_repeated) {
        count = a->address_size == 8 ? gpr[HVM_RCX]
              : gpr[HVM_RCX] & ((1ull << (a->address_size * 8)) - 1);
        set_address(&gpr[HVM_RCX], a->address_size, 0);
    }
    bytes = count * a->size;
    set_address(&gpr[HVM_RSI], a->address_size,
                v->arch->regs.rflags & FLAG_DF ? gpr[HVM_RSI] - bytes
                                               : gpr[HVM_RSI] + bytes);
}

static bool exit_string_io(struct vcpu *v, const struct hvm_port_access *a)
{
    if (a->is_in) {
        /* Nothing that we hide has a string to give. */
        return hvm_inject_gp(v);
    }
    skip_outs(v, a);
    return true;
}

/*
 * What a port without a device reads as: all ones, where Linux does not come
 * to harm of it.
 */
static uint32_t absent_port(const struct vcpu *v, uint32_t port)
{
    if (port - PORT_PIT < PIT_COUNTERS) {
        /* A counter that stands at 0: Linux polls ones 100000 times. */
        return 0;
    }
    if (v->domain->arch->vpci == NULL && port - PORT_GPE < GPE_PORTS) {
        /*
         * The status of events in libxl's ACPI tables: none.  At that of a
         * new CPU their code enables 128 of them in a table of the present
         * ones, and so goes over the other tables, the root's pointer too.
         */
        return 0;
    }
    return 0xffffffff;
}

bool hvm_exit_io(struct vcpu *v, const struct hvm_port_access *a)
{
    uint64_t *rax = &v->arch->regs.gpr[HVM_RAX];
    uint64_t mask = a->size >= 4 ? 0xffffffff : (1ull << (a->size * 8)) - 1;
    uint32_t value = a->is_in ? absent_port(v, a->port)
                              : (uint32_t)(*rax & mask);

    perfc_count(PERFC_EXIT_IO);
    if (a->is_string) {
        return exit_string_io(v, a);
    }
    if (v->domain->arch->vpci != NULL && a->port - 0xcf8u < 8) {
        vpci_port(v, a->port, a->size, a->is_in, &value);
    }
    if (a->is_in) {
        *rax = a->size == 4 ? value : (*rax & ~mask) | (value & mask);
    }
    return true;
}

bool hvm_exit_hlt(struct vcpu *v)
{
    perfc_count(PERFC_EXIT_HLT);
    if (!(v->arch->regs.rflags & FLAG_IF)) {
        /* For ever, or until INIT and SIPI: how Linux powers off. */
        if (!hvm_is_roused(v)) {
            (void)vcpu_op_down(v);
        }
    } else if (!arch_vcpu_has_pending(v)) {
        vcpu_block(v);
    }
    return true;
}

/* Of a hypercall, before the loop comes round: 2.5 ms. */
#define PARTS_AT_ONCE 64u

/*
 * Between two parts of a long hypercall: is there anything for the CPU's loop
 * to do?  If not, the guest need not execute its instruction again.
 */
static bool others_wait(void)
{
    irq_window();
    return this_cpu()->has_work || sched_must_look();
}

/* From user mode, or from code that is not 64-bit. */
static bool refuse_hypercall(struct vcpu *v, unsigned int cpl)
{
    uint64_t *rax = &v->arch->regs.gpr[HVM_RAX];

    if (cpl == 0) {
        *rax = (uint32_t)-ENOSYS;
    } else if (is_pv(v->domain)) {
        return hvm_inject_ud(v);
    } else {
        *rax = (uint64_t)-EPERM;
    }
    return true;
}

/* Its first part is done, and was not all. */
static __attribute__((noinline)) bool go_on(struct vcpu *v)
{
    uint64_t *rax = &v->arch->regs.gpr[HVM_RAX];

    for (unsigned int n = 1; n < PARTS_AT_ONCE && !others_wait(); n++) {
        if (hypercall(v, *rax, rax)) {
            return true;
        }
    }
    return false;
}

/* By a PV guest's personality. */
static bool pv_hypercall(struct vcpu *v)
{
    uint64_t *rax = &v->arch->regs.gpr[HVM_RAX];
    uint64_t nr = *rax;

    if (nr == PVK_CALL) {
        return pv_exit_call(v);
    }
    if (!hypercall(v, nr, rax) && !go_on(v)) {
        return false;
    }
    pv_at_call(v);
    return true;
}

bool hvm_exit_hypercall(struct vcpu *v, unsigned int cpl, bool is_64bit)
{
    uint64_t *rax = &v->arch->regs.gpr[HVM_RAX];

    perfc_count(PERFC_EXIT_HYPERCALL);
    if (cpl != 0 || !is_64bit) {
        return refuse_hypercall(v, cpl);
    }
    if (v->arch->pv != NULL) {
        return pv_hypercall(v);
    }
    return hypercall(v, *rax, rax) || go_on(v);
}

/* QEMU asks before it looks for #UD and #GP itself. */
bool hvm_exit_xsetbv(struct vcpu *v, unsigned int cpl)
{
    const uint64_t *gpr = v->arch->regs.gpr;
    uint64_t value = gpr[HVM_RDX] << 32 | (uint32_t)gpr[HVM_RAX];
    uint64_t allowed = xstate_allowed(v->domain);
    struct hvm_paging p;

    perfc_count(PERFC_EXIT_OTHER);
    hvm_ops->get_paging(v, &p);
    if (allowed == 0 || !(p.cr4 & CR4_OSXSAVE)) {
        return hvm_inject_ud(v);
    }
    if (cpl != 0 || (uint32_t)gpr[HVM_RCX] != 0
        || !xstate_is_valid(value, allowed)) {
        return hvm_inject_gp(v);
    }
    v->arch->xcr0 = value;
    v->arch->xcr0_seen |= value;
    xsetbv(0, value);
    return true;
}

/* QEMU since 8 asks before it looks for #GP. */
bool hvm_exit_caches(struct vcpu *v, unsigned int cpl)
{
    perfc_count(PERFC_EXIT_OTHER);
    return cpl == 0 || hvm_inject_gp(v);
}

bool hvm_exit_undefined(struct vcpu *v)
{
    return hvm_inject_ud(v);
}

/* Does the p2m allow by now what faulted?  Then the fault is stale. */
static bool is_stale(enum p2m_type type, uint32_t error)
{
    switch (type) {
    case P2M_RAM_RW:
    case P2M_SHARED:
    case P2M_MMIO:
    case P2M_FOREIGN:
    case P2M_GRANT_RW:
    case P2M_WINDOW:
        return !(error & HVM_NPF_FETCH) || type == P2M_RAM_RW;
    case P2M_RAM_RO:
    case P2M_FOREIGN_RO:
    case P2M_GRANT_RO:
        return !(error & (HVM_NPF_WRITE | HVM_NPF_FETCH))
               || (type == P2M_RAM_RO && !(error & HVM_NPF_WRITE));
    default:
        return false;
    }
}

/* Dom0 touches the host's device memory: true if it is mapped now. */
static bool map_device(struct vcpu *v, uint64_t gpa)
{
    uint64_t frame = gpa >> PAGE_SHIFT;
    int rc;

    if (v->domain != dom0 || !pvh_dom0_is_device(gpa)) {
        return false;
    }
    rc = p2m_set(v->domain, gfn(frame), mfn(frame), 0, P2M_MMIO);
    if (rc != 0) {
        console_log(LOG_ERROR, "dom0: device page %lx not mapped: %d", frame,
                    rc);
        domain_crash(v->domain, "no memory to map a device page");
    }
    return true;
}

void hvm_exit_npf(struct vcpu *v, uint64_t gpa, uint32_t error)
{
    const struct mmio_device *device;
    enum p2m_type type;

    perfc_count(PERFC_EXIT_NPF);
    device = is_pv(v->domain) ? NULL : mmio_find(v, gpa);
    if (device == NULL) {
        (void)p2m_lookup(v->domain, gfn(gpa >> PAGE_SHIFT), &type);
        if (is_stale(type, error)) {
            return;
        }
        if (is_pv(v->domain)) {
            pv_exit_npf(v, gpa);
            return;
        }
        if (type == P2M_INVALID && map_device(v, gpa)) {
            return;
        }
    }
    if (error & HVM_NPF_FETCH) {
        console_guest_log(LOG_ERROR, v->domain, "v%u: runs at %lx, frame "
                          "%lx", v->id, v->arch->regs.rip,
                          gpa >> PAGE_SHIFT);
        (void)hvm_inject_gp(v);
        return;
    }
    mmio_emulate(v, device, gpa, (error & HVM_NPF_WRITE) != 0);
}

static void show_registers(struct vcpu *v)
{
    const struct hvm_regs *r = &v->arch->regs;
    struct hvm_state s;

    hvm_ops->get_state(v, &s);
    console_guest_log(LOG_ERROR, v->domain, "v%u rip %04x:%lx flags %lx rsp "
                      "%lx", v->id, s.segment[HVM_CS].selector, r->rip,
                      r->rflags, r->gpr[HVM_RSP]);
    console_guest_log(LOG_ERROR, v->domain, "cr0 %lx cr2 %lx cr3 %lx cr4 %lx "
                      "efer %lx", s.cr0, s.cr2, s.cr3, s.cr4, s.efer);
    console_guest_log(LOG_ERROR, v->domain, "rax %lx rbx %lx rcx %lx rdx %lx "
                      "rsi %lx rdi %lx", r->gpr[HVM_RAX], r->gpr[HVM_RBX],
                      r->gpr[HVM_RCX], r->gpr[HVM_RDX], r->gpr[HVM_RSI],
                      r->gpr[HVM_RDI]);
}

void hvm_exit_shutdown(struct vcpu *v)
{
    uint64_t reason
        = v->domain->hvm_params[HVM_PARAM_TRIPLE_FAULT_REASON];

    console_guest_log(LOG_ERROR, v->domain, "v%u: triple fault", v->id);
    show_registers(v);
    if (is_pv(v->domain)) {
        domain_crash(v->domain, "triple fault in ring 0");
        return;
    }
    domain_shutdown(v->domain, reason == 0 ? SHUTDOWN_reboot
                                           : (uint8_t)reason);
}

void hvm_exit_unknown(struct vcpu *v, uint64_t code, uint64_t info)
{
    console_guest_log(LOG_ERROR, v->domain, "v%u: exit %lx, info %lx", v->id,
                      code, info);
    show_registers(v);
    domain_crash(v->domain, "exit that nobody expects");
}

void vlapic_host_eoi(struct vcpu *v, unsigned int vector)
{
    vioapic_eoi(v->domain, vector);
}
