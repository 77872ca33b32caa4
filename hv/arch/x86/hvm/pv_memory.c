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
 *     A page of it where a guest changes something becomes the domain's own,
 *     once and for good: what stands there as P2M_SHARED is such a page.
 *  4. Records, M2P and the view of the guest's frames are made as far as the
 *     guest's limit when it is built says, and further when that is raised,
 *     while it runs: the number of frames comes last.  Level 4 entries are
 *     made at once for all that may follow, as every table has them.
 *  5. What stands in the container's tables of a guest that runs is its word:
 *     it leads to pages that are the domain's to write (page_at()).
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
#define SLOT_SIZE (1ull << 39)      /* what a level 4 entry maps */
#define PHYS_BITS_MAX 48u
#define PIECES_PER_CALL 64u         /* shown before other work's turn */
#define RELEASES_PER_CALL 64u

/* Guest frames beyond the limit that a balloon may still be given. */
#define FRAMES_SLACK 2048u
/*
 * Linux adds memory above 4 GiB, in sections of 128 MiB: frames above a limit
 * that was raised, for that, for a section that it does not fill and for
 * where the next one begins.
 */
#define FRAMES_AHEAD ((1u << 20) + 65536u)
/* How much a guest may come to have of what it was built for. */
#define GROWTH_MAX 16u

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

/* A zeroed page of ours at 'g', or NULL. */
static struct frame *make_page_at(struct domain *d, uint64_t g)
{
    struct frame *f = page_alloc_shared(d);

    if (f != NULL && p2m_set(d, gfn(g), frame_mfn(f), 0, P2M_SHARED) != 0) {
        frame_disown(f);
        return NULL;
    }
    return f;
}

