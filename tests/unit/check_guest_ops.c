/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a guest asks for itself: version_op, console_op, hvm_op, vcpu_op,
 * sched_op, vm_assist, mca_op, wallclock.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/console.h"
#include "core/evtchn.h"
#include "core/frame.h"
#include "core/p2m.h"
#include "core/sched_op.h"
#include "core/vcpu_op.h"
#include "core/wallclock.h"
#include "core/xsm.h"
#include "fake/machine.h"
#include "unit.h"
#include "core_env.h"

#include <xen/arch-x86/xen-mca.h>

static struct domain *a, *b;

static void setup(void)
{
    env_start();
    a = env_domain(0, 2);
    b = env_domain(1, 2);
    env_run(b->vcpu[0]);
}

/* ---- version ---- */

static long version(unsigned int cmd, void *arg)
{
    return env_call(__HYPERVISOR_xen_version, cmd, env_arg(arg), 0);
}

static uint32_t features(void)
{
    xen_feature_info_t info = { .submap_idx = 0 };

    ck_assert_int_eq(version(XENVER_get_features, &info), 0);
    return info.submap;
}

START_TEST(we_are_xen_4_17)
{
    xen_capabilities_info_t caps;
    xen_feature_info_t info = { .submap_idx = 1 };

    ck_assert_int_eq(version(XENVER_version, NULL), 0x40011);
    ck_assert_int_eq(version(XENVER_capabilities, caps), 0);
    ck_assert_ptr_nonnull(strstr(caps, "hvm-3.0-x86_64"));
    ck_assert_int_eq(version(XENVER_get_features, &info), -EINVAL);
    ck_assert(features() & 1u << XENFEAT_auto_translated_physmap);
    ck_assert(features() & 1u << XENFEAT_not_direct_mapped);
    ck_assert(!(features() & 1u << XENFEAT_dom0));
    ck_assert(!(features() & 1u << XENFEAT_hvm_pirqs));
    env_run(a->vcpu[0]);
    ck_assert(features() & 1u << XENFEAT_dom0);
    ck_assert(features() & 1u << XENFEAT_direct_mapped);
    ck_assert_int_eq(version(99, NULL), -ENOSYS);
}
END_TEST

START_TEST(the_command_line_is_dom0s_alone)
{
    xen_commandline_t line;

    memset(line, 'x', sizeof(line));
    ck_assert_int_eq(version(XENVER_commandline, line), 0);
    ck_assert_str_eq(line, "<denied>");
    ck_assert_int_eq(line[1023], 0);
    ck_assert_int_eq(version(XENVER_build_id, NULL), -EPERM);
    env_run(a->vcpu[0]);
    ck_assert_int_eq(version(XENVER_commandline, line), 0);
    ck_assert_ptr_nonnull(strstr(line, "dom0_mem="));
    ck_assert_int_eq(version(XENVER_build_id, NULL), -ENODATA);
}
END_TEST

/* ---- console ---- */

START_TEST(dom0_writes_and_reads_the_console)
{
    static char text[2000];
    char got[16] = "";

    env_run(a->vcpu[0]);
    memset(text, 'h', sizeof(text));
    (void)machine_console();
    ck_assert_int_eq(env_call(__HYPERVISOR_console_io, CONSOLEIO_write,
                              sizeof(text), env_arg(text)), 0);
    ck_assert_uint_ge(env_restarts(), 3);
    ck_assert_uint_eq(strlen(machine_console()), sizeof(text));
    console_input('q');
    console_input('w');
    ck_assert_int_eq(env_call(__HYPERVISOR_console_io, CONSOLEIO_read, 16,
                              env_arg(got)), 2);
    ck_assert_mem_eq(got, "qw", 2);
    ck_assert_int_eq(env_call(__HYPERVISOR_console_io, 7, 0, 0), -ENOSYS);
}
END_TEST

/* ---- hvm_op ---- */

