/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guest memory through a live window (hv/public/window.h): no hypercall and
 * no system call for a packet.  direct.c is the access, direct_map.c gets
 * the windows.
 */
#ifndef NETBACK_DIRECT_H
#define NETBACK_DIRECT_H

#include <stdint.h>

#include "access.h"
#include "hv/public/window.h"
#include "journal.h"
#include "window.h"

/* What direct.c needs of a guest's window. */
struct direct_view {
    struct window window;
    const struct gantry_window_status *status;  /* the hypervisor's page */
};

/*
 * An access through view.  copy, which goes by the hypervisor, is taken over
 * and serves what the window does not; it is destroyed on failure too.  The
 * rest is borrowed; records, JOURNAL_COPIES of them, are where pins are noted.
 * NULL: no memory.
 */
struct access *direct_create(struct direct_view *view, struct access *copy,
                             uint64_t *records, struct window_counts *counts);

/* A guest's window; all its vifs in this process share one. */
struct direct_window;

/*
 * Who is meant: a number may belong to another domain later, so a text says
 * which one it is.
 */
struct direct_guest {
    domid_t domid;
    domid_t user;               /* our own number, which grants name */
    const char *identity;
};

/*
 * direct_map.c; the control thread.  NULL with errno set, and *why then says
 * for a person why there is no window.
 */
struct direct_window *direct_window_get(const struct direct_guest *guest,
                                        const char **why);

/* No packet thread uses it any more; it goes in the background. */
void direct_window_put(struct direct_window *window);

struct direct_view *direct_window_view(struct direct_window *window);

/* Pages of the guest's windows that are mapped here now; any thread. */
uint64_t direct_window_pages(domid_t domid);

/*
 * Clear the flags that a killed process of user's, our own number, left set in
 * the guest's grant table, as half says.  0 or a negative errno; the control
 * thread.
 */
int direct_undo(domid_t domid, domid_t user, struct journal_half *half);

#endif
