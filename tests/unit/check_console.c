/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * core/console.c and arch/x86/nmi.c where one CPU is interrupted while it has
 * the console's lock: an NMI printed there and then, and waited for ever for
 * the lock of the one that it had interrupted; so did the last words of a
 * machine check, and of a fault in the console itself.
 */
#include "step.h"

#include <string.h>

#include "core/console.h"
#include "core/lock.h"
#include "fake/machine.h"
#include "nmi.h"
#include "unit.h"

#define SECOND 1000000000ull

static struct nmi_record nmi;

static void setup(void)
{
    machine_start(4096, 0, 2);
    machine_set_time(SECOND);
    memset(&nmi, 0, sizeof(nmi));
    (void)machine_console();
}

static void say(void)
{
    console_log(LOG_ERROR, "a");
}

static bool has_console_lock(void)
{
    const struct spinlock *lock = lock_track()->held[0];

    /* The record is written in any order. */
    return lock_track()->depth == 1 && lock != NULL && spin_is_locked(lock)
           && lock->rank == LOCK_RANK_CONSOLE;
}

static void note(void)
{
    nmi_note(&nmi);
}

START_TEST(an_nmi_waits_for_nothing)
{
    ck_assert(step_run(say, has_console_lock, note, 0));
    ck_assert_str_eq(machine_console(), "(gantry) a\n");
    nmi_report(&nmi, 3);
    ck_assert_str_eq(machine_console(),
                     "(gantry) CPU 3: 1 NMIs ignored\n");
    nmi_report(&nmi, 3);
    ck_assert_str_eq(machine_console(), "");
}
END_TEST

START_TEST(many_nmis_are_one_line_a_second)
{
    note();
    nmi_report(&nmi, 0);
    (void)machine_console();
    for (unsigned int i = 0; i < 100; i++) {
        note();
        nmi_report(&nmi, 0);
    }
    ck_assert_str_eq(machine_console(), "");
    machine_set_time(2 * SECOND);
    nmi_report(&nmi, 0);
    ck_assert_str_eq(machine_console(),
                     "(gantry) CPU 0: 100 NMIs ignored\n");
}
END_TEST

/* Forever, without breaking the lock: then the test runs into its limit. */
static void last_words(void)
{
    console_break_lock();
    console_log(LOG_ERROR, "b");
}

START_TEST(last_words_need_no_lock)
{
    ck_assert(step_hold(say, has_console_lock));
    last_words();
    ck_assert_str_eq(machine_console(), "(gantry) b\n");
    step_release();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("console");
    TCase *tcase = unit_case(suite, "console");

    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, an_nmi_waits_for_nothing);
    tcase_add_test(tcase, many_nmis_are_one_line_a_second);
    tcase_add_test(tcase, last_words_need_no_lock);
    return unit_run(suite);
}
