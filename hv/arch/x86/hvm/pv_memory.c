/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The container of a PV guest: pages that are the hypervisor's own, at gfns
 * above all guest frames, and the page tables that show them to the
 * personality at the addresses of pvkern/layout.h.
 *
 *  1. The image's text and rodata, and the M2P, are the same frames for all
 *     domains, held by a reference and read-only in the nested table:
 *     no ring can write them.
 *  2. Everything else belongs to the domain: its guest may write it, and
 *     then hurts itself.
 *  3. The shared M2P is the identity, made as far as the largest guest needs.
 *     A page of it where a guest changes something becomes the domain's own.
 */
#include "core/console.h"
#include "core/budget.h"
#include "core/grant_table.h"
#include "core/hypercall.h"
#include "core/kmem.h"
#include "core/lock.h"
#include "core/p2m.h"
#include "core/page_alloc.h"
#include "core/physmap.h"
#include "core/vcpu.h"
#include "hvm/pv.h"
#include "insn.h"
#include "lib/atomic.h"
#include "lib/bug.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/string.h"

#include <xen/version.h>

#define PTE_PRESENT 1ull
#define PTE_WRITE 2ull
#define PTE_USER 4ull
#define PTE_ACCESSED 0x20ull
#define PTE_DIRTY 0x40ull
#define PTE_LARGE 0x80ull
#define PTE_NX (1ull << 63)
#define PTE_ADDRESS 0x000ffffffffff000ull
#define TABLE (PTE_PRESENT | PTE_WRITE | PTE_ACCESSED)
#define DATA (PTE_PRESENT | PTE_WRITE | PTE_ACCESSED | PTE_DIRTY | PTE_NX)
#define TEXT (PTE_PRESENT | PTE_ACCESSED)
#define PUBLIC (PTE_PRESENT | PTE_USER | PTE_ACCESSED | PTE_NX)

#define WORDS (PAGE_SIZE / sizeof(uint64_t))
#define FRAMES_2M 512ull
#define RECORDS_PER_PAGE (PAGE_SIZE / sizeof(uint32_t))
#define PHYS_BITS_MAX 48u
#define PAGES_PER_CALL 64u          /* mapped before other work's turn */
#define RELEASES_PER_CALL 64u

/* Guest frames beyond the limit that a balloon may still be given. */
#define FRAMES_SLACK 2048u

extern const char pv_image_start[], pv_image_end[];

static mfn_t text[PAGE_SIZE / sizeof(mfn_t)];   /* [I] shared text pages */
static spinlock_t m2p_lock = SPINLOCK_INIT(LOCK_RANK_P2M);
static uint64_t **m2p;          /* m2p_lock: pages, made as needed */
static uint64_t m2p_limit;      /* [I] pages that m2p has room for */

const struct pvk_image *pv_image(void)
{
    return (const struct pvk_image *)(const void *)pv_image_start;
}

void pv_init(void)
{
    const struct pvk_image *image = pv_image();

    if (image->magic != PVK_MAGIC || image->text_pages > ARRAY_SIZE(text)) {
        panic("the PV personality in this image is damaged");
    }
    for (uint32_t i = 0; i < image->text_pages; i++) {
        void *page = page_alloc_core(0);

        if (page == NULL) {
            panic("no memory for the PV personality");
        }
        memcpy(page, pv_image_start + i * PAGE_SIZE, PAGE_SIZE);
        text[i] = arch_virt_to_mfn(page);
    }
    m2p_limit = arch_pv_m2p_pages();
    m2p = kmem_alloc_array(m2p_limit, sizeof(*m2p));
    if (m2p == NULL) {
        panic("no memory for the M2P");
    }
}

/* ---- pages at container gfns ---- */

/* A zeroed page of ours at the next gfn, or NULL. */
static void *make_page(struct domain *d, uint64_t *g)
{
    struct pv_domain *pv = d->arch->pv;
    struct frame *f;

    if (pv->next >= pv->base + PV_GFN_M2P) {
        return NULL;
    }
    f = page_alloc_shared(d);
    if (f == NULL) {
        return NULL;
    }
    if (p2m_set(d, gfn(pv->next), frame_mfn(f), 0, P2M_SHARED) != 0) {
        frame_disown(f);
        return NULL;
    }
    list_add(&f->link, &pv->pages);
    *g = pv->next++;
    return arch_frame_map(frame_mfn(f));
}

