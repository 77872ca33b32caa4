/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two vcpus: bring the second up by VCPUOP_initialise and VCPUOP_up, then
 * again by INIT and SIPI; interrupts between them through the local APIC and
 * by event channels; poll, block, yield; is_up, down, register_vcpu_info.
 *
 * The second vcpu runs ap_loop(): it takes one command at a time.
 */
#include "lib/guest.h"

#include <xen/hvm/hvm_vcpu.h>

#define VECTOR 0xf3
#define IPI_VECTOR 0x55
#define NS_PER_MS 1000000ull
#define WAIT_MS 20000u          /* for what comes at once on an idle host */
#define TRAMPOLINE 0x9000ul
#define STORM_ROUNDS 20000u
#define RFLAGS_IF 0x200u
#define ICR_INIT 0x4500u
#define ICR_SIPI 0x4600u

enum command { IDLE, ANSWER, HALT, STOP, BLOCK, SPIN, DOWN, STORM };

static volatile uint32_t ap_runs, ap_woke, ap_ipis, bsp_ipis, ap_apic_id;
static volatile uint32_t command;
static volatile uint32_t never;
static volatile uint32_t ap_upcalls, untimely;
static volatile bool storm_is_over;
static uint8_t *ap_stack;
static uint32_t ap_id_apic;
static struct vcpu_info *ap_info;

/* ---- the second vcpu ---- */

/* Nothing may interrupt where interrupts are off. */
static void note_when(const struct trap_frame *frame)
{
    if (!(frame->rflags & RFLAGS_IF)) {
        untimely++;
    }
}

static void take_ipi(struct trap_frame *frame)
{
    note_when(frame);
    if (rdmsr(X2APIC_ID) == ap_id_apic) {
        ap_ipis++;
    } else {
        bsp_ipis++;
    }
    apic_eoi();
}

static void ap_loop(void)
{
    apic_enable();
    ap_apic_id = (uint32_t)rdmsr(X2APIC_ID);
    barrier();
    ap_runs++;
    for (;;) {
        switch (__atomic_exchange_n(&command, IDLE, __ATOMIC_SEQ_CST)) {
        case ANSWER:
            apic_send(0, IPI_VECTOR);
            break;
        case HALT:
            cpu_wait();
            ap_woke++;
            break;
        case STOP:
            apic_send(ap_id_apic, IPI_VECTOR);
            for (;;) {
                __asm__ volatile("hlt" ::: "memory");
            }
            break;
        case BLOCK:
            irq_enable();
            (void)sched_op(SCHEDOP_block, NULL);
            irq_disable();
            ap_woke++;
            break;
        case SPIN:
            irq_enable();
            while (ap_ipis == 0) {
                cpu_pause();
            }
            irq_disable();
            break;
        case STORM:
            irq_enable();
            while (!storm_is_over) {
                continue;
            }
            irq_disable();
            ap_woke++;
            break;
        case DOWN:
            (void)vcpu_op(VCPUOP_down, 1, NULL);
            break;
        default:
            cpu_pause();
            break;
        }
    }
}

static bool say(uint32_t what)
{
    uint64_t end = time_now() + WAIT_MS * NS_PER_MS;

    command = what;
    while (command != IDLE) {
        if (time_now() > end) {
            return false;
        }
        cpu_pause();
    }
    return true;
}

/* Spins for so long: the other vcpu goes to sleep meanwhile. */
static void pass_time(unsigned int ms)
{
    (void)wait_for(&never, ms);
}

/* ---- bringing it up ---- */

static void prepare(void)
{
    ap_stack_top = PTR(ap_stack + 2 * PAGE_SIZE);
    ap_entry = ap_loop;
    command = IDLE;
    ap_runs = 0;
}

