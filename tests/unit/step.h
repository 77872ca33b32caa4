/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What another CPU may do between two instructions of this one: a function is
 * run by single steps (x86's trap flag), and at one of them CPU 1 of the fake
 * machine acts.  A test that goes through all of them has seen every way in
 * which the two can meet, apart from the stores that CPUs delay.
 *
 * Include it first: it needs _GNU_SOURCE.
 */
#ifndef TESTS_UNIT_STEP_H
#define TESTS_UNIT_STEP_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE             /* REG_EFL */
#endif

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <ucontext.h>

#include "fake/machine.h"

#define STEP_TRAP_FLAG 0x100ull

static struct {
    bool (*is_due)(void);       /* may it act here?  NULL: anywhere */
    void (*act)(void);
    unsigned int skip;          /* so often it does not yet */
    bool is_done;
} step_other;

static inline void step_trap(int number, siginfo_t *info, void *context)
{
    ucontext_t *at = context;

    (void)number;
    (void)info;
    if (!step_other.is_done
        && (step_other.is_due == NULL || step_other.is_due())
        && step_other.skip-- == 0) {
        machine_set_cpu(1);
        step_other.act();
        machine_set_cpu(0);
        step_other.is_done = true;
    }
    if (step_other.is_done) {
        at->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)STEP_TRAP_FLAG;
    }
}

/*
 * Runs 'fn' on CPU 0, with CPU 1 acting before the skip-th of the instructions
 * where it may.  False: there are not that many, and it did not act.
 */
static inline bool step_run(void (*fn)(void), bool (*is_due)(void),
                            void (*act)(void), unsigned int skip)
{
    struct sigaction on_trap = { .sa_flags = SA_SIGINFO };

    on_trap.sa_sigaction = step_trap;
    sigaction(SIGTRAP, &on_trap, NULL);
    step_other.is_due = is_due;
    step_other.act = act;
    step_other.skip = skip;
    step_other.is_done = false;
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64()
                                   | STEP_TRAP_FLAG);
    fn();
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64()
                                   & ~STEP_TRAP_FLAG);
    return step_other.is_done;
}

#endif
