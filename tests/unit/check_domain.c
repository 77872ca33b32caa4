/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Domains: ids and references, pauses, shutdown, and that the end of one
 * gives back every frame whatever it held and whenever it comes.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "core/evtchn.h"
#include "core/frame.h"
#include "core/p2m.h"
#include "core/page_alloc.h"
#include "core_env.h"
#include "fake/machine.h"
#include "unit.h"

static struct domain *zero;

static void setup(void)
{
    env_start();
    zero = env_domain(0, 2);
    env_run(zero->vcpu[0]);
}

static void reap(void)
{
    for (unsigned int i = 0; i < 1000; i++) {
        domain_reap();
    }
}

static unsigned int kill(struct domain *d)
{
    unsigned int restarts_seen = 0;
    int rc;

    while ((rc = domain_kill(d)) == -ERESTART) {
        ck_assert_uint_lt(restarts_seen++, 10000);
    }
    ck_assert_int_eq(rc, 0);
    return restarts_seen;
}

static struct xen_domctl_createdomain config(unsigned int vcpus)
{
    return (struct xen_domctl_createdomain){
        .flags = XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap,
        .max_vcpus = vcpus, .max_evtchn_port = 1023,
        .max_grant_frames = -1, .max_maptrack_frames = -1,
    };
}

START_TEST(test_ids)
{
    struct xen_domctl_createdomain c = config(1);
    struct domain *a, *b, *found;

    ck_assert_int_eq(domain_create(DOMID_INVALID, &c, false, &a), 0);
    ck_assert_int_eq(domain_create(DOMID_INVALID, &c, false, &b), 0);
    ck_assert_uint_ne(a->id, b->id);
    ck_assert_int_eq(domain_create(a->id, &c, false, &found), -EEXIST);
    reap();
    found = domain_get_by_id(b->id);
    ck_assert_ptr_eq(found, b);
    domain_put(found);
    ck_assert_ptr_null(domain_get_by_id(77));
    ck_assert_ptr_null(domain_get_by_id(DOMID_SELF));
    ck_assert_ptr_null(domain_get_by_id(DOMID_INVALID));
    found = domain_get_any(DOMID_SELF);
    ck_assert_ptr_eq(found, zero);
    domain_put(found);
    found = domain_get_next(1);
    ck_assert_ptr_eq(found, a);
    domain_put(found);
    c.max_vcpus = 0;
    ck_assert_int_eq(domain_create(DOMID_INVALID, &c, false, &b), -EINVAL);
}
END_TEST

/* An id is not given again at once: who still uses the old one notices. */
START_TEST(test_ids_go_round)
{
    struct xen_domctl_createdomain c = config(1);
    domid_t last = 0;

    for (unsigned int i = 0; i < 20; i++) {
        struct domain *d;

        ck_assert_int_eq(domain_create(DOMID_INVALID, &c, false, &d), 0);
        ck_assert_uint_gt(d->id, last);
        last = d->id;
        kill(d);
        domain_put(d);
        reap();
        ck_assert_ptr_null(domain_get_by_id(last));
    }
    ck_assert_uint_eq(machine_domains(), 1);
}
END_TEST

START_TEST(test_pauses)
{
    struct domain *d = env_domain(1, 1);
    struct vcpu *v = d->vcpu[0];

    ck_assert(vcpu_is_runnable(v));
    domain_pause(d);
    domain_pause_nosync(d);
    ck_assert(!vcpu_is_runnable(v));
    domain_unpause(d);
    ck_assert(!vcpu_is_runnable(v));
    domain_unpause(d);
    ck_assert(vcpu_is_runnable(v));
    vcpu_pause(v);
    ck_assert(!vcpu_is_runnable(v));
    vcpu_unpause(v);
    ck_assert(vcpu_is_runnable(v));
    for (unsigned int i = 0; i < 255; i++) {
        ck_assert_int_eq(domain_pause_by_controller(d), 0);
    }
    ck_assert_int_lt(domain_pause_by_controller(d), 0);
    for (unsigned int i = 0; i < 255; i++) {
        ck_assert_int_eq(domain_unpause_by_controller(d), 0);
    }
    ck_assert_int_eq(domain_unpause_by_controller(d), -EINVAL);
    ck_assert(vcpu_is_runnable(v));
}
END_TEST

START_TEST(test_created_paused)
{
    struct xen_domctl_createdomain c = config(1);
    struct domain *d;

    ck_assert_int_eq(domain_create(DOMID_INVALID, &c, false, &d), 0);
    ck_assert_int_eq(vcpu_create(d, 0), 0);
    ck_assert_int_eq(vcpu_create(d, 0), -EEXIST);
    ck_assert_int_eq(vcpu_create(d, 1), -EINVAL);
    ck_assert_int_eq(vcpu_up(d->vcpu[0]), -EINVAL);
    d->vcpu[0]->is_initialised = true;
    ck_assert_int_eq(vcpu_up(d->vcpu[0]), 0);
    ck_assert(!vcpu_is_runnable(d->vcpu[0]));
    ck_assert_int_eq(d->state, DOMAIN_BUILDING);
    ck_assert_int_eq(domain_unpause_by_controller(d), 0);
    ck_assert(vcpu_is_runnable(d->vcpu[0]));
    ck_assert_int_eq(d->state, DOMAIN_RUNNING);
}
END_TEST

