/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ctrl_ring: each operation with each of its answers, and frontends that
 * lie, change their minds or never stop.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "netback/ctrl_ring.h"
#include "tests/fake/guest.h"
#include "unit.h"

#define SUCCESS XEN_NETIF_CTRL_STATUS_SUCCESS
#define INVALID XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER
#define OVERFLOW XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW
#define UNSUPPORTED XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED
#define TYPE(what) XEN_NETIF_CTRL_TYPE_ ## what
#define REF(page) (FAKE_GUEST_REF + (page))

static struct fake_guest *guest;
static xen_netif_ctrl_sring_t *sring;
static struct ctrl_ring q;
static struct hash hash;
static struct hash_table table;
static struct ctrl_ring_target target;
static RING_IDX prod, cons;

/* What the fake table of grants was asked for. */
static struct {
    unsigned int adds, dels;
    uint16_t queue;
    uint32_t count;
    struct xen_netif_gref list[CTRL_RING_GREFS_MAX];
    int answer;
} asked;

static uint32_t grefs_size(void *self)
{
    ck_assert_ptr_eq(self, &asked);
    return 321;
}

static int grefs_add(void *self, uint16_t queue,
                     const struct xen_netif_gref *list, uint32_t count)
{
    ck_assert_ptr_eq(self, &asked);
    ck_assert_uint_ge(count, 1);
    ck_assert_uint_le(count, CTRL_RING_GREFS_MAX);
    asked.adds++;
    asked.queue = queue;
    asked.count = count;
    memcpy(asked.list, list, count * sizeof(*list));
    return asked.answer;
}

/* Odd references are there. */
static uint32_t grefs_del(void *self, uint16_t queue,
                          struct xen_netif_gref *list, uint32_t count)
{
    uint32_t removed = 0;

    ck_assert_ptr_eq(self, &asked);
    asked.dels++;
    asked.queue = queue;
    for (uint32_t i = 0; i < count; i++) {
        list[i].status = list[i].ref % 2 != 0 ? SUCCESS : INVALID;
        removed += list[i].ref % 2;
    }
    return removed;
}

static const struct ctrl_ring_grefs grefs = {
    grefs_size, grefs_add, grefs_del,
};

static void setup(void)
{
    guest = fake_guest_create();
    sring = aligned_alloc(ACCESS_PAGE_SIZE, ACCESS_PAGE_SIZE);
    memset(sring, 0, ACCESS_PAGE_SIZE);
    sring->req_event = sring->rsp_event = 1;
    memset(&hash, 0, sizeof(hash));
    memset(&table, 0, sizeof(table));
    memset(&asked, 0, sizeof(asked));
    target = (struct ctrl_ring_target){
        .access = &guest->access, .hash = &hash, .table = &table,
        .grefs = &grefs, .grefs_self = &asked, .queue_count = 4,
    };
    prod = cons = 0;
    ck_assert_int_eq(ctrl_ring_init(&q, sring), 0);
}

static void teardown(void)
{
    fake_guest_destroy(guest);
    free(sring);
}

static union xen_netif_ctrl_sring_entry *entry(RING_IDX index)
{
    union xen_netif_ctrl_sring_entry *entries = sring->ring;

    return entries + index % CTRL_RING_SIZE;
}

static void put(uint16_t type, uint32_t a, uint32_t b, uint32_t c)
{
    entry(prod)->req = (struct xen_netif_ctrl_request){
        .id = (uint16_t)(prod * 7 + 3), .type = type, .data = { a, b, c },
    };
    prod++;
    __atomic_store_n(&sring->req_prod, prod, __ATOMIC_RELEASE);
}

static struct ctrl_ring_done turn(void)
{
    struct ctrl_ring_done done;

    ck_assert_int_eq(ctrl_ring_turn(&q, &target, &done), 0);
    ck_assert_uint_ge(done.cost, 1);
    return done;
}

/* One request and its response. */
static struct xen_netif_ctrl_response ask(uint16_t type, uint32_t a,
                                          uint32_t b, uint32_t c)
{
    struct xen_netif_ctrl_response rsp;

    put(type, a, b, c);
    ck_assert_uint_eq(turn().requests, 1);
    ck_assert_uint_eq(sring->rsp_prod, prod);
    rsp = entry(cons)->rsp;
    ck_assert_uint_eq(rsp.id, (uint16_t)(cons * 7 + 3));
    ck_assert_uint_eq(rsp.type, type);
    cons++;
    return rsp;
}

