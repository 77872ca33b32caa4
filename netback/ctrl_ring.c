/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The backend's half of a netif control ring: requests to operations, and
 * back to responses.  Talks to hash for hashing, and to an access for the
 * pages that a request names.
 *
 * Invariants:
 *  1. A request is read from the ring once, each word once; what acts on it
 *     sees only that copy.  A page that it names is copied once, whole,
 *     before any of it is looked at.
 *  2. Each request has exactly one response, written from a zeroed struct;
 *     req_cons moves with it.
 *  3. A turn is bounded by CTRL_RING_TURN requests and CTRL_RING_GREFS_MAX
 *     grants; nothing here waits for the guest.
 *  4. An operation that fails has changed nothing.  (One exception: deleted
 *     grants stay deleted when their statuses cannot be written back.)
 *
 * The answers are those of Linux's netback, which frontends know, where it
 * follows xen/io/netif.h; reserved words are ignored, as it does.
 */
#include <errno.h>
#include <string.h>

#include "ctrl_ring.h"
#include "ring.h"

_Static_assert(sizeof(struct xen_netif_ctrl_request) == 16, "request");
_Static_assert(sizeof(struct xen_netif_ctrl_response) == 12, "response");
_Static_assert(sizeof(union xen_netif_ctrl_sring_entry) == 16, "slot");
_Static_assert(sizeof(struct xen_netif_gref) == 8, "gref");

static union xen_netif_ctrl_sring_entry *ring_entry(const struct ctrl_ring *q,
                                                    RING_IDX index)
{
    /* The ABI declares ring[1]; the array has CTRL_RING_SIZE. */
    union xen_netif_ctrl_sring_entry *entries = q->ring->ring;

    return entries + (index & (CTRL_RING_SIZE - 1));
}

int ctrl_ring_init(struct ctrl_ring *q, xen_netif_ctrl_sring_t *ring)
{
    RING_IDX rsp_prod = ring_load(&ring->rsp_prod);
    RING_IDX req_prod = ring_load(&ring->req_prod);

    *q = (struct ctrl_ring){ .ring = ring, .req_cons = rsp_prod };
    if ((RING_IDX)(req_prod - rsp_prod) > CTRL_RING_SIZE) {
        q->fault = CTRL_RING_INDEX;
        return -EPROTO;
    }
    return 0;
}

/* Copy size bytes between the start of a granted page and our memory. */
static uint32_t copy_page(const struct ctrl_ring_target *target,
                          enum access_direction direction, grant_ref_t ref,
                          void *host, uint32_t size)
{
    struct access_copy copy = {
        .ref = ref, .size = (uint16_t)size, .status = GNTST_general_error,
        .host = host,
    };

    if (size == 0) {
        return XEN_NETIF_CTRL_STATUS_SUCCESS;
    }
    access_copy(target->access, direction, &copy, 1);
    return copy.status == GNTST_okay
               ? XEN_NETIF_CTRL_STATUS_SUCCESS
               : XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
}

static uint32_t set_hash_key(const struct ctrl_ring_target *target,
                             const uint32_t *data)
{
    uint8_t key[HASH_KEY_MAX];
    uint32_t status = hash_check_key(data[1]);

    if (status == XEN_NETIF_CTRL_STATUS_SUCCESS) {
        status = copy_page(target, ACCESS_FROM_GUEST, data[0], key, data[1]);
    }
    if (status == XEN_NETIF_CTRL_STATUS_SUCCESS) {
        hash_set_key(target->hash, key, data[1]);
    }
    return status;
}

static uint32_t set_hash_mapping(const struct ctrl_ring_target *target,
                                 const uint32_t *data)
{
    uint32_t queues[HASH_MAPPING_MAX];
    uint32_t status = hash_check_mapping(target->hash, data[1], data[2]);

    if (status == XEN_NETIF_CTRL_STATUS_SUCCESS) {
        status = copy_page(target, ACCESS_FROM_GUEST, data[0], queues,
                           data[1] * (uint32_t)sizeof(queues[0]));
    }
    if (status != XEN_NETIF_CTRL_STATUS_SUCCESS) {
        return status;
    }
    return hash_set_mapping(target->hash, queues, data[1], data[2],
                            target->queue_count);
}

