/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Hypercalls: from a number and six registers to the function that does it,
 * by hypercall_table.h; and multicall, which does the same for a list.
 *
 *  1. An operation that cannot end in bounded time changes its arguments by
 *     hypercall_set_arg() and returns -ERESTART: the guest executes the
 *     instruction again after interrupts and the scheduler had their turn.
 *  2. v->multicall is the local copy of the entry that runs, NULL outside.
 *  3. A multicall inside a multicall is refused, so there is one level.
 */
#include "core/hypercall.h"
#include "core/arch.h"
#include "core/budget.h"
#include "core/domain.h"
#include "core/evtchn.h"
#include "core/grant.h"
#include "core/hypercall_table.h"
#include "core/perfc.h"
#include "core/vcpu.h"
#include "core/xen_abi.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/nospec.h"

#include <xen/arch-x86/xen-mca.h>

/* Entries of a multicall before other work gets its turn. */
#define MULTICALL_BATCH 64u

enum hypercall_caller { ANY, CONTROL };

static struct guest_ptr guest(uint64_t va)
{
    return (struct guest_ptr){ va };
}

#define UNUSED __attribute__((unused))
#define ARGS UNUSED uint64_t a, UNUSED uint64_t b, UNUSED uint64_t c,   \
             UNUSED uint64_t d

static long dispatch(ARGS, struct vcpu *v, uint64_t nr);

/* ---- one adapter a hypercall: none has more than four arguments ---- */

static long do_memory_op(ARGS)
{
    return memory_op(a, guest(b));
}

static long do_set_timer_op(ARGS)
{
    return vcpu_op_set_timer(a);
}

static long do_xen_version(ARGS)
{
    return version_op(a, guest(b));
}

static long do_console_io(ARGS)
{
    return console_op(a, b, guest(c));
}

static long do_grant_table_op(ARGS)
{
    return grant_op(a, guest(b), c);
}

static long do_vm_assist(ARGS)
{
    return vm_assist(a, b);
}

static long do_vcpu_op(ARGS)
{
    return vcpu_op(a, b, guest(c));
}

static long do_xsm_op(ARGS)
{
    return xsm_op(guest(a));
}

static long do_sched_op(ARGS)
{
    return sched_op(a, guest(b));
}

static long do_event_channel_op(ARGS)
{
    return evtchn_op(a, guest(b));
}

static long do_physdev_op(ARGS)
{
    return physdev_op(a, guest(b));
}

static long do_hvm_op(ARGS)
{
    return hvm_op(a, guest(b));
}

static long do_mmu_update(ARGS)
{
    return mmu_update(guest(a), b, guest(c), d);
}

static long do_mmuext_op(ARGS)
{
    return mmuext_op(guest(a), b, guest(c), d);
}

static long do_mca(ARGS)
{
    return mca_op(guest(a));
}

static long do_platform_op(ARGS)
{
    return platform_op(guest(a));
}

static long do_sysctl(ARGS)
{
    return sysctl(guest(a));
}

static long do_domctl(ARGS)
{
    return domctl(guest(a));
}

/* ---- multicall ---- */

static long run_entry(struct vcpu *v, struct guest_ptr at)
{
    struct multicall_entry entry;
    long result;

    if (guest_read(&entry, at, sizeof(entry)) != 0) {
        return -EFAULT;
    }
    perfc_count(PERFC_MULTICALL_ENTRY);
    v->multicall = &entry;
    result = dispatch(entry.args[0], entry.args[1], entry.args[2],
                      entry.args[3], v, entry.op);
    v->multicall = NULL;
    if (result == -ERESTART) {
        return guest_write(at, &entry, sizeof(entry)) != 0 ? -EFAULT
                                                           : -ERESTART;
    }
    entry.result = result;
    at = guest_ptr_add(at, offsetof(struct multicall_entry, result));
    return guest_write(at, &entry.result, sizeof(entry.result));
}

static long do_multicall(ARGS)
{
    struct vcpu *v = vcpu_current();
    struct guest_ptr list = guest(a);
    struct budget left = budget_start();
    uint32_t i, count = b;
    long error = 0;

    if (v->multicall != NULL) {
        return -EINVAL;
    }
    for (i = 0; i < count; i++) {
        if (i == MULTICALL_BATCH || (i > 0 && budget_is_spent(&left))) {
            error = -ERESTART;
            break;
        }
        error = run_entry(v, list);
        if (error != 0) {
            break;
        }
        list = guest_ptr_add(list, sizeof(struct multicall_entry));
    }
    if (error == -ERESTART) {
        hypercall_set_arg(0, list.va);
        hypercall_set_arg(1, count - i);
    }
    return error;
}

/* ---- dispatch ---- */

struct hypercall_entry {
    hypercall_fn fn;
    enum hypercall_caller caller;
};

#define HYPERCALL_ENTRY(name, caller)                                   \
    [__HYPERVISOR_##name] = { do_##name, caller },

static const struct hypercall_entry table[] = {
    HYPERCALL_TABLE(HYPERCALL_ENTRY)
};

/* The arguments first: they are in the registers that 'fn' has them in. */
static long dispatch(ARGS, struct vcpu *v, uint64_t nr)
{
    const struct hypercall_entry *entry;

    if (nr >= ARRAY_SIZE(table)) {
        return -ENOSYS;
    }
    entry = &table[index_nospec(nr, ARRAY_SIZE(table))];
    if (entry->fn == NULL) {
        return -ENOSYS;
    }
    if (entry->caller == CONTROL && !v->domain->is_privileged) {
        return -EPERM;
    }
    perfc_count_hypercall(nr);
    return entry->fn(a, b, c, d);
}

bool hypercall(struct vcpu *v, uint64_t nr, uint64_t *ret)
{
    uint64_t begin = perfc_begin();
    uint64_t a[6];
    long result;

    v->hypercalls++;
    arch_hypercall_args(v, a);
    result = dispatch(a[0], a[1], a[2], a[3], v, nr);
    if (begin != 0) {
        perfc_end(begin, nr, a[0]);
    }
    if (result == -ERESTART) {
        return false;
    }
    *ret = result;
    return true;
}

void hypercall_set_arg(unsigned int n, uint64_t val)
{
    struct vcpu *v = vcpu_current();

    if (v->multicall != NULL) {
        v->multicall->args[n] = val;
    } else {
        arch_hypercall_set_arg(v, n, val);
    }
}
