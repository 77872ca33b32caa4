/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * hash: Toeplitz against published sums and against the ABI's own code, the
 * control operations' answers, and packets that lie about themselves.
 */
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <xen/xen.h>
#define XEN_NETIF_DEFINE_TOEPLITZ
#include <xen/io/netif.h>

#include "netback/hash.h"
#include "unit.h"

#define SUCCESS XEN_NETIF_CTRL_STATUS_SUCCESS
#define INVALID XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER
#define OVERFLOW XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW
#define UNSUPPORTED XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED

/* The key of Microsoft's "Verifying the RSS Hash Calculation". */
static const uint8_t known_key[HASH_KEY_MAX] = {
    0x6d, 0x5a, 0x56, 0xda, 0x25, 0x5b, 0x0e, 0xc2, 0x41, 0x67,
    0x25, 0x3d, 0x43, 0xa3, 0x8f, 0xb0, 0xd0, 0xca, 0x2b, 0xcb,
    0xae, 0x7b, 0x30, 0xb4, 0x77, 0xcb, 0x2d, 0xa3, 0x80, 0x30,
    0xf2, 0x0c, 0x6a, 0x42, 0xb7, 0x3b, 0xbe, 0xac, 0x01, 0xfa,
};

static struct hash hash;
static struct hash_table table;
static uint8_t packet[256];
static size_t packet_size;

static void setup(void)
{
    memset(&hash, 0, sizeof(hash));
    memset(&table, 0, sizeof(table));
}

static void use(uint32_t flags)
{
    ck_assert_uint_eq(
        hash_set_algorithm(&hash, XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ),
        SUCCESS);
    ck_assert_uint_eq(hash_set_flags(&hash, flags), SUCCESS);
    hash_publish(&table, &hash);
}

static size_t build_l2(unsigned int tags, unsigned int type)
{
    size_t at = 12;

    memset(packet, 0x5a, sizeof(packet));
    for (unsigned int i = 0; i < tags; i++, at += 4) {
        packet[at] = 0x81;
        packet[at + 1] = 0;
    }
    packet[at] = (uint8_t)(type >> 8);
    packet[at + 1] = (uint8_t)type;
    return at + 2;
}

static void build_ipv4(unsigned int tags, uint8_t proto, const char *flow)
{
    size_t at = build_l2(tags, 0x0800);

    packet[at] = 0x45;
    packet[at + 6] = packet[at + 7] = 0;
    packet[at + 9] = proto;
    memcpy(packet + at + 12, flow, 12);
    packet_size = at + 40;
}

static void build_ipv6(unsigned int tags, uint8_t proto, const char *flow)
{
    size_t at = build_l2(tags, 0x86dd);

    packet[at] = 0x60;
    packet[at + 6] = proto;
    memcpy(packet + at + 8, flow, 36);
    packet_size = at + 60;
}

static void expect(uint8_t type, uint32_t value)
{
    struct hash_value got = hash_packet(&table, packet, packet_size);

    ck_assert_uint_eq(got.type, type);
    ck_assert_uint_eq(got.value, value);
}

/* From 66.9.149.187:2794 to 161.142.100.80:1766, and so on. */
static const struct {
    const char *flow;
    uint32_t addresses, ports;
} known4[] = {
    { "\x42\x09\x95\xbb\xa1\x8e\x64\x50\x0a\xea\x06\xe6",
      0x323e8fc2, 0x51ccc178 },
    { "\xc7\x5c\x6f\x02\x41\x45\x8c\x53\x37\x96\x12\x83",
      0xd718262a, 0xc626b0ea },
    { "\x18\x13\xc6\x5f\x0c\x16\xcf\xb8\x32\x62\x94\x88",
      0xd2d0a5de, 0x5c2b394a },
};

static const char known6_flow[] =
    "\x3f\xfe\x25\x01\x02\x00\x1f\xff\0\0\0\0\0\0\0\x07"
    "\x3f\xfe\x25\x01\x02\x00\x00\x03\0\0\0\0\0\0\0\x01"
    "\x0a\xea\x06\xe6";

START_TEST(published_sums)
{
    hash_set_key(&hash, known_key, sizeof(known_key));
    use(HASH_TYPES);
    for (unsigned int i = 0; i < 3; i++) {
        build_ipv4(_i, 6, known4[i].flow);
        expect(_XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP, known4[i].ports);
        build_ipv4(_i, 17, known4[i].flow);
        expect(_XEN_NETIF_CTRL_HASH_TYPE_IPV4, known4[i].addresses);
    }
    build_ipv6(_i, 6, known6_flow);
    expect(_XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP, 0x40207d3d);
    build_ipv6(_i, 17, known6_flow);
    expect(_XEN_NETIF_CTRL_HASH_TYPE_IPV6, 0x2cc18cd5);
}
END_TEST