static long param(unsigned int cmd, domid_t domid, uint32_t index,
                  uint64_t *value)
{
    struct xen_hvm_param op = { .domid = domid, .index = index,
                                .value = *value };
    long error = env_call(__HYPERVISOR_hvm_op, cmd, env_arg(&op), 0);

    *value = op.value;
    return error;
}

START_TEST(parameters_pass_from_toolstack_to_guest)
{
    uint64_t v = 0xfeff;

    env_run(a->vcpu[0]);
    ck_assert_int_eq(param(HVMOP_set_param, 1, HVM_PARAM_STORE_PFN, &v), 0);
    env_run(b->vcpu[0]);
    v = 0;
    ck_assert_int_eq(param(HVMOP_get_param, DOMID_SELF, HVM_PARAM_STORE_PFN,
                           &v), 0);
    ck_assert_uint_eq(v, 0xfeff);
    ck_assert_int_eq(param(HVMOP_set_param, DOMID_SELF, HVM_PARAM_STORE_PFN,
                           &v), -EPERM);
    ck_assert_int_eq(param(HVMOP_get_param, 0, HVM_PARAM_STORE_PFN, &v),
                     -EPERM);
    ck_assert_int_eq(param(HVMOP_get_param, 9, HVM_PARAM_STORE_PFN, &v),
                     -ESRCH);
    ck_assert_int_eq(param(HVMOP_get_param, DOMID_SELF, HVM_NR_PARAMS, &v),
                     -EINVAL);
}
END_TEST

/* What the machine's TLBs have of the guest is of an older generation. */
START_TEST(a_guest_flushes_its_tlbs)
{
    uint64_t before = p2m_flush_generation(b);
    unsigned int flushes = b->arch->flushes;

    ck_assert_int_eq(env_call(__HYPERVISOR_hvm_op, HVMOP_flush_tlbs, 0, 0),
                     0);
    ck_assert_uint_eq(b->arch->flushes, flushes + 1);
    ck_assert_uint_ne(p2m_flush_generation(b), before);
    ck_assert_int_eq(env_call(__HYPERVISOR_hvm_op, HVMOP_flush_tlbs,
                              env_arg(&before), 0), -EINVAL);
}
END_TEST

START_TEST(parameters_are_validated)
{
    uint64_t v = 1ull << 56 | 0xf3;

    ck_assert_int_eq(param(HVMOP_set_param, DOMID_SELF,
                           HVM_PARAM_CALLBACK_IRQ, &v), 0);
    ck_assert_uint_eq(b->arch->callback, v);
    env_run(a->vcpu[0]);
    v = 9;
    ck_assert_int_eq(param(HVMOP_set_param, 1, HVM_PARAM_TIMER_MODE, &v),
                     -EINVAL);
    ck_assert_int_eq(param(HVMOP_set_param, 1, HVM_PARAM_NESTEDHVM, &v),
                     -EINVAL);
    ck_assert_int_eq(param(HVMOP_set_param, 1, HVM_PARAM_DM_DOMAIN, &v),
                     -EPERM);
    v = 0;
    ck_assert_int_eq(param(HVMOP_set_param, 1, HVM_PARAM_NESTEDHVM, &v), 0);
}
END_TEST

START_TEST(an_upcall_vector_delivers_what_waited)
{
    struct xen_hvm_evtchn_upcall_vector op = { .vcpu = 1, .vector = 0xf3 };

    b->vcpu[1]->info->evtchn_upcall_pending = 1;
    ck_assert_int_eq(env_call(__HYPERVISOR_hvm_op,
                              HVMOP_set_evtchn_upcall_vector,
                              env_arg(&op), 0), 0);
    ck_assert_uint_eq(b->vcpu[1]->arch->vector, 0xf3);
    ck_assert_uint_eq(env_take_upcalls(b->vcpu[1]), 1);
    op.vector = 15;
    ck_assert_int_eq(env_call(__HYPERVISOR_hvm_op,
                              HVMOP_set_evtchn_upcall_vector,
                              env_arg(&op), 0), -EINVAL);
    op.vector = 0xf3;
    op.vcpu = 2;
    ck_assert_int_eq(env_call(__HYPERVISOR_hvm_op,
                              HVMOP_set_evtchn_upcall_vector,
                              env_arg(&op), 0), -ENOENT);
    ck_assert_int_eq(env_call(__HYPERVISOR_hvm_op, HVMOP_pagetable_dying,
                              env_arg(&op), 0), -EINVAL);
    ck_assert_int_eq(env_call(__HYPERVISOR_hvm_op, 77, 0, 0), -ENOSYS);
}
END_TEST

