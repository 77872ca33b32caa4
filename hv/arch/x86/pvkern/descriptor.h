/* SPDX-License-Identifier: GPL-2.0-only */
/* Pure: which descriptors a guest may have.  Tested on the host. */
#ifndef PVKERN_DESCRIPTOR_H
#define PVKERN_DESCRIPTOR_H

#include <stdbool.h>
#include <stdint.h>

/*
 * Makes '*descriptor' one that CPL 3 may name without gaining anything: code
 * and data get DPL 3, call gates DPL 0.  False: it cannot be made so.  As Xen
 * 4.17 decides.
 */
bool descriptor_fix(uint64_t *descriptor);

/* A code or data segment, as compatibility mode takes it (APM vol. 2, 4.8). */
struct descriptor_view {
    uint32_t base, limit;       /* the limit in bytes, all of its kinds */
    bool is_present;
    bool is_system;             /* neither code nor data */
    bool is_code;
    bool is_open;               /* data that is writable, readable code */
    bool is_long;               /* 64-bit code: without base and limit */
    bool is_32;                 /* default size of code, else 16 */
};

void descriptor_read(uint64_t descriptor, struct descriptor_view *out);

#endif
