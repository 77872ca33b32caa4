/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * burst: mbufs of real pools over the rings of a fake guest.  Whatever the
 * mbufs were before, they are new when they are handed over; and all of them
 * come back to their pools, whatever they were made of.
 */
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_mempool.h>

#include "netback/burst.h"
#include "netback/burst_offload.h"
#include "tests/fake/guest.h"
#include "unit.h"

#define MBUFS 127u
#define BURST 16u
#define JUMBO 9022u             /* an MTU of 9000, and its headers */
#define HELD_MAX 1535u          /* all large buffers that there are */
#define MANY 400u               /* large packets: more than their pool has */
#define LARGE 3000u             /* bytes, more than an mbuf has room for */

static struct fake_guest *guest;
static struct from_guest_burst from_state;
static struct to_guest_burst to_state;
static struct burst_from from;
static struct burst_to to;
static struct rte_mempool *pool, *other, *large;
static struct rte_mbuf *mbufs[BURST];

static void start_dpdk(void)
{
    char cpu[32];
    char *argv[] = {
        "check_burst", "--lcores", cpu, "--no-shconf", "--no-huge",
        "--no-pci", "--no-telemetry", "--log-level=error", "-m", "256",
    };

    snprintf(cpu, sizeof(cpu), "0@%d", sched_getcpu());
    ck_assert_int_ge(rte_eal_init(sizeof(argv) / sizeof(argv[0]), argv), 0);
    pool = rte_pktmbuf_pool_create("pool", MBUFS, 0, 0,
                                   RTE_MBUF_DEFAULT_BUF_SIZE, 0);
    other = rte_pktmbuf_pool_create("other", MBUFS, 0, 0,
                                    RTE_MBUF_DEFAULT_BUF_SIZE, 0);
    large = rte_pktmbuf_pool_create("large", BURST, 0, 0,
                                    RTE_PKTMBUF_HEADROOM + JUMBO, 0);
    ck_assert_ptr_nonnull(pool);
    ck_assert_ptr_nonnull(other);
    ck_assert_ptr_nonnull(large);
}

static void broken(void *vif, const char *why)
{
    (void)vif;
    ck_abort_msg("%s", why);
}

static void setup(void)
{
    start_dpdk();
    guest = fake_guest_create();
    memset(&from, 0, sizeof(from));
    memset(&to, 0, sizeof(to));
    from.burst = &from_state;
    to.burst = &to_state;
    from.access = to.access = &guest->access;
    from.broken = to.broken = broken;
    from.frame_max = UINT32_MAX;
    ck_assert_int_eq(from_guest_init(&from.ring, guest->tx), 0);
    ck_assert_int_eq(to_guest_init(&to.ring, guest->rx), 0);
    burst_gate_open(&from.gate);
    burst_gate_open(&to.gate);
    for (unsigned int page = 0; page < FAKE_GUEST_PAGES; page++) {
        memset(guest->pages[page], (int)page + 1, ACCESS_PAGE_SIZE);
    }
}

static void expect_all_back(void)
{
    ck_assert_uint_eq(rte_mempool_avail_count(pool), MBUFS);
    ck_assert_uint_eq(rte_mempool_avail_count(other), MBUFS);
    ck_assert_uint_eq(rte_mempool_avail_count(large), BURST);
}

static void teardown(void)
{
    expect_all_back();
    fake_guest_destroy(guest);
    rte_eal_cleanup();
}

/* Every mbuf of the pool has had another life. */
static void use_pool(void)
{
    struct rte_mbuf *all[MBUFS];

    ck_assert_int_eq(rte_pktmbuf_alloc_bulk(pool, all, MBUFS), 0);
    for (unsigned int i = 0; i < MBUFS; i++) {
        all[i]->data_off = 3;
        all[i]->port = 5;
        all[i]->ol_flags = RTE_MBUF_F_RX_VLAN | RTE_MBUF_F_RX_RSS_HASH;
        all[i]->packet_type = all[i]->pkt_len = 77;
        all[i]->data_len = all[i]->vlan_tci = all[i]->vlan_tci_outer = 77;
        all[i]->tx_offload = UINT64_MAX;
    }
    rte_pktmbuf_free_bulk(all, MBUFS);
}

