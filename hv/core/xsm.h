/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Who may do what.  Every privileged operation passes exactly one of these
 * named checks: 0 or -EPERM.  The policy here: dom0 may do all, a domain may
 * do what concerns itself.
 */
#ifndef CORE_XSM_H
#define CORE_XSM_H

#include "core/types.h"

/* 'cur' is the calling domain; 't' the one acted on. */
int xsm_domctl(struct domain *cur, struct domain *t, uint32_t cmd);
int xsm_sysctl(struct domain *cur, uint32_t cmd);
int xsm_platform_op(struct domain *cur, uint32_t cmd);
int xsm_physdev_op(struct domain *cur, uint32_t cmd);
int xsm_mca(struct domain *cur);
int xsm_memory_adjust(struct domain *cur, struct domain *t);
int xsm_memory_foreign(struct domain *cur, struct domain *t);
int xsm_memory_resource(struct domain *cur, struct domain *t);
int xsm_memory_m2p(struct domain *cur);
int xsm_memory_window(struct domain *cur, struct domain *t);
int xsm_memory_claim(struct domain *cur, struct domain *t);
int xsm_grant_query(struct domain *cur, struct domain *t);
int xsm_grant_setup(struct domain *cur, struct domain *t);
int xsm_grant_map(struct domain *cur, struct domain *t);
int xsm_grant_copy(struct domain *cur, struct domain *t);
int xsm_evtchn_alloc(struct domain *cur, struct domain *t);
int xsm_evtchn_bind(struct domain *cur, struct domain *t);
int xsm_evtchn_send(struct domain *cur, struct domain *t);
int xsm_evtchn_status(struct domain *cur, struct domain *t);
int xsm_evtchn_reset(struct domain *cur, struct domain *t);
int xsm_evtchn_global_virq(struct domain *cur, uint32_t virq);
int xsm_hvm_param(struct domain *cur, struct domain *t, uint32_t index,
                  bool set);
int xsm_console_io(struct domain *cur, unsigned int cmd);
int xsm_sched_remote_shutdown(struct domain *cur, struct domain *t);
int xsm_version(struct domain *cur, unsigned int cmd);

#endif
