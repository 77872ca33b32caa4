/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vif_control: the control thread on a fake libxenstore, with guests that
 * write their nodes without end.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_lcore.h>

#include "netback/vif.h"
#include "netback/vif_ctrl.h"
#include "netback/vif_log.h"
#include "unit.h"

#define FLOOD 50000u
#define LOOK_US 1000u           /* what a look costs: six answers */

int vif_logtype;

static struct vif vifs[3];
static unsigned int looks[3];   /* [a] */
static unsigned int queue[FLOOD + 16];  /* tokens */
static unsigned int head, tail; /* [lock] */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int pipe_fd = -1;

/* What vif_control.c calls. */
int rte_log(uint32_t level, uint32_t type, const char *format, ...)
{
    (void)level;
    (void)type;
    (void)format;
    return 0;
}

int rte_ctrl_thread_create(pthread_t *thread, const char *name,
                           const pthread_attr_t *attr,
                           void *(*run)(void *), void *argument)
{
    (void)name;
    return -pthread_create(thread, attr, run, argument);
}

struct xs_handle *xs_open(unsigned long flags)
{
    (void)flags;
    return (struct xs_handle *)vifs;
}

void xs_close(struct xs_handle *xs)
{
    (void)xs;
    abort();
}

bool xs_watch(struct xs_handle *xs, const char *path, const char *token)
{
    (void)xs;
    (void)path;
    (void)token;
    return true;
}

int xs_fileno(struct xs_handle *xs)
{
    (void)xs;
    return pipe_fd;
}

char **xs_check_watch(struct xs_handle *xs)
{
    char **event = NULL;
    uint64_t value;

    (void)xs;
    pthread_mutex_lock(&lock);
    if (head == tail) {
        (void)!read(pipe_fd, &value, sizeof(value));
        errno = EAGAIN;
    } else {
        event = malloc(2 * sizeof(*event) + 16);
        ck_assert_ptr_nonnull(event);
        event[XS_WATCH_TOKEN] = (char *)&event[2];
        snprintf(event[XS_WATCH_TOKEN], 16, "%u", queue[head++]);
    }
    pthread_mutex_unlock(&lock);
    return event;
}

void vif_update(struct vif *vif, struct xs_handle *xs)
{
    (void)xs;
    vif->life = VIF_CONNECTED;
    __atomic_store_n(&vif->broken, NULL, __ATOMIC_RELEASE);
    __atomic_fetch_add(&looks[vif - vifs], 1, __ATOMIC_SEQ_CST);
    usleep(LOOK_US);
}

void vif_release(struct vif *vif, struct xs_handle *xs)
{
    (void)vif;
    (void)xs;
}

void vif_local_update(struct vif *vif)
{
    (void)vif;
}

void vif_ctrl_event(struct vif *vif)
{
    (void)vif;
}

int vif_ctrl_turn(struct vif *vif, uint64_t now_ms)
{
    (void)vif;
    (void)now_ms;
    return -1;
}

void vif_journal_clean(struct xs_handle *xs)
{
    (void)xs;
}

static void fire(unsigned int vif, unsigned int count)
{
    const uint64_t one = 1;

    pthread_mutex_lock(&lock);
    if (head == tail) {
        head = tail = 0;
    }
    for (unsigned int i = 0; i < count; i++) {
        queue[tail++] = vifs[vif].member.id;
    }
    ck_assert_int_eq(write(pipe_fd, &one, sizeof(one)), sizeof(one));
    pthread_mutex_unlock(&lock);
}

static unsigned int left(void)
{
    unsigned int count;

    pthread_mutex_lock(&lock);
    count = tail - head;
    pthread_mutex_unlock(&lock);
    return count;
}

static unsigned int looks_of(unsigned int vif)
{
    return __atomic_load_n(&looks[vif], __ATOMIC_SEQ_CST);
}

static uint64_t now_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void wait_looks(unsigned int vif, unsigned int at_least)
{
    for (unsigned int i = 0; i < 20000 && looks_of(vif) < at_least; i++) {
        usleep(1000);
    }
    ck_assert_uint_ge(looks_of(vif), at_least);
}

static void setup(void)
{
    pipe_fd = eventfd(0, EFD_NONBLOCK);
    ck_assert_int_ge(pipe_fd, 0);
    for (unsigned int i = 0; i < 2; i++) {
        ck_assert_int_eq(control_add(&vifs[i].member), 0);
    }
    wait_looks(0, 1);
    wait_looks(1, 1);
}

/*
 * A guest may write a node that is watched again and again.  Each event was
 * a look, of some questions to xenstored, which serves the guest in between:
 * what was not served yet grew in this process, and others' events waited.
 */
START_TEST(a_storm_is_one_look)
{
    unsigned int before = looks_of(0);

    fire(0, FLOOD);
    fire(1, 1);
    wait_looks(1, 2);
    for (unsigned int i = 0; i < 20000 && left() != 0; i++) {
        usleep(1000);
    }
    ck_assert_uint_eq(left(), 0);
    wait_looks(0, before + 1);
    ck_assert_uint_le(looks_of(0), before + 3);
}
END_TEST

/* What goes on for long has its looks paced, and the last one still comes. */
START_TEST(storms_are_paced)
{
    uint64_t start = now_ms();
    unsigned int before, most;

    for (unsigned int i = 0; i < 300; i++) {
        fire(0, 1);
        usleep(2000);
    }
    most = 33 + (unsigned int)((now_ms() - start) / 100);
    ck_assert_uint_le(looks_of(0), most);
    ck_assert_uint_ge(looks_of(0), 32);
    fire(1, 1);
    wait_looks(1, 2);           /* another's come at once */
    usleep(300000);             /* all that fired was looked at */
    before = looks_of(0);
    fire(0, 1);
    wait_looks(0, before + 1);
}
END_TEST

/*
 * Each kick was a look at every vif: a switch that started with many ports had
 * asked xenstored for all of them once for each.
 */
START_TEST(a_kick_is_for_the_new_and_the_broken)
{
    unsigned int before;

    fire(0, 1);                 /* the setup's kicks have been served */
    wait_looks(0, 2);
    before = looks_of(1);
    ck_assert_int_eq(control_add(&vifs[2].member), 0);
    wait_looks(2, 1);
    __atomic_store_n(&vifs[0].broken, "test", __ATOMIC_RELEASE);
    control_kick();
    wait_looks(0, 3);
    ck_assert_uint_eq(looks_of(0), 3);
    ck_assert_uint_eq(looks_of(1), before);
    ck_assert_uint_eq(looks_of(2), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vif_control");
    TCase *tcase = unit_case(suite, "vif_control");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_storm_is_one_look);
    tcase_add_test(tcase, storms_are_paced);
    tcase_add_test(tcase, a_kick_is_for_the_new_and_the_broken);
    return unit_run(suite);
}
