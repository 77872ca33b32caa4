/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The one seam between the ring code and guest memory.
 *
 * from_guest and to_guest plan copies; an access carries them out.  Nothing
 * else in netback/ knows how a guest's page is reached.  Implementations:
 * gcopy.c (GNTTABOP_copy), local.c (rings and grant table in memory shared
 * by two processes); each has its own *_create().
 *
 * Threads: one struct access serves one thread at a time.  Both directions
 * of a queue may be polled by different threads, so each has its own.
 */
#ifndef NETBACK_ACCESS_H
#define NETBACK_ACCESS_H

#include <stdint.h>

#include <xen/xen.h>
#include <xen/grant_table.h>

#define ACCESS_PAGE_SIZE 4096u

enum access_direction {
    ACCESS_FROM_GUEST,          /* granted page -> host */
    ACCESS_TO_GUEST,            /* host -> granted page */
};

/* One piece of one granted page. */
struct access_copy {
    grant_ref_t ref;
    uint16_t offset;            /* bytes in the granted page */
    uint16_t size;              /* 1..4096, offset + size <= 4096 */
    int16_t status;             /* out: GNTST_*; as the guest wills it */
    uint16_t owner;             /* the caller's: index of its packet */
    uint8_t *host;              /* borrowed; may cross host pages */
};

struct access;

struct access_ops {
    const char *name;           /* "gcopy", "local" */

    /*
     * Carry out count copies in one direction.  Every copies[i].status is
     * set; one failure does not stop the rest.  Never blocks on the guest.
     */
    void (*copy)(struct access *access, enum access_direction direction,
                 struct access_copy *copies, unsigned int count);

    /*
     * Map a ring page, writable, for the queue's life.  NULL with errno set
     * when the guest's grant cannot be mapped.
     */
    void *(*map)(struct access *access, grant_ref_t ref);
    void (*unmap)(struct access *access, void *page);

    /*
     * Wake the guest.  port is what the transport calls its end of the
     * channel: an event channel port, or an eventfd.
     */
    void (*notify)(struct access *access, int port);

    void (*destroy)(struct access *access);
};

/* The first member of every implementation's structure. */
struct access {
    const struct access_ops *ops;
};

static inline void access_copy(struct access *access,
                               enum access_direction direction,
                               struct access_copy *copies,
                               unsigned int count)
{
    if (count != 0) {
        access->ops->copy(access, direction, copies, count);
    }
}

#endif
