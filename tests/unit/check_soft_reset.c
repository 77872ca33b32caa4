/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that kexecs: what XEN_DOMCTL_soft_reset takes from it and what it
 * leaves, and who may not be reset.
 */
#include <errno.h>
#include <string.h>

#include "core/vcpu_op.h"
#include "core/wallclock.h"
#include "reset_env.h"

#define SLOW_CLOCK_NS 25000u

static void kexec(void)
{
    stop(guest);
    ck_assert_int_eq(soft_reset(guest->id), 0);
    ck_assert_int_eq(toolstack(XEN_DOMCTL_unpausedomain, guest->id), 0);
    env_run(guest->vcpu[0]);
}

static uint32_t status_of(struct domain *d, evtchn_port_t port)
{
    evtchn_status_t op = { .dom = DOMID_SELF, .port = port };

    env_run(d->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_status, &op), 0);
    return op.status;
}

static long vcpu_call(unsigned int cmd, unsigned int id, void *arg)
{
    env_run(guest->vcpu[id]);
    return env_call(__HYPERVISOR_vcpu_op, cmd, id, env_arg(arg));
}

/* ---- who may not ---- */

/* A port that is open before a refusal is open after it. */
static void refused(struct domain *d, evtchn_port_t port)
{
    ck_assert_int_eq(soft_reset(d->id), -EINVAL);
    ck_assert_uint_eq(status_of(d, port), EVTCHNSTAT_unbound);
}

START_TEST(a_guest_that_runs_is_not_reset)
{
    evtchn_port_t port = env_alloc_unbound(guest, 0);

    refused(guest, port);
    ck_assert_int_eq(toolstack(XEN_DOMCTL_pausedomain, guest->id), 0);
    refused(guest, port);
}
END_TEST

START_TEST(a_guest_that_is_not_held_is_not_reset)
{
    evtchn_port_t port = env_alloc_unbound(guest, 0);

    domain_shutdown(guest, SHUTDOWN_soft_reset);
    refused(guest, port);
    ck_assert(guest->is_shut_down);
}
END_TEST

/* Its memory is its container's, whose records would be stale. */
START_TEST(a_pv_guest_is_not_reset)
{
    evtchn_port_t port = env_alloc_unbound(pv, 0);

    stop(pv);
    refused(pv, port);
    ck_assert(pv->is_shut_down);
}
END_TEST

START_TEST(who_is_not_the_toolstack_resets_nobody)
{
    struct xen_domctl op = {
        .cmd = XEN_DOMCTL_soft_reset, .domain = guest->id,
        .interface_version = XEN_DOMCTL_INTERFACE_VERSION,
    };
    evtchn_port_t port = env_alloc_unbound(guest, 0);

    stop(guest);
    env_run(peer->vcpu[0]);
    ck_assert_int_eq(env_call(__HYPERVISOR_domctl, env_arg(&op), 0, 0),
                     -EPERM);
    op.domain = DOMID_SELF;
    ck_assert_int_eq(env_call(__HYPERVISOR_domctl, env_arg(&op), 0, 0),
                     -EPERM);
    ck_assert_uint_eq(status_of(guest, port), EVTCHNSTAT_unbound);
}
END_TEST

START_TEST(the_toolstack_does_not_reset_itself)
{
    evtchn_port_t port = env_alloc_unbound(control, 1);

    refused(control, port);
    ck_assert_int_eq(soft_reset(DOMID_SELF), -EINVAL);
    ck_assert_int_eq(soft_reset(77), -ESRCH);
}
END_TEST

/* Its end has begun, and goes on whatever else is asked. */
START_TEST(a_dying_guest_is_not_reset)
{
    machine_step_time(SLOW_CLOCK_NS);
    stop(guest);
    ck_assert_int_eq(domain_kill(guest), -ERESTART);
    ck_assert_int_eq(domain_soft_reset(guest), -EINVAL);
    while (domain_kill(guest) == -ERESTART) {
        ck_assert_int_eq(domain_soft_reset(guest), -EINVAL);
    }
    ck_assert_int_eq(soft_reset(guest->id), -ESRCH);
}
END_TEST

