/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ACPI 6.4: RSDP (5.2.5), XSDT (5.2.8), FADT (5.2.9), MADT (5.2.12), MCFG,
 * HPET and the \_S5_ package in the DSDT's bytes. Talks to mmu.c.
 * 1. The tables are the firmware's: lengths and checksums are checked
 *    before use; a table that fails is as good as absent.
 */
#include "acpi.h"
#include "core/console.h"
#include "insn.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/string.h"
#include "mmu.h"

#define BIOS_START 0xe0000u
#define BIOS_SIZE 0x20000u
#define EBDA_SIZE 1024u
#define EBDA_POINTER 0x40eu
#define TABLE_SIZE_MAX (4u << 20)
#define TABLE_MAX 64

struct rsdp {
    char signature[8];
    uint8_t checksum;
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
} __attribute__((packed));

struct generic_address {
    uint8_t space, bits, offset, access;
    uint64_t address;
} __attribute__((packed));

struct fadt {
    struct acpi_header header;
    uint32_t facs, dsdt;
    uint8_t reserved0[20];
    uint32_t pm1a_control;
    uint32_t pm1b_control;
    uint32_t pm2_control;
    uint32_t pm_timer;
    uint8_t reserved1[32];
    uint32_t flags;
    struct generic_address reset;
    uint8_t reset_value;
} __attribute__((packed));

_Static_assert(offsetof(struct fadt, pm1a_control) == 64, "FADT");
_Static_assert(offsetof(struct fadt, pm_timer) == 76, "FADT");
_Static_assert(offsetof(struct fadt, flags) == 112, "FADT");
_Static_assert(offsetof(struct fadt, reset) == 116, "FADT");

#define FADT_RESET_SUPPORTED (1u << 10)

#define MADT_CPU 0
#define MADT_IOAPIC 1
#define MADT_OVERRIDE 2
#define MADT_X2APIC 9
#define MADT_ENABLED 1u

struct acpi_facts acpi_facts;

static const struct acpi_header *tables[TABLE_MAX];
static unsigned int table_count;

