/* SPDX-License-Identifier: GPL-2.0-only */
/* See window_env.h. */
#include "window_env.h"

struct domain *zero, *d, *other, *second;
xen_pfn_t list[FRAMES];

void window_start(uint64_t count)
{
    env_start_small();
    zero = env_domain(0, 1);
    d = env_domain(TARGET, 1);
    other = env_domain(2, 1);
    second = env_domain(SECOND, 1);
    second->is_privileged = true;
    machine_tlb_watch(zero, BASE, count);
    machine_tlb_watch(zero, OTHER_BASE, count);
    machine_tlb_watch(second, BASE, count);
    env_run(zero->vcpu[0]);
}

long mem(unsigned int op, void *arg)
{
    return env_call(__HYPERVISOR_memory_op, op, env_arg(arg), 0);
}

struct xen_mem_acquire_resource chunk_at(domid_t id, uint64_t first,
                                                uint64_t base)
{
    struct xen_mem_acquire_resource op = {
        .domid = id, .type = GANTRY_RESOURCE_WINDOW,
        .id = GANTRY_WINDOW_CHUNK, .frame = first, .nr_frames = FRAMES,
    };

    for (unsigned int i = 0; i < FRAMES; i++) {
        list[i] = base + i;
    }
    op.frame_list.p = list;
    return op;
}

long map_at(struct domain *mapper, domid_t id, uint64_t first,
                   uint64_t base)
{
    struct xen_mem_acquire_resource op = chunk_at(id, first, base);

    env_run(mapper->vcpu[0]);
    return mem(XENMEM_acquire_resource, &op);
}

long map(struct domain *mapper, uint64_t base)
{
    return map_at(mapper, TARGET, 0, base);
}

long unmap_one(struct domain *mapper, uint64_t g)
{
    struct xen_remove_from_physmap r = { .domid = DOMID_SELF, .gpfn = g };

    env_run(mapper->vcpu[0]);
    return mem(XENMEM_remove_from_physmap, &r);
}

void unmap(struct domain *mapper, uint64_t base)
{
    for (unsigned int i = 0; i < FRAMES; i++) {
        (void)unmap_one(mapper, base + i);
    }
}

long reserve(unsigned int op, xen_pfn_t *g, unsigned int count,
                    unsigned int order)
{
    struct xen_memory_reservation r = {
        .nr_extents = count, .extent_order = order, .domid = DOMID_SELF,
    };

    r.extent_start.p = g;
    env_run(d->vcpu[0]);
    return mem(op, &r);
}

long balloon_out(xen_pfn_t g)
{
    return reserve(XENMEM_decrease_reservation, &g, 1, 0);
}

long balloon_in(xen_pfn_t g)
{
    return reserve(XENMEM_populate_physmap, &g, 1, 0);
}

void kill_domain(struct domain *victim)
{
    int rc;

    env_run(zero->vcpu[0]);
    do {
        machine_tlb_load();
        rc = domain_kill(victim);
    } while (rc == -ERESTART);
    ck_assert_int_eq(rc, 0);
    domain_put(victim);
    for (unsigned int i = 0; i < 10; i++) {
        domain_reap();
    }
}

void revoke(struct domain *of)
{
    int rc;

    while ((rc = window_revoke(of)) == -ERESTART) {
        machine_tlb_load();
    }
    ck_assert_int_eq(rc, 0);
}

int restore(struct domain *of)
{
    int rc;

    while ((rc = window_restore(of)) == -ERESTART) {
        machine_tlb_load();
    }
    return rc;
}

void grant_page(struct domain *from, uint32_t ref, uint64_t g,
                       domid_t to)
{
    mfn_t m;

    ck_assert_int_eq(grant_shared_frame(from, 0, &m), 0);
    from->grant->shared[0][ref] = (grant_entry_v1_t){
        .flags = GTF_permit_access, .domid = to, .frame = (uint32_t)g };
}

struct gnttab_map_grant_ref map_grant(struct domain *mapper,
                                             domid_t from, uint64_t at)
{
    struct gnttab_map_grant_ref op = {
        .host_addr = at << PAGE_SHIFT, .flags = GNTMAP_host_map, .ref = 1,
        .dom = from };

    env_run(mapper->vcpu[0]);
    ck_assert_int_eq(env_grant(GNTTABOP_map_grant_ref, &op, 1), 0);
    return op;
}

mfn_t entry(struct domain *of, uint64_t g, enum p2m_type *type)
{
    return p2m_lookup(of, gfn(g), type);
}

/* The frame that an entry of a window shows. */
uint64_t shown(struct domain *mapper, uint64_t g)
{
    enum p2m_type type;
    mfn_t m = entry(mapper, g, &type);

    ck_assert_int_eq(type, P2M_WINDOW);
    return m.v;
}

uint64_t ram(uint64_t g)
{
    enum p2m_type type;
    mfn_t m = entry(d, g, &type);

    return type == P2M_RAM_RW ? m.v : INVALID_FRAME;
}

/* All of a window on chunk 0 of 'd' is as the rule says. */
void ck_window(struct domain *mapper, uint64_t base)
{
    uint64_t scratch = shown(mapper, base + HOLE);

    machine_tlb_check();
    for (unsigned int i = 0; i < FRAMES; i++) {
        uint64_t m = ram(i);

        ck_assert_uint_eq(shown(mapper, base + i),
                          m == INVALID_FRAME ? scratch : m);
    }
    ck_assert_uint_eq(frame_of(mfn(scratch))->refs, 1);
}

void ck_all_scratch(struct domain *mapper, uint64_t base)
{
    uint64_t scratch = shown(mapper, base + HOLE);

    machine_tlb_check();
    for (unsigned int i = 0; i < FRAMES; i++) {
        ck_assert_uint_ne(scratch, ram(i));
        ck_assert_uint_eq(shown(mapper, base + i), scratch);
    }
}
