/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vif's journal: opened when it connects, removed when it has disconnected
 * in order, so what is found at a connect was left by a process that was
 * killed.  Talks to journal_file.h and direct.h; the control thread's.
 *
 * Invariants:
 *  1. The flags that a predecessor left set are cleared before a ring is
 *     touched, and its answers are finished before the ring is read.
 *  2. Answers are finished only in the ring that they were written for.
 *  3. Without a journal (no directory for it) a vif works, and says so.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "netback/direct.h"
#include "netback/vif.h"
#include "netback/vif_log.h"
#include "tools/libdom0/xenbus.h"

#define LOCAL_PREFIX "local-"

/* FNV-1a: a file's name from a path that is no name. */
static uint64_t hash(const char *text)
{
    uint64_t value = UINT64_C(0xcbf29ce484222325);

    for (; *text != '\0'; text++) {
        value = (value ^ (uint8_t)*text) * UINT64_C(0x100000001b3);
    }
    return value;
}

/* Root's is fixed; a user's, for tests, is where his session has it. */
static bool find_dir(char *dir, size_t size)
{
    const char *session = getenv("XDG_RUNTIME_DIR");

    snprintf(dir, size, "XDG_RUNTIME_DIR");
    if (geteuid() == 0) {
        snprintf(dir, size, "%s", JOURNAL_DIR);
        return true;
    }
    return session != NULL &&
           snprintf(dir, size, "%s/gantry", session) < (int)size;
}

int vif_journal_open(struct vif *vif, const char *identity,
                     unsigned int queues, const char **why)
{
    char dir[VIF_PATH_MAX], file[JOURNAL_NAME_MAX];
    const struct journal_name name = { dir, file, identity };

    if (vif_config_is_local(&vif->config)) {
        snprintf(file, sizeof(file), LOCAL_PREFIX "%016llx",
                 (unsigned long long)hash(vif->config.local));
    } else {
        snprintf(file, sizeof(file), "%s", vif->name);
    }
    if (!find_dir(dir, sizeof(dir))) {
        *why = "not set, and this is not root";
        errno = EACCES;
    } else {
        vif->journal = journal_file_open(&name, queues, why);
    }
    if (vif->journal == NULL && errno == EBUSY) {
        return -EBUSY;
    }
    if (vif->journal == NULL) {
        rte_log(vif_config_is_local(&vif->config) ? RTE_LOG_INFO
                                                  : RTE_LOG_WARNING,
                vif_logtype, "net_xenvif: %s: no journal (%s: %s): if this "
                "process is killed its guest may lose the connection\n",
                vif->name, dir, *why);
    }
    return 0;
}

void vif_journal_undo(struct vif *vif)
{
    struct journal_half *half;
    int failed = 0;

    for (unsigned int i = 0; vif->journal != NULL &&
         (half = journal_file_half(vif->journal, i)) != NULL; i++) {
        int error = direct_undo(vif->config.domid, (domid_t)vif->own_domid,
                                half);

        failed = error != 0 ? error : failed;
        if (!vif->joined) {
            journal_answered(half);     /* its rings are gone */
        }
    }
    if (failed != 0) {
        VIF_LOG(WARNING, vif->name, "what a killed process left in the "
                "grant table cannot be cleared: %s", strerror(-failed));
    }
}

struct journal_half *vif_journal_half(struct vif *vif, unsigned int queue,
                                      bool to_guest, uint32_t ring)
{
    struct journal_half *half;

    if (vif->journal == NULL) {
        return NULL;
    }
    half = journal_file_half(vif->journal, queue * 2 + to_guest);
    if (half != NULL && half->ring != ring) {
        journal_answered(half);
        half->ring = ring;
    }
    return half;
}

void vif_journal_finish(struct vif_queue *q, void *tx_ring,
                        struct journal_half *from, void *rx_ring,
                        struct journal_half *to)
{
    if (from != NULL) {
        __atomic_fetch_add(&q->from.stats.restart_lost,
                           from_guest_finish(tx_ring, from),
                           __ATOMIC_RELAXED);
    }
    if (to != NULL) {
        to_guest_finish(rx_ring, to);
    }
}

void vif_journal_close(struct vif *vif)
{
    if (vif->journal != NULL) {
        journal_file_close(vif->journal);
        vif->journal = NULL;
    }
}

/* Is the guest gone, or in a driver domain, which is not told of guests, the
 * vif's directory? */
static bool is_gone(struct xs_handle *xs, unsigned int domid,
                    unsigned int handle)
{
    int there = xenbus_domain_is_there(xs, domid);
    char dir[XENBUS_PATH_MAX];
    unsigned long frontend;

    if (there != -EACCES) {
        return there == 0;
    }
    snprintf(dir, sizeof(dir), "backend/vif/%u/%u", domid, handle);
    return xenbus_read_number(xs, dir, "frontend-id", UINT16_MAX,
                              &frontend) == -ENOENT;
}

/* A local one's identity begins with its socket's path; see vif_local.c. */
static bool is_stale(void *xs, const char *file, const char *identity)
{
    char path[JOURNAL_IDENTITY_MAX];
    unsigned int domid, handle;
    struct stat st;

    if (sscanf(file, "vif%u.%u", &domid, &handle) == 2) {
        return xs != NULL && is_gone(xs, domid, handle);
    }
    if (strncmp(file, LOCAL_PREFIX, strlen(LOCAL_PREFIX)) != 0) {
        return false;
    }
    snprintf(path, sizeof(path), "%.*s", (int)strcspn(identity, " "),
             identity);
    return stat(path, &st) != 0 && errno == ENOENT;
}

void vif_journal_clean(struct xs_handle *xs)
{
    char dir[VIF_PATH_MAX];

    if (find_dir(dir, sizeof(dir))) {
        journal_file_clean(dir, is_stale, xs);
    }
}
