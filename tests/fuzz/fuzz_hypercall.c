/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The whole hypercall surface, from dom0 and from guests, on the fake
 * machine.  The input says who calls what, with which words in the memory
 * that the arguments point to, and scribbles over what guests share with us.
 *
 *  1. Guest copies reach the window only, so wild pointers are faults.
 *  2. Live windows show what the guest has and no TLB anything else.
 *  3. The core checks itself (BUG_ON, lock ranks, the fake's rules).
 *  4. After each step references, owners, ports, grants and accounts are
 *     counted anew and are what the records say (core_check.h).
 *  5. At the end every guest is destroyed, and dom0's mappings undone: then
 *     no domain but dom0 is left, and none of dom0's pages is missing.
 */
#include <setjmp.h>

#include "core/evtchn_table.h"
#include "core/frame.h"
#include "core/grant_table.h"
#include "core/p2m.h"
#include "core/page_alloc.h"
#include "fake/machine.h"
#include "lib/errno.h"
#include "fuzz.h"
#include "core_check.h"
#include "core_env.h"
#include "public/window.h"

#define STEPS_MAX 400u
#define WORDS 64u
#define WINDOW_SIZE 32768u
#define GUEST_VCPUS 2u
#define RESTARTS_MAX 20000u
#define WINDOWS_AT 0x2000ul         /* gfns where windows are mapped */
#define SLOW_CLOCK_NS 25000u        /* so a budget is two looks at it */
#define TLB_FRAMES 64u              /* of these the TLB has */

static uint64_t window[WINDOW_SIZE / 8] __attribute__((aligned(4096)));
static jmp_buf stopped;

/* What the arguments of a hypercall are: a number below 'limit', or 'P'. */
static const struct shape {
    uint8_t nr;
    uint8_t limit[3];
} shapes[] = {
#define P 0
    { __HYPERVISOR_memory_op, { 32, P, 1 } },
    { __HYPERVISOR_memory_op, { 32, P, 1 } },
    { __HYPERVISOR_memory_op, { 32, P, 1 } },
    { __HYPERVISOR_multicall, { P, 6, 1 } },
    { __HYPERVISOR_set_timer_op, { 255, 1, 1 } },
    { __HYPERVISOR_xen_version, { 12, P, 1 } },
    { __HYPERVISOR_console_io, { 3, 255, P } },
    { __HYPERVISOR_grant_table_op, { 14, P, 4 } },
    { __HYPERVISOR_vm_assist, { 3, 8, 1 } },
    { __HYPERVISOR_vcpu_op, { 15, 3, P } },
    { __HYPERVISOR_vcpu_op, { 15, 3, P } },
    { __HYPERVISOR_xsm_op, { P, 1, 1 } },
    { __HYPERVISOR_sched_op, { 9, P, 1 } },
    { __HYPERVISOR_event_channel_op, { 16, P, 1 } },
    { __HYPERVISOR_event_channel_op, { 16, P, 1 } },
    { __HYPERVISOR_event_channel_op, { 16, P, 1 } },
    { __HYPERVISOR_physdev_op, { 40, P, 1 } },
    { __HYPERVISOR_hvm_op, { 27, P, 1 } },
    { __HYPERVISOR_arch_0, { P, 1, 1 } },
    { __HYPERVISOR_mmu_update, { P, 200, P } },
    { __HYPERVISOR_mmuext_op, { P, 200, P } },
    { __HYPERVISOR_platform_op, { P, 1, 1 } },
    { __HYPERVISOR_sysctl, { P, 1, 1 } },
    { __HYPERVISOR_domctl, { P, 1, 1 } },
    { __HYPERVISOR_domctl, { P, 1, 1 } },
    { __HYPERVISOR_domctl, { P, 1, 1 } },
#undef P
};

static void on_shutdown(unsigned int how)
{
    (void)how;
    longjmp(stopped, 1);
}

/* ---- arguments ---- */

static uint64_t pointer(struct fuzz_input *in)
{
    return (uint64_t)(uintptr_t)&window[fuzz_word(in) % WORDS];
}

static uint64_t some_word(struct fuzz_input *in)
{
    uint64_t w;

    switch (fuzz_byte(in) % 8) {
    case 0:
        return 0;
    case 1:
    case 2:
        return fuzz_byte(in);
    case 3:
        return pointer(in);
    case 4:
        w = fuzz_byte(in) % 64;
        return w << 32 | fuzz_byte(in) % 64;
    case 5:
        w = fuzz_byte(in) % 4;
        return w << 32 | w << 16 | fuzz_byte(in) % 64;
    case 6:
        return -(uint64_t)fuzz_byte(in);
    default:
        fuzz_bytes(in, &w, sizeof(w));
        return w;
    }
}

static void fill_window(struct fuzz_input *in)
{
    unsigned int i, count = fuzz_byte(in) % 24;

    for (i = 0; i < count; i++) {
        window[i] = some_word(in);
    }
}

static domid_t some_domid(struct fuzz_input *in)
{
    unsigned int pick = fuzz_byte(in) % 8;

    return pick == 7 ? DOMID_SELF : pick == 6 ? DOMID_INVALID : pick % 4;
}

/* Control operations carry a version and a domain where they must. */
static void shape_window(struct fuzz_input *in, uint8_t nr)
{
    uint32_t half[2] = { 0, 0 };

    switch (nr) {
    case __HYPERVISOR_domctl:
        half[0] = fuzz_byte(in) % 96;
        half[1] = XEN_DOMCTL_INTERFACE_VERSION;
        window[1] = some_domid(in);
        break;
    case __HYPERVISOR_sysctl:
        half[0] = fuzz_byte(in) % 32;
        half[1] = XEN_SYSCTL_INTERFACE_VERSION;
        break;
    case __HYPERVISOR_platform_op:
        half[0] = fuzz_byte(in) % 68;
        half[1] = XENPF_INTERFACE_VERSION;
        break;
    case __HYPERVISOR_arch_0:
        half[0] = fuzz_byte(in) % 8;
        half[1] = 0x01ecc003;
        break;
    default:
        if (fuzz_byte(in) % 2 == 0) {
            domid_t id = some_domid(in);

            memcpy(window, &id, sizeof(id));
        }
        return;
    }
    memcpy(window, half, sizeof(half));
}

/* Mostly what the shape says, sometimes anything. */
static uint64_t argument(struct fuzz_input *in, uint8_t limit)
{
    uint8_t pick = fuzz_byte(in);

    if (pick >= 240) {
        return some_word(in);
    }
    return limit == 0 ? env_arg(window) : pick % limit;
}

/* Grants as a backend uses them, so that the deep paths are reached. */
static unsigned int fill_grants(struct fuzz_input *in, unsigned int cmd)
{
    struct gnttab_map_grant_ref *map = (void *)window;
    struct gnttab_copy *copy = (void *)window;
    struct gnttab_unmap_grant_ref *unmap = (void *)window;
    unsigned int i, count = 1 + fuzz_byte(in) % 4;

    for (i = 0; i < count; i++) {
        uint8_t x = fuzz_byte(in), y = fuzz_byte(in);

        if (cmd == GNTTABOP_map_grant_ref) {
            map[i] = (struct gnttab_map_grant_ref){
                .host_addr = (uint64_t)(x & 127) << PAGE_SHIFT,
                .flags = GNTMAP_host_map | (y & GNTMAP_readonly),
                .ref = y >> 4, .dom = y & 3 };
        } else if (cmd == GNTTABOP_unmap_grant_ref) {
            unmap[i] = (struct gnttab_unmap_grant_ref){
                .host_addr = (uint64_t)(x & 127) << PAGE_SHIFT,
                .handle = y & 15 };
        } else {
            memset(&copy[i], 0, sizeof(copy[i]));
            copy[i].flags = 1 + (x & 1) + (x >> 1 & 1);
            copy[i].source.u.ref = y & 15;
            copy[i].dest.u.ref = y >> 4;
            copy[i].source.domid = x & 2 ? DOMID_SELF : x >> 2 & 3;
            copy[i].dest.domid = x & 2 ? x >> 2 & 3 : DOMID_SELF;
            copy[i].len = fuzz_word(in) & 0x1fff;
        }
    }
    return count;
}

/* A window on some domain, at one of a few places of the caller's. */
static void call_window(struct vcpu *v, struct fuzz_input *in)
{
    struct xen_mem_acquire_resource *op = (void *)window;
    xen_pfn_t *list = &window[WORDS];
    uint8_t x = fuzz_byte(in), y = fuzz_byte(in);

    memset(op, 0, sizeof(*op));
    op->domid = x & 3;
    op->type = GANTRY_RESOURCE_WINDOW;
    op->id = x >> 2 & 1;
    op->frame = (uint64_t)(x >> 3 & 3) * GANTRY_WINDOW_FRAMES;
    op->nr_frames = op->id == GANTRY_WINDOW_CHUNK ? GANTRY_WINDOW_FRAMES : 1;
    op->frame_list.p = x & 32 ? NULL : list;
    if (x & 32) {
        op->nr_frames = 0;
    }
    for (unsigned int i = 0; i < GANTRY_WINDOW_FRAMES; i++) {
        list[i] = WINDOWS_AT + (y & 7) * 256ul + i;
    }
    if (y & 128) {
        list[y] = fuzz_word(in) & 127;  /* over what it has */
    }
    v->arch->arg[0] = XENMEM_acquire_resource;
    v->arch->arg[1] = env_arg(window);
}

/* Memory that comes and goes under windows, or a window's entry. */
static void call_memory(struct vcpu *v, struct fuzz_input *in)
{
    struct xen_memory_reservation *r = (void *)window;
    struct xen_remove_from_physmap *remove = (void *)window;
    uint8_t x = fuzz_byte(in), y = fuzz_byte(in);

    switch (x & 3) {
    case 0:
        *remove = (struct xen_remove_from_physmap){
            .domid = DOMID_SELF, .gpfn = WINDOWS_AT + y * 8ul };
        v->arch->arg[0] = XENMEM_remove_from_physmap;
        break;
    case 1:
    case 2:
        memset(r, 0, sizeof(*r));
        r->domid = DOMID_SELF;
        r->nr_extents = 1 + (x >> 2 & 31);
        r->extent_start.p = &window[WORDS];
        for (unsigned int i = 0; i < r->nr_extents; i++) {
            window[WORDS + i] = (y + i) & 127;
        }
        v->arch->arg[0] = x & 1 ? XENMEM_decrease_reservation :
                                  XENMEM_populate_physmap;
        break;
    default:
        call_window(v, in);
        return;
    }
    v->arch->arg[1] = env_arg(window);
}

static void call_grant(struct vcpu *v, struct fuzz_input *in)
{
    static const uint8_t cmds[] = { GNTTABOP_map_grant_ref, GNTTABOP_copy,
                                    GNTTABOP_unmap_grant_ref };

    v->arch->arg[0] = cmds[fuzz_byte(in) % 3];
    v->arch->arg[1] = env_arg(window);
    v->arch->arg[2] = fill_grants(in, v->arch->arg[0]);
}

/* ---- steps ---- */

static struct vcpu *some_vcpu(struct fuzz_input *in)
{
    struct domain *d = domain_get_by_id(fuzz_byte(in) % 4);
    struct vcpu *v = NULL;

    if (d == NULL) {
        return dom0->vcpu[0];
    }
    if (!domain_is_dying(d)) {
        v = d->vcpu[fuzz_byte(in) % d->max_vcpus];
    }
    domain_put(d);
    return v != NULL && v->is_initialised ? v : dom0->vcpu[0];
}

/* All windows that dom0 has on living guests show their RAM or scratch. */
static void check_windows(void)
{
    machine_tlb_check();
    for (uint64_t i = 0; i < TLB_FRAMES; i++) {
        enum p2m_type type;
        mfn_t m = p2m_lookup(dom0, gfn(WINDOWS_AT + i), &type);
        struct frame *f = type == P2M_WINDOW ? frame_of(m) : NULL;
        struct domain *owner = f != NULL ? f->owner : NULL;

        fuzz_require(type != P2M_WINDOW || (f != NULL && f->refs > 0),
                     "a window's frame that is in use");
        if (owner != NULL) {
            mfn_t now = p2m_lookup(owner, gfn(f->gfn), &type);

            fuzz_require(mfn_eq(now, m) && type == P2M_RAM_RW,
                         "a window's frame that its guest has");
        }
    }
}

static void check_all(void)
{
    const char *broken;

    check_windows();
    broken = core_check();
    fuzz_require(broken == NULL, broken);
}

static void call(struct fuzz_input *in)
{
    struct vcpu *v = some_vcpu(in);
    const struct shape *shape = &shapes[fuzz_byte(in) %
                                        (sizeof(shapes) / sizeof(*shapes))];
    uint8_t nr = shape->nr;
    uint64_t result;
    unsigned int i;

    fill_window(in);
    machine_tlb_load();
    if (nr == __HYPERVISOR_grant_table_op && fuzz_byte(in) % 4 != 0) {
        call_grant(v, in);
    } else if (nr == __HYPERVISOR_memory_op && fuzz_byte(in) % 4 != 0) {
        call_memory(v, in);
    } else {
        shape_window(in, nr);
        for (i = 0; i < 3; i++) {
            v->arch->arg[i] = argument(in, shape->limit[i]);
        }
        v->arch->arg[3] = some_domid(in);
    }
    env_run(v);
    for (i = 0; i < RESTARTS_MAX && !hypercall(v, nr, &result); i++) {
        domain_reap();
    }
    fuzz_require(i < RESTARTS_MAX, "a hypercall that ends");
    fuzz_require(v->multicall == NULL, "no multicall after the call");
    fuzz_require(lock_track()->depth == 0, "no lock after the call");
    check_all();
    domain_reap();
}

/* Writes where guests can: grant entries, RAM with event words, infos. */
static void scribble(struct fuzz_input *in)
{
    struct domain *d = domain_get_by_id(fuzz_byte(in) % 4);
    uint16_t at = fuzz_word(in);
    uint64_t w = some_word(in);
    uint32_t *page;

    if (d == NULL) {
        return;
    }
    switch (domain_is_dying(d) ? 3 : fuzz_byte(in) % 3) {
    case 0:
        d->grant->shared[0][at % 16] = (grant_entry_v1_t){
            .flags = GTF_permit_access | (at >> 8 & 0x3c),
            .domid = w % 4, .frame = w >> 8 & 63 };
        break;
    case 1:
        page = env_page(d, at % 16);
        if (page != NULL) {
            page[at % 64] = w;
        }
        break;
    case 2:
        d->shared_info->evtchn_pending[at % 2] = w;
        d->shared_info->evtchn_mask[at % 2] = w >> 7;
        break;
    default:
        break;
    }
    domain_put(d);
}

/* dom0 does that to a guest until it is done, or a few of its turns only. */
static long control(uint32_t cmd, const struct domain *d, unsigned int turns)
{
    struct xen_domctl *op = (void *)window;
    struct vcpu *v = dom0->vcpu[0];
    uint64_t result = -ERESTART;

    memset(op, 0, sizeof(*op));
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = d->id;
    env_run(v);
    for (unsigned int i = 0; i < turns; i++) {
        v->arch->arg[0] = env_arg(window);
        if (hypercall(v, __HYPERVISOR_domctl, &result)) {
            return (long)result;
        }
    }
    return -ERESTART;
}

/*
 * A guest kexecs, and the toolstack may leave off anywhere; then others may
 * make ports in it before it goes on.
 */
static void kexec(struct fuzz_input *in)
{
    struct domain *d = domain_get_by_id(1 + fuzz_byte(in) % 3);
    uint8_t how = fuzz_byte(in);
    bool is_begun;
    long rc;

    if (d == NULL) {
        return;
    }
    is_begun = d->reset_stage != 0;
    machine_tlb_load();
    if (how & 1) {
        domain_shutdown(d, SHUTDOWN_soft_reset);
    }
    if (how & 2) {
        (void)control(XEN_DOMCTL_pausedomain, d, 1);
    }
    rc = control(XEN_DOMCTL_soft_reset, d, how & 4 ? how >> 5 : RESTARTS_MAX);
    fuzz_require(rc != -ERESTART || how & 4, "a reset that ends");
    fuzz_require(rc != 0 || (!d->is_pv && !d->is_shut_down),
                 "a guest that goes on after a reset");
    fuzz_require(rc != 0 || is_begun || (d->evtchn->fifo == NULL &&
                                         d->evtchn->open_ports == 0),
                 "a guest without ports after a reset");
    fuzz_require(lock_track()->depth == 0, "no lock after a reset");
    if (how & 8) {
        (void)control(XEN_DOMCTL_unpausedomain, d, 1);
    }
    check_all();
    domain_put(d);
    domain_reap();
}

/* The guest 'd' uses FIFO event channels, its pages being gfns 8 and on. */
static void use_fifo(struct domain *d)
{
    evtchn_init_control_t *init = (void *)window;
    evtchn_expand_array_t *expand = (void *)window;
    unsigned int i;

    env_run(d->vcpu[0]);
    for (i = 0; i < GUEST_VCPUS; i++) {
        *init = (evtchn_init_control_t){ .control_gfn = 8 + i, .vcpu = i };
        fuzz_require(env_evtchn(EVTCHNOP_init_control, init) == 0, "FIFO");
    }
    *expand = (evtchn_expand_array_t){ .array_gfn = 10 };
    fuzz_require(env_evtchn(EVTCHNOP_expand_array, expand) == 0, "FIFO");
}

static void run_steps(struct fuzz_input *in)
{
    uint8_t fifo = fuzz_byte(in);
    unsigned int step;
    domid_t id;

    /* Operations take turns by count alone, or by the clock. */
    machine_step_time(fifo & 128 ? SLOW_CLOCK_NS : 0);

    for (id = 0; id < 3; id++) {
        struct domain *d = domain_get_by_id(id);

        if (fifo >> id & 1) {
            use_fifo(d);
        }
        domain_put(d);
    }
    for (step = 0; step < STEPS_MAX && in->size > 0; step++) {
        uint8_t what = fuzz_byte(in);

        if (what % 4 == 0) {
            scribble(in);
        } else if (what % 64 == 63) {
            kexec(in);
        } else {
            call(in);
        }
        if (step % 16 == 0) {
            machine_set_time(arch_time_now() + 1000000);
            timer_run();
        }
    }
}

/* ---- the end ---- */

static void destroy_guests(void)
{
    struct domain *d;
    unsigned int i;
    int error;

    env_run(dom0->vcpu[0]);
    while ((d = domain_get_next(1)) != NULL) {
        for (i = 0; i < RESTARTS_MAX; i++) {
            error = domain_kill(d);
            domain_reap();
            if (error != -ERESTART) {
                break;
            }
        }
        fuzz_require(error == 0, "a guest that can be destroyed");
        domain_put(d);
        domain_reap();
    }
}

static void undo_dom0(void)
{
    unsigned int i;

    for (i = 0; i < RESTARTS_MAX; i++) {
        if (evtchn_relinquish(dom0) == 0 && grant_relinquish(dom0) == 0 &&
            p2m_relinquish(dom0) == 0) {
            break;
        }
    }
    fuzz_require(i < RESTARTS_MAX, "an end of dom0's mappings");
    for (i = 0; i < RESTARTS_MAX; i++) {
        domain_reap();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };

    env_start_small();
    machine_on_shutdown = on_shutdown;
    env_domain(0, GUEST_VCPUS);
    domain_put(env_domain(1, GUEST_VCPUS));
    domain_put(env_pv_domain(2, GUEST_VCPUS));
    machine_tlb_watch(dom0, WINDOWS_AT, TLB_FRAMES);
    memset(window, 0, sizeof(window));
    machine_set_window(window, sizeof(window));
    core_check_start();
    check_all();                    /* the accounts to begin with */
    if (setjmp(stopped) == 0) {
        run_steps(&in);
    }
    destroy_guests();
    undo_dom0();
    machine_step_time(0);
    fuzz_require(machine_domains() == 1, "no domain but dom0");
    return 0;
}
