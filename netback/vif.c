/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The life of a vif: what the nodes in XenStore say, and what we answer.
 *
 * vif_update() may be called at any time and any number of times; it reads
 * the nodes and takes the steps that lead from where we are to where they
 * say.  Talks to vif_queue (queues), control (its thread), libdom0.
 *
 *            backend directory appears: offer()
 *   ABSENT ------------------------------------> WAITING
 *                                               |     ^
 *                 frontend Initialised or       |     | frontend
 *                 Connected: connect()          |     | Initialising
 *                                               v     | again: offer()
 *          BROKEN <--- ring fatal: fail() --- CONNECTED
 *            |                                  |
 *            | frontend Closing, Closed or gone,|
 *            v or backend told to close         v
 *          CLOSED <-------- shut() -------------+
 *
 *   ABSENT --- the kernel's driver has it: offer() ---> HELD
 *   any --- backend directory or domain gone, or the directory made again:
 *           lose() ---> ABSENT
 *
 * Invariants:
 *  1. XenStore writes follow the data path: Connected is written after the
 *     gates are open, Closed after all is unmapped.
 *  2. A frontend that is Connected while we are Connected (the switch was
 *     restarted) is joined where its rings stand, with no change of state.
 *  3. One line is logged for each change, none for a repetition.
 *  4. A port is for two numbers, so it outlives device and guest: what comes
 *     by the same numbers later (a soft reset keeps them) is served as new.
 *  5. Into a directory that the kernel's driver has, nothing is written.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netback/vif.h"
#include "netback/vif_log.h"
#include "tools/libdom0/dom0.h"
#include "tools/libdom0/xenbus.h"

RTE_LOG_REGISTER_DEFAULT(vif_logtype, NOTICE);

/* What XenStore says now. */
struct vif_view {
    bool domain;                /* the domain is there and not dying */
    bool directory;             /* the backend directory is there */
    bool online;                /* the toolstack wants the device */
    enum xenbus_state backend;
    enum xenbus_state frontend;
};

static void tell(struct vif *vif, bool link, bool queues_changed)
{
    bool changed = vif->link != link || queues_changed;

    __atomic_store_n(&vif->link, link, __ATOMIC_RELEASE);
    if (changed) {
        vif->config.changed(vif->config.owner, link, queues_changed);
    }
}

void vif_break(void *vif_pointer, const char *why)
{
    struct vif *vif = vif_pointer;

    __atomic_store_n(&vif->broken, why, __ATOMIC_RELEASE);
    control_kick();
}

static void vif_prepare(struct vif *vif)
{
    snprintf(vif->name, sizeof(vif->name), "vif%u.%u", vif->config.domid,
             vif->config.handle);
    for (unsigned int i = 0; i < VIF_QUEUES_MAX; i++) {
        struct vif_queue *q = &vif->queues[i];

        q->tx_port = q->rx_port = -1;
        q->from.frame_max = VIF_FRAME_ANY;
        q->from.owner = vif->config.owner;
        q->from.broken = q->to.broken = vif_break;
        q->from.vif = q->to.vif = vif;
    }
}

struct vif *vif_create(const struct vif_config *config)
{
    struct vif *vif = NULL;
    int error;

    error = posix_memalign((void **)&vif, RTE_CACHE_LINE_SIZE,
                           sizeof(*vif));
    if (error != 0) {
        errno = error;
        return NULL;
    }
    memset(vif, 0, sizeof(*vif));
    vif->config = *config;
    vif->told_queues = 1;
    wake_init(&vif->wake);
    vif_prepare(vif);
    return vif;
}

int vif_start(struct vif *vif, bool tso, uint32_t frame_max)
{
    int error;

    if (!vif->started) {
        vif->config.tso = tso;
    }
    if (vif->config.tso) {
        frame_max = VIF_FRAME_ANY;
    }
    for (unsigned int i = 0; i < VIF_QUEUES_MAX; i++) {
        __atomic_store_n(&vif->queues[i].from.frame_max, frame_max,
                         __ATOMIC_RELAXED);
    }
    __atomic_store_n(&vif->sg, vif->config.tso || frame_max != VIF_FRAME_ANY,
                     __ATOMIC_RELAXED);
    if (vif->started) {
        return 0;
    }
    error = control_add(&vif->member);
    vif->started = error == 0;
    return error;
}

void vif_destroy(struct vif *vif)
{
    if (vif->started) {
        control_remove(&vif->member);
    } else {
        wake_destroy(&vif->wake);
        free(vif);
    }
}

