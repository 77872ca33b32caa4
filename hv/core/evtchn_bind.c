/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Event channels: ports are allocated, bound and closed.
 *
 *                 .--------------- close ---------------------.
 *                 v                                           |
 *   FREE --alloc_unbound--> UNBOUND --peer's bind--> INTERDOMAIN
 *    |  ^                     ^  '--close--> FREE             |
 *    |  '--close              '---------- peer's close -------'
 *    '--bind_virq--> VIRQ, --bind_ipi--> IPI      (port 0: RESERVED)
 *
 *  1. State and peer change under the table's lock and the port's.
 *  2. An INTERDOMAIN port's peer is INTERDOMAIN and names it back.
 *  3. Two tables, and two ports, are locked in the order of their domids;
 *     ports of one domain in the order of their numbers.
 *  4. A port whose word the guest still has in a queue is not given out.
 */
#include "core/arch.h"
#include "core/evtchn_table.h"
#include "core/kmem.h"
#include "core/lock.h"
#include "core/xsm.h"
#include "lib/bug.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/nospec.h"

/* ---- locks of two ---- */

static void lock_tables(struct domain *a, struct domain *b)
{
    struct domain *first = a->id <= b->id ? a : b;
    struct domain *second = first == a ? b : a;

    spin_lock(&first->evtchn->lock);
    if (first != second) {
        spin_lock_nested(&second->evtchn->lock);
    }
}

static void unlock_tables(struct domain *a, struct domain *b)
{
    spin_unlock(&a->evtchn->lock);
    if (a != b) {
        spin_unlock(&b->evtchn->lock);
    }
}

static void lock_ports(struct domain *da, struct evtchn *a,
                       struct domain *db, struct evtchn *b)
{
    bool a_first = da != db ? da->id < db->id : a->port < b->port;

    if (a == b) {
        spin_lock(&a->lock);
        return;
    }
    spin_lock(a_first ? &a->lock : &b->lock);
    spin_lock_nested(a_first ? &b->lock : &a->lock);
}

static void unlock_ports(struct evtchn *a, struct evtchn *b)
{
    spin_unlock(&a->lock);
    if (a != b) {
        spin_unlock(&b->lock);
    }
}

/* ---- allocation ---- */

/* Adds a bucket of records; the table lock is held. */
int evtchn_grow(struct evtchn_table *t)
{
    uint32_t index = t->valid_ports / EVTCHN_BUCKET_PORTS;
    struct evtchn_group **group = &t->group[index / EVTCHN_GROUP_BUCKETS];
    struct evtchn *bucket;
    uint32_t i;

    if (*group == NULL) {
        *group = kmem_alloc(sizeof(**group));
        if (*group == NULL) {
            return -ENOMEM;
        }
    }
    bucket = kmem_alloc_array(EVTCHN_BUCKET_PORTS, sizeof(*bucket));
    if (bucket == NULL) {
        return -ENOMEM;
    }
    for (i = 0; i < EVTCHN_BUCKET_PORTS; i++) {
        bucket[i].port = t->valid_ports + i;
        bucket[i].priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
        bucket[i].last_queue = EVTCHN_FIFO_PRIORITY_DEFAULT;
        spin_lock_init(&bucket[i].lock, LOCK_RANK_PORT);
    }
    (*group)->bucket[index % EVTCHN_GROUP_BUCKETS] = bucket;
    __atomic_store_n(&t->valid_ports, t->valid_ports + EVTCHN_BUCKET_PORTS,
                     __ATOMIC_RELEASE);
    return 0;
}

