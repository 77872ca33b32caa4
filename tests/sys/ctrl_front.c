/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A frontend with a control ring, which Linux's netfront has not: in dom0,
 * for a vif of dom0's own, by the stock libraries. It asks for a hash and for
 * static grants, exchanges packets with the bridge, floods its backend with
 * events, and at last breaks its ring.
 *
 * usage: ctrl_front HANDLE IP PEER_IP, with addresses' last bytes (10.0.0.x)
 *
 * Prints "offered" when the toolstack's nodes are there, and one
 * GANTRY-RESULT line for each step; exit status 0 when all passed.
 */
#include <poll.h>
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
#include <xen/io/xenbus.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

#include "netback/ring.h"

#define QUEUES 2u
#define BUFFERS 64u             /* of a queue, each way */
#define PAGE 4096u
#define QUEUE_PAGES (2u + 2u * BUFFERS)
#define PAGES (2u + QUEUES * QUEUE_PAGES)
#define MAPPING 4u
#define PATIENCE_S 30
#define NO_HASH 0xff

struct queue {
    netif_tx_sring_t *tx;
    netif_rx_sring_t *rx;
    uint32_t first;             /* page of the TX ring; RX ring, TX, RX */
    RING_IDX tx_prod, rx_prod, rx_cons;
    int port;
};

/* What came. */
struct seen {
    unsigned int queue;
    uint8_t type;               /* of its hash */
    uint32_t hash;
    unsigned int size;
    uint8_t data[PAGE];
};

static uint8_t (*pages)[PAGE];
static uint32_t refs[PAGES];
static struct queue queues[QUEUES];
static xen_netif_ctrl_sring_t *ctrl;
static RING_IDX ctrl_prod;
static int ctrl_port;
static xenevtchn_handle *evtchn;
static struct xs_handle *xs;
static char frontend[64], backend[64];
static uint8_t own_ip, peer_ip, key[40], peer_mac[6];
static const uint8_t own_mac[6] = { 0x00, 0x16, 0x3e, 0x00, 0x00, 0x99 };
static uint32_t mapping[MAPPING] = { 1, 0, 1, 1 };
static bool failed;

static void result(const char *name, bool good)
{
    printf("GANTRY-RESULT %s %s\n", good ? "pass" : "fail", name);
    fflush(stdout);
    failed = failed || !good;
}

static void die(const char *what)
{
    printf("GANTRY-RESULT fail %s\n", what);
    exit(1);
}

static void put(const char *dir, const char *node, const char *value)
{
    char path[128];

    snprintf(path, sizeof(path), "%s/%s", dir, node);
    if (!xs_write(xs, XBT_NULL, path, value, (unsigned int)strlen(value))) {
        die("writing to XenStore");
    }
}

static void put_number(const char *dir, const char *node, unsigned int value)
{
    char text[16];

    snprintf(text, sizeof(text), "%u", value);
    put(dir, node, text);
}

static int get_number(const char *dir, const char *node)
{
    char path[128], *text;
    unsigned int size;
    int value = -1;

    snprintf(path, sizeof(path), "%s/%s", dir, node);
    text = xs_read(xs, XBT_NULL, path, &size);
    if (text != NULL) {
        value = atoi(text);
        free(text);
    }
    return value;
}

/* Also when it is past it already: a closed one has been closing. */
static bool wait_state(int state)
{
    for (int i = 0; i < PATIENCE_S * 100; i++) {
        if (get_number(backend, "state") >= state) {
            return true;
        }
        usleep(10000);
    }
    return false;
}

/* What xl writes. */
static void be_toolstack(void)
{
    put(backend, "frontend", frontend);
    put(backend, "frontend-id", "0");
    put(backend, "online", "1");
    put(backend, "mac", "00:16:3e:00:00:99");
    put(frontend, "backend", backend);
    put(frontend, "backend-id", "0");
    put(frontend, "state", "1");
    put(backend, "state", "1");
    printf("offered\n");
    fflush(stdout);
}

