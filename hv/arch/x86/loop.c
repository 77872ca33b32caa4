/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a CPU does for ever: timers, a vcpu chosen, its guest entered until
 * there is other work. Talks to core/sched, core/timer, hvm, irq.
 *
 *   timers -> sched_pick -+-> prepare, enter, exit handled --.
 *     ^                   |        ^---- no other work <-----+
 *     |                   '-> idle (sti; hlt)                |
 *     '----------------------------------- has_work, blocked-'
 *
 * 1. has_work is set by every interrupt and kick and cleared before the
 *    timers and the scheduler look, so none is lost.
 */
#include "core/sched.h"
#include "core/timer.h"
#include "core/vcpu.h"
#include "cpu.h"
#include "hvm/hvm.h"

/* Waits for an interrupt unless one came since has_work was cleared. */
static void idle(struct cpu *cpu)
{
    if (!cpu->has_work) {
        /* sti holds interrupts off until after hlt began. */
        __asm__ volatile("sti; hlt; cli" ::: "memory");
    }
}

void cpu_loop(void)
{
    struct cpu *cpu = this_cpu();

    for (;;) {
        struct vcpu *v;

        cpu->has_work = false;
        timer_run();
        v = sched_pick();
        if (v == NULL) {
            idle(cpu);
            continue;
        }
        do {
            if (!hvm_prepare_entry(v)) {
                break;
            }
            hvm_ops->enter(v);
        } while (!cpu->has_work && vcpu_is_runnable(v));
    }
}
