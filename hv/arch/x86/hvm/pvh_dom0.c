/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Builds the boot domain: a PVH guest (public arch-x86/hvm/start_info.h)
 * whose memory is the host's low RAM by identity.  Talks to boot/memory.c,
 * lib/elf, dom0_acpi.c, core's domain, page_alloc and p2m.
 *
 *  1. gfn == mfn for all of dom0's RAM; host RAM that is not dom0's is
 *     UNUSABLE in its map, so no scratch frame of Linux ever falls on it.
 *  2. Nothing that the hypervisor emulates or keeps (local APIC, IO-APICs,
 *     HPET, RAM) is ever mapped by identity: pvh_dom0_is_device().
 *  3. Bad modules end the boot with one line.
 *
 *   dom0's low memory:  kernel at its own address  ...
 *       ... | boot data, ACPI tables | initrd | end of dom0's RAM below 4 GiB
 */
#include "acpi.h"
#include "boot/boot.h"
#include "core/arch.h"
#include "core/console.h"
#include "core/domain.h"
#include "core/p2m.h"
#include "core/page_alloc.h"
#include "core/physmap.h"
#include "core/sched.h"
#include "core/vcpu.h"
#include "e820.h"
#include "hvm/dom0_acpi.h"
#include "hvm/hvm.h"
#include "hvm/pvh_dom0.h"
#include "hvm/vioapic.h"
#include "hvm/vlapic.h"
#include "hvm/vpci.h"
#include "insn.h"
#include "lib/elf.h"
#include "lib/minmax.h"
#include "lib/string.h"
#include "mmu.h"
#include "uart.h"

#define RANGES_MAX 64
#define ONE_GB (1ul << 30)
#define FOUR_GB (1ul << 32)
#define MB (1ul << 20)
#define HEAP_MIN (128 * MB)         /* left to the hypervisor by default */
#define HEAP_SHARE 16               /* or this part of RAM */
#define DOM0_MIN (64 * MB)
#define IO_BITMAP_ORDER 2           /* 3 pages, and one to spare */
#define SEGMENT_FLAT_CODE 0xc9b
#define SEGMENT_FLAT_DATA 0xc93
#define SEGMENT_TSS 0x8b
#define CR0_PROTECTED 0x11u         /* PE, ET */

struct range {
    uint64_t start, end;
};

/* What start_info points at, one after the other in dom0's memory. */
struct boot_data {
    struct hvm_start_info info;
    struct hvm_modlist_entry module;
    struct hvm_memmap_table_entry map[E820_MAX];
    char cmdline[BOOT_TEXT];
};

static struct range ranges[RANGES_MAX];     /* dom0's RAM [I] */
static unsigned int range_count;
static struct e820 host_map;                /* [I] */
static struct e820 dom0_map;                /* [I] */

/* ---- memory ---- */

static uint64_t free_ram(void)
{
    uint64_t start = 0, end, sum = 0;

    while (boot_memory_next_free(&start, &end)) {
        sum += end - start;
        start = end;
    }
    return sum;
}

static uint64_t choose_size(void)
{
    uint64_t available = free_ram();
    uint64_t heap = max((uint64_t)HEAP_MIN, available / HEAP_SHARE);
    uint64_t most = available > heap ? available - heap : 0;
    uint64_t wanted = boot_options.dom0_mem & PAGE_MASK;

    if (most < DOM0_MIN) {
        panic("%lu MiB of RAM are not enough for dom0", available / MB);
    }
    if (wanted == 0) {
        return most & PAGE_MASK;
    }
    if (wanted < DOM0_MIN || wanted > most) {
        console_log(LOG_WARNING, "dom0_mem: %lu MiB cannot be, between %lu "
                    "and %lu MiB can", wanted / MB, DOM0_MIN / MB, most / MB);
    }
    return min(max(wanted, (uint64_t)DOM0_MIN), most & PAGE_MASK);
}

static void make_host_map(void)
{
    static struct e820_entry_abi raw[BOOT_RANGES];

    for (unsigned int i = 0; i < boot_info.range_count; i++) {
        raw[i] = (struct e820_entry_abi){
            .addr = boot_info.range[i].start,
            .size = boot_info.range[i].size,
            .type = boot_info.range[i].type,
        };
    }
    e820_sanitise(&host_map, raw, boot_info.range_count);
}

