/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzzes to_backend with a backend that answers what it likes, also between
 * our steps; after each step the counts of ids and slots must add up.
 */
#include <errno.h>

#include "fuzz.h"
#include "netback/to_backend.h"

static uint8_t ring_page[ACCESS_PAGE_SIZE]
    __attribute__((aligned(ACCESS_PAGE_SIZE)));
static netif_tx_sring_t *const ring = (netif_tx_sring_t *)ring_page;
static struct to_backend q;

static void check(void)
{
    unsigned int pending = 0;
    bool seen[TO_BACKEND_RING_SIZE] = { false };

    for (unsigned int i = 0; i < TO_BACKEND_RING_SIZE; i++) {
        pending += q.pending[i];
    }
    for (unsigned int i = 0; i < q.free_count; i++) {
        fuzz_require(q.free[i] < q.buffers.count, "a free id out of range");
        fuzz_require(!seen[q.free[i]], "an id is free twice");
        fuzz_require(!q.pending[q.free[i]], "a free id is pending");
        seen[q.free[i]] = true;
    }
    fuzz_require(pending + q.free_count == q.buffers.count, "lost ids");
    fuzz_require(pending + q.extras == q.req_prod - q.rsp_cons,
                 "lost slots");
    fuzz_require(q.req_prod - q.rsp_cons <= TO_BACKEND_RING_SIZE,
                 "an overfull ring");
}

/* Answer some requests in a way that is mostly plausible. */
static void answer(struct fuzz_input *in)
{
    union netif_tx_sring_entry *entries = ring->ring;
    unsigned int count = fuzz_byte(in) % 40;
    uint8_t shape = fuzz_byte(in);

    for (unsigned int i = 0; i < count; i++) {
        RING_IDX index = ring->rsp_prod + i;
        netif_tx_response_t *response =
            &entries[index % TO_BACKEND_RING_SIZE].rsp;
        uint16_t id = entries[index % TO_BACKEND_RING_SIZE].req.id;
        bool is_extra = id >= q.buffers.count || !q.pending[id];

        *response = (netif_tx_response_t){
            .id = id, .status = is_extra ? NETIF_RSP_NULL : 0,
        };
        if ((shape & 3) == 3 && fuzz_byte(in) % 8 == 1) {
            response->id = fuzz_word(in);
            response->status = (int8_t)fuzz_byte(in);
        }
    }
    ring->rsp_prod += count;
    if (shape >= 250) {
        ring->rsp_prod = fuzz_word(in) * 0x10001u;
    }
}

static void put(struct fuzz_input *in)
{
    static uint8_t data[70000];
    struct to_backend_span spans[4];
    struct to_backend_packet packet = {
        .spans = spans, .span_count = fuzz_byte(in) % 5,
        .flags = fuzz_byte(in), .gso_size = fuzz_byte(in) & 1 ? 1448 : 0,
        .gso_type = XEN_NETIF_GSO_TYPE_TCPV4,
    };

    for (unsigned int i = 0; i < packet.span_count; i++) {
        uint32_t size = fuzz_byte(in);

        spans[i].size = size < 200 ? size : fuzz_word(in);
        spans[i].data = data;
    }
    (void)to_backend_put(&q, &packet);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    uint16_t count = TO_BACKEND_BUFFERS_MIN + fuzz_byte(&in) % 225;
    grant_ref_t refs[TO_BACKEND_RING_SIZE];
    /* Just as large as it has to be: a sanitizer sees a byte too many. */
    struct backend_buffers buffers = {
        malloc((size_t)count * ACCESS_PAGE_SIZE), refs, count,
    };

    for (unsigned int i = 0; i < TO_BACKEND_RING_SIZE; i++) {
        refs[i] = 8 + i;
    }
    to_backend_init(&q, ring, &buffers);
    q.linear = fuzz_byte(&in) % 4 == 0;
    for (unsigned int i = 0; i < 400 && in.size != 0; i++) {
        switch (fuzz_byte(&in) % 4) {
        case 0:
            (void)to_backend_push(&q);
            break;
        case 1:
            answer(&in);
            if (to_backend_reap(&q) != 0) {
                fuzz_require(to_backend_reap(&q) == -EPROTO, "it heals");
                i = 400;
            }
            break;
        default:
            put(&in);
            break;
        }
        check();
    }
    free(buffers.pages);
    return 0;
}
