/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fuzzer's look at the core's records: it finds nothing in a machine at
 * work, and each thing that is put wrong by hand.
 */
#include <string.h>

#include "core/evtchn_table.h"
#include "core/frame.h"
#include "core/grant_table.h"
#include "core/p2m.h"
#include "fake/machine.h"
#include "unit.h"
#include "core_check.h"
#include "core_env.h"

static struct domain *control, *guest;
static evtchn_port_t port, virq;
static grant_handle_t handle;

static struct frame *frame_at(struct domain *d, uint64_t g)
{
    enum p2m_type type;

    return frame_of(p2m_lookup(d, gfn(g), &type));
}

/* Two domains with a channel, an interrupt, a mapped grant, a vcpu's info. */
static void setup(void)
{
    struct gnttab_map_grant_ref map = { .host_addr = 0x200000, .ref = 8,
                                        .dom = 1, .flags = GNTMAP_host_map };
    struct evtchn_bind_virq bind = { .virq = VIRQ_TIMER };
    struct vcpu_register_vcpu_info info = { .mfn = 5 };

    env_start_small();
    control = env_domain(0, 2);
    guest = env_domain(1, 2);
    env_run(guest->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_bind_virq, &bind), 0);
    virq = bind.port;
    ck_assert_int_eq(env_call(__HYPERVISOR_vcpu_op,
                              VCPUOP_register_vcpu_info, 0, env_arg(&info)),
                     0);
    port = env_alloc_unbound(guest, 0);
    ck_assert_int_eq(env_bind(control, 1, port, &port), 0);
    guest->grant->shared[0][8] = (grant_entry_v1_t){
        .flags = GTF_permit_access, .domid = 0, .frame = 9 };
    env_run(control->vcpu[0]);
    ck_assert_int_eq(env_grant(GNTTABOP_map_grant_ref, &map, 1), 0);
    ck_assert_int_eq(map.status, GNTST_okay);
    handle = map.handle;
    core_check_start();
}

static void finds(const char *what)
{
    const char *broken = core_check();

    ck_assert_ptr_nonnull(broken);
    ck_assert_msg(strstr(broken, what) != NULL, "%s", broken);
}

START_TEST(nothing_is_wrong)
{
    ck_assert_ptr_null(core_check());
}
END_TEST

START_TEST(a_reference_too_many_or_few_is_found)
{
    frame_at(guest, 3)->refs++;
    finds("has 2 references and 1 uses");
    frame_at(guest, 3)->refs--;
    frame_at(guest, 9)->refs--;
    finds("references and 3 uses");
}
END_TEST

START_TEST(a_frame_at_two_places_is_found)
{
    frame_at(guest, 3)->gfn = 4;
    finds("is at gfn 3 and at 4");
}
END_TEST

START_TEST(anothers_frame_as_ram_is_found)
{
    frame_at(guest, 3)->owner = control;
    finds("which is not its RAM");
}
END_TEST

START_TEST(a_pin_that_nobody_maps_is_found)
{
    control->grant->track[0][handle].owner = NULL;
    finds("grant 8 has 0 and 1 pins, 0 and 0 mappings");
}
END_TEST

START_TEST(a_mapping_of_what_is_not_pinned_is_found)
{
    struct active *act = &guest->grant->active[0][8];

    act->writers = 0;
    act->frame = NULL;
    finds("which nobody uses");
}
END_TEST

START_TEST(a_port_bound_to_none_is_found)
{
    evtchn_find(control, port)->remote.port++;
    finds("which is not to it");
}
END_TEST

START_TEST(an_interrupts_port_that_its_vcpu_lacks_is_found)
{
    guest->vcpu[0]->evtchn->virq_port[VIRQ_TIMER] = 0;
    finds("is no vcpu's interrupt");
    guest->vcpu[0]->evtchn->virq_port[VIRQ_TIMER] = virq;
    guest->vcpu[1]->evtchn->virq_port[VIRQ_DEBUG] = virq;
    finds("which is not its");
}
END_TEST

START_TEST(wrong_accounts_are_found)
{
    guest->tot_pages++;
    finds("pages are accounted");
    guest->tot_pages--;
    guest->evtchn->open_ports++;
    finds("ports are open");
    guest->evtchn->open_ports--;
    ck_assert_ptr_null(core_check());
    guest->grant->frame_count = guest->grant->max_frames + 1;
    finds("grant frames of");
}
END_TEST

/* A limit below what is there is no fault, more pages than before is one. */
START_TEST(pages_beyond_the_limit_are_found)
{
    ck_assert_ptr_null(core_check());
    guest->max_pages = guest->tot_pages - 2;
    ck_assert_ptr_null(core_check());
    core_check_start();
    finds("more than");
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("core_check");
    TCase *t = unit_case(s, "core_check");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, nothing_is_wrong);
    tcase_add_test(t, a_reference_too_many_or_few_is_found);
    tcase_add_test(t, a_frame_at_two_places_is_found);
    tcase_add_test(t, anothers_frame_as_ram_is_found);
    tcase_add_test(t, a_pin_that_nobody_maps_is_found);
    tcase_add_test(t, a_mapping_of_what_is_not_pinned_is_found);
    tcase_add_test(t, a_port_bound_to_none_is_found);
    tcase_add_test(t, an_interrupts_port_that_its_vcpu_lacks_is_found);
    tcase_add_test(t, wrong_accounts_are_found);
    tcase_add_test(t, pages_beyond_the_limit_are_found);
    return s;
}

int main(void)
{
    return unit_run(suite());
}
