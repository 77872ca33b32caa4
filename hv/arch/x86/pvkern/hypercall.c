/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hypercalls of a PV guest's kernel: those about its own CPU and page tables
 * are done here, the others are the hypervisor's, by VMMCALL.
 *
 *  1. A multicall is taken apart here, so that its entries about page tables
 *     cost no exit.
 *  2. The hypervisor restarts a long operation at our VMMCALL: to us it
 *     only takes its time, and other vcpus and domains go on meanwhile.
 *  3. What a small argument of a frequent call says we fetch into v->arg, and
 *     bring back the result: the hypervisor knows that page and has no page
 *     tables to walk.
 */
#include "lib/errno.h"
#include "pvkern/guest.h"
#include "pvkern/table.h"

#include <xen/nmi.h>
#include <xen/version.h>

#define DR7_RESERVED 0x400ul
/* What DR7 keeps of what is written; GD is refused. */
#define DR7_ALLOWED 0xffff03fful
#define DR7_GENERAL 0x2000ul
#define DR7_ENABLED 0xfful
#define DR7_TYPE_PORT 2u
#define DR6_RESERVED 0xffff0ff0ul
#define DR6_ALLOWED 0xffffeffful
#define IO_PORTS 65536u

/* As a spinning kernel polls: one port. */
struct poll_one {
    struct sched_poll op;
    evtchn_port_t port;
};

_Static_assert(sizeof(struct poll_one) <= PVK_ARG_WORDS * 8
               && sizeof(struct vcpu_set_singleshot_timer) <= PVK_ARG_WORDS * 8
               && sizeof(struct evtchn_status) <= PVK_ARG_WORDS * 8,
               "they fit into v->arg");

/* ---- the CPU ---- */

void hypercall_set_traps(uint64_t list, long *error)
{
    struct trap_info *table = pvk_gate(pvk_area(), 0);
    struct trap_info one;

    *error = 0;
    if (list == 0) {
        __builtin_memset(table, 0, 256 * sizeof(*table));
        return;
    }
    for (;; list += sizeof(one)) {
        if (!guest_get(&one, list, sizeof(one))) {
            *error = -EFAULT;
            return;
        }
        if (one.address == 0) {
            return;
        }
        if (!pvk_is_canonical(one.address)) {
            *error = -EINVAL;
            return;
        }
        table[one.vector] = one;
    }
}

static long set_traps(uint64_t list)
{
    long error;

    hypercall_set_traps(list, &error);
    return error;
}

void hypercall_set_callback(struct pvk_vcpu *v, enum pvk_callback_name name,
                            uint64_t address, bool masks_events)
{
    v->callback[name] = (struct pvk_callback){
        .address = address,
        .masks_events = masks_events || name == PVK_ON_EVENT,
    };
}

/* Events are masked in it, as from Xen. */
static void set_nmi_handler(uint64_t address)
{
    struct trap_info t = { .vector = VECTOR_NMI, .cs = PVK_GUEST_CS,
                           .address = address };

    TI_SET_IF(&t, 1);
    *pvk_gate(pvk_area(), VECTOR_NMI) = t;
}

static void remove_nmi_handler(void)
{
    *pvk_gate(pvk_area(), VECTOR_NMI) = (struct trap_info){ .address = 0 };
}

/* An address that cannot be is left out, and nobody told: as from Xen. */
static long set_callbacks(struct pvk_vcpu *v, const uint64_t a[6])
{
    static const enum pvk_callback_name names[] = {
        PVK_ON_EVENT, PVK_ON_FAILSAFE, PVK_ON_SYSCALL,
    };

    for (unsigned int i = 0; i < 3; i++) {
        if (pvk_is_canonical(a[i])) {
            hypercall_set_callback(v, names[i], a[i], false);
        }
    }
    return 0;
}

