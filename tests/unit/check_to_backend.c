/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * to_backend: packets to our own backend, from_guest, and to one that lies
 * about its indices and its ids.
 */
#include <errno.h>
#include <string.h>

#include "netback/from_guest.h"
#include "netback/to_backend.h"
#include "tests/fake/guest.h"
#include "unit.h"

#define DATA_SIZE 65536u
#define BUFFERS TO_BACKEND_RING_SIZE

static struct fake_guest *guest;        /* its pages are the buffers */
static grant_ref_t refs[BUFFERS];
static struct to_backend q;
static struct from_guest from;
static struct from_guest_burst burst;
static uint8_t *data, *got;
static struct to_backend_span span;
static struct to_backend_packet packet;

static void start(uint16_t buffers)
{
    const struct backend_buffers all = { guest->pages[0], refs, buffers };

    to_backend_init(&q, guest->tx, &all);
    ck_assert_int_eq(from_guest_init(&from, guest->tx), 0);
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
    span = (struct to_backend_span){ data, 64 };
    packet = (struct to_backend_packet){ .spans = &span, .span_count = 1 };
    burst.offered_gso = 1u << XEN_NETIF_GSO_TYPE_TCPV4;
    start(BUFFERS);
}

static void teardown(void)
{
    fake_guest_destroy(guest);
    free(data);
    free(got);
}

/* The backend's burst; packet 0 goes to got, all are answered by status. */
static int serve(int16_t status)
{
    struct from_guest_span room = { got, DATA_SIZE };
    int count = from_guest_take(&from, &burst, FROM_GUEST_BURST);

    if (count > 0) {
        count = from_guest_parse(&burst);
    }
    if (count <= 0) {
        return count;
    }
    ck_assert_int_eq(from_guest_plan(&burst, 0, &room, 1), 0);
    access_copy(&guest->access, ACCESS_FROM_GUEST, burst.copies,
                burst.copy_count);
    from_guest_settle(&burst);
    for (int i = 0; i < count; i++) {
        ck_assert_int_eq(burst.packets[i].status, NETIF_RSP_OKAY);
        burst.packets[i].status = status;
    }
    from_guest_respond(&from, &burst);
    return count;
}

static netif_tx_response_t *response(RING_IDX index)
{
    union netif_tx_sring_entry *entries = guest->tx->ring;

    return &entries[index % TO_BACKEND_RING_SIZE].rsp;
}

START_TEST(packets_of_all_sizes)
{
    for (uint32_t size = 14; size <= TO_BACKEND_SIZE_MAX; size += 211) {
        span.size = size;
        packet.gso_size = size % 3 == 0 ? 1448 : 0;
        packet.gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
        packet.flags = NETTXF_csum_blank | NETTXF_data_validated;
        ck_assert_int_eq(to_backend_put(&q, &packet), 0);
        ck_assert(to_backend_push(&q) == (size == 14));
        ck_assert_int_eq(serve(NETIF_RSP_OKAY), 1);
        ck_assert_uint_eq(burst.packets[0].size, size);
        ck_assert_uint_eq(burst.packets[0].gso_size, packet.gso_size);
        ck_assert_uint_eq(burst.packets[0].flags & 3, 3);
        ck_assert_mem_eq(got, data, size);
        ck_assert_int_eq(to_backend_reap(&q), 0);
        ck_assert_uint_eq(q.free_count, BUFFERS);
    }
    ck_assert_uint_eq(q.errors, 0);
}
END_TEST

/*
 * XSA-403: Linux's frontend granted whole pages of which it had filled a
 * part, and the backend could read what else was in them.  Ours hold nothing
 * but packets.
 */
START_TEST(xsa403_no_remainder)
{
    uint32_t most = 0;

    for (uint32_t size = 14; size <= 2 * ACCESS_PAGE_SIZE; size += 97) {
        span.size = size;
        ck_assert_int_eq(to_backend_put(&q, &packet), 0);
        (void)to_backend_push(&q);
        ck_assert_int_eq(serve(NETIF_RSP_OKAY), 1);
        ck_assert_int_eq(to_backend_reap(&q), 0);
        most += size;
    }
    for (unsigned int page = 0; page < FAKE_GUEST_PAGES; page++) {
        for (unsigned int i = 0; i < ACCESS_PAGE_SIZE; i++) {
            most -= guest->pages[page][i] != 0;
        }
    }
    ck_assert_int_ge((int32_t)most, 0);     /* no byte but what was sent */
}
END_TEST

