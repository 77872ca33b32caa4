/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The p2m: entries of each size, splits, references, flushes, bounds; random
 * operations against a model; lookups beside updates.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/frame.h"
#include "core/p2m.h"
#include "core/page_alloc.h"
#include "core_env.h"
#include "fake/machine.h"
#include "unit.h"

#define BASE 0x10000ul              /* gfns that env_domain() leaves alone */
#define MODEL 2048u

_Static_assert(sizeof(p2m_flush_generation(NULL)) == 8, "for ever");

static struct domain *d, *other;
static uint64_t before;

static void setup(void)
{
    env_start();
    env_domain(0, 1);
    d = env_domain(1, 1);
    other = env_domain(2, 1);
    d->max_pages = other->max_pages = 1ul << 20;
    before = page_alloc_free();
}

static struct frame *put_ram(uint64_t g, unsigned int order)
{
    struct frame *f = page_alloc_domain(d, order);

    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(p2m_set(d, gfn(g), frame_mfn(f), order, P2M_RAM_RW), 0);
    return f;
}

static void ck_maps(uint64_t g, mfn_t m, enum p2m_type wanted)
{
    enum p2m_type type;
    mfn_t found = p2m_lookup(d, gfn(g), &type);

    ck_assert_int_eq(type, wanted);
    ck_assert_uint_eq(found.v, m.v);
}

START_TEST(test_sizes)
{
    struct frame *one = put_ram(BASE, 0);
    struct frame *two = put_ram(BASE + 512, 9);

    ck_maps(BASE, frame_mfn(one), P2M_RAM_RW);
    ck_maps(BASE + 1, mfn_invalid(), P2M_INVALID);
    for (unsigned int i = 0; i < 512; i++) {
        ck_maps(BASE + 512 + i, frame_mfn(two + i), P2M_RAM_RW);
        ck_assert_uint_eq(two[i].gfn, BASE + 512 + i);
    }
    ck_assert_int_eq(p2m_set(d, gfn(1ul << 20), mfn(1ul << 20), 18,
                             P2M_MMIO), 0);
    ck_maps((1ul << 20) + 12345, mfn((1ul << 20) + 12345), P2M_MMIO);
    ck_assert_uint_eq(p2m_max_gfn(d), (1ul << 20) + (1ul << 18) - 1);
}
END_TEST

START_TEST(test_bad_arguments)
{
    ck_assert_int_eq(p2m_set(d, gfn(BASE + 1), mfn(512), 9, P2M_MMIO),
                     -EINVAL);
    ck_assert_int_eq(p2m_set(d, gfn(BASE), mfn(1), 9, P2M_MMIO), -EINVAL);
    ck_assert_int_eq(p2m_set(d, gfn(P2M_GFN_LIMIT), mfn(1), 0, P2M_MMIO),
                     -EINVAL);
    ck_assert_int_eq(p2m_set(d, gfn(0), mfn(0), 40, P2M_MMIO), -EINVAL);
    ck_assert_int_eq(p2m_set(d, gfn(0), mfn(0), 0, P2M_INVALID), -EINVAL);
    ck_assert_int_eq(p2m_set(d, gfn(0), mfn(0), 0, P2M_TYPE_COUNT), -EINVAL);
    ck_assert_int_eq(p2m_remove(d, gfn(P2M_GFN_LIMIT), 0), -EINVAL);
    ck_maps(~0ul, mfn_invalid(), P2M_INVALID);
    ck_maps(P2M_GFN_LIMIT - 1, mfn_invalid(), P2M_INVALID);
}
END_TEST

START_TEST(test_hole_in_superpage)
{
    struct frame *f = put_ram(BASE, 9);
    unsigned int flushes = d->arch->flushes;
    uint64_t left = page_alloc_free();

    ck_assert_int_eq(p2m_remove(d, gfn(BASE + 7), 0), 0);
    ck_assert_uint_gt(d->arch->flushes, flushes);
    ck_maps(BASE + 6, frame_mfn(f + 6), P2M_RAM_RW);
    ck_maps(BASE + 7, mfn_invalid(), P2M_INVALID);
    ck_maps(BASE + 8, frame_mfn(f + 8), P2M_RAM_RW);
    ck_assert_uint_eq(f[7].refs, 0);
    ck_assert_uint_eq(f[8].refs, 1);
    ck_assert_uint_eq(page_alloc_free(), left + 1 - 1);     /* a table */
    ck_assert_int_eq(p2m_remove(d, gfn(BASE), 9), 0);
    ck_assert_uint_eq(page_alloc_free(), left + 512 - 1);
}
END_TEST