static unsigned int receive(void)
{
    fake_guest_push_tx(guest);
    return burst_from_guest(&from, pool, mbufs, BURST);
}

static void expect_new(const struct rte_mbuf *mbuf, uint32_t size)
{
    ck_assert_uint_eq(mbuf->data_off, RTE_PKTMBUF_HEADROOM);
    ck_assert_uint_eq(rte_mbuf_refcnt_read(mbuf), 1);
    ck_assert_uint_eq(mbuf->nb_segs, 1);
    ck_assert_uint_eq(mbuf->port, RTE_MBUF_PORT_INVALID);
    ck_assert_uint_eq(mbuf->ol_flags, 0);
    ck_assert_uint_eq(mbuf->packet_type, 0);
    ck_assert_uint_eq(mbuf->pkt_len, size);
    ck_assert_uint_eq(mbuf->data_len, size);
    ck_assert_uint_eq(mbuf->vlan_tci, 0);
    ck_assert_uint_eq(mbuf->vlan_tci_outer, 0);
    ck_assert_uint_eq(mbuf->tx_offload, 0);
    ck_assert_ptr_null(mbuf->next);
    ck_assert_ptr_eq(mbuf->pool, pool);
}

static void expect_bytes(const struct rte_mbuf *mbuf, unsigned int page)
{
    const uint8_t *data = rte_pktmbuf_mtod(mbuf, const uint8_t *);

    ck_assert_uint_eq(data[0], (uint8_t)(page + 1));
    ck_assert_uint_eq(data[mbuf->data_len - 1], (uint8_t)(page + 1));
}

START_TEST(mbufs_are_new)
{
    use_pool();
    for (unsigned int i = 0; i < BURST; i++) {
        fake_guest_send(guest, i, 10, (uint16_t)(60 + i), 0);
    }
    ck_assert_uint_eq(receive(), BURST);
    for (unsigned int i = 0; i < BURST; i++) {
        expect_new(mbufs[i], 60 + i);
        expect_bytes(mbufs[i], i);
    }
    ck_assert_uint_eq(from.stats.packets, BURST);
    ck_assert_uint_eq(from.stats.bytes, BURST * 60 + BURST * (BURST - 1) / 2);
    rte_pktmbuf_free_bulk(mbufs, BURST);
}
END_TEST

/* Good packets are in front and in order, wherever the bad one was. */
START_TEST(a_bad_packet_leaves_no_gap)
{
    unsigned int at = 0;

    guest->refuse[_i] = GNTST_bad_gntref;
    for (unsigned int i = 0; i < 5; i++) {
        fake_guest_send(guest, i, 0, 100, i == 3 ? NETTXF_data_validated : 0);
    }
    ck_assert_uint_eq(receive(), 4);
    for (unsigned int i = 0; i < 5; i++) {
        if (i != (unsigned int)_i) {
            ck_assert_uint_eq(mbufs[at]->ol_flags, i == 3
                              ? RTE_MBUF_F_RX_L4_CKSUM_GOOD : 0);
            expect_bytes(mbufs[at++], i);
        }
    }
    ck_assert_uint_eq(from.stats.packets, 4);
    ck_assert_uint_eq(from.stats.bytes, 400);
    ck_assert_uint_eq(from.stats.drops[FROM_GUEST_DROP_COPY], 1);
    ck_assert_uint_eq(guest->tx->rsp_prod, 5);
    rte_pktmbuf_free_bulk(mbufs, 4);
}
END_TEST

/* One for which an mbuf is too small, among others. */
START_TEST(too_large_for_an_mbuf)
{
    fake_guest_send(guest, 0, 0, 100, 0);
    fake_guest_send(guest, 1, 0, 3000, 0);
    fake_guest_send(guest, 2, 0, 2048, NETTXF_more_data);
    fake_guest_send(guest, 3, 0, 1000, 0);
    ck_assert_uint_eq(receive(), 2);
    expect_new(mbufs[0], 100);
    expect_new(mbufs[1], 2048);
    ck_assert_uint_eq(from.stats.drops[FROM_GUEST_DROP_BUFFER], 1);
    rte_pktmbuf_free_bulk(mbufs, 2);
}
END_TEST