/* ---- vcpu_op ---- */

static long vcpu_call(unsigned int cmd, unsigned int id, void *arg)
{
    return env_call(__HYPERVISOR_vcpu_op, cmd, id, env_arg(arg));
}

START_TEST(vcpu_info_moves_once_with_its_contents)
{
    struct vcpu_register_vcpu_info op = { .mfn = 7, .offset = 128 };
    struct frame *f = p2m_get_ram(b, gfn(7), true);
    vcpu_info_t *there = (void *)((char *)env_page(b, 7) + 128);
    struct vcpu *v = b->vcpu[0];

    v->info->arch.cr2 = 42;
    op.offset = PAGE_SIZE - 8;
    ck_assert_int_eq(vcpu_call(VCPUOP_register_vcpu_info, 0, &op), -ENXIO);
    op.offset = 4;
    ck_assert_int_eq(vcpu_call(VCPUOP_register_vcpu_info, 0, &op), -ENXIO);
    op.offset = 128;
    op.mfn = ENV_PAGES + 1;
    ck_assert_int_eq(vcpu_call(VCPUOP_register_vcpu_info, 0, &op), -EINVAL);
    op.mfn = 7;
    ck_assert_int_eq(vcpu_call(VCPUOP_register_vcpu_info, 0, &op), 0);
    ck_assert_ptr_eq(v->info, there);
    ck_assert_uint_eq(there->arch.cr2, 42);
    ck_assert_uint_eq(there->evtchn_pending_sel, ~0ul);
    ck_assert_uint_eq(there->evtchn_upcall_pending, 1);
    ck_assert_uint_eq(there->time.version % 2, 0);
    ck_assert_uint_eq(env_take_upcalls(v), 1);
    ck_assert_uint_eq(f->refs, 3);
    ck_assert_int_eq(vcpu_call(VCPUOP_register_vcpu_info, 0, &op), -EINVAL);
    /* Of another one only while it is down. */
    ck_assert_int_eq(vcpu_call(VCPUOP_register_vcpu_info, 1, &op), -EINVAL);
    ck_assert_int_eq(vcpu_call(VCPUOP_down, 1, NULL), 0);
    ck_assert_int_eq(vcpu_call(VCPUOP_register_vcpu_info, 1, &op), 0);
    frame_put(f);
}
END_TEST

START_TEST(vcpus_go_up_and_down)
{
    ck_assert_int_eq(vcpu_call(VCPUOP_is_up, 1, NULL), 1);
    ck_assert_int_eq(vcpu_call(VCPUOP_down, 1, NULL), 0);
    ck_assert_int_eq(vcpu_call(VCPUOP_is_up, 1, NULL), 0);
    ck_assert_int_eq(vcpu_call(VCPUOP_up, 1, NULL), 0);
    ck_assert_int_eq(vcpu_call(VCPUOP_is_up, 1, NULL), 1);
    ck_assert_int_eq(vcpu_call(VCPUOP_is_up, 2, NULL), -ENOENT);
    ck_assert_int_eq(vcpu_call(VCPUOP_is_up, UINT32_MAX, NULL), -ENOENT);
    ck_assert_int_eq(vcpu_call(VCPUOP_get_physid, 0, NULL), -ENOSYS);
    ck_assert_int_eq(vcpu_call(VCPUOP_send_nmi, 1, NULL), 0);
    ck_assert_uint_eq(b->vcpu[1]->arch->nmis, 1);
}
END_TEST

