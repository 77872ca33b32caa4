/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * burst_offload: each combination of flags and headers that frontends send,
 * from a crafted ring to the mbuf that the switch gets, and from an mbuf to
 * what the guest is told.
 *
 * How frontends of different make leave the checksum's field: Linux and
 * FreeBSD with the pseudo header's sum, Windows with that of a large packet
 * without its length, some with zeros, and nobody says so.
 */
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "netback/burst_offload.h"
#include "netback/from_guest.h"
#include "tests/fake/guest.h"
#include "unit.h"

#define ROOM 16384u
#define HEADROOM 128u
#define MSS 1448u
#define BLANK NETTXF_csum_blank
#define VALID NETTXF_data_validated
#define GOOD RTE_MBUF_F_RX_L4_CKSUM_GOOD

static struct fake_guest *guest;
static struct from_guest q;
static struct from_guest_burst ring_burst;
static struct burst_from from;
static struct burst_to to;
static struct rte_mbuf mbuf;
static uint8_t buffer[HEADROOM + ROOM];
static uint8_t packet[ROOM];
static uint16_t later_flags;        /* of all slots but a packet's first */

/* What a packet is made of. */
struct shape {
    bool ipv6, udp;
    unsigned int vlans;
    unsigned int l3_more;           /* bytes of options or extensions */
    unsigned int l4_more;           /* bytes of TCP options */
    unsigned int payload;
    unsigned int padding;           /* behind what IP says */
};

/* Where things ended up. */
static struct {
    unsigned int l2, l3, l4, l4_size, size, field;
} at;

static void setup(void)
{
    guest = fake_guest_create();
    ck_assert_int_eq(from_guest_init(&q, guest->tx), 0);
    memset(&ring_burst, 0, sizeof(ring_burst));
    memset(&from, 0, sizeof(from));
    memset(&to, 0, sizeof(to));
    later_flags = 0;
}

static void teardown(void)
{
    fake_guest_destroy(guest);
}

static void put16(unsigned int offset, unsigned int value)
{
    packet[offset] = (uint8_t)(value >> 8);
    packet[offset + 1] = (uint8_t)value;
}

static unsigned int get16(const uint8_t *data)
{
    return (unsigned int)data[0] << 8 | data[1];
}

static void build_l3(const struct shape *s)
{
    unsigned int proto = s->udp ? 17 : 6;
    uint8_t *ip = packet + at.l2;

    if (!s->ipv6) {
        ip[0] = (uint8_t)(0x45 + s->l3_more / 4);
        put16(at.l2 + 2, at.l4 - at.l2 + at.l4_size);
        put16(at.l2 + 6, 0x4000);
        ip[9] = (uint8_t)proto;
        return;
    }
    ip[0] = 0x60;
    put16(at.l2 + 4, at.l4 - at.l2 - 40 + at.l4_size);
    ip[6] = (uint8_t)(s->l3_more != 0 ? 60 : proto);
    if (s->l3_more != 0) {
        ip[40] = (uint8_t)proto;
        ip[41] = (uint8_t)(s->l3_more / 8 - 1);
    }
}

static void build(const struct shape *s)
{
    unsigned int l4_header = s->udp ? 8 : 20 + s->l4_more;

    for (unsigned int i = 0; i < ROOM; i++) {
        packet[i] = (uint8_t)(i * 59 + i / 256 + 11);
    }
    at.l2 = 14 + s->vlans * 4;
    at.l3 = (s->ipv6 ? 40 : 20) + s->l3_more;
    at.l4 = at.l2 + at.l3;
    at.l4_size = l4_header + s->payload;
    at.size = at.l4 + at.l4_size + s->padding;
    at.field = at.l4 + (s->udp ? 6 : 16);
    for (unsigned int i = 0; i < s->vlans; i++) {
        put16(12 + 4 * i, i == 0 && s->vlans > 1 ? 0x88a8 : 0x8100);
    }
    put16(at.l2 - 2, s->ipv6 ? 0x86dd : 0x0800);
    build_l3(s);
    if (s->udp) {
        put16(at.l4 + 4, at.l4_size);
    } else {
        packet[at.l4 + 12] = (uint8_t)(l4_header / 4 << 4);
    }
}

