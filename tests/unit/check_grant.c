/* SPDX-License-Identifier: GPL-2.0-only */
/* Grant tables: pins, maps, copies, refusals, ends; a hostile granter. */
#include <errno.h>
#include <string.h>

#include "core/frame.h"
#include "core/grant_table.h"
#include "core/p2m.h"
#include "core/page_alloc.h"
#include "core/xsm.h"
#include "fake/machine.h"
#include "unit.h"
#include "core_env.h"

#define MAP_AT (1000ull << PAGE_SHIFT)

static struct domain *a, *b, *c;    /* dom0, granter, another */

static void setup(void)
{
    env_start();
    a = env_domain(0, 1);
    b = env_domain(1, 1);
    c = env_domain(2, 1);
    env_run(a->vcpu[0]);
}

static grant_entry_v1_t *entry(struct domain *d, uint32_t ref)
{
    return &d->grant->shared[ref / 512][ref % 512];
}

/* b grants its frame 'g' to 'to'. */
static void grant_to(uint32_t ref, domid_t to, uint32_t g, uint16_t flags)
{
    entry(b, ref)->domid = to;
    entry(b, ref)->frame = g;
    entry(b, ref)->flags = GTF_permit_access | flags;
}

static int16_t map(uint64_t at, uint32_t flags, uint32_t ref,
                   grant_handle_t *handle)
{
    struct gnttab_map_grant_ref op = { .host_addr = at, .flags = flags,
                                       .ref = ref, .dom = 1 };

    ck_assert_int_eq(env_grant(GNTTABOP_map_grant_ref, &op, 1), 0);
    *handle = op.handle;
    return op.status;
}

static int16_t unmap(uint64_t at, grant_handle_t handle)
{
    struct gnttab_unmap_grant_ref op = { .host_addr = at, .handle = handle };

    ck_assert_int_eq(env_grant(GNTTABOP_unmap_grant_ref, &op, 1), 0);
    return op.status;
}

static enum p2m_type type_at(struct domain *d, uint64_t at)
{
    enum p2m_type type;

    (void)p2m_lookup(d, gfn(at >> PAGE_SHIFT), &type);
    return type;
}

START_TEST(a_grant_is_mapped_and_unmapped)
{
    struct frame *f = p2m_get_ram(b, gfn(5), true);
    grant_handle_t h;

    grant_to(10, 0, 5, 0);
    ck_assert_int_eq(map(MAP_AT, GNTMAP_host_map, 10, &h), GNTST_okay);
    ck_assert_ptr_eq(env_page(a, MAP_AT >> PAGE_SHIFT), env_page(b, 5));
    ck_assert_int_eq(type_at(a, MAP_AT), P2M_GRANT_RW);
    ck_assert_uint_eq(entry(b, 10)->flags,
                      GTF_permit_access | GTF_reading | GTF_writing);
    /* Ours, the allocation's, the pin's and the p2m entry's. */
    ck_assert_uint_eq(f->refs, 4);
    ck_assert_int_eq(unmap(MAP_AT, h), GNTST_okay);
    ck_assert_int_eq(type_at(a, MAP_AT), P2M_INVALID);
    ck_assert_uint_eq(entry(b, 10)->flags, GTF_permit_access);
    ck_assert_uint_eq(f->refs, 2);
    ck_assert_int_eq(unmap(MAP_AT, h), GNTST_bad_handle);
    frame_put(f);
}
END_TEST

START_TEST(a_read_only_map_reads)
{
    grant_handle_t h, w;

    grant_to(10, 0, 5, GTF_readonly);
    ck_assert_int_eq(map(MAP_AT, GNTMAP_host_map, 10, &h),
                     GNTST_general_error);
    ck_assert_uint_eq(entry(b, 10)->flags, GTF_permit_access | GTF_readonly);
    ck_assert_int_eq(map(MAP_AT, GNTMAP_host_map | GNTMAP_readonly, 10, &h),
                     GNTST_okay);
    ck_assert_int_eq(type_at(a, MAP_AT), P2M_GRANT_RO);
    ck_assert(!(entry(b, 10)->flags & GTF_writing));
    /* A writer beside the reader is refused as well. */
    ck_assert_int_eq(map(MAP_AT + PAGE_SIZE, GNTMAP_host_map, 10, &w),
                     GNTST_general_error);
    ck_assert_int_eq(unmap(MAP_AT, h), GNTST_okay);
}
END_TEST

