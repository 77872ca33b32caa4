/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Host vectors of dom0's devices (irq.c, hvm/vpci.c, hvm/vioapic.c): there
 * are fewer than 200, and what dom0 no longer uses kept them for ever.  On a
 * bus of 256 functions and on 240 pins all get one in turn.
 */
#include <stdlib.h>
#include <string.h>

#include "acpi.h"
#include "apic.h"
#include "core/console.h"
#include "core/kmem.h"
#include "core/p2m.h"
#include "cpu.h"
#include "hvm/mmio.h"
#include "hvm/vioapic.h"
#include "hvm/vlapic.h"
#include "hvm/vpci.h"
#include "ioapic.h"
#include "irq.h"
#include "lib/bug.h"
#include "mmu.h"
#include "pci.h"
#include "unit.h"

#define FUNCTIONS 256u
#define CAP_MSI 0x50u
#define CAP_MSIX 0x70u
#define MSIX_COUNT 64u
#define TABLE 0xe0000000ul      /* of function 0; the next 4 KiB on */
#define UNITS 4u
#define PINS 60u
#define IOAPIC 0xfec00000u

#define MSI_ON 0x10000u
#define MSIX_ON 0x80000000u

struct acpi_facts acpi_facts;
struct cpu *cpus[CPU_MAX];

static struct cpu cpu;
static struct lock_track track;
static struct domain domain;
static struct arch_domain arch;
static struct vcpu vcpu, *vcpu_list[1] = { &vcpu };
static uint8_t config[FUNCTIONS][256];
static uint32_t table[FUNCTIONS][PAGE_SIZE / 4];
static uint8_t routed[UNITS * PINS];
static unsigned int delivered;

/* ---- what they ask of their surroundings ---- */

struct lock_track *lock_track(void)
{
    return &track;
}

void bug_report(const char *file, int line, const char *what)
{
    ck_abort_msg("%s:%d: %s", file, line, what);
    abort();
}

void console_log(enum log_level level, const char *format, ...)
{
    (void)level;
    (void)format;
}

void *kmem_alloc(size_t size)
{
    return calloc(1, size);
}

void *kmem_alloc_array(size_t count, size_t size)
{
    return calloc(count, size);
}

void apic_eoi(void)
{
}

uint32_t apic_error(void)
{
    return 0;
}

uint32_t pci_read(pci_bdf_t bdf, unsigned int reg, unsigned int size)
{
    uint32_t value = 0;

    if (bdf.v >= FUNCTIONS) {
        return 0xffffffff;
    }
    memcpy(&value, &config[bdf.v][reg], size);
    return value;
}

void pci_write(pci_bdf_t bdf, unsigned int reg, unsigned int size,
               uint32_t value)
{
    memcpy(&config[bdf.v][reg], &value, size);
}

void *mmu_map_device(uint64_t address, uint64_t size)
{
    ck_assert_uint_le(size, PAGE_SIZE);
    return table[(address - TABLE) / PAGE_SIZE];
}

int p2m_remove(struct domain *d, gfn_t g, unsigned int order)
{
    (void)d;
    (void)g;
    (void)order;
    return 0;
}

unsigned int ioapic_pins(unsigned int apic)
{
    (void)apic;
    return PINS;
}

int ioapic_route(uint32_t gsi, uint8_t vector, uint32_t apic_id, bool level,
                 bool active_low)
{
    (void)apic_id;
    (void)level;
    (void)active_low;
    routed[gsi] = vector;
    return 0;
}

void ioapic_mask(uint32_t gsi, bool masked)
{
    (void)gsi;
    (void)masked;
}

unsigned int vlapic_deliver(struct domain *d, const struct vlapic_message *m)
{
    (void)d;
    (void)m;
    delivered++;
    return 1;
}

/* ---- */

static void put(unsigned int function, unsigned int reg, uint32_t value)
{
    memcpy(&config[function][reg], &value, sizeof(value));
}

static void make_function(unsigned int i)
{
    put(i, 0, 0x12341af4);
    put(i, 4, 0x00100002);              /* capabilities; decodes memory */
    put(i, 0x10, (uint32_t)TABLE + i * (uint32_t)PAGE_SIZE);
    put(i, 0x34, CAP_MSI);
    put(i, CAP_MSI, CAP_MSIX << 8 | 5);
    put(i, CAP_MSIX, (MSIX_COUNT - 1) << 16 | 0x11);
    put(i, CAP_MSIX + 4, 0);            /* at the start of BAR 0 */
}

static void setup(void)
{
    cpus[0] = &cpu;
    domain.arch = &arch;
    domain.max_vcpus = 1;
    domain.vcpu = vcpu_list;
    vcpu.domain = &domain;
    memset(config, 0, sizeof(config));
    memset(table, 0, sizeof(table));
    memset(routed, 0, sizeof(routed));
    delivered = 0;
    for (unsigned int i = 0; i < FUNCTIONS; i++) {
        make_function(i);
    }
    acpi_facts.ioapic_count = UNITS;
    for (unsigned int i = 0; i < UNITS; i++) {
        acpi_facts.ioapic[i] = (struct acpi_ioapic){
            .id = (uint8_t)i, .address = IOAPIC + i * (uint32_t)PAGE_SIZE,
            .gsi_base = i * PINS,
        };
    }
    ck_assert_int_eq(vpci_create(&domain), 0);
    ck_assert_int_eq(vioapic_create(&domain), 0);
}

