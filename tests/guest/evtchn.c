/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Event channels as a kernel uses them: ports to itself by both ABIs, masks,
 * the upcall by vector through the local APIC, timer events, status, errors.
 *
 * 2-level first (the ABI of a new domain), then FIFO: the switch is one way.
 * An upcall is an edge: the kernel looks at all its ports for each, and a
 * port that fires meanwhile must bring another (test_upcall_again).
 */
#include "lib/guest.h"

#define VECTOR 0xf3
#define NS_PER_MS 1000000ull
#define WAIT_MS 20000u          /* for what comes at once on an idle host */

static volatile uint32_t upcalls;
static volatile uint32_t seen[256];     /* how often each port fired */
static event_word_t *fifo;              /* NULL: 2-level */
static struct evtchn_fifo_control_block *control;

/* ---- what a kernel's upcall does ---- */

static void scan_2l(struct shared_info *s)
{
    uint64_t words = __atomic_exchange_n(
        &s->vcpu_info[0].evtchn_pending_sel, 0, __ATOMIC_SEQ_CST);

    for (unsigned int w = 0; w < 4; w++) {
        uint64_t bits;

        if (!(words >> w & 1)) {
            continue;
        }
        bits = READ_ONCE(s->evtchn_pending[w])
               & ~READ_ONCE(s->evtchn_mask[w]);
        for (unsigned int i = 0; i < 64; i++) {
            if (bits >> i & 1) {
                __atomic_fetch_and(&s->evtchn_pending[w], ~(1ull << i),
                                   __ATOMIC_SEQ_CST);
                seen[w * 64 + i]++;
            }
        }
    }
}

/* event_channel.h, and the FIFO design: one queue, head to tail. */
static void scan_queue(unsigned int q)
{
    uint32_t head = READ_ONCE(control->head[q]);

    for (unsigned int n = 0; head != 0 && n < 1024; n++) {
        uint32_t old = __atomic_fetch_and(
            &fifo[head], ~(1u << EVTCHN_FIFO_LINKED | EVTCHN_FIFO_LINK_MASK),
            __ATOMIC_SEQ_CST);

        if ((old >> EVTCHN_FIFO_PENDING & 1)
            && !(old >> EVTCHN_FIFO_MASKED & 1)) {
            __atomic_fetch_and(&fifo[head], ~(1u << EVTCHN_FIFO_PENDING),
                               __ATOMIC_SEQ_CST);
            if (head < ARRAY_SIZE(seen)) {
                seen[head]++;
            }
        }
        head = old & EVTCHN_FIFO_LINK_MASK;
        if (head == 0) {
            barrier();
            head = READ_ONCE(control->head[q]);
            head = (fifo[head] >> EVTCHN_FIFO_LINKED & 1) ? head : 0;
        }
    }
}

static void scan_fifo(void)
{
    uint32_t ready = __atomic_exchange_n(&control->ready, 0,
                                         __ATOMIC_SEQ_CST);

    for (unsigned int q = 0; q < EVTCHN_FIFO_MAX_QUEUES; q++) {
        if (ready >> q & 1) {
            scan_queue(q);
        }
    }
}

static void take_upcall(struct trap_frame *frame)
{
    struct shared_info *s = guest_shared();

    (void)frame;
    apic_eoi();
    upcalls++;
    while (__atomic_exchange_n(&s->vcpu_info[0].evtchn_upcall_pending, 0,
                               __ATOMIC_SEQ_CST)) {
        if (fifo == NULL) {
            scan_2l(s);
        } else {
            scan_fifo();
        }
    }
}

/* ---- small helpers ---- */

static void set_mask(evtchn_port_t port, bool masked)
{
    struct shared_info *s = guest_shared();

    if (fifo != NULL) {
        if (masked) {
            __atomic_fetch_or(&fifo[port], 1u << EVTCHN_FIFO_MASKED,
                              __ATOMIC_SEQ_CST);
        } else {
            __atomic_fetch_and(&fifo[port], ~(1u << EVTCHN_FIFO_MASKED),
                               __ATOMIC_SEQ_CST);
        }
    } else if (masked) {
        __atomic_fetch_or(&s->evtchn_mask[port / 64], 1ull << port % 64,
                          __ATOMIC_SEQ_CST);
    } else {
        __atomic_fetch_and(&s->evtchn_mask[port / 64],
                           ~(1ull << port % 64), __ATOMIC_SEQ_CST);
    }
}

