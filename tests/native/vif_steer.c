/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Two guests in one process: one sends flows, the other has told its backend
 * by which hash it wants them on its queues, and checks that each packet
 * comes on the queue, with the hash, that it asked for.
 *
 * usage: vif_steer [-n PACKETS] [-q QUEUES] SENDER_SOCKET RECEIVER_SOCKET
 *
 * In turn: without a hash, with one, with another mapping, with a mapping by
 * modulo, without one again; under a storm of events and requests on the
 * receiver's control ring; and at last with a control ring that contradicts
 * itself, which disables the receiver's vif and not the sender's.  One line
 * for each and exit status 0 when all is as it should be.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <xen/xen.h>
#define XEN_NETIF_DEFINE_TOEPLITZ
#include <xen/io/netif.h>

#include "netback/local_front.h"

#define BURST 16u
#define FLOWS 64u
#define SIZE 90u                /* bytes of each packet */
#define KINDS 5u                /* of flows: make_packet() */
#define QUIET_S 10.0
#define AHEAD 96u
#define MAPPING 32u
#define ANY_QUEUE 0xffffu
#define NO_REQUEST 0xffffu

struct want {
    bool hashed;
    uint8_t type;
    uint32_t value;
    uint16_t queue;
};

static struct local_front *sender, *receiver;
static unsigned int queues = 4;
static uint32_t packets = 20000;
static uint8_t key[40];
static uint32_t mapping[MAPPING];
static uint32_t mapping_size;
static uint32_t next_of_flow[FLOWS];
static bool is_storming;
static uint32_t sent, received, wrong, per_queue[LOCAL_QUEUES_MAX];

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* A flow's input to the hash; returns its size, 0 for none. */
static unsigned int flow_input(uint32_t flow, uint8_t *input, uint8_t *type)
{
    static const uint8_t types[KINDS] = {
        _XEN_NETIF_CTRL_HASH_TYPE_IPV4_TCP, _XEN_NETIF_CTRL_HASH_TYPE_IPV4,
        _XEN_NETIF_CTRL_HASH_TYPE_IPV6_TCP, _XEN_NETIF_CTRL_HASH_TYPE_IPV6,
        0xff,
    };
    static const unsigned int sizes[KINDS] = { 12, 8, 36, 32, 0 };

    for (unsigned int i = 0; i < 36; i++) {
        input[i] = (uint8_t)(flow * 37 + i * 11);
    }
    *type = types[flow % KINDS];
    return sizes[flow % KINDS];
}

static void make_packet(uint8_t *to, uint32_t flow, uint32_t number)
{
    bool is_ipv6 = flow % KINDS >= 2;
    uint8_t *ip = to + 14;
    uint8_t input[36], type;

    (void)flow_input(flow, input, &type);
    memset(to, 0, SIZE);
    memset(to, 0xff, 12);
    to[0] = to[6] = 0x02;
    to[11] = 1;                 /* a switch that learns knows them apart */
    if (flow % KINDS == 4) {
        to[12] = 0x88;          /* an EtherType for experiments */
        to[13] = 0xb5;
    } else if (is_ipv6) {
        to[12] = 0x86;
        to[13] = 0xdd;
        ip[0] = 0x60;
        ip[5] = SIZE - 54;
        ip[6] = flow % KINDS == 2 ? 6 : 17;
        memcpy(ip + 8, input, 32);
        memcpy(ip + 40, input + 32, 4);
        ip[45] = SIZE - 54;     /* UDP's length; TCP's sequence number */
        ip[52] = 0x50;
    } else {
        to[12] = 0x08;
        ip[0] = 0x45;
        ip[3] = SIZE - 14;
        ip[8] = 64;
        ip[9] = flow % KINDS == 0 ? 6 : 17;
        memcpy(ip + 12, input, 8);
        memcpy(ip + 20, input + (flow % KINDS == 0 ? 8 : 32), 4);
        ip[25] = SIZE - 34;
        ip[32] = 0x50;
    }
    memcpy(to + SIZE - 8, &flow, 4);
    memcpy(to + SIZE - 4, &number, 4);
}

static struct want want_of(uint32_t flow, bool hashed)
{
    struct want want = { .queue = ANY_QUEUE };
    unsigned int size;
    uint8_t input[36];