static void make_pages(void)
{
    xengntshr_handle *shr = xengntshr_open(NULL, 0);

    evtchn = xenevtchn_open(NULL, 0);
    if (shr == NULL || evtchn == NULL) {
        die("opening /dev/xen/gntalloc and /dev/xen/evtchn");
    }
    pages = xengntshr_share_pages(shr, 0, PAGES, refs, 1);
    if (pages == NULL) {
        die("granting pages");
    }
    memset(pages, 0, PAGES * (size_t)PAGE);
}

static int new_port(void)
{
    int port = xenevtchn_bind_unbound_port(evtchn, 0);

    if (port < 0) {
        die("an event channel");
    }
    return port;
}

static void give(struct queue *q, uint16_t id)
{
    union netif_rx_sring_entry *entries = q->rx->ring;

    entries[q->rx_prod++ % 256].req = (netif_rx_request_t){
        .id = id, .gref = refs[q->first + 2 + BUFFERS + id],
    };
}

static void make_queue(unsigned int i)
{
    struct queue *q = &queues[i];
    char dir[80];

    q->first = 2 + i * QUEUE_PAGES;
    q->tx = (void *)pages[q->first];
    q->rx = (void *)pages[q->first + 1];
    q->tx->req_event = q->tx->rsp_event = 1;
    q->rx->req_event = q->rx->rsp_event = 1;
    for (uint16_t id = 0; id < BUFFERS; id++) {
        give(q, id);
    }
    q->rx->req_prod = q->rx_prod;
    q->port = new_port();
    snprintf(dir, sizeof(dir), "%s/queue-%u", frontend, i);
    put_number(dir, "tx-ring-ref", refs[q->first]);
    put_number(dir, "rx-ring-ref", refs[q->first + 1]);
    put_number(dir, "event-channel", (unsigned int)q->port);
}

static void connect_vif(void)
{
    ctrl = (void *)pages[0];
    ctrl->req_event = ctrl->rsp_event = 1;
    ctrl_port = new_port();
    put_number(frontend, "ctrl-ring-ref", refs[0]);
    put_number(frontend, "event-channel-ctrl", (unsigned int)ctrl_port);
    put(frontend, "request-rx-copy", "1");
    put_number(frontend, "multi-queue-num-queues", QUEUES);
    for (unsigned int i = 0; i < QUEUES; i++) {
        make_queue(i);
    }
    put(frontend, "state", "4");
}

/* Ask, and wait for the answer's event; false: none came. */
static bool ask(uint16_t type, uint32_t a, uint32_t b, uint32_t c,
                struct xen_netif_ctrl_response *rsp)
{
    union xen_netif_ctrl_sring_entry *entries = ctrl->ring;
    struct pollfd wait = { .fd = xenevtchn_fd(evtchn), .events = POLLIN };
    RING_IDX old = ctrl_prod;

    entries[old % 128].req = (struct xen_netif_ctrl_request){
        .id = (uint16_t)(old + 9), .type = type, .data = { a, b, c },
    };
    ctrl_prod = old + 1;
    ring_publish(&ctrl->rsp_event, ctrl_prod);
    if (ring_push(&ctrl->req_prod, &ctrl->req_event, old, ctrl_prod)) {
        xenevtchn_notify(evtchn, (evtchn_port_t)ctrl_port);
    }
    while (ring_load(&ctrl->rsp_prod) != ctrl_prod) {
        int port;

        if (poll(&wait, 1, PATIENCE_S * 1000) != 1) {
            return false;
        }
        port = xenevtchn_pending(evtchn);
        xenevtchn_unmask(evtchn, (evtchn_port_t)port);
    }
    *rsp = entries[old % 128].rsp;
    return rsp->id == (uint16_t)(old + 9) && rsp->type == type;
}