/* RFC 1071, byte by byte; with_data: else the pseudo header alone. */
static unsigned int sum(const struct shape *s, bool with_length,
                        bool with_data)
{
    unsigned int address = at.l2 + (s->ipv6 ? 8 : 12);
    uint32_t total = (with_length ? at.l4_size : 0) + (s->udp ? 17 : 6);

    for (unsigned int i = 0; i < (s->ipv6 ? 32u : 8u); i++) {
        total += (uint32_t)packet[address + i] << (i % 2 == 0 ? 8 : 0);
    }
    for (unsigned int i = 0; with_data && i < at.l4_size; i++) {
        if (at.l4 + i != at.field && at.l4 + i != at.field + 1) {
            total += (uint32_t)packet[at.l4 + i] << (i % 2 == 0 ? 8 : 0);
        }
    }
    while (total > 0xffff) {
        total = (total & 0xffff) + (total >> 16);
    }
    return total;
}

static unsigned int right_sum(const struct shape *s)
{
    unsigned int result = sum(s, true, true) ^ 0xffff;

    return result == 0 && s->udp ? 0xffff : result;
}

enum leaves { LEAVES_ZERO, LEAVES_PSEUDO, LEAVES_SHORT, LEAVES_RUBBISH,
              LEAVES_RIGHT, LEAVES_COUNT };

/* What the frontend leaves in the checksum's field. */
static void leave(const struct shape *s, enum leaves how)
{
    switch (how) {
    case LEAVES_ZERO: put16(at.field, 0); break;
    case LEAVES_PSEUDO: put16(at.field, sum(s, true, false)); break;
    case LEAVES_SHORT: put16(at.field, sum(s, false, false)); break;
    case LEAVES_RUBBISH: put16(at.field, 0xdead); break;
    default: put16(at.field, right_sum(s)); break;
    }
}

static void send_gso(uint8_t type)
{
    netif_extra_info_t extra = { .type = XEN_NETIF_EXTRA_TYPE_GSO };

    extra.u.gso.type = type;
    extra.u.gso.size = MSS;
    fake_guest_send_extra(guest, &extra);
}

/*
 * Put the packet in the ring, in slots of at most cut bytes: the first has
 * the size of all.  gso: XEN_NETIF_GSO_TYPE_*.
 */
static void send_packet(uint16_t flags, uint8_t gso, unsigned int cut)
{
    unsigned int done = 0, page = 0;

    while (done < at.size) {
        unsigned int part = at.size - done < cut ? at.size - done : cut;
        uint16_t more = (uint16_t)((done + part < at.size ?
                                    NETTXF_more_data : 0) |
                                   (done != 0 ? later_flags : 0));
        uint16_t size = (uint16_t)(done == 0 ? at.size : part);

        memcpy(guest->pages[page], packet + done, part);
        if (done == 0) {
            more |= flags | (gso != 0 ? NETTXF_extra_info : 0);
        }
        fake_guest_send(guest, page++, 0, size, more);
        if (done == 0 && gso != 0) {
            send_gso(gso);
        }
        done += part;
    }
    fake_guest_push_tx(guest);
}

static void make_mbuf(unsigned int size)
{
    memset(&mbuf, 0, sizeof(mbuf));
    mbuf.buf_addr = buffer;
    mbuf.buf_len = sizeof(buffer);
    mbuf.data_off = HEADROOM;
    mbuf.nb_segs = 1;
    mbuf.data_len = (uint16_t)size;
    mbuf.pkt_len = size;
}

/* As burst.c does with one packet; what burst_offload_from() said. */
static int receive(void)
{
    struct from_guest_span span = { buffer + HEADROOM, ROOM };
    int error;

    ck_assert_int_gt(from_guest_take(&q, &ring_burst, 1), 0);
    ck_assert_int_eq(from_guest_parse(&ring_burst), 1);
    ck_assert_int_eq(from_guest_plan(&ring_burst, 0, &span, 1), 0);
    access_copy(&guest->access, ACCESS_FROM_GUEST, ring_burst.copies,
                ring_burst.copy_count);
    from_guest_settle(&ring_burst);
    ck_assert_int_eq(ring_burst.packets[0].status, NETIF_RSP_OKAY);
    make_mbuf(ring_burst.packets[0].size);
    error = burst_offload_from(&from, &mbuf, &ring_burst.packets[0]);
    (void)from_guest_respond(&q, &ring_burst);
    return error;
}

