/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The PV personality: ring 0 of a PV guest's container.
 *
 *   entry.S -> trap.c -> privileged.c (what a kernel may try at CPL 3), msr.c,
 *                        port.c
 *                     -> mmu.c (page faults that are ours to mend)
 *                     -> bounce.c (a frame on the guest kernel's stack)
 *           -> hypercall.c -> mmu.c, segment.c, bounce.c (iret)
 *                          -> VMMCALL: what concerns others
 *
 *  1. Trusted for one thing: that the guest's user mode gets neither at its
 *     kernel's memory nor at hypercalls.  The nested table keeps everybody
 *     else safe, whatever happens here.
 *  2. Memory that the guest names is touched only by guest.h's accessors,
 *     which end in false where the address is bad.
 *  3. CR4.PGE is off: GLOBAL in a guest's entries means nothing, so no
 *     kernel translation outlives the switch to user mode.
 *  4. The guest runs with IF set; its own interrupt flag is
 *     evtchn_upcall_mask.
 */
#ifndef PVKERN_PVKERN_H
#define PVKERN_PVKERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/xen_abi.h"
#include "insn.h"
#include "pvkern/descriptor.h"
#include "pvkern/layout.h"

#define PAGE_BYTES 4096ul

#define VECTOR_DB 1
#define VECTOR_NMI 2
#define VECTOR_BP 3
#define VECTOR_OF 4
#define VECTOR_UD 6
#define VECTOR_NM 7
#define VECTOR_DF 8
#define VECTOR_NP 11
#define VECTOR_SS 12
#define VECTOR_GP 13
#define VECTOR_PF 14

#define FLAG_TF 0x100ul
#define FLAG_IF 0x200ul
#define FLAG_DF 0x400ul
#define FLAG_IOPL 0x3000ul
#define FLAG_NT 0x4000ul
#define FLAG_RF 0x10000ul
#define FLAG_VM 0x20000ul
#define FLAG_AC 0x40000ul

#define CR0_TS 8ul
#define CR4_TSD 4ul
#define CR4_DE 8ul
#define CR4_FSGSBASE 0x10000ul
#define CR4_OSXSAVE 0x40000ul

#define NO_ERROR_CODE (-1)

/* The area of the running vcpu: its stacks lie in it. */
static inline uint64_t pvk_area(void)
{
    uint64_t rsp;

    __asm__("mov %%rsp, %0" : "=r" (rsp));
    return rsp & ~(uint64_t)(PVK_AREA_SIZE - 1);
}

static inline struct pvk_vcpu *pvk_this(void)
{
    return (struct pvk_vcpu *)pvk_area();
}

/* What stands for this vcpu where 0 is nobody. */
static inline uint32_t pvk_name(void)
{
    return pvk_this()->id + 1;
}

static inline struct pvk_domain *pvk_domain(void)
{
    return (struct pvk_domain *)PVK_DOMAIN;
}

static inline vcpu_info_t *pvk_info(const struct pvk_vcpu *v)
{
    return (vcpu_info_t *)v->info;
}

static inline struct pvk_regs *pvk_top_regs(uint64_t area)
{
    return (struct pvk_regs *)(area + PVK_AREA_STACK_TOP) - 1;
}

/* The guest's own gate of 'vector'. */
static inline struct trap_info *pvk_gate(uint64_t area, unsigned int vector)
{
    return (struct trap_info *)(area + PVK_AREA_TRAPS) + vector;
}

static inline bool pvk_is_canonical(uint64_t va)
{
    return (uint64_t)((int64_t)(va << 16) >> 16) == va;
}

/* Is [va, va + size) outside what is ours?  It may be unmapped. */
static inline bool pvk_is_guest_range(uint64_t va, uint64_t size)
{
    return size <= PVK_HOLE_END - PVK_HOLE_BASE
           && (va >= PVK_HOLE_END ? va + size - 1 >= va || size == 0
                                  : va < PVK_HOLE_BASE
                                    && size <= PVK_HOLE_BASE - va);
}

/* A hypercall to the hypervisor. */
static inline long vmmcall(uint64_t nr, const uint64_t a[6])
{
    register uint64_t r10 __asm__("r10") = a[3];
    register uint64_t r8 __asm__("r8") = a[4];
    register uint64_t r9 __asm__("r9") = a[5];
    uint64_t rdi = a[0], rsi = a[1], rdx = a[2];
    long result;

    /* It may change its arguments, to go on after an interruption. */
    __asm__ volatile("vmmcall"
                     : "=a" (result), "+D" (rdi), "+S" (rsi), "+d" (rdx),
                       "+r" (r10), "+r" (r8), "+r" (r9)
                     : "0" (nr) : "memory");
    return result;
}

/* One whose further arguments nobody looks at. */
static inline long vmmcall3(uint64_t nr, uint64_t a, uint64_t b, uint64_t c)
{
    long result;

    __asm__ volatile("vmmcall"
                     : "=a" (result), "+D" (a), "+S" (b), "+d" (c)
                     : "0" (nr) : "memory");
    return result;
}

static inline long pvk_call(uint64_t what, uint64_t a, uint64_t b, uint64_t c)
{
    const uint64_t args[6] = { what, a, b, c };

    return vmmcall(PVK_CALL, args);
}

/* Ends the domain. */
_Noreturn void pvk_crash(enum pvk_crash why, uint64_t a, uint64_t b);

/* ---- entry.S, and what it calls ---- */

void entry_swap_gs(void);
/* Each returns the registers to go on with. */
struct pvk_regs *boot_vcpu(void);
struct pvk_regs *pvk_trap(struct pvk_regs *r);
struct pvk_regs *pvk_syscall(struct pvk_regs *r);
struct pvk_regs *pvk_compat_syscall(struct pvk_regs *r);

/* ---- trap.c ---- */

extern uint64_t trap_idt[256][2] __attribute__((visibility("hidden")));

/* Has trap_finish() anything to tell the guest? */
static inline bool trap_has_news(const struct pvk_vcpu *v)
{
    return __atomic_load_n(&pvk_info(v)->evtchn_upcall_pending,
                           __ATOMIC_ACQUIRE)
           || v->nmi_pending;
}

/* Last steps before the guest runs on with 'r': events; sysret or iret. */
struct pvk_regs *trap_finish(struct pvk_vcpu *v, struct pvk_regs *r);
/* Makes the IDT; any vcpu, again and again the same. */
void trap_init(void);

/* ---- bounce.c ---- */

/* The guest changes between user and kernel mode: page table and GS. */
void bounce_to_kernel(struct pvk_vcpu *v);
/* False: it has no user page table. */
bool bounce_to_user(struct pvk_vcpu *v);
/* Makes 'r' enter the guest's handler of 'vector'. */
void bounce_trap(struct pvk_vcpu *v, struct pvk_regs *r, unsigned int vector,
                 int error);
void bounce_page_fault(struct pvk_vcpu *v, struct pvk_regs *r, uint64_t cr2,
                       unsigned int error);
void bounce_event(struct pvk_vcpu *v, struct pvk_regs *r);
/* By the gate of vector 2, wherever that came from; without one it is lost. */
void bounce_nmi(struct pvk_vcpu *v, struct pvk_regs *r);
void bounce_syscall(struct pvk_vcpu *v, struct pvk_regs *r,
                    enum pvk_callback_name name);
/* These selectors, by enum pvk_segment, could not be loaded for 'r'. */
void bounce_failsafe(struct pvk_vcpu *v, struct pvk_regs *r,
                     const uint16_t selector[4]);
/* HYPERVISOR_iret. */
void bounce_iret(struct pvk_vcpu *v, struct pvk_regs *r);

/* ---- mmu.c ---- */

bool mmu_load_kernel(struct pvk_vcpu *v, uint64_t cr3);
bool mmu_load_user(struct pvk_vcpu *v, uint64_t cr3);
/* A page fault of the guest that is ours to mend: true, try again. */
bool mmu_mend_fault(struct pvk_vcpu *v, uint64_t va, unsigned int error);
long mmu_update(struct pvk_vcpu *v, const uint64_t a[6]);
long mmu_ext_op(struct pvk_vcpu *v, const uint64_t a[6]);
/* Of what is another domain's: why not. */
long mmu_refuse(uint64_t domid);
long mmu_update_va(struct pvk_vcpu *v, uint64_t va, uint64_t value,
                   uint64_t flags);
/* The level 1 table and index of 'va' in the kernel's page table. */
bool mmu_leaf_of(struct pvk_vcpu *v, uint64_t va, uint64_t *table,
                 unsigned int *index);
/* The frame that 'va' of the kernel's page table shows, or false. */
bool mmu_frame_of(struct pvk_vcpu *v, uint64_t va, uint64_t *frame);
static inline void mmu_flush_local(void)
{
    write_cr3(read_cr3());
}

/* ---- segment.c ---- */

enum pvk_segment { PVK_DS, PVK_ES, PVK_FS, PVK_GS };

long segment_set_gdt(struct pvk_vcpu *v, uint64_t list, uint64_t count);
/* The same with the frames at hand. */
long segment_load_gdt(struct pvk_vcpu *v, const uint64_t *frame,
                      uint64_t count);
/* Would it, but for what is in use now?  Harmless descriptors get DPL 3. */
bool segment_check_gdt(const uint64_t *frame, uint64_t count);
long segment_set_ldt(struct pvk_vcpu *v, uint64_t base, uint64_t count);
long segment_update(uint64_t address, uint64_t descriptor);
long segment_set_base(struct pvk_vcpu *v, unsigned int which, uint64_t base);
/* Of FS or GS, as the guest's 64-bit code uses it now. */
uint64_t segment_base(enum pvk_segment name);
/*
 * The descriptor that a selector of the guest's names, as it is in the table
 * now: all 0 for one of none.  False: it cannot be read.
 */
bool segment_read(const struct pvk_vcpu *v, uint64_t selector,
                  struct descriptor_view *out);
/* The code segment of 'r'.  False: it is none. */
bool segment_read_code(const struct pvk_vcpu *v, const struct pvk_regs *r,
                       struct descriptor_view *out);
/* Where 'rip' of it is: by its base, which 64-bit code has not. */
static inline uint64_t segment_linear(const struct descriptor_view *code,
                                      uint64_t rip)
{
    return code->is_long ? rip : (uint32_t)(code->base + rip);
}
/* Is 'va' in our copy of a GDT or LDT?  Then '*selector' says whose. */
bool segment_is_table(uint64_t va, unsigned int *selector);
/* Loads a data segment; 0, and false, where it cannot be. */
bool segment_load(enum pvk_segment name, uint16_t selector);

/* ---- hypercall.c ---- */

struct pvk_regs *pvk_hypercall(struct pvk_vcpu *v, struct pvk_regs *r);
long hypercall_set_debugreg(struct pvk_vcpu *v, unsigned int reg,
                            uint64_t value);
long hypercall_get_debugreg(const struct pvk_vcpu *v, unsigned int reg);
/*
 * Which of its breakpoints at ports an access meets, as bits of DR6 (APM vol.
 * 2, 13.1.1): none without CR4.DE.
 */
unsigned int hypercall_port_breakpoints(const struct pvk_vcpu *v,
                                        unsigned int port, unsigned int size);
/* What frames and answers look like by these bits, VMASST_TYPE_*. */
void hypercall_follow_assists(uint64_t assists);
void hypercall_set_traps(uint64_t list, long *error);
void hypercall_set_callback(struct pvk_vcpu *v, enum pvk_callback_name name,
                            uint64_t address, bool masks_events);

/* ---- grant.c ---- */

/* GNTTABOP_map_grant_ref and _unmap_grant_ref; others go on as they are. */
long grant_table_op(struct pvk_vcpu *v, const uint64_t a[6]);

/* ---- msr.c ---- */

/* RDMSR and WRMSR of the guest's kernel: false, #GP. */
bool msr_of_guest(uint32_t index, uint64_t *value);
bool msr_by_guest(uint32_t index, uint64_t value);

/* ---- port.c ---- */

/*
 * May it use all ports?  Its kernel is in ring 1, or in ring 0 if it asked for
 * that.
 */
bool port_has_iopl(const struct pvk_vcpu *v);

/* ---- privileged.c ---- */

void privileged_set_cr4(struct pvk_vcpu *v, uint64_t value);

/*
 * #GP or #UD of the guest: true if the instruction was emulated, or is known
 * and ended in a trap of another kind.
 */
bool privileged_emulate(struct pvk_vcpu *v, struct pvk_regs *r,
                        unsigned int vector);

#endif
