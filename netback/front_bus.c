/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The life of a front whose backend is another domain: XenBus, from the
 * frontend's side.
 *
 * front_bus_update() may be called at any time and any number of times; it
 * reads the nodes and takes the next step.  Talks to front.c, front_xen.c
 * and libdom0.
 *
 *             backend InitWait, after our Initialising: connect()
 *   WAITING ----------------------------------------------> CONNECTING
 *     ^                                                       |
 *     | 1 s later, if the toolstack      backend Connected:   v
 *     | wants the device                 front_open()      CONNECTED
 *     |                                                       |
 *   CLOSED <------- backend Closing or Closed, or starting ---+
 *     ^             anew: shut()                              |
 *     '------------- it broke a ring: fail() -----------------'
 *
 *   any --- the device's directory is gone: lose() ---> GONE
 *   any --- it names another backend: leave_backend() ---> WAITING
 *
 * Invariants:
 *  1. Nodes are written before the state that publishes them, and those of
 *     a driver before us removed before anything is said.
 *  2. A state of the backend counts only after our Initialising: before it,
 *     it was an answer to somebody else.
 *  3. While the kernel's driver has the device, nothing is written.
 *  4. A backend that broke a ring is left alone until it starts anew, or
 *     the port does.
 *  5. What xenstored does not answer means nothing.
 *  6. Who leaves the device waits for the backend to leave it too, for a
 *     while: the next driver would take an end that is still to come for its
 *     own, as Linux's does.  This process' other fronts wait as well.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "netback/clock.h"
#include "netback/front.h"
#include "netback/front_log.h"
#include "netback/front_xen.h"
#include "tools/libdom0/xenbus.h"

#define AGAIN_MS 1000u
#define LEAVE_MS 5000u              /* for a backend to let go, as Linux's */
#define LEAVE_LOOK_MS 10

/* The toolstack has another one for us, which knows nothing of our link. */
static void leave_backend(struct front *front)
{
    if (front->link != NULL) {
        FRONT_LOG(NOTICE, front->name, "another backend has the device");
        front_close(front);
    }
    front->announced = false;
    front->life = FRONT_WAITING;
}

/* 0; -ENOENT: there is no such device; others: xenstored did not answer. */
static int look(struct front *front, struct xs_handle *xs)
{
    unsigned long domid;
    char token[16], path[XENBUS_TEXT_MAX];
    int error;

    snprintf(token, sizeof(token), "%u", front->member.id);
    if (!front->watched) {
        front->watched = xs_watch(xs, front->device, token);
    }
    error = xenbus_read(xs, front->device, "backend", path, sizeof(path));
    if (error == 0) {
        error = xenbus_read_number(xs, front->device, "backend-id",
                                   DOMID_FIRST_RESERVED - 1, &domid);
    }
    if (error != 0) {
        return xenbus_was_answered(error) ? -ENOENT : error;
    }
    if (path[0] == '\0' || strlen(path) >= sizeof(front->backend)) {
        return -ENOENT;
    }
    if (strcmp(path, front->backend) != 0) {
        if (front->backend[0] != '\0') {
            xs_unwatch(xs, front->backend, token);
            leave_backend(front);
        }
        strcpy(front->backend, path);
        xs_watch(xs, front->backend, token);
    }
    front->backend_domid = (unsigned int)domid;
    return 0;
}

/* False: xenstored did not answer. */
static bool read_backend(const struct front *front, struct xs_handle *xs,
                         enum xenbus_state *state)
{
    unsigned long value = XenbusStateUnknown;
    int error = xenbus_read_number(xs, front->backend, "state",
                                   XenbusStateReconfigured, &value);

    *state = (enum xenbus_state)value;
    return xenbus_was_answered(error);
}

static void switch_state(struct front *front, struct xs_handle *xs,
                         enum xenbus_state state)
{
    int error = xenbus_switch_state(xs, front->device, state);

    if (error != 0 && error != -ENOENT) {
        FRONT_LOG(WARNING, front->name, "cannot write state %s: %s",
                  xenbus_state_name(state), strerror(-error));
    }
}

/* What an earlier driver left and what would contradict ours; or of ours what
 * would contradict the next, as a control ring does Linux's. */
static void remove_stale(struct front *front, struct xs_handle *xs)
{
    static const char *const stale[] = {
        "event-channel", "event-channel-tx", "event-channel-rx",
        "tx-ring-ref", "rx-ring-ref", "multi-queue-num-queues",
        "ctrl-ring-ref", "event-channel-ctrl",
    };
    char path[XENBUS_PATH_MAX];

    for (unsigned int i = 0; i < RTE_DIM(stale); i++) {
        snprintf(path, sizeof(path), "%s/%s", front->device, stale[i]);
        xs_rm(xs, XBT_NULL, path);
    }
    for (unsigned int i = 0; i < FRONT_QUEUES_MAX; i++) {
        snprintf(path, sizeof(path), "%s/queue-%u", front->device, i);
        xs_rm(xs, XBT_NULL, path);
    }
}