/* The type's number in callback.h, or -1. */
static int callback_of(uint16_t type)
{
    switch (type) {
    case CALLBACKTYPE_event:
        return PVK_ON_EVENT;
    case CALLBACKTYPE_failsafe:
        return PVK_ON_FAILSAFE;
    case CALLBACKTYPE_syscall:
        return PVK_ON_SYSCALL;
    case CALLBACKTYPE_syscall32:
        return PVK_ON_SYSCALL32;
    case CALLBACKTYPE_sysenter:
        return PVK_ON_SYSENTER;
    default:
        return -1;
    }
}

static long register_callback(struct pvk_vcpu *v,
                              const struct callback_register *op)
{
    int name = callback_of(op->type);

    if (!pvk_is_canonical(op->address)) {
        return -EINVAL;
    }
    if (op->type == CALLBACKTYPE_nmi) {
        set_nmi_handler(op->address);
        return 0;
    }
    if (name < 0) {
        return -ENOSYS;
    }
    hypercall_set_callback(v, (enum pvk_callback_name)name, op->address,
                           (op->flags & CALLBACKF_mask_events) != 0);
    return 0;
}

static long unregister_callback(const struct callback_unregister *op)
{
    if (op->type == CALLBACKTYPE_nmi) {
        remove_nmi_handler();
        return 0;
    }
    return callback_of(op->type) < 0 ? -ENOSYS : -EINVAL;
}

static long callback_op(struct pvk_vcpu *v, uint64_t cmd, uint64_t arg)
{
    struct callback_register reg;
    struct callback_unregister unreg;

    switch (cmd) {
    case CALLBACKOP_register:
        return guest_get(&reg, arg, sizeof(reg)) ? register_callback(v, &reg)
                                                 : -EFAULT;
    case CALLBACKOP_unregister:
        return guest_get(&unreg, arg, sizeof(unreg))
               ? unregister_callback(&unreg) : -EFAULT;
    default:
        return -ENOSYS;
    }
}

static long nmi_op(uint64_t cmd, uint64_t arg)
{
    struct xennmi_callback op;

    switch (cmd) {
    case XENNMI_register_callback:
        if (!guest_get(&op, arg, sizeof(op))) {
            return -EFAULT;
        }
        if (!pvk_is_canonical(op.handler_address)) {
            return -EINVAL;
        }
        set_nmi_handler(op.handler_address);
        return 0;
    case XENNMI_unregister_callback:
        remove_nmi_handler();
        return 0;
    default:
        return -ENOSYS;
    }
}

static long task_switch(bool set)
{
    if (set) {
        write_cr0(read_cr0() | CR0_TS);
    } else {
        __asm__ volatile("clts");
    }
    return 0;
}

static long stack_switch(struct pvk_vcpu *v, uint64_t sp)
{
    v->kernel_sp = sp;
    return 0;
}

/* ---- debug registers ---- */

static long set_breakpoint(unsigned int reg, uint64_t value)
{
    if (!pvk_is_guest_range(value, 8) || !pvk_is_canonical(value)) {
        return -EPERM;
    }
    switch (reg) {
    case 0:
        write_dr0(value);
        return 0;
    case 1:
        write_dr1(value);
        return 0;
    case 2:
        write_dr2(value);
        return 0;
    default:
        write_dr3(value);
        return 0;
    }
}

static bool is_at_port(uint64_t dr7, unsigned int i)
{
    return (dr7 >> (16 + 4 * i) & 3) == DR7_TYPE_PORT;
}

static bool has_port_breakpoint(uint64_t dr7)
{
    return is_at_port(dr7, 0) || is_at_port(dr7, 1) || is_at_port(dr7, 2)
           || is_at_port(dr7, 3);
}

/* Those at ports are looked for by the emulation of port accesses alone. */
static uint64_t loaded_dr7(uint64_t dr7)
{
    for (unsigned int i = 0; i < 4; i++) {
        if (is_at_port(dr7, i)) {
            dr7 &= ~(3ul << (2 * i));
        }
    }
    return dr7;
}

