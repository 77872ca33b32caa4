/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a toolstack reads and sets of a guest's CPUs: one HVM record, as xenctx
 * does; all records, a vcpu's context and the TSC, as who saves does.
 */
#include "step.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "core/domctl.h"
#include "core/evtchn.h"
#include "fake/machine.h"
#include "unit.h"
#include "core_env.h"

static struct domain *control, *guest, *pv;

static void setup(void)
{
    env_start();
    control = env_domain(0, 2);
    guest = env_domain(1, 3);
    pv = env_pv_domain(2, 1);
    env_run(control->vcpu[0]);
}

static long control_op(uint32_t cmd, struct xen_domctl *op)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    return env_call(__HYPERVISOR_domctl, env_arg(op), 0, 0);
}

static struct xen_domctl ask(const struct domain *d, uint32_t instance,
                             void *buf, uint64_t size)
{
    struct xen_domctl op = { .domain = d->id };

    op.u.hvmcontext_partial.type = HVM_SAVE_CODE(CPU);
    op.u.hvmcontext_partial.instance = instance;
    op.u.hvmcontext_partial.bufsz = size;
    op.u.hvmcontext_partial.buffer.p = buf;
    return op;
}

static long record(struct xen_domctl *op)
{
    return control_op(XEN_DOMCTL_gethvmcontext_partial, op);
}

START_TEST(a_vcpus_registers_come_alone)
{
    struct { struct hvm_hw_cpu cpu; unsigned char after[16]; } buf;
    struct xen_domctl op = ask(guest, 1, &buf, sizeof(buf));

    memset(&buf, 0xaa, sizeof(buf));
    ck_assert_int_eq(record(&op), 0);
    ck_assert_uint_eq(op.u.hvmcontext_partial.bufsz, sizeof(buf.cpu));
    ck_assert_uint_eq(buf.cpu.rip, 0x1001);
    for (unsigned int i = 0; i < sizeof(buf.after); i++) {
        ck_assert_uint_eq(buf.after[i], 0xaa);
    }
    ck_assert_uint_eq(guest->vcpu[1]->pause_count, 0);
    ck_assert(vcpu_is_runnable(guest->vcpu[1]));
}
END_TEST

START_TEST(a_null_buffer_asks_for_the_size)
{
    struct xen_domctl op = ask(guest, 0, NULL, 0);

    ck_assert_int_eq(record(&op), 0);
    ck_assert_uint_eq(op.u.hvmcontext_partial.bufsz,
                      sizeof(struct hvm_hw_cpu));
}
END_TEST

START_TEST(a_short_buffer_is_not_touched)
{
    struct hvm_hw_cpu cpu = { .rip = 5 };
    struct xen_domctl op = ask(guest, 0, &cpu, sizeof(cpu) - 1);

    ck_assert_int_eq(record(&op), -ENOBUFS);
    ck_assert_uint_eq(cpu.rip, 5);
    op.u.hvmcontext_partial.bufsz = 0;
    ck_assert_int_eq(record(&op), -ENOBUFS);
    op.u.hvmcontext_partial.bufsz = UINT64_MAX;
    ck_assert_int_eq(record(&op), 0);
    ck_assert_uint_eq(guest->vcpu[0]->pause_count, 0);
}
END_TEST

START_TEST(a_buffer_that_is_not_there_is_a_fault)
{
    struct xen_domctl op = ask(guest, 0, (void *)8, sizeof(struct hvm_hw_cpu));

    ck_assert_int_eq(record(&op), -EFAULT);
    ck_assert_uint_eq(guest->vcpu[0]->pause_count, 0);
}
END_TEST

START_TEST(an_instance_that_is_not_there_has_no_record)
{
    static const uint32_t bad[] = { 3, 64, 0x10000, UINT32_MAX };
    struct hvm_hw_cpu cpu;

    for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct xen_domctl op = ask(guest, bad[i], &cpu, sizeof(cpu));

        ck_assert_int_eq(record(&op), -ENOENT);
    }
}
END_TEST

START_TEST(a_vcpu_that_is_down_has_no_registers)
{
    struct hvm_hw_cpu cpu;
    struct xen_domctl op = ask(guest, 2, &cpu, sizeof(cpu));

    vcpu_down(guest->vcpu[2]);
    ck_assert_int_eq(record(&op), -ENODATA);
    ck_assert_uint_eq(guest->vcpu[2]->pause_count, 0);
    op.u.hvmcontext_partial.type = HVM_SAVE_CODE(MTRR);
    ck_assert_int_eq(record(&op), 0);
}
END_TEST

