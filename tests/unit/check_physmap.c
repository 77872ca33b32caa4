/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HYPERVISOR_memory_op as a guest and the toolstack call it: reservations,
 * shared and foreign pages, resources, maps, figures, and what is refused.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/frame.h"
#include "core/p2m.h"
#include "core/page_alloc.h"
#include "core/physmap.h"
#include "core_env.h"
#include "fake/machine.h"
#include "unit.h"

#define EXTENTS 3000u
#define BASE 0x10000ul

static struct domain *zero, *d, *other;
static xen_pfn_t list[EXTENTS];

static void setup(void)
{
    env_start();
    zero = env_domain(0, 1);
    d = env_domain(1, 1);
    other = env_domain(2, 1);
    d->max_pages = 1u << 16;
    for (unsigned int i = 0; i < EXTENTS; i++) {
        list[i] = BASE + i;
    }
    env_run(zero->vcpu[0]);
}

static long mem(unsigned int op, void *arg)
{
    return env_call(__HYPERVISOR_memory_op, op, env_arg(arg), 0);
}

static struct xen_memory_reservation extents(domid_t id, unsigned int count,
                                             unsigned int order)
{
    struct xen_memory_reservation r = {
        .nr_extents = count, .extent_order = order, .domid = id,
    };

    r.extent_start.p = list;
    return r;
}

static enum p2m_type type_at(struct domain *of, uint64_t g)
{
    enum p2m_type type;

    p2m_lookup(of, gfn(g), &type);
    return type;
}

START_TEST(test_populate_and_decrease)
{
    struct xen_memory_reservation r = extents(1, EXTENTS, 0);
    uint64_t had = d->tot_pages;

    ck_assert_int_eq(mem(XENMEM_populate_physmap, &r), EXTENTS);
    ck_assert_uint_ge(env_restarts(), 2);
    ck_assert_uint_eq(d->tot_pages, had + EXTENTS);
    ck_assert_int_eq(type_at(d, BASE + EXTENTS - 1), P2M_RAM_RW);
    env_run(d->vcpu[0]);
    r.domid = DOMID_SELF;
    ck_assert_int_eq(mem(XENMEM_decrease_reservation, &r), EXTENTS);
    ck_assert_uint_eq(d->tot_pages, had);
    ck_assert_int_eq(type_at(d, BASE), P2M_INVALID);
    ck_assert_int_eq(mem(XENMEM_decrease_reservation, &r), 0);
    r.nr_extents = 0;
    ck_assert_int_eq(mem(XENMEM_populate_physmap, &r), 0);
}
END_TEST

START_TEST(test_superpages)
{
    struct xen_memory_reservation r = extents(1, 4, 9);
    uint64_t had = d->tot_pages;

    for (unsigned int i = 0; i < 4; i++) {
        list[i] = BASE + i * 512;
    }
    ck_assert_int_eq(mem(XENMEM_populate_physmap, &r), 4);
    ck_assert_uint_ge(env_restarts(), 1);
    ck_assert_uint_eq(d->tot_pages, had + 2048);
    ck_assert_int_eq(mem(XENMEM_decrease_reservation, &r), 4);
    ck_assert_uint_eq(d->tot_pages, had);
    r.extent_order = 18;            /* too long in one go: the caller falls */
    list[0] = 1ul << 18;            /* back to smaller extents */
    ck_assert_int_eq(mem(XENMEM_populate_physmap, &r), 0);
}
END_TEST

/*
 * With a clock that says that each piece of work takes long, all take turns
 * after every piece, and do the same.
 */
