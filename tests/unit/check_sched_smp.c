/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The scheduler with a thread for each CPU: a few events go round among many
 * vcpus, which block when they have none.  One lost wakeup or one kick that
 * was not sent, and nothing moves any more.  Meanwhile vcpus are paused, get
 * other affinities and yield.  The fake machine ends the test when a vcpu
 * is on two CPUs.
 *
 * An idle CPU sleeps until it is kicked or its deadline comes, as with hlt;
 * one in a guest leaves it for the same reasons or when the guest is done.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/select.h>

#include "core/sched.h"
#include "core/timer.h"
#include "fake/machine.h"
#include "unit.h"

#define CPUS 3u
#define DOMAINS 4u
#define VCPUS 3u
#define TOKENS 4u
#define PASSES 30000u
#define FRAMES 8192u
#define STEP 20000ull               /* ns of machine time per real step */

static struct domain *domains[DOMAINS];
static unsigned int events[DOMAINS][VCPUS];     /* [a] */
static unsigned int passes;                     /* [a] */
static bool is_over;                            /* [a] */
static bool kicked[CPUS];                       /* [a] */
static uint64_t deadline[CPUS];                 /* [a] */

void machine_run(struct vcpu *v)
{
    (void)v;
}

static void on_kick(unsigned int cpu)
{
    __atomic_store_n(&kicked[cpu], true, __ATOMIC_SEQ_CST);
}

static void on_program(unsigned int cpu, uint64_t at)
{
    __atomic_store_n(&deadline[cpu], at, __ATOMIC_SEQ_CST);
}

static bool must_exit(unsigned int cpu)
{
    uint64_t at = __atomic_load_n(&deadline[cpu], __ATOMIC_SEQ_CST);

    return __atomic_load_n(&kicked[cpu], __ATOMIC_SEQ_CST)
           || (at != 0 && at <= arch_time_now())
           || __atomic_load_n(&is_over, __ATOMIC_SEQ_CST);
}

static void give_host_cpu_away(void)
{
    struct timeval t = { .tv_usec = 10 };

    select(0, NULL, NULL, NULL, &t);
}

static void send(unsigned int d, unsigned int i)
{
    struct vcpu *v = domains[d]->vcpu[i];

    __atomic_add_fetch(&events[d][i], 1, __ATOMIC_SEQ_CST);
    __atomic_store_n(&v->arch->has_pending, true, __ATOMIC_SEQ_CST);
    vcpu_unblock(v);
}

/* True if there was one. */
static bool take(unsigned int d, unsigned int i)
{
    unsigned int n = __atomic_load_n(&events[d][i], __ATOMIC_SEQ_CST);

    while (n != 0) {
        if (__atomic_compare_exchange_n(&events[d][i], &n, n - 1, false,
                                        __ATOMIC_SEQ_CST,
                                        __ATOMIC_SEQ_CST)) {
            return true;
        }
    }
    return false;
}

static void disturb(unsigned int *seed)
{
    struct domain *d = domains[(unsigned int)rand_r(seed) % DOMAINS];
    struct vcpu *v = d->vcpu[(unsigned int)rand_r(seed) % VCPUS];
    uint64_t mask[SCHED_AFFINITY_WORDS] = { 0 };

    switch (rand_r(seed) % 16) {
    case 0:
        domain_pause_nosync(d);
        domain_unpause(d);
        break;
    case 1:
        vcpu_pause_nosync(v);
        vcpu_unpause(v);
        break;
    case 2:
        mask[0] = (uint64_t)(rand_r(seed) % 7 + 1);
        ck_assert_int_eq(sched_set_affinity(v, mask), 0);
        break;
    case 3:
        sched_give_way(vcpu_current());
        break;
    default:
        break;
    }
}

/* What the guest in 'v' does before it exits. */
static void guest(struct vcpu *v, unsigned int cpu, unsigned int *seed)
{
    unsigned int d = 0;

    while (domains[d] != v->domain) {
        d++;
    }
    for (int i = rand_r(seed) % 200; i > 0 && !must_exit(cpu); i--) {
        __asm__ volatile("pause" ::: "memory");
    }
    if (!take(d, v->id)) {
        __atomic_store_n(&v->arch->has_pending, false, __ATOMIC_SEQ_CST);
        if (__atomic_load_n(&events[d][v->id], __ATOMIC_SEQ_CST) == 0) {
            vcpu_block(v);
        }
        return;
    }
    disturb(seed);
    send((unsigned int)rand_r(seed) % DOMAINS,
         (unsigned int)rand_r(seed) % VCPUS);
    if (__atomic_add_fetch(&passes, 1, __ATOMIC_SEQ_CST) >= PASSES) {
        __atomic_store_n(&is_over, true, __ATOMIC_SEQ_CST);
    }
}

static void *run_cpu(void *arg)
{
    unsigned int cpu = (unsigned int)(uintptr_t)arg;
    unsigned int seed = cpu + 1;

    machine_set_cpu(cpu);
    while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
        struct vcpu *v;

        __atomic_store_n(&kicked[cpu], false, __ATOMIC_SEQ_CST);
        timer_run();
        v = sched_pick();
        if (v != NULL) {
            guest(v, cpu, &seed);
            continue;
        }
        while (!must_exit(cpu)) {
            give_host_cpu_away();
        }
    }
    return NULL;
}

static struct domain *make_domain(void)
{
    struct xen_domctl_createdomain c = {
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
        .max_vcpus = VCPUS, .max_evtchn_port = 1023,
        .max_grant_frames = 1, .max_maptrack_frames = 1,
    };
    struct domain *d;

    ck_assert_int_eq(domain_create(DOMID_INVALID, &c, false, &d), 0);
    for (unsigned int i = 0; i < VCPUS; i++) {
        ck_assert_int_eq(vcpu_create(d, i), 0);
        d->vcpu[i]->is_initialised = true;
        ck_assert_int_eq(vcpu_up(d->vcpu[i]), 0);
    }
    return d;
}

START_TEST(test_no_event_is_lost)
{
    uint64_t now = 1000000000;
    pthread_t thread[CPUS];

    machine_start(FRAMES, 0, CPUS);
    machine_on_kick = on_kick;
    machine_on_program = on_program;
    for (unsigned int i = 0; i < DOMAINS; i++) {
        domains[i] = make_domain();
        ck_assert_int_eq(domain_unpause_by_controller(domains[i]), 0);
    }
    for (unsigned int i = 0; i < TOKENS; i++) {
        send(i % DOMAINS, i % VCPUS);
    }
    for (unsigned int i = 0; i < CPUS; i++) {
        pthread_create(&thread[i], NULL, run_cpu, (void *)(uintptr_t)i);
    }
    while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
        machine_set_time(now += STEP);
        give_host_cpu_away();
    }
    for (unsigned int i = 0; i < CPUS; i++) {
        pthread_join(thread[i], NULL);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sched_smp");
    TCase *tc = unit_case(suite, "threads");

    tcase_add_test(tc, test_no_event_is_lost);
    return unit_run(suite);
}