START_TEST(other_records_are_refused)
{
    static const uint32_t bad[] = { HVM_SAVE_CODE(END), HVM_SAVE_CODE(HEADER),
                                    HVM_SAVE_CODE(PIC), HVM_SAVE_CODE_MAX + 1,
                                    0x10000 + HVM_SAVE_CODE(CPU), UINT32_MAX };
    struct hvm_hw_cpu cpu;

    for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct xen_domctl op = ask(guest, 0, &cpu, sizeof(cpu));

        op.u.hvmcontext_partial.type = bad[i];
        ck_assert_int_eq(record(&op), -EINVAL);
    }
}
END_TEST

START_TEST(only_another_hvm_domain_that_lives_has_records)
{
    struct hvm_hw_cpu cpu;
    struct xen_domctl own = ask(control, 0, &cpu, sizeof(cpu));
    struct xen_domctl of_pv = ask(pv, 0, &cpu, sizeof(cpu));
    struct xen_domctl op = ask(guest, 0, &cpu, sizeof(cpu));

    ck_assert_int_eq(record(&own), -EINVAL);
    ck_assert_int_eq(record(&of_pv), -EINVAL);
    guest->state = DOMAIN_DYING;
    ck_assert_int_eq(record(&op), -EINVAL);
    guest->state = DOMAIN_RUNNING;
    while (domain_kill(guest) != 0) {
    }
    ck_assert_int_eq(record(&op), -ESRCH);
    op.domain = 77;
    ck_assert_int_eq(record(&op), -ESRCH);
}
END_TEST

START_TEST(a_guest_reads_nobodys_registers)
{
    struct hvm_hw_cpu cpu;
    struct xen_domctl op = ask(guest, 1, &cpu, sizeof(cpu));

    env_run(guest->vcpu[0]);
    ck_assert_int_eq(record(&op), -EPERM);
    op.domain = control->id;
    ck_assert_int_eq(record(&op), -EPERM);
    op.domain = DOMID_SELF;
    ck_assert_int_eq(record(&op), -EPERM);
}
END_TEST

/* ---- all records ---- */

static long records(uint32_t cmd, const struct domain *d, void *buf,
                    uint32_t *size)
{
    struct xen_domctl op = { .domain = d->id };
    long rc;

    op.u.hvmcontext.size = *size;
    op.u.hvmcontext.buffer.p = buf;
    rc = control_op(cmd, &op);
    *size = op.u.hvmcontext.size;
    return rc;
}

START_TEST(records_go_out_and_come_back)
{
    uint64_t buf[4] = { 0, 0, 0, 0xaa };
    uint32_t size = 0;

    ck_assert_int_eq(records(XEN_DOMCTL_gethvmcontext, guest, NULL, &size), 0);
    ck_assert_uint_eq(size, 24);
    for (unsigned int i = 0; i < 3; i++) {
        guest->vcpu[i]->arch->rax = 100 + i;
    }
    size = sizeof(buf);
    ck_assert_int_eq(records(XEN_DOMCTL_gethvmcontext, guest, buf, &size), 0);
    ck_assert_uint_eq(size, 24);
    ck_assert_uint_eq(buf[2], 102);
    ck_assert_uint_eq(buf[3], 0xaa);
    buf[1] = 7;
    ck_assert_int_eq(records(XEN_DOMCTL_sethvmcontext, guest, buf, &size), 0);
    ck_assert_uint_eq(guest->vcpu[1]->arch->rax, 7);
    ck_assert(vcpu_is_runnable(guest->vcpu[1]));
}
END_TEST

START_TEST(records_of_a_wrong_size_are_refused)
{
    static const uint32_t bad[] = { 0, 25, 1u << 20, UINT32_MAX };
    uint64_t buf[4] = { 0 };
    uint32_t size = 23;

    ck_assert_int_eq(records(XEN_DOMCTL_gethvmcontext, guest, buf, &size),
                     -ENOSPC);
    size = 0;
    ck_assert_int_eq(records(XEN_DOMCTL_gethvmcontext, guest, buf, &size),
                     -ENOSPC);
    for (unsigned int i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        size = bad[i];
        ck_assert_int_eq(records(XEN_DOMCTL_sethvmcontext, guest, buf, &size),
                         -EINVAL);
    }
    size = 23;
    ck_assert_int_eq(records(XEN_DOMCTL_sethvmcontext, guest, buf, &size),
                     -ENODATA);
    size = 24;
    ck_assert_int_eq(records(XEN_DOMCTL_sethvmcontext, guest, (void *)8,
                             &size), -EFAULT);
    ck_assert(vcpu_is_runnable(guest->vcpu[0]));
}
END_TEST

