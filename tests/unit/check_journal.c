/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netback/journal.c: what a successor makes of a ring and a journal that it
 * finds; netback/journal_file.c: whose file it is, and when it goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netback/journal_file.h"
#include "unit.h"

static uint32_t slots[JOURNAL_SLOTS * 3];   /* of 12 bytes */
static RING_IDX rsp_prod;
static struct journal_half half;
static const struct journal_ring ring = {
    .slots = (uint8_t *)slots, .slot_size = 12, .words = 1,
    .rsp_prod = &rsp_prod,
};

static void answer(RING_IDX old, unsigned int count, unsigned int packets)
{
    uint32_t words[JOURNAL_SLOTS];
    struct journal_answers answers = { words, 1, old, old + count, packets };

    for (unsigned int i = 0; i < count; i++) {
        words[i] = 1000 + i;
    }
    memset(slots, 0, sizeof(slots));
    memset(&half, 0, sizeof(half));
    journal_answer(&half, &answers);
    rsp_prod = old;
}

START_TEST(finishes_answers)
{
    answer(UINT32_MAX - 2, 7, 5);
    slots[(UINT32_MAX - 2) % JOURNAL_SLOTS * 3] = 1000;     /* one is there */
    ck_assert_uint_eq(journal_finish(&half, &ring), 5);
    ck_assert_uint_eq(rsp_prod, 4);
    for (RING_IDX i = 0; i < 7; i++) {
        ck_assert_uint_eq(slots[(UINT32_MAX - 2 + i) % JOURNAL_SLOTS * 3],
                          1000 + i);
    }
    ck_assert_uint_eq(slots[4 * 3], 0);
    ck_assert_uint_eq(slots[1], 0);
    ck_assert_uint_eq(half.answering, 0);
    ck_assert_uint_eq(journal_finish(&half, &ring), 0);
    ck_assert_uint_eq(rsp_prod, 4);
}
END_TEST

START_TEST(published_already)
{
    answer(10, 7, 5);
    rsp_prod = 17;
    ck_assert_uint_eq(journal_finish(&half, &ring), 5);
    ck_assert_uint_eq(rsp_prod, 17);
    ck_assert_uint_eq(slots[10 * 3], 0);
}
END_TEST

START_TEST(idle)
{
    answer(10, 7, 5);
    journal_answered(&half);
    ck_assert_uint_eq(journal_finish(&half, &ring), 0);
    ck_assert_uint_eq(rsp_prod, 10);
}
END_TEST

/* Another ring, or a file that something else wrote. */
START_TEST(not_of_this_ring)
{
    static const struct { RING_IDX rsp_prod, old, end; unsigned int packets;
        uint32_t answering; } cases[] = {
        { 11, 10, 17, 5, 1 }, { 0, 10, 17, 5, 1 }, { 10, 10, 267, 5, 1 },
        { 10, 10, 9, 5, 1 }, { 10, 10, 17, 8, 1 }, { 10, 10, 17, 5, 2 },
    };

    answer(10, 7, 5);
    half.old = cases[_i].old;
    half.end = cases[_i].end;
    half.packets = cases[_i].packets;
    half.answering = cases[_i].answering;
    rsp_prod = cases[_i].rsp_prod;
    ck_assert_uint_eq(journal_finish(&half, &ring), 0);
    ck_assert_uint_eq(rsp_prod, cases[_i].rsp_prod);
    ck_assert_uint_eq(slots[10 * 3], 0);
    ck_assert_uint_eq(half.answering, 0);
}
END_TEST

/* ---- files ---- */

static char top[] = "/tmp/check_journal.XXXXXX";
static char dir[64], path[128];
static const char *why;

static struct journal_file *open_one(const char *identity,
                                     unsigned int queues)
{
    const struct journal_name name = { dir, "vif1.0", identity };

    why = "";
    return journal_file_open(&name, queues, &why);
}

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(top));
    snprintf(dir, sizeof(dir), "%s/gantry", top);
    snprintf(path, sizeof(path), "%s/vif1.0", dir);
}

static void teardown(void)
{
    unlink(path);
    unlink(dir);
    rmdir(dir);
    rmdir(top);
    memcpy(top + strlen(top) - 6, "XXXXXX", 6);
}

/* In another process, which is killed with the journal open. */
static void killed_with(unsigned int queues, unsigned int index,
                        uint64_t pin)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        struct journal_file *file = open_one("/vm/1", queues);

        if (file == NULL) {
            _exit(1);
        }
        journal_file_half(file, index)->pins[0] = pin;
        kill(getpid(), SIGKILL);
    }
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert(WIFSIGNALED(status));
}

