/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a PV test kernel has: results by the console ring, hypercalls, traps,
 * pages, user mode.  A kernel is one file with pv_main().
 */
#ifndef GUEST_PV_PV_H
#define GUEST_PV_PV_H

#include <stdbool.h>

#include "core/xen_abi.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/printf.h"
#include "lib/string.h"

#define PAGE_SIZE 4096ul
#define PAGE_SHIFT 12
#define VIRT_BASE 0xffffffff80000000ul
#define PTR(p) ((uint64_t)(uintptr_t)(p))
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define barrier() __asm__ volatile("" ::: "memory")

#define PTE_PRESENT 1ul
#define PTE_WRITE 2ul
#define PTE_USER 4ul
#define PTE_NX (1ul << 63)
#define PTE_ADDRESS 0x000ffffffffff000ul
#define PTE_RW (PTE_PRESENT | PTE_WRITE | PTE_USER)
#define PTE_RO (PTE_PRESENT | PTE_USER)

#define USER_CODE 0x400000ul
#define USER_STACK 0x500000ul       /* its page ends at + PAGE_SIZE */

#define ON_EVENT 0x100
#define ON_SYSCALL 0x101
#define ON_FAILSAFE 0x102
#define ON_NMI 0x103
#define ON_SYSCALL32 0x104
#define ON_SYSENTER 0x105

struct pv_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx,
             rcx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

struct pv_start {
    uint64_t rip, rsp, rflags, cs, ss, flags;
};

extern struct start_info *start_info;
extern struct shared_info *shared_info;
extern uint8_t hypercall_page[4096];
extern uint64_t iret_flags;
extern const char image_start[], image_end[];

void pv_main(void);
/* In the NMI handler: a kernel that wants to look has its own. */
void pv_on_nmi(void);
/* Of vcpu 32, once it is up: a kernel that wants it has its own. */
void pv_other(void) __attribute__((noreturn));

void pv_log(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool pv_case(bool ok, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
bool pv_equal(const char *name, long got, long want);
void pv_end(unsigned int reason) __attribute__((noreturn));
bool pv_has_arg(const char *word);
/* Zeroed, mapped pages. */
void *pv_pages(unsigned int count);

/* The last trap that pv_try() or pv_user() saw, and how many events came. */
extern struct pv_frame trap_last;
extern volatile unsigned int events, nmis;
/* With which the last handler started. */
extern volatile uint64_t handler_flags;
/* The same of the event callback, and its frame. */
extern uint64_t event_flags;
extern struct pv_frame event_last;
/* For callbacks that a kernel asks for itself. */
extern const char stub_nmi[], stub_syscall[], stub_syscall32[],
    stub_sysenter[];

/* Such as to run fn in the kernel, which must not end; a stack is taken. */
void pv_make_context(struct vcpu_guest_context *c, void (*fn)(void));
/* VCPUOP_initialise with it. */
long pv_initialise_vcpu(unsigned int vcpu, void (*fn)(void));
/* The same, one of the first 32; its upcalls are masked, and it is up. */
void pv_start_vcpu(unsigned int vcpu, void (*fn)(void));

/* The frame of the user space's level 4 table. */
uint64_t pv_user_root(void);
/* The user space, for another vcpu; its stack's page, which is executable. */
long pv_load_user(void);
void *pv_user_stack(void);

bool pv_try(void (*fn)(void *), void *arg);
#define NO_TRAP 0x1000u
/* A case: fn ends in the trap 'vector', or in none. */
void pv_traps(const char *name, void (*fn)(void *), void *arg,
              uint64_t vector);
/* Runs user code to its first trap or system call: trap_last. */
void pv_user(const struct pv_start *s);
/* Copies code to USER_CODE and runs it there. */
void pv_user_code(const void *code, size_t size, uint64_t rflags);
/* The same as 32-bit code. */
void pv_user_code32(const void *code, size_t size);
/*
 * And from another start; the code is at USER_CODE in any case.  In kernel
 * mode if cs has RPL 0: by pv_try() then.
 */
void pv_user_code_at(const void *code, size_t size, const struct pv_start *s);

static inline long hypercall6(unsigned int nr, uint64_t a, uint64_t b,
                              uint64_t c, uint64_t d, uint64_t e)
{
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    long ret;

    __asm__ volatile("call *%[at]"
                     : "=a"(ret), "+D"(a), "+S"(b), "+d"(c), "+r"(r10),
                       "+r"(r8)
                     : [at] "0"(&hypercall_page[nr * 32])
                     : "memory", "r9", "cc");
    return ret;
}

static inline long hypercall(unsigned int nr, uint64_t a, uint64_t b,
                             uint64_t c)
{
    return hypercall6(nr, a, b, c, 0, 0);
}

/* The machine frame of mapped memory of ours; on Gantry it is the same. */
static inline uint64_t mfn_of(const void *p)
{
    const uint64_t *p2m = (const uint64_t *)start_info->mfn_list;

    return p2m[(PTR(p) - VIRT_BASE) >> PAGE_SHIFT];
}

static inline uint64_t pv_m2p(uint64_t frame)
{
    return ((const volatile uint64_t *)HYPERVISOR_VIRT_START)[frame];
}

/* Where the frame of a page table's entry is mapped. */
static inline void *page_of(uint64_t entry)
{
    return (void *)(VIRT_BASE + (pv_m2p((entry & PTE_ADDRESS) >> PAGE_SHIFT)
                                 << PAGE_SHIFT));
}

static inline long update_va(const void *va, uint64_t entry)
{
    return hypercall(__HYPERVISOR_update_va_mapping, PTR(va), entry,
                     UVMF_INVLPG);
}

static inline long mmuext(unsigned int cmd, uint64_t arg)
{
    struct mmuext_op op = { .cmd = cmd, .arg1.mfn = arg };

    return hypercall6(__HYPERVISOR_mmuext_op, PTR(&op), 1, 0, DOMID_SELF, 0);
}

static inline long mmu_write(uint64_t address, uint64_t value)
{
    struct mmu_update u = { .ptr = address, .val = value };

    return hypercall6(__HYPERVISOR_mmu_update, PTR(&u), 1, 0, DOMID_SELF, 0);
}

/* The kernel's level 4 table, and an entry of it all for 'va'. */
uint64_t *pv_root(void);
uint64_t *pv_entry_of(const void *va);

#endif
