/* SPDX-License-Identifier: GPL-2.0-only */
/* Event channels, 2-level: bindings, sends, virqs, limits, ends. */
#include "step.h"

#include <errno.h>
#include <string.h>

#include "core/evtchn_table.h"
#include "fake/machine.h"
#include "unit.h"
#include "core_env.h"

static struct domain *a, *b, *c;    /* dom0, and two guests */

static void setup(void)
{
    env_start();
    a = env_domain(0, 2);
    b = env_domain(1, 2);
    c = env_domain(2, 1);
}

static long close_port(struct domain *d, evtchn_port_t port)
{
    evtchn_close_t op = { .port = port };

    env_run(d->vcpu[0]);
    return env_evtchn(EVTCHNOP_close, &op);
}

static evtchn_status_t status_of(struct domain *d, evtchn_port_t port)
{
    evtchn_status_t op = { .dom = d->id, .port = port };

    env_run(dom0->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_status, &op), 0);
    return op;
}

static bool pending(struct domain *d, evtchn_port_t port)
{
    return bitmap_test(d->shared_info->evtchn_pending, port);
}

/* As the guest does before it looks. */
static void acknowledge(struct domain *d)
{
    unsigned int i;

    for (i = 0; i < d->max_vcpus; i++) {
        d->vcpu[i]->info->evtchn_upcall_pending = 0;
        d->vcpu[i]->info->evtchn_pending_sel = 0;
        (void)env_take_upcalls(d->vcpu[i]);
    }
    memset(d->shared_info->evtchn_pending, 0,
           sizeof(d->shared_info->evtchn_pending));
}

START_TEST(a_send_reaches_the_peer)
{
    evtchn_port_t at_b, at_a = env_alloc_unbound(a, 1);

    ck_assert_int_eq(env_bind(b, 0, at_a, &at_b), 0);
    /* The binder looks once: something may have been sent before. */
    ck_assert(pending(b, at_b));
    acknowledge(b);
    ck_assert_int_eq(env_send(a, at_a), 0);
    ck_assert(pending(b, at_b));
    ck_assert_uint_eq(b->vcpu[0]->info->evtchn_pending_sel,
                      1ul << (at_b / 64));
    ck_assert_uint_eq(b->vcpu[0]->info->evtchn_upcall_pending, 1);
    ck_assert_uint_eq(env_take_upcalls(b->vcpu[0]), 1);
    /* Again while it is pending: no second upcall. */
    ck_assert_int_eq(env_send(a, at_a), 0);
    ck_assert_uint_eq(env_take_upcalls(b->vcpu[0]), 0);
    ck_assert_int_eq(env_send(b, at_b), 0);
    ck_assert(pending(a, at_a));
}
END_TEST

START_TEST(a_masked_port_gives_no_upcall_until_unmasked)
{
    evtchn_port_t at_b, at_a = env_alloc_unbound(a, 1);
    evtchn_unmask_t op;

    ck_assert_int_eq(env_bind(b, 0, at_a, &at_b), 0);
    acknowledge(b);
    bitmap_set(b->shared_info->evtchn_mask, at_b);
    ck_assert_int_eq(env_send(a, at_a), 0);
    ck_assert(pending(b, at_b));
    ck_assert_uint_eq(env_take_upcalls(b->vcpu[0]), 0);
    op.port = at_b;
    env_run(b->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_unmask, &op), 0);
    ck_assert_uint_eq(env_take_upcalls(b->vcpu[0]), 1);
    ck_assert(!bitmap_test(b->shared_info->evtchn_mask, at_b));
}
END_TEST

START_TEST(only_the_named_domain_may_bind)
{
    evtchn_port_t local, at_a = env_alloc_unbound(a, 1);

    ck_assert_int_eq(env_bind(c, 0, at_a, &local), -EINVAL);
    ck_assert_int_eq(env_bind(b, 0, at_a + 1, &local), -EINVAL);
    ck_assert_int_eq(env_bind(b, 7, at_a, &local), -ESRCH);
    ck_assert_int_eq(env_bind(b, 0, 0xffffffff, &local), -EINVAL);
    ck_assert_int_eq(env_bind(b, 0, at_a, &local), 0);
    ck_assert_int_eq(env_bind(b, 0, at_a, &local), -EINVAL);
}
END_TEST

