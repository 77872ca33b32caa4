/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest frame numbers under this process's own memory, as hypercalls of
 * an auto-translated (PVH) domain want them.
 *
 * A gfn read here stays true only for memory that the kernel cannot move:
 * /dev/xen/hypercall buffers, or hugetlb pages.  The caller vouches for it.
 */
#ifndef LIBDOM0_PAGEMAP_H
#define LIBDOM0_PAGEMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PAGEMAP_PAGE_SIZE 4096u

/*
 * Read the gfns of count pages from address, which is page aligned.  Every
 * page is touched by the caller before.  -EPERM: the kernel hides frame
 * numbers (CAP_SYS_ADMIN is missing); -EFAULT: a page is not present.
 */
int pagemap_read(const void *address, size_t count, uint64_t *gfns);

/* Is the frame a part of a hugetlb page?  Asks /proc/kpageflags. */
bool pagemap_is_hugetlb(uint64_t gfn);

#endif
