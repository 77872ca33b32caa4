/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ticket spinlocks with a rank. Ranks are the caller's (core/lock.h): in
 * debug builds taking a lock whose rank is not above every rank that this
 * CPU holds is a bug, as is giving back one that it does not hold.
 */
#ifndef LIB_SPINLOCK_H
#define LIB_SPINLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct spinlock {
    uint32_t next;              /* [a] the next ticket to hand out */
    uint32_t serving;           /* [a] the ticket that has the lock */
    uint32_t rank;              /* [I] 0: not checked */
};

typedef struct spinlock spinlock_t;

#define SPINLOCK_INIT(lock_rank) { .rank = (lock_rank) }

/* Locks that one CPU holds, in the order in which it took them. */
#define LOCK_TRACK_DEPTH 12
struct lock_track {
    uint32_t depth;
    const struct spinlock *held[LOCK_TRACK_DEPTH];
};

/* The running CPU's record; the machine (tests: the fake) provides it. */
struct lock_track *lock_track(void);

void spin_lock_init(struct spinlock *lock, uint32_t rank);
void spin_lock(struct spinlock *lock);
bool spin_trylock(struct spinlock *lock);
void spin_unlock(struct spinlock *lock);
/* True if anybody has it. */
bool spin_is_locked(const struct spinlock *lock);
/*
 * Takes a lock of the same rank as one already held; the caller orders the
 * two (lower domid first, say).
 */
void spin_lock_nested(struct spinlock *lock);

#endif
