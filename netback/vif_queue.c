/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Connecting a vif's queues: read what the frontend published, map its rings,
 * bind its event channels, open the gates.
 *
 * Talks to burst (gates), gcopy and direct (access), vif_journal and libdom0.
 * Runs in the control thread.  Invariants:
 *  1. Every number comes from the guest: it is bounded here, once.
 *  2. A gate opens after everything behind it is ready, and everything
 *     behind it goes only after it has closed.
 *  3. For packets we ask for an event and unmask a port only when a thread
 *     is to sleep (vif_wake.c): where all poll, one event stays pending for
 *     ever, so a storm of them costs nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netback/direct.h"
#include "netback/gcopy.h"
#include "netback/vif.h"
#include "netback/vif_ctrl.h"
#include "netback/vif_log.h"
#include "tools/libdom0/xenbus.h"

/* What a frontend says of one queue. */
struct queue_nodes {
    unsigned long tx_ref;
    unsigned long rx_ref;
    unsigned long tx_channel;
    unsigned long rx_channel;
};

static int read_queue(struct xs_handle *xs, const char *dir,
                      struct queue_nodes *nodes, const char **why)
{
    if (xenbus_read_number(xs, dir, "tx-ring-ref", UINT32_MAX,
                           &nodes->tx_ref) != 0 ||
        xenbus_read_number(xs, dir, "rx-ring-ref", UINT32_MAX,
                           &nodes->rx_ref) != 0) {
        *why = "the frontend gives no tx-ring-ref and rx-ring-ref";
        return -EINVAL;
    }
    if (xenbus_read_number(xs, dir, "event-channel-tx", UINT32_MAX,
                           &nodes->tx_channel) == 0 &&
        xenbus_read_number(xs, dir, "event-channel-rx", UINT32_MAX,
                           &nodes->rx_channel) == 0) {
        return 0;
    }
    if (xenbus_read_number(xs, dir, "event-channel", UINT32_MAX,
                           &nodes->tx_channel) != 0) {
        *why = "the frontend gives no event-channel";
        return -EINVAL;
    }
    nodes->rx_channel = nodes->tx_channel;
    return 0;
}

static int bind_channels(struct vif *vif, struct vif_queue *q,
                         const struct queue_nodes *nodes)
{
    q->tx_port = xenevtchn_bind_interdomain(
        q->evtchn, vif->config.domid, (evtchn_port_t)nodes->tx_channel);
    if (q->tx_port < 0) {
        return -errno;
    }
    q->rx_port = q->tx_port;
    if (nodes->rx_channel == nodes->tx_channel) {
        return 0;
    }
    q->rx_port = xenevtchn_bind_interdomain(
        q->evtchn, vif->config.domid, (evtchn_port_t)nodes->rx_channel);
    return q->rx_port < 0 ? -errno : 0;
}

/* Both ways to the guest's memory; NULL with errno set. */
static struct access *make_access(const struct vif_queue *q,
                                  struct journal_half *half,
                                  struct window_counts *counts,
                                  const char **why)
{
    static uint64_t no_records[JOURNAL_COPIES]; /* of pins not kept */
    const struct vif *vif = q->from.vif;
    const struct gcopy_config config = {
        .domid = vif->config.domid,
        .gnttab = vif->gnttab,
        .evtchn = q->evtchn,
        .host_gfn = vif->config.host_gfn,
    };

    struct access *copy = gcopy_create(&config, why);

    if (copy == NULL || vif->window == NULL) {
        return copy;
    }
    *why = "no memory";
    errno = ENOMEM;
    return direct_create(direct_window_view(vif->window), copy,
                         half != NULL ? half->pins : no_records, counts);
}

static int make_queue(struct vif_queue *q, struct journal_half *from,
                      struct journal_half *to, const char **why)
{
    *why = "cannot open /dev/xen/evtchn";
    q->evtchn = xenevtchn_open(NULL, 0);
    /* Before a packet thread may look for events, which must not block it. */
    if (q->evtchn == NULL ||
        fcntl(xenevtchn_fd(q->evtchn), F_SETFL, O_NONBLOCK) != 0) {
        return -errno;
    }
    q->from.access = make_access(q, from, &q->from.stats.window, why);
    if (q->from.access == NULL) {
        return -errno;
    }
    q->to.access = make_access(q, to, &q->to.stats.window, why);
    if (q->to.access == NULL) {
        return -errno;
    }
    q->from.burst = calloc(1, sizeof(*q->from.burst));
    q->to.burst = calloc(1, sizeof(*q->to.burst));
    if (q->from.burst == NULL || q->to.burst == NULL) {
        *why = "no memory";
        return -ENOMEM;
    }
    return 0;
}

