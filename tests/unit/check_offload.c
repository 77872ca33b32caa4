/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * offload: checksums against a slow reference, and headers that lie.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>

#include <xen/xen.h>
#include <xen/io/netif.h>

#include "netback/offload.h"
#include "unit.h"

static uint8_t packet[4096];
static size_t packet_size;
static struct offload_headers headers;

static void put16(size_t at, unsigned int value)
{
    packet[at] = value >> 8;
    packet[at + 1] = value & 0xff;
}

/* Ethernet with tags VLAN tags; returns where L3 starts. */
static size_t build_l2(unsigned int tags, unsigned int type)
{
    size_t at = 12;

    for (unsigned int i = 0; i < sizeof(packet); i++) {
        packet[i] = (uint8_t)(i * 59 + 11);
    }
    for (unsigned int i = 0; i < tags; i++, at += 4) {
        put16(at, i == 0 && tags > 1 ? 0x88a8 : 0x8100);
    }
    put16(at, type);
    return at + 2;
}

/* Returns where L4 starts. */
static size_t build_ipv4(size_t at, unsigned int options, unsigned int proto,
                         unsigned int l4_size)
{
    packet[at] = 0x45 + options;
    put16(at + 2, 20 + options * 4 + l4_size);
    put16(at + 6, 0x4000);
    packet[at + 9] = proto;
    packet_size = at + 20 + options * 4 + l4_size;
    return at + 20 + options * 4;
}

static size_t build_ipv6(size_t at, unsigned int proto, unsigned int l4_size)
{
    packet[at] = 0x60;
    put16(at + 4, l4_size);
    packet[at + 6] = proto;
    packet_size = at + 40 + l4_size;
    return at + 40;
}

static void build_l4(size_t at, unsigned int proto, unsigned int l4_size)
{
    if (proto == 6) {
        packet[at + 12] = 0x80;             /* 32 bytes with options */
    } else {
        put16(at + 4, l4_size);
    }
}

static int parse(void)
{
    return offload_parse(packet, packet_size, packet_size, &headers);
}

/* The checksum as RFC 1071 writes it, byte by byte. */
static unsigned int reference(void)
{
    size_t l3 = headers.l2_len, l4 = l3 + headers.l3_len;
    size_t address = headers.l3 == OFFLOAD_L3_IPV4 ? 12 : 8;
    size_t address_size = headers.l3 == OFFLOAD_L3_IPV4 ? 8 : 32;
    size_t field = l4 + (headers.l4 == OFFLOAD_L4_TCP ? 16 : 6);
    uint32_t sum = headers.l4_size +
                   (headers.l4 == OFFLOAD_L4_TCP ? 6 : 17);

    for (size_t i = 0; i < address_size; i++) {
        sum += packet[l3 + address + i] << (i % 2 == 0 ? 8 : 0);
    }
    for (size_t i = 0; i < headers.l4_size; i++) {
        if (l4 + i != field && l4 + i != field + 1) {
            sum += packet[l4 + i] << (i % 2 == 0 ? 8 : 0);
        }
    }
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return sum ^ 0xffff;
}

static void assert_completes(void)
{
    struct offload_span span = { packet, packet_size };
    size_t field = headers.l2_len + headers.l3_len +
                   (headers.l4 == OFFLOAD_L4_TCP ? 16 : 6);
    unsigned int want = reference();

    if (want == 0 && headers.l4 == OFFLOAD_L4_UDP) {
        want = 0xffff;
    }
    ck_assert_int_eq(offload_complete(&span, 1, &headers), 0);
    ck_assert_uint_eq(packet[field] << 8 | packet[field + 1], want);
    ck_assert(offload_verify(&span, 1, &headers));
}

START_TEST(completes_all_kinds)
{
    unsigned int proto = _i & 1 ? 6 : 17;
    unsigned int tags = _i / 4 % 3;
    unsigned int l4_size = 32 + _i * 7;
    size_t l4;

    if (_i & 2) {
        l4 = build_ipv4(build_l2(tags, 0x0800), _i % 11, proto, l4_size);
    } else {
        l4 = build_ipv6(build_l2(tags, 0x86dd), proto, l4_size);
    }
    build_l4(l4, proto, l4_size);
    ck_assert_int_eq(parse(), 0);
    ck_assert_uint_eq(headers.l2_len, 14 + tags * 4);
    ck_assert_uint_eq(headers.l2_len + headers.l3_len, l4);
    ck_assert_uint_eq(headers.l4_len, proto == 6 ? 32 : 8);
    ck_assert_uint_eq(headers.l4_size, l4_size);
    assert_completes();
}
END_TEST

