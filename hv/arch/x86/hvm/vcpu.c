/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Domains and vcpus as the machine sees them: what core/arch.h asks for,
 * apart from memory and time.  Talks to vlapic.c, cpuid.c, msr.c and, through
 * hvm_ops, to the vendor's half.
 *
 *  1. arch_vcpu_create() leaves a vcpu in the state after RESET, DOWN.
 *  2. INIT and SIPI are taken by the vcpu itself (hvm_prepare_entry()).
 *
 *   event channel upcall, by who set what:
 *     upcall_vector of the vcpu -> an edge interrupt of its local APIC
 *     callback_vector of the domain -> injected as long as the guest's
 *         evtchn_upcall_pending is set, without an APIC
 *     callback GSI -> accepted and silent: Linux sets GSI 1 beside the
 *         vcpus' own vectors, to look like one that knows Xen
 */
#include "cpu.h"
#include "core/arch.h"
#include "core/console.h"
#include "core/evtchn.h"
#include "core/kmem.h"
#include "hvm/cpuid.h"
#include "hvm/msr.h"
#include "hvm/pv.h"
#include "hvm/vlapic.h"
#include "hvm/xstate.h"
#include "insn.h"
#include "lib/atomic.h"
#include "lib/errno.h"
#include "lib/string.h"
#include "time.h"

#include <xen/arch-x86/xen.h>

#define CR0_RESET 0x60000010u       /* CD, NW, ET */
#define PAT_RESET 0x0007040600070406ull
#define CALLBACK_TYPE_SHIFT 56

const struct hvm_ops *hvm_ops;

/* ---- domains ---- */

int arch_domain_create(struct domain *d,
                       const struct xen_domctl_createdomain *config)
{
    int rc = -ENOMEM;

    if ((config->arch.emulation_flags & ~(uint32_t)XEN_X86_EMU_LAPIC) != 0
        && !d->is_privileged) {
        console_guest_log(LOG_WARNING, d,
                          "only PVH guests: emulation flags %x refused",
                          config->arch.emulation_flags);
        return -EINVAL;
    }
    d->arch = kmem_alloc(sizeof(*d->arch));
    if (d->arch == NULL) {
        return -ENOMEM;
    }
    rc = cpuid_domain_create(d);
    if (rc == 0) {
        rc = hvm_ops->domain_create(d);
    }
    if (rc == 0 && d->is_pv) {
        rc = pv_domain_create(d);
    }
    if (rc != 0) {
        arch_domain_destroy(d);
    }
    return rc;
}

int arch_domain_release(struct domain *d)
{
    /* A half-made one has its pages in the p2m still, and few. */
    return d->arch == NULL || !is_pv(d) || !domain_is_dying(d)
           ? 0 : pv_memory_release(d);
}

void arch_domain_destroy(struct domain *d)
{
    if (d->arch == NULL) {
        return;
    }
    pv_domain_destroy(d);
    hvm_ops->domain_destroy(d);
    cpuid_domain_destroy(d);
    kmem_free(d->arch);
    d->arch = NULL;
}

int arch_domain_set_callback(struct domain *d, uint64_t via)
{
    uint64_t type = via >> CALLBACK_TYPE_SHIFT;

    if (type == HVM_PARAM_CALLBACK_TYPE_VECTOR) {
        if ((via & 0xff) < 16) {
            return -EINVAL;
        }
        WRITE_ONCE(d->arch->callback_vector, (uint8_t)via);
        return 0;
    }
    /* A GSI or an INTx line: taken, but nothing is ever sent there. */
    WRITE_ONCE(d->arch->callback_vector, 0);
    return 0;
}

/* ---- vcpus ---- */

static void set_segment(struct hvm_segment *s, uint16_t selector,
                        uint64_t base, uint16_t attr)
{
    *s = (struct hvm_segment){
        .selector = selector, .base = base, .limit = 0xffff, .attr = attr,
    };
}

void hvm_vcpu_reset(struct vcpu *v, uint8_t sipi_vector)
{
    struct arch_vcpu *a = v->arch;
    struct hvm_state s = { 0 };

    for (unsigned int i = HVM_ES; i <= HVM_GS; i++) {
        set_segment(&s.segment[i], 0, 0, 0x93);
    }
    set_segment(&s.segment[HVM_CS], (uint16_t)(sipi_vector << 8),
                (uint64_t)sipi_vector << 12, 0x9b);
    set_segment(&s.segment[HVM_GDTR], 0, 0, 0);
    set_segment(&s.segment[HVM_IDTR], 0, 0, 0);
    set_segment(&s.segment[HVM_LDTR], 0, 0, 0x82);
    set_segment(&s.segment[HVM_TR], 0, 0, 0x8b);
    s.cr0 = CR0_RESET;
    s.dr6 = 0xffff0ff0;
    s.dr7 = 0x400;
    s.pat = PAT_RESET;
    memset(&a->regs, 0, sizeof(a->regs));
    memset(a->dr, 0, sizeof(a->dr));
    a->regs.rflags = 2;
    a->cr8 = 0;
    a->xcr0 = XSTATE_X87;
    a->xcr0_seen = XSTATE_X87 | XSTATE_SSE;     /* by FXSAVE, too */
    /* One sent while it was down would come before it has a table for it. */
    __atomic_store_n(&a->nmi_pending, false, __ATOMIC_RELAXED);
    hvm_ops->set_state(v, &s);
}

