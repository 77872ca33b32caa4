/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netback/front_static.c: what a backend is asked to map, on a link in the
 * test's memory.  The backend is our own's control ring over a record of
 * what it was told; or one that refuses, lies or says nothing.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "netback/clock.h"
#include "netback/ctrl_ring.h"
#include "netback/front.h"
#include "tests/fake/log.h"
#include "unit.h"

#define QUEUES 2u
#define TX 64u
#define RX 256u
#define RING_REF 900u
#define LIST_REF 901u
#define LIST_MAX 512u

int front_logtype;

static struct front *front;
static struct front_link front_link;
static uint8_t pages[2][ACCESS_PAGE_SIZE]
    __attribute__((aligned(ACCESS_PAGE_SIZE)));
static grant_ref_t tx_refs[QUEUES][TX], rx_refs[QUEUES][RX];

/* The backend. */
static struct ctrl_ring ring;
static struct hash hash;
static struct hash_table table;
static bool is_there;           /* answers at once */
static bool is_noisy;           /* sends events, and that is all */
static uint32_t size;           /* what it says that it keeps mapped */
static int refuse_queue;        /* whose buffers it does not map */
static struct xen_netif_gref mapped[QUEUES][LIST_MAX];
static uint32_t mapped_count[QUEUES];
static unsigned int adds, dels, notifies;

static void copy(struct access *access, enum access_direction direction,
                 struct access_copy *copies, unsigned int count)
{
    (void)access;
    ck_assert_uint_eq(count, 1);
    ck_assert_uint_eq(copies[0].ref, LIST_REF);
    if (direction == ACCESS_TO_GUEST) {
        memcpy(pages[1] + copies[0].offset, copies[0].host, copies[0].size);
    } else {
        memcpy(copies[0].host, pages[1] + copies[0].offset, copies[0].size);
    }
    copies[0].status = GNTST_okay;
}

static const struct access_ops access_ops = { .name = "test", .copy = copy };
static struct access list_access = { &access_ops };

static uint32_t table_size(void *self)
{
    (void)self;
    return size;
}

static int add(void *self, uint16_t queue, const struct xen_netif_gref *list,
               uint32_t count)
{
    (void)self;
    if (queue == refuse_queue) {
        return -ENOSPC;
    }
    ck_assert_uint_eq(mapped_count[queue], 0);
    memcpy(mapped[queue], list, count * sizeof(*list));
    mapped_count[queue] = count;
    adds++;
    return 0;
}

static uint32_t del(void *self, uint16_t queue, struct xen_netif_gref *list,
                    uint32_t count)
{
    (void)self;
    ck_assert_uint_eq(count, mapped_count[queue]);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_uint_eq(list[i].ref, mapped[queue][i].ref);
        list[i].status = 0xffff;
    }
    mapped_count[queue] = 0;
    dels++;
    return count;
}

static void serve(void)
{
    static const struct ctrl_ring_grefs grefs = { table_size, add, del };
    const struct ctrl_ring_target target = {
        .access = &list_access, .hash = &hash, .table = &table,
        .grefs = size != UINT32_MAX ? &grefs : NULL, .queue_count = QUEUES,
    };
    const uint64_t one = 1;
    struct ctrl_ring_done done;

    ck_assert_int_eq(ctrl_ring_turn(&ring, &target, &done), 0);
    if (done.notify) {
        ck_assert_int_eq(write(front_link.ctrl.fd, &one, sizeof(one)),
                         sizeof(one));
    }
}

static void notify_ctrl(struct front_link *link)
{
    ck_assert_ptr_eq(link, &front_link);
    notifies++;
    if (is_there) {
        serve();
    }
}

static bool drain_ctrl(struct front_link *link)
{
    uint64_t count;

    return read(link->ctrl.fd, &count, sizeof(count)) == sizeof(count) ||
           is_noisy;
}

static const struct front_link_ops link_ops = {
    .name = "fake", .notify_ctrl = notify_ctrl, .drain_ctrl = drain_ctrl,
};

