/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netback/vif.c: a vif's life, on a fake XenStore and fake queues.  What a
 * frontend, a toolstack or a crash may do to it, in any order.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "netback/vif.h"
#include "netback/vif_log.h"
#include "tests/fake/control.h"
#include "tests/fake/log.h"
#include "tests/fake/xenstore.h"
#include "tools/libdom0/dom0.h"
#include "tools/libdom0/xenbus.h"
#include "unit.h"

#define BACKEND "/local/domain/0/backend/vif/1/0"
#define FRONTEND "/local/domain/1/device/vif/0"

static struct vif *vif;
static unsigned int undone;
static uint16_t queues;
static const char *refuse_queues;
static int refuse_error;
static bool have_window;
static bool kernel_driver;
static struct { unsigned int calls; bool link, queues_changed; } told;
static struct access fake_access;
static const struct access_ops fake_ops = { .name = "fake" };

void control_release(struct control_member *member, struct xs_handle *xs)
{
    vif_release((struct vif *)member, xs);
}

bool dom0_kernel_has_vif(unsigned int domid, unsigned int handle,
                         char *driver, size_t size)
{
    ck_assert_uint_eq(domid, 1);
    ck_assert_uint_eq(handle, 0);
    snprintf(driver, size, "vif");
    return kernel_driver;
}

int vif_queues_connect(struct vif *v, struct xs_handle *xs, const char **why)
{
    (void)xs;
    ck_assert_uint_eq(v->queue_count, 0);
    if (refuse_queues != NULL) {
        *why = refuse_queues;
        return refuse_error;
    }
    v->window = have_window ? (struct direct_window *)v : NULL;
    v->no_window = have_window ? NULL : "there is none";
    fake_access.ops = &fake_ops;
    v->queues[0].from.access = &fake_access;
    v->queue_count = queues;
    return 0;
}

void vif_queues_undo(struct vif *v, struct xs_handle *xs)
{
    (void)xs;
    ck_assert(!v->joined);
    undone++;
}

void vif_queues_disconnect(struct vif *v)
{
    v->queue_count = 0;
}

void vif_local_disconnect(struct vif *v)
{
    ck_assert_ptr_null(v);      /* this is no local vif */
}

static void changed(uint16_t owner, bool link, bool queues_changed)
{
    ck_assert_uint_eq(owner, 9);
    told.calls++;
    told.link = link;
    told.queues_changed = queues_changed;
}

/* What xl writes before the backend is asked for anything. */
static void toolstack_creates(void)
{
    fake_store_set(BACKEND "/frontend", FRONTEND);
    fake_store_set(BACKEND "/frontend-id", "1");
    fake_store_set(BACKEND "/online", "1");
    fake_store_set(BACKEND "/state", "1");
    fake_store_set(BACKEND "/mac", "00:16:3e:00:00:01");
    fake_store_set(FRONTEND "/state", "1");
    fake_store_set(FRONTEND "/request-rx-copy", "1");
}

static void update(void)
{
    vif_update(vif, fake_store_handle());
    /* A second look at the same nodes never does or says anything. */
    unsigned int writes = fake_store_writes();
    unsigned int said = fake_log_lines;

    vif_update(vif, fake_store_handle());
    ck_assert_uint_eq(writes, fake_store_writes());
    ck_assert_uint_eq(said, fake_log_lines);
}

static void frontend(const char *state)
{
    fake_store_set(FRONTEND "/state", state);
    update();
}

static void expect(const char *state, enum vif_life life)
{
    ck_assert_str_eq(fake_store_get(BACKEND "/state"), state);
    ck_assert_int_eq(vif->life, life);
    ck_assert_int_eq(vif->queue_count != 0, life == VIF_CONNECTED);
    ck_assert_int_eq(vif->link, life == VIF_CONNECTED);
}

static void setup(void)
{
    const struct vif_config config = {
        .domid = 1, .handle = 0, .queues = 4, .changed = changed, .owner = 9,
    };

    fake_store_reset();
    fake_log_lines = fake_control_kicks = undone = 0;
    queues = 1;
    refuse_queues = NULL;
    refuse_error = -EINVAL;
    have_window = true;
    kernel_driver = false;
    memset(&told, 0, sizeof(told));
    vif = vif_create(&config);
    ck_assert_ptr_nonnull(vif);
    ck_assert_int_eq(vif_start(vif, false, VIF_FRAME_ANY), 0);
}

