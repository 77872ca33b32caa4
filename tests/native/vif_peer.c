/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two guests in one process, for tests of what stands between them: each is
 * a local frontend, each sends packets to the other and checks what comes.
 *
 * usage: vif_peer [-n PACKETS] [-s SIZE_MAX] [-l] [-g] [-q QUEUES]
 *                 SOCKET SOCKET
 *
 * It waits for a backend on both sockets, sends PACKETS each way, and ends
 * with one line; exit status 0 when every packet came as it was sent, in
 * order.  -l: packets may be lost (a backend that is killed in between),
 * but none may be wrong; a backend that goes is waited for again.  -g: by
 * static grants: first with no other grants at all, so that nothing else can
 * carry packets, then, after the backend has given them back, by grants.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "netback/local_front.h"

#define BURST 16u
#define DATA_MAX 65536u
#define AHEAD 192u              /* slots of packets on their way, at most */
#define QUIET_S 10.0            /* nothing comes for so long: give up */
#define OUTAGE_S 60.0           /* ... while what is between us starts anew */
#define LOST_S 0.05             /* and what is on its way is lost so soon */

struct guest {
    struct local_front *front;
    uint32_t sent;              /* packets */
    uint32_t expected;          /* number of the next packet to come */
    uint32_t received;
    uint32_t wrong;
    uint32_t arrived;           /* of what we sent: as far as we have seen */
    uint32_t settled;           /* arrived, or given up */
    double since;               /* when something arrived last */
};

struct options {
    uint32_t packets;
    uint32_t size_max;
    unsigned int queues;
    bool lossy;
    bool by_static;
};

static struct guest guests[2];
static uint8_t data[BURST][DATA_MAX];

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A packet's size and every byte follow from its number and sender. */
static uint32_t make_packet(uint8_t *to, unsigned int sender, uint32_t number,
                            uint32_t size_max)
{
    uint32_t size = 60 + number * 977 % (size_max - 59);

    memset(to, 0xff, 12);
    to[0] = 0x02;
    to[11] = (uint8_t)sender;
    to[6] = 0x02;
    to[12] = 0x88;              /* an EtherType for experiments */
    to[13] = 0xb5;
    memcpy(to + 14, &number, sizeof(number));
    for (uint32_t i = 18; i < size; i++) {
        to[i] = (uint8_t)(number * 31 + i * 7 + sender);
    }
    return size;
}

/*
 * Packets on their way. Where packets may be lost, those that do not arrive
 * are given up; the other guest's ring is never overrun, which would lose
 * packets that the switch has not.
 */
static uint32_t on_the_way(struct guest *guest, const struct guest *other,
                           const struct options *options)
{
    if (other->expected != guest->arrived) {
        guest->arrived = other->expected;
        guest->since = now();
        if (guest->arrived > guest->settled) {
            guest->settled = guest->arrived;
        }
    } else if (options->lossy && now() - guest->since > LOST_S) {
        guest->settled = guest->sent;
        guest->since = now();
    }
    return guest->sent - guest->settled;
}

static void send_some(struct guest *guest, unsigned int self,
                      const struct options *options)
{
    struct local_packet packets[BURST];
    uint32_t out = on_the_way(guest, &guests[1 - self], options);
    uint32_t ahead = AHEAD / (options->size_max / ACCESS_PAGE_SIZE + 1);
    unsigned int count = 0;

    memset(packets, 0, sizeof(packets));
    while (count < BURST && guest->sent + count < options->packets &&
           out + count < ahead) {
        packets[count].data = data[count];
        packets[count].size = make_packet(data[count], self,
                                          guest->sent + count,
                                          options->size_max);
        count++;
    }
    guest->sent += local_front_send(guest->front, 0, packets, count);
}

