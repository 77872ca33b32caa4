/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzzes offload: a guest's headers, raw or made plausible; what is accepted
 * must be completed to a checksum that verifies, within its bytes.
 */
#include <errno.h>

#include "fuzz.h"
#include "netback/offload.h"

/* Turn random bytes into something like TCP or UDP over IP. */
static void make_plausible(uint8_t *packet, size_t size, uint8_t shape)
{
    size_t l3 = shape & 1 ? 18 : 14;
    bool v4 = (shape & 2) != 0;

    if ((shape & 0xf0) == 0 || size < l3 + 60) {
        return;
    }
    if (l3 == 18) {
        memcpy(packet + 12, "\x81\x00", 2);
    }
    memcpy(packet + l3 - 2, v4 ? "\x08\x00" : "\x86\xdd", 2);
    if (v4) {
        size_t total = size - l3 - packet[l3 + 3] % 8;

        packet[l3] = 0x45 + (shape >> 4) % 4;
        packet[l3 + 2] = (uint8_t)(total >> 8);
        packet[l3 + 3] = (uint8_t)total;
        packet[l3 + 6] &= 0x40;
        packet[l3 + 7] = 0;
        packet[l3 + 9] = shape & 4 ? 6 : 17;
    } else {
        size_t total = size - l3 - 40;

        packet[l3] = 0x60;
        packet[l3 + 4] = (uint8_t)(total >> 8);
        packet[l3 + 5] = (uint8_t)total;
        packet[l3 + 6] = shape & 8 ? 60 : shape & 4 ? 6 : 17;
        packet[l3 + 40] = shape & 4 ? 6 : 17;
        packet[l3 + 41] %= 4;
    }
}

static void complete(struct fuzz_input *in, uint8_t *packet, size_t head,
                     size_t size, const struct offload_headers *headers)
{
    size_t used = (size_t)headers->l2_len + headers->l3_len;
    struct offload_span spans[8];
    unsigned int count = 0;
    size_t at = head;

    fuzz_require(used + headers->l4_len <= head, "headers past the head");
    fuzz_require(used + headers->l4_size <= size, "L4 past the packet");
    fuzz_require(headers->l4_size >= headers->l4_len, "L4 header past L4");
    spans[count++] = (struct offload_span){ packet, (uint32_t)head };
    while (at < size && count < 8) {
        size_t part = count == 7 ? size - at : fuzz_byte(in);

        part = part < size - at ? part : size - at;
        spans[count++] = (struct offload_span){ packet + at,
                                                (uint32_t)part };
        at += part;
    }
    if (at == size) {
        fuzz_require(offload_complete(spans, count, headers) == 0,
                     "checksum refused");
        fuzz_require(offload_verify(spans, count, headers),
                     "checksum is wrong");
    }
    offload_pseudo(packet, headers, true);
    offload_check_gso(headers, fuzz_byte(in) % 4, fuzz_word(in));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };
    uint8_t shape = fuzz_byte(&in);
    size_t packet_size = fuzz_word(&in) % 2000;
    size_t head = fuzz_word(&in) % (packet_size + 1);
    uint8_t *packet = malloc(packet_size);
    struct offload_headers headers;
    uint8_t *readable;

    fuzz_bytes(&in, packet, packet_size);
    make_plausible(packet, packet_size, shape);
    /* Only the head may be read while parsing. */
    readable = malloc(head);
    memcpy(readable, packet, head);
    if (offload_parse(readable, head, packet_size, &headers) == 0) {
        complete(&in, packet, head, packet_size, &headers);
    }
    free(readable);
    free(packet);
    return 0;
}
