/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The policy: a privileged domain may do everything, any domain what concerns
 * itself alone, and a domain may use a channel or a grant that its peer gave
 * it.  One function a question; xsm_op is the hypercall of a policy module,
 * which is not loaded.
 */
#include "core/xsm.h"
#include "core/domain.h"
#include "core/hypercall.h"
#include "core/xen_abi.h"
#include "lib/errno.h"

static int control(const struct domain *cur)
{
    return cur->is_privileged ? 0 : -EPERM;
}

static int self_or_control(const struct domain *cur, const struct domain *t)
{
    return cur == t ? 0 : control(cur);
}

int xsm_domctl(struct domain *cur, struct domain *t, uint32_t cmd)
{
    (void)t;
    (void)cmd;
    return control(cur);
}

int xsm_sysctl(struct domain *cur, uint32_t cmd)
{
    (void)cmd;
    return control(cur);
}

int xsm_platform_op(struct domain *cur, uint32_t cmd)
{
    (void)cmd;
    return control(cur);
}

int xsm_physdev_op(struct domain *cur, uint32_t cmd)
{
    (void)cmd;
    return control(cur);
}

int xsm_mca(struct domain *cur)
{
    return control(cur);
}

int xsm_memory_adjust(struct domain *cur, struct domain *t)
{
    return self_or_control(cur, t);
}

int xsm_memory_foreign(struct domain *cur, struct domain *t)
{
    (void)t;
    return control(cur);
}

int xsm_memory_resource(struct domain *cur, struct domain *t)
{
    (void)t;
    return control(cur);
}

/* The M2P, for who saves and restores PV domains. */
int xsm_memory_m2p(struct domain *cur)
{
    return control(cur);
}

/* Whoever has a window sees and writes all RAM that 't' has. */
int xsm_memory_window(struct domain *cur, struct domain *t)
{
    (void)t;
    return control(cur);
}

int xsm_memory_claim(struct domain *cur, struct domain *t)
{
    (void)t;
    return control(cur);
}

int xsm_grant_query(struct domain *cur, struct domain *t)
{
    return self_or_control(cur, t);
}

int xsm_grant_setup(struct domain *cur, struct domain *t)
{
    return self_or_control(cur, t);
}

/* Whether 't' granted a frame to 'cur' is what the entry says. */
int xsm_grant_map(struct domain *cur, struct domain *t)
{
    (void)cur;
    (void)t;
    return 0;
}

int xsm_grant_copy(struct domain *cur, struct domain *t)
{
    (void)cur;
    (void)t;
    return 0;
}

int xsm_evtchn_alloc(struct domain *cur, struct domain *t)
{
    return self_or_control(cur, t);
}

/* 't' allocated its end for 'cur', which evtchn.c checks. */
int xsm_evtchn_bind(struct domain *cur, struct domain *t)
{
    (void)cur;
    (void)t;
    return 0;
}

int xsm_evtchn_send(struct domain *cur, struct domain *t)
{
    (void)cur;
    (void)t;
    return 0;
}

int xsm_evtchn_status(struct domain *cur, struct domain *t)
{
    return self_or_control(cur, t);
}

int xsm_evtchn_reset(struct domain *cur, struct domain *t)
{
    return self_or_control(cur, t);
}

/* Binding gives nothing: a global virq goes to its one handler only. */
int xsm_evtchn_global_virq(struct domain *cur, uint32_t virq)
{
    (void)cur;
    (void)virq;
    return 0;
}

/* Parameters that a guest may set for itself. */
static bool is_guest_settable(uint32_t index)
{
    switch (index) {
    case HVM_PARAM_CALLBACK_IRQ:
    case HVM_PARAM_VM86_TSS:
    case HVM_PARAM_VM86_TSS_SIZED:
    case HVM_PARAM_ACPI_IOPORTS_LOCATION:
    case HVM_PARAM_VM_GENERATION_ID_ADDR:
    case HVM_PARAM_STORE_EVTCHN:
    case HVM_PARAM_CONSOLE_EVTCHN:
    case HVM_PARAM_X87_FIP_WIDTH:
        return true;
    default:
        return false;
    }
}

int xsm_hvm_param(struct domain *cur, struct domain *t, uint32_t index,
                  bool set)
{
    if (cur != t) {
        return control(cur);
    }
    if (is_guest_settable(index)) {
        return 0;
    }
    if (!set && (index == HVM_PARAM_STORE_PFN ||
                 index == HVM_PARAM_CONSOLE_PFN)) {
        return 0;
    }
    return -EPERM;
}

int xsm_console_io(struct domain *cur, unsigned int cmd)
{
    (void)cmd;
    return control(cur);
}

int xsm_sched_remote_shutdown(struct domain *cur, struct domain *t)
{
    (void)t;
    return control(cur);
}

int xsm_version(struct domain *cur, unsigned int cmd)
{
    switch (cmd) {
    case XENVER_commandline:
    case XENVER_build_id:
        return control(cur);
    default:
        return 0;
    }
}

long xsm_op(struct guest_ptr arg)
{
    (void)arg;
    return -ENOSYS;
}
