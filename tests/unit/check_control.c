/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netback/control.c: a real thread, members that come and go, and a XenStore
 * that is there or not.
 */
#include <errno.h>
#include <pthread.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include <rte_lcore.h>

#include "netback/control.h"
#include "unit.h"

#define MEMBERS 64u

static struct control_member members[MEMBERS];
static unsigned int turns, released, lost, events, warnings;    /* [a] */
static bool want_store;                                         /* [a] */
static int open_error, watch_error;                             /* [a] */
static bool wait_long;
static int prepare_error;
static unsigned int pending, opens, closes;
static char warning[128];
static int store;
static pthread_mutex_t turn_lock = PTHREAD_MUTEX_INITIALIZER;
static struct control_member *remove_meanwhile;     /* turn_lock */

/* DPDK's, on a plain thread. */
int rte_ctrl_thread_create(pthread_t *made, const char *name,
                           const pthread_attr_t *attr,
                           void *(*run)(void *), void *argument)
{
    int error = pthread_create(made, attr, run, argument);

    ck_assert_str_eq(name, "test-control");
    return error;
}

struct xs_handle *xs_open(unsigned long flags)
{
    ck_assert_uint_eq(flags, 0);
    errno = __atomic_load_n(&open_error, __ATOMIC_SEQ_CST);
    if (errno != 0) {
        return NULL;
    }
    opens++;
    return (struct xs_handle *)&store;
}

void xs_close(struct xs_handle *xs)
{
    ck_assert_ptr_eq(xs, &store);
    closes++;
}

char **xs_check_watch(struct xs_handle *xs)
{
    char **event;

    ck_assert_ptr_eq(xs, &store);
    if (pending == 0) {
        errno = __atomic_load_n(&watch_error, __ATOMIC_SEQ_CST);
        return NULL;
    }
    pending--;
    event = calloc(2, sizeof(*event));
    event[XS_WATCH_PATH] = event[XS_WATCH_TOKEN] = "token";
    return event;
}

/* The driver's part. */
const char control_thread_name[] = "test-control";

static void count(unsigned int *counter)
{
    __atomic_fetch_add(counter, 1, __ATOMIC_SEQ_CST);
}

static unsigned int read_count(const unsigned int *counter)
{
    return __atomic_load_n(counter, __ATOMIC_SEQ_CST);
}

int control_prepare(void)
{
    return prepare_error;
}

void control_turn(void)
{
    struct pollfd wait = { .fd = control_wake_fd(), .events = POLLIN };

    (void)poll(&wait, 1, wait_long ? 60000 : 1);
    (void)control_woken();
    pthread_mutex_lock(&turn_lock);
    control_serve_commands();
    pthread_mutex_unlock(&turn_lock);
    if (__atomic_load_n(&want_store, __ATOMIC_SEQ_CST) &&
        control_open_store()) {
        control_serve_watches();
    }
    count(&turns);
}

void control_release(struct control_member *member, struct xs_handle *xs)
{
    struct control_member *other = remove_meanwhile;

    (void)xs;
    ck_assert_uint_ge(member->id, 1);
    remove_meanwhile = NULL;
    if (other != NULL) {
        control_remove(other);      /* as another thread may */
    }
    count(&released);
}

bool control_opened(struct xs_handle *xs)
{
    ck_assert_ptr_eq(xs, control_xs);
    errno = EPERM;
    return watch_error != EPERM;
}

void control_lost(struct control_member *member)
{
    ck_assert(member->listed);
    count(&lost);
}

void control_event(const char *token)
{
    ck_assert_str_eq(token, "token");
    count(&events);
}

void control_warn(const char *text)
{
    strcpy(warning, text);
    count(&warnings);
}

static void wait_for(const unsigned int *counter, unsigned int value)
{
    for (unsigned int ms = 0; ms < 20000; ms++) {
        if (read_count(counter) >= value) {
            break;
        }
        poll(NULL, 0, 1);
    }
    ck_assert_uint_eq(read_count(counter), value);
}

static void wait_for_turns(unsigned int more)
{
    unsigned int until = read_count(&turns) + more;

    while (read_count(&turns) < until) {
        poll(NULL, 0, 1);
    }
}