/* Any key, any length of it: the code in xen/io/netif.h is the rule. */
START_TEST(agrees_with_the_abi)
{
    unsigned int seed = _i + 1;
    uint8_t key[HASH_KEY_MAX];
    char flow[36];

    for (unsigned int i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t)(rand_r(&seed) >> 7);
    }
    for (unsigned int i = 0; i < sizeof(flow); i++) {
        flow[i] = (char)(rand_r(&seed) >> 7);
    }
    hash_set_key(&hash, key, _i % 41);
    use(HASH_TYPES);
    build_ipv4(0, 6, flow);
    expect(_XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP,
           xen_netif_toeplitz_hash(key, _i % 41, (uint8_t *)flow, 12));
    build_ipv6(0, 6, flow);
    expect(_XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP,
           xen_netif_toeplitz_hash(key, _i % 41, (uint8_t *)flow, 36));
}
END_TEST

/* netif.h: of the types that are set, the largest that fits. */
START_TEST(takes_the_largest_type)
{
    uint32_t flags = _i;
    bool v4 = flags & XEN_NETIF_CTRL_HASH_TYPE_IPV4;
    bool v4_tcp = flags & XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP;
    bool v6 = flags & XEN_NETIF_CTRL_HASH_TYPE_IPV6;
    bool v6_tcp = flags & XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP;

    hash_set_key(&hash, known_key, sizeof(known_key));
    use(flags);
    ck_assert_int_eq(hash_is_on(&table), flags != 0);
    build_ipv4(0, 6, known4[0].flow);
    if (v4_tcp) {
        expect(_XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP, known4[0].ports);
    } else {
        expect(v4 ? _XEN_NETIF_CTRL_HASH_TYPE_IPV4 : HASH_TYPE_NONE,
               v4 ? known4[0].addresses : 0);
    }
    build_ipv6(0, 6, known6_flow);
    if (v6_tcp) {
        expect(_XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP, 0x40207d3d);
    } else {
        expect(v6 ? _XEN_NETIF_CTRL_HASH_TYPE_IPV6 : HASH_TYPE_NONE,
               v6 ? 0x2cc18cd5 : 0);
    }
}
END_TEST

/* All fragments of a datagram go where the first one goes. */
START_TEST(fragments_have_no_ports)
{
    hash_set_key(&hash, known_key, sizeof(known_key));
    use(HASH_TYPES);
    build_ipv4(0, 6, known4[0].flow);
    packet[14 + 6] = 0x20;              /* more fragments */
    expect(_XEN_NETIF_CTRL_HASH_TYPE_IPV4, known4[0].addresses);
    packet[14 + 6] = 0;
    packet[14 + 7] = 9;                 /* an offset */
    expect(_XEN_NETIF_CTRL_HASH_TYPE_IPV4, known4[0].addresses);
    packet[14 + 7] = 0;
    packet[14 + 6] = 0x40;              /* do not fragment */
    expect(_XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP, known4[0].ports);
    build_ipv6(0, 44, known6_flow);
    expect(_XEN_NETIF_CTRL_HASH_TYPE_IPV6, 0x2cc18cd5);
}
END_TEST

START_TEST(options_and_extensions_are_skipped)
{
    hash_set_key(&hash, known_key, sizeof(known_key));
    use(HASH_TYPES);
    build_ipv4(0, 6, known4[0].flow);
    packet[14] = 0x4f;
    memcpy(packet + 14 + 60, known4[0].flow + 8, 4);
    packet_size = 14 + 64;
    expect(_XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP, known4[0].ports);
    build_ipv6(0, 0, known6_flow);
    packet[54] = 60;                    /* hop by hop, 8 bytes */
    packet[55] = 0;
    packet[62] = 6;                     /* destination, 16 bytes */
    packet[63] = 1;
    memcpy(packet + 78, known6_flow + 32, 4);
    packet_size = 82;
    expect(_XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP, 0x40207d3d);
    packet[55] = 255;                   /* past the end */
    expect(_XEN_NETIF_CTRL_HASH_TYPE_IPV6, 0x2cc18cd5);
}
END_TEST

