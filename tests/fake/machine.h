/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine for host tests of hv/core: implements core/arch.h on plain
 * memory.  It is the stricter machine: a guest copy with a lock held, a frame
 * outside RAM, or a flush of what it does not know end the process.
 *
 * A thread is a CPU (machine_set_cpu()); the main thread is CPU 0.
 */
#ifndef TESTS_FAKE_MACHINE_H
#define TESTS_FAKE_MACHINE_H

#include "core/arch.h"
#include "core/domain.h"
#include "core/types.h"
#include "core/vcpu.h"

/* The machine's part of a vcpu. */
struct arch_vcpu {
    uint64_t arg[6];            /* hypercall argument registers */
    unsigned int upcalls;       /* arch_vcpu_upcall() calls */
    unsigned int vector;        /* arch_vcpu_set_upcall_vector() */
    unsigned int nmis;
    bool has_pending;           /* answer of arch_vcpu_has_pending() */
    unsigned int on_cpu;        /* [a] CPU + 1 that has its state, 0: none */
    bool is_masked;             /* IF is 0 */
    bool is_between;            /* answer of arch_vcpu_is_between() */
    uint64_t rax;               /* all of a context or HVM record */
    uint64_t sysenter;          /* all of an extended context */
    uint64_t space;             /* answer of arch_vcpu_space() */
    struct pv_vcpu *pv;         /* a test's of hv/arch/x86/hvm/pv_memory.c */
};

#define MACHINE_PV_PINS 16u
/* All that arch_xstate_max() says of components. */
#define FAKE_XSTATE 3u

struct arch_domain {
    uint64_t callback;
    /* What arch_pv_pin() was told. */
    struct machine_pin { uint64_t gfn; unsigned int level; }
        pin[MACHINE_PV_PINS];
    xen_domain_handle_t told_handle;
    unsigned int flushes;       /* arch_p2m_flush() calls */
    uint64_t grown;             /* by arch_pv_grow(): pages */
    struct frame *m2p_page;     /* of machine_make_own_m2p() */
    uint64_t m2p_index;
    uint32_t m2p_pages;         /* how often that was called */
    struct pv_domain *pv;       /* a test's of hv/arch/x86/hvm/pv_memory.c */
};

/*
 * Power on with 'frames' of RAM, of which the first 'kept' are not given to
 * the allocator (a direct-mapped dom0's), and 'cpus'.  May be called again.
 */
void machine_start(uint64_t frames, uint64_t kept, unsigned int cpus);
/* The calling thread is this CPU from now on. */
void machine_set_cpu(unsigned int cpu);
/* The clock stands still but for this. */
void machine_set_time(uint64_t ns);
/* Or each look at it takes so long; 0: it stands still. */
void machine_step_time(uint64_t ns);

/*
 * From now on guest copies reach only this memory of the test, -EFAULT
 * elsewhere; size 0: everything but the first page.
 */
void machine_set_window(const void *start, size_t size);
/* The next 'count' guest copies work, the one after fails (-1: none). */
void machine_fail_copy_after(int count);

/*
 * A TLB of 'd' for gfns [first, first + count), as bad as a TLB may be: it
 * loads all that the p2m says at machine_tlb_load() and again right after a
 * flush, and keeps that until arch_p2m_flush() of 'd'.  A frame that becomes
 * free while it still leads there ends the process.  At most 4; 'd' ends its
 * own.
 */
void machine_tlb_watch(struct domain *d, uint64_t first, uint64_t count);
void machine_tlb_load(void);
/* Ends the process if a translation differs from the p2m. */
void machine_tlb_check(void);
/*
 * A guest's access through it, to the first word of the page: false if
 * nothing is there.
 */
bool machine_tlb_write(struct domain *d, uint64_t g, uint64_t value);
bool machine_tlb_read(struct domain *d, uint64_t g, uint64_t *value);

/* Domains that arch_domain_destroy() has not seen. */
unsigned int machine_domains(void);

/* The frame behind every page of the M2P; it has an owner. */
void machine_give_m2p(mfn_t m);
/* Page 'index' of it is d's own from now on, and goes with 'd'. */
struct frame *machine_make_own_m2p(struct domain *d, uint64_t index);
/* A PV guest's own numbers are its frames', but for these bits. */
extern uint64_t machine_pv_moved;
/* In how many parts more arch_pv_grow() grows, and what it answers then. */
extern unsigned int machine_pv_parts;
extern int machine_pv_error;

/* What was written to the UART since the last call. */
const char *machine_console(void);
/* arch_machine_shutdown() calls this, and then ends the process. */
extern void (*machine_on_shutdown)(unsigned int how);

/* Told of arch_cpu_kick() and arch_timer_program(); NULL: nobody is. */
extern void (*machine_on_kick)(unsigned int cpu);
extern void (*machine_on_program)(unsigned int cpu, uint64_t deadline);
/* Told while 'v' leaves this CPU, as other CPUs may act then; NULL: nobody. */
extern void (*machine_on_leave)(struct vcpu *v);

/* tests/fake/sched.c: 'v' is what this CPU runs; NULL: nothing. */
void machine_run(struct vcpu *v);
/* There too: told of sched_wake(); NULL: nobody is. */
extern void (*machine_on_wake)(struct vcpu *v);

#endif
