/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * HYPERVISOR_vcpu_op and set_timer_op: a guest brings its vcpus up and down,
 * says where it wants to read their state, and sets their timers.
 *
 *  1. v->info changes under the domain lock, once; the page is referenced
 *     until the vcpu goes.
 *  2. Runstate and time areas are guest virtual addresses: they are written
 *     by the vcpu itself, and one that cannot be written is skipped.
 *  3. The timers' functions run without a lock and send a virq at most.
 *  4. The periodic timer of a vcpu that is held fires once: the tick that
 *     wakes it.  It goes on when the vcpu next comes on a CPU.
 */
#include "core/arch.h"
#include "core/domain.h"
#include "core/evtchn.h"
#include "core/hypercall.h"
#include "core/kmem.h"
#include "core/p2m.h"
#include "core/sched.h"
#include "core/vcpu.h"
#include "core/vcpu_op.h"
#include "core/wallclock.h"
#include "lib/atomic.h"
#include "lib/errno.h"
#include "lib/nospec.h"
#include "lib/string.h"

#define PERIOD_MIN_NS 1000000ull
/* Xen's STIME_DELTA_MAX: 52 days. */
#define PERIOD_MAX_NS (1ull << 52)

/* ---- timers ---- */

static void singleshot_fired(void *arg)
{
    evtchn_virq_vcpu(arg, VIRQ_TIMER);
}

/* Paused, down, or of a domain that has stopped: its ticks wait. */
static bool is_held(const struct vcpu *v)
{
    const struct domain *d = v->domain;

    return READ_ONCE(v->is_down) || READ_ONCE(v->pause_count) != 0 ||
           READ_ONCE(d->pause_count) != 0 || READ_ONCE(d->is_shutting_down);
}

static void periodic_fired(void *arg)
{
    struct vcpu *v = arg;
    uint64_t period = __atomic_load_n(&v->periodic_ns, __ATOMIC_ACQUIRE);

    evtchn_virq_vcpu(v, VIRQ_TIMER);
    memory_barrier();               /* not armed, before the look at why */
    if (period != 0 && !is_held(v)) {
        timer_set(&v->periodic, arch_time_now() + period);
    }
}

void vcpu_op_timers_continue(struct vcpu *v)
{
    uint64_t period = __atomic_load_n(&v->periodic_ns, __ATOMIC_ACQUIRE);

    if (period == 0) {
        return;
    }
    memory_barrier();               /* it may run, before the look */
    if (!timer_is_armed(&v->periodic)) {
        timer_set(&v->periodic, arch_time_now() + period);
    }
}

static void poll_fired(void *arg)
{
    struct vcpu *v = arg;

    if (evtchn_poll_end(v)) {
        vcpu_unblock(v);
    }
}

void vcpu_op_timers_init(struct vcpu *v)
{
    timer_init(&v->singleshot, singleshot_fired, v);
    timer_init(&v->periodic, periodic_fired, v);
    timer_init(&v->poll_timer, poll_fired, v);
}

void vcpu_op_timers_stop(struct vcpu *v)
{
    __atomic_store_n(&v->periodic_ns, 0, __ATOMIC_RELEASE);
    timer_stop(&v->singleshot);
    timer_stop(&v->periodic);
    timer_stop(&v->poll_timer);
}

static void stop_periodic(struct vcpu *v)
{
    __atomic_store_n(&v->periodic_ns, 0, __ATOMIC_RELEASE);
    timer_stop(&v->periodic);
}

void vcpu_op_reset(struct vcpu *v)
{
    stop_periodic(v);
    timer_stop(&v->singleshot);
    v->runstate_guest = (struct guest_ptr){ 0 };
    v->time_guest = (struct guest_ptr){ 0 };
}

static long set_periodic(struct vcpu *v, struct guest_ptr arg)
{
    struct vcpu_set_periodic_timer op;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    if (op.period_ns < PERIOD_MIN_NS || op.period_ns > PERIOD_MAX_NS) {
        return -EINVAL;
    }
    stop_periodic(v);
    __atomic_store_n(&v->periodic_ns, op.period_ns, __ATOMIC_RELEASE);
    timer_set(&v->periodic, arch_time_now() + op.period_ns);
    return 0;
}