/* A known packet, summed by hand: 1 byte of UDP. */
START_TEST(known_udp)
{
    size_t l3 = build_l2(0, 0x0800);
    size_t l4 = build_ipv4(l3, 0, 17, 9);

    memcpy(packet + l3 + 12, "\x0a\x00\x00\x01\x0a\x00\x00\x02", 8);
    memcpy(packet + l4, "\x00\x01\x00\x02\x00\x09\xab\xcd\x41", 9);
    ck_assert_int_eq(parse(), 0);
    assert_completes();
    /* 0a00+1+0a00+2+0011+0009 + 1+2+9 + 4100 = 5529; inverted: aad6 */
    ck_assert_uint_eq(packet[l4 + 6] << 8 | packet[l4 + 7], 0xaad6);
}
END_TEST

/* RFC 768: a sum of 0 is sent as ffff. */
START_TEST(udp_zero_becomes_ones)
{
    size_t l4 = build_ipv4(build_l2(0, 0x0800), 0, 17, 10);
    unsigned int sum;

    build_l4(l4, 17, 10);
    put16(l4 + 8, 0);
    ck_assert_int_eq(parse(), 0);
    sum = reference();
    put16(l4 + 8, sum);
    ck_assert_uint_eq(reference(), 0);
    assert_completes();
    ck_assert_uint_eq(packet[l4 + 6] << 8 | packet[l4 + 7], 0xffff);
}
END_TEST

/* Spans of odd sizes change nothing. */
START_TEST(spans_of_any_size)
{
    struct offload_span spans[64];
    unsigned int seed = _i + 1, count = 0;
    size_t l4 = build_ipv4(build_l2(0, 0x0800), 0, 6, 1200);
    size_t at = l4 + 32;

    build_l4(l4, 6, 1200);
    ck_assert_int_eq(parse(), 0);
    spans[count++] = (struct offload_span){ packet, at };
    while (at < packet_size) {
        size_t part = rand_r(&seed) % 101;

        if (part > packet_size - at || count == 63) {
            part = packet_size - at;
        }
        spans[count++] = (struct offload_span){ packet + at, part };
        at += part;
    }
    ck_assert_int_eq(offload_complete(spans, count, &headers), 0);
    ck_assert_uint_eq(packet[l4 + 16] << 8 | packet[l4 + 17], reference());
    ck_assert(offload_verify(spans, count, &headers));
    ck_assert_int_eq(offload_complete(spans, count - 2, &headers), -EBADMSG);
}
END_TEST

START_TEST(pseudo_sum_then_rest)
{
    struct offload_span span = { packet, sizeof(packet) };
    size_t l4 = build_ipv6(build_l2(0, 0x86dd), 6, 333);
    uint32_t sum = 0;

    build_l4(l4, 6, 333);
    ck_assert_int_eq(parse(), 0);
    offload_pseudo(packet, &headers, true);
    /* With the pseudo sum in its field, L4 alone sums to the checksum. */
    for (size_t i = 0; i < 333; i++) {
        sum += packet[l4 + i] << (i % 2 == 0 ? 8 : 0);
    }
    while (sum > 0xffff) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    ck_assert_uint_eq(sum ^ 0xffff, reference());
    ck_assert(!offload_verify(&span, 1, &headers));
}
END_TEST

START_TEST(trailing_padding_is_not_summed)
{
    size_t l4 = build_ipv4(build_l2(0, 0x0800), 0, 17, 10);

    build_l4(l4, 17, 10);
    packet_size = 60;
    ck_assert_int_eq(parse(), 0);
    ck_assert_uint_eq(headers.l4_size, 10);
    assert_completes();
}
END_TEST

/* Every prefix of a good packet is refused, and nothing past it is read. */
START_TEST(every_truncation)
{
    size_t l4 = _i == 0 ?
        build_ipv4(build_l2(2, 0x0800), 5, 6, 100) :
        build_ipv6(build_l2(1, 0x86dd), 6, 100);

    build_l4(l4, 6, 100);
    ck_assert_int_eq(parse(), 0);
    for (size_t size = 0; size < packet_size; size++) {
        uint8_t *copy = malloc(size + 1);
        int err;

        memcpy(copy, packet, size);
        err = offload_parse(copy, size, size, &headers);
        ck_assert_int_eq(err, -EBADMSG);
        err = offload_parse(copy, size, packet_size, &headers);
        ck_assert_int_eq(err, size < l4 + 32 ? -EMSGSIZE : 0);
        free(copy);
    }
}
END_TEST

START_TEST(lies_in_ipv4)
{
    size_t l3 = build_l2(0, 0x0800);
    size_t l4 = build_ipv4(l3, 0, 6, 100);

    build_l4(l4, 6, 100);
    put16(l3 + 2, 121);
    ck_assert_int_eq(parse(), -EBADMSG);
    put16(l3 + 2, 19);
    ck_assert_int_eq(parse(), -EBADMSG);
    put16(l3 + 2, 39);
    ck_assert_int_eq(parse(), -EBADMSG);
    put16(l3 + 2, 120);
    packet[l3] = 0x44;
    ck_assert_int_eq(parse(), -EBADMSG);
    packet[l3] = 0x65;
    ck_assert_int_eq(parse(), -EBADMSG);
    packet[l3] = 0x45;
    put16(l3 + 6, 0x2000);
    ck_assert_int_eq(parse(), -EPROTONOSUPPORT);
    put16(l3 + 6, 0x0001);
    ck_assert_int_eq(parse(), -EPROTONOSUPPORT);
    put16(l3 + 6, 0);
    packet[l3 + 9] = 1;
    ck_assert_int_eq(parse(), -EPROTONOSUPPORT);
}
END_TEST

