/* SPDX-License-Identifier: GPL-2.0-only */
/* Timers: order, deadlines, stopping, moving between CPUs, many at once. */
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "core/timer.h"
#include "core_env.h"
#include "fake/machine.h"
#include "unit.h"

#define COUNT 500u

static uint64_t deadline[2];
static uint64_t last;
static unsigned int fired;
static struct timer timers[COUNT];

static void on_program(unsigned int cpu, uint64_t at)
{
    deadline[cpu] = at;
}

static void setup(void)
{
    env_start();
    machine_on_program = on_program;
    machine_set_time(1000);
    deadline[0] = deadline[1] = 0;
    fired = 0;
    last = 0;
}

static void note(void *arg)
{
    struct timer *t = arg;

    ck_assert(!timer_is_armed(t));
    ck_assert_uint_le(t->expires, arch_time_now());
    ck_assert_uint_ge(t->expires, last);
    last = t->expires;
    fired++;
}

START_TEST(test_one)
{
    struct timer t;

    timer_init(&t, note, &t);
    ck_assert(!timer_is_armed(&t));
    timer_set(&t, 5000);
    ck_assert(timer_is_armed(&t));
    ck_assert_uint_eq(deadline[0], 5000);
    machine_set_time(4999);
    timer_run();
    ck_assert_uint_eq(fired, 0);
    machine_set_time(5000);
    timer_run();
    ck_assert_uint_eq(fired, 1);
    ck_assert_uint_eq(deadline[0], 0);
    timer_run();
    ck_assert_uint_eq(fired, 1);
}
END_TEST

START_TEST(test_past_times_fire_soon)
{
    struct timer t;

    timer_init(&t, note, &t);
    timer_set(&t, 0);
    ck_assert_uint_ne(deadline[0], 0);
    ck_assert_uint_le(deadline[0], 1000);
    timer_run();
    ck_assert_uint_eq(fired, 1);
}
END_TEST

/* Against a model: the earliest armed one is the deadline, all in order. */
START_TEST(test_random_order)
{
    unsigned int armed = 0;

    srand(3);
    for (unsigned int i = 0; i < COUNT; i++) {
        timer_init(&timers[i], note, &timers[i]);
        timer_set(&timers[i], 2000 + (uint64_t)rand() % 10000);
    }
    for (unsigned int i = 0; i < COUNT; i += 3) {
        timer_stop(&timers[i]);
        ck_assert(!timer_is_armed(&timers[i]));
    }
    for (unsigned int i = 1; i < COUNT; i += 3) {
        timer_set(&timers[i], 2000 + (uint64_t)rand() % 10000);
    }
    for (unsigned int i = 0; i < COUNT; i++) {
        armed += timer_is_armed(&timers[i]);
    }
    timer_run();
    while (deadline[0] != 0) {
        uint64_t least = UINT64_MAX;

        for (unsigned int i = 0; i < COUNT; i++) {
            if (timer_is_armed(&timers[i]) && timers[i].expires < least) {
                least = timers[i].expires;
            }
        }
        ck_assert_uint_eq(deadline[0], least);
        machine_set_time(deadline[0]);
        timer_run();
    }
    ck_assert_uint_eq(fired, armed);
    machine_set_time(20000);
    timer_run();
    ck_assert_uint_eq(fired, armed);
}
END_TEST

START_TEST(test_moves_to_the_arming_cpu)
{
    struct timer t;

    timer_init(&t, note, &t);
    timer_set(&t, 3000);
    machine_set_cpu(1);
    timer_set(&t, 4000);
    ck_assert_uint_eq(deadline[1], 4000);
    machine_set_time(5000);
    machine_set_cpu(0);
    timer_run();
    ck_assert_uint_eq(fired, 0);
    machine_set_cpu(1);
    timer_run();
    ck_assert_uint_eq(fired, 1);
    machine_set_cpu(0);
}
END_TEST

static void again(void *arg)
{
    struct timer *t = arg;

    fired++;
    timer_stop(t);                  /* by itself: does not wait */
    timer_set(t, arch_time_now() + (fired % 2 ? 0 : 100));
}

/* One that always wants to run does not keep the CPU. */
START_TEST(test_rearming_is_bounded)
{
    struct timer t;

    timer_init(&t, again, &t);
    fired = 0;
    timer_set(&t, 1000);
    timer_run();
    ck_assert_uint_le(fired, 64);
    ck_assert(timer_is_armed(&t));
}
END_TEST

static bool is_over;