static void test_initialise(void)
{
    struct vcpu_hvm_context *c = guest_pages(1);

    guest_equal("up-uninitialised", vcpu_op(VCPUOP_up, 1, NULL), -EINVAL);
    guest_equal("is-up-before", vcpu_op(VCPUOP_is_up, 1, NULL), 0);
    guest_equal("initialise-no-vcpu", vcpu_op(VCPUOP_initialise, 99, c),
                -ENOENT);
    ap_fill_context(c);
    c->mode = 77;
    guest_case(vcpu_op(VCPUOP_initialise, 1, c) < 0, "initialise-bad-mode",
               "-");
    ap_fill_context(c);
    c->cpu_regs.x86_32.cs_ar = 0;
    guest_equal("initialise-bad-segment", vcpu_op(VCPUOP_initialise, 1, c),
                -EINVAL);
    ap_fill_context(c);
    prepare();
    guest_equal("initialise", vcpu_op(VCPUOP_initialise, 1, c), 0);
    guest_equal("initialise-again", vcpu_op(VCPUOP_initialise, 1, c),
                -EEXIST);
    guest_equal("is-up-initialised", vcpu_op(VCPUOP_is_up, 1, NULL), 0);
    guest_equal("up", vcpu_op(VCPUOP_up, 1, NULL), 0);
    guest_case(wait_for(&ap_runs, WAIT_MS), "up-runs", "%u", ap_runs);
    guest_equal("is-up", vcpu_op(VCPUOP_is_up, 1, NULL), 1);
    guest_equal("up-again", vcpu_op(VCPUOP_up, 1, NULL), 0);
    guest_case(ap_apic_id != 0, "apic-id", "%u", ap_apic_id);
    ap_id_apic = ap_apic_id;
}

static void test_ipis(const char *how)
{
    char name[64];
    bool ok = true;

    snprintf(name, sizeof(name), "%s-ipi-answer", how);
    irq_enable();
    bsp_ipis = 0;
    ok = say(ANSWER) && wait_for(&bsp_ipis, WAIT_MS);
    guest_case(ok, name, "%u", bsp_ipis);

    ap_ipis = ap_woke = 0;
    ok = say(HALT);
    pass_time(5);
    apic_send(ap_id_apic, IPI_VECTOR);
    snprintf(name, sizeof(name), "%s-ipi-wakes-hlt", how);
    guest_case(ok && wait_for(&ap_woke, WAIT_MS) && ap_ipis == 1, name,
               "%u", ap_ipis);

    ap_ipis = 0;
    ok = say(SPIN);
    pass_time(5);
    apic_send(ap_id_apic, IPI_VECTOR);
    snprintf(name, sizeof(name), "%s-ipi-to-running", how);
    guest_case(ok && wait_for(&ap_ipis, WAIT_MS), name, "%u", ap_ipis);
    irq_disable();
}

/*
 * Many to and fro, sleeping: a lost wakeup would hang one of them.  Fewer on
 * stock Xen, whose dom0 of two vcpus stalls for seconds under emulation.
 */
static void test_ping_pong(void)
{
    unsigned int rounds, all = guest_on_gantry() ? 500 : 10;

    for (rounds = 0; rounds < all; rounds++) {
        ap_woke = bsp_ipis = 0;
        if (!say(HALT)) {
            break;
        }
        apic_send(ap_id_apic, IPI_VECTOR);
        if (!wait_for(&ap_woke, WAIT_MS)) {
            break;
        }
        command = ANSWER;
        while (bsp_ipis == 0) {
            cpu_wait();
        }
    }
    guest_equal("ping-pong", rounds, all);
}

static void test_down_and_sipi(void)
{
    bool ok = say(DOWN);

    pass_time(20);
    guest_case(ok && vcpu_op(VCPUOP_is_up, 1, NULL) == 0, "down", "%ld",
               vcpu_op(VCPUOP_is_up, 1, NULL));
    memcpy((void *)TRAMPOLINE, ap_trampoline,
           (size_t)(ap_trampoline_end - ap_trampoline));
    prepare();
    if (guest_on_gantry()) {
        /* Has no handler where it starts: INIT forgets it. */
        (void)vcpu_op(VCPUOP_send_nmi, 1, NULL);
    }
    apic_send(ap_id_apic, ICR_INIT);
    pass_time(10);
    apic_send(ap_id_apic, ICR_SIPI | TRAMPOLINE >> PAGE_SHIFT);
    guest_case(wait_for(&ap_runs, WAIT_MS), "sipi-runs", "%u", ap_runs);
    guest_equal("sipi-is-up", vcpu_op(VCPUOP_is_up, 1, NULL), 1);
    apic_send(ap_id_apic, ICR_SIPI | TRAMPOLINE >> PAGE_SHIFT);
    pass_time(10);
    guest_case(ap_runs == 1, "sipi-again-ignored", "%u", ap_runs);
}

