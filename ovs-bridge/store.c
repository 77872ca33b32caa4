/* SPDX-License-Identifier: GPL-2.0-only */

/* The connection to xenstored, on libxenstore, for watch.c.
 *
 * States:
 *
 *     closed --store_run(), once a STORE_RETRY_MS--> open, watching
 *        ^                                              |
 *        '------------- an answer other than ENOENT ----'
 *
 * Invariants:
 *
 * 1. 'xs' is open if and only if the watch on 'base' is set.
 *
 * 2. Requests wait for xenstored's answer: it is a local process that answers
 *    in microseconds and whose absence shows as an error.  libxenstore does
 *    not report a dead connection by its file descriptor, so that a request is
 *    made every STORE_PROBE_MS.
 *
 * 3. Every change to a vif's directory is a transaction that has seen the
 *    directory exist.  A transaction that meets another one is retried
 *    STORE_TRIES times, then left to the next turn of the main loop. */

#include "store.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <xen/io/xenbus.h>
#include <xenstore.h>

#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "timeval.h"
#include "util.h"
#include "vif.h"

VLOG_DEFINE_THIS_MODULE(store);

#define STORE_RETRY_MS 1000
#define STORE_PROBE_MS 5000
#define STORE_TRIES 8

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(6, 6);

static struct xs_handle *xs;    /* Null while closed. */
static char *home;              /* "/local/domain/<our domid>". */
static char *base;              /* HOME "/backend/vif". */
static long long int next_time; /* Of the next connect or probe. */

void
store_init(void)
{
    next_time = LLONG_MIN;
}

static void
close_store(void)
{
    if (xs) {
        xs_close(xs);
        xs = NULL;
    }
    next_time = time_msec() + STORE_RETRY_MS;
}

void
store_destroy(void)
{
    close_store();
    free(home);
    free(base);
    home = base = NULL;
}

/* Looks at 'errno' after a request for 'what' failed: anything but a missing
 * node means that the connection cannot be used any more. */
static void
check_error(const char *what)
{
    if (errno != ENOENT && errno != EAGAIN && errno != EACCES
        && errno != EINVAL) {
        VLOG_WARN_RL(&rl, "lost xenstored (%s: %s)",
                     what, ovs_strerror(errno));
        close_store();
    }
}

static bool
open_store(void)
{
    uint32_t domid = 0;
    char *s;

    next_time = time_msec() + STORE_RETRY_MS;
    xs = xs_open(0);
    if (!xs) {
        VLOG_WARN_RL(&rl, "cannot connect to xenstored (%s): is it running?",
                     ovs_strerror(errno));
        return false;
    }
    /* Relative to our own home, which is dom0's unless xenstored knows us as
     * a driver domain. */
    s = xs_read(xs, XBT_NULL, "domid", NULL);
    if (s && !vif_parse_id(s, VIF_DOMID_MAX, &domid)) {
        domid = 0;
    }
    free(s);

    free(home);
    free(base);
    home = xasprintf("/local/domain/%"PRIu32, domid);
    base = xasprintf("%s/backend/vif", home);
    if (!xs_watch(xs, base, "vif")) {
        VLOG_WARN_RL(&rl, "cannot watch %s (%s)", base, ovs_strerror(errno));
        close_store();
        return false;
    }
    next_time = time_msec() + STORE_PROBE_MS;
    VLOG_INFO("connected to xenstored, watching %s", base);
    return true;
}

/* Connects if there is no connection, or tests it now and then.  Returns true
 * if there is a new connection: all that was known must be read again. */
bool
store_run(void)
{
    if (time_msec() < next_time) {
        return false;
    }
    if (!xs) {
        return open_store();
    }
    next_time = time_msec() + STORE_PROBE_MS;
    free(store_read(home, "domid"));
    return false;
}

void
store_wait(void)
{
    if (xs) {
        poll_fd_wait(xs_fileno(xs), POLLIN);
    }
    poll_timer_wait_until(next_time);
}

bool
store_is_connected(void)
{
    return xs != NULL;
}

/* Returns the directory of all vifs of which we are the backend. */
const char *
store_base(void)
{
    return base;
}

/* Returns the directory of vif 'domid'/'devid'.  The caller frees it. */
char *
store_vif_dir(uint32_t domid, uint32_t devid)
{
    return xasprintf("%s/%"PRIu32"/%"PRIu32, base, domid, devid);
}

/* Returns the path of the next change, for the caller to free, or null. */
char *
store_next_event(void)
{
    char **event = xs ? xs_check_watch(xs) : NULL;
    char *path = NULL;

    if (event) {
        path = xstrdup(event[XS_WATCH_PATH]);
        free(event);
    } else if (xs && errno != EAGAIN) {
        check_error("watch");
    }
    return path;
}

static char *
read_node(xs_transaction_t t, const char *dir, const char *key)
{
    char *path = xasprintf("%s/%s", dir, key);
    char *value = xs_read(xs, t, path, NULL);

    if (!value) {
        check_error(path);
    }
    free(path);
    return value;
}

/* Returns the value of 'dir'/'key', for the caller to free, or null. */
char *
store_read(const char *dir, const char *key)
{
    return xs ? read_node(XBT_NULL, dir, key) : NULL;
}

/* Returns the '*n' names in 'dir', or in 'dir'/'sub' if 'sub' is not null, as
 * one block for the caller to free; or null. */
