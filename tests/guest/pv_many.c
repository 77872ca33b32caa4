/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Vcpus from 32 on, for which shared_info has no vcpu_info.  One that starts
 * without ended its domain: the personality took the record's address for one
 * at 0.  Now it runs and gets no events until it registers one; and a kernel
 * cannot start one before that, as from Xen.
 */
#include "pv/pv.h"

#define FIRST 32u               /* the toolstack made its registers */
#define SECOND 33u
#define SPINS 2000000000u

static vcpu_info_t *info_page;  /* one for each of the two, then no more */
static volatile bool ran[2];
static volatile long registered, sent;
static volatile unsigned int mask, pending;

static long vcpu_op(unsigned int op, unsigned int vcpu, void *arg)
{
    return hypercall(__HYPERVISOR_vcpu_op, op, vcpu, PTR(arg));
}

static long register_info(unsigned int vcpu)
{
    struct vcpu_register_vcpu_info op = {
        .mfn = mfn_of(info_page),
        .offset = (uint32_t)((vcpu - FIRST) * sizeof(*info_page)),
    };

    return vcpu_op(VCPUOP_register_vcpu_info, vcpu, &op);
}

static void __attribute__((noreturn)) stop(unsigned int vcpu)
{
    ran[vcpu - FIRST] = true;
    for (;;) {
        (void)vcpu_op(VCPUOP_down, vcpu, NULL);
    }
}

/* Vcpu 32: events cannot reach it, and then they can. */
void pv_other(void)
{
    struct evtchn_bind_ipi bind = { .vcpu = FIRST };
    struct evtchn_send send;

    (void)hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_bind_ipi,
                    PTR(&bind), 0);
    send.port = bind.port;
    sent = hypercall(__HYPERVISOR_event_channel_op, EVTCHNOP_send, PTR(&send),
                     0);
    (void)hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
    registered = register_info(FIRST);
    mask = info_page[0].evtchn_upcall_mask;
    pending = info_page[0].evtchn_upcall_pending;
    stop(FIRST);
}

static void __attribute__((noreturn)) second(void)
{
    stop(SECOND);
}

static long initialise_second(void)
{
    return pv_initialise_vcpu(SECOND, second);
}

static bool comes_and_goes(unsigned int vcpu)
{
    for (unsigned int i = 0; i < SPINS; i++) {
        if (ran[vcpu - FIRST] && vcpu_op(VCPUOP_is_up, vcpu, NULL) == 0) {
            return true;
        }
        (void)hypercall(__HYPERVISOR_sched_op, SCHEDOP_yield, 0, 0);
    }
    return false;
}

void pv_main(void)
{
    info_page = pv_pages(1);
    pv_equal("up-without-info", vcpu_op(VCPUOP_up, FIRST, NULL), 0);
    pv_case(comes_and_goes(FIRST), "runs-without-info", "sent %ld", sent);
    pv_equal("sends-without-info", sent, 0);
    pv_equal("registers-itself", registered, 0);
    pv_case(mask == 1 && pending == 1, "record-is-masked-and-pending",
            "mask %u pending %u", mask, pending);

    pv_equal("initialise-without-info", initialise_second(), -EINVAL);
    pv_equal("register", register_info(SECOND), 0);
    pv_equal("mask", info_page[1].evtchn_upcall_mask, 1);
    pv_equal("initialise", initialise_second(), 0);
    pv_equal("up", vcpu_op(VCPUOP_up, SECOND, NULL), 0);
    pv_case(comes_and_goes(SECOND), "runs", " ");
    pv_end(SHUTDOWN_poweroff);
}