START_TEST(endless_extensions_end)
{
    use(HASH_TYPES);
    build_ipv6(0, 0, known6_flow);
    memset(packet + 54, 0, sizeof(packet) - 54);
    packet_size = sizeof(packet);
    ck_assert_uint_eq(hash_packet(&table, packet, packet_size).type,
                      _XEN_NETIF_CTRL_HASH_TYPE_IPV6);
}
END_TEST

/* Every prefix: nothing past it is read (sanitizers see it). */
START_TEST(every_truncation)
{
    use(HASH_TYPES);
    if (_i < 3) {
        build_ipv4(_i, 6, known4[0].flow);
    } else {
        build_ipv6(_i - 3, 6, known6_flow);
    }
    for (size_t size = 0; size <= packet_size; size++) {
        uint8_t *copy = malloc(size + (size == 0));

        memcpy(copy, packet, size);
        (void)hash_packet(&table, copy, size);
        free(copy);
    }
}
END_TEST

START_TEST(others_have_no_hash)
{
    use(HASH_TYPES);
    build_l2(0, 0x0806);
    packet_size = 60;
    expect(HASH_TYPE_NONE, 0);
    build_l2(3, 0x0800);
    packet_size = 90;
    expect(HASH_TYPE_NONE, 0);
    build_ipv4(0, 6, known4[0].flow);
    packet[14] = 0x65;
    expect(HASH_TYPE_NONE, 0);
    build_ipv6(0, 6, known6_flow);
    packet[14] = 0x40;
    expect(HASH_TYPE_NONE, 0);
}
END_TEST

START_TEST(algorithm_comes_first)
{
    uint32_t flags = 0;

    ck_assert_uint_eq(hash_get_flags(&hash, &flags), UNSUPPORTED);
    ck_assert_uint_eq(hash_set_flags(&hash, 1), INVALID);
    ck_assert_uint_eq(hash_set_algorithm(&hash, 2), INVALID);
    ck_assert_uint_eq(hash.algorithm, 0);
    ck_assert_uint_eq(hash_set_algorithm(&hash, 1), SUCCESS);
    ck_assert_uint_eq(hash_get_flags(&hash, &flags), SUCCESS);
    ck_assert_uint_eq(flags, 15);
    ck_assert_uint_eq(hash_set_flags(&hash, 16), INVALID);
    ck_assert_uint_eq(hash_set_flags(&hash, UINT32_MAX), INVALID);
    ck_assert_uint_eq(hash.flags, 0);
    ck_assert_uint_eq(hash_set_flags(&hash, 15), SUCCESS);
    hash_publish(&table, &hash);
    ck_assert(hash_is_on(&table));
    ck_assert_uint_eq(hash_set_algorithm(&hash, 0), SUCCESS);
    hash_publish(&table, &hash);
    ck_assert(!hash_is_on(&table));
}
END_TEST

START_TEST(keys_have_a_size)
{
    ck_assert_uint_eq(hash_check_key(0), SUCCESS);
    ck_assert_uint_eq(hash_check_key(40), SUCCESS);
    ck_assert_uint_eq(hash_check_key(41), OVERFLOW);
    ck_assert_uint_eq(hash_check_key(4096), OVERFLOW);
    ck_assert_uint_eq(hash_check_key(4097), INVALID);
    ck_assert_uint_eq(hash_check_key(UINT32_MAX), INVALID);
    /* No key: a hash of 0, of the same type. */
    hash_set_key(&hash, known_key, sizeof(known_key));
    hash_set_key(&hash, known_key, 0);
    use(HASH_TYPES);
    build_ipv4(0, 6, known4[0].flow);
    expect(_XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP, 0);
}
END_TEST

