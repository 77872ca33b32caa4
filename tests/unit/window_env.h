/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A machine with windows, for check_window.c and check_window_events.c: dom0
 * and 'second' map chunk 0 of 'd'; 'other' is one more guest.  Each runs
 * real hypercalls.
 */
#ifndef TESTS_UNIT_WINDOW_ENV_H
#define TESTS_UNIT_WINDOW_ENV_H

#include <errno.h>
#include <string.h>

#include "core/frame.h"
#include "core/grant_table.h"
#include "core/p2m.h"
#include "core/page_alloc.h"
#include "core/window.h"
#include "core_env.h"
#include "fake/machine.h"
#include "public/window.h"
#include "unit.h"

#define FRAMES GANTRY_WINDOW_FRAMES
#define BASE 0x10000ul              /* where a mapper sees windows */
#define OTHER_BASE 0x20000ul        /* and a second one */
#define HOLE 300u                   /* a gfn without RAM in chunk 0 */
#define TARGET 1
#define SECOND 3

extern struct domain *zero, *d, *other, *second;
extern xen_pfn_t list[FRAMES];

/* The TLBs hold 'count' frames of each place. */
void window_start(uint64_t count);

/* ---- what the parties do ---- */

long mem(unsigned int op, void *arg);
/* An acquire_resource of the chunk at 'first', with 'list' set. */
struct xen_mem_acquire_resource chunk_at(domid_t id, uint64_t first,
                                         uint64_t base);
long map_at(struct domain *mapper, domid_t id, uint64_t first, uint64_t base);
/* Chunk 0 of 'd'. */
long map(struct domain *mapper, uint64_t base);
/* XENMEM_remove_from_physmap of one frame, or of each of a window. */
long unmap_one(struct domain *mapper, uint64_t g);
void unmap(struct domain *mapper, uint64_t base);
/* The guest gives up or asks for memory: as XENMEM_*. */
long reserve(unsigned int op, xen_pfn_t *g, unsigned int count,
             unsigned int order);
long balloon_out(xen_pfn_t g);
long balloon_in(xen_pfn_t g);
/* Until the guest has gone. */
void kill_domain(struct domain *victim);
void revoke(struct domain *of);
int restore(struct domain *of);
void grant_page(struct domain *from, uint32_t ref, uint64_t g, domid_t to);
struct gnttab_map_grant_ref map_grant(struct domain *mapper, domid_t from,
                                      uint64_t at);

/* ---- what is to be seen ---- */

mfn_t entry(struct domain *of, uint64_t g, enum p2m_type *type);
/* The frame that an entry of a window shows. */
uint64_t shown(struct domain *mapper, uint64_t g);
/* The frame of d's writable RAM at 'g', or INVALID_FRAME. */
uint64_t ram(uint64_t g);
/* All of a window on chunk 0 of 'd' is as the rule says. */
void ck_window(struct domain *mapper, uint64_t base);
void ck_all_scratch(struct domain *mapper, uint64_t base);

#endif
