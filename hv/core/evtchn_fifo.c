/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The FIFO event channel ABI (event_channel.h): an array of event words and
 * a control block per vcpu in pages of the guest, 16 queues per vcpu that are
 * linked lists through the words.  Called by evtchn.c and evtchn_op.c.
 *
 *   word: PENDING we set, the guest clears.  MASKED the guest sets.  LINKED:
 *   in a queue; we set it, the guest clears it when it takes the event.
 *   BUSY: we write the LINK field, the guest's mask change waits.
 *
 *  1. The producer is this file alone: head, tail and links of a vcpu's queues
 *     are written under its queue lock.
 *  2. tail[] is ours, so a guest that scribbles over words and heads loses
 *     its own events only.
 *  3. An event stays in the queue where it was linked until the guest takes
 *     it; the new queue is used from the next time on.  If the old queue's
 *     tail is this port, that tail is forgotten.
 *  4. The pages are referenced as long as words[] or control names them.
 *  5. Two queue locks are taken in the order of vcpu ids.
 */
#include "core/arch.h"
#include "core/console.h"
#include "core/evtchn_table.h"
#include "core/kmem.h"
#include "core/lock.h"
#include "core/p2m.h"
#include "lib/atomic.h"
#include "lib/errno.h"
#include "lib/minmax.h"

#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED (1u << EVTCHN_FIFO_MASKED)
#define LINKED (1u << EVTCHN_FIFO_LINKED)
#define BUSY (1u << EVTCHN_FIFO_BUSY)

/* A guest can make a compare-and-swap fail for ever; we stop. */
#define LINK_TRIES 4

static event_word_t *word_of(struct domain *d, uint32_t port)
{
    struct evtchn_fifo *fifo = __atomic_load_n(&d->evtchn->fifo,
                                               __ATOMIC_ACQUIRE);
    event_word_t *page;

    if (fifo == NULL || port >= EVTCHN_FIFO_NR_CHANNELS) {
        return NULL;
    }
    page = __atomic_load_n(&fifo->words[port / EVTCHN_WORDS_PER_PAGE],
                           __ATOMIC_ACQUIRE);
    return page == NULL ? NULL : &page[port % EVTCHN_WORDS_PER_PAGE];
}