static long send_to(evtchn_port_t port)
{
    struct evtchn_send op = { port };

    return evtchn_op(EVTCHNOP_send, &op);
}

static long close_port(evtchn_port_t port)
{
    struct evtchn_close op = { port };

    return evtchn_op(EVTCHNOP_close, &op);
}

static long unmask(evtchn_port_t port)
{
    struct evtchn_unmask op = { port };

    return evtchn_op(EVTCHNOP_unmask, &op);
}

static uint32_t bind_ipi(void)
{
    struct evtchn_bind_ipi op = { .vcpu = 0 };

    return evtchn_op(EVTCHNOP_bind_ipi, &op) == 0 ? op.port : 0;
}

/* ---- cases; names get the ABI in front ---- */

static const char *abi = "2l";

static const char *name_of(const char *what)
{
    static char name[64];

    snprintf(name, sizeof(name), "%s-%s", abi, what);
    return name;
}

static void test_ipi(void)
{
    uint32_t port = bind_ipi();
    uint32_t before;

    guest_case(port != 0 && port < ARRAY_SIZE(seen), name_of("bind-ipi"),
               "port %u", port);
    set_mask(port, false);
    seen[port] = 0;
    guest_equal(name_of("send"), send_to(port), 0);
    guest_case(wait_for(&seen[port], WAIT_MS) && seen[port] == 1,
               name_of("upcall"), "%u", seen[port]);

    set_mask(port, true);
    seen[port] = 0;
    before = upcalls;
    (void)send_to(port);
    (void)send_to(port);
    guest_case(seen[port] == 0 && upcalls == before, name_of("masked"),
               "seen %u", seen[port]);
    guest_equal(name_of("unmask"), unmask(port), 0);
    guest_case(wait_for(&seen[port], WAIT_MS) && seen[port] == 1,
               name_of("unmask-upcall"), "%u", seen[port]);
    set_mask(port, false);
    guest_equal(name_of("close"), close_port(port), 0);
    guest_equal(name_of("send-closed"), send_to(port), -EINVAL);
    guest_equal(name_of("close-closed"), close_port(port), -EINVAL);
}

/* Sent with interrupts off, taken when they come on; then by HLT. */
static void test_upcall_off(void)
{
    uint32_t port = bind_ipi();

    set_mask(port, false);
    irq_disable();
    seen[port] = 0;
    (void)send_to(port);
    guest_case(seen[port] == 0, name_of("irq-off"), "%u", seen[port]);
    cpu_wait();
    guest_case(seen[port] == 1, name_of("irq-on"), "%u", seen[port]);
    for (unsigned int i = 0; i < 1000; i++) {
        (void)send_to(port);
        /* Not PAUSE: QEMU's keeps the shadow of STI. */
        __asm__ volatile("sti; nop; nop; cli" ::: "memory");
    }
    guest_case(seen[port] == 1001, name_of("upcall-again"), "%u of 1001",
               seen[port]);
    irq_enable();
    (void)close_port(port);
}

static void test_interdomain(void)
{
    struct evtchn_alloc_unbound alloc = {
        .dom = DOMID_SELF, .remote_dom = DOMID_SELF,
    };
    struct evtchn_bind_interdomain bind = { .remote_dom = DOMID_SELF };
    struct evtchn_status status = { .dom = DOMID_SELF };
    long rc = evtchn_op(EVTCHNOP_alloc_unbound, &alloc);

    guest_case(rc == 0 && alloc.port != 0, name_of("alloc-unbound"),
               "%ld, port %u", rc, alloc.port);
    status.port = alloc.port;
    rc = evtchn_op(EVTCHNOP_status, &status);
    guest_case(rc == 0 && status.status == EVTCHNSTAT_unbound,
               name_of("status-unbound"), "%ld, %u", rc, status.status);
    bind.remote_port = alloc.port;
    guest_equal(name_of("bind-interdomain"),
                evtchn_op(EVTCHNOP_bind_interdomain, &bind), 0);
    set_mask(alloc.port, false);
    set_mask(bind.local_port, false);
    rc = evtchn_op(EVTCHNOP_status, &status);
    guest_case(rc == 0 && status.status == EVTCHNSTAT_interdomain
               && status.u.interdomain.port == bind.local_port,
               name_of("status-interdomain"), "%ld, %u", rc, status.status);
    seen[alloc.port] = 0;
    (void)send_to(bind.local_port);
    guest_case(wait_for(&seen[alloc.port], WAIT_MS), name_of("interdomain"),
               "%u", seen[alloc.port]);
    /* A port that is taken cannot be bound again. */
    guest_case(evtchn_op(EVTCHNOP_bind_interdomain, &bind) < 0,
               name_of("bind-taken"), "-");
    (void)close_port(bind.local_port);
    rc = evtchn_op(EVTCHNOP_status, &status);
    guest_case(rc == 0 && status.status == EVTCHNSTAT_unbound,
               name_of("other-end-unbound"), "%ld, %u", rc, status.status);
    (void)close_port(alloc.port);
}

