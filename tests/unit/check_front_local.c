/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netback/front_local.c: the handshake with our own backend's end
 * (local_link.c), and with one that sends what it likes.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "netback/clock.h"
#include "netback/ctrl_ring.h"
#include "netback/front.h"
#include "netback/gref.h"
#include "netback/local.h"
#include "tests/fake/log.h"
#include "unit.h"

int front_logtype;

static char dir[] = "/tmp/check_front.XXXXXX";
static char path[64];
static int listen_fd;
static struct front_link *front_link;
static struct local_link back;
static struct front_wish wish;
static const char *why;
static unsigned int prepared;
static uint32_t offered;

static void prepare(void *front, struct front_link *link)
{
    ck_assert_ptr_eq(front, &prepared);
    ck_assert_uint_ne(link->queue_count, 0);
    prepared++;
}

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/vif", dir);
    listen_fd = front_local_listen(path);
    ck_assert_int_ge(listen_fd, 0);
    wish = (struct front_wish){
        .queues = 4, .rx_buffers = 64, .tx_buffers = 32, .scatter = true,
        .mac = { 2, 0, 0, 0, 0, 7 }, .prepare = prepare, .front = &prepared,
    };
    prepared = 0;
    offered = LOCAL_SG | LOCAL_CSUM | LOCAL_GSO_TCPV4;
    why = "";
    back.fd = -1;
}

static void teardown(void)
{
    if (front_link != NULL) {
        front_link->ops->destroy(front_link);
        front_link = NULL;
    }
    if (back.fd >= 0) {
        local_disconnect(&back);
    }
    close(listen_fd);
    unlink(path);
    rmdir(dir);
    memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
}

/* One step of the handshake, which waits for nobody. */
static int step(void)
{
    uint64_t start = clock_ms();
    int error = front_local_step(front_link, &why);

    ck_assert_uint_lt(clock_ms() - start, 200);
    return error;
}

/* As front.c: a backend that has left is no error, and no link. */
static int accept_one(void)
{
    int error = front_local_accept(listen_fd, &wish, &front_link, &why);

    if (error != 0 || front_link == NULL) {
        return error;
    }
    while ((error = step()) == -EAGAIN) {
        struct pollfd wait = { front_local_fd(front_link), POLLIN, 0 };

        (void)poll(&wait, 1, 100);
    }
    if (error != 0) {
        front_link->ops->destroy(front_link);
        front_link = NULL;
    }
    return error == -EPIPE ? 0 : error;
}

static void *connect_one(void *argument)
{
    const char *text = "";
    int *status = argument;
    int error = local_connect(path, 2, offered, 5000, &back, &text);

    if (error == 0) {
        local_answer(&back, *status);
    }
    *status = error;
    return NULL;
}

/* Both ends; the backend answers by verdict. */
static int connect_both(int verdict)
{
    struct pollfd wait = { .fd = listen_fd, .events = POLLIN };
    pthread_t thread;
    int error;

    ck_assert_int_eq(pthread_create(&thread, NULL, connect_one, &verdict), 0);
    ck_assert_int_eq(poll(&wait, 1, 5000), 1);
    error = accept_one();
    pthread_join(thread, NULL);
    ck_assert_int_eq(verdict, 0);
    return error;
}

static int connect_raw(void)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

    strcpy(address.sun_path, path);
    ck_assert_int_eq(connect(fd, (struct sockaddr *)&address,
                             sizeof(address)), 0);
    return fd;
}

static const grant_entry_v1_t *grant(grant_ref_t ref)
{
    ck_assert_uint_lt(ref, back.grant_count);
    return (const grant_entry_v1_t *)back.memory + ref;
}

START_TEST(handshake)
{
    ck_assert_int_eq(connect_both(0), 0);
    ck_assert_ptr_nonnull(front_link);
    ck_assert_uint_eq(prepared, 1);
    ck_assert_uint_eq(front_link->queue_count, 2);  /* no more than offered */
    ck_assert_uint_eq(back.queue_count, 2);
    ck_assert_mem_eq(back.mac, wish.mac, 6);
    ck_assert_uint_eq(back.features, LOCAL_SG | LOCAL_CSUM);
    ck_assert(!front_link->linear);
    ck_assert(!front_link->takes.gso_tcpv4);        /* no LRO, no TSO */
    ck_assert(!front_local_is_closed(front_link));
    local_disconnect(&back);
    ck_assert(front_local_is_closed(front_link));
}
END_TEST

