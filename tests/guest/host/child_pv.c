/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PV child, built as libxc does it: kernel, ramdisk, p2m, start_info,
 * store, console, boot stack, page tables; all but the ramdisk mapped from
 * virt_base on.
 */
#include "host/child.h"

#include <xen/io/console.h>

#define PTE_PRESENT 1ul
#define PTE_WRITE 2ul
#define PTE_USER 4ul
#define PTE_ACCESSED 0x20ul
#define PTE_DIRTY 0x40ul
#define TABLE (PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_ACCESSED | PTE_DIRTY)
#define LEAF (PTE_PRESENT | PTE_WRITE | PTE_ACCESSED)

/* Where its parts are. */
struct layout {
    struct child_image image;
    uint64_t ramdisk, p2m, info, end;   /* frames; the end of what is mapped */
};

static uint64_t table_pfn, table_first, table_limit;

/* ---- page tables ---- */

static uint64_t *table_of(const struct child *c, uint64_t *entry_at)
{
    if (*entry_at == 0) {
        if (table_pfn == table_limit) {
            child_stop("tables", 0);
        }
        *entry_at = child_frame(c, table_pfn++) << PAGE_SHIFT | TABLE;
    }
    return child_view(child_pfn(c, PFN(*entry_at & 0x000ffffffffff000ul)));
}

static void map_va(const struct child *c, uint64_t va, uint64_t pfn)
{
    uint64_t *t = child_view(table_first);

    for (unsigned int shift = 39; shift > 12; shift -= 9) {
        t = table_of(c, &t[va >> shift & 511]);
    }
    /* As libxc's: tables are read-only, leaves have no USER. */
    t[va >> 12 & 511] = child_frame(c, pfn) << PAGE_SHIFT
                        | (pfn >= table_first && pfn < table_limit
                           ? LEAF & ~PTE_WRITE : LEAF);
}

/* ---- start ---- */

static uint64_t take_pages(struct layout *l, uint64_t count)
{
    l->image.next_pfn += count;
    return l->image.next_pfn - count;
}

static void place_parts(const struct child *c, struct layout *l)
{
    l->ramdisk = take_pages(l, PFN(c->ramdisk_size + PAGE_SIZE - 1));
    l->p2m = take_pages(l, PFN(c->pages * 8 + PAGE_SIZE - 1));
    l->info = take_pages(l, 4);     /* store, console, boot stack */
    table_first = l->image.next_pfn;
    table_limit = table_first + 24 + c->pages / 256;
    table_pfn = table_first + 1;
    l->end = (table_limit + 1023 + 128) / 1024 * 1024;
    memcpy(child_view(l->ramdisk), c->ramdisk, c->ramdisk_size);
}

static void map_parts(const struct child *c, const struct layout *l)
{
    for (uint64_t i = 0; i < c->pages; i++) {
        ((uint64_t *)child_view(l->p2m))[i] = child_frame(c, i);
    }
    for (uint64_t i = 0; i < l->end && i < c->pages; i++) {
        map_va(c, l->image.virt_base + (i << PAGE_SHIFT), i);
    }
    for (uint64_t i = 0; l->image.p2m_va != 0 && i < l->info - l->p2m; i++) {
        map_va(c, l->image.p2m_va + (i << PAGE_SHIFT), l->p2m + i);
    }
}

static void clear_shared_info(const struct child *c, uint64_t frame)
{
    shared_info_t *s = child_view_shared(c, frame);

    memset(s, 0, sizeof(*s));
    for (unsigned int i = 0; i < XEN_LEGACY_MAX_VCPUS; i++) {
        s->vcpu_info[i].evtchn_upcall_mask = 1;
    }
    /* As of one that has had more. */
    s->arch.max_pfn = c->pages * 4;
}

