/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control thread: one for all vifs of the process.
 *
 * It sleeps in poll() on XenStore's watch descriptor, on an eventfd, and on
 * the control rings' event channels.  A watch that fires makes one vif look
 * at its nodes again (vif_update); what it does depends only on what is
 * there now, so events may be lost in number but not in effect.  Talks to
 * vif.c, vif_local.c, vif_ctrl.c and vif_journal.c.  Invariants:
 *  1. Only this thread touches XenStore.
 *  2. A watch token is a vif's id, which is never used twice, so an event
 *     that arrives late finds nobody.
 *  3. Commands are served in the order given: a vif that was removed is
 *     released before a new one of the same name is looked at.
 *  4. Without xenstored it tries again each second and says so once; it
 *     does not ask for xenstored while all vifs are local.
 *  5. All vifs' control rings get a round before any gets the next.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include <rte_lcore.h>

#include "netback/vif.h"
#include "netback/vif_ctrl.h"
#include "netback/vif_log.h"
#include "tools/libdom0/xenbus.h"

#define RETRY_MS 1000
#define LOCAL_MS 200            /* between looks for local frontends */
#define EVENTS_MAX 64           /* watch events served between commands */
#define RELEASE_TOKEN "release"

STAILQ_HEAD(vif_commands, vif);
LIST_HEAD(vif_list, vif);

static struct {
    pthread_mutex_t lock;
    bool running;                   /* lock */
    int wake;                       /* [I] eventfd, once running */
    int rings;                      /* [I] epoll of the control rings */
    struct vif_commands added;      /* lock */
    struct vif_commands removed;    /* lock */
    unsigned int next_id;           /* lock */
    struct vif_list vifs;           /* [c] */
    struct xs_handle *xs;           /* [c] */
    bool complained;                /* [c] */
    int rings_ms;                   /* [c] until a round is due, or -1 */
} control = {
    .lock = PTHREAD_MUTEX_INITIALIZER,
    .wake = -1,
    .rings = -1,
    .rings_ms = -1,
    .added = STAILQ_HEAD_INITIALIZER(control.added),
    .removed = STAILQ_HEAD_INITIALIZER(control.removed),
};

void vif_control_kick(void)
{
    uint64_t one = 1;

    if (write(control.wake, &one, sizeof(one)) < 0) {
        return;     /* EAGAIN: it is awake already */
    }
}

int vif_control_watch(struct vif *vif, int fd)
{
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLONESHOT, .data.ptr = vif,
    };

    return epoll_ctl(control.rings, EPOLL_CTL_ADD, fd, &event) == 0 ? 0
                                                                    : -errno;
}

void vif_control_rearm(struct vif *vif, int fd)
{
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLONESHOT, .data.ptr = vif,
    };

    (void)epoll_ctl(control.rings, EPOLL_CTL_MOD, fd, &event);
}

void vif_control_unwatch(int fd)
{
    (void)epoll_ctl(control.rings, EPOLL_CTL_DEL, fd, NULL);
}

/* Of domains' ends xenstored tells the privileged only: to a driver domain a
 * vif ends with its directory. */
static bool watch_ends(struct xs_handle *xs)
{
    return xs_watch(xs, "@releaseDomain", RELEASE_TOKEN) || errno == EACCES;
}

static bool open_store(void)
{
    if (control.xs != NULL) {
        return true;
    }
    control.xs = xs_open(0);
    if (control.xs != NULL && watch_ends(control.xs)) {
        control.complained = false;
        vif_journal_clean(control.xs);
        return true;
    }
    if (!control.complained) {
        VIF_LOG(WARNING, "XenStore", "cannot be reached (%s): trying again "
                "each second", strerror(errno));
        control.complained = true;
    }
    if (control.xs != NULL) {
        xs_close(control.xs);
        control.xs = NULL;
    }
    return false;
}

static void serve_commands(void)
{
    struct vif_commands added;
    struct vif_commands removed;
    struct vif *vif;

    STAILQ_INIT(&added);
    STAILQ_INIT(&removed);
    pthread_mutex_lock(&control.lock);
    STAILQ_CONCAT(&removed, &control.removed);
    STAILQ_CONCAT(&added, &control.added);
    STAILQ_FOREACH(vif, &added, link_command) {
        vif->queued = false;
    }
    pthread_mutex_unlock(&control.lock);

    while ((vif = STAILQ_FIRST(&removed)) != NULL) {
        STAILQ_REMOVE_HEAD(&removed, link_command);
        if (vif->listed) {
            LIST_REMOVE(vif, link_all);
        }
        vif_release(vif, control.xs);
    }
    while ((vif = STAILQ_FIRST(&added)) != NULL) {
        STAILQ_REMOVE_HEAD(&added, link_command);
        LIST_INSERT_HEAD(&control.vifs, vif, link_all);
        vif->listed = true;
    }
}

static void update_all(void)
{
    struct vif *vif;

    LIST_FOREACH(vif, &control.vifs, link_all) {
        if (control.xs != NULL && !vif_config_is_local(&vif->config)) {
            vif_update(vif, control.xs);
        }
    }
}

