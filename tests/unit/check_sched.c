/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The scheduler on simulated CPUs: shares by weight, no idle CPU while a
 * vcpu waits, wake latency next to a polling guest, affinity, runstates.
 *
 * A vcpu here either polls (never blocks) or works 'busy' ns after each
 * event, which come every 'period' ns.  Time goes from event to event; a CPU
 * is "in the hypervisor" only at its events, as on the machine, and looks at
 * the scheduler only when it was kicked, by itself or another, or when a timer
 * is due.
 */
#include "step.h"

#include <stdlib.h>
#include <string.h>

#include "core/main.h"
#include "core/page_alloc.h"
#include "core/p2m.h"
#include "core/sched.h"
#include "core/timer.h"
#include "fake/machine.h"
#include "unit.h"

#define FRAMES 16384u
#define VCPUS_MAX 64u
#define CPUS_MAX 8u
#define MS 1000000ull
#define US 1000ull
#define NEVER UINT64_MAX

struct load {
    struct vcpu *v;
    uint64_t period, busy;      /* 0: polls */
    uint64_t left;              /* ns until it blocks again */
    uint64_t next_event;
    uint64_t woken;             /* 0: not waiting for its first run */
    uint64_t latency_max, latency_sum, latency_count;
    uint64_t ran;
};

static struct load loads[VCPUS_MAX];
static unsigned int load_count;
static unsigned int cpus;
static uint64_t now;
static bool kicked[CPUS_MAX];
static uint64_t deadline[CPUS_MAX];
static struct vcpu *running[CPUS_MAX];
static uint64_t idle_with_waiters;  /* ns */

void machine_run(struct vcpu *v)
{
    (void)v;
}

static void on_kick(unsigned int cpu)
{
    kicked[cpu] = true;
}

static void on_program(unsigned int cpu, uint64_t at)
{
    deadline[cpu] = at == 0 ? NEVER : at;
}

/* What follows happens on this CPU. */
static void enter(unsigned int cpu)
{
    machine_set_cpu(cpu);
}

static void start(unsigned int count)
{
    machine_start(FRAMES, 0, count);
    machine_on_kick = on_kick;
    machine_on_program = on_program;
    cpus = count;
    now = 1000 * MS;
    machine_set_time(now);
    load_count = 0;
    idle_with_waiters = 0;
    for (unsigned int i = 0; i < CPUS_MAX; i++) {
        kicked[i] = true;
        deadline[i] = NEVER;
        running[i] = NULL;
    }
    memset(loads, 0, sizeof(loads));
}

static struct domain *guest(uint16_t weight, unsigned int vcpus)
{
    struct xen_domctl_createdomain c = {
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
        .max_vcpus = vcpus, .max_evtchn_port = 1023,
        .max_grant_frames = 1, .max_maptrack_frames = 1,
    };
    struct domain *d;

    ck_assert_int_eq(domain_create(DOMID_INVALID, &c, false, &d), 0);
    ck_assert_int_eq(sched_set_params(d, weight, 0), 0);
    for (unsigned int i = 0; i < vcpus; i++) {
        ck_assert_int_eq(vcpu_create(d, i), 0);
        d->vcpu[i]->is_initialised = true;
        ck_assert_int_eq(vcpu_up(d->vcpu[i]), 0);
    }
    return d;
}

/* A load on vcpu 'i' of 'd'; 'period' 0: it polls. */
static struct load *add_load(struct domain *d, unsigned int i,
                             uint64_t period, uint64_t busy)
{
    struct load *l = &loads[load_count++];

    l->v = d->vcpu[i];
    l->period = period;
    l->busy = busy;
    l->left = busy;
    l->next_event = period == 0 ? NEVER : now + period;
    return l;
}

static struct load *load_of(const struct vcpu *v)
{
    for (unsigned int i = 0; i < load_count; i++) {
        if (loads[i].v == v) {
            return &loads[i];
        }
    }
    return NULL;
}

