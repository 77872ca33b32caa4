/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Descriptors of a PV guest (APM vol. 2, 4.7).
 *
 *  1. A present one is of code or data, with DPL 3, or of no kind, so that a
 *     load of it faults, or a call gate that nobody gets through.
 *  2. A call gate has DPL 0: its use is #GP, with the gate as error code, for
 *     both modes of the guest, as these are at CPL 3.  The DPL that it would
 *     have is in its selector's RPL.  Xen takes such gates of 64-bit guests
 *     and does no more for them.
 *  3. A second call changes nothing.
 */
#include "pvkern/descriptor.h"
#include "pvkern/layout.h"

#define PRESENT (1ull << 47)
#define DPL (3ull << 45)
#define NOT_SYSTEM (1ull << 44)
#define TYPE (15ull << 40)
#define CALL_GATE (12ull << 40)
#define GATE_RESERVED (255ull << 32)
#define GATE_RPL (3ull << 16)
#define CODE (1ull << 43)
#define OPEN (1ull << 41)
#define LONG (1ull << 53)
#define DEFAULT32 (1ull << 54)
#define IN_PAGES (1ull << 55)

/* May a gate name it?  A segment of the guest's, or its kernel's default. */
static bool is_gate_selector(uint64_t selector)
{
    return selector < PVK_GDT_BYTES || selector == PVK_GUEST_CS
           || (selector & 4);
}

static bool fix_gate(uint64_t *descriptor)
{
    uint64_t d = *descriptor;

    if ((d & TYPE) != CALL_GATE || (d & GATE_RESERVED)
        || !is_gate_selector(d >> 16 & 0xffff)) {
        return false;
    }
    *descriptor = (d & ~DPL) | GATE_RPL;
    return true;
}

bool descriptor_fix(uint64_t *descriptor)
{
    uint64_t d = *descriptor;

    /* A load of one of no kind faults, too: the upper half of a gate. */
    if (!(d & PRESENT) || !(d & (NOT_SYSTEM | TYPE))) {
        return true;
    }
    if (!(d & NOT_SYSTEM)) {
        return fix_gate(descriptor);
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
