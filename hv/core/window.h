/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Live windows: another domain's view of a domain's RAM, which follows its
 * p2m.  The ABI is public/window.h; how it is safe stands in window.c.
 */
#ifndef CORE_WINDOW_H
#define CORE_WINDOW_H

#include "core/types.h"
#include "core/xen_abi.h"

struct window;
struct window_map;

/* ---- memory_op ---- */

/*
 * XENMEM_acquire_resource of GANTRY_RESOURCE_WINDOW: maps what 'op' names of
 * 'd' at the caller's frames in its list, or without a list says the size in
 * op->nr_frames.  0 or -E as in public/window.h.  The caller has a reference
 * on 'd', which is not 'cur', and holds no lock.
 */
int window_acquire(struct domain *cur, struct domain *d,
                   struct xen_mem_acquire_resource *op);
/*
 * After p2m_populate(): from now on no mapper's CPU has translations to
 * scratch where 'd' has RAM.  Cheap when nothing changed.
 */
void window_settle(struct domain *d);

/* ---- log-dirty, and a domain's end ---- */

/*
 * All windows on 'd' show scratch, those of the future too, until
 * window_restore(): so that no write to the RAM of 'd' passes by its p2m.
 * Status says so before the first entry changes.  Bounded: 0 when no mapper
 * reaches RAM of 'd' any more, -ERESTART to be called again, -ENOMEM.
 * Revoking twice is revoking once.  The caller lets one control operation on
 * 'd' run at a time, and holds no lock.
 */
int window_revoke(struct domain *d);
/*
 * Windows show RAM again, and then status says so.  0, -ERESTART as above,
 * -EINVAL if 'd' is dying.  What was not revoked stays as it is.
 */
int window_restore(struct domain *d);
/* window_revoke() for ever: a stage of domain_kill(), before the p2m goes. */
int window_kill(struct domain *d);
/*
 * Nothing refers to 'd' any more.  Bounded: 0 or -ERESTART.  Its mappers
 * keep their entries, which show its scratch frame.
 */
int window_destroy(struct domain *d);

/* ---- p2m.c: the target's side, under its p2m lock ---- */

/*
 * Entries [g, g + count) of the domain whose windows 'w' are were written;
 * between begin and end as many ranges as there are.  After an end that
 * flushes, no mapper's CPU has translations that differ from its entries.
 */
void window_begin(struct window *w);
void window_follow(struct window *w, uint64_t g, uint64_t count);
void window_end(struct window *w, bool flush);
/* The highest gfn is 'max' now. */
void window_note_limit(struct window *w, uint64_t max);

/* ---- p2m.c: the mapper's side, under its p2m lock ---- */

/*
 * The mapper's frame 'g', whose level 1 entry is 'slot', shall be entry 'i'
 * of 'm': 0, -EBUSY (it is one already), -ENOMEM.
 */
int window_reserve(struct window_map *m, unsigned int i, uint64_t g,
                   uint64_t *slot);
/* Undoes all that worked, of the frames in 'g'. */
void window_unreserve(struct window_map *m, const uint64_t *g);
/* All are reserved and their entries empty and flushed: writes them. */
void window_attach(struct window_map *m);
/*
 * The P2M_WINDOW entry 'slot' of frame 'g' of 'd' was overwritten and
 * flushed: it is a window's no more.
 */
void window_forget(struct domain *d, uint64_t g, const uint64_t *slot);

#endif