static event_word_t load(const event_word_t *word)
{
    return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static bool set_bits(event_word_t *word, event_word_t bits)
{
    return __atomic_fetch_or(word, bits, __ATOMIC_SEQ_CST) & bits;
}

static void clear_bits(event_word_t *word, event_word_t bits)
{
    (void)__atomic_fetch_and(word, ~bits, __ATOMIC_SEQ_CST);
}

/* One attempt: 1 linked, 0 the guest took the event, -EAGAIN it changed. */
static int try_link(event_word_t *word, uint32_t port)
{
    event_word_t old = load(word);
    event_word_t new;

    if (!(old & LINKED)) {
        return 0;
    }
    new = (old & ~(BUSY | EVTCHN_FIFO_LINK_MASK)) | port;
    return __atomic_compare_exchange_n(word, &old, new, false,
                                       __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)
           ? 1 : -EAGAIN;
}

/* Links 'port' behind the queue's tail; false if the queue is empty. */
static bool link_after(struct domain *d, event_word_t *word, uint32_t port)
{
    int linked = try_link(word, port);
    int tries;

    if (linked >= 0) {
        return linked;
    }
    set_bits(word, BUSY);
    for (tries = 0; tries < LINK_TRIES; tries++) {
        linked = try_link(word, port);
        if (linked >= 0) {
            break;
        }
    }
    if (linked != 1) {
        clear_bits(word, BUSY);
    }
    if (linked < 0) {
        console_guest_log(LOG_DEBUG, d, "event %u not linked", port);
    }
    return linked != 0;
}

/* The queue locks of 'v' and of where 'ch' was last; the latter is given. */
static struct vcpu *lock_queues(struct vcpu *v, struct evtchn *ch)
{
    struct vcpu *old;
    uint32_t last;

    for (;;) {
        last = __atomic_load_n(&ch->last_queue, __ATOMIC_ACQUIRE);
        old = v->domain->vcpu[last >> 8];
        if (old == v) {
            spin_lock(&v->evtchn->queue_lock);
        } else {
            bool old_first = old->id < v->id;

            spin_lock(&(old_first ? old : v)->evtchn->queue_lock);
            spin_lock_nested(&(old_first ? v : old)->evtchn->queue_lock);
        }
        if (last == ch->last_queue) {
            return old;
        }
        /* Another sender moved it: that one made progress. */
        spin_unlock(&v->evtchn->queue_lock);
        if (old != v) {
            spin_unlock(&old->evtchn->queue_lock);
        }
    }
}

/* Puts 'ch' at the tail; the locks are held.  True: a head was written. */
static bool link_event(struct vcpu *v, struct vcpu *old, struct evtchn *ch,
                       uint32_t priority)
{
    struct evtchn_vcpu *ev = v->evtchn;
    uint32_t *old_tail = &old->evtchn->tail[ch->last_queue & 0xff];
    event_word_t *tail;

    if (*old_tail == ch->port) {
        *old_tail = 0;
    }
    __atomic_store_n(&ch->last_queue, v->id << 8 | priority,
                     __ATOMIC_RELEASE);
    tail = ev->tail[priority] != 0 ? word_of(v->domain, ev->tail[priority])
                                   : NULL;
    ev->tail[priority] = ch->port;
    if (tail != NULL && link_after(v->domain, tail, ch->port)) {
        return false;
    }
    __atomic_store_n(&ev->control->head[priority], ch->port,
                     __ATOMIC_RELEASE);
    return !set_bits(&ev->control->ready, 1u << priority);
}

static void enqueue(struct vcpu *v, struct evtchn *ch, event_word_t *word)
{
    uint32_t priority = READ_ONCE(ch->priority);
    struct vcpu *old = lock_queues(v, ch);
    bool is_first = false;

    if (v->evtchn->control != NULL && !set_bits(word, LINKED)) {
        is_first = link_event(v, old, ch, priority);
    }
    spin_unlock(&v->evtchn->queue_lock);
    if (old != v) {
        spin_unlock(&old->evtchn->queue_lock);
    }
    if (is_first) {
        evtchn_mark_pending(v);
    }
}

static void set_pending(struct vcpu *v, struct evtchn *ch)
{
    event_word_t *word = word_of(v->domain, ch->port);
    bool was_pending;

    if (word == NULL) {
        __atomic_store_n(&ch->is_raised_early, true, __ATOMIC_SEQ_CST);
        /* Pairs with expand_array: it sets words[], then looks at this. */
        word = word_of(v->domain, ch->port);
        if (word == NULL || !__atomic_exchange_n(&ch->is_raised_early, false,
                                                 __ATOMIC_SEQ_CST)) {
            return;
        }
    }
    was_pending = set_bits(word, PENDING);
    if (!(load(word) & (MASKED | LINKED))) {
        enqueue(v, ch, word);
    }
    if (!was_pending) {
        evtchn_check_pollers(v->domain, ch->port);
    }
}

static void clear_pending(struct domain *d, struct evtchn *ch)
{
    event_word_t *word = word_of(d, ch->port);

    __atomic_store_n(&ch->is_raised_early, false, __ATOMIC_SEQ_CST);
    if (word != NULL) {
        clear_bits(word, PENDING);
    }
}

static void unmask(struct vcpu *v, struct evtchn *ch)
{
    event_word_t *word = word_of(v->domain, ch->port);

    if (word == NULL) {
        return;
    }
    clear_bits(word, MASKED);
    if (load(word) & PENDING) {
        set_pending(v, ch);
    }
}

static bool is_pending(struct domain *d, const struct evtchn *ch)
{
    event_word_t *word = word_of(d, ch->port);

    return word != NULL ? load(word) & PENDING
                        : READ_ONCE(ch->is_raised_early);
}

static bool is_masked(struct domain *d, const struct evtchn *ch)
{
    event_word_t *word = word_of(d, ch->port);

    return word == NULL || (load(word) & MASKED);
}

static bool is_busy(struct domain *d, const struct evtchn *ch)
{
    event_word_t *word = word_of(d, ch->port);

    return word != NULL && (load(word) & LINKED);
}

static int set_priority(struct evtchn *ch, uint32_t priority)
{
    if (priority > EVTCHN_FIFO_PRIORITY_MIN) {
        return -EINVAL;
    }
    WRITE_ONCE(ch->priority, priority);
    return 0;
}

const struct evtchn_ops evtchn_fifo_ops = {
    .set_pending = set_pending,
    .clear_pending = clear_pending,
    .unmask = unmask,
    .is_pending = is_pending,
    .is_masked = is_masked,
    .is_busy = is_busy,
    .set_priority = set_priority,
    .max_ports = EVTCHN_FIFO_NR_CHANNELS,
};

/* ---- setting up ---- */

/* A vcpu's control block at 'offset' of 'f', whose reference it takes. */
static void set_control(struct vcpu *v, struct frame *f, uint32_t offset)
{
    struct evtchn_vcpu *ev = v->evtchn;
    char *page = arch_frame_map(frame_mfn(f));

    ev->control_frame = f;
    spin_lock(&ev->queue_lock);
    ev->control = (void *)(page + offset);
    spin_unlock(&ev->queue_lock);
}

/*
 * Who is raising 'ch' by what it saw of the domain before is done after this;
 * the table lock is held.
 */
static void wait_for_sender(struct domain *d, struct evtchn *ch)
{
    spinlock_t *lock = &ch->lock;

    if (ch->state == PORT_INTERDOMAIN) {
        lock = &evtchn_find(ch->remote.d, ch->remote.port)->lock;
    } else if (ch->state == PORT_VIRQ) {
        lock = &evtchn_virq_owner(d, ch)->evtchn->virq_lock;
    }
    spin_lock(lock);
    spin_unlock(lock);
}

/* What is pending in the 2-level maps waits until its word is there. */
static void switch_to_fifo(struct domain *d, struct evtchn_fifo *fifo)
{
    struct evtchn_table *t = d->evtchn;
    uint32_t port, count = min(t->valid_ports, EVTCHN_2L_PORTS);
    struct evtchn *ch;

    __atomic_store_n(&t->fifo, fifo, __ATOMIC_RELEASE);
    __atomic_store_n(&t->ops, &evtchn_fifo_ops, __ATOMIC_SEQ_CST);
    for (port = 1; port < count; port++) {
        ch = evtchn_find(d, port);
        wait_for_sender(d, ch);
        spin_lock(&ch->lock);
        ch->priority = EVTCHN_FIFO_PRIORITY_DEFAULT;
        if (bitmap_test(d->shared_info->evtchn_pending, port)) {
            __atomic_store_n(&ch->is_raised_early, true, __ATOMIC_SEQ_CST);
        }
        spin_unlock(&ch->lock);
    }
}

/* Leaves 2-level if need be; the table lock is held.  0 or -ENOMEM. */
static int make_table(struct domain *d)
{
    struct evtchn_fifo *fifo;

    if (d->evtchn->fifo != NULL) {
        return 0;
    }
    fifo = kmem_alloc(sizeof(*fifo));
    if (fifo == NULL) {
        return -ENOMEM;
    }
    switch_to_fifo(d, fifo);
    return 0;
}

int evtchn_fifo_init_control(struct domain *d, evtchn_init_control_t *op)
{
    struct vcpu *v = evtchn_vcpu_of(d, op->vcpu);
    struct frame *f;
    int error;

    if (v == NULL) {
        return -ENOENT;
    }
    if ((op->offset & 7) != 0 ||
        op->offset > PAGE_SIZE - sizeof(evtchn_fifo_control_block_t)) {
        return -EINVAL;
    }
    f = p2m_get_ram(d, gfn(op->control_gfn), true);
    if (f == NULL) {
        return -EINVAL;
    }
    spin_lock(&d->evtchn->lock);
    error = v->evtchn->control_frame != NULL ? -EINVAL : make_table(d);
    if (error == 0) {
        set_control(v, f, op->offset);
    }
    spin_unlock(&d->evtchn->lock);
    if (error != 0) {
        frame_put(f);
        return error;
    }
    op->link_bits = EVTCHN_FIFO_LINK_BITS;
    return 0;
}

/* Sends again what was raised before page 'index' was there. */
static void raise_early(struct domain *d, unsigned int index)
{
    uint32_t port = index * EVTCHN_WORDS_PER_PAGE;
    uint32_t end = port + EVTCHN_WORDS_PER_PAGE;
    struct evtchn *ch;
    struct vcpu *v;

    for (; port < end; port++) {
        ch = evtchn_find(d, port);
        if (ch == NULL) {
            return;
        }
        if (__atomic_exchange_n(&ch->is_raised_early, false,
                                __ATOMIC_SEQ_CST)) {
            v = evtchn_vcpu_of(d, READ_ONCE(ch->notify_vcpu));
            if (v != NULL) {
                set_pending(v, ch);
            }
        }
    }
}

int evtchn_fifo_expand_array(struct domain *d, uint64_t array_gfn)
{
    struct frame *f = p2m_get_ram(d, gfn(array_gfn), true);
    struct evtchn_fifo *fifo;
    unsigned int index;
    int error = 0;

    if (f == NULL) {
        return -EINVAL;
    }
    spin_lock(&d->evtchn->lock);
    fifo = d->evtchn->fifo;
    if (fifo == NULL) {
        error = -EOPNOTSUPP;
    } else if (fifo->page_count >= EVTCHN_FIFO_PAGES) {
        error = -ENOSPC;
    } else {
        index = fifo->page_count++;
        fifo->frame[index] = f;
        __atomic_store_n(&fifo->words[index],
                         (event_word_t *)arch_frame_map(frame_mfn(f)),
                         __ATOMIC_SEQ_CST);
        raise_early(d, index);
    }
    spin_unlock(&d->evtchn->lock);
    if (error != 0) {
        frame_put(f);
    }
    return error;
}

static void drop_control(struct vcpu *v)
{
    struct evtchn_vcpu *ev = v->evtchn;
    struct frame *f = ev->control_frame;
    uint32_t i;

    spin_lock(&ev->queue_lock);
    ev->control = NULL;
    for (i = 0; i < EVTCHN_FIFO_MAX_QUEUES; i++) {
        ev->tail[i] = 0;
    }
    spin_unlock(&ev->queue_lock);
    ev->control_frame = NULL;
    if (f != NULL) {
        frame_put(f);
    }
}

void evtchn_fifo_destroy(struct domain *d)
{
    struct evtchn_fifo *fifo = d->evtchn->fifo;
    unsigned int i;

    if (fifo == NULL) {
        return;
    }
    __atomic_store_n(&d->evtchn->ops, &evtchn_2l_ops, __ATOMIC_RELEASE);
    __atomic_store_n(&d->evtchn->fifo, NULL, __ATOMIC_RELEASE);
    for (i = 0; d->vcpu != NULL && i < d->max_vcpus; i++) {
        if (d->vcpu[i] != NULL && d->vcpu[i]->evtchn != NULL) {
            drop_control(d->vcpu[i]);
        }
    }
    for (i = 0; i < fifo->page_count; i++) {
        frame_put(fifo->frame[i]);
    }
    kmem_free(fifo);
}