static void expect(uint16_t type, uint32_t a, uint32_t b, uint32_t c,
                   uint32_t status)
{
    struct xen_netif_ctrl_response rsp = ask(type, a, b, c);

    ck_assert_uint_eq(rsp.status, status);
    ck_assert_uint_eq(rsp.data, 0);
}

static void expect_data(uint16_t type, uint32_t a, uint32_t data)
{
    struct xen_netif_ctrl_response rsp = ask(type, a, 0, 0);

    ck_assert_uint_eq(rsp.status, SUCCESS);
    ck_assert_uint_eq(rsp.data, data);
}

START_TEST(unknown_types)
{
    expect(TYPE(INVALID), 0, 0, 0, UNSUPPORTED);
    expect(TYPE(DEL_GREF_MAPPING) + 1, 0, 0, 0, UNSUPPORTED);
    expect(UINT16_MAX, 1, 2, 3, UNSUPPORTED);
}
END_TEST

START_TEST(hash_algorithm)
{
    expect(TYPE(SET_HASH_ALGORITHM), 2, 0, 0, INVALID);
    expect(TYPE(SET_HASH_ALGORITHM), UINT32_MAX, 0, 0, INVALID);
    expect(TYPE(SET_HASH_ALGORITHM), 1, 0, 0, SUCCESS);
    ck_assert(!hash_is_on(&table));     /* no flags yet */
    expect(TYPE(SET_HASH_FLAGS), 15, 0, 0, SUCCESS);
    ck_assert(hash_is_on(&table));
    expect(TYPE(SET_HASH_ALGORITHM), 0, 0, 0, SUCCESS);
    ck_assert(!hash_is_on(&table));
}
END_TEST

START_TEST(hash_flags)
{
    expect(TYPE(GET_HASH_FLAGS), 0, 0, 0, UNSUPPORTED);
    expect(TYPE(SET_HASH_FLAGS), 1, 0, 0, INVALID);
    expect(TYPE(SET_HASH_ALGORITHM), 1, 0, 0, SUCCESS);
    expect_data(TYPE(GET_HASH_FLAGS), 0, 15);
    expect(TYPE(SET_HASH_FLAGS), 16, 0, 0, INVALID);
    expect(TYPE(SET_HASH_FLAGS), 3, 0, 0, SUCCESS);
    ck_assert_uint_eq(table.flags, 3);
    expect(TYPE(SET_HASH_FLAGS), 0, 0, 0, SUCCESS);
    ck_assert(!hash_is_on(&table));
}
END_TEST

START_TEST(hash_key)
{
    memset(guest->pages[3], 0xab, 40);
    expect(TYPE(SET_HASH_KEY), REF(3), 40, 0, SUCCESS);
    ck_assert_uint_eq(hash.key[39], 0xab);
    ck_assert_uint_eq(table.nibbles[0][8], 0xabababab);
    expect(TYPE(SET_HASH_KEY), REF(3), 41, 0, OVERFLOW);
    expect(TYPE(SET_HASH_KEY), REF(3), 4096, 0, OVERFLOW);
    expect(TYPE(SET_HASH_KEY), REF(3), 4097, 0, INVALID);
    expect(TYPE(SET_HASH_KEY), REF(3), 0x10028, 0, INVALID);
    expect(TYPE(SET_HASH_KEY), REF(FAKE_GUEST_PAGES), 40, 0, INVALID);
    guest->refuse[3] = GNTST_permission_denied;
    expect(TYPE(SET_HASH_KEY), REF(3), 40, 0, INVALID);
    guest->refuse[3] = GNTST_okay;
    ck_assert_uint_eq(hash.key[39], 0xab);
    expect(TYPE(SET_HASH_KEY), REF(3), 8, 0, SUCCESS);
    ck_assert_uint_eq(hash.key[7], 0xab);
    ck_assert_uint_eq(hash.key[8], 0);
    /* No key needs no page. */
    expect(TYPE(SET_HASH_KEY), UINT32_MAX, 0, 0, SUCCESS);
    ck_assert_uint_eq(hash.key[0], 0);
}
END_TEST

