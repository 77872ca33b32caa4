/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Starts the modules of core in the order in which they need each other.
 * The machine has given memory to page_alloc.c before, and its CPUs are
 * counted; dom0 is made after.
 */
#include "core/main.h"

#include "core/console.h"
#include "core/domain.h"
#include "core/kmem.h"
#include "core/page_alloc.h"
#include "core/sched.h"
#include "core/timer.h"

void core_init(unsigned int cpus)
{
    page_alloc_init_caches(cpus);
    kmem_init();
    if (timer_init_cpus(cpus) != 0 || sched_init(cpus) != 0) {
        panic("no memory for the timers and run queues of %u CPUs", cpus);
    }
    domain_module_init();
}
