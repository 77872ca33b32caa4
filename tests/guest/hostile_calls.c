/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A domain that calls everything with garbage.  The hypervisor answers with
 * an error or does something harmless; it never panics, hangs or takes
 * long.  What a call answers is not the point here, that the next one still
 * works is: each block ends with a version call.
 *
 *  1. Frames in the garbage are below 16, domains are absent ones, so that
 *     what succeeds by chance hurts nothing that the kernel needs.
 *  2. Calls that would rightly end the kernel are left out: see is_deadly().
 */
#include "lib/guest.h"

#include <xen/arch-x86/xen-mca.h>

#define SUB_OPS 128u
#define SLOW_US 20000000u       /* a busy host under emulation */
#define VERSION (4 << 16 | 17)

static const uint64_t bad_pointers[] = {
    0, 1, 0x7f0000000000, 0x7ffffffffffc, 0x7fffffffffff, 0x800000000000,
    0xffff800000000000, 0xffff800000200000, 0xffffffff80200000,
    0xffffffff80000ff8, 0xfffffffffffff000, 0xfffffffffffffff8,
    0xffffffffffffffff, 0xfffffffc, 0xfee00000, 0xfee00ffc, 0xfec00000,
    0xfffff000, 0xb0000000, 0xdead000000000000,
};

static const uint64_t numbers[] = {
    0, 1, 2, 3, 8, 15, 64, 0x7ff0, 0x7ff1, 0x7ff2, 0x7ff4, 0xffff,
    0x7fffffff, 0x80000000, 0xffffffff, 0x100000000, 0x7fffffffffffffff,
    0x8000000000000000, 0xffffffffffffffff,
};

static uint64_t seed = 88172645463325252ull;
static uint64_t *page;          /* and a second after it */
static bool is_traced;          /* say each call: argument is the target */
static uint64_t slowest;
static unsigned int slowest_nr, slowest_op;

static uint64_t random(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return seed;
}

static uint64_t random_number(void)
{
    return numbers[random() % ARRAY_SIZE(numbers)];
}

static long call(uint64_t nr, const uint64_t a[6])
{
    register uint64_t r10 __asm__("r10") = a[3];
    register uint64_t r8 __asm__("r8") = a[4];
    register uint64_t r9 __asm__("r9") = a[5];
    uint64_t rdi = a[0], rsi = a[1], rdx = a[2];
    uint64_t start = rdtsc(), spent;
    long ret = (long)nr;

    if (is_traced) {
        guest_log("%lu(%lx %lx %lx) %016lx %016lx %016lx %016lx %016lx", nr,
                  a[0], a[1], a[2], page[0], page[1], page[2], page[3],
                  page[4]);
    }
    __asm__ volatile("vmmcall"
                     : "+a"(ret), "+D"(rdi), "+S"(rsi), "+d"(rdx), "+r"(r10),
                       "+r"(r8), "+r"(r9) : : "memory", "rcx", "r11");
    spent = rdtsc() - start;
    if (spent > slowest) {
        slowest = spent;
        slowest_nr = (unsigned int)nr;
        slowest_op = (unsigned int)a[0];
    }
    return ret;
}

/* It still answers. */
static void alive(const char *name)
{
    guest_equal(name, version_op(XENVER_version, NULL), VERSION);
}

/* Ends or blocks the caller by design, or uses the machine itself. */
static bool is_deadly(unsigned int nr, uint64_t op)
{
    op &= 0xffffffff;
    switch (nr) {
    case __HYPERVISOR_sched_op:
        /* block, shutdown, poll, remote_shutdown, shutdown_code, watchdog */
        return op >= 1 && op <= 6;
    case __HYPERVISOR_sched_op_compat:
        return true;
    case __HYPERVISOR_vcpu_op:
        return op <= 2;             /* initialise, up, down */
    case __HYPERVISOR_console_io:
        return op == CONSOLEIO_write;
    case __HYPERVISOR_kexec_op:
        return true;
    case __HYPERVISOR_physdev_op:
        /* Xen 4.17.7 page-faults when a device that it hides is removed. */
        return !guest_on_gantry() && (op == PHYSDEVOP_manage_pci_remove
                                      || op == PHYSDEVOP_pci_device_remove);
    default:
        return false;
    }
}

