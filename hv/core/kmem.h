/* SPDX-License-Identifier: GPL-2.0-only */
/* Small objects for core: zeroed, or NULL; free accepts NULL. */
#ifndef CORE_KMEM_H
#define CORE_KMEM_H

#include <stddef.h>

void *kmem_alloc(size_t size);
void *kmem_alloc_array(size_t count, size_t size);
void kmem_free(void *p);

#endif
