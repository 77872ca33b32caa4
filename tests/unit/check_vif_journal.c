/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netback/vif_journal.c: which journal a vif goes on with, which one it
 * forgets, and which files go because their guest has gone.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netback/vif.h"
#include "netback/vif_log.h"
#include "tests/fake/log.h"
#include "tests/fake/xenstore.h"
#include "unit.h"

#define FILE_1 JOURNAL_DIR "/vif1.0"
#define OWN 3u

int vif_logtype;
static unsigned int undone;
static int undo_error;
static struct vif vif;
static netif_tx_sring_t *tx;
static netif_rx_sring_t *rx;

int direct_undo(domid_t domid, domid_t user, struct journal_half *half)
{
    ck_assert_uint_eq(domid, 1);
    ck_assert_uint_eq(user, OWN);
    undone += half->pins[0] != 0;
    return undo_error;
}

static void setup(void)
{
    (void)!system("rm -rf " JOURNAL_DIR);
    fake_store_reset();
    memset(&vif, 0, sizeof(vif));
    vif.config.domid = 1;
    vif.own_domid = OWN;
    snprintf(vif.name, sizeof(vif.name), "vif1.0");
    vif.joined = true;
    fake_log_lines = undone = 0;
    undo_error = 0;
    tx = aligned_alloc(4096, 4096);
    rx = aligned_alloc(4096, 4096);
    memset(tx, 0, 4096);
    memset(rx, 0, 4096);
}

static void teardown(void)
{
    vif_journal_close(&vif);
    free(tx);
    free(rx);
    (void)!system("rm -rf " JOURNAL_DIR);
}

static int open_it(const char *identity)
{
    const char *why = "";

    return vif_journal_open(&vif, identity, 1, &why);
}

/* A process that is killed with three answers, two of them packets, begun. */
static void predecessor(const char *identity)
{
    const uint32_t words[3] = { 11, 12, 13 };
    const struct journal_answers answers = { words, 1, 0, 3, 2 };
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        struct journal_half *half;

        if (open_it(identity) != 0 || vif.journal == NULL) {
            _exit(1);
        }
        half = vif_journal_half(&vif, 0, false, 7);
        half->pins[0] = 5;
        journal_answer(half, &answers);
        kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
}

/* What the successor finds in ring_ref: answers that it finishes, or none. */
static void succeed(const char *identity, uint32_t ring_ref, bool finished)
{
    static struct vif_queue q;

    memset(&q, 0, sizeof(q));
    ck_assert_int_eq(open_it(identity), 0);
    ck_assert_ptr_nonnull(vif.journal);
    vif_journal_undo(&vif);
    vif_journal_finish(&q, tx, vif_journal_half(&vif, 0, false, ring_ref),
                       rx, vif_journal_half(&vif, 0, true, 8));
    ck_assert_uint_eq(tx->rsp_prod, finished ? 3 : 0);
    ck_assert_uint_eq(q.from.stats.restart_lost, finished ? 2 : 0);
    ck_assert_uint_eq(rx->rsp_prod, 0);
}

START_TEST(goes_on)
{
    predecessor("/vm/1");
    succeed("/vm/1", 7, true);
    ck_assert_uint_eq(undone, 1);
    ck_assert_int_eq(access(FILE_1, F_OK), 0);
    vif_journal_close(&vif);
    ck_assert_int_eq(access(FILE_1, F_OK), -1);
}
END_TEST

START_TEST(another_ring)
{
    predecessor("/vm/1");
    succeed("/vm/1", 9, false);
    ck_assert_uint_eq(undone, 1);
}
END_TEST

START_TEST(another_guest)
{
    predecessor("/vm/1");
    succeed("/vm/2", 7, false);
    ck_assert_uint_eq(undone, 0);
}
END_TEST

/* The frontend started anew meanwhile: same number, other ring. */
START_TEST(another_life)
{
    predecessor("/vm/1");
    vif.joined = false;
    succeed("/vm/1", 7, false);
    ck_assert_uint_eq(undone, 1);
}
END_TEST