/* A free record, its state unchanged; the table lock is held. */
static int find_free(struct domain *d, struct evtchn **out)
{
    struct evtchn_table *t = d->evtchn;
    uint32_t limit = min(t->max_port, t->ops->max_ports - 1);
    uint32_t port;
    int error;

    if (domain_is_dying(d)) {
        return -EINVAL;
    }
    for (port = t->free_hint; port <= limit; port++) {
        if (port >= t->valid_ports) {
            error = evtchn_grow(t);
            if (error != 0) {
                return error;
            }
        }
        *out = evtchn_find(d, port);
        if ((*out)->state == PORT_FREE) {
            if (!t->ops->is_busy(d, *out)) {
                return 0;
            }
        } else if (port == t->free_hint) {
            t->free_hint++;
        }
    }
    return -ENOSPC;
}

/* A port that find_free() gave is in use; the same locks are held. */
static void open_port(struct domain *d, struct evtchn *ch, uint8_t state)
{
    ch->state = state;
    d->evtchn->open_ports++;
}

/* The table and port locks are held. */
static void free_port(struct domain *d, struct evtchn *ch)
{
    struct evtchn_table *t = d->evtchn;

    t->ops->clear_pending(d, ch);
    ch->state = PORT_FREE;
    t->open_ports--;
    ch->notify_vcpu = 0;
    ch->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
    t->free_hint = min(t->free_hint, ch->port);
}

int evtchn_alloc_unbound(struct domain *cur, evtchn_alloc_unbound_t *op)
{
    struct domain *d = domain_get_any(op->dom);
    struct evtchn *ch;
    int error;

    if (d == NULL) {
        return -ESRCH;
    }
    error = xsm_evtchn_alloc(cur, d);
    if (error != 0) {
        goto put;
    }
    spin_lock(&d->evtchn->lock);
    error = find_free(d, &ch);
    if (error == 0) {
        spin_lock(&ch->lock);
        ch->unbound_for = op->remote_dom == DOMID_SELF ? cur->id
                                                       : op->remote_dom;
        open_port(d, ch, PORT_UNBOUND);
        op->port = ch->port;
        spin_unlock(&ch->lock);
    }
    spin_unlock(&d->evtchn->lock);
put:
    domain_put(d);
    return error;
}

/* ---- binding ---- */

static void connect(struct domain *ld, struct evtchn *lch,
                    struct domain *rd, struct evtchn *rch)
{
    lock_ports(ld, lch, rd, rch);
    lch->remote.d = rd;
    lch->remote.port = rch->port;
    open_port(ld, lch, PORT_INTERDOMAIN);
    rch->remote.d = ld;
    rch->remote.port = lch->port;
    rch->state = PORT_INTERDOMAIN;
    /* What the peer sent while we were unbound was dropped: look once. */
    evtchn_raise(ld, lch);
    unlock_ports(lch, rch);
}

int evtchn_bind_interdomain(struct domain *cur, evtchn_bind_interdomain_t *op)
{
    struct domain *rd = domain_get_any(op->remote_dom);
    struct evtchn *lch, *rch;
    int error;

    if (rd == NULL) {
        return -ESRCH;
    }
    error = xsm_evtchn_bind(cur, rd);
    if (error != 0) {
        goto put;
    }
    lock_tables(cur, rd);
    error = find_free(cur, &lch);
    if (error == 0) {
        rch = evtchn_find(rd, op->remote_port);
        if (rch == NULL || rch->state != PORT_UNBOUND ||
            rch->unbound_for != cur->id) {
            error = -EINVAL;
        } else {
            connect(cur, lch, rd, rch);
            op->local_port = lch->port;
        }
    }
    unlock_tables(cur, rd);
put:
    domain_put(rd);
    return error;
}

