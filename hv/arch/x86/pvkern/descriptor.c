/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Descriptors of a PV guest (APM vol. 2, 4.7): code and data segments with
 * DPL 3 are all that it gets, and what is of no use.  A call gate or a TSS
 * would be a way from its user mode past its kernel.
 */
#include "pvkern/descriptor.h"

#define PRESENT (1ull << 47)
#define DPL (3ull << 45)
#define NOT_SYSTEM (1ull << 44)
#define TYPE (15ull << 40)
#define CODE (1ull << 43)
#define CONFORMING (1ull << 42)
#define OPEN (1ull << 41)
#define LONG (1ull << 53)
#define DEFAULT32 (1ull << 54)
#define IN_PAGES (1ull << 55)

bool descriptor_fix(uint64_t *descriptor)
{
    uint64_t d = *descriptor;

    if (!(d & PRESENT)) {
        return true;            /* a load faults */
    }
    if (!(d & NOT_SYSTEM)) {
        return (d & TYPE) == 0; /* of no kind: a load faults, too */
    }
    /* A conforming segment would keep ring 0's CPL; both L and D: reserved. */
    if ((d & CODE) && ((d & CONFORMING)
                       || (d & (LONG | DEFAULT32)) == (LONG | DEFAULT32))) {
        return false;
    }
    *descriptor = d | DPL;
    return true;
}

void descriptor_read(uint64_t d, struct descriptor_view *out)
{
    uint32_t limit = (uint32_t)((d & 0xffff) | (d >> 32 & 0xf0000));

    out->base = (uint32_t)((d >> 16 & 0xffffff) | (d >> 56) << 24);
    out->limit = d & IN_PAGES ? limit << 12 | 0xfff : limit;
    out->is_present = d & PRESENT;
    out->is_system = !(d & NOT_SYSTEM);
    out->is_code = d & CODE;
    out->is_open = d & OPEN;
    out->is_long = d & LONG;
    out->is_32 = d & DEFAULT32;
}
