/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest's random hypercalls: what the PV and the PVH kernel that make them
 * tell the generator about themselves.  It includes neither's library.
 */
#ifndef GUEST_FUZZ_FUZZ_H
#define GUEST_FUZZ_FUZZ_H

#include <stdbool.h>

#include "core/xen_abi.h"

#define FUZZ_PAGE 4096ul
#define FUZZ_SCRATCH 4u         /* pages; behind them nothing is mapped */
#define FUZZ_SPARE 32u          /* pages that the kernel never touches */

struct fuzz {
    long (*call)(uint64_t nr, const uint64_t a[6]);
    uint64_t *scratch;          /* where structures are made */
    uint64_t spare, spare_frame;    /* address and frame of the first */
    uint64_t image, image_size; /* all of the kernel; a wild one's target */
    uint64_t absent;            /* an address behind which there is nothing */
    uint64_t seed;
    bool is_pv;
    bool is_wild;               /* may end or ruin itself */
};

/*
 * Makes 'steps' random calls.  A tame kernel is as it was afterwards, but for
 * its scratch and spare pages; a wild one may not come back.
 */
void fuzz_run(struct fuzz *f, unsigned int steps);

/* The number behind "name=" in a command line, or 'otherwise'. */
uint64_t fuzz_option(const char *line, const char *name, uint64_t otherwise);

#endif