START_TEST(test_turns_by_the_clock)
{
    struct xen_memory_reservation r = extents(1, 100, 0);
    uint64_t had = d->tot_pages;
    uint64_t free = page_alloc_free();

    machine_step_time(50000);
    ck_assert_int_eq(mem(XENMEM_populate_physmap, &r), 100);
    ck_assert_uint_ge(env_restarts(), 40);
    ck_assert_int_eq(mem(XENMEM_decrease_reservation, &r), 100);
    ck_assert_uint_ge(env_restarts(), 1);
    ck_assert_uint_eq(d->tot_pages, had);
    /* A large extent's pages are zeroed in parts. */
    r = extents(1, 1, 9);
    ck_assert_int_eq(mem(XENMEM_populate_physmap, &r), 1);
    ck_assert_uint_ge(env_restarts(), 200);
    for (unsigned int i = 0; i < 512; i++) {
        ck_assert_uint_eq(*(uint64_t *)env_page(d, BASE + i), 0);
        *(uint64_t *)env_page(d, BASE + i) = ~0ul;
    }
    ck_assert_int_eq(mem(XENMEM_decrease_reservation, &r), 1);
    ck_assert_int_eq(mem(XENMEM_populate_physmap, &r), 1);
    for (unsigned int i = 0; i < 512; i++) {
        ck_assert_uint_eq(*(uint64_t *)env_page(d, BASE + i), 0);
    }
    ck_assert_int_eq(mem(XENMEM_decrease_reservation, &r), 1);
    ck_assert_uint_eq(d->tot_pages, had);
    ck_assert_uint_ge(page_alloc_free(), free - 16);    /* tables */
    machine_step_time(0);
}
END_TEST

/*
 * A list that ends with what is no frame, at the start of a part: the guest's
 * hypercall went on for ever when a part without an extent was no end.
 */
START_TEST(test_a_part_without_extents_is_the_end)
{
    struct xen_memory_reservation r = extents(1, 100, 0);

    machine_step_time(30000);
    for (unsigned int bad = 0; bad < 40; bad++) {
        list[bad] = P2M_GFN_LIMIT;
        ck_assert_int_eq(mem(XENMEM_populate_physmap, &r), bad);
        ck_assert_int_eq(mem(XENMEM_decrease_reservation, &r), bad);
        list[bad] = BASE + bad;
    }
    machine_step_time(0);
}
END_TEST

/* A large page of whose frames somebody has one: that one stays. */
START_TEST(test_large_page_with_a_user)
{
    struct xen_memory_reservation r = extents(1, 1, 9);
    uint64_t free;
    enum p2m_type type;
    struct frame *f;

    ck_assert_int_eq(mem(XENMEM_populate_physmap, &r), 1);
    free = page_alloc_free();
    f = p2m_get_frame(d, gfn(BASE + 77), &type);
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(mem(XENMEM_decrease_reservation, &r), 1);
    ck_assert_uint_eq(page_alloc_free(), free + 511);
    ck_assert_ptr_eq(f->owner, d);
    ck_assert_uint_eq(f->refs, 1);
    ck_assert_uint_eq(d->tot_pages, ENV_PAGES + 1);
    frame_put(f);
    ck_assert_uint_eq(page_alloc_free(), free + 512);
    ck_assert_uint_eq(d->tot_pages, ENV_PAGES);
}
END_TEST

START_TEST(test_populate_ends_at_the_limit)
{
    struct xen_memory_reservation r = extents(1, 100, 0);

    d->max_pages = d->tot_pages + 10;
    ck_assert_int_eq(mem(XENMEM_populate_physmap, &r), 10);
    ck_assert_int_eq(type_at(d, BASE + 10), P2M_INVALID);
    d->max_pages = 1000;
    list[20] = P2M_GFN_LIMIT;
    ck_assert_int_eq(mem(XENMEM_populate_physmap, &r), 20);
    list[20] = ~0ul;
    ck_assert_int_eq(mem(XENMEM_populate_physmap, &r), 20);
}
END_TEST

/*
 * A guest that was ballooned and then rebooted, or has maxmem above memory,
 * is built with frames on demand and a limit for the smaller figure.  Its
 * build failed with "can't allocate low memory".
 */
START_TEST(test_frames_on_demand_pass_the_limit)
{
    struct xen_memory_reservation r = extents(1, 100, 0);

    d->max_pages = d->tot_pages + 10;
    r.mem_flags = XENMEMF_populate_on_demand;
    ck_assert_int_eq(mem(XENMEM_populate_physmap, &r), 100);
    /* What is not on demand, the special pages, still fits. */
    r.mem_flags = 0;
    list[0] = BASE + 200;
    r.nr_extents = 1;
    ck_assert_int_eq(mem(XENMEM_populate_physmap, &r), 1);
    /* The guest itself cannot pass its limit so. */
    env_run(d->vcpu[0]);
    r.domid = DOMID_SELF;
    r.mem_flags = XENMEMF_populate_on_demand;
    list[0] = BASE + 201;
    d->max_pages = d->tot_pages;
    ck_assert_int_eq(mem(XENMEM_populate_physmap, &r), 0);
}
END_TEST

