/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netback/front_control.c: when the thread of net_xenfront wakes.  The test
 * takes its turns; a turn that nothing ends would hang.
 */
#include <errno.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "netback/clock.h"
#include "netback/front.h"
#include "netback/front_log.h"
#include "unit.h"

#define RETRY_MS 1000u

int front_logtype;
struct control_list control_members;
struct xs_handle *control_xs;

static struct front front;
static int kick_fd, store_fd, static_fd;
static bool store_is_there, store_dies;
static unsigned int opens, updates;
static int store;

/* What front_control.c calls. */
int rte_log(uint32_t level, uint32_t type, const char *format, ...)
{
    (void)level;
    (void)type;
    (void)format;
    return 0;
}

int xs_fileno(struct xs_handle *xs)
{
    ck_assert_ptr_eq(xs, &store);
    return store_fd;
}

int control_wake_fd(void)
{
    return kick_fd;
}

bool control_woken(void)
{
    uint64_t count;

    return read(kick_fd, &count, sizeof(count)) == sizeof(count);
}

void control_serve_commands(void)
{
}

bool control_open_store(void)
{
    opens++;
    control_xs = store_is_there ? (struct xs_handle *)&store : NULL;
    return store_is_there;
}

void control_serve_watches(void)
{
    uint64_t count;

    (void)!read(store_fd, &count, sizeof(count));
    if (store_dies) {
        control_xs = NULL;
        control_lost(&front.member);
    }
}

void front_update(struct front *updated, struct xs_handle *xs)
{
    ck_assert_ptr_eq(updated, &front);
    ck_assert_ptr_eq(xs, control_xs);
    updates++;
}

void front_release(struct front *released, struct xs_handle *xs)
{
    (void)released;
    (void)xs;
}

int front_poll_fd(const struct front *polled)
{
    (void)polled;
    return -1;
}

int front_static_fd(const struct front *polled)
{
    (void)polled;
    return static_fd;
}

static void setup(void)
{
    kick_fd = eventfd(0, EFD_NONBLOCK);
    store_fd = eventfd(0, EFD_NONBLOCK);
    static_fd = -1;
    front.life = FRONT_CONNECTED;
    front.watched = true;
    LIST_INSERT_HEAD(&control_members, &front.member, link_all);
    store_is_there = true;
    control_xs = (struct xs_handle *)&store;
}

static void teardown(void)
{
    close(kick_fd);
    close(store_fd);
}

static void ring(int fd)
{
    const uint64_t one = 1;

    ck_assert_int_eq(write(fd, &one, sizeof(one)), sizeof(one));
}

/* A turn; how long it slept, about. */
static uint64_t turn(void)
{
    uint64_t start = clock_ms();

    control_turn();
    return clock_ms() - start;
}

START_TEST(what_wakes_it)
{
    ring(kick_fd);
    ck_assert_uint_lt(turn(), RETRY_MS / 2);
    ring(store_fd);
    ck_assert_uint_lt(turn(), RETRY_MS / 2);
    static_fd = eventfd(1, 0);
    ck_assert_uint_lt(turn(), RETRY_MS / 2);
    close(static_fd);
    ck_assert_uint_eq(updates, 3);
    ck_assert_uint_eq(opens, 0);
}
END_TEST

/* Nothing tells of a kernel driver that lets go, or of a second gone by. */
START_TEST(looks_again)
{
    static const enum front_life lives[] = {
        FRONT_WAITING, FRONT_CLOSED, FRONT_GONE, FRONT_CONNECTING,
    };

    front.life = lives[_i];
    ck_assert_uint_ge(turn(), RETRY_MS / 2);
    ck_assert_uint_eq(updates, 1);
}
END_TEST

/*
 * The connection to XenStore ends while all fronts are connected: nothing
 * else woke the thread, so it was never opened again, and no backend that
 * closed was noticed.
 */
START_TEST(opens_the_store_again)
{
    store_dies = true;
    ring(store_fd);
    ck_assert_uint_lt(turn(), RETRY_MS / 2);
    ck_assert_ptr_null(control_xs);
    ck_assert(!front.watched);
    store_is_there = store_dies = false;
    turn();
    ck_assert_ptr_null(control_xs);
    store_is_there = true;
    turn();
    ck_assert_ptr_nonnull(control_xs);
    ck_assert_uint_eq(opens, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("front_control");
    TCase *tcase = unit_case(suite, "turns");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 30);
    tcase_add_test(tcase, what_wakes_it);
    tcase_add_loop_test(tcase, looks_again, 0, 4);
    tcase_add_test(tcase, opens_the_store_again);
    return unit_run(suite);
}
