/* SPDX-License-Identifier: GPL-2.0-only */

/* The XenStore side of gantry-bridge.
 *
 * It keeps a table of the vifs under our backend directory (see store.c for
 * the connection and vif.c for the parsers) and writes what sync.c found out
 * about each.
 *
 * Layout, below /local/domain/<our own domid>:
 *
 *     backend/vif/<domid>/<devid>/
 *         frontend-id bridge mac state online ...    libxl's: read
 *         gantry-access                              the driver's: read
 *         gantry-status                              "attached" or "error"
 *         gantry-error                               the reason, one line
 *         state                                      see invariants 3 and 4
 *     error/backend/vif/<domid>/<devid>/error        the reason once more,
 *                                                    as all backends do
 *
 * Invariants:
 *
 * 1. The table is valid only while watch_is_ready(): without XenStore nobody
 *    knows which vifs are wanted, so nobody may conclude that none is.
 *
 * 2. A write never brings back a directory that the toolstack removed: it is
 *    done in a transaction that looks first.
 *
 * 3. The driver in ovs-vswitchd owns 'state'.  We write InitWait only for a
 *    vif that has failed and is still before InitWait: libxl runs the hotplug
 *    script, which tells the reason, only then.
 *
 * 4. We write Closed only for a vif in Closing that has no driver.
 *
 * 5. A guest that changes its state makes its driver write, and each write is
 *    an event.  So all events that have come are taken before xenstored is
 *    asked anything, and those of one vif cost one scan: libxenstore, which
 *    keeps them without bound, never falls behind. */

#include "watch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <xen/io/xenbus.h>

#include "hash.h"
#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "store.h"
#include "timeval.h"
#include "util.h"

VLOG_DEFINE_THIS_MODULE(watch);

/* Events taken in one turn of the main loop, and scans of new vifs. */
#define WATCH_MAX_EVENTS 65536
#define WATCH_MAX_NEW 128

static struct hmap vifs = HMAP_INITIALIZER(&vifs);
static unsigned int scans;      /* Number of the current scan of all vifs. */
static bool ready;              /* 'vifs' is complete. */

static void take_events(void);
static void scan_all(void);
static void scan_changed(void);
static void scan_vif(uint32_t domid, uint32_t devid);
static void remove_vif(struct watch_vif *);

/* Starts with an empty table.  The first watch_run() connects. */
void
watch_init(void)
{
    store_init();
}

void
watch_destroy(void)
{
    struct watch_vif *w;

    HMAP_FOR_EACH_SAFE (w, node, &vifs) {
        hmap_remove(&vifs, &w->node);
        free(w);
    }
    store_destroy();
}

/* Brings the table up to date. */
void
watch_run(void)
{
    if (store_run()) {
        ready = false;
    }
    if (!store_is_connected()) {
        ready = false;
        return;
    }
    if (!ready) {
        ready = true;
        scan_all();
    }
    take_events();
    scan_changed();
}

void
watch_wait(void)
{
    store_wait();
}

/* Returns true if watch_vifs() is complete. */
bool
watch_is_ready(void)
{
    return ready && store_is_connected();
}

/* Returns the table of 'struct watch_vif's. */
const struct hmap *
watch_vifs(void)
{
    return &vifs;
}

static struct watch_vif *
find_vif(uint32_t domid, uint32_t devid)
{
    struct watch_vif *w;

    HMAP_FOR_EACH_WITH_HASH (w, node, hash_2words(domid, devid), &vifs) {
        if (w->vif.domid == domid && w->vif.devid == devid) {
            return w;
        }
    }
    return NULL;
}

/* Notes which vifs have changed.  Scans those that are not in the table. */
static void
take_events(void)
{
    bool all = false;
    int n_new = 0;
    int i;

    for (i = 0; i < WATCH_MAX_EVENTS && n_new < WATCH_MAX_NEW; i++) {
        uint32_t domid, devid;
        char *path = store_next_event();
        struct watch_vif *w;

        if (!path) {
            break;
        }
        if (!vif_parse_path(path, store_base(), &domid, &devid)) {
            /* A guest's directory or all of them came or went. */
            all = true;
        } else if ((w = find_vif(domid, devid)) != NULL) {
            w->changed = true;
        } else {
            scan_vif(domid, devid);
            n_new++;
        }
        free(path);
    }
    if (i == WATCH_MAX_EVENTS || n_new == WATCH_MAX_NEW) {
        poll_immediate_wake();
    }
    if (all) {
        scan_all();
    }
}

/* Scans each vif of which an event told. */
static void
scan_changed(void)
{
    struct watch_vif *w;

    HMAP_FOR_EACH_SAFE (w, node, &vifs) {
        if (w->changed) {
            scan_vif(w->vif.domid, w->vif.devid);
        }
    }
}

