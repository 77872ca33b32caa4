/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine with domains for tests of hv/core: the real core on the fake
 * machine.  Guest memory that a test passes to a hypercall is plain memory
 * of the test; memory that core finds by frame number is env_page().
 */
#ifndef TESTS_UNIT_CORE_ENV_H
#define TESTS_UNIT_CORE_ENV_H

#include "core/domain.h"
#include "core/hypercall.h"
#include "core/types.h"
#include "core/vcpu.h"
#include "core/xen_abi.h"

/* Each of env_domain()'s domains has RAM at gfns 0 .. ENV_PAGES - 1. */
#define ENV_PAGES 64u

/* A fresh machine; what a former test left is forgotten. */
void env_start(void);
/* The same with little RAM, where starting must be cheap. */
void env_start_small(void);
/* A domain with 'vcpus' vcpus, up; the first with id 0 is dom0. */
struct domain *env_domain(domid_t id, unsigned int vcpus);
/* The same for a PV guest. */
struct domain *env_pv_domain(domid_t id, unsigned int vcpus);
/* 'v' is the one that runs on the fake's CPU. */
void env_run(struct vcpu *v);
/* The test's view of a domain's page. */
void *env_page(struct domain *d, uint64_t g);

/* The running vcpu executes a hypercall until it is done. */
long env_call(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2);
/* How often the last env_call() was executed again. */
unsigned int env_restarts(void);
/* Pointers of the test as hypercall arguments. */
static inline uint64_t env_arg(const void *p)
{
    return (uint64_t)(uintptr_t)p;
}

static inline long env_evtchn(unsigned int cmd, void *op)
{
    return env_call(__HYPERVISOR_event_channel_op, cmd, env_arg(op), 0);
}

/* What d's first vcpu asks for: the port, or the operation's answer. */
evtchn_port_t env_alloc_unbound(struct domain *d, domid_t remote);
long env_bind(struct domain *d, domid_t remote, evtchn_port_t port,
              evtchn_port_t *local);
long env_send(struct domain *d, evtchn_port_t port);

static inline long env_grant(unsigned int cmd, void *op, unsigned int count)
{
    return env_call(__HYPERVISOR_grant_table_op, cmd, env_arg(op), count);
}

/* arch_vcpu_upcall() of 'v' since the last env_take_upcalls(). */
unsigned int env_take_upcalls(struct vcpu *v);

#endif
