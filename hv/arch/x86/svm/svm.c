/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * AMD-V (APM vol. 2, chapter 15): finds it, turns it on, makes control
 * blocks and enters guests. Fills the one table, hvm_ops.
 * 1. Every exit goes through svm_exit() on the CPU that ran the guest.
 * 2. guest_domain of the CPU is set before the flush generation is read and
 *    cleared after the exit (see npt.c for the other side).
 */
#include "core/console.h"
#include "core/p2m.h"
#include "core/page_alloc.h"
#include "hvm/xstate.h"
#include "insn.h"
#include "lib/atomic.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "mmu.h"
#include "svm/svm.h"

#include "core/kmem.h"

#define MSR_EFER 0xc0000080
#define EFER_SVME (1ull << 12)
#define MSR_VM_CR 0xc0010114
#define VM_CR_SVMDIS 0x10
#define MSR_VM_HSAVE_PA 0xc0010117
#define CPUID_SIZES 0x80000008
#define CPUID_SVM 0x8000000a
#define CPUID_SVM_NPT 1u
#define CPUID_SVM_NEXT_RIP (1u << 3)
#define MSRPM_ORDER 1
#define IOPM_ORDER 2

#define SIZES_EBX_IBPB (1u << 12)
/* x87, SSE, AVX, AVX-512, PKRU. */
#define XCR0_SWITCHED 0x2e7ull

#define EXCEPTION_DB 1
#define EXCEPTION_AC 17
#define EXCEPTION_MC 18

#define INTERCEPT1 (VMCB_INTR | VMCB_NMI | VMCB_SMI | VMCB_INIT         \
                    | VMCB_RDPMC | VMCB_CPUID | VMCB_INVD | VMCB_HLT    \
                    | VMCB_INVLPGA | VMCB_IOIO | VMCB_MSR | VMCB_SHUTDOWN)
#define INTERCEPT2 (VMCB_VMRUN | VMCB_VMMCALL | VMCB_VMLOAD             \
                    | VMCB_VMSAVE | VMCB_STGI | VMCB_CLGI | VMCB_SKINIT \
                    | VMCB_WBINVD | VMCB_MONITOR | VMCB_MWAIT           \
                    | VMCB_XSETBV | VMCB_RDPRU)

struct svm_features svm_features;

static uint8_t *msr_bitmap;     /* one for all: 2 bits an MSR, 1 exits */
static uint8_t *io_bitmap_all;  /* every port exits */

/* Base of each range of MSRs and its place in the map: APM 15.11. */
static void msr_allow(uint32_t msr)
{
    uint32_t bit = msr >= 0xc0010000 ? 0x8000 + (msr - 0xc0010000) * 2
                 : msr >= 0xc0000000 ? 0x4000 + (msr - 0xc0000000) * 2
                 : msr * 2;

    msr_bitmap[bit / 8] &= (uint8_t)~(3u << (bit % 8));
}

static void make_bitmaps(void)
{
    /* MSRs that are in the control block or that VMLOAD switches. */
    static const uint32_t allowed[] = {
        0x174, 0x175, 0x176, 0xc0000081, 0xc0000082, 0xc0000083,
        0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102,
    };

    msr_bitmap = page_alloc_core(MSRPM_ORDER);
    io_bitmap_all = page_alloc_core(IOPM_ORDER);
    if (msr_bitmap == NULL || io_bitmap_all == NULL) {
        panic("no memory for the permission maps");
    }
    memset(msr_bitmap, 0xff, PAGE_SIZE << MSRPM_ORDER);
    memset(io_bitmap_all, 0xff, PAGE_SIZE << IOPM_ORDER);
    for (unsigned int i = 0; i < ARRAY_SIZE(allowed); i++) {
        msr_allow(allowed[i]);
    }
}

void svm_init_cpu(struct cpu *cpu)
{
    void *save = page_alloc_core(0);
    void *host = page_alloc_core(0);

    if (save == NULL || host == NULL) {
        panic("no memory for CPU %u's host state", cpu->id);
    }
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SVME);
    wrmsr(MSR_VM_HSAVE_PA, mmu_phys(save));
    cpu->host_save = arch_virt_to_mfn(save);
    cpu->host_vmcb_phys = mmu_phys(host);
    cpu->asid_next = 1;
    cpu->asid_generation = 1;
    __asm__ volatile("vmsave %0" :: "a" (mmu_phys(host)) : "memory");
}

static uint8_t *domain_io_bitmap(const struct domain *d)
{
    return d->arch->io_bitmap != NULL ? d->arch->io_bitmap : io_bitmap_all;
}

