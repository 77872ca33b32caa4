/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A network interface seen from the frontend: how it finds its backend, and
 * its queues.
 *
 * Threads: one control thread does all sockets, XenStore and grants of all
 * fronts.  Packet threads use queues[] through the gates in burst.h.  DPDK's
 * configuration thread creates, starts and destroys fronts.
 */
#ifndef NETBACK_FRONT_H
#define NETBACK_FRONT_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/io/xenbus.h>
#include <xenstore.h>

#include "control.h"
#include "front_burst.h"
#include "front_link.h"
#include "front_static.h"
#include "wake.h"

#define FRONT_NAME_MAX 32
#define FRONT_PATH_MAX 128
#define FRONT_LOCAL_MAX 108     /* as sun_path */
#define FRONT_HANDLE_MAX 65535u

/* Tag of members: [I] fixed after create, [c] control thread, [a] atomic,
 * [g] under the queue's gates, [s] under the control's lock. */

struct front_queue {
    struct front_rx rx;         /* [g] */
    struct front_tx tx;         /* [g] */
};

struct front_config {
    uint16_t handle;            /* device/vif/<handle>, if not local */
    /* Called by the control thread; must not block on the application. */
    void (*changed)(uint16_t owner, bool link);
    uint16_t owner;             /* what changed() is called with */
    char local[FRONT_LOCAL_MAX];    /* a socket's path; "": by Xen */
};

static inline bool front_config_is_local(const struct front_config *config)
{
    return config->local[0] != '\0';
}

/* The life of a front; front.c draws it. */
enum front_life {
    FRONT_WAITING,              /* for a backend */
    FRONT_CONNECTING,           /* told the backend of its rings */
    FRONT_CONNECTED,
    FRONT_CLOSED,               /* Xen: the backend has closed */
    FRONT_GONE,                 /* Xen: no such device, or another's */
};

struct front {
    struct control_member member;   /* first; see control.h */
    struct front_config config; /* [I] */
    char name[FRONT_NAME_MAX];  /* [I] */
    struct front_wish wish;     /* [s] what the application wants now */
    unsigned int wishes;        /* [s] how often that changed */
    unsigned int served;        /* [c] the wish that the link is for */
    enum front_life life;       /* [c] */
    struct front_link *link;    /* [c] while connecting or connected */
    bool started;               /* [I] from the first start on */
    int listen_fd;              /* [c] local */
    const char *complained;     /* [c] the last complaint: not repeated */
    bool watched;               /* [c] Xen: its own directory */
    bool announced;             /* [c] Xen: wrote Initialising */
    uint64_t closed_ms;         /* [c] Xen: when it became CLOSED */
    unsigned int backend_domid; /* [c] Xen */
    char device[FRONT_PATH_MAX];    /* [I] Xen: "device/vif/0" */
    char backend[FRONT_PATH_MAX];   /* [c] Xen; "": not known */
    const char *broken;         /* [a] why a packet thread gave up */
    uint16_t queue_count;       /* [a] connected queues, or 0 */
    bool up;                    /* [a] the link */
    struct burst_takes takes;   /* [a] the last backend's */
    struct front_static statics;    /* [c] of the link */
    struct wake wake;
    struct front_queue queues[FRONT_QUEUES_MAX];
};

/* Make a front; it does nothing yet.  NULL with errno set. */
struct front *front_create(const struct front_config *config);

/*
 * Let the control thread connect it, with at most what is wished for; or
 * connect it anew, if that has changed.  Returns at once.
 */
int front_start(struct front *front, const struct front_wish *wish);

/* Give it to the control thread, which closes and frees it. */
void front_destroy(struct front *front);

/* front.c, for the control thread and what works for it. */
void front_update(struct front *front, struct xs_handle *xs);
void front_release(struct front *front, struct xs_handle *xs);
int front_poll_fd(const struct front *front);   /* or -1 */
void front_get_wish(struct front *front, struct front_wish *wish);
void front_open(struct front *front, struct front_link *link);
void front_close(struct front *front);
void front_set_link(struct front *front, bool up);
void front_complain(struct front *front, const char *why);

/*
 * front_bus.c: the next step in the life of a front whose backend is another
 * domain; leave XenStore as a driver that is unloaded does.
 */
void front_bus_update(struct front *front, struct xs_handle *xs);
void front_bus_release(struct front *front, struct xs_handle *xs);

#endif
