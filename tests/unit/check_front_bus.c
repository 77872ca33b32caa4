/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netback/front_bus.c and front.c: a frontend's life on a fake XenStore and
 * a fake link.  What a backend, a toolstack, the kernel's driver or a crash
 * may do to it, in any order.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "netback/clock.h"
#include "netback/front.h"
#include "netback/front_xen.h"
#include "tests/fake/control.h"
#include "tests/fake/log.h"
#include "tests/fake/xenstore.h"
#include "unit.h"

#define BACKEND "/local/domain/0/backend/vif/3/0"
#define DEVICE "device/vif/0"

static struct front *front;
static bool kernel_driver;
static const char *refuse_link;
static struct { unsigned int calls; bool up; } told;
static unsigned int links;          /* made and not destroyed */
static uint16_t link_queues;
static bool link_split, link_ctrl;
static uint8_t pages[2][ACCESS_PAGE_SIZE]
    __attribute__((aligned(ACCESS_PAGE_SIZE)));
static uint8_t buffers[TO_BACKEND_BUFFERS_MIN][ACCESS_PAGE_SIZE];
static grant_ref_t refs[TO_BACKEND_BUFFERS_MIN];

void control_release(struct control_member *member, struct xs_handle *xs)
{
    front_release((struct front *)member, xs);
}

/* A link without a backend. */
static void link_destroy(struct front_link *link)
{
    ck_assert_uint_eq(links, 1);
    links--;
    free(link);
}

static const struct front_link_ops link_ops = {
    .name = "fake", .destroy = link_destroy,
};

struct front_link *front_xen_create(const struct front_xen_peer *peer,
                                    const struct front_wish *wish,
                                    const char **why)
{
    struct front_link *link = calloc(1, sizeof(*link));

    ck_assert_uint_eq(peer->domid, 0);
    if (refuse_link != NULL) {
        *why = refuse_link;
        free(link);
        return NULL;
    }
    ck_assert_uint_eq(links, 0);        /* never two at a time */
    links++;
    link->ops = &link_ops;
    link->queue_count = link_queues = wish->queues;
    link_split = peer->split;
    link_ctrl = peer->ctrl;
    for (unsigned int i = 0; i < wish->queues; i++) {
        link->queues[i] = (struct front_link_queue){
            .tx = (netif_tx_sring_t *)pages[0],
            .rx = (netif_rx_sring_t *)pages[1],
            .tx_buffers = { buffers[0], refs, TO_BACKEND_BUFFERS_MIN },
            .rx_buffers = { buffers[0], refs, TO_BACKEND_BUFFERS_MIN },
            .fd = -1,
        };
    }
    wish->prepare(wish->front, link);
    return link;
}

unsigned int front_xen_nodes(const struct front_link *link,
                             unsigned int queue, struct front_node *nodes)
{
    (void)link;
    nodes[0] = (struct front_node){ "tx-ring-ref", 100 + queue };
    nodes[1] = (struct front_node){ "rx-ring-ref", 200 + queue };
    nodes[2] = (struct front_node){ "event-channel", 5 };
    return 3;
}

/* A link that front_static.c finds no control ring in, or has one. */
unsigned int front_xen_ctrl_nodes(const struct front_link *link,
                                  struct front_node *nodes)
{
    (void)link;
    if (!link_ctrl) {
        return 0;
    }
    nodes[0] = (struct front_node){ "ctrl-ring-ref", 300 };
    nodes[1] = (struct front_node){ "event-channel-ctrl", 6 };
    return 2;
}

bool front_xen_kernel_has(unsigned int handle, char *driver, size_t size)
{
    ck_assert_uint_eq(handle, 0);
    snprintf(driver, size, "vif");
    return kernel_driver;
}

/* This is no local front. */
int front_local_listen(const char *path)
{
    ck_abort_msg("%s", path);
}

int front_local_accept(int fd, const struct front_wish *wish,
                       struct front_link **link, const char **why)
{
    (void)wish;
    (void)link;
    (void)why;
    ck_abort_msg("%d", fd);
}

int front_local_step(struct front_link *link, const char **step_why)
{
    (void)step_why;
    ck_abort_msg("%p", (const void *)link);
}

