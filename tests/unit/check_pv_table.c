/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Records of a PV guest's page tables, against a model that counts from
 * scratch: after any sequence of pins, loads and entries that keeps the ABI's
 * rules, a frame is a table just as long as something uses it as one, every
 * entry of a table has USER, and every level 4 table has our slots.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "pvkern/table.h"
#include "unit.h"

#define FRAMES 64u
#define PER_LEVEL 12u               /* frames 0-11: level 4, 12-23: 3, ... */
#define TABLES (4 * PER_LEVEL)
#define INDEXES 6u                  /* entries that the sequences touch */
#define STEPS 4000u

static const unsigned int slots[INDEXES] = { 0, 1, 255, 272, 300, 511 };

/* What the model knows beside the entries themselves. */
static bool is_pinned[TABLES];
static unsigned int loads[TABLES];
static unsigned int expected[FRAMES];

static void *at_fixed(uint64_t address, size_t size)
{
    void *p = mmap((void *)address, size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);

    ck_assert_ptr_eq(p, (void *)address);
    return p;
}

static void setup(void)
{
    struct pvk_domain *d = at_fixed(PVK_DOMAIN, PAGE_BYTES);

    at_fixed(PVK_RECORDS, PAGE_BYTES);
    at_fixed(PVK_DIRECT, FRAMES * PAGE_BYTES);
    d->frames = FRAMES;
    d->max_vcpus = 1;
    for (unsigned int i = 0; i < PVK_SLOT_COUNT; i++) {
        d->slot[i] = i % 3 == 2 ? 0 : (uint64_t)(1000 + i) << 12 | PTE_PRESENT;
    }
    memset(is_pinned, 0, sizeof(is_pinned));
    memset(loads, 0, sizeof(loads));
}

static uint32_t *record(uint64_t frame)
{
    return (uint32_t *)PVK_RECORDS + frame;
}

static unsigned int level_of(unsigned int frame)
{
    return 4 - frame / PER_LEVEL;
}

static unsigned int uses(uint64_t frame)
{
    return *record(frame) / PVK_RECORD_USE;
}

/* ---- the model ---- */

static void count_from(unsigned int frame)
{
    const uint64_t *t = table_of(frame);

    if (expected[frame]++ != 0 || level_of(frame) == 1) {
        return;
    }
    for (unsigned int i = 0; i < INDEXES; i++) {
        if (t[slots[i]] & PTE_PRESENT) {
            count_from((unsigned int)pte_frame(t[slots[i]]));
        }
    }
}

static void check_table(unsigned int frame)
{
    const uint64_t *t = table_of(frame);

    ck_assert_uint_eq(table_level(frame), level_of(frame));
    for (unsigned int i = 0; i < INDEXES; i++) {
        if (t[slots[i]] & PTE_PRESENT) {
            ck_assert(t[slots[i]] & PTE_USER);
        }
    }
    for (unsigned int i = 0; level_of(frame) == 4 && i < PVK_SLOT_COUNT;
         i++) {
        ck_assert_uint_eq(t[PVK_SLOT_FIRST + i], pvk_domain()->slot[i]);
    }
}

static void check_all(void)
{
    memset(expected, 0, sizeof(expected));
    for (unsigned int f = 0; f < TABLES; f++) {
        for (unsigned int i = 0; i < loads[f] + is_pinned[f]; i++) {
            count_from(f);
        }
    }
    for (unsigned int f = 0; f < FRAMES; f++) {
        ck_assert_uint_eq(uses(f), expected[f]);
        if (expected[f] != 0) {
            check_table(f);
        } else {
            ck_assert_uint_eq(*record(f), 0);
        }
        if (f < TABLES) {
            ck_assert_uint_eq((*record(f) & PVK_RECORD_PINNED) != 0,
                              is_pinned[f]);
        }
    }
}

/* ---- a guest that keeps the rules ---- */

