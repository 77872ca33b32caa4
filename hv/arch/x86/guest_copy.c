/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copies between the hypervisor and a vcpu's address space: a walk of the
 * guest's own page tables (APM 5.3), then the p2m.  Talks to core/p2m and to
 * hvm_ops for the paging registers.
 *
 *  1. Each level's entry is read once.
 *  2. The frame copied to is referenced meanwhile, the one copied from by
 *     p2m_read()'s rules.
 *  3. Accessed and dirty bits are not set: the ABI's buffers are pinned.
 *  4. Paging off is a flat space; of the paging modes only long mode counts:
 *     hypercalls come from 64-bit code.
 *  5. guest_read() and guest_write() have the kernel's rights: hypercalls come
 *     from there, and the areas that it registered are written whatever mode
 *     the vcpu was in.  What an instruction accesses it may itself only.
 *  6. A PV vcpu's personality may have fetched an argument already: then it
 *     is in the page that both share, and is as much the guest's word.
 */
#include "core/arch.h"
#include "core/p2m.h"
#include "core/vcpu.h"
#include "guest_copy.h"
#include "hvm/hvm.h"
#include "hvm/pv.h"
#include "lib/atomic.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/string.h"

#define CR0_PG (1ul << 31)
#define PTE_PRESENT 1u
#define PTE_WRITE 2u
#define PTE_USER 4u
#define PTE_LARGE 0x80u
#define PTE_ADDRESS 0x000ffffffffff000ull

/*
 * The guest-physical address behind 'va' in v's address space, whose entries
 * have all bits of 'need' on every level.  0 or -EFAULT.
 */
static int translate(struct vcpu *v, uint64_t va, uint64_t need,
                     uint64_t *gpa)
{
    struct hvm_paging p;
    uint64_t table;

    hvm_ops->get_paging(v, &p);
    if (v->arch->pv != NULL) {
        /* The kernel's view, whatever mode it is in; never what is ours. */
        if (va >= PVK_HOLE_BASE && va < PVK_HOLE_END) {
            return -EFAULT;
        }
        p.cr3 = READ_ONCE(v->arch->pv->shared->kernel_cr3);
    }
    if (!(p.cr0 & CR0_PG)) {
        *gpa = va;
        return va >> 32 == 0 ? 0 : -EFAULT;
    }
    if (!hvm_is_long_mode(&p) || !hvm_is_canonical(va)) {
        return -EFAULT;
    }
    table = p.cr3 & PTE_ADDRESS;
    for (unsigned int shift = 39;; shift -= 9) {
        uint64_t entry, offset = ((va >> shift) & 511) * 8;

        if (p2m_read_word(v->domain, &entry, table + offset) != 0
            || (entry & need) != need) {
            return -EFAULT;
        }
        table = entry & PTE_ADDRESS;
        if (shift == 12 || (shift < 39 && (entry & PTE_LARGE))) {
            uint64_t mask = (1ull << shift) - 1;

            *gpa = (table & ~mask) | (va & mask);
            return 0;
        }
    }
}

static bool is_writable(enum p2m_type type)
{
    return type == P2M_RAM_RW || type == P2M_SHARED || type == P2M_FOREIGN
           || type == P2M_GRANT_RW || type == P2M_WINDOW;
}

/* What is to be written behind 'va', its frame referenced, or NULL. */
static char *hold(struct vcpu *v, uint64_t va, uint64_t need,
                  struct frame **f)
{
    enum p2m_type type;
    uint64_t gpa;

    if (translate(v, va, need | PTE_WRITE, &gpa) != 0) {
        return NULL;
    }
    *f = p2m_get_frame(v->domain, gfn(gpa >> PAGE_SHIFT), &type);
    if (*f == NULL) {
        return NULL;
    }
    if (!is_writable(type)) {
        frame_put(*f);
        return NULL;
    }
    return (char *)arch_frame_map(frame_mfn(*f)) + (gpa & ~PAGE_MASK);
}

