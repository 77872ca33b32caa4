/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * front_burst: mbufs of a real pool over the rings of a frontend, whose
 * backend is our own to_guest, or one that writes what it likes.  Whatever
 * comes, all mbufs come back to their pool.
 */
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include <rte_eal.h>
#include <rte_mempool.h>

#include "netback/front_burst.h"
#include "tests/fake/guest.h"
#include "unit.h"

#define MBUFS 63u
#define BURST 16u
#define LARGE 6000u             /* bytes: two slots, three mbufs */

static struct fake_guest *guest;        /* its pages are the buffers */
static grant_ref_t refs[FROM_BACKEND_RING_SIZE];
static struct from_backend_burst state;
static struct front_rx rx;
static struct to_guest to;
static struct to_guest_burst to_burst;
static struct rte_mempool *pool;
static struct rte_mbuf *mbufs[BURST], *taken[MBUFS];
static unsigned int events, drains;
static const char *broken_why;
static uint8_t data[LARGE];

static void notify(struct front_link *link, unsigned int queue, bool tx)
{
    (void)link;
    (void)queue;
    ck_assert(!tx);
    events++;
}

static void drain(struct front_link *link, unsigned int queue)
{
    (void)link;
    (void)queue;
    drains++;
}

static const struct front_link_ops link_ops = {
    .name = "fake", .notify = notify, .drain = drain,
};
static struct front_link front_link = { .ops = &link_ops };

static void broken(void *front, const char *why)
{
    (void)front;
    broken_why = why;
}

static void start_dpdk(void)
{
    char cpu[32];
    char *argv[] = {
        "check_front_burst", "--lcores", cpu, "--no-shconf", "--no-huge",
        "--no-pci", "--no-telemetry", "--log-level=error", "-m", "64",
    };

    snprintf(cpu, sizeof(cpu), "0@%d", sched_getcpu());
    ck_assert_int_ge(rte_eal_init(sizeof(argv) / sizeof(argv[0]), argv), 0);
    pool = rte_pktmbuf_pool_create("pool", MBUFS, 0, 0,
                                   RTE_MBUF_DEFAULT_BUF_SIZE, 0);
    ck_assert_ptr_nonnull(pool);
}

static void setup(void)
{
    struct backend_buffers buffers = { .refs = refs,
                                       .count = FROM_BACKEND_RING_SIZE };

    start_dpdk();
    guest = fake_guest_create();
    for (unsigned int i = 0; i < FROM_BACKEND_RING_SIZE; i++) {
        refs[i] = FAKE_GUEST_REF + i;
    }
    for (unsigned int i = 0; i < LARGE; i++) {
        data[i] = (uint8_t)(i * 31 + i / 255);
    }
    buffers.pages = guest->pages[0];
    memset(&rx, 0, sizeof(rx));
    rx.burst = &state;
    rx.link = &front_link;
    rx.broken = broken;
    rx.scatter = true;
    from_backend_init(&rx.ring, guest->rx, &buffers);
    ck_assert_int_eq(to_guest_init(&to, guest->rx), 0);
    burst_gate_open(&rx.gate);
    events = drains = 0;
    broken_why = NULL;
}

static void teardown(void)
{
    ck_assert_uint_eq(rte_mempool_avail_count(pool), MBUFS);
    fake_guest_destroy(guest);
    rte_eal_cleanup();
}

static void send_packets(uint32_t size, unsigned int count)
{
    struct to_guest_span span = { data, size };
    struct to_guest_packet packets[TO_GUEST_BURST];

    for (unsigned int i = 0; i < count; i++) {
        packets[i] = (struct to_guest_packet){ .spans = &span,
                                               .span_count = 1 };
    }
    ck_assert_int_eq(to_guest_take(&to, &to_burst, packets, count),
                     (int)count);
    access_copy(&guest->access, ACCESS_TO_GUEST, to_burst.copies,
                to_burst.copy_count);
    to_guest_respond(&to, &to_burst);
}

