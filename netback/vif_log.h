/* SPDX-License-Identifier: GPL-2.0-only */
/* One line in DPDK's log, with the vif's name. */
#ifndef NETBACK_VIF_LOG_H
#define NETBACK_VIF_LOG_H

#include <rte_log.h>

extern int vif_logtype;

#define VIF_LOG(level, name, ...) \
    rte_log(RTE_LOG_ ## level, vif_logtype, \
            "net_xenvif: " RTE_FMT("%s: " RTE_FMT_HEAD(__VA_ARGS__,) "\n", \
                                   (name), RTE_FMT_TAIL(__VA_ARGS__,)))

#endif
