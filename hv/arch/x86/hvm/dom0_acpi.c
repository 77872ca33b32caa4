/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Dom0's ACPI tables: the host's FADT, DSDT (where the firmware has it),
 * SSDTs, MCFG and so on; a root of our own; an MADT that describes dom0's
 * virtual CPUs and its IO-APICs.  Talks to acpi.c.
 *
 *  1. Dom0 sees no HPET, no NUMA (SRAT, SLIT: virtual CPUs have no node), no
 *     IOMMU (DMAR, IVRS), no table about physical CPUs.
 */
#include "acpi.h"
#include "hvm/dom0_acpi.h"
#include "hvm/vlapic.h"
#include "lib/minmax.h"
#include "lib/string.h"

#define TABLES_MAX 64
#define ALIGNMENT 16

struct rsdp {
    char signature[8];
    uint8_t checksum;
    char oem_id[6];
    uint8_t revision;
    uint32_t rsdt;
    uint32_t length;
    uint64_t xsdt;
    uint8_t full_checksum;
    uint8_t reserved[3];
} __attribute__((packed));

struct xsdt {
    struct acpi_header header;
    uint64_t table[TABLES_MAX];
} __attribute__((packed));

struct madt {
    struct acpi_header header;
    uint32_t lapic_address;
    uint32_t flags;             /* no 8259s */
} __attribute__((packed));

struct madt_lapic {
    uint8_t type, length, acpi_id, apic_id;
    uint32_t flags;
} __attribute__((packed));

struct madt_x2apic {
    uint8_t type, length;
    uint16_t reserved;
    uint32_t apic_id, flags, acpi_id;
} __attribute__((packed));

struct madt_ioapic {
    uint8_t type, length, id, reserved;
    uint32_t address, gsi_base;
} __attribute__((packed));

struct madt_override {
    uint8_t type, length, bus, source;
    uint32_t gsi;
    uint16_t flags;
} __attribute__((packed));

/* Where the tables are being written. */
struct area {
    char *to;
    uint64_t address;
    size_t used;
};

static const char hidden[][5] = {
    "APIC", "HPET", "SRAT", "SLIT", "DMAR", "IVRS", "MPST", "PMTT", "WAET",
    "HMAT", "XSDT", "RSDT",
};

static bool is_hidden(const struct acpi_header *table)
{
    for (unsigned int i = 0; i < ARRAY_SIZE(hidden); i++) {
        if (memcmp(table->signature, hidden[i], 4) == 0) {
            return true;
        }
    }
    return false;
}

static uint8_t checksum(const void *data, size_t size)
{
    const uint8_t *bytes = data;
    uint8_t sum = 0;

    for (size_t i = 0; i < size; i++) {
        sum = (uint8_t)(sum + bytes[i]);
    }
    return (uint8_t)-sum;
}

static void finish_table(struct acpi_header *h, uint32_t length)
{
    h->length = length;
    h->checksum = 0;
    h->checksum = checksum(h, length);
}

static void fill_header(struct acpi_header *h, const char *signature,
                        uint8_t revision)
{
    memcpy(h->signature, signature, 4);
    h->revision = revision;
    memcpy(h->oem_id, "GANTRY", 6);
    memcpy(h->oem_table_id, "GANTRYHV", 8);
    h->oem_revision = 1;
    memcpy(&h->creator_id, "GNTR", 4);
    h->creator_revision = 1;
}

/* Room for 'size' bytes, zero; '*address' is dom0's of it. */
static void *take(struct area *a, size_t size, uint64_t *address)
{
    void *at = a->to + a->used;

    *address = a->address + a->used;
    a->used += ALIGN_UP(size, (size_t)ALIGNMENT);
    memset(at, 0, size);
    return at;
}

static size_t madt_size(unsigned int vcpus)
{
    return sizeof(struct madt) + vcpus * sizeof(struct madt_x2apic)
           + acpi_facts.ioapic_count * sizeof(struct madt_ioapic)
           + acpi_facts.override_count * sizeof(struct madt_override);
}

