/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GANTRY_VERDICT_H
#define GANTRY_VERDICT_H 1

/* What the toolstack is to be told about a vif: see verdict.c. */

#include "reconcile.h"

#define VERDICT_REASON_MAX 299

/* libxl gives a backend 10 s to reach InitWait, and as long to reach Closed; a
 * hotplug script has 40 s.  We have answered before. */
#define VERDICT_CONNECT_MS 3000 /* For ovsdb-server to be back. */
#define VERDICT_ATTACH_MS 7000  /* For ovs-vswitchd to begin with the port. */
#define VERDICT_DRIVER_MS 25000 /* For it to end, once the driver is there. */
#define VERDICT_CLOSE_MS 3000   /* For the driver to close its device. */

enum verdict_kind {
    VERDICT_WAIT,               /* Not known yet. */
    VERDICT_ATTACHED,           /* The port exists and works. */
    VERDICT_FAILED              /* It does not, and 'reason' says why. */
};

struct verdict {
    enum verdict_kind kind;
    char reason[VERDICT_REASON_MAX + 1];
};

/* What to do about a vif that the toolstack takes away. */
struct verdict_close {
    bool keep_port;             /* It still wants its port. */
    bool set_closed;            /* Nobody else will write state Closed. */
};

void verdict_attach(const struct vif *, const struct port *wanted,
                    const struct actual_switch *, long long int age_ms,
                    struct verdict *);
struct verdict_close verdict_close(const struct vif *, bool has_port,
                                   bool connected, long long int age_ms);

#endif /* verdict.h */
