/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * PV time (xen.h: vcpu_time_info, shared_info.wc_*): the wall clock at boot
 * in each shared_info, the time record in each vcpu_info.
 *
 *  1. A version is odd while its record changes; readers retry.
 *  2. Versions are counted by us or made even from what the guest left there:
 *     a guest that scribbles confuses itself only.
 *  3. A record that is right is left alone: it changes with the vcpu's TSC
 *     offset only, and a vcpu is switched to often. Where the copy that the
 *     guest registered is not current, is_time_due says so.
 *  4. boot_ns is the time since 1970, in ns, at system time 0.
 */
#include "core/wallclock.h"
#include "core/arch.h"
#include "core/domain.h"
#include "core/lock.h"
#include "core/vcpu.h"
#include "lib/atomic.h"
#include "lib/string.h"

#define SECOND_NS 1000000000ull

/* A leaf, taken under any domain lock. */
static spinlock_t wallclock_lock = SPINLOCK_INIT(LOCK_RANK_TIMER);
static uint64_t boot_ns;            /* wallclock_lock */
static bool is_set;                 /* wallclock_lock */

void wallclock_update(struct domain *d)
{
    shared_info_t *s = d->shared_info;
    uint64_t sec, nsec;

    if (s == NULL) {
        return;
    }
    spin_lock(&wallclock_lock);
    if (!is_set) {
        boot_ns = arch_boot_wallclock();
        is_set = true;
    }
    sec = boot_ns / SECOND_NS + READ_ONCE(d->time_offset_seconds);
    nsec = boot_ns % SECOND_NS;
    d->wc_version |= 1;
    __atomic_store_n(&s->wc_version, d->wc_version, __ATOMIC_SEQ_CST);
    memory_barrier();
    WRITE_ONCE(s->wc_sec, sec);
    WRITE_ONCE(s->wc_sec_hi, sec >> 32);
    WRITE_ONCE(s->wc_nsec, nsec);
    memory_barrier();
    d->wc_version++;
    __atomic_store_n(&s->wc_version, d->wc_version, __ATOMIC_SEQ_CST);
    spin_unlock(&wallclock_lock);
}

void wallclock_set(uint64_t sec, uint32_t nsec, uint64_t system_time)
{
    struct domain *d;
    domid_t id = 0;

    spin_lock(&wallclock_lock);
    boot_ns = sec * SECOND_NS + nsec - system_time;
    is_set = true;
    spin_unlock(&wallclock_lock);
    while ((d = domain_get_next(id)) != NULL) {
        wallclock_update(d);
        id = d->id + 1;
        domain_put(d);
    }
}

/* Does 'shared' say what 'now' does, all but the version? */
static bool is_same(const vcpu_time_info_t *shared,
                    const vcpu_time_info_t *now)
{
    return READ_ONCE(shared->tsc_timestamp) == now->tsc_timestamp
           && READ_ONCE(shared->system_time) == now->system_time
           && READ_ONCE(shared->tsc_to_system_mul) == now->tsc_to_system_mul
           && READ_ONCE(shared->tsc_shift) == now->tsc_shift
           && READ_ONCE(shared->flags) == now->flags
           && READ_ONCE(shared->version) % 2 == 0;
}

void wallclock_update_vcpu(struct vcpu *v)
{
    vcpu_time_info_t *shared = &v->info->time;
    vcpu_time_info_t now;

    memset(&now, 0, sizeof(now));
    arch_time_info(v, &now);
    if (!is_same(shared, &now)) {
        now.version = READ_ONCE(shared->version) | 1;
        WRITE_ONCE(shared->version, now.version);
        memory_barrier();
        shared->tsc_timestamp = now.tsc_timestamp;
        shared->system_time = now.system_time;
        shared->tsc_to_system_mul = now.tsc_to_system_mul;
        shared->tsc_shift = now.tsc_shift;
        shared->flags = now.flags;
        memory_barrier();
        WRITE_ONCE(shared->version, now.version + 1);
        v->is_time_due = true;
    }
    if (v->is_time_due && v == vcpu_current()) {
        v->is_time_due = false;
        (void)wallclock_show_vcpu(v);
    }
}

bool wallclock_show_vcpu(struct vcpu *v)
{
    struct guest_place p;
    vcpu_time_info_t now;
    uint32_t even;

    if (guest_ptr_is_null(v->time_guest)) {
        return true;
    }
    if (guest_place_get(&p, v->time_guest, sizeof(now)) != 0) {
        return false;
    }
    memset(&now, 0, sizeof(now));
    arch_time_info(v, &now);
    v->time_version |= 1;
    now.version = v->time_version;
    even = ++v->time_version;
    guest_place_write(&p, 0, &now.version, sizeof(now.version));
    memory_barrier();
    guest_place_write(&p, 0, &now, sizeof(now));
    memory_barrier();
    guest_place_write(&p, 0, &even, sizeof(even));
    guest_place_put(&p);
    return true;
}
