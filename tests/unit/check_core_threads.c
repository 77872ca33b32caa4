/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Several CPUs at once on event channels and grants: nothing deadlocks, no
 * invariant breaks (BUG_ON in the core), and at the end all is given back.
 * A thread is a CPU of the fake machine.
 */
#include <pthread.h>
#include <string.h>

#include "core/evtchn_table.h"
#include "core/frame.h"
#include "core/grant_table.h"
#include "core/p2m.h"
#include "fake/machine.h"
#include "unit.h"
#include "core_env.h"

#define CPUS 3u
#define STEPS 6000u
#define PORTS 12u
#define REFS 8u

static struct domain *a, *b;

struct cpu_arg {
    unsigned int cpu;
    struct vcpu *v;
    uint32_t random;
    unsigned int done;
};

static uint32_t next_random(struct cpu_arg *arg)
{
    arg->random = arg->random * 1664525u + 1013904223u;
    return arg->random >> 8;
}

static void run_cpus(void *(*fn)(void *), struct cpu_arg *args)
{
    pthread_t thread[CPUS];
    unsigned int i;

    for (i = 0; i < CPUS; i++) {
        args[i].cpu = i;
        args[i].random = i + 1;
        ck_assert_int_eq(pthread_create(&thread[i], NULL, fn, &args[i]), 0);
    }
    for (i = 0; i < CPUS; i++) {
        pthread_join(thread[i], NULL);
        ck_assert_uint_eq(args[i].done, STEPS);
    }
}

/* ---- event channels ---- */

static void evtchn_step(struct cpu_arg *arg)
{
    domid_t peer = arg->v->domain == a ? 1 : 0;
    uint32_t r = next_random(arg);
    evtchn_port_t port = 1 + r / 16 % PORTS;
    evtchn_alloc_unbound_t alloc = { .dom = DOMID_SELF, .remote_dom = peer };
    evtchn_bind_interdomain_t bind = { .remote_dom = peer,
                                       .remote_port = port };
    evtchn_close_t close = { .port = port };
    evtchn_send_t send = { .port = port };
    evtchn_unmask_t unmask = { .port = port };
    evtchn_bind_vcpu_t move = { .port = port, .vcpu = r >> 12 & 1 };

    switch (r % 16) {
    case 0:
        (void)env_evtchn(EVTCHNOP_alloc_unbound, &alloc);
        if (alloc.port > PORTS) {
            close.port = alloc.port;
            (void)env_evtchn(EVTCHNOP_close, &close);
        }
        break;
    case 1:
    case 2:
        (void)env_evtchn(EVTCHNOP_bind_interdomain, &bind);
        break;
    case 3:
    case 4:
        (void)env_evtchn(EVTCHNOP_close, &close);
        break;
    case 5:
        (void)env_evtchn(EVTCHNOP_unmask, &unmask);
        break;
    case 6:
        (void)env_evtchn(EVTCHNOP_bind_vcpu, &move);
        break;
    default:
        (void)env_evtchn(EVTCHNOP_send, &send);
        break;
    }
}

static void *evtchn_cpu(void *p)
{
    struct cpu_arg *arg = p;

    machine_set_cpu(arg->cpu);
    env_run(arg->v);
    for (; arg->done < STEPS; arg->done++) {
        evtchn_step(arg);
    }
    return NULL;
}

static void use_fifo(struct domain *d)
{
    evtchn_expand_array_t expand = { .array_gfn = 16 };
    unsigned int i;

    env_run(d->vcpu[0]);
    for (i = 0; i < d->max_vcpus; i++) {
        evtchn_init_control_t op = { .control_gfn = 8 + i, .vcpu = i };

        ck_assert_int_eq(env_evtchn(EVTCHNOP_init_control, &op), 0);
    }
    ck_assert_int_eq(env_evtchn(EVTCHNOP_expand_array, &expand), 0);
}

static void check_bindings(struct domain *d, struct domain *peer)
{
    uint32_t port;

    for (port = 0; port < d->evtchn->valid_ports; port++) {
        struct evtchn *ch = evtchn_find(d, port);

        if (ch->state == PORT_INTERDOMAIN) {
            struct evtchn *other = evtchn_find(peer, ch->remote.port);

            ck_assert_ptr_eq(ch->remote.d, peer);
            ck_assert_int_eq(other->state, PORT_INTERDOMAIN);
            ck_assert_uint_eq(other->remote.port, port);
        }
    }
}

