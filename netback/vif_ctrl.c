/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A vif's control ring in the control thread: when it is served, and what
 * its operations act on.
 *
 * Talks to ctrl_ring (the requests), hash and gref (what they change), burst
 * (gates) and vif_control (the thread's poll).
 *
 *   quiet --event: the channel stays masked--> pending
 *   pending --turn, when the pace allows one: requests are left--> pending
 *   pending --turn: none is left: unmask--> quiet
 *   any --ring fatal: vif_break()--> stopped
 *
 * Invariants:
 *  1. One event at most is taken between two turns, and turns are paced: a
 *     storm of events, or of requests, costs a bounded part of the thread,
 *     and other vifs are served in between.
 *  2. A static grant is unmapped only after both packet threads of its queue
 *     have ended the burst that they were in.
 *  3. A ring that contradicts itself disables its own vif.
 */
#include <errno.h>
#include <stdlib.h>

#include "netback/ctrl_ring.h"
#include "netback/vif_ctrl.h"

/* A queue's static grants. */
struct ctrl_queue {
    struct vif_ctrl *ctrl;
    struct vif_queue *queue;
    struct gref_table *table;
};

/* All of it is the control thread's. */
struct vif_ctrl {
    struct vif_ctrl_transport transport;
    struct ctrl_ring ring;
    struct ctrl_ring_target target;
    struct ctrl_pace pace;
    struct hash hash;
    void *page;                 /* the ring, mapped */
    bool watched;
    bool pending;               /* an event came, or requests are left */
    bool stopped;               /* the ring is broken */
    struct ctrl_queue queues[VIF_QUEUES_MAX];
};

static uint32_t table_size(void *self)
{
    (void)self;
    return GREF_TABLE_SIZE;
}

static int add(void *self, uint16_t queue, const struct xen_netif_gref *list,
               uint32_t count)
{
    struct vif_ctrl *ctrl = self;

    return gref_add(ctrl->queues[queue].table, list, count);
}

static uint32_t del(void *self, uint16_t queue, struct xen_netif_gref *list,
                    uint32_t count)
{
    struct vif_ctrl *ctrl = self;

    return gref_del(ctrl->queues[queue].table, list, count);
}

static const struct ctrl_ring_grefs ring_grefs = { table_size, add, del };

static void *map(void *self, grant_ref_t ref, bool readonly)
{
    const struct vif_ctrl_transport *t =
        &((struct ctrl_queue *)self)->ctrl->transport;

    return t->map(t->self, ref, readonly);
}

static void unmap(void *self, void *page)
{
    const struct vif_ctrl_transport *t =
        &((struct ctrl_queue *)self)->ctrl->transport;

    t->unmap(t->self, page);
}

static void quiesce(void *self)
{
    const struct ctrl_queue *q = self;

    burst_gate_quiesce(&q->queue->from.gate);
    burst_gate_quiesce(&q->queue->to.gate);
}

/* Put a table of static grants in front of an access. */
static int wrap(struct access **access, const struct gref_table *table,
                uint64_t *hits)
{
    struct access *wrapped = gref_wrap(*access, table, hits);

    if (wrapped == NULL) {
        return -ENOMEM;
    }
    *access = wrapped;
    return 0;
}

static int open_queue(struct vif_ctrl *ctrl, struct vif_queue *queue,
                      struct ctrl_queue *q)
{
    const struct gref_config config = {
        .map = map, .unmap = unmap, .quiesce = quiesce, .self = q,
    };
    int error;

    q->ctrl = ctrl;
    q->queue = queue;
    q->table = gref_create(&config);
    if (q->table == NULL) {
        return -ENOMEM;
    }
    error = wrap(&queue->from.access, q->table,
                 &queue->from.stats.static_copies);
    return error != 0 ? error : wrap(&queue->to.access, q->table,
                                     &queue->to.stats.static_copies);
}

static int open_ring(struct vif *vif, struct vif_ctrl *ctrl,
                     const char **why)
{
    const struct vif_ctrl_transport *t = &ctrl->transport;
    int error;

    *why = "the frontend's ctrl-ring-ref cannot be mapped";
    ctrl->page = t->map(t->self, t->ref, false);
    if (ctrl->page == NULL) {
        return -EINVAL;
    }
    *why = "the control ring's indices contradict each other";
    error = ctrl_ring_init(&ctrl->ring, ctrl->page);
    if (error != 0) {
        return error;
    }
    *why = "cannot wait for the control ring's events";
    error = vif_control_watch(vif, t->fd);
    ctrl->watched = error == 0;
    return error;
}

int vif_ctrl_open(struct vif *vif, const struct vif_ctrl_transport *transport,
                  uint16_t queue_count, const char **why)
{
    struct vif_ctrl *ctrl = calloc(1, sizeof(*ctrl));
    int error;

    if (ctrl == NULL) {
        *why = "no memory";
        transport->destroy(transport->self);
        return -ENOMEM;
    }
    vif->ctrl = ctrl;
    ctrl->transport = *transport;
    ctrl->target = (struct ctrl_ring_target){
        .access = transport->access, .hash = &ctrl->hash,
        .table = &vif->hash_table, .grefs = &ring_grefs,
        .grefs_self = ctrl, .queue_count = queue_count,
    };
    ctrl->pending = true;       /* what came before now told nobody else */
    error = open_ring(vif, ctrl, why);
    for (uint16_t i = 0; i < queue_count && error == 0; i++) {
        *why = "no memory";
        error = open_queue(ctrl, &vif->queues[i], &ctrl->queues[i]);
    }
    if (error != 0) {
        vif_ctrl_close(vif);
    }
    return error;
}

void vif_ctrl_close(struct vif *vif)
{
    const struct hash no_hash = { .algorithm =
                                  XEN_NETIF_CTRL_HASH_ALGORITHM_NONE };
    struct vif_ctrl *ctrl = vif->ctrl;

    if (ctrl == NULL) {
        return;
    }
    vif->ctrl = NULL;
    hash_publish(&vif->hash_table, &no_hash);
    for (unsigned int i = 0; i < VIF_QUEUES_MAX; i++) {
        if (ctrl->queues[i].table != NULL) {
            gref_destroy(ctrl->queues[i].table);
        }
    }
    if (ctrl->watched) {
        vif_control_unwatch(ctrl->transport.fd);
    }
    if (ctrl->page != NULL) {
        ctrl->transport.unmap(ctrl->transport.self, ctrl->page);
    }
    ctrl->transport.destroy(ctrl->transport.self);
    free(ctrl);
}

void vif_ctrl_event(struct vif *vif)
{
    if (vif->ctrl != NULL) {
        vif->ctrl->pending = true;
    }
}

/* One round; the pace has allowed it. */
static void take_turn(struct vif *vif, struct vif_ctrl *ctrl, uint64_t now_ms)
{
    const struct vif_ctrl_transport *t = &ctrl->transport;
    struct ctrl_ring_done done;

    t->mask(t->self);
    if (ctrl_ring_turn(&ctrl->ring, &ctrl->target, &done) != 0) {
        ctrl->stopped = true;
        vif_break(vif, ctrl_ring_fault_text(ctrl->ring.fault));
        return;
    }
    ctrl_pace_charge(&ctrl->pace, now_ms, done.cost);
    if (done.notify) {
        t->access->ops->notify(t->access, t->port);
    }
    ctrl->pending = done.more;
    if (!done.more) {
        t->unmask(t->self);
        vif_control_rearm(vif, t->fd);
    }
}

int vif_ctrl_turn(struct vif *vif, uint64_t now_ms)
{
    struct vif_ctrl *ctrl = vif->ctrl;

    if (ctrl == NULL || ctrl->stopped || !ctrl->pending) {
        return -1;
    }
    if (ctrl_pace_wait(&ctrl->pace, now_ms) == 0) {
        take_turn(vif, ctrl, now_ms);
    }
    return ctrl->pending && !ctrl->stopped
               ? (int)ctrl_pace_wait(&ctrl->pace, now_ms)
               : -1;
}
