/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzzes what a backend reads in XenStore: a vif's whole life, with its
 * queues' and its control ring's nodes, against a frontend that writes what
 * it likes into its own, a toolstack that changes its mind, and a xenstored
 * that goes away.  Xen's libraries are stand-ins that count what is held.
 *
 * Whatever happens: a vif has a link just when it has queues, no more of
 * them than were offered; what is held is the queues' and, closed, nothing;
 * and the frontend's nodes are never written.
 */
#include <errno.h>
#include <unistd.h>

#include "fuzz.h"
#include "netback/direct.h"
#include "netback/gcopy.h"
#include "netback/vif.h"
#include "netback/vif_ctrl.h"
#include "netback/vif_log.h"
#include "tests/fake/control.h"
#include "tests/fake/xenstore.h"
#include "tools/libdom0/dom0.h"
#include "tools/libdom0/xenbus.h"

#define BACKEND "/local/domain/0/backend/vif/1/0"
#define FRONTEND "/local/domain/1/device/vif/0"
#define QUEUES 4u
#define STEPS 400u
#define REFS 32u                /* grants that can be mapped */
#define PORTS 64u               /* channels that can be bound */

static uint8_t pages[REFS][ACCESS_PAGE_SIZE]
    __attribute__((aligned(ACCESS_PAGE_SIZE)));
static struct vif *vif;
static int handles, mapped, bound, accesses;    /* held now */
static int event_fd = -1;
static bool by_another_process;

struct stand_in {
    struct access access;
};

static void *map_page(grant_ref_t ref)
{
    mapped += ref < REFS;
    errno = EINVAL;
    return ref < REFS ? pages[ref] : NULL;
}

static void *access_map(struct access *access, grant_ref_t ref)
{
    (void)access;
    return map_page(ref);
}

static void access_unmap(struct access *access, void *page)
{
    (void)access;
    fuzz_require(page != NULL, "nothing is unmapped");
    mapped--;
}

static void access_copy_none(struct access *access,
                             enum access_direction direction,
                             struct access_copy *copies, unsigned int count)
{
    (void)access;
    (void)direction;
    for (unsigned int i = 0; i < count; i++) {
        copies[i].status = GNTST_general_error;
    }
}

static void access_notify(struct access *access, int port)
{
    (void)access;
    fuzz_require(port >= 0, "an event on no port");
}

static void access_destroy(struct access *access)
{
    accesses--;
    free(access);
}

static const struct access_ops access_ops = {
    .name = "stand-in", .copy = access_copy_none, .map = access_map,
    .unmap = access_unmap, .notify = access_notify,
    .destroy = access_destroy,
};

struct access *gcopy_create(const struct gcopy_config *config,
                            const char **why)
{
    struct stand_in *s = calloc(1, sizeof(*s));

    (void)why;
    fuzz_require(config->domid == 1, "another guest");
    s->access.ops = &access_ops;
    accesses++;
    return &s->access;
}

/* Xen's libraries. */
xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger,
                                 unsigned int flags)
{
    (void)logger;
    (void)flags;
    handles++;
    return (xengnttab_handle *)pages;
}

int xengnttab_close(xengnttab_handle *handle)
{
    (void)handle;
    handles--;
    return 0;
}

void *xengnttab_map_grant_ref(xengnttab_handle *handle, uint32_t domid,
                              uint32_t ref, int prot)
{
    (void)handle;
    (void)domid;
    (void)prot;
    return map_page(ref);
}

int xengnttab_unmap(xengnttab_handle *handle, void *start, uint32_t count)
{
    (void)handle;
    fuzz_require(start != NULL && count == 1, "nothing is unmapped");
    mapped--;
    return 0;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger,
                                 unsigned int flags)
{
    int *ports = calloc(1, sizeof(*ports));

    (void)logger;
    (void)flags;
    handles++;
    return (xenevtchn_handle *)ports;
}

int xenevtchn_close(xenevtchn_handle *handle)
{
    int *ports = (int *)handle;

    handles--;
    bound -= *ports;            /* with the handle */
    free(ports);
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *handle)
{
    (void)handle;
    return event_fd;
}

xenevtchn_port_or_error_t
xenevtchn_bind_interdomain(xenevtchn_handle *handle, uint32_t domid,
                           evtchn_port_t port)
{
    (void)domid;
    if (port >= PORTS) {
        errno = EINVAL;
        return -1;
    }
    bound++;
    ++*(int *)handle;
    return (int)port;
}

int xenevtchn_unbind(xenevtchn_handle *handle, evtchn_port_t port)
{
    fuzz_require(port < PORTS, "a port that is not bound");
    bound--;
    --*(int *)handle;
    return 0;
}

xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *handle)
{
    (void)handle;
    return -1;
}

int xenevtchn_unmask(xenevtchn_handle *handle, evtchn_port_t port)
{
    (void)handle;
    (void)port;
    return 0;
}

