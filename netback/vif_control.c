/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control thread's part for vifs: when it wakes, and what it then does.
 *
 * It sleeps in poll() on XenStore's watch descriptor, on an eventfd, and on
 * the control rings' event channels.  A watch that fires makes one vif look
 * at its nodes again (vif_update); what it does depends only on what is
 * there now, so events may be lost in number but not in effect.  Talks to
 * control.c, vif.c, vif_local.c, vif_ctrl.c and vif_journal.c.
 *
 *   quiet --watch fires--> fired --when the pace allows a look--> quiet
 *
 * Invariants:
 *  1. A watch token is a vif's id, which is never used twice, so an event
 *     that arrives late finds nobody.
 *  2. Without xenstored it tries again each second; it does not ask for
 *     xenstored while all vifs are local.
 *  3. All vifs' control rings get a round before any gets the next.
 *  4. A local frontend's hello wakes us as a control ring's event does.
 *  5. A guest may write its nodes as fast as it can: all events that have come
 *     are taken before xenstored is asked anything, many for one vif are one
 *     look, and looks are paced.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "netback/clock.h"
#include "netback/vif.h"
#include "netback/vif_ctrl.h"
#include "netback/vif_log.h"

#define RETRY_MS 1000
#define LOCAL_MS 200            /* between looks for local frontends */
#define RINGS_MAX 64            /* control rings that wake us at once */
#define LOOKS_BURST 32u         /* of a vif at once, after a quiet time */
#define LOOK_MS 100u            /* between looks, after those */
#define RELEASE_TOKEN "release"

const char control_thread_name[] = "xenvif-control";

static int rings = -1;              /* [I] epoll of the control rings, and
                                     * of hellos that are waited for */
static int rings_ms = -1;           /* [c] until a round is due, or -1 */
static int looks_ms = -1;           /* [c] until a look is due, or -1 */
static bool released;               /* [c] a domain has gone */

/* The vif after this one, or the first; NULL: there is none. */
static struct vif *next_vif(const struct vif *vif)
{
    return (struct vif *)(vif == NULL ? LIST_FIRST(&control_members)
                                      : LIST_NEXT(&vif->member, link_all));
}

int control_prepare(void)
{
    if (rings < 0) {
        rings = epoll_create1(EPOLL_CLOEXEC);
    }
    return rings < 0 ? -errno : 0;
}

void control_release(struct control_member *member, struct xs_handle *xs)
{
    vif_release((struct vif *)member, xs);
}

/* Of domains' ends xenstored tells the privileged only: to a driver domain a
 * vif ends with its directory. */
bool control_opened(struct xs_handle *xs)
{
    if (!xs_watch(xs, "@releaseDomain", RELEASE_TOKEN) && errno != EACCES) {
        return false;
    }
    vif_journal_clean(xs);
    return true;
}

void control_lost(struct control_member *member)
{
    struct vif *vif = (struct vif *)member;

    vif->watched = false;
    vif->frontend_watched = false;
}

void control_warn(const char *text)
{
    VIF_LOG(WARNING, "XenStore", "%s", text);
}

int vif_control_watch(struct vif *vif, int fd)
{
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLONESHOT, .data.ptr = vif,
    };

    return epoll_ctl(rings, EPOLL_CTL_ADD, fd, &event) == 0 ? 0 : -errno;
}

void vif_control_rearm(struct vif *vif, int fd)
{
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLONESHOT, .data.ptr = vif,
    };

    (void)epoll_ctl(rings, EPOLL_CTL_MOD, fd, &event);
}

void vif_control_unwatch(int fd)
{
    (void)epoll_ctl(rings, EPOLL_CTL_DEL, fd, NULL);
}

static void update_all(void)
{
    for (struct vif *vif = next_vif(NULL); vif != NULL;
         vif = next_vif(vif)) {
        if (control_xs != NULL && !vif_config_is_local(&vif->config)) {
            vif_update(vif, control_xs);
        }
    }
}

static bool is_to_fail(const struct vif *vif)
{
    return vif->life == VIF_CONNECTED &&
           __atomic_load_n(&vif->broken, __ATOMIC_ACQUIRE) != NULL;
}

/*
 * A kick is for a vif that is new, or for one whose packet thread gave it up.
 * A look is a dozen questions to xenstored: a switch that starts with all its
 * ports asks them once for each, not for all at each.
 */
static void update_kicked(void)
{
    for (struct vif *vif = next_vif(NULL); vif != NULL;
         vif = next_vif(vif)) {
        if (control_xs != NULL && !vif_config_is_local(&vif->config) &&
            (vif->life == VIF_ABSENT || is_to_fail(vif))) {
            vif_update(vif, control_xs);
        }
    }
}

