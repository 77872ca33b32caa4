/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vcpu's local APIC (SDM 11, "APIC"): registers, priorities, interprocessor
 * interrupts and the timer on a core timer.  Talks to exit.c (which injects)
 * and to vioapic.c through vlapic_host_eoi().
 *
 *  1. IRR and TMR are set by any CPU, atomically; all else belongs to the
 *     vcpu and is touched by the CPU that runs it.
 *  2. IRR is set before the kick, and the vcpu looks at IRR after it is
 *     marked running: no interrupt is lost between the two.
 *     A disabled APIC keeps IRR until it is enabled: event channels tell
 *     only once.
 *  3. A vector is in ISR only if it was in IRR and above PPR when taken.
 *  4. A periodic timer is armed for its next tick when the guest takes the one
 *     before or unmasks it, not when it fires: of ticks that wait the
 *     guest gets one (they meet in IRR), and a vcpu that takes none (masked,
 *     paused, down, dying) costs one host interrupt.
 *
 *   INIT/SIPI: the sender only notes them (init_pending, sipi); the target
 *   takes both before its next entry, so no CPU ever waits for another.
 */
#include "core/arch.h"
#include "core/kmem.h"
#include "hvm/vlapic.h"
#include "lib/atomic.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/string.h"

#define REG_ID 0x02
#define REG_VERSION 0x03
#define REG_TPR 0x08
#define REG_APR 0x09
#define REG_PPR 0x0a
#define REG_EOI 0x0b
#define REG_LDR 0x0d
#define REG_DFR 0x0e
#define REG_SVR 0x0f
#define REG_ISR 0x10
#define REG_TMR 0x18
#define REG_IRR 0x20
#define REG_ESR 0x28
#define REG_ICR_LOW 0x30
#define REG_ICR_HIGH 0x31
#define REG_LVT 0x32
#define REG_TIMER_INITIAL 0x38
#define REG_TIMER_CURRENT 0x39
#define REG_TIMER_DIVIDE 0x3e
#define REG_SELF_IPI 0x3f

#define LVT_TIMER 0
#define LVT_ERROR 5
#define LVT_MASKED (1u << 16)
#define LVT_TIMER_MODE (3u << 17)
#define LVT_TIMER_PERIODIC (1u << 17)
#define LVT_TIMER_DEADLINE (2u << 17)

#define BASE_BSP (1u << 8)
#define BASE_X2APIC (1u << 10)
#define BASE_ENABLED (1u << 11)

#define SVR_ENABLED (1u << 8)
#define ESR_ILLEGAL_SEND (1u << 5)
#define ESR_ILLEGAL_RECEIVE (1u << 6)
#define ESR_ILLEGAL_REGISTER (1u << 7)

#define VERSION (0x14u | (VLAPIC_LVT_COUNT - 1) << 16)
#define TICK_NS 10u             /* the bus clock: 100 MHz */
#define PERIOD_MIN_NS 100000u   /* a faster periodic timer serves nobody */

/* hvm_hw_lapic.disabled, as Xen writes it. */
#define DISABLED_BY_SVR 1u
#define DISABLED_BY_BASE 2u

static const uint32_t lvt_writable[VLAPIC_LVT_COUNT] = {
    0x700ff, 0x107ff, 0x107ff, 0x1a7ff, 0x1a7ff, 0x100ff,
};

bool vlapic_is_x2apic(const struct vlapic *apic)
{
    return (apic->base_msr & BASE_X2APIC) != 0;
}

bool vlapic_is_enabled(const struct vlapic *apic)
{
    return (READ_ONCE(apic->svr) & SVR_ENABLED) != 0
           && (READ_ONCE(apic->base_msr) & BASE_ENABLED) != 0;
}

/* ---- vectors in flight ---- */

static int find_highest(const uint32_t *map)
{
    for (int i = 7; i >= 0; i--) {
        uint32_t word = __atomic_load_n(&map[i], __ATOMIC_RELAXED);

        if (word != 0) {
            return i * 32 + 31 - __builtin_clz(word);
        }
    }
    return -1;
}

static bool test_vector(const uint32_t *map, unsigned int vector)
{
    return (__atomic_load_n(&map[vector / 32], __ATOMIC_RELAXED)
            >> (vector % 32)) & 1;
}

static void set_vector(uint32_t *map, unsigned int vector)
{
    __atomic_fetch_or(&map[vector / 32], 1u << (vector % 32),
                      __ATOMIC_SEQ_CST);
}