static bool is_met(const struct pvk_vcpu *v, unsigned int i,
                   unsigned int port, unsigned int size)
{
    static const uint8_t widths[] = { 1, 2, 8, 4 };
    uint64_t width = widths[v->dr7 >> (18 + 4 * i) & 3];
    uint64_t start = (uint64_t)hypercall_get_debugreg(v, i) & ~(width - 1);

    return start < port + size && start + width > port;
}

unsigned int hypercall_port_breakpoints(const struct pvk_vcpu *v,
                                        unsigned int port, unsigned int size)
{
    unsigned int met = 0;

    if (!(v->cr4 & CR4_DE)) {
        return 0;
    }
    for (unsigned int i = 0; i < 4; i++) {
        if ((v->dr7 >> (2 * i) & 3) != 0 && is_at_port(v->dr7, i)
            && is_met(v, i, port, size)) {
            met |= 1u << i;
        }
    }
    return met;
}

/* 4 and 5 are 6 and 7 unless CR4.DE is set. */
static bool lacks_debugreg(const struct pvk_vcpu *v, unsigned int reg)
{
    return (v->cr4 & CR4_DE) && (reg == 4 || reg == 5);
}

long hypercall_set_debugreg(struct pvk_vcpu *v, unsigned int reg,
                            uint64_t value)
{
    if (lacks_debugreg(v, reg)) {
        return -ENODEV;
    }
    switch (reg) {
    case 0 ... 3:
        return set_breakpoint(reg, value);
    case 4:
    case 6:
        if (value >> 32 != 0) {
            return -EINVAL;
        }
        value = (value & DR6_ALLOWED) | DR6_RESERVED;
        __asm__ volatile("mov %0, %%dr6" :: "r" (value));
        return 0;
    case 5:
    case 7:
        if (value >> 32 != 0) {
            return -EINVAL;
        }
        if ((value & DR7_GENERAL)
            || ((value & DR7_ENABLED) && !(v->cr4 & CR4_DE)
                && has_port_breakpoint(value))) {
            return -EPERM;
        }
        v->dr7 = (value & DR7_ALLOWED) | DR7_RESERVED;
        __asm__ volatile("mov %0, %%dr7" :: "r" (loaded_dr7(v->dr7)));
        return 0;
    default:
        return -ENODEV;
    }
}

long hypercall_get_debugreg(const struct pvk_vcpu *v, unsigned int reg)
{
    uint64_t value;

    if (lacks_debugreg(v, reg)) {
        return -ENODEV;
    }
    switch (reg) {
    case 0:
        return (long)read_dr0();
    case 1:
        return (long)read_dr1();
    case 2:
        return (long)read_dr2();
    case 3:
        return (long)read_dr3();
    case 4:
    case 6:
        __asm__ volatile("mov %%dr6, %0" : "=r" (value));
        return (long)value;
    case 5:
    case 7:
        return (long)(v->dr7 | DR7_RESERVED);
    default:
        return -ENODEV;
    }
}

/* ---- those of the hypervisor that change something here ---- */

/*
 * a[n] points to 'size' bytes, which the hypervisor only reads.  No such call
 * has more than three arguments.
 */
static inline long forward(struct pvk_vcpu *v, uint64_t nr,
                           const uint64_t a[6], unsigned int n, size_t size)
{
    uint64_t at = (uint64_t)v->arg;

    if (!guest_get(v->arg, a[n], size)) {
        return -EFAULT;
    }
    return n == 1 ? vmmcall3(nr, a[0], at, a[2])
                  : vmmcall3(nr, a[0], a[1], at);
}

/* The same for what the hypervisor changes too when it succeeds. */
static inline long exchange(struct pvk_vcpu *v, uint64_t nr,
                            const uint64_t a[6], unsigned int n, size_t size)
{
    long result = forward(v, nr, a, n, size);

    if (result >= 0 && !guest_put(a[n], v->arg, size)) {
        return -EFAULT;
    }
    return result;
}