static char *add_cpu(char *at, unsigned int i)
{
    uint32_t id = vlapic_id_of(i);

    if (id < 255) {
        struct madt_lapic e = {
            .type = 0, .length = sizeof(e), .acpi_id = (uint8_t)i,
            .apic_id = (uint8_t)id, .flags = 1,
        };

        memcpy(at, &e, sizeof(e));
        return at + sizeof(e);
    } else {
        struct madt_x2apic e = {
            .type = 9, .length = sizeof(e), .apic_id = id, .flags = 1,
            .acpi_id = i,
        };

        memcpy(at, &e, sizeof(e));
        return at + sizeof(e);
    }
}

static char *add_ioapics(char *at)
{
    for (unsigned int i = 0; i < acpi_facts.ioapic_count; i++) {
        const struct acpi_ioapic *fact = &acpi_facts.ioapic[i];
        struct madt_ioapic e = {
            .type = 1, .length = sizeof(e), .id = fact->id,
            .address = fact->address, .gsi_base = fact->gsi_base,
        };

        memcpy(at, &e, sizeof(e));
        at += sizeof(e);
    }
    for (unsigned int i = 0; i < acpi_facts.override_count; i++) {
        const struct acpi_override *fact = &acpi_facts.override[i];
        struct madt_override e = {
            .type = 2, .length = sizeof(e), .source = fact->source,
            .gsi = fact->gsi, .flags = fact->flags,
        };

        memcpy(at, &e, sizeof(e));
        at += sizeof(e);
    }
    return at;
}

static uint64_t add_madt(struct area *a, unsigned int vcpus)
{
    uint64_t address;
    struct madt *m = take(a, madt_size(vcpus), &address);
    char *at = (char *)(m + 1);

    fill_header(&m->header, "APIC", 3);
    m->lapic_address = VLAPIC_BASE;
    for (unsigned int i = 0; i < vcpus; i++) {
        at = add_cpu(at, i);
    }
    at = add_ioapics(at);
    finish_table(&m->header, (uint32_t)(at - (char *)m));
    return address;
}

size_t dom0_acpi_size(unsigned int vcpus)
{
    size_t size = madt_size(vcpus) + sizeof(struct xsdt)
                  + sizeof(struct rsdp) + 3 * ALIGNMENT;
    const struct acpi_header *t;

    for (unsigned int i = 0; (t = acpi_table(i)) != NULL; i++) {
        size += ALIGN_UP((size_t)t->length, (size_t)ALIGNMENT);
    }
    return size;
}

/* A copy of a table of the host; dom0's address of it. */
static uint64_t add_copy(struct area *a, const struct acpi_header *table)
{
    uint64_t address;
    void *to = take(a, table->length, &address);

    memcpy(to, table, table->length);
    return address;
}

uint64_t dom0_acpi_build(void *to, uint64_t address, unsigned int vcpus)
{
    struct area area = { .to = to, .address = address };
    uint64_t rsdp_address, xsdt_address;
    struct rsdp *rsdp = take(&area, sizeof(*rsdp), &rsdp_address);
    struct xsdt *xsdt = take(&area, sizeof(*xsdt), &xsdt_address);
    const struct acpi_header *t;
    unsigned int count = 0;

    xsdt->table[count++] = add_madt(&area, vcpus);
    for (unsigned int i = 0; (t = acpi_table(i)) != NULL; i++) {
        if (!is_hidden(t) && count < TABLES_MAX) {
            xsdt->table[count++] = add_copy(&area, t);
        }
    }
    fill_header(&xsdt->header, "XSDT", 1);
    finish_table(&xsdt->header,
                 (uint32_t)(sizeof(xsdt->header) + count * 8));
    memcpy(rsdp->signature, "RSD PTR ", 8);
    memcpy(rsdp->oem_id, "GANTRY", 6);
    rsdp->revision = 2;
    rsdp->length = sizeof(*rsdp);
    rsdp->xsdt = xsdt_address;
    rsdp->checksum = checksum(rsdp, 20);
    rsdp->full_checksum = checksum(rsdp, sizeof(*rsdp));
    return rsdp_address;
}