static void clear_vector(uint32_t *map, unsigned int vector)
{
    __atomic_fetch_and(&map[vector / 32], ~(1u << (vector % 32)),
                       __ATOMIC_SEQ_CST);
}

static uint32_t processor_priority(const struct vlapic *apic)
{
    int isr = find_highest(apic->isr);
    uint32_t served = isr < 0 ? 0 : (uint32_t)isr & 0xf0;

    return (apic->tpr & 0xf0) >= served ? apic->tpr & 0xff : served;
}

/*
 * For ESR, and by the error entry of the LVT (SDM 11.5.3).  That may have a
 * vector that is an error itself, whose second time ends it (XSA-462).
 */
static void report_error(struct vlapic *apic, uint32_t error)
{
    uint32_t lvt;

    if (__atomic_fetch_or(&apic->esr_next, error, __ATOMIC_RELAXED) & error) {
        return;
    }
    lvt = READ_ONCE(apic->lvt[LVT_ERROR]);
    if (!(lvt & LVT_MASKED)) {
        vlapic_set_irq(apic, lvt & 0xff, false);
    }
}

void vlapic_set_irq(struct vlapic *apic, unsigned int vector, bool level)
{
    vector &= 0xff;
    if (vector < 16) {
        report_error(apic, ESR_ILLEGAL_RECEIVE);
        return;
    }
    if (level) {
        set_vector(apic->tmr, vector);
    } else {
        clear_vector(apic->tmr, vector);
    }
    if (!test_vector(apic->irr, vector)) {
        set_vector(apic->irr, vector);
    }
    hvm_kick(apic->vcpu);
}

int vlapic_pending(const struct vlapic *apic)
{
    int vector = find_highest(apic->irr);

    if (vector < 0
        || ((uint32_t)vector & 0xf0) <= (processor_priority(apic) & 0xf0)) {
        return -1;
    }
    return vlapic_is_enabled(apic) ? vector : -1;
}

static void end_of_interrupt(struct vlapic *apic)
{
    int vector = find_highest(apic->isr);

    if (vector < 0) {
        return;
    }
    apic->isr[vector / 32] &= ~(1u << (vector % 32));
    if (test_vector(apic->tmr, (unsigned int)vector)) {
        vlapic_host_eoi(apic->vcpu, (unsigned int)vector);
    }
}

/* ---- messages ---- */

static uint32_t x2apic_ldr(uint32_t id)
{
    return (id >> 4) << 16 | 1u << (id & 15);
}

static bool match_logical(const struct vlapic *apic, uint32_t dest)
{
    uint32_t ldr = READ_ONCE(apic->ldr);

    if (vlapic_is_x2apic(apic)) {
        ldr = x2apic_ldr(apic->id);
        return dest >> 16 == ldr >> 16 && (dest & ldr & 0xffff) != 0;
    }
    ldr >>= 24;
    if (READ_ONCE(apic->dfr) >> 28 == 0xf) {
        return (ldr & dest & 0xff) != 0;
    }
    return ((dest >> 4) & 15) == ldr >> 4 && (ldr & dest & 15) != 0;
}

static bool match_dest(const struct vlapic *apic,
                       const struct vlapic_message *m)
{
    if (m->is_broadcast || m->dest == 0xffffffff
        || (m->dest == 0xff && !vlapic_is_x2apic(apic))) {
        return true;
    }
    return m->is_logical ? match_logical(apic, m->dest)
                         : m->dest == apic->id;
}

/* One target takes the message. */
static void accept(struct vlapic *apic, const struct vlapic_message *m)
{
    switch (m->mode) {
    case VLAPIC_FIXED:
    case VLAPIC_LOWEST:
    case VLAPIC_EXTINT:
        if (vlapic_is_enabled(apic)) {
            vlapic_set_irq(apic, m->vector, m->is_level);
        }
        break;
    case VLAPIC_NMI:
        hvm_set_nmi(apic->vcpu);
        break;
    case VLAPIC_INIT:
        __atomic_store_n(&apic->sipi, 0, __ATOMIC_RELEASE);
        __atomic_store_n(&apic->init_pending, true, __ATOMIC_RELEASE);
        hvm_kick(apic->vcpu);
        break;
    case VLAPIC_STARTUP:
        /* Only a vcpu that is down or about to be listens. */
        if (READ_ONCE(apic->vcpu->is_down)
            || __atomic_load_n(&apic->init_pending, __ATOMIC_ACQUIRE)) {
            __atomic_store_n(&apic->sipi, 0x100u | m->vector,
                             __ATOMIC_RELEASE);
            apic->vcpu->is_initialised = true;
            (void)vcpu_up(apic->vcpu);
        }
        break;
    default:
        break;
    }
}

