/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A link to a backend in another domain: pages of /dev/xen/gntalloc, event
 * channels of /dev/xen/evtchn.
 *
 * A page is granted once, for the link's life, and its reference is used
 * again and again.  That is right with every backend, for a reference is a
 * name of a page, not a ticket: Linux's netback copies by it and, for large
 * packets, maps and unmaps it between request and response; net_xenvif
 * copies, by hypercall or by itself; either may use it as often as it is
 * named in a request.
 *
 * Talks to libxengnttab and libxenevtchn.  Invariants:
 *  1. TX buffers are granted for reading only, rings and RX buffers for
 *     writing; one allocation of the kernel has one kind.
 *  2. The kernel zeroes a page before it is granted, and frees it only when
 *     the backend has let go: what is given back here is never used again
 *     by us, and by nobody while the backend can reach it.
 *  3. A port is unmasked only by drain, and only RX's: where nobody sleeps,
 *     one event stays pending for ever and a storm of them costs nothing.
 *     The control ring's is drained only while an answer is waited for.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#include "netback/front_xen.h"

#define RINGS 2u                /* pages in front of the RX buffers */
#define CTRL_PAGES 2u           /* the control ring, and its requests' page */
#define EVENTS_MAX 8            /* ports looked at by one drain */

struct xen_queue {
    uint8_t *shared;            /* rings, RX buffers */
    uint32_t shared_count;
    uint8_t *tx;                /* TX buffers */
    uint32_t tx_count;
    grant_ref_t *refs;          /* of shared, then of tx */
    xenevtchn_handle *evtchn;   /* its own: so its fd is its alone */
    int tx_port;
    int rx_port;                /* equal to tx_port if not split */
};

struct xen_ctrl {
    uint8_t *pages;
    grant_ref_t refs[CTRL_PAGES];
    xenevtchn_handle *evtchn;
    int port;
};

struct xen_link {
    struct front_link link;     /* first: a link is a xen_link */
    xengntshr_handle *gntshr;
    struct xen_ctrl ctrl;
    struct xen_queue queues[FRONT_QUEUES_MAX];
};

static void notify(struct front_link *link, unsigned int queue, bool tx)
{
    const struct xen_queue *q = &((struct xen_link *)link)->queues[queue];

    (void)xenevtchn_notify(q->evtchn, (evtchn_port_t)(tx ? q->tx_port
                                                         : q->rx_port));
}

static void drain(struct front_link *link, unsigned int queue)
{
    const struct xen_queue *q = &((struct xen_link *)link)->queues[queue];

    for (int i = 0; i < EVENTS_MAX; i++) {
        int port = xenevtchn_pending(q->evtchn);

        if (port < 0) {
            return;
        }
        if (port == q->rx_port) {
            (void)xenevtchn_unmask(q->evtchn, (evtchn_port_t)port);
        }
    }
}

static void notify_ctrl(struct front_link *link)
{
    const struct xen_ctrl *c = &((struct xen_link *)link)->ctrl;

    (void)xenevtchn_notify(c->evtchn, (evtchn_port_t)c->port);
}

static bool drain_ctrl(struct front_link *link)
{
    const struct xen_ctrl *c = &((struct xen_link *)link)->ctrl;

    if (xenevtchn_pending(c->evtchn) != c->port) {
        return false;
    }
    (void)xenevtchn_unmask(c->evtchn, (evtchn_port_t)c->port);
    return true;
}

static void drop_ctrl(struct xen_link *xen)
{
    struct xen_ctrl *c = &xen->ctrl;

    if (c->evtchn != NULL) {
        xenevtchn_close(c->evtchn);
    }
    if (c->pages != NULL) {
        xengntshr_unshare(xen->gntshr, c->pages, CTRL_PAGES);
    }
    *c = (struct xen_ctrl){ .port = -1 };
    xen->link.ctrl = (struct front_link_ctrl){ .fd = -1 };
}