START_TEST(bindings_come_and_go_on_all_cpus)
{
    struct cpu_arg args[CPUS] = { { .v = a->vcpu[0] }, { .v = b->vcpu[0] },
                                  { .v = b->vcpu[1] } };

    if (_i == 1) {
        use_fifo(a);
        use_fifo(b);
    }
    run_cpus(evtchn_cpu, args);
    check_bindings(a, b);
    check_bindings(b, a);
}
END_TEST

/* ---- grants ---- */

static void map_and_unmap(struct cpu_arg *arg, uint32_t ref, bool write)
{
    uint64_t at = (200 + arg->cpu * 16 + ref) << PAGE_SHIFT;
    struct gnttab_map_grant_ref map = {
        .host_addr = at, .ref = ref, .dom = 1,
        .flags = GNTMAP_host_map | (write ? 0 : GNTMAP_readonly) };
    struct gnttab_unmap_grant_ref unmap = { .host_addr = at };

    ck_assert_int_eq(env_grant(GNTTABOP_map_grant_ref, &map, 1), 0);
    if (map.status == GNTST_okay) {
        unmap.handle = map.handle;
        ck_assert_int_eq(env_grant(GNTTABOP_unmap_grant_ref, &unmap, 1), 0);
        ck_assert_int_eq(unmap.status, GNTST_okay);
    }
}

static void grant_step(struct cpu_arg *arg)
{
    uint32_t r = next_random(arg), ref = r / 16 % REFS;
    struct gnttab_copy op = { .flags = GNTCOPY_source_gref, .len = 64 };
    grant_entry_v1_t *entry = &b->grant->shared[0][ref];

    switch (r % 16) {
    case 0:
    case 1:
        map_and_unmap(arg, ref, r & 256);
        break;
    case 2:
        /* The guest moves its grant to another of its pages. */
        __atomic_store_n(&entry->frame, 20 + (r >> 12) % 8,
                         __ATOMIC_RELAXED);
        break;
    default:
        op.source.u.ref = ref;
        op.source.domid = 1;
        op.dest.domid = DOMID_SELF;
        op.dest.u.gmfn = 30 + arg->cpu;
        (void)env_grant(GNTTABOP_copy, &op, 1);
        break;
    }
}

static void *grant_cpu(void *p)
{
    struct cpu_arg *arg = p;

    machine_set_cpu(arg->cpu);
    env_run(arg->v);
    for (; arg->done < STEPS; arg->done++) {
        grant_step(arg);
    }
    return NULL;
}

START_TEST(grants_are_used_on_all_cpus)
{
    struct cpu_arg args[CPUS] = { { .v = a->vcpu[0] }, { .v = a->vcpu[1] },
                                  { .v = a->vcpu[2] } };
    unsigned int i;

    for (i = 0; i < REFS; i++) {
        b->grant->shared[0][i] = (grant_entry_v1_t){
            .flags = GTF_permit_access | (i & 1 ? GTF_readonly : 0),
            .frame = 20 + i };
    }
    run_cpus(grant_cpu, args);
    for (i = 0; i < REFS; i++) {
        ck_assert_uint_eq(b->grant->shared[0][i].flags &
                          (GTF_reading | GTF_writing), 0);
        ck_assert_ptr_null(b->grant->active[0][i].frame);
    }
    for (i = 20; i < 28; i++) {
        struct frame *f = p2m_get_ram(b, gfn(i), false);

        ck_assert_uint_eq(f->refs, 2);
        frame_put(f);
    }
}
END_TEST

static void setup(void)
{
    env_start();
    a = env_domain(0, CPUS);
    b = env_domain(1, 2);
}

int main(void)
{
    Suite *suite = suite_create("core_threads");
    TCase *tc = unit_case(suite, "threads");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_loop_test(tc, bindings_come_and_go_on_all_cpus, 0, 2);
    tcase_add_test(tc, grants_are_used_on_all_cpus);
    return unit_run(suite);
}
