/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a guest's peers, and daemons in dom0, may do while it is reset for its
 * next kernel: at every moment between two locks of the reset.
 */
#include "step.h"

#include <errno.h>
#include <string.h>

#include "reset_env.h"

#define INTERLEAVINGS_MAX 4000u

static long reset_result;

static void run_reset(void)
{
    env_run(control->vcpu[0]);
    reset_result = soft_reset(guest->id);
}

/* CPU 0 has just given back its last lock: what is next to happen? */
static bool is_between_locks(void)
{
    static bool was_free = true;
    bool is_free = step_is_free();
    bool is_due = is_free && !was_free;

    was_free = is_free;
    return is_due;
}

/*
 * Goes through all moments at which 'act' can meet a reset.  After each the
 * guest is as after any reset; what the peer got of it, it gives back.
 */
static void meet(void (*act)(void), void (*after)(void))
{
    unsigned int n = 0;
    bool acted;

    do {
        use_all();
        stop(guest);
        acted = step_run(run_reset, is_between_locks, act, n++);
        ck_assert_int_eq(reset_result, 0);
        ck_assert(!guest->is_shut_down);
        ck_assert_int_eq(toolstack(XEN_DOMCTL_unpausedomain, guest->id), 0);
        if (acted) {
            after();
        }
        ck_assert_ptr_eq(guest->evtchn->ops, &evtchn_2l_ops);
        ck_assert_uint_eq(guest->evtchn->open_ports, 0);
        ck_assert_uint_eq(refs_of(CONTROL_GFN), 1);
        ck_assert_uint_eq(refs_of(ARRAY_GFN), 1);
        ck_assert_uint_eq(refs_of(INFO_GFN), 1);
        ck_assert_uint_eq(refs_of(5), 1);
        close_port(peer, bound_there);
        ck_assert_uint_lt(n, INTERLEAVINGS_MAX);
    } while (acted);
    ck_assert_uint_gt(n, 10);
}

static void peer_sends(void)
{
    struct vcpu *was = vcpu_current();
    long rc = env_send(peer, bound_there);

    ck_assert(rc == 0 || rc == -EINVAL);
    env_run(was);
}

static void nothing(void)
{
}

START_TEST(a_peer_sends_meanwhile)
{
    meet(peer_sends, nothing);
}
END_TEST

static void peer_closes(void)
{
    struct vcpu *was = vcpu_current();

    close_port(peer, bound_there);
    env_run(was);
}

START_TEST(a_peer_closes_meanwhile)
{
    meet(peer_closes, nothing);
}
END_TEST

static evtchn_port_t stolen;

/* The former kernel's port for it, the last moment that there is one. */
static void peer_binds(void)
{
    struct vcpu *was = vcpu_current();

    if (env_bind(peer, guest->id, unbound_here, &stolen) != 0) {
        stolen = 0;
    } else {
        ck_assert_int_eq(env_send(peer, stolen), 0);
    }
    env_run(was);
}

static void peer_lets_go(void)
{
    if (stolen != 0) {
        close_port(peer, stolen);
    }
}

START_TEST(a_peer_binds_meanwhile)
{
    meet(peer_binds, peer_lets_go);
}
END_TEST

static evtchn_port_t made, made_here;

/*
 * A daemon in dom0 makes a port in the guest and uses it, too early: it is
 * closed like others, or is of the time after the reset.
 */
static void daemon_makes_a_port(void)
{
    evtchn_alloc_unbound_t op = { .dom = guest->id, .remote_dom = peer->id };
    struct vcpu *was = vcpu_current();

    made = 0;
    env_run(control->vcpu[1]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_alloc_unbound, &op), 0);
    made_here = op.port;
    if (env_bind(peer, guest->id, made_here, &made) == 0) {
        ck_assert_int_eq(env_send(peer, made), 0);
    }
    env_run(was);
}

static void daemon_takes_it_back(void)
{
    close_port(guest, made_here);
    close_port(peer, made);
}

START_TEST(a_port_is_made_meanwhile)
{
    meet(daemon_makes_a_port, daemon_takes_it_back);
}
END_TEST

static grant_handle_t handle;

static void peer_maps(void)
{
    struct vcpu *was = vcpu_current();

    handle = map(peer, guest->id, 10);
    env_run(was);
}

static void peer_unmaps(void)
{
    ck_assert_ptr_eq(env_page(peer, MAP_AT >> PAGE_SHIFT),
                     env_page(guest, 5));
    ck_assert_int_eq(unmap(peer, handle), GNTST_okay);
}

START_TEST(a_peer_maps_meanwhile)
{
    meet(peer_maps, peer_unmaps);
}
END_TEST

/* Nobody does, but whoever may must not lose us a page. */
static void toolstack_moves_shared_info(void)
{
    struct vcpu *was = vcpu_current();

    ck_assert_int_eq(place_shared_info(control->vcpu[1], 0x8000), 0);
    env_run(was);
}

static void toolstack_removes_it(void)
{
    uint64_t pages = 0;

    (void)p2m_remove(guest, gfn(0x8000), 0);
    for (uint64_t g = 0; g < ENV_PAGES; g++) {
        pages += type_at(guest, g) == P2M_RAM_RW;
    }
    ck_assert_uint_eq(guest->tot_pages, pages);
    ck_assert_uint_ge(pages, ENV_PAGES - 1);
    if (type_at(guest, SHARED_GFN) == P2M_INVALID) {
        uint64_t g = SHARED_GFN;
        struct xen_memory_reservation r = { .nr_extents = 1,
                                            .domid = guest->id };

        r.extent_start.p = &g;
        env_run(control->vcpu[0]);
        ck_assert_int_eq(env_call(__HYPERVISOR_memory_op,
                                  XENMEM_populate_physmap, env_arg(&r), 0),
                         1);
    }
}

START_TEST(shared_info_is_moved_meanwhile)
{
    meet(toolstack_moves_shared_info, toolstack_removes_it);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("soft_reset_peers");
    TCase *tc = unit_case(suite, "peers");

    tcase_set_timeout(tc, 300);     /* single steps, with sanitizers, too */
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, a_peer_sends_meanwhile);
    tcase_add_test(tc, a_peer_closes_meanwhile);
    tcase_add_test(tc, a_peer_binds_meanwhile);
    tcase_add_test(tc, a_port_is_made_meanwhile);
    tcase_add_test(tc, a_peer_maps_meanwhile);
    tcase_add_test(tc, shared_info_is_moved_meanwhile);
    return unit_run(suite);
}
