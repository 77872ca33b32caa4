/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Dom0's IO-APICs: at the addresses and with the pins of the host's; what
 * dom0 writes into a redirection entry routes the host's pin to a host vector
 * whose handler delivers dom0's message to its local APICs.  Talks to
 * ioapic.c, irq.c and vlapic.c.
 *
 *  1. A host pin is unmasked only while dom0's entry is unmasked and, for a
 *     level one, no interrupt is in service (remote IRR).
 *  2. A pin has a host vector from when it is first unmasked until its entry
 *     is masked without a vector of dom0's: one in use is masked at times,
 *     too, and an edge that came just before must not be lost then.
 *  3. 'lock' guards the entries; it is taken by the interrupt handlers too,
 *     which never interrupt the hypervisor itself.
 *
 *   level: host interrupt -> mask host pin, remote IRR, deliver
 *          dom0's EOI     -> clear remote IRR, unmask host pin
 */
#include "acpi.h"
#include "core/arch.h"
#include "core/console.h"
#include "core/kmem.h"
#include "core/lock.h"
#include "hvm/mmio.h"
#include "hvm/vioapic.h"
#include "hvm/vlapic.h"
#include "ioapic.h"
#include "irq.h"
#include "lib/errno.h"
#include "lib/nospec.h"
#include "lib/spinlock.h"

#define PIN_MAX 240

#define REG_SELECT 0x00
#define REG_WINDOW 0x10
#define REG_EOI 0x40
#define INDEX_ID 0
#define INDEX_VERSION 1
#define INDEX_ARBITER 2
#define INDEX_ENTRY 0x10

#define ENTRY_VECTOR 0xffull
#define VECTOR_VALID 16u        /* those below are the exceptions' */
#define ENTRY_LOGICAL (1ull << 11)
#define ENTRY_LOW (1ull << 13)
#define ENTRY_IRR (1ull << 14)
#define ENTRY_LEVEL (1ull << 15)
#define ENTRY_MASKED (1ull << 16)
#define ENTRY_WRITABLE 0xff0000000001afffull

struct pin {
    struct domain *domain;      /* [I] */
    uint32_t gsi;               /* [I] */
    uint64_t entry;             /* lock */
    int vector;                 /* lock: host vector, 0: none */
    struct irq_action action;   /* [I] */
};

struct unit {
    uint64_t address;           /* [I] */
    uint8_t id;                 /* [I] */
    unsigned int pins;          /* [I] */
    uint32_t index;             /* lock */
    struct pin *pin;            /* [I] array */
};

struct vioapic {
    spinlock_t lock;            /* LOCK_RANK_IRQ */
    unsigned int count;         /* [I] */
    struct unit unit[ACPI_MAX_IOAPICS];
};

static struct vlapic_message message_of(uint64_t entry)
{
    return (struct vlapic_message){
        .dest = (uint32_t)(entry >> 56),
        .vector = (uint8_t)entry,
        .mode = (entry >> 8) & 7,
        .is_logical = (entry & ENTRY_LOGICAL) != 0,
        .is_level = (entry & ENTRY_LEVEL) != 0,
    };
}

/* A host interrupt of the pin. */
static void take_interrupt(void *arg)
{
    struct pin *pin = arg;
    struct vioapic *io = pin->domain->arch->vioapic;
    struct vlapic_message m;

    spin_lock(&io->lock);
    if (pin->vector == 0) {
        spin_unlock(&io->lock);
        return;                 /* under way when the pin was given up */
    }
    m = message_of(pin->entry);
    if (m.is_level) {
        ioapic_mask(pin->gsi, true);
        pin->entry |= ENTRY_IRR;
    }
    spin_unlock(&io->lock);
    (void)vlapic_deliver(pin->domain, &m);
}

/* The physical CPU that should take what goes to 'dest'. */
static uint32_t host_target(struct domain *d, uint32_t dest)
{
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        if (d->vcpu[i] != NULL && vlapic_id_of(i) == dest) {
            return irq_target(d->vcpu[i]->sched.cpu);
        }
    }
    return irq_target(0);
}

/* The host vector of a masked pin, if dom0 has none for it any more. */
static void give_up(struct pin *pin)
{
    if ((pin->entry & ENTRY_VECTOR) < VECTOR_VALID) {
        irq_free_vector((unsigned int)pin->vector);
        pin->vector = 0;
    }
}

/* Makes the host's pin follow the entry. */
static void apply(struct pin *pin)
{
    uint64_t entry = pin->entry;

    if (entry & ENTRY_MASKED) {
        if (pin->vector > 0) {
            ioapic_mask(pin->gsi, true);
            give_up(pin);
        }
        return;
    }
    if (pin->vector == 0) {
        pin->vector = irq_alloc_vector(&pin->action);
    }
    if (pin->vector < 0) {
        pin->vector = 0;
        console_log(LOG_ERROR, "no host vector for GSI %u", pin->gsi);
        return;
    }
    (void)ioapic_route(pin->gsi, (uint8_t)pin->vector,
                       host_target(pin->domain, (uint32_t)(entry >> 56)),
                       (entry & ENTRY_LEVEL) != 0, (entry & ENTRY_LOW) != 0);
    if (!(entry & ENTRY_IRR)) {
        ioapic_mask(pin->gsi, false);
    }
}