/* Before -> WAITING */
static void announce(struct front *front, struct xs_handle *xs)
{
    front_static_end(front);
    front_close(front);
    remove_stale(front, xs);
    switch_state(front, xs, XenbusStateInitialising);
    front->announced = true;
    front->life = FRONT_WAITING;
}

/* -> CLOSED */
static void shut(struct front *front, struct xs_handle *xs)
{
    switch_state(front, xs, XenbusStateClosed);
    front_close(front);
    front->life = FRONT_CLOSED;
    front->closed_ms = clock_ms();
}

static void fail(struct front *front, struct xs_handle *xs, const char *why)
{
    front_complain(front, why);
    shut(front, xs);
}

static void lose(struct front *front)
{
    if (front->life != FRONT_GONE) {
        FRONT_LOG(NOTICE, front->name, "there is no %s in XenStore (any "
                  "more)", front->device);
    }
    front_close(front);
    front->announced = false;
    front->life = FRONT_GONE;
}

static int write_numbers(struct xs_handle *xs, const char *dir,
                         const struct front_node *nodes, unsigned int count)
{
    int error = 0;

    for (unsigned int i = 0; i < count && error == 0; i++) {
        error = xenbus_write_number(xs, dir, nodes[i].name, nodes[i].value);
    }
    return error;
}

static int publish(struct front *front, struct xs_handle *xs,
                   const struct front_wish *wish)
{
    const struct front_node features[] = {
        { "request-rx-copy", 1 },
        { "feature-rx-notify", 1 },
        { "feature-no-csum-offload", 0 },
        { "feature-ipv6-csum-offload", 1 },
        { "feature-sg", wish->scatter || wish->lro },
        { "feature-gso-tcpv4", wish->lro },
        { "feature-gso-tcpv6", wish->lro },
    };
    struct front_node nodes[FRONT_XEN_NODES];
    uint16_t queues = front->link->queue_count;
    char dir[FRONT_PATH_MAX + 16];
    int error;

    error = write_numbers(xs, front->device, features, RTE_DIM(features));
    if (error == 0 && queues > 1) {
        error = xenbus_write_number(xs, front->device,
                                    "multi-queue-num-queues", queues);
    }
    if (error == 0) {
        error = write_numbers(xs, front->device, nodes,
                              front_xen_ctrl_nodes(front->link, nodes));
    }
    for (unsigned int i = 0; i < queues && error == 0; i++) {
        unsigned int count = front_xen_nodes(front->link, i, nodes);

        if (queues > 1) {
            snprintf(dir, sizeof(dir), "%s/queue-%u", front->device, i);
        } else {
            snprintf(dir, sizeof(dir), "%s", front->device);
        }
        error = write_numbers(xs, dir, nodes, count);
    }
    return error;
}

static void read_takes(struct front *front, struct xs_handle *xs,
                       struct front_link *link)
{
    const char *dir = front->backend;

    link->linear = !xenbus_read_flag(xs, dir, "feature-sg", false);
    link->takes = (struct burst_takes){
        .csum_ipv4 = true,
        .csum_ipv6 = xenbus_read_flag(xs, dir, "feature-ipv6-csum-offload",
                                      false),
        .gso_tcpv4 = xenbus_read_flag(xs, dir, "feature-gso-tcpv4", false),
        .gso_tcpv6 = xenbus_read_flag(xs, dir, "feature-gso-tcpv6", false),
    };
}

/* WAITING -> CONNECTING */
static void connect(struct front *front, struct xs_handle *xs)
{
    struct front_xen_peer peer = {
        .domid = (uint16_t)front->backend_domid,
        .split = xenbus_read_flag(xs, front->backend,
                                  "feature-split-event-channels", false),
        .ctrl = xenbus_read_flag(xs, front->backend, "feature-ctrl-ring",
                                 false),
    };
    unsigned long queues_max = 1;
    struct front_wish wish;
    const char *why = "the backend does not copy (feature-rx-copy)";

    if (!xenbus_read_flag(xs, front->backend, "feature-rx-copy", false)) {
        fail(front, xs, why);
        return;
    }
    (void)xenbus_read_number(xs, front->backend, "multi-queue-max-queues",
                             UINT16_MAX, &queues_max);
    front_get_wish(front, &wish);
    if (queues_max != 0 && wish.queues > queues_max) {
        wish.queues = (uint16_t)queues_max;
    }
    front->link = front_xen_create(&peer, &wish, &why);
    if (front->link == NULL) {
        fail(front, xs, why);
        return;
    }
    read_takes(front, xs, front->link);
    if (publish(front, xs, &wish) != 0) {
        fail(front, xs, "cannot write its nodes to XenStore");
        return;
    }
    front->life = FRONT_CONNECTING;
    switch_state(front, xs, XenbusStateConnected);
}

