/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live windows one by one: what they show while the guest's memory comes and
 * goes, who may have them, and how each of the parties can go first.  No
 * frame is given away while an entry or a TLB leads to it: the fake machine
 * sees to that.
 */
#include "core/perfc.h"
#include "window_env.h"

static void setup(void)
{
    window_start(FRAMES);
}

static const struct gantry_window_status *status(struct domain *mapper)
{
    struct xen_mem_acquire_resource op = {
        .domid = TARGET, .type = GANTRY_RESOURCE_WINDOW,
        .id = GANTRY_WINDOW_STATUS, .nr_frames = 1,
    };
    enum p2m_type type;
    mfn_t m;

    list[0] = OTHER_BASE + FRAMES;
    op.frame_list.p = list;
    env_run(mapper->vcpu[0]);
    ck_assert_int_eq(mem(XENMEM_acquire_resource, &op), 0);
    m = entry(mapper, OTHER_BASE + FRAMES, &type);
    ck_assert_int_eq(type, P2M_FOREIGN_RO);
    return arch_frame_map(m);
}

/* ---- one by one ---- */

START_TEST(test_size)
{
    struct xen_mem_acquire_resource op = chunk_at(TARGET, 0, BASE);

    op.frame_list.p = NULL;
    ck_assert_int_eq(mem(XENMEM_acquire_resource, &op), -EINVAL);
    op.nr_frames = 0;
    ck_assert_int_eq(mem(XENMEM_acquire_resource, &op), 0);
    ck_assert_uint_eq(op.nr_frames, FRAMES);
    ck_assert_ptr_null(d->window);
    op.nr_frames = 0;
    op.id = GANTRY_WINDOW_STATUS;
    ck_assert_int_eq(mem(XENMEM_acquire_resource, &op), 0);
    ck_assert_uint_eq(op.nr_frames, 1);
    ck_assert_int_eq(balloon_in(FRAMES * 3 + 7), 1);
    env_run(zero->vcpu[0]);
    op.nr_frames = 0;
    op.id = GANTRY_WINDOW_CHUNK;
    ck_assert_int_eq(mem(XENMEM_acquire_resource, &op), 0);
    ck_assert_uint_eq(op.nr_frames, FRAMES * 4);
}
END_TEST

/* The guest says how far its gfns go; a status tells that it grew. */
START_TEST(test_limit_grows)
{
    const struct gantry_window_status *s = status(zero);

    ck_assert_uint_eq(s->version, GANTRY_WINDOW_VERSION);
    ck_assert_uint_eq(s->revoked, 0);
    ck_assert_uint_eq(s->gfn_count, FRAMES);
    ck_assert_int_eq(map_at(zero, TARGET, FRAMES, BASE), -EINVAL);
    ck_assert_int_eq(balloon_in(FRAMES), 1);
    ck_assert_uint_eq(s->gfn_count, 2 * FRAMES);
    ck_assert_int_eq(balloon_out(FRAMES), 1);
    ck_assert_uint_eq(s->gfn_count, 2 * FRAMES);
    ck_assert_int_eq(map_at(zero, TARGET, FRAMES, BASE), 0);
}
END_TEST

