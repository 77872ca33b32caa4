/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gref: what is in the table is copied here and what is not goes below;
 * additions are all or nothing; nothing is unmapped while it may be in use.
 */
#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "netback/gref.h"
#include "tests/fake/guest.h"
#include "unit.h"

#define SUCCESS XEN_NETIF_CTRL_STATUS_SUCCESS
#define INVALID XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER
#define REF(page) (FAKE_GUEST_REF + (page))

static struct fake_guest *guest;
static struct gref_table *table;
static struct access *access;
static uint64_t hits;
static struct xen_netif_gref list[GREF_TABLE_SIZE + 1];
static unsigned int maps, unmaps, quiesces;
static grant_ref_t refuse_ref;
static bool mapped_readonly;

static void *map_page(void *self, grant_ref_t ref, bool readonly)
{
    ck_assert_ptr_eq(self, &guest);
    if (ref == refuse_ref) {
        return NULL;
    }
    maps++;
    mapped_readonly = readonly;
    return guest->pages[(ref - FAKE_GUEST_REF) % FAKE_GUEST_PAGES];
}

static void unmap_page(void *self, void *page)
{
    ck_assert_ptr_eq(self, &guest);
    ck_assert_uint_eq(((uint8_t *)page - guest->pages[0]) % ACCESS_PAGE_SIZE,
                      0);
    ck_assert_uint_ge(quiesces, 1);     /* since the entry was hidden */
    unmaps++;
}

static void quiesce(void *self)
{
    ck_assert_ptr_eq(self, &guest);
    quiesces++;
}

static void setup(void)
{
    const struct gref_config config = {
        map_page, unmap_page, quiesce, &guest
    };

    maps = unmaps = quiesces = 0;
    hits = 0;
    refuse_ref = UINT32_MAX;
    memset(list, 0, sizeof(list));
    guest = fake_guest_create();
    table = gref_create(&config);
    access = gref_wrap(&guest->access, table, &hits);
    ck_assert_ptr_nonnull(access);
}

/* The access owns the fake guest's. */
static void teardown(void)
{
    gref_destroy(table);
    access->ops->destroy(access);
    ck_assert_uint_eq(maps, unmaps);
}

static int add(grant_ref_t ref, uint16_t flags)
{
    const struct xen_netif_gref one = { .ref = ref, .flags = flags };

    return gref_add(table, &one, 1);
}

/* A copy of one byte; *below: the access below has made it. */
static int16_t copy(enum access_direction direction, grant_ref_t ref,
                    uint8_t *byte, bool *below)
{
    struct access_copy one = {
        .ref = ref, .offset = 100, .size = 1, .host = byte,
        .status = GNTST_general_error,
    };
    unsigned int before = guest->copies;

    access_copy(access, direction, &one, 1);
    *below = guest->copies != before;
    return one.status;
}

START_TEST(both_ways)
{
    uint8_t byte = 0;
    bool below;

    guest->pages[7][100] = 42;
    ck_assert_int_eq(copy(ACCESS_FROM_GUEST, REF(7), &byte, &below), 0);
    ck_assert(below && byte == 42);
    ck_assert_int_eq(add(REF(7), 0), 0);
    ck_assert_uint_eq(gref_count(table), 1);
    byte = 0;
    ck_assert_int_eq(copy(ACCESS_FROM_GUEST, REF(7), &byte, &below), 0);
    ck_assert(!below && byte == 42);
    byte = 43;
    ck_assert_int_eq(copy(ACCESS_TO_GUEST, REF(7), &byte, &below), 0);
    ck_assert(!below && guest->pages[7][100] == 43);
    ck_assert_uint_eq(hits, 2);
    /* The neighbours of one that is there are not there. */
    ck_assert_int_eq(copy(ACCESS_FROM_GUEST, REF(8), &byte, &below), 0);
    ck_assert(below);
    ck_assert_int_eq(copy(ACCESS_FROM_GUEST, REF(7) + 64, &byte, &below), 0);
    ck_assert(below);
    ck_assert_int_eq(copy(ACCESS_FROM_GUEST, UINT32_MAX, &byte, &below),
                     GNTST_bad_gntref);
    ck_assert(below);
}
END_TEST

/* A page that is mapped read only is never written here. */
START_TEST(readonly_is_held)
{
    uint8_t byte = 1;
    bool below;

    guest->read_only[7] = true;
    ck_assert_int_eq(add(REF(7), XEN_NETIF_CTRLF_GREF_readonly), 0);
    ck_assert(mapped_readonly);
    ck_assert_int_eq(copy(ACCESS_FROM_GUEST, REF(7), &byte, &below), 0);
    ck_assert(!below);
    ck_assert_int_eq(copy(ACCESS_TO_GUEST, REF(7), &byte, &below),
                     GNTST_general_error);
    ck_assert(below);
    ck_assert_int_eq(add(REF(8), 0), 0);
    ck_assert(!mapped_readonly);
}
END_TEST