/* One packet that came; it may be late by some when packets may be lost. */
static void check(struct guest *guest, unsigned int self,
                  const struct local_packet *packet,
                  const struct options *options)
{
    static uint8_t want[DATA_MAX];
    uint32_t number, size;

    guest->received++;
    memcpy(&number, packet->data + 14, sizeof(number));
    size = make_packet(want, 1 - self, number, options->size_max);
    if (packet->status != 0 || packet->size != size ||
        memcmp(want, packet->data, size) != 0 ||
        number < guest->expected ||
        (number != guest->expected && !options->lossy)) {
        if (guest->wrong++ < 5) {
            fprintf(stderr, "guest %u: packet %u of %u bytes is wrong "
                    "(expected number %u)\n", self, number, packet->size,
                    guest->expected);
        }
    }
    guest->expected = number + 1;
}

static unsigned int receive_some(struct guest *guest, unsigned int self,
                                 const struct options *options)
{
    struct local_packet packets[BURST];
    unsigned int got = 0;

    for (unsigned int queue = 0; queue < options->queues; queue++) {
        unsigned int count;

        for (unsigned int i = 0; i < BURST; i++) {
            packets[i].data = data[i];
            packets[i].size = DATA_MAX;
        }
        count = local_front_receive(guest->front, queue, packets, BURST);
        for (unsigned int i = 0; i < count; i++) {
            check(guest, self, &packets[i], options);
        }
        got += count;
    }
    return got;
}

/* Wait for a backend; false when none comes, or it refuses. */
static bool accept_backend(struct guest *guest, double seconds)
{
    double end = now() + seconds;
    int error;

    /* One that gave up waiting for us has hung up and comes again. */
    do {
        error = local_front_accept(guest->front, 1000);
    } while ((error == -EPIPE || error == -ECONNRESET ||
              error == -ETIMEDOUT) && now() < end);
    if (error != 0) {
        fprintf(stderr, "no backend: %s\n", strerror(-error));
    }
    return error == 0;
}

static bool are_done(const struct options *options)
{
    for (unsigned int i = 0; i < 2; i++) {
        if (guests[i].sent < options->packets ||
            guests[i].expected < options->packets) {
            return false;
        }
    }
    return true;
}

/* True: nothing has come for too long. */
static bool is_over(const struct options *options, double quiet_since)
{
    bool sending = guests[0].sent < options->packets ||
                   guests[1].sent < options->packets;

    return now() - quiet_since > (options->lossy && sending ? OUTAGE_S
                                                            : QUIET_S);
}

static bool exchange(const struct options *options)
{
    double quiet_since = now();

    while (!are_done(options)) {
        unsigned int got = 0;

        for (unsigned int i = 0; i < 2; i++) {
            send_some(&guests[i], i, options);
            got += receive_some(&guests[i], i, options);
            if (!local_front_is_closed(guests[i].front)) {
                continue;
            }
            if (!options->lossy || !accept_backend(&guests[i], 60)) {
                fprintf(stderr, "the backend has gone\n");
                return false;
            }
            quiet_since = now();
        }
        if (got != 0) {
            quiet_since = now();
        } else if (is_over(options, quiet_since)) {
            return options->lossy && guests[0].sent == options->packets &&
                   guests[1].sent == options->packets;
        } else {
            usleep(100);
        }
    }
    return true;
}

/* True: all is well. */
static bool report(const struct options *options, double seconds)
{
    bool good = true;

    for (unsigned int i = 0; i < 2; i++) {
        struct local_front_stats stats =
            local_front_stats(guests[i].front, 0);

        printf("guest %u: sent %u received %u wrong %u errors %lu+%lu "
               "grants in use %lu\n", i, guests[i].sent, guests[i].received,
               guests[i].wrong, (unsigned long)stats.sent_errors,
               (unsigned long)stats.received_errors,
               (unsigned long)stats.grants_in_use);
        good = good && guests[i].wrong == 0 && stats.sent_errors == 0 &&
               stats.received_errors == 0 && stats.grants_in_use == 0 &&
               (options->lossy || guests[i].received == options->packets);
    }
    printf("%s in %.1f s\n", good ? "all well" : "FAILED", seconds);
    return good;
}