START_TEST(test_refusals)
{
    struct xen_mem_acquire_resource op = chunk_at(TARGET, 0, BASE);
    uint64_t left;
    long rc;

    env_run(other->vcpu[0]);
    ck_assert_int_eq(mem(XENMEM_acquire_resource, &op), -EPERM);
    op.nr_frames = 0;
    op.frame_list.p = NULL;
    ck_assert_int_eq(mem(XENMEM_acquire_resource, &op), -EPERM);
    ck_assert_ptr_null(d->window);
    ck_assert_int_eq(map(zero, BASE), 0);
    unmap(zero, BASE);
    left = page_alloc_free();
    ck_assert_int_eq(map_at(zero, TARGET, 1, BASE), -EINVAL);
    ck_assert_int_eq(map_at(zero, 0, 0, BASE), -EINVAL);
    ck_assert_int_eq(map_at(zero, 77, 0, BASE), -ESRCH);
    ck_assert_int_eq(map_at(zero, TARGET, -1ul << 9, BASE), -EINVAL);
    ck_assert_int_eq(map(zero, P2M_GFN_LIMIT - 511), -EINVAL);
    for (unsigned int i = 0; i < 3; i++) {
        op = chunk_at(TARGET, 0, BASE);
        op.nr_frames = i == 0 ? 511 : i == 1 ? 1024 : FRAMES;
        op.id = i == 2 ? 2 : GANTRY_WINDOW_CHUNK;
        env_run(zero->vcpu[0]);
        ck_assert_int_eq(mem(XENMEM_acquire_resource, &op), -EINVAL);
    }
    /* A frame twice; a list that cannot be read. */
    op = chunk_at(TARGET, 0, BASE);
    list[500] = BASE + 3;
    ck_assert_int_eq(mem(XENMEM_acquire_resource, &op), -EBUSY);
    machine_fail_copy_after(1);
    rc = map(zero, BASE);
    machine_fail_copy_after(-1);
    ck_assert_int_eq(rc, -EFAULT);
    d->state = DOMAIN_DYING;
    ck_assert_int_eq(map(zero, BASE), -EINVAL);
    d->state = DOMAIN_RUNNING;
    ck_assert_uint_eq(page_alloc_free(), left);
    ck_assert_int_eq(map(zero, BASE), 0);
    ck_window(zero, BASE);
}
END_TEST

/* A chunk has so many windows, a mapper so many of one domain. */
START_TEST(test_quota)
{
    uint64_t at = BASE, chunk = 0;
    long rc;

    for (unsigned int i = 0; i < GANTRY_WINDOW_MAPS_MAX; i++) {
        ck_assert_int_eq(map(zero, BASE + i * FRAMES), 0);
    }
    ck_assert_int_eq(map(second, BASE), -EBUSY);
    unmap(zero, BASE);
    ck_assert_int_eq(map(second, BASE), 0);
    ck_assert_int_eq(map(zero, BASE), -EBUSY);
    unmap(second, BASE);
    /* A guest with its memory strewn about cannot make us map it all. */
    zero->max_pages = 1ul << 30;
    d->max_pages = ENV_PAGES + 100;
    ck_assert_int_eq(balloon_in(FRAMES * 2000), 1);
    at = BASE + GANTRY_WINDOW_MAPS_MAX * FRAMES;
    for (chunk = 1; (rc = map_at(zero, TARGET, chunk * FRAMES, at)) == 0;
         chunk++) {
        at += FRAMES;
    }
    ck_assert_int_eq(rc, -ENOMEM);
    ck_assert_uint_eq(chunk + GANTRY_WINDOW_MAPS_MAX - 2,
                      64 * GANTRY_WINDOW_MAPS_MAX);
}
END_TEST

START_TEST(test_shows_ram_only)
{
    uint64_t value = 0;

    ck_assert_int_eq(map(zero, BASE), 0);
    ck_window(zero, BASE);
    ck_assert_uint_ne(shown(zero, BASE), shown(zero, BASE + HOLE));
    ck_assert(machine_tlb_write(zero, BASE + 5, 0x1234));
    ck_assert_uint_eq(*(uint64_t *)env_page(d, 5), 0x1234);
    *(uint64_t *)env_page(d, 6) = 77;
    ck_assert(machine_tlb_read(zero, BASE + 6, &value));
    ck_assert_uint_eq(value, 77);
    /* The hypervisor copies there as to any frame. */
    ck_assert_int_eq(p2m_write(zero, (BASE + 7) << PAGE_SHIFT, "ab", 3), 0);
    ck_assert_str_eq(env_page(d, 7), "ab");
    ck_assert_uint_eq(perfc_cpu[0].counter[PERFC_WINDOW_MAP] > 0, 1);
}
END_TEST

/* What one guest's backend lost is not another guest's to see. */
START_TEST(test_scratch_is_one_a_target)
{
    ck_assert_int_eq(map(zero, BASE), 0);
    ck_assert_int_eq(map_at(zero, 2, 0, OTHER_BASE), 0);
    ck_assert_uint_ne(shown(zero, BASE + HOLE),
                      shown(zero, OTHER_BASE + HOLE));
    ck_assert_uint_eq(shown(zero, BASE + HOLE), shown(zero, BASE + 400));
}
END_TEST

