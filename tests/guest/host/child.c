/* SPDX-License-Identifier: GPL-2.0-only */
/* A child's domain, memory, kernel, console and end: child.h. */
#include "host/child.h"

#include <xen/elfnote.h>
#include <xen/io/console.h>

#define VIEW 0xc0000000ul           /* where we see the guest's frames */
#define SHARED_VIEW 0xbff00000ul
#define MEGABYTE_PAGES 256u
#define BATCH 512u
#define NOTE_PHYS32_ENTRY 18u
#define WATCH_NS 500000ul             /* between looks at the child */

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
};

struct elf_segment {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, file_size, size, align;
};

struct elf_note {
    uint32_t name_size, size, type;
    char name[];
};

void child_stop(const char *what, long rc)
{
    guest_case(false, what, "%ld", rc);
    guest_end(SHUTDOWN_crash);
}

void child_must(const char *what, long rc)
{
    if (rc != 0) {
        child_stop(what, rc);
    }
}

const struct bundle *child_bundle(void)
{
    const struct hvm_modlist_entry *m =
        (const void *)guest_info->modlist_paddr;
    const struct bundle *b;

    if (guest_info->nr_modules == 0) {
        child_stop("bundle", 0);
    }
    b = (const void *)m->paddr;
    if (b->magic != BUNDLE_MAGIC) {
        child_stop("bundle", b->magic);
    }
    return b;
}

long child_domctl(const struct child *c, uint32_t cmd, struct xen_domctl *op)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = c->id;
    return hypercall(__HYPERVISOR_domctl, PTR(op), 0, 0);
}

void *child_view(uint64_t pfn)
{
    return (void *)(VIEW + (pfn << PAGE_SHIFT));
}

/* ---- the domain and its memory ---- */

static void make_domain(struct child *c, uint32_t flags)
{
    struct xen_domctl op = { 0 };

    op.u.createdomain.flags = flags;
    op.u.createdomain.max_vcpus = c->vcpus;
    op.u.createdomain.max_evtchn_port = 1023;
    op.u.createdomain.max_grant_frames = 64;
    op.u.createdomain.max_maptrack_frames = 64;
    op.u.createdomain.grant_opts = 1;
    op.u.createdomain.arch.emulation_flags =
        flags & XEN_DOMCTL_CDF_hvm ? XEN_X86_EMU_LAPIC : 0;
    c->id = 0;
    child_must("create", child_domctl(c, XEN_DOMCTL_createdomain, &op));
    c->id = op.domain;
    memset(&op, 0, sizeof(op));
    op.u.max_mem.max_memkb = (c->pages + MEGABYTE_PAGES) * 4;
    child_must("max-mem", child_domctl(c, XEN_DOMCTL_max_mem, &op));
    memset(&op, 0, sizeof(op));
    op.u.max_vcpus.max = c->vcpus;
    child_must("max-vcpus", child_domctl(c, XEN_DOMCTL_max_vcpus, &op));
    if (!(flags & XEN_DOMCTL_CDF_hvm)) {
        memset(&op, 0, sizeof(op));
        op.u.address_size.size = 64;
        child_must("address-size",
                   child_domctl(c, XEN_DOMCTL_set_address_size, &op));
    }
}

static void populate(struct child *c)
{
    static xen_pfn_t list[BATCH];
    struct xen_memory_reservation r = { .extent_order = 9, .domid = c->id };
    uint64_t chunks = c->pages / 512;

    if (chunks > CHILD_CHUNKS_MAX) {
        child_stop("chunks", (long)chunks);
    }
    for (uint64_t i = 0; i < chunks; i++) {
        list[0] = i * 512;
        r.nr_extents = 1;
        set_xen_guest_handle(r.extent_start, list);
        if (memory_op(XENMEM_populate_physmap, &r) != 1) {
            child_stop("populate", (long)i);
        }
        c->chunk[i] = list[0];
    }
}

uint64_t child_frame(const struct child *c, uint64_t pfn)
{
    if (pfn >= c->pages) {
        child_stop("frame", (long)pfn);
    }
    return c->chunk[pfn / 512] + pfn % 512;
}

uint64_t child_pfn(const struct child *c, uint64_t frame)
{
    for (uint64_t i = 0; i < c->pages / 512; i++) {
        if (frame - c->chunk[i] < 512) {
            return i * 512 + frame - c->chunk[i];
        }
    }
    child_stop("pfn", (long)frame);
}

/* The foreign frames 'from', at our 'to' and on. */
static void map_frames(const struct child *c, const xen_ulong_t *from,
                       uint64_t to, uint64_t count)
{
    static xen_pfn_t gpfn[BATCH];
    static int errors[BATCH];
    struct xen_add_to_physmap_batch b = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_gmfn_foreign,
        .u.foreign_domid = c->id,
    };

    while (count > 0) {
        uint64_t part = min(count, BATCH);

        for (uint64_t i = 0; i < part; i++) {
            gpfn[i] = to++;
        }
        b.size = (uint16_t)part;
        set_xen_guest_handle(b.idxs, (xen_ulong_t *)from);
        set_xen_guest_handle(b.gpfns, gpfn);
        set_xen_guest_handle(b.errs, errors);
        child_must("map", memory_op(XENMEM_add_to_physmap_batch, &b));
        for (uint64_t i = 0; i < part; i++) {
            child_must("map-one", errors[i]);
        }
        from += part;
        count -= part;
    }
}

static void unmap_frames(uint64_t first, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        struct xen_remove_from_physmap op = { .domid = DOMID_SELF,
                                              .gpfn = first + i };

        (void)memory_op(XENMEM_remove_from_physmap, &op);
    }
}

