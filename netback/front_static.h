/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A front's static grants (xen/io/netif.h): buffers that its backend maps
 * once, for the link's life, and then copies without asking the hypervisor.
 * All of it is the control thread's.
 */
#ifndef NETBACK_FRONT_STATIC_H
#define NETBACK_FRONT_STATIC_H

#include <stdbool.h>
#include <stdint.h>

#include "ctrl_ask.h"
#include "front_link.h"

struct front;

#define FRONT_STATIC_END_MS 100     /* the longest wait at the end */
#define FRONT_STATIC_EVENTS_MAX 64u /* that bring no answer to a request */

/* What the backend is asked for; front_static.c draws it. */
enum front_static_state {
    FRONT_STATIC_OFF,
    FRONT_STATIC_SIZE,
    FRONT_STATIC_ADD,
    FRONT_STATIC_ON,
    FRONT_STATIC_DELETE,
};

struct front_static {
    struct ctrl_ask ask;
    enum front_static_state state;
    bool ending;
    uint16_t queue;             /* that the request is about */
    uint16_t count;             /* of buffers in the request */
    uint32_t total;             /* buffers that are mapped, of all queues */
    uint16_t mapped[FRONT_QUEUES_MAX];
    unsigned int events;        /* since the request, without an answer */
};

/* With link->ctrl.ring, if any, before the backend has it. */
void front_static_prepare(struct front_static *s,
                          const struct front_link *link);

/* The link's rings are served now: ask, if there is a control ring. */
void front_static_start(struct front *front);

/* Take the answer, if there is one, and ask for the next thing. */
void front_static_turn(struct front *front);

/* To be waited for, readable when an answer may be there; or -1. */
int front_static_fd(const struct front *front);

/*
 * Have all unmapped by a backend that still serves the link; waits for it,
 * FRONT_STATIC_END_MS in all.  One that does not answer in time unmaps when
 * it disconnects.  Does nothing without a link.
 */
void front_static_end(struct front *front);

#endif