/* All bytes but the checksum's are the guest's; want: the checksum. */
static void assert_bytes(unsigned int want)
{
    const uint8_t *got = buffer + HEADROOM;

    ck_assert_uint_eq(get16(got + at.field), want);
    ck_assert_mem_eq(got, packet, at.field);
    ck_assert_mem_eq(got + at.field + 2, packet + at.field + 2,
                     at.size - at.field - 2);
    ck_assert_uint_eq(mbuf.pkt_len, at.size);
}

static void assert_marked(const struct shape *s, bool gso)
{
    uint64_t want = (s->udp ? RTE_MBUF_F_TX_UDP_CKSUM
                            : RTE_MBUF_F_TX_TCP_CKSUM) |
                    (s->ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4) |
                    (gso ? RTE_MBUF_F_TX_TCP_SEG : 0);

    ck_assert_uint_eq(mbuf.ol_flags, want);
    ck_assert_uint_eq(mbuf.l2_len, at.l2);
    ck_assert_uint_eq(mbuf.l3_len, at.l3);
    ck_assert_uint_eq(mbuf.l4_len, s->udp ? 8 : 20 + s->l4_more);
    ck_assert_uint_eq(mbuf.tso_segsz, gso ? MSS : 0);
    assert_bytes(sum(s, true, false));
}

static void offer_gso(bool offload)
{
    from.offload = offload;
    ring_burst.offered_gso = offload ? 1u << XEN_NETIF_GSO_TYPE_TCPV4 |
                                       1u << XEN_NETIF_GSO_TYPE_TCPV6 : 0;
}

/* The shapes that each row of the tests below goes through. */
static const struct shape shapes[] = {
    { .payload = 1000 },
    { .payload = 1000, .udp = true },
    { .payload = 1000, .ipv6 = true },
    { .payload = 1000, .ipv6 = true, .udp = true },
    { .payload = 1001, .l3_more = 40, .l4_more = 40 },      /* the longest */
    { .payload = 1001, .l3_more = 24, .udp = true },
    { .payload = 999, .l3_more = 24, .l4_more = 12, .ipv6 = true },
    { .payload = 999, .l3_more = 8, .ipv6 = true, .udp = true },
    { .payload = 0 },                                       /* no payload */
    { .payload = 0, .udp = true, .padding = 18 },           /* a short frame */
    { .payload = 1, .padding = 5, .l4_more = 4 },
    { .payload = 1, .ipv6 = true, .udp = true, .padding = 3 },
    { .payload = 8000, .l4_more = 12 },                     /* three slots */
    { .payload = 7000, .ipv6 = true, .udp = true },
};
#define SHAPES RTE_DIM(shapes)

/* The switch, and hardware behind it, know where these headers are. */
static bool is_marked(const struct shape *s)
{
    return from.offload && s->vlans <= 1 &&
           at.l4 + (s->udp ? 8 : 20 + s->l4_more) <= FROM_GUEST_HEADER;
}

/* netif.h's two flags, in their four combinations. */
static const uint16_t flag_sets[] = { 0, VALID, BLANK, BLANK | VALID };

static void one_plain(struct shape s, uint16_t flags, enum leaves leaves,
                      unsigned int cut)
{
    unsigned int left;

    build(&s);
    leave(&s, leaves);
    left = get16(packet + at.field);
    from.stats.completed = 0;
    send_packet(flags, 0, cut);
    ck_assert_int_eq(receive(), 0);
    if ((flags & BLANK) == 0) {
        /* The guest says that it is complete, or that it was verified. */
        ck_assert_uint_eq(mbuf.ol_flags, (flags & VALID) != 0 ? GOOD : 0);
        assert_bytes(left);
    } else if (is_marked(&s)) {
        assert_marked(&s, false);
    } else {
        ck_assert_uint_eq(mbuf.ol_flags, GOOD);
        assert_bytes(right_sum(&s));
    }
    ck_assert_uint_eq(from.stats.completed,
                      (flags & BLANK) != 0 && !is_marked(&s));
}

