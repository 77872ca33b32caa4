/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vif's control ring, served by the control thread.  What reaches the
 * frontend is a transport: vif_ctrl_xen.c by Xen, vif_local.c for a process.
 */
#ifndef NETBACK_VIF_CTRL_H
#define NETBACK_VIF_CTRL_H

#include <stdbool.h>
#include <stdint.h>

#include "gref.h"
#include "vif.h"

struct xs_handle;

struct vif_ctrl_transport {
    struct access *access;      /* copies, sends events */
    grant_ref_t ref;            /* the ring's */
    int port;                   /* the channel's, for access->ops->notify */
    int fd;                     /* readable while the channel has an event */
    /* Take the events that are there.  More may come only after unmask. */
    void (*mask)(void *self);
    void (*unmask)(void *self);
    /* As struct gref_config's. */
    void *(*map)(void *self, grant_ref_t ref, bool readonly);
    void (*unmap)(void *self, void *page);
    /* Give back all of it, the access too. */
    void (*destroy)(void *self);
    void *self;
};

/*
 * Serve a control ring from now on.  Between the making of the first
 * queue_count queues' accesses, which are wrapped here, and the opening of
 * their gates.  The transport is ours, also after an error; *why says what
 * was wrong.  After -ENOMEM the queues cannot be used; after any other error
 * they can, without a control ring.
 */
int vif_ctrl_open(struct vif *vif, const struct vif_ctrl_transport *transport,
                  uint16_t queue_count, const char **why);

/*
 * Stop, unmap all static grants, forget the hash.  With all gates closed and
 * before the queues' accesses go.  Does nothing without a control ring.
 */
void vif_ctrl_close(struct vif *vif);

/* The channel's descriptor was readable. */
void vif_ctrl_event(struct vif *vif);

/*
 * Serve a round if there is something to do and the frontend may have one;
 * returns the milliseconds until that can be so again, or -1: not before an
 * event.
 */
int vif_ctrl_turn(struct vif *vif, uint64_t now_ms);

/*
 * vif_ctrl_xen.c: open the control ring that the frontend published, if it
 * did; says so in the log if that can be none.  vif->gnttab is open.  -ENOMEM:
 * as vif_ctrl_open.
 */
int vif_ctrl_connect(struct vif *vif, struct xs_handle *xs,
                     uint16_t queue_count, const char **why);

/* vif_control.c: wake the thread once, when fd becomes readable. */
int vif_control_watch(struct vif *vif, int fd);
void vif_control_rearm(struct vif *vif, int fd);
void vif_control_unwatch(int fd);

#endif
