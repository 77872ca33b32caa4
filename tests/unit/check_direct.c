/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netback/direct.c on a window made by hand, and a hypervisor that copies
 * from the same guest: what goes which way, and what is left behind.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "netback/direct.h"
#include "unit.h"

#define PAGES (3 * WINDOW_CHUNK_PAGES)  /* the guest's memory: 6 MiB */
#define GRANTS 512u
#define US 0
#define BURST 8u

static uint8_t (*memory)[ACCESS_PAGE_SIZE];
static union grant_v1 grants[GRANTS];
static struct gantry_window_status status;
static struct direct_view view;
static struct window_counts counts;
static uint64_t pins[JOURNAL_COPIES];

static bool no_pin(const uint64_t *all)
{
    uint64_t any = 0;

    for (unsigned int i = 0; i < JOURNAL_COPIES; i++) {
        any |= all[i];
    }
    return any == 0;
}
static struct access *direct;
static uint8_t host[BURST][ACCESS_PAGE_SIZE];

/* The hypervisor: GNTTABOP_copy without its checks of who asks. */
static struct {
    struct access access;
    unsigned int batches;
    unsigned int copies;
    bool destroyed;
} hypervisor;

static void hypervisor_copy(struct access *access,
                            enum access_direction direction,
                            struct access_copy *copies, unsigned int count)
{
    ck_assert_ptr_eq(access, &hypervisor.access);
    hypervisor.batches++;
    hypervisor.copies += count;
    for (unsigned int i = 0; i < count; i++) {
        struct access_copy *c = &copies[i];
        uint32_t frame = grants[c->ref].word.frame;

        c->status = frame < PAGES ? GNTST_okay : GNTST_bad_page;
        if (frame >= PAGES) {
            continue;
        }
        if (direction == ACCESS_TO_GUEST) {
            memcpy(memory[frame] + c->offset, c->host, c->size);
        } else {
            memcpy(c->host, memory[frame] + c->offset, c->size);
        }
    }
}

static void hypervisor_destroy(struct access *access)
{
    (void)access;
    hypervisor.destroyed = true;
}

static const struct access_ops hypervisor_ops = {
    .name = "test", .copy = hypervisor_copy, .destroy = hypervisor_destroy,
};

static uint32_t missed[BURST];
static unsigned int miss_count;
static void (*when_missed)(void);

static void miss(struct window *window, uint32_t frame)
{
    ck_assert_ptr_eq(window, &view.window);
    ck_assert(no_pin(pins));
    missed[miss_count++ % BURST] = frame;
    if (when_missed != NULL) {
        when_missed();
    }
}

static void show(uint32_t chunk)
{
    struct window_leaf **leaf = &view.window.map->leaf[0];

    if (*leaf == NULL) {
        *leaf = calloc(1, sizeof(**leaf));
    }
    (*leaf)->chunk[chunk] = memory[chunk * WINDOW_CHUNK_PAGES];
}

static void grant(grant_ref_t ref, uint32_t frame, uint16_t flags)
{
    grants[ref].entry = (grant_entry_v1_t){ flags, US, frame };
}

static void setup(void)
{
    memory = aligned_alloc(ACCESS_PAGE_SIZE, PAGES * ACCESS_PAGE_SIZE);
    memset(memory, 0, PAGES * ACCESS_PAGE_SIZE);
    memset(grants, 0, sizeof(grants));
    status = (struct gantry_window_status){
        .version = GANTRY_WINDOW_VERSION, .gfn_count = PAGES,
    };
    view = (struct direct_view){
        .status = &status,
        .window = {
            .grants = grants, .grant_count = GRANTS, .user = US,
            .map = window_map_create(UINT32_MAX), .miss = miss,
        },
    };
    memset(&hypervisor, 0, sizeof(hypervisor));
    hypervisor.access.ops = &hypervisor_ops;
    memset(&counts, 0, sizeof(counts));
    miss_count = 0;
    when_missed = NULL;
    direct = direct_create(&view, &hypervisor.access, pins, &counts);
    ck_assert_ptr_nonnull(direct);
    show(0);
    show(1);
    for (uint32_t i = 0; i < PAGES; i++) {
        memset(memory[i], (int)(i * 7 + 1), ACCESS_PAGE_SIZE);
    }
}

