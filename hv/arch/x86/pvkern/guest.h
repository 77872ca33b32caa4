/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Access to memory that the guest names, and instructions that may fault:
 * each ends in false (or, for copies, what is left) where the hardware says
 * no.  A fault at label 1 goes on at label 2, by the list in section .fixup.
 */
#ifndef PVKERN_GUEST_H
#define PVKERN_GUEST_H

#include "pvkern/pvkern.h"

#define FIXUP(from, to)                                                 \
    ".pushsection .fixup, \"aw\"\n"                                     \
    ".quad " #from ", " #to "\n"                                        \
    ".popsection\n"

static inline bool copy_words(void *to, const void *from, size_t count)
{
    __asm__ volatile("1: rep movsq\n2:\n" FIXUP(1b, 2b)
                     : "+D" (to), "+S" (from), "+c" (count) :: "memory");
    return count == 0;
}

/* How many of the last bytes are not there: the first of them faulted. */
static inline size_t copy_bytes(void *to, const void *from, size_t size)
{
    __asm__ volatile("1: rep movsb\n2:\n" FIXUP(1b, 2b)
                     : "+D" (to), "+S" (from), "+c" (size) :: "memory");
    return size;
}

/* All that is frequent has a size in words. */
static inline bool copy(void *to, const void *from, size_t size)
{
    return size % sizeof(uint64_t) == 0
           ? copy_words(to, from, size / sizeof(uint64_t))
           : copy_bytes(to, from, size) == 0;
}

static inline bool guest_get(void *to, uint64_t from, size_t size)
{
    return pvk_is_guest_range(from, size)
           && copy(to, (const void *)from, size);
}

static inline bool guest_put(uint64_t to, const void *from, size_t size)
{
    return pvk_is_guest_range(to, size) && copy((void *)to, from, size);
}

/* One word of a guest frame, by PVK_DIRECT: the frame may be absent. */
static inline bool word_read(const uint64_t *at, uint64_t *value)
{
    uint32_t ok = 0;

    __asm__ volatile("1: mov %2, %1\n\tinc %0\n2:\n" FIXUP(1b, 2b)
                     : "+r" (ok), "=&r" (*value) : "m" (*at));
    return ok != 0;
}

static inline bool word_write(uint64_t *at, uint64_t value)
{
    uint32_t ok = 0;

    __asm__ volatile("1: mov %2, %1\n\tinc %0\n2:\n" FIXUP(1b, 2b)
                     : "+r" (ok), "=m" (*at) : "r" (value));
    return ok != 0;
}

/* True if it was '*expected'; else that is what it was. */
static inline bool word_cmpxchg(uint64_t *at, uint64_t *expected,
                                uint64_t value)
{
    uint64_t old = *expected;

    __asm__ volatile("1: lock cmpxchg %2, %1\n2:\n" FIXUP(1b, 2b)
                     : "+a" (*expected), "+m" (*at) : "r" (value)
                     : "memory");
    return *expected == old;
}

static inline bool msr_get(uint32_t index, uint64_t *value)
{
    uint32_t ok = 0, low = 0, high = 0;

    __asm__ volatile("1: rdmsr\n\tinc %0\n2:\n" FIXUP(1b, 2b)
                     : "+r" (ok), "+a" (low), "+d" (high) : "c" (index));
    *value = (uint64_t)high << 32 | low;
    return ok != 0;
}

static inline bool msr_set(uint32_t index, uint64_t value)
{
    uint32_t ok = 0;

    __asm__ volatile("1: wrmsr\n\tinc %0\n2:\n" FIXUP(1b, 2b)
                     : "+r" (ok)
                     : "c" (index), "a" ((uint32_t)value),
                       "d" ((uint32_t)(value >> 32)) : "memory");
    return ok != 0;
}

static inline bool xcr_set(uint32_t index, uint64_t value)
{
    uint32_t ok = 0;

    __asm__ volatile("1: xsetbv\n\tinc %0\n2:\n" FIXUP(1b, 2b)
                     : "+r" (ok)
                     : "c" (index), "a" ((uint32_t)value),
                       "d" ((uint32_t)(value >> 32)) : "memory");
    return ok != 0;
}

#endif
