/* SPDX-License-Identifier: GPL-2.0-only */

/* Judges a vif: is it attached, and if not, why not.
 *
 * sync.c calls it for every vif and writes the result to XenStore, where the
 * hotplug script vif-gantry reads it.
 *
 * A vif that comes:
 *
 *     WAIT --ovs-vswitchd gave an ofport--> ATTACHED
 *       |                                      |
 *       |  bad key, no bridge, DPDK off,       | Interface.error,
 *       |  Interface.error, time is over       | bridge removed, ...
 *       v                                      v
 *     FAILED <---------------------------------'   and back, if repaired
 *
 * A vif that goes (online = 0): the driver answers Closing with Closed, and
 * then the port is removed.  Where no driver answers, the port is removed
 * after VERDICT_CLOSE_MS, and Closed is written when it is gone.
 *
 * Invariants:
 *
 * 1. Pure, like reconcile.c.
 *
 * 2. A reason is one line that names what is wrong and what to do.
 *
 * 3. Every vif leaves WAIT within VERDICT_ATTACH_MS, or VERDICT_DRIVER_MS if
 *    its driver has brought it to InitWait, so that the toolstack's own
 *    timeout, which could not say why, never ends. */

#include "verdict.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <xen/io/xenbus.h>

static void __attribute__((format(printf, 2, 3)))
set_failed(struct verdict *v, const char *format, ...)
{
    va_list args;

    v->kind = VERDICT_FAILED;
    va_start(args, format);
    vsnprintf(v->reason, sizeof v->reason, format, args);
    va_end(args);
}

/* Returns true and sets 'v' if 'wanted' can have no port on 'sw'. */
static bool
is_hopeless(const struct port *wanted, const struct actual_switch *sw,
            struct verdict *v)
{
    const char *name = wanted->place.bridge;
    const struct actual_bridge *br = reconcile_find_bridge(sw, name);

    if (!name[0]) {
        set_failed(v, "no bridge is named: put bridge=NAME into the vif's "
                   "configuration, or give gantry-bridge a default by -b");
    } else if (!br) {
        set_failed(v, "Open vSwitch has no bridge \"%s\": run ovs-vsctl "
                   "add-br %s -- set Bridge %s datapath_type=netdev",
                   name, name, name);
    } else if (!br->netdev) {
        set_failed(v, "bridge \"%s\" has the kernel's datapath: run ovs-vsctl "
                   "set Bridge %s datapath_type=netdev", name, name);
    } else if (!strcmp(wanted->type, "dpdk") && !sw->dpdk_initialized) {
        set_failed(v, "DPDK is off in ovs-vswitchd: run ovs-vsctl set "
                   "Open_vSwitch . other_config:dpdk-init=true");
    }
    return v->kind == VERDICT_FAILED;
}

/* Judges the port that exists for 'vif'. */
static void
judge_port(const struct vif *vif, const struct actual_port *actual,
           struct verdict *v)
{
    if (!actual->owned) {
        set_failed(v, "bridge \"%s\" has a port %s that is not "
                   "gantry-bridge's: run ovs-vsctl del-port %s",
                   actual->port.place.bridge, actual->port.name,
                   actual->port.name);
    } else if (actual->error[0] && vif->driver_error[0]) {
        set_failed(v, "%s", vif->driver_error);
    } else if (actual->error[0]) {
        set_failed(v, "Open vSwitch: %s", actual->error);
    } else if (actual->ofport < 0) {
        set_failed(v, "ovs-vswitchd could not make port %s: see its log",
                   actual->port.name);
    } else if (actual->ofport > 0) {
        v->kind = VERDICT_ATTACHED;
    }
}

/* Judges the port 'wanted' of 'vif' by what 'sw' has of its name. */
static void
judge_name(const struct vif *vif, const struct port *wanted,
           const struct actual_switch *sw, struct verdict *v)
{
    const char *name = wanted->name;
    const struct actual_port *actual = reconcile_find_port(sw, name);
    const struct actual_interface *iface = reconcile_find_interface(sw, name);
    const struct refused_port *refused = reconcile_find_refused(sw, name);

    if (iface) {
        set_failed(v, "interface %s exists on port %s of bridge %s: it must "
                   "go from there", name, iface->port, iface->bridge);
        return;
    }
    if (actual) {
        judge_port(vif, actual, v);
    }
    if (refused && v->kind == VERDICT_WAIT) {
        set_failed(v, "Open vSwitch's database refuses port %s: %s",
                   name, refused->error);
    }
}

/* Stores in 'v' the verdict about 'vif', whose port should be 'wanted' on
 * 'sw', and which has waited for 'age_ms' milliseconds. */
void
verdict_attach(const struct vif *vif, const struct port *wanted,
               const struct actual_switch *sw, long long int age_ms,
               struct verdict *v)
{
    int limit = vif->state >= XenbusStateInitWait
        ? VERDICT_DRIVER_MS : VERDICT_ATTACH_MS;

    memset(v, 0, sizeof *v);
    v->kind = VERDICT_WAIT;
    if (vif->problem[0]) {
        set_failed(v, "%s", vif->problem);
        return;
    }
    if (!sw->connected) {
        if (age_ms >= VERDICT_CONNECT_MS) {
            set_failed(v, "Open vSwitch's database does not answer: is "
                       "ovsdb-server running?");
        }
        return;
    }
    if (is_hopeless(wanted, sw, v)) {
        return;
    }
    judge_name(vif, wanted, sw, v);
    if (v->kind == VERDICT_WAIT && age_ms >= limit) {
        set_failed(v, "ovs-vswitchd did not make port %s within %d s: is it "
                   "running?", wanted->name, limit / 1000);
    }
}

/* Returns what to do about 'vif' if it is going.  'has_port' says whether an
 * owned port of it exists, which means nothing unless the database is
 * 'connected'; 'age_ms' is how long it has been in its present state. */
struct verdict_close
verdict_close(const struct vif *vif, bool has_port, bool connected,
              long long int age_ms)
{
    struct verdict_close c = { true, false };

    if (vif->online) {
        return c;
    }
    if (vif->state == XenbusStateClosed) {
        c.keep_port = false;
    } else if (vif->state == XenbusStateClosing) {
        bool late = age_ms >= VERDICT_CLOSE_MS;

        c.keep_port = connected && has_port && !late;
        c.set_closed = connected
            ? !has_port || age_ms >= 2 * VERDICT_CLOSE_MS
            : late;
    }
    return c;
}