/*
 * XSA-424: Linux's backend took a lock in the path that drops packets which
 * that path's caller had.  Whatever is dropped, for whichever cause, is
 * answered in its burst, and the next one is as any.
 */
START_TEST(xsa424_every_packet_is_dropped)
{
    netif_tx_response_t response;

    from.frame_max = 2000;
    for (unsigned int round = 0; round < 100; round++) {
        guest->refuse[1] = GNTST_bad_page;
        fake_guest_send(guest, 0, 0, 5, 0);             /* a runt */
        fake_guest_send(guest, 1, 0, 100, 0);           /* no grant */
        fake_guest_send(guest, 2, 0, 3000, 0);          /* over the MTU */
        fake_guest_send(guest, 3, 0, 100, NETTXF_more_data);
        fake_guest_send(guest, 4, 0, 200, 0);           /* no sum */
        fake_guest_send(guest, 5, 0, 100, NETTXF_csum_blank);
        ck_assert_uint_eq(receive(), 0);
        for (unsigned int i = 0; i < 6; i++) {
            ck_assert(fake_guest_get_tx(guest, &response));
            ck_assert_int_eq(response.status, NETIF_RSP_ERROR);
        }
        expect_all_back();
    }
    ck_assert_uint_eq(from.stats.packets, 0);
    for (unsigned int why = FROM_GUEST_DROP_SIZE; why <= FROM_GUEST_DROP_MTU;
         why++) {
        ck_assert_uint_eq(from.stats.drops[why],
                          why == FROM_GUEST_DROP_BUFFER ? 0 : 100);
    }
    guest->refuse[1] = GNTST_okay;
    fake_guest_send(guest, 1, 0, 100, 0);
    ck_assert_uint_eq(receive(), 1);
    rte_pktmbuf_free(mbufs[0]);
}
END_TEST

/* size bytes of the next pages, a page to a slot. */
static void send_chain(unsigned int page, uint16_t size)
{
    fake_guest_send(guest, page, 0, size, NETTXF_more_data);
    for (uint32_t done = ACCESS_PAGE_SIZE; done < size;
         done += ACCESS_PAGE_SIZE) {
        uint32_t part = RTE_MIN(size - done, ACCESS_PAGE_SIZE);

        fake_guest_send(guest, ++page, 0, (uint16_t)part,
                        done + part < size ? NETTXF_more_data : 0);
    }
}

/* A large MTU without TSO: whole frames in one segment, and no larger ones. */
START_TEST(a_large_mtu)
{
    from.frame_max = JUMBO;
    send_chain(0, JUMBO);
    send_chain(10, JUMBO + 1);
    fake_guest_send(guest, 20, 0, 60, 0);
    fake_guest_push_tx(guest);
    ck_assert_uint_eq(burst_from_guest(&from, large, mbufs, BURST), 2);
    ck_assert_uint_eq(mbufs[0]->nb_segs, 1);
    ck_assert_uint_eq(mbufs[0]->data_len, JUMBO);
    for (unsigned int page = 0; page < 3; page++) {
        ck_assert_uint_eq(*rte_pktmbuf_mtod_offset(
            mbufs[0], uint8_t *, page * ACCESS_PAGE_SIZE), page + 1);
    }
    ck_assert_uint_eq(mbufs[1]->data_len, 60);
    ck_assert_uint_eq(from.stats.drops[FROM_GUEST_DROP_MTU], 1);
    ck_assert_uint_eq(from.stats.drops[FROM_GUEST_DROP_BUFFER], 0);
    ck_assert_uint_eq(guest->tx->rsp_prod, 7);
    rte_pktmbuf_free_bulk(mbufs, 2);
}
END_TEST