void pvh_dom0_reserve(void)
{
    uint64_t left, start = 0, end;

    make_host_map();
    if (boot_info.module_count == 0) {
        return;
    }
    left = choose_size();
    while (left > 0 && range_count < RANGES_MAX
           && boot_memory_next_free(&start, &end)) {
        end = min(end, start + left);
        ranges[range_count++] = (struct range){ start, end };
        boot_memory_reserve(start, end - start);
        left -= end - start;
        start = end;
    }
}

static void make_dom0_map(void)
{
    dom0_map = host_map;
    for (unsigned int i = 0; i < host_map.count; i++) {
        const struct e820_entry_abi *e = &host_map.entry[i];

        if (e->type == E820_RAM
            && e820_set(&dom0_map, e->addr, e->addr + e->size,
                        E820_UNUSABLE) != 0) {
            panic("dom0: too many memory ranges");
        }
    }
    for (unsigned int i = 0; i < range_count; i++) {
        if (e820_set(&dom0_map, ranges[i].start, ranges[i].end,
                     E820_RAM) != 0) {
            panic("dom0: too many memory ranges");
        }
    }
}

/* The largest order for a mapping of [start, end) at 'start'. */
static unsigned int order_at(uint64_t start, uint64_t end)
{
    static const unsigned int orders[] = { PAGE_ORDER_1G, PAGE_ORDER_2M };

    for (unsigned int i = 0; i < ARRAY_SIZE(orders); i++) {
        uint64_t size = PAGE_SIZE << orders[i];

        if ((start & (size - 1)) == 0 && end - start >= size
            && (orders[i] != PAGE_ORDER_1G || arch_p2m_max_leaf() >= 3)) {
            return orders[i];
        }
    }
    return PAGE_ORDER_4K;
}

static void map_range(struct domain *d, uint64_t start, uint64_t end)
{
    mfn_t first = mfn(start >> PAGE_SHIFT);
    uint64_t count = (end - start) >> PAGE_SHIFT;

    page_alloc_add(first, count, 0);
    if (!page_alloc_at(d, first, count)) {
        panic("dom0: memory at %lx is taken", start);
    }
    while (start < end) {
        unsigned int order = order_at(start, end);
        uint64_t frame = start >> PAGE_SHIFT;

        if (p2m_set(d, gfn(frame), mfn(frame), order, P2M_RAM_RW) != 0) {
            panic("dom0: no memory for its page tables");
        }
        start += PAGE_SIZE << order;
    }
}

static uint64_t map_memory(struct domain *d)
{
    uint64_t sum = 0;

    for (unsigned int i = 0; i < range_count; i++) {
        sum += ranges[i].end - ranges[i].start;
    }
    d->max_pages = sum >> PAGE_SHIFT;
    for (unsigned int i = 0; i < range_count; i++) {
        map_range(d, ranges[i].start, ranges[i].end);
    }
    return sum;
}

/* The highest place of 'size' bytes in dom0's RAM below 'limit', or 0. */
static uint64_t place_below(uint64_t size, uint64_t limit)
{
    uint64_t best = 0;

    for (unsigned int i = 0; i < range_count; i++) {
        uint64_t end = min(ranges[i].end, limit) & PAGE_MASK;

        if (end > size && end - size >= ranges[i].start) {
            best = max(best, (end - size) & PAGE_MASK);
        }
    }
    return best;
}

bool pvh_dom0_is_device(uint64_t gpa)
{
    uint64_t page = gpa & PAGE_MASK;
    unsigned int bits = cpuid(0x80000008, 0).eax & 0xff;

    if (bits < 64 && gpa >> bits != 0) {
        return false;
    }
    if (e820_has(&host_map, page, page + 1, E820_RAM)
        && e820_has(&host_map, page + PAGE_SIZE - 1, page + PAGE_SIZE,
                    E820_RAM)) {
        return false;
    }
    for (unsigned int i = 0; i < acpi_facts.ioapic_count; i++) {
        if (page == (acpi_facts.ioapic[i].address & PAGE_MASK)) {
            return false;
        }
    }
    return page != VLAPIC_BASE
           && page != (acpi_facts.lapic_address & PAGE_MASK)
           && (acpi_facts.hpet_address == 0
               || page != (acpi_facts.hpet_address & PAGE_MASK));
}

