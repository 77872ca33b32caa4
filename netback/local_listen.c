/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory of a local frontend and its socket.  Talks to local_front.c,
 * which uses what is made here.
 *
 * The memory: grant table | for each queue: TX ring, RX ring, TX pages, RX
 * pages | control ring, page for its requests | for each queue, when it
 * wants more than a slot's: its TX pages.
 *
 * Invariants:
 *  1. The memory is sealed against shrinking before anybody else has it.
 *  2. Rings and grants outlive a backend: accept only sends them again.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "local_private.h"

#define CTRL_PAGES 2u
#define QUEUE_PAGES (2u + 2u * LOCAL_FRONT_SLOTS)

static int make_memory(struct local_front *front)
{
    uint32_t queue_pages = front->queue_count * QUEUE_PAGES + CTRL_PAGES;
    uint32_t more = front->tx_pages > LOCAL_FRONT_SLOTS ?
                    front->queue_count * front->tx_pages : 0;
    size_t size;

    /* An entry for each page up to the last that a slot's entry is for. */
    front->grant_frames = queue_pages / LOCAL_GRANTS_PER_PAGE + 1;
    front->page_count = front->grant_frames + queue_pages;
    if (front->page_count > front->grant_frames * LOCAL_GRANTS_PER_PAGE) {
        front->grant_frames++;
        front->page_count++;
    }
    front->page_count += more;
    size = (size_t)front->page_count * ACCESS_PAGE_SIZE;
    front->memory_fd = memfd_create("gantry-vif",
                                    MFD_CLOEXEC | MFD_ALLOW_SEALING);
    if (front->memory_fd < 0 || ftruncate(front->memory_fd, (off_t)size) ||
        fcntl(front->memory_fd, F_ADD_SEALS,
              F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0) {
        return -errno;
    }
    front->memory = mmap(NULL, size, PROT_READ | PROT_WRITE,
                         MAP_SHARED | MAP_POPULATE, front->memory_fd, 0);
    if (front->memory == MAP_FAILED) {
        front->memory = NULL;
        return -errno;
    }
    return 0;
}

static void grant_ring(struct local_front *front, uint32_t gfn)
{
    union grant_v1 *grant = local_front_grant(front, gfn);

    grant->entry.frame = gfn;
    grant->entry.domid = LOCAL_BACKEND;
    grant->entry.flags = GTF_permit_access;
}

static int make_queue(struct local_front *front, unsigned int i)
{
    struct front_queue *q = &front->queues[i];
    int pair[2];

    q->tx_ring = front->grant_frames + i * QUEUE_PAGES;
    q->rx_ring = q->tx_ring + 1;
    q->tx_page = q->tx_ring + 2;
    q->rx_page = q->tx_page + LOCAL_FRONT_SLOTS;
    q->tx_pages = front->tx_pages;
    q->tx_first = q->tx_page;
    if (q->tx_pages > LOCAL_FRONT_SLOTS) {
        q->tx_first = front->grant_frames +
                      front->queue_count * QUEUE_PAGES + CTRL_PAGES +
                      i * q->tx_pages;
    }
    q->tx = local_front_page(front, q->tx_ring);
    q->rx = local_front_page(front, q->rx_ring);
    q->tx->req_event = q->tx->rsp_event = 1;
    q->rx->req_event = q->rx->rsp_event = 1;
    grant_ring(front, q->tx_ring);
    grant_ring(front, q->rx_ring);
    for (uint16_t id = 0; id < LOCAL_FRONT_SLOTS; id++) {
        q->rx_ids[id] = id;
    }
    local_front_fill(front, q);
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                   pair) != 0) {
        return -errno;
    }
    q->event = pair[0];
    q->backend_event = pair[1];
    return 0;
}

static int make_ctrl(struct local_front *front)
{
    int pair[2];

    front->ctrl_ring = front->grant_frames +
                       front->queue_count * QUEUE_PAGES;
    front->ctrl_page = front->ctrl_ring + 1;
    front->ctrl = local_front_page(front, front->ctrl_ring);
    front->ctrl->req_event = front->ctrl->rsp_event = 1;
    grant_ring(front, front->ctrl_ring);
    grant_ring(front, front->ctrl_page);
    if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0,
                   pair) != 0) {
        return -errno;
    }
    front->ctrl_event = pair[0];
    front->backend_ctrl_event = pair[1];
    return 0;
}