/* Notes in 'vif' that key 'key' has the bad value 'value'. */
static void
set_problem(struct vif *vif, const char *key, const char *value,
            const char *expected)
{
    char shown[VIF_NAME_MAX + 1];

    vif_copy_name(value, shown);
    snprintf(vif->problem, sizeof vif->problem,
             "key %s of the vif is \"%.48s\", which is not %s",
             key, shown, expected);
}

/* Reads into 'vif' how large and how many its packets may be. */
static void
read_limits(const char *dir, struct vif *vif)
{
    char *s;

    s = store_read(dir, "mtu");
    if (s && (!vif_parse_id(s, VIF_MTU_MAX, &vif->mtu)
              || vif->mtu < VIF_MTU_MIN)) {
        vif->mtu = 0;
        set_problem(vif, "mtu", s, "a number from 68 to 65521");
    }
    free(s);

    s = store_read(dir, "rate");
    if (s && !vif_parse_rate(s, &vif->rate)) {
        set_problem(vif, "rate", s, "BYTES,MICROSECONDS");
    }
    free(s);
}

/* Reads into 'vif' the keys of its own directory 'dir'. */
static void
read_keys(const char *dir, struct vif *vif)
{
    char *s;

    s = store_read(dir, "bridge");
    if (!vif_parse_place(s ? s : "", &vif->place)) {
        set_problem(vif, "bridge", s, "BRIDGE[.VLAN][:TRUNK[:TRUNK]...]");
        vif->place = (struct vif_place) { .tag = -1 };
    }
    free(s);

    s = store_read(dir, "mac");
    if (s && !vif_parse_mac(s, vif->mac)) {
        set_problem(vif, "mac", s, "a unicast MAC address");
    }
    free(s);

    read_limits(dir, vif);

    s = store_read(dir, "uuid");
    if (s) {
        vif_parse_uuid(s, vif->uuid);
    }
    free(s);

    s = store_read(dir, "gantry-access");
    if (s) {
        vif_copy_name(s, vif->access);
    }
    free(s);

    s = store_read(dir, "online");
    vif->online = s && !strcmp(s, "1");
    free(s);
}

/* Reads into 'vif' what is known about the VM that it belongs to. */
static void
read_vm(struct vif *vif)
{
    char path[64];
    char *vm, *s;

    snprintf(path, sizeof path, "/local/domain/%u", (unsigned) vif->domid);
    vm = store_read(path, "vm");
    if (vm && !strncmp(vm, "/vm/", 4)) {
        s = store_read(vm, "uuid");
        vif_parse_uuid(s ? s : vm + 4, vif->vm_uuid);
        free(s);
    }
    free(vm);

    s = store_read(path, "name");
    if (s) {
        vif_copy_name(s, vif->vm_name);
    }
    free(s);
}

/* Reads all about vif 'domid'/'devid' into '*w'.  Returns false if it does not
 * exist, or not yet: libxl writes all keys in one transaction. */
static bool
read_vif(uint32_t domid, uint32_t devid, struct watch_vif *w)
{
    char *dir = store_vif_dir(domid, devid);
    uint32_t frontend, state;
    char *s;
    bool ok;

    memset(w, 0, sizeof *w);
    w->vif.domid = domid;
    w->vif.devid = devid;

    s = store_read(dir, "frontend-id");
    ok = s && vif_parse_id(s, VIF_DOMID_MAX, &frontend) && frontend == domid;
    free(s);
    s = store_read(dir, "state");
    ok = ok && s && vif_parse_id(s, XenbusStateReconfigured, &state);
    free(s);
    if (ok) {
        w->vif.state = (int) state;
        read_keys(dir, &w->vif);
        read_vm(&w->vif);

        s = store_read(dir, "gantry-status");
        ovs_strzcpy(w->status, s ? s : "", sizeof w->status);
        free(s);
        s = store_read(dir, "gantry-error");
        ovs_strzcpy(w->error, s ? s : "", sizeof w->error);
        free(s);
    }
    free(dir);
    return ok;
}

/* Brings the table's entry for vif 'domid'/'devid' up to date. */
static void
scan_vif(uint32_t domid, uint32_t devid)
{
    struct watch_vif *w = find_vif(domid, devid);
    struct watch_vif new;

    if (w) {
        w->changed = false;
    }
    if (!read_vif(domid, devid, &new)) {
        if (w && store_is_connected()) {
            remove_vif(w);
        }
        return;
    }
    if (!w) {
        VLOG_INFO("vif%u.%u: new, for bridge \"%s\"",
                  (unsigned) domid, (unsigned) devid, new.vif.place.bridge);
        w = xzalloc(sizeof *w);
        w->since = time_msec();
        hmap_insert(&vifs, &w->node, hash_2words(domid, devid));
    } else if (w->vif.state != new.vif.state
               || w->vif.online != new.vif.online
               || !vif_is_same_place(&w->vif.place, &new.vif.place)) {
        w->since = time_msec();
    }
    strcpy(new.vif.driver_error, w->vif.driver_error);
    w->vif = new.vif;
    w->scan = scans;
    ovs_strzcpy(w->status, new.status, sizeof w->status);
    ovs_strzcpy(w->error, new.error, sizeof w->error);
}

