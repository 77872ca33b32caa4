/* SPDX-License-Identifier: GPL-2.0-only */

/* The OVSDB side of gantry-bridge: an IDL client of the database Open_vSwitch.
 *
 * sync.c takes a picture of the switch from here, lets reconcile.c compare it,
 * and hands back the operations, which become one transaction, but for those
 * that suspects.c wants to be tried alone.
 *
 * States of a transaction:
 *
 *     idle --ports_apply()--> in flight --committed or failed--> idle
 *                                 |
 *                                 '--committed, removed a port--> settling
 *     settling --ovs-vswitchd caught up (cur_cfg >= next_cfg),
 *                or PORTS_SETTLE_MS are over--> idle
 *     failed: idle again when the database changed or after PORTS_RETRY_MS, or
 *             at once if the database refused it, for suspects.c to divide
 *
 * Invariants:
 *
 * 1. A port is ours if its external_ids have gantry-owner=OWNER, and no other
 *    port is changed or removed.
 *
 * 2. One transaction at a time.  It is computed from a picture of the database
 *    that contains all that the previous one did.
 *
 * 3. While a removal settles nothing is added: ovs-vswitchd must have seen
 *    that a device is gone before a new one may have its name.
 *
 * 4. Of the external_ids only port_id_keys[] and gantry-owner are ours.  A
 *    controller's own keys stay.
 *
 * 5. Nothing is written without the database lock "gantry_bridge": a second
 *    daemon waits. */

#include "ports.h"

#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "openvswitch/poll-loop.h"
#include "openvswitch/vlog.h"
#include "ovsdb-idl.h"
#include "smap.h"
#include "suspects.h"
#include "timeval.h"
#include "util.h"
#include "vswitch-idl.h"

VLOG_DEFINE_THIS_MODULE(ports);

#define PORTS_OWNER_KEY "gantry-owner"
#define PORTS_SETTLE_MS 5000
#define PORTS_RETRY_MS 1000

static struct vlog_rate_limit rl = VLOG_RATE_LIMIT_INIT(10, 10);

static struct ovsdb_idl *idl;
static struct ovsdb_idl_txn *txn;       /* In flight, or null. */
static bool txn_removes;                /* 'txn' removes a port. */
static struct suspects suspects;
static char *owner;
static int64_t settle_cfg;              /* cur_cfg to wait for. */
static long long int settle_until;      /* time_msec(), or LLONG_MIN. */
static unsigned int retry_seqno;        /* Of the picture that failed. */
static long long int retry_at;          /* time_msec(), or LLONG_MIN. */

static void
monitor_columns(void)
{
    static const struct ovsdb_idl_column *const columns[] = {
        &ovsrec_open_vswitch_columns[OVSREC_OPEN_VSWITCH_COL_BRIDGES],
        &ovsrec_open_vswitch_columns[OVSREC_OPEN_VSWITCH_COL_CUR_CFG],
        &ovsrec_open_vswitch_columns[OVSREC_OPEN_VSWITCH_COL_NEXT_CFG],
        &ovsrec_open_vswitch_columns[
            OVSREC_OPEN_VSWITCH_COL_DPDK_INITIALIZED],
        &ovsrec_bridge_columns[OVSREC_BRIDGE_COL_NAME],
        &ovsrec_bridge_columns[OVSREC_BRIDGE_COL_PORTS],
        &ovsrec_bridge_columns[OVSREC_BRIDGE_COL_DATAPATH_TYPE],
        &ovsrec_port_columns[OVSREC_PORT_COL_NAME],
        &ovsrec_port_columns[OVSREC_PORT_COL_INTERFACES],
        &ovsrec_port_columns[OVSREC_PORT_COL_TAG],
        &ovsrec_port_columns[OVSREC_PORT_COL_TRUNKS],
        &ovsrec_port_columns[OVSREC_PORT_COL_EXTERNAL_IDS],
        &ovsrec_interface_columns[OVSREC_INTERFACE_COL_NAME],
        &ovsrec_interface_columns[OVSREC_INTERFACE_COL_TYPE],
        &ovsrec_interface_columns[OVSREC_INTERFACE_COL_OPTIONS],
        &ovsrec_interface_columns[OVSREC_INTERFACE_COL_OFPORT],
        &ovsrec_interface_columns[OVSREC_INTERFACE_COL_ERROR],
        &ovsrec_interface_columns[OVSREC_INTERFACE_COL_EXTERNAL_IDS],
        &ovsrec_interface_columns[OVSREC_INTERFACE_COL_MTU_REQUEST],
        &ovsrec_interface_columns[OVSREC_INTERFACE_COL_INGRESS_POLICING_RATE],
        &ovsrec_interface_columns[
            OVSREC_INTERFACE_COL_INGRESS_POLICING_BURST],
    };
    size_t i;

    ovsdb_idl_add_table(idl, &ovsrec_table_open_vswitch);
    ovsdb_idl_add_table(idl, &ovsrec_table_bridge);
    ovsdb_idl_add_table(idl, &ovsrec_table_port);
    ovsdb_idl_add_table(idl, &ovsrec_table_interface);
    for (i = 0; i < ARRAY_SIZE(columns); i++) {
        ovsdb_idl_add_column(idl, columns[i]);
    }
}