/* A page of everybody's, read-only, at 'g'. */
static int show_shared(struct domain *d, mfn_t m, uint64_t g)
{
    struct frame *f = frame_of(m);
    int rc;

    if (!frame_get_any(f)) {
        return -ENOMEM;
    }
    rc = p2m_set(d, gfn(g), m, 0, P2M_FOREIGN_RO);
    if (rc != 0) {
        frame_put(f);
    }
    return rc;
}

static void *page_at(struct domain *d, uint64_t g)
{
    enum p2m_type type;
    mfn_t m = p2m_lookup(d, gfn(g), &type);

    return type == P2M_SHARED ? arch_frame_map(m) : NULL;
}

/* ---- the container's page tables ---- */

/* The entry of 'va' at 'level', its tables made; NULL: no memory. */
static uint64_t *entry_of(struct domain *d, uint64_t va, unsigned int level)
{
    uint64_t *t = page_at(d, d->arch->pv->root);

    for (unsigned int l = 4; t != NULL && l > level; l--) {
        uint64_t *at = &t[va >> (12 + 9 * (l - 1)) & (WORDS - 1)];

        if (*at == 0) {
            uint64_t g;

            t = make_page(d, &g);
            if (t != NULL) {
                /* The M2P's leaves alone have USER below it. */
                *at = g << PAGE_SHIFT | TABLE
                      | (va < PVK_IMAGE ? PTE_USER : 0);
            }
        } else {
            t = page_at(d, (*at & PTE_ADDRESS) >> PAGE_SHIFT);
        }
    }
    return t == NULL ? NULL
                     : &t[va >> (12 + 9 * (level - 1)) & (WORDS - 1)];
}

static int map(struct domain *d, uint64_t va, uint64_t g, uint64_t flags)
{
    uint64_t *at = entry_of(d, va, flags & PTE_LARGE ? 2 : 1);

    if (at == NULL) {
        return -ENOMEM;
    }
    *at = g << PAGE_SHIFT | flags;
    return 0;
}

/* A page of the domain's own at 'va'. */
static void *map_page(struct domain *d, uint64_t va, uint64_t *g)
{
    void *page = make_page(d, g);

    return page != NULL && map(d, va, *g, DATA) == 0 ? page : NULL;
}

/* A page of the image's text. */
static int map_text(struct domain *d, uint64_t va, mfn_t m)
{
    struct pv_domain *pv = d->arch->pv;
    uint64_t g = pv->next;
    int rc;

    if (g >= pv->base + PV_GFN_M2P) {
        return -ENOMEM;
    }
    rc = show_shared(d, m, g);
    if (rc != 0) {
        return rc;
    }
    pv->next++;
    return map(d, va, g, TEXT);
}

/* ---- a domain ---- */

static int map_image(struct domain *d)
{
    const struct pvk_image *image = pv_image();
    uint64_t pages = (uint64_t)image->text_pages + image->data_pages
                     + image->bss_pages;
    int rc = 0;

    for (uint64_t i = 0; rc == 0 && i < pages; i++) {
        uint64_t va = PVK_IMAGE + i * PAGE_SIZE;
        uint64_t g;
        void *page;

        if (i < image->text_pages) {
            rc = map_text(d, va, text[i]);
            continue;
        }
        page = map_page(d, va, &g);
        rc = page == NULL ? -ENOMEM : 0;
        if (rc == 0 && i < image->text_pages + image->data_pages) {
            memcpy(page, pv_image_start + i * PAGE_SIZE, PAGE_SIZE);
        }
    }
    return rc;
}

static int map_shared_info(struct domain *d)
{
    uint64_t g = d->arch->pv->base + PV_GFN_SHARED_INFO;
    int rc = p2m_set(d, gfn(g), arch_virt_to_mfn(d->shared_info), 0,
                     P2M_SHARED);

    return rc != 0 ? rc : map(d, PVK_SHARED_INFO, g, DATA);
}

