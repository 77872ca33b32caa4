/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GANTRY_WATCH_H
#define GANTRY_WATCH_H 1

/* The vifs that the toolstack made, as XenStore tells: see watch.c. */

#include <stdbool.h>

#include "openvswitch/hmap.h"
#include "verdict.h"
#include "vif.h"

/* A backend directory. */
struct watch_vif {
    struct hmap_node node;              /* In watch_vifs(). */
    struct vif vif;
    long long int since;                /* time_msec() of its last change of
                                         * state, place or verdict. */
    char status[16];                    /* Key gantry-status, or "". */
    char error[VERDICT_REASON_MAX + 1]; /* Key gantry-error, or "". */
    unsigned int scan;                  /* Number of the scan that saw it. */
    bool changed;                       /* An event told of it since. */
};

void watch_init(void);
void watch_run(void);
void watch_wait(void);
void watch_destroy(void);

bool watch_is_ready(void);
const struct hmap *watch_vifs(void);
void watch_publish(struct watch_vif *, const struct verdict *);
void watch_set_closed(struct watch_vif *);
void watch_ask_driver(struct watch_vif *);

#endif /* watch.h */