/* How many good packets came, all of that size. */
static unsigned int receive(uint32_t size)
{
    unsigned int count = front_rx_burst(&rx, pool, mbufs, BURST);
    static uint8_t copy[LARGE];

    for (unsigned int i = 0; i < count; i++) {
        const void *got = rte_pktmbuf_read(mbufs[i], 0, size, copy);

        ck_assert_uint_eq(mbufs[i]->pkt_len, size);
        ck_assert_ptr_nonnull(got);
        ck_assert_int_eq(memcmp(got, data, size), 0);
    }
    rte_pktmbuf_free_bulk(mbufs, count);
    return count;
}

static void take_mbufs(unsigned int left)
{
    ck_assert_int_eq(rte_pktmbuf_alloc_bulk(pool, taken, MBUFS - left), 0);
}

static void give_mbufs(unsigned int left)
{
    rte_pktmbuf_free_bulk(taken, MBUFS - left);
}

START_TEST(small_and_large)
{
    send_packets(100, 20);
    ck_assert_uint_eq(receive(100), BURST);
    ck_assert_uint_eq(receive(100), 4);
    ck_assert_uint_eq(receive(100), 0);
    send_packets(LARGE, 3);
    ck_assert_uint_eq(receive(LARGE), 3);
    ck_assert_uint_eq(rx.stats.packets, 23);
    ck_assert_uint_eq(rx.stats.bytes, 20 * 100 + 3 * LARGE);
    ck_assert_ptr_null(broken_why);
}
END_TEST

START_TEST(too_large_without_chains)
{
    rx.scatter = false;
    send_packets(LARGE, 2);
    send_packets(100, 1);
    ck_assert_uint_eq(receive(100), 1);
    ck_assert_uint_eq(rx.stats.too_large, 2);
}
END_TEST

/*
 * Packets that found no mbufs wait in the ring.  A thread that went to sleep
 * over them slept until the backend sent another: it had been told that
 * nothing had come since it looked.
 */
START_TEST(packets_wait_for_mbufs_awake)
{
    send_packets(100, 5);
    take_mbufs(0);
    ck_assert_uint_eq(receive(100), 0);
    ck_assert_uint_eq(rx.stats.no_mbuf, 1);
    ck_assert(front_rx_arm(&rx));
    give_mbufs(0);
    ck_assert_uint_eq(receive(100), 5);
    ck_assert(!front_rx_arm(&rx));
    ck_assert_uint_eq(drains, 2);
}
END_TEST

/* The same of a chain whose first mbufs there were; those come back. */
START_TEST(chains_wait_for_mbufs_awake)
{
    send_packets(100, 1);
    send_packets(LARGE, 2);
    take_mbufs(4);              /* three heads, and half a chain's rest */
    ck_assert_uint_eq(receive(100), 1);
    ck_assert_uint_eq(rx.stats.no_mbuf, 1);
    ck_assert(front_rx_arm(&rx));
    give_mbufs(4);
    ck_assert_uint_eq(receive(LARGE), 2);
    ck_assert(!front_rx_arm(&rx));
}
END_TEST

static netif_rx_response_t *response(RING_IDX index)
{
    union netif_rx_sring_entry *entries = guest->rx->ring;

    return &entries[index % FROM_BACKEND_RING_SIZE].rsp;
}

/* A lie shuts the gate, once, and takes no mbuf. */
START_TEST(a_lie_breaks_the_ring)
{
    send_packets(100, 2);
    if (_i == 0) {
        response(1)->id++;
    } else {
        guest->rx->rsp_prod += FROM_BACKEND_RING_SIZE;
    }
    ck_assert_uint_eq(receive(100), 0);
    ck_assert_ptr_nonnull(broken_why);
    broken_why = NULL;
    ck_assert_uint_eq(receive(100), 0);
    ck_assert_ptr_null(broken_why);
    ck_assert_uint_eq(rx.stats.ring_errors, 1);
    ck_assert(!front_rx_arm(&rx));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("front_burst");
    TCase *tcase = unit_case(suite, "rx");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, small_and_large);
    tcase_add_test(tcase, too_large_without_chains);
    tcase_add_test(tcase, packets_wait_for_mbufs_awake);
    tcase_add_test(tcase, chains_wait_for_mbufs_awake);
    tcase_add_loop_test(tcase, a_lie_breaks_the_ring, 0, 2);
    return unit_run(suite);
}
