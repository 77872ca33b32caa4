/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * from_guest: each rule that a security advisory taught has a test of its
 * own, with the story in its comment.
 */
#include <errno.h>
#include <string.h>

#include "netback/from_guest.h"
#include "tests/fake/guest.h"
#include "unit.h"

#define BUFFER_SIZE 65536u

static struct fake_guest *guest;
static struct from_guest q;
static struct from_guest_burst burst;
static uint8_t *buffers[FROM_GUEST_BURST];

static void setup(void)
{
    guest = fake_guest_create();
    ck_assert_int_eq(from_guest_init(&q, guest->tx), 0);
    memset(&burst, 0, sizeof(burst));
    for (unsigned int i = 0; i < FROM_GUEST_BURST; i++) {
        buffers[i] = calloc(1, BUFFER_SIZE);
    }
    for (unsigned int page = 0; page < FAKE_GUEST_PAGES; page++) {
        for (unsigned int i = 0; i < ACCESS_PAGE_SIZE; i++) {
            guest->pages[page][i] = (uint8_t)(page * 7 + i * 13 + i / 256);
        }
    }
}

static void teardown(void)
{
    fake_guest_destroy(guest);
    for (unsigned int i = 0; i < FROM_GUEST_BURST; i++) {
        free(buffers[i]);
    }
}

/* take and parse; returns parse's result, or take's error. */
static int take_parse(unsigned int budget)
{
    int count = from_guest_take(&q, &burst, budget);

    return count < 0 ? count : from_guest_parse(&burst);
}

/* Plan every good packet into one large buffer, copy, settle. */
static void copy_all(void)
{
    for (unsigned int i = 0; i < burst.packet_count; i++) {
        struct from_guest_span span = { buffers[i], BUFFER_SIZE };

        if (burst.packets[i].status == NETIF_RSP_OKAY &&
            burst.packets[i].kind == FROM_GUEST_DATA) {
            ck_assert_int_eq(from_guest_plan(&burst, i, &span, 1), 0);
        }
    }
    access_copy(&guest->access, ACCESS_FROM_GUEST, burst.copies,
                burst.copy_count);
    from_guest_settle(&burst);
}

static int receive(unsigned int budget)
{
    int count = take_parse(budget);

    if (count > 0) {
        copy_all();
    }
    return count;
}

static void assert_response(uint16_t id, int16_t status)
{
    netif_tx_response_t response;

    ck_assert(fake_guest_get_tx(guest, &response));
    ck_assert_int_eq(response.status, status);
    if (status != NETIF_RSP_NULL) {
        ck_assert_uint_eq(response.id, id);
    }
}

static void assert_no_response(void)
{
    netif_tx_response_t response;

    ck_assert(!fake_guest_get_tx(guest, &response));
}

START_TEST(one_packet)
{
    fake_guest_send(guest, 3, 100, 60, NETTXF_csum_blank);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), 1);
    ck_assert_uint_eq(burst.packets[0].size, 60);
    ck_assert_uint_eq(burst.packets[0].flags, NETTXF_csum_blank);
    ck_assert_uint_eq(guest->batches, 1);
    ck_assert_mem_eq(buffers[0], guest->pages[3] + 100, 60);
    ck_assert_uint_eq(guest->tx->rsp_prod, 0);
    ck_assert(from_guest_respond(&q, &burst));
    assert_response(3, NETIF_RSP_OKAY);
    assert_no_response();
    ck_assert_int_eq(receive(32), 0);
}
END_TEST

START_TEST(whole_burst_is_one_batch)
{
    for (unsigned int i = 0; i < 40; i++) {
        fake_guest_send(guest, i, i, 64 + i, 0);
    }
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), 32);
    ck_assert_uint_eq(guest->batches, 1);
    ck_assert_uint_eq(guest->copies, 32);
    from_guest_respond(&q, &burst);
    ck_assert_uint_eq(guest->tx->rsp_prod, 32);
    ck_assert_int_eq(receive(32), 8);
    ck_assert_mem_eq(buffers[0], guest->pages[32] + 32, 96);
    from_guest_respond(&q, &burst);
    for (unsigned int i = 0; i < 40; i++) {
        assert_response(i, NETIF_RSP_OKAY);
    }
}
END_TEST

