/* SPDX-License-Identifier: GPL-2.0-only */
/* The machine with domains of core_env.h. */
#include <stdlib.h>
#include <string.h>

#include "core_env.h"
#include "core/frame.h"
#include "core/p2m.h"
#include "core/page_alloc.h"
#include "fake/machine.h"

#define RAM_FRAMES 65536u
#define SMALL_FRAMES 4096u
#define CPUS 4u
#define RESTARTS_MAX 100000u

static _Thread_local unsigned int restarts;

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

void env_start(void)
{
    machine_run(NULL);
    machine_start(RAM_FRAMES, ENV_PAGES, CPUS);
}

void env_start_small(void)
{
    machine_run(NULL);
    machine_start(SMALL_FRAMES, ENV_PAGES, CPUS);
}

static void give_memory(struct domain *d)
{
    uint64_t i;

    d->max_pages = 1024;
    if (d->is_direct_mapped) {
        require(page_alloc_at(d, mfn(0), ENV_PAGES));
        for (i = 0; i < ENV_PAGES; i++) {
            require(p2m_set(d, gfn(i), mfn(i), 0, P2M_RAM_RW) == 0);
        }
        return;
    }
    for (i = 0; i < ENV_PAGES; i++) {
        struct frame *f = page_alloc_domain(d, 0);

        require(f != NULL);
        require(p2m_set(d, gfn(i), frame_mfn(f), 0, P2M_RAM_RW) == 0);
    }
}

static struct domain *make(domid_t id, unsigned int vcpus, uint32_t flags)
{
    struct xen_domctl_createdomain config;
    struct domain *d;
    unsigned int i;

    memset(&config, 0, sizeof(config));
    config.flags = flags;
    config.max_vcpus = vcpus;
    config.max_evtchn_port = UINT32_MAX;
    config.max_grant_frames = -1;
    config.max_maptrack_frames = -1;
    require(domain_create(id, &config, id == 0, &d) == 0);
    if (id == 0) {
        dom0 = d;
    }
    for (i = 0; i < vcpus; i++) {
        require(vcpu_create(d, i) == 0);
        d->vcpu[i]->is_initialised = true;
        require(vcpu_up(d->vcpu[i]) == 0);
    }
    give_memory(d);
    require(domain_unpause_by_controller(d) == 0);
    return d;
}

struct domain *env_domain(domid_t id, unsigned int vcpus)
{
    return make(id, vcpus, XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap);
}

struct domain *env_pv_domain(domid_t id, unsigned int vcpus)
{
    return make(id, vcpus, 0);
}

void env_run(struct vcpu *v)
{
    machine_run(v);
}

void *env_page(struct domain *d, uint64_t g)
{
    enum p2m_type type;
    mfn_t m = p2m_lookup(d, gfn(g), &type);

    return mfn_is_valid(m) ? arch_frame_map(m) : NULL;
}

long env_call(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
    struct vcpu *v = vcpu_current();
    uint64_t result = 0;

    v->arch->arg[0] = a0;
    v->arch->arg[1] = a1;
    v->arch->arg[2] = a2;
    for (restarts = 0; !hypercall(v, nr, &result); restarts++) {
        require(restarts < RESTARTS_MAX);
    }
    return result;
}

unsigned int env_restarts(void)
{
    return restarts;
}

unsigned int env_take_upcalls(struct vcpu *v)
{
    return __atomic_exchange_n(&v->arch->upcalls, 0, __ATOMIC_SEQ_CST);
}

/* ---- event channels ---- */

evtchn_port_t env_alloc_unbound(struct domain *d, domid_t remote)
{
    evtchn_alloc_unbound_t op = { .dom = DOMID_SELF, .remote_dom = remote };

    env_run(d->vcpu[0]);
    if (env_evtchn(EVTCHNOP_alloc_unbound, &op) != 0) {
        abort();
    }
    return op.port;
}

long env_bind(struct domain *d, domid_t remote, evtchn_port_t port,
              evtchn_port_t *local)
{
    evtchn_bind_interdomain_t op = { .remote_dom = remote,
                                     .remote_port = port };
    long error;

    env_run(d->vcpu[0]);
    error = env_evtchn(EVTCHNOP_bind_interdomain, &op);
    *local = op.local_port;
    return error;
}

long env_send(struct domain *d, evtchn_port_t port)
{
    evtchn_send_t op = { .port = port };

    env_run(d->vcpu[0]);
    return env_evtchn(EVTCHNOP_send, &op);
}
