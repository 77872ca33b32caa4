/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * tools/libdom0/xenbus.c: nodes that a guest writes are parsed strictly, and
 * a state never brings a removed directory back.
 */
#include <errno.h>
#include <string.h>

#include "tests/fake/xenstore.h"
#include "tools/libdom0/xenbus.h"
#include "unit.h"

static void setup(void)
{
    fake_store_reset();
}

static int number(const char *text, unsigned long max, unsigned long *value)
{
    fake_store_set("/d/n", text);
    return xenbus_read_number(fake_store_handle(), "/d", "n", max, value);
}

START_TEST(test_numbers)
{
    unsigned long value = 7;

    ck_assert_int_eq(number("0", 10, &value), 0);
    ck_assert_uint_eq(value, 0);
    ck_assert_int_eq(number("10", 10, &value), 0);
    ck_assert_uint_eq(value, 10);
    ck_assert_int_eq(number("4294967295", UINT32_MAX, &value), 0);
    ck_assert_uint_eq(value, UINT32_MAX);
}
END_TEST

START_TEST(test_not_numbers)
{
    static const char *const texts[] = {
        "", " 1", "1 ", "+1", "-1", "0x1", "1a", "11", "18446744073709551617",
        "99999999999999999999999999",
    };
    unsigned long value = 7;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        ck_assert_int_eq(number(texts[i], 10, &value), -EINVAL);
    }
    ck_assert_int_eq(number("4294967296", UINT32_MAX, &value), -EINVAL);
    ck_assert_int_eq(number("3", 2, &value), -EINVAL);
    ck_assert_uint_eq(value, 7);
}
END_TEST

START_TEST(test_text_is_bounded)
{
    char text[8];

    ck_assert_int_eq(xenbus_read(fake_store_handle(), "/d", "n", text,
                                 sizeof(text)), -ENOENT);
    fake_store_set("/d/n", "1234567");
    ck_assert_int_eq(xenbus_read(fake_store_handle(), "/d", "n", text,
                                 sizeof(text)), 0);
    ck_assert_str_eq(text, "1234567");
    fake_store_set("/d/n", "12345678");
    ck_assert_int_eq(xenbus_read(fake_store_handle(), "/d", "n", text,
                                 sizeof(text)), -E2BIG);
    fake_store_set_bytes("/d/n", "1\0002", 3);
    ck_assert_int_eq(xenbus_read(fake_store_handle(), "/d", "n", text,
                                 sizeof(text)), -EINVAL);
}
END_TEST

START_TEST(test_flags)
{
    struct xs_handle *xs = fake_store_handle();

    ck_assert(xenbus_read_flag(xs, "/d", "f", true));
    ck_assert(!xenbus_read_flag(xs, "/d", "f", false));
    fake_store_set("/d/f", "2");
    ck_assert(!xenbus_read_flag(xs, "/d", "f", false));
    fake_store_set("/d/f", "1");
    ck_assert(xenbus_read_flag(xs, "/d", "f", false));
    fake_store_set("/d/f", "0");
    ck_assert(!xenbus_read_flag(xs, "/d", "f", true));
}
END_TEST

START_TEST(test_states)
{
    struct xs_handle *xs = fake_store_handle();

    ck_assert_int_eq(xenbus_read_state(xs, "/d"), XenbusStateUnknown);
    ck_assert_int_eq(xenbus_switch_state(xs, "/d", XenbusStateClosed),
                     -ENOENT);
    ck_assert_str_eq(fake_store_get("/d/state"), "");
    fake_store_set("/d/state", "1");
    ck_assert_int_eq(xenbus_switch_state(xs, "/d", XenbusStateInitWait), 0);
    ck_assert_int_eq(xenbus_read_state(xs, "/d"), XenbusStateInitWait);
    fake_store_set("/d/state", "9");
    ck_assert_int_eq(xenbus_read_state(xs, "/d"), XenbusStateUnknown);
    ck_assert_str_eq(xenbus_state_name(XenbusStateClosed), "Closed");
    ck_assert_str_eq(xenbus_state_name((enum xenbus_state)77), "invalid");
}
END_TEST

START_TEST(test_error_goes_where_linux_writes_it)
{
    xenbus_write_error(fake_store_handle(), 0,
                       "/local/domain/0/backend/vif/1/0", -EPROTO, "why");
    ck_assert_str_eq(
        fake_store_get("/local/domain/0/error/backend/vif/1/0/error"),
        "71 why");
}
END_TEST

START_TEST(test_long_path_is_refused)
{
    char dir[XENBUS_PATH_MAX + 1];
    unsigned long value;

    memset(dir, 'a', sizeof(dir));
    dir[0] = '/';
    dir[sizeof(dir) - 1] = '\0';
    ck_assert_int_eq(xenbus_read_number(fake_store_handle(), dir, "n", 1,
                                        &value), -ENAMETOOLONG);
    ck_assert_int_eq(xenbus_write(fake_store_handle(), dir, "n", "1"),
                     -ENAMETOOLONG);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("xenbus");
    TCase *tcase = unit_case(suite, "xenbus");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, test_numbers);
    tcase_add_test(tcase, test_not_numbers);
    tcase_add_test(tcase, test_text_is_bounded);
    tcase_add_test(tcase, test_flags);
    tcase_add_test(tcase, test_states);
    tcase_add_test(tcase, test_error_goes_where_linux_writes_it);
    tcase_add_test(tcase, test_long_path_is_refused);
    return unit_run(suite);
}
