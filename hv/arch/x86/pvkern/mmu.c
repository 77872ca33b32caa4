/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The guest's page tables as it changes and loads them: mmu_update,
 * mmuext_op, update_va_mapping, and the page faults that are ours to mend.
 * Everything is done on the tables where they stand; only a flush of other
 * vcpus' TLBs and a change of the M2P need the hypervisor.
 *
 *  1. "Machine" frames are the container's: nothing is translated here.  A
 *     guest may number its own in another order (pvgrub does, for the next
 *     kernel): MMU_MACHPHYS_UPDATE keeps its M2P.
 *  2. A store by the guest's kernel to a level 1 table through a read-only
 *     mapping, which the ABI promises to work (writable_pagetables), makes
 *     the mapping writable instead of being emulated: the next ones cost no
 *     fault.  table.c keeps no state that such stores would make wrong.
 */
#include "lib/errno.h"
#include "pvkern/guest.h"
#include "pvkern/table.h"

#define PF_PRESENT 1u
#define PF_WRITE 2u
#define PF_RESERVED 8u
#define PF_FETCH 16u

#define BITS_PER_WORD 64u

static unsigned int index_of(uint64_t va, unsigned int level)
{
    return va >> (12 + 9 * (level - 1)) & 511;
}

static void invlpg(uint64_t va)
{
    __asm__ volatile("invlpg (%0)" :: "r" (va) : "memory");
}

/* ---- the tables in use ---- */

static bool load(uint64_t *cr3, uint64_t value)
{
    uint64_t old = pte_frame(*cr3);

    if ((value & ~PTE_ADDRESS) != 0 || !table_get(pte_frame(value), 4)) {
        return false;
    }
    if (!table_install(pte_frame(value))) {
        return false;
    }
    *cr3 = value;
    if (old != 0) {
        table_put(old, 4);
    }
    return true;
}

bool mmu_load_kernel(struct pvk_vcpu *v, uint64_t cr3)
{
    if (!load(&v->kernel_cr3, cr3)) {
        return false;
    }
    if (v->in_kernel) {
        write_cr3(v->kernel_cr3);
    }
    return true;
}

bool mmu_load_user(struct pvk_vcpu *v, uint64_t cr3)
{
    if (cr3 != 0) {
        return load(&v->user_cr3, cr3);
    }
    if (v->user_cr3 != 0) {
        table_put(pte_frame(v->user_cr3), 4);
        v->user_cr3 = 0;
    }
    return true;
}

/* The level 1 entry of 'va' in the tables at 'cr3', or NULL. */
static uint64_t *entry_of(uint64_t cr3, uint64_t va, uint64_t *frame)
{
    *frame = pte_frame(cr3);
    for (unsigned int level = 4; level > 1; level--) {
        uint64_t entry;

        if (!table_has_frame(*frame)
            || !word_read(table_of(*frame) + index_of(va, level), &entry)
            || !(entry & PTE_PRESENT) || (level < 4 && (entry & PTE_LARGE))) {
            return NULL;
        }
        *frame = pte_frame(entry);
    }
    return table_has_frame(*frame) ? table_of(*frame) + index_of(va, 1)
                                   : NULL;
}

bool mmu_leaf_of(struct pvk_vcpu *v, uint64_t va, uint64_t *table,
                 unsigned int *index)
{
    *index = index_of(va, 1);
    return pvk_is_guest_range(va, 1)
           && entry_of(v->kernel_cr3, va, table) != NULL;
}

bool mmu_frame_of(struct pvk_vcpu *v, uint64_t va, uint64_t *frame)
{
    uint64_t table, entry;
    uint64_t *at = entry_of(v->kernel_cr3, va, &table);

    if (at == NULL || !word_read(at, &entry) || !(entry & PTE_PRESENT)) {
        return false;
    }
    *frame = pte_frame(entry);
    return true;
}

/* ---- faults ---- */

static bool add_bits(uint64_t *at, uint64_t entry, uint64_t bits)
{
    while ((entry & PTE_PRESENT) && (entry & bits) != bits) {
        if (word_cmpxchg(at, &entry, entry | bits)) {
            break;
        }
    }
    return entry & PTE_PRESENT;
}

/* May a write through this entry be made to work?  See invariant 2. */
static bool mend_write(struct pvk_vcpu *v, uint64_t *at, uint64_t entry)
{
    return (entry & PTE_WRITE)
           || (v->in_kernel && table_level(pte_frame(entry)) == 1
               && add_bits(at, entry, PTE_WRITE));
}

/*
 * What keeps the access from working: an entry without USER, a mapping of
 * a page table without WRITE, or nothing (a stale translation).
 */