/* Starts to connect to the database at 'remote', as 'owner_' of the ports. */
void
ports_init(const char *remote, const char *owner_)
{
    owner = xstrdup(owner_);
    settle_until = LLONG_MIN;
    retry_at = LLONG_MIN;
    idl = ovsdb_idl_create(remote, &ovsrec_idl_class, false, true);
    monitor_columns();
    ovsdb_idl_set_lock(idl, "gantry_bridge");
}

void
ports_destroy(void)
{
    if (txn) {
        ovsdb_idl_txn_destroy(txn);
        txn = NULL;
    }
    ovsdb_idl_destroy(idl);
    idl = NULL;
    suspects_destroy(&suspects);
    free(owner);
    owner = NULL;
}

/* Tells suspects.c that the database refused 'txn', not what was wrong with
 * its time but with what is in it. */
static void
refuse_txn(void)
{
    const char *error = ovsdb_idl_txn_get_error(txn);

    if (suspects.n_trial == 1) {
        VLOG_WARN_RL(&rl, "the database refused a change of port %s: %s",
                     suspects.trial[0], error);
    } else {
        VLOG_WARN_RL(&rl, "the database refused a change of %"PRIuSIZE
                     " ports, each of which is now tried alone: %s",
                     suspects.n_trial, error);
    }
    suspects_refused(&suspects, error, time_msec());
}

/* Ends the transaction in flight, if it has ended. */
static void
run_txn(void)
{
    enum ovsdb_idl_txn_status status;

    if (!txn) {
        return;
    }
    status = ovsdb_idl_txn_commit(txn);
    if (status == TXN_INCOMPLETE) {
        return;
    }
    if (status == TXN_SUCCESS || status == TXN_UNCHANGED) {
        suspects_made(&suspects);
        if (txn_removes && status == TXN_SUCCESS) {
            settle_cfg = ovsdb_idl_txn_get_increment_new_value(txn);
            settle_until = time_msec() + PORTS_SETTLE_MS;
        }
    } else if (status == TXN_ERROR) {
        refuse_txn();
    } else {
        retry_seqno = ovsdb_idl_get_seqno(idl);
        retry_at = time_msec() + PORTS_RETRY_MS;
        if (status != TXN_TRY_AGAIN) {
            VLOG_WARN_RL(&rl, "a change was not made: %s",
                         ovsdb_idl_txn_status_to_string(status));
        }
    }
    ovsdb_idl_txn_destroy(txn);
    txn = NULL;
    poll_immediate_wake();
}

/* Returns true while the present picture is known to be no good. */
static bool
is_stale(void)
{
    if (retry_at != LLONG_MIN
        && (ovsdb_idl_get_seqno(idl) != retry_seqno
            || time_msec() >= retry_at)) {
        retry_at = LLONG_MIN;
    }
    return retry_at != LLONG_MIN;
}

static bool
is_settling(void)
{
    const struct ovsrec_open_vswitch *cfg;

    if (settle_until == LLONG_MIN) {
        return false;
    }
    cfg = ovsrec_open_vswitch_first(idl);
    if (time_msec() >= settle_until || !cfg || cfg->cur_cfg >= settle_cfg) {
        settle_until = LLONG_MIN;
        return false;
    }
    return true;
}

