/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PV domains as the toolstack meets them.  A PV guest's own page-table
 * hypercalls never get here: the machine's personality does them inside the
 * guest.  What is left is the builder's: pins and page table entries before
 * the guest first runs, the M2P that it confirms, the hypercall page, and the
 * types of frames for those who save a domain.
 *
 *  1. A PV domain's machine frames are its own frame numbers, and the M2P
 *     that toolstacks see is the identity, which nobody updates; but where a
 *     guest changed its own one, that.
 *  2. Lists are done in parts of BATCH elements.
 */
#include "core/pv_op.h"

#include "core/arch.h"
#include "core/budget.h"
#include "core/domain.h"
#include "core/hypercall.h"
#include "core/lock.h"
#include "core/p2m.h"
#include "core/physmap.h"
#include "core/vcpu.h"
#include "core/xsm.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/spinlock.h"

#define BATCH 64u
#define FRAME_INFO_MAX 1024u

/* The PV domain 'id', which somebody else builds; referenced, or NULL. */
static int get_foreign(uint32_t id, struct domain **out)
{
    struct domain *cur = vcpu_current()->domain;
    struct domain *d;
    int rc;

    /* The upper half names the owner of the tables: the same one. */
    if (id >> 16 != 0) {
        return -EOPNOTSUPP;
    }
    d = domain_get_by_id((domid_t)id);
    if (d == NULL) {
        return -ESRCH;
    }
    rc = xsm_memory_foreign(cur, d);
    if (rc == 0 && (!d->is_pv || d == cur)) {
        rc = -EINVAL;
    }
    /* Later it is the guest's own business. */
    if (rc == 0 && __atomic_load_n(&d->state, __ATOMIC_ACQUIRE)
                   != DOMAIN_BUILDING) {
        rc = -EBUSY;
    }
    if (rc != 0) {
        domain_put(d);
        return rc;
    }
    *out = d;
    return 0;
}

/* One element of a list. */
struct element {
    int (*fn)(struct domain *d, struct guest_ptr at);
    size_t size;
};

static int pin_one(struct domain *d, const struct mmuext_op *op)
{
    enum p2m_type type;

    switch (op->cmd) {
    case MMUEXT_PIN_L1_TABLE ... MMUEXT_PIN_L4_TABLE:
        (void)p2m_lookup(d, gfn(op->arg1.mfn), &type);
        return type != P2M_RAM_RW ? -EINVAL :
               arch_pv_pin(d, gfn(op->arg1.mfn),
                           op->cmd - MMUEXT_PIN_L1_TABLE + 1);
    case MMUEXT_UNPIN_TABLE:
        return arch_pv_pin(d, gfn(op->arg1.mfn), 0);
    default:
        return -EOPNOTSUPP;
    }
}

static int read_and_pin(struct domain *d, struct guest_ptr at)
{
    struct mmuext_op op;

    return guest_read(&op, at, sizeof(op)) != 0 ? -EFAULT : pin_one(d, &op);
}

/* The builder could as well map the table and write there. */
static int write_entry(struct domain *d, uint64_t ptr, uint64_t entry)
{
    enum p2m_type type;

    (void)p2m_lookup(d, gfn(ptr >> PAGE_SHIFT), &type);
    return type != P2M_RAM_RW ? -EINVAL :
           p2m_write(d, ptr & ~(sizeof(entry) - 1), &entry, sizeof(entry));
}

static int read_and_update(struct domain *d, struct guest_ptr at)
{
    struct mmu_update u;

    if (guest_read(&u, at, sizeof(u)) != 0) {
        return -EFAULT;
    }
    switch (u.ptr & (sizeof(uint64_t) - 1)) {
    case MMU_NORMAL_PT_UPDATE:
        return write_entry(d, u.ptr, u.val);
    case MMU_MACHPHYS_UPDATE:
        return u.ptr >> PAGE_SHIFT == u.val ? 0 : -EINVAL;
    default:
        return -EOPNOTSUPP;
    }
}

/* '*done' counts the elements of the last part: who asks wants errors. */
static long run(struct domain *d, struct guest_ptr list, unsigned int count,
                struct guest_ptr done, const struct element *element)
{
    uint32_t end = min(count, BATCH);
    struct budget b = budget_start();
    uint32_t i = 0;
    int rc = 0;

    while (rc == 0 && i < end && (i == 0 || !budget_is_spent(&b))) {
        rc = element->fn(d, guest_ptr_add(list, i * element->size));
        i += rc == 0;
    }
    if (!guest_ptr_is_null(done) && guest_write(done, &i, sizeof(i)) != 0) {
        return -EFAULT;
    }
    if (rc == 0 && i < count) {
        hypercall_set_arg(0, guest_ptr_add(list, i * element->size).va);
        hypercall_set_arg(1, count - i);
        return -ERESTART;
    }
    return rc;
}

