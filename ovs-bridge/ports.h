/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GANTRY_PORTS_H
#define GANTRY_PORTS_H 1

/* The switch, as the database of Open vSwitch has it: see ports.c. */

#include "reconcile.h"

void ports_init(const char *remote, const char *owner);
void ports_run(void);
void ports_wait(void);
void ports_destroy(void);

bool ports_is_connected(void);
void ports_get(struct actual_switch *);
void ports_free(struct actual_switch *);
bool ports_is_busy(void);
void ports_apply(struct reconcile_op *, size_t n);

#endif /* ports.h */