/* Hits and misses in one batch: each keeps its own status and bytes. */
START_TEST(mixed_batches)
{
    static struct access_copy copies[1024];
    static uint8_t bytes[1024];
    unsigned int batches;

    for (unsigned int i = 0; i < 64; i++) {
        guest->pages[i][100] = (uint8_t)(i + 1);
        list[i].ref = REF(i * 2);
    }
    guest->refuse[5] = GNTST_bad_page;
    ck_assert_int_eq(gref_add(table, list, 32), 0);
    for (unsigned int i = 0; i < 1024; i++) {
        copies[i] = (struct access_copy){
            .ref = REF(i % 64), .offset = 100, .size = 1, .host = &bytes[i],
            .owner = (uint16_t)i,
        };
    }
    batches = guest->batches;
    access_copy(access, ACCESS_FROM_GUEST, copies, 1024);
    ck_assert_uint_eq(guest->batches, batches + 1);
    for (unsigned int i = 0; i < 1024; i++) {
        ck_assert_uint_eq(copies[i].owner, i);
        if (i % 64 == 5) {
            ck_assert_int_eq(copies[i].status, GNTST_bad_page);
        } else {
            ck_assert_int_eq(copies[i].status, GNTST_okay);
            ck_assert_uint_eq(bytes[i], i % 64 + 1);
        }
    }
    ck_assert_uint_eq(hits, 512);
}
END_TEST

/* netif.h: in case of failure none get added. */
START_TEST(all_or_nothing)
{
    const uint32_t bad = _i < 8 ? 0 : 99;
    unsigned int before;

    ck_assert_int_eq(add(REF(300), 0), 0);
    for (uint32_t i = 0; i < 100; i++) {
        list[i].ref = REF(i * 3) % 290;
    }
    before = maps;
    switch (_i % 8) {
    case 0: refuse_ref = list[bad].ref; break;
    case 1: list[bad].flags = 2; break;
    case 2: list[bad].flags = 0x8001; break;
    case 3: list[bad].ref = GREF_REFS_MAX; break;
    case 4: list[bad].ref = UINT32_MAX; break;
    case 5: list[bad].ref = REF(300); break;            /* there already */
    case 6: list[bad].ref = list[50].ref; break;        /* twice */
    default: refuse_ref = list[bad].ref = 70000; break; /* a leaf of its own */
    }
    ck_assert_int_eq(gref_add(table, list, 100), -EINVAL);
    ck_assert_uint_eq(gref_count(table), 1);
    ck_assert_uint_eq(maps - before, unmaps);
    refuse_ref = UINT32_MAX;
    for (uint32_t i = 0; i < 100; i++) {
        list[i] = (struct xen_netif_gref){ .ref = 1000 + i };
    }
    ck_assert_int_eq(gref_add(table, list, 100), 0);
    ck_assert_uint_eq(gref_count(table), 101);
}
END_TEST

START_TEST(tables_are_bounded)
{
    for (uint32_t i = 0; i < GREF_TABLE_SIZE + 1; i++) {
        list[i].ref = i * 2047;
    }
    ck_assert_int_eq(gref_add(table, list, GREF_TABLE_SIZE + 1), -ENOSPC);
    ck_assert_int_eq(gref_add(table, list, GREF_TABLE_SIZE), 0);
    ck_assert_int_eq(add(1, 0), -ENOSPC);
    ck_assert_uint_eq(gref_del(table, list + 9, 1), 1);
    ck_assert_int_eq(add(1, 0), 0);
    ck_assert_int_eq(add(2, 0), -ENOSPC);
}
END_TEST

/* One frontend cannot take all that the process can map. */
START_TEST(processes_are_bounded)
{
    enum { TABLES = GREF_TOTAL_MAX / GREF_TABLE_SIZE };
    const struct gref_config config = {
        map_page, unmap_page, quiesce, &guest
    };
    struct gref_table *tables[TABLES];

    for (uint32_t i = 0; i < GREF_TABLE_SIZE; i++) {
        list[i].ref = i;
    }
    for (unsigned int t = 0; t < TABLES; t++) {
        tables[t] = gref_create(&config);
        ck_assert_int_eq(gref_add(tables[t], list, GREF_TABLE_SIZE), 0);
    }
    ck_assert_int_eq(add(1, 0), -ENOSPC);
    gref_destroy(tables[0]);
    ck_assert_int_eq(add(1, 0), 0);
    for (unsigned int t = 1; t < TABLES; t++) {
        gref_destroy(tables[t]);
    }
}
END_TEST

START_TEST(deletions_say_what_went)
{
    uint8_t byte;
    bool below;

    list[0].ref = REF(1);
    list[1].ref = REF(2);
    ck_assert_int_eq(gref_add(table, list, 2), 0);
    list[2].ref = UINT32_MAX;
    list[3].ref = REF(1);       /* a second time */
    list[4].ref = REF(3);
    for (unsigned int i = 0; i < 5; i++) {
        list[i].status = 99;
    }
    ck_assert_uint_eq(gref_del(table, list, 5), 2);
    ck_assert_uint_eq(list[0].status, SUCCESS);
    ck_assert_uint_eq(list[1].status, SUCCESS);
    ck_assert_uint_eq(list[2].status, INVALID);
    ck_assert_uint_eq(list[3].status, INVALID);
    ck_assert_uint_eq(list[4].status, INVALID);
    ck_assert_uint_eq(unmaps, 2);
    ck_assert_uint_eq(quiesces, 1);
    ck_assert_int_eq(copy(ACCESS_FROM_GUEST, REF(1), &byte, &below), 0);
    ck_assert(below);
    /* Nothing to unmap is nothing to wait for. */
    ck_assert_uint_eq(gref_del(table, list, 5), 0);
    ck_assert_uint_eq(quiesces, 1);
}
END_TEST