static bool ask_well(uint16_t type, uint32_t a, uint32_t b, uint32_t c,
                     uint32_t *data)
{
    struct xen_netif_ctrl_response rsp;
    bool good = ask(type, a, b, c, &rsp) &&
                rsp.status == XEN_NETIF_CTRL_STATUS_SUCCESS;

    if (good && data != NULL) {
        *data = rsp.data;
    }
    return good;
}

static bool set_hash(void)
{
    uint32_t types = 0, size = 0;
    bool good;

    for (unsigned int i = 0; i < sizeof(key); i++) {
        key[i] = (uint8_t)(i * 73 + 19);
    }
    good = ask_well(XEN_NETIF_CTRL_TYPE_SET_HASH_ALGORITHM,
                    XEN_NETIF_CTRL_HASH_ALGORITHM_TOEPLITZ, 0, 0, NULL) &&
           ask_well(XEN_NETIF_CTRL_TYPE_GET_HASH_FLAGS, 0, 0, 0, &types) &&
           ask_well(XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, 0, 0, 0,
                    &size);
    memcpy(pages[1], key, sizeof(key));
    good = good && ask_well(XEN_NETIF_CTRL_TYPE_SET_HASH_KEY, refs[1],
                            sizeof(key), 0, NULL) &&
           ask_well(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING_SIZE, MAPPING, 0, 0,
                    NULL);
    memcpy(pages[1], mapping, sizeof(mapping));
    return good && ask_well(XEN_NETIF_CTRL_TYPE_SET_HASH_MAPPING, refs[1],
                            MAPPING, 0, NULL) &&
           ask_well(XEN_NETIF_CTRL_TYPE_SET_HASH_FLAGS, types, 0, 0, NULL) &&
           types == 15 && size == 128;
}

static uint32_t list_pages(unsigned int queue)
{
    struct xen_netif_gref *list = (void *)pages[1];

    for (uint32_t i = 0; i < 2 * BUFFERS; i++) {
        list[i] = (struct xen_netif_gref){
            .ref = refs[queues[queue].first + 2 + i],
            .flags = i < BUFFERS ? XEN_NETIF_CTRLF_GREF_readonly : 0,
            .status = 77,
        };
    }
    return 2 * BUFFERS;
}

static bool add_static(unsigned int queue)
{
    uint32_t count = list_pages(queue);

    return ask_well(XEN_NETIF_CTRL_TYPE_ADD_GREF_MAPPING, queue, refs[1],
                    count, NULL);
}

static bool del_static(unsigned int queue)
{
    uint32_t count = list_pages(queue), gone = 0;
    const struct xen_netif_gref *list = (void *)pages[1];

    return ask_well(XEN_NETIF_CTRL_TYPE_DEL_GREF_MAPPING, queue, refs[1],
                    count, &gone) &&
           gone == count && list[0].status == XEN_NETIF_CTRL_STATUS_SUCCESS &&
           list[count - 1].status == XEN_NETIF_CTRL_STATUS_SUCCESS;
}

static void send_packet(unsigned int queue, const uint8_t *data,
                        uint16_t size)
{
    struct queue *q = &queues[queue];
    union netif_tx_sring_entry *entries = q->tx->ring;
    uint16_t id = (uint16_t)(q->tx_prod % BUFFERS);
    RING_IDX old = q->tx_prod;

    memcpy(pages[q->first + 2 + id], data, size);
    entries[q->tx_prod++ % 256].req = (netif_tx_request_t){
        .gref = refs[q->first + 2 + id], .id = id, .size = size,
    };
    if (ring_push(&q->tx->req_prod, &q->tx->req_event, old, q->tx_prod)) {
        xenevtchn_notify(evtchn, (evtchn_port_t)q->port);
    }
}

