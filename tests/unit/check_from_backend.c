/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * from_backend: packets from our own backend, to_guest, and from one that
 * writes what it likes into the ring and the buffers.
 */
#include <errno.h>
#include <string.h>

#include "netback/from_backend.h"
#include "netback/to_guest.h"
#include "tests/fake/guest.h"
#include "unit.h"

#define DATA_SIZE 65536u
#define BUFFERS FROM_BACKEND_RING_SIZE

static struct fake_guest *guest;        /* its pages are the buffers */
static grant_ref_t refs[BUFFERS];
static struct from_backend q;
static struct from_backend_burst burst;
static struct to_guest to;
static struct to_guest_burst to_burst;
static uint8_t *data, *got;

static void start(uint16_t buffers)
{
    const struct backend_buffers all = { guest->pages[0], refs, buffers };

    from_backend_init(&q, guest->rx, &all);
    ck_assert_int_eq(to_guest_init(&to, guest->rx), 0);
}

static void setup(void)
{
    guest = fake_guest_create();
    data = malloc(DATA_SIZE);
    got = malloc(DATA_SIZE);
    for (unsigned int i = 0; i < DATA_SIZE; i++) {
        data[i] = (uint8_t)(i * 31 + i / 255);
    }
    for (unsigned int i = 0; i < BUFFERS; i++) {
        refs[i] = FAKE_GUEST_REF + i;
    }
    start(BUFFERS);
}

static void teardown(void)
{
    fake_guest_destroy(guest);
    free(data);
    free(got);
}

/* The backend sends packets of size bytes; how many found room. */
static int deliver(uint32_t size, unsigned int count, uint16_t gso_size)
{
    struct to_guest_span span = { data, size };
    struct to_guest_packet packets[TO_GUEST_BURST];
    int sent;

    for (unsigned int i = 0; i < count; i++) {
        packets[i] = (struct to_guest_packet){
            .spans = &span, .span_count = 1, .gso_size = gso_size,
            .gso_type = XEN_NETIF_GSO_TYPE_TCPV4,
            .flags = gso_size != 0 ? NETRXF_csum_blank : 0,
        };
    }
    sent = to_guest_take(&to, &to_burst, packets, count);
    access_copy(&guest->access, ACCESS_TO_GUEST, to_burst.copies,
                to_burst.copy_count);
    to_guest_respond(&to, &to_burst);
    return sent;
}

static uint32_t collect(unsigned int i)
{
    const struct from_backend_packet *packet = &burst.packets[i];
    uint32_t size = 0;

    for (unsigned int f = 0; f < packet->fragment_count; f++) {
        const struct from_backend_fragment *part =
            &burst.fragments[packet->fragment + f];

        memcpy(got + size, from_backend_data(&q, part), part->size);
        size += part->size;
    }
    ck_assert_uint_eq(size, packet->size);
    return size;
}

static netif_rx_response_t *response(RING_IDX index)
{
    union netif_rx_sring_entry *entries = guest->rx->ring;

    return &entries[index % FROM_BACKEND_RING_SIZE].rsp;
}

/* A response that is as it should be. */
static void answer(RING_IDX index, int16_t status, uint16_t flags)
{
    *response(index) = (netif_rx_response_t){
        .id = (uint16_t)(index % q.buffers.count), .status = status,
        .flags = flags,
    };
}

static int take(void)
{
    return from_backend_take(&q, &burst, FROM_BACKEND_BURST);
}

START_TEST(packets_of_all_sizes)
{
    for (uint32_t size = 14; size <= FROM_BACKEND_SIZE_MAX; size += 211) {
        uint16_t gso = size % 3 == 0 ? 1448 : 0;

        ck_assert_int_eq(deliver(size, 1, gso), 1);
        ck_assert_int_eq(take(), 1);
        ck_assert_int_eq(burst.packets[0].drop, FROM_BACKEND_KEEP);
        ck_assert_uint_eq(collect(0), size);
        ck_assert_mem_eq(got, data, size);
        ck_assert_uint_eq(burst.packets[0].gso_size, gso);
        from_backend_give(&q, &burst, 1);
        ck_assert_int_eq(to_guest_room(&to), BUFFERS);
    }
}
END_TEST

START_TEST(buffers_are_given_in_one_store)
{
    bool kick;

    ck_assert_int_eq(to_guest_room(&to), BUFFERS);
    ck_assert_int_eq(deliver(100, 40, 0), 40);
    ck_assert_int_eq(take(), 40);
    ck_assert(!from_backend_give(&q, &burst, 0));
    ck_assert_uint_eq(guest->rx->req_prod, BUFFERS);
    guest->rx->req_event = BUFFERS + 20;
    kick = from_backend_give(&q, &burst, 40);
    ck_assert(kick);
    ck_assert_uint_eq(guest->rx->req_prod, BUFFERS + 40);
}
END_TEST

