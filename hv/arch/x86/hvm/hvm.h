/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The seam between the vendor-neutral half of hardware virtualisation (hvm/)
 * and a vendor's half (svm/): one table of operations that the vendor
 * fills, one set of exit handlers that it calls.
 *
 *   cpu_loop -> ops->enter(v) -> hvm_prepare_entry(v) -> world switch
 *            <- #VMEXIT decoded by the vendor -> hvm_exit_*(v, ...)
 *
 *  1. Between an exit and the next entry arch_vcpu.regs is the truth; the
 *     vendor copies rax, rsp, rip, rflags from and to its control block.
 *  2. A handler returns true when the instruction is done: the vendor then
 *     moves rip behind it and ends an interrupt shadow.  False: rip stays
 *     (an exception was injected, or it is executed again).
 *  3. All of it runs on the CPU that runs v, with interrupts off.
 */
#ifndef HVM_HVM_H
#define HVM_HVM_H

#include "core/arch.h"
#include "core/domain.h"
#include "core/types.h"
#include "core/vcpu.h"

/* In the order of instruction encoding: gpr[ModRM.reg]. */
enum hvm_gpr { HVM_RAX, HVM_RCX, HVM_RDX, HVM_RBX, HVM_RSP, HVM_RBP,
               HVM_RSI, HVM_RDI, HVM_R8, HVM_R9, HVM_R10, HVM_R11,
               HVM_R12, HVM_R13, HVM_R14, HVM_R15, HVM_GPR_COUNT };

struct hvm_regs {
    uint64_t gpr[HVM_GPR_COUNT];
    uint64_t rip;
    uint64_t rflags;
};

/* 'attr' is the packed form of APM 15.5.1: type s dpl p avl l db g. */
struct hvm_segment {
    uint16_t selector;
    uint16_t attr;
    uint32_t limit;
    uint64_t base;
};

#define CPL_SHIFT 5             /* in the attr of SS: its DPL is the CPL */

enum hvm_segment_name { HVM_ES, HVM_CS, HVM_SS, HVM_DS, HVM_FS, HVM_GS,
                        HVM_GDTR, HVM_LDTR, HVM_IDTR, HVM_TR,
                        HVM_SEGMENT_COUNT };

/* All state outside the general registers and the FPU. */
struct hvm_state {
    struct hvm_segment segment[HVM_SEGMENT_COUNT];
    uint64_t cr0, cr2, cr3, cr4;
    uint64_t dr6, dr7;
    uint64_t efer;              /* as the guest sees it, without SVME */
    uint64_t star, lstar, cstar, sfmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t pat;
    /*
     * An event whose delivery was cut short, to be delivered first: the form
     * of hvm_hw_cpu.pending_event, which is APM 15.20's.  0: none.
     */
    uint32_t event, event_error;
};

/* What a page walk needs. */
struct hvm_paging {
    uint64_t cr0, cr3, cr4, efer;
    unsigned int cpl;
    bool is_code64;             /* CS.L */
};

#define HVM_VECTOR_DB 1
#define HVM_VECTOR_NMI 2
#define HVM_VECTOR_UD 6
#define HVM_VECTOR_GP 13
#define HVM_VECTOR_PF 14
#define HVM_NO_ERROR (-1)

