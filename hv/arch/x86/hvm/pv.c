/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PV guests: their vcpus start in the personality, which asks for little:
 * to end the domain, to flush other vcpus' translations, and to write into
 * the M2P.  All else that it forwards are the guest's hypercalls
 * (hvm_exit_hypercall()).
 *
 *   setvcpucontext, VCPUOP_initialise -> context page, registers at
 *   pvk_start -> VCPUOP_up or unpause -> boot_vcpu() in ring 0 -> the guest
 *
 *  1. What stands in pages that the guest may write (pv->shared) is read as
 *     its word: it moves only this domain's registers and page walks.
 *  2. Toolstack pins before the first entry become records, which the
 *     personality replays.
 */
#include "hvm/pv.h"

#include "core/arch.h"
#include "core/console.h"
#include "core/evtchn.h"
#include "core/hypercall.h"
#include "core/kmem.h"
#include "core/p2m.h"
#include "core/wallclock.h"
#include "lib/atomic.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/nospec.h"
#include "lib/string.h"

#define CR0_PV 0x80050033ull        /* PG AM WP NE ET MP PE */
#define CR4_PV 0x620ull             /* PAE OSFXSR OSXMMEXCPT, no PGE */
#define EFER_PV 0xd01ull            /* NXE LMA LME SCE */
/* XEN_MSR_PAT: what PV kernels expect to find. */
#define PAT_PV 0x050100070406ull
#define STAR_PV ((uint64_t)PVK_GUEST_CS32 << 48 | (uint64_t)PVK_CS << 32)
/* AC NT IOPL DF IF TF RF */
#define SFMASK_PV 0x57700ull

#define ATTR_CODE 0x29b
#define ATTR_DATA 0x493
#define ATTR_TSS 0x8b
#define ATTR_LDT 0x82

/* ---- life ---- */

int pv_domain_create(struct domain *d)
{
    d->arch->pv = kmem_alloc(sizeof(*d->arch->pv));
    return d->arch->pv == NULL ? -ENOMEM : pv_memory_create(d);
}

void pv_domain_destroy(struct domain *d)
{
    if (d->arch->pv == NULL) {
        return;
    }
    pv_memory_destroy(d);
    kmem_free(d->arch->pv);
    d->arch->pv = NULL;
}

int pv_vcpu_create(struct vcpu *v)
{
    v->arch->pv = kmem_alloc(sizeof(*v->arch->pv));
    return v->arch->pv == NULL ? -ENOMEM : pv_memory_add_vcpu(v);
}

void pv_vcpu_destroy(struct vcpu *v)
{
    kmem_free(v->arch->pv);
    v->arch->pv = NULL;
}

void pv_vcpu_reset(struct vcpu *v)
{
    struct pvk_vcpu *p = v->arch->pv->shared;

    /* The personality counts who uses a table: at its next start. */
    if (p->kernel_cr3 != 0) {
        p->left_cr3[0] = p->kernel_cr3;
        p->left_cr3[1] = p->user_cr3;
    }
    p->kernel_cr3 = 0;
    p->user_cr3 = 0;
    p->dr7 = 0;
    p->nmi_pending = 0;
    p->in_nmi = 0;
    v->arch->pv->nmi_due = false;
    pv_abandon(v);
}

void pv_abandon(struct vcpu *v)
{
    struct pvk_domain *shared = v->domain->arch->pv->shared;
    uint32_t name = v->id + 1;

    v->arch->pv->is_waiting = false;
    WRITE_ONCE(v->arch->pv->shared->stage, PVK_MOVING);
    (void)__atomic_compare_exchange_n(&shared->lock, &name, 0, false,
                                      __ATOMIC_RELEASE, __ATOMIC_RELAXED);
    name = v->id + 1;
    if (!READ_ONCE(shared->is_ready)) {
        (void)__atomic_compare_exchange_n(&shared->replaying, &name, 0,
                                          false, __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED);
    }
}

/* ---- the start of a vcpu ---- */

static struct hvm_segment segment(uint16_t selector, uint64_t base,
                                  uint32_t limit, uint16_t attr)
{
    return (struct hvm_segment){ .selector = selector, .base = base,
                                 .limit = limit, .attr = attr };
}