static bool sums_to_zero(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint8_t sum = 0;

    for (size_t i = 0; i < size; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    return sum == 0;
}

static uint32_t get32(const uint8_t *p)
{
    uint32_t value;

    memcpy(&value, p, sizeof(value));
    return value;
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t value;

    memcpy(&value, p, sizeof(value));
    return value;
}

static const struct rsdp *find_rsdp_in(uint64_t phys, size_t size)
{
    const char *area = mmu_map_firmware(phys, size);

    for (size_t i = 0; i + sizeof(struct rsdp) <= size; i += 16) {
        if (memcmp(area + i, "RSD PTR ", 8) == 0
            && sums_to_zero(area + i, 20)) {
            return (const void *)(area + i);
        }
    }
    return NULL;
}

static const struct rsdp *find_rsdp(void)
{
    const uint16_t *pointer = mmu_map_firmware(EBDA_POINTER, 2);
    const struct rsdp *rsdp = NULL;

    if (*pointer >= 0x8000 && *pointer < 0xa000) {
        rsdp = find_rsdp_in((uint64_t)*pointer << 4, EBDA_SIZE);
    }
    return rsdp != NULL ? rsdp : find_rsdp_in(BIOS_START, BIOS_SIZE);
}

/* Maps the whole table at phys, or NULL when it is not one. */
static const struct acpi_header *map_table(uint64_t phys)
{
    const struct acpi_header *header
        = mmu_map_firmware(phys, sizeof(*header));

    if (header->length < sizeof(*header)
        || header->length > TABLE_SIZE_MAX) {
        return NULL;
    }
    header = mmu_map_firmware(phys, header->length);
    return sums_to_zero(header, header->length) ? header : NULL;
}

static void read_root(const struct rsdp *rsdp)
{
    bool wide = rsdp->revision >= 2 && rsdp->xsdt != 0;
    const struct acpi_header *root = map_table(wide ? rsdp->xsdt
                                                    : rsdp->rsdt);
    size_t step = wide ? 8 : 4;
    const uint8_t *bytes = (const uint8_t *)root;

    if (root == NULL) {
        return;
    }
    for (size_t at = sizeof(*root); at + step <= root->length; at += step) {
        uint64_t phys = 0;
        const struct acpi_header *table;

        memcpy(&phys, bytes + at, step);
        table = phys == 0 ? NULL : map_table(phys);
        if (table != NULL && table_count < TABLE_MAX) {
            tables[table_count++] = table;
        }
    }
}

const struct acpi_header *acpi_find(const char *signature, unsigned int index)
{
    for (unsigned int i = 0; i < table_count; i++) {
        if (memcmp(tables[i]->signature, signature, 4) == 0
            && index-- == 0) {
            return tables[i];
        }
    }
    return NULL;
}

const struct acpi_header *acpi_table(unsigned int index)
{
    return index < table_count ? tables[index] : NULL;
}

static void add_cpu(uint32_t apic, uint32_t flags)
{
    if ((flags & MADT_ENABLED) && acpi_facts.cpu_count < ACPI_MAX_CPUS) {
        acpi_facts.cpu_apic_id[acpi_facts.cpu_count++] = apic;
    }
}

static void read_madt_entry(const uint8_t *e)
{
    uint8_t length = e[1];

    if (e[0] == MADT_CPU && length >= 8) {
        add_cpu(e[3], get32(e + 4));
    } else if (e[0] == MADT_X2APIC && length >= 16) {
        add_cpu(get32(e + 4), get32(e + 8));
    } else if (e[0] == MADT_IOAPIC && length >= 12
               && acpi_facts.ioapic_count < ACPI_MAX_IOAPICS) {
        acpi_facts.ioapic[acpi_facts.ioapic_count++] = (struct acpi_ioapic){
            .id = e[2], .address = get32(e + 4), .gsi_base = get32(e + 8),
        };
    } else if (e[0] == MADT_OVERRIDE && length >= 10
               && acpi_facts.override_count < ACPI_MAX_OVERRIDES) {
        acpi_facts.override[acpi_facts.override_count++]
            = (struct acpi_override){
                .source = e[3], .gsi = get32(e + 4),
                .flags = (uint16_t)(e[8] | e[9] << 8),
            };
    }
}

static int read_madt(void)
{
    const struct acpi_header *madt = acpi_find("APIC", 0);
    const uint8_t *bytes = (const uint8_t *)madt;

    if (madt == NULL || madt->length < sizeof(*madt) + 8) {
        console_log(LOG_ERROR, "the firmware has no ACPI MADT: no CPU list");
        return -ENODEV;
    }
    acpi_facts.lapic_address = get32(bytes + sizeof(*madt));
    for (uint32_t at = sizeof(*madt) + 8; at + 2 <= madt->length;) {
        uint8_t length = bytes[at + 1];

        if (length < 2 || at + length > madt->length) {
            break;
        }
        read_madt_entry(bytes + at);
        at += length;
    }
    return 0;
}

/* A byte, word or small constant of AML; *at moves behind it. */
static uint16_t aml_number(const uint8_t *aml, size_t *at)
{
    switch (aml[*at]) {
    case 0x0a:
        *at += 2;
        return aml[*at - 1];
    case 0x0b:
        *at += 3;
        return (uint16_t)(aml[*at - 2] | aml[*at - 1] << 8);
    default:
        *at += 1;
        return aml[*at - 1] == 1;
    }
}

/* Name (_S5_, Package (n) { SLP_TYPa, SLP_TYPb, .. }) */
static void find_s5(uint64_t phys)
{
    const struct acpi_header *dsdt = map_table(phys);
    const uint8_t *aml = (const uint8_t *)dsdt;

    for (size_t i = sizeof(*dsdt); dsdt != NULL && i + 20 < dsdt->length;
         i++) {
        size_t at = i + 4;

        if (memcmp(aml + i, "_S5_", 4) != 0 || aml[at] != 0x12) {
            continue;
        }
        at += 3 + (aml[at + 1] >> 6);
        acpi_facts.s5_type_a = aml_number(aml, &at);
        acpi_facts.s5_type_b = aml_number(aml, &at);
        acpi_facts.has_s5 = true;
        return;
    }
}

static void read_fadt(void)
{
    const struct fadt *fadt = (const void *)acpi_find("FACP", 0);

    if (fadt == NULL || fadt->header.length < offsetof(struct fadt, flags)) {
        return;
    }
    acpi_facts.pm_timer_port = fadt->pm_timer;
    acpi_facts.pm1a_control = fadt->pm1a_control;
    acpi_facts.pm1b_control = fadt->pm1b_control;
    if (fadt->header.length >= sizeof(*fadt)
        && (fadt->flags & FADT_RESET_SUPPORTED)) {
        acpi_facts.reset_address = fadt->reset.address;
        acpi_facts.reset_space = fadt->reset.space;
        acpi_facts.reset_value = fadt->reset_value;
    }
    if (fadt->dsdt != 0) {
        find_s5(fadt->dsdt);
    }
}

/* The first segment's window for PCI configuration; the HPET's page. */
static void read_mcfg_and_hpet(void)
{
    const struct acpi_header *mcfg = acpi_find("MCFG", 0);
    const struct acpi_header *hpet = acpi_find("HPET", 0);

    if (mcfg != NULL && mcfg->length >= sizeof(*mcfg) + 24) {
        const uint8_t *entry = (const uint8_t *)mcfg + sizeof(*mcfg) + 8;

        acpi_facts.mcfg_base = get64(entry);
        acpi_facts.mcfg_bus_start = entry[10];
        acpi_facts.mcfg_bus_end = entry[11];
    }
    if (hpet != NULL && hpet->length >= sizeof(*hpet) + 16) {
        acpi_facts.hpet_address = get64((const uint8_t *)hpet
                                        + sizeof(*hpet) + 8);
    }
}

int acpi_init(void)
{
    const struct rsdp *rsdp = find_rsdp();

    if (rsdp == NULL) {
        console_log(LOG_ERROR, "no ACPI tables found below 1 MiB");
        return -ENODEV;
    }
    read_root(rsdp);
    if (read_madt() != 0) {
        return -ENODEV;
    }
    read_fadt();
    read_mcfg_and_hpet();
    console_log(LOG_INFO, "ACPI: %u tables, %u CPUs, %u IO-APICs",
                table_count, acpi_facts.cpu_count, acpi_facts.ioapic_count);
    return 0;
}

static void write_sleep(uint32_t port, uint16_t type)
{
    if (port != 0) {
        outw((uint16_t)port, (uint16_t)(type << 10 | 1u << 13));
    }
}

void acpi_poweroff(void)
{
    if (acpi_facts.has_s5) {
        write_sleep(acpi_facts.pm1a_control, acpi_facts.s5_type_a);
        write_sleep(acpi_facts.pm1b_control, acpi_facts.s5_type_b);
    }
}

void acpi_reset(void)
{
    if (acpi_facts.reset_address == 0) {
        return;
    }
    if (acpi_facts.reset_space == 1) {
        outb((uint16_t)acpi_facts.reset_address, acpi_facts.reset_value);
    } else if (acpi_facts.reset_space == 0) {
        *(volatile uint8_t *)mmu_map_device(acpi_facts.reset_address, 1)
            = acpi_facts.reset_value;
    }
}