static void write_some(unsigned int frame)
{
    unsigned int index = slots[(unsigned int)rand() % INDEXES];
    unsigned int below = (frame / PER_LEVEL + 1) * PER_LEVEL;
    uint64_t value = 0;

    if (rand() % 3 != 0) {
        value = (uint64_t)(below + (unsigned int)rand() % PER_LEVEL) << 12
                | PTE_PRESENT | (rand() % 2 ? PTE_WRITE : 0)
                | (rand() % 2 ? PTE_USER : 0);
    }
    if (table_level(frame) == 0 && rand() % 2) {
        table_of(frame)[index] = value; /* its own memory */
        return;
    }
    ck_assert_int_eq(table_write(frame, index, value, 0), 0);
}

static void pin_some(unsigned int frame)
{
    if (is_pinned[frame]) {
        ck_assert_int_eq(table_pin(frame, level_of(frame)), -EINVAL);
        ck_assert_int_eq(table_unpin(frame), 0);
    } else {
        ck_assert_int_eq(table_unpin(frame), -EINVAL);
        ck_assert_int_eq(table_pin(frame, level_of(frame)), 0);
    }
    is_pinned[frame] = !is_pinned[frame];
}

static void load_some(unsigned int frame)
{
    if (loads[frame] != 0 && rand() % 2) {
        table_put(frame, 4);
        loads[frame]--;
    } else {
        ck_assert(table_get(frame, 4));
        loads[frame]++;
    }
}

START_TEST(records_say_what_is_used)
{
    srand((unsigned int)_i + 1);
    for (unsigned int step = 0; step < STEPS; step++) {
        unsigned int frame = (unsigned int)rand() % TABLES;

        switch (rand() % 4) {
        case 0:
            pin_some(frame);
            break;
        case 1:
            load_some(frame % PER_LEVEL);
            break;
        default:
            write_some(frame);
            break;
        }
        check_all();
    }
}
END_TEST

START_TEST(all_that_was_taken_is_given_back)
{
    srand(4711);
    for (unsigned int step = 0; step < STEPS; step++) {
        write_some((unsigned int)rand() % TABLES);
        pin_some((unsigned int)rand() % TABLES);
    }
    for (unsigned int f = 0; f < TABLES; f++) {
        if (is_pinned[f]) {
            pin_some(f);
        }
    }
    check_all();
    for (unsigned int f = 0; f < FRAMES; f++) {
        ck_assert_uint_eq(*record(f), 0);
    }
}
END_TEST

/* ---- one that does not ---- */

START_TEST(our_slots_cannot_be_written)
{
    ck_assert_int_eq(table_pin(0, 4), 0);
    for (unsigned int i = 0; i < PVK_SLOT_COUNT; i++) {
        ck_assert_int_eq(table_write(0, PVK_SLOT_FIRST + i, 7, 0), -EINVAL);
    }
    check_table(0);
}
END_TEST

START_TEST(a_table_that_names_itself_ends)
{
    table_of(0)[0] = 0 << 12 | PTE_PRESENT;
    table_of(0)[1] = 1ul << 12 | PTE_PRESENT;
    table_of(1)[0] = 1ul << 12 | PTE_PRESENT;
    ck_assert_int_eq(table_pin(0, 4), 0);
    ck_assert_uint_eq(table_level(0), 4);
    ck_assert_uint_eq(table_level(1), 3);
    ck_assert_int_eq(table_unpin(0), 0);
    ck_assert_uint_eq(table_level(0), 0);
}
END_TEST