/* Where a table stands, a superpage is written into it. */
START_TEST(test_superpage_over_table)
{
    struct frame *old = put_ram(BASE + 3, 0);
    struct frame *f;

    ck_assert(frame_get(old, d));
    f = put_ram(BASE, 9);
    for (unsigned int i = 0; i < 512; i++) {
        ck_maps(BASE + i, frame_mfn(f + i), P2M_RAM_RW);
    }
    ck_assert_uint_eq(old->refs, 1);
    frame_put(old);
}
END_TEST

START_TEST(test_empty_places_need_no_flush)
{
    unsigned int flushes = d->arch->flushes;
    uint64_t generation = p2m_flush_generation(d);

    put_ram(BASE, 0);
    ck_assert_int_eq(p2m_remove(d, gfn(BASE + 1), 0), 0);
    ck_assert_uint_eq(d->arch->flushes, flushes);
    put_ram(BASE, 0);
    ck_assert_uint_eq(d->arch->flushes, flushes + 1);
    ck_assert_uint_eq(p2m_flush_generation(d), generation + 1);
}
END_TEST

START_TEST(test_rights_change_in_place)
{
    struct frame *f = put_ram(BASE, 0);
    unsigned int flushes = d->arch->flushes;

    ck_assert_int_eq(p2m_set(d, gfn(BASE), frame_mfn(f), 0, P2M_RAM_RO), 0);
    ck_assert_uint_eq(f->refs, 1);
    ck_assert_uint_eq(d->arch->flushes, flushes + 1);
    ck_assert_ptr_null(p2m_get_ram(d, gfn(BASE), true));
    ck_assert_ptr_eq(p2m_get_ram(d, gfn(BASE), false), f);
    frame_put(f);
}
END_TEST

START_TEST(test_foreign_and_grant_references)
{
    struct frame *f = p2m_get_ram(other, gfn(1), true);
    enum p2m_type type;

    ck_assert_uint_eq(f->refs, 2);
    ck_assert_int_eq(p2m_set(d, gfn(BASE), frame_mfn(f), 0, P2M_FOREIGN), 0);
    ck_assert_ptr_null(p2m_get_ram(d, gfn(BASE), false));
    ck_assert_ptr_eq(p2m_get_frame(d, gfn(BASE), &type), f);
    ck_assert_int_eq(type, P2M_FOREIGN);
    frame_put(f);
    ck_assert_int_eq(p2m_remove_grant(d, gfn(BASE), frame_mfn(f)), -ENOENT);
    ck_assert_int_eq(p2m_remove_if(d, gfn(BASE), mfn(1)), -ENOENT);
    ck_assert_int_eq(p2m_remove_if(d, gfn(BASE), frame_mfn(f)), 0);
    ck_assert_uint_eq(f->refs, 1);
    ck_assert(frame_get(f, other));
    ck_assert_int_eq(p2m_set(d, gfn(BASE), frame_mfn(f), 0, P2M_GRANT_RO), 0);
    ck_assert_int_eq(p2m_remove_grant(d, gfn(BASE), mfn(1)), -ENOENT);
    ck_assert_int_eq(p2m_remove_grant(d, gfn(BASE), frame_mfn(f)), 0);
    ck_assert_uint_eq(f->refs, 1);
}
END_TEST

/* Lookups remember tables: gfns far apart that share a place for that. */
START_TEST(test_lookups_far_apart)
{
    const uint64_t far = 1ul << 24;

    for (uint64_t i = 0; i < 5; i++) {
        ck_maps(BASE + i * far, mfn_invalid(), P2M_INVALID);
        ck_assert_int_eq(p2m_set(d, gfn(BASE + i * far), mfn(i + 1), 0,
                                 P2M_MMIO), 0);
    }
    for (unsigned int n = 0; n < 3; n++) {
        for (uint64_t i = 0; i < 5; i++) {
            ck_maps(BASE + i * far, mfn(i + 1), P2M_MMIO);
            ck_maps(BASE + i * far + 1, mfn_invalid(), P2M_INVALID);
        }
    }
    ck_assert_int_eq(p2m_remove(d, gfn(BASE + far), 0), 0);
    ck_maps(BASE + far, mfn_invalid(), P2M_INVALID);
    ck_maps(BASE + 2 * far, mfn(3), P2M_MMIO);
}
END_TEST

/* Removed while somebody uses it: the frame waits for the last reference. */
START_TEST(test_used_frame_survives)
{
    struct frame *f = put_ram(BASE, 0);
    uint64_t left = page_alloc_free();

    ck_assert_ptr_eq(p2m_get_ram(d, gfn(BASE), true), f);
    ck_assert_int_eq(p2m_remove(d, gfn(BASE), 0), 0);
    ck_assert_uint_eq(page_alloc_free(), left);
    ck_assert_uint_eq(f->gfn, INVALID_FRAME);
    frame_put(f);
    ck_assert_uint_eq(page_alloc_free(), left + 1);
}
END_TEST

