/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * local: a frontend and a backend in one process, over a real socket and
 * real shared memory; then the same with a frontend that misbehaves.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netback/from_guest.h"
#include "netback/local_private.h"
#include "netback/to_guest.h"
#include "unit.h"

#define FEATURES (LOCAL_SG | LOCAL_CSUM | LOCAL_GSO_TCPV4)

static char dir[] = "/tmp/check_local.XXXXXX";
static char path[64];
static struct local_front *front;
static struct local_link link_;
static struct access *access_;
static struct window_counts counts;
static struct journal_half half;
static struct from_guest from;
static struct to_guest to;
static struct from_guest_burst from_burst;
static struct to_guest_burst to_burst;
static const uint8_t mac[6] = { 0, 0x16, 0x3e, 1, 2, 3 };

static void *accept_one(void *result)
{
    *(int *)result = local_front_accept(front, 5000);
    return NULL;
}

/* Both ends of the handshake; returns the backend's result. */
static int connect_both(uint16_t queues_max, int *accepted)
{
    const char *why = "";
    pthread_t thread;
    int error;

    ck_assert_int_eq(pthread_create(&thread, NULL, accept_one, accepted), 0);
    error = local_connect(path, queues_max, FEATURES | LOCAL_GSO_TCPV6, 5000,
                          &link_, &why);
    if (error == 0) {
        local_answer(&link_, 0);
    }
    pthread_join(thread, NULL);
    return error;
}

static void attach(void)
{
    local_undo(&link_, &half);
    access_ = local_create(&link_, &half, &counts);
    ck_assert_int_eq(from_guest_init(&from, access_->ops->map(
        access_, link_.tx_ref[0])), 0);
    ck_assert_int_eq(to_guest_init(&to, access_->ops->map(
        access_, link_.rx_ref[0])), 0);
    from_burst.offered_gso = 1u << XEN_NETIF_GSO_TYPE_TCPV4;
}

static void setup(void)
{
    int accepted;

    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/vif", dir);
    front = local_front_create(path, 2, FEATURES, mac);
    ck_assert_ptr_nonnull(front);
    ck_assert_int_eq(connect_both(4, &accepted), 0);
    ck_assert_int_eq(accepted, 0);
    attach();
}

static void teardown(void)
{
    access_->ops->destroy(access_);
    local_disconnect(&link_);
    local_front_destroy(front);
    rmdir(dir);
    memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
}

/* The backend's work for one burst; data of packet 0 goes to buffer. */
static int receive(uint8_t *buffer, uint32_t size)
{
    struct from_guest_span span = { buffer, size };
    int count = from_guest_take(&from, &from_burst, 32);

    if (count > 0) {
        count = from_guest_parse(&from_burst);
    }
    for (int i = 0; i < count; i++) {
        if (from_burst.packets[i].status == NETIF_RSP_OKAY) {
            from_guest_plan(&from_burst, i, &span, 1);
        }
    }
    if (count > 0) {
        access_copy(access_, ACCESS_FROM_GUEST, from_burst.copies,
                    from_burst.copy_count);
        from_guest_settle(&from_burst);
        from_guest_respond(&from, &from_burst);
    }
    return count;
}

static int deliver(uint8_t *data, uint32_t size)
{
    struct to_guest_span span = { data, size };
    struct to_guest_packet packet = { .spans = &span, .span_count = 1 };
    int sent = to_guest_take(&to, &to_burst, &packet, 1);

    access_copy(access_, ACCESS_TO_GUEST, to_burst.copies,
                to_burst.copy_count);
    if (to_guest_respond(&to, &to_burst)) {
        access_->ops->notify(access_, link_.event[0]);
    }
    return packet.drop != TO_GUEST_KEEP ? -packet.drop : sent;
}

START_TEST(handshake)
{
    ck_assert_uint_eq(link_.queue_count, 2);
    ck_assert_uint_eq(link_.features, FEATURES);
    ck_assert_uint_eq(local_front_features(front), FEATURES);
    ck_assert_mem_eq(link_.mac, mac, 6);
    ck_assert(!local_is_closed(&link_));
    ck_assert(!local_front_is_closed(front));
}
END_TEST