START_TEST(the_last_vcpu_down_stops_the_domain)
{
    ck_assert_int_eq(vcpu_call(VCPUOP_down, 1, NULL), 0);
    ck_assert(!b->is_shut_down);
    ck_assert_int_eq(vcpu_call(VCPUOP_down, 0, NULL), 0);
    ck_assert(b->is_shut_down);
    ck_assert_int_eq(b->shutdown_code, SHUTDOWN_poweroff);
}
END_TEST

START_TEST(a_vcpu_is_initialised_once)
{
    struct vcpu_hvm_context c = { .mode = VCPU_HVM_MODE_64B };

    ck_assert_int_eq(vcpu_call(VCPUOP_initialise, 1, &c), -EEXIST);
    b->vcpu[1]->is_initialised = false;
    b->vcpu[1]->is_down = true;
    c.mode = 9;
    ck_assert_int_eq(vcpu_call(VCPUOP_initialise, 1, &c), -EINVAL);
    c.mode = VCPU_HVM_MODE_64B;
    ck_assert_int_eq(vcpu_call(VCPUOP_up, 1, NULL), -EINVAL);
    ck_assert_int_eq(vcpu_call(VCPUOP_initialise, 1, &c), 0);
    ck_assert_int_eq(vcpu_call(VCPUOP_up, 1, NULL), 0);
}
END_TEST

/*
 * As in Xen, a vcpu that shared_info has no record for is not started before
 * it has one, and that is masked.
 */
START_TEST(a_vcpu_from_32_on_needs_a_record)
{
    struct domain *d = env_pv_domain(7, XEN_LEGACY_MAX_VCPUS + 1);
    struct vcpu *v = d->vcpu[XEN_LEGACY_MAX_VCPUS];
    struct vcpu_register_vcpu_info op = { .mfn = 7, .offset = 64 };
    struct vcpu_guest_context c = { .flags = VGCF_in_kernel };
    const vcpu_info_t *info;

    v->is_initialised = false;
    v->is_down = true;
    env_run(d->vcpu[0]);
    ck_assert_int_eq(vcpu_call(VCPUOP_initialise, v->id, &c), -EINVAL);
    ck_assert(!v->is_initialised);
    ck_assert_int_eq(vcpu_call(VCPUOP_register_vcpu_info, v->id, &op), 0);
    info = (const vcpu_info_t *)((const char *)env_page(d, 7) + 64);
    ck_assert_uint_eq(info->evtchn_upcall_mask, 1);
    ck_assert_uint_eq(info->evtchn_upcall_pending, 1);
    ck_assert_int_eq(vcpu_call(VCPUOP_initialise, v->id, &c), 0);
    ck_assert_int_eq(vcpu_call(VCPUOP_initialise, v->id, &c), -EEXIST);
    ck_assert_int_eq(vcpu_call(VCPUOP_up, v->id, NULL), 0);
}
END_TEST

static evtchn_port_t bind_timer(uint32_t vcpu)
{
    evtchn_bind_virq_t op = { .virq = VIRQ_TIMER, .vcpu = vcpu };

    ck_assert_int_eq(env_evtchn(EVTCHNOP_bind_virq, &op), 0);
    return op.port;
}