void *child_view_shared(const struct child *c, uint64_t gfn)
{
    map_frames(c, &gfn, PFN(SHARED_VIEW), 1);
    return (void *)SHARED_VIEW;
}

void child_look(const struct child *c)
{
    static xen_ulong_t frames[512];

    for (uint64_t pfn = 0; pfn < c->pages; pfn += 512) {
        for (uint64_t i = 0; i < 512; i++) {
            frames[i] = child_frame(c, pfn + i);
        }
        map_frames(c, frames, PFN(VIEW) + pfn, 512);
    }
}

void child_look_away(const struct child *c)
{
    unmap_frames(PFN(VIEW), c->pages);
    unmap_frames(PFN(SHARED_VIEW), 1);
}

void child_create(struct child *c, uint32_t flags)
{
    make_domain(c, flags);
    populate(c);
    child_look(c);
}

/* ---- the kernel ---- */

static void take_note(struct child_image *image, const struct elf_note *n,
                      const void *data)
{
    uint64_t value = 0;

    memcpy(&value, data, min(n->size, sizeof(value)));
    switch (n->type) {
    case XEN_ELFNOTE_ENTRY:
        image->entry = value;
        break;
    case XEN_ELFNOTE_HYPERCALL_PAGE:
        image->hypercall_va = value;
        break;
    case XEN_ELFNOTE_VIRT_BASE:
        image->virt_base = value;
        break;
    case XEN_ELFNOTE_INIT_P2M:
        image->p2m_va = value;
        break;
    case NOTE_PHYS32_ENTRY:
        image->pvh_entry = value;
        break;
    default:
        break;
    }
}

static void read_notes(struct child_image *image, const char *at,
                       uint64_t size)
{
    const char *end = at + size;

    while (at + sizeof(struct elf_note) < end) {
        const struct elf_note *n = (const void *)at;
        const char *data = n->name + (n->name_size + 3) / 4 * 4;

        if (n->name_size == 4 && strcmp(n->name, "Xen") == 0) {
            take_note(image, n, data);
        }
        at = data + (n->size + 3) / 4 * 4;
    }
}

struct child_image child_load(const struct child *c)
{
    const struct elf_header *h = (const void *)c->kernel;
    const struct elf_segment *s = (const void *)(c->kernel + h->phoff);
    struct child_image image = { 0 };
    uint64_t end = 0;

    for (unsigned int i = 0; i < h->phnum; i++, s++) {
        if (s->type == 4) {
            read_notes(&image, c->kernel + s->offset, s->file_size);
        } else if (s->type == 1) {
            memcpy((char *)child_view(0) + s->paddr, c->kernel + s->offset,
                   s->file_size);
            end = max(end, s->paddr + s->size);
        }
    }
    image.next_pfn = PFN(end + PAGE_SIZE - 1);
    return image;
}

/* ---- start ---- */

evtchn_port_t child_port(const struct child *c)
{
    evtchn_alloc_unbound_t op = { .dom = c->id, .remote_dom = DOMID_SELF };

    child_must("port", evtchn_op(EVTCHNOP_alloc_unbound, &op));
    return op.port;
}

uint64_t child_shared_info(const struct child *c)
{
    struct xen_domctl op = { 0 };

    child_must("info", child_domctl(c, XEN_DOMCTL_getdomaininfo, &op));
    return op.u.getdomaininfo.shared_info_frame;
}

/* ---- until its end ---- */

static void show_console(struct xencons_interface *console)
{
    static char text[256];
    XENCONS_RING_IDX prod = READ_ONCE(console->out_prod);
    XENCONS_RING_IDX cons = console->out_cons;

    barrier();
    if (prod - cons > sizeof(console->out)) {
        return;                     /* it ruined its ring */
    }
    while (cons != prod) {
        size_t size = 0;

        while (cons != prod && size < sizeof(text)) {
            text[size++] =
                console->out[MASK_XENCONS_IDX(cons++, console->out)];
        }
        (void)hypercall(__HYPERVISOR_console_io, CONSOLEIO_write, size,
                        PTR(text));
    }
    barrier();
    WRITE_ONCE(console->out_cons, cons);
}

/* Out of the child's way, which may share the CPU and count instructions. */
static void sleep_a_while(void)
{
    struct sched_poll poll = { .timeout = time_now() + WATCH_NS };

    (void)sched_op(SCHEDOP_poll, &poll);
}

uint32_t child_watch(struct child *c, unsigned int ms)
{
    uint64_t end = time_now() + ms * 1000000ul;
    struct xen_domctl op = { 0 };

    while (ms == 0 || time_now() < end) {
        if (c->console != NULL) {
            show_console(c->console);
        }
        if (c->store != NULL) {
            child_answer_store(c->store);
        }
        child_must("watch", child_domctl(c, XEN_DOMCTL_getdomaininfo, &op));
        if (op.domain != c->id) {
            child_stop("watch-domain", op.domain);
        }
        if (op.u.getdomaininfo.flags & XEN_DOMINF_shutdown) {
            if (c->console != NULL) {
                show_console(c->console);
            }
            return op.u.getdomaininfo.flags >> XEN_DOMINF_shutdownshift
                   & XEN_DOMINF_shutdownmask;
        }
        sleep_a_while();
    }
    return CHILD_RUNS;
}

long child_destroy(struct child *c)
{
    struct xen_domctl op = { 0 };
    long rc;

    child_look_away(c);
    do {
        rc = child_domctl(c, XEN_DOMCTL_destroydomain, &op);
    } while (rc == -ERESTART);
    c->console = NULL;
    c->store = NULL;
    return rc;
}
