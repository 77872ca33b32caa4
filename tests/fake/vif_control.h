/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Descriptors that wake the control thread of vif_control.c, without the
 * thread: the test sleeps in its place.
 */
#ifndef TESTS_FAKE_VIF_CONTROL_H
#define TESTS_FAKE_VIF_CONTROL_H

extern unsigned int fake_vif_control_watched;   /* ever, since the reset */

/* Forget them all. */
void fake_vif_control_reset(void);

/* Sleep until there is something, as the thread does. */
void fake_vif_control_wait(int timeout_ms);

#endif
