/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Searches in bitmaps. Uses nothing else.
 * 1. Bits at or after size are never looked at by the caller's eyes: the
 *    result is at most size.
 */
#include "lib/atomic.h"
#include "lib/bitmap.h"

static size_t find(const unsigned long *map, size_t size, size_t from,
                   unsigned long invert)
{
    size_t word = from / BITS_PER_WORD;
    unsigned long bits;

    if (from >= size) {
        return size;
    }
    bits = (READ_ONCE(map[word]) ^ invert) & (~0ul << (from % BITS_PER_WORD));
    while (bits == 0) {
        if (++word >= BITMAP_WORDS(size)) {
            return size;
        }
        bits = READ_ONCE(map[word]) ^ invert;
    }
    from = word * BITS_PER_WORD + (size_t)__builtin_ctzl(bits);
    return from < size ? from : size;
}

size_t bitmap_find_set(const unsigned long *map, size_t size, size_t from)
{
    return find(map, size, from, 0);
}

size_t bitmap_find_clear(const unsigned long *map, size_t size, size_t from)
{
    return find(map, size, from, ~0ul);
}

/* Bits set in word, without a call into the compiler's library. */
static size_t count_word(unsigned long word)
{
    size_t count = 0;

    while (word != 0) {
        word &= word - 1;
        count++;
    }
    return count;
}

size_t bitmap_count(const unsigned long *map, size_t size)
{
    size_t full = size / BITS_PER_WORD;
    size_t rest = size % BITS_PER_WORD;
    size_t count = 0;

    for (size_t i = 0; i < full; i++) {
        count += count_word(map[i]);
    }
    if (rest != 0) {
        count += count_word(map[full] & ((1ul << rest) - 1));
    }
    return count;
}