/* The reference asks that it has shut down, not why. */
START_TEST(any_shutdown_will_do)
{
    domain_shutdown(guest, SHUTDOWN_crash);
    ck_assert_int_eq(toolstack(XEN_DOMCTL_pausedomain, guest->id), 0);
    ck_assert_int_eq(soft_reset(guest->id), 0);
    ck_assert(!guest->is_shut_down);
}
END_TEST

/* ---- what is reset ---- */

START_TEST(it_goes_on_when_the_toolstack_lets_it)
{
    stop(guest);
    ck_assert(!vcpu_is_runnable(guest->vcpu[0]));
    ck_assert_int_eq(soft_reset(guest->id), 0);
    ck_assert(!guest->is_shut_down);
    ck_assert_uint_eq(guest->shutdown_code, DOMAIN_NO_SHUTDOWN_CODE);
    ck_assert(!vcpu_is_runnable(guest->vcpu[0]));
    /* Once is enough. */
    ck_assert_int_eq(soft_reset(guest->id), -EINVAL);
    ck_assert_int_eq(toolstack(XEN_DOMCTL_unpausedomain, guest->id), 0);
    ck_assert(vcpu_is_runnable(guest->vcpu[0]));
    ck_assert_uint_eq(guest->pause_count, 0);
    /* And may shut down again. */
    domain_shutdown(guest, SHUTDOWN_poweroff);
    ck_assert_uint_eq(guest->shutdown_code, SHUTDOWN_poweroff);
}
END_TEST

/* libxl gives the next kernel the same numbers for store and console. */
START_TEST(ports_are_closed_and_their_numbers_free)
{
    evtchn_bind_ipi_t ipi = { .vcpu = 1 };
    evtchn_port_t at_peer = env_alloc_unbound(peer, guest->id);
    evtchn_port_t ours = bind(guest, peer->id, at_peer);
    evtchn_port_t theirs = env_alloc_unbound(guest, peer->id);
    evtchn_port_t of_peer = bind(peer, guest->id, theirs);
    evtchn_port_t waits = env_alloc_unbound(guest, 0);
    evtchn_port_t timer = bind_timer(guest, 1);

    ck_assert_int_eq(env_evtchn(EVTCHNOP_bind_ipi, &ipi), 0);
    ck_assert_uint_eq(ours, 1);
    kexec();
    ck_assert_uint_eq(guest->evtchn->open_ports, 0);
    ck_assert_uint_eq(status_of(guest, ours), EVTCHNSTAT_closed);
    ck_assert_uint_eq(status_of(guest, theirs), EVTCHNSTAT_closed);
    ck_assert_uint_eq(status_of(guest, waits), EVTCHNSTAT_closed);
    ck_assert_uint_eq(status_of(guest, timer), EVTCHNSTAT_closed);
    ck_assert_uint_eq(status_of(guest, ipi.port), EVTCHNSTAT_closed);
    /* The peer's wait for whoever comes, as if the guest had closed its. */
    ck_assert_uint_eq(status_of(peer, at_peer), EVTCHNSTAT_unbound);
    ck_assert_uint_eq(status_of(peer, of_peer), EVTCHNSTAT_unbound);
    ck_assert_int_eq(env_send(peer, of_peer), 0);
    ck_assert_uint_eq(env_alloc_unbound(guest, 0), 1);
    ck_assert_uint_eq(bind(guest, peer->id, at_peer), 2);
    ck_assert_uint_eq(bind_timer(guest, 1), 3);
}
END_TEST

/*
 * An event of the former kernel that it had not taken: its bit would hide the
 * first event of the port that the next kernel gets by that number.
 */
START_TEST(no_event_is_left_over)
{
    evtchn_port_t theirs = env_alloc_unbound(guest, peer->id);
    evtchn_port_t of_peer = bind(peer, guest->id, theirs);

    ck_assert_int_eq(env_send(peer, of_peer), 0);
    guest->shared_info->evtchn_mask[0] = ~0ul;
    kexec();
    ck_assert_uint_eq(guest->shared_info->evtchn_pending[0], 0);
    ck_assert_uint_eq(guest->shared_info->evtchn_mask[0], 0);
    ck_assert_uint_eq(guest->vcpu[0]->info->evtchn_upcall_pending, 0);
    ck_assert_uint_eq(guest->vcpu[0]->info->evtchn_pending_sel, 0);
    (void)env_take_upcalls(guest->vcpu[0]);
    ck_assert_uint_eq(env_alloc_unbound(guest, peer->id), theirs);
    of_peer = bind(peer, guest->id, theirs);
    ck_assert_int_eq(env_send(peer, of_peer), 0);
    ck_assert_uint_eq(env_take_upcalls(guest->vcpu[0]), 1);
}
END_TEST

