/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reading and writing a device's XenStore nodes, and its XenBus state.
 *
 * Nodes below a frontend are written by the guest: every value is bounded
 * and parsed strictly.  dir is a path without a slash at its end, node a
 * name relative to it; an empty dir stands for the own domain's.  All
 * functions may block on xenstored; none is for a packet thread.
 */
#ifndef LIBDOM0_XENBUS_H
#define LIBDOM0_XENBUS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>

#include <xen/io/xenbus.h>
#include <xenstore.h>

#define XENBUS_PATH_MAX 256         /* bytes, with the final NUL */
#define XENBUS_TEXT_MAX 128         /* bytes of a value, with the NUL */

/* Is there a way to xenstored from here at all? */
bool xenbus_is_possible(void);

/*
 * 1: the domain is there, 0: it is gone or dying; -EACCES: xenstored tells
 * that to the privileged only, and we are a driver domain.
 */
int xenbus_domain_is_there(struct xs_handle *xs, unsigned int domid);

/*
 * -ENOENT: no such node; -EINVAL: a NUL inside; -E2BIG: too long.  Other
 * errors: xenstored did not answer, or not that.
 */
int xenbus_read(struct xs_handle *xs, const char *dir, const char *node,
                char *text, size_t size);

/* A decimal number of at most max; -ENOENT, -EINVAL. */
int xenbus_read_number(struct xs_handle *xs, const char *dir,
                       const char *node, unsigned long max,
                       unsigned long *value);

/* Did xenstored say what there is, or that there is nothing of use? */
static inline bool xenbus_was_answered(int error)
{
    return error == 0 || error == -ENOENT || error == -EINVAL ||
           error == -E2BIG;
}

/* A flag, 0 or 1; absent or malformed counts as otherwise. */
bool xenbus_read_flag(struct xs_handle *xs, const char *dir,
                      const char *node, bool otherwise);

int xenbus_write(struct xs_handle *xs, const char *dir, const char *node,
                 const char *text);
int xenbus_write_number(struct xs_handle *xs, const char *dir,
                        const char *node, unsigned long value);

/* XenbusStateUnknown when there is no state, or no valid one. */
enum xenbus_state xenbus_read_state(struct xs_handle *xs, const char *dir);

/*
 * Set the state, if dir still is there: a state written into a removed
 * directory would bring it back.  -ENOENT then.
 */
int xenbus_switch_state(struct xs_handle *xs, const char *dir,
                        enum xenbus_state state);

/*
 * Record a device's error where Linux's XenBus does: in the error/
 * directory of the own domain.  dir is the device's absolute path.
 */
void xenbus_write_error(struct xs_handle *xs, unsigned int own_domid,
                        const char *dir, int error, const char *text);

const char *xenbus_state_name(enum xenbus_state state);

#endif