/* INIT while it sleeps, then SIPI: it starts anew. */
static void test_init_again(void)
{
    (void)say(HALT);
    pass_time(5);
    prepare();
    apic_send(ap_id_apic, ICR_INIT);
    pass_time(10);
    guest_case(ap_runs == 0, "init-stops", "%u", ap_runs);
    apic_send(ap_id_apic, ICR_SIPI | TRAMPOLINE >> PAGE_SHIFT);
    guest_case(wait_for(&ap_runs, WAIT_MS), "init-sipi-runs", "%u", ap_runs);
}

/*
 * HLT with interrupts off ends a vcpu, whatever is pending: so Linux halts
 * and, where all vcpus did, the guest powers off.  With an event that came
 * late it spun there.
 */
static void test_stop(void)
{
    bool ok = say(STOP);

    pass_time(20);
    guest_case(ok && vcpu_op(VCPUOP_is_up, 1, NULL) == 0, "stop", "%ld",
               vcpu_op(VCPUOP_is_up, 1, NULL));
    prepare();
    apic_send(ap_id_apic, ICR_INIT);
    pass_time(10);
    apic_send(ap_id_apic, ICR_SIPI | TRAMPOLINE >> PAGE_SHIFT);
    guest_case(wait_for(&ap_runs, WAIT_MS), "stop-sipi-runs", "%u", ap_runs);
}

/* ---- events ---- */

/* Another vcpu's only while that is down. */
static void test_vcpu_info(void)
{
    struct vcpu_info *info = guest_pages(1);
    struct vcpu_register_vcpu_info r = { .mfn = gfn_of(info) };

    r.offset = PAGE_SIZE - 8;
    guest_equal("vcpu-info-offset",
                vcpu_op(VCPUOP_register_vcpu_info, 1, &r), -ENXIO);
    r.offset = 128;
    guest_equal("vcpu-info", vcpu_op(VCPUOP_register_vcpu_info, 1, &r), 0);
    guest_case(vcpu_op(VCPUOP_register_vcpu_info, 1, &r) < 0,
               "vcpu-info-again", "-");
    ap_info = (struct vcpu_info *)((uint8_t *)info + 128);
    /* All is pending in a new place; vcpu 1 does not look at it. */
    guest_case(ap_info->evtchn_upcall_pending == 1, "vcpu-info-pending",
               "%u", ap_info->evtchn_upcall_pending);
    ap_info->evtchn_upcall_pending = 0;
    ap_info->evtchn_pending_sel = 0;
}

/* Poll returns at once for a pending port, later for a timeout. */
static void test_poll(void)
{
    struct evtchn_bind_ipi ipi = { .vcpu = 0 };
    struct evtchn_send send;
    struct sched_poll poll = { .nr_ports = 1 };
    evtchn_port_t port;
    uint64_t start;

    guest_equal("poll-bind", evtchn_op(EVTCHNOP_bind_ipi, &ipi), 0);
    port = ipi.port;
    set_xen_guest_handle_raw(poll.ports, &port);
    send.port = port;
    start = time_now();
    poll.timeout = start + 20 * NS_PER_MS;
    guest_equal("poll", sched_op(SCHEDOP_poll, &poll), 0);
    guest_case(time_now() >= poll.timeout, "poll-timeout", "%lu us",
               (time_now() - start) / 1000);
    (void)evtchn_op(EVTCHNOP_send, &send);
    poll.timeout = time_now() + 5000 * NS_PER_MS;
    start = time_now();
    guest_equal("poll-pending", sched_op(SCHEDOP_poll, &poll), 0);
    guest_case(time_now() < poll.timeout, "poll-at-once", "%lu us",
               (time_now() - start) / 1000);
    poll.nr_ports = 129;
    guest_equal("poll-many", sched_op(SCHEDOP_poll, &poll), -EINVAL);
    poll.nr_ports = 1;
    port = 1u << 30;
    guest_equal("poll-bad-port", sched_op(SCHEDOP_poll, &poll), -EINVAL);
    guest_equal("yield", sched_op(SCHEDOP_yield, NULL), 0);
}