/* Parts of the driver that read no node. */
void control_release(struct control_member *member, struct xs_handle *xs)
{
    vif_release((struct vif *)member, xs);
}

bool dom0_kernel_has_vif(unsigned int domid, unsigned int handle,
                         char *driver, size_t size)
{
    (void)domid;
    (void)handle;
    (void)driver;
    (void)size;
    return false;
}

struct direct_window *direct_window_get(const struct direct_guest *guest,
                                        const char **why)
{
    fuzz_require(strlen(guest->identity) < XENBUS_TEXT_MAX, "an identity");
    *why = "there is none";
    errno = ENOSYS;
    return NULL;
}

void direct_window_put(struct direct_window *window)
{
    fuzz_require(window == NULL, "a window");
}

struct direct_view *direct_window_view(struct direct_window *window)
{
    (void)window;
    abort();
}

struct access *direct_create(struct direct_view *view, struct access *copy,
                             uint64_t *record, struct window_counts *counts)
{
    (void)view;
    (void)record;
    (void)counts;
    return copy;
}

int vif_journal_open(struct vif *v, const char *identity,
                     unsigned int queues, const char **why)
{
    (void)v;
    (void)identity;
    fuzz_require(queues != 0 && queues <= QUEUES, "queues of a journal");
    *why = "another process";
    return by_another_process ? -EBUSY : 0;
}

void vif_journal_undo(struct vif *v)
{
    (void)v;
}

struct journal_half *vif_journal_half(struct vif *v, unsigned int queue,
                                      bool to_guest, uint32_t ring)
{
    (void)v;
    (void)queue;
    (void)to_guest;
    (void)ring;
    return NULL;
}

void vif_journal_finish(struct vif_queue *q, void *tx_ring,
                        struct journal_half *from, void *rx_ring,
                        struct journal_half *to)
{
    (void)q;
    (void)tx_ring;
    (void)from;
    (void)rx_ring;
    (void)to;
}

void vif_journal_close(struct vif *v)
{
    (void)v;
}

void vif_wake_open(struct vif *v, unsigned int queue)
{
    (void)v;
    (void)queue;
}

void vif_wake_close(struct vif *v, unsigned int queue)
{
    (void)v;
    (void)queue;
}

void vif_local_disconnect(struct vif *v)
{
    (void)v;
    abort();
}

int vif_control_watch(struct vif *watched, int fd)
{
    (void)watched;
    return fd == event_fd ? 0 : -EBADF;
}

void vif_control_rearm(struct vif *watched, int fd)
{
    (void)watched;
    (void)fd;
}

void vif_control_unwatch(int fd)
{
    (void)fd;
}

static void changed(uint16_t owner, bool link, bool queues_changed)
{
    (void)owner;
    (void)link;
    (void)queues_changed;
}

/* What a frontend can write, and what the toolstack does. */
static const char *const nodes[] = {
    FRONTEND "/state", FRONTEND "/state", FRONTEND "/state",
    FRONTEND "/request-rx-copy",
    FRONTEND "/multi-queue-num-queues",
    FRONTEND "/tx-ring-ref", FRONTEND "/rx-ring-ref",
    FRONTEND "/event-channel",
    FRONTEND "/event-channel-tx", FRONTEND "/event-channel-rx",
    FRONTEND "/queue-0/tx-ring-ref", FRONTEND "/queue-0/rx-ring-ref",
    FRONTEND "/queue-0/event-channel",
    FRONTEND "/queue-1/tx-ring-ref", FRONTEND "/queue-1/rx-ring-ref",
    FRONTEND "/queue-1/event-channel-tx",
    FRONTEND "/queue-1/event-channel-rx",
    FRONTEND "/ctrl-ring-ref", FRONTEND "/event-channel-ctrl",
    FRONTEND "/feature-sg", FRONTEND "/feature-gso-tcpv4",
    BACKEND "/state", BACKEND "/online", BACKEND "/frontend",
    BACKEND "/frontend-id", BACKEND "/mac", "/local/domain/1/vm",
};

static void write_node(struct fuzz_input *in)
{
    const char *path = nodes[fuzz_byte(in) % (sizeof(nodes) /
                                              sizeof(*nodes))];
    uint8_t shape = fuzz_byte(in);
    char value[64];
    size_t size;

    if ((shape & 3) != 0) {
        size = (size_t)snprintf(value, sizeof(value), "%u",
                                fuzz_byte(in) % ((shape & 4) != 0 ? 8u
                                                                  : 40u));
    } else {
        size = shape >> 2 & 0x3f;
        fuzz_bytes(in, value, size);
    }
    if (strcmp(path, BACKEND "/frontend") == 0 && (shape & 3) != 0) {
        fake_store_set(path, FRONTEND);
    } else if (strcmp(path, BACKEND "/frontend-id") == 0 &&
               (shape & 3) != 0) {
        fake_store_set(path, "1");
    } else {
        fake_store_set_bytes(path, value, size);
    }
}

