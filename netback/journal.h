/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a queue's packet threads are about to do, in memory that survives
 * them (journal_file.h), so that a process that follows a killed one undoes
 * or finishes exactly that.
 *
 *   pins       a grant entry's flags may be set: clear them
 *   answering  responses are being written over their requests, and the
 *              requests are gone: write all of them, and publish
 *
 * One half has one writer at a time, its packet thread.  A killed process has
 * done a prefix of its program: the compiler's order is enough.
 */
#ifndef NETBACK_JOURNAL_H
#define NETBACK_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/io/ring.h>

#include "kill_point.h"

#define JOURNAL_COPIES 32u      /* whose pins a packet thread holds at once */
#define JOURNAL_PINS (JOURNAL_COPIES + 2u)  /* and two mapped ring pages' */
#define JOURNAL_SLOTS 256u      /* of a ring */
#define JOURNAL_WORDS_MAX 2u    /* of a response */

/* One direction of one queue. */
struct journal_half {
    uint64_t pins[JOURNAL_PINS];    /* grant_pin.h's records */
    uint32_t ring;              /* the ring page's grant reference */
    uint32_t answering;         /* 1: the members below are in force */
    RING_IDX old;               /* rsp_prod before the responses */
    RING_IDX end;               /* and after */
    uint32_t packets;           /* good packets that they answer */
    uint32_t words[JOURNAL_SLOTS * JOURNAL_WORDS_MAX];
};

/* Responses from index old on; each is words words, in the ABI's layout. */
struct journal_answers {
    const uint32_t *responses;
    unsigned int words;         /* of a response */
    RING_IDX old;
    RING_IDX end;
    unsigned int packets;
};

/* Before the first response is written to the ring.  half may be NULL. */
void journal_answer(struct journal_half *half,
                    const struct journal_answers *answers);

/* After rsp_prod has been stored. */
static inline void journal_answered(struct journal_half *half)
{
    if (half != NULL) {
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
        __atomic_store_n(&half->answering, 0, __ATOMIC_RELAXED);
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
    }
}

/* A ring as journal_finish needs it. */
struct journal_ring {
    uint8_t *slots;             /* JOURNAL_SLOTS of them */
    unsigned int slot_size;
    unsigned int words;         /* of a response */
    RING_IDX *rsp_prod;
};

/*
 * Finish the answers of a dead process, if it left any and they are of this
 * ring; the half is ready for use then.  Returns how many good packets they
 * answered: from a guest, those are lost.
 */
unsigned int journal_finish(struct journal_half *half,
                            const struct journal_ring *ring);

#endif