/* ---- every number, with garbage in all registers ---- */

static void test_numbers(void)
{
    static const uint64_t odd[] = {
        64, 127, 128, 255, 4096, 0x7fffffff, 0x80000000, 0xffffffff,
        0x100000000, 0xffffffffffffffff, 0x4000000000000000,
    };
    uint64_t a[6];

    for (unsigned int nr = 0; nr < 64; nr++) {
        for (unsigned int i = 0; i < 200; i++) {
            for (unsigned int k = 0; k < 6; k++) {
                a[k] = random() % 3 == 0
                       ? bad_pointers[random() % ARRAY_SIZE(bad_pointers)]
                       : random_number();
            }
            if (!is_deadly(nr, a[0])) {
                (void)call(nr, a);
            }
        }
    }
    alive("numbers");
    for (unsigned int i = 0; i < ARRAY_SIZE(odd); i++) {
        if ((uint32_t)odd[i] != 0) {
            (void)call(odd[i], a);
        }
    }
    alive("numbers-odd");
}

/* ---- every sub-operation, with bad pointers, then bad structures ---- */

struct target {
    unsigned int nr;
    const char *name;
};

static const struct target targets[] = {
    { __HYPERVISOR_memory_op, "memory" },
    { __HYPERVISOR_xen_version, "version" },
    { __HYPERVISOR_console_io, "console" },
    { __HYPERVISOR_grant_table_op, "grant" },
    { __HYPERVISOR_vm_assist, "assist" },
    { __HYPERVISOR_vcpu_op, "vcpu" },
    { __HYPERVISOR_sched_op, "sched" },
    { __HYPERVISOR_event_channel_op, "evtchn" },
    { __HYPERVISOR_physdev_op, "physdev" },
    { __HYPERVISOR_hvm_op, "hvm" },
};

/* Where a hypercall takes its structure, and what the others are. */
static void fill(uint64_t a[6], unsigned int nr, uint64_t op, uint64_t p)
{
    bool third = nr == __HYPERVISOR_vcpu_op || nr == __HYPERVISOR_console_io;

    memset(a, 0, 6 * sizeof(a[0]));
    a[0] = op;
    a[1] = third ? random_number() : p;
    a[2] = third ? p : random_number();
    if (nr == __HYPERVISOR_grant_table_op) {
        /* A list that fits, or none: a status is written into each entry. */
        a[2] = random() % 4 != 0 ? random() % 16 : 0x80000000 | random();
    }
}

static void test_pointers(const struct target *t)
{
    char name[64];
    uint64_t a[6];

    for (uint64_t op = 0; op < SUB_OPS; op++) {
        for (unsigned int i = 0; i < ARRAY_SIZE(bad_pointers); i++) {
            fill(a, t->nr, op, bad_pointers[i]);
            if (!is_deadly(t->nr, op)) {
                (void)call(t->nr, a);
            }
        }
    }
    snprintf(name, sizeof(name), "pointers-%s", t->name);
    alive(name);
}

/* A structure of small numbers, some of them pointers to more of it. */
static void fill_page(void)
{
    unsigned int kind = random() % 4;

    for (unsigned int i = 0; i < 64; i++) {
        switch (random() % (kind + 2)) {
        case 0:
            page[i] = random() % 16;
            break;
        case 1:
            page[i] = random() % 16 | (random() % 16) << 32;
            break;
        case 2:
            page[i] = 0x7ff0;       /* DOMID_SELF */
            break;
        case 3:
            page[i] = random_number();
            break;
        default:
            page[i] = 0x7ff0 | (random() % 16) << 16 | random() << 60;
            break;
        }
    }
}