/* What the caller has no memory for stays in the ring. */
START_TEST(a_part_of_a_burst)
{
    ck_assert_int_eq(deliver(5000, 10, 0), 10);
    ck_assert_int_eq(take(), 10);
    from_backend_give(&q, &burst, 3);
    ck_assert_int_eq(take(), 7);
    from_backend_give(&q, &burst, 7);
    ck_assert_int_eq(take(), 0);
}
END_TEST

START_TEST(few_buffers)
{
    start(32);
    for (unsigned int round = 0; round < 300; round++) {
        ck_assert_int_eq(deliver(50000, 3, 1448), 2);
        ck_assert_int_eq(take(), 2);
        collect(1);
        ck_assert_mem_eq(got, data, 50000);
        from_backend_give(&q, &burst, 2);
    }
}
END_TEST

START_TEST(a_packet_in_two_halves)
{
    answer(0, 4096, NETRXF_more_data);
    guest->rx->rsp_prod = 1;
    ck_assert_int_eq(take(), 0);
    ck_assert(!from_backend_arm(&q));
    answer(1, 100, 0);
    guest->rx->rsp_prod = 2;
    ck_assert(from_backend_arm(&q));
    ck_assert_int_eq(take(), 1);
    ck_assert_uint_eq(burst.packets[0].size, 4196);
    ck_assert_uint_eq(burst.packets[0].slot_count, 2);
}
END_TEST

START_TEST(arm_asks_for_the_next_response)
{
    ck_assert_int_eq(take(), 0);
    ck_assert(!from_backend_arm(&q));
    ck_assert_uint_eq(guest->rx->rsp_event, 1);
    ck_assert_int_eq(deliver(100, 3, 0), 3);
    ck_assert(from_backend_arm(&q));
    ck_assert_int_eq(take(), 3);
    from_backend_give(&q, &burst, 3);
    ck_assert(!from_backend_arm(&q));
    ck_assert_uint_eq(guest->rx->rsp_event, 4);
}
END_TEST

START_TEST(bad_slots_drop_their_packet_only)
{
    static const struct {
        uint16_t offset;
        int16_t status;
        enum from_backend_drop why;
    } bad[] = {
        { 0, NETIF_RSP_ERROR, FROM_BACKEND_DROP_STATUS },
        { 0, -32768, FROM_BACKEND_DROP_STATUS },
        { 1, 4096, FROM_BACKEND_DROP_BOUNDS },
        { 4097, 0, FROM_BACKEND_DROP_BOUNDS },
        { 65535, 32767, FROM_BACKEND_DROP_BOUNDS },
        { 0, 0, FROM_BACKEND_DROP_SIZE },
        { 0, 13, FROM_BACKEND_DROP_SIZE },
    };

    answer(0, 60, 0);
    answer(1, bad[_i].status, 0);
    response(1)->offset = bad[_i].offset;
    answer(2, 61, 0);
    guest->rx->rsp_prod = 3;
    ck_assert_int_eq(take(), 3);
    ck_assert_int_eq(burst.packets[0].drop, FROM_BACKEND_KEEP);
    ck_assert_int_eq(burst.packets[1].drop, bad[_i].why);
    ck_assert_int_eq(burst.packets[2].drop, FROM_BACKEND_KEEP);
    ck_assert_uint_eq(burst.packets[2].size, 61);
}
END_TEST

START_TEST(more_than_64_kib)
{
    for (unsigned int i = 0; i < 17; i++) {
        answer(i, 4096, i < 16 ? NETRXF_more_data : 0);
    }
    guest->rx->rsp_prod = 17;
    ck_assert_int_eq(take(), 1);
    ck_assert_int_eq(burst.packets[0].drop, FROM_BACKEND_DROP_SIZE);
}
END_TEST

/* XSA-396: the producer index of a backend that lies. */
START_TEST(xsa396_response_index)
{
    guest->rx->rsp_prod = BUFFERS + 1;
    ck_assert_int_eq(take(), -EPROTO);
    ck_assert_int_eq(q.fault, FROM_BACKEND_INDEX);
    guest->rx->rsp_prod = 0;            /* a broken ring stays broken */
    ck_assert_int_eq(take(), -EPROTO);
    start(32);
    guest->rx->rsp_prod = 33;           /* more than there are buffers */
    ck_assert_int_eq(take(), -EPROTO);
    start(BUFFERS);
    guest->rx->rsp_prod = 0xffffffffu;
    ck_assert_int_eq(take(), -EPROTO);
}
END_TEST

