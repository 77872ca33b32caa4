/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rings and grant table of a vif in memory that two Linux processes
 * share: for containers, for tests at native speed, for benchmarks on a
 * plain machine.  The frontend owns the memory and listens on a socket; the
 * backend connects, so that either may restart.
 *
 * On the socket (SOCK_SEQPACKET), one message each way:
 *   backend:   struct local_offer
 *   frontend:  struct local_hello, with file descriptors: the memory (a
 *              memfd sealed against shrinking), then for each queue one
 *              datagram socket that carries events both ways, then one
 *              for the control ring if there is one
 *   backend:   struct local_verdict, when it serves the rings
 * The end of the connection is the end of the vif.
 *
 * The memory's first grant_frames pages are a grant table (v1); a gfn is a
 * page's number in it.  Grants are given to domain LOCAL_BACKEND.
 */
#ifndef NETBACK_LOCAL_H
#define NETBACK_LOCAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <xen/xen.h>
#include <xen/grant_table.h>

#include "access.h"
#include "grant_pin.h"
#include "journal.h"
#include "window.h"

#define LOCAL_MAGIC 0x6c76696eu
#define LOCAL_VERSION 2u
#define LOCAL_QUEUES_MAX 16u
#define LOCAL_PAGES_MAX (1u << 20)      /* 4 GiB */
#define LOCAL_GRANT_FRAMES_MAX 2048u    /* a grant for each such page */
#define LOCAL_FDS_MAX (2u + LOCAL_QUEUES_MAX)
#define LOCAL_BACKEND 0u                /* the domid that grants name */
#define LOCAL_GRANTS_PER_PAGE (ACCESS_PAGE_SIZE / sizeof(grant_entry_v1_t))

/* Features; the frontend may use what both sides have. */
#define LOCAL_SG (1u << 0)              /* packets of more than one slot */
#define LOCAL_CSUM (1u << 1)            /* blank checksums to the frontend */
#define LOCAL_GSO_TCPV4 (1u << 2)
#define LOCAL_GSO_TCPV6 (1u << 3)
#define LOCAL_CTRL (1u << 4)            /* a control ring */

struct local_offer {
    uint32_t magic;
    uint16_t version;
    uint16_t queues_max;
    uint32_t features;
};

struct local_hello {
    uint32_t magic;
    uint16_t version;
    uint16_t queue_count;
    uint32_t grant_frames;
    uint32_t features;
    uint8_t mac[6];
    uint8_t pad[2];                     /* zero */
    uint32_t ctrl_ref;                  /* the control ring's; 0: none */
    struct {
        uint32_t tx_ref;                /* the rings' grants */
        uint32_t rx_ref;
    } queues[LOCAL_QUEUES_MAX];
};

struct local_verdict {
    uint32_t magic;
    int32_t status;                     /* 0 or a negative errno */
};

/* A connected vif, backend's side. */
struct local_link {
    int fd;                             /* -1: closed */
    struct local_offer offer;           /* ours */
    uint8_t *memory;                    /* mapped, the guest writes it */
    uint32_t page_count;
    uint16_t queue_count;
    uint32_t grant_count;
    uint32_t features;                  /* both sides have them */
    uint64_t memory_id;                 /* tells it from any other's memory */
    uint8_t mac[6];
    uint32_t tx_ref[LOCAL_QUEUES_MAX];
    uint32_t rx_ref[LOCAL_QUEUES_MAX];
    int event[LOCAL_QUEUES_MAX];        /* the ports of access->notify */
    uint32_t ctrl_ref;                  /* 0: no control ring */
    int ctrl_event;                     /* if there is one */
};

/*
 * Check a hello of size bytes with fd_count descriptors against our offer
 * and the memory's page count.  0, or -EPROTO with *why set.
 */
int local_check(const struct local_hello *hello, size_t size,
                size_t fd_count, uint32_t page_count,
                const struct local_offer *offer, const char **why);

/*
 * Connect to the frontend that listens at path and make it our offer; waits
 * for nothing.  -ENOENT, -ECONNREFUSED: nobody is there; *why says what is
 * wrong otherwise.  After an error nothing is held; else link->fd is readable
 * when there is something for local_finish.
 */
int local_begin(const char *path, uint16_t queues_max, uint32_t features,
                struct local_link *link, const char **why);

/*
 * Take the frontend's hello.  -EAGAIN: it has not come yet.  After any other
 * error nothing is held, and the frontend knows of it; else it waits for
 * local_answer.
 */
int local_finish(struct local_link *link, const char **why);

/* Both, for who has nothing else to do: waits for at most timeout_ms. */
int local_connect(const char *path, uint16_t queues_max, uint32_t features,
                  int timeout_ms, struct local_link *link, const char **why);

/*
 * Tell the frontend that its rings are served now (0), or why not (a
 * negative errno).
 */
void local_answer(const struct local_link *link, int status);

/*
 * Clear what a killed process left in the grant table: what its journal's
 * half says or, where none was kept (NULL), all that is there, for a
 * frontend has one backend.  Before local_create().
 */
void local_undo(struct local_link *link, struct journal_half *half);

/* Has the frontend closed the connection? */
bool local_is_closed(const struct local_link *link);

/* Unmap and close; every access made from the link is gone by then. */
void local_disconnect(struct local_link *link);

/*
 * An access to the link's memory; link, journal and counts are borrowed.
 * journal may be NULL.  Returns NULL for want of memory.
 */
struct access *local_create(struct local_link *link,
                            struct journal_half *journal,
                            struct window_counts *counts);

/*
 * The page that a grant grants now, for reading or for both; NULL: it does
 * not.  Good while the link is, and no pin is set: the memory cannot go, and
 * a process that is killed leaves nothing to be undone.  The frontend does
 * not see that the page is in use.
 */
void *local_page(struct access *access, grant_ref_t ref, bool readonly);

#endif
