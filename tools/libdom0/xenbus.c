/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * XenBus on top of libxenstore: typed reads, writes, states, errors.
 *
 * Talks to nothing else in the tree.  Invariants:
 *  1. A value is copied and bounded before it is looked at.
 *  2. A number is decimal digits only, without sign or space.
 *  3. No state is written into a directory that is gone.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "tools/libdom0/xenbus.h"

#define SWITCH_TRIES 32

static const char *const state_names[] = {
    [XenbusStateUnknown] = "Unknown",
    [XenbusStateInitialising] = "Initialising",
    [XenbusStateInitWait] = "InitWait",
    [XenbusStateInitialised] = "Initialised",
    [XenbusStateConnected] = "Connected",
    [XenbusStateClosing] = "Closing",
    [XenbusStateClosed] = "Closed",
    [XenbusStateReconfiguring] = "Reconfiguring",
    [XenbusStateReconfigured] = "Reconfigured",
};

bool xenbus_is_possible(void)
{
    return access("/dev/xen/xenbus", F_OK) == 0 ||
           access("/proc/xen/xenbus", F_OK) == 0 ||
           access(xs_daemon_socket(), F_OK) == 0;
}

static int join(char *path, const char *dir, const char *node)
{
    int length = snprintf(path, XENBUS_PATH_MAX, "%s%s%s", dir,
                          *dir != '\0' ? "/" : "", node);

    return length < XENBUS_PATH_MAX ? 0 : -ENAMETOOLONG;
}

int xenbus_read(struct xs_handle *xs, const char *dir, const char *node,
                char *text, size_t size)
{
    char path[XENBUS_PATH_MAX];
    unsigned int length;
    char *value;
    int error = join(path, dir, node);

    if (error != 0) {
        return error;
    }
    value = xs_read(xs, XBT_NULL, path, &length);
    if (value == NULL) {
        return errno != 0 ? -errno : -EIO;
    }
    if (length >= size) {
        error = -E2BIG;
    } else if (memchr(value, '\0', length) != NULL) {
        error = -EINVAL;
    } else {
        memcpy(text, value, length);
        text[length] = '\0';
    }
    free(value);
    return error;
}

int xenbus_domain_is_there(struct xs_handle *xs, unsigned int domid)
{
    errno = 0;
    return xs_is_domain_introduced(xs, domid) ? 1 : -errno;
}

static int parse_number(const char *text, unsigned long max,
                        unsigned long *value)
{
    unsigned long number = 0;

    if (*text == '\0') {
        return -EINVAL;
    }
    for (; *text != '\0'; text++) {
        unsigned long digit = (unsigned char)*text - '0';

        if (digit > 9 || digit > max || number > (max - digit) / 10) {
            return -EINVAL;
        }
        number = number * 10 + digit;
    }
    *value = number;
    return 0;
}

int xenbus_read_number(struct xs_handle *xs, const char *dir,
                       const char *node, unsigned long max,
                       unsigned long *value)
{
    char text[XENBUS_TEXT_MAX] = "";
    int error = xenbus_read(xs, dir, node, text, sizeof(text));

    return error != 0 ? error : parse_number(text, max, value);
}

bool xenbus_read_flag(struct xs_handle *xs, const char *dir,
                      const char *node, bool otherwise)
{
    unsigned long value;

    if (xenbus_read_number(xs, dir, node, 1, &value) != 0) {
        return otherwise;
    }
    return value != 0;
}

int xenbus_write(struct xs_handle *xs, const char *dir, const char *node,
                 const char *text)
{
    char path[XENBUS_PATH_MAX];
    int error = join(path, dir, node);

    if (error != 0) {
        return error;
    }
    if (!xs_write(xs, XBT_NULL, path, text, (unsigned int)strlen(text))) {
        return errno != 0 ? -errno : -EIO;
    }
    return 0;
}

int xenbus_write_number(struct xs_handle *xs, const char *dir,
                        const char *node, unsigned long value)
{
    char text[24];

    snprintf(text, sizeof(text), "%lu", value);
    return xenbus_write(xs, dir, node, text);
}

enum xenbus_state xenbus_read_state(struct xs_handle *xs, const char *dir)
{
    unsigned long value;

    if (xenbus_read_number(xs, dir, "state", XenbusStateReconfigured,
                           &value) != 0) {
        return XenbusStateUnknown;
    }
    return (enum xenbus_state)value;
}

int xenbus_switch_state(struct xs_handle *xs, const char *dir,
                        enum xenbus_state state)
{
    char path[XENBUS_PATH_MAX];
    char text[12];
    int error = join(path, dir, "state");

    if (error != 0) {
        return error;
    }
    snprintf(text, sizeof(text), "%d", (int)state);
    /* A transaction is begun again only when somebody else's won. */
    for (int i = 0; i < SWITCH_TRIES; i++) {
        xs_transaction_t t = xs_transaction_start(xs);
        unsigned int length;
        char *old;

        if (t == XBT_NULL) {
            return -errno;
        }
        old = xs_read(xs, t, path, &length);
        if (old == NULL) {
            xs_transaction_end(xs, t, true);
            return -ENOENT;
        }
        free(old);
        if (!xs_write(xs, t, path, text, (unsigned int)strlen(text))) {
            error = -errno;
            xs_transaction_end(xs, t, true);
            return error;
        }
        if (xs_transaction_end(xs, t, false)) {
            return 0;
        }
        if (errno != EAGAIN) {
            return -errno;
        }
    }
    return -EAGAIN;
}

void xenbus_write_error(struct xs_handle *xs, unsigned int own_domid,
                        const char *dir, int error, const char *text)
{
    char path[XENBUS_PATH_MAX];
    char line[XENBUS_PATH_MAX];
    const char *name = dir;

    /* /local/domain/<own>/backend/... is named without its domain. */
    for (int i = 0; i < 4 && name != NULL; i++) {
        name = strchr(name + (i > 0), '/');
    }
    if (name == NULL) {
        return;
    }
    if (snprintf(path, sizeof(path), "/local/domain/%u/error%s", own_domid,
                 name) >= (int)sizeof(path)) {
        return;
    }
    snprintf(line, sizeof(line), "%d %s", -error, text);
    (void)xenbus_write(xs, path, "error", line);
}

const char *xenbus_state_name(enum xenbus_state state)
{
    if ((unsigned int)state >
        sizeof(state_names) / sizeof(state_names[0]) - 1) {
        return "invalid";
    }
    return state_names[state];
}
