/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a domain finds when it starts: start_info and the memory map, the
 * hypervisor's CPUID leaves, both ways to call a hypercall, version and
 * features.
 *
 * The memory map is the interesting one. Linux picks frames for foreign and
 * grant maps in holes of it and in UNUSABLE ranges; if host memory that is
 * another domain's were a hole or RESERVED, a DMA to such a frame could hit
 * it.  So in dom0's map all RAM of the host has an entry: RAM (its own),
 * ACPI (tables made for it) or UNUSABLE (all other).
 */
#include "lib/guest.h"

#include <xen/arch-x86/cpuid.h>

#define FOUR_GB (1ull << 32)
#define E820_UNUSABLE 5u
#define MAP_MAX 128u

extern const char image_start[], image_end[];

struct map_entry {
    uint64_t addr, size;
    uint32_t type;
} __attribute__((packed));

static struct map_entry *map;       /* by hypercall */
static unsigned int map_count;

static bool is_ram(uint64_t start, uint64_t end)
{
    for (unsigned int i = 0; i < map_count; i++) {
        if (map[i].type == XEN_HVM_MEMMAP_TYPE_RAM && start >= map[i].addr
            && end <= map[i].addr + map[i].size) {
            return true;
        }
    }
    return false;
}

static void test_start_info(void)
{
    const struct hvm_start_info *s = guest_info;

    guest_case(s->magic == XEN_HVM_START_MAGIC_VALUE, "start-magic", "%x",
               s->magic);
    guest_case(s->nr_modules == 0 || s->modlist_paddr != 0,
               "start-modules", "%u", s->nr_modules);
    guest_case(PTR(s) < FOUR_GB && s->cmdline_paddr < FOUR_GB, "start-low",
               "start_info %lx cmdline %lx", PTR(s),
               (uint64_t)s->cmdline_paddr);
    /* Stock Xen gives its dom0 version 0, without a map. */
    guest_case(s->version >= 1 || (guest_is_dom0 && !guest_on_gantry()),
               "start-version", "%u", s->version);
}

static void load_map(void)
{
    struct xen_memory_map m = { .nr_entries = MAP_MAX };
    long rc;

    map = guest_pages(1);
    set_xen_guest_handle_raw(m.buffer, map);
    rc = memory_op(XENMEM_memory_map, &m);
    map_count = rc == 0 ? m.nr_entries : 0;
    guest_case(rc == 0 && map_count > 0 && map_count < MAP_MAX,
               "map-hypercall", "%ld, %u entries", rc, map_count);
    m.nr_entries = 1;
    rc = memory_op(XENMEM_memory_map, &m);
    guest_case(rc == 0 && m.nr_entries == 1, "map-hypercall-short",
               "%ld, %u entries", rc, m.nr_entries);
}

static void test_map(void)
{
    uint64_t last = 0, ram = 0, unusable = 0;
    bool sorted = true;

    for (unsigned int i = 0; i < map_count; i++) {
        const struct map_entry *e = &map[i];

        sorted = sorted && e->addr >= last && e->size > 0
                 && e->addr + e->size > e->addr;
        last = e->addr + e->size;
        ram += e->type == XEN_HVM_MEMMAP_TYPE_RAM ? e->size : 0;
        unusable += e->type == E820_UNUSABLE ? e->size : 0;
        guest_log("map %016lx + %012lx type %u", (uint64_t)e->addr,
                  (uint64_t)e->size, e->type);
    }
    guest_case(sorted, "map-sorted", "%u entries", map_count);
    guest_case(ram >= 32ul << 20, "map-ram", "%lu MiB", ram >> 20);
    guest_case(is_ram(PTR(image_start), PTR(image_end)), "map-image",
               "%lx-%lx", PTR(image_start), PTR(image_end));
    guest_case(!guest_is_dom0 || unusable > 0, "map-unusable",
               "%lu MiB of others' memory", unusable >> 20);
}

/* The map of start_info is the one by hypercall. */
static void test_map_start_info(void)
{
    const struct hvm_memmap_table_entry *e
        = (const void *)guest_info->memmap_paddr;
    unsigned int same = 0;

    if (guest_info->version == 0 || guest_info->memmap_paddr == 0) {
        return;
    }
    for (unsigned int i = 0; i < min(guest_info->memmap_entries, MAP_MAX);
         i++) {
        same += i < map_count && map[i].addr == e[i].addr
                && map[i].size == e[i].size && map[i].type == e[i].type;
    }
    guest_case(same == map_count && same == guest_info->memmap_entries,
               "map-start-info", "%u of %u", same, map_count);
}

static void test_cpuid(void)
{
    uint32_t base = hypervisor_leaf;
    struct cpuid_regs r = cpuid(base, 0);

    guest_case(r.a >= base + 4, "cpuid-max", "%x", r.a);
    r = cpuid(base + 1, 0);
    guest_case(r.a == (4u << 16 | 17), "cpuid-version", "%x", r.a);
    r = cpuid(base + 2, 0);
    guest_case(r.a >= 1 && r.b != 0, "cpuid-pages", "%u, msr %x", r.a, r.b);
    r = cpuid(base + 4, 0);
    guest_case((r.a & XEN_HVM_CPUID_VCPU_ID_PRESENT) != 0 && r.b == 0,
               "cpuid-vcpu-id", "flags %x id %u", r.a, r.b);
    guest_case((r.a & XEN_HVM_CPUID_DOMID_PRESENT) != 0
               && (r.c == 0) == guest_is_dom0, "cpuid-domid", "%u", r.c);
    r = cpuid(1, 0);
    guest_case((r.c >> 31 & 1) != 0, "cpuid-hypervisor-bit", "%x", r.c);
    guest_case((r.d >> 9 & 1) != 0, "cpuid-apic", "%x", r.d);
    guest_case((r.c >> 21 & 1) != 0, "cpuid-x2apic", "%x", r.c);
    /* Not offered: MONITOR, VMX; SVM; and what needs XSAVE without it. */
    guest_case((r.c & (1u << 3 | 1u << 5)) == 0, "cpuid-no-vmx", "%x", r.c);
    guest_case((cpuid(0x80000001, 0).c & 4) == 0, "cpuid-no-svm", "%x",
               cpuid(0x80000001, 0).c);
    guest_case((r.c >> 26 & 1) != 0 || (r.c >> 28 & 1) == 0,
               "cpuid-avx-needs-xsave", "%x", r.c);
}

