/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pointers by number, for window.c: chunks by guest frame, and windows by
 * the frame where a mapper sees them.
 *
 *  1. A page that is in the tree stays until radix_destroy(), so a slot can
 *     be remembered.
 */
#include "core/radix.h"

#include "core/arch.h"
#include "core/frame.h"
#include "core/page_alloc.h"
#include "core/perfc.h"
#include "lib/bug.h"
#include "lib/errno.h"

#define FANOUT_SHIFT 9u
#define LEVELS 4u
#define PAGES_PER_CALL 64u

static unsigned int index_at(uint64_t key, unsigned int level)
{
    return (unsigned int)(key >> (FANOUT_SHIFT * level))
           % (1u << FANOUT_SHIFT);
}

static void **new_page(struct radix *r)
{
    void **page = page_alloc_core(0);

    if (page != NULL) {
        list_add(&frame_of(arch_virt_to_mfn(page))->link, &r->nodes);
        perfc_count(PERFC_TABLE_FRAME);
    }
    return page;
}

void radix_init(struct radix *r)
{
    r->root = NULL;
    list_init(&r->nodes);
}

void *radix_get(const struct radix *r, uint64_t key)
{
    void **page = r->root;

    BUG_ON(key >= RADIX_KEY_LIMIT);
    for (unsigned int level = LEVELS - 1; level > 0 && page != NULL;
         level--) {
        page = page[index_at(key, level)];
    }
    return page != NULL ? page[index_at(key, 0)] : NULL;
}

void **radix_slot(struct radix *r, uint64_t key)
{
    void **page;

    BUG_ON(key >= RADIX_KEY_LIMIT);
    if (r->root == NULL) {
        r->root = new_page(r);
    }
    page = r->root;
    for (unsigned int level = LEVELS - 1; level > 0 && page != NULL;
         level--) {
        void **at = &page[index_at(key, level)];

        if (*at == NULL) {
            *at = new_page(r);
        }
        page = *at;
    }
    return page != NULL ? &page[index_at(key, 0)] : NULL;
}

int radix_destroy(struct radix *r)
{
    r->root = NULL;
    for (unsigned int i = 0; i < PAGES_PER_CALL; i++) {
        struct frame *f;

        if (list_is_empty(&r->nodes)) {
            return 0;
        }
        f = list_first(&r->nodes, struct frame, link);
        list_del(&f->link);
        page_free_core(arch_frame_map(frame_mfn(f)), 0);
        perfc_count(PERFC_TABLE_FRAME_BACK);
    }
    return list_is_empty(&r->nodes) ? 0 : -ERESTART;
}