/* Find our directory and the frontend's; false: not there (yet). */
static bool find_paths(struct vif *vif, struct xs_handle *xs)
{
    char expected[VIF_PATH_MAX];
    unsigned long domid;

    if (xenbus_read_number(xs, vif->backend, "frontend-id", UINT16_MAX,
                           &domid) != 0 ||
        domid != vif->config.domid ||
        xenbus_read(xs, vif->backend, "frontend", vif->frontend,
                    sizeof(vif->frontend)) != 0) {
        return false;
    }
    snprintf(expected, sizeof(expected), "/local/domain/%u/",
             vif->config.domid);
    return strncmp(vif->frontend, expected, strlen(expected)) == 0;
}

static void watch(struct vif *vif, struct xs_handle *xs)
{
    char path[VIF_PATH_MAX + 8];
    char token[12];

    snprintf(token, sizeof(token), "%u", vif->member.id);
    if (!vif->watched) {
        unsigned long own = 0;

        /* Absent in a dom0 that never got its own number: it is 0. */
        (void)xenbus_read_number(xs, "", "domid", UINT16_MAX, &own);
        vif->own_domid = (unsigned int)own;
        snprintf(vif->backend, sizeof(vif->backend),
                 "/local/domain/%u/backend/vif/%u/%u", vif->own_domid,
                 vif->config.domid, vif->config.handle);
        vif->watched = xs_watch(xs, vif->backend, token);
    }
    if (!vif->frontend_watched && find_paths(vif, xs)) {
        snprintf(path, sizeof(path), "%s/state", vif->frontend);
        vif->frontend_watched = xs_watch(xs, path, token);
    }
}

static void unwatch(struct vif *vif, struct xs_handle *xs)
{
    char path[VIF_PATH_MAX + 8];
    char token[12];

    snprintf(token, sizeof(token), "%u", vif->member.id);
    if (vif->watched) {
        xs_unwatch(xs, vif->backend, token);
        vif->watched = false;
    }
    if (vif->frontend_watched) {
        snprintf(path, sizeof(path), "%s/state", vif->frontend);
        xs_unwatch(xs, path, token);
        vif->frontend_watched = false;
    }
}

/*
 * False: xenstored did not answer, so nothing is known.  That is asked last:
 * what it did not answer before looked like nodes that are not there.
 */
static bool look(struct vif *vif, struct xs_handle *xs,
                 struct vif_view *view)
{
    unsigned long domid;
    int there;

    memset(view, 0, sizeof(*view));
    view->directory = xenbus_read_number(xs, vif->backend, "frontend-id",
                                         UINT16_MAX, &domid) == 0;
    view->online = xenbus_read_flag(xs, vif->backend, "online", true);
    view->backend = xenbus_read_state(xs, vif->backend);
    if (vif->frontend_watched) {
        view->frontend = xenbus_read_state(xs, vif->frontend);
    }
    there = xenbus_domain_is_there(xs, vif->config.domid);
    view->domain = there != 0;      /* a driver domain has the directory */
    return there >= 0 || there == -EACCES;
}

static void switch_state(struct vif *vif, struct xs_handle *xs,
                         enum xenbus_state state)
{
    int error = xenbus_switch_state(xs, vif->backend, state);

    if (error != 0 && error != -ENOENT) {
        VIF_LOG(WARNING, vif->name, "cannot write state %s: %s",
                xenbus_state_name(state), strerror(-error));
    }
}

static void write_features(struct vif *vif, struct xs_handle *xs)
{
    const struct {
        const char *node;
        unsigned int value;
    } nodes[] = {
        { "feature-rx-copy", 1 },
        { "feature-rx-flip", 0 },
        { "feature-split-event-channels", 1 },
        { "multi-queue-max-queues", vif->config.queues },
        { "feature-ipv6-csum-offload", 1 },
        { "feature-sg", __atomic_load_n(&vif->sg, __ATOMIC_RELAXED) },
        { "feature-gso-tcpv4", vif->config.tso },
        { "feature-gso-tcpv6", vif->config.tso },
        { "feature-multicast-control", 0 },
        { "feature-ctrl-ring", 1 },
    };

    for (size_t i = 0; i < RTE_DIM(nodes); i++) {
        int error = xenbus_write_number(xs, vif->backend, nodes[i].node,
                                        nodes[i].value);

        if (error != 0) {
            VIF_LOG(WARNING, vif->name, "cannot write %s: %s",
                    nodes[i].node, strerror(-error));
            return;
        }
    }
}