static void pick(unsigned int cpu)
{
    struct load *l;

    machine_set_cpu(cpu);
    kicked[cpu] = false;
    timer_run();
    running[cpu] = sched_pick();
    l = running[cpu] != NULL ? load_of(running[cpu]) : NULL;
    if (l != NULL && l->woken != 0) {
        uint64_t waited = now - l->woken;

        l->latency_max = waited > l->latency_max ? waited : l->latency_max;
        l->latency_sum += waited;
        l->latency_count++;
        l->woken = 0;
    }
}

static bool settle_once(void)
{
    bool any = false;

    for (unsigned int cpu = 0; cpu < cpus; cpu++) {
        if (kicked[cpu] || deadline[cpu] <= now) {
            pick(cpu);
            any = true;
        }
    }
    return any;
}

static void settle(void)
{
    unsigned int rounds = 0;

    while (settle_once()) {
        ck_assert_uint_lt(rounds++, 1000);
    }
}

static bool is_waiting_for(unsigned int cpu)
{
    for (unsigned int i = 0; i < load_count; i++) {
        const struct sched_vcpu *s = &loads[i].v->sched;

        if (s->is_queued && (s->hard_affinity[0] >> cpu & 1)) {
            return true;
        }
    }
    return false;
}

static uint64_t next_time(uint64_t end)
{
    uint64_t at = end;

    for (unsigned int i = 0; i < load_count; i++) {
        struct load *l = &loads[i];

        at = l->next_event < at ? l->next_event : at;
    }
    for (unsigned int cpu = 0; cpu < cpus; cpu++) {
        struct load *l = running[cpu] != NULL ? load_of(running[cpu]) : NULL;

        at = deadline[cpu] < at ? deadline[cpu] : at;
        if (l != NULL && l->period != 0 && now + l->left < at) {
            at = now + l->left;
        }
    }
    return at > now ? at : now + 1;
}

static void advance(uint64_t to)
{
    for (unsigned int cpu = 0; cpu < cpus; cpu++) {
        struct load *l = running[cpu] != NULL ? load_of(running[cpu]) : NULL;

        if (running[cpu] == NULL && is_waiting_for(cpu)) {
            idle_with_waiters += to - now;
        }
        if (l == NULL) {
            continue;
        }
        l->ran += to - now;
        if (l->period != 0) {
            l->left -= l->left < to - now ? l->left : to - now;
        }
    }
    now = to;
    machine_set_time(now);
}

/* Those that finished block; events wake theirs. */
static void act(void)
{
    for (unsigned int cpu = 0; cpu < cpus; cpu++) {
        struct load *l = running[cpu] != NULL ? load_of(running[cpu]) : NULL;

        if (l != NULL && l->period != 0 && l->left == 0) {
            enter(cpu);
            vcpu_block(l->v);
            l->left = l->busy;
        }
    }
    for (unsigned int i = 0; i < load_count; i++) {
        struct load *l = &loads[i];

        if (l->next_event <= now) {
            l->next_event += l->period;
            if (l->v->is_blocked) {
                l->woken = now;
                enter((unsigned int)(now / 7 % cpus));
                vcpu_unblock(l->v);
            }
        }
    }
}

static void run(uint64_t ns)
{
    uint64_t end = now + ns;

    settle();
    while (now < end) {
        advance(next_time(end));
        act();
        settle();
    }
}

static void go(struct domain *d)
{
    enter(0);
    ck_assert_int_eq(domain_unpause_by_controller(d), 0);
}

static double share(const struct load *l, uint64_t ns)
{
    return (double)l->ran / (double)ns;
}

#define ck_near(value, wanted, within) \
    ck_assert_msg((value) > (wanted) - (within) \
                  && (value) < (wanted) + (within), \
                  #value " is %f, wanted %f", (double)(value), \
                  (double)(wanted))

START_TEST(test_one_runs_alone)
{
    struct domain *d;
    struct load *l;

    start(2);
    d = guest(256, 1);
    l = add_load(d, 0, 0, 0);
    go(d);
    run(100 * MS);
    ck_near(share(l, 100 * MS), 1.0, 0.01);
}
END_TEST

