/* SPDX-License-Identifier: GPL-2.0-only */
/* See vif_ctrl.h.  The transport is given back at once. */
#include "tests/fake/vif_ctrl.h"

struct fake_vif_ctrl fake_vif_ctrl;

int vif_ctrl_open(struct vif *vif, const struct vif_ctrl_transport *transport,
                  uint16_t queue_count, const char **why)
{
    fake_vif_ctrl.opened++;
    fake_vif_ctrl.vif = vif;
    fake_vif_ctrl.transport = *transport;
    fake_vif_ctrl.queue_count = queue_count;
    *why = "the ring is no good";
    transport->destroy(transport->self);
    return fake_vif_ctrl.error;
}

void vif_ctrl_close(struct vif *vif)
{
    (void)vif;
}
