/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PV test kernel's entries: start, traps, system calls, callbacks, and the
 * way to user mode and back.  Frames are those of xen-x86_64.h.
 */
#define NOTE_ENTRY 1
#define NOTE_HYPERCALL_PAGE 2
#define NOTE_VIRT_BASE 3
#define NOTE_PADDR_OFFSET 4
#define NOTE_XEN_VERSION 5
#define NOTE_GUEST_OS 6
#define NOTE_LOADER 8
#define NOTE_PAE_MODE 9
#define NOTE_FEATURES 10

        .macro NOTE type, kind, value:vararg
        .align 4
        .long 4, 2f - 1f, \type
        .asciz "Xen"
1:      \kind \value
2:      .align 4
        .endm

        .section .note.xen, "a", @note
        NOTE NOTE_GUEST_OS, .asciz, "gantry-test"
        NOTE NOTE_XEN_VERSION, .asciz, "xen-3.0"
        NOTE NOTE_LOADER, .asciz, "generic"
        NOTE NOTE_PAE_MODE, .asciz, "yes"
        NOTE NOTE_FEATURES, .asciz, "!writable_page_tables|pae_pgdir_above_4gb"
        NOTE NOTE_VIRT_BASE, .quad, virt_base
        NOTE NOTE_PADDR_OFFSET, .quad, 0
        NOTE NOTE_ENTRY, .quad, pv_entry
        NOTE NOTE_HYPERCALL_PAGE, .quad, hypercall_page

        .text
        .globl hypercall_page
        .balign 4096
hypercall_page:
        .fill 4096, 1, 0xcc

        .globl pv_entry
pv_entry:
        cld
        test %rsi, %rsi
        jz 1f
        lea stack_top(%rip), %rsp
        mov %rsi, %rdi
        xor %ebp, %ebp
        call pv_start
        ud2
        /* A vcpu that the toolstack made beside the first. */
1:      lea other_stack_top(%rip), %rsp
        xor %ebp, %ebp
        call pv_other
        ud2

/* Behind rcx and r11: [error] rip cs rflags rsp ss. */
        .macro STUB name, number, error=0
        .globl \name
\name:
        pushf
        pop handler_flags(%rip)
        cld
        pop %rcx
        pop %r11
        .if \error == 0
        push $0
        .endif
        push $\number
        jmp common
        .endm

        STUB stub_de, 0
        STUB stub_db, 1
        STUB stub_bp, 3
        STUB stub_of, 4
        STUB stub_ud, 6
        STUB stub_nm, 7
        STUB stub_np, 11, 1
        STUB stub_ss, 12, 1
        STUB stub_gp, 13, 1
        STUB stub_pf, 14, 1
        STUB stub_ac, 17, 1
        STUB stub_80, 0x80
        STUB stub_81, 0x81
        STUB stub_event, 0x100
        STUB stub_syscall, 0x101
        STUB stub_nmi, 0x103
        STUB stub_syscall32, 0x104
        STUB stub_sysenter, 0x105
        .globl stub_failsafe
stub_failsafe:
        pop %rcx
        pop %r11
        add $32, %rsp           /* ds es fs gs */
        push $0
        push $0x102
common:
        push %rax
        push %rcx
        push %rdx
        push %rbx
        push %rbp
        push %rsi
        push %rdi
        push %r8
        push %r9
        push %r10
        push %r11
        push %r12
        push %r13
        push %r14
        push %r15
        mov %rsp, %rdi
        call pv_trap
        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %r11
        pop %r10
        pop %r9
        pop %r8
        pop %rdi
        pop %rsi
        pop %rbp
        pop %rbx
        pop %rdx
        pop %rcx
        pop %rax
        add $16, %rsp
        push iret_flags(%rip)
        jmp hypercall_page + 23 * 32

/*
 * void pv_run(const struct pv_start *s): iret to rip rsp rflags cs ss flags;
 * comes back when pv_return() is called by a handler.
 */
        .globl pv_run
pv_run:
        push %rbx
        push %rbp
        push %r12
        push %r13
        push %r14
        push %r15
        mov %rsp, run_rsp(%rip)
        push 32(%rdi)           /* ss */
        push 8(%rdi)            /* rsp */
        push 16(%rdi)           /* rflags */
        push 24(%rdi)           /* cs */
        push 0(%rdi)            /* rip */
        push 40(%rdi)           /* flags of iret */
        mov 0(%rdi), %rcx
        mov 16(%rdi), %r11
        jmp hypercall_page + 23 * 32
        .globl pv_return
pv_return:
        mov run_rsp(%rip), %rsp
        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %rbp
        pop %rbx
        ret

/* bool pv_try_run(void (*fn)(void *), void *arg): false if it trapped. */
        .globl pv_try_run, pv_try_failed
pv_try_run:
        push %rbx
        push %rbp
        push %r12
        push %r13
        push %r14
        push %r15
        sub $8, %rsp
        mov %rsp, try_rsp(%rip)
        mov %rdi, %rax
        mov %rsi, %rdi
        call *%rax
        mov $1, %eax
        jmp 1f
pv_try_failed:
        xor %eax, %eax
1:      add $8, %rsp
        pop %r15
        pop %r14
        pop %r13
        pop %r12
        pop %rbp
        pop %rbx
        ret

        .bss
        .globl try_rsp, run_rsp
try_rsp: .quad 0
run_rsp: .quad 0
        .globl iret_flags, handler_flags
iret_flags: .quad 0
handler_flags: .quad 0
        .balign 4096
        .fill 16384
stack_top:
        .fill 16384
other_stack_top:
        .fill 16384
        .globl trap_stack_top
trap_stack_top:
        .section .note.GNU-stack, "", @progbits