static void count(void *arg)
{
    __atomic_add_fetch((unsigned int *)arg, 1, __ATOMIC_SEQ_CST);
}

static void *runs(void *arg)
{
    machine_set_cpu((unsigned int)(uintptr_t)arg);
    while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
        timer_run();
    }
    return NULL;
}

/* A stopped timer is not running: its memory may go. */
START_TEST(test_stop_waits)
{
    unsigned int calls = 0;
    pthread_t thread;

    machine_on_program = NULL;
    is_over = false;
    pthread_create(&thread, NULL, runs, (void *)1);
    for (unsigned int i = 0; i < 20000; i++) {
        struct timer *t = malloc(sizeof(*t));

        timer_init(t, count, &calls);
        machine_set_cpu(1);
        timer_set(t, 1);
        machine_set_cpu(0);
        timer_stop(t);
        free(t);
    }
    __atomic_store_n(&is_over, true, __ATOMIC_SEQ_CST);
    pthread_join(thread, NULL);
}
END_TEST

/* ---- a function that takes its time, on CPU 1 ---- */

struct slow {
    struct timer t;
    bool rearms;
    bool has_begun, is_done;    /* [a] */
};

static void slow_fn(void *arg)
{
    struct slow *s = arg;

    __atomic_store_n(&s->has_begun, true, __ATOMIC_SEQ_CST);
    usleep(100000);
    if (s->rearms) {
        timer_set(&s->t, arch_time_now() + 1000000);
    }
    __atomic_store_n(&s->is_done, true, __ATOMIC_SEQ_CST);
}

static void *run_once(void *arg)
{
    (void)arg;
    machine_set_cpu(1);
    timer_run();
    return NULL;
}

static pthread_t begin(struct slow *s)
{
    pthread_t thread;

    machine_on_program = NULL;
    timer_init(&s->t, slow_fn, s);
    machine_set_cpu(1);
    timer_set(&s->t, 1);
    machine_set_cpu(0);
    ck_assert_int_eq(pthread_create(&thread, NULL, run_once, NULL), 0);
    while (!__atomic_load_n(&s->has_begun, __ATOMIC_SEQ_CST)) {
        usleep(1000);
    }
    return thread;
}

/* As a periodic one does, in the middle of the stop. */
START_TEST(test_stop_of_one_that_arms_itself)
{
    struct slow s = { .rearms = true };
    pthread_t thread = begin(&s);
    bool was_done, was_armed;

    timer_stop(&s.t);
    was_done = __atomic_load_n(&s.is_done, __ATOMIC_SEQ_CST);
    was_armed = timer_is_armed(&s.t);
    pthread_join(thread, NULL);
    ck_assert(was_done);
    ck_assert(!was_armed);
}
END_TEST

/* Armed from another CPU while it runs: a stop still waits for it. */
START_TEST(test_stop_of_one_armed_elsewhere)
{
    struct slow s = { .rearms = false };
    pthread_t thread = begin(&s);
    bool was_done;

    timer_set(&s.t, 1000000);
    ck_assert(timer_is_armed(&s.t));
    timer_stop(&s.t);
    was_done = __atomic_load_n(&s.is_done, __ATOMIC_SEQ_CST);
    ck_assert(!timer_is_armed(&s.t));
    pthread_join(thread, NULL);
    ck_assert(was_done);
}
END_TEST

/* It fires once more, and its CPU knows when. */
START_TEST(test_armed_elsewhere_fires)
{
    struct slow s = { .rearms = false };
    pthread_t thread = begin(&s);

    machine_on_program = on_program;
    timer_set(&s.t, 5000);
    pthread_join(thread, NULL);
    ck_assert(timer_is_armed(&s.t));
    ck_assert_uint_eq(deadline[s.t.cpu], 5000);
    s.is_done = false;
    machine_set_time(5000);
    machine_set_cpu(s.t.cpu);
    timer_run();
    ck_assert(s.is_done);
    ck_assert(!timer_is_armed(&s.t));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("timer");
    TCase *tc = unit_case(suite, "timers");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_one);
    tcase_add_test(tc, test_past_times_fire_soon);
    tcase_add_test(tc, test_random_order);
    tcase_add_test(tc, test_moves_to_the_arming_cpu);
    tcase_add_test(tc, test_rearming_is_bounded);
    tcase_add_test(tc, test_stop_waits);
    tcase_add_test(tc, test_stop_of_one_that_arms_itself);
    tcase_add_test(tc, test_stop_of_one_armed_elsewhere);
    tcase_add_test(tc, test_armed_elsewhere_fires);
    return unit_run(suite);
}