static void teardown(void)
{
    vif_destroy(vif);
}

static void connected(void)
{
    toolstack_creates();
    update();
    frontend("4");
    expect("4", VIF_CONNECTED);
}

START_TEST(test_connects)
{
    update();
    ck_assert_int_eq(vif->life, VIF_ABSENT);
    toolstack_creates();
    update();
    expect("2", VIF_WAITING);
    ck_assert_str_eq(fake_store_get(BACKEND "/feature-rx-copy"), "1");
    ck_assert_str_eq(fake_store_get(BACKEND "/feature-rx-flip"), "0");
    ck_assert_str_eq(fake_store_get(BACKEND "/feature-sg"), "0");
    ck_assert_str_eq(fake_store_get(BACKEND "/feature-ctrl-ring"), "1");
    ck_assert_str_eq(fake_store_get(BACKEND "/multi-queue-max-queues"), "4");
    frontend("3");
    expect("4", VIF_CONNECTED);
    frontend("4");
    expect("4", VIF_CONNECTED);
    ck_assert_uint_eq(told.calls, 1);
    ck_assert(told.link && !told.queues_changed);
    ck_assert_uint_eq(fake_log_lines, 1);
}
END_TEST

static void expect_offer(const char *sg, const char *gso)
{
    ck_assert_str_eq(fake_store_get(BACKEND "/feature-sg"), sg);
    ck_assert_str_eq(fake_store_get(BACKEND "/feature-gso-tcpv4"), gso);
    ck_assert_str_eq(fake_store_get(BACKEND "/feature-gso-tcpv6"), gso);
}

/* Chains are offered without TSO too; to a guest that connects after it. */
START_TEST(test_large_mtu)
{
    connected();
    expect_offer("0", "0");
    ck_assert_int_eq(vif_start(vif, false, 9022), 0);
    ck_assert_uint_eq(vif->queues[3].from.frame_max, 9022);
    update();
    expect_offer("0", "0");
    frontend("1");
    expect_offer("1", "0");
    ck_assert_int_eq(vif_start(vif, false, VIF_FRAME_ANY), 0);
    ck_assert_uint_eq(vif->queues[0].from.frame_max, VIF_FRAME_ANY);
    frontend("4");
    frontend("1");
    expect_offer("0", "0");
}
END_TEST

/* With TSO there is no limit but 64 KiB, whatever the MTU becomes. */
START_TEST(test_tso)
{
    const struct vif_config config = vif->config;

    vif_destroy(vif);
    vif = vif_create(&config);
    ck_assert_int_eq(vif_start(vif, true, VIF_FRAME_ANY), 0);
    ck_assert_int_eq(vif_start(vif, false, 9022), 0);
    ck_assert_uint_eq(vif->queues[0].from.frame_max, VIF_FRAME_ANY);
    connected();
    expect_offer("1", "1");
}
END_TEST

/* How the guest's memory is reached, and why, is there to be read. */
START_TEST(test_says_which_access)
{
    connected();
    ck_assert_str_eq(fake_store_get(BACKEND "/gantry-access"), "direct");
    ck_assert(!fake_log_says("there is none"));
    have_window = false;
    frontend("6");
    frontend("1");
    frontend("4");
    ck_assert_str_eq(fake_store_get(BACKEND "/gantry-access"),
                     "copy: there is none");
    ck_assert(fake_log_says("by fake: there is none"));
}
END_TEST

/* Another process has the vif: its guest must not notice us. */
START_TEST(test_served_by_another_process)
{
    toolstack_creates();
    fake_store_set(BACKEND "/state", "4");
    fake_store_set(FRONTEND "/state", "4");
    refuse_queues = "another process serves it";
    refuse_error = -EBUSY;
    update();
    ck_assert_int_eq(vif->life, VIF_WAITING);
    ck_assert(vif->busy);
    ck_assert_str_eq(fake_store_get(BACKEND "/state"), "4");
    ck_assert(fake_log_says("waits: another process"));
    refuse_queues = NULL;
    update();
    expect("4", VIF_CONNECTED);
    ck_assert(!vif->busy);
}
END_TEST