/* One slot may be over the MTU as well; an mbuf is still the other limit. */
START_TEST(over_the_mtu_in_one_slot)
{
    from.frame_max = 2000;
    fake_guest_send(guest, 0, 0, 2001, 0);
    fake_guest_send(guest, 1, 0, 2000, 0);
    ck_assert_uint_eq(receive(), 1);
    ck_assert_uint_eq(mbufs[0]->data_len, 2000);
    ck_assert_uint_eq(from.stats.drops[FROM_GUEST_DROP_MTU], 1);
    rte_pktmbuf_free(mbufs[0]);
    from.frame_max = JUMBO;
    send_chain(0, JUMBO);
    ck_assert_uint_eq(receive(), 0);
    ck_assert_uint_eq(from.stats.drops[FROM_GUEST_DROP_BUFFER], 1);
}
END_TEST

/* The other way: in one mbuf, in slots to a guest that chains them. */
START_TEST(a_large_frame_to_the_guest)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(large);

    ck_assert_ptr_nonnull(rte_pktmbuf_append(mbuf, JUMBO));
    to.ring.linear = _i == 1;
    for (unsigned int i = 0; i < 4; i++) {
        fake_guest_give(guest, i);
    }
    fake_guest_push_rx(guest);
    ck_assert_uint_eq(burst_to_guest(&to, &mbuf, 1), 1);
    ck_assert_uint_eq(guest->rx->rsp_prod, _i == 1 ? 0 : 3);
    ck_assert_uint_eq(to.stats.packets, _i == 1 ? 0 : 1);
    ck_assert_uint_eq(to.stats.drops[TO_GUEST_DROP_SIZE], _i == 1);
}
END_TEST

/* Frames that may be cut, and ones that may not. */
static void send_large(unsigned int page, uint16_t gso_size)
{
    static const uint8_t headers[] = {
        [12] = 8, [14] = 0x45, [16] = (LARGE - 14) / 256,
        [17] = (LARGE - 14) % 256, [23] = 6, [46] = 0x50, [53] = 0,
    };
    netif_extra_info_t extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO };

    memcpy(guest->pages[page], headers, sizeof(headers));
    extra.u.gso.type = XEN_NETIF_GSO_TYPE_TCPV4;
    extra.u.gso.size = gso_size;
    fake_guest_send(guest, page, 0, LARGE,
                    gso_size != 0 ? NETTXF_extra_info : 0);
    if (gso_size != 0) {
        fake_guest_send_extra(guest, &extra);
    }
}

static unsigned int receive_large(uint16_t gso_size)
{
    netif_tx_response_t response;
    unsigned int got;

    send_large(0, gso_size);
    got = receive();
    while (fake_guest_get_tx(guest, &response)) {
        continue;
    }
    return got;
}

/*
 * A port of the switch's may hold as many as its ring has slots, until more
 * is sent.  A guest's large packet waited for a buffer then, and with it all
 * that the guest had behind it: for ever, if nobody else sent.
 */
START_TEST(more_large_packets_than_buffers)
{
    struct rte_mempool *many = rte_pktmbuf_pool_create(
        "many", MANY + 1, 0, 0, RTE_MBUF_DEFAULT_BUF_SIZE, 0);
    struct rte_mempool *usual = pool;
    struct rte_mbuf *held[MANY];

    ck_assert_ptr_nonnull(many);
    ck_assert(burst_offload_prepare());
    from.offload = true;
    from_state.offered_gso = 1u << XEN_NETIF_GSO_TYPE_TCPV4;
    pool = many;
    for (unsigned int round = 0; round < 3; round++) {
        for (unsigned int i = 0; i < MANY; i++) {
            ck_assert_uint_eq(receive_large(1000), 1);
            held[i] = mbufs[0];
            ck_assert_uint_eq(held[i]->data_len, LARGE);
            memset(rte_pktmbuf_mtod(held[i], uint8_t *), (int)i, LARGE);
        }
        for (unsigned int i = 0; i < MANY; i++) {
            ck_assert_uint_eq(rte_pktmbuf_mtod(held[i], uint8_t *)[LARGE - 1],
                              i % 256);
        }
        rte_pktmbuf_free_bulk(held, MANY);
        ck_assert_uint_eq(rte_mempool_avail_count(many), MANY + 1);
    }
    pool = usual;
    rte_mempool_free(many);
}
END_TEST