static void test_structures(const struct target *t)
{
    char name[64];
    uint64_t a[6];

    is_traced = guest_has_arg(t->name);
    for (uint64_t op = 0; op < SUB_OPS; op++) {
        for (unsigned int i = 0; i < 24; i++) {
            fill_page();
            fill(a, t->nr, op, PTR(page));
            if (random() % 8 == 0) {
                a[0] |= (random() & 0xffffffff) << 32;
            }
            if (!is_deadly(t->nr, op)) {
                (void)call(t->nr, a);
            }
        }
    }
    is_traced = false;
    snprintf(name, sizeof(name), "structures-%s", t->name);
    alive(name);
}

/* ---- control operations ---- */

/* sysctl: debug_keys (its keys reboot), page_offline, cpu_hotplug. */
static bool is_deadly_sysctl(uint32_t cmd)
{
    return cmd == XEN_SYSCTL_debug_keys
           || (!guest_on_gantry() && (cmd == 14 || cmd == 20 || cmd == 27
                                      || cmd == 2));
}

/* platform_op: acpi sleep; on the reference also what it really does. */
static bool is_deadly_platform(uint32_t cmd)
{
    return cmd == XENPF_enter_acpi_sleep
           || (!guest_on_gantry() && cmd >= 54 && cmd <= 60);
}

static void control(unsigned int nr, uint32_t cmd, uint32_t version)
{
    uint32_t *words = (uint32_t *)page;
    uint64_t a[6] = { PTR(page) };

    for (unsigned int i = 0; i < 24; i++) {
        fill_page();
        words[0] = cmd;
        words[1] = version;
        if (nr == __HYPERVISOR_domctl) {
            words[2] = 100 + random() % 16;
        }
        (void)call(nr, a);
    }
}

static void test_control(void)
{
    uint64_t a[6];

    for (uint32_t cmd = 0; cmd < SUB_OPS; cmd++) {
        if (!is_deadly_sysctl(cmd)) {
            control(__HYPERVISOR_sysctl, cmd, XEN_SYSCTL_INTERFACE_VERSION);
        }
    }
    alive("control-sysctl");
    for (uint32_t cmd = 0; cmd < SUB_OPS; cmd++) {
        if (!is_deadly_platform(cmd)) {
            control(__HYPERVISOR_platform_op, cmd,
                    XENPF_INTERFACE_VERSION);
        }
    }
    alive("control-platform");
    for (uint32_t cmd = 2; cmd < SUB_OPS; cmd++) {
        control(__HYPERVISOR_domctl, cmd, XEN_DOMCTL_INTERFACE_VERSION);
    }
    alive("control-domctl");
    for (unsigned int i = 0; i < ARRAY_SIZE(bad_pointers); i++) {
        memset(a, 0, sizeof(a));
        a[0] = bad_pointers[i];
        (void)call(__HYPERVISOR_sysctl, a);
        (void)call(__HYPERVISOR_domctl, a);
        (void)call(__HYPERVISOR_platform_op, a);
        (void)call(__HYPERVISOR_mca, a);
        (void)call(__HYPERVISOR_xsm_op, a);
    }
    alive("control-pointers");
}

/* ---- multicalls ---- */

static void test_multicall(void)
{
    struct multicall_entry *list = guest_pages(2);
    struct multicall_entry *last;
    uint64_t a[6] = { PTR(list), 4 };
    unsigned int right = 0;

    for (unsigned int i = 0; i < 100; i++) {
        list[i] = (struct multicall_entry){ .op = __HYPERVISOR_xen_version };
    }
    a[1] = 100;
    guest_equal("multicall", call(__HYPERVISOR_multicall, a), 0);
    for (unsigned int i = 0; i < 100; i++) {
        right += list[i].result == VERSION;
    }
    guest_equal("multicall-results", right, 100);

    for (unsigned int i = 0; i < 4; i++) {
        list[i] = (struct multicall_entry){
            .op = __HYPERVISOR_multicall, .args = { PTR(list), 4 },
        };
    }
    a[1] = 4;
    (void)call(__HYPERVISOR_multicall, a);
    guest_case((long)list[0].result < 0, "multicall-nested", "%ld",
               (long)list[0].result);

    /* Huge counts end where memory does. */
    last = (struct multicall_entry *)0xfffff000ul;
    a[0] = PTR(last);
    a[1] = 0xffffffff;
    guest_case(call(__HYPERVISOR_multicall, a) < 0, "multicall-huge", "-");
    for (unsigned int i = 0; i < ARRAY_SIZE(bad_pointers); i++) {
        a[0] = bad_pointers[i];
        a[1] = 0xffffffff;
        (void)call(__HYPERVISOR_multicall, a);
    }
    alive("multicall-pointers");
}