START_TEST(first_slot_has_the_total)
{
    /* netif.h: the first request's size is that of the whole packet. */
    fake_guest_send(guest, 0, 1000, 3000, NETTXF_more_data);
    fake_guest_send(guest, 1, 0, 1500, NETTXF_more_data);
    fake_guest_send(guest, 2, 8, 500, 0);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), 1);
    ck_assert_uint_eq(burst.packets[0].size, 3000);
    ck_assert_uint_eq(burst.packets[0].fragment_count, 3);
    ck_assert_mem_eq(buffers[0], guest->pages[0] + 1000, 1000);
    ck_assert_mem_eq(buffers[0] + 1000, guest->pages[1], 1500);
    ck_assert_mem_eq(buffers[0] + 2500, guest->pages[2] + 8, 500);
    from_guest_respond(&q, &burst);
    assert_response(0, NETIF_RSP_OKAY);
    assert_response(1, NETIF_RSP_OKAY);
    assert_response(2, NETIF_RSP_OKAY);
}
END_TEST

/*
 * XSA-155: the guest changes a request after it has been checked.  Nothing
 * after take may see the change.
 */
START_TEST(xsa155_double_fetch)
{
    netif_tx_request_t *shared = &guest->tx->ring[0].req;

    fake_guest_send(guest, 0, 0, 100, 0);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(from_guest_take(&q, &burst, 32), 1);
    memset(shared, 0xff, sizeof(*shared));
    ck_assert_int_eq(from_guest_parse(&burst), 1);
    memset(shared, 0xa5, sizeof(*shared));
    copy_all();
    memset(shared, 0x5a, sizeof(*shared));
    ck_assert_uint_eq(burst.packets[0].size, 100);
    ck_assert_mem_eq(buffers[0], guest->pages[0], 100);
    from_guest_respond(&q, &burst);
    assert_response(0, NETIF_RSP_OKAY);
}
END_TEST

/* As above for the index: a producer that moves on is seen next time. */
START_TEST(xsa155_index_read_once)
{
    fake_guest_send(guest, 0, 0, 100, 0);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(from_guest_take(&q, &burst, 32), 1);
    guest->tx->req_prod = 0x80000000u;
    ck_assert_int_eq(from_guest_parse(&burst), 1);
    copy_all();
    from_guest_respond(&q, &burst);
    ck_assert_uint_eq(guest->tx->rsp_prod, 1);
    ck_assert_int_eq(from_guest_take(&q, &burst, 32), -EPROTO);
}
END_TEST

/* XSA-39: a producer index that jumps must not make us walk garbage. */
START_TEST(xsa39_index_jump)
{
    guest->tx->req_prod = FROM_GUEST_RING_SIZE + 1;
    ck_assert_int_eq(from_guest_take(&q, &burst, 32), -EPROTO);
    ck_assert_int_eq(q.fault, FROM_GUEST_INDEX);
    guest->tx->req_prod = 0;
    /* Broken stays broken. */
    ck_assert_int_eq(from_guest_take(&q, &burst, 32), -EPROTO);
    ck_assert_uint_eq(guest->tx->rsp_prod, 0);
}
END_TEST

START_TEST(xsa39_index_runs_back)
{
    fake_guest_send(guest, 0, 0, 100, 0);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), 1);
    from_guest_respond(&q, &burst);
    guest->tx->req_prod = 0;
    ck_assert_int_eq(from_guest_take(&q, &burst, 32), -EPROTO);
}
END_TEST

START_TEST(full_ring_is_fine)
{
    unsigned int got = 0;

    for (unsigned int i = 0; i < FROM_GUEST_RING_SIZE; i++) {
        fake_guest_send(guest, i, 0, 64, 0);
    }
    fake_guest_push_tx(guest);
    for (unsigned int i = 0; i < 4; i++) {
        int count = receive(FROM_GUEST_BURST);

        ck_assert_int_eq(count, FROM_GUEST_BURST);
        from_guest_respond(&q, &burst);
        got += count;
    }
    ck_assert_uint_eq(got, FROM_GUEST_RING_SIZE);
    ck_assert_int_eq(receive(32), 0);
}
END_TEST

START_TEST(indices_wrap)
{
    guest->tx->req_prod = guest->tx->rsp_prod = 0xfffffffeu;
    guest->tx_prod = guest->tx_cons = 0xfffffffeu;
    ck_assert_int_eq(from_guest_init(&q, guest->tx), 0);
    for (unsigned int i = 0; i < 5; i++) {
        fake_guest_send(guest, i, 0, 64, 0);
    }
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), 5);
    from_guest_respond(&q, &burst);
    ck_assert_uint_eq(guest->tx->rsp_prod, 3);
}
END_TEST