START_TEST(hash_mapping)
{
    uint32_t *queues = (uint32_t *)guest->pages[5];

    expect_data(TYPE(GET_HASH_MAPPING_SIZE), 0, 128);
    expect(TYPE(SET_HASH_MAPPING), REF(5), 1, 0, INVALID);  /* size 0 */
    expect(TYPE(SET_HASH_MAPPING_SIZE), 129, 0, 0, INVALID);
    expect(TYPE(SET_HASH_MAPPING_SIZE), 128, 0, 0, SUCCESS);
    for (uint32_t i = 0; i < 130; i++) {
        queues[i] = i % 4;
    }
    expect(TYPE(SET_HASH_MAPPING), REF(5), 128, 0, SUCCESS);
    ck_assert_uint_eq(table.mapping[126], 2);
    expect(TYPE(SET_HASH_MAPPING), REF(5), 129, 0, OVERFLOW);
    expect(TYPE(SET_HASH_MAPPING), REF(5), 2, 127, OVERFLOW);
    expect(TYPE(SET_HASH_MAPPING), REF(5), UINT32_MAX, 2, OVERFLOW);
    expect(TYPE(SET_HASH_MAPPING), REF(5), 2, UINT32_MAX, OVERFLOW);
    expect(TYPE(SET_HASH_MAPPING), 3, 2, 0, INVALID);       /* no grant */
    queues[1] = 4;                                          /* no queue */
    expect(TYPE(SET_HASH_MAPPING), REF(5), 2, 100, INVALID);
    ck_assert_uint_eq(table.mapping[100], 0);
    queues[0] = 3;
    expect(TYPE(SET_HASH_MAPPING), REF(5), 1, 100, SUCCESS);
    ck_assert_uint_eq(table.mapping[100], 3);
    ck_assert_uint_eq(table.mapping[101], 1);
    expect(TYPE(SET_HASH_MAPPING_SIZE), 2, 0, 0, SUCCESS);
    expect(TYPE(SET_HASH_MAPPING), REF(5), 2, 1, INVALID);
    expect(TYPE(SET_HASH_MAPPING), UINT32_MAX, 0, 2, SUCCESS);
}
END_TEST

static void fill_list(unsigned int page, uint32_t count)
{
    struct xen_netif_gref *list = (void *)guest->pages[page];

    for (uint32_t i = 0; i < count; i++) {
        list[i] = (struct xen_netif_gref){ .ref = i, .status = 77 };
    }
}

START_TEST(gref_size)
{
    expect_data(TYPE(GET_GREF_MAPPING_SIZE), 3, 321);
    expect(TYPE(GET_GREF_MAPPING_SIZE), 4, 0, 0, INVALID);
    target.grefs = NULL;
    expect(TYPE(GET_GREF_MAPPING_SIZE), 0, 0, 0, UNSUPPORTED);
}
END_TEST

START_TEST(gref_add)
{
    fill_list(9, 512);
    expect(TYPE(ADD_GREF_MAPPING), 2, REF(9), 512, SUCCESS);
    ck_assert_uint_eq(asked.queue, 2);
    ck_assert_uint_eq(asked.count, 512);
    ck_assert_uint_eq(asked.list[511].ref, 511);
    /* The statuses of an addition are the guest's own. */
    ck_assert_uint_eq(((struct xen_netif_gref *)guest->pages[9])[0].status,
                      77);
    expect(TYPE(ADD_GREF_MAPPING), 2, REF(9), 513, INVALID);
    expect(TYPE(ADD_GREF_MAPPING), 2, REF(9), UINT32_MAX, INVALID);
    expect(TYPE(ADD_GREF_MAPPING), 4, REF(9), 1, INVALID);
    expect(TYPE(ADD_GREF_MAPPING), 0, 1, 1, INVALID);
    ck_assert_uint_eq(asked.adds, 1);
    asked.answer = -ENOSPC;
    expect(TYPE(ADD_GREF_MAPPING), 0, REF(9), 1, INVALID);
    ck_assert_uint_eq(asked.adds, 2);
    expect(TYPE(ADD_GREF_MAPPING), 0, REF(9), 0, SUCCESS);
    ck_assert_uint_eq(asked.adds, 2);
    target.grefs = NULL;
    expect(TYPE(ADD_GREF_MAPPING), 0, REF(9), 1, UNSUPPORTED);
}
END_TEST

START_TEST(gref_del)
{
    struct xen_netif_gref *list = (void *)guest->pages[9];
    struct xen_netif_ctrl_response rsp;

    fill_list(9, 512);
    rsp = ask(TYPE(DEL_GREF_MAPPING), 1, REF(9), 511);
    ck_assert_uint_eq(rsp.status, SUCCESS);
    ck_assert_uint_eq(rsp.data, 255);
    ck_assert_uint_eq(list[0].status, INVALID);
    ck_assert_uint_eq(list[509].status, SUCCESS);
    ck_assert_uint_eq(list[511].status, 77);
    expect(TYPE(DEL_GREF_MAPPING), 1, REF(9), 513, INVALID);
    expect(TYPE(DEL_GREF_MAPPING), 4, REF(9), 1, INVALID);
    expect(TYPE(DEL_GREF_MAPPING), 0, 1, 1, INVALID);
    ck_assert_uint_eq(asked.dels, 1);
    expect(TYPE(DEL_GREF_MAPPING), 0, REF(9), 0, SUCCESS);
    /* A list that cannot be written: they are gone, and the guest hears
     * of it by the count. */
    guest->read_only[9] = true;
    rsp = ask(TYPE(DEL_GREF_MAPPING), 1, REF(9), 2);
    ck_assert_uint_eq(rsp.status, INVALID);
    ck_assert_uint_eq(rsp.data, 1);
    target.grefs = NULL;
    expect(TYPE(DEL_GREF_MAPPING), 0, REF(9), 1, UNSUPPORTED);
}
END_TEST

