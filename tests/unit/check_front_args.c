/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netback/front_args.c: what a person writes is taken or refused in one line.
 */
#include <string.h>

#include "netback/front_log.h"
#include "netback/front_pmd.h"
#include "tests/fake/log.h"
#include "unit.h"

int front_logtype;

static struct front_args accept_args(const char *name, const char *text)
{
    struct front_args args;

    fake_log_lines = 0;
    ck_assert_int_eq(front_args_parse(name, text, &args), 0);
    ck_assert_uint_eq(fake_log_lines, 0);
    return args;
}

static void refuse(const char *name, const char *text, const char *line)
{
    struct front_args args;

    fake_log_lines = 0;
    ck_assert_int_lt(front_args_parse(name, text, &args), 0);
    ck_assert_uint_eq(fake_log_lines, 1);
    ck_assert_msg(fake_log_says(line), "%s", fake_log_last());
}

START_TEST(devices)
{
    ck_assert_uint_eq(accept_args("net_xenfront3", NULL).handle, 3);
    ck_assert_uint_eq(accept_args("net_xenfront0", "device=65535").handle,
                      65535);
    ck_assert_uint_eq(accept_args("net_xenfront_a", "device=2").handle, 2);
    refuse("net_xenfront_a", "", "which vif? give device=N");
    refuse("net_xenfront0", "device=65536", "device must be a number");
    refuse("net_xenfront0", "device=x", "device must be a number");
    refuse("net_xenfront0", "device", "device must be a number");
}
END_TEST

START_TEST(local_sockets)
{
    struct front_args args = accept_args("net_xenfront_a", "local=/run/s");
    char text[256] = "local=/";

    ck_assert_str_eq(args.local, "/run/s");
    refuse("net_xenfront0", "local=s", "local must be the path to listen");
    memset(text + strlen(text), 'a', 120);
    refuse("net_xenfront0", text, "shorter than 108 bytes");
}
END_TEST

START_TEST(numbers_of_queues)
{
    ck_assert_uint_eq(accept_args("net_xenfront0", "").queues, 16);
    ck_assert_uint_eq(accept_args("net_xenfront0", "queues=1").queues, 1);
    refuse("net_xenfront0", "queues=0", "queues must be a number from 1");
    refuse("net_xenfront0", "queues=17", "queues must be a number from 1");
    refuse("net_xenfront0", "queues=-1", "queues must be a number from 1");
}
END_TEST

START_TEST(addresses)
{
    struct front_args args =
        accept_args("net_xenfront0", "mac=00:16:3e:01:02:03");

    ck_assert(args.has_mac);
    ck_assert_uint_eq(args.mac.addr_bytes[5], 3);
    ck_assert(!accept_args("net_xenfront0", "").has_mac);
    refuse("net_xenfront0", "mac=1", "mac must be the address of one");
    refuse("net_xenfront0", "mac=ff:ff:ff:ff:ff:ff", "mac must be");
    refuse("net_xenfront0", "mac=00:00:00:00:00:00", "mac must be");
}
END_TEST

START_TEST(unknown)
{
    refuse("net_xenfront0", "tso=1", "known are device=, queues=, local=");
    refuse("net_xenfront0", "device==", "bad arguments");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("front_args");
    TCase *tcase = unit_case(suite, "front_args");

    tcase_add_test(tcase, devices);
    tcase_add_test(tcase, local_sockets);
    tcase_add_test(tcase, numbers_of_queues);
    tcase_add_test(tcase, addresses);
    tcase_add_test(tcase, unknown);
    return unit_run(suite);
}