static void end_pin(struct pin *pin)
{
    pin->entry &= ~ENTRY_IRR;
    if (!(pin->entry & ENTRY_MASKED)) {
        ioapic_mask(pin->gsi, false);
    }
}

void vioapic_eoi(struct domain *d, unsigned int vector)
{
    struct vioapic *io = d->arch->vioapic;

    if (io == NULL) {
        return;
    }
    spin_lock(&io->lock);
    for (unsigned int i = 0; i < io->count; i++) {
        for (unsigned int j = 0; j < io->unit[i].pins; j++) {
            struct pin *pin = &io->unit[i].pin[j];

            if ((pin->entry & ENTRY_IRR)
                && (pin->entry & ENTRY_VECTOR) == vector) {
                end_pin(pin);
            }
        }
    }
    spin_unlock(&io->lock);
}

/* ---- registers ---- */

static uint32_t read_window(struct unit *u)
{
    uint32_t index = u->index, slot = (index - INDEX_ENTRY) / 2;

    switch (index) {
    case INDEX_ID:
    case INDEX_ARBITER:
        return (uint32_t)u->id << 24;
    case INDEX_VERSION:
        return 0x20 | (u->pins - 1) << 16;
    default:
        if (index < INDEX_ENTRY || slot >= u->pins) {
            return 0;
        }
        slot = (uint32_t)index_nospec(slot, u->pins);
        return (uint32_t)(u->pin[slot].entry >> (index & 1 ? 32 : 0));
    }
}

static void write_window(struct unit *u, uint32_t value)
{
    uint32_t index = u->index, slot = (index - INDEX_ENTRY) / 2;
    uint64_t entry, written;
    struct pin *pin;

    if (index < INDEX_ENTRY || slot >= u->pins) {
        return;
    }
    pin = &u->pin[index_nospec(slot, u->pins)];
    entry = pin->entry;
    written = index & 1 ? (uint64_t)value << 32 | (entry & 0xffffffff)
                        : (entry & ~0xffffffffull) | value;
    entry = (written & ENTRY_WRITABLE) | (entry & ENTRY_IRR);
    if (!(entry & ENTRY_LEVEL)) {
        entry &= ~ENTRY_IRR;    /* how kernels end a stuck interrupt */
    }
    pin->entry = entry;
    apply(pin);
}

static struct unit *find_unit(struct vcpu *v, uint64_t gpa)
{
    struct vioapic *io = v->domain->arch->vioapic;

    for (unsigned int i = 0; io != NULL && i < io->count; i++) {
        if ((gpa & PAGE_MASK) == (io->unit[i].address & PAGE_MASK)) {
            return &io->unit[i];
        }
    }
    return NULL;
}

static bool covers(struct vcpu *v, uint64_t gpa)
{
    return find_unit(v, gpa) != NULL;
}

static uint64_t read(struct vcpu *v, uint64_t gpa, unsigned int size)
{
    struct vioapic *io = v->domain->arch->vioapic;
    struct unit *u = find_unit(v, gpa);
    uint64_t value = 0;

    (void)size;
    spin_lock(&io->lock);
    if ((gpa & 0xff) == REG_SELECT) {
        value = u->index;
    } else if ((gpa & 0xff) == REG_WINDOW) {
        value = read_window(u);
    }
    spin_unlock(&io->lock);
    return value;
}

static void write(struct vcpu *v, uint64_t gpa, unsigned int size,
                  uint64_t value)
{
    struct vioapic *io = v->domain->arch->vioapic;
    struct unit *u = find_unit(v, gpa);

    (void)size;
    if ((gpa & 0xff) == REG_EOI) {
        vioapic_eoi(v->domain, value & 0xff);
        return;
    }
    spin_lock(&io->lock);
    if ((gpa & 0xff) == REG_SELECT) {
        u->index = value & 0xff;
    } else if ((gpa & 0xff) == REG_WINDOW) {
        write_window(u, (uint32_t)value);
    }
    spin_unlock(&io->lock);
}

const struct mmio_device vioapic_device = {
    .covers = covers, .read = read, .write = write,
};

static int create_unit(struct domain *d, struct unit *u, unsigned int i)
{
    const struct acpi_ioapic *fact = &acpi_facts.ioapic[i];

    u->address = fact->address;
    u->id = fact->id;
    u->pins = ioapic_pins(i);
    if (u->pins > PIN_MAX) {
        u->pins = PIN_MAX;
    }
    u->pin = kmem_alloc_array(u->pins, sizeof(*u->pin));
    if (u->pin == NULL) {
        return -ENOMEM;
    }
    for (unsigned int j = 0; j < u->pins; j++) {
        u->pin[j] = (struct pin){
            .domain = d, .gsi = fact->gsi_base + j, .entry = ENTRY_MASKED,
            .action = { take_interrupt, &u->pin[j] },
        };
    }
    return 0;
}

int vioapic_create(struct domain *d)
{
    struct vioapic *io = kmem_alloc(sizeof(*io));
    int rc = 0;

    if (io == NULL) {
        return -ENOMEM;
    }
    spin_lock_init(&io->lock, LOCK_RANK_IRQ);
    for (unsigned int i = 0; i < acpi_facts.ioapic_count && rc == 0; i++) {
        rc = create_unit(d, &io->unit[i], i);
        io->count++;
    }
    d->arch->vioapic = io;
    return rc;
}
