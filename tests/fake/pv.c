/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The PV half of core/arch.h: pins are remembered in a short list, container
 * frames stand above all guest frames.
 */
#include <errno.h>
#include <string.h>

#include "core/frame.h"
#include "core/p2m.h"
#include "core/page_alloc.h"
#include "fake/machine.h"

#define PV_BASE (1ull << 28)
#define PV_SHARED_INFO_GFN (PV_BASE + 0x10000)
#define PV_MAPPED (PV_BASE + 0x100000)

int arch_domain_release(struct domain *d)
{
    if (d->arch != NULL && d->arch->m2p_page != NULL) {
        frame_disown(d->arch->m2p_page);
        d->arch->m2p_page = NULL;
    }
    return 0;
}

int arch_vcpu_initialise_pv(struct vcpu *v,
                            const struct vcpu_guest_context *c)
{
    (void)c;
    v->is_initialised = true;
    return 0;
}

int arch_pv_hypercall_page(struct domain *d, gfn_t g)
{
    const uint8_t syscall[] = { 0x0f, 0x05 };

    return p2m_write(d, g.v << PAGE_SHIFT, syscall, sizeof(syscall));
}

int arch_pv_pin(struct domain *d, gfn_t g, unsigned int level)
{
    for (unsigned int i = 0; i < MACHINE_PV_PINS; i++) {
        struct machine_pin *p = &d->arch->pin[i];

        if (p->level == 0 || p->gfn == g.v) {
            p->gfn = g.v;
            p->level = level;
            return 0;
        }
    }
    return -ENOMEM;
}

unsigned int arch_pv_level(struct domain *d, gfn_t g, bool *pinned)
{
    *pinned = false;
    for (unsigned int i = 0; i < MACHINE_PV_PINS; i++) {
        const struct machine_pin *p = &d->arch->pin[i];

        if (p->level != 0 && p->gfn == g.v) {
            *pinned = true;
            return p->level;
        }
    }
    return 0;
}

uint64_t arch_vcpu_space(struct vcpu *v)
{
    return v->arch->space;
}

unsigned int machine_pv_parts;
int machine_pv_error;

int arch_pv_grow(struct domain *d, uint64_t pages)
{
    if (machine_pv_parts > 0) {
        machine_pv_parts--;
        return -ERESTART;
    }
    if (machine_pv_error == 0) {
        d->arch->grown = pages;
    }
    return machine_pv_error;
}

gfn_t arch_pv_gfn(const struct domain *d, enum pv_place place,
                  uint64_t index)
{
    (void)d;
    switch (place) {
    case PV_SHARED_INFO:
        return gfn(PV_SHARED_INFO_GFN);
    case PV_GRANT_FRAME:
        return gfn(PV_BASE + index);
    default:
        return gfn(PV_MAPPED + index);
    }
}

uint64_t machine_pv_moved;

bool arch_pv_frame(struct domain *d, uint64_t pfn, gfn_t *g)
{
    (void)d;
    *g = gfn(pfn ^ machine_pv_moved);
    return true;
}

void arch_pv_m2p(const struct domain *d, struct xen_machphys_mapping *m)
{
    (void)d;
    *m = (struct xen_machphys_mapping){
        .v_start = 0xffff800000000000, .v_end = 0xffff808000000000,
        .max_mfn = PV_BASE - 1,
    };
}

/* One page, which is every page. */
#define M2P_PAGES 512u
static mfn_t m2p_page = { INVALID_FRAME };

uint64_t arch_pv_m2p_pages(void)
{
    return M2P_PAGES;
}

mfn_t arch_pv_m2p_page(uint64_t index)
{
    (void)index;
    return m2p_page;
}

void machine_give_m2p(mfn_t m)
{
    m2p_page = m;
}

struct frame *machine_make_own_m2p(struct domain *d, uint64_t index)
{
    d->arch->m2p_page = page_alloc_shared(d);
    d->arch->m2p_index = index;
    d->arch->m2p_pages++;
    return d->arch->m2p_page;
}

uint32_t arch_pv_own_m2p_pages(const struct domain *d)
{
    return d->arch->m2p_pages;
}

struct frame *arch_pv_get_own_m2p(struct domain *d, uint64_t index)
{
    struct frame *f = d->arch->m2p_page;

    return f != NULL && index == d->arch->m2p_index && frame_get_any(f) ? f
                                                                  : NULL;
}

void arch_pv_tell_handle(struct domain *d)
{
    memcpy(d->arch->told_handle, d->handle, sizeof(d->arch->told_handle));
}

void arch_pv_get_ext_context(struct vcpu *v,
                             struct xen_domctl_ext_vcpucontext *e)
{
    e->sysenter_callback_eip = v->arch->sysenter;
}

void arch_pv_set_ext_context(struct vcpu *v,
                             const struct xen_domctl_ext_vcpucontext *e)
{
    v->arch->sysenter = e->sysenter_callback_eip;
}
