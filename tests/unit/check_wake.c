/* SPDX-License-Identifier: GPL-2.0-only */
/* wake: sources come and go behind descriptors that stay. */
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <unistd.h>

#include "netback/wake.h"
#include "unit.h"

static struct wake wake;
static int pipes[3][2];

static void setup(void)
{
    wake_init(&wake);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(pipe(pipes[i]), 0);
    }
}

static void teardown(void)
{
    wake_destroy(&wake);
    for (int i = 0; i < 3; i++) {
        close(pipes[i][0]);
        close(pipes[i][1]);
    }
}

static bool is_awake(uint16_t rx)
{
    struct pollfd wait = { .fd = wake_fd(&wake, rx), .events = POLLIN };

    return poll(&wait, 1, 0) == 1;
}

static void event(int i)
{
    ck_assert_int_eq(write(pipes[i][1], "x", 1), 1);
}

static void drain(int i)
{
    char byte;

    ck_assert_int_eq(read(pipes[i][0], &byte, 1), 1);
}

START_TEST(nobody_sleeps)
{
    ck_assert_int_eq(wake_fd(&wake, 0), -1);
    wake_add(&wake, 0, pipes[0][0]);
    wake_up(&wake, 0);
    wake_clear(&wake, 0);
    wake_forget(&wake, 0);
    ck_assert_int_eq(wake_configure(&wake, WAKE_QUEUES_MAX + 1), -EINVAL);
}
END_TEST

START_TEST(a_source_wakes_its_queue)
{
    ck_assert_int_eq(wake_configure(&wake, 2), 0);
    wake_add(&wake, 0, pipes[0][0]);
    wake_add(&wake, 1, pipes[1][0]);
    wake_add(&wake, 2, pipes[2][0]);
    ck_assert(is_awake(0) && is_awake(1));  /* what came before, they see */
    wake_clear(&wake, 0);
    wake_clear(&wake, 1);
    ck_assert(!is_awake(0) && !is_awake(1));
    event(1);
    ck_assert(!is_awake(0) && is_awake(1));
    drain(1);
    event(2);                               /* pair 2 belongs to queue 0 */
    ck_assert(is_awake(0) && !is_awake(1));
}
END_TEST

START_TEST(sources_that_were_there_first)
{
    wake_add(&wake, 1, pipes[1][0]);
    event(1);
    ck_assert_int_eq(wake_configure(&wake, 2), 0);
    ck_assert(!is_awake(0) && is_awake(1));
}
END_TEST

START_TEST(a_source_that_went)
{
    int fd;

    ck_assert_int_eq(wake_configure(&wake, 1), 0);
    fd = wake_fd(&wake, 0);
    wake_add(&wake, 0, pipes[0][0]);
    wake_clear(&wake, 0);
    wake_forget(&wake, 0);
    event(0);
    ck_assert(!is_awake(0));
    wake_add(&wake, 0, pipes[1][0]);
    ck_assert(is_awake(0));
    wake_clear(&wake, 0);
    event(1);
    ck_assert(is_awake(0));
    ck_assert_int_eq(wake_configure(&wake, 1), 0);
    ck_assert_int_eq(wake_fd(&wake, 0), fd);    /* the same all the time */
}
END_TEST

START_TEST(another_number_of_queues)
{
    ck_assert_int_eq(wake_configure(&wake, 1), 0);
    wake_add(&wake, 1, pipes[1][0]);
    wake_clear(&wake, 0);
    event(1);
    ck_assert(is_awake(0));
    ck_assert_int_eq(wake_configure(&wake, 2), 0);
    ck_assert(!is_awake(0) && is_awake(1));
    ck_assert_int_eq(wake_configure(&wake, 0), 0);
    ck_assert_int_eq(wake_fd(&wake, 0), -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wake");
    TCase *tcase = unit_case(suite, "wake");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, nobody_sleeps);
    tcase_add_test(tcase, a_source_wakes_its_queue);
    tcase_add_test(tcase, sources_that_were_there_first);
    tcase_add_test(tcase, a_source_that_went);
    tcase_add_test(tcase, another_number_of_queues);
    return unit_run(suite);
}
