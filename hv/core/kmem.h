/* SPDX-License-Identifier: GPL-2.0-only */
/* Small objects for core: zeroed, or NULL; free accepts NULL. */
#ifndef CORE_KMEM_H
#define CORE_KMEM_H

#include <stddef.h>

/* Aligned to 64 bytes if of 64 bytes or more; above 1 KiB to a page. */
void *kmem_alloc(size_t size);
void *kmem_alloc_array(size_t count, size_t size);
void kmem_free(void *p);
/* Boot, after page_alloc has memory: from core_init(). */
void kmem_init(void);

#endif
