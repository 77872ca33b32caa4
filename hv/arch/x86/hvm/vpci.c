/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Dom0's PCI configuration space: the host's, except the MSI and MSI-X
 * capabilities and the MSI-X tables.  Dom0 writes the message that it wants;
 * the device gets one of ours (a host vector), whose handler delivers dom0's.
 * Talks to pci.c, irq.c, vlapic.c; vpci_caps.c finds the capabilities.
 *
 *  1. A device never sees an address or data that dom0 wrote.
 *  2. MSI-X table pages are never in dom0's p2m; whatever else lies in these
 *     pages is forwarded register by register.
 *  3. One vector for an MSI capability: multiple message capable reads 0.
 *  4. A message has a host vector while the capability is enabled, from when
 *     it is first unmasked; a masked one keeps it, for what came just
 *     before must not be lost.
 *  5. vpci->lock guards all; a function's record is made at the first access
 *     to it and lives for ever.
 */
#include "acpi.h"
#include "core/arch.h"
#include "core/console.h"
#include "core/kmem.h"
#include "core/lock.h"
#include "core/p2m.h"
#include "hvm/mmio.h"
#include "hvm/vlapic.h"
#include "hvm/vpci.h"
#include "hvm/vpci_caps.h"
#include "insn.h"
#include "irq.h"
#include "lib/errno.h"
#include "lib/nospec.h"
#include "lib/spinlock.h"
#include "mmu.h"
#include "pci.h"

#define PORT_ADDRESS 0xcf8
#define PORT_DATA 0xcfc
#define ADDRESS_ENABLE 0x80000000u

#define REG_COMMAND 0x04
#define COMMAND_MEMORY 2u
#define REG_BAR 0x10
#define REG_BAR_END 0x28
#define BAR_IS_IO 1u
#define BAR_IS_64 4u

#define MSI_ENABLE (1u << 16)
#define MSI_MULTIPLE (0x7eu << 16)      /* capable and enabled counts */
#define MSIX_ENABLE (1u << 31)
#define MSIX_ENTRY_SIZE 16
#define MSIX_MASKED 1u

#define MESSAGE_BASE 0xfee00000u

/* One message: what dom0 wrote and the host vector behind it. */
struct message {
    struct domain *domain;      /* [I] */
    uint64_t address;
    uint32_t data;
    uint32_t control;           /* MSI-X: bit 0 masked */
    int vector;                 /* host vector, 0: none */
    struct irq_action action;   /* [I] */
};

struct function {
    struct function *next;      /* all with MSI-X */
    pci_bdf_t bdf;              /* [I] */
    struct vpci_caps caps;      /* [I] */
    struct message msi;
    bool msi_enabled, msix_enabled;
    struct message *entry;      /* MSI-X: caps.msix_count, made when used */
    uint64_t table;             /* its address now, 0: not decoded */
    uint64_t pages_at;          /* where its pages were when last used */
    volatile uint8_t *pages;    /* these pages, mapped */
};

struct vpci {
    spinlock_t lock;            /* LOCK_RANK_IRQ */
    struct domain *domain;      /* [I] */
    uint32_t address;           /* dom0's 0xcf8 */
    struct function *msix;      /* list */
    struct function **bus[256]; /* by bus, then devfn */
};

/* ---- messages ---- */

static void take_interrupt(void *arg)
{
    struct message *msg = arg;
    struct vpci *vpci = msg->domain->arch->vpci;
    struct vpci_msi_target t;
    struct vlapic_message m;
    bool is_bound;

    spin_lock(&vpci->lock);
    t = vpci_msi_decode(msg->address, msg->data);
    is_bound = msg->vector != 0;
    spin_unlock(&vpci->lock);
    if (!is_bound) {
        return;                 /* it was under way when that ended */
    }
    m = (struct vlapic_message){
        .dest = t.dest, .vector = t.vector, .mode = t.mode,
        .is_logical = t.is_logical, .is_level = t.is_level,
    };
    (void)vlapic_deliver(msg->domain, &m);
}

