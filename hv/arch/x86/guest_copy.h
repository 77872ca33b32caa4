/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest's virtual addresses; guest_read/guest_write are core/arch.h's. */
#ifndef X86_GUEST_COPY_H
#define X86_GUEST_COPY_H

#include "core/types.h"

/*
 * The guest-physical address behind 'va' in the current vcpu's address
 * space; 'write' asks for write access on every level.  0 or -EFAULT.
 */
int guest_copy_translate(struct vcpu *v, uint64_t va, bool write,
                         uint64_t *gpa);

#endif