START_TEST(test_follows_balloon)
{
    uint64_t value, left;
    xen_pfn_t all[ENV_PAGES];

    ck_assert_int_eq(map(zero, BASE), 0);
    left = page_alloc_free();
    machine_tlb_load();
    ck_assert_int_eq(balloon_out(5), 1);
    ck_assert_uint_eq(page_alloc_free(), left + 1);
    ck_window(zero, BASE);
    ck_assert(machine_tlb_write(zero, BASE + 5, 9));    /* lost */
    machine_tlb_load();
    ck_assert_int_eq(balloon_in(5), 1);
    ck_window(zero, BASE);
    ck_assert(machine_tlb_read(zero, BASE + 5, &value));
    ck_assert_uint_eq(value, 0);
    ck_assert(machine_tlb_write(zero, BASE + 5, 10));
    ck_assert_uint_eq(*(uint64_t *)env_page(d, 5), 10);
    for (unsigned int i = 0; i < ENV_PAGES; i++) {
        all[i] = i;
    }
    ck_assert_int_eq(reserve(XENMEM_decrease_reservation, all, ENV_PAGES, 0),
                     ENV_PAGES);
    ck_window(zero, BASE);
    ck_assert_int_eq(reserve(XENMEM_populate_physmap, all, ENV_PAGES, 0),
                     ENV_PAGES);
    ck_window(zero, BASE);
}
END_TEST

/* Superpages over all of the chunk, and holes in them. */
START_TEST(test_follows_superpages)
{
    xen_pfn_t zeroth = 0;

    d->max_pages = 2000;
    ck_assert_int_eq(map(zero, BASE), 0);
    machine_tlb_load();
    ck_assert_int_eq(reserve(XENMEM_populate_physmap, &zeroth, 1, 9), 1);
    machine_tlb_check();
    for (unsigned int i = 0; i < FRAMES; i++) {
        ck_assert_uint_eq(shown(zero, BASE + i), ram(i));
    }
    machine_tlb_load();
    ck_assert_int_eq(balloon_out(HOLE), 1);
    ck_window(zero, BASE);
    machine_tlb_load();
    ck_assert_int_eq(balloon_in(HOLE), 1);
    ck_assert_int_eq(reserve(XENMEM_decrease_reservation, &zeroth, 1, 9), 1);
    ck_window(zero, BASE);
    ck_assert_int_eq(reserve(XENMEM_populate_physmap, &zeroth, 1, 9), 1);
    machine_tlb_load();
    ck_assert_int_eq(reserve(XENMEM_decrease_reservation, &zeroth, 1, 9), 1);
    ck_window(zero, BASE);
}
END_TEST

/* RAM that turns read-only, is written over, or shared leaves the window. */
START_TEST(test_follows_types)
{
    struct xen_add_to_physmap a = { .domid = DOMID_SELF, .space =
                                    XENMAPSPACE_shared_info, .gpfn = 3 };
    mfn_t m = mfn(ram(2));

    ck_assert_int_eq(map(zero, BASE), 0);
    machine_tlb_load();
    ck_assert_int_eq(p2m_set(d, gfn(2), m, 0, P2M_RAM_RO), 0);
    ck_window(zero, BASE);
    ck_assert_uint_ne(shown(zero, BASE + 2), m.v);
    machine_tlb_load();
    ck_assert_int_eq(p2m_set(d, gfn(2), m, 0, P2M_RAM_RW), 0);
    ck_window(zero, BASE);
    ck_assert_uint_eq(shown(zero, BASE + 2), m.v);
    machine_tlb_load();
    env_run(d->vcpu[0]);
    ck_assert_int_eq(mem(XENMEM_add_to_physmap, &a), 0);
    ck_window(zero, BASE);
    machine_tlb_load();
    ck_assert_int_eq(balloon_in(3), 1);
    ck_window(zero, BASE);
}
END_TEST