START_TEST(a_guest_allocates_for_itself_only)
{
    evtchn_alloc_unbound_t op = { .dom = 0, .remote_dom = 1 };

    env_run(b->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_alloc_unbound, &op), -EPERM);
    op.dom = 1;
    env_run(a->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_alloc_unbound, &op), 0);
    ck_assert_int_eq(status_of(b, op.port).status, EVTCHNSTAT_unbound);
}
END_TEST

START_TEST(closing_leaves_the_peer_unbound)
{
    evtchn_port_t at_b, at_a = env_alloc_unbound(a, 1);
    evtchn_status_t s;

    ck_assert_int_eq(env_bind(b, 0, at_a, &at_b), 0);
    s = status_of(b, at_b);
    ck_assert_int_eq(s.status, EVTCHNSTAT_interdomain);
    ck_assert_int_eq(s.u.interdomain.dom, 0);
    ck_assert_uint_eq(s.u.interdomain.port, at_a);
    ck_assert_int_eq(close_port(b, at_b), 0);
    ck_assert_int_eq(close_port(b, at_b), -EINVAL);
    s = status_of(a, at_a);
    ck_assert_int_eq(s.status, EVTCHNSTAT_unbound);
    ck_assert_int_eq(s.u.unbound.dom, 1);
    /* To nobody: dropped, not refused. */
    ck_assert_int_eq(env_send(a, at_a), 0);
    ck_assert_int_eq(env_bind(b, 0, at_a, &at_b), 0);
    ck_assert_int_eq(close_port(a, at_a), 0);
    ck_assert_int_eq(status_of(b, at_b).status, EVTCHNSTAT_unbound);
    ck_assert_int_eq(status_of(a, at_a).status, EVTCHNSTAT_closed);
    ck_assert_int_eq(env_send(a, at_a), -EINVAL);
}
END_TEST

START_TEST(a_loop_to_oneself_works_and_closes)
{
    evtchn_port_t second, first = env_alloc_unbound(b, DOMID_SELF);

    ck_assert_int_eq(env_bind(b, DOMID_SELF, first, &second), 0);
    ck_assert_uint_ne(first, second);
    acknowledge(b);
    ck_assert_int_eq(env_send(b, first), 0);
    ck_assert(pending(b, second));
    ck_assert_int_eq(close_port(b, second), 0);
    ck_assert_int_eq(status_of(b, first).status, EVTCHNSTAT_unbound);
}
END_TEST

static long bind_virq(struct domain *d, uint32_t virq, uint32_t vcpu,
                      evtchn_port_t *port)
{
    evtchn_bind_virq_t op = { .virq = virq, .vcpu = vcpu };
    long error;

    env_run(d->vcpu[0]);
    error = env_evtchn(EVTCHNOP_bind_virq, &op);
    *port = op.port;
    return error;
}

START_TEST(virqs_are_bound_once_and_delivered)
{
    evtchn_port_t timer, other;

    ck_assert_int_eq(bind_virq(b, VIRQ_TIMER, 1, &timer), 0);
    ck_assert_int_eq(bind_virq(b, VIRQ_TIMER, 1, &other), -EEXIST);
    ck_assert_int_eq(bind_virq(b, VIRQ_TIMER, 2, &other), -ENOENT);
    ck_assert_int_eq(bind_virq(b, NR_VIRQS, 0, &other), -EINVAL);
    ck_assert_int_eq(bind_virq(b, VIRQ_DOM_EXC, 1, &other), -EINVAL);
    evtchn_virq_vcpu(b->vcpu[0], VIRQ_TIMER);
    ck_assert(!pending(b, timer));
    evtchn_virq_vcpu(b->vcpu[1], VIRQ_TIMER);
    ck_assert(pending(b, timer));
    ck_assert_uint_eq(env_take_upcalls(b->vcpu[1]), 1);
    ck_assert_int_eq(close_port(b, timer), 0);
    ck_assert(!pending(b, timer));
    evtchn_virq_vcpu(b->vcpu[1], VIRQ_TIMER);
    ck_assert(!pending(b, timer));
    ck_assert_int_eq(bind_virq(b, VIRQ_TIMER, 1, &timer), 0);
}
END_TEST

