/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PVH guest that kexecs, as Linux does it: it registers what a kernel
 * registers, stops its other vcpu, and shuts down with SHUTDOWN_soft_reset.
 * When reset_host lets it go on it is its next kernel, which finds memory as
 * it was and nothing else of the former, and registers all again.
 */
#include "lib/guest.h"

#include <xen/hvm/hvm_vcpu.h>
#include <xen/hvm/ioreq.h>

#define ROUNDS 3u
#define PATTERN_PAGES 16u
#define FILL 0x5a
#define PORTS 100u
#define AP_APIC_ID 2u
#define YIELDS_MAX 10000000u
#define TRAMPOLINE 0x9000ul
#define ICR_INIT 0x4500u
#define ICR_SIPI 0x4600u

struct areas {
    struct vcpu_runstate_info runstate;
    struct vcpu_time_info time;
};

static volatile uint32_t ap_runs;

/* The second vcpu runs, and stops as Linux stops it. */
static void ap_main(void)
{
    ap_runs = 1;
    for (;;) {
        __asm__ volatile("cli; hlt" ::: "memory");
    }
}

static bool is_all(const void *p, uint8_t value, uint64_t size)
{
    const uint8_t *byte = p;

    for (uint64_t i = 0; i < size; i++) {
        if (byte[i] != value) {
            return false;
        }
    }
    return true;
}

/* ---- what a kernel asks for ---- */

static struct shared_info *place_shared_info(void)
{
    void *page = guest_pages(1);
    struct xen_add_to_physmap x = { .domid = DOMID_SELF,
                                    .space = XENMAPSPACE_shared_info,
                                    .gpfn = gfn_of(page) };

    guest_equal("shared-info", memory_op(XENMEM_add_to_physmap, &x), 0);
    return page;
}

static void register_infos(void *page)
{
    struct vcpu_register_vcpu_info op = { .mfn = gfn_of(page) };

    guest_equal("info-0", vcpu_op(VCPUOP_register_vcpu_info, 0, &op), 0);
    guest_equal("info-0-again", vcpu_op(VCPUOP_register_vcpu_info, 0, &op),
                -EINVAL);
    op.offset = 64;
    guest_equal("info-1", vcpu_op(VCPUOP_register_vcpu_info, 1, &op), 0);
}

static void use_fifo(void)
{
    struct evtchn_init_control control = {
        .control_gfn = gfn_of(guest_pages(1)) };
    struct evtchn_expand_array array = {
        .array_gfn = gfn_of(guest_pages(1)) };

    guest_equal("expand-before", evtchn_op(EVTCHNOP_expand_array, &array),
                -EOPNOTSUPP);
    guest_equal("init-control", evtchn_op(EVTCHNOP_init_control, &control),
                0);
    guest_equal("expand", evtchn_op(EVTCHNOP_expand_array, &array), 0);
}

static struct areas *register_areas(void)
{
    struct areas *a = guest_pages(1);
    struct vcpu_register_runstate_memory_area r;
    struct vcpu_register_time_memory_area t;

    r.addr.p = PTR(&a->runstate);
    t.addr.p = PTR(&a->time);
    guest_equal("runstate",
                vcpu_op(VCPUOP_register_runstate_memory_area, 0, &r), 0);
    guest_equal("time",
                vcpu_op(VCPUOP_register_vcpu_time_memory_area, 0, &t), 0);
    return a;
}

static evtchn_port_t alloc_unbound(void)
{
    struct evtchn_alloc_unbound op = { .dom = DOMID_SELF };

    return evtchn_op(EVTCHNOP_alloc_unbound, &op) == 0 ? op.port : 0;
}

static uint32_t status_of(evtchn_port_t port)
{
    struct evtchn_status op = { .dom = DOMID_SELF, .port = port };

    return evtchn_op(EVTCHNOP_status, &op) == 0 ? op.status : UINT32_MAX;
}

static evtchn_port_t use_timer(void)
{
    struct evtchn_bind_virq bind = { .virq = VIRQ_TIMER };
    struct vcpu_set_singleshot_timer once = { .timeout_abs_ns = 1 };
    struct sched_poll poll = { .nr_ports = 1 };

    guest_equal("bind-timer", evtchn_op(EVTCHNOP_bind_virq, &bind), 0);
    set_xen_guest_handle(poll.ports, &bind.port);
    guest_equal("timer", vcpu_op(VCPUOP_set_singleshot_timer, 0, &once), 0);
    guest_equal("tick", sched_op(SCHEDOP_poll, &poll), 0);
    return bind.port;
}

/* And is down again, as a halted vcpu that nothing can wake is. */
static bool has_run(void)
{
    return ap_runs != 0 && vcpu_op(VCPUOP_is_up, 1, NULL) == 0;
}

