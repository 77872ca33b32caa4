/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Asking over a control ring: the frontend's half of it, in pure C, one
 * request at a time.
 *
 *   kick = ctrl_ask_put(q, &request)
 *   found = ctrl_ask_take(q, &response)    later; perhaps never
 */
#ifndef NETBACK_CTRL_ASK_H
#define NETBACK_CTRL_ASK_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/io/netif.h>

#include "access.h"

#define CTRL_ASK_RING_SIZE 128u     /* slots of a one-page ring */

struct ctrl_ask {
    xen_netif_ctrl_sring_t *ring;   /* borrowed, the backend writes it */
    RING_IDX prod;                  /* requests put */
    RING_IDX cons;                  /* responses taken: prod, or one less */
    uint16_t type;                  /* of the last request */
};

/* Make a new ring; nobody else has its page yet. */
void ctrl_ask_init(struct ctrl_ask *q, xen_netif_ctrl_sring_t *ring);

/*
 * Put a request, whose id is set here; the one before has been answered.
 * True: the backend wants an event.  One is asked for at the response.
 */
bool ctrl_ask_put(struct ctrl_ask *q,
                  const struct xen_netif_ctrl_request *request);

/* Does a request wait for its response? */
static inline bool ctrl_ask_waits(const struct ctrl_ask *q)
{
    return q->prod != q->cons;
}

/*
 * The response, as a private copy: 1; not yet: 0.  -EPROTO: the backend
 * answers something else, or more than it was asked; nothing it says over
 * this ring is to be believed.
 */
int ctrl_ask_take(struct ctrl_ask *q,
                  struct xen_netif_ctrl_response *response);

#endif