static long set_singleshot(struct vcpu *v, struct guest_ptr arg)
{
    struct vcpu_set_singleshot_timer op;

    if (v != vcpu_current()) {
        return -EINVAL;
    }
    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    if ((op.flags & VCPU_SSHOTTMR_future) &&
        op.timeout_abs_ns < arch_time_now()) {
        return -ETIME;
    }
    timer_set(&v->singleshot, op.timeout_abs_ns);
    return 0;
}

long vcpu_op_set_timer(uint64_t deadline)
{
    struct vcpu *v = vcpu_current();

    if (deadline == 0) {
        timer_stop(&v->singleshot);
    } else {
        timer_set(&v->singleshot, deadline);
    }
    return 0;
}

/* ---- areas in guest memory ---- */

/* With the assist: the guest sees XEN_RUNSTATE_UPDATE while it changes. */
static void show_marked(const struct guest_place *p,
                        struct vcpu_runstate_info *r)
{
    const size_t entry_time = offsetof(struct vcpu_runstate_info,
                                       state_entry_time);
    uint64_t plain = r->state_entry_time;

    r->state_entry_time |= XEN_RUNSTATE_UPDATE;
    guest_place_write(p, entry_time, &r->state_entry_time,
                      sizeof(r->state_entry_time));
    memory_barrier();
    guest_place_write(p, 0, r, sizeof(*r));
    memory_barrier();
    guest_place_write(p, entry_time, &plain, sizeof(plain));
}

/* Writes v's runstate where the guest registered it; 'v' is current. */
void vcpu_op_show_runstate(struct vcpu *v)
{
    struct vcpu_runstate_info r;
    struct guest_place p;

    if (guest_ptr_is_null(v->runstate_guest)
        || guest_place_get(&p, v->runstate_guest, sizeof(r)) != 0) {
        return;
    }
    sched_runstate(v, &r);
    if (READ_ONCE(v->domain->vm_assist)
        & 1ul << VMASST_TYPE_runstate_update_flag) {
        show_marked(&p, &r);
    } else {
        guest_place_write(&p, 0, &r, sizeof(r));
    }
    guest_place_put(&p);
}

static long register_runstate(struct vcpu *v, struct guest_ptr arg)
{
    struct vcpu_register_runstate_memory_area op;
    struct vcpu_runstate_info r;
    struct guest_ptr area;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    area = (struct guest_ptr){ op.addr.p };
    sched_runstate(v, &r);
    if (guest_write(area, &r, sizeof(r)) != 0) {
        return -EFAULT;
    }
    v->runstate_guest = area;
    return 0;
}

static long get_runstate(struct vcpu *v, struct guest_ptr arg)
{
    struct vcpu_runstate_info r;

    memset(&r, 0, sizeof(r));
    sched_runstate(v, &r);
    return guest_write(arg, &r, sizeof(r));
}

static long register_time(struct vcpu *v, struct guest_ptr arg)
{
    struct vcpu_register_time_memory_area op;

    if (v != vcpu_current()) {
        return -EINVAL;
    }
    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    v->time_guest = (struct guest_ptr){ op.addr.p };
    if (!wallclock_show_vcpu(v)) {
        v->time_guest = (struct guest_ptr){ 0 };
        return -EFAULT;
    }
    return 0;
}

/* Moves the record to 'offset' of 'f', whose reference it takes. */
static int move_info(struct vcpu *v, struct frame *f, uint32_t offset)
{
    char *page = arch_frame_map(frame_mfn(f));
    vcpu_info_t *info = (vcpu_info_t *)(void *)(page + offset);
    int error = 0;

    spin_lock(&v->domain->lock);
    if (v->info_frame != NULL) {
        error = -EINVAL;
    } else {
        memcpy(info, v->info, sizeof(*info));
        v->info_frame = f;
        __atomic_store_n(&v->info, info, __ATOMIC_SEQ_CST);
    }
    spin_unlock(&v->domain->lock);
    return error;
}