void
ports_run(void)
{
    ovsdb_idl_run(idl);
    if (ovsdb_idl_is_lock_contended(idl)) {
        VLOG_WARN_RL(&rl, "another gantry-bridge holds the database's lock");
    }
    run_txn();
}

void
ports_wait(void)
{
    ovsdb_idl_wait(idl);
    if (txn) {
        ovsdb_idl_txn_wait(txn);
    }
    if (settle_until != LLONG_MIN) {
        poll_timer_wait_until(settle_until);
    }
    if (retry_at != LLONG_MIN) {
        poll_timer_wait_until(retry_at);
    }
    if (suspects.n) {
        poll_timer_wait_until(suspects_wake(&suspects, time_msec()));
    }
}

/* Returns true if the copy of the database is current and may be changed. */
bool
ports_is_connected(void)
{
    return ovsdb_idl_is_connected(idl)
        && ovsdb_idl_has_ever_connected(idl)
        && ovsdb_idl_has_lock(idl)
        && ovsrec_open_vswitch_first(idl);
}

/* Returns true while ports_apply() would do nothing. */
bool
ports_is_busy(void)
{
    return txn || !ports_is_connected() || is_settling() || is_stale();
}

static void
get_ids(const struct smap *external_ids, struct port *port)
{
    int i;

    for (i = 0; i < PORT_N_IDS; i++) {
        ovs_strzcpy(port->ids[i],
                    smap_get_def(external_ids, port_id_keys[i], ""),
                    sizeof port->ids[i]);
    }
}

/* Stores the port 'rec' of bridge 'br' in 'actual'.  Returns false if it
 * cannot concern us. */
static bool
get_port(const struct ovsrec_bridge *br, const struct ovsrec_port *rec,
         struct actual_port *actual)
{
    const struct ovsrec_interface *iface;
    struct port *port = &actual->port;
    size_t i;

    if (strlen(rec->name) > PORT_NAME_MAX) {
        return false;
    }
    memset(actual, 0, sizeof *actual);
    ovs_strzcpy(port->name, rec->name, sizeof port->name);
    ovs_strzcpy(port->place.bridge, br->name, sizeof port->place.bridge);
    port->place.tag = rec->n_tag ? (int) rec->tag[0] : -1;
    for (i = 0; i < rec->n_trunks && i < VIF_TRUNKS_MAX; i++) {
        port->place.trunks[i] = (uint16_t) rec->trunks[i];
    }
    port->place.n_trunks = i;
    /* On a bridge whose name is too long for us there is nothing of ours. */
    actual->owned = !strcmp(smap_get_def(&rec->external_ids,
                                         PORTS_OWNER_KEY, ""), owner)
        && strlen(br->name) <= VIF_BRIDGE_MAX;
    if (rec->n_interfaces != 1
        || strcmp(rec->interfaces[0]->name, rec->name) != 0) {
        /* A bond, or a port with another's interface, is nothing that we made;
         * an owned one differs and goes. */
        return true;
    }
    iface = rec->interfaces[0];
    ovs_strzcpy(port->type, iface->type, sizeof port->type);
    ovs_strzcpy(port->devargs,
                smap_get_def(&iface->options, "dpdk-devargs", ""),
                sizeof port->devargs);
    port->mtu = iface->n_mtu_request ? (uint32_t) iface->mtu_request[0] : 0;
    port->rate.kbps = (uint32_t) iface->ingress_policing_rate;
    port->rate.burst_kb = (uint32_t) iface->ingress_policing_burst;
    get_ids(&iface->external_ids, port);
    actual->ofport = iface->n_ofport ? iface->ofport[0] : 0;
    ovs_strzcpy(actual->error, iface->error ? iface->error : "",
                sizeof actual->error);
    return true;
}

/* Adds to 'sw' the interfaces of 'rec', a port of 'br', that have not its
 * name: where the names are the same, the port stands for both. */
static void
get_interfaces(const struct ovsrec_bridge *br, const struct ovsrec_port *rec,
               struct actual_switch *sw)
{
    size_t i;

    for (i = 0; i < rec->n_interfaces; i++) {
        const char *name = rec->interfaces[i]->name;
        struct actual_interface *iface = &sw->interfaces[sw->n_interfaces];

        if (strcmp(name, rec->name) != 0 && strlen(name) <= PORT_NAME_MAX) {
            ovs_strzcpy(iface->name, name, sizeof iface->name);
            ovs_strzcpy(iface->port, rec->name, sizeof iface->port);
            ovs_strzcpy(iface->bridge, br->name, sizeof iface->bridge);
            sw->n_interfaces++;
        }
    }
}