static void update_local(void)
{
    struct vif *vif;

    LIST_FOREACH(vif, &control.vifs, link_all) {
        if (vif_config_is_local(&vif->config)) {
            vif_local_update(vif);
        }
    }
}

/* Is there a vif of that kind? */
static bool have_vif(bool local)
{
    const struct vif *vif;

    LIST_FOREACH(vif, &control.vifs, link_all) {
        if (vif_config_is_local(&vif->config) == local) {
            return true;
        }
    }
    return false;
}

/* Does a vif wait for another process's end, which nobody tells us? */
static bool have_busy(void)
{
    const struct vif *vif;

    LIST_FOREACH(vif, &control.vifs, link_all) {
        if (vif->busy) {
            return true;
        }
    }
    return false;
}

static void serve_event(const char *token)
{
    struct vif *vif;
    unsigned long id;

    if (strcmp(token, RELEASE_TOKEN) == 0) {
        update_all();
        vif_journal_clean(control.xs);
        return;
    }
    id = strtoul(token, NULL, 10);
    LIST_FOREACH(vif, &control.vifs, link_all) {
        if (vif->id == id) {
            vif_update(vif, control.xs);
            return;
        }
    }
}

/* The connection is of no use any more: all watches went with it. */
static void close_store(void)
{
    struct vif *vif;

    VIF_LOG(WARNING, "XenStore", "connection lost: opening it again");
    xs_close(control.xs);
    control.xs = NULL;
    LIST_FOREACH(vif, &control.vifs, link_all) {
        vif->watched = false;
        vif->frontend_watched = false;
    }
}

static void serve_watches(void)
{
    for (int i = 0; i < EVENTS_MAX; i++) {
        char **event = xs_check_watch(control.xs);

        if (event == NULL) {
            if (errno != EAGAIN) {
                close_store();
            }
            return;
        }
        serve_event(event[XS_WATCH_TOKEN]);
        free(event);
    }
}

static uint64_t clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* A vif that has gone unwatched its channel, so no event is a stale one's. */
static void serve_rings(void)
{
    struct epoll_event events[EVENTS_MAX];
    int count = epoll_wait(control.rings, events, EVENTS_MAX, 0);
    uint64_t now = clock_ms();
    struct vif *vif;

    for (int i = 0; i < count; i++) {
        vif_ctrl_event(events[i].data.ptr);
    }
    control.rings_ms = -1;
    LIST_FOREACH(vif, &control.vifs, link_all) {
        int ms = vif_ctrl_turn(vif, now);

        if (ms >= 0 && (control.rings_ms < 0 || ms < control.rings_ms)) {
            control.rings_ms = ms;
        }
    }
}

/* Sleep; true: a command or a kick woke us. */
static bool wait_for_work(void)
{
    struct pollfd fds[3] = {
        { .fd = control.wake, .events = POLLIN },
        { .fd = control.rings, .events = POLLIN },
        { .fd = control.xs != NULL ? xs_fileno(control.xs) : -1,
          .events = POLLIN },
    };
    uint64_t count;
    int timeout = -1;

    if (have_vif(true)) {
        timeout = LOCAL_MS;
    } else if (have_busy() || (control.xs == NULL && have_vif(false))) {
        timeout = RETRY_MS;
    }
    if (control.rings_ms >= 0 &&
        (timeout < 0 || control.rings_ms < timeout)) {
        timeout = control.rings_ms;
    }
    (void)poll(fds, 3, timeout);
    return read(control.wake, &count, sizeof(count)) == sizeof(count);
}

static void *control_run(void *unused)
{
    (void)unused;
    for (;;) {
        bool woken = wait_for_work();

        serve_commands();
        update_local();
        if (control.xs != NULL) {
            serve_watches();
        } else if (have_vif(false) && open_store()) {
            woken = true;
        }
        if (woken || have_busy()) {
            update_all();
        }
        serve_rings();
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
    control.rings = epoll_create1(EPOLL_CLOEXEC);
    if (control.rings < 0) {
        error = -errno;
        goto close_wake;
    }
    error = rte_ctrl_thread_create(&thread, "xenvif-control", NULL,
                                   control_run, NULL);
    if (error != 0) {
        goto close_rings;
    }
    pthread_detach(thread);
    control.running = true;
    return 0;
close_rings:
    close(control.rings);
    control.rings = -1;
close_wake:
    close(control.wake);
    control.wake = -1;
    return error < 0 ? error : -error;
}

int vif_control_add(struct vif *vif)
{
    int error;

    pthread_mutex_lock(&control.lock);
    error = start_thread();
    if (error == 0) {
        vif->id = ++control.next_id;
        vif->queued = true;
        STAILQ_INSERT_TAIL(&control.added, vif, link_command);
    }
    pthread_mutex_unlock(&control.lock);
    if (error == 0) {
        vif_control_kick();
    }
    return error;
}

void vif_control_remove(struct vif *vif)
{
    pthread_mutex_lock(&control.lock);
    if (vif->queued) {
        STAILQ_REMOVE(&control.added, vif, vif, link_command);
    }
    STAILQ_INSERT_TAIL(&control.removed, vif, link_command);
    pthread_mutex_unlock(&control.lock);
    vif_control_kick();
}
