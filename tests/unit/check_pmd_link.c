/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netback/pmd_link.c: what an application is told of a port, through alarms
 * that the test lets ring.
 */
#include <string.h>

#include <ethdev_driver.h>
#include <rte_alarm.h>

#include "netback/pmd_link.h"
#include "unit.h"

#define PORT 3u
#define RESET_US 5000000u
#define ALARMS 8u

struct alarm {
    uint64_t us;
    rte_eal_alarm_callback ring;
    void *argument;
};

struct rte_eth_dev rte_eth_devices[RTE_MAX_ETHPORTS];

static struct rte_eth_dev_data data;
static struct rte_driver driver = { .name = "net_xenvif" };
static struct rte_device device = { .driver = &driver };
static struct alarm alarms[ALARMS];
static unsigned int alarm_count, link_changes, resets;
static bool port_is_there, no_alarms;

/* DPDK's. */
int rte_eal_alarm_set(uint64_t us, rte_eal_alarm_callback ring,
                      void *argument)
{
    ck_assert_uint_lt(alarm_count, ALARMS);
    if (no_alarms) {
        return -ENOMEM;
    }
    alarms[alarm_count++] = (struct alarm){ us, ring, argument };
    return 0;
}

int rte_eth_dev_is_valid_port(uint16_t port)
{
    ck_assert_uint_eq(port, PORT);
    return port_is_there;
}

int rte_eth_dev_callback_process(struct rte_eth_dev *dev,
                                 enum rte_eth_event_type event, void *unused)
{
    (void)unused;
    ck_assert_ptr_eq(dev, &rte_eth_devices[PORT]);
    link_changes += event == RTE_ETH_EVENT_INTR_LSC;
    resets += event == RTE_ETH_EVENT_INTR_RESET;
    return 0;
}

static void setup(void)
{
    rte_eth_devices[PORT] = (struct rte_eth_dev){
        .data = &data, .device = &device,
    };
    driver.name = "net_xenvif";
    alarm_count = link_changes = resets = 0;
    port_is_there = true;
    no_alarms = false;
    pmd_link_begin(PORT);
}

static void ring_all(void)
{
    for (unsigned int i = 0; i < alarm_count; i++) {
        alarms[i].ring(alarms[i].argument);
    }
    alarm_count = 0;
}

START_TEST(link_and_queues)
{
    ck_assert(pmd_link_tell(PORT, true, false));
    ring_all();
    ck_assert_int_eq(data.dev_link.link_status, RTE_ETH_LINK_UP);
    ck_assert_uint_eq(link_changes, 1);
    ck_assert_uint_eq(resets, 0);
    ck_assert(pmd_link_tell(PORT, false, true));
    ring_all();
    ck_assert_int_eq(data.dev_link.link_status, RTE_ETH_LINK_DOWN);
    ck_assert_uint_eq(resets, 1);
}
END_TEST

START_TEST(gone_or_anothers)
{
    if (_i == 0) {
        port_is_there = false;
    } else if (_i == 1) {
        driver.name = "net_ixgbe";
    } else {
        rte_eth_devices[PORT].device = NULL;
    }
    ck_assert(pmd_link_tell(PORT, true, true));
    ck_assert(pmd_link_tell(PORT, true, true));
    ring_all();
    ck_assert_uint_eq(link_changes + resets, 0);
}
END_TEST

/*
 * A guest that connected again and again, with one queue and with two, had
 * Open vSwitch reset its port each time, for which all ports' threads stop.
 */
START_TEST(resets_are_paced)
{
    ck_assert(pmd_link_tell(PORT, true, true));
    ring_all();
    ck_assert_uint_eq(resets, 1);
    ck_assert(pmd_link_tell(PORT, true, true));
    ck_assert(pmd_link_tell(PORT, true, true));
    ck_assert(pmd_link_tell(PORT, true, true));
    /* Three times the link, at once; and one reset, later. */
    ck_assert_uint_eq(alarm_count, 4);
    ck_assert_uint_gt(alarms[0].us, RESET_US / 2);
    ck_assert_uint_le(alarms[0].us, RESET_US);
    for (unsigned int i = 1; i < 4; i++) {
        ck_assert_uint_eq(alarms[i].us, 1);
    }
    ring_all();
    ck_assert_uint_eq(link_changes, 4);
    ck_assert_uint_eq(resets, 2);
    /* What comes after it is not forgotten. */
    ck_assert(pmd_link_tell(PORT, true, true));
    ring_all();
    ck_assert_uint_eq(resets, 3);
    /* Another port of that number has had none. */
    pmd_link_begin(PORT);
    ck_assert(pmd_link_tell(PORT, true, true));
    ck_assert_uint_eq(alarm_count, 1);
    ck_assert_uint_eq(alarms[0].us, 1);
}
END_TEST

START_TEST(cannot_be_told)
{
    no_alarms = true;
    ck_assert(!pmd_link_tell(PORT, true, true));
    ck_assert(!pmd_link_tell(PORT, true, true));
    no_alarms = false;
    ck_assert(pmd_link_tell(PORT, true, true));
    ring_all();
    ck_assert_uint_eq(resets, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pmd_link");
    TCase *tcase = unit_case(suite, "news");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, link_and_queues);
    tcase_add_loop_test(tcase, gone_or_anothers, 0, 3);
    tcase_add_test(tcase, resets_are_paced);
    tcase_add_test(tcase, cannot_be_told);
    return unit_run(suite);
}
