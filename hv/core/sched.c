/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The scheduler: who runs on which CPU.  The CPU loop calls sched_pick();
 * vcpu.c and domain.c tell of changes; timer.c ends slices.
 *
 * Policy: each vcpu has a virtual runtime, the ns it ran times 256 / weight,
 * on one scale for all CPUs.  Each CPU has a queue sorted by it and runs
 * the least.
 *
 *  - A slice is SCHED_SLICE_NS.  At its end the least goes on; so over time
 *    CPU time is shared by weight.  A CPU that nobody waits for has no slices.
 *  - A vcpu that wakes is put SCHED_WAKE_CREDIT_NS before the queue's least,
 *    not more: sleeping saves up no time, but an interactive guest goes
 *    before a polling one, which always is about at the least.
 *  - It preempts if it leads, but not in the first SCHED_MIN_RUN_NS of a
 *    run: that bounds switches, and the wait of who wakes next to a
 *    poller is SCHED_MIN_RUN_NS plus one exit from the guest.
 *  - Nobody is put more than SCHED_LAG_NS behind its queue's least.
 *  - A CPU without work takes from any queue; who queues work behind a busy
 *    CPU kicks an idle one.  So no CPU idles while a vcpu that may run
 *    there waits.
 *  - At slice ends a CPU whose waiters trail those that run on another CPU
 *    by more than a slice asks that CPU to pull one.
 *
 * Cost: insertion walks the queue from its end, O(vcpus waiting for this
 * CPU); a pick without a change takes no lock.
 *
 *  1. A vcpu is queued (is_queued, in the queue of 'cpu'), running
 *     (is_running, current of 'cpu', its state partly in the machine) or
 *     neither; all three and 'cpu' change under the lock of 'cpu'.
 *  2. One that is runnable and neither is about to be placed by the CPU that
 *     made it so.  That CPU holds the domain: who stops a vcpu that is
 *     neither need not wait, and may destroy it.
 *  3. is_running falls only after arch_vcpu_switch_from(): who waits for it
 *     sees all registers.
 *  4. Idle protocol: an idle CPU sets its bit, then looks at the queues; who
 *     queues a vcpu then looks at the bits (both with full barriers), takes
 *     one and asks that CPU, which sets its bit again if it finds nothing.
 */
#include "core/sched.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/kmem.h"
#include "core/lock.h"
#include "core/perfc.h"
#include "core/timer.h"
#include "core/vcpu.h"
#include "core/vcpu_op.h"
#include "core/wallclock.h"
#include "lib/atomic.h"
#include "lib/bitmap.h"
#include "lib/bug.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/spinlock.h"
#include "lib/string.h"

#define MAX_CPUS (SCHED_AFFINITY_WORDS * 64)
#define PEERS_MAX 8u                /* CPUs looked at per slice end */

struct run_queue {
    spinlock_t lock;
    unsigned int cpu;               /* [I] */
    unsigned int count;             /* [a] written under lock: queued */
    struct list_node queue;         /* lock: by vruntime */
    struct vcpu *current;           /* [o] NULL: idle */
    uint64_t least;                 /* lock: never falls */
    bool must_look;                 /* [a] the answer may have changed */
    bool did_yield;                 /* [o] */
    unsigned int pull_from;         /* [a] CPU + 1 that asks for help */
    struct timer slice;             /* [o] */
    uint64_t idle_since;            /* [a] 0: busy */
    uint64_t idle_total;            /* [a] */
    /* What others may see of the current one without the lock. */
    uint64_t shown_vruntime;        /* [a] as of shown_since */
    uint64_t shown_since;           /* [a] */
    uint32_t shown_weight;          /* [a] 0: idle */
} __attribute__((aligned(64)));

static struct run_queue *queues;    /* [I] */
static unsigned int cpu_count;      /* [I] */
static BITMAP_DECLARE(usable_cpus, MAX_CPUS);   /* [I] */
static BITMAP_DECLARE(idle_cpus, MAX_CPUS);     /* [a] */

static void slice_ended(void *arg)
{
    struct run_queue *rq = arg;

    WRITE_ONCE(rq->must_look, true);
}