/* Every shape, flags, field, tags, cut; with and without the switch's part. */
START_TEST(plain_packets)
{
    struct shape s = shapes[_i % SHAPES];

    offer_gso(_i / SHAPES == 1);
    for (s.vlans = 0; s.vlans <= 2; s.vlans++) {
        for (unsigned int f = 0; f < RTE_DIM(flag_sets); f++) {
            for (unsigned int how = 0; how < LEAVES_COUNT; how++) {
                one_plain(s, flag_sets[f], how, ACCESS_PAGE_SIZE);
            }
        }
    }
}
END_TEST

/*
 * Headers whose lengths an mbuf cannot say: its fields would hold the rest
 * of a division, and hardware would write the checksum there.
 */
START_TEST(long_headers)
{
    struct shape s = { .payload = 1000, .ipv6 = true, .udp = _i % 2 == 1 };

    offer_gso(true);
    for (s.l3_more = 8; s.l3_more <= 2048; s.l3_more += 8) {
        one_plain(s, BLANK, LEAVES_RUBBISH, ACCESS_PAGE_SIZE);
    }
}
END_TEST

START_TEST(large_packets_with_long_headers)
{
    struct shape s = { .payload = 3000, .ipv6 = true };

    offer_gso(true);
    for (s.l3_more = 8; s.l3_more <= 2048; s.l3_more += 8) {
        build(&s);
        send_packet(BLANK, XEN_NETIF_GSO_TYPE_TCPV6, ACCESS_PAGE_SIZE);
        ck_assert_int_eq(receive(), is_marked(&s) ? 0 : -EMSGSIZE);
        if (is_marked(&s)) {
            assert_marked(&s, true);
        }
    }
}
END_TEST

/*
 * What is one segment is not marked to be cut: hardware that is to cut a
 * packet without data, or with too little, stops.
 */
START_TEST(large_packets_of_one_segment)
{
    struct shape s = { .ipv6 = _i == 1, .l4_more = 12 };
    uint8_t type = s.ipv6 ? XEN_NETIF_GSO_TYPE_TCPV6
                          : XEN_NETIF_GSO_TYPE_TCPV4;

    offer_gso(true);
    for (s.payload = 0; s.payload < MSS + 2; s.payload++) {
        build(&s);
        send_packet(BLANK | VALID, type, ACCESS_PAGE_SIZE);
        ck_assert_int_eq(receive(), 0);
        assert_marked(&s, s.payload > MSS);
    }
}
END_TEST

/* XSA-423: headers in many slots arrive contiguous, with the same result. */
START_TEST(headers_in_many_slots)
{
    struct shape s = { .payload = 200, .l3_more = 24, .l4_more = 12 };

    offer_gso(_i % 2 == 1);
    s.ipv6 = _i / 2 % 2 == 1;
    for (unsigned int cut = 14; cut < 130; cut++) {
        build(&s);
        if ((at.size + cut - 1) / cut <= FROM_GUEST_CHAIN_MAX) {
            one_plain(s, BLANK | VALID, LEAVES_PSEUDO, cut);
        }
    }
}
END_TEST

/*
 * netif.h: the first slot's flags are the packet's.  Frontends that make all
 * slots from one template set them in each, others in none but the first.
 */
START_TEST(flags_of_later_slots)
{
    struct shape s = { .payload = 9000, .l4_more = 12 };

    offer_gso(_i % 2 == 1);
    s.ipv6 = _i / 2 % 2 == 1;
    later_flags = flag_sets[_i / 4];
    for (unsigned int f = 0; f < RTE_DIM(flag_sets); f++) {
        for (unsigned int how = 0; how < LEAVES_COUNT; how++) {
            one_plain(s, flag_sets[f], how, ACCESS_PAGE_SIZE);
            if (from.offload) {
                build(&s);
                leave(&s, how);
                send_packet(flag_sets[f], s.ipv6 ? XEN_NETIF_GSO_TYPE_TCPV6
                            : XEN_NETIF_GSO_TYPE_TCPV4, ACCESS_PAGE_SIZE);
                ck_assert_int_eq(receive(), 0);
                assert_marked(&s, true);
            }
        }
    }
}
END_TEST

