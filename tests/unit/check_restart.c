/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A backend is killed at every point of its work and another one goes on:
 * real processes, a real journal, a frontend that checks as Linux's does.
 *
 * The test is the frontend; the backends are its children.  One dies by
 * SIGKILL at a point of kill_point.h, the next finishes.  Then every packet
 * must be accounted for: delivered once, with its bytes, or lost for a cause
 * that is counted; no grant may be left in use.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "netback/from_guest.h"
#include "netback/journal_file.h"
#include "netback/kill_point.h"
#include "netback/local_front.h"
#include "netback/to_guest.h"
#include "unit.h"

#define PACKETS_MAX 500u        /* each way */
#define SIZE_MAX_ 65535u
#define TO_BURST 4u

enum way { FROM_GUEST, TO_GUEST };

/* What the processes share. */
static struct shared {
    /* The kill: the test writes, the backend reads. */
    bool armed;
    enum kill_point point;
    enum way way;
    unsigned int passes;        /* before it happens */
    bool stop;
    /* What the backends have done. */
    const char *error;          /* literal: the same in all of them */
    unsigned int seen[PACKETS_MAX]; /* from the guest, handed on */
    unsigned int seen_count;
    unsigned int lost_from;     /* as the journal says */
    unsigned int to_next;       /* next packet to the guest */
    unsigned int to_first;      /* first of the burst under way */
    bool to_busy;
} *shared;

struct shape {
    unsigned int packets;       /* each way: seven bursts and more */
    uint32_t from_size;         /* + packet number % 7 */
    uint16_t piece;
    uint32_t to_size;
    uint16_t gso;
};

static const struct shape shapes[] = {
    { .packets = PACKETS_MAX, .from_size = 100,         /* one slot */
      .to_size = 100 },
    { .packets = 200, .from_size = 18 * 1000 - 7,       /* 18 slots */
      .piece = 1000, .to_size = 65000, .gso = 1448 },   /* 17 slots */
};

static char dir[] = "/tmp/check_restart.XXXXXX";
static char path[64], journals[64];
static const struct shape *shape;
static struct local_front *front;
static enum way now;

void kill_point(enum kill_point point)
{
    if (!shared->armed || point != shared->point || now != shared->way) {
        return;
    }
    if (shared->passes-- == 0) {
        kill(getpid(), SIGKILL);
    }
}

/* Every byte depends on the packet and its place. */
static void fill(uint8_t *data, uint32_t size, unsigned int number)
{
    memcpy(data, &number, sizeof(number));
    for (uint32_t i = sizeof(number); i < size; i++) {
        data[i] = (uint8_t)(number * 31 + i * 7 + (i >> 8));
    }
}

static bool is_filled(const uint8_t *data, uint32_t size,
                      unsigned int *number)
{
    static uint8_t want[SIZE_MAX_];

    memcpy(number, data, sizeof(*number));
    fill(want, size, *number);
    return *number < shape->packets && memcmp(data, want, size) == 0;
}

static uint32_t from_size(unsigned int number)
{
    return shape->from_size + number % 7;
}

/* ---- the backend ---- */

struct backend {
    struct local_link link;
    struct journal_file *journal;
    struct access *from_access, *to_access;
    struct window_counts counts[2];
    struct from_guest from;
    struct to_guest to;
};

static struct from_guest_burst from_burst;
static struct to_guest_burst to_burst;
static uint8_t buffers[FROM_GUEST_BURST][SIZE_MAX_];

static void die(const char *what)
{
    shared->error = what;
    _exit(1);
}

static struct journal_half *half_of(struct backend *b, enum way way)
{
    return journal_file_half(b->journal, way == TO_GUEST);
}

static void attach(struct backend *b)
{
    const struct journal_name name = { journals, "vif0.0", "the frontend" };
    const char *why = "";
    void *tx, *rx;

    if (local_connect(path, 1, LOCAL_SG, 20000, &b->link, &why) != 0) {
        die(why);
    }
    b->journal = journal_file_open(&name, 1, &why);
    if (b->journal == NULL) {
        die(why);
    }
    local_undo(&b->link, half_of(b, FROM_GUEST));
    local_undo(&b->link, half_of(b, TO_GUEST));
    b->from_access = local_create(&b->link, half_of(b, FROM_GUEST),
                                  &b->counts[0]);
    b->to_access = local_create(&b->link, half_of(b, TO_GUEST),
                                &b->counts[1]);
    tx = b->from_access->ops->map(b->from_access, b->link.tx_ref[0]);
    rx = b->to_access->ops->map(b->to_access, b->link.rx_ref[0]);
    if (tx == NULL || rx == NULL) {
        die("the rings are still in use");
    }
    shared->lost_from += from_guest_finish(tx, half_of(b, FROM_GUEST));
    to_guest_finish(rx, half_of(b, TO_GUEST));
    if (from_guest_init(&b->from, tx) != 0 || to_guest_init(&b->to, rx) != 0) {
        die("the rings' indices");
    }
    b->from.journal = half_of(b, FROM_GUEST);
    b->to.journal = half_of(b, TO_GUEST);
    local_answer(&b->link, 0);
}