START_TEST(timers_fire)
{
    struct vcpu_set_singleshot_timer once = { .timeout_abs_ns = 2000 };
    struct vcpu_set_periodic_timer every = { .period_ns = 5000000 };
    unsigned long *pending = b->shared_info->evtchn_pending;
    evtchn_port_t port = bind_timer(0);

    machine_set_time(1000);
    ck_assert_int_eq(vcpu_call(VCPUOP_set_singleshot_timer, 0, &once), 0);
    timer_run();
    ck_assert_uint_eq(pending[0], 0);
    machine_set_time(2000);
    timer_run();
    ck_assert_uint_eq(pending[0], 1ul << port);
    once.flags = VCPU_SSHOTTMR_future;
    once.timeout_abs_ns = 1999;
    ck_assert_int_eq(vcpu_call(VCPUOP_set_singleshot_timer, 0, &once),
                     -ETIME);
    ck_assert_int_eq(vcpu_call(VCPUOP_set_singleshot_timer, 1, &once),
                     -EINVAL);
    pending[0] = 0;
    ck_assert_int_eq(vcpu_call(VCPUOP_set_periodic_timer, 0, &every), 0);
    machine_set_time(5002000);
    timer_run();
    ck_assert_uint_eq(pending[0], 1ul << port);
    pending[0] = 0;
    machine_set_time(10003000);
    timer_run();
    ck_assert_uint_eq(pending[0], 1ul << port);
    pending[0] = 0;
    ck_assert_int_eq(vcpu_call(VCPUOP_stop_periodic_timer, 0, NULL), 0);
    machine_set_time(90000000);
    timer_run();
    ck_assert_uint_eq(pending[0], 0);
    every.period_ns = 999999;
    ck_assert_int_eq(vcpu_call(VCPUOP_set_periodic_timer, 0, &every),
                     -EINVAL);
}
END_TEST

START_TEST(runstate_is_shown_where_registered)
{
    struct vcpu_register_runstate_memory_area op;
    struct vcpu_runstate_info r;

    memset(&r, 0xff, sizeof(r));
    op.addr.v = &r;
    ck_assert_int_eq(vcpu_call(VCPUOP_register_runstate_memory_area, 0, &op),
                     0);
    ck_assert_int_eq(r.state, RUNSTATE_running);
    ck_assert_int_eq(env_call(__HYPERVISOR_vm_assist, VMASST_CMD_enable,
                              VMASST_TYPE_runstate_update_flag, 0), 0);
    machine_set_time(777);
    vcpu_op_show_runstate(b->vcpu[0]);
    ck_assert_uint_eq(r.state_entry_time, 777);
    op.addr.v = NULL;
    ck_assert_int_eq(vcpu_call(VCPUOP_register_runstate_memory_area, 0, &op),
                     -EFAULT);
    ck_assert_int_eq(vcpu_call(VCPUOP_get_runstate_info, 1, &r), 0);
}
END_TEST

START_TEST(assists_that_mean_nothing_are_refused)
{
    ck_assert_int_eq(env_call(__HYPERVISOR_vm_assist, VMASST_CMD_enable,
                              VMASST_TYPE_4gb_segments, 0), -EINVAL);
    ck_assert_int_eq(env_call(__HYPERVISOR_vm_assist, VMASST_CMD_enable,
                              UINT32_MAX, 0), -EINVAL);
    ck_assert_int_eq(env_call(__HYPERVISOR_vm_assist, 7,
                              VMASST_TYPE_runstate_update_flag, 0), -ENOSYS);
}
END_TEST

/* ---- time ---- */

START_TEST(time_is_shown_by_even_versions)
{
    struct vcpu_register_time_memory_area op;
    vcpu_time_info_t t;

    ck_assert_uint_eq(b->shared_info->wc_version % 2, 0);
    ck_assert_uint_eq(b->shared_info->wc_sec, 1700000000);
    memset(&t, 0xff, sizeof(t));
    op.addr.v = &t;
    machine_set_time(5);
    ck_assert_int_eq(vcpu_call(VCPUOP_register_vcpu_time_memory_area, 0,
                               &op), 0);
    ck_assert_uint_eq(t.version % 2, 0);
    ck_assert_uint_eq(t.system_time, 5);
    wallclock_set(2000, 7, 5);
    ck_assert_uint_eq(b->shared_info->wc_version % 2, 0);
    ck_assert_uint_eq(b->shared_info->wc_sec, 2000);
    ck_assert_uint_eq(b->shared_info->wc_nsec, 2);
}
END_TEST

