/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The types that carry meaning through the hypervisor: frame numbers of a
 * guest and of the machine, and pointers into a guest, never mix.
 */
#ifndef CORE_TYPES_H
#define CORE_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE (1UL << PAGE_SHIFT)
#define PAGE_MASK (~(PAGE_SIZE - 1))

typedef struct { uint64_t v; } gfn_t;   /* guest frame number */
typedef struct { uint64_t v; } mfn_t;   /* machine frame number */

/* A virtual address of the current vcpu's address space. */
struct guest_ptr { uint64_t va; };

#define INVALID_FRAME (~0UL)

static inline gfn_t gfn(uint64_t v) { return (gfn_t){ v }; }
static inline mfn_t mfn(uint64_t v) { return (mfn_t){ v }; }
static inline bool gfn_eq(gfn_t a, gfn_t b) { return a.v == b.v; }
static inline bool mfn_eq(mfn_t a, mfn_t b) { return a.v == b.v; }
static inline bool mfn_is_valid(mfn_t m) { return m.v != INVALID_FRAME; }
static inline mfn_t mfn_invalid(void) { return (mfn_t){ INVALID_FRAME }; }

static inline gfn_t gfn_add(gfn_t g, uint64_t n)
{
    return (gfn_t){ g.v + n };
}

static inline mfn_t mfn_add(mfn_t m, uint64_t n)
{
    return (mfn_t){ m.v + n };
}

/* The pointer inside an ABI handle, as a guest pointer. */
static inline struct guest_ptr guest_ptr_of(const void *handle_p)
{
    return (struct guest_ptr){ (uint64_t)(uintptr_t)handle_p };
}

static inline struct guest_ptr guest_ptr_add(struct guest_ptr p, uint64_t off)
{
    return (struct guest_ptr){ p.va + off };
}

static inline bool guest_ptr_is_null(struct guest_ptr p)
{
    return p.va == 0;
}

struct domain;
struct vcpu;
struct frame;

#endif