/* A backend that starts again goes on from the ring's own indices. */
START_TEST(restart_goes_on)
{
    fake_guest_send(guest, 0, 0, 64, 0);
    fake_guest_send(guest, 1, 0, 65, 0);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(1), 1);
    from_guest_respond(&q, &burst);
    ck_assert_int_eq(receive(1), 1);
    /* It dies here, after the copy and before the response. */
    ck_assert_int_eq(from_guest_init(&q, guest->tx), 0);
    ck_assert_int_eq(receive(32), 1);
    ck_assert_uint_eq(burst.packets[0].size, 65);
    from_guest_respond(&q, &burst);
    ck_assert_uint_eq(guest->tx->rsp_prod, 2);
}
END_TEST

START_TEST(init_refuses_a_lying_ring)
{
    guest->tx->req_prod = 1000;
    ck_assert_int_eq(from_guest_init(&q, guest->tx), -EPROTO);
    ck_assert_int_eq(q.fault, FROM_GUEST_INDEX);
}
END_TEST

/* Send one packet of 1 + chained slots of size bytes each. */
static void send_chain(unsigned int chained, uint16_t size)
{
    for (unsigned int i = 0; i <= chained; i++) {
        fake_guest_send(guest, i, 0, i == 0 ? (chained + 1) * size : size,
                        i == chained ? 0 : NETTXF_more_data);
    }
}

/*
 * XSA-39 and XSA-90: what a guest may chain.  Up to 18 chained slots are a
 * packet, 19 and 20 cost the packet, 21 cost the ring.
 */
START_TEST(xsa39_longest_chain)
{
    send_chain(FROM_GUEST_CHAIN_MAX, 100);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), 1);
    ck_assert_int_eq(burst.packets[0].status, NETIF_RSP_OKAY);
    ck_assert_uint_eq(burst.packets[0].size, 1900);
}
END_TEST

START_TEST(xsa90_long_chain_is_dropped)
{
    send_chain(_i, 100);
    fake_guest_send(guest, 50, 0, 77, 0);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), 2);
    ck_assert_int_eq(burst.packets[0].drop, FROM_GUEST_DROP_SLOTS);
    ck_assert_int_eq(burst.packets[1].status, NETIF_RSP_OKAY);
    from_guest_respond(&q, &burst);
    for (int i = 0; i <= _i; i++) {
        assert_response(i, NETIF_RSP_ERROR);
    }
    assert_response(50, NETIF_RSP_OKAY);
}
END_TEST

START_TEST(xsa39_longer_chain_is_fatal)
{
    send_chain(FROM_GUEST_CHAIN_FATAL + 1, 100);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), -EPROTO);
    ck_assert_int_eq(burst.fault, FROM_GUEST_TOO_LONG);
    ck_assert_uint_eq(guest->copies, 0);
}
END_TEST

START_TEST(endless_chain_is_fatal)
{
    for (unsigned int i = 0; i < FROM_GUEST_RING_SIZE; i++) {
        fake_guest_send(guest, 0, 0, 1, NETTXF_more_data);
    }
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(1), -EPROTO);
    ck_assert_int_eq(burst.fault, FROM_GUEST_TOO_LONG);
}
END_TEST

START_TEST(truncated_chain_is_fatal)
{
    fake_guest_send(guest, 0, 0, 100, NETTXF_more_data);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), -EPROTO);
    ck_assert_int_eq(burst.fault, FROM_GUEST_TRUNCATED);
}
END_TEST

START_TEST(truncated_extra_is_fatal)
{
    fake_guest_send(guest, 0, 0, 100, NETTXF_extra_info);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), -EPROTO);
    ck_assert_int_eq(burst.fault, FROM_GUEST_TRUNCATED);
}
END_TEST

/* The budget may cut the slots taken in the middle of a packet. */
START_TEST(budget_never_cuts_a_packet)
{
    unsigned int packets = 0;

    for (unsigned int i = 0; i < 13; i++) {
        send_chain(FROM_GUEST_CHAIN_MAX, 100);
    }
    fake_guest_push_tx(guest);
    for (unsigned int i = 0; i < 13 && packets < 13; i++) {
        int count = receive(2);

        ck_assert_int_gt(count, 0);
        for (int p = 0; p < count; p++) {
            ck_assert_uint_eq(burst.packets[p].slot_count, 19);
        }
        from_guest_respond(&q, &burst);
        packets += count;
    }
    ck_assert_uint_eq(packets, 13);
    ck_assert_uint_eq(guest->tx->rsp_prod, 13 * 19);
}
END_TEST

