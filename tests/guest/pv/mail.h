/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The page, its store's, by which a host tells a PV test kernel (pv_told)
 * what to do: the host writes all but 'done' and 'answer', 'ask' last.
 */
#ifndef GUEST_PV_MAIL_H
#define GUEST_PV_MAIL_H

#include <stdint.h>

#define MAIL_VCPUS 4u
#define MAIL_DATA 64u

enum mail_ask {
    MAIL_CALL = 1,              /* hypercall 'nr' with 'arg' */
    MAIL_SPIN,                  /* start vcpu arg[0], which counts */
    MAIL_WORK,                  /* the same; it makes hypercalls meanwhile */
    MAIL_BLOCK,                 /* the same; it blocks at once, and counts */
    MAIL_GROW,                  /* use frames arg[0] and the next, at slot
                                   arg[1] of a level 2 table */
    MAIL_END,
};

struct mail {
    uint32_t ask;               /* in the low byte; the others: which it is */
    uint32_t done;              /* the last one that was */
    uint64_t nr, arg[5];
    int64_t answer;
    uint32_t wants_handle;      /* vcpu 3 looks whether that is whole, too */
    uint64_t here;              /* where the guest has this page */
    uint64_t counter[MAIL_VCPUS];
    uint64_t wrong[MAIL_VCPUS]; /* what a vcpu found that cannot be */
    uint64_t stack[MAIL_VCPUS]; /* the end of the stack of each */
    uint64_t traps;             /* the end of the one for traps of vcpu 3 */
    uint64_t image, image_end, user, user_rsp;
    uint64_t table;             /* the machine frame of a new table */
    uint64_t data[MAIL_DATA];   /* for what an argument points to */
};

#endif
