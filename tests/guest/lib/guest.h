/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a test kernel has: results, hypercalls, traps, pages, time, a local
 * APIC and more vcpus.  Memory below 4 GiB is mapped by identity, so a
 * pointer is a guest physical address; there is no allocator but
 * guest_pages().  A kernel is one file with guest_main().
 */
#ifndef GUEST_GUEST_H
#define GUEST_GUEST_H

#include <stdbool.h>

#include "core/xen_abi.h"
#include "lib/errno.h"
#include "lib/minmax.h"
#include "lib/printf.h"
#include "lib/string.h"

#define PAGE_SIZE 4096ul
#define PAGE_SHIFT 12
#define barrier() __asm__ volatile("" ::: "memory")
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, v) (*(volatile __typeof__(x) *)&(x) = (v))

/* ---- start and results ---- */

extern const struct hvm_start_info *guest_info;
extern const char *guest_args;
extern bool guest_is_dom0;
extern uint32_t hypervisor_leaf;    /* its first CPUID leaf */

void guest_main(void);

/* One line to the console; the newline is added. */
void guest_log(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* One case: "GUEST-TEST name pass|fail detail". Returns ok. */
bool guest_case(bool ok, const char *name, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* A case about a result that must be one value. */
bool guest_equal(const char *name, long got, long want);

/* Ends the kernel: totals, and SCHEDOP_shutdown. */
void guest_end(unsigned int reason) __attribute__((noreturn));

/* Is this word in the arguments? */
bool guest_has_arg(const char *word);

/* Is it the hypervisor whose ABI this is, not ours? By its extra version. */
bool guest_on_gantry(void);

/*
 * A performance counter's values, one a CPU or as its name says: how many,
 * at most 'max'; 0 if there is none of this name.
 */
unsigned int guest_perfc(const char *name, uint32_t *values,
                         unsigned int max);

/* Zeroed pages from the image's own memory; ends the kernel if none left. */
void *guest_pages(unsigned int count);

static inline uint64_t gfn_of(const void *p)
{
    return (uint64_t)p >> PAGE_SHIFT;
}

/* ---- hypercalls ---- */

extern uint8_t hypercall_page[4096];

static inline long hypercall6(unsigned int nr, uint64_t a, uint64_t b,
                              uint64_t c, uint64_t d, uint64_t e, uint64_t f)
{
    register uint64_t r10 __asm__("r10") = d;
    register uint64_t r8 __asm__("r8") = e;
    register uint64_t r9 __asm__("r9") = f;
    long ret;

    __asm__ volatile("call *%[at]"
                     : "=a"(ret), "+D"(a), "+S"(b), "+d"(c), "+r"(r10),
                       "+r"(r8), "+r"(r9)
                     : [at] "0"(&hypercall_page[nr * 32])
                     : "memory", "rcx", "r11", "cc");
    return ret;
}

static inline long hypercall(unsigned int nr, uint64_t a, uint64_t b,
                             uint64_t c)
{
    return hypercall6(nr, a, b, c, 0, 0, 0);
}

#define PTR(p) ((uint64_t)(uintptr_t)(p))

static inline long memory_op(unsigned int op, void *arg)
{
    return hypercall(__HYPERVISOR_memory_op, op, PTR(arg), 0);
}

static inline long evtchn_op(unsigned int op, void *arg)
{
    return hypercall(__HYPERVISOR_event_channel_op, op, PTR(arg), 0);
}

static inline long vcpu_op(unsigned int op, unsigned int id, void *arg)
{
    return hypercall(__HYPERVISOR_vcpu_op, op, id, PTR(arg));
}

static inline long sched_op(unsigned int op, void *arg)
{
    return hypercall(__HYPERVISOR_sched_op, op, PTR(arg), 0);
}

static inline long grant_op(unsigned int op, void *arg, unsigned int count)
{
    return hypercall(__HYPERVISOR_grant_table_op, op, PTR(arg), count);
}

static inline long version_op(unsigned int op, void *arg)
{
    return hypercall(__HYPERVISOR_xen_version, op, PTR(arg), 0);
}

static inline long hvm_op(unsigned int op, void *arg)
{
    return hypercall(__HYPERVISOR_hvm_op, op, PTR(arg), 0);
}

/* ---- the processor ---- */

struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rdi, rsi, rbp, rbx, rdx,
             rcx, rax;
    uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

/* The last exception that try_run() caught. */
struct trap {
    uint64_t vector, error, rip, cr2;
};
extern struct trap trap_last;

bool try_run(void (*fn)(void *), void *arg);

/* Handlers of interrupts (and of exceptions), run with interrupts off. */
typedef void (*trap_handler)(struct trap_frame *frame);
void trap_set_handler(unsigned int vector, trap_handler handler);

struct cpuid_regs {
    uint32_t a, b, c, d;
};

static inline struct cpuid_regs cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_regs r;

    __asm__ volatile("cpuid" : "=a"(r.a), "=b"(r.b), "=c"(r.c), "=d"(r.d)
                     : "0"(leaf), "2"(subleaf));
    return r;
}

static inline uint64_t rdmsr(uint32_t msr)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr));
    return (uint64_t)high << 32 | low;
}

static inline void wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"((uint32_t)value),
                     "d"((uint32_t)(value >> 32)) : "memory");
}

/* These catch #GP: false if it came. */
bool rdmsr_safe(uint32_t msr, uint64_t *value);
bool wrmsr_safe(uint32_t msr, uint64_t value);

static inline uint64_t rdtsc(void)
{
    uint32_t low, high;

    __asm__ volatile("lfence; rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void irq_enable(void)
{
    __asm__ volatile("sti" ::: "memory");
}

static inline void irq_disable(void)
{
    __asm__ volatile("cli" ::: "memory");
}

static inline void cpu_pause(void)
{
    __asm__ volatile("pause" ::: "memory");
}

/* Waits in HLT for one interrupt; interrupts are off before and after. */
static inline void cpu_wait(void)
{
    __asm__ volatile("sti; hlt; cli" ::: "memory");
}

/* ---- time and shared memory ---- */

/* The domain's shared_info, mapped at the first call. */
struct shared_info *guest_shared(void);

/* This vcpu's system time in ns, of 'v' as vcpu_info has it. */
uint64_t time_of(const struct vcpu_time_info *t);
uint64_t time_now(void);

/* Spins with interrupts as they are until *what != 0 or ms went by. */
bool wait_for(const volatile uint32_t *what, unsigned int ms);

/* ---- local APIC (x2APIC mode) and vcpus ---- */

#define X2APIC_ID 0x802
#define X2APIC_EOI 0x80b
#define X2APIC_SVR 0x80f
#define X2APIC_ICR 0x830

void apic_enable(void);
static inline void apic_eoi(void)
{
    wrmsr(X2APIC_EOI, 0);
}

static inline void apic_send(uint32_t dest, uint32_t low)
{
    wrmsr(X2APIC_ICR, (uint64_t)dest << 32 | low);
}

/* For the next vcpu that starts; entry may return (the vcpu then halts). */
extern void (*volatile ap_entry)(void);
extern volatile uint64_t ap_stack_top;
extern const char ap_start32[], ap_trampoline[], ap_trampoline_end[];
struct vcpu_hvm_context;
/* For VCPUOP_initialise: another vcpu that starts at ap_start32. */
void ap_fill_context(struct vcpu_hvm_context *c);

#endif