int front_local_fd(const struct front_link *link)
{
    ck_abort_msg("%p", (const void *)link);
}

bool front_local_is_closed(const struct front_link *link)
{
    ck_abort_msg("%p", (const void *)link);
}

static void changed(uint16_t owner, bool up)
{
    ck_assert_uint_eq(owner, 9);
    told.calls++;
    told.up = up;
}

static void update(void)
{
    unsigned int writes, said;

    front_update(front, fake_store_handle());
    front_update(front, fake_store_handle());   /* the next step, if any */
    writes = fake_store_writes();
    said = fake_log_lines;
    front_update(front, fake_store_handle());
    ck_assert_uint_eq(writes, fake_store_writes());
    ck_assert_uint_eq(said, fake_log_lines);
}

static void backend(const char *state)
{
    fake_store_set(BACKEND "/state", state);
    update();
}

static const char *path_of(const char *dir, const char *node)
{
    static char path[128];

    snprintf(path, sizeof(path), "%s/%s", dir, node);
    return path;
}

static void assert_state(const char *state)
{
    ck_assert_str_eq(fake_store_get(DEVICE "/state"), state);
}

static void start(uint16_t queues, bool large)
{
    struct front_wish wish;

    memset(&wish, 0, sizeof(wish));
    wish.queues = queues;
    wish.lro = wish.scatter = large;
    ck_assert_int_eq(front_start(front, &wish), 0);
}

/* What xl writes; the kernel's driver has been and gone. */
static void toolstack_creates(void)
{
    fake_store_set(DEVICE "/backend", BACKEND);
    fake_store_set(DEVICE "/backend-id", "0");
    fake_store_set(DEVICE "/state", "6");
    fake_store_set(DEVICE "/tx-ring-ref", "77");
    fake_store_set(DEVICE "/queue-1/tx-ring-ref", "78");
    fake_store_set(DEVICE "/event-channel-tx", "4");
    fake_store_set(BACKEND "/state", "6");
    fake_store_set(BACKEND "/online", "1");
    fake_store_set(BACKEND "/feature-rx-copy", "1");
    fake_store_set(BACKEND "/feature-split-event-channels", "1");
    fake_store_set(BACKEND "/multi-queue-max-queues", "4");
}

static void setup(void)
{
    const struct front_config config = { .changed = changed, .owner = 9 };

    fake_store_reset();
    toolstack_creates();
    kernel_driver = false;
    refuse_link = NULL;
    fake_log_lines = links = 0;
    memset(&told, 0, sizeof(told));
    front = front_create(&config);
    ck_assert_ptr_nonnull(front);
}

static void teardown(void)
{
    fake_store_set(BACKEND "/state", "6");      /* it follows at once */
    front_destroy(front);
    ck_assert_uint_eq(links, 0);
}

static void connect_front(void)
{
    update();
    backend("2");
    backend("4");
    ck_assert_int_eq(front->life, FRONT_CONNECTED);
}

START_TEST(an_ordinary_life)
{
    start(1, false);
    update();
    assert_state("1");
    ck_assert_uint_eq(links, 0);
    backend("2");
    assert_state("4");
    ck_assert_str_eq(fake_store_get(DEVICE "/tx-ring-ref"), "100");
    ck_assert_str_eq(fake_store_get(DEVICE "/request-rx-copy"), "1");
    ck_assert_str_eq(fake_store_get(DEVICE "/feature-sg"), "0");
    ck_assert_str_eq(fake_store_get(DEVICE "/event-channel-tx"), "");
    ck_assert_str_eq(fake_store_get(DEVICE "/queue-1/tx-ring-ref"), "");
    ck_assert(link_split);
    ck_assert(!front->up);
    backend("4");
    ck_assert(told.up);
    ck_assert_uint_eq(front->queue_count, 1);
    backend("5");
    assert_state("6");
    ck_assert(!told.up);
    ck_assert_uint_eq(front->queue_count, 0);
    ck_assert_uint_eq(links, 0);
}
END_TEST

