/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What another CPU may do between two instructions of this one: a function is
 * run by single steps (x86's trap flag), and at one of them CPU 1 of the fake
 * machine acts.  A test that goes through all of them has seen every way in
 * which the two can meet, apart from the stores that CPUs delay.
 *
 *   step_run()      this CPU, 0, runs by steps; at one of them CPU 1 acts
 *   step_hold()     CPU 1 (a thread) runs by steps and stands still at one
 *   step_release()  it runs on, to its end: as what step_run() does, say
 *
 * Include it first: it needs _GNU_SOURCE.
 */
#ifndef TESTS_UNIT_STEP_H
#define TESTS_UNIT_STEP_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE             /* REG_EFL */
#endif

/* Before pthread.h: <time.h> is found to be the hypervisor's. */
#include <sys/types.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#include "fake/machine.h"
#include "lib/spinlock.h"

#define STEP_TRAP_FLAG 0x100ull

static _Thread_local struct {
    bool (*is_due)(void);       /* is it an instruction to act at? */
    void (*act)(void);
    unsigned int skip;          /* so often not yet */
    bool is_done;
    const struct spinlock *last; /* that this CPU held */
} step_at;

static struct {
    pthread_t thread;
    void (*fn)(void);
    bool (*is_due)(void);
    bool is_standing, may_go, is_over; /* [a] */
} step_held;

/* This CPU has no lock, nor is it about to give one back. */
static inline bool step_is_free(void)
{
    const struct lock_track *locks = lock_track();

    if (locks->depth > 0) {
        step_at.last = locks->held[0];
        return false;
    }
    return step_at.last == NULL || !spin_is_locked(step_at.last);
}

static inline void step_trap(int number, siginfo_t *info, void *context)
{
    ucontext_t *at = context;
    unsigned int cpu = arch_cpu_id();

    (void)number;
    (void)info;
    if (!step_at.is_done && step_at.is_due() && step_at.skip-- == 0) {
        machine_set_cpu(1);
        step_at.act();
        machine_set_cpu(cpu);
        step_at.is_done = true;
    }
    if (step_at.is_done) {
        at->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)STEP_TRAP_FLAG;
    }
}

/*
 * Runs 'fn' on this CPU, with CPU 1 acting before the skip-th of the
 * instructions that are due.  False: there are not that many, and it did not
 * act.
 */
static inline bool step_run(void (*fn)(void), bool (*is_due)(void),
                            void (*act)(void), unsigned int skip)
{
    struct sigaction on_trap = { .sa_flags = SA_SIGINFO };

    on_trap.sa_sigaction = step_trap;
    sigaction(SIGTRAP, &on_trap, NULL);
    step_at.is_due = is_due;
    step_at.act = act;
    step_at.skip = skip;
    step_at.is_done = false;
    step_at.last = NULL;
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64()
                                   | STEP_TRAP_FLAG);
    fn();
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64()
                                   & ~STEP_TRAP_FLAG);
    return step_at.is_done;
}

static inline void step_stand(void)
{
    __atomic_store_n(&step_held.is_standing, true, __ATOMIC_SEQ_CST);
    while (!__atomic_load_n(&step_held.may_go, __ATOMIC_SEQ_CST)) {
        sched_yield();
    }
}

static inline void *step_held_thread(void *unused)
{
    (void)unused;
    machine_set_cpu(1);
    (void)step_run(step_held.fn, step_held.is_due, step_stand, 0);
    __atomic_store_n(&step_held.is_over, true, __ATOMIC_SEQ_CST);
    return NULL;
}

/* Runs 'fn' on CPU 1 until something is due.  False: nothing was. */
static inline bool step_hold(void (*fn)(void), bool (*is_due)(void))
{
    step_held.fn = fn;
    step_held.is_due = is_due;
    step_held.is_standing = step_held.may_go = step_held.is_over = false;
    if (pthread_create(&step_held.thread, NULL, step_held_thread, NULL) != 0) {
        return false;
    }
    while (!__atomic_load_n(&step_held.is_standing, __ATOMIC_SEQ_CST)
           && !__atomic_load_n(&step_held.is_over, __ATOMIC_SEQ_CST)) {
        sched_yield();
    }
    return __atomic_load_n(&step_held.is_standing, __ATOMIC_SEQ_CST);
}

static inline void step_release(void)
{
    __atomic_store_n(&step_held.may_go, true, __ATOMIC_SEQ_CST);
    pthread_join(step_held.thread, NULL);
}

#endif
