/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netback/vif_ctrl_xen.c: a control ring by its nodes.  A process with
 * net_xenfront that was killed left them, and Linux's netfront, which came
 * next and knows nothing of control rings, was refused for them.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "netback/gcopy.h"
#include "netback/vif_ctrl.h"
#include "netback/vif_log.h"
#include "tests/fake/log.h"
#include "tests/fake/xenstore.h"
#include "unit.h"

#define FRONTEND "/local/domain/1/device/vif/0"
#define PORT 7

int vif_logtype;

static struct vif vif;
static int evtchn_open, bound, accesses;    /* held now */
static int bind_error, open_error;
static unsigned int opened;
static int event_fd = -1;
static struct access fake_access;

static void access_destroy(struct access *access)
{
    ck_assert_ptr_eq(access, &fake_access);
    accesses--;
}

static const struct access_ops fake_ops = {
    .name = "fake", .destroy = access_destroy,
};

/* What vif_ctrl_xen.c calls. */
xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger,
                                 unsigned int flags)
{
    (void)logger;
    (void)flags;
    evtchn_open++;
    return (xenevtchn_handle *)&vif;
}

int xenevtchn_close(xenevtchn_handle *handle)
{
    (void)handle;
    evtchn_open--;
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *handle)
{
    (void)handle;
    return event_fd;
}

xenevtchn_port_or_error_t
xenevtchn_bind_interdomain(xenevtchn_handle *handle, uint32_t domid,
                           evtchn_port_t port)
{
    (void)handle;
    ck_assert_uint_eq(domid, 1);
    ck_assert_uint_eq(port, 6);
    if (bind_error != 0) {
        errno = bind_error;
        return -1;
    }
    bound++;
    return PORT;
}

int xenevtchn_unbind(xenevtchn_handle *handle, evtchn_port_t port)
{
    (void)handle;
    ck_assert_uint_eq(port, PORT);
    bound--;
    return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *handle)
{
    (void)handle;
    return -1;
}

int xenevtchn_unmask(xenevtchn_handle *handle, evtchn_port_t port)
{
    (void)handle;
    (void)port;
    return 0;
}

void *xengnttab_map_grant_ref(xengnttab_handle *handle, uint32_t domid,
                              uint32_t ref, int prot)
{
    (void)handle;
    (void)domid;
    (void)ref;
    (void)prot;
    return NULL;
}

int xengnttab_unmap(xengnttab_handle *handle, void *start, uint32_t count)
{
    (void)handle;
    (void)start;
    (void)count;
    return 0;
}

struct access *gcopy_create(const struct gcopy_config *config,
                            const char **why)
{
    (void)why;
    ck_assert(config->by_ioctl);
    accesses++;
    fake_access.ops = &fake_ops;
    return &fake_access;
}

int vif_ctrl_open(struct vif *v, const struct vif_ctrl_transport *transport,
                  uint16_t queue_count, const char **why)
{
    ck_assert_ptr_eq(v, &vif);
    ck_assert_uint_eq(transport->ref, 300);
    ck_assert_int_eq(transport->port, PORT);
    ck_assert_uint_eq(queue_count, 2);
    opened++;
    *why = "the ring is no good";
    transport->destroy(transport->self);    /* the transport is its */
    return open_error;
}

static void setup(void)
{
    fake_store_reset();
    memset(&vif, 0, sizeof(vif));
    strcpy(vif.frontend, FRONTEND);
    strcpy(vif.name, "vif1.0");
    vif.config.domid = 1;
    fake_log_lines = opened = 0;
    bind_error = open_error = 0;
    event_fd = dup(0);
    fake_store_set(FRONTEND "/ctrl-ring-ref", "300");
    fake_store_set(FRONTEND "/event-channel-ctrl", "6");
}

static void teardown(void)
{
    ck_assert_int_eq(evtchn_open, 0);
    ck_assert_int_eq(bound, 0);
    ck_assert_int_eq(accesses, 0);
    close(event_fd);
}

static void connects(int error, unsigned int rings, unsigned int lines)
{
    const char *why = "";

    ck_assert_int_eq(vif_ctrl_connect(&vif, fake_store_handle(), 2, &why),
                     error);
    ck_assert_uint_eq(opened, rings);
    ck_assert_uint_eq(fake_log_lines, lines);
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
    bind_error = EINVAL;
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
    open_error = -EPROTO;
    connects(0, 1, 1);
    ck_assert(fake_log_says("without its control ring: the ring is no good"));
}
END_TEST

/* Then the queues' accesses may have been wrapped for a ring that is not. */
START_TEST(no_memory)
{
    open_error = -ENOMEM;
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
