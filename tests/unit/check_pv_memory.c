/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hvm/pv_memory.c: what a PV guest's frames need, when it is built and when
 * its limit is raised while it runs.  The tables are walked as the CPU does.
 */
#define X86_INSN_H                  /* none of the machine's instructions */
#define HVM_HVM_H                   /* the fake machine's domains */

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct cpuid_regs {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf)
{
    (void)leaf;
    (void)subleaf;
    return (struct cpuid_regs){ .eax = 40 };
}

/* These the fake machine has, too. */
#define arch_pv_frame own_pv_frame
#define arch_pv_get_own_m2p own_pv_get_own_m2p
#define arch_pv_grow own_pv_grow
#define arch_pv_m2p_page own_pv_m2p_page
#define arch_pv_m2p_pages own_pv_m2p_pages
#define arch_pv_own_m2p_pages own_pv_own_m2p_pages
#define arch_pv_tell_handle own_pv_tell_handle
#define arch_max_mfn own_max_mfn
#define pv_image_start test_image
#include "fake/machine.h"
#include "../../hv/arch/x86/hvm/pv_memory.c"
#include "unit.h"
#include "core_env.h"

#define RAM (1ull << 24)            /* 64 GiB, as the code is told */
#define PAGES 8192ull               /* that the guest is built for */
#define BUILT (PAGES + FRAMES_SLACK)
#define MORE (4 * PAGES)
#define SPARE_MAX 65536u

/* One page of text, one of data, and one that is empty. */
const char test_image[2 * PAGE_SIZE] __attribute__((aligned(PAGE_SIZE))) = {
    'g', 'p', 'v', 'k', 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0,
    [60] = '\x80', '\x80', '\xff', '\xff',     /* stubs: PVK_IMAGE */
};

static struct domain *control, *d;
static uint64_t ram;
static void *spare[SPARE_MAX];
static unsigned int spares;

uint64_t own_max_mfn(void)
{
    return ram;
}

static void make_pv(uint64_t pages)
{
    struct xen_domctl_createdomain config = {
        .max_vcpus = 1, .max_evtchn_port = 1023, .max_grant_frames = 4,
        .max_maptrack_frames = 4,
    };

    ck_assert_int_eq(domain_create(2, &config, false, &d), 0);
    d->max_pages = pages;
    d->arch->pv = kmem_alloc(sizeof(*d->arch->pv));
    ck_assert_ptr_nonnull(d->arch->pv);
    ck_assert_int_eq(pv_memory_create(d), 0);
}

static void build(void)
{
    int rc;

    do {
        rc = pv_memory_complete(d);
    } while (rc == -ERESTART);
    ck_assert_int_eq(rc, 0);
}

static void setup(void)
{
    ram = RAM;
    env_start();
    control = env_domain(0, 1);
    env_run(control->vcpu[0]);
    pv_init();
    make_pv(PAGES);
}

static void setup_built(void)
{
    setup();
    build();
    ck_assert_int_eq(domain_unpause_by_controller(d), 0);
}

/* The M2P is made once, for all. */
static void make_m2p(void)
{
    for (uint64_t i = 0; i < (16 * PAGES + FRAMES_AHEAD) / WORDS; i++) {
        ck_assert_ptr_nonnull(m2p_page(i));
    }
}

/* In how many calls; the error is that of the last one. */
static unsigned int grow_all(uint64_t pages, int error)
{
    unsigned int calls = 1;
    int rc;

    while ((rc = own_pv_grow(d, pages)) == -ERESTART) {
        ck_assert_uint_lt(calls++, 100000);
    }
    ck_assert_int_eq(rc, error);
    return calls;
}

/* What the container's tables say of 'va': the entry, 0 if there is none. */
static uint64_t entry_at(uint64_t va, unsigned int level)
{
    uint64_t entry = d->arch->pv->root << PAGE_SHIFT | PTE_PRESENT;

    for (unsigned int l = 4; l >= level; l--) {
        const uint64_t *t = env_page(d, (entry & PTE_ADDRESS) >> PAGE_SHIFT);

        ck_assert_ptr_nonnull(t);
        entry = t[va >> (12 + 9 * (l - 1)) & 511];
        if (!(entry & PTE_PRESENT)) {
            return 0;
        }
    }
    return entry;
}

static const void *page_of(uint64_t entry)
{
    return env_page(d, (entry & PTE_ADDRESS) >> PAGE_SHIFT);
}

