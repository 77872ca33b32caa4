/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The way in of a test kernel: PVH entry in 32-bit protected mode (public
 * arch-x86/hvm/start_info.h), identity tables of the low 4 GiB, long mode;
 * the same for further vcpus, by SIPI (ap_trampoline) or by
 * VCPUOP_initialise (ap_start32); interrupt stubs; and try_run().
 */
#define STACK_SIZE 16384

    .section .note.xen, "a", @note
    .balign 4
    .long 4, 8, 18                  /* XEN_ELFNOTE_PHYS32_ENTRY */
    .asciz "Xen"
    .quad start32

    .text
    .code32
    .globl start32
start32:
    cli
    cld
    movl %ebx, entry_start_info
    movl $boot_stack + STACK_SIZE, %esp
    /* 2048 entries of 2 MiB: present, writable, accessed, dirty, large. */
    movl $page_directories, %edi
    movl $0xe3, %eax
    movl $2048, %ecx
1:  movl %eax, (%edi)
    movl $0, 4(%edi)
    addl $0x200000, %eax
    addl $8, %edi
    decl %ecx
    jnz 1b
    movl $page_directories + 3, %eax
    movl $page_pointers, %edi
    movl $4, %ecx
1:  movl %eax, (%edi)
    addl $4096, %eax
    addl $8, %edi
    decl %ecx
    jnz 1b
    movl $page_pointers + 3, page_root
    movl $start64, %ebx
    jmp long_mode

    /* A further vcpu, flat 32-bit protected mode, no paging. */
    .globl ap_start32
ap_start32:
    cli
    cld
    movl $ap_start64, %ebx

/* Turns long mode on and goes to ebx. */
long_mode:
    movl %cr4, %eax
    orl $0x620, %eax                /* PAE, OSFXSR, OSXMMEXCPT */
    movl %eax, %cr4
    movl $page_root, %eax
    movl %eax, %cr3
    movl $0xc0000080, %ecx          /* EFER: LME, NXE */
    rdmsr
    orl $0x900, %eax
    wrmsr
    movl %cr0, %eax
    andl $0x9fffffff, %eax          /* caches on */
    orl $0x80010001, %eax           /* PG, WP, PE */
    movl %eax, %cr0
    lgdt gdt_pointer
    ljmp $8, $1f

    .code64
1:  movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    movl %eax, %fs
    movl %eax, %gs
    movl %ebx, %ebx
    jmp *%rbx

start64:
    movq $boot_stack + STACK_SIZE, %rsp
    movl entry_start_info, %edi
    xorl %ebp, %ebp
    call start_guest
1:  hlt
    jmp 1b

ap_start64:
    movq ap_stack_top, %rsp
    xorl %ebp, %ebp
    lidt idt_pointer
    call *ap_entry
1:  cli
    hlt
    jmp 1b

    /* Copied to a page below 1 MiB for SIPI. */
    .code16
    .globl ap_trampoline, ap_trampoline_end
ap_trampoline:
    cli
    movw %cs, %ax
    movw %ax, %ds
    lgdtl trampoline_gdt_pointer - ap_trampoline
    movl %cr0, %eax
    orl $1, %eax
    movl %eax, %cr0
    ljmpl $24, $trampoline32
    .balign 4
trampoline_gdt_pointer:
    .word gdt_end - gdt - 1
    .long gdt
ap_trampoline_end:

    .code32
trampoline32:
    movl $16, %eax
    movl %eax, %ds
    movl %eax, %es
    movl %eax, %ss
    jmp ap_start32

    .code64
/*
 * bool try_run(void (*fn)(void *), void *arg): calls fn(arg); an exception
 * in it ends it, fills trap_last and makes the result false.
 */
    .globl try_run, try_resume
try_run:
    pushq %rbx
    pushq %rbp
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, try_rsp
    movb $1, try_active
    movq %rdi, %rax
    movq %rsi, %rdi
    call *%rax
    movl $1, %eax
    jmp 1f
try_resume:
    cld
    xorl %eax, %eax
1:  movb $0, try_active
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbp
    popq %rbx
    ret

/* One stub a vector, 16 bytes each: error code (or 0), vector. */
    .balign 16
    .globl trap_stubs
trap_stubs:
    vector = 0
    .rept 256
    .balign 16
    .if !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 \
          || vector == 21 || vector == 29 || vector == 30)
    pushq $0
    .endif
    pushq $vector
    jmp trap_common
    vector = vector + 1
    .endr

/* Order: struct trap_frame of guest.h. */
trap_common:
    pushq %rax
    pushq %rcx
    pushq %rdx
    pushq %rbx
    pushq %rbp
    pushq %rsi
    pushq %rdi
    pushq %r8
    pushq %r9
    pushq %r10
    pushq %r11
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    cld
    movq %rsp, %rdi
    movq %rsp, %rbx
    andq $-16, %rsp
    call trap_dispatch
    movq %rbx, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %r11
    popq %r10
    popq %r9
    popq %r8
    popq %rdi
    popq %rsi
    popq %rbp
    popq %rbx
    popq %rdx
    popq %rcx
    popq %rax
    addq $16, %rsp
    iretq

    .data
    .balign 8
gdt:
    .quad 0
    .quad 0x00af9b000000ffff        /* 8: 64-bit code */
    .quad 0x00cf93000000ffff        /* 16: data */
    .quad 0x00cf9b000000ffff        /* 24: 32-bit code */
gdt_end:
gdt_pointer:
    .word gdt_end - gdt - 1
    .quad gdt

    .bss
    .balign 4096
    .globl page_root, page_directories
page_root: .skip 4096
page_pointers: .skip 4096
page_directories: .skip 4 * 4096
boot_stack: .skip STACK_SIZE
    .globl try_active, try_rsp
try_rsp: .skip 8
entry_start_info: .skip 8
try_active: .skip 8

    .section .note.GNU-stack, "", @progbits