static void teardown(void)
{
    ck_assert(no_pin(pins));
    direct->ops->destroy(direct);
    ck_assert(hypervisor.destroyed);
    window_map_destroy(view.window.map);
    free(memory);
}

/* A burst on references 8, 9, ... */
static struct access_copy copies[BURST];

static void plan(unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        copies[i] = (struct access_copy){
            .ref = 8 + i, .offset = (uint16_t)(16 * i), .size = 1000,
            .status = INT16_MAX, .owner = (uint16_t)i, .host = host[i],
        };
    }
}

static void burst(enum access_direction direction, unsigned int count)
{
    plan(count);
    access_copy(direct, direction, copies, count);
}

static void expect_page(unsigned int i, uint32_t frame)
{
    ck_assert_int_eq(copies[i].status, GNTST_okay);
    for (unsigned int at = 0; at < 1000; at++) {
        ck_assert_uint_eq(host[i][at], (uint8_t)(frame * 7 + 1));
    }
}

START_TEST(no_hypercall_for_a_burst)
{
    for (unsigned int i = 0; i < BURST; i++) {
        grant(8 + i, 500 + i * 3, GTF_permit_access | GTF_readonly);
    }
    burst(ACCESS_FROM_GUEST, BURST);
    for (unsigned int i = 0; i < BURST; i++) {
        expect_page(i, 500 + i * 3);
        ck_assert_uint_eq(grants[8 + i].entry.flags,
                          GTF_permit_access | GTF_readonly);
    }
    ck_assert_uint_eq(counts.hits, BURST);
    ck_assert_uint_eq(hypervisor.batches, 0);
}
END_TEST

START_TEST(to_the_guest)
{
    grant(8, 3, GTF_permit_access);
    grant(9, 4, GTF_permit_access | GTF_readonly);
    memset(host[0], 0xee, 1000);
    burst(ACCESS_TO_GUEST, 2);
    ck_assert_int_eq(copies[0].status, GNTST_okay);
    ck_assert_int_eq(copies[1].status, GNTST_general_error);
    ck_assert_uint_eq(memory[3][0], 0xee);
    ck_assert_uint_eq(memory[3][999], 0xee);
    ck_assert_uint_eq(memory[3][1000], 3 * 7 + 1);
    ck_assert_uint_eq(memory[4][16], 4 * 7 + 1);
    ck_assert_uint_eq(hypervisor.batches, 0);
}
END_TEST

/* Chunks that are not here, and frames of no memory, in one hypercall. */
START_TEST(misses_go_in_one_batch)
{
    grant(8, 2 * WINDOW_CHUNK_PAGES, GTF_permit_access);
    grant(9, 5, GTF_permit_access);
    grant(10, 2 * WINDOW_CHUNK_PAGES + 9, GTF_permit_access);
    grant(11, UINT32_MAX, GTF_permit_access);
    burst(ACCESS_FROM_GUEST, 4);
    expect_page(0, 2 * WINDOW_CHUNK_PAGES);
    expect_page(1, 5);
    expect_page(2, 2 * WINDOW_CHUNK_PAGES + 9);
    ck_assert_int_eq(copies[3].status, GNTST_bad_page);
    ck_assert_uint_eq(hypervisor.batches, 1);
    ck_assert_uint_eq(hypervisor.copies, 3);
    ck_assert_uint_eq(counts.hits, 1);
    ck_assert_uint_eq(counts.misses, 3);
    ck_assert_uint_eq(miss_count, 3);
    ck_assert_uint_eq(missed[0], 2 * WINDOW_CHUNK_PAGES);
    show(2);
    burst(ACCESS_FROM_GUEST, 3);
    ck_assert_uint_eq(hypervisor.batches, 1);
    ck_assert_uint_eq(counts.hits, 4);
}
END_TEST