/* A list of extents costs the mapper one flush, a guest without windows 0. */
START_TEST(test_flushes_are_few)
{
    xen_pfn_t g[ENV_PAGES];
    unsigned int flushes;

    for (unsigned int i = 0; i < ENV_PAGES; i++) {
        g[i] = i;
    }
    flushes = zero->arch->flushes;
    ck_assert_int_eq(reserve(XENMEM_decrease_reservation, g, 32, 0), 32);
    ck_assert_int_eq(reserve(XENMEM_populate_physmap, g, 32, 0), 32);
    ck_assert_uint_eq(zero->arch->flushes, flushes);
    ck_assert_int_eq(map(zero, BASE), 0);
    ck_assert_uint_eq(zero->arch->flushes, flushes);
    ck_assert_int_eq(reserve(XENMEM_decrease_reservation, g, 64, 0), 64);
    ck_assert_uint_eq(zero->arch->flushes, flushes + 1);
    ck_assert_int_eq(reserve(XENMEM_populate_physmap, g, 64, 0), 64);
    ck_assert_uint_eq(zero->arch->flushes, flushes + 2);
    /* Outside of what is mapped nothing is flushed. */
    g[0] = FRAMES + 1;
    ck_assert_int_eq(reserve(XENMEM_populate_physmap, g, 1, 0), 1);
    ck_assert_int_eq(reserve(XENMEM_decrease_reservation, g, 1, 0), 1);
    ck_assert_uint_eq(zero->arch->flushes, flushes + 2);
}
END_TEST

/* ---- the mapper's side ---- */

START_TEST(test_unmap_gives_all_back)
{
    uint64_t left;

    ck_assert_int_eq(map(zero, BASE), 0);
    unmap(zero, BASE);
    left = page_alloc_free();       /* tables and scratch stay */
    for (unsigned int n = 0; n < 3; n++) {
        ck_assert_int_eq(map(zero, BASE), 0);
        ck_assert_uint_lt(page_alloc_free(), left);
        for (unsigned int i = 0; i < FRAMES; i++) {
            /* Forwards, backwards, and odd ones first. */
            unsigned int at = n == 0 ? i : n == 1 ? FRAMES - 1 - i :
                              (i * 2 + (i < FRAMES / 2)) % FRAMES;

            machine_tlb_load();
            ck_assert_int_eq(unmap_one(zero, BASE + at), 0);
            ck_assert_int_eq(unmap_one(zero, BASE + at), -ENOENT);
        }
        ck_assert_uint_eq(page_alloc_free(), left);
    }
}
END_TEST

/* After a partial unmap the rest follows, and the place can be used. */
START_TEST(test_partial_unmap)
{
    enum p2m_type type;

    ck_assert_int_eq(map(zero, BASE), 0);
    machine_tlb_load();
    ck_assert_int_eq(unmap_one(zero, BASE + 5), 0);
    ck_assert_int_eq(balloon_out(5), 1);
    ck_assert_int_eq(balloon_out(6), 1);
    entry(zero, BASE + 5, &type);
    ck_assert_int_eq(type, P2M_INVALID);
    ck_assert_uint_eq(shown(zero, BASE + 6), shown(zero, BASE + HOLE));
    ck_assert_int_eq(balloon_in(5), 1);
    entry(zero, BASE + 5, &type);
    ck_assert_int_eq(type, P2M_INVALID);
    /* A window is not put over another, not even in part. */
    ck_assert_int_eq(map(zero, BASE), -EBUSY);
    entry(zero, BASE + 5, &type);
    ck_assert_int_eq(type, P2M_INVALID);
    ck_assert_int_eq(map(zero, OTHER_BASE), 0);
    ck_window(zero, OTHER_BASE);
}
END_TEST

/* Other things are put over windows: grants, frames, RAM of the mapper. */
START_TEST(test_overwritten_entries)
{
    struct gnttab_map_grant_ref op;
    struct xen_mem_acquire_resource table = {
        .domid = TARGET, .type = XENMEM_resource_grant_table,
        .id = XENMEM_resource_grant_table_id_shared, .nr_frames = 1 };
    enum p2m_type type;

    grant_page(other, 1, 9, 0);
    ck_assert_int_eq(map(zero, BASE), 0);
    machine_tlb_load();
    op = map_grant(zero, 2, BASE + 5);
    ck_assert_int_eq(op.status, GNTST_okay);
    machine_tlb_check();
    list[0] = BASE + 6;
    table.frame_list.p = list;
    ck_assert_int_eq(mem(XENMEM_acquire_resource, &table), 0);
    machine_tlb_check();
    machine_tlb_load();
    ck_assert_int_eq(balloon_out(5), 1);
    ck_assert_int_eq(balloon_out(6), 1);
    ck_assert_int_eq(balloon_in(5), 1);
    entry(zero, BASE + 5, &type);
    ck_assert_int_eq(type, P2M_GRANT_RW);
    entry(zero, BASE + 6, &type);
    ck_assert_int_eq(type, P2M_FOREIGN);
    unmap(zero, BASE);              /* but for the grant */
    ck_assert_int_eq(map(zero, BASE), 0);   /* over the grant */
    ck_window(zero, BASE);
}
END_TEST

