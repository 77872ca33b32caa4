/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest that only sends, or only takes, as fast as it can: the load of a
 * benchmark of what is on the other side of its socket.
 *
 * usage: vif_load send|take SIZE SOCKET
 *
 * It serves one backend until that one goes; "send" writes a byte in every
 * cache line of each packet, as a guest that makes packets does.  SIZE is in
 * bytes; it is ignored by "take".
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "netback/local_front.h"

#define BURST 32u

/* The least that a switch looks at: to a broadcast, from us, IPv4. */
static void fill_pages(struct local_front *front, uint32_t size)
{
    static const uint8_t header[] = {
        0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x00, 0x16, 0x3e, 0, 0, 1,
        0x08, 0x00, 0x45, 0x00,
    };

    for (uint32_t i = 0; i < LOCAL_FRONT_SLOTS; i++) {
        uint8_t *page = local_front_slot(front, 0, i);

        memset(page, 0x5a, size);
        memcpy(page, header, sizeof(header));
        page[16] = (uint8_t)((size - 14) >> 8);
        page[17] = (uint8_t)(size - 14);
    }
}

int main(int argc, char **argv)
{
    static const uint8_t mac[6] = { 0, 0x16, 0x3e, 0, 0, 1 };
    bool sends = argc == 4 && strcmp(argv[1], "send") == 0;
    uint32_t size = argc == 4 ? (uint32_t)strtoul(argv[2], NULL, 0) : 0;
    struct local_front *front;
    uint64_t bytes = 0;
    int error;

    if (argc != 4 || (!sends && strcmp(argv[1], "take") != 0) ||
        size < 60 || size > ACCESS_PAGE_SIZE) {
        fprintf(stderr, "usage: vif_load send|take SIZE SOCKET, with SIZE "
                "from 60 to 4096\n");
        return 2;
    }
    front = local_front_create(argv[3], 1, LOCAL_SG | LOCAL_CSUM, mac);
    if (front == NULL) {
        fprintf(stderr, "vif_load: %s: %s\n", argv[3], strerror(errno));
        return 1;
    }
    fill_pages(front, size);
    error = local_front_accept(front, 60000);
    if (error != 0) {
        fprintf(stderr, "vif_load: no backend: %s\n", strerror(-error));
        return 1;
    }
    while (!local_front_is_closed(front)) {
        for (unsigned int i = 0; i < 10000; i++) {
            if (sends) {
                local_front_resend(front, 0, BURST, size, true);
            } else {
                local_front_discard(front, 0, BURST, &bytes);
            }
        }
    }
    local_front_destroy(front);
    return 0;
}