static struct vlapic *apic_of(struct domain *d, unsigned int i)
{
    struct vcpu *v = d->vcpu[i];

    return v == NULL ? NULL : vlapic_of(v);
}

/* The least loaded of the enabled ones that the message names. */
static unsigned int deliver_lowest(struct domain *d,
                                   const struct vlapic_message *m)
{
    struct vlapic *best = NULL;
    uint32_t least = 0x100;

    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        struct vlapic *apic = apic_of(d, i);

        if (apic == NULL || !vlapic_is_enabled(apic)
            || !match_dest(apic, m)) {
            continue;
        }
        if (processor_priority(apic) < least) {
            least = processor_priority(apic);
            best = apic;
        }
    }
    if (best == NULL) {
        return 0;
    }
    accept(best, m);
    return 1;
}

unsigned int vlapic_deliver(struct domain *d, const struct vlapic_message *m)
{
    unsigned int count = 0;

    if (m->mode == VLAPIC_LOWEST) {
        return deliver_lowest(d, m);
    }
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        struct vlapic *apic = apic_of(d, i);

        if (apic != NULL && match_dest(apic, m)) {
            accept(apic, m);
            count++;
        }
    }
    return count;
}

static void send_others(struct vlapic *self, const struct vlapic_message *m)
{
    struct domain *d = self->vcpu->domain;

    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        struct vlapic *apic = apic_of(d, i);

        if (apic != NULL && apic != self) {
            accept(apic, m);
        }
    }
}

/* A write to ICR: SDM 11.6.1. */
static void send_ipi(struct vlapic *apic, uint32_t low, uint32_t dest)
{
    struct vlapic_message m = {
        .dest = dest,
        .vector = (uint8_t)low,
        .mode = (low >> 8) & 7,
        .is_logical = (low >> 11) & 1,
    };

    /* INIT level de-assert does nothing since the Pentium 4. */
    if (m.mode == VLAPIC_INIT && (low & (1u << 15)) && !(low & (1u << 14))) {
        return;
    }
    if ((m.mode == VLAPIC_FIXED || m.mode == VLAPIC_LOWEST)
        && m.vector < 16) {
        report_error(apic, ESR_ILLEGAL_SEND);
        return;
    }
    switch ((low >> 18) & 3) {
    case 0:
        (void)vlapic_deliver(apic->vcpu->domain, &m);
        break;
    case 1:
        accept(apic, &m);
        break;
    case 2:
        m.is_broadcast = true;
        (void)vlapic_deliver(apic->vcpu->domain, &m);
        break;
    default:
        send_others(apic, &m);
        break;
    }
}

/* ---- the timer ---- */

static uint32_t timer_mode(const struct vlapic *apic)
{
    return apic->lvt[LVT_TIMER] & LVT_TIMER_MODE;
}

/* ns of one count. */
static uint64_t timer_unit(const struct vlapic *apic)
{
    uint32_t code = (apic->timer_divide & 3) | (apic->timer_divide & 8) >> 1;

    return (uint64_t)TICK_NS << ((code + 1) & 7);
}

static uint64_t timer_period(const struct vlapic *apic)
{
    uint64_t period = apic->timer_initial * timer_unit(apic);

    return timer_mode(apic) == LVT_TIMER_PERIODIC
           ? max(period, (uint64_t)PERIOD_MIN_NS) : period;
}

/* Invariant 4's other half is timer_continue(). */
static void timer_fire(void *arg)
{
    struct vlapic *apic = arg;
    uint32_t lvt;

    memory_barrier();           /* not armed any more before the look at lvt */
    lvt = READ_ONCE(apic->lvt[LVT_TIMER]);
    if (!(lvt & LVT_MASKED)) {
        vlapic_set_irq(apic, lvt & 0xff, false);
    }
    if ((lvt & LVT_TIMER_MODE) == LVT_TIMER_DEADLINE) {
        apic->tsc_deadline = 0;
    }
}

