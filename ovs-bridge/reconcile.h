/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GANTRY_RECONCILE_H
#define GANTRY_RECONCILE_H 1

/* What the switch should look like, what it looks like, and the difference.
 * Nothing here depends on OVS: see reconcile.c. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vif.h"

#define PORT_NAME_MAX 23        /* "vif32751.65535" and room for a person's. */
#define PORT_DEVARGS_MAX 63
#define PORT_ARGS_MAX 36        /* Of them, what follows the device. */
#define PORT_TYPE_MAX 23
#define PORT_ERROR_MAX 239
#define PORT_HOLDER_MAX 63      /* Of another's port's name, what we show. */

/* The external_ids of an Interface that we own, by index. */
enum port_id {
    PORT_ID_ATTACHED_MAC,
    PORT_ID_IFACE_ID,
    PORT_ID_IFACE_STATUS,
    PORT_ID_VM_ID,
    PORT_ID_XS_VM_UUID,
    PORT_ID_XS_VIF_UUID,
    PORT_ID_XEN_VM_NAME,
    PORT_ID_ACCESS,
    PORT_N_IDS
};
extern const char *const port_id_keys[PORT_N_IDS];

/* A port with its one interface, wanted or actual. */
struct port {
    char name[PORT_NAME_MAX + 1];
    struct vif_place place;
    char type[PORT_TYPE_MAX + 1];               /* Interface.type. */
    char devargs[PORT_DEVARGS_MAX + 1];         /* options:dpdk-devargs. */
    uint32_t mtu;                               /* 0: whatever it is. */
    struct vif_rate rate;
    char ids[PORT_N_IDS][VIF_NAME_MAX + 1];     /* "" stands for no key. */
};

/* A port that exists in the database. */
struct actual_port {
    struct port port;
    bool owned;                         /* Ours to change and to remove. */
    int64_t ofport;                    /* 0 while ovs-vswitchd has not said. */
    char error[PORT_ERROR_MAX + 1];     /* Interface.error, or "". */
};

/* An interface with a name that a vif's could have, of a port that has another
 * name: no two may have the same. */
struct actual_interface {
    char name[PORT_NAME_MAX + 1];
    char port[PORT_HOLDER_MAX + 1];     /* Cut, as is the next: to be shown. */
    char bridge[VIF_BRIDGE_MAX + 1];
};

/* A port that the database refuses to change. */
struct refused_port {
    char name[PORT_NAME_MAX + 1];
    char error[PORT_ERROR_MAX + 1];
};

struct actual_bridge {
    char name[VIF_BRIDGE_MAX + 1];
    bool netdev;                        /* datapath_type is "netdev". */
};

/* What the database says about the switch. */
struct actual_switch {
    bool connected;                     /* The rest is valid and current. */
    bool dpdk_initialized;
    struct actual_bridge *bridges;      /* By name, ascending. */
    size_t n_bridges;
    struct actual_port *ports;          /* By name, ascending. */
    size_t n_ports;
    struct actual_interface *interfaces; /* By name, ascending. */
    size_t n_interfaces;
    struct refused_port *refused;       /* By name, ascending. */
    size_t n_refused;
};

/* How ports are made from vifs. */
struct port_template {
    const char *type;                   /* Interface.type. */
    const char *devargs;                /* Prefix of dpdk-devargs; "": none. */
    const char *args;                   /* What follows the device, or "". */
    const char *bridge;                 /* For vifs that name none; or "". */
};

enum reconcile_kind {
    RECONCILE_REMOVE,                   /* Remove 'actual'. */
    RECONCILE_UPDATE,                   /* Change 'actual' into 'wanted'. */
    RECONCILE_ADD                       /* Add 'wanted'. */
};

struct reconcile_op {
    enum reconcile_kind kind;
    const struct port *wanted;          /* Null for RECONCILE_REMOVE. */
    const struct actual_port *actual;   /* Null for RECONCILE_ADD. */
};

void port_from_vif(const struct vif *, const struct port_template *,
                   struct port *);
int port_compare_names(const void *, const void *);
const struct actual_bridge *reconcile_find_bridge(const struct actual_switch *,
                                                  const char *name);
const struct actual_port *reconcile_find_port(const struct actual_switch *,
                                              const char *name);
const struct actual_interface *reconcile_find_interface(
    const struct actual_switch *, const char *name);
const struct refused_port *reconcile_find_refused(const struct actual_switch *,
                                                  const char *name);
const char *reconcile_name(const struct reconcile_op *);
size_t reconcile(const struct port *wanted, size_t n_wanted,
                 const struct actual_switch *, struct reconcile_op *);

#endif /* reconcile.h */