START_TEST(spans_are_joined)
{
    struct to_backend_span parts[] = {
        { data, 3000 }, { NULL, 0 }, { data + 3000, 1 },
        { data + 3001, 6000 }, { NULL, 0 },
    };

    packet.spans = parts;
    packet.span_count = 5;
    ck_assert_int_eq(to_backend_put(&q, &packet), 0);
    ck_assert(to_backend_push(&q));
    ck_assert_int_eq(serve(NETIF_RSP_OKAY), 1);
    ck_assert_uint_eq(burst.packets[0].size, 9001);
    ck_assert_mem_eq(got, data, 9001);
}
END_TEST

/* One store and at most one event, however many packets. */
START_TEST(a_burst_is_one_push)
{
    for (unsigned int i = 0; i < 40; i++) {
        ck_assert_int_eq(to_backend_put(&q, &packet), 0);
        ck_assert_uint_eq(guest->tx->req_prod, 0);
    }
    guest->tx->req_event = 17;
    ck_assert(to_backend_push(&q));
    ck_assert_uint_eq(guest->tx->req_prod, 40);
    ck_assert(!to_backend_push(&q));
    ck_assert_int_eq(serve(NETIF_RSP_OKAY), 40);
}
END_TEST

START_TEST(no_room_and_room_again)
{
    for (unsigned int i = 0; i < BUFFERS; i++) {
        ck_assert_int_eq(to_backend_put(&q, &packet), 0);
    }
    ck_assert_int_eq(to_backend_put(&q, &packet), -ENOBUFS);
    to_backend_push(&q);
    ck_assert_int_eq(to_backend_reap(&q), 0);
    ck_assert_int_eq(to_backend_put(&q, &packet), -ENOBUFS);
    ck_assert_int_eq(serve(NETIF_RSP_OKAY), FROM_GUEST_BURST);
    ck_assert_int_eq(to_backend_reap(&q), 0);
    for (unsigned int i = 0; i < FROM_GUEST_BURST; i++) {
        ck_assert_int_eq(to_backend_put(&q, &packet), 0);
    }
    ck_assert_int_eq(to_backend_put(&q, &packet), -ENOBUFS);
}
END_TEST

/* Extra infos take slots but no buffers: the ring may be full first. */
START_TEST(extras_fill_the_ring)
{
    packet.gso_size = 1448;
    packet.gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
    for (unsigned int i = 0; i < TO_BACKEND_RING_SIZE / 2; i++) {
        ck_assert_int_eq(to_backend_put(&q, &packet), 0);
    }
    ck_assert_uint_eq(q.free_count, BUFFERS / 2);
    ck_assert_int_eq(to_backend_put(&q, &packet), -ENOBUFS);
    ck_assert_uint_eq(q.req_prod, TO_BACKEND_RING_SIZE);
}
END_TEST

START_TEST(few_buffers)
{
    start(TO_BACKEND_BUFFERS_MIN);
    for (unsigned int round = 0; round < 100; round++) {
        span.size = TO_BACKEND_SIZE_MAX;
        ck_assert_int_eq(to_backend_put(&q, &packet), 0);
        ck_assert_int_eq(to_backend_put(&q, &packet), 0);
        ck_assert_int_eq(to_backend_put(&q, &packet), -ENOBUFS);
        to_backend_push(&q);
        ck_assert_int_eq(serve(NETIF_RSP_OKAY), 2);
        ck_assert_mem_eq(got, data, span.size);
        ck_assert_int_eq(to_backend_reap(&q), 0);
    }
}
END_TEST

START_TEST(sizes_out_of_range)
{
    struct to_backend_span huge[] = {
        { data, 65535 }, { data, 0xffffffffu }, { data, 2 },
    };

    packet.span_count = 0;
    ck_assert_int_eq(to_backend_put(&q, &packet), -EMSGSIZE);
    packet.spans = huge;
    packet.span_count = 3;
    ck_assert_int_eq(to_backend_put(&q, &packet), -EMSGSIZE);
    packet.span_count = 1;
    q.linear = true;
    ck_assert_int_eq(to_backend_put(&q, &packet), -EMSGSIZE);
    huge[0].size = 4097;
    ck_assert_int_eq(to_backend_put(&q, &packet), -EMSGSIZE);
    huge[0].size = 4096;
    ck_assert_int_eq(to_backend_put(&q, &packet), 0);
    ck_assert_uint_eq(q.req_prod, 1);
}
END_TEST

START_TEST(errors_are_counted)
{
    ck_assert_int_eq(to_backend_put(&q, &packet), 0);
    to_backend_push(&q);
    ck_assert_int_eq(serve(NETIF_RSP_DROPPED), 1);
    ck_assert_int_eq(to_backend_reap(&q), 0);
    ck_assert_uint_eq(q.errors, 1);
    ck_assert_uint_eq(q.free_count, BUFFERS);
}
END_TEST

