/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Random hypercalls from inside a guest: every number and sub-operation, with
 * arguments that look right, that are at an edge, or that are garbage.
 * Nobody looks at the results: whether the hypervisor stands, and gives all
 * back when the guest goes, is seen by who built the guest (fuzz_host.c).
 *
 *  1. Structures are made in the scratch pages.  Their frame numbers are
 *     spare ones, absent ones or small, so that a tame kernel loses nothing
 *     that it needs.
 *  2. is_deadly() names the calls that would rightly end or stop a tame
 *     kernel; a wild one makes them too.
 *  3. The same seed makes the same calls.
 */
#include "fuzz.h"

#include "lib/minmax.h"
#include "lib/string.h"

#define WORDS (FUZZ_SCRATCH * FUZZ_PAGE / sizeof(uint64_t))
#define NUMBERS 64u
#define LIST_MAX 8u

static const uint64_t bad_pointers[] = {
    0, 1, 0x7f0000000000, 0x7ffffffffffc, 0x7fffffffffff, 0x800000000000,
    0xffff800000000000, 0xffff808000000000, 0xffff808000100ff8,
    0xffff80c000000000, 0xffff87fffffffff8, 0xffff880000000000,
    0xfffffffffffff000, 0xfffffffffffffff8, 0xffffffffffffffff, 0xfee00000,
    0xfec00000, 0xfffffffc, 0xdead000000000000,
};

static const uint64_t numbers[] = {
    0, 1, 2, 3, 8, 15, 64, 255, 4095, 0x7ff0, 0x7ff1, 0x7ff2, 0x7ff4,
    0xffff, 0x7fffffff, 0x80000000, 0xffffffff, 0x100000000,
    0xffffffffff, 0x10000000000, 0x7fffffffffffffff, 0x8000000000000000,
    0xfffffffffffffff0, 0xffffffffffffffff,
};

/* The calls that a guest has; any other number comes now and then. */
static const uint8_t usual[] = {
    __HYPERVISOR_memory_op, __HYPERVISOR_memory_op, __HYPERVISOR_multicall,
    __HYPERVISOR_grant_table_op, __HYPERVISOR_grant_table_op,
    __HYPERVISOR_event_channel_op, __HYPERVISOR_event_channel_op,
    __HYPERVISOR_vcpu_op, __HYPERVISOR_sched_op, __HYPERVISOR_xen_version,
    __HYPERVISOR_set_timer_op, __HYPERVISOR_vm_assist,
    __HYPERVISOR_physdev_op, __HYPERVISOR_hvm_op, __HYPERVISOR_mmuext_op,
    __HYPERVISOR_mmu_update, __HYPERVISOR_update_va_mapping,
};

static uint64_t random(struct fuzz *f)
{
    f->seed ^= f->seed << 13;
    f->seed ^= f->seed >> 7;
    f->seed ^= f->seed << 17;
    return f->seed;
}

static uint64_t below(struct fuzz *f, uint64_t limit)
{
    return (random(f) >> 11) % limit;
}

/* ---- words ---- */

static uint64_t some_pointer(struct fuzz *f)
{
    uint64_t scratch = (uint64_t)(uintptr_t)f->scratch;

    switch (below(f, 12)) {
    case 0:
        return scratch + below(f, FUZZ_PAGE);
    case 1:
        return scratch + FUZZ_PAGE - below(f, 64);
    case 2:                     /* across the end of what is mapped */
        return scratch + FUZZ_SCRATCH * FUZZ_PAGE - below(f, 64);
    case 3:
        return f->absent + below(f, FUZZ_PAGE);
    case 4:
        return bad_pointers[below(f, ARRAY_SIZE(bad_pointers))];
    case 5:
        return f->is_wild ? f->image + below(f, f->image_size) : scratch;
    default:
        return scratch;
    }
}

static uint64_t some_frame(struct fuzz *f)
{
    switch (below(f, 8)) {
    case 0:
        return numbers[below(f, ARRAY_SIZE(numbers))];
    case 1:
        return f->is_wild ? below(f, 4096) : below(f, 64);
    default:
        return f->spare_frame + below(f, FUZZ_SPARE);
    }
}

static uint64_t some_domid(struct fuzz *f)
{
    static const uint16_t special[] = {
        DOMID_SELF, DOMID_IO, DOMID_XEN, DOMID_COW, DOMID_INVALID, DOMID_IDLE,
    };

    return below(f, 2) == 0 ? DOMID_SELF :
           below(f, 2) == 0 ? below(f, 6)
                            : special[below(f, ARRAY_SIZE(special))];
}

