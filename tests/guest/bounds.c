/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The long hypercalls: lists and memory as large as they may be.  Run with
 * virtual time that counts instructions (guest-tests gives "times" and
 * QEMU's -icount), so that the longest time that each held its CPU is shown
 * at the end: what more than 100 us held, guest-tests fails.
 */
#include "host/child.h"

#define COUNT 512u
#define CHILD_PAGES 16384u          /* 64 MiB */
#define FREE_GFNS 0x80000ul         /* 2 GiB: nothing is there */
#define GRANTS_AT 0x7ff00ul
#define PORTS 900u
#define VCPUS 128u

static xen_pfn_t list[COUNT];

static long extents(unsigned int op, domid_t id, uint64_t first,
                    unsigned int count, unsigned int order)
{
    struct xen_memory_reservation r = { .nr_extents = count, .domid = id,
                                        .extent_order = order };

    for (unsigned int i = 0; i < count; i++) {
        list[i] = first + ((uint64_t)i << order);
    }
    set_xen_guest_handle(r.extent_start, list);
    return memory_op(op, &r);
}

/* A child's memory: out in pages, in again, out in large extents. */
static void test_memory(struct child *c)
{
    unsigned int bad = 0;

    for (uint64_t g = 0; g < 4 * COUNT; g += COUNT) {
        bad += extents(XENMEM_decrease_reservation, c->id, g, COUNT, 0)
               != COUNT;
        bad += extents(XENMEM_populate_physmap, c->id, g, COUNT, 0) != COUNT;
    }
    guest_equal("memory-pages", bad, 0);
    guest_equal("memory-large-out",
                extents(XENMEM_decrease_reservation, c->id, 4 * COUNT, 8, 9),
                8);
    guest_equal("memory-large-in",
                extents(XENMEM_populate_physmap, c->id, 4 * COUNT, 8, 9), 8);
}

/* Our own, which is direct-mapped. */
static void test_own_memory(void)
{
    uint64_t first = gfn_of(guest_pages(COUNT));

    guest_equal("own-out", extents(XENMEM_decrease_reservation, DOMID_SELF,
                                   first, COUNT, 0), COUNT);
    guest_equal("own-in", extents(XENMEM_populate_physmap, DOMID_SELF, first,
                                  COUNT, 0), COUNT);
}

static struct gnttab_copy *make_copies(void)
{
    struct gnttab_copy *copy = guest_pages(COUNT * sizeof(*copy) / PAGE_SIZE
                                           + 1);
    uint64_t from = gfn_of(guest_pages(1)), to = gfn_of(guest_pages(1));

    for (unsigned int i = 0; i < COUNT; i++) {
        copy[i].source.domid = copy[i].dest.domid = DOMID_SELF;
        copy[i].source.u.gmfn = from;
        copy[i].dest.u.gmfn = to;
        copy[i].len = PAGE_SIZE;
    }
    return copy;
}

static void test_copies(void)
{
    struct gnttab_copy *copy = make_copies();
    unsigned int right = 0;

    guest_equal("copies", grant_op(GNTTABOP_copy, copy, COUNT), 0);
    for (unsigned int i = 0; i < COUNT; i++) {
        right += copy[i].status == GNTST_okay;
    }
    guest_equal("copies-done", right, COUNT);
}

/* Grants to ourselves: a whole frame of them, mapped and unmapped. */
static void test_grants(void)
{
    struct xen_add_to_physmap add = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_grant_table,
        .gpfn = GRANTS_AT,
    };
    struct gnttab_map_grant_ref *map =
        guest_pages(COUNT * sizeof(*map) / PAGE_SIZE + 1);
    struct gnttab_unmap_grant_ref *unmap =
        guest_pages(COUNT * sizeof(*unmap) / PAGE_SIZE + 1);
    grant_entry_v1_t *table = (void *)(GRANTS_AT << PAGE_SHIFT);
    uint64_t page = gfn_of(guest_pages(1));
    unsigned int right = 0;

    guest_equal("grant-table", memory_op(XENMEM_add_to_physmap, &add), 0);
    for (unsigned int i = 8; i < COUNT; i++) {
        table[i] = (grant_entry_v1_t){ .flags = GTF_permit_access,
                                       .frame = (uint32_t)page };
        map[i] = (struct gnttab_map_grant_ref){
            .host_addr = (FREE_GFNS + i) << PAGE_SHIFT, .ref = i,
            .flags = GNTMAP_host_map, .dom = 0,
        };
    }
    guest_equal("maps", grant_op(GNTTABOP_map_grant_ref, &map[8], COUNT - 8),
                0);
    for (unsigned int i = 8; i < COUNT; i++) {
        right += map[i].status == GNTST_okay;
        unmap[i].host_addr = map[i].host_addr;
        unmap[i].handle = map[i].handle;
    }
    guest_equal("maps-done", right, COUNT - 8);
    guest_equal("unmaps", grant_op(GNTTABOP_unmap_grant_ref, &unmap[8],
                                   COUNT - 8), 0);
}