START_TEST(undo_fails_in_one_line)
{
    predecessor("/vm/1");
    undo_error = -EPERM;
    ck_assert_int_eq(open_it("/vm/1"), 0);
    vif_journal_undo(&vif);
    ck_assert_uint_eq(fake_log_lines, 1);
    ck_assert(fake_log_says("cannot be cleared"));
}
END_TEST

/* Flags that stay are no reason to answer in a ring that is a new one. */
START_TEST(undo_fails_in_another_life)
{
    predecessor("/vm/1");
    vif.joined = false;
    undo_error = -EPERM;
    succeed("/vm/1", 7, false);
}
END_TEST

START_TEST(works_without)
{
    mkdir(JOURNAL_DIR, 0755);
    chmod(JOURNAL_DIR, 0755);
    ck_assert_int_eq(open_it("/vm/1"), 0);
    ck_assert_ptr_null(vif.journal);
    ck_assert_uint_eq(fake_log_lines, 1);
    ck_assert(fake_log_says("no journal"));
    vif_journal_undo(&vif);
    ck_assert_ptr_null(vif_journal_half(&vif, 0, false, 7));
    vif_journal_finish(NULL, tx, NULL, rx, NULL);
}
END_TEST

START_TEST(busy)
{
    struct journal_file *held;

    ck_assert_int_eq(open_it("/vm/1"), 0);
    held = vif.journal;
    vif.journal = NULL;
    ck_assert_int_eq(open_it("/vm/1"), -EBUSY);
    ck_assert_uint_eq(fake_log_lines, 0);
    vif.journal = held;
}
END_TEST

START_TEST(files_of_guests_that_went)
{
    predecessor("/vm/1");
    vif_journal_clean(NULL);
    vif_journal_clean(fake_store_handle());
    ck_assert_int_eq(access(FILE_1, F_OK), 0);
    fake_store_set_domain(false);
    fake_store_set_broken(true);
    vif_journal_clean(fake_store_handle());
    ck_assert_int_eq(access(FILE_1, F_OK), 0);
    fake_store_set_broken(false);
    vif_journal_clean(fake_store_handle());
    ck_assert_int_eq(access(FILE_1, F_OK), -1);
}
END_TEST

/* A driver domain is not told of guests, but has their vifs' directories. */
START_TEST(files_of_vifs_that_went)
{
    fake_store_set_privileged(false);
    fake_store_set("backend/vif/1/0/frontend-id", "1");
    predecessor("/vm/1");
    vif_journal_clean(fake_store_handle());
    ck_assert_int_eq(access(FILE_1, F_OK), 0);
    fake_store_remove("backend/vif/1/0");
    vif_journal_clean(fake_store_handle());
    ck_assert_int_eq(access(FILE_1, F_OK), -1);
}
END_TEST

static bool is_empty(void)
{
    return rmdir(JOURNAL_DIR) == 0;
}

START_TEST(files_of_frontends_that_went)
{
    snprintf(vif.config.local, sizeof(vif.config.local), "/dev/null");
    predecessor("/dev/null 77");
    vif_journal_clean(NULL);
    ck_assert(!is_empty());
    ck_assert_int_eq(open_it("/nonexistent/socket 78"), 0);
    vif_journal_close(&vif);
    predecessor("/nonexistent/socket 78");
    vif_journal_clean(NULL);
    ck_assert(is_empty());
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vif_journal");
    TCase *tcase = unit_case(suite, "vif_journal");

    if (geteuid() != 0) {
        printf("100%%: Checks: 0, Failures: 0, Errors: 0\n");
        return 77;              /* the fixed directory is root's */
    }
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, goes_on);
    tcase_add_test(tcase, another_ring);
    tcase_add_test(tcase, another_guest);
    tcase_add_test(tcase, another_life);
    tcase_add_test(tcase, undo_fails_in_one_line);
    tcase_add_test(tcase, undo_fails_in_another_life);
    tcase_add_test(tcase, works_without);
    tcase_add_test(tcase, busy);
    tcase_add_test(tcase, files_of_guests_that_went);
    tcase_add_test(tcase, files_of_vifs_that_went);
    tcase_add_test(tcase, files_of_frontends_that_went);
    return unit_run(suite);
}