static uint64_t some_word(struct fuzz *f)
{
    switch (below(f, 12)) {
    case 0:
        return 0;
    case 1:
    case 2:
        return below(f, 64);
    case 3:
        return numbers[below(f, ARRAY_SIZE(numbers))];
    case 4:
        return some_pointer(f);
    case 5:
        return some_frame(f);
    case 6:
        return (f->spare_frame + below(f, FUZZ_SPARE)) << 12
               | below(f, 4096);
    case 7:
        return below(f, 64) | below(f, 64) << 32;
    case 8:
        return some_domid(f);
    case 9:
        return some_domid(f) | below(f, 16) << 16 | below(f, 16) << 32;
    case 10:
        return some_domid(f) << 32 | below(f, 16);
    default:
        /* A tame one's are no frames that it has. */
        return random(f) >> below(f, f->is_wild ? 64 : 20);
    }
}

static void fill(struct fuzz *f, unsigned int words)
{
    for (unsigned int i = 0; i < words; i++) {
        f->scratch[i] = some_word(f);
    }
}

/* ---- structures that look right ---- */

static uint64_t list_of_frames(struct fuzz *f)
{
    uint64_t *list = &f->scratch[FUZZ_PAGE / sizeof(*list)];

    for (unsigned int i = 0; i < 2 * FUZZ_SPARE; i++) {
        list[i] = some_frame(f);
    }
    return below(f, 8) == 0 ? some_pointer(f) : (uint64_t)(uintptr_t)list;
}

static uint64_t some_count(struct fuzz *f)
{
    return below(f, 16) == 0 ? numbers[below(f, ARRAY_SIZE(numbers))]
                             : below(f, 2 * FUZZ_SPARE);
}

static void memory(struct fuzz *f, uint64_t a[6])
{
    static const uint8_t ops[] = {
        XENMEM_populate_physmap, XENMEM_populate_physmap,
        XENMEM_decrease_reservation, XENMEM_exchange,
        XENMEM_add_to_physmap, XENMEM_add_to_physmap_batch,
        XENMEM_remove_from_physmap, XENMEM_acquire_resource,
        XENMEM_increase_reservation,
    };
    struct xen_memory_reservation *r = (void *)f->scratch;
    struct xen_add_to_physmap *add = (void *)f->scratch;
    struct xen_remove_from_physmap *remove = (void *)f->scratch;
    uint64_t list = list_of_frames(f);

    a[0] = ops[below(f, ARRAY_SIZE(ops))];
    fill(f, 16);
    switch (a[0]) {
    case XENMEM_add_to_physmap:
        *add = (struct xen_add_to_physmap){
            .domid = (domid_t)some_domid(f),
            .space = (unsigned int)below(f, 7), .idx = below(f, 8),
            .gpfn = some_frame(f),
        };
        break;
    case XENMEM_remove_from_physmap:
        *remove = (struct xen_remove_from_physmap){
            .domid = (domid_t)some_domid(f), .gpfn = some_frame(f),
        };
        break;
    case XENMEM_add_to_physmap_batch:
    case XENMEM_acquire_resource:
        f->scratch[0] = some_domid(f) | below(f, 5) << 16
                        | below(f, 64) << 32;
        f->scratch[2] = f->scratch[3] = f->scratch[4] = list;
        break;
    default:
        r->extent_start.p = (xen_pfn_t *)(uintptr_t)list;
        r->nr_extents = some_count(f);
        r->extent_order = (unsigned int)(below(f, 8) != 0 ? 0 :
                                         f->is_wild ? below(f, 12)
                                                    : 9 + some_word(f));
        r->mem_flags = (unsigned int)(below(f, 4) == 0 ? some_word(f) : 0);
        r->domid = (domid_t)some_domid(f);
        break;
    }
    a[1] = (uint64_t)(uintptr_t)f->scratch;
}