/* Somebody else's flags: not our copy, not our flags to clear. */
START_TEST(foreign_flags_go_by_the_hypervisor)
{
    grant(8, 1, GTF_permit_access | GTF_reading);
    grant(9, 2, GTF_permit_access | GTF_reading | GTF_writing);
    grant(10, 3, GTF_permit_access);
    grant(11, 4, GTF_permit_access | GRANT_PIN_MARK);   /* the guest's */
    burst(ACCESS_FROM_GUEST, 4);
    expect_page(0, 1);
    expect_page(1, 2);
    expect_page(2, 3);
    expect_page(3, 4);
    ck_assert_uint_eq(counts.foreign, 3);
    ck_assert_uint_eq(counts.hits, 1);
    ck_assert_uint_eq(hypervisor.batches, 1);
    ck_assert_uint_eq(grants[8].entry.flags,
                      GTF_permit_access | GTF_reading);
    ck_assert_uint_eq(grants[9].entry.flags,
                      GTF_permit_access | GTF_reading | GTF_writing);
    ck_assert_uint_eq(grants[11].entry.flags,
                      GTF_permit_access | GRANT_PIN_MARK);
}
END_TEST

START_TEST(bad_grants_cost_no_hypercall)
{
    grant(8, 1, GTF_invalid);
    grant(9, 1, GTF_accept_transfer);
    grant(10, 1, GTF_transitive);
    grant(11, 1, GTF_permit_access);
    grants[11].entry.domid = 7;
    for (unsigned int i = 0; i < 5; i++) {
        copies[i] = (struct access_copy){
            .ref = i < 4 ? 8 + i : GRANTS, .size = 1, .host = host[0],
        };
    }
    access_copy(direct, ACCESS_FROM_GUEST, copies, 5);
    for (unsigned int i = 0; i < 5; i++) {
        ck_assert_int_eq(copies[i].status, GNTST_bad_gntref);
    }
    ck_assert_uint_eq(hypervisor.batches, 0);
}
END_TEST

START_TEST(revoked_before)
{
    grant(8, 1, GTF_permit_access);
    status.revoked = 1;
    status.generation = 1;
    burst(ACCESS_FROM_GUEST, 1);
    expect_page(0, 1);
    ck_assert_uint_eq(hypervisor.copies, 1);
    ck_assert_uint_eq(counts.hits, 0);
    ck_assert_uint_eq(counts.redone, 1);
    status.revoked = 0;
    status.generation = 2;
    burst(ACCESS_FROM_GUEST, 1);
    ck_assert_uint_eq(hypervisor.copies, 1);
    ck_assert_uint_eq(counts.hits, 1);
}
END_TEST

static void revoke(void)
{
    status.revoked = 1;
    status.generation++;
}

static void revoke_and_restore(void)
{
    status.generation += 2;
}

static void (*const changes[])(void) = { revoke, revoke_and_restore };

/*
 * Log-dirty begins in the middle of a burst: what was read or written before
 * may have been scratch, so all of it is done again.
 */
START_TEST(revoked_meanwhile)
{
    when_missed = changes[_i];
    grant(8, 1, GTF_permit_access);
    grant(9, 2 * WINDOW_CHUNK_PAGES, GTF_permit_access);
    grant(10, 3, GTF_permit_access);
    burst(ACCESS_FROM_GUEST, 3);
    expect_page(0, 1);
    expect_page(1, 2 * WINDOW_CHUNK_PAGES);
    expect_page(2, 3);
    ck_assert_uint_eq(hypervisor.batches, 1);
    ck_assert_uint_eq(hypervisor.copies, 3);
    ck_assert_uint_eq(counts.redone, 1);
}
END_TEST

/* The record names the pin while there is one. */
static void look_at_pin(void)
{
    ck_assert_uint_eq(grants[8].entry.flags, GTF_permit_access);
}

START_TEST(a_miss_holds_no_pin)
{
    when_missed = look_at_pin;
    grant(8, 2 * WINDOW_CHUNK_PAGES, GTF_permit_access);
    burst(ACCESS_TO_GUEST, 1);
    ck_assert_uint_eq(miss_count, 1);
}
END_TEST

/* More later copies than one hypercall takes. */
/*
 * The burst's frames are looked at before any is pinned, to have its lines
 * come closer.  What the guest writes after that is what counts.
 */
static void move_frames(void)
{
    if (miss_count == 1) {
        grant(9, 6, GTF_permit_access);
        grant(10, 7, GTF_permit_access);
        grant(11, 2 * WINDOW_CHUNK_PAGES + 1, GTF_permit_access);
        grant(12, UINT32_MAX, GTF_permit_access);
    }
}

