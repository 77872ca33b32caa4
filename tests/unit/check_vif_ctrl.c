/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * netback/vif_ctrl.c: when a control ring is served and what it holds, on a
 * transport in the test's memory.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "netback/ctrl_ring.h"
#include "netback/vif_ctrl.h"
#include "tests/fake/guest.h"
#include "unit.h"

#define QUEUES 2u
#define RING 300u               /* the page of the control ring */
#define LIST 301u
#define FD 42

static struct vif *vif;
static struct fake_guest *guest;        /* what the transport reaches */
static struct fake_guest *below[2 * QUEUES];    /* under the queues */
static unsigned int masks, unmasks, maps, unmaps, destroys;
static unsigned int watches, rearms, unwatches, breaks;
static int watch_error;
static grant_ref_t refuse_ref;
static void *in_use;                    /* [a] page of a packet thread */
static RING_IDX prod;
static uint64_t now;

/* vif.c and vif_control.c. */
void vif_break(void *broken, const char *why)
{
    ck_assert_ptr_eq(broken, vif);
    ck_assert_ptr_nonnull(why);
    breaks++;
}

int vif_control_watch(struct vif *watched, int fd)
{
    ck_assert_ptr_eq(watched, vif);
    ck_assert_int_eq(fd, FD);
    watches += watch_error == 0;
    return watch_error;
}

void vif_control_rearm(struct vif *watched, int fd)
{
    ck_assert_ptr_eq(watched, vif);
    ck_assert_int_eq(fd, FD);
    rearms++;
}

void vif_control_unwatch(int fd)
{
    ck_assert_int_eq(fd, FD);
    unwatches++;
}

static void mask(void *self)
{
    ck_assert_ptr_eq(self, &guest);
    masks++;
}

static void unmask(void *self)
{
    ck_assert_ptr_eq(self, &guest);
    unmasks++;
}

static void *map(void *self, grant_ref_t ref, bool readonly)
{
    ck_assert_ptr_eq(self, &guest);
    (void)readonly;
    if (ref == refuse_ref || ref - FAKE_GUEST_REF >= FAKE_GUEST_PAGES) {
        return NULL;
    }
    maps++;
    return guest->pages[ref - FAKE_GUEST_REF];
}

static void unmap(void *self, void *page)
{
    ck_assert_ptr_eq(self, &guest);
    ck_assert_ptr_nonnull(page);
    ck_assert_ptr_ne(page, __atomic_load_n(&in_use, __ATOMIC_SEQ_CST));
    unmaps++;
}

static void destroy(void *self)
{
    ck_assert_ptr_eq(self, &guest);
    destroys++;
}

static xen_netif_ctrl_sring_t *ring(void)
{
    return (xen_netif_ctrl_sring_t *)guest->pages[RING];
}

static int open_with(const char **why)
{
    const struct vif_ctrl_transport transport = {
        .access = &guest->access, .ref = FAKE_GUEST_REF + RING, .port = 7,
        .fd = FD, .mask = mask, .unmask = unmask, .map = map, .unmap = unmap,
        .destroy = destroy, .self = &guest,
    };

    return vif_ctrl_open(vif, &transport, QUEUES, why);
}

static void setup(void)
{
    masks = unmasks = maps = unmaps = destroys = 0;
    watches = rearms = unwatches = breaks = 0;
    watch_error = 0;
    refuse_ref = UINT32_MAX;
    prod = 0;
    now = 5000;
    guest = fake_guest_create();
    ck_assert_int_eq(posix_memalign((void **)&vif, 64, sizeof(*vif)), 0);
    memset(vif, 0, sizeof(*vif));
    for (unsigned int i = 0; i < QUEUES; i++) {
        below[2 * i] = fake_guest_create();
        below[2 * i + 1] = fake_guest_create();
        vif->queues[i].from.access = &below[2 * i]->access;
        vif->queues[i].to.access = &below[2 * i + 1]->access;
    }
    ring()->req_event = ring()->rsp_event = 1;
}

/* As the vif does it: the ring first, then the accesses. */
static void teardown(void)
{
    vif_ctrl_close(vif);
    vif_ctrl_close(vif);
    for (unsigned int i = 0; i < QUEUES; i++) {
        vif->queues[i].from.access->ops->destroy(vif->queues[i].from.access);
        vif->queues[i].to.access->ops->destroy(vif->queues[i].to.access);
    }
    ck_assert_uint_eq(maps, unmaps);
    ck_assert_uint_eq(watches, unwatches);
    ck_assert_uint_eq(destroys, 1);
    fake_guest_destroy(guest);
    free(vif);
}

static void must_open(void)
{
    const char *why = NULL;

    ck_assert_int_eq(open_with(&why), 0);
}

static void put(uint16_t type, uint32_t a, uint32_t b, uint32_t c)
{
    union xen_netif_ctrl_sring_entry *entries = ring()->ring;

    entries[prod++ % CTRL_RING_SIZE].req = (struct xen_netif_ctrl_request){
        .type = type, .data = { a, b, c },
    };
    ring()->req_prod = prod;
}