START_TEST(a_global_virq_goes_to_its_handler_only)
{
    evtchn_port_t at_a, at_b;

    ck_assert_int_eq(bind_virq(a, VIRQ_DOM_EXC, 0, &at_a), 0);
    ck_assert_int_eq(bind_virq(b, VIRQ_DOM_EXC, 0, &at_b), 0);
    evtchn_virq_global(VIRQ_DOM_EXC);
    ck_assert(pending(a, at_a));
    ck_assert(!pending(b, at_b));
    acknowledge(a);
    ck_assert_int_eq(evtchn_set_virq_handler(b, VIRQ_DOM_EXC), 0);
    ck_assert_int_eq(evtchn_set_virq_handler(b, VIRQ_TIMER), -EINVAL);
    evtchn_virq_global(VIRQ_DOM_EXC);
    ck_assert(!pending(a, at_a));
    ck_assert(pending(b, at_b));
    evtchn_clear_virq_handlers(b);
    evtchn_virq_global(VIRQ_DOM_EXC);
    ck_assert(pending(a, at_a));
}
END_TEST

/* A global virq that moved to vcpu 1 is still unbound from vcpu 0. */
START_TEST(a_moved_global_virq_closes)
{
    evtchn_bind_vcpu_t op = { .vcpu = 1 };
    evtchn_port_t port;

    ck_assert_int_eq(bind_virq(a, VIRQ_CONSOLE, 0, &port), 0);
    op.port = port;
    ck_assert_int_eq(env_evtchn(EVTCHNOP_bind_vcpu, &op), 0);
    evtchn_virq_global(VIRQ_CONSOLE);
    ck_assert_uint_eq(env_take_upcalls(a->vcpu[1]), 1);
    ck_assert_int_eq(close_port(a, port), 0);
    ck_assert_int_eq(bind_virq(a, VIRQ_CONSOLE, 0, &port), 0);
    op.vcpu = 2;
    ck_assert_int_eq(env_evtchn(EVTCHNOP_bind_vcpu, &op), -ENOENT);
}
END_TEST

START_TEST(an_ipi_reaches_its_vcpu)
{
    evtchn_bind_ipi_t op = { .vcpu = 1 };
    evtchn_bind_vcpu_t move = { .vcpu = 0 };

    env_run(b->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_bind_ipi, &op), 0);
    ck_assert_int_eq(env_send(b, op.port), 0);
    ck_assert_uint_eq(env_take_upcalls(b->vcpu[1]), 1);
    move.port = op.port;
    ck_assert_int_eq(env_evtchn(EVTCHNOP_bind_vcpu, &move), -EINVAL);
    ck_assert_int_eq(status_of(b, op.port).status, EVTCHNSTAT_ipi);
    ck_assert_int_eq(status_of(b, op.port).vcpu, 1);
    op.vcpu = 2;
    env_run(b->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_bind_ipi, &op), -ENOENT);
}
END_TEST

START_TEST(ports_end_at_the_limit)
{
    evtchn_alloc_unbound_t op = { .dom = DOMID_SELF, .remote_dom = 0 };
    unsigned int i;

    env_run(b->vcpu[0]);
    for (i = 1; i < EVTCHN_2L_PORTS; i++) {
        ck_assert_int_eq(env_evtchn(EVTCHNOP_alloc_unbound, &op), 0);
        ck_assert_uint_eq(op.port, i);
    }
    ck_assert_int_eq(env_evtchn(EVTCHNOP_alloc_unbound, &op), -ENOSPC);
    ck_assert_int_eq(close_port(b, 77), 0);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_alloc_unbound, &op), 0);
    ck_assert_uint_eq(op.port, 77);
    ck_assert_int_eq(evtchn_set_max_port(c, 3), 0);
    env_run(c->vcpu[0]);
    for (i = 1; i <= 3; i++) {
        ck_assert_int_eq(env_evtchn(EVTCHNOP_alloc_unbound, &op), 0);
    }
    ck_assert_int_eq(env_evtchn(EVTCHNOP_alloc_unbound, &op), -ENOSPC);
}
END_TEST

START_TEST(port_zero_is_nobodys)
{
    ck_assert_int_eq(env_send(b, 0), -EINVAL);
    ck_assert_int_eq(close_port(b, 0), -EINVAL);
    ck_assert_int_eq(env_send(b, 0xffffffff), -EINVAL);
    ck_assert_int_eq(env_send(b, 100000), -EINVAL);
}
END_TEST

