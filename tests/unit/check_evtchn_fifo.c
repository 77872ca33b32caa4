/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Event channels, FIFO: against a model of the guest's side as the ABI
 * describes it (event_channel.h: FIFO ABI), also a hostile one.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include "core/evtchn_table.h"
#include "fake/machine.h"
#include "unit.h"
#include "core_env.h"

#define PENDING (1u << EVTCHN_FIFO_PENDING)
#define MASKED (1u << EVTCHN_FIFO_MASKED)
#define LINKED (1u << EVTCHN_FIFO_LINKED)
#define PORTS 40u

/* Where the guest keeps what it registers, by gfn. */
#define CONTROL_GFN(vcpu) (10u + (vcpu))
#define ARRAY_GFN 20u

static struct domain *sender, *guest;
static evtchn_port_t out[PORTS], in[PORTS];

/* ---- the guest ---- */

static uint32_t head[2][EVTCHN_FIFO_MAX_QUEUES];
static evtchn_port_t taken[1000];
static unsigned int taken_count;

static evtchn_fifo_control_block_t *control(unsigned int vcpu)
{
    return env_page(guest, CONTROL_GFN(vcpu));
}

static event_word_t *word(evtchn_port_t port)
{
    return (event_word_t *)env_page(guest, ARRAY_GFN + port / 1024) +
           port % 1024;
}

/* Takes one event of a queue; true if the queue is empty then. */
static bool take_one(unsigned int vcpu, unsigned int priority)
{
    uint32_t port = head[vcpu][priority];
    event_word_t old;

    if (port == 0) {
        port = __atomic_load_n(&control(vcpu)->head[priority],
                               __ATOMIC_ACQUIRE);
    }
    old = __atomic_fetch_and(word(port), ~(LINKED | EVTCHN_FIFO_LINK_MASK),
                             __ATOMIC_SEQ_CST);
    head[vcpu][priority] = old & EVTCHN_FIFO_LINK_MASK;
    if ((old & (PENDING | MASKED)) == PENDING) {
        __atomic_fetch_and(word(port), ~PENDING, __ATOMIC_SEQ_CST);
        taken[taken_count++] = port;
    }
    return head[vcpu][priority] == 0;
}

/* The upcall: all queues of 'vcpu', most urgent first. */
static void take_all(unsigned int vcpu)
{
    vcpu_info_t *info = guest->vcpu[vcpu]->info;
    uint32_t ready;
    unsigned int priority;

    __atomic_store_n(&info->evtchn_upcall_pending, 0, __ATOMIC_SEQ_CST);
    ready = __atomic_exchange_n(&control(vcpu)->ready, 0, __ATOMIC_SEQ_CST);
    while (ready != 0) {
        priority = __builtin_ctz(ready);
        if (take_one(vcpu, priority)) {
            ready &= ~(1u << priority);
        }
        ready |= __atomic_exchange_n(&control(vcpu)->ready, 0,
                                     __ATOMIC_SEQ_CST);
    }
}

/* ---- setting up ---- */

static long init_control(unsigned int vcpu, uint32_t offset)
{
    evtchn_init_control_t op = { .control_gfn = CONTROL_GFN(vcpu),
                                 .offset = offset, .vcpu = vcpu };
    long error;

    env_run(guest->vcpu[0]);
    error = env_evtchn(EVTCHNOP_init_control, &op);
    if (error == 0) {
        ck_assert_uint_eq(op.link_bits, EVTCHN_FIFO_LINK_BITS);
    }
    return error;
}

static long expand(uint64_t gfn_of_page)
{
    evtchn_expand_array_t op = { .array_gfn = gfn_of_page };

    env_run(guest->vcpu[0]);
    return env_evtchn(EVTCHNOP_expand_array, &op);
}

