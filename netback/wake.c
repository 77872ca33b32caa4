/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Descriptors to sleep on: for each rx queue an epoll set with the events of
 * its ring pairs, and an eventfd for what has no event of its own.
 *
 * Talks to nobody.  Invariants:
 *  1. A set is made once and lives as long as rx_count stays, however often
 *     the other side comes and goes: an application registers it once.
 *  2. Sets are level-triggered: an event that nobody took wakes again.
 *  3. A source is in the set of its rx queue, or in none.
 */
#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "netback/wake.h"

void wake_init(struct wake *wake)
{
    memset(wake, 0, sizeof(*wake));
    pthread_mutex_init(&wake->lock, NULL);
    for (unsigned int i = 0; i < WAKE_QUEUES_MAX; i++) {
        wake->set[i] = wake->self[i] = wake->source[i] = -1;
    }
}

static void close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

/* Under the lock. */
static void close_sets(struct wake *wake)
{
    for (unsigned int i = 0; i < WAKE_QUEUES_MAX; i++) {
        close_fd(&wake->set[i]);
        close_fd(&wake->self[i]);
    }
    wake->rx_count = 0;
}

void wake_destroy(struct wake *wake)
{
    close_sets(wake);
    pthread_mutex_destroy(&wake->lock);
}

static int enter_set(int set, int fd)
{
    struct epoll_event event = { .events = EPOLLIN, .data = { .fd = fd } };

    return epoll_ctl(set, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

/* Under the lock. */
static int make_set(struct wake *wake, unsigned int rx)
{
    wake->set[rx] = epoll_create1(EPOLL_CLOEXEC);
    wake->self[rx] = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (wake->set[rx] < 0 || wake->self[rx] < 0) {
        return -errno;
    }
    return enter_set(wake->set[rx], wake->self[rx]);
}

int wake_configure(struct wake *wake, uint16_t rx_count)
{
    int error = 0;

    if (rx_count > WAKE_QUEUES_MAX) {
        return -EINVAL;
    }
    pthread_mutex_lock(&wake->lock);
    if (rx_count != wake->rx_count) {
        close_sets(wake);
        for (unsigned int i = 0; i < rx_count && error == 0; i++) {
            error = make_set(wake, i);
        }
        for (unsigned int i = 0; i < WAKE_QUEUES_MAX && rx_count != 0 &&
                                 error == 0; i++) {
            if (wake->source[i] >= 0) {
                error = enter_set(wake->set[i % rx_count], wake->source[i]);
            }
        }
        wake->rx_count = rx_count;
        if (error != 0) {
            close_sets(wake);
        }
    }
    pthread_mutex_unlock(&wake->lock);
    return error;
}

int wake_fd(struct wake *wake, uint16_t rx)
{
    int fd;

    pthread_mutex_lock(&wake->lock);
    fd = rx < wake->rx_count ? wake->set[rx] : -1;
    pthread_mutex_unlock(&wake->lock);
    return fd;
}

/* Under the lock.  An eventfd that is full wakes already. */
static void signal_queue(struct wake *wake, unsigned int rx)
{
    const uint64_t one = 1;

    if (rx < wake->rx_count) {
        (void)!write(wake->self[rx], &one, sizeof(one));
    }
}

void wake_add(struct wake *wake, uint16_t pair, int fd)
{
    pthread_mutex_lock(&wake->lock);
    wake->source[pair] = fd;
    if (wake->rx_count != 0) {
        unsigned int rx = pair % wake->rx_count;

        (void)enter_set(wake->set[rx], fd);
        signal_queue(wake, rx);
    }
    pthread_mutex_unlock(&wake->lock);
}

void wake_forget(struct wake *wake, uint16_t pair)
{
    pthread_mutex_lock(&wake->lock);
    if (wake->rx_count != 0 && wake->source[pair] >= 0) {
        (void)epoll_ctl(wake->set[pair % wake->rx_count], EPOLL_CTL_DEL,
                        wake->source[pair], NULL);
    }
    wake->source[pair] = -1;
    pthread_mutex_unlock(&wake->lock);
}

void wake_up(struct wake *wake, uint16_t rx)
{
    pthread_mutex_lock(&wake->lock);
    signal_queue(wake, rx);
    pthread_mutex_unlock(&wake->lock);
}

void wake_clear(struct wake *wake, uint16_t rx)
{
    uint64_t count;

    pthread_mutex_lock(&wake->lock);
    if (rx < wake->rx_count) {
        (void)!read(wake->self[rx], &count, sizeof(count));
    }
    pthread_mutex_unlock(&wake->lock);
}
