/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gcopy.h's access to the guest of xen.h: it maps, every copy fails, and
 * events go nowhere.
 */
#ifndef TESTS_FAKE_GCOPY_H
#define TESTS_FAKE_GCOPY_H

#include "netback/gcopy.h"

extern int fake_gcopy_held;                     /* made and not destroyed */
extern struct gcopy_config fake_gcopy_config;   /* of the last one */

#endif
