/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netback/pmd_args.c: what a person writes is taken or refused in one line.
 */
#include "netback/pmd.h"
#include "netback/vif_log.h"
#include "tests/fake/log.h"
#include "unit.h"

int vif_logtype;

static void accept_args(const char *name, const char *text, uint16_t domid,
                        uint16_t handle)
{
    struct pmd_args args;

    fake_log_lines = 0;
    ck_assert_int_eq(pmd_args_parse(name, text, &args), 0);
    ck_assert_uint_eq(args.domid, domid);
    ck_assert_uint_eq(args.handle, handle);
    ck_assert_uint_ge(args.queues, 1);
    ck_assert_uint_eq(fake_log_lines, 0);
}

static void refuse(const char *name, const char *text, const char *line)
{
    struct pmd_args args;

    fake_log_lines = 0;
    ck_assert_int_lt(pmd_args_parse(name, text, &args), 0);
    ck_assert_uint_eq(fake_log_lines, 1);
    ck_assert_msg(fake_log_says(line), "%s", fake_log_last());
}

START_TEST(test_names)
{
    accept_args("net_xenvif1_0", "", 1, 0);
    accept_args("net_xenvif1_0", NULL, 1, 0);
    accept_args("net_xenvif32751_65535", "", 32751, 65535);
    accept_args("net_xenvif1_0", "domid=1,handle=0", 1, 0);
    accept_args("net_xenvif_foo", "domid=7,handle=3", 7, 3);
    accept_args("net_xenvif", "handle=3,domid=7", 7, 3);
}
END_TEST

START_TEST(test_bad_names)
{
    static const char *const names[] = {
        "net_xenvif", "net_xenvif1", "net_xenvif1_", "net_xenvif_0",
        "net_xenvif1_0x", "net_xenvif1_0_0", "net_xenvif-1_0",
        "net_xenvif32752_0", "net_xenvif1_65536", "net_xenvif 1_0",
        "net_xenvif99999999999999999999_0",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        refuse(names[i], "", "which vif?");
    }
    refuse("net_xenvif", "domid=1", "which vif?");
}
END_TEST

START_TEST(test_bad_arguments)
{
    refuse("net_xenvif1_0", "foo=1", "bad arguments \"foo=1\"");
    refuse("net_xenvif1_0", "domid=2", "domid=2 contradicts");
    refuse("net_xenvif1_0", "handle=2", "handle=2 contradicts");
    refuse("net_xenvif1_0", "queues=0", "queues must be");
    refuse("net_xenvif1_0", "queues=17", "queues must be");
    refuse("net_xenvif1_0", "queues=", "queues must be");
    refuse("net_xenvif1_0", "queues=2x", "queues must be");
    refuse("net_xenvif1_0", "queues=-1", "queues must be");
    refuse("net_xenvif1_0", "tso=2", "tso must be");
    refuse("net_xenvif1_0", "local=here", "local must be");
    refuse("net_xenvif1_0", "access=fast", "access must be");
    refuse("net_xenvif1_0", "access=", "access must be");
    refuse("net_xenvif1_0", "access=local", "go together");
    refuse("net_xenvif1_0", "access=direct,local=/run/x", "go together");
}
END_TEST

START_TEST(test_values)
{
    struct pmd_args args;

    ck_assert_int_eq(pmd_args_parse("net_xenvif1_0",
                                    "queues=3,tso=0,local=/run/x", &args), 0);
    ck_assert_uint_eq(args.queues, 3);
    ck_assert(!args.tso);
    ck_assert_str_eq(args.local, "/run/x");
    ck_assert_int_eq(args.access, VIF_ACCESS_LOCAL);
    ck_assert_int_eq(pmd_args_parse("net_xenvif1_0", "", &args), 0);
    ck_assert(args.tso);
    ck_assert_str_eq(args.local, "");
    ck_assert_int_eq(args.access, VIF_ACCESS_AUTO);
    ck_assert_int_eq(pmd_args_parse("net_xenvif1_0", "access=direct", &args),
                     0);
    ck_assert_int_eq(args.access, VIF_ACCESS_DIRECT);
    ck_assert_int_eq(pmd_args_parse("net_xenvif1_0", "access=copy", &args),
                     0);
    ck_assert_int_eq(args.access, VIF_ACCESS_COPY);
    ck_assert_int_eq(pmd_args_parse("net_xenvif1_0",
                                    "access=local,local=/run/x", &args), 0);
    ck_assert_int_eq(args.access, VIF_ACCESS_LOCAL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("pmd_args");
    TCase *tcase = unit_case(suite, "pmd_args");

    tcase_add_test(tcase, test_names);
    tcase_add_test(tcase, test_bad_names);
    tcase_add_test(tcase, test_bad_arguments);
    tcase_add_test(tcase, test_values);
    return unit_run(suite);
}
