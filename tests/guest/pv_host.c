/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The smallest toolstack: as a PVH dom0 it builds one PV guest from its
 * initrd, runs it, and shows what the guest writes to its console.  The
 * result lines of a guest that is a test kernel are the run's results, so
 * this one adds how the guest ended, which is by a crash if its argument
 * says "crash".
 *
 * The initrd is a bundle: struct bundle, the guest's ELF kernel, its ramdisk.
 * The layout is libxc's: kernel, ramdisk, p2m, start_info, store, console,
 * boot stack, page tables; all but the ramdisk mapped from virt_base on.
 */
#include "lib/guest.h"

#include <xen/elfnote.h>
#include <xen/io/console.h>

#define BUNDLE_MAGIC 0x646e7562u    /* "bund" */
#define VIEW 0xc0000000ul           /* where we see the guest's frames */
#define SHARED_VIEW 0xbff00000ul
#define MEGABYTE_PAGES 256u
#define PTE_PRESENT 1ul
#define PTE_WRITE 2ul
#define PTE_USER 4ul
#define PTE_ACCESSED 0x20ul
#define PTE_DIRTY 0x40ul
#define TABLE (PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED | PTE_DIRTY)
#define LEAF (PTE_PRESENT | PTE_WRITE | PTE_ACCESSED)
#define PFN(address) ((address) >> PAGE_SHIFT)
#define BATCH 512u

struct bundle {
    uint32_t magic, kernel_size, ramdisk_size, pages;
    uint32_t vcpus, reserved[3];
    char line[992];
};

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

static const struct bundle *bundle;
static const char *kernel;
static domid_t domain;
static uint64_t virt_base, entry, hypercall_va, p2m_va;
static uint64_t next_pfn;           /* the first that nothing is in yet */
static uint64_t table_pfn, table_first, table_limit;

static void stop(const char *what, long rc)
{
    guest_case(false, what, "%ld", rc);
    guest_end(SHUTDOWN_crash);
}

static void must(const char *what, long rc)
{
    if (rc != 0) {
        stop(what, rc);
    }
}

static long domctl(uint32_t cmd, struct xen_domctl *op)
{
    op->cmd = cmd;
    op->interface_version = XEN_DOMCTL_INTERFACE_VERSION;
    op->domain = domain;
    return hypercall(__HYPERVISOR_domctl, PTR(op), 0, 0);
}

static void *view(uint64_t pfn)
{
    return (void *)(VIEW + (pfn << PAGE_SHIFT));
}

/* ---- the domain and its memory ---- */

static void create(void)
{
    struct xen_domctl op = { 0 };

    op.u.createdomain.max_vcpus = bundle->vcpus;
    op.u.createdomain.max_evtchn_port = 1023;
    op.u.createdomain.max_grant_frames = 64;
    op.u.createdomain.max_maptrack_frames = 64;
    op.u.createdomain.grant_opts = 1;
    must("create", domctl(XEN_DOMCTL_createdomain, &op));
    domain = op.domain;
    memset(&op, 0, sizeof(op));
    op.u.max_mem.max_memkb = (bundle->pages + MEGABYTE_PAGES) * 4;
    must("max-mem", domctl(XEN_DOMCTL_max_mem, &op));
    memset(&op, 0, sizeof(op));
    op.u.max_vcpus.max = bundle->vcpus;
    must("max-vcpus", domctl(XEN_DOMCTL_max_vcpus, &op));
    memset(&op, 0, sizeof(op));
    op.u.address_size.size = 64;
    must("address-size", domctl(XEN_DOMCTL_set_address_size, &op));
}

static void populate(void)
{
    static xen_pfn_t list[BATCH];
    struct xen_memory_reservation r = { .extent_order = 9, .domid = domain };
    uint64_t chunks = bundle->pages / 512;

    for (uint64_t i = 0; i < chunks; i++) {
        list[0] = i * 512;
        r.nr_extents = 1;
        set_xen_guest_handle(r.extent_start, list);
        if (memory_op(XENMEM_populate_physmap, &r) != 1) {
            stop("populate", (long)i);
        }
        if (list[0] != i * 512) {
            stop("populate-identity", (long)list[0]);
        }
    }
}

static void map_frames(uint64_t from, uint64_t to, uint64_t count)
{
    static xen_ulong_t idx[BATCH];
    static xen_pfn_t gpfn[BATCH];
    static int errors[BATCH];
    struct xen_add_to_physmap_batch b = {
        .domid = DOMID_SELF, .space = XENMAPSPACE_gmfn_foreign,
        .u.foreign_domid = domain,
    };

    while (count > 0) {
        uint64_t part = min(count, BATCH);

        for (uint64_t i = 0; i < part; i++) {
            idx[i] = from++;
            gpfn[i] = to++;
        }
        b.size = (uint16_t)part;
        set_xen_guest_handle(b.idxs, idx);
        set_xen_guest_handle(b.gpfns, gpfn);
        set_xen_guest_handle(b.errs, errors);
        must("map", memory_op(XENMEM_add_to_physmap_batch, &b));
        for (uint64_t i = 0; i < part; i++) {
            must("map-one", errors[i]);
        }
        count -= part;
    }
}