static int map_rings(struct vif_queue *q, const struct queue_nodes *nodes,
                     struct journal_half *from, struct journal_half *to,
                     const char **why)
{
    struct access *access = q->from.access;

    *why = "the frontend's ring-ref cannot be mapped";
    q->tx_ring = access->ops->map(access, (grant_ref_t)nodes->tx_ref);
    if (q->tx_ring == NULL) {
        return -EINVAL;
    }
    q->rx_ring = access->ops->map(access, (grant_ref_t)nodes->rx_ref);
    if (q->rx_ring == NULL) {
        return -EINVAL;
    }
    *why = "the frontend's ring indices contradict each other";
    vif_journal_finish(q, q->tx_ring, from, q->rx_ring, to);
    if (from_guest_init(&q->from.ring, q->tx_ring) != 0 ||
        to_guest_init(&q->to.ring, q->rx_ring) != 0) {
        return -EPROTO;
    }
    q->from.ring.journal = from;
    q->to.ring.journal = to;
    return 0;
}

static void queue_release(struct vif_queue *q)
{
    if (q->evtchn != NULL) {
        xenevtchn_close(q->evtchn);     /* unbinds its ports */
        q->evtchn = NULL;
    }
    q->tx_port = q->rx_port = -1;
    if (q->tx_ring != NULL) {
        q->from.access->ops->unmap(q->from.access, q->tx_ring);
        q->tx_ring = NULL;
    }
    if (q->rx_ring != NULL) {
        q->from.access->ops->unmap(q->from.access, q->rx_ring);
        q->rx_ring = NULL;
    }
    if (q->from.access != NULL) {
        q->from.access->ops->destroy(q->from.access);
        q->from.access = NULL;
    }
    if (q->to.access != NULL) {
        q->to.access->ops->destroy(q->to.access);
        q->to.access = NULL;
    }
    free(q->from.burst);
    free(q->to.burst);
    q->from.burst = NULL;
    q->to.burst = NULL;
}

static int queue_prepare(struct vif *vif, struct xs_handle *xs,
                         struct vif_queue *q, const char *dir,
                         const char **why)
{
    unsigned int i = (unsigned int)(q - vif->queues);
    struct journal_half *from = NULL, *to = NULL;
    struct queue_nodes nodes;
    int error = read_queue(xs, dir, &nodes, why);

    if (error == 0) {
        from = vif_journal_half(vif, i, false, (uint32_t)nodes.tx_ref);
        to = vif_journal_half(vif, i, true, (uint32_t)nodes.rx_ref);
        error = make_queue(q, from, to, why);
    }
    if (error == 0) {
        error = map_rings(q, &nodes, from, to, why);
    }
    if (error == 0) {
        *why = "the frontend's event channel cannot be bound";
        error = bind_channels(vif, q, &nodes);
    }
    return error;
}

static void read_takes(struct vif *vif, struct xs_handle *xs,
                       struct burst_to *to)
{
    const char *dir = vif->frontend;

    to->ring.linear = !xenbus_read_flag(xs, dir, "feature-sg", false);
    to->takes = (struct burst_takes){
        .csum_ipv4 = !xenbus_read_flag(xs, dir, "feature-no-csum-offload",
                                       false),
        .csum_ipv6 = xenbus_read_flag(xs, dir, "feature-ipv6-csum-offload",
                                      false),
        .gso_tcpv4 = xenbus_read_flag(xs, dir, "feature-gso-tcpv4", false),
        .gso_tcpv6 = xenbus_read_flag(xs, dir, "feature-gso-tcpv6", false),
    };
}

static void queue_open(struct vif *vif, struct vif_queue *q,
                       struct xs_handle *xs)
{
    q->from.port = q->tx_port;
    q->to.port = q->rx_port;
    q->from.offload = vif->config.tso;
    /* What an earlier run offered stays valid for a guest that we joined. */
    if (xenbus_read_flag(xs, vif->backend, "feature-gso-tcpv4", false)) {
        q->from.burst->offered_gso |= 1u << XEN_NETIF_GSO_TYPE_TCPV4;
    }
    if (xenbus_read_flag(xs, vif->backend, "feature-gso-tcpv6", false)) {
        q->from.burst->offered_gso |= 1u << XEN_NETIF_GSO_TYPE_TCPV6;
    }
    read_takes(vif, xs, &q->to);
    burst_gate_open(&q->from.gate);
    burst_gate_open(&q->to.gate);
    /*
     * What the guest queued before now, it told nobody else; and what a
     * killed process published, that process may not have told the guest.
     */
    q->from.access->ops->notify(q->from.access, q->tx_port);
    if (q->rx_port != q->tx_port) {
        q->to.access->ops->notify(q->to.access, q->rx_port);
    }
}

