/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * GNTTABOP_copy as a backend uses it, by the real core on the fake machine:
 * bursts of small packets, each from its own granted page to its own page of
 * the caller.  For counting instructions: tools/bench/grant-copy runs it.
 *
 * usage: grant_copy_bench BURSTS BYTES
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/grant_table.h"
#include "core_env.h"
#include "fake/machine.h"

#define BURST 32u

static struct gnttab_copy ops[BURST];

static void prepare(struct domain *guest, uint16_t bytes)
{
    mfn_t table;

    if (grant_shared_frame(guest, 0, &table) != 0) {
        abort();
    }
    for (uint32_t i = 0; i < BURST; i++) {
        guest->grant->shared[0][8 + i] = (grant_entry_v1_t){
            .flags = GTF_permit_access, .domid = 0, .frame = i };
        ops[i].source.u.ref = 8 + i;
        ops[i].source.domid = guest->id;
        ops[i].source.offset = 64;
        ops[i].dest.u.gmfn = i;
        ops[i].dest.domid = DOMID_SELF;
        ops[i].len = bytes;
        ops[i].flags = GNTCOPY_source_gref;
    }
}

int main(int argc, char **argv)
{
    unsigned long bursts = argc > 1 ? strtoul(argv[1], NULL, 0) : 1000;
    uint16_t bytes = (uint16_t)(argc > 2 ? atoi(argv[2]) : 64);
    struct domain *zero, *guest;

    env_start_small();
    zero = env_domain(0, 1);
    guest = env_domain(1, 1);
    prepare(guest, bytes);
    env_run(zero->vcpu[0]);
    for (unsigned long n = 0; n < bursts; n++) {
        if (env_grant(GNTTABOP_copy, ops, BURST) != 0
            || ops[0].status != GNTST_okay) {
            abort();
        }
    }
    printf("%lu\n", bursts * BURST);
    return 0;
}
