/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The live window: a backend's view of a guest's RAM that follows the
 * guest's physical memory map.  ABI between the hypervisor and backends; a
 * type of XENMEM_acquire_resource, so that the stock library maps it:
 *
 *   xenforeignmemory_map_resource(fmem, domid, GANTRY_RESOURCE_WINDOW,
 *       GANTRY_WINDOW_CHUNK, chunk * GANTRY_WINDOW_FRAMES,
 *       GANTRY_WINDOW_FRAMES, &addr, PROT_READ | PROT_WRITE, 0);
 *
 * nr_frames 0 without a list asks for the size: gfn_count for the chunks, 1
 * for the status.  Success means that windows are there and allowed; -EPERM
 * that they are not allowed; -EOPNOTSUPP that the hypervisor has none.
 *
 * A chunk is mapped as a whole: frame is a multiple of GANTRY_WINDOW_FRAMES
 * and nr_frames is that number.  Where it is refused the backend copies by
 * GNTTABOP_copy:
 *   -EINVAL  a shape that is none; a chunk at or past gfn_count; a dying
 *            domain
 *   -EBUSY   GANTRY_WINDOW_MAPS_MAX windows show the chunk, or one of the
 *            caller's frames shows a window already
 *   -ENOMEM  no memory; or the caller has as many windows of this domain as
 *            its size allows (memory that is strewn about is not all shown)
 *
 * An entry shows the guest's frame where the guest has RAM of its own that
 * it may write, else the domain's scratch frame: what is written there is
 * lost, what is read has no meaning.  It changes by itself when the guest's
 * memory map does.  Nothing needs to be told or waited for, and a window
 * keeps no memory of a guest that is gone.
 *
 * A burst of copies, in the backend:
 *
 *   generation, revoked: read (acquire); if revoked, go by GNTTABOP_copy
 *   pin entries, copy, unpin
 *   full barrier; generation: read again before the responses are written
 *   changed: the whole burst's copies once more by GNTTABOP_copy
 */
#ifndef GANTRY_PUBLIC_WINDOW_H
#define GANTRY_PUBLIC_WINDOW_H

#include <stdint.h>

#define GANTRY_RESOURCE_WINDOW 0x4757   /* the type, far from Xen's */
#define GANTRY_WINDOW_CHUNK 0           /* id: RAM; frame is the first gfn */
#define GANTRY_WINDOW_STATUS 1          /* id: the status page, read-only */

#define GANTRY_WINDOW_FRAMES 512u       /* gfns of a chunk: 2 MiB */
/* Windows that may show one chunk at a time, of all backends together. */
#define GANTRY_WINDOW_MAPS_MAX 4u

#define GANTRY_WINDOW_VERSION 1

/* The status page; the hypervisor alone writes it. */
struct gantry_window_status {
    uint32_t version;           /* GANTRY_WINDOW_VERSION */
    /* Not 0: every entry shows scratch, or will at once: copy by hypercall. */
    uint32_t revoked;
    uint64_t generation;        /* + 1 after revoked was set or cleared */
    /*
     * Chunks below this may be mapped; a multiple of GANTRY_WINDOW_FRAMES
     * that only grows.  The guest decides how far: size nothing by it.
     */
    uint64_t gfn_count;
};

#endif