/* D2, XSA-155: the guest rewrites what is read while it is read. */
static int16_t nasty_copies;

static void nasty_copy(struct access *access, enum access_direction direction,
                       struct access_copy *copies, unsigned int count)
{
    union xen_netif_ctrl_sring_entry *slot = entry(q.req_cons);

    access->ops = guest->access.ops;
    guest->access.ops->copy(&guest->access, direction, copies, count);
    nasty_copies++;
    /* The request is being acted on: now its size and queue grow. */
    memset(slot, 0xff, sizeof(*slot));
    memset(guest->pages[5], 0xff, ACCESS_PAGE_SIZE);
}

START_TEST(double_fetch)
{
    const struct access_ops ops = { .name = "nasty", .copy = nasty_copy };
    struct access nasty = { &ops };
    struct xen_netif_ctrl_response rsp;

    ((uint32_t *)guest->pages[5])[0] = 3;
    nasty_copies = 0;
    expect(TYPE(SET_HASH_MAPPING_SIZE), 1, 0, 0, SUCCESS);
    target.access = &nasty;
    put(TYPE(SET_HASH_MAPPING), REF(5), 1, 0);
    turn();
    rsp = entry(cons)->rsp;
    /* Answered as it was when it was taken: id, type and verdict. */
    ck_assert_uint_eq(rsp.id, (uint16_t)(cons * 7 + 3));
    ck_assert_uint_eq(rsp.type, TYPE(SET_HASH_MAPPING));
    ck_assert_uint_eq(rsp.status, SUCCESS);
    ck_assert_int_eq(nasty_copies, 1);
    ck_assert_uint_eq(table.mapping[0], 3);
}
END_TEST

/* D2, XSA-39 class: more requests than the ring has slots. */
START_TEST(index_jump)
{
    struct ctrl_ring_done done;
    static const uint32_t jumps[] = { 129, 1000, UINT32_MAX, 1u << 31 };
    xen_netif_ctrl_sring_t before;

    expect(TYPE(GET_HASH_MAPPING_SIZE) + 99, 0, 0, 0, UNSUPPORTED);
    sring->req_prod = prod + jumps[_i];
    before = *sring;
    ck_assert_int_eq(ctrl_ring_turn(&q, &target, &done), -EPROTO);
    ck_assert_int_eq(q.fault, CTRL_RING_INDEX);
    ck_assert_uint_eq(done.requests, 0);
    ck_assert_mem_eq(&before, sring, sizeof(before));
    /* For good, also when the index is right again. */
    sring->req_prod = prod;
    ck_assert_int_eq(ctrl_ring_turn(&q, &target, &done), -EPROTO);
    ck_assert_int_eq(strncmp(ctrl_ring_fault_text(q.fault), "the control", 11),
                     0);
}
END_TEST

START_TEST(contradicting_indices_are_not_attached_to)
{
    sring->rsp_prod = 5;
    sring->req_prod = 5 + 129;
    ck_assert_int_eq(ctrl_ring_init(&q, sring), -EPROTO);
    sring->req_prod = 5 + 128;
    ck_assert_int_eq(ctrl_ring_init(&q, sring), 0);
    sring->req_prod = 4;
    ck_assert_int_eq(ctrl_ring_init(&q, sring), -EPROTO);
}
END_TEST

/* The indices wrap, and a request that came in between is seen. */
START_TEST(goes_on_where_the_ring_stands)
{
    prod = cons = sring->rsp_prod = sring->req_prod = UINT32_MAX - 3;
    ck_assert_int_eq(ctrl_ring_init(&q, sring), 0);
    for (unsigned int i = 0; i < 300; i++) {
        expect_data(TYPE(GET_HASH_MAPPING_SIZE), 0, 128);
    }
    ck_assert_uint_eq(sring->req_event, prod + 1);
}
END_TEST

