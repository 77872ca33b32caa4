/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Several CPUs at once on event channels, grants and memory: nothing
 * deadlocks, no invariant breaks (BUG_ON in the core), no domain gets more
 * than its quota, and at the end all is given back.  A thread is a CPU of the
 * fake machine.
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
    unsigned int done, mapped;
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

/* ---- quotas ---- */

#define ROOM 40u                    /* pages that b may have more */
#define GFNS 128u                   /* where it wants them */
#define GFN_FIRST 256u
#define HANDLES (2 * GRANT_HANDLES_PER_FRAME)

static uint64_t pages_of(const struct domain *d)
{
    return __atomic_load_n(&d->tot_pages, __ATOMIC_SEQ_CST);
}

static void memory_step(struct cpu_arg *arg)
{
    uint32_t r = next_random(arg);
    unsigned int order = r / 64 % 4;
    xen_pfn_t list[4];
    struct xen_memory_reservation op = {
        .nr_extents = 1 + r % 4, .extent_order = order,
        .domid = arg->v->domain == b ? DOMID_SELF : b->id,
    };
    struct xen_memory_exchange swap = { .in = op, .out = op };

    for (unsigned int i = 0; i < 4; i++) {
        list[i] = (GFN_FIRST + next_random(arg) % GFNS)
                  & ~((1ul << order) - 1);
    }
    op.extent_start.p = list;
    switch (r >> 8 & 7) {
    case 0:
        swap.in.extent_start.p = swap.out.extent_start.p = list;
        (void)env_call(__HYPERVISOR_memory_op, XENMEM_exchange,
                       env_arg(&swap), 0);
        break;
    case 1:
    case 2:
    case 3:
        (void)env_call(__HYPERVISOR_memory_op, XENMEM_decrease_reservation,
                       env_arg(&op), 0);
        break;
    default:
        (void)env_call(__HYPERVISOR_memory_op, XENMEM_populate_physmap,
                       env_arg(&op), 0);
        break;
    }
    ck_assert_uint_le(pages_of(b), ENV_PAGES + ROOM);
}

static void *memory_cpu(void *p)
{
    struct cpu_arg *arg = p;

    machine_set_cpu(arg->cpu);
    env_run(arg->v);
    for (; arg->done < STEPS; arg->done++) {
        /* At the limit the race that it is about is short. */
        for (unsigned int i = 0; i < 8; i++) {
            memory_step(arg);
        }
    }
    return NULL;
}

/* Its own vcpus and a toolstack, all for the same few gfns. */
START_TEST(memory_stays_within_the_limit_on_all_cpus)
{
    struct cpu_arg args[CPUS] = { { .v = a->vcpu[0] }, { .v = b->vcpu[0] },
                                  { .v = b->vcpu[1] } };
    uint64_t had = 0;

    b->max_pages = ENV_PAGES + ROOM;
    run_cpus(memory_cpu, args);
    machine_set_cpu(0);
    env_run(a->vcpu[0]);
    for (uint64_t g = GFN_FIRST; g < GFN_FIRST + GFNS; g++) {
        struct frame *f = p2m_get_ram(b, gfn(g), false);
        struct xen_memory_reservation op = { .nr_extents = 1,
                                             .domid = b->id };

        if (f == NULL) {
            continue;
        }
        /* One page, one frame, one reference, and the way back. */
        ck_assert_ptr_eq(f->owner, b);
        ck_assert_uint_eq(f->gfn, g);
        ck_assert_uint_eq(f->refs, 2);
        frame_put(f);
        had++;
        op.extent_start.p = &g;
        ck_assert_int_eq(env_call(__HYPERVISOR_memory_op,
                                  XENMEM_decrease_reservation, env_arg(&op),
                                  0), 1);
    }
    ck_assert_uint_le(had, ROOM);
    ck_assert_uint_eq(pages_of(b), ENV_PAGES);
}
END_TEST

/* Maps until there is no handle, and says how often it could. */
static void *greedy_cpu(void *p)
{
    struct cpu_arg *arg = p;

    machine_set_cpu(arg->cpu);
    env_run(arg->v);
    for (unsigned int i = 0; i < STEPS; i++) {
        struct gnttab_map_grant_ref map = {
            .host_addr = (0x1000 + arg->cpu * STEPS + i) << PAGE_SHIFT,
            .ref = next_random(arg) % REFS, .dom = b->id,
            .flags = GNTMAP_host_map,
        };
        struct gnttab_setup_table table = {
            .dom = DOMID_SELF, .nr_frames = next_random(arg) % 12,
        };
        static xen_pfn_t frames[CPUS][12];

        table.frame_list.p = frames[arg->cpu];
        if (i % 16 == 0) {
            ck_assert_int_eq(env_grant(GNTTABOP_setup_table, &table, 1), 0);
            ck_assert_int_eq(table.status == GNTST_okay,
                             table.nr_frames <= 8);
        }
        ck_assert_int_eq(env_grant(GNTTABOP_map_grant_ref, &map, 1), 0);
        arg->mapped += map.status == GNTST_okay;
    }
    arg->done = STEPS;
    return NULL;
}

START_TEST(grant_quotas_hold_on_all_cpus)
{
    struct cpu_arg args[CPUS] = { { .v = a->vcpu[0] }, { .v = a->vcpu[1] },
                                  { .v = a->vcpu[2] } };
    unsigned int mapped = 0;

    a->grant->max_track = HANDLES / GRANT_HANDLES_PER_FRAME;
    a->grant->max_frames = 8;
    for (unsigned int i = 0; i < REFS; i++) {
        b->grant->shared[0][i] = (grant_entry_v1_t){
            .flags = GTF_permit_access, .frame = 20 + i };
    }
    run_cpus(greedy_cpu, args);
    for (unsigned int i = 0; i < CPUS; i++) {
        mapped += args[i].mapped;
    }
    ck_assert_uint_eq(mapped, HANDLES);
    ck_assert_uint_le(a->grant->frame_count, 8);
    ck_assert_uint_le(a->grant->track_count, a->grant->max_track);
    machine_set_cpu(0);
    env_run(a->vcpu[0]);
    for (uint32_t handle = 0; handle < HANDLES; handle++) {
        struct gnttab_unmap_grant_ref unmap = { .handle = handle };

        unmap.host_addr =
            a->grant->track[handle / GRANT_HANDLES_PER_FRAME]
                           [handle % GRANT_HANDLES_PER_FRAME].gfn
            << PAGE_SHIFT;
        ck_assert_int_eq(env_grant(GNTTABOP_unmap_grant_ref, &unmap, 1), 0);
        ck_assert_int_eq(unmap.status, GNTST_okay);
    }
    for (unsigned int i = 0; i < REFS; i++) {
        ck_assert_uint_eq(b->grant->shared[0][i].flags &
                          (GTF_reading | GTF_writing), 0);
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
    tcase_add_test(tc, memory_stays_within_the_limit_on_all_cpus);
    tcase_add_test(tc, grant_quotas_hold_on_all_cpus);
    return unit_run(suite);
}
