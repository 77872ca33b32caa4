/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the benchmark's guests send, whatever their interface: frames from a
 * guest to the other, of one size or an IMIX, in so many flows.  A guest
 * writes into every cache line of what it sends, and reads every cache line
 * of what it gets, as one does whose programs make and use the bytes.
 */
#ifndef BENCH_TRAFFIC_H
#define BENCH_TRAFFIC_H

#include <stdint.h>
#include <string.h>

#define TRAFFIC_BURST 32u
#define TRAFFIC_LINE 64u
#define TRAFFIC_HEAD 42u        /* Ethernet, IPv4, UDP */
#define TRAFFIC_IMIX 0u         /* a size: 7 x 64, 4 x 576, 1 x 1500 bytes */

struct traffic {
    uint32_t size;              /* bytes of a frame, or TRAFFIC_IMIX */
    uint32_t flows;             /* how many, at least 1 */
    uint32_t number;            /* of the next frame */
    uint8_t from;               /* the guest's number */
};

static inline uint32_t traffic_size(const struct traffic *t)
{
    static const uint16_t imix[12] = {
        64, 576, 64, 64, 576, 64, 1500, 64, 576, 64, 576, 64,
    };

    return t->size != TRAFFIC_IMIX ? t->size : imix[t->number % 12];
}

/* A byte in each cache line of data. */
static inline void traffic_fill(uint8_t *data, uint32_t size)
{
    for (uint32_t at = 0; at < size; at += TRAFFIC_LINE) {
        data[at] += 1;
    }
}

/* The next frame's first bytes, at most part of size; then its number. */
static inline void traffic_write(struct traffic *t, uint8_t *data,
                                 uint32_t size, uint32_t part)
{
    static const uint8_t head[TRAFFIC_HEAD] = {
        0x02, 0x16, 0x3e, 0, 0, 0, 0x02, 0x16, 0x3e, 0, 0, 0, 0x08, 0x00,
        0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 1, 0, 0,
        0x10, 0, 0x10, 0, 0, 0, 0, 0,
    };
    uint32_t flow = t->number % t->flows;

    traffic_fill(data + TRAFFIC_LINE, part - TRAFFIC_LINE);
    memcpy(data, head, sizeof(head));
    data[5] = (uint8_t)(1 - t->from);
    data[11] = t->from;
    data[16] = (uint8_t)((size - 14) >> 8);
    data[17] = (uint8_t)(size - 14);
    data[32] = (uint8_t)(flow >> 8);
    data[33] = (uint8_t)flow;
    data[38] = (uint8_t)((size - 34) >> 8);
    data[39] = (uint8_t)(size - 34);
    t->number++;
}

/* Read every cache line; nobody wants the sum. */
static inline void traffic_read(const uint8_t *data, uint32_t size)
{
    const volatile uint8_t *from = data;

    for (uint32_t at = 0; at < size; at += TRAFFIC_LINE) {
        (void)from[at];
    }
}

#endif
