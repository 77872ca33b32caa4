/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A link to a backend in another process: memory that both share, a grant
 * table in it, and sockets for events (local.h has the protocol).
 *
 * The memory: grant table | for each queue: TX ring, RX ring, TX buffers, RX
 * buffers | control ring, its requests' page.  A page's grant reference is
 * its number.
 *
 * Invariants:
 *  1. The memory is sealed against shrinking before anybody else has it.
 *  2. Grants are given before the backend has the memory, and stay.
 *  3. Each connection has memory of its own, which dies with it.
 *  4. What the backend sends is received once, bounded, and compared; no
 *     number of its own is an index or a size.
 *  5. Events are sent by MSG_DONTWAIT, and nothing waits for a message: the
 *     backend cannot block us.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "netback/clock.h"
#include "netback/front_link.h"
#include "netback/local.h"

#define CTRL_PAGES 2u           /* the ring, and what its requests point to */
#define OFFER_MS 500            /* a backend that connects offers at once */
#define VERDICT_MS 2000         /* it maps the rings in between */
#define EVENTS_MAX 64u          /* taken at once */

struct local_front_link {
    struct front_link link;     /* first: a link is a local_front_link */
    int fd;                     /* the connection */
    struct front_wish wish;     /* that it was accepted with */
    bool greeted;               /* hello sent: its verdict is waited for */
    uint64_t until_ms;          /* the next message comes, or never */
    int memory_fd;
    uint8_t *memory;
    uint32_t page_count;
    uint32_t grant_frames;
    uint32_t tx_ring[FRONT_QUEUES_MAX];     /* gfns */
    int event[FRONT_QUEUES_MAX];            /* our ends */
    int backend_event[FRONT_QUEUES_MAX];    /* sent with the hello */
    uint32_t ctrl_ring;         /* gfn; 0: none */
    int backend_ctrl_event;     /* the other end of link.ctrl.fd */
    grant_ref_t *refs;          /* of each page: its number */
};

static void close_fd(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

static void send_event(int fd)
{
    static const char event = 1;

    /* A full socket has events pending already. */
    (void)!send(fd, &event, sizeof(event), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/* True: there was one at least. */
static bool take_events(int fd)
{
    char byte;

    /* Bounded: a backend that sends on and on is read some other time. */
    for (unsigned int i = 0; i < EVENTS_MAX; i++) {
        if (recv(fd, &byte, sizeof(byte), MSG_DONTWAIT) < 0) {
            return i != 0;
        }
    }
    return true;
}

static void notify(struct front_link *link, unsigned int queue, bool tx)
{
    (void)tx;                   /* one socket for both */
    send_event(((struct local_front_link *)link)->event[queue]);
}

static void drain(struct front_link *link, unsigned int queue)
{
    (void)take_events(((struct local_front_link *)link)->event[queue]);
}

static void notify_ctrl(struct front_link *link)
{
    send_event(link->ctrl.fd);
}

static bool drain_ctrl(struct front_link *link)
{
    return take_events(link->ctrl.fd);
}

static void destroy(struct front_link *link)
{
    struct local_front_link *local = (struct local_front_link *)link;

    for (unsigned int i = 0; i < FRONT_QUEUES_MAX; i++) {
        close_fd(local->event[i]);
        close_fd(local->backend_event[i]);
    }
    close_fd(link->ctrl.fd);
    close_fd(local->backend_ctrl_event);
    if (local->memory != NULL) {
        munmap(local->memory, (size_t)local->page_count * ACCESS_PAGE_SIZE);
    }
    close_fd(local->memory_fd);
    close_fd(local->fd);
    free(local->refs);
    free(local);
}

static const struct front_link_ops local_ops = {
    .name = "local",
    .notify = notify,
    .drain = drain,
    .notify_ctrl = notify_ctrl,
    .drain_ctrl = drain_ctrl,
    .destroy = destroy,
};

static uint32_t queue_pages(const struct front_wish *wish)
{
    return 2u + wish->tx_buffers + wish->rx_buffers;
}

static int make_memory(struct local_front_link *local,
                       const struct front_wish *wish)
{
    uint32_t pages = local->link.queue_count * queue_pages(wish) +
                     CTRL_PAGES;
    size_t size;

    /* One entry for each page, the table's own too: they are not granted. */
    local->grant_frames = pages / (LOCAL_GRANTS_PER_PAGE - 1) + 1;
    local->page_count = local->grant_frames + pages;
    size = (size_t)local->page_count * ACCESS_PAGE_SIZE;
    local->memory_fd = memfd_create("gantry-vif",
                                    MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (local->memory_fd < 0 || ftruncate(local->memory_fd, (off_t)size) ||
        fcntl(local->memory_fd, F_ADD_SEALS,
              F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        return -errno;
    }
    local->memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_POPULATE, local->memory_fd, 0);
    if (local->memory == MAP_FAILED) {
        local->memory = NULL;
        return -errno;
    }
    local->refs = calloc(local->page_count, sizeof(*local->refs));
    if (local->refs == NULL) {
        return -ENOMEM;
    }
    for (uint32_t i = 0; i < local->page_count; i++) {
        local->refs[i] = i;
    }
    return 0;
}

static uint8_t *page_of(const struct local_front_link *local, uint32_t gfn)
{
    return local->memory + (size_t)gfn * ACCESS_PAGE_SIZE;
}

/* Count pages from gfn on. */
static void grant(struct local_front_link *local, uint32_t gfn,
                  uint32_t count, uint16_t flags)
{
    grant_entry_v1_t *grants = (grant_entry_v1_t *)local->memory;

    for (uint32_t i = gfn; i < gfn + count; i++) {
        /* Without memory make_memory() has failed: no errno of it is 0. */
        /* NOLINTNEXTLINE(clang-analyzer-core.NullDereference) */
        grants[i] = (grant_entry_v1_t){
            .flags = GTF_permit_access | flags,
            .domid = LOCAL_BACKEND,
            .frame = i,
        };
    }
}

static struct backend_buffers buffers_at(const struct local_front_link *local,
                                         uint32_t gfn, uint16_t count)
{
    return (struct backend_buffers){
        .pages = page_of(local, gfn),
        .refs = local->refs + gfn,
        .count = count,
    };
}

static int make_queue(struct local_front_link *local,
                      const struct front_wish *wish, unsigned int i)
{
    struct front_link_queue *q = &local->link.queues[i];
    uint32_t gfn = local->grant_frames + i * queue_pages(wish);
    int pair[2];

    local->tx_ring[i] = gfn;
    q->tx = (netif_tx_sring_t *)page_of(local, gfn);
    q->rx = (netif_rx_sring_t *)page_of(local, gfn + 1);
    grant(local, gfn, 2, 0);
    q->tx_buffers = buffers_at(local, gfn + 2, wish->tx_buffers);
    grant(local, gfn + 2, wish->tx_buffers, GTF_readonly);
    gfn += 2u + wish->tx_buffers;
    q->rx_buffers = buffers_at(local, gfn, wish->rx_buffers);
    grant(local, gfn, wish->rx_buffers, 0);
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                   pair) != 0) {
        return -errno;
    }
    local->event[i] = q->fd = pair[0];
    local->backend_event[i] = pair[1];
    return 0;
}

static int make_ctrl(struct local_front_link *local,
                     const struct front_wish *wish)
{
    struct front_link_ctrl *ctrl = &local->link.ctrl;
    int pair[2];

    local->ctrl_ring = local->grant_frames +
                       local->link.queue_count * queue_pages(wish);
    grant(local, local->ctrl_ring, CTRL_PAGES, 0);
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                   pair) != 0) {
        return -errno;
    }
    local->backend_ctrl_event = pair[1];
    ctrl->fd = pair[0];
    ctrl->ring = (xen_netif_ctrl_sring_t *)page_of(local, local->ctrl_ring);
    ctrl->page_ref = local->ctrl_ring + 1;
    ctrl->page = page_of(local, ctrl->page_ref);
    return 0;
}

