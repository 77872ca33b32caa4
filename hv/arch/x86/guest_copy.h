/* SPDX-License-Identifier: GPL-2.0-only */
/* A guest's virtual addresses; guest_read/guest_write are core/arch.h's. */
#ifndef X86_GUEST_COPY_H
#define X86_GUEST_COPY_H

#include "core/types.h"

/*
 * As guest_read() and guest_write(), but as an instruction of the current vcpu
 * would: with the rights of its mode.
 */
int guest_copy_load(void *dst, struct guest_ptr src, size_t size);
int guest_copy_store(struct guest_ptr dst, const void *src, size_t size);

#endif
