/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The control thread of a driver, and the members that it looks after: vifs
 * or fronts.  What both drivers do in the same way is in control.c; the
 * driver's part is in vif_control.c or front_control.c.
 */
#ifndef NETBACK_CONTROL_H
#define NETBACK_CONTROL_H

#include <stdbool.h>
#include <sys/queue.h>

#include <xenstore.h>

/* Tag of members: [I] fixed once given, [c] control thread, [s] under the
 * lock. */

/* The first member of a struct vif or a struct front. */
struct control_member {
    unsigned int id;            /* [I] never used twice; in watch tokens */
    bool listed;                /* [c] the thread knows it */
    bool queued;                /* [s] it will */
    LIST_ENTRY(control_member) link_all;        /* [c] */
    STAILQ_ENTRY(control_member) link_command;  /* [s] */
};

LIST_HEAD(control_list, control_member);

/* The control thread's own. */
extern struct control_list control_members;
extern struct xs_handle *control_xs;        /* NULL: not connected */

/*
 * Give a new member to the thread, which is started by the first; a negative
 * errno: it cannot be.  Take any member away: the thread releases it.  From
 * one thread for each member.
 */
int control_add(struct control_member *member);
void control_remove(struct control_member *member);

/*
 * Wait until all that were taken away are released, at most so long; not for
 * the control thread.
 */
void control_wait_removed(unsigned int ms);

/* Wake the thread; any thread, also before there is one. */
void control_kick(void);

/* Members under [s]; the thread holds it for no longer than it takes. */
void control_lock(void);
void control_unlock(void);

/* For the driver's part; control thread only. */
int control_wake_fd(void);      /* readable: it was kicked */
bool control_woken(void);       /* was it?  Quiet until the next kick. */
void control_serve_commands(void);

/* Connect to XenStore, if need be; false, said once: not now. */
bool control_open_store(void);
/* All watch events that have come: libxenstore keeps them without bound. */
void control_serve_watches(void);

/*
 * The driver's part.  Prepare: before the thread starts; a negative errno.
 * Turn: sleep, and do what there is to be done; again and again.  Release
 * frees the member; xs may be NULL.  Opened: XenStore can be reached; false:
 * not really.  Lost: the member's watches went with the connection.  Event:
 * a watch fired; to be noted only, for others wait.  Warn: one line in the log
 * about XenStore.
 */
extern const char control_thread_name[];
int control_prepare(void);
void control_turn(void);
void control_release(struct control_member *member, struct xs_handle *xs);
bool control_opened(struct xs_handle *xs);
void control_lost(struct control_member *member);
void control_event(const char *token);
void control_warn(const char *text);

#endif