/* ---- kernel, initrd, boot data ---- */

static bool is_dom0_ram(uint64_t start, uint64_t end)
{
    return e820_is_all(&dom0_map, start, end, E820_RAM);
}

static uint64_t load_kernel(const struct boot_module *module)
{
    const char *data = mmu_direct(module->start);
    struct elf_image image;
    int rc = elf_parse(data, module->size, &image);

    if (rc != 0 && elf_is_bzimage(data, module->size)) {
        panic("dom0: the kernel is a bzImage; give the ELF file inside it "
              "(Linux: scripts/extract-vmlinux)");
    }
    if (rc != 0) {
        panic("dom0: the first module is not an x86-64 ELF kernel");
    }
    if (!image.has_entry || image.entry >= FOUR_GB) {
        panic("dom0: the kernel has no PVH entry (CONFIG_PVH)");
    }
    for (unsigned int i = 0; i < image.count; i++) {
        const struct elf_segment *s = &image.segment[i];
        char *to = mmu_direct(s->address);

        if (!is_dom0_ram(s->address, s->address + s->size)) {
            panic("dom0: the kernel needs RAM at %lx-%lx", s->address,
                  s->address + s->size);
        }
        memcpy(to, data + s->offset, s->file_size);
        memset(to + s->file_size, 0, s->size - s->file_size);
    }
    return image.entry;
}

/* Fills 'm' and returns the address below which the next thing goes. */
static uint64_t load_initrd(struct hvm_modlist_entry *m, uint64_t limit)
{
    const struct boot_module *module = &boot_info.module[1];
    uint64_t at = place_below(ALIGN_UP(module->size, PAGE_SIZE), limit);

    if (at == 0) {
        panic("dom0: no room for an initrd of %lu MiB", module->size / MB);
    }
    memcpy(mmu_direct(at), mmu_direct(module->start), module->size);
    m->paddr = at;
    m->size = module->size;
    return at;
}

static void fill_boot_data(struct boot_data *b, uint64_t at, uint64_t rsdp)
{
    bool has_initrd = b->module.size != 0;

    for (unsigned int i = 0; i < dom0_map.count; i++) {
        b->map[i] = (struct hvm_memmap_table_entry){
            .addr = dom0_map.entry[i].addr,
            .size = dom0_map.entry[i].size,
            .type = dom0_map.entry[i].type,
        };
    }
    string_copy(b->cmdline, boot_info.module[0].args, sizeof(b->cmdline));
    b->info = (struct hvm_start_info){
        .magic = XEN_HVM_START_MAGIC_VALUE,
        .version = 1,
        .flags = SIF_PRIVILEGED | SIF_INITDOMAIN,
        .nr_modules = has_initrd ? 1 : 0,
        .modlist_paddr = has_initrd ? at + offsetof(struct boot_data, module)
                                    : 0,
        .cmdline_paddr = at + offsetof(struct boot_data, cmdline),
        .rsdp_paddr = rsdp,
        .memmap_paddr = at + offsetof(struct boot_data, map),
        .memmap_entries = dom0_map.count,
    };
}

/* Everything but the kernel; the address of start_info. */
static uint64_t load_boot_data(unsigned int vcpus)
{
    uint64_t acpi_size = ALIGN_UP(dom0_acpi_size(vcpus), PAGE_SIZE);
    struct hvm_modlist_entry initrd = { 0 };
    uint64_t limit = FOUR_GB, acpi, at;
    struct boot_data *b;

    if (boot_info.module_count > 1) {
        limit = load_initrd(&initrd, limit);
    }
    acpi = place_below(acpi_size, limit);
    /* Linux reads it through tables that map the first GiB only. */
    at = place_below(ALIGN_UP(sizeof(*b), PAGE_SIZE), min(acpi, ONE_GB));
    if (acpi == 0 || at == 0) {
        panic("dom0: no room for its boot data below 1 GiB");
    }
    if (e820_set(&dom0_map, acpi, acpi + acpi_size, E820_ACPI) != 0) {
        panic("dom0: too many memory ranges");
    }
    b = mmu_direct(at);
    memset(b, 0, sizeof(*b));
    b->module = initrd;
    fill_boot_data(b, at, dom0_acpi_build(mmu_direct(acpi), acpi, vcpus));
    return at;
}