START_TEST(test_weights_on_one_cpu)
{
    static const uint16_t weight[] = { 64, 256, 512, 1024 };
    struct load *l[4];

    start(1);
    for (unsigned int i = 0; i < 4; i++) {
        struct domain *d = guest(weight[i], 1);

        l[i] = add_load(d, 0, 0, 0);
        go(d);
    }
    run(4000 * MS);
    for (unsigned int i = 0; i < 4; i++) {
        ck_near(share(l[i], 4000 * MS) * 1856 / weight[i], 1.0, 0.05);
    }
    ck_assert_uint_eq(idle_with_waiters, 0);
}
END_TEST

/* Three on two CPUs: no split of queues is fair, so they must move. */
START_TEST(test_weights_on_two_cpus)
{
    struct load *l[3];

    start(2);
    for (unsigned int i = 0; i < 3; i++) {
        struct domain *d = guest(256, 1);

        l[i] = add_load(d, 0, 0, 0);
        go(d);
    }
    run(3000 * MS);
    for (unsigned int i = 0; i < 3; i++) {
        ck_near(share(l[i], 3000 * MS), 2.0 / 3, 0.05);
    }
    ck_assert_uint_eq(idle_with_waiters, 0);
}
END_TEST

START_TEST(test_many_weights_on_four_cpus)
{
    struct load *l[12];
    double sum = 0;

    start(4);
    for (unsigned int i = 0; i < 12; i++) {
        struct domain *d = guest((uint16_t)(128 << i % 3), 1);

        l[i] = add_load(d, 0, 0, 0);
        go(d);
        sum += 128 << i % 3;
    }
    run(5000 * MS);
    for (unsigned int i = 0; i < 12; i++) {
        double due = 4.0 * (128 << i % 3) / sum;

        ck_near(share(l[i], 5000 * MS) / due, 1.0, 0.1);
    }
    ck_assert_uint_eq(idle_with_waiters, 0);
}
END_TEST

/* dom0 polls on both CPUs; a guest answers pings: the project's own case. */
START_TEST(test_interactive_beside_pollers)
{
    struct domain *p, *g;
    struct load *l;

    start(2);
    p = guest(256, 2);
    add_load(p, 0, 0, 0);
    add_load(p, 1, 0, 0);
    go(p);
    g = guest(256, 1);
    l = add_load(g, 0, 1 * MS, 50 * US);
    go(g);
    run(2000 * MS);
    ck_assert_uint_gt(l->latency_count, 1900);
    ck_assert_uint_le(l->latency_max, SCHED_MIN_RUN_NS + 10 * US);
}
END_TEST

/* Ping-pong faster than the least run: each wait is bounded all the same. */
START_TEST(test_interactive_at_high_rate)
{
    struct domain *p, *g;
    struct load *l[2];

    start(1);
    p = guest(256, 1);
    add_load(p, 0, 0, 0);
    go(p);
    for (unsigned int i = 0; i < 2; i++) {
        g = guest(256, 1);
        l[i] = add_load(g, 0, 300 * US, 30 * US);
        go(g);
    }
    run(1000 * MS);
    for (unsigned int i = 0; i < 2; i++) {
        ck_assert_uint_le(l[i]->latency_max,
                          SCHED_MIN_RUN_NS + 100 * US);
        ck_near(share(l[i], 1000 * MS), 0.1, 0.02);
    }
}
END_TEST

/* A mix that wakes all the time never leaves a CPU idle beside a waiter. */
START_TEST(test_work_conserving)
{
    start(4);
    srand(1);
    for (unsigned int i = 0; i < 16; i++) {
        struct domain *d = guest(256, 1);
        uint64_t period = (uint64_t)(rand() % 5000 + 200) * US;

        add_load(d, 0, period, period * (uint64_t)(rand() % 60) / 100);
        go(d);
    }
    run(3000 * MS);
    ck_assert_uint_eq(idle_with_waiters, 0);
}
END_TEST

static void wake_while_leaving(struct vcpu *v)
{
    machine_on_leave = NULL;
    machine_set_cpu(1);
    vcpu_unblock(v);
    machine_set_cpu(0);
}

/*
 * The event comes from another CPU while this one takes the vcpu off, to be
 * idle.  The vcpu was queued then, and the CPU went to sleep beside it: a
 * guest's interrupt came with the CPU's next one, if ever.
 */