START_TEST(test_tells_of_queues_once)
{
    queues = 3;
    connected();
    ck_assert(told.queues_changed);
    frontend("5");
    frontend("6");
    frontend("1");
    frontend("4");
    expect("4", VIF_CONNECTED);
    ck_assert(!told.queues_changed);
}
END_TEST

START_TEST(test_closes_and_connects_again)
{
    connected();
    frontend("5");
    expect("5", VIF_CLOSED);
    frontend("6");
    expect("6", VIF_CLOSED);
    frontend("1");
    expect("2", VIF_WAITING);
    frontend("4");
    expect("4", VIF_CONNECTED);
}
END_TEST

START_TEST(test_frontend_starts_anew_without_closing)
{
    connected();
    frontend("1");      /* a crashed kernel booted again by kexec */
    expect("2", VIF_WAITING);
    frontend("4");
    expect("4", VIF_CONNECTED);
}
END_TEST

START_TEST(test_joins_a_connected_frontend)
{
    toolstack_creates();
    fake_store_set(BACKEND "/state", "4");
    fake_store_set(FRONTEND "/state", "4");
    update();
    expect("4", VIF_CONNECTED);
    /* Nothing was offered anew: the guest keeps what it had. */
    ck_assert_str_eq(fake_store_get(BACKEND "/feature-rx-copy"), "");
    ck_assert_uint_eq(undone, 0);   /* that is connect's work */
}
END_TEST

/*
 * A process was killed between opening the rings and saying so: packets may
 * have gone through them, and the guest goes by what that process offered.
 */
START_TEST(test_joins_what_was_being_connected)
{
    toolstack_creates();
    fake_store_set(BACKEND "/feature-rx-copy", "1");
    fake_store_set(BACKEND "/feature-gso-tcpv4", "1");
    fake_store_set(BACKEND "/state", "2");
    fake_store_set(FRONTEND "/state", "4");
    update();
    expect("4", VIF_CONNECTED);
    ck_assert(vif->joined);
    ck_assert_uint_eq(undone, 0);
    ck_assert_str_eq(fake_store_get(BACKEND "/feature-gso-tcpv4"), "1");
}
END_TEST

/* gantry-bridge writes InitWait, with no features, for one that failed. */
START_TEST(test_offers_what_only_waits)
{
    toolstack_creates();
    fake_store_set(BACKEND "/state", "2");
    fake_store_set(FRONTEND "/state", "4");
    update();
    expect("4", VIF_CONNECTED);
    ck_assert(!vif->joined);
    ck_assert_str_eq(fake_store_get(BACKEND "/feature-rx-copy"), "1");
}
END_TEST

/*
 * A frontend that has left a killed process's rings: the flags that are set
 * in its grants keep it from using them again, or are another's by the time
 * that it connects.
 */
START_TEST(test_undoes_at_the_first_look)
{
    static const char *const states[] = { "1", "5", "6", "4" };

    toolstack_creates();
    fake_store_set(BACKEND "/state", _i == 3 ? "5" : "4");
    fake_store_set(FRONTEND "/state", states[_i]);
    update();
    ck_assert_uint_eq(undone, 1);
    frontend("6");
    frontend("1");
    frontend("4");
    expect("4", VIF_CONNECTED);
    ck_assert_uint_eq(undone, 1);
}
END_TEST

START_TEST(test_toolstack_removes)
{
    connected();
    fake_store_set(BACKEND "/online", "0");
    fake_store_set(BACKEND "/state", "5");
    update();
    expect("6", VIF_CLOSED);
    fake_store_remove(BACKEND);
    update();
    ck_assert_int_eq(vif->life, VIF_ABSENT);
    ck_assert(fake_log_says("vif1.0: device gone"));
    /* Nothing was written into the directory that went. */
    ck_assert_str_eq(fake_store_get(BACKEND "/state"), "");
    connected();                /* it is attached again */
    ck_assert_uint_eq(fake_store_watches(), 2);
}
END_TEST