static long event_channel_op(struct pvk_vcpu *v, const uint64_t a[6])
{
    static const struct {
        uint8_t size;
        bool has_result;
    } args[] = {
        [EVTCHNOP_bind_interdomain] =
            { sizeof(struct evtchn_bind_interdomain), true },
        [EVTCHNOP_bind_virq] = { sizeof(struct evtchn_bind_virq), true },
        [EVTCHNOP_close] = { sizeof(struct evtchn_close), false },
        [EVTCHNOP_send] = { sizeof(struct evtchn_send), false },
        [EVTCHNOP_status] = { sizeof(struct evtchn_status), true },
        [EVTCHNOP_alloc_unbound] =
            { sizeof(struct evtchn_alloc_unbound), true },
        [EVTCHNOP_bind_ipi] = { sizeof(struct evtchn_bind_ipi), true },
        [EVTCHNOP_bind_vcpu] = { sizeof(struct evtchn_bind_vcpu), false },
        [EVTCHNOP_unmask] = { sizeof(struct evtchn_unmask), false },
    };
    const uint64_t nr = __HYPERVISOR_event_channel_op;

    if (a[0] >= sizeof(args) / sizeof(args[0]) || args[a[0]].size == 0) {
        return vmmcall(nr, a);
    }
    return args[a[0]].has_result ? exchange(v, nr, a, 1, args[a[0]].size)
                                 : forward(v, nr, a, 1, args[a[0]].size);
}

static long sched_op(struct pvk_vcpu *v, const uint64_t a[6])
{
    uint64_t b[6] = { a[0], (uint64_t)v->arg };
    struct poll_one poll;

    if (a[0] != SCHEDOP_poll) {
        return vmmcall(__HYPERVISOR_sched_op, a);
    }
    if (!guest_get(&poll.op, a[1], sizeof(poll.op))) {
        return -EFAULT;
    }
    if (poll.op.nr_ports != 1) {
        return vmmcall(__HYPERVISOR_sched_op, a);
    }
    if (!guest_get(&poll.port, (uint64_t)poll.op.ports.p,
                   sizeof(poll.port))) {
        return -EFAULT;
    }
    poll.op.ports.p = (evtchn_port_t *)((char *)v->arg
                                        + offsetof(struct poll_one, port));
    __builtin_memcpy(v->arg, &poll, sizeof(poll));
    return vmmcall(__HYPERVISOR_sched_op, b);
}

/* The hypervisor moved the record of vcpu 'id': so do we. */
static void follow_info(uint64_t id, uint64_t arg)
{
    struct vcpu_register_vcpu_info op;
    struct pvk_vcpu *v = (struct pvk_vcpu *)PVK_AREA(id);

    if (guest_get(&op, arg, sizeof(op)) && table_has_frame(op.mfn)) {
        v->info = PVK_DIRECT + (op.mfn << 12) + op.offset;
    }
}

/* Descriptors that the new vcpu could not load: it would end the domain. */
static bool has_bad_gdt(uint64_t context)
{
    struct {
        unsigned long frame[16], count;
    } gdt;

    _Static_assert(sizeof(gdt) == offsetof(struct vcpu_guest_context,
                                           kernel_ss)
                                  - offsetof(struct vcpu_guest_context,
                                             gdt_frames), "they follow");
    return guest_get(&gdt, context + offsetof(struct vcpu_guest_context,
                                              gdt_frames), sizeof(gdt))
           && !segment_check_gdt(gdt.frame, gdt.count);
}

static long vcpu_op(struct pvk_vcpu *v, const uint64_t a[6])
{
    long result;

    if (a[0] == VCPUOP_initialise && has_bad_gdt(a[2])) {
        return -EINVAL;
    }
    if (a[0] == VCPUOP_set_singleshot_timer) {
        return forward(v, __HYPERVISOR_vcpu_op, a, 2,
                       sizeof(struct vcpu_set_singleshot_timer));
    }
    result = vmmcall(__HYPERVISOR_vcpu_op, a);
    if (result == 0 && a[0] == VCPUOP_register_vcpu_info) {
        follow_info(a[1], a[2]);
    }
    return result;
}