/* A request, its event, and a turn; its status. */
static uint32_t ask(uint16_t type, uint32_t a, uint32_t b, uint32_t c)
{
    union xen_netif_ctrl_sring_entry *entries = ring()->ring;

    put(type, a, b, c);
    vif_ctrl_event(vif);
    now += 1000;
    ck_assert_int_eq(vif_ctrl_turn(vif, now), -1);
    ck_assert_uint_eq(ring()->rsp_prod, prod);
    return entries[(prod - 1) % CTRL_RING_SIZE].rsp.status;
}

/* What was asked before we came has told nobody else. */
START_TEST(looks_at_once)
{
    put(XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, 0, 0, 0);
    must_open();
    ck_assert_uint_eq(ring()->rsp_prod, 0);
    ck_assert_int_eq(vif_ctrl_turn(vif, now), -1);
    ck_assert_uint_eq(ring()->rsp_prod, 1);
    ck_assert_uint_eq(guest->notifies, 1);
    ck_assert_uint_eq(unmasks, 1);
    ck_assert_uint_eq(rearms, 1);
}
END_TEST

/* Without an event nothing is looked at, and it costs nothing. */
START_TEST(waits_for_events)
{
    must_open();
    ck_assert_int_eq(vif_ctrl_turn(vif, now), -1);
    put(XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, 0, 0, 0);
    ck_assert_int_eq(vif_ctrl_turn(vif, now), -1);
    ck_assert_uint_eq(ring()->rsp_prod, 0);
    vif_ctrl_event(vif);
    ck_assert_int_eq(vif_ctrl_turn(vif, now), -1);
    ck_assert_uint_eq(ring()->rsp_prod, 1);
}
END_TEST

/* A full ring is served in rounds, and the channel stays masked meanwhile. */
START_TEST(full_ring_in_rounds)
{
    unsigned int rounds = 0;
    int ms = 0;

    must_open();
    for (unsigned int i = 0; i < CTRL_RING_SIZE; i++) {
        put(XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, 0, 0, 0);
    }
    for (; ms >= 0; rounds++) {
        now += (unsigned int)ms;
        ms = vif_ctrl_turn(vif, now);
        ck_assert_int_le(ms, CTRL_RING_TURN * CTRL_PACE_MS);
        ck_assert_uint_eq(unmasks, ms < 0);
    }
    ck_assert_uint_eq(ring()->rsp_prod, CTRL_RING_SIZE);
    ck_assert_uint_eq(rounds, CTRL_RING_SIZE / CTRL_RING_TURN);
}
END_TEST

/* D2, XSA-332: an event each time that one may come, for ten seconds. */
START_TEST(xsa332_event_storm)
{
    must_open();
    for (unsigned int ms = 0; ms < 10000; ms++, now++) {
        int wait;

        vif_ctrl_event(vif);
        wait = vif_ctrl_turn(vif, now);
        ck_assert_int_le(wait, (int)CTRL_PACE_MS);
        ck_assert_uint_eq(masks, unmasks);
    }
    ck_assert_uint_le(masks, CTRL_PACE_BURST + 10000 / CTRL_PACE_MS);
    ck_assert_uint_ge(masks, 10000 / CTRL_PACE_MS);
    ck_assert_uint_eq(masks, rearms);
}
END_TEST

/* Its own vif is disabled, once; nothing of the ring is served again. */
START_TEST(broken_ring)
{
    must_open();
    (void)vif_ctrl_turn(vif, now);
    ring()->req_prod = CTRL_RING_SIZE + 1;
    for (unsigned int i = 0; i < 3; i++) {
        vif_ctrl_event(vif);
        ck_assert_int_eq(vif_ctrl_turn(vif, now), -1);
    }
    ck_assert_uint_eq(breaks, 1);
    ck_assert_uint_eq(ring()->rsp_prod, 0);
    ck_assert_uint_eq(unmasks, 1);
}
END_TEST

static void fill_list(uint32_t count)
{
    struct xen_netif_gref *list = (void *)guest->pages[LIST];

    for (uint32_t i = 0; i < count; i++) {
        list[i] = (struct xen_netif_gref){ .ref = FAKE_GUEST_REF + i };
    }
}

/* Does the access find page 3, both ways, or does the one below serve it? */
static bool is_static(struct access *access, const struct fake_guest *own)
{
    unsigned int copies = own->copies;
    uint8_t byte = 1;
    struct access_copy copy = {
        .ref = FAKE_GUEST_REF + 3, .size = 1, .host = &byte,
    };

    access_copy(access, ACCESS_TO_GUEST, &copy, 1);
    ck_assert_int_eq(copy.status, GNTST_okay);
    return own->copies == copies;
}

