/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What hypercalls of a PV guest cost, in instructions of personality and
 * hypervisor together: run with QEMU's -icount, where a tick of the TSC is an
 * instruction.  Each has a budget, about a third above what it was when it
 * was last looked at, in a build by gcc as configure makes it (with LTO).
 */
#include "pv/pv.h"

#include <xen/version.h>

#define ROUNDS 64u

static evtchn_port_t port, ports[2];

static uint64_t now(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a" (low), "=d" (high) :: "memory");
    return (uint64_t)high << 32 | low;
}

static void ask_version(void)
{
    (void)hypercall(__HYPERVISOR_xen_version, XENVER_version, 0, 0);
}

static void ask_extraversion(void)
{
    xen_extraversion_t extra;

    (void)hypercall(__HYPERVISOR_xen_version, XENVER_extraversion,
                    PTR(extra), 0);
}

static void ask_features(void)
{
    struct xen_feature_info info = { .submap_idx = 0 };

    (void)hypercall(__HYPERVISOR_xen_version, XENVER_get_features, PTR(&info),
                    0);
}

static void ask_handle(void)
{
    xen_domain_handle_t handle;

    (void)hypercall(__HYPERVISOR_xen_version, XENVER_guest_handle,
                    PTR(handle), 0);
}

static void send(void)
{
    struct evtchn_send op = { .port = port };

    (void)hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, PTR(&op),
                    0);
}

/* What the hypervisor answers into the guest's memory. */
static void ask_status(void)
{
    struct evtchn_status op = { .dom = DOMID_SELF, .port = port };

    (void)hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_status, PTR(&op),
                    0);
}

static void is_up(void)
{
    (void)hypercall(__HYPERVISOR_vcpu_op, VCPUOP_is_up, 0, 0);
}

static void set_timer(void)
{
    (void)hypercall(__HYPERVISOR_set_timer_op, 0, 0, 0);
}

static void two_in_one(void)
{
    struct multicall_entry list[2] = {
        { .op = __HYPERVISOR_stack_switch },
        { .op = __HYPERVISOR_fpu_taskswitch },
    };

    list[0].args[0] = FLAT_KERNEL_SS;
    list[0].args[1] = PTR(list);
    (void)hypercall(__HYPERVISOR_multicall, PTR(list), 2, 0);
}

/* ---- a page table's entry ---- */

static const void *page;
static struct mmu_update update;

static void update_page(void)
{
    (void)hypercall(__HYPERVISOR_update_va_mapping, PTR(page), update.val, 0);
}

static void update_list(void)
{
    (void)hypercall6(__HYPERVISOR_mmu_update, PTR(&update), 1, 0, DOMID_SELF,
                     0);
}

static void update_keeping(void)
{
    struct mmu_update u = { .ptr = update.ptr | MMU_PT_UPDATE_PRESERVE_AD,
                            .val = update.val };

    (void)hypercall6(__HYPERVISOR_mmu_update, PTR(&u), 1, 0, DOMID_SELF, 0);
}

/* ---- there and back: each vcpu sleeps until its port is rung ---- */

static void ring(unsigned int vcpu)
{
    struct evtchn_send op = { .port = ports[vcpu] };

    (void)hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, PTR(&op),
                    0);
}

static void wait_for_ring(unsigned int vcpu)
{
    struct sched_poll poll = { .nr_ports = 1 };
    uint64_t *pending = &shared_info->evtchn_pending[ports[vcpu] / 64];
    uint64_t bit = 1ul << (ports[vcpu] % 64);

    set_xen_guest_handle(poll.ports, &ports[vcpu]);
    while (!(READ_ONCE(*pending) & bit)) {
        (void)hypercall(__HYPERVISOR_sched_op, SCHEDOP_poll, PTR(&poll), 0);
    }
    __atomic_fetch_and(pending, ~bit, __ATOMIC_SEQ_CST);
}

static void ping(void)
{
    ring(1);
    wait_for_ring(0);
}

static void __attribute__((noreturn)) answer(void)
{
    for (;;) {
        wait_for_ring(1);
        ring(0);
    }
}

static const struct {
    const char *name;
    void (*call)(void);
    unsigned int budget;
} rows[] = {
    { "cost-version", ask_version, 190 },
    { "cost-multicall", two_in_one, 580 },
    { "cost-is-up", is_up, 650 },
    { "cost-set-timer", set_timer, 710 },
    { "cost-send", send, 880 },
    { "cost-status", ask_status, 940 },
    { "cost-extraversion", ask_extraversion, 210 },
    { "cost-features", ask_features, 260 },
    { "cost-handle", ask_handle, 260 },
    { "cost-update-va", update_page, 460 },
    { "cost-mmu-update", update_list, 360 },
    { "cost-mmu-update-keeping", update_keeping, 380 },
    { "cost-ping", ping, 14400 },
};

/* The least of many: an interrupt of the machine makes one dearer. */
static uint64_t cost(void (*call)(void))
{
    uint64_t least = UINT64_MAX;

    for (unsigned int i = 0; i < ROUNDS; i++) {
        uint64_t start = now();

        call();
        least = min(least, now() - start);
    }
    return least;
}

/* As Linux does: what is written at each switch from and to a vcpu. */
static void register_areas(unsigned int vcpu)
{
    static struct vcpu_runstate_info runstate[2];
    static struct vcpu_time_info time;
    struct vcpu_register_runstate_memory_area area;
    struct vcpu_register_time_memory_area time_area;

    set_xen_guest_handle(area.addr.h, &runstate[vcpu]);
    pv_equal("runstate", hypercall(__HYPERVISOR_vcpu_op,
                                   VCPUOP_register_runstate_memory_area,
                                   vcpu, PTR(&area)), 0);
    if (vcpu == 0) {
        set_xen_guest_handle(time_area.addr.h, &time);
        pv_equal("time", hypercall(__HYPERVISOR_vcpu_op,
                                   VCPUOP_register_vcpu_time_memory_area,
                                   vcpu, PTR(&time_area)), 0);
    }
}

static evtchn_port_t bind_masked(unsigned int vcpu)
{
    struct evtchn_bind_ipi bind = { .vcpu = vcpu };

    pv_equal("bind-ipi", hypercall(__HYPERVISOR_event_channel_op,
                                   EVTCHNOP_bind_ipi, PTR(&bind), 0), 0);
    shared_info->evtchn_mask[bind.port / 64] |= 1ul << (bind.port % 64);
    return bind.port;
}

static void choose_page(void)
{
    const uint64_t *entry;

    page = pv_pages(1);
    entry = pv_entry_of(page);
    update.ptr = mfn_of(entry) << PAGE_SHIFT | (PTR(entry) & 0xfff);
    update.val = *entry;
}

void pv_main(void)
{
    choose_page();
    port = bind_masked(0);
    ports[0] = bind_masked(0);
    ports[1] = bind_masked(1);
    pv_equal("assist", hypercall(__HYPERVISOR_vm_assist, VMASST_CMD_enable,
                                 VMASST_TYPE_runstate_update_flag, 0), 0);
    register_areas(0);
    register_areas(1);
    pv_start_vcpu(1, answer);
    for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t least = cost(rows[i].call);

        pv_case(least <= rows[i].budget, rows[i].name,
                "%lu instructions, budget %u", least, rows[i].budget);
    }
}