/* A datagram whose sender made no checksum: zero, and nothing to be made. */
START_TEST(udp_without_a_checksum)
{
    const struct shape s = { .payload = 1000, .udp = true };

    offer_gso(_i == 1);
    for (unsigned int f = 0; f < RTE_DIM(flag_sets); f++) {
        if ((flag_sets[f] & BLANK) == 0) {
            build(&s);
            put16(at.field, 0);
            send_packet(flag_sets[f], 0, ACCESS_PAGE_SIZE);
            ck_assert_int_eq(receive(), 0);
            assert_bytes(0);
        }
    }
}
END_TEST

/*
 * Large packets: always with the flag that Linux sets (both) in mind, but
 * whatever the flags are, the checksum is one to be made for each segment.
 */
START_TEST(large_packets)
{
    struct shape s = shapes[_i % SHAPES];
    uint8_t type = s.ipv6 ? XEN_NETIF_GSO_TYPE_TCPV6
                          : XEN_NETIF_GSO_TYPE_TCPV4;

    offer_gso(true);
    s.payload += MSS + 1;
    for (s.vlans = 0; s.vlans <= 2; s.vlans++) {
        for (unsigned int f = 0; f < RTE_DIM(flag_sets); f++) {
            for (unsigned int how = 0; how < LEAVES_COUNT; how++) {
                build(&s);
                leave(&s, how);
                send_packet(flag_sets[f], type, ACCESS_PAGE_SIZE);
                if (s.udp) {
                    ck_assert_int_eq(receive(), -EBADMSG);
                } else {
                    ck_assert_int_eq(receive(), 0);
                    assert_marked(&s, true);
                }
            }
        }
    }
}
END_TEST

/* The extra info names the other IP version. */
START_TEST(large_packets_of_the_wrong_kind)
{
    struct shape s = { .payload = 3000, .ipv6 = _i == 1 };

    offer_gso(true);
    build(&s);
    send_packet(BLANK | VALID, s.ipv6 ? XEN_NETIF_GSO_TYPE_TCPV4
                                      : XEN_NETIF_GSO_TYPE_TCPV6,
                ACCESS_PAGE_SIZE);
    ck_assert_int_eq(receive(), -EBADMSG);
}
END_TEST

/* Not offered: the ring is broken.  Offered by an earlier run: dropped. */
START_TEST(large_packets_that_were_not_asked_for)
{
    const struct shape s = { .payload = 3000 };

    offer_gso(false);
    build(&s);
    ring_burst.offered_gso = 1u << XEN_NETIF_GSO_TYPE_TCPV4;
    send_packet(BLANK | VALID, XEN_NETIF_GSO_TYPE_TCPV4, ACCESS_PAGE_SIZE);
    ck_assert_int_eq(receive(), -EOPNOTSUPP);
    ring_burst.offered_gso = 0;
    send_packet(BLANK | VALID, XEN_NETIF_GSO_TYPE_TCPV4, ACCESS_PAGE_SIZE);
    ck_assert_int_gt(from_guest_take(&q, &ring_burst, 1), 0);
    ck_assert_int_eq(from_guest_parse(&ring_burst), -EPROTO);
    ck_assert_int_eq(ring_burst.fault, FROM_GUEST_GSO);
}
END_TEST

/* One lie about a header, and what a blank checksum then leads to. */
struct lie {
    const char *name;
    bool ipv6, udp;
    unsigned int base;              /* 0: packet, 2: L2, 3: L3, 4: L4 */
    unsigned int offset;
    unsigned int value;             /* 16 bits */
    int error;
};