START_TEST(test_others_memory_is_not_a_guests)
{
    struct xen_memory_reservation r = extents(2, 5, 0);
    struct xen_add_to_physmap a = { .domid = 2, .space =
                                    XENMAPSPACE_shared_info, .gpfn = BASE };
    struct xen_remove_from_physmap rm = { .domid = 2, .gpfn = 1 };
    uint64_t had = other->tot_pages;
    domid_t id = 2;

    env_run(d->vcpu[0]);
    ck_assert_int_eq(mem(XENMEM_populate_physmap, &r), 0);
    ck_assert_int_eq(mem(XENMEM_decrease_reservation, &r), 0);
    ck_assert_uint_eq(other->tot_pages, had);
    ck_assert_int_eq(mem(XENMEM_claim_pages, &r), -EINVAL);
    r.extent_start.p = NULL;
    ck_assert_int_eq(mem(XENMEM_claim_pages, &r), -EPERM);
    ck_assert_int_eq(mem(XENMEM_add_to_physmap, &a), -EPERM);
    ck_assert_int_eq(mem(XENMEM_remove_from_physmap, &rm), -EPERM);
    ck_assert_int_eq(mem(XENMEM_maximum_gpfn, &id), -EPERM);
    ck_assert_int_eq(type_at(other, 1), P2M_RAM_RW);
}
END_TEST

/* dom0 gets back the very frame; meanwhile nobody else has it. */
START_TEST(test_dom0_balloons)
{
    struct xen_memory_reservation r = extents(DOMID_SELF, 3, 0);
    uint64_t had = zero->tot_pages;
    uint64_t left = page_alloc_free();
    enum p2m_type type;

    for (unsigned int i = 0; i < 3; i++) {
        list[i] = 10 + i;
    }
    ck_assert_int_eq(mem(XENMEM_populate_physmap, &r), 0);
    ck_assert_int_eq(mem(XENMEM_decrease_reservation, &r), 3);
    ck_assert_uint_eq(zero->tot_pages, had - 3);
    ck_assert_uint_eq(page_alloc_free(), left);
    ck_assert_int_eq(mem(XENMEM_populate_physmap, &r), 3);
    ck_assert_uint_eq(p2m_lookup(zero, gfn(11), &type).v, 11);
    ck_assert_uint_eq(zero->tot_pages, had);
    list[0] = ENV_PAGES + 5;        /* never was dom0's */
    ck_assert_int_eq(mem(XENMEM_populate_physmap, &r), 0);
}
END_TEST

static bool is_any_there(struct domain *of, uint64_t g, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        if (type_at(of, g + i) == P2M_RAM_RW) {
            return true;
        }
    }
    return false;
}

/*
 * An extent of dom0's that could not be had as a whole left the frames before
 * the one in the way with dom0, which was told that it got none.
 */
START_TEST(test_dom0_gets_all_of_an_extent_or_nothing)
{
    const uint64_t first = 8, count = 8;
    struct xen_memory_reservation r = extents(DOMID_SELF, 1, 3);
    struct xen_add_to_physmap shared = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info,
        .gpfn = first + 5,
    };
    struct xen_remove_from_physmap gone = {
        .domid = DOMID_SELF, .gpfn = first + 5,
    };
    uint64_t had = zero->tot_pages;

    list[0] = first;
    ck_assert_int_eq(mem(XENMEM_decrease_reservation, &r), 1);
    ck_assert_uint_eq(zero->tot_pages, had - count);
    /* Another thing is in the middle. */
    ck_assert_int_eq(mem(XENMEM_add_to_physmap, &shared), 0);
    ck_assert_int_eq(mem(XENMEM_populate_physmap, &r), 0);
    ck_assert(!is_any_there(zero, first, count));
    ck_assert_uint_eq(zero->tot_pages, had - count);
    ck_assert_int_eq(mem(XENMEM_remove_from_physmap, &gone), 0);
    /* The limit is. */
    zero->max_pages = had - 3;
    ck_assert_int_eq(mem(XENMEM_populate_physmap, &r), 0);
    ck_assert(!is_any_there(zero, first, count));
    ck_assert_uint_eq(zero->tot_pages, had - count);
    zero->max_pages = had;
    ck_assert_int_eq(mem(XENMEM_populate_physmap, &r), 1);
    ck_assert_uint_eq(zero->tot_pages, had);
}
END_TEST