START_TEST(test_dying_gets_nothing)
{
    d->state = DOMAIN_DYING;
    ck_assert_int_eq(p2m_set(d, gfn(BASE), mfn(9), 0, P2M_MMIO), -EINVAL);
}
END_TEST

/* Mappings scattered as far as can be: tables end, memory does not. */
START_TEST(test_tables_are_bounded)
{
    uint64_t count = 0;

    d->max_pages = 64;
    while (p2m_set(d, gfn(count << 18), mfn(1), 0, P2M_MMIO) == 0) {
        ck_assert_uint_lt(count++, 2000);
    }
    ck_assert_uint_ge(count, 100);
    ck_assert_uint_gt(page_alloc_free(), before - 1100);
    ck_assert_int_eq(p2m_set(d, gfn(count << 18), mfn(1), 0, P2M_MMIO),
                     -ENOMEM);
}
END_TEST

START_TEST(test_relinquish_gives_all_back)
{
    uint64_t had = d->tot_pages;
    unsigned int calls = 0;
    struct frame *f;

    for (unsigned int i = 0; i < 20; i++) {
        put_ram(BASE + i * 512, 9);
    }
    ck_assert_int_eq(p2m_remove(d, gfn(BASE + 100), 0), 0);
    put_ram(P2M_GFN_LIMIT - 1, 0);
    f = p2m_get_ram(other, gfn(2), true);
    ck_assert_int_eq(p2m_set(d, gfn(BASE - 1), frame_mfn(f), 0,
                             P2M_FOREIGN), 0);
    d->state = DOMAIN_DYING;
    while (p2m_relinquish(d) == -ERESTART) {
        ck_assert_uint_lt(calls++, 1000);
    }
    ck_assert_uint_ge(calls, 2);    /* 10240 frames are more than a step */
    ck_assert_uint_eq(d->tot_pages, 0);
    ck_assert_uint_eq(f->refs, 1);
    while (p2m_destroy(d) == -ERESTART) {
        continue;
    }
    ck_assert_ptr_null(d->p2m);
    /* Its root and the tables of env_domain()'s memory came before. */
    ck_assert_uint_eq(page_alloc_free(), before + had + 4);
}
END_TEST

START_TEST(test_guest_physical_access)
{
    char buf[8192], back[8192];
    uint64_t word, found;

    put_ram(BASE, 0);
    put_ram(BASE + 1, 0);
    put_ram(BASE + 2, 0);
    for (unsigned int i = 0; i < sizeof(buf); i++) {
        buf[i] = (char)(i * 7);
    }
    ck_assert_int_eq(p2m_write(d, (BASE << 12) + 4000, buf, 8192), 0);
    ck_assert_int_eq(p2m_read(d, back, (BASE << 12) + 4000, 8192), 0);
    ck_assert_int_eq(memcmp(buf, back, 8192), 0);
    ck_assert_int_eq(p2m_read(d, back, (BASE << 12) + 4097, 8192), -EFAULT);
    ck_assert_int_eq(p2m_write(d, ~0ul - 4, buf, 8), -EFAULT);

    memcpy(&word, buf + 96, sizeof(word));
    ck_assert_int_eq(p2m_read_word(d, &found, (BASE + 1) << 12), 0);
    ck_assert_uint_eq(found, word);
    ck_assert_int_eq(p2m_read_word(d, &found, (BASE + 4) << 12), -EFAULT);
    ck_assert_int_eq(p2m_read_word(d, &found, ~7ul), -EFAULT);
}
END_TEST

/* ---- against a model ---- */

static mfn_t model[MODEL];

static void model_set(uint64_t at, unsigned int order)
{
    struct frame *f;

    at &= ~((1ul << order) - 1);
    f = put_ram(BASE + at, order);
    for (uint64_t i = 0; i < 1ul << order; i++) {
        model[at + i] = frame_mfn(f + i);
    }
}

static void model_remove(uint64_t at, unsigned int order)
{
    at &= ~((1ul << order) - 1);
    ck_assert_int_eq(p2m_remove(d, gfn(BASE + at), order), 0);
    for (uint64_t i = 0; i < 1ul << order; i++) {
        model[at + i] = mfn_invalid();
    }
}