static bool has_frame(uint64_t frame)
{
    uint64_t shown = entry_at(PVK_M2P + frame * 8, 1);
    uint64_t record = entry_at(PVK_RECORDS + frame * 4, 1);
    uint64_t direct = entry_at(PVK_DIRECT + (frame << PAGE_SHIFT), 2);
    uint32_t *own = pv_memory_record(d, frame);

    ck_assert_int_eq(shown != 0, record != 0);
    ck_assert_int_eq(shown != 0, direct != 0);
    ck_assert_int_eq(frame < d->arch->pv->shared->frames, own != NULL);
    if (own == NULL) {
        return shown != 0;
    }
    ck_assert_uint_eq(((const uint64_t *)page_of(shown))[frame % WORDS],
                      frame);
    ck_assert_uint_eq(shown & (PTE_WRITE | PTE_USER), PTE_USER);
    ck_assert_ptr_eq((const uint32_t *)page_of(record)
                     + frame % RECORDS_PER_PAGE, own);
    ck_assert_uint_eq(record & (PTE_WRITE | PTE_USER), PTE_WRITE);
    ck_assert_uint_eq(direct & PTE_ADDRESS,
                      (frame & ~511ul) << PAGE_SHIFT);
    ck_assert_uint_eq(direct & (PTE_LARGE | PTE_WRITE | PTE_USER),
                      PTE_LARGE | PTE_WRITE);
    return true;
}

static uint64_t frames(void)
{
    ck_assert_uint_eq(d->arch->pv->frames, d->arch->pv->shared->frames);
    return d->arch->pv->shared->frames;
}

/* Only so much memory is free from now on; or what was taken comes back. */
static void leave(uint64_t pages)
{
    while (page_alloc_free() > pages) {
        ck_assert_uint_lt(spares, SPARE_MAX);
        spare[spares] = page_alloc_core(0);
        ck_assert_ptr_nonnull(spare[spares++]);
    }
}

static void give_back(void)
{
    while (spares > 0) {
        page_free_core(spare[--spares], 0);
    }
}

static void destroy(void)
{
    while (domain_kill(d) == -ERESTART) {
    }
    while (pv_memory_release(d) == -ERESTART) {
    }
    pv_memory_destroy(d);
    kmem_free(d->arch->pv);
    d->arch->pv = NULL;
    domain_put(d);
    domain_reap();
}

START_TEST(a_guest_is_built_for_its_limit)
{
    ck_assert_uint_eq(frames(), 0);
    build();
    ck_assert_uint_eq(frames(), BUILT);
    ck_assert(has_frame(0) && has_frame(PAGES) && has_frame(BUILT - 1));
    ck_assert(!has_frame(BUILT));
}
END_TEST

/* As xl and libxc raise it before they give memory. */
START_TEST(one_that_is_not_built_has_nothing_to_grow)
{
    uint64_t before = page_alloc_free();

    ck_assert_int_eq(own_pv_grow(d, 1ull << 30), 0);
    ck_assert_uint_eq(page_alloc_free(), before);
    ck_assert_uint_eq(frames(), 0);
}
END_TEST

/* The limit is raised while a builder is half way: one comes to its end. */
START_TEST(one_that_is_being_built_is_built_first)
{
    ck_assert_int_eq(pv_memory_complete(d), 0);
    ck_assert_uint_eq(frames(), BUILT);
    destroy();
    make_pv(MORE);
    ck_assert_int_eq(pv_memory_complete(d), -ERESTART);
    (void)grow_all(2 * MORE, 0);
    ck_assert_uint_eq(frames(), 2 * MORE + FRAMES_SLACK + FRAMES_AHEAD);
    build();
    ck_assert(has_frame(0) && has_frame(frames() - 1));
}
END_TEST

START_TEST(a_guest_grows_in_parts)
{
    uint64_t slot[PVK_SLOT_COUNT];
    uint64_t end = MORE + FRAMES_SLACK + FRAMES_AHEAD;
    unsigned int calls = 1;

    memcpy(slot, d->arch->pv->shared->slot, sizeof(slot));
    *pv_memory_record(d, 5) = 4711;
    while (own_pv_grow(d, MORE) == -ERESTART) {
        ck_assert_uint_eq(frames(), BUILT);
        ck_assert_ptr_null(pv_memory_record(d, BUILT));
        calls++;
    }
    ck_assert_uint_eq(calls, 1 + ((end - BUILT) / 512 * 5 / 2 - 1)
                                 / PIECES_PER_CALL);
    ck_assert_uint_eq(frames(), end);
    for (uint64_t frame = 0; frame < end; frame += 256) {
        ck_assert(has_frame(frame));
    }
    ck_assert(!has_frame(end));
    ck_assert_uint_eq(*pv_memory_record(d, 5), 4711);
    ck_assert_uint_eq(*pv_memory_record(d, end - 1), 0);
    ck_assert_mem_eq(slot, d->arch->pv->shared->slot, sizeof(slot));
}
END_TEST