START_TEST(flags_follow_the_pins)
{
    grant_handle_t r, w;

    grant_to(10, 0, 5, 0);
    ck_assert_int_eq(map(MAP_AT, GNTMAP_host_map | GNTMAP_readonly, 10, &r),
                     GNTST_okay);
    ck_assert_int_eq(map(MAP_AT + PAGE_SIZE, GNTMAP_host_map, 10, &w),
                     GNTST_okay);
    ck_assert(entry(b, 10)->flags & GTF_writing);
    ck_assert_int_eq(unmap(MAP_AT + PAGE_SIZE, w), GNTST_okay);
    ck_assert(!(entry(b, 10)->flags & GTF_writing));
    ck_assert(entry(b, 10)->flags & GTF_reading);
    ck_assert_int_eq(unmap(MAP_AT, r), GNTST_okay);
    ck_assert(!(entry(b, 10)->flags & GTF_reading));
}
END_TEST

/* Flags that a backend set from outside stay: we clear only our own. */
START_TEST(flags_of_others_stay)
{
    grant_handle_t h;

    grant_to(10, 0, 5, GTF_reading);
    ck_assert_int_eq(map(MAP_AT, GNTMAP_host_map, 10, &h), GNTST_okay);
    ck_assert_int_eq(unmap(MAP_AT, h), GNTST_okay);
    ck_assert_uint_eq(entry(b, 10)->flags, GTF_permit_access | GTF_reading);
}
END_TEST

START_TEST(what_is_not_granted_is_refused)
{
    grant_handle_t h;

    ck_assert_int_eq(map(MAP_AT, GNTMAP_host_map, 10, &h),
                     GNTST_general_error);
    grant_to(10, 2, 5, 0);
    ck_assert_int_eq(map(MAP_AT, GNTMAP_host_map, 10, &h),
                     GNTST_general_error);
    grant_to(10, 0, 5, 0);
    entry(b, 10)->flags = GTF_accept_transfer;
    ck_assert_int_eq(map(MAP_AT, GNTMAP_host_map, 10, &h),
                     GNTST_general_error);
    ck_assert_int_eq(map(MAP_AT, GNTMAP_host_map, 512, &h),
                     GNTST_bad_gntref);
    ck_assert_int_eq(map(MAP_AT, GNTMAP_host_map, UINT32_MAX, &h),
                     GNTST_bad_gntref);
    grant_to(10, 0, ENV_PAGES + 3, 0);
    ck_assert_int_eq(map(MAP_AT, GNTMAP_host_map, 10, &h), GNTST_bad_page);
    ck_assert_uint_eq(entry(b, 10)->flags, GTF_permit_access);
    ck_assert_int_eq(map(MAP_AT, GNTMAP_device_map, 10, &h),
                     GNTST_general_error);
    ck_assert_int_eq(map(MAP_AT, 0, 10, &h), GNTST_bad_gntref);
    ck_assert_int_eq(unmap(MAP_AT, 77), GNTST_bad_handle);
    ck_assert_int_eq(unmap(MAP_AT, UINT32_MAX), GNTST_bad_handle);
}
END_TEST

static int16_t unmap_parts(grant_handle_t handle, uint64_t host, uint64_t bus)
{
    struct gnttab_unmap_grant_ref op = { .host_addr = host,
                                         .dev_bus_addr = bus,
                                         .handle = handle };

    ck_assert_int_eq(env_grant(GNTTABOP_unmap_grant_ref, &op, 1), 0);
    return op.status;
}