START_TEST(test_woken_while_leaving)
{
    struct domain *d;
    struct vcpu *v;

    start(2);
    d = guest(256, 2);          /* one for each CPU */
    go(d);
    settle();
    v = running[0];
    ck_assert_ptr_nonnull(v);
    ck_assert_ptr_nonnull(running[1]);
    machine_on_leave = wake_while_leaving;
    v->is_blocked = true;
    kicked[0] = true;
    settle();
    ck_assert_ptr_null(machine_on_leave);
    ck_assert_ptr_eq(running[0], v);
}
END_TEST

static struct domain *leaver;
static uint32_t refs_at_kick;

static void note_refs(unsigned int cpu)
{
    refs_at_kick = leaver->refs;
    on_kick(cpu);
}

/*
 * A vcpu that leaves its CPU to run on another could be stopped and destroyed
 * before it is in that queue: its domain is held until then.
 */
START_TEST(test_held_while_leaving)
{
    uint64_t mask[SCHED_AFFINITY_WORDS] = { 1 };
    uint32_t refs;

    start(2);
    leaver = guest(256, 1);
    enter(0);
    ck_assert_int_eq(sched_set_affinity(leaver->vcpu[0], mask), 0);
    go(leaver);
    settle();
    ck_assert_ptr_eq(running[0], leaver->vcpu[0]);
    refs = leaver->refs;
    mask[0] = 2;
    ck_assert_int_eq(sched_set_affinity(leaver->vcpu[0], mask), 0);
    machine_on_kick = note_refs;
    settle();
    ck_assert_ptr_eq(running[1], leaver->vcpu[0]);
    ck_assert_uint_eq(refs_at_kick, refs + 1);
    ck_assert_uint_eq(leaver->refs, refs);
}
END_TEST

START_TEST(test_affinity)
{
    uint64_t mask[SCHED_AFFINITY_WORDS] = { 2 };
    struct domain *d[3];
    struct load *l[3];

    start(2);
    for (unsigned int i = 0; i < 3; i++) {
        d[i] = guest(256, 1);
        l[i] = add_load(d[i], 0, 0, 0);
    }
    enter(0);
    ck_assert_int_eq(sched_set_affinity(d[0]->vcpu[0], mask), 0);
    ck_assert_int_eq(sched_set_affinity(d[1]->vcpu[0], mask), 0);
    mask[0] = 4;                    /* no such CPU */
    ck_assert_int_eq(sched_set_affinity(d[1]->vcpu[0], mask), -22);
    for (unsigned int i = 0; i < 3; i++) {
        go(d[i]);
    }
    run(1000 * MS);
    ck_near(share(l[0], 1000 * MS), 0.5, 0.05);
    ck_near(share(l[1], 1000 * MS), 0.5, 0.05);
    ck_near(share(l[2], 1000 * MS), 1.0, 0.05);
    /* A running one moves at once. */
    enter(0);
    mask[0] = 1;
    ck_assert_int_eq(sched_set_affinity(d[0]->vcpu[0], mask), 0);
    ck_assert_int_eq(sched_set_affinity(d[2]->vcpu[0], mask), 0);
    settle();
    ck_assert(running[1] == d[1]->vcpu[0]);
}
END_TEST

/* ---- an affinity that changes while a vcpu is between two queues ---- */

static struct vcpu *moved;

static void wake_moved(void)
{
    vcpu_unblock(moved);
}

static void pick_one(void)
{
    (void)sched_pick();
}

static void keep_on_cpu_0(void)
{
    uint64_t mask[SCHED_AFFINITY_WORDS] = { 1 };

    ck_assert_int_eq(sched_set_affinity(moved, mask), 0);
}

static bool is_between_queues(void)
{
    return step_is_free() && moved->sched.cpu == 1
           && !moved->sched.is_queued && !moved->sched.is_running;
}

static bool is_affinity_set(void)
{
    return step_is_free() && moved->sched.hard_affinity[0] == 1;
}

