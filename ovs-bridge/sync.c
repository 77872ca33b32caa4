/* SPDX-License-Identifier: GPL-2.0-only */

/* One turn of gantry-bridge: the vifs of watch.c and the switch of ports.c go
 * into reconcile.c, whose operations go to ports.c, and into verdict.c, whose
 * verdicts go to watch.c.
 *
 * Invariants:
 *
 * 1. Ports change only while both sides are known: XenStore connected and
 *    scanned, the database connected and locked.
 *
 * 2. Each turn starts from nothing but these two pictures.  The only memory is
 *    time: since when a vif waits and since when the database is away. */

#include "sync.h"

#include <stdlib.h>
#include <string.h>

#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ports.h"
#include "timeval.h"
#include "util.h"
#include "watch.h"

VLOG_DEFINE_THIS_MODULE(sync);

/* A vif and the port that it should have. */
struct pair {
    struct port wanted;         /* First, for port_compare_names(). */
    struct watch_vif *w;
    bool keep;                  /* 'wanted' is wanted indeed. */
};

static struct port_template template;
static bool was_connected;
static long long int connected_since;   /* Or disconnected since: time_msec().
                                         */
static long long int wake;              /* Next time at which age matters. */

/* Will make ports by 'template_', whose strings the caller keeps. */
void
sync_init(const struct port_template *template_)
{
    template = *template_;
    connected_since = time_msec();
}

void
sync_destroy(void)
{
}

/* Returns for how long 'w' has waited under the present circumstances. */
static long long int
get_age(const struct watch_vif *w)
{
    return time_msec() - MAX(w->since, connected_since);
}

/* Makes sync_run() be called when 'age' comes to the next of verdict.h's
 * limits. */
static void
wake_at_limits(long long int age)
{
    static const long long int limits[] = {
        VERDICT_CONNECT_MS, VERDICT_CLOSE_MS,
        VERDICT_ATTACH_MS, 2 * VERDICT_CLOSE_MS, VERDICT_DRIVER_MS,
    };
    size_t i;

    for (i = 0; i < ARRAY_SIZE(limits); i++) {
        if (age < limits[i]) {
            wake = MIN(wake, time_msec() + limits[i] - age);
        }
    }
}

/* Stores in '*pairs' all vifs in the order of their ports' names, for the
 * caller to free, and returns their number. */
static size_t
collect_pairs(struct pair **pairs)
{
    struct watch_vif *w;
    size_t n = 0;

    *pairs = xcalloc(hmap_count(watch_vifs()) + 1, sizeof **pairs);
    HMAP_FOR_EACH (w, node, watch_vifs()) {
        struct pair *p = &(*pairs)[n++];

        p->w = w;
        port_from_vif(&w->vif, &template, &p->wanted);
    }
    qsort(*pairs, n, sizeof **pairs, port_compare_names);
    return n;
}

/* Ends the vifs among the 'n' 'pairs' that the toolstack takes away. */
static void
close_vifs(struct pair *pairs, size_t n, const struct actual_switch *sw)
{
    size_t i;

    for (i = 0; i < n; i++) {
        struct pair *p = &pairs[i];
        const struct actual_port *actual;
        struct verdict_close c;
        long long int age = get_age(p->w);

        actual = reconcile_find_port(sw, p->wanted.name);
        c = verdict_close(&p->w->vif, actual && actual->owned, sw->connected,
                          age);
        if (c.set_closed) {
            watch_set_closed(p->w);
        }
        p->keep = c.keep_port && !p->w->vif.problem[0];
        wake_at_limits(age);
    }
}

/* Brings the ports to what the 'n' 'pairs' ask for. */
static void
run_ports(const struct pair *pairs, size_t n, const struct actual_switch *sw)
{
    struct reconcile_op *ops;
    struct port *wanted;
    size_t i, n_wanted = 0;

    if (!sw->connected || ports_is_busy()) {
        return;
    }
    wanted = xcalloc(n + 1, sizeof *wanted);
    ops = xcalloc(n + sw->n_ports + 1, sizeof *ops);
    for (i = 0; i < n; i++) {
        if (pairs[i].keep) {
            wanted[n_wanted++] = pairs[i].wanted;
        }
    }
    ports_apply(ops, reconcile(wanted, n_wanted, sw, ops));
    free(ops);
    free(wanted);
}

/* Tells the toolstack about each of the 'n' 'pairs'. */
static void
run_verdicts(const struct pair *pairs, size_t n,
             const struct actual_switch *sw)
{
    size_t i;

    for (i = 0; i < n; i++) {
        const struct pair *p = &pairs[i];
        struct verdict v;

        const struct actual_port *actual;

        if (p->w->vif.online) {
            actual = reconcile_find_port(sw, p->wanted.name);
            if (actual && actual->error[0]) {
                watch_ask_driver(p->w);
            }
            verdict_attach(&p->w->vif, &p->wanted, sw, get_age(p->w), &v);
            watch_publish(p->w, &v);
        }
    }
}

void
sync_run(void)
{
    struct actual_switch sw;
    struct pair *pairs;
    size_t n;

    wake = LLONG_MAX;
    if (ports_is_connected() != was_connected) {
        was_connected = !was_connected;
        connected_since = time_msec();
        VLOG_INFO("Open vSwitch's database is %s",
                  was_connected ? "here" : "away");
    }
    if (!watch_is_ready()) {
        return;
    }
    ports_get(&sw);
    n = collect_pairs(&pairs);
    close_vifs(pairs, n, &sw);
    run_ports(pairs, n, &sw);
    run_verdicts(pairs, n, &sw);
    free(pairs);
    ports_free(&sw);
}

void
sync_wait(void)
{
    if (wake != LLONG_MAX) {
        poll_timer_wait_until(wake);
    }
}

/* Appends to 'ds' the two sides and each vif with its verdict. */
void
sync_show(struct ds *ds)
{
    struct actual_switch sw;
    struct pair *pairs;
    size_t i, n;

    ports_get(&sw);
    n = collect_pairs(&pairs);
    ds_put_format(ds, "xenstore: %s\n",
                  watch_is_ready() ? "connected" : "away");
    ds_put_format(ds, "database: %s\n", sw.connected ? "connected" : "away");
    for (i = 0; i < n; i++) {
        const struct watch_vif *w = pairs[i].w;
        const struct actual_port *actual;

        actual = reconcile_find_port(&sw, pairs[i].wanted.name);
        ds_put_format(ds, "%s: bridge \"%s\", mac %s, state %d%s, port %s",
                      pairs[i].wanted.name, pairs[i].wanted.place.bridge,
                      w->vif.mac[0] ? w->vif.mac : "unknown", w->vif.state,
                      w->vif.online ? "" : " (going)",
                      !actual ? "absent"
                      : !actual->owned ? "not ours" : "present");
        ds_put_format(ds, ", %s%s%s\n",
                      w->status[0] ? w->status : "waiting",
                      w->error[0] ? ": " : "", w->error);
    }
    free(pairs);
    ports_free(&sw);
}