/*
 * The guest took a vector or wrote to the timer's LVT: a periodic timer that
 * fired meanwhile goes on, at the next tick that it would have had.
 */
static void timer_continue(struct vlapic *apic)
{
    uint64_t period;

    if (timer_mode(apic) != LVT_TIMER_PERIODIC || apic->timer_initial == 0
        || (apic->lvt[LVT_TIMER] & LVT_MASKED) != 0) {
        return;
    }
    memory_barrier();           /* IRR and lvt before the look at the timer */
    if (timer_is_armed(&apic->timer)) {
        return;
    }
    period = timer_period(apic);
    apic->timer_start += (arch_time_now() - apic->timer_start) / period
                         * period;
    timer_set(&apic->timer, apic->timer_start + period);
}

void vlapic_take(struct vlapic *apic, unsigned int vector)
{
    vector &= 0xff;
    clear_vector(apic->irr, vector);
    apic->isr[vector / 32] |= 1u << (vector % 32);
    timer_continue(apic);
}

static void timer_arm(struct vlapic *apic)
{
    timer_stop(&apic->timer);
    if (timer_mode(apic) == LVT_TIMER_DEADLINE || apic->timer_initial == 0) {
        return;
    }
    apic->timer_start = arch_time_now();
    timer_set(&apic->timer, apic->timer_start + timer_period(apic));
}

static uint32_t timer_current(const struct vlapic *apic)
{
    uint64_t elapsed, unit = timer_unit(apic);

    if (apic->timer_initial == 0
        || timer_mode(apic) == LVT_TIMER_DEADLINE) {
        return 0;
    }
    elapsed = (arch_time_now() - apic->timer_start) / unit;
    if (timer_mode(apic) == LVT_TIMER_PERIODIC) {
        elapsed %= apic->timer_initial;
    } else if (elapsed >= apic->timer_initial) {
        return 0;
    }
    return apic->timer_initial - (uint32_t)elapsed;
}

uint64_t vlapic_tsc_deadline(const struct vlapic *apic)
{
    return timer_mode(apic) == LVT_TIMER_DEADLINE ? apic->tsc_deadline : 0;
}

void vlapic_set_tsc_deadline(struct vlapic *apic, uint64_t tsc)
{
    uint64_t now, wait;

    if (timer_mode(apic) != LVT_TIMER_DEADLINE) {
        return;
    }
    timer_stop(&apic->timer);
    apic->tsc_deadline = tsc;
    if (tsc == 0) {
        return;
    }
    now = hvm_guest_tsc(apic->vcpu);
    /* At most an hour ahead in one step keeps the product in range. */
    wait = tsc > now ? tsc - now : 0;
    wait = min(wait, 3600 * 1000 * arch_tsc_khz());
    timer_set(&apic->timer,
              arch_time_now() + wait * 1000 / arch_tsc_khz() * 1000);
}

/* ---- registers ---- */

static void write_lvt(struct vlapic *apic, unsigned int i, uint32_t value)
{
    uint32_t old = apic->lvt[i];

    value &= lvt_writable[i];
    if (!(apic->svr & SVR_ENABLED)) {
        value |= LVT_MASKED;
    }
    WRITE_ONCE(apic->lvt[i], value);
    if (i != LVT_TIMER) {
        return;
    }
    if (((old ^ value) & LVT_TIMER_MODE) != 0) {
        timer_stop(&apic->timer);
        apic->tsc_deadline = 0;
        apic->timer_initial = 0;
    }
    timer_continue(apic);
}

static void write_svr(struct vlapic *apic, uint32_t value)
{
    WRITE_ONCE(apic->svr, value & 0x1ff);
    if (!(value & SVR_ENABLED)) {
        for (unsigned int i = 0; i < VLAPIC_LVT_COUNT; i++) {
            apic->lvt[i] |= LVT_MASKED;
        }
    }
}

