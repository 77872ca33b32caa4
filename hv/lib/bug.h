/* SPDX-License-Identifier: GPL-2.0-only */
/* What must not happen: BUG_ON() is always compiled in, assert() is not. */
#ifndef LIB_BUG_H
#define LIB_BUG_H

/* Ends the machine (a test: the process) with one line. */
_Noreturn void bug_report(const char *file, int line, const char *what);

#define BUG() bug_report(__FILE__, __LINE__, "BUG")
#define BUG_ON(condition)                                               \
    do {                                                                \
        if (__builtin_expect(!!(condition), 0)) {                       \
            bug_report(__FILE__, __LINE__, #condition);                 \
        }                                                               \
    } while (0)

#ifndef assert
#ifdef HV_DEBUG
#define assert(condition) BUG_ON(!(condition))
#else
#define assert(condition) ((void)sizeof(condition))
#endif
#endif

#endif