/*
 * A wish was compared by its bytes, those between the members too, which a
 * caller need not set: the link might be made anew for nothing.
 */
START_TEST(wishes)
{
    struct front_wish a, b;

    memset(&a, 0xaa, sizeof(a));
    memset(&b, 0x55, sizeof(b));
    a.queues = b.queues = 1;
    a.rx_buffers = b.rx_buffers = a.tx_buffers = b.tx_buffers = 64;
    a.scatter = b.scatter = a.lro = b.lro = false;
    memset(a.mac, 2, sizeof(a.mac));
    memset(b.mac, 2, sizeof(b.mac));
    a.prepare = b.prepare = prepare;
    a.front = b.front = &prepared;
    ck_assert(front_wish_is_same(&a, &b));
    b.mac[5] = 3;
    ck_assert(!front_wish_is_same(&a, &b));
    b.mac[5] = 2;
    b.lro = true;
    ck_assert(!front_wish_is_same(&a, &b));
    b.lro = false;
    b.tx_buffers = 32;
    ck_assert(!front_wish_is_same(&a, &b));
}
END_TEST

/* What the backend may only read, it is granted for reading only. */
START_TEST(grants)
{
    ck_assert_int_eq(connect_both(0), 0);
    for (unsigned int i = 0; i < 2; i++) {
        const struct front_link_queue *q = &front_link->queues[i];

        ck_assert_uint_eq(grant(back.tx_ref[i])->flags, GTF_permit_access);
        ck_assert_uint_eq(grant(back.rx_ref[i])->flags, GTF_permit_access);
        for (unsigned int id = 0; id < q->tx_buffers.count; id++) {
            ck_assert_uint_eq(grant(q->tx_buffers.refs[id])->flags,
                              GTF_permit_access | GTF_readonly);
        }
        for (unsigned int id = 0; id < q->rx_buffers.count; id++) {
            grant_ref_t ref = q->rx_buffers.refs[id];
            uint8_t *page = q->rx_buffers.pages + id * ACCESS_PAGE_SIZE;

            ck_assert_uint_eq(grant(ref)->flags, GTF_permit_access);
            memcpy(back.memory + (size_t)grant(ref)->frame *
                   ACCESS_PAGE_SIZE, &ref, sizeof(ref));
            ck_assert_mem_eq(page, &ref, sizeof(ref));
        }
    }
    ck_assert_uint_eq(grant(0)->flags, 0);  /* the table's own page */
}
END_TEST

START_TEST(sixteen_queues_of_all_buffers)
{
    offered |= LOCAL_CTRL;
    wish.queues = 16;
    wish.rx_buffers = wish.tx_buffers = 256;
    ck_assert_int_eq(connect_both(0), 0);
    ck_assert_uint_ge(back.grant_count, back.page_count);
}
END_TEST

START_TEST(events)
{
    struct pollfd wait = { .events = POLLIN };

    ck_assert_int_eq(connect_both(0), 0);
    wait.fd = front_link->queues[1].fd;
    ck_assert_int_eq(poll(&wait, 1, 0), 0);
    for (unsigned int i = 0; i < 3; i++) {
        ck_assert_int_eq(send(back.event[1], "x", 1, MSG_DONTWAIT), 1);
    }
    ck_assert_int_eq(poll(&wait, 1, 0), 1);
    front_link->ops->drain(front_link, 1);
    ck_assert_int_eq(poll(&wait, 1, 0), 0);
    /* A backend that never reads cannot block us. */
    for (unsigned int i = 0; i < 100000; i++) {
        front_link->ops->notify(front_link, 0, true);
    }
    wait.fd = back.event[0];
    ck_assert_int_eq(poll(&wait, 1, 0), 1);
}
END_TEST

