/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A suspended PV child goes on in a new domain, by the steps of libxc: types
 * of its frames, their contents, shared_info and the contexts of the vcpus
 * that are up; then all of that in the order in which it comes out of a
 * stream: frames, shared_info, contexts, pins.  Or it goes on where it is; it
 * may be looked at in between, as a save does.
 */
#include "host/child.h"

#define FRAMES_MAX 4096u
#define VCPUS_MAX 8u
#define INFO_BATCH 1024u
#define SLOT_FIRST 256u             /* level 4 entries of the hypervisor */
#define SLOT_COUNT 16u

/* Of vcpuextstate: two words, and an XSAVE image with its header. */
#define XSTATE_MAX 4096u
#define XSTATE_PACKED_AT (2 * 8 + 512 + 8)
#define XSTATE_RESERVED_AT (XSTATE_PACKED_AT + 8)

struct saved_vcpu {
    bool is_online;
    struct vcpu_guest_context context;
    struct xen_domctl_ext_vcpucontext extended;
    uint64_t xstate_size;           /* 0: the CPU has none */
    uint8_t xstate[XSTATE_MAX];
};

static uint8_t memory[FRAMES_MAX][PAGE_SIZE] __attribute__((aligned(4096)));
static xen_pfn_t types[FRAMES_MAX];
static shared_info_t shared;
static struct saved_vcpu vcpus[VCPUS_MAX];

static uint64_t table_type(uint64_t pfn)
{
    return types[pfn] & XEN_DOMCTL_PFINFO_LTABTYPE_MASK;
}

/* ---- save ---- */

static void save_frames(const struct child *c)
{
    struct xen_domctl op = { 0 };

    for (uint64_t i = 0; i < c->pages; i++) {
        types[i] = i;
    }
    for (uint64_t i = 0; i < c->pages; i += INFO_BATCH) {
        op.u.getpageframeinfo3.num = min(c->pages - i, INFO_BATCH);
        set_xen_guest_handle(op.u.getpageframeinfo3.array, &types[i]);
        child_must("types", child_domctl(c, XEN_DOMCTL_getpageframeinfo3,
                                         &op));
    }
    for (uint64_t i = 0; i < c->pages; i++) {
        memcpy(memory[i], child_view(i), PAGE_SIZE);
        if (table_type(i) == XEN_DOMCTL_PFINFO_L4TAB) {
            memset(&memory[i][SLOT_FIRST * 8], 0, SLOT_COUNT * 8);
        }
    }
}

static void save_xstate(const struct child *c, uint32_t id,
                        struct saved_vcpu *v)
{
    struct xen_domctl op = { 0 };

    op.u.vcpuextstate.vcpu = id;
    child_must("ask-ext-state",
               child_domctl(c, XEN_DOMCTL_getvcpuextstate, &op));
    v->xstate_size = 0;
    if (op.u.vcpuextstate.xfeature_mask == 0) {
        child_must("no-xsave", (long)op.u.vcpuextstate.size);
        return;
    }
    if (op.u.vcpuextstate.size > XSTATE_MAX) {
        child_stop("ext-state-too-large", (long)op.u.vcpuextstate.size);
    }
    set_xen_guest_handle(op.u.vcpuextstate.buffer, (uint64_t *)v->xstate);
    child_must("get-ext-state",
               child_domctl(c, XEN_DOMCTL_getvcpuextstate, &op));
    v->xstate_size = op.u.vcpuextstate.size;
}

static void save_vcpu(const struct child *c, uint32_t id,
                      struct saved_vcpu *v)
{
    struct xen_domctl op = { 0 };

    op.u.getvcpuinfo.vcpu = id;
    child_must("vcpu-info", child_domctl(c, XEN_DOMCTL_getvcpuinfo, &op));
    v->is_online = op.u.getvcpuinfo.online;
    if (!v->is_online) {
        return;
    }
    memset(&op, 0, sizeof(op));
    op.u.vcpucontext.vcpu = id;
    set_xen_guest_handle(op.u.vcpucontext.ctxt, &v->context);
    child_must("get-context",
               child_domctl(c, XEN_DOMCTL_getvcpucontext, &op));
    memset(&op, 0, sizeof(op));
    op.u.ext_vcpucontext.vcpu = id;
    child_must("get-ext-context",
               child_domctl(c, XEN_DOMCTL_get_ext_vcpucontext, &op));
    v->extended = op.u.ext_vcpucontext;
    save_xstate(c, id, v);
}

