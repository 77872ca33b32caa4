/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * to_guest: packets into the buffers of a guest that may stall, lie about
 * its indices, or grant nothing.
 */
#include <errno.h>
#include <string.h>

#include "netback/to_guest.h"
#include "tests/fake/guest.h"
#include "unit.h"

#define DATA_SIZE 65536u

static struct fake_guest *guest;
static struct to_guest q;
static struct to_guest_burst burst;
static uint8_t *data;
static struct to_guest_span spans[TO_GUEST_BURST];
static struct to_guest_packet packets[TO_GUEST_BURST];

static void setup(void)
{
    guest = fake_guest_create();
    ck_assert_int_eq(to_guest_init(&q, guest->rx), 0);
    memset(packets, 0, sizeof(packets));
    data = malloc(DATA_SIZE);
    for (unsigned int i = 0; i < DATA_SIZE; i++) {
        data[i] = (uint8_t)(i * 31 + i / 255);
    }
    for (unsigned int i = 0; i < TO_GUEST_BURST; i++) {
        spans[i] = (struct to_guest_span){ data + i, 64 + i };
        packets[i].spans = &spans[i];
        packets[i].span_count = 1;
    }
}

static void teardown(void)
{
    fake_guest_destroy(guest);
    free(data);
}

static void give(unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        fake_guest_give(guest, i);
    }
    fake_guest_push_rx(guest);
}

/* take, copy, respond; returns take's result. */
static int deliver(unsigned int count, bool *kick)
{
    int sent = to_guest_take(&q, &burst, packets, count);

    if (sent >= 0) {
        access_copy(&guest->access, ACCESS_TO_GUEST, burst.copies,
                    burst.copy_count);
        *kick = to_guest_respond(&q, &burst);
    }
    return sent;
}

static int send(unsigned int count)
{
    bool kick;

    return deliver(count, &kick);
}

static void assert_response(uint16_t id, uint16_t flags, int16_t status)
{
    netif_rx_response_t response;

    ck_assert(fake_guest_get_rx(guest, &response));
    ck_assert_uint_eq(response.id, id);
    ck_assert_uint_eq(response.offset, 0);
    ck_assert_uint_eq(response.flags, flags);
    ck_assert_int_eq(response.status, status);
}

START_TEST(one_packet)
{
    bool kick;

    give(2);
    packets[0].flags = NETRXF_data_validated;
    ck_assert_int_eq(deliver(1, &kick), 1);
    ck_assert(kick);
    assert_response(0, NETRXF_data_validated, 64);
    ck_assert_mem_eq(guest->pages[0], data, 64);
    ck_assert_uint_eq(guest->rx->rsp_prod, 1);
}
END_TEST

START_TEST(whole_burst_is_one_batch)
{
    give(40);
    ck_assert_int_eq(send(32), 32);
    ck_assert_uint_eq(guest->batches, 1);
    for (unsigned int i = 0; i < 32; i++) {
        assert_response(i, 0, 64 + i);
        ck_assert_mem_eq(guest->pages[i], data + i, 64 + i);
    }
}
END_TEST

START_TEST(large_packet_is_chained)
{
    struct to_guest_span parts[] = {
        { data, 3000 }, { data + 3000, 3000 }, { data + 6000, 3001 },
    };

    packets[0].spans = parts;
    packets[0].span_count = 3;
    packets[0].flags = NETRXF_csum_blank | NETRXF_data_validated;
    give(4);
    ck_assert_int_eq(send(2), 2);
    assert_response(0, packets[0].flags | NETRXF_more_data, 4096);
    assert_response(1, NETRXF_more_data, 4096);
    assert_response(2, 0, 9001 - 8192);
    assert_response(3, 0, 65);
    ck_assert_mem_eq(guest->pages[0], data, 4096);
    ck_assert_mem_eq(guest->pages[1], data + 4096, 4096);
    ck_assert_mem_eq(guest->pages[2], data + 8192, 9001 - 8192);
}
END_TEST