START_TEST(test_shared_info_moves)
{
    struct xen_add_to_physmap a = { .domid = DOMID_SELF, .space =
                                    XENMAPSPACE_shared_info, .gpfn = BASE };
    enum p2m_type type;
    mfn_t m;

    env_run(d->vcpu[0]);
    ck_assert_int_eq(mem(XENMEM_add_to_physmap, &a), 0);
    m = p2m_lookup(d, gfn(BASE), &type);
    ck_assert_ptr_eq(arch_frame_map(m), d->shared_info);
    ck_assert_int_eq(type, P2M_SHARED);
    a.gpfn = 5;                     /* its RAM there goes */
    ck_assert_int_eq(mem(XENMEM_add_to_physmap, &a), 0);
    ck_assert_int_eq(type_at(d, BASE), P2M_INVALID);
    ck_assert_int_eq(type_at(d, 5), P2M_SHARED);
    ck_assert_uint_eq(d->tot_pages, ENV_PAGES - 1);
    ck_assert_int_eq(mem(XENMEM_add_to_physmap, &a), 0);
    a.idx = 1;
    ck_assert_int_eq(mem(XENMEM_add_to_physmap, &a), -EINVAL);
    a.space = 77;
    ck_assert_int_lt(mem(XENMEM_add_to_physmap, &a), 0);
    a.space = XENMAPSPACE_gmfn_foreign;
    ck_assert_int_eq(mem(XENMEM_add_to_physmap, &a), -ENOSYS);
    a.space = XENMAPSPACE_shared_info;
    a.idx = 0;
    a.gpfn = ~0ul;
    ck_assert_int_eq(mem(XENMEM_add_to_physmap, &a), -EINVAL);
}
END_TEST

START_TEST(test_foreign_batch)
{
    static xen_ulong_t idx[200];
    static xen_pfn_t g[200];
    static int err[200];
    struct xen_add_to_physmap_batch b = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_gmfn_foreign, .size = 200,
        .u.foreign_domid = 1,
    };
    struct xen_remove_from_physmap r = { .domid = DOMID_SELF };
    enum p2m_type type;
    mfn_t m;

    for (unsigned int i = 0; i < 200; i++) {
        idx[i] = i % 100;           /* ENV_PAGES of them are there */
        g[i] = BASE + i;
        err[i] = 99;
    }
    b.idxs.p = idx;
    b.gpfns.p = g;
    b.errs.p = err;
    ck_assert_int_eq(mem(XENMEM_add_to_physmap_batch, &b), 0);
    for (unsigned int i = 0; i < 200; i++) {
        m = p2m_lookup(zero, gfn(g[i]), &type);
        if (idx[i] < ENV_PAGES) {
            ck_assert_int_eq(err[i], 0);
            ck_assert_int_eq(type, P2M_FOREIGN);
            ck_assert_ptr_eq(arch_frame_map(m), env_page(d, idx[i]));
            ck_assert_uint_eq(frame_of(m)->refs, 3);
        } else {
            ck_assert_int_eq(err[i], -EINVAL);
        }
    }
    for (unsigned int i = 0; i < 200; i++) {
        r.gpfn = g[i];
        ck_assert_int_eq(mem(XENMEM_remove_from_physmap, &r),
                         idx[i] < ENV_PAGES ? 0 : -ENOENT);
    }
    ck_assert_uint_eq(frame_of(p2m_lookup(d, gfn(0), &type))->refs, 1);
    b.u.foreign_domid = 55;
    ck_assert_int_eq(mem(XENMEM_add_to_physmap_batch, &b), -ESRCH);
    env_run(d->vcpu[0]);
    b.u.foreign_domid = 2;
    ck_assert_int_eq(mem(XENMEM_add_to_physmap_batch, &b), -EPERM);
}
END_TEST