START_TEST(a_frame_counts_when_it_is_pinned)
{
    grant(8, 2 * WINDOW_CHUNK_PAGES, GTF_permit_access);
    grant(9, 5, GTF_permit_access);
    grant(10, UINT32_MAX, GTF_permit_access);
    grant(11, 8, GTF_permit_access);
    grant(12, 9, GTF_permit_access);
    when_missed = move_frames;
    plan(5);
    copies[0].size = 2048;          /* a group of its own */
    access_copy(direct, ACCESS_FROM_GUEST, copies, 5);
    expect_page(1, 6);
    expect_page(2, 7);
    expect_page(3, 2 * WINDOW_CHUNK_PAGES + 1);
    ck_assert_int_eq(copies[4].status, GNTST_bad_page);
    ck_assert_uint_eq(miss_count, 3);
    ck_assert_uint_eq(missed[1], 2 * WINDOW_CHUNK_PAGES + 1);
    ck_assert_uint_eq(missed[2], UINT32_MAX);
    ck_assert_uint_eq(counts.hits, 2);
    ck_assert_uint_eq(counts.misses, 3);
}
END_TEST

/*
 * A pin ends with the flags that it found, whoever wrote them meanwhile: the
 * hypervisor, whose own use begins and ends, or a guest against its rule.
 */
START_TEST(a_pin_ends_with_the_flags_before)
{
    const uint16_t before = GTF_permit_access | GTF_readonly | GTF_PWT;
    uint16_t *flags = &grants[8].entry.flags;
    uint64_t record;
    uint16_t found;

    for (unsigned int i = 0; i < 3; i++) {
        grant(8, 5, before);
        ck_assert_int_eq(grant_pin(&grants[8], 8, US, false, &record,
                                   &found), GNTST_okay);
        ck_assert_uint_eq(*flags, before | grant_use(false));
        if (i == 1) {
            *flags |= GTF_writing;
        } else if (i == 2) {
            *flags = GTF_invalid;
        }
        grant_unpin(&grants[8], found, &record);
        ck_assert_uint_eq(*flags, before);
        ck_assert_uint_eq(record, 0);
        *flags &= (uint16_t)~(GTF_reading | GTF_writing);
        burst(ACCESS_FROM_GUEST, 1);
        expect_page(0, 5);
        ck_assert_uint_eq(*flags, before);
    }
}
END_TEST

/* Pins are made for several copies at once: the second one's was in use. */
START_TEST(a_grant_twice_in_a_burst)
{
    grant(8, 5, GTF_permit_access);
    plan(3);
    copies[1].ref = copies[2].ref = 8;
    access_copy(direct, ACCESS_FROM_GUEST, copies, 3);
    for (unsigned int i = 0; i < 3; i++) {
        expect_page(i, 5);
    }
    ck_assert_uint_eq(grants[8].entry.flags, GTF_permit_access);
    ck_assert_uint_eq(counts.hits, 3);
    ck_assert_uint_eq(counts.foreign, 0);
    ck_assert_uint_eq(hypervisor.batches, 0);
}
END_TEST

/* Not a multiple of what is looked up at once. */
START_TEST(long_bursts)
{
    static struct access_copy many[2 * 64 + 3];
    const unsigned int count = sizeof(many) / sizeof(many[0]);

    for (unsigned int i = 0; i < count; i++) {
        grant(8 + i, 100 + i, GTF_permit_access);
        many[i] = (struct access_copy){
            .ref = 8 + i, .size = 4, .status = INT16_MAX,
            .host = &host[0][4 * i],
        };
    }
    grant(8 + 64, 0, 0);
    access_copy(direct, ACCESS_FROM_GUEST, many, count);
    for (unsigned int i = 0; i < count; i++) {
        ck_assert_int_eq(many[i].status, i == 64 ? GNTST_bad_gntref
                                                 : GNTST_okay);
        ck_assert_uint_eq(host[0][4 * i + 3],
                          i == 64 ? 0 : (uint8_t)((100 + i) * 7 + 1));
    }
    ck_assert_uint_eq(counts.hits, count - 1);
    ck_assert_uint_eq(hypervisor.batches, 0);
}
END_TEST