static void update_local(void)
{
    for (struct vif *vif = next_vif(NULL); vif != NULL;
         vif = next_vif(vif)) {
        if (vif_config_is_local(&vif->config)) {
            vif_local_update(vif);
        }
    }
}

/* Is there a vif of that kind? */
static bool have_vif(bool local)
{
    for (struct vif *vif = next_vif(NULL); vif != NULL;
         vif = next_vif(vif)) {
        if (vif_config_is_local(&vif->config) == local) {
            return true;
        }
    }
    return false;
}

/* Does a vif wait for another process's end, which nobody tells us? */
static bool have_busy(void)
{
    for (struct vif *vif = next_vif(NULL); vif != NULL;
         vif = next_vif(vif)) {
        if (vif->busy) {
            return true;
        }
    }
    return false;
}

void control_event(const char *token)
{
    unsigned long id;

    if (strcmp(token, RELEASE_TOKEN) == 0) {
        released = true;
        return;
    }
    id = strtoul(token, NULL, 10);
    for (struct vif *vif = next_vif(NULL); vif != NULL;
         vif = next_vif(vif)) {
        if (vif->member.id == id) {
            vif->fired = true;
            return;
        }
    }
}

static void serve_watches(void)
{
    control_serve_watches();
    if (released) {
        released = false;
        update_all();
        if (control_xs != NULL) {
            vif_journal_clean(control_xs);
        }
    }
}

/* The earlier of two times, -1 being never. */
static int sooner(int a, int b)
{
    return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* Nothing fires for a vif that waits for another process. */
static void fire_busy(void)
{
    for (struct vif *vif = next_vif(NULL); vif != NULL;
         vif = next_vif(vif)) {
        vif->fired |= vif->busy;
    }
}

/* Milliseconds until a vif may have a look; 0: it had one. */
static int try_look(struct vif *vif, uint64_t now)
{
    uint64_t owed = vif->looks_ms > now ? vif->looks_ms - now : 0;

    if (owed > (LOOKS_BURST - 1) * LOOK_MS) {
        return (int)(owed - (LOOKS_BURST - 1) * LOOK_MS);
    }
    vif->looks_ms = now + owed + LOOK_MS;
    vif->fired = false;
    vif_update(vif, control_xs);
    return 0;
}

static void look_at_fired(void)
{
    uint64_t now = clock_ms();

    looks_ms = -1;
    for (struct vif *vif = next_vif(NULL); vif != NULL;
         vif = next_vif(vif)) {
        if (control_xs != NULL && vif->fired) {
            int ms = try_look(vif, now);

            looks_ms = ms == 0 ? looks_ms : sooner(looks_ms, ms);
        }
    }
}

/* A vif that has gone unwatched its channel, so no event is a stale one's. */
static void take_events(void)
{
    struct epoll_event events[RINGS_MAX];
    int count = epoll_wait(rings, events, RINGS_MAX, 0);

    for (int i = 0; i < count; i++) {
        vif_ctrl_event(events[i].data.ptr);
    }
}

static void serve_rings(void)
{
    uint64_t now = clock_ms();

    rings_ms = -1;
    for (struct vif *vif = next_vif(NULL); vif != NULL;
         vif = next_vif(vif)) {
        rings_ms = sooner(rings_ms, vif_ctrl_turn(vif, now));
    }
}

/* Sleep; true: a command or a kick woke us. */
static bool wait_for_work(void)
{
    struct pollfd fds[3] = {
        { .fd = control_wake_fd(), .events = POLLIN },
        { .fd = rings, .events = POLLIN },
        { .fd = control_xs != NULL ? xs_fileno(control_xs) : -1,
          .events = POLLIN },
    };
    int timeout = -1;

    if (have_vif(true)) {
        timeout = LOCAL_MS;
    } else if (have_busy() || (control_xs == NULL && have_vif(false))) {
        timeout = RETRY_MS;
    }
    timeout = sooner(timeout, sooner(rings_ms, looks_ms));
    (void)poll(fds, 3, timeout);
    return control_woken();
}

void control_turn(void)
{
    bool woken = wait_for_work();
    bool opened = false;

    control_serve_commands();
    take_events();              /* before what makes them ask for more */
    update_local();
    if (control_xs != NULL) {
        serve_watches();
    } else {
        opened = have_vif(false) && control_open_store();
    }
    if (opened) {
        update_all();
    } else if (woken) {
        update_kicked();
    }
    fire_busy();
    look_at_fired();
    serve_rings();
}
