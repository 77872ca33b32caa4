/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Domains: the list, references, pauses, and how one is taken down (how it
 * stops itself: domain_shutdown.c).  The life cycle is drawn in domain.h; the
 * modules that hang on a domain are created and destroyed here, in an order
 * that is stated once.
 *
 *  1. The list holds one reference from creation until the end of
 *     domain_kill(); a frame that a domain owns holds one (page_alloc.c).
 *  2. A domain on the list has all its modules.  They are destroyed only by
 *     domain_reap(), when nothing refers to the domain any more.
 *  3. domain_kill() gives memory back in stages; each call does a bounded
 *     part, and a stage that ended is not entered again.
 *  4. domain_put() may be called under any lock: it only lists the domain
 *     for domain_reap().
 *  5. by_id[] has what the list has.  It is read without a lock: who raised
 *     refs from above 0 looks at it again.  That is safe as the memory of a
 *     struct domain is only ever used again for another one (spares).
 */
#include "core/domain.h"

#include "core/arch.h"
#include "core/budget.h"
#include "core/console.h"
#include "core/evtchn.h"
#include "core/frame.h"
#include "core/grant.h"
#include "core/kmem.h"
#include "core/lock.h"
#include "core/p2m.h"
#include "core/page_alloc.h"
#include "core/sched.h"
#include "core/sched_op.h"
#include "core/vcpu.h"
#include "core/vcpu_op.h"
#include "core/wallclock.h"
#include "core/window.h"
#include "lib/atomic.h"
#include "lib/bug.h"
#include "lib/errno.h"
#include "lib/nospec.h"
#include "lib/string.h"

#define GRANT_FRAMES_DEFAULT 64u
#define GRANT_FRAMES_MAX 4096u
#define MAPTRACK_FRAMES_DEFAULT 1024u
#define MAPTRACK_FRAMES_MAX 16384u
#define CONTROLLER_PAUSES_MAX 255u
#define SETTLE_WAIT_NS 50000u

struct domain *dom0;

static spinlock_t list_lock = SPINLOCK_INIT(LOCK_RANK_DOMAIN_LIST);
static struct list_node all_domains = LIST_INIT(all_domains); /* by id */
static domid_t last_id;             /* list lock: given to a new domain */
static struct domain *by_id[DOMID_FIRST_RESERVED]; /* [a], writes by lock */
static struct list_node spares = LIST_INIT(spares); /* list lock */
static struct domain *dead;         /* [a] a stack, linked by next_dead */

void domain_module_init(void)
{
    list_init(&all_domains);
    list_init(&spares);
    memset(by_id, 0, sizeof(by_id));
    last_id = 0;
    dead = NULL;
}

/* ---- references and the list ---- */

void domain_get(struct domain *d)
{
    uint32_t before = __atomic_fetch_add(&d->refs, 1, __ATOMIC_RELAXED);

    BUG_ON(before == 0);
}

/* Gives 'd' to domain_reap(). */
static void list_dead(struct domain *d)
{
    struct domain *head = __atomic_load_n(&dead, __ATOMIC_RELAXED);

    do {
        d->next_dead = head;
    } while (!__atomic_compare_exchange_n(&dead, &head, d, true,
                                          __ATOMIC_RELEASE,
                                          __ATOMIC_RELAXED));
    arch_cpu_kick(arch_cpu_id());   /* to its loop, before idling */
}

void domain_put(struct domain *d)
{
    if (d != NULL &&
        __atomic_fetch_sub(&d->refs, 1, __ATOMIC_ACQ_REL) == 1) {
        list_dead(d);
    }
}

/* The first with an id of at least 'id'; the list lock is held. */
static struct domain *find_from(domid_t id)
{
    struct domain *d;

    list_for_each(d, &all_domains, all_link) {
        if (d->id >= id) {
            return d;
        }
    }
    return NULL;
}

struct domain *domain_get_next(domid_t id)
{
    struct domain *d;

    spin_lock(&list_lock);
    d = find_from(id);
    if (d != NULL) {
        domain_get(d);
    }
    spin_unlock(&list_lock);
    return d;
}

/* A reference, unless there is none any more. */
static bool get_unless_dead(struct domain *d)
{
    uint32_t refs = __atomic_load_n(&d->refs, __ATOMIC_RELAXED);

    do {
        if (refs == 0) {
            return false;
        }
    } while (!__atomic_compare_exchange_n(&d->refs, &refs, refs + 1, true,
                                          __ATOMIC_ACQUIRE,
                                          __ATOMIC_RELAXED));
    return true;
}

