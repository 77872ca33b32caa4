/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netback/vif_local.c: the life of a local vif, with a real socket.  One
 * thread looks after all vifs of a switch.  A frontend that let it connect
 * and then said nothing took 200 ms of that thread's every turn, and kept
 * all other vifs waiting.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "netback/clock.h"
#include "netback/local.h"
#include "netback/local_front.h"
#include "netback/vif.h"
#include "netback/vif_log.h"
#include "tests/fake/log.h"
#include "tests/fake/vif_control.h"
#include "unit.h"

#define TURNS 50u
#define TURNS_MS 1000u          /* they took ten seconds */

int vif_logtype;

static struct vif vif;
static char path[64];
static int listener = -1;       /* of a frontend that a test plays */
static unsigned int told;
static bool told_link;

static void changed(uint16_t owner, bool link, bool queues_changed)
{
    (void)owner;
    (void)queues_changed;
    told++;
    told_link = link;
}

static void setup(void)
{
    memset(&vif, 0, sizeof(vif));
    snprintf(path, sizeof(path), "/tmp/check_vif_local.%d", getpid());
    snprintf(vif.config.local, sizeof(vif.config.local), "%s", path);
    snprintf(vif.name, sizeof(vif.name), "vif");
    vif.config.queues = 4;
    vif.config.changed = changed;
    vif.life = VIF_WAITING;
    fake_vif_control_reset();
    told = fake_log_lines = 0;
    told_link = false;
}

static void teardown(void)
{
    vif_local_disconnect(&vif);
    if (listener >= 0) {
        close(listener);
        listener = -1;
    }
    unlink(path);
}

/* A socket at the path; another one each time. */
static void listen_at_path(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct timespec pause = { .tv_nsec = 20000000 };    /* another ctime */

    if (listener >= 0) {
        close(listener);
        nanosleep(&pause, NULL);
    }
    unlink(path);
    strcpy(address.sun_path, path);
    listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, (struct sockaddr *)&address,
                          sizeof(address)), 0);
    ck_assert_int_eq(listen(listener, 1), 0);
}

static int accept_backend(void)
{
    struct pollfd wait = { .fd = listener, .events = POLLIN };

    ck_assert_int_eq(poll(&wait, 1, 5000), 1);
    return accept4(listener, NULL, NULL, SOCK_CLOEXEC);
}

/* Turns of the control thread, which others need. */
static void take_turns(void)
{
    uint64_t start = clock_ms();

    for (unsigned int i = 0; i < TURNS; i++) {
        vif_local_update(&vif);
    }
    ck_assert_uint_lt(clock_ms() - start, TURNS_MS);
}

static bool has_closed(int fd)
{
    struct pollfd wait = { .fd = fd, .events = POLLRDHUP };

    return poll(&wait, 1, 0) == 1 && (wait.revents & POLLRDHUP) != 0;
}

/* As the control thread does: sleep until there is something. */
static void wait_event(int timeout_ms)
{
    fake_vif_control_wait(timeout_ms);
    vif_local_update(&vif);
}

START_TEST(silent)
{
    struct local_offer offer;
    uint64_t start = clock_ms();
    int fd;

    listen_at_path();
    take_turns();
    /* One connection, not fifty. */
    ck_assert_uint_eq(fake_vif_control_watched, 1);
    fd = accept_backend();
    ck_assert_int_eq(recv(fd, &offer, sizeof(offer), MSG_DONTWAIT),
                     sizeof(offer));
    take_turns();
    ck_assert(!has_closed(fd));
    ck_assert_int_eq(vif.life, VIF_WAITING);
    /* It has two seconds; then another may be tried. */
    while (!has_closed(fd)) {
        ck_assert_uint_lt(clock_ms() - start, 20000);
        wait_event(100);
    }
    ck_assert_uint_ge(clock_ms() - start, 1900);
    ck_assert_ptr_null(vif.link_local);
    vif_local_update(&vif);
    ck_assert_uint_eq(fake_vif_control_watched, 2);
    ck_assert_uint_eq(fake_log_lines, 0);
    close(fd);
}
END_TEST

/* One that does not even accept. */
START_TEST(deaf)
{
    listen_at_path();
    take_turns();
    ck_assert_uint_eq(fake_vif_control_watched, 1);
    close(listener);            /* it has died */
    listener = -1;
    wait_event(5000);
    ck_assert_ptr_null(vif.link_local);
    take_turns();
    ck_assert_uint_eq(fake_vif_control_watched, 1);
    ck_assert_uint_eq(fake_log_lines, 0);
}
END_TEST

