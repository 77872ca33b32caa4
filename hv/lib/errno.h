/* SPDX-License-Identifier: GPL-2.0-only */
/* Error numbers under their usual names, with the values of the ABI. */
#ifndef LIB_ERRNO_H
#define LIB_ERRNO_H

#if __STDC_HOSTED__
#include <errno.h>
#else
#define XEN_ERRNO(name, value) name = (value),
enum error_number {
#include <xen/errno.h>
    ERESTART = 85,              /* run the hypercall again; never returned */
};
#endif

#endif
