/* SPDX-License-Identifier: GPL-2.0-only */
/* A vcpu's local APIC: xAPIC registers in memory and x2APIC MSRs. */
#ifndef HVM_VLAPIC_H
#define HVM_VLAPIC_H

#include "core/timer.h"
#include "hvm/hvm.h"

#define VLAPIC_BASE 0xfee00000ul
#define VLAPIC_LVT_COUNT 6      /* timer thermal perf lint0 lint1 error */

/* Delivery modes, as in ICR, MSI data and redirection entries. */
enum vlapic_mode { VLAPIC_FIXED, VLAPIC_LOWEST, VLAPIC_SMI, VLAPIC_RESERVED,
                   VLAPIC_NMI, VLAPIC_INIT, VLAPIC_STARTUP, VLAPIC_EXTINT };

struct vlapic {
    struct vcpu *vcpu;              /* [I] borrowed */
    uint32_t id;                    /* [I] APIC id */
    uint64_t base_msr;              /* [a] owner writes */
    uint32_t irr[8];                /* [a] any CPU sets */
    uint32_t tmr[8];                /* [a] level-triggered ones */
    uint32_t isr[8];                /* [o] */
    uint32_t tpr, svr, esr, dfr;    /* [o]; svr read by others */
    uint32_t esr_next;              /* [a] */
    uint32_t ldr;                   /* [o], read by others */
    uint32_t icr_low, icr_high;     /* [o] */
    uint32_t lvt[VLAPIC_LVT_COUNT]; /* [o] */
    uint32_t timer_initial;         /* [o] */
    uint32_t timer_divide;          /* [o] register value */
    uint64_t timer_start;           /* [o] ns */
    uint64_t tsc_deadline;          /* [o] */
    struct timer timer;
    bool init_pending;              /* [a] INIT not yet taken */
    uint32_t sipi;                  /* [a] 0x100 | vector: SIPI to be taken */
};

/* An interrupt message: from ICR, an IO-APIC pin or an MSI. */
struct vlapic_message {
    uint32_t dest;
    uint8_t vector;
    uint8_t mode;                   /* enum vlapic_mode */
    bool is_logical;
    bool is_level;
    bool is_broadcast;              /* all, whatever dest says */
};

/* APIC id of a vcpu: what the toolstack's MADT says. */
static inline uint32_t vlapic_id_of(unsigned int vcpu_id)
{
    return vcpu_id * 2;
}

/* 0 or -ENOMEM; state as after reset. */
int vlapic_create(struct vcpu *v);
void vlapic_destroy(struct vcpu *v);
/* After INIT: the id and the base stay. */
void vlapic_init_reset(struct vlapic *apic);

/* Makes 'vector' (16-255) pending; wakes the vcpu.  Any CPU. */
void vlapic_set_irq(struct vlapic *apic, unsigned int vector, bool level);
/* Delivers to whom the message names in 'd'; the number of targets. */
unsigned int vlapic_deliver(struct domain *d, const struct vlapic_message *m);
/* The highest pending vector above the processor's priority, or -1. */
int vlapic_pending(const struct vlapic *apic);
/* 'vector', from vlapic_pending(), goes from IRR to ISR. */
void vlapic_take(struct vlapic *apic, unsigned int vector);

bool vlapic_is_x2apic(const struct vlapic *apic);
bool vlapic_is_enabled(const struct vlapic *apic);

/* IA32_APIC_BASE: 0 or -EINVAL (#GP). */
int vlapic_set_base(struct vlapic *apic, uint64_t value);
/* The x2APIC MSRs 0x800-0x8ff: 0 or -EINVAL (#GP). */
int vlapic_rdmsr(struct vlapic *apic, uint32_t msr, uint64_t *value);
int vlapic_wrmsr(struct vlapic *apic, uint32_t msr, uint64_t value);
/* The page at VLAPIC_BASE; 'offset' below 4096. */
uint32_t vlapic_mmio_read(struct vlapic *apic, uint32_t offset);
void vlapic_mmio_write(struct vlapic *apic, uint32_t offset, uint32_t value);
/* IA32_TSC_DEADLINE. */
uint64_t vlapic_tsc_deadline(const struct vlapic *apic);
void vlapic_set_tsc_deadline(struct vlapic *apic, uint64_t tsc);

/*
 * The records LAPIC and LAPIC_REGS of public hvm/save.h; the vcpu is paused.
 * Loading checks a record before it takes any of it: 0 or -EINVAL.  The id
 * and whether it is the boot processor's stay.  Once the guest's TSC is set,
 * vlapic_load_done() arms a TSC deadline.
 */
void vlapic_save_base(const struct vlapic *apic, struct hvm_hw_lapic *base);
void vlapic_save_regs(struct vlapic *apic, struct hvm_hw_lapic_regs *regs);
int vlapic_load_base(struct vlapic *apic, const struct hvm_hw_lapic *base);
int vlapic_load_regs(struct vlapic *apic,
                     const struct hvm_hw_lapic_regs *regs);
void vlapic_load_done(struct vlapic *apic);

static inline struct vlapic *vlapic_of(const struct vcpu *v)
{
    return v->arch->vlapic;
}

static inline unsigned int vlapic_cr8(const struct vlapic *apic)
{
    return (apic->tpr >> 4) & 15;
}

static inline void vlapic_set_cr8(struct vlapic *apic, unsigned int cr8)
{
    apic->tpr = (cr8 & 15) << 4;
}

/* ---- what it asks of its surroundings (exit.c; a test's stub) ---- */

/* An EOI of a level-triggered vector. */
void vlapic_host_eoi(struct vcpu *v, unsigned int vector);
void hvm_set_nmi(struct vcpu *v);
/* The guest's TSC now. */
uint64_t hvm_guest_tsc(struct vcpu *v);

#endif
