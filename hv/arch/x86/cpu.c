/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a CPU needs of its own: descriptor tables, stacks, GS.
 * Talks to trap.c.
 * 1. cpus[0] is static: the boot CPU has it before there is memory.
 */
#include "core/arch.h"
#include "core/page_alloc.h"
#include "cpu.h"
#include "insn.h"
#include "layout.h"
#include "lib/string.h"
#include "trap.h"

#define MSR_EFER 0xc0000080
#define EFER_SCE 0x001
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102
#define CR4_BITS 0x6a0u         /* PAE, PGE, OSFXSR, OSXMMEXCPT */
#define CR4_OSXSAVE (1u << 18)
#define CPUID_1_ECX_XSAVE (1u << 26)
#define STACK_ORDER 3
#define IST_SIZE 8192u

_Static_assert(CPU_STACK_SIZE == PAGE_SIZE << STACK_ORDER, "stack");

static struct cpu boot_cpu;
struct cpu *cpus[CPU_MAX] = { &boot_cpu };

/* Stacks for NMI, double fault, machine check of the boot CPU. */
static char boot_ist[3][IST_SIZE] __attribute__((aligned(16)));

unsigned int arch_cpu_id(void)
{
    return this_cpu()->id;
}

struct vcpu *arch_current(void)
{
    return this_cpu()->current;
}

void arch_set_current(struct vcpu *v)
{
    this_cpu()->current = v;
}

uint32_t arch_cpu_apic_id(unsigned int cpu)
{
    return cpus[cpu]->apic_id;
}

struct lock_track *lock_track(void)
{
    return &this_cpu()->locks;
}

static void fill_descriptors(struct cpu *cpu)
{
    uintptr_t tss = (uintptr_t)&cpu->tss;

    cpu->gdt[1] = 0x00af9b000000ffffull;
    cpu->gdt[2] = 0x00cf93000000ffffull;
    cpu->gdt[3] = (sizeof(cpu->tss) - 1) | (tss & 0xffffff) << 16
                  | 0x89ull << 40 | (tss >> 24 & 0xff) << 56;
    cpu->gdt[4] = tss >> 32;
    cpu->tss.io_map = sizeof(cpu->tss);
}

static void load_descriptors(struct cpu *cpu)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = {
        sizeof(cpu->gdt) - 1, (uintptr_t)cpu->gdt
    };

    __asm__ volatile("lgdt %0\n\t"
                     "mov %w1, %%ds\n\t"
                     "mov %w1, %%es\n\t"
                     "mov %w1, %%ss\n\t"
                     "mov %w2, %%fs\n\t"
                     "mov %w2, %%gs\n\t"
                     "ltr %w3"
                     :: "m" (pointer), "r" (SELECTOR_DATA), "r" (0),
                        "r" (SELECTOR_TSS) : "memory");
}

static void init_control(void)
{
    uint64_t cr4 = CR4_BITS;

    if (cpuid(1, 0).ecx & CPUID_1_ECX_XSAVE) {
        cr4 |= CR4_OSXSAVE;
    }
    write_cr4(cr4);
    wrmsr(MSR_EFER, rdmsr(MSR_EFER) | EFER_SCE);
    wrmsr(MSR_KERNEL_GS_BASE, 0);
}

void cpu_init(struct cpu *cpu)
{
    cpu->self = cpu;
    if (cpu == &boot_cpu) {
        for (int i = 0; i < 3; i++) {
            cpu->tss.ist[i] = (uintptr_t)boot_ist[i] + IST_SIZE;
        }
    }
    fill_descriptors(cpu);
    load_descriptors(cpu);
    wrmsr(MSR_GS_BASE, (uintptr_t)cpu);
    trap_load();
    init_control();
}

struct cpu *cpu_alloc(unsigned int id, uint32_t apic_id)
{
    struct cpu *cpu = page_alloc_core(0);
    char *stack = page_alloc_core(STACK_ORDER);
    char *ist = page_alloc_core(STACK_ORDER);

    _Static_assert(sizeof(*cpu) <= PAGE_SIZE, "struct cpu");
    if (cpu == NULL || stack == NULL || ist == NULL) {
        return NULL;
    }
    cpu->id = id;
    cpu->apic_id = apic_id;
    cpu->stack_top = stack + CPU_STACK_SIZE;
    for (int i = 0; i < 3; i++) {
        cpu->tss.ist[i] = (uintptr_t)ist + (size_t)(i + 1) * IST_SIZE;
    }
    return cpu;
}
