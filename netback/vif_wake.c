/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sleeping until a guest sends (DPDK's rx interrupts): what a queue's events
 * come on, and asking for them.
 *
 * Talks to wake.h, from_guest and the gates.  Invariants:
 *  1. Events are taken before one is asked for, and packets looked for after
 *     that: what comes in between wakes.
 *  2. An event is asked for once at a time, so a guest that sends a storm of
 *     them wakes us once for each time that we went to sleep.
 *  3. What arm touches lives as long as the gate is open.
 */
#include <sys/socket.h>

#include "netback/vif.h"

#define EVENTS_MAX 64           /* taken by one arm; more wake again */

void vif_wake_open(struct vif *vif, unsigned int queue)
{
    struct vif_queue *q = &vif->queues[queue];
    int fd = q->from.port;      /* a local frontend's socket */

    if (q->evtchn != NULL) {
        fd = xenevtchn_fd(q->evtchn);
    }
    wake_add(&vif->wake, (uint16_t)queue, fd);
}

void vif_wake_close(struct vif *vif, unsigned int queue)
{
    wake_forget(&vif->wake, (uint16_t)queue);
}

static void drain_socket(int fd)
{
    char byte;

    for (int i = 0; i < EVENTS_MAX; i++) {
        if (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT) < 0) {
            return;
        }
    }
}

/* A channel for buffers only (rx_port, if split) stays masked. */
static void drain_channels(const struct vif_queue *q)
{
    for (int i = 0; i < EVENTS_MAX; i++) {
        int port = xenevtchn_pending(q->evtchn);

        if (port < 0) {
            return;
        }
        if (port == q->tx_port) {
            (void)xenevtchn_unmask(q->evtchn, (evtchn_port_t)port);
        }
    }
}

bool vif_wake_arm(struct vif *vif, unsigned int queue)
{
    struct vif_queue *q = &vif->queues[queue];
    bool ready;

    if (!burst_gate_enter(&q->from.gate)) {
        return false;           /* who opens the gate wakes the sleeper */
    }
    if (q->evtchn != NULL) {
        drain_channels(q);
    } else {
        drain_socket(q->from.port);
    }
    ready = from_guest_arm(&q->from.ring);
    burst_gate_leave(&q->from.gate);
    return ready;
}
