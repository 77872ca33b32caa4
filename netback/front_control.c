/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control thread's part for fronts: when it wakes, and what it then does.
 *
 * It sleeps in poll() on an eventfd, on XenStore's watches, on each local
 * front's socket and on the control rings that are to bring an answer.  What
 * wakes it makes fronts look at what is there now (front_update), so events
 * may be lost in number but not in effect.  Talks to control.c, front.c and
 * front_static.c.  Invariants:
 *  1. Only this thread touches sockets and grants.
 *  2. It looks again each second while something that has no event is
 *     waited for (xenstored, a kernel driver that lets go), or not for ever
 *     (a backend's answer).
 */
#include <poll.h>

#include "netback/front.h"
#include "netback/front_log.h"

#define RETRY_MS 1000
#define POLL_MAX 64             /* fronts whose sockets wake us at once */

const char control_thread_name[] = "xenfront-ctrl";

/* The front after this one, or the first; NULL: there is none. */
static struct front *next_front(const struct front *front)
{
    return (struct front *)(front == NULL
                                ? LIST_FIRST(&control_members)
                                : LIST_NEXT(&front->member, link_all));
}

int control_prepare(void)
{
    return 0;
}

void control_release(struct control_member *member, struct xs_handle *xs)
{
    front_release((struct front *)member, xs);
}

bool control_opened(struct xs_handle *xs)
{
    (void)xs;
    return true;
}

void control_lost(struct control_member *member)
{
    struct front *front = (struct front *)member;

    front->watched = false;
    front->backend[0] = '\0';
}

/* All fronts are looked at anyway. */
void control_event(const char *token)
{
    (void)token;
}

void control_warn(const char *text)
{
    FRONT_LOG(WARNING, "XenStore", "%s", text);
}

static bool needs_store(void)
{
    for (struct front *front = next_front(NULL); front != NULL;
         front = next_front(front)) {
        if (!front_config_is_local(&front->config)) {
            return true;
        }
    }
    return false;
}

/* Something is waited for that makes no event. */
static bool must_look_again(const struct front *front)
{
    if (front_config_is_local(&front->config)) {
        return front_poll_fd(front) < 0;
    }
    return front->life == FRONT_WAITING || front->life == FRONT_CLOSED ||
           front->life == FRONT_GONE;
}

/* What the front's own socket is to tell. */
static short poll_events(const struct front *front)
{
    return front->life == FRONT_CONNECTED ? POLLRDHUP : POLLIN;
}

static void wait_for_work(void)
{
    struct pollfd fds[2 + 2 * POLL_MAX] = {
        { .fd = control_wake_fd(), .events = POLLIN },
        { .fd = control_xs != NULL ? xs_fileno(control_xs) : -1,
          .events = POLLIN },
    };
    nfds_t count = 2;
    int timeout = control_xs == NULL && needs_store() ? RETRY_MS : -1;

    for (struct front *front = next_front(NULL); front != NULL;
         front = next_front(front)) {
        if (count == 2 + 2 * POLL_MAX || must_look_again(front)) {
            timeout = RETRY_MS;
            continue;
        }
        fds[count++] = (struct pollfd){
            .fd = front_poll_fd(front),
            .events = poll_events(front),
        };
        if (front->life == FRONT_CONNECTING) {
            timeout = RETRY_MS;
        }
        fds[count++] = (struct pollfd){
            .fd = front_static_fd(front), .events = POLLIN,
        };
    }
    (void)poll(fds, count, timeout);
    (void)control_woken();
}

void control_turn(void)
{
    wait_for_work();
    control_serve_commands();
    if (control_xs != NULL || (needs_store() && control_open_store())) {
        control_serve_watches();
    }
    for (struct front *front = next_front(NULL); front != NULL;
         front = next_front(front)) {
        front_update(front, control_xs);
    }
}
