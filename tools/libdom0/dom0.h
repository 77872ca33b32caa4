/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What kind of domain this is, and what its kernel does with devices.
 */
#ifndef LIBDOM0_DOM0_H
#define LIBDOM0_DOM0_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The first of the device files that a backend needs and that is missing, or
 * NULL when all are there (so this kernel runs on Xen's ABI, as a backend).
 */
const char *dom0_missing_device(void);

/* Auto-translated: the frame numbers in pagemap are what hypercalls take. */
bool dom0_is_translated(void);

/*
 * Has a driver of the kernel bound backend device vif-<domid>-<handle>?
 * Its name is left in driver then.
 */
bool dom0_kernel_has_vif(unsigned int domid, unsigned int handle,
                         char *driver, size_t size);

#endif