static void tell(struct domain *d, unsigned int cmd, void *to, size_t size)
{
    const void *data;

    BUG_ON(version_constant(d, cmd, &data) != size);
    memcpy(to, data, size);
}

static void tell_version(struct domain *d, struct pvk_version *c)
{
    tell(d, XENVER_extraversion, c->extraversion, sizeof(c->extraversion));
    tell(d, XENVER_compile_info, c->compile_info, sizeof(c->compile_info));
    tell(d, XENVER_capabilities, c->capabilities, sizeof(c->capabilities));
    tell(d, XENVER_changeset, c->changeset, sizeof(c->changeset));
    tell(d, XENVER_platform_parameters, &c->virt_start,
         sizeof(c->virt_start));
}

int pv_memory_create(struct domain *d)
{
    struct pv_domain *pv = d->arch->pv;
    unsigned int bits = min(cpuid(0x80000008, 0).eax & 0xff, PHYS_BITS_MAX);
    uint64_t g;
    int rc;

    list_init(&pv->pages);
    pv->base = (1ull << (bits - PAGE_SHIFT)) - PV_GFNS;
    pv->next = pv->base + PV_GFN_PAGES;
    if (make_page(d, &pv->root) == NULL) {
        return -ENOMEM;
    }
    pv->shared = map_page(d, PVK_DOMAIN, &g);
    if (pv->shared == NULL) {
        return -ENOMEM;
    }
    pv->shared->max_vcpus = d->max_vcpus;
    tell_version(d, &pv->shared->constant);
    pv->shared->mapped_grants = pv->base + PV_GFN_MAPPED;
    rc = map_image(d);
    return rc != 0 ? rc : map_shared_info(d);
}

int pv_memory_release(struct domain *d)
{
    struct pv_domain *pv = d->arch->pv;

    for (unsigned int i = 0; pv->base != 0 && !list_is_empty(&pv->pages);
         i++) {
        struct frame *f;

        if (i == RELEASES_PER_CALL) {
            return -ERESTART;
        }
        f = list_first(&pv->pages, struct frame, link);
        list_del(&f->link);
        frame_disown(f);
    }
    return 0;
}

void pv_memory_destroy(struct domain *d)
{
    struct pv_domain *pv = d->arch->pv;

    /* Nothing there, unless the domain was never made whole. */
    if (d->p2m != NULL && pv->base != 0 && !domain_is_dying(d)) {
        for (uint64_t g = pv->base + PV_GFN_PAGES; g < pv->next; g++) {
            (void)p2m_remove(d, gfn(g), 0);
        }
    }
    while (pv_memory_release(d) != 0) {
    }
    kmem_free(pv->records);
}

/* ---- a vcpu ---- */

static void fill_gdt(uint64_t *page, uint64_t area)
{
    uint64_t *gdt = page - PVK_CS / PAGE_SIZE * WORDS;
    uint64_t tss = area + offsetof(struct pvk_vcpu, tss);

    gdt[PVK_CS / 8] = 0x00af9b000000ffffull;
    gdt[PVK_SS / 8] = 0x00cf93000000ffffull;
    gdt[PVK_GUEST_CS32 / 8] = 0x00cffb000000ffffull;
    gdt[PVK_GUEST_SS / 8] = 0x00cff3000000ffffull;
    gdt[PVK_GUEST_CS / 8] = 0x00affb000000ffffull;
    gdt[PVK_TSS / 8] = (sizeof(struct pvk_tss) - 1) | (tss & 0xffffff) << 16
                       | 0x8bull << 40 | (tss >> 24 & 0xff) << 56;
    gdt[PVK_TSS / 8 + 1] = tss >> 32;
}

_Static_assert(sizeof(vcpu_info_t)
               <= sizeof(((struct pvk_vcpu *)NULL)->own_info), "own_info");