static void destroy(struct front_link *link)
{
    struct xen_link *xen = (struct xen_link *)link;

    drop_ctrl(xen);
    for (unsigned int i = 0; i < FRONT_QUEUES_MAX; i++) {
        struct xen_queue *q = &xen->queues[i];

        if (q->evtchn != NULL) {
            xenevtchn_close(q->evtchn);     /* unbinds its ports */
        }
        if (q->shared != NULL) {
            xengntshr_unshare(xen->gntshr, q->shared, q->shared_count);
        }
        if (q->tx != NULL) {
            xengntshr_unshare(xen->gntshr, q->tx, q->tx_count);
        }
        free(q->refs);
    }
    if (xen->gntshr != NULL) {
        xengntshr_close(xen->gntshr);
    }
    free(xen);
}

static const struct front_link_ops xen_ops = {
    .name = "xen",
    .notify = notify,
    .drain = drain,
    .notify_ctrl = notify_ctrl,
    .drain_ctrl = drain_ctrl,
    .destroy = destroy,
};

/* Pages granted to the backend, or NULL with *why set. */
static uint8_t *share(struct xen_link *xen, uint16_t domid, uint32_t count,
                      uint32_t *refs, bool writable, const char **why)
{
    void *pages = xengntshr_share_pages(xen->gntshr, domid, count, refs,
                                        writable);

    if (pages == NULL) {
        *why = errno == ENOSPC
            ? "too few grants: raise /sys/module/xen_gntalloc/parameters/"
              "limit, or ask for fewer queues or descriptors"
            : "the kernel gives no pages to grant";
    }
    return pages;
}

static int make_pages(struct xen_link *xen, unsigned int i, uint16_t domid,
                      const struct front_wish *wish, const char **why)
{
    struct front_link_queue *out = &xen->link.queues[i];
    struct xen_queue *q = &xen->queues[i];

    q->shared_count = RINGS + wish->rx_buffers;
    q->tx_count = wish->tx_buffers;
    *why = "no memory";
    q->refs = calloc(q->shared_count + q->tx_count, sizeof(*q->refs));
    if (q->refs == NULL) {
        return -ENOMEM;
    }
    q->shared = share(xen, domid, q->shared_count, q->refs, true, why);
    if (q->shared == NULL) {
        return -ENOMEM;
    }
    q->tx = share(xen, domid, q->tx_count, q->refs + q->shared_count, false,
                  why);
    if (q->tx == NULL) {
        return -ENOMEM;
    }
    out->tx = (netif_tx_sring_t *)q->shared;
    out->rx = (netif_rx_sring_t *)(q->shared + ACCESS_PAGE_SIZE);
    out->rx_buffers = (struct backend_buffers){
        q->shared + RINGS * ACCESS_PAGE_SIZE, q->refs + RINGS,
        wish->rx_buffers,
    };
    out->tx_buffers = (struct backend_buffers){
        q->tx, q->refs + q->shared_count, wish->tx_buffers,
    };
    return 0;
}

/* Event channels with a descriptor of their own, which never blocks. */
static xenevtchn_handle *open_evtchn(int *fd)
{
    xenevtchn_handle *evtchn = xenevtchn_open(NULL, 0);

    if (evtchn == NULL) {
        return NULL;
    }
    *fd = xenevtchn_fd(evtchn);
    if (fcntl(*fd, F_SETFL, O_NONBLOCK) != 0) {
        xenevtchn_close(evtchn);
        return NULL;
    }
    return evtchn;
}

static int make_ports(struct xen_link *xen, unsigned int i,
                      const struct front_xen_peer *peer, const char **why)
{
    struct xen_queue *q = &xen->queues[i];

    *why = "no event channel to the backend";
    q->evtchn = open_evtchn(&xen->link.queues[i].fd);
    if (q->evtchn == NULL) {
        return -errno;
    }
    q->tx_port = xenevtchn_bind_unbound_port(q->evtchn, peer->domid);
    q->rx_port = q->tx_port;
    if (q->tx_port >= 0 && peer->split) {
        q->rx_port = xenevtchn_bind_unbound_port(q->evtchn, peer->domid);
    }
    return q->tx_port < 0 || q->rx_port < 0 ? -errno : 0;
}

