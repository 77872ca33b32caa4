/* SPDX-License-Identifier: GPL-2.0-only */
/* See log.h.  What DPDK does not show by default is not counted. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <rte_log.h>

#include "tests/fake/log.h"

unsigned int fake_log_lines;

static char last[512];

int rte_log(uint32_t level, uint32_t type, const char *format, ...)
{
    va_list args;

    (void)type;
    if (level > RTE_LOG_NOTICE) {
        return 0;
    }
    va_start(args, format);
    vsnprintf(last, sizeof(last), format, args);
    va_end(args);
    fake_log_lines++;
    return 0;
}

int rte_log_register_type_and_pick_level(const char *name, uint32_t level)
{
    (void)name;
    (void)level;
    return 1;
}

bool fake_log_says(const char *text)
{
    return strstr(last, text) != NULL;
}

const char *fake_log_last(void)
{
    return last;
}