static void vmcb_init(struct vcpu *v, struct vmcb *vmcb)
{
    vmcb->intercept1 = INTERCEPT1;
    vmcb->intercept2 = INTERCEPT2;
    vmcb->intercept_dr_read = 0xffff;
    vmcb->intercept_dr_write = 0xffff;
    /* #DB and #AC: a guest must not loop in their delivery for ever. */
    vmcb->intercept_exceptions = 1u << EXCEPTION_DB | 1u << EXCEPTION_AC
                                 | 1u << EXCEPTION_MC;
    vmcb->iopm = mmu_phys(domain_io_bitmap(v->domain));
    vmcb->msrpm = mmu_phys(msr_bitmap);
    vmcb->v_masking = VMCB_V_MASKING;
    vmcb->nested_control = VMCB_NESTED_PAGING;
    vmcb->nested_cr3 = p2m_root(v->domain).v << PAGE_SHIFT;
    vmcb->efer = EFER_SVME;
    vmcb->cr0 = 0x10;
    vmcb->dr6 = 0xffff0ff0;
    vmcb->dr7 = 0x400;
    vmcb->rflags = 2;
    vmcb->pat = 0x0007040600070406ull;
}

static int vcpu_create_(struct vcpu *v)
{
    struct svm_vcpu *s = kmem_alloc(sizeof(*s));

    if (s == NULL) {
        return -ENOMEM;
    }
    s->vmcb = page_alloc_core(0);
    s->fpu = svm_fpu_alloc();
    if (s->vmcb == NULL || s->fpu == NULL) {
        if (s->vmcb != NULL) {
            page_free_core(s->vmcb, 0);
        }
        svm_fpu_free(s->fpu);
        kmem_free(s);
        return -ENOMEM;
    }
    s->vmcb_phys = mmu_phys(s->vmcb);
    vmcb_init(v, s->vmcb);
    v->arch->svm = s;
    return 0;
}

