/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Access to a guest's memory by GNTTABOP_copy (behind access.h).
 *
 * A hypercall names our side of a copy by frame number.  So only memory that
 * the kernel cannot move may take part: hugetlb pages whose frame numbers
 * config->host_gfn vouches for, or the bounce area, which is kernel memory
 * of /dev/xen/hypercall.  A PV domain does not know its frame numbers; there
 * gntdev's copy ioctl serves, 16 pieces a call, pinning pages each time.
 *
 * Talks to libxencall, libxengnttab, libxenevtchn and libdom0's pagemap.
 * Invariants:
 *  1. The bounce area and the ops live in never-moving pages, and their gfns
 *     are read once, when they are made.
 *  2. An op never crosses a page on either side.
 *  3. Every piece gets a status; a status is the guest's to choose, so it is
 *     data and never a reason to complain.
 *  4. One hypercall carries all ops that fit; the number of hypercalls for a
 *     burst is bounded by its bytes.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <xencall.h>

#include "netback/gcopy.h"
#include "tools/libdom0/dom0.h"
#include "tools/libdom0/pagemap.h"

/* privcmd's buffer device gives 64 pages to an open file, by default. */
#define OPS_MAX 256u
#define OPS_PAGES 3u
#define BOUNCE_PAGES 60u
#define BOUNCE_SIZE (BOUNCE_PAGES * ACCESS_PAGE_SIZE)
#define NO_BOUNCE UINT32_MAX
#define HOST_PAGES_MAX 2u       /* that a piece, a page at most, touches */
#define SEGMENTS_MAX 16u        /* of gntdev's copy ioctl */

struct gcopy_op {
    uint32_t copy;              /* index of its piece */
    uint32_t bounce;            /* byte in the bounce area, or NO_BOUNCE */
    uint32_t done;              /* bytes of the piece before this op */
};

struct gcopy {
    struct access access;
    struct gcopy_config config;
    xencall_handle *call;       /* NULL, or not to be used: gntdev's ioctl */
    gnttab_copy_t *ops;
    uint8_t *bounce;
    uint32_t op_count;
    uint32_t bounce_used;       /* bytes */
    uint64_t hypercalls;
    uint64_t bounce_gfn[BOUNCE_PAGES];
    struct gcopy_op info[OPS_MAX];
};

_Static_assert(OPS_MAX * sizeof(gnttab_copy_t) <=
               OPS_PAGES * ACCESS_PAGE_SIZE, "ops do not fit their pages");

static struct gcopy *gcopy_of(struct access *access)
{
    return (struct gcopy *)access;
}

static void fill_op(struct gcopy *g, enum access_direction direction,
                    const struct access_copy *copy, uint64_t gfn)
{
    gnttab_copy_t *op = &g->ops[g->op_count];
    struct gnttab_copy_ptr *guest = &op->source;
    struct gnttab_copy_ptr *own = &op->dest;

    op->flags = GNTCOPY_source_gref;
    if (direction == ACCESS_TO_GUEST) {
        guest = &op->dest;
        own = &op->source;
        op->flags = GNTCOPY_dest_gref;
    }
    guest->u.ref = copy->ref;
    guest->domid = g->config.domid;
    own->u.gmfn = gfn;
    own->domid = DOMID_SELF;
    op->status = GNTST_general_error;
}

/* One op through the bounce area; false: the batch is full. */
static bool add_bounced(struct gcopy *g, enum access_direction direction,
                        const struct access_copy *copy, uint32_t index)
{
    struct gcopy_op *info = &g->info[g->op_count];
    gnttab_copy_t *op = &g->ops[g->op_count];
    uint32_t at = g->bounce_used;
    uint32_t in_page = at % ACCESS_PAGE_SIZE;

    if (copy->size > ACCESS_PAGE_SIZE - in_page) {
        at += ACCESS_PAGE_SIZE - in_page;
    }
    if (g->op_count == OPS_MAX || at > BOUNCE_SIZE - copy->size) {
        return false;
    }
    fill_op(g, direction, copy, g->bounce_gfn[at / ACCESS_PAGE_SIZE]);
    in_page = at % ACCESS_PAGE_SIZE;
    op->len = copy->size;
    if (direction == ACCESS_TO_GUEST) {
        op->source.offset = (uint16_t)in_page;
        op->dest.offset = copy->offset;
        memcpy(g->bounce + at, copy->host, copy->size);
    } else {
        op->source.offset = copy->offset;
        op->dest.offset = (uint16_t)in_page;
    }
    *info = (struct gcopy_op){ .copy = index, .bounce = at };
    g->bounce_used = at + copy->size;
    g->op_count++;
    return true;
}

/*
 * Ops straight to or from fixed host memory, one a host page (a piece spans
 * two at most).  False: the batch is full; nothing was added.
 */
