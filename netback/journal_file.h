/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vif's journal (journal.h) in a file that survives the process.  The file
 * exists while a process serves the vif, and after one was killed.
 */
#ifndef NETBACK_JOURNAL_FILE_H
#define NETBACK_JOURNAL_FILE_H

#include <stdbool.h>

#include "journal.h"

#ifndef JOURNAL_DIR             /* a test has its own */
#define JOURNAL_DIR "/run/net_xenvif"
#endif
#define JOURNAL_NAME_MAX 64
#define JOURNAL_IDENTITY_MAX 160
#define JOURNAL_QUEUES_MAX 64u

struct journal_file;

struct journal_name {
    const char *dir;            /* made, if it is not there, for us alone */
    const char *file;
    const char *identity;       /* of the guest: another's journal is void */
};

/*
 * Open a vif's journal for that many queues; NULL with errno set, and *why
 * says what is wrong.  EBUSY: another process has it open.
 */
struct journal_file *journal_file_open(const struct journal_name *name,
                                       unsigned int queues,
                                       const char **why);

/* Remove the file: the vif is left in order. */
void journal_file_close(struct journal_file *file);

/* Halves from 0 on: queue * 2 from the guest, + 1 to the guest; or NULL. */
struct journal_half *journal_file_half(struct journal_file *file,
                                       unsigned int index);

/*
 * Remove files of dir for which is_stale() says so and that nobody has open;
 * identity is what the file says of its guest.
 */
void journal_file_clean(const char *dir,
                        bool (*is_stale)(void *opaque, const char *file,
                                         const char *identity),
                        void *opaque);

#endif