struct hvm_ops {
    const char *name;
    uint8_t hypercall_insn[3];  /* VMMCALL or VMCALL */
    int (*domain_create)(struct domain *d);
    void (*domain_destroy)(struct domain *d);
    /* Makes the control block; registers are set by set_state later. */
    int (*vcpu_create)(struct vcpu *v);
    void (*vcpu_destroy)(struct vcpu *v);
    /*
     * Prepares each entry, runs the guest and handles its exits, once at
     * least and until the CPU has_work or v cannot be entered.
     */
    void (*enter)(struct vcpu *v);
    void (*switch_from)(struct vcpu *v);
    void (*switch_to)(struct vcpu *v);
    /* 'v' is the current one or does not run. */
    void (*get_state)(struct vcpu *v, struct hvm_state *s);
    void (*set_state)(struct vcpu *v, const struct hvm_state *s);
    void (*get_paging)(struct vcpu *v, struct hvm_paging *p);
    /*
     * Events for the next entry.  'error' is HVM_NO_ERROR or the code; 'cr2'
     * counts for #PF only.
     */
    void (*inject_exception)(struct vcpu *v, unsigned int vector, int error,
                             uint64_t cr2);
    /* False while IF=0, in an interrupt shadow, or an event is queued. */
    bool (*can_inject)(struct vcpu *v);
    /* Without can_inject(), it waits until the guest can take it. */
    void (*inject_interrupt)(struct vcpu *v, unsigned int vector);
    /* Is one injected that the guest did not take yet? */
    bool (*has_interrupt)(struct vcpu *v);
    /* As for interrupts, but IF does not matter; NMI blocking does. */
    bool (*can_inject_nmi)(struct vcpu *v);
    void (*inject_nmi)(struct vcpu *v);
    /* Is one being handled, so that the next has to wait for its end? */
    bool (*is_nmi_blocked)(const struct vcpu *v);
    /* Did the last exit cut an event's delivery short? */
    bool (*has_event)(struct vcpu *v);
    /* Exit as soon as can_inject() would be true (or no more). */
    void (*set_window)(struct vcpu *v, bool wanted);
    /* MSRs that live in the control block: EFER, PAT, STAR... 0, -EINVAL. */
    int (*get_msr)(struct vcpu *v, uint32_t index, uint64_t *value);
    int (*set_msr)(struct vcpu *v, uint32_t index, uint64_t value);
    void (*set_tsc_offset)(struct vcpu *v, uint64_t offset);
    /* FXSAVE image: 512 bytes.  'v' does not run.  All else stays. */
    void (*get_fpu)(struct vcpu *v, void *image);
    void (*set_fpu)(struct vcpu *v, const void *image);
    /*
     * XSAVE image in the standard format, xstate_size(components) bytes; one
     * to write is zeroed, one to read has been checked.
     */
    void (*get_xstate)(struct vcpu *v, uint64_t components, void *image);
    void (*set_xstate)(struct vcpu *v, uint64_t components,
                       const void *image);
};

/* Set by the vendor's init at boot. */
extern const struct hvm_ops *hvm_ops;

struct vlapic;
struct vioapic;
struct vpci;
struct svm_vcpu;
struct svm_domain;
struct pv_vcpu;
struct pv_domain;

struct arch_vcpu {
    struct hvm_regs regs;           /* [o] */
    struct svm_vcpu *svm;           /* [m] vendor's half */
    struct vlapic *vlapic;          /* [I] */
    struct pv_vcpu *pv;             /* [I] NULL: not a PV guest's */
    bool flush_pending;             /* [a] PV: translations are stale */
    uint64_t tsc_aux;               /* [o] switch_to loads it */
    uint64_t dr[4];                 /* [o] DR0-3 while not loaded */
    uint64_t tsc_offset;            /* [o] guest TSC - host TSC */
    uint64_t xcr0;                  /* [o] switch_to loads it */
    uint64_t xcr0_seen;             /* [o] all bits that were ever set */
    uint8_t upcall_vector;          /* [a] 0: the domain's callback */
    uint8_t cr8;                    /* [o] follows the APIC's TPR and back */
    bool nmi_pending;               /* [a] */
    uint32_t mtrr_def_type;         /* [o] */
    uint64_t mtrr_fixed[11];        /* [o] */
    uint64_t mtrr_var[16];          /* [o] base, mask pairs */
    uint64_t misc_enable;           /* [o] */
    uint64_t debugctl;              /* [o] */
};

struct cpuid_policy {
    unsigned int count;
    xen_cpuid_leaf_t leaf[CPU_POLICY_MAX_LEAVES];
};