static uint32_t get_gref_size(const struct ctrl_ring_target *target,
                              const uint32_t *data, uint32_t *size)
{
    if (target->grefs == NULL) {
        return XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
    }
    if (data[0] >= target->queue_count) {
        return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
    }
    *size = target->grefs->size(target->grefs_self);
    return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

/* The list of a request about grants, as a private copy. */
static uint32_t get_gref_list(const struct ctrl_ring_target *target,
                              const uint32_t *data,
                              struct xen_netif_gref *list)
{
    if (target->grefs == NULL) {
        return XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
    }
    if (data[0] >= target->queue_count || data[2] > CTRL_RING_GREFS_MAX) {
        return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
    }
    return copy_page(target, ACCESS_FROM_GUEST, data[1], list,
                     data[2] * (uint32_t)sizeof(list[0]));
}

static uint32_t add_grefs(const struct ctrl_ring_target *target,
                          const uint32_t *data)
{
    struct xen_netif_gref list[CTRL_RING_GREFS_MAX];
    uint32_t status = get_gref_list(target, data, list);

    if (status == XEN_NETIF_CTRL_STATUS_SUCCESS && data[2] != 0 &&
        target->grefs->add(target->grefs_self, (uint16_t)data[0], list,
                           data[2]) != 0) {
        status = XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
    }
    return status;
}

static uint32_t del_grefs(const struct ctrl_ring_target *target,
                          const uint32_t *data, uint32_t *unmapped)
{
    struct xen_netif_gref list[CTRL_RING_GREFS_MAX];
    uint32_t status = get_gref_list(target, data, list);

    if (status != XEN_NETIF_CTRL_STATUS_SUCCESS || data[2] == 0) {
        return status;
    }
    *unmapped = target->grefs->del(target->grefs_self, (uint16_t)data[0],
                                   list, data[2]);
    return copy_page(target, ACCESS_TO_GUEST, data[1], list,
                     data[2] * (uint32_t)sizeof(list[0]));
}

static uint32_t act(const struct ctrl_ring_target *target, uint16_t type,
                    const uint32_t *data, uint32_t *out)
{
    switch (type) {
    case XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS:
        return hash_get_flags(target->hash, out);
    case XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS:
        return hash_set_flags(target->hash, data[0]);
    case XEN_NETIF_CTRL_TYPE_SET_HASH_KEY:
        return set_hash_key(target, data);
    case XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE:
        *out = HASH_MAPPING_MAX;
        return XEN_NETIF_CTRL_STATUS_SUCCESS;
    case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE:
        return hash_set_mapping_size(target->hash, data[0]);
    case XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING:
        return set_hash_mapping(target, data);
    case XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM:
        return hash_set_algorithm(target->hash, data[0]);
    case XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE:
        return get_gref_size(target, data, out);
    case XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING:
        return add_grefs(target, data);
    case XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING:
        return del_grefs(target, data, out);
    default:
        return XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
    }
}

static bool sets_hash(uint16_t type)
{
    return type == XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS ||
           type == XEN_NETIF_CTRL_TYPE_SET_HASH_KEY ||
           type == XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE ||
           type == XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING ||
           type == XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM;
}

void ctrl_ring_act(const struct ctrl_ring_target *target,
                   const struct xen_netif_ctrl_request *request,
                   struct xen_netif_ctrl_response *response)
{
    uint32_t out = 0;

    *response = (struct xen_netif_ctrl_response){
        .id = request->id, .type = request->type,
    };
    response->status = act(target, request->type, request->data, &out);
    response->data = out;
    if (sets_hash(request->type) &&
        response->status == XEN_NETIF_CTRL_STATUS_SUCCESS) {
        hash_publish(target->table, target->hash);
    }
}

/* What a request costs, in units of an ordinary one. */
static uint32_t cost_of(const struct xen_netif_ctrl_request *request)
{
    uint32_t count = request->data[2];

    if ((request->type != XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING &&
         request->type != XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING) ||
        count > CTRL_RING_GREFS_MAX) {
        return 1;
    }
    return 1 + count / CTRL_RING_GREFS_COST;
}

/* True: none is left, and the guest will send an event for the next. */
static bool arm(struct ctrl_ring *q)
{
    ring_publish(&q->ring->req_event, q->req_cons + 1);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    return ring_load(&q->ring->req_prod) == q->req_cons;
}

static void serve(struct ctrl_ring *q, const struct ctrl_ring_target *target,
                  struct ctrl_ring_done *done)
{
    struct xen_netif_ctrl_response response;
    struct xen_netif_ctrl_request request;
    uint32_t word[sizeof(request) / sizeof(uint32_t)];
    RING_IDX old = q->req_cons;

    ring_copy_out(word, ring_entry(q, old), sizeof(word) / sizeof(word[0]));
    memcpy(&request, word, sizeof(request));
    ctrl_ring_act(target, &request, &response);
    ring_entry(q, old)->rsp = response;
    q->req_cons = old + 1;
    done->requests++;
    done->cost += cost_of(&request);
    done->notify |= ring_push(&q->ring->rsp_prod, &q->ring->rsp_event, old,
                              q->req_cons);
}

int ctrl_ring_turn(struct ctrl_ring *q, const struct ctrl_ring_target *target,
                   struct ctrl_ring_done *done)
{
    RING_IDX ready = ring_load(&q->ring->req_prod) - q->req_cons;

    *done = (struct ctrl_ring_done){ .cost = 0 };
    if (ready > CTRL_RING_SIZE) {
        q->fault = CTRL_RING_INDEX;
    }
    if (q->fault != CTRL_RING_OK) {
        return -EPROTO;
    }
    while (done->requests < ready && done->cost < CTRL_RING_TURN) {
        serve(q, target, done);
    }
    done->cost += done->cost == 0;
    done->more = done->requests < ready || !arm(q);
    return 0;
}

const char *ctrl_ring_fault_text(enum ctrl_ring_fault fault)
{
    switch (fault) {
    case CTRL_RING_OK:
        return "no fault";
    case CTRL_RING_INDEX:
        return "the control ring's producer index is more than its size "
               "ahead";
    }
    return "unknown fault";
}

uint32_t ctrl_pace_wait(const struct ctrl_pace *pace, uint64_t now_ms)
{
    uint64_t owed = pace->full_ms > now_ms ? pace->full_ms - now_ms : 0;
    uint64_t burst = (CTRL_PACE_BURST - 1) * CTRL_PACE_MS;

    return owed > burst ? (uint32_t)(owed - burst) : 0;
}

void ctrl_pace_charge(struct ctrl_pace *pace, uint64_t now_ms, uint32_t cost)
{
    uint64_t from = pace->full_ms > now_ms ? pace->full_ms : now_ms;

    pace->full_ms = from + (uint64_t)cost * CTRL_PACE_MS;
}