/* XSA-448: fragments of no bytes are answered and otherwise ignored. */
START_TEST(xsa448_zero_length_fragment)
{
    fake_guest_send(guest, 0, 0, 200, NETTXF_more_data);
    fake_guest_send(guest, 1, 4096, 0, NETTXF_more_data);
    fake_guest_send(guest, 2, 0, 100, NETTXF_more_data);
    fake_guest_send(guest, 3, 0, 0, 0);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), 1);
    ck_assert_uint_eq(burst.packets[0].fragment_count, 2);
    ck_assert_uint_eq(guest->copies, 2);
    from_guest_respond(&q, &burst);
    for (unsigned int i = 0; i < 4; i++) {
        assert_response(i, NETIF_RSP_OKAY);
    }
}
END_TEST

START_TEST(xsa448_zero_length_first)
{
    fake_guest_send(guest, 0, 0, 100, NETTXF_more_data);
    fake_guest_send(guest, 1, 0, 100, 0);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), 1);
    ck_assert_uint_eq(burst.packets[0].fragment_count, 1);
    ck_assert_mem_eq(buffers[0], guest->pages[1], 100);
    from_guest_respond(&q, &burst);
    assert_response(0, NETIF_RSP_OKAY);
    assert_response(1, NETIF_RSP_OKAY);
}
END_TEST

/*
 * Packets of one slot go a short way up to the first of a burst that is
 * something else, and after it: nothing tells where that one was.
 */
START_TEST(others_among_single_packets)
{
    const unsigned int place = (unsigned int)_i % 6;
    const bool is_runt = _i >= 6;
    unsigned int page = 0;

    for (unsigned int i = 0; i < 6; i++) {
        if (i == place && is_runt) {
            fake_guest_send(guest, page++, 0, 13, 0);
        } else if (i == place) {
            fake_guest_send(guest, page++, 8, 300, NETTXF_more_data);
            fake_guest_send(guest, page++, 16, 100, 0);
        } else {
            fake_guest_send(guest, page++, 4, 60 + i, 0);
        }
    }
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(5), 5);
    page = 0;
    for (unsigned int i = 0; i < 5; i++) {
        ck_assert_uint_eq(burst.packets[i].slot, page);
        if (i == place && is_runt) {
            ck_assert_int_eq(burst.packets[i].drop, FROM_GUEST_DROP_RUNT);
        } else if (i == place) {
            ck_assert_uint_eq(burst.packets[i].size, 300);
            ck_assert_mem_eq(buffers[i], guest->pages[page] + 8, 200);
            page++;
            ck_assert_mem_eq(buffers[i] + 200, guest->pages[page] + 16, 100);
        } else {
            ck_assert_uint_eq(burst.packets[i].size, 60 + i);
            ck_assert_mem_eq(buffers[i], guest->pages[page] + 4, 60 + i);
        }
        page++;
    }
    from_guest_respond(&q, &burst);
    ck_assert_int_eq(receive(5), 1);
    ck_assert_uint_eq(burst.packets[0].slot_count,
                      place == 5 && !is_runt ? 2 : 1);
    from_guest_respond(&q, &burst);
    ck_assert_uint_eq(guest->tx->rsp_prod, is_runt ? 6 : 7);
    for (unsigned int i = 0; i < (is_runt ? 6u : 7u); i++) {
        assert_response((uint16_t)i, is_runt && i == place ? NETIF_RSP_ERROR
                                                           : NETIF_RSP_OKAY);
    }
}
END_TEST

START_TEST(runt_is_dropped)
{
    fake_guest_send(guest, 0, 0, _i, 0);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), 1);
    ck_assert_int_eq(burst.packets[0].drop, FROM_GUEST_DROP_RUNT);
    ck_assert_uint_eq(guest->copies, 0);
    from_guest_respond(&q, &burst);
    assert_response(0, NETIF_RSP_ERROR);
}
END_TEST

/*
 * XSA-423 and XSA-432: headers cut over many tiny slots.  However a guest
 * cuts a packet, the first span holds its bytes in order.
 */
