/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ticket spinlocks. The machine gives lock_track().
 * 1. serving is written by the holder alone.
 * 2. In debug builds held[] of a CPU is what it holds, in order.
 */
#include "lib/atomic.h"
#include "lib/bug.h"
#include "lib/spinlock.h"

#ifdef HV_DEBUG
static void track_lock(const struct spinlock *lock, bool nested)
{
    struct lock_track *track = lock_track();

    BUG_ON(track->depth >= LOCK_TRACK_DEPTH);
    for (uint32_t i = 0; i < track->depth; i++) {
        const struct spinlock *held = track->held[i];

        BUG_ON(held == lock);
        if (lock->rank != 0 && held->rank != 0) {
            BUG_ON(held->rank > lock->rank);
            BUG_ON(held->rank == lock->rank && !nested);
        }
    }
    track->held[track->depth++] = lock;
}

static void track_unlock(const struct spinlock *lock)
{
    struct lock_track *track = lock_track();
    uint32_t i = track->depth;

    while (i > 0 && track->held[i - 1] != lock) {
        i--;
    }
    BUG_ON(i == 0);
    for (; i < track->depth; i++) {
        track->held[i - 1] = track->held[i];
    }
    track->depth--;
}
#else
static inline void track_lock(const struct spinlock *lock, bool nested)
{
    (void)lock;
    (void)nested;
}

static inline void track_unlock(const struct spinlock *lock)
{
    (void)lock;
}
#endif

void spin_lock_init(struct spinlock *lock, uint32_t rank)
{
    *lock = (struct spinlock)SPINLOCK_INIT(rank);
}

static void take(struct spinlock *lock)
{
    uint32_t ticket = __atomic_fetch_add(&lock->next, 1, __ATOMIC_RELAXED);

    while (__atomic_load_n(&lock->serving, __ATOMIC_ACQUIRE) != ticket) {
        cpu_relax();
    }
}

void spin_lock(struct spinlock *lock)
{
    track_lock(lock, false);
    take(lock);
}

void spin_lock_nested(struct spinlock *lock)
{
    track_lock(lock, true);
    take(lock);
}

bool spin_trylock(struct spinlock *lock)
{
    uint32_t ticket = __atomic_load_n(&lock->serving, __ATOMIC_RELAXED);

    if (!__atomic_compare_exchange_n(&lock->next, &ticket, ticket + 1, false,
                                     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)) {
        return false;
    }
    track_lock(lock, true);
    return true;
}

void spin_unlock(struct spinlock *lock)
{
    track_unlock(lock);
    __atomic_store_n(&lock->serving, lock->serving + 1, __ATOMIC_RELEASE);
}

bool spin_is_locked(const struct spinlock *lock)
{
    return __atomic_load_n(&lock->serving, __ATOMIC_RELAXED)
           != __atomic_load_n(&lock->next, __ATOMIC_RELAXED);
}