START_TEST(lies_in_l4)
{
    size_t l4 = build_ipv4(build_l2(0, 0x0800), 0, 6, 24);

    build_l4(l4, 6, 24);
    ck_assert_int_eq(parse(), -EBADMSG);    /* says 32 bytes of header */
    packet[l4 + 12] = 0x40;
    ck_assert_int_eq(parse(), -EBADMSG);
    packet[l4 + 12] = 0x50;
    ck_assert_int_eq(parse(), 0);
    l4 = build_ipv4(build_l2(0, 0x0800), 0, 17, 24);
    build_l4(l4, 17, 25);
    ck_assert_int_eq(parse(), -EBADMSG);
    build_l4(l4, 17, 7);
    ck_assert_int_eq(parse(), -EBADMSG);
    build_l4(l4, 17, 8);
    ck_assert_int_eq(parse(), 0);
    ck_assert_uint_eq(headers.l4_size, 8);
}
END_TEST

START_TEST(ipv6_extensions)
{
    size_t l3 = build_l2(0, 0x86dd);
    size_t at = build_ipv6(l3, 0, 24 + 32);

    memcpy(packet + at, "\x3c\x01", 2);         /* 16 bytes, then 60 */
    memcpy(packet + at + 16, "\x06\x00", 2);    /* 8 bytes, then TCP */
    build_l4(at + 24, 6, 32);
    ck_assert_int_eq(parse(), 0);
    ck_assert_uint_eq(headers.l3_len, 64);
    assert_completes();
    packet[at + 1] = 200;
    ck_assert_int_eq(parse(), -EBADMSG);
    packet[at + 1] = 1;
    packet[at] = 44;
    ck_assert_int_eq(parse(), -EPROTONOSUPPORT);
    packet[at] = 43;
    packet[at + 16 + 3] = 1;
    ck_assert_int_eq(parse(), -EPROTONOSUPPORT);
    packet[at + 16 + 3] = 0;
    ck_assert_int_eq(parse(), 0);
}
END_TEST

/* A chain of extensions as long as the packet ends all the same. */
START_TEST(endless_ipv6_extensions)
{
    size_t at = build_ipv6(build_l2(0, 0x86dd), 0, 4000);

    memset(packet + at, 0, 4000);
    ck_assert_int_eq(parse(), -EPROTONOSUPPORT);
}
END_TEST

START_TEST(endless_vlans)
{
    build_l2(3, 0x0800);
    packet_size = 1000;
    ck_assert_int_eq(parse(), -EPROTONOSUPPORT);
}
END_TEST

START_TEST(gso_must_match)
{
    size_t l4 = build_ipv4(build_l2(0, 0x0800), 0, 6, 1000);

    build_l4(l4, 6, 1000);
    ck_assert_int_eq(parse(), 0);
    ck_assert_int_eq(offload_check_gso(&headers, XEN_NETIF_GSO_TYPE_TCPV4,
                                       1448), 0);
    ck_assert_int_eq(offload_check_gso(&headers, XEN_NETIF_GSO_TYPE_TCPV6,
                                       1448), -EBADMSG);
    ck_assert_int_eq(offload_check_gso(&headers, XEN_NETIF_GSO_TYPE_TCPV4,
                                       1), -EBADMSG);
    ck_assert_int_eq(offload_check_gso(&headers, 9, 1448), -EPROTONOSUPPORT);
    headers.l4 = OFFLOAD_L4_UDP;
    ck_assert_int_eq(offload_check_gso(&headers, XEN_NETIF_GSO_TYPE_TCPV4,
                                       1448), -EBADMSG);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_loop_test(tcase, completes_all_kinds, 0, 132);
    tcase_add_test(tcase, known_udp);
    tcase_add_test(tcase, udp_zero_becomes_ones);
    tcase_add_loop_test(tcase, spans_of_any_size, 0, 20);
    tcase_add_test(tcase, pseudo_sum_then_rest);
    tcase_add_test(tcase, trailing_padding_is_not_summed);
    tcase_add_loop_test(tcase, every_truncation, 0, 2);
    tcase_add_test(tcase, lies_in_ipv4);
    tcase_add_test(tcase, lies_in_l4);
    tcase_add_test(tcase, ipv6_extensions);
    tcase_add_test(tcase, endless_ipv6_extensions);
    tcase_add_test(tcase, endless_vlans);
    tcase_add_test(tcase, gso_must_match);
}

int main(void)
{
    Suite *suite = suite_create("offload");

    add_tests(unit_case(suite, "offload"));
    return unit_run(suite);
}