struct arch_domain {
    struct svm_domain *svm;         /* [m] vendor's half */
    struct pv_domain *pv;           /* [I] NULL: not a PV guest */
    /*
     * 3 pages, a bit per port, 1: exit (APM 15.10.1).  NULL: every port
     * exits.  [I]
     */
    uint8_t *io_bitmap;
    struct cpuid_policy *policy;    /* [d] until first entry, then [I] */
    struct vioapic *vioapic;        /* [I] dom0 only */
    struct vpci *vpci;              /* [I] dom0 only */
    uint8_t callback_vector;        /* [a] HVM_PARAM_CALLBACK_IRQ, 0 none */
    uint32_t callback_type;         /* [d] HVM_PARAM_CALLBACK_TYPE_* */
};

/* ---- exit handlers: true when the instruction is done ---- */

bool hvm_exit_cpuid(struct vcpu *v);
bool hvm_exit_rdmsr(struct vcpu *v);
bool hvm_exit_wrmsr(struct vcpu *v);

/* IN, OUT, INS, OUTS. */
struct hvm_port_access {
    uint16_t port;
    uint8_t size;                   /* bytes: 1, 2, 4 */
    bool is_in;
    bool is_string;
    /* Of a string: REP, and bytes of its registers that count: 2, 4, 8. */
    bool is_repeated;
    uint8_t address_size;
};

bool hvm_exit_io(struct vcpu *v, const struct hvm_port_access *access);
bool hvm_exit_hlt(struct vcpu *v);
/* VMMCALL, VMCALL at 'cpl'; 'is_64bit': from 64-bit code. */
bool hvm_exit_hypercall(struct vcpu *v, unsigned int cpl, bool is_64bit);
bool hvm_exit_xsetbv(struct vcpu *v, unsigned int cpl);
/* INVD and WBINVD at 'cpl', which do nothing: memory is coherent. */
bool hvm_exit_caches(struct vcpu *v, unsigned int cpl);
/* SVM instructions, RDPMC when hidden: #UD. */
bool hvm_exit_undefined(struct vcpu *v);

#define HVM_NPF_PRESENT 1u
#define HVM_NPF_WRITE 2u
#define HVM_NPF_FETCH 16u
/* Nested page fault at 'gpa'. */
void hvm_exit_npf(struct vcpu *v, uint64_t gpa, uint32_t error);
/* Triple fault, shutdown. */
void hvm_exit_shutdown(struct vcpu *v);
/* An exit that nobody expects: 'code', 'info' are the vendor's. */
void hvm_exit_unknown(struct vcpu *v, uint64_t code, uint64_t info);

/* ---- for the vendor's half ---- */

/*
 * The last thing before the world switch: takes INIT/SIPI, chooses and
 * injects events, asks for a window.  False: do not enter, schedule (v went
 * down or its domain crashed).
 */
bool hvm_prepare_entry(struct vcpu *v);
/* Is there what ends a halt with interrupts off: an NMI or INIT? */
bool hvm_is_roused(const struct vcpu *v);

/* ---- helpers ---- */

/* 'v' has something to look at: wakes it, or makes it leave the guest. */
void hvm_kick(struct vcpu *v);
/* #GP(0) and the like; always false, to be returned by a handler. */
bool hvm_inject_gp(struct vcpu *v);
bool hvm_inject_ud(struct vcpu *v);
/* The general registers, rip and rflags, in the ABI's form. */
void hvm_regs_to_user(const struct hvm_regs *r, struct cpu_user_regs *u);
void hvm_regs_from_user(const struct cpu_user_regs *u, struct hvm_regs *r);
/* Sets 'v' to the state after INIT and 'entry' page (SIPI): CS = entry<<8. */
void hvm_vcpu_reset(struct vcpu *v, uint8_t sipi_vector);

/* Of 48 bits: those above repeat bit 47. */
static inline bool hvm_is_canonical(uint64_t va)
{
    return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

static inline bool hvm_is_long_mode(const struct hvm_paging *p)
{
    return (p->efer & (1u << 10)) != 0;
}

#endif
