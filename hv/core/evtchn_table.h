/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What evtchn.c, evtchn_2l.c, evtchn_fifo.c and evtchn_op.c share: a port's
 * record, a domain's table, and the two ways to tell a guest.
 *
 * Member tags: [I] immutable  [t] table lock  [p] port lock
 *   [tp] written under both, read under either  [q] queue lock  [a] atomic
 */
#ifndef CORE_EVTCHN_TABLE_H
#define CORE_EVTCHN_TABLE_H

#include "core/domain.h"
#include "core/evtchn.h"
#include "core/frame.h"
#include "core/vcpu.h"
#include "lib/bitmap.h"
#include "lib/spinlock.h"

#define EVTCHN_2L_PORTS 4096u
#define EVTCHN_BUCKET_PORTS 64u
#define EVTCHN_GROUP_BUCKETS 64u
#define EVTCHN_GROUPS \
    (EVTCHN_FIFO_NR_CHANNELS / EVTCHN_BUCKET_PORTS / EVTCHN_GROUP_BUCKETS)
#define EVTCHN_WORDS_PER_PAGE (PAGE_SIZE / sizeof(event_word_t))
#define EVTCHN_FIFO_PAGES (EVTCHN_FIFO_NR_CHANNELS / EVTCHN_WORDS_PER_PAGE)

enum port_state { PORT_FREE, PORT_RESERVED, PORT_UNBOUND, PORT_INTERDOMAIN,
                  PORT_VIRQ, PORT_IPI };

struct evtchn {
    spinlock_t lock;                /* LOCK_RANK_PORT */
    uint32_t port;                  /* [I] */
    uint32_t notify_vcpu;           /* [p], read once without */
    uint32_t last_queue;            /* [q] fifo: vcpu << 8 | priority */
    uint8_t state;                  /* [tp] enum port_state */
    uint8_t priority;               /* [p], read once without */
    bool is_raised_early;           /* [a] fifo: pending, no word yet */
    union {                         /* [tp] by state */
        domid_t unbound_for;
        struct {
            struct domain *d;       /* borrowed: its port is bound to us */
            uint32_t port;
        } remote;
        uint32_t virq;
    };
};

struct evtchn_group {
    struct evtchn *bucket[EVTCHN_GROUP_BUCKETS]; /* [a] set once */
};

/* How a domain hears of events: 2-level from birth, FIFO if it asks. */
struct evtchn_ops {
    void (*set_pending)(struct vcpu *v, struct evtchn *ch);
    void (*clear_pending)(struct domain *d, struct evtchn *ch);
    void (*unmask)(struct vcpu *v, struct evtchn *ch);
    bool (*is_pending)(struct domain *d, const struct evtchn *ch);
    bool (*is_masked)(struct domain *d, const struct evtchn *ch);
    /* The guest still has the closed port in a queue. */
    bool (*is_busy)(struct domain *d, const struct evtchn *ch);
    int (*set_priority)(struct evtchn *ch, uint32_t priority);
    uint32_t max_ports;
};

struct evtchn_fifo {
    struct frame *frame[EVTCHN_FIFO_PAGES];   /* [t] referenced */
    event_word_t *words[EVTCHN_FIFO_PAGES];   /* [a] set once */
    unsigned int page_count;                  /* [t] */
};

struct evtchn_table {
    spinlock_t lock;                /* LOCK_RANK_EVTCHN */
    const struct evtchn_ops *ops;   /* [a] */
    uint32_t max_port;              /* [t] the toolstack's limit, inclusive */
    uint32_t valid_ports;           /* [a] ports that have a record */
    uint32_t free_hint;             /* [t] no port below it is free */
    uint32_t open_ports;            /* [t] neither FREE nor RESERVED */
    uint32_t close_next;            /* [a] where closing all goes on */
    unsigned long *poll_mask;       /* [a] vcpus that may be polling */
    struct evtchn_fifo *fifo;       /* [a] NULL: 2-level */
    struct evtchn_group *group[EVTCHN_GROUPS]; /* [a] set once */
};

struct evtchn_vcpu {
    spinlock_t virq_lock;           /* LOCK_RANK_VIRQ */
    uint32_t virq_port[NR_VIRQS];   /* virq lock, 0: unbound */
    spinlock_t queue_lock;          /* LOCK_RANK_EVTCHN_QUEUE */
    evtchn_fifo_control_block_t *control; /* queue lock; a guest's page */
    struct frame *control_frame;    /* [t] referenced */
    uint32_t tail[EVTCHN_FIFO_MAX_QUEUES]; /* queue lock, 0: empty */
};

extern const struct evtchn_ops evtchn_2l_ops;
extern const struct evtchn_ops evtchn_fifo_ops;

/* The record of 'port', or NULL. */
struct evtchn *evtchn_find(struct domain *d, uint32_t port);
/* Adds records for more ports; the table lock is held.  0 or -ENOMEM. */
int evtchn_grow(struct evtchn_table *t);
/* Makes 'ch' pending for the vcpu that it notifies. */
void evtchn_raise(struct domain *d, struct evtchn *ch);
/* Is it one that a single domain gets, on its vcpu 0? */
bool evtchn_virq_is_global(uint32_t virq);
/* Whose virq_port[] names 'ch', which is in state VIRQ. */
struct vcpu *evtchn_virq_owner(struct domain *d, const struct evtchn *ch);
/* Sets evtchn_upcall_pending; on 0 -> 1 interrupts and unblocks 'v'. */
void evtchn_mark_pending(struct vcpu *v);
/* Wakes the vcpus that poll on 'port'; after it was made pending. */
void evtchn_check_pollers(struct domain *d, uint32_t port);
/* Vcpu 'id' of 'd', or NULL. */
struct vcpu *evtchn_vcpu_of(struct domain *d, uint32_t id);

/* FIFO; all take the table lock themselves, from the domain's own vcpu. */
int evtchn_fifo_init_control(struct domain *d, evtchn_init_control_t *op);
int evtchn_fifo_expand_array(struct domain *d, uint64_t array_gfn);
/* Back to 2-level; every port is closed and the table lock is held. */
void evtchn_fifo_destroy(struct domain *d);

/* One function per EVTCHNOP; 'cur' is the calling domain.  0 or -E. */
int evtchn_alloc_unbound(struct domain *cur, evtchn_alloc_unbound_t *op);
int evtchn_bind_interdomain(struct domain *cur,
                            evtchn_bind_interdomain_t *op);
int evtchn_bind_virq(struct domain *cur, evtchn_bind_virq_t *op);
int evtchn_bind_ipi(struct domain *cur, evtchn_bind_ipi_t *op);
int evtchn_close(struct domain *d, uint32_t port);
int evtchn_status(struct domain *cur, evtchn_status_t *op);
int evtchn_bind_vcpu(struct domain *d, uint32_t port, uint32_t vcpu);
int evtchn_unmask(struct domain *d, uint32_t port);
int evtchn_set_priority(struct domain *d, uint32_t port, uint32_t priority);
/* Closes all, leaves FIFO: 0 or -ERESTART. */
int evtchn_reset(struct domain *d);

#endif
