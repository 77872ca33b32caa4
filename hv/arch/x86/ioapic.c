/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The host's IO-APICs (82093AA data sheet).  Pins are named by GSI; who wants
 * one's interrupts (vioapic.c) routes it to a host vector.
 *
 *  1. Every pin is masked until it is routed and unmasked.
 *  2. The index and data registers are used under ioapic_lock only.
 */
#include "acpi.h"
#include "core/console.h"
#include "core/lock.h"
#include "ioapic.h"
#include "lib/atomic.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/spinlock.h"
#include "mmu.h"

#define REG_VERSION 0x01
#define REG_ENTRY 0x10
#define ENTRY_MASKED (1u << 16)
#define ENTRY_LEVEL (1u << 15)
#define ENTRY_ACTIVE_LOW (1u << 13)

static struct {
    volatile uint32_t *regs;    /* [I] index at 0, data at 4 */
    unsigned int pins;          /* [I] */
} apics[ACPI_MAX_IOAPICS];

static unsigned int gsi_count;  /* [I] */
static spinlock_t ioapic_lock = SPINLOCK_INIT(LOCK_RANK_IRQ);

static uint32_t reg_read(unsigned int apic, uint32_t reg)
{
    apics[apic].regs[0] = reg;
    return apics[apic].regs[4];
}

static void reg_write(unsigned int apic, uint32_t reg, uint32_t value)
{
    apics[apic].regs[0] = reg;
    apics[apic].regs[4] = value;
}

void ioapic_init(void)
{
    for (unsigned int i = 0; i < acpi_facts.ioapic_count; i++) {
        const struct acpi_ioapic *fact = &acpi_facts.ioapic[i];

        apics[i].regs = mmu_map_device(fact->address, PAGE_SIZE);
        apics[i].pins = ((reg_read(i, REG_VERSION) >> 16) & 0xff) + 1;
        for (unsigned int pin = 0; pin < apics[i].pins; pin++) {
            reg_write(i, REG_ENTRY + pin * 2, ENTRY_MASKED);
            reg_write(i, REG_ENTRY + pin * 2 + 1, 0);
        }
        gsi_count = max(gsi_count, fact->gsi_base + apics[i].pins);
    }
}

unsigned int ioapic_gsi_count(void)
{
    return gsi_count;
}

unsigned int ioapic_pins(unsigned int apic)
{
    return apics[apic].pins;
}

int ioapic_pin(uint32_t gsi, unsigned int *pin)
{
    for (unsigned int i = 0; i < acpi_facts.ioapic_count; i++) {
        uint32_t base = acpi_facts.ioapic[i].gsi_base;

        if (gsi >= base && gsi - base < apics[i].pins) {
            *pin = gsi - base;
            return (int)i;
        }
    }
    return -EINVAL;
}

int ioapic_route(uint32_t gsi, uint8_t vector, uint32_t apic_id, bool level,
                 bool active_low)
{
    unsigned int pin;
    int apic = ioapic_pin(gsi, &pin);

    if (apic < 0 || apic_id > 0xff) {
        return -EINVAL;
    }
    spin_lock_nested(&ioapic_lock);
    reg_write((unsigned int)apic, REG_ENTRY + pin * 2, ENTRY_MASKED);
    reg_write((unsigned int)apic, REG_ENTRY + pin * 2 + 1, apic_id << 24);
    reg_write((unsigned int)apic, REG_ENTRY + pin * 2,
              ENTRY_MASKED | vector | (level ? ENTRY_LEVEL : 0)
              | (active_low ? ENTRY_ACTIVE_LOW : 0));
    spin_unlock(&ioapic_lock);
    return 0;
}

void ioapic_mask(uint32_t gsi, bool masked)
{
    unsigned int pin;
    int apic = ioapic_pin(gsi, &pin);
    uint32_t low;

    if (apic < 0) {
        return;
    }
    spin_lock_nested(&ioapic_lock);
    low = reg_read((unsigned int)apic, REG_ENTRY + pin * 2);
    low = masked ? low | ENTRY_MASKED : low & ~ENTRY_MASKED;
    reg_write((unsigned int)apic, REG_ENTRY + pin * 2, low);
    spin_unlock(&ioapic_lock);
}