/* The pages are the former kernel's: the next one's data may be there. */
START_TEST(fifo_ends_and_its_pages_are_let_go)
{
    evtchn_port_t theirs = env_alloc_unbound(guest, peer->id);
    evtchn_port_t of_peer = bind(peer, guest->id, theirs);

    ck_assert_int_eq(env_send(peer, of_peer), 0);
    use_fifo();
    ck_assert_uint_eq(refs_of(CONTROL_GFN), 2);
    ck_assert_uint_eq(refs_of(ARRAY_GFN), 2);
    ck_assert_int_eq(env_send(peer, of_peer), 0);
    kexec();
    ck_assert_ptr_eq(guest->evtchn->ops, &evtchn_2l_ops);
    ck_assert_ptr_null(guest->evtchn->fifo);
    for (uint32_t i = 0; i < VCPUS; i++) {
        ck_assert_uint_eq(refs_of(CONTROL_GFN + i), 1);
    }
    ck_assert_uint_eq(refs_of(ARRAY_GFN), 1);
    memset(env_page(guest, CONTROL_GFN), 0x5a, PAGE_SIZE);
    memset(env_page(guest, ARRAY_GFN), 0x5a, PAGE_SIZE);
    /* 2-level works, and no bit of before FIFO hides an event. */
    ck_assert_uint_eq(env_alloc_unbound(guest, peer->id), theirs);
    of_peer = bind(peer, guest->id, theirs);
    (void)env_take_upcalls(guest->vcpu[0]);
    ck_assert_int_eq(env_send(peer, of_peer), 0);
    ck_assert_uint_eq(env_take_upcalls(guest->vcpu[0]), 1);
    for (unsigned int i = 0; i < PAGE_SIZE; i++) {
        ck_assert_uint_eq(((uint8_t *)env_page(guest, CONTROL_GFN))[i], 0x5a);
        ck_assert_uint_eq(((uint8_t *)env_page(guest, ARRAY_GFN))[i], 0x5a);
    }
    /* So does FIFO for who wants it. */
    memset(env_page(guest, CONTROL_GFN), 0, PAGE_SIZE);
    memset(env_page(guest, ARRAY_GFN), 0, PAGE_SIZE);
    guest->shared_info->evtchn_pending[0] = 0;
    guest->vcpu[0]->info->evtchn_upcall_pending = 0;
    use_fifo();
    ck_assert_int_eq(env_send(peer, of_peer), 0);
    ck_assert_uint_eq(env_take_upcalls(guest->vcpu[0]), 1);
}
END_TEST

/* Linux fails to start a CPU whose record cannot be registered. */
START_TEST(records_can_be_registered_again)
{
    ck_assert_int_eq(register_info(guest, 0), 0);
    ck_assert_int_eq(register_info(guest, 0), -EINVAL);
    ck_assert_int_eq(register_info(guest, 1), 0);
    ck_assert_uint_eq(refs_of(INFO_GFN), 3);
    kexec();
    ck_assert_uint_eq(refs_of(INFO_GFN), 1);
    for (uint32_t i = 0; i < VCPUS; i++) {
        const vcpu_info_t *info = &guest->shared_info->vcpu_info[i];

        ck_assert_ptr_eq(guest->vcpu[i]->info, info);
        ck_assert_uint_eq(info->evtchn_upcall_pending, 0);
        ck_assert_uint_eq(info->evtchn_upcall_mask, 0);
        ck_assert_uint_eq(info->evtchn_pending_sel, 0);
        ck_assert_uint_eq(info->time.version % 2, 0);
        ck_assert_uint_ne(info->time.version, 0);
    }
    ck_assert_int_eq(register_info(guest, 0), 0);
    ck_assert_int_eq(register_info(guest, 1), 0);
}
END_TEST

