/* SPDX-License-Identifier: GPL-2.0-only */
/* Single reads and writes of shared words, barriers, pause. */
#ifndef LIB_ATOMIC_H
#define LIB_ATOMIC_H

/* Relaxed atomics, so that thread sanitizers know that they are meant. */
#define READ_ONCE(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define WRITE_ONCE(x, value) __atomic_store_n(&(x), value, __ATOMIC_RELAXED)

/* Keeps the compiler from moving memory accesses across it. */
static inline void barrier(void)
{
    __asm__ volatile("" ::: "memory");
}

/* Full barrier, for both loads and stores. */
static inline void memory_barrier(void)
{
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/*
 * Tells the CPU that this is a wait loop.  On the host, where a CPU is a
 * thread, who is waited for may need this processor to go on.
 */
#if __STDC_HOSTED__
#include <sched.h>
static inline void cpu_relax(void)
{
    (void)sched_yield();
}
#else
static inline void cpu_relax(void)
{
    __asm__ volatile("pause" ::: "memory");
}
#endif

#endif
