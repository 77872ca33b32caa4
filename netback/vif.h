/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A guest's network interface, seen from the backend: its XenBus life and
 * its queues.
 *
 * Threads: one control thread does all XenStore, mapping and event channel
 * work of all vifs.  Packet threads use queues[] through the gates in
 * burst.h.  DPDK's configuration thread creates and destroys vifs.
 */
#ifndef NETBACK_VIF_H
#define NETBACK_VIF_H

#include <stdbool.h>
#include <stdint.h>

#include <xen/io/xenbus.h>
#include <xenevtchn.h>
#include <xengnttab.h>
#include <xenstore.h>

#include "burst.h"
#include "control.h"
#include "direct.h"
#include "journal_file.h"
#include "wake.h"

struct vif_ctrl;

#define VIF_QUEUES_MAX 16u
#define VIF_NAME_MAX 32
#define VIF_PATH_MAX 128
#define VIF_HANDLE_MAX 65535u
#define VIF_LOCAL_MAX 108u      /* as sun_path */

/* Tag of members: [I] fixed after create, [c] control thread, [a] atomic,
 * [g] under the queue's gates. */

struct vif_queue {
    struct burst_from from;     /* [g] */
    struct burst_to to;         /* [g] */
    void *tx_ring;              /* [c] mapped, guest -> us */
    void *rx_ring;              /* [c] mapped, us -> guest */
    xenevtchn_handle *evtchn;   /* [c] its own: so its fd is its alone */
    int tx_port;                /* [c] event channels; -1: none */
    int rx_port;                /* [c] equal to tx_port if not split */
};

/* How a guest's memory is reached. */
enum vif_access {
    VIF_ACCESS_AUTO,            /* the best that there is */
    VIF_ACCESS_DIRECT,          /* a live window, or not at all */
    VIF_ACCESS_COPY,            /* GNTTABOP_copy */
    VIF_ACCESS_LOCAL,           /* memory of a process */
};

struct vif_config {
    uint16_t domid;
    uint16_t handle;
    uint16_t queues;            /* most that the guest may use */
    enum vif_access access;     /* AUTO, DIRECT or COPY if by Xen */
    bool tso;                   /* the switch takes large packets; [I]
                                 * from the first vif_start on */
    /* gfn of host memory that cannot move, or NULL: see gcopy.h */
    uint64_t (*host_gfn)(const void *host);
    /* Called by the control thread; must not block on the switch. */
    void (*changed)(uint16_t owner, bool link, bool queues_changed);
    uint16_t owner;             /* what changed() is called with */
    char local[VIF_LOCAL_MAX];  /* a local frontend's socket; "": by Xen */
};

static inline bool vif_config_is_local(const struct vif_config *config)
{
    return config->local[0] != '\0';
}

/* The life of a vif; vif.c draws it. */
enum vif_life {
    VIF_ABSENT,                 /* no backend directory yet */
    VIF_WAITING,                /* offered to the guest */
    VIF_CONNECTED,
    VIF_BROKEN,                 /* fatal error; waits for a new frontend */
    VIF_CLOSED,
    VIF_HELD,                   /* the kernel's driver has it */
};

struct vif {
    struct control_member member;   /* first; see control.h */
    struct vif_config config;   /* [I] */
    char name[VIF_NAME_MAX];    /* [I] "vif1.0" */
    enum vif_life life;         /* [c] */
    bool watched;               /* [c] */
    bool frontend_watched;      /* [c] */
    bool started;               /* [I] from vif_start on */
    unsigned int own_domid;     /* [c] */
    char backend[VIF_PATH_MAX]; /* [c] */
    char frontend[VIF_PATH_MAX];/* [c] */
    enum xenbus_state told;     /* [c] last frontend state acted on */
    uint16_t told_queues;       /* [c] count that the owner knows */
    xengnttab_handle *gnttab;   /* [c] while connected */
    struct direct_window *window;   /* [c] while connected; or NULL */
    struct journal_file *journal;   /* [c] while connected; or NULL */
    bool joined;                /* [c] the rings may have been ours before */
    bool busy;                  /* [c] another process has it: try again */
    bool fired;                 /* [c] a watch has, since its last look */
    uint64_t looks_ms;          /* [c] when all looks are there again */
    const char *no_window;      /* [c] why there is none, or NULL */
    struct local_link *link_local;  /* [c] if local: while connected or
                                     * waiting for a hello; or NULL */
    uint64_t hello_ms;          /* [c] until when, in the latter case */
    uint64_t socket;            /* [c] of whom it is connected to, if local */
    uint64_t broken_socket;     /* [c] of who broke it, if local */
    const char *broken;         /* [a] why a packet thread gave up */
    bool sg;                    /* [a] offer packets of several slots */
    uint16_t queue_count;       /* [a] connected queues, or 0 */
    bool link;                  /* [a] */
    struct vif_ctrl *ctrl;      /* [c] while connected, or NULL */
    struct hash_table hash_table;   /* [a] as hash.h says */
    struct wake wake;
    struct vif_queue queues[VIF_QUEUES_MAX];
};