void arch_vcpu_reset(struct vcpu *v)
{
    /* As by FNINIT, with MXCSR as after RESET, and no component in use. */
    static const uint8_t fpu[XSTATE_MIN_SIZE] = {
        [0] = 0x7f, [1] = 0x03, [24] = 0x80, [25] = 0x1f,
    };

    hvm_vcpu_reset(v, 0);
    hvm_ops->set_xstate(v, XSTATE_X87 | XSTATE_SSE, fpu);
    if (is_pv(v->domain)) {
        pv_vcpu_reset(v);
    }
}

int arch_vcpu_create(struct vcpu *v)
{
    int rc;

    v->arch = kmem_alloc(sizeof(*v->arch));
    if (v->arch == NULL) {
        return -ENOMEM;
    }
    rc = vlapic_create(v);
    if (rc == 0) {
        msr_vcpu_reset(v);
        rc = hvm_ops->vcpu_create(v);
    }
    if (rc == 0 && is_pv(v->domain)) {
        rc = pv_vcpu_create(v);
    }
    if (rc != 0) {
        arch_vcpu_destroy(v);
        return rc;
    }
    hvm_vcpu_reset(v, 0);
    return 0;
}

void arch_vcpu_destroy(struct vcpu *v)
{
    if (v->arch == NULL) {
        return;
    }
    pv_vcpu_destroy(v);
    hvm_ops->vcpu_destroy(v);
    vlapic_destroy(v);
    kmem_free(v->arch);
    v->arch = NULL;
}

bool arch_vcpu_is_between(struct vcpu *v)
{
    return is_pv(v->domain) && pv_is_between(v);
}

void arch_vcpu_switch_from(struct vcpu *v)
{
    hvm_ops->switch_from(v);
}

void arch_vcpu_switch_to(struct vcpu *v)
{
    hvm_ops->switch_to(v);
}

/* ---- interrupts and upcalls ---- */

void hvm_kick(struct vcpu *v)
{
    memory_barrier();           /* the event before the look at is_running */
    vcpu_unblock(v);
    if (READ_ONCE(v->sched.is_running) && v->sched.cpu != arch_cpu_id()) {
        arch_cpu_kick(v->sched.cpu);
    }
}

void hvm_set_nmi(struct vcpu *v)
{
    __atomic_store_n(&v->arch->nmi_pending, true, __ATOMIC_RELEASE);
    hvm_kick(v);
}

int arch_vcpu_send_nmi(struct vcpu *v)
{
    hvm_set_nmi(v);
    return 0;
}

void arch_vcpu_upcall(struct vcpu *v)
{
    uint8_t vector = READ_ONCE(v->arch->upcall_vector);

    if (vector != 0) {
        vlapic_set_irq(v->arch->vlapic, vector, false);
    } else {
        hvm_kick(v);
    }
}

/* Senders tell only once: after a change or loss of state, tell again. */
static void repeat_upcall(struct vcpu *v)
{
    if (READ_ONCE(v->info->evtchn_upcall_pending)) {
        arch_vcpu_upcall(v);
    }
}

uint64_t arch_vcpu_space(struct vcpu *v)
{
    struct hvm_paging p;

    hvm_ops->get_paging(v, &p);
    return (p.cr3 & ~(1ull << 63)) >> PAGE_SHIFT;   /* without a PCID */
}

int arch_vcpu_set_upcall_vector(struct vcpu *v, unsigned int vector)
{
    if (vector < 16 || vector > 255) {
        return -EINVAL;
    }
    WRITE_ONCE(v->arch->upcall_vector, (uint8_t)vector);
    repeat_upcall(v);
    return 0;
}

/* The domain's callback vector while an upcall is due without an APIC. */
static int callback_pending(struct vcpu *v)
{
    uint8_t vector = READ_ONCE(v->domain->arch->callback_vector);

    if (vector == 0 || READ_ONCE(v->arch->upcall_vector) != 0
        || !READ_ONCE(v->info->evtchn_upcall_pending)) {
        return -1;
    }
    return vector;
}

bool hvm_is_roused(const struct vcpu *v)
{
    return (__atomic_load_n(&v->arch->nmi_pending, __ATOMIC_ACQUIRE)
            && !hvm_ops->is_nmi_blocked(v))
           || (v->arch->pv == NULL
               && __atomic_load_n(&v->arch->vlapic->init_pending,
                                  __ATOMIC_ACQUIRE));
}

