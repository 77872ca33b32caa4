/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A domain: a guest's memory, vcpus, grants and event channels.
 *
 *   create -> BUILDING --unpause-> RUNNING --kill-> DYING --last ref-> gone
 *      |          |                     |                ^
 *      '- -E      '---------------------+--domain_kill()-'
 *   A guest that stops itself is is_shut_down in RUNNING, once none of its
 *   vcpus will run on (drawn in domain_shutdown.c); the toolstack then kills
 *   it, or lets it go on: domain_resume(), domain_soft_reset().
 *   domain_kill() relinquishes in bounded steps (-ERESTART).
 *
 * Locks: see core/lock.h.  Member tags:
 *   [I] immutable after create  [d] d->lock  [a] atomic  [o] owner CPU only
 *   [m] owned by the named module, which locks it
 */
#ifndef CORE_DOMAIN_H
#define CORE_DOMAIN_H

#include "core/timer.h"
#include "core/types.h"
#include "core/xen_abi.h"
#include "lib/list.h"
#include "lib/spinlock.h"

enum domain_state { DOMAIN_BUILDING, DOMAIN_RUNNING, DOMAIN_DYING,
                    DOMAIN_DEAD };

#define DOMAIN_HVM_PARAMS HVM_NR_PARAMS
#define DOMAIN_NO_SHUTDOWN_CODE 0xffu   /* as the toolstack sees it, too */

struct domain {
    domid_t id;                     /* [I] */
    bool is_privileged;             /* [I] dom0: all of core/xsm says yes */
    bool is_direct_mapped;          /* [I] gfn == mfn for its RAM */
    bool is_pv;                     /* [I] a PV guest in its container */
    uint32_t refs;                  /* [a] see domain_get() */
    struct list_node all_link;      /* by id; domain list lock */
    struct domain *next_dead;       /* in the list for domain_reap() */

    spinlock_t lock;                /* LOCK_RANK_DOMAIN */
    uint32_t state;                 /* [a] enum domain_state, writes by [d] */
    unsigned int kill_stage;        /* domain_kill(): how far it is [a] */
    bool is_killing;                /* one caller of domain_kill() [a] */
    unsigned int reset_stage;       /* domain_soft_reset(): one at a time */
    bool is_shutting_down;          /* [d] its vcpus are to stop */
    bool is_shut_down;              /* [d] they have */
    struct timer rest_timer;        /* domain_shutdown.c: who never rests */
    uint8_t shutdown_code;          /* [d] SHUTDOWN_*, or what follows */
    uint32_t pause_count;           /* [a] vcpus run only when 0 */
    uint32_t controller_pauses;     /* [d] pauses by the toolstack, <= 255 */
    bool controller_paused;         /* [d] created paused or domctl pause */
    bool is_controlled;             /* [a] domctl.c: an operation is at it */
    uint8_t handle[16];             /* [d] the toolstack's UUID */
    uint32_t ssidref;               /* [d] */
    uint32_t create_flags;          /* [I] XEN_DOMCTL_CDF_* */
    struct xen_domctl_createdomain config; /* [I] as given */

    unsigned int max_vcpus;         /* [I] */
    struct vcpu **vcpu;             /* [I] max_vcpus slots, each set once */

    /* Memory accounts, in frames; page_alloc and p2m keep them. */
    uint64_t max_pages;             /* [d] limit for tot_pages */
    uint64_t tot_pages;             /* [a] frames owned and allocated */
    uint64_t outstanding_pages;     /* page_alloc: claimed, not allocated */

    shared_info_t *shared_info;     /* [I] a frame that core owns */
    uint32_t wc_version;            /* wallclock seqlock owner: time.c */
    int64_t time_offset_seconds;    /* [d] guest wall clock offset */
    uint64_t vm_assist;             /* [d] */
    uint64_t hvm_params[DOMAIN_HVM_PARAMS]; /* [d] hvm_op */

