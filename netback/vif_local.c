/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The life of a vif whose frontend is a process on this machine: there is no
 * XenStore, the socket is all.  Called by the control thread, again and
 * again.  Talks to local.h, vif_journal, and to burst through the gates.
 *
 *            the frontend listens: begin()
 *   WAITING --------------------------------> WAITING with a link_local
 *    ^ ^ ^                                     |         |
 *    | | '------ no hello in HELLO_MS ---------'         | hello: open_vif()
 *    | |                                                 v
 *    | '-------- the frontend has closed ---------- CONNECTED
 *    |                                                   | ring fatal
 *    |                                                   v
 *    '---------- another socket at the path --------- BROKEN <-- bad hello
 *
 * Invariants:
 *  1. A gate opens after everything behind it is ready, and everything
 *     behind it goes only after it has closed.
 *  2. One line is logged for each change, none for a repetition.
 *  3. A frontend that broke its ring is not connected to again.
 *  4. Nothing waits for a frontend: other vifs' control work does.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "netback/clock.h"
#include "netback/local.h"
#include "netback/vif.h"
#include "netback/vif_ctrl.h"
#include "netback/vif_log.h"

#define HELLO_MS 2000           /* a frontend that is alive takes less */
#define CTRL_EVENTS_MAX 64u     /* taken from the socket for a round */

static void tell(struct vif *vif, bool link, bool queues_changed)
{
    __atomic_store_n(&vif->link, link, __ATOMIC_RELEASE);
    vif->config.changed(vif->config.owner, link, queues_changed);
}

/* A control ring that is reached by the link. */
struct local_ctrl {
    struct local_link *link;    /* borrowed */
    struct access *access;
    struct window_counts counts;    /* of what is no packet */
};

/* The rest of a storm waits in the socket, and then its sender. */
static void ctrl_mask(void *self)
{
    const struct local_ctrl *l = self;
    char event;

    for (unsigned int i = 0; i < CTRL_EVENTS_MAX; i++) {
        if (recv(l->link->ctrl_event, &event, sizeof(event),
                 MSG_DONTWAIT) < 0) {
            return;
        }
    }
}

static void ctrl_unmask(void *self)
{
    (void)self;
}

static void *ctrl_map(void *self, grant_ref_t ref, bool readonly)
{
    const struct local_ctrl *l = self;

    return local_page(l->access, ref, readonly);
}

static void ctrl_unmap(void *self, void *page)
{
    (void)self;                 /* the link has all of it mapped */
    (void)page;
}

static void ctrl_destroy(void *self)
{
    struct local_ctrl *l = self;

    l->access->ops->destroy(l->access);
    free(l);
}

static int open_ctrl(struct vif *vif, const char **why)
{
    struct vif_ctrl_transport transport = {
        .ref = vif->link_local->ctrl_ref,
        .port = vif->link_local->ctrl_event,
        .fd = vif->link_local->ctrl_event,
        .mask = ctrl_mask, .unmask = ctrl_unmask,
        .map = ctrl_map, .unmap = ctrl_unmap, .destroy = ctrl_destroy,
    };
    struct local_ctrl *l;

    if (vif->link_local->ctrl_ref == 0) {
        return 0;
    }
    *why = "no memory";
    l = calloc(1, sizeof(*l));
    if (l == NULL) {
        return -ENOMEM;
    }
    l->link = vif->link_local;
    l->access = local_create(l->link, NULL, &l->counts);
    if (l->access == NULL) {
        free(l);
        return -ENOMEM;
    }
    transport.access = l->access;
    transport.self = l;
    return vif_ctrl_open(vif, &transport, vif->link_local->queue_count, why);
}

static void release_queue(struct vif_queue *q)
{
    if (q->from.access != NULL) {
        q->from.access->ops->destroy(q->from.access);
    }
    if (q->to.access != NULL) {
        q->to.access->ops->destroy(q->to.access);
    }
    free(q->from.burst);
    free(q->to.burst);
    q->from.access = q->to.access = NULL;
    q->from.burst = NULL;
    q->to.burst = NULL;
}

static void drop_link(struct vif *vif)
{
    if (vif->link_local != NULL) {
        local_disconnect(vif->link_local);
        free(vif->link_local);
        vif->link_local = NULL;
    }
}

void vif_local_disconnect(struct vif *vif)
{
    __atomic_store_n(&vif->queue_count, 0, __ATOMIC_RELEASE);
    for (unsigned int i = 0; i < VIF_QUEUES_MAX; i++) {
        burst_gate_close(&vif->queues[i].from.gate);
        burst_gate_close(&vif->queues[i].to.gate);
    }
    vif_ctrl_close(vif);
    for (unsigned int i = 0; i < VIF_QUEUES_MAX; i++) {
        vif_wake_close(vif, i);
        release_queue(&vif->queues[i]);
    }
    drop_link(vif);
    vif_journal_close(vif);
}

