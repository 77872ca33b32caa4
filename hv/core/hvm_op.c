/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HYPERVISOR_hvm_op: the parameters that the toolstack and a PVH guest tell
 * each other through us, the callback by which events interrupt, time.
 * xsm_hvm_param() says which parameter is whose.
 *
 *  1. hvm_params[] holds values that nobody follows as addresses: they are
 *     data, except the ones that set_param() names.
 *  2. There is no device model, so what serves only one is refused.
 */
#include "core/arch.h"
#include "core/domain.h"
#include "core/evtchn.h"
#include "core/hypercall.h"
#include "core/p2m.h"
#include "core/vcpu.h"
#include "core/xsm.h"
#include "lib/errno.h"
#include "lib/nospec.h"
#include "lib/string.h"

/* HVMPTM_* of hvm/params.h: the last mode. */
#define TIMER_MODE_MAX 3u

/* Is 'value' one that the parameter may have?  0 or -E. */
static int check_value(uint32_t index, uint64_t value)
{
    switch (index) {
    case HVM_PARAM_TIMER_MODE:
        return value <= TIMER_MODE_MAX ? 0 : -EINVAL;
    case HVM_PARAM_VIRIDIAN:
    case HVM_PARAM_NESTEDHVM:
    case HVM_PARAM_ALTP2M:
    case HVM_PARAM_MCA_CAP:
    case HVM_PARAM_ACPI_S_STATE:
    case HVM_PARAM_NR_IOREQ_SERVER_PAGES:
        /* Features that we lack may be switched off. */
        return value == 0 ? 0 : -EINVAL;
    case HVM_PARAM_X87_FIP_WIDTH:
        return value == 0 || value == 4 || value == 8 ? 0 : -EINVAL;
    case HVM_PARAM_DM_DOMAIN:
    case HVM_PARAM_BUFIOREQ_EVTCHN:
    case HVM_PARAM_MEMORY_EVENT_CR0:
    case HVM_PARAM_MEMORY_EVENT_CR3:
    case HVM_PARAM_MEMORY_EVENT_CR4:
    case HVM_PARAM_MEMORY_EVENT_INT3:
    case HVM_PARAM_MEMORY_EVENT_SINGLE_STEP:
    case HVM_PARAM_MEMORY_EVENT_MSR:
        /* Deprecated by the ABI. */
        return -EPERM;
    default:
        return 0;
    }
}

/* What happens besides keeping the value: 0 or -E, nothing kept then. */
static int apply_value(struct domain *d, uint32_t index, uint64_t value)
{
    if (index == HVM_PARAM_CALLBACK_IRQ) {
        return arch_domain_set_callback(d, value);
    }
    return 0;
}

static long set_param(struct domain *d, uint32_t index, uint64_t value)
{
    int error = check_value(index, value);

    if (error == 0) {
        error = apply_value(d, index, value);
    }
    if (error == 0) {
        spin_lock(&d->lock);
        d->hvm_params[index] = value;
        spin_unlock(&d->lock);
    }
    return error;
}

static uint64_t get_param(struct domain *d, uint32_t index)
{
    uint64_t value;

    spin_lock(&d->lock);
    value = d->hvm_params[index];
    spin_unlock(&d->lock);
    return value;
}

static long op_param(struct domain *cur, struct guest_ptr arg, bool is_set)
{
    struct xen_hvm_param op;
    struct domain *d;
    uint32_t index;
    long error;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    if (op.index >= HVM_NR_PARAMS) {
        return -EINVAL;
    }
    index = index_nospec(op.index, HVM_NR_PARAMS);
    d = domain_get_any(op.domid);
    if (d == NULL) {
        return -ESRCH;
    }
    error = xsm_hvm_param(cur, d, index, is_set);
    if (error == 0 && is_set) {
        error = set_param(d, index, op.value);
    } else if (error == 0) {
        op.value = get_param(d, index);
        error = guest_write(arg, &op, sizeof(op));
    }
    domain_put(d);
    return error;
}

static long get_time(struct guest_ptr arg)
{
    struct xen_hvm_get_time now = { .now = arch_time_now() };

    return guest_write(arg, &now, sizeof(now));
}

static long set_upcall_vector(struct domain *d, struct guest_ptr arg)
{
    struct xen_hvm_evtchn_upcall_vector op;
    struct vcpu *v;
    int error;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    if (op.vector < 0x10) {
        return -EINVAL;
    }
    if (op.vcpu >= d->max_vcpus) {
        return -ENOENT;
    }
    v = d->vcpu[index_nospec(op.vcpu, d->max_vcpus)];
    if (v == NULL) {
        return -ENOENT;
    }
    error = arch_vcpu_set_upcall_vector(v, op.vector);
    if (error == 0 && evtchn_is_upcall_pending(v)) {
        /* What came before there was a vector. */
        arch_vcpu_upcall(v);
    }
    return error;
}

long hvm_op(unsigned long cmd, struct guest_ptr arg)
{
    struct domain *d = vcpu_current()->domain;

    switch (cmd) {
    case HVMOP_set_param:
        return op_param(d, arg, true);
    case HVMOP_get_param:
        return op_param(d, arg, false);
    case HVMOP_flush_tlbs:
        if (!guest_ptr_is_null(arg)) {
            return -EINVAL;
        }
        p2m_flush(d);
        return 0;
    case HVMOP_get_time:
        return get_time(arg);
    case HVMOP_set_evtchn_upcall_vector:
        return set_upcall_vector(d, arg);
    case HVMOP_pagetable_dying:
        /* Useful to shadow page tables, which we do not have. */
        return -EINVAL;
    case HVMOP_guest_request_vm_event:
    case HVMOP_altp2m:
        return -EOPNOTSUPP;
    default:
        return -ENOSYS;
    }
}