int sched_init(unsigned int cpus)
{
    cpu_count = min(cpus, MAX_CPUS);
    queues = kmem_alloc_array(cpu_count, sizeof(*queues));
    if (queues == NULL) {
        return -ENOMEM;
    }
    memset(idle_cpus, 0, sizeof(idle_cpus));
    memset(usable_cpus, 0, sizeof(usable_cpus));
    for (unsigned int i = 0; i < cpu_count; i++) {
        bitmap_set(usable_cpus, i);
        spin_lock_init(&queues[i].lock, LOCK_RANK_SCHED);
        list_init(&queues[i].queue);
        queues[i].cpu = i;
        queues[i].idle_since = max(arch_time_now(), (uint64_t)1);
        timer_init(&queues[i].slice, slice_ended, &queues[i]);
    }
    return 0;
}

int sched_restrict(unsigned int first, unsigned int last)
{
    if (first > last || first >= cpu_count) {
        return -EINVAL;
    }
    for (unsigned int i = 0; i < cpu_count; i++) {
        if (i < first || i > last) {
            bitmap_clear(usable_cpus, i);
        }
    }
    return 0;
}

unsigned int sched_cpu_count(void)
{
    return (unsigned int)bitmap_count(usable_cpus, cpu_count);
}

static struct run_queue *this_queue(void)
{
    return &queues[arch_cpu_id()];
}

struct vcpu *vcpu_current(void)
{
    return arch_current();
}

static struct run_queue *lock_queue(struct vcpu *v)
{
    for (;;) {
        unsigned int cpu = __atomic_load_n(&v->sched.cpu, __ATOMIC_RELAXED);
        struct run_queue *rq = &queues[cpu];

        spin_lock(&rq->lock);
        if (__atomic_load_n(&v->sched.cpu, __ATOMIC_ACQUIRE) == cpu) {
            return rq;
        }
        spin_unlock(&rq->lock);
    }
}

/*
 * From here on the lock of 'cpu' guards 'v': what was done under the other
 * lock is seen under this one (lock_queue).
 */
static void set_cpu(struct vcpu *v, unsigned int cpu)
{
    __atomic_store_n(&v->sched.cpu, cpu, __ATOMIC_RELEASE);
}

static bool may_run_on(const struct vcpu *v, unsigned int cpu)
{
    return bitmap_test(usable_cpus, cpu)
           && ((__atomic_load_n(&v->sched.hard_affinity[cpu / 64],
                                __ATOMIC_RELAXED) >> (cpu % 64)) & 1);
}

/* ---- accounting: the queue's lock is held ---- */

static uint32_t weight_of(const struct vcpu *v)
{
    return READ_ONCE(v->domain->sched->weight);
}

static uint64_t weighted(uint64_t ns, uint32_t weight)
{
    return ns * SCHED_DEFAULT_WEIGHT / weight;
}

static void show_current(struct run_queue *rq, uint64_t now)
{
    struct vcpu *v = rq->current;

    WRITE_ONCE(rq->shown_since, now);
    WRITE_ONCE(rq->shown_vruntime, v != NULL ? v->sched.vruntime : 0);
    WRITE_ONCE(rq->shown_weight, v != NULL ? weight_of(v) : 0);
}

static struct vcpu *head_of(struct run_queue *rq)
{
    return list_is_empty(&rq->queue) ? NULL
        : list_first(&rq->queue, struct vcpu, sched.rq_link);
}

static void update_least(struct run_queue *rq)
{
    struct vcpu *head = head_of(rq);
    uint64_t least = UINT64_MAX;

    if (rq->current != NULL) {
        least = rq->current->sched.vruntime;
    }
    if (head != NULL) {
        least = min(least, head->sched.vruntime);
    }
    if (least != UINT64_MAX) {
        rq->least = max(rq->least, least);
    }
}

/* The current one pays for the time since the last account. */
static void account(struct run_queue *rq, uint64_t now)
{
    struct vcpu *v = rq->current;

    if (v != NULL && now > v->sched.ran_since) {
        v->sched.vruntime += weighted(now - v->sched.ran_since,
                                      weight_of(v));
        v->sched.ran_since = now;
        update_least(rq);
    }
}