static int make_socket(struct local_front *front, const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };

    if (strlen(path) >= sizeof(address.sun_path)) {
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, path, strlen(path));
    front->listen_fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (front->listen_fd < 0) {
        return -errno;
    }
    unlink(path);               /* what a dead frontend left */
    if (bind(front->listen_fd, (struct sockaddr *)&address,
             sizeof(address)) != 0 ||
        listen(front->listen_fd, 1) != 0) {
        return -errno;
    }
    front->path = strdup(path);
    return front->path != NULL ? 0 : -ENOMEM;
}

struct local_front *local_front_create_with(
    const struct local_front_config *config)
{
    struct local_front *front = calloc(1, sizeof(*front));
    int error = 0;

    if (front == NULL) {
        return NULL;
    }
    front->fd = front->listen_fd = front->memory_fd = -1;
    front->ctrl_event = front->backend_ctrl_event = -1;
    for (unsigned int i = 0; i < LOCAL_QUEUES_MAX; i++) {
        front->queues[i].event = front->queues[i].backend_event = -1;
    }
    front->queue_count = config->queue_count;
    front->tx_pages = config->tx_pages;
    front->wanted = config->features;
    memcpy(front->mac, config->mac, sizeof(front->mac));
    if (front->queue_count == 0 || front->queue_count > LOCAL_QUEUES_MAX ||
        front->tx_pages == 0 ||
        front->tx_pages > LOCAL_PAGES_MAX / (2 * front->queue_count)) {
        error = -EINVAL;
    }
    if (error == 0) {
        error = make_memory(front);
    }
    for (unsigned int i = 0; i < front->queue_count && error == 0; i++) {
        error = make_queue(front, i);
    }
    if (error == 0) {
        error = make_ctrl(front);
    }
    if (error == 0) {
        error = make_socket(front, config->path);
    }
    if (error != 0) {
        local_front_destroy(front);
        errno = -error;
        return NULL;
    }
    return front;
}

struct local_front *local_front_create(const char *path,
                                       uint16_t queue_count,
                                       uint32_t features,
                                       const uint8_t mac[6])
{
    struct local_front_config config = {
        .path = path, .queue_count = queue_count, .features = features,
        .tx_pages = LOCAL_FRONT_SLOTS,
    };

    memcpy(config.mac, mac, sizeof(config.mac));
    return local_front_create_with(&config);
}

static void close_fd(int fd)
{
    if (fd >= 0) {
        close(fd);
    }
}

void local_front_destroy(struct local_front *front)
{
    for (unsigned int i = 0; i < LOCAL_QUEUES_MAX; i++) {
        close_fd(front->queues[i].event);
        close_fd(front->queues[i].backend_event);
    }
    if (front->memory != NULL) {
        munmap(front->memory, (size_t)front->page_count * ACCESS_PAGE_SIZE);
    }
    close_fd(front->ctrl_event);
    close_fd(front->backend_ctrl_event);
    close_fd(front->fd);
    close_fd(front->listen_fd);
    close_fd(front->memory_fd);
    if (front->path != NULL) {
        unlink(front->path);
        free(front->path);
    }
    free(front);
}