static void make_link(void)
{
    memset(&front_link, 0, sizeof(front_link));
    front_link.ops = &link_ops;
    front_link.queue_count = QUEUES;
    front_link.ctrl = (struct front_link_ctrl){
        .ring = (xen_netif_ctrl_sring_t *)pages[0], .page = pages[1],
        .page_ref = LIST_REF, .fd = eventfd(0, EFD_NONBLOCK),
    };
    for (unsigned int i = 0; i < QUEUES; i++) {
        for (unsigned int n = 0; n < RX; n++) {
            tx_refs[i][n % TX] = 1000 * (i + 1) + n % TX;
            rx_refs[i][n] = 1000 * (i + 1) + TX + n;
        }
        front_link.queues[i].tx_buffers = (struct backend_buffers){
            NULL, tx_refs[i], TX,
        };
        front_link.queues[i].rx_buffers = (struct backend_buffers){
            NULL, rx_refs[i], RX,
        };
    }
}

static void setup(void)
{
    ck_assert_int_eq(posix_memalign((void **)&front, 64, sizeof(*front)), 0);
    memset(front, 0, sizeof(*front));
    make_link();
    front->link = &front_link;
    is_there = true;
    is_noisy = false;
    size = LIST_MAX;
    refuse_queue = -1;
    adds = dels = notifies = fake_log_lines = 0;
    memset(mapped_count, 0, sizeof(mapped_count));
    front_static_prepare(&front->statics, &front_link);
    ck_assert_int_eq(ctrl_ring_init(&ring, front_link.ctrl.ring), 0);
}

static void teardown(void)
{
    close(front_link.ctrl.fd);
    free(front);
    ck_assert_uint_eq(fake_log_lines, 0);       /* INFO is not shown */
}

/* As the control thread does: when the descriptor is readable. */
static void run(void)
{
    front_static_start(front);
    for (unsigned int i = 0; i < 100; i++) {
        struct pollfd wait = { front_static_fd(front), POLLIN, 0 };

        if (wait.fd < 0 || poll(&wait, 1, 0) == 0) {
            return;
        }
        front_static_turn(front);
    }
    ck_abort_msg("it never ends");
}

static void expect_mapped(unsigned int queue, uint32_t count)
{
    ck_assert_uint_eq(mapped_count[queue], count);
    for (uint32_t i = 0; i < count; i++) {
        ck_assert_uint_eq(mapped[queue][i].ref, 1000 * (queue + 1) + i);
        ck_assert_uint_eq(mapped[queue][i].flags,
                          i < TX ? XEN_NETIF_CTRLF_GREF_readonly : 0);
    }
}

START_TEST(all_buffers_of_all_queues)
{
    run();
    ck_assert_int_eq(front->statics.state, FRONT_STATIC_ON);
    ck_assert_uint_eq(front->statics.total, QUEUES * (TX + RX));
    expect_mapped(0, TX + RX);
    expect_mapped(1, TX + RX);
    ck_assert_uint_eq(notifies, 4);
    ck_assert_int_eq(front_static_fd(front), -1);
    front_static_end(front);
    ck_assert_uint_eq(dels, QUEUES);
    ck_assert_int_eq(front->statics.state, FRONT_STATIC_OFF);
    front_static_end(front);            /* nothing is left to be done */
    ck_assert_uint_eq(notifies, 6);
}
END_TEST

/* What it says is believed as far as there are buffers. */
START_TEST(sizes_up_to_all)
{
    static const uint32_t sizes[] = { 1, TX, TX + 1, 65536 + 5, 0xfffffffe };

    size = sizes[_i];
    run();
    expect_mapped(0, size < TX + RX ? size : TX + RX);
    expect_mapped(1, size < TX + RX ? size : TX + RX);
    front_static_end(front);
    ck_assert_uint_eq(dels, QUEUES);
}
END_TEST

/* No such request, none mapped, or not these: all is as it was. */
START_TEST(refusals)
{
    size = _i == 0 ? UINT32_MAX : _i == 1 ? 0 : LIST_MAX;
    refuse_queue = _i == 2 ? 0 : -1;
    run();
    ck_assert_int_eq(front->statics.state, FRONT_STATIC_OFF);
    ck_assert_uint_eq(adds, 0);
    front_static_end(front);
    ck_assert_uint_eq(dels, 0);
}
END_TEST

