/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets to a backend: buffers, netif TX requests and their responses.
 * Talks to ring.h only.
 *
 *   free --put: copied, request written--> pending --reap: response--> free
 *
 * Invariants:
 *  1. A response is read from the ring once, in reap, one word.
 *  2. Every slot between rsp_cons and req_prod is a pending id or an extra
 *     info: their counts add up, so neither ids nor slots can be lost.
 *  3. A buffer is written only while it is free: a backend that reads late
 *     reads what it was sent, or a later packet that goes to it as well.
 *  4. An id out of range or not pending, and an answer to an extra info that
 *     nobody sent, break the ring; nothing else is done with them.
 *  5. req_prod is stored once a burst, always at a packet's end.
 */
#include <errno.h>
#include <string.h>

#include "ring.h"
#include "to_backend.h"

/*
 * Small packets begin at different lines of their pages: caches of 4 KiB a
 * way would have all their first lines in one set.
 */
#define STAGGER 128u
#define STAGGERS 16u
#define STAGGER_SIZE_MAX (ACCESS_PAGE_SIZE - STAGGER * (STAGGERS - 1))

_Static_assert(sizeof(union netif_tx_sring_entry) == 12, "netif TX slot");
_Static_assert(sizeof(netif_tx_response_t) == sizeof(uint32_t), "response");

static union netif_tx_sring_entry *ring_entry(const struct to_backend *q,
                                              RING_IDX index)
{
    /* The ABI declares ring[1]; the array has TO_BACKEND_RING_SIZE. */
    union netif_tx_sring_entry *entries = q->ring->ring;

    return entries + (index & (TO_BACKEND_RING_SIZE - 1));
}

void to_backend_init(struct to_backend *q, netif_tx_sring_t *ring,
                     const struct backend_buffers *buffers)
{
    *q = (struct to_backend){ .ring = ring, .buffers = *buffers };
    memset(ring, 0, ACCESS_PAGE_SIZE);
    ring->req_event = ring->rsp_event = 1;
    q->free_count = buffers->count;
    for (uint16_t i = 0; i < q->free_count; i++) {
        q->free[i] = q->free_count - 1 - i;
    }
}

/* False: it answers nothing that was asked. */
static bool finish(struct to_backend *q, const netif_tx_response_t *response)
{
    uint16_t id;

    if (response->status == NETIF_RSP_NULL) {
        if (q->extras == 0) {
            return false;
        }
        q->extras--;
        return true;
    }
    if (response->id >= q->buffers.count) {
        return false;
    }
    id = (uint16_t)ring_nospec(response->id, q->buffers.count);
    if (!q->pending[id]) {
        return false;
    }
    q->errors += response->status != NETIF_RSP_OKAY;
    q->pending[id] = false;
    q->free[q->free_count++] = id;
    return true;
}

int to_backend_reap(struct to_backend *q)
{
    RING_IDX end = ring_load(&q->ring->rsp_prod);

    if (q->fault == TO_BACKEND_OK &&
        end - q->rsp_cons > q->req_pushed - q->rsp_cons) {
        q->fault = TO_BACKEND_INDEX;
    }
    while (q->fault == TO_BACKEND_OK && q->rsp_cons != end) {
        union {
            uint32_t word;
            netif_tx_response_t response;
        } copy;

        ring_copy_out(&copy.word, ring_entry(q, q->rsp_cons), 1);
        if (finish(q, &copy.response)) {
            q->rsp_cons++;
        } else {
            q->fault = TO_BACKEND_ID;
        }
    }
    return q->fault == TO_BACKEND_OK ? 0 : -EPROTO;
}

/* Bytes of a packet, saturated above what any backend takes. */
static uint32_t packet_size(const struct to_backend_packet *packet)
{
    uint32_t size = 0;

    for (unsigned int i = 0; i < packet->span_count; i++) {
        uint32_t part = packet->spans[i].size;

        if (part > TO_BACKEND_SIZE_MAX - size) {
            return TO_BACKEND_SIZE_MAX + 1;
        }
        size += part;
    }
    return size;
}