#define ABOVE_4GB (1u << XENFEAT_pae_pgdir_above_4gb)

void hypercall_follow_assists(uint64_t assists)
{
    struct pvk_domain *d = pvk_domain();

    d->shows_iopl = assists >> VMASST_TYPE_architectural_iopl & 1;
    if (assists >> VMASST_TYPE_pae_extended_cr3 & 1) {
        d->features |= ABOVE_4GB;
    } else {
        d->features &= ~ABOVE_4GB;
    }
}

/* What a restored guest had: boot.c. */
static long vm_assist(const uint64_t a[6])
{
    const struct pvk_domain *d = pvk_domain();
    uint64_t now = (uint64_t)(d->shows_iopl != 0)
                   << VMASST_TYPE_architectural_iopl
                   | (uint64_t)((d->features & ABOVE_4GB) != 0)
                   << VMASST_TYPE_pae_extended_cr3;
    long result = vmmcall(__HYPERVISOR_vm_assist, a);

    if (result == 0) {
        hypercall_follow_assists(a[0] == VMASST_CMD_enable
                                 ? now | 1ul << a[1] : now & ~(1ul << a[1]));
    }
    return result;
}

static long put_constant(uint64_t to, const void *from, size_t size)
{
    return guest_put(to, from, size) ? 0 : -EFAULT;
}

static long get_features(uint64_t at)
{
    struct xen_feature_info info;

    if (!guest_get(&info, at, sizeof(info))) {
        return -EFAULT;
    }
    if (info.submap_idx >= XENFEAT_NR_SUBMAPS) {
        return -EINVAL;
    }
    info.submap = pvk_domain()->features;
    return guest_put(at, &info, sizeof(info)) ? 0 : -EFAULT;
}

/* All of one handle, though the toolstack may give another meanwhile. */
static long get_handle(uint64_t at)
{
    const struct pvk_domain *d = pvk_domain();
    xen_domain_handle_t handle;
    uint32_t turn;

    do {
        turn = __atomic_load_n(&d->handle_turn, __ATOMIC_ACQUIRE);
        __builtin_memcpy(handle, d->handle, sizeof(handle));
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
    } while ((turn & 1)
             || turn != __atomic_load_n(&d->handle_turn, __ATOMIC_RELAXED));
    return guest_put(at, handle, sizeof(handle)) ? 0 : -EFAULT;
}

/*
 * Linux asks for the version to have its events looked at, often; what the
 * answer is does not change, or the hypervisor says so in the domain's page.
 */
static long xen_version(const uint64_t a[6])
{
    struct pvk_domain *d = pvk_domain();
    const struct pvk_version *c = &d->constant;
    const uint64_t nr = __HYPERVISOR_xen_version;

    switch (a[0]) {
    case XENVER_version:
        if (d->version == 0) {
            d->version = (uint32_t)vmmcall(nr, a);
        }
        return d->version;
    case XENVER_extraversion:
        return put_constant(a[1], c->extraversion, sizeof(c->extraversion));
    case XENVER_compile_info:
        return put_constant(a[1], c->compile_info, sizeof(c->compile_info));
    case XENVER_capabilities:
        return put_constant(a[1], c->capabilities, sizeof(c->capabilities));
    case XENVER_changeset:
        return put_constant(a[1], c->changeset, sizeof(c->changeset));
    case XENVER_platform_parameters:
        return put_constant(a[1], &c->virt_start, sizeof(c->virt_start));
    case XENVER_get_features:
        return get_features(a[1]);
    case XENVER_guest_handle:
        return get_handle(a[1]);
    default:
        return vmmcall(nr, a);
    }
}

