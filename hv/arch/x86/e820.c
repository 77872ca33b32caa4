/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Physical memory maps.  Pure.
 *
 *  1. Entries are sorted by address, do not overlap or wrap, none is empty;
 *     neighbours of one type are one entry.
 */
#include "e820.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/string.h"

static uint64_t end_of(const struct e820_entry_abi *e)
{
    return e->addr + e->size;
}

/* Appends, merging; false if full. */
static bool append(struct e820 *map, uint64_t start, uint64_t end,
                   uint32_t type)
{
    struct e820_entry_abi *last
        = &map->entry[map->count == 0 ? 0 : map->count - 1];

    if (start >= end || type == 0) {
        return true;
    }
    if (map->count > 0 && end_of(last) == start && last->type == type) {
        last->size += end - start;
        return true;
    }
    if (map->count == E820_MAX) {
        return false;
    }
    map->entry[map->count++] = (struct e820_entry_abi){
        .addr = start, .size = end - start, .type = type,
    };
    return true;
}

/* What follows the new range; 'placed' tells whether that is in. */
static bool append_around(struct e820 *out, const struct e820 *in,
                          const struct e820_entry_abi *range)
{
    uint64_t end = end_of(range);
    bool placed = false, fits = true;

    for (unsigned int i = 0; i < in->count; i++) {
        const struct e820_entry_abi *e = &in->entry[i];

        fits = fits && append(out, e->addr, min(end_of(e), range->addr),
                              e->type);
        if (!placed && end_of(e) > range->addr) {
            fits = fits && append(out, range->addr, end, range->type);
            placed = true;
        }
        fits = fits && append(out, max((uint64_t)e->addr, end), end_of(e),
                              e->type);
    }
    return fits && (placed || append(out, range->addr, end, range->type));
}

int e820_set(struct e820 *map, uint64_t start, uint64_t end, uint32_t type)
{
    struct e820_entry_abi range = {
        .addr = start, .size = end - start, .type = type,
    };
    static struct e820 out;     /* boot only: one CPU */

    if (start >= end) {
        return 0;
    }
    out.count = 0;
    if (!append_around(&out, map, &range)) {
        return -ENOSPC;
    }
    memcpy(map, &out, sizeof(out));
    return 0;
}

uint32_t e820_type_at(const struct e820 *map, uint64_t addr)
{
    for (unsigned int i = 0; i < map->count; i++) {
        if (addr >= map->entry[i].addr && addr < end_of(&map->entry[i])) {
            return map->entry[i].type;
        }
    }
    return 0;
}

bool e820_is_all(const struct e820 *map, uint64_t start, uint64_t end,
                 uint32_t type)
{
    for (unsigned int i = 0; i < map->count && start < end; i++) {
        const struct e820_entry_abi *e = &map->entry[i];

        if (start >= e->addr && start < end_of(e)) {
            if (e->type != type) {
                return false;
            }
            start = end_of(e);
        }
    }
    return start >= end;
}

bool e820_has(const struct e820 *map, uint64_t start, uint64_t end,
              uint32_t type)
{
    for (unsigned int i = 0; i < map->count; i++) {
        const struct e820_entry_abi *e = &map->entry[i];

        if (e->type == type && e->addr < end && end_of(e) > start) {
            return true;
        }
    }
    return false;
}

void e820_sanitise(struct e820 *map, const struct e820_entry_abi *raw,
                   unsigned int count)
{
    map->count = 0;
    /* In the order of types: a later, higher one overrides. */
    for (uint32_t type = E820_RAM; type <= E820_UNUSABLE; type++) {
        for (unsigned int i = 0; i < count; i++) {
            uint64_t start = raw[i].addr, end = start + raw[i].size;
            bool same = raw[i].type == type
                        || (type == E820_RESERVED
                            && (raw[i].type == 0
                                || raw[i].type > E820_UNUSABLE));

            if (same && end > start) {
                (void)e820_set(map, start, end, type);
            }
        }
    }
}