/* The backend has forgotten us: a new one, or the same that began again. */
static void start_anew(struct front *front, struct xs_handle *xs)
{
    if (front->link != NULL) {
        FRONT_LOG(NOTICE, front->name, "the backend starts anew");
        shut(front, xs);
    }
}

/* The backend's part in a front's life. */
static void follow_backend(struct front *front, struct xs_handle *xs,
                           enum xenbus_state backend)
{
    switch (backend) {
    case XenbusStateInitialising:
        start_anew(front, xs);
        break;
    case XenbusStateInitWait:
        if (front->life == FRONT_WAITING) {
            connect(front, xs);
        } else if (front->life == FRONT_CONNECTED) {
            start_anew(front, xs);
        }
        break;
    case XenbusStateConnected:
        if (front->life == FRONT_CONNECTING) {
            front_open(front, front->link);
        }
        if (front->life == FRONT_CONNECTED) {
            front_set_link(front, xenbus_read_flag(xs, front->backend,
                                                   "carrier", true));
        }
        break;
    case XenbusStateClosing:
    case XenbusStateClosed:
    case XenbusStateUnknown:
        if (front->link != NULL) {
            FRONT_LOG(NOTICE, front->name, "the backend has closed");
            shut(front, xs);
        }
        break;
    default:
        break;
    }
}

/* CLOSED: a second later, a device that is wanted is offered again. */
static bool may_begin_again(const struct front *front, struct xs_handle *xs,
                            enum xenbus_state backend)
{
    bool broke = __atomic_load_n(&front->broken, __ATOMIC_ACQUIRE) != NULL;

    if (clock_ms() - front->closed_ms < AGAIN_MS) {
        return false;
    }
    return (backend == XenbusStateInitWait ||
            (backend == XenbusStateClosed && !broke)) &&
           xenbus_read_flag(xs, front->backend, "online", true);
}

/* Not ours yet: is it free? */
static bool is_free(struct front *front)
{
    static const char complaint[] = "held by the kernel";
    char driver[FRONT_NAME_MAX];

    if (!front_xen_kernel_has(front->config.handle, driver,
                              sizeof(driver))) {
        return true;
    }
    if (front->complained != complaint) {
        FRONT_LOG(WARNING, front->name, "waits for the kernel's driver to "
                  "let go: " FRONT_XEN_UNBIND, front->config.handle, driver);
        front->complained = complaint;
    }
    return false;
}

void front_bus_update(struct front *front, struct xs_handle *xs)
{
    const char *broken = __atomic_load_n(&front->broken, __ATOMIC_ACQUIRE);
    enum xenbus_state backend;
    int error = look(front, xs);

    if (error == -ENOENT) {
        lose(front);
    }
    if (error != 0) {
        return;
    }
    if (front->life == FRONT_CONNECTED && broken != NULL) {
        fail(front, xs, broken);
    }
    if (!front->announced) {
        if (is_free(front)) {
            announce(front, xs);
        }
        return;
    }
    if (!read_backend(front, xs, &backend)) {
        return;
    }
    if (front->life != FRONT_CLOSED) {
        follow_backend(front, xs, backend);
    } else if (may_begin_again(front, xs, backend)) {
        announce(front, xs);
    }
}

static void await_backend(const struct front *front, struct xs_handle *xs)
{
    uint64_t end = clock_ms() + LEAVE_MS;
    enum xenbus_state backend;

    while (read_backend(front, xs, &backend) &&
           (backend == XenbusStateConnected ||
            backend == XenbusStateClosing) && clock_ms() < end) {
        (void)poll(NULL, 0, LEAVE_LOOK_MS);
    }
}

void front_bus_release(struct front *front, struct xs_handle *xs)
{
    char token[16];

    if (xs == NULL) {
        return;
    }
    snprintf(token, sizeof(token), "%u", front->member.id);
    if (front->watched) {
        xs_unwatch(xs, front->device, token);
    }
    if (front->backend[0] != '\0') {
        xs_unwatch(xs, front->backend, token);
    }
    if (front->announced) {
        front_static_end(front);
        remove_stale(front, xs);
        switch_state(front, xs, XenbusStateClosed);
        await_backend(front, xs);
    }
}
