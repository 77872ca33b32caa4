/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's page tables as we know them.  A frame is a table of a level
 * as long as it is pinned, loaded in a CR3, or named by an entry of such a
 * table; its record counts these uses.
 *
 *   no table --first table_get()--> level n, its entries got as well
 *            <--last table_put()---  and put
 *
 *  1. Every entry of a table has USER (both guest modes run at CPL 3): set
 *     when the table becomes one and at each write through us.  Entries that
 *     the guest stores itself get it at their first fault (mmu.c).
 *  2. Level 4 tables have our entries in slots 256..271.
 *  3. Records are right for a guest that keeps the ABI's rules.  One that
 *     does not gets wrong counts, and with them page faults of its own: no
 *     memory of anybody depends on them.
 *  4. The lock holds for records and for entries of levels 2-4.  A vcpu
 *     that waits for it yields, as its holder may not be running; of a holder
 *     that the toolstack takes out, the hypervisor opens it.
 */
#include "pvkern/table.h"

#include "lib/errno.h"
#include "pvkern/guest.h"

#define ENTRIES 512u
#define SPINS 1000u

/* What a guest without devices may have in its entries, and what not. */
#define LEAF_FLAGS (PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED   \
                    | PTE_DIRTY | PTE_GLOBAL | PTE_AVAILABLE | PTE_NX)
#define NOT_IN_TABLES (PTE_PWT | PTE_PCD | PTE_LARGE | PTE_GLOBAL)

static uint32_t *const records = (uint32_t *)PVK_RECORDS;

/* One look of many at what another vcpu is to do, which may not be running. */
static void spin(unsigned int *spins)
{
    const uint64_t yield[6] = { SCHEDOP_yield };

    if (++*spins % SPINS == 0) {
        (void)vmmcall(__HYPERVISOR_sched_op, yield);
    }
    __asm__ volatile("pause");
}

static void lock(void)
{
    unsigned int spins = 0;

    for (;;) {
        uint32_t nobody = 0;

        if (__atomic_compare_exchange_n(&pvk_domain()->lock, &nobody,
                                        pvk_name(), false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED)) {
            return;
        }
        spin(&spins);
    }
}

static void unlock(void)
{
    __atomic_store_n(&pvk_domain()->lock, 0, __ATOMIC_RELEASE);
}

static bool is_ours(unsigned int level, unsigned int index)
{
    return level == 4 && index - PVK_SLOT_FIRST < PVK_SLOT_COUNT;
}

/* Does an entry of a table of 'level' name a table? */
static bool names_table(uint64_t entry, unsigned int level)
{
    return level > 1 && (entry & PTE_PRESENT)
           && (level == 4 || !(entry & PTE_LARGE));
}

static bool is_table(uint32_t record)
{
    return record >= PVK_RECORD_USE;
}

unsigned int table_level(uint64_t frame)
{
    uint32_t record;

    if (!table_has_frame(frame)) {
        return 0;
    }
    record = __atomic_load_n(&records[frame], __ATOMIC_RELAXED);
    return is_table(record) ? record & PVK_RECORD_LEVEL : 0;
}

/* ---- under the lock ---- */

static bool get(uint64_t frame, unsigned int level);

bool table_install(uint64_t frame)
{
    uint64_t *t = table_of(frame) + PVK_SLOT_FIRST;
    uint64_t entry;

    for (unsigned int i = 0; i < PVK_SLOT_COUNT; i++) {
        uint64_t want = pvk_domain()->slot[i];

        /* The CPU sets ACCESSED. */
        if (!word_read(&t[i], &entry)
            || ((entry & ~PTE_ACCESSED) != want && !word_write(&t[i], want))) {
            return false;
        }
    }
    return true;
}

/* 'frame' becomes a table: its entries get USER, its children a use. */
static bool adopt(uint64_t frame, unsigned int level)
{
    uint64_t *t = table_of(frame);

    for (unsigned int i = 0; i < ENTRIES; i++) {
        uint64_t entry;

        if (is_ours(level, i)) {
            continue;
        }
        if (!word_read(&t[i], &entry)) {
            return false;
        }
        while ((entry & (PTE_PRESENT | PTE_USER)) == PTE_PRESENT
               && !word_cmpxchg(&t[i], &entry, entry | PTE_USER)) {
        }
        if (names_table(entry, level)) {
            (void)get(pte_frame(entry), level - 1);
        }
    }
    return level != 4 || table_install(frame);
}

static bool get(uint64_t frame, unsigned int level)
{
    uint32_t record;

    if (!table_has_frame(frame)) {
        return false;
    }
    record = records[frame];
    if (is_table(record)) {
        if ((record & PVK_RECORD_LEVEL) != level
            || record >= UINT32_MAX - 2 * PVK_RECORD_USE) {
            return false;
        }
        records[frame] += PVK_RECORD_USE;
        return true;
    }
    /* A pin that is still to be replayed stays. */
    records[frame] = (record & PVK_RECORD_PINNED) | level | PVK_RECORD_USE;
    if (!adopt(frame, level)) {
        records[frame] = 0;
        return false;
    }
    return true;
}

static void put(uint64_t frame, unsigned int level)
{
    uint64_t *t = table_of(frame);

    if (table_level(frame) != level) {
        return;
    }
    records[frame] -= PVK_RECORD_USE;
    if (is_table(records[frame])) {
        return;
    }
    records[frame] = 0;
    for (unsigned int i = 0; level > 1 && i < ENTRIES; i++) {
        uint64_t entry;

        if (!is_ours(level, i) && word_read(&t[i], &entry)
            && names_table(entry, level)) {
            put(pte_frame(entry), level - 1);
        }
    }
}