static void start_state(struct vcpu *v, struct hvm_state *s)
{
    const struct pvk_image *image = pv_image();
    uint64_t area = PVK_AREA(v->id);

    memset(s, 0, sizeof(*s));
    for (unsigned int i = HVM_ES; i <= HVM_GS; i++) {
        s->segment[i] = segment(0, 0, ~0u, ATTR_DATA);
    }
    s->segment[HVM_CS] = segment(PVK_CS, 0, ~0u, ATTR_CODE);
    s->segment[HVM_GDTR] = segment(0, area + PVK_AREA_GDT, 0xffff, 0);
    s->segment[HVM_IDTR] = segment(0, image->idt, 0xfff, 0);
    s->segment[HVM_LDTR] = segment(0, 0, 0, ATTR_LDT);
    s->segment[HVM_TR] = segment(PVK_TSS,
                                 area + offsetof(struct pvk_vcpu, tss),
                                 sizeof(struct pvk_tss) - 1, ATTR_TSS);
    s->cr0 = CR0_PV;
    s->cr3 = v->domain->arch->pv->root << PAGE_SHIFT;
    s->cr4 = CR4_PV;
    s->efer = EFER_PV;
    s->dr6 = 0xffff0ff0;
    s->dr7 = 0x400;
    s->pat = PAT_PV;
    s->star = STAR_PV;
    s->lstar = area + PVK_AREA_STUBS;
    s->cstar = area + PVK_AREA_STUBS + image->stub_syscall32;
    s->sfmask = SFMASK_PV;
    s->sysenter_cs = PVK_CS;
    s->sysenter_esp = area + PVK_AREA_STACK_TOP;
    s->sysenter_eip = image->sysenter;
}

/* Is 'frame' RAM, and in use as a page table of no other level than this? */
static bool can_be_table(struct domain *d, uint64_t frame, unsigned int level)
{
    enum p2m_type type;
    unsigned int now;
    bool pinned;

    (void)p2m_lookup(d, gfn(frame), &type);
    now = arch_pv_level(d, gfn(frame), &pinned);
    return type == P2M_RAM_RW && pv_memory_record(d, frame) != NULL
           && (now == 0 || now == level);
}

/* The GDT's are no tables; what is in all of these the personality sees. */
static bool are_frames_valid(struct domain *d,
                             const struct vcpu_guest_context *c)
{
    uint64_t entries = PAGE_SIZE / sizeof(uint64_t);

    for (uint64_t i = 0; i * entries < c->gdt_ents; i++) {
        if (!can_be_table(d, c->gdt_frames[i], 0)) {
            return false;
        }
    }
    if (c->ctrlreg[1] == 0 && !(c->flags & VGCF_in_kernel)) {
        return false;               /* no table for its user mode */
    }
    return can_be_table(d, c->ctrlreg[3] >> PAGE_SHIFT, 4)
           && (c->ctrlreg[1] == 0
               || can_be_table(d, c->ctrlreg[1] >> PAGE_SHIFT, 4));
}

static int set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct pv_vcpu *pv = v->arch->pv;
    struct hvm_regs *regs = &v->arch->regs;
    struct hvm_state s;
    int rc = pv_memory_complete(v->domain);

    if (rc != 0) {
        return rc;
    }
    if (!are_frames_valid(v->domain, c)) {
        return -EINVAL;
    }
    memcpy(pv->context[0], c, PAGE_SIZE);
    memcpy(pv->context[1], (const char *)c + PAGE_SIZE,
           sizeof(*c) - PAGE_SIZE);
    pv_vcpu_reset(v);
    WRITE_ONCE(pv->shared->stage, PVK_STARTING);
    start_state(v, &s);
    hvm_ops->set_state(v, &s);
    if (c->flags & VGCF_i387_valid) {
        hvm_ops->set_fpu(v, &c->fpu_ctxt);
    }
    memset(regs, 0, sizeof(*regs));
    regs->rip = pv_image()->start;
    regs->rflags = 2;
    regs->gpr[HVM_RSP] = PVK_AREA(v->id) + PVK_AREA_STACK_TOP;
    v->is_initialised = true;
    return 0;
}

