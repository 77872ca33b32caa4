/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See vif_control.h.  A descriptor that is watched twice, or given back and
 * not watched (it was closed before), fails the test by abort().
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "netback/vif.h"
#include "netback/vif_ctrl.h"
#include "tests/fake/vif_control.h"

unsigned int fake_vif_control_watched;

static int events = -1;

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

void fake_vif_control_reset(void)
{
    if (events >= 0) {
        close(events);
    }
    events = epoll_create1(EPOLL_CLOEXEC);
    must(events >= 0);
    fake_vif_control_watched = 0;
}

void fake_vif_control_wait(int timeout_ms)
{
    struct epoll_event event;

    (void)epoll_wait(events, &event, 1, timeout_ms);
}

static int set(struct vif *vif, int operation, int fd)
{
    struct epoll_event event = {
        .events = EPOLLIN | EPOLLONESHOT, .data.ptr = vif,
    };

    return epoll_ctl(events, operation, fd, &event);
}

int vif_control_watch(struct vif *vif, int fd)
{
    must(set(vif, EPOLL_CTL_ADD, fd) == 0);
    fake_vif_control_watched++;
    return 0;
}

void vif_control_rearm(struct vif *vif, int fd)
{
    must(set(vif, EPOLL_CTL_MOD, fd) == 0);
}

void vif_control_unwatch(int fd)
{
    must(epoll_ctl(events, EPOLL_CTL_DEL, fd, NULL) == 0);
}
