/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a toolstack does for a PVH guest that kexecs, its devices aside: resets
 * the domain, gives it new channels to xenstored and xenconsoled, and leaves
 * it paused.  libxl 4.17 does it for HVM guests only.
 *
 * usage: soft_reset DOMID
 *
 * The domain must have shut down to be reset, and its devices must be gone: no
 * entry of its grant table (version 1) may be in use, but the reserved ones.
 * Prints how many entries its last kernel left valid.  Exit status 0, or 1 and
 * why not on standard error.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <sys/mman.h>
#include <xenctrl.h>
#include <xenforeignmemory.h>
#include <xenstore.h>

#include <xen/grant_table.h>
#include <xen/hvm/params.h>
#include <xen/memory.h>
#include <xen/sched.h>

#define PAGE 4096u

struct domain {
    uint32_t id;
    xc_interface *xc;
    struct xs_handle *xs;
};

static void die(const char *what)
{
    fprintf(stderr, "soft_reset: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void must(const char *what, bool done)
{
    if (!done) {
        die(what);
    }
}

static void must_wait_for_reset(const struct domain *d)
{
    xc_domaininfo_t info;
    unsigned int reason;

    must("domain", xc_domain_getinfolist(d->xc, d->id, 1, &info) == 1 &&
                       info.domain == d->id);
    reason = info.flags >> XEN_DOMINF_shutdownshift &
             XEN_DOMINF_shutdownmask;
    if (!(info.flags & XEN_DOMINF_shutdown) || reason != SHUTDOWN_soft_reset) {
        fprintf(stderr, "soft_reset: domain %u: flags %#x, reason %u\n",
                d->id, info.flags, reason);
        exit(1);
    }
}

static void must_not_use(uint32_t ref, uint16_t flags)
{
    if (flags & (GTF_reading | GTF_writing)) {
        fprintf(stderr, "soft_reset: grant %u is in use: flags %#x\n", ref,
                flags);
        exit(1);
    }
}

/* How many are valid; none may be in use. */
static unsigned int count_grants(const grant_entry_v1_t *entries,
                                 uint32_t count)
{
    unsigned int valid = 0;

    for (uint32_t i = GNTTAB_NR_RESERVED_ENTRIES; i < count; i++) {
        uint16_t flags = *(const volatile uint16_t *)&entries[i].flags;

        must_not_use(i, flags);
        valid += (flags & GTF_type_mask) != GTF_invalid;
    }
    return valid;
}

static unsigned int grants_left(const struct domain *d)
{
    xenforeignmemory_handle *fmem = xenforeignmemory_open(NULL, 0);
    struct gnttab_query_size size = { .dom = (domid_t)d->id };
    xenforeignmemory_resource_handle *table;
    unsigned int valid;
    void *entries = NULL;

    must("grant table's size", fmem != NULL &&
                                   xc_gnttab_query_size(d->xc, &size) == 0 &&
                                   size.status == GNTST_okay);
    must("grant table's version", xc_gnttab_get_version(d->xc, d->id) == 1);
    table = xenforeignmemory_map_resource(
        fmem, (domid_t)d->id, XENMEM_resource_grant_table,
        XENMEM_resource_grant_table_id_shared, 0, size.nr_frames, &entries,
        PROT_READ, 0);
    must("grant table", table != NULL);
    valid = count_grants(entries, size.nr_frames * PAGE /
                                      (uint32_t)sizeof(grant_entry_v1_t));
    xenforeignmemory_unmap_resource(fmem, table);
    xenforeignmemory_close(fmem);
    return valid;
}

/* The domain's parameter and, for daemons that look there, xenstore's node. */
static uint32_t give_port(const struct domain *d, int param, const char *node)
{
    xc_evtchn_port_or_error_t port = xc_evtchn_alloc_unbound(d->xc, d->id, 0);
    char path[64], value[16];

    must(node, port > 0 && xc_hvm_param_set(d->xc, d->id, (uint32_t)param,
                                            (uint64_t)port) == 0);
    snprintf(path, sizeof(path), "/local/domain/%u/%s/port", d->id, node);
    snprintf(value, sizeof(value), "%d", port);
    must(path, xs_write(d->xs, XBT_NULL, path, value,
                        (unsigned int)strlen(value)));
    return (uint32_t)port;
}

static void give_channels(const struct domain *d)
{
    uint32_t port = give_port(d, HVM_PARAM_STORE_EVTCHN, "store");
    uint64_t page = 0;

    must("store's page", xc_hvm_param_get(d->xc, d->id, HVM_PARAM_STORE_PFN,
                                          &page) == 0 && page != 0);
    must("introduce", xs_introduce_domain(d->xs, d->id, page, port));
    (void)give_port(d, HVM_PARAM_CONSOLE_EVTCHN, "console");
}

int main(int argc, char **argv)
{
    struct domain d = { 0 };

    if (argc != 2) {
        fprintf(stderr, "usage: soft_reset DOMID\n");
        return 1;
    }
    d.id = (uint32_t)strtoul(argv[1], NULL, 10);
    d.xc = xc_interface_open(NULL, NULL, 0);
    d.xs = xs_open(0);
    must("interfaces", d.xc != NULL && d.xs != NULL);
    must_wait_for_reset(&d);
    printf("%u\n", grants_left(&d));
    must("pause", xc_domain_pause(d.xc, d.id) == 0);
    must("reset", xc_domain_soft_reset(d.xc, d.id) == 0);
    give_channels(&d);
    xs_close(d.xs);
    xc_interface_close(d.xc);
    return 0;
}
