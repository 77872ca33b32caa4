/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A domain counts as shut down when none of its vcpus will run on: those of a
 * PV guest come to rest first, and whatever happens meanwhile there is an end
 * of that, and it is told once.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/evtchn.h"
#include "core/sched.h"
#include "core/timer.h"
#include "core_env.h"
#include "fake/machine.h"
#include "unit.h"

#define SECOND 1000000000ull

static struct domain *zero, *pv;
static evtchn_port_t told;

static void setup(void)
{
    struct evtchn_bind_virq op = { .virq = VIRQ_DOM_EXC };

    env_start();
    zero = env_domain(0, 2);
    pv = env_pv_domain(1, 3);
    env_run(zero->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_bind_virq, &op), 0);
    told = op.port;
    machine_set_time(SECOND);
}

/* Was it told since the last time? */
static bool is_told(void)
{
    uint64_t bit = 1ull << told;

    return (__atomic_fetch_and(&zero->shared_info->evtchn_pending[0], ~bit,
                               __ATOMIC_SEQ_CST) & bit) != 0;
}

/* It runs in the personality; and gets where it has its guest's registers. */
static void be_in_the_midst(struct vcpu *v)
{
    v->sched.is_running = true;
    v->arch->is_between = true;
}

static void leave_cpu(struct vcpu *v)
{
    v->sched.is_running = false;
}

static void arrive(struct vcpu *v)
{
    ck_assert(vcpu_is_to_settle(v));
    v->arch->is_between = false;
    vcpu_settled(v);
    leave_cpu(v);
    ck_assert(!vcpu_is_runnable(v));
}

static void ran(struct vcpu *v, uint64_t ns)
{
    v->runstate.time[RUNSTATE_running] += ns;
}

static void wait(uint64_t ns)
{
    machine_set_time(arch_time_now() + ns);
    timer_run();
}

START_TEST(who_is_in_the_midst_defers_it)
{
    struct vcpu *v = pv->vcpu[1];

    be_in_the_midst(v);
    domain_shutdown(pv, SHUTDOWN_suspend);
    ck_assert(!pv->is_shut_down);
    ck_assert(!is_told());
    ck_assert(vcpu_is_runnable(v));
    ck_assert(!vcpu_is_runnable(pv->vcpu[0]));
    ck_assert(!vcpu_is_runnable(pv->vcpu[2]));
    arrive(v);
    ck_assert(pv->is_shut_down);
    ck_assert(is_told());
    ck_assert_uint_eq(pv->shutdown_code, SHUTDOWN_suspend);
}
END_TEST

/* Where it runs is not known: it says itself where it stands. */
START_TEST(who_runs_defers_it)
{
    struct vcpu *v = pv->vcpu[2];

    v->sched.is_running = true;
    domain_shutdown(pv, SHUTDOWN_poweroff);
    ck_assert(!pv->is_shut_down);
    arrive(v);
    ck_assert(pv->is_shut_down);
    ck_assert(is_told());
}
END_TEST

START_TEST(the_last_one_ends_it)
{
    unsigned int i;

    for (i = 0; i < 3; i++) {
        be_in_the_midst(pv->vcpu[i]);
    }
    domain_shutdown(pv, SHUTDOWN_suspend);
    leave_cpu(pv->vcpu[1]);
    for (i = 0; i < 3; i++) {
        ck_assert(!pv->is_shut_down);
        ck_assert(!is_told());
        ck_assert(vcpu_is_runnable(pv->vcpu[i]));
        arrive(pv->vcpu[i]);
    }
    ck_assert(pv->is_shut_down);
    ck_assert(is_told());
}
END_TEST

/* Neither a wait for an event nor VCPUOP_down keeps it from that. */
START_TEST(who_waits_in_the_midst_defers_it)
{
    pv->vcpu[0]->is_blocked = true;
    pv->vcpu[0]->arch->is_between = true;
    vcpu_down(pv->vcpu[1]);
    pv->vcpu[1]->arch->is_between = true;
    pv->vcpu[2]->is_initialised = false;
    be_in_the_midst(pv->vcpu[2]);
    domain_shutdown(pv, SHUTDOWN_suspend);
    ck_assert(vcpu_is_runnable(pv->vcpu[0]));
    ck_assert(vcpu_is_runnable(pv->vcpu[1]));
    ck_assert(!vcpu_is_runnable(pv->vcpu[2]));
    vcpu_settles(pv->vcpu[0]);
    ck_assert(!pv->vcpu[0]->is_blocked);
    arrive(pv->vcpu[0]);
    arrive(pv->vcpu[1]);
    ck_assert(pv->vcpu[1]->is_down);
    ck_assert(pv->is_shut_down);
}
END_TEST