/* A turn is short, however full the ring is. */
START_TEST(turns_are_bounded)
{
    struct ctrl_ring_done done;

    for (unsigned int i = 0; i < CTRL_RING_SIZE; i++) {
        put(TYPE(GET_HASH_MAPPING_SIZE), 0, 0, 0);
    }
    for (unsigned int i = 0; i < CTRL_RING_SIZE / CTRL_RING_TURN; i++) {
        done = turn();
        ck_assert_uint_eq(done.requests, CTRL_RING_TURN);
        ck_assert_uint_eq(done.cost, CTRL_RING_TURN);
        ck_assert_int_eq(done.more,
                         i + 1 < CTRL_RING_SIZE / CTRL_RING_TURN);
    }
    done = turn();
    ck_assert_uint_eq(done.requests, 0);
    ck_assert(!done.more && !done.notify);
}
END_TEST

/* Long lists end a turn, and are charged. */
START_TEST(lists_cost)
{
    struct ctrl_ring_done done;

    fill_list(9, 512);
    for (unsigned int i = 0; i < 4; i++) {
        put(TYPE(ADD_GREF_MAPPING), 0, REF(9), 512);
    }
    done = turn();
    ck_assert_uint_eq(done.requests, 1);
    ck_assert_uint_eq(done.cost, 9);
    ck_assert(done.more);
    /* One that is too long for any table costs as any request. */
    (void)turn();
    (void)turn();
    (void)turn();
    put(TYPE(ADD_GREF_MAPPING), 0, REF(9), UINT32_MAX);
    ck_assert_uint_eq(turn().cost, 1);
}
END_TEST

START_TEST(events_are_sent_when_asked_for)
{
    struct ctrl_ring_done done;

    put(TYPE(GET_HASH_MAPPING_SIZE), 0, 0, 0);
    sring->rsp_event = 1;
    ck_assert(turn().notify);
    put(TYPE(GET_HASH_MAPPING_SIZE), 0, 0, 0);
    put(TYPE(GET_HASH_MAPPING_SIZE), 0, 0, 0);
    sring->rsp_event = 4;
    ck_assert(!turn().notify);
    put(TYPE(GET_HASH_MAPPING_SIZE), 0, 0, 0);
    done = turn();
    ck_assert(done.notify);
}
END_TEST

/* D2, XSA-332: a frontend that only ever sends events. */
START_TEST(event_storm)
{
    struct ctrl_pace pace = { 0 };
    uint64_t now = 1000000;
    unsigned int turns = 0;

    for (unsigned int ms = 0; ms < 10000; ms++, now++) {
        while (ctrl_pace_wait(&pace, now) == 0) {
            struct ctrl_ring_done done = turn();

            ck_assert_uint_eq(done.requests, 0);
            ctrl_pace_charge(&pace, now, done.cost);
            turns++;
        }
        ck_assert_uint_le(ctrl_pace_wait(&pace, now), CTRL_PACE_MS);
    }
    ck_assert_uint_le(turns, CTRL_PACE_BURST + 10000 / CTRL_PACE_MS);
    ck_assert_uint_ge(turns, 10000 / CTRL_PACE_MS);
    /* One who has been quiet need not wait. */
    now += CTRL_PACE_BURST * CTRL_PACE_MS;
    for (unsigned int i = 0; i < CTRL_PACE_BURST; i++) {
        ck_assert_uint_eq(ctrl_pace_wait(&pace, now), 0);
        ctrl_pace_charge(&pace, now, 1);
    }
    ck_assert_uint_eq(ctrl_pace_wait(&pace, now), CTRL_PACE_MS);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, unknown_types);
    tcase_add_test(tcase, hash_algorithm);
    tcase_add_test(tcase, hash_flags);
    tcase_add_test(tcase, hash_key);
    tcase_add_test(tcase, hash_mapping);
    tcase_add_test(tcase, gref_size);
    tcase_add_test(tcase, gref_add);
    tcase_add_test(tcase, gref_del);
    tcase_add_test(tcase, double_fetch);
    tcase_add_loop_test(tcase, index_jump, 0, 4);
    tcase_add_test(tcase, contradicting_indices_are_not_attached_to);
    tcase_add_test(tcase, goes_on_where_the_ring_stands);
    tcase_add_test(tcase, turns_are_bounded);
    tcase_add_test(tcase, lists_cost);
    tcase_add_test(tcase, events_are_sent_when_asked_for);
    tcase_add_test(tcase, event_storm);
}

int main(void)
{
    Suite *suite = suite_create("ctrl_ring");

    add_tests(unit_case(suite, "ctrl_ring"));
    return unit_run(suite);
}
