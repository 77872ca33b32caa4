/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's GDT, LDT and segment bases.  The frames of its GDT, and the
 * pages of its LDT, are mapped into the vcpu's area, where both of its page
 * tables show them; the GDT's last page is ours.
 *
 *  1. A descriptor passes descriptor_fix() when its table is loaded and when
 *     it is written through us.  A kernel that writes one behind our back
 *     changes only its own user mode's chances.
 */
#include "lib/errno.h"
#include "pvkern/guest.h"
#include "pvkern/table.h"

#define ENTRIES_PER_PAGE 512u
#define GDT_ENTRIES (PVK_GDT_FRAMES * ENTRIES_PER_PAGE)
#define LDT_ENTRIES (PVK_LDT_FRAMES * ENTRIES_PER_PAGE)

#define MSR_FS_BASE 0xc0000100
#define MSR_GS_BASE 0xc0000101
#define MSR_KERNEL_GS_BASE 0xc0000102

#define DESCRIPTOR_LDT 0x0000820000000000ull

/* The level 1 entry of page 'offset' of the running vcpu's area. */
static uint64_t *entry_of(uint64_t offset)
{
    uint64_t *table = (uint64_t *)(pvk_area() + PVK_AREA_TABLE);

    return &table[(pvk_area() + offset) >> 12 & 511];
}

static void show(uint64_t offset, uint64_t frame)
{
    *entry_of(offset) = frame << 12 | PTE_PRESENT | PTE_WRITE | PTE_NX
                        | PTE_ACCESSED | PTE_DIRTY;
}

/*
 * All descriptors of a frame are made harmless: the limits of the tables are
 * those of whole pages.
 */
static bool fix_frame(uint64_t frame)
{
    uint64_t *t = table_of(frame);

    if (!table_has_frame(frame) || table_level(frame) != 0) {
        return false;
    }
    for (unsigned int i = 0; i < ENTRIES_PER_PAGE; i++) {
        uint64_t old, fixed;

        if (!word_read(&t[i], &old)) {
            return false;
        }
        fixed = old;
        if (!descriptor_fix(&fixed)
            || (fixed != old && !word_write(&t[i], fixed))) {
            return false;
        }
    }
    return true;
}

/* ---- GDT ---- */

long segment_load_gdt(struct pvk_vcpu *v, const uint64_t *frame,
                      uint64_t count)
{
    unsigned int frames = (unsigned int)(count + ENTRIES_PER_PAGE - 1)
                          / ENTRIES_PER_PAGE;

    if (count > GDT_ENTRIES) {
        return -EINVAL;
    }
    for (unsigned int i = 0; i < frames; i++) {
        if (!fix_frame(frame[i])) {
            return -EINVAL;
        }
    }
    for (unsigned int i = 0; i < PVK_GDT_FRAMES; i++) {
        uint64_t offset = PVK_AREA_GDT + i * PAGE_BYTES;

        v->gdt_frame[i] = i < frames ? frame[i] : 0;
        if (i < frames) {
            show(offset, frame[i]);
        } else {
            *entry_of(offset) = 0;
        }
    }
    v->gdt_count = (uint32_t)count;
    mmu_flush_local();
    return 0;
}

long segment_set_gdt(struct pvk_vcpu *v, uint64_t list, uint64_t count)
{
    uint64_t frame[PVK_GDT_FRAMES];
    uint64_t frames = (count + ENTRIES_PER_PAGE - 1) / ENTRIES_PER_PAGE;

    if (count > GDT_ENTRIES) {
        return -EINVAL;
    }
    if (!guest_get(frame, list, frames * sizeof(frame[0]))) {
        return -EFAULT;
    }
    return segment_load_gdt(v, frame, count);
}

/* As of a list that another vcpu is to start with. */
bool segment_check_gdt(const uint64_t *frame, uint64_t count)
{
    for (uint64_t i = 0; i * ENTRIES_PER_PAGE < count; i++) {
        if (i >= PVK_GDT_FRAMES || !fix_frame(frame[i])) {
            return false;
        }
    }
    return true;
}

/* ---- LDT ---- */

static void load_ldtr(uint64_t count)
{
    uint64_t *gdt = (uint64_t *)(pvk_area() + PVK_AREA_GDT);
    uint64_t base = pvk_area() + PVK_AREA_LDT;
    uint64_t limit = count * 8 - 1;
    uint16_t selector = count == 0 ? 0 : PVK_LDT;

    gdt[PVK_LDT / 8] = DESCRIPTOR_LDT | (limit & 0xffff)
                       | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
    gdt[PVK_LDT / 8 + 1] = base >> 32;
    __asm__ volatile("lldt %0" :: "r" (selector) : "memory");
}

