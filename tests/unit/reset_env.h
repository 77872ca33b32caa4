/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For tests of XEN_DOMCTL_soft_reset: a toolstack, the guest that kexecs, its
 * peer, a PV guest, and what each of them does.
 */
#ifndef TESTS_UNIT_RESET_ENV_H
#define TESTS_UNIT_RESET_ENV_H

#include "core/evtchn_table.h"
#include "core/frame.h"
#include "core/grant_table.h"
#include "core/p2m.h"
#include "core/page_alloc.h"
#include "fake/machine.h"
#include "unit.h"
#include "core_env.h"

#define MAP_AT (1000ull << PAGE_SHIFT)
#define INFO_GFN 7u
#define CONTROL_GFN 8u              /* and one for each further vcpu */
#define ARRAY_GFN 12u
#define SHARED_GFN 1u               /* Linux puts it on RAM below 1 MiB */
#define VCPUS 2u

static struct domain *control, *guest, *peer, *pv;
/* Of use_all(): the guest's, the guest's and the peer's. */
static evtchn_port_t unbound_here, bound_here, bound_there;

/* ---- the toolstack ---- */

static inline long toolstack(uint32_t cmd, domid_t id)
{
    struct xen_domctl op = {
        .cmd = cmd, .interface_version = XEN_DOMCTL_INTERFACE_VERSION,
        .domain = id,
    };

    env_run(control->vcpu[0]);
    return env_call(__HYPERVISOR_domctl, env_arg(&op), 0, 0);
}

static inline long soft_reset(domid_t id)
{
    return toolstack(XEN_DOMCTL_soft_reset, id);
}

/* The guest has said that it kexecs, and the toolstack holds it. */
static inline void stop(struct domain *d)
{
    domain_shutdown(d, SHUTDOWN_soft_reset);
    ck_assert_int_eq(toolstack(XEN_DOMCTL_pausedomain, d->id), 0);
}

/* ---- guests ---- */

static inline evtchn_port_t bind(struct domain *d, domid_t remote,
                                 evtchn_port_t port)
{
    evtchn_port_t local;

    ck_assert_int_eq(env_bind(d, remote, port, &local), 0);
    return local;
}

static inline evtchn_port_t bind_timer(struct domain *d, uint32_t vcpu)
{
    evtchn_bind_virq_t op = { .virq = VIRQ_TIMER, .vcpu = vcpu };

    env_run(d->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_bind_virq, &op), 0);
    return op.port;
}

static inline void use_fifo(void)
{
    evtchn_expand_array_t expand = { .array_gfn = ARRAY_GFN };

    env_run(guest->vcpu[0]);
    for (uint32_t i = 0; i < VCPUS; i++) {
        evtchn_init_control_t init = { .control_gfn = CONTROL_GFN + i,
                                       .vcpu = i };

        ck_assert_int_eq(env_evtchn(EVTCHNOP_init_control, &init), 0);
    }
    ck_assert_int_eq(env_evtchn(EVTCHNOP_expand_array, &expand), 0);
}

static inline long register_info(struct domain *d, unsigned int vcpu)
{
    struct vcpu_register_vcpu_info op = { .mfn = INFO_GFN,
                                          .offset = 64 * (vcpu % 32) };

    env_run(d->vcpu[vcpu]);
    return env_call(__HYPERVISOR_vcpu_op, VCPUOP_register_vcpu_info, vcpu,
                    env_arg(&op));
}

static inline long place_shared_info(struct vcpu *by, uint64_t g)
{
    struct xen_add_to_physmap op = { .domid = guest->id, .gpfn = g,
                                     .space = XENMAPSPACE_shared_info };

    if (by->domain == guest) {
        op.domid = DOMID_SELF;
    }
    env_run(by);
    return env_call(__HYPERVISOR_memory_op, XENMEM_add_to_physmap,
                    env_arg(&op), 0);
}

static inline enum p2m_type type_at(struct domain *d, uint64_t g)
{
    enum p2m_type type;

    (void)p2m_lookup(d, gfn(g), &type);
    return type;
}

static inline uint32_t refs_of(uint64_t g)
{
    struct frame *f = p2m_get_ram(guest, gfn(g), true);
    uint32_t refs;

    ck_assert_ptr_nonnull(f);
    refs = f->refs - 1;
    frame_put(f);
    return refs;
}

static inline grant_entry_v1_t *grant_to(struct domain *d, uint32_t ref,
                                         domid_t to, uint32_t g)
{
    grant_entry_v1_t *e = &d->grant->shared[0][ref];

    e->domid = to;
    e->frame = g;
    e->flags = GTF_permit_access;
    return e;
}

static inline grant_handle_t map(struct domain *d, domid_t from, uint32_t ref)
{
    struct gnttab_map_grant_ref op = { .host_addr = MAP_AT, .ref = ref,
                                       .flags = GNTMAP_host_map,
                                       .dom = from };

    env_run(d->vcpu[0]);
    ck_assert_int_eq(env_grant(GNTTABOP_map_grant_ref, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_okay);
    return op.handle;
}

static inline int16_t unmap(struct domain *d, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = { .host_addr = MAP_AT,
                                         .handle = handle };

    env_run(d->vcpu[0]);
    ck_assert_int_eq(env_grant(GNTTABOP_unmap_grant_ref, &op, 1), 0);
    return op.status;
}

static inline void close_port(struct domain *d, evtchn_port_t port)
{
    evtchn_close_t op = { .port = port };

    env_run(d->vcpu[0]);
    (void)env_evtchn(EVTCHNOP_close, &op);
}

/* What a kernel registers, and a grant. */
static inline void use_all(void)
{
    use_fifo();
    unbound_here = env_alloc_unbound(guest, peer->id);
    bound_here = env_alloc_unbound(guest, peer->id);
    bound_there = bind(peer, guest->id, bound_here);
    (void)bind_timer(guest, 1);
    ck_assert_int_eq(register_info(guest, 0), 0);
    ck_assert_int_eq(register_info(guest, 1), 0);
    ck_assert_int_eq(place_shared_info(guest->vcpu[0], SHARED_GFN), 0);
    (void)grant_to(guest, 10, peer->id, 5);
}

static inline void setup(void)
{
    env_start();
    control = env_domain(0, 2);
    guest = env_domain(1, VCPUS);
    peer = env_domain(2, 1);
    pv = env_pv_domain(3, 1);
    env_run(control->vcpu[0]);
}

#endif
