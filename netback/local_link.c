/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The backend's end of a local vif's socket: offer, hello, verdict, and the
 * mapping of the frontend's memory.
 *
 * Invariants:
 *  1. The frontend is as little trusted as a guest: its hello is received
 *     once into private memory and checked before anything is used.
 *  2. The memory is tmpfs and sealed against shrinking, so no later access
 *     to the mapping faults; no other file type can be behind it.
 *  3. Events are sent on sockets, by MSG_DONTWAIT: unlike an eventfd, whose
 *     flags the frontend could change, a socket then never blocks us.
 *     Nothing but a socket is taken for one.
 *  4. Every descriptor that came is kept in the link or closed.
 *  5. Nothing waits for the frontend, but for local_connect().
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <poll.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "local.h"

/* What came with a hello. */
struct received {
    struct local_hello hello;
    size_t size;
    size_t fd_count;
    int fds[LOCAL_FDS_MAX];
};

int local_check(const struct local_hello *hello, size_t size,
                size_t fd_count, uint32_t page_count,
                const struct local_offer *offer, const char **why)
{
    if (size != sizeof(*hello) || hello->magic != LOCAL_MAGIC) {
        *why = "who listens on the socket is no frontend of a local vif";
        return -EPROTO;
    }
    if (hello->version != LOCAL_VERSION || hello->pad[0] != 0 ||
        hello->pad[1] != 0) {
        *why = "the frontend speaks another version of the protocol";
        return -EPROTO;
    }
    if (hello->queue_count == 0 || hello->queue_count > LOCAL_QUEUES_MAX ||
        hello->queue_count > offer->queues_max) {
        *why = "the frontend wants more queues than were offered, or none";
        return -EPROTO;
    }
    if (hello->ctrl_ref != 0 && (offer->features & LOCAL_CTRL) == 0) {
        *why = "the frontend has a control ring that was not offered";
        return -EPROTO;
    }
    if (fd_count != 1u + hello->queue_count + (hello->ctrl_ref != 0)) {
        *why = "the frontend sent a wrong number of file descriptors";
        return -EPROTO;
    }
    if (page_count == 0 || page_count > LOCAL_PAGES_MAX ||
        hello->grant_frames == 0 || hello->grant_frames > page_count ||
        hello->grant_frames > LOCAL_GRANT_FRAMES_MAX) {
        *why = "the frontend's memory or its grant table has a wrong size";
        return -EPROTO;
    }
    return 0;
}

/* Pages of the frontend's memory, or 0: not fit to be mapped. */
static uint32_t memory_pages(int fd)
{
    struct statfs fs;
    struct stat st;
    int seals = fcntl(fd, F_GET_SEALS);

    if (seals < 0 || (seals & F_SEAL_SHRINK) == 0 ||
        fstatfs(fd, &fs) != 0 || fs.f_type != TMPFS_MAGIC ||
        fstat(fd, &st) != 0 || st.st_size % ACCESS_PAGE_SIZE != 0 ||
        st.st_size / ACCESS_PAGE_SIZE > LOCAL_PAGES_MAX) {
        return 0;
    }
    return (uint32_t)(st.st_size / ACCESS_PAGE_SIZE);
}

static void take_fds(struct msghdr *message, struct received *in)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c != NULL;
         c = CMSG_NXTHDR(message, c)) {
        size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS) {
            continue;
        }
        for (size_t i = 0; i < count; i++) {
            int fd;

            memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
            if (in->fd_count < LOCAL_FDS_MAX) {
                in->fds[in->fd_count++] = fd;
            } else {
                close(fd);
            }
        }
    }
}

static int receive(int fd, struct received *in)
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(LOCAL_FDS_MAX * sizeof(int))];
    } control;
    struct iovec data = { &in->hello, sizeof(in->hello) };
    struct msghdr message = {
        .msg_iov = &data, .msg_iovlen = 1,
        .msg_control = control.bytes, .msg_controllen = sizeof(control),
    };
    ssize_t size;

    size = recvmsg(fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (size < 0) {
        return -errno;
    }
    in->size = (size_t)size;
    take_fds(&message, in);
    return (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0 ? -EPROTO : 0;
}

static int open_socket(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    int fd;

    if (strlen(path) >= sizeof(address.sun_path)) {
        return -ENAMETOOLONG;
    }
    memcpy(address.sun_path, path, strlen(path));
    fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return -errno;
    }
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0) {
        int error = -errno;

        close(fd);
        return error;
    }
    return fd;
}

/* Addresses that the memory takes: whole chunks (window.h). */
static size_t memory_room(uint32_t pages)
{
    uint32_t chunks = (pages + WINDOW_CHUNK_PAGES - 1) / WINDOW_CHUNK_PAGES;

    return (size_t)chunks * WINDOW_CHUNK_SIZE;
}