/* Within one page; 'buf' is read if PTE_WRITE is needed. */
static int copy_page(struct vcpu *v, uint64_t va, void *buf, size_t size,
                     uint64_t need)
{
    struct frame *f;
    uint64_t gpa;
    char *at;

    if (!(need & PTE_WRITE)) {
        return translate(v, va, need, &gpa) != 0 ? -EFAULT :
               p2m_read(v->domain, buf, gpa, size);
    }
    at = hold(v, va, need, &f);
    if (at == NULL) {
        return -EFAULT;
    }
    memcpy(at, buf, size);
    frame_put(f);
    return 0;
}

/* The personality's place for an argument (pvkern/hypercall.c), or NULL. */
static void *argument_at(struct vcpu *v, uint64_t va, size_t size)
{
    uint64_t offset = va - PVK_AREA(v->id) - offsetof(struct pvk_vcpu, arg);

    if (v->arch->pv == NULL || size > PVK_ARG_WORDS * 8
        || offset > PVK_ARG_WORDS * 8 - size) {
        return NULL;
    }
    return (char *)v->arch->pv->shared->arg + offset;
}

static int copy_pages(struct vcpu *v, uint64_t va, char *buf, size_t size,
                      uint64_t need)
{
    while (size > 0) {
        size_t part = min(size, (size_t)(PAGE_SIZE - (va & ~PAGE_MASK)));
        int rc = copy_page(v, va, buf, part, need);

        if (rc != 0) {
            return rc;
        }
        va += part;
        buf += part;
        size -= part;
    }
    return 0;
}

static inline int copy(uint64_t va, char *buf, size_t size, uint64_t need)
{
    struct vcpu *v = vcpu_current();
    void *argument = argument_at(v, va, size);
    bool write = need & PTE_WRITE;

    if (argument == NULL) {
        return copy_pages(v, va, buf, size, need);
    }
    memcpy(write ? argument : buf, write ? buf : argument, size);
    return 0;
}

int guest_read(void *dst, struct guest_ptr src, size_t size)
{
    return copy(src.va, dst, size, PTE_PRESENT);
}

int guest_write(struct guest_ptr dst, const void *src, size_t size)
{
    return copy(dst.va, (char *)(uintptr_t)src, size,
                PTE_PRESENT | PTE_WRITE);
}

int guest_place_get(struct guest_place *p, struct guest_ptr dst, size_t size)
{
    struct vcpu *v = vcpu_current();

    p->first = min(size, (size_t)(PAGE_SIZE - (dst.va & ~PAGE_MASK)));
    p->frame[1] = NULL;
    p->at[0] = hold(v, dst.va, PTE_PRESENT, &p->frame[0]);
    if (p->at[0] == NULL) {
        return -EFAULT;
    }
    if (p->first == size) {
        return 0;
    }
    p->at[1] = hold(v, dst.va + p->first, PTE_PRESENT, &p->frame[1]);
    if (p->at[1] == NULL) {
        frame_put(p->frame[0]);
        return -EFAULT;
    }
    return 0;
}

void guest_place_write(const struct guest_place *p, size_t offset,
                       const void *src, size_t size)
{
    size_t before = offset < p->first ? min(size, p->first - offset) : 0;

    if (before > 0) {
        memcpy(p->at[0] + offset, src, before);
    }
    if (before < size) {
        memcpy(p->at[1] + (offset + before - p->first),
               (const char *)src + before, size - before);
    }
}

void guest_place_put(struct guest_place *p)
{
    frame_put(p->frame[0]);
    if (p->frame[1] != NULL) {
        frame_put(p->frame[1]);
    }
}

static uint64_t rights(void)
{
    struct hvm_paging p;

    hvm_ops->get_paging(vcpu_current(), &p);
    return p.cpl == 3 ? PTE_PRESENT | PTE_USER : PTE_PRESENT;
}

int guest_copy_load(void *dst, struct guest_ptr src, size_t size)
{
    return copy(src.va, dst, size, rights());
}

int guest_copy_store(struct guest_ptr dst, const void *src, size_t size)
{
    return copy(dst.va, (char *)(uintptr_t)src, size, rights() | PTE_WRITE);
}