/* The mapper's own RAM where a window comes goes as from any other. */
START_TEST(test_window_over_ram)
{
    uint64_t had = second->tot_pages;

    ck_assert_int_eq(map(second, 0), 0);
    ck_assert_uint_eq(second->tot_pages, had - ENV_PAGES);
    for (unsigned int i = 0; i < ENV_PAGES; i++) {
        ck_assert_uint_eq(shown(second, i), ram(i));
    }
    second->is_privileged = false;
    kill_domain(second);
}
END_TEST

/* Memory ends at each of the allocations: nothing changes, or all does. */
START_TEST(test_no_memory)
{
    static struct frame *taken[8192];
    unsigned int count = 0, failures = 0;
    long rc = -ENOMEM;

    while ((taken[count] = page_alloc_shared(NULL)) != NULL) {
        count++;
    }
    while (rc == -ENOMEM) {
        uint64_t left = page_alloc_free();

        rc = map(zero, BASE);
        if (rc == -ENOMEM) {
            enum p2m_type type;

            entry(zero, BASE, &type);
            ck_assert_int_eq(type, P2M_INVALID);
            failures += page_alloc_free() == left;
            frame_disown(taken[--count]);
        }
    }
    ck_assert_int_eq(rc, 0);
    ck_assert_uint_ge(failures, 1);
    ck_window(zero, BASE);
    while (count > 0) {
        frame_disown(taken[--count]);
    }
    unmap(zero, BASE);
}
END_TEST

/* ---- ends, in any order ---- */

/* The guest is gone at once, its memory too; the backend does not stir. */
START_TEST(test_target_dies_first)
{
    uint64_t left, scratch, value, generation;
    const struct gantry_window_status *s;

    /* Tables that are made once. */
    ck_assert_int_eq(map(zero, BASE), 0);
    ck_assert_int_eq(map(zero, OTHER_BASE), 0);
    ck_assert_int_eq(map(second, BASE), 0);
    ck_assert_int_eq(map(second, OTHER_BASE), 0);
    unmap(zero, BASE);
    unmap(zero, OTHER_BASE);
    unmap(second, BASE);
    unmap(second, OTHER_BASE);
    s = status(zero);
    ck_assert_int_eq(unmap_one(zero, OTHER_BASE + FRAMES), 0);
    kill_domain(d);
    left = page_alloc_free();

    d = env_domain(TARGET, 1);
    s = status(zero);
    ck_assert_int_eq(map(zero, BASE), 0);
    ck_assert_int_eq(map(zero, OTHER_BASE), 0);
    ck_assert_int_eq(map(second, BASE), 0);
    scratch = shown(zero, BASE + HOLE);
    generation = s->generation;
    kill_domain(d);
    ck_assert_uint_eq(machine_domains(), 3);
    ck_assert_uint_eq(s->revoked, 1);
    ck_assert_uint_eq(s->generation, generation + 1);
    /* Scratch and status, and a page for each map. */
    ck_assert_uint_eq(page_alloc_free() + 2 + 3, left);
    for (unsigned int i = 0; i < FRAMES; i++) {
        ck_assert_uint_eq(shown(zero, BASE + i), scratch);
    }
    ck_assert(machine_tlb_write(zero, BASE + 5, 1));
    ck_assert(machine_tlb_read(zero, BASE + 6, &value));

    /* Its id is used again: that is another one. */
    d = env_domain(TARGET, 1);
    for (unsigned int i = 0; i < FRAMES; i++) {
        ck_assert_uint_eq(shown(zero, BASE + i), scratch);
    }
    ck_assert_int_eq(map(second, OTHER_BASE), 0);
    ck_assert_uint_ne(shown(second, OTHER_BASE + HOLE), scratch);
    unmap(zero, BASE);
    unmap(second, BASE);
    unmap(second, OTHER_BASE);
    kill_domain(d);
    unmap(zero, OTHER_BASE);
    ck_assert_int_eq(unmap_one(zero, OTHER_BASE + FRAMES), 0);
    ck_assert_uint_eq(page_alloc_free(), left);
    d = env_domain(TARGET, 1);
}
END_TEST