    struct p2m *p2m;                /* [m] */
    struct window *window;          /* [m] set once: others' windows on it */
    struct radix *views;            /* [m] set once: its windows on others */
    struct grant_table *grant;      /* [m] */
    struct evtchn_table *evtchn;    /* [m] */
    struct sched_domain *sched;     /* [m] weight and cap */
    struct domain_watchdog *watchdog; /* [a] sched_op; NULL: never asked */
    struct domain_console *console; /* [m] console_io line buffer */
    struct arch_domain *arch;       /* [m] machine part */
    struct e820_map *e820;          /* [m] physmap_op: guest's memory map */
};

/* The boot domain; NULL before it is created.  [I] */
extern struct domain *dom0;

/*
 * Makes a domain with 'id' (or DOMID_INVALID: the next free) from the
 * toolstack's 'config'; vcpus are made later by vcpu_create().  Returns 0
 * and a reference in '*out', or -EINVAL, -EEXIST, -ENOMEM.
 */
int domain_create(domid_t id, const struct xen_domctl_createdomain *config,
                  bool privileged, struct domain **out);

/* A counted reference by domid, or NULL; DOMID_SELF is not accepted. */
struct domain *domain_get_by_id(domid_t id);
/* The same, where DOMID_SELF means the current domain. */
struct domain *domain_get_any(domid_t id);
/* The first live domain with id >= 'id', referenced, or NULL. */
struct domain *domain_get_next(domid_t id);
void domain_get(struct domain *d);
/*
 * Accepts NULL.  Any lock may be held: a domain without references is only
 * listed, and freed by domain_reap().
 */
void domain_put(struct domain *d);
/*
 * Frees domains without references, a bounded part at a time; from the loop
 * of a CPU, which is kicked to do so, no lock held.
 */
void domain_reap(void);
/* Before the first domain. */
void domain_module_init(void);

/* Makes vcpu_is_runnable() false for all and waits until none runs. */
void domain_pause(struct domain *d);
/* The same, but does not wait: for use by the domain's own vcpu. */
void domain_pause_nosync(struct domain *d);
void domain_unpause(struct domain *d);
/*
 * Lets all vcpus of 'd', which the caller paused, come to where they have
 * their guest's registers: one may wait for what another holds.  0, or
 * -ERESTART: it goes on by itself, to be asked for again.
 */
int domain_settle(struct domain *d);
/* Pause counted for the toolstack (XEN_DOMCTL_pausedomain): 0 or -E. */
int domain_pause_by_controller(struct domain *d);
int domain_unpause_by_controller(struct domain *d);

/*
 * The guest stops itself with a SHUTDOWN_* code, if it did not say another one
 * before; tells VIRQ_DOM_EXC once it has stopped.  No lock is held.
 */
void domain_shutdown(struct domain *d, uint8_t code);
/* Of domain_create(). */
void domain_shutdown_init(struct domain *d);
/* 'v' need not run on for the domain to have shut down.  No lock is held. */
void domain_vcpu_rests(struct vcpu *v);
/* A guest did what cannot be answered: log once, SHUTDOWN_crash. */
void domain_crash(struct domain *d, const char *why);

/* One that has shut down goes on where it was; not the current domain. */
void domain_resume(struct domain *d);
/*
 * The same, but for its next kernel, which is in its memory: without events,
 * areas and timers of the former (domain_reset.c).  -EINVAL unless it is a
 * PVH guest that has shut down and that the toolstack holds paused; -ENOMEM
 * (it stays shut down); -ERESTART to be called again.
 */
int domain_soft_reset(struct domain *d);

/*
 * Takes the domain down.  0 when all is given back, -ERESTART to be called
 * again (bounded work per call), -EINVAL for dom0.
 */
int domain_kill(struct domain *d);

static inline bool domain_is_dying(const struct domain *d)
{
    return __atomic_load_n(&d->state, __ATOMIC_ACQUIRE) >= DOMAIN_DYING;
}

#endif