static long vmmcall_version(uint64_t nr)
{
    uint64_t a = XENVER_version, b = 0;
    long ret = (long)nr;

    __asm__ volatile("vmmcall" : "+a"(ret), "+D"(a), "+S"(b) : : "memory");
    return ret;
}

static void test_version(void)
{
    xen_extraversion_t *extra = guest_pages(1);
    struct xen_feature_info f = { 0 };
    char *text = guest_pages(1);

    guest_equal("version", version_op(XENVER_version, NULL), 4 << 16 | 17);
    guest_equal("version-vmmcall", vmmcall_version(__HYPERVISOR_xen_version),
                4 << 16 | 17);
    guest_equal("version-number-is-64-bit",
                vmmcall_version(1ul << 32 | __HYPERVISOR_xen_version),
                -ENOSYS);
    guest_case(version_op(XENVER_extraversion, extra) >= 0,
               "version-extra", "%s", *extra);
    guest_equal("version-pagesize", version_op(XENVER_pagesize, NULL), 4096);
    guest_case(version_op(XENVER_capabilities, text) >= 0
               && strstr(text, "hvm-3.0-x86_64") != NULL,
               "version-capabilities", "%s", text);
    guest_equal("version-features", version_op(XENVER_get_features, &f), 0);
    guest_case((f.submap >> XENFEAT_auto_translated_physmap & 1) != 0,
               "feature-auto-translated", "%x", f.submap);
    guest_case((f.submap >> XENFEAT_hvm_callback_vector & 1) != 0,
               "feature-callback-vector", "%x", f.submap);
    guest_case((f.submap >> XENFEAT_dom0 & 1) == guest_is_dom0,
               "feature-dom0", "%x", f.submap);
    /* Linux then would route a domain's interrupts by event channels. */
    guest_case(!guest_is_dom0 || (f.submap >> XENFEAT_hvm_pirqs & 1) == 0,
               "feature-no-pirqs", "%x", f.submap);
    f.submap_idx = XENFEAT_NR_SUBMAPS;
    guest_equal("version-features-index",
                version_op(XENVER_get_features, &f), -EINVAL);
    guest_equal("version-unknown", version_op(999, NULL), -ENOSYS);
    guest_equal("version-bad-pointer",
                version_op(XENVER_get_features, (void *)0x7f0000000000),
                -EFAULT);
}

static void test_unknown(void)
{
    guest_equal("hypercall-63", hypercall(63, 0, 0, 0), -ENOSYS);
    guest_equal("hypercall-set-trap-table",
                hypercall(__HYPERVISOR_set_trap_table, 0, 0, 0), -ENOSYS);
    /* We have it for builders of PV guests, the reference not from PVH. */
    guest_equal("hypercall-mmu-update",
                hypercall(__HYPERVISOR_mmu_update, 0, 0, 0),
                guest_on_gantry() ? -EINVAL : -ENOSYS);
}

/*
 * Exchanging frames means nothing to a guest whose frames are translated; the
 * order in which that and bad arguments are found is the reference's.
 */
static long exchange(struct xen_memory_exchange *e)
{
    return memory_op(XENMEM_exchange, e);
}

static void test_exchange(void)
{
    static xen_pfn_t in[4], out[4];
    struct xen_memory_exchange e = {
        .in = { .nr_extents = 4, .domid = DOMID_SELF },
        .out = { .nr_extents = 4, .domid = DOMID_SELF },
    };

    set_xen_guest_handle(e.in.extent_start, in);
    set_xen_guest_handle(e.out.extent_start, out);
    guest_equal("exchange", exchange(&e), -EOPNOTSUPP);
    guest_equal("exchange-none-done", (long)e.nr_exchanged, 0);
    e.out.nr_extents = 3;
    guest_equal("exchange-sizes", exchange(&e), -EINVAL);
    e.out.nr_extents = 4;
    e.out.domid = 0;
    guest_equal("exchange-domains", exchange(&e), -EINVAL);
    e.in.domid = e.out.domid = 77;
    guest_equal("exchange-no-domain", exchange(&e), -ESRCH);
    e.in.domid = e.out.domid = DOMID_SELF;
    e.nr_exchanged = 5;
    guest_equal("exchange-beyond", exchange(&e), -EINVAL);
    e.nr_exchanged = 0;
    e.in.extent_order = 30;
    guest_equal("exchange-order", exchange(&e), -EPERM);
    e.in.extent_order = 0;
    guest_equal("exchange-bad-pointer",
                memory_op(XENMEM_exchange, (void *)0x7f0000000000ul),
                -EFAULT);
    guest_equal("exchange-from", hypercall(__HYPERVISOR_memory_op,
                                           XENMEM_exchange | 1 << 6, PTR(&e),
                                           0), -EINVAL);
}

void guest_main(void)
{
    test_start_info();
    load_map();
    test_map();
    test_map_start_info();
    test_cpuid();
    test_version();
    test_unknown();
    test_exchange();
}
