/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live windows: every short sequence of events of the guest's, of two
 * mappers' and of the toolstack's, with all invariants looked at after each;
 * then threads that do them at once.
 */
#include <pthread.h>

#include "window_env.h"

#define TLB_FRAMES 8u

static void setup(void)
{
    window_start(TLB_FRAMES);
}

/* ---- every short sequence ---- */

/*
 * What is, beside what core knows: who has which entries of chunk 0, and
 * whether windows are revoked.
 */
static struct {
    bool has[2][FRAMES];            /* dom0, second: a window's entry there */
    bool is_alive, is_revoked, is_granted;
    struct gnttab_map_grant_ref grant;
    struct frame *held;
} model;

static struct domain *mapper(unsigned int who)
{
    return who == 0 ? zero : second;
}

static bool has_any(unsigned int who)
{
    return memchr(model.has[who], true, FRAMES) != NULL;
}

static void do_map(unsigned int who)
{
    bool was = has_any(who);
    long rc = map(mapper(who), BASE);

    if (!model.is_alive) {
        ck_assert_int_eq(rc, -ESRCH);
    } else if (was) {
        ck_assert_int_eq(rc, -EBUSY);
    } else {
        ck_assert_int_eq(rc, 0);
        memset(model.has[who], true, FRAMES);
    }
}

static void do_unmap(unsigned int who)
{
    struct domain *of = mapper(who);

    (void)unmap_one(of, BASE);
    (void)unmap_one(of, BASE + 1);  /* but for a grant */
    for (unsigned int order = 1; order < 9; order++) {
        ck_assert_int_eq(p2m_remove(of, gfn(BASE + (1ul << order)), order),
                         0);
    }
    memset(model.has[who], false, FRAMES);
}

static void unmap_grant(void)
{
    struct gnttab_unmap_grant_ref op = {
        .host_addr = (BASE + 1) << PAGE_SHIFT, .handle = model.grant.handle };

    env_run(zero->vcpu[0]);
    ck_assert_int_eq(env_grant(GNTTABOP_unmap_grant_ref, &op, 1), 0);
    model.is_granted = false;
}

static void do_grant(void)
{
    if (model.is_granted) {
        unmap_grant();
        return;
    }
    model.grant = map_grant(zero, 2, BASE + 1);
    ck_assert_int_eq(model.grant.status, GNTST_okay);
    model.has[0][1] = false;
    model.is_granted = true;
}

static void do_kill(void)
{
    if (model.is_alive) {
        kill_domain(d);
        model.is_alive = false;
    }
}

static void do_hold(void)
{
    if (model.held != NULL) {
        frame_put(model.held);
        model.held = NULL;
    } else if (model.is_alive) {
        model.held = p2m_get_ram(d, gfn(1), true);
    }
}

static void do_share(void)
{
    struct xen_add_to_physmap a = { .domid = DOMID_SELF, .space =
                                    XENMAPSPACE_shared_info, .gpfn = 1 };

    env_run(d->vcpu[0]);
    ck_assert_int_eq(mem(XENMEM_add_to_physmap, &a), 0);
}

static void do_rights(void)
{
    enum p2m_type type;
    mfn_t m = entry(d, 2, &type);

    ck_assert_int_eq(p2m_set(d, gfn(2), m, 0, type == P2M_RAM_RW ?
                             P2M_RAM_RO : P2M_RAM_RW), 0);
}

#define EVENTS 14u

/* Events of the guest's that need it alive. */
static void event_of_guest(unsigned int e)
{
    if (!model.is_alive) {
        return;
    }
    switch (e) {
    case 0:
        (void)balloon_out(1);
        break;
    case 1:
        if (ram(1) == INVALID_FRAME) {
            ck_assert_int_eq(balloon_in(1), 1);
        }
        break;
    case 2:
        do_share();
        break;
    case 3:
        do_rights();
        break;
    case 4:
        revoke(d);
        model.is_revoked = true;
        break;
    default:
        ck_assert_int_eq(restore(d), 0);
        model.is_revoked = false;
        break;
    }
}

static void event(unsigned int e)
{
    machine_tlb_load();
    switch (e) {
    case 6:
        do_map(0);
        break;
    case 7:
        do_map(1);
        break;
    case 8:
        (void)unmap_one(zero, BASE + 1);
        model.has[0][1] = false;
        break;
    case 9:
        do_unmap(0);
        break;
    case 10:
        do_unmap(1);
        break;
    case 11:
        do_grant();
        break;
    case 12:
        do_kill();
        break;
    case 13:
        do_hold();
        break;
    default:
        event_of_guest(e);
        break;
    }
    machine_tlb_check();
}

/*
 * Is entry 'i' of 'who' there if it should be, and shows what it should?
 * Without ck_assert, which writes a file each time.
 */
static bool is_right(unsigned int who, unsigned int i, uint64_t *scratch)
{
    bool is_live = model.is_alive && !model.is_revoked;
    enum p2m_type type;
    uint64_t m = entry(mapper(who), BASE + i, &type).v;
    uint64_t now;

    if (type != P2M_WINDOW || !model.has[who][i]) {
        return (type == P2M_WINDOW) == model.has[who][i];
    }
    if (*scratch == INVALID_FRAME) {
        *scratch = m;
    }
    now = is_live ? ram(i) : INVALID_FRAME;
    return now == INVALID_FRAME ? m == *scratch : m == now && m != *scratch;
}

