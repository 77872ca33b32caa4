/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every check_<file>.c ends with: run its suite and print check's line
 * "N%: Checks: A, Failures: B, Errors: C", which tests/run-unit adds up.
 */
#ifndef TESTS_UNIT_UNIT_H
#define TESTS_UNIT_UNIT_H

#include <stdlib.h>

#include <check.h>

/* Runs and frees the suite; returns what main returns. */
static inline int unit_run(Suite *suite)
{
    SRunner *runner = srunner_create(suite);
    int failed;

    srunner_run_all(runner, CK_NORMAL);
    failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

/* A new case of the suite; fill it with tcase_add_test(). */
static inline TCase *unit_case(Suite *suite, const char *name)
{
    TCase *tcase = tcase_create(name);

    tcase_set_timeout(tcase, 60);
    suite_add_tcase(suite, tcase);
    return tcase;
}

#endif