int pv_set_context(struct vcpu *v, const struct vcpu_guest_context *c)
{
    struct domain *d = v->domain;
    int rc;

    if (!pv_context_is_valid(c)) {
        return -EINVAL;
    }
    if (v->is_initialised
        && __atomic_load_n(&d->state, __ATOMIC_ACQUIRE) != DOMAIN_BUILDING
        && READ_ONCE(v->arch->pv->shared->stage) != PVK_STARTING) {
        return pv_set_registers(v, c);
    }
    rc = set_context(v, c);
    if (rc != 0) {
        return rc;
    }
    /* The builder cleared shared_info after we had filled it. */
    wallclock_update(v->domain);
    wallclock_update_vcpu(v);
    if (c->flags & VGCF_online) {
        return vcpu_up(v);
    }
    return 0;
}

int arch_vcpu_initialise_pv(struct vcpu *v,
                            const struct vcpu_guest_context *c)
{
    return pv_context_is_valid(c) ? set_context(v, c) : -EINVAL;
}

/* ---- what the toolstack does before the first entry ---- */

/* Stubs that leave rcx and r11 as they were: the ABI's hypercall page. */
static void make_stub(uint8_t stub[32], unsigned int nr)
{
    static const uint8_t head[] = { 0x51, 0x41, 0x53, 0xb8 };
    static const uint8_t tail[] = { 0x0f, 0x05, 0x41, 0x5b, 0x59, 0xc3 };
    static const uint8_t iret_head[] = { 0x51, 0x41, 0x53, 0x50, 0xb8 };
    const uint8_t *first = nr == __HYPERVISOR_iret ? iret_head : head;
    size_t size = nr == __HYPERVISOR_iret ? sizeof(iret_head) : sizeof(head);

    memset(stub, 0xcc, 32);
    memcpy(stub, first, size);      /* push rcx, r11 (rax); mov $nr, eax */
    stub[size] = (uint8_t)nr;
    memset(&stub[size + 1], 0, 3);
    memcpy(&stub[size + 4], tail, nr == __HYPERVISOR_iret ? 2 : sizeof(tail));
}

int arch_pv_hypercall_page(struct domain *d, gfn_t g)
{
    for (unsigned int nr = 0; nr < PAGE_SIZE / 32; nr++) {
        uint8_t stub[32];

        make_stub(stub, nr);
        if (p2m_write(d, (g.v << PAGE_SHIFT) + nr * sizeof(stub), stub,
                      sizeof(stub)) != 0) {
            return -EINVAL;
        }
    }
    return 0;
}

int arch_pv_pin(struct domain *d, gfn_t g, unsigned int level)
{
    uint32_t *record;
    int rc = pv_memory_complete(d);

    if (rc != 0) {
        return rc;
    }
    record = pv_memory_record(d, g.v);
    if (record == NULL || level > 4) {
        return -EINVAL;
    }
    *record = level == 0 ? 0 : PVK_RECORD_PINNED | level;
    return 0;
}

unsigned int arch_pv_level(struct domain *d, gfn_t g, bool *pinned)
{
    uint32_t *record = pv_memory_record(d, g.v);
    uint32_t value = record == NULL ? 0 : READ_ONCE(*record);

    *pinned = value & PVK_RECORD_PINNED;
    return value & PVK_RECORD_LEVEL;
}

gfn_t arch_pv_gfn(const struct domain *d, enum pv_place place, uint64_t index)
{
    uint64_t base = d->arch->pv->base;

    switch (place) {
    case PV_SHARED_INFO:
        return gfn(base + PV_GFN_SHARED_INFO);
    case PV_GRANT_FRAME:
        return gfn(base + PV_GFN_GRANTS + index);
    default:
        return gfn(base + PV_GFN_MAPPED + index);
    }
}

void arch_pv_m2p(const struct domain *d, struct xen_machphys_mapping *m)
{
    m->v_start = PVK_M2P;
    m->v_end = PVK_IMAGE;
    /* Asked once by most: what there is of it yet ends at 'frames'. */
    m->max_mfn = d->arch->pv->most - 1;
}

/* ---- exits ---- */

static void report_crash(struct vcpu *v, uint64_t why, uint64_t a, uint64_t b)
{
    static const char *const text[] = {
        [PVK_CRASH_FAULT] = "fault in ring 0",
        [PVK_CRASH_STACK] = "no room on its kernel's stack",
        [PVK_CRASH_TRAP] = "trap without a handler",
        [PVK_CRASH_CR3] = "no page table to run on",
        [PVK_CRASH_IRET] = "bad frame for iret",
    };
    const char *what = why < ARRAY_SIZE(text)
                       ? text[index_nospec(why, ARRAY_SIZE(text))] : NULL;

    console_guest_log(LOG_ERROR, v->domain, "v%u: %s: %lx, %lx", v->id,
                      what == NULL ? "crash" : what, a, b);
    domain_crash(v->domain, "its PV personality gave up");
}