static void config_write(unsigned int function, unsigned int reg,
                         uint32_t value)
{
    uint32_t address = 0x80000000u | function << 8 | reg;

    vpci_port(&vcpu, 0xcf8, 4, false, &address);
    vpci_port(&vcpu, 0xcfc, 4, false, &value);
}

static void entry_write(unsigned int function, unsigned int i,
                        uint32_t control)
{
    uint64_t at = TABLE + function * PAGE_SIZE + i * 16;

    vpci_table_device.write(&vcpu, at, 4, 0xfee00000);
    vpci_table_device.write(&vcpu, at + 8, 4, 0x40);
    vpci_table_device.write(&vcpu, at + 12, 4, control);
}

static bool is_device_vector(uint32_t vector)
{
    return vector >= VECTOR_DEVICE_FIRST && vector <= VECTOR_DEVICE_LAST;
}

static uint32_t msi_data(unsigned int function)
{
    return pci_read((pci_bdf_t){ (uint16_t)function }, CAP_MSI + 8, 2);
}

static void msi_enable(unsigned int function, bool on)
{
    config_write(function, CAP_MSI + 4, 0xfee00000);
    config_write(function, CAP_MSI + 8, 0x41);
    config_write(function, CAP_MSI, on ? MSI_ON : 0);
}

START_TEST(messages_give_their_vectors_back)
{
    for (unsigned int i = 0; i < FUNCTIONS; i++) {
        msi_enable(i, true);
        ck_assert(is_device_vector(msi_data(i)));
        msi_enable(i, false);
        ck_assert_uint_eq(pci_read((pci_bdf_t){ (uint16_t)i }, CAP_MSI + 2,
                                   2) & 1, 0);
    }
}
END_TEST

/* Without a vector the device must not send its message, whatever that is. */
START_TEST(no_message_without_a_vector)
{
    unsigned int without = 0;

    for (unsigned int i = 0; i < FUNCTIONS; i++) {
        msi_enable(i, true);
        without += !is_device_vector(msi_data(i));
        ck_assert_uint_eq(pci_read((pci_bdf_t){ (uint16_t)i }, CAP_MSI + 2,
                                   2) & 1, is_device_vector(msi_data(i)));
    }
    ck_assert_uint_eq(without, FUNCTIONS - (VECTOR_DEVICE_LAST
                                            - VECTOR_DEVICE_FIRST + 1));
}
END_TEST

START_TEST(msix_entries_give_their_vectors_back)
{
    for (unsigned int i = 0; i < FUNCTIONS; i++) {
        config_write(i, CAP_MSIX, MSIX_ON);
        for (unsigned int j = 0; j < MSIX_COUNT; j++) {
            entry_write(i, j, 0);
            ck_assert_uint_eq(table[i][j * 4 + 3], 0);
            ck_assert(is_device_vector(table[i][j * 4 + 2]));
        }
        /* A masked one keeps its own. */
        entry_write(i, 0, 1);
        ck_assert_uint_eq(table[i][3], 1);
        entry_write(i, 0, 0);
        ck_assert_uint_eq(table[i][3], 0);
        config_write(i, CAP_MSIX, 0);
        for (unsigned int j = 0; j < MSIX_COUNT; j++) {
            ck_assert_uint_eq(table[i][j * 4 + 3], 1);
        }
    }
    /* Enabled again with the table as it was. */
    config_write(7, CAP_MSIX, MSIX_ON);
    for (unsigned int j = 0; j < MSIX_COUNT; j++) {
        ck_assert_uint_eq(table[7][j * 4 + 3], 0);
        ck_assert(is_device_vector(table[7][j * 4 + 2]));
    }
}
END_TEST

static void pin_write(unsigned int gsi, uint32_t low)
{
    uint64_t at = IOAPIC + gsi / PINS * PAGE_SIZE;

    vioapic_device.write(&vcpu, at, 4, 0x10 + gsi % PINS * 2);
    vioapic_device.write(&vcpu, at + 0x10, 4, low);
}

START_TEST(pins_give_their_vectors_back)
{
    for (unsigned int i = 0; i < UNITS * PINS; i++) {
        pin_write(i, 0x42);
        ck_assert(is_device_vector(routed[i]));
        pin_write(i, 0x10042);          /* for a moment */
        pin_write(i, 0x42);
        pin_write(i, 0x10000);          /* how Linux gives it up */
    }
}
END_TEST

/* A vector that was given back rests until all others had their turn. */
START_TEST(vectors_rest)
{
    static const struct irq_action action;
    int first = irq_alloc_vector(&action);
    unsigned int others = 0;

    irq_free_vector((unsigned int)first);
    for (;;) {
        int vector = irq_alloc_vector(&action);

        ck_assert_int_ge(vector, 0);
        if (vector == first) {
            break;
        }
        others++;
    }
    ck_assert_uint_eq(others, VECTOR_DEVICE_LAST - VECTOR_DEVICE_FIRST);
    ck_assert_int_lt(irq_alloc_vector(&action), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vectors");
    TCase *tcase = unit_case(suite, "vectors");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, messages_give_their_vectors_back);
    tcase_add_test(tcase, no_message_without_a_vector);
    tcase_add_test(tcase, msix_entries_give_their_vectors_back);
    tcase_add_test(tcase, pins_give_their_vectors_back);
    tcase_add_test(tcase, vectors_rest);
    return unit_run(suite);
}
