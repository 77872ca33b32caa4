/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netback/front_xen.c on fakes of libxengnttab and libxenevtchn that count
 * what is held: pages, descriptors, ports.  Each of them may fail.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#include "netback/front_xen.h"
#include "unit.h"

#define BUFFERS 32u
#define DOMID 7

struct xengntdev_handle {
    int unused;
};

struct xenevtchn_handle {
    int fd;
    int ports[2];
    int pending;                /* the next event, or 0 */
    int notified;
};

static struct xengntdev_handle gntshr;
static unsigned int shares, channels, opens;    /* held now */
static unsigned int fail_share, fail_channel;   /* which one; 0: none */
static unsigned int share_calls, channel_calls;
static unsigned int unmasks;
static uint32_t next_ref;
static int next_port;
static struct xenevtchn_handle *last_channel;
static struct front_wish wish;
static const char *why;

xengntshr_handle *xengntshr_open(struct xentoollog_logger *logger,
                                 unsigned int flags)
{
    (void)logger;
    (void)flags;
    opens++;
    return &gntshr;
}

int xengntshr_close(xengntshr_handle *handle)
{
    ck_assert_ptr_eq(handle, &gntshr);
    ck_assert_uint_eq(shares, 0);
    opens--;
    return 0;
}

void *xengntshr_share_pages(xengntshr_handle *handle, uint32_t domid,
                            int count, uint32_t *refs, int writable)
{
    ck_assert_ptr_eq(handle, &gntshr);
    ck_assert_uint_eq(domid, DOMID);
    ck_assert_int_eq(writable, count != BUFFERS);   /* TX buffers are not */
    if (++share_calls == fail_share) {
        errno = ENOSPC;
        return NULL;
    }
    for (int i = 0; i < count; i++) {
        refs[i] = next_ref++;
    }
    shares += (unsigned int)count;
    return aligned_alloc(ACCESS_PAGE_SIZE, (size_t)count * ACCESS_PAGE_SIZE);
}

int xengntshr_unshare(xengntshr_handle *handle, void *pages, uint32_t count)
{
    ck_assert_ptr_eq(handle, &gntshr);
    shares -= count;
    free(pages);
    return 0;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger,
                                 unsigned int flags)
{
    struct xenevtchn_handle *made;

    (void)logger;
    (void)flags;
    if (++channel_calls == fail_channel) {
        errno = EMFILE;
        return NULL;
    }
    made = calloc(1, sizeof(*made));
    made->fd = eventfd(0, 0);
    channels++;
    last_channel = made;
    return made;
}

int xenevtchn_close(xenevtchn_handle *handle)
{
    channels--;
    close(handle->fd);
    free(handle);
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *handle)
{
    return handle->fd;
}

xenevtchn_port_or_error_t xenevtchn_bind_unbound_port(
    xenevtchn_handle *handle, uint32_t domid)
{
    ck_assert_uint_eq(domid, DOMID);
    handle->ports[handle->ports[0] != 0] = ++next_port;
    return next_port;
}

int xenevtchn_notify(xenevtchn_handle *handle, evtchn_port_t port)
{
    handle->notified = (int)port;
    return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *handle)
{
    int port = handle->pending;

    /* It never blocks the thread that asks. */
    ck_assert_int_ne(fcntl(handle->fd, F_GETFL) & O_NONBLOCK, 0);
    handle->pending = 0;
    errno = EAGAIN;
    return port != 0 ? port : -1;
}

int xenevtchn_unmask(xenevtchn_handle *handle, evtchn_port_t port)
{
    (void)handle;
    ck_assert_uint_ne(port, 0);
    unmasks++;
    return 0;
}

static void prepare(void *front, struct front_link *link)
{
    ck_assert_ptr_eq(front, &wish);
    ck_assert_ptr_nonnull(link);
}

static void setup(void)
{
    wish = (struct front_wish){
        .queues = 2, .rx_buffers = BUFFERS, .tx_buffers = BUFFERS,
        .prepare = prepare, .front = &wish,
    };
    shares = channels = opens = fail_share = fail_channel = unmasks = 0;
    share_calls = channel_calls = 0;
    next_ref = 100;
    next_port = 0;
    why = NULL;
}