/* Scans the vifs of guest 'domid', whose directory's name is 'dom'. */
static void
scan_domain(const char *dom, uint32_t domid)
{
    unsigned int n, i;
    char **devs = store_list(store_base(), dom, &n);

    for (i = 0; devs && i < n; i++) {
        uint32_t devid;

        if (vif_parse_id(devs[i], VIF_DEVID_MAX, &devid)) {
            scan_vif(domid, devid);
        }
    }
    free(devs);
}

/* Brings the whole table up to date. */
static void
scan_all(void)
{
    struct watch_vif *w;
    unsigned int n, i;
    char **doms;

    scans++;
    doms = store_list(store_base(), NULL, &n);
    for (i = 0; doms && i < n; i++) {
        uint32_t domid;

        if (vif_parse_id(doms[i], VIF_DOMID_MAX, &domid)) {
            scan_domain(doms[i], domid);
        }
    }
    free(doms);
    if (!store_is_connected()) {
        ready = false;
        return;
    }
    HMAP_FOR_EACH_SAFE (w, node, &vifs) {
        if (w->scan != scans) {
            remove_vif(w);
        }
    }
}

/* Forgets 'w', whose directory is gone, and what we wrote elsewhere. */
static void
remove_vif(struct watch_vif *w)
{
    VLOG_INFO("vif%u.%u: gone",
              (unsigned) w->vif.domid, (unsigned) w->vif.devid);
    store_remove_error(w->vif.domid, w->vif.devid);
    hmap_remove(&vifs, &w->node);
    free(w);
}

/* Writes verdict 'v' about 'w' to XenStore unless it is there already. */
void
watch_publish(struct watch_vif *w, const struct verdict *v)
{
    bool failed = v->kind == VERDICT_FAILED;
    const char *status = failed ? "error" : "attached";
    const char *reason = failed ? v->reason : "";
    bool wait = w->vif.online && w->vif.state < XenbusStateInitWait;

    if (v->kind == VERDICT_WAIT
        || (!strcmp(w->status, status) && !strcmp(w->error, reason)
            && !(failed && wait))) {
        return;
    }
    if (!store_write_verdict(w->vif.domid, w->vif.devid, status,
                             failed ? reason : NULL)) {
        return;
    }
    if (failed) {
        VLOG_WARN("vif%u.%u: %s", (unsigned) w->vif.domid,
                  (unsigned) w->vif.devid, reason);
    } else {
        VLOG_INFO("vif%u.%u: attached to bridge \"%s\"",
                  (unsigned) w->vif.domid, (unsigned) w->vif.devid,
                  w->vif.place.bridge);
    }
    ovs_strzcpy(w->status, status, sizeof w->status);
    ovs_strzcpy(w->error, reason, sizeof w->error);
    w->since = time_msec();
}

/* Returns true if a driver of the kernel, which it stores in 'name', has bound
 * 'vif'. */
static bool
has_kernel_driver(const struct vif *vif, char *name, size_t size)
{
    char *path = xasprintf("/sys/bus/xen-backend/devices/vif-%"PRIu32"-%"
                           PRIu32"/driver", vif->domid, vif->devid);
    ssize_t n = readlink(path, name, size - 1);
    char *slash;

    free(path);
    if (n <= 0) {
        return false;
    }
    name[n] = '\0';
    slash = strrchr(name, '/');
    if (slash) {
        memmove(name, slash + 1, strlen(slash));
    }
    return true;
}

/* Finds out what the driver of 'w' has to say about a failure: OVS itself
 * knows only that it failed. */
void
watch_ask_driver(struct watch_vif *w)
{
    char *told = w->vif.driver_error;
    size_t size = sizeof w->vif.driver_error;
    char kernel[128];
    char *error;

    if (w->status[0]) {
        /* Asked before.  What is there now may be our own line. */
        return;
    }
    if (has_kernel_driver(&w->vif, kernel, sizeof kernel)) {
        snprintf(told, size, "the kernel's driver %.16s holds the vif: run "
                 "gantry-setup enable and rmmod xen-netback", kernel);
        return;
    }
    error = store_read_error(w->vif.domid, w->vif.devid);
    if (error) {
        char shown[VIF_NAME_MAX + 1];

        vif_copy_name(error, shown);
        snprintf(told, size, "net_xenvif: %s", shown);
        free(error);
    }
}

/* Ends 'w', which waits in state Closing for a driver that is not there. */
void
watch_set_closed(struct watch_vif *w)
{
    if (w->vif.state == XenbusStateClosing
        && store_write_closed(w->vif.domid, w->vif.devid)) {
        VLOG_INFO("vif%u.%u: closed without its driver",
                  (unsigned) w->vif.domid, (unsigned) w->vif.devid);
        w->vif.state = XenbusStateClosed;
    }
}
