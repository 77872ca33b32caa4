/* SPDX-License-Identifier: GPL-2.0-only */
/* vif_ctrl.h's control rings, which are opened and never served. */
#ifndef TESTS_FAKE_VIF_CTRL_H
#define TESTS_FAKE_VIF_CTRL_H

#include <stdint.h>

#include "netback/vif_ctrl.h"

extern struct fake_vif_ctrl {
    unsigned int opened;
    int error;                  /* in: what vif_ctrl_open returns */
    struct vif *vif;            /* as the last one was given */
    struct vif_ctrl_transport transport;
    uint16_t queue_count;
} fake_vif_ctrl;                /* a test may reset it */

#endif
