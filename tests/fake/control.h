/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A control thread without a thread: what is given to it waits for the test,
 * what is taken away is released at once, with the fake XenStore.
 */
#ifndef TESTS_FAKE_CONTROL_H
#define TESTS_FAKE_CONTROL_H

#define FAKE_CONTROL_ID 7u

extern unsigned int fake_control_kicks;     /* a test may reset it */

#endif
