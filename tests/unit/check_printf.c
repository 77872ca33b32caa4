/* SPDX-License-Identifier: GPL-2.0-only */
/* printf: against libc's, which has the same contract. */
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "lib/printf.h"
#include "unit.h"

/* The same text and the same length as libc's, at this buffer size. */
static __attribute__((format(printf, 2, 3)))
void same(size_t size, const char *format, ...)
{
    char ours[64], theirs[64];
    va_list args;
    int a, b;

    memset(ours, '#', sizeof(ours));
    memset(theirs, '#', sizeof(theirs));
    va_start(args, format);
    a = printf_format(ours, size, format, args);
    va_end(args);
    va_start(args, format);
    b = vsnprintf(theirs, size, format, args);
    va_end(args);
    ck_assert_int_eq(a, b);
    ck_assert_str_eq(ours, theirs);
    ck_assert_mem_eq(ours + size, theirs + size, sizeof(ours) - size);
}

START_TEST(numbers)
{
    same(64, "%d %i %u", -1, INT_MIN, UINT_MAX);
    same(64, "%ld %lu %lx", LONG_MIN, ULONG_MAX, 0xdeadbeefcafeul);
    same(64, "%llx %zu %hhx %hd", 1ull << 63, (size_t)7,
         (unsigned char)0xff, (short)-2);
    same(64, "[%5d] [%-5d] [%05d] [%+d]", 42, 42, -42, 42);
    same(64, "[%.3d] [%8.3x] [%#x] [%08lx]", 7, 0xabc, 255u, 0x1234ul);
    same(64, "[%*d] [%-*d] %o %X", 6, 1, 6, 2, 8u, 0xabcu);
}
END_TEST

START_TEST(text)
{
    same(64, "%s|%10s|%-10s|%.2s|%c|%%", "abc", "r", "l", "cut", 'x');
}
END_TEST

START_TEST(bounds)
{
    for (size_t size = 1; size < 16; size++) {
        same(size, "%s and %d", "a text", 12345);
    }
}
END_TEST

/* A format that ends inside a conversion must not read past its end. */
START_TEST(cut_format)
{
    char format[4] = "%l";
    char out[8];
    va_list none;

    memset(&none, 0, sizeof(none));
    ck_assert_int_eq(printf_format(out, sizeof(out), format, none), 0);
    ck_assert_str_eq(out, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("printf");
    TCase *all = unit_case(suite, "all");

    tcase_add_test(all, numbers);
    tcase_add_test(all, text);
    tcase_add_test(all, bounds);
    tcase_add_test(all, cut_format);
    return unit_run(suite);
}
