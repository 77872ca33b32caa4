/* SPDX-License-Identifier: GPL-2.0-only */
/* See gcopy.h.  One for another guest fails the test by abort(). */
#include <stdbool.h>
#include <stdlib.h>

#include "tests/fake/gcopy.h"
#include "tests/fake/xen.h"

int fake_gcopy_held;
struct gcopy_config fake_gcopy_config;

static void must(bool condition)
{
    if (!condition) {
        abort();
    }
}

static void copy_none(struct access *access, enum access_direction direction,
                      struct access_copy *copies, unsigned int count)
{
    (void)access;
    (void)direction;
    for (unsigned int i = 0; i < count; i++) {
        copies[i].status = GNTST_general_error;
    }
}

static void *map(struct access *access, grant_ref_t ref)
{
    (void)access;
    return fake_xen_map(ref);
}

static void unmap(struct access *access, void *page)
{
    (void)access;
    fake_xen_unmap(page);
}

static void notify(struct access *access, int port)
{
    (void)access;
    must(port >= FAKE_XEN_PORT);
}

static void destroy(struct access *access)
{
    fake_gcopy_held--;
    free(access);
}

static const struct access_ops fake_ops = {
    .name = "fake", .copy = copy_none, .map = map, .unmap = unmap,
    .notify = notify, .destroy = destroy,
};

struct access *gcopy_create(const struct gcopy_config *config,
                            const char **why)
{
    struct access *access = calloc(1, sizeof(*access));

    (void)why;
    must(config->domid == FAKE_XEN_DOMID && access != NULL);
    fake_gcopy_config = *config;
    fake_gcopy_held++;
    access->ops = &fake_ops;
    return access;
}