/* Adding and deleting all over the space of references leaves nothing. */
START_TEST(leaves_come_and_go)
{
    unsigned int seed = 7;

    for (unsigned int round = 0; round < 200; round++) {
        for (uint32_t i = 0; i < GREF_TABLE_SIZE; i++) {
            list[i].ref = (uint32_t)rand_r(&seed) % GREF_REFS_MAX;
        }
        (void)gref_add(table, list, GREF_TABLE_SIZE);
        (void)gref_del(table, list, GREF_TABLE_SIZE);
        ck_assert_uint_eq(gref_count(table), 0);
        ck_assert_uint_eq(maps, unmaps);
    }
}
END_TEST

/*
 * A packet thread copies all the time; pages that are unmapped turn
 * unreadable for the test's eyes: they hold a byte that no mapped page has.
 */
static struct {
    uint32_t turns, busy;
    bool stop;
} reader;

static uint8_t live[FAKE_GUEST_PAGES];  /* [a] mapped now */

static void *map_live(void *self, grant_ref_t ref, bool readonly)
{
    (void)self;
    (void)readonly;
    __atomic_store_n(&live[ref], 1, __ATOMIC_SEQ_CST);
    return guest->pages[ref];
}

static void unmap_live(void *self, void *page)
{
    (void)self;
    __atomic_store_n(&live[((uint8_t *)page - guest->pages[0]) /
                           ACCESS_PAGE_SIZE], 0, __ATOMIC_SEQ_CST);
}

/* As burst_gate_quiesce(). */
static void quiesce_live(void *self)
{
    uint32_t turns;

    (void)self;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    turns = __atomic_load_n(&reader.turns, __ATOMIC_ACQUIRE);
    while (__atomic_load_n(&reader.busy, __ATOMIC_SEQ_CST) != 0 &&
           __atomic_load_n(&reader.turns, __ATOMIC_ACQUIRE) == turns) {
    }
}

static void *read_for_ever(void *argument)
{
    struct access *wrapped = argument;
    uint64_t *seen = malloc(sizeof(*seen));

    *seen = 0;
    while (!__atomic_load_n(&reader.stop, __ATOMIC_RELAXED)) {
        struct access_copy one = { .ref = 1, .offset = 0, .size = 1 };
        uint64_t before = hits;
        uint8_t byte;

        one.host = &byte;
        __atomic_exchange_n(&reader.busy, 1, __ATOMIC_SEQ_CST);
        access_copy(wrapped, ACCESS_FROM_GUEST, &one, 1);
        /* Copied here, so still mapped until our turn ends. */
        if (hits != before) {
            ck_assert_uint_eq(__atomic_load_n(&live[1], __ATOMIC_SEQ_CST), 1);
            ++*seen;
        }
        __atomic_fetch_add(&reader.turns, 1, __ATOMIC_RELEASE);
        __atomic_store_n(&reader.busy, 0, __ATOMIC_RELEASE);
    }
    return seen;
}

START_TEST(deleting_waits_for_readers)
{
    const struct gref_config config = {
        map_live, unmap_live, quiesce_live, &guest
    };
    struct gref_table *shared = gref_create(&config);
    struct fake_guest *other = fake_guest_create();
    struct access *wrapped = gref_wrap(&other->access, shared, &hits);
    struct xen_netif_gref one = { .ref = 1 };
    pthread_t thread;
    void *seen;

    reader.stop = false;
    ck_assert_int_eq(pthread_create(&thread, NULL, read_for_ever, wrapped),
                     0);
    for (unsigned int i = 0; i < 20000; i++) {
        ck_assert_int_eq(gref_add(shared, &one, 1), 0);
        ck_assert_uint_eq(gref_del(shared, &one, 1), 1);
    }
    __atomic_store_n(&reader.stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, &seen);
    free(seen);
    wrapped->ops->destroy(wrapped);
    gref_destroy(shared);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, both_ways);
    tcase_add_test(tcase, readonly_is_held);
    tcase_add_test(tcase, mixed_batches);
    tcase_add_loop_test(tcase, all_or_nothing, 0, 16);
    tcase_add_test(tcase, tables_are_bounded);
    tcase_add_test(tcase, processes_are_bounded);
    tcase_add_test(tcase, deletions_say_what_went);
    tcase_add_test(tcase, leaves_come_and_go);
    tcase_add_test(tcase, deleting_waits_for_readers);
}

int main(void)
{
    Suite *suite = suite_create("gref");

    add_tests(unit_case(suite, "gref"));
    return unit_run(suite);
}
