/* SPDX-License-Identifier: GPL-2.0-only */
/* See vif_journal.h.  A count that no vif has fails the test by abort(). */
#include <errno.h>
#include <stdlib.h>

#include "netback/vif.h"
#include "tests/fake/vif_journal.h"

bool fake_vif_journal_busy;

int vif_journal_open(struct vif *vif, const char *identity,
                     unsigned int queues, const char **why)
{
    (void)identity;
    if (queues == 0 || queues > vif->config.queues) {
        abort();
    }
    *why = "another process";
    return fake_vif_journal_busy ? -EBUSY : 0;
}

void vif_journal_undo(struct vif *vif)
{
    (void)vif;
}

struct journal_half *vif_journal_half(struct vif *vif, unsigned int queue,
                                      bool to_guest, uint32_t ring)
{
    (void)vif;
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
    (void)rx_ring;
    if (from != NULL || to != NULL) {
        abort();
    }
}

void vif_journal_close(struct vif *vif)
{
    (void)vif;
}

void vif_journal_clean(struct xs_handle *xs)
{
    (void)xs;
}

/* Of a file that there is not. */
struct journal_half *journal_file_half(struct journal_file *file,
                                       unsigned int index)
{
    (void)index;
    if (file != NULL) {
        abort();
    }
    return NULL;
}