/* An upcall to vcpu 1 ends its block. */
static void take_upcall(struct trap_frame *frame)
{
    note_when(frame);
    ap_upcalls++;
    ap_info->evtchn_upcall_pending = 0;
    ap_info->evtchn_pending_sel = 0;
    apic_eoi();
}

static void test_block(void)
{
    struct evtchn_bind_ipi ipi = { .vcpu = 1 };
    struct xen_hvm_evtchn_upcall_vector v = { 1, VECTOR };
    struct evtchn_send send;
    struct shared_info *s = guest_shared();

    guest_equal("block-bind", evtchn_op(EVTCHNOP_bind_ipi, &ipi), 0);
    guest_equal("block-vector", hvm_op(HVMOP_set_evtchn_upcall_vector, &v),
                0);
    s->evtchn_mask[ipi.port / 64] &= ~(1ull << ipi.port % 64);
    ap_woke = 0;
    (void)say(BLOCK);
    pass_time(10);
    guest_case(ap_woke == 0, "block", "%u", ap_woke);
    send.port = ipi.port;
    (void)evtchn_op(EVTCHNOP_send, &send);
    guest_case(wait_for(&ap_woke, WAIT_MS), "block-woken", "%u", ap_woke);
}

/*
 * Interrupts of two kinds at a vcpu that runs, so that one often waits for the
 * other or for the hypervisor's own.  QEMU delivered one twice, the second
 * time at the first instruction of its handler; Linux's dom0 died of that.
 */
static void test_storm(void)
{
    struct evtchn_bind_ipi ipi = { .vcpu = 1 };
    struct xen_hvm_param callback = {
        .domid = DOMID_SELF, .index = HVM_PARAM_CALLBACK_IRQ,
        .value = 2ull << 56 | VECTOR,
    };
    struct shared_info *s = guest_shared();
    struct evtchn_send send;

    guest_equal("storm-bind", evtchn_op(EVTCHNOP_bind_ipi, &ipi), 0);
    guest_equal("storm-callback", hvm_op(HVMOP_set_param, &callback), 0);
    s->evtchn_mask[ipi.port / 64] &= ~(1ull << ipi.port % 64);
    send.port = ipi.port;
    ap_ipis = ap_upcalls = untimely = ap_woke = 0;
    (void)say(STORM);
    for (unsigned int i = 0; i < STORM_ROUNDS; i++) {
        s->evtchn_pending[ipi.port / 64] &= ~(1ull << ipi.port % 64);
        (void)evtchn_op(EVTCHNOP_send, &send);
        apic_send(ap_id_apic, IPI_VECTOR);
    }
    storm_is_over = true;
    guest_case(wait_for(&ap_woke, WAIT_MS), "storm-ends", "-");
    guest_case(ap_ipis > 0 && ap_upcalls > 0 && untimely == 0, "storm",
               "%u IPIs, %u upcalls, %u where interrupts were off", ap_ipis,
               ap_upcalls, untimely);
    callback.value = 0;
    guest_equal("storm-no-callback", hvm_op(HVMOP_set_param, &callback), 0);
    s->evtchn_mask[ipi.port / 64] |= 1ull << ipi.port % 64;
}

void guest_main(void)
{
    ap_stack = guest_pages(2);
    trap_set_handler(IPI_VECTOR, take_ipi);
    trap_set_handler(VECTOR, take_upcall);
    apic_enable();
    test_poll();
    test_vcpu_info();
    test_initialise();
    test_ipis("op");
    test_ping_pong();
    test_down_and_sipi();
    test_ipis("sipi");
    test_init_again();
    test_ipis("init");
    test_stop();
    test_ipis("stopped");
    test_storm();
    test_block();
    guest_case(ap_info->time.tsc_to_system_mul != 0, "vcpu-info-time", "%u",
               ap_info->time.tsc_to_system_mul);
}