bool arch_vcpu_has_pending(struct vcpu *v)
{
    /* One that is on its way is pending nowhere else: a PV guest's NMI. */
    if (hvm_is_roused(v) || hvm_ops->has_interrupt(v)) {
        return true;
    }
    if (v->arch->pv != NULL) {
        return evtchn_is_upcall_pending(v);
    }
    return vlapic_pending(v->arch->vlapic) >= 0 || callback_pending(v) >= 0;
}

/* A PV guest's interrupt flag is in its vcpu_info. */
bool arch_vcpu_is_interruptible(struct vcpu *v)
{
    if (v->arch->pv != NULL) {
        return READ_ONCE(v->info->evtchn_upcall_mask) == 0;
    }
    return hvm_ops->can_inject(v);
}

/* INIT and then SIPI: false if the vcpu is to stay down. */
static bool take_init(struct vcpu *v)
{
    struct vlapic *apic = v->arch->vlapic;
    uint32_t sipi;

    if (__atomic_exchange_n(&apic->init_pending, false, __ATOMIC_ACQ_REL)) {
        vlapic_init_reset(apic);
        repeat_upcall(v);
        if (__atomic_load_n(&apic->sipi, __ATOMIC_ACQUIRE) == 0) {
            vcpu_down(v);
            /* A SIPI that came between the look and going down. */
            if (__atomic_load_n(&apic->sipi, __ATOMIC_ACQUIRE) == 0) {
                return false;
            }
            (void)vcpu_up(v);
        }
    }
    sipi = __atomic_exchange_n(&apic->sipi, 0, __ATOMIC_ACQ_REL);
    if (sipi != 0) {
        hvm_vcpu_reset(v, (uint8_t)sipi);
    }
    return true;
}

/* Queues one vector and asks for a window if another waits. */
static void inject(struct vcpu *v)
{
    struct vlapic *apic = v->arch->vlapic;
    int callback = callback_pending(v);
    int vector = callback >= 0 ? callback : vlapic_pending(apic);

    if (vector < 0) {
        hvm_ops->set_window(v, false);
        return;
    }
    if (!hvm_ops->can_inject(v)) {
        hvm_ops->set_window(v, true);
        return;
    }
    if (callback < 0) {
        vlapic_take(apic, (unsigned int)vector);
    }
    hvm_ops->inject_interrupt(v, (unsigned int)vector);
    hvm_ops->set_window(v, vlapic_pending(apic) >= 0);
}

bool hvm_prepare_entry(struct vcpu *v)
{
    struct vlapic *apic;

    if (v->arch->pv != NULL) {
        return pv_prepare_entry(v);
    }
    apic = v->arch->vlapic;
    if ((READ_ONCE(apic->init_pending) || READ_ONCE(apic->sipi) != 0)
        && !take_init(v)) {
        return false;
    }
    if (vlapic_cr8(apic) != v->arch->cr8) {
        vlapic_set_cr8(apic, v->arch->cr8); /* the guest wrote CR8 */
    }
    if (READ_ONCE(v->arch->nmi_pending) && hvm_ops->can_inject_nmi(v)) {
        __atomic_store_n(&v->arch->nmi_pending, false, __ATOMIC_RELAXED);
        hvm_ops->inject_nmi(v);
        return true;
    }
    inject(v);
    return true;
}

/* ---- time ---- */

uint64_t hvm_guest_tsc(struct vcpu *v)
{
    return rdtsc() + v->arch->tsc_offset;
}

/*
 * The record never changes: it is the very line that arch_time_now() runs
 * on, from the TSC at which that was 0.
 */
void arch_time_info(struct vcpu *v, struct vcpu_time_info *t)
{
    uint32_t mul;
    int8_t shift;

    time_scale(&mul, &shift);
    t->tsc_timestamp = time_tsc_base()
                       + (v->arch == NULL ? 0 : v->arch->tsc_offset);
    t->system_time = 0;
    t->tsc_to_system_mul = mul;
    t->tsc_shift = shift;
    t->flags = XEN_PVCLOCK_TSC_STABLE_BIT;
}

/* ---- hypercall registers ---- */

static const uint8_t hypercall_gpr[6] = {
    HVM_RDI, HVM_RSI, HVM_RDX, HVM_R10, HVM_R8, HVM_R9,
};

void arch_hypercall_args(struct vcpu *v, uint64_t a[6])
{
    const uint64_t *gpr = v->arch->regs.gpr;

    a[0] = gpr[HVM_RDI];
    a[1] = gpr[HVM_RSI];
    a[2] = gpr[HVM_RDX];
    a[3] = gpr[HVM_R10];
    a[4] = gpr[HVM_R8];
    a[5] = gpr[HVM_R9];
}

void arch_hypercall_set_arg(struct vcpu *v, unsigned int n, uint64_t val)
{
    if (n < 6) {
        v->arch->regs.gpr[hypercall_gpr[n]] = val;
    }
}