START_TEST(survives_the_process)
{
    struct journal_file *file;

    killed_with(2, 3, 77);
    file = open_one("/vm/1", 2);
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(journal_file_half(file, 3)->pins[0], 77);
    ck_assert_uint_eq(journal_file_half(file, 2)->pins[0], 0);
    ck_assert_ptr_null(journal_file_half(file, 4));
    journal_file_close(file);
    ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

/* The predecessor had more queues, or fewer. */
START_TEST(other_number_of_queues)
{
    struct journal_file *file;

    killed_with(4, 7, 77);
    file = open_one("/vm/1", 1);
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(journal_file_half(file, 7)->pins[0], 77);
    journal_file_close(file);
    killed_with(1, 1, 78);
    file = open_one("/vm/1", 16);
    ck_assert_uint_eq(journal_file_half(file, 1)->pins[0], 78);
    ck_assert_uint_eq(journal_file_half(file, 31)->pins[0], 0);
    journal_file_close(file);
}
END_TEST

START_TEST(another_guests_is_void)
{
    struct journal_file *file;

    killed_with(1, 0, 77);
    file = open_one("/vm/2", 1);
    ck_assert_uint_eq(journal_file_half(file, 0)->pins[0], 0);
    journal_file_close(file);
}
END_TEST

START_TEST(one_process_at_a_time)
{
    struct journal_file *file = open_one("/vm/1", 1);

    ck_assert_ptr_nonnull(file);
    ck_assert_ptr_null(open_one("/vm/1", 1));
    ck_assert_int_eq(errno, EBUSY);
    ck_assert_ptr_nonnull(strstr(why, "another process"));
    journal_file_close(file);
}
END_TEST

static void refuse(void)
{
    ck_assert_ptr_null(open_one("/vm/1", 1));
    ck_assert_ptr_nonnull(strstr(why, "ours alone"));
}

START_TEST(nobody_elses_directory)
{
    mkdir(dir, 0755);
    chmod(dir, 0755);
    refuse();
    chmod(dir, 0700);
    if (geteuid() == 0) {
        ck_assert_int_eq(chown(dir, 1, 1), 0);
        refuse();
        ck_assert_int_eq(chown(dir, 0, 0), 0);
    }
    rmdir(dir);
    ck_assert_int_eq(symlink(top, dir), 0);
    refuse();
}
END_TEST

static void put(const char *name, const char *bytes, mode_t mode)
{
    int fd = openat(AT_FDCWD, name, O_CREAT | O_WRONLY | O_TRUNC, 0600);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(write(fd, bytes, strlen(bytes)), strlen(bytes));
    fchmod(fd, mode);
    close(fd);
}

START_TEST(nobody_elses_file)
{
    char other[160];

    mkdir(dir, 0700);
    snprintf(other, sizeof(other), "%s/other", dir);
    put(other, "keep", 0600);
    ck_assert_int_eq(symlink(other, path), 0);
    refuse();
    unlink(path);
    ck_assert_int_eq(link(other, path), 0);
    refuse();
    unlink(path);
    mkfifo(path, 0600);
    refuse();
    unlink(path);
    put(path, "", 0644);
    refuse();
    unlink(other);
}
END_TEST

START_TEST(rubbish_is_wiped)
{
    char bytes[20001];
    struct journal_file *file;

    memset(bytes, 'x', sizeof(bytes) - 1);
    bytes[sizeof(bytes) - 1] = '\0';
    mkdir(dir, 0700);
    put(path, bytes, 0600);
    file = open_one("/vm/1", 1);
    ck_assert_ptr_nonnull(file);
    for (unsigned int i = 0; journal_file_half(file, i) != NULL; i++) {
        ck_assert_uint_eq(journal_file_half(file, i)->pins[0], 0);
        ck_assert_uint_eq(journal_file_half(file, i)->answering, 0);
    }
    journal_file_close(file);
}
END_TEST

static char stale_identity[JOURNAL_IDENTITY_MAX];
static unsigned int asked;
static bool verdict;

static bool is_stale(void *opaque, const char *file, const char *identity)
{
    ck_assert_ptr_eq(opaque, &asked);
    ck_assert_str_eq(file, "vif1.0");
    snprintf(stale_identity, sizeof(stale_identity), "%s", identity);
    asked++;
    return verdict;
}

START_TEST(stale_ones_go)
{
    struct journal_file *file;

    asked = 0;
    journal_file_clean(dir, is_stale, &asked);      /* no directory: fine */
    file = open_one("/vm/1", 1);
    verdict = true;
    journal_file_clean(dir, is_stale, &asked);
    ck_assert_int_eq(access(path, F_OK), 0);        /* it is in use */
    journal_file_close(file);
    asked = 0;
    killed_with(1, 0, 77);
    verdict = false;
    journal_file_clean(dir, is_stale, &asked);
    ck_assert_uint_eq(asked, 1);
    ck_assert_str_eq(stale_identity, "/vm/1");
    ck_assert_int_eq(access(path, F_OK), 0);
    verdict = true;
    journal_file_clean(dir, is_stale, &asked);
    ck_assert_uint_eq(asked, 2);
    ck_assert_int_eq(access(path, F_OK), -1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("journal");
    TCase *tcase = unit_case(suite, "journal");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, finishes_answers);
    tcase_add_test(tcase, published_already);
    tcase_add_test(tcase, idle);
    tcase_add_loop_test(tcase, not_of_this_ring, 0, 6);
    tcase_add_test(tcase, survives_the_process);
    tcase_add_test(tcase, other_number_of_queues);
    tcase_add_test(tcase, another_guests_is_void);
    tcase_add_test(tcase, one_process_at_a_time);
    tcase_add_test(tcase, nobody_elses_directory);
    tcase_add_test(tcase, nobody_elses_file);
    tcase_add_test(tcase, rubbish_is_wiped);
    tcase_add_test(tcase, stale_ones_go);
    return unit_run(suite);
}