/* Most vcpus that are switched to have the right record. */
START_TEST(time_is_written_where_it_changed)
{
    struct vcpu_register_time_memory_area op;
    struct vcpu *v = b->vcpu[0];
    vcpu_time_info_t before, t;

    op.addr.v = &t;
    machine_set_time(5);
    wallclock_update_vcpu(v);
    ck_assert_int_eq(vcpu_call(VCPUOP_register_vcpu_time_memory_area, 0,
                               &op), 0);
    before = t;
    wallclock_update_vcpu(v);
    ck_assert_uint_eq(v->info->time.system_time, 5);
    ck_assert_uint_eq(t.version, before.version);

    /* The guest may clear it, or stop in the middle of its own write. */
    memset(&v->info->time, 0, sizeof(v->info->time));
    wallclock_update_vcpu(v);
    ck_assert_uint_eq(v->info->time.system_time, 5);
    v->info->time.version |= 1;
    wallclock_update_vcpu(v);
    ck_assert_uint_eq(v->info->time.version % 2, 0);

    /* It changes while another one runs: the copy is written later. */
    machine_set_time(9);
    env_run(b->vcpu[1]);
    wallclock_update_vcpu(v);
    ck_assert_uint_eq(v->info->time.system_time, 9);
    ck_assert_uint_eq(t.system_time, 5);
    env_run(v);
    wallclock_update_vcpu(v);
    ck_assert_uint_eq(t.system_time, 9);
    ck_assert_uint_eq(t.version % 2, 0);
}
END_TEST

/* ---- sched_op ---- */

static long sched_call(unsigned int cmd, void *arg)
{
    return env_call(__HYPERVISOR_sched_op, cmd, env_arg(arg), 0);
}

START_TEST(a_domain_stops_itself_but_no_other)
{
    struct sched_remote_shutdown remote = { .domain_id = 0 };
    struct sched_shutdown op = { .reason = SHUTDOWN_crash };

    ck_assert_int_eq(sched_call(SCHEDOP_remote_shutdown, &remote), -EPERM);
    remote.domain_id = 9;
    ck_assert_int_eq(sched_call(SCHEDOP_remote_shutdown, &remote), -ESRCH);
    ck_assert_int_eq(sched_call(SCHEDOP_shutdown, &op), 0);
    ck_assert(b->is_shut_down);
    ck_assert_int_eq(b->shutdown_code, SHUTDOWN_crash);
    ck_assert_int_eq(sched_call(99, &op), -ENOSYS);
}
END_TEST

/* Said before, it is what a shutdown of whatever kind is about. */
START_TEST(the_first_shutdown_code_counts)
{
    struct sched_shutdown op = { .reason = SHUTDOWN_crash };

    ck_assert_int_eq(sched_call(SCHEDOP_shutdown_code, &op), 0);
    ck_assert(!b->is_shut_down);
    op.reason = SHUTDOWN_suspend;
    ck_assert_int_eq(sched_call(SCHEDOP_shutdown_code, &op), 0);
    op.reason = SHUTDOWN_reboot;
    ck_assert_int_eq(sched_call(SCHEDOP_shutdown, &op), 0);
    ck_assert(b->is_shut_down);
    ck_assert_int_eq(b->shutdown_code, SHUTDOWN_crash);
    ck_assert_int_eq(sched_call(SCHEDOP_shutdown_code, &op), 0);
    ck_assert_int_eq(b->shutdown_code, SHUTDOWN_crash);
}
END_TEST

START_TEST(a_blocked_vcpu_wakes_by_an_event)
{
    evtchn_port_t port = bind_timer(0);

    b->vcpu[0]->info->evtchn_upcall_mask = 1;
    ck_assert_int_eq(sched_call(SCHEDOP_block, NULL), 0);
    ck_assert(b->vcpu[0]->is_blocked);
    ck_assert_uint_eq(b->vcpu[0]->info->evtchn_upcall_mask, 0);
    evtchn_virq_vcpu(b->vcpu[0], VIRQ_TIMER);
    ck_assert(!b->vcpu[0]->is_blocked);
    ck_assert(evtchn_is_pending(b, port));
    ck_assert_int_eq(sched_call(SCHEDOP_block, NULL), 0);
    ck_assert(!b->vcpu[0]->is_blocked);
}
END_TEST