START_TEST(packets_both_ways)
{
    static uint8_t out[20000], in[20000];
    struct local_packet packet = { .data = out, .flags = NETTXF_csum_blank };

    for (unsigned int i = 0; i < 2000; i++) {
        packet.size = 14 + i * 37 % 19000;
        packet.gso_size = i % 3 == 0 ? 1448 : 0;
        packet.gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
        memset(out, (int)i, packet.size);
        ck_assert_uint_eq(local_front_send(front, 0, &packet, 1), 1);
        ck_assert_int_eq(receive(in, sizeof(in)), 1);
        ck_assert_uint_eq(from_burst.packets[0].size, packet.size);
        ck_assert_uint_eq(from_burst.packets[0].gso_size, packet.gso_size);
        ck_assert_mem_eq(in, out, packet.size);
        ck_assert_int_eq(deliver(in, packet.size), 1);
        packet.size = sizeof(out);
        memset(out, 0, sizeof(out));
        ck_assert_uint_eq(local_front_receive(front, 0, &packet, 1), 1);
        ck_assert_int_eq(packet.status, 0);
        ck_assert_mem_eq(in, out, packet.size);
        packet.flags = NETTXF_csum_blank;
    }
    ck_assert_uint_eq(local_front_stats(front, 0).sent, 2000);
    ck_assert_uint_eq(local_front_stats(front, 0).received, 2000);
    ck_assert_uint_eq(local_front_stats(front, 0).sent_errors, 0);
    ck_assert_uint_eq(local_front_stats(front, 0).received_errors, 0);
    ck_assert_uint_eq(local_front_stats(front, 0).grants_in_use, 0);
}
END_TEST

START_TEST(events_arrive)
{
    uint8_t data[100] = { 0 };
    int fd = local_front_event_fd(front, 0);

    ck_assert(!local_front_arm(front, 0));
    ck_assert_int_eq(deliver(data, sizeof(data)), 1);
    ck_assert_int_eq(recv(fd, data, sizeof(data), MSG_DONTWAIT), 1);
    ck_assert_int_eq(recv(fd, data, sizeof(data), MSG_DONTWAIT), -1);
    ck_assert(local_front_arm(front, 0));
}
END_TEST

/* XSA-332: a frontend that never reads its events does not block us. */
START_TEST(xsa332_full_event_socket)
{
    fcntl(local_front_event_fd(front, 0), F_SETFL, 0);
    fcntl(link_.event[0], F_SETFL, 0);
    for (unsigned int i = 0; i < 100000; i++) {
        access_->ops->notify(access_, link_.event[0]);
    }
}
END_TEST

static int16_t copy_with(grant_ref_t ref, enum access_direction direction)
{
    static uint8_t host[64];
    struct access_copy copy = { .ref = ref, .size = 64, .host = host };

    access_copy(access_, direction, &copy, 1);
    return copy.status;
}

static void set_grant(grant_ref_t ref, uint16_t flags, uint16_t domid,
                      uint32_t frame)
{
    local_front_grant(front, ref)->entry =
        (grant_entry_v1_t){ flags, domid, frame };
}

START_TEST(grants_are_checked)
{
    const grant_ref_t ref = 20;

    set_grant(ref, GTF_permit_access, 0, 9);
    ck_assert_int_eq(copy_with(ref, ACCESS_TO_GUEST), GNTST_okay);
    set_grant(ref, GTF_permit_access | GTF_readonly, 0, 9);
    ck_assert_int_eq(copy_with(ref, ACCESS_FROM_GUEST), GNTST_okay);
    ck_assert_int_eq(copy_with(ref, ACCESS_TO_GUEST), GNTST_general_error);
    set_grant(ref, GTF_permit_access, 7, 9);
    ck_assert_int_eq(copy_with(ref, ACCESS_FROM_GUEST), GNTST_bad_gntref);
    set_grant(ref, GTF_invalid, 0, 9);
    ck_assert_int_eq(copy_with(ref, ACCESS_FROM_GUEST), GNTST_bad_gntref);
    set_grant(ref, GTF_transitive, 0, 9);
    ck_assert_int_eq(copy_with(ref, ACCESS_FROM_GUEST), GNTST_bad_gntref);
    set_grant(ref, GTF_permit_access, 0, link_.page_count);
    ck_assert_int_eq(copy_with(ref, ACCESS_FROM_GUEST), GNTST_bad_page);
    set_grant(ref, GTF_permit_access, 0, UINT32_MAX);
    ck_assert_int_eq(copy_with(ref, ACCESS_FROM_GUEST), GNTST_bad_page);
    ck_assert_int_eq(copy_with(link_.grant_count, ACCESS_FROM_GUEST),
                     GNTST_bad_gntref);
    ck_assert_int_eq(copy_with(UINT32_MAX, ACCESS_FROM_GUEST),
                     GNTST_bad_gntref);
}
END_TEST

