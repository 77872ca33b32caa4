/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What an exit code means, in the words of hvm/exit.c (APM vol. 2,
 * appendix C).
 * 1. A handler that returns true is done with its instruction: rip moves on
 *    by next_rip, or by the instruction's length where the CPU has none.
 * 2. Exits for the host's sake (interrupt, NMI, SMI) change nothing in the
 *    guest.
 */
#include "core/console.h"
#include "core/perfc.h"
#include "insn.h"
#include "irq.h"
#include "svm/svm.h"

#define IOIO_IN 1u
#define IOIO_STRING 4u
#define IOIO_REPEATED 8u
#define IOIO_SIZE_SHIFT 4
#define IOIO_ADDRESS_SHIFT 7            /* bits for 16, 32 and 64 bits */
#define EFER_LMA 0x400
#define CS_LONG 0x200                   /* L and D of packed attributes */
#define CS_32 0x400
#define RFLAGS_TF 0x100
#define EXCEPTION_DB 1
#define EXCEPTION_AC 17
#define EXCEPTION_MC 18
#define DR6_SINGLE_STEP (1ull << 14)

static __attribute__((noinline)) void single_step(struct vcpu *v)
{
    v->arch->svm->vmcb->dr6 |= DR6_SINGLE_STEP;
    svm_inject_exception(v, EXCEPTION_DB, HVM_NO_ERROR, 0);
}

/* Instructions end at rip; an interrupt shadow ends with them. */
static inline void advance_to(struct vcpu *v, uint64_t rip)
{
    struct vmcb *vmcb = v->arch->svm->vmcb;

    if (!(vmcb->efer & EFER_LMA)) {
        rip &= 0xffffffff;
    }
    v->arch->regs.rip = rip;
    vmcb->interrupt_shadow = 0;
    if (v->arch->regs.rflags & RFLAGS_TF) {
        single_step(v);
    }
}

static inline void advance(struct vcpu *v, unsigned int length)
{
    const struct vmcb *vmcb = v->arch->svm->vmcb;

    advance_to(v, svm_features.has_next_rip && vmcb->next_rip != 0
                  ? vmcb->next_rip : v->arch->regs.rip + length);
}

static void finish(struct vcpu *v, bool done, unsigned int length)
{
    if (done) {
        advance(v, length);
    }
}

static inline bool is_64bit(const struct vmcb *vmcb)
{
    return (vmcb->efer & EFER_LMA) && (vmcb->cs.attr & CS_LONG);
}

/* In bytes.  QEMU leaves it out: then what the code segment says. */
static uint8_t address_size(const struct vmcb *vmcb, uint64_t info)
{
    unsigned int told = info >> IOIO_ADDRESS_SHIFT & 7;

    if (told != 0) {
        return (uint8_t)(told * 2);
    }
    if (is_64bit(vmcb)) {
        return 8;
    }
    return vmcb->cs.attr & CS_32 ? 4 : 2;
}

/* APM 15.10.2: exit_info1 describes the access, exit_info2 is next rip. */
static void exit_io(struct vcpu *v)
{
    const struct vmcb *vmcb = v->arch->svm->vmcb;
    uint64_t info = vmcb->exit_info1;
    uint64_t next = vmcb->exit_info2;
    struct hvm_port_access access = {
        .port = (uint16_t)(info >> 16),
        .size = info >> IOIO_SIZE_SHIFT & 7,
        .is_in = info & IOIO_IN,
        .is_string = info & IOIO_STRING,
        .is_repeated = info & IOIO_REPEATED,
        .address_size = address_size(vmcb, info),
    };

    if (hvm_exit_io(v, &access)) {
        advance_to(v, next);
    }
}

static void exit_exception(struct vcpu *v, unsigned int vector)
{
    const struct vmcb *vmcb = v->arch->svm->vmcb;

    switch (vector) {
    case EXCEPTION_DB:
        svm_inject_exception(v, vector, HVM_NO_ERROR, 0);
        break;
    case EXCEPTION_AC:
        svm_inject_exception(v, vector, (int)vmcb->exit_info1, 0);
        break;
    case EXCEPTION_MC:
        panic("machine check while a guest ran");
    default:
        hvm_exit_unknown(v, vmcb->exit_code, vmcb->exit_info1);
        break;
    }
}