long mmuext_op(struct guest_ptr list, unsigned int count,
               struct guest_ptr done, unsigned int domid)
{
    static const struct element pins = { read_and_pin,
                                         sizeof(struct mmuext_op) };
    struct domain *d;
    long rc = get_foreign(domid, &d);

    if (rc != 0) {
        return rc;
    }
    rc = run(d, list, count, done, &pins);
    domain_put(d);
    return rc;
}

/* Why a PV guest may not touch the frames of 'id'. */
static long refuse(unsigned int id)
{
    struct domain *d = domain_get_by_id((domid_t)id);
    long rc = d == NULL || d == vcpu_current()->domain ? -ESRCH : -EPERM;

    domain_put(d);
    return rc;
}

/*
 * The lower half of 'domid' names the owner of the frames; the upper one, plus
 * one, that of the page tables: only the same domain's are written.
 */
long mmu_update(struct guest_ptr list, unsigned int count,
                struct guest_ptr done, unsigned int domid)
{
    static const struct element updates = { read_and_update,
                                            sizeof(struct mmu_update) };
    unsigned int tables = domid >> 16, frames = domid & 0xffff;
    struct domain *d;
    long rc;

    if (!vcpu_current()->domain->is_privileged) {
        /* As to any translated guest; a PV one does its own itself. */
        return vcpu_current()->domain->is_pv ? refuse(frames) : -ENOSYS;
    }
    if (tables != 0 && tables - 1 != frames) {
        return -EOPNOTSUPP;
    }
    rc = get_foreign(frames, &d);
    if (rc != 0) {
        return rc;
    }
    rc = run(d, list, count, done, &updates);
    domain_put(d);
    return rc;
}

int pv_op_hypercall_page(struct domain *d, struct xen_domctl *op)
{
    uint64_t g = op->u.hypercall_init.gmfn;
    enum p2m_type type;

    if (!d->is_pv) {
        return -EOPNOTSUPP;         /* others use their MSR */
    }
    (void)p2m_lookup(d, gfn(g), &type);
    return type != P2M_RAM_RW ? -EINVAL : arch_pv_hypercall_page(d, gfn(g));
}

long pv_op_m2p_mapping(struct domain *d, struct guest_ptr arg)
{
    struct xen_machphys_mapping m;

    if (!d->is_pv) {
        return -ENOSYS;
    }
    arch_pv_m2p(d, &m);
    return guest_write(arg, &m, sizeof(m));
}

/* ---- the M2P, for who saves ---- */

/*
 * XENMEM_machphys_mfn_list does not name the domain that is to be saved, but
 * libxc has just asked for its address size, and each save and restore is a
 * process.  With another guest's M2P libxc would not fail: it leaves out pages
 * that the M2P and the guest's P2M do not agree about.  So the answer goes to
 * the process that asked.
 *
 *   --get_address_size--> asked --machphys_mfn_list--> shown: maps it
 *
 * A page of the M2P becomes the guest's own when the guest first changes it;
 * who maps what was there before sees the change no more, though he may wait
 * for the guest still, as for a kernel that pvgrub starts.  So from then on he
 * is told nothing about its frames: pv_op_frame_info().  Each process is
 * forgotten after ASKED_MAX others.
 */
#define ASKED_MAX 128u

static struct asked {
    uint64_t space;             /* the process, in domain 'asker' */
    domid_t asker;
    domid_t of;                 /* 0: nobody asked */
    bool is_shown;
    uint32_t own_pages;         /* of the M2P, when it was shown */
} asked[ASKED_MAX];             /* asked_lock */
static unsigned int asked_next; /* asked_lock: the oldest one */
static spinlock_t asked_lock = SPINLOCK_INIT(LOCK_RANK_P2M);

/* What the current process asked last, or NULL; asked_lock is held. */
static struct asked *find_asked(const struct vcpu *cur, uint64_t space)
{
    for (unsigned int i = 0; i < ASKED_MAX; i++) {
        struct asked *a = &asked[i];

        if (a->of != 0 && a->space == space && a->asker == cur->domain->id) {
            return a;
        }
    }
    return NULL;
}

int pv_op_address_size(struct domain *d, struct xen_domctl *op)
{
    struct vcpu *cur = vcpu_current();

    if (d->is_pv) {
        uint64_t space = arch_vcpu_space(cur);
        struct asked *a;

        spin_lock(&asked_lock);
        a = find_asked(cur, space);
        if (a != NULL) {
            a->of = 0;
        }
        asked[asked_next] = (struct asked){ .space = space, .of = d->id,
                                            .asker = cur->domain->id };
        asked_next = (asked_next + 1) % ASKED_MAX;
        spin_unlock(&asked_lock);
    }
    op->u.address_size.size = 64;
    return 0;
}

