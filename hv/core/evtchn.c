/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Event channels: sending, virqs, and a table's life.  evtchn_bind.c makes and
 * closes bindings, evtchn_2l.c and evtchn_fifo.c tell the guest, evtchn_op.c
 * decodes.
 *
 *  1. A port's state and peer change under its table's lock and its own:
 *     whoever holds either may rely on them.  So a send takes only the lock
 *     of the sender's port: its peer cannot go while it is held.
 *  2. Records are freed only with the domain: a lookup takes no lock.
 *  3. virq_port[] of a vcpu names a port in state VIRQ of that virq.
 *  4. Who tells a guest of a port holds a lock that closing the port takes.
 *     So with no port open nobody looks at the guest's FIFO pages.
 *  5. A global virq goes to vcpu 0 of one domain: the handler that the
 *     toolstack named, or dom0.
 */
#include "core/arch.h"
#include "core/budget.h"
#include "core/evtchn_table.h"
#include "core/kmem.h"
#include "core/lock.h"
#include "core/perfc.h"
#include "core/xsm.h"
#include "lib/atomic.h"
#include "lib/bug.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/nospec.h"
#include "lib/string.h"

#define LOOKS_PER_CALL 512u
#define LOOKS_PER_CLOCK 16u         /* ports closed, or found free */

/* Who gets the global virqs that dom0 does not; the pointers are borrowed. */
static struct domain *virq_handler[NR_VIRQS];
static spinlock_t virq_handler_lock = SPINLOCK_INIT(LOCK_RANK_VIRQ);

bool evtchn_virq_is_global(uint32_t virq)
{
    return virq != VIRQ_TIMER && virq != VIRQ_DEBUG &&
           virq != VIRQ_XENOPROF && virq != VIRQ_XENPMU;
}

/* A global one may notify another vcpu, but is vcpu 0's. */
struct vcpu *evtchn_virq_owner(struct domain *d, const struct evtchn *ch)
{
    return d->vcpu[evtchn_virq_is_global(ch->virq) ? 0 : ch->notify_vcpu];
}

static const struct evtchn_ops *ops_of(struct domain *d)
{
    return __atomic_load_n(&d->evtchn->ops, __ATOMIC_ACQUIRE);
}

struct vcpu *evtchn_vcpu_of(struct domain *d, uint32_t id)
{
    if (id >= d->max_vcpus) {
        return NULL;
    }
    return __atomic_load_n(&d->vcpu[index_nospec(id, d->max_vcpus)],
                           __ATOMIC_ACQUIRE);
}

struct evtchn *evtchn_find(struct domain *d, uint32_t port)
{
    struct evtchn_table *t = d->evtchn;
    uint32_t valid = __atomic_load_n(&t->valid_ports, __ATOMIC_ACQUIRE);
    uint32_t bucket;

    if (port >= valid) {
        return NULL;
    }
    port = index_nospec(port, valid);
    bucket = port / EVTCHN_BUCKET_PORTS;
    return &t->group[bucket / EVTCHN_GROUP_BUCKETS]
                ->bucket[bucket % EVTCHN_GROUP_BUCKETS]
                        [port % EVTCHN_BUCKET_PORTS];
}

/* ---- telling a vcpu ---- */

void evtchn_mark_pending(struct vcpu *v)
{
    vcpu_info_t *info = __atomic_load_n(&v->info, __ATOMIC_ACQUIRE);

    if (__atomic_exchange_n(&info->evtchn_upcall_pending, 1,
                            __ATOMIC_SEQ_CST) == 0) {
        arch_vcpu_upcall(v);
        vcpu_unblock(v);
    }
}

void evtchn_poll_start(struct vcpu *v, int port)
{
    (void)evtchn_poll_end(v);
    __atomic_store_n(&v->poll_port, port, __ATOMIC_SEQ_CST);
    (void)bitmap_test_and_set(v->domain->evtchn->poll_mask, v->id);
}

bool evtchn_is_polling(const struct vcpu *v)
{
    return bitmap_test(v->domain->evtchn->poll_mask, v->id);
}

bool evtchn_poll_end(struct vcpu *v)
{
    return evtchn_is_polling(v)
           && bitmap_test_and_clear(v->domain->evtchn->poll_mask, v->id);
}

