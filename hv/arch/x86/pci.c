/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PCI configuration space: mechanism 1 (PCI 3.0, 3.2.2.3.2), and MMCONFIG
 * for the registers beyond 255.
 *
 *  1. The address and data ports are used under pci_lock only; dom0's own
 *     accesses to them come through vpci.c.
 */
#include "acpi.h"
#include "core/lock.h"
#include "core/types.h"
#include "insn.h"
#include "lib/atomic.h"
#include "lib/spinlock.h"
#include "mmu.h"
#include "pci.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA 0xcfc
#define ADDRESS_ENABLE 0x80000000u

static spinlock_t pci_lock = SPINLOCK_INIT(LOCK_RANK_IRQ);

static void select(pci_bdf_t bdf, unsigned int reg)
{
    outl(PORT_ADDRESS, ADDRESS_ENABLE | (uint32_t)bdf.v << 8 | (reg & 0xfc));
}

static uint32_t read_port(uint16_t port, unsigned int size)
{
    switch (size) {
    case 1:
        return inb(port);
    case 2:
        return inw(port);
    default:
        return inl(port);
    }
}

static void write_port(uint16_t port, unsigned int size, uint32_t value)
{
    switch (size) {
    case 1:
        outb(port, (uint8_t)value);
        return;
    case 2:
        outw(port, (uint16_t)value);
        return;
    default:
        outl(port, value);
        return;
    }
}

/* MMCONFIG: 1 MiB a bus, all in one mapping, made when first used. */
static volatile uint8_t *extended(pci_bdf_t bdf, unsigned int reg)
{
    static volatile uint8_t *first_bus;
    unsigned int first = acpi_facts.mcfg_bus_start;
    unsigned int last = acpi_facts.mcfg_bus_end;
    unsigned int bus = bdf.v >> 8;

    if (acpi_facts.mcfg_base == 0 || bus < first || bus > last) {
        return NULL;
    }
    if (first_bus == NULL) {
        first_bus = mmu_map_device(acpi_facts.mcfg_base
                                   + ((uint64_t)first << 20),
                                   ((size_t)last - first + 1) << 20);
    }
    return first_bus + ((size_t)(bus - first) << 20 | (bdf.v & 0xff) << 12
                        | (reg & 0xfff));
}

static uint32_t read_extended(pci_bdf_t bdf, unsigned int reg,
                              unsigned int size)
{
    volatile uint8_t *at = extended(bdf, reg);

    if (at == NULL) {
        return 0xffffffff;
    }
    switch (size) {
    case 1:
        return *at;
    case 2:
        return *(volatile uint16_t *)at;
    default:
        return *(volatile uint32_t *)at;
    }
}

static void write_extended(pci_bdf_t bdf, unsigned int reg,
                           unsigned int size, uint32_t value)
{
    volatile uint8_t *at = extended(bdf, reg);

    if (at == NULL) {
        return;
    }
    switch (size) {
    case 1:
        *at = (uint8_t)value;
        return;
    case 2:
        *(volatile uint16_t *)at = (uint16_t)value;
        return;
    default:
        *(volatile uint32_t *)at = value;
        return;
    }
}

uint32_t pci_read(pci_bdf_t bdf, unsigned int reg, unsigned int size)
{
    uint32_t value;

    spin_lock_nested(&pci_lock);
    if (reg > 255) {
        value = read_extended(bdf, reg, size);
    } else {
        select(bdf, reg);
        value = read_port((uint16_t)(PORT_DATA + (reg & 3)), size);
    }
    spin_unlock(&pci_lock);
    return value;
}

void pci_write(pci_bdf_t bdf, unsigned int reg, unsigned int size,
               uint32_t value)
{
    spin_lock_nested(&pci_lock);
    if (reg > 255) {
        write_extended(bdf, reg, size, value);
    } else {
        select(bdf, reg);
        write_port((uint16_t)(PORT_DATA + (reg & 3)), size, value);
    }
    spin_unlock(&pci_lock);
}