/* A poller on CPU 0, and CPU 1 idle; 'moved' was last on CPU 0. */
static void start_to_move(void)
{
    struct domain *d[2];

    start(2);
    for (unsigned int i = 0; i < 2; i++) {
        d[i] = guest(256, 1);
        add_load(d[i], 0, 0, 0);
    }
    moved = d[1]->vcpu[0];
    moved->is_blocked = true;
    moved->sched.cpu = 0;
    d[0]->vcpu[0]->sched.cpu = 0;
    settle();
    go(d[0]);
    settle();
    go(d[1]);
    settle();
    ck_assert(running[0] == d[0]->vcpu[0]);
    ck_assert_ptr_null(running[1]);
    ck_assert_uint_eq(moved->sched.cpu, 0);
}

/*
 * Who woke a vcpu had chosen a CPU for it when it got an affinity without
 * that one, and queued it there all the same.
 */
START_TEST(test_affinity_between_the_locks_of_a_wakeup)
{
    start_to_move();
    machine_set_cpu(0);
    ck_assert(step_hold(wake_moved, is_between_queues));
    ck_assert(step_run(keep_on_cpu_0, is_affinity_set, step_release, 0));
    ck_assert(moved->sched.is_queued);
    ck_assert_uint_eq(moved->sched.cpu, 0);
}
END_TEST

/* So did an idle CPU that had just taken it from another. */
START_TEST(test_affinity_between_the_locks_of_a_steal)
{
    uint64_t both[SCHED_AFFINITY_WORDS] = { 3 };

    start_to_move();
    machine_set_cpu(0);
    keep_on_cpu_0();
    wake_moved();
    ck_assert(moved->sched.is_queued);
    /* As if it had been set before the other CPU looked. */
    memcpy(moved->sched.hard_affinity, both, sizeof(both));
    ck_assert(step_hold(pick_one, is_between_queues));
    ck_assert(step_run(keep_on_cpu_0, is_affinity_set, step_release, 0));
    ck_assert(moved->sched.is_queued);
    ck_assert(!moved->sched.is_running);
    ck_assert_uint_eq(moved->sched.cpu, 0);
}
END_TEST

/* The first CPU stays free of vcpus, whatever is asked. */
START_TEST(test_restricted)
{
    uint64_t mask[SCHED_AFFINITY_WORDS] = { 1 };
    struct domain *d[4];
    struct load *l[4];

    start(3);
    ck_assert_int_eq(sched_restrict(3, 3), -22);
    ck_assert_int_eq(sched_restrict(2, 1), -22);
    ck_assert_uint_eq(sched_cpu_count(), 3);
    ck_assert_int_eq(sched_restrict(1, UINT32_MAX), 0);
    ck_assert_uint_eq(sched_cpu_count(), 2);
    for (unsigned int i = 0; i < 4; i++) {
        d[i] = guest(256, 1);
        ck_assert_uint_eq(d[i]->vcpu[0]->sched.hard_affinity[0], 6);
        l[i] = add_load(d[i], 0, i == 0 ? 2 * MS : 0, 100 * US);
        go(d[i]);
    }
    enter(0);
    ck_assert_int_eq(sched_set_affinity(d[0]->vcpu[0], mask), -22);
    mask[0] = 3;
    ck_assert_int_eq(sched_set_affinity(d[0]->vcpu[0], mask), 0);
    for (unsigned int i = 0; i < 100; i++) {
        run(10 * MS);
        ck_assert_ptr_null(running[0]);
    }
    ck_near(share(l[1], 1000 * MS) + share(l[2], 1000 * MS)
            + share(l[3], 1000 * MS), 1.95, 0.05);
    ck_near(share(l[0], 1000 * MS), 0.05, 0.01);
}
END_TEST

START_TEST(test_pause_stops_at_once)
{
    struct domain *d;
    struct load *l;

    start(1);
    d = guest(256, 1);
    l = add_load(d, 0, 0, 0);
    go(d);
    run(10 * MS);
    enter(0);
    domain_pause_nosync(d);
    settle();
    ck_assert(running[0] == NULL);
    ck_assert(!d->vcpu[0]->sched.is_running);
    ck_assert_int_eq(d->vcpu[0]->runstate.state, RUNSTATE_offline);
    l->ran = 0;
    run(10 * MS);
    ck_assert_uint_eq(l->ran, 0);
    enter(0);
    domain_unpause(d);
    run(10 * MS);
    ck_near(share(l, 10 * MS), 1.0, 0.01);
}
END_TEST

