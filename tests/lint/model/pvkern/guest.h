/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * For clang-tidy alone, in the place of hv's pvkern/guest.h: the analyzer does
 * not see that assembly writes, and would take all that guest_get() read for
 * garbage.
 */
#ifndef PVKERN_GUEST_H
#define PVKERN_GUEST_H

#include "pvkern/pvkern.h"

#define FIXUP(from, to) ""

bool guest_get(void *to, uint64_t from, size_t size);
bool guest_put(uint64_t to, const void *from, size_t size);
bool word_read(const uint64_t *at, uint64_t *value);
bool word_write(uint64_t *at, uint64_t value);
bool word_cmpxchg(uint64_t *at, uint64_t *expected, uint64_t value);
bool msr_get(uint32_t index, uint64_t *value);
bool msr_set(uint32_t index, uint64_t value);

#endif
