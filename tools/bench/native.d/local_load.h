/* SPDX-License-Identifier: GPL-2.0-only */
/* The traffic of a guest whose interface is a local frontend. */
#ifndef BENCH_LOCAL_LOAD_H
#define BENCH_LOCAL_LOAD_H

#include "netback/local_front.h"
#include "traffic.h"

/*
 * Send a burst on a queue, when there is room for all of it: a switch sees
 * whole bursts, whatever their path.  Returns packets.
 */
static inline unsigned int local_load_send(struct local_front *front,
                                           unsigned int queue,
                                           struct traffic *t)
{
    uint32_t largest = t->size != TRAFFIC_IMIX ? t->size : 1500;
    unsigned int slots = (largest + ACCESS_PAGE_SIZE - 1) / ACCESS_PAGE_SIZE;

    if (local_front_begin(front, queue) < slots * TRAFFIC_BURST) {
        return 0;
    }
    for (unsigned int i = 0; i < TRAFFIC_BURST; i++) {
        uint32_t size = traffic_size(t), part = size;
        uint32_t rest = 0;
        uint8_t *page;

        if (size > ACCESS_PAGE_SIZE) {
            part = ACCESS_PAGE_SIZE;
            rest = size - part;
        }
        page = local_front_next(front, queue, size,
                                rest != 0 ? NETTXF_more_data : 0);
        traffic_write(t, page, size, part);
        while (rest != 0) {
            part = rest < ACCESS_PAGE_SIZE ? rest : ACCESS_PAGE_SIZE;
            rest -= part;
            page = local_front_next(front, queue, part,
                                    rest != 0 ? NETTXF_more_data : 0);
            traffic_fill(page, part);
        }
    }
    local_front_push(front, queue);
    return TRAFFIC_BURST;
}

static inline unsigned int local_load_take(struct local_front *front,
                                           unsigned int queue)
{
    return local_front_discard(front, queue, 2 * TRAFFIC_BURST,
                               traffic_read);
}

#endif