static int send_hello(struct local_front *front)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(LOCAL_FDS_MAX * sizeof(int))];
    } control = { .bytes = { 0 } };
    struct local_hello hello = {
        .magic = LOCAL_MAGIC, .version = LOCAL_VERSION,
        .queue_count = front->queue_count,
        .grant_frames = front->grant_frames,
        .features = front->features,
    };
    bool has_ctrl = (front->features & LOCAL_CTRL) != 0;
    size_t fds_size = (1u + front->queue_count + has_ctrl) * sizeof(int);
    struct iovec data = { &hello, sizeof(hello) };
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = CMSG_SPACE(fds_size),
    };
    struct cmsghdr *c = CMSG_FIRSTHDR(&message);
    int fds[LOCAL_FDS_MAX];

    memcpy(hello.mac, front->mac, sizeof(hello.mac));
    fds[0] = front->memory_fd;
    for (unsigned int i = 0; i < front->queue_count; i++) {
        hello.queues[i].tx_ref = front->queues[i].tx_ring;
        hello.queues[i].rx_ref = front->queues[i].rx_ring;
        fds[1 + i] = front->queues[i].backend_event;
    }
    if (has_ctrl) {
        hello.ctrl_ref = front->ctrl_ring;
        fds[1 + front->queue_count] = front->backend_ctrl_event;
    }
    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(fds_size);
    memcpy(CMSG_DATA(c), fds, fds_size);
    return sendmsg(front->fd, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Receive one message of exactly size bytes. */
static int receive(int fd, void *data, size_t size, int timeout_ms)
{
    struct pollfd wait = { .fd = fd, .events = POLLIN };
    ssize_t got;

    if (poll(&wait, 1, timeout_ms) != 1) {
        return -ETIMEDOUT;
    }
    got = recv(fd, data, size, MSG_DONTWAIT);
    if (got < 0) {
        return -errno;
    }
    return (size_t)got == size ? 0 : -EPROTO;
}

static int shake_hands(struct local_front *front, int timeout_ms)
{
    struct local_offer offer;
    struct local_verdict verdict;
    int error = receive(front->fd, &offer, sizeof(offer), timeout_ms);

    if (error == 0 && (offer.magic != LOCAL_MAGIC ||
                       offer.version != LOCAL_VERSION)) {
        error = -EPROTO;
    }
    if (error == 0) {
        front->features = offer.features & front->wanted;
        error = send_hello(front);
    }
    if (error == 0) {
        error = receive(front->fd, &verdict, sizeof(verdict), timeout_ms);
    }
    if (error == 0 && verdict.magic != LOCAL_MAGIC) {
        error = -EPROTO;
    }
    return error != 0 ? error : verdict.status > 0 ? -EPROTO : verdict.status;
}

int local_front_accept(struct local_front *front, int timeout_ms)
{
    struct pollfd wait = { .fd = front->listen_fd, .events = POLLIN };
    int error;

    if (front->fd >= 0) {
        close(front->fd);
        front->fd = -1;
    }
    if (poll(&wait, 1, timeout_ms) != 1) {
        return -ETIMEDOUT;
    }
    front->fd = accept4(front->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (front->fd < 0) {
        return -errno;
    }
    error = shake_hands(front, timeout_ms);
    if (error != 0) {
        close(front->fd);
        front->fd = -1;
    }
    return error;
}

bool local_front_is_closed(const struct local_front *front)
{
    struct pollfd wait = { .fd = front->fd, .events = POLLRDHUP };

    return front->fd < 0 || (poll(&wait, 1, 0) == 1 && wait.revents != 0);
}

uint32_t local_front_features(const struct local_front *front)
{
    return front->features;
}

int local_front_event_fd(const struct local_front *front, unsigned int queue)
{
    return front->queues[queue].event;
}

void local_front_kick(struct local_front *front, struct front_queue *q)
{
    static const char event = 1;

    (void)front;
    (void)!send(q->event, &event, sizeof(event), MSG_DONTWAIT | MSG_NOSIGNAL);
}

struct local_front_stats local_front_stats(const struct local_front *front,
                                           unsigned int queue)
{
    return front->queues[queue].stats;
}

void *local_front_page(struct local_front *front, uint32_t gfn)
{
    return front->memory + (size_t)gfn * ACCESS_PAGE_SIZE;
}

union grant_v1 *local_front_grant(struct local_front *front,
                                     grant_ref_t ref)
{
    return (union grant_v1 *)front->memory + ref;
}

grant_ref_t local_front_first_ref(const struct local_front *front,
                                  unsigned int queue)
{
    return front->queues[queue].tx_page;
}

netif_tx_sring_t *local_front_tx(struct local_front *front,
                                 unsigned int queue)
{
    return front->queues[queue].tx;
}

netif_rx_sring_t *local_front_rx(struct local_front *front,
                                 unsigned int queue)
{
    return front->queues[queue].rx;
}