char **
store_list(const char *dir, const char *sub, unsigned int *n)
{
    char *path = sub ? xasprintf("%s/%s", dir, sub) : xstrdup(dir);
    char **names = xs ? xs_directory(xs, XBT_NULL, path, n) : NULL;

    if (!names) {
        *n = 0;
        if (xs) {
            check_error(path);
        }
    }
    free(path);
    return names;
}

static bool
write_node(xs_transaction_t t, const char *dir, const char *key,
           const char *value)
{
    char *path = xasprintf("%s/%s", dir, key);
    bool ok = xs && xs_write(xs, t, path, value, strlen(value));

    free(path);
    return ok;
}

/* Removes 'dir'/'key'; that it was not there is no failure. */
static bool
remove_node(xs_transaction_t t, const char *dir, const char *key)
{
    char *path = xasprintf("%s/%s", dir, key);
    bool ok = xs && (xs_rm(xs, t, path) || errno == ENOENT);

    free(path);
    return ok;
}

/* Returns the number in 'dir'/'key', or -1 if there is none. */
static int
read_number(xs_transaction_t t, const char *dir, const char *key)
{
    char *s = xs ? read_node(t, dir, key) : NULL;
    uint32_t n;
    int value = s && vif_parse_id(s, INT32_MAX, &n) ? (int) n : -1;

    free(s);
    return value;
}

/* A change to a vif's directory. */
struct change {
    uint32_t domid, devid;
    const char *status;         /* gantry-status, or null: set Closed. */
    const char *error;          /* gantry-error, or null for none. */
};

static char *
error_dir(const struct change *c)
{
    return xasprintf("%s/error/backend/vif/%"PRIu32"/%"PRIu32,
                     home, c->domid, c->devid);
}

/* Makes change 'c' to 'dir' within transaction 't'.  Returns false if it does
 * not apply any more. */
static bool
apply_verdict(xs_transaction_t t, const char *dir, const struct change *c)
{
    int state = read_number(t, dir, "state");
    char *err_dir;
    bool ok;

    if (state < 0 || read_number(t, dir, "frontend-id") < 0) {
        return false;
    }
    err_dir = error_dir(c);
    if (c->error) {
        ok = write_node(t, dir, "gantry-error", c->error)
            && write_node(t, err_dir, "error", c->error);
        if (state < XenbusStateInitWait
            && read_number(t, dir, "online") == 1) {
            ok = ok && write_node(t, dir, "state", "2");
        }
    } else {
        ok = remove_node(t, dir, "gantry-error")
            && remove_node(t, err_dir, "error");
    }
    free(err_dir);
    return ok && write_node(t, dir, "gantry-status", c->status);
}

static bool
apply_closed(xs_transaction_t t, const char *dir)
{
    return read_number(t, dir, "state") == XenbusStateClosing
        && read_number(t, dir, "online") == 0
        && write_node(t, dir, "state", "6");
}

/* Makes change 'c' in one transaction.  Returns true if it was made. */
static bool
commit_change(const struct change *c)
{
    char *dir;
    int i;
    bool done = false;

    if (!xs) {
        return false;
    }
    dir = store_vif_dir(c->domid, c->devid);
    for (i = 0; i < STORE_TRIES && xs; i++) {
        xs_transaction_t t = xs_transaction_start(xs);
        bool ok;

        if (t == XBT_NULL) {
            check_error("transaction");
            break;
        }
        ok = c->status ? apply_verdict(t, dir, c) : apply_closed(t, dir);
        if (!xs) {
            break;
        }
        done = xs_transaction_end(xs, t, !ok) && ok;
        if (done || !ok || errno != EAGAIN) {
            break;
        }
    }
    free(dir);
    return done;
}

/* Writes for vif 'domid'/'devid' the outcome 'status' and its reason 'error',
 * or null if all is well.  With a reason, brings the vif to state InitWait if
 * it has not come so far.  Returns false if nothing was written. */
bool
store_write_verdict(uint32_t domid, uint32_t devid,
                    const char *status, const char *error)
{
    struct change c = { domid, devid, status, error };

    return commit_change(&c);
}

/* Brings vif 'domid'/'devid' from state Closing to Closed.  Returns false if
 * it is not in that state. */
bool
store_write_closed(uint32_t domid, uint32_t devid)
{
    struct change c = { .domid = domid, .devid = devid };

    return commit_change(&c);
}

/* Returns what stands about vif 'domid'/'devid' among the errors, for the
 * caller to free, or null. */
char *
store_read_error(uint32_t domid, uint32_t devid)
{
    struct change c = { .domid = domid, .devid = devid };
    char *dir, *error;

    if (!xs) {
        return NULL;
    }
    dir = error_dir(&c);
    error = store_read(dir, "error");
    free(dir);
    return error;
}

/* Removes what stands about vif 'domid'/'devid' among the errors. */
void
store_remove_error(uint32_t domid, uint32_t devid)
{
    struct change c = { .domid = domid, .devid = devid };
    char *dir, *parent, *name;
    unsigned int n;

    if (!xs) {
        return;
    }
    dir = error_dir(&c);
    xs_rm(xs, XBT_NULL, dir);
    free(dir);

    parent = xasprintf("%s/error/backend/vif", home);
    name = xasprintf("%"PRIu32, domid);
    free(store_list(parent, name, &n));
    if (!n && xs) {
        remove_node(XBT_NULL, parent, name);
    }
    free(name);
    free(parent);
}
