/* SPDX-License-Identifier: GPL-2.0-only */
/* What a toolstack asks about a PV domain: pins, types, the M2P. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/frame.h"
#include "core/p2m.h"
#include "core/page_alloc.h"
#include "core/physmap.h"
#include "fake/machine.h"
#include "unit.h"
#include "core_env.h"

#define PAGES 32u

static struct domain *control, *other, *pv;

static struct domain *make_pv(domid_t id)
{
    struct xen_domctl_createdomain config = {
        .max_vcpus = 2, .max_evtchn_port = 1023, .max_grant_frames = 4,
        .max_maptrack_frames = 4,
    };
    struct domain *d;

    ck_assert_int_eq(domain_create(id, &config, false, &d), 0);
    d->max_pages = 1024;
    for (uint64_t i = 0; i < PAGES; i++) {
        struct frame *f = page_alloc_domain(d, 0);

        ck_assert_ptr_nonnull(f);
        ck_assert_int_eq(p2m_set(d, gfn(i), frame_mfn(f), 0, P2M_RAM_RW), 0);
    }
    for (unsigned int i = 0; i < 2; i++) {
        ck_assert_int_eq(vcpu_create(d, i), 0);
    }
    return d;
}

static void setup(void)
{
    env_start();
    control = env_domain(0, 1);
    other = env_domain(1, 1);
    pv = make_pv(2);
    env_run(control->vcpu[0]);
}

static long call4(uint64_t nr, const void *list, uint64_t count,
                  const void *done, uint64_t domid)
{
    vcpu_current()->arch->arg[3] = domid;
    return env_call(nr, env_arg(list), count, done == NULL ? 0
                                              : env_arg(done));
}

static long pin(uint64_t cmd, uint64_t frame, uint64_t domid)
{
    struct mmuext_op op = { .cmd = (unsigned int)cmd, .arg1.mfn = frame };

    return call4(__HYPERVISOR_mmuext_op, &op, 1, NULL, domid);
}

static long control_op(uint32_t cmd, struct xen_domctl *op)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    return env_call(__HYPERVISOR_domctl, env_arg(op), 0, 0);
}

START_TEST(a_pv_domain_is_told_apart)
{
    struct xen_domctl op = { .domain = pv->id };

    ck_assert(pv->is_pv);
    ck_assert(!other->is_pv);
    ck_assert_int_eq(control_op(XEN_DOMCTL_getdomaininfo, &op), 0);
    ck_assert_uint_eq(op.u.getdomaininfo.flags & XEN_DOMINF_hvm_guest, 0);
    ck_assert_uint_eq(op.u.getdomaininfo.shared_info_frame,
                      arch_pv_gfn(pv, PV_SHARED_INFO, 0).v);
}
END_TEST

START_TEST(pins_before_the_first_entry_are_kept)
{
    xen_pfn_t list[] = { 3, 4, 5, PAGES + 1 };
    struct xen_domctl op = { .domain = pv->id };

    ck_assert_int_eq(pin(MMUEXT_PIN_L4_TABLE, 3, pv->id), 0);
    ck_assert_int_eq(pin(MMUEXT_PIN_L1_TABLE, 4, pv->id), 0);
    op.u.getpageframeinfo3.num = 4;
    op.u.getpageframeinfo3.array.p = list;
    ck_assert_int_eq(control_op(XEN_DOMCTL_getpageframeinfo3, &op), 0);
    ck_assert_uint_eq(list[0], XEN_DOMCTL_PFINFO_L4TAB
                               | XEN_DOMCTL_PFINFO_LPINTAB);
    ck_assert_uint_eq(list[1], XEN_DOMCTL_PFINFO_L1TAB
                               | XEN_DOMCTL_PFINFO_LPINTAB);
    ck_assert_uint_eq(list[2], XEN_DOMCTL_PFINFO_NOTAB);
    ck_assert_uint_eq(list[3], XEN_DOMCTL_PFINFO_XTAB);
}
END_TEST

static long update(uint64_t ptr, uint64_t value, uint64_t domid)
{
    struct mmu_update u = { .ptr = ptr, .val = value };

    return call4(__HYPERVISOR_mmu_update, &u, 1, NULL, domid);
}

static uint64_t limit_of(const struct domain *d)
{
    struct xen_domctl op = { .domain = d->id };

    ck_assert_int_eq(control_op(XEN_DOMCTL_getdomaininfo, &op), 0);
    return op.u.getdomaininfo.max_pages;
}

/* The limit is what it was until all is there that the pages need. */
START_TEST(a_pv_domain_grows_with_its_limit)
{
    struct xen_domctl op = { .domain = pv->id,
                             .u.max_mem.max_memkb = 5000 * 4 };

    machine_pv_parts = 3;
    machine_pv_error = -E2BIG;
    ck_assert_int_eq(control_op(XEN_DOMCTL_max_mem, &op), -E2BIG);
    ck_assert_uint_eq(env_restarts(), 3);
    ck_assert_uint_eq(limit_of(pv), 1024);
    machine_pv_error = 0;
    ck_assert_int_eq(control_op(XEN_DOMCTL_max_mem, &op), 0);
    ck_assert_uint_eq(limit_of(pv), 5000);
    ck_assert_uint_eq(pv->arch->grown, 5000);
    op.u.max_mem.max_memkb = UINT64_MAX;
    ck_assert_int_eq(control_op(XEN_DOMCTL_max_mem, &op), 0);
    ck_assert_uint_eq(limit_of(pv), UINT32_MAX);
    ck_assert_uint_eq(pv->arch->grown, UINT32_MAX);
    op.domain = other->id;
    ck_assert_int_eq(control_op(XEN_DOMCTL_max_mem, &op), 0);
    ck_assert_uint_eq(limit_of(other), UINT32_MAX);
    ck_assert_uint_eq(other->arch->grown, 0);
}
END_TEST