START_TEST(one_queue_is_refused)
{
    refuse_queue = 1;
    run();
    expect_mapped(0, TX + RX);
    ck_assert_int_eq(front->statics.state, FRONT_STATIC_OFF);
    front_static_end(front);
    ck_assert_uint_eq(dels, 1);
    ck_assert_uint_eq(mapped_count[0], 0);
}
END_TEST

START_TEST(no_control_ring)
{
    int fd = front_link.ctrl.fd;

    front_link.ctrl.ring = NULL;
    front_static_prepare(&front->statics, &front_link);
    run();
    ck_assert_int_eq(front_static_fd(front), -1);
    front_static_end(front);
    ck_assert_uint_eq(notifies, 0);
    front_link.ctrl.fd = fd;
}
END_TEST

/* It is waited for only at the end, and then not for long. */
START_TEST(a_silent_backend)
{
    uint64_t from;

    is_there = _i == 1;
    run();
    is_there = false;
    from = clock_ms();
    front_static_end(front);
    ck_assert_uint_ge(clock_ms() - from, FRONT_STATIC_END_MS);
    ck_assert_uint_lt(clock_ms() - from, FRONT_STATIC_END_MS + 5000);
    ck_assert_int_eq(front_static_fd(front), -1);
    ck_assert_int_eq(front->statics.state, FRONT_STATIC_OFF);
}
END_TEST

/* A request is out when the end comes: its effect is undone as well. */
START_TEST(the_end_comes_first)
{
    is_there = false;
    run();                              /* asks for the size */
    for (int i = 0; i < _i; i++) {
        serve();
        front_static_turn(front);
    }
    is_there = true;
    serve();
    front_static_end(front);
    ck_assert_uint_eq(mapped_count[0] + mapped_count[1], 0);
    ck_assert_uint_eq(adds, dels);
    ck_assert_int_eq(front->statics.state, FRONT_STATIC_OFF);
}
END_TEST

/* D2, XSA-332: events without end cost a bounded number of looks. */
START_TEST(xsa332_events_without_answer)
{
    unsigned int looks = 0;

    is_there = false;
    is_noisy = true;
    front_static_start(front);
    while (front_static_fd(front) >= 0) {
        front_static_turn(front);
        ck_assert_uint_le(++looks, FRONT_STATIC_EVENTS_MAX + 1);
    }
    ck_assert_int_eq(front->statics.state, FRONT_STATIC_OFF);
    front_static_end(front);            /* it is not asked again */
    ck_assert_uint_eq(notifies, 1);
}
END_TEST

/* A lie ends it, after what went well before. */
START_TEST(a_backend_that_lies)
{
    static const RING_IDX lies[] = { 4, 0, UINT32_MAX };

    is_there = false;
    run();
    serve();
    front_static_turn(front);           /* ADD of queue 0 */
    serve();
    front_static_turn(front);           /* SIZE of queue 1 */
    ck_assert_uint_eq(front->statics.total, TX + RX);
    front_link.ctrl.ring->rsp_prod = lies[_i];
    front_static_turn(front);
    ck_assert_int_eq(front->statics.state, FRONT_STATIC_OFF);
    front_static_end(front);
    ck_assert_uint_eq(notifies, 3);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, all_buffers_of_all_queues);
    tcase_add_loop_test(tcase, sizes_up_to_all, 0, 5);
    tcase_add_loop_test(tcase, refusals, 0, 3);
    tcase_add_test(tcase, one_queue_is_refused);
    tcase_add_test(tcase, no_control_ring);
    tcase_add_loop_test(tcase, a_silent_backend, 0, 2);
    tcase_add_loop_test(tcase, the_end_comes_first, 0, 4);
    tcase_add_test(tcase, xsa332_events_without_answer);
    tcase_add_loop_test(tcase, a_backend_that_lies, 0, 3);
}

int main(void)
{
    Suite *suite = suite_create("front_static");

    add_tests(unit_case(suite, "front_static"));
    return unit_run(suite);
}