static bool add_fixed(struct gcopy *g, enum access_direction direction,
                      const struct access_copy *copy, uint32_t index,
                      const uint64_t gfns[HOST_PAGES_MAX])
{
    uint32_t done = 0;

    if (OPS_MAX - g->op_count < HOST_PAGES_MAX) {
        return false;
    }
    for (unsigned int i = 0; i < HOST_PAGES_MAX && done < copy->size; i++) {
        gnttab_copy_t *op = &g->ops[g->op_count];
        uint32_t at = (uint32_t)((uintptr_t)(copy->host + done) %
                                 ACCESS_PAGE_SIZE);
        uint32_t size = copy->size - done;

        if (size > ACCESS_PAGE_SIZE - at) {
            size = ACCESS_PAGE_SIZE - at;
        }
        fill_op(g, direction, copy, gfns[i]);
        op->len = (uint16_t)size;
        op->source.offset = (uint16_t)at;
        op->dest.offset = (uint16_t)(copy->offset + done);
        if (direction == ACCESS_FROM_GUEST) {
            op->source.offset = (uint16_t)(copy->offset + done);
            op->dest.offset = (uint16_t)at;
        }
        g->info[g->op_count] = (struct gcopy_op){
            .copy = index, .bounce = NO_BOUNCE, .done = done,
        };
        g->op_count++;
        done += size;
    }
    return true;
}

static bool add(struct gcopy *g, enum access_direction direction,
                const struct access_copy *copy, uint32_t index)
{
    uint64_t gfns[HOST_PAGES_MAX] = { 0, 0 };

    if (g->config.host_gfn != NULL) {
        gfns[0] = g->config.host_gfn(copy->host);
        gfns[1] = g->config.host_gfn(copy->host + copy->size - 1);
    }
    if (gfns[0] == 0 || gfns[1] == 0) {
        return add_bounced(g, direction, copy, index);
    }
    return add_fixed(g, direction, copy, index, gfns);
}

/* Carry out the batch; leave each piece's status and data in its place. */
static void flush(struct gcopy *g, enum access_direction direction,
                  struct access_copy *copies)
{
    int result = xencall3(g->call, __HYPERVISOR_grant_table_op,
                          GNTTABOP_copy, (uintptr_t)g->ops, g->op_count);

    g->hypercalls++;
    for (uint32_t i = 0; i < g->op_count; i++) {
        const struct gcopy_op *info = &g->info[i];
        struct access_copy *copy = &copies[info->copy];
        int16_t status = result == 0 ? g->ops[i].status
                                     : GNTST_general_error;

        if (info->done == 0 || copy->status == GNTST_okay) {
            copy->status = status;
        }
        if (direction == ACCESS_FROM_GUEST && status == GNTST_okay &&
            info->bounce != NO_BOUNCE) {
            memcpy(copy->host, g->bounce + info->bounce, copy->size);
        }
    }
    g->op_count = 0;
    g->bounce_used = 0;
}

static bool copy_is_sane(const struct access_copy *copy)
{
    return copy->size != 0 && copy->size <= ACCESS_PAGE_SIZE &&
           copy->offset <= ACCESS_PAGE_SIZE - copy->size;
}

static void gcopy_copy(struct access *access,
                       enum access_direction direction,
                       struct access_copy *copies, unsigned int count)
{
    struct gcopy *g = gcopy_of(access);

    for (unsigned int i = 0; i < count; i++) {
        if (!copy_is_sane(&copies[i])) {
            copies[i].status = GNTST_bad_copy_arg;
            continue;
        }
        if (!add(g, direction, &copies[i], i)) {
            flush(g, direction, copies);
            (void)add(g, direction, &copies[i], i);
        }
    }
    if (g->op_count != 0) {
        flush(g, direction, copies);
    }
}

/* The same for a PV domain, by gntdev's ioctl. */
static void ioctl_copy(struct access *access,
                       enum access_direction direction,
                       struct access_copy *copies, unsigned int count)
{
    struct gcopy *g = gcopy_of(access);
    xengnttab_grant_copy_segment_t segments[SEGMENTS_MAX];

    for (unsigned int first = 0; first < count; first += SEGMENTS_MAX) {
        unsigned int n = count - first;
        int result;

        if (n > SEGMENTS_MAX) {
            n = SEGMENTS_MAX;
        }
        memset(segments, 0, sizeof(segments));
        for (unsigned int i = 0; i < n; i++) {
            const struct access_copy *copy = &copies[first + i];
            xengnttab_grant_copy_segment_t *s = &segments[i];

            s->len = copy->size;
            s->status = GNTST_general_error;
            if (direction == ACCESS_TO_GUEST) {
                s->flags = GNTCOPY_dest_gref;
                s->source.virt = copy->host;
                s->dest.foreign.ref = copy->ref;
                s->dest.foreign.offset = copy->offset;
                s->dest.foreign.domid = g->config.domid;
            } else {
                s->flags = GNTCOPY_source_gref;
                s->dest.virt = copy->host;
                s->source.foreign.ref = copy->ref;
                s->source.foreign.offset = copy->offset;
                s->source.foreign.domid = g->config.domid;
            }
        }
        result = xengnttab_grant_copy(g->config.gnttab, n, segments);
        g->hypercalls++;
        for (unsigned int i = 0; i < n; i++) {
            copies[first + i].status = result == 0 ? segments[i].status
                                                   : GNTST_general_error;
        }
    }
}

