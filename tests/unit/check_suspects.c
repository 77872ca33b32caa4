/* SPDX-License-Identifier: GPL-2.0-only */
/* Tests of ovs-bridge/suspects.c: a port that the database refuses keeps no
 * other port from being made.  One transaction held all that was to be done,
 * so that one bad vif kept every vif of the host from its port. */

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "unit.h"

#include "ovs-bridge/suspects.h"

#define N 20

static struct suspects suspects;
static struct port ports[N];
static struct reconcile_op ops[N];
static bool made[N], bad[N];
static long long int now;
static unsigned int refusals;

static void
setup(void)
{
    unsigned int i;

    memset(&suspects, 0, sizeof suspects);
    memset(made, 0, sizeof made);
    memset(bad, 0, sizeof bad);
    now = 1000;
    refusals = 0;
    for (i = 0; i < N; i++) {
        snprintf(ports[i].name, sizeof ports[i].name, "vif%u.0", i + 1);
    }
}

static void
teardown(void)
{
    suspects_destroy(&suspects);
}

/* One transaction with a database that refuses what is bad, as a whole.
 * Returns the number of operations in it. */
static size_t
turn(void)
{
    size_t i, n = 0;
    bool refused = false;

    for (i = 0; i < N; i++) {
        if (!made[i]) {
            ops[n++] = (struct reconcile_op) {
                RECONCILE_ADD, &ports[i], NULL };
        }
    }
    n = suspects_choose(&suspects, ops, n, now);
    for (i = 0; i < n; i++) {
        refused |= bad[ops[i].wanted - ports];
        ck_assert(!i || ops[i - 1].wanted < ops[i].wanted);
    }
    if (n && refused) {
        suspects_refused(&suspects, "constraint\nviolation", now);
        refusals++;
    } else if (n) {
        for (i = 0; i < n; i++) {
            made[ops[i].wanted - ports] = true;
        }
        suspects_made(&suspects);
    }
    return n;
}

static void
expect_made(void)
{
    size_t i;

    for (i = 0; i < N; i++) {
        ck_assert(made[i] == !bad[i]);
    }
}

START_TEST(all_good)
{
    ck_assert_uint_eq(turn(), N);
    expect_made();
    ck_assert_uint_eq(turn(), 0);
    ck_assert_uint_eq(suspects.n, 0);
    ck_assert(suspects_wake(&suspects, now) == LLONG_MAX);
}
END_TEST

START_TEST(one_bad)
{
    struct refused_port refused[N];
    int i;

    bad[7] = true;
    ck_assert_uint_eq(turn(), N);
    ck_assert_uint_eq(suspects_get(&suspects, refused), 0);
    for (i = 0; i < N; i++) {
        ck_assert_uint_eq(turn(), 1);
    }
    ck_assert_uint_eq(turn(), 0);
    expect_made();
    ck_assert_uint_eq(refusals, 2);
    ck_assert_uint_eq(suspects_get(&suspects, refused), 1);
    ck_assert_str_eq(refused[0].name, "vif8.0");
    ck_assert_str_eq(refused[0].error, "constraint violation");
}
END_TEST

START_TEST(refused_is_tried_again)
{
    bad[7] = true;
    while (turn()) {
        continue;
    }
    ck_assert(suspects_wake(&suspects, now) == now + SUSPECTS_RETRY_MS);
    now += SUSPECTS_RETRY_MS - 1;
    ck_assert_uint_eq(turn(), 0);
    now++;
    ck_assert_uint_eq(turn(), 1);
    ck_assert_uint_eq(turn(), 0);
    ck_assert(!made[7]);
    bad[7] = false;
    now += SUSPECTS_RETRY_MS;
    ck_assert_uint_eq(turn(), 1);
    ck_assert(made[7]);
    ck_assert_uint_eq(suspects.n, 0);
}
END_TEST

/* Who comes later is made at once, with all others that come, not after the
 * suspects. */
START_TEST(suspects_wait_for_others)
{
    made[3] = made[4] = true;
    bad[7] = true;
    ck_assert_uint_eq(turn(), N - 2);
    made[3] = made[4] = false;
    ck_assert_uint_eq(turn(), 2);
    ck_assert(made[3] && made[4]);
    while (turn()) {
        continue;
    }
    expect_made();
}
END_TEST

START_TEST(gone_is_forgotten)
{
    bad[7] = true;
    while (turn()) {
        continue;
    }
    ck_assert_uint_eq(suspects.n, 1);
    made[7] = true;             /* There is nothing to do any more. */
    turn();
    ck_assert_uint_eq(suspects.n, 0);
    made[7] = false;            /* Another of that name comes. */
    bad[7] = false;
    ck_assert_uint_eq(turn(), 1);
    expect_made();
}
END_TEST

/* Whichever are bad: the good are made within a turn for each and two, and
 * the database refuses each bad one once alone. */
START_TEST(any_bad)
{
    uint32_t seed = (uint32_t) _i * 2654435761u + 1;
    unsigned int n_bad = 0;
    int i;

    for (i = 0; i < N; i++) {
        seed = seed * 1664525u + 1013904223u;
        bad[i] = seed >> 30 == 0;
        n_bad += bad[i];
    }
    for (i = 0; i < N + 2; i++) {
        turn();
    }
    expect_made();
    ck_assert_uint_eq(turn(), 0);
    ck_assert_uint_eq(refusals, n_bad + !!n_bad);
}
END_TEST

int
main(void)
{
    Suite *suite = suite_create("suspects");
    TCase *tcase = unit_case(suite, "transactions");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, all_good);
    tcase_add_test(tcase, one_bad);
    tcase_add_test(tcase, refused_is_tried_again);
    tcase_add_test(tcase, suspects_wait_for_others);
    tcase_add_test(tcase, gone_is_forgotten);
    tcase_add_loop_test(tcase, any_bad, 0, 50);
    return unit_run(suite);
}