static int map_memory(struct local_link *link, int fd, uint32_t pages)
{
    size_t room = memory_room(pages);
    void *memory = mmap(NULL, room, PROT_NONE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (memory == MAP_FAILED) {
        return -errno;
    }
    if (mmap(memory, (size_t)pages * ACCESS_PAGE_SIZE,
             PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
        MAP_FAILED) {
        int error = -errno;

        munmap(memory, room);
        return error;
    }
    link->memory = memory;
    link->page_count = pages;
    return 0;
}

static uint64_t memory_id(int fd)
{
    struct stat st;

    return fstat(fd, &st) == 0 ? st.st_ino : 0;
}

/*
 * What is waited for is asked whether it is ready, and a file of a file
 * system in user space answers that, and fstat(), when it likes.
 */
static bool are_sockets(const int *fds, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        socklen_t size = sizeof(int);
        int type;

        if (getsockopt(fds[i], SOL_SOCKET, SO_TYPE, &type, &size) != 0) {
            return false;
        }
    }
    return true;
}

/* Take over what a checked hello brought. */
static int adopt(struct local_link *link, struct received *in,
                 const char **why)
{
    const struct local_offer *offer = &link->offer;
    const struct local_hello *hello = &in->hello;
    uint32_t pages = in->fd_count != 0 ? memory_pages(in->fds[0]) : 0;
    int error = local_check(hello, in->size, in->fd_count, pages, offer,
                            why);

    if (error != 0) {
        return error;
    }
    *why = "the frontend's events come on what is no socket";
    if (!are_sockets(&in->fds[1], in->fd_count - 1)) {
        return -EPROTO;
    }
    *why = "the frontend's memory cannot be mapped";
    error = map_memory(link, in->fds[0], pages);
    if (error != 0) {
        return error;
    }
    link->queue_count = hello->queue_count;
    link->grant_count = hello->grant_frames * LOCAL_GRANTS_PER_PAGE;
    link->memory_id = memory_id(in->fds[0]);
    link->features = hello->features & offer->features;
    memcpy(link->mac, hello->mac, sizeof(link->mac));
    for (unsigned int i = 0; i < link->queue_count; i++) {
        link->tx_ref[i] = hello->queues[i].tx_ref;
        link->rx_ref[i] = hello->queues[i].rx_ref;
        link->event[i] = in->fds[1 + i];
        in->fds[1 + i] = -1;
    }
    if (hello->ctrl_ref != 0) {
        link->ctrl_ref = hello->ctrl_ref;
        link->ctrl_event = in->fds[1 + link->queue_count];
        in->fds[1 + link->queue_count] = -1;
    }
    return 0;
}

void local_answer(const struct local_link *link, int status)
{
    const struct local_verdict verdict = {
        .magic = LOCAL_MAGIC, .status = status,
    };

    /* One that has gone is found by local_is_closed(). */
    (void)!send(link->fd, &verdict, sizeof(verdict), MSG_NOSIGNAL);
}

int local_begin(const char *path, uint16_t queues_max, uint32_t features,
                struct local_link *link, const char **why)
{
    int error = 0;

    memset(link, 0, sizeof(*link));
    link->offer = (struct local_offer){
        .magic = LOCAL_MAGIC, .version = LOCAL_VERSION,
        .queues_max = queues_max, .features = features,
    };
    *why = "nobody listens on the socket";
    link->fd = open_socket(path);
    if (link->fd < 0) {
        error = link->fd;
    } else if (send(link->fd, &link->offer, sizeof(link->offer),
                    MSG_NOSIGNAL) < 0) {
        error = -errno;
        *why = "the frontend takes no offer";
    }
    if (error != 0) {
        local_disconnect(link);
    }
    return error;
}

int local_finish(struct local_link *link, const char **why)
{
    struct received in = { .fd_count = 0 };
    int error;

    *why = "the frontend's hello cannot be received";
    error = receive(link->fd, &in);
    if (error == -EAGAIN) {
        return error;
    }
    if (error == 0) {
        error = adopt(link, &in, why);
    }
    for (size_t i = 0; i < in.fd_count; i++) {
        if (in.fds[i] >= 0) {
            close(in.fds[i]);
        }
    }
    if (error != 0) {
        local_answer(link, error);
        local_disconnect(link);
    }
    return error;
}

int local_connect(const char *path, uint16_t queues_max, uint32_t features,
                  int timeout_ms, struct local_link *link, const char **why)
{
    int error = local_begin(path, queues_max, features, link, why);
    struct pollfd wait = { .fd = link->fd, .events = POLLIN };

    if (error != 0) {
        return error;
    }
    (void)poll(&wait, 1, timeout_ms);
    error = local_finish(link, why);
    if (error == -EAGAIN) {
        *why = "the frontend does not answer";
        error = -ETIMEDOUT;
        local_answer(link, error);
        local_disconnect(link);
    }
    return error;
}

bool local_is_closed(const struct local_link *link)
{
    struct pollfd wait = { .fd = link->fd, .events = POLLRDHUP };

    return link->fd < 0 || (poll(&wait, 1, 0) == 1 && wait.revents != 0);
}

void local_disconnect(struct local_link *link)
{
    for (unsigned int i = 0; i < link->queue_count; i++) {
        close(link->event[i]);
    }
    if (link->ctrl_ref != 0) {
        close(link->ctrl_event);
    }
    if (link->memory != NULL) {
        munmap(link->memory, memory_room(link->page_count));
    }
    if (link->fd >= 0) {
        close(link->fd);
    }
    memset(link, 0, sizeof(*link));
    link->fd = -1;
}