/* As xl restore tells the M2P, and as a builder may write tables. */
START_TEST(a_builder_updates_tables_and_the_m2p)
{
    const uint64_t both = pv->id | (pv->id + 1u) << 16;
    struct mmu_update list[200];
    uint32_t done = 99;

    ck_assert_int_eq(update(5u << 12 | MMU_MACHPHYS_UPDATE, 5, pv->id), 0);
    ck_assert_int_eq(update(5u << 12 | MMU_MACHPHYS_UPDATE, 6, pv->id),
                     -EINVAL);
    ck_assert_int_eq(update(7u << 12 | 16, 0x1234567, both), 0);
    ck_assert_uint_eq(((uint64_t *)env_page(pv, 7))[2], 0x1234567);
    ck_assert_int_eq(update((PAGES + 1) << 12, 1, both), -EINVAL);
    ck_assert_int_eq(update(~7ull, 1, both), -EINVAL);
    ck_assert_int_eq(update(7u << 12 | 4, 1, both), -EOPNOTSUPP);
    ck_assert_int_eq(update(7u << 12, 1, pv->id | 1u << 16), -EOPNOTSUPP);
    ck_assert_int_eq(update(7u << 12, 1, other->id), -EINVAL);
    ck_assert_int_eq(update(7u << 12, 1, 77), -ESRCH);
    ck_assert_int_eq(update(7u << 12, 1, DOMID_SELF), -ESRCH);
    for (unsigned int i = 0; i < 200; i++) {
        list[i] = (struct mmu_update){ i << 12 | MMU_MACHPHYS_UPDATE, i };
    }
    list[150].val = 1;
    ck_assert_int_eq(call4(__HYPERVISOR_mmu_update, list, 200, &done,
                           pv->id), -EINVAL);
    ck_assert_uint_ge(env_restarts(), 2);
    ck_assert_uint_eq(done, 150 % 64);
    env_run(other->vcpu[0]);
    ck_assert_int_eq(update(5u << 12 | MMU_MACHPHYS_UPDATE, 5, pv->id),
                     -ENOSYS);
    env_run(control->vcpu[0]);
    ck_assert_int_eq(domain_unpause_by_controller(pv), 0);
    ck_assert_int_eq(update(7u << 12 | 16, 1, both), -EBUSY);
}
END_TEST

static long populate(xen_pfn_t *list, unsigned int count)
{
    struct xen_memory_reservation r = { .nr_extents = count,
                                        .domid = DOMID_SELF };

    r.extent_start.p = list;
    return env_call(__HYPERVISOR_memory_op, XENMEM_populate_physmap,
                    env_arg(&r), 0);
}

/* As a balloon, by the guest's own numbers of frames. */
START_TEST(a_pv_guest_gets_the_frames_of_its_numbers)
{
    xen_pfn_t list[] = { PAGES + 1, PAGES + 6, 5, PAGES + 7 };
    enum p2m_type type;

    env_run(pv->vcpu[0]);
    *(uint64_t *)env_page(pv, 5) = 4711;
    ck_assert_int_eq(populate(list, 4), 2);     /* not where RAM is */
    ck_assert_uint_eq(list[0], PAGES + 1);
    ck_assert_uint_eq(pv->tot_pages, PAGES + 2);
    ck_assert_uint_eq(*(uint64_t *)env_page(pv, 5), 4711);
    machine_pv_moved = 2;
    list[0] = PAGES + 1;
    ck_assert_int_eq(populate(list, 1), 1);
    machine_pv_moved = 0;
    ck_assert_uint_eq(list[0], PAGES + 3);
    (void)p2m_lookup(pv, gfn(PAGES + 3), &type);
    ck_assert_int_eq(type, P2M_RAM_RW);
}
END_TEST

/* A PV guest has the checks of a translated one, and then no frame. */
START_TEST(no_frame_is_exchanged)
{
    xen_pfn_t in[2] = { 1, 2 };
    struct xen_memory_exchange e = {
        .in = { .nr_extents = 2, .domid = DOMID_SELF },
        .out = { .nr_extents = 1, .extent_order = 1, .domid = DOMID_SELF },
    };

    e.in.extent_start.p = in;
    e.out.extent_start.p = in;
    env_run(pv->vcpu[0]);
    ck_assert_int_eq(env_call(__HYPERVISOR_memory_op, XENMEM_exchange,
                              env_arg(&e), 0), -ENOMEM);
    ck_assert_uint_eq(e.nr_exchanged, 0);
    ck_assert_uint_eq(pv->tot_pages, PAGES);
    e.out.extent_order = 2;
    ck_assert_int_eq(env_call(__HYPERVISOR_memory_op, XENMEM_exchange,
                              env_arg(&e), 0), -EINVAL);
    e.in.extent_order = 64;
    ck_assert_int_eq(env_call(__HYPERVISOR_memory_op, XENMEM_exchange,
                              env_arg(&e), 0), -EPERM);
    e.in.extent_order = 0;
    e.in.domid = e.out.domid = other->id;
    e.out.extent_order = 1;
    ck_assert_int_eq(env_call(__HYPERVISOR_memory_op, XENMEM_exchange,
                              env_arg(&e), 0), -EPERM);
    env_run(other->vcpu[0]);
    e.in.domid = e.out.domid = DOMID_SELF;
    ck_assert_int_eq(env_call(__HYPERVISOR_memory_op, XENMEM_exchange,
                              env_arg(&e), 0), -EOPNOTSUPP);
}
END_TEST