/* One that shared_info has no place for starts masked, as it was created. */
START_TEST(a_record_beyond_shared_info_is_ours_again)
{
    struct domain *d = env_domain(9, XEN_LEGACY_MAX_VCPUS + 1);
    struct vcpu *v = d->vcpu[XEN_LEGACY_MAX_VCPUS];

    ck_assert_int_eq(register_info(d, v->id), 0);
    v->info->evtchn_upcall_mask = 0;
    stop(d);
    ck_assert_int_eq(soft_reset(d->id), 0);
    ck_assert_ptr_eq(v->info, v->info_private);
    ck_assert_uint_eq(v->info->evtchn_upcall_mask, 1);
    ck_assert_uint_eq(v->info->evtchn_upcall_pending, 0);
    ck_assert_int_eq(register_info(d, v->id), 0);
    domain_put(d);
}
END_TEST

/* Addresses of the former kernel: there may be anything of the next one. */
START_TEST(areas_are_written_no_more)
{
    struct vcpu_register_runstate_memory_area runstate;
    struct vcpu_register_time_memory_area time;
    struct vcpu_runstate_info r;
    vcpu_time_info_t t;

    runstate.addr.v = &r;
    time.addr.v = &t;
    ck_assert_int_eq(vcpu_call(VCPUOP_register_runstate_memory_area, 0,
                               &runstate), 0);
    ck_assert_int_eq(vcpu_call(VCPUOP_register_vcpu_time_memory_area, 0,
                               &time), 0);
    kexec();
    memset(&r, 0x5a, sizeof(r));
    memset(&t, 0x5a, sizeof(t));
    machine_set_time(arch_time_now() + 1000);
    vcpu_op_show_runstate(guest->vcpu[0]);
    wallclock_update_vcpu(guest->vcpu[0]);
    ck_assert_uint_eq(r.state_entry_time, 0x5a5a5a5a5a5a5a5aul);
    ck_assert_uint_eq(t.system_time, 0x5a5a5a5a5a5a5a5aul);
    ck_assert_int_eq(vcpu_call(VCPUOP_register_runstate_memory_area, 0,
                               &runstate), 0);
    ck_assert_int_eq(r.state, RUNSTATE_running);
}
END_TEST

START_TEST(timers_of_the_former_kernel_are_silent)
{
    uint64_t now = arch_time_now();
    struct vcpu_set_singleshot_timer once = { .timeout_abs_ns =
                                              now + 5000000 };
    struct vcpu_set_periodic_timer every = { .period_ns = 2000000 };
    evtchn_port_t port;

    (void)bind_timer(guest, 0);
    ck_assert_int_eq(vcpu_call(VCPUOP_set_singleshot_timer, 0, &once), 0);
    ck_assert_int_eq(vcpu_call(VCPUOP_set_periodic_timer, 1, &every), 0);
    kexec();
    port = bind_timer(guest, 0);
    (void)bind_timer(guest, 1);
    machine_set_time(now + 50000000);
    timer_run();
    ck_assert_uint_eq(guest->shared_info->evtchn_pending[0], 0);
    vcpu_op_timers_continue(guest->vcpu[1]);
    machine_set_time(now + 90000000);
    timer_run();
    ck_assert_uint_eq(guest->shared_info->evtchn_pending[0], 0);
    once.timeout_abs_ns = now + 95000000;
    ck_assert_int_eq(vcpu_call(VCPUOP_set_singleshot_timer, 0, &once), 0);
    machine_set_time(now + 95000000);
    timer_run();
    ck_assert_uint_eq(guest->shared_info->evtchn_pending[0], 1ul << port);
}
END_TEST

/*
 * Linux maps it over a page of RAM.  To the next kernel that is a page like
 * others, which it fills with what it likes: a hole there would end it, and
 * our own writes would spoil it.
 */