START_TEST(reset_closes_all_in_bounded_steps)
{
    evtchn_reset_t op = { .dom = DOMID_SELF };
    evtchn_port_t local, at_a;
    unsigned int i;

    for (i = 0; i < 1500; i++) {
        at_a = env_alloc_unbound(a, 1);
        ck_assert_int_eq(env_bind(b, 0, at_a, &local), 0);
    }
    env_run(b->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_reset, &op), 0);
    ck_assert_uint_ge(env_restarts(), 2);
    ck_assert_int_eq(status_of(b, local).status, EVTCHNSTAT_closed);
    ck_assert_int_eq(status_of(a, at_a).status, EVTCHNSTAT_unbound);
    ck_assert_uint_eq(env_alloc_unbound(b, 0), 1);
    /* Of another one: not from a guest, and only of a paused one. */
    op.dom = 1;
    env_run(c->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_reset, &op), -EPERM);
    env_run(a->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_reset, &op), -EINVAL);
}
END_TEST

/*
 * A reset that is in the middle when its guest binds a low port and is killed:
 * the kill closes that one, too.
 */
START_TEST(relinquish_closes_what_opened_behind_a_reset)
{
    evtchn_reset_t op = { .dom = DOMID_SELF };
    struct vcpu *v = b->vcpu[0];
    evtchn_port_t local, at_a;
    unsigned int i, calls = 0;
    uint64_t result;

    for (i = 0; i < 1000; i++) {
        (void)env_alloc_unbound(b, 0);
    }
    at_a = env_alloc_unbound(a, 1);
    env_run(v);
    v->arch->arg[0] = EVTCHNOP_reset;
    v->arch->arg[1] = env_arg(&op);
    ck_assert(!hypercall(v, __HYPERVISOR_event_channel_op, &result));
    ck_assert_int_eq(env_bind(b, 0, at_a, &local), 0);
    ck_assert_uint_lt(local, b->evtchn->close_next);
    __atomic_store_n(&b->state, (uint32_t)DOMAIN_DYING, __ATOMIC_SEQ_CST);
    while (evtchn_relinquish(b) == -ERESTART) {
        ck_assert_uint_lt(++calls, 100);
    }
    ck_assert_int_eq(status_of(a, at_a).status, EVTCHNSTAT_unbound);
    ck_assert_uint_eq(b->evtchn->open_ports, 0);
}
END_TEST

START_TEST(relinquish_unbinds_the_peers)
{
    evtchn_port_t local, at_a = env_alloc_unbound(a, 1);

    ck_assert_int_eq(env_bind(b, 0, at_a, &local), 0);
    while (evtchn_relinquish(b) == -ERESTART) {
    }
    ck_assert_int_eq(status_of(a, at_a).status, EVTCHNSTAT_unbound);
    ck_assert_int_eq(env_send(a, at_a), 0);
}
END_TEST

static long poll_one(struct vcpu *v, evtchn_port_t port)
{
    struct sched_poll op = { .nr_ports = 1 };

    op.ports.p = &port;
    env_run(v);
    return env_call(__HYPERVISOR_sched_op, SCHEDOP_poll, env_arg(&op), 0);
}

START_TEST(a_poll_waits_for_its_port)
{
    evtchn_port_t local, at_a = env_alloc_unbound(a, 1);
    struct vcpu *v = b->vcpu[1];

    ck_assert_int_eq(env_bind(b, 0, at_a, &local), 0);
    acknowledge(b);
    /* The poller masks, so that only the poll is woken. */
    bitmap_set(b->shared_info->evtchn_mask, local);
    ck_assert_int_eq(poll_one(v, local), 0);
    ck_assert(v->is_blocked);
    ck_assert_int_eq(env_send(a, at_a), 0);
    ck_assert(!v->is_blocked);
    ck_assert(!evtchn_is_polling(v));
    /* Pending before: does not block. */
    ck_assert_int_eq(poll_one(v, local), 0);
    ck_assert(!v->is_blocked);
    ck_assert_int_eq(poll_one(v, 0), -EINVAL);
    ck_assert_int_eq(poll_one(v, 4000), -EINVAL);
}
END_TEST

/* ---- another CPU acts between two instructions ---- */

#define STEPS_MAX 10000u

static struct vcpu *poller;
static evtchn_port_t polled;

static bool is_awake(void)
{
    return !poller->is_blocked;
}

static bool is_about_to_block(void)
{
    return !poller->is_blocked && evtchn_is_polling(poller);
}