START_TEST(who_rests_defers_nothing)
{
    pv->vcpu[1]->is_blocked = true;
    domain_shutdown(pv, SHUTDOWN_suspend);
    ck_assert(pv->is_shut_down);
    ck_assert(is_told());
    ck_assert(pv->vcpu[1]->is_blocked);
    ck_assert(!timer_is_armed(&pv->rest_timer));
    domain_shutdown(pv, SHUTDOWN_suspend);
    ck_assert(!is_told());
}
END_TEST

START_TEST(a_pvh_guest_stops_at_once)
{
    struct domain *d = env_domain(2, 2);

    be_in_the_midst(d->vcpu[1]);
    domain_shutdown(d, SHUTDOWN_suspend);
    ck_assert(d->is_shut_down);
    ck_assert(!vcpu_is_runnable(d->vcpu[1]));
    ck_assert(is_told());
}
END_TEST

/* As from two of its vcpus, or a watchdog's bite: the first word counts. */
START_TEST(a_second_shutdown_changes_nothing)
{
    struct vcpu *v = pv->vcpu[0];

    be_in_the_midst(v);
    domain_shutdown(pv, SHUTDOWN_suspend);
    domain_shutdown(pv, SHUTDOWN_watchdog);
    ck_assert(!pv->is_shut_down);
    ck_assert(!is_told());
    arrive(v);
    ck_assert(is_told());
    domain_shutdown(pv, SHUTDOWN_watchdog);
    ck_assert(!is_told());
    ck_assert_uint_eq(pv->shutdown_code, SHUTDOWN_suspend);
}
END_TEST

/* ---- what happens meanwhile ---- */

START_TEST(a_crash_stops_all_at_once)
{
    be_in_the_midst(pv->vcpu[0]);
    be_in_the_midst(pv->vcpu[1]);
    domain_crash(pv, "of a test");
    ck_assert(pv->is_shut_down);
    ck_assert(!vcpu_is_runnable(pv->vcpu[0]));
    ck_assert(is_told());
    ck_assert_uint_eq(pv->shutdown_code, SHUTDOWN_crash);
}
END_TEST

/* It said suspend, but is not as who was suspended. */
START_TEST(a_crash_on_the_way_is_a_crash)
{
    be_in_the_midst(pv->vcpu[0]);
    be_in_the_midst(pv->vcpu[1]);
    domain_shutdown(pv, SHUTDOWN_suspend);
    domain_crash(pv, "of a test");
    ck_assert(pv->is_shut_down);
    ck_assert(is_told());
    ck_assert_uint_eq(pv->shutdown_code, SHUTDOWN_crash);
    ck_assert(!vcpu_is_runnable(pv->vcpu[0]));
    ck_assert(!vcpu_is_to_settle(pv->vcpu[1]));
    domain_crash(pv, "again");
    ck_assert(!is_told());
}
END_TEST

START_TEST(a_pause_defers_it_too)
{
    struct vcpu *v = pv->vcpu[0];

    be_in_the_midst(v);
    domain_shutdown(pv, SHUTDOWN_suspend);
    leave_cpu(v);
    ck_assert_int_eq(domain_pause_by_controller(pv), 0);
    ck_assert(!vcpu_is_runnable(v));
    wait(10 * SECOND);
    ck_assert(!pv->is_shut_down);
    vcpu_pause(v);
    ck_assert_int_eq(domain_unpause_by_controller(pv), 0);
    ck_assert(!vcpu_is_runnable(v));
    vcpu_unpause(v);
    ck_assert(vcpu_is_runnable(v));
    arrive(v);
    ck_assert(pv->is_shut_down);
}
END_TEST

/* A tool that reads registers while the domain is paused brings it there. */
START_TEST(who_settles_while_paused_rests)
{
    struct vcpu *v = pv->vcpu[0];

    be_in_the_midst(v);
    domain_shutdown(pv, SHUTDOWN_suspend);
    leave_cpu(v);
    domain_pause(pv);
    machine_step_time(1000);
    ck_assert_int_eq(domain_settle(pv), -ERESTART);
    ck_assert(vcpu_is_runnable(v));
    arrive(v);
    ck_assert(pv->is_shut_down);
    ck_assert(is_told());
    ck_assert_int_eq(domain_settle(pv), 0);
    domain_unpause(pv);
    ck_assert(!vcpu_is_runnable(v));
}
END_TEST

