/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control thread: one for all fronts of the process.
 *
 * It sleeps in poll() on an eventfd, on XenStore's watches and on each local
 * front's socket.  What wakes it makes fronts look at what is there now
 * (front_update), so events may be lost in number but not in effect.
 * Talks to front.c only.  Invariants:
 *  1. Only this thread touches XenStore, sockets and grants.
 *  2. Commands are served in the order given: a front that was removed is
 *     released before a new one of the same name is looked at.
 *  3. It looks again each second while something that has no event is
 *     waited for (xenstored, a kernel driver that lets go); it says so once.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <rte_lcore.h>

#include "netback/front.h"
#include "netback/front_log.h"

#define RETRY_MS 1000
#define POLL_MAX 64             /* fronts whose sockets wake us at once */
#define EVENTS_MAX 64           /* watch events served between commands */

STAILQ_HEAD(front_commands, front);
LIST_HEAD(front_list, front);

static struct {
    pthread_mutex_t lock;
    bool running;                   /* lock */
    int wake;                       /* [I] eventfd, once running */
    struct front_commands added;    /* lock */
    struct front_commands removed;  /* lock */
    unsigned int next_id;           /* lock */
    struct front_list fronts;       /* [c] */
    struct xs_handle *xs;           /* [c] */
    bool complained;                /* [c] */
} control = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .wake = -1,
    .added = STAILQ_HEAD_INITIALIZER(control.added),
    .removed = STAILQ_HEAD_INITIALIZER(control.removed),
};

void front_control_lock(void)
{
    pthread_mutex_lock(&control.lock);
}

void front_control_unlock(void)
{
    pthread_mutex_unlock(&control.lock);
}

void front_control_kick(void)
{
    const uint64_t one = 1;

    /* EAGAIN: it is awake already. */
    (void)!write(control.wake, &one, sizeof(one));
}

static bool needs_store(void)
{
    const struct front *front;

    LIST_FOREACH(front, &control.fronts, link_all) {
        if (!front_config_is_local(&front->config)) {
            return true;
        }
    }
    return false;
}

static void open_store(void)
{
    control.xs = xs_open(0);
    if (control.xs == NULL && !control.complained) {
        FRONT_LOG(WARNING, "XenStore", "cannot be reached (%s): trying "
                  "again each second", strerror(errno));
    }
    control.complained = control.xs == NULL;
}

/* The connection is of no use any more: all watches went with it. */
static void close_store(void)
{
    struct front *front;

    FRONT_LOG(WARNING, "XenStore", "connection lost: opening it again");
    xs_close(control.xs);
    control.xs = NULL;
    LIST_FOREACH(front, &control.fronts, link_all) {
        front->watched = false;
        front->backend[0] = '\0';
    }
}

/* Their fronts are looked at anyway. */
static void drop_watch_events(void)
{
    for (int i = 0; i < EVENTS_MAX && control.xs != NULL; i++) {
        char **event = xs_check_watch(control.xs);

        if (event == NULL) {
            if (errno != EAGAIN) {
                close_store();
            }
            return;
        }
        free(event);
    }
}

static void serve_commands(void)
{
    struct front_commands added;
    struct front_commands removed;
    struct front *front;

    STAILQ_INIT(&added);
    STAILQ_INIT(&removed);
    pthread_mutex_lock(&control.lock);
    STAILQ_CONCAT(&removed, &control.removed);
    STAILQ_CONCAT(&added, &control.added);
    STAILQ_FOREACH(front, &added, link_command) {
        front->queued = false;
    }
    pthread_mutex_unlock(&control.lock);

    while ((front = STAILQ_FIRST(&removed)) != NULL) {
        STAILQ_REMOVE_HEAD(&removed, link_command);
        if (front->listed) {
            LIST_REMOVE(front, link_all);
        }
        front_release(front, control.xs);
    }
    while ((front = STAILQ_FIRST(&added)) != NULL) {
        STAILQ_REMOVE_HEAD(&added, link_command);
        LIST_INSERT_HEAD(&control.fronts, front, link_all);
        front->listed = true;
    }
}

/* Something is waited for that makes no event. */
static bool must_look_again(const struct front *front)
{
    if (front_config_is_local(&front->config)) {
        return front_poll_fd(front) < 0;
    }
    return front->life == FRONT_WAITING || front->life == FRONT_CLOSED ||
           front->life == FRONT_GONE;
}

static void wait_for_work(void)
{
    struct pollfd fds[2 + POLL_MAX] = {
        { .fd = control.wake, .events = POLLIN },
        { .fd = control.xs != NULL ? xs_fileno(control.xs) : -1,
          .events = POLLIN },
    };
    const struct front *front;
    nfds_t count = 2;
    uint64_t value;
    int timeout = -1;

    LIST_FOREACH(front, &control.fronts, link_all) {
        if (count == 2 + POLL_MAX || must_look_again(front)) {
            timeout = RETRY_MS;
            continue;
        }
        fds[count++] = (struct pollfd){
            .fd = front_poll_fd(front),
            .events = front->link != NULL ? POLLRDHUP : POLLIN,
        };
    }
    (void)poll(fds, count, timeout);
    (void)!read(control.wake, &value, sizeof(value));
}

static void *control_run(void *unused)
{
    (void)unused;
    for (;;) {
        struct front *front;

        wait_for_work();
        serve_commands();
        if (control.xs == NULL && needs_store()) {
            open_store();
        }
        drop_watch_events();
        LIST_FOREACH(front, &control.fronts, link_all) {
            front_update(front, control.xs);
        }
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
    control.wake = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (control.wake < 0) {
        return -errno;
    }
    error = rte_ctrl_thread_create(&thread, "xenfront-ctrl", NULL,
                                   control_run, NULL);
    if (error != 0) {
        close(control.wake);
        control.wake = -1;
        return error < 0 ? error : -error;
    }
    pthread_detach(thread);
    control.running = true;
    return 0;
}

int front_control_start(struct front *front, const struct front_wish *wish)
{
    int error;

    pthread_mutex_lock(&control.lock);
    error = start_thread();
    if (error == 0) {
        front->wishes += !front_wish_is_same(&front->wish, wish);
        front->wish = *wish;
    }
    if (error == 0 && !front->started) {
        front->id = ++control.next_id;
        front->queued = true;
        STAILQ_INSERT_TAIL(&control.added, front, link_command);
    }
    pthread_mutex_unlock(&control.lock);
    if (error == 0) {
        front_control_kick();
    }
    return error;
}

void front_control_remove(struct front *front)
{
    pthread_mutex_lock(&control.lock);
    if (front->queued) {
        STAILQ_REMOVE(&control.added, front, front, link_command);
    }
    STAILQ_INSERT_TAIL(&control.removed, front, link_command);
    pthread_mutex_unlock(&control.lock);
    front_control_kick();
}