static void set_runstate(struct vcpu *v, int state, uint64_t now)
{
    struct vcpu_runstate_info *r = &v->runstate;

    if (r->state == state) {
        return;
    }
    if (now > r->state_entry_time) {
        r->time[r->state] += now - r->state_entry_time;
        r->state_entry_time = now;
    }
    r->state = state;
}

/* The runstate of one that does not run. */
static int waiting_state(const struct vcpu *v)
{
    if (vcpu_is_runnable(v)) {
        return RUNSTATE_runnable;
    }
    return READ_ONCE(v->is_blocked) && !READ_ONCE(v->is_down)
           && READ_ONCE(v->pause_count) == 0
           && READ_ONCE(v->domain->pause_count) == 0
           && !READ_ONCE(v->domain->is_shutting_down)
           ? RUNSTATE_blocked : RUNSTATE_offline;
}

static void enqueue(struct run_queue *rq, struct vcpu *v)
{
    struct list_node *at = rq->queue.prev;

    while (at != &rq->queue
           && list_entry(at, struct vcpu, sched.rq_link)->sched.vruntime
              > v->sched.vruntime) {
        at = at->prev;
    }
    list_add(&v->sched.rq_link, at);
    v->sched.is_queued = true;
    WRITE_ONCE(rq->count, rq->count + 1);
}

static void dequeue(struct run_queue *rq, struct vcpu *v)
{
    list_del(&v->sched.rq_link);
    v->sched.is_queued = false;
    WRITE_ONCE(rq->count, rq->count - 1);
}

/* Where a vcpu that comes to this queue stands among the others. */
static void place(struct run_queue *rq, struct vcpu *v, uint64_t credit)
{
    uint64_t low = rq->least - min(rq->least,
                                   weighted(credit, weight_of(v)));
    uint64_t high = rq->least + SCHED_LAG_NS;

    if (rq->current == NULL && rq->count == 0) {
        high = UINT64_MAX;
    }
    v->sched.vruntime = min(max(v->sched.vruntime, low), high);
}

/* ---- waking ---- */

/* The kick after the word: a CPU in its loop looks only if it was kicked. */
static void ask(struct run_queue *rq)
{
    __atomic_store_n(&rq->must_look, true, __ATOMIC_SEQ_CST);
    arch_cpu_kick(rq->cpu);
}

/* An idle CPU that may run 'v', or cpu_count. */
static unsigned int find_idle(const struct vcpu *v)
{
    size_t cpu = bitmap_find_set(idle_cpus, cpu_count, 0);

    while (cpu < cpu_count && !may_run_on(v, (unsigned int)cpu)) {
        cpu = bitmap_find_set(idle_cpus, cpu_count, cpu + 1);
    }
    return (unsigned int)cpu;
}

static unsigned int choose_cpu(const struct vcpu *v)
{
    unsigned int last = v->sched.cpu;
    unsigned int idle;

    if (may_run_on(v, last) && bitmap_test(idle_cpus, last)) {
        return last;
    }
    idle = find_idle(v);
    if (idle < cpu_count) {
        return idle;
    }
    for (unsigned int i = 0; i < cpu_count; i++) {
        unsigned int cpu = (last + i) % cpu_count;

        if (may_run_on(v, cpu)) {
            return cpu;
        }
    }
    return last;
}

static bool leads(const struct vcpu *v, const struct run_queue *rq,
                  uint64_t now)
{
    const struct vcpu *c = rq->current;
    uint64_t since = c->sched.ran_since;

    return v->sched.vruntime < c->sched.vruntime
           + (now > since ? weighted(now - since, weight_of(c)) : 0);
}

/*
 * Locks the queue 'v' shall go to; NULL if it need not be queued.  Between the
 * locks it may get another affinity: then it chooses again, as who set that
 * may have been here before and found it queued.
 */