/* Only where it is offered; both its pages, and events both ways. */
START_TEST(a_control_ring)
{
    struct pollfd wait = { .events = POLLIN };

    ck_assert_int_eq(connect_both(0), 0);
    ck_assert_ptr_null(front_link->ctrl.ring);
    ck_assert_uint_eq(back.ctrl_ref, 0);
    front_link->ops->destroy(front_link);
    local_disconnect(&back);
    offered |= LOCAL_CTRL;
    ck_assert_int_eq(connect_both(0), 0);
    ck_assert_uint_eq(grant(back.ctrl_ref)->flags, GTF_permit_access);
    ck_assert_uint_eq(grant(front_link->ctrl.page_ref)->flags,
                      GTF_permit_access);
    front_link->ctrl.ring->req_prod = 17;
    memcpy(front_link->ctrl.page, "list", 4);
    ck_assert_uint_eq(((xen_netif_ctrl_sring_t *)(back.memory +
        (size_t)back.ctrl_ref * ACCESS_PAGE_SIZE))->req_prod, 17);
    ck_assert_mem_eq(back.memory + (size_t)front_link->ctrl.page_ref *
                     ACCESS_PAGE_SIZE, "list", 4);
    front_link->ops->notify_ctrl(front_link);
    wait.fd = back.ctrl_event;
    ck_assert_int_eq(poll(&wait, 1, 0), 1);
    ck_assert(!front_link->ops->drain_ctrl(front_link));
    ck_assert_int_eq(send(back.ctrl_event, "x", 1, MSG_DONTWAIT), 1);
    wait.fd = front_link->ctrl.fd;
    ck_assert_int_eq(poll(&wait, 1, 0), 1);
    ck_assert(front_link->ops->drain_ctrl(front_link));
    ck_assert_int_eq(poll(&wait, 1, 0), 0);
}
END_TEST

/* The backend's end of the control ring, in a thread of its own. */
struct served {
    struct access *access;
    struct gref_table *tables[2];
    bool stop;                  /* [a] */
};

static void *map_page(void *self, grant_ref_t ref, bool readonly)
{
    return local_page(self, ref, readonly);
}

static void unmap_page(void *self, void *page)
{
    ck_assert_ptr_nonnull(self);
    ck_assert_ptr_nonnull(page);
}

static void quiesce(void *self)
{
    ck_assert_ptr_nonnull(self);
}

static uint32_t table_size(void *self)
{
    ck_assert_ptr_nonnull(self);
    return GREF_TABLE_SIZE;
}

static int add(void *self, uint16_t queue, const struct xen_netif_gref *list,
               uint32_t count)
{
    return gref_add(((struct served *)self)->tables[queue], list, count);
}

static uint32_t del(void *self, uint16_t queue, struct xen_netif_gref *list,
                    uint32_t count)
{
    return gref_del(((struct served *)self)->tables[queue], list, count);
}

static void *serve_ctrl(void *argument)
{
    static const struct ctrl_ring_grefs grefs = { table_size, add, del };
    struct served *s = argument;
    struct hash hash = { .flags = 0 };
    struct hash_table table = { .sequence = 0 };
    const struct ctrl_ring_target target = {
        .access = s->access, .hash = &hash, .table = &table,
        .grefs = &grefs, .grefs_self = s, .queue_count = 2,
    };
    struct ctrl_ring ring;
    struct ctrl_ring_done done;

    ck_assert_int_eq(ctrl_ring_init(&ring, local_page(s->access,
                                                      back.ctrl_ref, false)),
                     0);
    while (!__atomic_load_n(&s->stop, __ATOMIC_SEQ_CST)) {
        struct pollfd wait = { back.ctrl_event, POLLIN, 0 };
        char event;

        (void)poll(&wait, 1, 10);
        (void)!recv(back.ctrl_event, &event, 1, MSG_DONTWAIT);
        ck_assert_int_eq(ctrl_ring_turn(&ring, &target, &done), 0);
        if (done.notify) {
            s->access->ops->notify(s->access, back.ctrl_event);
        }
    }
    return NULL;
}