/* The records would set the personality's ring 0. */
START_TEST(a_pv_domain_has_no_records)
{
    uint64_t buf[4] = { 0 };
    uint32_t size = 8;

    ck_assert_int_eq(records(XEN_DOMCTL_gethvmcontext, pv, buf, &size),
                     -EINVAL);
    ck_assert_int_eq(records(XEN_DOMCTL_sethvmcontext, pv, buf, &size),
                     -EINVAL);
    ck_assert_int_eq(records(XEN_DOMCTL_gethvmcontext, control, buf, &size),
                     -EINVAL);
    ck_assert_int_eq(records(XEN_DOMCTL_sethvmcontext, control, buf, &size),
                     -EINVAL);
}
END_TEST

/* ---- a suspended domain goes on ---- */

static uint32_t state_of(const struct domain *d)
{
    struct xen_domctl op = { .domain = d->id };

    ck_assert_int_eq(control_op(XEN_DOMCTL_getdomaininfo, &op), 0);
    return op.u.getdomaininfo.flags;
}

/* As libxc's xc_domain_resume(fast): the hypercall returns 1. */
START_TEST(a_suspended_domain_goes_on)
{
    vcpu_guest_context_t *c = calloc(1, sizeof(*c));
    struct xen_domctl op = { .domain = guest->id };

    ck_assert_ptr_nonnull(c);
    domain_shutdown(guest, SHUTDOWN_suspend);
    ck_assert_uint_eq(state_of(guest) & XEN_DOMINF_shutdown,
                      XEN_DOMINF_shutdown);
    ck_assert_uint_eq(state_of(guest) >> XEN_DOMINF_shutdownshift
                      & XEN_DOMINF_shutdownmask, SHUTDOWN_suspend);
    op.u.vcpucontext.ctxt.p = c;
    ck_assert_int_eq(control_op(XEN_DOMCTL_getvcpucontext, &op), 0);
    c->user_regs.rax = 1;
    ck_assert_int_eq(control_op(XEN_DOMCTL_setvcpucontext, &op), 0);
    ck_assert_uint_eq(guest->vcpu[0]->arch->rax, 1);
    ck_assert(!vcpu_is_runnable(guest->vcpu[0]));
    ck_assert_int_eq(control_op(XEN_DOMCTL_resumedomain, &op), 0);
    ck_assert_uint_eq(state_of(guest) & XEN_DOMINF_shutdown, 0);
    ck_assert(vcpu_is_runnable(guest->vcpu[0]));
    ck_assert_uint_eq(guest->pause_count, 0);
    free(c);
}
END_TEST

/* Without a context: the vcpu has none, and is down; another starts it. */
START_TEST(a_vcpu_is_reset)
{
    vcpu_guest_context_t *c = calloc(1, sizeof(*c));
    struct xen_domctl op = { .domain = guest->id };
    struct vcpu *v = guest->vcpu[0];

    ck_assert_ptr_nonnull(c);
    v->arch->rax = 4711;
    v->is_blocked = true;
    evtchn_poll_start(v, 3);
    ck_assert_int_eq(control_op(XEN_DOMCTL_setvcpucontext, &op), 0);
    ck_assert(v->is_down);
    ck_assert(!v->is_initialised);
    ck_assert(!v->is_blocked);
    ck_assert(!evtchn_is_polling(v));
    ck_assert_uint_eq(v->pause_count, 0);
    ck_assert_uint_eq(v->arch->rax, 0);
    ck_assert_int_eq(vcpu_up(v), -EINVAL);
    op.u.vcpucontext.ctxt.p = c;
    ck_assert_int_eq(control_op(XEN_DOMCTL_getvcpucontext, &op), -ENODATA);
    op.u.vcpucontext.vcpu = 99;
    ck_assert_int_eq(control_op(XEN_DOMCTL_getvcpucontext, &op), -EINVAL);
    ck_assert_int_eq(control_op(XEN_DOMCTL_setvcpucontext, &op), -EINVAL);
    op.domain = control->id;
    op.u.vcpucontext.vcpu = 1;
    op.u.vcpucontext.ctxt.p = NULL;
    ck_assert_int_eq(control_op(XEN_DOMCTL_setvcpucontext, &op), -EINVAL);
    free(c);
}
END_TEST