/* Its own grant table, at a spare frame; Linux puts it likewise. */
static void grant(struct fuzz *f, uint64_t a[6])
{
    struct gnttab_map_grant_ref *map = (void *)f->scratch;
    struct gnttab_unmap_grant_ref *unmap = (void *)f->scratch;
    struct gnttab_copy *copy = (void *)f->scratch;
    unsigned int count = 1 + (unsigned int)below(f, LIST_MAX);

    a[0] = below(f, 13);
    fill(f, 64);
    for (unsigned int i = 0; i < count; i++) {
        switch (a[0]) {
        case GNTTABOP_map_grant_ref:
            map[i] = (struct gnttab_map_grant_ref){
                .host_addr = f->spare + (below(f, FUZZ_SPARE) << 12),
                .flags = (uint32_t)below(f, 64), .ref = (uint32_t)below(f, 64),
                .dom = (domid_t)some_domid(f),
            };
            break;
        case GNTTABOP_unmap_grant_ref:
            unmap[i] = (struct gnttab_unmap_grant_ref){
                .host_addr = f->spare + (below(f, FUZZ_SPARE) << 12),
                .handle = (uint32_t)below(f, 16),
            };
            break;
        case GNTTABOP_copy:
            copy[i].source.domid = (domid_t)some_domid(f);
            copy[i].dest.domid = (domid_t)some_domid(f);
            copy[i].source.u.gmfn = some_frame(f);
            copy[i].dest.u.gmfn = some_frame(f);
            copy[i].len = (uint16_t)below(f, 5000);
            copy[i].flags = (uint16_t)below(f, 4);
            break;
        default:
            break;
        }
    }
    a[1] = below(f, 8) == 0 ? some_pointer(f)
                            : (uint64_t)(uintptr_t)f->scratch;
    a[2] = below(f, 16) == 0 ? some_count(f) : count;
}

static void mmu(struct fuzz *f, uint64_t a[6])
{
    static const uint8_t tame[] = {
        MMUEXT_PIN_L1_TABLE, MMUEXT_PIN_L2_TABLE, MMUEXT_PIN_L3_TABLE,
        MMUEXT_PIN_L4_TABLE, MMUEXT_UNPIN_TABLE, MMUEXT_TLB_FLUSH_LOCAL,
        MMUEXT_INVLPG_LOCAL, MMUEXT_TLB_FLUSH_MULTI, MMUEXT_INVLPG_MULTI,
        MMUEXT_TLB_FLUSH_ALL, MMUEXT_INVLPG_ALL, MMUEXT_FLUSH_CACHE,
        MMUEXT_CLEAR_PAGE, MMUEXT_COPY_PAGE, 30,
    };
    struct mmuext_op *op = (void *)f->scratch;
    uint64_t count = 1 + below(f, LIST_MAX);

    for (unsigned int i = 0; i < count; i++) {
        op[i].cmd = f->is_wild ? (unsigned int)below(f, 24)
                               : tame[below(f, ARRAY_SIZE(tame))];
        op[i].arg1.mfn = some_frame(f);
        op[i].arg2.src_mfn = below(f, 2) == 0 ? some_frame(f)
                                              : some_pointer(f);
    }
    a[0] = (uint64_t)(uintptr_t)f->scratch;
    a[1] = below(f, 32) == 0 && f->is_wild ? some_word(f) : count;
    a[2] = below(f, 4) == 0 ? some_pointer(f) : 0;
    a[3] = below(f, 8) == 0 ? some_word(f) : DOMID_SELF;
}

static void mmu_writes(struct fuzz *f, uint64_t a[6])
{
    struct mmu_update *u = (void *)f->scratch;

    a[1] = 1 + below(f, LIST_MAX);
    for (unsigned int i = 0; i < a[1]; i++) {
        u[i].ptr = some_frame(f) << 12 | below(f, 4096);
        u[i].val = some_frame(f) << 12 | (random(f) & 0xfff);
    }
    a[0] = (uint64_t)(uintptr_t)f->scratch;
    a[2] = below(f, 4) == 0 ? some_pointer(f) : 0;
    a[3] = below(f, 8) == 0 ? some_word(f) : DOMID_SELF;
}

static void mapping(struct fuzz *f, uint64_t a[6])
{
    a[0] = below(f, 8) == 0 ? f->absent + below(f, FUZZ_PAGE)
                            : f->spare + (below(f, FUZZ_SPARE) << 12);
    if (f->is_wild && below(f, 8) == 0) {
        a[0] = some_pointer(f);
    }
    a[1] = below(f, 4) == 0 ? some_word(f)
                            : some_frame(f) << 12 | (random(f) & 0xfff);
    a[2] = some_word(f);
}

/* ---- a call ---- */

