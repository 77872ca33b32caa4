/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Formatted text without a heap and without floating point.
 * 1. to[size - 1] is the last byte ever written; out.length counts on.
 */
#include <stdbool.h>
#include <stdint.h>

#include "lib/printf.h"
#include "lib/string.h"

struct out {
    char *to;
    size_t size;
    size_t length;
};

struct spec {
    bool left;
    bool zero;
    bool alternate;
    bool plus;
    bool upper;
    int width;
    int precision;              /* -1: none */
    int longs;                  /* -2 char, -1 short, 0 int, 1.. 64 bits */
};

static void put(struct out *out, char c)
{
    if (out->length + 1 < out->size) {
        out->to[out->length] = c;
    }
    out->length++;
}

static void pad(struct out *out, char c, int count)
{
    while (count-- > 0) {
        put(out, c);
    }
}

static void put_text(struct out *out, const struct spec *spec, const char *s)
{
    size_t length;

    if (s == NULL) {
        s = "(null)";
    }
    length = spec->precision < 0 ? strlen(s)
                                 : strnlen(s, (size_t)spec->precision);
    if (!spec->left) {
        pad(out, ' ', spec->width - (int)length);
    }
    for (size_t i = 0; i < length; i++) {
        put(out, s[i]);
    }
    if (spec->left) {
        pad(out, ' ', spec->width - (int)length);
    }
}

static void put_number(struct out *out, const struct spec *spec,
                       uint64_t value, unsigned int base, const char *prefix)
{
    const char *digits = spec->upper ? "0123456789ABCDEF"
                                     : "0123456789abcdef";
    char text[24];
    int count = 0;
    int zeros;
    int blanks;

    do {
        text[count++] = digits[value % base];
        value /= base;
    } while (value != 0);
    zeros = spec->precision - count;
    if (spec->zero && !spec->left && spec->precision < 0) {
        zeros = spec->width - count - (int)strlen(prefix);
    }
    zeros = zeros < 0 ? 0 : zeros;
    blanks = spec->width - count - zeros - (int)strlen(prefix);
    if (!spec->left) {
        pad(out, ' ', blanks);
    }
    while (*prefix != '\0') {
        put(out, *prefix++);
    }
    pad(out, '0', zeros);
    while (count > 0) {
        put(out, text[--count]);
    }
    if (spec->left) {
        pad(out, ' ', blanks);
    }
}

static const char *parse_number(const char *f, int *number, va_list *args)
{
    *number = 0;
    if (*f == '*') {
        *number = va_arg(*args, int);
        return f + 1;
    }
    while (*f >= '0' && *f <= '9' && *number < 4096) {
        *number = *number * 10 + (*f++ - '0');
    }
    return f;
}

/* Reads flags, width, precision and length; gives the conversion's place. */
static const char *parse_spec(const char *f, struct spec *spec, va_list *args)
{
    *spec = (struct spec){ .precision = -1 };
    for (;; f++) {
        if (*f == '-') {
            spec->left = true;
        } else if (*f == '0') {
            spec->zero = true;
        } else if (*f == '#') {
            spec->alternate = true;
        } else if (*f == '+') {
            spec->plus = true;
        } else if (*f != ' ') {
            break;
        }
    }
    f = parse_number(f, &spec->width, args);
    if (spec->width < 0) {
        spec->left = true;
        spec->width = -spec->width;
    }
    if (*f == '.') {
        f = parse_number(f + 1, &spec->precision, args);
    }
    for (;; f++) {
        if (*f == 'l' || *f == 'z' || *f == 't' || *f == 'j') {
            spec->longs++;
        } else if (*f == 'h') {
            spec->longs--;
        } else {
            return f;
        }
    }
}

static uint64_t take_unsigned(const struct spec *spec, va_list *args)
{
    uint64_t value;

    if (spec->longs > 0) {
        return va_arg(*args, uint64_t);
    }
    value = va_arg(*args, unsigned int);
    return spec->longs == -1 ? (uint16_t)value
         : spec->longs < -1 ? (uint8_t)value : value;
}

static void put_signed(struct out *out, const struct spec *spec,
                       va_list *args)
{
    int64_t value = spec->longs > 0 ? va_arg(*args, int64_t)
                                    : va_arg(*args, int);

    value = spec->longs == -1 ? (int16_t)value
          : spec->longs < -1 ? (int8_t)value : value;
    put_number(out, spec, value < 0 ? -(uint64_t)value : (uint64_t)value, 10,
               value < 0 ? "-" : spec->plus ? "+" : "");
}

static void put_conversion(struct out *out, char conversion,
                           struct spec *spec, va_list *args)
{
    char c[2] = "";

    switch (conversion) {
    case 'd':
    case 'i':
        put_signed(out, spec, args);
        break;
    case 'u':
        put_number(out, spec, take_unsigned(spec, args), 10, "");
        break;
    case 'o':
        put_number(out, spec, take_unsigned(spec, args), 8, "");
        break;
    case 'X':
        spec->upper = true;
        /* fall through */
    case 'x':
        put_number(out, spec, take_unsigned(spec, args), 16,
                   spec->alternate ? "0x" : "");
        break;
    case 'p':
        put_number(out, spec, (uintptr_t)va_arg(*args, void *), 16, "0x");
        break;
    case 's':
        put_text(out, spec, va_arg(*args, const char *));
        break;
    case 'c':
        c[0] = (char)va_arg(*args, int);
        put_text(out, spec, c);
        break;
    default:
        put(out, '%');
        put(out, conversion);
        break;
    }
}

int printf_format(char *to, size_t size, const char *format, va_list args)
{
    struct out out = { .to = to, .size = size };
    struct spec spec;
    va_list list;

    va_copy(list, args);
    while (*format != '\0') {
        if (*format != '%') {
            put(&out, *format++);
            continue;
        }
        format = parse_spec(format + 1, &spec, &list);
        if (*format == '\0') {
            break;
        }
        if (*format == '%') {
            put(&out, '%');
        } else {
            put_conversion(&out, *format, &spec, &list);
        }
        format++;
    }
    va_end(list);
    if (size > 0) {
        to[out.length < size ? out.length : size - 1] = '\0';
    }
    return (int)out.length;
}
