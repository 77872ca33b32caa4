/* SPDX-License-Identifier: GPL-2.0-only */
/* Small arithmetic helpers. */
#ifndef LIB_MINMAX_H
#define LIB_MINMAX_H

#include <stddef.h>

#define min(a, b) __extension__({                                       \
    __typeof__(a) min_a_ = (a);                                         \
    __typeof__(b) min_b_ = (b);                                         \
    min_a_ < min_b_ ? min_a_ : min_b_;                                  \
})
#define max(a, b) __extension__({                                       \
    __typeof__(a) max_a_ = (a);                                         \
    __typeof__(b) max_b_ = (b);                                         \
    max_a_ > max_b_ ? max_a_ : max_b_;                                  \
})

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define DIV_ROUND_UP(n, d) (((n) + (d) - 1) / (d))
/* align is a power of two. */
#define ALIGN_UP(x, align) \
    (((x) + (align) - 1) & ~((__typeof__(x))(align) - 1))
#define ALIGN_DOWN(x, align) ((x) & ~((__typeof__(x))(align) - 1))

#define container_of(ptr, type, member) \
    ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

#endif
