/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads /proc/self/pagemap and /proc/kpageflags
 * (Linux Documentation/admin-guide/mm/pagemap.rst).
 *
 * Talks to nothing else in the tree.  Invariants:
 *  1. All pages asked for are answered, or none.
 *  2. Frame 0 is never an answer: it is what the kernel shows instead of a
 *     number that it hides.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/kernel-page-flags.h>
#include <unistd.h>

#include "tools/libdom0/pagemap.h"

#define ENTRY_PRESENT (UINT64_C(1) << 63)
#define ENTRY_FRAME ((UINT64_C(1) << 55) - 1)

/* Read size bytes at index * 8 of a /proc file. */
static int read_entries(const char *file, uint64_t index, void *to,
                        size_t size)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    size_t done = 0;
    int error = 0;

    if (fd < 0) {
        return -errno;
    }
    while (done < size) {
        ssize_t n = pread(fd, (char *)to + done, size - done,
                          (off_t)(index * sizeof(uint64_t) + done));

        if (n <= 0) {
            error = n < 0 ? -errno : -EFAULT;
            break;
        }
        done += (size_t)n;
    }
    close(fd);
    return error;
}

int pagemap_read(const void *address, size_t count, uint64_t *gfns)
{
    int error = read_entries("/proc/self/pagemap",
                             (uintptr_t)address / PAGEMAP_PAGE_SIZE,
                             gfns, count * sizeof(*gfns));

    if (error != 0) {
        return error;
    }
    for (size_t i = 0; i < count; i++) {
        if ((gfns[i] & ENTRY_PRESENT) == 0) {
            return -EFAULT;
        }
        gfns[i] &= ENTRY_FRAME;
        if (gfns[i] == 0) {
            return -EPERM;
        }
    }
    return 0;
}

bool pagemap_is_hugetlb(uint64_t gfn)
{
    uint64_t flags = 0;

    return read_entries("/proc/kpageflags", gfn, &flags,
                        sizeof(flags)) == 0 &&
           (flags & (UINT64_C(1) << KPF_HUGE)) != 0;
}
