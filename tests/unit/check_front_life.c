/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netback/front.c: the life of a local front, over real sockets, with a
 * backend that does what it likes, or nothing.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "netback/clock.h"
#include "netback/front.h"
#include "netback/local.h"
#include "tests/fake/control.h"
#include "tests/fake/log.h"
#include "tests/fake/xenstore.h"
#include "unit.h"

#define TURNS 50u
#define TURNS_MS 1000u

static char path[64];
static struct front *front;
static unsigned int told;

/* This front is not by Xen. */
void front_bus_update(struct front *f, struct xs_handle *xs)
{
    ck_abort_msg("%p %p", (void *)f, (void *)xs);
}

void front_bus_release(struct front *f, struct xs_handle *xs)
{
    ck_abort_msg("%p %p", (void *)f, (void *)xs);
}

void control_release(struct control_member *member, struct xs_handle *xs)
{
    front_release((struct front *)member, xs);
}

static void changed(uint16_t owner, bool up)
{
    ck_assert_uint_eq(owner, 9);
    (void)up;
    told++;
}

static void wish_for(uint16_t queues)
{
    const struct front_wish wish = {
        .queues = queues, .rx_buffers = 64, .tx_buffers = 32,
    };

    ck_assert_int_eq(front_start(front, &wish), 0);
}

static void update(void)
{
    front_update(front, NULL);
}

static void setup(void)
{
    struct front_config config = { .changed = changed, .owner = 9 };

    snprintf(path, sizeof(path), "/tmp/check_front_life.%d", getpid());
    snprintf(config.local, sizeof(config.local), "%s", path);
    fake_log_lines = told = 0;
    front = front_create(&config);
    ck_assert_ptr_nonnull(front);
    wish_for(1);
    update();                   /* it listens now */
}

static void teardown(void)
{
    front_destroy(front);
    ck_assert_int_ne(access(path, F_OK), 0);
}

static int connect_raw(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    strcpy(address.sun_path, path);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address,
                             sizeof(address)), 0);
    return fd;
}

static void take_turns(void)
{
    uint64_t start = clock_ms();

    for (unsigned int i = 0; i < TURNS; i++) {
        update();
    }
    ck_assert_uint_lt(clock_ms() - start, TURNS_MS);
}

/* Until the front is in that state; what it polls is what wakes it. */
static void wait_life(enum front_life life)
{
    for (unsigned int i = 0; i < 200 && front->life != life; i++) {
        struct pollfd wait = { front_poll_fd(front), POLLIN, 0 };

        (void)poll(&wait, 1, 100);
        update();
    }
    ck_assert_int_eq(front->life, life);
}

/* A backend of our own, a step at a time with the front. */
static void connect_backend(struct local_link *link, uint16_t queues)
{
    const char *why;
    int error;

    ck_assert_int_eq(local_begin(path, 16, LOCAL_SG, link, &why), 0);
    for (unsigned int i = 0; i < 200; i++) {
        update();
        error = local_finish(link, &why);
        if (error == 0) {
            break;
        }
        ck_assert_int_eq(error, -EAGAIN);
        usleep(10000);
    }
    ck_assert_uint_eq(link->queue_count, queues);
    take_turns();               /* its verdict takes as long as it takes */
    ck_assert_int_eq(front->life, FRONT_CONNECTING);
    ck_assert(!front->up);
    local_answer(link, 0);
    wait_life(FRONT_CONNECTED);
    ck_assert(front->up);
    ck_assert_uint_eq(front->queue_count, queues);
}

START_TEST(connects)
{
    struct local_link link;

    connect_backend(&link, 1);
    take_turns();
    ck_assert_uint_eq(told, 1);
    local_disconnect(&link);
    update();
    ck_assert_int_eq(front->life, FRONT_WAITING);
    ck_assert(!front->up);
    connect_backend(&link, 1);
    local_disconnect(&link);
}
END_TEST

/* All fronts of the process wait for what one does. */
START_TEST(a_silent_backend)
{
    struct local_link link;
    int fd = connect_raw();

    take_turns();
    ck_assert_int_eq(front->life, FRONT_CONNECTING);
    ck_assert_uint_eq(front->queue_count, 0);
    wait_life(FRONT_WAITING);
    ck_assert_uint_eq(fake_log_lines, 0);
    connect_backend(&link, 1);
    ck_assert_uint_eq(fake_log_lines, 1);
    local_disconnect(&link);
    close(fd);
}
END_TEST

START_TEST(no_backend)
{
    static const char junk[] = "hello";
    struct local_link link;
    int fd = connect_raw();

    ck_assert_int_eq(send(fd, junk, sizeof(junk), 0), sizeof(junk));
    update();
    ck_assert_int_eq(front->life, FRONT_WAITING);
    ck_assert_uint_eq(fake_log_lines, 1);
    close(fd);
    connect_backend(&link, 1);
    local_disconnect(&link);
}
END_TEST

/* The application wants something else while hands are shaken, and after. */
START_TEST(another_wish)
{
    struct local_link link;
    int fd = connect_raw();

    update();
    ck_assert_int_eq(front->life, FRONT_CONNECTING);
    wish_for(2);
    update();
    ck_assert_int_eq(front->life, FRONT_WAITING);
    close(fd);
    connect_backend(&link, 2);
    wish_for(3);
    update();
    ck_assert_int_eq(front->life, FRONT_WAITING);
    ck_assert(local_is_closed(&link));
    local_disconnect(&link);
    connect_backend(&link, 3);
    local_disconnect(&link);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("front_life");
    TCase *tcase = unit_case(suite, "local");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, connects);
    tcase_add_test(tcase, a_silent_backend);
    tcase_add_test(tcase, no_backend);
    tcase_add_test(tcase, another_wish);
    return unit_run(suite);
}