static long set_iobitmap(struct pvk_vcpu *v, uint64_t at)
{
    struct physdev_set_iobitmap op;

    if (!guest_get(&op, at, sizeof(op))) {
        return -EFAULT;
    }
    if (op.nr_ports > IO_PORTS
        || !pvk_is_guest_range((uint64_t)op.bitmap.p, IO_PORTS / 8)) {
        return -EINVAL;
    }
    v->io_bitmap = (uint64_t)op.bitmap.p;
    v->io_ports = op.nr_ports;
    return 0;
}

static long physdev_op(struct pvk_vcpu *v, const uint64_t a[6])
{
    struct physdev_set_iopl op;

    switch (a[0]) {
    case PHYSDEVOP_set_iopl:
        if (!guest_get(&op, a[1], sizeof(op))) {
            return -EFAULT;
        }
        if (op.iopl > 3) {
            return -EINVAL;
        }
        v->iopl = op.iopl;
        return 0;
    case PHYSDEVOP_set_iobitmap:
        return set_iobitmap(v, a[1]);
    default:
        return vmmcall(__HYPERVISOR_physdev_op, a);
    }
}

/* ---- dispatch ---- */

static long dispatch(struct pvk_vcpu *v, uint64_t nr, const uint64_t a[6]);

/* A multicall ends with it: it may have left the guest's kernel mode. */
static long multicall_iret(struct pvk_vcpu *v, uint64_t result_at)
{
    struct pvk_regs *r = pvk_top_regs((uint64_t)v);

    bounce_iret(v, r);
    r->vector = 0;              /* by IRETQ, whatever the frame asks for */
    (void)guest_put(result_at, &r->rax, sizeof(r->rax));
    return (long)r->rax;
}

/* One entry a time; a multicall inside a multicall is refused. */
static long multicall(struct pvk_vcpu *v, uint64_t list, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct multicall_entry e;
        uint64_t at = list + i * sizeof(e);
        uint64_t a[6];

        if (!guest_get(&e, at, sizeof(e))) {
            return -EFAULT;
        }
        if (e.op == __HYPERVISOR_iret) {
            return multicall_iret(v, at + offsetof(struct multicall_entry,
                                                   result));
        }
        for (unsigned int n = 0; n < 6; n++) {
            a[n] = e.args[n];
        }
        e.result = (xen_ulong_t)(e.op == __HYPERVISOR_multicall
                                 ? -EINVAL : dispatch(v, e.op, a));
        if (!guest_put(at + offsetof(struct multicall_entry, result),
                       &e.result, sizeof(e.result))) {
            return -EFAULT;
        }
    }
    return 0;
}

/* Those about the CPU and its page tables, which end here. */
static __attribute__((noinline)) long own(struct pvk_vcpu *v, uint64_t nr,
                                          const uint64_t a[6])
{
    switch (nr) {
    case __HYPERVISOR_set_trap_table:
        return set_traps(a[0]);
    case __HYPERVISOR_mmu_update:
        return mmu_update(v, a);
    case __HYPERVISOR_set_gdt:
        return segment_set_gdt(v, a[0], a[1]);
    case __HYPERVISOR_stack_switch:
        return stack_switch(v, a[1]);
    case __HYPERVISOR_set_callbacks:
        return set_callbacks(v, a);
    case __HYPERVISOR_fpu_taskswitch:
        return task_switch(a[0] != 0);
    case __HYPERVISOR_set_debugreg:
        return hypercall_set_debugreg(v, (unsigned int)a[0], a[1]);
    case __HYPERVISOR_get_debugreg:
        return hypercall_get_debugreg(v, (unsigned int)a[0]);
    case __HYPERVISOR_update_descriptor:
        return segment_update(a[0], a[1]);
    case __HYPERVISOR_multicall:
        return multicall(v, a[0], (uint32_t)a[1]);
    case __HYPERVISOR_update_va_mapping:
        return mmu_update_va(v, a[0], a[1], a[2]);
    case __HYPERVISOR_update_va_mapping_otherdomain:
        return (a[3] & 0xffff) == DOMID_SELF
               ? mmu_update_va(v, a[0], a[1], a[2]) : mmu_refuse(a[3]);
    case __HYPERVISOR_set_segment_base:
        return segment_set_base(v, (unsigned int)a[0], a[1]);
    case __HYPERVISOR_mmuext_op:
        return mmu_ext_op(v, a);
    case __HYPERVISOR_callback_op:
        return callback_op(v, a[0], a[1]);
    case __HYPERVISOR_nmi_op:
        return nmi_op(a[0], a[1]);
    case __HYPERVISOR_grant_table_op:
        return grant_table_op(v, a);
    case __HYPERVISOR_physdev_op:
        return physdev_op(v, a);
    case __HYPERVISOR_vm_assist:
        return vm_assist(a);
    case __HYPERVISOR_xenpmu_op:
        return -EOPNOTSUPP;     /* as Xen with vpmu=off */
    default:
        return -ENOSYS;
    }
}

