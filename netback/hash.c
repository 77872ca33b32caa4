/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Receive-side scaling as the frontend wants it: a Toeplitz hash over
 * addresses and ports, and the table that maps it to a queue.  Talks to
 * nobody; the packets and the frontend's numbers are private copies.
 *
 * The hash of an input is the XOR of what each of its nibbles adds, which
 * depends on the key only: so publishing computes 72 tables of 16 words, and
 * a packet costs two loads a byte.
 *
 * Invariants:
 *  1. The control operations check all before they change anything.
 *  2. No byte outside data[0..head) is read.
 *  3. hash_queue() answers below queue_count even while a table is being
 *     written or was made for another number of queues.
 *  4. A reader never waits for the writer; every loop is bounded.
 *
 * The writer makes sequence odd, writes, makes it even; the release fence
 * after the first and the release of the second store pair with the acquires
 * in hash_begin() and hash_end(): who sees a new word sees a new sequence.
 */
#include <string.h>

#include "access.h"
#include "hash.h"

#define ETH_LEN 14u
#define VLAN_LEN 4u
#define VLANS_MAX 2u
#define IPV4_LEN 20u
#define IPV6_LEN 40u
#define IPV6_EXTS_MAX 8u
#define PORTS_LEN 4u

#define ETHERTYPE_IPV4 0x0800u
#define ETHERTYPE_IPV6 0x86ddu
#define ETHERTYPE_VLAN 0x8100u
#define ETHERTYPE_QINQ 0x88a8u

#define PROTO_HOPOPTS 0u
#define PROTO_TCP 6u
#define PROTO_ROUTING 43u
#define PROTO_DSTOPTS 60u