    if (!hashed) {
        return want;
    }
    size = flow_input(flow, input, &want.type);
    want.hashed = size != 0;
    if (size != 0) {
        want.value = xen_netif_toeplitz_hash(key, sizeof(key), input, size);
    }
    want.queue = (uint16_t)(mapping_size == 0
                                ? want.value % queues
                                : mapping[want.value % mapping_size]);
    return want;
}

static void check(const struct local_packet *packet, unsigned int queue,
                  bool hashed)
{
    uint32_t flow, number;
    struct want want;
    bool good;

    memcpy(&flow, packet->data + SIZE - 8, 4);
    memcpy(&number, packet->data + SIZE - 4, 4);
    if (packet->status != 0 || packet->size != SIZE || flow >= FLOWS) {
        wrong++;
        return;
    }
    want = want_of(flow, hashed);
    good = packet->has_hash == want.hashed &&
           (!want.hashed || (packet->hash == want.value &&
                             packet->hash_type == want.type)) &&
           (want.queue == ANY_QUEUE || want.queue == queue) &&
           number == next_of_flow[flow];
    next_of_flow[flow] = number + 1;
    per_queue[queue]++;
    received++;
    if (!good && wrong++ < 5) {
        fprintf(stderr, "flow %u packet %u on queue %u (wanted %u), hash "
                "%d %u %#x (wanted %d %u %#x)\n", flow, number, queue,
                want.queue, packet->has_hash, packet->hash_type,
                packet->hash, want.hashed, want.type, want.value);
    }
}

static void send_some(void)
{
    static uint32_t numbers[FLOWS];
    static uint8_t data[BURST][SIZE];
    struct local_packet burst[BURST];
    unsigned int count = 0;

    memset(burst, 0, sizeof(burst));
    if (sent == 0) {
        memset(numbers, 0, sizeof(numbers));
        memset(next_of_flow, 0, sizeof(next_of_flow));
    }
    while (count < BURST && sent + count < packets &&
           sent + count - received < AHEAD) {
        uint32_t flow = (sent + count) * 7 % FLOWS;

        make_packet(data[count], flow, numbers[flow]++);
        burst[count].data = data[count];
        burst[count++].size = SIZE;
    }
    /* AHEAD is less than the ring has, so all find room. */
    sent += local_front_send(sender, 0, burst, count);
}

static unsigned int receive_some(bool hashed)
{
    static uint8_t data[BURST][4096];
    struct local_packet burst[BURST];
    unsigned int total = 0;

    for (unsigned int queue = 0; queue < queues; queue++) {
        unsigned int count;

        for (unsigned int i = 0; i < BURST; i++) {
            burst[i].data = data[i];
            burst[i].size = sizeof(data[i]);
        }
        count = local_front_receive(receiver, queue, burst, BURST);
        for (unsigned int i = 0; i < count; i++) {
            check(&burst[i], queue, hashed);
        }
        total += count;
    }
    return total;
}

/* Events as fast as we can, and requests of no sense as many as fit. */
static void storm(void)
{
    xen_netif_ctrl_sring_t *ring = local_front_ctrl_ring(receiver);
    union xen_netif_ctrl_sring_entry *entries = ring->ring;
    RING_IDX prod = ring->req_prod;

    for (unsigned int i = 0; i < 100; i++) {
        local_front_ctrl_kick(receiver);
    }
    /* What answers left in a slot would be a request, to stop hashing, say. */
    while (prod - __atomic_load_n(&ring->rsp_prod, __ATOMIC_ACQUIRE) < 128) {
        entries[prod++ % 128].req = (struct xen_netif_ctrl_request){
            .type = NO_REQUEST,
        };
    }
    __atomic_store_n(&ring->req_prod, prod, __ATOMIC_RELEASE);
}

/* Send all and receive all; true when every packet came as it should. */
static bool round_of(const char *name, bool hashed)
{
    double quiet_since = now();
    bool good;

    sent = received = wrong = 0;
    memset(per_queue, 0, sizeof(per_queue));
    while (received < packets && now() - quiet_since < QUIET_S) {
        send_some();
        if (is_storming) {
            storm();
        }
        if (receive_some(hashed) != 0) {
            quiet_since = now();
        } else {
            usleep(100);
        }
    }
    good = wrong == 0 && received == packets;
    printf("%s: received %u of %u, wrong %u, by queue", name, received,
           packets, wrong);
    for (unsigned int i = 0; i < queues; i++) {
        printf(" %u", per_queue[i]);
    }
    printf(": %s\n", good ? "well" : "FAILED");
    fflush(stdout);
    return good;
}