/* The host's address for a message that dom0 sends to 'address'. */
static uint32_t host_address(const struct message *msg)
{
    uint32_t dest = (uint32_t)(msg->address >> 12) & 0xff;
    struct domain *d = msg->domain;
    uint32_t target = irq_target(0);

    if (!(msg->address & 4) && dest / 2 < d->max_vcpus
        && d->vcpu[dest / 2] != NULL) {
        target = irq_target(d->vcpu[dest / 2]->sched.cpu);
    }
    return MESSAGE_BASE | (target & 0xff) << 12;
}

/* Makes sure of a host vector: false when none is left. */
static bool bind(struct message *msg)
{
    if (msg->vector == 0) {
        msg->vector = irq_alloc_vector(&msg->action);
    }
    if (msg->vector < 0) {
        msg->vector = 0;
        console_log(LOG_ERROR, "no host vector for a device's message");
        return false;
    }
    return true;
}

/* The device sends it no more. */
static void unbind(struct message *msg)
{
    if (msg->vector != 0) {
        irq_free_vector((unsigned int)msg->vector);
        msg->vector = 0;
    }
}

static void init_message(struct message *msg, struct domain *d)
{
    msg->domain = d;
    msg->action = (struct irq_action){ take_interrupt, msg };
}

/* ---- MSI ---- */

static unsigned int msi_data_reg(const struct vpci_caps *caps)
{
    return caps->msi + (caps->msi_has_64 ? 12u : 8u);
}

static void msi_program(struct function *f)
{
    const struct vpci_caps *caps = &f->caps;

    if (!bind(&f->msi)) {
        return;
    }
    pci_write(f->bdf, caps->msi + 4u, 4, host_address(&f->msi));
    if (caps->msi_has_64) {
        pci_write(f->bdf, caps->msi + 8u, 4, 0);
    }
    pci_write(f->bdf, msi_data_reg(caps), 2, (uint32_t)f->msi.vector);
}

static uint32_t msi_read(struct function *f, unsigned int reg, uint32_t raw)
{
    unsigned int offset = reg - f->caps.msi;

    if (offset == 0) {
        return (raw & ~MSI_MULTIPLE & ~MSI_ENABLE)
               | (f->caps.msi_has_64 ? 1u << 23 : 0)
               | (f->msi_enabled ? MSI_ENABLE : 0);
    }
    if (offset == 4) {
        return (uint32_t)f->msi.address;
    }
    if (offset == 8 && f->caps.msi_has_64) {
        return (uint32_t)(f->msi.address >> 32);
    }
    return reg == msi_data_reg(&f->caps) ? (raw & 0xffff0000) | f->msi.data
                                         : raw;
}

static void msi_write(struct function *f, unsigned int reg, uint32_t value)
{
    unsigned int offset = reg - f->caps.msi;
    uint64_t high = f->msi.address >> 32 << 32;

    if (offset == 0) {
        f->msi_enabled = (value & MSI_ENABLE) != 0;
        if (f->msi_enabled) {
            msi_program(f);
        }
        pci_write(f->bdf, f->caps.msi + 2u, 2,
                  f->msi_enabled && f->msi.vector != 0 ? 1 : 0);
        if (!f->msi_enabled) {
            unbind(&f->msi);
        }
        return;
    }
    if (offset == 4) {
        f->msi.address = high | (value & ~3u);
    } else if (offset == 8 && f->caps.msi_has_64) {
        f->msi.address = (f->msi.address & 0xffffffff)
                         | (uint64_t)value << 32;
    } else if (reg == msi_data_reg(&f->caps)) {
        f->msi.data = value & 0xffff;
    } else {
        pci_write(f->bdf, reg, 4, value);       /* mask bits */
        return;
    }
    if (f->msi_enabled) {
        msi_program(f);
    }
}

