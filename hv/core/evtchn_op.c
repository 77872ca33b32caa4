/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HYPERVISOR_event_channel_op: one function per EVTCHNOP copies the argument
 * in, calls evtchn.c or evtchn_fifo.c, and copies results out.
 *
 *  1. The argument is read once; what is written back is the local copy.
 *  2. A result that cannot be written back leaves the port allocated, as in
 *     Xen: the guest can find it by EVTCHNOP_status.
 */
#include "core/arch.h"
#include "core/evtchn_table.h"
#include "core/xsm.h"
#include "lib/errno.h"

#define DEFINE_OUT_OP(name, type)                                       \
    static long op_##name(struct domain *d, struct guest_ptr arg)       \
    {                                                                   \
        type op;                                                        \
        int error;                                                      \
                                                                        \
        if (guest_read(&op, arg, sizeof(op)) != 0) {                    \
            return -EFAULT;                                             \
        }                                                               \
        error = evtchn_##name(d, &op);                                  \
        if (error == 0 && guest_write(arg, &op, sizeof(op)) != 0) {     \
            error = -EFAULT;                                            \
        }                                                               \
        return error;                                                   \
    }

DEFINE_OUT_OP(alloc_unbound, evtchn_alloc_unbound_t)
DEFINE_OUT_OP(bind_interdomain, evtchn_bind_interdomain_t)
DEFINE_OUT_OP(bind_virq, evtchn_bind_virq_t)
DEFINE_OUT_OP(bind_ipi, evtchn_bind_ipi_t)
DEFINE_OUT_OP(status, evtchn_status_t)
DEFINE_OUT_OP(fifo_init_control, evtchn_init_control_t)

static long op_close(struct domain *d, struct guest_ptr arg)
{
    evtchn_close_t op;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    return evtchn_close(d, op.port);
}

static long op_send(struct domain *d, struct guest_ptr arg)
{
    evtchn_send_t op;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    return evtchn_send(d, op.port);
}

static long op_bind_vcpu(struct domain *d, struct guest_ptr arg)
{
    evtchn_bind_vcpu_t op;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    return evtchn_bind_vcpu(d, op.port, op.vcpu);
}

static long op_unmask(struct domain *d, struct guest_ptr arg)
{
    evtchn_unmask_t op;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    return evtchn_unmask(d, op.port);
}

static long op_set_priority(struct domain *d, struct guest_ptr arg)
{
    evtchn_set_priority_t op;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    return evtchn_set_priority(d, op.port, op.priority);
}

static long op_expand_array(struct domain *d, struct guest_ptr arg)
{
    evtchn_expand_array_t op;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    return evtchn_fifo_expand_array(d, op.array_gfn);
}

/* Of another domain only while the toolstack keeps it paused. */
static long op_reset(struct domain *cur, struct guest_ptr arg)
{
    evtchn_reset_t op;
    struct domain *d;
    long error;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    d = domain_get_any(op.dom);
    if (d == NULL) {
        return -ESRCH;
    }
    error = xsm_evtchn_reset(cur, d);
    if (error == 0 && d != cur && d->controller_pauses == 0) {
        error = -EINVAL;
    }
    if (error == 0) {
        error = evtchn_reset(d);
    }
    domain_put(d);
    return error;
}

long evtchn_op(unsigned int cmd, struct guest_ptr arg)
{
    struct domain *d = vcpu_current()->domain;

    switch (cmd) {
    case EVTCHNOP_alloc_unbound:
        return op_alloc_unbound(d, arg);
    case EVTCHNOP_bind_interdomain:
        return op_bind_interdomain(d, arg);
    case EVTCHNOP_bind_virq:
        return op_bind_virq(d, arg);
    case EVTCHNOP_bind_ipi:
        return op_bind_ipi(d, arg);
    case EVTCHNOP_bind_pirq:
        /* No XENFEAT_hvm_pirqs: there is no pirq to name. */
        return -EINVAL;
    case EVTCHNOP_close:
        return op_close(d, arg);
    case EVTCHNOP_send:
        return op_send(d, arg);
    case EVTCHNOP_status:
        return op_status(d, arg);
    case EVTCHNOP_bind_vcpu:
        return op_bind_vcpu(d, arg);
    case EVTCHNOP_unmask:
        return op_unmask(d, arg);
    case EVTCHNOP_reset:
        return op_reset(d, arg);
    case EVTCHNOP_init_control:
        return op_fifo_init_control(d, arg);
    case EVTCHNOP_expand_array:
        return op_expand_array(d, arg);
    case EVTCHNOP_set_priority:
        return op_set_priority(d, arg);
    default:
        return -ENOSYS;
    }
}
