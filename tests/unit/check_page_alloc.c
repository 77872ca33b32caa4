/* SPDX-License-Identifier: GPL-2.0-only */
/* Frames: allocation, exact counts, claims, references; small objects. */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/frame.h"
#include "core/kmem.h"
#include "core/lock.h"
#include "core/page_alloc.h"
#include "core_env.h"
#include "fake/machine.h"
#include "unit.h"

#define THREADS 2u
#define ROUNDS 1500u
#define HELD 64u

static struct domain *d, *other;
static uint64_t before;

static void setup(void)
{
    env_start();
    env_domain(0, 1);
    d = env_domain(1, 1);
    other = env_domain(2, 1);
    d->max_pages = other->max_pages = UINT64_MAX;
    before = page_alloc_free();
}

static void release(struct frame *f, unsigned int order)
{
    for (uint64_t i = 0; i < 1ul << order; i++) {
        ck_assert(frame_release(f + i));
    }
}

static bool is_zero(struct frame *f)
{
    const char *p = arch_frame_map(frame_mfn(f));

    return p[0] == 0 && memcmp(p, p + 1, PAGE_SIZE - 1) == 0;
}

START_TEST(test_frames_come_zeroed_and_counted)
{
    uint64_t had = d->tot_pages;
    struct frame *f = page_alloc_domain(d, 3);

    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(frame_mfn(f).v % 8, 0);
    ck_assert_uint_eq(page_alloc_free(), before - 8);
    ck_assert_uint_eq(d->tot_pages, had + 8);
    for (unsigned int i = 0; i < 8; i++) {
        ck_assert(is_zero(f + i));
        memset(arch_frame_map(frame_mfn(f + i)), 0x5a, PAGE_SIZE);
    }
    release(f, 3);
    ck_assert_uint_eq(page_alloc_free(), before);
    ck_assert_uint_eq(d->tot_pages, had);
    for (unsigned int i = 0; i < 64; i++) {
        f = page_alloc_domain(other, 0);
        ck_assert(is_zero(f));
    }
}
END_TEST

START_TEST(test_limit_of_the_domain)
{
    uint64_t had = d->tot_pages;

    d->max_pages = had + 3;
    ck_assert_ptr_null(page_alloc_domain(d, 2));
    ck_assert_ptr_nonnull(page_alloc_domain(d, 1));
    ck_assert_ptr_nonnull(page_alloc_domain(d, 0));
    ck_assert_ptr_null(page_alloc_domain(d, 0));
    ck_assert_uint_eq(d->tot_pages, had + 3);
    d->max_pages = 0;
    ck_assert_ptr_null(page_alloc_domain(d, 0));
    ck_assert_uint_eq(page_alloc_free(), before - 3);
}
END_TEST

/* Every last frame can be had, and after that the large blocks are back. */
START_TEST(test_all_of_it_and_back)
{
    uint64_t count = page_alloc_free();
    struct frame **all = calloc(count, sizeof(*all));
    struct frame *big;

    for (uint64_t i = 0; i < count; i++) {
        machine_set_cpu(i % 2);
        all[i] = page_alloc_domain(d, 0);
        ck_assert_ptr_nonnull(all[i]);
    }
    ck_assert_uint_eq(page_alloc_free(), 0);
    ck_assert_ptr_null(page_alloc_domain(d, 0));
    ck_assert_ptr_null(page_alloc_core(0));
    for (uint64_t i = 0; i < count; i++) {
        machine_set_cpu(i / 3 % 2);
        release(all[i], 0);
    }
    machine_set_cpu(0);
    ck_assert_uint_eq(page_alloc_free(), count);
    big = page_alloc_domain(d, 13);
    ck_assert_ptr_nonnull(big);
    release(big, 13);
    free(all);
}
END_TEST

START_TEST(test_claim_keeps_frames)
{
    uint64_t have = d->tot_pages;
    uint64_t most = page_alloc_free();
    struct frame *f;

    ck_assert_int_eq(page_alloc_claim(d, have), -EINVAL);
    ck_assert_int_eq(page_alloc_claim(d, have + most + 1), -ENOMEM);
    ck_assert_int_eq(page_alloc_claim(d, have + most), 0);
    ck_assert_int_eq(page_alloc_claim(d, have + 1), -EINVAL);
    ck_assert_uint_eq(page_alloc_claimed(), most);
    ck_assert_ptr_null(page_alloc_domain(other, 0));
    ck_assert_ptr_null(page_alloc_core(0));
    f = page_alloc_domain(d, 4);
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(page_alloc_claimed(), most - 16);
    release(f, 4);
    /* What a domain gives back is free for all; its claim stays paid. */
    f = page_alloc_domain(other, 4);
    ck_assert_ptr_nonnull(f);
    ck_assert_int_eq(page_alloc_claim(d, 0), 0);
    ck_assert_uint_eq(page_alloc_claimed(), 0);
    ck_assert_ptr_nonnull(page_alloc_domain(other, 0));
}
END_TEST