static const struct lie lies[] = {
    { "other ethertype", 0, 0, 0, 12, 0x88b5, -EPROTONOSUPPORT },
    { "ARP", 0, 0, 0, 12, 0x0806, -EPROTONOSUPPORT },
    { "IPv4 of version 6", 0, 0, 3, 0, 0x6500, -EBADMSG },
    { "IPv4 header of 16 bytes", 0, 0, 3, 0, 0x4400, -EBADMSG },
    { "IPv4 header past the total", 0, 0, 3, 2, 19, -EBADMSG },
    { "IPv4 total of 0", 0, 0, 3, 2, 0, -EBADMSG },
    { "IPv4 total past the frame", 0, 0, 3, 2, 1041, -EBADMSG },
    { "IPv4 total of 65535", 0, 0, 3, 2, 65535, -EBADMSG },
    { "IPv4 without all of TCP", 0, 0, 3, 2, 39, -EBADMSG },
    { "first fragment", 0, 0, 3, 6, 0x2000, -EPROTONOSUPPORT },
    { "later fragment", 0, 0, 3, 6, 0x0001, -EPROTONOSUPPORT },
    { "ICMP", 0, 0, 3, 8, 0x4001, -EPROTONOSUPPORT },
    { "SCTP", 0, 0, 3, 8, 0x4084, -EPROTONOSUPPORT },
    { "TCP header of 16 bytes", 0, 0, 4, 12, 0x4000, -EBADMSG },
    { "TCP without all of UDP", 0, 1, 3, 2, 27, -EBADMSG },
    { "UDP length of 0", 0, 1, 4, 4, 0, -EBADMSG },
    { "UDP length of 7", 0, 1, 4, 4, 7, -EBADMSG },
    { "UDP length past IP's", 0, 1, 4, 4, 1009, -EBADMSG },
    { "IPv6 of version 4", 1, 0, 3, 0, 0x4000, -EBADMSG },
    { "IPv6 payload past the frame", 1, 0, 3, 4, 1021, -EBADMSG },
    { "IPv6 payload of 0", 1, 0, 3, 4, 0, -EBADMSG },
    { "IPv6 fragment", 1, 0, 3, 6, 44 << 8, -EPROTONOSUPPORT },
    { "IPv6 no next header", 1, 0, 3, 6, 59 << 8, -EPROTONOSUPPORT },
    { "ICMPv6", 1, 0, 3, 6, 58 << 8, -EPROTONOSUPPORT },
    { "IPv6 UDP length past IP's", 1, 1, 4, 4, 1009, -EBADMSG },
};
#define LIES RTE_DIM(lies)

static void build_lie(const struct lie *lie)
{
    const struct shape s = {
        .payload = 1000, .ipv6 = lie->ipv6, .udp = lie->udp,
    };

    build(&s);
    put16(lie->offset + (lie->base == 0 ? 0 : lie->base == 3 ? at.l2
                                                             : at.l4),
          lie->value);
}

/* Dropped with a blank checksum; passed as it is with a complete one. */
START_TEST(lying_headers)
{
    const struct lie *lie = &lies[_i % LIES];

    offer_gso(_i / LIES == 1);
    for (unsigned int f = 0; f < RTE_DIM(flag_sets); f++) {
        bool blank = (flag_sets[f] & BLANK) != 0;

        build_lie(lie);
        send_packet(flag_sets[f], 0, ACCESS_PAGE_SIZE);
        ck_assert_msg(receive() == (blank ? lie->error : 0), "%s, flags %u",
                      lie->name, flag_sets[f]);
        if (!blank) {
            ck_assert_mem_eq(buffer + HEADROOM, packet, at.size);
        }
    }
    if (from.offload) {
        build_lie(lie);
        send_packet(BLANK | VALID, lie->ipv6 ? XEN_NETIF_GSO_TYPE_TCPV6
                                             : XEN_NETIF_GSO_TYPE_TCPV4,
                    ACCESS_PAGE_SIZE);
        ck_assert_msg(receive() < 0, "%s, large", lie->name);
    }
}
END_TEST

/* Every length that is too short for its headers, or ends within them. */
START_TEST(short_frames)
{
    struct shape s = { .payload = 0, .ipv6 = _i % 2 == 1, .vlans = 1 };

    offer_gso(_i / 2 == 1);
    build(&s);
    for (unsigned int whole = at.size, size = 14; size < whole; size++) {
        at.size = size;
        send_packet(BLANK, 0, ACCESS_PAGE_SIZE);
        ck_assert_int_eq(receive(), -EBADMSG);
        send_packet(VALID, 0, ACCESS_PAGE_SIZE);
        ck_assert_int_eq(receive(), 0);
    }
}
END_TEST