/* ---- the kernel ---- */

static void take_note(const struct elf_note *n, const void *data)
{
    uint64_t value = 0;

    memcpy(&value, data, min(n->size, sizeof(value)));
    switch (n->type) {
    case XEN_ELFNOTE_ENTRY:
        entry = value;
        break;
    case XEN_ELFNOTE_HYPERCALL_PAGE:
        hypercall_va = value;
        break;
    case XEN_ELFNOTE_VIRT_BASE:
        virt_base = value;
        break;
    case XEN_ELFNOTE_INIT_P2M:
        p2m_va = value;
        break;
    default:
        break;
    }
}

static void read_notes(const char *at, uint64_t size)
{
    const char *end = at + size;

    while (at + sizeof(struct elf_note) < end) {
        const struct elf_note *n = (const void *)at;
        const char *data = n->name + (n->name_size + 3) / 4 * 4;

        if (n->name_size == 4 && strcmp(n->name, "Xen") == 0) {
            take_note(n, data);
        }
        at = data + (n->size + 3) / 4 * 4;
    }
}

static const struct elf_segment *segment(unsigned int i)
{
    const struct elf_header *h = (const void *)kernel;

    return (const void *)(kernel + h->phoff + i * sizeof(struct elf_segment));
}

static void load_kernel(void)
{
    const struct elf_header *h = (const void *)kernel;
    uint64_t end = 0;

    for (unsigned int i = 0; i < h->phnum; i++) {
        const struct elf_segment *s = segment(i);

        if (s->type == 4) {
            read_notes(kernel + s->offset, s->file_size);
        } else if (s->type == 1) {
            memcpy((char *)view(0) + s->paddr, kernel + s->offset,
                   s->file_size);
            end = max(end, s->paddr + s->size);
        }
    }
    next_pfn = PFN(end + PAGE_SIZE - 1);
}

static uint64_t take_pages(uint64_t count)
{
    next_pfn += count;
    return next_pfn - count;
}

/* ---- page tables ---- */

static uint64_t *table_of(uint64_t *entry_at)
{
    if (*entry_at == 0) {
        if (table_pfn == table_limit) {
            stop("tables", 0);
        }
        *entry_at = table_pfn++ << PAGE_SHIFT | TABLE;
    }
    return view(PFN(*entry_at & 0x000ffffffffff000ul));
}

static void map_va(uint64_t va, uint64_t pfn)
{
    uint64_t *t = view(table_first);

    for (unsigned int shift = 39; shift > 12; shift -= 9) {
        t = table_of(&t[va >> shift & 511]);
    }
    /* As libxc's: tables are read-only, leaves have no USER. */
    t[va >> 12 & 511] = pfn << PAGE_SHIFT
                        | (pfn >= table_first && pfn < table_limit
                           ? LEAF & ~PTE_WRITE : LEAF);
}

/* ---- start ---- */

static evtchn_port_t make_port(void)
{
    evtchn_alloc_unbound_t op = { .dom = domain, .remote_dom = DOMID_SELF };

    must("port", evtchn_op(EVTCHNOP_alloc_unbound, &op));
    return op.port;
}

static uint64_t shared_info_frame(void)
{
    struct xen_domctl op = { 0 };

    must("info", domctl(XEN_DOMCTL_getdomaininfo, &op));
    return op.u.getdomaininfo.shared_info_frame;
}

static void clear_shared_info(uint64_t frame)
{
    shared_info_t *s = (void *)SHARED_VIEW;

    map_frames(frame, PFN(SHARED_VIEW), 1);
    memset(s, 0, sizeof(*s));
    for (unsigned int i = 0; i < XEN_LEGACY_MAX_VCPUS; i++) {
        s->vcpu_info[i].evtchn_upcall_mask = 1;
    }
}

static struct xencons_interface *console;

