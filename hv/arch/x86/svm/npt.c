/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Nested page table entries (APM vol. 2, 15.25) and what keeps the TLBs
 * right: address space identifiers and the flush of a domain.
 *
 * A flush and an entry meet like this (both sides have a full barrier):
 *   flusher: generation++ (p2m.c); barrier; read guest_domain of each CPU
 *   enterer: guest_domain = d; barrier; read generation; VMRUN
 *            ...; #VMEXIT; entries++; guest_domain = NULL
 * So the enterer sees the new generation, or the flusher sees the enterer
 * and waits until its entry count or domain has changed.
 * 1. An ASID is used with one CPU and one of its generations; a new one has
 *    no TLB entries, so taking a new one is the flush.
 */
#include "core/p2m.h"
#include "core/perfc.h"
#include "hvm/pv.h"
#include "insn.h"
#include "lib/atomic.h"
#include "svm/svm.h"

#define NPT_PRESENT 0x001ull
#define NPT_WRITE 0x002ull
#define NPT_USER 0x004ull
#define NPT_ACCESSED 0x020ull
#define NPT_DIRTY 0x040ull
#define NPT_LARGE 0x080ull
#define NPT_ADDRESS 0x000ffffffffff000ull
#define NPT_TYPE_SHIFT 9        /* bits 9-11: the type's low three bits */
#define NPT_TYPE_HIGH_SHIFT 52  /* bit 52: its fourth */

uint64_t arch_p2m_leaf(mfn_t m, unsigned int level, unsigned int type)
{
    uint64_t entry = m.v << PAGE_SHIFT | NPT_PRESENT | NPT_USER
                     | NPT_ACCESSED | NPT_DIRTY
                     | (uint64_t)(type & 7) << NPT_TYPE_SHIFT
                     | (uint64_t)(type >> 3) << NPT_TYPE_HIGH_SHIFT;

    if (type == P2M_INVALID) {
        return 0;
    }
    if (type != P2M_RAM_RO && type != P2M_FOREIGN_RO
        && type != P2M_GRANT_RO) {
        entry |= NPT_WRITE;
    }
    return level > 1 ? entry | NPT_LARGE : entry;
}

uint64_t arch_p2m_table(mfn_t m)
{
    return m.v << PAGE_SHIFT | NPT_PRESENT | NPT_WRITE | NPT_USER
           | NPT_ACCESSED;
}

bool arch_p2m_is_present(uint64_t entry)
{
    return entry & NPT_PRESENT;
}

bool arch_p2m_is_leaf(uint64_t entry, unsigned int level)
{
    return (entry & NPT_PRESENT) && (level == 1 || (entry & NPT_LARGE));
}

mfn_t arch_p2m_mfn(uint64_t entry)
{
    return mfn((entry & NPT_ADDRESS) >> PAGE_SHIFT);
}

unsigned int arch_p2m_type(uint64_t entry)
{
    return (unsigned int)((entry >> NPT_TYPE_SHIFT & 7)
                          | (entry >> NPT_TYPE_HIGH_SHIFT & 1) << 3);
}

unsigned int arch_p2m_max_leaf(void)
{
    return cpuid(0x80000001, 0).edx >> 26 & 1 ? 3 : 2;
}

void arch_p2m_flush(struct domain *d)
{
    struct cpu *self = this_cpu();

    perfc_count(PERFC_TLB_SHOOTDOWN);
    memory_barrier();
    for (unsigned int i = 0; i < arch_cpu_count(); i++) {
        struct cpu *cpu = cpus[i];
        uint64_t entries = __atomic_load_n(&cpu->entries, __ATOMIC_ACQUIRE);

        if (cpu == self
            || __atomic_load_n(&cpu->guest_domain, __ATOMIC_ACQUIRE) != d) {
            continue;
        }
        arch_cpu_kick(i);
        while (__atomic_load_n(&cpu->guest_domain, __ATOMIC_ACQUIRE) == d
               && __atomic_load_n(&cpu->entries, __ATOMIC_ACQUIRE)
                  == entries) {
            cpu_relax();
        }
    }
}

static void take_asid(struct svm_vcpu *s, struct cpu *cpu)
{
    if (cpu->asid_next >= svm_features.asids) {
        cpu->asid_generation++;
        cpu->asid_next = 1;
        s->vmcb->tlb_control = VMCB_FLUSH_ALL;
    }
    s->vmcb->asid = cpu->asid_next++;
    s->asid_cpu = cpu;
    s->asid_generation = cpu->asid_generation;
}

void svm_asid_prepare(struct vcpu *v, struct svm_vcpu *s, struct cpu *cpu)
{
    uint64_t generation = p2m_flush_generation(v->domain);

    s->vmcb->tlb_control = 0;
    if (s->asid_cpu != cpu || s->asid_generation != cpu->asid_generation
        || s->flushed != generation || pv_take_flush(v)) {
        s->flushed = generation;
        take_asid(s, cpu);
    }
}
