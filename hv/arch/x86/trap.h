/* SPDX-License-Identifier: GPL-2.0-only */
/* Exceptions and interrupts of the hypervisor itself. */
#ifndef X86_TRAP_H
#define X86_TRAP_H

#include <stdint.h>

/* As entry.S pushes it. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, rbp, rbx;
    uint64_t r11, r10, r9, r8, rax, rcx, rdx, rsi, rdi;
    uint64_t vector, error;
    uint64_t rip, cs, rflags, rsp, ss;
};

/* Fills the IDT; once, before any CPU loads it. */
void trap_init(void);
/* Points the running CPU at the IDT. */
void trap_load(void);
/* From entry.S. */
void trap_handle(struct trap_frame *frame);
/*
 * rdmsr/wrmsr that survive a #GP: 0 or -EIO.
 */
int trap_rdmsr(uint32_t msr, uint64_t *value);
int trap_wrmsr(uint32_t msr, uint64_t value);

#endif
