/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * THE lock order.  A lock may be taken only while every lock that this CPU
 * holds has a lower rank; spin_lock() checks it in debug and host builds.
 * Two locks of one rank: lower domid first, and only where a line says so.
 * No lock is held across guest_read(), guest_write() or a callback.
 */
#ifndef CORE_LOCK_H
#define CORE_LOCK_H

enum lock_rank {
    LOCK_RANK_NONE = 0,     /* not checked */
    LOCK_RANK_DOMAIN_LIST,  /* creation and removal of domids */
    LOCK_RANK_DOMAIN,       /* a domain's life cycle, pauses, limits */
    LOCK_RANK_GRANT_MAP,    /* a mapper's handles: before any table it maps */
    LOCK_RANK_GRANT,        /* a grant table's active entries */
    LOCK_RANK_EVTCHN,       /* a domain's event channels; pairs by domid */
    LOCK_RANK_VIRQ,         /* per-vcpu virq bindings, global virqs */
    LOCK_RANK_PORT,         /* one event channel; two: lower domid first */
    LOCK_RANK_EVTCHN_QUEUE, /* a vcpu's FIFO queues; pairs by vcpu id */
    LOCK_RANK_P2M,          /* a domain's p2m updates, after grants; the M2P */
    LOCK_RANK_WINDOW,       /* a target's windows: in its or a mapper's p2m */
    LOCK_RANK_IRQ,          /* vioapic, vpci, host vectors */
    LOCK_RANK_VLAPIC,       /* a virtual local APIC: wakes its vcpu */
    LOCK_RANK_SCHED,        /* a run queue; pairs by CPU number */
    LOCK_RANK_TIMER,        /* a CPU's timer heap */
    LOCK_RANK_PAGE_ALLOC,   /* free lists: anyone may free a frame */
    LOCK_RANK_KMEM,         /* the small-object allocator, below nothing */
    LOCK_RANK_CONSOLE,      /* printing is allowed everywhere */
    LOCK_RANK_COUNT
};

#endif
