/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who handles which vector of the machine. Talks to apic.c.
 * 1. A handler runs with IF clear and does not nest.
 * 2. A vector's action is one pointer, so that handler and argument are of
 *    one owner whenever they are read.
 * 3. Vectors are given out in turn: one that was given back rests longest,
 *    for an interrupt that is still under way comes to nobody else.
 */
#include "apic.h"
#include "core/console.h"
#include "core/lock.h"
#include "cpu.h"
#include "irq.h"
#include "lib/errno.h"
#include "lib/spinlock.h"

#define APIC_ID_MAX 0xfeu       /* all ones are all CPUs */

#define VECTOR_COUNT (VECTOR_DEVICE_LAST - VECTOR_DEVICE_FIRST + 1)

static const struct irq_action *actions[256];   /* [a] written by irq_lock */
static unsigned int next_vector;    /* irq_lock: from VECTOR_DEVICE_FIRST */

static spinlock_t irq_lock = SPINLOCK_INIT(LOCK_RANK_IRQ);

int irq_alloc_vector(const struct irq_action *action)
{
    int found = -ENOSPC;

    spin_lock_nested(&irq_lock);
    for (unsigned int i = 0; i < VECTOR_COUNT && found < 0; i++) {
        unsigned int vector = VECTOR_DEVICE_FIRST + next_vector;

        next_vector = (next_vector + 1) % VECTOR_COUNT;
        if (actions[vector] == NULL) {
            __atomic_store_n(&actions[vector], action, __ATOMIC_RELEASE);
            found = (int)vector;
        }
    }
    spin_unlock(&irq_lock);
    return found;
}

void irq_free_vector(unsigned int vector)
{
    spin_lock_nested(&irq_lock);
    __atomic_store_n(&actions[vector & 0xff], NULL, __ATOMIC_RELEASE);
    spin_unlock(&irq_lock);
}

uint32_t irq_target(unsigned int cpu)
{
    uint32_t id = cpus[cpu]->apic_id;

    return id <= APIC_ID_MAX ? id : cpus[0]->apic_id;
}

static void dispatch_device(unsigned int vector)
{
    const struct irq_action *action = __atomic_load_n(&actions[vector],
                                                      __ATOMIC_ACQUIRE);

    if (action != NULL) {
        action->handler(action->arg);
    }
}

void irq_dispatch(unsigned int vector)
{
    if (vector == VECTOR_SPURIOUS) {
        return;
    }
    this_cpu()->has_work = true;
    switch (vector) {
    case VECTOR_TIMER:
        this_cpu()->timer_deadline = 0;
        break;
    case VECTOR_KICK:
        break;
    case VECTOR_APIC_ERROR:
        console_log(LOG_WARNING, "CPU %u: APIC error %x", this_cpu()->id,
                    apic_error());
        break;
    default:
        dispatch_device(vector);
        break;
    }
    apic_eoi();
}

void irq_window(void)
{
    __asm__ volatile("sti; nop; nop; cli" ::: "memory");
}