START_TEST(shared_info_gives_its_place_to_ram)
{
    uint64_t pages = guest->tot_pages;
    uint64_t *page;

    ck_assert_int_eq(place_shared_info(guest->vcpu[0], SHARED_GFN), 0);
    ck_assert_uint_eq(guest->tot_pages, pages - 1);
    ck_assert_int_eq(type_at(guest, SHARED_GFN), P2M_SHARED);
    machine_tlb_watch(guest, 0, ENV_PAGES);
    machine_tlb_load();
    kexec();
    machine_tlb_check();
    ck_assert_int_eq(type_at(guest, SHARED_GFN), P2M_RAM_RW);
    ck_assert_uint_eq(guest->tot_pages, pages);
    page = env_page(guest, SHARED_GFN);
    ck_assert_ptr_ne(page, guest->shared_info);
    for (unsigned int i = 0; i < PAGE_SIZE / sizeof(*page); i++) {
        ck_assert_uint_eq(page[i], 0);
    }
    ck_assert_uint_eq(refs_of(SHARED_GFN), 1);
    /* The next kernel takes another page, and the first stays what it is. */
    ck_assert_int_eq(place_shared_info(guest->vcpu[0], SHARED_GFN + 1), 0);
    ck_assert_ptr_eq(env_page(guest, SHARED_GFN + 1), guest->shared_info);
    ck_assert_ptr_eq(env_page(guest, SHARED_GFN), page);
    kexec();
    ck_assert_int_eq(type_at(guest, SHARED_GFN + 1), P2M_RAM_RW);
    ck_assert_uint_eq(guest->tot_pages, pages);
}
END_TEST

/* At a place without RAM before, as other kernels have it: RAM as well. */
START_TEST(shared_info_in_a_hole_leaves_ram_as_in_xen)
{
    uint64_t pages = guest->tot_pages;

    ck_assert_int_eq(place_shared_info(guest->vcpu[0], ENV_PAGES + 5), 0);
    kexec();
    ck_assert_int_eq(type_at(guest, ENV_PAGES + 5), P2M_RAM_RW);
    ck_assert_uint_eq(guest->tot_pages, pages + 1);
    kexec();                    /* and mapped nowhere */
    ck_assert_uint_eq(guest->tot_pages, pages + 1);
}
END_TEST

/* It has ballooned up to its limit meanwhile. */
START_TEST(without_memory_it_stays_shut_down)
{
    uint64_t limit = guest->max_pages;

    ck_assert_int_eq(place_shared_info(guest->vcpu[0], SHARED_GFN), 0);
    guest->max_pages = guest->tot_pages;
    stop(guest);
    ck_assert_int_eq(soft_reset(guest->id), -ENOMEM);
    ck_assert(guest->is_shut_down);
    ck_assert_int_eq(type_at(guest, SHARED_GFN), P2M_SHARED);
    ck_assert_int_eq(soft_reset(guest->id), -ENOMEM);
    guest->max_pages = limit;
    ck_assert_int_eq(soft_reset(guest->id), 0);
    ck_assert_int_eq(type_at(guest, SHARED_GFN), P2M_RAM_RW);
}
END_TEST

/* ---- what stays ---- */

START_TEST(parameters_and_vectors_stay)
{
    xen_hvm_evtchn_upcall_vector_t vector = { .vcpu = 1, .vector = 0xf3 };

    guest->hvm_params[HVM_PARAM_STORE_PFN] = 33;
    guest->hvm_params[HVM_PARAM_STORE_EVTCHN] = 1;
    guest->hvm_params[HVM_PARAM_CALLBACK_IRQ] = 2ull << 56 | 0xf3;
    env_run(guest->vcpu[0]);
    ck_assert_int_eq(env_call(__HYPERVISOR_hvm_op,
                              HVMOP_set_evtchn_upcall_vector,
                              env_arg(&vector), 0), 0);
    vcpu_down(guest->vcpu[1]);
    kexec();
    ck_assert_uint_eq(guest->hvm_params[HVM_PARAM_STORE_PFN], 33);
    ck_assert_uint_eq(guest->hvm_params[HVM_PARAM_STORE_EVTCHN], 1);
    ck_assert_uint_eq(guest->hvm_params[HVM_PARAM_CALLBACK_IRQ],
                      2ull << 56 | 0xf3);
    ck_assert_uint_eq(guest->vcpu[1]->arch->vector, 0xf3);
    ck_assert(!guest->vcpu[0]->is_down);
    ck_assert(guest->vcpu[1]->is_down);
    ck_assert(guest->vcpu[1]->is_initialised);
}
END_TEST

/* A backend that is slow to let go writes into a page that it still holds. */
START_TEST(a_peers_mapping_stays_until_it_unmaps)
{
    grant_entry_v1_t *e = grant_to(guest, 10, peer->id, 5);
    grant_handle_t h = map(peer, guest->id, 10);

    kexec();
    ck_assert_ptr_eq(env_page(peer, MAP_AT >> PAGE_SHIFT),
                     env_page(guest, 5));
    ck_assert_uint_eq(e->flags,
                      GTF_permit_access | GTF_reading | GTF_writing);
    ck_assert_uint_eq(refs_of(5), 3);
    ck_assert_int_eq(unmap(peer, h), GNTST_okay);
    ck_assert_uint_eq(e->flags, GTF_permit_access);
    ck_assert_uint_eq(refs_of(5), 1);
}
END_TEST

