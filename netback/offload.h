/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Checksums and segmentation asked for by a guest, or offered to one.
 *
 * The headers were written by a guest: every length is checked against the
 * bytes that are really there.  All functions work on private copies, never
 * on shared memory.
 */
#ifndef NETBACK_OFFLOAD_H
#define NETBACK_OFFLOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum offload_l3 { OFFLOAD_L3_NONE, OFFLOAD_L3_IPV4, OFFLOAD_L3_IPV6 };
enum offload_l4 { OFFLOAD_L4_NONE, OFFLOAD_L4_TCP, OFFLOAD_L4_UDP };

#define OFFLOAD_VLANS_MAX 2         /* 802.1ad over 802.1Q */
#define OFFLOAD_IPV6_EXTS_MAX 8
#define OFFLOAD_GSO_SIZE_MIN 64u    /* bytes; smaller ones are an attack */

/* Where a packet's headers are; all lengths in bytes. */
struct offload_headers {
    uint8_t l3;                 /* enum offload_l3 */
    uint8_t l4;                 /* enum offload_l4 */
    uint16_t l2_len;            /* Ethernet and VLAN tags */
    uint16_t l3_len;            /* IPv4 options or IPv6 extensions too */
    uint16_t l4_len;            /* TCP options too; UDP: 8 */
    uint32_t l4_size;           /* L4 header and payload, by the IP header */
};

/* A piece of the packet. */
struct offload_span {
    uint8_t *data;
    uint32_t size;
};

/*
 * Find the headers in the first head contiguous bytes of a packet of size
 * bytes.  -EPROTONOSUPPORT: not TCP or UDP over IP, or a fragment;
 * -EBADMSG: a length or a version is a lie; -EMSGSIZE: the headers do not
 * end in the first head bytes.
 */
int offload_parse(const uint8_t *data, size_t head, size_t size,
                  struct offload_headers *headers);

/*
 * Complete the L4 checksum over all spans, from nothing: what the field
 * holds is ignored.  Spans[0] holds the headers, as parsed.  -EBADMSG when
 * the spans are shorter than the headers said.
 */
int offload_complete(const struct offload_span *spans, unsigned int count,
                     const struct offload_headers *headers);

/*
 * Put the pseudo header's sum in the checksum field, as Linux and DPDK want
 * it of a packet whose checksum is left to the hardware.  with_length: for
 * a plain packet; without it for TSO (DPDK's rule).
 */
void offload_pseudo(uint8_t *data, const struct offload_headers *headers,
                    bool with_length);

/*
 * Check that a packet is what its GSO info says: TCP over the named IP, and
 * gso_size is sensible.  gso_type is XEN_NETIF_GSO_TYPE_*.
 */
int offload_check_gso(const struct offload_headers *headers,
                      uint8_t gso_type, uint16_t gso_size);

/* Is the L4 checksum right?  For tests and debug counters. */
bool offload_verify(const struct offload_span *spans, unsigned int count,
                    const struct offload_headers *headers);

#endif