int evtchn_bind_virq(struct domain *cur, evtchn_bind_virq_t *op)
{
    struct vcpu *v;
    struct evtchn *ch;
    uint32_t virq;
    int error;

    if (op->virq >= NR_VIRQS ||
        (op->vcpu != 0 && evtchn_virq_is_global(op->virq))) {
        return -EINVAL;
    }
    virq = index_nospec(op->virq, NR_VIRQS);
    error = xsm_evtchn_global_virq(cur, virq);
    if (error != 0) {
        return error;
    }
    v = evtchn_vcpu_of(cur, op->vcpu);
    if (v == NULL) {
        return -ENOENT;
    }
    spin_lock(&cur->evtchn->lock);
    spin_lock(&v->evtchn->virq_lock);
    error = v->evtchn->virq_port[virq] != 0 ? -EEXIST : find_free(cur, &ch);
    if (error == 0) {
        spin_lock(&ch->lock);
        open_port(cur, ch, PORT_VIRQ);
        ch->notify_vcpu = v->id;
        ch->virq = virq;
        spin_unlock(&ch->lock);
        v->evtchn->virq_port[virq] = ch->port;
        op->port = ch->port;
    }
    spin_unlock(&v->evtchn->virq_lock);
    spin_unlock(&cur->evtchn->lock);
    return error;
}

int evtchn_bind_ipi(struct domain *cur, evtchn_bind_ipi_t *op)
{
    struct vcpu *v = evtchn_vcpu_of(cur, op->vcpu);
    struct evtchn *ch;
    int error;

    if (v == NULL) {
        return -ENOENT;
    }
    spin_lock(&cur->evtchn->lock);
    error = find_free(cur, &ch);
    if (error == 0) {
        spin_lock(&ch->lock);
        open_port(cur, ch, PORT_IPI);
        ch->notify_vcpu = v->id;
        op->port = ch->port;
        spin_unlock(&ch->lock);
    }
    spin_unlock(&cur->evtchn->lock);
    return error;
}

/* ---- closing ---- */

/* A port with no peer; the table lock is held.  0 or -EINVAL. */
static int close_single(struct domain *d, struct evtchn *ch)
{
    struct evtchn_vcpu *ev = NULL;

    if (ch->state == PORT_FREE || ch->state == PORT_RESERVED) {
        return -EINVAL;
    }
    if (ch->state == PORT_VIRQ) {
        ev = evtchn_virq_owner(d, ch)->evtchn;
        spin_lock(&ev->virq_lock);
        ev->virq_port[ch->virq] = 0;
    }
    spin_lock(&ch->lock);
    free_port(d, ch);
    spin_unlock(&ch->lock);
    if (ev != NULL) {
        spin_unlock(&ev->virq_lock);
    }
    return 0;
}

/* Both table locks are held: the peer waits for a new bind. */
static void close_pair(struct domain *d, struct evtchn *ch)
{
    struct domain *rd = ch->remote.d;
    struct evtchn *rch = evtchn_find(rd, ch->remote.port);

    BUG_ON(rch == NULL || rch->state != PORT_INTERDOMAIN ||
           rch->remote.d != d || rch->remote.port != ch->port);
    lock_ports(d, ch, rd, rch);
    if (rch != ch) {
        rch->state = PORT_UNBOUND;
        rch->unbound_for = d->id;
    }
    free_port(d, ch);
    unlock_ports(ch, rch);
}

int evtchn_close(struct domain *d, uint32_t port)
{
    struct evtchn *ch = evtchn_find(d, port);
    struct domain *rd;
    int error;

    if (ch == NULL) {
        return -EINVAL;
    }
    spin_lock(&d->evtchn->lock);
    /* Again only if somebody closed and rebound it in between. */
    while (ch->state == PORT_INTERDOMAIN) {
        rd = ch->remote.d;
        domain_get(rd);
        spin_unlock(&d->evtchn->lock);
        lock_tables(d, rd);
        if (ch->state == PORT_INTERDOMAIN && ch->remote.d == rd) {
            close_pair(d, ch);
            unlock_tables(d, rd);
            domain_put(rd);
            return 0;
        }
        unlock_tables(d, rd);
        domain_put(rd);
        spin_lock(&d->evtchn->lock);
    }
    error = close_single(d, ch);
    spin_unlock(&d->evtchn->lock);
    return error;
}