static int make_queue(struct vif *vif, struct vif_queue *q, unsigned int i,
                      const char **why)
{
    struct local_link *link = vif->link_local;
    struct journal_half *from = vif_journal_half(vif, i, false,
                                                 link->tx_ref[i]);
    struct journal_half *to = vif_journal_half(vif, i, true,
                                               link->rx_ref[i]);
    void *tx_ring, *rx_ring;

    *why = "no memory";
    q->from.access = local_create(link, from, &q->from.stats.window);
    q->to.access = local_create(link, to, &q->to.stats.window);
    q->from.burst = calloc(1, sizeof(*q->from.burst));
    q->to.burst = calloc(1, sizeof(*q->to.burst));
    if (q->from.access == NULL || q->to.access == NULL ||
        q->from.burst == NULL || q->to.burst == NULL) {
        return -ENOMEM;
    }
    *why = "the frontend's rings cannot be mapped";
    tx_ring = q->from.access->ops->map(q->from.access, link->tx_ref[i]);
    rx_ring = q->to.access->ops->map(q->to.access, link->rx_ref[i]);
    if (tx_ring == NULL || rx_ring == NULL) {
        return -EINVAL;
    }
    *why = "the frontend's ring indices contradict each other";
    vif_journal_finish(q, tx_ring, from, rx_ring, to);
    if (from_guest_init(&q->from.ring, tx_ring) != 0 ||
        to_guest_init(&q->to.ring, rx_ring) != 0) {
        return -EPROTO;
    }
    q->from.ring.journal = from;
    q->to.ring.journal = to;
    return 0;
}

/* The journal of that frontend's memory, and what it says undone. */
static int open_journal(struct vif *vif, const char **why)
{
    char identity[JOURNAL_IDENTITY_MAX];
    int error;

    snprintf(identity, sizeof(identity), "%s %llu", vif->config.local,
             (unsigned long long)vif->link_local->memory_id);
    error = vif_journal_open(vif, identity, vif->link_local->queue_count,
                             why);
    if (error != 0 || vif->journal == NULL) {
        local_undo(vif->link_local, NULL);
        return error;
    }
    for (unsigned int i = 0; journal_file_half(vif->journal, i) != NULL;
         i++) {
        local_undo(vif->link_local, journal_file_half(vif->journal, i));
    }
    return 0;
}

static void open_queue(const struct vif *vif, struct vif_queue *q,
                       unsigned int i)
{
    uint32_t features = vif->link_local->features;
    uint8_t gso = 0;

    if ((features & LOCAL_GSO_TCPV4) != 0) {
        gso |= 1u << XEN_NETIF_GSO_TYPE_TCPV4;
    }
    if ((features & LOCAL_GSO_TCPV6) != 0) {
        gso |= 1u << XEN_NETIF_GSO_TYPE_TCPV6;
    }
    q->from.burst->offered_gso = gso;
    q->from.offload = vif->config.tso;
    q->from.port = q->to.port = vif->link_local->event[i];
    q->to.ring.linear = (features & LOCAL_SG) == 0;
    q->to.takes = (struct burst_takes){
        .csum_ipv4 = (features & LOCAL_CSUM) != 0,
        .csum_ipv6 = (features & LOCAL_CSUM) != 0,
        .gso_tcpv4 = (features & LOCAL_GSO_TCPV4) != 0,
        .gso_tcpv6 = (features & LOCAL_GSO_TCPV6) != 0,
    };
    burst_gate_open(&q->from.gate);
    burst_gate_open(&q->to.gate);
    /* A killed process may not have told of what it published. */
    q->to.access->ops->notify(q->to.access, q->to.port);
}

/*
 * The socket that is there now, to know another one by; 0: none.  A file
 * system gives a new socket the inode number of the one before: only with
 * its time is it another.
 */
static uint64_t socket_id(const struct vif *vif)
{
    struct stat st;

    if (stat(vif->config.local, &st) != 0) {
        return 0;
    }
    return ((uint64_t)st.st_ino << 32) ^
           ((uint64_t)st.st_ctim.tv_sec * 1000000000 +
            (uint64_t)st.st_ctim.tv_nsec);
}

/* -> BROKEN */
static void refuse(struct vif *vif, int error, const char *why)
{
    if (vif->link_local != NULL && vif->link_local->fd >= 0) {
        local_answer(vif->link_local, error);
    }
    vif_local_disconnect(vif);
    VIF_LOG(WARNING, vif->name, "%s: %s", vif->config.local, why);
    vif->life = VIF_BROKEN;
    vif->broken_socket = vif->socket;
}

