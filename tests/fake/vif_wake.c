/* SPDX-License-Identifier: GPL-2.0-only */
/* vif_wake.c where nobody sleeps. */
#include "netback/vif.h"

void vif_wake_open(struct vif *vif, unsigned int queue)
{
    (void)vif;
    (void)queue;
}

void vif_wake_close(struct vif *vif, unsigned int queue)
{
    (void)vif;
    (void)queue;
}
