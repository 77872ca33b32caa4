/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Header parsing and checksums for packets whose checksum or segmentation
 * one side left to the other.  Talks to nobody; works on private copies.
 *
 * Invariants:
 *  1. No byte outside data[0..head) is read while parsing.
 *  2. What parse accepts has l2_len + l3_len + l4_len <= head, and
 *     l2_len + l3_len + l4_size <= size: the other functions rely on it.
 *  3. Every loop is bounded by a constant or by the spans' sizes.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <xen/xen.h>
#include <xen/io/netif.h>

#include "offload.h"

#define ETH_LEN 14u
#define VLAN_LEN 4u
#define IPV4_LEN 20u
#define IPV6_LEN 40u
#define TCP_LEN 20u
#define UDP_LEN 8u

#define ETHERTYPE_IPV4 0x0800u
#define ETHERTYPE_IPV6 0x86ddu
#define ETHERTYPE_VLAN 0x8100u
#define ETHERTYPE_QINQ 0x88a8u

#define PROTO_HOPOPTS 0u
#define PROTO_TCP 6u
#define PROTO_UDP 17u
#define PROTO_ROUTING 43u
#define PROTO_DSTOPTS 60u

#define TCP_CSUM 16u                /* offset of the checksum field */
#define UDP_CSUM 6u

/* What parsing knows so far. */
struct view {
    const uint8_t *data;
    size_t head;                    /* readable bytes */
    size_t end;                     /* the packet's end, as known so far */
    size_t at;                      /* start of the next header */
};

static uint32_t get16(const uint8_t *data)
{
    return (uint32_t)data[0] << 8 | data[1];
}

static void put16(uint8_t *data, uint32_t value)
{
    data[0] = (uint8_t)(value >> 8);
    data[1] = (uint8_t)value;
}

/* Are size bytes there from v->at on, and readable? */
static int need(const struct view *v, size_t size)
{
    if (size > v->end - v->at) {
        return -EBADMSG;
    }
    return size > v->head - v->at ? -EMSGSIZE : 0;
}

/* Step over a header that need() has accepted. */
static const uint8_t *skip(struct view *v, size_t size)
{
    const uint8_t *header = v->data + v->at;

    v->at += size;
    return header;
}

/* Returns the ethertype behind the VLAN tags, or an error. */
static int parse_l2(struct view *v)
{
    unsigned int tags = 0;
    uint32_t type;
    int err = need(v, ETH_LEN);

    if (err != 0) {
        return err;
    }
    type = get16(skip(v, ETH_LEN) + 12);
    while (type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ) {
        if (++tags > OFFLOAD_VLANS_MAX) {
            return -EPROTONOSUPPORT;
        }
        err = need(v, VLAN_LEN);
        if (err != 0) {
            return err;
        }
        type = get16(skip(v, VLAN_LEN) + 2);
    }
    return (int)type;
}

/* Returns the L4 protocol, or an error; v->end becomes IP's own end. */
static int parse_ipv4(struct view *v)
{
    const uint8_t *ip = v->data + v->at;
    uint32_t header, total;
    int err = need(v, IPV4_LEN);

    if (err != 0) {
        return err;
    }
    header = (ip[0] & 15u) * 4;
    total = get16(ip + 2);
    if (ip[0] >> 4 != 4 || header < IPV4_LEN || total < header ||
        total > v->end - v->at) {
        return -EBADMSG;
    }
    v->end = v->at + total;
    err = need(v, header);
    if (err != 0) {
        return err;
    }
    if ((get16(ip + 6) & 0x3fff) != 0) {
        return -EPROTONOSUPPORT;    /* a fragment: no whole L4 to sum */
    }
    skip(v, header);
    return ip[9];
}

/* One IPv6 extension header; returns the next one's type, or an error. */
static int parse_ipv6_ext(struct view *v, int type)
{
    const uint8_t *ext = v->data + v->at;
    size_t size;
    int err = need(v, 8);

    if (err != 0) {
        return err;
    }
    if (type == (int)PROTO_ROUTING && ext[3] != 0) {
        return -EPROTONOSUPPORT;    /* the sum wants the last address */
    }
    size = (ext[1] + 1u) * 8;
    err = need(v, size);
    if (err != 0) {
        return err;
    }
    skip(v, size);
    return ext[0];
}