/* The same at the next gfn. */
static void *make_page(struct domain *d, uint64_t *g)
{
    struct pv_domain *pv = d->arch->pv;
    struct frame *f;

    if (pv->next >= pv->base + PV_GFN_RECORDS) {
        return NULL;
    }
    f = make_page_at(d, pv->next);
    if (f == NULL) {
        return NULL;
    }
    spin_lock(&d->lock);
    list_add(&f->link, &pv->pages);
    spin_unlock(&d->lock);
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
        uint64_t entry = READ_ONCE(*at);

        if (entry == 0) {
            uint64_t g;

            t = make_page(d, &g);
            if (t != NULL) {
                /* The M2P's leaves alone have USER below it. */
                entry = g << PAGE_SHIFT | TABLE
                        | (va < PVK_IMAGE ? PTE_USER : 0);
                __atomic_store_n(at, entry, __ATOMIC_RELEASE);
            }
        } else {
            t = page_at(d, (entry & PTE_ADDRESS) >> PAGE_SHIFT);
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
    __atomic_store_n(at, g << PAGE_SHIFT | flags, __ATOMIC_RELEASE);
    return 0;
}

/* Nothing is at 'va', 'level' says of which size; tables stay. */
static void unmap(struct domain *d, uint64_t va, unsigned int level)
{
    uint64_t *at = entry_of(d, va, level);

    if (at != NULL) {
        WRITE_ONCE(*at, 0);
    }
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

    if (g >= pv->base + PV_GFN_RECORDS) {
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

void arch_pv_tell_handle(struct domain *d)
{
    struct pv_domain *pv = d->arch->pv;

    __atomic_store_n(&pv->shared->handle_turn, ++pv->handle_turn,
                     __ATOMIC_RELAXED);
    __atomic_thread_fence(__ATOMIC_RELEASE);
    memcpy(pv->shared->handle, d->handle, sizeof(pv->shared->handle));
    __atomic_store_n(&pv->shared->handle_turn, ++pv->handle_turn,
                     __ATOMIC_RELEASE);
}

int pv_memory_create(struct domain *d)
{
    struct pv_domain *pv = d->arch->pv;
    unsigned int bits = min(cpuid(0x80000008, 0).eax & 0xff, PHYS_BITS_MAX);
    uint64_t g;
    int rc;

    list_init(&pv->pages);
    list_init(&pv->records);
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
    pv->shared->features = version_features(d);
    arch_pv_tell_handle(d);
    pv->shared->shown = pv->base;
    pv->shared->shown_end = pv->base + PV_GFNS;
    pv->shared->mapped_grants = pv->base + PV_GFN_MAPPED;
    rc = map_image(d);
    return rc != 0 ? rc : map_shared_info(d);
}

/* Frees as many pages as are '*left': is the list empty? */
static bool release_list(struct list_node *list, unsigned int *left)
{
    while (!list_is_empty(list) && *left > 0) {
        struct frame *f = list_first(list, struct frame, link);

        list_del(&f->link);
        frame_disown(f);
        --*left;
    }
    return list_is_empty(list);
}

int pv_memory_release(struct domain *d)
{
    struct pv_domain *pv = d->arch->pv;
    unsigned int left = RELEASES_PER_CALL;

    return pv->base == 0 || (release_list(&pv->pages, &left)
                             && release_list(&pv->records, &left))
           ? 0 : -ERESTART;
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

static void hide_m2p(struct domain *d, uint64_t i)
{
    gfn_t g = gfn(d->arch->pv->base + PV_GFN_M2P + i);

    unmap(d, PVK_M2P + i * PAGE_SIZE, 1);
    (void)p2m_remove_if(d, g, arch_virt_to_mfn(m2p_page(i)));
}

static int show_m2p(struct domain *d, uint64_t i)
{
    uint64_t g = d->arch->pv->base + PV_GFN_M2P + i;
    uint64_t *page = m2p_page(i);
    int rc;

    if (page == NULL || i >= PV_GFNS - PV_GFN_M2P) {
        return -ENOMEM;
    }
    rc = show_shared(d, arch_virt_to_mfn(page), g);
    if (rc != 0) {
        return rc;
    }
    rc = map(d, PVK_M2P + i * PAGE_SIZE, g, PUBLIC);
    if (rc != 0) {
        hide_m2p(d, i);
    }
    return rc;
}

/* Of page 'i', which is the last one. */
static void hide_records(struct domain *d, uint64_t i)
{
    struct pv_domain *pv = d->arch->pv;
    struct frame *f = list_first(&pv->records, struct frame, link);

    unmap(d, PVK_RECORDS + i * PAGE_SIZE, 1);
    (void)p2m_remove_if(d, gfn(pv->base + PV_GFN_RECORDS + i), frame_mfn(f));
    list_del(&f->link);
    frame_disown(f);
}

static int show_records(struct domain *d, uint64_t i)
{
    struct pv_domain *pv = d->arch->pv;
    uint64_t g = pv->base + PV_GFN_RECORDS + i;
    struct frame *f = make_page_at(d, g);
    int rc;

    if (f == NULL) {
        return -ENOMEM;
    }
    list_add(&f->link, &pv->records);
    rc = map(d, PVK_RECORDS + i * PAGE_SIZE, g, DATA);
    if (rc != 0) {
        hide_records(d, i);
    }
    return rc;
}

static void hide_direct(struct domain *d, uint64_t i)
{
    unmap(d, PVK_DIRECT + (i << (PAGE_SHIFT + 9)), 2);
}

static int show_direct(struct domain *d, uint64_t i)
{
    return map(d, PVK_DIRECT + (i << (PAGE_SHIFT + 9)), i * FRAMES_2M,
               DATA | PTE_LARGE);
}

/* What a guest's frames need, in pieces that are shown one by one. */
static const struct part {
    int (*show)(struct domain *d, uint64_t i);
    void (*hide)(struct domain *d, uint64_t i);
    uint64_t frames;            /* of one piece */
} parts[PV_PARTS] = {
    { show_m2p, hide_m2p, WORDS },
    { show_records, hide_records, RECORDS_PER_PAGE },
    { show_direct, hide_direct, FRAMES_2M },
};

struct turn {
    unsigned int count;         /* of pieces */
    struct budget time;
};

/* Before each piece: a turn has one at least. */
static bool turn_is_over(struct turn *turn)
{
    return turn->count == PIECES_PER_CALL
           || (turn->count++ > 0 && budget_is_spent(&turn->time));
}

static uint64_t pieces(const struct part *part, uint64_t frames)
{
    return (frames + part->frames - 1) / part->frames;
}

/* All that 'frames' need, as far as the turn goes. */
static int show(struct domain *d, uint64_t frames)
{
    struct turn turn = { 0, budget_start() };
    int rc = 0;

    for (unsigned int i = 0; rc == 0 && i < PV_PARTS; i++) {
        uint64_t *done = &d->arch->pv->done[i];

        while (rc == 0 && *done < pieces(&parts[i], frames)) {
            rc = turn_is_over(&turn) ? -ERESTART : parts[i].show(d, *done);
            *done += rc == 0;
        }
    }
    return rc;
}

/* Of what was shown only what 'frames' need stays: 0, -ERESTART. */
static int hide(struct domain *d, uint64_t frames)
{
    struct turn turn = { 0, budget_start() };

    for (unsigned int i = PV_PARTS; i-- > 0;) {
        uint64_t *done = &d->arch->pv->done[i];

        while (*done > pieces(&parts[i], frames)) {
            if (turn_is_over(&turn)) {
                return -ERESTART;
            }
            parts[i].hide(d, --*done);
        }
    }
    return 0;
}

/* For one with so many pages, but never more than the host's RAM needs. */
static uint64_t frames_for(uint64_t pages)
{
    uint64_t frames = min(pages, arch_max_mfn()) + FRAMES_SLACK;

    frames = (frames + FRAMES_2M - 1) / FRAMES_2M * FRAMES_2M;
    return min(frames, m2p_limit * WORDS);
}

/*
 * How many frames the guest has at first, settled at the first call: its
 * limit then, or the end of its memory map, up to which it may balloon; or
 * those that a restored guest has had, of which it may have fewer now.
 */
static int choose_frames(struct domain *d)
{
    struct pv_domain *pv = d->arch->pv;
    uint64_t most = min((uint64_t)PVK_DIRECT_LIMIT, pv->base);
    uint64_t pages = max(READ_ONCE(d->max_pages),
                         physmap_memory_end(d) >> PAGE_SHIFT);
    uint64_t frames;

    pages = max(pages, READ_ONCE(d->shared_info->arch.max_pfn));
    frames = frames_for(pages);
    if (frames > most) {
        console_guest_log(LOG_WARNING, d, "a PV guest has at most 4 TiB");
        return -E2BIG;
    }
    pv->asked = pages;
    most = min(most, m2p_limit * WORDS);
    pv->most = min(most, GROWTH_MAX * frames + FRAMES_AHEAD);
    pv->wanted = frames;
    return 0;
}

/* The level 4 entries of all that the guest may come to have. */
static int make_slots(struct domain *d)
{
    struct pv_domain *pv = d->arch->pv;
    uint64_t *root;

    for (uint64_t at = 0; at < pv->most << PAGE_SHIFT; at += SLOT_SIZE) {
        if (entry_of(d, PVK_DIRECT + at, 3) == NULL) {
            return -ENOMEM;
        }
    }
    root = page_at(d, pv->root);
    if (root == NULL) {
        return -EINVAL;             /* a builder put RAM in its place */
    }
    for (unsigned int i = 0; i < PVK_SLOT_COUNT; i++) {
        pv->shared->slot[i] = root[PVK_SLOT_FIRST + i];
    }
    return 0;
}

/* They have all that they need.  The personality asks us about them then. */
static void publish(struct pv_domain *pv, uint64_t frames)
{
    __atomic_store_n(&pv->frames, frames, __ATOMIC_RELEASE);
    __atomic_store_n(&pv->shared->frames, frames, __ATOMIC_RELEASE);
}

static int complete(struct domain *d)
{
    struct pv_domain *pv = d->arch->pv;
    int rc = pv->wanted == 0 ? choose_frames(d) : 0;

    if (rc == 0) {
        rc = show(d, pv->wanted);
    }
    if (rc == 0) {
        rc = make_slots(d);
    }
    if (rc == 0) {
        publish(pv, pv->wanted);
    }
    return rc;
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

/* ---- and once it may have more ---- */

/* As far as a turn goes, forth or, once something failed, back. */
static int grow(struct domain *d, uint64_t frames)
{
    struct pv_domain *pv = d->arch->pv;
    int rc = pv->error != 0 ? pv->error : show(d, frames);

    if (rc == 0) {
        publish(pv, max(pv->frames, frames));
    }
    if (rc == 0 || rc == -ERESTART) {
        return rc;
    }
    if (domain_is_dying(d)) {
        return -ESRCH;              /* all of it goes anyway */
    }
    pv->error = rc;
    if (hide(d, pv->frames) != 0) {
        return -ERESTART;
    }
    pv->error = 0;
    return rc;
}

/* is_completing is set. */
static int grow_for(struct domain *d, uint64_t pages)
{
    struct pv_domain *pv = d->arch->pv;
    uint64_t frames = frames_for(pages);
    int rc = pv->wanted != 0 && pv->frames == 0 ? complete(d) : 0;

    if (rc != 0 || pages <= pv->asked || pv->wanted == 0) {
        return rc;
    }
    if (domain_is_dying(d)) {
        return -ESRCH;
    }
    if (frames > min(pv->most, GROWTH_MAX * pv->wanted)) {
        console_guest_log(LOG_WARNING, d, "a PV guest grows to %u times what "
                          "it was built for, 4 TiB at most: %lu frames "
                          "refused", GROWTH_MAX, frames);
        return -E2BIG;
    }
    rc = grow(d, min(frames + FRAMES_AHEAD, pv->most));
    if (rc == 0) {
        pv->asked = pages;
    }
    return rc;
}

int arch_pv_grow(struct domain *d, uint64_t pages)
{
    struct pv_domain *pv = d->arch->pv;
    int rc;

    if (__atomic_exchange_n(&pv->is_completing, true, __ATOMIC_ACQUIRE)) {
        return -ERESTART;
    }
    rc = grow_for(d, pages);
    __atomic_store_n(&pv->is_completing, false, __ATOMIC_RELEASE);
    return rc;
}

/* ---- the M2P, and what is known of frames ---- */

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

uint32_t arch_pv_own_m2p_pages(const struct domain *d)
{
    return READ_ONCE(d->arch->pv->own_m2p_count);
}

struct frame *arch_pv_get_own_m2p(struct domain *d, uint64_t index)
{
    gfn_t g = gfn(d->arch->pv->base + PV_GFN_M2P + index);
    enum p2m_type type;
    struct frame *f;

    if (index >= PV_GFNS - PV_GFN_M2P) {
        return NULL;
    }
    f = p2m_get_frame(d, g, &type);
    if (f != NULL && type != P2M_SHARED) {
        frame_put(f);
        f = NULL;
    }
    return f;
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
    uint32_t *page;

    if (frame >= __atomic_load_n(&pv->frames, __ATOMIC_ACQUIRE)) {
        return NULL;
    }
    page = page_at(d, pv->base + PV_GFN_RECORDS + frame / RECORDS_PER_PAGE);
    return page == NULL ? NULL : &page[frame % RECORDS_PER_PAGE];
}
