/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Starts CPUs one after the other with INIT and start-up IPIs (MP
 * specification, B.4). Talks to apic.c, boot/head.S, cpu.c.
 * 1. ap_stack belongs to one starting CPU at a time.
 */
#include "acpi.h"
#include "apic.h"
#include "boot/boot.h"
#include "core/arch.h"
#include "core/console.h"
#include "core/perfc.h"
#include "cpu.h"
#include "insn.h"
#include "irq.h"
#include "layout.h"
#include "lib/atomic.h"
#include "lib/string.h"
#include "mmu.h"
#include "smp.h"
#include "svm/svm.h"
#include "time.h"

#define ONLINE_WAIT_MS 1000

extern const char trampoline_start[], trampoline_end[];
extern uint64_t ap_stack, ap_cr3;

static unsigned int cpu_count = 1;
static struct cpu *starting;
static bool is_released;        /* [a] the others may enter their loops */

unsigned int arch_cpu_count(void)
{
    return cpu_count;
}

void arch_cpu_kick(unsigned int id)
{
    if (id == this_cpu()->id) {
        this_cpu()->has_work = true;
    } else if (id < cpu_count) {
        perfc_count(PERFC_KICK);
        apic_send_ipi(cpus[id]->apic_id, VECTOR_KICK);
    }
}

/* From head.S, on the new CPU's own stack. */
_Noreturn void start_ap(void);
void start_ap(void)
{
    struct cpu *cpu = starting;

    cpu_init(cpu);
    apic_init_cpu();
    svm_init_cpu(cpu);
    __atomic_store_n(&cpu->is_online, true, __ATOMIC_RELEASE);
    while (!__atomic_load_n(&is_released, __ATOMIC_ACQUIRE)) {
        cpu_relax();
    }
    write_cr3(mmu_root());
    cpu_loop();
}

void smp_release(void)
{
    mmu_drop_identity();
    __atomic_store_n(&is_released, true, __ATOMIC_RELEASE);
}

static bool start_cpu(struct cpu *cpu)
{
    starting = cpu;
    ap_stack = (uintptr_t)cpu->stack_top;
    apic_send_init(cpu->apic_id);
    time_delay_us(10000);
    for (int i = 0; i < 2; i++) {
        apic_send_startup(cpu->apic_id, TRAMPOLINE_BASE >> PAGE_SHIFT);
        time_delay_us(200);
        if (__atomic_load_n(&cpu->is_online, __ATOMIC_ACQUIRE)) {
            return true;
        }
    }
    for (int i = 0; i < ONLINE_WAIT_MS; i++) {
        if (__atomic_load_n(&cpu->is_online, __ATOMIC_ACQUIRE)) {
            return true;
        }
        time_delay_us(1000);
    }
    return false;
}

void smp_start(void)
{
    uint32_t self = apic_id();

    ap_cr3 = mmu_root();
    memcpy(mmu_direct(TRAMPOLINE_BASE), trampoline_start,
           (size_t)(trampoline_end - trampoline_start));
    for (unsigned int i = 0; i < acpi_facts.cpu_count; i++) {
        struct cpu *cpu;

        if (acpi_facts.cpu_apic_id[i] == self || cpu_count == CPU_MAX) {
            continue;
        }
        cpu = cpu_alloc(cpu_count, acpi_facts.cpu_apic_id[i]);
        if (cpu == NULL || !start_cpu(cpu)) {
            console_log(LOG_ERROR, "CPU with APIC id %u did not start",
                        acpi_facts.cpu_apic_id[i]);
            continue;
        }
        cpus[cpu_count] = cpu;
        __atomic_store_n(&cpu_count, cpu_count + 1, __ATOMIC_RELEASE);
    }
    console_log(LOG_INFO, "%u CPUs online", cpu_count);
}