static void test_timer(void)
{
    struct evtchn_bind_virq bind = { .virq = VIRQ_TIMER, .vcpu = 0 };
    struct vcpu_set_singleshot_timer set = { 0 };
    uint64_t start;
    long rc = evtchn_op(EVTCHNOP_bind_virq, &bind);

    guest_case(rc == 0, name_of("bind-virq"), "%ld, port %u", rc, bind.port);
    guest_equal(name_of("bind-virq-again"),
                evtchn_op(EVTCHNOP_bind_virq, &bind), -EEXIST);
    set_mask(bind.port, false);
    seen[bind.port] = 0;
    start = time_now();
    set.timeout_abs_ns = start + 20 * NS_PER_MS;
    guest_equal(name_of("singleshot"),
                vcpu_op(VCPUOP_set_singleshot_timer, 0, &set), 0);
    rc = wait_for(&seen[bind.port], WAIT_MS);
    guest_case(rc && time_now() >= set.timeout_abs_ns,
               name_of("singleshot-fires"), "after %lu us",
               (time_now() - start) / 1000);
    seen[bind.port] = 0;
    set.timeout_abs_ns = start;
    (void)vcpu_op(VCPUOP_set_singleshot_timer, 0, &set);
    guest_case(wait_for(&seen[bind.port], WAIT_MS), name_of("singleshot-past"),
               "%u", seen[bind.port]);
    set.flags = VCPU_SSHOTTMR_future;
    guest_case(vcpu_op(VCPUOP_set_singleshot_timer, 0, &set) <= 0,
               name_of("singleshot-future"), "-");
    set = (struct vcpu_set_singleshot_timer){
        .timeout_abs_ns = time_now() + 20 * NS_PER_MS,
    };
    seen[bind.port] = 0;
    (void)vcpu_op(VCPUOP_set_singleshot_timer, 0, &set);
    (void)vcpu_op(VCPUOP_stop_singleshot_timer, 0, NULL);
    guest_case(!wait_for(&seen[bind.port], 60), name_of("singleshot-stop"),
               "%u", seen[bind.port]);
    /* HLT ends by the timer. */
    irq_disable();
    start = time_now();
    set.timeout_abs_ns = start + 30 * NS_PER_MS;
    (void)vcpu_op(VCPUOP_set_singleshot_timer, 0, &set);
    while (seen[bind.port] == 0) {
        cpu_wait();
    }
    guest_case(time_now() >= set.timeout_abs_ns, name_of("timer-hlt"),
               "after %lu us", (time_now() - start) / 1000);
    irq_enable();
    (void)close_port(bind.port);
}

static void test_errors(void)
{
    struct evtchn_bind_ipi ipi = { .vcpu = 4096 };
    struct evtchn_bind_virq virq = { .virq = 200, .vcpu = 0 };
    struct evtchn_bind_vcpu vcpu = { .port = 9999, .vcpu = 0 };
    struct evtchn_alloc_unbound alloc = {
        .dom = 77, .remote_dom = DOMID_SELF,
    };
    struct evtchn_status status = { .dom = DOMID_SELF, .port = 1u << 30 };

    guest_equal(name_of("ipi-no-vcpu"),
                evtchn_op(EVTCHNOP_bind_ipi, &ipi), -ENOENT);
    guest_equal(name_of("virq-bad"),
                evtchn_op(EVTCHNOP_bind_virq, &virq), -EINVAL);
    guest_case(evtchn_op(EVTCHNOP_bind_vcpu, &vcpu) < 0,
               name_of("bind-vcpu-bad"), "-");
    guest_equal(name_of("alloc-no-domain"),
                evtchn_op(EVTCHNOP_alloc_unbound, &alloc), -ESRCH);
    guest_equal(name_of("status-bad"),
                evtchn_op(EVTCHNOP_status, &status), -EINVAL);
    guest_equal(name_of("send-bad"), send_to(1u << 30), -EINVAL);
    guest_equal(name_of("send-0"), send_to(0), -EINVAL);
    guest_equal("op-unknown", evtchn_op(77, &status), -ENOSYS);
}