/* It does not run, and its registers are not its guest's. */
static struct vcpu *stopped_between(void)
{
    struct domain *d = guest(256, 1);
    struct vcpu *v = d->vcpu[0];

    add_load(d, 0, 0, 0);
    go(d);
    run(1 * MS);
    v->arch->is_between = true;
    enter(0);
    domain_pause_nosync(d);
    settle();
    ck_assert(!v->sched.is_running);
    return v;
}

/* It runs, alone of its domain, until its registers are; and no longer. */
START_TEST(test_who_settles_runs_though_paused)
{
    struct vcpu *v;

    start(1);
    v = stopped_between();
    ck_assert(!vcpu_settle(v));
    settle();
    ck_assert(v->sched.is_running);
    ck_assert(!vcpu_settle(v));
    v->arch->is_between = false;
    vcpu_settled(v);
    settle();
    ck_assert(!v->sched.is_running);
    ck_assert(vcpu_settle(v));
    ck_assert(!vcpu_is_runnable(v));
    enter(0);
    domain_unpause(v->domain);
    run(1 * MS);
    ck_assert(v->sched.is_running);
}
END_TEST

/* Behind one of a list of hypercalls that blocks: the others come first. */
START_TEST(test_who_settles_does_not_wait_for_events)
{
    struct vcpu *v;

    start(1);
    v = stopped_between();
    v->is_blocked = true;
    ck_assert(!vcpu_settle(v));
    settle();
    ck_assert(v->sched.is_running);
    v->arch->is_between = false;
    vcpu_settled(v);
    enter(0);
    domain_unpause(v->domain);
    run(1 * MS);
    ck_assert(v->sched.is_running);
}
END_TEST

/* Who pauses the domain again finds it stopped, whatever it is at. */
START_TEST(test_a_pause_ends_settling)
{
    struct vcpu *v;

    start(2);
    v = stopped_between();
    ck_assert(!vcpu_settle(v));
    domain_pause(v->domain);        /* before its CPU took it up */
    ck_assert(!v->is_settling);
    settle();
    ck_assert(!v->sched.is_running);
}
END_TEST

/* A guest that means ill never gets there: it has a second. */
START_TEST(test_settling_ends_some_time)
{
    unsigned int turns = 0;
    struct vcpu *v;
    struct load *l;

    start(1);
    v = stopped_between();
    l = load_of(v);
    l->ran = 0;
    while (!vcpu_settle(v)) {
        run(10 * MS);
        v->is_settling = false;     /* a pause: those wait in another thread */
        enter(0);
        sched_sleep_nosync(v);
        settle();
        ck_assert_uint_lt(turns++, 200);
    }
    ck_near((double)l->ran / (1000 * MS), 1.0, 0.05);
    ck_assert(!vcpu_is_runnable(v));
    v->arch->is_between = false;
    ck_assert(vcpu_settle(v));
    v->arch->is_between = true;
    ck_assert(!vcpu_settle(v));     /* a second anew */
}
END_TEST

/* Its page tables are being taken down. */
START_TEST(test_who_dies_does_not_settle)
{
    struct vcpu *v;

    start(1);
    v = stopped_between();
    ck_assert(!vcpu_settle(v));
    v->domain->state = DOMAIN_DYING;
    ck_assert(!vcpu_is_runnable(v));
}
END_TEST

/*
 * The guest's periodic timer went on while the vcpu was paused: a thousand
 * interrupts a second for nobody.
 */
