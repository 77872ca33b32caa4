/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stands in for modules that are not there yet, so that the machine part
 * boots by itself: every symbol is weak and gives way to the real one. With
 * no scheduler CPU 0 runs a guest of a few bytes that proves the world
 * switch.
 */
#include "boot/boot.h"
#include "core/console.h"
#include "core/kmem.h"
#include "core/p2m.h"
#include "core/page_alloc.h"
#include "core/sched.h"
#include "core/timer.h"
#include "hvm/hvm.h"
#include "hvm/pvh_dom0.h"
#include "insn.h"
#include "ioapic.h"
#include "lib/string.h"
#include "mmu.h"
#include "svm/svm.h"

#define WEAK __attribute__((weak))
#define POOL_PAGES 512

WEAK const struct hvm_ops *hvm_ops;

static char *pool;
static unsigned int pool_used;

WEAK void *page_alloc_core(unsigned int order)
{
    char *p;

    if (pool == NULL) {
        pool = mmu_direct(boot_memory_alloc(POOL_PAGES, 0));
    }
    p = pool + pool_used * PAGE_SIZE;
    pool_used += 1u << order;
    return pool_used <= POOL_PAGES ? p : NULL;
}

WEAK void page_free_core(void *p, unsigned int order)
{
    (void)p;
    (void)order;
}

WEAK void *kmem_alloc(size_t size)
{
    (void)size;
    return page_alloc_core(0);
}

WEAK void kmem_free(void *p)
{
    (void)p;
}

WEAK size_t page_alloc_table_size(uint64_t limit)
{
    (void)limit;
    return PAGE_SIZE;
}

WEAK void page_alloc_init(void *table, uint64_t limit)
{
    (void)table;
    (void)limit;
}

WEAK void page_alloc_add(mfn_t start, uint64_t count, unsigned int node)
{
    (void)start;
    (void)count;
    (void)node;
}

WEAK void timer_run(void)
{
}

static mfn_t root;

WEAK mfn_t p2m_root(const struct domain *d)
{
    (void)d;
    return root;
}

WEAK uint32_t p2m_flush_generation(const struct domain *d)
{
    (void)d;
    return 1;
}

/* mov $7,%ecx; 1: vmmcall; dec %ecx; jnz 1b; cpuid; hlt */
static const uint8_t guest_code[] = {
    0xb9, 7, 0, 0, 0, 0x0f, 0x01, 0xd9, 0x49, 0x75, 0xfa, 0x0f, 0xa2, 0xf4,
};
static struct vcpu guest_vcpu;
static struct domain guest_domain;
static struct arch_domain guest_arch_domain;
static struct arch_vcpu guest_arch;
static unsigned int guest_calls;

WEAK bool vcpu_is_runnable(const struct vcpu *v)
{
    return !v->is_down;
}

static void make_guest(void)
{
    uint64_t *l4 = page_alloc_core(0);
    uint64_t *l3 = page_alloc_core(0);
    uint64_t *l2 = page_alloc_core(0);
    uint64_t *l1 = page_alloc_core(0);
    char *code = page_alloc_core(0);
    struct hvm_state state = { .cr0 = 0x11, .pat = 0x0007040600070406ull };

    memcpy(code, guest_code, sizeof(guest_code));
    l4[0] = arch_p2m_table(arch_virt_to_mfn(l3));
    l3[0] = arch_p2m_table(arch_virt_to_mfn(l2));
    l2[0] = arch_p2m_table(arch_virt_to_mfn(l1));
    l1[1] = arch_p2m_leaf(arch_virt_to_mfn(code), 1, P2M_RAM_RW);
    root = arch_virt_to_mfn(l4);
    guest_vcpu.domain = &guest_domain;
    guest_vcpu.arch = &guest_arch;
    guest_domain.arch = &guest_arch_domain;
    guest_arch.xcr0 = 1;
    if (hvm_ops->vcpu_create(&guest_vcpu) != 0) {
        panic("no memory for the test guest");
    }
    for (int i = HVM_ES; i <= HVM_GS; i++) {
        state.segment[i] = (struct hvm_segment){ 0x10, 0xc93, ~0u, 0 };
    }
    state.segment[HVM_CS] = (struct hvm_segment){ 8, 0xc9b, ~0u, 0 };
    state.segment[HVM_TR] = (struct hvm_segment){ 0, 0x8b, 0x67, 0 };
    hvm_ops->set_state(&guest_vcpu, &state);
    guest_arch.regs.rip = 0x1000;
    hvm_ops->switch_to(&guest_vcpu);
}

WEAK struct vcpu *sched_pick(void)
{
    if (arch_cpu_id() != 0 || guest_vcpu.is_down) {
        return NULL;
    }
    if (guest_vcpu.domain == NULL) {
        make_guest();
    }
    return &guest_vcpu;
}

WEAK bool hvm_prepare_entry(struct vcpu *v)
{
    (void)v;
    return true;
}

WEAK bool hvm_exit_cpuid(struct vcpu *v)
{
    console_log(LOG_INFO, "test guest: cpuid, ecx %lu",
                v->arch->regs.gpr[HVM_RCX]);
    return true;
}

WEAK bool hvm_exit_rdmsr(struct vcpu *v)
{
    (void)v;
    return true;
}

WEAK bool hvm_exit_wrmsr(struct vcpu *v)
{
    (void)v;
    return true;
}

WEAK bool hvm_exit_io(struct vcpu *v, uint16_t port, unsigned int size,
                      bool in, bool string)
{
    (void)v;
    (void)port;
    (void)size;
    (void)in;
    (void)string;
    return true;
}

WEAK bool hvm_exit_hlt(struct vcpu *v)
{
    console_log(LOG_INFO, "test guest: hlt after %u hypercalls, %lu exits",
                guest_calls, v->exits);
    v->is_down = true;
    return true;
}

WEAK bool hvm_exit_hypercall(struct vcpu *v)
{
    (void)v;
    guest_calls++;
    return true;
}

WEAK bool hvm_exit_xsetbv(struct vcpu *v)
{
    (void)v;
    return true;
}

WEAK bool hvm_exit_skip(struct vcpu *v)
{
    (void)v;
    return true;
}

WEAK bool hvm_exit_undefined(struct vcpu *v)
{
    (void)v;
    return true;
}

WEAK void hvm_exit_npf(struct vcpu *v, uint64_t gpa, uint32_t error)
{
    (void)v;
    panic("test guest: nested fault at %lx, error %x", gpa, error);
}

WEAK void hvm_exit_shutdown(struct vcpu *v)
{
    panic("test guest: shutdown at %lx", v->arch->regs.rip);
}

WEAK void hvm_exit_unknown(struct vcpu *v, uint64_t code, uint64_t info)
{
    panic("test guest: exit %lx, %lx at %lx", code, info, v->arch->regs.rip);
}

WEAK void ioapic_init(void)
{
}

WEAK int ioapic_route(uint32_t gsi, uint8_t vector, uint32_t apic_id,
                      bool level, bool active_low)
{
    (void)gsi;
    (void)vector;
    (void)apic_id;
    (void)level;
    (void)active_low;
    return -1;
}

WEAK void ioapic_mask(uint32_t gsi, bool masked)
{
    (void)gsi;
    (void)masked;
}

WEAK void pvh_dom0_reserve(void)
{
}

WEAK struct domain *pvh_dom0_create(void)
{
    return NULL;
}

WEAK void sched_init(void)
{
}

WEAK int domain_unpause_by_controller(struct domain *d)
{
    (void)d;
    return 0;
}
