/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pointers by number: a tree of pages, four levels of 512.  The caller has a
 * lock around all of it.
 */
#ifndef CORE_RADIX_H
#define CORE_RADIX_H

#include <stdint.h>

#include "lib/list.h"

#define RADIX_KEY_LIMIT (1UL << 36)

struct radix {
    void **root;                /* NULL: empty */
    struct list_node nodes;     /* frames of the pages */
};

void radix_init(struct radix *r);
/* What was stored at 'key', or NULL. */
void *radix_get(const struct radix *r, uint64_t key);
/*
 * Where to store at 'key', a place that stays until the end; NULL without
 * memory.
 */
void **radix_slot(struct radix *r, uint64_t key);
/*
 * Forgets everything at once and frees a bounded number of pages: 0 when all
 * are gone, else -ERESTART.
 */
int radix_destroy(struct radix *r);

#endif
