/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Shared memory, time, the local APIC and further vcpus of a test kernel.
 */
#include "guest.h"

#include <xen/hvm/hvm_vcpu.h>

#define MSR_APIC_BASE 0x1b
#define NS_PER_MS 1000000ull

void (*volatile ap_entry)(void);
volatile uint64_t ap_stack_top;

struct shared_info *guest_shared(void)
{
    static struct shared_info *shared;
    struct xen_add_to_physmap x = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_shared_info,
    };
    void *page;
    long rc;

    if (shared == NULL) {
        page = guest_pages(1);
        x.gpfn = gfn_of(page);
        rc = memory_op(XENMEM_add_to_physmap, &x);
        if (rc != 0) {
            guest_case(false, "shared-info", "map: %ld", rc);
            guest_end(SHUTDOWN_crash);
        }
        shared = page;
    }
    return shared;
}

/* xen.h: struct vcpu_time_info. */
uint64_t time_of(const struct vcpu_time_info *t)
{
    uint32_t version;
    uint64_t delta, ns;

    do {
        version = READ_ONCE(t->version);
        barrier();
        delta = rdtsc() - t->tsc_timestamp;
        delta = t->tsc_shift >= 0 ? delta << t->tsc_shift
                                  : delta >> -t->tsc_shift;
        ns = t->system_time
             + (uint64_t)(((__uint128_t)delta * t->tsc_to_system_mul) >> 32);
        barrier();
    } while ((version & 1) != 0 || READ_ONCE(t->version) != version);
    return ns;
}

uint64_t time_now(void)
{
    return time_of(&guest_shared()->vcpu_info[0].time);
}

bool wait_for(const volatile uint32_t *what, unsigned int ms)
{
    uint64_t end = time_now() + ms * NS_PER_MS;

    while (*what == 0) {
        if (time_now() > end) {
            return false;
        }
        cpu_pause();
    }
    return true;
}

void apic_enable(void)
{
    wrmsr(MSR_APIC_BASE, rdmsr(MSR_APIC_BASE) | 0xc00);
    wrmsr(X2APIC_SVR, 0x1ff);
}

void ap_fill_context(struct vcpu_hvm_context *c)
{
    struct vcpu_hvm_x86_32 *r = &c->cpu_regs.x86_32;

    memset(c, 0, sizeof(*c));
    c->mode = VCPU_HVM_MODE_32B;
    r->cr0 = 1;
    r->eip = (uint32_t)PTR(ap_start32);
    r->cs_limit = r->ds_limit = r->es_limit = r->ss_limit = 0xffffffff;
    r->tr_limit = 0x67;
    r->cs_ar = 0xc9b;
    r->ds_ar = r->es_ar = r->ss_ar = 0xc93;
    r->tr_ar = 0x8b;
}