/* Only the bits that we set are cleared. */
START_TEST(pins_are_ours)
{
    const grant_ref_t ref = 20;
    grant_entry_v1_t *entry = &local_front_grant(front, ref)->entry;

    counts.foreign = 0;
    set_grant(ref, GTF_permit_access, 0, 9);
    ck_assert_int_eq(copy_with(ref, ACCESS_TO_GUEST), GNTST_okay);
    ck_assert_uint_eq(entry->flags, GTF_permit_access);
    set_grant(ref, GTF_permit_access | GTF_reading, 0, 9);
    ck_assert_int_eq(copy_with(ref, ACCESS_TO_GUEST), GNTST_eagain);
    ck_assert_uint_eq(entry->flags, GTF_permit_access | GTF_reading);
    ck_assert_uint_eq(counts.foreign, 1);
    set_grant(ref, GTF_permit_access, 0, UINT32_MAX);
    ck_assert_int_eq(copy_with(ref, ACCESS_TO_GUEST), GNTST_bad_page);
    ck_assert_uint_eq(entry->flags, GTF_permit_access);
}
END_TEST

START_TEST(rings_stay_pinned)
{
    union grant_v1 *grant = local_front_grant(front, link_.tx_ref[0]);

    ck_assert_uint_eq(grant->entry.flags,
                      GTF_permit_access | grant_use(true));
    access_->ops->unmap(access_, local_front_tx(front, 0));
    access_->ops->unmap(access_, from.ring);
    ck_assert_uint_eq(grant->entry.flags, GTF_permit_access);
    ck_assert_ptr_null(access_->ops->map(access_, 0xffffffff));
}
END_TEST

static bool stop;

static void *scribble(void *opaque)
{
    union grant_v1 *grant = opaque;

    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        __atomic_fetch_xor(&grant->word.head, 1u << 12, __ATOMIC_RELAXED);
        __atomic_fetch_xor(&grant->word.frame, 0x80000000u,
                           __ATOMIC_RELAXED);
    }
    return NULL;
}

