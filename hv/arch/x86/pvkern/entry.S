/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where the personality is entered and left.
 *
 *   trap, interrupt, int n -> IDT -> TSS.rsp0 -> stub -> pvk_trap()
 *   syscall -> LSTAR -> the vcpu's own stub page (finds its stack by rip)
 *           -> pvk_syscall(); 32-bit user mode's -> pvk_compat_syscall()
 *   both return the registers to go on with -> iretq, or sysretq where
 *   'vector' says that the guest expects rcx and r11 lost
 *
 * 1. We run with interrupts off; the guest always runs with them on.
 * 2. The hypervisor never injects an NMI, and takes #MC itself, so nothing
 *    comes between a syscall and the switch of stacks but #DB (after a
 *    MOV SS), which has a stack of its own.  The guest's #DB is handled on
 *    the usual one: writing its frame may meet a watchpoint.
 * 3. An IRETQ that faults leaves its frame where it was: trap.c finds it
 *    at the top of the stack.
 */
#include "pvkern/layout.h"

/* Offsets in struct pvk_regs. */
#define REGS_R11 (6 * 8)
#define REGS_RCX (8 * 8)
#define REGS_VECTOR (15 * 8)
#define REGS_RIP (17 * 8)
#define REGS_CS (18 * 8)
#define REGS_RFLAGS (19 * 8)
#define REGS_RSP (20 * 8)
#define REGS_SIZE (22 * 8)

        .section .header, "a"
        .long PVK_MAGIC
        .long image_text_pages
        .long image_data_pages
        .long image_bss_pages
        .quad pvk_start
        .quad syscall_entry
        .quad syscall32_entry
        .quad sysenter_entry
        .quad trap_idt
        .quad stub_page
        .quad leave
        .long stub_syscall32 - stub_page
        .long 0

/* Shown in each vcpu's area, so that rip-relative means that vcpu's. */
        .section .stubs, "ax"
stub_page:
        mov %rsp, (stub_page - PVK_AREA_STUBS + PVK_VCPU_SAVED_RSP)(%rip)
        lea (stub_page - PVK_AREA_STUBS + PVK_AREA_STACK_TOP)(%rip), %rsp
        jmp *(stub_page - PVK_AREA_STUBS + PVK_VCPU_SYSCALL)(%rip)
        .balign 64
stub_syscall32:
        mov %rsp, (stub_page - PVK_AREA_STUBS + PVK_VCPU_SAVED_RSP)(%rip)
        lea (stub_page - PVK_AREA_STUBS + PVK_AREA_STACK_TOP)(%rip), %rsp
        jmp *(stub_page - PVK_AREA_STUBS + PVK_VCPU_SYSCALL32)(%rip)

        .macro PUSH_REGS
        push %r9
        push %r8
        push %r10
        push %rdx
        push %rsi
        push %rdi
        push %rcx
        push %rax
        push %r11
        push %rbx
        push %rbp
        push %r12
        push %r13
        push %r14
        push %r15
        .endm

        .macro POP_REGS
        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %rbp
        pop %rbx
        pop %r11
        pop %rax
        pop %rcx
        pop %rdi
        pop %rsi
        pop %rdx
        pop %r10
        pop %r8
        pop %r9
        .endm

/* The saved stack pointer, seen from one word below the stack's top. */
#define SAVED_RSP (PVK_VCPU_SAVED_RSP - PVK_AREA_STACK_TOP + 8)

        .text
        .globl pvk_start
pvk_start:
        xor %ebp, %ebp
        sub $REGS_SIZE, %rsp    /* boot_vcpu() fills them in */
        call boot_vcpu
        jmp leave

syscall_entry:
        push $PVK_GUEST_SS
        pushq SAVED_RSP(%rsp)
        push %r11
        push $PVK_GUEST_CS
        push %rcx
        push $0
        push $PVK_FROM_SYSCALL
        PUSH_REGS
        mov %rsp, %rdi
        call pvk_syscall
        jmp leave

syscall32_entry:
        push $PVK_GUEST_SS
        pushq SAVED_RSP(%rsp)
        push %r11
        push $PVK_GUEST_CS32
        push %rcx
        push $0
        push $PVK_FROM_SYSCALL32
        PUSH_REGS
        mov %rsp, %rdi
        call pvk_compat_syscall
        jmp leave

/*
 * SYSENTER keeps neither rip, rsp nor IF: the guest knows its own.  It leaves
 * the user's DF and NT, which C and IRETQ must not see.
 */
sysenter_entry:
        push $PVK_GUEST_SS
        push $0
        pushf
        push $2
        popf
        push $3
        push $0
        push $0
        push $PVK_FROM_SYSENTER
        PUSH_REGS
        mov %rsp, %rdi
        call pvk_compat_syscall
        jmp leave

trap_common:
        PUSH_REGS
        cld
        mov %rsp, %rdi
        testb $3, REGS_CS(%rsp)
        jz 1f
        /* Most came there; the registers are moved by pvk_trap(). */
        and $-PVK_AREA_SIZE, %rsp
        add $(PVK_AREA_STACK_TOP - REGS_SIZE), %rsp
1:      call pvk_trap
leave:
        mov %rax, %rsp
        testl $PVK_FROM_SYSCALL, REGS_VECTOR(%rsp)
        jnz 1f
        POP_REGS
        add $16, %rsp
        .globl entry_iretq
entry_iretq:
        iretq
1:      mov REGS_RIP(%rsp), %rcx
        mov %rcx, REGS_RCX(%rsp)
        mov REGS_RFLAGS(%rsp), %rcx
        mov %rcx, REGS_R11(%rsp)
        POP_REGS
        mov (REGS_RSP - REGS_VECTOR)(%rsp), %rsp
        sysretq

/* One stub a vector, 16 bytes each; the CPU pushes an error for some. */
        .balign 16
        .globl entry_traps
entry_traps:
        vector = 0
        .rept 256
        .balign 16
        .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
        push $0
        .endif
        pushq $vector
        jmp trap_common
        vector = vector + 1
        .endr

/* void entry_swap_gs(void) */
        .globl entry_swap_gs
entry_swap_gs:
        swapgs
        ret
        .section .note.GNU-stack, "", @progbits