/* ---- ports ---- */

static void hide_ports(uint8_t *bitmap, unsigned int first,
                       unsigned int count)
{
    for (unsigned int port = first; port < first + count; port++) {
        bitmap[port / 8] |= (uint8_t)(1u << (port % 8));
    }
}

/* Dom0 has every port but those of what we use or emulate. */
static uint8_t *make_io_bitmap(void)
{
    uint8_t *bitmap = page_alloc_core(IO_BITMAP_ORDER);

    if (bitmap == NULL) {
        panic("dom0: no memory for its port map");
    }
    hide_ports(bitmap, 0x20, 2);        /* 8259 */
    hide_ports(bitmap, 0xa0, 2);
    hide_ports(bitmap, 0x4d0, 2);
    hide_ports(bitmap, 0x40, 4);        /* 8254 */
    hide_ports(bitmap, 0xcf8, 8);       /* PCI, by way of vpci.c */
    if (uart_is_used()) {
        hide_ports(bitmap, 0x3f8, 8);
    }
    hide_ports(bitmap, 0x10000, 8);     /* beyond the last port */
    return bitmap;
}

/* ---- the domain ---- */

static void set_entry_state(struct vcpu *v, uint64_t entry,
                            uint64_t start_info)
{
    struct hvm_state s;

    hvm_vcpu_reset(v, 0);
    hvm_ops->get_state(v, &s);
    for (unsigned int i = HVM_ES; i <= HVM_GS; i++) {
        s.segment[i] = (struct hvm_segment){
            .attr = SEGMENT_FLAT_DATA, .limit = 0xffffffff,
        };
    }
    s.segment[HVM_CS].attr = SEGMENT_FLAT_CODE;
    s.segment[HVM_TR] = (struct hvm_segment){
        .attr = SEGMENT_TSS, .limit = 0x67,
    };
    s.cr0 = CR0_PROTECTED;
    hvm_ops->set_state(v, &s);
    v->arch->regs.gpr[HVM_RBX] = start_info;
    v->arch->regs.rip = entry;
}

static struct domain *make_domain(unsigned int vcpus)
{
    struct xen_domctl_createdomain config = {
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
        .max_vcpus = vcpus,
        .max_evtchn_port = -1,
        .max_grant_frames = 64,
        .max_maptrack_frames = 1024,
        .arch = { .emulation_flags = XEN_X86_EMU_LAPIC
                                     | XEN_X86_EMU_IOAPIC
                                     | XEN_X86_EMU_VPCI },
    };
    struct domain *d;
    int rc = domain_create(0, &config, true, &d);

    if (rc != 0) {
        panic("dom0: domain_create: error %d", rc);
    }
    dom0 = d;
    d->is_direct_mapped = true;
    d->arch->io_bitmap = make_io_bitmap();
    for (unsigned int i = 0; i < vcpus; i++) {
        rc = vcpu_create(d, i);
        if (rc != 0) {
            panic("dom0: vcpu %u: error %d", i, rc);
        }
    }
    if (vioapic_create(d) != 0 || vpci_create(d) != 0) {
        panic("dom0: no memory for its devices");
    }
    return d;
}

struct domain *pvh_dom0_create(void)
{
    unsigned int vcpus = boot_options.dom0_max_vcpus == 0
                         ? sched_cpu_count() : boot_options.dom0_max_vcpus;
    uint64_t start_info, entry, size;
    struct domain *d;

    d = make_domain(vcpus);
    make_dom0_map();
    size = map_memory(d);
    entry = load_kernel(&boot_info.module[0]);
    start_info = load_boot_data(vcpus);
    if (physmap_set_e820(d, dom0_map.entry, dom0_map.count) != 0) {
        panic("dom0: no memory for its memory map");
    }
    set_entry_state(d->vcpu[0], entry, start_info);
    d->vcpu[0]->is_initialised = true;
    (void)vcpu_up(d->vcpu[0]);
    console_log(LOG_INFO, "dom0: PVH, %u vcpus, %lu MiB, entry %lx", vcpus,
                size / MB, entry);
    return d;
}