static void audit(void)
{
    uint64_t scratch = INVALID_FRAME;

    for (unsigned int who = 0; who < 2; who++) {
        for (unsigned int n = 0; n < FRAMES; n++) {
            unsigned int i = FRAMES - 1 - n;    /* one that is scratch first */

            if (!is_right(who, i, &scratch)) {
                ck_abort_msg("entry %u of mapper %u is wrong", i, who);
            }
        }
    }
}

/* All go, the guest last or first; nothing is missing then. */
static void undo(bool guest_first)
{
    if (guest_first) {
        do_kill();
    }
    if (model.held != NULL) {
        do_hold();
    }
    if (model.is_granted) {
        unmap_grant();
    }
    do_unmap(0);
    do_unmap(1);
    audit();
    do_kill();
    for (unsigned int i = 0; i < 4; i++) {
        domain_reap();              /* a frame that was held kept it */
    }
    d = env_domain(TARGET, 1);
    model.is_alive = true;
    model.is_revoked = false;
}

static void run_sequence(const unsigned int *prefix, unsigned int before,
                         unsigned int number, unsigned int length)
{
    unsigned int n = number;

    for (unsigned int i = 0; i < before; i++) {
        event(prefix[i]);
    }
    for (unsigned int i = 0; i < length; i++, n /= EVENTS) {
        event(n % EVENTS);
        audit();
    }
    undo(number % 2 == 0);
}

static void run_all(const unsigned int *prefix, unsigned int before,
                    unsigned int length)
{
    unsigned int count = 1;
    uint64_t left = 0;

    memset(&model, 0, sizeof(model));
    model.is_alive = true;
    grant_page(other, 1, 9, 0);
    for (unsigned int i = 0; i < length; i++) {
        count *= EVENTS;
    }
    /* Tables that are made once. */
    do_map(0);
    do_map(1);
    do_grant();
    undo(false);
    left = page_alloc_free();
    for (unsigned int number = 0; number < count; number++) {
        run_sequence(prefix, before, number, length);
        if (page_alloc_free() != left) {
            ck_abort_msg("sequence %u: %lu frames, before %lu", number,
                         page_alloc_free(), left);
        }
    }
}

START_TEST(test_all_sequences)
{
    static const unsigned int mapped[] = { 6 }, both[] = { 6, 7 };

    run_all(NULL, 0, 3);
    run_all(mapped, 1, 3);
    run_all(both, 2, 3);
}
END_TEST

/* ---- threads ---- */

#define ROUNDS 60u

static bool is_over;

/* A guest with its memory to and fro; what it has there is what it wrote. */
static void *balloons(void *arg)
{
    xen_pfn_t g[16];

    (void)arg;
    machine_set_cpu(1);
    for (unsigned int n = 0; n < ROUNDS; n++) {
        for (unsigned int i = 0; i < 16; i++) {
            g[i] = (n + i) % (2 * TLB_FRAMES);
        }
        ck_assert_int_eq(reserve(XENMEM_decrease_reservation, g, 16, 0), 16);
        ck_assert_int_eq(reserve(XENMEM_populate_physmap, g, 16, 0), 16);
    }
    __atomic_store_n(&is_over, true, __ATOMIC_SEQ_CST);
    return NULL;
}

/* A backend that writes wherever its window is. */
static void *writes(void *arg)
{
    uint64_t n = 0;

    (void)arg;
    machine_set_cpu(2);
    while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
        (void)machine_tlb_write(zero, BASE + n % TLB_FRAMES, n);
        n++;
    }
    return NULL;
}

static void *revokes(void *arg)
{
    (void)arg;
    machine_set_cpu(3);
    while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
        while (window_revoke(d) == -ERESTART) {
            continue;
        }
        while (window_restore(d) == -ERESTART) {
            continue;
        }
    }
    return NULL;
}

START_TEST(test_threads)
{
    pthread_t thread[3];

    is_over = false;
    ck_assert_int_eq(map(second, BASE), 0);
    pthread_create(&thread[0], NULL, balloons, NULL);
    pthread_create(&thread[1], NULL, writes, NULL);
    pthread_create(&thread[2], NULL, revokes, NULL);
    while (!__atomic_load_n(&is_over, __ATOMIC_SEQ_CST)) {
        ck_assert_int_eq(map(zero, BASE), 0);
        unmap(zero, BASE);
    }
    for (unsigned int i = 0; i < 3; i++) {
        pthread_join(thread[i], NULL);
    }
    ck_assert_int_eq(restore(d), 0);
    ck_window(second, BASE);
    ck_assert_uint_eq(d->tot_pages, ENV_PAGES);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("window_events");
    TCase *tc = unit_case(suite, "windows");

    tcase_set_timeout(tc, 600);
    tcase_add_checked_fixture(tc, setup, NULL);
    tcase_add_test(tc, test_all_sequences);
    tcase_add_test(tc, test_threads);
    return unit_run(suite);
}
