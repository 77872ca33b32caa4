/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Requests over a control ring and their responses.  Talks to ring.h only.
 *
 * Invariants:
 *  1. A response is read from the ring once, into a private copy; its status
 *     and its data are the backend's word and no more.
 *  2. One request is out at most, so the backend's index is either where it
 *     was or one more, and its id and type are known.
 */
#include <errno.h>
#include <string.h>

#include "ctrl_ask.h"
#include "ring.h"

_Static_assert(sizeof(struct xen_netif_ctrl_response) == 12, "response");
_Static_assert(sizeof(union xen_netif_ctrl_sring_entry) == 16, "slot");

static union xen_netif_ctrl_sring_entry *ring_entry(const struct ctrl_ask *q,
                                                    RING_IDX index)
{
    /* The ABI declares ring[1]; the array has CTRL_ASK_RING_SIZE. */
    union xen_netif_ctrl_sring_entry *entries = q->ring->ring;

    return entries + (index & (CTRL_ASK_RING_SIZE - 1));
}

void ctrl_ask_init(struct ctrl_ask *q, xen_netif_ctrl_sring_t *ring)
{
    *q = (struct ctrl_ask){ .ring = ring };
    memset(ring, 0, ACCESS_PAGE_SIZE);
    ring->req_event = ring->rsp_event = 1;
}

bool ctrl_ask_put(struct ctrl_ask *q,
                  const struct xen_netif_ctrl_request *request)
{
    RING_IDX old = q->prod;
    struct xen_netif_ctrl_request *slot = &ring_entry(q, old)->req;

    *slot = *request;
    slot->id = (uint16_t)old;
    q->type = request->type;
    q->prod = old + 1;
    ring_publish(&q->ring->rsp_event, q->prod);
    return ring_push(&q->ring->req_prod, &q->ring->req_event, old, q->prod);
}

int ctrl_ask_take(struct ctrl_ask *q,
                  struct xen_netif_ctrl_response *response)
{
    RING_IDX end = ring_load(&q->ring->rsp_prod);
    uint32_t word[sizeof(*response) / sizeof(uint32_t)];

    if (end == q->cons) {
        return 0;
    }
    if (end != q->prod) {
        return -EPROTO;
    }
    ring_copy_out(word, ring_entry(q, q->cons),
                  sizeof(word) / sizeof(word[0]));
    memcpy(response, word, sizeof(*response));
    if (response->id != (uint16_t)q->cons || response->type != q->type) {
        return -EPROTO;
    }
    q->cons = q->prod;
    return 1;
}