START_TEST(pins_are_for_pv_builders_only)
{
    ck_assert_int_eq(pin(MMUEXT_PIN_L4_TABLE, 3, other->id), -EINVAL);
    ck_assert_int_eq(pin(MMUEXT_PIN_L4_TABLE, 3, 77), -ESRCH);
    ck_assert_int_eq(pin(MMUEXT_PIN_L4_TABLE, 3, pv->id | 1u << 16),
                     -EOPNOTSUPP);
    ck_assert_int_eq(pin(MMUEXT_PIN_L4_TABLE, PAGES + 1, pv->id), -EINVAL);
    ck_assert_int_eq(pin(MMUEXT_NEW_BASEPTR, 3, pv->id), -EOPNOTSUPP);
    env_run(other->vcpu[0]);
    ck_assert_int_eq(pin(MMUEXT_PIN_L4_TABLE, 3, pv->id), -EPERM);
    env_run(control->vcpu[0]);
    ck_assert_int_eq(domain_unpause_by_controller(pv), 0);
    ck_assert_int_eq(pin(MMUEXT_PIN_L4_TABLE, 3, pv->id), -EBUSY);
}
END_TEST

START_TEST(a_long_list_is_done_in_parts)
{
    struct mmuext_op list[200];
    uint32_t done = 0;

    for (unsigned int i = 0; i < 200; i++) {
        list[i] = (struct mmuext_op){ .cmd = MMUEXT_PIN_L1_TABLE,
                                      .arg1.mfn = i % 8 };
    }
    ck_assert_int_eq(call4(__HYPERVISOR_mmuext_op, list, 200, &done, pv->id),
                     0);
    ck_assert_uint_gt(env_restarts(), 1);
    list[199].cmd = 99;
    ck_assert_int_eq(call4(__HYPERVISOR_mmuext_op, list, 200, NULL, pv->id),
                     -EOPNOTSUPP);
}
END_TEST

START_TEST(the_hypercall_page_is_ram_of_a_pv_domain)
{
    struct xen_domctl op = { .domain = pv->id };

    op.u.hypercall_init.gmfn = 7;
    ck_assert_int_eq(control_op(XEN_DOMCTL_hypercall_init, &op), 0);
    op.u.hypercall_init.gmfn = PAGES + 7;
    ck_assert_int_eq(control_op(XEN_DOMCTL_hypercall_init, &op), -EINVAL);
    op.domain = other->id;
    op.u.hypercall_init.gmfn = 7;
    ck_assert_int_eq(control_op(XEN_DOMCTL_hypercall_init, &op), -EOPNOTSUPP);
}
END_TEST

START_TEST(a_pv_guest_has_its_own_features_and_m2p)
{
    struct xen_feature_info info = { .submap_idx = 0 };
    struct xen_machphys_mapping m;

    env_run(pv->vcpu[0]);
    ck_assert_int_eq(env_call(__HYPERVISOR_xen_version, XENVER_get_features,
                              env_arg(&info), 0), 0);
    ck_assert_uint_eq(info.submap >> XENFEAT_auto_translated_physmap & 1, 0);
    ck_assert_uint_eq(info.submap >> XENFEAT_mmu_pt_update_preserve_ad & 1,
                      1);
    ck_assert_uint_eq(info.submap >> XENFEAT_direct_mapped & 1, 1);
    ck_assert_int_eq(env_call(__HYPERVISOR_memory_op,
                              XENMEM_machphys_mapping, env_arg(&m), 0), 0);
    ck_assert_uint_eq(m.v_start, 0xffff800000000000);
    env_run(other->vcpu[0]);
    ck_assert_int_eq(env_call(__HYPERVISOR_memory_op,
                              XENMEM_machphys_mapping, env_arg(&m), 0),
                     -ENOSYS);
}
END_TEST

START_TEST(a_pv_guest_is_told_its_handle)
{
    struct xen_domctl op = { .domain = pv->id };

    memset(op.u.setdomainhandle.handle, 0x5a,
           sizeof(op.u.setdomainhandle.handle));
    ck_assert_int_eq(control_op(XEN_DOMCTL_setdomainhandle, &op), 0);
    ck_assert_mem_eq(pv->arch->told_handle, op.u.setdomainhandle.handle,
                     sizeof(pv->arch->told_handle));
}
END_TEST

