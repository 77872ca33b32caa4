/* SPDX-License-Identifier: GPL-2.0-only */

/* Desired against actual: the whole of gantry-bridge's policy about ports.
 *
 * sync.c gives it the vifs that watch.c found and the switch that ports.c
 * sees, and hands the resulting operations to ports.c.
 *
 * Invariants:
 *
 * 1. It is pure: same input, same operations, no state between calls.  That is
 *    why a restart of anything needs no code of its own: the first difference
 *    computed after it repairs what changed meanwhile.
 *
 * 2. No operation names a port that is not owned.
 *
 * 3. Applying the operations and calling again gives none: it settles.  A port
 *    that must move (another bridge, another device) is removed by the first
 *    call and added by a later one, because OVS ignores a change of a device's
 *    arguments while the device exists.
 *
 * 4. A port is added only where its bridge exists and has the userspace
 *    datapath, and only while no other port's interface has its name: the
 *    database would refuse it, and all that was to be done with it. */

#include "reconcile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Keys of OVS's integration guide and of ovs-vswitchd.conf.db(5), and the name
 * that Xen's script vif-openvswitch gives; then our own. */
const char *const port_id_keys[PORT_N_IDS] = {
    [PORT_ID_ATTACHED_MAC] = "attached-mac",
    [PORT_ID_IFACE_ID] = "iface-id",
    [PORT_ID_IFACE_STATUS] = "iface-status",
    [PORT_ID_VM_ID] = "vm-id",
    [PORT_ID_XS_VM_UUID] = "xs-vm-uuid",
    [PORT_ID_XS_VIF_UUID] = "xs-vif-uuid",
    [PORT_ID_XEN_VM_NAME] = "xen-vm-name",
    [PORT_ID_ACCESS] = "gantry-access",
};

/* Makes in 'port' the port that 'vif' should have. */
void
port_from_vif(const struct vif *vif, const struct port_template *template,
              struct port *port)
{
    char (*ids)[VIF_NAME_MAX + 1] = port->ids;

    memset(port, 0, sizeof *port);
    snprintf(port->name, sizeof port->name, "vif%u.%u",
             (unsigned) vif->domid, (unsigned) vif->devid);
    port->place = vif->place;
    if (!port->place.bridge[0]) {
        snprintf(port->place.bridge, sizeof port->place.bridge, "%s",
                 template->bridge);
    }
    snprintf(port->type, sizeof port->type, "%s", template->type);
    if (template->devargs[0]) {
        snprintf(port->devargs, sizeof port->devargs, "%s%u_%u%s%s",
                 template->devargs,
                 (unsigned) vif->domid, (unsigned) vif->devid,
                 template->args[0] ? "," : "", template->args);
    }

    port->mtu = vif->mtu;
    port->rate = vif->rate;

    strcpy(ids[PORT_ID_ATTACHED_MAC], vif->mac);
    if (vif->uuid[0]) {
        strcpy(ids[PORT_ID_IFACE_ID], vif->uuid);
    } else if (vif->vm_uuid[0]) {
        snprintf(ids[PORT_ID_IFACE_ID], sizeof ids[PORT_ID_IFACE_ID],
                 "%s-%u", vif->vm_uuid, (unsigned) vif->devid);
    }
    strcpy(ids[PORT_ID_IFACE_STATUS], "active");
    strcpy(ids[PORT_ID_VM_ID], vif->vm_uuid);
    strcpy(ids[PORT_ID_XS_VM_UUID], vif->vm_uuid);
    strcpy(ids[PORT_ID_XS_VIF_UUID], vif->uuid);
    strcpy(ids[PORT_ID_XEN_VM_NAME], vif->vm_name);
    strcpy(ids[PORT_ID_ACCESS], vif->access);
}

/* Orders anything that starts with its name, for qsort() and bsearch():
 * 'struct port' and all that 'struct actual_switch' lists do. */
int
port_compare_names(const void *a, const void *b)
{
    return strcmp(a, b);
}

/* Returns the bridge called 'name', or null. */
const struct actual_bridge *
reconcile_find_bridge(const struct actual_switch *sw, const char *name)
{
    if (!sw->n_bridges) {
        return NULL;
    }
    return bsearch(name, sw->bridges, sw->n_bridges, sizeof *sw->bridges,
                   port_compare_names);
}