/* Is 'reg' one of the MSI capability's? */
static bool in_msi(const struct vpci_caps *caps, unsigned int reg)
{
    unsigned int size = caps->msi_has_64 ? 16 : 12;

    if (caps->msi_has_mask) {
        size += 8;
    }
    return caps->msi != 0 && reg - caps->msi < size;
}

/* ---- MSI-X ---- */

/* Where the table is while the function decodes memory, else 0. */
static uint64_t table_address(const struct function *f)
{
    unsigned int reg = REG_BAR + f->caps.msix_bir * 4u;
    uint32_t low = pci_read(f->bdf, reg, 4);
    uint64_t base = low & ~15u;

    if (!(pci_read(f->bdf, REG_COMMAND, 2) & COMMAND_MEMORY)
        || (low & BAR_IS_IO)) {
        return 0;
    }
    if ((low & 6) == BAR_IS_64) {
        base |= (uint64_t)pci_read(f->bdf, reg + 4, 4) << 32;
    }
    return base == 0 ? 0 : base + f->caps.msix_offset;
}

static uint64_t table_end(const struct function *f)
{
    return f->table + f->caps.msix_count * MSIX_ENTRY_SIZE;
}

/*
 * The BARs or the command changed: true if the table moved and its pages
 * must leave the p2m.
 */
static bool follow_table(struct function *f)
{
    uint64_t now = f->caps.msix == 0 ? 0 : table_address(f);
    bool moved = now != f->table;

    f->table = now;
    return moved && now != 0;
}

/*
 * A register in the table's pages, which it decodes now.  They are mapped when
 * used at a new place only: there is no way to unmap, and decoding is switched
 * off and on for every scan of the bus, reset and change of driver.
 */
static volatile void *table_register(struct function *f, uint64_t address)
{
    uint64_t at = f->table & PAGE_MASK;

    if (f->pages == NULL || f->pages_at != at) {
        f->pages = mmu_map_device(at, table_end(f) - at);
        f->pages_at = at;
    }
    return f->pages + (address - at);
}

static void entry_program(struct function *f, unsigned int i)
{
    struct message *msg = &f->entry[i];
    volatile uint32_t *regs;

    if (f->table == 0) {
        return;
    }
    regs = table_register(f, f->table + i * MSIX_ENTRY_SIZE);
    regs[3] = MSIX_MASKED;
    if (!f->msix_enabled || (msg->control & MSIX_MASKED) || !bind(msg)) {
        return;
    }
    regs[0] = host_address(msg);
    regs[1] = 0;
    regs[2] = (uint32_t)msg->vector;
    regs[3] = 0;
}

/* The entries' records: false when memory is out. */
static bool make_entries(struct function *f)
{
    if (f->entry != NULL) {
        return true;
    }
    f->entry = kmem_alloc_array(f->caps.msix_count, sizeof(*f->entry));
    for (unsigned int i = 0; f->entry != NULL && i < f->caps.msix_count;
         i++) {
        init_message(&f->entry[i], f->msi.domain);
        f->entry[i].control = MSIX_MASKED;
    }
    return f->entry != NULL;
}

/* Those that dom0 did not mask get their vectors. */
static void entries_program(struct function *f)
{
    for (unsigned int i = 0; f->entry != NULL && i < f->caps.msix_count;
         i++) {
        if (!(f->entry[i].control & MSIX_MASKED)) {
            entry_program(f, i);
        }
    }
}

static void entries_unbind(struct function *f)
{
    for (unsigned int i = 0; f->entry != NULL && i < f->caps.msix_count;
         i++) {
        if (f->entry[i].vector != 0) {
            entry_program(f, i);        /* masks it */
            unbind(&f->entry[i]);
        }
    }
}

static void msix_write(struct function *f, unsigned int reg, uint32_t value)
{
    bool was_enabled = f->msix_enabled;

    if (reg != f->caps.msix) {
        return;
    }
    f->msix_enabled = (value & MSIX_ENABLE) != 0;
    if (f->msix_enabled && !was_enabled) {
        entries_program(f);
    }
    pci_write(f->bdf, reg + 2, 2, value >> 16);
    if (!f->msix_enabled) {
        entries_unbind(f);
    }
}

