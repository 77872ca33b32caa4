/* SPDX-License-Identifier: GPL-2.0-only */
/* For cppcheck alone: what macros of libraries amount to. */
#include <sys/queue.h>
#define LIST_HEAD(n, t) struct n { struct t *lh_first; }
#define TAILQ_HEAD(n, t) struct n { struct t *tqh_first; }
#define RTE_FMT(...) "%s"
#define RTE_LOG_REGISTER_DEFAULT(type, level) int type
#define HMAP_FOR_EACH(w, node, map) while ((w = next(map)) != NULL)
#define HMAP_FOR_EACH_SAFE(w, node, map) while ((w = next(map)) != NULL)
#define HMAP_FOR_EACH_WITH_HASH(w, node, hash, map) \
    while ((w = next(map)) != NULL)