/* A page that is not there stays unmapped: its selectors fault. */
long segment_set_ldt(struct pvk_vcpu *v, uint64_t base, uint64_t count)
{
    if (count > LDT_ENTRIES || (base & (PAGE_BYTES - 1)) != 0
        || !pvk_is_guest_range(base, count * 8)) {
        return -EINVAL;
    }
    for (unsigned int i = 0; i < PVK_LDT_FRAMES; i++) {
        uint64_t first = i * ENTRIES_PER_PAGE;
        uint64_t offset = PVK_AREA_LDT + i * PAGE_BYTES;
        uint64_t frame;

        *entry_of(offset) = 0;
        if (first < count
            && mmu_frame_of(v, base + i * PAGE_BYTES, &frame)
            && fix_frame(frame)) {
            show(offset, frame);
        }
    }
    v->ldt_base = base;
    v->ldt_count = (uint32_t)count;
    mmu_flush_local();
    load_ldtr(count);
    return 0;
}

/* ---- single descriptors, selectors, bases ---- */

long segment_update(uint64_t address, uint64_t descriptor)
{
    uint64_t frame = address >> 12;

    if ((address & 7) != 0 || !table_has_frame(frame)
        || table_level(frame) != 0 || !descriptor_fix(&descriptor)) {
        return -EINVAL;
    }
    return word_write(table_of(frame) + (address & 0xfff) / 8, descriptor)
           ? 0 : -EINVAL;
}

bool segment_is_table(uint64_t va, unsigned int *selector)
{
    uint64_t offset = va - pvk_area();

    if (offset - PVK_AREA_GDT < PVK_GDT_FRAMES * PAGE_BYTES) {
        *selector = (unsigned int)(offset - PVK_AREA_GDT) & 0xfff8;
        return true;
    }
    if (offset - PVK_AREA_LDT < PVK_LDT_FRAMES * PAGE_BYTES) {
        *selector = ((unsigned int)(offset - PVK_AREA_LDT) & 0xfff8) | 4;
        return true;
    }
    return false;
}

#define LOAD(segment)                                                   \
    __asm__ volatile("1: mov %1, %%" #segment "\n"                      \
                     "jmp 3f\n"                                         \
                     "2: mov %2, %%" #segment "\n"                      \
                     "xor %0, %0\n3:\n" FIXUP(1b, 2b)                   \
                     : "+r" (ok) : "r" ((uint32_t)selector), "r" (0)    \
                     : "memory")

bool segment_load(enum pvk_segment name, uint16_t selector)
{
    uint32_t ok = 1;

    switch (name) {
    case PVK_DS:
        LOAD(ds);
        break;
    case PVK_ES:
        LOAD(es);
        break;
    case PVK_FS:
        LOAD(fs);
        break;
    default:
        LOAD(gs);
        break;
    }
    return ok != 0;
}

bool segment_read(const struct pvk_vcpu *v, uint64_t selector,
                  struct descriptor_view *out)
{
    bool is_local = selector & 4;
    uint64_t table = pvk_area() + (is_local ? PVK_AREA_LDT : PVK_AREA_GDT);
    uint64_t descriptor = 0;

    if ((selector & 0xfffc) != 0
        && !(is_local && (selector & 0xffff) >> 3 >= v->ldt_count)
        && !word_read((const uint64_t *)(table + (selector & 0xfff8)),
                      &descriptor)) {
        return false;
    }
    descriptor_read(descriptor, out);
    return true;
}

bool segment_read_code(const struct pvk_vcpu *v, const struct pvk_regs *r,
                       struct descriptor_view *out)
{
    if (r->cs == PVK_GUEST_CS) {
        *out = (struct descriptor_view){ .is_long = true };
        return true;
    }
    return segment_read(v, r->cs, out) && out->is_present && !out->is_system
           && out->is_code;
}

uint64_t segment_base(enum pvk_segment name)
{
    uint64_t base;

    return msr_get(name == PVK_FS ? MSR_FS_BASE : MSR_GS_BASE, &base) ? base
                                                                      : 0;
}

long segment_set_base(struct pvk_vcpu *v, unsigned int which, uint64_t base)
{
    (void)v;
    /* Not every CPU's WRMSR sees to it (QEMU's does not). */
    if (which <= SEGBASE_GS_KERNEL && !pvk_is_canonical(base)) {
        return -EINVAL;
    }
    switch (which) {
    case SEGBASE_FS:
        return msr_set(MSR_FS_BASE, base) ? 0 : -EINVAL;
    case SEGBASE_GS_USER:
        return msr_set(MSR_KERNEL_GS_BASE, base) ? 0 : -EINVAL;
    case SEGBASE_GS_KERNEL:
        return msr_set(MSR_GS_BASE, base) ? 0 : -EINVAL;
    case SEGBASE_GS_USER_SEL:
        entry_swap_gs();
        /* Its base first: AMD's keep the one there was with a null one. */
        (void)segment_load(PVK_GS, PVK_GUEST_SS);
        (void)segment_load(PVK_GS, (uint16_t)base > 3
                                   ? (uint16_t)base | 3 : (uint16_t)base);
        entry_swap_gs();
        return 0;
    default:
        return -EINVAL;
    }
}