static uint32_t table_read(struct function *f, uint64_t offset)
{
    const struct message *msg;
    size_t i = index_nospec(offset / MSIX_ENTRY_SIZE, f->caps.msix_count);

    if (!make_entries(f)) {
        return 0xffffffff;
    }
    msg = &f->entry[i];
    switch (offset & 12) {
    case 0:
        return (uint32_t)msg->address;
    case 4:
        return (uint32_t)(msg->address >> 32);
    case 8:
        return msg->data;
    default:
        return msg->control;
    }
}

static void table_write(struct function *f, uint64_t offset, uint32_t value)
{
    size_t i = index_nospec(offset / MSIX_ENTRY_SIZE, f->caps.msix_count);
    struct message *msg;

    if (!make_entries(f)) {
        return;
    }
    msg = &f->entry[i];
    switch (offset & 12) {
    case 0:
        msg->address = (msg->address >> 32 << 32) | (value & ~3u);
        break;
    case 4:
        msg->address = (msg->address & 0xffffffff) | (uint64_t)value << 32;
        break;
    case 8:
        msg->data = value;
        break;
    default:
        msg->control = value & MSIX_MASKED;
        entry_program(f, (unsigned int)i);
        return;
    }
    if (!(msg->control & MSIX_MASKED)) {
        entry_program(f, (unsigned int)i);
    }
}

/* ---- the table's pages ---- */

static struct function *find_table(struct vpci *vpci, uint64_t gpa)
{
    for (struct function *f = vpci->msix; f != NULL; f = f->next) {
        if (f->table != 0 && gpa >= (f->table & PAGE_MASK)
            && gpa < ((table_end(f) + PAGE_SIZE - 1) & PAGE_MASK)) {
            return f;
        }
    }
    return NULL;
}

static bool table_covers(struct vcpu *v, uint64_t gpa)
{
    struct vpci *vpci = v->domain->arch->vpci;
    bool found;

    if (vpci == NULL) {
        return false;
    }
    spin_lock(&vpci->lock);
    found = find_table(vpci, gpa) != NULL;
    spin_unlock(&vpci->lock);
    return found;
}

/* Registers beside the table, in the same pages. */
static uint64_t neighbour_read(struct function *f, uint64_t gpa,
                               unsigned int size)
{
    volatile void *at = table_register(f, gpa);

    switch (size) {
    case 1:
        return *(volatile uint8_t *)at;
    case 2:
        return *(volatile uint16_t *)at;
    case 4:
        return *(volatile uint32_t *)at;
    default:
        return *(volatile uint64_t *)at;
    }
}

static void neighbour_write(struct function *f, uint64_t gpa,
                            unsigned int size, uint64_t value)
{
    volatile void *at = table_register(f, gpa);

    switch (size) {
    case 1:
        *(volatile uint8_t *)at = (uint8_t)value;
        return;
    case 2:
        *(volatile uint16_t *)at = (uint16_t)value;
        return;
    case 4:
        *(volatile uint32_t *)at = (uint32_t)value;
        return;
    default:
        *(volatile uint64_t *)at = value;
        return;
    }
}

static uint64_t table_mmio_read(struct vcpu *v, uint64_t gpa,
                                unsigned int size)
{
    struct vpci *vpci = v->domain->arch->vpci;
    struct function *f;
    uint64_t value = ~0ull;

    spin_lock(&vpci->lock);
    f = find_table(vpci, gpa);
    if (f == NULL) {
        value = ~0ull;
    } else if (gpa < f->table || gpa >= table_end(f)) {
        value = neighbour_read(f, gpa, size);
    } else if (size >= 4) {
        value = table_read(f, gpa - f->table);
        if (size == 8) {
            value |= (uint64_t)table_read(f, gpa - f->table + 4) << 32;
        }
    }
    spin_unlock(&vpci->lock);
    return value;
}

