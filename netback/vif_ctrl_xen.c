/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A control ring reached by Xen: its nodes, its event channel, its grants.
 *
 * Talks to vif_ctrl, gcopy and libdom0.  Runs in the control thread.
 * Invariants:
 *  1. The channel has an event descriptor of its own, so the data rings'
 *     events, which nobody serves, do not wake the thread.
 *  2. A vif is served without a control ring that cannot be had: one that a
 *     killed driver left behind is nothing to the guest's next driver, which
 *     may not know of control rings at all.
 *  3. The kernel keeps a channel masked from its event to our unmask; that
 *     is all that a storm of events can do.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "netback/gcopy.h"
#include "netback/vif_ctrl.h"
#include "netback/vif_log.h"
#include "tools/libdom0/xenbus.h"

struct xen_ctrl {
    xengnttab_handle *gnttab;   /* borrowed */
    domid_t domid;
    xenevtchn_handle *evtchn;
    struct access *access;
    int port;                   /* -1: not bound */
};

static void mask(void *self)
{
    struct xen_ctrl *x = self;

    /* Masked by the kernel when it put the port here. */
    (void)xenevtchn_pending(x->evtchn);
}

static void unmask(void *self)
{
    struct xen_ctrl *x = self;

    (void)xenevtchn_unmask(x->evtchn, (evtchn_port_t)x->port);
}

static void *map(void *self, grant_ref_t ref, bool readonly)
{
    const struct xen_ctrl *x = self;

    return xengnttab_map_grant_ref(x->gnttab, x->domid, ref,
                                   readonly ? PROT_READ
                                            : PROT_READ | PROT_WRITE);
}

static void unmap(void *self, void *page)
{
    const struct xen_ctrl *x = self;

    xengnttab_unmap(x->gnttab, page, 1);
}

static void destroy(void *self)
{
    struct xen_ctrl *x = self;

    if (x->access != NULL) {
        x->access->ops->destroy(x->access);
    }
    if (x->evtchn != NULL) {
        if (x->port >= 0) {
            xenevtchn_unbind(x->evtchn, (evtchn_port_t)x->port);
        }
        xenevtchn_close(x->evtchn);
    }
    free(x);
}

static int bind(struct xen_ctrl *x, evtchn_port_t channel, const char **why)
{
    int fd;

    *why = "cannot open /dev/xen/evtchn";
    x->evtchn = xenevtchn_open(NULL, 0);
    if (x->evtchn == NULL) {
        return -errno;
    }
    fd = xenevtchn_fd(x->evtchn);
    if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK) != 0) {
        return -errno;
    }
    *why = "the frontend's event-channel-ctrl cannot be bound";
    x->port = xenevtchn_bind_interdomain(x->evtchn, x->domid, channel);
    return x->port < 0 ? -errno : 0;
}

static int prepare(struct vif *vif, struct xen_ctrl *x,
                   evtchn_port_t channel, const char **why)
{
    struct gcopy_config config = {
        .domid = vif->config.domid, .gnttab = vif->gnttab, .by_ioctl = true,
    };
    int error = bind(x, channel, why);

    if (error != 0) {
        return error;
    }
    config.evtchn = x->evtchn;
    x->access = gcopy_create(&config, why);
    return x->access == NULL ? -errno : 0;
}

static int connect_ring(struct vif *vif, struct xs_handle *xs,
                        uint16_t queue_count, const char **why)
{
    struct vif_ctrl_transport transport = {
        .mask = mask, .unmask = unmask, .map = map, .unmap = unmap,
        .destroy = destroy,
    };
    unsigned long ref, channel;
    struct xen_ctrl *x;
    int error;

    if (xenbus_read_number(xs, vif->frontend, "ctrl-ring-ref", UINT32_MAX,
                           &ref) != 0) {
        return 0;
    }
    *why = "the frontend gives a ctrl-ring-ref but no event-channel-ctrl";
    if (xenbus_read_number(xs, vif->frontend, "event-channel-ctrl",
                           UINT32_MAX, &channel) != 0) {
        return -EINVAL;
    }
    *why = "no memory";
    x = calloc(1, sizeof(*x));
    if (x == NULL) {
        return -ENOMEM;
    }
    *x = (struct xen_ctrl){
        .gnttab = vif->gnttab, .domid = vif->config.domid, .port = -1,
    };
    error = prepare(vif, x, (evtchn_port_t)channel, why);
    if (error != 0) {
        destroy(x);
        return error;
    }
    transport.access = x->access;
    transport.ref = (grant_ref_t)ref;
    transport.port = x->port;
    transport.fd = xenevtchn_fd(x->evtchn);
    transport.self = x;
    return vif_ctrl_open(vif, &transport, queue_count, why);
}

int vif_ctrl_connect(struct vif *vif, struct xs_handle *xs,
                     uint16_t queue_count, const char **why)
{
    int error = connect_ring(vif, xs, queue_count, why);

    if (error != 0 && error != -ENOMEM) {
        VIF_LOG(WARNING, vif->name, "goes without its control ring: %s",
                *why);
        return 0;
    }
    return error;
}