static bool configure(uint32_t size, uint32_t shift)
{
    const struct local_hash hash = {
        .flags = 15, .key = key, .key_size = sizeof(key),
        .mapping = mapping, .mapping_size = size,
    };
    int error;

    mapping_size = size;
    for (uint32_t i = 0; i < MAPPING; i++) {
        mapping[i] = (i / 3 + shift) % queues;
    }
    error = local_front_use_hash(receiver, &hash);
    if (error != 0) {
        fprintf(stderr, "no hash: %s\n", strerror(-error));
    }
    return error == 0;
}

static bool no_hash(void)
{
    const uint32_t data[3] = { XEN_NETIF_CTRL_HASH_ALGORITHM_NONE };
    struct xen_netif_ctrl_response response;

    return local_front_ctrl(receiver,
                            XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM, data,
                            &response, LOCAL_FRONT_CTRL_MS) == 0 &&
           response.status == XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static bool survive_storm(void)
{
    bool good;

    is_storming = true;
    good = round_of("a storm on the control ring", true);
    is_storming = false;
    return good;
}

static bool break_ring(void)
{
    xen_netif_ctrl_sring_t *ring = local_front_ctrl_ring(receiver);
    double end = now() + 30;
    bool good;

    __atomic_store_n(&ring->req_prod, ring->rsp_prod + 1000,
                     __ATOMIC_RELEASE);
    local_front_ctrl_kick(receiver);
    while (!local_front_is_closed(receiver) && now() < end) {
        usleep(1000);
    }
    good = local_front_is_closed(receiver) && !local_front_is_closed(sender);
    printf("a broken control ring: %s\n", good ? "disabled" : "FAILED");
    return good;
}

static bool play(void)
{
    bool good = round_of("no hash", false);

    good = configure(MAPPING, 0) && round_of("a mapping", true) && good;
    good = configure(MAPPING, 1) && round_of("another mapping", true) && good;
    good = configure(0, 0) && round_of("by modulo", true) && good;
    good = no_hash() && round_of("no hash again", false) && good;
    good = configure(MAPPING, 2) && survive_storm() && good;
    return break_ring() && good;
}

static bool accept_backend(struct local_front *front)
{
    double end = now() + 60;
    int error;

    do {
        error = local_front_accept(front, 1000);
    } while (error != 0 && now() < end);
    return error == 0;
}

int main(int argc, char **argv)
{
    const uint8_t mac[6] = { 0x00, 0x16, 0x3e, 0, 0, 9 };
    bool good;
    int c;

    while ((c = getopt(argc, argv, "n:q:")) != -1) {
        switch (c) {
        case 'n': packets = (uint32_t)strtoul(optarg, NULL, 0); break;
        case 'q': queues = (unsigned int)strtoul(optarg, NULL, 0); break;
        default: optind = argc; break;
        }
    }
    if (argc - optind != 2 || queues == 0 || queues > LOCAL_QUEUES_MAX) {
        fprintf(stderr, "usage: vif_steer [-n PACKETS] [-q QUEUES] "
                "SENDER_SOCKET RECEIVER_SOCKET\n");
        return 2;
    }
    for (unsigned int i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t)(i * 73 + 19);
    }
    sender = local_front_create(argv[optind], 1, LOCAL_CSUM, mac);
    receiver = local_front_create(argv[optind + 1], (uint16_t)queues,
                                  LOCAL_CSUM | LOCAL_CTRL, mac);
    if (sender == NULL || receiver == NULL) {
        fprintf(stderr, "%s: %s\n", argv[optind], strerror(errno));
        return 1;
    }
    printf("listening\n");
    fflush(stdout);
    if (!accept_backend(sender) || !accept_backend(receiver)) {
        fprintf(stderr, "no backend\n");
        return 1;
    }
    good = play();
    local_front_destroy(sender);
    local_front_destroy(receiver);
    printf("%s\n", good ? "all well" : "FAILED");
    return good ? 0 : 1;
}
