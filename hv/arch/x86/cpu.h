/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What each physical CPU has of its own; GS points at it.
 * Members are written by their own CPU unless a tag says otherwise.
 */
#ifndef X86_CPU_H
#define X86_CPU_H

#include "core/types.h"
#include "lib/spinlock.h"
#include "nmi.h"

#define CPU_MAX 4096u

struct tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7];
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_map;
} __attribute__((packed));

struct cpu {
    struct cpu *self;           /* [I] at GS:0 */
    unsigned int id;            /* [I] 0 .. arch_cpu_count() - 1 */
    uint32_t apic_id;           /* [I] */
    bool is_online;             /* [a] */
    char *stack_top;            /* [I] */
    /*
     * The domain whose guest mode this CPU is in or about to enter, NULL
     * else; entries counts the entries. Others read both [a].
     */
    struct domain *guest_domain;
    uint64_t entries;
    struct vcpu *current;       /* arch_current() */
    /* The loop must look at more than 'current': see loop.c. */
    bool has_work;
    struct lock_track locks;
    struct nmi_record nmi;
    uint64_t timer_deadline;    /* what the timer is armed for, 0: not */
    uint64_t gdt[5];
    struct tss tss;
    /* The vendor half's. */
    mfn_t host_save;            /* [I] VM_HSAVE_PA */
    uint64_t host_vmcb_phys;    /* [I] host FS, GS, TR.. between runs */
    uint32_t asid_next;
    uint64_t asid_generation;
    /* Whose FPU state this CPU still has. [a] */
    struct vcpu *loaded;
    const struct domain *predictor_domain; /* predictor.c [a] */
};

/* By number; NULL beyond the last. [I] after boot */
extern struct cpu *cpus[CPU_MAX];

static inline struct cpu *this_cpu(void)
{
    struct cpu *cpu;

    __asm__("mov %%gs:0, %0" : "=r" (cpu));
    return cpu;
}

/* Makes the running CPU cpus[id]: GDT, TSS, IDT, GS, control registers. */
void cpu_init(struct cpu *cpu);
/* Memory for a further CPU: NULL when memory is out. */
struct cpu *cpu_alloc(unsigned int id, uint32_t apic_id);
/* Runs vcpus for ever. */
_Noreturn void cpu_loop(void);

#endif