START_TEST(grant_frames_stand_above_the_guest)
{
    xen_pfn_t frame[2] = { 0, 0 };
    struct gnttab_setup_table op = { .dom = DOMID_SELF, .nr_frames = 2 };
    enum p2m_type type;

    op.frame_list.p = frame;
    env_run(pv->vcpu[0]);
    ck_assert_int_eq(env_call(__HYPERVISOR_grant_table_op,
                              GNTTABOP_setup_table, env_arg(&op), 1), 0);
    ck_assert_int_eq(op.status, GNTST_okay);
    ck_assert_uint_eq(frame[1], arch_pv_gfn(pv, PV_GRANT_FRAME, 1).v);
    (void)p2m_lookup(pv, gfn(frame[1]), &type);
    ck_assert_int_eq(type, P2M_SHARED);
}
END_TEST

/* shared_info would leave its place, where the personality looks for it. */
START_TEST(a_pv_guest_has_no_physmap_to_change)
{
    struct xen_add_to_physmap add = { .domid = DOMID_SELF, .gpfn = 4,
                                      .space = XENMAPSPACE_shared_info };
    struct xen_remove_from_physmap remove = { .domid = DOMID_SELF,
                                              .gpfn = 4 };
    enum p2m_type type;

    env_run(pv->vcpu[0]);
    ck_assert_int_eq(env_call(__HYPERVISOR_memory_op, XENMEM_add_to_physmap,
                              env_arg(&add), 0), -EACCES);
    ck_assert_int_eq(env_call(__HYPERVISOR_memory_op,
                              XENMEM_remove_from_physmap, env_arg(&remove),
                              0), -EACCES);
    (void)p2m_lookup(pv, gfn(4), &type);
    ck_assert_int_eq(type, P2M_RAM_RW);
}
END_TEST

/* ---- who saves a PV domain ---- */

START_TEST(types_come_for_as_many_frames_as_libxc_asks)
{
    static xen_pfn_t list[1025];
    struct xen_domctl op = { .domain = pv->id };

    for (unsigned int i = 0; i < 1025; i++) {
        list[i] = i < PAGES ? i : ~0ull - i;    /* a p2m has such, too */
    }
    op.u.getpageframeinfo3.num = 1024;
    op.u.getpageframeinfo3.array.p = list;
    ck_assert_int_eq(control_op(XEN_DOMCTL_getpageframeinfo3, &op), 0);
    for (unsigned int i = 0; i < 1024; i++) {
        ck_assert_uint_eq(list[i], i < PAGES ? XEN_DOMCTL_PFINFO_NOTAB
                                             : XEN_DOMCTL_PFINFO_XTAB);
    }
    ck_assert_uint_eq(list[1024], ~0ull - 1024);
    op.u.getpageframeinfo3.num = 1025;
    ck_assert_int_eq(control_op(XEN_DOMCTL_getpageframeinfo3, &op), -E2BIG);
}
END_TEST

static long m2p_list(struct xen_machphys_mfn_list *l)
{
    return env_call(__HYPERVISOR_memory_op, XENMEM_machphys_mfn_list,
                    env_arg(l), 0);
}

/* Maps DOMID_XEN's 'frame' at 'to': the element's error. */
static int map_of_xen(xen_ulong_t frame, xen_pfn_t to)
{
    int error = 99;
    struct xen_add_to_physmap_batch b = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_gmfn_foreign, .size = 1,
        .u.foreign_domid = DOMID_XEN,
    };
    long rc;

    b.idxs.p = &frame;
    b.gpfns.p = &to;
    b.errs.p = &error;
    rc = env_call(__HYPERVISOR_memory_op, XENMEM_add_to_physmap_batch,
                  env_arg(&b), 0);
    return rc != 0 ? (int)rc : error;
}

START_TEST(the_m2p_is_shown_read_only)
{
    xen_pfn_t start[2] = { 0, 77 };
    struct xen_machphys_mfn_list l = { .max_extents = 2 };
    struct frame *page = page_alloc_shared(other);
    enum p2m_type type;
    mfn_t m;

    ck_assert_ptr_nonnull(page);
    machine_give_m2p(frame_mfn(page));
    l.extent_start.p = start;
    ck_assert_int_eq(m2p_list(&l), 0);
    ck_assert_uint_eq(l.nr_extents, 1);
    ck_assert_uint_ne(start[0], 0);     /* 0 would be a gap */
    ck_assert_uint_eq(start[1], 77);
    ck_assert_int_eq(map_of_xen(start[0], 0x8000), 0);
    ck_assert_int_eq(map_of_xen(start[0] + 511, 0x8001), 0);
    m = p2m_lookup(control, gfn(0x8001), &type);
    ck_assert_uint_eq(m.v, frame_mfn(page).v);
    ck_assert_int_eq(type, P2M_FOREIGN_RO);
    ck_assert_int_eq(map_of_xen(start[0] - 1, 0x8002), -EINVAL);
    ck_assert_int_eq(map_of_xen(start[0] + 512, 0x8002), -EINVAL);
    ck_assert_int_eq(map_of_xen(~0ull, 0x8002), -EINVAL);
    ck_assert_int_eq(map_of_xen(start[0], P2M_GFN_LIMIT), -EINVAL);
    machine_give_m2p(mfn_invalid());
    ck_assert_int_eq(map_of_xen(start[0], 0x8002), -ENOMEM);
    ck_assert_int_eq(p2m_remove(control, gfn(0x8000), 0), 0);
    ck_assert_int_eq(p2m_remove(control, gfn(0x8001), 0), 0);
    frame_disown(page);
}
END_TEST