static void run_all(void)
{
    test_ipi();
    test_upcall_off();
    test_interdomain();
    test_timer();
    test_errors();
}

/* ---- FIFO ---- */

static void start_fifo(void)
{
    struct evtchn_expand_array expand = { 0 };
    struct evtchn_init_control init = { .vcpu = 0 };
    void *array = guest_pages(1);
    long rc;

    control = guest_pages(1);
    expand.array_gfn = gfn_of(array);
    guest_case(evtchn_op(EVTCHNOP_expand_array, &expand) < 0,
               "fifo-expand-before", "-");
    init.control_gfn = gfn_of(control);
    init.offset = 8 + 4;
    guest_equal("fifo-offset-odd", evtchn_op(EVTCHNOP_init_control, &init),
                -EINVAL);
    init.offset = PAGE_SIZE - 8;
    guest_equal("fifo-offset-end", evtchn_op(EVTCHNOP_init_control, &init),
                -EINVAL);
    init.offset = 0;
    rc = evtchn_op(EVTCHNOP_init_control, &init);
    guest_case(rc == 0 && init.link_bits >= 17, "fifo-init", "%ld, %u bits",
               rc, init.link_bits);
    guest_case(evtchn_op(EVTCHNOP_init_control, &init) < 0,
               "fifo-init-again", "-");
    guest_equal("fifo-expand", evtchn_op(EVTCHNOP_expand_array, &expand), 0);
    fifo = array;
    abi = "fifo";
}

/* Higher priority (lower number) is delivered first. */
static void test_priority(void)
{
    uint32_t low = bind_ipi(), high = bind_ipi();
    struct evtchn_set_priority set = { low, EVTCHN_FIFO_PRIORITY_MIN };
    uint32_t ready;

    guest_equal("fifo-priority", evtchn_op(EVTCHNOP_set_priority, &set), 0);
    set = (struct evtchn_set_priority){ high, EVTCHN_FIFO_PRIORITY_MAX };
    (void)evtchn_op(EVTCHNOP_set_priority, &set);
    set.priority = EVTCHN_FIFO_PRIORITY_MIN + 1;
    guest_equal("fifo-priority-bad",
                evtchn_op(EVTCHNOP_set_priority, &set), -EINVAL);
    set_mask(low, false);
    set_mask(high, false);
    irq_disable();
    seen[low] = seen[high] = 0;
    (void)send_to(low);
    (void)send_to(high);
    ready = READ_ONCE(control->ready);
    guest_case(ready == (1u << EVTCHN_FIFO_PRIORITY_MIN
                         | 1u << EVTCHN_FIFO_PRIORITY_MAX),
               "fifo-ready", "%x", ready);
    irq_enable();
    guest_case(wait_for(&seen[low], WAIT_MS) && wait_for(&seen[high], WAIT_MS),
               "fifo-both", "%u %u", seen[low], seen[high]);
    (void)close_port(low);
    (void)close_port(high);
}

void guest_main(void)
{
    struct xen_hvm_evtchn_upcall_vector v = { .vcpu = 0, .vector = 5 };
    struct shared_info *s = guest_shared();

    for (unsigned int i = 0; i < ARRAY_SIZE(s->evtchn_mask); i++) {
        s->evtchn_mask[i] = ~0ul;
    }
    trap_set_handler(VECTOR, take_upcall);
    apic_enable();
    guest_equal("vector-low", hvm_op(HVMOP_set_evtchn_upcall_vector, &v),
                -EINVAL);
    v = (struct xen_hvm_evtchn_upcall_vector){ 4096, VECTOR };
    guest_equal("vector-no-vcpu", hvm_op(HVMOP_set_evtchn_upcall_vector, &v),
                -ENOENT);
    v.vcpu = 0;
    guest_equal("vector", hvm_op(HVMOP_set_evtchn_upcall_vector, &v), 0);
    irq_enable();
    run_all();
    irq_disable();
    start_fifo();
    irq_enable();
    run_all();
    test_priority();
}