static void save(const struct child *c)
{
    if (c->pages > FRAMES_MAX || c->vcpus > VCPUS_MAX) {
        child_stop("too-large", (long)c->pages);
    }
    save_frames(c);
    shared = *(shared_info_t *)child_view_shared(c, child_shared_info(c));
    for (uint32_t i = 0; i < c->vcpus; i++) {
        save_vcpu(c, i, &vcpus[i]);
    }
}

/* Is frame 'i' as it was saved? */
static bool is_as_saved(uint64_t i)
{
    const uint8_t *now = child_view(i);
    size_t first = PAGE_SIZE, last = PAGE_SIZE;

    if (table_type(i) == XEN_DOMCTL_PFINFO_L4TAB) {
        first = SLOT_FIRST * 8;
        last = (SLOT_FIRST + SLOT_COUNT) * 8;
    }
    return memcmp(memory[i], now, first) == 0
           && memcmp(&memory[i][last], &now[last], PAGE_SIZE - last) == 0;
}

static bool is_of_guest(const struct saved_vcpu *v)
{
    const struct cpu_user_regs *u = &v->context.user_regs;

    return !v->is_online || ((u->cs & 3) == 3 && (u->ss & 3) == 3);
}

void child_look_pv(const struct child *c)
{
    uint64_t changed = 0, first = 0, others = 0;

    save(c);
    for (uint64_t i = c->pages; i > 0; i--) {
        if (!is_as_saved(i - 1)) {
            changed++;
            first = i - 1;
        }
    }
    for (uint32_t i = 0; i < c->vcpus; i++) {
        others += !is_of_guest(&vcpus[i]);
    }
    guest_case(changed == 0, "still", "%lu frames changed, as %lx", changed,
               first);
    guest_case(others == 0, "registers", "%lu are none of the guest's",
               others);
}

/* ---- restore ---- */

static void restore_shared_info(const struct child *c)
{
    shared_info_t *s = child_view_shared(c, child_shared_info(c));

    memcpy(s->vcpu_info, shared.vcpu_info, sizeof(s->vcpu_info));
    memcpy(&s->arch, &shared.arch, sizeof(s->arch));
    s->arch.pfn_to_mfn_frame_list_list = 0;
    memset(s->evtchn_pending, 0, sizeof(s->evtchn_pending));
    for (unsigned int i = 0; i < XEN_LEGACY_MAX_VCPUS; i++) {
        s->vcpu_info[i].evtchn_pending_sel = 0;
    }
    memset(s->evtchn_mask, 0xff, sizeof(s->evtchn_mask));
}

/* Before it runs, a vcpu is as it was set. */
static void check_vcpu(const struct child *c, uint32_t id,
                       const struct saved_vcpu *v)
{
    static struct vcpu_guest_context now;
    struct xen_domctl op = { 0 };

    if (!v->is_online) {
        return;
    }
    op.u.vcpucontext.vcpu = id;
    set_xen_guest_handle(op.u.vcpucontext.ctxt, &now);
    child_must("look-at-context",
               child_domctl(c, XEN_DOMCTL_getvcpucontext, &op));
    guest_case(memcmp(&now, &v->context, sizeof(now)) == 0, "context-as-set",
               "rip %lx flags %lx", now.user_regs.rip, now.flags);
}

/* The guest told where it is when it suspended itself: in rdx. */
static void restore_start_info(struct child *c)
{
    struct start_info *s = child_view(vcpus[0].context.user_regs.rdx);

    s->nr_pages = c->pages;
    s->shared_info = child_shared_info(c) << PAGE_SHIFT;
    s->flags = 0;
    s->store_evtchn = child_port(c);
    s->console.domU.evtchn = child_port(c);
    c->console = child_view(s->console.domU.mfn);
}