START_TEST(test_mapper_dies_first)
{
    uint64_t left;

    for (unsigned int n = 0; n < 2; n++) {
        ck_assert_int_eq(map(zero, BASE), 0);
        ck_assert_int_eq(map(second, BASE), 0);
        ck_assert_int_eq(map_at(second, 2, 0, OTHER_BASE), 0);
        second->is_privileged = false;
        kill_domain(second);
        ck_assert_uint_eq(machine_domains(), 3);
        ck_window(zero, BASE);
        ck_assert_int_eq(balloon_out(5), 1);
        ck_assert_int_eq(balloon_in(5), 1);
        ck_window(zero, BASE);
        unmap(zero, BASE);
        if (n == 0) {
            left = page_alloc_free();
        } else {
            ck_assert_uint_eq(page_alloc_free(), left);
        }
        second = env_domain(SECOND, 1);
        second->is_privileged = true;
    }
}
END_TEST

/* Two that see each other. */
START_TEST(test_each_others_windows)
{
    machine_tlb_watch(d, BASE, FRAMES);
    d->is_privileged = true;
    ck_assert_int_eq(map(second, BASE), 0);
    ck_assert_int_eq(map_at(d, SECOND, 0, BASE), 0);
    ck_window(second, BASE);
    ck_assert_int_eq(balloon_out(4), 1);
    ck_window(second, BASE);
    d->is_privileged = second->is_privileged = false;
    kill_domain(d);
    kill_domain(second);
    ck_assert_uint_eq(machine_domains(), 2);
}
END_TEST

/* ---- revoking, for log-dirty ---- */

START_TEST(test_revoke)
{
    const struct gantry_window_status *s = status(zero);
    uint64_t generation = s->generation;
    unsigned int restarts = 0;

    ck_assert_int_eq(window_restore(other), 0);
    ck_assert_int_eq(balloon_in(FRAMES * 20), 1);
    for (unsigned int i = 0; i < 20; i++) {
        ck_assert_int_eq(map_at(zero, TARGET, i * FRAMES,
                                BASE + i * FRAMES), 0);
    }
    machine_tlb_load();
    while (window_revoke(d) == -ERESTART) {
        restarts++;
        machine_tlb_load();
        ck_assert_uint_eq(s->revoked, 1);
    }
    ck_assert_uint_ge(restarts, 1);
    ck_assert_uint_eq(s->generation, generation + 1);
    ck_all_scratch(zero, BASE);
    revoke(d);
    ck_assert_uint_eq(s->generation, generation + 1);
    /* The guest's memory changes, a window comes and one goes. */
    ck_assert_int_eq(balloon_out(5), 1);
    ck_assert_int_eq(balloon_out(6), 1);
    ck_assert_int_eq(balloon_in(6), 1);
    ck_all_scratch(zero, BASE);
    ck_assert_int_eq(map(second, BASE), 0);
    ck_all_scratch(second, BASE);
    unmap(zero, BASE + 3 * FRAMES);
    ck_assert_int_eq(restore(d), 0);
    ck_assert_uint_eq(s->revoked, 0);
    ck_assert_uint_eq(s->generation, generation + 2);
    ck_window(zero, BASE);
    ck_window(second, BASE);
    ck_assert_int_eq(restore(d), 0);
    ck_assert_uint_eq(s->generation, generation + 2);
}
END_TEST