/* A domain with backends kexecs: what it had mapped goes with it. */
START_TEST(its_own_mappings_end_with_it)
{
    grant_entry_v1_t *e = grant_to(peer, 10, guest->id, 5);

    (void)map(guest, peer->id, 10);
    kexec();
    ck_assert_uint_ne(e->flags & GTF_reading, 0);
    ck_assert_int_eq(toolstack(XEN_DOMCTL_destroydomain, guest->id), 0);
    ck_assert_uint_eq(e->flags, GTF_permit_access);
}
END_TEST

START_TEST(the_grant_table_is_found_again)
{
    struct xen_add_to_physmap op = { .domid = DOMID_SELF, .gpfn = 0x8000,
                                     .space = XENMAPSPACE_grant_table };
    grant_entry_v1_t *e = grant_to(guest, 1, 0, 33);

    env_run(guest->vcpu[0]);
    ck_assert_int_eq(env_call(__HYPERVISOR_memory_op, XENMEM_add_to_physmap,
                              env_arg(&op), 0), 0);
    kexec();
    op.gpfn = 0x9000;
    ck_assert_int_eq(env_call(__HYPERVISOR_memory_op, XENMEM_add_to_physmap,
                              env_arg(&op), 0), 0);
    ck_assert_int_eq(type_at(guest, 0x8000), P2M_INVALID);
    ck_assert_ptr_eq((grant_entry_v1_t *)env_page(guest, 0x9000) + 1, e);
    ck_assert_uint_eq(e->frame, 33);    /* the store's, which libxl gave */
}
END_TEST

/* ---- taking turns ---- */

START_TEST(many_ports_take_turns)
{
    unsigned int restarts;

    for (unsigned int i = 0; i < 2000; i++) {
        (void)env_alloc_unbound(guest, peer->id);
    }
    stop(guest);
    ck_assert_int_eq(soft_reset(guest->id), 0);
    restarts = env_restarts();
    ck_assert_uint_ge(restarts, 2000 / 512);
    ck_assert_int_eq(toolstack(XEN_DOMCTL_unpausedomain, guest->id), 0);
    for (unsigned int i = 0; i < 2000; i++) {
        (void)env_alloc_unbound(guest, peer->id);
    }
    machine_step_time(SLOW_CLOCK_NS);
    stop(guest);
    ck_assert_int_eq(soft_reset(guest->id), 0);
    ck_assert_uint_gt(env_restarts(), 10 * restarts);
    ck_assert_uint_eq(guest->evtchn->open_ports, 0);
}
END_TEST

/* Between two turns anything may be asked of it: it is as shut down. */
START_TEST(half_a_reset_is_no_state)
{
    uint64_t free_before = page_alloc_free();

    for (unsigned int i = 0; i < 2000; i++) {
        (void)env_alloc_unbound(guest, peer->id);
    }
    use_fifo();
    ck_assert_int_eq(register_info(guest, 0), 0);
    ck_assert_int_eq(place_shared_info(guest->vcpu[0], SHARED_GFN), 0);
    stop(guest);
    ck_assert_int_eq(domain_soft_reset(guest), -ERESTART);
    ck_assert_int_eq(toolstack(XEN_DOMCTL_unpausedomain, guest->id), 0);
    ck_assert_int_eq(domain_soft_reset(guest), -EINVAL);
    ck_assert(!vcpu_is_runnable(guest->vcpu[0]));
    ck_assert_int_eq(toolstack(XEN_DOMCTL_pausedomain, guest->id), 0);
    ck_assert_int_eq(domain_soft_reset(guest), -ERESTART);
    ck_assert_int_eq(toolstack(XEN_DOMCTL_resumedomain, guest->id), 0);
    ck_assert_int_eq(domain_soft_reset(guest), -EINVAL);
    domain_shutdown(guest, SHUTDOWN_soft_reset);
    ck_assert_int_eq(domain_soft_reset(guest), -ERESTART);
    ck_assert_int_eq(toolstack(XEN_DOMCTL_destroydomain, guest->id), 0);
    domain_put(guest);
    for (unsigned int i = 0; i < 1000; i++) {
        domain_reap();
    }
    ck_assert_uint_eq(machine_domains(), 3);
    ck_assert_uint_gt(page_alloc_free(), free_before);
}
END_TEST

