/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who handles which vector of the machine. Talks to apic.c.
 * 1. A handler runs with IF clear and does not nest.
 * 2. handler is written before the vector is given out, cleared when freed.
 */
#include "apic.h"
#include "core/console.h"
#include "core/lock.h"
#include "cpu.h"
#include "irq.h"
#include "lib/errno.h"
#include "lib/spinlock.h"

#define APIC_ID_MAX 0xfeu       /* all ones are all CPUs */

static struct {
    void (*handler)(void *arg); /* [a] */
    void *arg;
} vectors[256];                 /* irq_lock */

static spinlock_t irq_lock = SPINLOCK_INIT(LOCK_RANK_IRQ);

int irq_alloc_vector(void (*handler)(void *arg), void *arg)
{
    int found = -ENOSPC;

    spin_lock_nested(&irq_lock);
    for (unsigned int i = VECTOR_DEVICE_FIRST; i <= VECTOR_DEVICE_LAST; i++) {
        if (vectors[i].handler == NULL) {
            vectors[i].arg = arg;
            __atomic_store_n(&vectors[i].handler, handler,
                             __ATOMIC_RELEASE);
            found = (int)i;
            break;
        }
    }
    spin_unlock(&irq_lock);
    return found;
}

void irq_free_vector(unsigned int vector)
{
    spin_lock_nested(&irq_lock);
    __atomic_store_n(&vectors[vector & 0xff].handler, NULL, __ATOMIC_RELEASE);
    spin_unlock(&irq_lock);
}

uint32_t irq_target(unsigned int cpu)
{
    uint32_t id = cpus[cpu]->apic_id;

    return id <= APIC_ID_MAX ? id : cpus[0]->apic_id;
}

static void dispatch_device(unsigned int vector)
{
    void (*handler)(void *arg) = __atomic_load_n(&vectors[vector].handler,
                                                 __ATOMIC_ACQUIRE);

    if (handler != NULL) {
        handler(vectors[vector].arg);
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