START_TEST(test_domain_goes)
{
    connected();
    fake_store_set_domain(false);
    update();
    expect("6", VIF_ABSENT);
    ck_assert(fake_log_says("vif1.0: domain gone"));
}
END_TEST

/*
 * A guest that starts another kernel by kexec: xl's soft reset takes the
 * domain out of XenStore, removes its devices, and makes both again under
 * the same numbers.  The port never came back to life.
 */
START_TEST(test_soft_reset)
{
    connected();
    fake_store_set_domain(false);
    update();
    expect("6", VIF_ABSENT);
    fake_store_remove(BACKEND);
    fake_store_remove(FRONTEND);
    update();
    fake_store_set_domain(true);
    toolstack_creates();
    update();
    expect("2", VIF_WAITING);
    frontend("4");
    expect("4", VIF_CONNECTED);
    ck_assert_uint_eq(fake_store_watches(), 2);
}
END_TEST

/*
 * All that the toolstack does between two looks is one change.  Whatever we
 * had written into the directory that was, this one is without it.
 */
START_TEST(test_made_again_unseen)
{
    toolstack_creates();
    update();
    switch (_i) {
    case 0:                     /* waiting, the frontend Initialising */
        break;
    case 1:
        frontend("4");
        break;
    case 2:                     /* closed before it had a frontend */
        fake_store_set(BACKEND "/online", "0");
        fake_store_set(BACKEND "/state", "5");
        update();
        expect("6", VIF_CLOSED);
        break;
    default:
        frontend("4");
        vif->queues[0].from.broken(vif, "the ring is a lie");
        update();
    }
    fake_store_remove(BACKEND);
    fake_store_remove(FRONTEND);
    toolstack_creates();
    update();
    expect("2", VIF_WAITING);
    ck_assert_str_eq(fake_store_get(BACKEND "/feature-rx-copy"), "1");
    frontend("4");
    expect("4", VIF_CONNECTED);
}
END_TEST

/* xenstored does not tell a driver domain whether a guest is there. */
START_TEST(test_driver_domain)
{
    fake_store_set_privileged(false);
    connected();
    fake_store_remove(BACKEND);
    update();
    ck_assert_int_eq(vif->life, VIF_ABSENT);
    connected();
}
END_TEST

START_TEST(test_waits_for_a_domain_to_come)
{
    fake_store_set_domain(false);
    update();
    ck_assert_int_eq(vif->life, VIF_ABSENT);
    ck_assert_uint_eq(fake_log_lines, 0);
    fake_store_set_domain(true);
    connected();
}
END_TEST

START_TEST(test_xenstored_away_means_nothing)
{
    connected();
    fake_store_set_broken(true);
    update();
    ck_assert_int_eq(vif->life, VIF_CONNECTED);
    fake_store_set_broken(false);
    update();
    expect("4", VIF_CONNECTED);
}
END_TEST

/* It goes away between two answers. */
START_TEST(test_xenstored_goes_during_a_look)
{
    connected();
    for (unsigned int calls = 0; calls < 16; calls++) {
        fake_store_break_after(calls);
        vif_update(vif, fake_store_handle());
        expect("4", VIF_CONNECTED);
        fake_store_set_broken(false);
        update();
        expect("4", VIF_CONNECTED);
    }
}
END_TEST

START_TEST(test_broken_ring_disables_this_vif)
{
    connected();
    vif->queues[0].from.broken(vif, "the ring is a lie");
    ck_assert_uint_eq(fake_control_kicks, 1);
    update();
    expect("5", VIF_BROKEN);
    ck_assert_str_eq(
        fake_store_get("/local/domain/0/error/backend/vif/1/0/error"),
        "71 the ring is a lie");
    frontend("6");
    expect("6", VIF_CLOSED);
    frontend("1");
    frontend("4");
    expect("4", VIF_CONNECTED);
}
END_TEST

START_TEST(test_bad_frontend_is_refused_once)
{
    refuse_queues = "no ring";
    toolstack_creates();
    update();
    frontend("4");
    expect("5", VIF_BROKEN);
    ck_assert(fake_log_says("disabled: no ring"));
    fake_store_set(FRONTEND "/request-rx-copy", "0");
    refuse_queues = NULL;
    frontend("6");
    frontend("1");
    frontend("4");
    expect("5", VIF_BROKEN);
}
END_TEST

