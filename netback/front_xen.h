/* SPDX-License-Identifier: GPL-2.0-only */
/* A link to a backend in another domain, by gntalloc and evtchn. */
#ifndef NETBACK_FRONT_XEN_H
#define NETBACK_FRONT_XEN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "front_link.h"

#define FRONT_XEN_NODES 4u      /* of a queue or the control ring, at most */

/* A printf format for a handle and a driver's name. */
#define FRONT_XEN_UNBIND "echo vif-%u > /sys/bus/xen/drivers/%s/unbind"

struct front_xen_peer {
    uint16_t domid;             /* the backend's */
    bool split;                 /* it takes an event channel for each ring */
    bool ctrl;                  /* it takes a control ring */
};

struct front_node {
    const char *name;
    unsigned long value;
};

/*
 * Rings, buffers and event channels for a backend.  NULL: *why says what is
 * missing, for a person.  A control ring that cannot be had is left out.
 */
struct front_link *front_xen_create(const struct front_xen_peer *peer,
                                    const struct front_wish *wish,
                                    const char **why);

/* What the backend has to know of a queue; returns how many. */
unsigned int front_xen_nodes(const struct front_link *link,
                             unsigned int queue, struct front_node *nodes);

/* The same of the control ring; 0: there is none. */
unsigned int front_xen_ctrl_nodes(const struct front_link *link,
                                  struct front_node *nodes);

/* A device file that is needed and missing, or NULL. */
const char *front_xen_missing(void);

/* Has a driver of the kernel bound device vif-<handle>?  Its name. */
bool front_xen_kernel_has(unsigned int handle, char *driver, size_t size);

#endif
