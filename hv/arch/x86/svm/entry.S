/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The world switch (APM vol. 2, 15.5).
 * void svm_world_switch(uint64_t vmcb_phys, struct hvm_regs *regs,
 *                       uint64_t host_vmcb_phys)
 * rax, rsp, rip and rflags travel in the VMCB; the host's FS, GS, TR, LDTR
 * and system-call MSRs wait in the host's own VMCB.
 * 1. With GIF clear nothing interrupts the half-switched state. IF is set
 *    at VMRUN so that a pending interrupt ends the guest's run.
 */
#define GPR(n) (8 * (n))

        .text
        .globl svm_world_switch
svm_world_switch:
        push %rbp
        push %rbx
        push %r12
        push %r13
        push %r14
        push %r15
        push %rdx
        push %rsi
        mov %rdi, %rax
        clgi
        sti
        vmload %rax
        mov GPR(1)(%rsi), %rcx
        mov GPR(2)(%rsi), %rdx
        mov GPR(3)(%rsi), %rbx
        mov GPR(5)(%rsi), %rbp
        mov GPR(7)(%rsi), %rdi
        mov GPR(8)(%rsi), %r8
        mov GPR(9)(%rsi), %r9
        mov GPR(10)(%rsi), %r10
        mov GPR(11)(%rsi), %r11
        mov GPR(12)(%rsi), %r12
        mov GPR(13)(%rsi), %r13
        mov GPR(14)(%rsi), %r14
        mov GPR(15)(%rsi), %r15
        mov GPR(6)(%rsi), %rsi
        vmrun %rax
        .globl svm_after_vmrun
svm_after_vmrun:
        vmsave %rax
        pop %rax
        mov %rcx, GPR(1)(%rax)
        mov %rdx, GPR(2)(%rax)
        mov %rbx, GPR(3)(%rax)
        mov %rbp, GPR(5)(%rax)
        mov %rsi, GPR(6)(%rax)
        mov %rdi, GPR(7)(%rax)
        mov %r8, GPR(8)(%rax)
        mov %r9, GPR(9)(%rax)
        mov %r10, GPR(10)(%rax)
        mov %r11, GPR(11)(%rax)
        mov %r12, GPR(12)(%rax)
        mov %r13, GPR(13)(%rax)
        mov %r14, GPR(14)(%rax)
        mov %r15, GPR(15)(%rax)
        pop %rax
        vmload %rax
        /* No guest value is left for speculation to use. */
        xor %ecx, %ecx
        xor %edx, %edx
        xor %esi, %esi
        xor %edi, %edi
        xor %r8d, %r8d
        xor %r9d, %r9d
        xor %r10d, %r10d
        xor %r11d, %r11d
        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %rbx
        pop %rbp
        cli
        stgi
        cld
        ret
        .section .note.GNU-stack, "", @progbits