/* Responses in another order than the requests, as zero-copy backends do. */
START_TEST(any_order)
{
    uint16_t ids[8];

    for (unsigned int i = 0; i < 8; i++) {
        ck_assert_int_eq(to_backend_put(&q, &packet), 0);
        ids[i] = ((netif_tx_request_t *)response(i))->id;
    }
    to_backend_push(&q);
    for (unsigned int i = 0; i < 8; i++) {
        *response(i) = (netif_tx_response_t){ .id = ids[i * 3 % 8] };
    }
    guest->tx->rsp_prod = 8;
    ck_assert_int_eq(to_backend_reap(&q), 0);
    ck_assert_uint_eq(q.free_count, BUFFERS);
}
END_TEST

/*
 * XSA-396 and its kin: frontends that believed a backend's indices and ids
 * could be made to free or overwrite what was not theirs.
 */
START_TEST(xsa396_response_index)
{
    ck_assert_int_eq(to_backend_put(&q, &packet), 0);
    guest->tx->rsp_prod = 1;            /* before it was published */
    ck_assert_int_eq(to_backend_reap(&q), -EPROTO);
    ck_assert_int_eq(q.fault, TO_BACKEND_INDEX);
    guest->tx->rsp_prod = 0;            /* a broken ring stays broken */
    ck_assert_int_eq(to_backend_reap(&q), -EPROTO);
    start(BUFFERS);
    guest->tx->rsp_prod = 0xffffffffu;
    ck_assert_int_eq(to_backend_reap(&q), -EPROTO);
}
END_TEST

START_TEST(xsa396_response_ids)
{
    static const struct {
        uint16_t id;
        int16_t status;
    } bad[] = {
        { BUFFERS, NETIF_RSP_OKAY },    /* out of range */
        { 0xffff, NETIF_RSP_ERROR },
        { 77, NETIF_RSP_OKAY },         /* not pending */
        { 0, NETIF_RSP_NULL },          /* there was no extra info */
    };

    start(BUFFERS);
    ck_assert_int_eq(to_backend_put(&q, &packet), 0);
    to_backend_push(&q);
    *response(0) = (netif_tx_response_t){ bad[_i].id, bad[_i].status };
    guest->tx->rsp_prod = 1;
    ck_assert_int_eq(to_backend_reap(&q), -EPROTO);
    ck_assert_int_eq(q.fault, TO_BACKEND_ID);
    ck_assert_uint_eq(q.free_count, BUFFERS - 1);
}
END_TEST

/* The same buffer freed twice would be written while it is pending. */
START_TEST(xsa396_answered_twice)
{
    uint16_t id;

    ck_assert_int_eq(to_backend_put(&q, &packet), 0);
    ck_assert_int_eq(to_backend_put(&q, &packet), 0);
    to_backend_push(&q);
    id = ((netif_tx_request_t *)response(0))->id;
    *response(0) = *response(1) = (netif_tx_response_t){ .id = id };
    guest->tx->rsp_prod = 2;
    ck_assert_int_eq(to_backend_reap(&q), -EPROTO);
    ck_assert_uint_eq(q.free_count, BUFFERS - 1);
}
END_TEST

START_TEST(indices_wrap)
{
    q.req_prod = q.req_pushed = q.rsp_cons = 0xffffff00u;
    guest->tx->req_prod = guest->tx->rsp_prod = 0xffffff00u;
    guest->tx->req_event = 0xffffff01u;
    ck_assert_int_eq(from_guest_init(&from, guest->tx), 0);
    for (unsigned int round = 0; round < 40; round++) {
        for (unsigned int i = 0; i < 50; i++) {
            ck_assert_int_eq(to_backend_put(&q, &packet), 0);
        }
        to_backend_push(&q);
        ck_assert_int_eq(serve(NETIF_RSP_OKAY), 50);
        ck_assert_int_eq(to_backend_reap(&q), 0);
        ck_assert_uint_eq(q.free_count, BUFFERS);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("to_backend");
    TCase *tcase = unit_case(suite, "to_backend");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, packets_of_all_sizes);
    tcase_add_test(tcase, xsa403_no_remainder);
    tcase_add_test(tcase, spans_are_joined);
    tcase_add_test(tcase, a_burst_is_one_push);
    tcase_add_test(tcase, no_room_and_room_again);
    tcase_add_test(tcase, extras_fill_the_ring);
    tcase_add_test(tcase, few_buffers);
    tcase_add_test(tcase, sizes_out_of_range);
    tcase_add_test(tcase, errors_are_counted);
    tcase_add_test(tcase, any_order);
    tcase_add_test(tcase, xsa396_response_index);
    tcase_add_loop_test(tcase, xsa396_response_ids, 0, 4);
    tcase_add_test(tcase, xsa396_answered_twice);
    tcase_add_test(tcase, indices_wrap);
    return unit_run(suite);
}
