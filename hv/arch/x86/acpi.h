/* SPDX-License-Identifier: GPL-2.0-only */
/* The host's ACPI tables, as far as a hypervisor must know them. */
#ifndef X86_ACPI_H
#define X86_ACPI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct acpi_header {
    char signature[4];
    uint32_t length;
    uint8_t revision, checksum;
    char oem_id[6], oem_table_id[8];
    uint32_t oem_revision, creator_id, creator_revision;
} __attribute__((packed));

#define ACPI_MAX_CPUS 4096
#define ACPI_MAX_IOAPICS 16
#define ACPI_MAX_OVERRIDES 24

struct acpi_ioapic { uint8_t id; uint32_t address, gsi_base; };
struct acpi_override { uint8_t source; uint32_t gsi; uint16_t flags; };

/* Facts of the MADT, FADT, MCFG; filled by acpi_init(). */
struct acpi_facts {
    unsigned int cpu_count;
    uint32_t cpu_apic_id[ACPI_MAX_CPUS];    /* enabled ones, in order */
    uint64_t lapic_address;
    unsigned int ioapic_count;
    struct acpi_ioapic ioapic[ACPI_MAX_IOAPICS];
    unsigned int override_count;
    struct acpi_override override[ACPI_MAX_OVERRIDES];
    uint32_t pm1a_control, pm1b_control;    /* ports, 0: none */
    uint32_t pm_timer_port;
    uint16_t s5_type_a, s5_type_b;          /* SLP_TYP of _S5_ */
    bool has_s5;
    uint64_t reset_address;                 /* 0: none */
    uint8_t reset_space, reset_value;       /* 0 memory, 1 port, 2 PCI */
    uint64_t mcfg_base;                     /* segment 0, 0: none */
    uint8_t mcfg_bus_start, mcfg_bus_end;
    uint64_t hpet_address;                  /* 0: none */
};

extern struct acpi_facts acpi_facts;

/*
 * Finds the RSDP (EBDA, 0xe0000-0xfffff), checks the tables and reads the
 * facts.  Needs mmu_map_firmware().  0, or -ENODEV with a line on the console.
 */
int acpi_init(void);
/* The 'index'th table with that signature, mapped, checksum good; or NULL. */
const struct acpi_header *acpi_find(const char *signature,
                                    unsigned int index);
/* The 'index'th of all tables, as acpi_find() gives them; NULL at the end. */
const struct acpi_header *acpi_table(unsigned int index);
/* Enters S5, or resets by the FADT's register; returns if it cannot. */
void acpi_poweroff(void);
void acpi_reset(void);

#endif
