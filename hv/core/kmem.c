/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Small objects, on top of page_alloc.c.
 *
 *  1. Sizes up to 1 KiB are rounded up to a class and lie in slabs of one
 *     page each, which starts with a struct slab; so no such object is
 *     page-aligned.  Larger ones are whole blocks of frames and are.
 *  2. A class lists only slabs with room.  A slab without objects goes to
 *     the pool of pages, from where any class takes it.
 *  3. The pool grows by chunks and keeps them: objects that come and go
 *     with a domain do not move the count of free frames to and fro.
 *
 * Locks: LOCK_RANK_KMEM, not held while frames are allocated.
 */
#include "core/kmem.h"

#include "core/arch.h"
#include "core/lock.h"
#include "core/page_alloc.h"
#include "core/perfc.h"
#include "lib/bug.h"
#include "lib/list.h"
#include "lib/minmax.h"
#include "lib/spinlock.h"
#include "lib/string.h"

#define SLAB_MAGIC 0x51ab51abu
#define HEADER_SIZE 64u
#define CHUNK_ORDER 6u

static const uint16_t class_size[] = { 16, 32, 64, 128, 192, 256, 320, 448,
                                       576, 832, 1024 };
#define CLASSES ARRAY_SIZE(class_size)
#define SMALL_MAX 1024u

struct slab {
    struct list_node link;          /* class's list, or the pool's */
    void *free;                     /* first free object, chained */
    uint32_t magic;
    uint16_t class;
    uint16_t used;
};

static struct list_node partial[CLASSES];   /* kmem_lock */
static struct list_node pool;               /* kmem_lock */
static spinlock_t kmem_lock = SPINLOCK_INIT(LOCK_RANK_KMEM);

void kmem_init(void)
{
    for (unsigned int i = 0; i < CLASSES; i++) {
        list_init(&partial[i]);
    }
    list_init(&pool);
}

static unsigned int class_of(size_t size)
{
    unsigned int i = 0;

    while (class_size[i] < size) {
        i++;
    }
    return i;
}

/* Lays objects into a page from the pool. */
static void slab_make(struct slab *s, unsigned int class)
{
    size_t size = class_size[class];
    char *base = (char *)s;

    s->free = NULL;
    s->magic = SLAB_MAGIC;
    s->class = (uint16_t)class;
    s->used = 0;
    for (size_t at = HEADER_SIZE; at + size <= PAGE_SIZE; at += size) {
        *(void **)(void *)(base + at) = s->free;
        s->free = base + at;
    }
}

/* More pages for the pool: false without memory. */
static bool pool_grow(void)
{
    char *chunk = page_alloc_core(CHUNK_ORDER);
    unsigned int pages = 1u << CHUNK_ORDER;

    if (chunk == NULL) {
        chunk = page_alloc_core(0);
        pages = 1;
    }
    if (chunk == NULL) {
        return false;
    }
    spin_lock(&kmem_lock);
    for (unsigned int i = 0; i < pages; i++) {
        struct slab *s = (struct slab *)(void *)(chunk + i * PAGE_SIZE);

        list_add_tail(&s->link, &pool);
    }
    spin_unlock(&kmem_lock);
    perfc_add(PERFC_KMEM_FRAME, pages);
    return true;
}

/* An object, or NULL when the pool is empty.  kmem_lock is held. */
static void *take(unsigned int class)
{
    struct slab *s;
    void *p;

    if (list_is_empty(&partial[class])) {
        if (list_is_empty(&pool)) {
            return NULL;
        }
        s = list_first(&pool, struct slab, link);
        list_del(&s->link);
        slab_make(s, class);
        list_add(&s->link, &partial[class]);
    }
    s = list_first(&partial[class], struct slab, link);
    p = s->free;
    BUG_ON(p == NULL);          /* invariant 2 */
    s->free = *(void **)p;
    s->used++;
    if (s->free == NULL) {
        list_del(&s->link);
    }
    return p;
}

static void *alloc_small(unsigned int class)
{
    void *p;

    for (;;) {
        spin_lock(&kmem_lock);
        p = take(class);
        spin_unlock(&kmem_lock);
        if (p != NULL) {
            return memset(p, 0, class_size[class]);
        }
        if (!pool_grow()) {
            return NULL;
        }
    }
}

void *kmem_alloc(size_t size)
{
    unsigned int order = 0;

    if (size <= SMALL_MAX) {
        return alloc_small(class_of(size));
    }
    while (order < PAGE_ORDER_1G && (PAGE_SIZE << order) < size) {
        order++;
    }
    return (PAGE_SIZE << order) < size ? NULL : page_alloc_core(order);
}

void *kmem_alloc_array(size_t count, size_t size)
{
    size_t bytes;

    if (__builtin_mul_overflow(count, size, &bytes)) {
        return NULL;
    }
    return kmem_alloc(bytes);
}

void kmem_free(void *p)
{
    struct slab *s = (struct slab *)(void *)((uintptr_t)p & PAGE_MASK);

    if (p == NULL) {
        return;
    }
    if ((void *)s == p) {
        struct frame *f = frame_of(arch_virt_to_mfn(p));

        BUG_ON(f == NULL);
        page_free_core(p, f->order);
        return;
    }
    spin_lock(&kmem_lock);
    BUG_ON(s->magic != SLAB_MAGIC || s->used == 0);
    if (s->free == NULL) {
        list_add(&s->link, &partial[s->class]);
    }
    *(void **)p = s->free;
    s->free = p;
    if (--s->used == 0) {
        list_del(&s->link);
        s->magic = 0;
        list_add(&s->link, &pool);
    }
    spin_unlock(&kmem_lock);
}