static uint64_t then;               /* its rax when it was let run on */

/* A CPU takes it up, and it gets where it has its guest's registers. */
static void on_wake(struct vcpu *v)
{
    if (v->is_settling) {
        then = v->arch->rax;
        v->arch->rax = 42;
        v->arch->is_between = false;
        v->is_settling = false;
    }
}

/*
 * Registers were read, and others set, in the middle of what the hypervisor's
 * part in the guest did with them: the guest died.
 */
START_TEST(registers_are_not_read_while_they_change)
{
    vcpu_guest_context_t *c = calloc(1, sizeof(*c));
    struct xen_domctl op = { .domain = guest->id };
    struct vcpu *v = guest->vcpu[0];

    ck_assert_ptr_nonnull(c);
    op.u.vcpucontext.ctxt.p = c;
    domain_pause(guest);
    machine_on_wake = on_wake;
    v->arch->is_between = true;
    v->arch->rax = 1;
    ck_assert_int_eq(control_op(XEN_DOMCTL_getvcpucontext, &op), 0);
    ck_assert_uint_eq(then, 1);
    ck_assert_uint_eq(c->user_regs.rax, 42);
    v->arch->is_between = true;
    v->arch->rax = 2;
    c->user_regs.rax = 4711;
    ck_assert_int_eq(control_op(XEN_DOMCTL_setvcpucontext, &op), 0);
    ck_assert_uint_eq(then, 2);
    ck_assert_uint_eq(v->arch->rax, 4711);
    v->arch->is_between = true;
    op.u.vcpucontext.ctxt.p = NULL;
    ck_assert_int_eq(control_op(XEN_DOMCTL_setvcpucontext, &op), 0);
    ck_assert_uint_eq(then, 4711);
    ck_assert(v->is_down);
    machine_on_wake = NULL;
    domain_unpause(guest);
    free(c);
}
END_TEST

/* Nor for a guest that never gets there is a CPU held: it is asked again. */
START_TEST(who_settles_is_asked_for_again)
{
    vcpu_guest_context_t *c = calloc(1, sizeof(*c));
    struct xen_domctl op = { .domain = guest->id };

    ck_assert_ptr_nonnull(c);
    op.u.vcpucontext.ctxt.p = c;
    op.interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    guest->vcpu[0]->arch->is_between = true;
    machine_step_time(1000);
    ck_assert_int_eq(domctl_get_context(guest, &op), -ERESTART);
    ck_assert_int_eq(domctl_set_context(guest, &op), -ERESTART);
    machine_step_time(0);
    ck_assert_uint_eq(guest->pause_count, 0);
    free(c);
}
END_TEST

/* Two vcpus that pause their domain wait for each other for ever. */
START_TEST(a_domain_does_not_read_its_own_vcpus)
{
    vcpu_guest_context_t *c = calloc(1, sizeof(*c));
    struct xen_domctl op = { .domain = control->id };

    ck_assert_ptr_nonnull(c);
    op.u.vcpucontext.vcpu = 1;
    op.u.vcpucontext.ctxt.p = c;
    ck_assert_int_eq(control_op(XEN_DOMCTL_getvcpucontext, &op), -EINVAL);
    ck_assert_int_eq(control_op(XEN_DOMCTL_setvcpucontext, &op), -EINVAL);
    free(c);
}
END_TEST

/*
 * The toolstack reads a domain's memory as soon as it is told that it has
 * shut down; a vcpu on another CPU took a while to hear of it, and wrote on.
 */
static void *leave_later(void *arg)
{
    struct vcpu *v = arg;

    usleep(20000);
    __atomic_store_n(&v->sched.is_running, false, __ATOMIC_RELEASE);
    return NULL;
}

START_TEST(shut_down_is_said_when_no_vcpu_runs)
{
    struct vcpu *v = guest->vcpu[1];
    pthread_t thread;

    domain_shutdown(guest, SHUTDOWN_suspend);
    v->sched.is_running = true;
    ck_assert_int_eq(pthread_create(&thread, NULL, leave_later, v), 0);
    ck_assert_uint_eq(state_of(guest) & XEN_DOMINF_shutdown,
                      XEN_DOMINF_shutdown);
    ck_assert(!__atomic_load_n(&v->sched.is_running, __ATOMIC_ACQUIRE));
    ck_assert_int_eq(pthread_join(thread, NULL), 0);
}
END_TEST