/* Only where the backend offers it: what an earlier driver left is gone. */
START_TEST(a_control_ring)
{
    fake_store_set(DEVICE "/ctrl-ring-ref", "99");
    fake_store_set(BACKEND "/feature-ctrl-ring", _i == 0 ? "0" : "1");
    start(1, false);
    update();
    assert_state("1");
    ck_assert_str_eq(fake_store_get(DEVICE "/ctrl-ring-ref"), "");
    backend("2");
    ck_assert_str_eq(fake_store_get(DEVICE "/ctrl-ring-ref"),
                     _i == 0 ? "" : "300");
    ck_assert_str_eq(fake_store_get(DEVICE "/event-channel-ctrl"),
                     _i == 0 ? "" : "6");
}
END_TEST

/*
 * It goes away between two answers: what it did not answer looked like a
 * device that is gone, or a backend that has closed.
 */
START_TEST(xenstored_goes_during_a_look)
{
    start(1, false);
    connect_front();
    for (unsigned int calls = 0; calls < 8; calls++) {
        fake_store_break_after(calls);
        front_update(front, fake_store_handle());
        ck_assert_int_eq(front->life, FRONT_CONNECTED);
        fake_store_set_broken(false);
        update();
        ck_assert_int_eq(front->life, FRONT_CONNECTED);
        ck_assert_uint_eq(front->queue_count, 1);
        ck_assert_uint_eq(told.calls, 1);
    }
}
END_TEST

START_TEST(queues_up_to_the_backends)
{
    start(16, true);
    update();
    backend("2");
    ck_assert_uint_eq(link_queues, 4);
    ck_assert_str_eq(fake_store_get(DEVICE "/multi-queue-num-queues"), "4");
    ck_assert_str_eq(fake_store_get(DEVICE "/queue-3/rx-ring-ref"), "203");
    ck_assert_str_eq(fake_store_get(DEVICE "/tx-ring-ref"), "");
    ck_assert_str_eq(fake_store_get(DEVICE "/feature-gso-tcpv6"), "1");
}
END_TEST

START_TEST(a_backend_writes_nonsense)
{
    static const char *const nonsense[] = { "", "0", "-1", "65536", "4x" };

    fake_store_set(BACKEND "/multi-queue-max-queues", nonsense[_i]);
    fake_store_set(BACKEND "/feature-sg", "7");
    start(2, false);
    update();
    backend("2");
    ck_assert_uint_eq(links, 1);
    ck_assert_uint_ge(link_queues, 1);
    ck_assert_uint_le(link_queues, 2);
    backend("99");
    backend("x");
    ck_assert_uint_eq(front->queue_count, 0);
}
END_TEST

/*
 * XSA-465: Linux's netfront crashed when the backend took a step while it
 * had no queues.  Any states of the backend in any order, with the device
 * gone and back in between: never two links at a time, none without a
 * backend that connects, and in the end a proper backend is connected to.
 */
START_TEST(xsa465_any_states)
{
    start(2, false);
    for (int i = 0; i < 5000; i++) {
        char state[2] = { (char)('0' + random() % 10), '\0' };

        fake_store_set(BACKEND "/state", state);
        if (random() % 16 == 0) {
            fake_store_set(DEVICE "/backend", random() % 2 == 0 ? "" :
                           BACKEND);
        }
        if (random() % 4 == 0) {
            front->closed_ms = 0;       /* a second has gone by */
        }
        front_update(front, fake_store_handle());
        ck_assert_uint_le(links, 1);
        ck_assert_int_eq(front->queue_count != 0,
                         front->life == FRONT_CONNECTED);
    }
    fake_store_set(DEVICE "/backend", BACKEND);
    backend("6");
    front->closed_ms = 0;
    update();
    connect_front();
}
END_TEST

/* A predecessor died: what the backend says was said to it. */
START_TEST(old_states_do_not_count)
{
    fake_store_set(DEVICE "/state", "4");
    fake_store_set(BACKEND "/state", "4");
    start(1, false);
    update();
    assert_state("1");
    ck_assert_int_eq(front->life, FRONT_WAITING);
    ck_assert_uint_eq(links, 0);
    backend("6");
    ck_assert_int_eq(front->life, FRONT_WAITING);
    backend("2");
    assert_state("4");
}
END_TEST