START_TEST(xsa423_header_split)
{
    uint8_t head[FROM_GUEST_HEADER], rest[2048];
    struct from_guest_span spans[] = {
        { head, sizeof(head) }, { rest, sizeof(rest) },
    };

    for (unsigned int i = 0; i < 19; i++) {
        fake_guest_send(guest, i, i * 3, i == 0 ? 5 + 17 * 3 + 1400 :
                        i == 18 ? 1400 : 3, i == 18 ? 0 : NETTXF_more_data);
    }
    fake_guest_push_tx(guest);
    ck_assert_int_eq(take_parse(32), 1);
    ck_assert_int_eq(from_guest_plan(&burst, 0, spans, 2), 0);
    access_copy(&guest->access, ACCESS_FROM_GUEST, burst.copies,
                burst.copy_count);
    from_guest_settle(&burst);
    ck_assert_int_eq(burst.packets[0].status, NETIF_RSP_OKAY);
    ck_assert_mem_eq(head, guest->pages[0], 5);
    for (unsigned int i = 1; i < 18; i++) {
        ck_assert_mem_eq(head + 5 + (i - 1) * 3, guest->pages[i] + i * 3, 3);
    }
    ck_assert_mem_eq(head + 56, guest->pages[18] + 54, 200);
    ck_assert_mem_eq(rest, guest->pages[18] + 254, 1200);
}
END_TEST

/* As above, as a property: any cut of a packet gives the same bytes. */
START_TEST(xsa432_any_split)
{
    unsigned int seed = 12345 + _i;
    uint16_t sizes[19], total = 0;
    uint8_t expect[BUFFER_SIZE];
    unsigned int chained = rand_r(&seed) % 19;
    struct from_guest_span spans[40];

    for (unsigned int i = 0; i <= chained; i++) {
        sizes[i] = rand_r(&seed) % (i % 3 == 0 ? 1500 : 5);
        memcpy(expect + total, guest->pages[i] + i, sizes[i]);
        total += sizes[i];
    }
    for (unsigned int i = 0; i <= chained; i++) {
        fake_guest_send(guest, i, i, i == 0 ? total : sizes[i],
                        i == chained ? 0 : NETTXF_more_data);
    }
    fake_guest_push_tx(guest);
    ck_assert_int_eq(take_parse(32), 1);
    if (total < FROM_GUEST_SIZE_MIN) {
        ck_assert_int_eq(burst.packets[0].drop, FROM_GUEST_DROP_RUNT);
        return;
    }
    for (unsigned int i = 0, at = 0; i < 40; i++) {
        spans[i].data = buffers[0] + at;
        spans[i].size = FROM_GUEST_HEADER + rand_r(&seed) % 1000;
        at += spans[i].size;
    }
    ck_assert_int_eq(from_guest_plan(&burst, 0, spans, 40), 0);
    access_copy(&guest->access, ACCESS_FROM_GUEST, burst.copies,
                burst.copy_count);
    ck_assert_mem_eq(buffers[0], expect, total);
}
END_TEST

/* The caller takes none so large: nothing is copied, each slot is answered. */
START_TEST(over_the_mtu)
{
    fake_guest_send(guest, 0, 0, 9023, NETTXF_more_data);
    fake_guest_send(guest, 1, 0, 4096, NETTXF_more_data);
    fake_guest_send(guest, 2, 0, 831, 0);
    fake_guest_send(guest, 3, 0, 60, 0);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(take_parse(32), 2);
    from_guest_drop(&burst, 0, FROM_GUEST_DROP_MTU);
    copy_all();
    ck_assert_uint_eq(guest->copies, 1);
    from_guest_respond(&q, &burst);
    for (uint16_t id = 0; id < 3; id++) {
        assert_response(id, NETIF_RSP_ERROR);
    }
    assert_response(3, NETIF_RSP_OKAY);
}
END_TEST

START_TEST(split_header_needs_room)
{
    struct from_guest_span spans[] = {
        { buffers[0], FROM_GUEST_HEADER - 1 }, { buffers[1], BUFFER_SIZE },
    };

    fake_guest_send(guest, 0, 0, 1500, 0);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(take_parse(32), 1);
    ck_assert_int_eq(from_guest_plan(&burst, 0, spans, 2), -ENOSPC);
    ck_assert_int_eq(burst.packets[0].drop, FROM_GUEST_DROP_BUFFER);
    ck_assert_uint_eq(burst.copy_count, 0);
}
END_TEST

START_TEST(small_buffers_are_refused)
{
    struct from_guest_span span = { buffers[0], 1000 };

    fake_guest_send(guest, 0, 0, 1500, 0);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(take_parse(32), 1);
    ck_assert_int_eq(from_guest_plan(&burst, 0, &span, 1), -ENOSPC);
    ck_assert_int_eq(from_guest_plan(&burst, 0, &span, 0), -ENOSPC);
}
END_TEST

