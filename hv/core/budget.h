/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How long one operation may hold its CPU before others get their turn.  An
 * operation on a list or on much memory starts a budget and, after each
 * bounded piece of work, ends early (-ERESTART) when it is spent.  So each go
 * does at least one piece.  A multicall and the operation in it may spend
 * both theirs, and a piece more: still less than 100 us.
 *
 * Limits by count stay beside it: a clock that stands still must not make a
 * loop endless.
 */
#ifndef CORE_BUDGET_H
#define CORE_BUDGET_H

#include "core/arch.h"

#define BUDGET_NS 40000u

struct budget {
    uint64_t end;
};

static inline struct budget budget_start(void)
{
    return (struct budget){ arch_time_now() + BUDGET_NS };
}

static inline bool budget_is_spent(const struct budget *b)
{
    return arch_time_now() >= b->end;
}

#endif