START_TEST(test_grant_table_resource)
{
    struct xen_mem_acquire_resource q = {
        .domid = 1, .type = XENMEM_resource_grant_table,
        .id = XENMEM_resource_grant_table_id_shared,
    };
    enum p2m_type type;
    unsigned int restarts = 0;

    ck_assert_int_eq(mem(XENMEM_acquire_resource, &q), 0);
    ck_assert_uint_eq(q.nr_frames, 64);
    q.nr_frames = 2;
    ck_assert_int_eq(mem(XENMEM_acquire_resource, &q), -EINVAL);
    q.frame_list.p = list;
    ck_assert_int_eq(mem(XENMEM_acquire_resource, &q), 0);
    p2m_lookup(zero, gfn(BASE + 1), &type);
    ck_assert_int_eq(type, P2M_FOREIGN);
    q.frame = 63;
    ck_assert_int_eq(mem(XENMEM_acquire_resource, &q), -EINVAL);
    q.frame = 0;
    q.pad = 1;
    ck_assert_int_eq(mem(XENMEM_acquire_resource, &q), -EINVAL);
    q.pad = 0;
    q.type = XENMEM_resource_ioreq_server;
    ck_assert_int_eq(mem(XENMEM_acquire_resource, &q), -EOPNOTSUPP);
    /* The mapping outlives the guest, the frame is not reused. */
    while (domain_kill(d) == -ERESTART) {
        ck_assert_uint_lt(restarts++, 1000);
    }
    domain_put(d);
    for (unsigned int i = 0; i < 10; i++) {
        domain_reap();
    }
    ck_assert_uint_eq(machine_domains(), 2);
    *(char *)env_page(zero, BASE) = 1;
    ck_assert_int_eq(p2m_remove(zero, gfn(BASE), 0), 0);
    ck_assert_int_eq(p2m_remove(zero, gfn(BASE + 1), 0), 0);
}
END_TEST

START_TEST(test_memory_map)
{
    struct e820_entry_abi in[3] = { { 0, 0x1000, 1 }, { 0x1000, 0x2000, 2 },
                                    { 0x100000, 0x100000, 1 } };
    struct e820_entry_abi out[8];
    struct xen_foreign_memory_map f = { .domid = 1 };
    struct xen_memory_map m = { .nr_entries = 8 };

    env_run(d->vcpu[0]);
    m.buffer.p = out;
    ck_assert_int_eq(mem(XENMEM_memory_map, &m), -ENOSYS);
    env_run(zero->vcpu[0]);
    f.map.nr_entries = 3;
    f.map.buffer.p = in;
    ck_assert_int_eq(mem(XENMEM_set_memory_map, &f), 0);
    f.map.nr_entries = 100000;
    ck_assert_int_lt(mem(XENMEM_set_memory_map, &f), 0);
    env_run(d->vcpu[0]);
    ck_assert_int_eq(mem(XENMEM_memory_map, &m), 0);
    ck_assert_uint_eq(m.nr_entries, 3);
    ck_assert_int_eq(memcmp(in, out, sizeof(in)), 0);
    f.map.nr_entries = 3;
    f.domid = 2;
    ck_assert_int_eq(mem(XENMEM_set_memory_map, &f), -EPERM);
    ck_assert_int_eq(mem(XENMEM_machine_memory_map, &m) < 0, 1);
}
END_TEST