/* Takes large packets for a port until it gets no more; returns how many. */
static unsigned int hold(uint16_t port, struct rte_mbuf **held)
{
    uint64_t drops = from.stats.drops[FROM_GUEST_DROP_SHARE];
    unsigned int count = 0;

    from.owner = port;
    while (receive_large(0) == 1) {
        held[count++] = mbufs[0];
        ck_assert_uint_le(count, HELD_MAX);
    }
    ck_assert_uint_eq(from.stats.drops[FROM_GUEST_DROP_SHARE], drops + 1);
    ck_assert_uint_eq(from.stats.drops[FROM_GUEST_DROP_BUFFER], 0);
    return count;
}

/*
 * conntrack keeps a guest's fragments for 15 seconds.  With them it kept all
 * buffers for large packets, so that no other guest's could pass.
 */
START_TEST(none_has_all_large_buffers)
{
    static struct rte_mbuf *held[RTE_MAX_ETHPORTS][HELD_MAX];
    unsigned int counts[RTE_MAX_ETHPORTS];
    struct rte_mempool *usual = pool;

    pool = rte_pktmbuf_pool_create("many", 2 * HELD_MAX, 0, 0,
                                   RTE_MBUF_DEFAULT_BUF_SIZE, 0);
    ck_assert_ptr_nonnull(pool);
    ck_assert(burst_offload_prepare());
    from.offload = true;
    for (uint16_t port = 0; port < RTE_MAX_ETHPORTS; port++) {
        counts[port] = hold(port, held[port]);
    }
    ck_assert_uint_ge(counts[0], 1008);     /* a ring full: it may */
    ck_assert_uint_ge(counts[1], 128);      /* bursts beside it */
    for (uint16_t port = 2; port < RTE_MAX_ETHPORTS; port++) {
        ck_assert_uint_ge(counts[port], 8);
    }
    /* Whoever gives back can have again, and no count is left behind. */
    for (uint16_t port = 0; port < RTE_MAX_ETHPORTS; port++) {
        rte_pktmbuf_free_bulk(held[port], counts[port]);
    }
    ck_assert_uint_eq(hold(1, held[1]), counts[0]);
    rte_pktmbuf_free_bulk(held[1], counts[0]);
    rte_mempool_free(pool);
    pool = usual;
}
END_TEST

START_TEST(no_mbuf_no_packet)
{
    struct rte_mbuf *all[MBUFS];

    ck_assert_int_eq(rte_pktmbuf_alloc_bulk(pool, all, MBUFS), 0);
    fake_guest_send(guest, 0, 0, 100, 0);
    ck_assert_uint_eq(receive(), 0);
    ck_assert_uint_eq(from.stats.no_mbuf, 1);
    ck_assert_uint_eq(guest->tx->rsp_prod, 0);
    rte_pktmbuf_free_bulk(all, MBUFS);
    ck_assert_uint_eq(receive(), 1);
    rte_pktmbuf_free(mbufs[0]);
}
END_TEST

static struct rte_mbuf *make(struct rte_mempool *from_pool, uint16_t size)
{
    struct rte_mbuf *mbuf = rte_pktmbuf_alloc(from_pool);

    ck_assert_ptr_nonnull(mbuf);
    ck_assert_ptr_nonnull(rte_pktmbuf_append(mbuf, size));
    memset(rte_pktmbuf_mtod(mbuf, uint8_t *), size, size);
    return mbuf;
}

static void expect_sent(unsigned int page, uint16_t size)
{
    netif_rx_response_t response;

    ck_assert(fake_guest_get_rx(guest, &response));
    ck_assert_uint_eq(response.id, page);
    ck_assert_int_eq(response.status, (int16_t)size);
}

