/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pinning an entry of a guest's grant table (version 1) that is mapped here,
 * as the hypervisor pins one for GNTTABOP_copy: by compare-and-swap over
 * flags and domid at once, and only then is the frame read
 * (xen/grant_table.h's rule).
 *
 *   free --grant_pin: GTF_reading, _writing--> ours --grant_unpin--> free
 *
 * With the flags a mark is set and cleared, a bit that the ABI leaves alone: a
 * guest that grants the entry anew writes all its flags, so flags without it
 * are another use's.
 *
 * An entry that has either flag or the mark already is used by somebody else
 * (the hypervisor for a mapping or a copy, another thread): it is left alone.
 *
 * The pin ends by a store of the flags as the swap found them: a locked AND
 * costs as much as the swap.  Nobody writes a pinned entry but a guest against
 * its own rule, and the hypervisor that begins another use of it; the flags
 * that they set meanwhile are lost with the pin.  The hypervisor counts uses
 * elsewhere, so that nothing depends on them but that guest's own protection:
 * of the page that its entry names, from the domain that it names.
 *
 * A pin is written into a record before it is made and taken out after it is
 * undone.  Where the record outlives the process (journal.h), its successor
 * clears what the process could not.  A killed process has done a prefix of
 * its program, so the compiler's order is the one that counts there.
 */
#ifndef NETBACK_GRANT_PIN_H
#define NETBACK_GRANT_PIN_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/grant_table.h>

#include "kill_point.h"

#define GRANT_PIN_TRIES 8u      /* swaps, against a guest that writes on */
#define GRANT_PIN_FOREIGN 1     /* status: somebody else uses the entry */
#define GRANT_PIN_MARK 0x8000u  /* in flags: this use is a driver's */

/* An entry as it is pinned: flags and domid at once, then the frame. */
union grant_v1 {
    grant_entry_v1_t entry;
    struct {
        uint32_t head;          /* [a] flags | domid << 16 */
        uint32_t frame;         /* [a] */
    } word;
};

_Static_assert(sizeof(union grant_v1) == 8, "grant entry");

/* Bits of an entry's head. */
static inline uint32_t grant_head(uint32_t flags, domid_t domid)
{
    return flags | (uint32_t)domid << 16;
}

/* The flags that a use sets. */
static inline uint32_t grant_use(bool writes)
{
    return GRANT_PIN_MARK | GTF_reading | (writes ? GTF_writing : 0);
}

/* A record of a pin: the flags and the reference; 0: none. */
static inline uint64_t grant_record(grant_ref_t ref, uint32_t use)
{
    return (uint64_t)use << 32 | ref;
}

static inline void grant_record_set(uint64_t *record, uint64_t value)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    __atomic_store_n(record, value, __ATOMIC_RELAXED);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* index below count, also when the CPU guesses wrongly. */
static inline uint32_t grant_index(uint32_t index, uint32_t count)
{
    uint64_t mask = (uint64_t)((int64_t)((uint64_t)index - count) >> 63);

    __asm__ volatile ("" : "+r" (mask));
    return index & (uint32_t)mask;
}

/*
 * Pin an entry that was found not to be free, or not to grant that, when its
 * head was what is given here.  Apart, so that grant_pin's usual way has no
 * registers saved for it.
 */
static __attribute__((noinline, unused))
int16_t grant_pin_closer(union grant_v1 *entry, uint32_t head, domid_t user,
                         bool writes, uint16_t *flags)
{
    for (unsigned int i = 1; i < GRANT_PIN_TRIES; i++) {
        if ((head & grant_head(GTF_type_mask, 0xffff)) !=
            grant_head(GTF_permit_access, user)) {
            return GNTST_bad_gntref;
        }
        if (writes && (head & GTF_readonly) != 0) {
            return GNTST_general_error;
        }
        if ((head & grant_use(true)) != 0) {
            return GRANT_PIN_FOREIGN;
        }
        if (__atomic_compare_exchange_n(&entry->word.head, &head,
                                        head | grant_use(writes), false,
                                        __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED)) {
            *flags = (uint16_t)head;
            return GNTST_okay;
        }
    }
    return GNTST_eagain;
}

/*
 * Pin entry ref for user.  GNTST_okay, and *flags is what grant_unpin() takes;
 * GRANT_PIN_FOREIGN; or a GNTST_* error when the entry does not grant that, or
 * does not keep still.  Nothing is pinned then, and the record is empty.
 */
static inline __attribute__((always_inline))
int16_t grant_pin(union grant_v1 *entry, grant_ref_t ref, domid_t user,
                  bool writes, uint64_t *record, uint16_t *flags)
{
    const uint32_t use = grant_use(writes);
    const uint32_t looked_at = grant_head(
        GTF_type_mask | grant_use(true) | (writes ? GTF_readonly : 0),
        0xffff);
    uint32_t head = __atomic_load_n(&entry->word.head, __ATOMIC_RELAXED);
    int16_t status;

    grant_record_set(record, grant_record(ref, use));
    kill_point(KILL_RECORDED);
    if (__builtin_expect((head & looked_at) ==
                         grant_head(GTF_permit_access, user) &&
                         __atomic_compare_exchange_n(
                             &entry->word.head, &head, head | use, false,
                             __ATOMIC_ACQUIRE, __ATOMIC_RELAXED), true)) {
        kill_point(KILL_PINNED);
        *flags = (uint16_t)head;
        return GNTST_okay;
    }
    status = grant_pin_closer(entry, head, user, writes, flags);
    if (status == GNTST_okay) {
        kill_point(KILL_PINNED);
        return status;
    }
    grant_record_set(record, 0);
    return status;
}

/* The frame of a pinned entry: read it once. */
static inline uint32_t grant_frame(const union grant_v1 *entry)
{
    return __atomic_load_n(&entry->word.frame, __ATOMIC_RELAXED);
}

/* Undo grant_pin, which gave flags; the copy is ordered before it. */
static inline void grant_unpin(union grant_v1 *entry, uint16_t flags,
                               uint64_t *record)
{
    __atomic_store_n(&entry->entry.flags, flags, __ATOMIC_RELEASE);
    kill_point(KILL_UNPINNED);
    grant_record_set(record, 0);
}

/*
 * Clear what a record of a dead process names, in a table of count entries
 * whose backend is user.  A record may come from anywhere, and name a pin that
 * was not made or was undone already: no bits but a use's are cleared, and
 * only where the entry still grants to user and has the record's mark.  What
 * the guest has granted since has the flags of that use: without them it would
 * take back a page that is mapped.
 */
static inline void grant_record_clear(union grant_v1 *entries, uint32_t count,
                                      domid_t user, uint64_t *record)
{
    uint64_t value = __atomic_load_n(record, __ATOMIC_RELAXED);
    uint32_t use = (uint32_t)(value >> 32) & grant_use(true);
    uint32_t ref = (uint32_t)value;

    if (use != 0 && ref < count) {
        const uint32_t looked_at = grant_head(GTF_type_mask | GRANT_PIN_MARK,
                                              0xffff);
        const uint32_t ours = grant_head(GTF_permit_access |
                                         (use & GRANT_PIN_MARK), user);
        uint32_t *at = &entries[grant_index(ref, count)].word.head;
        uint32_t head = __atomic_load_n(at, __ATOMIC_RELAXED);
        unsigned int tries = 0;

        while (tries++ < GRANT_PIN_TRIES && (head & looked_at) == ours &&
               !__atomic_compare_exchange_n(at, &head, head & ~use, false,
                                            __ATOMIC_SEQ_CST,
                                            __ATOMIC_RELAXED)) {
            continue;
        }
    }
    grant_record_set(record, 0);
}

#endif