START_TEST(the_kernel_has_it)
{
    unsigned int writes = fake_store_writes();

    kernel_driver = true;
    start(1, false);
    update();
    ck_assert_uint_eq(fake_store_writes(), writes);
    ck_assert_uint_eq(fake_log_lines, 1);
    ck_assert(fake_log_says("echo vif-0 > "
                            "/sys/bus/xen/drivers/vif/unbind"));
    kernel_driver = false;
    connect_front();
}
END_TEST

START_TEST(no_rx_copy)
{
    fake_store_set(BACKEND "/feature-rx-copy", "0");
    start(1, false);
    update();
    backend("2");
    assert_state("6");
    ck_assert_uint_eq(fake_log_lines, 1);
    ck_assert(fake_log_says("feature-rx-copy"));
}
END_TEST

/* It tries again each second, and says so once. */
START_TEST(no_grants)
{
    refuse_link = "too few grants";
    start(1, false);
    update();
    for (unsigned int i = 0; i < 5; i++) {
        backend("2");
        ck_assert_int_eq(front->life, FRONT_CLOSED);
        front->closed_ms = 0;
        front_update(front, fake_store_handle());
        ck_assert_int_eq(front->life, FRONT_WAITING);
    }
    ck_assert_uint_eq(fake_log_lines, 1);
    refuse_link = NULL;
    backend("2");
    backend("4");
    ck_assert_int_eq(front->life, FRONT_CONNECTED);
}
END_TEST

START_TEST(a_backend_that_broke_a_ring)
{
    start(1, false);
    connect_front();
    front->queues[0].rx.broken(front, "it lies");
    update();
    assert_state("6");
    ck_assert(fake_log_says("it lies"));
    front->closed_ms = 0;
    backend("6");
    assert_state("6");          /* it is left alone */
    backend("2");
    front->closed_ms = 0;
    update();                   /* it has started anew */
    assert_state("4");
}
END_TEST

START_TEST(a_backend_that_comes_back)
{
    start(1, false);
    connect_front();
    backend("6");
    assert_state("6");
    update();
    assert_state("6");          /* not at once */
    front->closed_ms = 0;
    update();
    assert_state("1");
    backend("2");
    backend("4");
    ck_assert(told.up);
}
END_TEST

/*
 * A guest that is restored or migrated finds a backend that knows nothing of
 * it, at another path; so may one whose backend's domain was restarted.  Its
 * link stayed, and nobody was at the other end.
 */
START_TEST(another_backend)
{
    static const char *const states[] = { "1", "2", "1", "2" };
    static const char path[] = "/local/domain/0/backend/vif/4/0";

    start(1, false);
    update();
    backend("2");
    if (_i < 2) {
        backend("4");
    }
    fake_store_set(path_of(path, "state"), states[_i]);
    fake_store_set(path_of(path, "feature-rx-copy"), "1");
    fake_store_set(DEVICE "/backend", path);
    fake_store_set(DEVICE "/state", "1");
    kernel_driver = true;       /* it was quicker, and lets go again */
    update();
    ck_assert_int_eq(front->life, FRONT_WAITING);
    kernel_driver = false;
    update();
    ck_assert(!told.up);
    assert_state(_i % 2 == 0 ? "1" : "4");
    fake_store_set(path_of(path, "state"), "2");
    update();
    assert_state("4");
    fake_store_set(path_of(path, "state"), "4");
    update();
    ck_assert(told.up);
    ck_assert_uint_eq(links, 1);
    fake_store_set(path_of(path, "state"), "6");
}
END_TEST

/* At the same path. */
START_TEST(a_backend_that_starts_anew)
{
    static const char *const states[] = { "1", "2", "1" };

    start(1, false);
    update();
    backend("2");
    if (_i < 2) {
        backend("4");
    }
    backend(states[_i]);
    ck_assert_uint_eq(links, 0);
    ck_assert(!told.up);
    ck_assert(fake_log_says("the backend starts anew"));
    backend("2");
    front->closed_ms = 0;
    update();
    assert_state("4");
    backend("4");
    ck_assert(told.up);
}
END_TEST

