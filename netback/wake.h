/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a thread sleeps on until a rx queue has packets (DPDK's rx
 * interrupts): one descriptor for each rx queue, for the port's life, behind
 * which the event sources of ring pairs come and go.
 *
 * Ring pair p belongs to rx queue p % rx_count.  Threads: any.
 */
#ifndef NETBACK_WAKE_H
#define NETBACK_WAKE_H

#include <pthread.h>
#include <stdint.h>

#define WAKE_QUEUES_MAX 16u

struct wake {
    pthread_mutex_t lock;
    uint16_t rx_count;          /* [lock] 0: nobody sleeps */
    int set[WAKE_QUEUES_MAX];   /* [lock] epoll descriptors; -1: none */
    int self[WAKE_QUEUES_MAX];  /* [lock] eventfds, each in its set */
    int source[WAKE_QUEUES_MAX];    /* [lock] by ring pair; -1: none */
};

void wake_init(struct wake *wake);
void wake_destroy(struct wake *wake);

/*
 * Let rx_count (0 to WAKE_QUEUES_MAX) rx queues sleep.  Their descriptors
 * stay as they are while rx_count does.  A negative errno: none can.
 */
int wake_configure(struct wake *wake, uint16_t rx_count);

/* What rx queue rx sleeps on, or -1. */
int wake_fd(struct wake *wake, uint16_t rx);

/*
 * A ring pair's events come on fd from now on; its rx queue is woken, for
 * some may have come before.  Forget it before it is closed.
 */
void wake_add(struct wake *wake, uint16_t pair, int fd);
void wake_forget(struct wake *wake, uint16_t pair);

/* Wake an rx queue; take that back. */
void wake_up(struct wake *wake, uint16_t rx);
void wake_clear(struct wake *wake, uint16_t rx);

#endif
