/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The life of a front: it waits for a backend, connects, and waits again
 * when the backend has gone.  Called by the control thread, again and again.
 * Talks to front_local.c and front_bus.c (backends), control.c (its thread),
 * front_static.c, burst.h (gates) and wake.h.
 *
 *              a backend connects          rings are served
 *   WAITING ------------------> CONNECTING ---------------> CONNECTED
 *     ^  ^                          |                         |   |
 *     |  '--- it has gone, or another wish: front_close() ----'   |
 *     |                                                           |
 *     '---------------- it broke a ring: front_close() -----------'
 *
 * With Xen, CLOSED and GONE are added: front_bus.c.
 *
 * Invariants:
 *  1. A gate opens after everything behind it is ready, and everything
 *     behind it goes only after it has closed.
 *  2. Rings are made while their gates are closed and before a backend has
 *     them; a link is never used by a second backend.
 *  3. One line is logged for each change; a complaint is not repeated.
 *  4. No handshake waits for a backend: other fronts' control work does.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "netback/front.h"
#include "netback/front_log.h"

#define RELEASE_MS 2000u        /* at most, of an application's close */

RTE_LOG_REGISTER_DEFAULT(front_logtype, NOTICE);

/* Any packet thread, with its gate already shut. */
static void packet_thread_broke(void *pointer, const char *why)
{
    struct front *front = pointer;

    __atomic_store_n(&front->broken, why, __ATOMIC_RELEASE);
    control_kick();
}

static bool make_bursts(struct front *front)
{
    struct from_backend_burst *bursts = calloc(FRONT_QUEUES_MAX,
                                               sizeof(*bursts));

    for (unsigned int i = 0; i < FRONT_QUEUES_MAX && bursts != NULL; i++) {
        struct front_queue *q = &front->queues[i];

        q->rx.burst = &bursts[i];
        q->rx.queue = q->tx.queue = (uint16_t)i;
        q->rx.broken = q->tx.broken = packet_thread_broke;
        q->rx.front = q->tx.front = front;
    }
    return bursts != NULL;
}

struct front *front_create(const struct front_config *config)
{
    struct front *front = NULL;
    int error = posix_memalign((void **)&front, RTE_CACHE_LINE_SIZE,
                               sizeof(*front));

    if (error != 0) {
        errno = error;
        return NULL;
    }
    memset(front, 0, sizeof(*front));
    front->config = *config;
    front->listen_fd = -1;
    snprintf(front->name, sizeof(front->name), "vif%u", config->handle);
    snprintf(front->device, sizeof(front->device), "device/vif/%u",
             config->handle);
    if (!make_bursts(front)) {
        free(front);
        errno = ENOMEM;
        return NULL;
    }
    wake_init(&front->wake);
    return front;
}

/* The thread knows nothing of it any more, or never did. */
static void free_front(struct front *front)
{
    wake_destroy(&front->wake);
    free(front->queues[0].rx.burst);
    free(front);
}

int front_start(struct front *front, const struct front_wish *wish)
{
    int error = 0;

    control_lock();
    front->wishes += !front_wish_is_same(&front->wish, wish);
    front->wish = *wish;
    control_unlock();
    if (front->started) {
        control_kick();
    } else {
        error = control_add(&front->member);
        front->started = error == 0;
    }
    return error;
}

void front_destroy(struct front *front)
{
    if (front->started) {
        control_remove(&front->member);
        /* The process may end now, and shall not leave an open frontend. */
        control_wait_removed(RELEASE_MS);
    } else {
        free_front(front);
    }
}

/* A link's pages are ready, and nobody has them yet. */
static void prepare(void *pointer, struct front_link *link)
{
    struct front *front = pointer;

    front_static_prepare(&front->statics, link);
    for (unsigned int i = 0; i < link->queue_count; i++) {
        struct front_link_queue *pages = &link->queues[i];
        struct front_queue *q = &front->queues[i];

        to_backend_init(&q->tx.ring, pages->tx, &pages->tx_buffers);
        from_backend_init(&q->rx.ring, pages->rx, &pages->rx_buffers);
    }
}

void front_get_wish(struct front *front, struct front_wish *wish)
{
    control_lock();
    *wish = front->wish;
    front->served = front->wishes;
    control_unlock();
    wish->prepare = prepare;
    wish->front = front;
}

void front_set_link(struct front *front, bool up)
{
    if (front->up != up) {
        __atomic_store_n(&front->up, up, __ATOMIC_RELEASE);
        front->config.changed(front->config.owner, up);
    }
}

void front_complain(struct front *front, const char *why)
{
    if (front->complained != why) {
        FRONT_LOG(WARNING, front->name, "%s", why);
        front->complained = why;
    }
}

