/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GANTRY_SUSPECTS_H
#define GANTRY_SUSPECTS_H 1

/* Ports that may be why the database refused a transaction: see
 * suspects.c. */

#include "reconcile.h"

#define SUSPECTS_RETRY_MS 5000  /* Between two trials of a refused port. */

struct suspect {
    struct refused_port port;   /* First, for port_compare_names().  No error:
                                 * refused only together with others. */
    long long int retry_at;     /* Not to be tried before. */
    bool seen;                  /* There still is something to do about it. */
};

struct suspects {
    struct suspect *list;       /* By name, ascending. */
    size_t n;
    char (*trial)[PORT_NAME_MAX + 1]; /* What was chosen last. */
    size_t n_trial;
};

void suspects_destroy(struct suspects *);
size_t suspects_choose(struct suspects *, struct reconcile_op *, size_t n,
                       long long int now);
void suspects_made(struct suspects *);
void suspects_refused(struct suspects *, const char *error,
                      long long int now);
long long int suspects_wake(const struct suspects *, long long int now);
size_t suspects_get(const struct suspects *, struct refused_port *);

#endif /* suspects.h */