/* Where the source of a packet's bytes stands. */
struct cursor {
    const struct to_backend_span *span;
    uint32_t used;              /* bytes of *span */
};

/* The caller has made sure that the spans hold size bytes more. */
static void copy_out(uint8_t *to, struct cursor *from, uint32_t size)
{
    while (size != 0) {
        uint32_t part = from->span->size - from->used;

        if (part == 0) {
            from->span++;
            from->used = 0;
            continue;
        }
        if (part > size) {
            part = size;
        }
        memcpy(to, from->span->data + from->used, part);
        to += part;
        from->used += part;
        size -= part;
    }
}

/* One buffer with size bytes; named is the size that its request says. */
static void put_slot(struct to_backend *q, struct cursor *from, uint32_t size,
                     const netif_tx_request_t *template)
{
    uint16_t id = q->free[--q->free_count];
    uint32_t offset = size <= STAGGER_SIZE_MAX ?
                      id % STAGGERS * STAGGER : 0;

    copy_out(q->buffers.pages + (size_t)id * ACCESS_PAGE_SIZE + offset, from,
             size);
    q->pending[id] = true;
    ring_entry(q, q->req_prod++)->req = (netif_tx_request_t){
        .gref = q->buffers.refs[id],
        .offset = (uint16_t)offset,
        .flags = template->flags,
        .id = id,
        .size = template->size,
    };
}

static void put_gso(struct to_backend *q,
                    const struct to_backend_packet *packet)
{
    netif_extra_info_t extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO };
    union netif_tx_sring_entry *entry = ring_entry(q, q->req_prod++);

    extra.u.gso.size = packet->gso_size;
    extra.u.gso.type = packet->gso_type;
    memset(entry, 0, sizeof(*entry));
    memcpy(entry, &extra, sizeof(extra));
    q->extras++;
}

int to_backend_put(struct to_backend *q,
                   const struct to_backend_packet *packet)
{
    uint32_t rest = packet_size(packet);
    unsigned int pages = (rest + ACCESS_PAGE_SIZE - 1) / ACCESS_PAGE_SIZE;
    bool has_gso = packet->gso_size != 0;
    netif_tx_request_t template = {
        .flags = packet->flags & (NETTXF_csum_blank | NETTXF_data_validated),
        .size = (uint16_t)rest,         /* of the whole packet, in the first */
    };
    struct cursor from = { .span = packet->spans };

    if (rest == 0 || rest > TO_BACKEND_SIZE_MAX ||
        (q->linear && pages + has_gso > 1)) {
        return -EMSGSIZE;
    }
    if (pages > q->free_count || pages + has_gso >
        TO_BACKEND_RING_SIZE - (q->req_prod - q->rsp_cons)) {
        return -ENOBUFS;
    }
    template.flags |= has_gso ? NETTXF_extra_info : 0;
    while (rest != 0) {
        uint32_t part = rest < ACCESS_PAGE_SIZE ? rest : ACCESS_PAGE_SIZE;

        rest -= part;
        template.flags |= rest != 0 ? NETTXF_more_data : 0;
        put_slot(q, &from, part, &template);
        if (has_gso) {
            put_gso(q, packet);
            has_gso = false;
        }
        template.flags = 0;
        template.size = (uint16_t)(rest < ACCESS_PAGE_SIZE ?
                                   rest : ACCESS_PAGE_SIZE);
    }
    return 0;
}

bool to_backend_push(struct to_backend *q)
{
    RING_IDX old = q->req_pushed;

    if (q->req_prod == old) {
        return false;
    }
    q->req_pushed = q->req_prod;
    return ring_push(&q->ring->req_prod, &q->ring->req_event, old,
                     q->req_prod);
}

const char *to_backend_fault_text(enum to_backend_fault fault)
{
    switch (fault) {
    case TO_BACKEND_OK:
        return "no fault";
    case TO_BACKEND_INDEX:
        return "the backend answers more TX requests than there are";
    case TO_BACKEND_ID:
        return "the backend answers a TX request that it was not sent";
    }
    return "unknown fault";
}