static void *gcopy_map(struct access *access, grant_ref_t ref)
{
    struct gcopy *g = gcopy_of(access);

    return xengnttab_map_grant_ref(g->config.gnttab, g->config.domid, ref,
                                   PROT_READ | PROT_WRITE);
}

static void gcopy_unmap(struct access *access, void *page)
{
    struct gcopy *g = gcopy_of(access);

    xengnttab_unmap(g->config.gnttab, page, 1);
}

static void gcopy_notify(struct access *access, int port)
{
    struct gcopy *g = gcopy_of(access);

    (void)xenevtchn_notify(g->config.evtchn, (evtchn_port_t)port);
}

static void gcopy_destroy(struct access *access)
{
    struct gcopy *g = gcopy_of(access);

    if (g->call != NULL) {
        if (g->bounce != NULL) {
            xencall_free_buffer_pages(g->call, g->bounce, BOUNCE_PAGES);
        }
        if (g->ops != NULL) {
            xencall_free_buffer_pages(g->call, g->ops, OPS_PAGES);
        }
        xencall_close(g->call);
    }
    free(g);
}

#define GCOPY_OPS(how, copy_function) { \
    .name = (how), \
    .copy = (copy_function), \
    .map = gcopy_map, \
    .unmap = gcopy_unmap, \
    .notify = gcopy_notify, \
    .destroy = gcopy_destroy, \
}

static const struct access_ops fixed_ops =
    GCOPY_OPS("grant copies to and from hugepages", gcopy_copy);
static const struct access_ops bounced_ops =
    GCOPY_OPS("grant copies through a bounce area", gcopy_copy);
static const struct access_ops ioctl_ops =
    GCOPY_OPS("gntdev's grant copies", ioctl_copy);

static int make_buffers(struct gcopy *g, const char **why)
{
    int error;

    g->call = xencall_open(NULL, 0);
    if (g->call == NULL) {
        *why = "cannot open /dev/xen/privcmd";
        return -errno;
    }
    if (!xencall_buffers_never_fault(g->call)) {
        *why = "/dev/xen/hypercall is missing (Linux 4.18 has it)";
        return -ENODEV;
    }
    g->ops = xencall_alloc_buffer_pages(g->call, OPS_PAGES);
    g->bounce = xencall_alloc_buffer_pages(g->call, BOUNCE_PAGES);
    if (g->ops == NULL || g->bounce == NULL) {
        *why = "no memory from /dev/xen/hypercall"
               " (module parameter xen_privcmd.limit must be 63 or more)";
        return -ENOMEM;
    }
    memset(g->ops, 0, OPS_PAGES * ACCESS_PAGE_SIZE);
    memset(g->bounce, 0, BOUNCE_SIZE);
    error = pagemap_read(g->bounce, BOUNCE_PAGES, g->bounce_gfn);
    if (error != 0) {
        *why = "/proc/self/pagemap hides frame numbers"
               " (the process needs CAP_SYS_ADMIN)";
    }
    return error;
}

/*
 * Linux takes no hypercalls from processes of a domain without privileges
 * (unless xen_privcmd.unrestricted=1): there gntdev has to copy for us.
 */
static bool may_call(struct gcopy *g)
{
    return xencall3(g->call, __HYPERVISOR_grant_table_op, GNTTABOP_copy, 0,
                    0) == 0 || errno != EPERM;
}

struct access *gcopy_create(const struct gcopy_config *config,
                            const char **why)
{
    struct gcopy *g = calloc(1, sizeof(*g));
    int error;

    *why = "no memory";
    if (g == NULL) {
        return NULL;
    }
    g->config = *config;
    g->access.ops = config->host_gfn != NULL ? &fixed_ops : &bounced_ops;
    if (config->by_ioctl || !dom0_is_translated()) {
        g->access.ops = &ioctl_ops;
        return &g->access;
    }
    error = make_buffers(g, why);
    if (error != 0) {
        gcopy_destroy(&g->access);
        errno = -error;
        return NULL;
    }
    if (!may_call(g)) {
        g->access.ops = &ioctl_ops;
    }
    return &g->access;
}

uint64_t gcopy_hypercalls(const struct access *access)
{
    return ((const struct gcopy *)access)->hypercalls;
}
