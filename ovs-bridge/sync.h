/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GANTRY_SYNC_H
#define GANTRY_SYNC_H 1

/* Vifs to ports, verdicts to vifs: see sync.c. */

#include "openvswitch/dynamic-string.h"
#include "reconcile.h"

void sync_init(const struct port_template *);
void sync_run(void);
void sync_wait(void);
void sync_destroy(void);
void sync_show(struct ds *);

#endif /* sync.h */
