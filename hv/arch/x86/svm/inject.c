/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events on their way into a guest (APM vol. 2, 15.20, 15.21).
 *
 *   inject_exception, _nmi -> event_inject -> VMRUN delivers it
 *                                  ^              | an exit cuts it short
 *                                  '- requeued <--'
 *   inject_interrupt -> interrupt -> v_irq -> taken when IF allows it
 *                           ^                     | cut short, or an exit
 *                           '---------------------' came before
 *
 * 1. At most one event is in event_inject; an exception may replace an
 *    exception that is to be delivered again (its instruction restarts).
 * 2. 'interrupt' is valid from the injection until the guest took it.
 * 3. A window for the next interrupt is a virtual interrupt that exits.  While
 *    v_irq has a real one, which is taken at once, the window is the IRET of
 *    its handler.
 * 4. While an NMI is handled the next one waits, which is not the CPU's doing:
 *    the handler's IRET exits, and at the first exit elsewhere it is over.
 *
 * Interrupts go in as virtual ones, never as injected events, because of
 * QEMU's emulation (7.2 to 10): that keeps an injected interrupt's vector, and
 * when the CPU leaves its inner loop before the guest's next exit, as after
 * another CPU's late kick, it is delivered once more, IF or not.  With a
 * virtual interrupt VMRUN can lose a kick that comes just then, so:
 *
 * 5. After such a run the local APIC is made to look again.
 * 6. Most exits have nothing to do with events: while svm_has_events() says
 *    no, the control block has none, nor a v_irq or an intercept for one.
 */
#include "insn.h"
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
    return vmcb_of(v)->exit_int_info & VMCB_EVENT_VALID;
}

static bool is_under_way(struct vcpu *v)
{
    const struct svm_vcpu *s = v->arch->svm;

    return ((s->vmcb->event_inject | s->requeued | s->interrupt)
            & VMCB_EVENT_VALID) != 0;
}

static bool is_interruptible(struct vcpu *v)
{
    return (v->arch->regs.rflags & RFLAGS_IF)
           && !(vmcb_of(v)->interrupt_shadow & 1);
}

bool svm_can_inject(struct vcpu *v)
{
    return !is_under_way(v) && is_interruptible(v);
}

void svm_inject_interrupt(struct vcpu *v, unsigned int vector)
{
    v->arch->svm->interrupt = VMCB_EVENT_VALID | VMCB_EVENT_INTERRUPT
                              | vector;
}

bool svm_has_interrupt(struct vcpu *v)
{
    return v->arch->svm->interrupt & VMCB_EVENT_VALID;
}

bool svm_can_inject_nmi(struct vcpu *v)
{
    return !is_under_way(v) && !v->arch->svm->nmi_blocked
           && !(vmcb_of(v)->interrupt_shadow & 1);
}

void svm_inject_nmi(struct vcpu *v)
{
    vmcb_of(v)->event_inject = VMCB_EVENT_VALID | VMCB_EVENT_NMI
                               | HVM_VECTOR_NMI;
}

bool svm_is_nmi_blocked(const struct vcpu *v)
{
    return v->arch->svm->nmi_blocked;
}

void svm_set_window(struct vcpu *v, bool wanted)
{
    v->arch->svm->wants_window = wanted;
}

void svm_at_iret(struct vcpu *v)
{
    struct svm_vcpu *s = v->arch->svm;

    s->wants_window = false;
    if (s->nmi_blocked) {
        s->nmi_iret = v->arch->regs.rip;
    }
}

/* INT3, INTO, INT n: their instruction executes again instead. */
static bool is_of_instruction(uint32_t event)
{
    uint32_t type = event & VMCB_EVENT_TYPE;
    uint32_t vector = event & VMCB_EVENT_VECTOR;

    return type == VMCB_EVENT_SOFTWARE
           || (type == VMCB_EVENT_EXCEPTION
               && (vector == VECTOR_BREAKPOINT || vector == VECTOR_OVERFLOW));
}

/* QEMU calls a virtual interrupt that was cut short an exception. */
static bool is_interrupt(const struct svm_vcpu *s, uint32_t event)
{
    return (event & VMCB_EVENT_TYPE) == VMCB_EVENT_INTERRUPT
           || ((event & VMCB_EVENT_TYPE) == VMCB_EVENT_EXCEPTION
               && s->in_v_irq && s->vmcb->v_irq
               && ((event ^ s->interrupt) & VMCB_EVENT_VECTOR) == 0);
}

static void requeue_event(struct svm_vcpu *s, uint32_t cut_short)
{
    if (is_interrupt(s, cut_short)) {
        s->interrupt = cut_short & (VMCB_EVENT_VALID | VMCB_EVENT_VECTOR);
    } else {
        s->requeued = is_of_instruction(cut_short) ? 0 : cut_short;
        s->requeued_error = s->vmcb->exit_int_error;
    }
}

void svm_requeue(struct vcpu *v)
{
    struct svm_vcpu *s = v->arch->svm;
    struct vmcb *vmcb = s->vmcb;

    if (s->nmi_iret != 0 && s->nmi_iret != v->arch->regs.rip) {
        s->nmi_blocked = false;
        s->nmi_iret = 0;
    }
    if (s->in_v_irq && !vmcb->v_irq) {
        s->interrupt = 0;       /* taken, or cut short: below */
    }
    vmcb->event_inject = 0;
    if (vmcb->exit_int_info & VMCB_EVENT_VALID) {
        requeue_event(s, vmcb->exit_int_info);
    }
    if (vmcb->intercept1 & VMCB_VINTR || s->in_v_irq) {
        write_cr8(0);           /* invariant 5 */
    }
    s->in_v_irq = false;
    vmcb->v_irq = 0;
}

static void set_virtual(struct vmcb *vmcb, unsigned int vector, uint32_t exits)
{
    vmcb->v_irq = 1;
    vmcb->v_prio = VMCB_V_PRIO_HIGHEST;
    vmcb->v_vector = (uint8_t)vector;
    vmcb->intercept1 |= exits;
}

void svm_deliver(struct vcpu *v)
{
    struct svm_vcpu *s = v->arch->svm;
    struct vmcb *vmcb = s->vmcb;
    bool waits = s->interrupt & VMCB_EVENT_VALID;

    if ((s->requeued & VMCB_EVENT_VALID)
        && !(vmcb->event_inject & VMCB_EVENT_VALID)) {
        vmcb->event_inject = s->requeued;
        vmcb->event_error = s->requeued_error;
        s->requeued = 0;
    }
    if ((vmcb->event_inject & (VMCB_EVENT_VALID | VMCB_EVENT_TYPE))
        == (VMCB_EVENT_VALID | VMCB_EVENT_NMI)) {
        s->nmi_blocked = true;
    }
    vmcb->intercept1 &= ~(VMCB_VINTR | VMCB_IRET);
    if (s->nmi_blocked && s->nmi_iret == 0) {
        vmcb->intercept1 |= VMCB_IRET;
    }
    if (waits && (!s->wants_window
                  || (is_interruptible(v)
                      && !(vmcb->event_inject & VMCB_EVENT_VALID)))) {
        set_virtual(vmcb, s->interrupt & VMCB_EVENT_VECTOR,
                    s->wants_window ? VMCB_IRET : 0);
        s->in_v_irq = true;
    } else if (s->wants_window) {
        set_virtual(vmcb, 0, VMCB_VINTR);
    }
    s->has_intercepts = vmcb->intercept1 & (VMCB_VINTR | VMCB_IRET);
}
