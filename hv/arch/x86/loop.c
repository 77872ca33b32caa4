/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a CPU does for ever: timers, a vcpu chosen, its guest entered until
 * there is other work. Talks to core/sched, core/timer, hvm, irq.
 *
 *   timers, domains to free, sched_pick -+-> enter, until there is work -.
 *     ^                                  '-> idle                        |
 *     '------------------------------------------------------------------'
 *
 * 1. has_work is set by every interrupt and kick, this CPU's own kicks
 *    too, and cleared before the timers and the scheduler look, so none is
 *    lost.  All that makes another vcpu the one to run ends in a kick
 *    (sched.c's ask(), domain.c's list_dead()) or comes from a timer, so
 *    after an exit without one the same goes on.
 * 2. Interrupts are off from that look to VMRUN: one that comes after the
 *    look, another CPU's kick, is pending there and ends the guest's run.
 */
#include "core/domain.h"
#include "core/sched.h"
#include "core/timer.h"
#include "core/vcpu.h"
#include "cpu.h"
#include "hvm/hvm.h"
#include "lib/atomic.h"
#include "nmi.h"

/* Waits for an interrupt unless one came since has_work was cleared. */
static void idle(struct cpu *cpu)
{
    if (!cpu->has_work) {
        /* sti holds interrupts off until after hlt began. */
        __asm__ volatile("sti; hlt; cli" ::: "memory");
    }
}

/* All that an interrupt or a kick may have been for, and who runs next. */
static struct vcpu *look(struct cpu *cpu)
{
    if (cpu->has_work) {
        cpu->has_work = false;
        nmi_report(&cpu->nmi, cpu->id);
        timer_run();
    }
    domain_reap();
    return sched_pick();
}

void cpu_loop(void)
{
    struct cpu *cpu = this_cpu();

    for (;;) {
        struct vcpu *v = look(cpu);

        if (v == NULL) {
            idle(cpu);
        } else {
            memory_barrier();   /* is_running before the look at events */
            hvm_ops->enter(v);
        }
    }
}