START_TEST(mappings_are_checked_whole)
{
    const uint32_t good[3] = { 3, 0, 2 };
    const uint32_t bad[3] = { 1, 1, 4 };

    ck_assert_uint_eq(hash_set_mapping_size(&hash, 129), INVALID);
    ck_assert_uint_eq(hash_set_mapping_size(&hash, UINT32_MAX), INVALID);
    ck_assert_uint_eq(hash_check_mapping(&hash, 1, 0), INVALID);
    ck_assert_uint_eq(hash_set_mapping_size(&hash, 8), SUCCESS);
    ck_assert_uint_eq(hash_check_mapping(&hash, 8, 0), SUCCESS);
    ck_assert_uint_eq(hash_check_mapping(&hash, 0, 8), SUCCESS);
    ck_assert_uint_eq(hash_check_mapping(&hash, 9, 0), INVALID);
    ck_assert_uint_eq(hash_check_mapping(&hash, 8, 1), INVALID);
    ck_assert_uint_eq(hash_check_mapping(&hash, 129, 0), OVERFLOW);
    ck_assert_uint_eq(hash_check_mapping(&hash, 1, 128), OVERFLOW);
    ck_assert_uint_eq(hash_check_mapping(&hash, 2, UINT32_MAX), OVERFLOW);
    ck_assert_uint_eq(hash_check_mapping(&hash, UINT32_MAX, 2), OVERFLOW);
    ck_assert_uint_eq(hash_set_mapping(&hash, good, 3, 5, 4), SUCCESS);
    /* One queue that is not there: nothing of the rest is taken. */
    ck_assert_uint_eq(hash_set_mapping(&hash, bad, 3, 5, 4), INVALID);
    ck_assert_uint_eq(hash.mapping[5], 3);
    hash_publish(&table, &hash);
    ck_assert_uint_eq(hash_queue(&table, 8 * 1000 + 5, 4), 3);
    ck_assert_uint_eq(hash_queue(&table, 8 * 1000 + 7, 4), 2);
    ck_assert_uint_eq(hash_queue(&table, 1, 4), 0);
    /* A new size forgets the old table. */
    ck_assert_uint_eq(hash_set_mapping_size(&hash, 8), SUCCESS);
    hash_publish(&table, &hash);
    ck_assert_uint_eq(hash_queue(&table, 5, 4), 0);
    ck_assert_uint_eq(hash_set_mapping_size(&hash, 0), SUCCESS);
    hash_publish(&table, &hash);
    ck_assert_uint_eq(hash_queue(&table, 4 * 77 + 3, 4), 3);
}
END_TEST

/* A table made for more queues than there are now. */
START_TEST(queue_is_always_there)
{
    const uint32_t high[1] = { 15 };

    (void)hash_set_mapping_size(&hash, 1);
    ck_assert_uint_eq(hash_set_mapping(&hash, high, 1, 0, 16), SUCCESS);
    hash_publish(&table, &hash);
    for (uint16_t queues = 1; queues <= 16; queues++) {
        ck_assert_uint_lt(hash_queue(&table, 0, queues), queues);
    }
}
END_TEST

static bool stop;

static void *publish_for_ever(void *unused)
{
    struct hash one = hash;

    one.key[0] ^= 0xff;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        hash_publish(&table, &one);
        hash_publish(&table, &hash);
    }
    return unused;
}

/*
 * A frontend that changes its key all the time: what a reader accepted is
 * the sum of the one key or of the other, never of a mix.
 */
START_TEST(readers_see_whole_tables)
{
    uint32_t accepted = 0, other;
    pthread_t thread;

    hash_set_key(&hash, known_key, sizeof(known_key));
    use(HASH_TYPES);
    build_ipv4(0, 6, known4[0].flow);
    hash.key[0] ^= 0xff;
    hash_publish(&table, &hash);
    other = hash_packet(&table, packet, packet_size).value;
    hash.key[0] ^= 0xff;
    hash_publish(&table, &hash);
    stop = false;
    ck_assert_int_eq(pthread_create(&thread, NULL, publish_for_ever, NULL),
                     0);
    for (unsigned int i = 0; i < 200000; i++) {
        uint32_t sequence = hash_begin(&table);
        struct hash_value got = hash_packet(&table, packet, packet_size);

        if (hash_end(&table, sequence)) {
            accepted++;
            ck_assert(got.value == 0x51ccc178 || got.value == other);
        }
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
    ck_assert_uint_ne(other, 0x51ccc178);
    (void)accepted;             /* may be 0 on a busy machine */
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_loop_test(tcase, published_sums, 0, 3);
    tcase_add_loop_test(tcase, agrees_with_the_abi, 0, 82);
    tcase_add_loop_test(tcase, takes_the_largest_type, 0, 16);
    tcase_add_test(tcase, fragments_have_no_ports);
    tcase_add_test(tcase, options_and_extensions_are_skipped);
    tcase_add_test(tcase, endless_extensions_end);
    tcase_add_loop_test(tcase, every_truncation, 0, 6);
    tcase_add_test(tcase, others_have_no_hash);
    tcase_add_test(tcase, algorithm_comes_first);
    tcase_add_test(tcase, keys_have_a_size);
    tcase_add_test(tcase, mappings_are_checked_whole);
    tcase_add_test(tcase, queue_is_always_there);
    tcase_add_test(tcase, readers_see_whole_tables);
}

int main(void)
{
    Suite *suite = suite_create("hash");

    add_tests(unit_case(suite, "hash"));
    return unit_run(suite);
}
