/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What fuzz targets share: libFuzzer's entry, a reader of the input that
 * yields zeros when it is used up, and a check that aborts.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_input {
    const uint8_t *data;
    size_t size;
};

static inline uint8_t fuzz_byte(struct fuzz_input *in)
{
    if (in->size == 0) {
        return 0;
    }
    in->size--;
    return *in->data++;
}

static inline uint16_t fuzz_word(struct fuzz_input *in)
{
    unsigned int high = fuzz_byte(in);

    return (uint16_t)(high << 8 | fuzz_byte(in));
}

static inline void fuzz_bytes(struct fuzz_input *in, void *to, size_t size)
{
    size_t part = size < in->size ? size : in->size;

    memset(to, 0, size);
    memcpy(to, in->data, part);
    in->data += part;
    in->size -= part;
}

static inline void fuzz_require(bool holds, const char *what)
{
    if (!holds) {
        fprintf(stderr, "broken: %s\n", what);
        abort();
    }
}

#endif