/* A guest that writes its entry all the time costs a bounded time. */
START_TEST(scribbled_grant_is_bounded)
{
    const grant_ref_t ref = 20;
    pthread_t thread;

    set_grant(ref, GTF_permit_access, 0, 9);
    stop = false;
    pthread_create(&thread, NULL, scribble, local_front_grant(front, ref));
    for (unsigned int i = 0; i < 20000; i++) {
        int16_t status = copy_with(ref, ACCESS_FROM_GUEST);

        ck_assert(status == GNTST_okay || status == GNTST_eagain ||
                  status == GNTST_bad_page);
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
}
END_TEST

/* A backend goes between two bursts and another goes on with the rings. */
START_TEST(backend_restart)
{
    uint8_t out[100], in[4096];
    struct local_packet packet = { .data = out, .size = sizeof(out) };
    int accepted;

    for (int i = 0; i < 5; i++) {
        for (int p = 0; p < 10; p++) {
            memset(out, i * 10 + p, sizeof(out));
            ck_assert_uint_eq(local_front_send(front, 0, &packet, 1), 1);
        }
        ck_assert_int_eq(receive(in, sizeof(in)), 10);
        memset(out, 0xaa, sizeof(out));
        ck_assert_uint_eq(local_front_send(front, 0, &packet, 1), 1);
        access_->ops->destroy(access_);
        local_disconnect(&link_);
        ck_assert(local_front_is_closed(front));
        ck_assert_int_eq(connect_both(4, &accepted), 0);
        attach();
        ck_assert_int_eq(receive(in, sizeof(in)), 1);
        ck_assert_mem_eq(in, out, sizeof(out));
    }
    ck_assert_uint_eq(local_front_stats(front, 0).grants_in_use, 0);
    ck_assert_uint_eq(local_front_stats(front, 0).sent_errors, 0);
}
END_TEST

/* A killed backend destroys nothing. */
static struct access *volatile dead;

static void forget_access(void)
{
    dead = access_;
    access_ = NULL;
}

/*
 * A backend is killed in the middle of a copy: its pins are of no use to the
 * next one, and a frontend that finds them at a response would give up.
 */
START_TEST(pins_of_a_dead_backend)
{
    uint8_t out[100] = { 0 }, in[4096];
    struct local_packet packet = { .data = out, .size = sizeof(out) };
    grant_ref_t ref;
    uint16_t flags;
    int accepted;

    ck_assert_uint_eq(local_front_send(front, 0, &packet, 1), 1);
    ck_assert_int_ge(from_guest_take(&from, &from_burst, 32), 1);
    ref = from_burst.slots[0].request.gref;
    ck_assert_int_eq(grant_pin(local_front_grant(front, ref), ref,
                               LOCAL_BACKEND, false, &half.pins[0], &flags),
                     GNTST_okay);
    /* It dies here; its rings stay pinned too. */
    ck_assert_uint_ne(half.pins[JOURNAL_COPIES], 0);
    ck_assert_uint_ne(half.pins[JOURNAL_COPIES + 1], 0);
    forget_access();
    local_disconnect(&link_);
    if (_i == 1) {
        memset(&half, 0, sizeof(half));
    }
    ck_assert_int_eq(connect_both(4, &accepted), 0);
    if (_i == 1) {
        local_undo(&link_, NULL);       /* there was no journal */
    }
    attach();
    ck_assert_int_eq(receive(in, sizeof(in)), 1);
    ck_assert_uint_eq(local_front_send(front, 0, &packet, 1), 1);
    ck_assert_uint_eq(local_front_stats(front, 0).grants_in_use, 0);
    access_->ops->unmap(access_, local_front_tx(front, 0));
    access_->ops->unmap(access_, from.ring);
    ck_assert_uint_eq(local_front_grant(front, link_.tx_ref[0])->entry.flags,
                      GTF_permit_access);
}
END_TEST

START_TEST(frontend_goes)
{
    local_front_destroy(front);
    ck_assert(local_is_closed(&link_));
    /* What is left of it can still be used without harm. */
    ck_assert_int_eq(copy_with(20, ACCESS_FROM_GUEST), GNTST_bad_gntref);
    front = local_front_create(path, 1, FEATURES, mac);
}
END_TEST

START_TEST(too_many_queues)
{
    int accepted;

    access_->ops->destroy(access_);
    local_disconnect(&link_);
    ck_assert_int_eq(connect_both(1, &accepted), -EPROTO);
    ck_assert_int_eq(accepted, -EPROTO);
    ck_assert_int_eq(connect_both(2, &accepted), 0);
    attach();
}
END_TEST

START_TEST(nobody_listens)
{
    struct local_link other;
    const char *why = "";

    ck_assert_int_eq(local_connect("/nonexistent/vif", 1, 0, 10, &other,
                                   &why), -ENOENT);
    ck_assert_int_eq(other.fd, -1);
}
END_TEST

/*
 * Only sockets carry events: who sleeps on a file asks its owner, who may be
 * the frontend; and a file that cannot be slept on refused the whole port.
 */
START_TEST(events_need_sockets)
{
    int *event = &front->queues[_i].backend_event;
    int accepted, socket_fd = *event;

    access_->ops->destroy(access_);
    local_disconnect(&link_);
    *event = front->memory_fd;
    ck_assert_int_eq(connect_both(4, &accepted), -EPROTO);
    ck_assert_int_eq(accepted, -EPROTO);
    *event = socket_fd;
    ck_assert_int_eq(connect_both(4, &accepted), 0);
    attach();
}
END_TEST

static const struct local_offer offer = {
    .magic = LOCAL_MAGIC, .version = LOCAL_VERSION, .queues_max = 4,
};

static struct local_hello good_hello(void)
{
    return (struct local_hello){
        .magic = LOCAL_MAGIC, .version = LOCAL_VERSION, .queue_count = 2,
        .grant_frames = 2,
    };
}

START_TEST(hello_is_checked)
{
    struct local_hello hello = good_hello();
    const char *why = NULL;
    size_t size = sizeof(hello), fds = 3;
    uint32_t pages = 100;

    ck_assert_int_eq(local_check(&hello, size, fds, pages, &offer, &why), 0);
    switch (_i) {
    case 0: hello.magic = 0; break;
    case 1: hello.version = LOCAL_VERSION - 1; break;
    case 2: hello.queue_count = 0; break;
    case 3: hello.queue_count = 5; fds = 6; break;
    case 4: hello.queue_count = 65535; break;
    case 5: hello.grant_frames = 0; break;
    case 6: hello.grant_frames = 101; break;
    case 7: pages = 0; break;
    case 8: pages = LOCAL_PAGES_MAX + 1; break;
    case 9: fds = 2; break;
    case 10: fds = 0; break;
    case 11: size--; break;
    case 12: pages = LOCAL_PAGES_MAX;
        hello.grant_frames = LOCAL_GRANT_FRAMES_MAX + 1; break;
    case 13: hello.ctrl_ref = 9; fds = 4; break;    /* not offered */
    default: hello.pad[1] = 1; break;
    }
    ck_assert_int_eq(local_check(&hello, size, fds, pages, &offer, &why),
                     -EPROTO);
    ck_assert_ptr_nonnull(why);
}
END_TEST

/* With the offer of a control ring its event socket has to come, too. */
START_TEST(control_ring_is_offered)
{
    struct local_offer with_ctrl = offer;
    struct local_hello hello = good_hello();
    const char *why = NULL;

    with_ctrl.features = LOCAL_CTRL;
    ck_assert_int_eq(local_check(&hello, sizeof(hello), 3, 100, &with_ctrl,
                                 &why), 0);
    hello.ctrl_ref = 9;
    ck_assert_int_eq(local_check(&hello, sizeof(hello), 4, 100, &with_ctrl,
                                 &why), 0);
    ck_assert_int_eq(local_check(&hello, sizeof(hello), 3, 100, &with_ctrl,
                                 &why), -EPROTO);
}
END_TEST

/* A page for good, and nothing that has to be undone. */
START_TEST(pages_without_pins)
{
    const grant_ref_t ref = 20;
    grant_entry_v1_t *entry = &local_front_grant(front, ref)->entry;
    void *page;

    set_grant(ref, GTF_permit_access | GTF_readonly, 0, 9);
    ck_assert_ptr_null(local_page(access_, ref, false));
    page = local_page(access_, ref, true);
    ck_assert_ptr_nonnull(page);
    ck_assert_uint_eq(entry->flags, GTF_permit_access | GTF_readonly);
    memset(local_front_page(front, 9), 0x5a, 16);
    ck_assert_mem_eq(page, local_front_page(front, 9), 16);
    set_grant(ref, GTF_permit_access, 0, link_.page_count);
    ck_assert_ptr_null(local_page(access_, ref, false));
    set_grant(ref, GTF_permit_access, 1, 9);
    ck_assert_ptr_null(local_page(access_, ref, true));
    set_grant(ref, GTF_transitive, 0, 9);
    ck_assert_ptr_null(local_page(access_, ref, true));
    ck_assert_ptr_null(local_page(access_, link_.grant_count, true));
    ck_assert_ptr_null(local_page(access_, UINT32_MAX, true));
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_test(tcase, handshake);
    tcase_add_test(tcase, packets_both_ways);
    tcase_add_test(tcase, control_ring_is_offered);
    tcase_add_test(tcase, pages_without_pins);
    tcase_add_test(tcase, events_arrive);
    tcase_add_test(tcase, xsa332_full_event_socket);
    tcase_add_test(tcase, grants_are_checked);
    tcase_add_test(tcase, pins_are_ours);
    tcase_add_test(tcase, rings_stay_pinned);
    tcase_add_test(tcase, scribbled_grant_is_bounded);
    tcase_add_test(tcase, backend_restart);
    tcase_add_loop_test(tcase, pins_of_a_dead_backend, 0, 2);
    tcase_add_test(tcase, frontend_goes);
    tcase_add_test(tcase, too_many_queues);
    tcase_add_loop_test(tcase, events_need_sockets, 0, 2);
    tcase_add_test(tcase, nobody_listens);
    tcase_add_loop_test(tcase, hello_is_checked, 0, 15);
}

int main(void)
{
    Suite *suite = suite_create("local");
    TCase *tcase = unit_case(suite, "local");

    tcase_add_checked_fixture(tcase, setup, teardown);
    add_tests(tcase);
    return unit_run(suite);
}