START_TEST(a_poll_times_out)
{
    evtchn_port_t port = bind_timer(0);
    struct sched_poll op = { .nr_ports = 1, .timeout = 5000 };

    op.ports.p = &port;
    machine_set_time(100);
    ck_assert_int_eq(sched_call(SCHEDOP_poll, &op), 0);
    ck_assert(b->vcpu[0]->is_blocked);
    machine_set_time(5000);
    timer_run();
    ck_assert(!b->vcpu[0]->is_blocked);
    op.nr_ports = 129;
    ck_assert_int_eq(sched_call(SCHEDOP_poll, &op), -EINVAL);
}
END_TEST

/* With interrupts off a pending one does not end the poll; else it does. */
START_TEST(a_poll_looks_at_the_interrupt_flag)
{
    evtchn_port_t port = bind_timer(0);
    struct sched_poll op = { .nr_ports = 1 };
    struct vcpu *v = b->vcpu[0];

    op.ports.p = &port;
    v->info->evtchn_upcall_pending = 1;
    v->arch->has_pending = true;
    v->arch->is_masked = true;
    ck_assert_int_eq(sched_call(SCHEDOP_poll, &op), 0);
    ck_assert(v->is_blocked);
    v->is_blocked = false;
    v->arch->is_masked = false;
    ck_assert_int_eq(sched_call(SCHEDOP_poll, &op), 0);
    ck_assert(!v->is_blocked);
}
END_TEST

START_TEST(a_watchdog_bites)
{
    struct sched_watchdog op = { .id = 0, .timeout = 2 };

    machine_set_time(1000);
    ck_assert_int_eq(sched_call(SCHEDOP_watchdog, &op), 1);
    ck_assert_int_eq(sched_call(SCHEDOP_watchdog, &op), 2);
    ck_assert_int_eq(sched_call(SCHEDOP_watchdog, &op), -ENOSPC);
    op.id = 3;
    ck_assert_int_eq(sched_call(SCHEDOP_watchdog, &op), -EINVAL);
    op = (struct sched_watchdog){ .id = 1, .timeout = 0 };
    ck_assert_int_eq(sched_call(SCHEDOP_watchdog, &op), 0);
    op = (struct sched_watchdog){ .id = 2, .timeout = 100 };
    ck_assert_int_eq(sched_call(SCHEDOP_watchdog, &op), 0);
    machine_set_time(50 * 1000000000ull);
    timer_run();
    ck_assert(!b->is_shut_down);
    machine_set_time(101 * 1000000000ull);
    timer_run();
    ck_assert(b->is_shut_down);
    ck_assert_int_eq(b->shutdown_code, SHUTDOWN_watchdog);
    sched_op_stop_watchdogs(b);
    ck_assert_ptr_null(b->watchdog);
}
END_TEST

/* ---- machine checks ---- */

START_TEST(dom0s_machine_check_log_is_content)
{
    xen_mc_logical_cpu_t cpus[8];
    struct xen_mc op = { .cmd = XEN_MC_physcpuinfo,
                         .interface_version = XEN_MCA_INTERFACE_VERSION };

    env_run(a->vcpu[0]);
    ck_assert_int_eq(env_call(__HYPERVISOR_arch_0, env_arg(&op), 0, 0), 0);
    ck_assert_uint_eq(op.u.mc_physcpuinfo.ncpus, 4);
    op.u.mc_physcpuinfo.info.p = cpus;
    op.u.mc_physcpuinfo.ncpus = 8;
    ck_assert_int_eq(env_call(__HYPERVISOR_arch_0, env_arg(&op), 0, 0), 0);
    ck_assert_uint_eq(op.u.mc_physcpuinfo.ncpus, 4);
    ck_assert_uint_eq(cpus[1].mc_apicid, 1);
    op.cmd = XEN_MC_fetch;
    op.u.mc_fetch.flags = XEN_MC_URGENT;
    ck_assert_int_eq(env_call(__HYPERVISOR_arch_0, env_arg(&op), 0, 0), 0);
    ck_assert_uint_eq(op.u.mc_fetch.flags, XEN_MC_NODATA);
    op.interface_version = 1;
    ck_assert_int_eq(env_call(__HYPERVISOR_arch_0, env_arg(&op), 0, 0),
                     -EACCES);
}
END_TEST