static void hand_on(unsigned int count)
{
    for (unsigned int i = 0; i < count; i++) {
        unsigned int number;

        if (!is_filled(buffers[i], from_burst.packets[i].size, &number) ||
            from_burst.packets[i].size != from_size(number)) {
            die("a packet from the guest is not what was sent");
        }
        shared->seen[number]++;
        shared->seen_count++;
    }
}

static void work_from(struct backend *b)
{
    int count;

    now = FROM_GUEST;
    count = from_guest_take(&b->from, &from_burst, FROM_GUEST_BURST);
    if (count > 0) {
        count = from_guest_parse(&from_burst);
    }
    if (count < 0) {
        die("the guest's ring is broken");
    }
    if (count == 0) {
        return;
    }
    for (int i = 0; i < count; i++) {
        struct from_guest_span span = { buffers[i], SIZE_MAX_ };

        if (from_guest_plan(&from_burst, (unsigned int)i, &span, 1) != 0) {
            die("a packet has no room");
        }
    }
    access_copy(b->from_access, ACCESS_FROM_GUEST, from_burst.copies,
                from_burst.copy_count);
    from_guest_settle(&from_burst);
    for (int i = 0; i < count; i++) {
        if (from_burst.packets[i].status != NETIF_RSP_OKAY) {
            die("a packet from the guest was refused");
        }
    }
    (void)from_guest_respond(&b->from, &from_burst);
    hand_on((unsigned int)count);
}

static void work_to(struct backend *b)
{
    static uint8_t data[TO_BURST][SIZE_MAX_];
    struct to_guest_span spans[TO_BURST];
    struct to_guest_packet packets[TO_BURST];
    unsigned int count = 0;
    int sent;

    now = TO_GUEST;
    memset(packets, 0, sizeof(packets));
    while (count < TO_BURST && shared->to_next + count < shape->packets) {
        fill(data[count], shape->to_size, shared->to_next + count);
        spans[count] = (struct to_guest_span){ data[count], shape->to_size };
        packets[count].spans = &spans[count];
        packets[count].span_count = 1;
        packets[count].gso_size = shape->gso;
        packets[count].gso_type = XEN_NETIF_GSO_TYPE_TCPV4;
        count++;
    }
    sent = count == 0 ? 0 : to_guest_take(&b->to, &to_burst, packets, count);
    if (sent <= 0) {
        return;
    }
    shared->to_first = shared->to_next;
    shared->to_next += (unsigned int)sent;
    shared->to_busy = true;
    access_copy(b->to_access, ACCESS_TO_GUEST, to_burst.copies,
                to_burst.copy_count);
    (void)to_guest_respond(&b->to, &to_burst);
    shared->to_busy = false;
    for (int i = 0; i < sent; i++) {
        if (packets[i].drop != TO_GUEST_KEEP) {
            die("a packet to the guest was dropped");
        }
    }
}

static pid_t start_backend(void)
{
    static struct backend b;
    pid_t pid = fork();

    if (pid != 0) {
        return pid;
    }
    alarm(60);
    attach(&b);
    while (!__atomic_load_n(&shared->stop, __ATOMIC_RELAXED)) {
        work_from(&b);
        work_to(&b);
    }
    b.from_access->ops->destroy(b.from_access);
    b.to_access->ops->destroy(b.to_access);
    local_disconnect(&b.link);
    journal_file_close(b.journal);
    _exit(0);
}

/* ---- the frontend ---- */

struct progress {
    unsigned int sent;
    unsigned int received;
    unsigned int lost_to;       /* by gaps in the numbers */
    unsigned int next;          /* number expected from the backend */
};

static void exchange(struct progress *p)
{
    static uint8_t out[SIZE_MAX_], in[SIZE_MAX_];
    struct local_packet packet = { .data = in, .size = sizeof(in) };
    unsigned int number;

    while (p->sent < shape->packets) {
        struct local_packet next = {
            .data = out, .size = from_size(p->sent), .piece = shape->piece,
        };

        fill(out, next.size, p->sent);
        if (local_front_send(front, 0, &next, 1) == 0) {
            break;
        }
        p->sent++;
    }
    while (local_front_receive(front, 0, &packet, 1) == 1) {
        ck_assert_int_eq(packet.status, 0);
        ck_assert_uint_eq(packet.size, shape->to_size);
        ck_assert_uint_eq(packet.gso_size, shape->gso);
        ck_assert(is_filled(in, packet.size, &number));
        ck_assert_uint_ge(number, p->next);
        p->lost_to += number - p->next;
        p->next = number + 1;
        p->received++;
        packet.size = sizeof(in);
    }
}

