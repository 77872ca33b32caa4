/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Timers: a pairing heap per CPU, intrusive, so that arming never fails.
 * The machine gives the clock and one deadline per CPU (core/arch.h).
 *
 *  1. A timer is in the heap of t->cpu if and only if t->is_armed; t->cpu
 *     changes only under the locks of both heaps.
 *  2. No timer expires before its parent in the heap.
 *  3. The machine's deadline on a CPU is never after heap->first->expires:
 *     it is programmed by that CPU alone, when its first timer changes.
 *     Another CPU may only remove timers here: the deadline is then early; or
 *     put one back that runs, which timer_run() then sees.
 *  4. heap->running is the timer whose function runs on that CPU now.  Such a
 *     timer does not leave that heap, so that timer_stop() finds it there.
 *  5. timer_run() calls at most RUN_MAX functions; then the CPU loop turns.
 */
#include "core/timer.h"

#include "core/arch.h"
#include "core/kmem.h"
#include "core/lock.h"
#include "lib/atomic.h"
#include "lib/bug.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/spinlock.h"

#define RUN_MAX 64u

struct heap {
    spinlock_t lock;
    struct timer *first;
    struct timer *running;          /* [a] written by its CPU */
} __attribute__((aligned(64)));

static struct heap *heaps;          /* [I] */

int timer_init_cpus(unsigned int cpus)
{
    heaps = kmem_alloc_array(cpus, sizeof(*heaps));
    if (heaps == NULL) {
        return -ENOMEM;
    }
    for (unsigned int i = 0; i < cpus; i++) {
        spin_lock_init(&heaps[i].lock, LOCK_RANK_TIMER);
    }
    return 0;
}

void timer_init(struct timer *t, void (*fn)(void *), void *arg)
{
    *t = (struct timer){ .fn = fn, .arg = arg };
}

/* ---- the pairing heap ---- */

/* Two heaps into one; either may be NULL.  The later becomes a child. */
static struct timer *merge(struct timer *a, struct timer *b)
{
    if (a == NULL || b == NULL) {
        return a != NULL ? a : b;
    }
    if (b->expires < a->expires) {
        struct timer *swap = a;

        a = b;
        b = swap;
    }
    b->next = a->child;
    if (b->next != NULL) {
        b->next->back = &b->next;
    }
    b->back = &a->child;
    a->child = b;
    return a;
}

/* The children 't' and its siblings into one heap: pairs, then backwards. */
static struct timer *merge_siblings(struct timer *t)
{
    struct timer *pairs = NULL;
    struct timer *all = NULL;

    while (t != NULL) {
        struct timer *a = t;
        struct timer *b = t->next;

        t = b != NULL ? b->next : NULL;
        a->next = NULL;
        if (b != NULL) {
            b->next = NULL;
        }
        a = merge(a, b);
        a->next = pairs;
        pairs = a;
    }
    while (pairs != NULL) {
        struct timer *after = pairs->next;

        pairs->next = NULL;
        all = merge(all, pairs);
        pairs = after;
    }
    return all;
}

static void set_first(struct heap *h, struct timer *t)
{
    h->first = t;
    if (t != NULL) {
        t->back = &h->first;
        t->next = NULL;
    }
}

static void insert(struct heap *h, struct timer *t)
{
    t->child = NULL;
    t->next = NULL;
    WRITE_ONCE(t->is_armed, true);
    set_first(h, merge(h->first, t));
}

static void take_out(struct heap *h, struct timer *t)
{
    struct timer *below = merge_siblings(t->child);

    *t->back = t->next;
    if (t->next != NULL) {
        t->next->back = t->back;
    }
    t->child = NULL;
    t->next = NULL;
    WRITE_ONCE(t->is_armed, false);
    set_first(h, merge(h->first, below));
}

/* ---- arming ---- */

/* Locks the heap that 't' belongs to. */
static struct heap *lock_heap(struct timer *t)
{
    for (;;) {
        unsigned int cpu = __atomic_load_n(&t->cpu, __ATOMIC_RELAXED);
        struct heap *h = &heaps[cpu];

        spin_lock(&h->lock);
        if (__atomic_load_n(&t->cpu, __ATOMIC_ACQUIRE) == cpu) {
            return h;
        }
        spin_unlock(&h->lock);
    }
}

/*
 * Makes 't' unarmed and this CPU's, or leaves it to the CPU that is running
 * its function; its heap is returned locked.
 */
static struct heap *lock_and_move(struct timer *t)
{
    unsigned int here = arch_cpu_id();

    for (;;) {
        struct heap *h = lock_heap(t);
        unsigned int from = t->cpu;

        if (t->is_armed) {
            take_out(h, t);
        }
        if (from == here || h->running == t) {
            return h;
        }
        spin_unlock(&h->lock);
        spin_lock(&heaps[min(from, here)].lock);
        spin_lock_nested(&heaps[max(from, here)].lock);
        if (t->cpu == from && !t->is_armed) {
            __atomic_store_n(&t->cpu, here, __ATOMIC_RELEASE);
            spin_unlock(&heaps[from].lock);
            return &heaps[here];
        }
        spin_unlock(&heaps[min(from, here)].lock);
        spin_unlock(&heaps[max(from, here)].lock);
    }
}

void timer_set(struct timer *t, uint64_t expires)
{
    struct heap *h = lock_and_move(t);

    t->expires = expires;
    insert(h, t);
    /* Another CPU programs its own at the end of timer_run(). */
    if (h->first == t && h == &heaps[arch_cpu_id()]) {
        arch_timer_program(max(expires, (uint64_t)1));
    }
    spin_unlock(&h->lock);
}

void timer_stop(struct timer *t)
{
    for (;;) {
        struct heap *h = lock_heap(t);
        bool is_running = h->running == t;

        if (t->is_armed) {
            take_out(h, t);
        }
        spin_unlock(&h->lock);
        if (!is_running || h == &heaps[arch_cpu_id()]) {
            return;
        }
        while (__atomic_load_n(&h->running, __ATOMIC_ACQUIRE) == t) {
            arch_pause();
        }
        /* It may have armed itself again. */
    }
}

bool timer_is_armed(const struct timer *t)
{
    return __atomic_load_n(&t->is_armed, __ATOMIC_RELAXED);
}

void timer_run(void)
{
    struct heap *h = &heaps[arch_cpu_id()];

    spin_lock(&h->lock);
    for (unsigned int i = 0; i < RUN_MAX; i++) {
        struct timer *t = h->first;

        if (t == NULL || t->expires > arch_time_now()) {
            break;
        }
        take_out(h, t);
        __atomic_store_n(&h->running, t, __ATOMIC_RELAXED);
        spin_unlock(&h->lock);
        t->fn(t->arg);
        spin_lock(&h->lock);
        __atomic_store_n(&h->running, (struct timer *)NULL,
                         __ATOMIC_RELEASE);
    }
    arch_timer_program(h->first != NULL
                       ? max(h->first->expires, (uint64_t)1) : 0);
    spin_unlock(&h->lock);
}
