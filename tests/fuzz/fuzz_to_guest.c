/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzzes to_guest: packets of any shape into the buffers of a guest that
 * writes what it likes into the ring, also between our steps.
 */
#include "fuzz.h"
#include "netback/to_guest.h"
#include "tests/fake/guest.h"

#define SPANS_MAX 64u

static struct to_guest_burst burst;
static struct to_guest_packet packets[TO_GUEST_BURST];
static struct to_guest_span spans[TO_GUEST_BURST][SPANS_MAX];

static void write_slots(struct fuzz_input *in, struct fake_guest *guest,
                        RING_IDX index, unsigned int count)
{
    union netif_rx_sring_entry *entries = guest->rx->ring;

    for (unsigned int i = 0; i < count; i++) {
        netif_rx_request_t request;

        fuzz_bytes(in, &request, sizeof(request));
        request.gref = FAKE_GUEST_REF + request.gref % 330;
        entries[(index + i) % TO_GUEST_RING_SIZE].req = request;
    }
}

static unsigned int make_packets(struct fuzz_input *in)
{
    unsigned int count = fuzz_byte(in) % (TO_GUEST_BURST + 1);

    for (unsigned int i = 0; i < count; i++) {
        unsigned int span_count = fuzz_byte(in) % SPANS_MAX;

        for (unsigned int s = 0; s < span_count; s++) {
            uint32_t size = fuzz_byte(in);

            if (size >= 250) {
                size = fuzz_word(in);
            }
            spans[i][s].data = malloc(size);
            spans[i][s].size = size;
            memset(spans[i][s].data, 0x5a, size);
        }
        packets[i] = (struct to_guest_packet){
            .spans = spans[i],
            .span_count = span_count,
            .flags = fuzz_byte(in),
            .gso_size = fuzz_byte(in) & 1 ? 1448 : 0,
            .gso_type = XEN_NETIF_GSO_TYPE_TCPV4,
            .has_hash = fuzz_byte(in) & 1,
            .hash = { 0x12345678, _XEN_NETIF_CTRL_HASH_TYPE_IPV6 },
        };
    }
    return count;
}

static void free_packets(unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        for (unsigned int s = 0; s < packets[i].span_count; s++) {
            free(spans[i][s].data);
        }
    }
}

static void check_burst(const struct to_guest *q, int sent)
{
    unsigned int last = TO_GUEST_BURST;
    uint32_t filled = 0;

    fuzz_require(burst.slot_count <= TO_GUEST_RING_SIZE, "slots");
    fuzz_require(burst.first[sent] == burst.slot_count, "slots of packets");
    for (unsigned int i = 0; i < burst.copy_count; i++) {
        const struct access_copy *copy = &burst.copies[i];

        fuzz_require(copy->owner < (unsigned int)sent, "owner");
        fuzz_require(packets[copy->owner].drop == TO_GUEST_KEEP,
                     "copy of a dropped packet");
        if (copy->owner != last || copy->offset == 0) {
            filled = 0;
        }
        fuzz_require(copy->offset == filled, "a hole in a page");
        filled += copy->size;
        last = copy->owner;
    }
    /* A page each, and a slot for the hash. */
    fuzz_require(!q->linear || burst.slot_count <= 2 * sent, "linear guest");
}

static void play(struct fuzz_input *in, struct fake_guest *guest)
{
    RING_IDX prod = fuzz_byte(in) * 0x01010101u;
    struct to_guest q;

    guest->rx->rsp_prod = prod;
    guest->rx->req_prod = prod;
    fuzz_require(to_guest_init(&q, guest->rx) == 0, "init");
    q.linear = fuzz_byte(in) % 4 == 0;
    for (unsigned int page = 0; page < FAKE_GUEST_PAGES; page += 37) {
        guest->refuse[page] = (int8_t)fuzz_byte(in) % 13;
    }
    for (unsigned int round = 0; round < 20 && in->size != 0; round++) {
        unsigned int slots = fuzz_byte(in);
        unsigned int count = make_packets(in);
        int sent;

        write_slots(in, guest, prod, slots);
        prod += slots;
        guest->rx->req_prod = prod;
        sent = to_guest_take(&q, &burst, packets, count);
        if (sent >= 0) {
            fuzz_require((unsigned int)sent <= count, "too many sent");
            check_burst(&q, sent);
            write_slots(in, guest, q.req_cons, fuzz_byte(in) % 4);
            access_copy(&guest->access, ACCESS_TO_GUEST, burst.copies,
                        burst.copy_count);
            to_guest_respond(&q, &burst);
            fuzz_require(guest->rx->rsp_prod == q.req_cons, "responses");
        }
        free_packets(count);
        if (sent < 0) {
            return;
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    static struct fake_guest *guest;

    if (guest == NULL) {
        guest = fake_guest_create();
    }
    memset(guest->rx, 0, ACCESS_PAGE_SIZE);
    memset(guest->refuse, 0, sizeof(guest->refuse));
    play(&in, guest);
    return 0;
}