START_TEST(a_guest_is_not_shown_the_m2p_of_xen)
{
    xen_pfn_t start;
    struct xen_machphys_mfn_list l = { .max_extents = 1 };

    l.extent_start.p = &start;
    env_run(other->vcpu[0]);
    ck_assert_int_eq(m2p_list(&l), -EPERM);
    ck_assert_int_eq(map_of_xen(512, 0x8000), -EPERM);
}
END_TEST

/* libxc's last question before it wants the M2P. */
static long ask_width(domid_t id)
{
    struct xen_domctl op = { .domain = id };
    long rc = control_op(XEN_DOMCTL_get_address_size, &op);

    ck_assert(rc != 0 || op.u.address_size.size == 64);
    return rc;
}

/* Where the M2P begins that the current domain is shown. */
static xen_pfn_t m2p_start(void)
{
    xen_pfn_t start = 0;
    struct xen_machphys_mfn_list l = { .max_extents = 1 };

    l.extent_start.p = &start;
    ck_assert_int_eq(m2p_list(&l), 0);
    ck_assert_uint_eq(l.nr_extents, 1);
    return start;
}

/* Is 'f' what DOMID_XEN's 'frame' shows, read-only? */
static bool shows(xen_ulong_t frame, const struct frame *f)
{
    enum p2m_type type;
    mfn_t m;

    ck_assert_int_eq(map_of_xen(frame, 0x8000), 0);
    m = p2m_lookup(control, gfn(0x8000), &type);
    ck_assert_int_eq(type, P2M_FOREIGN_RO);
    ck_assert_int_eq(p2m_remove(control, gfn(0x8000), 0), 0);
    return mfn_eq(m, frame_mfn(f));
}

static struct frame *give_m2p(void)
{
    struct frame *f = page_alloc_shared(other);

    ck_assert_ptr_nonnull(f);
    machine_give_m2p(frame_mfn(f));
    return f;
}

#define CHANGED 7u      /* the page of the M2P that is the guest's own */

START_TEST(the_m2p_is_that_of_the_domain_asked_last)
{
    struct domain *plain = make_pv(3), *second = make_pv(DOMID_FIRST_RESERVED
                                                         - 1);
    struct frame *shared = give_m2p();
    struct frame *own = machine_make_own_m2p(pv, CHANGED);
    struct frame *last = machine_make_own_m2p(second, 511);
    xen_pfn_t start = m2p_start();

    ck_assert_uint_eq(start, physmap_m2p_frame(0));
    ck_assert(shows(start + CHANGED, shared));
    ck_assert_int_eq(ask_width(pv->id), 0);
    start = m2p_start();
    ck_assert_uint_eq(start, physmap_m2p_frame(pv->id));
    ck_assert(shows(start, shared) && shows(start + CHANGED, own)
              && shows(start + CHANGED + 1, shared));
    ck_assert_uint_eq(m2p_start(), physmap_m2p_frame(0));   /* told once */
    ck_assert_int_eq(ask_width(pv->id), 0);
    ck_assert_int_eq(ask_width(other->id), 0);      /* which has none */
    ck_assert_int_eq(ask_width(99), -ESRCH);
    ck_assert_uint_eq(m2p_start(), start);
    ck_assert_int_eq(ask_width(pv->id), 0);
    ck_assert_int_eq(ask_width(second->id), 0);
    start = m2p_start();
    ck_assert(shows(start + 511, last) && shows(start + CHANGED, shared));
    ck_assert_int_eq(map_of_xen(start + 512, 0x8000), -EINVAL);
    ck_assert_int_eq(ask_width(pv->id), 0);
    ck_assert_int_eq(ask_width(plain->id), 0);
    ck_assert_uint_eq(m2p_start(), physmap_m2p_frame(0));
}
END_TEST

/* Saves at one time, and processes that ask for something else. */
START_TEST(each_process_is_shown_what_it_asked_for)
{
    struct domain *second = make_pv(3), *plain = make_pv(4);
    uint64_t *space = &control->vcpu[0]->arch->space;

    ck_assert_ptr_nonnull(machine_make_own_m2p(pv, CHANGED));
    ck_assert_ptr_nonnull(machine_make_own_m2p(second, CHANGED));
    *space = 100;
    ck_assert_int_eq(ask_width(pv->id), 0);
    *space = 200;
    ck_assert_int_eq(ask_width(second->id), 0);
    *space = 300;
    ck_assert_int_eq(ask_width(plain->id), 0);
    *space = 100;
    ck_assert_uint_eq(m2p_start(), physmap_m2p_frame(pv->id));
    *space = 300;
    ck_assert_uint_eq(m2p_start(), physmap_m2p_frame(0));
    for (unsigned int i = 1; i < 64; i++) {
        *space = 1000 + i;
        ck_assert_int_eq(ask_width(pv->id), 0);
    }
    *space = 200;
    ck_assert_uint_eq(m2p_start(), physmap_m2p_frame(second->id));
    for (unsigned int i = 1; i < 200; i++) {    /* nobody is kept for good */
        *space = 2000 + i;
        ck_assert_int_eq(ask_width(pv->id), 0);
    }
    ck_assert_uint_eq(m2p_start(), physmap_m2p_frame(pv->id));
    *space = 2001;
    ck_assert_uint_eq(m2p_start(), physmap_m2p_frame(0));
}
END_TEST