START_TEST(test_figures)
{
    struct xen_pod_target t = { .domid = 1, .target_pages = 10 };
    domid_t id = DOMID_SELF;

    ck_assert_int_eq(mem(XENMEM_set_pod_target, &t), 0);
    ck_assert_uint_eq(t.tot_pages, ENV_PAGES);
    ck_assert_uint_eq(t.pod_cache_pages, 0);
    ck_assert_uint_eq(t.pod_entries, 0);
    env_run(d->vcpu[0]);
    ck_assert_int_eq(mem(XENMEM_current_reservation, &id), ENV_PAGES);
    ck_assert_int_eq(mem(XENMEM_maximum_reservation, &id), 1u << 16);
    ck_assert_int_eq(mem(XENMEM_maximum_gpfn, &id), ENV_PAGES - 1);
    id = 66;
    ck_assert_int_eq(mem(XENMEM_maximum_gpfn, &id), -ESRCH);
    ck_assert_int_eq(mem(XENMEM_get_sharing_freed_pages, NULL), -ENOSYS);
    ck_assert_int_eq(mem(XENMEM_get_sharing_shared_pages, NULL), -ENOSYS);
    ck_assert_int_eq(mem(XENMEM_machphys_mapping, &t), -ENOSYS);
    ck_assert_int_lt(mem(63, &t), 0);
}
END_TEST

START_TEST(test_claim)
{
    struct xen_memory_reservation r = { .domid = 1, .nr_extents = 1000 };

    ck_assert_int_eq(mem(XENMEM_claim_pages, &r), 0);
    ck_assert_uint_eq(page_alloc_claimed(), 1000 - ENV_PAGES);
    r.nr_extents = 0;
    ck_assert_int_eq(mem(XENMEM_claim_pages, &r), 0);
    ck_assert_uint_eq(page_alloc_claimed(), 0);
    r.extent_order = 1;
    ck_assert_int_eq(mem(XENMEM_claim_pages, &r), -EINVAL);
}
END_TEST

/* A pointer that leads nowhere, at each copy of each operation. */
START_TEST(test_bad_pointers)
{
    struct xen_memory_reservation r = extents(1, 4, 0);
    struct xen_add_to_physmap a = { .domid = DOMID_SELF, .space =
                                    XENMAPSPACE_shared_info, .gpfn = BASE };

    for (int i = 0; i < 5; i++) {
        uint64_t had = d->tot_pages;
        long rc;

        machine_fail_copy_after(i);
        rc = mem(XENMEM_populate_physmap, &r);
        machine_fail_copy_after(-1);
        ck_assert_int_eq(rc, i < 2 ? 0 : 4);
        ck_assert_uint_eq(d->tot_pages, had + (uint64_t)rc);
        r.nr_extents = (unsigned long)rc;
        if (rc > 0) {
            ck_assert_int_eq(mem(XENMEM_decrease_reservation, &r), rc);
        }
        r.nr_extents = 4;
    }
    machine_fail_copy_after(0);
    ck_assert_int_eq(mem(XENMEM_add_to_physmap, &a), -EFAULT);
    ck_assert_int_eq(mem(XENMEM_add_to_physmap_batch, &a), -EFAULT);
    ck_assert_int_eq(mem(XENMEM_remove_from_physmap, &a), -EFAULT);
    ck_assert_int_eq(mem(XENMEM_memory_map, &a), -EFAULT);
    ck_assert_int_eq(mem(XENMEM_acquire_resource, &a), -EFAULT);
    ck_assert_int_eq(mem(XENMEM_claim_pages, &a), -EFAULT);
    ck_assert_int_eq(mem(XENMEM_get_pod_target, &a), -EFAULT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("physmap");
    TCase *tc = unit_case(suite, "memory_op");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_populate_and_decrease);
    tcase_add_test(tc, test_superpages);
    tcase_add_test(tc, test_turns_by_the_clock);
    tcase_add_test(tc, test_a_part_without_extents_is_the_end);
    tcase_add_test(tc, test_large_page_with_a_user);
    tcase_add_test(tc, test_populate_ends_at_the_limit);
    tcase_add_test(tc, test_frames_on_demand_pass_the_limit);
    tcase_add_test(tc, test_others_memory_is_not_a_guests);
    tcase_add_test(tc, test_dom0_balloons);
    tcase_add_test(tc, test_dom0_gets_all_of_an_extent_or_nothing);
    tcase_add_test(tc, test_shared_info_moves);
    tcase_add_test(tc, test_foreign_batch);
    tcase_add_test(tc, test_grant_table_resource);
    tcase_add_test(tc, test_memory_map);
    tcase_add_test(tc, test_figures);
    tcase_add_test(tc, test_claim);
    tcase_add_test(tc, test_bad_pointers);
    return unit_run(suite);
}
