/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Guests that send and take as fast as they can, each a local frontend: the
 * load of a benchmark of what is on the other side of their sockets.
 *
 * usage: vif_load [-s] [-p PAGES] [-q QUEUES] send|take|both SOCKET [SOCKET]
 *
 * PAGES is how many pages of its memory a guest sends from, in turn [4096];
 * with -s it has the pages of its slots mapped for good instead.
 * load_commands.h says how it is told what to send.  It ends with its stdin,
 * or with its backend.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "load_commands.h"
#include "local_load.h"

struct options {
    uint32_t pages;
    unsigned int queues;
    bool sends, takes;
    bool is_static;
    unsigned int guests;
    char **paths;
};

static struct local_front *make_guest(const struct options *o,
                                      unsigned int i)
{
    struct local_front_config config = {
        .path = o->paths[i], .queue_count = (uint16_t)o->queues,
        .features = LOCAL_SG | LOCAL_CSUM | (o->is_static ? LOCAL_CTRL : 0),
        .tx_pages = o->pages,
        .mac = { 0x02, 0x16, 0x3e, 0, 0, (uint8_t)i },
    };
    struct local_front *front = local_front_create_with(&config);

    if (front == NULL) {
        fprintf(stderr, "vif_load: %s: %s\n", o->paths[i], strerror(errno));
        exit(1);
    }
    return front;
}

/* One that gave up waiting for us has hung up, and comes again. */
static void accept_backend(struct local_front *front)
{
    int error = -ETIMEDOUT;

    for (unsigned int i = 0; i < 60 && error != 0; i++) {
        error = local_front_accept(front, 1000);
    }
    if (error != 0) {
        fprintf(stderr, "vif_load: no backend: %s\n", strerror(-error));
        exit(1);
    }
}

static void run(struct local_front **fronts, const struct options *o)
{
    struct load load = { .sent = 0 };

    load_init(&load);
    while (load_obey(&load) && !local_front_is_closed(fronts[0])) {
        load_rest(&load);
        for (unsigned int n = 0; n < 1000; n++) {
            for (unsigned int i = 0; i < o->guests * o->queues; i++) {
                struct local_front *front = fronts[i % o->guests];
                unsigned int queue = i / o->guests;

                if (o->sends && load.traffic[0].flows != 0) {
                    load.sent += local_load_send(
                        front, queue, &load.traffic[i % o->guests]);
                }
                if (o->takes) {
                    load.received += local_load_take(front, queue);
                }
            }
        }
    }
}

static struct options parse(int argc, char **argv)
{
    struct options o = { .pages = 4096, .queues = 1 };
    const char *what;
    int c;

    while ((c = getopt(argc, argv, "sp:q:")) != -1) {
        switch (c) {
        case 'p': o.pages = (uint32_t)strtoul(optarg, NULL, 0); break;
        case 'q': o.queues = (unsigned int)strtoul(optarg, NULL, 0); break;
        case 's': o.is_static = true; break;
        default: optind = argc; break;
        }
    }
    what = optind < argc ? argv[optind++] : "";
    o.sends = strcmp(what, "send") == 0 || strcmp(what, "both") == 0;
    o.takes = strcmp(what, "take") == 0 || strcmp(what, "both") == 0;
    o.guests = (unsigned int)(argc - optind);
    o.paths = argv + optind;
    if ((!o.sends && !o.takes) || o.guests == 0 ||
        o.guests > LOAD_GUESTS_MAX) {
        fprintf(stderr, "usage: vif_load [-s] [-p PAGES] [-q QUEUES] "
                "send|take|both SOCKET [SOCKET]\n");
        exit(2);
    }
    return o;
}

int main(int argc, char **argv)
{
    struct options o = parse(argc, argv);
    struct local_front *fronts[LOAD_GUESTS_MAX];

    for (unsigned int i = 0; i < o.guests; i++) {
        fronts[i] = make_guest(&o, i);
    }
    printf("listening\n");
    fflush(stdout);
    for (unsigned int i = 0; i < o.guests; i++) {
        accept_backend(fronts[i]);
        if (o.is_static && local_front_use_static(fronts[i]) != 0) {
            fprintf(stderr, "vif_load: no static grants\n");
            return 1;
        }
    }
    run(fronts, &o);
    for (unsigned int i = 0; i < o.guests; i++) {
        local_front_destroy(fronts[i]);
    }
    return 0;
}
