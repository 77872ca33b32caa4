/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Entries of the IDT: one stub a vector, one common tail into C.
 * 1. The hypervisor never runs below CPL 0, so there is no swapgs.
 */
        .text
        .set vector, 0
        .balign 16
        .globl trap_stubs
trap_stubs:
        .rept 256
        .balign 16
        .if !((vector == 8) || (vector >= 10 && vector <= 14) \
              || (vector == 17) || (vector == 21) || (vector == 29) \
              || (vector == 30))
        push $0
        .endif
        push $vector
        jmp trap_common
        .set vector, vector + 1
        .endr

trap_common:
        cld
        push %rdi
        push %rsi
        push %rdx
        push %rcx
        push %rax
        push %r8
        push %r9
        push %r10
        push %r11
        push %rbx
        push %rbp
        push %r12
        push %r13
        push %r14
        push %r15
        mov %rsp, %rdi
        mov %rsp, %rbp
        and $-16, %rsp
        call trap_handle
        mov %rbp, %rsp
        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %rbp
        pop %rbx
        pop %r11
        pop %r10
        pop %r9
        pop %r8
        pop %rax
        pop %rcx
        pop %rdx
        pop %rsi
        pop %rdi
        add $16, %rsp
        iretq

/* int trap_rdmsr(uint32_t msr, uint64_t *value) */
        .globl trap_rdmsr, trap_wrmsr, trap_msr_fault
        .globl trap_rdmsr_insn, trap_wrmsr_insn
trap_rdmsr:
        mov %edi, %ecx
trap_rdmsr_insn:
        rdmsr
        shl $32, %rdx
        or %rdx, %rax
        mov %rax, (%rsi)
        xor %eax, %eax
        ret
/* int trap_wrmsr(uint32_t msr, uint64_t value) */
trap_wrmsr:
        mov %edi, %ecx
        mov %esi, %eax
        mov %rsi, %rdx
        shr $32, %rdx
trap_wrmsr_insn:
        wrmsr
        xor %eax, %eax
        ret
trap_msr_fault:
        mov $-5, %eax           /* -EIO */
        ret
        .section .note.GNU-stack, "", @progbits
