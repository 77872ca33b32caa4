/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzzes from_guest with a guest that writes what it likes into the ring,
 * also between our steps.  The fake guest's access aborts on a copy outside
 * its page; the buffers are as small as their packets, so that a sanitizer
 * sees a byte too many.
 */
#include "fuzz.h"
#include "netback/from_guest.h"
#include "tests/fake/guest.h"

#define SPANS_MAX 300u

static struct from_guest_burst burst;
static struct from_guest_span spans[FROM_GUEST_BURST][SPANS_MAX];

/* A slot: raw, or made plausible so that parsing gets further. */
static void write_slot(struct fuzz_input *in, struct fake_guest *guest,
                       RING_IDX index)
{
    union netif_tx_sring_entry *entries = guest->tx->ring;
    union from_guest_slot slot;
    uint8_t shape = fuzz_byte(in);

    fuzz_bytes(in, &slot, sizeof(slot));
    if ((shape & 7) != 0) {
        slot.request.gref = FAKE_GUEST_REF + slot.request.gref % 330;
        slot.request.offset %= 4096;
        slot.request.flags &= shape & 8 ? 0xf : 0x3;
        if ((shape & 16) != 0) {
            slot.request.size %= 4097 - slot.request.offset;
        }
        if ((shape & 32) != 0) {
            slot.request.flags |= NETTXF_more_data;
            slot.request.size = shape & 64 ? 40000 : slot.request.size % 99;
        }
    }
    if ((shape & 0xe0) == 0xe0) {
        slot.extra.type %= XEN_NETIF_EXTRA_TYPE_MAX;
        slot.extra.u.gso.type %= 3;
    }
    memcpy(entries + index % FROM_GUEST_RING_SIZE, &slot, sizeof(slot));
}

/* A packet that keeps the rules; returns its number of slots. */
static unsigned int write_packet(struct fuzz_input *in,
                                 struct fake_guest *guest, RING_IDX index)
{
    union netif_tx_sring_entry *entries = guest->tx->ring;
    unsigned int extra = fuzz_byte(in) % 8 == 1;
    unsigned int chained = fuzz_byte(in) % 32;
    uint16_t total = 14;

    chained = chained > 21 ? 0 : chained;
    for (unsigned int i = 1 + extra + chained; i-- > 0;) {
        union netif_tx_sring_entry *entry =
            entries + (index + i) % FROM_GUEST_RING_SIZE;
        uint16_t size = fuzz_byte(in);

        if (extra != 0 && i == 1) {
            netif_extra_info_t info = {
                .type = XEN_NETIF_EXTRA_TYPE_GSO + fuzz_byte(in) % 4,
            };

            info.u.gso.size = 1448;
            info.u.gso.type = 1 + fuzz_byte(in) % 2;
            memcpy(entry, &info, sizeof(info));
            continue;
        }
        total += size;
        entry->req = (netif_tx_request_t){
            .gref = FAKE_GUEST_REF + fuzz_byte(in),
            .offset = 4096 - 14 - 255 - size,
            .flags = (i == 0 && extra != 0 ? NETTXF_extra_info : 0) |
                     (i == extra + chained || chained == 0 ? 0 :
                      NETTXF_more_data),
            .size = i == 0 ? total : size,
        };
    }
    return 1 + extra + chained;
}

/* Up to 255 slots of one kind or the other; returns how many. */
static unsigned int write_slots(struct fuzz_input *in,
                                struct fake_guest *guest, RING_IDX index,
                                unsigned int room)
{
    unsigned int count = fuzz_byte(in), done = 0;

    if (fuzz_byte(in) % 4 != 0) {
        while (done + 23 <= room && done < count) {
            done += write_packet(in, guest, index + done);
        }
        return done;
    }
    for (; done < count; done++) {
        write_slot(in, guest, index + done);
    }
    return count;
}

