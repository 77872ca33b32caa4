/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netback/pmd_counters.c: what DPDK is told of counters that lie in queues,
 * before and after a reset.
 */
#include <string.h>

#include <ethdev_driver.h>

#include "netback/pmd_counters.h"
#include "unit.h"

struct queue {
    uint64_t packets, bad[2], odd;
};

static const struct pmd_counter counters[] = {
    { "packets", offsetof(struct queue, packets), PMD_IPACKETS },
    { "bad_dropped", offsetof(struct queue, bad[0]), PMD_OERRORS },
    { "worse_dropped", offsetof(struct queue, bad[1]), PMD_OERRORS },
    { "odd", offsetof(struct queue, odd), PMD_NONE },
};

static uint64_t level;

static uint64_t read_level(const struct rte_eth_dev *dev)
{
    ck_assert_ptr_nonnull(dev);
    return level;
}

static const struct pmd_level levels[] = { { "level_bytes", read_level } };

static const struct pmd_counter_table table = {
    .counters = counters, .counter_count = RTE_DIM(counters),
    .levels = levels, .level_count = RTE_DIM(levels),
    .queue_count = 2, .queue_size = sizeof(struct queue),
};

static struct queue queues[2];
static struct pmd_counters port;
static struct rte_eth_dev_data data;
static struct rte_eth_dev dev;

static void setup(void)
{
    port = (struct pmd_counters){ .table = &table, .queues = queues };
    data.dev_private = &port;
    dev.data = &data;
    queues[0] = (struct queue){ 1, { 2, 3 }, 4 };
    queues[1] = (struct queue){ 10, { 20, 30 }, 40 };
    level = 7;
}

static void expect_values(const uint64_t expected[5])
{
    struct rte_eth_xstat xstats[5];

    ck_assert_int_eq(pmd_counters_xstats_get(&dev, xstats, 5), 5);
    for (unsigned int i = 0; i < 5; i++) {
        ck_assert_uint_eq(xstats[i].id, i);
        ck_assert_uint_eq(xstats[i].value, expected[i]);
    }
}

START_TEST(all_queues_add_up)
{
    struct rte_eth_stats stats;

    memset(&stats, 0, sizeof(stats));
    ck_assert_int_eq(pmd_counters_stats_get(&dev, &stats), 0);
    ck_assert_uint_eq(stats.ipackets, 11);
    ck_assert_uint_eq(stats.oerrors, 55);
    ck_assert_uint_eq(stats.opackets + stats.ibytes + stats.ierrors +
                      stats.rx_nombuf + stats.obytes, 0);
    expect_values((uint64_t[]){ 11, 22, 33, 44, 7 });
}
END_TEST

START_TEST(a_reset_writes_no_counter)
{
    ck_assert_int_eq(pmd_counters_reset(&dev), 0);
    expect_values((uint64_t[]){ 0, 0, 0, 0, 7 });
    queues[1].bad[1] += 5;
    expect_values((uint64_t[]){ 0, 0, 5, 0, 7 });
    ck_assert_int_eq(pmd_counters_reset(&dev), 0);
    expect_values((uint64_t[]){ 0, 0, 0, 0, 7 });
    ck_assert_uint_eq(queues[1].bad[1], 35);
}
END_TEST

START_TEST(names_and_room)
{
    struct rte_eth_xstat_name names[5];

    ck_assert_int_eq(pmd_counters_xstats_get_names(&dev, names, 5), 5);
    ck_assert_str_eq(names[0].name, "packets");
    ck_assert_str_eq(names[3].name, "odd");
    ck_assert_str_eq(names[4].name, "level_bytes");
    /* Too little room: how much it takes, and nothing written. */
    ck_assert_int_eq(pmd_counters_xstats_get_names(&dev, names, 4), 5);
    ck_assert_int_eq(pmd_counters_xstats_get_names(&dev, NULL, 0), 5);
    ck_assert_int_eq(pmd_counters_xstats_get(&dev, NULL, 5), 5);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pmd_counters");
    TCase *tcase = unit_case(suite, "pmd_counters");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, all_queues_add_up);
    tcase_add_test(tcase, a_reset_writes_no_counter);
    tcase_add_test(tcase, names_and_room);
    return unit_run(suite);
}
