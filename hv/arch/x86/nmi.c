/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * NMIs: nobody here asks for one, so that they are only told. Talks to
 * trap.c, loop.c, core/console.
 * 1. One that is not told at once is told with the next, after a second.
 */
#include "nmi.h"

#include "core/arch.h"
#include "core/console.h"
#include "lib/atomic.h"
#include "lib/minmax.h"

#define SECOND 1000000000ull

void nmi_note(struct nmi_record *r)
{
    WRITE_ONCE(r->count, r->count + 1);
}

void nmi_report(struct nmi_record *r, unsigned int cpu)
{
    uint32_t count = READ_ONCE(r->count);
    uint64_t now;

    if (count == r->told) {
        return;
    }
    now = arch_time_now();
    if (r->told_at != 0 && now - r->told_at < SECOND) {
        return;
    }
    console_log(LOG_WARNING, "CPU %u: %u NMIs ignored", cpu, count - r->told);
    r->told = count;
    r->told_at = max(now, (uint64_t)1);
}