/* Offset and size are 16 bits: their sum must not wrap past the check. */
START_TEST(offset_past_the_page)
{
    static const uint16_t bad[][2] = {
        { 4096, 14 }, { 4000, 97 }, { 65535, 14 }, { 65535, 65535 },
        { 1, 4096 }, { 0, 4097 }, { 32768, 32768 }, { 4097, 14 },
    };

    if (_i % 2 == 0) {
        fake_guest_send(guest, 0, bad[_i / 2][0], bad[_i / 2][1], 0);
    } else {
        fake_guest_send(guest, 1, 0, 65535, NETTXF_more_data);
        fake_guest_send(guest, 0, bad[_i / 2][0], bad[_i / 2][1], 0);
    }
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), -EPROTO);
    ck_assert_int_eq(burst.fault, FROM_GUEST_CROSS_PAGE);
    ck_assert_uint_eq(guest->copies, 0);
}
END_TEST

START_TEST(whole_page_is_fine)
{
    fake_guest_send(guest, 0, 0, 4096, 0);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), 1);
    ck_assert_mem_eq(buffers[0], guest->pages[0], 4096);
}
END_TEST

START_TEST(sizes_that_disagree)
{
    fake_guest_send(guest, 0, 0, 100, NETTXF_more_data);
    fake_guest_send(guest, 1, 0, 101, NETTXF_more_data);
    fake_guest_send(guest, 2, 0, 50, 0);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), 1);
    ck_assert_int_eq(burst.packets[0].drop, FROM_GUEST_DROP_SIZE);
    ck_assert_uint_eq(guest->copies, 0);
    from_guest_respond(&q, &burst);
    for (unsigned int i = 0; i < 3; i++) {
        assert_response(i, NETIF_RSP_ERROR);
    }
}
END_TEST

/* XSA-362 and XSA-365: a grant that fails is the guest's affair, no bug. */
START_TEST(xsa362_grant_status)
{
    static const int16_t statuses[] = {
        GNTST_general_error, GNTST_bad_domain, GNTST_bad_gntref,
        GNTST_bad_page, GNTST_eagain, 1, INT16_MAX, INT16_MIN,
    };

    fake_guest_send(guest, 0, 0, 100, 0);
    fake_guest_send(guest, 1, 0, 200, NETTXF_more_data);
    fake_guest_send(guest, 2, 0, 100, 0);
    fake_guest_send(guest, 3, 0, 100, 0);
    guest->refuse[2] = statuses[_i];
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), 3);
    ck_assert_int_eq(burst.packets[1].drop, FROM_GUEST_DROP_COPY);
    from_guest_respond(&q, &burst);
    assert_response(0, NETIF_RSP_OKAY);
    assert_response(1, NETIF_RSP_ERROR);
    assert_response(2, NETIF_RSP_ERROR);
    assert_response(3, NETIF_RSP_OKAY);
}
END_TEST

/*
 * XSA-332: events cost us or the guest at most one each burst, whatever
 * rsp_event says, and a polling backend never asks for any.
 */
START_TEST(xsa332_one_event_a_burst)
{
    for (unsigned int i = 0; i < 10; i++) {
        fake_guest_send(guest, i, 0, 100, 0);
    }
    fake_guest_push_tx(guest);
    guest->tx->rsp_event = 3;
    ck_assert_int_eq(receive(32), 10);
    ck_assert(from_guest_respond(&q, &burst));
    ck_assert(!from_guest_respond(&q, &burst));
    fake_guest_send(guest, 0, 0, 100, 0);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), 1);
    ck_assert(!from_guest_respond(&q, &burst));
    ck_assert_uint_eq(guest->tx->req_event, 1);
}
END_TEST

START_TEST(arm_sees_late_requests)
{
    ck_assert(!from_guest_arm(&q));
    ck_assert_uint_eq(guest->tx->req_event, 1);
    fake_guest_send(guest, 0, 0, 100, 0);
    fake_guest_push_tx(guest);
    ck_assert(from_guest_arm(&q));
}
END_TEST

/* XSA-403: of a page only the packet's bytes leave it. */
START_TEST(xsa403_no_remainder)
{
    memset(buffers[0], 0xee, BUFFER_SIZE);
    fake_guest_send(guest, 0, 10, 60, 0);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), 1);
    for (unsigned int i = 60; i < 8192; i++) {
        ck_assert_uint_eq(buffers[0][i], 0xee);
    }
}
END_TEST