/* Each of revoke and restore is interrupted by the other, and by death. */
START_TEST(test_revoke_and_restore_meet)
{
    const struct gantry_window_status *s = status(zero);

    ck_assert_int_eq(balloon_in(FRAMES * 20), 1);
    for (unsigned int i = 0; i < 20; i++) {
        ck_assert_int_eq(map_at(zero, TARGET, i * FRAMES,
                                BASE + i * FRAMES), 0);
    }
    revoke(d);
    machine_tlb_load();
    ck_assert_int_eq(window_restore(d), -ERESTART);
    ck_assert_uint_eq(s->revoked, 1);
    ck_window(zero, BASE);          /* the first, already */
    ck_assert_int_eq(balloon_out(5), 1);
    ck_window(zero, BASE);
    revoke(d);
    ck_all_scratch(zero, BASE);
    ck_assert_uint_eq(s->revoked, 1);
    ck_assert_int_eq(restore(d), 0);
    ck_assert_int_eq(window_revoke(d), -ERESTART);
    machine_tlb_load();
    ck_assert_int_eq(restore(d), 0);
    ck_window(zero, BASE);
    ck_assert_uint_eq(s->revoked, 0);
    revoke(d);
    ck_assert_int_eq(window_restore(d), -ERESTART);
    machine_tlb_load();
    kill_domain(d);
    ck_assert_uint_eq(s->revoked, 1);
    ck_assert_uint_eq(shown(zero, BASE + 1), shown(zero, BASE + HOLE));
    d = env_domain(TARGET, 1);
}
END_TEST

START_TEST(test_no_restore_of_the_dying)
{
    ck_assert_int_eq(map(zero, BASE), 0);
    ck_assert_int_eq(window_kill(d), 0);
    ck_assert_int_eq(window_restore(d), -EINVAL);
    ck_all_scratch(zero, BASE);
    ck_assert_int_eq(map(second, BASE), -EINVAL);
}
END_TEST

/* ---- a copy by the hypervisor at the same time ---- */

START_TEST(test_copy_holds_the_frame)
{
    struct grant_pin pin;
    uint64_t left;
    struct frame *f;

    grant_page(d, 1, 5, 0);
    ck_assert_int_eq(map(zero, BASE), 0);
    machine_tlb_load();
    f = p2m_get_ram(d, gfn(6), true);
    ck_assert_int_eq(grant_pin(d, 1, 0, true, &pin), GNTST_okay);
    left = page_alloc_free();
    ck_assert_int_eq(balloon_out(5), 1);
    ck_assert_int_eq(balloon_out(6), 1);
    ck_window(zero, BASE);
    ck_assert_uint_eq(page_alloc_free(), left);
    ck_assert_int_eq(balloon_in(5), 1);
    ck_assert_uint_ne(shown(zero, BASE + 5), frame_mfn(pin.frame).v);
    grant_unpin(&pin);
    frame_put(f);
    ck_assert_uint_eq(page_alloc_free(), left + 1);
    ck_assert_uint_eq(d->grant->shared[0][1].flags, GTF_permit_access);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("window");
    TCase *tc = unit_case(suite, "windows");

    tcase_set_timeout(tc, 600);
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_size);
    tcase_add_test(tc, test_limit_grows);
    tcase_add_test(tc, test_refusals);
    tcase_add_test(tc, test_quota);
    tcase_add_test(tc, test_shows_ram_only);
    tcase_add_test(tc, test_scratch_is_one_a_target);
    tcase_add_test(tc, test_follows_balloon);
    tcase_add_test(tc, test_follows_superpages);
    tcase_add_test(tc, test_follows_types);
    tcase_add_test(tc, test_flushes_are_few);
    tcase_add_test(tc, test_unmap_gives_all_back);
    tcase_add_test(tc, test_partial_unmap);
    tcase_add_test(tc, test_overwritten_entries);
    tcase_add_test(tc, test_window_over_ram);
    tcase_add_test(tc, test_no_memory);
    tcase_add_test(tc, test_target_dies_first);
    tcase_add_test(tc, test_mapper_dies_first);
    tcase_add_test(tc, test_each_others_windows);
    tcase_add_test(tc, test_revoke);
    tcase_add_test(tc, test_revoke_and_restore_meet);
    tcase_add_test(tc, test_no_restore_of_the_dying);
    tcase_add_test(tc, test_copy_holds_the_frame);
    return unit_run(suite);
}
