/* SPDX-License-Identifier: GPL-2.0-only */

/* One bad vif never hurts another: which operations make one transaction.
 *
 * A transaction is made as a whole or not at all, and what the database says
 * of one that it refuses names no port.  So the ports of a refused transaction
 * become suspects, and a suspect is only tried alone.  ports.c asks here what
 * to try next and tells what came of it.
 *
 *     unsuspected --refused with others--> suspect --refused alone--> refused
 *          ^  ^                              |                        |   ^
 *          |  '----------- made -------------'      SUSPECTS_RETRY_MS |   |
 *          '------------------------- made ---------------------------+   |
 *                                                     refused again --'---'
 *
 * Invariants:
 *
 * 1. While there are unsuspected ones nothing else is tried, so a suspect
 *    delays nobody by more than one transaction.
 *
 * 2. A port is forgotten as soon as there is nothing to do about it.
 *
 * 3. Nothing here depends on OVS. */

#include "suspects.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
suspects_destroy(struct suspects *s)
{
    free(s->list);
    free(s->trial);
    memset(s, 0, sizeof *s);
}

/* Returns room for 'n' elements of 'size' in the place of 'p', or ends the
 * program, as OVS's xrealloc() does. */
static void *
resize(void *p, size_t n, size_t size)
{
    p = reallocarray(p, n + 1, size);
    if (!p) {
        abort();
    }
    return p;
}

static struct suspect *
find(const struct suspects *s, const char *name)
{
    if (!s->n) {
        return NULL;
    }
    return bsearch(name, s->list, s->n, sizeof *s->list, port_compare_names);
}

/* Forgets all suspects that none of the 'n' 'ops' is about. */
static void
forget_others(struct suspects *s, const struct reconcile_op *ops, size_t n)
{
    size_t i, left = 0;

    for (i = 0; i < s->n; i++) {
        s->list[i].seen = false;
    }
    for (i = 0; i < n; i++) {
        struct suspect *suspect = find(s, reconcile_name(&ops[i]));

        if (suspect) {
            suspect->seen = true;
        }
    }
    for (i = 0; i < s->n; i++) {
        if (s->list[i].seen) {
            s->list[left++] = s->list[i];
        }
    }
    s->n = left;
}

/* Chooses from the 'n' 'ops', which must be all that there is to do, what is
 * to be tried in one transaction 'now': moves that to the front, in the same
 * order, and returns its number. */
size_t
suspects_choose(struct suspects *s, struct reconcile_op *ops, size_t n,
                long long int now)
{
    size_t i, chosen = 0;

    forget_others(s, ops, n);
    for (i = 0; i < n; i++) {
        if (!find(s, reconcile_name(&ops[i]))) {
            ops[chosen++] = ops[i];
        }
    }
    for (i = 0; i < n && !chosen; i++) {
        if (find(s, reconcile_name(&ops[i]))->retry_at <= now) {
            ops[chosen++] = ops[i];
        }
    }
    s->trial = resize(s->trial, chosen, sizeof *s->trial);
    for (i = 0; i < chosen; i++) {
        strcpy(s->trial[i], reconcile_name(&ops[i]));
    }
    s->n_trial = chosen;
    return chosen;
}

/* What was chosen last has been made. */
void
suspects_made(struct suspects *s)
{
    struct suspect *suspect = s->n_trial == 1 ? find(s, s->trial[0]) : NULL;

    if (suspect) {
        s->n--;
        memmove(suspect, suspect + 1,
                (size_t) (s->list + s->n - suspect) * sizeof *suspect);
    }
    s->n_trial = 0;
}

/* Makes suspects, in the order of names, of what was chosen last and of those
 * that there are. */
static void
suspect_trial(struct suspects *s, long long int now)
{
    size_t i, n = s->n;

    s->list = resize(s->list, n + s->n_trial, sizeof *s->list);
    for (i = 0; i < s->n_trial; i++) {
        if (!find(s, s->trial[i])) {
            memset(&s->list[n], 0, sizeof s->list[n]);
            strcpy(s->list[n].port.name, s->trial[i]);
            s->list[n++].retry_at = now;
        }
    }
    s->n = n;
    qsort(s->list, s->n, sizeof *s->list, port_compare_names);
}

/* What was chosen last has been refused 'now', for 'error'. */
void
suspects_refused(struct suspects *s, const char *error, long long int now)
{
    struct suspect *suspect;
    size_t i;

    suspect_trial(s, now);
    suspect = s->n_trial == 1 ? find(s, s->trial[0]) : NULL;
    if (suspect) {
        suspect->retry_at = now + SUSPECTS_RETRY_MS;
        snprintf(suspect->port.error, sizeof suspect->port.error, "%s",
                 error);
        for (i = 0; suspect->port.error[i]; i++) {
            if ((unsigned char) suspect->port.error[i] < ' ') {
                suspect->port.error[i] = ' ';
            }
        }
    }
    s->n_trial = 0;
}

/* Returns when a suspect that cannot be tried 'now' can be, or LLONG_MAX. */
long long int
suspects_wake(const struct suspects *s, long long int now)
{
    long long int wake = LLONG_MAX;
    size_t i;

    for (i = 0; i < s->n; i++) {
        if (s->list[i].retry_at > now && s->list[i].retry_at < wake) {
            wake = s->list[i].retry_at;
        }
    }
    return wake;
}

/* Stores in 'refused', which must have room for 's->n' elements, those that
 * were refused alone, by name, and returns their number. */
size_t
suspects_get(const struct suspects *s, struct refused_port *refused)
{
    size_t i, n = 0;

    for (i = 0; i < s->n; i++) {
        if (s->list[i].port.error[0]) {
            refused[n++] = s->list[i].port;
        }
    }
    return n;
}