static void start_ap(void)
{
    uint64_t stack = PTR(guest_pages(4)) + 4 * PAGE_SIZE;

    apic_enable();
    memcpy((void *)TRAMPOLINE, ap_trampoline,
           (size_t)(ap_trampoline_end - ap_trampoline));
    ap_runs = 0;
    ap_stack_top = stack;
    ap_entry = ap_main;
    barrier();
    apic_send(AP_APIC_ID, ICR_INIT);
    apic_send(AP_APIC_ID, ICR_SIPI | TRAMPOLINE >> PAGE_SHIFT);
    for (unsigned int i = 0; i < YIELDS_MAX && !has_run(); i++) {
        (void)sched_op(SCHEDOP_yield, NULL);
    }
    guest_case(has_run(), "ap-runs", "%u", ap_runs);
}

/* ---- one kernel and the next ---- */

static struct shared_info *shared;
static struct areas *areas;
static uint64_t *pattern;
static evtchn_port_t timer, last;

static uint64_t word_at(uint64_t i)
{
    return (i + 1) * 0x9e3779b97f4a7c15ul;
}

static uint32_t port_in(uint16_t port)
{
    uint32_t value;

    __asm__ volatile("inl %w1, %0" : "=a"(value) : "d"(port));
    return value;
}

/*
 * A kernel that finds events in the ACPI tables' status runs their code for a
 * new CPU, which would end the tables, and the next kernel without them.
 */
static void look_at_acpi(void)
{
    /* Stock Xen has no register there. */
    guest_equal("acpi-events", port_in(ACPI_GPE0_BLK_ADDRESS_V1),
                guest_on_gantry() ? 0 : UINT32_MAX);
    guest_equal("port-below", port_in(ACPI_GPE0_BLK_ADDRESS_V1 - 4),
                UINT32_MAX);
    guest_equal("port-above", port_in(ACPI_GPE0_BLK_ADDRESS_V1 + 4),
                UINT32_MAX);
}

static void begin(void)
{
    look_at_acpi();
    shared = place_shared_info();
    guest_case(is_all(shared->evtchn_pending, 0,
                      sizeof(shared->evtchn_pending)), "pending", "left over");
    guest_case(shared->wc_sec != 0, "wallclock", "none");
    register_infos(guest_pages(1));
    use_fifo();
    areas = register_areas();
    timer = use_timer();
    for (unsigned int i = 0; i < PORTS; i++) {
        last = alloc_unbound();
    }
    guest_case(last > PORTS, "ports", "%u", last);
    start_ap();
    pattern = guest_pages(PATTERN_PAGES);
    for (uint64_t i = 0; i < PATTERN_PAGES * PAGE_SIZE / 8; i++) {
        pattern[i] = word_at(i);
    }
}

static bool is_memory_there(void)
{
    for (uint64_t i = 0; i < PATTERN_PAGES * PAGE_SIZE / 8; i++) {
        if (pattern[i] != word_at(i)) {
            return false;
        }
    }
    return true;
}

static uint64_t param(uint32_t index)
{
    struct xen_hvm_param p = { .domid = DOMID_SELF, .index = index };

    return hvm_op(HVMOP_get_param, &p) == 0 ? p.value : 0;
}

/* What the hypervisor knew of the former kernel; its pages are RAM. */
static void look_back(void)
{
    guest_case(is_memory_there(), "memory", "changed");
    guest_case(is_all(shared, 0, PAGE_SIZE), "shared-gone", "not zero");
    memset(shared, FILL, PAGE_SIZE);
    memset(areas, FILL, PAGE_SIZE);
    guest_equal("timer-closed", status_of(timer), EVTCHNSTAT_closed);
    guest_equal("last-closed", status_of(last), EVTCHNSTAT_closed);
    guest_case(param(HVM_PARAM_CONSOLE_PFN) != 0, "console-page", "none");
    guest_equal("console-port", (long)param(HVM_PARAM_CONSOLE_EVTCHN), 1);
    guest_equal("ap-is-down", vcpu_op(VCPUOP_is_up, 1, NULL), 0);
    for (unsigned int i = 0; i < 100; i++) {
        (void)sched_op(SCHEDOP_yield, NULL);
    }
    guest_case(is_all(shared, FILL, PAGE_SIZE), "shared-is-ram", "written");
    guest_case(is_all(areas, FILL, PAGE_SIZE), "areas", "written");
    guest_equal("first-port", alloc_unbound(), 1);
    (void)evtchn_op(EVTCHNOP_close, &(struct evtchn_close){ 1 });
}

void guest_main(void)
{
    struct sched_shutdown stop = { .reason = SHUTDOWN_soft_reset };

    for (unsigned int round = 1; round <= ROUNDS; round++) {
        guest_log("kernel %u", round);
        begin();
        guest_equal("goes-on", sched_op(SCHEDOP_shutdown, &stop), 0);
        look_back();
    }
}