static struct run_queue *lock_target(struct vcpu *v)
{
    for (bool has_chosen = false;; has_chosen = true) {
        struct run_queue *rq = lock_queue(v);
        unsigned int cpu;

        if (v->sched.is_queued || v->sched.is_running
            || !vcpu_is_runnable(v)) {
            spin_unlock(&rq->lock);
            return NULL;
        }
        cpu = has_chosen && may_run_on(v, rq->cpu) ? rq->cpu : choose_cpu(v);
        if (cpu == rq->cpu) {
            return rq;
        }
        set_cpu(v, cpu);
        spin_unlock(&rq->lock);
    }
}

/*
 * 'v' waits behind another: one idle CPU shall look at the queues.  Who asks
 * takes its bit, so that the next waiter gets the next CPU.
 */
static void ask_idle(const struct vcpu *v)
{
    unsigned int cpu;

    memory_barrier();               /* invariant 4 */
    do {
        cpu = find_idle(v);
        if (cpu >= cpu_count) {
            return;
        }
    } while (!bitmap_test_and_clear(idle_cpus, cpu));
    ask(&queues[cpu]);
}

/* Queues a runnable 'v' and makes a CPU look at it, if one should. */
static void queue_up(struct vcpu *v, uint64_t credit)
{
    struct run_queue *rq = lock_target(v);
    uint64_t now;
    bool is_crowded;

    if (rq == NULL) {
        return;
    }
    now = arch_time_now();
    account(rq, now);
    place(rq, v, credit);
    set_runstate(v, RUNSTATE_runnable, now);
    enqueue(rq, v);
    is_crowded = rq->current != NULL || rq->count > 1;
    if (rq->current == NULL) {
        bitmap_test_and_clear(idle_cpus, rq->cpu);
        ask(rq);
    } else if (leads(v, rq, now) || !timer_is_armed(&rq->slice)) {
        ask(rq);
    }
    spin_unlock(&rq->lock);
    if (is_crowded) {
        ask_idle(v);
    }
}

void sched_wake(struct vcpu *v)
{
    queue_up(v, SCHED_WAKE_CREDIT_NS);
}

void sched_sleep_nosync(struct vcpu *v)
{
    struct run_queue *rq = lock_queue(v);

    if (v->sched.is_queued && !vcpu_is_runnable(v)) {
        dequeue(rq, v);
    }
    if (v->sched.is_running) {
        ask(rq);
    } else if (!v->sched.is_queued) {
        set_runstate(v, waiting_state(v), arch_time_now());
    }
    spin_unlock(&rq->lock);
}

void sched_sleep_sync(struct vcpu *v)
{
    WRITE_ONCE(v->is_settling, false);
    sched_sleep_nosync(v);
    BUG_ON(v == vcpu_current());
    while (__atomic_load_n(&v->sched.is_running, __ATOMIC_ACQUIRE)) {
        if (READ_ONCE(v->is_settling)) {
            /* Another CPU just asked for that: it does not for long. */
            WRITE_ONCE(v->is_settling, false);
            sched_sleep_nosync(v);
        }
        arch_pause();
    }
}

/* ---- work of other CPUs ---- */

/*
 * The first of rq's waiters that may run on 'cpu' and trails 'limit'; with a
 * reference on its domain, for adopt().
 */
static struct vcpu *take_waiter(struct run_queue *rq, unsigned int cpu,
                                uint64_t limit)
{
    struct vcpu *v;
    struct vcpu *found = NULL;

    spin_lock(&rq->lock);
    list_for_each(v, &rq->queue, sched.rq_link) {
        if (v->sched.vruntime >= limit) {
            break;
        }
        if (may_run_on(v, cpu)) {
            found = v;
            domain_get(v->domain);
            dequeue(rq, v);
            set_cpu(v, cpu);
            break;
        }
    }
    spin_unlock(&rq->lock);
    return found;
}

/*
 * A vcpu taken from elsewhere into this queue.  While it was between the
 * locks it may have stopped being runnable, or got an affinity elsewhere (who
 * sets that places it): then it stays out.
 */
