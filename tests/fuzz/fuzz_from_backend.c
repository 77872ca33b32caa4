/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzzes from_backend with a backend that writes what it likes into the
 * ring, also between our steps.
 */
#include "fuzz.h"
#include "netback/from_backend.h"

static uint8_t ring_page[ACCESS_PAGE_SIZE]
    __attribute__((aligned(ACCESS_PAGE_SIZE)));
static netif_rx_sring_t *const ring = (netif_rx_sring_t *)ring_page;
static struct from_backend q;
static struct from_backend_burst burst;

/* A slot: raw, or made plausible so that parsing gets further. */
static void write_slot(struct fuzz_input *in, RING_IDX index)
{
    union netif_rx_sring_entry *entries = ring->ring;
    union from_backend_slot slot;
    uint8_t shape = fuzz_byte(in);

    fuzz_bytes(in, &slot, sizeof(slot));
    if ((shape & 3) != 0) {
        slot.response.id = index % q.buffers.count;
        slot.response.flags &= shape & 4 ? 0xf : 0x3;
        slot.response.offset %= shape & 8 ? 5000 : 8;
        slot.response.status %= shape & 8 ? 5000 : 4000;
    } else if ((shape & 4) != 0) {
        slot.extra.type %= XEN_NETIF_EXTRA_TYPE_MAX + 1;
        slot.extra.flags &= 1;
        slot.extra.u.gso.type %= 4;
    }
    memcpy(entries + index % FROM_BACKEND_RING_SIZE, &slot, sizeof(slot));
}

static void check(unsigned int count)
{
    unsigned int slots = 0;

    for (unsigned int i = 0; i < count; i++) {
        const struct from_backend_packet *packet = &burst.packets[i];
        uint32_t size = 0;
        uint8_t sum = 0;

        slots += packet->slot_count;
        fuzz_require(packet->fragment + packet->fragment_count <=
                     burst.fragment_count, "fragments");
        for (unsigned int f = 0; f < packet->fragment_count; f++) {
            const struct from_backend_fragment *part =
                &burst.fragments[packet->fragment + f];
            const uint8_t *bytes = from_backend_data(&q, part);

            fuzz_require(part->size != 0 && part->offset + part->size <=
                         ACCESS_PAGE_SIZE, "bytes outside the page");
            size += part->size;
            sum += bytes[0] + bytes[part->size - 1];
        }
        fuzz_require(size == packet->size, "sizes add up");
        fuzz_require(packet->drop != FROM_BACKEND_KEEP ||
                     (size >= FROM_BACKEND_SIZE_MIN &&
                      size <= FROM_BACKEND_SIZE_MAX), "size");
        (void)sum;
    }
    fuzz_require(slots <= burst.slot_count, "slots");
    fuzz_require(slots <= q.buffers.count, "slots of buffers");
}

static void play(struct fuzz_input *in)
{
    RING_IDX prod = 0;

    for (unsigned int round = 0; round < 50 && in->size != 0; round++) {
        unsigned int slots = fuzz_byte(in) % 48;
        int count;

        for (unsigned int i = 0; i < slots; i++) {
            write_slot(in, prod + i);
        }
        prod += fuzz_byte(in) == 255 ? fuzz_word(in) : slots;
        ring->rsp_prod = prod;
        count = from_backend_take(&q, &burst, fuzz_byte(in));
        if (count < 0) {
            fuzz_require(q.fault != FROM_BACKEND_OK, "a fault has a name");
            fuzz_require(from_backend_take(&q, &burst, 64) < 0, "it heals");
            return;
        }
        write_slot(in, q.rsp_cons);
        check((unsigned int)count);
        if (fuzz_byte(in) % 8 == 1) {
            count /= 2;
        }
        (void)from_backend_give(&q, &burst, (unsigned int)count);
        fuzz_require(ring->req_prod == q.rsp_cons + q.buffers.count,
                     "requests");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    uint16_t count = (uint16_t)(32u << fuzz_byte(&in) % 4);
    grant_ref_t refs[FROM_BACKEND_RING_SIZE];
    struct backend_buffers buffers = {
        calloc(count, ACCESS_PAGE_SIZE), refs, count,
    };

    for (unsigned int i = 0; i < FROM_BACKEND_RING_SIZE; i++) {
        refs[i] = 8 + i;
    }
    from_backend_init(&q, ring, &buffers);
    play(&in);
    free(buffers.pages);
    return 0;
}