static void connect(unsigned int i)
{
    evtchn_alloc_unbound_t alloc = { .dom = DOMID_SELF, .remote_dom = 1 };
    evtchn_bind_interdomain_t op = { .remote_dom = 0 };

    env_run(sender->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_alloc_unbound, &alloc), 0);
    out[i] = alloc.port;
    op.remote_port = alloc.port;
    env_run(guest->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_bind_interdomain, &op), 0);
    in[i] = op.local_port;
}

static void setup_domains(void)
{
    env_start();
    sender = env_domain(0, 1);
    guest = env_domain(1, 2);
    memset(head, 0, sizeof(head));
    taken_count = 0;
}

static void setup(void)
{
    unsigned int i;

    setup_domains();
    ck_assert_int_eq(init_control(0, 0), 0);
    ck_assert_int_eq(init_control(1, 0), 0);
    ck_assert_int_eq(expand(ARRAY_GFN), 0);
    for (i = 0; i < PORTS; i++) {
        connect(i);
    }
    take_all(0);
    taken_count = 0;
    (void)env_take_upcalls(guest->vcpu[0]);
}

static void send(unsigned int i)
{
    evtchn_send_t op = { .port = out[i] };

    env_run(sender->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_send, &op), 0);
}

static void set_priority(unsigned int i, uint32_t priority)
{
    evtchn_set_priority_t op = { .port = in[i], .priority = priority };

    env_run(guest->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_set_priority, &op), 0);
}

static void bind_vcpu(unsigned int i, uint32_t vcpu)
{
    evtchn_bind_vcpu_t op = { .port = in[i], .vcpu = vcpu };

    env_run(guest->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_bind_vcpu, &op), 0);
}

/* ---- tests ---- */

START_TEST(events_come_in_order)
{
    unsigned int i;

    for (i = 0; i < PORTS; i++) {
        send(i);
        send(i);
    }
    ck_assert_uint_eq(env_take_upcalls(guest->vcpu[0]), 1);
    take_all(0);
    ck_assert_uint_eq(taken_count, PORTS);
    for (i = 0; i < PORTS; i++) {
        ck_assert_uint_eq(taken[i], in[i]);
    }
    /* And again: the queue began anew. */
    send(3);
    ck_assert_uint_eq(env_take_upcalls(guest->vcpu[0]), 1);
    take_all(0);
    ck_assert_uint_eq(taken[PORTS], in[3]);
}
END_TEST

START_TEST(urgent_events_come_first)
{
    set_priority(1, 2);
    set_priority(2, EVTCHN_FIFO_PRIORITY_MIN);
    set_priority(3, EVTCHN_FIFO_PRIORITY_MAX);
    send(0);
    send(2);
    send(1);
    send(3);
    take_all(0);
    ck_assert_uint_eq(taken_count, 4);
    ck_assert_uint_eq(taken[0], in[3]);
    ck_assert_uint_eq(taken[1], in[1]);
    ck_assert_uint_eq(taken[2], in[0]);
    ck_assert_uint_eq(taken[3], in[2]);
}
END_TEST

START_TEST(a_bad_priority_is_refused)
{
    evtchn_set_priority_t op = { .port = in[0], .priority = 16 };

    env_run(guest->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_set_priority, &op), -EINVAL);
    op.port = 100000;
    op.priority = 1;
    ck_assert_int_eq(env_evtchn(EVTCHNOP_set_priority, &op), -EINVAL);
}
END_TEST

START_TEST(masked_events_wait_for_unmask)
{
    evtchn_unmask_t op = { .port = in[5] };

    *word(in[5]) |= MASKED;
    send(5);
    ck_assert(*word(in[5]) & PENDING);
    ck_assert(!(*word(in[5]) & LINKED));
    ck_assert_uint_eq(env_take_upcalls(guest->vcpu[0]), 0);
    env_run(guest->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_unmask, &op), 0);
    take_all(0);
    ck_assert_uint_eq(taken_count, 1);
    ck_assert_uint_eq(taken[0], in[5]);
}
END_TEST