static bool adopt(struct run_queue *rq, struct vcpu *v)
{
    struct domain *d = v->domain;
    bool ok;

    spin_lock(&rq->lock);
    ok = v->sched.cpu == rq->cpu && !v->sched.is_queued
         && !v->sched.is_running && vcpu_is_runnable(v)
         && may_run_on(v, rq->cpu);
    if (ok) {
        account(rq, arch_time_now());
        place(rq, v, SCHED_LAG_NS);
        enqueue(rq, v);
    }
    spin_unlock(&rq->lock);
    domain_put(d);
    return ok;
}

/* This CPU has nothing: takes a waiter from any other queue. */
static bool steal(struct run_queue *rq)
{
    for (unsigned int i = 1; i < cpu_count; i++) {
        struct run_queue *from = &queues[(rq->cpu + i) % cpu_count];
        struct vcpu *v;

        if (READ_ONCE(from->count) == 0) {
            continue;
        }
        v = take_waiter(from, rq->cpu, UINT64_MAX);
        if (v != NULL && adopt(rq, v)) {
            return true;
        }
    }
    return false;
}

/* Another CPU's waiters trail what runs here: takes one. */
static void pull(struct run_queue *rq, uint64_t now)
{
    unsigned int from = __atomic_exchange_n(&rq->pull_from, 0,
                                            __ATOMIC_RELAXED);
    uint64_t vruntime;
    struct vcpu *v;

    if (from == 0 || rq->current == NULL) {
        return;
    }
    spin_lock(&rq->lock);
    account(rq, now);
    vruntime = rq->current->sched.vruntime;
    spin_unlock(&rq->lock);
    if (vruntime < SCHED_SLICE_NS) {
        return;
    }
    v = take_waiter(&queues[from - 1], rq->cpu, vruntime - SCHED_SLICE_NS);
    if (v != NULL) {
        adopt(rq, v);
    }
}

/*
 * This CPU's first waiter has 'vruntime': asks a CPU whose current one is
 * more than a slice ahead of it.
 */
static void ask_for_help(struct run_queue *rq, uint64_t vruntime,
                         uint64_t now)
{
    for (unsigned int i = 1; i < cpu_count && i <= PEERS_MAX; i++) {
        struct run_queue *peer = &queues[(rq->cpu + i) % cpu_count];
        uint32_t weight = READ_ONCE(peer->shown_weight);
        uint64_t since = READ_ONCE(peer->shown_since);
        uint64_t at = READ_ONCE(peer->shown_vruntime);

        if (weight == 0) {
            continue;
        }
        at += weighted(now > since ? now - since : 0, weight);
        if (at > vruntime + 2 * SCHED_SLICE_NS) {
            WRITE_ONCE(peer->pull_from, rq->cpu + 1);
            ask(peer);
            return;
        }
    }
}

/* ---- picking ---- */

/* May the current one go on instead of 'head'?  Lock held, accounted. */
static bool may_go_on(struct run_queue *rq, struct vcpu *head, uint64_t now)
{
    struct sched_vcpu *c = &rq->current->sched;
    uint64_t ran = now > c->slice_start ? now - c->slice_start : 0;

    if (!vcpu_is_runnable(rq->current) || !may_run_on(rq->current, rq->cpu)) {
        return false;
    }
    if (head == NULL) {
        return true;
    }
    if (rq->did_yield) {
        c->vruntime = max(c->vruntime, head->sched.vruntime + 1);
        return false;
    }
    if (head->sched.vruntime >= c->vruntime) {
        if (ran >= SCHED_SLICE_NS) {
            c->slice_start = now;
        }
        return true;
    }
    return ran < SCHED_MIN_RUN_NS;
}

/* When this CPU must look again because somebody waits; lock held. */
static uint64_t next_look(struct run_queue *rq, struct vcpu *runs,
                          uint64_t now)
{
    struct vcpu *head = head_of(rq);
    uint64_t at;

    if (head == NULL) {
        return 0;
    }
    at = runs->sched.slice_start
         + (head->sched.vruntime < runs->sched.vruntime ? SCHED_MIN_RUN_NS
                                                        : SCHED_SLICE_NS);
    return max(at, now + 1);
}

static void arm_slice(struct run_queue *rq, uint64_t at)
{
    if (at != 0 && (!timer_is_armed(&rq->slice) || rq->slice.expires > at)) {
        timer_set(&rq->slice, at);
    }
}