static long set_xstate(const struct child *c, uint32_t id, uint64_t size,
                       void *data)
{
    struct xen_domctl op = { 0 };

    op.u.vcpuextstate.vcpu = id;
    op.u.vcpuextstate.size = size;
    set_xen_guest_handle(op.u.vcpuextstate.buffer, (uint64_t *)data);
    return child_domctl(c, XEN_DOMCTL_setvcpuextstate, &op);
}

/* One whose header XRSTOR would refuse must not get that far. */
static void restore_xstate(const struct child *c, uint32_t id,
                           struct saved_vcpu *v)
{
    uint8_t *packed = &v->xstate[XSTATE_PACKED_AT + 7];
    uint8_t *reserved = &v->xstate[XSTATE_RESERVED_AT];

    *packed ^= 0x80;
    guest_equal("ext-state-packed", set_xstate(c, id, v->xstate_size,
                                               v->xstate), -EOPNOTSUPP);
    *packed ^= 0x80;
    *reserved ^= 1;
    guest_equal("ext-state-reserved", set_xstate(c, id, v->xstate_size,
                                                 v->xstate), -EIO);
    *reserved ^= 1;
    guest_equal("ext-state-short", set_xstate(c, id, v->xstate_size - 1,
                                              v->xstate), -EINVAL);
    child_must("set-ext-state", set_xstate(c, id, v->xstate_size,
                                           v->xstate));
}

static void restore_vcpu(const struct child *c, uint32_t id,
                         struct saved_vcpu *v)
{
    struct xen_domctl op = { 0 };
    long rc;

    if (!v->is_online) {
        return;
    }
    v->context.flags |= VGCF_online;
    op.u.vcpucontext.vcpu = id;
    set_xen_guest_handle(op.u.vcpucontext.ctxt, &v->context);
    do {
        rc = child_domctl(c, XEN_DOMCTL_setvcpucontext, &op);
    } while (rc == -ERESTART);
    child_must("set-context", rc);
    memset(&op, 0, sizeof(op));
    op.u.ext_vcpucontext = v->extended;
    child_must("set-ext-context",
               child_domctl(c, XEN_DOMCTL_set_ext_vcpucontext, &op));
    if (v->xstate_size != 0) {
        restore_xstate(c, id, v);
    }
}

static void restore_pins(const struct child *c)
{
    for (uint64_t i = 0; i < c->pages; i++) {
        struct mmuext_op pin = { .arg1.mfn = i };

        if (!(types[i] & XEN_DOMCTL_PFINFO_LPINTAB)) {
            continue;
        }
        pin.cmd = MMUEXT_PIN_L1_TABLE
                  + (uint32_t)(table_type(i) >> XEN_DOMCTL_PFINFO_LTAB_SHIFT)
                  - 1;
        child_must("restore-pin",
                   hypercall6(__HYPERVISOR_mmuext_op, PTR(&pin), 1, 0, c->id,
                              0, 0));
    }
}

void child_restore_pv(struct child *c)
{
    struct xen_domctl op = { 0 };

    save(c);
    child_must("destroy", child_destroy(c));
    child_create(c, 0);
    for (uint64_t i = 0; i < c->pages; i++) {
        if (table_type(i) != XEN_DOMCTL_PFINFO_XTAB) {
            memcpy(child_view(i), memory[i], PAGE_SIZE);
        }
    }
    restore_shared_info(c);
    restore_start_info(c);
    for (uint32_t i = 0; i < c->vcpus; i++) {
        restore_vcpu(c, i, &vcpus[i]);
        check_vcpu(c, i, &vcpus[i]);
    }
    restore_pins(c);
    child_must("unpause", child_domctl(c, XEN_DOMCTL_unpausedomain, &op));
}

void child_resume_pv(struct child *c)
{
    struct vcpu_guest_context *context = &vcpus[0].context;
    struct xen_domctl op = { 0 };

    set_xen_guest_handle(op.u.vcpucontext.ctxt, context);
    child_must("get-context",
               child_domctl(c, XEN_DOMCTL_getvcpucontext, &op));
    context->user_regs.rax = 1;
    child_must("set-context",
               child_domctl(c, XEN_DOMCTL_setvcpucontext, &op));
    memset(&op, 0, sizeof(op));
    child_must("resume", child_domctl(c, XEN_DOMCTL_resumedomain, &op));
}