/* 0, or -EINVAL for a register that does not exist or cannot be read. */
static int reg_read(struct vlapic *apic, uint32_t reg, uint32_t *value)
{
    switch (reg) {
    case REG_ID:
        *value = vlapic_is_x2apic(apic) ? apic->id : apic->id << 24;
        return 0;
    case REG_VERSION:
        *value = VERSION;
        return 0;
    case REG_TPR:
        *value = apic->tpr;
        return 0;
    case REG_PPR:
        *value = processor_priority(apic);
        return 0;
    case REG_LDR:
        *value = vlapic_is_x2apic(apic) ? x2apic_ldr(apic->id) : apic->ldr;
        return 0;
    case REG_DFR:
        *value = apic->dfr;
        return 0;
    case REG_SVR:
        *value = apic->svr;
        return 0;
    case REG_ISR ... REG_ISR + 7:
        *value = apic->isr[reg - REG_ISR];
        return 0;
    case REG_TMR ... REG_TMR + 7:
        *value = READ_ONCE(apic->tmr[reg - REG_TMR]);
        return 0;
    case REG_IRR ... REG_IRR + 7:
        *value = READ_ONCE(apic->irr[reg - REG_IRR]);
        return 0;
    case REG_ESR:
        *value = apic->esr;
        return 0;
    case REG_ICR_LOW:
        *value = apic->icr_low;
        return 0;
    case REG_ICR_HIGH:
        *value = apic->icr_high;
        return 0;
    case REG_LVT ... REG_LVT + VLAPIC_LVT_COUNT - 1:
        *value = apic->lvt[reg - REG_LVT];
        return 0;
    case REG_TIMER_INITIAL:
        *value = apic->timer_initial;
        return 0;
    case REG_TIMER_CURRENT:
        *value = timer_current(apic);
        return 0;
    case REG_TIMER_DIVIDE:
        *value = apic->timer_divide;
        return 0;
    default:
        *value = 0;
        return -EINVAL;
    }
}

/* What both modes have; ICR, ID, LDR, DFR are the callers'. */
static int reg_write(struct vlapic *apic, uint32_t reg, uint32_t value)
{
    switch (reg) {
    case REG_TPR:
        apic->tpr = value & 0xff;
        apic->vcpu->arch->cr8 = (uint8_t)vlapic_cr8(apic);
        return 0;
    case REG_EOI:
        end_of_interrupt(apic);
        return 0;
    case REG_SVR:
        write_svr(apic, value);
        return 0;
    case REG_ESR:
        apic->esr = __atomic_exchange_n(&apic->esr_next, 0,
                                        __ATOMIC_RELAXED);
        return 0;
    case REG_LVT ... REG_LVT + VLAPIC_LVT_COUNT - 1:
        write_lvt(apic, reg - REG_LVT, value);
        return 0;
    case REG_TIMER_INITIAL:
        if (timer_mode(apic) != LVT_TIMER_DEADLINE) {
            apic->timer_initial = value;
            timer_arm(apic);
        }
        return 0;
    case REG_TIMER_DIVIDE:
        apic->timer_divide = value & 0xb;
        return 0;
    default:
        return -EINVAL;
    }
}

uint32_t vlapic_mmio_read(struct vlapic *apic, uint32_t offset)
{
    uint32_t value;

    if (reg_read(apic, (offset & 0xff0) >> 4, &value) != 0) {
        report_error(apic, ESR_ILLEGAL_REGISTER);
    }
    return value;
}

void vlapic_mmio_write(struct vlapic *apic, uint32_t offset, uint32_t value)
{
    switch ((offset & 0xff0) >> 4) {
    case REG_ID:
        return;                 /* fixed, as in Xen */
    case REG_LDR:
        WRITE_ONCE(apic->ldr, value & 0xff000000);
        return;
    case REG_DFR:
        WRITE_ONCE(apic->dfr, value | 0x0fffffff);
        return;
    case REG_ICR_LOW:
        apic->icr_low = value & ~(1u << 12);
        send_ipi(apic, value, apic->icr_high >> 24);
        return;
    case REG_ICR_HIGH:
        apic->icr_high = value & 0xff000000;
        return;
    default:
        if (reg_write(apic, (offset & 0xff0) >> 4, value) != 0) {
            report_error(apic, ESR_ILLEGAL_REGISTER);
        }
        return;
    }
}

int vlapic_rdmsr(struct vlapic *apic, uint32_t msr, uint64_t *value)
{
    uint32_t reg = msr - 0x800, low;

    if (!vlapic_is_x2apic(apic) || reg > 0x3f || reg == REG_ICR_HIGH
        || reg == REG_DFR) {
        return -EINVAL;
    }
    if (reg_read(apic, reg, &low) != 0) {
        return -EINVAL;
    }
    *value = low;
    if (reg == REG_ICR_LOW) {
        *value |= (uint64_t)apic->icr_high << 32;
    }
    return 0;
}