static long ask_type(domid_t id)
{
    xen_pfn_t list = 1;
    struct xen_domctl op = { .domain = id };

    op.u.getpageframeinfo3.num = 1;
    op.u.getpageframeinfo3.array.p = &list;
    return control_op(XEN_DOMCTL_getpageframeinfo3, &op);
}

/*
 * A save waited for the kernel that pvgrub started, and translated frames by
 * the M2P from before: the image did not work.  Now it fails.
 */
START_TEST(who_was_shown_a_former_m2p_saves_nothing)
{
    uint64_t *space = &control->vcpu[0]->arch->space;

    *space = 100;
    ck_assert_int_eq(ask_width(pv->id), 0);
    ck_assert_uint_eq(m2p_start(), physmap_m2p_frame(0));
    ck_assert_int_eq(ask_type(pv->id), 0);
    *space = 200;
    ck_assert_int_eq(ask_width(pv->id), 0);     /* it will map it later */
    ck_assert_ptr_nonnull(machine_make_own_m2p(pv, CHANGED));
    ck_assert_uint_eq(m2p_start(), physmap_m2p_frame(pv->id));
    ck_assert_int_eq(ask_type(pv->id), 0);
    *space = 300;                               /* who maps none */
    ck_assert_int_eq(ask_type(pv->id), 0);
    ck_assert_int_eq(ask_width(pv->id), 0);
    ck_assert_int_eq(ask_type(pv->id), 0);
    *space = 100;
    ck_assert_int_eq(ask_type(pv->id), -EAGAIN);
    ck_assert_int_eq(ask_type(pv->id), -EAGAIN);
    ck_assert_int_eq(ask_type(other->id), 0);
    ck_assert_int_eq(ask_width(pv->id), 0);     /* tries again */
    ck_assert_uint_eq(m2p_start(), physmap_m2p_frame(pv->id));
    ck_assert_int_eq(ask_type(pv->id), 0);
    ck_assert_ptr_nonnull(machine_make_own_m2p(pv, CHANGED + 1));
    ck_assert_int_eq(ask_type(pv->id), -EAGAIN);
    *space = 200;
    ck_assert_int_eq(ask_type(pv->id), -EAGAIN);
}
END_TEST

static void kill(struct domain *d)
{
    while (domain_kill(d) == -ERESTART) {
    }
    domain_put(d);
    domain_reap();
}

START_TEST(a_mapped_m2p_outlives_its_domain)
{
    struct frame *own = machine_make_own_m2p(pv, CHANGED);
    const xen_pfn_t at = physmap_m2p_frame(pv->id) + CHANGED;
    const domid_t id = pv->id;
    uint64_t before;

    (void)give_m2p();
    ck_assert_int_eq(ask_width(id), 0);
    ck_assert_int_eq(map_of_xen(at, 0x8001), 0);
    *(uint64_t *)arch_frame_map(frame_mfn(own)) = 4711;
    kill(pv);
    ck_assert_ptr_null(domain_get_by_id(id));
    ck_assert_uint_eq(*(uint64_t *)env_page(control, 0x8001), 4711);
    ck_assert_int_eq(map_of_xen(at, 0x8002), -ESRCH);
    ck_assert_uint_eq(m2p_start(), physmap_m2p_frame(0));
    before = page_alloc_free();
    ck_assert_int_eq(p2m_remove(control, gfn(0x8001), 0), 0);
    ck_assert_uint_eq(page_alloc_free(), before + 1);
}
END_TEST

/* Who has a number now is shown as it is itself. */
START_TEST(a_domid_is_used_again)
{
    struct frame *shared = give_m2p(), *own;
    const domid_t id = pv->id;
    const xen_pfn_t at = physmap_m2p_frame(id) + CHANGED;

    ck_assert_ptr_nonnull(machine_make_own_m2p(pv, CHANGED));
    ck_assert_int_eq(ask_width(id), 0);
    kill(pv);
    pv = env_domain(id, 1);
    ck_assert(!pv->is_pv);
    ck_assert_int_eq(map_of_xen(at, 0x8001), -EINVAL);
    ck_assert_uint_eq(m2p_start(), physmap_m2p_frame(0));
    kill(pv);
    pv = make_pv(id);
    ck_assert(shows(at, shared));
    ck_assert_uint_eq(m2p_start(), physmap_m2p_frame(0));
    own = machine_make_own_m2p(pv, 1);
    ck_assert(shows(at, shared) && shows(physmap_m2p_frame(id) + 1, own));
}
END_TEST

START_TEST(a_guest_is_not_shown_the_m2p_of_another)
{
    (void)give_m2p();
    ck_assert_ptr_nonnull(machine_make_own_m2p(pv, CHANGED));
    env_run(other->vcpu[0]);
    ck_assert_int_eq(ask_width(pv->id), -EPERM);
    ck_assert_int_eq(map_of_xen(physmap_m2p_frame(pv->id) + CHANGED, 0x8000),
                     -EPERM);
    env_run(pv->vcpu[0]);
    ck_assert_int_eq(map_of_xen(physmap_m2p_frame(pv->id) + CHANGED, 0x8000),
                     -EACCES);
    env_run(control->vcpu[0]);
    ck_assert_uint_eq(m2p_start(), physmap_m2p_frame(0));
}
END_TEST