static void ask_until(struct front *front, enum front_static_state state)
{
    while (front->statics.state != state) {
        struct pollfd wait = { front_static_fd(front), POLLIN, 0 };

        ck_assert_int_ge(wait.fd, 0);
        ck_assert_int_eq(poll(&wait, 1, 20000), 1);
        front_static_turn(front);
    }
}

/* Packets' bytes, both ways, by what the backend has mapped. */
static void expect_static(const struct front_link_queue *q,
                          struct access *access, const uint64_t *hits)
{
    uint8_t byte = 0;
    struct access_copy from = {
        .ref = q->tx_buffers.refs[5], .offset = 7, .size = 1, .host = &byte,
    };
    struct access_copy to = {
        .ref = q->rx_buffers.refs[9], .size = 1, .host = &byte,
    };

    q->tx_buffers.pages[5 * ACCESS_PAGE_SIZE + 7] = 0x5a;
    access_copy(access, ACCESS_FROM_GUEST, &from, 1);
    ck_assert_uint_eq(byte, 0x5a);
    access_copy(access, ACCESS_TO_GUEST, &to, 1);
    ck_assert_uint_eq(q->rx_buffers.pages[9 * ACCESS_PAGE_SIZE], 0x5a);
    ck_assert_uint_eq(*hits, 2);
    /* What it has to read only, it does not write, nor does the grant. */
    to.ref = from.ref;
    access_copy(access, ACCESS_TO_GUEST, &to, 1);
    ck_assert_int_ne(to.status, GNTST_okay);
}

/* All of it: our own backend's ring, tables and pages. */
START_TEST(static_grants)
{
    struct front *front = aligned_alloc(64, sizeof(*front));
    struct served served = { .stop = false };
    struct window_counts counts = { .hits = 0 };
    struct access *access;
    uint64_t hits = 0;
    pthread_t thread;

    memset(front, 0, sizeof(*front));
    offered |= LOCAL_CTRL;
    ck_assert_int_eq(connect_both(0), 0);
    front->link = front_link;
    front_static_prepare(&front->statics, front_link);
    served.access = local_create(&back, NULL, &counts);
    for (unsigned int i = 0; i < 2; i++) {
        const struct gref_config config = {
            map_page, unmap_page, quiesce, served.access,
        };

        served.tables[i] = gref_create(&config);
    }
    access = gref_wrap(local_create(&back, NULL, &counts), served.tables[1],
                       &hits);
    ck_assert_int_eq(pthread_create(&thread, NULL, serve_ctrl, &served), 0);
    front_static_start(front);
    ask_until(front, FRONT_STATIC_ON);
    ck_assert_uint_eq(gref_count(served.tables[0]), 64 + 32);
    ck_assert_uint_eq(gref_count(served.tables[1]), 64 + 32);
    expect_static(&front_link->queues[1], access, &hits);
    front_static_end(front);
    ck_assert_uint_eq(gref_count(served.tables[0]) +
                      gref_count(served.tables[1]), 0);
    __atomic_store_n(&served.stop, true, __ATOMIC_SEQ_CST);
    pthread_join(thread, NULL);
    access->ops->destroy(access);
    served.access->ops->destroy(served.access);
    gref_destroy(served.tables[0]);
    gref_destroy(served.tables[1]);
    free(front);
}
END_TEST

START_TEST(the_backend_refuses)
{
    ck_assert_int_eq(connect_both(-ENOMEM), -EPROTO);
    ck_assert_ptr_null(front_link);
    ck_assert_str_eq(why, "the backend refuses the rings");
}
END_TEST

START_TEST(offers_that_are_none)
{
    struct local_offer offer = {
        .magic = LOCAL_MAGIC, .version = LOCAL_VERSION, .queues_max = 1,
    };
    size_t size = sizeof(offer);
    int fd = connect_raw();

    switch (_i) {
    case 0: offer.magic++; break;
    case 1: offer.version++; break;
    case 2: offer.queues_max = 0; break;
    case 3: size--; break;
    default: break;
    }
    ck_assert_int_eq(send(fd, &offer, size, 0), (int)size);
    ck_assert_int_eq(accept_one(), -EPROTO);
    ck_assert_ptr_null(front_link);
    ck_assert_uint_eq(prepared, 0);
    ck_assert_ptr_nonnull(strstr(why, "no backend of a local vif"));
    close(fd);
}
END_TEST

