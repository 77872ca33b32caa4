/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Having a backend map a front's buffers, queue by queue, and unmap them.
 *
 * Talks to ctrl_ask (requests and answers), to the link (events) and to
 * front.h.
 *
 *   OFF --start--> SIZE --how many it keeps mapped--> ADD --mapped--> ON
 *                    ^                                 |  all queues  |
 *                    '------- the next queue ----------'              | end
 *   any --the backend refuses, lies or is silent--> OFF               v
 *                                        OFF <--all queues-- DELETE --'
 *
 * Invariants:
 *  1. Packets never wait for any of it: a buffer that is not mapped is
 *     copied to or from by its grant, before and after.
 *  2. TX buffers are named for reading only.  They come first, for few of
 *     them are in use at a time: they gain most where a backend maps few.
 *  3. Of an answer, the status chooses between going on and giving up, and
 *     the size is bounded by what there is; nothing else of it is used.
 *  4. While no request is out, no event of the backend's wakes the thread;
 *     and a request that brings only events is given up.
 */
#include <poll.h>

#include "netback/clock.h"
#include "netback/front.h"
#include "netback/front_log.h"

#define LIST_MAX (ACCESS_PAGE_SIZE / (uint32_t)sizeof(struct xen_netif_gref))

_Static_assert(TO_BACKEND_RING_SIZE + FROM_BACKEND_RING_SIZE <= LIST_MAX,
               "a queue's buffers are one list");

void front_static_prepare(struct front_static *s,
                          const struct front_link *link)
{
    *s = (struct front_static){ .state = FRONT_STATIC_OFF };
    if (link->ctrl.ring != NULL) {
        ctrl_ask_init(&s->ask, link->ctrl.ring);
    }
}

static void stop(struct front *front, const char *why)
{
    struct front_static *s = &front->statics;

    s->state = FRONT_STATIC_OFF;
    if (s->total != 0) {
        FRONT_LOG(INFO, front->name, "%u buffers are static grants, no more: "
                  "%s", s->total, why);
    } else {
        FRONT_LOG(INFO, front->name, "no static grants: %s", why);
    }
}

/* Buffers of a queue, all that could be mapped. */
static uint32_t buffer_count(const struct front_link *link,
                             unsigned int queue)
{
    const struct front_link_queue *q = &link->queues[queue];

    return (uint32_t)q->tx_buffers.count + q->rx_buffers.count;
}

/* The list that a request points to: count buffers, TX first. */
static void fill_list(const struct front_link *link, unsigned int queue,
                      uint32_t count)
{
    const struct backend_buffers *tx = &link->queues[queue].tx_buffers;
    const struct backend_buffers *rx = &link->queues[queue].rx_buffers;
    struct xen_netif_gref *list = link->ctrl.page;

    for (uint32_t i = 0; i < count; i++) {
        bool is_tx = i < tx->count;

        list[i] = (struct xen_netif_gref){
            .ref = is_tx ? tx->refs[i] : rx->refs[i - tx->count],
            .flags = is_tx ? XEN_NETIF_CTRLF_GREF_readonly : 0,
        };
    }
}

static void ask(struct front *front, enum front_static_state state,
                uint16_t queue, uint16_t count)
{
    struct front_static *s = &front->statics;
    struct front_link *link = front->link;
    struct xen_netif_ctrl_request request = {
        .type = XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE,
        .data = { queue, 0, 0 },
    };

    s->state = state;
    s->queue = queue;
    s->count = count;
    s->events = 0;
    if (state != FRONT_STATIC_SIZE) {
        request.type = state == FRONT_STATIC_ADD
                           ? XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING
                           : XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING;
        request.data[1] = link->ctrl.page_ref;
        request.data[2] = count;
        fill_list(link, queue, count);
    }
    if (ctrl_ask_put(&s->ask, &request)) {
        link->ops->notify_ctrl(link);
    }
}