static bool is_done(const struct progress *p)
{
    return p->sent == shape->packets &&
           shared->seen_count + shared->lost_from == shape->packets &&
           p->next == shape->packets;
}

static bool has_died(pid_t pid, int options)
{
    int status;

    if (waitpid(pid, &status, options) != pid) {
        return false;
    }
    ck_assert_msg(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL,
                  "the backend: %s",
                  shared->error != NULL ? shared->error : "died");
    return true;
}

/* Until the backend dies, or all is done; true: it has died. */
static bool drive(struct progress *p, pid_t pid)
{
    /* The rings' pins are points, too: it may die before it answers. */
    if (local_front_accept(front, 30000) != 0) {
        ck_assert(has_died(pid, 0));
        return true;
    }
    while (!is_done(p)) {
        exchange(p);
        if (has_died(pid, WNOHANG)) {
            return true;
        }
    }
    return false;
}

static void check_end(const struct progress *p)
{
    struct local_front_stats stats = local_front_stats(front, 0);
    unsigned int unseen = 0;

    for (unsigned int i = 0; i < shape->packets; i++) {
        ck_assert_uint_le(shared->seen[i], 1);
        unseen += shared->seen[i] == 0;
    }
    ck_assert_uint_eq(unseen, shared->lost_from);
    ck_assert_uint_eq(p->received + p->lost_to, shape->packets);
    ck_assert_uint_eq(stats.grants_in_use, 0);
    ck_assert_uint_eq(stats.sent_errors, 0);
    ck_assert_uint_eq(stats.received_errors, 0);
}

/*
 * What may be lost, exactly: from the guest a burst whose answers had begun,
 * to the guest one whose answers had not.
 */
static void check_losses(const struct progress *p, bool killed)
{
    bool answering = shared->point >= KILL_ANSWERING;
    unsigned int in_hand = shared->to_next - shared->to_first;

    if (!killed || shared->way != FROM_GUEST || !answering) {
        ck_assert_uint_eq(shared->lost_from, 0);
    } else {
        ck_assert_uint_ge(shared->lost_from, 1);
        ck_assert_uint_le(shared->lost_from, FROM_GUEST_BURST);
    }
    if (!killed || shared->way != TO_GUEST || answering) {
        ck_assert_uint_eq(p->lost_to, 0);
    } else {
        ck_assert_uint_ge(p->lost_to, 1);
        ck_assert_uint_le(p->lost_to, TO_BURST);
    }
    ck_assert_uint_le(in_hand, TO_BURST);
}

static void run_once(enum kill_point point, enum way way,
                     unsigned int passes)
{
    static const uint8_t mac[6] = { 0, 0x16, 0x3e, 1, 2, 3 };
    struct progress p = { .sent = 0 };
    bool killed;
    pid_t pid;
    int status;

    memset(shared, 0, sizeof(*shared));
    shared->armed = true;
    shared->point = point;
    shared->way = way;
    shared->passes = passes;
    front = local_front_create(path, 1, LOCAL_SG, mac);
    ck_assert_ptr_nonnull(front);
    pid = start_backend();
    killed = drive(&p, pid);
    ck_assert(killed);
    shared->armed = false;
    pid = start_backend();
    ck_assert(!drive(&p, pid));
    shared->stop = true;
    ck_assert_int_eq(waitpid(pid, &status, 0), pid);
    ck_assert_msg(status == 0, "the backend: %s", shared->error);
    check_end(&p);
    check_losses(&p, killed);
    for (grant_ref_t ref = 0; ref < 2; ref++) {
        uint16_t flags = local_front_grant(front,
            ref + 1)->entry.flags;

        ck_assert_uint_eq(flags & (GTF_reading | GTF_writing), 0);
    }
    local_front_destroy(front);
    ck_assert_int_eq(rmdir(journals), 0);
}

START_TEST(killed_and_followed)
{
    static const unsigned int passes[] = { 0, 1, 3, 5 };

    shape = &shapes[_i & 1];
    for (enum kill_point point = 0; point < KILL_POINTS; point++) {
        for (unsigned int i = 0; i < 4; i++) {
            run_once(point, _i >> 1 ? TO_GUEST : FROM_GUEST, passes[i]);
        }
    }
}
END_TEST

static void setup(void)
{
    ck_assert_ptr_nonnull(mkdtemp(dir));
    snprintf(path, sizeof(path), "%s/vif", dir);
    snprintf(journals, sizeof(journals), "%s/journals", dir);
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(shared, MAP_FAILED);
}

static void teardown(void)
{
    munmap(shared, sizeof(*shared));
    rmdir(dir);
    memcpy(dir + strlen(dir) - 6, "XXXXXX", 6);
}

int main(void)
{
    Suite *suite = suite_create("restart");
    TCase *tcase = unit_case(suite, "restart");

    tcase_set_timeout(tcase, 300);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_loop_test(tcase, killed_and_followed, 0, 4);
    return unit_run(suite);
}