/* One that leaves, or says nothing, is no error: another will come. */
START_TEST(backends_that_leave)
{
    struct local_offer offer = {
        .magic = LOCAL_MAGIC, .version = LOCAL_VERSION, .queues_max = 65535,
        .features = 0xffffffff,
    };
    int fd = connect_raw();

    if (_i == 1) {
        ck_assert_int_eq(send(fd, &offer, sizeof(offer), 0),
                         (int)sizeof(offer));
    }
    if (_i < 2) {
        close(fd);
    }
    ck_assert_int_eq(accept_one(), 0);
    ck_assert_ptr_null(front_link);
    if (_i == 2) {
        close(fd);
    }
    ck_assert_int_eq(connect_both(0), 0);
    ck_assert_ptr_nonnull(front_link);
}
END_TEST

/*
 * One that connects and says nothing, before its offer or its verdict: it is
 * waited for, but nobody has to wait.  A step took up to two seconds of the
 * thread that all fronts of the process have.
 */
START_TEST(backends_that_are_silent)
{
    struct local_offer offer = {
        .magic = LOCAL_MAGIC, .version = LOCAL_VERSION, .queues_max = 1,
    };
    uint64_t start = clock_ms();
    int fd = connect_raw();
    int error;

    ck_assert_int_eq(front_local_accept(listen_fd, &wish, &front_link, &why),
                     0);
    ck_assert_int_eq(step(), -EAGAIN);
    ck_assert_int_eq(step(), -EAGAIN);
    if (_i == 1) {
        ck_assert_int_eq(send(fd, &offer, sizeof(offer), 0),
                         (int)sizeof(offer));
        ck_assert_int_eq(step(), -EAGAIN);
        ck_assert_uint_eq(prepared, 1);
    }
    while ((error = step()) == -EAGAIN) {
        ck_assert_uint_lt(clock_ms() - start, 20000);
        usleep(20000);
    }
    ck_assert_int_eq(error, -EPIPE);
    ck_assert_uint_ge(clock_ms() - start, _i == 1 ? 2000 : 500);
    close(fd);
}
END_TEST

START_TEST(nobody_is_there)
{
    ck_assert_int_eq(accept_one(), 0);
    ck_assert_ptr_null(front_link);
}
END_TEST

/* Only a socket is removed to listen in its place. */
START_TEST(a_file_at_the_path)
{
    int fd;

    close(listen_fd);
    listen_fd = front_local_listen(path);   /* what a dead frontend left */
    ck_assert_int_ge(listen_fd, 0);
    ck_assert_int_eq(unlink(path), 0);
    fd = open(path, O_CREAT | O_WRONLY, 0600);
    ck_assert_int_ge(fd, 0);
    close(fd);
    ck_assert_int_eq(front_local_listen(path), -EADDRINUSE);
    ck_assert_int_eq(access(path, F_OK), 0);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("front_local");
    TCase *tcase = unit_case(suite, "front_local");

    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, handshake);
    tcase_add_test(tcase, wishes);
    tcase_add_test(tcase, grants);
    tcase_add_test(tcase, sixteen_queues_of_all_buffers);
    tcase_add_test(tcase, events);
    tcase_add_test(tcase, a_control_ring);
    tcase_add_test(tcase, static_grants);
    tcase_add_test(tcase, the_backend_refuses);
    tcase_add_loop_test(tcase, offers_that_are_none, 0, 4);
    tcase_add_loop_test(tcase, backends_that_leave, 0, 3);
    tcase_add_loop_test(tcase, backends_that_are_silent, 0, 2);
    tcase_add_test(tcase, nobody_is_there);
    tcase_add_test(tcase, a_file_at_the_path);
    return unit_run(suite);
}
