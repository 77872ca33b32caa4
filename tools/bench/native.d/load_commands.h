/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How the benchmark talks to a process that is its guests.  A line on stdin,
 * "SIZE FLOWS", says what to send from now on; SIZE is in bytes, 0 for an
 * IMIX; no FLOWS: nothing, which is where it starts.  Each is answered by a
 * line "SENT RECEIVED", packets until then.  The end of stdin is the end.
 */
#ifndef BENCH_LOAD_COMMANDS_H
#define BENCH_LOAD_COMMANDS_H

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "traffic.h"

#define LOAD_GUESTS_MAX 2u

struct load {
    struct traffic traffic[LOAD_GUESTS_MAX];
    uint64_t sent, received;
};

static inline void load_init(struct load *load)
{
    for (unsigned int i = 0; i < LOAD_GUESTS_MAX; i++) {
        load->traffic[i] = (struct traffic){
            .size = 64, .from = (uint8_t)i,
        };
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    fcntl(0, F_SETFL, O_NONBLOCK);
}

/* While nothing is sent the CPU is for others: the switch's main thread. */
static inline void load_rest(const struct load *load)
{
    if (load->traffic[0].flows == 0) {
        usleep(1000);
    }
}

/* Look for a command; false: the end. */
static inline bool load_obey(struct load *load)
{
    char line[64];
    ssize_t got = read(0, line, sizeof(line) - 1);
    unsigned int size, flows;

    if (got <= 0) {
        return got < 0;
    }
    line[got] = '\0';
    if (sscanf(line, "%u %u", &size, &flows) != 2 ||
        flows > 65536 || size > 65535 || (size != 0 && size < 64)) {
        fprintf(stderr, "bench: not a command: %s", line);
        return false;
    }
    for (unsigned int i = 0; i < LOAD_GUESTS_MAX; i++) {
        load->traffic[i].size = size;
        load->traffic[i].flows = flows;
    }
    printf("%lu %lu\n", (unsigned long)load->sent,
           (unsigned long)load->received);
    return true;
}

#endif