static netif_extra_info_t gso(uint8_t type, uint16_t size, uint8_t flags)
{
    netif_extra_info_t extra = {
        .type = XEN_NETIF_EXTRA_TYPE_GSO, .flags = flags,
    };

    extra.u.gso.type = type;
    extra.u.gso.size = size;
    return extra;
}

START_TEST(extras_are_read)
{
    netif_extra_info_t info = gso(XEN_NETIF_GSO_TYPE_TCPV4, 1448,
                                  XEN_NETIF_EXTRA_FLAG_MORE);
    netif_extra_info_t hash = {
        .type = XEN_NETIF_EXTRA_TYPE_HASH,
        .u.hash = { _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP,
                    XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ, { 1, 2, 3, 4 } },
    };

    burst.offered_gso = 1u << XEN_NETIF_GSO_TYPE_TCPV4;
    fake_guest_send(guest, 0, 0, 3000,
                    NETTXF_extra_info | NETTXF_more_data | NETTXF_csum_blank);
    fake_guest_send_extra(guest, &info);
    fake_guest_send_extra(guest, &hash);
    fake_guest_send(guest, 1, 0, 2000, 0);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), 1);
    ck_assert_uint_eq(burst.packets[0].gso_size, 1448);
    ck_assert_uint_eq(burst.packets[0].gso_type, XEN_NETIF_GSO_TYPE_TCPV4);
    ck_assert(burst.packets[0].has_hash);
    ck_assert_mem_eq(&burst.packets[0].hash, hash.u.hash.value, 4);
    ck_assert_uint_eq(burst.packets[0].slot_count, 4);
    from_guest_respond(&q, &burst);
    assert_response(0, NETIF_RSP_OKAY);
    assert_response(0, NETIF_RSP_NULL);
    assert_response(0, NETIF_RSP_NULL);
    assert_response(1, NETIF_RSP_OKAY);
}
END_TEST

START_TEST(bad_gso_is_fatal)
{
    static const uint8_t types[] = {
        XEN_NETIF_GSO_TYPE_NONE, XEN_NETIF_GSO_TYPE_TCPV6, 3, 255,
        XEN_NETIF_GSO_TYPE_TCPV4,
    };
    netif_extra_info_t info = gso(types[_i], _i == 4 ? 0 : 1448, 0);

    burst.offered_gso = 1u << XEN_NETIF_GSO_TYPE_TCPV4;
    fake_guest_send(guest, 0, 0, 3000, NETTXF_extra_info);
    fake_guest_send_extra(guest, &info);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), -EPROTO);
    ck_assert_int_eq(burst.fault, FROM_GUEST_GSO);
}
END_TEST

START_TEST(bad_extra_is_fatal)
{
    static const uint8_t types[] = { 0, XEN_NETIF_EXTRA_TYPE_MAX, 255 };
    netif_extra_info_t extra = { .type = types[_i] };

    fake_guest_send(guest, 0, 0, 100, NETTXF_extra_info);
    fake_guest_send_extra(guest, &extra);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), -EPROTO);
    ck_assert_int_eq(burst.fault, FROM_GUEST_EXTRA_TYPE);
}
END_TEST

START_TEST(endless_extras_are_fatal)
{
    netif_extra_info_t extra = {
        .type = XEN_NETIF_EXTRA_TYPE_HASH,
        .flags = XEN_NETIF_EXTRA_FLAG_MORE,
    };

    fake_guest_send(guest, 0, 0, 100, NETTXF_extra_info);
    for (unsigned int i = 1; i < FROM_GUEST_RING_SIZE; i++) {
        fake_guest_send_extra(guest, &extra);
    }
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), -EPROTO);
    ck_assert_int_eq(burst.fault, FROM_GUEST_EXTRA_TYPE);
}
END_TEST

START_TEST(mcast_has_no_data)
{
    netif_extra_info_t extra = {
        .type = XEN_NETIF_EXTRA_TYPE_MCAST_ADD,
        .u.mcast.addr = { 0x33, 0x33, 0, 0, 0, 1 },
    };

    fake_guest_send(guest, 0, 0, 0, NETTXF_extra_info);
    fake_guest_send_extra(guest, &extra);
    fake_guest_push_tx(guest);
    ck_assert_int_eq(receive(32), 1);
    ck_assert_int_eq(burst.packets[0].kind, FROM_GUEST_MCAST_ADD);
    ck_assert_mem_eq(burst.packets[0].mcast, extra.u.mcast.addr, 6);
    ck_assert_uint_eq(guest->copies, 0);
    from_guest_respond(&q, &burst);
    assert_response(0, NETIF_RSP_OKAY);
    assert_response(0, NETIF_RSP_NULL);
}
END_TEST