/* By the clock, too: a part is one piece at least. */
START_TEST(a_slow_machine_takes_more_parts)
{
    machine_step_time(BUDGET_NS);
    ck_assert_uint_gt(grow_all(MORE, 0), 5 * (MORE - PAGES) / 1024);
    ck_assert(has_frame(MORE - 1));
}
END_TEST

START_TEST(a_lower_limit_changes_nothing)
{
    uint64_t before;

    (void)grow_all(MORE, 0);
    before = page_alloc_free();
    ck_assert_uint_eq(grow_all(PAGES, 0), 1);
    ck_assert_uint_eq(grow_all(MORE, 0), 1);
    ck_assert_uint_eq(page_alloc_free(), before);
    ck_assert_uint_eq(frames(), MORE + FRAMES_SLACK + FRAMES_AHEAD);
}
END_TEST

START_TEST(a_guest_grows_to_16_times_its_size)
{
    const uint64_t most = GROWTH_MAX * BUILT;
    uint64_t before = page_alloc_free();

    ck_assert_uint_eq(d->arch->pv->most, most + FRAMES_AHEAD);
    ck_assert_int_eq(own_pv_grow(d, most - FRAMES_SLACK + 1), -E2BIG);
    ck_assert_int_eq(own_pv_grow(d, UINT32_MAX), -E2BIG);
    ck_assert_uint_eq(page_alloc_free(), before);
    ck_assert_uint_eq(frames(), BUILT);
    ck_assert(!has_frame(BUILT));
    (void)grow_all(most - FRAMES_SLACK, 0);
    ck_assert_uint_eq(frames(), most + FRAMES_AHEAD);
    ck_assert(has_frame(frames() - 1) && !has_frame(frames()));
    ck_assert_int_eq(own_pv_grow(d, most), -E2BIG);
    ck_assert_uint_eq(frames(), most + FRAMES_AHEAD);
}
END_TEST

/* Records for what no guest can have would only be in the way. */
START_TEST(no_guest_grows_beyond_the_hosts_ram)
{
    destroy();
    ram = 1u << 18;
    pv_init();
    make_pv(ram / 4);
    build();
    (void)grow_all(UINT32_MAX, 0);
    ck_assert_uint_eq(frames(), m2p_limit * WORDS);
    ck_assert(has_frame(frames() - 1));
    /* The M2P ends with the RAM: so does a guest that says it had more. */
    destroy();
    ram = (1u << 18) - 32;
    pv_init();
    make_pv(ram);
    build();
    ck_assert_uint_eq(frames(), 1u << 18);
}
END_TEST

/* The second try finds the tables of the first; nothing else stayed. */
START_TEST(no_memory_takes_all_back)
{
    make_m2p();
    for (uint64_t left = 0; left <= 80; left += 8) {
        uint64_t before;

        leave(left);
        (void)grow_all(MORE, -ENOMEM);
        before = page_alloc_free();
        ck_assert_uint_le(left - before, 8);
        ck_assert_uint_eq(frames(), BUILT);
        ck_assert(!has_frame(BUILT) && !has_frame(MORE));
        ck_assert(has_frame(BUILT - 1));
        (void)grow_all(MORE, -ENOMEM);
        ck_assert_uint_eq(page_alloc_free(), before);
        give_back();
    }
    (void)grow_all(MORE, 0);
    for (uint64_t frame = 0; frame < MORE; frame += 256) {
        ck_assert(has_frame(frame));
    }
}
END_TEST

/* Another limit meanwhile: who asked for less has it earlier. */
START_TEST(two_limits_meet)
{
    ck_assert_int_eq(own_pv_grow(d, 8 * PAGES), -ERESTART);
    (void)grow_all(MORE, 0);
    ck_assert_uint_eq(frames(), MORE + FRAMES_SLACK + FRAMES_AHEAD);
    (void)grow_all(8 * PAGES, 0);
    ck_assert_uint_eq(frames(), 8 * PAGES + FRAMES_SLACK + FRAMES_AHEAD);
    for (uint64_t frame = 0; frame < frames(); frame += 256) {
        ck_assert(has_frame(frame));
    }
}
END_TEST