START_TEST(gso_has_its_extra)
{
    netif_extra_info_t extra;
    netif_rx_response_t response;

    spans[0].size = 5000;
    packets[0].gso_size = 1448;
    packets[0].gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
    packets[0].flags = NETRXF_csum_blank;
    give(3);
    ck_assert_int_eq(send(1), 1);
    assert_response(0, NETRXF_csum_blank | NETRXF_extra_info |
                    NETRXF_more_data, 4096);
    ck_assert(fake_guest_get_rx(guest, &response));
    memcpy(&extra, &response, sizeof(extra));
    ck_assert_uint_eq(extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
    ck_assert_uint_eq(extra.flags, 0);
    ck_assert_uint_eq(extra.u.gso.size, 1448);
    ck_assert_uint_eq(extra.u.gso.type, XEN_NETIF_GSO_TYPE_TCPV4);
    assert_response(2, 0, 904);
}
END_TEST

/* netif.h: extra infos in a row, and the value's least byte first. */
START_TEST(hash_has_its_extra)
{
    bool is_large = _i == 1;
    netif_extra_info_t extra;
    netif_rx_response_t response;

    spans[0].size = is_large ? 5000 : 64;
    packets[0].gso_size = is_large ? 1448 : 0;
    packets[0].gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
    packets[0].has_hash = true;
    packets[0].hash.value = 0x12345678;
    packets[0].hash.type = _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP;
    q.linear = !is_large;       /* a linear guest has extra slots, too */
    give(4);
    ck_assert_int_eq(send(1), 1);
    assert_response(0, NETRXF_extra_info | (is_large ? NETRXF_more_data : 0),
                    is_large ? 4096 : 64);
    ck_assert(fake_guest_get_rx(guest, &response));
    memcpy(&extra, &response, sizeof(extra));
    if (is_large) {
        ck_assert_uint_eq(extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
        ck_assert_uint_eq(extra.flags, XEN_NETIF_EXTRA_FLAG_MORE);
        ck_assert(fake_guest_get_rx(guest, &response));
        memcpy(&extra, &response, sizeof(extra));
    }
    ck_assert_uint_eq(extra.type, XEN_NETIF_EXTRA_TYPE_HASH);
    ck_assert_uint_eq(extra.flags, 0);
    ck_assert_uint_eq(extra.u.hash.type, _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP);
    ck_assert_uint_eq(extra.u.hash.algorithm,
                      XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ);
    ck_assert_mem_eq(extra.u.hash.value, "\x78\x56\x34\x12", 4);
    if (is_large) {
        assert_response(3, 0, 904);
    }
    ck_assert(!fake_guest_get_rx(guest, &response));
}
END_TEST

START_TEST(failed_hash_keeps_its_extras)
{
    netif_extra_info_t extra;
    netif_rx_response_t response;

    spans[0].size = 5000;
    packets[0].gso_size = 1448;
    packets[0].gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
    packets[0].has_hash = true;
    give(4);
    guest->refuse[3] = GNTST_bad_page;
    ck_assert_int_eq(send(1), 1);
    ck_assert_uint_eq(packets[0].drop, TO_GUEST_DROP_COPY);
    assert_response(0, NETRXF_extra_info | NETRXF_more_data,
                    NETIF_RSP_ERROR);
    for (uint8_t type = XEN_NETIF_EXTRA_TYPE_GSO;
         type <= XEN_NETIF_EXTRA_TYPE_HASH; type += 3) {
        ck_assert(fake_guest_get_rx(guest, &response));
        memcpy(&extra, &response, sizeof(extra));
        ck_assert_uint_eq(extra.type, type);
    }
    assert_response(3, 0, NETIF_RSP_ERROR);
}
END_TEST

/*
 * Packets of one slot go a short way up to the first of a burst that is
 * something else, and after it: nothing tells where that one was.  Packet 5
 * finds no buffer, whatever came before.
 */
START_TEST(others_among_single_packets)
{
    const unsigned int place = (unsigned int)_i % 5;
    const bool is_empty = _i >= 5;
    unsigned int page = 0;

    spans[place].size = is_empty ? 0 : 4096 + 50;
    give(is_empty ? 4 : 6);
    ck_assert_int_eq(send(6), 5);
    for (unsigned int i = 0; i < 5; i++) {
        if (i == place && is_empty) {
            ck_assert_uint_eq(packets[i].drop, TO_GUEST_DROP_SIZE);
            continue;
        }
        ck_assert_uint_eq(packets[i].drop, TO_GUEST_KEEP);
        if (i == place) {
            assert_response((uint16_t)page, NETRXF_more_data, 4096);
            ck_assert_mem_eq(guest->pages[page], data + i, 4096);
            page++;
            assert_response((uint16_t)page, 0, 50);
            ck_assert_mem_eq(guest->pages[page], data + i + 4096, 50);
        } else {
            assert_response((uint16_t)page, 0, (int16_t)(64 + i));
            ck_assert_mem_eq(guest->pages[page], data + i, 64 + i);
        }
        page++;
    }
    ck_assert_uint_eq(guest->rx->rsp_prod, is_empty ? 4 : 6);
}
END_TEST

/* One packet more than the guest has buffers for is not begun. */
START_TEST(packets_are_never_cut)
{
    spans[1].size = 4097;
    give(2);
    ck_assert_int_eq(send(2), 1);
    assert_response(0, 0, 64);
    ck_assert_uint_eq(guest->rx->rsp_prod, 1);
}
END_TEST

/*
 * XSA-391 and XSA-392: a guest that gives no buffers makes the backend hold
 * its packets.  Ours takes none, and the state has no place to hold any.
 */
START_TEST(xsa392_stalled_guest)
{
    struct to_guest before = q;

    for (unsigned int i = 0; i < 1000; i++) {
        ck_assert_int_eq(send(TO_GUEST_BURST), 0);
    }
    ck_assert_mem_eq(&before, &q, sizeof(q));
    ck_assert_uint_eq(guest->copies, 0);
    ck_assert_uint_eq(guest->rx->rsp_prod, 0);
    give(1);
    ck_assert_int_eq(send(TO_GUEST_BURST), 1);
}
END_TEST

/* XSA-332, the other way round: one event a burst at most. */
START_TEST(xsa332_one_event_a_burst)
{
    bool kick;

    give(100);
    guest->rx->rsp_event = 20;
    ck_assert_int_eq(deliver(10, &kick), 10);
    ck_assert(!kick);
    ck_assert_int_eq(deliver(10, &kick), 10);
    ck_assert(kick);
    ck_assert_int_eq(deliver(10, &kick), 10);
    ck_assert(!kick);
    ck_assert_int_eq(deliver(0, &kick), 0);
    ck_assert(!kick);
    ck_assert_uint_eq(guest->rx->req_event, 1);
}
END_TEST

/* XSA-155: the request is changed behind our back. */
START_TEST(xsa155_double_fetch)
{
    give(1);
    ck_assert_int_eq(to_guest_take(&q, &burst, packets, 1), 1);
    memset(&guest->rx->ring[0], 0xff, sizeof(guest->rx->ring[0]));
    guest->rx->req_prod = 77;
    access_copy(&guest->access, ACCESS_TO_GUEST, burst.copies,
                burst.copy_count);
    to_guest_respond(&q, &burst);
    assert_response(0, 0, 64);
    ck_assert_mem_eq(guest->pages[0], data, 64);
}
END_TEST

START_TEST(xsa39_index_jump)
{
    guest->rx->req_prod = TO_GUEST_RING_SIZE + 1;
    ck_assert_int_eq(send(1), -EPROTO);
    ck_assert_int_eq(q.fault, TO_GUEST_INDEX);
    guest->rx->req_prod = 1;
    ck_assert_int_eq(send(1), -EPROTO);
    ck_assert_int_eq(to_guest_room(&q), -EPROTO);
    ck_assert_int_eq(to_guest_init(&q, guest->rx), 0);
    ck_assert_int_eq(to_guest_room(&q), 1);
}
END_TEST

START_TEST(init_refuses_a_lying_ring)
{
    guest->rx->req_prod = 0x7fffffff;
    ck_assert_int_eq(to_guest_init(&q, guest->rx), -EPROTO);
}
END_TEST

/* XSA-362 and XSA-365: the grant fails; the packet is an error, no more. */
START_TEST(xsa362_grant_status)
{
    give(5);
    spans[1].size = 9000;
    guest->refuse[2] = _i == 0 ? GNTST_bad_gntref : _i;
    ck_assert_int_eq(send(3), 3);
    ck_assert_int_eq(packets[0].drop, TO_GUEST_KEEP);
    ck_assert_int_eq(packets[1].drop, TO_GUEST_DROP_COPY);
    ck_assert_int_eq(packets[2].drop, TO_GUEST_KEEP);
    assert_response(0, 0, 64);
    assert_response(1, NETRXF_more_data, NETIF_RSP_ERROR);
    assert_response(2, NETRXF_more_data, NETIF_RSP_ERROR);
    assert_response(3, 0, NETIF_RSP_ERROR);
    assert_response(4, 0, 66);
}
END_TEST

START_TEST(read_only_grant)
{
    give(1);
    guest->read_only[0] = true;
    ck_assert_int_eq(send(1), 1);
    ck_assert_int_eq(packets[0].drop, TO_GUEST_DROP_COPY);
    assert_response(0, 0, NETIF_RSP_ERROR);
}
END_TEST

START_TEST(failed_gso_keeps_its_extra)
{
    netif_rx_response_t response;
    netif_extra_info_t extra;

    spans[0].size = 5000;
    packets[0].gso_size = 1448;
    packets[0].gso_type = XEN_NETIF_GSO_TYPE_TCPV6;
    give(3);
    guest->refuse[0] = GNTST_bad_gntref;
    ck_assert_int_eq(send(1), 1);
    assert_response(0, NETRXF_extra_info | NETRXF_more_data,
                    NETIF_RSP_ERROR);
    ck_assert(fake_guest_get_rx(guest, &response));
    memcpy(&extra, &response, sizeof(extra));
    ck_assert_uint_eq(extra.type, XEN_NETIF_EXTRA_TYPE_GSO);
    assert_response(2, 0, NETIF_RSP_ERROR);
}
END_TEST

/* XSA-403: neither a page's remainder nor a slot's bytes leak or change. */
START_TEST(xsa403_no_remainder)
{
    netif_rx_response_t response;

    memset(guest->pages[0], 0xee, ACCESS_PAGE_SIZE);
    give(1);
    memset(&burst, 0xaa, sizeof(burst));
    ck_assert_int_eq(send(1), 1);
    for (unsigned int i = 64; i < ACCESS_PAGE_SIZE; i++) {
        ck_assert_uint_eq(guest->pages[0][i], 0xee);
    }
    ck_assert(fake_guest_get_rx(guest, &response));
    ck_assert_mem_eq(&response, &((netif_rx_response_t){ .status = 64 }), 8);
}
END_TEST

START_TEST(sizes_out_of_range)
{
    struct to_guest_span huge[] = {
        { data, 65535 }, { data, 0xffffffffu }, { data, 2 },
    };

    give(64);
    packets[0].span_count = 0;
    packets[1].spans = huge;
    packets[1].span_count = 3;
    packets[2].spans = huge;
    packets[2].span_count = 1;
    ck_assert_int_eq(send(4), 4);
    ck_assert_int_eq(packets[0].drop, TO_GUEST_DROP_SIZE);
    ck_assert_int_eq(packets[1].drop, TO_GUEST_DROP_SIZE);
    ck_assert_int_eq(packets[2].drop, TO_GUEST_KEEP);
    ck_assert_uint_eq(guest->rx->rsp_prod, 17);
}
END_TEST

/* A guest without scatter-gather takes one buffer a packet. */
START_TEST(linear_guest)
{
    q.linear = true;
    give(10);
    spans[0].size = 4097;
    spans[1].size = 4096;
    ck_assert_int_eq(send(2), 2);
    ck_assert_int_eq(packets[0].drop, TO_GUEST_DROP_SIZE);
    ck_assert_int_eq(packets[1].drop, TO_GUEST_KEEP);
    assert_response(0, 0, 4096);
}
END_TEST

START_TEST(unknown_flags_are_not_passed)
{
    packets[0].flags = 0xffff;
    give(1);
    ck_assert_int_eq(send(1), 1);
    assert_response(0, NETRXF_csum_blank | NETRXF_data_validated, 64);
}
END_TEST

/* Many tiny spans use up the copies before they use up the ring. */
START_TEST(copies_are_bounded)
{
    static struct to_guest_span tiny[600];

    for (unsigned int i = 0; i < 600; i++) {
        tiny[i] = (struct to_guest_span){ data + i, i % 2 };
    }
    for (unsigned int i = 0; i < 3; i++) {
        packets[i].spans = tiny;
        packets[i].span_count = 600;
    }
    give(64);
    ck_assert_int_eq(send(3), 2);
    ck_assert_int_eq(send(1), 1);
    assert_response(0, 0, 300);
    ck_assert_uint_eq(guest->pages[0][0], data[1]);
    ck_assert_uint_eq(guest->pages[0][299], data[599]);
}
END_TEST

START_TEST(indices_wrap)
{
    guest->rx->req_prod = guest->rx->rsp_prod = 0xfffffff0u;
    guest->rx_prod = guest->rx_cons = 0xfffffff0u;
    ck_assert_int_eq(to_guest_init(&q, guest->rx), 0);
    for (unsigned int round = 0; round < 20; round++) {
        give(64);
        ck_assert_int_eq(send(TO_GUEST_BURST), 64);
        for (unsigned int i = 0; i < 64; i++) {
            assert_response(i, 0, 64 + i);
        }
    }
    ck_assert(!to_guest_arm(&q));
    give(1);
    ck_assert(to_guest_arm(&q));
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_test(tcase, one_packet);
    tcase_add_test(tcase, whole_burst_is_one_batch);
    tcase_add_test(tcase, large_packet_is_chained);
    tcase_add_test(tcase, gso_has_its_extra);
    tcase_add_loop_test(tcase, hash_has_its_extra, 0, 2);
    tcase_add_test(tcase, failed_hash_keeps_its_extras);
    tcase_add_loop_test(tcase, others_among_single_packets, 0, 10);
    tcase_add_test(tcase, packets_are_never_cut);
    tcase_add_test(tcase, xsa392_stalled_guest);
    tcase_add_test(tcase, xsa332_one_event_a_burst);
    tcase_add_test(tcase, xsa155_double_fetch);
    tcase_add_test(tcase, xsa39_index_jump);
    tcase_add_test(tcase, init_refuses_a_lying_ring);
    tcase_add_loop_test(tcase, xsa362_grant_status, -12, 3);
    tcase_add_test(tcase, read_only_grant);
    tcase_add_test(tcase, failed_gso_keeps_its_extra);
    tcase_add_test(tcase, xsa403_no_remainder);
    tcase_add_test(tcase, sizes_out_of_range);
    tcase_add_test(tcase, linear_guest);
    tcase_add_test(tcase, unknown_flags_are_not_passed);
    tcase_add_test(tcase, copies_are_bounded);
    tcase_add_test(tcase, indices_wrap);
}

int main(void)
{
    Suite *suite = suite_create("to_guest");
    TCase *tcase = unit_case(suite, "to_guest");

    tcase_add_checked_fixture(tcase, setup, teardown);
    add_tests(tcase);
    return unit_run(suite);
}