/* Masked while in the queue: the guest takes it out without handling. */
START_TEST(an_event_masked_in_the_queue_comes_back)
{
    evtchn_unmask_t op = { .port = in[5] };

    send(5);
    *word(in[5]) |= MASKED;
    take_all(0);
    ck_assert_uint_eq(taken_count, 0);
    env_run(guest->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_unmask, &op), 0);
    take_all(0);
    ck_assert_uint_eq(taken_count, 1);
}
END_TEST

START_TEST(a_moved_event_uses_the_new_vcpu_next_time)
{
    send(0);
    bind_vcpu(0, 1);
    send(0);
    take_all(0);
    ck_assert_uint_eq(taken_count, 1);
    send(0);
    ck_assert_uint_eq(env_take_upcalls(guest->vcpu[1]), 1);
    take_all(1);
    ck_assert_uint_eq(taken_count, 2);
}
END_TEST

/*
 * The tail of the old queue moves away: were the old tail kept, the next
 * event there would be linked behind a word of the new queue.
 */
START_TEST(a_moved_tail_is_forgotten)
{
    send(0);
    take_all(0);
    bind_vcpu(0, 1);
    send(0);
    send(1);
    ck_assert_uint_eq(*word(in[0]) & EVTCHN_FIFO_LINK_MASK, 0);
    take_all(0);
    take_all(1);
    ck_assert_uint_eq(taken_count, 3);
    ck_assert_uint_eq(taken[1], in[1]);
    ck_assert_uint_eq(taken[2], in[0]);
}
END_TEST

START_TEST(what_came_before_the_page_is_raised_with_it)
{
    setup_domains();
    /* Before FIFO: in the 2-level bits. */
    connect(0);
    ck_assert_int_eq(init_control(0, 64), 0);
    connect(1);
    ck_assert_int_eq(expand(ARRAY_GFN), 0);
    ck_assert(*word(in[0]) & PENDING);
    ck_assert(*word(in[1]) & PENDING);
}
END_TEST

START_TEST(registration_is_checked)
{
    unsigned int i;

    setup_domains();
    ck_assert_int_eq(init_control(0, 4), -EINVAL);
    ck_assert_int_eq(init_control(0, 4096 - 64), -EINVAL);
    ck_assert_int_eq(init_control(2, 0), -ENOENT);
    ck_assert_int_eq(init_control(0, 4096 - 72), 0);
    ck_assert_int_eq(init_control(0, 0), -EINVAL);
    ck_assert_int_eq(expand(ENV_PAGES + 5), -EINVAL);
    for (i = 0; i < EVTCHN_FIFO_PAGES; i++) {
        ck_assert_int_eq(expand(ARRAY_GFN), 0);
    }
    ck_assert_int_eq(expand(ARRAY_GFN), -ENOSPC);
}
END_TEST

START_TEST(a_vcpu_without_control_block_gets_nothing)
{
    setup_domains();
    ck_assert_int_eq(init_control(0, 0), 0);
    ck_assert_int_eq(expand(ARRAY_GFN), 0);
    connect(0);
    take_all(0);
    bind_vcpu(0, 1);
    send(0);
    ck_assert(*word(in[0]) & PENDING);
    ck_assert(!(*word(in[0]) & LINKED));
}
END_TEST

/* A port that the guest has not taken out of its queue is not reused. */
START_TEST(a_linked_port_is_not_given_out)
{
    evtchn_close_t op = { .port = in[2] };
    evtchn_alloc_unbound_t alloc = { .dom = DOMID_SELF, .remote_dom = 0 };

    send(2);
    env_run(guest->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_close, &op), 0);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_alloc_unbound, &alloc), 0);
    ck_assert_uint_ne(alloc.port, in[2]);
    take_all(0);
    ck_assert_uint_eq(taken_count, 0);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_alloc_unbound, &alloc), 0);
    ck_assert_uint_eq(alloc.port, in[2]);
}
END_TEST