START_TEST(test_a_periodic_timer_rests_while_paused)
{
    struct domain *d;
    struct vcpu *v;

    start(1);
    d = guest(256, 1);
    v = d->vcpu[0];
    add_load(d, 0, 0, 0);
    go(d);
    enter(0);
    v->periodic_ns = MS;
    timer_set(&v->periodic, now + MS);
    run(10 * MS);
    ck_assert(timer_is_armed(&v->periodic));
    enter(0);
    domain_pause_nosync(d);
    run(10 * MS);
    ck_assert(!timer_is_armed(&v->periodic));
    enter(0);
    domain_unpause(d);
    run(1);
    ck_assert(timer_is_armed(&v->periodic));
    run(10 * MS);
    ck_assert(timer_is_armed(&v->periodic));
}
END_TEST

START_TEST(test_runstates_add_up)
{
    struct vcpu_runstate_info r;
    struct domain *a, *b;
    uint64_t began = 1000 * MS, sum = 0;

    start(1);
    a = guest(256, 1);
    b = guest(256, 1);
    add_load(a, 0, 0, 0);
    add_load(b, 0, 4 * MS, 1 * MS);
    go(a);
    go(b);
    run(1000 * MS);
    sched_runstate(b->vcpu[0], &r);
    for (unsigned int i = 0; i < 4; i++) {
        sum += r.time[i];
    }
    ck_assert_uint_eq(sum, now - began);
    ck_near((double)r.time[RUNSTATE_running], 250.0 * MS, 20.0 * MS);
    ck_near((double)r.time[RUNSTATE_blocked], 720.0 * MS, 40.0 * MS);
    ck_assert_uint_eq(sched_idle_time(0), 0);
}
END_TEST

START_TEST(test_yield_lets_the_other_in)
{
    struct domain *a, *b;
    struct vcpu *first;

    start(1);
    a = guest(256, 1);
    b = guest(256, 1);
    add_load(a, 0, 0, 0);
    add_load(b, 0, 0, 0);
    go(a);
    go(b);
    settle();
    first = running[0];
    ck_assert(first != NULL);
    machine_set_cpu(0);
    sched_give_way(first);
    pick(0);
    ck_assert(running[0] != NULL && running[0] != first);
}
END_TEST

START_TEST(test_long_sleep_saves_nothing_up)
{
    struct domain *a, *b;
    struct load *la, *lb;

    start(1);
    a = guest(256, 1);
    la = add_load(a, 0, 0, 0);
    go(a);
    run(5000 * MS);
    la->ran = 0;
    b = guest(256, 1);
    lb = add_load(b, 0, 0, 0);
    go(b);
    run(200 * MS);
    ck_near(share(lb, 200 * MS), 0.5, 0.05);
    ck_near(share(la, 200 * MS), 0.5, 0.05);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched");
    TCase *tc = unit_case(suite, "simulated");

    tcase_add_test(tc, test_one_runs_alone);
    tcase_add_test(tc, test_weights_on_one_cpu);
    tcase_add_test(tc, test_weights_on_two_cpus);
    tcase_add_test(tc, test_many_weights_on_four_cpus);
    tcase_add_test(tc, test_interactive_beside_pollers);
    tcase_add_test(tc, test_interactive_at_high_rate);
    tcase_add_test(tc, test_work_conserving);
    tcase_add_test(tc, test_woken_while_leaving);
    tcase_add_test(tc, test_held_while_leaving);
    tcase_add_test(tc, test_affinity);
    tcase_add_test(tc, test_affinity_between_the_locks_of_a_wakeup);
    tcase_add_test(tc, test_affinity_between_the_locks_of_a_steal);
    tcase_add_test(tc, test_restricted);
    tcase_add_test(tc, test_pause_stops_at_once);
    tcase_add_test(tc, test_who_settles_runs_though_paused);
    tcase_add_test(tc, test_who_settles_does_not_wait_for_events);
    tcase_add_test(tc, test_a_pause_ends_settling);
    tcase_add_test(tc, test_settling_ends_some_time);
    tcase_add_test(tc, test_who_dies_does_not_settle);
    tcase_add_test(tc, test_a_periodic_timer_rests_while_paused);
    tcase_add_test(tc, test_runstates_add_up);
    tcase_add_test(tc, test_yield_lets_the_other_in);
    tcase_add_test(tc, test_long_sleep_saves_nothing_up);
    return unit_run(suite);
}