/* Receive one message of exactly size bytes.  -EAGAIN: not yet. */
static int receive(const struct local_front_link *local, void *data,
                   size_t size)
{
    ssize_t got = recv(local->fd, data, size, MSG_DONTWAIT | MSG_TRUNC);

    if (got < 0) {
        return errno == EAGAIN && clock_ms() >= local->until_ms ? -ETIMEDOUT
                                                                : -errno;
    }
    if (got == 0) {
        return -EPIPE;
    }
    return (size_t)got == size ? 0 : -EPROTO;
}

static uint32_t wanted_features(const struct front_wish *wish)
{
    uint32_t features = LOCAL_CSUM | LOCAL_CTRL;

    features |= wish->scatter || wish->lro ? LOCAL_SG : 0;
    features |= wish->lro ? LOCAL_GSO_TCPV4 | LOCAL_GSO_TCPV6 : 0;
    return features;
}

static int send_hello(const struct local_front_link *local,
                      const struct front_wish *wish, uint32_t features)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(LOCAL_FDS_MAX * sizeof(int))];
    } control = { .bytes = { 0 } };
    struct local_hello hello = {
        .magic = LOCAL_MAGIC, .version = LOCAL_VERSION,
        .queue_count = local->link.queue_count,
        .grant_frames = local->grant_frames,
        .features = features,
        .ctrl_ref = local->ctrl_ring,
    };
    unsigned int fd_count = 1u + local->link.queue_count;
    size_t fds_size = (fd_count + (local->ctrl_ring != 0)) * sizeof(int);
    struct iovec data = { &hello, sizeof(hello) };
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = CMSG_SPACE(fds_size),
    };
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    int fds[LOCAL_FDS_MAX] = { local->memory_fd };

    memcpy(hello.mac, wish->mac, sizeof(hello.mac));
    for (unsigned int i = 0; i < local->link.queue_count; i++) {
        hello.queues[i].tx_ref = local->tx_ring[i];
        hello.queues[i].rx_ref = local->tx_ring[i] + 1;
        fds[1 + i] = local->backend_event[i];
    }
    if (local->ctrl_ring != 0) {
        fds[fd_count] = local->backend_ctrl_event;
    }
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(fds_size);
    memcpy(CMSG_DATA(c), fds, fds_size);
    return sendmsg(local->fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static void note_features(struct front_link *link, uint32_t offered)
{
    /* Its features are what it sends and what it takes: local.h. */
    link->takes = (struct burst_takes){
        .csum_ipv4 = true,
        .csum_ipv6 = true,
        .gso_tcpv4 = (offered & LOCAL_GSO_TCPV4) != 0,
        .gso_tcpv6 = (offered & LOCAL_GSO_TCPV6) != 0,
    };
    link->linear = (offered & LOCAL_SG) == 0;
}

static int make_queues(struct local_front_link *local,
                       const struct front_wish *wish, uint32_t features)
{
    int error = make_memory(local, wish);

    for (unsigned int i = 0; i < local->link.queue_count && error == 0;
         i++) {
        error = make_queue(local, wish, i);
    }
    if (error == 0 && (features & LOCAL_CTRL) != 0) {
        error = make_ctrl(local, wish);
    }
    if (error == 0) {
        wish->prepare(wish->front, &local->link);
    }
    return error;
}

/* Take the offer, make what it allows, and say hello. */
static int greet(struct local_front_link *local, const char **why)
{
    const struct front_wish *wish = &local->wish;
    struct local_offer offer;
    uint32_t features;
    int error = receive(local, &offer, sizeof(offer));

    *why = "who connects is no backend of a local vif, or another version";
    if (error == 0 && (offer.magic != LOCAL_MAGIC ||
                       offer.version != LOCAL_VERSION ||
                       offer.queues_max == 0)) {
        error = -EPROTO;
    }
    if (error != 0) {
        return error;
    }
    *why = "no memory for rings and buffers";
    local->link.queue_count = RTE_MIN(wish->queues, offer.queues_max);
    features = offer.features & wanted_features(wish);
    error = make_queues(local, wish, features);
    if (error != 0) {
        return error;
    }
    note_features(&local->link, offer.features & features);
    local->greeted = true;
    local->until_ms = clock_ms() + VERDICT_MS;
    return send_hello(local, wish, features);
}

static int take_verdict(const struct local_front_link *local,
                        const char **why)
{
    struct local_verdict verdict;
    int error = receive(local, &verdict, sizeof(verdict));

    *why = "the backend refuses the rings";
    if (error == 0 && (verdict.magic != LOCAL_MAGIC || verdict.status != 0)) {
        error = -EPROTO;
    }
    return error;
}

int front_local_listen(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    struct stat st;
    int fd, error;

    if (strlen(path) >= sizeof(address.sun_path)) {
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    if (lstat(path, &st) == 0 && S_ISSOCK(st.st_mode)) {
        unlink(path);           /* what a dead frontend left */
    }
    if (bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, 1) != 0) {
        error = -errno;
        close(fd);
        return error;
    }
    return fd;
}

static struct local_front_link *new_link(int fd)
{
    struct local_front_link *local = calloc(1, sizeof(*local));

    if (local == NULL) {
        return NULL;
    }
    local->link.ops = &local_ops;
    local->fd = fd;
    local->memory_fd = local->link.ctrl.fd = local->backend_ctrl_event = -1;
    for (unsigned int i = 0; i < FRONT_QUEUES_MAX; i++) {
        local->event[i] = local->backend_event[i] = -1;
        local->link.queues[i].fd = -1;
    }
    return local;
}

/* Errors of one that gave up, or died: another will come. */
static bool has_left(int error)
{
    return error == -EPIPE || error == -ECONNRESET || error == -ETIMEDOUT ||
           error == -ECONNABORTED;
}

int front_local_accept(int listen_fd, const struct front_wish *wish,
                       struct front_link **link, const char **why)
{
    struct local_front_link *local;
    int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    *link = NULL;
    if (fd < 0) {
        *why = "cannot accept a backend";
        return has_left(-errno) || errno == EAGAIN ? 0 : -errno;
    }
    local = new_link(fd);
    if (local == NULL) {
        close(fd);
        *why = "no memory";
        return -ENOMEM;
    }
    local->wish = *wish;
    local->until_ms = clock_ms() + OFFER_MS;
    *link = &local->link;
    return 0;
}

int front_local_step(struct front_link *link, const char **why)
{
    struct local_front_link *local = (struct local_front_link *)link;
    int error = local->greeted ? 0 : greet(local, why);

    if (error == 0) {
        error = take_verdict(local, why);
    }
    return has_left(error) ? -EPIPE : error;
}

int front_local_fd(const struct front_link *link)
{
    return ((const struct local_front_link *)link)->fd;
}

bool front_local_is_closed(const struct front_link *link)
{
    struct pollfd wait = {
        .fd = front_local_fd(link), .events = POLLRDHUP,
    };

    return poll(&wait, 1, 0) == 1 && wait.revents != 0;
}