/* The other way: an mbuf of the switch's, and what a guest takes. */
static int deliver(const struct shape *s, uint64_t ol_flags,
                   enum leaves leaves, struct to_guest_packet *told)
{
    build(s);
    leave(s, leaves);
    memcpy(buffer + HEADROOM, packet, at.size);
    make_mbuf(at.size);
    mbuf.ol_flags = ol_flags;
    mbuf.l2_len = at.l2 & 0x7f;
    mbuf.l3_len = at.l3 & 0x1ff;
    mbuf.l4_len = (uint8_t)(s->udp ? 8 : 20 + s->l4_more);
    mbuf.tso_segsz = (ol_flags & RTE_MBUF_F_TX_TCP_SEG) != 0 ? MSS : 0;
    *told = (struct to_guest_packet){ .flags = 0 };
    return burst_offload_to(&to, told, &mbuf);
}

/* A packet that was complete stays so; its mark goes with it. */
START_TEST(complete_mbufs)
{
    static const uint64_t marks[] = {
        0, GOOD, RTE_MBUF_F_RX_L4_CKSUM_BAD, RTE_MBUF_F_TX_IPV4,
        RTE_MBUF_F_TX_IPV6 | GOOD,
    };
    struct to_guest_packet told;

    for (unsigned int m = 0; m < RTE_DIM(marks); m++) {
        bool good = (marks[m] & RTE_MBUF_F_RX_L4_CKSUM_MASK) == GOOD;

        ck_assert_int_eq(deliver(&shapes[_i], marks[m], LEAVES_RUBBISH,
                                 &told), 0);
        ck_assert_uint_eq(told.flags, good ? NETRXF_data_validated : 0);
        ck_assert_uint_eq(told.gso_size, 0);
        assert_bytes(0xdead);
    }
}
END_TEST

/* Blank for a guest that takes it, complete for one that does not. */
START_TEST(blank_mbufs)
{
    struct shape s = shapes[_i % SHAPES];
    bool takes = _i / SHAPES == 1;
    uint64_t mark = s.udp ? RTE_MBUF_F_TX_UDP_CKSUM : RTE_MBUF_F_TX_TCP_CKSUM;
    struct to_guest_packet told;

    to.takes.csum_ipv4 = takes != s.ipv6;
    to.takes.csum_ipv6 = takes == s.ipv6;
    for (s.vlans = 0; s.vlans <= 2; s.vlans++) {
        for (unsigned int how = 0; how < LEAVES_COUNT; how++) {
            ck_assert_int_eq(deliver(&s, mark, how, &told), 0);
            if (takes) {
                ck_assert_uint_eq(told.flags, NETRXF_csum_blank |
                                  NETRXF_data_validated);
                assert_bytes(sum(&s, true, false));
            } else {
                ck_assert_uint_eq(told.flags & NETRXF_csum_blank, 0);
                assert_bytes(right_sum(&s));
            }
            ck_assert_uint_eq(told.gso_size, 0);
        }
    }
}
END_TEST

/* Large ones have both flags: Windows' frontend takes no others. */
START_TEST(large_mbufs)
{
    struct shape s = shapes[_i];
    uint64_t mark = RTE_MBUF_F_TX_TCP_SEG | RTE_MBUF_F_TX_TCP_CKSUM |
                    (s.ipv6 ? RTE_MBUF_F_TX_IPV6 : RTE_MBUF_F_TX_IPV4);
    struct to_guest_packet told;

    ck_assert_int_ne(deliver(&s, mark, LEAVES_SHORT, &told), 0);
    to.takes.gso_tcpv4 = !s.ipv6;
    to.takes.gso_tcpv6 = s.ipv6;
    if (s.udp) {
        ck_assert_int_eq(deliver(&s, mark, LEAVES_SHORT, &told), -EBADMSG);
        return;
    }
    ck_assert_int_eq(deliver(&s, mark, LEAVES_SHORT, &told), 0);
    ck_assert_uint_eq(told.flags, NETRXF_csum_blank | NETRXF_data_validated);
    ck_assert_uint_eq(told.gso_size, MSS);
    ck_assert_uint_eq(told.gso_type, s.ipv6 ? XEN_NETIF_GSO_TYPE_TCPV6
                                            : XEN_NETIF_GSO_TYPE_TCPV4);
    assert_bytes(sum(&s, true, false));
}
END_TEST