void front_open(struct front *front, struct front_link *link)
{
    struct front_wish wish;

    control_lock();
    wish = front->wish;
    control_unlock();
    front->takes = link->takes;
    /* From the first gate on a packet thread may say that it is broken. */
    __atomic_store_n(&front->broken, NULL, __ATOMIC_RELEASE);
    for (uint16_t i = 0; i < link->queue_count; i++) {
        struct front_queue *q = &front->queues[i];

        q->rx.link = q->tx.link = link;
        q->rx.scatter = wish.scatter;
        q->rx.lro = wish.lro;
        q->tx.ring.linear = link->linear;
        q->tx.takes = link->takes;
        burst_gate_open(&q->rx.gate);
        burst_gate_open(&q->tx.gate);
    }
    front->life = FRONT_CONNECTED;
    front->complained = NULL;
    __atomic_store_n(&front->queue_count, link->queue_count,
                     __ATOMIC_RELEASE);
    for (uint16_t i = 0; i < link->queue_count; i++) {
        wake_add(&front->wake, i, link->queues[i].fd);
    }
    FRONT_LOG(NOTICE, front->name, "connected by %s: %u queue%s",
              link->ops->name, link->queue_count,
              link->queue_count == 1 ? "" : "s");
    front_set_link(front, true);
    front_static_start(front);
}

void front_close(struct front *front)
{
    __atomic_store_n(&front->queue_count, 0, __ATOMIC_RELEASE);
    for (uint16_t i = 0; i < FRONT_QUEUES_MAX; i++) {
        burst_gate_close(&front->queues[i].rx.gate);
        burst_gate_close(&front->queues[i].tx.gate);
        wake_forget(&front->wake, i);
    }
    if (front->link != NULL) {
        front->link->ops->destroy(front->link);
        front->link = NULL;
    }
    front->statics = (struct front_static){ .state = FRONT_STATIC_OFF };
    front_set_link(front, false);
}

/* The wish that the link is for is the last one. */
static bool is_up_to_date(struct front *front)
{
    bool same;

    control_lock();
    same = front->served == front->wishes;
    control_unlock();
    return same;
}

static void listen_local(struct front *front)
{
    front->listen_fd = front_local_listen(front->config.local);
    if (front->listen_fd < 0 && front->complained == NULL) {
        FRONT_LOG(WARNING, front->name, "cannot listen at %s: %s",
                  front->config.local, strerror(-front->listen_fd));
        front->complained = "listen";
    }
}

/* WAITING -> CONNECTING, if a backend is there. */
static void accept_local(struct front *front)
{
    struct pollfd wait = { .fd = front->listen_fd, .events = POLLIN };
    struct front_wish wish;
    const char *why = "";

    if (front->listen_fd < 0 || poll(&wait, 1, 0) != 1) {
        return;
    }
    front_get_wish(front, &wish);
    if (front_local_accept(front->listen_fd, &wish, &front->link,
                           &why) != 0) {
        front_complain(front, why);
    } else if (front->link != NULL) {
        front->life = FRONT_CONNECTING;
    }
}

/* -> WAITING */
static void hang_up(struct front *front)
{
    front_close(front);
    front->life = FRONT_WAITING;
}

/* CONNECTING -> CONNECTED, or WAITING */
static void shake_hands(struct front *front)
{
    const char *why = "";
    int error = is_up_to_date(front) ? front_local_step(front->link, &why)
                                     : -EPIPE;

    if (error == 0) {
        front_open(front, front->link);
    } else if (error != -EAGAIN) {
        hang_up(front);
        if (error != -EPIPE) {
            front_complain(front, why);
        }
    }
}

/* CONNECTED -> WAITING, if it has to be. */
static void stay_connected(struct front *front)
{
    const char *broken = __atomic_load_n(&front->broken, __ATOMIC_ACQUIRE);

    if (broken != NULL) {
        FRONT_LOG(WARNING, front->name, "disabled: %s", broken);
    } else if (front_local_is_closed(front->link)) {
        FRONT_LOG(NOTICE, front->name, "the backend has gone");
    } else if (is_up_to_date(front)) {
        return;
    } else {
        front_static_end(front);
    }
    hang_up(front);
}

static void update_local(struct front *front)
{
    if (front->life == FRONT_CONNECTED) {
        stay_connected(front);
    }
    if (front->listen_fd < 0) {
        listen_local(front);
    }
    if (front->life == FRONT_WAITING) {
        accept_local(front);
    }
    if (front->life == FRONT_CONNECTING) {
        shake_hands(front);
    }
}

void front_update(struct front *front, struct xs_handle *xs)
{
    if (front->life == FRONT_CONNECTED) {
        front_static_turn(front);
    }
    if (front_config_is_local(&front->config)) {
        update_local(front);
        return;
    }
    if (front->link != NULL && !is_up_to_date(front)) {
        front->announced = false;       /* begin again with the new wish */
    }
    if (xs != NULL) {
        front_bus_update(front, xs);
    }
}

int front_poll_fd(const struct front *front)
{
    if (!front_config_is_local(&front->config)) {
        return -1;
    }
    return front->link != NULL ? front_local_fd(front->link)
                               : front->listen_fd;
}

void front_release(struct front *front, struct xs_handle *xs)
{
    if (!front_config_is_local(&front->config)) {
        front_bus_release(front, xs);
    }
    front_static_end(front);
    front_close(front);
    if (front->listen_fd >= 0) {
        unlink(front->config.local);
        close(front->listen_fd);
    }
    FRONT_LOG(INFO, front->name, "released");
    free_front(front);
}