/* What is missing is left out: packets go without a control ring too. */
static void make_ctrl(struct xen_link *xen, uint16_t domid)
{
    struct xen_ctrl *c = &xen->ctrl;
    struct front_link_ctrl *out = &xen->link.ctrl;

    c->evtchn = open_evtchn(&out->fd);
    if (c->evtchn != NULL) {
        c->port = xenevtchn_bind_unbound_port(c->evtchn, domid);
        c->pages = xengntshr_share_pages(xen->gntshr, domid, CTRL_PAGES,
                                         c->refs, true);
    }
    if (c->port < 0 || c->pages == NULL) {
        drop_ctrl(xen);
        return;
    }
    out->ring = (xen_netif_ctrl_sring_t *)c->pages;
    out->page = c->pages + ACCESS_PAGE_SIZE;
    out->page_ref = c->refs[1];
}

struct front_link *front_xen_create(const struct front_xen_peer *peer,
                                    const struct front_wish *wish,
                                    const char **why)
{
    struct xen_link *xen = calloc(1, sizeof(*xen));
    int error = 0;

    if (xen == NULL) {
        *why = "no memory";
        return NULL;
    }
    xen->link.ops = &xen_ops;
    xen->link.ctrl.fd = xen->ctrl.port = -1;
    xen->link.queue_count = wish->queues;
    xen->gntshr = xengntshr_open(NULL, 0);
    if (xen->gntshr == NULL) {
        *why = "cannot open /dev/xen/gntalloc";
        error = -errno;
    }
    for (unsigned int i = 0; i < wish->queues && error == 0; i++) {
        error = make_pages(xen, i, peer->domid, wish, why);
        if (error == 0) {
            error = make_ports(xen, i, peer, why);
        }
    }
    if (error != 0) {
        destroy(&xen->link);
        return NULL;
    }
    if (peer->ctrl) {
        make_ctrl(xen, peer->domid);
    }
    wish->prepare(wish->front, &xen->link);
    return &xen->link;
}

unsigned int front_xen_nodes(const struct front_link *link,
                             unsigned int queue, struct front_node *nodes)
{
    const struct xen_queue *q =
        &((const struct xen_link *)link)->queues[queue];

    nodes[0] = (struct front_node){ "tx-ring-ref", q->refs[0] };
    nodes[1] = (struct front_node){ "rx-ring-ref", q->refs[1] };
    if (q->tx_port == q->rx_port) {
        nodes[2] = (struct front_node){ "event-channel",
                                        (unsigned long)q->tx_port };
        return 3;
    }
    nodes[2] = (struct front_node){ "event-channel-tx",
                                    (unsigned long)q->tx_port };
    nodes[3] = (struct front_node){ "event-channel-rx",
                                    (unsigned long)q->rx_port };
    return 4;
}

unsigned int front_xen_ctrl_nodes(const struct front_link *link,
                                  struct front_node *nodes)
{
    const struct xen_ctrl *c = &((const struct xen_link *)link)->ctrl;

    if (link->ctrl.ring == NULL) {
        return 0;
    }
    nodes[0] = (struct front_node){ "ctrl-ring-ref", c->refs[0] };
    nodes[1] = (struct front_node){ "event-channel-ctrl",
                                    (unsigned long)c->port };
    return 2;
}

const char *front_xen_missing(void)
{
    static const char *const devices[] = {
        "/dev/xen/gntalloc", "/dev/xen/evtchn", "/dev/xen/xenbus",
    };

    for (size_t i = 0; i < sizeof(devices) / sizeof(devices[0]); i++) {
        if (access(devices[i], F_OK) != 0) {
            return devices[i];
        }
    }
    return NULL;
}

bool front_xen_kernel_has(unsigned int handle, char *driver, size_t size)
{
    char path[64];
    char target[128];
    ssize_t length;
    const char *name;

    snprintf(path, sizeof(path), "/sys/bus/xen/devices/vif-%u/driver",
             handle);
    length = readlink(path, target, sizeof(target) - 1);
    if (length < 0) {
        return false;
    }
    target[length] = '\0';
    name = strrchr(target, '/');
    snprintf(driver, size, "%s", name != NULL ? name + 1 : target);
    return true;
}