/* Nobody but the vcpu itself writes its poll_port: see sched_op.c. */
void evtchn_check_pollers(struct domain *d, uint32_t port)
{
    unsigned long *mask = d->evtchn->poll_mask;
    size_t id = bitmap_find_set(mask, d->max_vcpus, 0);

    while (id < d->max_vcpus) {
        struct vcpu *v = d->vcpu[id];
        int polls = __atomic_load_n(&v->poll_port, __ATOMIC_SEQ_CST);

        if ((polls < 0 || polls == (int)port) && evtchn_poll_end(v)) {
            vcpu_unblock(v);
        }
        id = bitmap_find_set(mask, d->max_vcpus, id + 1);
    }
}

void evtchn_raise(struct domain *d, struct evtchn *ch)
{
    struct vcpu *v = evtchn_vcpu_of(d, READ_ONCE(ch->notify_vcpu));

    if (v != NULL) {
        ops_of(d)->set_pending(v, ch);
    }
}

/* ---- sending ---- */

int evtchn_send(struct domain *d, evtchn_port_t port)
{
    struct evtchn *ch = evtchn_find(d, port);
    struct domain *rd;
    int error = 0;

    if (ch == NULL) {
        return -EINVAL;
    }
    perfc_count(PERFC_EVTCHN_SEND);
    spin_lock(&ch->lock);
    switch (ch->state) {
    case PORT_INTERDOMAIN:
        rd = ch->remote.d;
        error = xsm_evtchn_send(d, rd);
        if (error == 0) {
            evtchn_raise(rd, evtchn_find(rd, ch->remote.port));
        }
        break;
    case PORT_IPI:
        evtchn_raise(d, ch);
        break;
    case PORT_UNBOUND:
        break;
    default:
        error = -EINVAL;
        break;
    }
    spin_unlock(&ch->lock);
    return error;
}

static void send_virq(struct vcpu *v, uint32_t virq, bool is_nested)
{
    struct evtchn_vcpu *ev = v->evtchn;
    uint32_t port;

    if (is_nested) {
        spin_lock_nested(&ev->virq_lock);
    } else {
        spin_lock(&ev->virq_lock);
    }
    port = ev->virq_port[virq];
    if (port != 0) {
        evtchn_raise(v->domain, evtchn_find(v->domain, port));
    }
    spin_unlock(&ev->virq_lock);
}

void evtchn_virq_vcpu(struct vcpu *v, uint32_t virq)
{
    BUG_ON(virq >= NR_VIRQS || evtchn_virq_is_global(virq));
    send_virq(v, virq, false);
}

void evtchn_virq_global(uint32_t virq)
{
    struct domain *d;
    struct vcpu *v;

    BUG_ON(virq >= NR_VIRQS || !evtchn_virq_is_global(virq));
    spin_lock(&virq_handler_lock);
    d = virq_handler[virq] != NULL ? virq_handler[virq] : dom0;
    v = d != NULL && d->vcpu != NULL ? evtchn_vcpu_of(d, 0) : NULL;
    if (v != NULL && v->evtchn != NULL) {
        send_virq(v, virq, true);
    }
    spin_unlock(&virq_handler_lock);
}

int evtchn_set_virq_handler(struct domain *d, uint32_t virq)
{
    if (virq >= NR_VIRQS || !evtchn_virq_is_global(virq)) {
        return -EINVAL;
    }
    spin_lock(&virq_handler_lock);
    virq_handler[index_nospec(virq, NR_VIRQS)] = d == dom0 ? NULL : d;
    spin_unlock(&virq_handler_lock);
    return 0;
}

void evtchn_clear_virq_handlers(struct domain *d)
{
    uint32_t i;

    spin_lock(&virq_handler_lock);
    for (i = 0; i < NR_VIRQS; i++) {
        if (virq_handler[i] == d) {
            virq_handler[i] = NULL;
        }
    }
    spin_unlock(&virq_handler_lock);
}

bool evtchn_is_upcall_pending(const struct vcpu *v)
{
    const vcpu_info_t *info = __atomic_load_n(&v->info, __ATOMIC_ACQUIRE);

    return READ_ONCE(info->evtchn_upcall_pending) != 0 &&
           READ_ONCE(info->evtchn_upcall_mask) == 0;
}