struct domain *domain_get_by_id(domid_t id)
{
    struct domain *d;

    if (id >= DOMID_FIRST_RESERVED) {
        return NULL;
    }
    id = (domid_t)index_nospec(id, DOMID_FIRST_RESERVED);
    d = __atomic_load_n(&by_id[id], __ATOMIC_ACQUIRE);
    if (d == NULL || !get_unless_dead(d)) {
        return NULL;
    }
    if (__atomic_load_n(&by_id[id], __ATOMIC_ACQUIRE) != d) {
        domain_put(d);
        return NULL;
    }
    return d;
}

struct domain *domain_get_any(domid_t id)
{
    if (id == DOMID_SELF) {
        struct domain *d = vcpu_current()->domain;

        domain_get(d);
        return d;
    }
    return domain_get_by_id(id);
}

/* Puts 'd' on the list as 'id', or as a free one: 0, -EEXIST, -ENOMEM. */
static int list_domain(struct domain *d, domid_t id)
{
    struct domain *after;
    int rc = 0;

    spin_lock(&list_lock);
    if (id == DOMID_INVALID) {
        domid_t start = last_id;

        do {
            last_id = last_id >= DOMID_FIRST_RESERVED - 1u ? 1 :
                      (domid_t)(last_id + 1);
            after = find_from(last_id);
        } while (after != NULL && after->id == last_id && last_id != start);
        rc = after != NULL && after->id == last_id ? -ENOMEM : 0;
        id = last_id;
    } else {
        after = find_from(id);
        rc = after != NULL && after->id == id ? -EEXIST : 0;
    }
    if (rc == 0) {
        d->id = id;
        list_add_tail(&d->all_link,
                      after != NULL ? &after->all_link : &all_domains);
        __atomic_store_n(&by_id[id], d, __ATOMIC_RELEASE);
    }
    spin_unlock(&list_lock);
    return rc;
}

static void unlist_domain(struct domain *d)
{
    spin_lock(&list_lock);
    __atomic_store_n(&by_id[d->id], (struct domain *)NULL, __ATOMIC_SEQ_CST);
    list_del(&d->all_link);
    spin_unlock(&list_lock);
}

/* ---- creation and the last step ---- */

/* The memory of a struct domain: see invariant 5. */
static void spare_domain(struct domain *d)
{
    spin_lock(&list_lock);
    list_add(&d->all_link, &spares);
    spin_unlock(&list_lock);
}

static struct domain *take_spare(void)
{
    struct domain *d = NULL;

    spin_lock(&list_lock);
    if (!list_is_empty(&spares)) {
        d = list_first(&spares, struct domain, all_link);
        list_del(&d->all_link);
        memset(d, 0, sizeof(*d));
    }
    spin_unlock(&list_lock);
    return d != NULL ? d : kmem_alloc(sizeof(*d));
}

static uint32_t limit_of(int32_t asked, uint32_t standard, uint32_t most)
{
    if (asked < 0) {
        return standard;
    }
    return (uint32_t)asked < most ? (uint32_t)asked : most;
}

static int create_shared_info(struct domain *d)
{
    struct frame *f = page_alloc_shared(d);

    if (f == NULL) {
        return -ENOMEM;
    }
    d->shared_info = arch_frame_map(frame_mfn(f));
    return 0;
}

/* The modules of a domain; the later ones use the earlier. */
static int create_modules(struct domain *d)
{
    const struct xen_domctl_createdomain *c = &d->config;
    int rc = create_shared_info(d);

    if (rc == 0) {
        rc = p2m_create(d);
    }
    if (rc == 0) {
        rc = sched_domain_create(d);
    }
    if (rc == 0) {
        rc = evtchn_create(d);
    }
    if (rc == 0) {
        rc = evtchn_set_max_port(d, c->max_evtchn_port);
    }
    if (rc == 0) {
        rc = grant_create(d, limit_of(c->max_grant_frames,
                                      GRANT_FRAMES_DEFAULT,
                                      GRANT_FRAMES_MAX),
                          limit_of(c->max_maptrack_frames,
                                   MAPTRACK_FRAMES_DEFAULT,
                                   MAPTRACK_FRAMES_MAX));
    }
    if (rc == 0) {
        rc = arch_domain_create(d, c);
    }
    return rc;
}