/* Adds bridge 'br' and its ports to 'sw'. */
static void
get_bridge(const struct ovsrec_bridge *br, struct actual_switch *sw)
{
    struct actual_bridge *b = &sw->bridges[sw->n_bridges];
    size_t i;

    if (strlen(br->name) <= VIF_BRIDGE_MAX) {
        ovs_strzcpy(b->name, br->name, sizeof b->name);
        b->netdev = !strcmp(br->datapath_type, "netdev");
        sw->n_bridges++;
    }
    for (i = 0; i < br->n_ports; i++) {
        if (get_port(br, br->ports[i], &sw->ports[sw->n_ports])) {
            sw->n_ports++;
        }
        get_interfaces(br, br->ports[i], sw);
    }
}

static void
get_bridges(const struct ovsrec_open_vswitch *cfg, struct actual_switch *sw)
{
    size_t n_ports = 0, n_interfaces = 0;
    size_t i, j;

    for (i = 0; i < cfg->n_bridges; i++) {
        n_ports += cfg->bridges[i]->n_ports;
        for (j = 0; j < cfg->bridges[i]->n_ports; j++) {
            n_interfaces += cfg->bridges[i]->ports[j]->n_interfaces;
        }
    }
    sw->bridges = xcalloc(cfg->n_bridges + 1, sizeof *sw->bridges);
    sw->ports = xcalloc(n_ports + 1, sizeof *sw->ports);
    sw->interfaces = xcalloc(n_interfaces + 1, sizeof *sw->interfaces);

    for (i = 0; i < cfg->n_bridges; i++) {
        get_bridge(cfg->bridges[i], sw);
    }
}

/* Stores a picture of the switch in 'sw', which the caller must pass to
 * ports_free(). */
void
ports_get(struct actual_switch *sw)
{
    const struct ovsrec_open_vswitch *cfg;

    memset(sw, 0, sizeof *sw);
    sw->connected = ports_is_connected();
    if (!sw->connected) {
        return;
    }
    cfg = ovsrec_open_vswitch_first(idl);
    sw->dpdk_initialized = cfg->dpdk_initialized;
    get_bridges(cfg, sw);
    qsort(sw->bridges, sw->n_bridges, sizeof *sw->bridges,
          port_compare_names);
    qsort(sw->ports, sw->n_ports, sizeof *sw->ports, port_compare_names);
    qsort(sw->interfaces, sw->n_interfaces, sizeof *sw->interfaces,
          port_compare_names);
    sw->refused = xcalloc(suspects.n + 1, sizeof *sw->refused);
    sw->n_refused = suspects_get(&suspects, sw->refused);
}

void
ports_free(struct actual_switch *sw)
{
    free(sw->bridges);
    free(sw->ports);
    free(sw->interfaces);
    free(sw->refused);
}

static const struct ovsrec_bridge *
find_bridge(const char *name)
{
    const struct ovsrec_bridge *br;

    OVSREC_BRIDGE_FOR_EACH (br, idl) {
        if (!strcmp(br->name, name)) {
            return br;
        }
    }
    return NULL;
}

static const struct ovsrec_port *
find_port(const struct ovsrec_bridge *br, const char *name)
{
    size_t i;

    for (i = 0; br && i < br->n_ports; i++) {
        if (!strcmp(br->ports[i]->name, name)) {
            return br->ports[i];
        }
    }
    return NULL;
}

static void
set_place(const struct ovsrec_port *rec, const struct vif_place *place)
{
    int64_t trunks[VIF_TRUNKS_MAX];
    int64_t tag = place->tag;
    size_t i;

    for (i = 0; i < place->n_trunks; i++) {
        trunks[i] = place->trunks[i];
    }
    ovsrec_port_set_tag(rec, &tag, place->tag >= 0 ? 1 : 0);
    ovsrec_port_set_trunks(rec, trunks, place->n_trunks);
}

