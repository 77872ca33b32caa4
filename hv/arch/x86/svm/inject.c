/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events on their way into a guest (APM vol. 2, 15.20, 15.21).
 *
 *   inject_*  -> event_inject -> VMRUN delivers it
 *                     ^                | an exit cuts the delivery short
 *   deliver_requeued -'<-- requeued <--'
 *
 * 1. At most one event is in event_inject; an exception may replace an
 *    exception that is to be delivered again (its instruction restarts),
 *    never an interrupt: that waits in requeued.
 */
#include "svm/svm.h"

#define RFLAGS_IF 0x200
#define VECTOR_BREAKPOINT 3
#define VECTOR_OVERFLOW 4

static struct vmcb *vmcb_of(struct vcpu *v)
{
    return v->arch->svm->vmcb;
}

void svm_inject_exception(struct vcpu *v, unsigned int vector, int error,
                          uint64_t cr2)
{
    struct svm_vcpu *s = v->arch->svm;
    struct vmcb *vmcb = s->vmcb;

    if ((s->requeued & VMCB_EVENT_TYPE) == VMCB_EVENT_EXCEPTION
        || (s->requeued & VMCB_EVENT_TYPE) == VMCB_EVENT_SOFTWARE) {
        s->requeued = 0;
    }
    vmcb->event_inject = VMCB_EVENT_VALID | VMCB_EVENT_EXCEPTION | vector;
    if (error != HVM_NO_ERROR) {
        vmcb->event_inject |= VMCB_EVENT_ERROR;
        vmcb->event_error = (uint32_t)error;
    }
    if (vector == HVM_VECTOR_PF) {
        vmcb->cr2 = cr2;
    }
}

bool svm_has_event(struct vcpu *v)
{
    return ((vmcb_of(v)->event_inject | v->arch->svm->requeued)
            & VMCB_EVENT_VALID) != 0;
}

bool svm_can_inject(struct vcpu *v)
{
    return !svm_has_event(v) && (v->arch->regs.rflags & RFLAGS_IF)
           && !(vmcb_of(v)->interrupt_shadow & 1);
}

void svm_inject_interrupt(struct vcpu *v, unsigned int vector)
{
    vmcb_of(v)->event_inject = VMCB_EVENT_VALID | VMCB_EVENT_INTERRUPT
                               | vector;
}

bool svm_can_inject_nmi(struct vcpu *v)
{
    return !svm_has_event(v) && !(vmcb_of(v)->interrupt_shadow & 1);
}

void svm_inject_nmi(struct vcpu *v)
{
    vmcb_of(v)->event_inject = VMCB_EVENT_VALID | VMCB_EVENT_NMI
                               | HVM_VECTOR_NMI;
}

void svm_set_window(struct vcpu *v, bool wanted)
{
    struct vmcb *vmcb = vmcb_of(v);

    if (wanted) {
        vmcb->intercept1 |= VMCB_VINTR;
        vmcb->v_irq = 1;
        vmcb->v_prio = VMCB_V_PRIO_HIGHEST;
        vmcb->v_vector = 0;
    } else {
        vmcb->intercept1 &= ~VMCB_VINTR;
        vmcb->v_irq = 0;
        vmcb->v_prio = 0;
    }
}

void svm_requeue(struct vcpu *v)
{
    struct svm_vcpu *s = v->arch->svm;

    s->vmcb->event_inject = 0;
    if (s->vmcb->exit_int_info & VMCB_EVENT_VALID) {
        s->requeued = s->vmcb->exit_int_info;
        s->requeued_error = s->vmcb->exit_int_error;
        /* INT3, INTO, INT n: their instruction executes again instead. */
        if ((s->requeued & VMCB_EVENT_TYPE) == VMCB_EVENT_SOFTWARE
            || ((s->requeued & VMCB_EVENT_TYPE) == VMCB_EVENT_EXCEPTION
                && ((s->requeued & 0xff) == VECTOR_BREAKPOINT
                    || (s->requeued & 0xff) == VECTOR_OVERFLOW))) {
            s->requeued = 0;
        }
    }
}

void svm_deliver_requeued(struct vcpu *v)
{
    struct svm_vcpu *s = v->arch->svm;

    if ((s->requeued & VMCB_EVENT_VALID)
        && !(s->vmcb->event_inject & VMCB_EVENT_VALID)) {
        s->vmcb->event_inject = s->requeued;
        s->vmcb->event_error = s->requeued_error;
        s->requeued = 0;
    }
}