/* Rewrite all grants of both rings' pages of a guest. */
static void set_grants(struct guest *guest, unsigned int queues,
                       uint16_t flags)
{
    for (unsigned int i = 0; i < queues; i++) {
        grant_ref_t first = local_front_first_ref(guest->front, i);

        for (uint32_t n = 0; n < 2 * LOCAL_FRONT_SLOTS; n++) {
            bool readonly = flags != 0 && n < LOCAL_FRONT_SLOTS;

            local_front_grant(guest->front, first + n)->entry.flags =
                flags | (readonly ? GTF_readonly : 0);
        }
    }
}

static bool begin_static(const struct options *options)
{
    for (unsigned int i = 0; i < 2; i++) {
        int error = local_front_use_static(guests[i].front);

        if (error != 0) {
            fprintf(stderr, "guest %u: no static grants: %s\n", i,
                    strerror(-error));
            return false;
        }
        /* They are mapped for good, and now they grant nothing more. */
        set_grants(&guests[i], options->queues, 0);
    }
    return true;
}

static bool end_static(const struct options *options)
{
    for (unsigned int i = 0; i < 2; i++) {
        for (unsigned int queue = 0; queue < options->queues; queue++) {
            int error = local_front_drop_static(guests[i].front, queue);

            if (error != 0) {
                fprintf(stderr, "guest %u: static grants stay: %s\n", i,
                        strerror(-error));
                return false;
            }
        }
        set_grants(&guests[i], options->queues, GTF_permit_access);
    }
    return true;
}

static bool exchange_static(struct options *options)
{
    uint32_t packets = options->packets;

    options->packets = packets / 2;
    if (!begin_static(options) || !exchange(options)) {
        return false;
    }
    options->packets = packets;
    return end_static(options) && exchange(options);
}

static struct options parse(int argc, char **argv)
{
    struct options o = { .packets = 20000, .size_max = 1514, .queues = 1 };
    int c;

    while ((c = getopt(argc, argv, "n:s:lgq:")) != -1) {
        switch (c) {
        case 'n': o.packets = (uint32_t)strtoul(optarg, NULL, 0); break;
        case 's': o.size_max = (uint32_t)strtoul(optarg, NULL, 0); break;
        case 'l': o.lossy = true; break;
        case 'g': o.by_static = true; break;
        case 'q': o.queues = (unsigned int)strtoul(optarg, NULL, 0); break;
        default: optind = argc; break;
        }
    }
    if (argc - optind != 2 || o.size_max < 60 || o.size_max >= DATA_MAX ||
        o.queues == 0 || o.queues > LOCAL_QUEUES_MAX) {
        fprintf(stderr, "usage: vif_peer [-n PACKETS] [-s SIZE_MAX] [-l] "
                "[-g] [-q QUEUES] SOCKET SOCKET\n");
        exit(2);
    }
    return o;
}

int main(int argc, char **argv)
{
    struct options options = parse(argc, argv);
    double start;
    bool good;

    for (unsigned int i = 0; i < 2; i++) {
        const uint8_t mac[6] = { 0x00, 0x16, 0x3e, 0, 0, (uint8_t)i };

        guests[i].front = local_front_create(
            argv[optind + i], (uint16_t)options.queues,
            LOCAL_SG | LOCAL_CSUM | LOCAL_GSO_TCPV4 | LOCAL_GSO_TCPV6 |
            LOCAL_CTRL, mac);
        if (guests[i].front == NULL) {
            fprintf(stderr, "%s: %s\n", argv[optind + i], strerror(errno));
            return 1;
        }
    }
    printf("listening\n");
    fflush(stdout);
    if (!accept_backend(&guests[0], 60) ||
        !accept_backend(&guests[1], 60)) {
        return 1;
    }
    start = now();
    good = options.by_static ? exchange_static(&options)
                             : exchange(&options);
    good = report(&options, now() - start) && good;
    local_front_destroy(guests[0].front);
    local_front_destroy(guests[1].front);
    return good ? 0 : 1;
}
