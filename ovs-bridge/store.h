/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef GANTRY_STORE_H
#define GANTRY_STORE_H 1

/* One connection to xenstored, kept up: see store.c. */

#include <stdbool.h>
#include <stdint.h>

void store_init(void);
void store_destroy(void);
bool store_run(void);
void store_wait(void);
bool store_is_connected(void);
const char *store_base(void);
char *store_vif_dir(uint32_t domid, uint32_t devid);

char *store_next_event(void);
char *store_read(const char *dir, const char *key);
char **store_list(const char *dir, const char *sub, unsigned int *n);

bool store_write_verdict(uint32_t domid, uint32_t devid,
                         const char *status, const char *error);
bool store_write_closed(uint32_t domid, uint32_t devid);
char *store_read_error(uint32_t domid, uint32_t devid);
void store_remove_error(uint32_t domid, uint32_t devid);

#endif /* store.h */
