/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Link state of a port, and the way a control thread tells of its changes.
 *
 * Talks to DPDK only.  Invariants:
 *  1. The news go through an EAL alarm, for the application's callbacks take
 *     the application's locks, under which it may be removing the port; so
 *     the port may be gone when the alarm comes, and its number another
 *     device's.
 *  2. A guest can connect again and again, each time with other queues, and
 *     Open vSwitch stops its threads for a while to reset a port: one port is
 *     reset once in RESET_MS.  Until then its queues serve whatever there is.
 */
#include <string.h>

#include <rte_alarm.h>
#include <ethdev_driver.h>

#include "netback/clock.h"
#include "netback/pmd_link.h"

#define RESET_MS 5000u
#define EVENT_LINK_UP (1u << 16)
#define EVENT_QUEUES (1u << 17)
#define DRIVERS "net_xen"       /* net_xenvif, net_xenfront */

static struct reset {
    uint64_t next_ms;           /* control thread: not before */
    bool owed;                  /* [a] an alarm will say it */
} resets[RTE_MAX_ETHPORTS];

void pmd_link_begin(uint16_t port)
{
    resets[port].next_ms = 0;
}

void pmd_link_set(struct rte_eth_dev *dev, bool up)
{
    const struct rte_eth_link link = {
        .link_speed = RTE_ETH_SPEED_NUM_10G,
        .link_duplex = RTE_ETH_LINK_FULL_DUPLEX,
        .link_autoneg = RTE_ETH_LINK_FIXED,
        .link_status = up ? RTE_ETH_LINK_UP : RTE_ETH_LINK_DOWN,
    };

    (void)rte_eth_linkstatus_set(dev, &link);
}

/* For one of ours news that are another's do no harm; hardware is reset. */
static bool is_ours(const struct rte_eth_dev *dev)
{
    return dev->device != NULL && dev->device->driver != NULL &&
           strncmp(dev->device->driver->name, DRIVERS, strlen(DRIVERS)) == 0;
}

/* In EAL's interrupt thread.  The port may be gone: touch nothing of it. */
static void tell(void *argument)
{
    uint32_t event = (uint32_t)(uintptr_t)argument;
    uint16_t port = (uint16_t)event;
    struct rte_eth_dev *dev = &rte_eth_devices[port];

    if (!rte_eth_dev_is_valid_port(port) || !is_ours(dev)) {
        return;
    }
    pmd_link_set(dev, (event & EVENT_LINK_UP) != 0);
    rte_eth_dev_callback_process(dev, RTE_ETH_EVENT_INTR_LSC, NULL);
    if ((event & EVENT_QUEUES) != 0) {
        rte_eth_dev_callback_process(dev, RTE_ETH_EVENT_INTR_RESET, NULL);
    }
}

/* The same, of an owed reset; what it finds is as it is then. */
static void tell_reset(void *argument)
{
    uint16_t port = (uint16_t)(uintptr_t)argument;
    struct rte_eth_dev *dev = &rte_eth_devices[port];

    __atomic_store_n(&resets[port].owed, false, __ATOMIC_SEQ_CST);
    if (rte_eth_dev_is_valid_port(port) && is_ours(dev)) {
        rte_eth_dev_callback_process(dev, RTE_ETH_EVENT_INTR_RESET, NULL);
    }
}

/* True: reset it now.  Else an alarm will say so; *told: or cannot. */
static bool may_reset(uint16_t port, bool *told)
{
    struct reset *r = &resets[port];
    uint64_t now = clock_ms();
    uint64_t delay = r->next_ms > now ? r->next_ms - now : 0;

    if (delay != 0 &&
        __atomic_exchange_n(&r->owed, true, __ATOMIC_SEQ_CST)) {
        return false;
    }
    r->next_ms = now + delay + RESET_MS;
    if (delay == 0) {
        return true;
    }
    *told = rte_eal_alarm_set(delay * 1000, tell_reset,
                              (void *)(uintptr_t)port) == 0;
    if (!*told) {
        __atomic_store_n(&r->owed, false, __ATOMIC_SEQ_CST);
    }
    return false;
}

bool pmd_link_tell(uint16_t port, bool up, bool queues_changed)
{
    uint32_t event = port;
    bool told = true;

    event |= up ? EVENT_LINK_UP : 0;
    event |= queues_changed && may_reset(port, &told) ? EVENT_QUEUES : 0;
    return rte_eal_alarm_set(1, tell, (void *)(uintptr_t)event) == 0 && told;
}