static void poll_again(void)
{
    ck_assert_int_eq(poll_one(poller, polled), 0);
}

static void wake(void)
{
    vcpu_unblock(poller);
}

/* What is left to do of a sender that saw an earlier poll. */
static void end_poll(void)
{
    if (evtchn_poll_end(poller)) {
        vcpu_unblock(poller);
    }
}

static void start_to_poll(evtchn_port_t *at_a)
{
    *at_a = env_alloc_unbound(a, 1);
    poller = b->vcpu[1];
    ck_assert_int_eq(env_bind(b, 0, *at_a, &polled), 0);
    acknowledge(b);
    bitmap_set(b->shared_info->evtchn_mask, polled);
}

/*
 * Somebody woke a vcpu that polled, and marked that the poll had ended after
 * the vcpu could run: if that polled again meanwhile, its poll was marked, and
 * neither the event nor the time-out ended it ever.
 */
START_TEST(a_wakeup_does_not_end_the_next_poll)
{
    evtchn_port_t at_a;
    unsigned int n = 0;
    bool is_done;

    start_to_poll(&at_a);
    do {
        poll_again();
        ck_assert(poller->is_blocked);
        is_done = !step_run(wake, is_awake, poll_again, n++);
        ck_assert_int_eq(env_send(a, at_a), 0);
        ck_assert(!poller->is_blocked);
        bitmap_clear(b->shared_info->evtchn_pending, polled);
        ck_assert_uint_lt(n, STEPS_MAX);
    } while (!is_done);
    ck_assert_uint_gt(n, 1);
}
END_TEST

/*
 * A sender saw a poll, which then ended, and cleared the mask's bit of the
 * next one before that was blocked: it then slept, and no sender saw it.
 */
START_TEST(a_slow_sender_does_not_end_the_next_poll)
{
    evtchn_port_t at_a;
    unsigned int n = 0;
    bool is_done;

    start_to_poll(&at_a);
    do {
        is_done = !step_run(poll_again, is_about_to_block, end_poll, n++);
        ck_assert_int_eq(env_send(a, at_a), 0);
        ck_assert(!poller->is_blocked);
        bitmap_clear(b->shared_info->evtchn_pending, polled);
        ck_assert_uint_lt(n, STEPS_MAX);
    } while (!is_done);
    ck_assert_uint_gt(n, 1);
}
END_TEST

START_TEST(bad_arguments_are_refused)
{
    evtchn_bind_pirq_t pirq = { .pirq = 1 };
    evtchn_set_priority_t priority = { .port = 1, .priority = 3 };
    evtchn_expand_array_t expand = { .array_gfn = 1 };

    env_run(b->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_bind_pirq, &pirq), -EINVAL);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_set_priority, &priority), -ENOSYS);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_expand_array, &expand),
                     -EOPNOTSUPP);
    ck_assert_int_eq(env_evtchn(99, &pirq), -ENOSYS);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_send, NULL), -EFAULT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("evtchn");
    TCase *tc = unit_case(suite, "2-level");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, a_send_reaches_the_peer);
    tcase_add_test(tc, a_masked_port_gives_no_upcall_until_unmasked);
    tcase_add_test(tc, only_the_named_domain_may_bind);
    tcase_add_test(tc, a_guest_allocates_for_itself_only);
    tcase_add_test(tc, closing_leaves_the_peer_unbound);
    tcase_add_test(tc, a_loop_to_oneself_works_and_closes);
    tcase_add_test(tc, virqs_are_bound_once_and_delivered);
    tcase_add_test(tc, a_global_virq_goes_to_its_handler_only);
    tcase_add_test(tc, a_moved_global_virq_closes);
    tcase_add_test(tc, an_ipi_reaches_its_vcpu);
    tcase_add_test(tc, ports_end_at_the_limit);
    tcase_add_test(tc, port_zero_is_nobodys);
    tcase_add_test(tc, reset_closes_all_in_bounded_steps);
    tcase_add_test(tc, relinquish_closes_what_opened_behind_a_reset);
    tcase_add_test(tc, relinquish_unbinds_the_peers);
    tcase_add_test(tc, a_poll_waits_for_its_port);
    tcase_add_test(tc, a_wakeup_does_not_end_the_next_poll);
    tcase_add_test(tc, a_slow_sender_does_not_end_the_next_poll);
    tcase_add_test(tc, bad_arguments_are_refused);
    return unit_run(suite);
}
