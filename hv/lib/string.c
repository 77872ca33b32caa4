/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory and string functions of the image; the compiler calls the first
 * four by itself. A host build has libc's and leaves this file out.
 * Words are moved where they can be: emulators run strings by the element.
 */
#include <stdint.h>

#include "lib/string.h"

void *memcpy(void *to, const void *from, size_t size)
{
    void *end = to;
    size_t words = size / 8;

    size %= 8;
    __asm__ volatile("rep movsq; mov %3, %%rcx; rep movsb"
                     : "+D" (end), "+S" (from), "+&c" (words)
                     : "r" (size) : "memory");
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    char *d = to;
    const char *s = from;

    if (size == 0 || (uintptr_t)d - (uintptr_t)s >= size) {
        return memcpy(to, from, size);
    }
    d += size - 1;
    s += size - 1;
    __asm__ volatile("std; rep movsb; cld" : "+D" (d), "+S" (s), "+c" (size)
                     :: "memory");
    return to;
}

void *memset(void *to, int byte, size_t size)
{
    void *end = to;
    size_t words = size / 8;

    size %= 8;
    __asm__ volatile("rep stosq; mov %3, %%rcx; rep stosb"
                     : "+D" (end), "+&c" (words)
                     : "a" ((uint8_t)byte * 0x0101010101010101ul), "r" (size)
                     : "memory");
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const unsigned char *p = a;
    const unsigned char *q = b;

    for (size_t i = 0; i < size; i++) {
        if (p[i] != q[i]) {
            return p[i] - q[i];
        }
    }
    return 0;
}

void *memchr(const void *in, int byte, size_t size)
{
    const unsigned char *p = in;

    for (size_t i = 0; i < size; i++) {
        if (p[i] == (unsigned char)byte) {
            return (void *)(uintptr_t)&p[i];
        }
    }
    return NULL;
}

size_t strlen(const char *s)
{
    size_t n = 0;

    while (s[n] != '\0') {
        n++;
    }
    return n;
}

size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;

    while (n < max && s[n] != '\0') {
        n++;
    }
    return n;
}

int strcmp(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t max)
{
    for (size_t i = 0; i < max; i++) {
        if (a[i] != b[i] || a[i] == '\0') {
            return (unsigned char)a[i] - (unsigned char)b[i];
        }
    }
    return 0;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c) {
            return (char *)(uintptr_t)s;
        }
        if (*s == '\0') {
            return NULL;
        }
    }
}

char *strrchr(const char *s, int c)
{
    const char *last = NULL;

    for (;; s++) {
        if (*s == (char)c) {
            last = s;
        }
        if (*s == '\0') {
            return (char *)(uintptr_t)last;
        }
    }
}

char *strstr(const char *in, const char *what)
{
    size_t length = strlen(what);

    for (; *in != '\0'; in++) {
        if (strncmp(in, what, length) == 0) {
            return (char *)(uintptr_t)in;
        }
    }
    return length == 0 ? (char *)(uintptr_t)in : NULL;
}