#define BIT(name) (1ul << __HYPERVISOR_##name)
#define OWN (BIT(set_trap_table) | BIT(mmu_update) | BIT(set_gdt)       \
             | BIT(stack_switch) | BIT(set_callbacks)                   \
             | BIT(fpu_taskswitch) | BIT(set_debugreg)                  \
             | BIT(get_debugreg) | BIT(update_descriptor)               \
             | BIT(multicall) | BIT(update_va_mapping)                  \
             | BIT(update_va_mapping_otherdomain)                       \
             | BIT(set_segment_base) | BIT(mmuext_op)                   \
             | BIT(callback_op) | BIT(nmi_op) | BIT(grant_table_op)     \
             | BIT(physdev_op) | BIT(vm_assist) | BIT(xenpmu_op)        \
             | BIT(iret)                                                \
             | 1ul << PVK_CALL)

/* The hypervisor's first: they have a long way before them still. */
static long dispatch(struct pvk_vcpu *v, uint64_t nr, const uint64_t a[6])
{
    if (nr < 64 && (OWN >> nr & 1)) {
        return own(v, nr, a);
    }
    switch (nr) {
    case __HYPERVISOR_event_channel_op:
        return event_channel_op(v, a);
    case __HYPERVISOR_sched_op:
        return sched_op(v, a);
    case __HYPERVISOR_xen_version:
        return xen_version(a);
    case __HYPERVISOR_vcpu_op:
        return vcpu_op(v, a);
    default:
        return vmmcall(nr, a);
    }
}

/* Those in which a vcpu may stop for long. */
static bool may_wait(const struct pvk_regs *r)
{
    return r->rax == __HYPERVISOR_sched_op
           || (r->rax == __HYPERVISOR_vcpu_op && r->rdi == VCPUOP_down);
}

static __attribute__((noinline)) long wait_in(struct pvk_vcpu *v,
                                              struct pvk_regs *r)
{
    long result;

    __atomic_store_n(&v->stage, PVK_IN_WAIT, __ATOMIC_RELEASE);
    result = dispatch(v, r->rax, r->arg);
    __atomic_store_n(&v->stage, PVK_MOVING, __ATOMIC_RELEASE);
    return result;
}

/*
 * Back by SYSRET, as most go: 'r' is as SYSCALL left it, so that nothing but
 * a rip that it made non-canonical can be wrong with it.
 */
struct pvk_regs *pvk_hypercall(struct pvk_vcpu *v, struct pvk_regs *r)
{
    if (r->rax == __HYPERVISOR_iret) {
        bounce_iret(v, r);
        return trap_finish(v, r);
    }
    r->rax = (uint64_t)(may_wait(r) ? wait_in(v, r)
                                    : dispatch(v, r->rax, r->arg));
    return trap_has_news(v) || !pvk_is_canonical(r->rip)
           ? trap_finish(v, r) : r;
}
