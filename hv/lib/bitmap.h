/* SPDX-License-Identifier: GPL-2.0-only */
/* Bitmaps of unsigned long words; the atomic forms are full barriers. */
#ifndef LIB_BITMAP_H
#define LIB_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define BITS_PER_WORD 64u
#define BITMAP_WORDS(bits) (((bits) + BITS_PER_WORD - 1) / BITS_PER_WORD)
#define BITMAP_DECLARE(name, bits) unsigned long name[BITMAP_WORDS(bits)]

static inline bool bitmap_test(const unsigned long *map, size_t bit)
{
    return (__atomic_load_n(&map[bit / BITS_PER_WORD], __ATOMIC_RELAXED)
            >> (bit % BITS_PER_WORD)) & 1;
}

static inline void bitmap_set(unsigned long *map, size_t bit)
{
    map[bit / BITS_PER_WORD] |= 1ul << (bit % BITS_PER_WORD);
}

static inline void bitmap_clear(unsigned long *map, size_t bit)
{
    map[bit / BITS_PER_WORD] &= ~(1ul << (bit % BITS_PER_WORD));
}

/* Sets the bit; true if it was set before. */
static inline bool bitmap_test_and_set(unsigned long *map, size_t bit)
{
    unsigned long mask = 1ul << (bit % BITS_PER_WORD);

    return __atomic_fetch_or(&map[bit / BITS_PER_WORD], mask,
                             __ATOMIC_SEQ_CST) & mask;
}

/* Clears the bit; true if it was set before. */
static inline bool bitmap_test_and_clear(unsigned long *map, size_t bit)
{
    unsigned long mask = 1ul << (bit % BITS_PER_WORD);

    return __atomic_fetch_and(&map[bit / BITS_PER_WORD], ~mask,
                              __ATOMIC_SEQ_CST) & mask;
}

/* The first set bit at or after from; size if there is none. */
size_t bitmap_find_set(const unsigned long *map, size_t size, size_t from);
/* The first clear bit at or after from; size if there is none. */
size_t bitmap_find_clear(const unsigned long *map, size_t size, size_t from);
/* Number of set bits among the first size. */
size_t bitmap_count(const unsigned long *map, size_t size);

#endif