/*
 * Undoes create_modules(); accepts a domain that it left half-made.  The
 * p2m goes in bounded parts, so that this may have to be called again:
 * -ERESTART.
 */
static int destroy_modules(struct domain *d)
{
    if (arch_domain_release(d) != 0) {
        return -ERESTART;
    }
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        vcpu_destroy(d->vcpu[i]);
        d->vcpu[i] = NULL;
    }
    sched_op_stop_watchdogs(d);
    arch_domain_destroy(d);
    grant_destroy(d);
    evtchn_destroy(d);
    sched_domain_destroy(d);
    if (window_destroy(d) != 0 || (d->p2m != NULL && p2m_destroy(d) != 0)) {
        return -ERESTART;
    }
    if (d->shared_info != NULL) {
        frame_disown(frame_of(arch_virt_to_mfn(d->shared_info)));
    }
    kmem_free(d->console);
    kmem_free(d->e820);
    kmem_free(d->vcpu);
    spare_domain(d);
    return 0;
}

static struct domain *alloc_domain(const struct xen_domctl_createdomain *c,
                                   bool privileged)
{
    struct domain *d = take_spare();

    if (d == NULL) {
        return NULL;
    }
    d->vcpu = kmem_alloc_array(c->max_vcpus, sizeof(d->vcpu[0]));
    if (d->vcpu == NULL) {
        spare_domain(d);
        return NULL;
    }
    d->id = DOMID_INVALID;
    d->refs = 1;
    d->is_privileged = privileged;
    d->is_direct_mapped = privileged;
    d->is_pv = !(c->flags & XEN_DOMCTL_CDF_hvm);
    d->max_vcpus = c->max_vcpus;
    d->config = *c;
    d->create_flags = c->flags;
    d->ssidref = c->ssidref;
    memcpy(d->handle, c->handle, sizeof(d->handle));
    spin_lock_init(&d->lock, LOCK_RANK_DOMAIN);
    list_init(&d->all_link);
    d->shutdown_code = DOMAIN_NO_SHUTDOWN_CODE;
    domain_shutdown_init(d);
    /* Created paused, as the toolstack expects. */
    d->pause_count = 1;
    d->controller_pauses = 1;
    return d;
}

int domain_create(domid_t id, const struct xen_domctl_createdomain *config,
                  bool privileged, struct domain **out)
{
    struct domain *d;
    int rc;

    if (config->max_vcpus == 0) {
        return -EINVAL;
    }
    d = alloc_domain(config, privileged);
    if (d == NULL) {
        return -ENOMEM;
    }
    rc = create_modules(d);
    if (rc == 0) {
        domain_get(d);              /* the caller's; the first is the list's */
        rc = list_domain(d, id);
        if (rc != 0) {
            domain_put(d);
        }
    }
    if (rc != 0) {
        domain_put(d);
        return rc;
    }
    wallclock_update(d);
    *out = d;
    return 0;
}

void domain_reap(void)
{
    struct domain *d = __atomic_load_n(&dead, __ATOMIC_RELAXED);

    if (d == NULL) {
        return;
    }
    d = __atomic_exchange_n(&dead, (struct domain *)NULL, __ATOMIC_ACQUIRE);
    while (d != NULL) {
        struct domain *next = d->next_dead;

        if (destroy_modules(d) != 0) {
            list_dead(d);
        }
        d = next;
    }
}

/* ---- pauses ---- */

static void sleep_all(struct domain *d, bool sync)
{
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = __atomic_load_n(&d->vcpu[i], __ATOMIC_ACQUIRE);

        if (v == NULL) {
            continue;
        }
        if (sync && v != vcpu_current()) {
            sched_sleep_sync(v);
        } else {
            sched_sleep_nosync(v);
        }
    }
}

static void wake_all(struct domain *d)
{
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = __atomic_load_n(&d->vcpu[i], __ATOMIC_ACQUIRE);

        if (v != NULL) {
            vcpu_wake(v);
        }
    }
}

void domain_pause_nosync(struct domain *d)
{
    __atomic_fetch_add(&d->pause_count, 1, __ATOMIC_SEQ_CST);
    sleep_all(d, false);
}

void domain_pause(struct domain *d)
{
    __atomic_fetch_add(&d->pause_count, 1, __ATOMIC_SEQ_CST);
    sleep_all(d, true);
}

void domain_unpause(struct domain *d)
{
    uint32_t before = __atomic_fetch_sub(&d->pause_count, 1,
                                         __ATOMIC_SEQ_CST);

    BUG_ON(before == 0);
    if (before == 1) {
        wake_all(d);
    }
}

