/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Places at which a test kills the process, to see its successor go on.
 * They are nothing outside of such tests.
 */
#ifndef NETBACK_KILL_POINT_H
#define NETBACK_KILL_POINT_H

enum kill_point {
    KILL_RECORDED,              /* a pin is in the journal, not made */
    KILL_PINNED,
    KILL_COPIED,
    KILL_UNPINNED,              /* the pin is still in the journal */
    KILL_ANSWERING,             /* responses are in the journal */
    KILL_ANSWERED_PART,         /* some are in the ring */
    KILL_ANSWERED,              /* all are in the ring, not published */
    KILL_PUSHED,                /* published, the journal says answering */
    KILL_POINTS                 /* count of points */
};

#ifdef NETBACK_KILL_POINTS
void kill_point(enum kill_point point);
#else
static inline void kill_point(enum kill_point point)
{
    (void)point;
}
#endif

#endif
