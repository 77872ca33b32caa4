/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HYPERVISOR_vm_assist: behaviour that a guest asks for.  The only one that
 * means something to a PVH guest is the update mark in its runstate area.  To
 * a PV guest its IOPL means something, too (pvkern/bounce.c); it has its page
 * tables writable whether it asks or not, and the others are of 32-bit ones,
 * or nothing here.
 */
#include "core/domain.h"
#include "core/hypercall.h"
#include "core/vcpu.h"
#include "lib/errno.h"

#define VALID_TYPES (1ul << VMASST_TYPE_runstate_update_flag)
#define VALID_PV_TYPES (VALID_TYPES | 1ul << VMASST_TYPE_4gb_segments      \
                        | 1ul << VMASST_TYPE_4gb_segments_notify           \
                        | 1ul << VMASST_TYPE_writable_pagetables           \
                        | 1ul << VMASST_TYPE_pae_extended_cr3              \
                        | 1ul << VMASST_TYPE_architectural_iopl            \
                        | 1ul << VMASST_TYPE_m2p_strict)

uint64_t vm_assist_valid(const struct domain *d)
{
    return d->is_pv ? VALID_PV_TYPES : VALID_TYPES;
}

long vm_assist(unsigned int cmd, unsigned int type)
{
    struct domain *d = vcpu_current()->domain;

    if (type >= 64 || !(vm_assist_valid(d) >> type & 1)) {
        return -EINVAL;
    }
    switch (cmd) {
    case VMASST_CMD_enable:
        (void)__atomic_fetch_or(&d->vm_assist, 1ul << type, __ATOMIC_SEQ_CST);
        return 0;
    case VMASST_CMD_disable:
        (void)__atomic_fetch_and(&d->vm_assist, ~(1ul << type),
                                 __ATOMIC_SEQ_CST);
        return 0;
    default:
        return -ENOSYS;
    }
}