START_TEST(many_misses)
{
    static struct access_copy many[600];
    static uint8_t room[600];

    for (unsigned int i = 0; i < 600; i++) {
        grant(i % 400 + 100, 2 * WINDOW_CHUNK_PAGES + i % 400,
              GTF_permit_access);
        many[i] = (struct access_copy){
            .ref = i % 400 + 100, .size = 1, .host = &room[i],
        };
    }
    access_copy(direct, ACCESS_FROM_GUEST, many, 600);
    for (unsigned int i = 0; i < 600; i++) {
        ck_assert_int_eq(many[i].status, GNTST_okay);
        ck_assert_uint_eq(room[i],
            (uint8_t)((2 * WINDOW_CHUNK_PAGES + i % 400) * 7 + 1));
    }
    ck_assert_uint_eq(hypervisor.copies, 600);
    ck_assert_uint_eq(hypervisor.batches, 3);
}
END_TEST

/* ---- two packet threads, and a guest that writes its entries ---- */

#define ROUNDS 20000u

static void no_miss(struct window *window, uint32_t frame)
{
    (void)window;
    ck_assert_uint_ge(frame, 2 * WINDOW_CHUNK_PAGES);
}

struct worker {
    struct window_counts counts;
    uint64_t records[JOURNAL_COPIES];
    bool writes;
    unsigned int okay, later, refused;
};

static void *work(void *opaque)
{
    struct worker *worker = opaque;
    const struct window_user user = { worker->records, &worker->counts };
    uint8_t data[64] = { 0 };

    for (unsigned int i = 0; i < ROUNDS; i++) {
        struct access_copy copy = {
            .ref = 8 + i % 4, .size = sizeof(data), .host = data,
        };

        window_copy(&view.window, &user, worker->writes, &copy, 1);
        worker->okay += copy.status == GNTST_okay;
        worker->later += copy.status > 0;
        worker->refused += copy.status < 0;
    }
    return NULL;
}

static bool stop;

/* What Linux's netfront never does: rewrite what is in use. */
static void *scribble(void *unused)
{
    unsigned int i = 0;

    (void)unused;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        union grant_v1 *entry = &grants[8 + i++ % 4];

        __atomic_store_n(&entry->word.frame, i % 5 == 0 ? 0xfffffff0u : i,
                         __ATOMIC_RELAXED);
        __atomic_fetch_xor(&entry->word.head, GTF_readonly,
                           __ATOMIC_RELAXED);
        __atomic_fetch_xor(&entry->word.head, GTF_readonly,
                           __ATOMIC_RELAXED);
    }
    return NULL;
}