/* A chain in each place, mbufs of another pool, and one held by others. */
START_TEST(every_mbuf_goes_back)
{
    struct rte_mbuf *held = make(pool, 60);

    rte_mbuf_refcnt_update(held, 1);
    for (unsigned int i = 0; i < 6; i++) {
        fake_guest_give(guest, i);
        mbufs[i] = i == 3 ? held : make(i % 2 == 0 ? pool : other, 60);
    }
    fake_guest_push_rx(guest);
    ck_assert_int_eq(rte_pktmbuf_chain(mbufs[_i], make(other, 40)), 0);
    ck_assert_uint_eq(burst_to_guest(&to, mbufs, 6), 6);
    for (unsigned int i = 0; i < 6; i++) {
        expect_sent(i, i == (unsigned int)_i ? 100 : 60);
        ck_assert_uint_eq(guest->pages[i][59], 60);
    }
    ck_assert_uint_eq(guest->pages[_i][99], 40);
    ck_assert_uint_eq(to.stats.packets, 6);
    ck_assert_uint_eq(to.stats.bytes, 6 * 60 + 40);
    ck_assert_uint_eq(rte_mbuf_refcnt_read(held), 1);
    rte_pktmbuf_free(held);
}
END_TEST

/* What found no buffer is the caller's still. */
START_TEST(no_buffer_no_mbuf)
{
    for (unsigned int i = 0; i < 4; i++) {
        mbufs[i] = make(pool, 60);
    }
    fake_guest_give(guest, 0);
    fake_guest_give(guest, 1);
    fake_guest_push_rx(guest);
    ck_assert_uint_eq(burst_to_guest(&to, mbufs, 4), 2);
    ck_assert_uint_eq(to.stats.no_buffer, 2);
    ck_assert_uint_eq(rte_mempool_avail_count(pool), MBUFS - 2);
    rte_pktmbuf_free_bulk(mbufs + 2, 2);
}
END_TEST

/* The guest's grant failed, or there are no bytes: dropped, counted. */
START_TEST(a_drop_on_the_way_to_the_guest)
{
    const struct hash_value hashes[3] = {
        { 1, _XEN_NETIF_CTRL_HASH_TYPE_IPV4 },
        { 2, _XEN_NETIF_CTRL_HASH_TYPE_IPV4 }, { 0, HASH_TYPE_NONE },
    };

    for (unsigned int i = 0; i < 3; i++) {
        mbufs[i] = make(pool, i == 2 ? 0 : 60);
    }
    for (unsigned int i = 0; i < 4; i++) {
        fake_guest_give(guest, i);
    }
    guest->refuse[2] = GNTST_bad_gntref;
    fake_guest_push_rx(guest);
    ck_assert_uint_eq(burst_to_guest_hashed(&to, mbufs, hashes, 3), 3);
    ck_assert_uint_eq(to.stats.packets, 1);
    ck_assert_uint_eq(to.stats.bytes, 60);
    ck_assert_uint_eq(to.stats.hashed, 1);
    ck_assert_uint_eq(to.stats.drops[TO_GUEST_DROP_COPY], 1);
    ck_assert_uint_eq(to.stats.drops[TO_GUEST_DROP_SIZE], 1);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, mbufs_are_new);
    tcase_add_loop_test(tcase, a_bad_packet_leaves_no_gap, 0, 5);
    tcase_add_test(tcase, too_large_for_an_mbuf);
    tcase_add_test(tcase, xsa424_every_packet_is_dropped);
    tcase_add_test(tcase, a_large_mtu);
    tcase_add_test(tcase, over_the_mtu_in_one_slot);
    tcase_add_loop_test(tcase, a_large_frame_to_the_guest, 0, 2);
    tcase_add_test(tcase, more_large_packets_than_buffers);
    tcase_add_test(tcase, none_has_all_large_buffers);
    tcase_add_test(tcase, no_mbuf_no_packet);
    tcase_add_loop_test(tcase, every_mbuf_goes_back, 0, 6);
    tcase_add_test(tcase, no_buffer_no_mbuf);
    tcase_add_test(tcase, a_drop_on_the_way_to_the_guest);
}

int main(void)
{
    Suite *suite = suite_create("burst");

    add_tests(unit_case(suite, "burst"));
    return unit_run(suite);
}