/* -> DELETE of the first queue from this one on that has something mapped. */
static void delete_from(struct front *front, uint16_t queue)
{
    struct front_static *s = &front->statics;

    while (queue < front->link->queue_count && s->mapped[queue] == 0) {
        queue++;
    }
    if (queue < front->link->queue_count) {
        ask(front, FRONT_STATIC_DELETE, queue, s->mapped[queue]);
    } else {
        s->state = FRONT_STATIC_OFF;
    }
}

static void got_size(struct front *front, uint32_t size)
{
    uint16_t queue = front->statics.queue;
    uint32_t count = buffer_count(front->link, queue);

    if (size == 0) {
        stop(front, "the backend maps none");
    } else {
        ask(front, FRONT_STATIC_ADD, queue,
            (uint16_t)(size < count ? size : count));
    }
}

static void got_added(struct front *front)
{
    struct front_static *s = &front->statics;

    s->mapped[s->queue] = s->count;
    s->total += s->count;
    if (s->queue + 1u < front->link->queue_count) {
        ask(front, FRONT_STATIC_SIZE, (uint16_t)(s->queue + 1), 0);
        return;
    }
    s->state = FRONT_STATIC_ON;
    FRONT_LOG(INFO, front->name, "%u buffers are static grants", s->total);
}

/* The next step; any status but success is a refusal. */
static void go_on(struct front *front,
                  const struct xen_netif_ctrl_response *answer)
{
    struct front_static *s = &front->statics;
    bool done = answer->status == XEN_NETIF_CTRL_STATUS_SUCCESS;

    if (s->state == FRONT_STATIC_DELETE) {
        delete_from(front, (uint16_t)(s->queue + 1));
    } else if (s->ending) {
        if (s->state == FRONT_STATIC_ADD && done) {
            s->mapped[s->queue] = s->count;
        }
        delete_from(front, 0);
    } else if (!done) {
        stop(front, "the backend refuses");
    } else if (s->state == FRONT_STATIC_SIZE) {
        got_size(front, answer->data);
    } else {
        got_added(front);
    }
}

void front_static_start(struct front *front)
{
    if (front->link->ctrl.ring == NULL) {
        stop(front, "the backend has no control ring, or there was no room "
             "for one");
    } else {
        ask(front, FRONT_STATIC_SIZE, 0, 0);
    }
}

/* Is a request out? */
static bool waits(const struct front_static *s)
{
    return s->state != FRONT_STATIC_OFF && s->state != FRONT_STATIC_ON;
}

void front_static_turn(struct front *front)
{
    struct front_static *s = &front->statics;
    struct front_link *link = front->link;
    struct xen_netif_ctrl_response answer;
    int found;

    if (!waits(s)) {
        return;
    }
    /* First: what comes after it makes the descriptor readable again. */
    s->events += link->ops->drain_ctrl(link);
    found = ctrl_ask_take(&s->ask, &answer);
    if (found > 0) {
        go_on(front, &answer);
    } else if (found < 0) {
        stop(front, "the control ring contradicts itself");
    } else if (s->events > FRONT_STATIC_EVENTS_MAX) {
        stop(front, "the backend sends events and no answer");
    }
}

int front_static_fd(const struct front *front)
{
    return waits(&front->statics) ? front->link->ctrl.fd : -1;
}

void front_static_end(struct front *front)
{
    struct front_static *s = &front->statics;
    uint64_t until = clock_ms() + FRONT_STATIC_END_MS;

    s->ending = true;
    if (!waits(s) && s->total != 0 && !ctrl_ask_waits(&s->ask)) {
        delete_from(front, 0);
    }
    for (uint64_t now = clock_ms(); waits(s) && now < until;
         now = clock_ms()) {
        struct pollfd wait = { front->link->ctrl.fd, POLLIN, 0 };

        (void)poll(&wait, 1, (int)(until - now));
        front_static_turn(front);
    }
    s->state = FRONT_STATIC_OFF;
    s->total = 0;
}