/* The next packet of a queue, of one slot and its extra infos. */
static bool receive(unsigned int queue, struct seen *seen)
{
    struct queue *q = &queues[queue];
    union netif_rx_sring_entry *entries = q->rx->ring;
    RING_IDX end = ring_load(&q->rx->rsp_prod);
    netif_rx_response_t rsp;
    bool more;

    if (end == q->rx_cons) {
        return false;
    }
    /* Ids are handed out in order, so slot n's buffer is n's. */
    rsp = entries[q->rx_cons % 256].rsp;
    *seen = (struct seen){ .queue = queue, .type = NO_HASH };
    if (rsp.status > 0 && rsp.status <= (int)PAGE) {
        seen->size = (unsigned int)rsp.status;
        memcpy(seen->data, pages[q->first + 2 + BUFFERS +
                                 q->rx_cons % BUFFERS], seen->size);
    }
    give(q, (uint16_t)(q->rx_cons++ % BUFFERS));
    more = (rsp.flags & NETRXF_extra_info) != 0;
    while (more && q->rx_cons != end) {
        netif_extra_info_t extra;

        memcpy(&extra, &entries[q->rx_cons % 256].rsp, sizeof(extra));
        if (extra.type == XEN_NETIF_EXTRA_TYPE_HASH) {
            seen->type = extra.u.hash.type;
            memcpy(&seen->hash, extra.u.hash.value, sizeof(seen->hash));
        }
        more = (extra.flags & XEN_NETIF_EXTRA_FLAG_MORE) != 0;
        give(q, (uint16_t)(q->rx_cons++ % BUFFERS));
    }
    ring_publish(&q->rx->req_prod, q->rx_prod);
    return true;
}

/* Wait for a packet of that EtherType (and, of IPv4, an echo's answer). */
static bool expect(unsigned int type, struct seen *seen)
{
    time_t end = time(NULL) + PATIENCE_S;

    while (time(NULL) < end) {
        for (unsigned int i = 0; i < QUEUES; i++) {
            if (receive(i, seen) && seen->size >= 42 &&
                seen->data[12] == type >> 8 &&
                seen->data[13] == (type & 0xff) &&
                (type != 0x0800 || (seen->data[23] == 1 &&
                                    seen->data[34] == 0))) {
                return true;
            }
        }
        usleep(1000);
    }
    return false;
}

static void put_sum(uint8_t *field, const uint8_t *data, unsigned int size)
{
    uint32_t sum = 0;

    field[0] = field[1] = 0;
    for (unsigned int i = 0; i < size; i++) {
        sum += (uint32_t)data[i] << (i % 2 == 0 ? 8 : 0);
    }
    sum = (sum & 0xffff) + (sum >> 16);
    sum = ~((sum & 0xffff) + (sum >> 16));
    field[0] = (uint8_t)(sum >> 8);
    field[1] = (uint8_t)sum;
}

/* Who has the peer's address; learns its MAC. An ARP has no hash. */
static bool find_peer(unsigned int queue)
{
    uint8_t arp[60] = { 0 };
    struct seen seen;

    memset(arp, 0xff, 6);
    memcpy(arp + 6, own_mac, 6);
    memcpy(arp + 12, "\x08\x06\x00\x01\x08\x00\x06\x04\x00\x01", 10);
    memcpy(arp + 22, own_mac, 6);
    memcpy(arp + 28, (uint8_t[]){ 10, 0, 0, own_ip }, 4);
    memcpy(arp + 38, (uint8_t[]){ 10, 0, 0, peer_ip }, 4);
    send_packet(queue, arp, sizeof(arp));
    if (!expect(0x0806, &seen)) {
        return false;
    }
    memcpy(peer_mac, seen.data + 6, 6);
    return seen.type == NO_HASH;
}