static int open_devices(struct vif *vif, const char **why)
{
    vif->gnttab = xengnttab_open(NULL, 0);
    if (vif->gnttab == NULL) {
        *why = "cannot open /dev/xen/gntdev";
        return -errno;
    }
    return 0;
}

/* Get the guest's window, if it is wanted and there is one. */
static int open_window(struct vif *vif, const char *identity,
                       const char **why)
{
    const struct direct_guest guest = {
        vif->config.domid, (domid_t)vif->own_domid, identity,
    };

    vif->no_window = "by access=copy";
    if (vif->config.access == VIF_ACCESS_COPY) {
        return 0;
    }
    vif->window = direct_window_get(&guest, &vif->no_window);
    if (vif->window != NULL) {
        vif->no_window = NULL;
    } else if (vif->config.access == VIF_ACCESS_DIRECT) {
        *why = vif->no_window;
        return -errno;
    }
    return 0;
}

/* Which guest has that number now. */
static void read_identity(const struct vif *vif, struct xs_handle *xs,
                          char identity[XENBUS_TEXT_MAX])
{
    char dir[VIF_PATH_MAX];

    snprintf(dir, sizeof(dir), "/local/domain/%u", vif->config.domid);
    if (xenbus_read(xs, dir, "vm", identity, XENBUS_TEXT_MAX) != 0) {
        snprintf(identity, XENBUS_TEXT_MAX, "%s", dir);
    }
}

void vif_queues_undo(struct vif *vif, struct xs_handle *xs)
{
    char identity[XENBUS_TEXT_MAX];
    const char *why;

    read_identity(vif, xs, identity);
    if (vif_journal_open(vif, identity, 1, &why) == 0) {
        vif_journal_undo(vif);
        vif_journal_close(vif);
    }
}

/* What is the guest's alone, and was ours before if we were killed. */
static int open_guest(struct vif *vif, struct xs_handle *xs,
                      unsigned long queues, const char **why)
{
    char identity[XENBUS_TEXT_MAX];
    int error;

    read_identity(vif, xs, identity);
    error = vif_journal_open(vif, identity, (unsigned int)queues, why);
    if (error == 0) {
        vif_journal_undo(vif);
        error = open_window(vif, identity, why);
    }
    return error;
}

static int read_queue_count(struct vif *vif, struct xs_handle *xs,
                            unsigned long *count, const char **why)
{
    int error = xenbus_read_number(xs, vif->frontend,
                                   "multi-queue-num-queues",
                                   vif->config.queues, count);

    if (error == -ENOENT) {
        *count = 1;
        return 0;
    }
    if (error != 0 || *count == 0) {
        *why = "multi-queue-num-queues is not within what was offered";
        return -EINVAL;
    }
    return 0;
}

int vif_queues_connect(struct vif *vif, struct xs_handle *xs,
                       const char **why)
{
    char dir[VIF_PATH_MAX + 32];
    unsigned long count = 0;
    int error = read_queue_count(vif, xs, &count, why);

    if (error == 0) {
        error = open_devices(vif, why);
    }
    if (error == 0) {
        error = open_guest(vif, xs, count, why);
    }
    for (unsigned long i = 0; i < count && error == 0; i++) {
        if (count == 1) {
            snprintf(dir, sizeof(dir), "%s", vif->frontend);
        } else {
            snprintf(dir, sizeof(dir), "%s/queue-%lu", vif->frontend, i);
        }
        error = queue_prepare(vif, xs, &vif->queues[i], dir, why);
    }
    if (error == 0) {
        error = vif_ctrl_connect(vif, xs, (uint16_t)count, why);
    }
    if (error != 0) {
        vif_queues_disconnect(vif);
        return error;
    }
    for (unsigned long i = 0; i < count; i++) {
        queue_open(vif, &vif->queues[i], xs);
        vif_wake_open(vif, (unsigned int)i);
    }
    __atomic_store_n(&vif->queue_count, (uint16_t)count, __ATOMIC_RELEASE);
    return 0;
}

void vif_queues_disconnect(struct vif *vif)
{
    __atomic_store_n(&vif->queue_count, 0, __ATOMIC_RELEASE);
    for (unsigned int i = 0; i < VIF_QUEUES_MAX; i++) {
        burst_gate_close(&vif->queues[i].from.gate);
        burst_gate_close(&vif->queues[i].to.gate);
    }
    vif_ctrl_close(vif);
    for (unsigned int i = 0; i < VIF_QUEUES_MAX; i++) {
        vif_wake_close(vif, i);
        queue_release(&vif->queues[i]);
    }
    if (vif->window != NULL) {
        direct_window_put(vif->window);
        vif->window = NULL;
    }
    vif_journal_close(vif);
    if (vif->gnttab != NULL) {
        xengnttab_close(vif->gnttab);
        vif->gnttab = NULL;
    }
}
