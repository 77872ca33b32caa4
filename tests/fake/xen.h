/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest of one test behind libxengnttab's and libxenevtchn's own functions:
 * it grants some pages and has some channels.  What is held of it is counted.
 */
#ifndef TESTS_FAKE_XEN_H
#define TESTS_FAKE_XEN_H

#include <stdint.h>

#include <xen/xen.h>
#include <xen/grant_table.h>

#define FAKE_XEN_DOMID 1u
#define FAKE_XEN_PAGE_SIZE 4096u
#define FAKE_XEN_REFS 32u       /* references below can be mapped */
#define FAKE_XEN_CHANNELS 64u   /* channels below can be bound */
#define FAKE_XEN_PORT 100       /* of ours: the one of channel 0 */

extern uint8_t fake_xen_pages[FAKE_XEN_REFS][FAKE_XEN_PAGE_SIZE];

/* Held now. */
extern struct fake_xen_held {
    int handles;                /* of either library */
    int mapped;                 /* pages */
    int bound;                  /* channels */
} fake_xen_held;

extern int fake_xen_bind_error; /* an errno; 0: channels can be bound */

/* Clean pages, and no errors; nothing may be held. */
void fake_xen_reset(void);

/* For another way to map them: as libxengnttab does. */
void *fake_xen_map(grant_ref_t ref);
void fake_xen_unmap(void *page);

#endif
