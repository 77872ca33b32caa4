/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtual CPU and its life cycle.
 *
 *   create --> DOWN --VCPUOP_up / SIPI / build--> RUNNABLE <--> BLOCKED
 *                ^--- VCPUOP_down / INIT / reset ----'
 *   Whether it runs: not down, not blocked, no pause counts (its own and its
 *   domain's), its domain not shutting down; or settling.  vcpu_wake() and
 *   vcpu_sleep_nosync() tell the scheduler.
 */
#ifndef CORE_VCPU_H
#define CORE_VCPU_H

#include "core/sched.h"
#include "core/timer.h"
#include "core/types.h"
#include "core/xen_abi.h"
#include "lib/atomic.h"

struct vcpu {
    unsigned int id;                /* [I] */
    struct domain *domain;          /* [I] borrowed: the domain owns us */

    /* Why it may not run. */
    bool is_down;                   /* [a] VPF_down: not yet or no more up */
    bool is_blocked;                /* [a] waits for an event */
    uint32_t pause_count;           /* [a] */
    bool is_initialised;            /* [d] has registers */
    bool is_settling;               /* [a] runs on though it may not */
    bool defers_shutdown;           /* [a] the same; domain_shutdown.c [d] */
    uint64_t defers_from;           /* [d] from then on: its run time */
    uint64_t settle_from;           /* domain_settle(): its run time, or 0 */
    /* If it polls (evtchn's poll mask): > 0 one port, < 0 any of many. */
    int poll_port;                  /* [a] it alone writes */

    struct sched_vcpu sched;        /* [m] run queue membership, credit */
    struct vcpu_runstate_info runstate; /* [m] sched: under the rq lock */
    struct guest_ptr runstate_guest;    /* [o] VCPUOP_register_runstate */
    struct guest_ptr time_guest;    /* [o] VCPUOP_register_vcpu_time */
    uint32_t time_version;          /* [o] of the record there */
    bool is_time_due;               /* [o] the record there is an old one */

    /* The guest's record: in shared_info, or in a registered page. */
    vcpu_info_t *info;              /* [a] never NULL after create */
    struct frame *info_frame;       /* [d] referenced when registered */
    vcpu_info_t *info_private;      /* [I] for ids that shared_info lacks */

    struct timer singleshot;        /* VCPUOP_set_singleshot_timer */
    struct timer periodic;          /* VCPUOP_set_periodic_timer */
    uint64_t periodic_ns;           /* [o] 0: none */
    struct timer poll_timer;        /* SCHEDOP_poll time-out */

    struct evtchn_vcpu *evtchn;     /* [m] virq bindings, FIFO queues */

    /* The entry that runs, when inside a multicall.  hypercall.c [o] */
    struct multicall_entry *multicall;
    /* Counters for xentop and tools. [o] */
    uint64_t exits, hypercalls;

    struct arch_vcpu *arch;         /* [m] */
};

/* The vcpu that runs on this CPU, or its idle vcpu's NULL. */
struct vcpu *vcpu_current(void);

/*
 * Makes vcpu 'id' of 'd': DOWN, with a time record.
 * 0, -EINVAL, -EEXIST, -ENOMEM.
 */
int vcpu_create(struct domain *d, unsigned int id);
/* Frees it; the domain is dying and nothing runs.  Accepts NULL. */
void vcpu_destroy(struct vcpu *v);

/*
 * Back to the record that it was created with; the page that was registered
 * goes.  The domain does not run and no port of it is open.
 */
void vcpu_release_info(struct vcpu *v);
/* The same, and the record tells of no events: as after vcpu_create(). */
void vcpu_reset_info(struct vcpu *v);

bool vcpu_is_runnable(const struct vcpu *v);
/* An event or a state change may have made 'v' runnable. */
void vcpu_wake(struct vcpu *v);
/* Clears is_blocked, then wakes: the event path. */
void vcpu_unblock(struct vcpu *v);
/* Blocks the current vcpu unless an event is pending; ends any poll. */
void vcpu_block(struct vcpu *v);
/* Makes 'v' come up / go down (VCPUOP_up, SIPI, VCPUOP_down, INIT). */
int vcpu_up(struct vcpu *v);
void vcpu_down(struct vcpu *v);
/*
 * Down, and without registers: as after vcpu_create(), but for its records,
 * areas and timers.  Not the current one; no lock is held.
 */
void vcpu_reset(struct vcpu *v);
/* Pauses 'v' and waits until it does not run. */
void vcpu_pause(struct vcpu *v);
void vcpu_pause_nosync(struct vcpu *v);
void vcpu_unpause(struct vcpu *v);
/*
 * 'v', of a domain that does not run but for this, goes on to where its
 * registers are its guest's (arch_vcpu_is_between()).  False: not there yet.
 * True as well once it had a second for it, which no honest one needs.
 */
bool vcpu_settle(struct vcpu *v);
#define VCPU_SETTLE_NS 1000000000u

/*
 * From the machine's side, of the current one: is it to get there?  If so it
 * is on its way, and waits for no event meanwhile; or it is there, and is
 * not to be entered.
 */
static inline bool vcpu_is_to_settle(const struct vcpu *v)
{
    return READ_ONCE(v->is_settling) || READ_ONCE(v->defers_shutdown);
}
void vcpu_settles(struct vcpu *v);
void vcpu_settled(struct vcpu *v);

/* How long 'v' has run since it was created, in ns. */
uint64_t vcpu_run_time(struct vcpu *v);

#endif