START_TEST(no_frontend)
{
    static const char junk[] = "GET / HTTP/1.0";
    int fd;

    listen_at_path();
    vif_local_update(&vif);
    fd = accept_backend();
    ck_assert_int_eq(send(fd, junk, sizeof(junk), 0), sizeof(junk));
    wait_event(5000);
    ck_assert_int_eq(vif.life, VIF_BROKEN);
    ck_assert_uint_eq(fake_log_lines, 1);
    ck_assert(has_closed(fd));
    close(fd);
    take_turns();
    ck_assert_uint_eq(fake_vif_control_watched, 1);
    /* Whoever comes next is another. */
    listen_at_path();
    vif_local_update(&vif);
    ck_assert_uint_eq(fake_vif_control_watched, 2);
}
END_TEST

static unsigned int open_descriptors(void)
{
    unsigned int count = 0;

    for (int fd = 0; fd < 1024; fd++) {
        count += fcntl(fd, F_GETFD) >= 0;
    }
    return count;
}

/* count descriptors with a hello that is none. */
static void send_descriptors(int fd, unsigned int count)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(40 * sizeof(int))];
    } control = { .bytes = { 0 } };
    struct local_hello hello = { .magic = LOCAL_MAGIC };
    struct iovec data = { &hello, sizeof(hello) };
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = CMSG_SPACE(count * sizeof(int)),
    };
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(count * sizeof(int));
    for (unsigned int i = 0; i < count; i++) {
        memcpy(CMSG_DATA(c) + i * sizeof(fd), &fd, sizeof(fd));
    }
    ck_assert_int_eq(sendmsg(fd, &message, 0), sizeof(hello));
}

/*
 * CVE-2019-14818: DPDK's vhost kept the descriptors of a message that it
 * refused, until it could open no more.
 */
START_TEST(cve_2019_14818_descriptors)
{
    static const unsigned int counts[] = { 1, 17, 18, 19, 40 };
    unsigned int before = open_descriptors();
    int fd;

    listen_at_path();
    vif_local_update(&vif);
    fd = accept_backend();
    send_descriptors(fd, counts[_i]);
    wait_event(5000);
    ck_assert_int_eq(vif.life, VIF_BROKEN);
    close(fd);
    close(listener);
    listener = -1;
    ck_assert_uint_eq(open_descriptors(), before);
}
END_TEST

static void *accept_front(void *front)
{
    return local_front_accept(front, 5000) == 0 ? front : NULL;
}

/* Late is not too late, and a hello is taken when it comes. */
START_TEST(slow)
{
    static const uint8_t mac[6] = { 0, 0x16, 0x3e, 0, 0, 1 };
    struct timespec pause = { .tv_nsec = 500000000 };
    struct local_front *front = local_front_create(path, 2, LOCAL_SG, mac);
    pthread_t thread;
    void *accepted;

    ck_assert_ptr_nonnull(front);
    take_turns();
    nanosleep(&pause, NULL);
    take_turns();
    ck_assert_int_eq(vif.life, VIF_WAITING);
    ck_assert_int_eq(pthread_create(&thread, NULL, accept_front, front), 0);
    for (unsigned int i = 0; i < 50 && vif.life != VIF_CONNECTED; i++) {
        wait_event(5000);
    }
    pthread_join(thread, &accepted);
    ck_assert_ptr_eq(accepted, front);
    ck_assert_int_eq(vif.life, VIF_CONNECTED);
    ck_assert_uint_eq(vif.queue_count, 2);
    ck_assert_uint_eq(fake_vif_control_watched, 1);
    ck_assert(told_link);
    take_turns();
    ck_assert_uint_eq(told, 1);
    local_front_destroy(front);
    vif_local_update(&vif);
    ck_assert_int_eq(vif.life, VIF_WAITING);
    ck_assert(!told_link);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vif_local");
    TCase *tcase = unit_case(suite, "life");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, silent);
    tcase_add_test(tcase, deaf);
    tcase_add_test(tcase, no_frontend);
    tcase_add_loop_test(tcase, cve_2019_14818_descriptors, 0, 5);
    tcase_add_test(tcase, slow);
    return unit_run(suite);
}
