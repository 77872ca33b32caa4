/* SPDX-License-Identifier: GPL-2.0-only */
/* AMD-V: what the files of svm/ share. */
#ifndef SVM_SVM_H
#define SVM_SVM_H

#include "cpu.h"
#include "hvm/hvm.h"
#include "svm/vmcb.h"

struct svm_vcpu {
    struct vmcb *vmcb;          /* [I] */
    uint64_t vmcb_phys;         /* [I] */
    /*
     * The ASID, good while cpu and generation are those of the CPU that
     * it was taken on and flushed equals the p2m's flush generation.
     */
    struct cpu *asid_cpu;       /* [o] */
    uint64_t asid_generation;   /* [o] */
    uint64_t flushed;           /* [o] */
    /* An event whose delivery an exit cut short: to be delivered again. */
    uint32_t requeued, requeued_error; /* [o] */
    uint32_t interrupt;         /* [o] VALID and vector: not taken yet */
    union {
        struct {
            bool in_v_irq;      /* [o] it is in the control block's v_irq */
            bool wants_window;  /* [o] to exit when the next one can go in */
            bool nmi_blocked;   /* [o] from an NMI until its IRET is over */
            bool has_intercepts; /* [o] those of svm_deliver() are set */
        };
        uint32_t event_flags;   /* all four at once */
    };
    uint64_t nmi_iret;          /* [o] rip of that IRET, 0: not there yet */
    bool dr_loaded;             /* [o] DR0-3 are the guest's */
    void *fpu;                  /* [I] XSAVE or FXSAVE image */
};

/* Features of the CPUs: CPUID 8000000a. [I] */
struct svm_features {
    uint32_t asids;             /* number of, 0 included */
    bool has_next_rip;
    bool has_xsave, has_rdtscp;
    bool has_ibpb;              /* predictor.c */
    bool has_x87_pointers;      /* images always have them: see fpu.c */
    unsigned int fpu_order;     /* pages of an image: 1 << fpu_order */
    uint64_t xcr0;              /* all components that we switch */
};
extern struct svm_features svm_features;

/* Ends the boot with one line if the CPU cannot do it. Boot CPU. */
void svm_init(void);
/* Turns SVM on; each CPU, before its loop. */
void svm_init_cpu(struct cpu *cpu);

/* entry.S: runs the guest until its next exit; GIF set, IF clear after. */
void svm_world_switch(uint64_t vmcb_phys, struct hvm_regs *regs,
                      uint64_t host_vmcb_phys);
/* Where the host goes on after a #VMEXIT. */
extern const char svm_after_vmrun[];

/* exit.c: decodes the exit and has it handled. */
void svm_exit(struct vcpu *v, struct vmcb *vmcb);

/* state.c */
void svm_get_state(struct vcpu *v, struct hvm_state *s);
void svm_set_state(struct vcpu *v, const struct hvm_state *s);
void svm_get_paging(struct vcpu *v, struct hvm_paging *p);
int svm_get_msr(struct vcpu *v, uint32_t index, uint64_t *value);
int svm_set_msr(struct vcpu *v, uint32_t index, uint64_t value);

/* inject.c */
void svm_inject_exception(struct vcpu *v, unsigned int vector, int error,
                          uint64_t cr2);
bool svm_has_event(struct vcpu *v);
bool svm_can_inject(struct vcpu *v);
void svm_inject_interrupt(struct vcpu *v, unsigned int vector);
bool svm_has_interrupt(struct vcpu *v);
bool svm_can_inject_nmi(struct vcpu *v);
void svm_inject_nmi(struct vcpu *v);
bool svm_is_nmi_blocked(const struct vcpu *v);
void svm_set_window(struct vcpu *v, bool wanted);
/* The guest is about to execute an IRET. */
void svm_at_iret(struct vcpu *v);
/*
 * Takes over what the exit cut short or came before; for nothing if neither
 * svm_has_events() nor an event in exit_int_info.
 */
void svm_requeue(struct vcpu *v);
/*
 * Hands what waits to the control block: last before VMRUN; for nothing
 * without svm_has_events().
 */
void svm_deliver(struct vcpu *v);

/*
 * Is any event on its way into the guest, or the control block set up for
 * one?  Looks at what is, not at a mark that somebody could forget to set.
 */
static inline bool svm_has_events(const struct svm_vcpu *s,
                                  const struct vmcb *vmcb)
{
    return ((s->requeued | s->interrupt | vmcb->event_inject)
            & VMCB_EVENT_VALID) || s->event_flags != 0;
}

/* fpu.c */
void *svm_fpu_alloc(void);
void svm_fpu_free(void *image);
void svm_switch_from(struct vcpu *v);
void svm_switch_to(struct vcpu *v);
void svm_get_fpu(struct vcpu *v, void *image);
void svm_get_xstate(struct vcpu *v, uint64_t components, void *image);
void svm_set_xstate(struct vcpu *v, uint64_t components, const void *image);
void svm_set_fpu(struct vcpu *v, const void *image);
/* The guest touched a debug register: gives it the real ones. */
void svm_load_debug(struct vcpu *v);

/* predictor.c: 'cpu', the running one, comes to a vcpu of 'd'. */
void svm_predictor_switch(struct cpu *cpu, const struct domain *d);
/* 'd' goes: any CPU, for each 'cpu'. */
void svm_predictor_forget(struct cpu *cpu, const struct domain *d);

/* npt.c: readies the ASID; the TLB has nothing stale under it. */
void svm_asid_prepare(struct vcpu *v, struct svm_vcpu *s, struct cpu *cpu);

#endif