static bool ping(unsigned int queue, struct seen *seen)
{
    uint8_t echo[98] = { 0 };

    memcpy(echo, peer_mac, 6);
    memcpy(echo + 6, own_mac, 6);
    memcpy(echo + 12, "\x08\x00\x45\x00\x00\x54", 6);
    echo[22] = 64;
    echo[23] = 1;
    memcpy(echo + 26, (uint8_t[]){ 10, 0, 0, own_ip }, 4);
    memcpy(echo + 30, (uint8_t[]){ 10, 0, 0, peer_ip }, 4);
    put_sum(echo + 24, echo + 14, 20);
    echo[34] = 8;
    memset(echo + 42, 0x5a, sizeof(echo) - 42);
    put_sum(echo + 36, echo + 34, sizeof(echo) - 34);
    send_packet(queue, echo, sizeof(echo));
    return expect(0x0800, seen) && seen->size == sizeof(echo) &&
           memcmp(seen->data + 42, echo + 42, sizeof(echo) - 42) == 0;
}

/* The answers come with the hash and on the queue that we asked for. */
static bool pings(unsigned int count)
{
    const uint8_t input[8] = { 10, 0, 0, peer_ip, 10, 0, 0, own_ip };
    uint32_t hash = xen_netif_toeplitz_hash(key, sizeof(key), input, 8);
    struct seen seen;

    for (unsigned int i = 0; i < count; i++) {
        if (!ping(i % QUEUES, &seen) || seen.hash != hash ||
            seen.type != _XEN_NETIF_CTRL_HASH_TYPE_IPV4 ||
            seen.queue != mapping[hash % MAPPING]) {
            printf("ping %u: queue %u, hash type %u %#x, not %#x\n", i,
                   seen.queue, seen.type, seen.hash, hash);
            return false;
        }
    }
    return true;
}

static bool survives_storm(void)
{
    uint32_t size = 0;

    for (unsigned int i = 0; i < 20000; i++) {
        xenevtchn_notify(evtchn, (evtchn_port_t)ctrl_port);
    }
    return ask_well(XEN_NETIF_CTRL_TYPE_GET_HASH_MAPPING_SIZE, 0, 0, 0,
                    &size) && size == 128 && pings(20);
}

int main(int argc, char **argv)
{
    uint32_t size = 0;
    struct seen seen;

    if (argc != 4) {
        fprintf(stderr, "usage: ctrl_front HANDLE IP PEER_IP\n");
        return 2;
    }
    own_ip = (uint8_t)atoi(argv[2]);
    peer_ip = (uint8_t)atoi(argv[3]);
    snprintf(frontend, sizeof(frontend), "/local/domain/0/device/vif/%s",
             argv[1]);
    snprintf(backend, sizeof(backend), "/local/domain/0/backend/vif/0/%s",
             argv[1]);
    xs = xs_open(0);
    if (xs == NULL) {
        die("reaching XenStore");
    }
    make_pages();
    be_toolstack();
    result("offer", wait_state(XenbusStateInitWait) &&
           get_number(backend, "feature-ctrl-ring") == 1);
    connect_vif();
    result("connect", wait_state(XenbusStateConnected) &&
           get_number(backend, "state") == XenbusStateConnected);
    result("arp", find_peer(0));
    if (failed) {
        return 1;               /* the rest would only wait */
    }
    result("ping", ping(1, &seen) && seen.type == NO_HASH);
    result("hash", set_hash() && pings(20));
    result("static-size",
           ask_well(XEN_NETIF_CTRL_TYPE_GET_GREF_MAPPING_SIZE, 1, 0, 0,
                    &size) && size >= 2 * BUFFERS);
    result("static-add", add_static(0) && add_static(1) && pings(100));
    result("static-add-twice", !add_static(0) && pings(2));
    result("static-delete", del_static(1) && pings(20) && del_static(0) &&
           pings(20));
    result("storm", survives_storm());
    result("static-again", add_static(0) && add_static(1) && pings(20));
    ring_publish(&ctrl->req_prod, ctrl->rsp_prod + 1000);
    xenevtchn_notify(evtchn, (evtchn_port_t)ctrl_port);
    result("broken-ring", wait_state(XenbusStateClosing));
    return failed ? 1 : 0;
}