static void fill_vcpu(struct vcpu *v, uint64_t area)
{
    struct pvk_vcpu *p = v->arch->pv->shared;

    p->id = v->id;
    p->syscall = pv_image()->syscall;
    p->syscall32 = pv_image()->syscall32;
    p->info = v->id < XEN_LEGACY_MAX_VCPUS
              ? PVK_SHARED_INFO + v->id * sizeof(vcpu_info_t)
              : area + offsetof(struct pvk_vcpu, own_info);
    ((vcpu_info_t *)(void *)p->own_info)->evtchn_upcall_mask = 1;
    p->tss.rsp[0] = area + PVK_AREA_STACK_TOP;
    p->tss.ist[0] = area + PVK_AREA_IST_TOP;
    p->tss.io_map = sizeof(p->tss);
}

/* The pages of an area, but for the tables of a GDT and LDT. */
static int map_area(struct vcpu *v, uint64_t area)
{
    struct domain *d = v->domain;
    struct pv_vcpu *pv = v->arch->pv;
    uint64_t g, *table;

    for (uint64_t at = 0; at < PVK_AREA_STACK_TOP; at += PAGE_SIZE) {
        void *page;

        if (at == PVK_AREA_STUBS) {
            uint64_t i = (pv_image()->stubs - PVK_IMAGE) / PAGE_SIZE;

            if (map_text(d, area + at, text[i]) != 0) {
                return -ENOMEM;
            }
            continue;
        }
        if (at == PVK_AREA_TABLE) {
            continue;
        }
        page = map_page(d, area + at, &g);
        if (page == NULL) {
            return -ENOMEM;
        }
        if (at == 0) {
            pv->shared = page;
        } else if (at == PVK_AREA_TRAPS) {
            pv->traps = page;
        } else if (at == PVK_AREA_CONTEXT) {
            pv->context[0] = page;
        } else if (at == PVK_AREA_CONTEXT + PAGE_SIZE) {
            pv->context[1] = page;
        } else if (at == PVK_AREA_GDT_PAGE) {
            fill_gdt(page, area);
            if (map(d, area + PVK_AREA_GDT + PVK_GDT_FRAMES * PAGE_SIZE, g,
                    DATA) != 0) {
                return -ENOMEM;
            }
        }
        pv->stack_top_page = page;
    }
    /* The area's own level 1 table, which the personality changes. */
    table = entry_of(d, area, 2);
    return table == NULL ? -ENOMEM
           : map(d, area + PVK_AREA_TABLE,
                 (*table & PTE_ADDRESS) >> PAGE_SHIFT, DATA);
}

int pv_memory_add_vcpu(struct vcpu *v)
{
    uint64_t area = PVK_AREA(v->id);
    int rc = map_area(v, area);

    if (rc == 0) {
        fill_vcpu(v, area);
    }
    return rc;
}

/* ---- once the guest has its memory ---- */

/* Page 'i' of the M2P. */
static uint64_t *m2p_page(uint64_t i)
{
    uint64_t *page, *made;

    if (i >= m2p_limit) {
        return NULL;
    }
    page = __atomic_load_n(&m2p[i], __ATOMIC_ACQUIRE);
    if (page != NULL) {
        return page;
    }
    made = page_alloc_core(0);
    if (made == NULL) {
        return NULL;
    }
    for (uint64_t j = 0; j < WORDS; j++) {
        made[j] = i * WORDS + j;
    }
    spin_lock(&m2p_lock);
    page = m2p[i];
    if (page == NULL) {
        page = made;
        made = NULL;
        __atomic_store_n(&m2p[i], page, __ATOMIC_RELEASE);
    }
    spin_unlock(&m2p_lock);
    page_free_core(made, 0);
    return page;
}

uint64_t arch_pv_m2p_pages(void)
{
    uint64_t pages = arch_max_mfn() / WORDS + 1;

    return (pages + FRAMES_2M - 1) / FRAMES_2M * FRAMES_2M;
}

mfn_t arch_pv_m2p_page(uint64_t index)
{
    uint64_t *page = m2p_page(index);

    return page == NULL ? mfn_invalid() : arch_virt_to_mfn(page);
}

