/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Performance counters, read with the stock tool xenperf.  Each CPU counts
 * in its own array; a reader sums without a lock and may be a little behind.
 *
 * A backend with windows copies without the hypervisor.  Over any stretch of
 * traffic (xenperf -r, wait, xenperf) that is to be seen: "grant copies",
 * "grant maps" and, of "hypercalls by number", memory_op (12) and
 * grant_table_op (20) stay where they were; "event channel sends" is what
 * notifications cost.  "window entries repointed" counts how often a guest's
 * memory changed under a window.
 *
 * From the first xenperf -r on the time of each hypercall is taken: how long
 * one held its CPU at most (from its exit to its end, or to where it lets
 * others go first), in ns, with the first argument of that one.
 */
#ifndef CORE_PERFC_H
#define CORE_PERFC_H

#include "core/arch.h"
#include "core/types.h"

#define PERFC_MAX_CPUS 4096u
#define PERFC_HYPERCALLS 64u

/* id, the name that xenperf prints */
#define PERFC_LIST(X) \
    X(EXIT_INTERRUPT, "exits for host interrupts") \
    X(EXIT_HYPERCALL, "exits for hypercalls") \
    X(EXIT_HLT, "exits for hlt") \
    X(EXIT_IO, "exits for port I/O") \
    X(EXIT_MSR, "exits for MSRs") \
    X(EXIT_CPUID, "exits for cpuid") \
    X(EXIT_NPF, "exits for nested page faults") \
    X(EXIT_WINDOW, "exits for interrupt windows") \
    X(EXIT_OTHER, "exits for other reasons") \
    X(MULTICALL_ENTRY, "multicall entries") \
    X(EVTCHN_SEND, "event channel sends") \
    X(GRANT_COPY, "grant copies") \
    X(GRANT_MAP, "grant maps") \
    X(WINDOW_MAP, "window chunks mapped") \
    X(WINDOW_UNMAP, "window chunks unmapped") \
    X(WINDOW_REPOINT, "window entries repointed") \
    X(CONTEXT_SWITCH, "vcpu switches") \
    X(TLB_SHOOTDOWN, "nested table flushes") \
    X(KICK, "interrupts between CPUs") \
    X(KMEM_FRAME, "frames taken by the small-object pool") \
    X(TABLE_FRAME, "frames taken by nested tables and window indexes") \
    X(TABLE_FRAME_BACK, "frames given back by them")

enum perfc_id {
#define PERFC_ID(id, name) PERFC_##id,
    PERFC_LIST(PERFC_ID)
#undef PERFC_ID
    PERFC_COUNT
};

struct perfc_cpu {
    uint32_t counter[PERFC_COUNT];              /* [o] */
    uint32_t hypercall[PERFC_HYPERCALLS];       /* [o] by number */
    uint32_t longest[PERFC_HYPERCALLS];         /* [o] ns */
    uint32_t longest_arg[PERFC_HYPERCALLS];     /* [o] */
} __attribute__((aligned(1024)));       /* a CPU's is found by a shift */

extern struct perfc_cpu perfc_cpu[PERFC_MAX_CPUS];
extern bool perfc_takes_times;                  /* [a] */

/* Counts one event on this CPU. */
static inline void perfc_count(enum perfc_id id)
{
    perfc_cpu[arch_cpu_id()].counter[id]++;
}

static inline void perfc_add(enum perfc_id id, uint32_t count)
{
    perfc_cpu[arch_cpu_id()].counter[id] += count;
}

static inline void perfc_count_hypercall(uint64_t nr)
{
    if (nr < PERFC_HYPERCALLS) {
        perfc_cpu[arch_cpu_id()].hypercall[nr]++;
    }
}

/* When a hypercall began; 0: nobody wants to know. */
static inline uint64_t perfc_begin(void)
{
    return __atomic_load_n(&perfc_takes_times, __ATOMIC_RELAXED) ?
           arch_time_now() : 0;
}

/* It let go of the CPU: 'begin' is not 0. */
void perfc_end(uint64_t begin, uint64_t nr, uint64_t arg);

/* XEN_SYSCTL_perfc_op on a local copy: 0, -EFAULT, -EINVAL. */
int perfc_op(struct xen_sysctl_perfc_op *op);

#endif