/* All that a good frontend writes. */
static void write_good(struct fuzz_input *in)
{
    static const char *const good[][2] = {
        { FRONTEND "/request-rx-copy", "1" },
        { FRONTEND "/multi-queue-num-queues", "2" },
        { FRONTEND "/queue-0/tx-ring-ref", "1" },
        { FRONTEND "/queue-0/rx-ring-ref", "2" },
        { FRONTEND "/queue-0/event-channel", "3" },
        { FRONTEND "/queue-1/tx-ring-ref", "4" },
        { FRONTEND "/queue-1/rx-ring-ref", "5" },
        { FRONTEND "/queue-1/event-channel-tx", "6" },
        { FRONTEND "/queue-1/event-channel-rx", "7" },
        { FRONTEND "/tx-ring-ref", "10" },
        { FRONTEND "/rx-ring-ref", "11" },
        { FRONTEND "/event-channel", "12" },
        { FRONTEND "/ctrl-ring-ref", "8" },
        { FRONTEND "/event-channel-ctrl", "9" },
    };
    uint8_t but = fuzz_byte(in);

    for (unsigned int i = 0; i < sizeof(good) / sizeof(*good); i++) {
        if (but % 32 != i) {
            fake_store_set(good[i][0], good[i][1]);
        }
    }
    if ((but & 64) != 0) {
        fake_store_remove(FRONTEND "/multi-queue-num-queues");
    }
    if ((but & 128) != 0) {     /* begin with new rings */
        memset(pages, 0, sizeof(pages));
    }
    fake_store_set(FRONTEND "/state", (but & 32) != 0 ? "1" : "4");
}

/* Indices of rings, small ones more often than not. */
static void write_page(struct fuzz_input *in)
{
    uint32_t *words = (uint32_t *)pages[fuzz_byte(in) % 16];

    words[fuzz_byte(in) % 16] = (fuzz_byte(in) & 3) != 0 ? fuzz_byte(in)
                                                         : fuzz_word(in);
}

static void step(struct fuzz_input *in)
{
    switch (fuzz_byte(in) % 16) {
    case 0:
        write_page(in);
        break;
    case 1:
        write_good(in);
        break;
    case 2:
        fake_store_remove(fuzz_byte(in) == 1 ? BACKEND : FRONTEND);
        break;
    case 3:
        fake_store_break_after(fuzz_byte(in) % 40);
        break;
    case 4:
        fake_store_set_broken(false);
        break;
    case 5:
        fake_store_set_domain(fuzz_byte(in) != 1);
        break;
    case 6:
        vif_break(vif, "the fuzzer says so");
        break;
    case 7:
        by_another_process = (fuzz_byte(in) & 7) == 0;
        break;
    case 8:
        vif_ctrl_event(vif);
        (void)vif_ctrl_turn(vif, fuzz_word(in));
        break;
    default:
        write_node(in);
    }
}

static void check(void)
{
    fuzz_require(vif->link == (vif->life == VIF_CONNECTED), "a link");
    fuzz_require(vif->link == (vif->queue_count != 0), "a link's queues");
    fuzz_require(vif->queue_count <= QUEUES, "queues that were not offered");
    fuzz_require(vif->ctrl == NULL || vif->link, "a ring without a link");
    if (!vif->link) {
        fuzz_require(handles == 0 && mapped == 0 && bound == 0 &&
                     accesses == 0, "something is held");
        return;
    }
    fuzz_require(mapped == 2 * vif->queue_count + (vif->ctrl != NULL),
                 "rings of the queues");
    fuzz_require(accesses == 2 * vif->queue_count + (vif->ctrl != NULL),
                 "accesses of the queues");
    fuzz_require(handles == 1 + vif->queue_count + (vif->ctrl != NULL),
                 "handles of the queues");
}

/* A vif that the toolstack has just made. */
static void begin(void)
{
    const struct vif_config config = {
        .domid = 1, .handle = 0, .queues = QUEUES, .tso = true,
        .changed = changed,
    };

    fake_store_reset();
    memset(pages, 0, sizeof(pages));
    by_another_process = false;
    fake_store_set(BACKEND "/frontend", FRONTEND);
    fake_store_set(BACKEND "/frontend-id", "1");
    fake_store_set(BACKEND "/state", "1");
    fake_store_set(FRONTEND "/state", "1");
    vif = vif_create(&config);
    fuzz_require(vif != NULL && vif_start(vif, true, VIF_FRAME_ANY) == 0,
                 "a vif");
}

static void end(void)
{
    vif_destroy(vif);
    fuzz_require(handles == 0 && mapped == 0 && bound == 0 && accesses == 0,
                 "something stays");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };

    if (event_fd < 0) {
        event_fd = dup(0);
        fuzz_require(event_fd >= 0, "a descriptor");
    }
    begin();
    for (unsigned int i = 0; i < STEPS && in.size != 0; i++) {
        step(&in);
        vif_update(vif, fake_store_handle());
        check();
        if (vif->life == VIF_GONE) {
            end();
            begin();
        }
    }
    end();
    return 0;
}