static int parse_ipv6(struct view *v)
{
    const uint8_t *ip = v->data + v->at;
    uint32_t payload;
    int type, err = need(v, IPV6_LEN);

    if (err != 0) {
        return err;
    }
    payload = get16(ip + 4);
    if (ip[0] >> 4 != 6 || payload > v->end - v->at - IPV6_LEN) {
        return -EBADMSG;
    }
    v->end = v->at + IPV6_LEN + payload;
    skip(v, IPV6_LEN);
    type = ip[6];
    for (unsigned int i = 0; i < OFFLOAD_IPV6_EXTS_MAX; i++) {
        if (type != (int)PROTO_HOPOPTS && type != (int)PROTO_ROUTING &&
            type != (int)PROTO_DSTOPTS) {
            return type;
        }
        type = parse_ipv6_ext(v, type);
    }
    return type < 0 ? type : -EPROTONOSUPPORT;
}

static int parse_tcp(const struct view *v, struct offload_headers *headers)
{
    uint32_t size;
    int err = need(v, TCP_LEN);

    if (err != 0) {
        return err;
    }
    size = (uint32_t)(v->data[v->at + 12] >> 4) * 4;
    if (size < TCP_LEN) {
        return -EBADMSG;
    }
    headers->l4 = OFFLOAD_L4_TCP;
    headers->l4_len = (uint16_t)size;
    headers->l4_size = (uint32_t)(v->end - v->at);
    return need(v, size);
}

static int parse_udp(const struct view *v, struct offload_headers *headers)
{
    uint32_t size;
    int err = need(v, UDP_LEN);

    if (err != 0) {
        return err;
    }
    size = get16(v->data + v->at + 4);
    if (size < UDP_LEN || size > v->end - v->at) {
        return -EBADMSG;
    }
    headers->l4 = OFFLOAD_L4_UDP;
    headers->l4_len = UDP_LEN;
    headers->l4_size = size;
    return 0;
}

int offload_parse(const uint8_t *data, size_t head, size_t size,
                  struct offload_headers *headers)
{
    struct view v = { .data = data, .head = head, .end = size };
    int type, proto;

    memset(headers, 0, sizeof(*headers));
    if (head > size) {
        v.head = size;
    }
    type = parse_l2(&v);
    if (type < 0) {
        return type;
    }
    headers->l2_len = (uint16_t)v.at;
    if (type == (int)ETHERTYPE_IPV4) {
        headers->l3 = OFFLOAD_L3_IPV4;
        proto = parse_ipv4(&v);
    } else if (type == (int)ETHERTYPE_IPV6) {
        headers->l3 = OFFLOAD_L3_IPV6;
        proto = parse_ipv6(&v);
    } else {
        return -EPROTONOSUPPORT;
    }
    if (proto < 0) {
        return proto;
    }
    headers->l3_len = (uint16_t)(v.at - headers->l2_len);
    if (v.head > v.end) {
        v.head = v.end;
    }
    switch ((unsigned int)proto) {
    case PROTO_TCP:
        return parse_tcp(&v, headers);
    case PROTO_UDP:
        return parse_udp(&v, headers);
    default:
        return -EPROTONOSUPPORT;
    }
}

/*
 * Sums are of 32-bit words in memory order, folded at the end: the one's
 * complement sum does not depend on byte order until it is stored
 * (RFC 1071, 2(B)).
 */
static uint64_t sum_bytes(const uint8_t *data, size_t size)
{
    uint64_t sum = 0;
    uint32_t word;

    for (; size >= sizeof(word); size -= sizeof(word)) {
        memcpy(&word, data, sizeof(word));
        sum += word;
        data += sizeof(word);
    }
    if (size != 0) {
        word = 0;
        memcpy(&word, data, size);
        sum += word;
    }
    return sum;
}

static uint32_t fold(uint64_t sum)
{
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return (uint32_t)sum;
}

/* A sum of bytes that start at an odd offset counts byte-swapped. */
static uint64_t swap_odd(uint64_t sum, size_t offset)
{
    uint32_t folded = fold(sum);

    return offset % 2 == 0 ? folded :
           ((folded & 0xff) << 8 | folded >> 8);
}

