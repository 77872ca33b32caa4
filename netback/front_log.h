/* SPDX-License-Identifier: GPL-2.0-only */
/* One line in DPDK's log, with the front's name. */
#ifndef NETBACK_FRONT_LOG_H
#define NETBACK_FRONT_LOG_H

#include <rte_log.h>

extern int front_logtype;

#define FRONT_LOG(level, name, ...) \
    rte_log(RTE_LOG_ ## level, front_logtype, \
            "net_xenfront: " RTE_FMT("%s: " RTE_FMT_HEAD(__VA_ARGS__,) "\n", \
                                     (name), RTE_FMT_TAIL(__VA_ARGS__,)))

#endif