START_TEST(static_grants_of_one_queue)
{
    must_open();
    fill_list(100);
    ck_assert_uint_eq(ask(XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 1,
                          FAKE_GUEST_REF + LIST, 100), 0);
    ck_assert_uint_eq(maps, 101);
    ck_assert(is_static(vif->queues[1].from.access, below[2]));
    ck_assert(is_static(vif->queues[1].to.access, below[3]));
    ck_assert(!is_static(vif->queues[0].from.access, below[0]));
    ck_assert(!is_static(vif->queues[0].to.access, below[1]));
    ck_assert_uint_eq(vif->queues[1].from.stats.static_copies, 1);
    ck_assert_uint_eq(vif->queues[1].to.stats.static_copies, 1);
    ck_assert_uint_eq(ask(XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING, 1,
                          FAKE_GUEST_REF + LIST, 100), 0);
    ck_assert_uint_eq(unmaps, 100);
    ck_assert(!is_static(vif->queues[1].to.access, below[3]));
    /* What is left is unmapped by the close in teardown(). */
    ck_assert_uint_eq(ask(XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0,
                          FAKE_GUEST_REF + LIST, 50), 0);
}
END_TEST

static bool stop;

/* Never idle: the gate is busy but for a moment between bursts. */
static void *packet_thread(void *unused)
{
    struct burst_from *from = &vif->queues[0].from;
    uint8_t byte;

    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED)) {
        uint64_t hits = from->stats.static_copies;
        struct access_copy copy = {
            .ref = FAKE_GUEST_REF + 3, .size = 1, .host = &byte,
        };

        ck_assert(burst_gate_enter(&from->gate));
        access_copy(from->access, ACCESS_FROM_GUEST, &copy, 1);
        if (from->stats.static_copies != hits) {
            __atomic_store_n(&in_use, guest->pages[3], __ATOMIC_SEQ_CST);
        }
        for (volatile unsigned int i = 0; i < 100; i++) {
        }
        __atomic_store_n(&in_use, NULL, __ATOMIC_SEQ_CST);
        burst_gate_leave(&from->gate);
    }
    return unused;
}

/*
 * A page that a burst has found in the table is not unmapped before the end
 * of that burst, and the wait for it ends although bursts never do.
 */
START_TEST(deletes_under_load)
{
    const uint64_t *copies = &vif->queues[0].from.stats.static_copies;
    pthread_t thread;

    must_open();
    fill_list(4);
    __atomic_store_n(&vif->queues[0].from.gate.open, 1, __ATOMIC_SEQ_CST);
    stop = false;
    ck_assert_int_eq(pthread_create(&thread, NULL, packet_thread, NULL), 0);
    for (unsigned int i = 0; i < 300; i++) {
        uint64_t hits = __atomic_load_n(copies, __ATOMIC_RELAXED);

        ck_assert_uint_eq(ask(XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, 0,
                              FAKE_GUEST_REF + LIST, 4), 0);
        while (__atomic_load_n(copies, __ATOMIC_RELAXED) == hits) {
            sched_yield();      /* until it is in use */
        }
        ck_assert_uint_eq(ask(XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING, 0,
                              FAKE_GUEST_REF + LIST, 4), 0);
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    pthread_join(thread, NULL);
}
END_TEST

/* The hash goes with the frontend that asked for it. */
START_TEST(hash_ends_with_the_ring)
{
    must_open();
    ck_assert_uint_eq(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, 1, 0, 0),
                      0);
    ck_assert_uint_eq(ask(XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, 15, 0, 0), 0);
    ck_assert(hash_is_on(&vif->hash_table));
    vif_ctrl_close(vif);
    ck_assert(!hash_is_on(&vif->hash_table));
}
END_TEST

/* What cannot be had leaves nothing behind. */
START_TEST(failures_hold_nothing)
{
    const char *why = NULL;

    switch (_i) {
    case 0: refuse_ref = FAKE_GUEST_REF + RING; break;
    case 1: ring()->req_prod = CTRL_RING_SIZE + 1; break;
    default: watch_error = -ENOSPC; break;
    }
    ck_assert_int_lt(open_with(&why), 0);
    ck_assert_ptr_nonnull(why);
    ck_assert_ptr_null(vif->ctrl);
    ck_assert_int_eq(vif_ctrl_turn(vif, now), -1);
    vif_ctrl_event(vif);
}
END_TEST

static void add_tests(TCase *tcase)
{
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, looks_at_once);
    tcase_add_test(tcase, waits_for_events);
    tcase_add_test(tcase, full_ring_in_rounds);
    tcase_add_test(tcase, xsa332_event_storm);
    tcase_add_test(tcase, broken_ring);
    tcase_add_test(tcase, static_grants_of_one_queue);
    tcase_add_test(tcase, deletes_under_load);
    tcase_add_test(tcase, hash_ends_with_the_ring);
    tcase_add_loop_test(tcase, failures_hold_nothing, 0, 3);
}

int main(void)
{
    Suite *suite = suite_create("vif_ctrl");

    add_tests(unit_case(suite, "vif_ctrl"));
    return unit_run(suite);
}
