/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A XenStore of one test, behind libxenstore's own functions: a flat table
 * of nodes, watches that are only counted, one domain that is there or not.
 */
#ifndef TESTS_FAKE_XENSTORE_H
#define TESTS_FAKE_XENSTORE_H

#include <stdbool.h>
#include <stddef.h>

#include <xenstore.h>

/* Forget everything; domid 1 is introduced, xenstored answers. */
void fake_store_reset(void);

/* What libxenstore's functions are called with; never looked into. */
struct xs_handle *fake_store_handle(void);

void fake_store_set(const char *path, const char *value);
void fake_store_set_bytes(const char *path, const void *data, size_t size);

/* The value, or "" if the node is not there. */
const char *fake_store_get(const char *path);

/* Remove the node and all below it. */
void fake_store_remove(const char *path);

void fake_store_set_domain(bool introduced);
void fake_store_set_privileged(bool privileged);    /* or a driver domain */
void fake_store_set_broken(bool broken);    /* every call fails: EBADF */
void fake_store_break_after(unsigned int calls);    /* that are answered */
unsigned int fake_store_watches(void);
unsigned int fake_store_writes(void);

#endif