static void start(void)
{
    static struct vcpu_guest_context c;
    uint64_t ramdisk = take_pages(PFN(bundle->ramdisk_size + PAGE_SIZE - 1));
    uint64_t p2m = take_pages(PFN(bundle->pages * 8 + PAGE_SIZE - 1));
    uint64_t info_pfn = take_pages(4);
    uint64_t shared = shared_info_frame();
    struct start_info *s = view(info_pfn);
    struct xen_domctl op = { 0 };
    struct mmuext_op pin = { .cmd = MMUEXT_PIN_L4_TABLE };
    uint64_t end;

    console = view(info_pfn + 2);
    memcpy(view(ramdisk), kernel + bundle->kernel_size,
           bundle->ramdisk_size);
    table_first = table_pfn = next_pfn;
    table_limit = next_pfn + 24 + bundle->pages / 256;
    table_pfn++;
    next_pfn = table_limit;
    end = (next_pfn + 1023 + 128) / 1024 * 1024;
    for (uint64_t i = 0; i < bundle->pages; i++) {
        ((uint64_t *)view(p2m))[i] = i;
    }
    for (uint64_t i = 0; i < end && i < bundle->pages; i++) {
        map_va(virt_base + (i << PAGE_SHIFT), i);
    }
    for (uint64_t i = 0; p2m_va != 0 && i < info_pfn - p2m; i++) {
        map_va(p2m_va + (i << PAGE_SHIFT), p2m + i);
    }
    clear_shared_info(shared);

    memcpy(s->magic, "xen-3.0-x86_64", 15);
    s->nr_pages = bundle->pages;
    s->shared_info = shared << PAGE_SHIFT;
    s->flags = bundle->ramdisk_size != 0 ? SIF_MOD_START_PFN : 0;
    s->store_mfn = info_pfn + 1;
    s->store_evtchn = make_port();
    s->console.domU.mfn = info_pfn + 2;
    s->console.domU.evtchn = make_port();
    s->pt_base = virt_base + (table_first << PAGE_SHIFT);
    s->nr_pt_frames = table_limit - table_first;
    s->mfn_list = p2m_va != 0 ? p2m_va : virt_base + (p2m << PAGE_SHIFT);
    s->mod_start = bundle->ramdisk_size != 0 ? ramdisk : 0;
    s->mod_len = bundle->ramdisk_size;
    s->first_p2m_pfn = p2m;
    s->nr_p2m_frames = info_pfn - p2m;
    memcpy(s->cmd_line, bundle->line, sizeof(bundle->line));

    pin.arg1.mfn = table_first;
    must("pin", hypercall6(__HYPERVISOR_mmuext_op, PTR(&pin), 1, 0, domain, 0,
                           0));
    if (hypercall_va != 0) {
        op.u.hypercall_init.gmfn = PFN(hypercall_va - virt_base);
        must("hypercall-page", domctl(XEN_DOMCTL_hypercall_init, &op));
    }
    c.flags = VGCF_in_kernel | VGCF_online;
    c.user_regs.rip = entry;
    c.user_regs.rsp = virt_base + ((info_pfn + 4) << PAGE_SHIFT);
    c.user_regs.rsi = virt_base + (info_pfn << PAGE_SHIFT);
    c.user_regs.rflags = 1 << 9;
    c.user_regs.cs = FLAT_KERNEL_CS;
    c.user_regs.ss = FLAT_KERNEL_SS;
    c.kernel_ss = c.user_regs.ss;
    c.kernel_sp = c.user_regs.rsp;
    c.ctrlreg[3] = table_first << PAGE_SHIFT;
    c.debugreg[6] = 0xffff0ff0;
    c.debugreg[7] = 0x400;
    op.u.vcpucontext.vcpu = 0;
    set_xen_guest_handle(op.u.vcpucontext.ctxt, &c);
    must("context", domctl(XEN_DOMCTL_setvcpucontext, &op));
    must("unpause", domctl(XEN_DOMCTL_unpausedomain, &op));
}

/* ---- until its end ---- */

static void show_console(void)
{
    static char text[256];
    XENCONS_RING_IDX prod = READ_ONCE(console->out_prod);
    XENCONS_RING_IDX cons = console->out_cons;

    barrier();
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

static uint32_t watch(void)
{
    struct xen_domctl op = { 0 };

    for (;;) {
        show_console();
        must("watch", domctl(XEN_DOMCTL_getdomaininfo, &op));
        if (op.u.getdomaininfo.flags & XEN_DOMINF_shutdown) {
            show_console();
            return op.u.getdomaininfo.flags >> XEN_DOMINF_shutdownshift
                   & XEN_DOMINF_shutdownmask;
        }
        (void)sched_op(SCHEDOP_yield, NULL);
    }
}

void guest_main(void)
{
    const struct hvm_modlist_entry *m =
        (const void *)guest_info->modlist_paddr;
    struct xen_domctl op = { 0 };
    uint32_t code;
    long rc;

    bundle = (const void *)m->paddr;
    if (guest_info->nr_modules == 0 || bundle->magic != BUNDLE_MAGIC) {
        stop("bundle", guest_info->nr_modules);
    }
    kernel = (const char *)(bundle + 1);
    create();
    populate();
    map_frames(0, PFN(VIEW), bundle->pages);
    load_kernel();
    start();
    code = watch();
    guest_case(code == (guest_has_arg("crash") ? SHUTDOWN_crash
                                               : SHUTDOWN_poweroff),
               "pv-end", "shutdown code %u", code);
    do {
        rc = domctl(XEN_DOMCTL_destroydomain, &op);
    } while (rc == -ERESTART);
    guest_equal("pv-destroy", rc, 0);
}
