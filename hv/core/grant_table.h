/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What grant.c, grant_map.c, grant_copy.c and grant_op.c share: a domain's
 * table with its active entries, and a mapper's handles.
 *
 * Member tags: [I] immutable  [g] table lock  [l] the entry's lock
 *   [m] map lock  [a] atomic
 */
#ifndef CORE_GRANT_TABLE_H
#define CORE_GRANT_TABLE_H

#include "core/domain.h"
#include "core/frame.h"
#include "core/grant.h"
#include "lib/spinlock.h"

#define GRANT_REFS_PER_FRAME (PAGE_SIZE / sizeof(grant_entry_v1_t))
#define GRANT_HANDLES_PER_FRAME 256u
#define GRANT_FRAMES_DEFAULT 64u
#define GRANT_FRAMES_LIMIT 4096u
#define MAPTRACK_FRAMES_DEFAULT 1024u
#define MAPTRACK_FRAMES_LIMIT 16384u
#define GRANT_HANDLE_NONE UINT32_MAX

/* Our side of one entry: while pins > 0, what it pins cannot change. */
struct active {
    spinlock_t lock;            /* LOCK_RANK_GRANT */
    domid_t user;               /* [l] who pinned it */
    uint8_t flags_set;          /* [l] GTF bits that we set, so we clear */
    uint32_t readers;           /* [l] pins that read */
    uint32_t writers;           /* [l] pins that also write */
    struct frame *frame;        /* [l] referenced while pinned */
};

_Static_assert(sizeof(struct active) == 32, "512 of them fill four pages");

/* One mapping, by its handle. */
struct grant_mapping {
    struct domain *owner;       /* [m] referenced; NULL: free */
    uint64_t gfn;               /* [m] where the mapper sees it */
    uint32_t ref;               /* [m]; of a free one: the next free */
    bool is_writable;           /* [m] */
    bool is_unmapping;          /* [m] somebody is at it */
    uint8_t parts;              /* [m] GNTMAP_host_map, GNTMAP_device_map */
};

struct grant_table {
    spinlock_t lock;            /* LOCK_RANK_GRANT: growth */
    uint32_t max_frames;        /* [I] */
    uint32_t frame_count;       /* [a] grows under [g] */
    struct frame **frame;       /* [I] array; each set once */
    grant_entry_v1_t **shared;  /* [I] array; each set once */
    struct active **active;     /* [I] array; each set once */

    spinlock_t map_lock;        /* LOCK_RANK_GRANT_MAP */
    uint32_t max_track;         /* [I] frames of handles */
    uint32_t track_count;       /* [m] */
    uint32_t free_handle;       /* [m] head of the free list */
    uint32_t unmap_next;        /* [m] progress of relinquish */
    struct grant_mapping **track; /* [I] array; each set once */
};

/* A hold on a granted frame. */
struct grant_pin {
    struct domain *owner;       /* borrowed: the caller has a reference */
    struct frame *frame;        /* valid until unpinned */
    uint32_t ref;
    bool is_writable;
};

/*
 * Pins entry 'ref' of 'owner' for 'user': marks it in use by the ABI's flags,
 * and holds its frame.  GNTST_okay or an error.  No lock is held.
 */
int16_t grant_pin(struct domain *owner, uint32_t ref, domid_t user,
                  bool write, struct grant_pin *out);
void grant_unpin(const struct grant_pin *pin);
/* Exchanges two entries of 'd' that nobody pins: GNTST_*. */
int16_t grant_swap(struct domain *d, uint32_t a, uint32_t b);
/* At least 'count' frames: 0, -EINVAL, -ENOMEM. */
int grant_grow(struct domain *d, uint32_t count);

/* The status goes into the element. */
void grant_map(struct domain *cur, struct gnttab_map_grant_ref *op);
/* At most GRANT_UNMAPS_MAX, with one flush. */
#define GRANT_UNMAPS_MAX 48u
void grant_unmap(struct domain *cur, struct gnttab_unmap_grant_ref *op,
                 unsigned int count);
/* Drops what a dying mapper holds: 0 or -ERESTART. */
int grant_map_relinquish(struct domain *d);

/* The sides of a batch of copies; zeroed before, ended after. */
struct grant_copy_side {
    struct domain *d;           /* referenced: the last that granted */
    struct frame *frame;        /* valid while is_held */
    uint64_t name;              /* reference or frame number */
    domid_t domid;              /* of d */
    bool is_held, is_ref;
    struct grant_pin pin;       /* if is_ref */
};

struct grant_copy_batch {
    struct grant_copy_side source, dest;
};

void grant_copy(struct domain *cur, struct grant_copy_batch *batch,
                struct gnttab_copy *op);
void grant_copy_end(struct grant_copy_batch *batch);

#endif