/* The first one's failure is what the second hears, who finishes it. */
START_TEST(two_limits_fail_together)
{
    make_m2p();
    machine_step_time(BUDGET_NS);
    leave(40);
    while (d->arch->pv->error == 0) {
        ck_assert_int_eq(own_pv_grow(d, MORE), -ERESTART);
    }
    ck_assert_int_eq(own_pv_grow(d, 8 * PAGES), -ERESTART);
    (void)grow_all(8 * PAGES, -ENOMEM);
    ck_assert(!has_frame(BUILT));
    give_back();
    (void)grow_all(MORE, 0);
    ck_assert(has_frame(MORE));
}
END_TEST

static uint64_t free_without(void)
{
    uint64_t now;

    destroy();
    now = page_alloc_free();
    make_pv(PAGES);
    build();
    return now;
}

START_TEST(a_domain_that_dies_meanwhile_leaves_nothing)
{
    uint64_t before;

    make_m2p();
    before = free_without();
    for (unsigned int calls = 0; calls < 4; calls++) {
        for (unsigned int i = 0; i <= calls; i++) {
            ck_assert_int_eq(own_pv_grow(d, MORE), -ERESTART);
        }
        while (domain_kill(d) == -ERESTART) {
            ck_assert_int_eq(own_pv_grow(d, MORE), -ESRCH);
        }
        ck_assert_int_eq(own_pv_grow(d, MORE), -ESRCH);
        ck_assert_uint_eq(free_without(), before);
    }
}
END_TEST

/* It had failed, and what was made is being taken back. */
START_TEST(a_domain_dies_on_the_way_back)
{
    uint64_t before;

    make_m2p();
    before = free_without();
    machine_step_time(BUDGET_NS);
    leave(40);
    while (d->arch->pv->error == 0) {
        ck_assert_int_eq(own_pv_grow(d, MORE), -ERESTART);
    }
    machine_step_time(0);
    give_back();
    while (domain_kill(d) == -ERESTART) {
    }
    ck_assert_int_eq(own_pv_grow(d, MORE), -ESRCH);
    ck_assert_uint_eq(free_without(), before);
}
END_TEST

/* A guest's kernel can write the container's tables: it gets nowhere. */
START_TEST(a_guest_that_ruined_its_tables_does_not_grow)
{
    uint64_t *root = env_page(d, d->arch->pv->root);
    const uint64_t was = root[258];
    const uint64_t wrong[] = {
        0, 1, 5 << PAGE_SHIFT | TABLE, d->arch->pv->base << PAGE_SHIFT | TABLE,
        ~0ull, (d->arch->pv->base + PV_GFN_M2P) << PAGE_SHIFT | TABLE,
    };

    make_m2p();
    for (unsigned int i = 1; i < ARRAY_SIZE(wrong); i++) {
        uint64_t before = page_alloc_free();

        root[258] = wrong[i];
        (void)grow_all(MORE, -ENOMEM);
        root[258] = was;
        ck_assert_uint_le(before - page_alloc_free(), 8);
        ck_assert_uint_eq(frames(), BUILT);
        ck_assert(!has_frame(BUILT));
    }
    /* Pages that the guest may write anyway. */
    root[258] = root[257];
    (void)grow_all(MORE, 0);
    root[258] = was;
    destroy();
}
END_TEST

/* Memory of the guest where something is to come goes, as by a balloon. */
START_TEST(what_stands_in_the_way_goes)
{
    uint64_t g = d->arch->pv->base + PV_GFN_RECORDS + BUILT / 1024 + 2;
    struct frame *f = page_alloc_domain(d, 0);

    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(p2m_set(d, gfn(g), frame_mfn(f), 0, P2M_RAM_RW), 0);
    ck_assert_uint_eq(d->tot_pages, 1);
    (void)grow_all(MORE, 0);
    ck_assert_uint_eq(d->tot_pages, 0);
    ck_assert(has_frame(MORE - 1));
}
END_TEST

/* Pages of the M2P of its own stay, and new ones can be changed. */
START_TEST(a_guest_with_an_m2p_of_its_own_grows)
{
    ck_assert_int_eq(pv_memory_set_m2p(d, 5, 6), 0);
    ck_assert_int_eq(pv_memory_set_m2p(d, MORE, 7), -EINVAL);
    ck_assert_int_eq(own_pv_grow(d, MORE), -ERESTART);
    ck_assert_int_eq(pv_memory_set_m2p(d, MORE, 7), -EINVAL);
    ck_assert_int_eq(pv_memory_set_m2p(d, 600, 7), 0);
    (void)grow_all(MORE, 0);
    ck_assert_int_eq(pv_memory_set_m2p(d, MORE, 7), 0);
    ck_assert(has_frame(MORE + 512) && has_frame(7));
    destroy();
}
END_TEST