static uint64_t sum_pseudo(const uint8_t *data,
                           const struct offload_headers *headers,
                           bool with_length)
{
    const uint8_t *ip = data + headers->l2_len;
    uint32_t size = with_length ? headers->l4_size : 0;
    uint8_t tail[8] = {
        (uint8_t)(size >> 24), (uint8_t)(size >> 16),
        (uint8_t)(size >> 8), (uint8_t)size, 0, 0, 0,
        headers->l4 == OFFLOAD_L4_TCP ? PROTO_TCP : PROTO_UDP,
    };
    uint64_t sum = sum_bytes(tail, sizeof(tail));

    if (headers->l3 == OFFLOAD_L3_IPV4) {
        return sum + sum_bytes(ip + 12, 8);
    }
    return sum + sum_bytes(ip + 8, 32);
}

static size_t checksum_offset(const struct offload_headers *headers)
{
    return (size_t)headers->l2_len + headers->l3_len +
           (headers->l4 == OFFLOAD_L4_TCP ? TCP_CSUM : UDP_CSUM);
}

/* One's complement sum of pseudo header and L4; false: spans too short. */
static bool sum_packet(const struct offload_span *spans, unsigned int count,
                       const struct offload_headers *headers, uint32_t *sum)
{
    uint64_t total = fold(sum_pseudo(spans[0].data, headers, true));
    size_t skipped = (size_t)headers->l2_len + headers->l3_len;
    size_t done = 0;

    for (unsigned int i = 0; i < count && done < headers->l4_size; i++) {
        size_t start = i == 0 ? skipped : 0;
        size_t part = spans[i].size - start;

        if (part > headers->l4_size - done) {
            part = headers->l4_size - done;
        }
        total += swap_odd(sum_bytes(spans[i].data + start, part), done);
        done += part;
    }
    *sum = fold(total);
    return done == headers->l4_size;
}

static bool has_headers(const struct offload_span *spans, unsigned int count,
                        const struct offload_headers *headers)
{
    return count != 0 && headers->l4 != OFFLOAD_L4_NONE &&
           spans[0].size >= (size_t)headers->l2_len + headers->l3_len +
                            headers->l4_len;
}

int offload_complete(const struct offload_span *spans, unsigned int count,
                     const struct offload_headers *headers)
{
    uint16_t result;
    uint8_t *field;
    uint32_t sum;

    if (!has_headers(spans, count, headers)) {
        return -EBADMSG;
    }
    field = spans[0].data + checksum_offset(headers);
    put16(field, 0);
    if (!sum_packet(spans, count, headers, &sum)) {
        return -EBADMSG;
    }
    result = (uint16_t)~sum;
    if (result == 0 && headers->l4 == OFFLOAD_L4_UDP) {
        result = 0xffff;            /* RFC 768: 0 means no checksum */
    }
    memcpy(field, &result, sizeof(result));
    return 0;
}

void offload_pseudo(uint8_t *data, const struct offload_headers *headers,
                    bool with_length)
{
    uint16_t sum = (uint16_t)fold(sum_pseudo(data, headers, with_length));

    memcpy(data + checksum_offset(headers), &sum, sizeof(sum));
}

int offload_check_gso(const struct offload_headers *headers,
                      uint8_t gso_type, uint16_t gso_size)
{
    uint8_t l3;

    switch (gso_type) {
    case XEN_NETIF_GSO_TYPE_TCPV4:
        l3 = OFFLOAD_L3_IPV4;
        break;
    case XEN_NETIF_GSO_TYPE_TCPV6:
        l3 = OFFLOAD_L3_IPV6;
        break;
    default:
        return -EPROTONOSUPPORT;
    }
    if (headers->l4 != OFFLOAD_L4_TCP || headers->l3 != l3 ||
        gso_size < OFFLOAD_GSO_SIZE_MIN) {
        return -EBADMSG;
    }
    return 0;
}

bool offload_verify(const struct offload_span *spans, unsigned int count,
                    const struct offload_headers *headers)
{
    uint32_t sum;

    return has_headers(spans, count, headers) &&
           sum_packet(spans, count, headers, &sum) && sum == 0xffff;
}
