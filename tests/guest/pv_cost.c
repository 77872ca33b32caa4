/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What hypercalls of a PV guest cost, in instructions of personality and
 * hypervisor together: run with QEMU's -icount, where a tick of the TSC is an
 * instruction.  Each has a budget, about a third above what it was when it
 * was last looked at.
 */
#include "pv/pv.h"

#include <xen/version.h>

#define ROUNDS 64u

static evtchn_port_t port;

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

static void send(void)
{
    struct evtchn_send op = { .port = port };

    (void)hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, PTR(&op),
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

static const struct {
    const char *name;
    void (*call)(void);
    unsigned int budget;
} rows[] = {
    { "cost-version", ask_version, 250 },
    { "cost-multicall", two_in_one, 600 },
    { "cost-is-up", is_up, 1000 },
    { "cost-set-timer", set_timer, 1100 },
    { "cost-send", send, 1300 },
    { "cost-extraversion", ask_extraversion, 2300 },
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

void pv_main(void)
{
    struct evtchn_bind_ipi bind = { .vcpu = 0 };

    pv_equal("bind-ipi", hypercall(__HYPERVISOR_event_channel_op,
                                   EVTCHNOP_bind_ipi, PTR(&bind), 0), 0);
    port = bind.port;
    shared_info->evtchn_mask[port / 64] |= 1ul << (port % 64);
    for (unsigned int i = 0; i < ARRAY_SIZE(rows); i++) {
        uint64_t least = cost(rows[i].call);

        pv_case(least <= rows[i].budget, rows[i].name,
                "%lu instructions, budget %u", least, rows[i].budget);
    }
}