/* A CPU may still hold v's FPU state, and name it or its domain: no more. */
static void forget_loaded(const struct vcpu *v)
{
    for (unsigned int i = 0; i < arch_cpu_count(); i++) {
        struct vcpu *expected = (struct vcpu *)(uintptr_t)v;

        __atomic_compare_exchange_n(&cpus[i]->loaded, &expected, NULL, false,
                                    __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
        svm_predictor_forget(cpus[i], v->domain);
    }
}

static void vcpu_destroy_(struct vcpu *v)
{
    struct svm_vcpu *s = v->arch == NULL ? NULL : v->arch->svm;

    if (s == NULL) {
        return;
    }
    forget_loaded(v);
    v->arch->svm = NULL;
    page_free_core(s->vmcb, 0);
    svm_fpu_free(s->fpu);
    kmem_free(s);
}

static int domain_create_(struct domain *d)
{
    (void)d;
    return 0;
}

static void domain_destroy_(struct domain *d)
{
    (void)d;
}

static void set_tsc_offset(struct vcpu *v, uint64_t offset)
{
    v->arch->svm->vmcb->tsc_offset = offset;
}

static void regs_to_vmcb(const struct arch_vcpu *a, struct vmcb *vmcb)
{
    const struct hvm_regs *regs = &a->regs;

    vmcb->rax = regs->gpr[HVM_RAX];
    vmcb->rsp = regs->gpr[HVM_RSP];
    vmcb->rip = regs->rip;
    vmcb->rflags = regs->rflags | 2;
    vmcb->v_tpr = a->cr8;
}

static void regs_from_vmcb(struct arch_vcpu *a, const struct vmcb *vmcb)
{
    struct hvm_regs *regs = &a->regs;

    regs->gpr[HVM_RAX] = vmcb->rax;
    regs->gpr[HVM_RSP] = vmcb->rsp;
    regs->rip = vmcb->rip;
    regs->rflags = vmcb->rflags;
    a->cr8 = vmcb->v_tpr & 15;
}

/*
 * One run until the next exit.  The barrier of npt.c is the exchange.
 * Afterwards a release is enough: who still sees the domain kicks and waits in
 * vain, but not for long.
 */
static inline void run(struct vcpu *v, struct cpu *cpu, struct arch_vcpu *a,
                       struct svm_vcpu *s, struct vmcb *vmcb)
{
    bool has_events = svm_has_events(s, vmcb);

    if (has_events) {
        svm_deliver(v);
    }
    regs_to_vmcb(a, vmcb);
    (void)__atomic_exchange_n(&cpu->guest_domain, v->domain,
                              __ATOMIC_SEQ_CST);
    svm_asid_prepare(v, s, cpu);
    svm_world_switch(s->vmcb_phys, &a->regs, cpu->host_vmcb_phys);
    __atomic_store_n(&cpu->entries, cpu->entries + 1, __ATOMIC_RELAXED);
    __atomic_store_n(&cpu->guest_domain, NULL, __ATOMIC_RELEASE);
    regs_from_vmcb(a, vmcb);
    v->exits++;
    if (has_events || (vmcb->exit_int_info & VMCB_EVENT_VALID)) {
        svm_requeue(v);
    }
}

static void enter(struct vcpu *v)
{
    struct cpu *cpu = this_cpu();
    struct arch_vcpu *a = v->arch;
    struct svm_vcpu *s = a->svm;
    struct vmcb *vmcb = s->vmcb;

    while (hvm_prepare_entry(v)) {
        run(v, cpu, a, s, vmcb);
        svm_exit(v, vmcb);
        if (cpu->has_work) {
            break;
        }
    }
}

static const struct hvm_ops ops = {
    .name = "SVM",
    .hypercall_insn = { 0x0f, 0x01, 0xd9 },
    .domain_create = domain_create_,
    .domain_destroy = domain_destroy_,
    .vcpu_create = vcpu_create_,
    .vcpu_destroy = vcpu_destroy_,
    .enter = enter,
    .switch_from = svm_switch_from,
    .switch_to = svm_switch_to,
    .get_state = svm_get_state,
    .set_state = svm_set_state,
    .get_paging = svm_get_paging,
    .inject_exception = svm_inject_exception,
    .has_event = svm_has_event,
    .can_inject = svm_can_inject,
    .inject_interrupt = svm_inject_interrupt,
    .has_interrupt = svm_has_interrupt,
    .can_inject_nmi = svm_can_inject_nmi,
    .inject_nmi = svm_inject_nmi,
    .is_nmi_blocked = svm_is_nmi_blocked,
    .set_window = svm_set_window,
    .get_msr = svm_get_msr,
    .set_msr = svm_set_msr,
    .set_tsc_offset = set_tsc_offset,
    .get_fpu = svm_get_fpu,
    .set_fpu = svm_set_fpu,
    .get_xstate = svm_get_xstate,
    .set_xstate = svm_set_xstate,
};

static void read_features(void)
{
    uint32_t sizes = cpuid(0x80000000, 0).eax >= CPUID_SIZES
                     ? cpuid(CPUID_SIZES, 0).ebx : 0;
    struct cpuid xsave;

    svm_features.has_xsave = cpuid(1, 0).ecx >> 26 & 1;
    svm_features.has_rdtscp = cpuid(0x80000001, 0).edx >> 27 & 1;
    svm_features.has_x87_pointers = sizes >> 2 & 1;
    svm_features.has_ibpb = sizes & SIZES_EBX_IBPB;
    if (!svm_features.has_xsave) {
        return;
    }
    xsave = cpuid(0xd, 0);
    svm_features.xcr0 = ((uint64_t)xsave.edx << 32 | xsave.eax)
                        & XCR0_SWITCHED;
    while (PAGE_SIZE << svm_features.fpu_order < xsave.ecx) {
        svm_features.fpu_order++;
    }
}

static _Noreturn void refuse(const char *what)
{
    panic("Gantry needs AMD-V (SVM) with nested paging: this CPU has %s",
          what);
}

void svm_init(void)
{
    struct cpuid svm;

    if (cpuid(0x80000000, 0).eax < CPUID_SVM
        || !(cpuid(0x80000001, 0).ecx & 4)) {
        refuse("no SVM");
    }
    if (rdmsr(MSR_VM_CR) & VM_CR_SVMDIS) {
        refuse("SVM switched off by its firmware");
    }
    svm = cpuid(CPUID_SVM, 0);
    if (!(svm.edx & CPUID_SVM_NPT)) {
        refuse("SVM without nested paging");
    }
    if (svm.ebx < 2) {
        refuse("no address space identifiers");
    }
    svm_features.asids = svm.ebx;
    svm_features.has_next_rip = svm.edx & CPUID_SVM_NEXT_RIP;
    read_features();
    xstate_init();
    make_bitmaps();
    hvm_ops = &ops;
    console_log(LOG_INFO, "SVM: %u ASIDs, nested paging%s%s%s",
                svm_features.asids,
                svm_features.has_next_rip ? ", next rip" : "",
                svm_features.has_xsave ? ", xsave" : "",
                svm_features.has_ibpb ? ", ibpb" : "");
}