START_TEST(the_rest_of_a_vcpus_context_comes_back)
{
    struct xen_domctl op = { .domain = pv->id };
    struct xen_domctl_ext_vcpucontext *e = &op.u.ext_vcpucontext;

    pv->vcpu[1]->arch->sysenter = 0x1234;
    e->vcpu = 1;
    ck_assert_int_eq(control_op(XEN_DOMCTL_get_ext_vcpucontext, &op), 0);
    ck_assert_uint_eq(e->size, sizeof(*e));
    ck_assert_uint_eq(e->sysenter_callback_eip, 0x1234);
    e->sysenter_callback_eip = 0x5678;
    ck_assert_int_eq(control_op(XEN_DOMCTL_set_ext_vcpucontext, &op), 0);
    ck_assert_uint_eq(pv->vcpu[1]->arch->sysenter, 0x5678);
    e->vmce.caps = 1;
    ck_assert_int_eq(control_op(XEN_DOMCTL_set_ext_vcpucontext, &op), -EPERM);
    e->vmce.caps = 0;
    e->syscall32_callback_eip = 1ull << 47;
    ck_assert_int_eq(control_op(XEN_DOMCTL_set_ext_vcpucontext, &op),
                     -EINVAL);
    e->syscall32_callback_eip = 0;
    e->size = 8;
    ck_assert_int_eq(control_op(XEN_DOMCTL_set_ext_vcpucontext, &op),
                     -EINVAL);
    e->size = sizeof(*e);
    pv->state = DOMAIN_RUNNING;
    ck_assert_int_eq(control_op(XEN_DOMCTL_set_ext_vcpucontext, &op), -EBUSY);
    pv->state = DOMAIN_BUILDING;
    e->vcpu = 2;
    ck_assert_int_eq(control_op(XEN_DOMCTL_get_ext_vcpucontext, &op), -ESRCH);
    ck_assert_int_eq(control_op(XEN_DOMCTL_set_ext_vcpucontext, &op), -ESRCH);
}
END_TEST

/* Linux asks once, at its start: who restores it gives it back. */
START_TEST(the_assists_come_back_with_vcpu_0)
{
    static struct vcpu_guest_context c;
    struct xen_domctl op = { .domain = pv->id };
    const uint64_t assist = 1ull << VMASST_TYPE_runstate_update_flag;

    op.u.vcpucontext.ctxt.p = &c;
    c.vm_assist = assist;
    ck_assert_int_eq(control_op(XEN_DOMCTL_setvcpucontext, &op), 0);
    ck_assert_uint_eq(pv->vm_assist, assist);
    c.vm_assist = assist | 1ull << 63;
    ck_assert_int_eq(control_op(XEN_DOMCTL_setvcpucontext, &op), -EINVAL);
    pv->vcpu[0]->is_initialised = true;
    memset(&c, 0, sizeof(c));
    ck_assert_int_eq(control_op(XEN_DOMCTL_getvcpucontext, &op), 0);
    ck_assert_uint_eq(c.vm_assist, assist);
    /* Of one that runs they are its own. */
    c.vm_assist = 0;
    ck_assert_int_eq(control_op(XEN_DOMCTL_setvcpucontext, &op), 0);
    ck_assert_uint_eq(pv->vm_assist, assist);
    op.u.vcpucontext.vcpu = 1;
    ck_assert_int_eq(control_op(XEN_DOMCTL_setvcpucontext, &op), 0);
    ck_assert_uint_eq(pv->vm_assist, assist);
}
END_TEST

/*
 * libxc asks before it restores, and took -1 for -EPERM.  A guest's word could
 * be -ERESTART: then who asked never had an answer.
 */
START_TEST(a_domain_without_a_map_has_frame_0)
{
    domid_t id = pv->id;

    ck_assert_int_eq(env_call(__HYPERVISOR_memory_op, XENMEM_maximum_gpfn,
                              env_arg(&id), 0), 0);
    pv->shared_info->arch.max_pfn = 77;
    ck_assert_int_eq(env_call(__HYPERVISOR_memory_op, XENMEM_maximum_gpfn,
                              env_arg(&id), 0), 76);
    pv->shared_info->arch.max_pfn = (unsigned long)-ERESTART + 1;
    ck_assert_int_eq(env_call(__HYPERVISOR_memory_op, XENMEM_maximum_gpfn,
                              env_arg(&id), 0), P2M_GFN_LIMIT - 1);
}
END_TEST

/* As libxc does: the size, then the state, then into another vcpu. */
START_TEST(a_vcpus_xsave_state_goes_out_and_in)
{
    struct xen_domctl op = { .domain = pv->id };
    struct xen_domctl_vcpuextstate *e = &op.u.vcpuextstate;
    uint64_t state[4] = { 0, 0, 0, ~0ull };

    pv->vcpu[1]->arch->rax = 0x1234;
    e->vcpu = 1;
    ck_assert_int_eq(control_op(XEN_DOMCTL_getvcpuextstate, &op), 0);
    ck_assert_uint_eq(e->xfeature_mask, FAKE_XSTATE);
    ck_assert_uint_eq(e->size, 24);
    e->buffer.p = state;
    e->size = sizeof(state);
    ck_assert_int_eq(control_op(XEN_DOMCTL_getvcpuextstate, &op), 0);
    ck_assert_uint_eq(e->size, 24);
    ck_assert_uint_eq(state[2], 0x1234);
    ck_assert_uint_eq(state[3], ~0ull);
    e->vcpu = 0;
    ck_assert_int_eq(control_op(XEN_DOMCTL_setvcpuextstate, &op), 0);
    ck_assert_uint_eq(pv->vcpu[0]->arch->rax, 0x1234);
    ck_assert_uint_eq(pv->vcpu[0]->pause_count, 0);
}
END_TEST