static void check_packet(const struct from_guest_packet *packet,
                         unsigned int slot)
{
    uint32_t size = 0;

    fuzz_require(packet->slot == slot, "slots of packets are not in a row");
    fuzz_require(packet->slot_count >= 1 + packet->extra_count &&
                 packet->slot_count <= 1 + FROM_GUEST_EXTRAS_MAX +
                                       FROM_GUEST_CHAIN_FATAL,
                 "slot count of a packet");
    fuzz_require((packet->drop == FROM_GUEST_KEEP) ==
                 (packet->status == NETIF_RSP_OKAY), "drop and status");
    if (packet->status != NETIF_RSP_OKAY) {
        return;
    }
    for (unsigned int f = 0; f < packet->fragment_count; f++) {
        const struct from_guest_fragment *fragment =
            &burst.fragments[packet->fragment + f];

        fuzz_require(fragment->size > 0 && fragment->offset <= 4096 &&
                     fragment->size <= 4096 - fragment->offset,
                     "fragment leaves its page");
        size += fragment->size;
    }
    fuzz_require(packet->kind != FROM_GUEST_DATA || size == packet->size,
                 "fragments do not add up");
}

/* Spans that hold exactly the packet, each its own allocation. */
static unsigned int make_spans(struct from_guest_span *out, uint32_t size,
                               uint32_t span_size)
{
    unsigned int count = 0;

    while (size != 0) {
        uint32_t part = size < span_size ? size : span_size;

        out[count++] = (struct from_guest_span){ malloc(part), part };
        size -= part;
    }
    return count;
}

static void use_burst(struct fake_guest *guest, struct from_guest *q,
                      uint32_t span_size)
{
    unsigned int counts[FROM_GUEST_BURST] = { 0 };
    unsigned int slot = 0;

    for (unsigned int i = 0; i < burst.packet_count; i++) {
        struct from_guest_packet *packet = &burst.packets[i];

        check_packet(packet, slot);
        slot += packet->slot_count;
        if (packet->status == NETIF_RSP_OKAY &&
            packet->kind == FROM_GUEST_DATA) {
            counts[i] = make_spans(spans[i], packet->size, span_size);
            if (from_guest_plan(&burst, i, spans[i], counts[i]) != 0) {
                fuzz_require(span_size < 2048, "2 KiB spans must do");
            }
        }
    }
    access_copy(&guest->access, ACCESS_FROM_GUEST, burst.copies,
                burst.copy_count);
    from_guest_settle(&burst);
    from_guest_respond(q, &burst);
    fuzz_require(guest->tx->rsp_prod == q->req_cons, "responses");
    for (unsigned int i = 0; i < FROM_GUEST_BURST; i++) {
        for (unsigned int s = 0; s < counts[i]; s++) {
            free(spans[i][s].data);
        }
    }
}

static void play(struct fuzz_input *in, struct fake_guest *guest)
{
    RING_IDX prod = fuzz_byte(in) * 0x01010101u;
    uint32_t span_size = fuzz_byte(in) & 1 ? 2048 : 200 + fuzz_byte(in);
    struct from_guest q;

    guest->tx->rsp_prod = prod;
    guest->tx->req_prod = prod;
    fuzz_require(from_guest_init(&q, guest->tx) == 0, "init");
    burst.offered_gso = fuzz_byte(in);
    for (unsigned int page = 0; page < FAKE_GUEST_PAGES; page += 37) {
        guest->refuse[page] = (int8_t)fuzz_byte(in) % 13;
    }
    for (unsigned int round = 0; round < 40 && in->size != 0; round++) {
        unsigned int budget = fuzz_byte(in) % 80;

        prod += write_slots(in, guest, prod, FROM_GUEST_RING_SIZE -
                            (prod - q.req_cons));
        guest->tx->req_prod = prod;
        guest->tx->rsp_event = q.req_cons + (int8_t)fuzz_byte(in);
        if (from_guest_take(&q, &burst, budget) < 0) {
            return;
        }
        if (fuzz_byte(in) % 2 == 0) {
            memset(guest->tx->ring, fuzz_byte(in), 100);
        }
        if (from_guest_parse(&burst) < 0) {
            fuzz_require(burst.fault != FROM_GUEST_OK, "a fault is named");
            return;
        }
        use_burst(guest, &q, span_size);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    static struct fake_guest *guest;

    if (guest == NULL) {
        guest = fake_guest_create();
    }
    memset(guest->tx, 0, ACCESS_PAGE_SIZE);
    memset(guest->refuse, 0, sizeof(guest->refuse));
    play(&in, guest);
    return 0;
}