static void flush(struct domain *d, uint64_t word, uint64_t mask)
{
    for (unsigned int i = 0; i < 64; i++) {
        uint64_t id = word * 64 + i;
        struct vcpu *other;

        if (!(mask >> i & 1) || word >= 1u << 16 || id >= d->max_vcpus) {
            continue;
        }
        other = d->vcpu[index_nospec(id, d->max_vcpus)];
        if (other != NULL && other != vcpu_current()) {
            __atomic_store_n(&other->arch->flush_pending, true,
                             __ATOMIC_SEQ_CST);
        }
    }
    arch_p2m_flush(d);
}

bool pv_take_flush(struct vcpu *v)
{
    return READ_ONCE(v->arch->flush_pending)
           && __atomic_exchange_n(&v->arch->flush_pending, false,
                                  __ATOMIC_ACQ_REL);
}

bool pv_exit_call(struct vcpu *v)
{
    uint64_t *gpr = v->arch->regs.gpr;
    int rc = 0;

    switch (gpr[HVM_RDI]) {
    case PVK_CALL_CRASH:
        report_crash(v, gpr[HVM_RSI], gpr[HVM_RDX], gpr[HVM_R10]);
        break;
    case PVK_CALL_FLUSH:
        flush(v->domain, gpr[HVM_RSI], gpr[HVM_RDX]);
        break;
    case PVK_CALL_M2P:
        rc = pv_memory_set_m2p(v->domain, gpr[HVM_RSI], gpr[HVM_RDX]);
        break;
    default:
        rc = -ENOSYS;
        break;
    }
    gpr[HVM_RAX] = (uint64_t)rc;
    return true;
}

void pv_exit_npf(struct vcpu *v, uint64_t gpa)
{
    console_guest_log(LOG_DEBUG, v->domain, "v%u: rip %lx: no frame %lx",
                      v->id, v->arch->regs.rip, gpa >> PAGE_SHIFT);
    if (hvm_ops->has_event(v)) {
        /* Its descriptor tables or stack are gone: nothing can be told. */
        domain_crash(v->domain, "no frame behind its tables");
        return;
    }
    (void)hvm_inject_gp(v);
}

void pv_at_call(struct vcpu *v)
{
    struct pv_vcpu *pv = v->arch->pv;

    pv->is_waiting = READ_ONCE(pv->shared->stage) == PVK_IN_WAIT;
}

/* Not before its first instruction, nor where it has waited for events. */
bool pv_is_between(struct vcpu *v)
{
    struct pv_vcpu *pv = v->arch->pv;
    struct hvm_paging p;

    hvm_ops->get_paging(v, &p);
    return p.cpl == 0 && !pv->is_waiting
           && v->arch->regs.rip != pv_image()->start
           && READ_ONCE(v->domain->shutdown_code) != SHUTDOWN_crash;
}

/*
 * To be where the guest's registers are is to be back in its code, where alone
 * interrupts can be taken: the window for one.
 */
static bool settle(struct vcpu *v)
{
    if (!pv_is_between(v)) {
        vcpu_settled(v);
        return false;
    }
    vcpu_settles(v);
    hvm_ops->set_window(v, true);
    return true;
}

bool pv_prepare_entry(struct vcpu *v)
{
    struct pv_vcpu *pv = v->arch->pv;

    if (vcpu_is_to_settle(v) && !settle(v)) {
        return false;
    }
    pv->is_waiting = false;
    if (READ_ONCE(v->arch->nmi_pending)
        && __atomic_exchange_n(&v->arch->nmi_pending, false,
                               __ATOMIC_ACQ_REL)) {
        pv->shared->nmi_pending = 1;
        pv->nmi_due = true;
    }
    /* One that is under way finds whatever comes until it is taken. */
    if ((evtchn_is_upcall_pending(v) || pv->nmi_due)
        && !hvm_ops->has_interrupt(v)) {
        pv->nmi_due = false;
        hvm_ops->inject_interrupt(v, PVK_EVENT_VECTOR);
    }
    return true;
}
