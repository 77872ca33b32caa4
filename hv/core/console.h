/* SPDX-License-Identifier: GPL-2.0-only */
/* The hypervisor's console: log levels, a ring for xl dmesg, the UART. */
#ifndef CORE_CONSOLE_H
#define CORE_CONSOLE_H

#include <stdarg.h>

#include "core/types.h"

enum log_level { LOG_ERROR, LOG_WARNING, LOG_INFO, LOG_DEBUG };

/* Hypervisor messages; each line is prefixed "(gantry) ". */
void console_log(enum log_level level, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* About a guest, rate-limited; shown by guest_loglvl=. */
void console_guest_log(enum log_level level, const struct domain *d,
                       const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* Raw text of a guest (console_io of dom0). */
void console_write(const char *text, size_t size);
/* Input bytes from the UART for dom0: returns the count. */
size_t console_read(char *buf, size_t size);
void console_input(char c);
/* Copies from the ring for sysctl readconsole; 'clear' empties it. */
size_t console_ring_read(char *buf, size_t size, uint32_t *index, bool clear);
/*
 * The machine is about to end: from here on messages come out without a lock,
 * whoever has it.
 */
void console_break_lock(void);
void console_set_levels(enum log_level hv, enum log_level guest);
/* Level from a word of loglvl=: none, error, warning, info, debug, all. */
bool console_level_of(const char *word, enum log_level *out);

/* The machine's UART; the fake's buffer. */
void arch_console_write(const char *text, size_t size);

void panic(const char *fmt, ...)
    __attribute__((noreturn, format(printf, 1, 2)));

#endif