START_TEST(test_kernel_driver_keeps_its_vif)
{
    static const char *const states[] = { "4", "5", "6" };

    kernel_driver = true;
    toolstack_creates();
    update();
    expect("1", VIF_HELD);
    ck_assert(fake_log_says("the kernel's driver vif"));
    /* It closes what it has by itself. */
    for (unsigned int i = 0; i < 3; i++) {
        frontend(states[i]);
    }
    fake_store_set(BACKEND "/online", "0");
    fake_store_set(BACKEND "/state", "5");
    update();
    ck_assert_uint_eq(fake_store_writes(), 0);
    ck_assert_uint_eq(fake_log_lines, 1);
    fake_store_remove(BACKEND);
    update();
    kernel_driver = false;
    connected();
}
END_TEST

START_TEST(test_foreign_frontend_path_is_ignored)
{
    toolstack_creates();
    fake_store_set(BACKEND "/frontend", "/local/domain/12/device/vif/0");
    update();
    ck_assert_int_eq(vif->life, VIF_ABSENT);
    fake_store_set(BACKEND "/frontend", FRONTEND);
    fake_store_set(BACKEND "/frontend-id", "2");
    update();
    ck_assert_int_eq(vif->life, VIF_ABSENT);
}
END_TEST

/* Any sequence of states of both sides: never an abort, never a link without
 * queues, and a proper frontend gets its vif in the end. */
START_TEST(test_random_states)
{
    toolstack_creates();
    for (int i = 0; i < 5000; i++) {
        char state[2] = { (char)('0' + random() % 10), '\0' };

        if (random() % 8 == 0) {
            vif->queues[0].to.broken(vif, "random");
        }
        queues = (uint16_t)(1 + random() % 4);
        fake_store_set(random() % 4 == 0 ? BACKEND "/state"
                                         : FRONTEND "/state", state);
        vif_update(vif, fake_store_handle());
        ck_assert_int_eq(vif->link, vif->life == VIF_CONNECTED);
        ck_assert_int_eq(vif->queue_count != 0, vif->link);
    }
    fake_store_set(BACKEND "/state", "6");
    frontend("5");
    frontend("6");
    frontend("1");
    frontend("4");
    expect("4", VIF_CONNECTED);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vif_life");
    TCase *tcase = unit_case(suite, "vif_life");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, test_connects);
    tcase_add_test(tcase, test_large_mtu);
    tcase_add_test(tcase, test_tso);
    tcase_add_test(tcase, test_says_which_access);
    tcase_add_test(tcase, test_served_by_another_process);
    tcase_add_test(tcase, test_tells_of_queues_once);
    tcase_add_test(tcase, test_closes_and_connects_again);
    tcase_add_test(tcase, test_frontend_starts_anew_without_closing);
    tcase_add_test(tcase, test_joins_a_connected_frontend);
    tcase_add_test(tcase, test_joins_what_was_being_connected);
    tcase_add_test(tcase, test_offers_what_only_waits);
    tcase_add_loop_test(tcase, test_undoes_at_the_first_look, 0, 4);
    tcase_add_test(tcase, test_toolstack_removes);
    tcase_add_test(tcase, test_domain_goes);
    tcase_add_test(tcase, test_soft_reset);
    tcase_add_loop_test(tcase, test_made_again_unseen, 0, 4);
    tcase_add_test(tcase, test_driver_domain);
    tcase_add_test(tcase, test_waits_for_a_domain_to_come);
    tcase_add_test(tcase, test_xenstored_away_means_nothing);
    tcase_add_test(tcase, test_xenstored_goes_during_a_look);
    tcase_add_test(tcase, test_broken_ring_disables_this_vif);
    tcase_add_test(tcase, test_bad_frontend_is_refused_once);
    tcase_add_test(tcase, test_kernel_driver_keeps_its_vif);
    tcase_add_test(tcase, test_foreign_frontend_path_is_ignored);
    tcase_add_test(tcase, test_random_states);
    return unit_run(suite);
}
