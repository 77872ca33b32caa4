/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The journal of a queue's answers.  Talks to nothing but the memory that it
 * is given.
 *
 *   idle --journal_answer--> answering --journal_answered--> idle
 *
 *   found by a successor:
 *   idle                                     rsp_prod is right
 *   answering, rsp_prod == old               write all, store end
 *   answering, rsp_prod == end               it had been stored
 *   answering, neither                       not of this ring: forget it
 *
 * Invariants:
 *  1. While the ring holds a part of the responses, the journal holds all.
 *  2. What is read from a journal is bounded before use: the file may be
 *     another program's.
 *  3. rsp_prod is stored once, at a packet's end.
 */
#include <string.h>

#include "journal.h"
#include "ring.h"

_Static_assert(JOURNAL_SLOTS * JOURNAL_WORDS_MAX * sizeof(uint32_t) +
               sizeof(uint64_t) * (JOURNAL_PINS + 3) <= 4096,
               "a half of a journal is at most a page");

void journal_answer(struct journal_half *half,
                    const struct journal_answers *answers)
{
    RING_IDX count = answers->end - answers->old;

    if (half == NULL) {
        return;
    }
    memcpy(half->words, answers->responses,
           count * answers->words * sizeof(half->words[0]));
    half->old = answers->old;
    half->end = answers->end;
    half->packets = answers->packets;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(&half->answering, 1, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    kill_point(KILL_ANSWERING);
}

unsigned int journal_finish(struct journal_half *half,
                            const struct journal_ring *ring)
{
    RING_IDX old = half->old;
    RING_IDX end = half->end;
    RING_IDX count = end - old;
    RING_IDX rsp_prod = ring_load(ring->rsp_prod);
    unsigned int packets = half->packets;

    if (half->answering != 1 || count > JOURNAL_SLOTS ||
        packets > count || (rsp_prod != old && rsp_prod != end)) {
        packets = 0;
    } else if (rsp_prod == old) {
        for (RING_IDX i = 0; i < count; i++) {
            memcpy(ring->slots + (size_t)((old + i) % JOURNAL_SLOTS) *
                   ring->slot_size, &half->words[i * ring->words],
                   ring->words * sizeof(half->words[0]));
        }
        ring_publish(ring->rsp_prod, end);
    }
    journal_answered(half);
    return packets;
}
