/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netback/ctrl_ask.c: asking our own backend's end (ctrl_ring.c), and one
 * that answers what it likes.
 */
#include <errno.h>
#include <string.h>

#include "netback/ctrl_ask.h"
#include "netback/ctrl_ring.h"
#include "unit.h"

static uint8_t page[ACCESS_PAGE_SIZE]
    __attribute__((aligned(ACCESS_PAGE_SIZE)));
static xen_netif_ctrl_sring_t *ring = (xen_netif_ctrl_sring_t *)page;
static struct ctrl_ask q;
static struct ctrl_ring backend;
static struct hash hash;
static struct hash_table table;
static struct xen_netif_ctrl_response response;

static const struct xen_netif_ctrl_request get_size = {
    .type = XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE,
};

static void setup(void)
{
    memset(page, 0xa5, sizeof(page));
    ctrl_ask_init(&q, ring);
    ck_assert_int_eq(ctrl_ring_init(&backend, ring), 0);
}

static struct ctrl_ring_done serve(void)
{
    const struct ctrl_ring_target target = {
        .hash = &hash, .table = &table, .queue_count = 1,
    };
    struct ctrl_ring_done done;

    ck_assert_int_eq(ctrl_ring_turn(&backend, &target, &done), 0);
    return done;
}

/* Through a wrap of the ring, and an event each way each time. */
START_TEST(questions_and_answers)
{
    for (unsigned int i = 0; i < 3 * CTRL_ASK_RING_SIZE; i++) {
        struct ctrl_ring_done done;

        ck_assert(!ctrl_ask_waits(&q));
        ck_assert(ctrl_ask_put(&q, &get_size));
        ck_assert(ctrl_ask_waits(&q));
        ck_assert_int_eq(ctrl_ask_take(&q, &response), 0);
        done = serve();
        ck_assert_uint_eq(done.requests, 1);
        ck_assert(done.notify);
        ck_assert_int_eq(ctrl_ask_take(&q, &response), 1);
        ck_assert_uint_eq(response.data, HASH_MAPPING_MAX);
        ck_assert_int_eq(ctrl_ask_take(&q, &response), 0);
    }
}
END_TEST

/* What a backend does not know, it says so, and the next one is answered. */
START_TEST(a_refusal)
{
    const struct xen_netif_ctrl_request unknown = { .type = 77, .id = 5 };

    ck_assert(ctrl_ask_put(&q, &unknown));
    (void)serve();
    ck_assert_int_eq(ctrl_ask_take(&q, &response), 1);
    ck_assert_uint_eq(response.status, XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED);
    ck_assert(ctrl_ask_put(&q, &get_size));
    (void)serve();
    ck_assert_int_eq(ctrl_ask_take(&q, &response), 1);
    ck_assert_uint_eq(response.status, XEN_NETIF_CTRL_STATUS_SUCCESS);
}
END_TEST

START_TEST(indices_that_lie)
{
    static const RING_IDX lies[] = { 3, 2, 0x80000000u, UINT32_MAX };

    (void)ctrl_ask_put(&q, &get_size);
    ring->rsp_prod = lies[_i];
    ck_assert_int_eq(ctrl_ask_take(&q, &response), -EPROTO);
    ck_assert(ctrl_ask_waits(&q));
}
END_TEST

/* Nobody has asked. */
START_TEST(an_answer_to_nothing)
{
    ring->rsp_prod = 1;
    ck_assert_int_eq(ctrl_ask_take(&q, &response), -EPROTO);
}
END_TEST

START_TEST(an_answer_to_something_else)
{
    (void)ctrl_ask_put(&q, &get_size);
    ring->ring[0].rsp = (struct xen_netif_ctrl_response){
        .id = _i == 0, .type = get_size.type + (_i == 1),
    };
    ring->rsp_prod = 1;
    ck_assert_int_eq(ctrl_ask_take(&q, &response), _i == 2 ? 1 : -EPROTO);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ctrl_ask");
    TCase *tcase = unit_case(suite, "ctrl_ask");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, questions_and_answers);
    tcase_add_test(tcase, a_refusal);
    tcase_add_loop_test(tcase, indices_that_lie, 0, 4);
    tcase_add_test(tcase, an_answer_to_nothing);
    tcase_add_loop_test(tcase, an_answer_to_something_else, 0, 3);
    return unit_run(suite);
}