static void teardown(void)
{
    ck_assert_uint_eq(shares + channels + opens, 0);
}

static struct front_link *create(bool ctrl)
{
    const struct front_xen_peer peer = {
        .domid = DOMID, .split = true, .ctrl = ctrl,
    };

    return front_xen_create(&peer, &wish, &why);
}

START_TEST(a_link_without_a_control_ring)
{
    struct front_link *link = create(false);
    struct front_node nodes[FRONT_XEN_NODES];

    ck_assert_ptr_nonnull(link);
    ck_assert_ptr_null(link->ctrl.ring);
    ck_assert_int_eq(link->ctrl.fd, -1);
    ck_assert_uint_eq(front_xen_ctrl_nodes(link, nodes), 0);
    ck_assert_uint_eq(front_xen_nodes(link, 1, nodes), 4);
    ck_assert_str_eq(nodes[3].name, "event-channel-rx");
    ck_assert_uint_eq(nodes[3].value, 4);
    ck_assert_uint_eq(shares, 2 * (2 + 2 * BUFFERS));
    link->ops->destroy(link);
}
END_TEST

START_TEST(a_control_ring)
{
    struct front_link *link = create(true);
    struct front_node nodes[FRONT_XEN_NODES];

    ck_assert_ptr_nonnull(link->ctrl.ring);
    ck_assert_ptr_eq(link->ctrl.page,
                     (uint8_t *)link->ctrl.ring + ACCESS_PAGE_SIZE);
    ck_assert_uint_eq(front_xen_ctrl_nodes(link, nodes), 2);
    ck_assert_str_eq(nodes[0].name, "ctrl-ring-ref");
    ck_assert_uint_eq(nodes[0].value, next_ref - 2);
    ck_assert_uint_eq(link->ctrl.page_ref, next_ref - 1);
    ck_assert_str_eq(nodes[1].name, "event-channel-ctrl");
    ck_assert_uint_eq(nodes[1].value, 5);
    ck_assert_int_eq(link->ctrl.fd, last_channel->fd);
    link->ops->notify_ctrl(link);
    ck_assert_int_eq(last_channel->notified, 5);
    link->ops->destroy(link);
}
END_TEST

/* Unmasked for each event that is taken, and for nothing else. */
START_TEST(events_of_the_control_ring)
{
    struct front_link *link = create(true);

    ck_assert(!link->ops->drain_ctrl(link));
    ck_assert_uint_eq(unmasks, 0);
    last_channel->pending = 5;
    ck_assert(link->ops->drain_ctrl(link));
    ck_assert_uint_eq(unmasks, 1);
    ck_assert(!link->ops->drain_ctrl(link));
    link->ops->destroy(link);
}
END_TEST

/* The rings' pages and channels are needed; the control ring's are not. */
START_TEST(what_fails)
{
    bool is_needed = _i < 6;
    struct front_link *link;

    if (_i % 2 == 0) {
        fail_share = _i < 6 ? (unsigned int)_i / 2 + 1 : 5;
    } else {
        fail_channel = _i < 6 ? (unsigned int)_i / 4 + 1 : 3;
    }
    link = create(true);
    if (is_needed) {
        ck_assert_ptr_null(link);
        ck_assert_ptr_nonnull(why);
        return;
    }
    ck_assert_ptr_nonnull(link);
    ck_assert_ptr_null(link->ctrl.ring);
    ck_assert_int_eq(link->ctrl.fd, -1);
    ck_assert_uint_eq(channels, 2);
    ck_assert_uint_eq(shares, 2 * (2 + 2 * BUFFERS));
    link->ops->destroy(link);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("front_xen");
    TCase *tcase = unit_case(suite, "front_xen");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_link_without_a_control_ring);
    tcase_add_test(tcase, a_control_ring);
    tcase_add_test(tcase, events_of_the_control_ring);
    tcase_add_loop_test(tcase, what_fails, 0, 8);
    return unit_run(suite);
}
