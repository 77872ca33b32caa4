/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netback/vif_ctrl_xen.c: a control ring by its nodes.  A process with
 * net_xenfront that was killed left them, and Linux's netfront, which came
 * next and knows nothing of control rings, was refused for them.
 */
#include <errno.h>
#include <string.h>

#include "netback/vif_log.h"
#include "tests/fake/gcopy.h"
#include "tests/fake/log.h"
#include "tests/fake/vif_ctrl.h"
#include "tests/fake/xen.h"
#include "tests/fake/xenstore.h"
#include "unit.h"

#define FRONTEND "/local/domain/1/device/vif/0"

int vif_logtype;

static struct vif vif;

static void setup(void)
{
    fake_store_reset();
    fake_xen_reset();
    memset(&vif, 0, sizeof(vif));
    memset(&fake_vif_ctrl, 0, sizeof(fake_vif_ctrl));
    strcpy(vif.frontend, FRONTEND);
    strcpy(vif.name, "vif1.0");
    vif.config.domid = FAKE_XEN_DOMID;
    fake_log_lines = 0;
    fake_store_set(FRONTEND "/ctrl-ring-ref", "300");
    fake_store_set(FRONTEND "/event-channel-ctrl", "6");
}

static void teardown(void)
{
    ck_assert_int_eq(fake_xen_held.handles, 0);
    ck_assert_int_eq(fake_xen_held.bound, 0);
    ck_assert_int_eq(fake_gcopy_held, 0);
}

static void connects(int error, unsigned int rings, unsigned int lines)
{
    const char *why = "";

    ck_assert_int_eq(vif_ctrl_connect(&vif, fake_store_handle(), 2, &why),
                     error);
    ck_assert_uint_eq(fake_vif_ctrl.opened, rings);
    ck_assert_uint_eq(fake_log_lines, lines);
    if (rings != 0) {
        ck_assert_ptr_eq(fake_vif_ctrl.vif, &vif);
        ck_assert_uint_eq(fake_vif_ctrl.transport.ref, 300);
        ck_assert_int_eq(fake_vif_ctrl.transport.port, FAKE_XEN_PORT + 6);
        ck_assert_uint_eq(fake_vif_ctrl.queue_count, 2);
        ck_assert(fake_gcopy_config.by_ioctl);
    }
}

START_TEST(good)
{
    connects(0, 1, 0);
}
END_TEST

START_TEST(none)
{
    fake_store_reset();
    connects(0, 0, 0);
}
END_TEST

/* The channel went with the process that made it. */
START_TEST(stale)
{
    fake_xen_bind_error = EINVAL;
    connects(0, 0, 1);
    ck_assert(fake_log_says("event-channel-ctrl cannot be bound"));
}
END_TEST

START_TEST(half)
{
    fake_store_reset();
    fake_store_set(FRONTEND "/ctrl-ring-ref", "300");
    connects(0, 0, 1);
    ck_assert(fake_log_says("no event-channel-ctrl"));
}
END_TEST

START_TEST(refused)
{
    fake_vif_ctrl.error = -EPROTO;
    connects(0, 1, 1);
    ck_assert(fake_log_says("without its control ring: the ring is no good"));
}
END_TEST

/* Then the queues' accesses may have been wrapped for a ring that is not. */
START_TEST(no_memory)
{
    fake_vif_ctrl.error = -ENOMEM;
    connects(-ENOMEM, 1, 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("vif_ctrl_xen");
    TCase *tcase = unit_case(suite, "nodes");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, good);
    tcase_add_test(tcase, none);
    tcase_add_test(tcase, stale);
    tcase_add_test(tcase, half);
    tcase_add_test(tcase, refused);
    tcase_add_test(tcase, no_memory);
    return unit_run(suite);
}