START_TEST(a_tsc_of_another_rate_is_refused)
{
    static const struct { uint32_t mode; int64_t apart; int rc; } of[] = {
        { 0, 0, 0 }, { 2, 0, 0 }, { 1, 0, -EOPNOTSUPP },
        { 3, 0, -EOPNOTSUPP }, { 0, 1000, 0 }, { 0, -1000, 0 },
        { 0, 1001, -EOPNOTSUPP }, { 2, -1001, -EOPNOTSUPP },
    };

    for (unsigned int i = 0; i < sizeof(of) / sizeof(of[0]); i++) {
        struct xen_domctl op = { .domain = guest->id };

        op.u.tsc_info.tsc_mode = of[i].mode;
        op.u.tsc_info.gtsc_khz = (uint32_t)((int64_t)arch_tsc_khz()
                                            + of[i].apart);
        ck_assert_int_eq(control_op(XEN_DOMCTL_settscinfo, &op), of[i].rc);
        op.u.tsc_info.tsc_mode = 0;
        op.u.tsc_info.gtsc_khz = 0;
        ck_assert_int_eq(control_op(XEN_DOMCTL_settscinfo, &op), 0);
    }
}
END_TEST

/* ---- two processes of the control domain at once ---- */

static void get_size_on_cpu_1(void)
{
    struct xen_domctl op = ask(guest, 0, NULL, 0);

    env_run(control->vcpu[1]);
    ck_assert_int_eq(record(&op), 0);
}

static bool is_guest_controlled(void)
{
    return step_is_free() && guest->is_controlled;
}

/* One execution of the hypercall: false if it is to be executed again. */
static bool pause_once(struct domain *d, uint64_t *result)
{
    struct xen_domctl op = {
        .domain = d->id, .cmd = XEN_DOMCTL_pausedomain,
        .interface_version = XEN_DOMCTL_INTERFACE_VERSION,
    };
    struct vcpu *v = control->vcpu[0];

    v->arch->arg[0] = env_arg(&op);
    return hypercall(v, __HYPERVISOR_domctl, result);
}

/*
 * Nothing kept two operations on one domain apart, but many look first and
 * then act: two that make its vcpus made two of one id.
 */
START_TEST(one_operation_at_a_time_on_a_domain)
{
    uint64_t result;

    ck_assert(step_hold(get_size_on_cpu_1, is_guest_controlled));
    ck_assert(!pause_once(guest, &result));
    ck_assert_uint_eq(guest->controller_pauses, 0);
    /* Another domain has nothing to do with it. */
    ck_assert(pause_once(pv, &result));
    ck_assert_uint_eq(result, 0);
    step_release();
    ck_assert(pause_once(guest, &result));
    ck_assert_uint_eq(result, 0);
    ck_assert_uint_eq(guest->controller_pauses, 1);
}
END_TEST

static Suite *suite(void)
{
    Suite *s = suite_create("domctl_policy");
    TCase *t = unit_case(s, "hvm record");

    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, a_vcpus_registers_come_alone);
    tcase_add_test(t, a_null_buffer_asks_for_the_size);
    tcase_add_test(t, a_short_buffer_is_not_touched);
    tcase_add_test(t, a_buffer_that_is_not_there_is_a_fault);
    tcase_add_test(t, an_instance_that_is_not_there_has_no_record);
    tcase_add_test(t, a_vcpu_that_is_down_has_no_registers);
    tcase_add_test(t, other_records_are_refused);
    tcase_add_test(t, only_another_hvm_domain_that_lives_has_records);
    tcase_add_test(t, a_guest_reads_nobodys_registers);
    t = unit_case(s, "save and restore");
    tcase_add_checked_fixture(t, setup, NULL);
    tcase_add_test(t, records_go_out_and_come_back);
    tcase_add_test(t, records_of_a_wrong_size_are_refused);
    tcase_add_test(t, a_pv_domain_has_no_records);
    tcase_add_test(t, a_suspended_domain_goes_on);
    tcase_add_test(t, a_vcpu_is_reset);
    tcase_add_test(t, registers_are_not_read_while_they_change);
    tcase_add_test(t, who_settles_is_asked_for_again);
    tcase_add_test(t, a_domain_does_not_read_its_own_vcpus);
    tcase_add_test(t, shut_down_is_said_when_no_vcpu_runs);
    tcase_add_test(t, a_tsc_of_another_rate_is_refused);
    tcase_add_test(t, one_operation_at_a_time_on_a_domain);
    return s;
}

int main(void)
{
    return unit_run(suite());
}
