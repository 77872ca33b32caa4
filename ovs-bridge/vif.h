/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GANTRY_VIF_H
#define GANTRY_VIF_H 1

/* A guest's network interface as the toolstack describes it in XenStore, and
 * the parsers of what XenStore holds.  Nothing here depends on OVS or on
 * libxenstore: see vif.c. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VIF_BRIDGE_MAX 63       /* Longest bridge name, in bytes. */
#define VIF_TRUNKS_MAX 32       /* Most VLANs in a trunk list. */
#define VIF_UUID_LEN 36
#define VIF_MAC_LEN 17
#define VIF_NAME_MAX 64         /* Longest VM name that we keep, in bytes. */
#define VIF_DOMID_MAX 0x7fef    /* DOMID_FIRST_RESERVED - 1: see xen.h. */
#define VIF_DEVID_MAX 0xffff
#define VIF_MTU_MIN 68
#define VIF_MTU_MAX 65521       /* A packet of 65535 bytes, header included. */

/* Where a vif is to be connected: "BRIDGE[.VLAN][:TRUNK[:TRUNK]...]", the
 * syntax of Xen's script vif-openvswitch. */
struct vif_place {
    char bridge[VIF_BRIDGE_MAX + 1]; /* "" if none was named. */
    int tag;                         /* 0...4095, or -1 if untagged. */
    uint16_t trunks[VIF_TRUNKS_MAX]; /* Ascending, without duplicates. */
    size_t n_trunks;
};

/* How much a guest may send: xl's "rate", as OVS's policing wants it. */
struct vif_rate {
    uint32_t kbps;                   /* 0 if it is not limited. */
    uint32_t burst_kb;               /* Kilobits. */
};

struct vif {
    uint32_t domid;                   /* The guest. */
    uint32_t devid;                   /* The interface's handle. */
    struct vif_place place;
    char mac[VIF_MAC_LEN + 1];        /* Lower case, or "". */
    uint32_t mtu;                     /* Without the header; 0: unset. */
    struct vif_rate rate;
    char uuid[VIF_UUID_LEN + 1];      /* The vif's own UUID, or "". */
    char vm_uuid[VIF_UUID_LEN + 1];   /* The VM's UUID, or "". */
    char vm_name[VIF_NAME_MAX + 1];   /* The VM's name, or "". */
    int state;                        /* xenbus_state of the backend. */
    bool online;                      /* The toolstack wants it. */
    char problem[160];                /* What is wrong with it, or "". */
    char access[VIF_NAME_MAX + 1];    /* How its driver reaches the guest. */
    char driver_error[160];           /* What its driver says, or "". */
};

bool vif_parse_id(const char *, uint32_t max, uint32_t *);
bool vif_parse_path(const char *path, const char *base,
                    uint32_t *domid, uint32_t *devid);
bool vif_parse_place(const char *, struct vif_place *);
bool vif_is_same_place(const struct vif_place *, const struct vif_place *);
bool vif_is_same_vlan(const struct vif_place *, const struct vif_place *);
bool vif_parse_rate(const char *, struct vif_rate *);
bool vif_parse_mac(const char *, char mac[VIF_MAC_LEN + 1]);
bool vif_parse_uuid(const char *, char uuid[VIF_UUID_LEN + 1]);
void vif_copy_name(const char *, char name[VIF_NAME_MAX + 1]);

#endif /* vif.h */
