/* SPDX-License-Identifier: GPL-2.0-only */
/* What a domain's end needs of sched_op.c. */
#ifndef CORE_SCHED_OP_H
#define CORE_SCHED_OP_H

#include "core/types.h"

/*
 * The domain is dying and none of its vcpus runs: after this no watchdog
 * fires.  May be called again.
 */
void sched_op_stop_watchdogs(struct domain *d);

#endif
