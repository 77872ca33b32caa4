/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PV domains as the toolstack meets them.  A PV guest's own page-table
 * hypercalls never get here: the machine's personality does them inside the
 * guest.  What is left is the builder's: pins before the first entry, the
 * hypercall page, and the types of frames for those who save a domain.
 *
 *  1. A PV domain's machine frames are its own frame numbers, so an update
 *     of the M2P can only say what is so already.
 *  2. Lists are done in parts of BATCH elements.
 */
#include "core/pv_op.h"

#include "core/arch.h"
#include "core/domain.h"
#include "core/hypercall.h"
#include "core/p2m.h"
#include "core/vcpu.h"
#include "core/xsm.h"
#include "lib/errno.h"
#include "lib/minmax.h"

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

static int update_one(const struct mmu_update *u)
{
    if ((u->ptr & 3) != MMU_MACHPHYS_UPDATE) {
        return -EOPNOTSUPP;
    }
    return u->val == u->ptr >> PAGE_SHIFT ? 0 : -EINVAL;
}

struct list {
    struct guest_ptr at;
    uint32_t count;
    struct guest_ptr done;
    bool is_pins;
};

static int do_one(struct domain *d, const struct list *l, uint32_t i)
{
    struct mmuext_op pin;
    struct mmu_update update;

    if (l->is_pins) {
        return guest_read(&pin, guest_ptr_add(l->at, i * sizeof(pin)),
                          sizeof(pin)) != 0 ? -EFAULT : pin_one(d, &pin);
    }
    return guest_read(&update, guest_ptr_add(l->at, i * sizeof(update)),
                      sizeof(update)) != 0 ? -EFAULT : update_one(&update);
}

/* '*done' counts the elements of the last part: who asks wants errors. */
static long run(struct domain *d, const struct list *l)
{
    uint32_t end = min(l->count, BATCH);
    uint32_t i = 0;
    int rc = 0;

    while (rc == 0 && i < end) {
        rc = do_one(d, l, i);
        i += rc == 0;
    }
    if (!guest_ptr_is_null(l->done) &&
        guest_write(l->done, &i, sizeof(i)) != 0) {
        return -EFAULT;
    }
    if (rc == 0 && i < l->count) {
        size_t size = l->is_pins ? sizeof(struct mmuext_op)
                                 : sizeof(struct mmu_update);

        hypercall_set_arg(0, guest_ptr_add(l->at, i * size).va);
        hypercall_set_arg(1, l->count - i);
        return -ERESTART;
    }
    return rc;
}

static long run_list(struct guest_ptr at, unsigned int count,
                     struct guest_ptr done, unsigned int domid, bool is_pins)
{
    const struct list l = { at, count, done, is_pins };
    struct domain *d;
    long rc = get_foreign(domid, &d);

    if (rc != 0) {
        return rc;
    }
    rc = run(d, &l);
    domain_put(d);
    return rc;
}

long mmuext_op(struct guest_ptr list, unsigned int count,
               struct guest_ptr done, unsigned int domid)
{
    return run_list(list, count, done, domid, true);
}

long mmu_update(struct guest_ptr list, unsigned int count,
                struct guest_ptr done, unsigned int domid)
{
    return run_list(list, count, done, domid, false);
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

    if (count > FRAME_INFO_MAX) {
        return -E2BIG;
    }
    for (uint64_t i = 0; i < count; i++) {
        struct guest_ptr at = guest_ptr_add(list, i * sizeof(xen_pfn_t));
        xen_pfn_t value;

        if (guest_read(&value, at, sizeof(value)) != 0) {
            return -EFAULT;
        }
        value = frame_type(d, gfn(value));
        if (guest_write(at, &value, sizeof(value)) != 0) {
            return -EFAULT;
        }
    }
    return 0;
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
