/* SPDX-License-Identifier: GPL-2.0-only */
/* Dispatch and multicall: who may call, lists, restarts inside lists. */
#include <errno.h>
#include <string.h>

#include "fake/machine.h"
#include "unit.h"
#include "core_env.h"

static struct domain *a, *b;

static void setup(void)
{
    env_start();
    a = env_domain(0, 1);
    b = env_domain(1, 1);
    env_run(b->vcpu[0]);
}

static long multicall(struct multicall_entry *list, unsigned int count)
{
    return env_call(__HYPERVISOR_multicall, env_arg(list), count, 0);
}

START_TEST(unknown_numbers_are_refused)
{
    uint64_t nr;

    ck_assert_int_eq(env_call(63, 0, 0, 0), -ENOSYS);
    ck_assert_int_eq(env_call(__HYPERVISOR_set_gdt, 0, 0, 0), -ENOSYS);
    for (nr = 64; nr != 0; nr <<= 1) {
        ck_assert_int_eq(env_call(nr, 0, 0, 0), -ENOSYS);
    }
    ck_assert_int_eq(env_call(UINT64_MAX, 0, 0, 0), -ENOSYS);
}
END_TEST

START_TEST(a_guest_controls_nothing)
{
    char buf[4096] = { 0 };

    ck_assert_int_eq(env_call(__HYPERVISOR_domctl, env_arg(buf), 0, 0),
                     -EPERM);
    ck_assert_int_eq(env_call(__HYPERVISOR_sysctl, env_arg(buf), 0, 0),
                     -EPERM);
    ck_assert_int_eq(env_call(__HYPERVISOR_platform_op, env_arg(buf), 0, 0),
                     -EPERM);
    ck_assert_int_eq(env_call(__HYPERVISOR_mmuext_op, env_arg(buf), 0, 0),
                     -EPERM);
    ck_assert_int_eq(env_call(__HYPERVISOR_arch_0, env_arg(buf), 0, 0),
                     -EPERM);
    ck_assert_int_eq(env_call(__HYPERVISOR_console_io, CONSOLEIO_write, 1,
                              env_arg(buf)), -EPERM);
    ck_assert_int_eq(env_call(__HYPERVISOR_xsm_op, env_arg(buf), 0, 0),
                     -ENOSYS);
}
END_TEST

START_TEST(a_list_runs_in_order_with_results)
{
    struct multicall_entry list[3] = {
        { .op = __HYPERVISOR_xen_version, .args = { XENVER_version } },
        { .op = 63 },
        { .op = __HYPERVISOR_xen_version, .args = { XENVER_pagesize } },
    };

    ck_assert_int_eq(multicall(list, 3), 0);
    ck_assert_int_eq(list[0].result, 4 << 16 | 17);
    ck_assert_int_eq((long)list[1].result, -ENOSYS);
    ck_assert_int_eq(list[2].result, 4096);
}
END_TEST

START_TEST(a_list_in_a_list_is_refused)
{
    struct multicall_entry inner = { .op = __HYPERVISOR_xen_version };
    struct multicall_entry list = { .op = __HYPERVISOR_multicall,
                                    .args = { env_arg(&inner), 1 } };

    ck_assert_int_eq(multicall(&list, 1), 0);
    ck_assert_int_eq((long)list.result, -EINVAL);
    ck_assert_ptr_null(b->vcpu[0]->multicall);
}
END_TEST

START_TEST(a_long_list_restarts_where_it_was)
{
    static struct multicall_entry list[1000];
    unsigned int i;

    for (i = 0; i < 1000; i++) {
        list[i].op = __HYPERVISOR_xen_version;
        list[i].args[0] = XENVER_pagesize;
    }
    ck_assert_int_eq(multicall(list, 1000), 0);
    ck_assert_uint_ge(env_restarts(), 1000 / 64);
    for (i = 0; i < 1000; i++) {
        ck_assert_int_eq(list[i].result, 4096);
    }
}
END_TEST

/* An operation that restarts inside a list changes its entry, not rdi. */
START_TEST(an_entry_restarts_by_its_own_arguments)
{
    static struct gnttab_copy ops[600];
    struct multicall_entry list[2] = {
        { .op = __HYPERVISOR_grant_table_op,
          .args = { GNTTABOP_copy, env_arg(ops), 600 } },
        { .op = __HYPERVISOR_xen_version, .args = { XENVER_pagesize } },
    };
    unsigned int i;

    for (i = 0; i < 600; i++) {
        ops[i].source.domid = DOMID_SELF;
        ops[i].source.u.gmfn = 1;
        ops[i].dest.domid = DOMID_SELF;
        ops[i].dest.u.gmfn = 2;
        ops[i].len = 1;
        ops[i].status = 99;
    }
    ck_assert_int_eq(multicall(list, 2), 0);
    ck_assert_uint_ge(env_restarts(), 2);
    ck_assert_int_eq(list[0].result, 0);
    ck_assert_int_eq(list[1].result, 4096);
    for (i = 0; i < 600; i++) {
        ck_assert_int_eq(ops[i].status, GNTST_okay);
    }
}
END_TEST

START_TEST(unreadable_lists_are_faults)
{
    struct multicall_entry entry = { .op = __HYPERVISOR_xen_version };

    ck_assert_int_eq(multicall(NULL, 1), -EFAULT);
    ck_assert_int_eq(multicall(NULL, 0), 0);
    machine_fail_copy_after(1);     /* read, but the result not written */
    ck_assert_int_eq(multicall(&entry, 1), -EFAULT);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("hypercall");
    TCase *tc = unit_case(suite, "hypercall");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, unknown_numbers_are_refused);
    tcase_add_test(tc, a_guest_controls_nothing);
    tcase_add_test(tc, a_list_runs_in_order_with_results);
    tcase_add_test(tc, a_list_in_a_list_is_refused);
    tcase_add_test(tc, a_long_list_restarts_where_it_was);
    tcase_add_test(tc, an_entry_restarts_by_its_own_arguments);
    tcase_add_test(tc, unreadable_lists_are_faults);
    return unit_run(suite);
}