static void test_multicall_random(void)
{
    struct multicall_entry *list = guest_pages(2);
    uint64_t a[6] = { PTR(list), 8 };

    for (unsigned int round = 0; round < 1000; round++) {
        for (unsigned int i = 0; i < 8; i++) {
            const struct target *t = &targets[random()
                                              % ARRAY_SIZE(targets)];
            uint64_t args[6];

            fill_page();
            fill(args, t->nr, random() % 40, PTR(page));
            if (is_deadly(t->nr, args[0])) {
                args[0] = 127;
            }
            list[i] = (struct multicall_entry){ .op = t->nr };
            memcpy(list[i].args, args, sizeof(list[i].args));
        }
        (void)call(__HYPERVISOR_multicall, a);
    }
    alive("multicall-random");
}

/* ---- long lists: the hypervisor must take breaks, and end ---- */

static void test_long(void)
{
    struct xen_memory_reservation r = {
        .nr_extents = 1ul << 30, .extent_order = 0, .domid = DOMID_SELF,
    };
    struct gnttab_copy *copies = guest_pages(16);
    uint64_t *frames = guest_pages(1);
    long rc;

    for (unsigned int i = 0; i < 512; i++) {
        frames[i] = 0x100000000ull + i;
    }
    set_xen_guest_handle_raw(r.extent_start, frames);
    rc = memory_op(XENMEM_decrease_reservation, &r);
    guest_case(rc >= 0 || rc == -EINVAL || rc == -EFAULT, "long-decrease",
               "%ld", rc);
    set_xen_guest_handle_raw(r.extent_start, (xen_pfn_t *)0x7f0000000000);
    rc = memory_op(XENMEM_populate_physmap, &r);
    guest_case(rc <= 0, "long-populate", "%ld", rc);
    for (unsigned int i = 0; i < 16 * PAGE_SIZE / sizeof(*copies); i++) {
        copies[i].source.domid = DOMID_SELF;
        copies[i].dest.domid = DOMID_SELF;
        copies[i].source.u.gmfn = ~0ul >> 12;
    }
    rc = grant_op(GNTTABOP_copy, copies,
                  16 * PAGE_SIZE / sizeof(*copies));
    guest_case(rc == 0 && copies[0].status < 0, "long-copy", "%ld, %d", rc,
               copies[0].status);
    rc = grant_op(GNTTABOP_copy, copies, 0xffffffff);
    guest_case(rc < 0, "long-copy-huge", "%ld", rc);
}

/* VCPUOP_send_nmi is among the calls. */
static void take_nmi(struct trap_frame *frame)
{
    (void)frame;
}

void guest_main(void)
{
    trap_set_handler(2, take_nmi);
    page = guest_pages(2);
    if (!guest_has_arg("structures")) {
        test_numbers();
    }
    for (unsigned int i = 0; i < ARRAY_SIZE(targets); i++) {
        test_pointers(&targets[i]);
        test_structures(&targets[i]);
    }
    test_control();
    test_multicall();
    test_multicall_random();
    test_long();
    /* Not by system time: the calls may move shared_info away. */
    slowest /= cpuid(hypervisor_leaf + 3, 0).c / 1000;
    guest_case(slowest < SLOW_US, "slowest", "%lu us: hypercall %u, %u",
               slowest, slowest_nr, slowest_op);
}