/* For who saves it; a page that is held stays when the guest goes. */
START_TEST(pages_of_its_own_m2p_are_told_apart)
{
    const gfn_t g = gfn(d->arch->pv->base + PV_GFN_M2P + 1);
    const uint64_t *page;
    struct frame *f, *ram_page;
    uint64_t before;

    ck_assert_uint_eq(own_pv_own_m2p_pages(d), 0);
    ck_assert_ptr_null(own_pv_get_own_m2p(d, 0));
    ck_assert_int_eq(pv_memory_set_m2p(d, 5, 6), 0);
    ck_assert_int_eq(pv_memory_set_m2p(d, WORDS, 7), 0);
    ck_assert_uint_eq(own_pv_own_m2p_pages(d), 2);
    ck_assert_int_eq(pv_memory_set_m2p(d, 5, 6), 0);
    ck_assert_uint_eq(own_pv_own_m2p_pages(d), 2);
    ck_assert_ptr_null(own_pv_get_own_m2p(d, 2));
    ck_assert_ptr_null(own_pv_get_own_m2p(d, PV_GFNS - PV_GFN_M2P));
    ck_assert_ptr_null(own_pv_get_own_m2p(d, ~0ull));
    /* RAM that the guest put into its place is not shown as one. */
    ram_page = page_alloc_domain(d, 0);
    ck_assert_ptr_nonnull(ram_page);
    ck_assert_int_eq(p2m_set(d, g, frame_mfn(ram_page), 0, P2M_RAM_RW), 0);
    ck_assert_ptr_null(own_pv_get_own_m2p(d, 1));
    f = own_pv_get_own_m2p(d, 0);
    ck_assert_ptr_nonnull(f);
    destroy();
    page = arch_frame_map(frame_mfn(f));
    ck_assert(page[4] == 4 && page[5] == 6 && page[6] == 6);
    before = page_alloc_free();
    frame_put(f);
    ck_assert_uint_eq(page_alloc_free(), before + 1);
}
END_TEST

/* Level 4 tables have their entries before the guest can make one. */
START_TEST(level_4_entries_are_there_for_all_that_may_come)
{
    const uint64_t slot = SLOT_SIZE >> PAGE_SHIFT;

    destroy();
    ram = 1ull << 30;
    pv_init();
    make_pv(slot / 16);
    build();
    ck_assert_uint_gt(d->arch->pv->most, slot);
    ck_assert_uint_lt(d->arch->pv->most, 2 * slot);
    for (unsigned int i = 0; i < PVK_SLOT_COUNT; i++) {
        bool is_there = i < 3 || i == 4 || i == 5;

        ck_assert_int_eq(d->arch->pv->shared->slot[i] != 0, is_there);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("pv_memory");
    TCase *t = unit_case(s, "build");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, a_guest_is_built_for_its_limit);
    tcase_add_test(t, one_that_is_not_built_has_nothing_to_grow);
    tcase_add_test(t, one_that_is_being_built_is_built_first);
    tcase_add_test(t, no_guest_grows_beyond_the_hosts_ram);
    tcase_add_test(t, level_4_entries_are_there_for_all_that_may_come);
    t = unit_case(s, "grow");
    tcase_add_checked_fixture(t, setup_built, NULL);
    tcase_add_test(t, a_guest_grows_in_parts);
    tcase_add_test(t, a_slow_machine_takes_more_parts);
    tcase_add_test(t, a_lower_limit_changes_nothing);
    tcase_add_test(t, a_guest_grows_to_16_times_its_size);
    tcase_add_test(t, no_memory_takes_all_back);
    tcase_add_test(t, two_limits_meet);
    tcase_add_test(t, two_limits_fail_together);
    t = unit_case(s, "trouble");
    tcase_add_checked_fixture(t, setup_built, NULL);
    tcase_add_test(t, a_domain_that_dies_meanwhile_leaves_nothing);
    tcase_add_test(t, a_domain_dies_on_the_way_back);
    tcase_add_test(t, a_guest_that_ruined_its_tables_does_not_grow);
    tcase_add_test(t, what_stands_in_the_way_goes);
    tcase_add_test(t, a_guest_with_an_m2p_of_its_own_grows);
    tcase_add_test(t, pages_of_its_own_m2p_are_told_apart);
    return s;
}

int main(void)
{
    return unit_run(suite());
}
