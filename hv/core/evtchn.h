/* SPDX-License-Identifier: GPL-2.0-only */
/* Event channels: ports, bindings and delivery (2-level and FIFO). */
#ifndef CORE_EVTCHN_H
#define CORE_EVTCHN_H

#include "core/types.h"
#include "core/xen_abi.h"

int evtchn_create(struct domain *d);
/* Closes every port; bounded: 0 or -ERESTART. */
int evtchn_relinquish(struct domain *d);
void evtchn_destroy(struct domain *d);
/*
 * Closes every port of a domain that does not run, 2-level again; while none
 * can be opened, its vcpus' records are reset.  Bounded: 0 or -ERESTART.
 */
int evtchn_soft_reset(struct domain *d);
int evtchn_vcpu_create(struct vcpu *v);
void evtchn_vcpu_destroy(struct vcpu *v);

/* Sends a virq of 'v' (per-vcpu) or of its domain; unbound: nothing. */
void evtchn_virq_vcpu(struct vcpu *v, uint32_t virq);
/* A global virq (VIRQ_DOM_EXC, VIRQ_CONSOLE, ...): to who bound it. */
void evtchn_virq_global(uint32_t virq);
/* The current domain sends on its own port: EVTCHNOP_send.  0 or -E. */
int evtchn_send(struct domain *d, evtchn_port_t port);
/* Is anything pending and unmasked for 'v'? */
bool evtchn_is_upcall_pending(const struct vcpu *v);
/* The vcpu moved its vcpu_info: redeliver what is pending. */
void evtchn_rebind_info(struct vcpu *v);
/* Pending on one port: SCHEDOP_poll. */
bool evtchn_is_pending(struct domain *d, evtchn_port_t port);

/*
 * The current vcpu starts to poll: for 'port', or, if negative, for any of
 * many.  It then says that it is blocked, and looks at the ports.
 */
void evtchn_poll_start(struct vcpu *v, int port);
bool evtchn_is_polling(const struct vcpu *v);
/* Ends a poll of 'v': true for one caller, false if there is none. */
bool evtchn_poll_end(struct vcpu *v);

/* The hypercall: evtchn_op.c. */
long evtchn_op(unsigned int cmd, struct guest_ptr arg);

/* Toolstack: highest usable port of 'd' (DOMCTL create max_evtchn_port). */
int evtchn_set_max_port(struct domain *d, uint32_t max_port);
/* Who gets a global virq instead of dom0 (DOMCTL set_virq_handler): 0/-E. */
int evtchn_set_virq_handler(struct domain *d, uint32_t virq);
/* A domain goes away: its global virqs are dom0's again. */
void evtchn_clear_virq_handlers(struct domain *d);

#endif
