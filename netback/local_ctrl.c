/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control ring of a local frontend: one request at a time, and what a
 * frontend does with it, static grants and hashing.  Talks to
 * local_listen.c, which made the ring.
 *
 * Invariants:
 *  1. The message page is granted for the front's life, as the ring is; it
 *     holds the list, key or mapping of the request that is under way.
 *  2. A backend that does not answer, or answers another question, is an
 *     error; its indices are not believed.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "local_private.h"

#define CTRL_SLOTS 128u

static union xen_netif_ctrl_sring_entry *entry(struct local_front *front,
                                               RING_IDX index)
{
    union xen_netif_ctrl_sring_entry *entries = front->ctrl->ring;

    return entries + index % CTRL_SLOTS;
}

/* Wait for the response to the last request. */
static int wait_response(struct local_front *front, int timeout_ms)
{
    struct pollfd wait = { .fd = front->ctrl_event, .events = POLLIN };
    char event;

    while (ring_load(&front->ctrl->rsp_prod) != front->ctrl_prod) {
        ring_publish(&front->ctrl->rsp_event, front->ctrl_prod);
        __atomic_thread_fence(__ATOMIC_SEQ_CST);
        if (ring_load(&front->ctrl->rsp_prod) == front->ctrl_prod) {
            break;
        }
        if (poll(&wait, 1, timeout_ms) != 1) {
            return -ETIMEDOUT;
        }
        (void)!recv(front->ctrl_event, &event, sizeof(event), MSG_DONTWAIT);
    }
    return 0;
}

int local_front_ctrl(struct local_front *front, uint16_t type,
                     const uint32_t data[3],
                     struct xen_netif_ctrl_response *response,
                     int timeout_ms)
{
    RING_IDX old = front->ctrl_prod;
    int error;

    if ((front->features & LOCAL_CTRL) == 0) {
        return -EOPNOTSUPP;
    }
    entry(front, old)->req = (struct xen_netif_ctrl_request){
        .id = (uint16_t)old, .type = type,
        .data = { data[0], data[1], data[2] },
    };
    front->ctrl_prod = old + 1;
    if (ring_push(&front->ctrl->req_prod, &front->ctrl->req_event, old,
                  front->ctrl_prod)) {
        local_front_ctrl_kick(front);
    }
    error = wait_response(front, timeout_ms);
    if (error != 0) {
        return error;
    }
    *response = entry(front, old)->rsp;
    return response->id == (uint16_t)old && response->type == type ? 0
                                                                  : -EPROTO;
}

void local_front_ctrl_kick(struct local_front *front)
{
    static const char event = 1;

    (void)!send(front->ctrl_event, &event, sizeof(event),
                MSG_DONTWAIT | MSG_NOSIGNAL);
}

void *local_front_ctrl_page(struct local_front *front, grant_ref_t *ref)
{
    *ref = front->ctrl_page;
    return local_front_page(front, front->ctrl_page);
}

xen_netif_ctrl_sring_t *local_front_ctrl_ring(struct local_front *front)
{
    return front->ctrl;
}

/* One request that has to succeed. */
static int require(struct local_front *front, uint16_t type, uint32_t a,
                   uint32_t b, uint32_t c)
{
    const uint32_t data[3] = { a, b, c };
    struct xen_netif_ctrl_response response;
    int error = local_front_ctrl(front, type, data, &response,
                                 LOCAL_FRONT_CTRL_MS);

    if (error == 0 && response.status != XEN_NETIF_CTRL_STATUS_SUCCESS) {
        error = -EINVAL;
    }
    return error;
}

/* The list of a queue's pages, all slots of both rings. */
static uint32_t list_pages(struct local_front *front, unsigned int queue)
{
    struct xen_netif_gref *list = local_front_page(front, front->ctrl_page);
    const struct front_queue *q = &front->queues[queue];

    for (uint32_t i = 0; i < LOCAL_FRONT_SLOTS; i++) {
        list[2 * i] = (struct xen_netif_gref){
            .ref = q->tx_page + i, .flags = XEN_NETIF_CTRLF_GREF_readonly,
        };
        list[2 * i + 1] = (struct xen_netif_gref){ .ref = q->rx_page + i };
    }
    return 2 * LOCAL_FRONT_SLOTS;
}

int local_front_use_static(struct local_front *front)
{
    int error = 0;

    local_front_grant_all(front);
    for (unsigned int i = 0; i < front->queue_count && error == 0; i++) {
        uint32_t count = list_pages(front, i);

        error = require(front, XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, i,
                        front->ctrl_page, count);
    }
    return error;
}

int local_front_drop_static(struct local_front *front, unsigned int queue)
{
    uint32_t count = list_pages(front, queue);

    return require(front, XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING, queue,
                   front->ctrl_page, count);
}

int local_front_use_hash(struct local_front *front,
                         const struct local_hash *hash)
{
    void *page = local_front_page(front, front->ctrl_page);
    uint32_t ref = front->ctrl_page;
    int error = require(front, XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM,
                        XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ, 0, 0);

    if (error == 0) {
        memcpy(page, hash->key, hash->key_size);
        error = require(front, XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, ref,
                        hash->key_size, 0);
    }
    if (error == 0) {
        error = require(front, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE,
                        hash->mapping_size, 0, 0);
    }
    if (error == 0) {
        memcpy(page, hash->mapping,
               hash->mapping_size * sizeof(*hash->mapping));
        error = require(front, XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, ref,
                        hash->mapping_size, 0);
    }
    if (error == 0) {
        error = require(front, XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS,
                        hash->flags, 0, 0);
    }
    return error;
}