static void model_check(void)
{
    uint64_t count = 0;

    for (uint64_t i = 0; i < MODEL; i++) {
        bool is_there = mfn_is_valid(model[i]);

        ck_maps(BASE + i, model[i], is_there ? P2M_RAM_RW : P2M_INVALID);
        if (is_there) {
            count++;
            ck_assert_uint_eq(frame_of(model[i])->gfn, BASE + i);
            ck_assert_uint_eq(frame_of(model[i])->refs, 1);
        }
    }
    ck_assert_uint_eq(d->tot_pages, ENV_PAGES + count);
}

START_TEST(test_random_against_model)
{
    static const unsigned int order[] = { 0, 0, 0, 1, 3, 6, 8, 9, 9, 10 };

    srand(5);
    for (uint64_t i = 0; i < MODEL; i++) {
        model[i] = mfn_invalid();
    }
    for (unsigned int i = 0; i < 3000; i++) {
        uint64_t at = (uint64_t)rand() % MODEL;
        unsigned int o = order[rand() % 10];

        if (rand() % 2) {
            model_set(at, o);
        } else {
            model_remove(at, o);
        }
        if (i % 64 == 0) {
            model_check();
        }
    }
    model_remove(0, 11);
    model_check();
}
END_TEST

/* ---- lookups beside updates ---- */

static bool is_over;

static void *looks(void *arg)
{
    unsigned int got = 0;

    (void)arg;
    machine_set_cpu(1);
    while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
        for (unsigned int i = 0; i < 512; i += 37) {
            struct frame *f = p2m_get_ram(d, gfn(BASE + i), true);

            if (f != NULL) {
                ck_assert_ptr_eq(f->owner, d);
                ck_assert_uint_ge(__atomic_load_n(&f->refs,
                                                  __ATOMIC_SEQ_CST), 1);
                frame_put(f);
                got++;
            }
        }
    }
    return (void *)(uintptr_t)got;
}

START_TEST(test_lookups_beside_updates)
{
    pthread_t thread;
    void *got;

    is_over = false;
    pthread_create(&thread, NULL, looks, NULL);
    for (unsigned int i = 0; i < 300; i++) {
        put_ram(BASE, 9);
        for (unsigned int j = 0; j < 512; j += 5) {
            ck_assert_int_eq(p2m_remove(d, gfn(BASE + j), 0), 0);
        }
        ck_assert_int_eq(p2m_remove(d, gfn(BASE), 9), 0);
    }
    __atomic_store_n(&is_over, true, __ATOMIC_SEQ_CST);
    pthread_join(thread, &got);
    ck_assert_uint_eq(d->tot_pages, ENV_PAGES);
}
END_TEST

/* Counts what no frame of 'd' ever held: it was free, or another's. */
static void *reads(void *arg)
{
    uint64_t strange = 0, word;

    (void)arg;
    machine_set_cpu(1);
    while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
        for (unsigned int i = 0; i < 64; i++) {
            strange += p2m_read(d, &word, (BASE + i) << 12, sizeof(word)) == 0
                       && word != 0;
            strange += p2m_read_word(d, &word, (BASE + i) << 12) == 0
                       && word != 0;
        }
    }
    return (void *)(uintptr_t)strange;
}

START_TEST(test_reads_beside_updates)
{
    pthread_t thread;
    void *strange;

    is_over = false;
    pthread_create(&thread, NULL, reads, NULL);
    for (unsigned int i = 0; i < 20000; i++) {
        put_ram(BASE + i % 64, 0);
        ck_assert_int_eq(p2m_remove(d, gfn(BASE + i % 64), 0), 0);
    }
    __atomic_store_n(&is_over, true, __ATOMIC_SEQ_CST);
    pthread_join(thread, &strange);
    ck_assert_ptr_null(strange);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("p2m");
    TCase *tc = unit_case(suite, "entries");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_sizes);
    tcase_add_test(tc, test_bad_arguments);
    tcase_add_test(tc, test_hole_in_superpage);
    tcase_add_test(tc, test_superpage_over_table);
    tcase_add_test(tc, test_empty_places_need_no_flush);
    tcase_add_test(tc, test_rights_change_in_place);
    tcase_add_test(tc, test_foreign_and_grant_references);
    tcase_add_test(tc, test_lookups_far_apart);
    tcase_add_test(tc, test_used_frame_survives);
    tcase_add_test(tc, test_dying_gets_nothing);
    tcase_add_test(tc, test_tables_are_bounded);
    tcase_add_test(tc, test_relinquish_gives_all_back);
    tcase_add_test(tc, test_guest_physical_access);
    tcase_add_test(tc, test_random_against_model);
    tcase_add_test(tc, test_lookups_beside_updates);
    tcase_add_test(tc, test_reads_beside_updates);
    return unit_run(suite);
}