static void set_current(struct run_queue *rq, struct vcpu *v, uint64_t now)
{
    rq->current = v;
    arch_set_current(v);
    update_least(rq);
    show_current(rq, now);
}

/* 'next' comes after 'v', which from here on anybody may run or destroy. */
static void leave(struct run_queue *rq, struct vcpu *v, struct vcpu *next)
{
    struct domain *d = v->domain;
    bool is_runnable;
    uint64_t now;

    vcpu_op_show_runstate(v);
    arch_vcpu_switch_from(v);
    spin_lock(&rq->lock);
    now = arch_time_now();
    is_runnable = vcpu_is_runnable(v);
    set_runstate(v, waiting_state(v), now);
    set_current(rq, next, now);
    if (is_runnable) {
        domain_get(d);
    }
    __atomic_store_n(&v->sched.is_running, false, __ATOMIC_RELEASE);
    spin_unlock(&rq->lock);
    if (is_runnable) {
        queue_up(v, 0);
        domain_put(d);
    }
}

static void go_idle(struct run_queue *rq, uint64_t now)
{
    if (READ_ONCE(rq->idle_since) == 0) {
        WRITE_ONCE(rq->idle_since, now);
    }
    bitmap_test_and_set(idle_cpus, rq->cpu);
}

static void end_idle(struct run_queue *rq, uint64_t now)
{
    uint64_t since = READ_ONCE(rq->idle_since);

    if (since != 0) {
        WRITE_ONCE(rq->idle_total, rq->idle_total
                   + (now > since ? now - since : 0));
        WRITE_ONCE(rq->idle_since, 0);
    }
    bitmap_test_and_clear(idle_cpus, rq->cpu);
}

/*
 * Decides under the lock.  '*next' is who runs from now on (maybe the same);
 * if it changes, it is out of the queue, running and on this CPU.
 */
static void decide(struct run_queue *rq, struct vcpu **next, uint64_t now)
{
    struct vcpu *prev = rq->current;
    struct vcpu *head;

    account(rq, now);
    head = head_of(rq);
    if (prev != NULL && may_go_on(rq, head, now)) {
        *next = prev;
    } else {
        *next = head;
        if (prev != NULL) {
            set_runstate(prev, waiting_state(prev), now);
        }
        if (head != NULL) {
            dequeue(rq, head);
            head->sched.is_running = true;
            head->sched.ran_since = now;
            head->sched.slice_start = now;
            set_runstate(head, RUNSTATE_running, now);
        }
    }
    rq->did_yield = false;
}

/* The machine goes from what ran to 'next'. */
static void switch_to(struct run_queue *rq, struct vcpu *next, uint64_t now)
{
    struct vcpu *prev = rq->current;

    if (prev != NULL) {
        leave(rq, prev, next);
    } else {
        spin_lock(&rq->lock);
        set_current(rq, next, now);
        spin_unlock(&rq->lock);
    }
    if (next != NULL) {
        end_idle(rq, now);
        arch_vcpu_switch_to(next);
        vcpu_op_timers_continue(next);
        wallclock_update_vcpu(next);
        vcpu_op_show_runstate(next);
        perfc_count(PERFC_CONTEXT_SWITCH);
    }
}

/* One decision and its switch.  False: look once more. */
static bool pick_once(struct run_queue *rq)
{
    uint64_t now = arch_time_now();
    uint64_t look_at = 0;
    uint64_t waiting = UINT64_MAX;
    struct vcpu *next;
    struct vcpu *head;

    __atomic_store_n(&rq->must_look, false, __ATOMIC_SEQ_CST);
    pull(rq, now);
    spin_lock(&rq->lock);
    decide(rq, &next, now);
    if (next == rq->current) {
        show_current(rq, now);
    }
    spin_unlock(&rq->lock);
    if (next != rq->current) {
        switch_to(rq, next, now);
    }
    if (next == NULL) {
        go_idle(rq, now);
        /*
         * After the bit: invariant 4.  Here too one may wait by now: what
         * leave() put back, or who came while the last one seemed to run.
         */
        return READ_ONCE(rq->count) == 0 && !steal(rq);
    }
    spin_lock(&rq->lock);
    head = head_of(rq);
    look_at = next_look(rq, next, now);
    if (head != NULL) {
        waiting = head->sched.vruntime;
    }
    spin_unlock(&rq->lock);
    arm_slice(rq, look_at);
    if (head != NULL) {
        ask_for_help(rq, waiting, now);
    }
    return true;
}