static void table_mmio_write(struct vcpu *v, uint64_t gpa, unsigned int size,
                             uint64_t value)
{
    struct vpci *vpci = v->domain->arch->vpci;
    struct function *f;

    spin_lock(&vpci->lock);
    f = find_table(vpci, gpa);
    if (f == NULL) {
        /* Moved away meanwhile. */
    } else if (gpa < f->table || gpa >= table_end(f)) {
        neighbour_write(f, gpa, size, value);
    } else if (size >= 4) {
        table_write(f, gpa - f->table, (uint32_t)value);
        if (size == 8) {
            table_write(f, gpa - f->table + 4, (uint32_t)(value >> 32));
        }
    }
    spin_unlock(&vpci->lock);
}

const struct mmio_device vpci_table_device = {
    .covers = table_covers, .read = table_mmio_read,
    .write = table_mmio_write,
};

/* ---- configuration space ---- */

static uint32_t read_caps(void *arg, unsigned int reg)
{
    const struct function *f = arg;

    return pci_read(f->bdf, reg, 4);
}

/* The record of a function, made now if the device exists; or NULL. */
static struct function *find_function(struct vpci *vpci, pci_bdf_t bdf)
{
    unsigned int bus = bdf.v >> 8, devfn = bdf.v & 0xff;
    struct function *f;

    if (vpci->bus[bus] == NULL) {
        if (pci_read(bdf, 0, 2) == 0xffff) {
            return NULL;
        }
        vpci->bus[bus] = kmem_alloc_array(256, sizeof(*vpci->bus[bus]));
        if (vpci->bus[bus] == NULL) {
            return NULL;
        }
    }
    f = vpci->bus[bus][devfn];
    if (f != NULL || pci_read(bdf, 0, 2) == 0xffff) {
        return f;
    }
    f = kmem_alloc(sizeof(*f));
    if (f == NULL) {
        return NULL;
    }
    f->bdf = bdf;
    init_message(&f->msi, vpci->domain);
    vpci_caps_find(read_caps, f, &f->caps);
    if (f->caps.msix != 0) {
        f->msix_enabled = pci_read(bdf, f->caps.msix, 4) & MSIX_ENABLE;
        f->next = vpci->msix;
        vpci->msix = f;
        (void)follow_table(f);
    }
    vpci->bus[bus][devfn] = f;
    return f;
}

static uint32_t read_dword(struct vpci *vpci, pci_bdf_t bdf,
                           unsigned int reg)
{
    struct function *f = find_function(vpci, bdf);
    uint32_t raw = pci_read(bdf, reg, 4);

    return f != NULL && in_msi(&f->caps, reg) ? msi_read(f, reg, raw) : raw;
}

static uint32_t size_mask(unsigned int size)
{
    return size >= 4 ? 0xffffffff : (1u << (size * 8)) - 1;
}

static uint32_t config_read(struct vpci *vpci, pci_bdf_t bdf,
                            unsigned int reg, unsigned int size)
{
    struct function *f;
    uint32_t value;

    spin_lock(&vpci->lock);
    f = find_function(vpci, bdf);
    if (f != NULL && in_msi(&f->caps, reg & ~3u)) {
        value = read_dword(vpci, bdf, reg & ~3u) >> ((reg & 3) * 8);
    } else {
        value = pci_read(bdf, reg, size);
    }
    spin_unlock(&vpci->lock);
    return value & size_mask(size);
}

/* A write into a capability of ours: true if it was one. */
static bool write_capability(struct vpci *vpci, struct function *f,
                             unsigned int reg, unsigned int size,
                             uint32_t value)
{
    unsigned int dword = reg & ~3u, shift = (reg & 3) * 8;
    uint32_t old, mask = size_mask(size) << shift;

    if (!in_msi(&f->caps, dword)
        && (f->caps.msix == 0 || dword != f->caps.msix)) {
        return false;
    }
    old = read_dword(vpci, f->bdf, dword);
    value = (old & ~mask) | ((value << shift) & mask);
    if (dword == f->caps.msix) {
        msix_write(f, dword, value);
    } else {
        msi_write(f, dword, value);
    }
    return true;
}