START_TEST(reset_returns_to_two_levels)
{
    evtchn_reset_t op = { .dom = DOMID_SELF };

    send(0);
    env_run(guest->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_reset, &op), 0);
    ck_assert_ptr_null(guest->evtchn->fifo);
    connect(0);
    ck_assert(bitmap_test(guest->shared_info->evtchn_pending, in[0]));
    ck_assert_int_eq(init_control(0, 0), 0);
}
END_TEST

/* A port that opened behind a reset is closed before the pages go. */
START_TEST(a_reset_ends_with_no_port_open)
{
    evtchn_alloc_unbound_t alloc = { .dom = DOMID_SELF, .remote_dom = 0 };
    evtchn_reset_t op = { .dom = DOMID_SELF };
    struct vcpu *v = guest->vcpu[0];
    uint64_t result;
    unsigned int i;

    env_run(v);
    for (i = 0; i < 1000; i++) {
        ck_assert_int_eq(env_evtchn(EVTCHNOP_alloc_unbound, &alloc), 0);
    }
    v->arch->arg[0] = EVTCHNOP_reset;
    v->arch->arg[1] = env_arg(&op);
    ck_assert(!hypercall(v, __HYPERVISOR_event_channel_op, &result));
    connect(0);
    ck_assert_uint_lt(in[0], guest->evtchn->close_next);
    env_run(v);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_reset, &op), 0);
    ck_assert_int_eq(evtchn_find(guest, in[0])->state, PORT_FREE);
    ck_assert_uint_eq(guest->evtchn->open_ports, 0);
    ck_assert_ptr_null(guest->evtchn->fifo);
}
END_TEST

/*
 * Nobody closes a free port before the pages go, so that nothing may look
 * for its word.
 */
START_TEST(a_free_port_has_no_word_to_unmask)
{
    evtchn_unmask_t unmask = { .port = in[3] };
    evtchn_close_t close = { .port = in[3] };

    env_run(guest->vcpu[0]);
    ck_assert_int_eq(env_evtchn(EVTCHNOP_close, &close), 0);
    *word(in[3]) = MASKED | PENDING;
    *word(0) = MASKED | PENDING;
    ck_assert_int_eq(env_evtchn(EVTCHNOP_unmask, &unmask), 0);
    unmask.port = 0;
    ck_assert_int_eq(env_evtchn(EVTCHNOP_unmask, &unmask), 0);
    ck_assert_uint_eq(*word(in[3]), MASKED | PENDING);
    ck_assert_uint_eq(*word(0), MASKED | PENDING);
}
END_TEST

/* ---- two CPUs ---- */

static void *init_control_elsewhere(void *arg)
{
    evtchn_init_control_t op = { .control_gfn = CONTROL_GFN(1), .vcpu = 1 };
    long *error = arg;

    machine_set_cpu(1);
    env_run(guest->vcpu[1]);
    *error = env_evtchn(EVTCHNOP_init_control, &op);
    return NULL;
}

/* While the other CPU waits for a lock of ours, in the middle of it. */
static void wait_for_it(void)
{
    usleep(100000);
}

/* A sender that saw 2-level is in the middle while the guest leaves it. */
START_TEST(what_is_sent_beside_the_change_is_raised)
{
    struct evtchn *ch;
    pthread_t other;
    long error;

    setup_domains();
    connect(0);
    guest->shared_info->evtchn_pending[0] = 0;
    ch = evtchn_find(sender, out[0]);
    spin_lock(&ch->lock);
    ck_assert_int_eq(pthread_create(&other, NULL, init_control_elsewhere,
                                    &error), 0);
    wait_for_it();
    bitmap_set(guest->shared_info->evtchn_pending, in[0]);
    spin_unlock(&ch->lock);
    pthread_join(other, NULL);
    ck_assert_int_eq(error, 0);
    ck_assert_int_eq(expand(ARRAY_GFN), 0);
    ck_assert(*word(in[0]) & PENDING);
}
END_TEST

