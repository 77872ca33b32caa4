/* SPDX-License-Identifier: GPL-2.0-only */
/* e820.c: setting, merging, overlaps, limits. */
#include <errno.h>
#include <string.h>

#include "e820.h"
#include "unit.h"

static struct e820 map;

static void setup(void)
{
    memset(&map, 0, sizeof(map));
    ck_assert_int_eq(e820_set(&map, 0, 0x9fc00, E820_RAM), 0);
    ck_assert_int_eq(e820_set(&map, 0x100000, 0x80000000, E820_RAM), 0);
    ck_assert_int_eq(e820_set(&map, 0xf0000, 0x100000, E820_RESERVED), 0);
}

static void check_order(void)
{
    for (unsigned int i = 0; i < map.count; i++) {
        ck_assert_uint_gt(map.entry[i].size, 0);
        if (i > 0) {
            const struct e820_entry_abi *last = &map.entry[i - 1];

            ck_assert_uint_le(last->addr + last->size, map.entry[i].addr);
            ck_assert(last->addr + last->size < map.entry[i].addr
                      || last->type != map.entry[i].type);
        }
    }
}

START_TEST(sorted_whatever_the_order)
{
    ck_assert_uint_eq(map.count, 3);
    check_order();
    ck_assert_uint_eq(e820_type_at(&map, 0xfffff), E820_RESERVED);
    ck_assert_uint_eq(e820_type_at(&map, 0x100000), E820_RAM);
    ck_assert_uint_eq(e820_type_at(&map, 0xa0000), 0);
}
END_TEST

START_TEST(split_and_merge_back)
{
    ck_assert_int_eq(e820_set(&map, 0x200000, 0x300000, E820_UNUSABLE), 0);
    ck_assert_uint_eq(map.count, 5);
    check_order();
    ck_assert(!e820_is_all(&map, 0x100000, 0x400000, E820_RAM));
    ck_assert(e820_has(&map, 0x100000, 0x400000, E820_UNUSABLE));
    ck_assert_int_eq(e820_set(&map, 0x200000, 0x300000, E820_RAM), 0);
    ck_assert_uint_eq(map.count, 3);
    ck_assert(e820_is_all(&map, 0x100000, 0x80000000, E820_RAM));
}
END_TEST

START_TEST(over_everything_and_out)
{
    ck_assert_int_eq(e820_set(&map, 0, 1ull << 40, E820_RESERVED), 0);
    ck_assert_uint_eq(map.count, 1);
    ck_assert_int_eq(e820_set(&map, 0x1000, 0x2000, 0), 0);
    ck_assert_uint_eq(map.count, 2);
    ck_assert_uint_eq(e820_type_at(&map, 0x1800), 0);
    ck_assert_int_eq(e820_set(&map, 0x5000, 0x5000, E820_RAM), 0);
    ck_assert_uint_eq(map.count, 2);
}
END_TEST

START_TEST(full_map_is_unchanged)
{
    int rc = 0;
    unsigned int count;

    for (uint64_t at = 1ull << 32; rc == 0; at += 0x2000) {
        count = map.count;
        rc = e820_set(&map, at, at + 0x1000, E820_RAM);
    }
    ck_assert_int_eq(rc, -ENOSPC);
    ck_assert_uint_eq(map.count, count);
    ck_assert_uint_eq(map.count, E820_MAX);
    check_order();
}
END_TEST

START_TEST(loader_overlaps)
{
    static const struct e820_entry_abi raw[] = {
        { 0x1000, 0x9000, E820_RESERVED },
        { 0x0, 0x10000, E820_RAM },
        { 0x8000, 0x1000, 7 },              /* unknown: reserved */
        { ~0ull - 10, 100, E820_RAM },      /* wraps: dropped */
    };

    e820_sanitise(&map, raw, 4);
    check_order();
    ck_assert_uint_eq(e820_type_at(&map, 0), E820_RAM);
    ck_assert_uint_eq(e820_type_at(&map, 0x1000), E820_RESERVED);
    ck_assert_uint_eq(e820_type_at(&map, 0xa000), E820_RAM);
    ck_assert_uint_eq(map.count, 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("e820");
    TCase *tcase = unit_case(suite, "e820");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, sorted_whatever_the_order);
    tcase_add_test(tcase, split_and_merge_back);
    tcase_add_test(tcase, over_everything_and_out);
    tcase_add_test(tcase, full_map_is_unchanged);
    tcase_add_test(tcase, loader_overlaps);
    return unit_run(suite);
}