START_TEST(test_claim_of_the_dying)
{
    d->state = DOMAIN_DYING;
    ck_assert_int_eq(page_alloc_claim(d, d->tot_pages + 1), -EINVAL);
    ck_assert_int_eq(page_alloc_claim(d, 0), 0);
}
END_TEST

/* What a dying domain's claim paid for is not claimed again. */
START_TEST(test_dying_gets_no_claim_back)
{
    struct frame *f;

    ck_assert_int_eq(page_alloc_claim(d, d->tot_pages + 512), 0);
    d->state = DOMAIN_DYING;
    machine_step_time(1000000);
    ck_assert_int_eq(page_alloc_extent(d, 9, &f), -ERESTART);
    machine_step_time(0);
    ck_assert_uint_eq(d->outstanding_pages, 0);
    ck_assert_uint_eq(page_alloc_claimed(), 0);
    ck_assert_uint_eq(page_alloc_free(), before);
}
END_TEST

START_TEST(test_references)
{
    struct frame *f = page_alloc_domain(d, 0);
    uint64_t left = page_alloc_free();

    ck_assert(frame_get(f, d));
    ck_assert(!frame_get(f, other));
    ck_assert_uint_eq(f->refs, 2);
    ck_assert(frame_release(f));
    ck_assert(!frame_release(f));
    ck_assert_uint_eq(page_alloc_free(), left);
    ck_assert(frame_get(f, d));
    frame_put(f);
    frame_put(f);
    ck_assert_uint_eq(page_alloc_free(), left + 1);
    ck_assert(!frame_get(f, d));
    ck_assert(!frame_get_any(f));
}
END_TEST

START_TEST(test_keep)
{
    struct frame *f = page_alloc_domain(d, 0);

    ck_assert(!frame_keep(f));
    ck_assert(frame_get(f, d));
    ck_assert(frame_release(f));
    ck_assert(frame_keep(f));
    ck_assert_uint_eq(f->refs, 1);
    ck_assert(frame_release(f));
    ck_assert_uint_eq(page_alloc_free(), before);
}
END_TEST

/* A mapping of a shared frame outlives the domain that owned it. */
START_TEST(test_disowned_frame)
{
    struct frame *f = page_alloc_shared(d);
    uint64_t had = d->tot_pages;

    ck_assert_uint_eq(d->tot_pages, had);
    ck_assert(frame_get(f, d));
    frame_disown(f);
    ck_assert_uint_eq(page_alloc_free(), before - 1);
    ck_assert(!frame_get(f, d));
    frame_put(f);
    ck_assert_uint_eq(page_alloc_free(), before);
}
END_TEST

/*
 * Who looks a frame up by an entry that is just going holds it for a moment,
 * even if it is the hypervisor's own by now (p2m_get_frame()).
 */
START_TEST(test_core_memory_may_be_looked_at)
{
    for (unsigned int order = 0; order <= 2; order++) {
        for (unsigned int which = 0; which < 1u << order; which++) {
            char *p = page_alloc_core(order);
            struct frame *f = frame_of(arch_virt_to_mfn(p));

            ck_assert(frame_get_any(f + which));
            page_free_core(p, order);
            ck_assert_uint_eq(page_alloc_free(), before - 1);
            ck_assert(!frame_get(f + which, d));
            frame_put(f + which);
            ck_assert_uint_eq(page_alloc_free(), before);
        }
    }
}
END_TEST

START_TEST(test_dom0_keeps_its_frames)
{
    struct frame *f = frame_of(mfn(7));
    uint64_t had = dom0->tot_pages;

    ck_assert_ptr_eq(f->owner, dom0);
    ck_assert(!page_alloc_reserved(dom0, mfn(7)));
    *(char *)arch_frame_map(mfn(7)) = 1;
    ck_assert(frame_get(f, dom0));
    ck_assert(frame_release(f));
    ck_assert(!page_alloc_reserved(dom0, mfn(7)));
    frame_put(f);
    ck_assert_uint_eq(dom0->tot_pages, had - 1);
    ck_assert_uint_eq(page_alloc_free(), before);
    ck_assert(!frame_get(f, dom0));
    ck_assert(!page_alloc_reserved(d, mfn(7)));
    ck_assert(page_alloc_reserved(dom0, mfn(7)));
    ck_assert(is_zero(f));
    ck_assert_uint_eq(dom0->tot_pages, had);
    ck_assert(!page_alloc_reserved(dom0, frame_mfn(
                                       page_alloc_domain(d, 0))));
}
END_TEST

/* Given frames, taken out of the middle of free blocks. */
START_TEST(test_at)
{
    uint64_t had = dom0->tot_pages;
    uint64_t start = 40001;

    dom0->max_pages = UINT64_MAX;
    ck_assert(page_alloc_at(dom0, mfn(start), 1000));
    ck_assert_uint_eq(page_alloc_free(), before - 1000);
    ck_assert_uint_eq(dom0->tot_pages, had + 1000);
    ck_assert(!page_alloc_at(dom0, mfn(start - 500), 501));
    ck_assert_uint_eq(page_alloc_free(), before - 1000);
    ck_assert_uint_eq(dom0->tot_pages, had + 1000);
    for (uint64_t i = 0; i < page_alloc_free() / 2; i++) {
        uint64_t m = frame_mfn(page_alloc_domain(d, 0)).v;

        ck_assert(m < start || m >= start + 1000);
    }
}
END_TEST