static void test_multicall(struct child *c)
{
    struct multicall_entry *calls =
        guest_pages(COUNT * sizeof(*calls) / PAGE_SIZE + 1);
    struct gnttab_copy *copy = make_copies();
    unsigned int right = 0;

    for (unsigned int i = 0; i < COUNT; i++) {
        calls[i].op = __HYPERVISOR_grant_table_op;
        calls[i].args[0] = GNTTABOP_copy;
        calls[i].args[1] = PTR(copy);
        calls[i].args[2] = COUNT;
    }
    guest_equal("multicall", hypercall(__HYPERVISOR_multicall, PTR(calls),
                                       8, 0), 0);
    for (unsigned int i = 0; i < COUNT; i++) {
        calls[i].op = __HYPERVISOR_xen_version;
        calls[i].args[0] = XENVER_version;
        calls[i].args[1] = 0;
    }
    guest_equal("multicall-many", hypercall(__HYPERVISOR_multicall,
                                            PTR(calls), COUNT, 0), 0);
    for (unsigned int i = 0; i < COUNT; i++) {
        right += calls[i].result == (4 << 16 | 17);
    }
    guest_equal("multicall-done", right, COUNT);
    (void)c;
}

static void open_ports(struct child *c)
{
    unsigned int right = 0;

    for (unsigned int i = 0; i < PORTS; i++) {
        evtchn_alloc_unbound_t op = { .dom = c->id,
                                      .remote_dom = DOMID_SELF };

        right += evtchn_op(EVTCHNOP_alloc_unbound, &op) == 0;
    }
    guest_equal("ports", right, PORTS);
}

static void test_ports(struct child *c)
{
    open_ports(c);
    guest_equal("ports-reset", evtchn_op(EVTCHNOP_reset,
                &(struct evtchn_reset){ .dom = c->id }), 0);
}

/* For the next kernel of a guest with as many vcpus as there may be. */
static void test_soft_reset(void)
{
    struct child c = { .pages = COUNT, .vcpus = VCPUS };
    struct sched_remote_shutdown stop = { .reason = SHUTDOWN_soft_reset };
    struct xen_add_to_physmap shared = { .space = XENMAPSPACE_shared_info,
                                         .gpfn = 1 };
    struct xen_domctl op = { 0 };

    child_create(&c, XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap);
    child_look_away(&c);
    open_ports(&c);
    shared.domid = c.id;
    guest_equal("soft-reset-shared",
                memory_op(XENMEM_add_to_physmap, &shared), 0);
    stop.domain_id = c.id;
    guest_equal("soft-reset-stop", sched_op(SCHEDOP_remote_shutdown, &stop),
                0);
    guest_equal("soft-reset", child_domctl(&c, XEN_DOMCTL_soft_reset, &op),
                0);
    guest_equal("soft-reset-once",
                child_domctl(&c, XEN_DOMCTL_soft_reset, &op), -EINVAL);
    guest_equal("destroy-reset", child_destroy(&c), 0);
}

static void test_pins(struct child *c)
{
    struct mmuext_op *op = guest_pages(COUNT * sizeof(*op) / PAGE_SIZE + 1);

    for (unsigned int i = 0; i < COUNT; i++) {
        op[i].cmd = MMUEXT_PIN_L1_TABLE;
        op[i].arg1.mfn = i;
    }
    guest_equal("pins", hypercall6(__HYPERVISOR_mmuext_op, PTR(op), COUNT, 0,
                                   c->id, 0, 0), 0);
}

static void destroy(struct child *c, const char *name)
{
    struct xen_domctl op = { 0 };
    long rc;

    /* We still map all of it: its frames go one by one. */
    do {
        rc = child_domctl(c, XEN_DOMCTL_destroydomain, &op);
    } while (rc == -ERESTART);
    guest_equal(name, rc, 0);
    child_look_away(c);
}

void guest_main(void)
{
    struct child pv = { .pages = CHILD_PAGES, .vcpus = 8 };
    struct child pvh = { .pages = CHILD_PAGES, .vcpus = 8 };

    test_own_memory();
    test_copies();
    test_grants();
    child_create(&pv, 0);
    test_pins(&pv);
    destroy(&pv, "destroy-pv");
    child_create(&pvh, XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap);
    child_look_away(&pvh);
    test_memory(&pvh);
    test_multicall(&pvh);
    test_ports(&pvh);
    test_soft_reset();
    guest_equal("destroy-pvh", child_destroy(&pvh), 0);
    child_create(&pvh, XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap);
    destroy(&pvh, "destroy-mapped");
}