static bool settle_all(struct domain *d)
{
    bool are_settled = true;

    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        struct vcpu *v = __atomic_load_n(&d->vcpu[i], __ATOMIC_ACQUIRE);

        if (v != NULL && v->is_initialised && !vcpu_settle(v)) {
            are_settled = false;
        }
    }
    return are_settled;
}

int domain_settle(struct domain *d)
{
    uint64_t until = arch_time_now() + SETTLE_WAIT_NS;

    while (!settle_all(d)) {
        if (arch_time_now() >= until) {
            return -ERESTART;
        }
        arch_pause();
    }
    return 0;
}

int domain_pause_by_controller(struct domain *d)
{
    int rc = 0;

    spin_lock(&d->lock);
    if (d->controller_pauses >= CONTROLLER_PAUSES_MAX) {
        rc = -EBUSY;
    } else {
        d->controller_pauses++;
    }
    spin_unlock(&d->lock);
    if (rc == 0) {
        domain_pause(d);
    }
    return rc;
}

int domain_unpause_by_controller(struct domain *d)
{
    int rc = 0;

    spin_lock(&d->lock);
    if (d->controller_pauses == 0) {
        rc = -EINVAL;
    } else {
        d->controller_pauses--;
        if (d->state == DOMAIN_BUILDING) {
            __atomic_store_n(&d->state, (uint32_t)DOMAIN_RUNNING,
                             __ATOMIC_RELEASE);
        }
    }
    spin_unlock(&d->lock);
    if (rc == 0) {
        domain_unpause(d);
    }
    return rc;
}

/* ---- the end ---- */

/* The stages of domain_kill(), in order. */
static int relinquish(struct domain *d, unsigned int stage)
{
    switch (stage) {
    case 0:
        return evtchn_relinquish(d);
    case 1:
        return grant_relinquish(d);
    case 2:
        for (unsigned int i = 0; i < d->max_vcpus; i++) {
            if (d->vcpu[i] != NULL) {
                vcpu_op_timers_stop(d->vcpu[i]);
            }
        }
        sched_op_stop_watchdogs(d);
        timer_stop(&d->rest_timer);
        return 0;
    case 3:
        return page_alloc_claim(d, 0);
    case 4:
        return window_kill(d);
    default:
        return p2m_relinquish(d);
    }
}

#define LAST_STAGE 5u

static int run_stages(struct domain *d)
{
    struct budget b = budget_start();

    while (d->kill_stage <= LAST_STAGE) {
        int rc = budget_is_spent(&b) ? -ERESTART
                                     : relinquish(d, d->kill_stage);

        if (rc != 0) {
            return rc;
        }
        d->kill_stage++;
    }
    return 0;
}

/* The registered info pages are the guest's own frames: let them go. */
static void release_info(struct domain *d)
{
    for (unsigned int i = 0; i < d->max_vcpus; i++) {
        if (d->vcpu[i] != NULL) {
            vcpu_release_info(d->vcpu[i]);
        }
    }
}

static void start_kill(struct domain *d)
{
    bool is_first;

    spin_lock(&d->lock);
    is_first = !domain_is_dying(d);
    if (is_first) {
        __atomic_store_n(&d->state, (uint32_t)DOMAIN_DYING,
                         __ATOMIC_SEQ_CST);
    }
    spin_unlock(&d->lock);
    if (is_first) {
        domain_pause(d);            /* never undone */
    }
}

int domain_kill(struct domain *d)
{
    int rc;

    if (d->is_privileged || d == vcpu_current()->domain) {
        return -EINVAL;
    }
    if (__atomic_exchange_n(&d->is_killing, true, __ATOMIC_ACQUIRE)) {
        return -ERESTART;
    }
    if (READ_ONCE(d->state) == DOMAIN_DEAD) {
        rc = -ESRCH;
    } else {
        start_kill(d);
        rc = run_stages(d);
    }
    if (rc == 0) {
        release_info(d);
        __atomic_store_n(&d->state, (uint32_t)DOMAIN_DEAD, __ATOMIC_SEQ_CST);
        unlist_domain(d);
    }
    __atomic_store_n(&d->is_killing, false, __ATOMIC_RELEASE);
    if (rc == 0) {
        evtchn_virq_global(VIRQ_DOM_EXC);
        domain_put(d);
    }
    return rc;
}
