/* SPDX-License-Identifier: GPL-2.0-only */
/* The XSAVE state components of guests: see xstate.c. */
#ifndef HVM_XSTATE_H
#define HVM_XSTATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/arch.h"

/* XSAVE and XSETBV are there. */
#define CR4_OSXSAVE (1ull << 18)

/* Bits of XCR0: SDM vol. 1, 13.1. */
#define XSTATE_X87 1ull
#define XSTATE_SSE 2ull
#define XSTATE_YMM 4ull
#define XSTATE_AVX512 0xe0ull       /* opmask, ZMM_Hi256, Hi16_ZMM */
#define XSTATE_KNOWN (XSTATE_X87 | XSTATE_SSE | XSTATE_YMM | XSTATE_AVX512)

/* Of an image: FXSAVE's part, then the header; components follow. */
#define XSTATE_LEGACY_SIZE 512u
#define XSTATE_MIN_SIZE 576u

struct xstate_header {
    uint64_t in_use;                /* XSTATE_BV */
    uint64_t packed;                /* XCOMP_BV */
    uint64_t reserved[6];
};

/* At boot, before the first domain: what the host's CPUs have. */
void xstate_init(void);
/* What XSETBV may enable for 'd': 0, no XSAVE. */
uint64_t xstate_allowed(const struct domain *d);
/* Can XCR0 have that value, of 'allowed' bits?  #GP else. */
bool xstate_is_valid(uint64_t xcr0, uint64_t allowed);
/* Bytes of an image of these components, of XSTATE_KNOWN. */
uint32_t xstate_size(uint64_t components);
/* Bytes from its start to 'component', 2 to 7; 0: there is none. */
uint32_t xstate_offset(unsigned int component, uint32_t *size);
/*
 * Makes a guest's policy consistent: no feature without those that it is
 * built on, and leaf 0xd as features allow.
 */
void xstate_tidy_policy(xen_cpuid_leaf_t *leaf, unsigned int count);
/* Lays over leaf 0xd of the policy what depends on XCR0. */
void xstate_cpuid(uint64_t xcr0, uint32_t subleaf, uint32_t out[4]);

#endif