/* A vcpu registers while another one resets. */
START_TEST(a_control_block_comes_with_its_table)
{
    struct evtchn_table *t;
    pthread_t other;
    long error;

    setup_domains();
    t = guest->evtchn;
    ck_assert_int_eq(init_control(0, 0), 0);
    spin_lock(&t->lock);
    ck_assert_int_eq(pthread_create(&other, NULL, init_control_elsewhere,
                                    &error), 0);
    wait_for_it();
    evtchn_fifo_destroy(guest);
    spin_unlock(&t->lock);
    pthread_join(other, NULL);
    ck_assert_int_eq(error, 0);
    ck_assert_ptr_nonnull(t->fifo);
    spin_lock(&t->lock);
    evtchn_fifo_destroy(guest);
    spin_unlock(&t->lock);
    ck_assert_ptr_null(guest->vcpu[1]->evtchn->control_frame);
}
END_TEST

static uint32_t random_state = 1;

static uint32_t next_random(void)
{
    random_state = random_state * 1664525u + 1013904223u;
    return random_state >> 8;
}

/* Every event sent to an unmasked port is taken, whatever the order. */
START_TEST(no_event_is_lost_in_random_order)
{
    unsigned int i, step;
    bool wanted[PORTS] = { false };

    for (step = 0; step < 20000; step++) {
        i = next_random() % PORTS;
        switch (next_random() % 8) {
        case 0:
            bind_vcpu(i, next_random() % 2);
            break;
        case 1:
            set_priority(i, next_random() % 16);
            break;
        case 2:
            taken_count = 0;
            take_all(0);
            take_all(1);
            memset(wanted, 0, sizeof(wanted));
            break;
        default:
            send(i);
            wanted[i] = true;
            break;
        }
        if (taken_count > 900) {
            taken_count = 0;
        }
    }
    take_all(0);
    take_all(1);
    for (i = 0; i < PORTS; i++) {
        ck_assert_msg(!(*word(in[i]) & (PENDING | LINKED)),
                      "port %u is still there", in[i]);
    }
}
END_TEST

/* A guest that scribbles over all it shares hurts itself only. */
START_TEST(a_hostile_guest_is_survived)
{
    unsigned int i, step;

    for (step = 0; step < 20000; step++) {
        i = next_random() % PORTS;
        *word(next_random() % 1024) = next_random() << 8 | next_random();
        control(next_random() % 2)->head[next_random() % 16] = next_random();
        control(0)->ready = next_random();
        switch (next_random() % 4) {
        case 0:
            bind_vcpu(i, next_random() % 2);
            break;
        case 1:
            set_priority(i, next_random() % 16);
            break;
        default:
            send(i);
            break;
        }
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("evtchn_fifo");
    TCase *tc = unit_case(suite, "fifo");

    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, events_come_in_order);
    tcase_add_test(tc, urgent_events_come_first);
    tcase_add_test(tc, a_bad_priority_is_refused);
    tcase_add_test(tc, masked_events_wait_for_unmask);
    tcase_add_test(tc, an_event_masked_in_the_queue_comes_back);
    tcase_add_test(tc, a_moved_event_uses_the_new_vcpu_next_time);
    tcase_add_test(tc, a_moved_tail_is_forgotten);
    tcase_add_test(tc, what_came_before_the_page_is_raised_with_it);
    tcase_add_test(tc, registration_is_checked);
    tcase_add_test(tc, a_vcpu_without_control_block_gets_nothing);
    tcase_add_test(tc, a_linked_port_is_not_given_out);
    tcase_add_test(tc, reset_returns_to_two_levels);
    tcase_add_test(tc, a_reset_ends_with_no_port_open);
    tcase_add_test(tc, a_free_port_has_no_word_to_unmask);
    tcase_add_test(tc, what_is_sent_beside_the_change_is_raised);
    tcase_add_test(tc, a_control_block_comes_with_its_table);
    tcase_add_test(tc, no_event_is_lost_in_random_order);
    tcase_add_test(tc, a_hostile_guest_is_survived);
    return unit_run(suite);
}
