/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A control thread's commands, and its connection to XenStore.  Talks to the
 * driver's part (control.h) and to libxenstore.  Invariants:
 *  1. Only this thread touches XenStore.
 *  2. Commands are served in the order given: a member that was removed is
 *     released before a new one of the same name is looked at.
 *  3. Without xenstored the reason is said once, until it is there again.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_lcore.h>

#include "netback/control.h"

#define EVENTS_MAX 65536        /* watch events taken between commands */

STAILQ_HEAD(control_commands, control_member);

struct control_list control_members = LIST_HEAD_INITIALIZER(control_members);
struct xs_handle *control_xs;

static struct {
    pthread_mutex_t lock;
    bool running;                       /* lock */
    int wake;                           /* [I] eventfd, once running */
    struct control_commands added;      /* lock */
    struct control_commands removed;    /* lock */
    unsigned int next_id;               /* lock */
    unsigned int given, served;         /* lock: removals */
    pthread_cond_t serves;              /* lock: some were served */
    bool complained;                    /* [c] */
} control = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .serves = PTHREAD_COND_INITIALIZER,
    .wake = -1,
    .added = STAILQ_HEAD_INITIALIZER(control.added),
    .removed = STAILQ_HEAD_INITIALIZER(control.removed),
};

void control_lock(void)
{
    pthread_mutex_lock(&control.lock);
}

void control_unlock(void)
{
    pthread_mutex_unlock(&control.lock);
}

void control_kick(void)
{
    const uint64_t one = 1;

    /* EAGAIN: it is awake already. */
    (void)!write(control.wake, &one, sizeof(one));
}

int control_wake_fd(void)
{
    return control.wake;
}

bool control_woken(void)
{
    uint64_t count;

    return read(control.wake, &count, sizeof(count)) == sizeof(count);
}

static void *run(void *unused)
{
    (void)unused;
    for (;;) {
        control_turn();
    }
    return NULL;
}

/* Under the lock. */
static int start_thread(void)
{
    pthread_t thread;
    int error;

    if (control.running) {
        return 0;
    }
    if (control.wake < 0) {
        control.wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    }
    error = control.wake < 0 ? -errno : control_prepare();
    if (error == 0) {
        error = rte_ctrl_thread_create(&thread, control_thread_name, NULL,
                                       run, NULL);
    }
    if (error != 0) {
        return error < 0 ? error : -error;
    }
    pthread_detach(thread);
    control.running = true;
    return 0;
}

int control_add(struct control_member *member)
{
    int error;

    control_lock();
    error = start_thread();
    if (error == 0) {
        member->id = ++control.next_id;
        member->queued = true;
        STAILQ_INSERT_TAIL(&control.added, member, link_command);
    }
    control_unlock();
    if (error == 0) {
        control_kick();
    }
    return error;
}

void control_remove(struct control_member *member)
{
    control_lock();
    if (member->queued) {
        STAILQ_REMOVE(&control.added, member, control_member, link_command);
    }
    STAILQ_INSERT_TAIL(&control.removed, member, link_command);
    control.given++;
    control_unlock();
    control_kick();
}

void control_wait_removed(unsigned int ms)
{
    struct timespec end;
    unsigned int all;
    int error = 0;

    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += (time_t)(ms / 1000);
    end.tv_nsec += (long)(ms % 1000) * 1000000;
    if (end.tv_nsec >= 1000000000) {
        end.tv_nsec -= 1000000000;
        end.tv_sec++;
    }
    control_lock();
    all = control.given;
    while ((int)(control.served - all) < 0 && error == 0) {
        error = pthread_cond_clockwait(&control.serves, &control.lock,
                                       CLOCK_MONOTONIC, &end);
    }
    control_unlock();
}

/* On the control thread: so many have been released. */
static void tell_removed(unsigned int count)
{
    control_lock();
    control.served += count;
    pthread_cond_broadcast(&control.serves);
    control_unlock();
}

/*
 * Under the lock: whoever takes a member away finds it in the queue of those
 * that were added, or in none.
 */
static void list_added(void)
{
    struct control_member *member;

    while ((member = STAILQ_FIRST(&control.added)) != NULL) {
        STAILQ_REMOVE_HEAD(&control.added, link_command);
        member->queued = false;
        LIST_INSERT_HEAD(&control_members, member, link_all);
        member->listed = true;
    }
}

void control_serve_commands(void)
{
    struct control_commands removed = STAILQ_HEAD_INITIALIZER(removed);
    struct control_member *member;
    unsigned int count = 0;

    control_lock();
    STAILQ_CONCAT(&removed, &control.removed);
    list_added();
    control_unlock();

    while ((member = STAILQ_FIRST(&removed)) != NULL) {
        STAILQ_REMOVE_HEAD(&removed, link_command);
        if (member->listed) {
            LIST_REMOVE(member, link_all);
        }
        control_release(member, control_xs);
        count++;
    }
    if (count != 0) {
        tell_removed(count);
    }
}

bool control_open_store(void)
{
    char text[128];

    if (control_xs != NULL) {
        return true;
    }
    control_xs = xs_open(0);
    if (control_xs != NULL && control_opened(control_xs)) {
        control.complained = false;
        return true;
    }
    if (!control.complained) {
        snprintf(text, sizeof(text), "cannot be reached (%s): trying again "
                 "each second", strerror(errno));
        control_warn(text);
        control.complained = true;
    }
    if (control_xs != NULL) {
        xs_close(control_xs);
        control_xs = NULL;
    }
    return false;
}

/* The connection is of no use any more: all watches went with it. */
static void close_store(void)
{
    struct control_member *member;

    control_warn("connection lost: opening it again");
    xs_close(control_xs);
    control_xs = NULL;
    LIST_FOREACH(member, &control_members, link_all) {
        control_lost(member);
    }
}

void control_serve_watches(void)
{
    for (int i = 0; i < EVENTS_MAX; i++) {
        char **event = xs_check_watch(control_xs);

        if (event == NULL) {
            if (errno != EAGAIN) {
                close_store();
            }
            return;
        }
        control_event(event[XS_WATCH_TOKEN]);
        free(event);
    }
}