/* Errors of one that is not there yet, is busy, or has died. */
static bool is_absent(int error)
{
    return error == -ENOENT || error == -ECONNREFUSED || error == -EAGAIN ||
           error == -ECONNRESET || error == -EPIPE;
}

/* -> WAITING or BROKEN with a link_local, if there is somebody new. */
static void begin(struct vif *vif)
{
    uint32_t features = LOCAL_CSUM | LOCAL_SG | LOCAL_CTRL;
    const char *why = "no memory";
    int error = -ENOMEM;

    vif->socket = socket_id(vif);
    if (vif->socket == 0 || (vif->life == VIF_BROKEN &&
                             vif->socket == vif->broken_socket)) {
        return;
    }
    if (vif->config.tso) {
        features |= LOCAL_GSO_TCPV4 | LOCAL_GSO_TCPV6;
    }
    vif->link_local = calloc(1, sizeof(*vif->link_local));
    if (vif->link_local != NULL) {
        error = local_begin(vif->config.local,
                            RTE_MIN(vif->config.queues, LOCAL_QUEUES_MAX),
                            features, vif->link_local, &why);
    }
    if (error == 0) {
        error = vif_control_watch(vif, vif->link_local->fd);
    }
    if (is_absent(error)) {
        drop_link(vif);
    } else if (error != 0) {
        refuse(vif, error, why);
    }
    vif->hello_ms = clock_ms() + HELLO_MS;
}

static int connect_queues(struct vif *vif, const char **why)
{
    int error = open_journal(vif, why);

    for (unsigned int i = 0; i < vif->link_local->queue_count &&
                             error == 0; i++) {
        error = make_queue(vif, &vif->queues[i], i, why);
    }
    return error != 0 ? error : open_ctrl(vif, why);
}

/* WAITING -> CONNECTED */
static void open_vif(struct vif *vif)
{
    /* From the first gate on a packet thread may say that it is broken. */
    __atomic_store_n(&vif->broken, NULL, __ATOMIC_RELEASE);
    for (unsigned int i = 0; i < vif->link_local->queue_count; i++) {
        open_queue(vif, &vif->queues[i], i);
        vif_wake_open(vif, i);
    }
    __atomic_store_n(&vif->queue_count, vif->link_local->queue_count,
                     __ATOMIC_RELEASE);
    vif->life = VIF_CONNECTED;
    local_answer(vif->link_local, 0);
    vif_journal_clean(NULL);
    VIF_LOG(NOTICE, vif->name, "connected to %s: %u queue%s",
            vif->config.local, vif->queue_count,
            vif->queue_count == 1 ? "" : "s");
    tell(vif, true, vif->told_queues != vif->queue_count);
    vif->told_queues = vif->queue_count;
}

/* No hello yet: wait for an event, or no longer. */
static void wait_hello(struct vif *vif)
{
    if (clock_ms() < vif->hello_ms) {
        vif_control_rearm(vif, vif->link_local->fd);
        return;
    }
    local_answer(vif->link_local, -ETIMEDOUT);
    drop_link(vif);
}

/* WAITING -> CONNECTED, or BROKEN for a frontend that is no good. */
static void connect_vif(struct vif *vif)
{
    const char *why = "";
    int fd = vif->link_local->fd;
    int error = local_finish(vif->link_local, &why);

    if (error == -EAGAIN) {
        wait_hello(vif);
        return;
    }
    if (error == 0) {
        vif_control_unwatch(fd);
        error = connect_queues(vif, &why);
    }
    if (error == -EBUSY || is_absent(error)) {
        vif_local_disconnect(vif);  /* who has it is about to end */
    } else if (error != 0) {
        refuse(vif, error, why);
    } else {
        open_vif(vif);
    }
}

void vif_local_update(struct vif *vif)
{
    const char *broken = __atomic_load_n(&vif->broken, __ATOMIC_ACQUIRE);

    if (vif->life != VIF_CONNECTED) {
        if (vif->link_local == NULL) {
            begin(vif);
        } else {
            connect_vif(vif);
        }
    } else if (broken != NULL) {
        vif->broken_socket = vif->socket;
        vif_local_disconnect(vif);
        VIF_LOG(WARNING, vif->name, "disabled: %s", broken);
        vif->life = VIF_BROKEN;
        tell(vif, false, false);
    } else if (local_is_closed(vif->link_local)) {
        vif_local_disconnect(vif);
        VIF_LOG(NOTICE, vif->name, "the frontend has gone");
        vif->life = VIF_WAITING;
        tell(vif, false, false);
    }
}
