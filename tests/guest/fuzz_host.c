/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * As a PVH dom0 it runs guests that make random hypercalls (pv_fuzz,
 * pvh_fuzz), one after another: a tame one that makes many and should come
 * through, then wild ones, which may end in any way or hang.  After each:
 *
 *  1. The hypervisor answers, and the guest can be destroyed; a PVH guest
 *     that has stopped can be reset before.
 *  2. Every frame is back: as many are free as before it.  (A first guest
 *     that does nothing pays for what the hypervisor keeps: our own page
 *     tables, its records of domains.)
 *  3. Another domain's memory, and ours, is as it was.
 *
 * Arguments: seed=N, steps=N of the tame one, rounds=N, pvh; and "survives"
 * with a seed whose tame guest does not end by chance (grant entries, say,
 * that it gave itself by copies of garbage).
 */
#include "host/child.h"
#include "fuzz/fuzz.h"

#define WILD_STEPS 3000u
#define WILD_MS 1500u
#define TAME_MS 120000u
#define BACK_MS 20000u
#define VERSION (4 << 16 | 17)
#define OTHER_PAGES 512u

static bool is_pvh;
static uint64_t *mine;              /* a page that nobody may change */
static struct child other = { .pages = OTHER_PAGES, .vcpus = 1 };

/* Free frames, and those that small objects of the hypervisor keep. */
static uint64_t frames_at_hand(void)
{
    static uint32_t heap[64];
    unsigned int count =
        guest_perfc("frames taken by the small-object pool", heap,
                    ARRAY_SIZE(heap));
    struct xen_sysctl op = {
        .cmd = XEN_SYSCTL_physinfo,
        .interface_version = XEN_SYSCTL_INTERFACE_VERSION,
    };
    uint64_t sum;

    child_must("physinfo", hypercall(__HYPERVISOR_sysctl, PTR(&op), 0, 0));
    if (count == 0) {
        child_stop("perfc", 0);
    }
    sum = op.u.physinfo.free_pages;
    for (unsigned int i = 0; i < count; i++) {
        sum += heap[i];
    }
    return sum;
}

/* A dead domain's last parts go when a CPU has time: waits for that. */
static uint64_t frames_back(uint64_t want)
{
    uint64_t end = time_now() + BACK_MS * 1000000ul;
    uint64_t now = frames_at_hand();

    while (now != want && time_now() < end) {
        (void)sched_op(SCHEDOP_yield, NULL);
        now = frames_at_hand();
    }
    return now;
}

static uint64_t pattern(uint64_t i)
{
    return (i + 1) * 0x9e3779b97f4a7c15ul;
}

static void fill(uint64_t *page, uint64_t words)
{
    for (uint64_t i = 0; i < words; i++) {
        page[i] = pattern(i);
    }
}

static bool is_filled(const uint64_t *page, uint64_t words)
{
    for (uint64_t i = 0; i < words; i++) {
        if (page[i] != pattern(i)) {
            return false;
        }
    }
    return true;
}

static bool is_other_whole(void)
{
    bool ok;

    child_look(&other);
    ok = is_filled(child_view(0), OTHER_PAGES * PAGE_SIZE / 8);
    child_look_away(&other);
    return ok;
}

/*
 * As if it had asked for its next kernel, whatever it did before; but that
 * never runs.  It may have ballooned up to its limit.
 */
static void soft_reset(const struct child *c, const char *name)
{
    struct xen_domctl op = { 0 };
    long rc;

    child_must("pause", child_domctl(c, XEN_DOMCTL_pausedomain, &op));
    rc = child_domctl(c, XEN_DOMCTL_soft_reset, &op);
    guest_case(rc == 0 || rc == -ENOMEM, "fuzz-reset", "%s: %ld", name, rc);
}

enum kind { FIRST, TAME, WILD };

static void run(const char *name, const char *line, enum kind kind)
{
    const struct bundle *b = child_bundle();
    struct child c = {
        .pages = b->pages, .vcpus = b->vcpus, .line = line,
        .kernel = (const char *)(b + 1),
    };
    uint64_t before = frames_at_hand(), after;
    uint32_t code;

    guest_log("%s: %s", name, line);
    child_create(&c, is_pvh ? XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap : 0);
    if (is_pvh) {
        child_build_pvh(&c);
    } else {
        child_build_pv(&c);
    }
    code = child_watch(&c, kind == WILD ? WILD_MS : TAME_MS);
    guest_case(kind == WILD || code == SHUTDOWN_poweroff
               || (code != CHILD_RUNS && !guest_has_arg("survives")),
               "fuzz-end", "%s: code %x (%s)", name, code, line);
    if (is_pvh && code != CHILD_RUNS) {
        soft_reset(&c, name);
    }
    guest_equal("fuzz-destroy", child_destroy(&c), 0);
    after = kind == FIRST ? before : frames_back(before);
    guest_case(after == before, "fuzz-frames", "%s: %ld of %lu are missing",
               name, before - after, before);
    guest_case(is_other_whole() && is_filled(mine, PAGE_SIZE / 8),
               "fuzz-others", "%s", name);
    guest_equal("fuzz-version", version_op(XENVER_version, NULL), VERSION);
}

void guest_main(void)
{
    uint64_t seed = fuzz_option(guest_args, "seed", 1);
    uint64_t steps = fuzz_option(guest_args, "steps", 20000);
    uint64_t rounds = fuzz_option(guest_args, "rounds", 12);
    char line[128], name[32];

    is_pvh = guest_has_arg("pvh");
    mine = guest_pages(1);
    fill(mine, PAGE_SIZE / 8);
    child_create(&other, XEN_DOMCTL_CDF_hvm | XEN_DOMCTL_CDF_hap);
    fill(child_view(0), OTHER_PAGES * PAGE_SIZE / 8);
    child_look_away(&other);
    run("first", "seed=1 steps=1", FIRST);
    snprintf(line, sizeof(line), "seed=%lu steps=%lu", seed, steps);
    run("tame", line, TAME);
    for (uint64_t i = 1; i <= rounds; i++) {
        snprintf(name, sizeof(name), "wild-%lu", i);
        snprintf(line, sizeof(line), "seed=%lu steps=%u wild", seed + i,
                 WILD_STEPS);
        run(name, line, WILD);
    }
    guest_equal("fuzz-other-destroy", child_destroy(&other), 0);
}
