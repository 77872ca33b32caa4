/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * See xen.h.  Stricter than the real ones: what is asked about another domain,
 * or given back and not held, fails the test by abort().
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <xenevtchn.h>
#include <xengnttab.h>

#include "tests/fake/xen.h"

struct xengntdev_handle {
    int unused;
};

struct xenevtchn_handle {
    int fd;
    bool bound[FAKE_XEN_CHANNELS];
};

uint8_t fake_xen_pages[FAKE_XEN_REFS][FAKE_XEN_PAGE_SIZE]
    __attribute__((aligned(FAKE_XEN_PAGE_SIZE)));
struct fake_xen_held fake_xen_held;
int fake_xen_bind_error;

static struct xengntdev_handle gnttab;
static int mapped[FAKE_XEN_REFS];
static bool bound[FAKE_XEN_CHANNELS];   /* by whichever handle */

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

void fake_xen_reset(void)
{
    must(fake_xen_held.handles == 0 && fake_xen_held.mapped == 0 &&
         fake_xen_held.bound == 0);
    memset(fake_xen_pages, 0, sizeof(fake_xen_pages));
    fake_xen_bind_error = 0;
}

void *fake_xen_map(grant_ref_t ref)
{
    if (ref >= FAKE_XEN_REFS) {
        errno = EINVAL;
        return NULL;
    }
    mapped[ref]++;
    fake_xen_held.mapped++;
    return fake_xen_pages[ref];
}

void fake_xen_unmap(void *page)
{
    size_t at = (size_t)((uint8_t *)page - fake_xen_pages[0]);

    must(at % FAKE_XEN_PAGE_SIZE == 0 && at < sizeof(fake_xen_pages) &&
         mapped[at / FAKE_XEN_PAGE_SIZE] != 0);
    mapped[at / FAKE_XEN_PAGE_SIZE]--;
    fake_xen_held.mapped--;
}

xengnttab_handle *xengnttab_open(struct xentoollog_logger *logger,
                                 unsigned int flags)
{
    (void)logger;
    (void)flags;
    fake_xen_held.handles++;
    return &gnttab;
}

int xengnttab_close(xengnttab_handle *handle)
{
    must(handle == &gnttab);
    fake_xen_held.handles--;
    return 0;
}

void *xengnttab_map_grant_ref(xengnttab_handle *handle, uint32_t domid,
                              uint32_t ref, int prot)
{
    (void)prot;
    must(handle == &gnttab && domid == FAKE_XEN_DOMID);
    return fake_xen_map(ref);
}

int xengnttab_unmap(xengnttab_handle *handle, void *start, uint32_t count)
{
    must(handle == &gnttab && count == 1);
    fake_xen_unmap(start);
    return 0;
}

xenevtchn_handle *xenevtchn_open(struct xentoollog_logger *logger,
                                 unsigned int flags)
{
    struct xenevtchn_handle *made = calloc(1, sizeof(*made));

    (void)logger;
    (void)flags;
    must(made != NULL);
    made->fd = eventfd(0, EFD_CLOEXEC);
    must(made->fd >= 0);
    fake_xen_held.handles++;
    return made;
}

static void unbind(xenevtchn_handle *handle, unsigned int channel)
{
    must(channel < FAKE_XEN_CHANNELS && handle->bound[channel]);
    handle->bound[channel] = bound[channel] = false;
    fake_xen_held.bound--;
}

/* Its channels go with it. */
int xenevtchn_close(xenevtchn_handle *handle)
{
    for (unsigned int i = 0; i < FAKE_XEN_CHANNELS; i++) {
        if (handle->bound[i]) {
            unbind(handle, i);
        }
    }
    close(handle->fd);
    free(handle);
    fake_xen_held.handles--;
    return 0;
}

int xenevtchn_fd(xenevtchn_handle *handle)
{
    return handle->fd;
}

/* As Xen does: a channel has one other end. */
xenevtchn_port_or_error_t
xenevtchn_bind_interdomain(xenevtchn_handle *handle, uint32_t domid,
                           evtchn_port_t port)
{
    must(domid == FAKE_XEN_DOMID);
    errno = fake_xen_bind_error != 0 ? fake_xen_bind_error : EINVAL;
    if (fake_xen_bind_error != 0 || port >= FAKE_XEN_CHANNELS ||
        bound[port]) {
        return -1;
    }
    handle->bound[port] = bound[port] = true;
    fake_xen_held.bound++;
    return FAKE_XEN_PORT + (int)port;
}

int xenevtchn_unbind(xenevtchn_handle *handle, evtchn_port_t port)
{
    unbind(handle, port - FAKE_XEN_PORT);
    return 0;
}

/* No event ever comes. */
xenevtchn_port_or_error_t xenevtchn_pending(xenevtchn_handle *handle)
{
    (void)handle;
    errno = EAGAIN;
    return -1;
}

int xenevtchn_unmask(xenevtchn_handle *handle, evtchn_port_t port)
{
    must(port - FAKE_XEN_PORT < FAKE_XEN_CHANNELS &&
         handle->bound[port - FAKE_XEN_PORT]);
    return 0;
}
