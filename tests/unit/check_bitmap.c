/* SPDX-License-Identifier: GPL-2.0-only */
/* bitmap and nospec: edges of words and of the size. */
#include <string.h>

#include "lib/bitmap.h"
#include "lib/nospec.h"
#include "unit.h"

START_TEST(find)
{
    BITMAP_DECLARE(map, 200);

    memset(map, 0, sizeof(map));
    ck_assert_uint_eq(bitmap_find_set(map, 200, 0), 200);
    ck_assert_uint_eq(bitmap_find_clear(map, 200, 199), 199);
    bitmap_set(map, 0);
    bitmap_set(map, 63);
    bitmap_set(map, 64);
    bitmap_set(map, 199);
    ck_assert_uint_eq(bitmap_find_set(map, 200, 0), 0);
    ck_assert_uint_eq(bitmap_find_set(map, 200, 1), 63);
    ck_assert_uint_eq(bitmap_find_set(map, 200, 64), 64);
    ck_assert_uint_eq(bitmap_find_set(map, 200, 65), 199);
    ck_assert_uint_eq(bitmap_find_set(map, 199, 65), 199);
    ck_assert_uint_eq(bitmap_find_set(map, 200, 200), 200);
    ck_assert_uint_eq(bitmap_find_clear(map, 200, 63), 65);
    ck_assert_uint_eq(bitmap_count(map, 200), 4);
    ck_assert_uint_eq(bitmap_count(map, 199), 3);
}
END_TEST

START_TEST(atomics)
{
    BITMAP_DECLARE(map, 128);

    memset(map, 0, sizeof(map));
    ck_assert(!bitmap_test_and_set(map, 127));
    ck_assert(bitmap_test_and_set(map, 127));
    ck_assert(bitmap_test(map, 127));
    ck_assert(bitmap_test_and_clear(map, 127));
    ck_assert(!bitmap_test_and_clear(map, 127));
}
END_TEST

START_TEST(nospec)
{
    ck_assert_uint_eq(index_nospec(0, 4), 0);
    ck_assert_uint_eq(index_nospec(3, 4), 3);
    ck_assert_uint_eq(index_nospec(4, 4), 0);
    ck_assert_uint_eq(index_nospec(~0ul, 4), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("bitmap");
    TCase *all = unit_case(suite, "all");

    tcase_add_test(all, find);
    tcase_add_test(all, atomics);
    tcase_add_test(all, nospec);
    return unit_run(suite);
}