struct vcpu *sched_pick(void)
{
    struct run_queue *rq = this_queue();

    if (!sched_must_look()) {
        return rq->current;
    }
    while (!pick_once(rq)) {
        continue;
    }
    return rq->current;
}

bool sched_must_look(void)
{
    struct run_queue *rq = this_queue();

    return READ_ONCE(rq->must_look) || rq->current == NULL
           || !vcpu_is_runnable(rq->current);
}

void sched_give_way(struct vcpu *v)
{
    struct run_queue *rq = this_queue();

    if (rq->current == v) {
        rq->did_yield = true;
        ask(rq);
    }
}

/* ---- creation and settings ---- */

int sched_domain_create(struct domain *d)
{
    d->sched = kmem_alloc(sizeof(*d->sched));
    if (d->sched == NULL) {
        return -ENOMEM;
    }
    d->sched->weight = SCHED_DEFAULT_WEIGHT;
    return 0;
}

void sched_domain_destroy(struct domain *d)
{
    kmem_free(d->sched);
    d->sched = NULL;
}

void sched_vcpu_create(struct vcpu *v)
{
    BUG_ON(cpu_count == 0);         /* no vcpu before sched_init() */
    list_init(&v->sched.rq_link);
    for (unsigned int i = 0; i < cpu_count; i++) {
        if (bitmap_test(usable_cpus, i)) {
            v->sched.hard_affinity[i / 64] |= 1UL << (i % 64);
        }
    }
    v->sched.cpu = (v->domain->id + v->id) % cpu_count;
    v->runstate.state = RUNSTATE_offline;
    v->runstate.state_entry_time = arch_time_now();
}

void sched_vcpu_destroy(struct vcpu *v)
{
    struct run_queue *rq = lock_queue(v);

    BUG_ON(v->sched.is_running);
    if (v->sched.is_queued) {
        dequeue(rq, v);
    }
    spin_unlock(&rq->lock);
}

int sched_set_params(struct domain *d, uint16_t weight, uint16_t cap)
{
    if (weight != 0) {
        WRITE_ONCE(d->sched->weight, weight);
    }
    WRITE_ONCE(d->sched->cap, cap);
    return 0;
}

int sched_set_affinity(struct vcpu *v, const uint64_t *mask)
{
    bool is_empty = true;
    struct run_queue *rq;

    for (unsigned int i = 0; i < cpu_count; i++) {
        is_empty = is_empty && !(bitmap_test(usable_cpus, i)
                                 && ((mask[i / 64] >> (i % 64)) & 1));
    }
    if (is_empty) {
        return -EINVAL;
    }
    rq = lock_queue(v);
    for (unsigned int i = 0; i < SCHED_AFFINITY_WORDS; i++) {
        __atomic_store_n(&v->sched.hard_affinity[i], mask[i],
                         __ATOMIC_RELAXED);
    }
    if (v->sched.is_queued) {
        dequeue(rq, v);
    }
    if (v->sched.is_running) {
        ask(rq);
    }
    spin_unlock(&rq->lock);
    queue_up(v, 0);
    return 0;
}

void sched_runstate(struct vcpu *v, struct vcpu_runstate_info *out)
{
    struct run_queue *rq = lock_queue(v);
    uint64_t now = arch_time_now();

    *out = v->runstate;
    if (now > out->state_entry_time) {
        out->time[out->state] += now - out->state_entry_time;
    }
    spin_unlock(&rq->lock);
}

uint64_t sched_idle_time(unsigned int cpu)
{
    uint64_t since = READ_ONCE(queues[cpu].idle_since);
    uint64_t now = arch_time_now();

    return READ_ONCE(queues[cpu].idle_total)
           + (since != 0 && now > since ? now - since : 0);
}