/* The contract of plan: spans of 2 KiB always do, whatever comes. */
START_TEST(copies_always_fit)
{
    struct from_guest_span spans[32];
    unsigned int packets = 0;

    for (unsigned int i = 0; i < 32; i++) {
        spans[i] = (struct from_guest_span){ buffers[i], 2048 };
    }
    while (guest->tx_prod + 17 <= FROM_GUEST_RING_SIZE) {
        for (unsigned int i = 0; i < 17; i++) {
            fake_guest_send(guest, i, i % 2, i == 0 ? 65535 : 4095,
                            i == 16 ? 0 : NETTXF_more_data);
        }
    }
    fake_guest_push_tx(guest);
    for (unsigned int round = 0; round < 20; round++) {
        int count = take_parse(FROM_GUEST_BURST);

        ck_assert_int_ge(count, 0);
        for (int i = 0; i < count; i++) {
            ck_assert_int_eq(burst.packets[i].status, NETIF_RSP_OKAY);
            ck_assert_int_eq(from_guest_plan(&burst, i, spans, 32), 0);
        }
        packets += count;
        from_guest_respond(&q, &burst);
    }
    ck_assert_uint_eq(packets, 15);
}
END_TEST

static void add_advisories(TCase *tcase)
{
    tcase_add_test(tcase, xsa155_double_fetch);
    tcase_add_test(tcase, xsa155_index_read_once);
    tcase_add_test(tcase, xsa39_index_jump);
    tcase_add_test(tcase, xsa39_index_runs_back);
    tcase_add_test(tcase, xsa39_longest_chain);
    tcase_add_loop_test(tcase, xsa90_long_chain_is_dropped, 19, 21);
    tcase_add_test(tcase, xsa39_longer_chain_is_fatal);
    tcase_add_test(tcase, xsa448_zero_length_fragment);
    tcase_add_test(tcase, xsa448_zero_length_first);
    tcase_add_test(tcase, xsa423_header_split);
    tcase_add_loop_test(tcase, xsa432_any_split, 0, 50);
    tcase_add_loop_test(tcase, xsa362_grant_status, 0, 8);
    tcase_add_test(tcase, xsa332_one_event_a_burst);
    tcase_add_test(tcase, xsa403_no_remainder);
    tcase_add_loop_test(tcase, offset_past_the_page, 0, 16);
}

static void add_protocol(TCase *tcase)
{
    tcase_add_test(tcase, one_packet);
    tcase_add_test(tcase, whole_burst_is_one_batch);
    tcase_add_test(tcase, first_slot_has_the_total);
    tcase_add_test(tcase, full_ring_is_fine);
    tcase_add_test(tcase, indices_wrap);
    tcase_add_test(tcase, restart_goes_on);
    tcase_add_test(tcase, init_refuses_a_lying_ring);
    tcase_add_test(tcase, endless_chain_is_fatal);
    tcase_add_test(tcase, truncated_chain_is_fatal);
    tcase_add_test(tcase, truncated_extra_is_fatal);
    tcase_add_test(tcase, budget_never_cuts_a_packet);
    tcase_add_loop_test(tcase, others_among_single_packets, 0, 12);
    tcase_add_loop_test(tcase, runt_is_dropped, 0, 14);
    tcase_add_test(tcase, over_the_mtu);
    tcase_add_test(tcase, split_header_needs_room);
    tcase_add_test(tcase, small_buffers_are_refused);
    tcase_add_test(tcase, whole_page_is_fine);
    tcase_add_test(tcase, sizes_that_disagree);
    tcase_add_test(tcase, arm_sees_late_requests);
    tcase_add_test(tcase, extras_are_read);
    tcase_add_loop_test(tcase, bad_gso_is_fatal, 0, 5);
    tcase_add_loop_test(tcase, bad_extra_is_fatal, 0, 3);
    tcase_add_test(tcase, endless_extras_are_fatal);
    tcase_add_test(tcase, mcast_has_no_data);
    tcase_add_test(tcase, copies_always_fit);
}

int main(void)
{
    Suite *suite = suite_create("from_guest");
    TCase *advisories = unit_case(suite, "advisories");
    TCase *protocol = unit_case(suite, "protocol");

    tcase_add_checked_fixture(advisories, setup, teardown);
    tcase_add_checked_fixture(protocol, setup, teardown);
    add_advisories(advisories);
    add_protocol(protocol);
    return unit_run(suite);
}