/* ---- policy ---- */

START_TEST(a_guest_may_only_what_concerns_itself)
{
    ck_assert_int_eq(xsm_domctl(b, b, XEN_DOMCTL_getdomaininfo), -EPERM);
    ck_assert_int_eq(xsm_domctl(a, b, XEN_DOMCTL_getdomaininfo), 0);
    ck_assert_int_eq(xsm_sysctl(b, XEN_SYSCTL_physinfo), -EPERM);
    ck_assert_int_eq(xsm_memory_adjust(b, b), 0);
    ck_assert_int_eq(xsm_memory_adjust(b, a), -EPERM);
    ck_assert_int_eq(xsm_memory_foreign(b, a), -EPERM);
    ck_assert_int_eq(xsm_memory_claim(b, b), -EPERM);
    ck_assert_int_eq(xsm_evtchn_alloc(b, a), -EPERM);
    ck_assert_int_eq(xsm_evtchn_status(b, a), -EPERM);
    ck_assert_int_eq(xsm_evtchn_reset(b, a), -EPERM);
    ck_assert_int_eq(xsm_grant_setup(b, a), -EPERM);
    ck_assert_int_eq(xsm_grant_query(b, a), -EPERM);
    ck_assert_int_eq(xsm_sched_remote_shutdown(b, b), -EPERM);
    ck_assert_int_eq(xsm_platform_op(b, 50), -EPERM);
    ck_assert_int_eq(xsm_physdev_op(b, 24), -EPERM);
    ck_assert_int_eq(xsm_console_io(b, CONSOLEIO_read), -EPERM);
    ck_assert_int_eq(xsm_mca(b), -EPERM);
}
END_TEST

static void add_vcpu_tests(Suite *suite)
{
    TCase *tc = unit_case(suite, "vcpu_op");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, vcpu_info_moves_once_with_its_contents);
    tcase_add_test(tc, vcpus_go_up_and_down);
    tcase_add_test(tc, the_last_vcpu_down_stops_the_domain);
    tcase_add_test(tc, a_vcpu_is_initialised_once);
    tcase_add_test(tc, a_vcpu_from_32_on_needs_a_record);
    tcase_add_test(tc, timers_fire);
    tcase_add_test(tc, runstate_is_shown_where_registered);
    tcase_add_test(tc, assists_that_mean_nothing_are_refused);
    tcase_add_test(tc, time_is_shown_by_even_versions);
    tcase_add_test(tc, time_is_written_where_it_changed);
}

static void add_sched_tests(Suite *suite)
{
    TCase *tc = unit_case(suite, "sched_op");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, a_domain_stops_itself_but_no_other);
    tcase_add_test(tc, the_first_shutdown_code_counts);
    tcase_add_test(tc, a_blocked_vcpu_wakes_by_an_event);
    tcase_add_test(tc, a_poll_times_out);
    tcase_add_test(tc, a_poll_looks_at_the_interrupt_flag);
    tcase_add_test(tc, a_watchdog_bites);
}

int main(void)
{
    Suite *suite = suite_create("guest_ops");
    TCase *tc = unit_case(suite, "others");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, we_are_xen_4_17);
    tcase_add_test(tc, the_command_line_is_dom0s_alone);
    tcase_add_test(tc, dom0_writes_and_reads_the_console);
    tcase_add_test(tc, parameters_pass_from_toolstack_to_guest);
    tcase_add_test(tc, a_guest_flushes_its_tlbs);
    tcase_add_test(tc, parameters_are_validated);
    tcase_add_test(tc, an_upcall_vector_delivers_what_waited);
    tcase_add_test(tc, dom0s_machine_check_log_is_content);
    tcase_add_test(tc, a_guest_may_only_what_concerns_itself);
    add_vcpu_tests(suite);
    add_sched_tests(suite);
    return unit_run(suite);
}
