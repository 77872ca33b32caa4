/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The local APIC. Talks to mmu.c for the register page.
 * 1. All CPUs are in the same mode, chosen once at boot.
 */
#include "apic.h"
#include "core/console.h"
#include "core/types.h"
#include "insn.h"
#include "irq.h"
#include "lib/atomic.h"
#include "mmu.h"

#define MSR_APIC_BASE 0x1b
#define APIC_BASE_ENABLE (1u << 11)
#define APIC_BASE_X2APIC (1u << 10)
#define MSR_X2APIC 0x800

#define REG_ID 0x20
#define REG_TPR 0x80
#define REG_EOI 0xb0
#define REG_SPURIOUS 0xf0
#define REG_ERROR 0x280
#define REG_ICR 0x300
#define REG_ICR_HIGH 0x310
#define REG_LVT_TIMER 0x320
#define REG_LVT_LINT0 0x350
#define REG_LVT_LINT1 0x360
#define REG_LVT_ERROR 0x370
#define REG_TIMER_INITIAL 0x380
#define REG_TIMER_CURRENT 0x390
#define REG_TIMER_DIVIDE 0x3e0

#define LVT_MASKED (1u << 16)
#define LVT_NMI 0x400
#define SPURIOUS_ENABLE 0x100
#define ICR_ASSERT 0x4000
#define ICR_INIT 0x500
#define ICR_STARTUP 0x600
#define ICR_BUSY 0x1000
#define DIVIDE_BY_1 0xb

#define PIC1 0x20
#define PIC2 0xa0

static volatile uint32_t *registers;
static bool is_x2apic;

static uint32_t reg_read(unsigned int reg)
{
    if (is_x2apic) {
        return (uint32_t)rdmsr(MSR_X2APIC + (reg >> 4));
    }
    return registers[reg / 4];
}

static void reg_write(unsigned int reg, uint32_t value)
{
    if (is_x2apic) {
        wrmsr(MSR_X2APIC + (reg >> 4), value);
    } else {
        registers[reg / 4] = value;
    }
}

uint32_t apic_id(void)
{
    uint32_t id = reg_read(REG_ID);

    return is_x2apic ? id : id >> 24;
}

void apic_eoi(void)
{
    reg_write(REG_EOI, 0);
}

uint32_t apic_error(void)
{
    reg_write(REG_ERROR, 0);
    return reg_read(REG_ERROR);
}

static void command(uint32_t id, uint32_t low)
{
    if (is_x2apic) {
        memory_barrier();
        wrmsr(MSR_X2APIC + (REG_ICR >> 4), (uint64_t)id << 32 | low);
        return;
    }
    while (reg_read(REG_ICR) & ICR_BUSY) {
        cpu_relax();
    }
    reg_write(REG_ICR_HIGH, id << 24);
    reg_write(REG_ICR, low);
}

void apic_send_ipi(uint32_t id, unsigned int vector)
{
    command(id, ICR_ASSERT | vector);
}

void apic_send_init(uint32_t id)
{
    command(id, ICR_ASSERT | ICR_INIT);
}

void apic_send_startup(uint32_t id, unsigned int page)
{
    command(id, ICR_ASSERT | ICR_STARTUP | page);
}

void apic_timer_set(uint32_t count)
{
    reg_write(REG_TIMER_INITIAL, count);
}

uint32_t apic_timer_count(void)
{
    return reg_read(REG_TIMER_CURRENT);
}

void apic_init_cpu(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE;

    wrmsr(MSR_APIC_BASE, base);
    if (is_x2apic) {
        wrmsr(MSR_APIC_BASE, base | APIC_BASE_X2APIC);
    }
    reg_write(REG_TPR, 0);
    reg_write(REG_SPURIOUS, SPURIOUS_ENABLE | VECTOR_SPURIOUS);
    reg_write(REG_LVT_LINT0, LVT_MASKED);
    reg_write(REG_LVT_LINT1, LVT_NMI);
    reg_write(REG_LVT_ERROR, VECTOR_APIC_ERROR);
    reg_write(REG_TIMER_DIVIDE, DIVIDE_BY_1);
    reg_write(REG_LVT_TIMER, VECTOR_TIMER);
    (void)apic_error();
}

/*
 * The two 8259s: vectors out of the way of the exceptions, all masked; the
 * firmware leaves the PIT's line open.
 */
static void mask_pics(void)
{
    outb(PIC1, 0x11);
    outb(PIC2, 0x11);
    outb(PIC1 + 1, 0x20);
    outb(PIC2 + 1, 0x28);
    outb(PIC1 + 1, 4);
    outb(PIC2 + 1, 2);
    outb(PIC1 + 1, 1);
    outb(PIC2 + 1, 1);
    outb(PIC1 + 1, 0xff);
    outb(PIC2 + 1, 0xff);
}

void apic_init(void)
{
    uint64_t base = rdmsr(MSR_APIC_BASE) & 0xffffff000ull;

    mask_pics();
    is_x2apic = cpuid(1, 0).ecx >> 21 & 1;
    if (!is_x2apic) {
        registers = mmu_map_device(base, PAGE_SIZE);
    }
    apic_init_cpu();
    console_log(LOG_INFO, "local APIC in %s mode, boot CPU has id %u",
                is_x2apic ? "x2APIC" : "xAPIC", apic_id());
}