uint32_t hash_set_algorithm(struct hash *hash, uint32_t algorithm)
{
    if (algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_NONE &&
        algorithm != XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ) {
        return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
    }
    hash->algorithm = algorithm;
    return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

uint32_t hash_get_flags(const struct hash *hash, uint32_t *flags)
{
    if (hash->algorithm == XEN_NETIF_CTRL_HASH_ALGORITHM_NONE) {
        return XEN_NETIF_CTRL_STATUS_NOT_SUPPORTED;
    }
    *flags = HASH_TYPES;
    return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

uint32_t hash_set_flags(struct hash *hash, uint32_t flags)
{
    if ((flags & ~(uint32_t)HASH_TYPES) != 0 ||
        hash->algorithm == XEN_NETIF_CTRL_HASH_ALGORITHM_NONE) {
        return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
    }
    hash->flags = flags;
    return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

uint32_t hash_set_mapping_size(struct hash *hash, uint32_t count)
{
    if (count > HASH_MAPPING_MAX) {
        return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
    }
    hash->mapping_size = count;
    memset(hash->mapping, 0, sizeof(hash->mapping));
    return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

uint32_t hash_check_key(uint32_t size)
{
    if (size > ACCESS_PAGE_SIZE) {
        return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
    }
    return size > HASH_KEY_MAX ? XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW
                               : XEN_NETIF_CTRL_STATUS_SUCCESS;
}

void hash_set_key(struct hash *hash, const uint8_t *key, uint32_t size)
{
    memset(hash->key, 0, sizeof(hash->key));
    memcpy(hash->key, key, size < HASH_KEY_MAX ? size : HASH_KEY_MAX);
}

uint32_t hash_check_mapping(const struct hash *hash, uint32_t count,
                            uint32_t offset)
{
    if (count > HASH_MAPPING_MAX || offset > HASH_MAPPING_MAX - count) {
        return XEN_NETIF_CTRL_STATUS_BUFFER_OVERFLOW;
    }
    if (count > hash->mapping_size || offset > hash->mapping_size - count) {
        return XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
    }
    return XEN_NETIF_CTRL_STATUS_SUCCESS;
}

uint32_t hash_set_mapping(struct hash *hash, const uint32_t *queues,
                          uint32_t count, uint32_t offset,
                          uint16_t queue_count)
{
    uint32_t status = hash_check_mapping(hash, count, offset);

    for (uint32_t i = 0; i < count &&
                         status == XEN_NETIF_CTRL_STATUS_SUCCESS; i++) {
        if (queues[i] >= queue_count) {
            status = XEN_NETIF_CTRL_STATUS_INVALID_PARAMETER;
        }
    }
    if (status != XEN_NETIF_CTRL_STATUS_SUCCESS) {
        return status;
    }
    for (uint32_t i = 0; i < count; i++) {
        hash->mapping[offset + i] = (uint16_t)queues[i];
    }
    return status;
}

/* 32 bits of the key from bit on; zeros behind its end. */
static uint32_t key_window(const uint8_t *key, uint32_t bit)
{
    uint64_t bits = 0;

    for (uint32_t i = 0; i < 5; i++) {
        uint32_t at = bit / 8 + i;

        bits = bits << 8 | (at < HASH_KEY_MAX ? key[at] : 0);
    }
    return (uint32_t)(bits >> (8 - bit % 8));
}

static void publish_nibble(uint32_t *nibble, const uint8_t *key, uint32_t bit)
{
    for (uint32_t value = 0; value < 16; value++) {
        uint32_t sum = 0;

        for (uint32_t i = 0; i < 4; i++) {
            sum ^= (value & (8u >> i)) != 0 ? key_window(key, bit + i) : 0;
        }
        __atomic_store_n(&nibble[value], sum, __ATOMIC_RELAXED);
    }
}

void hash_publish(struct hash_table *table, const struct hash *hash)
{
    uint32_t sequence = table->sequence;
    bool is_on = hash->algorithm == XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ;

    __atomic_store_n(&table->sequence, sequence + 1, __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    for (uint32_t i = 0; i < HASH_NIBBLES; i++) {
        publish_nibble(table->nibbles[i], hash->key, i * 4);
    }
    for (uint32_t i = 0; i < HASH_MAPPING_MAX; i++) {
        __atomic_store_n(&table->mapping[i], hash->mapping[i],
                         __ATOMIC_RELAXED);
    }
    __atomic_store_n(&table->mapping_size, hash->mapping_size,
                     __ATOMIC_RELAXED);
    __atomic_store_n(&table->flags, is_on ? hash->flags : 0,
                     __ATOMIC_RELAXED);
    __atomic_store_n(&table->sequence, sequence + 2, __ATOMIC_RELEASE);
}

uint32_t hash_begin(const struct hash_table *table)
{
    return __atomic_load_n(&table->sequence, __ATOMIC_ACQUIRE);
}

bool hash_end(const struct hash_table *table, uint32_t sequence)
{
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
    return sequence % 2 == 0 &&
           __atomic_load_n(&table->sequence, __ATOMIC_RELAXED) == sequence;
}

static uint32_t add_bytes(const struct hash_table *table, uint32_t at,
                          const uint8_t *data, uint32_t size)
{
    const uint32_t (*nibble)[16] = &table->nibbles[2 * at];
    uint32_t sum = 0;

    for (uint32_t i = 0; i < size; i++, nibble += 2) {
        sum ^= __atomic_load_n(&nibble[0][data[i] >> 4], __ATOMIC_RELAXED);
        sum ^= __atomic_load_n(&nibble[1][data[i] & 15], __ATOMIC_RELAXED);
    }
    return sum;
}

/* Where the parts of a packet are that can be hashed. */
struct view {
    const uint8_t *addresses;
    const uint8_t *ports;           /* of TCP; NULL: none */
    uint32_t addresses_size;
    uint8_t type;                   /* without ports */
};

static uint32_t get16(const uint8_t *data)
{
    return (uint32_t)data[0] << 8 | data[1];
}

/* The ethertype behind the VLAN tags, or 0; *at becomes L3's start. */
static uint32_t skip_l2(const uint8_t *data, size_t head, size_t *at)
{
    uint32_t type;

    if (head < ETH_LEN) {
        return 0;
    }
    *at = ETH_LEN;
    type = get16(data + ETH_LEN - 2);
    for (uint32_t tags = 0; type == ETHERTYPE_VLAN || type == ETHERTYPE_QINQ;
         tags++) {
        if (tags == VLANS_MAX || head - *at < VLAN_LEN) {
            return 0;
        }
        type = get16(data + *at + 2);
        *at += VLAN_LEN;
    }
    return type;
}

static bool view_ipv4(struct view *v, const uint8_t *ip, size_t size)
{
    size_t header;

    if (size < IPV4_LEN || ip[0] >> 4 != 4) {
        return false;
    }
    header = (ip[0] & 15u) * 4;
    v->addresses = ip + 12;
    v->addresses_size = 8;
    v->type = _XEN_NETIF_CTRL_HASH_TYPE_IPV4;
    /* A fragment has its ports only in the first one: leave them out. */
    if (ip[9] == PROTO_TCP && (get16(ip + 6) & 0x3fff) == 0 &&
        header >= IPV4_LEN && header + PORTS_LEN <= size) {
        v->ports = ip + header;
    }
    return true;
}

static bool view_ipv6(struct view *v, const uint8_t *ip, size_t size)
{
    size_t at = IPV6_LEN;
    uint32_t next;

    if (size < IPV6_LEN || ip[0] >> 4 != 6) {
        return false;
    }
    v->addresses = ip + 8;
    v->addresses_size = 32;
    v->type = _XEN_NETIF_CTRL_HASH_TYPE_IPV6;
    next = ip[6];
    for (uint32_t i = 0; i < IPV6_EXTS_MAX &&
                         (next == PROTO_HOPOPTS || next == PROTO_ROUTING ||
                          next == PROTO_DSTOPTS); i++) {
        if (size - at < 8 || size - at < (ip[at + 1] + 1u) * 8) {
            return true;
        }
        next = ip[at];
        at += (ip[at + 1] + 1u) * 8;
    }
    if (next == PROTO_TCP && size - at >= PORTS_LEN) {
        v->ports = ip + at;
    }
    return true;
}

static bool view_packet(struct view *v, const uint8_t *data, size_t head)
{
    size_t at = 0;

    switch (skip_l2(data, head, &at)) {
    case ETHERTYPE_IPV4:
        return view_ipv4(v, data + at, head - at);
    case ETHERTYPE_IPV6:
        return view_ipv6(v, data + at, head - at);
    default:
        return false;
    }
}

/* xen/io/netif.h has each type with ports behind the one without. */
_Static_assert(_XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP ==
               _XEN_NETIF_CTRL_HASH_TYPE_IPV4 + 1 &&
               _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP ==
               _XEN_NETIF_CTRL_HASH_TYPE_IPV6 + 1, "hash types");

struct hash_value hash_packet(const struct hash_table *table,
                              const uint8_t *data, size_t head)
{
    uint32_t flags = __atomic_load_n(&table->flags, __ATOMIC_RELAXED);
    struct hash_value hash = { .value = 0, .type = HASH_TYPE_NONE };
    struct view v = { .ports = NULL };

    if (!view_packet(&v, data, head)) {
        return hash;
    }
    if (v.ports != NULL && (flags & 1u << (v.type + 1)) != 0) {
        hash.type = v.type + 1;
        hash.value = add_bytes(table, v.addresses_size, v.ports, PORTS_LEN);
    } else if ((flags & 1u << v.type) != 0) {
        hash.type = v.type;
    } else {
        return hash;
    }
    hash.value ^= add_bytes(table, 0, v.addresses, v.addresses_size);
    return hash;
}

uint16_t hash_queue(const struct hash_table *table, uint32_t value,
                    uint16_t queue_count)
{
    uint32_t count = __atomic_load_n(&table->mapping_size, __ATOMIC_RELAXED);
    uint16_t queue;

    if (count == 0 || count > HASH_MAPPING_MAX) {
        return (uint16_t)(value % queue_count);
    }
    queue = __atomic_load_n(&table->mapping[value % count],
                            __ATOMIC_RELAXED);
    return queue < queue_count ? queue : queue % queue_count;
}