/* Would this rightly end, stop or blind the caller, or flood the console? */
static bool is_deadly(const struct fuzz *f, uint64_t nr, const uint64_t a[6])
{
    uint32_t op = (uint32_t)a[0];

    switch (nr) {
    case __HYPERVISOR_console_io:
        return op == CONSOLEIO_write;
    case __HYPERVISOR_sched_op:
        return !f->is_wild && op != SCHEDOP_yield && op < 7;
    case __HYPERVISOR_sched_op_compat:
    case __HYPERVISOR_iret:
    case __HYPERVISOR_set_callbacks:
    case __HYPERVISOR_callback_op:
    case __HYPERVISOR_nmi_op:
        return !f->is_wild;
    case __HYPERVISOR_set_debugreg:
        return !f->is_wild && (op == 5 || op == 7);
    case __HYPERVISOR_vcpu_op:
        return !f->is_wild
               && (op == VCPUOP_down || op == VCPUOP_initialise
                   || (f->is_pv && (op == VCPUOP_register_vcpu_info
                                    || op == VCPUOP_send_nmi)));
    default:
        return false;
    }
}

static void arguments(struct fuzz *f, uint64_t nr, uint64_t a[6])
{
    bool is_third = nr == __HYPERVISOR_vcpu_op
                    || nr == __HYPERVISOR_console_io;

    for (unsigned int i = 0; i < 6; i++) {
        a[i] = some_word(f);
    }
    fill(f, 24);
    switch (nr) {
    case __HYPERVISOR_mmuext_op:
        mmu(f, a);
        return;
    case __HYPERVISOR_mmu_update:
        mmu_writes(f, a);
        return;
    case __HYPERVISOR_update_va_mapping:
    case __HYPERVISOR_update_va_mapping_otherdomain:
        mapping(f, a);
        return;
    case __HYPERVISOR_memory_op:
        if (below(f, 4) != 0) {
            memory(f, a);
            return;
        }
        break;
    case __HYPERVISOR_grant_table_op:
        if (below(f, 4) != 0) {
            grant(f, a);
            return;
        }
        break;
    default:
        break;
    }
    if (below(f, 8) != 0) {
        a[0] = below(f, 48);
        a[is_third ? 1 : 2] = below(f, 2) == 0 ? 0 : some_word(f);
        a[is_third ? 2 : 1] = some_pointer(f);
    }
    if (nr == __HYPERVISOR_grant_table_op && !f->is_wild) {
        /* A list that fits: a status is written into each element. */
        a[2] &= 63;
    }
}

static uint64_t choose(struct fuzz *f, uint64_t a[6])
{
    uint64_t nr;

    do {
        nr = below(f, 16) == 0 ? below(f, NUMBERS)
                               : usual[below(f, ARRAY_SIZE(usual))];
        arguments(f, nr, a);
    } while (is_deadly(f, nr, a));
    return nr;
}

/* Lists of the same: their structures share the scratch pages. */
static void multicall(struct fuzz *f, uint64_t a[6])
{
    struct multicall_entry *list =
        (void *)&f->scratch[WORDS - FUZZ_PAGE / sizeof(uint64_t)];

    a[0] = (uint64_t)(uintptr_t)list;
    a[1] = 1 + below(f, LIST_MAX);
    for (unsigned int i = 0; i < a[1]; i++) {
        uint64_t args[6];

        list[i].op = choose(f, args);
        if (!f->is_wild && (list[i].op == __HYPERVISOR_mmuext_op
                            || list[i].op == __HYPERVISOR_mmu_update)) {
            /* Whose list a later one of ours writes over. */
            list[i].op = __HYPERVISOR_xen_version;
        }
        memcpy(list[i].args, args, sizeof(list[i].args));
    }
}

void fuzz_run(struct fuzz *f, unsigned int steps)
{
    f->seed = f->seed * 0x9e3779b97f4a7c15ul | 1;
    for (unsigned int i = 0; i < steps; i++) {
        uint64_t a[6];
        uint64_t nr = choose(f, a);

        if (nr == __HYPERVISOR_multicall) {
            multicall(f, a);
        } else if (below(f, 512) == 0) {
            nr = random(f) >> below(f, 64);     /* no such hypercall */
            nr = nr < NUMBERS ? nr + NUMBERS : nr;
        }
        (void)f->call(nr, a);
    }
}

uint64_t fuzz_option(const char *line, const char *name, uint64_t otherwise)
{
    const char *at = strstr(line, name);
    uint64_t value = 0;

    if (at == NULL || at[strlen(name)] != '=') {
        return otherwise;
    }
    for (at += strlen(name) + 1; *at >= '0' && *at <= '9'; at++) {
        value = value * 10 + (uint64_t)(*at - '0');
    }
    return value;
}
