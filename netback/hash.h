/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The Toeplitz hash that a frontend configures over its control ring, and
 * the queue that a packet to the guest takes by it (xen/io/netif.h, "Hash
 * types" and "Hash algorithms").
 *
 * struct hash is what the frontend has said; the control thread has it for
 * itself.  struct hash_table is what packet threads read of it, while the
 * control thread may be publishing a new one.
 */
#ifndef NETBACK_HASH_H
#define NETBACK_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/io/netif.h>

/* The limits of Linux's netback, so frontends know them. */
#define HASH_KEY_MAX 40u            /* bytes */
#define HASH_MAPPING_MAX 128u       /* entries */

#define HASH_TYPES (XEN_NETIF_CTRL_HASH_TYPE_IPV4 | \
                    XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP | \
                    XEN_NETIF_CTRL_HASH_TYPE_IPV6 | \
                    XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP)

#define HASH_INPUT_MAX 36u          /* bytes: two IPv6 addresses and ports */
#define HASH_NIBBLES (2u * HASH_INPUT_MAX)
#define HASH_TYPE_NONE 0xffu        /* no type of hash fits the packet */

struct hash {
    uint32_t algorithm;             /* XEN_NETIF_CTRL_HASH_ALGORITHM_* */
    uint32_t flags;                 /* XEN_NETIF_CTRL_HASH_TYPE_* */
    uint32_t mapping_size;          /* entries; 0: modulo the queues */
    uint8_t key[HASH_KEY_MAX];
    uint16_t mapping[HASH_MAPPING_MAX];
};

/*
 * The same for packet threads.  sequence is odd while the rest is being
 * written; every member is read and written by single atomic accesses.
 */
struct hash_table {
    uint32_t sequence;
    uint32_t flags;                 /* 0: the frontend wants no hash */
    uint32_t mapping_size;
    uint16_t mapping[HASH_MAPPING_MAX];
    uint32_t nibbles[HASH_NIBBLES][16]; /* what 4 bits of input add */
};

/* What a packet's hash is. */
struct hash_value {
    uint32_t value;
    uint8_t type;                   /* _XEN_NETIF_CTRL_HASH_TYPE_*, or
                                     * HASH_TYPE_NONE: value is 0 */
};

/*
 * The control operations; each returns the XEN_NETIF_CTRL_STATUS_* to
 * answer with, and changes nothing unless it is SUCCESS.
 */
uint32_t hash_set_algorithm(struct hash *hash, uint32_t algorithm);
uint32_t hash_get_flags(const struct hash *hash, uint32_t *flags);
uint32_t hash_set_flags(struct hash *hash, uint32_t flags);
uint32_t hash_set_mapping_size(struct hash *hash, uint32_t count);

/*
 * The next two in halves, because the frontend's page is read in between:
 * check the sizes first, then hand over a private copy.
 */
uint32_t hash_check_key(uint32_t size);
void hash_set_key(struct hash *hash, const uint8_t *key, uint32_t size);
uint32_t hash_check_mapping(const struct hash *hash, uint32_t count,
                            uint32_t offset);
uint32_t hash_set_mapping(struct hash *hash, const uint32_t *queues,
                          uint32_t count, uint32_t offset,
                          uint16_t queue_count);

/* Let packet threads see it.  One thread publishes. */
void hash_publish(struct hash_table *table, const struct hash *hash);

/* Is there a hash to compute?  Any thread. */
static inline bool hash_is_on(const struct hash_table *table)
{
    return __atomic_load_n(&table->flags, __ATOMIC_RELAXED) != 0;
}

/*
 * A reader's turn: begin, then value and queue of some packets, then end.
 * False from end: the table changed meanwhile, and what was computed mixes
 * two; it is harmless, and to be computed again.
 */
uint32_t hash_begin(const struct hash_table *table);
bool hash_end(const struct hash_table *table, uint32_t sequence);

/*
 * The hash of a packet whose first head bytes are at data: of the largest
 * type that the frontend set and that fits the packet.
 */
struct hash_value hash_packet(const struct hash_table *table,
                              const uint8_t *data, size_t head);

/* The queue, below queue_count, whatever the table holds. */
uint16_t hash_queue(const struct hash_table *table, uint32_t value,
                    uint16_t queue_count);

#endif
