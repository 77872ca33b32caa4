/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control ring: what a frontend asks for beside its packets, in pure C.
 * Hashing (hash.h) is done here; static grants (gref.h) through a table of
 * functions, so that this file is fuzzed as it is.
 *
 * A turn serves a few requests and then ends: what is left waits for the
 * next turn, and struct ctrl_pace says when that may be.
 */
#ifndef NETBACK_CTRL_RING_H
#define NETBACK_CTRL_RING_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/io/netif.h>

#include "access.h"
#include "hash.h"

#define CTRL_RING_SIZE 128u         /* slots of a one-page ring */
#define CTRL_RING_TURN 8u           /* requests in one turn, at most */
#define CTRL_RING_GREFS_MAX \
    (ACCESS_PAGE_SIZE / (uint32_t)sizeof(struct xen_netif_gref))
#define CTRL_RING_GREFS_COST 64u    /* grants that cost as one request */

#define CTRL_PACE_BURST 32u         /* turns at once, after a quiet time */
#define CTRL_PACE_MS 5u             /* between turns, after those */

enum ctrl_ring_fault {
    CTRL_RING_OK,
    CTRL_RING_INDEX,                /* more requests than slots */
};

/* Static grants of queue; calls are made by the turn's thread only. */
struct ctrl_ring_grefs {
    /* Entries that a queue's table may have. */
    uint32_t (*size)(void *self);
    /* Map all, or none and return a negative errno. */
    int (*add)(void *self, uint16_t queue, const struct xen_netif_gref *list,
               uint32_t count);
    /*
     * Unmap those that are mapped; each list[i].status is set to
     * XEN_NETIF_CTRL_STATUS_SUCCESS or _INVALID_PARAMETER.  Returns how
     * many were unmapped.
     */
    uint32_t (*del)(void *self, uint16_t queue, struct xen_netif_gref *list,
                    uint32_t count);
};

/* What a ring's requests act on; all of it borrowed. */
struct ctrl_ring_target {
    struct access *access;          /* to the frontend's pages */
    struct hash *hash;
    struct hash_table *table;       /* published after each change */
    const struct ctrl_ring_grefs *grefs;    /* NULL: no static grants */
    void *grefs_self;
    uint16_t queue_count;
};

/* One ring's state between turns. */
struct ctrl_ring {
    xen_netif_ctrl_sring_t *ring;   /* borrowed, the guest writes it */
    RING_IDX req_cons;              /* == rsp_prod between turns */
    enum ctrl_ring_fault fault;
};

/* What a turn did. */
struct ctrl_ring_done {
    uint32_t requests;
    uint32_t cost;                  /* at least 1; for ctrl_pace_charge */
    bool notify;                    /* the guest wants an event */
    bool more;                      /* requests are left */
};

/* As from_guest_init: goes on where the ring's indices stand. */
int ctrl_ring_init(struct ctrl_ring *q, xen_netif_ctrl_sring_t *ring);

/*
 * Serve up to CTRL_RING_TURN requests, or one list of grants.  When none is
 * left the guest is asked for an event at its next one.  -EPROTO: the ring
 * is broken, q->fault says why; nothing more is served.
 */
int ctrl_ring_turn(struct ctrl_ring *q, const struct ctrl_ring_target *target,
                   struct ctrl_ring_done *done);

/* Act on one request, a private copy; response is written whole. */
void ctrl_ring_act(const struct ctrl_ring_target *target,
                   const struct xen_netif_ctrl_request *request,
                   struct xen_netif_ctrl_response *response);

/* One line for a person. */
const char *ctrl_ring_fault_text(enum ctrl_ring_fault fault);

/*
 * How often a frontend may have a turn, whether it has requests or only
 * sends events: CTRL_PACE_BURST at once, then one each CTRL_PACE_MS.
 */
struct ctrl_pace {
    uint64_t full_ms;               /* when the whole burst is there again */
};

/* Milliseconds until the next turn may be; 0: now. */
uint32_t ctrl_pace_wait(const struct ctrl_pace *pace, uint64_t now_ms);

/* A turn of that cost was had. */
void ctrl_pace_charge(struct ctrl_pace *pace, uint64_t now_ms, uint32_t cost);

#endif
