/* SPDX-License-Identifier: GPL-2.0-only */
/* Formatted text: %d %i %u %x %X %o %c %s %p %%, widths, - 0 # + flags,
 * precision, l ll h hh z t j. No floating point, no %n. */
#ifndef LIB_PRINTF_H
#define LIB_PRINTF_H

#include <stdarg.h>
#include <stddef.h>

/*
 * As vsnprintf() of C: writes at most size bytes with the NUL, gives the
 * length that the whole text has. An unknown conversion is copied as it is.
 */
int printf_format(char *to, size_t size, const char *format, va_list args)
    __attribute__((format(printf, 3, 0)));

#if __STDC_HOSTED__
#include <stdio.h>
#else
static inline __attribute__((format(printf, 3, 0)))
int vsnprintf(char *to, size_t size, const char *format, va_list args)
{
    return printf_format(to, size, format, args);
}

static inline __attribute__((format(printf, 3, 4)))
int snprintf(char *to, size_t size, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = printf_format(to, size, format, args);
    va_end(args);
    return length;
}
#endif

#endif