static int map_m2p(struct domain *d, uint64_t i)
{
    uint64_t g = d->arch->pv->base + PV_GFN_M2P + i;
    uint64_t *page = m2p_page(i);
    int rc;

    if (page == NULL || i >= PV_GFNS - PV_GFN_M2P) {
        return -ENOMEM;
    }
    rc = show_shared(d, arch_virt_to_mfn(page), g);
    return rc != 0 ? rc : map(d, PVK_M2P + i * PAGE_SIZE, g, PUBLIC);
}

static int map_records(struct domain *d, uint64_t i)
{
    uint64_t g;

    d->arch->pv->records[i] = map_page(d, PVK_RECORDS + i * PAGE_SIZE, &g);
    return d->arch->pv->records[i] == NULL ? -ENOMEM : 0;
}

static int map_direct(struct domain *d, uint64_t i)
{
    return map(d, PVK_DIRECT + (i << (PAGE_SHIFT + 9)), i * FRAMES_2M,
               DATA | PTE_LARGE);
}

struct turn {
    unsigned int left;          /* pages */
    struct budget time;
};

/* From page '*done' to 'end', as far as the turn goes. */
static int map_some(struct domain *d, int (*one)(struct domain *d,
                                                 uint64_t i),
                    uint64_t *done, uint64_t end, struct turn *turn)
{
    int rc = 0;

    while (rc == 0 && *done < end) {
        if (turn->left == 0 || budget_is_spent(&turn->time)) {
            return -ERESTART;
        }
        turn->left--;
        rc = one(d, *done);
        *done += rc == 0;
    }
    return rc;
}

/*
 * How many frames the guest may ever have, settled at the first call: its
 * limit then, or the end of its memory map, up to which it may balloon; or
 * those that a restored guest has had, of which it may have fewer now.
 */
static int choose_frames(struct domain *d)
{
    struct pv_domain *pv = d->arch->pv;
    uint64_t frames = max(READ_ONCE(d->max_pages),
                          physmap_memory_end(d) >> PAGE_SHIFT);
    uint64_t pages;

    frames = max(frames, READ_ONCE(d->shared_info->arch.max_pfn));
    frames = min(frames, arch_max_mfn()) + FRAMES_SLACK;
    frames = (frames + FRAMES_2M - 1) / FRAMES_2M * FRAMES_2M;
    if (frames > PVK_DIRECT_LIMIT || frames > pv->base) {
        console_guest_log(LOG_WARNING, d, "a PV guest has at most 4 TiB");
        return -E2BIG;
    }
    pages = (frames + RECORDS_PER_PAGE - 1) / RECORDS_PER_PAGE;
    pv->records = kmem_alloc_array(pages, sizeof(*pv->records));
    if (pv->records == NULL) {
        return -ENOMEM;
    }
    pv->wanted = frames;
    return 0;
}

static int complete(struct domain *d)
{
    struct pv_domain *pv = d->arch->pv;
    struct turn turn = { PAGES_PER_CALL, budget_start() };
    uint64_t *root;
    int rc = pv->wanted == 0 ? choose_frames(d) : 0;

    if (rc == 0) {
        rc = map_some(d, map_m2p, &pv->m2p_done,
                      (pv->wanted + WORDS - 1) / WORDS, &turn);
    }
    if (rc == 0) {
        rc = map_some(d, map_records, &pv->records_done,
                      (pv->wanted + RECORDS_PER_PAGE - 1) / RECORDS_PER_PAGE,
                      &turn);
    }
    if (rc == 0) {
        rc = map_some(d, map_direct, &pv->direct_done,
                      pv->wanted / FRAMES_2M, &turn);
    }
    if (rc != 0) {
        return rc;
    }
    root = page_at(d, pv->root);
    if (root == NULL) {
        return -EINVAL;             /* a builder put RAM in its place */
    }
    for (unsigned int i = 0; i < PVK_SLOT_COUNT; i++) {
        pv->shared->slot[i] = root[PVK_SLOT_FIRST + i];
    }
    pv->shared->frames = pv->wanted;
    __atomic_store_n(&pv->frames, pv->wanted, __ATOMIC_RELEASE);
    return 0;
}