START_TEST(frames_beyond_are_no_tables)
{
    ck_assert_int_eq(table_pin(FRAMES, 1), -EINVAL);
    ck_assert_int_eq(table_unpin(FRAMES), -EINVAL);
    ck_assert(!table_get(UINT64_MAX >> 12, 4));
    ck_assert_int_eq(table_write(FRAMES, 0, 0, 0), -EINVAL);
    table_put(FRAMES + 5, 3);
    table_of(20)[0] = (uint64_t)(FRAMES + 9) << 12 | PTE_PRESENT;
    ck_assert_int_eq(table_pin(20, 3), 0);
    ck_assert_int_eq(table_write(20, 1, 1ul << 51 | PTE_PRESENT, 0),
                     -EINVAL);
    ck_assert_int_eq(table_unpin(20), 0);
    /* Level 1: but for those that the hypervisor shows. */
    pvk_domain()->shown = 1ul << 30;
    pvk_domain()->shown_end = (1ul << 30) + 5;
    ck_assert_int_eq(table_pin(40, 1), 0);
    ck_assert_int_eq(table_write(40, 0, FRAMES << 12 | PTE_PRESENT, 0),
                     -EPERM);
    ck_assert_int_eq(table_write(40, 0, PTE_ADDRESS | PTE_PRESENT, 0),
                     -EINVAL);
    ck_assert_int_eq(table_write(40, 0, 1ul << 42 | PTE_PRESENT, 0), 0);
    ck_assert_int_eq(table_write(40, 0, ((1ul << 30) + 5) << 12 | PTE_PRESENT,
                                 0), -EPERM);
    ck_assert_int_eq(table_write(40, 0, PTE_PCD | PTE_PRESENT, 0), -EINVAL);
}
END_TEST

START_TEST(large_entries_are_refused_in_tables)
{
    ck_assert_int_eq(table_pin(24, 2), 0);
    ck_assert_int_eq(table_write(24, 0, PTE_PRESENT | PTE_LARGE, 0),
                     -EINVAL);
    ck_assert_int_eq(table_write(50, 0, PTE_PRESENT | PTE_LARGE, 0), 0);
}
END_TEST

START_TEST(accessed_and_dirty_are_kept_when_asked)
{
    uint64_t *t = table_of(40);

    ck_assert_int_eq(table_pin(40, 1), 0);
    t[3] = 5ul << 12 | PTE_PRESENT | PTE_USER | PTE_DIRTY | PTE_ACCESSED;
    ck_assert_int_eq(table_write(40, 3, 6ul << 12 | PTE_PRESENT,
                                 PTE_ACCESSED | PTE_DIRTY), 0);
    ck_assert_uint_eq(t[3], 6ul << 12 | PTE_PRESENT | PTE_USER | PTE_DIRTY
                            | PTE_ACCESSED);
    ck_assert_int_eq(table_write(40, 3, 6ul << 12 | PTE_PRESENT, 0), 0);
    ck_assert_uint_eq(t[3], 6ul << 12 | PTE_PRESENT | PTE_USER);
}
END_TEST

/* The toolstack's pins are records with PINNED and a level, no more. */
START_TEST(pins_of_the_builder_are_replayed)
{
    table_of(0)[0] = 12ul << 12 | PTE_PRESENT;
    table_of(12)[0] = 24ul << 12 | PTE_PRESENT;
    table_of(24)[0] = 36ul << 12 | PTE_PRESENT;
    table_of(36)[0] = 60ul << 12 | PTE_PRESENT;
    *record(0) = PVK_RECORD_PINNED | 4;
    *record(24) = PVK_RECORD_PINNED | 2;
    *record(40) = PVK_RECORD_PINNED | 1;
    table_replay();
    is_pinned[0] = is_pinned[24] = is_pinned[40] = true;
    check_all();
    ck_assert(table_of(36)[0] & PTE_USER);
    ck_assert_uint_eq(pvk_domain()->is_ready, 1);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("pv_table");
    TCase *t = unit_case(s, "rules");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_loop_test(t, records_say_what_is_used, 0, 8);
    tcase_add_test(t, all_that_was_taken_is_given_back);
    tcase_add_test(t, pins_of_the_builder_are_replayed);
    tcase_add_test(t, accessed_and_dirty_are_kept_when_asked);
    t = unit_case(s, "abuse");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, our_slots_cannot_be_written);
    tcase_add_test(t, a_table_that_names_itself_ends);
    tcase_add_test(t, frames_beyond_are_no_tables);
    tcase_add_test(t, large_entries_are_refused_in_tables);
    return s;
}

int main(void)
{
    return unit_run(suite());
}