void evtchn_rebind_info(struct vcpu *v)
{
    /* A spurious event is harmless, a lost one is not: all selected. */
    __atomic_store_n(&v->info->evtchn_pending_sel, ~0ul, __ATOMIC_SEQ_CST);
    __atomic_store_n(&v->info->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
    evtchn_mark_pending(v);
}

bool evtchn_is_pending(struct domain *d, evtchn_port_t port)
{
    struct evtchn *ch = evtchn_find(d, port);
    bool is_pending = false;

    spin_lock(&d->evtchn->lock);
    if (ch != NULL) {
        is_pending = d->evtchn->ops->is_pending(d, ch);
    }
    spin_unlock(&d->evtchn->lock);
    return is_pending;
}

/* ---- looking and adjusting ---- */

static void fill_status(const struct evtchn *ch, evtchn_status_t *op)
{
    op->vcpu = ch->notify_vcpu;
    switch (ch->state) {
    case PORT_UNBOUND:
        op->status = EVTCHNSTAT_unbound;
        op->u.unbound.dom = ch->unbound_for;
        break;
    case PORT_INTERDOMAIN:
        op->status = EVTCHNSTAT_interdomain;
        op->u.interdomain.dom = ch->remote.d->id;
        op->u.interdomain.port = ch->remote.port;
        break;
    case PORT_VIRQ:
        op->status = EVTCHNSTAT_virq;
        op->u.virq = ch->virq;
        break;
    case PORT_IPI:
        op->status = EVTCHNSTAT_ipi;
        break;
    default:
        op->status = EVTCHNSTAT_closed;
        break;
    }
}

int evtchn_status(struct domain *cur, evtchn_status_t *op)
{
    struct domain *d = domain_get_any(op->dom);
    struct evtchn *ch;
    int error;

    if (d == NULL) {
        return -ESRCH;
    }
    error = xsm_evtchn_status(cur, d);
    if (error == 0) {
        ch = evtchn_find(d, op->port);
        if (ch == NULL) {
            error = -EINVAL;
        } else {
            spin_lock(&ch->lock);
            fill_status(ch, op);
            spin_unlock(&ch->lock);
        }
    }
    domain_put(d);
    return error;
}

int evtchn_bind_vcpu(struct domain *d, uint32_t port, uint32_t vcpu)
{
    struct evtchn *ch = evtchn_find(d, port);
    struct vcpu *v = evtchn_vcpu_of(d, vcpu);
    int error = 0;

    if (v == NULL) {
        return -ENOENT;
    }
    if (ch == NULL) {
        return -EINVAL;
    }
    spin_lock(&ch->lock);
    if (ch->state == PORT_UNBOUND || ch->state == PORT_INTERDOMAIN ||
        (ch->state == PORT_VIRQ && evtchn_virq_is_global(ch->virq))) {
        WRITE_ONCE(ch->notify_vcpu, v->id);
    } else {
        error = -EINVAL;
    }
    spin_unlock(&ch->lock);
    return error;
}

int evtchn_unmask(struct domain *d, uint32_t port)
{
    struct evtchn *ch = evtchn_find(d, port);
    struct vcpu *v;

    if (ch == NULL) {
        return -EINVAL;
    }
    spin_lock(&ch->lock);
    v = evtchn_vcpu_of(d, ch->notify_vcpu);
    /* A port that is not open keeps nobody from taking the pages away. */
    if (v != NULL && ch->state != PORT_FREE && ch->state != PORT_RESERVED) {
        ops_of(d)->unmask(v, ch);
    }
    spin_unlock(&ch->lock);
    return 0;
}

int evtchn_set_priority(struct domain *d, uint32_t port, uint32_t priority)
{
    const struct evtchn_ops *ops = ops_of(d);
    struct evtchn *ch = evtchn_find(d, port);
    int error;

    if (ops->set_priority == NULL) {
        return -ENOSYS;
    }
    if (ch == NULL) {
        return -EINVAL;
    }
    spin_lock(&ch->lock);
    error = ops->set_priority(ch, priority);
    spin_unlock(&ch->lock);
    return error;
}

/* ---- life ---- */

/*
 * No port is open, so nobody tells the guest anything; the table lock is held
 * and it does not run.  What stood in the 2-level maps when FIFO began is
 * there still, and would hide the first event of the next kernel's port.
 */
static void forget_events(struct domain *d)
{
    shared_info_t *s = d->shared_info;

    memset(s->evtchn_pending, 0, sizeof(s->evtchn_pending));
    memset(s->evtchn_mask, 0, sizeof(s->evtchn_mask));
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        if (d->vcpu[i] != NULL) {
            vcpu_reset_info(d->vcpu[i]);
        }
    }
}