START_TEST(who_loses_its_registers_rests)
{
    struct vcpu *v = pv->vcpu[0];

    be_in_the_midst(v);
    domain_shutdown(pv, SHUTDOWN_suspend);
    leave_cpu(v);
    domain_pause(pv);
    vcpu_reset(v);
    domain_unpause(pv);
    ck_assert(!vcpu_is_runnable(v));
    ck_assert(pv->is_shut_down);
    ck_assert(is_told());
}
END_TEST

START_TEST(a_resume_ends_it)
{
    struct vcpu *v = pv->vcpu[0];

    be_in_the_midst(v);
    domain_shutdown(pv, SHUTDOWN_suspend);
    leave_cpu(v);
    domain_resume(pv);
    ck_assert(!pv->is_shutting_down);
    ck_assert(!vcpu_is_to_settle(v));
    ck_assert(vcpu_is_runnable(v));
    ran(v, 2 * SECOND);
    wait(SECOND);
    ck_assert(!timer_is_armed(&pv->rest_timer));
    ck_assert(!pv->is_shut_down);
    ck_assert(!is_told());
    v->arch->is_between = false;
    domain_shutdown(pv, SHUTDOWN_poweroff);
    ck_assert(pv->is_shut_down);
    ck_assert_uint_eq(pv->shutdown_code, SHUTDOWN_poweroff);
    domain_resume(pv);
    ck_assert(!pv->is_shut_down);
    ck_assert(vcpu_is_runnable(v));
}
END_TEST

START_TEST(who_dies_does_not_run_on)
{
    struct vcpu *v = pv->vcpu[0];
    int rc;

    be_in_the_midst(v);
    domain_shutdown(pv, SHUTDOWN_suspend);
    leave_cpu(v);
    ck_assert(timer_is_armed(&pv->rest_timer));
    do {
        rc = domain_kill(pv);
        ck_assert(!vcpu_is_runnable(v));
    } while (rc == -ERESTART);
    ck_assert_int_eq(rc, 0);
    ck_assert(!timer_is_armed(&pv->rest_timer));
    domain_shutdown(pv, SHUTDOWN_watchdog);
    ck_assert(!timer_is_armed(&pv->rest_timer));
    wait(SECOND);
}
END_TEST

/* One that never gets there has a second of its own time for it. */
START_TEST(ill_ones_count_as_at_rest)
{
    struct vcpu *ill = pv->vcpu[0], *slow = pv->vcpu[1];

    ran(ill, 5 * SECOND);
    ran(slow, 5 * SECOND);
    be_in_the_midst(ill);
    be_in_the_midst(slow);
    domain_shutdown(pv, SHUTDOWN_suspend);
    wait(20 * SECOND);
    ck_assert(vcpu_is_runnable(ill));
    ran(ill, SECOND + 1);
    wait(SECOND);
    ck_assert(!vcpu_is_runnable(ill));
    ck_assert(vcpu_is_runnable(slow));
    ck_assert(!pv->is_shut_down);
    ran(slow, SECOND + 1);
    wait(SECOND);
    ck_assert(pv->is_shut_down);
    ck_assert(is_told());
    ck_assert(!timer_is_armed(&pv->rest_timer));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("shutdown");
    TCase *tc = unit_case(suite, "shutdown");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, who_is_in_the_midst_defers_it);
    tcase_add_test(tc, who_runs_defers_it);
    tcase_add_test(tc, the_last_one_ends_it);
    tcase_add_test(tc, who_waits_in_the_midst_defers_it);
    tcase_add_test(tc, who_rests_defers_nothing);
    tcase_add_test(tc, a_pvh_guest_stops_at_once);
    tcase_add_test(tc, a_second_shutdown_changes_nothing);
    tcase_add_test(tc, a_crash_stops_all_at_once);
    tcase_add_test(tc, a_crash_on_the_way_is_a_crash);
    tcase_add_test(tc, a_pause_defers_it_too);
    tcase_add_test(tc, who_settles_while_paused_rests);
    tcase_add_test(tc, who_loses_its_registers_rests);
    tcase_add_test(tc, a_resume_ends_it);
    tcase_add_test(tc, who_dies_does_not_run_on);
    tcase_add_test(tc, ill_ones_count_as_at_rest);
    return unit_run(suite);
}