/* The IPv4 header's sum as RFC 1071 has it. */
static unsigned int header_sum(const uint8_t *ip)
{
    uint32_t total = 0;

    for (unsigned int i = 0; i < at.l3; i += 2) {
        total += i == 10 ? 0 : get16(ip + i);
    }
    while (total > 0xffff) {
        total = (total & 0xffff) + (total >> 16);
    }
    return total ^ 0xffff;
}

/*
 * The switch left the IPv4 header's sum to us.  It was made only when the
 * L4 checksum was left as well: an ICMP packet, or a complete TCP packet
 * whose TTL the switch had changed, reached the guest with a wrong one.
 */
START_TEST(ipv4_header_sums)
{
    static const uint64_t marks[] = {
        0, GOOD, RTE_MBUF_F_TX_TCP_CKSUM, RTE_MBUF_F_TX_TCP_SEG,
    };
    struct shape s = { .payload = 1000, .l3_more = _i % 2 * 12,
                       .vlans = _i / 2 % 3 };
    uint8_t *ip = buffer + HEADROOM + 14 + s.vlans * 4;
    struct to_guest_packet told;

    to.takes.csum_ipv4 = to.takes.gso_tcpv4 = true;
    for (unsigned int m = 0; m < RTE_DIM(marks); m++) {
        ck_assert_int_eq(deliver(&s, marks[m] | RTE_MBUF_F_TX_IP_CKSUM |
                                 RTE_MBUF_F_TX_IPV4, LEAVES_RIGHT, &told), 0);
        ck_assert_uint_eq(get16(ip + 10), header_sum(ip));
    }
    /* An IPv4 header that is not there is not summed. */
    build(&s);
    memcpy(buffer + HEADROOM, packet, at.size);
    make_mbuf(at.l2 + 19);
    mbuf.ol_flags = RTE_MBUF_F_TX_IP_CKSUM | RTE_MBUF_F_TX_IPV4;
    mbuf.l2_len = at.l2 & 0x7f;
    mbuf.l3_len = 20;
    ck_assert_int_eq(burst_offload_to(&to, &told, &mbuf), -EBADMSG);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, plain_packets, 0, 2 * SHAPES);
    tcase_add_loop_test(tcase, long_headers, 0, 2);
    tcase_add_loop_test(tcase, large_packets_with_long_headers, 0, 1);
    tcase_add_loop_test(tcase, large_packets_of_one_segment, 0, 2);
    tcase_add_loop_test(tcase, headers_in_many_slots, 0, 4);
    tcase_add_loop_test(tcase, flags_of_later_slots, 0, 16);
    tcase_add_loop_test(tcase, udp_without_a_checksum, 0, 2);
    tcase_add_loop_test(tcase, large_packets, 0, SHAPES);
    tcase_add_loop_test(tcase, large_packets_of_the_wrong_kind, 0, 2);
    tcase_add_test(tcase, large_packets_that_were_not_asked_for);
    tcase_add_loop_test(tcase, lying_headers, 0, 2 * LIES);
    tcase_add_loop_test(tcase, short_frames, 0, 4);
    tcase_add_loop_test(tcase, complete_mbufs, 0, SHAPES);
    tcase_add_loop_test(tcase, blank_mbufs, 0, 2 * SHAPES);
    tcase_add_loop_test(tcase, large_mbufs, 0, SHAPES);
    tcase_add_loop_test(tcase, ipv4_header_sums, 0, 6);
}

int main(void)
{
    Suite *suite = suite_create("burst_offload");

    add_tests(unit_case(suite, "burst_offload"));
    return unit_run(suite);
}