START_TEST(test_shutdown)
{
    struct domain *d = env_domain(1, 2);

    domain_shutdown(d, SHUTDOWN_reboot);
    ck_assert(d->is_shut_down);
    ck_assert_uint_eq(d->shutdown_code, SHUTDOWN_reboot);
    ck_assert(!vcpu_is_runnable(d->vcpu[0]));
    ck_assert(!vcpu_is_runnable(d->vcpu[1]));
    domain_crash(d, "too late");
    ck_assert_uint_eq(d->shutdown_code, SHUTDOWN_reboot);
}
END_TEST

START_TEST(test_blocking)
{
    struct domain *d = env_domain(1, 1);
    struct vcpu *v = d->vcpu[0];

    env_run(v);
    vcpu_block(v);
    ck_assert(!vcpu_is_runnable(v));
    vcpu_unblock(v);
    ck_assert(vcpu_is_runnable(v));
    v->arch->has_pending = true;
    vcpu_block(v);
    ck_assert(vcpu_is_runnable(v));
    vcpu_down(v);
    ck_assert(!vcpu_is_runnable(v));
}
END_TEST

START_TEST(test_who_cannot_be_killed)
{
    struct domain *d = env_domain(1, 1);

    ck_assert_int_eq(domain_kill(zero), -EINVAL);
    env_run(d->vcpu[0]);
    ck_assert_int_eq(domain_kill(d), -EINVAL);
}
END_TEST

static void use(struct domain *d)
{
    evtchn_alloc_unbound_t op = { .dom = DOMID_SELF, .remote_dom = 0 };
    struct xen_add_to_physmap a = { .domid = DOMID_SELF,
                                    .space = XENMAPSPACE_grant_table };
    struct frame *f;

    env_run(d->vcpu[0]);
    for (unsigned int i = 0; i < 100; i++) {
        ck_assert_int_eq(env_evtchn(EVTCHNOP_alloc_unbound, &op), 0);
    }
    for (unsigned int i = 0; i < 4; i++) {
        a.idx = i;
        a.gpfn = 0x8000 + i;
        ck_assert_int_eq(env_call(__HYPERVISOR_memory_op,
                                  XENMEM_add_to_physmap, env_arg(&a), 0), 0);
    }
    d->max_pages = 8192;
    for (unsigned int i = 0; i < 10; i++) {
        f = page_alloc_domain(d, 9);
        ck_assert_ptr_nonnull(f);
        ck_assert_int_eq(p2m_set(d, gfn(0x10000 + i * 512), frame_mfn(f), 9,
                                 P2M_RAM_RW), 0);
    }
    ck_assert_int_eq(page_alloc_claim(d, 8000), 0);
    env_run(zero->vcpu[0]);
}

/* Page-exact from the second round on, as the contract has it. */
START_TEST(test_every_frame_comes_back)
{
    uint64_t left = 0;

    for (unsigned int round = 1; round <= 50; round++) {
        struct domain *d = env_domain(DOMID_INVALID, 4);

        use(d);
        kill(d);
        ck_assert_uint_eq(d->tot_pages, 0);
        domain_put(d);
        reap();
        if (round == 2) {
            left = page_alloc_free();
        }
        if (round > 2) {
            ck_assert_uint_eq(page_alloc_free(), left);
        }
        ck_assert_uint_eq(page_alloc_claimed(), 0);
        ck_assert_uint_eq(machine_domains(), 1);
    }
}
END_TEST

START_TEST(test_kill_is_bounded)
{
    struct domain *d = env_domain(1, 1);

    use(d);
    ck_assert_uint_ge(kill(d), 1);
}
END_TEST

/* dom0 still maps a page: the frame and the corpse stay, nothing else. */
START_TEST(test_mapped_frame_keeps_the_corpse)
{
    struct domain *d = env_domain(1, 1);
    struct frame *f;
    uint64_t left = page_alloc_free();

    f = p2m_get_ram(d, gfn(5), true);
    ck_assert_int_eq(p2m_set(zero, gfn(0x9000), frame_mfn(f), 0,
                             P2M_FOREIGN), 0);
    kill(d);
    domain_put(d);
    reap();
    ck_assert_uint_eq(machine_domains(), 2);
    ck_assert_uint_eq(d->tot_pages, 1);
    ck_assert_uint_ge(page_alloc_free(), left + ENV_PAGES - 1 - 3);
    memset(arch_frame_map(frame_mfn(f)), 1, PAGE_SIZE);
    ck_assert_int_eq(p2m_remove(zero, gfn(0x9000), 0), 0);
    reap();
    ck_assert_uint_eq(machine_domains(), 1);
}
END_TEST