/* -> WAITING */
static void offer(struct vif *vif, struct xs_handle *xs)
{
    char driver[VIF_NAME_MAX];

    if (dom0_kernel_has_vif(vif->config.domid, vif->config.handle, driver,
                            sizeof(driver))) {
        VIF_LOG(WARNING, vif->name, "the kernel's driver %s holds it: "
                "unload that driver, then create the port again", driver);
        vif->life = VIF_HELD;
        return;
    }
    __atomic_store_n(&vif->broken, NULL, __ATOMIC_RELEASE);
    vif->joined = vif->busy = false;
    write_features(vif, xs);
    switch_state(vif, xs, XenbusStateInitWait);
    VIF_LOG(INFO, vif->name, "offered to the guest");
    vif->life = VIF_WAITING;
}

static void report_error(struct vif *vif, struct xs_handle *xs, int error,
                         const char *why)
{
    VIF_LOG(WARNING, vif->name, "disabled: %s", why);
    xenbus_write_error(xs, vif->own_domid, vif->backend, error, why);
}

/* CONNECTED -> BROKEN: this vif only, until its frontend starts anew. */
static void fail(struct vif *vif, struct xs_handle *xs, int error,
                 const char *why)
{
    vif_queues_disconnect(vif);
    report_error(vif, xs, error, why);
    switch_state(vif, xs, XenbusStateClosing);
    vif->life = VIF_BROKEN;
    tell(vif, false, false);
}

/* For a person: which way the guest's memory is reached, and why. */
static void write_access(struct vif *vif, struct xs_handle *xs)
{
    char text[XENBUS_TEXT_MAX];

    snprintf(text, sizeof(text), "%s%s%s",
             vif->window != NULL ? "direct" : "copy",
             vif->no_window != NULL ? ": " : "",
             vif->no_window != NULL ? vif->no_window : "");
    (void)xenbus_write(xs, vif->backend, "gantry-access", text);
}

/* WAITING -> CONNECTED */
static void connect(struct vif *vif, struct xs_handle *xs)
{
    unsigned int before = vif->told_queues;
    char mac[XENBUS_TEXT_MAX];
    const char *why = "";
    int error;

    if (!xenbus_read_flag(xs, vif->frontend, "request-rx-copy", false)) {
        fail(vif, xs, -EOPNOTSUPP, "the frontend does not ask for rx-copy");
        return;
    }
    error = vif_queues_connect(vif, xs, &why);
    if (error == -EBUSY) {
        if (!vif->busy) {
            VIF_LOG(WARNING, vif->name, "waits: %s", why);
        }
        vif->busy = true;
        return;
    }
    vif->busy = false;
    if (error != 0) {
        fail(vif, xs, error, why);
        return;
    }
    write_access(vif, xs);
    switch_state(vif, xs, XenbusStateConnected);
    vif->life = VIF_CONNECTED;
    vif->told_queues = vif->queue_count;
    if (xenbus_read(xs, vif->backend, "mac", mac, sizeof(mac)) != 0) {
        snprintf(mac, sizeof(mac), "none");
    }
    VIF_LOG(NOTICE, vif->name, "connected: %u queue%s, guest's MAC %s, by %s"
            "%s%s", vif->queue_count, vif->queue_count == 1 ? "" : "s", mac,
            vif->queues[0].from.access->ops->name,
            vif->no_window != NULL ? ": " : "",
            vif->no_window != NULL ? vif->no_window : "");
    tell(vif, true, before != vif->queue_count);
}

/* -> CLOSED; state is Closing or Closed, as the frontend's. */
static void shut(struct vif *vif, struct xs_handle *xs,
                 enum xenbus_state state)
{
    bool was_closed = vif->life == VIF_CLOSED;

    vif->busy = false;
    vif_queues_disconnect(vif);
    switch_state(vif, xs, state);
    vif->life = VIF_CLOSED;
    if (!was_closed) {
        VIF_LOG(NOTICE, vif->name, "closed");
    }
    tell(vif, false, false);
}

/* -> ABSENT; state is what it leaves, or Unknown: nothing. */
static void lose(struct vif *vif, struct xs_handle *xs,
                 enum xenbus_state state, const char *what)
{
    vif->busy = false;
    vif_queues_disconnect(vif);
    if (state != XenbusStateUnknown) {
        switch_state(vif, xs, state);
    }
    vif->life = VIF_ABSENT;
    vif->told = XenbusStateUnknown;
    VIF_LOG(NOTICE, vif->name, "%s", what);
    tell(vif, false, false);
}

