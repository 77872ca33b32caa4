/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a CPU does for ever: timers, a vcpu chosen, its guest entered until
 * there is other work. Talks to core/sched, core/timer, hvm, irq.
 *
 *   timers, if there was an interrupt -> sched_pick -+-> prepare, enter -.
 *     ^                                               '-> idle          |
 *     '-----------------------------------------------------------------'
 *
 * 1. has_work is set by every interrupt and kick, this CPU's own kicks
 *    too, and cleared before the timers and the scheduler look, so none is
 *    lost.
 */
#include "core/domain.h"
#include "core/sched.h"
#include "core/timer.h"
#include "core/vcpu.h"
#include "cpu.h"
#include "hvm/hvm.h"
#include "nmi.h"

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

        if (cpu->has_work) {
            cpu->has_work = false;
            nmi_report(&cpu->nmi, cpu->id);
            timer_run();
        }
        domain_reap();
        v = sched_pick();
        if (v == NULL) {
            idle(cpu);
        } else if (hvm_prepare_entry(v)) {
            hvm_ops->enter(v);
        }
    }
}