/* Whom the current process asked about, unless it was shown that; or 0. */
static domid_t asked_last(struct vcpu *cur)
{
    uint64_t space = arch_vcpu_space(cur);
    struct asked *a;
    domid_t of;

    spin_lock(&asked_lock);
    a = find_asked(cur, space);
    of = a == NULL || a->is_shown ? 0 : a->of;
    spin_unlock(&asked_lock);
    return of;
}

static void remember_shown(struct vcpu *cur, uint32_t own_pages)
{
    uint64_t space = arch_vcpu_space(cur);
    struct asked *a;

    spin_lock(&asked_lock);
    a = find_asked(cur, space);
    if (a != NULL) {
        a->is_shown = true;
        a->own_pages = own_pages;
    }
    spin_unlock(&asked_lock);
}

/* Whose M2P the current process wants; 0: that of all without an own one. */
static domid_t m2p_wanted(void)
{
    struct vcpu *cur = vcpu_current();
    domid_t id = asked_last(cur);
    struct domain *d = id == 0 ? NULL : domain_get_by_id(id);
    uint32_t own_pages = d != NULL && d->is_pv ? arch_pv_own_m2p_pages(d) : 0;

    domain_put(d);
    if (id != 0) {
        remember_shown(cur, own_pages);
    }
    return own_pages != 0 ? id : 0;
}

/* Is what the current process was shown not all of the M2P of 'd' any more? */
static bool has_former_m2p(const struct domain *d)
{
    struct vcpu *cur = vcpu_current();
    uint64_t space = arch_vcpu_space(cur);
    uint32_t own_pages = arch_pv_own_m2p_pages(d);
    const struct asked *a;
    bool has_former;

    spin_lock(&asked_lock);
    a = find_asked(cur, space);
    has_former = a != NULL && a->of == d->id && a->is_shown
                 && a->own_pages != own_pages;
    spin_unlock(&asked_lock);
    return has_former;
}

/* The M2P in pieces of 2 MiB: physmap.c shows these frames. */
#define EXTENT_FRAMES 512u

long pv_op_m2p_list(struct domain *cur, struct guest_ptr arg)
{
    struct xen_machphys_mfn_list op;
    struct guest_ptr to;
    uint64_t first, count;
    int rc = xsm_memory_m2p(cur);

    if (rc != 0) {
        return rc;
    }
    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    to = guest_ptr_of(op.extent_start.p);
    count = min((uint64_t)op.max_extents,
                arch_pv_m2p_pages() / EXTENT_FRAMES);
    first = physmap_m2p_frame(m2p_wanted());
    for (uint64_t i = 0; i < count; i++) {
        xen_pfn_t start = first + i * EXTENT_FRAMES;

        if (guest_write(guest_ptr_add(to, i * sizeof(start)), &start,
                        sizeof(start)) != 0) {
            return -EFAULT;
        }
    }
    op.nr_extents = (unsigned int)count;
    return guest_write(arg, &op, sizeof(op));
}

/* ---- types of frames, for who saves ---- */

static xen_pfn_t frame_type(struct domain *d, gfn_t g)
{
    enum p2m_type type;
    bool pinned = false;
    unsigned int level;

    (void)p2m_lookup(d, g, &type);
    if (type != P2M_RAM_RW && type != P2M_RAM_RO) {
        return XEN_DOMCTL_PFINFO_XTAB;
    }
    level = d->is_pv ? arch_pv_level(d, g, &pinned) : 0;
    return (xen_pfn_t)level << XEN_DOMCTL_PFINFO_LTAB_SHIFT |
           (pinned ? XEN_DOMCTL_PFINFO_LPINTAB : 0);
}

int pv_op_frame_info(struct domain *d, struct xen_domctl *op)
{
    struct guest_ptr list = guest_ptr_of(op->u.getpageframeinfo3.array.p);
    uint64_t count = op->u.getpageframeinfo3.num;
    xen_pfn_t part[BATCH];

    if (count > FRAME_INFO_MAX) {
        return -E2BIG;
    }
    if (d->is_pv && has_former_m2p(d)) {
        return -EAGAIN;
    }
    while (count > 0) {
        unsigned int n = (unsigned int)min(count, (uint64_t)BATCH);

        if (guest_read(part, list, n * sizeof(part[0])) != 0) {
            return -EFAULT;
        }
        for (unsigned int i = 0; i < n; i++) {
            part[i] = frame_type(d, gfn(part[i]));
        }
        if (guest_write(list, part, n * sizeof(part[0])) != 0) {
            return -EFAULT;
        }
        list = guest_ptr_add(list, n * sizeof(part[0]));
        count -= n;
    }
    return 0;
}