/* A PV domain's handle lives until both of its names are unmapped. */
START_TEST(a_device_mapping_is_a_second_name)
{
    struct gnttab_map_grant_ref op = { .host_addr = MAP_AT, .ref = 10,
                                       .dom = 1,
                                       .flags = GNTMAP_host_map
                                                | GNTMAP_device_map };

    c->is_pv = true;
    env_run(c->vcpu[0]);
    grant_to(10, 2, 5, 0);
    ck_assert_int_eq(env_grant(GNTTABOP_map_grant_ref, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_okay);
    ck_assert_int_eq(type_at(c, op.dev_bus_addr), P2M_GRANT_RW);
    /* Of our own page, of none, and none that counts. */
    ck_assert_int_eq(unmap_parts(op.handle, MAP_AT, 3 << PAGE_SHIFT),
                     GNTST_bad_dev_addr);
    ck_assert_int_eq(unmap_parts(op.handle, 0, UINT64_MAX),
                     GNTST_bad_dev_addr);
    ck_assert_int_eq(unmap_parts(op.handle, 0, 0), GNTST_okay);
    ck_assert_int_eq(unmap_parts(op.handle, MAP_AT, 0), GNTST_okay);
    ck_assert_int_eq(unmap_parts(op.handle, MAP_AT, 0), GNTST_okay);
    ck_assert_int_eq(type_at(c, op.dev_bus_addr), P2M_GRANT_RW);
    ck_assert(entry(b, 10)->flags & GTF_writing);
    ck_assert_int_eq(unmap_parts(op.handle, 0, op.dev_bus_addr), GNTST_okay);
    ck_assert_int_eq(type_at(c, op.dev_bus_addr), P2M_INVALID);
    ck_assert_uint_eq(entry(b, 10)->flags, GTF_permit_access);
    ck_assert_int_eq(unmap_parts(op.handle, MAP_AT, op.dev_bus_addr),
                     GNTST_bad_handle);
    c->is_pv = false;
}
END_TEST

START_TEST(an_unknown_domain_is_refused)
{
    struct gnttab_map_grant_ref op = { .host_addr = MAP_AT, .dom = 9,
                                       .flags = GNTMAP_host_map };

    ck_assert_int_eq(env_grant(GNTTABOP_map_grant_ref, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_bad_domain);
    op.dom = DOMID_SELF;
    ck_assert_int_eq(env_grant(GNTTABOP_map_grant_ref, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_bad_domain);
}
END_TEST

/* The guest changes its entry under us: the frame stays the pinned one. */
START_TEST(a_changed_entry_changes_nothing)
{
    grant_handle_t h, second;

    grant_to(10, 0, 5, 0);
    ck_assert_int_eq(map(MAP_AT, GNTMAP_host_map, 10, &h), GNTST_okay);
    grant_to(10, 0, 6, 0);
    ck_assert_int_eq(map(MAP_AT + PAGE_SIZE, GNTMAP_host_map, 10, &second),
                     GNTST_okay);
    ck_assert_ptr_eq(env_page(a, (MAP_AT >> PAGE_SHIFT) + 1),
                     env_page(b, 5));
    ck_assert_int_eq(unmap(MAP_AT, h), GNTST_okay);
    ck_assert_int_eq(unmap(MAP_AT + PAGE_SIZE, second), GNTST_okay);
}
END_TEST

START_TEST(unmapping_elsewhere_is_refused_and_can_be_repeated)
{
    grant_handle_t h;

    grant_to(10, 0, 5, 0);
    ck_assert_int_eq(map(MAP_AT, GNTMAP_host_map, 10, &h), GNTST_okay);
    ck_assert_int_eq(unmap(MAP_AT + PAGE_SIZE, h), GNTST_general_error);
    ck_assert_int_eq(unmap(0, h), GNTST_okay);
    ck_assert_int_eq(type_at(a, MAP_AT), P2M_GRANT_RW);
    ck_assert_int_eq(unmap(MAP_AT, h), GNTST_okay);
}
END_TEST

/* A map over RAM gives that RAM back; dom0's stays reserved for its gfn. */
/*
 * Two maps of one frame: a handle ends where it was mapped.  Else the right to
 * write would end, for the granter, while the entry that writes stays.
 */
START_TEST(a_handle_ends_at_its_own_place)
{
    grant_handle_t r, w;

    grant_to(10, 0, 5, 0);
    grant_to(11, 0, 5, GTF_readonly);
    ck_assert_int_eq(map(MAP_AT, GNTMAP_host_map | GNTMAP_readonly, 11, &r),
                     GNTST_okay);
    ck_assert_int_eq(map(MAP_AT + PAGE_SIZE, GNTMAP_host_map, 10, &w),
                     GNTST_okay);
    ck_assert_int_eq(unmap(MAP_AT, w), GNTST_general_error);
    ck_assert(entry(b, 10)->flags & GTF_writing);
    ck_assert_int_eq(type_at(a, MAP_AT), P2M_GRANT_RO);
    ck_assert_int_eq(unmap(MAP_AT + PAGE_SIZE, w), GNTST_okay);
    ck_assert_uint_eq(entry(b, 10)->flags, GTF_permit_access);
    ck_assert_int_eq(type_at(a, MAP_AT + PAGE_SIZE), P2M_INVALID);
    ck_assert_int_eq(unmap(MAP_AT, r), GNTST_okay);
}
END_TEST

START_TEST(mapping_over_ram_replaces_it)
{
    uint64_t pages;
    grant_handle_t h;

    grant_to(10, 2, 5, 0);
    env_run(c->vcpu[0]);
    pages = c->tot_pages;
    ck_assert_int_eq(map(7ull << PAGE_SHIFT, GNTMAP_host_map, 10, &h),
                     GNTST_okay);
    ck_assert_uint_eq(c->tot_pages, pages - 1);
    ck_assert_int_eq(unmap(7ull << PAGE_SHIFT, h), GNTST_okay);
    ck_assert_ptr_null(env_page(c, 7));
}
END_TEST

START_TEST(many_handles)
{
    static struct gnttab_map_grant_ref maps[700];
    static struct gnttab_unmap_grant_ref unmaps[700];
    unsigned int i;

    grant_to(10, 0, 5, 0);
    for (i = 0; i < 700; i++) {
        maps[i] = (struct gnttab_map_grant_ref){
            .host_addr = MAP_AT + i * PAGE_SIZE, .ref = 10, .dom = 1,
            .flags = GNTMAP_host_map };
    }
    ck_assert_int_eq(env_grant(GNTTABOP_map_grant_ref, maps, 700), 0);
    ck_assert_uint_ge(env_restarts(), 2);
    for (i = 0; i < 700; i++) {
        ck_assert_int_eq(maps[i].status, GNTST_okay);
        unmaps[i] = (struct gnttab_unmap_grant_ref){
            .host_addr = maps[i].host_addr, .handle = maps[i].handle };
    }
    ck_assert_int_eq(env_grant(GNTTABOP_unmap_grant_ref, unmaps, 700), 0);
    for (i = 0; i < 700; i++) {
        ck_assert_int_eq(unmaps[i].status, GNTST_okay);
    }
    ck_assert_uint_eq(entry(b, 10)->flags, GTF_permit_access);
}
END_TEST

/* One flush serves a batch: each costs the other CPUs an exit. */
START_TEST(a_batch_of_unmaps_flushes_once)
{
    struct gnttab_unmap_grant_ref ops[21];
    grant_handle_t h;
    unsigned int i;

    grant_to(10, 0, 5, 0);
    for (i = 0; i < 20; i++) {
        ck_assert_int_eq(map(MAP_AT + i * PAGE_SIZE, GNTMAP_host_map, 10,
                             &h), GNTST_okay);
        ops[i] = (struct gnttab_unmap_grant_ref){
            .host_addr = MAP_AT + i * PAGE_SIZE, .handle = h };
    }
    ops[3].host_addr += 100 * PAGE_SIZE;
    ops[20] = ops[7];
    a->arch->flushes = 0;
    ck_assert_int_eq(env_grant(GNTTABOP_unmap_grant_ref, ops, 21), 0);
    ck_assert_uint_eq(a->arch->flushes, 1);
    for (i = 0; i < 21; i++) {
        ck_assert_int_eq(ops[i].status, i == 3 ? GNTST_general_error :
                         i == 20 ? GNTST_bad_handle : GNTST_okay);
    }
    ops[3].host_addr -= 100 * PAGE_SIZE;
    ck_assert_int_eq(env_grant(GNTTABOP_unmap_grant_ref, &ops[3], 1), 0);
    ck_assert_int_eq(ops[3].status, GNTST_okay);
    ck_assert_uint_eq(entry(b, 10)->flags, GTF_permit_access);
}
END_TEST

/* ---- copies ---- */

static struct gnttab_copy from_guest(uint32_t ref, uint16_t at, uint64_t to,
                                     uint16_t to_at, uint16_t len)
{
    struct gnttab_copy op = { .flags = GNTCOPY_source_gref, .len = len };

    op.source.u.ref = ref;
    op.source.domid = 1;
    op.source.offset = at;
    op.dest.u.gmfn = to;
    op.dest.domid = DOMID_SELF;
    op.dest.offset = to_at;
    return op;
}

static struct gnttab_copy to_guest(uint64_t from, uint32_t ref, uint16_t len)
{
    struct gnttab_copy op = { .flags = GNTCOPY_dest_gref, .len = len };

    op.source.u.gmfn = from;
    op.source.domid = DOMID_SELF;
    op.dest.u.ref = ref;
    op.dest.domid = 1;
    return op;
}

static int16_t copy(struct gnttab_copy op)
{
    ck_assert_int_eq(env_grant(GNTTABOP_copy, &op, 1), 0);
    return op.status;
}

START_TEST(copies_go_both_ways)
{
    char *theirs = env_page(b, 5), *ours = env_page(a, 9);

    grant_to(10, 0, 5, 0);
    memset(theirs, 'x', PAGE_SIZE);
    ck_assert_int_eq(copy(from_guest(10, 100, 9, 4000, 96)), GNTST_okay);
    ck_assert_int_eq(ours[3999], 0);
    ck_assert_int_eq(ours[4000], 'x');
    ck_assert_int_eq(ours[4095], 'x');
    memset(ours, 'y', PAGE_SIZE);
    ck_assert_int_eq(copy(to_guest(9, 10, 4096)), GNTST_okay);
    ck_assert_mem_eq(ours, theirs, PAGE_SIZE);
    ck_assert_uint_eq(entry(b, 10)->flags, GTF_permit_access);
}
END_TEST

START_TEST(a_copy_stays_inside_its_pages)
{
    grant_to(10, 0, 5, 0);
    ck_assert_int_eq(copy(from_guest(10, 4000, 9, 0, 97)),
                     GNTST_bad_copy_arg);
    ck_assert_int_eq(copy(from_guest(10, 0, 9, 4000, 97)),
                     GNTST_bad_copy_arg);
    ck_assert_int_eq(copy(from_guest(10, 65535, 9, 0, 2)),
                     GNTST_bad_copy_arg);
    ck_assert_int_eq(copy(from_guest(10, 4096, 9, 0, 0)), GNTST_okay);
    ck_assert_int_eq(copy(from_guest(10, 0, 9, 1, 65535)),
                     GNTST_bad_copy_arg);
}
END_TEST

START_TEST(a_copy_needs_the_right_to_it)
{
    struct gnttab_copy op;

    grant_to(10, 0, 5, GTF_readonly);
    ck_assert_int_eq(copy(from_guest(10, 0, 9, 0, 8)), GNTST_okay);
    ck_assert_int_eq(copy(to_guest(9, 10, 8)), GNTST_general_error);
    ck_assert_int_eq(copy(from_guest(11, 0, 9, 0, 8)), GNTST_general_error);
    ck_assert_int_eq(copy(from_guest(512, 0, 9, 0, 8)), GNTST_bad_gntref);
    ck_assert_int_eq(copy(from_guest(10, 0, ENV_PAGES + 9, 0, 8)),
                     GNTST_bad_page);
    op = from_guest(10, 0, 9, 0, 8);
    op.dest.domid = 2;
    ck_assert_int_eq(copy(op), GNTST_permission_denied);
    op.dest.domid = DOMID_SELF;
    op.source.domid = 9;
    ck_assert_int_eq(copy(op), GNTST_bad_domain);
    ck_assert_uint_eq(entry(b, 10)->flags, GTF_permit_access | GTF_readonly);
}
END_TEST

/* The batch keeps a page; it must not keep a former right to write. */
START_TEST(a_batch_changes_sides_and_rights)
{
    struct gnttab_copy ops[4];
    char *theirs = env_page(b, 5);

    grant_to(10, 0, 5, 0);
    grant_to(11, 0, 6, GTF_readonly);
    ops[0] = from_guest(10, 0, 9, 0, 8);
    ops[1] = from_guest(10, 8, 9, 8, 8);
    ops[2] = to_guest(9, 11, 8);
    ops[3] = from_guest(11, 0, 9, 16, 8);
    memcpy(theirs, "0123456789abcdef", 16);
    ck_assert_int_eq(env_grant(GNTTABOP_copy, ops, 4), 0);
    ck_assert_int_eq(ops[0].status, GNTST_okay);
    ck_assert_int_eq(ops[1].status, GNTST_okay);
    ck_assert_int_eq(ops[2].status, GNTST_general_error);
    ck_assert_int_eq(ops[3].status, GNTST_okay);
    ck_assert_mem_eq(env_page(a, 9), "0123456789abcdef", 16);
    ck_assert_uint_eq(entry(b, 10)->flags, GTF_permit_access);
    ck_assert_uint_eq(entry(b, 11)->flags, GTF_permit_access | GTF_readonly);
    ck_assert_uint_eq(b->refs, a->refs);
}
END_TEST

START_TEST(a_large_batch_restarts)
{
    static struct gnttab_copy ops[1000];
    unsigned int i;

    grant_to(10, 0, 5, 0);
    for (i = 0; i < 1000; i++) {
        ops[i] = from_guest(10, i, 9, i, 1);
    }
    memset(env_page(b, 5), 'z', 1000);
    ck_assert_int_eq(env_grant(GNTTABOP_copy, ops, 1000), 0);
    ck_assert_uint_ge(env_restarts(), 3);
    ck_assert_mem_eq(env_page(a, 9), env_page(b, 5), 1000);
    ck_assert_int_eq(env_grant(GNTTABOP_copy, ops, 0x80000000u), -EINVAL);
}
END_TEST

/* ---- the table, and ends ---- */

START_TEST(the_table_grows_to_its_limit)
{
    struct gnttab_query_size q = { .dom = DOMID_SELF };
    mfn_t first, again;

    env_run(b->vcpu[0]);
    ck_assert_int_eq(env_grant(GNTTABOP_query_size, &q, 1), 0);
    ck_assert_int_eq(q.status, GNTST_okay);
    ck_assert_uint_eq(q.nr_frames, 1);
    ck_assert_uint_eq(q.max_nr_frames, 64);
    ck_assert_int_eq(grant_shared_frame(b, 7, &first), 0);
    ck_assert_int_eq(grant_shared_frame(b, 7, &again), 0);
    ck_assert(mfn_eq(first, again));
    ck_assert_uint_eq(grant_frame_count(b), 8);
    ck_assert_int_eq(grant_shared_frame(b, 64, &again), -EINVAL);
    ck_assert_int_eq(grant_shared_frame(b, 1u << 31, &again), -EINVAL);
    q.dom = 2;
    ck_assert_int_eq(env_grant(GNTTABOP_query_size, &q, 1), 0);
    ck_assert_int_eq(q.status, GNTST_permission_denied);
    q.dom = 9;
    ck_assert_int_eq(env_grant(GNTTABOP_query_size, &q, 1), 0);
    ck_assert_int_eq(q.status, GNTST_bad_domain);
}
END_TEST

START_TEST(versions)
{
    struct gnttab_set_version v = { .version = 1 };
    struct gnttab_get_version g = { .dom = DOMID_SELF };
    struct gnttab_transfer t = { .domid = 1 };
    struct gnttab_get_status_frames s = { .dom = DOMID_SELF };

    ck_assert_int_eq(env_grant(GNTTABOP_set_version, &v, 1), 0);
    v.version = 2;
    ck_assert_int_eq(env_grant(GNTTABOP_set_version, &v, 1), -ENOSYS);
    ck_assert_uint_eq(v.version, 1);
    v.version = 3;
    ck_assert_int_eq(env_grant(GNTTABOP_set_version, &v, 1), -EINVAL);
    ck_assert_int_eq(env_grant(GNTTABOP_get_version, &g, 1), 0);
    ck_assert_uint_eq(g.version, 1);
    ck_assert_int_eq(env_grant(GNTTABOP_get_version, &g, 2), -EINVAL);
    ck_assert_int_eq(env_grant(GNTTABOP_transfer, &t, 1), -ENOSYS);
    ck_assert_int_eq(env_grant(GNTTABOP_get_status_frames, &s, 1), 0);
    ck_assert_int_eq(s.status, GNTST_general_error);
    ck_assert_int_eq(env_grant(GNTTABOP_map_grant_ref, NULL, 1), -EFAULT);
}
END_TEST

START_TEST(setup_table_says_where_the_frames_are)
{
    struct gnttab_setup_table op = { .dom = DOMID_SELF, .nr_frames = 2 };
    xen_pfn_t frames[2];
    mfn_t m;

    env_run(b->vcpu[0]);
    ck_assert_int_eq(grant_shared_frame(b, 1, &m), 0);
    ck_assert_int_eq(p2m_set(b, gfn(500), m, 0, P2M_SHARED), 0);
    op.frame_list.p = frames;
    ck_assert_int_eq(env_grant(GNTTABOP_setup_table, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_okay);
    ck_assert_uint_eq(frames[1], 500);
    op.nr_frames = 65;
    ck_assert_int_eq(env_grant(GNTTABOP_setup_table, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_general_error);
}
END_TEST

START_TEST(entries_swap_unless_pinned)
{
    struct gnttab_swap_grant_ref op = { .ref_a = 10, .ref_b = 11 };
    grant_handle_t h;

    grant_to(10, 0, 5, 0);
    grant_to(11, 0, 6, 0);
    env_run(b->vcpu[0]);
    ck_assert_int_eq(env_grant(GNTTABOP_swap_grant_ref, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_okay);
    ck_assert_uint_eq(entry(b, 10)->frame, 6);
    env_run(a->vcpu[0]);
    ck_assert_int_eq(map(MAP_AT, GNTMAP_host_map, 10, &h), GNTST_okay);
    env_run(b->vcpu[0]);
    ck_assert_int_eq(env_grant(GNTTABOP_swap_grant_ref, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_eagain);
    op.ref_b = 600;
    ck_assert_int_eq(env_grant(GNTTABOP_swap_grant_ref, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_bad_gntref);
}
END_TEST

static void kill(struct domain *d)
{
    int error;

    env_run(a->vcpu[0]);
    do {
        error = domain_kill(d);
        domain_reap();
    } while (error == -ERESTART);
    ck_assert_int_eq(error, 0);
    domain_put(d);
    domain_reap();
}

/* The granter dies while mapped: memory comes back at the last unmap. */
START_TEST(a_dead_granters_frame_waits_for_the_unmap)
{
    uint64_t before = page_alloc_free();
    struct domain *d = env_domain(3, 1);
    struct gnttab_map_grant_ref op = { .host_addr = MAP_AT, .ref = 10,
                                       .flags = GNTMAP_host_map, .dom = 3 };

    env_run(a->vcpu[0]);
    *entry(d, 10) = (grant_entry_v1_t){ GTF_permit_access, 0, 5 };
    ck_assert_int_eq(env_grant(GNTTABOP_map_grant_ref, &op, 1), 0);
    ck_assert_int_eq(op.status, GNTST_okay);
    kill(d);
    ck_assert_int_eq(type_at(a, MAP_AT), P2M_GRANT_RW);
    ck_assert_uint_lt(page_alloc_free(), before);
    ck_assert_int_eq(unmap(MAP_AT, op.handle), GNTST_okay);
    domain_reap();
    /* The pool of small objects may have grown, by chunks. */
    ck_assert_uint_ge(page_alloc_free() + 128, before);
    ck_assert_ptr_null(domain_get_by_id(3));
}
END_TEST

/* The mapper dies: the granter's entry is free again. */
START_TEST(a_dead_mapper_lets_go)
{
    struct gnttab_map_grant_ref op[300];
    struct frame *f = p2m_get_ram(b, gfn(5), true);
    unsigned int i;

    grant_to(10, 2, 5, 0);
    env_run(c->vcpu[0]);
    for (i = 0; i < 300; i++) {
        op[i] = (struct gnttab_map_grant_ref){
            .host_addr = MAP_AT + i * PAGE_SIZE, .ref = 10, .dom = 1,
            .flags = GNTMAP_host_map };
    }
    ck_assert_int_eq(env_grant(GNTTABOP_map_grant_ref, op, 300), 0);
    ck_assert_int_eq(op[299].status, GNTST_okay);
    kill(c);
    ck_assert_uint_eq(entry(b, 10)->flags, GTF_permit_access);
    ck_assert_uint_eq(f->refs, 2);
    frame_put(f);
}
END_TEST

START_TEST(a_dying_domain_is_not_pinned)
{
    grant_handle_t h;

    grant_to(10, 0, 5, 0);
    b->state = DOMAIN_DYING;
    ck_assert_int_eq(map(MAP_AT, GNTMAP_host_map, 10, &h), GNTST_bad_domain);
}
END_TEST

static void add_map_tests(Suite *suite)
{
    TCase *tc = unit_case(suite, "map");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, a_grant_is_mapped_and_unmapped);
    tcase_add_test(tc, a_read_only_map_reads);
    tcase_add_test(tc, flags_follow_the_pins);
    tcase_add_test(tc, flags_of_others_stay);
    tcase_add_test(tc, what_is_not_granted_is_refused);
    tcase_add_test(tc, a_device_mapping_is_a_second_name);
    tcase_add_test(tc, an_unknown_domain_is_refused);
    tcase_add_test(tc, a_changed_entry_changes_nothing);
    tcase_add_test(tc, unmapping_elsewhere_is_refused_and_can_be_repeated);
    tcase_add_test(tc, a_handle_ends_at_its_own_place);
    tcase_add_test(tc, mapping_over_ram_replaces_it);
    tcase_add_test(tc, many_handles);
    tcase_add_test(tc, a_batch_of_unmaps_flushes_once);
}

/* ---- a driver domain ---- */

/*
 * A guest is the backend of another: it copies, maps and is notified as dom0
 * is, by the right of the entries and ports that the other gave it alone.
 */
START_TEST(a_guest_serves_a_guest)
{
    evtchn_alloc_unbound_t alloc = { .dom = DOMID_SELF, .remote_dom = 2 };
    evtchn_bind_interdomain_t bind = { .remote_dom = 1 };
    evtchn_send_t send = { 0 };
    char *theirs = env_page(b, 5), *ours = env_page(c, 9);
    grant_handle_t h;

    grant_to(10, 2, 5, 0);
    grant_to(11, 0, 6, 0);
    memset(theirs, 'x', PAGE_SIZE);
    env_run(b->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_alloc_unbound, &alloc), 0);
    env_run(c->vcpu[0]);
    ck_assert_int_eq(copy(from_guest(10, 0, 9, 0, 4096)), GNTST_okay);
    ck_assert_mem_eq(ours, theirs, PAGE_SIZE);
    memset(ours, 'y', PAGE_SIZE);
    ck_assert_int_eq(copy(to_guest(9, 10, 100)), GNTST_okay);
    ck_assert_int_eq(theirs[99], 'y');
    ck_assert_int_eq(theirs[100], 'x');
    ck_assert_int_eq(map(MAP_AT, GNTMAP_host_map, 10, &h), GNTST_okay);
    ck_assert_ptr_eq(env_page(c, MAP_AT >> PAGE_SHIFT), theirs);
    ck_assert_int_eq(unmap(MAP_AT, h), GNTST_okay);
    bind.remote_port = alloc.port;
    ck_assert_int_eq(env_evtchn(EVTCHNOP_bind_interdomain, &bind), 0);
    send.port = bind.local_port;
    ck_assert_int_eq(env_evtchn(EVTCHNOP_send, &send), 0);
    ck_assert_uint_ge(env_take_upcalls(b->vcpu[0]), 1);
    /* What is dom0's is not its own, and it may see no more of the guest. */
    ck_assert_int_eq(copy(from_guest(11, 0, 9, 0, 64)), GNTST_general_error);
    ck_assert_int_eq(map(MAP_AT, GNTMAP_host_map, 11, &h),
                     GNTST_general_error);
    ck_assert_int_eq(xsm_memory_window(c, b), -EPERM);
    ck_assert_int_eq(xsm_memory_foreign(c, b), -EPERM);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("grant");
    TCase *tc;

    add_map_tests(suite);
    tc = unit_case(suite, "copy");
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, copies_go_both_ways);
    tcase_add_test(tc, a_copy_stays_inside_its_pages);
    tcase_add_test(tc, a_copy_needs_the_right_to_it);
    tcase_add_test(tc, a_batch_changes_sides_and_rights);
    tcase_add_test(tc, a_large_batch_restarts);
    tcase_add_test(tc, a_guest_serves_a_guest);
    tc = unit_case(suite, "table");
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, the_table_grows_to_its_limit);
    tcase_add_test(tc, versions);
    tcase_add_test(tc, setup_table_says_where_the_frames_are);
    tcase_add_test(tc, entries_swap_unless_pinned);
    tcase_add_test(tc, a_dead_granters_frame_waits_for_the_unmap);
    tcase_add_test(tc, a_dead_mapper_lets_go);
    tcase_add_test(tc, a_dying_domain_is_not_pinned);
    return unit_run(suite);
}