static void unmap_table(struct domain *d, uint64_t from, uint64_t end)
{
    for (uint64_t at = from & PAGE_MASK; at < end; at += PAGE_SIZE) {
        (void)p2m_remove(d, gfn(at >> PAGE_SHIFT), 0);
    }
}

static void config_write(struct vpci *vpci, pci_bdf_t bdf, unsigned int reg,
                         unsigned int size, uint32_t value)
{
    struct function *f;
    uint64_t from = 0, end = 0;

    spin_lock(&vpci->lock);
    f = find_function(vpci, bdf);
    if (f == NULL || !write_capability(vpci, f, reg, size, value)) {
        pci_write(bdf, reg, size, value);
        if (f != NULL && (reg < REG_BAR_END) && follow_table(f)) {
            from = f->table;
            end = table_end(f);
        }
    }
    spin_unlock(&vpci->lock);
    unmap_table(vpci->domain, from, end);
}

void vpci_port(struct vcpu *v, uint16_t port, unsigned int size, bool in,
               uint32_t *value)
{
    struct vpci *vpci = v->domain->arch->vpci;
    pci_bdf_t bdf = { (uint16_t)(vpci->address >> 8) };
    /* Bits 24-27: of an extended register, on AMD's. */
    unsigned int reg = (vpci->address >> 16 & 0xf00) | (vpci->address & 0xfc)
                       | (port & 3);

    if (port == PORT_ADDRESS && size == 4) {
        if (in) {
            *value = vpci->address;
        } else {
            vpci->address = *value;
        }
        return;
    }
    if (port >= PORT_DATA && (vpci->address & ADDRESS_ENABLE)
        && (port & 3) + size <= 4) {
        if (in) {
            *value = config_read(vpci, bdf, reg, size);
        } else {
            config_write(vpci, bdf, reg, size, *value);
        }
        return;
    }
    /* 0xcf9 is the chipset's reset control. */
    if (size == 1 && port < PORT_DATA) {
        if (in) {
            *value = inb(port);
        } else {
            outb(port, (uint8_t)*value);
        }
    } else if (in) {
        *value = 0xffffffff;
    }
}

/* ---- MMCONFIG ---- */

static bool ecam_covers(struct vcpu *v, uint64_t gpa)
{
    uint64_t buses = acpi_facts.mcfg_bus_end + 1ull;

    return v->domain->arch->vpci != NULL && acpi_facts.mcfg_base != 0
           && gpa >= acpi_facts.mcfg_base
           && gpa < acpi_facts.mcfg_base + (buses << 20);
}

static uint64_t ecam_read(struct vcpu *v, uint64_t gpa, unsigned int size)
{
    uint64_t offset = gpa - acpi_facts.mcfg_base;
    pci_bdf_t bdf = { (uint16_t)(offset >> 12) };

    if (size > 4 || (offset & 3) + size > 4) {
        return ~0ull;
    }
    return config_read(v->domain->arch->vpci, bdf, offset & 0xfff, size);
}

static void ecam_write(struct vcpu *v, uint64_t gpa, unsigned int size,
                       uint64_t value)
{
    uint64_t offset = gpa - acpi_facts.mcfg_base;
    pci_bdf_t bdf = { (uint16_t)(offset >> 12) };

    if (size <= 4 && (offset & 3) + size <= 4) {
        config_write(v->domain->arch->vpci, bdf, offset & 0xfff, size,
                     (uint32_t)value);
    }
}

const struct mmio_device vpci_ecam_device = {
    .covers = ecam_covers, .read = ecam_read, .write = ecam_write,
};

int vpci_create(struct domain *d)
{
    struct vpci *vpci = kmem_alloc(sizeof(*vpci));

    if (vpci == NULL) {
        return -ENOMEM;
    }
    spin_lock_init(&vpci->lock, LOCK_RANK_IRQ);
    vpci->domain = d;
    d->arch->vpci = vpci;
    return 0;
}
