/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Fuzzes what a backend reads in XenStore: a vif's whole life, with its
 * queues' and its control ring's nodes, against a frontend that writes what
 * it likes into its own, a toolstack that changes its mind, and a xenstored
 * that goes away.  Xen's libraries are stand-ins that count what is held.
 *
 * Whatever happens: a vif has a link just when it has queues, no more of
 * them than were offered; what is held is the queues' and, closed, nothing;
 * the frontend's nodes are never written; and when the toolstack makes the
 * device anew, a good frontend gets connected.
 */
#include <errno.h>

#include "fuzz.h"
#include "netback/direct.h"
#include "netback/vif.h"
#include "netback/vif_ctrl.h"
#include "tests/fake/gcopy.h"
#include "tests/fake/vif_control.h"
#include "tests/fake/vif_journal.h"
#include "tests/fake/xen.h"
#include "tests/fake/xenstore.h"
#include "tools/libdom0/dom0.h"
#include "tools/libdom0/xenbus.h"

#define BACKEND "/local/domain/0/backend/vif/1/0"
#define FRONTEND "/local/domain/1/device/vif/0"
#define QUEUES 4u
#define STEPS 400u

static struct vif *vif;

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

void vif_local_disconnect(struct vif *v)
{
    (void)v;
    abort();
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
        memset(fake_xen_pages, 0, sizeof(fake_xen_pages));
    }
    fake_store_set(FRONTEND "/state", (but & 32) != 0 ? "1" : "4");
}

/* Indices of rings, small ones more often than not. */
static void write_page(struct fuzz_input *in)
{
    uint32_t *words = (uint32_t *)fake_xen_pages[fuzz_byte(in) % 16];

    words[fuzz_byte(in) % 16] = (fuzz_byte(in) & 3) != 0 ? fuzz_byte(in)
                                                         : fuzz_word(in);
}

/* What a toolstack writes, all at once. */
static void make_device(void)
{
    fake_store_remove(BACKEND);
    fake_store_remove(FRONTEND);
    fake_store_set(BACKEND "/frontend", FRONTEND);
    fake_store_set(BACKEND "/frontend-id", "1");
    fake_store_set(BACKEND "/state", "1");
    fake_store_set(FRONTEND "/state", "1");
}

static void make_or_remove(struct fuzz_input *in)
{
    switch (fuzz_byte(in) % 4) {
    case 1:
        fake_store_remove(BACKEND);
        break;
    case 2:
        make_device();
        break;
    default:
        fake_store_remove(FRONTEND);
    }
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
        make_or_remove(in);
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
        fake_vif_journal_busy = (fuzz_byte(in) & 7) == 0;
        break;
    case 8:
        vif_ctrl_event(vif);
        (void)vif_ctrl_turn(vif, fuzz_word(in));
        break;
    default:
        write_node(in);
    }
}

static bool nothing_is_held(void)
{
    return fake_xen_held.handles == 0 && fake_xen_held.mapped == 0 &&
           fake_xen_held.bound == 0 && fake_gcopy_held == 0;
}

static void check(void)
{
    int queues = vif->queue_count;
    int rings = 2 * queues + (vif->ctrl != NULL);

    fuzz_require(vif->link == (vif->life == VIF_CONNECTED), "a link");
    fuzz_require(vif->link == (queues != 0), "a link's queues");
    fuzz_require(queues <= (int)QUEUES, "queues that were not offered");
    fuzz_require(vif->ctrl == NULL || vif->link, "a ring without a link");
    if (!vif->link) {
        fuzz_require(nothing_is_held(), "something is held");
        return;
    }
    fuzz_require(fake_xen_held.mapped == rings, "rings of the queues");
    fuzz_require(fake_gcopy_held == rings, "accesses of the queues");
    fuzz_require(fake_xen_held.handles ==
                 1 + queues + (vif->ctrl != NULL), "handles of the queues");
}

/* A vif that the toolstack has just made. */
static void begin(void)
{
    const struct vif_config config = {
        .domid = 1, .handle = 0, .queues = QUEUES, .tso = true,
        .changed = changed,
    };

    fake_store_reset();
    fake_xen_reset();
    fake_vif_control_reset();
    fake_vif_journal_busy = false;
    make_device();
    vif = vif_create(&config);
    fuzz_require(vif != NULL && vif_start(vif, true, VIF_FRAME_ANY) == 0,
                 "a vif");
}

/* Whatever was before: a device that is made anew, and a good frontend. */
static void connect_at_last(void)
{
    fake_store_set_broken(false);
    fake_store_set_domain(true);
    fake_vif_journal_busy = false;
    make_device();
    vif_update(vif, fake_store_handle());
    fuzz_require(vif->life == VIF_WAITING, "the vif is not offered");
    memset(fake_xen_pages, 0, sizeof(fake_xen_pages));
    fake_store_set(FRONTEND "/request-rx-copy", "1");
    fake_store_set(FRONTEND "/tx-ring-ref", "1");
    fake_store_set(FRONTEND "/rx-ring-ref", "2");
    fake_store_set(FRONTEND "/event-channel", "3");
    fake_store_set(FRONTEND "/state", "4");
    vif_update(vif, fake_store_handle());
    fuzz_require(vif->life == VIF_CONNECTED, "the vif is not connected");
}

static void end(void)
{
    connect_at_last();
    vif_destroy(vif);
    fuzz_require(nothing_is_held(), "something stays");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input in = { data, size };

    begin();
    for (unsigned int i = 0; i < STEPS && in.size != 0; i++) {
        step(&in);
        vif_update(vif, fake_store_handle());
        check();
    }
    end();
    return 0;
}