int vlapic_wrmsr(struct vlapic *apic, uint32_t msr, uint64_t value)
{
    uint32_t reg = msr - 0x800;

    if (!vlapic_is_x2apic(apic) || reg > 0x3f) {
        return -EINVAL;
    }
    if (reg == REG_ICR_LOW) {
        apic->icr_low = (uint32_t)value & ~(1u << 12);
        apic->icr_high = (uint32_t)(value >> 32);
        send_ipi(apic, (uint32_t)value, apic->icr_high);
        return 0;
    }
    if (value >> 32 != 0) {
        return -EINVAL;
    }
    if (reg == REG_SELF_IPI) {
        send_ipi(apic, 1u << 18 | ((uint32_t)value & 0xff), 0);
        return 0;
    }
    if ((reg == REG_EOI || reg == REG_ESR) && value != 0) {
        return -EINVAL;
    }
    return reg_write(apic, reg, (uint32_t)value);
}

static bool is_base_valid(uint64_t value)
{
    return (value & ~(uint64_t)(BASE_BSP | BASE_X2APIC | BASE_ENABLED))
               == VLAPIC_BASE
           && (value & (BASE_X2APIC | BASE_ENABLED)) != BASE_X2APIC;
}

int vlapic_set_base(struct vlapic *apic, uint64_t value)
{
    uint64_t old = apic->base_msr;

    if (!is_base_valid(value)) {
        return -EINVAL;
    }
    /* Out of x2APIC only by way of disabled: SDM 11.12.5. */
    if ((old & BASE_X2APIC) && !(value & BASE_X2APIC)
        && (value & BASE_ENABLED)) {
        return -EINVAL;
    }
    value = (value & ~(uint64_t)BASE_BSP) | (old & BASE_BSP);
    WRITE_ONCE(apic->base_msr, value);
    if ((old & BASE_ENABLED) && !(value & BASE_ENABLED)) {
        vlapic_init_reset(apic);
    }
    return 0;
}

/* ---- saved and loaded ---- */

#define REG_COUNT (sizeof(((struct hvm_hw_lapic_regs *)0)->data) / REG_SIZE)
#define REG_SIZE 16u            /* a register's distance from the next */
#define NO_VECTORS 0xffffu      /* 0-15 of IRR, ISR and TMR */

void vlapic_save_base(const struct vlapic *apic, struct hvm_hw_lapic *base)
{
    memset(base, 0, sizeof(*base));
    base->apic_base_msr = apic->base_msr;
    base->disabled = (apic->svr & SVR_ENABLED ? 0 : DISABLED_BY_SVR)
                     | (apic->base_msr & BASE_ENABLED ? 0 : DISABLED_BY_BASE);
    base->timer_divisor = (uint32_t)(timer_unit(apic) / TICK_NS);
    base->tdt_msr = vlapic_tsc_deadline(apic);
}

void vlapic_save_regs(struct vlapic *apic, struct hvm_hw_lapic_regs *regs)
{
    memset(regs, 0, sizeof(*regs));
    for (uint32_t reg = 0; reg < REG_COUNT; reg++) {
        uint32_t value;

        if (reg_read(apic, reg, &value) == 0) {
            memcpy(&regs->data[reg * REG_SIZE], &value, sizeof(value));
        }
    }
}

int vlapic_load_base(struct vlapic *apic, const struct hvm_hw_lapic *base)
{
    if (!is_base_valid(base->apic_base_msr)
        || (base->disabled & ~(DISABLED_BY_SVR | DISABLED_BY_BASE)) != 0) {
        return -EINVAL;
    }
    WRITE_ONCE(apic->base_msr,
               (base->apic_base_msr & ~(uint64_t)BASE_BSP)
               | (apic->base_msr & BASE_BSP));
    apic->tsc_deadline = base->tdt_msr;
    return 0;
}

static uint32_t saved_reg(const struct hvm_hw_lapic_regs *regs, uint32_t reg)
{
    uint32_t value;

    memcpy(&value, &regs->data[reg * REG_SIZE], sizeof(value));
    return value;
}

