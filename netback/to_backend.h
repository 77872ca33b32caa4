/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Packets to a backend: the frontend's half of a netif TX ring, in pure C.
 *
 *   error = to_backend_reap(q)             take back what was answered
 *   each packet: to_backend_put(q, &packet)
 *   kick = to_backend_push(q)              requests, one index store
 *
 * Buffers are pages that stay granted, for reading, as long as the ring
 * lives.  The protocol allows it: a reference means the same page before and
 * after its response, whether a backend copies from it, maps it for each
 * request, or keeps it mapped.  What it costs in secrecy is nothing: a page
 * holds only packets for the same backend.
 *
 * A negative errno (-EPROTO) says that the backend broke the ring; q->fault
 * says how.  The caller then stops using the ring.
 */
#ifndef NETBACK_TO_BACKEND_H
#define NETBACK_TO_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/io/netif.h>

#include "access.h"

#define TO_BACKEND_RING_SIZE 256u   /* slots of a one-page ring */
#define TO_BACKEND_BUFFERS_MIN 32u  /* one packet of 64 KiB, and then some */
#define TO_BACKEND_SIZE_MAX 65535u  /* bytes of a packet */

enum to_backend_fault {
    TO_BACKEND_OK,
    TO_BACKEND_INDEX,           /* more responses than requests */
    TO_BACKEND_ID,              /* an id that waits for no response */
};

struct to_backend_span {
    const uint8_t *data;
    uint32_t size;
};

struct to_backend_packet {
    const struct to_backend_span *spans;
    uint16_t span_count;
    uint16_t flags;             /* NETTXF_csum_blank, _data_validated */
    uint16_t gso_size;          /* 0: not GSO */
    uint8_t gso_type;           /* XEN_NETIF_GSO_TYPE_* */
};

/* The buffers of one direction of a queue; both arrays are borrowed. */
struct backend_buffers {
    uint8_t *pages;             /* count pages, one after the other */
    const grant_ref_t *refs;
    uint16_t count;
};

struct to_backend {
    netif_tx_sring_t *ring;     /* borrowed, the backend writes it */
    struct backend_buffers buffers;
    bool linear;                /* backend has no feature-sg: one slot each */
    RING_IDX req_prod;          /* requests written */
    RING_IDX req_pushed;        /* requests published */
    RING_IDX rsp_cons;
    enum to_backend_fault fault;
    uint64_t errors;            /* requests answered with an error */
    uint16_t extras;            /* extra infos that wait for their response */
    uint16_t free_count;
    uint16_t free[TO_BACKEND_RING_SIZE];    /* ids; a stack */
    bool pending[TO_BACKEND_RING_SIZE];     /* by id */
};

/*
 * Make a new ring of buffers->count (TO_BACKEND_BUFFERS_MIN to
 * TO_BACKEND_RING_SIZE) buffers; nobody else has the ring's page yet.
 */
void to_backend_init(struct to_backend *q, netif_tx_sring_t *ring,
                     const struct backend_buffers *buffers);

/* Take back answered buffers.  -EPROTO: see q->fault. */
int to_backend_reap(struct to_backend *q);

/*
 * Copy a packet into buffers and write its requests.  -ENOBUFS: no room now;
 * -EMSGSIZE: empty, or too large for this backend.
 */
int to_backend_put(struct to_backend *q,
                   const struct to_backend_packet *packet);

/* Publish what was put, in one store.  True: the backend wants an event. */
bool to_backend_push(struct to_backend *q);

/* One line for a person. */
const char *to_backend_fault_text(enum to_backend_fault fault);

#endif
