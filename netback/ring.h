/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Indices of a ring that a guest shares with us (xen/io/ring.h).
 *
 * An index is read once, by acquire, and checked against what we know of
 * the ring; it is published once, by release.
 */
#ifndef NETBACK_RING_H
#define NETBACK_RING_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/io/ring.h>

static inline RING_IDX ring_load(const RING_IDX *index)
{
    return __atomic_load_n(index, __ATOMIC_ACQUIRE);
}

static inline void ring_publish(RING_IDX *index, RING_IDX value)
{
    __atomic_store_n(index, value, __ATOMIC_RELEASE);
}

/*
 * Publish producer index value over old, and tell whether the other side
 * asked for an event in (old, value].  The full barrier pairs with the one
 * that the other side has between setting its event index and looking at
 * the producer index again.
 */
static inline bool ring_push(RING_IDX *producer, const RING_IDX *event,
                             RING_IDX old, RING_IDX value)
{
    ring_publish(producer, value);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return (RING_IDX)(value - __atomic_load_n(event, __ATOMIC_RELAXED)) <
           (RING_IDX)(value - old);
}

/* A checked index, below count also when the CPU guesses wrongly. */
static inline uint32_t ring_nospec(uint32_t index, uint32_t count)
{
    uint64_t mask = (uint64_t)((int64_t)((uint64_t)index - count) >> 63);

    __asm__ volatile ("" : "+r" (mask));
    return index & (uint32_t)mask;
}

/* Copy count words out of shared memory, each word read exactly once. */
static inline void ring_copy_out(uint32_t *to, const void *from,
                                 unsigned int count)
{
    const volatile uint32_t *word = from;

    for (unsigned int i = 0; i < count; i++) {
        to[i] = word[i];
    }
}

#endif