static inline void exit_hypercall(struct vcpu *v, const struct vmcb *vmcb)
{
    if (hvm_exit_hypercall(v, vmcb->cpl, is_64bit(vmcb))) {
        advance(v, 3);
    }
}

static void exit_instruction(struct vcpu *v, uint64_t code)
{
    const struct vmcb *vmcb = v->arch->svm->vmcb;

    switch (code) {
    case EXIT_CPUID:
        finish(v, hvm_exit_cpuid(v), 2);
        break;
    case EXIT_MSR:
        finish(v, vmcb->exit_info1 & 1 ? hvm_exit_wrmsr(v)
                                       : hvm_exit_rdmsr(v), 2);
        break;
    case EXIT_HLT:
        finish(v, hvm_exit_hlt(v), 1);
        break;
    case EXIT_XSETBV:
        finish(v, hvm_exit_xsetbv(v, vmcb->cpl), 3);
        break;
    case EXIT_INVD:
    case EXIT_WBINVD:
        finish(v, hvm_exit_caches(v, vmcb->cpl), 2);
        break;
    case EXIT_RDPMC:
    case EXIT_INVLPGA:
    case EXIT_VMRUN:
    case EXIT_VMLOAD ... EXIT_SKINIT:
    case EXIT_MONITOR:
    case EXIT_MWAIT:
    case EXIT_MWAIT_ARMED:
    case EXIT_RDPRU:
        finish(v, hvm_exit_undefined(v), 3);
        break;
    default:
        hvm_exit_unknown(v, code, vmcb->exit_info1);
        break;
    }
}

/*
 * Seen once in QEMU 7.2: the VMCB held the host's own state after an exit, so
 * the guest's is lost.  A guest that makes its state look so ends the same.
 */
static bool lost_guest_state(const struct vmcb *vmcb)
{
    return vmcb->rip == (uint64_t)svm_after_vmrun && vmcb->cr3 == read_cr3();
}

void svm_exit(struct vcpu *v, struct vmcb *vmcb)
{
    uint64_t code = vmcb->exit_code;

    if (lost_guest_state(vmcb)) {
        console_guest_log(LOG_ERROR, v->domain, "v%u: exit %lx left the "
                          "host's state in the VMCB", v->id, code);
        domain_crash(v->domain, "the machine lost its state");
        return;
    }
    if (code == EXIT_VMMCALL) {     /* what a guest is most in a hurry for */
        exit_hypercall(v, vmcb);
        return;
    }
    if (code >= EXIT_DR_FIRST && code <= EXIT_DR_LAST) {
        svm_load_debug(v);
        return;
    }
    if (code >= EXIT_EXCEPTION && code < EXIT_EXCEPTION + 32) {
        exit_exception(v, (unsigned int)(code - EXIT_EXCEPTION));
        return;
    }
    switch (code) {
    case EXIT_INTR:
        perfc_count(PERFC_EXIT_INTERRUPT);
        irq_window();
        break;
    case EXIT_NMI:
    case EXIT_SMI:
    case EXIT_INIT:
        break;
    case EXIT_VINTR:
        perfc_count(PERFC_EXIT_WINDOW);
        svm_set_window(v, false);
        break;
    case EXIT_IRET:
        perfc_count(PERFC_EXIT_WINDOW);
        svm_at_iret(v);
        break;
    case EXIT_NPF:
        hvm_exit_npf(v, vmcb->exit_info2, (uint32_t)vmcb->exit_info1);
        break;
    case EXIT_IOIO:
        exit_io(v);
        break;
    case EXIT_SHUTDOWN:
        hvm_exit_shutdown(v);
        break;
    case EXIT_INVALID:
    case EXIT_INVALID_32:
        console_guest_log(LOG_ERROR, v->domain, "v%u: VMRUN refused: efer "
                          "%lx cr0 %lx cr3 %lx cr4 %lx cs %x rip %lx",
                          v->id, vmcb->efer, vmcb->cr0, vmcb->cr3,
                          vmcb->cr4, vmcb->cs.attr, vmcb->rip);
        hvm_exit_unknown(v, code, 0);
        break;
    default:
        exit_instruction(v, code);
        break;
    }
}
