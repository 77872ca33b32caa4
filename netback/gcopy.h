/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest memory by GNTTABOP_copy: works on any Xen, one hypercall a burst.
 */
#ifndef NETBACK_GCOPY_H
#define NETBACK_GCOPY_H

#include <stdbool.h>
#include <stdint.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#include "access.h"

struct gcopy_config {
    domid_t domid;              /* whose grants */
    xengnttab_handle *gnttab;   /* borrowed; maps ring pages */
    xenevtchn_handle *evtchn;   /* borrowed; sends events */
    /*
     * The gfn under a byte of host memory, if that memory cannot move, or
     * 0.  NULL: all copies go through the bounce area.
     */
    uint64_t (*host_gfn)(const void *host);
    /*
     * Copy by gntdev's ioctl: slow, but it takes any host memory and no
     * bounce area.  For what is not packets.
     */
    bool by_ioctl;
};

/* NULL with errno set; *why then says what is missing, for a person. */
struct access *gcopy_create(const struct gcopy_config *config,
                            const char **why);

/* Hypercalls made for copies so far. */
uint64_t gcopy_hypercalls(const struct access *access);

#endif