START_TEST(two_threads_and_a_hostile_guest)
{
    struct worker workers[2] = { { .writes = false }, { .writes = true } };
    pthread_t threads[2], guest;

    view.window.miss = no_miss;
    stop = false;
    for (unsigned int i = 0; i < 4; i++) {
        grant(8 + i, i, GTF_permit_access);
    }
    pthread_create(&guest, NULL, scribble, NULL);
    for (unsigned int i = 0; i < 2; i++) {
        pthread_create(&threads[i], NULL, work, &workers[i]);
    }
    for (unsigned int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        ck_assert(no_pin(workers[i].records));
        ck_assert_uint_eq(workers[i].okay + workers[i].later +
                          workers[i].refused, ROUNDS);
        ck_assert_uint_eq(workers[i].counts.hits, workers[i].okay);
        ck_assert_uint_eq(workers[i].counts.foreign +
                          workers[i].counts.misses, workers[i].later);
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    pthread_join(guest, NULL);
    for (unsigned int i = 0; i < 4; i++) {
        ck_assert_uint_eq(grants[8 + i].entry.flags & ~GTF_readonly,
                          GTF_permit_access);
    }
}
END_TEST

START_TEST(records_of_the_dead)
{
    const uint16_t reads = (uint16_t)grant_use(false);
    const uint16_t writes = (uint16_t)grant_use(true);
    uint64_t records[4] = {
        grant_record(8, reads),
        grant_record(9, writes),
        grant_record(GRANTS, writes),
        grant_record(10, 0xffff),
    };

    grant(8, 1, GTF_permit_access | reads | GTF_readonly);
    grant(9, 1, GTF_permit_access | writes);
    grant(10, 1, GTF_permit_access | reads | GTF_PWT);
    grant(11, 1, GTF_permit_access | reads);
    for (unsigned int i = 0; i < 4; i++) {
        grant_record_clear(grants, GRANTS, US, &records[i]);
        ck_assert_uint_eq(records[i], 0);
    }
    ck_assert_uint_eq(grants[8].entry.flags,
                      GTF_permit_access | GTF_readonly);
    ck_assert_uint_eq(grants[9].entry.flags, GTF_permit_access);
    ck_assert_uint_eq(grants[10].entry.flags, GTF_permit_access | GTF_PWT);
    ck_assert_uint_eq(grants[11].entry.flags, GTF_permit_access | reads);
}
END_TEST

/*
 * The record of a pin that was not made, or was undone: the guest has granted
 * the page again since, to another or to us, and it is mapped.  Clearing that
 * use's flags told the guest that its page is free.
 */
START_TEST(records_of_the_dead_leave_others_uses)
{
    const uint16_t used = GTF_permit_access | GTF_reading | GTF_writing;
    uint64_t records[4];

    for (unsigned int i = 0; i < 4; i++) {
        records[i] = grant_record(8 + i, grant_use(i != 3));
    }
    grant(8, 1, used);
    grants[8].entry.domid = US + 1;
    grant(9, 1, GTF_transitive | GTF_reading | GTF_writing);
    grant(10, 1, used);
    grant(11, 1, GTF_permit_access | GTF_reading);
    for (unsigned int i = 0; i < 4; i++) {
        grant_record_clear(grants, GRANTS, US, &records[i]);
        ck_assert_uint_eq(records[i], 0);
    }
    ck_assert_uint_eq(grants[8].entry.flags, used);
    ck_assert_uint_eq(grants[9].entry.flags,
                      GTF_transitive | GTF_reading | GTF_writing);
    ck_assert_uint_eq(grants[10].entry.flags, used);
    ck_assert_uint_eq(grants[11].entry.flags,
                      GTF_permit_access | GTF_reading);
}
END_TEST

/* A driver that makes no mark was killed; and one that does, is alive. */
START_TEST(records_without_a_mark)
{
    uint64_t records[2] = {
        grant_record(8, GTF_reading),
        grant_record(9, GTF_reading),
    };

    grant(8, 1, GTF_permit_access | GTF_reading);
    grant(9, 1, (uint16_t)(GTF_permit_access | grant_use(false)));
    for (unsigned int i = 0; i < 2; i++) {
        grant_record_clear(grants, GRANTS, US, &records[i]);
        ck_assert_uint_eq(records[i], 0);
    }
    ck_assert_uint_eq(grants[8].entry.flags, GTF_permit_access);
    ck_assert_uint_eq(grants[9].entry.flags,
                      GTF_permit_access | grant_use(false));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("direct");
    TCase *tcase = unit_case(suite, "direct");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, no_hypercall_for_a_burst);
    tcase_add_test(tcase, to_the_guest);
    tcase_add_test(tcase, misses_go_in_one_batch);
    tcase_add_test(tcase, foreign_flags_go_by_the_hypervisor);
    tcase_add_test(tcase, bad_grants_cost_no_hypercall);
    tcase_add_test(tcase, revoked_before);
    tcase_add_loop_test(tcase, revoked_meanwhile, 0, 2);
    tcase_add_test(tcase, a_miss_holds_no_pin);
    tcase_add_test(tcase, a_frame_counts_when_it_is_pinned);
    tcase_add_test(tcase, a_pin_ends_with_the_flags_before);
    tcase_add_test(tcase, a_grant_twice_in_a_burst);
    tcase_add_test(tcase, long_bursts);
    tcase_add_test(tcase, many_misses);
    tcase_add_test(tcase, two_threads_and_a_hostile_guest);
    tcase_add_test(tcase, records_of_the_dead);
    tcase_add_test(tcase, records_of_the_dead_leave_others_uses);
    tcase_add_test(tcase, records_without_a_mark);
    return unit_run(suite);
}