static long register_info(struct vcpu *v, struct guest_ptr arg)
{
    struct vcpu_register_vcpu_info op;
    struct frame *f;
    int error;

    if (guest_read(&op, arg, sizeof(op)) != 0) {
        return -EFAULT;
    }
    if (op.offset > PAGE_SIZE - sizeof(vcpu_info_t) ||
        (op.offset & (__alignof__(vcpu_info_t) - 1)) != 0) {
        return -ENXIO;
    }
    /* Only while nobody else may be using the old one. */
    if (v != vcpu_current() &&
        !__atomic_load_n(&v->is_down, __ATOMIC_ACQUIRE)) {
        return -EINVAL;
    }
    f = p2m_get_ram(v->domain, gfn(op.mfn), true);
    if (f == NULL) {
        return -EINVAL;
    }
    error = move_info(v, f, op.offset);
    if (error != 0) {
        frame_put(f);
        return error;
    }
    wallclock_update_vcpu(v);
    evtchn_rebind_info(v);
    return 0;
}

/* ---- up and down ---- */

static long initialise_pv(struct vcpu *v, struct guest_ptr arg)
{
    struct vcpu_guest_context *context = kmem_alloc(sizeof(*context));
    long error = -EEXIST;

    if (context == NULL) {
        return -ENOMEM;
    }
    if (guest_read(context, arg, sizeof(*context)) != 0) {
        error = -EFAULT;
    } else {
        spin_lock(&v->domain->lock);
        if (!v->is_initialised && READ_ONCE(v->is_down)) {
            error = arch_vcpu_initialise_pv(v, context);
        }
        spin_unlock(&v->domain->lock);
    }
    kmem_free(context);
    return error;
}

static long initialise(struct vcpu *v, struct guest_ptr arg)
{
    struct vcpu_hvm_context context;
    long error = -EEXIST;

    if (v->info == v->info_private) {
        return -EINVAL;             /* a kernel there would see no events */
    }
    if (v == vcpu_current()) {
        return -EEXIST;
    }
    if (v->domain->is_pv) {
        return initialise_pv(v, arg);
    }
    if (guest_read(&context, arg, sizeof(context)) != 0) {
        return -EFAULT;
    }
    spin_lock(&v->domain->lock);
    if (!v->is_initialised && READ_ONCE(v->is_down)) {
        error = arch_vcpu_set_hvm_context(v, &context);
        if (error == 0) {
            v->is_initialised = true;
        }
    }
    spin_unlock(&v->domain->lock);
    return error;
}

long vcpu_op_down(struct vcpu *v)
{
    struct domain *d = v->domain;
    unsigned int i;

    /* The last one that is up goes down: the guest has stopped. */
    for (i = 0; i < d->max_vcpus; i++) {
        struct vcpu *other = d->vcpu[i];

        if (other != NULL && other != v && !READ_ONCE(other->is_down)) {
            vcpu_down(v);
            return 0;
        }
    }
    domain_shutdown(d, SHUTDOWN_poweroff);
    return 0;
}

long vcpu_op(unsigned int cmd, unsigned int vcpuid, struct guest_ptr arg)
{
    struct domain *d = vcpu_current()->domain;
    struct vcpu *v;

    if (vcpuid >= d->max_vcpus) {
        return -ENOENT;
    }
    v = d->vcpu[index_nospec(vcpuid, d->max_vcpus)];
    if (v == NULL) {
        return -ENOENT;
    }
    switch (cmd) {
    case VCPUOP_initialise:
        return initialise(v, arg);
    case VCPUOP_up:
        return vcpu_up(v);
    case VCPUOP_down:
        return vcpu_op_down(v);
    case VCPUOP_is_up:
        return !READ_ONCE(v->is_down);
    case VCPUOP_get_runstate_info:
        return get_runstate(v, arg);
    case VCPUOP_register_runstate_memory_area:
        return register_runstate(v, arg);
    case VCPUOP_set_periodic_timer:
        return set_periodic(v, arg);
    case VCPUOP_stop_periodic_timer:
        stop_periodic(v);
        return 0;
    case VCPUOP_set_singleshot_timer:
        return set_singleshot(v, arg);
    case VCPUOP_stop_singleshot_timer:
        timer_stop(&v->singleshot);
        return 0;
    case VCPUOP_register_vcpu_info:
        return register_info(v, arg);
    case VCPUOP_register_vcpu_time_memory_area:
        return register_time(v, arg);
    case VCPUOP_send_nmi:
        return arch_vcpu_send_nmi(v);
    default:
        return -ENOSYS;
    }
}