/* Make a vif; it does nothing yet.  NULL with errno set. */
struct vif *vif_create(const struct vif_config *config);

#define VIF_FRAME_ANY UINT32_MAX

/*
 * Hand it to the control thread, which connects it.  tso: the switch takes
 * large packets.  Else frame_max is the size of its largest frame if that
 * takes chained slots, and VIF_FRAME_ANY if not.  Returns at once.  A second
 * call changes frame_max only; the guest is told when it connects anew.
 */
int vif_start(struct vif *vif, bool tso, uint32_t frame_max);

/*
 * Give the vif back to the control thread, which closes its gates, releases
 * it and frees it.  No packet thread may use it any more.  The guest sees no
 * change of state: a new vif of the same name goes on where this stopped.
 */
void vif_destroy(struct vif *vif);

/*
 * The frontend broke the protocol, for a reason that is a constant: disable
 * the vif soon.  Any thread; a packet thread has shut its gate.
 */
void vif_break(void *vif, const char *why);

/* vif.c, for vif_control.c; control thread only. */
void vif_update(struct vif *vif, struct xs_handle *xs);
void vif_release(struct vif *vif, struct xs_handle *xs);

/*
 * vif_queue.c; control thread only.  Map, bind and open what the frontend
 * published; *why says what was wrong.  Nothing is held after an error.
 */
int vif_queues_connect(struct vif *vif, struct xs_handle *xs,
                       const char **why);

/* Clear what a killed process left, of rings that are not gone on with. */
void vif_queues_undo(struct vif *vif, struct xs_handle *xs);
void vif_queues_disconnect(struct vif *vif);

/*
 * vif_journal.c; control thread only.  Open the vif's journal for the guest
 * that identity names: 0, also when there can be none, or -EBUSY.  Undo:
 * clear a killed process's flags.  Half: that of a queue and its ring; NULL
 * if there is no journal.  Finish: a killed process's answers, before the
 * rings are read.  Clean: remove what belongs to no guest any more; xs may be
 * NULL while all vifs are local.
 */
int vif_journal_open(struct vif *vif, const char *identity,
                     unsigned int queues, const char **why);
void vif_journal_undo(struct vif *vif);
struct journal_half *vif_journal_half(struct vif *vif, unsigned int queue,
                                      bool to_guest, uint32_t ring);
void vif_journal_finish(struct vif_queue *q, void *tx_ring,
                        struct journal_half *from, void *rx_ring,
                        struct journal_half *to);
void vif_journal_close(struct vif *vif);
void vif_journal_clean(struct xs_handle *xs);

/*
 * vif_local.c; control thread only.  Take the next step in the life of a vif
 * whose frontend is a process; give back what it holds.
 */
void vif_local_update(struct vif *vif);
void vif_local_disconnect(struct vif *vif);

/*
 * vif_wake.c.  Open: a queue's packets from the guest wake its rx queue from
 * now on; close before its descriptors go.  Control thread only.  Arm, by
 * the thread that polls the queue: ask the guest for an event at its next
 * packet; true: there are packets already.
 */
void vif_wake_open(struct vif *vif, unsigned int queue);
void vif_wake_close(struct vif *vif, unsigned int queue);
bool vif_wake_arm(struct vif *vif, unsigned int queue);

#endif