/* Memory ends at each point of creation: -ENOMEM and nothing is lost. */
START_TEST(test_creation_without_memory)
{
    struct xen_domctl_createdomain c = config(2);
    unsigned int failed = 0;
    struct domain *hog = env_domain(1, 1);
    struct domain *d;

    /* Warm up: pools that stay. */
    ck_assert_int_eq(domain_create(DOMID_INVALID, &c, false, &d), 0);
    kill(d);
    domain_put(d);
    reap();
    hog->max_pages = UINT64_MAX;
    for (unsigned int spare = 0; spare < 400; spare++) {
        uint64_t have = page_alloc_free();
        int rc;

        ck_assert_int_eq(page_alloc_claim(hog, hog->tot_pages + have
                                          - spare), 0);
        rc = domain_create(DOMID_INVALID, &c, false, &d);
        if (rc == 0) {
            int rc_vcpu = vcpu_create(d, 0);

            ck_assert(rc_vcpu == 0 || rc_vcpu == -ENOMEM);
            kill(d);
            domain_put(d);
        } else {
            ck_assert_int_eq(rc, -ENOMEM);
            failed++;
        }
        reap();
        ck_assert_int_eq(page_alloc_claim(hog, 0), 0);
        ck_assert_uint_eq(machine_domains(), 2);
        ck_assert_uint_ge(page_alloc_free() + 64, have);
        if (rc == 0) {
            break;
        }
    }
    ck_assert_uint_gt(failed, 3);
}
END_TEST

static bool is_over;

static void *looks(void *arg)
{
    machine_set_cpu(1);
    while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
        for (domid_t id = 1; id < 6; id++) {
            struct domain *d = domain_get_by_id(id);

            if (d != NULL) {
                ck_assert_uint_eq(d->id, id);
                domain_put(d);
            }
        }
    }
    return arg;
}

/* Who looks a domain up without a lock finds it whole or not at all. */
START_TEST(test_lookups_beside_ends)
{
    struct xen_domctl_createdomain c = config(1);
    pthread_t thread;

    is_over = false;
    pthread_create(&thread, NULL, looks, NULL);
    for (unsigned int i = 0; i < 1000; i++) {
        struct domain *d;

        ck_assert_int_eq(domain_create(1 + i % 5, &c, false, &d), 0);
        kill(d);
        domain_put(d);
        domain_reap();
    }
    __atomic_store_n(&is_over, true, __ATOMIC_SEQ_CST);
    pthread_join(thread, NULL);
    reap();
    ck_assert_uint_eq(machine_domains(), 1);
}
END_TEST

static unsigned int kicks[2];

static void count_kick(unsigned int cpu)
{
    kicks[cpu]++;
}

/* The CPU's loop looks for dead domains only when it was kicked. */
START_TEST(test_the_last_put_kicks_its_own_cpu)
{
    struct xen_domctl_createdomain c = config(1);
    struct domain *d, *held;

    ck_assert_int_eq(domain_create(DOMID_INVALID, &c, false, &d), 0);
    held = domain_get_by_id(d->id);
    kill(d);
    domain_put(d);
    reap();
    machine_on_kick = count_kick;
    reap();
    ck_assert_uint_eq(kicks[0], 0);
    domain_put(held);
    ck_assert_uint_eq(kicks[0], 1);
    machine_on_kick = NULL;
    reap();
    ck_assert_uint_eq(machine_domains(), 1);
}
END_TEST

START_TEST(test_dom0_shutdown_stops_the_machine)
{
    domain_shutdown(zero, SHUTDOWN_poweroff);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("domain");
    TCase *tc = unit_case(suite, "life");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_ids);
    tcase_add_test(tc, test_ids_go_round);
    tcase_add_test(tc, test_pauses);
    tcase_add_test(tc, test_created_paused);
    tcase_add_test(tc, test_shutdown);
    tcase_add_test(tc, test_blocking);
    tcase_add_test(tc, test_who_cannot_be_killed);
    tcase_add_test(tc, test_every_frame_comes_back);
    tcase_add_test(tc, test_kill_is_bounded);
    tcase_add_test(tc, test_mapped_frame_keeps_the_corpse);
    tcase_add_test(tc, test_creation_without_memory);
    tcase_add_test(tc, test_lookups_beside_ends);
    tcase_add_test(tc, test_the_last_put_kicks_its_own_cpu);
    tcase_add_exit_test(tc, test_dom0_shutdown_stops_the_machine, 0);
    return unit_run(suite);
}