int pv_memory_complete(struct domain *d)
{
    struct pv_domain *pv = d->arch->pv;
    int rc;

    if (__atomic_load_n(&pv->frames, __ATOMIC_ACQUIRE) != 0) {
        return 0;
    }
    if (__atomic_exchange_n(&pv->is_completing, true, __ATOMIC_ACQUIRE)) {
        return -EBUSY;
    }
    rc = complete(d);
    __atomic_store_n(&pv->is_completing, false, __ATOMIC_RELEASE);
    return rc;
}

/*
 * Page 'i' of the M2P as the domain's own, instead of the shared one; d->lock
 * is held.  NULL: no memory, or the guest put something else there.
 */
static uint64_t *own_m2p_page(struct domain *d, uint64_t i)
{
    struct pv_domain *pv = d->arch->pv;
    gfn_t g = gfn(pv->base + PV_GFN_M2P + i);
    enum p2m_type type;
    mfn_t m = p2m_lookup(d, g, &type);
    struct frame *f;
    uint64_t *page;

    if (type != P2M_FOREIGN_RO) {
        return type == P2M_SHARED ? arch_frame_map(m) : NULL;
    }
    f = page_alloc_shared(d);
    if (f == NULL) {
        return NULL;
    }
    page = arch_frame_map(frame_mfn(f));
    memcpy(page, arch_frame_map(m), PAGE_SIZE);
    if (p2m_set(d, g, frame_mfn(f), 0, P2M_SHARED) != 0) {
        frame_disown(f);
        return NULL;
    }
    list_add(&f->link, &pv->pages);
    if (pv->own_m2p_count < PV_OWN_M2P_MAX) {
        pv->own_m2p[pv->own_m2p_count] = i;
    }
    pv->own_m2p_count++;
    return page;
}

/* Where the M2P of 'd' says 'pfn', if not there; d->lock is held. */
static bool find_in_m2p(struct domain *d, uint64_t pfn, gfn_t *g)
{
    struct pv_domain *pv = d->arch->pv;
    uint64_t *page = page_at(d, pv->base + PV_GFN_M2P + pfn / WORDS);

    *g = gfn(pfn);
    if (page == NULL || page[pfn % WORDS] == pfn) {
        return true;
    }
    for (uint32_t i = 0; i < min(pv->own_m2p_count, PV_OWN_M2P_MAX); i++) {
        page = page_at(d, pv->base + PV_GFN_M2P + pv->own_m2p[i]);
        for (uint64_t j = 0; page != NULL && j < WORDS; j++) {
            if (page[j] == pfn) {
                *g = gfn(pv->own_m2p[i] * WORDS + j);
                return true;
            }
        }
    }
    return false;
}

bool arch_pv_frame(struct domain *d, uint64_t pfn, gfn_t *g)
{
    bool found;

    *g = gfn(pfn);
    if (pfn >= __atomic_load_n(&d->arch->pv->frames, __ATOMIC_ACQUIRE)
        || READ_ONCE(d->arch->pv->own_m2p_count) == 0) {
        return true;
    }
    spin_lock(&d->lock);
    found = find_in_m2p(d, pfn, g);
    spin_unlock(&d->lock);
    return found;
}

int pv_memory_set_m2p(struct domain *d, uint64_t frame, uint64_t pfn)
{
    uint64_t *page;

    if (frame >= __atomic_load_n(&d->arch->pv->frames, __ATOMIC_ACQUIRE)) {
        return -EINVAL;
    }
    spin_lock(&d->lock);
    page = own_m2p_page(d, frame / WORDS);
    if (page != NULL) {
        WRITE_ONCE(page[frame % WORDS], pfn);
    }
    spin_unlock(&d->lock);
    return page == NULL ? -ENOMEM : 0;
}

uint32_t *pv_memory_record(struct domain *d, uint64_t frame)
{
    struct pv_domain *pv = d->arch->pv;

    return frame >= pv->frames ? NULL
           : &pv->records[frame / RECORDS_PER_PAGE][frame % RECORDS_PER_PAGE];
}
