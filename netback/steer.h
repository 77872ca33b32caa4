/* SPDX-License-Identifier: GPL-2.0-only */
/* Mbufs to the queues that a frontend's hash wants them on. */
#ifndef NETBACK_STEER_H
#define NETBACK_STEER_H

#include <stdint.h>

#include "vif.h"

/*
 * Send mbufs to the guest's queues, queue_count of them, by vif->hash_table;
 * returns how many were consumed, as a driver's transmit burst does.  The
 * others, which found no buffers in their queue, are in the array behind
 * them, in an order that keeps each queue's own.
 */
uint16_t steer_to_guest(struct vif *vif, uint16_t queue_count,
                        struct rte_mbuf **mbufs, uint16_t count);

#endif