START_TEST(not_wanted_any_more)
{
    start(1, false);
    connect_front();
    fake_store_set(BACKEND "/online", "0");
    backend("5");
    front->closed_ms = 0;
    backend("6");
    assert_state("6");
    fake_store_remove(DEVICE);
    update();
    ck_assert_int_eq(front->life, FRONT_GONE);
    ck_assert_str_eq(fake_store_get(DEVICE "/state"), "");
    toolstack_creates();        /* attached again */
    connect_front();
}
END_TEST

START_TEST(another_wish)
{
    start(1, false);
    connect_front();
    start(2, false);
    update();
    assert_state("1");
    ck_assert_uint_eq(links, 0);
    backend("2");
    backend("4");
    ck_assert_uint_eq(front->queue_count, 2);
    start(2, false);            /* the same again: nothing happens */
    update();
    ck_assert_int_eq(front->life, FRONT_CONNECTED);
}
END_TEST

START_TEST(carrier)
{
    start(1, false);
    connect_front();
    fake_store_set(BACKEND "/carrier", "0");
    update();
    ck_assert(!told.up);
    fake_store_set(BACKEND "/carrier", "1");
    update();
    ck_assert(told.up);
}
END_TEST

START_TEST(a_backend_path_that_is_none)
{
    static const char *const bad[] = {
        "", "/local/domain/0/backend/vif/3/0/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaa",
    };

    fake_store_set(DEVICE "/backend", bad[_i]);
    start(1, false);
    update();
    ck_assert_int_eq(front->life, FRONT_GONE);
    fake_store_set(DEVICE "/backend", BACKEND);
    fake_store_set(DEVICE "/backend-id", "40000");
    update();
    ck_assert_int_eq(front->life, FRONT_GONE);
}
END_TEST

/* Nothing of ours stays that Linux's driver would not have written itself. */
START_TEST(released_while_connected)
{
    fake_store_set(BACKEND "/feature-ctrl-ring", "1");
    start(1, false);
    connect_front();
    fake_store_set(BACKEND "/state", "6");
    front_destroy(front);
    assert_state("6");
    ck_assert_str_eq(fake_store_get(DEVICE "/event-channel-ctrl"), "");
    ck_assert_uint_eq(links, 0);
    ck_assert_uint_eq(fake_store_watches(), 0);
    setup();
}
END_TEST

/*
 * Linux's netfront, bound while the backend was still connected or closing,
 * took the end of our connection for its own's, and stayed closed.
 */
START_TEST(a_backend_leaves_before_the_device_is_left)
{
    uint64_t begin;

    start(1, false);
    connect_front();
    fake_store_set(BACKEND "/state", "5");
    begin = clock_ms();
    front_destroy(front);
    assert_state("6");
    /* This one never does: who waits for ever cannot end. */
    ck_assert_uint_ge(clock_ms() - begin, 4900);
    setup();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("front_bus");
    TCase *tcase = unit_case(suite, "front_bus");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_ordinary_life);
    tcase_add_loop_test(tcase, a_control_ring, 0, 2);
    tcase_add_test(tcase, a_backend_leaves_before_the_device_is_left);
    tcase_add_test(tcase, xenstored_goes_during_a_look);
    tcase_add_test(tcase, queues_up_to_the_backends);
    tcase_add_loop_test(tcase, a_backend_writes_nonsense, 0, 5);
    tcase_add_test(tcase, xsa465_any_states);
    tcase_add_test(tcase, old_states_do_not_count);
    tcase_add_test(tcase, the_kernel_has_it);
    tcase_add_test(tcase, no_rx_copy);
    tcase_add_test(tcase, no_grants);
    tcase_add_test(tcase, a_backend_that_broke_a_ring);
    tcase_add_test(tcase, a_backend_that_comes_back);
    tcase_add_loop_test(tcase, another_backend, 0, 4);
    tcase_add_loop_test(tcase, a_backend_that_starts_anew, 0, 3);
    tcase_add_test(tcase, not_wanted_any_more);
    tcase_add_test(tcase, another_wish);
    tcase_add_test(tcase, carrier);
    tcase_add_loop_test(tcase, a_backend_path_that_is_none, 0, 2);
    tcase_add_test(tcase, released_while_connected);
    return unit_run(suite);
}