bool mmu_mend_fault(struct pvk_vcpu *v, uint64_t va, unsigned int error)
{
    uint64_t frame = pte_frame(read_cr3());

    if ((error & PF_RESERVED) || !pvk_is_guest_range(va, 1)) {
        return false;
    }
    for (unsigned int level = 4; level > 0; level--) {
        uint64_t *at = table_of(frame) + index_of(va, level);
        uint64_t entry;

        if (!table_has_frame(frame) || !word_read(at, &entry)
            || !(entry & PTE_PRESENT)
            || ((error & PF_FETCH) && (entry & PTE_NX))
            || (level > 1 && level < 4 && (entry & PTE_LARGE))
            || (level > 1 && (error & PF_WRITE) && !(entry & PTE_WRITE))
            || !add_bits(at, entry, PTE_USER)) {
            return false;
        }
        if (level == 1 && (error & PF_WRITE) && !mend_write(v, at, entry)) {
            return false;
        }
        frame = pte_frame(entry);
    }
    invlpg(va);
    return true;
}

/* ---- flushes ---- */

/* Other vcpus of the mask in guest memory; 0: all. */
static bool flush_others(struct pvk_vcpu *v, uint64_t mask)
{
    unsigned int count = pvk_domain()->max_vcpus;

    for (unsigned int i = 0; i * BITS_PER_WORD < count; i++) {
        unsigned int left = count - i * BITS_PER_WORD;
        unsigned int bytes = ((left < 64 ? left : 64) + 7) / 8;
        uint64_t word = mask == 0 ? ~0ul : 0;

        if (mask != 0 && !guest_get(&word, mask + i * sizeof(word), bytes)) {
            return false;
        }
        if (v->id / BITS_PER_WORD == i) {
            word &= ~(1ul << (v->id % BITS_PER_WORD));
        }
        if (left < BITS_PER_WORD) {
            word &= (1ul << left) - 1;
        }
        if (word != 0) {
            (void)pvk_call(PVK_CALL_FLUSH, i, word, 0);
        }
    }
    return true;
}

long mmu_update_va(struct pvk_vcpu *v, uint64_t va, uint64_t value,
                   uint64_t flags)
{
    uint64_t frame;
    uint64_t mask = flags & ~(uint64_t)UVMF_FLUSHTYPE_MASK;
    long error;

    if (!pvk_is_guest_range(va, 1)
        || entry_of(v->kernel_cr3, va, &frame) == NULL) {
        return -EINVAL;
    }
    error = table_write(frame, index_of(va, 1), value, 0);
    if (error != 0) {
        return error;
    }
    switch (flags & UVMF_FLUSHTYPE_MASK) {
    case UVMF_TLB_FLUSH:
        mmu_flush_local();
        break;
    case UVMF_INVLPG:
        invlpg(va);
        break;
    default:
        return 0;
    }
    if (mask == UVMF_LOCAL) {
        return 0;
    }
    return flush_others(v, mask == UVMF_ALL ? 0 : mask) ? 0 : -EFAULT;
}

/* ---- mmu_update ---- */

static long update_m2p(uint64_t frame, uint64_t pfn)
{
    uint64_t now;

    if (!table_has_frame(frame)
        || !word_read((const uint64_t *)PVK_M2P + frame, &now)) {
        return -EINVAL;
    }
    return now == pfn ? 0 : pvk_call(PVK_CALL_M2P, frame, pfn, 0);
}

static long update_one(const mmu_update_t *u)
{
    uint64_t frame = u->ptr >> 12;
    unsigned int index = (u->ptr & 0xfff) / sizeof(uint64_t);

    switch (u->ptr & 7) {
    case MMU_NORMAL_PT_UPDATE:
    case MMU_PT_UPDATE_NO_TRANSLATE:
        return table_write(frame, index, u->val, 0);
    case MMU_PT_UPDATE_PRESERVE_AD:
        return table_write(frame, index, u->val, PTE_ACCESSED | PTE_DIRTY);
    case MMU_MACHPHYS_UPDATE:
        return update_m2p(frame, u->val);
    default:
        return -ENOSYS;
    }
}

static bool is_self(uint64_t domid)
{
    return (domid & 0xffff) == DOMID_SELF
           && (domid >> 16 & 0xffff) == 0;
}

/* The hypervisor knows which domains there are. */
long mmu_refuse(uint64_t domid)
{
    const uint64_t a[6] = { 0, 0, 0, domid & 0xffff };
    long error = domid >> 16 & 0xffff ? -EPERM
                                      : vmmcall(__HYPERVISOR_mmu_update, a);

    return error < 0 ? error : -EPERM;
}

/* Tells how many of a list were done, if the guest wants to know. */
static long tell_done(uint64_t at, uint32_t done, long error)
{
    return at != 0 && !guest_put(at, &done, sizeof(done)) ? -EFAULT : error;
}