START_TEST(xsave_state_of_another_form_is_refused)
{
    struct xen_domctl op = { .domain = pv->id };
    struct xen_domctl_vcpuextstate *e = &op.u.vcpuextstate;
    uint64_t state[4] = { 1, FAKE_XSTATE, 7, 0 };

    e->buffer.p = state;
    e->size = 23;
    e->xfeature_mask = FAKE_XSTATE;
    ck_assert_int_eq(control_op(XEN_DOMCTL_getvcpuextstate, &op), -EINVAL);
    ck_assert_int_eq(control_op(XEN_DOMCTL_setvcpuextstate, &op), -EINVAL);
    e->size = 24;
    e->xfeature_mask = FAKE_XSTATE | 8;
    ck_assert_int_eq(control_op(XEN_DOMCTL_getvcpuextstate, &op), -EINVAL);
    e->size = 0;
    ck_assert_int_eq(control_op(XEN_DOMCTL_setvcpuextstate, &op), -EINVAL);
    e->size = UINT64_MAX;
    ck_assert_int_eq(control_op(XEN_DOMCTL_setvcpuextstate, &op), -EINVAL);
    e->size = 24;
    e->vcpu = 2;
    ck_assert_int_eq(control_op(XEN_DOMCTL_getvcpuextstate, &op), -ESRCH);
    ck_assert_int_eq(control_op(XEN_DOMCTL_setvcpuextstate, &op), -ESRCH);
    e->vcpu = 0;
    op.domain = control->id;
    ck_assert_int_eq(control_op(XEN_DOMCTL_getvcpuextstate, &op), -EINVAL);
    ck_assert_int_eq(control_op(XEN_DOMCTL_setvcpuextstate, &op), -EINVAL);
}
END_TEST

START_TEST(a_vcpu_has_no_msrs)
{
    struct xen_domctl op = { .domain = pv->id };

    op.u.vcpu_msrs.vcpu = 1;
    op.u.vcpu_msrs.msr_count = 7;
    ck_assert_int_eq(control_op(XEN_DOMCTL_get_vcpu_msrs, &op), 0);
    ck_assert_uint_eq(op.u.vcpu_msrs.msr_count, 0);
    op.u.vcpu_msrs.vcpu = 2;
    ck_assert_int_eq(control_op(XEN_DOMCTL_get_vcpu_msrs, &op), -ESRCH);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("pv_op");
    TCase *t = unit_case(s, "toolstack");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, a_pv_domain_is_told_apart);
    tcase_add_test(t, pins_before_the_first_entry_are_kept);
    tcase_add_test(t, a_pv_domain_grows_with_its_limit);
    tcase_add_test(t, a_builder_updates_tables_and_the_m2p);
    tcase_add_test(t, a_pv_guest_gets_the_frames_of_its_numbers);
    tcase_add_test(t, no_frame_is_exchanged);
    tcase_add_test(t, pins_are_for_pv_builders_only);
    tcase_add_test(t, a_long_list_is_done_in_parts);
    tcase_add_test(t, the_hypercall_page_is_ram_of_a_pv_domain);
    t = unit_case(s, "guest");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, a_pv_guest_has_its_own_features_and_m2p);
    tcase_add_test(t, a_pv_guest_is_told_its_handle);
    tcase_add_test(t, grant_frames_stand_above_the_guest);
    tcase_add_test(t, a_pv_guest_has_no_physmap_to_change);
    t = unit_case(s, "save");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, types_come_for_as_many_frames_as_libxc_asks);
    tcase_add_test(t, the_m2p_is_shown_read_only);
    tcase_add_test(t, a_guest_is_not_shown_the_m2p_of_xen);
    tcase_add_test(t, the_m2p_is_that_of_the_domain_asked_last);
    tcase_add_test(t, each_process_is_shown_what_it_asked_for);
    tcase_add_test(t, who_was_shown_a_former_m2p_saves_nothing);
    tcase_add_test(t, a_mapped_m2p_outlives_its_domain);
    tcase_add_test(t, a_domid_is_used_again);
    tcase_add_test(t, a_guest_is_not_shown_the_m2p_of_another);
    tcase_add_test(t, the_rest_of_a_vcpus_context_comes_back);
    tcase_add_test(t, the_assists_come_back_with_vcpu_0);
    tcase_add_test(t, a_domain_without_a_map_has_frame_0);
    tcase_add_test(t, a_vcpus_xsave_state_goes_out_and_in);
    tcase_add_test(t, xsave_state_of_another_form_is_refused);
    tcase_add_test(t, a_vcpu_has_no_msrs);
    return s;
}

int main(void)
{
    return unit_run(suite());
}