/* The frontend's part in a vif's life. */
static void follow_frontend(struct vif *vif, struct xs_handle *xs,
                            const struct vif_view *view)
{
    bool news = vif->told != view->frontend;

    vif->told = view->frontend;
    switch (view->frontend) {
    case XenbusStateInitialising:
        if (vif->life == VIF_CONNECTED) {
            shut(vif, xs, XenbusStateClosed);
        }
        if (vif->life != VIF_WAITING && news && view->online) {
            offer(vif, xs);
        }
        break;
    case XenbusStateInitialised:
    case XenbusStateConnected:
        if (vif->life == VIF_WAITING) {
            connect(vif, xs);
        }
        break;
    case XenbusStateClosing:
        if (news) {
            shut(vif, xs, XenbusStateClosing);
        }
        break;
    case XenbusStateClosed:
    case XenbusStateUnknown:
        if (news) {
            shut(vif, xs, XenbusStateClosed);
        }
        break;
    default:
        break;
    }
}

static bool is_closing(enum xenbus_state state)
{
    return state == XenbusStateClosing || state == XenbusStateClosed;
}

/*
 * Has a driver before us offered it, and the frontend taken that?  Killed
 * before it wrote Connected, it may have opened the rings all the same.
 */
static bool may_join(const struct vif *vif, struct xs_handle *xs,
                     const struct vif_view *view)
{
    if (view->frontend != XenbusStateConnected &&
        view->frontend != XenbusStateInitialised) {
        return false;
    }
    return view->backend == XenbusStateConnected ||
           (view->backend == XenbusStateInitWait &&
            xenbus_read_flag(xs, vif->backend, "feature-rx-copy", false));
}

/* ABSENT: the first look at a directory that is there. */
static void start(struct vif *vif, struct xs_handle *xs,
                  const struct vif_view *view)
{
    if (may_join(vif, xs, view)) {
        VIF_LOG(INFO, vif->name, "joining a frontend that is connected");
        vif->joined = true;
        vif->life = VIF_WAITING;
        return;
    }
    /* Now: until its next connect the guest may use those grants again. */
    vif_queues_undo(vif, xs);
    if (is_closing(view->frontend) && is_closing(view->backend)) {
        vif->life = VIF_CLOSED;
        return;
    }
    offer(vif, xs);
}

/* Take leave of what is not there any more. */
static void notice_loss(struct vif *vif, struct xs_handle *xs,
                        const struct vif_view *view)
{
    if (vif->life == VIF_ABSENT) {
        return;
    }
    if (!view->domain || !view->directory) {
        lose(vif, xs, vif->life != VIF_HELD ? XenbusStateClosed
                                            : XenbusStateUnknown,
             view->domain ? "device gone" : "domain gone");
    } else if (view->backend == XenbusStateInitialising &&
               vif->life != VIF_HELD) {
        /* We had written another state, into a directory that is no more. */
        lose(vif, xs, XenbusStateUnknown, "device made again");
    }
}

void vif_update(struct vif *vif, struct xs_handle *xs)
{
    const char *broken = __atomic_load_n(&vif->broken, __ATOMIC_ACQUIRE);
    struct vif_view view;

    watch(vif, xs);
    if (!look(vif, xs, &view)) {
        return;
    }
    notice_loss(vif, xs, &view);
    if (vif->life == VIF_ABSENT) {
        if (!view.domain || !view.directory || !vif->frontend_watched) {
            return;
        }
        start(vif, xs, &view);
    }
    if (vif->life == VIF_HELD) {
        return;
    }
    if (vif->life == VIF_CONNECTED && broken != NULL) {
        fail(vif, xs, -EPROTO, broken);
    }
    if (!view.online && is_closing(view.backend)) {
        if (vif->life != VIF_CLOSED ||
            view.backend != XenbusStateClosed) {
            shut(vif, xs, XenbusStateClosed);
        }
        return;
    }
    follow_frontend(vif, xs, &view);
}

void vif_release(struct vif *vif, struct xs_handle *xs)
{
    if (xs != NULL) {
        unwatch(vif, xs);
    }
    if (vif_config_is_local(&vif->config)) {
        vif_local_disconnect(vif);
    } else {
        vif_queues_disconnect(vif);
    }
    VIF_LOG(INFO, vif->name, "released");
    wake_destroy(&vif->wake);
    free(vif);
}