/* Shows tables of its own level as memory: it is not counted. */
static bool is_linear(uint64_t entry, unsigned int level)
{
    return !(entry & PTE_WRITE) && table_level(pte_frame(entry)) == level;
}

static long write_upper(uint64_t frame, unsigned int level,
                        unsigned int index, uint64_t value)
{
    uint64_t *at = table_of(frame) + index;
    uint64_t old;

    if (!word_read(at, &old)) {
        return -EINVAL;
    }
    if (names_table(value, level) && names_table(old, level)
        && pte_frame(value) == pte_frame(old)) {
        return word_write(at, value) ? 0 : -EINVAL;
    }
    if (names_table(value, level) && !get(pte_frame(value), level - 1)
        && !is_linear(value, level)) {
        return -EINVAL;
    }
    if (!word_write(at, value)) {
        return -EINVAL;
    }
    if (names_table(old, level)) {
        put(pte_frame(old), level - 1);
    }
    return 0;
}

/* ---- for others ---- */

bool table_get(uint64_t frame, unsigned int level)
{
    bool ok;

    lock();
    ok = get(frame, level);
    unlock();
    return ok;
}

void table_put(uint64_t frame, unsigned int level)
{
    lock();
    if (table_has_frame(frame)) {
        put(frame, level);
    }
    unlock();
}

long table_pin(uint64_t frame, unsigned int level)
{
    long error = -EINVAL;

    lock();
    if (table_has_frame(frame) && !(records[frame] & PVK_RECORD_PINNED)
        && get(frame, level)) {
        records[frame] |= PVK_RECORD_PINNED;
        error = 0;
    }
    unlock();
    return error;
}

long table_unpin(uint64_t frame)
{
    long error = -EINVAL;

    lock();
    if (table_has_frame(frame) && (records[frame] & PVK_RECORD_PINNED)) {
        records[frame] &= ~PVK_RECORD_PINNED;
        put(frame, records[frame] & PVK_RECORD_LEVEL);
        error = 0;
    }
    unlock();
    return error;
}

static long write_leaf(uint64_t *at, uint64_t value, uint64_t keep)
{
    uint64_t old;

    if (keep == 0) {
        return word_write(at, value) ? 0 : -EINVAL;
    }
    if (!word_read(at, &old)) {
        return -EINVAL;
    }
    while (!word_cmpxchg(at, &old, value | (old & keep))) {
    }
    return 0;
}

/* Flags that it may not have end up above all frames. */
static inline bool is_plain_leaf(uint64_t value)
{
    uint64_t rest = value & ~LEAF_FLAGS;

    return (rest >> 12 | rest << 52) < pvk_domain()->frames;
}

/* The others: what the hypervisor shows, or an error as from Xen. */
static __attribute__((noinline)) long check_leaf(uint64_t value)
{
    const struct pvk_domain *d = pvk_domain();
    uint64_t frame = pte_frame(value);

    if ((value & ~(LEAF_FLAGS | PTE_ADDRESS)) != 0) {
        return -EINVAL;
    }
    if (frame >= d->shown && frame < d->shown_end) {
        return 0;
    }
    return frame == pte_frame(PTE_ADDRESS) ? -EINVAL : -EPERM;
}

static __attribute__((noinline)) long write_table(uint64_t frame,
                                                  unsigned int level,
                                                  unsigned int index,
                                                  uint64_t value)
{
    long error;

    if (is_ours(level, index)) {
        return -EINVAL;
    }
    if (value & PTE_PRESENT) {
        if (value & NOT_IN_TABLES) {
            return -EINVAL;
        }
        value |= PTE_USER;
    }
    lock();
    error = write_upper(frame, level, index, value);
    unlock();
    return error;
}

long table_write(uint64_t frame, unsigned int index, uint64_t value,
                 uint64_t keep)
{
    uint32_t record;

    if (!table_has_frame(frame)) {
        return -EINVAL;
    }
    record = __atomic_load_n(&records[frame], __ATOMIC_RELAXED);
    if (is_table(record)) {
        unsigned int level = record & PVK_RECORD_LEVEL;

        if (level > 1) {
            return write_table(frame, level, index, value);
        }
        if (value & PTE_PRESENT) {
            long error = is_plain_leaf(value) ? 0 : check_leaf(value);

            if (error != 0) {
                return error;
            }
            value |= PTE_USER;
        }
    }
    return write_leaf(table_of(frame) + index, value, keep);
}

/*
 * The hypervisor wrote PINNED and the level only.  A later vcpu of a
 * restored domain may come while the first is still at it.
 */
void table_replay(void)
{
    struct pvk_domain *d = pvk_domain();
    unsigned int spins = 0;
    uint32_t nobody = 0;

    while (!__atomic_compare_exchange_n(&d->replaying, &nobody, pvk_name(),
                                        false, __ATOMIC_ACQUIRE,
                                        __ATOMIC_RELAXED)) {
        if (__atomic_load_n(&d->is_ready, __ATOMIC_ACQUIRE)) {
            return;
        }
        spin(&spins);
        nobody = 0;
    }
    for (uint64_t frame = 0; frame < table_frames(); frame++) {
        uint32_t record = records[frame];

        /* It may have become a table by one that came before. */
        if (record & PVK_RECORD_PINNED) {
            unsigned int level = record & PVK_RECORD_LEVEL;

            records[frame] = is_table(record) ? record & ~PVK_RECORD_PINNED
                                              : 0;
            (void)table_pin(frame, level);
        }
    }
    __atomic_store_n(&d->is_ready, 1, __ATOMIC_RELEASE);
}