/* Sets what 'port' says about the size and the number of its packets. */
static void
set_limits(const struct ovsrec_interface *iface, const struct port *port)
{
    int64_t mtu = port->mtu;

    if (mtu) {
        ovsrec_interface_set_mtu_request(iface, &mtu, 1);
    }
    ovsrec_interface_set_ingress_policing_rate(iface, port->rate.kbps);
    ovsrec_interface_set_ingress_policing_burst(iface, port->rate.burst_kb);
}

static void
add_port(const struct port *port)
{
    const struct ovsrec_bridge *br = find_bridge(port->place.bridge);
    struct smap ids = SMAP_INITIALIZER(&ids);
    struct smap options = SMAP_INITIALIZER(&options);
    struct ovsrec_interface *iface;
    struct ovsrec_port *rec;
    int i;

    if (!br) {
        return;
    }
    smap_add(&ids, PORTS_OWNER_KEY, owner);
    rec = ovsrec_port_insert(txn);
    ovsrec_port_set_name(rec, port->name);
    ovsrec_port_set_external_ids(rec, &ids);
    set_place(rec, &port->place);

    for (i = 0; i < PORT_N_IDS; i++) {
        if (port->ids[i][0]) {
            smap_add(&ids, port_id_keys[i], port->ids[i]);
        }
    }
    if (port->devargs[0]) {
        smap_add(&options, "dpdk-devargs", port->devargs);
    }
    iface = ovsrec_interface_insert(txn);
    ovsrec_interface_set_name(iface, port->name);
    ovsrec_interface_set_type(iface, port->type);
    ovsrec_interface_set_options(iface, &options);
    ovsrec_interface_set_external_ids(iface, &ids);
    set_limits(iface, port);

    ovsrec_port_set_interfaces(rec, &iface, 1);
    ovsrec_bridge_update_ports_addvalue(br, rec);
    smap_destroy(&options);
    smap_destroy(&ids);
    VLOG_INFO("%s: add to bridge %s", port->name, br->name);
}

static void
update_port(const struct port *port)
{
    const struct ovsrec_port *rec;
    const struct ovsrec_interface *iface;
    int i;

    rec = find_port(find_bridge(port->place.bridge), port->name);
    if (!rec || rec->n_interfaces != 1) {
        return;
    }
    iface = rec->interfaces[0];
    set_place(rec, &port->place);
    set_limits(iface, port);
    for (i = 0; i < PORT_N_IDS; i++) {
        if (port->ids[i][0]) {
            ovsrec_interface_update_external_ids_setkey(
                iface, port_id_keys[i], port->ids[i]);
        } else if (smap_get(&iface->external_ids, port_id_keys[i])) {
            ovsrec_interface_update_external_ids_delkey(
                iface, port_id_keys[i]);
        }
    }
    VLOG_INFO("%s: update", port->name);
}

static void
remove_port(const struct port *port)
{
    const struct ovsrec_bridge *br = find_bridge(port->place.bridge);
    const struct ovsrec_port *rec = find_port(br, port->name);

    if (rec) {
        ovsrec_bridge_update_ports_delvalue(br, rec);
        txn_removes = true;
        VLOG_INFO("%s: remove from bridge %s", port->name, br->name);
    }
}

/* Starts a transaction that makes those of the 'n' operations of 'ops' that
 * suspects.c chooses.  They must be all that there is to do, by the present
 * picture; their order is lost.  Does nothing while ports_is_busy(). */
void
ports_apply(struct reconcile_op *ops, size_t n)
{
    const struct ovsrec_open_vswitch *cfg;
    size_t i;

    if (ports_is_busy()) {
        return;
    }
    n = suspects_choose(&suspects, ops, n, time_msec());
    if (!n) {
        return;
    }
    txn = ovsdb_idl_txn_create(idl);
    txn_removes = false;
    ovsdb_idl_txn_add_comment(txn, "gantry-bridge: %"PRIuSIZE" ports", n);
    for (i = 0; i < n; i++) {
        switch (ops[i].kind) {
        case RECONCILE_ADD:
            add_port(ops[i].wanted);
            break;
        case RECONCILE_UPDATE:
            update_port(ops[i].wanted);
            break;
        case RECONCILE_REMOVE:
            remove_port(&ops[i].actual->port);
            break;
        }
    }
    cfg = ovsrec_open_vswitch_first(idl);
    ovsdb_idl_txn_increment(txn, &cfg->header_,
                            &ovsrec_open_vswitch_col_next_cfg, false);
    run_txn();
}