/* ---- frames ---- */

/*
 * Broken off in any stage, and let go on by other means: the next one is a
 * whole one.
 */
START_TEST(a_reset_that_was_broken_off_is_forgotten)
{
    unsigned int stages = 0;
    bool is_whole = false;

    machine_step_time(SLOW_CLOCK_NS);
    for (unsigned int turns = 1; !is_whole; turns++) {
        use_all();
        stop(guest);
        for (unsigned int i = 0; !is_whole && i < turns; i++) {
            int rc = domain_soft_reset(guest);

            ck_assert(rc == 0 || rc == -ERESTART);
            is_whole = rc == 0;
        }
        stages |= 1u << guest->reset_stage;
        if (!is_whole) {
            ck_assert_int_eq(toolstack(XEN_DOMCTL_resumedomain, guest->id),
                             0);
        }
        ck_assert_int_eq(toolstack(XEN_DOMCTL_unpausedomain, guest->id), 0);
        (void)env_alloc_unbound(guest, 0);
        kexec();
        ck_assert_uint_eq(guest->evtchn->open_ports, 0);
        ck_assert_int_eq(type_at(guest, SHARED_GFN), P2M_RAM_RW);
        close_port(peer, bound_there);
    }
    ck_assert_uint_eq(stages, 7);
}
END_TEST

/* Page-exact from the second round on. */
START_TEST(rounds_lose_no_frame)
{
    uint64_t left = 0, pages = 0;

    for (unsigned int round = 1; round <= 20; round++) {
        use_all();
        kexec();
        close_port(peer, bound_there);
        if (round == 2) {
            left = page_alloc_free();
            pages = guest->tot_pages;
        } else if (round > 2) {
            ck_assert_uint_eq(page_alloc_free(), left);
            ck_assert_uint_eq(guest->tot_pages, pages);
        }
    }
    ck_assert_uint_eq(pages, ENV_PAGES);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("soft_reset");
    TCase *tc = unit_case(suite, "reset");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, a_guest_that_runs_is_not_reset);
    tcase_add_test(tc, a_guest_that_is_not_held_is_not_reset);
    tcase_add_test(tc, a_pv_guest_is_not_reset);
    tcase_add_test(tc, who_is_not_the_toolstack_resets_nobody);
    tcase_add_test(tc, the_toolstack_does_not_reset_itself);
    tcase_add_test(tc, a_dying_guest_is_not_reset);
    tcase_add_test(tc, any_shutdown_will_do);
    tcase_add_test(tc, it_goes_on_when_the_toolstack_lets_it);
    tcase_add_test(tc, ports_are_closed_and_their_numbers_free);
    tcase_add_test(tc, no_event_is_left_over);
    tcase_add_test(tc, fifo_ends_and_its_pages_are_let_go);
    tcase_add_test(tc, records_can_be_registered_again);
    tcase_add_test(tc, a_record_beyond_shared_info_is_ours_again);
    tcase_add_test(tc, areas_are_written_no_more);
    tcase_add_test(tc, timers_of_the_former_kernel_are_silent);
    tcase_add_test(tc, shared_info_gives_its_place_to_ram);
    tcase_add_test(tc, shared_info_in_a_hole_leaves_ram_as_in_xen);
    tcase_add_test(tc, without_memory_it_stays_shut_down);
    tcase_add_test(tc, parameters_and_vectors_stay);
    tcase_add_test(tc, a_peers_mapping_stays_until_it_unmaps);
    tcase_add_test(tc, its_own_mappings_end_with_it);
    tcase_add_test(tc, the_grant_table_is_found_again);
    tcase_add_test(tc, many_ports_take_turns);
    tcase_add_test(tc, half_a_reset_is_no_state);
    tcase_add_test(tc, a_reset_that_was_broken_off_is_forgotten);
    tcase_add_test(tc, rounds_lose_no_frame);
    return unit_run(suite);
}