/* An id that is not the slot's never chooses a buffer. */
START_TEST(xsa396_response_id)
{
    answer(0, 60, 0);
    answer(1, 60, 0);
    response(1)->id = _i == 0 ? 0xffff : 0;
    guest->rx->rsp_prod = 2;
    ck_assert_int_eq(take(), -EPROTO);
    ck_assert_int_eq(q.fault, FROM_BACKEND_ID);
}
END_TEST

START_TEST(endless_chain)
{
    for (unsigned int i = 0; i < BUFFERS; i++) {
        answer(i, 1, NETRXF_more_data);
    }
    guest->rx->rsp_prod = BUFFERS;
    ck_assert_int_eq(take(), -EPROTO);
    ck_assert_int_eq(q.fault, FROM_BACKEND_TOO_LONG);
}
END_TEST

START_TEST(extra_infos)
{
    netif_extra_info_t extra = { .type = (uint8_t)_i };

    extra.flags = _i == XEN_NETIF_EXTRA_TYPE_MCAST_ADD ?
                  XEN_NETIF_EXTRA_FLAG_MORE : 0;
    answer(0, 60, NETRXF_extra_info);
    memcpy(response(1), &extra, sizeof(extra));
    memcpy(response(2), &extra, sizeof(extra));
    guest->rx->rsp_prod = 3;
    if (_i == XEN_NETIF_EXTRA_TYPE_NONE || _i >= XEN_NETIF_EXTRA_TYPE_MAX ||
        extra.flags != 0) {             /* the last: the same type twice */
        ck_assert_int_eq(take(), -EPROTO);
        ck_assert_int_eq(q.fault, FROM_BACKEND_EXTRA_TYPE);
        return;
    }
    answer(2, 60, 0);
    ck_assert_int_eq(take(), 2);
    ck_assert_uint_eq(burst.packets[0].slot_count, 2);
    /* Its size is 0. */
    ck_assert_int_eq(burst.packets[0].drop, _i == XEN_NETIF_EXTRA_TYPE_GSO ?
                     FROM_BACKEND_DROP_GSO : FROM_BACKEND_KEEP);
    ck_assert(burst.packets[0].has_hash ==
              (_i == XEN_NETIF_EXTRA_TYPE_HASH));
}
END_TEST

/* XSA-155, the other way round: the slots change after they were taken. */
START_TEST(xsa155_double_fetch)
{
    ck_assert_int_eq(deliver(100, 2, 0), 2);
    ck_assert_int_eq(take(), 2);
    memset(response(0), 0xff, 2 * sizeof(*response(0)));
    guest->rx->rsp_prod = 200;
    ck_assert_uint_eq(collect(0), 100);
    from_backend_give(&q, &burst, 2);
    ck_assert_uint_eq(q.rsp_cons, 2);
    ck_assert_uint_eq(guest->rx->req_prod, BUFFERS + 2);
}
END_TEST

START_TEST(indices_wrap)
{
    const RING_IDX at = 0xffffff00u;

    q.rsp_cons = at;
    guest->rx->rsp_prod = guest->rx->req_event = at;
    guest->rx->req_prod = at + BUFFERS;
    ck_assert_int_eq(to_guest_init(&to, guest->rx), 0);
    for (unsigned int round = 0; round < 40; round++) {
        ck_assert_int_eq(deliver(100 + round, 50, 0), 50);
        ck_assert_int_eq(take(), 50);
        ck_assert_uint_eq(collect(49), 100 + round);
        from_backend_give(&q, &burst, 50);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("from_backend");
    TCase *tcase = unit_case(suite, "from_backend");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, packets_of_all_sizes);
    tcase_add_test(tcase, buffers_are_given_in_one_store);
    tcase_add_test(tcase, a_part_of_a_burst);
    tcase_add_test(tcase, few_buffers);
    tcase_add_test(tcase, a_packet_in_two_halves);
    tcase_add_test(tcase, arm_asks_for_the_next_response);
    tcase_add_loop_test(tcase, bad_slots_drop_their_packet_only, 0, 7);
    tcase_add_test(tcase, more_than_64_kib);
    tcase_add_test(tcase, xsa396_response_index);
    tcase_add_loop_test(tcase, xsa396_response_id, 0, 2);
    tcase_add_test(tcase, endless_chain);
    tcase_add_loop_test(tcase, extra_infos, 0, 7);
    tcase_add_test(tcase, xsa155_double_fetch);
    tcase_add_test(tcase, indices_wrap);
    return unit_run(suite);
}
