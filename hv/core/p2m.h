/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * gfn -> mfn of one domain: the nested page table.
 *
 *  1. Tables are freed only with the domain, so lookups take no lock.
 *  2. Each present leaf of a counted type holds one reference on its frame
 *     (ram: the allocation reference; foreign, grant: a frame_get()).
 *  3. An entry that is removed or narrowed is flushed (arch_p2m_flush)
 *     before the reference is dropped.
 */
#ifndef CORE_P2M_H
#define CORE_P2M_H

#include "core/frame.h"
#include "core/types.h"

/* Guest frame numbers are below this: 48 bits of address, 4 levels. */
#define P2M_GFN_LIMIT (1UL << 36)

enum p2m_type {
    P2M_INVALID,                    /* nothing there */
    P2M_RAM_RW,                     /* owned RAM */
    P2M_RAM_RO,
    P2M_SHARED,                     /* shared_info, grant frames: no ref */
    P2M_MMIO,                       /* identity, dom0's devices: no ref */
    P2M_FOREIGN,                    /* another domain's frame, referenced */
    P2M_FOREIGN_RO,
    P2M_GRANT_RW,                   /* a mapped grant, referenced */
    P2M_GRANT_RO,
    P2M_WINDOW,                     /* follows another's RAM: no ref */
    P2M_TYPE_COUNT
};

struct p2m;

int p2m_create(struct domain *d);
/* Bounded teardown: 0 or -ERESTART.  Drops every reference it holds. */
int p2m_relinquish(struct domain *d);
/*
 * Frees a bounded number of tables: 0 when all is gone (and d->p2m NULL) or
 * -ERESTART.  Nobody can look up any more.
 */
int p2m_destroy(struct domain *d);
/* The root table, for the machine. */
mfn_t p2m_root(const struct domain *d);
/*
 * Of the last flush.  A vcpu that does not run may miss any number of them:
 * no domain can do so many that one comes again.
 */
uint64_t p2m_flush_generation(const struct domain *d);

/* The frame and type at 'g'; mfn_invalid() and P2M_INVALID if none. */
mfn_t p2m_lookup(struct domain *d, gfn_t g, enum p2m_type *type);
/* The same with a reference on the frame (any owner); NULL if none or MMIO. */
struct frame *p2m_get_frame(struct domain *d, gfn_t g, enum p2m_type *type);
/* Only RAM that 'd' owns and (if 'write') may write; referenced or NULL. */
struct frame *p2m_get_ram(struct domain *d, gfn_t g, bool write);

/*
 * Sets 2^order entries at 'g'.  What stood there is removed by the same
 * rules as p2m_remove().  The caller holds the references of counted types and
 * gives them to the entry.  0, -ENOMEM (nothing changed), -EINVAL, -EBUSY.
 */
int p2m_set(struct domain *d, gfn_t g, mfn_t m, unsigned int order,
            enum p2m_type type);
/*
 * p2m_set() of P2M_RAM_RW; but windows on 'd' may show scratch there until
 * window_settle(), which the caller owes after one or many.
 */
int p2m_populate(struct domain *d, gfn_t g, mfn_t m, unsigned int order);
/*
 * Removes 2^order entries; flushes; drops the references (for owned RAM the
 * allocation reference).  Missing ones are fine.
 */
int p2m_remove(struct domain *d, gfn_t g, unsigned int order);
/* Removes the entry at 'g' if it maps 'm': 0, -ENOENT, -ENOMEM. */
int p2m_remove_if(struct domain *d, gfn_t g, mfn_t m);
/* A grant mapping only: removes if 'g' maps 'm' with a grant type: 0/-E. */
int p2m_remove_grant(struct domain *d, gfn_t g, mfn_t m);
/*
 * Removes the owned, writable RAM of 'count' extents of 2^order at 'g', with
 * one flush for up to 64 entries.  How many extents were done: the next has a
 * frame that is not such, or there was no memory to split a superpage.
 */
unsigned int p2m_remove_ram(struct domain *d, const uint64_t *g,
                            unsigned int count, unsigned int order);
/* The same as p2m_remove_grant() for many, one flush for all (up to 64). */
struct p2m_grant_entry {
    gfn_t g;
    mfn_t m;
    int error;                      /* result: 0 or -E */
};
void p2m_remove_grants(struct domain *d, struct p2m_grant_entry *list,
                       unsigned int count);
/* Removes the window's entry at 'g': 0, -ENOENT. */
int p2m_remove_window(struct domain *d, gfn_t g);
/* Highest gfn ever mapped: XENMEM_maximum_gpfn. */
uint64_t p2m_max_gfn(const struct domain *d);

/* ---- window.c ---- */

/* No CPU runs 'd' with older translations from now on; any lock is held. */
void p2m_flush(struct domain *d);
/*
 * Makes the frames at 'g', one for each entry of 'm', m's windows: 0,
 * -EINVAL (dying), -EBUSY, -ENOMEM; nothing changed then.
 */
struct window_map;
int p2m_enter_window(struct domain *d, const uint64_t *g,
                     struct window_map *m);
/* d->window was just set: all later updates see it. */
void p2m_watch(struct domain *d);

/*
 * A domain's guest-physical access, for emulation and core: 'size' bytes at
 * 'gpa' of RAM.  0 or -EFAULT.
 */
int p2m_read(struct domain *d, void *dst, uint64_t gpa, size_t size);
/* The 8 bytes at 'gpa', which is a multiple of 8, read at once. */
int p2m_read_word(struct domain *d, uint64_t *word, uint64_t gpa);
int p2m_write(struct domain *d, uint64_t gpa, const void *src, size_t size);

#endif
