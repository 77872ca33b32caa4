/* SPDX-License-Identifier: GPL-2.0-only */
/* Bounds that hold under speculation as well. */
#ifndef LIB_NOSPEC_H
#define LIB_NOSPEC_H

#include <stddef.h>

/*
 * index when index < size, else 0, computed without a branch. To be called
 * after the ordinary check, on every array index that a guest controls.
 */
static inline size_t index_nospec(size_t index, size_t size)
{
    size_t mask;

    __asm__ volatile("cmp %1, %2; sbb %0, %0"
                     : "=r" (mask) : "r" (size), "r" (index) : "cc");
    return index & mask;
}

#endif
