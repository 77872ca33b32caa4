/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What holds of hv/core whenever no hypercall is under way: counted anew from
 * all p2ms, grants, ports and vcpus, and compared with the records.
 *
 *  - A frame has a reference for its allocation, and one for each use.
 *  - A domain's RAM is owned by it, and each frame is in one place of its p2m.
 *  - A grant's pins are its mappings.
 *  - Two ports that are bound name each other; a virtual interrupt's port and
 *    its vcpu's table do, too.
 *  - Accounts of pages, ports, grant and handle frames are right, and within
 *    their limits.
 */
#ifndef TESTS_UNIT_CORE_CHECK_H
#define TESTS_UNIT_CORE_CHECK_H

/* A new machine, whose dom0 has its memory. */
void core_check_start(void);
/* What does not hold, for a person, or NULL. */
const char *core_check(void);

#endif