static int close_all(struct domain *d, bool forget)
{
    struct evtchn_table *t = d->evtchn;
    uint32_t valid = __atomic_load_n(&t->valid_ports, __ATOMIC_ACQUIRE);
    struct budget b = budget_start();
    uint32_t port = max(READ_ONCE(t->close_next), 1u);
    bool is_done;

    for (uint32_t seen = 0; port < valid; port++, seen++) {
        if (seen == LOOKS_PER_CALL
            || (seen % LOOKS_PER_CLOCK == LOOKS_PER_CLOCK - 1
                && budget_is_spent(&b))) {
            WRITE_ONCE(t->close_next, port);
            return -ERESTART;
        }
        if (READ_ONCE(evtchn_find(d, port)->state) != PORT_FREE) {
            (void)evtchn_close(d, port);
        }
    }
    /* Not if a port was opened behind us: then all over again. */
    spin_lock(&t->lock);
    WRITE_ONCE(t->close_next, 0);
    is_done = t->open_ports == 0;
    if (is_done) {
        evtchn_fifo_destroy(d);
        if (forget) {
            forget_events(d);
        }
    }
    spin_unlock(&t->lock);
    return is_done ? 0 : -ERESTART;
}

int evtchn_reset(struct domain *d)
{
    return close_all(d, false);
}

int evtchn_soft_reset(struct domain *d)
{
    return close_all(d, true);
}

int evtchn_relinquish(struct domain *d)
{
    if (d->evtchn == NULL) {
        return 0;
    }
    evtchn_clear_virq_handlers(d);
    return close_all(d, false);
}

int evtchn_create(struct domain *d)
{
    struct evtchn_table *t = kmem_alloc(sizeof(*t));

    if (t == NULL) {
        return -ENOMEM;
    }
    spin_lock_init(&t->lock, LOCK_RANK_EVTCHN);
    t->ops = &evtchn_2l_ops;
    t->max_port = EVTCHN_FIFO_NR_CHANNELS - 1;
    t->free_hint = 1;
    t->poll_mask = kmem_alloc_array(BITMAP_WORDS(d->max_vcpus),
                                    sizeof(*t->poll_mask));
    d->evtchn = t;
    if (t->poll_mask == NULL || evtchn_grow(t) != 0) {
        evtchn_destroy(d);
        return -ENOMEM;
    }
    evtchn_find(d, 0)->state = PORT_RESERVED;
    return 0;
}

void evtchn_destroy(struct domain *d)
{
    struct evtchn_table *t = d->evtchn;
    uint32_t i, j;

    if (t == NULL) {
        return;
    }
    evtchn_fifo_destroy(d);
    for (i = 0; i < EVTCHN_GROUPS; i++) {
        for (j = 0; t->group[i] != NULL && j < EVTCHN_GROUP_BUCKETS; j++) {
            kmem_free(t->group[i]->bucket[j]);
        }
        kmem_free(t->group[i]);
    }
    kmem_free(t->poll_mask);
    kmem_free(t);
    d->evtchn = NULL;
}

int evtchn_set_max_port(struct domain *d, uint32_t max_port)
{
    spin_lock(&d->evtchn->lock);
    d->evtchn->max_port = min(max_port, EVTCHN_FIFO_NR_CHANNELS - 1u);
    spin_unlock(&d->evtchn->lock);
    return 0;
}

int evtchn_vcpu_create(struct vcpu *v)
{
    struct evtchn_vcpu *ev = kmem_alloc(sizeof(*ev));

    if (ev == NULL) {
        return -ENOMEM;
    }
    spin_lock_init(&ev->virq_lock, LOCK_RANK_VIRQ);
    spin_lock_init(&ev->queue_lock, LOCK_RANK_EVTCHN_QUEUE);
    v->evtchn = ev;
    return 0;
}

void evtchn_vcpu_destroy(struct vcpu *v)
{
    kmem_free(v->evtchn);
    v->evtchn = NULL;
}