/* The timer goes on where it was; a deadline is vlapic_load_done()'s. */
static void load_timer(struct vlapic *apic,
                       const struct hvm_hw_lapic_regs *regs)
{
    uint32_t left = saved_reg(regs, REG_TIMER_CURRENT);
    uint64_t elapsed;

    timer_stop(&apic->timer);
    apic->timer_divide = saved_reg(regs, REG_TIMER_DIVIDE) & 0xb;
    apic->timer_initial = saved_reg(regs, REG_TIMER_INITIAL);
    if (timer_mode(apic) == LVT_TIMER_DEADLINE) {
        apic->timer_initial = 0;
        return;
    }
    elapsed = (apic->timer_initial - left) * timer_unit(apic);
    apic->timer_start = arch_time_now() - elapsed;
    if (left != 0 || (timer_mode(apic) == LVT_TIMER_PERIODIC
                      && apic->timer_initial != 0)) {
        timer_set(&apic->timer, apic->timer_start + timer_period(apic));
    }
}

int vlapic_load_regs(struct vlapic *apic,
                     const struct hvm_hw_lapic_regs *regs)
{
    uint32_t low = saved_reg(regs, REG_ISR) | saved_reg(regs, REG_TMR)
                   | saved_reg(regs, REG_IRR);

    if ((low & NO_VECTORS) != 0
        || saved_reg(regs, REG_TIMER_CURRENT)
           > saved_reg(regs, REG_TIMER_INITIAL)) {
        return -EINVAL;
    }
    for (uint32_t i = 0; i < 8; i++) {
        apic->isr[i] = saved_reg(regs, REG_ISR + i);
        WRITE_ONCE(apic->tmr[i], saved_reg(regs, REG_TMR + i));
        WRITE_ONCE(apic->irr[i], saved_reg(regs, REG_IRR + i));
    }
    for (uint32_t i = 0; i < VLAPIC_LVT_COUNT; i++) {
        apic->lvt[i] = saved_reg(regs, REG_LVT + i) & lvt_writable[i];
    }
    write_svr(apic, saved_reg(regs, REG_SVR));
    WRITE_ONCE(apic->dfr, saved_reg(regs, REG_DFR) | 0x0fffffff);
    WRITE_ONCE(apic->ldr, saved_reg(regs, REG_LDR) & 0xff000000);
    apic->tpr = saved_reg(regs, REG_TPR) & 0xff;
    apic->vcpu->arch->cr8 = (uint8_t)vlapic_cr8(apic);
    apic->esr = saved_reg(regs, REG_ESR) & 0xff;
    apic->esr_next = 0;
    apic->icr_low = saved_reg(regs, REG_ICR_LOW) & ~(1u << 12);
    apic->icr_high = saved_reg(regs, REG_ICR_HIGH);
    load_timer(apic, regs);
    return 0;
}

void vlapic_load_done(struct vlapic *apic)
{
    vlapic_set_tsc_deadline(apic, apic->tsc_deadline);
}

/* ---- life ---- */

void vlapic_init_reset(struct vlapic *apic)
{
    timer_stop(&apic->timer);
    for (unsigned int i = 0; i < 8; i++) {
        WRITE_ONCE(apic->irr[i], 0);
        WRITE_ONCE(apic->tmr[i], 0);
        apic->isr[i] = 0;
    }
    for (unsigned int i = 0; i < VLAPIC_LVT_COUNT; i++) {
        apic->lvt[i] = LVT_MASKED;
    }
    WRITE_ONCE(apic->svr, 0xff);
    WRITE_ONCE(apic->dfr, 0xffffffff);
    WRITE_ONCE(apic->ldr, 0);
    apic->tpr = 0;
    apic->esr = 0;
    apic->esr_next = 0;
    apic->icr_low = 0;
    apic->icr_high = 0;
    apic->timer_initial = 0;
    apic->timer_divide = 0;
    apic->tsc_deadline = 0;
}

int vlapic_create(struct vcpu *v)
{
    struct vlapic *apic = kmem_alloc(sizeof(*apic));

    if (apic == NULL) {
        return -ENOMEM;
    }
    apic->vcpu = v;
    apic->id = vlapic_id_of(v->id);
    apic->base_msr = VLAPIC_BASE | BASE_ENABLED
                     | (v->id == 0 ? BASE_BSP : 0);
    timer_init(&apic->timer, timer_fire, apic);
    vlapic_init_reset(apic);
    v->arch->vlapic = apic;
    return 0;
}

void vlapic_destroy(struct vcpu *v)
{
    struct vlapic *apic = vlapic_of(v);

    if (apic != NULL) {
        timer_stop(&apic->timer);
        v->arch->vlapic = NULL;
        kmem_free(apic);
    }
}