/* Returns the port called 'name' on any bridge, or null. */
const struct actual_port *
reconcile_find_port(const struct actual_switch *sw, const char *name)
{
    if (!sw->n_ports) {
        return NULL;
    }
    return bsearch(name, sw->ports, sw->n_ports, sizeof *sw->ports,
                   port_compare_names);
}

/* Returns the interface called 'name' of a port that is called otherwise, or
 * null. */
const struct actual_interface *
reconcile_find_interface(const struct actual_switch *sw, const char *name)
{
    if (!sw->n_interfaces) {
        return NULL;
    }
    return bsearch(name, sw->interfaces, sw->n_interfaces,
                   sizeof *sw->interfaces, port_compare_names);
}

/* Returns what the database says against the port called 'name', or null. */
const struct refused_port *
reconcile_find_refused(const struct actual_switch *sw, const char *name)
{
    if (!sw->n_refused) {
        return NULL;
    }
    return bsearch(name, sw->refused, sw->n_refused, sizeof *sw->refused,
                   port_compare_names);
}

/* Returns the name of the port that 'op' is about. */
const char *
reconcile_name(const struct reconcile_op *op)
{
    return op->wanted ? op->wanted->name : op->actual->port.name;
}

/* Returns true if 'a' and 'b' are the same device on the same bridge. */
static bool
is_same_device(const struct port *a, const struct port *b)
{
    return !strcmp(a->place.bridge, b->place.bridge)
        && !strcmp(a->type, b->type)
        && !strcmp(a->devargs, b->devargs)
        /* Domain IDs are used again, after a reboot of the host at the
         * latest: another VM is another device. */
        && !strcmp(a->ids[PORT_ID_VM_ID], b->ids[PORT_ID_VM_ID]);
}

/* Returns true if 'b' has what 'a' wants of all that can change in place. */
static bool
is_same_setting(const struct port *a, const struct port *b)
{
    int i;

    if (!vif_is_same_vlan(&a->place, &b->place)) {
        return false;
    }
    if (a->rate.kbps != b->rate.kbps || a->rate.burst_kb != b->rate.burst_kb
        || (a->mtu && a->mtu != b->mtu)) {
        return false;
    }
    for (i = 0; i < PORT_N_IDS; i++) {
        if (strcmp(a->ids[i], b->ids[i]) != 0) {
            return false;
        }
    }
    return true;
}

static bool
can_add(const struct port *wanted, const struct actual_switch *sw)
{
    const struct actual_bridge *br;

    br = reconcile_find_bridge(sw, wanted->place.bridge);
    return br && br->netdev
        && !reconcile_find_port(sw, wanted->name)
        && !reconcile_find_interface(sw, wanted->name);
}

/* Stores in 'ops' what turns 'sw' into a switch that has exactly the
 * 'n_wanted' ports of 'wanted' as its owned ports, and returns the number of
 * operations: removals first.  'wanted' must be in the order of names and
 * 'ops' must have room for 'n_wanted' + 'sw->n_ports' elements.  The elements
 * point into 'wanted' and 'sw'. */
size_t
reconcile(const struct port *wanted, size_t n_wanted,
          const struct actual_switch *sw, struct reconcile_op *ops)
{
    size_t i, n = 0;

    for (i = 0; i < sw->n_ports; i++) {
        const struct actual_port *actual = &sw->ports[i];
        const struct port *want;

        want = n_wanted ? bsearch(actual->port.name, wanted, n_wanted,
                                  sizeof *wanted, port_compare_names) : NULL;
        if (!actual->owned) {
            continue;
        }
        if (!want || !is_same_device(want, &actual->port)) {
            ops[n++] = (struct reconcile_op){ RECONCILE_REMOVE, NULL, actual };
        } else if (!is_same_setting(want, &actual->port)) {
            ops[n++] = (struct reconcile_op){ RECONCILE_UPDATE, want, actual };
        }
    }
    for (i = 0; i < n_wanted; i++) {
        if (can_add(&wanted[i], sw)) {
            ops[n++] = (struct reconcile_op) {
                RECONCILE_ADD, &wanted[i], NULL };
        }
    }
    return n;
}
