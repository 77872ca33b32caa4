/* SPDX-License-Identifier: GPL-2.0-only */
/* Pure: which descriptors a guest may have.  Tested on the host. */
#ifndef PVKERN_DESCRIPTOR_H
#define PVKERN_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Makes '*descriptor' one that CPL 3 may load without gaining anything: DPL
 * 3, and never a gate or a system segment.  False: it cannot be made so.
 */
bool descriptor_fix(uint64_t *descriptor);

#endif