long mmu_update(struct pvk_vcpu *v, const uint64_t a[6])
{
    uint32_t count = (uint32_t)a[1];
    uint32_t i;
    long error = 0;

    (void)v;
    if (!is_self(a[3])) {
        return mmu_refuse(a[3]);
    }
    for (i = 0; i < count; i++) {
        mmu_update_t u;

        if (!guest_get(&u, a[0] + i * sizeof(u), sizeof(u))) {
            error = -EFAULT;
            break;
        }
        error = update_one(&u);
        if (error != 0) {
            break;
        }
    }
    return tell_done(a[2], i, error);
}

/* ---- mmuext_op ---- */

static long clear_frame(uint64_t to)
{
    uint64_t *t = table_of(to);

    if (!table_has_frame(to) || table_level(to) != 0) {
        return -EINVAL;
    }
    for (unsigned int i = 0; i < PAGE_BYTES / sizeof(*t); i++) {
        if (!word_write(&t[i], 0)) {
            return -EINVAL;
        }
    }
    return 0;
}

static long copy_frame(uint64_t to, uint64_t from)
{
    if (!table_has_frame(to) || !table_has_frame(from)
        || table_level(to) != 0) {
        return -EINVAL;
    }
    return copy(table_of(to), table_of(from), PAGE_BYTES) ? 0 : -EINVAL;
}

static long flush(struct pvk_vcpu *v, const struct mmuext_op *op)
{
    bool all = op->cmd == MMUEXT_TLB_FLUSH_ALL
               || op->cmd == MMUEXT_INVLPG_ALL;
    uint64_t mask = all ? 0 : (uint64_t)op->arg2.vcpumask.p;
    bool page = op->cmd == MMUEXT_INVLPG_MULTI
                || op->cmd == MMUEXT_INVLPG_ALL;

    uint8_t first;

    if (!all && (mask == 0 || !guest_get(&first, mask, sizeof(first)))) {
        return -EINVAL;
    }
    if (page) {
        invlpg(op->arg1.linear_addr);
    } else {
        mmu_flush_local();
    }
    return flush_others(v, mask) ? 0 : -EFAULT;
}

static long ext_one(struct pvk_vcpu *v, const struct mmuext_op *op)
{
    uint64_t frame = op->arg1.mfn;

    switch (op->cmd) {
    case MMUEXT_PIN_L1_TABLE ... MMUEXT_PIN_L4_TABLE:
        return table_pin(frame, op->cmd - MMUEXT_PIN_L1_TABLE + 1);
    case MMUEXT_UNPIN_TABLE:
        return table_unpin(frame);
    case MMUEXT_NEW_BASEPTR:
        return mmu_load_kernel(v, frame << 12) ? 0 : -EINVAL;
    case MMUEXT_NEW_USER_BASEPTR:
        return mmu_load_user(v, frame << 12) ? 0 : -EINVAL;
    case MMUEXT_TLB_FLUSH_LOCAL:
        mmu_flush_local();
        return 0;
    case MMUEXT_INVLPG_LOCAL:
        invlpg(op->arg1.linear_addr);
        return 0;
    case MMUEXT_TLB_FLUSH_MULTI:
    case MMUEXT_INVLPG_MULTI:
    case MMUEXT_TLB_FLUSH_ALL:
    case MMUEXT_INVLPG_ALL:
        return flush(v, op);
    case MMUEXT_SET_LDT:
        return segment_set_ldt(v, op->arg1.linear_addr, op->arg2.nr_ents);
    case MMUEXT_CLEAR_PAGE:
        return clear_frame(frame);
    case MMUEXT_COPY_PAGE:
        return copy_frame(frame, op->arg2.src_mfn);
    case MMUEXT_FLUSH_CACHE:
        return -EACCES;         /* as of one without a device */
    case MMUEXT_FLUSH_CACHE_GLOBAL:
        return -EINVAL;
    case MMUEXT_MARK_SUPER:
    case MMUEXT_UNMARK_SUPER:
        return -EOPNOTSUPP;
    default:
        return -ENOSYS;
    }
}

long mmu_ext_op(struct pvk_vcpu *v, const uint64_t a[6])
{
    uint32_t count = (uint32_t)a[1];
    uint32_t i;
    long error = 0;

    if ((a[3] & 0xffff) != DOMID_SELF) {
        return mmu_refuse(a[3]);
    }
    for (i = 0; i < count; i++) {
        struct mmuext_op op;

        if (!guest_get(&op, a[0] + i * sizeof(op), sizeof(op))) {
            error = -EFAULT;
            break;
        }
        error = ext_one(v, &op);
        if (error != 0) {
            break;
        }
    }
    return tell_done(a[2], i, error);
}