/* One that is given and taken before the thread looks is released too. */
START_TEST(members_come_and_go)
{
    wait_long = true;           /* only kicks wake it */
    for (unsigned int i = 0; i < MEMBERS; i++) {
        ck_assert_int_eq(control_add(&members[i]), 0);
        if (i % 2 == 0) {
            control_remove(&members[i]);
        }
    }
    wait_for(&released, MEMBERS / 2);
    for (unsigned int i = 1; i < MEMBERS; i += 2) {
        ck_assert_uint_gt(members[i].id, members[i - 1].id);
        control_remove(&members[i]);
    }
    control_wait_removed(60000);
    ck_assert_uint_eq(read_count(&released), MEMBERS);
    ck_assert(LIST_EMPTY(&control_members));
    ck_assert_uint_eq(opens, 0);
}
END_TEST

/*
 * One that is taken away just after the thread was given it, and before it
 * was listed: its link was in two queues at once, and those that were given
 * after it got lost.
 */
START_TEST(taken_away_while_it_is_given)
{
    ck_assert_int_eq(control_add(&members[0]), 0);
    wait_for_turns(2);
    pthread_mutex_lock(&turn_lock);
    remove_meanwhile = &members[1];
    control_remove(&members[0]);
    for (unsigned int i = 1; i < MEMBERS; i++) {
        ck_assert_int_eq(control_add(&members[i]), 0);
    }
    pthread_mutex_unlock(&turn_lock);
    wait_for(&released, 2);
    wait_for_turns(2);
    pthread_mutex_lock(&turn_lock);
    for (unsigned int i = 2; i < MEMBERS; i++) {
        ck_assert(members[i].listed);
    }
    pthread_mutex_unlock(&turn_lock);
    for (unsigned int i = 2; i < MEMBERS; i++) {
        control_remove(&members[i]);
    }
    control_wait_removed(60000);
    ck_assert_uint_eq(read_count(&released), MEMBERS);
    ck_assert(LIST_EMPTY(&control_members));
}
END_TEST

START_TEST(what_cannot_start_can_later)
{
    control_kick();             /* there is nobody: harmless */
    prepare_error = -EMFILE;
    ck_assert_int_eq(control_add(&members[0]), -EMFILE);
    prepare_error = 0;
    ck_assert_int_eq(control_add(&members[0]), 0);
    control_remove(&members[0]);
    wait_for(&released, 1);
}
END_TEST

/* Its end is noticed, said once, and all members know. */
START_TEST(the_store_goes_and_comes)
{
    for (unsigned int i = 0; i < 3; i++) {
        ck_assert_int_eq(control_add(&members[i]), 0);
    }
    wait_for_turns(2);
    pending = 100;              /* more than are served in a turn */
    watch_error = EAGAIN;
    __atomic_store_n(&want_store, true, __ATOMIC_SEQ_CST);
    wait_for(&events, 100);
    ck_assert_uint_eq(read_count(&warnings), 0);
    __atomic_store_n(&open_error, ECONNREFUSED, __ATOMIC_SEQ_CST);
    __atomic_store_n(&watch_error, EBADF, __ATOMIC_SEQ_CST);
    wait_for(&lost, 3);
    wait_for(&warnings, 2);
    wait_for_turns(5);
    ck_assert_uint_eq(read_count(&warnings), 2);
    ck_assert_ptr_nonnull(strstr(warning, strerror(ECONNREFUSED)));
    ck_assert_uint_eq(closes, 1);
}
END_TEST

/* One that can be opened and not used is closed again. */
START_TEST(a_store_of_no_use)
{
    watch_error = EPERM;
    want_store = true;
    ck_assert_int_eq(control_add(&members[0]), 0);
    wait_for_turns(5);
    ck_assert_uint_eq(read_count(&warnings), 1);
    ck_assert_ptr_nonnull(strstr(warning, strerror(EPERM)));
    /* Not while it tries once more. */
    __atomic_store_n(&want_store, false, __ATOMIC_SEQ_CST);
    wait_for_turns(2);
    ck_assert_ptr_null(control_xs);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("control");
    TCase *tcase = unit_case(suite, "control");

    tcase_add_test(tcase, members_come_and_go);
    tcase_add_test(tcase, taken_away_while_it_is_given);
    tcase_add_test(tcase, what_cannot_start_can_later);
    tcase_add_test(tcase, the_store_goes_and_comes);
    tcase_add_test(tcase, a_store_of_no_use);
    return unit_run(suite);
}