static void *stress(void *arg)
{
    unsigned int cpu = (unsigned int)(uintptr_t)arg;
    unsigned int seed = cpu + 1;
    struct frame *held[HELD] = { NULL };
    unsigned int order[HELD];

    machine_set_cpu(cpu);
    for (unsigned int i = 0; i < ROUNDS; i++) {
        unsigned int slot = (unsigned int)rand_r(&seed) % HELD;

        if (held[slot] != NULL) {
            release(held[slot], order[slot]);
            held[slot] = NULL;
            continue;
        }
        order[slot] = (unsigned int)rand_r(&seed) % 5;
        held[slot] = page_alloc_domain(cpu % 2 ? d : other, order[slot]);
        if (held[slot] != NULL) {
            *(unsigned int *)arch_frame_map(frame_mfn(held[slot])) = cpu;
        }
    }
    for (unsigned int i = 0; i < HELD; i++) {
        if (held[i] != NULL) {
            ck_assert_uint_eq(*(unsigned int *)
                              arch_frame_map(frame_mfn(held[i])), cpu);
            release(held[i], order[i]);
        }
    }
    return NULL;
}

START_TEST(test_threads_lose_nothing)
{
    pthread_t t[THREADS];
    uint64_t had = d->tot_pages;

    machine_start(4096, ENV_PAGES, THREADS);
    env_domain(0, 1);
    d = env_domain(1, 1);
    other = env_domain(2, 1);
    d->max_pages = other->max_pages = UINT64_MAX;
    before = page_alloc_free();
    had = d->tot_pages;
    for (unsigned int i = 0; i < THREADS; i++) {
        pthread_create(&t[i], NULL, stress, (void *)(uintptr_t)i);
    }
    for (unsigned int i = 0; i < THREADS; i++) {
        pthread_join(t[i], NULL);
    }
    ck_assert_uint_eq(page_alloc_free(), before);
    ck_assert_uint_eq(d->tot_pages, had);
}
END_TEST

static bool is_filled(const char *p, char byte, size_t size)
{
    return p[0] == byte && memcmp(p, p + 1, size - 1) == 0;
}

START_TEST(test_small_objects)
{
    void *p[500];
    size_t size[500];
    uint64_t after;

    for (unsigned int round = 0; round < 3; round++) {
        srand(7);
        for (unsigned int i = 0; i < 500; i++) {
            size[i] = (size_t)rand() % 6000 + 1;
            p[i] = kmem_alloc(size[i]);
            ck_assert_ptr_nonnull(p[i]);
            ck_assert(is_filled(p[i], 0, size[i]));
            memset(p[i], (int)i, size[i]);
        }
        for (unsigned int i = 0; i < 500; i++) {
            ck_assert(is_filled(p[i], (char)i, size[i]));
            kmem_free(p[i]);
        }
        if (round == 0) {
            after = page_alloc_free();
        }
        ck_assert_uint_eq(page_alloc_free(), after);
    }
    kmem_free(NULL);
    ck_assert_ptr_null(kmem_alloc_array(SIZE_MAX / 2, 4));
}
END_TEST

START_TEST(test_objects_end_when_memory_does)
{
    unsigned int count = 0;

    while (page_alloc_core(0) != NULL) {
        continue;
    }
    while (kmem_alloc(1000) != NULL) {
        ck_assert_uint_lt(count++, 1000000);
    }
    ck_assert_ptr_null(kmem_alloc(1000));
    ck_assert_ptr_null(kmem_alloc(5000));
}
END_TEST

START_TEST(test_records)
{
    ck_assert_ptr_null(frame_of(mfn(1ul << 40)));
    ck_assert_ptr_null(frame_of(mfn_invalid()));
    ck_assert_uint_eq(frame_mfn(frame_of(mfn(100))).v, 100);
    ck_assert_ptr_null(page_alloc_domain(d, 19));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("page_alloc");
    TCase *tc = unit_case(suite, "frames");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_frames_come_zeroed_and_counted);
    tcase_add_test(tc, test_limit_of_the_domain);
    tcase_add_test(tc, test_all_of_it_and_back);
    tcase_add_test(tc, test_claim_keeps_frames);
    tcase_add_test(tc, test_claim_of_the_dying);
    tcase_add_test(tc, test_dying_gets_no_claim_back);
    tcase_add_test(tc, test_references);
    tcase_add_test(tc, test_keep);
    tcase_add_test(tc, test_disowned_frame);
    tcase_add_test(tc, test_core_memory_may_be_looked_at);
    tcase_add_test(tc, test_dom0_keeps_its_frames);
    tcase_add_test(tc, test_at);
    tcase_add_test(tc, test_threads_lose_nothing);
    tcase_add_test(tc, test_small_objects);
    tcase_add_test(tc, test_objects_end_when_memory_does);
    tcase_add_test(tc, test_records);
    return unit_run(suite);
}