static void fill_start_info(const struct child *c, const struct layout *l)
{
    uint64_t shared = child_shared_info(c);
    struct start_info *s = child_view(l->info);
    uint64_t p2m_at = l->image.virt_base + (l->p2m << PAGE_SHIFT);

    clear_shared_info(c, shared);
    memcpy(s->magic, "xen-3.0-x86_64", 15);
    s->nr_pages = c->pages;
    s->shared_info = shared << PAGE_SHIFT;
    s->flags = c->ramdisk_size != 0 ? SIF_MOD_START_PFN : 0;
    s->store_mfn = child_frame(c, l->info + 1);
    s->store_evtchn = child_port(c);
    s->console.domU.mfn = child_frame(c, l->info + 2);
    s->console.domU.evtchn = child_port(c);
    s->pt_base = l->image.virt_base + (table_first << PAGE_SHIFT);
    s->nr_pt_frames = table_limit - table_first;
    s->mfn_list = l->image.p2m_va != 0 ? l->image.p2m_va : p2m_at;
    s->mod_start = c->ramdisk_size != 0 ? l->ramdisk : 0;
    s->mod_len = c->ramdisk_size;
    s->first_p2m_pfn = l->p2m;
    s->nr_p2m_frames = l->info - l->p2m;
    memcpy(s->cmd_line, c->line, strlen(c->line) + 1);
}

static void pin_tables(const struct child *c)
{
    struct mmuext_op pin = { .cmd = MMUEXT_PIN_L4_TABLE };

    pin.arg1.mfn = child_frame(c, table_first);
    child_must("pin", hypercall6(__HYPERVISOR_mmuext_op, PTR(&pin), 1, 0,
                                 c->id, 0, 0));
}

static void set_context(const struct child *child, const struct layout *l)
{
    static struct vcpu_guest_context c;
    struct xen_domctl op = { 0 };

    memset(&c, 0, sizeof(c));
    c.flags = VGCF_in_kernel | VGCF_online;
    c.user_regs.rip = l->image.entry;
    c.user_regs.rsp = l->image.virt_base + ((l->info + 4) << PAGE_SHIFT);
    c.user_regs.rsi = l->image.virt_base + (l->info << PAGE_SHIFT);
    c.user_regs.rflags = 1 << 9;
    c.user_regs.cs = FLAT_KERNEL_CS;
    c.user_regs.ss = FLAT_KERNEL_SS;
    c.kernel_ss = c.user_regs.ss;
    c.kernel_sp = c.user_regs.rsp;
    c.ctrlreg[3] = child_frame(child, table_first) << PAGE_SHIFT;
    c.debugreg[6] = 0xffff0ff0;
    c.debugreg[7] = 0x400;
    op.u.vcpucontext.vcpu = 0;
    set_xen_guest_handle(op.u.vcpucontext.ctxt, &c);
    child_must("context",
               child_domctl(child, XEN_DOMCTL_setvcpucontext, &op));
    if (child->vcpus > XEN_LEGACY_MAX_VCPUS) {
        /* As when a guest is restored: down, without a vcpu_info. */
        c.flags = VGCF_in_kernel;
        c.user_regs.rsi = 0;
        op.u.vcpucontext.vcpu = XEN_LEGACY_MAX_VCPUS;
        child_must("context-32",
                   child_domctl(child, XEN_DOMCTL_setvcpucontext, &op));
    }
}

void child_build_pv(struct child *c)
{
    struct layout l = { .image = child_load(c) };
    struct xen_domctl op = { 0 };

    place_parts(c, &l);
    map_parts(c, &l);
    c->console = child_view(l.info + 2);
    c->store = child_view(l.info + 1);
    fill_start_info(c, &l);
    pin_tables(c);
    if (l.image.hypercall_va != 0) {
        op.u.hypercall_init.gmfn =
            child_frame(c, PFN(l.image.hypercall_va - l.image.virt_base));
        child_must("hypercall-page",
                   child_domctl(c, XEN_DOMCTL_hypercall_init, &op));
    }
    set_context(c, &l);
    child_must("unpause", child_domctl(c, XEN_DOMCTL_unpausedomain, &op));
}
