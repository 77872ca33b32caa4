/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The IDT and what its vectors mean: interrupts go to irq.c, an exception
 * of the hypervisor's own is the end, but for MSRs that may be absent.
 * Talks to irq.c, cpu.c, core/console.
 * 1. Interrupts arrive only where the CPU loop opens a window for them.
 * 2. An NMI or machine check may interrupt whoever holds a lock: so the one
 *    is only noted, and the other breaks the one lock that its last words
 *    need.
 */
#include "core/console.h"
#include "cpu.h"
#include "insn.h"
#include "irq.h"
#include "layout.h"
#include "nmi.h"
#include "trap.h"

struct gate {
    uint16_t offset0;
    uint16_t selector;
    uint8_t ist;
    uint8_t type;
    uint16_t offset1;
    uint32_t offset2;
    uint32_t reserved;
};

#define GATE_INTERRUPT 0x8e
#define STUB_SIZE 16
#define VECTOR_NMI 2
#define VECTOR_DOUBLE_FAULT 8
#define VECTOR_GP 13
#define VECTOR_MACHINE_CHECK 18

extern const char trap_stubs[];
extern const char trap_rdmsr_insn[], trap_wrmsr_insn[], trap_msr_fault[];

static struct gate idt[256];

void trap_init(void)
{
    for (unsigned int i = 0; i < 256; i++) {
        uintptr_t stub = (uintptr_t)trap_stubs + i * STUB_SIZE;

        idt[i] = (struct gate){
            .offset0 = (uint16_t)stub,
            .selector = SELECTOR_CODE,
            .type = GATE_INTERRUPT,
            .offset1 = (uint16_t)(stub >> 16),
            .offset2 = (uint32_t)(stub >> 32),
        };
    }
    idt[VECTOR_NMI].ist = 1;
    idt[VECTOR_DOUBLE_FAULT].ist = 2;
    idt[VECTOR_MACHINE_CHECK].ist = 3;
}

void trap_load(void)
{
    struct {
        uint16_t limit;
        uint64_t base;
    } __attribute__((packed)) pointer = { sizeof(idt) - 1, (uintptr_t)idt };

    __asm__ volatile("lidt %0" :: "m" (pointer));
}

static void dump(const struct trap_frame *f)
{
    console_log(LOG_ERROR, "rip %016lx rsp %016lx rflags %lx cs %lx",
                f->rip, f->rsp, f->rflags, f->cs);
    console_log(LOG_ERROR, "rax %016lx rbx %016lx rcx %016lx rdx %016lx",
                f->rax, f->rbx, f->rcx, f->rdx);
    console_log(LOG_ERROR, "rsi %016lx rdi %016lx rbp %016lx r8  %016lx",
                f->rsi, f->rdi, f->rbp, f->r8);
    console_log(LOG_ERROR, "r9  %016lx r10 %016lx r11 %016lx r12 %016lx",
                f->r9, f->r10, f->r11, f->r12);
    console_log(LOG_ERROR, "r13 %016lx r14 %016lx r15 %016lx cr2 %016lx",
                f->r13, f->r14, f->r15, read_cr2());
}

/* Return addresses by the chain of frame pointers, as far as it is sane. */
static void backtrace(const struct trap_frame *f)
{
    uint64_t bp = f->rbp;

    for (int i = 0; i < 12; i++) {
        const uint64_t *frame = (const uint64_t *)bp;

        if (bp < f->rsp || bp - f->rsp > CPU_STACK_SIZE || bp % 8 != 0) {
            return;
        }
        console_log(LOG_ERROR, "  called from %016lx", frame[1]);
        bp = frame[0];
    }
}

void trap_handle(struct trap_frame *f)
{
    if (f->vector >= 32) {
        irq_dispatch((unsigned int)f->vector);
        return;
    }
    if (f->vector == VECTOR_GP
        && (f->rip == (uintptr_t)trap_rdmsr_insn
            || f->rip == (uintptr_t)trap_wrmsr_insn)) {
        f->rip = (uintptr_t)trap_msr_fault;
        return;
    }
    if (f->vector == VECTOR_NMI) {
        nmi_note(&this_cpu()->nmi);
        this_cpu()->has_work = true;
        return;
    }
    console_break_lock();
    dump(f);
    backtrace(f);
    panic("CPU %u: exception %lu, error code %lx, at %016lx",
          this_cpu()->id, f->vector, f->error, f->rip);
}
